#!/bin/bash
# SPDX-License-Identifier: MIT
# journal_play.sh: play and stat: whole journals, moments in them, and beside a recorder.
. "$(dirname "$0")/lib.sh"

cat >ops <<'END'
{"op":"put","key":"lamp","value":"on","timestamp":"2024-05-01T12:00:00Z"}
{"op":"put","key":"home","subkey":"kit\nchen","value":"","timestamp":"2024-05-01T12:00:01Z"}
{"op":"put","timestamp":"2024-05-01T12:00:02Z"}
{"op":"put","key":"nil","value_b64":"AP8=","timestamp":5}
{"op":"delete","key":"lamp","timestamp":-9223372036854775807}
{"op":"delete","key":"home","subkey":"","timestamp":"2024-05-01T12:00:03.5Z"}
{"op":"clear","key":"home","timestamp":"2024-05-01T12:00:04Z"}
{"op":"clear","timestamp":"2024-05-01T12:00:05Z"}
{"op":"config","config":{"b":"1","a":"x = y"},"timestamp":"2024-05-01T12:00:06Z"}
{"op":"config","key":"lamp","config":{},"timestamp":"2024-05-01T12:00:07Z"}
{"op":"config","key":"lamp","config_b64":{"YQ==":"/w=="},"timestamp":"2024-05-01T12:00:08Z"}
END
record log <ops
journal 0 play log
quiet
is 'put     2024-05-01T12:00:00.000000Z  "lamp" = "on"
put     2024-05-01T12:00:01.000000Z  "home" / "kit\nchen" = ""
put     2024-05-01T12:00:02.000000Z  nil = nil
put     1970-01-01T00:00:00.000005Z  "nil" = b64:AP8=
delete  -9223372036854775807         "lamp"
delete  2024-05-01T12:00:03.500000Z  "home" / ""
clear   2024-05-01T12:00:04.000000Z  "home"
clear   2024-05-01T12:00:05.000000Z  everything
config  2024-05-01T12:00:06.000000Z  "a" = "x = y", "b" = "1"
config  2024-05-01T12:00:07.000000Z  "lamp": nothing
config  2024-05-01T12:00:08.000000Z  "lamp": "a" = b64:/w=='
journal 0 play log -J
quiet
json 'length == 11 and all(([keys_unsorted[] | sub("_b64$"; "")]) ==
    ["op", "key", "subkey", "value", "timestamp", "config"])'
json '.[0].timestamp == 1714564800000000 and .[0].config == null and .[10].config_b64 == {"YQ==": "/w=="}'

# A journal that is empty, and one that is not there.
record empty </dev/null
mkdir bare
for dir in empty bare; do
    for how in "" -J "--until-count 5" "--until-time 5"; do
        journal 0 play $dir $how
        silent
        quiet
    done
    journal 0 stat $dir -J
    is '{"count":0,"snapshots":0,"logs":0,"snapshot_ops":0,"snapshot_count":0,"snapshot_size":0,"snapshot_time":null,"log_ops":0,"log_size":0}'
    journal 0 stat $dir
    row operations 0
    row snapshots 0
    ! grep -q made .out || fail "no snapshot was made"
done
equal "nothing is made in it" "" "$(ls -A bare)"
for read in play stat check; do
    journal 1 $read nowhere
    says nowhere
    silent
    journal 1 $read nowhere -J
    json_error ENOTFOUND
done
[ ! -e nowhere ] || fail "reading creates nothing"

# Moments. Without a snapshot all of them are there.
values() { jq -r .value .out | xargs; }
puts 1 100 | record moments
for n in 0 1 7 99 100 101 9223372036854775807; do
    journal 0 play moments -J --until-count $n
    equal "until count $n" "$(seq 1 $((n < 100 ? n : 100)) | xargs)" "$(values)"
    quiet
    journal 0 play moments -J --until-time $n
    equal "until time $n" "$(seq 1 $((n < 100 ? n : 100)) | xargs)" "$(values)"
done
journal 0 play moments -J --until-time 1970-01-01T00:00:00.000042Z --until-count 50
equal "both hold" "$(seq 42 | xargs)" "$(values)"
journal 0 play moments -J --until-count 30 --until-time 1970-01-01T00:00:00.000042Z
equal "both hold" "$(seq 30 | xargs)" "$(values)"
# Behind a snapshot those from it on.
journal 0 snapshot moments
puts 101 150 | record moments
puts 151 160 | record moments
journal 0 play moments -J
equal "the snapshot first" "$(seq 100 160 | xargs)" "$(values)"
for n in 100 101 149 150 151 160 161; do
    want=$(seq 100 $((n < 160 ? n : 160)) | xargs)
    journal 0 play moments -J --until-count $n
    equal "until count $n" "$want" "$(values)"
    journal 0 play moments -J --until-time $n
    equal "until time $n" "$want" "$(values)"
