/* SPDX-License-Identifier: MIT
 *
 * cmd_journal_play.c: `stele journal play`, `stat`.
 */
#include "cli/cmd_journal.h"
#include "cli/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- play ---- */

static stele_code print_op(void *arg, const stele_journal_op *op, stele_error *err)
{
    const struct sti_run *run = arg;

    if (run->json) {
        sti_journal_print_json(stdout, op);
    } else {
        sti_journal_print_text(op);
    }
    return ferror(stdout) == 0 ? STELE_OK : sti_finish_output(err);
}

static void print_notes(const stele_journal_played *played)
{
    if (played->fell_back) {
        (void)fprintf(stderr,
                "note: a newer snapshot is damaged; this is %s and the logs behind it\n",
                played->snapshot[0] == '\0' ? "no snapshot" : played->snapshot);
    }
    if (played->torn) {
        (void)fprintf(stderr,
                "note: %s ends in something unfinished: %" PRIu64 " bytes at %" PRIu64 "\n",
                played->torn_file, played->torn_bytes, played->torn_position);
    }
}

stele_code sti_journal_play_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_journal_args *args = run->args;
    struct sti_run copy = *run;
    stele_journal_played played;
    stele_journal_until until;
    stele_journal *journal = NULL;
    stele_code code = stele_journal_open(&journal, run->operands->items[0], NULL, err);

    if (code != STELE_OK) {
        return code;
    }
    memset(&played, 0, sizeof played);
    stele_journal_until_init(&until);
    if (args->until_count.given) {
        until.count = (uint64_t)args->until_count.value;
    }
    if (args->until_time.given) {
        until.time = args->until_time.value;
    }
    code = stele_journal_play_until(journal, &until, print_op, &copy, &played, err);
    print_notes(&played);
    (void)stele_journal_close(journal, NULL); /* it has nothing to write */
    return code;
}

/* ---- stat ---- */

static void print_stats_json(const stele_journal_stats *stats)
{
    struct sti_json j = sti_json_begin(stdout);

    sti_json_uint(&j, "count", stats->count);
    sti_json_uint(&j, "snapshots", stats->snapshots);
    sti_json_uint(&j, "logs", stats->logs);
    sti_json_uint(&j, "snapshot_ops", stats->snapshot_ops);
    sti_json_uint(&j, "snapshot_count", stats->snapshot_count);
    sti_json_uint(&j, "snapshot_size", stats->snapshot_size);
    if (stats->snapshot_time == 0) {
        sti_json_null(&j, "snapshot_time");
    } else {
        sti_json_time(&j, "snapshot_time", stats->snapshot_time);
    }
    sti_json_uint(&j, "log_ops", stats->log_ops);
    sti_json_uint(&j, "log_size", stats->log_size);
    sti_json_end(&j);
}

static void print_stats_text(const stele_journal_stats *stats)
{
    char time[STI_TIME_TEXT_SIZE];

    sti_row_uint("operations", stats->count);
    sti_row_uint("snapshots", stats->snapshots);
    sti_row_uint("logs", stats->logs);
    if (stats->snapshot_time != 0) {
        sti_format_time(stats->snapshot_time, time);
        sti_row("snapshot", "%" PRIu64 " operations that stand for %" PRIu64 ", %" PRIu64 " bytes",
                stats->snapshot_ops, stats->snapshot_count, stats->snapshot_size);
        sti_row("made", "%s", time);
    }
    sti_row("behind it", "%" PRIu64 " operations, %" PRIu64 " bytes", stats->log_ops,
            stats->log_size);
}

stele_code sti_journal_stat_verb(const struct sti_run *run, stele_error *err)
{
    stele_journal_stats stats;
    stele_code code = stele_journal_stat_dir(run->operands->items[0], NULL, &stats, err);

    if (code != STELE_OK) {
        return code;
    }
    if (run->json) {
        print_stats_json(&stats);
    } else {
        print_stats_text(&stats);
    }
    return STELE_OK;
}
