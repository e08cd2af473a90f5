#!/bin/bash
# SPDX-License-Identifier: MIT
# wal_append_json.sh: JSON lines into a write-ahead log, and lines that are none.
. "$(dirname "$0")/lib.sh"

cat >good <<'END'
{"id":41,"data":"an empty log takes any id"}
{"data":"it continues"}
{"id":null,"data":"likewise"}
{"id":44,"data":""}
{"data_b64":""}
{"data_b64":"AAE="}
 { "data" : "\u00e9\n\t\"\\" , "id" : 47 }
{"data":"x\u0000y"}
{"data":"\ud83d\ude00 \u0085"}
END
for format in stele blb; do
    wal 0 append "log.$format" -J --format $format --segment-size 64k <good
    is '{"appended":9,"last_id":49}'
    wal 0 cat "log.$format" -J
    json 'map(.id) == [range(41; 50)] and all(keys == ["data", "id"] or keys == ["data_b64", "id"])'
    json '[.[0, 1, 3, 4] | .data] == ["an empty log takes any id", "it continues", "", ""]'
    json '.[5].data_b64 == "AAE=" and .[6].data == "\u00e9\n\t\"\\" and .[7].data_b64 == "eAB5"'
    json '.[8].data_b64 == "8J+YgCDChQ=="' # U+0085 is a control character
    # What cat prints, append takes: the copy prints the same.
    "$stele" wal cat "log.$format" -J >dump
    append "copy.$format" -J --format $format --segment-size 64k <dump
    "$stele" wal cat "copy.$format" -J | cmp - dump || fail "a dump appended again gives the same"
done

# First ids: 0, and a large one.
for id in 0 1000000 4611686018427387904; do
    printf '{"id":%s,"data":"a"}\n{"data":"b"}\n' $id | wal 0 append "id.$id" -J --segment-size 64k
    is "{\"appended\":2,\"last_id\":$((id + 1))}"
    wal 0 stat "id.$id" -J
    json ".[0] | .first_id == $id and .last_id == $((id + 1))"
done

# Every byte as data, through JSON and back.
for i in $(seq 0 255); do
    printf '{"data_b64":"%s"}\n' "$(printf "\\x$(printf %02x "$i")" | base64)"
done >every
append every.log -J --segment-size 64k <every
"$stele" wal cat every.log -J >dump
append every.copy -J --segment-size 64k <dump
equal "both print the same" "$("$stele" wal cat every.log | sha256sum)" "$("$stele" wal cat every.copy | sha256sum)"

# bad CODE TEXT MESSAGE...: as line 3, it is refused; the two before it stay.
bad() {
    local code=$1 text=$2
    shift 2
    rm -rf bad.log
    { printf '{"data":"1"}\n{"data":"2"}\n'; printf '%s\n' "$text"; printf '{"data":"4"}\n'; } |
        wal "$code" append bad.log -J --segment-size 64k
    says "line 3" "$@"
    [ "$code" -eq 7 ] && json_error ECONFLICT || json_error EINVAL
    equal "those before stay" "$(printf '1\n2')" "$("$stele" wal cat bad.log)"
    json '. == [{"appended":2,"last_id":2}]'
}
bad 2 ''
bad 2 '   '
bad 2 '{'
bad 2 '{"data":"x"'
bad 2 '{"data":"x"}}'
bad 2 '{"data":"x"} {"data":"y"}'
bad 2 'data'
bad 2 '"data"' "not a JSON object"
bad 2 '[1]' "not a JSON object"
bad 2 'null' "not a JSON object"
bad 2 '{}' 'no "data"'
bad 2 '{"id":3}' 'no "data"'
bad 2 '{"data":null}' 'no "data"'
bad 2 '{"data":1}' '"data" is not a string'
bad 2 '{"data":"x","data_b64":"eA=="}' 'both "data" and "data_b64"'
bad 2 '{"data_b64":"eA="}' '"data_b64"' base64
bad 2 '{"data_b64":5}' '"data_b64" is not a string'
bad 2 '{"data":"x","data":"y"}' duplicate
bad 2 '{"data":"x","dta":1}' 'unknown field "dta"'
bad 2 '{"id":"3","data":"x"}' '"id" is not a whole number'
bad 2 '{"id":3.0,"data":"x"}' '"id" is not a whole number'
bad 2 '{"id":-1,"data":"x"}' negative
bad 2 '{"id":99999999999999999999,"data":"x"}'
bad 2 '{"data":"\ud800"}'
bad 2 "$(printf '{"data":"\377"}')"
bad 2 "$(printf '%.0s[' $(seq 5000))"
bad 7 '{"id":2,"data":"x"}' "id 2 does not follow" "the next one is 3"
bad 7 '{"id":4,"data":"x"}' "id 4 does not follow"
bad 7 '{"id":0,"data":"x"}'
bad 7 '{"id":9223372036854775807,"data":"x"}'

# Against what is there already.
for id in 1 2 4; do
    printf '{"id":%d,"data":"x"}\n' $id | wal 7 append bad.log -J
    json_error ECONFLICT
    silent
done
printf '{"id":3,"data":"three"}\n' | wal 0 append bad.log -J
is '{"appended":1,"last_id":3}'

# Line numbers beyond a batch, and nothing behind the bad line.
{ seq 5000 | sed 's/.*/{"data":"&"}/'; echo oops; seq 10 | sed 's/.*/{"data":"&"}/'; } |
    wal 2 append far -J --segment-size 64k
says "line 5001"
json '. == [{"appended":5000,"last_id":5000}]'
equal "appended before it" 5000 "$("$stele" wal cat far | wc -l)"

# Too much: a record over 64 MiB, a line over 96 MiB; batches of long records.
value() { head -c "$1" /dev/zero | tr '\0' v; }
{ echo '{"data":"1"}'; printf '{"data":"'; value $((64 * 1024 * 1024 + 1)); printf '"}\n{"data":"3"}\n'; } |
    wal 2 append big -J --segment-size 64k
says "line 2" $((64 * 1024 * 1024))
json_error ETOOBIG
{ echo '{"data":"1"}'; printf '{"data":"'; value $((96 * 1024 * 1024)); printf '"}\n{"data":"3"}\n'; } |
    wal 2 append big -J
says "line 2" "96 MiB"
equal "the lines before stay" 2 "$("$stele" wal stat big -J | jq .last_id)"
{ echo small; value $((40 * 1024 * 1024)); echo; value $((64 * 1024 * 1024)); echo; echo last; } |
    wal 0 append big --batch 1000 --segment-size 64k
row "last id" 6
equal "their lengths" "2 2 6 41943041 67108865 5" "$(for i in 1 2 3 4 5 6; do "$stele" wal cat big --from $i -c 1 | wc -c; done | xargs)"
