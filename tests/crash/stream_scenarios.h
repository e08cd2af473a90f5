/* SPDX-License-Identifier: MIT
 *
 * stream_scenarios.h: promises of the stream that no crash shows, each in a few lines.
 */
#ifndef TESTS_CRASH_STREAM_SCENARIOS_H
#define TESTS_CRASH_STREAM_SCENARIOS_H

#include "crash/scenario.h"

#include <stddef.h>

const struct scenario *stream_scenarios(size_t *count);

#endif /* TESTS_CRASH_STREAM_SCENARIOS_H */
