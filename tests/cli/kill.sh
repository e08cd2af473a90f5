#!/bin/bash
# SPDX-License-Identifier: MIT
# kill.sh: what publish --ack has acknowledged is there after SIGKILL.
#
# A writer is killed at an arbitrary moment, again and again on one stream;
# each time every acknowledged message must be there, in order, none twice,
# and offsets must go on where they were.
. "$(dirname "$0")/lib.sh"

rounds=${STELE_FULL:+100}
rounds=${rounds:-12}
: >expected # values that were acknowledged, or came back besides
offset=0
for ((round = 1; round <= rounds; round++)); do
    sync=
    [ $((round % 4)) -ne 0 ] || sync=--sync
    mkfifo pipe
    : >acks # not those of the round before
    (i=0; while printf 'round %d message %d\n' "$round" "$i"; do i=$((i + 1)); done >pipe) 2>/dev/null &
    feeder=$!
    "$stele" stream publish log --ack 7 $sync --rollover 4k <pipe >acks 2>.err &
    writer=$!
    children=("$feeder" "$writer")
    got() { [ -s acks ]; }
    until_true 60 got || fail "round $round: no acknowledgement"
    sleep "0.0$((RANDOM % 50 + 10))"
    kill -KILL "$writer" || { cat .err; fail "round $round: the writer had ended"; }
    wait "$writer" 2>/dev/null
    kill "$feeder" 2>/dev/null
    wait "$feeder" 2>/dev/null
    rm pipe
    # The last line may be torn by the kill; whole ones count.
    acked=$(grep '}$' acks | tail -n 1 | jq .published)
    equal "round $round: offsets go on" $((offset + acked)) "$(grep '}$' acks | tail -n 1 | jq .next_offset)"
    # As it was left, and after another writer has opened it: the same.
    stream 0 consume log -o "$offset"
    there=$(wc -l <.out)
    [ "$there" -ge "$acked" ] || fail "round $round: $acked acknowledged, $there there"
    seq 0 $((there - 1)) | sed "s/^/round $round message /" >tail
    cmp -s tail .out || fail "round $round: in order, none twice"
    cat tail >>expected
    case $((round % 3)) in
    0) stream 0 recover log ;;
    1) stream 0 publish log </dev/null ;;
    esac
    stream 0 consume log
    cmp -s expected .out || fail "round $round: all messages of all rounds"
    offset=$("$stele" stream next log)
done
stream 0 recover log
stream 0 check log
stream 0 consume log
cmp -s expected .out || fail "all messages after recovery"
echo "killed $rounds times, $(wc -l <expected) messages"
