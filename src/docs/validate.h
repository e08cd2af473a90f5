/* SPDX-License-Identifier: MIT
 *
 * validate.h: whether the parts of a database fit together.
 *
 * Documents and log are what counts; all else follows from them, and is made again by a rebuild
 * (rebuild.c). Everything is compared within one read of the store, which others do not wait for.
 */
#ifndef STI_DOCS_VALIDATE_H
#define STI_DOCS_VALIDATE_H

#include "docs/apply.h"

struct sti_docs_validating {
    struct sti_docs_write w; /* without a batch: it only reads */
    void (*each)(void *arg, const stele_docs_fault *fault);
    void *arg;
    stele_docs_validated counts;
    uint64_t ends; /* documents that end at a time */
};

/* Something does not fit; the ID may be nil. */
void sti_docs_fault(struct sti_docs_validating *v, stele_bytes id, const char *format, ...)
        STELE_PRINTF(3, 4);

/* What a decoder said of a document: a fault, and STELE_OK; or a lack of memory, which is returned
 * as it is. */
stele_code sti_docs_fault_of(
        struct sti_docs_validating *v, stele_bytes id, const stele_error *why, stele_error *err);

/* A bucket has so many keys. */
stele_code sti_docs_validate_count(struct sti_docs_validating *v, enum sti_docs_bucket bucket,
        uint64_t count, stele_error *err);

/* ---- validate_docs.c ---- */

/* Versions, documents, keys; which keys are shared. */
stele_code sti_docs_validate_documents(struct sti_docs_validating *v, stele_error *err);
stele_code sti_docs_validate_conflicts(struct sti_docs_validating *v, stele_error *err);

/* ---- validate_log.c ---- */

/* The log, the places of each ID in it, checkpoints and aggregates. */
stele_code sti_docs_validate_log(struct sti_docs_validating *v, stele_error *err);

#endif /* STI_DOCS_VALIDATE_H */
