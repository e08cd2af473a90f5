/* SPDX-License-Identifier: MIT
 *
 * deadline.h: when a long call has to give up, looked at between its steps.
 */
#ifndef STI_STORE_DEADLINE_H
#define STI_STORE_DEADLINE_H

#include "base/error.h"
#include "base/thread.h"

enum {
    STI_DEADLINE_EVERY = 1024 /* entries, between looks at the time */
};

struct sti_deadline {
    const stele_wait *wait; /* borrowed; may be NULL */
    int64_t at;
};

static inline struct sti_deadline sti_deadline_of(const stele_wait *wait)
{
    return (struct sti_deadline){.wait = wait, .at = sti_wait_deadline(wait)};
}

/* STELE_ECANCELED, STELE_ETIMEDOUT. */
static inline stele_code sti_deadline_look(const struct sti_deadline *d, stele_error *err)
{
    if (d->wait == NULL) {
        return STELE_OK;
    }
    if (sti_cancel_triggered(d->wait->cancel)) {
        return sti_fail(err, STELE_ECANCELED, "canceled");
    }
    return sti_monotonic_now_ns() >= d->at ? sti_fail(err, STELE_ETIMEDOUT, "timed out") : STELE_OK;
}

#endif /* STI_STORE_DEADLINE_H */
