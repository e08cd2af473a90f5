#!/bin/bash
# SPDX-License-Identifier: MIT
# store_refused.sh: locks, permissions, and directories that are none.
. "$(dirname "$0")/lib.sh"

reading="get db b 1|range db b|buckets db|dump db|hash db|stat db|check db|scrub db|readers db"
reading+="|del db b 1 --dry-run|defrag db --dry-run"
writing="put db b k v|del db b 2|load db|defrag db"

# A process that writes holds the lock; readers work beside it.
mkfifo pipe
"$stele" store load db <pipe >/dev/null &
holder=$!
children+=("$holder")
exec 3>pipe
pairs() { seq "$1" "$2" | sed 's/.*/{"bucket":"b","key":"&","value":"&"}/'; }
pairs 1 11 >&3
count_is() { [ "$("$stele" store stat db -J 2>/dev/null | jq .keys)" = "$1" ]; }
until_true 10 count_is 11 || fail "the loader commits"
IFS='|'
for command in $writing; do
    IFS=' '
    store 4 $command </dev/null
    says "$holder"
    silent
    store 4 $command -J </dev/null
    json_error EBUSY
    store 4 $command --lock-wait 50ms </dev/null
done
IFS='|'
for command in $reading; do
    IFS=' '
    store 0 $command
    quiet
done
IFS=' '
pairs 12 12 >&3
until_true 10 count_is 12 || fail "it writes on"
# The lock is free when that process is gone; who waits for it gets it.
"$stele" store put db b waited yes --lock-wait 60s >waited 2>&1 3>&- &
waiter=$!
children+=("$waiter")
sleep 0.2
kill -0 "$waiter" || fail "it waits"
exec 3>&-
wait "$holder" || fail "the loader ends with its input"
wait "$waiter" || fail "who waited got the lock"
store 0 get db b waited
is yes
children=()

# A killed one leaves its lock file, but no lock, and what was committed.
"$stele" store load db <pipe >/dev/null 2>&1 &
holder=$!
exec 3>pipe
children+=("$holder")
pairs 101 110 >&3
until_true 10 count_is 23 || fail "the other one has the lock"
store 4 del db b 1
kill -KILL "$holder"
wait "$holder" 2>/dev/null
exec 3>&-
children=()
store 0 get db b 110
is 110
store 0 put db b 1 one
store 0 check db

# A file instead of a directory; a directory without a store.
echo hello >file
mkdir void
IFS='|'
for command in ${reading//db/file} ${writing//db/file}; do
    IFS=' '
    last="stele store $command"
    "$stele" store $command -J >.out 2>.err <<<'{"bucket":"b","key":"k","value":"v"}'
    rc=$?
    [ "$rc" -ne 0 ] && [ "$rc" -le 8 ] || fail "it is refused"
    says file
    equal "still there" hello "$(cat file)"
done
IFS='|'
for command in ${reading//db/void} "del void b k" "defrag void"; do
    IFS=' '
    store 1 $command
    says void
done
IFS=' '
equal "nothing was made in it" "" "$(find void -mindepth 1 ! -name '.lock' ! -name '.reader*')"
store 2 stat ''

# Without permission.
prepare_other
pairs 1 5 | store 0 load secret
chmod 000 secret
mkdir unwritable
chmod 555 unwritable
for command in "stat secret" "get secret b 1" "put secret b k v" "check secret" "put unwritable/db b k v" \
    "dump secret" "defrag secret"; do
    last="stele store $command"
    as_other ./stele.copy store $command -J >.out 2>.err </dev/null
    rc=$?
    [ "$rc" -eq 6 ] || fail "expected exit code 6"
    json_error EPERM
    read -r _ target _ <<<"$command"
    says "$target"
done
chmod 700 secret
equal "nothing happened to it" 5 "$("$stele" store range secret b | wc -l)"
