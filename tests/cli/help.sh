#!/bin/bash
# SPDX-License-Identifier: MIT
# help.sh: help and the version, and what happens without or with unknown words.
. "$(dirname "$0")/lib.sh"

# call CODE ARGS...: as stream() in lib.sh, without an area.
call() {
    local want=$1
    shift
    last="stele $*"
    "$stele" "$@" >"$work/.out" 2>"$work/.err" </dev/null
    rc=$?
    [ "$rc" -eq "$want" ] || fail "expected exit code $want"
}

verbs="publish consume get offset next size stat check recover migrate backup rm trim compact"

call 0 --version
grep -qE '^stele [0-9]+\.[0-9]+\.[0-9]+$' .out || fail "the version"

for word in help -h --help; do
    call 0 $word
    quiet
    grep -q '^usage: stele ' .out || fail "usage"
    grep -q '^  stream ' .out || fail "the areas"
    call 0 stream $word
    quiet
    for verb in $verbs; do
        grep -q "^  $verb " .out || fail "the verb $verb in the list"
    done
done
for verb in $verbs; do
    call 0 stream "$verb" --help
    quiet
    cp .out long
    for part in "usage: stele stream $verb" "options:" "output with --json:" "example:" "-J, --json" "-h, --help"; do
        grep -qF -- "$part" .out || fail "$part"
    done
    awk 'length > 100 { exit 1 }' .out || fail "a line is longer than 100 characters"
    call 0 stream "$verb" -h
    cmp -s long .out || fail "-h is --help"
    call 0 stream "$verb" a b c --help # whatever else is there
    call 0 stream help "$verb"
    cmp -s long .out || fail "stele stream help VERB"
    call 0 help stream "$verb"
    cmp -s long .out || fail "stele help stream VERB"
    # Verbs that remove or rewrite have --dry-run, others do not.
    case $verb in
    rm | trim | compact | migrate | recover) grep -q -- --dry-run long || fail "--dry-run" ;;
    *) ! grep -q -- --dry-run long || fail "no --dry-run" ;;
    esac
done

call 2
silent
says "usage: stele"
call 2 stream
silent
says "usage: stele stream"
call 2 nonsense
says "stele: unknown area 'nonsense'" "stele help"
call 2 wal cat dir
says "unknown area 'wal'"
call 2 stream nonsense dir
says "stele: stream: unknown verb 'nonsense'"
call 2 stream nonsense -J
json_error EINVAL
for verb in $verbs; do
    call 2 stream "$verb" dir --nonsense
    silent
    says "stele: stream $verb: unknown option --nonsense" "stele stream $verb --help"
    call 2 stream "$verb" dir -Z
    says "unknown option -Z"
    call 2 stream "$verb" dir -J --nonsense
    json_error EINVAL
    [ "$verb" = size ] && continue
    call 2 stream "$verb"
    says "too few arguments"
    [ ! -e dir ] || fail "a wrong call creates nothing"
done
call 2 stream stat dir another
says "too many arguments"
call 2 stream consume dir -c
says "option -c needs a value"
call 2 stream consume dir --count
says "option --count needs a value"
call 2 stream stat dir --json=yes
says "takes no value"
