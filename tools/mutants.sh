#!/bin/bash
# SPDX-License-Identifier: MIT
# mutants.sh: switch on each seeded bug in turn and see that the tests find it.
# Prints a line for each, and how many were caught, by searches and by scenarios; fails if one escaped that is not
# explained, or if fewer than 95 % were caught by searches. Arguments are passed on.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build
cmake --preset full -Wno-dev >build/full.configure.txt 2>&1 || { cat build/full.configure.txt; exit 1; }
cmake --build build/full -j"${JOBS:-$(nproc)}" --target mutants
exec build/full/tests/crash/mutants "$@"
