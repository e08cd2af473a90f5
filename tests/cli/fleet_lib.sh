# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# fleet_lib.sh: servers and nodes for the tests of fleets; they source it behind lib.sh.

command -v nats-server >/dev/null || fail "there is no nats-server: tools/setup.sh installs it"
declare -A node server

# free_ports COUNT: the first of so many in a row that nobody listens at. They are none of those that
# connections get: a server that comes back finds its port free.
listens() { (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
free_ports() {
    local first i
    while :; do
        first=$((10000 + RANDOM % 20000))
        for ((i = 0; i < $1; i++)); do listens $((first + i)) && continue 2; done
        echo $first
        return
    done
}

# start_server NAME PORT [ARGS...]: -1 chooses a port. Its URL is in url, with localhost in place of
# the address, and its log in NAME.log.
start_server() {
    local port=$2
    [ "$port" != -1 ] || port=$(free_ports 1)
    rm -f "$1.log"
    nats-server -a 127.0.0.1 -p "$port" --ports_file_dir "$work" -l "$work/$1.log" "${@:3}" >"$1.out" 2>&1 &
    local pid=$!
    server[$1]=$pid
    children+=("$pid")
    until grep -q '}' "$work/nats-server_$pid.ports" 2>/dev/null; do
        kill -0 "$pid" 2>/dev/null || fail "nats-server ended: $(cat "$1.out" "$1.log" 2>/dev/null)"
        sleep 0.01
    done
    url=$(jq -r '.nats[0]' "$work/nats-server_$pid.ports")
}
stop_server() { # NAME
    kill -KILL "${server[$1]}"
    wait "${server[$1]}" 2>/dev/null
}
# port_of NAME WHAT: as its log says, such as "leafnode".
port_of() { sed -n "s/.*$2 connections on .*:\([0-9]*\)\$/\1/p" "$1.log" | head -n 1; }

# begin DB ID OPTIONS...: without waiting until it is ready.
begin() {
    : >"$1.out"
    "$stele" docs serve "$1" --id "$2" --fleet home "${@:3}" >"$1.out" 2>"$1.err" &
    node[$2]=$!
    children+=("$!")
}
serve() { # DB ID OPTIONS...
    begin "$@"
    until grep -q '"ready":true' "$1.out"; do
        kill -0 "${node[$2]}" 2>/dev/null || fail "serve $1 ended: $(<"$1.err")"
        sleep 0.01
    done
}
stop() { # ID [SIGNAL]
    kill "-${2:-TERM}" "${node[$1]}"
    wait "${node[$1]}"
    rc=$?
    [ "$rc" -eq 0 ] || fail "a signal ends serve with $rc"
}
# await DB ID JSON: until it is there; the time limit of the test ends what hangs.
await() { until [ "$("$stele" docs get "$1" "$2" 2>/dev/null)" = "$3" ]; do sleep 0.02; done; }
# notes DB TEXT: until serve says so on standard error.
notes() { until grep -qsF -- "$2" "$1.err"; do sleep 0.02; done; }
