#!/bin/sh
# SPDX-License-Identifier: MIT
# readme.sh README SOURCE: the C code in README is SOURCE, letter by letter.
set -eu
awk '/^```c$/ {inside = 1; next} /^```$/ {inside = 0} inside' "$1" | diff "$2" -
