/* SPDX-License-Identifier: MIT
 *
 * waiting.h: IDs whose entries have come in a restore, by a hash of them.
 *
 * In a backup the log comes before the documents. An ID that has one entry alone, a document, waits
 * until that comes once more, with all the others in the order of their IDs: what follows from it
 * is put then, as keys that ascend, and nothing has to be looked up. The hash of an ID is 128 bits
 * of its SHA-256 behind a random number, so that no backup can be made whose IDs meet; the same
 * holds for the text of the document. Memory is bounded: those that come when all is full do not
 * wait.
 */
#ifndef STI_DOCS_WAITING_H
#define STI_DOCS_WAITING_H

#include "base/sha256.h"
#include "docs/version.h"

enum sti_docs_waiting_state {
    STI_DOCS_WAITING_NOT_SEEN,
    STI_DOCS_WAITING_WAITS, /* one entry is in the log, and nothing else */
    STI_DOCS_WAITING_DONE   /* it does not wait (any more) */
};

struct sti_docs_waiting_hash {
    uint64_t words[2];
};

/* One ID. */
struct sti_docs_waiting_id {
    struct sti_docs_waiting_hash id;
    struct sti_docs_waiting_hash text; /* of the document, as its entry has it */
    struct sti_docs_version version;
    enum sti_docs_waiting_state state;
};

/* With a seed alone it is empty. */
struct sti_docs_waiting {
    uint64_t seeds[2];
    struct sti_sha256 sha256;
    struct sti_docs_waiting_id *ids;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
    size_t waits; /* how many wait */
};

stele_code sti_docs_waiting_hash_of(struct sti_docs_waiting *waiting, stele_bytes bytes,
        struct sti_docs_waiting_hash *out, stele_error *err);

/* What is known of an ID; *out NULL: nothing. Valid until one is added. */
stele_code sti_docs_waiting_find(struct sti_docs_waiting *waiting, stele_bytes id,
        struct sti_docs_waiting_id **out, stele_error *err);

/* The same of one that is added if it is not there; NULL: there is no more room. */
stele_code sti_docs_waiting_need(struct sti_docs_waiting *waiting, stele_bytes id,
        struct sti_docs_waiting_id **out, stele_error *err);
void sti_docs_waiting_free(struct sti_docs_waiting *waiting);

#endif /* STI_DOCS_WAITING_H */
