/* SPDX-License-Identifier: MIT
 *
 * journal_check.h: what every crashed state of a journal has to stand.
 */
#ifndef TESTS_CRASH_JOURNAL_CHECK_H
#define TESTS_CRASH_JOURNAL_CHECK_H

#include "crash/journal_model.h"

/* For check() of a workload. */
int journal_check(const struct jmodel_config *config, struct sim_world *w,
        const struct sim_notes *notes, char *why, size_t why_len);

#endif /* TESTS_CRASH_JOURNAL_CHECK_H */
