#!/bin/bash
# SPDX-License-Identifier: MIT
# setup.sh [build|demo|test|lint|verify|bench]...
#
# Installs what these goals need and this machine lacks, with apt-get: as root,
# or through sudo. When nothing is missing it does nothing and prints nothing.
# Each need is looked for by what is used of it (a command, a header, a library
# that pkg-config knows), so that a machine that has it from elsewhere is left
# as it is.
set -euo pipefail

has_command() { command -v "$1" >/dev/null; }
has_library() { has_command pkg-config && pkg-config --exists "$1"; }
has_header() { printf '#include <%s>\n' "$1" | cc -E - >/dev/null 2>&1; }
has_header_cxx() { has_header "$1" && has_command g++; }
has_sanitizers() {
    has_command clang && printf 'int main(void){return 0;}\n' |
        clang -fsanitize=address,undefined,fuzzer-no-link -x c - -o /dev/null >/dev/null 2>&1
}
has_python() { has_command python3 && python3 -c 'import tomllib' 2>/dev/null; }

# goal | package | how to look for it | why
needs='
build  | gcc                | has_command gcc                   | compiles C
build  | libc6-dev          | has_header stdio.h                | headers of the C library
build  | cmake              | has_command cmake                 | describes the build
build  | ninja-build        | has_command ninja                 | runs the build
build  | pkg-config         | has_command pkg-config            | finds libraries
build  | libjansson-dev     | has_library jansson               | JSON
build  | libisal-dev        | has_library libisal               | checksums of long buffers
build  | libssl-dev         | has_library libcrypto             | SHA-256 of snapshot files
build  | liblmdb-dev        | has_library lmdb                  | the tree beneath a store
build  | libzstd-dev        | has_library libzstd               | compressed snapshots
build  | libicu-dev         | has_library icu-i18n              | loose comparison of strings
build  | libnats-dev        | has_library libnats               | the fleet over NATS
demo   | jq                 | has_command jq                    | reads the JSON that the command prints
demo   | nats-server        | has_command nats-server           | between the nodes of the fleet
test   | libcmocka-dev      | has_library cmocka                | runs the unit tests
test   | g++                | has_command g++                   | headers are checked as C++ as well
test   | clang              | has_command clang                 | a second compiler, which checks locks
test   | clang-format       | has_command clang-format          | the form of the code
test   | clang-tidy         | has_command clang-tidy            | the faults that a compiler does not see
test   | python3            | has_python                        | runs the checkers under tools/
test   | jq                 | has_command jq                    | checks the JSON that the command prints
test   | nats-server        | has_command nats-server           | a server for the tests of the fleet
test   | scdoc              | has_command scdoc                 | makes the manual pages
test   | mandoc             | has_command mandoc                | checks the manual pages
verify | libclang-rt-14-dev | has_sanitizers                    | sanitizers and libFuzzer
bench  | g++                | has_command g++                   | some of the peers are C++
bench  | libleveldb-dev     | has_header leveldb/c.h            | a peer in the benchmarks
bench  | librocksdb-dev     | has_header rocksdb/c.h            | a peer in the benchmarks
bench  | libsqlite3-dev     | has_library sqlite3               | a peer in the benchmarks
bench  | redis-server       | has_command redis-server          | a peer in the benchmarks
bench  | libhiredis-dev     | has_library hiredis               | talks to Redis in the benchmarks
'

goals=" build "
for goal in "${@:-build}"; do
    case $goal in
    build) ;;
    demo) goals+="demo " ;;
    test | lint) goals+="test " ;;
    bench) goals+="bench " ;;
    verify) goals+="test bench verify " ;;
    *)
        echo "setup.sh: no goal '$goal'" >&2
        exit 2
        ;;
    esac
done

# Sets `missing` to the packages and `why` to a line for each.
look() {
    missing=() why=()
    while IFS='|' read -r goal package look reason; do
        read -r goal <<<"$goal"
        read -r package <<<"$package"
        read -ra look <<<"$look"
        if [[ -z $goal || $goals != *" $goal "* || " ${missing[*]} " == *" $package "* ]]; then
            continue
        fi
        if ! "${look[@]}"; then
            missing+=("$package")
            why+=("$(printf '  %-20s%s' "$package" "${reason# }")")
        fi
    done <<<"$needs"
}

look
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

echo "Missing here, and needed:" >&2
printf '%s\n' "${why[@]}" >&2
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
fi
if ! has_command apt-get || { [ ${#as_root[@]} -ne 0 ] && ! has_command sudo; }; then
    echo "Install them (the names are Debian's), then try again:" >&2
    echo "  apt-get install ${missing[*]}" >&2
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A password that sudo may want is asked for and read on the terminal.
apt() {
    echo "  ${as_root[*]:+sudo }apt-get $*" >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=600 \
        "$@" </dev/null >"$log" 2>&1 || {
        cat "$log" >&2
        echo "setup.sh: apt-get $1 failed" >&2
        exit 1
    }
}
apt update
apt install --no-install-recommends "${missing[@]}"
look
if [ ${#missing[@]} -ne 0 ]; then
    echo "setup.sh: installed, but still not usable:" >&2
    printf '%s\n' "${why[@]}" >&2
    exit 1
fi
