#!/bin/bash
# SPDX-License-Identifier: MIT
# store_copy.sh: snapshot, restore, defrag, stat.
. "$(dirname "$0")/lib.sh"
exec </dev/null

pairs() { seq "$1" "$2" | sed 's/.*/{"bucket":"b","key":"key &","value":"value &"}/'; }
hash() { "$stele" store hash "$@"; }

pairs 1 5000 | store 0 load db
printf '{"bucket":"empty"}\n' | store 0 load db
store 0 put db other k v
# Readers have their places in lock.mdb.
content() { (cd "$1" && find . -type f ! -name .lock ! -name lock.mdb -exec sha256sum {} + | sort); }
content db >before

# A snapshot, compressed or not, gives the same store again.
for options in "" --zstd; do
    rm -rf snap copy
    store 0 snapshot db snap $options -J
    is '{"ok":true}'
    store 0 restore copy snap -J
    is '{"ok":true}'
    equal "the same" "$(hash db)" "$(hash copy)"
    cmp -s <("$stele" store dump db) <("$stele" store dump copy) || fail "every pair"
    store 0 check copy -J
    is '{"ok":true,"buckets":3,"keys":5001}'
    rm -rf copy
    store 0 restore below/it/copy - <snap
    row buckets 3
    row keys 5001
    equal "from standard input" "$(hash db)" "$(hash below/it/copy)"
    rm -rf below
    cp snap "snap$options.kept"
done
mv snap.kept snap
mv snap--zstd.kept snap--zstd
content db | cmp -s - before || fail "a snapshot changes nothing"
[ "$(stat -c %s snap--zstd)" -lt "$(stat -c %s snap)" ] || fail "compressed is smaller"
if command -v zstd >/dev/null; then
    zstd -qdc snap--zstd | cmp -s - snap || fail "zstd's own tool unpacks it"
fi

# Neither replaces what is there.
store 8 snapshot db snap -J
json_error EEXIST
mkdir there
pairs 1 3 | store 0 load there
was=$(hash there)
store 8 restore there snap -J
json_error EEXIST
equal "it stays" "$was" "$(hash there)"
store 1 restore new nothing
says nothing
[ ! -e new ] || fail "nothing was made"

# A damaged snapshot restores nothing.
for at in 0 3 40 1000 -1; do
    cp snap bad
    [ $at -ge 0 ] || at=$(($(stat -c %s snap) - 1))
    flip bad $at
    store 3 restore new bad -J
    silent
    store 1 stat new
done
head -c 1000 snap >bad
store 3 restore new bad
cat snap snap >bad
store 3 restore new bad
: >bad
store 3 restore new bad
store 1 stat new

# stat.
store 0 stat db -J
json '.[0] | (keys == ["buckets", "bytes", "generation", "keys", "size", "size_in_use", "wal_size"]) and
    .buckets == 3 and .keys == 5001 and .generation == 1 and .wal_size == 0 and
    .size >= .size_in_use and .size_in_use > .bytes'
store 0 stat db
row buckets 3
row keys 5001
row generation 1

# defrag: a dry run changes nothing; then the file is smaller, and the content the same.
seq 1 4900 | sed 's/.*/key &/' | while read -r key; do
    printf '{"bucket":"b","key":"%s","value":""}\n' "$key"
done | store 0 load db
store 0 stat db -J
was=$(hash db)
content db >before
store 0 defrag db --dry-run -J
json '.[0] | .before > .after and .dry_run'
content db | cmp -s - before || fail "a dry run changes nothing"
store 0 defrag db -J
json '.[0] | (keys == ["after", "before"]) and .before > .after and .after > 0'
equal "the same" "$was" "$(hash db)"
store 0 stat db -J
json '.[0].generation == 2'
store 0 check db
store 0 defrag db
grep -qE '^after +[0-9]+$' .out || fail "the size"

# Beside a process that writes: what is committed.
mkfifo pipe
"$stele" store load db <pipe >/dev/null 2>&1 &
loader=$!
children+=("$loader")
exec 3>pipe
pairs 6001 6010 >&3
count_is() { [ "$("$stele" store stat db -J | jq .keys)" = "$1" ]; }
until_true 10 count_is 5011 || fail "the loader commits"
store 0 snapshot db beside
store 0 check db
store 0 scrub db
store 0 buckets db -J
json 'map(.keys) == [5010, 0, 1]'
store 0 restore copy2 beside
equal "the same" "$(hash db)" "$(hash copy2)"
store 4 defrag db -J
json_error EBUSY
exec 3>&-
wait "$loader" || fail "the loader ends well"
