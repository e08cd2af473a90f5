/* SPDX-License-Identifier: MIT
 *
 * wal_probe.h: a log for the bit and cut loops, and everything read from it.
 *
 * The probe is silent (loops.h) if a call gives out a record that was not appended so, or if one
 * is missing and nothing says so: neither the open, nor a read, nor the library's log, nor
 * stele_wal_check_dir().
 */
#ifndef TESTS_CRASH_WAL_PROBE_H
#define TESTS_CRASH_WAL_PROBE_H

#include "crash/wal_model.h"

enum {
    WAL_PROBE_RECORDS = 14 /* in a few segments */
};

struct wal_probe {
    struct wmodel_config config;
    bool crashed; /* the log was not closed */
};

/* `probe` is kept. */
struct sim_workload wal_probe_workload(const char *name, struct wal_probe *probe);

/* Some, for stele_wal files, of which all bytes are protected. */
const struct sim_workload *wal_probe_workloads(size_t *count);

#endif /* TESTS_CRASH_WAL_PROBE_H */
