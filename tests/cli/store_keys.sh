#!/bin/bash
# SPDX-License-Identifier: MIT
# store_keys.sh: put, get, del, range and buckets.
. "$(dirname "$0")/lib.sh"
exec </dev/null

# A reading verb makes nothing; a writing one that removes neither.
for command in "get db b k" "range db b" "buckets db" "dump db" "hash db" "stat db" "check db" "scrub db" \
    "readers db" "snapshot db out" "del db b k" "defrag db" "del db b k --dry-run"; do
    store 1 $command
    says db
    silent
    [ ! -e db ] || fail "nothing was made"
done

# put makes the store and the bucket, get gives back what was put.
store 0 put db lamps kitchen on
quiet
row ok yes
store 0 put db lamps kitchen off -J
is '{"ok":true}'
store 0 get db lamps kitchen
is off
equal "nothing behind it" 3 "$(stat -c %s .out)"
store 0 get db lamps kitchen -J
is '{"bucket":"lamps","key":"kitchen","value":"off"}'
store 1 get db lamps bath
says lamps bath
silent
store 1 get db rooms kitchen -J
says rooms
json_error ENOTFOUND

# The value from standard input, with - and without.
printf 'a\0b\n\n' >value
store 0 put db files - <value
store 0 get db files -
cmp -s value .out || fail "byte for byte"
store 0 put db files empty </dev/null
store 0 get db files empty
silent
store 0 put db files dash - <value
store 0 put db files word str:-
store 0 get db files dash
cmp -s value .out || fail "- is standard input"
store 0 get db files word
is -
store 0 get db files dash -J
is '{"bucket":"files","key":"dash","value_b64":"YQBiCgo="}'

# Bytes: hex, base64, as they are.
store 0 put db hex:00ff b64:AAE= hex:ff
store 0 get db b64:AP8= hex:0001 -J
is '{"bucket_b64":"AP8=","key_b64":"AAE=","value_b64":"/w=="}'
store 0 put db str:hex:1 str:b64: str:str:
store 0 get db str:hex:1 str:b64:
is str:
store 0 put db empty '' ''
store 0 get db empty '' -J
is '{"bucket":"empty","key":"","value":""}'
for wrong in hex:0 hex:xy b64:a; do
    for place in "$wrong k v" "b $wrong v" "b k $wrong"; do
        store 2 put db $place -J
        json_error EINVAL
    done
    store 2 get db $wrong k
    store 2 del db b $wrong
    store 2 range db b $wrong
    store 2 range db b a $wrong
done

# Limits: nothing is made for what cannot be.
long=$(printf '%*s' 256 '' | tr ' ' x)
store 2 put new "$long" k v
store 2 put db '' k v -J
json_error EINVAL
store 0 put db "${long:1}" k v
key=$(printf '%*s' 32768 '' | tr ' ' k)
store 0 put db long "$key" v
store 0 get db long "$key"
is v
store 2 put db long "${key}k" v -J
json_error ETOOBIG
store 2 put db
store 2 put db b
store 2 put db b k v more

# Buckets, with their keys.
store 0 buckets db -J
json 'map(.keys) == [1, 1, 4, 1, 1, 1, 1] and (map(.bucket // "") == ["", "empty", "files", "hex:1", "lamps", "long", "'"${long:1}"'"])'
store 0 buckets db
grep -qx ' *1  b64:AP8=' .out || fail "bytes as base64"
grep -qx ' *4  files' .out || fail "the number of keys"
grep -qx ' *1  str:hex:1' .out || fail "a name that looks like hex:"

# Ranges.
for i in a ab abc b ba c; do
    store 0 put r b $i "value of $i"
done
store 0 put r b hex:ff last
store 0 put r b hex:ffff 'very last'
keys() { store 0 range r b "$@" -J && equal "range $*" "$want" "$(jq -r '.key // .key_b64' .out | xargs)"; }
want='a ab abc b ba c /w== //8=' keys
want='ab abc b ba c /w== //8=' keys ab
want='abc b ba c /w== //8=' keys aba
want='ab abc' keys ab b
want='' keys b ab
want='' keys b b
want='' keys a ''
want='a ab abc b ba c /w== //8=' keys ''
want='a ab abc' keys a --prefix
want='ab abc' keys --prefix ab
want='/w== //8=' keys hex:ff --prefix
want='a ab abc b ba c /w== //8=' keys '' --prefix
want='' keys zz --prefix
want='a ab' keys --limit 2
want='a ab abc b ba c /w== //8=' keys --limit 0
want='//8= /w== c ba b abc ab a' keys --rev
want='abc ab a' keys a b --rev
want='abc' keys a --prefix --rev --limit 1
store 0 range r b a b -J
is '{"key":"a","value":"value of a"}
{"key":"ab","value":"value of ab"}
{"key":"abc","value":"value of abc"}'
store 0 range r b a b --keys-only -J
is '{"key":"a","value":null}
{"key":"ab","value":null}
{"key":"abc","value":null}'
store 0 range r b a ab
is "$(printf 'a\tvalue of a')"
store 0 range r b hex:ff --keys-only
is 'b64:/w==
b64://8='
store 1 range r nothing
store 1 range r nothing a ''
store 2 range r b --prefix
store 2 range r b a b --prefix
store 2 range r b --limit -1
store 2 range r b a b c

# What is printed as text can be given again.
store 0 put words b "$(printf 'two\nlines')" "$(printf 'tab\tin it')"
store 0 range words b
IFS=$'\t' read -r key value <.out
store 0 get words b "$key"
is "$(printf 'tab\tin it')"
store 0 put words b "$key" "$value"
store 0 get words b "$key"
is "$(printf 'tab\tin it')"

# del: with a dry run, of a key that is not there, of a bucket that is not.
store 0 del r b ab --dry-run -J
is '{"ok":true,"dry_run":true}'
store 0 del r b ab -n
row 'dry run' 'nothing was changed'
store 0 get r b ab
store 0 del r b ab -J
is '{"ok":true}'
store 1 get r b ab
store 0 del r b ab
store 1 del r nothing ab
store 1 del r nothing ab --dry-run
want='a abc b ba c /w== //8=' keys
