#!/bin/bash
# SPDX-License-Identifier: MIT
# verify.sh [STEP...]: everything that is promised, at full size, each figure
# printed. A step that fails, or whose program is not there, is counted; the
# others go on. The last lines say what failed. `--list` names the steps.
set -uo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
steps=(lint demo tests full mutants asan tsan fuzz bench)
export STELE_FUZZ_SECONDS=${STELE_FUZZ_SECONDS:-60}

configure_and_build() {
    cmake --preset "$1" -Wno-dev >"build/$1.configure.txt" 2>&1 || { cat "build/$1.configure.txt"; return 1; }
    cmake --build "build/$1" -j"$jobs" >"build/$1.build.txt" 2>&1 || { cat "build/$1.build.txt"; return 1; }
}

verify_lint() { tools/lint.sh; }
verify_demo() { make demo; }
verify_tests() { configure_and_build dev && ctest --preset dev -j"$jobs"; }
# One at a time: these print how fast they were.
verify_full() { configure_and_build full && STELE_FULL=1 ctest --preset full -L full -V -j1; }
verify_mutants() { tools/mutants.sh; }
verify_asan() { configure_and_build asan && ctest --preset asan -j"$jobs"; }
verify_tsan() {
    configure_and_build tsan && ctest --preset tsan -j"$jobs" &&
        STELE_FULL=1 ctest --preset tsan -L stress -V -j1
}
verify_fuzz() { tools/fuzz.sh; }
verify_bench() { make bench; }

headline_lint="layers, form, symbols, system calls, clang-tidy"
headline_demo="the main job on this machine's own data"
headline_tests="every test, gcc"
headline_full="crash exploration, models and loops at full size"
headline_mutants="seeded bugs: caught / total"
headline_asan="the whole suite under ASan and UBSan"
headline_tsan="the whole suite under TSan, then the stress test at full size"
headline_fuzz="each fuzz target for $STELE_FUZZ_SECONDS s"
headline_bench="the table of benchmarks"

if [ "${1:-}" = --list ]; then
    for step in "${steps[@]}"; do
        headline=headline_$step
        printf '  %-8s %s\n' "$step" "${!headline}"
    done
    exit 0
fi
if [ $# -ne 0 ]; then
    steps=("$@")
fi
for step in "${steps[@]}"; do
    declare -F "verify_$step" >/dev/null || { echo "verify: no step '$step'" >&2; exit 2; }
done
mkdir -p build
report=()
failed=0
for step in "${steps[@]}"; do
    headline=headline_$step
    printf '\n==== %s: %s\n' "$step" "${!headline}"
    begin=$SECONDS
    result=ok
    "verify_$step" 2>&1 | tee "build/verify.$step.txt" || { result=FAILED; failed=$((failed + 1)); }
    report+=("$(printf '  %-8s %-7s %5d s  %s' "$step" "$result" $((SECONDS - begin)) "${!headline}")")
done
# The sums that searches print, once more: lines such as "stream crashes: figure, figure".
if [[ " ${steps[*]} " == *" full "* ]]; then
    printf '\n==== figures at full size\n'
    sed -nE 's/^[0-9]+: ([a-z]+ [a-z]+: .*[0-9].*)/  \1/p' build/verify.full.txt | grep -v '^  sim '
fi
printf '\n==== verify: %d steps, %d failed\n' "${#steps[@]}" "$failed"
printf '%s\n' "${report[@]}"
[ $failed -eq 0 ]
