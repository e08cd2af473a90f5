#!/bin/bash
# SPDX-License-Identifier: MIT
# follow.sh: consume --follow beside writers that come, die and go.
. "$(dirname "$0")/lib.sh"

follow() { # FILE ARGS...
    local to=$1
    shift
    : >"$to"
    "$stele" stream consume "$@" --follow >"$to" 2>"$to.err" &
    children+=($!)
}
# ends SIGNAL PID CODE
ends() {
    kill "-$1" "$2" || fail "it was there"
    wait "$2"
    equal "exit code after SIG$1" "$3" $?
}

# has FILES COUNT: each has so many lines.
has() {
    local file
    for file in $1; do
        [ "$(wc -l <"$file")" -ge "$2" ] || return 1
    done
}
# wait_for FILES COUNT WHY
wait_for() { until_true 60 has "$1" "$2" || { cat -- *.err; fail "$3"; }; }

seq 100 | publish log --key-index --rollover 500
follow all log
all=${children[-1]}
follow last log -o -5 -J
last_pid=${children[-1]}
follow new log -o newest
new=${children[-1]}
follow counted log -o newest -c 3
counted=${children[-1]}
wait_for all 100 "what is there comes at once"
wait_for last 5 "the last five"

# A message is seen while the writer holds the stream, line by line. Those who
# begin at the newest say nothing when they have begun, so that numbers are
# sent until both have seen one: which they saw first depends on the machine.
mkfifo pipe
"$stele" stream publish log --rollover 500 <pipe >/dev/null &
writer=$!
children+=("$writer")
exec 3>pipe
sent=100
seen_while_sending() {
    sent=$((sent + 1))
    printf '%d\n' "$sent" >&3
    has "new counted" 1
}
until_true 60 seen_while_sending || fail "it is seen while the writer lives"
first_new=$(head -n 1 new)
first_counted=$(head -n 1 counted)
alive=$((sent + 50))
seq $((sent + 1)) $alive >&3
wait_for new $((alive - first_new + 1)) "over several segments too"
wait "$counted" || fail "-c ends it"
equal "three of them" "$(seq "$first_counted" $((first_counted + 2)))" "$(cat counted)"
# The writer dies; the next one goes on.
kill -KILL "$writer"
wait "$writer" 2>/dev/null
exec 3>&-
next=$((alive + 50))
seq $((alive + 1)) $next | publish log
# Everyone has to have read what will be removed.
wait_for all $next "it follows the next writer"
wait_for last $((next - 95)) "from the last five on, too"
wait_for new $((next - first_new + 1)) "from the newest on, too"
# Deletions and repair do not disturb it.
"$stele" stream trim log --count 20 >/dev/null || fail trim
"$stele" stream compact log >/dev/null || fail compact
"$stele" stream recover log >/dev/null || fail recover
end=$((next + 100))
seq $((next + 1)) $end | publish log
wait_for all $end "it follows after deletions"
wait_for last $((end - 95)) "from the last five on, too"
wait_for new $((end - first_new + 1)) "from the newest on, too"
ends TERM "$all" 0
ends INT "$last_pid" 0
ends TERM "$new" 0
seq $end | cmp -s - all || fail "all, once, in order"
seq "$first_new" $end | cmp -s - new || fail "the new ones, once, in order"
jq -r .value last >values
seq 96 $end | cmp -s - values || fail "from the last five on"
for f in all last new counted; do
    [ ! -s $f.err ] || { cat $f.err; fail "nothing on standard error"; }
done

# One key only.
follow keyed log --key k
keyed=${children[-1]}
printf 'k=1\nj=2\nk=3\n' | publish log -K =
wait_for keyed 2 "the key's messages"
equal "only those" "$(printf '1\n3')" "$(cat keyed)"
ends INT "$keyed" 0

# An empty stream, which gets its first message later.
publish empty </dev/null
follow first empty
first=${children[-1]}
sleep 0.2
printf 'hello\n' | publish empty
wait_for first 1 "the first message"
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
