/* SPDX-License-Identifier: MIT */
#include "journal/chain.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"

#include <inttypes.h>

enum {
    TRIES = 100,    /* recorders do not merge faster than files are opened */
    MANY_LOGS = 64, /* with more, only the newest keeps its descriptor */
    NO_SNAPSHOT = 0 /* as the number of one */
};

void sti_journal_chain_free(struct sti_journal_chain *c)
{
    sti_journal_file_close(&c->snap);
    for (size_t i = 0; i < c->log_count; i++) {
        sti_journal_file_close(&c->logs[i]);
    }
    sti_free(c->logs);
    sti_free(c->old);
    sti_free(c->bad);
    memset(c, 0, sizeof *c);
}

uint64_t sti_journal_chain_limit(const struct sti_journal_chain *c, size_t i)
{
    for (size_t next = i + 1; next < c->begun_count; next++) {
        if (c->logs[next].first_op != 0) {
            return c->logs[next].first_op;
        }
    }
    return UINT64_MAX;
}

stele_code sti_journal_log_scan(
        struct sti_journal_file *log, struct sti_scan *out, stele_error *err)
{
    return sti_segment_scan(log->seg, false, 0, 0, out, err);
}

/* ---- The logs behind a snapshot. ---- */

/* STELE_ECORRUPT: log `i` does not go on where those before it end. */
static stele_code check_first(
        const struct sti_journal_chain *c, size_t i, uint64_t next_op, stele_error *err)
{
    const struct sti_journal_file *log = &c->logs[i];

    if (log->first_op > next_op) {
        return sti_fail_at(err, STELE_ECORRUPT, log->seg->name, -1,
                "operations %" PRIu64 " to %" PRIu64 " are missing before it", next_op,
                log->first_op - 1);
    }
    return sti_fail_at(err, STELE_ECORRUPT, log->seg->name, -1,
            "begins with operation %" PRIu64 ", which is there already", log->first_op);
}

/* As far as headers tell: the first log follows the snapshot, and each the one before. *gap: the
 * one that does not. */
static stele_code check_order(struct sti_journal_chain *c, size_t *gap, stele_error *err)
{
    uint64_t before = 0; /* first operation of the log before */

    for (size_t i = 0; i < c->log_count; i++) {
        uint64_t first = c->logs[i].first_op;

        if (first == 0) {
            continue;
        }
        if ((before == 0 ? first != c->end.count + 1 : first < before) &&
                !STI_MUTANT(JOURNAL_GAP_UNNOTICED)) {
            *gap = i;
            return check_first(c, i, before == 0 ? c->end.count + 1 : before, err);
        }
        c->begun_count = i + 1;
        before = first;
    }
    return STELE_OK;
}

/* The logs in front of the gap are a chain. */
static void end_before(struct sti_journal_chain *c, size_t gap, const stele_error *why)
{
    c->gap = *why;
    while (c->log_count > gap) {
        sti_journal_file_close(&c->logs[--c->log_count]);
    }
}

static stele_code open_logs(struct sti_journal_chain *c, struct sti_dir *dir,
        const struct sti_journal_listing *list, uint64_t behind, bool to_gap, stele_error *err)
{
    struct sti_journal_file *newest = NULL; /* that was begun */
    bool many = list->count > MANY_LOGS;
    stele_error why;
    size_t gap = 0;
    stele_code rc = STELE_OK;

    c->logs = sti_calloc(list->count + 1, sizeof *c->logs);
    if (c->logs == NULL) {
        return sti_fail_memory(err, list->count * sizeof *c->logs);
    }
    for (size_t i = 0; i < list->count && rc == STELE_OK; i++) {
        const struct sti_journal_listed *item = &list->items[i];
        struct sti_journal_file *log = &c->logs[c->log_count];

        if (item->kind != STI_JOURNAL_NAME_LOG || item->number <= behind) {
            continue;
        }
        rc = sti_journal_file_open(log, dir, item->kind, item->number, true, err);
        c->log_count += rc == STELE_OK ? 1 : 0;
        if (rc == STELE_OK && log->first_op != 0) {
            if (newest != NULL && !c->no_map) {
                sti_journal_file_map(newest, many);
            }
            newest = log;
        }
    }
    if (rc != STELE_OK) {
        return rc;
    }
    rc = check_order(c, &gap, &why);
    if (rc == STELE_ECORRUPT && to_gap) {
        end_before(c, gap, &why);
        return STELE_OK;
    }
    if (rc != STELE_OK && err != NULL) {
        *err = why;
    }
    return rc;
}