done
for n in 0 1 99; do
    for until in --until-count --until-time; do
        journal 1 play moments -J $until $n
        silent
        says .snap 100
        json_error ENOTFOUND
    done
done
journal 0 stat moments -J
json '.[0] | keys_unsorted == ["count","snapshots","logs","snapshot_ops","snapshot_count","snapshot_size",
    "snapshot_time","log_ops","log_size"]'
json '.[0] | .count == 160 and .snapshots == 1 and .logs == 2 and .snapshot_ops == 1 and .snapshot_count == 100
    and .log_ops == 60'
equal "snapshot_size" "$(stat -c %s moments/*.snap)" "$(jq .snapshot_size .out)"
size=$(jq .log_size .out)
[ "$size" -gt $((60 * 37)) ] && [ "$size" -le "$(cat moments/*.log | wc -c)" ] || fail "log_size"
ns=$(basename moments/*.snap .snap)
equal "snapshot_time" "$(date -u -d "@${ns:0:-9}" +%Y-%m-%dT%H:%M:%S).${ns: -9:6}Z" "$(jq -r .snapshot_time .out)"
journal 0 stat moments
row operations 160
row logs 2
grep -q '^snapshot  *1 operations that stand for 100, [0-9]* bytes$' .out || fail "the snapshot"
grep -q '^behind it  *60 operations, [0-9]* bytes$' .out || fail "the logs"

for bad in x '' -1 1.5; do
    journal 2 play moments --until-count "$bad"
    says "option --until-count"
    silent
done
for bad in x '' 2024-13-01T00:00:00Z 12:00; do
    journal 2 play moments --until-time "$bad"
    says "option --until-time"
done

# Reading leaves no trace, the lock's file included.
(cd moments && find . -type f -exec sha256sum {} + | sort) >before
journal 0 play moments
journal 0 stat moments
journal 0 check moments
(cd moments && find . -type f -exec sha256sum {} + | sort) | cmp -s - before || fail "reading changes nothing"

# A reader of the output that goes away, and an output that takes nothing.
puts 1 20000 | record long --durability stop
"$stele" journal play long -J 2>.err | head -n 3 >.out
codes="${PIPESTATUS[*]}"
equal "what was read" "1 2 3" "$(values)"
[ "$codes" = "141 0" ] || fail "ended by the pipe: $codes"
last="stele journal play long >/dev/full"
"$stele" journal play long >/dev/full 2>.err
rc=$?
[ "$rc" -eq 5 ] || fail "expected exit code 5"
says "standard output"

# Beside a recorder that merges again and again: each play is a state that the journal had.
mkfifo pipe
: >acks
"$stele" journal record busy --limit 4KiB --ack 1 <pipe >acks 2>.recorder &
recorder=$!
children+=("$recorder")
(i=0; while printf '{"op":"put","key":"k","value":"%d","timestamp":%d}\n' "$i" "$i" 2>/dev/null; do
    i=$((i + 1))
done >pipe) 2>/dev/null &
feeder=$!
children+=("$feeder")
acked() { tail -n 2 acks | grep '}$' | tail -n 1 | jq .recorded; }
beyond() { [ "$(acked || echo 0)" -gt "$1" ]; }
until_true 20 beyond 500 || fail "operations are recorded"
for i in $(seq 15); do
    sure=$(acked)
    journal 0 play busy -J
    jq -s -e "(map(.value | tonumber)) as \$v | \$v == [range(\$v[0]; \$v[-1] + 1)] and \$v[-1] >= $sure - 1" .out >/dev/null ||
        fail "play $i: without a gap, and all that was acknowledged"
    journal 0 stat busy -J
    json ".[0] | .count >= $sure and .snapshots <= 2"
    journal 0 check busy -J
    json '.[-1].ok'
    until_true 20 beyond "$sure" || fail "the recorder goes on"
done
journal 0 stat busy -J
json '.[0].snapshot_count > 0'
kill "$feeder"
wait "$feeder" 2>/dev/null
wait "$recorder" || fail "the recorder ends with its input"
children=()
