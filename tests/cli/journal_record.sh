#!/bin/bash
# SPDX-License-Identifier: MIT
# journal_record.sh: JSON lines into a journal, and lines that are none.
. "$(dirname "$0")/lib.sh"

# played FILTER: of what play -J prints.
played() { "$stele" journal play "$1" -J | jq -c "$2"; }

cat >good <<'END'
{"op":"put","key":"lamp","value":"on","timestamp":1714564800000000}
{"op":"put","key":"home","subkey":"kitchen","value":"19","timestamp":"2024-05-01T12:00:00Z"}
{"op":"put","key":null,"subkey":null,"value":null,"timestamp":-1,"config":null}
{"op":"put","key":"","subkey":"","value":"","timestamp":0}
{"op":"put","key_b64":"AAE=","subkey_b64":"/w==","value_b64":"","timestamp":9223372036854775807}
{"op":"put","key_b64":"bGFtcA==","value":"\u00e9\n\t\"\\","timestamp":1,"config_b64":null}
 { "timestamp" : 2 , "key" : "home" , "op" : "delete" , "subkey" : "kitchen" }
{"op":"delete","key":"lamp","timestamp":3}
{"op":"delete","timestamp":4}
{"op":"clear","key":"home","timestamp":5}
{"op":"clear","timestamp":6}
{"op":"config","config":{"b":"1","a":""},"timestamp":7}
{"op":"config","key":"lamp","config":{},"timestamp":8}
{"op":"config","key":"lamp","config_b64":{"AAE=":"/w==","":""},"timestamp":9}
END
cat >want <<'END'
{"op":"put","key":"lamp","subkey":null,"value":"on","timestamp":1714564800000000,"config":null}
{"op":"put","key":"home","subkey":"kitchen","value":"19","timestamp":1714564800000000,"config":null}
{"op":"put","key":null,"subkey":null,"value":null,"timestamp":-1,"config":null}
{"op":"put","key":"","subkey":"","value":"","timestamp":0,"config":null}
{"op":"put","key_b64":"AAE=","subkey_b64":"/w==","value":"","timestamp":9223372036854775807,"config":null}
{"op":"put","key":"lamp","subkey":null,"value":"é\n\t\"\\","timestamp":1,"config":null}
{"op":"delete","key":"home","subkey":"kitchen","value":null,"timestamp":2,"config":null}
{"op":"delete","key":"lamp","subkey":null,"value":null,"timestamp":3,"config":null}
{"op":"delete","key":null,"subkey":null,"value":null,"timestamp":4,"config":null}
{"op":"clear","key":"home","subkey":null,"value":null,"timestamp":5,"config":null}
{"op":"clear","key":null,"subkey":null,"value":null,"timestamp":6,"config":null}
{"op":"config","key":null,"subkey":null,"value":null,"timestamp":7,"config":{"a":"","b":"1"}}
{"op":"config","key":"lamp","subkey":null,"value":null,"timestamp":8,"config":{}}
{"op":"config","key":"lamp","subkey":null,"value":null,"timestamp":9,"config_b64":{"":"","AAE=":"/w=="}}
END
for options in "" "--durability each" "--durability interval:20ms" "--durability stop" "--limit 1GiB --ack 100"; do
    rm -rf log
    journal 0 record log $options <good
    quiet
    row recorded 14
    journal 0 play log -J
    quiet
    cmp -s want .out || fail "what was recorded ($options)"
    # What play prints, record takes: the copy prints the same. Input is JSON with or without -J.
    rm -rf copy
    journal 0 record copy -J $options <want
    quiet
    is '{"recorded":14}'
    "$stele" journal play copy -J | cmp -s - want || fail "a copy is the same"
done

# Again: it goes on behind what is there.
puts 1 3 | journal 0 record log -J
is '{"recorded":3}'
equal "in order" "$(cat want; puts 1 3 | jq -c '.value')" \
    "$("$stele" journal play log -J | head -n 14; played log .value | tail -n 3)"
journal 0 record log </dev/null
row recorded 0
journal 0 stat log -J
json '.[0] | .count == 17 and .log_ops == 17'

# Without a timestamp, or null: now, in microseconds.
before=$(date +%s%6N)
printf '{"op":"put"}\n{"op":"clear","timestamp":null}\n' | record now
after=$(date +%s%6N)
equal "now" "2 true" "$(played now .timestamp | jq -rs "\"\(length) \(all(. >= $before and . <= $after))\"")"

# Every byte as key and value, through JSON and back.
for i in $(seq 0 255); do
    b=$(printf "\\x$(printf %02x "$i")" | base64)
    printf '{"op":"put","key_b64":"%s","value_b64":"%s","timestamp":%d}\n' "$b" "$b" "$i"
    printf '{"op":"config","key_b64":"%s","config_b64":{"%s":"%s"},"timestamp":%d}\n' "$b" "$b" "$b" "$i"
