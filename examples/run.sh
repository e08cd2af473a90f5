#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh PROGRAM EXPECTED WORK: run PROGRAM in the fresh directory WORK; its
# output must be that of the file EXPECTED.
set -eu
program=$1 expected=$2 work=$3
rm -rf "$work"
mkdir -p "$work"
cd "$work"
"$program" >output.txt
diff "$expected" output.txt
