/* SPDX-License-Identifier: MIT
 *
 * rebuild_sums.c: checkpoints and aggregates made anew.
 *
 * First those of days, hours, minutes and seconds in which the log has nothing go. Then the log is
 * added up, a day in a batch, and what is otherwise is put. Nobody changes the log meanwhile.
 * A survey adds it up in a read, and compares.
 */
#include "base/coding.h"
#include "base/error.h"
#include "docs/pass.h"
#include "docs/rebuild.h"
#include "docs/survey.h"

/* ---- What has no entries. ---- */

/* Whether the log has entries of [from, to), in seconds, at or above the horizon. */
static stele_code has_entries(
        struct sti_docs_write *w, int64_t from, int64_t to, bool *has, stele_error *err)
{
    uint8_t start[STI_DOCS_VERSION_SIZE];
    struct sti_docs_version version = {.seconds = 0};
    stele_store_cursor *cursor = NULL;
    stele_bytes key = stele_nil();
    stele_bytes id = stele_nil();
    stele_code rc;

    *has = false;
    if (from < w->db->horizon) {
        return STELE_OK;
    }
    sti_docs_version_put(start, (struct sti_docs_version){.seconds = from});
    rc = stele_store_cursor_open(&cursor, w->view, sti_docs_bucket_name(STI_DOCS_LOG), err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_store_cursor_seek(cursor, stele_bytes_of(start, sizeof start), err);
    if (rc == STELE_OK) {
        rc = stele_store_cursor_pair(cursor, &key, NULL, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_log_key_decode(&version, &id, key, err);
        *has = rc == STELE_OK && version.seconds < to;
    }
    stele_store_cursor_close(cursor);
    return rc == STELE_END ? STELE_OK : rc;
}

static stele_code mend_checkpoint(
        void *arg, struct sti_docs_write *w, stele_bytes key, stele_error *err)
{
    int64_t epoch = key.len == STI_DOCS_CHECKPOINT_KEY_SIZE ? (int64_t)sti_get_be64(key.data) : 0;
    bool has = false;
    stele_code rc = STELE_OK;

    (void)arg;
    if (epoch > 0 && epoch <= INT64_MAX / STI_DOCS_DAY_SECONDS) {
        rc = has_entries(
                w, (epoch - 1) * STI_DOCS_DAY_SECONDS, epoch * STI_DOCS_DAY_SECONDS, &has, err);
    }
    return rc == STELE_OK && !has ? sti_docs_remove(w, STI_DOCS_CHK, key, err) : rc;
}

static stele_code mend_aggregate(
        void *arg, struct sti_docs_write *w, stele_bytes key, stele_error *err)
{
    bool has = false;
    stele_code rc = STELE_OK;

    (void)arg;
    if (key.len == STI_DOCS_AGGREGATE_KEY_SIZE && key.data[0] < STI_DOCS_LEVELS) {
        int64_t seconds = sti_docs_level_seconds[key.data[0]];
        uint64_t at = sti_get_be64(key.data + 1);

        if (at < (uint64_t)(INT64_MAX / seconds)) {
            rc = has_entries(w, (int64_t)at * seconds, ((int64_t)at + 1) * seconds, &has, err);
        }
    }
    return rc == STELE_OK && !has ? sti_docs_remove(w, STI_DOCS_AGG, key, err) : rc;
}

/* ---- What has. ---- */

struct adding {
    struct sti_docs_write *w; /* no batch: what is otherwise is not put, but told */
    bool differs;
    uint64_t days; /* that were compared, and aggregates */
    uint64_t parts;
    struct sti_docs_sums sums; /* of the day, hour, minute and second that it is at */
    struct sti_sha256 sha;
    struct sti_docs_version last;
    bool full; /* the day has ended, and another one begins with the last entry */
};

static stele_code put_if_other(struct adding *a, enum sti_docs_bucket bucket, stele_bytes key,
        stele_bytes value, stele_error *err)
{
    stele_bytes there = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_read(a->w->view, bucket, key, &there, &found, err);

    if (rc != STELE_OK || (found && stele_bytes_equal(there, value))) {
        return rc;
    }
    if (a->w->batch == NULL) {
        a->differs = true;
        return STELE_OK;
    }
    return sti_docs_put(a->w, bucket, key, value, err);
}

static stele_code put_day(struct adding *a, stele_error *err)
{
    uint8_t key[STI_DOCS_CHECKPOINT_KEY_SIZE];
    uint8_t value[STI_DOCS_CHECKPOINT_SIZE];

    if (!a->sums.has_day) {
        return STELE_OK;
    }
    sti_docs_checkpoint_key(key, a->sums.day.epoch);
    sti_docs_checkpoint_put(value, &a->sums.day);
    a->days++;
    return put_if_other(a, STI_DOCS_CHK, stele_bytes_of(key, sizeof key),
            stele_bytes_of(value, sizeof value), err);
}

static stele_code put_level(struct adding *a, uint8_t level, stele_error *err)
{
    uint8_t key[STI_DOCS_AGGREGATE_KEY_SIZE];
    uint8_t value[1 + STI_DOCS_AGGREGATE_SIZE] = {STI_DOCS_FORM};

    if (!a->sums.has[level]) {
        return STELE_OK;
    }
    sti_docs_aggregate_key(key, level, a->sums.at[level]);
    sti_docs_aggregate_put(value + 1, &a->sums.aggregates[level]);
    a->parts++;
    return put_if_other(a, STI_DOCS_AGG, stele_bytes_of(key, sizeof key),
            stele_bytes_of(value, sizeof value), err);
}

static stele_code put_all(struct adding *a, stele_error *err)
{
    stele_code rc = put_day(a, err);

    for (uint8_t i = 0; i < STI_DOCS_LEVELS && rc == STELE_OK; i++) {
        rc = put_level(a, i, err);
    }
    return rc;
}

static stele_code add_entry(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct adding *a = arg;
    struct sti_docs_entry entry = {.is_delete = false};
    struct sti_docs_version version = {.seconds = 0};
    stele_bytes id = stele_nil();
    uint8_t hash[STI_DOCS_HASH_SIZE];
    stele_code rc = sti_docs_log_key_decode(&version, &id, key, err);

    if (rc == STELE_OK) {
        rc = sti_docs_entry_decode(&entry, value, err);
    }
    /* The day that comes next is told by the key, and has to be a later one. */
    if (rc == STELE_OK && sti_docs_version_compare(version, entry.version) != 0) {
        rc = sti_fail(err, STELE_ECORRUPT, "an entry of the log stands in another one's place");
    }
    if (rc == STELE_OK) {
        rc = sti_docs_entry_hash_again(&a->sha, &entry, hash, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    a->last = entry.version;
    if (!a->sums.has_day) {
        sti_docs_checkpoint_init(&a->sums.day, entry.version);
        a->sums.has_day = true;
    }
    a->full = !sti_docs_checkpoint_covers(&a->sums.day, entry.version);
    if (a->full) {
        return STELE_END;
    }
    rc = sti_docs_checkpoint_add(&a->sums.day, hash, err);
    for (uint8_t i = 0; i < STI_DOCS_LEVELS && rc == STELE_OK; i++) {
        int64_t at = entry.version.seconds / sti_docs_level_seconds[i];

        if (!a->sums.has[i] || a->sums.at[i] != at) {
            rc = put_level(a, i, err);
            a->sums.aggregates[i] = (struct sti_docs_aggregate){.count = 0};
            a->sums.at[i] = at;
            a->sums.has[i] = true;
        }
        sti_docs_aggregate_add_hash(&a->sums.aggregates[i], hash);
    }
    return rc;
}

/* Add up the log from a time on, to the end of the first day that has entries. */
static stele_code add_from(struct adding *a, int64_t from, stele_error *err)
{
    uint8_t start[STI_DOCS_VERSION_SIZE];
    stele_store_range range = {.to_end = true};
    stele_code rc;

    a->sums = (struct sti_docs_sums){.has_day = false};
    a->full = false;
    sti_docs_version_put(start, (struct sti_docs_version){.seconds = from});
    range.start = stele_bytes_of(start, sizeof start);
    rc = stele_store_read_range(
            a->w->view, sti_docs_bucket_name(STI_DOCS_LOG), &range, add_entry, a, NULL, err);
    return rc == STELE_OK ? put_all(a, err) : rc;
}

/* Where the day that comes next begins; -1: none does. */
static int64_t next_day(const struct adding *a)
{
    return a->full ? a->last.seconds - a->last.seconds % STI_DOCS_DAY_SECONDS : -1;
}

/* The first day that has entries from a time on; *next: the day behind it that has some, -1: none
 * has. */
static stele_code add_day(stele_docs *db, int64_t from, int64_t *next, stele_error *err)
{
    struct sti_docs_write w = {.db = db};
    struct adding a = {.w = &w};
    stele_code rc = sti_docs_write_begin(&w, db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    w.lazy = true;
    rc = add_from(&a, from > db->horizon ? from : db->horizon, err);
    *next = next_day(&a);
    sti_sha256_free(&a.sha);
    return sti_docs_write_end(&w, rc, err);
}

stele_code sti_docs_rebuild_sums(stele_docs *db, stele_error *err)
{
    int64_t day = 0;
    stele_code rc =
            sti_docs_pass(db, STI_DOCS_CHK, stele_nil(), stele_nil(), mend_checkpoint, NULL, err);

    if (rc == STELE_OK) {
        rc = sti_docs_pass(db, STI_DOCS_AGG, stele_nil(), stele_nil(), mend_aggregate, NULL, err);
    }
    while (rc == STELE_OK && day >= 0) {
        rc = add_day(db, day, &day, err);
    }
    return rc;
}

/* Whether a bucket has just so many keys. */
static stele_code compare_count(
        struct sti_docs_survey *s, enum sti_docs_bucket bucket, uint64_t wanted, stele_error *err)
{
    uint64_t count = 0;
    stele_code rc = stele_store_read_count(s->w.view, sti_docs_bucket_name(bucket), &count, err);

    s->differs = s->differs || count != wanted;
    return rc;
}

stele_code sti_docs_survey_sums(struct sti_docs_survey *s, stele_error *err)
{
    struct adding a = {.w = &s->w};
    int64_t day = s->w.horizon;
    stele_code rc = STELE_OK;

    while (rc == STELE_OK && day >= 0) {
        rc = add_from(&a, day, err);
        day = next_day(&a);
    }
    sti_sha256_free(&a.sha);
    s->differs = s->differs || a.differs;
    if (rc == STELE_OK) {
        rc = compare_count(s, STI_DOCS_CHK, a.days, err);
    }
    return rc == STELE_OK ? compare_count(s, STI_DOCS_AGG, a.parts, err) : rc;
}
