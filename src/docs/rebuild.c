/* SPDX-License-Identifier: MIT
 *
 * rebuild.c: all that follows from documents and log, made anew.
 *
 * One bucket after the other is gone over, in batches, each of which leaves what it has seen right,
 * or at least better, whatever others do in between; but first all is looked through (survey.h),
 * and where nothing is to be mended, nothing is done. First the log and the places of its entries,
 * from which claims are told; then documents, which get all that is theirs; then what is nobody's
 * is taken away. Sums are in rebuild_sums.c.
 */
#include "docs/rebuild.h"

#include "base/error.h"
#include "base/mutant.h"
#include "docs/expiry.h"
#include "docs/pass.h"
#include "docs/seq.h"
#include "docs/survey.h"

/* ---- The log, and its places. ---- */

static stele_code mend_entry(
        void *arg, struct sti_docs_write *w, stele_bytes log_key, stele_error *err)
{
    static const uint8_t form = STI_DOCS_FORM;
    struct sti_docs_version version = {.seconds = 0};
    stele_bytes id = stele_nil();
    stele_bytes value = stele_nil();
    bool found = false;
    stele_buf key;
    stele_code rc = sti_docs_log_key_decode(&version, &id, log_key, err);

    (void)arg;
    stele_buf_init(&key, SIZE_MAX);
    if (rc == STELE_OK) {
        rc = sti_docs_place_key(id, version, &key, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_read(w->view, STI_DOCS_LID, stele_buf_view(&key), &value, &found, err);
    }
    if (rc == STELE_OK && (!found || value.len != sizeof form || value.data[0] != form)) {
        rc = sti_docs_put(
                w, STI_DOCS_LID, stele_buf_view(&key), stele_bytes_of(&form, sizeof form), err);
    }
    stele_buf_free(&key);
    return rc;
}

/* Places that lead nowhere; one with a document is all that there is of it. */
static stele_code mend_place(void *arg, struct sti_docs_write *w, stele_bytes key, stele_error *err)
{
    size_t id_len = key.len < 2 ? 0 : (size_t)key.data[0] << 8 | key.data[1];
    struct sti_docs_version version = {.seconds = 0};
    stele_bytes value = stele_nil();
    bool found = false;
    bool logged = false;
    stele_buf log_key;
    stele_code rc = sti_docs_read(w->view, STI_DOCS_LID, key, &value, &found, err);

    (void)arg;
    if (rc != STELE_OK || value.len > 1) {
        return rc;
    }
    stele_buf_init(&log_key, SIZE_MAX);
    if (id_len > 0 && key.len == 2 + id_len + STI_DOCS_VERSION_SIZE &&
            sti_docs_version_get(&version, key.data + 2 + id_len, NULL) == STELE_OK) {
        rc = sti_docs_log_key_encode(version, stele_bytes_of(key.data + 2, id_len), &log_key, err);
        if (rc == STELE_OK) {
            rc = sti_docs_read(
                    w->view, STI_DOCS_LOG, stele_buf_view(&log_key), &value, &logged, err);
        }
    }
    stele_buf_free(&log_key);
    return rc == STELE_OK && !logged ? sti_docs_remove(w, STI_DOCS_LID, key, err) : rc;
}

/* ---- Documents, and what is nobody's. ---- */

static stele_code mend_document(
        void *arg, struct sti_docs_write *w, stele_bytes id, stele_error *err)
{
    (void)arg;
    return sti_docs_reindex_one(w, id, true, err);
}

static stele_code has_document(
        struct sti_docs_write *w, stele_bytes id, bool *has, stele_error *err)
{
    stele_bytes value = stele_nil();

    return sti_docs_read(w->view, STI_DOCS_DAT, id, &value, has, err);
}

static stele_code mend_kept(void *arg, struct sti_docs_write *w, stele_bytes id, stele_error *err)
{
    bool has = false;
    stele_code rc = has_document(w, id, &has, err);

    (void)arg;
    return rc == STELE_OK && !has ? sti_docs_remove(w, STI_DOCS_KDT, id, err) : rc;
}

static stele_code mend_unreadable(
        void *arg, struct sti_docs_write *w, stele_bytes id, stele_error *err)
{
    bool has = false;
    stele_code rc = has_document(w, id, &has, err);

    (void)arg;
    return rc == STELE_OK && !has ? sti_docs_remove(w, STI_DOCS_BAD, id, err) : rc;
}

/* Whether a document notes a key of the index as one of its own. */
static stele_code is_kept(
        struct sti_docs_write *w, stele_bytes key, stele_bytes id, bool *is, stele_error *err)
{
    struct sti_docs_kept kept = {.rest = stele_nil()};
    stele_bytes value = stele_nil();
    bool found = false;
    stele_buf full;
    stele_code rc = sti_docs_read(w->view, STI_DOCS_KDT, id, &value, &found, err);

    *is = false;
    if (rc != STELE_OK || !found) {
        return rc;
    }
    stele_buf_init(&full, SIZE_MAX);
    rc = sti_docs_kept_begin(&kept, value, err);
    while (rc == STELE_OK && !*is) {
        rc = sti_docs_kept_next(&kept, err);
        if (rc == STELE_OK) {
            rc = sti_docs_kept_key(&kept, id, &full, err);
        }
        *is = rc == STELE_OK && stele_bytes_equal(stele_buf_view(&full), key);
    }
    stele_buf_free(&full);
    return rc == STELE_END ? STELE_OK : rc;
}

static stele_code mend_key(void *arg, struct sti_docs_write *w, stele_bytes key, stele_error *err)
{
    struct sti_docs_index_value here = {.unique = false};
    stele_bytes value = stele_nil();
    bool found = false;
    bool is = false;
    stele_code rc = sti_docs_read(w->view, STI_DOCS_IDX, key, &value, &found, err);

    (void)arg;
    if (rc == STELE_OK && sti_docs_index_value_get(&here, key, value, NULL) == STELE_OK) {
        rc = is_kept(w, key, here.id, &is, err);
    }
    if (rc == STELE_OK && !is && !STI_MUTANT(DOCS_REBUILD_KEEPS_KEYS)) {
        rc = sti_docs_remove(w, STI_DOCS_IDX, key, err);
    }
    return rc == STELE_OK && here.unique ? sti_docs_index_note_conflict(w, here.claim, err) : rc;
}

static stele_code mend_conflict(
        void *arg, struct sti_docs_write *w, stele_bytes claim, stele_error *err)
{
    (void)arg;
    return STI_MUTANT(DOCS_REBUILD_KEEPS_CONFLICTS) ? STELE_OK
                                                    : sti_docs_index_note_conflict(w, claim, err);
}

/* Documents have put theirs; others go. */
static stele_code mend_end(void *arg, struct sti_docs_write *w, stele_bytes key, stele_error *err)
{
    struct sti_docs_time end = {.seconds = 0};
    struct sti_docs_time time = {.seconds = 0};
    stele_bytes value = stele_nil();
    stele_bytes id = stele_nil();
    bool found = false;
    bool has = false;
    stele_code rc = sti_docs_read(w->view, STI_DOCS_EXP, key, &value, &found, err);

    (void)arg;
    if (rc == STELE_OK && sti_docs_expiry_split(key, value, &time, &id) == STELE_OK) {
        rc = has_document(w, id, &has, err);
        if (rc == STELE_OK && has) {
            rc = sti_docs_expiry_read(w->view, id, &end, &has, err);
        }
    }
    has = has && sti_docs_time_compare(end, time) == 0;
    return rc == STELE_OK && !has ? sti_docs_remove(w, STI_DOCS_EXP, key, err) : rc;
}

/* Numbers stay, if they lead to entries: those who follow the feed are to go on. */
static stele_code mend_numbers(stele_docs *db, stele_error *err)
{
    struct sti_docs_write w = {.db = db};
    bool fit = false;
    stele_code rc = sti_docs_write_begin(&w, db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_docs_seq_check(w.view, &fit, err);
    if (rc == STELE_OK && !fit) {
        rc = sti_docs_seq_renumber(&w, err);
    }
    return sti_docs_write_end(&w, rc, err);
}

/* Ends of documents are looked at if there are any, though no definition says so. */
static stele_code look_for_ends(stele_docs *db, stele_error *err)
{
    stele_store_read *read = NULL;
    stele_store_cursor *cursor = NULL;
    stele_code rc = sti_docs_read_begin(&read, db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_store_cursor_open(&cursor, read, sti_docs_bucket_name(STI_DOCS_EXP), err);
    if (rc == STELE_OK) {
        rc = stele_store_cursor_first(cursor, err);
    }
    if (rc == STELE_OK) {
        atomic_store(&db->expires, true);
    }
    stele_store_cursor_close(cursor);
    stele_store_read_end(read);
    return rc == STELE_END ? STELE_OK : rc;
}

stele_code sti_docs_rebuild_places(stele_docs *db, stele_error *err)
{
    stele_code rc =
            sti_docs_pass(db, STI_DOCS_LOG, stele_nil(), stele_nil(), mend_entry, NULL, err);

    return rc == STELE_OK ? sti_docs_pass(db, STI_DOCS_LID, stele_nil(), stele_nil(), mend_place,
                                    NULL, err)
                          : rc;
}

/* All is as it should be; when that is said, it is durable, too. */
static stele_code end_whole(stele_docs *db, stele_error *err)
{
    struct sti_docs_write w = {.db = db};
    stele_code rc = sti_docs_write_begin(&w, db, err);

    return rc == STELE_OK ? sti_docs_write_end(&w, STELE_OK, err) : rc;
}

stele_code stele_docs_reindex(stele_docs *db, stele_error *err)
{
    static const struct {
        enum sti_docs_bucket bucket;
        sti_docs_pass_fn each;
    } passes[] = {
            {STI_DOCS_DAT, mend_document},
            {STI_DOCS_KDT, mend_kept},
            {STI_DOCS_IDX, mend_key},
            {STI_DOCS_CFL, mend_conflict},
            {STI_DOCS_EXP, mend_end},
            {STI_DOCS_BAD, mend_unreadable},
    };

    bool whole = false;
    stele_code rc;

    if (db == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database");
    }
    rc = look_for_ends(db, err);
    if (rc == STELE_OK && !db->options.read_only) {
        rc = sti_docs_survey(db, &whole, err);
    }
    if (rc == STELE_OK && whole) {
        return end_whole(db, err);
    }
    rc = rc == STELE_OK ? sti_docs_rebuild_places(db, err) : rc;
    for (size_t i = 0; i < sizeof passes / sizeof passes[0] && rc == STELE_OK; i++) {
        rc = sti_docs_pass(
                db, passes[i].bucket, stele_nil(), stele_nil(), passes[i].each, NULL, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_rebuild_sums(db, err);
    }
    return rc == STELE_OK ? mend_numbers(db, err) : rc;
}
