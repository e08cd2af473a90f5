#!/bin/bash
# SPDX-License-Identifier: MIT
# check_recover.sh: check and recover, on whole and on damaged streams.
. "$(dirname "$0")/lib.sh"

head=00000000000000000000

# 300 messages of 100 bytes in segments of about 30.
for i in $(seq 0 299); do printf '{"key":"k%d","value":"%060d","time":%d}\n' $((i % 7)) "$i" $((i + 1)); done |
    publish whole -J --key-index --time-index --rollover 3000
segments=$("$stele" stream stat whole -J | jq .segments)
[ "$segments" -gt 5 ] || fail "several segments"

stream 0 check whole
quiet
row ok yes
row segments "$segments"
row messages 300
stream 0 check whole -J
is "{\"ok\":true,\"segments\":$segments,\"messages\":300}"
stream 0 check whole --head -J
json '.[0].ok and .[0].segments == 1 and .[0].messages < 60'
content whole >before
stream 0 recover whole -J
is "{\"segments\":$segments,\"messages\":300,\"cut_bytes\":0,\"lost\":[],\"quarantine\":[]}"
content whole | cmp -s - before || fail "recovering what is whole changes nothing"
stream 0 recover whole
row messages 300
row cut "0 bytes"
stream 0 recover whole --dry-run -J
json '.[0].dry_run == true and .[0].messages == 300 and .[0].cut_bytes == 0'

# No fault either, but told: a file that is none of the stream's.
cp -r whole foreign
echo mine >foreign/notes.txt
stream 0 check foreign -J
json 'length == 1 and .[0].ok'
says "note: notes.txt: not a file of a stream"

# No fault: a zero tail, no index, nothing but a header.
cp -r whole fine
newest=$(basename "$(ls fine/*.log | tail -n 1)" .log)
truncate -s +100 "fine/$newest.log"
rm "fine/$head.index"
stream 0 check fine -J
json '.[-1].ok and .[-1].messages == 300'
publish bare </dev/null
stream 0 check bare -J
is "{\"ok\":true,\"segments\":$("$stele" stream stat bare -J | jq .segments),\"messages\":0}"
stream 0 recover fine -J
json '.[0].messages == 300 and .[0].lost == []'
stream 0 check fine
equal "the index is there again" "$(sha256sum <whole/$head.index)" "$(sha256sum <fine/$head.index)"

# damaged NAME KEPT LOST: check finds it, a dry run changes nothing and tells
# what recovery then does, recovery keeps so many, and all is well after it.
damaged() {
    local name=$1 kept=$2 lost=$3
    stream 3 check "$name"
    says "fault"
    row ok no
    stream 3 check "$name" -J
    json_error ECORRUPT
    json 'length >= 2 and (.[:-1] | all(keys == ["error","position","segment"] and (.segment | endswith(".log") or endswith(".index") or endswith(".keys")) and (.error | length > 0)))'
    json '.[-1] | keys_unsorted == ["ok","segments","messages"] and .ok == false'
    content "$name" >before
    stream 0 recover "$name" --dry-run -J
    cp .out promised
    json ".[0].dry_run == true and .[0].messages == $kept and .[0].lost == $lost"
    content "$name" | cmp -s - before || fail "a dry run changes nothing"
    stream 0 recover "$name" -J
    json "length == 1 and (.[0] | keys_unsorted == [\"segments\",\"messages\",\"cut_bytes\",\"lost\",\"quarantine\"] and .messages == $kept and .lost == $lost)"
    equal "the dry run told it" "$(jq -c '[.segments, .messages, .cut_bytes, .lost]' promised)" \
        "$(jq -c '[.segments, .messages, .cut_bytes, .lost]' .out)"
    # What was cut is beside the log.
    if [ "$(jq .cut_bytes .out)" -gt 0 ]; then
        json '.[0].quarantine | length > 0'
        jq -r '.quarantine[]' .out | while read -r file; do [ -s "$name/$file" ] || exit 1; done || fail "quarantine files"
    fi
    stream 0 check "$name" -J
    json ".[-1].ok and .[-1].messages == $kept"
    stream 0 recover "$name" -J
    json ".[0].cut_bytes == 0 and .[0].messages == $kept"
    "$stele" stream consume "$name" -J | jq -e --argjson lost "$lost" -s \
        'map(.offset) == [range(300) | select(. as $o | $lost | all($o < .[0] or $o > .[1]))] and
         all((.value | tonumber) == .offset)' >/dev/null || fail "what is left of $name"
}

# A flipped byte in a value of a sealed segment: one message is lost.
cp -r whole flipped
flip flipped/$head.log 60
damaged flipped 299 '[[0,0]]'
cp -r whole flipped2
flip flipped2/$head.log 400
stream 3 check flipped2 -J
lost=$("$stele" stream recover flipped2 --dry-run -J | jq -c .lost)
damaged flipped2 299 "$lost"
# Reads before and behind the damage work, a read of it does not.
cp -r whole reads
flip reads/$head.log 60
stream 3 get reads 0 -J
json_error ECORRUPT
stream 0 get reads 1
stream 0 get reads 299
stream 3 consume reads
says "$head"

# A message that was not finished, at the end of the newest segment.
cp -r whole torn
truncate -s -5 "torn/$newest.log"
damaged torn 299 "$("$stele" stream recover torn --dry-run -J | jq -c .lost)"
equal "its offset is not given again" 300 "$("$stele" stream next torn)"

# Garbage in an index: built again, no message lost.
cp -r whole index
flip index/$head.index 20
damaged index 300 '[]'
# With --head, only the newest segment counts.
cp -r whole older
flip older/$head.log 60
stream 0 check older --head
stream 3 check older

# Text: one line for each fault, with file and position.
cp -r whole text
flip text/$head.log 60
stream 3 check text
grep -qE "^$head\.log  position [0-9]+  ." .out || fail "a line for the fault"

# Files of others are left alone, and are no fault.
cp -r whole foreign
echo hello >foreign/README
echo hello >foreign/notanumber.log
stream 0 check foreign -J
json '.[-1].ok'
stream 0 recover foreign -J
[ "$(cat foreign/README foreign/notanumber.log)" = "$(printf 'hello\nhello')" ] || fail "they are still there"

# Every damaged directory of the vectors: what check calls damage, recover
# mends, and a second run has nothing to do.
for input in "$STELE_TESTS"/vectors/klevdb/corrupt/v[12]/*/input; do
    rm -rf case
    cp -r "$input" case
    chmod -R u+w case
    rm -f case/MANIFEST.json
    last=$input
    "$stele" stream check case --key-index --time-index -J >.out 2>.err
    rc=$?
    [ $rc -eq 0 ] || [ $rc -eq 3 ] || fail "check"
    jq -es '.[-1].ok == ('$rc' == 0)' .out >/dev/null || fail "check's last line"
    # Nobody can mend a format that is not known; it is left as it is.
    case $input in
    */v2/version_9/*)
        content case >before
        stream 3 recover case -J
        json_error EVERSION
        content case | cmp -s - before || fail "nothing is changed"
        continue
        ;;
    esac
    stream 0 recover case --key-index --time-index -J
    stream 0 recover case --key-index --time-index -J
    json '.[0].cut_bytes == 0'
    stream 0 check case --key-index --time-index
    stream 0 consume case --key-index --time-index -J
    jq -es 'map(.offset) | . == (. | unique)' .out >/dev/null || fail "offsets ascend"
done