done >every
record every.log <every
"$stele" journal play every.log -J >dump
equal "so many" 512 "$(wc -l <dump)"
record every.copy <dump
"$stele" journal play every.copy -J | cmp -s - dump || fail "both print the same"
equal "text as text" 97 "$(jq -r 'select(.key == "a" and .op == "put") | .timestamp' dump)"
equal "its settings" '{"a":"a"}' "$(jq -c 'select(.key == "a" and .op == "config") | .config' dump)"
equal "no text as base64" '{"Gw==":"Gw=="}' "$(jq -c 'select(.timestamp == 27 and .op == "config") | .config_b64' dump)"

# bad TEXT MESSAGE...: as line 3, it is refused; the two before it stay.
bad() {
    local text=$1
    shift
    rm -rf bad.log
    { puts 1 2; printf '%s\n' "$text"; puts 4 4; } | journal 2 record bad.log -J
    says "line 3" "$@"
    json_error EINVAL
    json '. == [{"recorded":2}]'
    equal "those before stay" '"1" "2"' "$(played bad.log .value | xargs -d '\n')"
}
bad ''
bad '   '
bad '{'
bad '{"op":"put"'
bad '{"op":"put"}}'
bad '{"op":"put"} {"op":"put"}'
bad 'put'
bad '"put"' "not a JSON object"
bad '[1]' "not a JSON object"
bad 'null' "not a JSON object"
bad '{}' 'no "op"'
bad '{"op":null}' 'no "op"'
bad '{"op":1}' '"op" is not a string'
bad '{"op":"get"}' '"op" is "get"' "put, delete, clear and config"
bad '{"op":"PUT"}' '"op" is "PUT"'
bad '{"op":"put\u0000"}' '"op"' NUL
bad '{"op_b64":"cHV0"}' 'unknown field "op_b64"'
bad '{"op":"put","ky":1}' 'unknown field "ky"'
bad '{"op":"put","key":"a","key":"b"}' duplicate
for field in key subkey value; do
    bad "{\"op\":\"put\",\"$field\":1}" "\"$field\" is not a string"
    bad "{\"op\":\"put\",\"$field\":\"x\",\"${field}_b64\":\"eA==\"}" "both \"$field\" and \"${field}_b64\""
    bad "{\"op\":\"put\",\"${field}_b64\":\"eA=\"}" "\"${field}_b64\"" base64
    bad "{\"op\":\"put\",\"${field}_b64\":[]}" "\"${field}_b64\" is not a string"
done
bad '{"op":"delete","key":"a","value":"x"}' 'a delete has no "value"'
bad '{"op":"delete","key":"a","value":""}' 'a delete has no "value"'
bad '{"op":"clear","key":"a","subkey":"x"}' 'a clear has no "subkey"'
bad '{"op":"clear","key":"a","value_b64":"eA=="}' 'a clear has no "value"'
bad '{"op":"config","key":"a","subkey":"x","config":{}}' 'a config has no "subkey"'
bad '{"op":"config","key":"a","value":"x","config":{}}' 'a config has no "value"'
for op in put delete clear; do
    bad "{\"op\":\"$op\",\"key\":\"a\",\"config\":{}}" "a $op has no \"config\""
    bad "{\"op\":\"$op\",\"key\":\"a\",\"config_b64\":{\"eA==\":\"eA==\"}}" "a $op has no \"config\""
done
bad '{"op":"config","key":"a"}' 'no "config"'
bad '{"op":"config","config":null}' 'no "config"'
bad '{"op":"config","config":[]}' '"config" is not an object'
bad '{"op":"config","config_b64":"x"}' '"config_b64" is not an object'
bad '{"op":"config","config":{"a":1}}' '"config"' '"a" is not a string'
bad '{"op":"config","config":{"a":null}}' '"a" is not a string'
bad '{"op":"config","config":{"a":"1","a":"2"}}' duplicate
bad '{"op":"config","config":{},"config_b64":{}}' 'both "config" and "config_b64"'
bad '{"op":"config","config_b64":{"a":"eA=="}}' '"config_b64"' base64
bad '{"op":"config","config_b64":{"eA==":"eA"}}' '"config_b64"' base64
bad '{"op":"config","config":{"a\u0000":"x"}}'
bad '{"op":"put","timestamp":"today"}' "today"
bad '{"op":"put","timestamp":1.5}' '"timestamp"'
bad '{"op":"put","timestamp":true}' '"timestamp"'
bad '{"op":"put","timestamp":-9223372036854775808}' '"timestamp"'
bad '{"op":"put","timestamp":99999999999999999999}'
bad '{"op":"put","value":"\ud800"}'
bad "$(printf '{"op":"put","value":"\377"}')"

