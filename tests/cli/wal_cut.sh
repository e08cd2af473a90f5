#!/bin/bash
# SPDX-License-Identifier: MIT
# wal_cut.sh: truncate and trim.
. "$(dirname "$0")/lib.sh"

values() { seq "$1" "$2" | sed 's/^/v/'; }
stat_of() { "$stele" wal stat log -J | jq "$1"; }

for format in stele blb; do
    rm -rf whole
    values 1 1000 | append whole --format $format --segment-size 4KiB
    fresh() { rm -rf log; cp -r whole log; }

    # cut VERB ID: a dry run changes nothing and prints the same object.
    cut() {
        content log >before
        wal 0 "$1" log "$2" --dry-run -J
        quiet
        is '{"ok":true,"dry_run":true}'
        wal 0 "$1" log "$2" -n
        row ok yes
        row "dry run" "nothing was changed"
        content log | cmp -s - before || fail "a dry run changes nothing"
        wal 0 "$1" log "$2" -J
        quiet
        is '{"ok":true}'
        wal 0 check log
        quiet
    }

    # truncate: exactly the records behind it go, and appending goes on from there.
    for keep in 1000 999 990 500 37 1; do
        fresh
        cut truncate $keep
        wal 0 cat log
        is "$(values 1 $keep)"
        printf '{"id":%d,"data":"new"}\n' $((keep + 2)) | wal 7 append log -J
        says "$((keep + 1))"
        printf '{"id":%d,"data":"new"}\n' $((keep + 1)) | append log -J
        wal 0 cat log
        is "$(values 1 $keep; echo new)"
        cut truncate $((keep - 1))
        equal "again" "$(values 1 $((keep - 1)))" "$("$stele" wal cat log)"
    done
    # Past the end nothing happens; a file by file look shows it.
    fresh
    for keep in 1000 1001 18446744073709551615; do
        cut truncate $keep
        equal "all are there" 1000 "$("$stele" wal cat log | wc -l)"
    done
    wal 0 truncate log 1000
    row ok yes
    # Before the first record it empties the log, which then takes any id.
    cut truncate 0
    equal "empty" true "$(stat_of .empty)"
    wal 0 cat log
    silent
    cut truncate 0
    printf '{"id":77,"data":"x"}\n' | append log -J
    equal "any id" 77 "$(stat_of .first_id)"

    # trim: whole segments in front; nothing that was not allowed to go.
    fresh
    first=1
    for upto in 0 1 300 301 600 999; do
        cut trim $upto
        now=$(stat_of .first_id)
        [ "$now" -ge "$first" ] && [ "$now" -le $((upto + 1)) ] || fail "first id $now after trim $upto"
        first=$now
        equal "what is left" "$(values "$first" 1000)" "$("$stele" wal cat log)"
    done
    [ "$first" -gt 700 ] || fail "trimming frees segments"
    [ "$(stat_of .segments)" -le 4 ] || fail "few segments are left"
    seq 3 | append log
    equal "appending goes on" 1003 "$(stat_of .last_id)"
    cut trim 5000
    if [ $format = stele ]; then
        equal "all is trimmed" true "$(stat_of .empty)"
        printf '{"id":5,"data":"x"}\n' | append log -J
        equal "any id" 5 "$(stat_of .first_id)"
    else
        equal "the last file stays" 1003 "$(stat_of .last_id)"
    fi
    wal 0 check log
done

for verb in truncate trim; do
    for bad in x '' 1x 18446744073709551616 1.5; do
        wal 2 $verb whole "$bad"
        silent
    done
    wal 2 $verb whole -- -1
    wal 2 $verb whole
    wal 2 $verb whole 1 2
    for how in "" --dry-run; do
        wal 1 $verb nowhere 1 $how
        wal 1 $verb nowhere 1 $how -J
        json_error ENOTFOUND
    done
done
[ ! -e nowhere ] || fail "cutting creates nothing"
equal "nothing was cut by those" 1000 "$("$stele" wal cat whole | wc -l)"
