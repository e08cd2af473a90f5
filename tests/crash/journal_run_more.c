/* SPDX-License-Identifier: MIT
 *
 * journal_run_more.c: merging and clearing, and what happens beside a recorder.
 */
#include "crash/journal_run.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    MS = 1000 /* microseconds */
};

/* ---- Merging and clearing. ---- */

/* One snapshot, and, when recording, one log; nothing at all if nothing was dumped. What could not
 * be removed goes later. */
static void expect_merged(struct journal_run *r)
{
    stele_journal_stats stats = {0};
    stele_code rc = stele_journal_stat(r->journal, &stats, &r->err);
    bool more = stats.snapshots > 1 || stats.logs != (jrun_is_recording(r) ? 1U : 0U);

    if (rc != STELE_OK) {
        jrun_failed(r, rc);
    } else if ((more && sim_disk_fault_hits(r->w->disk) == 0) || stats.log_ops != 0 ||
               (stats.snapshots == 0 && r->model.durable > 0)) {
        r->wrong = sim_wrong(r->w,
                "after snapshot(): %" PRIu64 " snapshots, %" PRIu64 " logs with %" PRIu64
                " operations",
                stats.snapshots, stats.logs, stats.log_ops);
        r->over = true;
    }
}

void jrun_snapshot(struct journal_run *r)
{
    for (int i = 0; !r->over; i++) {
        bool recording = jrun_is_recording(r);
        stele_code rc = stele_journal_snapshot(r->journal, &r->err);

        if (rc == STELE_OK) {
            jrun_all_durable(r);
            expect_merged(r);
            if (recording) {
                jrun_expect_count(r);
            }
            return;
        }
        if (!jrun_again(r, rc, i)) {
            return;
        }
        if (!recording) {
            jrun_stop(r); /* It may have been opened again. */
        }
    }
}

void jrun_clear(struct journal_run *r)
{
    for (int i = 0; !r->over; i++) {
        bool recording = jrun_is_recording(r);
        stele_code rc;

        jrun_note(r, SIM_INTENT, JMODEL_CLEAR, 0);
        rc = stele_journal_clear(r->journal, &r->err);
        if (rc == STELE_OK) {
            jrun_note(r, SIM_ACK, JMODEL_CLEAR, 0);
            r->next = 1;
            r->taken_count = 0;
            if (jrun_is_recording(r) != recording) {
                jrun_wrong(r, "clear() changes the state");
            }
            jrun_expect_count(r);
            return;
        }
        if (!jrun_again(r, rc, i)) {
            return;
        }
        /* Nothing is dumped before it is known whether it is clear. */
        jrun_reopen(r);
        if (!recording) {
            jrun_stop(r);
        }
    }
}

void jrun_limit(struct journal_run *r, uint64_t limit)
{
    stele_code rc = r->over ? STELE_OK : stele_journal_limit(r->journal, limit, &r->err);

    if (rc != STELE_OK) {
        jrun_failed(r, rc);
    }
}

void jrun_interval(struct journal_run *r)
{
    size_t before;

    jrun_sync(r);
    jrun_dump(r, 2);
    if (r->over || r->config->durability != STELE_JOURNAL_INTERVAL || r->config->background) {
        return;
    }
    before = r->taken_count;
    sim_world_advance(r->w, (int64_t)1000 * MS);
    jrun_dump(r, 1);
    /* A flush that failed is told by the next call. */
    for (size_t i = 0; i < before && r->taken_count > before && r->first == STELE_OK; i++) {
        jrun_note(r, SIM_ACK, JMODEL_DUMP, r->taken[i]);
    }
}

/* ---- Beside it. ---- */

void jrun_look(struct journal_run *r)
{
    stele_journal_options options;
    stele_journal *reader = NULL;
    struct jmodel_found *found = sim_alloc(sizeof *found);
    stele_code rc;

    jmodel_options(r->config, &r->env, &options);
    rc = r->over ? STELE_ESTATE : stele_journal_open(&reader, JMODEL_DIR, &options, &r->err);
    if (rc == STELE_OK) {
        (void)jrun_play(r, reader, found);
    } else if (!r->over) {
        jrun_failed(r, rc);
    }
    (void)stele_journal_close(reader, NULL);
    free(found);
}

static void expect_state_error(struct journal_run *r, stele_code rc, const char *text)
{
    if (rc == STELE_OK) {
        jrun_wrong(r, text);
    } else if (rc != STELE_ESTATE) {
        jrun_failed(r, rc);
    }
}

void jrun_refused(struct journal_run *r)
{
    struct jmodel_play *p = sim_alloc(sizeof *p);
    stele_journal_options options;
    stele_journal *second = NULL;
    stele_code rc;

    if (r->over) {
        free(p);
        return;
    }
    expect_state_error(r, stele_journal_record(r->journal, &r->err), "it records twice");
    expect_state_error(
            r, jmodel_play(r->journal, r->config, NULL, p, &r->err), "it plays while it records");
    jmodel_options(r->config, &r->env, &options);
    rc = stele_journal_open(&second, JMODEL_DIR, &options, &r->err);
    rc = rc != STELE_OK ? rc : stele_journal_record(second, &r->err);
    if (rc == STELE_OK) {
        jrun_wrong(r, "there are two recorders");
    } else if (rc != STELE_EBUSY) {
        jrun_failed(r, rc);
    }
    (void)stele_journal_close(second, NULL);
    jrun_expect_count(r);
    free(p);
}
