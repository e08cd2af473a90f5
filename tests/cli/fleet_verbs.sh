#!/bin/bash
# SPDX-License-Identifier: MIT
# fleet_verbs.sh: each verb of docs does the same with a database that is served as with one that is
# not: output, errors and exit codes, one after the other without a pause.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
. "$here/fleet_lib.sh"
exec </dev/null

# do_it ARGS...: run `stele docs ARGS`, and write down what comes of it. Times and servers differ.
step=0
do_it() {
    step=$((step + 1))
    "$stele" docs "$@" >../out.tmp 2>../err.tmp
    local rc=$?
    {
        printf '==== %d: docs %s\n---- %d\n' "$step" "$*" "$rc"
        cat ../out.tmp
        printf -- '----\n'
        cat ../err.tmp
    } | sed -E 's/[0-9]{10}\.[0-9]{1,9}\.[0-9]+/VERSION/g' >>../done.tmp
}
# sums differ, as versions are in them
do_sum() { do_it "$@" && sed -i -E 's/"?\b[0-9a-f]{64}\b"?/SUM/g; s/"(epoch|size|size_in_use|wal_size)":[0-9]+/"\1":N/g; s/^((epoch|size|size in use|wal size)  +)[0-9]+.*/\1N/; s/^[0-9]+(\s+[0-9]+\s+SUM)/N\1/' ../done.tmp; }

every_verb() {
    local version
    printf '%s\n' '{"name":"lamp","version":1,"keys":[{"name":"no","fields":["no"],"method":"number","unique":true},
        {"name":"room","fields":["room"],"method":"utf8"}]}' >lamp.json
    do_it set db first '{"a":1}'
    do_it list db
    do_it type add db lamp.json
    do_it type list db
    do_it search db lamp
    do_it set db l1 '{"@type":"lamp","no":1,"room":"Küche"}' -J
    do_it search db lamp room=KUCHE -J
    do_it set db l2 '{"@type":"lamp","no":1}'
    do_it set db l2 '{"@type":"lamp",'
    do_it set db '' '{}'
    do_it set db "$(printf 'x%.0s' {1..17000})" '{}'
    do_it set db l2 - <lamp.json
    do_it get db l2
    do_it set db l2 < <(printf '{"@type":"lamp","no":2,"room":"bath"}')
    do_it get db l2 -J
    do_it get db none
    do_it has db l2
    do_it has db l2 -J
    do_it has db none
    do_it patch db l2 '{"room":null,"x":[1,2]}' -J
    do_it get db l2
    do_it patch db l2 '[]'
    do_it patch db none '{}'
    do_it patch db l2 --dry-run '{"y":1}'
    do_it get db l2
    do_it del db l1 --dry-run -J
    do_it del db l1
    do_it del db l1
    do_it list db --prefix l -J
    do_it list db --prefix l --start x
    do_it load db < <(seq 500 | jq -c '{id: "n\(.)", doc: {"@type": "lamp", no: (. + 1000), room: "hall"}}')
    do_it list db -c 3
    do_it list db --start n4 --limit-key n41
    do_it list db --rev -c 2
    do_it search db lamp --range no=1010..1012 -J
    do_it search db lamp --prefix room=hal -c 2
    do_it search db lamp room=hall -c 1 --token -J
    do_it search db lamp colour=red
    do_it search db nothing
    do_it dump db
    do_it load db < <(printf '{"id":"ok","doc":{}}\n{"id":"bad"}\n')
    do_it get db ok
    do_it load db <none.jsonl
    do_it set db v '{"n":1}'
    version=$("$stele" docs history db v -J | jq -r .version)
    do_it set db v '{"n":2}' --if-version "$version"
    do_it set db v '{"n":3}' --if-version "$version"
    do_it set db v '{"n":3}' --if-version nonsense
    do_it history db v
    do_it history db v -J
    do_it history db none
    do_it log db
    do_it log db -J
    do_it feed db
    do_it feed db --from 500 -J
    do_it feed db --from x
    do_sum checkpoints db
    do_sum checkpoints db -J
    do_sum stat db
    do_sum stat db -J
    do_it conflicts db
    do_it validate db
    do_it validate db -J --mend
    do_it validate db --mend --dry-run
    do_it validate db --dry-run
    do_it reindex db
    do_it reindex db --dry-run -J
    do_it type add db - <lamp.json
    do_it type add db none.json
    do_it type add db
    do_it type mend db x
    do_it backup db out.cdbk
    do_it backup db out.cdbk
    do_it backup db out.zst --zstd -J
    do_it verify-backup out.zst -J
    do_it restore db out.cdbk
    do_it restore db none.cdbk
    do_it restore db out.cdbk --dry-run
    do_it get
    do_it list db db
    do_it set db x '{}' --no-such-option
    # Documents that are larger than any message.
    jq -nc '{a: ("x" * 15000000)}' >large.json
    for i in 1 2 3; do do_it set db large <large.json; done
    "$stele" docs get db large | cmp -s - large.json || fail "the large document"
    equal "its history" $((3 * $(jq -c . large.json | wc -c))) "$("$stele" docs history db large -J | jq -c .doc | wc -c)"
    # The number of lines, and input, is that of who asks, whatever their size.
    do_it load db < <(seq 12 | jq -c '{id: "m\(.)", doc: {text: ("y" * 3000000)}}'; echo '{"id":"bad"}')
    do_it has db m12
    equal "all of them" 12 "$("$stele" docs list db --prefix m -J | wc -l)"
}

mkdir plain served
(cd plain && every_verb) || exit 1
mv done.tmp plain.txt
(
    cd served || exit 1
    node=()
    serve db here
    every_verb
    stop here
) || exit 1
mv done.tmp served.txt
grep -q '^==== 80: ' plain.txt || fail "all steps were made"
diff plain.txt served.txt >differences || fail "served and not served differ: $(head -n 40 differences)"
