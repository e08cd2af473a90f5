/* SPDX-License-Identifier: MIT
 *
 * clock.h: the clock that gives versions: that of the wall where it goes forward, and never back.
 *
 * A hybrid logical clock: each version is the time of the wall, or a nanosecond more than the
 * last one if that is later, and what comes from others moves it on. The time of the wall comes
 * in with each call, and nothing is stored here:
 *
 *   - no version is given above the ceiling, which the caller stores before it raises it here;
 *   - after a restart the clock begins at the ceiling that was stored, so that the next version is
 *     above everything that was given or merged before, whatever the wall says;
 *   - what comes from others may be above the ceiling. The caller has stored it, in the log, and
 *     has the clock observe the highest of the log after a restart.
 */
#ifndef STI_DOCS_CLOCK_H
#define STI_DOCS_CLOCK_H

#include "docs/version.h"

struct sti_docs_time {
    int64_t seconds; /* since 1970; of the wall also negative: that counts as 0 */
    uint32_t ns;
};

struct sti_docs_clock {
    struct sti_docs_time last;    /* the highest given or merged */
    struct sti_docs_time ceiling; /* no version is given above it */
    uint32_t server;              /* of the versions given, not 0 */
};

enum sti_docs_observed {
    STI_DOCS_OBSERVED_MERGED,
    STI_DOCS_OBSERVED_QUARANTINE /* too far ahead: the clock has not moved */
};

/* `ceiling` is what was stored last, {0, 0} for a new clock. */
void sti_docs_clock_init(
        struct sti_docs_clock *clock, uint32_t server, struct sti_docs_time ceiling);

/* A version above every one that was given or merged, and not below the wall. STELE_ESTATE if it
 * would be above the ceiling: raise that first. STELE_ETOOBIG at the end of time, for good. The
 * clock is then as before. */
stele_code sti_docs_clock_next(struct sti_docs_clock *clock, struct sti_docs_time wall,
        struct sti_docs_version *out, stele_error *err);

/* The ceiling to store: `ahead_seconds` beyond the later of the wall and the last version. With
 * 0, at a clean end, the clock loses nothing by it. It is never below the one there is, save
 * with 0. */
struct sti_docs_time sti_docs_clock_ceiling(
        const struct sti_docs_clock *clock, struct sti_docs_time wall, uint32_t ahead_seconds);

/* The ceiling is stored. One that is below the last version given is refused: STELE_EINVAL. */
stele_code sti_docs_clock_raise(
        struct sti_docs_clock *clock, struct sti_docs_time ceiling, stele_error *err);

/* A version that came from elsewhere. It is merged if it is at most max_drift_seconds beyond the
 * wall. Whether it was, is a question of the wall alone, and not of where the clock is. */
enum sti_docs_observed sti_docs_clock_observe(struct sti_docs_clock *clock,
        struct sti_docs_version version, struct sti_docs_time wall, uint32_t max_drift_seconds);

/* A version of the own log, after a restart: merged however far ahead it is. */
void sti_docs_clock_recover(struct sti_docs_clock *clock, struct sti_docs_version version);

#endif /* STI_DOCS_CLOCK_H */
