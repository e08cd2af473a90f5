#!/bin/bash
# SPDX-License-Identifier: MIT
# Each rule of check_layers.py, broken once in a tree that is otherwise right.
source "$(dirname "$0")/lib.sh"
mkdir -p src/base src/stream src/vfs src/cli include/stele tools
cp "$root/tools/layers.toml" tools/
check=(python3 "$root/tools/check_layers.py" .)

reset() {
    printf '#include <stele/error.h>\n' >src/base/error.h
    printf '#include "base/error.h"\n' >src/base/error.c
    printf '#include <stele/vfs.h>\n' >src/vfs/vfs.h
    printf '#include "base/error.h"\n' >src/vfs/posix.h
    printf '#include "vfs/vfs.h"\n#include <string.h>\n' >src/stream/open.c
    printf '#include <stele/stream.h>\n' >src/cli/main.c
    printf '#include <stddef.h>\n' >include/stele/error.h
}
breaks() { # RULE FILE LINE
    reset
    printf '%s\n' "$3" >>"$2"
    refuses "\\[$1\\]" "${check[@]}"
}

reset
passes "${check[@]}"
breaks A src/base/error.c '#include "vfs/vfs.h"'
breaks A src/vfs/vfs.h '#include <stele/stream.h>'
breaks A src/vfs/vfs.h '#include <stele/typed.h>'
breaks A src/vfs/vfs.h '#include "nowhere/nowhere.h"'
breaks B src/stream/open.c '#include "vfs/posix.h"'
breaks C src/stream/open.c '#include <unistd.h>'
breaks E include/stele/error.h '#include <unistd.h>'
breaks E include/stele/error.h '#include "base/error.h"'
breaks F src/stream/open.c '#include <string.h>'
breaks G src/cli/main.c '#include "base/error.h"'
reset
printf '#include <string.h>\n#include "base/error.h"\n' >src/base/error.c
refuses '\[D\]' "${check[@]}"
reset
mkdir -p src/rogue
: >src/rogue/rogue.c
refuses '\[A\]' "${check[@]}"
rm -r src/rogue
passes "${check[@]}"
echo "checker ok: layers"
