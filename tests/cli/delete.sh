#!/bin/bash
# SPDX-License-Identifier: MIT
# delete.sh: rm, trim and compact.
. "$(dirname "$0")/lib.sh"

for i in $(seq 0 99); do
    printf '{"key":"k%d","value":"v%d","time":%d000000}\n' $((i % 5)) "$i" $((1000 + i))
done >messages
publish whole -J --key-index --time-index --rollover 700 <messages

fresh() { rm -rf log; cp -r whole log; }
offsets() { "$stele" stream consume log -f '%o '; }
size() { "$stele" stream stat log -J | jq .size; }

# deletes COUNT LEFT VERB ARGS...: a dry run changes nothing and prints what
# the verb then does, in numbers and in bytes; LEFT is what remains.
deletes() {
    local count=$1 left=$2 verb=$3 total segments
    shift 3
    fresh
    total=$(size)
    content log >before
    stream 0 "$verb" log "$@" --dry-run -J
    json "length == 1 and (.[0] | keys_unsorted == [\"deleted\",\"size\",\"dry_run\"] and .deleted == $count and .dry_run == true)"
    promised=$(jq -c 'del(.dry_run)' .out)
    content log | cmp -s - before || fail "a dry run changes nothing"
    stream 0 "$verb" log "$@" --dry-run
    row "would delete" "$count"
    stream 0 "$verb" log "$@" -J
    is "$promised"
    equal "what is left" "$left" "$(offsets)"
    # The files became smaller by that, or more where whole segments went; a
    # new head may have come with the two headers of 8 bytes.
    [ $((total - $(size) + 16)) -ge "$(jq .size .out)" ] || fail "the size"
    stream 0 check log
    equal "the next offset stays" 100 "$("$stele" stream next log)"
    stream 0 "$verb" log "$@" -J
}

range() { seq "$1" "$2" | tr '\n' ' '; }
all_but() { seq 0 99 | grep -vxE "$1" | tr '\n' ' '; }

# rm
deletes 1 "$(range 1 99)" rm 0
deletes 1 "$(range 0 98)" rm 99
deletes 3 "$(all_but '7|50|93')" rm 93 7 50
deletes 1 "$(all_but 50)" rm 50 50 100 1000000
deletes 0 "$(range 0 99)" rm 100 5000
deletes 100 "" rm $(seq 0 99)
json '.[0].deleted == 0' # the second time there was nothing left
fresh
stream 0 rm log 3
row deleted 1
row size "$(jq -c '{key, value}' messages | sed -n 4p | "$stele" stream size log) bytes"
# An offset before the first segment is passed over too.
"$stele" stream trim log --offset 50 >/dev/null || fail trim
stream 0 rm log 3 60 -J
json '.[0].deleted == 1'
stream 0 rm log 3 -J
json '.[0].deleted == 0'
fresh
stream 2 rm log
for bad in x 1x '' 9223372036854775808 9223372036854775807; do
    stream 2 rm log 5 "$bad"
done
stream 2 rm log 5 -- -1
equal "nothing was deleted by those" "$(range 0 99)" "$(offsets)"
stream 1 rm nowhere 1
stream 1 rm nowhere 1 --dry-run

# trim
deletes 30 "$(range 30 99)" trim --offset 30
deletes 0 "$(range 0 99)" trim --offset 0
deletes 100 "" trim --offset 100
deletes 90 "$(range 90 99)" trim --count 10
deletes 0 "$(range 0 99)" trim --count 100
deletes 0 "$(range 0 99)" trim --count 1000
deletes 51 "$(range 51 99)" trim --before 1050000000
deletes 51 "$(range 51 99)" trim --before 1970-01-01T00:17:30Z
deletes 0 "$(range 0 99)" trim --before 1
deletes 100 "" trim --before 2100000000
deletes 100 "" trim --age 1d
deletes 0 "$(range 0 99)" trim --age 30000d
fresh
stream 0 trim log --size 2000 --dry-run -J
promised=$(jq .deleted .out)
[ "$promised" -gt 0 ] || fail "something is removed"
stream 0 trim log --size 2000 -J
json ".[0].deleted == $promised"
[ "$(size)" -lt 2000 ] || fail "less than 2000 bytes remain"
[ "$(size)" -gt 1500 ] || fail "not much less than that"
stream 0 trim log --count 3 --wait 1ms
row deleted $((100 - promised - 3))
stream 2 trim log
stream 2 trim log --count 1 --offset 5
stream 2 trim log --count 0
stream 2 trim log --age 1d --before 5
stream 1 trim nowhere --count 1

# compact: every key comes again; a message without a value deletes its key.
deletes 95 "$(range 95 99)" compact
deletes 95 "$(range 95 99)" compact --updates
deletes 95 "$(range 95 99)" compact --updates --deletes
deletes 0 "$(range 0 99)" compact --deletes
deletes 0 "$(range 0 99)" compact --age 30000d
rm -rf whole
{
    cat messages
    echo '{"key":"k1","time":1100000000}'
    echo '{"key":"new","time":1101000000}'
    echo '{"value":"no key","time":1102000000}'
    echo '{"value":"no key","time":1103000000}'
    echo '{"time":1104000000}'
} | publish whole -J --key-index --time-index --rollover 700
fresh
for args in "" "--updates" "--deletes" "--updates --deletes"; do
    fresh
    promised=$("$stele" stream compact log $args -J --dry-run | jq -c 'del(.dry_run)')
    stream 0 compact log $args -J
    is "$promised"
    case $args in
    "" | "--updates --deletes") equal "compact $args" "95 97 98 99 102 103 104 " "$(offsets)" ;;
    --updates) equal "compact $args" "95 97 98 99 100 101 102 103 104 " "$(offsets)" ;;
    --deletes) equal "compact $args" "$(all_but x)100 102 103 104 " "$(offsets)" ;;
    esac
    stream 0 check log
done
# Twice gives nothing more.
fresh
"$stele" stream compact log >/dev/null || fail compact
stream 0 compact log -J
is '{"deleted":0,"size":0}'
# Young messages are left alone: these were published now.
jq -c 'del(.time)' messages | publish young -J
stream 0 compact young --age 1h -J
is '{"deleted":0,"size":0}'
stream 0 compact young -J --wait 1ms
json '.[0].deleted == 95'
stream 1 compact nowhere

# A stream of both formats: the dry run knows what each segment takes.
rm -rf whole
head -n 50 messages | publish whole -J --format v1 --rollover 700 --key-index
tail -n 50 messages | publish whole -J --format v2 --rollover 700
stream 0 stat whole -J
json '.[0].format == "mixed"'
deletes 95 "$(range 95 99)" compact
deletes 60 "$(range 60 99)" trim --offset 60
deletes 4 "$(all_but '5|20|70|80')" rm 5 20 70 80
