#!/bin/bash
# SPDX-License-Identifier: MIT
# run_tidy.py and clang-format under the lists of this tree: a finding fails
# the run, a clean file is remembered, and a changed header is noticed.
source "$(dirname "$0")/lib.sh"
mkdir -p tools src/base build
cp "$root/tools/run_tidy.py" tools/
cp "$root/.clang-tidy" "$root/.clang-format" .
printf '#ifndef X_H\n#define X_H\nint sti_x(int a);\n#endif\n' >src/base/x.h
printf '#include "x.h"\n\nint sti_x(int a)\n{\n    return a + 1;\n}\n' >src/base/x.c
printf '[{"directory": "%s", "file": "src/base/x.c", "command": "cc -c src/base/x.c -o x.o"}]\n' "$PWD" \
    >build/compile_commands.json
tidy=(python3 tools/run_tidy.py -j 1 build/compile_commands.json)

passes "${tidy[@]}"
grep -q '1 files, 0 unchanged' output.txt
passes "${tidy[@]}"
grep -q '1 files, 1 unchanged' output.txt
printf '#ifndef X_H\n#define X_H\nint sti_x(int b);\n#endif\n' >src/base/x.h
refuses 'inconsistent-declaration-parameter-name' "${tidy[@]}"
refuses 'inconsistent-declaration-parameter-name' "${tidy[@]}"
printf '#ifndef X_H\n#define X_H\nint sti_x(int a);\n#endif\n' >src/base/x.h
passes "${tidy[@]}"

passes clang-format --dry-run -Werror src/base/x.c
printf 'int  f( void ){ return 1; }\n' >src/base/y.c
refuses 'Wclang-format-violations' clang-format --dry-run -Werror src/base/y.c
echo "checker ok: tidy, format"
