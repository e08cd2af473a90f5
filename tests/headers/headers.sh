#!/bin/bash
# SPDX-License-Identifier: MIT
# headers.sh INCLUDE CC...
# Each public header, included alone and twice, compiles as C11 and as C++17
# with every compiler named.
set -euo pipefail
include=$1
shift
flags=(-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wundef -Werror -fsyntax-only)
count=0 failed=0

for header in "$include"/stele/*.h; do
    name=stele/${header##*/}
    text=$(printf '#include <%s>\n#include <%s>\n' "$name" "$name")
    for cc in "$@"; do
        for language in c:c11 c++:c++17; do
            count=$((count + 1))
            "$cc" "${flags[@]}" -I"$include" -x "${language%%:*}" -std="${language#*:}" - <<<"$text" || {
                echo "headers: <$name> fails with $cc as ${language#*:}"
                failed=$((failed + 1))
            }
        done
    done
done
[ "$count" -gt 0 ] || { echo "headers: none found in $include"; exit 1; }
echo "headers: $count compiled, $failed failed"
[ "$failed" -eq 0 ]
