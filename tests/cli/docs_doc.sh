#!/bin/bash
# SPDX-License-Identifier: MIT
# docs_doc.sh: set, get, del, has, patch, list and history.
. "$(dirname "$0")/lib.sh"
exec </dev/null

# A reading verb makes nothing; a writing one that removes neither.
for command in "get db a" "has db a" "list db" "search db t" "dump db" "log db" "history db a" "feed db" \
    "conflicts db" "checkpoints db" "stat db" "validate db" "type list db" "backup db out" "del db a" \
    "del db a --dry-run" "patch db a {}" "reindex db" "reindex db -n" "validate db --mend" "feed db --follow"; do
    docs 1 $command
    says db
    silent
    [ ! -e db ] && [ ! -e out ] || fail "nothing was made"
done

# What is set comes back byte for byte, white space and spelling of numbers included.
json='{ "@type" : "lamp",
  "n": 1.50, "b": 10e2, "a": "é\u00e9\n\/", "z": [ ] }'
docs 0 set db a "$json" -J
is '{"ok":true}'
quiet
docs 0 get db a
[ "$(out; echo .)" = "$json." ] || fail "byte for byte"
docs 0 get db a -J
is '{"id":"a","doc":{"@type":"lamp","n":1.50,"b":10e2,"a":"é\u00e9\n\/","z":[]}}'
docs 0 set db a - <<<' {"from" : "input"} '
row ok yes
grep -qE '^version +[0-9]+\.[0-9]+\.[0-9]+$' .out || fail "the version"
docs 0 get db a
is ' {"from" : "input"} '
docs 0 set db a <<<'{}'
docs 0 get db a
is '{}'
docs 0 has db a
is yes
docs 0 has db a -J
is '{"has":true}'
docs 1 has db b -J
is '{"has":false}'
json_error ENOTFOUND
docs 1 has db b
is no
docs 1 get db b -J
says db b
json_error ENOTFOUND
silent

# Below directories that are not there.
docs 0 set below/it/db a '{}'

# What cannot be a document changes nothing, and makes no database.
bad() {
    local code=$1
    shift
    docs 2 set new x "$1" -J
    json_error $code
    [ ! -e new ] || fail "nothing was made"
    docs 2 set db a "$1"
    docs 0 get db a
    is '{}'
}
bad EINVAL ''
bad EINVAL '{'
bad EINVAL '[]'
bad EINVAL '1'
bad EINVAL 'null'
bad EINVAL '{}{}'
bad EINVAL '{"a":1,"a":2}'
bad EINVAL '{"b":{"a":1,"a":2}}'
bad EINVAL "{\"a\":\"$(printf '\xff')\"}"
bad EINVAL '{"a":1e400}'
bad EINVAL '{"a":123456789012345678901}'
bad EINVAL '{"a":"\ud800"}'
bad EINVAL '{"a":01}'
bad EINVAL "{'a':1}"
docs 2 set db a "$(printf '{"a":'; printf '%*s' 128 '' | tr ' ' '['; printf '%*s' 128 '' | tr ' ' ']'; printf '}')" -J
json_error ETOOBIG
docs 0 set db deep "$(printf '{"a":'; printf '%*s' 127 '' | tr ' ' '['; printf '%*s' 127 '' | tr ' ' ']'; printf '}')"
{ printf '{"a":"'; head -c $((16 << 20)) /dev/zero | tr '\0' x; printf '"}'; } >large
docs 2 set db a - -J <large
json_error ETOOBIG
{ printf '{"a":"'; head -c $(((16 << 20) - 8)) /dev/zero | tr '\0' x; printf '"}'; } >large
docs 0 set db large - <large
docs 0 get db large
cmp -s large .out || fail "16 MiB come back"
docs 0 del db large
docs 2 set db
docs 2 set db a '{}' more
docs 2 get db
docs 2 get db a b

# IDs: hex, base64, as they are; their limits.
docs 0 set ids hex:00ff '{"n":1}'
docs 0 get ids b64:AP8= -J
is '{"id_b64":"AP8=","doc":{"n":1}}'
docs 0 set ids str:hex:1 '{"n":2}'
docs 0 list ids
is 'b64:AP8=	{"n":1}
str:hex:1	{"n":2}'
docs 0 get ids str:hex:1
for wrong in hex:0 hex:xy b64:a; do
    docs 2 set ids $wrong '{}' -J
    json_error EINVAL
    docs 2 get ids $wrong
    docs 2 del ids $wrong
