/* SPDX-License-Identifier: MIT
 *
 * explore.h: every state in which a crash may leave a workload's files.
 *
 * HOW TO WRITE A WORKLOAD
 *
 * A module supplies two functions, a short scenario and what must hold after
 * it was cut short:
 *
 *     static int run(void *arg, struct sim_world *w)
 *     {
 *         rc = stele_x_open(&x, "/data", &options, &err);   // options.env = &w->env
 *         for (uint64_t i = 0; i < 5 && rc == STELE_OK; i++) {
 *             sim_note_intent(w, PUBLISH, i);               // may be there from now on
 *             rc = stele_x_publish(x, message(i), &err);    // content made from i
 *             if (rc == STELE_OK) {
 *                 sim_note_ack(w, PUBLISH, i);              // must be there from now on
 *             }
 *         }
 *         stele_x_close(x);                                 // always: open handles are reported
 *         return rc;
 *     }
 *
 *     static int check(void *arg, struct sim_world *w, uint64_t at_op,
 *             const struct sim_notes *notes, char *why, size_t why_len)
 *     {
 *         rc = stele_x_open(&x, "/data", &options, &err);   // a torn tail is never fatal
 *         sim_note_recovered(w);                            // crashes end here
 *         // Everything acknowledged in `notes` is there, byte for byte; nothing is
 *         // there without an intent; indexes answer like a scan; no leftovers.
 *         // Say in `why` what is not so, and return 1 for a wrong answer, or the
 *         // (negative) stele_code of an error.
 *     }
 *
 * Notes have a number of the workload's own (`what`) and a value of 64 bits.
 * They are taken at their word: for a crash at operation i, check() gets the
 * notes up to the last acknowledgement by then. An intent is left out when
 * nothing of its call can have reached the disk.
 *
 * For an operation that is visible only after a sync, make the intent before
 * the call and the acknowledgement after the sync returned.
 *
 * run() must depend on the world alone (no time, no addresses, no threads
 * whose order shows), or a failure cannot be reproduced. It returns 0, the
 * stele_code of an error that stopped it (right under a fault, a violation
 * without), or sim_wrong(w, "…") if it was given a wrong answer. Under faults
 * (loops.h) it should insist, as programs do: try a failed call again, and
 * note an acknowledgement only if one returned STELE_OK.
 *
 * check() gets a world of its own whose disk is the state after the crash, with
 * no faults, and has to return 0. (Only the recovery loop of loops.h calls it
 * with faults, and then takes an error, but no wrong answer.) What it changes is
 * not kept. Recovery, and what check() does up to sim_note_recovered(), is
 * crashed at each of its operations too, and check() called on that. So if
 * it goes on writing, as it should, to see that recovery left something
 * that works, it makes notes as run() does, also behind sim_note_recovered():
 * they are added to those of the run where it is crashed or disturbed.
 *
 * Keep scenarios short: 5 to 50 operations, each thing once, small segments.
 * It is the number of changes that are not synced at one time that makes
 * states: up to 10, all subsets are tried. Longer ones go to
 * sim_explore_seeds().
 *
 * A failure prints one line, STELE_SIM=…: the same program with it in the
 * environment runs that state alone, telling which effects were kept.
 * With STELE_FULL set, sim_explore_options_init() gives the full size, else one
 * of seconds.
 */
#ifndef SIM_EXPLORE_H
#define SIM_EXPLORE_H

#include "sim/world.h"

enum sim_probe {
    SIM_PROBE_RIGHT,    /* all answers are as without the damage */
    SIM_PROBE_REPORTED, /* the damage was reported, and what was answered is right */
    SIM_PROBE_SILENT    /* a wrong answer, or a lost one, and no error */
};

struct sim_workload {
    const char *name; /* no colon */
    void *arg;        /* passed to all functions */
    struct sim_disk_options disk;
    /* Makes the files that are there, durably, before run(). May be NULL. Its
     * notes count always. */
    int (*setup)(void *arg, struct sim_world *w);
    int (*run)(void *arg, struct sim_world *w);
    int (*check)(void *arg, struct sim_world *w, uint64_t at_op, const struct sim_notes *notes,
            char *why, size_t why_len);
    /* For the bit and cut loops: reads everything from files of which one is
     * damaged. May be NULL. */
    enum sim_probe (*probe)(void *arg, struct sim_world *w, const struct sim_notes *notes,
            char *why, size_t why_len);
};

struct sim_explore_options {
    uint64_t seed;
    uint32_t sector_size;
    bool ordered;            /* see disk.h */
    uint32_t exhaustive_max; /* all subsets of up to so many effects */
    uint32_t random_count;   /* seeded subsets for each operation with more */
    uint64_t states_per_op;  /* distinct ones; 0: no limit */
    uint64_t states_max; /* and nested ones, of the run: spread over its operations; 0: no limit */
    uint64_t nested_per_state; /* distinct states inside one recovery; 0: none */
    uint64_t opened_max;       /* of one process; 0: no limit */
    double seconds_max;        /* 0: no limit */
    unsigned workers;          /* processes */
    bool quiet;                /* print nothing, also of violations */
};

struct sim_report {
    uint64_t ops;
    uint64_t effects;
    uint64_t generated; /* states */
    uint64_t distinct;
    uint64_t opened; /* check() was called; nested ones included */
    uint64_t nested;
    uint64_t runs;       /* loops: of the workload, or of probe() */
    uint64_t hits;       /* loops: a fault was met */
    uint64_t reported;   /* loops: the workload, or probe(), said so */
    uint64_t met;        /* loops: states after a fault, each opened if it was new */
    uint64_t silent;     /* probes that gave a wrong answer */
    uint64_t violations; /* what must not be */
    uint64_t cut_ops;    /* explorer: operations of which not every state was opened */
    double seconds;
    bool capped; /* a limit was reached before the end */
    char failure[1024];
    char line[512]; /* STELE_SIM=… of the first violation */
};

void sim_explore_options_init(struct sim_explore_options *options);

/* Explore, print one line of figures and the first failure; true if there was
 * no violation. */
bool sim_explore(const struct sim_workload *workload, const struct sim_explore_options *options,
        struct sim_report *report);

/* The same for long runs: of each of `count` seeds from that of the options
 * on, about `samples` random places with a random subset each. run() should
 * draw what it does with sim_world_below(). */
bool sim_explore_seeds(const struct sim_workload *workload,
        const struct sim_explore_options *options, uint64_t count, uint32_t samples,
        struct sim_report *report);

#endif /* SIM_EXPLORE_H */
