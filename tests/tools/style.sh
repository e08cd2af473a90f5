#!/bin/bash
# SPDX-License-Identifier: MIT
# Each rule of check_style.py, broken once.
source "$(dirname "$0")/lib.sh"
git init -q .
mkdir -p src/base
check=(python3 "$root/tools/check_style.py" .)
good='/* SPDX-License-Identifier: MIT
 *
 * good.h: a header as it should be.
 */
#ifndef STI_BASE_GOOD_H
#define STI_BASE_GOOD_H
#endif /* STI_BASE_GOOD_H */'

breaks() { # RULE TEXT
    printf '%s\n' "$2" >src/base/good.h
    refuses "\\[$1\\]" "${check[@]}"
}

printf '%s\n' "$good" >src/base/good.h
git add .
passes "${check[@]}"
breaks S1 "${good/SPDX-License-Identifier: MIT/no licence}"
breaks S2 "${good/good.h: a/Good: a}"
breaks S3 "$good
/* TO""DO: later */"
breaks S4 "$good "
breaks S4 "$good
	int tab;"
breaks S4 "$good
"
breaks S5 "${good//STI_BASE_GOOD_H/GOOD_H}"
printf '%s\n' "$good" >src/base/good.h
passes "${check[@]}"
echo "checker ok: style"
