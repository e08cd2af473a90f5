#!/bin/bash
# SPDX-License-Identifier: MIT
# mutants.sh: switch on each seeded bug in turn and see that the tests find it.
# Prints a line for each, and how many were caught, by searches and by scenarios; fails if one escaped that is not
# explained, or if fewer than 95 % were caught by searches. Then the bugs of fleets (fleet_mutants.sh). Arguments are
# passed on, and leave fleets out; `--module fleet` is fleets alone.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$*" = "--module fleet" ]; then
    exec tools/fleet_mutants.sh
fi
mkdir -p build
cmake --preset full -Wno-dev >build/full.configure.txt 2>&1 || { cat build/full.configure.txt; exit 1; }
cmake --build build/full -j"${JOBS:-$(nproc)}" --target mutants
if [ $# -ne 0 ]; then
    exec build/full/tests/crash/mutants "$@"
fi
failed=0
build/full/tests/crash/mutants || failed=1
tools/fleet_mutants.sh || failed=1
exit $failed
