/* SPDX-License-Identifier: MIT
 *
 * replay.c: what the wal has beyond the last commit, put into the active table.
 */
#include "base/coding.h"
#include "base/error.h"
#include "base/mutant.h"
#include "store/wal_open.h"
#include "store/wal_walk.h"

static stele_code take_write(void *arg, const struct sti_write *w, stele_error *err)
{
    stele_store *s = arg;
    struct sti_table *t = &s->active->table;
    stele_code code = STELE_OK;

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

        if (!STI_MUTANT(STORE_REPLAY_NUMBERS)) {
            s->next_bucket = number >= s->next_bucket ? number + 1 : s->next_bucket;
        }
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
    code = sti_wal_walk_end(atomic_load(&s->wal), &s->buckets->commit, &s->wal_expected, err);
    if (code == STELE_OK) {
        code = sti_wal_walk(atomic_load(&s->wal), &s->buckets->commit, take_write, s, &last, err);
    }
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
