#!/bin/bash
# SPDX-License-Identifier: MIT
# wal_vectors.sh: the command on directories that blb's wal package wrote, whole
# and damaged.
. "$(dirname "$0")/lib.sh"

vectors=$STELE_TESTS/vectors/blb

# lengths FILE: id and length of each record.
lengths() {
    jq -r '"\(.id) \(.data_b64 // "-") \(.data // "" | utf8bytelength)"' "$@" | while read -r id b64 len; do
        [ "$b64" = - ] || len=$(($(printf %s "$b64" | tr -d = | wc -c) * 3 / 4))
        echo "$id $len"
    done
}
truth() { jq -r '"\(.id) \(.len)"' "$vectors/truth_base.jsonl" | awk -v from="$1" -v to="$2" '$1 >= from && $1 <= to'; }

first_of() { # the first id of a file of the base
    od -An -tu8 -N 8 "$vectors/base/$1" | tr -d ' '
}

# Reading, beside no manifest and in directories that may not be written.
wal 0 cat "$vectors/base" -J
equal "all records" "$(truth 1 60)" "$(lengths .out)"
wal 0 cat "$vectors/ops/trim_30" -J
equal "a log that was trimmed begins with a later file" "$(truth "$(first_of wal-0000000002.log)" 60)" "$(lengths .out)"
wal 0 stat "$vectors/ops/truncate_0" -J
json '.[0].empty and .[0].format == "blb"'
wal 0 cat "$vectors/ops/start_id_0" -c 1 -J
json '.[0].id == 0'
wal 0 cat "$vectors/ops/big_records" -J
json 'length == 3'
for op in "$vectors"/ops/* "$vectors/base"; do
    wal 0 check "$op" -J
    json '.[-1].ok'
done

# What appending makes of it: the reference's files, as they were, and more.
cp -r "$vectors/base" log
chmod -R u+w log
echo more | wal 0 append log
row "last id" 61
for file in 0 1 2 3; do
    cmp -s "$vectors/base/wal-000000000$file.log" "log/wal-000000000$file.log" || fail "older files are left as they are"
done
cmp -s -n 756 "$vectors/base/wal-0000000004.log" log/wal-0000000004.log || fail "the newest one is continued"
equal "as the reference writes it" "$(printf '\75\0\0\0\0\0\0\0\4\0\0\0more' | od -An -tx1)" \
    "$(tail -c +757 log/wal-0000000004.log | head -c 16 | od -An -tx1)"
wal 0 migrate log --to stele -J
wal 0 cat log -J
equal "the same records" "$(truth 1 60)" "$(lengths .out | head -n 60)"

# damaged NAME KEPT RC: what cat prints, what check says, what recovery keeps.
damaged() {
    local name=$1 kept=$2 rc_cat=$3 file
    rm -rf case
    cp -r "$vectors/variants/$name" case
    chmod -R u+w case
    for file in $(jq -r '.same_as_base[]' case/MANIFEST.json); do
        cp "$vectors/base/$file" case
    done
    rm case/MANIFEST.json
    chmod -R u+w case
    content case >before
    wal "$rc_cat" cat case -J
    equal "$name: cat" "$(truth 1 "$kept")" "$(lengths .out)"
    "$stele" wal check case -J >.out 2>.err
    rc=$?
    last="stele wal check of $name"
    jq -es '.[-1].ok == ('$rc' == 0) and .[-1].records >= '"$kept" .out >/dev/null || fail "check's last line"
    [ "$rc_cat" -eq 0 ] || [ "$rc" -eq 3 ] || fail "check finds it"
    content case | cmp -s - before || fail "$name: reading changes nothing"
    if [ "$rc_cat" -eq 3 ]; then
        wal 3 append case </dev/null
        content case | cmp -s - before || fail "$name: a writer that refuses it changes nothing"
    fi
    wal 0 recover case -J
    json ".[0].records == $kept"
    wal 0 recover case -J
    json '.[0].cut_bytes == 0 and .[0].quarantine == []'
    wal 0 check case
    wal 0 cat case -J
    equal "$name: after recovery" "$(truth 1 "$kept")" "$(lengths .out)"
    echo more | wal 0 append case
    row "last id" $((kept + 1))
}
damaged none 60 0
damaged stray_bak 60 0
damaged new_empty_file_after_head 60 0
damaged zero_tail_4096 60 0
for torn in biglen_last bitflip_last_record len_plus_one_last torn_at_boundary torn_data torn_header_5; do
    damaged $torn 59 0
done
damaged torn_first_record_of_head $(($(first_of wal-0000000004.log) - 1)) 0
damaged missing_last_file $(($(first_of wal-0000000004.log) - 1)) 0 # without a manifest nobody can tell
damaged empty_nonhead $(($(first_of wal-0000000002.log) - 1)) 3
# The record whose bit was flipped: the first byte that differs, found in the file's records.
at=$(cmp "$vectors/base/wal-0000000002.log" "$vectors/variants/bitflip_nonhead/wal-0000000002.log" | sed 's/.*byte \([0-9]*\),.*/\1/')
damaged bitflip_nonhead "$(truth "$(first_of wal-0000000002.log)" 60 |
    awk -v at="$at" '{ end += 16 + $2; if (end >= at) { print $1 - 1; exit } }')" 3
