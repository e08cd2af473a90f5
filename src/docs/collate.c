/* SPDX-License-Identifier: MIT
 *
 * collate.c: ICU behind three functions.
 *
 * Its C interface is named with the version in each symbol, by macros of its headers: this file
 * alone sees them.
 */
#include "docs/collate.h"

#include "base/alloc.h"
#include "base/coding.h"
#include "base/error.h"
#include "base/mutant.h"

#include <unicode/ucol.h>
#include <unicode/ustring.h>

enum {
    RULE = 1,                 /* what sti_docs_collator_open() sets */
    TEXT_SIZE_MAX = 512 << 20 /* ICU counts with int32_t */
};

struct sti_docs_collator {
    UCollator *icu;
    UVersionInfo data;
    UVersionInfo uca;
};

static stele_code fail_icu(UErrorCode status, const char *what, stele_error *err)
{
    if (status == U_MEMORY_ALLOCATION_ERROR) {
        return sti_fail(err, STELE_ENOMEM, "%s: out of memory", what);
    }
    return sti_fail(err, STELE_ENOTSUP, "%s: ICU says %s", what, u_errorName(status));
}

stele_code sti_docs_collator_open(struct sti_docs_collator **out, stele_error *err)
{
    struct sti_docs_collator *collator = sti_calloc(1, sizeof *collator);
    UErrorCode status = U_ZERO_ERROR;

    if (collator == NULL) {
        return sti_fail_memory(err, sizeof *collator);
    }
    collator->icu = ucol_open("", &status);
    if (U_SUCCESS(status)) {
        ucol_setAttribute(collator->icu, UCOL_STRENGTH,
                STI_MUTANT(DOCS_ACCENTS_COUNT) ? UCOL_SECONDARY : UCOL_PRIMARY, &status);
        ucol_setAttribute(collator->icu, UCOL_NORMALIZATION_MODE, UCOL_ON, &status);
    }
    if (U_FAILURE(status)) {
        sti_docs_collator_close(collator);
        return fail_icu(status, "root collation", err);
    }
    ucol_getVersion(collator->icu, collator->data);
    ucol_getUCAVersion(collator->icu, collator->uca);
    *out = collator;
    return STELE_OK;
}

void sti_docs_collator_close(struct sti_docs_collator *collator)
{
    if (collator != NULL) {
        ucol_close(collator->icu);
        sti_free(collator);
    }
}

void sti_docs_collator_version(
        const struct sti_docs_collator *collator, uint8_t out[STI_DOCS_COLLATOR_VERSION_SIZE])
{
    sti_put_be32(out, RULE);
    memcpy(out + 4, collator->data, 4);
    memcpy(out + 8, collator->uca, 4);
}

/* Append the key of UTF-16. ICU says how long a key would be that has no room: so twice at most. */
static stele_code make_key(const struct sti_docs_collator *collator, const UChar *text, int32_t len,
        stele_buf *out, stele_error *err)
{
    uint8_t small[512];
    uint8_t *key = small;
    uint8_t *large = NULL;
    int32_t size = ucol_getSortKey(collator->icu, text, len, small, sizeof small);
    stele_code rc;

    if (size > (int32_t)sizeof small) {
        large = sti_malloc((size_t)size);
        if (large == NULL) {
            return sti_fail_memory(err, (size_t)size);
        }
        key = large;
        size = ucol_getSortKey(collator->icu, text, len, large, size);
    }
    if (size <= 0) {
        rc = sti_fail(err, STELE_ENOMEM, "the key of a string of %d UTF-16 units", (int)len);
    } else {
        /* Without the zero byte at its end. */
        rc = stele_buf_append(out, stele_bytes_of(key, (size_t)size - 1), err);
    }
    sti_free(large);
    return rc;
}

stele_code sti_docs_collator_key(const struct sti_docs_collator *collator, stele_bytes text,
        stele_buf *out, stele_error *err)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar small[256];
    UChar *units = small;
    UChar *large = NULL;
    int32_t len = 0;
    stele_code rc;

    if (text.len > TEXT_SIZE_MAX) {
        return sti_fail(err, STELE_ETOOBIG, "a string of %zu bytes to compare", text.len);
    }
    if (text.len > sizeof small / sizeof small[0]) {
        /* No character has more units in UTF-16 than bytes in UTF-8. */
        large = sti_malloc(text.len * sizeof *large);
        if (large == NULL) {
            return sti_fail_memory(err, text.len * sizeof *large);
        }
        units = large;
    }
    stele_buf_clear(out);
    if (text.len > 0) {
        u_strFromUTF8(units, (int32_t)(text.len > 256 ? text.len : sizeof small / sizeof small[0]),
                &len, (const char *)text.data, (int32_t)text.len, &status);
    }
    if (U_FAILURE(status)) {
        rc = fail_icu(status, "a string that is not UTF-8", err);
    } else {
        rc = make_key(collator, units, len, out, err);
    }
    sti_free(large);
    return rc;
}
