#!/bin/bash
# SPDX-License-Identifier: MIT
# docs_refused.sh: locks, permissions, and directories that are none.
. "$(dirname "$0")/lib.sh"

echo '{"name":"t","keys":[{"name":"n","fields":["n"],"method":"number"}],"version":1}' >t.json
reading="get db 1|has db 1|list db|search db t n=1|dump db|log db|history db 1|feed db|conflicts db|checkpoints db"
reading+="|stat db|validate db|type list db|reindex db --dry-run"
writing="set db k {}|del db 2|patch db 1 {}|load db|type add db t.json|reindex db|validate db --mend"

# A process that writes holds the lock; readers work beside it.
docs 0 type add db t.json
mkfifo pipe
"$stele" docs load db <pipe >/dev/null &
holder=$!
children+=("$holder")
exec 3>pipe
lines() { seq "$1" "$2" | sed 's/.*/{"id":"&","doc":{"@type":"t","n":&}}/'; }
lines 1 11 >&3
count_is() { [ "$("$stele" docs stat db -J 2>/dev/null | jq .documents)" = "$1" ]; }
until_true 20 count_is 11 || fail "the loader commits"
locked_out docs "$holder" "$writing"
work_beside docs "$reading"
docs 0 backup db beside
docs 0 restore copy beside
lines 12 12 >&3
until_true 20 count_is 12 || fail "it writes on"
# The lock is free when that process is gone; who waits for it gets it.
hand_over "$holder" docs set db waited '{}'
docs 0 has db waited

# A file instead of a directory; a directory without a database.
refuse_file docs "${reading//db/file}|${writing//db/file}" '{"id":"k","doc":{}}'
refuse_void docs "${reading//db/void}|del void k|patch void k {}|reindex void"
docs 2 stat ''

# Output that cannot be written.
if [ -e /dev/full ]; then
    last="stele docs dump db >/dev/full"
    "$stele" docs dump db >/dev/full 2>.err
    rc=$?
    [ "$rc" -eq 5 ] || fail "no space"
fi

# Without permission.
prepare_other
lines 1 5 | docs 0 load secret
chmod 000 secret
mkdir unwritable
chmod 555 unwritable
for command in "stat secret" "get secret 1" "set secret k {}" "validate secret" "set unwritable/db k {}" "dump secret" \
    "reindex secret"; do
    last="stele docs $command"
    as_other ./stele.copy docs $command -J >.out 2>.err </dev/null
    rc=$?
    [ "$rc" -eq 6 ] || fail "expected exit code 6"
    json_error EPERM
    read -r _ target _ <<<"$command"
    says "$target"
done
chmod 700 secret
equal "nothing happened to it" 5 "$("$stele" docs dump secret | wc -l)"
