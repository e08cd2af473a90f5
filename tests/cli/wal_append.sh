#!/bin/bash
# SPDX-License-Identifier: MIT
# wal_append.sh: lines of text into a write-ahead log, in both formats.
. "$(dirname "$0")/lib.sh"

# Creation, with parents; text and JSON.
printf 'one\n\nthree' | wal 0 append deep/er/log --segment-size 64k
quiet
row appended 3
row "last id" 3
printf '{"data":"four"}\n' | wal 0 append deep/er/log -J
quiet
is '{"appended":1,"last_id":4}'
wal 0 append deep/er/log -J </dev/null
is '{"appended":0,"last_id":4}'
wal 0 cat deep/er/log
is "$(printf 'one\n\nthree\nfour')"
wal 0 append empty -J --segment-size 64k </dev/null
is '{"appended":0,"last_id":null}'
wal 0 append empty </dev/null
row appended 0
! grep -q 'last id' .out || fail "no last id in an empty log"
wal 0 stat empty -J
json '.[0].empty'

for format in stele blb; do
    new() { append "$1" --format "$format" --segment-size "${2:-64k}"; }

    # Bytes of a line are kept, carriage returns and zeros too.
    printf 'a\rb\r\n\0\001\377\n' | new "bytes.$format"
    wal 0 cat "bytes.$format"
    equal "bytes" "$(printf 'a\rb\r\n\0\001\377\n' | od -c)" "$(od -c <.out)"

    # A new log has the format that was asked for; an old one keeps its own, and is refused as another.
    other=blb
    [ $format = stele ] || other=stele
    wal 0 stat "bytes.$format" -J
    json ".[0].format == \"$format\""
    seq 3 | append "bytes.$format"
    seq 3 | append "bytes.$format" --format $format
    printf 'x\n' | wal 8 append "bytes.$format" --format $other -J
    json_error EMISMATCH
    wal 0 stat "bytes.$format" -J
    json ".[0] | .format == \"$format\" and .last_id == 8"

    # Small segments.
    seq 5000 | new "many.$format" 4KiB
    wal 0 stat "many.$format" -J
    json '.[0] | .segments > 10 and .first_id == 1 and .last_id == 5000'
    seq 5001 6000 | append "many.$format" --segment-size 4KiB --batch 3
    "$stele" wal cat "many.$format" | cmp - <(seq 6000) || fail "what goes in comes out"

    # Batches and acknowledgements: after every N or more, counted from the start.
    seq 10 | new "acks.$format"
    wal 0 append "acks.$format" -J --ack 100 < <(seq 1000 | jq -c '{data: tostring}')
    json 'map(.appended) as $p | ($p | length == 11) and $p[-1] == 1000 and
          ([range(1; 10)] | all($p[.] - $p[. - 1] >= 100)) and all(.last_id == .appended + 10)'
    seq 5 | wal 0 append "acks.$format" --ack 2 --batch 1
    equal "acknowledged" "$(printf '2\n4')" "$(grep '^{' .out | jq .appended)"
    row appended 5
    seq 5 | wal 0 append "acks.$format" --ack 6
    row appended 5
    ! grep -q '^{' .out || fail "nothing to acknowledge"
    wal 0 append "acks.$format" --ack 1 --batch 3 -J < <(seq 7 | jq -c '{data: tostring}')
    equal "never fewer than asked for" 7 "$(tail -n 1 .out | jq .appended)"
    equal "all of them" "$(seq 10; seq 1000; seq 5; seq 5; seq 7)" "$("$stele" wal cat "acks.$format")"

    # Records over the limit: nothing of the line, those before it stay.
    { echo 1; head -c 1048577 /dev/zero | tr '\0' x; echo; echo 3; } >long
    if [ $format = blb ]; then
        wal 2 append "big.$format" --format blb --segment-size 64k <long
    else
        wal 2 append "big.$format" --record-max 1MiB --segment-size 64k <long
    fi
    says "line 2" 1048577 1048576
    row appended 1
    equal "the line before stays" 1 "$("$stele" wal cat "big.$format")"
    head -c 1048576 /dev/zero | tr '\0' x >largest
    wal 0 append "big.$format" <largest
    equal "the largest" "$(printf '1\n' | cat - largest | sha256sum)" "$("$stele" wal cat "big.$format" | head -c -1 | sha256sum)"
    wal 2 append "big.$format" --record-max 10 -J <largest
    json_error EINVAL
done

# A slow writer's lines can be read at once.
for format in stele blb; do
    mkfifo pipe
    "$stele" wal append "slow.$format" --format $format --segment-size 64k <pipe >slow.out &
    children+=($!)
    exec 3>pipe
    printf 'first\n' >&3
    reads() { [ "$("$stele" wal cat "slow.$format" 2>/dev/null)" = "$1" ]; }
    until_true 10 reads first || fail "the first line is there while the writer waits"
    printf 'second\n' >&3
    until_true 10 reads "$(printf 'first\nsecond')" || fail "the second one too"
    exec 3>&-
    wait "${children[-1]}" || fail "append ends with its input"
    children=()
    rm pipe
done

# Standard output that cannot be written.
printf 'x\n' | "$stele" wal append slow.stele >/dev/full 2>.err
equal "a full standard output" 5 $?
grep -q 'standard output' .err || fail "the message says so"

# Wrong values, which create nothing.
for bad in "--format v2" "--format" "--batch 0" "--batch -1" "--ack 0" "--ack x" "--segment-size 0" \
    "--segment-size 1x" "--segment-size 2GiB" "--record-max 0" "--record-max 1GiB" "--record-max x"; do
    wal 2 append never $bad <long
done
[ ! -e never ] || fail "a wrong option creates nothing"
wal 2 append slow.stele --segment-size 4095 </dev/null
wal 2 append
wal 2 append a b
