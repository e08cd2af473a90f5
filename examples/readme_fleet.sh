#!/bin/bash
# SPDX-License-Identifier: MIT
# readme_fleet.sh README WORK EXAMPLE
# What README says of documents on two machines, followed as it stands in the fresh directory WORK,
# but for the port of the server: the first block starts all, and is awaited; each line of the second
# one prints what stands behind it, at last. Then EXAMPLE, the program there, joins as a third node.
set -euo pipefail
readme=$1 work=$2 example=$3
command -v nats-server >/dev/null || { echo "there is no nats-server: tools/setup.sh installs it"; exit 1; }
rm -rf "$work"
mkdir -p "$work/bin"
ln -s "$STELE_COMMAND" "$work/bin/stele"
awk '/^### Documents on two machines/ {on = 1; next} /^##/ {on = 0}
    on && /^```sh$/ {inside = 1; n++; next} /^```$/ {inside = 0} inside {print >file "" n}' file="$work/block" "$readme"
cd "$work"
started=()
cleanup() {
    disown -a
    for pid in "${started[@]}" $(jobs -p); do kill -KILL "$pid" 2>/dev/null || true; done
}
trap cleanup EXIT
cat >bin/nats-server <<END
#!/bin/sh
exec $(command -v nats-server) -a 127.0.0.1 -p -1 --ports_file_dir "$work" "\$@"
END
chmod +x bin/nats-server
PATH=$work/bin:$PATH

# What the first block starts ends with this script.
[ "$(grep -c '&$' block1)" -eq "$(wc -l <block1)" ] || { echo "not all of the first block runs on"; exit 1; }
while IFS= read -r line; do
    case $line in
    nats-server*)
        eval "$line" 2>nats.log
        started+=($!)
        until grep -qs '}' nats-server_*.ports; do sleep 0.01; done
        url=$(sed -E 's/.*"(nats:[^"]*)".*/\1/' nats-server_*.ports)
        ;;
    *)
        eval "${line//nats:\/\/127.0.0.1/$url}" >>ready.txt
        started+=($!)
        ;;
    esac
done <block1
until [ "$(grep -c '"ready":true' ready.txt)" -eq $((${#started[@]} - 1)) ]; do
    for pid in "${started[@]}"; do kill -0 "$pid" || { echo "something ended"; exit 1; }; done
    sleep 0.01
done
checked=0
while IFS= read -r line; do
    wanted=
    [[ $line != *' # '* ]] || wanted=${line##* \# }
    printf '$ %s\n' "$line"
    if [ -z "$wanted" ]; then
        eval "$line"
        continue
    fi
    # The time limit of the test ends what never comes.
    until [ "$(eval "$line" 2>/dev/null | tr -s ' ')" = "$wanted" ]; do sleep 0.05; done
    checked=$((checked + 1))
done <block2
[ "$checked" -ge 3 ] || { echo "the second block says too little"; exit 1; }
# A program that meets nobody in time has nothing to print yet.
until "$example" "$url" >printed.txt 2>error.txt; do
    grep -q 'no such document' error.txt || { cat error.txt; exit 1; }
done
[ "$(cat printed.txt)" = "$(stele docs get kitchen.db lamp1)" ] || { echo "it prints:"; cat printed.txt; exit 1; }
for pid in "${started[@]:1}"; do
    kill -TERM "$pid"
    wait "$pid" || { echo "a node ended with $?"; exit 1; }
done
