#!/bin/bash
# SPDX-License-Identifier: MIT
# bench.sh BUILD_DIR [--dir DIR] [--json [FILE]] [--messages N] [--rounds N]
#          [--only TEXT] [NAME...]
#
# Run the benchmarks (all, or bench_NAME) and print the table. Data lies below
# DIR, BUILD_DIR if not given: the file system there is what is measured. The
# figures of each round go to BUILD_DIR/bench.jsonl, or FILE; --json alone
# prints them in place of the table. No figure makes this fail.
set -euo pipefail

usage() {
    sed -n '3,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

[ $# -ge 1 ] && [ -d "$1" ] || usage
build=$1
shift
dir=$build
json=$build/bench.jsonl
table=yes
pass=()
names=()
while [ $# -gt 0 ]; do
    case $1 in
    --dir) dir=${2:?} && shift ;;
    --json)
        if [[ ${2:-} && $2 != --* && $2 == */* ]]; then
            json=$2 && shift
        else
            table=no
        fi
        ;;
    --messages | --rounds | --only) pass+=("$1" "${2:?}") && shift ;;
    --*) usage ;;
    *) names+=("$1") ;;
    esac
    shift
done
[ ${#names[@]} -ne 0 ] || names=(publish consume lookup whole durable wal journal store docs stall)

data=$(mktemp -d "$dir/bench-data.XXXXXX")
trap 'rm -rf "$data"' EXIT
: >"$json"
begin=$SECONDS
for name in "${names[@]}"; do
    echo "bench: $name" >&2
    "$build/bench/bench_$name" --dir "$data" "${pass[@]}" >>"$json"
done
if [ $table = yes ]; then
    echo
    echo "$(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)," \
        "$(stat -f -c %T "$data"), Linux $(uname -r), load $(cut -d' ' -f1 /proc/loadavg);" \
        "$((SECONDS - begin)) s"
    echo
    "$build/bench/bench_table" <"$json"
else
    cat "$json"
fi
