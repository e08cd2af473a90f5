/* SPDX-License-Identifier: MIT
 *
 * stream_check.h: open a stream on the disk that a crash left, and judge it.
 */
#ifndef TESTS_CRASH_STREAM_CHECK_H
#define TESTS_CRASH_STREAM_CHECK_H

#include "crash/stream_model.h"

/* As check() of a workload whose stream is opened with this configuration. */
int stream_check(const struct model_config *config, struct sim_world *w,
        const struct sim_notes *notes, char *why, size_t why_len);

#endif /* TESTS_CRASH_STREAM_CHECK_H */
