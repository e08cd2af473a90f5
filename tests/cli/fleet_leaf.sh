#!/bin/bash
# SPDX-License-Identifier: MIT
# fleet_leaf.sh: nodes at different servers: a leaf of another one, without TLS, and with TLS as in
# examples/nats-leaf.conf.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
. "$here/fleet_lib.sh"
exec </dev/null

in_step() { # DB PEER
    until "$stele" fleet peers "$1" -J | jq -se --arg p "$2" 'any(.peer == $p and .online and .in_step)' >/dev/null; do
        sleep 0.05
    done
}
# across HUB_URL LEAF_URL CUT HEAL: two nodes, one at each; the way between them is cut and healed.
across() {
    serve hub_db hub --nats "$1"
    serve leaf_db leaf --nats "$2"
    verb docs 0 set hub_db x '{"from":"hub"}'
    await leaf_db x '{"from":"hub"}'
    verb docs 0 set leaf_db y '{"from":"leaf"}'
    await hub_db y '{"from":"leaf"}'
    in_step hub_db leaf
    in_step leaf_db hub
    # More than one piece of a message, and more than one message.
    seq 300 | jq -c '{id: "big/\(.)", doc: {n: ., text: ("x" * 10000)}}' >load.json
    call 0 docs load leaf_db <load.json
    await hub_db big/300 "$(tail -n 1 load.json | jq -c .doc)"
    "$3"
    verb docs 0 set hub_db z '{"from":"hub"}'
    verb docs 0 del leaf_db x
    "$4"
    await leaf_db z '{"from":"hub"}'
    until ! "$stele" docs has hub_db x >/dev/null 2>&1; do sleep 0.02; done
    stop hub
    stop leaf
    for db in hub_db leaf_db; do
        verb docs 0 validate $db
        call 0 docs log $db -J
        cp .out $db.log
    done
    cmp -s hub_db.log leaf_db.log || fail "the logs differ"
    rm -rf hub_db leaf_db
}

# ---- Without TLS. ----

echo 'leafnodes { listen: "127.0.0.1:-1" }' >hub.conf
start_server hub -1 -c hub.conf
hub_url=$url
echo "leafnodes { reconnect: 1, remotes: [{ url: \"nats-leaf://127.0.0.1:$(port_of hub leafnode)\" }] }" >leaf.conf
start_server leaf -1 -c leaf.conf
leaf_url=$url
cut_leaf() { stop_server leaf; }
heal_leaf() { start_server leaf "${leaf_url##*:}" -c leaf.conf; }
across "$hub_url" "$leaf_url" cut_leaf heal_leaf
stop_server leaf
stop_server hub

# ---- With TLS between the servers, each of which proves who it is. ----

tls=$STELE_TESTS/nats/tls
export STELE_TLS_CA=$tls/ca.pem STELE_TLS_CERT=$tls/client.pem STELE_TLS_KEY=$tls/client.key
cat >hub.conf <<END
leafnodes {
  listen: "127.0.0.1:-1"
  tls { cert_file: "$tls/server.pem", key_file: "$tls/server.key", ca_file: "$tls/ca.pem", verify: true }
}
END
start_server hub -1 -c hub.conf
hub_url=$url
hub_port=$(port_of hub leafnode)
export STELE_NATS_HUB=tls://localhost:$hub_port
start_server leaf -1 -c "$STELE_TESTS/../examples/nats-leaf.conf"
leaf_url=$url
cut_hub() { stop_server hub; }
heal_hub() {
    sed -i "s/127.0.0.1:-1/127.0.0.1:$hub_port/" hub.conf
    start_server hub "${hub_url##*:}" -c hub.conf
}
across "$hub_url" "$leaf_url" cut_hub heal_hub
