#!/bin/bash
# SPDX-License-Identifier: MIT
# mutants.sh: switch on each seeded bug in turn and see that the tests find it.
# Prints a line for each and the share that was caught; fails below the aim of
# the program itself. Arguments are passed on.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build
cmake --preset dev -Wno-dev >build/dev.configure.txt 2>&1 || { cat build/dev.configure.txt; exit 1; }
cmake --build build/dev -j"${JOBS:-$(nproc)}" --target stream_mutants
exec build/dev/tests/crash/stream_mutants "$@"
