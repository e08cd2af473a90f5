/* SPDX-License-Identifier: MIT
 *
 * stream_probe.h: a closed stream for the bit and cut loops, and everything read from it.
 *
 * The probe is silent (loops.h) if a call gives out a message that was not published so, or
 * in another order, if one is missing and neither a call nor stele_stream_check_dir() says so, or
 * if a call meets damage which that does not find. Then it recovers the directory: that has to
 * keep what is whole, to say what is lost, to put aside what it cuts, to give no offset again, and
 * to leave files without fault.
 */
#ifndef TESTS_CRASH_STREAM_PROBE_H
#define TESTS_CRASH_STREAM_PROBE_H

#include "crash/stream_model.h"

enum {
    STREAM_PROBE_MESSAGES = 12, /* three segments with this rollover */
    STREAM_PROBE_ROLLOVER = 300
};

/* `config` is kept, and needs the rollover above. */
struct sim_workload stream_probe_workload(const char *name, const struct model_config *config);

/* The same with a copy beside it. The probe brings the copy up to date, and if that reports
 * success reads it. */
struct sim_workload stream_copy_workload(const char *name, const struct model_config *config);

/* The same for the lie loop: the probe reads a copy that was acknowledged. */
struct sim_workload stream_lie_workload(const char *name, const struct model_config *config);

#endif /* TESTS_CRASH_STREAM_PROBE_H */
