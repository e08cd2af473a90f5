/* SPDX-License-Identifier: MIT
 *
 * replay.c: what the wal has beyond the last commit, put into the active table.
 */
#include "base/coding.h"
#include "base/error.h"
#include "base/mutant.h"
#include "store/record.h"
#include "store/wal_open.h"

#include <inttypes.h>

/* A write that is not committed. Batches follow each other, and none is left out. */
static stele_code take_write(
        stele_store *s, const struct sti_write *w, uint64_t *seq, stele_error *err)
{
    struct sti_table *t = &s->active->table;
    stele_code code = STELE_OK;

    if (w->seq != *seq && w->seq != *seq + 1) {
        return sti_fail(
                err, STELE_ECORRUPT, "batch %" PRIu64 " follows batch %" PRIu64, w->seq, *seq);
    }
    switch (w->kind) {
    case STI_WRITE_PUT:
        code = sti_table_put(t, w->seq, w->bucket, w->key, w->value, err);
        break;
    case STI_WRITE_DELETE:
        code = sti_table_delete(t, w->seq, w->bucket, w->key, err);
        break;
    case STI_WRITE_DROP:
        code = sti_table_drop(t, w->seq, w->bucket, err);
        break;
    }
    if (code == STELE_OK && w->kind == STI_WRITE_PUT && w->bucket == STI_STORE_NAMES_BUCKET) {
        uint32_t number = sti_get_le32(w->value.data);

        if (number == 0 || number >= STI_BUCKET_LIMIT) {
            return sti_fail(err, STELE_ECORRUPT, "a bucket has a number that cannot be");
        }
        if (!STI_MUTANT(STORE_REPLAY_NUMBERS)) {
            s->next_bucket = number >= s->next_bucket ? number + 1 : s->next_bucket;
        }
    }
    *seq = w->seq;
    return code;
}

/* `before` is the last batch of what comes before the record. */
static stele_code take_record(stele_store *s, stele_bytes record, uint64_t *last, stele_error *err)
{
    uint64_t before = *last;
    struct sti_write w;
    size_t at = 0;
    stele_code code = sti_record_open(record, &at, err);

    while (code == STELE_OK) {
        code = sti_record_next(record, &at, &w, err);
        if (STI_MUTANT(STORE_REPLAY_SKIPS_DELETES) && code == STELE_OK &&
                w.kind == STI_WRITE_DELETE) {
            continue;
        }
        if (STI_MUTANT(STORE_REPLAY_SKIPS_DROPS) && code == STELE_OK && w.kind == STI_WRITE_DROP) {
            continue;
        }
        if (code == STELE_OK && (w.seq > before || STI_MUTANT(STORE_REPLAY_OLD))) {
            code = take_write(s, &w, last, err);
        }
    }
    return code == STELE_END ? STELE_OK : code;
}

static stele_code take_all(stele_store *s, stele_wal *wal, uint64_t *last, stele_error *err)
{
    uint64_t id = s->buckets->commit.wal_id + 1;
    stele_wal_iter *it = NULL;
    stele_wal_record record;
    stele_code code = stele_wal_iter_open(&it, wal, id, err);

    while (code == STELE_OK) {
        code = stele_wal_iter_next(it, &record, err);
        if (code == STELE_OK && record.id != id) {
            code = sti_fail(err, STELE_ECORRUPT,
                    "the record that follows the commit has id %" PRIu64 " instead of %" PRIu64,
                    record.id, id);
        }
        if (code == STELE_OK) {
            code = take_record(s, record.data, last, err);
            code = code == STELE_OK ? code : sti_wrap(err, code, "record %" PRIu64, id);
            id++;
            code = code == STELE_OK && STI_MUTANT(STORE_REPLAY_ONE) ? STELE_END : code;
        }
    }
    (void)stele_wal_iter_close(it, NULL);
    return code == STELE_END ? STELE_OK : code;
}

/* The log cannot end before what the commit says was durable in it. */
static stele_code check_end(stele_store *s, stele_wal *wal, stele_error *err)
{
    uint64_t committed = s->buckets->commit.wal_id;
    uint64_t next = 0;
    bool any = false;
    stele_code code = stele_wal_next_id(wal, &next, &any, err);

    if (code == STELE_OK && !any && next <= committed) {
        code = sti_fail(err, STELE_ECORRUPT,
                "it ends with id %" PRIu64 ", and %" PRIu64 " is committed", next - 1, committed);
    }
    if (code == STELE_OK) {
        s->wal_expected = any ? committed + 1 : next;
    }
    return code;
}

stele_code sti_store_replay(stele_store *s, stele_error *err)
{
    uint64_t last = s->buckets->commit.seq;
    bool there = false;
    stele_error why = {.code = STELE_OK, .position = -1};
    stele_code code = sti_store_wal_has_dir(s, &there, err);

    if (code != STELE_OK) {
        return code;
    }
    code = there ? sti_store_wal_open(s, true, &why) : STELE_ENOTFOUND;
    if (code == STELE_ENOTFOUND) {
        if (s->buckets->commit.wal_id != 0 && !STI_MUTANT(STORE_NO_LOG_IS_FINE)) {
            return sti_fail(err, STELE_ECORRUPT, "the log of durable batches is missing");
        }
        return there ? STELE_OK : sti_store_wal_make_dir(s, err);
    }
    if (code != STELE_OK) {
        if (err != NULL) {
            *err = why;
        }
        return code;
    }
    code = check_end(s, atomic_load(&s->wal), err);
    code = code == STELE_OK ? take_all(s, atomic_load(&s->wal), &last, err) : code;
    if (code != STELE_OK) {
        return sti_wrap(err, code, "wal");
    }
    s->active->logged = sti_table_mark(&s->active->table);
    if (!STI_MUTANT(STORE_REPLAY_UNSEEN)) {
        atomic_store(&s->visible, last);
    }
    atomic_store(&s->wal_committed, s->buckets->commit.wal_id);
    s->waiting_since = last > s->buckets->commit.seq ? sti_store_now(s) : 0;
    return STELE_OK;
}
