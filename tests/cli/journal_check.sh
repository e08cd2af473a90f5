#!/bin/bash
# SPDX-License-Identifier: MIT
# journal_check.sh: check, and playing and recording what is torn or damaged.
. "$(dirname "$0")/lib.sh"

values() { jq -r .value .out | xargs; }
upto() { seq "$1" "$2" | xargs; }

# Operations of one size: a frame's head of 24 bytes, 10 of the operation, 2 of the key with its
# length, and a value of 12 bytes: 48. They begin behind a header of 32.
fixed() {
    local i
    for i in $(seq "$1" "$2"); do
        printf '{"op":"put","key":"k","value":"%012d","timestamp":%d}\n' "$i" "$i"
    done
}
place() { echo $((32 + 48 * ($1 - 1))); } # of operation N in the first log
numbers() { jq -r '.value | ltrimstr("0") | sub("^0+"; "")' .out | xargs; }

# faulty DIR FILE: check finds a fault in that file.
faulty() {
    content "$1" >before
    journal 3 check "$1"
    says fault
    row ok no
    journal 3 check "$1" -J
    json_error ECORRUPT
    json 'length >= 2 and (.[:-1] | all(keys == ["error","position","segment"] and (.error | length > 0)))'
    json '.[-1] | keys_unsorted == ["ok","segments","ops"] and .ok == false'
    json "any(.[:-1][]; .segment == \"$2\")"
    content "$1" | cmp -s - before || fail "check changes nothing"
}

# refused DIR: a recorder refuses it, and changes nothing.
refused() {
    content "$1" >before
    fixed 1 1 | journal 3 record "$1" -J
    json_error ECORRUPT
    silent
    content "$1" | cmp -s - before || fail "a recorder that is refused changes nothing"
}

# ---- What is whole. ----

