/* SPDX-License-Identifier: MIT
 *
 * journal_queries.c: playing up to a moment, and figures, compared with the model.
 */
#include "crash/journal_model.h"

#include <inttypes.h>
#include <string.h>

/* ---- Playing up to a moment. ---- */

static uint64_t snapshot_count(const struct jmodel_play *whole)
{
    return whole->played.count - (whole->played.ops - whole->played.snapshot_ops);
}

/* What a play up to a moment has to give: so many operations of the whole one. */
static int expect_part(const struct jmodel_play *part, const struct jmodel_play *whole, size_t ops,
        const char *moment, const struct crash_why *why)
{
    if (part->count != ops ||
            memcmp(part->values, whole->values, ops * sizeof *part->values) != 0) {
        return crash_wrong(
                why, "played %zu operations until a %s, and not %zu", part->count, moment, ops);
    }
    if (part->played.count != snapshot_count(whole) + ops - whole->played.snapshot_ops) {
        return crash_wrong(
                why, "count %" PRIu64 " after playing until a %s", part->played.count, moment);
    }
    return 0;
}

static int until_count(stele_journal *journal, const struct jmodel *m,
        const struct jmodel_play *whole, uint64_t count, const struct crash_why *why)
{
    stele_journal_until until;
    struct jmodel_play part;
    uint64_t first = snapshot_count(whole);
    stele_error err;
    stele_code rc;

    stele_journal_until_init(&until);
    until.count = count;
    rc = jmodel_play(journal, m->config, &until, &part, &err);
    if (count < first) {
        return rc == STELE_ENOTFOUND && part.count == 0 ? 0
               : rc == STELE_OK || rc == STELE_ENOTFOUND
                       ? crash_wrong(why, "played until a count before the snapshot")
                       : crash_failed(why, "play until a count", rc, &err);
    }
    if (rc != STELE_OK) {
        return crash_failed(why, "play until a count", rc, &err);
    }
    count = count > whole->played.count ? whole->played.count : count;
    return expect_part(
            &part, whole, (size_t)(whole->played.snapshot_ops + count - first), "count", why);
}

static int until_time(stele_journal *journal, const struct jmodel *m,
        const struct jmodel_play *whole, const struct jmodel_found *found, uint64_t at,
        const struct crash_why *why)
{
    stele_journal_until until;
    struct jmodel_play part;
    size_t ops = (size_t)whole->played.snapshot_ops;
    int64_t latest = INT64_MIN;
    stele_error err;
    stele_code rc;

    stele_journal_until_init(&until);
    until.time = jops_timestamp(found->values[at]);
    for (uint64_t i = 1; i <= snapshot_count(whole); i++) {
        int64_t timestamp = jops_timestamp(found->values[i]);

        latest = timestamp > latest ? timestamp : latest;
    }
    while (ops < whole->count && jops_timestamp(whole->values[ops]) <= until.time) {
        ops++;
    }
    rc = jmodel_play(journal, m->config, &until, &part, &err);
    if (latest > until.time) {
        return rc == STELE_ENOTFOUND && part.count == 0 ? 0
               : rc == STELE_OK || rc == STELE_ENOTFOUND
                       ? crash_wrong(why, "played until a time before the snapshot")
                       : crash_failed(why, "play until a time", rc, &err);
    }
    return rc == STELE_OK ? expect_part(&part, whole, ops, "time", why)
                          : crash_failed(why, "play until a time", rc, &err);
}

int jmodel_check_until(stele_journal *journal, const struct jmodel *m,
        const struct jmodel_play *whole, const struct jmodel_found *found, uint64_t pick,
        const struct crash_why *why)
{
    uint64_t at = pick % (found->count + 2);
    int result = until_count(journal, m, whole, at, why);

    return result != 0 || at == 0 || at > found->count
                   ? result
                   : until_time(journal, m, whole, found, at, why);
}

/* ---- Figures. ---- */

int jmodel_check_stat(stele_journal *journal, const stele_env *env, const struct jmodel *m,
        const struct jmodel_play *play, const struct crash_why *why)
{
    const stele_journal_played *p = &play->played;
    stele_journal_options options;
    stele_journal_stats stats;
    stele_error err;
    stele_code rc;

    jmodel_options(m->config, env, &options);
    rc = journal != NULL ? stele_journal_stat(journal, &stats, &err)
                         : stele_journal_stat_dir(JMODEL_DIR, &options, &stats, &err);
    if (rc != STELE_OK) {
        return crash_failed(why, "stat", rc, &err);
    }
    if (stats.count != p->count || stats.snapshot_ops != p->snapshot_ops ||
            stats.log_ops != p->ops - p->snapshot_ops ||
            (stats.snapshots > 0) != (p->snapshot[0] != '\0') ||
            (stats.snapshots > 0 && stats.snapshot_count != snapshot_count(play))) {
        return crash_wrong(why,
                "stat: count %" PRIu64 ", %" PRIu64 " in the snapshot for %" PRIu64 ", %" PRIu64
                " in logs; played %" PRIu64 ", %" PRIu64 " of the snapshot, count %" PRIu64,
                stats.count, stats.snapshot_ops, stats.snapshot_count, stats.log_ops, p->ops,
                p->snapshot_ops, p->count);
    }
    return 0;
}
