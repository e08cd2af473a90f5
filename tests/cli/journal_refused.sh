#!/bin/bash
# SPDX-License-Identifier: MIT
# journal_refused.sh: locks, permissions, and directories that are none.
. "$(dirname "$0")/lib.sh"

reading="play log|stat log|check log|snapshot log --dry-run|clear log --dry-run"
writing="record log|snapshot log|clear log"

# A process that records holds the lock.
mkfifo pipe
"$stele" journal record log <pipe >/dev/null &
holder=$!
children+=("$holder")
exec 3>pipe
puts 1 11 >&3
count_is() { [ "$("$stele" journal stat log -J 2>/dev/null | jq .count)" = "$1" ]; }
until_true 10 count_is 11 || fail "the recorder records"
locked_out journal "$holder" "$writing"
work_beside journal "$reading"
puts 12 12 >&3
until_true 10 count_is 12 || fail "it records on"
# The lock is free when that process is gone; who waits for it gets it.
hand_over "$holder" journal clear log
count_is 0 || fail "it did its work"
# A killed one leaves its lock file, but no lock.
: >acks
"$stele" journal record log --ack 1 <pipe >acks 2>&1 &
holder=$!
exec 3>pipe
children+=("$holder")
puts 1 1 >&3
got() { [ -s acks ]; }
until_true 10 got || fail "the other one has the lock"
journal 4 clear log
kill -KILL "$holder"
wait "$holder" 2>/dev/null
exec 3>&-
puts 2 3 | journal 0 record log
journal 0 play log -J
json 'map(.value) == ["1", "2", "3"]'

# A file instead of a directory.
refuse_file journal "${reading//log/file}|${writing//log/file}" '{"op":"put"}'
journal 2 stat ''

# Files of others in the directory are left alone.
mkdir mixed
echo hello >mixed/README
echo hello >mixed/wal.manifest
echo hello >mixed/00000000000000000001.log
puts 1 5 | journal 0 record mixed --limit 50
journal 0 check mixed
journal 0 clear mixed
equal "they are still there" "$(printf 'hello\nhello\nhello')" "$(cat mixed/README mixed/wal.manifest mixed/00000000000000000001.log)"

# Without permission.
prepare_other
puts 1 5 | record secret
chmod 000 secret secret/*
mkdir unwritable
chmod 555 unwritable
for command in "stat secret" "play secret" "check secret" "record secret" "record secret/below" \
    "record unwritable/log" "snapshot secret" "clear secret" "snapshot secret --dry-run"; do
    last="stele journal $command"
    as_other ./stele.copy journal $command -J >.out 2>.err </dev/null
    rc=$?
    [ "$rc" -eq 6 ] || fail "expected exit code 6"
    json_error EPERM
    read -r _ target _ <<<"$command"
    says "$target"
done
chmod 700 secret
chmod 600 secret/*
equal "nothing happened to it" 5 "$("$stele" journal play secret | wc -l)"
# Readable, and not writable: readers need no more.
cp -r secret open
chmod -R a+rX,a-w open
as_other ./stele.copy journal play open >.out 2>.err || fail "a reader needs no permission to write"
equal "all of it" 5 "$(wc -l <.out)"
as_other ./stele.copy journal record open >.out 2>.err </dev/null
rc=$?
[ "$rc" -eq 6 ] || fail "expected exit code 6"
chmod -R u+w open
# One unreadable log.
chmod 755 secret
chmod 000 secret/*.log
for verb in play check stat; do
    as_other ./stele.copy journal $verb secret >.out 2>.err
    rc=$?
    [ "$rc" -eq 6 ] || fail "expected exit code 6 of $verb"
    says .log
done
