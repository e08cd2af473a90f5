/* SPDX-License-Identifier: MIT
 *
 * wal_walk.c: records, and the writes in them.
 */
#include "store/wal_walk.h"

#include "base/coding.h"
#include "base/error.h"
#include "base/mutant.h"
#include "store/keys.h"
#include "store/record.h"

#include <inttypes.h>

struct walk {
    stele_code (*each)(void *arg, const struct sti_write *write, stele_error *err);
    void *arg;
    uint64_t last; /* batch */
};

/* A write that is not committed. Batches follow each other, and none is left out. */
static stele_code take_write(struct walk *walk, const struct sti_write *w, stele_error *err)
{
    if (w->seq != walk->last && w->seq != walk->last + 1) {
        return sti_fail(err, STELE_ECORRUPT, "batch %" PRIu64 " follows batch %" PRIu64, w->seq,
                walk->last);
    }
    if (w->kind == STI_WRITE_PUT && w->bucket == 0) {
        uint32_t number = sti_get_le32(w->value.data);

        if (number == 0 || number >= STI_BUCKET_LIMIT) {
            return sti_fail(err, STELE_ECORRUPT, "a bucket has a number that cannot be");
        }
    }
    walk->last = w->seq;
    return walk->each == NULL ? STELE_OK : walk->each(walk->arg, w, err);
}

static bool is_left_out(const struct sti_write *w)
{
    return (STI_MUTANT(STORE_REPLAY_SKIPS_DELETES) && w->kind == STI_WRITE_DELETE) ||
           (STI_MUTANT(STORE_REPLAY_SKIPS_DROPS) && w->kind == STI_WRITE_DROP);
}

static stele_code take_record(struct walk *walk, stele_bytes record, stele_error *err)
{
    uint64_t before = walk->last;
    struct sti_write w;
    size_t at = 0;
    stele_code code = sti_record_open(record, &at, err);

    while (code == STELE_OK) {
        code = sti_record_next(record, &at, &w, err);
        if (code == STELE_OK && is_left_out(&w)) {
            continue;
        }
        if (code == STELE_OK && (w.seq > before || STI_MUTANT(STORE_REPLAY_OLD))) {
            code = take_write(walk, &w, err);
        }
    }
    return code == STELE_END ? STELE_OK : code;
}

stele_code sti_wal_walk(stele_wal *wal, const struct sti_commit_record *commit,
        stele_code (*each)(void *arg, const struct sti_write *write, stele_error *err), void *arg,
        uint64_t *last, stele_error *err)
{
    struct walk walk = {.each = each, .arg = arg, .last = commit->seq};
    uint64_t id = commit->wal_id + 1;
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
            code = take_record(&walk, record.data, err);
            code = code == STELE_OK ? code : sti_wrap(err, code, "record %" PRIu64, id);
            id++;
            code = code == STELE_OK && STI_MUTANT(STORE_REPLAY_ONE) ? STELE_END : code;
        }
    }
    (void)stele_wal_iter_close(it, NULL);
    if (code != STELE_END) {
        return code;
    }
    *last = walk.last;
    return STELE_OK;
}

stele_code sti_wal_walk_end(stele_wal *wal, const struct sti_commit_record *commit,
        uint64_t *expected, stele_error *err)
{
    uint64_t next = 0;
    bool any = false;
    stele_code code = stele_wal_next_id(wal, &next, &any, err);

    if (code == STELE_OK && !any && next <= commit->wal_id) {
        code = sti_fail(err, STELE_ECORRUPT,
                "it ends with id %" PRIu64 ", and %" PRIu64 " is committed", next - 1,
                commit->wal_id);
    }
    if (code == STELE_OK) {
        *expected = any ? commit->wal_id + 1 : next;
    }
    return code;
}
