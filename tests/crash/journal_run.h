/* SPDX-License-Identifier: MIT
 *
 * journal_run.h: a program that uses a journal as programs do, and writes down what it was
 * promised.
 *
 * Each step notes what it is about to do, does it, and notes what was acknowledged. When a call
 * fails it tries again; when the handle refuses to record it opens the journal again, plays, and
 * takes what is there for acknowledged. After each step that succeeded the journal has to say so
 * itself. The first error is kept and returned at the end: under a fault that is right, without one
 * it is a violation. Steps after one that could not be done in the end do nothing.
 */
#ifndef TESTS_CRASH_JOURNAL_RUN_H
#define TESTS_CRASH_JOURNAL_RUN_H

#include "crash/journal_model.h"

struct journal_run {
    struct sim_world *w;
    const struct jmodel_config *config;
    stele_env env; /* of the world; see jrun_set_back() */
    int64_t back;  /* the clock is behind that of the world by so many microseconds */
    stele_journal *journal;
    struct jmodel model;         /* of the notes that were made */
    uint64_t taken[JOPS_COUNTS]; /* values that were dumped, and not promised to be durable */
    size_t taken_count;
    uint64_t next;    /* the count after the next operation */
    stele_code first; /* the first error */
    stele_error err;  /* of the last call */
    bool over;        /* nothing more can be done */
    int wrong;        /* SIM_WRONG if an answer was */
};

void jrun_begin(struct journal_run *r, struct sim_world *w, const struct jmodel_config *config);
/* Closes what is open; what the workload returns. */
int jrun_end(struct journal_run *r);

/* Open, if it is not, play, and record. */
void jrun_record(struct journal_run *r);
void jrun_stop(struct journal_run *r);
void jrun_close(struct journal_run *r);
/* Leave the handle as a process that is killed leaves it. */
void jrun_abandon(struct journal_run *r);

/* So many operations, one by one; or all with one call. */
void jrun_dump(struct journal_run *r, size_t count);
void jrun_dump_many(struct journal_run *r, size_t count);
void jrun_dump_durable(struct journal_run *r);
void jrun_sync(struct journal_run *r);
/* The first of these calls of the disk fails; then the handle has to refuse to record, unless the
 * disk is just full. */
void jrun_failing(struct journal_run *r, unsigned calls, int error);
/* Dump until the disk is full; the journal has to be as before then. */
void jrun_fill(struct journal_run *r);

void jrun_snapshot(struct journal_run *r);
void jrun_clear(struct journal_run *r);
void jrun_limit(struct journal_run *r, uint64_t limit);

/* Another handle plays beside it, and must see what was acknowledged. */
void jrun_look(struct journal_run *r);
/* What is refused changes nothing: illegal moves, and another recorder. */
void jrun_refused(struct journal_run *r);
/* The clock goes wrong from now on. */
void jrun_set_back(struct journal_run *r, int64_t us);

/* An interval passes, and whatever was dumped before is durable: the library looks at the next
 * dump, without a thread. */
void jrun_interval(struct journal_run *r);

bool jrun_is_recording(const struct journal_run *r);

/* ---- For the steps above. ---- */

void jrun_note(
        struct journal_run *r, enum sim_note_kind kind, enum jmodel_note what, uint64_t value);
/* A call failed with r->err. */
void jrun_failed(struct journal_run *r, stele_code rc);
void jrun_wrong(struct journal_run *r, const char *text);
/* Whether a step that failed is worth another try; opens again if need be. */
bool jrun_again(struct journal_run *r, stele_code rc, int tried);
/* Close, open, play and record. */
void jrun_reopen(struct journal_run *r);
/* What was dumped is durable now. */
void jrun_all_durable(struct journal_run *r);
/* Play with a handle that is stopped, and judge; false if that failed. */
bool jrun_play(struct journal_run *r, stele_journal *journal, struct jmodel_found *found);
/* The journal has to say itself that it has as many operations as it must. */
void jrun_expect_count(struct journal_run *r);

#endif /* TESTS_CRASH_JOURNAL_RUN_H */
