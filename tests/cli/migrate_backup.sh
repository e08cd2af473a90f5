#!/bin/bash
# SPDX-License-Identifier: MIT
# migrate_backup.sh: the other format, and copies.
. "$(dirname "$0")/lib.sh"

for i in $(seq 0 299); do printf '{"key":"k%d","value":"%060d","time":%d}\n' $((i % 7)) "$i" $((i + 1)); done >messages
publish log -J --key-index --time-index --rollover 3000 --format v1 <messages
"$stele" stream consume log -J >dump
segments=$("$stele" stream stat log -J | jq .segments)

# migrate
content log >before
stream 0 migrate log --to v2 --dry-run -J
is "{\"segments\":$segments,\"migrated\":$segments,\"dry_run\":true}"
stream 0 migrate log --to v2 --dry-run
row migrated "$segments"
row "dry run" "nothing was changed"
content log | cmp -s - before || fail "a dry run changes nothing"
stream 0 migrate log --to v2 -J
is "{\"segments\":$segments,\"migrated\":$segments}"
stream 0 stat log -J
json '.[0].format == "v2"'
"$stele" stream consume log -J | cmp -s - dump || fail "the messages are the same"
stream 0 migrate log --to v2 -J
is "{\"segments\":$segments,\"migrated\":0}"
stream 0 migrate log --to v1
row segments "$segments"
row migrated "$segments"
rm -f log/*.keys # these are made again when they are needed
grep -v '\.keys$' before >files
content log | cmp -s - files || fail "there and back gives the same files"
stream 0 get log --key k3 -J
json '.[0].offset == 297'
tail -n 100 messages | publish log -J --rollover 3000 --format v2
stream 0 migrate log --to v2 -J
json '.[0].migrated == '"$segments"' and .[0].segments > '"$segments"
stream 2 migrate log
stream 2 migrate log --to v3
stream 2 migrate log --to
stream 1 migrate nowhere --to v2

# backup
"$stele" stream consume log -J >dump
stream 0 backup log copy -J
json 'length == 1 and (.[0] | keys_unsorted == ["segments","messages","bytes","verified"] and .messages == 400 and .verified == true)'
equal "bytes" "$(cat copy/*.log copy/*.index | wc -c)" "$(jq .bytes .out)"
"$stele" stream consume copy -J | cmp -s - dump || fail "the copy holds the same"
stream 0 check copy
stream 0 stat copy -J
mv .out copied
stream 0 stat log -J
cmp -s .out copied || fail "stat of the copy is that of the stream"
# Into a directory with parents that are not there; and brought up to date.
stream 0 backup log deep/er/copy
row messages 400
row verified yes
head -n 50 messages | publish log -J
stream 0 backup log deep/er/copy -J
json '.[0].messages == 450'
"$stele" stream consume log -J >dump
"$stele" stream consume deep/er/copy -J | cmp -s - dump || fail "brought up to date"
seq 10 | publish other
content other >before
stream 8 backup log other -J
json_error EEXIST
content other | cmp -s - before || fail "another stream is left as it was"
stream 1 backup nowhere copy2
[ ! -e copy2 ] || fail "nothing is made for nothing"
stream 2 backup log
stream 2 backup log a b
# A copy of what is damaged is refused, not made.
cp -r log damaged
printf 'XXXX' | dd of="$(ls damaged/*.log | head -n 1)" bs=1 seek=100 conv=notrunc status=none
stream 3 backup damaged copy3 -J
json_error ECORRUPT

# Beside a process that writes: each copy is whole.
mkfifo pipe
"$stele" stream publish busy --rollover 20k <pipe >/dev/null &
children+=($!)
# Some thousand messages a second: a copy takes longer, the more there are.
(i=0; while printf 'message %d\n' "$i" 2>/dev/null; do
    i=$((i + 1))
    [ $((i % 50)) -ne 0 ] || sleep 0.01
done >pipe) 2>/dev/null &
feeder=$!
children+=("$feeder")
busy() { [ "$("$stele" stream next busy 2>/dev/null || echo 0)" -gt "$1" ]; }
until_true 60 busy 500 || fail "messages are published"
for i in 1 2 3 4 5; do
    stream 0 backup busy "live.$i" -J
    n=$(jq .messages .out)
    stream 0 check "live.$i" -J
    json ".[-1].messages == $n"
    stream 0 consume "live.$i"
    seq 0 $((n - 1)) | sed 's/^/message /' | cmp -s - .out || fail "copy $i is a prefix"
    until_true 60 busy $((n + 500)) || fail "the writer goes on"
done
kill "$feeder"
