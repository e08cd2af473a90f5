/* SPDX-License-Identifier: MIT
 *
 * clock.c: the hybrid logical clock.
 */
#include "docs/clock.h"

#include "base/assert.h"
#include "base/error.h"

static bool is_later(struct sti_docs_time a, struct sti_docs_time b)
{
    return a.seconds != b.seconds ? a.seconds > b.seconds : a.ns > b.ns;
}

static struct sti_docs_time later_of(struct sti_docs_time a, struct sti_docs_time b)
{
    return is_later(b, a) ? b : a;
}

static struct sti_docs_time wall_of(struct sti_docs_time wall)
{
    sti_assert(wall.ns < STI_DOCS_SECOND_NS);
    return wall.seconds < 0 ? (struct sti_docs_time){.seconds = 0} : wall;
}

/* At the end of time it stays there. */
static struct sti_docs_time add_seconds(struct sti_docs_time t, uint32_t seconds)
{
    if (__builtin_add_overflow(t.seconds, (int64_t)seconds, &t.seconds)) {
        t = (struct sti_docs_time){.seconds = INT64_MAX, .ns = STI_DOCS_SECOND_NS - 1};
    }
    return t;
}

void sti_docs_clock_init(
        struct sti_docs_clock *clock, uint32_t server, struct sti_docs_time ceiling)
{
    sti_assert(server != 0);
    sti_assert(ceiling.seconds >= 0);
    sti_assert(ceiling.ns < STI_DOCS_SECOND_NS);
    *clock = (struct sti_docs_clock){.last = ceiling, .ceiling = ceiling, .server = server};
}

stele_code sti_docs_clock_next(struct sti_docs_clock *clock, struct sti_docs_time wall,
        struct sti_docs_version *out, stele_error *err)
{
    struct sti_docs_time next = clock->last;

    next.ns++;
    if (next.ns == STI_DOCS_SECOND_NS) {
        if (next.seconds == INT64_MAX) {
            return sti_fail(err, STELE_ETOOBIG, "the clock of versions is at its end");
        }
        next.seconds++;
        next.ns = 0;
    }
    next = later_of(next, wall_of(wall));
    if (is_later(next, clock->ceiling)) {
        return sti_fail(err, STELE_ESTATE, "the ceiling of the clock is to be raised first");
    }
    clock->last = next;
    *out = (struct sti_docs_version){
            .seconds = next.seconds, .ns = next.ns, .server = clock->server};
    return STELE_OK;
}

struct sti_docs_time sti_docs_clock_ceiling(
        const struct sti_docs_clock *clock, struct sti_docs_time wall, uint32_t ahead_seconds)
{
    if (ahead_seconds == 0) {
        return clock->last;
    }
    return later_of(
            clock->ceiling, add_seconds(later_of(clock->last, wall_of(wall)), ahead_seconds));
}

stele_code sti_docs_clock_raise(
        struct sti_docs_clock *clock, struct sti_docs_time ceiling, stele_error *err)
{
    if (ceiling.seconds < 0 || ceiling.ns >= STI_DOCS_SECOND_NS || is_later(clock->last, ceiling)) {
        return sti_fail(err, STELE_EINVAL, "the ceiling is below what the clock has given");
    }
    clock->ceiling = ceiling;
    return STELE_OK;
}

static void merge(struct sti_docs_clock *clock, struct sti_docs_version version)
{
    struct sti_docs_time time = {.seconds = version.seconds, .ns = version.ns};

    sti_assert(sti_docs_version_is_valid(version));
    clock->last = later_of(clock->last, time);
}

enum sti_docs_observed sti_docs_clock_observe(struct sti_docs_clock *clock,
        struct sti_docs_version version, struct sti_docs_time wall, uint32_t max_drift_seconds)
{
    struct sti_docs_time time = {.seconds = version.seconds, .ns = version.ns};

    if (is_later(time, add_seconds(wall_of(wall), max_drift_seconds))) {
        return STI_DOCS_OBSERVED_QUARANTINE;
    }
    merge(clock, version);
    return STI_DOCS_OBSERVED_MERGED;
}

void sti_docs_clock_recover(struct sti_docs_clock *clock, struct sti_docs_version version)
{
    merge(clock, version);
}
