/* SPDX-License-Identifier: MIT
 *
 * stat.c: what a database has: counts, and its types.
 */
#include "base/error.h"
#include "docs/state.h"

static stele_code count(stele_store_read *read, stele_docs_stats *out, stele_error *err)
{
    const struct {
        enum sti_docs_bucket bucket;
        uint64_t *count;
    } counts[] = {
            {STI_DOCS_DAT, &out->documents},
            {STI_DOCS_NFO, &out->deleted},
            {STI_DOCS_TYP, &out->types},
            {STI_DOCS_LOG, &out->entries},
            {STI_DOCS_IDX, &out->keys},
            {STI_DOCS_CFL, &out->conflicts},
    };

    stele_code rc = STELE_OK;

    for (size_t i = 0; i < sizeof counts / sizeof counts[0] && rc == STELE_OK; i++) {
        rc = stele_store_read_count(
                read, sti_docs_bucket_name(counts[i].bucket), counts[i].count, err);
    }
    return rc;
}

stele_code stele_docs_stat(stele_docs *db, stele_docs_stats *out, stele_error *err)
{
    stele_docs_stats stats = {.documents = 0};
    stele_store_read *read = NULL;
    stele_store_stats store;
    stele_code rc;

    if (db == NULL || out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, or nowhere to put what it has");
    }
    rc = stele_store_stat(db->store, &store, err);
    if (rc == STELE_OK) {
        rc = stele_store_read_begin(&read, db->store, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    rc = count(read, &stats, err);
    stele_store_read_end(read);
    if (rc == STELE_OK) {
        /* There is information of every document, too. */
        stats.deleted -= stats.documents < stats.deleted ? stats.documents : stats.deleted;
        stats.size = store.size;
        stats.size_in_use = store.size_in_use;
        stats.wal_size = store.wal_size;
        *out = stats;
    }
    return rc;
}

/* ---- Types. ---- */

struct listing {
    stele_code (*each)(void *arg, stele_bytes definition, stele_error *err);
    void *arg;
};

static stele_code give_type(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    const struct listing *l = arg;

    (void)key;
    return l->each(l->arg, value, err);
}

stele_code stele_docs_types(stele_docs *db,
        stele_code (*each)(void *arg, stele_bytes definition, stele_error *err), void *arg,
        stele_error *err)
{
    struct listing l = {each, arg};
    stele_store_read *read = NULL;
    stele_code rc;

    if (db == NULL || each == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, or nobody to tell");
    }
    rc = stele_store_read_begin(&read, db->store, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_store_read_for_each(read, sti_docs_bucket_name(STI_DOCS_TYP), give_type, &l, err);
    stele_store_read_end(read);
    return rc;
}
