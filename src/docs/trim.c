/* SPDX-License-Identifier: MIT
 *
 * trim.c: what is below the horizon goes, in batches.
 *
 * The horizon is set first: from then on no entry below it is taken, days below it are not offered,
 * and followers of the feed who have not seen all that is below it are told so. What is left to do
 * only makes room; where it is interrupted, the next trim does the rest.
 */
#include "docs/trim.h"

#include "base/coding.h"
#include "base/error.h"
#include "docs/apply.h"
#include "docs/pass.h"
#include "docs/peer.h"
#include "docs/seq.h"

enum {
    SECOND_US = 1000000
};

stele_code sti_docs_horizon(stele_store_read *read, int64_t *horizon, stele_error *err)
{
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_read(read, STI_DOCS_MET, stele_str("horizon"), &value, &found, err);

    if (rc == STELE_OK && found) {
        rc = sti_docs_check_form(value, sizeof *horizon, "horizon", err);
    }
    if (rc == STELE_OK) {
        *horizon = found ? (int64_t)sti_get_be64(value.data + 1) : 0;
    }
    return rc;
}

bool sti_docs_trim_keeps(const struct sti_docs_info *info, struct sti_docs_version version,
        const struct sti_docs_version *next, bool *dead)
{
    bool oldest = true;
    bool before_claim = false;

    *dead = false;
    if (sti_docs_version_compare(version, info->version) >= 0) {
        *dead = info->deleted;
        return !info->deleted;
    }
    for (size_t i = 0; i < info->claim_count; i++) {
        struct sti_docs_version claim = info->claims[i].version;
        int order = sti_docs_version_compare(claim, version);

        if (order == 0) {
            return true;
        }
        oldest = oldest && order > 0;
        before_claim =
                before_claim || (next != NULL && sti_docs_version_compare(claim, *next) == 0);
    }
    /* It does not hold the key that the next one claims: without it, the run of an older entry that
     * stays for another key might seem to reach that far. */
    return before_claim && !oldest;
}

/* ---- Entries. ---- */

struct trimming {
    stele_docs *db;
    int64_t horizon;
    bool keep_deleted;
    uint64_t gone; /* entries, of batches that may not have ended */
};

/* The place behind or before one in the log of an ID; *value is nil if there is none. */
static stele_code neighbour(struct sti_docs_write *w, stele_bytes place, bool before,
        struct sti_docs_version *version, stele_bytes *value, stele_error *err)
{
    stele_store_cursor *cursor = NULL;
    stele_bytes key = stele_nil();
    size_t head = place.len - STI_DOCS_VERSION_SIZE;
    stele_code rc =
            stele_store_cursor_open(&cursor, w->view, sti_docs_bucket_name(STI_DOCS_LID), err);

    *value = stele_nil();
    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_store_cursor_seek(cursor, place, err);
    if (rc == STELE_OK) {
        rc = before ? stele_store_cursor_prev(cursor, err) : stele_store_cursor_next(cursor, err);
    }
    if (rc == STELE_OK) {
        rc = stele_store_cursor_pair(cursor, &key, value, err);
    }
    if (rc == STELE_OK && (key.len != place.len || memcmp(key.data, place.data, head) != 0)) {
        *value = stele_nil();
    } else if (rc == STELE_OK) {
        rc = sti_docs_version_get(version, key.data + head, err);
    }
    stele_store_cursor_close(cursor);
    return rc == STELE_END ? STELE_OK : rc;
}

/* What stands before an entry in the log of its ID is in the log itself, and was gone over before;
 * or it is the document of a backup, which goes as its entry would. */
static stele_code trim_unlogged(struct sti_docs_write *w, stele_bytes id, stele_bytes place,
        struct sti_docs_version version, const struct sti_docs_info *info, stele_error *err)
{
    struct sti_docs_version before = {.seconds = 0};
    stele_bytes value = stele_nil();
    bool dead = false;
    stele_buf key;
    stele_code rc = neighbour(w, place, true, &before, &value, err);

    if (rc != STELE_OK || value.len <= 1 || sti_docs_trim_keeps(info, before, &version, &dead)) {
        return rc;
    }
    stele_buf_init(&key, SIZE_MAX);
    rc = sti_docs_place_key(id, before, &key, err);
    if (rc == STELE_OK) {
        rc = sti_docs_remove(w, STI_DOCS_LID, stele_buf_view(&key), err);
    }
    stele_buf_free(&key);
    return rc;
}

