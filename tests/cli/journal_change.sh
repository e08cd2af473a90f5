#!/bin/bash
# SPDX-License-Identifier: MIT
# journal_change.sh: snapshot and clear.
. "$(dirname "$0")/lib.sh"

state() { "$stele" journal play "$1" -J | jq -c '[.op, .key, .subkey, .value, .config]'; }
files() { (cd "$1" && ls | sed 's/.*\.//' | sort | uniq -c | awk '{ print $2 $1 }' | xargs); }

# What a merge leaves: puts keep the last, deletes remove, clear removes a tree or all, configurations
# stay; settings of the whole, of keys, plain keys, trees, each in the order of its bytes.
cat >ops <<'END'
{"op":"put","key":"gone","value":"0"}
{"op":"put","key":"gone","subkey":"too","value":"0"}
{"op":"config","config":{"x":"0"}}
{"op":"clear"}
{"op":"put","key":"b","value":"1"}
{"op":"put","key":"b","value":"2"}
{"op":"put","key":"a","value":"3"}
{"op":"put","value":"nil"}
{"op":"put","key":"","value":"empty"}
{"op":"put","key":"a","subkey":"s","value":"4"}
{"op":"put","key":"tree","subkey":"2","value":"5"}
{"op":"put","key":"tree","subkey":"1","value":"6"}
{"op":"put","key":"tree","value":"plain"}
{"op":"clear","key":"a"}
{"op":"put","key":"d","value":"7"}
{"op":"delete","key":"d"}
{"op":"put","key":"tree","subkey":"3","value":"8"}
{"op":"delete","key":"tree","subkey":"3"}
{"op":"config","key":"k","config":{"y":"1"}}
{"op":"config","key":"k","config":{"z":"2"}}
END
record log <ops
cat >want <<'END'
["config",null,null,null,{"x":"0"}]
["config","k",null,null,{"z":"2"}]
["put",null,null,"nil",null]
["put","",null,"empty",null]
["put","a",null,"3",null]
["put","b",null,"2",null]
["put","tree",null,"plain",null]
["put","tree","1","6",null]
["put","tree","2","5",null]
END

# change VERB DIR: a dry run changes nothing and prints the same object.
change() {
    content "$2" >before
    journal 0 "$1" "$2" --dry-run -J
    quiet
    is '{"ok":true,"dry_run":true}'
    journal 0 "$1" "$2" -n
    row ok yes
    row "dry run" "nothing was changed"
    content "$2" | cmp -s - before || fail "a dry run changes nothing"
    journal 0 "$1" "$2" -J
    quiet
    is '{"ok":true}'
    journal 0 check "$2"
    quiet
}

change snapshot log
equal "what is left" "$(cat want)" "$(state log)"
equal "files" "snap1" "$(files log)"
# Nothing but a snapshot: left as it is.
content log >before
journal 0 snapshot log
row ok yes
content log | cmp -s - before || fail "a snapshot of a snapshot changes nothing"
# The same state gives the same bytes, whatever came before.
jq -c . ops | jq -c '.timestamp = 1' >stamped
record one <stamped
journal 0 snapshot one
{ puts 1 10; echo '{"op":"clear"}'; tail -n +3 stamped; } >other
record two <other
journal 0 snapshot two
equal "operations" "$("$stele" journal play one -J)" "$("$stele" journal play two -J)"
# Over several logs, and a snapshot before them.
for i in 1 2 3; do
    printf '{"op":"put","key":"n","value":"%d"}\n{"op":"delete","key":"b"}\n' $i | record log
done
equal "files" "log3 snap1" "$(files log)"
change snapshot log
equal "files" "snap1" "$(files log)"
equal "what is left" "$(grep -v '"b"' want | sed '/"a"/a ["put","n",null,"3",null]')" "$(state log)"
journal 0 stat log -J
json '.[0] | .count == 26 and .snapshot_ops == 9 and .snapshot_count == 26 and .log_ops == 0'

# clear, of snapshot and logs.
puts 1 5 | record log
change clear log
equal "no files" "" "$(files log)"
journal 0 play log -J
silent
journal 0 stat log -J
json '.[0] | .count == 0 and .logs == 0 and .snapshots == 0'
change clear log
change snapshot log
equal "no files" "" "$(files log)"
# It begins anew.
puts 1 3 | record log
journal 0 play log -J --until-count 2
json 'map(.value) == ["1", "2"]'

# What is not there is not made.
for verb in snapshot clear; do
    for how in "" --dry-run; do
        journal 1 $verb nowhere $how
        says nowhere
        journal 1 $verb nowhere $how -J
        json_error ENOTFOUND
        silent
    done
    journal 2 $verb
    journal 2 $verb a b
    mkdir -p bare
    journal 0 $verb bare --dry-run
    equal "a dry run makes nothing" "" "$(ls -A bare)"
done
[ ! -e nowhere ] || fail "changing creates nothing"

# Damage: no merge, nor its dry run; it can be cleared, and what is not ours stays.
puts 1 100 | record damaged
echo hello >damaged/README
flip "$(ls damaged/*.log)" 500
content damaged >before
for how in "" --dry-run; do
    journal 3 snapshot damaged $how -J
    json_error ECORRUPT
    says .log
    silent
    content damaged | cmp -s - before || fail "nothing is changed"
done
journal 0 clear damaged --dry-run
content damaged | cmp -s - before || fail "nothing is changed"
journal 0 clear damaged
equal "all but what is not ours" README "$(ls damaged)"
journal 0 check damaged -J
json '.[-1].ok'
