#!/bin/bash
# SPDX-License-Identifier: MIT
# store_kill.sh: a load that is killed leaves a prefix, in whole batches, and a store that opens.
. "$(dirname "$0")/lib.sh"

rounds=${STELE_FULL:+50}
pairs() { seq "$1" "$2" | sed 's/.*/{"bucket":"b","key":"&","value":"&"}/'; }
pairs 1000001 1200000 >lines
total=0
for ((round = 0; round < ${rounds:-6}; round++)); do
    rm -rf db
    "$stele" store load db <lines >/dev/null 2>&1 &
    loader=$!
    children=("$loader")
    # Now and then before anything is committed, and else at a moment that differs.
    committed() { [ "$("$stele" store stat db -J 2>/dev/null | jq .keys)" -gt 0 ] 2>/dev/null; }
    [ $((round % 3)) -eq 0 ] || until_true 20 committed || fail "the loader commits"
    sleep 0.0$((round * 7 % 10))
    kill -KILL "$loader" 2>/dev/null
    wait "$loader" 2>/dev/null
    children=()
    last="after kill $round"
    [ -e db/current ] || continue
    store 0 check db -J
    # Killed early enough, there is no bucket yet, and range says so.
    "$stele" store range db b --keys-only >kept 2>/dev/null || [ ! -s kept ] || fail "a range of what was kept"
    count=$(wc -l <kept)
    equal "the keys that are counted" "$count" "$("$stele" store stat db -J | jq .keys)"
    cmp -s kept <(seq 1000001 $((1000000 + count))) || fail "a prefix of what was loaded: $count"
    store 0 put db b more yes
    store 0 load db <lines
    equal "all of it" 200001 "$("$stele" store stat db -J | jq .keys)"
    total=$((total + count))
done
echo "$total keys were there after ${rounds:-6} kills"
