/* SPDX-License-Identifier: MIT
 *
 * settle.c: before anything is built on a journal, what a crash left is mended.
 *
 * Everything is looked at before anything is changed. Of the newest logs, those without operations
 * are of no account: a crash came before their first one was durable. The last one with operations
 * may be torn: what is torn goes to quarantine, and a seal behind the last whole operation says
 * that the log is complete. What may be in the cache alone is written again and synced, also where
 * a seal is there already: only a log that follows would say that it is durable.
 */
#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "journal/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct settling {
    stele_journal *j;
    struct sti_journal_chain *chain;
    size_t keep;          /* logs that have operations */
    struct sti_scan last; /* of the last one of them */
    uint64_t expected;    /* what the empty logs behind it begin with; 0: nobody knows */
};

/* ---- Looking. ---- */

static stele_code scan_log(struct sti_journal_file *log, struct sti_scan *scan, stele_error *err)
{
    stele_code rc = sti_journal_log_scan(log, scan, err);

    if (rc == STELE_OK && scan->damaged && !STI_MUTANT(JOURNAL_DAMAGE_AS_TORN)) {
        return sti_fail_at(err, STELE_ECORRUPT, log->seg->name, (int64_t)scan->end,
                "is damaged: what was acknowledged behind operation %" PRIu64 " cannot be read",
                scan->next_id > 0 ? scan->next_id - 1 : 0);
    }
    return rc;
}

static stele_code look(struct settling *s, stele_error *err)
{
    struct sti_journal_chain *chain = s->chain;
    stele_code rc = STELE_OK;

    memset(&s->last, 0, sizeof s->last);
    s->expected = 0;
    for (s->keep = chain->log_count; s->keep > 0; s->keep--) {
        rc = scan_log(&chain->logs[s->keep - 1], &s->last, err);
        if (rc != STELE_OK || s->last.records > 0) {
            break;
        }
        s->expected = s->last.header ? s->last.first_id : s->expected;
    }
    if (rc == STELE_OK && s->keep > 0 && s->expected != 0 && s->expected != s->last.next_id) {
        return sti_fail_at(err, STELE_ECORRUPT, chain->logs[s->keep - 1].seg->name,
                (int64_t)s->last.end,
                "operations are missing: it ends before operation %" PRIu64
                ", and the next log begins with %" PRIu64,
                s->last.next_id, s->expected);
    }
    return rc;
}

/* ---- Mending. ---- */

static stele_code put_aside_bad(struct settling *s, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < s->chain->bad_count && rc == STELE_OK; i++) {
        char name[STELE_JOURNAL_NAME_SIZE];
        char out[STI_WAL_NAME_SIZE];

        sti_journal_name(name, s->chain->bad[i].kind, s->chain->bad[i].number);
        rc = sti_wal_quarantine_file(&s->j->dir, name, out, err);
        if (rc == STELE_OK) {
            sti_journal_note(s->j, "%s is damaged, and is kept as %s: %.200s", name, out,
                    i + 1 == s->chain->bad_count ? s->chain->bad_why.message : "");
        }
    }
    return rc;
}

/* Keep what a crash tore, before it is given up. */
static stele_code keep_torn(struct settling *s, struct sti_journal_file *log,
        const struct sti_scan *scan, stele_error *err)
{
    uint64_t to = scan->torn_end < scan->file_size ? scan->torn_end : scan->file_size;
    char out[STI_WAL_NAME_SIZE];
    stele_code rc;

    if (!scan->torn || to <= scan->torn_at || STI_MUTANT(JOURNAL_CUT_WITHOUT_QUARANTINE)) {
        return STELE_OK;
    }
    if (STI_MUTANT(JOURNAL_TORN_TAIL_FATAL)) {
        return sti_fail_at(err, STELE_ECORRUPT, log->seg->name, (int64_t)scan->torn_at, "torn");
    }
    rc = sti_wal_quarantine(
            &s->j->dir, &log->seg->file, log->seg->name, scan->torn_at, to, out, err);
    if (rc == STELE_OK) {
        sti_journal_note(s->j,
                "%s: %" PRIu64 " bytes from %" PRIu64
                " on were torn by a crash, and are kept in %s",
                log->seg->name, to - scan->torn_at, scan->torn_at, out);
    }
    return rc;
}

static stele_code unlink_file(
        struct settling *s, enum sti_journal_name_kind kind, uint64_t number, stele_error *err)
{
    char name[STELE_JOURNAL_NAME_SIZE];

    sti_journal_name(name, kind, number);
    return sti_dir_unlink(&s->j->dir, name, NULL, err);
}

/* The first file that an interrupted quarantine left; listing goes on as long as there is none. */
static stele_code find_leftover(void *arg, const char *name)
{
    char *found = arg;
    uint64_t number = 0;

    if (found[0] == '\0' && sti_journal_name_parse(name, &number) == STI_JOURNAL_NAME_LEFTOVER) {
        (void)snprintf(found, STI_WAL_NAME_SIZE, "%s", name);
    }
    return STELE_OK;
}

