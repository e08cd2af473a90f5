/* SPDX-License-Identifier: MIT
 *
 * restore.c: a database made of a backup.
 *
 * The last batch ends only when the last byte of the stream has been checked; what is damaged
 * leaves nothing behind, also where it takes several batches (undo.h). The log makes versions,
 * claims, keys and sums anew (restore.h says how); what the backup says of documents has to be the
 * same. Documents whose entries the log no longer has are
 * taken as the backup has them.
 */
#include "docs/restore.h"

#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "docs/backup.h"
#include "docs/undo.h"

enum {
    PAIRS_AT_ONCE = 2000, /* in a batch */
    SIZE_AT_ONCE = 8 << 20
};

static stele_code restore_type(
        struct sti_docs_restoring *r, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    struct sti_docs_type *type = NULL;
    bool anew = false; /* there are no documents yet */
    stele_code rc = sti_docs_type_read(&type, pair->value, err);

    return rc == STELE_OK ? sti_docs_define(&r->w, type, pair->value, false, &anew, err) : rc;
}

/* Go on in another batch. */
static stele_code split(struct sti_docs_restoring *r, stele_error *err)
{
    stele_docs *db = r->w.db;
    stele_code rc = STELE_OK;

    if (!r->split) {
        rc = sti_docs_undo_mark(&r->w, stele_buf_view(&r->saved), err);
        if (rc != STELE_OK) {
            return rc;
        }
        /* Before anything of it can be seen. */
        atomic_store(&db->restoring, true);
        r->split = true;
    }
    r->pairs = 0;
    r->size = 0;
    r->w.lazy = true;
    r->open = false;
    rc = sti_docs_write_end(&r->w, rc, err);
    if (rc == STELE_OK) {
        rc = sti_docs_write_begin_restore(&r->w, db, err);
        r->open = rc == STELE_OK;
    }
    return rc;
}

static stele_code restore_one(
        struct sti_docs_restoring *r, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    switch (pair->section) {
    case STI_DOCS_CDBK_TYPE:
        return STI_MUTANT(DOCS_RESTORE_NO_TYPES) ? STELE_OK : restore_type(r, pair, err);
    case STI_DOCS_CDBK_LOG:
        return sti_docs_restore_entry(r, pair, err);
    case STI_DOCS_CDBK_INFO:
        return sti_docs_restore_info(r, pair, err);
    case STI_DOCS_CDBK_DATA:
        return sti_docs_restore_document(r, pair, err);
    case STI_DOCS_CDBK_CHECKPOINT:
    default:
        /* Checkpoints follow from the log, which they were compared with. */
        return STELE_OK;
    }
}

static stele_code restore_pair(void *arg, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    struct sti_docs_restoring *r = arg;
    stele_code rc = restore_one(r, pair, err);

    r->pairs++;
    r->size += pair->value.len;
    return rc == STELE_OK && (r->pairs >= PAIRS_AT_ONCE || r->size >= SIZE_AT_ONCE) ? split(r, err)
                                                                                    : rc;
}

static stele_code check_pristine(struct sti_docs_write *w, stele_error *err)
{
    static const enum sti_docs_bucket buckets[] = {STI_DOCS_LOG, STI_DOCS_NFO};

    stele_code rc = STELE_OK;

    for (size_t i = 0; i < sizeof buckets / sizeof buckets[0] && rc == STELE_OK; i++) {
        stele_store_cursor *cursor = NULL;

        rc = stele_store_cursor_open(&cursor, w->view, sti_docs_bucket_name(buckets[i]), err);
        if (rc == STELE_OK) {
            rc = stele_store_cursor_first(cursor, err);
            stele_store_cursor_close(cursor);
        }
        if (rc == STELE_OK) {
            rc = sti_fail(err, STELE_ESTATE, "only a database without documents is restored");
        } else if (rc == STELE_END) {
            rc = STELE_OK;
        }
    }
    return rc;
}

