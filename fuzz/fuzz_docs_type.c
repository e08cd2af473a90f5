/* SPDX-License-Identifier: MIT
 *
 * Definitions of types. What is read keeps to the limits; what is written of it is read again as
 * the same, and written as the same bytes.
 */
#include "docs/type.h"
#include "fuzz.h"

static void write_type(const struct sti_docs_type *type, stele_buf *out)
{
    stele_error err;

    stele_buf_init(out, STI_DOCS_TYPE_SIZE_MAX);
    fuzz_require(sti_docs_type_write(type, out, &err) == STELE_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sti_docs_type *type = NULL;
    struct sti_docs_type *again = NULL;
    stele_buf first;
    stele_buf second;
    stele_error err;

    if (sti_docs_type_parse(&type, stele_bytes_of(data, size), &err) != STELE_OK) {
        return 0;
    }
    fuzz_require(sti_docs_type_check(type, &err) == STELE_OK);
    write_type(type, &first);
    fuzz_require(sti_docs_type_parse(&again, stele_buf_view(&first), &err) == STELE_OK);
    write_type(again, &second);
    fuzz_require(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    fuzz_require(type->key_count == again->key_count && type->version == again->version);
    stele_buf_free(&first);
    stele_buf_free(&second);
    sti_docs_type_free(type);
    sti_docs_type_free(again);
    return 0;
}
