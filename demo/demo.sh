#!/bin/bash
# SPDX-License-Identifier: MIT
# demo.sh: the main job of a message log, on this machine's package history, of a
# database of documents, with the countries and languages of the world, and of a
# fleet, with three databases that are cut off from each other and agree again.
#
# Each step says what it promises, looks whether that came true, and ends the
# demo with an exit code that is not 0 if it did not. All files are in a
# temporary directory, which is removed at the end.
#
#   STELE         the command (default: build/stele of this tree)
#   STELE_DEMO_LOG  another dpkg.log to take
#   STELE_DEMO_ISO  see documents.sh
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "$0")/.." && pwd)
stele=${STELE:-$root/build/stele}
work=$(mktemp -d "${TMPDIR:-/tmp}/stele-demo.XXXXXX")
log=$work/packages
writer= follower=
started=() # by fleet.sh

cleanup() {
    local pid
    disown -a # or bash would tell of each that it kills
    for pid in $writer $follower "${started[@]}"; do
        kill -KILL "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

title() { printf '\n%s\n' "$*"; }
fact() { printf '   %-26s %s\n' "$1" "$2"; }
run() { printf '   $ stele stream %s\n' "$*" | sed "s|$work/||g"; }
indent() { sed 's/^/   | /'; }

fail() {
    printf '   FAILED  %s\n\nThe demo did not go as promised.\n' "$*"
    exit 1
}

# promise TEXT COMMAND...: the command must succeed.
promise() {
    local text=$1
    shift
    "$@" || fail "$text"
    printf '   ok  %s\n' "$text"
}

quietly() { "$@" >/dev/null; }
stream() { "$stele" stream "$@"; }
field() { jq -r ".$1"; }

# until COMMAND... is true, for at most 20 seconds.
wait_until() {
    local i
    for ((i = 0; i < 400; i++)); do
        if "$@"; then
            return 0
        fi
        sleep 0.05
    done
    return 1
}

[ -x "$stele" ] || { echo "demo: $stele is not there: run 'make' first" >&2; exit 1; }

# ---- The history. ----

# Lines of dpkg.log that are about a package: "TIME PACKAGE STATE". Its times
# have no zone; they are taken as UTC here.
usable() {
    awk '$3 == "status" && NF >= 6 { print $1 "T" $2 "Z", $5, $4, $6; next }
         $3 ~ /^(install|upgrade|configure|remove|purge|trigproc)$/ && NF >= 6 {
             print $1 "T" $2 "Z", $4, $3, $6 }' "$1" | tail -n 20000
}

source=${STELE_DEMO_LOG:-/var/log/dpkg.log}
if [ -r "$source" ]; then
    usable "$source" >"$work/history"
fi
if [ "$(wc -l 2>/dev/null <"$work/history" || echo 0)" -lt 50 ]; then
    source=$root/demo/sample-dpkg.log
    usable "$source" >"$work/history"
fi
lines=$(wc -l <"$work/history")
packages=$(cut -d' ' -f2 "$work/history" | sort -u | wc -l)

title "1. Turn the package history into a stream, keyed by package, with its times"
fact "history" "${source/#$root\//}"
fact "lines about packages" "$lines"
fact "packages" "$packages"
run "publish packages -J --key-index --time-index --rollover 64KiB"
jq -Rc 'split(" ") | {key: .[1], time: .[0], value: (.[2:] | join(" "))}' "$work/history" |
    stream publish "$log" -J --key-index --time-index --rollover 64KiB >"$work/published"
run "stat packages"
stream stat "$log" | indent
promise "every line became a message" \
    [ "$(field published <"$work/published")" -eq "$lines" ]
promise "the stream says so too" [ "$(stream stat "$log" -J | field messages)" -eq "$lines" ]
stream consume "$log" -J | jq -r '"\(.time[:19])Z \(.key) \(.value)"' >"$work/back"
promise "it reads back as it was" cmp -s "$work/history" "$work/back"

# ---- Look-ups. ----

title "2. Look up by key"
package=$(awk '{ n[$2]++ } END { for (p in n) print n[p], p }' "$work/history" | sort -k1,1nr -k2 | awk 'NR == 1 { print $2 }')
run "get packages --key $package"
stream get "$log" --key "$package" | indent
run "consume packages --key $package -o -3 -f '%o  %s\\n'"
stream consume "$log" --key "$package" -o -3 -f '%o  %s\n' | indent
promise "the newest state of $package is the last in the history" \
    [ "$(stream get "$log" --key "$package")" = "$(awk -v p="$package" '$2 == p { s = $3 " " $4 } END { print s }' "$work/history")" ]
promise "all of its $(awk -v p="$package" '$2 == p' "$work/history" | wc -l) messages are found" \
    [ "$(stream consume "$log" --key "$package" -J | wc -l)" -eq "$(awk -v p="$package" '$2 == p' "$work/history" | wc -l)" ]
missing=0
stream get "$log" --key no-such-package 2>"$work/missing" || missing=$?
indent <"$work/missing"
promise "a package that never was is not found, exit code 1" [ "$missing" -eq 1 ]

title "3. Look up by time"
moment=$(awk -v half=$((lines / 2)) 'NR == half { print $1 }' "$work/history")
run "get packages --time $moment -J"
stream get "$log" --time "$moment" -J >"$work/found"
indent <"$work/found"
# The clock of the history may have gone back; the index counts the latest
# time so far.
expected=$(awk -v t="$moment" '$1 > max { max = $1 } max >= t { print NR - 1; exit }' "$work/history")
promise "it is the first message that is not before that time" \
    [ "$(field offset <"$work/found")" -eq "$expected" ]

# ---- Live, killed, recovered. ----

title "4. Follow live while a second process publishes, and kill that one"
run "consume packages --follow -o $lines -J &"
"$stele" stream consume "$log" --follow -o "$lines" -J >"$work/followed" &
follower=$!
# Endless, in small portions: the pipe breaks when its reader is killed.
endless() {
    local i=0 j lines
    while :; do
        lines=
        for ((j = 0; j < 10; j++, i++)); do
            lines+="{\"key\":\"live-$j\",\"value\":\"state $i\"}"$'\n'
        done
        printf '%s' "$lines" || return 0
        sleep 0.005
    done
}
run "publish packages -J --ack 10 &"
"$stele" stream publish "$log" -J --ack 10 < <(endless 2>/dev/null) >"$work/acks" &
writer=$!
disown "$writer" # or bash would tell of the kill as well
acknowledged() { local n; n=$(tail -n 1 "$work/acks" | field published); [ "${n:-0}" -ge "$1" ]; }
promise "the second process publishes, and acknowledges" wait_until acknowledged 500
locked=0
stream trim "$log" --count 1 2>"$work/locked" || locked=$?
sed "s|$work/||g" "$work/locked" | indent
promise "a third one that would change the stream is refused, exit code 4" [ "$locked" -eq 4 ]
promise "the message names the process that holds the lock" grep -qw "$writer" "$work/locked"
fact "kill -KILL" "process $writer, in the middle of its work"
kill -KILL "$writer"
gone() { ! kill -0 "$writer" 2>/dev/null; }
wait_until gone || fail "it does not end"
writer=
acked=$(grep '}$' "$work/acks" | tail -n 1 | field published)
fact "acknowledged until then" "$acked messages"

# Every acknowledged message, by its value, in order and once.
live() { stream consume "$log" -o "$lines" -J | jq -r 'select(.key | startswith("live-")) | .value'; }
is_prefix() { # of the states 0, 1, 2...; at least $1 of them
    live >"$work/live"
    seq 0 $(($(wc -l <"$work/live") - 1)) | sed 's/^/state /' | cmp -s - "$work/live" &&
        [ "$(wc -l <"$work/live")" -ge "$1" ]
}
promise "all $acked are there, in order, none twice" is_prefix "$acked"

title "5. Recover"
run "check packages"
checked=0
stream check "$log" >"$work/checked" 2>/dev/null || checked=$?
indent <"$work/checked"
fact "exit code" "$checked (3 if the kill has left something unfinished)"
run "recover packages"
stream recover "$log" | tee "$work/recovered" | indent
run "check packages"
stream check "$log" | indent
promise "after it the stream is sound" quietly stream check "$log"
promise "all $acked acknowledged messages are there" is_prefix "$acked"
promise "a second recovery cuts nothing" [ "$(stream recover "$log" -J | field cut_bytes)" -eq 0 ]
kept=$(wc -l <"$work/live")
next=$(stream next "$log")
echo '{"key":"live-0","value":"back again"}' | stream publish "$log" -J >"$work/published"
promise "publishing goes on at the next offset" [ "$(field next_offset <"$work/published")" -eq $((next + 1)) ]
seen() { [ "$(grep -c '}$' "$work/followed")" -ge "$1" ]; }
promise "the follower saw the kill through, and the message after it" wait_until seen $((kept + 1))
kill -TERM "$follower"
ended=0
wait "$follower" || ended=$?
follower=
promise "SIGTERM ends it with exit code 0" [ "$ended" -eq 0 ]
jq -r .value "$work/followed" >"$work/values"
{ cat "$work/live"; echo "back again"; } >"$work/expected"
promise "it printed each of $((kept + 1)) messages once, in order" cmp -s "$work/expected" "$work/values"

# ---- Compaction and copy. ----

title "6. Compact to the last state of each package"
stream consume "$log" -J >"$work/all"
jq -sc 'reduce .[] as $m ({}; .[$m.key] = $m) | [.[]] | sort_by(.offset) | .[]' "$work/all" >"$work/last"
keys=$(wc -l <"$work/last")
fact "messages before" "$(wc -l <"$work/all")"
fact "packages, live ones too" "$keys"
would=$(stream compact "$log" --dry-run -J | field deleted)
run "compact packages"
stream compact "$log" -J >"$work/compacted"
indent <"$work/compacted"
stream consume "$log" -J >"$work/left"
promise "the dry run had told how many would go" [ "$would" -eq "$(field deleted <"$work/compacted")" ]
promise "exactly one message is left for each of $keys packages" \
    [ "$(jq -r .key "$work/left" | sort | uniq -c | awk '$1 == 1' | wc -l)" -eq "$keys" ]
promise "each is the last one that there was, at its offset" cmp -s "$work/last" "$work/left"

title "7. Back up, and check the copy"
run "backup packages copy"
stream backup "$log" "$work/copy" | indent
run "check copy"
stream check "$work/copy" | indent
promise "the copy is sound" quietly stream check "$work/copy"
stream consume "$work/copy" -J >"$work/copied"
promise "it holds the same $keys messages" cmp -s "$work/left" "$work/copied"
promise "it finds keys as the original does" \
    [ "$(stream get "$work/copy" --key "$package" -J)" = "$(stream get "$log" --key "$package" -J)" ]

# ---- Documents. ----

. "$root/demo/documents.sh"

# ---- A fleet. ----

. "$root/demo/fleet.sh"

printf '\nEverything went as promised, in %d seconds.\n' "$SECONDS"
