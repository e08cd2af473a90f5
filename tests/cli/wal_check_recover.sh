#!/bin/bash
# SPDX-License-Identifier: MIT
# wal_check_recover.sh: check and recover, on whole and on damaged logs.
. "$(dirname "$0")/lib.sh"

# 300 records of 60 bytes. Format stele: 84 bytes each behind a header of 32;
# format blb: 76 bytes each.
numbers() { for i in $(seq "$1" "$2"); do printf '%060d\n' "$i"; done; }
segments_of() { ls "$1"/*.wal "$1"/wal-*.log 2>/dev/null; }

# damaged NAME KEPT LOST: check finds it; cat prints what precedes it; a dry run
# changes nothing, and tells what recovery then does, which keeps so many; all
# is well after it.
damaged() {
    local name=$1 kept=$2 lost=$3
    wal 3 check "$name"
    says "fault"
    row ok no
    wal 3 check "$name" -J
    json_error ECORRUPT
    json 'length >= 2 and (.[:-1] | all(keys == ["error","position","segment"] and (.error | length > 0)))'
    json '.[-1] | keys_unsorted == ["ok","segments","records"] and .ok == false'
    content "$name" >before
    read_up_to "$name" "$kept"
    wal 0 recover "$name" --dry-run -J
    cp .out promised
    json ".[0].dry_run == true and .[0].records == $kept and .[0].lost == $lost"
    content "$name" | cmp -s - before || fail "a dry run changes nothing"
    wal 0 recover "$name" -J
    json "length == 1 and (.[0] | keys_unsorted == [\"segments\",\"records\",\"cut_bytes\",\"lost\",\"quarantine\"] and .records == $kept and .lost == $lost)"
    equal "the dry run told it" "$(jq -c '[.records, .cut_bytes, .lost]' promised)" \
        "$(jq -c '[.records, .cut_bytes, .lost]' .out)"
    # What was cut is beside the log.
    if [ "$(jq .cut_bytes .out)" -gt 0 ]; then
        json '.[0].quarantine | length > 0'
        jq -r '.quarantine[]' .out | while read -r file; do [ -s "$name/$file" ] || exit 1; done || fail "quarantine files"
    fi
    wal 0 check "$name" -J
    json ".[-1].ok and .[-1].records == $kept"
    content "$name" >before
    wal 0 recover "$name" -J
    json ".[0].cut_bytes == 0 and .[0].records == $kept and .[0].lost == [] and .[0].quarantine == []"
    content "$name" | cmp -s - before || fail "a second time changes nothing"
    equal "what is left of $name" "$(numbers 1 "$kept")" "$("$stele" wal cat "$name")"
    echo more | wal 0 append "$name" -J <<<'{"data":"more"}'
    [ "$kept" -eq 0 ] || is "{\"appended\":1,\"last_id\":$((kept + 1))}"
}

# read_up_to NAME KEPT: cat prints what precedes the damage.
read_up_to() {
    wal 3 cat "$1" -J
    json_error ECORRUPT
    wal 3 cat "$1"
    numbers 1 "$2" | cmp -s - .out || fail "cat prints what precedes the damage"
    wal 3 cat "$1" -c "$(($2 + 1))"
    if [ "$2" -gt 0 ]; then
        wal 0 cat "$1" -c "$2"
    fi
}

# refused NAME: by who writes; nothing is changed.
refused() {
    content "$1" >before
    wal 3 append "$1" -J <<<'{"data":"x"}'
    silent
    json_error ECORRUPT
    wal 3 truncate "$1" 5 -J
    wal 3 trim "$1" 5 -J
    content "$1" | cmp -s - before || fail "a writer that is refused changes nothing"
}

for format in stele blb; do
    rm -rf whole
    numbers 1 300 | append whole --format $format --segment-size 4KiB
    segments=$("$stele" wal stat whole -J | jq .segments)
    [ "$segments" -gt 3 ] || fail "several segments"
    wal 0 check whole
    quiet
    row ok yes
    row segments "$segments"
    row records 300
    wal 0 check whole -J
    is "{\"ok\":true,\"segments\":$segments,\"records\":300}"
    content whole >before
    wal 0 recover whole -J
    is "{\"segments\":$segments,\"records\":300,\"cut_bytes\":0,\"lost\":[],\"quarantine\":[]}"
    content whole | cmp -s - before || fail "recovering what is whole changes nothing"
    wal 0 recover whole
    row records 300
    row cut "0 bytes"
    wal 0 recover whole --dry-run -J
    json '.[0].dry_run == true and .[0].records == 300 and .[0].cut_bytes == 0'

    # No fault, but told: a file that is none of the log's.
    rm -rf foreign
    cp -r whole foreign
    echo mine >foreign/notes.txt
    wal 0 check foreign -J
    json 'length == 1 and .[0].ok'
    says "note: notes.txt: not a file of a log"

    # Flipped bytes: the very first record, one in the middle of the first
    # segment, one in another segment.
    start=32 frame=84 # of records
    [ $format = stele ] || { start=0 frame=76; }
    for n in 1 10 20; do
        name=flipped.$n.$format
        cp -r whole $name
        flip "$(segments_of $name | head -n 1)" $((start + frame * (n - 1) + 40))
        damaged $name $((n - 1)) "[[$n,300]]"
    done
    name=second.$format
    cp -r whole $name
    flip "$(segments_of $name | sed -n 2p)" $((start + frame + 40))
    kept=$("$stele" wal recover $name --dry-run -J | jq .records)
    [ "$kept" -gt 10 ] && [ "$kept" -lt 200 ] || fail "what is in the first segment, and one"
    damaged $name "$kept" "[[$((kept + 1)),300]]"

    # A segment in the middle is missing.
    name=gap.$format
    cp -r whole $name
    rm "$(segments_of $name | sed -n 2p)"
    refused $name
    kept=$("$stele" wal recover $name --dry-run -J | jq .records)
    damaged $name "$kept" "[[$((kept + 1)),300]]"

    # Damage in the newest one.
    name=newest.$format
    cp -r whole $name
    n=$("$stele" wal cat $name -J | tail -n 3 | head -n 1 | jq .id)
    # The last one: record 29 and a checksum that begins with "8" read like it.
    file=$(grep -la "$(printf %060d "$n")" $(segments_of $name) | tail -n 1)
    flip "$file" "$(grep -abo "$(printf %060d "$n")" "$file" | cut -d: -f1)"
    refused $name
    damaged $name $((n - 1)) "[[$n,300]]"

    # Text: a line for each fault, with file and position.
    name=text.$format
    cp -r whole $name
    file=$(segments_of $name | head -n 1)
    flip "$file" $((start + 40))
    wal 3 check $name
    grep -qE "^$(basename "$file")  position [0-9]+  ." .out || fail "a line for the fault"
    wal 3 cat $name
    says "$(basename "$file")"

    # Files of others are left alone, and are no fault.
    name=foreign.$format
    cp -r whole $name
    echo hello >$name/README
    echo hello >$name/wal-1.log.bak
    wal 0 check $name -J
    json '.[-1].ok'
    wal 0 recover $name -J
    equal "they are still there" "$(printf 'hello\nhello')" "$(cat $name/README $name/wal-1.log.bak)"
done

# The newest segment is missing: the manifest knows of it.
for format in stele blb; do
    name=gone.$format
    numbers 1 300 | append $name --format $format --segment-size 4KiB
    if [ $format = blb ]; then
        victim=$(segments_of $name | tail -n 1)
    else # the last one may have been prepared, and have no record yet
        victim=$(for f in $(segments_of $name); do [ "$(head -c 4 "$f")" = STWL ] && echo "$f"; done 2>/dev/null | tail -n 1)
    fi
    rm "$victim"
    wal 3 check $name -J
    content $name >before
    wal 3 append $name -J </dev/null
    json_error ECORRUPT
    says "$(basename "$victim")"
    content $name | cmp -s - before || fail "nothing is changed"
    wal 0 recover $name -J
    json '.[0].records < 300 and .[0].records > 200'
    wal 0 check $name
    seq 3 | wal 0 append $name
done

# The manifest is missing. Format stele: recovery makes it again, nothing is lost.
numbers 1 300 | append nomanifest --segment-size 4KiB
rm nomanifest/wal.manifest
wal 3 cat nomanifest
says manifest
wal 3 check nomanifest
content nomanifest >before
wal 3 append nomanifest </dev/null
says manifest recover
content nomanifest | cmp -s - before || fail "nothing is changed"
wal 0 recover nomanifest -J
json '.[0] | .records == 300 and .lost == []'
wal 0 check nomanifest
equal "all are there" "$(numbers 1 300)" "$("$stele" wal cat nomanifest)"
seq 3 | wal 0 append nomanifest
row "last id" 303

# A torn record at the end, as a crash leaves it: check calls it a fault, cat
# ends before it, the next writer cuts it, and its bytes are in quarantine.
for format in stele blb; do
    for mend in append recover; do
        name=torn.$format.$mend
        rm -f pipe
        mkfifo pipe
        "$stele" wal append $name --format $format --segment-size 64k --ack 1 --batch 1 <pipe >acks &
        writer=$!
        children=("$writer")
        exec 3>pipe
        numbers 1 20 >&3
        all() { [ "$(grep -c '}$' acks)" -eq 20 ]; }
        until_true 10 all || fail "acknowledged"
        kill -KILL "$writer"
        wait "$writer" 2>/dev/null
        exec 3>&-
        children=()
        file=$(segments_of $name | head -n 1)
        if [ $format = stele ]; then
            flip "$file" $((32 + 84 * 19 + 50))
        else
            rm -f $name/wal.manifest # which would know that the last record was durable
            truncate -s -5 "$file"
        fi
        wal 0 cat $name
        is "$(numbers 1 19)"
        wal 3 check $name -J
        json 'length == 2 and .[1].records == 19'
        if [ $mend = append ]; then
            echo '{"id":20,"data":"again"}' | wal 0 append $name -J
            says note quarantine-
        else
            wal 0 recover $name -J
            json '.[0] | .records == 19 and .lost == [] and .cut_bytes > 0 and (.quarantine | length == 1)'
            echo '{"id":20,"data":"again"}' | wal 0 append $name -J
        fi
        [ "$(ls $name | grep -c '^quarantine-')" -eq 1 ] || fail "the torn bytes are kept"
        wal 0 check $name
        equal "goes on" "$(numbers 1 19; echo again)" "$("$stele" wal cat $name)"
    done
done

wal 1 recover nowhere
wal 1 recover nowhere --dry-run
mkdir bare
wal 1 recover bare
[ ! -e nowhere ] || fail "nothing is made"
