#!/bin/bash
# SPDX-License-Identifier: MIT
# fuzz.sh [NAME...]: run fuzz targets (all of them, or fuzz_NAME) for
# STELE_FUZZ_SECONDS each, 60 if not set, starting from their corpus. What is
# found new stays in build/fuzz/found; an input that fails is left there too,
# and belongs into fuzz/corpus once it is mended.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${STELE_FUZZ_SECONDS:-60}
mkdir -p build
cmake --preset fuzz -Wno-dev >build/fuzz.configure.txt 2>&1 || { cat build/fuzz.configure.txt; exit 1; }
cmake --build build/fuzz -j"${JOBS:-$(nproc)}"

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    for source in fuzz/fuzz_*.c; do
        [ -e "$source" ] || { echo "fuzz: no targets in fuzz/" >&2; exit 1; }
        name=${source##*/fuzz_}
        names+=("${name%.c}")
    done
fi
failed=0
printf '%-24s %12s %10s %8s  %s\n' target executions per_second corpus result
for name in "${names[@]}"; do
    corpus=fuzz/corpus/$name
    [ -d "$corpus" ] || corpus=fuzz/corpus/fuzz_$name
    [ -d "$corpus" ] || { echo "fuzz: no corpus for $name" >&2; exit 1; }
    found=build/fuzz/found/$name
    mkdir -p "$found"
    result=clean
    build/fuzz/fuzz/fuzz_"$name" -max_total_time="$seconds" -print_final_stats=1 -rss_limit_mb=2048 \
        -timeout=20 -artifact_prefix="$found/" "$found" "$corpus" >"$found.log" 2>&1 || result=FAILED
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$found.log")
    rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$found.log")
    printf '%-24s %12s %10s %8s  %s\n' "$name" "${runs:--}" "${rate:--}" \
        "$(find "$found" "$corpus" -type f | wc -l)" "$result"
    if [ $result = FAILED ]; then
        failed=$((failed + 1))
        tail -40 "$found.log"
    fi
done
echo "fuzz: ${#names[@]} targets, $seconds s each, $failed failed"
[ $failed -eq 0 ]
