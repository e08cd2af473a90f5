#!/bin/bash
# SPDX-License-Identifier: MIT
# follow.sh: consume --follow beside writers that come, die and go.
. "$(dirname "$0")/lib.sh"

lines_are() { [ "$(wc -l <"$1")" -ge "$2" ]; }
follow() { # FILE ARGS...
    local to=$1
    shift
    "$stele" stream consume "$@" --follow >"$to" 2>"$to.err" &
    children+=($!)
}
# ends SIGNAL PID CODE
ends() {
    kill "-$1" "$2" || fail "it was there"
    wait "$2"
    equal "exit code after SIG$1" "$3" $?
}

seq 100 | publish log --key-index --rollover 500
follow all log
all=${children[-1]}
follow last log -o -5 -J
last_pid=${children[-1]}
follow new log -o newest
new=${children[-1]}
follow counted log -o newest -c 3
counted=${children[-1]}
until_true 20 lines_are all 100 || fail "what is there comes at once"
until_true 20 lines_are last 5 || fail "the last five"

# A message is seen while the writer holds the stream, line by line.
mkfifo pipe
"$stele" stream publish log --rollover 500 <pipe >/dev/null &
writer=$!
children+=("$writer")
exec 3>pipe
printf '101\n' >&3
until_true 20 lines_are new 1 || fail "it is seen while the writer lives"
seq 102 150 >&3
until_true 20 lines_are new 50 || fail "over several segments too"
wait "$counted" || fail "-c ends it"
equal "three of them" "$(seq 101 103)" "$(cat counted)"
# The writer dies; the next one goes on.
kill -KILL "$writer"
wait "$writer" 2>/dev/null
exec 3>&-
seq 151 200 | publish log
until_true 20 lines_are new 100 || fail "it follows the next writer"
# Deletions and repair do not disturb it.
"$stele" stream trim log --count 20 >/dev/null || fail trim
"$stele" stream compact log >/dev/null || fail compact
"$stele" stream recover log >/dev/null || fail recover
seq 201 300 | publish log
for f in all last new; do
    case $f in
    all) n=300 ;;
    last) n=205 ;;
    new) n=200 ;;
    esac
    until_true 20 lines_are $f $n || fail "$f follows"
done
ends TERM "$all" 0
ends INT "$last_pid" 0
ends TERM "$new" 0
seq 300 | cmp -s - all || fail "all, once, in order"
seq 101 300 | cmp -s - new || fail "the new ones, once, in order"
jq -r .value last >values
seq 96 300 | cmp -s - values || fail "from the last five on"
for f in all last new; do
    [ ! -s $f.err ] || { cat $f.err; fail "nothing on standard error"; }
done

# One key only.
follow keyed log --key k
keyed=${children[-1]}
printf 'k=1\nj=2\nk=3\n' | publish log -K =
until_true 20 lines_are keyed 2 || fail "the key's messages"
equal "only those" "$(printf '1\n3')" "$(cat keyed)"
ends INT "$keyed" 0

# An empty stream, which gets its first message later.
publish empty </dev/null
follow first empty
first=${children[-1]}
sleep 0.2
printf 'hello\n' | publish empty
until_true 20 lines_are first 1 || fail "the first message"
ends TERM "$first" 0

# A reader that does not read does not keep it from ending.
head -c 3000000 /dev/zero | tr '\0' x | fold -w 1000 | publish large
mkfifo slow
"$stele" stream consume large --follow >slow 2>slow.err &
stuck=$!
children+=("$stuck")
exec 4<slow
head -n 1 <&4 >/dev/null
sleep 0.3
ends TERM "$stuck" 0
exec 4<&-

stream 1 consume nowhere --follow
