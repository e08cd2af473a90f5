#!/bin/bash
# SPDX-License-Identifier: MIT
# docs_check.sh: validate and reindex, of what is whole and of what is damaged.
. "$(dirname "$0")/lib.sh"
exec </dev/null

seq 100 | sed 's/.*/{"id":"&","doc":{"@type":"t","n":&}}/' | docs 0 load db
docs 0 type add db - <<<'{"name":"t","keys":[{"name":"n","fields":["n"],"method":"number","unique":true}],"version":1}'
docs 0 validate db
row checked 100
row mended 0
row faults 0
quiet
docs 0 validate db -J
is '{"checked":100,"mended":0,"faults":0}'
docs 0 validate db --mend -J
is '{"checked":100,"mended":0,"faults":0}'
docs 2 validate db --dry-run

docs 0 reindex db --dry-run -J
is '{"documents":100,"dry_run":true}'
docs 0 reindex db -J
is '{"documents":100}'
docs 0 reindex db
row documents 100
docs 0 validate db

# What follows from the documents is damaged, as nothing but another program could: it is found,
# told, and mended.
key() { "$stele" store range db "$1" --keys-only | sed -n "$2p"; }
damage() {
    "$stele" store del db idx "$(key idx 5)"
    "$stele" store put db kdt "$(key kdt 7)" b64:AQ==
    "$stele" store put db cfl nonsense b64:AQ==
    "$stele" store del db chk "$(key chk 1)"
} >/dev/null
damage
docs 3 validate db -J
says db fault
json_error ECORRUPT
json '(.[:-1] | length >= 4 and all(keys == ["error","id"] or keys == ["error","id_b64"])) and
    any(.id == null) and (.[-1] | .checked == 100 and .mended == 0 and .faults >= 4)'
faults=$(tail -n 1 .out | jq .faults)
equal "a line for each" "$((faults + 1))" "$(wc -l <.out)"
docs 3 validate db
row faults "$faults"
docs 3 validate db --mend --dry-run -J
json ".[-1] == {checked: 100, mended: 0, faults: $faults, dry_run: true}"
docs 3 validate db
docs 0 validate db --mend -J
json ".[-1] == {checked: 100, mended: $faults, faults: 0} and length == $((faults + 1))"
docs 0 validate db
damage
docs 0 reindex db
docs 0 validate db
docs 0 search db t n=57
is '57	{"@type":"t","n":57}'

# What no other part can give again is a fault that stays.
"$stele" store del db dat 33 >/dev/null
docs 3 validate db
docs 3 validate db --mend -J
json '.[-1].faults > 0'
says db fault

# What a peer may have that is no JSON here is printed as bytes, and not loaded again.
docs 0 set odd a '{}'
store 0 put odd dat a '{"a": 1e400}'
docs 0 get odd a
is '{"a": 1e400}'
docs 0 get odd a -J
is '{"id":"a","doc_b64":"eyJhIjogMWU0MDB9"}'
docs 0 list odd
is 'a	b64:eyJhIjogMWU0MDB9'
docs 0 dump odd
cp .out dumped
docs 2 load odd.copy -J <dumped
says "line 1"

# Damaged values are never given.
data=db/gen-1/data.mdb
for at in $(grep -abo '"n":77}' $data | cut -d: -f1); do
    flip $data $((at + 4))
done
docs 3 get db 77 -J
json_error ECORRUPT
says db 77
silent
docs 3 dump db
docs 3 backup db out
[ ! -e out ] && [ ! -e out.tmp ] || fail "no half of a backup"
docs 3 validate db

# Pages: whichever is damaged, validation ends with 0 or 3, or with 8 if the database is not known as
# one any more, and says what it found.
rm -rf pages
seq 300 | sed 's/.*/{"id":"&","doc":{"@type":"t","n":&,"text":"the text of &"}}/' | docs 0 load pages
data=pages/gen-1/data.mdb
cp $data whole
size=$(stat -c %s whole)
for ((page = 0; page * 4096 < size; page++)); do
    for at in 10 18 1000 ${STELE_FULL:+0 12}; do
        cp whole $data
        flip $data $((page * 4096 + at))
        last="stele docs validate, page $page at $at"
        "$stele" docs validate pages -J >.out 2>.err
        rc=$?
        [[ $rc == [038] ]] || fail "0, 3 or 8"
        [ $rc -eq 0 ] || [ -s .err ] || fail "it says what"
    done
done
cp whole $data
docs 0 validate pages

# A store of another kind, and a form that is to come.
store 0 put other bucket key value
was=$("$stele" store hash other)
: >file
for command in "get other a" "list other" "stat other" "set other a {}" "load other" "type list other" "validate other" \
    "restore other file" "backup other out"; do
    docs 8 $command -J
    says other
    json_error EMISMATCH
    silent
done
equal "nothing changed" "$was" "$("$stele" store hash other)"
docs 0 set form a '{}'
store 0 put form met kind b64:AmRvY3M=
docs 3 get form a -J
json_error EVERSION
docs 3 set form a '{}'
