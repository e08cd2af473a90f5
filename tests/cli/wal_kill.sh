#!/bin/bash
# SPDX-License-Identifier: MIT
# wal_kill.sh: what append --ack has acknowledged is there after SIGKILL.
#
# A writer is killed at an arbitrary moment, again and again on one log of each
# format; each time every acknowledged record must be there, in order, none
# twice, and ids must go on where they were.
. "$(dirname "$0")/lib.sh"

rounds=${STELE_FULL:+60}
rounds=${rounds:-8}
for format in stele blb; do
    log=log.$format
    : >expected # records that were acknowledged, or came back besides
    final=0
    for ((round = 1; round <= rounds; round++)); do
        mkfifo pipe
        : >acks # not those of the round before
        (i=0; while printf 'round %d record %d\n' "$round" "$i"; do i=$((i + 1)); done >pipe) 2>/dev/null &
        feeder=$!
        "$stele" wal append $log --format $format --ack 7 --batch $((round % 5 * 10 + 7)) --segment-size 4KiB <pipe >acks 2>.err &
        writer=$!
        children=("$feeder" "$writer")
        got() { [ -s acks ]; }
        until_true 20 got || fail "round $round: no acknowledgement"
        sleep "0.0$((RANDOM % 50 + 10))"
        kill -KILL "$writer" || { cat .err; fail "round $round: the writer had ended"; }
        wait "$writer" 2>/dev/null
        kill "$feeder" 2>/dev/null
        wait "$feeder" 2>/dev/null
        rm pipe
        # The last line may be torn by the kill; whole ones count.
        acked=$(grep '}$' acks | tail -n 1 | jq .appended)
        equal "round $round: ids go on" $((final + acked)) "$(grep '}$' acks | tail -n 1 | jq .last_id)"
        # As it was left, and after another writer has opened it: the same.
        wal 0 cat $log --from $((final + 1))
        there=$(wc -l <.out)
        [ "$there" -ge "$acked" ] || fail "round $round: $acked acknowledged, $there there"
        seq 0 $((there - 1)) | sed "s/^/round $round record /" >tail
        cmp -s tail .out || fail "round $round: in order, none twice"
        cat tail >>expected
        case $((round % 3)) in
        0) wal 0 recover $log ;;
        1) wal 0 append $log </dev/null ;;
        esac
        wal 0 cat $log
        cmp -s expected .out || fail "round $round: all records of all rounds"
        final=$(wc -l <expected)
        equal "round $round: the last id" "$final" "$("$stele" wal stat $log -J | jq .last_id)"
    done
    wal 0 recover $log -J
    json ".[0].records == $final and .[0].lost == []"
    wal 0 check $log
    wal 0 cat $log
    cmp -s expected .out || fail "all records after recovery"
    echo "$format: killed $rounds times, $final records"
done
