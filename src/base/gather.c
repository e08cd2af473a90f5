/* SPDX-License-Identifier: MIT */
#include "base/gather.h"

#include "base/thread.h"

enum {
    NS_MIN = 20000, /* a sync that takes less is not worth waiting for others */
    NS_MAX = 2000000,
    PASSES_MAX = 63
};

enum sti_gather_step sti_gather_begin(struct sti_gather *g, int64_t *deadline_ns)
{
    int64_t most = g->took_ns < NS_MAX / 2 ? 2 * g->took_ns : NS_MAX;

    if (g->waiting >= g->expected) {
        return STI_GATHER_GO;
    }
    if (g->passes > 0 || most < NS_MIN) {
        g->passes -= g->passes > 0 ? 1 : 0;
        return STI_GATHER_YIELD;
    }
    *deadline_ns = g->ended_ns + most;
    /* Whoever meant to go on at once has done so. */
    return sti_monotonic_now_ns() >= *deadline_ns ? STI_GATHER_GO : STI_GATHER_WAIT;
}

void sti_gather_missed(struct sti_gather *g)
{
    if (g->misses < PASSES_MAX) {
        g->misses = 2 * g->misses + 1;
    }
    g->passes = g->misses;
}

bool sti_gather_takes_over(struct sti_gather *g)
{
    if (g->gatherer == NULL || g->waiting < g->expected) {
        return false;
    }
    *g->gatherer = true;
    g->gatherer = NULL;
    g->misses = 0;
    return true;
}

size_t sti_gather_take(struct sti_gather *g)
{
    size_t taken = g->waiting;

    g->waiting = 0;
    return taken;
}

void sti_gather_done(struct sti_gather *g, size_t taken, int64_t began_ns)
{
    g->ended_ns = sti_monotonic_now_ns();
    g->took_ns = g->ended_ns - began_ns;
    g->expected = taken + g->waiting;
}
