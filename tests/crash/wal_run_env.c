/* SPDX-License-Identifier: MIT
 *
 * wal_run_env.c: the world as the log sees it: that of the simulation, but that a look at the clock
 * can be a moment at which the program does something else, as another thread would.
 */
#include "crash/wal_run.h"

static stele_time wall_clock(void *arg)
{
    const struct wal_run *r = arg;

    return r->w->env.wall_clock(r->w->env.arg);
}

static uint64_t monotonic_ns(void *arg)
{
    struct wal_run *r = arg;
    void (*at_clock)(struct wal_run *) = r->at_clock;

    r->at_clock = NULL;
    if (at_clock != NULL) {
        at_clock(r);
    }
    return r->w->env.monotonic_ns(r->w->env.arg);
}

static void fill_random(void *arg, void *out, size_t len)
{
    const struct wal_run *r = arg;

    r->w->env.random(r->w->env.arg, out, len);
}

static void log_line(void *arg, stele_log_level level, const char *message)
{
    const struct wal_run *r = arg;

    r->w->env.log(r->w->env.arg, level, message);
}

void wrun_env_init(struct wal_run *r)
{
    r->env = r->w->env;
    r->env.arg = r;
    r->env.wall_clock = wall_clock;
    r->env.monotonic_ns = monotonic_ns;
    r->env.random = fill_random;
    r->env.log = log_line;
}
