# SPDX-License-Identifier: MIT
# lib.sh: what the tests of the command share; they source it.
#
# Each test works in a directory of its own, which is removed at the end, with
# the processes that it started. The first thing that is not as expected ends
# it, and tells what was run.
set -uo pipefail
shopt -s lastpipe # stream() at the end of a pipe can end the test
export LC_ALL=C

stele=${STELE:-${STELE_COMMAND:?set STELE to the command}}
work=$(mktemp -d "${TMPDIR:-/tmp}/stele-cli.XXXXXX")
children=()

cleanup() {
    disown -a 2>/dev/null # or bash tells of each that it kills
    local pid
    for pid in "${children[@]:-}"; do
        [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
    done
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
cd "$work" || exit 1

last= rc=0

fail() {
    printf 'FAILED: %s\n' "$*"
    printf '  command: %s\n  exit code: %s\n' "$last" "$rc"
    printf -- '--- standard output ---\n'
    head -c 2000 "$work/.out" 2>/dev/null
    printf -- '--- standard error ---\n'
    head -c 2000 "$work/.err" 2>/dev/null
    exit 1
}

# call CODE ARGS...: run the command, and expect an exit code. Standard output
# and error are in out and err. Standard input is what the caller gives.
call() {
    local want=$1
    shift
    last="stele $*"
    "$stele" "$@" >"$work/.out" 2>"$work/.err"
    rc=$?
    [ "$rc" -eq "$want" ] || fail "expected exit code $want"
}

# verb AREA CODE VERB ARGS...: run a verb; an error has to name it.
verb() {
    local area=$1 want=$2
    shift 2
    call "$want" "$area" "$@"
    if [ "$want" -ne 0 ]; then
        grep -q "^stele: $area $1: " "$work/.err" || fail "an error begins with 'stele: $area $1: '"
    fi
}

# stream CODE VERB ARGS...: each area has such a short form.
stream() { verb stream "$@"; }
wal() { verb wal "$@"; }
journal() { verb journal "$@"; }
store() { verb store "$@"; }
docs() { verb docs "$@"; }

out() { cat "$work/.out"; }
err() { cat "$work/.err"; }

# is TEXT: standard output is this, byte for byte but for the last newline.
is() { [ "$(out)" = "$1" ] || fail "expected on standard output: $1"; }

# row LABEL VALUE: standard output has this row of text.
row() { grep -qx "$1 *  $2" "$work/.out" || fail "expected the row: $1  $2"; }

# says TEXT...: standard error contains each of them.
says() {
    local text
    for text in "$@"; do
        grep -qF -- "$text" "$work/.err" || fail "expected on standard error: $text"
    done
}

quiet() { [ ! -s "$work/.err" ] || fail "expected nothing on standard error"; }
silent() { [ ! -s "$work/.out" ] || fail "expected nothing on standard output"; }

# json FILTER...: each line of standard output is a JSON object, and the filter
# is true for the list of them.
json() {
    jq -es "all(type == \"object\") and ($1)" "$work/.out" >/dev/null || fail "expected of the JSON: $1"
}

# json_error CODE: with -J, standard error has the error as JSON too.
json_error() {
    grep '^{' "$work/.err" | jq -es --arg code "STELE_$1" 'length == 1 and (.[0] |
        (keys == ["code", "error", "file", "position"]) and .code == $code and (.error | length > 0))' \
        >/dev/null || fail "expected an error as JSON with code STELE_$1"
}

# equal WHAT WANT GOT
equal() { [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"; }

# until_true SECONDS COMMAND...
until_true() {
    local i n=$(($1 * 20))
    shift
    for ((i = 0; i < n; i++)); do
        if "$@"; then
            return 0
        fi
        sleep 0.05
    done
    return 1
}

# publish DIR OPTIONS...: quietly, from standard input.
publish() { "$stele" stream publish "$@" >"$work/.out" 2>"$work/.err" || fail "publish $*"; }

# append DIR OPTIONS...: likewise.
append() { "$stele" wal append "$@" >"$work/.out" 2>"$work/.err" || fail "append $*"; }

# record DIR OPTIONS...: likewise.
record() { "$stele" journal record "$@" >"$work/.out" 2>"$work/.err" || fail "record $*"; }

# puts FIRST LAST: operations, put of "k" with each number, at that time.
puts() { seq "$1" "$2" | sed 's/.*/{"op":"put","key":"k","value":"&","timestamp":&}/'; }

# flip FILE POSITION: all bits of a byte.
flip() {
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
    printf "\\x$(printf %02x $((byte ^ 255)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# ---- Commands in a row, with bars between them. ----

# locked_out AREA PID COMMANDS: each is refused, since that process holds the lock.
locked_out() {
    local area=$1 holder=$2 command commands
    IFS='|' read -ra commands <<<"$3"
    for command in "${commands[@]}"; do
        verb "$area" 4 $command </dev/null
        says "$holder"
        silent
        verb "$area" 4 $command -J </dev/null
        json_error EBUSY
        verb "$area" 4 $command --lock-wait 50ms </dev/null
    done
}

# work_beside AREA COMMANDS: each does what it should beside a writer.
work_beside() {
    local area=$1 command commands
    IFS='|' read -ra commands <<<"$2"
    for command in "${commands[@]}"; do
        verb "$area" 0 $command
        quiet
    done
}

# refuse_file AREA COMMANDS LINE: each is refused where "file" is a file, which stays as it is. LINE
# is on their standard input.
refuse_file() {
    local area=$1 command commands
    echo hello >file
    IFS='|' read -ra commands <<<"$2"
    for command in "${commands[@]}"; do
        last="stele $area $command"
        "$stele" "$area" $command -J >.out 2>.err <<<"$3"
        rc=$?
        [ "$rc" -ne 0 ] && [ "$rc" -le 8 ] || fail "it is refused"
        says file
        equal "still there" hello "$(cat file)"
    done
}

# refuse_void AREA COMMANDS: each finds nothing in the directory "void", and makes nothing there but
# what lets it look.
refuse_void() {
    local area=$1 command commands
    mkdir void
    IFS='|' read -ra commands <<<"$2"
    for command in "${commands[@]}"; do
        verb "$area" 1 $command
        says void
    done
    equal "nothing was made in it" "" "$(find void -mindepth 1 ! -name '.lock' ! -name '.reader*')"
}

# hand_over PID ARGS...: the command waits for the lock, and gets it when the writer with that number
# has ended, which reads what descriptor 3 writes.
hand_over() {
    local holder=$1 waiter
    shift
    "$stele" "$@" --lock-wait 600s >waited 2>&1 3>&- &
    waiter=$!
    children+=("$waiter")
    sleep 0.2
    kill -0 "$waiter" || fail "it waits"
    exec 3>&-
    wait "$holder" || fail "the writer ends with its input"
    wait "$waiter" || fail "who waited got the lock"
    children=()
}

# as_other COMMAND...: without permission for what is ours. Root may do everything, so it
# becomes nobody, who runs the copy of the command that prepare_other makes.
prepare_other() {
    local libraries
    chmod 711 .
    cp "$stele" ./stele.copy
    chmod 755 ./stele.copy
    [ "$(id -u)" -eq 0 ] || return 0
    mapfile -t libraries < <(ldd "$stele" | awk '$1 ~ /^libstele/ { print $3 }')
    if [ ${#libraries[@]} -gt 0 ]; then
        cp "${libraries[@]}" .
        chmod 644 ./libstele*
        export LD_LIBRARY_PATH=$work
    fi
    as_other ./stele.copy --version >/dev/null || fail "another user can run it"
}
as_other() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"
    else
        "$@"
    fi
}

# Names, sizes and checksums of what is in a directory, the lock left out.
content() { (cd "$1" && find . -type f ! -name .lock -exec sha256sum {} + | sort); }
