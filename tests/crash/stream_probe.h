/* SPDX-License-Identifier: MIT
 *
 * stream_probe.h: a closed stream for the bit and cut loops, and everything read from it.
 *
 * The probe is silent (loops.h) if a call gives out a message that was not published so, or
 * if one is missing and neither a call nor stele_stream_check_dir() says so.
 */
#ifndef TESTS_CRASH_STREAM_PROBE_H
#define TESTS_CRASH_STREAM_PROBE_H

#include "crash/stream_model.h"

enum {
    STREAM_PROBE_MESSAGES = 12, /* three segments with this rollover */
    STREAM_PROBE_ROLLOVER = 300
};

/* `config` is kept, and needs the rollover above. */
struct sim_workload stream_probe_workload(const char *name, struct model_config *config);

#endif /* TESTS_CRASH_STREAM_PROBE_H */
