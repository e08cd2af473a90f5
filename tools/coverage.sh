#!/bin/bash
# SPDX-License-Identifier: MIT
# coverage.sh: run every test in a build that counts, and print for each source
# of the library how many of its lines and branches were reached.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
mkdir -p build
cmake --preset coverage -Wno-dev >build/coverage.configure.txt 2>&1 || { cat build/coverage.configure.txt; exit 1; }
cmake --build build/coverage -j"$jobs"
find build/coverage -name '*.gcda' -delete
status=0
ctest --preset coverage -j"$jobs" >build/coverage/ctest.txt 2>&1 || status=$?
tail -n 20 build/coverage/ctest.txt
for counts in build/coverage/src/CMakeFiles/*_testing.dir/*/*.gcda; do
    [ -e "$counts" ] || { echo "coverage: nothing was counted" >&2; exit 1; }
    gcov -n -b "$counts" 2>/dev/null | awk -v root="$PWD/src/" '
        /^File / {name = substr($2, 2, length($2) - 2); mine = index(name, root) == 1}
        mine && /^Lines executed/ {sub("Lines executed:", ""); lines = $0}
        mine && /^Taken at least once/ {
            sub("Taken at least once:", "")
            printf "%-32s lines %-20s branches %s\n", substr(name, length(root) + 1), lines, $0
            mine = 0
        }'
done | sort -u
exit $status
