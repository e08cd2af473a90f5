#!/bin/bash
# SPDX-License-Identifier: MIT
# fleet_mirror.sh: a stream is sent to JetStream and made again, also by commands that are killed.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
. "$here/fleet_lib.sh"
exec </dev/null

start_js() { start_server main "$1" -js -sd "$work/js"; } # PORT
same() { # of both streams, every message
    call 0 stream consume log -J
    cp .out log.json
    call 0 stream consume copy -J
    cmp -s .out log.json || fail "the copy differs"
}

start_js -1
seq 1000 | call 0 stream publish log
verb fleet 0 mirror log --nats "$url" --stream LOG -J
equal "mirrored" '{"first":0,"last":999,"sent":1000}' "$(<.out)"
says "the mirror is no reason to trim the log"
verb fleet 0 mirror log --nats "$url" --stream LOG -J
equal "level" '{"first":null,"last":null,"sent":0}' "$(<.out)"
call 0 stream rm log 3 4 5 999
printf 'k=v\nk=\n' | call 0 stream publish log -K =
verb fleet 0 mirror log --nats "$url" --stream LOG
grep -qE '^sent +2$' .out || fail "two more"

# At the same offsets; what was deleted before it was mirrored stays away.
call 0 stream rm log 1000
printf 'a\nb\nc\n' | call 0 stream publish other --key-index
call 0 stream rm other 1
verb fleet 0 mirror other --nats "$url" --stream OTHER -J
equal "with a gap" '{"first":0,"last":2,"sent":2}' "$(<.out)"
verb fleet 0 rebuild copy --nats "$url" --stream OTHER -J --key-index
equal "made again" '{"first":0,"last":2,"received":2}' "$(<.out)"
call 0 stream consume copy -f '%o %s\n'
equal "offsets" $'0 a\n2 c' "$(<.out)"
call 0 stream stat copy -J
equal "index" true "$(jq .key_index .out)"
verb fleet 0 rebuild copy --nats "$url" --stream OTHER -J
equal "made already" '{"first":null,"last":null,"received":0}' "$(<.out)"

# What is not its mirror.
verb fleet 7 mirror other --nats "$url" --stream LOG
says "the mirror has offset"
verb fleet 7 rebuild copy --nats "$url" --stream LOG -J
json_error ECONFLICT
verb fleet 1 rebuild none --nats "$url" --stream NONE
verb fleet 1 mirror missing --nats "$url" --stream LOG
verb fleet 2 mirror log --nats "$url"
says "give --stream NAME"
verb fleet 2 mirror log --nats "$url" --stream a.b
rm -rf copy none

# Followed, while it is written; the command and the server are killed, and it ends by a signal.
"$stele" fleet mirror live --nats "$url" --stream LIVE --follow -J >follow.json 2>follow.err
[ $? -eq 1 ] || fail "there is nothing to follow yet"
seq 5000 | call 0 stream publish live
port=${url##*:}
follow() {
    "$stele" fleet mirror live --nats "$url" --stream LIVE --follow -J >follow.json 2>follow.err &
    follower=$!
    children+=("$follower")
}
follow
seq 5000 | call 0 stream publish live
kill -KILL "$follower"
wait "$follower" 2>/dev/null
follow
stop_server main
seq 5000 | call 0 stream publish live
start_js "$port"
verb fleet 0 mirror live --nats "$url" --stream LIVE
kill -TERM "$follower" || fail "it followed on: $(<follow.err)"
wait "$follower"
rc=$?
equal "ended by a signal ($(<follow.err))" 0 "$rc"
jq -e 'has("sent")' follow.json >/dev/null || fail "what it sent"
verb fleet 0 rebuild live_copy --nats "$url" --stream LIVE -J
equal "all of it" 15000 "$(jq .received .out)"
call 0 stream consume live -J
cp .out live.json
call 0 stream consume live_copy -J
cmp -s .out live.json || fail "the copy of the live one differs"

# Without a server: given up.
stop_server main
# A signal ends a mirror, and ends what makes a stream again before it has: that is no success.
ended() { # CODE ARGS...
    "$stele" fleet "${@:2}" >/dev/null 2>ended.err &
    local pid=$!
    children+=("$pid")
    until [[ $(readlink "/proc/$pid/exe") == */stele* ]]; do sleep 0.01; done # no shell any more
    until ((0x$(awk '/^SigCgt/ { print $2 }' "/proc/$pid/status") & 0x4000)); do sleep 0.01; done
    kill -TERM "$pid"
    wait "$pid"
    rc=$?
    equal "ended by a signal ($(<ended.err))" "$1" "$rc"
}
ended 0 mirror live --nats "$url" --stream LIVE
ended 6 rebuild live_copy --nats "$url" --stream LIVE
verb fleet 6 mirror live --nats "$url" --stream LIVE --timeout 300ms -J
json_error ETIMEDOUT
