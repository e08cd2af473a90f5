# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# documents.sh: the demo's chapter on documents: the countries, languages and
# subdivisions of ISO as a database, found loosely and by range, changed,
# backed up and restored. demo.sh sources it.
#
#   STELE_DEMO_ISO  another directory with iso_3166-1.json and the others; the
#                   default is that of the package iso-codes

db=$work/world
docs() { "$stele" docs "$@"; }
run_docs() { printf '   $ stele docs %s\n' "$*" | sed "s|$work/||g"; }
ids() { jq -r .id | xargs; }

iso=${STELE_DEMO_ISO:-/usr/share/iso-codes/json}
iso_files=("$iso"/iso_3166-1.json "$iso"/iso_639-3.json "$iso"/iso_3166-2.json)
for file in "${iso_files[@]}"; do
    [ -r "$file" ] || iso_files=("$root/demo/sample-iso.json")
done

# A document for each, with the number of a country as a number, and the
# country of a subdivision as a field.
cat "${iso_files[@]}" | jq -c '
    (."3166-1"[]? | {id: "country/\(.alpha_2)", doc: ({"@type": "country"} + . + {numeric: (.numeric | tonumber)})}),
    (."639-3"[]? | {id: "language/\(.alpha_3)", doc: ({"@type": "language"} + .)}),
    (."3166-2"[]? | {id: "subdivision/\(.code)", doc: ({"@type": "subdivision", "country": (.code | split("-")[0])} + .)})
    ' >"$work/iso"
all=$(wc -l <"$work/iso")

title "8. Load countries, languages and subdivisions as documents"
fact "from" "${iso_files[0]/#$root\//}"
fact "documents" "$all"
run_docs "load world"
docs load "$db" <"$work/iso" | indent
promise "every line became a document" [ "$(docs stat "$db" -J | field documents)" -eq "$all" ]
sort "$work/iso" >"$work/iso.sorted"
docs dump "$db" | sort >"$work/dumped"
promise "each comes back as it was, to the last byte" cmp -s "$work/iso.sorted" "$work/dumped"

title "9. Say how they are to be found"
cat >"$work/country.json" <<'END'
{"name": "country", "version": 1, "keys": [
    {"name": "code", "fields": ["alpha_2"], "method": "binary", "unique": true},
    {"name": "name", "fields": ["name"], "method": "utf8"},
    {"name": "numeric", "fields": ["numeric"], "method": "number", "unique": true}]}
END
cat >"$work/language.json" <<'END'
{"name": "language", "version": 1, "keys": [
    {"name": "code", "fields": ["alpha_3"], "method": "binary", "unique": true},
    {"name": "name", "fields": ["name"], "method": "utf8"}]}
END
cat >"$work/subdivision.json" <<'END'
{"name": "subdivision", "version": 1, "keys": [
    {"name": "code", "fields": ["code"], "method": "binary", "unique": true},
    {"name": "place", "fields": ["country", "name"], "method": "utf8"}]}
END
for type in country language subdivision; do
    run_docs "type add world $type.json"
    docs type add "$db" "$work/$type.json" >"$work/added"
