#!/bin/bash
# SPDX-License-Identifier: MIT
# refused.sh: locks, permissions, and directories that are none.
. "$(dirname "$0")/lib.sh"

seq 10 | sed "s/.*/&=v&/" | publish log -K = --key-index
reading="consume log|get log 1|get log --key 1|offset log --key 1|next log|size log|stat log|check log|backup log copy"
writing="publish log|rm log 1|trim log --count 5|compact log|recover log|migrate log --to v1"

# A process that writes holds the lock.
mkfifo pipe
"$stele" stream publish log <pipe >/dev/null &
holder=$!
children+=("$holder")
exec 3>pipe
printf 'eleven\n' >&3
next_is() { [ "$("$stele" stream next log)" -eq "$1" ]; }
until_true 60 next_is 11 || fail "the writer writes"
locked_out stream "$holder" "$writing"
IFS='|'
for command in $reading; do
    IFS=' '
    case $command in
    size*) printf '{}\n' | stream 0 $command ;;
    *) stream 0 $command ;;
    esac
done
IFS=' '
for dry in "rm log 1" "trim log --count 5" "compact log"; do
    stream 0 $dry --dry-run
done
# The lock is free when that process is gone; who waits for it gets it.
hand_over "$holder" stream trim log --count 5
equal "what it did" 5 "$("$stele" stream stat log -J | jq .messages)"
stream 0 rm log 7

# A file instead of a directory.
refuse_file stream "${reading//log/file}|${writing//log/file}" '{}'
stream 2 stat file/below
stream 2 stat ''

# Without permission.
prepare_other
seq 5 | publish secret
chmod 000 secret secret/*
cp -r log open
chmod -R a+rX open
mkdir unwritable
chmod 555 unwritable
for command in "stat secret" "consume secret" "next secret" "check secret" "publish secret" "publish secret/below" \
    "publish unwritable/log" "trim secret --count 1" "recover secret" "backup open unwritable/copy"; do
    last="stele stream $command"
    as_other ./stele.copy stream $command -J >.out 2>.err </dev/null
    rc=$?
    [ "$rc" -eq 6 ] || fail "expected exit code 6"
    json_error EPERM
    read -r _ target _ <<<"$command"
    [ "$target" = open ] && target=unwritable
    says "$target"
done
chmod 700 secret
chmod 600 secret/*
equal "nothing happened to it" "$(seq 5)" "$("$stele" stream consume secret)"
# One unreadable segment.
chmod 000 secret/*.log
chmod 755 secret
as_other ./stele.copy stream consume secret >.out 2>.err
rc=$?
[ "$rc" -eq 6 ] || fail "expected exit code 6"
says 00000000000000000000.log
