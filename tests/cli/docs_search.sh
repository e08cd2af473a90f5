#!/bin/bash
# SPDX-License-Identifier: MIT
# docs_search.sh: types, searches, unique keys and their conflicts.
. "$(dirname "$0")/lib.sh"
exec </dev/null

cat >lamp.json <<'END'
{"name":"lamp","keys":[
  {"name":"no","fields":["no"],"method":"number","unique":true},
  {"name":"room","fields":["room","watts"],"method":"utf8"},
  {"name":"watts","fields":["watts"],"method":"number"},
  {"name":"serial","fields":["serial"],"method":"binary"},
  {"name":"since","fields":["since"],"method":"time"}],
 "version":1}
END
cat >lamps <<'END'
{"id":"a","doc":{"@type":"lamp","no":1,"room":"Küche","watts":40,"serial":"x1","since":"2024-01-01T00:00:00Z"}}
{"id":"b","doc":{"@type":"lamp","no":2,"room":"KUCHE","watts":60,"serial":"X1","since":"2024-06-01T00:00:00Z"}}
{"id":"c","doc":{"@type":"lamp","no":3,"room":"Bad","watts":-5,"serial":"x10","since":"2025-01-01T00:00:00Z"}}
{"id":"d","doc":{"@type":"lamp","no":10,"room":"Flur","watts":7.5,"serial":"2"}}
{"id":"e","doc":{"@type":"lamp","no":11,"room":"Flur","watts":100,"serial":2}}
{"id":"z","doc":{"@type":"chair","room":"Flur"}}
{"id":"y","doc":{"room":"Flur"}}
END
docs 0 load db <lamps

# Before their type is registered they are found by it alone.
found() { docs 0 search db "$@" -J && equal "search $*" "$want" "$(jq -r .id .out | xargs)"; }
want='a b c d e' found lamp
want=z found chair
want=y found invalid
docs 2 search db lamp room=Flur -J
json_error ETYPE
docs 2 search db table -J
json_error ETYPE
says table

docs 0 type add db lamp.json -J
is '{"ok":true}'
docs 0 type add db lamp.json
row ok yes
docs 0 type list db -J
json 'length == 1 and .[0].name == "lamp" and (.[0].keys | map(.name)) == ["no","room","watts","serial","since"]'
cp .out listed
docs 0 type list db
cmp -s listed .out || fail "text is the same"
docs 0 type add db - <listed

# What is equal: letters loosely, numbers by their value, bytes exactly.
want='a b' found lamp room=kuche
want='a b' found lamp room=KÜCHE
want='' found lamp room=kuchen
want=d found lamp watts=7.50 room=flur
want=d found lamp room=flur watts=75e-1
want=d found lamp no=10
want='' found lamp no=1.5
want=a found lamp serial=x1
want=d found lamp 'serial="2"'
want=e found lamp serial=2
want=b found lamp serial=X1
want='' found lamp serial=
# The value is what follows the first equals sign.
docs 0 set db eq '{"@type":"lamp","serial":"a=b"}'
want=eq found lamp serial=a=b

# Ranges and prefixes, of the key's next field.
want='c d a b e' found lamp --key watts
docs 2 search db lamp --range watts=.. -J
says watts
want='d a' found lamp --range watts=0..40
want='a b e' found lamp --range watts=40..
want='c d' found lamp --range watts=..10
want='e b a' found lamp --range watts=40.. --rev
want='b' found lamp room=kuche --range watts=41..
want='a b' found lamp --range since=2024-01-01T00:00:00Z..2024-12-31T00:00:00Z
want='a c' found lamp --prefix serial=x
want='c' found lamp --prefix serial=x10
want='a b' found lamp --prefix room=KÜ
want='eq a' found lamp --range 'serial="a".."x1"'
want='' found lamp --range watts=1000..
want='c d' found lamp --range watts=..1000 -c 2
want='' found lamp --range watts=9..8

