#!/bin/bash
# SPDX-License-Identifier: MIT
# lint.sh: every rule that a script can check. Runs all of them, then says
# which failed. The symbols and system calls are those of the dev build.
set -uo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
failed=()

step() {
    local name=$1
    shift
    "$@" || {
        failed+=("$name")
        echo "lint: $name FAILED" >&2
    }
}

quiet() {
    local log=build/lint.txt
    "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        return 1
    }
}

build_dev() {
    quiet cmake --preset dev -Wno-dev && quiet cmake --build build/dev -j"$jobs"
}

check_format() {
    git ls-files -z '*.c' '*.h' | xargs -0 clang-format --dry-run -Werror || return 1
    echo "format: ok"
}

check_scripts() {
    local script bad=0
    while IFS= read -r script; do
        bash -n "$script" || bad=1
    done < <(git ls-files '*.sh' .ci/run)
    [ $bad -eq 0 ] && echo "scripts: ok"
}

check_built() {
    build_dev || return 1
    local status=0
    tools/check_symbols.sh . build/dev/libstele.so build/dev/libstele.a || status=1
    tools/check_symbols.sh . build/dev/libstele-nats.so build/dev/libstele-nats.a nats || status=1
    find build/dev/src/CMakeFiles -name '*.o' ! -path '*_testing.dir/*' -print0 |
        xargs -0 tools/check_syscalls.sh || status=1
    return $status
}

check_tidy() {
    quiet cmake --preset clang -Wno-dev || return 1
    python3 tools/run_tidy.py -j "$jobs" build/clang/compile_commands.json
}

mkdir -p build
step layers python3 tools/check_layers.py .
step style python3 tools/check_style.py .
step scripts check_scripts
step format check_format
step built check_built
step tidy check_tidy
if [ ${#failed[@]} -ne 0 ]; then
    echo "lint: failed: ${failed[*]}" >&2
    exit 1
fi
echo "lint: ok"
