#!/bin/bash
# SPDX-License-Identifier: MIT
# wal_read.sh: cat and stat, also beside a writer.
. "$(dirname "$0")/lib.sh"

values() { seq "$1" "$2" | sed 's/^/v/'; }

for format in stele blb; do
    log=log.$format
    { echo '{"id":11,"data":"v11"}'; values 12 1010 | jq -Rc '{data: .}'; } |
        append $log -J --format $format --segment-size 4KiB
    wal 0 cat $log
    quiet
    is "$(values 11 1010)"
    for from in 0 1 11; do
        wal 0 cat $log --from $from -c 3
        is "$(values 11 13)"
    done
    wal 0 cat $log --from=500 -c 5
    is "$(values 500 504)"
    wal 0 cat $log --from 1009
    is "$(values 1009 1010)"
    wal 0 cat $log --from 1010 -J
    quiet
    is '{"id":1010,"data":"v1010"}'
    for from in 1011 5000 18446744073709551615; do
        wal 0 cat $log --from $from
        silent
    done
    wal 0 cat $log -c 9223372036854775807
    is "$(values 11 1010)"
    wal 0 cat $log -J --count 1000
    json 'map(.id) == [range(11; 1011)] and all(.data == "v\(.id)")'

    wal 0 stat $log
    row empty no
    row "first id" 11
    row "last id" 1010
    row format $format
    segments=$(awk '$1 == "segments" { print $2 }' .out)
    size=$(awk '$1 == "size" { print $2 }' .out)
    wal 0 stat $log -J
    is "{\"empty\":false,\"first_id\":11,\"last_id\":1010,\"segments\":$segments,\"size\":$size,\"format\":\"$format\"}"
    [ "$segments" -gt 3 ] && [ "$size" -gt 16000 ] || fail "segments and size"

    wal 0 append empty.$format --format $format --segment-size 64k </dev/null
    wal 0 cat empty.$format -J
    silent
    quiet
    wal 0 cat empty.$format --from 5
    silent
    wal 0 stat empty.$format -J
    json ".[0] | keys_unsorted == [\"empty\",\"first_id\",\"last_id\",\"segments\",\"size\",\"format\"] and
        .empty and .first_id == null and .last_id == null and .format == \"$format\""
    wal 0 stat empty.$format
    row empty yes
    ! grep -q ' id' .out || fail "no ids in an empty log"

    # Reading leaves no trace, the lock's file included.
    (cd $log && find . -type f -exec sha256sum {} + | sort) >before
    wal 0 cat $log
    wal 0 stat $log
    wal 0 check $log
    (cd $log && find . -type f -exec sha256sum {} + | sort) | cmp -s - before || fail "reading changes nothing"
done

for bad in x -x '' -1 1x 1.0 18446744073709551616; do
    wal 2 cat log.stele --from "$bad"
    says "option --from"
    silent
done
wal 2 cat log.stele -c 0
for read in cat stat check; do
    wal 1 $read nowhere
    says nowhere
    wal 1 $read nowhere -J
    json_error ENOTFOUND
    mkdir -p bare
    wal 1 $read bare
    equal "nothing is made in it" "" "$(ls -A bare)"
done
[ ! -e nowhere ] || fail "reading creates nothing"

# Beside a writer that never stops: what is printed is a prefix each time, and comes to an end.
for format in stele blb; do
    mkfifo pipe
    "$stele" wal append busy.$format --format $format --segment-size 16k --batch 20 <pipe >/dev/null &
    writer=$!
    children+=("$writer")
    (i=0; while printf 'record %d\n' "$i" 2>/dev/null; do
        i=$((i + 1))
        [ $((i % 50)) -ne 0 ] || sleep 0.01
    done >pipe) 2>/dev/null &
    feeder=$!
    children+=("$feeder")
    last() { "$stele" wal stat busy.$format -J 2>/dev/null | jq '.last_id // 0'; }
    beyond() { [ "$(last)" -gt "$1" ]; }
    until_true 20 beyond 500 || fail "records are appended"
    n=0
    for i in $(seq 8); do
        wal 0 cat busy.$format
        quiet
        there=$(wc -l <.out)
        [ "$there" -ge "$n" ] || fail "nothing goes away"
        seq 0 $((there - 1)) | sed 's/^/record /' | cmp -s - .out || fail "copy $i is a prefix"
        wal 0 check busy.$format -J
        json ".[-1].ok and .[-1].records >= $there"
        n=$(last)
        [ "$n" -ge "$there" ] || fail "stat sees what cat saw"
        until_true 20 beyond "$n" || fail "the writer goes on"
    done
    wal 0 cat busy.$format --from "$n" -c 1
    is "record $((n - 1))"
    kill "$feeder"
    wait "$feeder" 2>/dev/null
    wait "$writer" || fail "the writer ends with its input"
    children=()
    rm pipe
done
