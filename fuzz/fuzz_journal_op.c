/* SPDX-License-Identifier: MIT
 *
 * The bytes of one operation of a journal.
 *
 * What decodes points into the input, may be dumped, and encodes to the same bytes: an operation
 * has one encoding. So does the end of a snapshot. Merged alone, an operation that leaves something
 * leaves itself.
 */
#include "fuzz.h"
#include "journal/merge.h"

#include <string.h>

static void within(stele_bytes part, const uint8_t *data, size_t len)
{
    fuzz_require(part.data == NULL ? part.len == 0
                                   : part.data >= data && part.len <= len &&
                                             part.data + part.len <= data + len);
}

static void encode_again(const stele_journal_op *op, const uint8_t *data, size_t len)
{
    uint8_t *again = malloc(len + 1);

    fuzz_require(again != NULL);
    fuzz_require(sti_journal_op_size(op) == len);
    fuzz_require(sti_journal_op_encode(again, op, NULL) == len);
    fuzz_require(memcmp(again, data, len) == 0);
    free(again);
}

struct merged {
    const uint8_t *data;
    size_t len;
    size_t count;
};

static stele_code compare(void *arg, stele_bytes encoded, stele_error *err)
{
    struct merged *m = arg;

    (void)err;
    fuzz_require(encoded.len == m->len && memcmp(encoded.data, m->data, m->len) == 0);
    m->count++;
    return STELE_OK;
}

static void merge(const stele_journal_op *op, const uint8_t *data, size_t len, bool copies)
{
    static const uint64_t seed[2] = {1, 2};
    struct merged m = {data, len, 0};
    struct sti_journal_merge *merge = NULL;

    fuzz_require(sti_journal_merge_new(&merge, seed, copies, NULL) == STELE_OK);
    for (int i = 0; i < 2; i++) {
        fuzz_require(sti_journal_merge_add(merge, op, stele_bytes_of(data, len), NULL) == STELE_OK);
    }
    fuzz_require(sti_journal_merge_settle(merge, NULL) == STELE_OK);
    fuzz_require(sti_journal_merge_each(merge, compare, &m, NULL) == STELE_OK);
    fuzz_require(m.count == sti_journal_merge_count(merge));
    fuzz_require(
            m.count == (op->kind == STELE_JOURNAL_PUT || op->kind == STELE_JOURNAL_CONFIG ? 1 : 0));
    sti_journal_merge_free(merge);
}

static void operation(const uint8_t *data, size_t len)
{
    struct sti_journal_settings settings = {0};
    stele_journal_op op;
    stele_error err;
    stele_code rc = sti_journal_op_decode(&op, stele_bytes_of(data, len), &settings, &err);

    fuzz_require(rc == STELE_OK || rc == STELE_ECORRUPT || rc == STELE_EVERSION);
    if (rc == STELE_OK) {
        within(op.key, data, len);
        within(op.subkey, data, len);
        within(op.value, data, len);
        for (size_t i = 0; i < op.setting_count; i++) {
            within(op.settings[i].name, data, len);
            within(op.settings[i].value, data, len);
        }
        fuzz_require(sti_journal_op_check(&op, &err) == STELE_OK);
        encode_again(&op, data, len);
        merge(&op, data, len, len % 2 == 0);
    }
    sti_journal_settings_free(&settings);
}

static void end(const uint8_t *data, size_t len)
{
    uint8_t again[STI_JOURNAL_END_SIZE];
    struct sti_journal_end e;

    if (sti_journal_end_decode(&e, stele_bytes_of(data, len), NULL) == STELE_OK) {
        fuzz_require(len == sizeof again && sti_journal_is_end(stele_bytes_of(data, len)));
        sti_journal_end_encode(again, &e);
        fuzz_require(memcmp(again, data, len) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    size_t len;
    uint8_t *bytes = fuzz_bytes(&in, in.size, &len);

    operation(bytes, len);
    end(bytes, len);
    free(bytes);
    return 0;
}
