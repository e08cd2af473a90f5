/* SPDX-License-Identifier: MIT
 *
 * store_run.h: running the steps of a workload on real files, recorded, and judging what a crash
 * left.
 */
#ifndef TESTS_CRASH_STORE_RUN_H
#define TESTS_CRASH_STORE_RUN_H

#include <stele/store.h>

#include "crash/record.h"
#include "crash/store_disk.h"
#include "crash/store_script.h"
#include "sim/explore.h"

/* Notes. The value of a batch's intent has its kind in the highest byte. */
enum store_note {
    STORE_OPENED,  /* there is a store */
    STORE_BATCH,   /* with the number of a batch */
    STORE_SNAPSHOT /* that of its file */
};

/* `arg` of a workload. */
struct store_work {
    const char *steps;
    uint32_t batch_limit; /* 0: so many that nothing is committed unasked */
    bool insist;          /* a step may fail; the next ones are tried all the same */

    /* A call that fails, or the end of the process; NULL: none. */
    const struct record_fault *fault;
    uint64_t calls; /* of the last run: that counted for it */
    uint64_t hits;
};

/* The functions of a workload. With `insist`, or where the process ends, run() opens the files once
 * more at the end, without a fault, judges them, and writes on. */
int store_run(void *arg, struct sim_world *w);
int store_check(void *arg, struct sim_world *w, uint64_t at_op, const struct sim_notes *notes,
        char *why, size_t why_len);

/* Count each run and each check there; NULL: nowhere. */
void store_count_steps(uint64_t *steps);
void store_step(void);

/* ---- For those who open stores themselves. ---- */

/* What is wrong. */
struct store_why {
    char text[400];
};

bool store_wrong(struct store_why *why, const char *format, ...) STELE_PRINTF(2, 3);

/* What a store may have: the state after one batch between two numbers. */
struct store_bounds {
    uint64_t acked;
    uint64_t issued;
    char (*kind_of)(uint64_t number); /* if not NULL, of batches without number */
    char kinds[SCRIPT_BATCHES + 1];   /* of the batches, a letter each */
};

/* Everything that a read sees is such a state; *last is its batch. */
bool store_judge(
        stele_store *s, const struct store_bounds *bounds, uint64_t *last, struct store_why *why);
bool store_judge_read(stele_store_read *r, const struct store_bounds *bounds, uint64_t *last,
        struct store_why *why);

/* One batch of a kind, ended as the letter says; the code of the first call that failed. */
stele_code store_batch(stele_store *s, char kind, char end, uint64_t number, stele_error *err);

/* The writes of it alone; and its end. */
stele_code store_batch_fill(stele_store_batch *batch, char kind, uint64_t number, stele_error *err);
stele_code store_batch_finish(stele_store_batch *batch, char end, stele_error *err);

/* Look at every page, entry, count and hash of a store that is closed. */
bool store_check_files(const char *root, struct store_why *why);

/* Without threads, so that runs are repeated as they were. `env` is filled in: real files, and
 * clocks and numbers of a world. */
void store_options_init(stele_store_options *options, stele_env *env, struct sim_world *w);

#endif /* TESTS_CRASH_STORE_RUN_H */
