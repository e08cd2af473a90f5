#!/bin/bash
# SPDX-License-Identifier: MIT
# lookup.sh: get, offset, next, size and stat.
. "$(dirname "$0")/lib.sh"

cat >messages <<'END'
{"key":"a","value":"1","time":1000000}
{"key":"b","value":"2","time":2000000}
{"key":"a","value":"3","time":4000000}
{"value":"4","time":3000000}
{"key":"c","time":5000000}
END
publish log -J --key-index --time-index <messages

# get
stream 0 get log 0
is 1
quiet
stream 0 get log 1 -J
is '{"offset":1,"time":"1970-01-01T00:00:02.000000Z","key":"b","value":"2"}'
stream 0 get log oldest
is 1
stream 0 get log newest -J
is '{"offset":4,"time":"1970-01-01T00:00:05.000000Z","key":"c","value":null}'
stream 0 get log 4
is ''
stream 0 get log --key a
is 3
stream 0 get log --key a -J
json '.[0].offset == 2'
stream 0 get log --time 1500000 -J
json '.[0].offset == 1'
stream 0 get log --time 2000000 -J
json '.[0].offset == 1'
stream 0 get log --time -5 -J
json '.[0].offset == 0'
# The index counts the latest time so far: message 3 is found as of 4 seconds.
stream 0 get log --time 3500000 -J
json '.[0].offset == 2'
for missing in 5 1000 9223372036854775807; do
    stream 1 get log $missing
    silent
    stream 1 get log $missing -J
    json_error EOFFSET
done
stream 1 get log -- -1
stream 1 get log -- -2
stream 1 get log --key z -J
json_error ENOTFOUND
stream 1 get log --time 6000000 -J
json_error ENOTFOUND
"$stele" stream rm log 1 >/dev/null || fail rm
stream 1 get log 1 -J
json_error ENOTFOUND
stream 1 get log --key b
for wrong in "log" "log 1 --key a" "log --key a --time 5" "log 1 --time 5" "log x" "log 1x" "log latest" "log 1 2"; do
    stream 2 get $wrong
    silent
done

# offset
stream 0 offset log --key a
row offset 2
row time 1970-01-01T00:00:04.000000Z
stream 0 offset log --key a -J
is '{"offset":2,"time":"1970-01-01T00:00:04.000000Z"}'
stream 0 offset log --time 4000001 -J
is '{"offset":4,"time":"1970-01-01T00:00:05.000000Z"}'
stream 1 offset log --key z
silent
stream 1 offset log --time 9000000000
stream 2 offset log
stream 2 offset log --key a --time 5

# next
stream 0 next log
is 5
stream 0 next log -J
is '{"next_offset":5}'

# size: of a message in a new segment, item of the index included.
printf '{"key":"abc","value":"defgh"}\n{}\n' >two
stream 0 size -J <two
is "$(printf '{"size":60}\n{"size":52}')"
stream 0 size --key-index --time-index <two
is "$(printf '76\n68')"
stream 0 size --format v1 --key-index <two
is "$(printf '60\n52')"
for format in v1 v2; do
    for indexes in "" --key-index --time-index "--key-index --time-index"; do
        rm -rf sized
        publish sized -J --format $format $indexes <two
        # One with the log and the index empty tells what the headers take.
        rm -rf bare
        publish bare -J --format $format $indexes </dev/null
        "$stele" stream size --format $format $indexes <two >computed
        "$stele" stream size sized --format $format $indexes <two | cmp - computed || fail "size $format $indexes"
        grown=$(($("$stele" stream stat sized -J | jq .size) - $(awk '{ s += $1 } END { print s }' computed)))
        case $format in
        v1) equal "headers of v1" 0 "$grown" ;;
        v2) equal "headers of v2" 16 "$grown" ;;
        esac
    done
done
printf '{"value":1}\n' | stream 2 size
says "line 1"
printf '{}\nx\n' | stream 2 size -J
says "line 2"
json_error EINVAL
stream 2 size </dev/null
printf '{}\n' | stream 2 size --format v9
printf '{}\n' | stream 1 size nowhere

# stat
stream 0 stat log
quiet
row segments 1
row messages 4
row oldest 0
row "next offset" 5
row format v2
row "key index" yes
row "time index" yes
stream 0 stat log -J
json 'length == 1 and (.[0] | keys_unsorted == ["segments","messages","size","oldest","next_offset","format","key_index","time_index"])'
json '.[0] | .segments == 1 and .messages == 4 and .oldest == 0 and .next_offset == 5 and .format == "v2" and .key_index and .time_index'
equal "the size is that of the files" "$(cat log/*.log log/*.index | wc -c)" "$(jq .size .out)"
"$stele" stream trim log --count 1 >/dev/null || fail trim
stream 0 stat log -J
json '.[0] | .messages == 1 and .oldest == 4 and .next_offset == 5'
"$stele" stream rm log 4 >/dev/null || fail rm
stream 0 stat log -J
json '.[0] | .messages == 0 and .oldest == null and .next_offset == 5'
stream 0 stat log
row oldest none
stream 1 get log newest -J
json_error EOFFSET
seq 100 | publish old --format v1 --rollover 500
stream 0 stat old -J
json '.[0].format == "v1" and (.[0].key_index or .[0].time_index | not)'
seq 100 | publish old --format v2 --rollover 500
stream 0 stat old -J
json '.[0].format == "mixed" and .[0].messages == 200'

for verb in "get nowhere 0" "get nowhere --key a" "offset nowhere --key a" "next nowhere" "stat nowhere" "check nowhere"; do
    stream 1 $verb
    silent
    stream 1 $verb -J
    json_error ENOTFOUND
done

# Without the index that is needed.
seq 5 | publish plain
for verb in "get plain --key 1" "get plain --time 1" "offset plain --key 1" "offset plain --time 1"; do
    stream 8 $verb -J
    json_error ENOINDEX
done