fixed 1 50 | record whole
fixed 51 100 | record whole
journal 0 check whole
quiet
row ok yes
row segments 2
row ops 100
journal 0 check whole -J
is '{"ok":true,"segments":2,"ops":100}'
# The last place: operation 5 and a checksum that begins with "0" read like it.
equal "size of an operation" "$(place 51)" "$(LC_ALL=C grep -abo 000000000050 whole/*.log | tail -n 1 | cut -d: -f2 | awk '{ print $1 + 12 }')"
logs=(whole/*.log)
first=$(basename "${logs[0]}")
second=$(basename "${logs[1]}")

# ---- Damage to what was durable. ----

# A byte of an operation: what precedes is played; nobody records or merges.
for n in 1 30 50; do
    rm -rf log
    cp -r whole log
    flip "log/$first" $(($(place $n) + 40))
    faulty log "$first"
    json "any(.[:-1][]; .segment == \"$first\" and .position == $(place $n))"
    journal 3 play log -J
    json_error ECORRUPT
    says "$first" "$(place $n)"
    equal "what precedes" "$(upto 1 $((n - 1)))" "$(numbers)"
    journal 3 play log
    equal "what precedes" $((n - 1)) "$(wc -l <.out)"
    if [ $n -gt 1 ]; then
        journal 0 play log -J --until-count $((n - 1))
    fi
    journal 3 play log --until-count $n
    journal 3 snapshot log
done
# Of the newest log, which was sealed.
rm -rf log
cp -r whole log
flip "log/$second" $(($(place 20) + 30))
faulty log "$second"
journal 3 play log -J
equal "what precedes" "$(upto 1 69)" "$(numbers)"
refused log
# A header.
for file in "$first" "$second"; do
    rm -rf log
    cp -r whole log
    flip "log/$file" 17
    faulty log "$file"
    journal 3 play log
    refused log
done
# A log that is missing, or too short.
rm -rf log
cp -r whole log
rm "log/$first"
journal 3 check log -J
json '.[-1].ok == false'
journal 3 play log -J
silent
refused log
rm -rf log
cp -r whole log
truncate -s "$(place 40)" "log/$first"
faulty log "$first"
journal 3 play log -J

# ---- Snapshots. ----

rm -rf log
cp -r whole log
journal 0 snapshot log
fixed 101 110 | record log
snap=$(basename log/*.snap)
journal 0 check log -J
is '{"ok":true,"segments":2,"ops":11}'
flip "log/$snap" 60
faulty log "$snap"
journal 3 play log -J
silent
says "$snap"
json_error ECORRUPT
journal 3 snapshot log
# The one before it, and its logs, are still there: played, and told.
rm -rf log
cp -r whole log
journal 0 snapshot log
fixed 101 110 | record log
old=$(basename log/*.snap)
cp -r log kept
journal 0 snapshot log
snap=$(basename log/*.snap)
cp kept/*.snap kept/*.log log
journal 0 play log -J
equal "the newer snapshot" "110" "$(numbers)"
quiet
flip "log/$snap" 60
faulty log "$snap"
journal 0 play log -J
equal "the older one and its logs" "$(upto 100 110)" "$(numbers)"
says note: damaged "$old"
# The next recorder puts it aside.
fixed 111 111 | journal 0 record log
ls log/quarantine-"$snap"-* >/dev/null || fail "in quarantine"
journal 0 play log -J
quiet
equal "goes on" "$(upto 100 111)" "$(numbers)"
journal 0 check log
# Both are damaged.
rm -rf log
cp -r kept log
journal 0 snapshot log
cp kept/*.snap kept/*.log log
for file in log/*.snap; do
    flip "$file" 60
done
journal 3 play log -J
silent

# ---- Torn: what a crash leaves. ----

# killed N: a log with so many operations, by a recorder that was killed.
killed() {
    rm -rf log pipe
    mkfifo pipe
    "$stele" journal record log --ack "$1" <pipe >acks 2>.err &
    local recorder=$!
    children=("$recorder")
    exec 3>pipe
    fixed 1 "$1" >&3
    got() { [ -s acks ]; }
    until_true 20 got || fail "acknowledged"
    kill -KILL "$recorder"
    wait "$recorder" 2>/dev/null
    exec 3>&-
    children=()
    newest=$(basename log/*.log)
}

# A tail of zeros is no fault, and nothing to be told.
killed 20
journal 0 check log
quiet
row ops 20
journal 0 play log -J
quiet
equal "all of it" "$(upto 1 20)" "$(numbers)"
# Half an operation is a fault for check, a note for play, and cut by the next recorder.
for len in 1 23 24 40 500; do
    killed 20
    head -c $len /dev/urandom | tr '\0' x | dd of="log/$newest" bs=1 seek="$(place 21)" conv=notrunc status=none
    faulty log "$newest"
    json ".[-1].ops == 20"
    content log >before
    journal 0 play log -J
    equal "all of it" "$(upto 1 20)" "$(numbers)"
    says note: "$newest" "$(place 21)"
    journal 0 play log -J --until-count 20
    journal 0 stat log -J
    json '.[0].count == 20'
    content log | cmp -s - before || fail "reading changes nothing"
    cp -r log snapped
    fixed 21 22 | journal 0 record log -J
    is '{"recorded":2}'
    says note: "$newest"
    equal "what was cut" "$len" "$(tr -d '\0' <"$(ls log/quarantine-*)" | wc -c)"
    journal 0 play log -J
    quiet
    equal "goes on" "$(upto 1 22)" "$(numbers)"
    journal 0 check log
    # A snapshot mends it as well.
    journal 0 snapshot snapped
    says note: "$newest"
    [ -s "$(ls snapped/quarantine-*)" ] || fail "what was cut"
    journal 0 play snapped -J
    quiet
    equal "the state" 20 "$(numbers)"
    rm -rf snapped
done

# Left over files, and foreign ones, are told, and no faults.
fixed 1 2 | record left
echo x >left/1.unfinished
echo x >left/README
echo x >left/0001.log
journal 0 check left -J
says 1.unfinished README 0001.log note:
json '.[-1] | .ok and .segments == 1 and .ops == 2'
fixed 3 3 | record left
[ ! -e left/1.unfinished ] || fail "the recorder removes what is left over"
equal "and nothing else" xx "$(cat left/README left/0001.log | tr -d '\n')"
