#!/bin/bash
# SPDX-License-Identifier: MIT
# fleet_mutants.sh: switch on each seeded bug of fleets (src/fleet/mutants.def) and see that it is found: by the
# simulator, or by the test that is named there, which then fails, or does not come to an end. Prints a line for each,
# and how many were caught; fails if one escaped, or if a test fails without a bug.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build
cmake --preset full -Wno-dev >build/full.configure.txt 2>&1 || { cat build/full.configure.txt; exit 1; }
cmake --build build/full -j"${JOBS:-$(nproc)}" --target fleet_mutants_test fleet_lost_test fleet_rot_test \
    fleet_retention_test fleet_promise_test >build/full.build.txt 2>&1 || { cat build/full.build.txt; exit 1; }
limit=60 # seconds, of a test that passes in a few
total=0
caught=0

program() {
    case $1 in
    sim) echo build/full/tests/sim_fleet/fleet_mutants_test ;;
    lost) echo build/full/tests/unit/fleet_core/fleet_lost_test ;;
    *) echo "build/full/tests/fleet/fleet_$1_test" ;;
    esac
}

for finder in lost rot retention promise; do
    timeout "$limit" "$(program $finder)" >/dev/null 2>&1 || { echo "fleet_${finder}_test fails without a bug" >&2; exit 1; }
done
# The simulator goes over its own, in one process.
sim=$("$(program sim)" 2>&1) || true
while IFS=$'\t' read -r name finder what; do
    total=$((total + 1))
    by=
    if [ "$finder" = sim ]; then
        by=$(sed -nE "s/^$name +(seed .*)/\1/p" <<<"$sim" | head -1)
    else
        code=0
        out=$(STELE_FLEET_MUTANT=$name timeout "$limit" "$(program "$finder")" 2>&1) || code=$?
        if [ $code -eq 124 ]; then
            by="fleet_${finder}_test does not end"
        elif [ $code -ne 0 ] && [ $code -ne 99 ]; then
            by="fleet_${finder}_test: $(sed -nE 's/^\[  FAILED  \] (test_.*)/\1/p' <<<"$out" | head -1)"
        fi
    fi
    if [ -n "$by" ]; then
        caught=$((caught + 1))
    else
        by=ESCAPED
    fi
    printf '%-26s %-60s %s\n' "$name" "$what" "$by"
done < <(sed -nE 's/^X\((\w+), (\w+), "(.*)"\)/\1\t\2\t\3/p' src/fleet/mutants.def)
echo "fleet: caught $caught / $total"
[ "$caught" -eq "$total" ]
