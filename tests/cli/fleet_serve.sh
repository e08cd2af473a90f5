#!/bin/bash
# SPDX-License-Identifier: MIT
# fleet_serve.sh: nodes that serve databases: by themselves, and over a nats-server that is killed.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
. "$here/fleet_lib.sh"
exec </dev/null

# ---- By itself. ----

verb docs 2 serve a --id one
says "give --id NAME and --fleet NAME"
serve a one
equal "ready" "{\"ready\":true,\"socket\":\"a/node.sock\"}" "$(<a.out)"
equal "for the user alone" 600 "$(stat -c %a a/node.sock)"
call 4 docs serve a --id two --fleet home

# Verbs that change something work, with their input, output and exit codes.
verb docs 0 set a x '{"n":1}' -J
equal "set" '{"ok":true}' "$(jq -c '{ok}' .out)"
verb docs 0 get a x
equal "what was set is there at once" '{"n":1}' "$(<.out)"
printf '{"n":2}' | "$stele" docs set a y || fail "set from standard input"
verb docs 0 get a y
equal "from standard input" '{"n":2}' "$(<.out)"
verb docs 0 patch a y '{"m":3}'
verb docs 0 get a y
equal "patched" '{"n":2,"m":3}' "$(<.out)"
verb docs 2 set a z '{"n":'
verb docs 1 del a none
verb docs 1 get a none
printf '%s\n' '{"id":"l1","doc":{"n":1}}' '{"id":"l2","doc":{"n":2}}' | "$stele" docs load a ||
    fail "load from standard input"
mkdir elsewhere
printf '{"name":"t","version":1,"keys":[{"name":"u","fields":["u"],"method":"binary","unique":true}]}' \
    >elsewhere/type.json
(cd elsewhere && "$stele" docs type add ../a type.json) || fail "a file of the caller's directory"
verb docs 0 set a u1 '{"@type":"t","u":1}'
verb docs 7 set a u2 '{"@type":"t","u":1}'
verb docs 0 reindex a
verb docs 0 validate a --mend
verb docs 0 del a l2 --dry-run
verb docs 0 has a l2
verb docs 0 del a l2
verb docs 1 has a l2

# Of the node.
verb fleet 0 status a -J
equal "state" '"ready"' "$(jq .state .out)"
verb fleet 0 peers a -J
equal "no peers" "" "$(<.out)"
verb fleet 0 diff a

# What is no request harms nobody.
printf 'what is this' | timeout 2 nc -U a/node.sock >/dev/null 2>&1
verb docs 0 get a x

stop one TERM
[ ! -e a/node.sock ] || fail "the socket stays"
verb fleet 8 status a
says "no node runs there"
verb docs 0 get a x
verb docs 0 validate a

# One that was killed leaves its socket, which is in nobody's way.
serve a one
kill -KILL "${node[one]}"
wait "${node[one]}" 2>/dev/null
[ -e a/node.sock ] || fail "a killed process removes nothing"
verb docs 0 set a k '{"n":1}'
serve a one
verb docs 0 set a k '{"n":2}'
stop one INT

# It ends while somebody types what is to be loaded: nothing of that is lost.
serve a one
mkfifo typed
"$stele" docs load a <typed >/dev/null 2>load.err &
loader=$!
children+=("$loader")
exec 9>typed
echo '{"id":"typed/1","doc":{}}' >&9
until ls -l "/proc/$loader/fd" | grep -q deleted; do # it copies, and so has seen who serves
    kill -0 "$loader" || fail "load ended: $(<load.err)"
    sleep 0.01
done
stop one TERM
echo '{"id":"typed/2","doc":{}}' >&9
exec 9>&-
wait "$loader" || fail "load: $(<load.err)"
verb docs 0 has a typed/1
verb docs 0 has a typed/2
# Input that is no file is refused there: nobody may keep it waiting.
serve a one
open_files() { ls -l "/proc/${node[one]}/fd" | grep -c 'pipe:\|deleted'; }
before=$(open_files)
python3 - <<'END' || fail "a pipe as input"
import array, os, socket, struct
def answer_of(s):
    answer = b""
    while piece := s.recv(4096):
        answer += piece
    return answer
