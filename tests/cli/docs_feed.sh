#!/bin/bash
# SPDX-License-Identifier: MIT
# docs_feed.sh: log and feed, and feed --follow beside writers that come, die and go.
. "$(dirname "$0")/lib.sh"
exec </dev/null

follow() { # FILE ARGS...
    local to=$1
    shift
    : >"$to"
    "$stele" docs feed "$@" --follow >"$to" 2>"$to.err" &
    children+=($!)
}
# ends SIGNAL PID
ends() {
    kill "-$1" "$2" || fail "it was there"
    wait "$2"
    equal "exit code after SIG$1" 0 $?
}
has() { [ "$(wc -l <"$1")" -ge "$2" ]; }
wait_for() { until_true 60 has "$1" "$2" || { cat -- *.err; fail "$3"; }; }
lines() { seq "$1" "$2" | sed 's/.*/{"id":"&","doc":{"n":&}}/'; }

docs 0 set db a '{"n": 1}'
docs 0 set db b '{"n":2}'
docs 0 del db a
docs 0 log db -J
json 'map([.id, .op]) == [["a","set"],["b","set"],["a","delete"]] and all(keys == ["id","op","version"])'
docs 0 log db
grep -qE '^[0-9]+\.[0-9]+\.[0-9]+	set	b$' .out || fail "as text"
docs 0 feed db -J
json 'map([.id, .op, .doc]) == [["a","set",{"n":1}],["b","set",{"n":2}],["a","delete",null]] and
    all(keys == ["doc","id","op","position","version"])'
cp .out all
docs 0 feed db
equal "five columns" 'set a {"n":1}' "$(head -n 1 .out | cut -f 3- | tr '\t' ' ')"

# It goes on behind a position.
for i in 1 2 3; do
    docs 0 feed db -J --from "$(sed -n ${i}p all | jq -r .position)"
    cmp -s <(tail -n +$((i + 1)) all) .out || fail "behind $i"
done
docs 2 feed db --from 'no number'
docs 2 feed db --from ''
docs 2 feed db --from -1 -J
json_error EINVAL
docs 2 feed db --from 4 -J
json_error EOFFSET

# Following: what is there comes at once, then each change as it is made.
follow text db
text=${children[-1]}
follow json db -J --from "$(sed -n 2p all | jq -r .position)"
json=${children[-1]}
wait_for text 3 "what is there"
wait_for json 1 "what is behind the position"
docs 0 set db c '{"n":3}'
wait_for text 4 "a change"
mkfifo pipe
"$stele" docs load db <pipe >/dev/null 2>&1 &
loader=$!
children+=("$loader")
exec 3>pipe
lines 1 50 >&3
wait_for text 54 "while the writer lives"
docs 4 set db d '{}'
# It dies; what it had done stays, and the next one goes on.
kill -KILL "$loader"
wait "$loader" 2>/dev/null
exec 3>&-
lines 51 60 | docs 0 load db
wait_for text 64 "the next writer's"
wait_for json 62 "and as JSON"
ends TERM "$text"
ends INT "$json"
equal "each once, in order" "$("$stele" docs feed db)" "$(cat text)"
equal "each once, in order" "$("$stele" docs feed db -J | tail -n +3)" "$(cat json)"
for f in text json; do
    [ ! -s $f.err ] || { cat $f.err; fail "nothing on standard error"; }
done

# A reader that does not read does not keep it from ending.
seq 3000 | sed "s/.*/{\"id\":\"&\",\"doc\":{\"t\":\"$(printf '%*s' 500 '' | tr ' ' x)\"}}/" | docs 0 load large
mkfifo slow
"$stele" docs feed large --follow >slow 2>slow.err &
stuck=$!
children+=("$stuck")
exec 4<slow
head -n 1 <&4 >/dev/null
sleep 0.3
ends TERM "$stuck"
exec 4<&-
