#!/bin/bash
# SPDX-License-Identifier: MIT
# fleet_cluster.sh: a stream is mirrored to three servers, one of which is killed meanwhile.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
. "$here/fleet_lib.sh"
exec </dev/null

# Servers of a cluster have to know each other's ports before they start.
names=(one two three)
start_one() { # INDEX PORT
    start_server "${names[$1]}" "$2" -js -sd "$work/js-$1" -n "${names[$1]}" -cluster_name three \
        -cluster "nats://127.0.0.1:$((base + $1))" -routes "$routes"
    urls[$1]=$url
}
base=$(free_ports 6)
routes=nats://127.0.0.1:$base,nats://127.0.0.1:$((base + 1)),nats://127.0.0.1:$((base + 2))
declare -a urls
for i in 0 1 2; do start_one $i $((base + 3 + i)); done
all="${urls[0]},${urls[1]},${urls[2]}"

same() { # of the log and what is made again of its mirror, every message
    rm -rf copy
    verb fleet 0 rebuild copy --nats "$all" --stream LOG -J
    equal "all of it" $((1000 + 20000 * rounds)) "$(jq .received .out)"
    call 0 stream consume log -J
    cp .out log.json
    call 0 stream consume copy -J
    cmp -s .out log.json || fail "the copy differs"
}

# The cluster chooses its leader first: that is waited for.
seq 1000 | call 0 stream publish log
verb fleet 0 mirror log --nats "$all" --stream LOG --replicas 3 -J
equal "mirrored" 1000 "$(jq .sent .out)"

# A server is killed while the mirror follows; at full size each in turn, one of them the leader of
# the stream.
rounds=${STELE_FULL:+3}
rounds=${rounds:-1}
"$stele" fleet mirror log --nats "$all" --stream LOG --follow -J >follow.json 2>follow.err &
follower=$!
children+=("$follower")
for ((i = 0; i < rounds; i++)); do
    seq 10000 | call 0 stream publish log
    stop_server "${names[$i]}"
    seq 10000 | call 0 stream publish log
    verb fleet 0 mirror log --nats "$all" --stream LOG # until it is level
    start_one $i "${urls[$i]##*:}"
done
same
kill -TERM "$follower" || fail "it followed on: $(<follow.err)"
wait "$follower"
rc=$?
equal "ended by a signal ($(<follow.err))" 0 "$rc"
