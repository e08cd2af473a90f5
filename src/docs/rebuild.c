/* SPDX-License-Identifier: MIT
 *
 * rebuild.c: all that follows from documents and log, made anew.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "docs/apply.h"
#include "docs/seq.h"

/* Places of entries that are in the log; others are all that there is of theirs. */
static stele_code drop_place(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    return value.len > 1 ? STELE_OK : sti_docs_remove(arg, STI_DOCS_LID, key, err);
}

static stele_code empty_buckets(struct sti_docs_write *w, stele_error *err)
{
    static const enum sti_docs_bucket buckets[] = {STI_DOCS_CHK, STI_DOCS_AGG, STI_DOCS_KDT,
            STI_DOCS_IDX, STI_DOCS_CFL, STI_DOCS_EXP, STI_DOCS_BAD};

    stele_code rc = stele_store_read_for_each(
            w->view, sti_docs_bucket_name(STI_DOCS_LID), drop_place, w, err);

    for (size_t i = STI_MUTANT(DOCS_REBUILD_ADDS) ? 2 : 0;
            i < sizeof buckets / sizeof buckets[0] && rc == STELE_OK; i++) {
        stele_bytes name = sti_docs_bucket_name(buckets[i]);

        if (buckets[i] == STI_DOCS_CFL && STI_MUTANT(DOCS_REBUILD_KEEPS_CONFLICTS)) {
            continue;
        }
        rc = stele_store_batch_delete_bucket(w->batch, name, err);
        if (rc == STELE_OK) {
            rc = stele_store_batch_create_bucket(w->batch, name, err);
        }
    }
    return rc;
}

static stele_code count_entry(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct sti_docs_entry entry = {.is_delete = false};
    uint8_t hash[STI_DOCS_HASH_SIZE];
    stele_code rc = sti_docs_entry_decode(&entry, value, err);

    (void)key;
    if (rc == STELE_OK) {
        rc = sti_docs_entry_hash(&entry, hash, err);
    }
    return rc == STELE_OK ? sti_docs_log_count(arg, &entry, hash, err) : rc;
}

static stele_code index_document(void *arg, stele_bytes id, stele_bytes json, stele_error *err)
{
    (void)json;
    return sti_docs_reindex_one(arg, id, err);
}

/* Numbers stay, if they lead to entries: those who follow the feed are to go on. */
static stele_code mend_numbers(struct sti_docs_write *w, stele_error *err)
{
    bool fit = false;
    stele_code rc = sti_docs_seq_check(w->view, &fit, err);

    return rc == STELE_OK && !fit ? sti_docs_seq_renumber(w, err) : rc;
}

stele_code stele_docs_reindex(stele_docs *db, stele_error *err)
{
    struct sti_docs_write w = {.db = db};
    stele_code rc;

    if (db == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database");
    }
    rc = sti_docs_write_begin(&w, db, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = empty_buckets(&w, err);
    if (rc == STELE_OK) {
        rc = stele_store_read_for_each(
                w.view, sti_docs_bucket_name(STI_DOCS_LOG), count_entry, &w, err);
    }
    if (rc == STELE_OK) {
        rc = stele_store_read_for_each(
                w.view, sti_docs_bucket_name(STI_DOCS_DAT), index_document, &w, err);
    }
    if (rc == STELE_OK) {
        rc = mend_numbers(&w, err);
    }
    return sti_docs_write_end(&w, rc, err);
}
