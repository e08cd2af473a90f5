/* SPDX-License-Identifier: MIT
 *
 * restore.h: the parts of restoring a backup.
 *
 * The log is put first, and with it the documents of which it has several entries, or a deletion:
 * entry by entry, as if they came from a peer. A document with one entry waits (waiting.h) until
 * the backup has it once more: then all keys ascend, in all buckets but the index. Its keys in the
 * index are gathered, and put when all have come, so that they lie in one commit of the store.
 */
#ifndef STI_DOCS_RESTORE_H
#define STI_DOCS_RESTORE_H

#include "docs/apply.h"
#include "docs/cdbk.h"
#include "docs/waiting.h"

/* Keys of the index that are to be put: length 4, the length of the claim 4, whether it is unique
 * 1, the key; again and again. */
struct sti_docs_gathered {
    stele_buf keys;
    size_t count;
    bool unique; /* some of all that ever were there are */
};

struct sti_docs_restoring {
    struct sti_docs_write w;
    struct sti_docs_version last; /* the highest that came */
    stele_buf saved;              /* what there was before */
    bool split;                   /* it takes several batches */
    bool open;                    /* there is one */
    bool done;
    int64_t horizon; /* before */
    uint64_t pairs;  /* in the batch */
    uint64_t size;
    struct sti_docs_waiting waiting;
    struct sti_docs_gathered gathered;
};

/* ---- restore_docs.c ---- */

stele_code sti_docs_restore_entry(
        struct sti_docs_restoring *r, const struct sti_docs_cdbk_pair *pair, stele_error *err);

/* The version of a document: that of the log, or one that the log no longer has. */
stele_code sti_docs_restore_info(
        struct sti_docs_restoring *r, const struct sti_docs_cdbk_pair *pair, stele_error *err);
stele_code sti_docs_restore_document(
        struct sti_docs_restoring *r, const struct sti_docs_cdbk_pair *pair, stele_error *err);

/* Those that wait still, since the backup does not have them as documents. */
stele_code sti_docs_restore_rest(struct sti_docs_restoring *r, stele_error *err);

/* ---- restore_index.c ---- */

/* Gather the keys that a value of kdt has. */
stele_code sti_docs_gather(
        struct sti_docs_gathered *gathered, stele_bytes id, stele_bytes kept, stele_error *err);

/* Whether so many are there that they should be put. */
bool sti_docs_gathered_enough(const struct sti_docs_gathered *gathered);

/* Put them; after the last ones, note which claims several documents make. */
stele_code sti_docs_gathered_put(
        struct sti_docs_gathered *gathered, struct sti_docs_write *w, stele_error *err);
stele_code sti_docs_gathered_end(
        struct sti_docs_gathered *gathered, struct sti_docs_write *w, stele_error *err);

#endif /* STI_DOCS_RESTORE_H */
