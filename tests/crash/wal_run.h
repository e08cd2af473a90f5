/* SPDX-License-Identifier: MIT
 *
 * wal_run.h: a program that uses a log as programs do, and writes down what it was promised.
 *
 * Each step notes what it is about to do, does it, and notes what was acknowledged. When a call
 * fails it tries again; when the handle refuses to write it opens the log again, and takes
 * what is there for acknowledged. After each step that succeeded the log has to say so itself. The
 * first error is kept and returned at the end: under a fault that is right, without one it is a
 * violation. Steps after one that could not be done in the end do nothing.
 */
#ifndef TESTS_CRASH_WAL_RUN_H
#define TESTS_CRASH_WAL_RUN_H

#include "crash/wal_model.h"

struct wal_run {
    struct sim_world *w;
    const struct wmodel_config *config;
    stele_env env; /* of the world, see wal_run_env.c */
    stele_wal *wal;
    void (*at_clock)(struct wal_run *r); /* called at the next look at the clock, or NULL */
    struct batch *late;                  /* appended then */
    stele_wal_ticket late_ticket;        /* 0: not appended */
    struct wmodel model;                 /* of the notes that were made */
    uint64_t unwaited[8];                /* values of appends that close makes durable */
    size_t unwaited_count;
    uint64_t next;    /* the id after all that was ever appended and not cut */
    stele_code first; /* the first error */
    stele_error err;  /* of the last call */
    bool over;        /* nothing more can be done */
    int wrong;        /* SIM_WRONG if an answer was */
};

void wrun_begin(struct wal_run *r, struct sim_world *w, const struct wmodel_config *config);
/* Closes what is open; what the workload returns. */
int wrun_end(struct wal_run *r);

void wrun_open(struct wal_run *r);
void wrun_close(struct wal_run *r);
/* Leave the handle as a process that is killed leaves it: closed without a failure or a mark. */
void wrun_abandon(struct wal_run *r);

void wrun_append(struct wal_run *r, size_t count);
/* So many appends of one or two records, and then a wait for all of them. */
void wrun_append_async(struct wal_run *r, size_t count);
/* The same without the wait. */
void wrun_append_unwaited(struct wal_run *r, size_t count);
/* Another append comes while one is being written: only what is said to be durable is. */
void wrun_append_late(struct wal_run *r);
/* The first of these calls of the disk fails; then the handle has to refuse to write, unless the
 * disk is just full, and the log is opened again. */
void wrun_append_failing(struct wal_run *r, size_t count, unsigned calls, int error);
/* Append until the disk is full; the log has to be as before then. */
void wrun_fill(struct wal_run *r);

void wrun_truncate(struct wal_run *r, uint64_t keep);
void wrun_trim(struct wal_run *r, uint64_t discard);

/* What a log refuses changes nothing: another writer, ids that do not follow, and what is too
 * large. */
void wrun_refused(struct wal_run *r);

/* Of a log that is not open. Damage is found, by opening and reading, and by a check. */
void wrun_expect_damage(struct wal_run *r);
/* What is lost is told, `lost` too if it is not 0. */
void wrun_recover(struct wal_run *r, uint64_t lost);
void wrun_migrate(struct wal_run *r, stele_wal_format format);

/* The last record that the log has, by its own account; 0: none. */
uint64_t wrun_last(struct wal_run *r);

/* ---- For the steps above. ---- */

void wrun_env_init(struct wal_run *r);

void wrun_note(struct wal_run *r, enum sim_note_kind kind, enum wmodel_note what, uint64_t value);
/* A call failed with r->err. */
void wrun_failed(struct wal_run *r, stele_code rc);
void wrun_wrong(struct wal_run *r, const char *text);
/* Whether a step that failed is worth another try; opens again if need be. */
bool wrun_again(struct wal_run *r, stele_code rc, int tried);
/* The log has to say that `last` is its last record; 0 for none. */
void wrun_expect_last(struct wal_run *r, uint64_t last);

#endif /* TESTS_CRASH_WAL_RUN_H */
