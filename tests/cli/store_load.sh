#!/bin/bash
# SPDX-License-Identifier: MIT
# store_load.sh: load, dump and hash; bbolt files.
. "$(dirname "$0")/lib.sh"

cat >lines <<'END'
{"bucket":"a","key":"","value":""}
{"bucket":"a","key":"k","value":"é\n\t\"\\"}
{"bucket":"a","key":"k1","value_b64":"AP8="}
{"bucket":"a","key_b64":"/w==","value":"x"}
{"bucket":"empty"}
{"bucket_b64":"AP8=","key":"k","value":"v"}
END
# In the order of the names.
{ sed -n 6p lines; sed -n 1,5p lines; } >want

for options in "" "--atomic" "-J"; do
    rm -rf db
    store 0 load db $options <lines
    quiet
    store 0 dump db
    cmp -s want .out || fail "what was loaded ($options)"
done
store 0 load db -J <lines
is '{"ok":true}'
store 0 load db <lines
row lines 6
store 0 dump db -J
cmp -s want .out || fail "again: nothing changes"
store 0 load db </dev/null
row lines 0
printf ' { "value" : "2", "bucket" : "a", "key" : "k" }\n{"bucket":"a","key":null,"value":null}\n' | store 0 load db
store 0 get db a k
is 2
store 0 get db a k1 -J
is '{"bucket":"a","key":"k1","value_b64":"AP8="}'

# Every byte as bucket, key and value, through JSON and back.
for i in $(seq 0 255); do
    b=$(printf "\\x$(printf %02x "$i")" | base64)
    printf '{"bucket_b64":"%s","key_b64":"%s","value_b64":"%s"}\n' "$b" "$b" "$b"
done | store 0 load every
"$stele" store dump every >dump
equal "so many" 256 "$(wc -l <dump)"
equal "text as text" '{"bucket":"a","key":"a","value":"a"}' "$(sed -n 98p dump)"
store 0 load every.copy <dump
"$stele" store dump every.copy | cmp -s - dump || fail "both are the same"
hash() { "$stele" store hash "$@"; }
equal "and have the same hash" "$(hash every)" "$(hash every.copy)"

# bad TEXT MESSAGE...: as line 3, it is refused; the two before it stay, or none.
pairs() { seq "$1" "$2" | sed 's/.*/{"bucket":"b","key":"&","value":"&"}/'; }
keys() { "$stele" store range "$1" b --keys-only 2>/dev/null | xargs; }
bad() {
    local text=$1 code=EINVAL options
    shift
    [[ ${1:-} != E* ]] || { code=$1 && shift; }
    for options in "" --atomic; do
        rm -rf bad.db
        { pairs 1 2; printf '%s\n' "$text"; pairs 4 4; } | store 2 load bad.db -J $options
        says "line 3" "$@"
        json_error $code
        silent
        if [ -z "$options" ]; then
            equal "those before stay" "1 2" "$(keys bad.db)"
        else
            equal "nothing stays" "" "$(keys bad.db)"
        fi
    done
}
bad ''
bad '{'
bad '[1]' "not a JSON object"
bad '{}' 'no "bucket"'
bad '{"bucket":null}' 'no "bucket"'
bad '{"bucket":1}' '"bucket" is not a string'
bad '{"bucket":"","key":"a","value":"b"}'
bad '{"bucket":"b","key":"a"}' 'no "value"'
bad '{"bucket":"b","key":"a","value":null}' 'no "value"'
bad '{"bucket":"b","value":"a"}' 'no "key"'
bad '{"bucket":"b","key":"a","value":"b","more":1}' 'unknown field "more"'
bad '{"bucket":"b","bucket_b64":"Yg==","key":"a","value":"b"}' 'both "bucket" and "bucket_b64"'
bad '{"bucket":"b","key":"a","value_b64":"Yg="}' base64
bad "{\"bucket\":\"$(printf '%*s' 256 '' | tr ' ' x)\"}"
printf '{"bucket":"b","key":"%s","value":"x"}' "$(printf '%*s' 32769 '' | tr ' ' k)" >long
bad "$(cat long)" ETOOBIG
# Its bucket is not made either.
sed 's/"b"/"other"/' long | store 2 load bad.db
equal "no bucket" "" "$("$stele" store buckets bad.db)"

# Line numbers beyond a batch.
{ pairs 10001 15000; echo oops; pairs 1 10; } | store 2 load far -J
says "line 5001"
equal "loaded before it" 5000 "$("$stele" store range far b --keys-only | wc -l)"
{ pairs 10001 15000; echo oops; } | store 2 load atomic --atomic
equal "nothing" "" "$("$stele" store buckets atomic)"

# What comes slowly is not lost, in one batch or many.
for options in "" --atomic; do
    rm -rf slow
    { pairs 1 3; sleep 0.3; pairs 4 6; sleep 0.3; pairs 7 9; } | store 0 load slow $options
    equal "all of it" "1 2 3 4 5 6 7 8 9" "$(keys slow)"
done

# hash: that of the reference, which is the CRC-32C over names, keys and values, one behind the other.
store 0 put h a k v
store 0 hash h
grep -qxE "[0-9a-f]{8}" .out || fail "8 digits"
whole=$(hash h)
store 0 put h a k2 v2
store 0 put h b k v
[ "$(hash h)" != "$whole" ] || fail "another content, another hash"
names=$(hash h --names-only)
store 0 hash h --ignore a/k2 --ignore b/k -J
json ".[0].hash != \"$whole\""
store 0 put h2 a k v
printf '{"bucket":"b"}\n' | store 0 load h2
equal "what is ignored does not count" "$(hash h2)" "$(hash h --ignore a/k2 --ignore b/k)"
equal "names alone" "$names" "$(hash h2 --names-only)"
equal "hex in a name" "$(hash h --ignore a/k2)" "$(hash h --ignore hex:61/b64:azI=)"
store 0 put slash a x/y v
equal "the first slash" "$(hash slash --names-only)" "$(hash slash --ignore a/x/y)"
store 2 hash h --ignore a
says a BUCKET/KEY
store 2 hash h --ignore hex:1/k

# bbolt.
store 0 load every.more <want
store 0 del every.more a ''
for options in "" --sha256; do
    rm -rf out.db back
    store 0 dump every.more --bbolt out.db $options -J
    is '{"ok":true}'
    store 0 load back --bbolt out.db
    row keys 4
    equal "the same" "$(hash every.more)" "$(hash back)"
done
store 8 dump every.more --bbolt out.db -J
json_error EEXIST
store 0 load back --bbolt out.db --atomic -J
is '{"ok":true}'
store 6 dump db --bbolt other.db
says 'empty key'
[ ! -e other.db ] || fail "no half of a file"
store 2 dump db --sha256
store 1 load back --bbolt nothing.db
cp out.db bad.bbolt
flip bad.bbolt 20
flip bad.bbolt 4120
store 3 load fresh --bbolt bad.bbolt
equal "nothing of it" "" "$("$stele" store buckets fresh 2>/dev/null)"
