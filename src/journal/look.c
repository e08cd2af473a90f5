/* SPDX-License-Identifier: MIT
 *
 * look.c: one look at every file of a directory.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "journal/check.h"
#include "journal/play.h"

#include <inttypes.h>

enum {
    FIRST_CAPACITY = 8
};

void sti_journal_look_free(struct sti_journal_look *look)
{
    sti_journal_listing_free(&look->listing);
    sti_journal_chain_free(&look->chain);
    sti_free(look->faults);
    sti_free(look->extents);
    memset(look, 0, sizeof *look);
}

/* Whether a failure is a fault of the file. */
static bool is_fault(stele_code code)
{
    return code == STELE_ECORRUPT || code == STELE_EVERSION;
}

static bool is_known(const struct sti_journal_look *look, const char *file)
{
    for (size_t i = 0; i < look->fault_count; i++) {
        if (strcmp(look->faults[i].file, file) == 0) {
            return true;
        }
    }
    return false;
}

/* The first fault of a file counts: others follow from it. */
static stele_code add_fault(struct sti_journal_look *look, const stele_error *why, stele_error *err)
{
    if (is_known(look, why->file)) {
        return STELE_OK;
    }
    if (look->fault_count == look->fault_capacity) {
        size_t more = look->fault_capacity == 0 ? FIRST_CAPACITY : 2 * look->fault_capacity;
        stele_error *grown = sti_realloc(look->faults, more, sizeof *grown);

        if (grown == NULL) {
            return sti_fail_memory(err, more * sizeof *grown);
        }
        look->faults = grown;
        look->fault_capacity = more;
    }
    look->faults[look->fault_count++] = *why;
    return STELE_OK;
}

/* What became of one file: a fault is noted, one that is gone passed over. */
static stele_code settle(
        struct sti_journal_look *look, stele_code rc, const stele_error *why, stele_error *err)
{
    if (rc == STELE_OK) {
        return rc;
    }
    if (rc == STELE_ENOTFOUND) {
        look->vanished = true;
        return STELE_OK;
    }
    if (is_fault(rc)) {
        return add_fault(look, why, err);
    }
    if (err != NULL) {
        *err = *why;
    }
    return rc;
}

/* ---- One file. ---- */

static stele_code look_at_snap(struct sti_journal_look *look, uint64_t number, stele_error *why)
{
    struct sti_journal_file file;
    struct sti_journal_end end;
    stele_code rc = sti_journal_file_open(
            &file, look->dir, STI_JOURNAL_NAME_SNAP, number, look->no_map, why);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = STI_MUTANT(JOURNAL_CHECK_SKIPS_OLD) ? sti_journal_snap_end(&file, &end, why)
                                             : sti_journal_snap_verify(&file, &end, why);
    look->ops += rc == STELE_OK ? end.ops : 0;
    sti_journal_file_close(&file);
    return rc;
}

static stele_code fail_torn(const struct sti_journal_file *log, uint64_t at, stele_error *why)
{
    return sti_fail_at(why, STELE_ECORRUPT, log->seg->name, (int64_t)at,
            "an unfinished operation, as a crash leaves it");
}

static stele_code judge(
        struct sti_journal_file *log, const struct sti_journal_cursor *c, stele_error *why)
{
    struct sti_scan scan;
    stele_code rc = log->first_op == 0 ? sti_journal_judge_headless(log, &scan, why)
                                       : sti_journal_judge_tail(log, c->at, c->id, &scan, why);

    if (rc != STELE_OK) {
        return rc;
    }
    if (scan.damaged) {
        return sti_journal_fail_damaged(log, &scan, why);
    }
    return scan.torn ? fail_torn(log, scan.torn_at, why) : STELE_OK;
}

static stele_code walk_log(
        struct sti_journal_look *look, struct sti_journal_file *log, stele_error *why)
{
    struct sti_journal_extent *x = &look->extents[look->extent_count++];
    struct sti_journal_cursor c;
    stele_journal_op op;
    stele_bytes encoded;
    stele_code rc = STELE_OK;

    sti_journal_cursor_init(&c, log);
    while (rc == STELE_OK) {
        rc = sti_journal_cursor_next(&c, &op, &encoded, why);
        look->ops += rc == STELE_OK ? 1 : 0;
    }
    x->number = log->number;
    x->end = c.at;
    x->next_op = c.id;
    if (rc == STELE_END) {
        rc = c.sealed ? STELE_OK : judge(log, &c, why);
    }
    sti_journal_cursor_free(&c);
    return rc;
}

/* With pread: a recorder may make the file shorter. */
static stele_code look_at_log(struct sti_journal_look *look, uint64_t number, stele_error *why)
{
    struct sti_journal_file file;
    stele_code rc =
            sti_journal_file_open(&file, look->dir, STI_JOURNAL_NAME_LOG, number, true, why);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = walk_log(look, &file, why);
    sti_journal_file_close(&file);
    return rc;
}

static stele_code look_at_files(struct sti_journal_look *look, stele_error *err)
{
    stele_code rc = STELE_OK;

    look->extents = sti_calloc(look->listing.count + 1, sizeof *look->extents);
    if (look->extents == NULL) {
        return sti_fail_memory(err, look->listing.count * sizeof *look->extents);
    }
    for (size_t i = 0; i < look->listing.count && rc == STELE_OK; i++) {
        const struct sti_journal_listed *item = &look->listing.items[i];
        stele_error why;

        if (item->kind == STI_JOURNAL_NAME_SNAP) {
            look->snapshots++;
            rc = settle(look, look_at_snap(look, item->number, &why), &why, err);
        } else if (item->kind == STI_JOURNAL_NAME_LOG) {
            look->logs++;
            rc = settle(look, look_at_log(look, item->number, &why), &why, err);
        }
    }
    return rc;
}

/* ---- All together. ---- */

static const struct sti_journal_extent *extent_of(
        const struct sti_journal_look *look, uint64_t number)
{
    for (size_t i = 0; i < look->extent_count; i++) {
        if (look->extents[i].number == number) {
            return &look->extents[i];
        }
    }
    return NULL;
}

/* Each log reaches up to the next. */
static stele_code look_between(struct sti_journal_look *look, stele_error *err)
{
    const struct sti_journal_chain *chain = &look->chain;
    stele_code rc = STELE_OK;

    for (size_t i = 0; i + 1 < chain->begun_count && rc == STELE_OK; i++) {
        const struct sti_journal_file *log = &chain->logs[i];
        const struct sti_journal_extent *x = extent_of(look, log->number);
        uint64_t limit = sti_journal_chain_limit(chain, i);
        stele_error why;

        if (log->first_op != 0 && x != NULL && x->next_op < limit) {
            (void)sti_fail_at(&why, STELE_ECORRUPT, log->seg->name, (int64_t)x->end,
                    "operations %" PRIu64 " to %" PRIu64 " are missing behind it", x->next_op,
                    limit - 1);
            rc = add_fault(look, &why, err);
        }
    }
    return rc;
}

stele_code sti_journal_look_at(
        struct sti_journal_look *look, struct sti_dir *dir, bool no_map, stele_error *err)
{
    stele_error why;
    stele_code rc;

    look->dir = dir;
    look->no_map = no_map;
    rc = sti_journal_listing_read(&look->listing, dir, err);
    rc = rc != STELE_OK ? rc : look_at_files(look, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_journal_chain_load(&look->chain, dir, STI_CHAIN_SHALLOW, no_map, &why);
    return rc == STELE_OK ? look_between(look, err) : settle(look, rc, &why, err);
}