static stele_code begin(struct sti_docs_restoring *r, stele_docs *db, stele_error *err)
{
    stele_code rc = sti_docs_write_begin(&r->w, db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    r->open = true;
    r->horizon = db->horizon;
    rc = STI_MUTANT(DOCS_RESTORE_OVER) ? STELE_OK : check_pristine(&r->w, err);
    if (rc == STELE_OK) {
        rc = sti_docs_undo_save(&r->w, &r->saved, err);
    }
    if (rc == STELE_OK) {
        /* The log begins where that of the backup does. */
        db->horizon = 0;
        rc = sti_docs_remove(&r->w, STI_DOCS_MET, stele_str("horizon"), err);
    }
    return rc;
}

/* Nothing is left of it. Where even that fails, nobody sees it, and the next open takes it back. */
static void take_back(struct sti_docs_restoring *r, stele_docs *db)
{
    struct sti_docs_write w = {.db = db};
    stele_code rc = STELE_OK;

    if (r->open) {
        (void)sti_docs_write_end(&r->w, STELE_ECANCELED, NULL);
    }
    if (r->split) {
        rc = sti_docs_write_begin_restore(&w, db, NULL);
        if (rc == STELE_OK) {
            db->horizon = r->horizon;
            rc = sti_docs_write_end(&w, sti_docs_undo(&w, NULL), NULL);
        }
    }
    if (rc == STELE_OK) {
        atomic_store(&db->restoring, false);
    }
}

static stele_code end(struct sti_docs_restoring *r, stele_docs *db, stele_error *err)
{
    stele_code rc = sti_docs_restore_rest(r, err);

    if (rc == STELE_OK) {
        rc = sti_docs_gathered_end(&r->gathered, &r->w, err);
    }
    if (rc == STELE_OK && r->split) {
        rc = sti_docs_undo_unmark(&r->w, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    if (!STI_MUTANT(DOCS_RESTORE_NO_CLOCK)) {
        /* What was restored is older than what is set from now on. */
        sti_docs_clock_recover(&db->clock, r->last);
    }
    r->w.lazy = false;
    r->open = false;
    rc = sti_docs_write_end(&r->w, STELE_OK, err);
    /* Without room on the disk it is there all the same, and waits. */
    r->done = rc == STELE_OK || rc == STELE_ENOSPC;
    if (r->done) {
        atomic_store(&db->restoring, false);
        sti_docs_feed_tell(db);
    }
    return rc;
}

stele_code stele_docs_restore(stele_docs *db, stele_read_fn read, void *arg, bool manifest_demanded,
        stele_docs_backup_summary *out, stele_error *err)
{
    struct sti_docs_restoring r = {.w = {.db = db}};
    stele_docs_backup_summary summary = {.pairs = 0};
    stele_code rc;

    if (db == NULL || read == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, or nowhere to read from");
    }
    stele_buf_init(&r.saved, SIZE_MAX);
    stele_buf_init(&r.gathered.keys, SIZE_MAX);
    r.waiting.seeds[0] = sti_env_random64(&db->env);
    r.waiting.seeds[1] = sti_env_random64(&db->env);
    rc = begin(&r, db, err);
    if (rc == STELE_OK) {
        rc = sti_docs_backup_go(read, arg, manifest_demanded, restore_pair, &r, &summary, err);
    }
    if (STI_MUTANT(DOCS_RESTORE_TORN) && rc == STELE_ECORRUPT) {
        rc = STELE_OK;
    }
    if (rc == STELE_OK) {
        rc = end(&r, db, err);
    }
    if (r.open || (r.split && !r.done)) {
        take_back(&r, db);
    }
    stele_buf_free(&r.saved);
    stele_buf_free(&r.gathered.keys);
    sti_docs_waiting_free(&r.waiting);
    if (rc == STELE_OK && out != NULL) {
        *out = summary;
    }
    return rc;
}
