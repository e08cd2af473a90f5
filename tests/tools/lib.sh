# SPDX-License-Identifier: MIT
# lib.sh: sourced by the tests of the checkers, with the arguments ROOT WORK.
# WORK is made anew and is the current directory.
set -euo pipefail
root=$1 work=$2
rm -rf "$work"
mkdir -p "$work"
cd "$work"

# passes COMMAND...: it must exit 0.
passes() {
    "$@" >output.txt 2>&1 || {
        echo "should pass: $*"
        cat output.txt
        exit 1
    }
}

# refuses PATTERN COMMAND...: it must fail, and say why.
refuses() {
    local pattern=$1
    shift
    if "$@" >output.txt 2>&1; then
        echo "should fail: $*"
        exit 1
    fi
    grep -qE "$pattern" output.txt || {
        echo "fails without saying '$pattern': $*"
        cat output.txt
        exit 1
    }
}
