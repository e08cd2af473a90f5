#!/bin/bash
# SPDX-License-Identifier: MIT
# journal_kill.sh: what record --ack has acknowledged is there after SIGKILL.
#
# A recorder is killed at an arbitrary moment, again and again on one journal, with and without
# merges; each time every acknowledged operation must be there, in order, none twice.
. "$(dirname "$0")/lib.sh"

rounds=${STELE_FULL:+60}
rounds=${rounds:-8}
for options in "--durability each" "--durability each --limit 16KiB" "--durability interval:5ms --limit 1KiB" \
    "--durability stop --limit 64KiB"; do
    log=log
    rm -rf log
    final=0
    for ((round = 1; round <= rounds; round++)); do
        mkfifo pipe
        : >acks # not those of the round before
        # Each operation has a key of its own, so that a merge keeps all.
        (i=$final; while printf '{"op":"put","key":"%09d","value":"round %d","timestamp":%d}\n' "$i" "$round" "$i"; do
            i=$((i + 1))
        done >pipe) 2>/dev/null &
        feeder=$!
        "$stele" journal record $log $options --ack 7 <pipe >acks 2>.err &
        recorder=$!
        children=("$feeder" "$recorder")
        got() { [ -s acks ]; }
        until_true 20 got || fail "round $round: no acknowledgement"
        sleep "0.0$((RANDOM % 50 + 10))"
        kill -KILL "$recorder" || { cat .err; fail "round $round: the recorder had ended"; }
        wait "$recorder" 2>/dev/null
        kill "$feeder" 2>/dev/null
        wait "$feeder" 2>/dev/null
        rm pipe
        # The last line may be torn by the kill; whole ones count.
        acked=$(grep '}$' acks | tail -n 1 | jq .recorded)
        # As it was left, and after another recorder has mended it: the same.
        journal 0 play $log -J
        there=$(wc -l <.out)
        [ "$there" -ge $((final + acked)) ] || fail "round $round: $acked acknowledged behind $final, $there there"
        jq -r .key .out | cmp -s - <(seq -f %09.0f 0 $((there - 1))) || fail "round $round: in order, none twice"
        equal "round $round: whose they are" "$((there - final))" "$(jq -r "select(.value == \"round $round\") | .key" .out | wc -l)"
        cp .out expected
        final=$there
        case $((round % 3)) in
        0) journal 0 snapshot $log ;;
        1) journal 0 record $log </dev/null ;;
        esac
        journal 0 play $log -J
        cmp -s expected .out || fail "round $round: the same once it is mended"
        equal "round $round: the count" "$final" "$("$stele" journal stat $log -J | jq .count)"
    done
    journal 0 record $log </dev/null
    journal 0 check $log
    quiet
    echo "$options: killed $rounds times, $final operations"
done