# Tokens: one after the other, forward and backward.
for direction in "" --rev; do
    all=$("$stele" docs search db lamp --range watts=-1000.. $direction -J | jq -r .id | xargs)
    seen='' after=()
    while docs 0 search db lamp --range watts=-1000.. $direction -c 1 --token -J "${after[@]}" && [ -s .out ]; do
        json '.[0] | keys == ["doc","id","token"]'
        seen+="${seen:+ }$(jq -r .id .out)"
        after=(--after "$(jq -r .token .out)")
    done
    equal "by token" "$all" "$seen"
done
docs 0 search db lamp no=1 --token
grep -qE '^a	\{.*\}	[A-Za-z0-9+/]+=*$' .out || fail "the token as text"
docs 2 search db lamp --after 'no base64'
docs 2 search db lamp --after ''
docs 2 search db lamp --after AAAA -J
json_error EINVAL

# A key by its name; fields that match none list those there are.
want='c d e a b' found lamp --key room
docs 2 search db lamp --key none
says none
docs 2 search db lamp --key no room=Bad
says no "room, watts" serial
docs 2 search db lamp size=1 -J
json_error EINVAL
says "no key fits" "lamp has no (no), room (room, watts), watts (watts)"
docs 2 search db lamp watts=1 no=1
docs 2 search db lamp room
says room FIELD=VALUE
docs 2 search db lamp =1
docs 2 search db lamp no=1 no=2
says twice
docs 2 search db lamp no=1e400
says 1e400
docs 2 search db lamp "room=$(printf '\xff')"
docs 2 search db lamp --range watts
docs 2 search db lamp --range watts=1
says LO..HI
docs 2 search db lamp --range watts=1..a
docs 2 search db lamp --range watts=1..2 --prefix serial=x
docs 2 search db lamp --prefix serial
docs 2 search db

# Unique keys: the owner is named, and nothing changes.
docs 7 set db n '{"@type":"lamp","no":1}' -J
json_error ECONFLICT
says n "key no" a
docs 7 patch db b '{"no":1.0}'
docs 0 has db b
docs 1 has db n
docs 0 conflicts db
silent
docs 0 set db a '{"@type":"lamp","no":100}'
docs 0 set db n '{"@type":"lamp","no":1}'

# Documents that shared a key before: the oldest claim owns it.
rm -rf db
docs 0 load db <<'END'
{"id":"q","doc":{"@type":"lamp","no":1,"serial":"s"}}
{"id":"p","doc":{"@type":"lamp","no":1}}
{"id":"r","doc":{"@type":"lamp","no":2}}
{"id_b64":"/w==","doc":{"@type":"lamp","no":2}}
{"id":"s","doc":{"@type":"lamp","no":1}}
END
docs 0 type add db lamp.json
docs 0 conflicts db -J
is '{"type":"lamp","key":"no","owner":"q","losers":["p","s"]}
{"type":"lamp","key":"no","owner":"r","losers_b64":["/w=="]}'
docs 0 conflicts db
is 'lamp	no	q	p s
lamp	no	r	b64:/w=='
want=q found lamp no=1
docs 0 stat db -J
json '.[0].conflicts == 2'
docs 0 del db q
docs 0 conflicts db -J
is '{"type":"lamp","key":"no","owner":"p","losers":["s"]}
{"type":"lamp","key":"no","owner":"r","losers_b64":["/w=="]}'
docs 0 validate db

# Definitions that cannot be change nothing.
bad() {
    docs 2 type add db - -J <<<"$1"
    json_error EINVAL
    shift
    says "$@"
    docs 0 type list db
    cmp -s listed .out || fail "as before"
}
bad '{'
bad '[]'
bad '{"keys":[]}' name
bad '{"name":"lamp","keys":[{"name":"a","fields":["a"],"method":"odd"}]}' 'key "a"' method
bad '{"name":"lamp","keys":[{"name":"a","fields":[]}]}' a
bad '{"name":"lamp","keys":[{"name":"a","fields":["a"],"uniqe":true}]}' uniqe
docs 1 type add db nothing.json
says nothing.json
docs 2 type add db
docs 2 type list db more
docs 2 type drop db
says drop
docs 2 type
