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
locked_out store "$holder" "$writing"
work_beside store "$reading"
pairs 12 12 >&3
until_true 10 count_is 12 || fail "it writes on"
# The lock is free when that process is gone; who waits for it gets it.
hand_over "$holder" store put db b waited yes
store 0 get db b waited
is yes

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
refuse_file store "${reading//db/file}|${writing//db/file}" '{"bucket":"b","key":"k","value":"v"}'
refuse_void store "${reading//db/void}|del void b k|defrag void"
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