static stele_code remove_leftovers(struct settling *s, stele_error *err)
{
    char name[STI_WAL_NAME_SIZE];
    stele_code rc;

    do {
        name[0] = '\0';
        rc = sti_dir_list(&s->j->dir, find_leftover, name, err);
        if (rc == STELE_OK && name[0] != '\0') {
            rc = sti_dir_unlink(&s->j->dir, name, NULL, err);
        }
    } while (rc == STELE_OK && name[0] != '\0');
    return rc;
}

static stele_code drop_empty(struct settling *s, stele_error *err)
{
    struct sti_journal_chain *chain = s->chain;
    stele_code rc = STELE_OK;

    while (chain->log_count > s->keep && rc == STELE_OK) {
        struct sti_journal_file *log = &chain->logs[chain->log_count - 1];
        struct sti_scan scan;

        rc = sti_journal_log_scan(log, &scan, err);
        rc = rc != STELE_OK ? rc : keep_torn(s, log, &scan, err);
        rc = rc != STELE_OK ? rc : unlink_file(s, STI_JOURNAL_NAME_LOG, log->number, err);
        if (rc == STELE_OK) {
            sti_journal_file_close(log);
            chain->log_count--;
        }
    }
    return rc;
}

/* Through a descriptor that can write; the segment's own cannot. */
static stele_code end_log(struct settling *s, struct sti_segment *seg, stele_error *err)
{
    const struct sti_scan *scan = &s->last;
    uint64_t durable = scan->durable < scan->end ? scan->durable : scan->end;
    uint64_t end = scan->end + sti_wal_seal_size(scan->records);
    struct sti_segment writing = {
            .format = seg->format,
            .number = seg->number,
            .first_id = seg->first_id,
            .salt = seg->salt,
            .positions = seg->positions,
            .position_count = seg->position_count,
    };
    stele_code rc = sti_file_open(&writing.file, &s->j->dir, seg->name, STELE_OPEN_WRITE, err);

    atomic_store(&writing.end, scan->end);
    atomic_store(&writing.next_id, scan->next_id);
    if (rc == STELE_OK && !scan->sealed) {
        rc = sti_journal_log_seal(&writing, durable, &end, err);
    }
    if (rc == STELE_OK && scan->file_size > end) {
        rc = sti_file_truncate(&writing.file, end, err);
    }
    if (!STI_MUTANT(JOURNAL_CACHE_BELIEVED)) {
        rc = rc != STELE_OK ? rc : sti_wal_renew(&writing.file, durable, end, err);
    }
    sti_file_close(&writing.file);
    return rc;
}

static stele_code mend_last(struct settling *s, stele_error *err)
{
    struct sti_journal_file *log;
    stele_code rc;

    if (s->keep == 0 || STI_MUTANT(JOURNAL_TORN_KEPT)) {
        return STELE_OK;
    }
    log = &s->chain->logs[s->keep - 1];
    rc = keep_torn(s, log, &s->last, err);
    rc = rc != STELE_OK ? rc : end_log(s, log->seg, err);
    if (rc == STELE_OK) {
        log->size = s->last.end + sti_wal_seal_size(s->last.records);
    }
    return rc;
}

/* The snapshot that supersedes them may have its name in the cache alone. */
static stele_code remove_old(struct settling *s, stele_error *err)
{
    struct sti_journal_chain *chain = s->chain;
    stele_code rc = STELE_OK;

    if (chain->old_count > 0) {
        rc = sti_journal_sync_names(s->j, err);
    }
    for (size_t i = 0; i < chain->old_count && rc == STELE_OK; i++) {
        if (STI_MUTANT(JOURNAL_LEFTOVERS_KEPT)) {
            break;
        }
        rc = unlink_file(s, chain->old[i].kind, chain->old[i].number, err);
    }
    return rc;
}

stele_code sti_journal_settle(stele_journal *j, struct sti_journal_chain *chain,
        enum sti_journal_depth depth, uint64_t *next_op, stele_error *err)
{
    struct settling s = {.j = j, .chain = chain};
    bool removes;
    stele_code rc = sti_journal_chain_load(chain, &j->dir, depth, j->options.no_map, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = look(&s, err);
    removes = chain->old_count > 0 || s.keep < chain->log_count;
    rc = rc != STELE_OK ? rc : put_aside_bad(&s, err);
    rc = rc != STELE_OK ? rc : drop_empty(&s, err);
    rc = rc != STELE_OK ? rc : mend_last(&s, err);
    rc = rc != STELE_OK ? rc : remove_old(&s, err);
    rc = rc != STELE_OK ? rc : remove_leftovers(&s, err);
    if (rc == STELE_OK && removes) {
        rc = sti_journal_sync_names(j, err);
    }
    if (rc != STELE_OK) {
        sti_journal_chain_free(chain);
        return rc;
    }
    chain->begun_count = s.keep;
    chain->old_count = 0;
    chain->bad_count = 0;
    *next_op = s.keep > 0 ? s.last.next_id : chain->end.count + 1;
    return STELE_OK;
}
