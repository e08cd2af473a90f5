/* SPDX-License-Identifier: MIT
 *
 * mend.c: values that a disk has damaged are told from others, or go.
 *
 * The store notices: its checksums no longer hold. In one batch each such value is put again, where
 * something else says what it was, or taken away, and a mark is left. As the key may be damaged as
 * well, nobody knows of what it was: so every ID gets what the log makes of it, where that is not
 * what it has, and all that follows from documents and log is made anew (rebuild.c), sums among it.
 * The mark goes last: who is interrupted goes on from it.
 *
 * What was only to be read in the value itself is lost here. Nothing tells of it any more, so that
 * peers that have it are found to have more.
 */
#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "docs/apply.h"
#include "docs/pass.h"
#include "docs/peer.h"
#include "docs/rebuild.h"

#define MARK "mending"

enum {
    PLACE_HEAD = 2
};

struct damaged {
    struct damaged *next;
    enum sti_docs_bucket bucket;
    stele_bytes key;
};

struct mending {
    stele_docs *db;
    struct sti_docs_mended found;
    struct sti_arena memory;
    struct damaged *first;
    bool no_memory;
};

/* ---- What is damaged. ---- */

static bool bucket_of(stele_bytes name, enum sti_docs_bucket *out)
{
    for (int i = 0; i < STI_DOCS_BUCKET_COUNT; i++) {
        if (stele_bytes_equal(sti_docs_bucket_name((enum sti_docs_bucket)i), name)) {
            *out = (enum sti_docs_bucket)i;
            return true;
        }
    }
    return false;
}

static void note_fault(void *arg, const stele_store_fault *fault)
{
    struct mending *m = arg;
    enum sti_docs_bucket bucket;
    struct damaged *d;
    uint8_t *key;

    if (fault->code != STELE_ECORRUPT && fault->code != STELE_EVERSION) {
        return; /* a note, or what could not be read for another reason */
    }
    if (stele_is_nil(fault->key) || !bucket_of(fault->bucket, &bucket)) {
        m->found.left++;
        return;
    }
    d = sti_arena_alloc(&m->memory, sizeof *d, sizeof(void *));
    key = sti_arena_alloc(&m->memory, fault->key.len, 1);
    if (d == NULL || key == NULL) {
        m->no_memory = true;
        return;
    }
    if (fault->key.len > 0) {
        memcpy(key, fault->key.data, fault->key.len);
    }
    *d = (struct damaged){
            .next = m->first, .bucket = bucket, .key = stele_bytes_of(key, fault->key.len)};
    m->first = d;
}

/* ---- One value. ---- */

/* What can be read: STELE_ENOTFOUND also for what is damaged, too. */
static stele_code read_whole(struct sti_docs_write *w, enum sti_docs_bucket bucket, stele_bytes key,
        stele_bytes *value, stele_error *err)
{
    bool found = false;
    stele_code rc = sti_docs_read(w->view, bucket, key, value, &found, err);

    if (rc == STELE_ECORRUPT || rc == STELE_EVERSION || (rc == STELE_OK && !found)) {
        return STELE_ENOTFOUND;
    }
    return rc;
}

/* The entry of a version, if it is the one that counts of its ID. STELE_ENOTFOUND: that cannot be
 * said. */
static stele_code entry_of_document(struct sti_docs_write *w, struct sti_docs_version version,
        stele_bytes id, struct sti_docs_entry *out, stele_error *err)
{
    struct sti_docs_info info = {.claims = NULL};
    stele_bytes value = stele_nil();
    stele_code rc = read_whole(w, STI_DOCS_NFO, id, &value, err);

    if (rc == STELE_OK) {
        rc = sti_docs_info_decode(&info, value, err);
    }
    if (rc == STELE_OK && sti_docs_version_compare(info.version, version) != 0) {
        rc = STELE_ENOTFOUND;
    }
    if (rc == STELE_OK) {
        *out = (struct sti_docs_entry){.version = version, .id = id, .is_delete = info.deleted};
        rc = info.deleted ? STELE_OK : read_whole(w, STI_DOCS_DAT, id, &out->json, err);
    }
    sti_docs_info_free(&info);
    return rc == STELE_ECORRUPT ? STELE_ENOTFOUND : rc;
}

static stele_code drop_entry(struct mending *m, struct sti_docs_write *w, stele_bytes log_key,
        struct sti_docs_version version, stele_bytes id, stele_error *err)
{
    stele_buf place;
    stele_code rc = sti_docs_remove(w, STI_DOCS_LOG, log_key, err);

