#!/bin/bash
# SPDX-License-Identifier: MIT
# publish_json.sh: JSON lines into a stream, and lines that are none.
. "$(dirname "$0")/lib.sh"

cat >good <<'END'
{"key":"a","value":"1","time":"2026-01-02T03:04:05Z"}
{"value":"no key","time":1000}
{"key":"no value","time":"1001"}
{}
{"key":null,"value":null,"time":null}
{"key_b64":"AAE=","value_b64":"/w=="}
{"key":"","value":""}
 { "value" : "spaces" , "key" : "\u00e9\n\t\"\\" }
{"key_b64":null,"value":"x\u0000y","offset":77}
{"value":"\ud83d\ude00 \u0085"}
END
stream 0 publish log -J --key-index --time-index --time 5 <good
is '{"published":10,"next_offset":10}'
stream 0 consume log -J
json 'map(.offset) == [range(10)]'
json '.[0] == {offset: 0, time: "2026-01-02T03:04:05.000000Z", key: "a", value: "1"}'
json '.[1] == {offset: 1, time: "1970-01-01T00:00:00.001000Z", key: null, value: "no key"}'
json '.[2] == {offset: 2, time: "1970-01-01T00:00:00.001001Z", key: "no value", value: null}'
json '.[3] == {offset: 3, time: "1970-01-01T00:00:00.000005Z", key: null, value: null}'
json '.[4] == {offset: 4, time: "1970-01-01T00:00:00.000005Z", key: null, value: null}'
json '.[5] | .key_b64 == "AAE=" and .value_b64 == "/w==" and (has("key") or has("value") | not)'
json '.[6] | .key == null and .value == null'
json '.[7] | .key == "\u00e9\n\t\"\\" and .value == "spaces"'
json '.[8] | .key == null and .value_b64 == "eAB5" and .offset == 8'
json '.[9] | .value_b64 == "8J+YgCDChQ=="' # U+0085 is a control character
# What consume prints, publish takes: the copy prints the same.
"$stele" stream consume log -J >dump
publish copy -J --key-index --time-index <dump
"$stele" stream consume copy -J | cmp - dump || fail "a dump published again gives the same"

# Every byte as a key and value, through JSON and back.
for i in $(seq 0 255); do
    printf '{"key_b64":"%s","value_b64":"%s"}\n' "$(printf "\\x$(printf %02x "$i")" | base64)" \
        "$(printf "a\\x$(printf %02x "$i")b" | base64)"
done >every
publish every.log -J <every
stream 0 consume every.log -J
json 'length == 256 and (map(if has("key") then (.key | explode[0]) else null end) | to_entries |
      all(if .value == null then (.key < 32 and .key != 9 and .key != 10 and .key != 13) or .key > 126
          else .key == .value end))'
cp .out dump
publish every.copy -J <dump
equal "both print the same" "$("$stele" stream consume every.log -f '%k%s' | sha256sum)" \
    "$("$stele" stream consume every.copy -f '%k%s' | sha256sum)"

# bad TEXT MESSAGE...: as line 3, it is refused; the two before it stay.
bad() {
    local text=$1
    shift
    rm -rf bad.log
    { printf '{"value":"1"}\n{"value":"2"}\n'; printf '%s\n' "$text"; printf '{"value":"4"}\n'; } |
        stream 2 publish bad.log -J
    says "line 3" "$@"
    json_error EINVAL
    equal "those before stay" "$(printf '1\n2')" "$("$stele" stream consume bad.log)"
    json '. == [{"published":2,"next_offset":2}]'
}
bad ''
bad '   '
bad '{'
bad '{"value":"x"'
bad '{"value":"x"}}'
bad '{"value":"x"} {"value":"y"}'
bad 'value'
bad '"value"' "not a JSON object"
bad '[1]' "not a JSON object"
bad 'null' "not a JSON object"
bad '{"value":1}' '"value" is not a string'
bad '{"value":true}'
bad '{"value":{"a":1}}'
bad '{"key":["a"],"value":"x"}' '"key" is not a string'
bad '{"value":"x","value_b64":"eA=="}' 'both "value" and "value_b64"'
bad '{"key":null,"key_b64":null,"value":"x"}' 'both "key" and "key_b64"'
bad '{"value_b64":"eA="}' '"value_b64"' base64
bad '{"value_b64":"e A=="}'
bad '{"value_b64":5}' '"value_b64" is not a string'
bad '{"value":"x","value":"y"}' duplicate
bad '{"value":"x","tine":1}' 'unknown field "tine"'
bad '{"value":"x","time":"yesterday"}' yesterday
bad '{"value":"x","time":1.5}' time
bad '{"value":"x","time":9223372036854775808}'
bad '{"value":"x","time":"1\u0000"}'
bad '{"value":"x","time":0}' now
bad '{"value":"\ud800"}'
bad "$(printf '{"value":"\377"}')"
bad "$(printf '{"value":"a\001"}')"
bad "$(printf '%.0s[' $(seq 5000))"

# Line numbers beyond a batch, and nothing behind the bad line.
{ seq 5000 | sed 's/.*/{"value":"&"}/'; echo oops; seq 10 | sed 's/.*/{"value":"&"}/'; } | stream 2 publish far -J
says "line 5001"
equal "published before it" 5000 "$("$stele" stream next far)"

# Too much: a value over 64 MiB, a line over 96 MiB.
value() { head -c "$1" /dev/zero | tr '\0' v; }
{ echo '{"value":"1"}'; printf '{"value":"'; value $((64 * 1024 * 1024 + 1)); printf '"}\n{"value":"3"}\n'; } |
    stream 2 publish big -J
says "line 2" "64 MiB"
json_error ETOOBIG
{ echo '{"value":"1"}'; printf '{"value":"'; value $((96 * 1024 * 1024)); printf '"}\n{"value":"3"}\n'; } |
    stream 2 publish big -J
says "line 2" "96 MiB"
{ echo 1; value $((64 * 1024 * 1024 + 1)); echo; echo 3; } | stream 2 publish big
says "line 2" "64 MiB"
equal "the lines before stay" 3 "$("$stele" stream next big)"
# The largest that fits, key and value together.
{ printf 'k='; value $((64 * 1024 * 1024 - 1)); } | stream 0 publish big -K =
row "next offset" 4
equal "its length" $((64 * 1024 * 1024)) "$("$stele" stream get big 3 | wc -c)"
# Over the limit by its key alone.
{ printf 'kk='; value $((64 * 1024 * 1024 - 1)); } | stream 2 publish big -K =
says "line 1" "64 MiB"
