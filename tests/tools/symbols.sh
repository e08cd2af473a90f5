#!/bin/bash
# SPDX-License-Identifier: MIT
# check_symbols.sh against libraries that are wrong in one way each.
source "$(dirname "$0")/lib.sh"
mkdir -p include/stele src
check=("$root/tools/check_symbols.sh" . libx.so libx.a)

library() { # SOURCE HEADER NAME...: a library with that code, header and map
    printf '%s\n' "$2" >include/stele/x.h
    printf '%s\n' "$1" >x.c
    shift 2
    { echo 'STELE_0.1 {'; echo 'global:'; printf '    %s;\n' "$@"; echo 'local:'; echo '    *;'; echo '};'; } >src/libstele.map
    cc -fPIC -c x.c -o x.o
    rm -f libx.a
    ar cr libx.a x.o
    cc -shared x.o -o libx.so "-Wl,--version-script=${linked_with:-src/libstele.map}"
}
one='int stele_one(void); int stele_one(void) { return 1; }'
two='int stele_two(void); int stele_two(void) { return 2; }'

library "$one" 'STELE_API int stele_one(void);' stele_one
passes "${check[@]}"
library "$one" 'STELE_API int stele_one(void); STELE_API int stele_two(void);' stele_one stele_two
refuses 'map .* differ' "${check[@]}"
library "$one $two" 'STELE_API int stele_one(void);' stele_one stele_two
refuses 'exported, not declared' "${check[@]}"
library "$one $two" 'STELE_API int stele_one(void); STELE_API int stele_two(void);' stele_one
refuses 'declared, not exported' "${check[@]}"
library "$one int stray; " 'STELE_API int stele_one(void);' stele_one
refuses 'without prefix' "${check[@]}"
echo '{ global: *; };' >all.map
linked_with=all.map library "$one int sti_inner; " 'STELE_API int stele_one(void);' stele_one
refuses 'map .* differ' "${check[@]}"
echo "checker ok: symbols"