    stele_buf_init(&place, SIZE_MAX);
    rc = rc == STELE_OK ? sti_docs_place_key(id, version, &place, err) : rc;
    rc = rc == STELE_OK ? sti_docs_remove(w, STI_DOCS_LID, stele_buf_view(&place), err) : rc;
    stele_buf_free(&place);
    m->found.lost++;
    return rc;
}

static stele_code mend_entry(
        struct mending *m, struct sti_docs_write *w, stele_bytes log_key, stele_error *err)
{
    struct sti_docs_version version = {.seconds = 0};
    struct sti_docs_entry entry = {.is_delete = false};
    stele_bytes id = stele_nil();
    stele_buf bytes;
    stele_code rc = sti_docs_log_key_decode(&version, &id, log_key, err);

    rc = rc == STELE_OK ? entry_of_document(w, version, id, &entry, err) : rc;
    if (rc == STELE_ENOTFOUND) {
        return drop_entry(m, w, log_key, version, id, err);
    }
    stele_buf_init(&bytes, SIZE_MAX);
    rc = rc == STELE_OK ? sti_docs_entry_encode(&entry, &bytes, err) : rc;
    rc = rc == STELE_OK ? sti_docs_put(w, STI_DOCS_LOG, log_key, stele_buf_view(&bytes), err) : rc;
    stele_buf_free(&bytes);
    return rc;
}

/* What stands in the place of an entry that the log has is known; otherwise it was the document. */
static stele_code mend_place(
        struct mending *m, struct sti_docs_write *w, stele_bytes key, stele_error *err)
{
    size_t id_len = key.len < PLACE_HEAD ? 0 : (size_t)key.data[0] << 8 | key.data[1];
    struct sti_docs_version version = {.seconds = 0};
    struct sti_docs_entry entry = {.is_delete = false};
    stele_bytes value = stele_nil();
    stele_bytes id;
    stele_buf log_key;
    stele_code rc;

    if (id_len == 0 || key.len != PLACE_HEAD + id_len + STI_DOCS_VERSION_SIZE ||
            sti_docs_version_get(&version, key.data + PLACE_HEAD + id_len, NULL) != STELE_OK) {
        return sti_docs_remove(w, STI_DOCS_LID, key, err);
    }
    id = stele_bytes_of(key.data + PLACE_HEAD, id_len);
    stele_buf_init(&log_key, SIZE_MAX);
    rc = sti_docs_log_key_encode(version, id, &log_key, err);
    rc = rc == STELE_OK ? read_whole(w, STI_DOCS_LOG, stele_buf_view(&log_key), &value, err) : rc;
    stele_buf_free(&log_key);
    entry = (struct sti_docs_entry){.version = version, .id = id};
    if (rc == STELE_ENOTFOUND) {
        rc = entry_of_document(w, version, id, &entry, err);
    }
    if (rc == STELE_ENOTFOUND) {
        m->found.lost++;
        rc = sti_docs_remove(w, STI_DOCS_LID, key, err);
    } else if (rc == STELE_OK) {
        rc = sti_docs_place_add(w, &entry, err);
    }
    return rc;
}

static stele_code mend_value(
        struct mending *m, struct sti_docs_write *w, const struct damaged *d, stele_error *err)
{
    switch (d->bucket) {
    case STI_DOCS_LOG:
        return mend_entry(m, w, d->key, err);
    case STI_DOCS_LID:
        return mend_place(m, w, d->key, err);
    case STI_DOCS_TYP:
    case STI_DOCS_TNO:
        return sti_fail(err, STELE_ECORRUPT, "the definition of a type is damaged");
    case STI_DOCS_MET:
        if (!stele_bytes_equal(d->key, stele_str(STI_DOCS_NOTE))) {
            return sti_fail(err, STELE_ECORRUPT, "what the database knows of itself is damaged");
        }
        return sti_docs_remove(w, d->bucket, d->key, err);
    default:
        return sti_docs_remove(w, d->bucket, d->key, err);
    }
}

/* Whether it can be found under its key: if not, that is damaged itself. */
static bool is_there(struct sti_docs_write *w, const struct damaged *d)
{
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_read(w->view, d->bucket, d->key, &value, &found, NULL);

    return rc == STELE_ECORRUPT || rc == STELE_EVERSION;
}

/* ---- The mark. ---- */

