/* SPDX-License-Identifier: MIT
 *
 * validate.c: the parts of a database compared with each other.
 */
#include "docs/validate.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void sti_docs_fault(struct sti_docs_validating *v, stele_bytes id, const char *format, ...)
{
    char text[STELE_ERROR_MESSAGE_SIZE];
    stele_docs_fault fault = {.id = id, .text = text};
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    v->counts.faults++;
    if (v->each != NULL) {
        v->each(v->arg, &fault);
    }
}

stele_code sti_docs_fault_of(
        struct sti_docs_validating *v, stele_bytes id, const stele_error *why, stele_error *err)
{
    if (why->code == STELE_ENOMEM) {
        return sti_fail(err, why->code, "%s", why->message);
    }
    sti_docs_fault(v, id, "%s", why->message);
    return STELE_OK;
}

stele_code sti_docs_validate_count(struct sti_docs_validating *v, enum sti_docs_bucket bucket,
        uint64_t count, stele_error *err)
{
    stele_bytes name = sti_docs_bucket_name(bucket);
    uint64_t there = 0;
    stele_code rc = stele_store_read_count(v->w.view, name, &there, err);

    if (rc == STELE_OK && there != count) {
        sti_docs_fault(v, stele_nil(), "bucket %.3s has %" PRIu64 " keys instead of %" PRIu64,
                (const char *)name.data, there, count);
    }
    return rc;
}

stele_code stele_docs_validate(stele_docs *db,
        void (*each)(void *arg, const stele_docs_fault *fault), void *arg,
        stele_docs_validated *out, stele_error *err)
{
    struct sti_docs_validating v = {.each = each, .arg = arg};
    stele_store_read *read = NULL;
    stele_code rc;

    if (db == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database");
    }
    rc = sti_docs_read_begin(&read, db, err);
    if (rc != STELE_OK) {
        return rc;
    }
    v.w = (struct sti_docs_write){.db = db, .view = read};
    rc = sti_docs_types_follow(db, read, err);
    if (rc == STELE_OK) {
        rc = sti_docs_check_collation(db, NULL, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_validate_documents(&v, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_validate_conflicts(&v, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_validate_log(&v, err);
    }
    stele_store_read_end(read);
    if (rc == STELE_OK && out != NULL) {
        *out = v.counts;
    }
    if (rc == STELE_OK && v.counts.faults > 0) {
        rc = sti_fail(err, STELE_ECORRUPT, "%" PRIu64 " parts of the database do not fit",
                v.counts.faults);
    }
    return rc;
}
