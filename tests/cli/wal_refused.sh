#!/bin/bash
# SPDX-License-Identifier: MIT
# wal_refused.sh: locks, permissions, and directories that are none.
. "$(dirname "$0")/lib.sh"

reading="cat log|stat log|check log"
writing="append log|truncate log 5|trim log 3|recover log|migrate log --to blb|recover log --dry-run"

# A process that writes holds the lock.
mkfifo pipe
"$stele" wal append log --segment-size 64k <pipe >/dev/null &
holder=$!
children+=("$holder")
exec 3>pipe
seq 11 >&3
last_is() { [ "$("$stele" wal stat log -J 2>/dev/null | jq .last_id)" = "$1" ]; }
until_true 10 last_is 11 || fail "the writer writes"
locked_out wal "$holder" "${writing%|*--dry-run}"
work_beside wal "$reading"
for dry in "truncate log 5" "trim log 3"; do
    wal 0 $dry --dry-run
done
echo twelve >&3
until_true 10 last_is 12 || fail "it writes on"
# The lock is free when that process is gone; who waits for it gets it.
hand_over "$holder" wal truncate log 5
last_is 5 || fail "it did its work"
wal 0 truncate log 4
# A killed one leaves its lock file, but no lock.
"$stele" wal append log --lock-wait 30s <pipe >/dev/null 2>&1 &
holder=$!
exec 3>pipe
children+=("$holder")
locked() { "$stele" wal truncate log 4 >/dev/null 2>&1; [ $? -eq 4 ]; }
until_true 10 locked || fail "the other one has the lock"
kill -KILL "$holder"
wait "$holder" 2>/dev/null
exec 3>&-
seq 3 | wal 0 append log
row "last id" 7

# A file instead of a directory.
refuse_file wal "${reading//log/file}|${writing//log/file}" '{"data":"x"}'
wal 2 stat ''

# Files of others in the directory are left alone.
mkdir mixed
echo hello >mixed/README
echo hello >mixed/00000000000000000000.log
seq 5 | wal 0 append mixed --segment-size 64k
wal 0 check mixed
wal 0 recover mixed
equal "they are still there" "$(printf 'hello\nhello')" "$(cat mixed/README mixed/00000000000000000000.log)"
# A stream is no log.
seq 5 | publish stream.dir
wal 1 cat stream.dir

# Without permission.
prepare_other
seq 5 | append secret --segment-size 64k
chmod 000 secret secret/*
mkdir unwritable
chmod 555 unwritable
for command in "stat secret" "cat secret" "check secret" "append secret" "append secret/below" \
    "append unwritable/log" "trim secret 1" "truncate secret 1" "recover secret" "migrate secret --to blb"; do
    last="stele wal $command"
    as_other ./stele.copy wal $command -J >.out 2>.err </dev/null
    rc=$?
    [ "$rc" -eq 6 ] || fail "expected exit code 6"
    json_error EPERM
    read -r _ target _ <<<"$command"
    says "$target"
done
chmod 700 secret
chmod 600 secret/*
equal "nothing happened to it" "$(seq 5)" "$("$stele" wal cat secret)"
# Readable, and not writable: readers need no more.
cp -r secret open
chmod -R a+rX,a-w open
as_other ./stele.copy wal cat open >.out 2>.err || fail "a reader needs no permission to write"
is "$(seq 5)"
as_other ./stele.copy wal append open >.out 2>.err </dev/null
rc=$?
[ "$rc" -eq 6 ] || fail "expected exit code 6"
chmod -R u+w open
# One unreadable segment.
chmod 755 secret
chmod 644 secret/wal.manifest
chmod 000 secret/*.wal
as_other ./stele.copy wal cat secret >.out 2>.err
rc=$?
[ "$rc" -eq 6 ] || fail "expected exit code 6"
says .wal