/* Read every log but the newest up to the next one. */
static stele_code walk_logs(struct sti_journal_chain *c, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (size_t i = 0; i + 1 < c->begun_count && rc == STELE_OK; i++) {
        uint64_t limit = sti_journal_chain_limit(c, i);
        struct sti_journal_cursor cursor;
        stele_journal_op op;
        stele_bytes encoded;

        if (c->logs[i].first_op == 0) {
            continue;
        }
        sti_journal_cursor_init(&cursor, &c->logs[i]);
        while (cursor.id < limit && rc == STELE_OK) {
            rc = sti_journal_cursor_next(&cursor, &op, &encoded, err);
        }
        rc = rc == STELE_END ? sti_journal_cursor_missing(&cursor, limit, err) : rc;
        sti_journal_cursor_free(&cursor);
    }
    return rc;
}

/* Number of the last operation that is there. */
static stele_code find_last(struct sti_journal_chain *c, uint64_t *last, stele_error *err)
{
    struct sti_scan scan;
    stele_code rc;

    *last = c->end.count;
    if (c->begun_count == 0) {
        return STELE_OK;
    }
    rc = sti_journal_log_scan(&c->logs[c->begun_count - 1], &scan, err);
    *last = rc == STELE_OK && scan.header ? scan.next_id - 1 : *last;
    return rc;
}

/* STELE_ECORRUPT: what was fallen back to does not stand in for the newest snapshot. */
static stele_code check_stands_in(struct sti_journal_chain *c, stele_error *err)
{
    uint64_t newest = c->bad[c->bad_count - 1].number;
    uint64_t next = 0; /* first operation of the first log behind it */
    uint64_t last = 0;
    stele_code rc = walk_logs(c, err);

    for (size_t i = 0; i < c->begun_count && next == 0; i++) {
        next = c->logs[i].number > newest ? c->logs[i].first_op : 0;
    }
    if (rc == STELE_OK && next == 0) {
        rc = find_last(c, &last, err);
        next = last + 1;
        if (rc == STELE_OK && c->bad_first_op == 0) {
            rc = sti_fail(err, STELE_ECORRUPT, "it is not known what it stands for");
        }
    }
    if (rc == STELE_OK && c->bad_first_op != 0 && next != c->bad_first_op) {
        rc = sti_fail(err, STELE_ECORRUPT, "it stands for other operations");
    }
    return rc;
}

/* ---- Snapshots. ---- */

/* Open one and look into it. STELE_ECORRUPT: it is none; *first_op is set if the header is. */
static stele_code open_snap(struct sti_journal_chain *c, struct sti_dir *dir, uint64_t number,
        bool whole, uint64_t *first_op, stele_error *err)
{
    stele_code rc =
            sti_journal_file_open(&c->snap, dir, STI_JOURNAL_NAME_SNAP, number, c->no_map, err);

    if (rc != STELE_OK) {
        return rc;
    }
    *first_op = c->snap.first_op;
    rc = whole && !STI_MUTANT(JOURNAL_SNAP_UNVERIFIED)
                 ? sti_journal_snap_verify(&c->snap, &c->end, err)
                 : sti_journal_snap_end(&c->snap, &c->end, err);
    if (rc == STELE_ECORRUPT && !whole) {
        /* What is wrong, all of it tells: it may be of a later version. */
        rc = sti_journal_snap_verify(&c->snap, &c->end, err);
    }
    if (rc != STELE_OK) {
        sti_journal_file_close(&c->snap);
    }
    c->verified = rc == STELE_OK && whole;
    return rc;
}

/* The number of the newest snapshot before `below`, or NO_SNAPSHOT. */
static uint64_t newest_snap(const struct sti_journal_listing *list, uint64_t below)
{
    uint64_t newest = NO_SNAPSHOT;

    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].kind == STI_JOURNAL_NAME_SNAP && list->items[i].number < below &&
                !(STI_MUTANT(JOURNAL_OLDEST_SNAPSHOT) && newest != NO_SNAPSHOT)) {
            newest = list->items[i].number;
        }
    }
    return newest;
}

static bool is_older(const struct sti_journal_listed *item, uint64_t snap)
{
    return item->kind == STI_JOURNAL_NAME_UNFINISHED || item->number < snap ||
           (item->kind == STI_JOURNAL_NAME_LOG && item->number == snap);
}

static bool has_older(const struct sti_journal_listing *list, uint64_t snap)
{
    for (size_t i = 0; i < list->count; i++) {
        if (is_older(&list->items[i], snap)) {
            return true;
        }
    }
    return false;
}

