#!/bin/bash
# SPDX-License-Identifier: MIT
# docs_load.sh: load and dump.
. "$(dirname "$0")/lib.sh"

cat >want <<'END'
{"id":"a","doc":{}}
{"id":"b\n\"","doc":{"é":"\u00e9 x","n":[1.50,10e2,-0,0.1E-2,true,null,{"b":1,"a":2}]}}
{"id":"c","doc":{"@type":"t","s":"a \" b: , } ]","e":"\\"}}
{"id_b64":"/w==","doc":{"x":1}}
END
# White space goes, within strings it stays; names come in any order, or with escapes.
cat >lines <<'END'
{"id":"a","doc":{ }}
 { "doc" : { "é" : "\u00e9 x" , "n" : [ 1.50, 10e2,-0 , 0.1E-2 ,true, null,	{"b":1,"a":2 } ] } , "id" : "b\n\"" }
{"\u0064oc":{"@type":"t","s":"a \" b: , } ]","e":"\\"},"id":"c"}
{"id_b64":"/w==","doc_b64":"eyAieCI6IDF9"}
END
for options in "" -J; do
    rm -rf db
    docs 0 load db $options <lines
    quiet
    docs 0 dump db
    cmp -s want .out || fail "what was loaded ($options)"
done
is "$(cat want)"
docs 0 load db -J <want
is '{"ok":true}'
docs 0 load db <want
row documents 4
docs 0 dump db -J
cmp -s want .out || fail "again: the same"
docs 0 load db </dev/null
row documents 0
# What a line has is kept as it stands there.
sed -n 2p lines | docs 0 load spaced
docs 0 get spaced 'b
"'
is '{ "é" : "\u00e9 x" , "n" : [ 1.50, 10e2,-0 , 0.1E-2 ,true, null,	{"b":1,"a":2 } ] }'
docs 0 get db 'b
"'
is '{"é":"\u00e9 x","n":[1.50,10e2,-0,0.1E-2,true,null,{"b":1,"a":2}]}'
docs 0 get db hex:ff
is '{"x":1}'

# bad TEXT MESSAGE...: as line 3, it is refused; the two before it stay.
lines() { seq "$1" "$2" | sed 's/.*/{"id":"&","doc":{"@type":"t","n":&}}/'; }
ids() { "$stele" docs list "$1" -J 2>/dev/null | jq -r .id | xargs; }
bad() {
    local text=$1 code=EINVAL
    shift
    [[ ${1:-} != E* ]] || { code=$1 && shift; }
    rm -rf bad.db
    { lines 1 2; printf '%s\n' "$text"; lines 4 4; } | docs 2 load bad.db -J
    says "line 3" "$@"
    json_error $code
    silent
    equal "those before stay" "1 2" "$(ids bad.db)"
}
bad ''
bad '{'
bad '[1]' "not a JSON object"
bad '{}' 'no "id"'
bad '{"id":null,"doc":{}}' 'no "id"'
bad '{"id":1,"doc":{}}' '"id" is not a string'
bad '{"id":"","doc":{}}' 'no bytes'
bad '{"id":"a"}' 'no "doc"'
bad '{"id":"a","doc":null}' 'no "doc"'
bad '{"id":"a","doc":1}'
bad '{"id":"a","doc":"{}"}'
bad '{"id":"a","doc":[]}'
bad '{"id":"a","doc":{"a":1,"a":2}}'
bad '{"id":"a","doc":{"a":1e400}}'
bad "{\"id\":\"a\",\"doc\":{\"a\":\"$(printf '\xff')\"}}"
bad '{"id":"a","doc":{},"more":1}' 'unknown field "more"'
bad '{"id":"a","id_b64":"YQ==","doc":{}}' 'both "id" and "id_b64"'
bad '{"id":"a","doc":{},"doc_b64":"e30="}' 'both "doc" and "doc_b64"'
bad '{"id":"a","doc_b64":"e30"}' base64
bad '{"id":"a","doc_b64":"W10="}' object
bad "{\"id\":\"$(printf '%*s' 16385 '' | tr ' ' i)\",\"doc\":{}}" ETOOBIG
deep=$(printf '%*s' 128 '')
bad "{\"id\":\"a\",\"doc\":{\"a\":${deep// /[}${deep// /]}}}" ETOOBIG

# A key that another document owns, on the same way; the line and the owner are named.
docs 0 type add unique - <<<'{"name":"t","keys":[{"name":"k","fields":["n"],"method":"number","unique":true}],"version":1}'
{ lines 1 2; printf '{"id":"x","doc":{"@type":"t","n":1}}\n'; lines 4 5; } | docs 7 load unique -J
says "line 3" "key k" "document 1"
json_error ECONFLICT
silent
equal "those before stay" "1 2" "$(ids unique)"
docs 0 validate unique

# Line numbers beyond a batch; a bad line in the middle of one.
{ lines 10001 12500; echo '{"id":"a","doc":[]}'; lines 1 10; } | docs 2 load far -J
says "line 2501"
equal "loaded before it" 2500 "$("$stele" docs dump far | wc -l)"

# What comes slowly is there before the end.
mkfifo pipe
"$stele" docs load slow <pipe >/dev/null 2>&1 &
loader=$!
children+=("$loader")
exec 3>pipe
lines 1 3 >&3
there() { [ "$("$stele" docs stat slow -J 2>/dev/null | jq .documents)" = "$1" ]; }
until_true 20 there 3 || fail "three are there"
lines 4 6 >&3
until_true 20 there 6 || fail "six are there"
exec 3>&-
wait "$loader" || fail "it ends well"
equal "all of it" "1 2 3 4 5 6" "$(ids slow)"