static stele_code drop_entry(struct sti_docs_write *w, stele_bytes log_key, stele_bytes place,
        stele_bytes id, bool dead, stele_error *err)
{
    stele_code rc = sti_docs_remove(w, STI_DOCS_LOG, log_key, err);

    if (rc == STELE_OK) {
        rc = sti_docs_remove(w, STI_DOCS_LID, place, err);
    }
    if (rc == STELE_OK && dead) {
        rc = sti_docs_remove(w, STI_DOCS_NFO, id, err);
    }
    return rc;
}

static stele_code trim_entry(
        void *arg, struct sti_docs_write *w, stele_bytes log_key, stele_error *err)
{
    struct trimming *t = arg;
    struct sti_docs_info info = {.claims = NULL};
    struct sti_docs_version version = {.seconds = 0};
    struct sti_docs_version next = {.seconds = 0};
    stele_bytes id = stele_nil();
    stele_bytes value = stele_nil();
    bool found = false;
    bool dead = false;
    stele_buf place;
    stele_code rc = sti_docs_log_key_decode(&version, &id, log_key, err);

    stele_buf_init(&place, SIZE_MAX);
    if (rc == STELE_OK) {
        rc = sti_docs_place_key(id, version, &place, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_read(w->view, STI_DOCS_NFO, id, &value, &found, err);
    }
    if (rc == STELE_OK) {
        rc = found ? sti_docs_info_decode(&info, value, err)
                   : sti_fail(err, STELE_ECORRUPT, "an entry of the log whose ID is not known");
    }
    if (rc == STELE_OK) {
        rc = trim_unlogged(w, id, stele_buf_view(&place), version, &info, err);
    }
    if (rc == STELE_OK) {
        rc = neighbour(w, stele_buf_view(&place), false, &next, &value, err);
    }
    if (rc == STELE_OK &&
            !sti_docs_trim_keeps(&info, version, stele_is_nil(value) ? NULL : &next, &dead) &&
            !(dead && t->keep_deleted)) {
        t->gone++;
        rc = drop_entry(w, log_key, stele_buf_view(&place), id, dead, err);
    }
    sti_docs_info_free(&info);
    stele_buf_free(&place);
    return rc;
}

/* ---- Sums and numbers. ---- */

static stele_code trim_checkpoint(
        void *arg, struct sti_docs_write *w, stele_bytes key, stele_error *err)
{
    (void)arg;
    return sti_docs_remove(w, STI_DOCS_CHK, key, err);
}

static stele_code trim_aggregate(
        void *arg, struct sti_docs_write *w, stele_bytes key, stele_error *err)
{
    (void)arg;
    return sti_docs_remove(w, STI_DOCS_AGG, key, err);
}

static bool is_below(stele_bytes log_key, int64_t horizon)
{
    struct sti_docs_version version = {.seconds = 0};
    stele_bytes id = stele_nil();

    return sti_docs_log_key_decode(&version, &id, log_key, NULL) == STELE_OK &&
           version.seconds < horizon;
}

/* A number goes if its entry has gone. */
static stele_code trim_number(
        void *arg, struct sti_docs_write *w, stele_bytes key, stele_error *err)
{
    const struct trimming *t = arg;
    stele_bytes log_key = stele_nil();
    stele_bytes entry = stele_nil();
    bool numbered = false;
    bool found = false;
    stele_code rc = sti_docs_read(w->view, STI_DOCS_SEQ, key, &log_key, &numbered, err);

    if (rc != STELE_OK || !numbered || !is_below(log_key, t->horizon)) {
        return rc;
    }
    rc = sti_docs_read(w->view, STI_DOCS_LOG, log_key, &entry, &found, err);
    return rc == STELE_OK && !found ? sti_docs_remove(w, STI_DOCS_SEQ, key, err) : rc;
}

/* ---- All of it. ---- */

static stele_code trim_all(struct trimming *t, stele_error *err)
{
    uint8_t end[STI_DOCS_VERSION_SIZE];
    uint8_t epoch[STI_DOCS_CHECKPOINT_KEY_SIZE];
    stele_code rc;

    sti_docs_version_put(end, (struct sti_docs_version){.seconds = t->horizon});
    sti_docs_checkpoint_key(epoch, sti_docs_horizon_epoch(t->horizon) + 1);
    rc = sti_docs_pass(t->db, STI_DOCS_CHK, stele_nil(), stele_bytes_of(epoch, sizeof epoch),
            trim_checkpoint, t, err);
    for (uint8_t i = 0; i < STI_DOCS_LEVELS && rc == STELE_OK; i++) {
        uint8_t from[STI_DOCS_AGGREGATE_KEY_SIZE];
        uint8_t to[STI_DOCS_AGGREGATE_KEY_SIZE];

        sti_docs_aggregate_key(from, i, 0);
        sti_docs_aggregate_key(to, i, t->horizon / sti_docs_level_seconds[i]);
        rc = sti_docs_pass(t->db, STI_DOCS_AGG, stele_bytes_of(from, sizeof from),
                stele_bytes_of(to, sizeof to), trim_aggregate, t, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_pass(t->db, STI_DOCS_LOG, stele_nil(), stele_bytes_of(end, sizeof end),
                trim_entry, t, err);
    }
    return rc == STELE_OK ? sti_docs_pass(t->db, STI_DOCS_SEQ, stele_nil(), stele_nil(),
                                    trim_number, t, err)
                          : rc;
}

/* ---- Setting the horizon. ---- */

static stele_code put_horizon(struct trimming *t, stele_error *err)
{
    uint8_t value[1 + 8] = {STI_DOCS_FORM};
    struct sti_docs_write w = {.db = t->db};
    int64_t stored = 0;
    stele_code rc = sti_docs_write_begin(&w, t->db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    /* A batch that could not end may have left a higher one in memory alone. */
    t->horizon = t->horizon > t->db->horizon ? t->horizon : t->db->horizon;
    rc = sti_docs_horizon(w.view, &stored, err);
    if (rc == STELE_OK && t->horizon > stored) {
        sti_put_be64(value + 1, (uint64_t)t->horizon);
        rc = sti_docs_put(
                &w, STI_DOCS_MET, stele_str("horizon"), stele_bytes_of(value, sizeof value), err);
        t->db->horizon = t->horizon;
        /* What is changed here is never below it, whatever the wall's clock says. */
        sti_docs_clock_recover(&t->db->clock, (struct sti_docs_version){.seconds = t->horizon});
    }
    return sti_docs_write_end(&w, rc, err);
}

struct seeking {
    int64_t horizon;
    uint64_t highest;
};

static stele_code seek_below(void *arg, stele_bytes key, stele_bytes log_key, stele_error *err)
{
    struct seeking *s = arg;

    (void)err;
    if (key.len != STI_DOCS_SEQ_SIZE || !is_below(log_key, s->horizon)) {
        return STELE_OK;
    }
    s->highest = sti_get_be64(key.data);
    return STELE_END;
}

/* Who has not seen all that is below the horizon has to begin anew. */
static stele_code put_trimmed(struct trimming *t, stele_error *err)
{
    struct seeking s = {.horizon = t->horizon};
    stele_store_range range = {.to_end = true, .reverse = true};
    stele_store_read *read = NULL;
    struct sti_docs_write w = {.db = t->db};
    uint64_t trimmed = 0;
    stele_code rc = sti_docs_read_begin(&read, t->db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_store_read_range(
            read, sti_docs_bucket_name(STI_DOCS_SEQ), &range, seek_below, &s, NULL, err);
    if (rc == STELE_OK) {
        rc = sti_docs_seq_trimmed(read, &trimmed, err);
    }
    stele_store_read_end(read);
    if (rc == STELE_OK) {
        rc = sti_docs_write_begin(&w, t->db, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    if (s.highest > trimmed) {
        rc = sti_docs_seq_put_trimmed(&w, s.highest, err);
    }
    return sti_docs_write_end(&w, rc, err);
}

static stele_code trim(struct trimming *t, stele_error *err)
{
    /* The delete entries of what has ended would come too late. */
    stele_code rc = stele_docs_expire(t->db, 0, NULL, err);

    t->horizon -= t->horizon % STI_DOCS_DAY_SECONDS;
    rc = rc == STELE_OK ? put_horizon(t, err) : rc;
    rc = rc == STELE_OK ? put_trimmed(t, err) : rc;
    return rc == STELE_OK ? trim_all(t, err) : rc;
}

stele_code stele_docs_trim(stele_docs *db, stele_time horizon, uint64_t *count, stele_error *err)
{
    struct trimming t = {.db = db, .horizon = horizon / SECOND_US};
    stele_code rc;

    if (db == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database");
    }
    if (horizon < 0 || t.horizon > sti_docs_wall(db).seconds) {
        return sti_fail(err, STELE_EINVAL, "a horizon before 1970, or in the future");
    }
    rc = trim(&t, err);
    if (rc == STELE_OK && count != NULL) {
        *count = t.gone;
    }
    return rc;
}

stele_code sti_docs_peer_trim(stele_docs *db, int64_t horizon, stele_error *err)
{
    struct trimming t = {.db = db, .horizon = horizon, .keep_deleted = true};

    return trim(&t, err);
}