# Line numbers beyond a batch, and nothing behind the bad line.
{ puts 1 5000; echo oops; puts 1 10; } | journal 2 record far -J
says "line 5001"
json '. == [{"recorded":5000}]'
equal "recorded before it" 5000 "$("$stele" journal play far | wc -l)"

# Too much: an operation over 64 MiB, a line over 96 MiB.
value() { head -c "$1" /dev/zero | tr '\0' v; }
{ puts 1 1; printf '{"op":"put","value":"'; value $((64 * 1024 * 1024 + 1)); printf '"}\n'; puts 3 3; } |
    journal 2 record big -J
says "line 2" $((64 * 1024 * 1024))
json_error ETOOBIG
{ puts 1 1; printf '{"op":"put","value":"'; value $((96 * 1024 * 1024)); printf '"}\n'; } | journal 2 record big -J
says "line 2" "96 MiB"
{ printf '{"op":"put","key":"k","value":"'; value $((64 * 1024 * 1024 - 1)); printf '"}\n'; } | journal 0 record big
equal "their lengths" "1 1 67108863" "$(played big '.value | length' | xargs)"
rm -rf big

# --ack: whole lines, after every N or more, for the last ones at the end too.
for durability in each interval:1h stop; do
    puts 1 25 | journal 0 record "ack.$durability" --durability $durability --ack 10 -J
    json 'map(.recorded) | .[-1] == 25 and . == sort and length >= 3 and .[0] >= 10'
done
# A slow writer's lines are answered while it is silent.
mkfifo pipe
"$stele" journal record slow --durability stop --ack 1 <pipe >acks 2>.err &
slow=$!
children+=("$slow")
exec 3>pipe
for line in 1 2 3; do
    puts $line $line >&3
    answered() { [ "$(jq -s 'map(.recorded) | last' acks)" = $line ]; }
    until_true 20 answered || fail "line $line is answered"
    # And is there for others.
    equal "is there" $line "$(played slow .value | wc -l)"
done

# SIGTERM and SIGINT end it cleanly: all is durable, and the summary is printed.
kill -TERM "$slow"
wait "$slow"
rc=$?
[ "$rc" -eq 0 ] || fail "SIGTERM ends it with 0"
exec 3>&-
equal "the summary" "recorded      3" "$(tail -n 1 acks)"
for signal in INT TERM; do
    # A shell without job control lets what it starts in the background ignore SIGINT.
    (trap - INT; exec env --default-signal=INT "$stele" journal record sig.$signal --durability interval:1h -J <pipe >acks 2>.err) &
    slow=$!
    children+=("$slow")
    exec 3>pipe
    puts 1 7 >&3
    printf '{"op":"pu' >&3 # half a line is none
    begun() { [ -n "$(ls sig.$signal/*.log 2>/dev/null)" ]; }
    until_true 20 begun || fail "it records"
    sleep 0.3
    kill -$signal "$slow"
    wait "$slow"
    rc=$?
    [ "$rc" -eq 0 ] || fail "SIG$signal ends it with 0"
    exec 3>&-
    equal "the summary" '{"recorded":7}' "$(cat acks)"
    equal "all is there" "1 2 3 4 5 6 7" "$(played sig.$signal .value | jq -r . | xargs)"
    journal 0 check sig.$signal
    quiet
done
children=()
rm pipe

# --limit: merged meanwhile; what is left plays as before.
puts 1 20000 | record limited --limit 4KiB --durability stop
journal 0 stat limited -J
json '.[0] | .count == 20000 and .snapshots == 1 and .logs <= 1 and .snapshot_ops == 1'
equal "the last value" '"20000"' "$(played limited .value | tail -n 1)"
puts 1 2000 | record unlimited --durability stop
journal 0 stat unlimited -J
json '.[0] | .snapshots == 0 and .log_ops == 2000 and .snapshot_time == null'
# A limit that is exceeded already: at the start, or with the first line.
puts 1 1 | record unlimited --limit 1k
journal 0 stat unlimited -J
json '.[0] | .count == 2001 and .snapshots == 1 and .log_ops <= 1'

# Options.
for bad in '' every interval interval: interval:x interval:0 interval:-1 each: EACH; do
    journal 2 record opt --durability "$bad" </dev/null
    says "option --durability"
done
for bad in -1 x 1T; do
    journal 2 record opt --limit "$bad" </dev/null
    says "option --limit"
done
journal 2 record opt --ack 0 </dev/null
journal 2 record opt other </dev/null
[ ! -e opt ] || fail "a wrong call creates nothing"
puts 1 1 | record deep/below/it
equal "parents are made" '"1"' "$(played deep/below/it .value)"