/* Note a damaged snapshot; they come newest first. */
static void add_bad(
        struct sti_journal_chain *c, uint64_t number, uint64_t first_op, const stele_error *why)
{
    if (c->bad_count == 0) {
        c->bad_why = *why;
        c->bad_first_op = first_op;
    }
    memmove(c->bad + 1, c->bad, c->bad_count * sizeof *c->bad);
    c->bad[0] = (struct sti_journal_listed){STI_JOURNAL_NAME_SNAP, number};
    c->bad_count++;
}

/* The newest snapshot that is whole, or none. */
static stele_code choose_snap(struct sti_journal_chain *c, struct sti_dir *dir,
        const struct sti_journal_listing *list, enum sti_journal_depth depth, uint64_t *chosen,
        stele_error *err)
{
    uint64_t number = newest_snap(list, UINT64_MAX);

    for (; number != NO_SNAPSHOT; number = newest_snap(list, number)) {
        bool whole = depth != STI_CHAIN_SHALLOW || c->bad_count > 0 || has_older(list, number);
        uint64_t first_op = 0;
        stele_error why;
        stele_code rc = open_snap(c, dir, number, whole, &first_op, &why);

        if (rc == STELE_OK) {
            break;
        }
        if (rc != STELE_ECORRUPT || STI_MUTANT(JOURNAL_NO_FALLBACK)) {
            if (err != NULL) {
                *err = why;
            }
            return rc;
        }
        add_bad(c, number, first_op, &why);
    }
    *chosen = number;
    return STELE_OK;
}

/* ---- All of it. ---- */

static void list_old(
        struct sti_journal_chain *c, const struct sti_journal_listing *list, uint64_t snap)
{
    for (size_t i = 0; i < list->count; i++) {
        if (is_older(&list->items[i], snap)) {
            c->old[c->old_count++] = list->items[i];
        }
    }
}

static stele_code load_once(struct sti_journal_chain *c, struct sti_dir *dir,
        const struct sti_journal_listing *list, enum sti_journal_depth depth, stele_error *err)
{
    uint64_t snap = NO_SNAPSHOT;
    bool to_gap;
    stele_code rc;

    c->end.latest = INT64_MIN;
    c->highest = list->count == 0 ? 0 : list->items[list->count - 1].number;
    c->old = sti_calloc(list->count + 1, sizeof *c->old);
    c->bad = sti_calloc(list->count + 1, sizeof *c->bad);
    if (c->old == NULL || c->bad == NULL) {
        return sti_fail_memory(err, list->count * sizeof *c->old);
    }
    rc = choose_snap(c, dir, list, depth, &snap, err);
    to_gap = depth == STI_CHAIN_PLAYED && c->bad_count == 0;
    rc = rc != STELE_OK ? rc : open_logs(c, dir, list, snap, to_gap, err);
    if (rc == STELE_OK && c->bad_count > 0) {
        rc = check_stands_in(c, err);
    }
    if (rc == STELE_ECORRUPT && c->bad_count > 0 && err != NULL) {
        *err = c->bad_why;
        rc = sti_wrap(err, rc, "no older snapshot is there with all of its logs");
    }
    list_old(c, list, snap);
    return rc;
}

/* Whether the directory is another one by now. */
static bool has_changed(struct sti_dir *dir, const struct sti_journal_listing *before)
{
    struct sti_journal_listing now = {0};
    bool changed = sti_journal_listing_read(&now, dir, NULL) == STELE_OK &&
                   !sti_journal_listing_equal(before, &now);

    sti_journal_listing_free(&now);
    return changed;
}

stele_code sti_journal_chain_load(struct sti_journal_chain *c, struct sti_dir *dir,
        enum sti_journal_depth depth, bool no_map, stele_error *err)
{
    struct sti_journal_listing list = {0};
    bool again = true;
    stele_code rc = STELE_OK;

    memset(c, 0, sizeof *c);
    for (int i = 0; i < TRIES && again; i++) {
        sti_journal_chain_free(c);
        c->no_map = no_map;
        rc = sti_journal_listing_read(&list, dir, err);
        rc = rc != STELE_OK ? rc : load_once(c, dir, &list, depth, err);
        again = rc == STELE_ENOTFOUND ||
                ((rc == STELE_ECORRUPT || rc == STELE_EVERSION || c->gap.code != STELE_OK) &&
                        has_changed(dir, &list));
    }
    sti_journal_listing_free(&list);
    if (rc == STELE_ENOTFOUND) {
        rc = sti_fail_at(err, STELE_EIO, dir->path, -1, "files vanish as soon as they are listed");
    }
    if (rc != STELE_OK) {
        sti_journal_chain_free(c);
    }
    return rc;
}
