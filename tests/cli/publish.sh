#!/bin/bash
# SPDX-License-Identifier: MIT
# publish.sh: lines of text into a stream.
. "$(dirname "$0")/lib.sh"

# Creation, with parents; text and JSON.
printf 'one\n\nthree' | stream 0 publish deep/er/log
quiet
row published 3
row "next offset" 3
printf '{"value":"four"}\n' | stream 0 publish deep/er/log -J
quiet
is '{"published":1,"next_offset":4}'
stream 0 publish deep/er/log -J </dev/null
is '{"published":0,"next_offset":4}'
stream 0 consume deep/er/log -f '[%o %k=%s]\n'
is "$(printf '[0 =one]\n[1 =]\n[2 =three]\n[3 =four]')"
stream 0 publish empty -J </dev/null
is '{"published":0,"next_offset":0}'
[ -d empty ] || fail "the stream was created"

# Bytes of a line are kept, carriage returns and zeros too.
printf 'a\rb\r\n\0\001\377\n' | publish bytes
stream 0 consume bytes -f '%s|'
equal "bytes" "$(printf 'a\rb\r|\0\001\377|' | od -c)" "$(od -c <.out)"

# Keys.
printf 'a=1\nb=\n=3\nnone\nc=4=5\n' | publish keys -K = --key-index
stream 0 consume keys -J
json 'map([.key, .value]) == [["a","1"],["b",null],[null,"3"],[null,"none"],["c","4=5"]]'
printf 'a::1\na:b\n:::x\n' | publish keys -K ::
stream 0 consume keys -o -3 -J
json 'map([.key, .value]) == [["a","1"],[null,"a:b"],[null,":x"]]'
printf 'k\tv\n' | publish keys --key-delimiter "$(printf '\t')"
stream 0 get keys newest -J
json '.[0].key == "k" and .[0].value == "v"'
printf 'x\n' | stream 2 publish keys -K ''
says "delimiter"
printf '{}\n' | stream 2 publish keys -K = -J
json_error EINVAL

# The next offset that is expected.
next=$("$stele" stream next keys)
printf '{}\n{}\n' | stream 0 publish keys --expect "$next" -J
is "{\"published\":2,\"next_offset\":$((next + 2))}"
printf 'x\n' | stream 7 publish keys --expect "$next" -J
silent
json_error ECONFLICT
says "$next" "$((next + 2))"
printf 'x\n' | stream 7 publish keys --expect 1000000
printf 'x\n' | stream 7 publish never --expect 1
equal "next offset after refusals" $((next + 2)) "$("$stele" stream next keys)"

# The time.
before=$(date -u +%s%6N)
printf 'x\n' | publish times
after=$(date -u +%s%6N)
stream 0 consume times -f '%T'
[ "$(out)" -ge "$before" ] && [ "$(out)" -le "$after" ] || fail "the time is now"
printf 'a\nb\n' | publish times --time 2020-01-02T03:04:05Z
stream 0 consume times -o -2 -J
json 'map(.time) == ["2020-01-02T03:04:05.000000Z","2020-01-02T03:04:05.000000Z"]'
printf 'x\n' | stream 2 publish times --time 0
says "0"

# Options of a new stream.
seq 1000 | publish new --key-index --time-index --rollover 1k --format v1
stream 0 stat new -J
json '.[0] | .segments > 10 and .messages == 1000 and .format == "v1" and .key_index and .time_index'
seq 1000 | publish new2 --rollover 1KiB --format=v2 --sync
stream 0 stat new2 -J
json '.[0] | .segments > 10 and .messages == 1000 and .format == "v2" and (.key_index or .time_index | not)'
printf 'x\n' | stream 2 publish new3 --format v3
says "v3"
[ ! -e new3 ] || fail "a wrong format creates nothing"

# Options against those of an existing stream.
printf 'x\n' | stream 8 publish new2 --key-index -J
json_error EMISMATCH
says "key index"
printf 'x\n' | stream 8 publish new2 --time-index
equal "refused" 1000 "$("$stele" stream next new2)"

# Acknowledgements: after every N or more, counted from the start.
seq 10 | publish acks
seq 1000 | jq -c '{value: tostring}' | stream 0 publish acks -J --ack 100
json 'map(.published) as $p | ($p | length == 11) and $p[-1] == 1000 and
      ([range(1; 10)] | all($p[.] - $p[. - 1] >= 100)) and all(.next_offset == .published + 10)'
seq 5 | stream 0 publish acks --ack 2 --sync
equal "acknowledged" "$(printf '2\n4')" "$(grep '^{' .out | jq .published)"
row published 5
seq 5 | stream 0 publish acks --ack 6
row published 5
! grep -q '^{' .out || fail "nothing to acknowledge"

# Many lines, a long one among them.
{ seq 20000; head -c 3000000 /dev/zero | tr '\0' x; echo; seq 20000; } >many
stream 0 publish many.log <many
row "next offset" 40001
"$stele" stream consume many.log | cmp - many || fail "what goes in comes out"

# A slow writer's lines can be read at once.
mkfifo pipe
"$stele" stream publish slow <pipe >slow.out &
children+=($!)
exec 3>pipe
printf 'first\n' >&3
reads() { [ "$("$stele" stream consume slow 2>/dev/null)" = "$1" ]; }
until_true 60 reads first || fail "the first line is there while the writer waits"
printf 'second\n' >&3
until_true 60 reads "$(printf 'first\nsecond')" || fail "the second one too"
exec 3>&-
wait "${children[0]}" || fail "publish ends with its input"
children=()

# Standard output that cannot be written.
printf 'x\n' | "$stele" stream publish slow >/dev/full 2>.err
equal "a full standard output" 5 $?
grep -q 'standard output' .err || fail "the message says so"
