#!/bin/bash
# SPDX-License-Identifier: MIT
# readme_shell.sh README WORK
# The commands in README's shell session are run as they stand, in the fresh
# directory WORK, and must print what README says. Lines with "$ " in front
# are commands, the others are output.
set -euo pipefail
readme=$1 work=$2
rm -rf "$work"
mkdir -p "$work/bin"
ln -s "$STELE_COMMAND" "$work/bin/stele"
awk '/^```console$/ {inside = 1; next} /^```$/ {inside = 0} inside' "$readme" >"$work/session.txt"
grep -q '^\$ ' "$work/session.txt" || { echo "no shell session in $readme"; exit 1; }
sed -n 's/^\$ //p' "$work/session.txt" >"$work/commands.txt"
cd "$work"
while IFS= read -r line; do
    printf '$ %s\n' "$line"
    PATH=$work/bin:$PATH bash -c "$line" </dev/null 2>&1 || echo "(exit code $?)"
done <commands.txt >actual.txt
diff session.txt actual.txt
