/* SPDX-License-Identifier: MIT
 *
 * journal_probe.h: a journal for the bit, cut and lie loops, and everything read from it.
 *
 * The probe is silent (loops.h) if a play gives what is not the state after some count of
 * operations, or ends well too early: it may only miss the last operation of a newest log that
 * ends in it, and then has to call it torn; or, if that file is shorter than it was, those
 * behind its new end, as after a crash. Damage to the newest snapshot or to what it stands for does
 * no harm while both are there. Recording is refused, or goes on behind what was played.
 */
#ifndef TESTS_CRASH_JOURNAL_PROBE_H
#define TESTS_CRASH_JOURNAL_PROBE_H

#include "crash/journal_model.h"

enum {
    JOURNAL_PROBE_FILES = 8
};

/* A file as the run left it. */
struct journal_probe_file {
    char name[STELE_JOURNAL_NAME_SIZE];
    uint64_t size;
    uint64_t hash;
};

struct journal_probe {
    struct jmodel_config config;
    bool crashed; /* the journal was not stopped */
    bool old;     /* a merge could not remove what it replaced */
    bool lies;    /* a snapshot that was made can be read, whatever was written */

    /* Set by the run. */
    uint64_t count;                                       /* operations */
    struct journal_probe_file files[JOURNAL_PROBE_FILES]; /* snapshots and logs */
    size_t file_count;
    uint64_t newest_log; /* their numbers */
    uint64_t newest_snap;
};

/* `probe` is kept. */
struct sim_workload journal_probe_workload(const char *name, struct journal_probe *probe);

/* All of whose files' bytes are protected; *count is set. */
const struct sim_workload *journal_probe_workloads(size_t *count);

/* For runs whose writes store something else. */
const struct sim_workload *journal_lie_workloads(size_t *count);

#endif /* TESTS_CRASH_JOURNAL_PROBE_H */
