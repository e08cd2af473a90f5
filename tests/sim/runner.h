/* SPDX-License-Identifier: MIT
 *
 * runner.h: what the explorer and the loops have in common.
 */
#ifndef SIM_RUNNER_H
#define SIM_RUNNER_H

#include "sim/explore.h"

/* Where a worker is, for the report if it dies. Shared with the parent. */
struct sim_crumb {
    uint64_t steps; /* counts up: a worker whose count stands still hangs */
    char line[16384];
};

struct sim_job {
    void *arg;
    /* Does every workers-th part of the work. */
    void (*work)(void *arg, unsigned worker, unsigned workers, struct sim_crumb *crumb,
            struct sim_report *report);
};

/* Run in so many processes, or in this one if it is one; add up the reports.
 * A worker that dies, hangs or leaks is a violation. */
void sim_run_job(const struct sim_job *job, unsigned workers, struct sim_report *sum);

/* Count a violation and keep the text of the first one. */
void sim_violation(struct sim_report *report, const char *line, const char *format, ...)
        STELE_PRINTF(3, 4);

/* A world in which setup() has run, and nothing since; NULL if that failed. */
struct sim_world *sim_world_ready(const struct sim_workload *workload, uint64_t seed,
        const struct sim_disk_options *options, struct sim_report *report);

/* How many of the notes count for a crash at `op`; the first `always` do. */
size_t sim_notes_at(const struct sim_notes *notes, size_t always, uint64_t op);

/* Notes that setup() made. */
size_t sim_world_setup_notes(const struct sim_world *w);
void sim_world_take_notes(struct sim_world *w, const struct sim_notes *notes);

struct sim_disk_options sim_disk_options_of(
        const struct sim_workload *workload, uint32_t sector_size, bool ordered);

/* Call check() on a new world with this disk. Returns whether all was well. */
bool sim_check_image(const struct sim_workload *workload, uint64_t seed, struct sim_image *image,
        const struct sim_disk_options *options, uint64_t at_op, const struct sim_notes *notes,
        const char *line, struct sim_report *report);

/* The part of STELE_SIM behind "name:seed:sector:", if it is about this workload
 * and `kind` ("" for the explorer); then *seed and the sector are set from
 * it. `*other` says that it is about something else: run nothing. */
const char *sim_replay(const char *name, const char *kind, uint64_t *seed, uint32_t *sector_size,
        bool ordered, bool *other);

void sim_print_report(const char *name, const char *what, const struct sim_report *report);

double sim_seconds(void);

#endif /* SIM_RUNNER_H */
