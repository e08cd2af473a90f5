#!/bin/bash
# SPDX-License-Identifier: MIT
# mutants.sh: switch on each seeded bug in turn and see that the tests find it.
# Prints a line for each and how many were caught; fails if one escaped that is not explained. Arguments are passed on.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build
cmake --preset full -Wno-dev >build/full.configure.txt 2>&1 || { cat build/full.configure.txt; exit 1; }
cmake --build build/full -j"${JOBS:-$(nproc)}" --target stream_mutants
exec build/full/tests/crash/stream_mutants "$@"
