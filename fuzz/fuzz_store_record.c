/* SPDX-License-Identifier: MIT
 *
 * What a store believes of a record of its log, of which the log says that it is whole.
 *
 *     byte 0: which
 *     even: the record
 *     odd: what follows its first two bytes, which are right
 *
 * Every write that is given lies within the record, has sizes that a store takes, and is encoded as
 * the bytes that it was decoded from.
 */
#include "fuzz.h"
#include "store/keys.h"
#include "store/record.h"

#include <string.h>

static void check(const struct sti_write *w, stele_bytes record, size_t from, size_t to)
{
    size_t size = sti_record_write_size(w);
    uint8_t *again = malloc(size);

    fuzz_require(again != NULL);
    fuzz_require(to > from && to <= record.len && size == to - from);
    fuzz_require(w->key.len <= STI_TABLE_KEY_MAX && w->bucket < STI_BUCKET_LIMIT);
    fuzz_require(w->kind == STI_WRITE_PUT || w->value.len == 0);
    fuzz_require(w->bucket != 0 || w->kind != STI_WRITE_PUT || w->value.len == 4);
    fuzz_require(sti_record_write(again, w) == size);
    fuzz_require(memcmp(again, record.data + from, size) == 0);
    free(again);
}

static void read_all(stele_bytes record)
{
    struct sti_write w;
    size_t at = 0;
    stele_code code = sti_record_open(record, &at, NULL);

    fuzz_require(code == STELE_OK || code == STELE_ECORRUPT || code == STELE_EVERSION);
    while (code == STELE_OK) {
        size_t from = at;

        code = sti_record_next(record, &at, &w, NULL);
        fuzz_require(code == STELE_OK || code == STELE_END || code == STELE_ECORRUPT);
        if (code == STELE_OK) {
            check(&w, record, from, at);
        } else {
            fuzz_require(at == from);
            fuzz_require(code != STELE_END || at == record.len);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    bool fix = fuzz_byte(&in) % 2 == 1;
    size_t len;
    uint8_t *bytes = fuzz_bytes(&in, in.size, &len);

    if (fix && len >= STI_RECORD_HEAD) {
        sti_record_begin(bytes);
    }
    read_all(stele_bytes_of(bytes, len));
    free(bytes);
    return 0;
}
