#!/bin/bash
# SPDX-License-Identifier: MIT
# values.sh: values on the command line: numbers, sizes, durations, times, bytes.
. "$(dirname "$0")/lib.sh"

seq 3 | publish log --key-index --time-index

# Numbers: digits within 64 bits, from the least that makes sense.
for bad in 0 -1 -9223372036854775808 x 1x '' ' 1' +1 1.0 0x10 9223372036854775808 99999999999999999999; do
    stream 2 consume log -c "$bad"
    says "option -c"
    stream 2 trim log --count="$bad"
    stream 2 publish log --ack "$bad" </dev/null
done
for bad in -1 x '' 1.5 9223372036854775808; do
    stream 2 trim log --offset "$bad"
    stream 2 publish log --expect "$bad" </dev/null
done

# Sizes.
for bad in x -1 1K 1kb 1MB 1TiB '' k 1.5k 9223372036854775807k 9007199254740992GiB; do
    stream 2 trim log --size "$bad"
    says "option --size"
    stream 2 publish log --rollover "$bad" </dev/null
done
stream 2 publish log --rollover 0 </dev/null
for good in 1 1k 1M 1G 1KiB 1MiB 1GiB 9223372036854775807; do
    stream 0 publish log --rollover "$good" </dev/null
done
# 100 and more bytes remain of three messages; k is 1000, KiB is 1024.
seq 100 | publish sizes # each takes 36 + 16 bytes, and 1 to 3 digits
size=$("$stele" stream stat sizes -J | jq .size)
[ "$size" -gt 5000 ] && [ "$size" -lt 6000 ] || fail "size $size"
stream 0 trim sizes --size 6k --dry-run -J
json '.[0].deleted == 0'
stream 0 trim sizes --size 5k -J --dry-run
k=$(jq .deleted .out)
stream 0 trim sizes --size 5KiB -J --dry-run
kib=$(jq .deleted .out)
stream 0 trim sizes --size 5000 -J --dry-run
equal "k" "$(jq .deleted .out)" "$k"
stream 0 trim sizes --size 5120 -J --dry-run
equal "KiB" "$(jq .deleted .out)" "$kib"
[ "$k" -gt "$kib" ] || fail "5k is less than 5KiB"

# Durations.
for bad in x -1 1w 1.5s '' s 1S '1 s' 9223372036854775807d 106751992d; do
    stream 2 trim log --age "$bad"
    says "option --age"
    stream 2 trim log --count 1 --lock-wait "$bad"
    stream 2 rm log 0 --wait "$bad"
done
for good in 0 90 500ms 2s 5m 1h 7d 106751991d; do
    stream 0 trim log --count 3 --lock-wait "$good" -J
    json '.[0].deleted == 0'
done
stream 0 trim log --age 1d -J
json '.[0].deleted == 0'

# Times: what is given, and how it is printed.
while read -r given want; do
    rm -rf times
    printf 'x\n' | publish times --time "$given"
    stream 0 get times 0 -J
    json ".[0].time == \"$want\""
done <<'END'
2026-11-20T13:26:01Z 2026-11-20T13:26:01.000000Z
2026-11-20t13:26:01z 2026-11-20T13:26:01.000000Z
2026-11-20T13:26:01.5Z 2026-11-20T13:26:01.500000Z
2026-11-20T13:26:01.1234569Z 2026-11-20T13:26:01.123456Z
2026-11-20T13:26:01+01:30 2026-11-20T11:56:01.000000Z
2026-11-20T23:26:01-05:00 2026-11-21T04:26:01.000000Z
2024-02-29T00:00:00Z 2024-02-29T00:00:00.000000Z
2000-02-29T23:59:60Z 2000-03-01T00:00:00.000000Z
1969-12-31T23:59:59.999999Z 1969-12-31T23:59:59.999999Z
1600-03-01T00:00:00Z 1600-03-01T00:00:00.000000Z
0000-01-01T00:00:00Z 0000-01-01T00:00:00.000000Z
9999-12-31T23:59:59.999999Z 9999-12-31T23:59:59.999999Z
1 1970-01-01T00:00:00.000001Z
-1 1969-12-31T23:59:59.999999Z
1763645161000000 2025-11-20T13:26:01.000000Z
253402300800000000 253402300800000000
9223372036854775807 9223372036854775807
-9223372036854775808 -9223372036854775808
END
for bad in x '' 2026-11-20 2026-11-20T13:26Z 2026-11-20T13:26:01 2026-13-01T00:00:00Z 2026-02-29T00:00:00Z \
    1900-02-29T00:00:00Z 2026-00-01T00:00:00Z 2026-01-00T00:00:00Z 2026-01-01T24:00:00Z \
    2026-01-01T00:60:00Z 2026-01-01T00:00:61Z 2026-01-01T00:00:00.Z 2026-01-01T00:00:00+24:00 \
    2026-01-01T00:00:00+0100 2026-01-01T00:00:00Zx 9223372036854775808 -9223372036854775809 12s; do
    printf 'x\n' | stream 2 publish times --time "$bad"
    says "option --time"
done
# The same against the system's own calendar, over the years.
for year in 1 4 100 399 400 1582 1601 1899 1972 2000 2100 2399 9998; do
    seconds=$(date -u -d "$(printf '%04d-03-01 12:34:56' "$year")" +%s)
    rm -rf times
    printf 'x\n' | publish times --time "${seconds}000000"
    stream 0 get times 0 -J
    json ".[0].time == \"$(printf '%04d-03-01T12:34:56.000000Z' "$year")\""
    stream 0 consume times -f '%T'
    is "${seconds}000000"
done

# Bytes of keys.
jq -cn '["plain","hex:00","b64:AP8=","str:x","\u00e9"] | .[] | {key: ., value: .}' | publish keys -J --key-index
printf '{"key_b64":"AP8=","value":"binary"}\n' | publish keys -J
stream 0 get keys --key plain
is plain
stream 0 get keys --key str:hex:00
is hex:00
stream 0 get keys --key=str:str:x
is str:x
stream 0 get keys --key hex:00ff
is binary
stream 0 get keys --key hex:00FF
is binary
stream 0 get keys --key b64:AP8=
is binary
stream 0 get keys -k str:b64:AP8=
is b64:AP8=
stream 0 get keys --key "$(printf '\303\251')"
is "$(printf '\303\251')"
for bad in hex:0 hex:0g hex:zz b64:A b64:AP8 b64:A=== b64:A==A b64:AP9= b64:====  'b64:AP 8' b64:AP-8; do
    stream 2 get keys --key "$bad"
    says "option --key"
done

# Options stand anywhere, in any form; -- ends them.
stream 0 consume -J keys -c 1
json 'length == 1'
stream 0 consume -c1 -J keys
json 'length == 1'
stream 0 consume keys --count=1 --json
json 'length == 1'
stream 0 consume -Jec2 keys
json 'length == 2'
stream 0 consume keys -c 5 -c 1 -J # the last counts
json 'length == 1'
stream 0 consume -c 1 -J -- keys
json 'length == 1'
stream 2 get keys -5
says "unknown option -5"
stream 1 get keys -- -5
says "negative"
stream 2 rm keys -- -5
stream 2 consume -- keys -c 1
says "too many arguments"
