#!/bin/sh
# SPDX-License-Identifier: MIT
# readme.sh README SOURCE...: the C code in README is that of the sources, in
# their order, letter by letter.
set -eu
readme=$1
shift
awk '/^```c$/ {inside = 1; next} /^```$/ {inside = 0} inside' "$readme" >readme.c.txt
cat "$@" | diff - readme.c.txt
