/* SPDX-License-Identifier: MIT
 *
 * docs_run.h: running the steps of a workload of documents on real files, recorded, and judging
 * what a crash left. The workload's `arg` is a struct store_work.
 */
#ifndef TESTS_CRASH_DOCS_RUN_H
#define TESTS_CRASH_DOCS_RUN_H

#include "crash/docs_script.h"
#include "crash/store_run.h"

/* Notes. The value of a change's intent has its kind in the highest byte. */
enum docs_note {
    DOCS_OPENED, /* there is a database */
    DOCS_CHANGE  /* with the number of a change */
};

enum {
    DOCS_KIND_SHIFT = 56
};

int docs_run(void *arg, struct sim_world *w);
int docs_check(void *arg, struct sim_world *w, uint64_t at_op, const struct sim_notes *notes,
        char *why, size_t why_len);

/* What a database may have: the state after one change between two numbers. */
struct docs_bounds {
    uint64_t acked;
    uint64_t issued;
    char kinds[DOCS_CHANGES + 1]; /* of the changes, a letter each */
};

/* It is such a state, and everything in it fits together; *last is the change. */
bool docs_judge(
        stele_docs *db, const struct docs_bounds *bounds, uint64_t *last, struct store_why *why);

/* Without threads. `env` is filled in: real files, and clocks and numbers of a world. */
void docs_options_init(stele_docs_options *options, stele_env *env, struct sim_world *w);

/* One more change of a database that is after `*last`, acknowledged. */
bool docs_write_on(stele_docs *db, struct docs_bounds *bounds, char kind, uint64_t *last,
        struct store_why *why);

const struct sim_workload *docs_workloads(size_t *count);

#endif /* TESTS_CRASH_DOCS_RUN_H */
