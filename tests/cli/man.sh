#!/bin/bash
# SPDX-License-Identifier: MIT
# man.sh: the manual page is well formed, and knows every verb and option.
. "$(dirname "$0")/lib.sh"

for page in "$1"/*.scd; do
    name=$(basename "$page" .scd)
    last="scdoc $page"
    scdoc <"$page" >"$name" || fail "scdoc"
    # scdoc itself puts paragraphs where mandoc finds them needless.
    mandoc -T lint -W warning "$name" | grep -v 'skipping paragraph macro' >.out
    silent
done
mandoc -T ascii stele.1 | sed 's/.\x08//g' >text # bold is a letter printed twice
for area in $("$stele" help | awk '/^areas:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'); do
    for verb in $("$stele" "$area" help | awk '/^  / { print $1 }'); do
        grep -qE "^   $verb( |$)" text || fail "the page has no section for $area $verb"
        for option in $("$stele" "$area" "$verb" --help | grep -oE '^ +(-[A-Za-z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+'); do
            grep -qF -- "$option" text || fail "$area $verb $option is not in the page"
        done
    done
done
