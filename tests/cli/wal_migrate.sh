#!/bin/bash
# SPDX-License-Identifier: MIT
# wal_migrate.sh: from one format into the other, and back.
. "$(dirname "$0")/lib.sh"

{ echo '{"id":7,"data":"first"}'; for i in $(seq 300); do printf '{"data":"%060d"}\n' "$i"; done
    echo '{"data":""}'; echo '{"data_b64":"AP8="}'; } >records
append log -J --segment-size 4KiB <records
"$stele" wal cat log -J >dump
[ "$("$stele" wal stat log -J | jq .segments)" -gt 5 ] || fail "several segments"

# to FORMAT: the same records, checked, in that format; a dry run tells it before.
to() {
    content log >before
    wal 0 migrate log --to "$1" --dry-run -J --segment-size 4KiB
    quiet
    json '.[0] | keys_unsorted == ["segments","migrated","dry_run"] and .dry_run and .migrated > 5'
    promised=$(jq -c 'del(.dry_run)' .out)
    wal 0 migrate log --to "$1" --dry-run --segment-size 4KiB
    row "dry run" "nothing was changed"
    content log | cmp -s - before || fail "a dry run changes nothing"
    wal 0 migrate log --to "$1" -J --segment-size 4KiB
    quiet
    is "$promised"
    wal 0 stat log -J
    json ".[0].format == \"$1\" and .[0].first_id == 7 and .[0].last_id == 309"
    wal 0 check log -J
    json '.[-1].ok and .[-1].records == 303'
    "$stele" wal cat log -J | cmp -s - dump || fail "the records are the same"
    content log >before
    wal 0 migrate log --to "$1" -J
    json '.[0].migrated == 0'
    content log | cmp -s - before || fail "a second time changes nothing"
}
to blb
[ "$(ls log/*.wal 2>/dev/null | wc -l)" -eq 0 ] || fail "no file of the other format is left"
cp -r log blb
to stele
[ "$(ls log/wal-*.log 2>/dev/null | wc -l)" -eq 0 ] || fail "no file of the other format is left"
to blb
equal "there and back gives the same files" "$(content blb | grep 'wal-')" "$(content log | grep 'wal-')"
# What the reference wrote has no manifest.
rm -f log/wal.manifest log/.lock
wal 0 cat log -J
cmp -s .out dump || fail "without a manifest"
to stele
seq 10 | append log
wal 0 stat log -J
json '.[0].last_id == 319'
wal 0 migrate log --to stele
row migrated 0

# An empty log.
append empty --segment-size 64k </dev/null
for format in blb stele; do
    wal 0 migrate empty --to $format -J
    wal 0 stat empty -J
    json ".[0].empty and .[0].format == \"$format\""
done

# A record that is too long for the other one: nothing is changed.
head -c 1048577 /dev/zero | tr '\0' x | append long --segment-size 64k
content long >before
wal 2 migrate long --to blb -J
json_error ETOOBIG
content long | cmp -s - before || fail "nothing is changed"
# A damaged log is refused.
cp -r blb damaged
flip damaged/wal-0000000000.log 30
content damaged >before
wal 3 migrate damaged --to stele -J
json_error ECORRUPT
content damaged | cmp -s - before || fail "nothing is changed"

wal 2 migrate log
wal 2 migrate log --to v2
wal 2 migrate log --to
wal 1 migrate nowhere --to blb
[ ! -e nowhere ] || fail "nothing is made"
