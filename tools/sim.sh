#!/bin/bash
# SPDX-License-Identifier: MIT
# sim.sh: simulated fleets, each seed twice, in two processes: most of them in all kinds of trouble at once, the others
# with one trouble above all. Prints what happened in each, and how many runs there were; fails if one was wrong.
# STELE_SIM_SEEDS: how many seeds in all, 10,000 if not set.
set -euo pipefail
cd "$(dirname "$0")/.."
seeds=${STELE_SIM_SEEDS:-10000}
test=build/full/tests/sim_fleet/fleet_sim_test
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
begin=$SECONDS

# name of the test, share of the seeds in thousandths
run() {
    "$test" 1 $((seeds * $2 / 1000)) "$1" >"$out/$1.txt" 2>&1 || {
        cat "$out/$1.txt" >&2
        return 1
    }
}

run test_fleet 850 &
others=(test_mixed 50 test_trimmed 20 test_wiped 20 test_away 20 test_rotten 40)
failed=0
for ((i = 0; i < ${#others[@]}; i += 2)); do
    run "${others[i]}" "${others[i + 1]}" || failed=1
done
wait $! || failed=1
grep -h ' runs, ' "$out"/*.txt || true
runs=$(sed -nE 's/.*: ([0-9]+) runs, .*/\1/p' "$out"/*.txt | awk '{ n += $1 } END { print 2 * n }')
echo "fleet sim: $runs runs of ${seeds} seeds, each twice with the same trace, in $((SECONDS - begin)) s: $([ $failed -eq 0 ] && echo "0 violations" || echo FAILED)"
exit $failed
