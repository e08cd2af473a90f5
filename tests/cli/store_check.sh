#!/bin/bash
# SPDX-License-Identifier: MIT
# store_check.sh: check and scrub of what is whole and of what is damaged; readers.
. "$(dirname "$0")/lib.sh"
exec </dev/null

seq 1 2000 | sed 's/.*/{"bucket":"b","key":"key &","value":"the value of &"}/' | store 0 load db
store 0 put db other k v
for verb in check scrub; do
    store 0 $verb db
    row ok yes
    row buckets 2
    row keys 2001
    quiet
    store 0 $verb db -J
    is '{"ok":true,"buckets":2,"keys":2001}'
done

# What does not belong there is told, and no fault.
echo hello >db/README
store 0 check db -J
is '{"ok":true,"buckets":2,"keys":2001}'
says README
rm db/README

# A value is changed: scrub and check name the place, get does not give it.
data=db/gen-1/data.mdb
cp -a db whole
# Pages that are free may have it, too.
for at in $(grep -abo 'the value of 1234' $data | cut -d: -f1); do
    flip $data "$at"
done
for verb in check scrub; do
    store 3 $verb db -J
    json '(.[:-1] | all(keys == ["bucket", "error", "file", "key", "position"] or
        keys == ["bucket", "error", "file", "key_b64", "position"])) and
        any(.file == "gen-1/data.mdb") and (.[-1] | .ok == false and .buckets == 2)'
    json_error ECORRUPT
    says db fault
    store 3 $verb db
    row ok no
done
store 3 check db
grep -q 'key 1234' .out || fail "it names the key"
store 3 get db b 'key 1234' -J
json_error ECORRUPT
silent
store 0 get db b 'key 1233'
is 'the value of 1233'
store 3 dump db
equal "what precedes it" 'the value of 1233' "$(tail -n 1 .out | jq -r .value)"
rm -rf db
cp -a whole db

# Pages: every one but the list of what is free is noticed, and the command never crashes.
size=$(stat -c %s $data)
for ((page = 0; page * 4096 < size; page++)); do
    for at in 10 1000 ${STELE_FULL:+0 12 18}; do
        cp whole/gen-1/data.mdb $data
        flip $data $((page * 4096 + at))
        last="stele store check, page $page at $at"
        "$stele" store check db -J >.out 2>.err
        rc=$?
        [ $rc -eq 0 ] || [ $rc -eq 3 ] || fail "0 or 3"
        [ $rc -eq 0 ] || grep -q '"error"' .out || [ -s .err ] || fail "it says what"
        "$stele" store scrub db -J >.out 2>.err
        rc=$?
        [ $rc -eq 0 ] || [ $rc -eq 3 ] || fail "0 or 3 of scrub"
    done
done
dd if=/dev/urandom of=$data bs=4096 count=4 conv=notrunc status=none
store 3 check db
store 3 scrub db
truncate -s 5000 $data
store 3 check db -J
rm -rf db
cp -a whole db

# Other files.
flip db/current 20
store 3 check db
store 3 get db b 'key 1'
store 3 put db b k v
cp whole/current db/current
rm db/gen-1/data.mdb
store 3 check db
rm -rf db
cp -a whole db
rm db/current
store 3 put db b k v

# Readers: there are none but of others.
rm -rf db
cp -a whole db
store 0 readers db
silent
store 0 readers db --clear-stale -J
is '{"cleared":0}'
store 0 readers db --clear-stale
row cleared 0
