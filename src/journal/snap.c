/* SPDX-License-Identifier: MIT
 *
 * snap.c: writing a snapshot.
 *
 * It is synced in steps as it grows: a sync of all at once would hold up those of the log beside
 * it.
 */
#include "journal/snap.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"

#include <inttypes.h>

enum {
    BUFFER = 256 << 10,
    SYNC_EACH = 1 << 20
};

/* ---- A file that grows. ---- */

struct writer {
    struct sti_file file;
    uint8_t *buffer;
    size_t capacity;
    size_t used;
    uint64_t at;     /* where the buffer belongs */
    uint64_t synced; /* up to there */
    uint64_t id;     /* of the next frame */
};

static stele_code flush(struct writer *w, stele_error *err)
{
    stele_code rc =
            w->used == 0 ? STELE_OK : sti_file_write(&w->file, w->at, w->buffer, w->used, err);

    if (rc != STELE_OK) {
        return rc;
    }
    w->at += w->used;
    w->used = 0;
    if (w->at - w->synced >= SYNC_EACH) {
        rc = sti_file_sync(&w->file, true, err);
        w->synced = w->at;
    }
    return rc;
}

static stele_code make_room(struct writer *w, size_t size, stele_error *err)
{
    uint8_t *grown;
    stele_code rc;

    if (size <= w->capacity - w->used) {
        return STELE_OK;
    }
    rc = flush(w, err);
    if (rc != STELE_OK || size <= w->capacity) {
        return rc;
    }
    grown = sti_realloc(w->buffer, size, 1);
    if (grown == NULL) {
        return sti_fail_memory(err, size);
    }
    w->buffer = grown;
    w->capacity = size;
    return STELE_OK;
}

static stele_code write_frame(void *arg, stele_bytes encoded, stele_error *err)
{
    struct writer *w = arg;
    stele_code rc = make_room(w, sti_wal_frame_size(STELE_WAL_STELE, encoded.len), err);

    if (rc == STELE_OK) {
        w->used += sti_wal_frame_encode(w->buffer + w->used, STELE_WAL_STELE, STI_WAL_RECORD,
                w->id++, STI_JOURNAL_SNAP_SALT, 0, encoded);
    }
    return rc;
}

static stele_code write_header(
        struct writer *w, uint64_t number, uint64_t first_op, stele_error *err)
{
    const struct sti_wal_header header = {
            .first_id = first_op, .number = number, .salt = STI_JOURNAL_SNAP_SALT};

    w->buffer = sti_malloc(BUFFER);
    if (w->buffer == NULL) {
        return sti_fail_memory(err, BUFFER);
    }
    w->capacity = BUFFER;
    w->id = 1;
    sti_wal_header_encode(w->buffer, &header);
    w->used = STI_WAL_HEADER_SIZE;
    return STELE_OK;
}

/* `m`: NULL writes no operation. end->ops is set. */
static stele_code write_all(struct writer *w, struct sti_journal_merge *m, uint64_t number,
        struct sti_journal_end *end, stele_error *err)
{
    uint8_t bytes[STI_JOURNAL_END_SIZE];
    stele_code rc = write_header(w, number, end->count + 1, err);