done
promise "three types are registered" [ "$(docs type list "$db" | wc -l)" -eq 3 ]
promise "no two documents claim one unique key" [ -z "$(docs conflicts "$db")" ]
for type in country language subdivision; do
    promise "each $type is found by its type" \
        [ "$(docs search "$db" $type | wc -l)" -eq "$(grep -c "^{\"id\":\"$type/" "$work/iso")" ]
done

title "10. Search: however it is written, and by range"
run_docs "search world country name=\"COTE D'IVOIRE\" -J"
docs search "$db" country name="COTE D'IVOIRE" -J | tee "$work/found" | indent
promise "case and accents do not count: it is Côte d'Ivoire" [ "$(ids <"$work/found")" = country/CI ]
promise "åland islands is found as ALAND ISLANDS" \
    [ "$(docs search "$db" country name="ALAND ISLANDS" -J | ids)" = country/AX ]
promise "what is less than the name is not found" [ -z "$(docs search "$db" country name="Aland")" ]
promise "but by a prefix it is" [ "$(docs search "$db" country --prefix name=ALAND -J | ids)" = country/AX ]
run_docs "search world subdivision country=DE name=thuringen -J"
docs search "$db" subdivision country=DE name=thuringen -J | tee "$work/found" | indent
promise "it is Thüringen, of two fields" [ "$(ids <"$work/found")" = subdivision/DE-TH ]
run_docs "search world country --range numeric=250..400 -J"
docs search "$db" country --range numeric=250..400 -J >"$work/found"
fact "found" "$(wc -l <"$work/found") countries"
jq -sr '[.[] | select(.doc."@type" == "country" and .doc.numeric >= 250 and .doc.numeric <= 400)] |
    sort_by(.doc.numeric) | .[].id' "$work/iso" >"$work/expected"
jq -r .id "$work/found" >"$work/values"
promise "all whose number is from 250 to 400, by their numbers" cmp -s "$work/expected" "$work/values"
token= pages=0
: >"$work/paged"
while docs search "$db" country --range numeric=250..400 -c 7 --token -J ${token:+--after "$token"} >"$work/page" &&
    [ -s "$work/page" ]; do
    cat "$work/page" >>"$work/paged"
    token=$(tail -n 1 "$work/page" | field token)
    pages=$((pages + 1))
done
jq -r .id "$work/paged" >"$work/values"
promise "$pages pages of seven give the same, none twice" cmp -s "$work/expected" "$work/values"
refused=0
docs search "$db" country capital=Berlin 2>"$work/refused" || refused=$?
sed "s|$work/||g" "$work/refused" | indent
promise "a field without a key is refused, exit code 2" [ "$refused" -eq 2 ]
promise "the message lists the keys that there are" grep -q numeric "$work/refused"

title "11. Change one, and try what is not allowed"
run_docs "patch world country/DE '{\"capital\":\"Berlin\"}'"
docs patch "$db" country/DE '{"capital":"Berlin"}' >"$work/patched"
promise "it has the new member, and all that it had" [ "$(docs get "$db" country/DE | jq -c 'del(.capital)')" = \
    "$(jq -c 'select(.id == "country/DE") | .doc' "$work/iso")" ]
run_docs "history world country/DE"
docs history "$db" country/DE | indent
promise "both versions of it are in its history" [ "$(docs history "$db" country/DE | wc -l)" -eq 2 ]
first=$(docs history "$db" country/DE -J | head -n 1 | field version)
refused=0
docs set "$db" country/DE '{}' --if-version "$first" 2>"$work/refused" || refused=$?
sed "s|$work/||g" "$work/refused" | indent
promise "who knew the old version alone changes nothing, exit code 7" [ "$refused" -eq 7 ]
run_docs "set world country/XX '{\"@type\":\"country\",\"alpha_2\":\"DE\"}'"
refused=0
docs set "$db" country/XX '{"@type":"country","alpha_2":"DE"}' 2>"$work/refused" || refused=$?
sed "s|$work/||g" "$work/refused" | indent
promise "a second country with the code DE is refused, exit code 7" [ "$refused" -eq 7 ]
promise "the message names the owner" grep -q country/DE "$work/refused"
promise "and it is not there" [ "$(docs has "$db" country/XX 2>/dev/null)" = no ]

title "12. Back up, damage, verify, restore"
run_docs "backup world world.cdbk --zstd"
docs backup "$db" "$work/world.cdbk" --zstd | indent
fact "compressed" "$(stat -c %s "$work/world.cdbk") bytes"
run_docs "verify-backup world.cdbk -J"
docs verify-backup "$work/world.cdbk" -J | tee "$work/verified" | indent
promise "it has all $all documents" [ "$(field documents <"$work/verified")" -eq "$all" ]
cp "$work/world.cdbk" "$work/bad.cdbk"
printf 'X' | dd of="$work/bad.cdbk" bs=1 seek=$(($(stat -c %s "$work/bad.cdbk") / 2)) conv=notrunc status=none
refused=0
docs restore "$work/other" "$work/bad.cdbk" 2>"$work/refused" || refused=$?
sed "s|$work/||g" "$work/refused" | indent
promise "a copy with one other byte is refused, exit code 3" [ "$refused" -eq 3 ]
promise "and nothing of it is restored" [ ! -e "$work/other" ]
run_docs "restore other world.cdbk"
docs restore "$work/other" "$work/world.cdbk" | indent
run_docs "validate other"
docs validate "$work/other" | indent
docs dump "$db" >"$work/one"
docs dump "$work/other" >"$work/two"
promise "both have the same documents" cmp -s "$work/one" "$work/two"
docs log "$db" >"$work/one"
docs log "$work/other" >"$work/two"
promise "with the same versions" cmp -s "$work/one" "$work/two"
promise "and find the same" [ "$(docs search "$work/other" country name="COTE D'IVOIRE" -J | ids)" = country/CI ]
