/* SPDX-License-Identifier: MIT
 *
 * drain.c: no read stands on the map of the file while it is exchanged for a larger one.
 */
#include "base/error.h"
#include "store/state.h"

enum {
    DRAIN_MS = 2000 /* that reads wait for those which were there before, which may be their own */
};

stele_code sti_store_fail_lost(stele_error *err)
{
    return sti_fail(err, STELE_ENOMEM, "the map of the file could not grow, and is lost");
}

bool sti_store_drain(stele_store *s)
{
    const stele_wait wait = {.timeout_ms = DRAIN_MS};
    int64_t deadline = sti_wait_deadline(&wait);
    bool open;

    atomic_store(&s->draining, true);
    sti_mutex_lock(&s->reads);
    while ((open = sti_store_reads_open(s) > 0) &&
            sti_cond_wait_until(&s->drained, &s->reads, deadline)) {
    }
    if (open) {
        atomic_store(&s->draining, false);
        sti_cond_broadcast(&s->drained);
    }
    sti_mutex_unlock(&s->reads);
    return !open;
}

void sti_store_undrain(stele_store *s, bool lost)
{
    sti_mutex_lock(&s->reads);
    atomic_store(&s->map_lost, lost);
    atomic_store(&s->draining, lost);
    sti_cond_broadcast(&s->drained);
    sti_mutex_unlock(&s->reads);
}

void sti_store_tell_drainer(stele_store *s)
{
    sti_mutex_lock(&s->reads);
    sti_cond_broadcast(&s->drained);
    sti_mutex_unlock(&s->reads);
}

stele_code sti_store_wait_for_drainer(stele_store *s, stele_error *err)
{
    bool lost;

    sti_mutex_lock(&s->reads);
    sti_cond_broadcast(&s->drained);
    while (atomic_load(&s->draining) && !atomic_load(&s->map_lost)) {
        sti_cond_wait(&s->drained, &s->reads);
    }
    lost = atomic_load(&s->map_lost);
    sti_mutex_unlock(&s->reads);
    return lost ? sti_store_fail_lost(err) : STELE_OK;
}
