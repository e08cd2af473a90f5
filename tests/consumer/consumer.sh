#!/bin/bash
# SPDX-License-Identifier: MIT
# consumer.sh pkgconfig|cmake BUILD CC WORK
# Installs BUILD below WORK, moves the result to another place, and builds and
# runs a program against it, once with the shared library and once with the
# static one.
set -euo pipefail
way=$1 build=$2 cc=$3 work=$4
source=$(cd "$(dirname "$0")" && pwd)/project

rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --prefix "$work/first" >"$work/install.txt"
mv "$work/first" "$work/stage"
stage=$work/stage

"$stage/bin/stele" --version
case $way in
pkgconfig)
    PKG_CONFIG_PATH=$(dirname "$(find "$stage" -name stele.pc)")
    export PKG_CONFIG_PATH
    libdir=$(cd "$PKG_CONFIG_PATH/.." && pwd)
    read -ra flags <<<"$(pkg-config --cflags --libs stele)"
    "$cc" -std=c11 -Wall -Wextra -Werror "$source/main.c" -o "$work/consumer_shared" "${flags[@]}"
    # The archive by its name: with -lstele the linker would take the shared one.
    read -ra flags <<<"$(pkg-config --static --cflags --libs stele | sed "s|-lstele|$libdir/libstele.a|")"
    "$cc" -std=c11 -Wall -Wextra -Werror "$source/main.c" -o "$work/consumer_static" "${flags[@]}"
    if [ -e "$PKG_CONFIG_PATH/stele-nats.pc" ]; then
        read -ra flags <<<"$(pkg-config --cflags --libs stele-nats)"
        "$cc" -std=c11 -Wall -Wextra -Werror "$source/nats.c" -o "$work/nats_shared" "${flags[@]}"
        read -ra flags <<<"$(pkg-config --static --cflags --libs stele-nats |
            sed "s|-lstele-nats|$libdir/libstele-nats.a|; s|-lstele |$libdir/libstele.a |")"
        "$cc" -std=c11 -Wall -Wextra -Werror "$source/nats.c" -o "$work/nats_static" "${flags[@]}"
    fi
    export LD_LIBRARY_PATH=$libdir
    ;;
cmake)
    cmake -S "$source" -B "$work/build" -G Ninja -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$stage" >"$work/configure.txt"
    cmake --build "$work/build" >"$work/build.txt" || { cat "$work/build.txt"; exit 1; }
    cp "$work/build/consumer_shared" "$work/build/consumer_static" "$work/"
    cp "$work"/build/nats_* "$work/" 2>/dev/null || true
    ;;
*)
    echo "consumer.sh: no such way: $way" >&2
    exit 2
    ;;
esac

for kind in shared static; do
    "$work/consumer_$kind" "$work/stream-$kind"
    needs=$(objdump -p "$work/consumer_$kind" | awk '$1 == "NEEDED" {print $2}')
    case $kind in
    shared) grep -qx 'libstele.so.0' <<<"$needs" || { echo "the shared consumer does not need libstele.so.0"; exit 1; } ;;
    static) ! grep -q libstele <<<"$needs" || { echo "the static consumer needs libstele.so"; exit 1; } ;;
    esac
    if [ -e "$stage/include/stele/nats.h" ] && find "$stage" -name 'libstele-nats.a' | grep -q .; then
        "$work/nats_$kind"
        needs=$(objdump -p "$work/nats_$kind" | awk '$1 == "NEEDED" {print $2}')
        case $kind in
        shared) grep -qx 'libstele-nats.so.0' <<<"$needs" || { echo "the shared consumer does not need libstele-nats.so.0"; exit 1; } ;;
        static) ! grep -q libstele <<<"$needs" || { echo "the static consumer needs a shared library of ours"; exit 1; } ;;
        esac
    fi
done
# libstele itself needs no NATS.
! objdump -p "$(find "$stage" -name 'libstele.so.0')" | grep NEEDED | grep -q nats || { echo "libstele needs NATS"; exit 1; }
echo "consumer: $way ok, shared and static"