    if (rc == STELE_OK && m != NULL) {
        rc = sti_journal_merge_each(m, write_frame, w, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    end->ops = w->id - 1;
    sti_assert(end->ops == (m == NULL ? 0 : sti_journal_merge_count(m)));
    sti_journal_end_encode(bytes, end);
    rc = write_frame(w, stele_bytes_of(bytes, sizeof bytes), err);
    rc = rc != STELE_OK ? rc : flush(w, err);
    if (STI_MUTANT(JOURNAL_SNAP_NOT_SYNCED)) {
        return rc;
    }
    return rc != STELE_OK ? rc : sti_file_sync(&w->file, false, err);
}

/* ---- Its name. ---- */

static stele_code read_back(struct sti_dir *dir, uint64_t number, bool no_map,
        const struct sti_journal_end *want, stele_error *err)
{
    struct sti_journal_end got;
    struct sti_journal_file file;
    stele_code rc = sti_journal_file_open(&file, dir, STI_JOURNAL_NAME_SNAP, number, no_map, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_journal_snap_verify(&file, &got, err);
    if (rc == STELE_OK &&
            (got.ops != want->ops || got.count != want->count || got.latest != want->latest)) {
        rc = sti_fail_at(err, STELE_ECORRUPT, file.seg->name, -1, "is not what was written");
    }
    sti_journal_file_close(&file);
    return rc;
}

static stele_code give_name(struct sti_dir *dir, const char *unfinished, const char *name,
        uint64_t number, bool no_map, const struct sti_journal_end *end, stele_error *err)
{
    stele_code rc = sti_dir_rename(dir, unfinished, name, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = STI_MUTANT(JOURNAL_RENAME_NOT_SYNCED) ? rc : sti_dir_sync(dir, err);
    if (!STI_MUTANT(JOURNAL_NO_READ_BACK)) {
        rc = rc != STELE_OK ? rc : read_back(dir, number, no_map, end, err);
    }
    if (rc != STELE_OK) {
        /* Should that fail, too, the old files are there, and it is damaged, or as good as they. */
        (void)sti_dir_unlink(dir, name, NULL, NULL);
    }
    return rc;
}

static stele_code create(struct sti_dir *dir, struct sti_journal_merge *m, uint64_t number,
        bool no_map, struct sti_journal_end *end, stele_error *err)
{
    char unfinished[STELE_JOURNAL_NAME_SIZE];
    char name[STELE_JOURNAL_NAME_SIZE];
    struct writer w = {0};
    stele_code rc;

    sti_journal_name(unfinished, STI_JOURNAL_NAME_UNFINISHED, number);
    sti_journal_name(name, STI_JOURNAL_NAME_SNAP, number);
    rc = sti_file_open(
            &w.file, dir, unfinished, STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = write_all(&w, m, number, end, err);
    sti_file_close(&w.file);
    sti_free(w.buffer);
    rc = rc != STELE_OK ? rc : give_name(dir, unfinished, name, number, no_map, end, err);
    if (rc != STELE_OK) {
        (void)sti_dir_unlink(dir, unfinished, NULL, NULL);
    }
    return rc;
}

stele_code sti_journal_snap_empty(struct sti_dir *dir, uint64_t number, stele_error *err)
{
    struct sti_journal_end end = {.latest = INT64_MIN};

    return create(dir, NULL, number, false, &end, err);
}

/* ---- Merging. ---- */

struct merging {
    struct sti_journal_chain *chain;
    struct sti_journal_merge *merge;
    size_t log_count; /* of the chain's logs, from the first on */
    struct sti_journal_end end;
};

static bool is_mapped(const struct sti_journal_file *f)
{
    return f->seg->map != NULL && f->seg->map_len == f->size;
}

/* Whether all that is merged stays where it is until the merge is over. */
static bool can_point(struct merging *g)
{
    struct sti_journal_chain *c = g->chain;
    bool can = c->snap.seg == NULL || is_mapped(&c->snap);

    for (size_t i = 0; i < g->log_count && can; i++) {
        if (c->logs[i].first_op != 0 && !c->no_map) {
            sti_journal_file_map(&c->logs[i], false);
        }
        can = c->logs[i].first_op == 0 || is_mapped(&c->logs[i]);
    }
    return can;
}

/* Add operations up to the id `limit`, or the end. */
static stele_code add_all(
        struct merging *g, struct sti_journal_cursor *c, uint64_t limit, stele_error *err)
{
    stele_journal_op op;
    stele_bytes encoded;
    stele_code rc = STELE_OK;

    while (rc == STELE_OK && c->id < limit) {
        rc = sti_journal_cursor_next(c, &op, &encoded, err);
        if (rc == STELE_OK) {
            g->end.latest = op.timestamp > g->end.latest ? op.timestamp : g->end.latest;
            rc = sti_journal_merge_add(g->merge, &op, encoded, err);
        }
    }
    return rc;
}

static stele_code add_snap(struct merging *g, stele_error *err)
{
    struct sti_journal_cursor c;
    struct sti_journal_end end;
    stele_code rc;

    if (g->chain->snap.seg == NULL) {
        return STELE_OK;
    }
    sti_journal_cursor_init(&c, &g->chain->snap);
    c.trusted = g->chain->verified;
    rc = add_all(g, &c, UINT64_MAX, err);
    rc = rc == STELE_END ? sti_journal_cursor_end(&c, &end, err) : rc;
    sti_journal_cursor_free(&c);
    return rc;
}

static stele_code fail_unsealed(const struct sti_journal_cursor *c, stele_error *err)
{
    return sti_fail_at(err, STELE_ECORRUPT, c->file->seg->name, (int64_t)c->at,
            "the log has no end behind operation %" PRIu64, c->id - 1);
}

static stele_code add_log(struct merging *g, size_t i, stele_error *err)
{
    uint64_t limit = sti_journal_chain_limit(g->chain, i);
    struct sti_journal_cursor c;
    stele_code rc;

    sti_journal_cursor_init(&c, &g->chain->logs[i]);
    rc = add_all(g, &c, limit, err);
    if (rc == STELE_END && limit != UINT64_MAX) {
        rc = sti_journal_cursor_missing(&c, limit, err);
    } else if (rc == STELE_END) {
        rc = c.sealed ? STELE_OK : fail_unsealed(&c, err);
    }
    g->end.count = c.id - 1;
    sti_journal_cursor_free(&c);
    return rc;
}

/* A log without a header has no operations, unless the header was there once. */
static stele_code check_headless(struct merging *g, size_t i, stele_error *err)
{
    struct sti_journal_file *log = &g->chain->logs[i];
    struct sti_scan scan;
    stele_code rc = sti_journal_log_scan(log, &scan, err);

    if (rc == STELE_OK && scan.damaged) {
        rc = sti_fail_at(err, STELE_ECORRUPT, log->seg->name, 0, "the header is damaged");
    }
    return rc;
}

static stele_code merge_all(struct merging *g, stele_error *err)
{
    stele_code rc = add_snap(g, err);

    for (size_t i = 0; i < g->log_count && rc == STELE_OK; i++) {
        rc = g->chain->logs[i].first_op == 0 ? check_headless(g, i, err) : add_log(g, i, err);
    }
    return rc != STELE_OK ? rc : sti_journal_merge_settle(g->merge, err);
}

stele_code sti_journal_snap_merge(struct sti_dir *dir, struct sti_journal_chain *chain,
        uint64_t number, const uint64_t seed[2], struct sti_journal_end *end, stele_error *err)
{
    struct merging g = {.chain = chain, .end = chain->end};
    stele_code rc;

    while (g.log_count < chain->log_count && chain->logs[g.log_count].number < number) {
        g.log_count++;
    }
    rc = sti_journal_merge_new(&g.merge, seed, !can_point(&g), err);
    rc = rc != STELE_OK ? rc : merge_all(&g, err);
    rc = rc != STELE_OK ? rc : create(dir, g.merge, number, chain->no_map, &g.end, err);
    sti_journal_merge_free(g.merge);
    if (rc == STELE_OK) {
        *end = g.end;
    }
    return rc;
}
