#!/bin/bash
# SPDX-License-Identifier: MIT
# help.sh: help and the version, and what happens without or with unknown words.
. "$(dirname "$0")/lib.sh"
exec </dev/null

# Each area, its verbs, those of them that remove or rewrite, and those that
# need no argument.
declare -A verbs=(
    [wal]="append cat stat truncate trim check recover migrate"
    [journal]="record play snapshot clear stat check"
    [stream]="publish consume get offset next size stat check recover migrate backup rm trim compact"
    [store]="put get del range buckets load dump hash snapshot restore defrag stat check scrub readers"
    [docs]="set get del has patch list search type load dump backup verify-backup restore validate reindex
        conflicts history feed log checkpoints stat serve"
    [fleet]="peers status diff mirror rebuild"
)
declare -A rewriting=(
    [wal]="truncate trim recover migrate"
    [journal]="snapshot clear"
    [stream]="rm trim compact migrate recover"
    [store]="del defrag"
    [docs]="del patch restore validate reindex"
    [fleet]=""
)
declare -A alone=(
    [wal]=""
    [journal]=""
    [stream]="size"
    [store]=""
    [docs]=""
    [fleet]=""
)

# A build without NATS has no area fleet.
[ "${STELE_WITH_NATS:-1}" = 1 ] || unset 'verbs[fleet]'

# has WORD LIST
has() { [[ " $2 " == *" $1 "* ]]; }

call 0 --version
grep -qE '^stele [0-9]+\.[0-9]+\.[0-9]+$' .out || fail "the version"

areas=$("$stele" help | awk '/^areas:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }' | sort)
equal "areas" "$(printf '%s\n' "${!verbs[@]}" | sort)" "$areas"
for area in $areas; do
    listed=$("$stele" "$area" help | awk '/^  / { print $1 }' | sort)
    equal "verbs of $area" "$(printf '%s\n' ${verbs[$area]} | sort)" "$listed"
done
for word in help -h --help; do
    call 0 $word
    quiet
    grep -q '^usage: stele ' .out || fail "usage"
    for area in $areas; do
        call 0 "$area" $word
        quiet
        grep -q "^usage: stele $area " .out || fail "usage of $area"
    done
done

# help_of AREA VERB
help_of() {
    local area=$1 verb=$2
    call 0 "$area" "$verb" --help
    quiet
    cp .out long
    for part in "usage: stele $area $verb" "options:" "output with --json:" "example:" "-J, --json" "-h, --help"; do
        grep -qF -- "$part" .out || fail "$part"
    done
    awk 'length > 100 { exit 1 }' .out || fail "a line is longer than 100 characters"
    call 0 "$area" "$verb" -h
    cmp -s long .out || fail "-h is --help"
    call 0 "$area" "$verb" a b c --help # whatever else is there
    call 0 "$area" help "$verb"
    cmp -s long .out || fail "stele $area help VERB"
    call 0 help "$area" "$verb"
    cmp -s long .out || fail "stele help $area VERB"
    if has "$verb" "${rewriting[$area]}"; then
        grep -q -- --dry-run long || fail "--dry-run"
    else
        ! grep -q -- --dry-run long || fail "no --dry-run"
    fi
}

# wrong_calls AREA VERB
wrong_calls() {
    local area=$1 verb=$2
    verb "$area" 2 "$verb" dir --nonsense
    silent
    says "stele: $area $verb: unknown option --nonsense" "stele $area $verb --help"
    verb "$area" 2 "$verb" dir -Z
    says "unknown option -Z"
    verb "$area" 2 "$verb" dir -J --nonsense
    json_error EINVAL
    has "$verb" "${alone[$area]}" && return
    verb "$area" 2 "$verb"
    says "too few arguments"
    [ ! -e dir ] || fail "a wrong call creates nothing"
}

for area in $areas; do
    for verb in ${verbs[$area]}; do
        help_of "$area" "$verb"
        wrong_calls "$area" "$verb"
    done
    call 2 "$area"
    silent
    says "usage: stele $area"
    call 2 "$area" nonsense dir
    says "stele: $area: unknown verb 'nonsense'"
    call 2 "$area" nonsense -J
    json_error EINVAL
done

call 2
silent
says "usage: stele"
call 2 nonsense
says "stele: unknown area 'nonsense'" "stele help"
call 2 stream stat dir another
says "too many arguments"
call 2 stream consume dir -c
says "option -c needs a value"
call 2 stream consume dir --count
says "option --count needs a value"
call 2 stream stat dir --json=yes
says "takes no value"
