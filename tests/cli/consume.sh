#!/bin/bash
# SPDX-License-Identifier: MIT
# consume.sh: reading messages in order.
. "$(dirname "$0")/lib.sh"

# 100 messages in several segments: offset i, key "k<i mod 5>" but none for
# every tenth, value "v<i>", time 1000 + i seconds.
for i in $(seq 0 99); do
    if [ $((i % 10)) -eq 0 ]; then
        echo "{\"value\":\"v$i\",\"time\":$((1000 + i))000000}"
    else
        echo "{\"key\":\"k$((i % 5))\",\"value\":\"v$i\",\"time\":$((1000 + i))000000}"
    fi
done | publish log -J --key-index --time-index --rollover 500
[ "$("$stele" stream stat log -J | jq .segments)" -gt 5 ] || fail "several segments"

values() { seq "$1" "$2" | sed 's/^/v/'; }

stream 0 consume log
quiet
is "$(values 0 99)"
stream 0 consume log -e -o oldest
is "$(values 0 99)"
stream 0 consume log -o 40
is "$(values 40 99)"
stream 0 consume log --offset=40 -c 5
is "$(values 40 44)"
stream 0 consume log -o 99
is v99
stream 0 consume log -o -1
is v99
stream 0 consume log -o -7
is "$(values 93 99)"
stream 0 consume log -o -100
is "$(values 0 99)"
stream 0 consume log -o -1000000
is "$(values 0 99)"
stream 0 consume log -o -9223372036854775807 -c 1
is v0
stream 0 consume log -o newest
silent
stream 0 consume log -o 100
silent
stream 0 consume log -c 9223372036854775807
is "$(values 0 99)"
stream 0 consume log -o @1050000000
is "$(values 50 99)"
stream 0 consume log -o @1970-01-01T00:17:30.000001Z
is "$(values 51 99)"
stream 0 consume log -o @0
is "$(values 0 99)"
stream 0 consume log -o @2000000000
silent

# One key, or none.
stream 0 consume log --key k3 -J
json 'length == 20 and all(.key == "k3") and (map(.offset) == [range(3; 100; 5)])'
stream 0 consume log --key k3 -o -3
is "$(printf 'v88\nv93\nv98')"
stream 0 consume log --key k3 -o -1000
equal "all of a key" 20 "$(wc -l <.out)"
stream 0 consume log --key k3 -o 50 -c 2
is "$(printf 'v53\nv58')"
stream 0 consume log --key nobody
silent
stream 0 consume log --key nobody -o -5
silent
stream 0 consume log --no-key
is "$(seq 0 10 90 | sed 's/^/v/')"
stream 0 consume log --no-key -o -2
is "$(printf 'v80\nv90')"
stream 0 consume log --key hex:6b33 -c 1
is v3

# Layouts.
stream 0 consume log -o 11 -c 1 -f '%o|%k|%s|%T|%%|\t|\n'
equal "layout" "$(printf '11|k1|v11|1011000000|%%|\t|\n' | od -c)" "$(od -c <.out)"
stream 0 consume log -o 10 -c 3 -f '%k=%s '
is "=v10 k1=v11 k2=v12 "
stream 0 consume log -c 2 -f ''
silent
stream 0 consume log -c 1 -f '\\%%s'
is '\%s'
for bad in '%' '%x' '\x' 'abc\' '%5o'; do
    stream 2 consume log -f "$bad"
    says "option -f"
    silent
done

# JSON.
stream 0 consume log -o 9 -c 2 -J
quiet
is '{"offset":9,"time":"1970-01-01T00:16:49.000000Z","key":"k4","value":"v9"}
{"offset":10,"time":"1970-01-01T00:16:50.000000Z","key":null,"value":"v10"}'

# After deletions: offsets are missing, -N still means N messages.
"$stele" stream rm log 91 92 93 95 97 98 99 >/dev/null || fail rm
stream 0 consume log -o -4
is "$(printf 'v89\nv90\nv94\nv96')"
stream 0 consume log -o 91
is "$(printf 'v94\nv96')"
stream 0 consume log -o -93
equal "all that are left" 93 "$(wc -l <.out)"
"$stele" stream trim log --offset 50 >/dev/null || fail trim
stream 0 consume log -c 1
is v50
stream 0 consume log -o 3 -c 1
is v50

# Bad input.
stream 2 consume log -o 101
stream 2 consume log -o 101 -J
json_error EOFFSET
stream 2 consume log -o 101 --key k1
for bad in x -x '' -0 1x @ @x 9223372036854775808 -9223372036854775809; do
    stream 2 consume log -o "$bad"
    silent
done
stream 2 consume log --key a --no-key
stream 2 consume log -e --follow
stream 2 consume log -J -f '%s'
stream 1 consume nowhere
says nowhere
stream 1 consume nowhere -J
json_error ENOTFOUND
[ ! -e nowhere ] || fail "reading creates nothing"

# Without the index that is needed.
seq 5 | publish plain
stream 8 consume plain --key 1
stream 8 consume plain --key 1 -J
json_error ENOINDEX
stream 8 consume plain --no-key
stream 8 consume plain -o @5
stream 8 consume plain --key-index
stream 8 consume plain --time-index -J
json_error EMISMATCH

# An empty stream, and an empty directory.
stream 0 publish nothing </dev/null
mkdir bare
for dir in nothing bare; do
    for from in oldest newest 0 -1 -10; do
        stream 0 consume $dir -o $from
        silent
    done
    stream 2 consume $dir -o 1
done

# Tails that a writer leaves are no failure: zeros, and half a message.
seq 100 | publish tail
cp -r tail torn
truncate -s +5000 tail/*.log
stream 0 consume tail
is "$(seq 100)"
printf '\1\2\3\4\5\6\7' >>torn/00000000000000000000.log
stream 0 consume torn
is "$(seq 100)"
# A reader that stops reading is no failure of the command's own.
seq 100000 | publish long
"$stele" stream consume long | head -n 1 >.out
is 1
