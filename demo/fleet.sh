# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# fleet.sh: the demo's chapter on fleets: three nodes over a NATS server, one of them
# cut off, changes on both sides that contradict each other, and agreement again.
# demo.sh sources it.
#
# Two of the nodes reach the server "house". The third one, in the garden, has a small server of its
# own, which is a leaf of the first: without that one the garden is cut off.

garden_port=-1
fleet() { "$stele" fleet "$@"; }
run_fleet() { printf '   $ stele %s\n' "$*" | sed "s|$work/||g"; }

# start_nats NAME PORT CONFIG: -1 chooses a port; its URL is in nats_url afterwards.
start_nats() {
    local name=$1
    printf '%s\n' "$3" >"$work/$name.conf"
    nats-server -c "$work/$name.conf" -a 127.0.0.1 -p "$2" --ports_file_dir "$work" \
        -l "$work/$name.log" >"$work/$name.out" 2>&1 &
    nats_pid=$!
    started+=("$nats_pid")
    disown "$nats_pid"
    listens() { grep -q '}' "$work/nats-server_$nats_pid.ports" 2>/dev/null; }
    wait_until listens || fail "nats-server does not start: $(tail -n 1 "$work/$name.log" "$work/$name.out")"
    nats_url=$(jq -r '.nats[0]' "$work/nats-server_$nats_pid.ports")
}
start_garden() {
    start_nats garden-server "$garden_port" "leafnodes { reconnect: 1, remotes: [{ url: \"nats-leaf://127.0.0.1:$leaf_port\" }] }"
    garden_server=$nats_pid
    garden_port=${nats_url##*:}
}

declare -A node
start_node() { # NAME URL
    run_fleet "docs serve $1 --id $1 --fleet home --nats $2 &"
    "$stele" docs serve "$work/$1" --id "$1" --fleet home --nats "$2" >"$work/$1.ready" 2>"$work/$1.notes" &
    node[$1]=$!
    started+=("$!")
    is_ready() { grep -q '"ready":true' "$work/$1.ready" 2>/dev/null; }
    wait_until is_ready "$1" || fail "$1 does not become ready: $(tail -n 1 "$work/$1.notes")"
}

nodes=(kitchen bath garden)
in_step_with() { # NODE COUNT: so many others are online, and have the same
    [ "$(fleet peers "$work/$1" -J | jq -s 'map(select(.online and .in_step)) | length')" -eq "$2" ]
}
all_in_step() { local n; for n in "${nodes[@]}"; do in_step_with "$n" 2 || return 1; done; }
sees_nobody() { [ "$(fleet peers "$work/$1" -J | jq -s 'map(select(.online)) | length')" -eq 0 ]; }
doc_of() { docs get "$work/$1" "$2" 2>/dev/null || echo none; }
has_doc() { [ "$(doc_of "$1" "$2")" = "$3" ]; }
all_have() { local n; for n in "${nodes[@]}"; do has_doc "$n" "$1" "$2" || return 1; done; }
hash_of() { docs "$1" "$work/$2" -J | sha256sum | cut -c 1-16; }
all_equal() { # VERB
    [ "$(hash_of "$1" kitchen)" = "$(hash_of "$1" bath)" ] && [ "$(hash_of "$1" bath)" = "$(hash_of "$1" garden)" ]
}
agree() { all_equal log && all_equal checkpoints && all_equal dump; }
change() { # NODE VERB ID [JSON]
    run_fleet "docs $2 $1 $3${4:+ '$4'}"
    docs "$2" "$work/$1" "$3" ${4:+"$4"} >"$work/changed"
}
show_hashes() {
    local n
    printf '   | %-8s  %9s  %-16s  %s\n' node documents "hash of the log" "hash of the documents"
    for n in "${nodes[@]}"; do
        printf '   | %-8s  %9d  %-16s  %s\n' "$n" "$(docs stat "$work/$n" -J | field documents)" \
            "$(hash_of log "$n")" "$(hash_of dump "$n")"
    done
}

title "13. Three nodes of a fleet, over NATS"
if ! "$stele" fleet help | grep -q '^ *mirror'; then
    fact "left out" "this command was built without NATS"
    return
fi
start_nats house-server -1 'leafnodes { listen: "127.0.0.1:-1" }'
house_url=$nats_url
leaf_port=$(sed -n 's/.*leafnode connections on .*:\([0-9]*\)$/\1/p' "$work/house-server.log")
start_garden
fact "server in the house" "$house_url, for kitchen and bath"
fact "server in the garden" "$nats_url, a leaf of the other"
start_node kitchen "$house_url"
start_node bath "$house_url"
start_node garden "$nats_url"
cat >"$work/lamp.json" <<'END'
{"name": "lamp", "version": 1, "keys": [
    {"name": "number", "fields": ["number"], "method": "number", "unique": true}]}
END
for name in "${nodes[@]}"; do
    docs type add "$work/$name" "$work/lamp.json" >"$work/added"
done
change kitchen set lamp/1 '{"@type":"lamp","number":1,"on":false}'
change bath set lamp/2 '{"@type":"lamp","number":2,"on":false}'
change garden set lamp/3 '{"@type":"lamp","number":3,"on":false}'
for i in 1 2 3; do
    promise "lamp/$i is on all three" wait_until all_have lamp/$i "{\"@type\":\"lamp\",\"number\":$i,\"on\":false}"
done
promise "each node says that it is in step with both others" wait_until all_in_step
run_fleet "fleet peers garden"
fleet peers "$work/garden" | indent

title "14. Cut off the garden, and change the same documents on both sides"
kill -KILL "$garden_server"
fact "kill -KILL" "the server in the garden"
change kitchen set lamp/1 '{"@type":"lamp","number":1,"on":true,"by":"kitchen"}'
change bath del lamp/2
change kitchen patch lamp/3 '{"by":"kitchen"}'
change kitchen set lamp/hall '{"@type":"lamp","number":4}'
change garden set lamp/1 '{"@type":"lamp","number":1,"on":true,"by":"garden"}'
change garden patch lamp/2 '{"by":"garden"}'
change garden del lamp/3
change garden set lamp/tree '{"@type":"lamp","number":4}'
promise "the garden sees nobody" wait_until sees_nobody garden
promise "kitchen and bath go on together" wait_until in_step_with bath 1
promise "in the house lamp/1 is as the kitchen says" wait_until has_doc bath lamp/1 '{"@type":"lamp","number":1,"on":true,"by":"kitchen"}'
promise "in the garden it is as the garden says" has_doc garden lamp/1 '{"@type":"lamp","number":1,"on":true,"by":"garden"}'
promise "lamp/2 is deleted in the house, but not in the garden" \
    [ "$(doc_of kitchen lamp/2)" = none -a "$(doc_of garden lamp/2)" != none ]
show_hashes
promise "the two sides differ" [ "$(hash_of log kitchen)" != "$(hash_of log garden)" ]

title "15. Heal it: all agree"
start_garden
fact "started again" "the server in the garden"
promise "all three have the same log, checkpoints and documents" wait_until agree
promise "lamp/1 is what was said last: the garden's" all_have lamp/1 '{"@type":"lamp","number":1,"on":true,"by":"garden"}'
promise "lamp/2 was changed after it was deleted: it is back" \
    all_have lamp/2 '{"@type":"lamp","number":2,"on":false,"by":"garden"}'
promise "lamp/3 was deleted after it was changed: it is gone" all_have lamp/3 none
run_fleet "docs conflicts garden -J"
docs conflicts "$work/garden" -J | indent
promise "both new lamps are kept; that they share a number is told" \
    [ "$(docs conflicts "$work/garden" -J | jq -c '[.owner, .losers]')" = '["lamp/hall",["lamp/tree"]]' ]
promise "by all three alike" all_equal conflicts
promise "each node says that it is in step with both others" wait_until all_in_step
for name in "${nodes[@]}"; do
    kill -TERM "${node[$name]}"
    ended=0
    wait "${node[$name]}" || ended=$?
    promise "SIGTERM ends $name with exit code 0" [ "$ended" -eq 0 ]
done
show_hashes
promise "the hashes are equal" agree
for name in "${nodes[@]}"; do
    promise "$name is sound" quietly docs validate "$work/$name"
done