static stele_code read_mark(stele_docs *db, bool *marked, stele_error *err)
{
    stele_store_read *read = NULL;
    stele_bytes value = stele_nil();
    stele_code rc = sti_docs_read_begin(&read, db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_docs_read(read, STI_DOCS_MET, stele_str(MARK), &value, marked, err);
    stele_store_read_end(read);
    return rc;
}

static stele_code put_mark(struct sti_docs_write *w, stele_error *err)
{
    static const uint8_t form = STI_DOCS_FORM;

    return sti_docs_put(w, STI_DOCS_MET, stele_str(MARK), stele_bytes_of(&form, sizeof form), err);
}

static stele_code remove_mark(stele_docs *db, stele_error *err)
{
    struct sti_docs_write w = {.db = db};
    stele_code rc = sti_docs_write_begin(&w, db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_docs_remove(&w, STI_DOCS_MET, stele_str(MARK), err);
    return sti_docs_write_end(&w, rc, err);
}

/* ---- The steps. ---- */

/* Cursors meet what is damaged as long as it is in the file: it goes from there, too. */
static stele_code mend_values(struct mending *m, stele_error *err)
{
    struct sti_docs_write w = {.db = m->db};
    stele_code rc = sti_docs_write_begin(&w, m->db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    for (const struct damaged *d = m->first; d != NULL && rc == STELE_OK; d = d->next) {
        if (is_there(&w, d)) {
            m->found.damaged++;
            rc = mend_value(m, &w, d, err);
        } else {
            m->found.left++;
        }
    }
    rc = rc == STELE_OK ? put_mark(&w, err) : rc;
    if (rc == STELE_OK && m->found.lost > 0) {
        /* What a node noted of its peers does not hold any more, whether it hears of this or not.
         */
        rc = sti_docs_remove(&w, STI_DOCS_MET, stele_str(STI_DOCS_NOTE), err);
    }
    rc = sti_docs_write_end(&w, rc, err);
    return rc == STELE_OK ? stele_store_commit(m->db->store, err) : rc;
}

static stele_code mend_id(void *arg, struct sti_docs_write *w, stele_bytes id, stele_error *err)
{
    (void)arg;
    return sti_docs_apply_again(w, id, err);
}

static stele_code mend_id_of_place(
        void *arg, struct sti_docs_write *w, stele_bytes key, stele_error *err)
{
    size_t id_len = key.len < PLACE_HEAD ? 0 : (size_t)key.data[0] << 8 | key.data[1];
    stele_bytes id = stele_bytes_of(key.data + PLACE_HEAD, id_len);
    stele_bytes value = stele_nil();
    bool found = true;
    stele_code rc = STELE_OK;

    (void)arg;
    if (id_len > 0 && id_len <= key.len - PLACE_HEAD) {
        rc = sti_docs_read(w->view, STI_DOCS_NFO, id, &value, &found, err);
    }
    return rc == STELE_OK && !found ? sti_docs_apply_again(w, id, err) : rc;
}

/* By what is known of IDs, by documents, and by what has neither any more. */
static stele_code mend_documents(stele_docs *db, stele_error *err)
{
    stele_code rc = sti_docs_rebuild_places(db, err);

    if (rc == STELE_OK) {
        rc = sti_docs_pass(db, STI_DOCS_NFO, stele_nil(), stele_nil(), mend_id, NULL, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_pass(db, STI_DOCS_DAT, stele_nil(), stele_nil(), mend_id, NULL, err);
    }
    return rc == STELE_OK ? sti_docs_pass(db, STI_DOCS_LID, stele_nil(), stele_nil(),
                                    mend_id_of_place, NULL, err)
                          : rc;
}

static stele_code find(struct mending *m, const stele_wait *wait, stele_error *err)
{
    stele_code rc = stele_store_scrub(m->db->store, wait, note_fault, m, NULL, err);

    if (m->no_memory) {
        return sti_fail_memory(err, sizeof *m->first);
    }
    return m->first != NULL || m->found.left > 0 ? STELE_OK : rc;
}

static stele_code mend(struct mending *m, const stele_wait *wait, stele_error *err)
{
    bool marked = false;
    stele_code rc = find(m, wait, err);

    rc = rc == STELE_OK ? read_mark(m->db, &marked, err) : rc;
    if (rc != STELE_OK || (!marked && m->first == NULL)) {
        return rc;
    }
    rc = mend_values(m, err);
    rc = rc == STELE_OK ? mend_documents(m->db, err) : rc;
    rc = rc == STELE_OK ? stele_docs_reindex(m->db, err) : rc;
    if (rc == STELE_OK && marked) {
        m->found.lost++; /* who was interrupted has told nobody */
    }
    return rc == STELE_OK ? remove_mark(m->db, err) : rc;
}

stele_code sti_docs_peer_mend(
        stele_docs *db, const stele_wait *wait, struct sti_docs_mended *out, stele_error *err)
{
    struct mending m = {.db = db};
    stele_code rc = mend(&m, wait, err);

    *out = m.found;
    sti_arena_free(&m.memory);
    return rc;
}
