/* SPDX-License-Identifier: MIT
 *
 * loops.h: every n-th failure, and every bit of damage, of a workload.
 *
 * All take the workload of explore.h. Each prints a line of figures, and for
 * a violation the STELE_SIM line that repeats the one iteration.
 *
 * The fault loop makes the n-th call to the disk fail, for every n and every
 * kind of fault, until a run meets none. Errors are expected; after the run
 * check() must hold (a) for what a new process finds, the cache being kept, and
 * (b) for what a crash leaves: with all that was pending, nothing of it, and a
 * few subsets. So a failure that was swallowed shows as an acknowledged thing
 * that is not there. (a) is not crashed again: what a failed sync left in the
 * cache alone is lost then by nobody's fault.
 *
 * A state that was opened before, with the same notes, is not opened again.
 *
 * The recovery loop does that to check() itself, allocations included, on crash
 * states of a few places of the run. Under the fault check() may return an
 * error, but no wrong answer; then, without it and on the disk as it was left,
 * it must be content.
 *
 * The allocation loop makes the n-th allocation fail, once, then the check as
 * above.
 *
 * The bit loop and the cut loop take the files after the whole run and call
 * probe() with one bit flipped or the file cut at one byte.
 */
#ifndef SIM_LOOPS_H
#define SIM_LOOPS_H

#include "sim/explore.h"

struct sim_loop_options {
    uint64_t seed;
    uint32_t sector_size;
    uint32_t stride; /* take every stride-th n, byte or length; 1: all */
    bool all_bits;   /* bit loop: all eight of a byte, else one in turn */
    unsigned workers;
    bool quiet; /* print nothing, also of violations */
};

/* Every n; with STELE_FULL, all bits too. */
void sim_loop_options_init(struct sim_loop_options *options);

/* A span of bytes whose damage went unnoticed. */
struct sim_span {
    char name[SIM_NAME_SIZE];
    uint64_t from;
    uint64_t to;  /* behind the last byte */
    uint8_t bits; /* of any of its bytes */
};

#define SIM_SPANS_MAX 64

struct sim_spans {
    size_t count;
    size_t more; /* that had no room */
    struct sim_span list[SIM_SPANS_MAX];
};

/* True if there was no violation. */
bool sim_fault_loop(const struct sim_workload *workload, const struct sim_loop_options *options,
        struct sim_report *report);
bool sim_recovery_fault_loop(const struct sim_workload *workload,
        const struct sim_loop_options *options, struct sim_report *report);
bool sim_alloc_loop(const struct sim_workload *workload, const struct sim_loop_options *options,
        struct sim_report *report);

/* Collects where probe() said SIM_PROBE_SILENT; that is no violation here, since
 * only the module knows which bytes its format protects. NULL: it is one. For
 * the cut loop `from` and `to` are lengths of the file. */
bool sim_bit_loop(const struct sim_workload *workload, const struct sim_loop_options *options,
        struct sim_spans *silent, struct sim_report *report);
bool sim_cut_loop(const struct sim_workload *workload, const struct sim_loop_options *options,
        struct sim_spans *silent, struct sim_report *report);

/* What the n-th write of run() stores has a wrong bit, for every n, and no error tells; then
 * probe() with the notes of that run. An error of run() is right. */
bool sim_lie_loop(const struct sim_workload *workload, const struct sim_loop_options *options,
        struct sim_report *report);

#endif /* SIM_LOOPS_H */
