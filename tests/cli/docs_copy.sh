#!/bin/bash
# SPDX-License-Identifier: MIT
# docs_copy.sh: backup, verify-backup, restore; stat and checkpoints.
. "$(dirname "$0")/lib.sh"
exec </dev/null

lines() { seq "$1" "$2" | sed 's/.*/{"id":"id &","doc":{"@type":"t","n":&,"text":"the text of &"}}/'; }
lines 1 500 | docs 0 load db
docs 0 type add db - <<<'{"name":"t","keys":[{"name":"n","fields":["n"],"method":"number","unique":true}],"version":1}'
docs 0 del db 'id 7'
docs 0 patch db 'id 8' '{"more":true}'
dump() { "$stele" docs dump "$1"; }
"$stele" docs log db >log
content() { (cd "$1" && find . -type f ! -name .lock ! -name lock.mdb -exec sha256sum {} + | sort); }
content db >before

# A backup, compressed or not, with or without its hash, gives the same database again.
for options in "" --zstd --zstd=9 --no-manifest; do
    take=${options##--zstd*}
    rm -rf out copy
    docs 0 backup db out $options -J
    is '{"ok":true}'
    [ ! -e out.tmp ] || fail "nothing is left beside it"
    docs 0 verify-backup out $take -J
    is '{"ok":true,"documents":499,"entries":502}'
    docs 0 verify-backup - $take <out
    row documents 499
    docs 0 restore copy out $take --dry-run -J
    is '{"ok":true,"dry_run":true}'
    [ ! -e copy ] || fail "a dry run makes nothing"
    docs 0 restore copy out $take -J
    is '{"ok":true}'
    cmp -s <(dump db) <(dump copy) || fail "every document"
    "$stele" docs log copy | cmp -s - log || fail "every version"
    docs 0 validate copy -J
    is '{"checked":499,"mended":0,"faults":0}'
    docs 0 search copy t n=8
    is 'id 8	{"@type":"t","n":8,"text":"the text of 8","more":true}'
    docs 7 set copy x '{"@type":"t","n":8}'
    docs 0 set copy x '{"@type":"t","n":7}'
    rm -rf below
    docs 0 restore below/it/copy - $take <out
    row documents 499
    cmp -s <(dump db) <(dump below/it/copy) || fail "from standard input"
    cp out "out$options.kept"
done
content db | cmp -s - before || fail "a backup changes nothing"
mv out.kept out
rm -rf copy
[ "$(stat -c %s out--zstd.kept)" -lt "$(stat -c %s out)" ] || fail "compressed is smaller"
if command -v zstd >/dev/null; then
    zstd -qdc <out--zstd.kept | cmp -s - out || fail "zstd's own tool unpacks it"
fi
docs 2 backup db more --zstd=0
docs 2 backup db more --zstd=1000 -J
json_error EINVAL
docs 2 backup db more --zstd=x
[ ! -e more ] && [ ! -e more.tmp ] || fail "no half of a file"

# The manifest is demanded.
docs 3 verify-backup out--no-manifest.kept -J
says manifest
docs 3 restore new out--no-manifest.kept
[ ! -e new ] || fail "nothing was made"

# Neither replaces what is there; a database without documents is pristine.
docs 8 backup db out -J
json_error EEXIST
lines 1 2 | docs 0 load there
docs 8 restore there out -J
json_error ESTATE
docs 8 restore there out -n
equal "it stays" 2 "$(dump there | wc -l)"
docs 0 del there 'id 1'
docs 0 del there 'id 2'
docs 8 restore there out
docs 0 type add pristine - <<<'{"name":"u","keys":null,"version":1}'
docs 0 restore pristine out
cmp -s <(dump db) <(dump pristine) || fail "into an empty one"
docs 1 restore new nothing
says nothing
docs 1 verify-backup nothing
docs 1 backup db none/out
[ ! -e new ] || fail "nothing was made"

# A damaged backup restores nothing, wherever it is.
size=$(stat -c %s out)
lines 1 1 | docs 0 load foreign
docs 0 backup foreign foreign.out
for at in 0 3 4 7 8 9 40 1000 $((size / 2)) $((size - 57)) $((size - 56)) $((size - 50)) $((size - 1)); do
    cp out bad
    flip bad "$at"
    docs 3 verify-backup bad -J
    says bad "at "
    silent
    docs 3 restore new bad -J
    silent
    [ ! -e new ] || fail "nothing was made"
    docs 3 restore new - <bad
    [ -z "$(dump new)" ] || fail "nothing was restored"
    rm -rf new
done
for cut in 0 3 8 100 $((size - 57)) $((size - 56)) $((size - 1)); do
    head -c "$cut" out >bad
    docs 3 restore new bad
    [ ! -e new ] || fail "nothing was made"
done
for at in 4 100 -1; do
    cp out--zstd.kept bad
    flip bad $((at < 0 ? $(stat -c %s bad) - 1 : at))
    docs 3 verify-backup bad
done
cat out foreign.out >bad
docs 3 verify-backup bad
echo 'no backup' >bad
docs 3 restore new bad -J
json_error ECORRUPT

# stat and checkpoints.
docs 0 stat db -J
json '.[0] | (keys == ["conflicts","deleted","documents","ending","entries","keys","position","size","size_in_use","state","types","unreadable","wal_size"]) and
    .documents == 499 and .deleted == 1 and .entries == 502 and .types == 1 and .keys == 998 and
    .conflicts == 0 and .size >= .size_in_use'
docs 0 stat db
row documents 499
row deleted 1
docs 0 checkpoints db -J
json 'length >= 1 and all(keys == ["count","epoch","sum"] and (.sum | test("^[0-9a-f]{64}$"))) and
    (map(.count) | add) == 502'
docs 0 checkpoints db
grep -qE '^[0-9]+	[0-9]+	[0-9a-f]{64}$' .out || fail "as text"

# Beside a process that writes.
mkfifo pipe
"$stele" docs load db <pipe >/dev/null 2>&1 &
loader=$!
children+=("$loader")
exec 3>pipe
lines 1001 1010 >&3
there() { [ "$("$stele" docs stat db -J | jq .documents)" = "$1" ]; }
until_true 20 there 509 || fail "it commits"
docs 0 backup db beside
docs 0 validate db
docs 0 verify-backup beside
row documents 509
exec 3>&-
wait "$loader" || fail "the loader ends well"
