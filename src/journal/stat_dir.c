/* SPDX-License-Identifier: MIT
 *
 * stat_dir.c: the figures of a journal from its files.
 */
#include "base/env.h"
#include "base/error.h"
#include "journal/stat.h"

enum {
    NS_PER_US = 1000
};

static uint64_t count_old(const struct sti_journal_chain *chain, enum sti_journal_name_kind kind)
{
    uint64_t count = 0;

    for (size_t i = 0; i < chain->old_count; i++) {
        count += chain->old[i].kind == kind ? 1 : 0;
    }
    return count;
}

static void stat_snap(const struct sti_journal_chain *chain, stele_journal_stats *out)
{
    const struct sti_journal_file *snap = &chain->snap;

    out->snapshots = (snap->seg != NULL ? 1 : 0) + chain->bad_count +
                     count_old(chain, STI_JOURNAL_NAME_SNAP);
    out->snapshot_ops = chain->end.ops;
    out->snapshot_count = chain->end.count;
    out->snapshot_latest = chain->end.latest;
    out->snapshot_size = snap->size;
    out->snapshot_time = (stele_time)(snap->number / NS_PER_US);
}

stele_code sti_journal_stat_chain(
        struct sti_journal_chain *chain, stele_journal_stats *out, stele_error *err)
{
    uint64_t next_op = chain->end.count + 1;
    uint64_t log_size = 0;

    for (size_t i = 0; i < chain->begun_count; i++) {
        struct sti_journal_file *log = &chain->logs[i];

        if (i + 1 == chain->begun_count) {
            struct sti_scan scan;
            stele_code rc = sti_journal_log_scan(log, &scan, err);

            if (rc != STELE_OK) {
                return rc;
            }
            /* Its header may have been damaged since it was opened. */
            next_op = scan.header ? scan.next_id : log->first_op;
            log_size += scan.end;
        } else if (log->first_op != 0) {
            log_size += log->size;
        }
    }
    stat_snap(chain, out);
    out->logs = chain->log_count + count_old(chain, STI_JOURNAL_NAME_LOG);
    out->count = next_op - 1;
    out->log_ops = out->count - chain->end.count;
    out->log_size = log_size;
    out->replay_ms = -1;
    return STELE_OK;
}

stele_code stele_journal_stat_dir(const char *dir, const stele_journal_options *opts,
        stele_journal_stats *out, stele_error *err)
{
    struct sti_journal_chain chain = {0};
    stele_journal_stats stats = {0};
    stele_journal_options options;
    struct sti_dir d = {0};
    stele_code rc;

    if (dir == NULL || out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no directory, or no place for the figures");
    }
    rc = sti_options_copy(&options, sizeof options, opts, "stele_journal_options", err);
    rc = rc != STELE_OK ? rc : sti_dir_open(&d, options.env, dir, STELE_OPEN_READ, err);
    rc = rc != STELE_OK
                 ? rc
                 : sti_journal_chain_load(&chain, &d, STI_CHAIN_SHALLOW, options.no_map, err);
    rc = rc != STELE_OK ? rc : sti_journal_stat_chain(&chain, &stats, err);
    sti_journal_chain_free(&chain);
    sti_dir_close(&d);
    if (rc != STELE_OK) {
        return sti_wrap(err, rc, "look at journal %s", dir);
    }
    *out = stats;
    return STELE_OK;
}
