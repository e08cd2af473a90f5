#!/bin/bash
# SPDX-License-Identifier: MIT
# docs_kill.sh: a load that is killed leaves a prefix, and a database that goes on.
. "$(dirname "$0")/lib.sh"

rounds=${STELE_FULL:+50}
seq 100001 130000 | sed 's/.*/{"id":"&","doc":{"@type":"t","n":&,"name":"name of &"}}/' >lines
echo '{"name":"t","keys":[{"name":"n","fields":["n"],"method":"number","unique":true},{"name":"name","fields":["name"],"method":"utf8"}],"version":1}' >t.json
total=0
for ((round = 0; round < ${rounds:-4}; round++)); do
    rm -rf db
    docs 0 type add db t.json
    "$stele" docs load db <lines >/dev/null 2>&1 &
    loader=$!
    children=("$loader")
    # Now and then before anything is set, and else at a moment that differs.
    committed() { [ "$("$stele" docs stat db -J 2>/dev/null | jq .documents)" -gt 0 ] 2>/dev/null; }
    [ $((round % 3)) -eq 0 ] || until_true 20 committed || fail "the loader commits"
    sleep 0.0$((round * 7 % 10))
    kill -KILL "$loader" 2>/dev/null
    wait "$loader" 2>/dev/null
    children=()
    last="after kill $round"
    # What was durable and not yet in the file is found by the next writer.
    docs 0 set db more '{"@type":"t","n":1,"name":"more"}'
    docs 0 validate db
    "$stele" docs list db -J | jq -r .id | grep -v more >kept
    count=$(wc -l <kept)
    cmp -s kept <(seq 100001 $((100000 + count))) || fail "a prefix of what was loaded: $count"
    equal "in the log, too" $((count + 1)) "$("$stele" docs log db | wc -l)"
    tail -n +$((count + 1)) lines | docs 0 load db
    docs 0 stat db -J
    json '.[0].documents == 30001 and .[0].entries == 30001 and .[0].keys == 90003'
    docs 0 search db t n=130000
    total=$((total + count))
done
docs 0 validate db
echo "$total documents were there after ${rounds:-4} kills"