s = socket.socket(socket.AF_UNIX)
s.connect("a/node.sock")
words = [b"docs", b"load", b"a"]
m = struct.pack(">BH", 2, len(words)) + b"".join(struct.pack(">I", len(w)) + w for w in words)
r, w = os.pipe()
s.sendmsg([struct.pack(">I", len(m))], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [r, w, r, w]))])
s.sendall(m)
answer = answer_of(s)
assert answer[4] == 2 and answer[5] == 6 and b"no file" in answer, answer
# Words that say that they are longer than they are, and a length beyond all bounds.
for bad in (struct.pack(">BHI", 2, 2, 2**32 - 1), b"", b"\x02", struct.pack(">BH", 2, 1), struct.pack(">BH", 9, 0)):
    s = socket.socket(socket.AF_UNIX)
    s.connect("a/node.sock")
    s.sendall(struct.pack(">I", len(bad)) + bad)
    answer = answer_of(s)
    assert answer[5] == 6, (bad, answer)
s = socket.socket(socket.AF_UNIX)
s.connect("a/node.sock")
s.sendall(struct.pack(">I", 2**32 - 1))
answer = answer_of(s)
assert answer[5] == 6, answer
END
verb docs 0 has a typed/2
equal "files that stay open" "$before" "$(open_files)"
stop one TERM

# ---- Two, over NATS. ----

start_server main -1
serve a one --nats "$url"
serve b two --nats "$url"
await b x '{"n":1}'
await b k '{"n":2}'
verb docs 0 set b x '{"n":5}'
await a x '{"n":5}'
verb docs 0 del a x
until ! "$stele" docs has b x >/dev/null 2>&1; do sleep 0.02; done
until "$stele" fleet peers a -J | jq -se 'any(.peer == "two" and .online and .in_step)' >/dev/null; do
    sleep 0.05
done
equal "protocol" '"v2"' "$("$stele" fleet peers a -J | jq .protocol)"

# Apart, and together again.
stop_server main
verb docs 0 set a both '{"by":"a"}'
verb docs 0 set b both '{"by":"b"}'
verb docs 0 set a only-a '{"n":1}'
verb docs 0 set b only-b '{"n":1}'
verb docs 0 get a both
equal "not known yet" '{"by":"a"}' "$(<.out)"
start_server main "${url##*:}"
await a both '{"by":"b"}'
await b only-a '{"n":1}'
await a only-b '{"n":1}'

stop one TERM

# A name is of any bytes: nothing of it does anything to who reads it.
odd=$'od\e[2Jd\n\xff'
: >odd.out
"$stele" docs serve odd --id "$odd" --fleet home --nats "$url" >odd.out 2>odd.err &
odd_node=$!
children+=("$odd_node")
until "$stele" fleet peers b -J | jq -se --arg name "$(printf '%s' "$odd" | base64)" \
    'any(.peer_b64 == $name and .online)' >/dev/null; do sleep 0.05; done
until grep -q '^note: peer od?\[2Jd?' b.err; do sleep 0.02; done
verb fleet 0 peers b
grep -q "^b64:$(printf '%s' "$odd" | base64) " .out || fail "an odd name"
! grep -qP '\e' .out b.err || fail "it is obeyed"
kill -TERM "$odd_node"
wait "$odd_node" || fail "it ends"
stop two TERM
for db in a b; do
    verb docs 0 validate $db
    call 0 docs dump $db
    cp .out $db.dump
    call 0 docs log $db -J
    cp .out $db.log
done
cmp -s a.dump b.dump || fail "the dumps differ"
cmp -s a.log b.log || fail "the logs differ"