done
docs 2 set new '' '{}' -J
json_error EINVAL
long=$(printf '%*s' 16384 '' | tr ' ' i)
docs 0 set ids "$long" '{}'
docs 0 has ids "$long"
docs 2 set new "${long}i" '{}' -J
json_error ETOOBIG
[ ! -e new ] || fail "nothing was made"

# del: with a dry run, of one that is not there; the version counts.
docs 0 set d a '{"n":1}'
docs 0 del d a --dry-run -J
is '{"ok":true,"dry_run":true}'
docs 0 del d a -n
row 'dry run' 'nothing was changed'
docs 0 get d a
docs 0 del d a -J
is '{"ok":true}'
docs 1 get d a
docs 1 del d a -J
json_error ENOTFOUND
docs 1 del d a --dry-run
docs 1 patch d a '{}'

# history: all that it was; of what never was there is none.
docs 0 set d a '{"n":2}'
docs 0 history d a -J
json 'map([.id, .op, .doc.n]) == [["a","set",1],["a","delete",null],["a","set",2]] and
    all(keys == ["doc","id","op","version"]) and .[1].doc == null and
    (map(.version | split(".") | map(tonumber)) | . == sort)'
docs 0 history d a
grep -qE '^[0-9]+\.[0-9]+\.[0-9]+	delete	a$' .out || fail "the deletion"
docs 1 history d b
says d b

# --if-version: that of history and log; 0.0.0 for none.
version() { "$stele" docs history d "$1" -J | tail -n 1 | jq -r .version; }
old=$(version a)
docs 0 set d a '{"n":3}' --if-version "$old"
docs 7 set d a '{"n":4}' --if-version "$old" -J
json_error ESTALE
says a
docs 7 set d a '{"n":4}' --if-version 0.0.0
docs 7 patch d a '{"n":4}' --if-version "$old"
docs 7 del d a --if-version "$old" -n
docs 7 del d a --if-version "$old"
docs 0 get d a
is '{"n":3}'
docs 0 patch d a '{"n":4}' --if-version "$(version a)"
docs 0 set d c '{}' --if-version 0.0.0
docs 7 set d c '{}' --if-version=0.0.0
docs 0 del d c --if-version "$(version c)"
docs 0 set d c '{"again":true}' --if-version 0.0.0
for wrong in 1 1.2 1.2.3.4 1..3 a.b.c -1.0.0 1.1000000000.1 1.0.4294967296 99999999999999999999.0.0 ''; do
    docs 2 set d a '{}' --if-version="$wrong" -J
    json_error EINVAL
done

# patch.
docs 0 set p a '{"a":1, "b":{"c":[1,2],"d":"x"}, "e":1.50}'
docs 0 patch p a '{"b":{"d":null,"f":true},"a":null,"g":2}' --dry-run -J
is '{"ok":true,"dry_run":true}'
docs 0 get p a
is '{"a":1, "b":{"c":[1,2],"d":"x"}, "e":1.50}'
docs 0 patch p a '{"b":{"d":null,"f":true},"a":null,"g":2}' -J
is '{"ok":true}'
docs 0 get p a
is '{"b":{"c":[1,2],"f":true},"e":1.5,"g":2}'
docs 0 patch p a <<<'{"b":null}'
docs 0 get p a
is '{"e":1.5,"g":2}'
docs 2 patch p a '[]' -J
json_error EINVAL
docs 2 patch p a '{'
docs 1 patch p b '{}'

# list: all, a prefix, between two, some, and from the end.
for id in a aa ab b ba c; do
    docs 0 set l $id "{\"id\": \"$id\"}"
done
docs 0 set l hex:ffff '{}'
ids() { docs 0 list l "$@" -J && equal "list $*" "$want" "$(jq -r '.id // .id_b64' .out | xargs)"; }
want='a aa ab b ba c //8=' ids
want='a aa ab' ids --prefix a
docs 2 list l --prefix a --start b
docs 2 list l --prefix a --limit-key b
want='ab b ba c //8=' ids --start ab
want='ab b' ids --start ab --limit-key ba
want='a aa ab' ids --limit-key b
want='a aa' ids -c 2
want='//8= c ba' ids --rev --count 3
want='ab aa a' ids --prefix a --rev
want='' ids --prefix zz
want='//8=' ids --prefix hex:ff
docs 2 list l -c 0
docs 0 list l --prefix ab
is 'ab	{"id":"ab"}'
docs 0 list l --prefix ab -J
is '{"id":"ab","doc":{"id":"ab"}}'
