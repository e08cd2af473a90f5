/* SPDX-License-Identifier: MIT
 *
 * wal_check.h: what every crashed state of a log has to stand.
 */
#ifndef TESTS_CRASH_WAL_CHECK_H
#define TESTS_CRASH_WAL_CHECK_H

#include "crash/wal_model.h"

/* The check() of a workload, see explore.h. */
int wal_check(const struct wmodel_config *config, struct sim_world *w,
        const struct sim_notes *notes, char *why, size_t why_len);

#endif /* TESTS_CRASH_WAL_CHECK_H */
