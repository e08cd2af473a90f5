/* SPDX-License-Identifier: MIT
 *
 * cmd_docs_stat.c: `stele docs stat`, `checkpoints`.
 */
#include "cli/cmd_docs.h"
#include "cli/output.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- stat ---- */

static void print_stats_json(const stele_docs_stats *stats)
{
    struct sti_json j = sti_json_begin(stdout);

    sti_json_uint(&j, "documents", stats->documents);
    sti_json_uint(&j, "deleted", stats->deleted);
    sti_json_uint(&j, "types", stats->types);
    sti_json_uint(&j, "entries", stats->entries);
    sti_json_uint(&j, "keys", stats->keys);
    sti_json_uint(&j, "conflicts", stats->conflicts);
    sti_json_uint(&j, "size", stats->size);
    sti_json_uint(&j, "size_in_use", stats->size_in_use);
    sti_json_uint(&j, "wal_size", stats->wal_size);
    sti_json_end(&j);
}

static void print_stats_text(const stele_docs_stats *stats)
{
    sti_row_uint("documents", stats->documents);
    sti_row_uint("deleted", stats->deleted);
    sti_row_uint("types", stats->types);
    sti_row_uint("entries", stats->entries);
    sti_row_uint("keys", stats->keys);
    sti_row_uint("conflicts", stats->conflicts);
    sti_row("size", "%" PRIu64 ", %" PRIu64 " of it in use", stats->size, stats->size_in_use);
    sti_row_uint("wal size", stats->wal_size);
}

stele_code sti_docs_stat_verb(const struct sti_run *run, stele_error *err)
{
    stele_docs_stats stats = {.documents = 0};
    stele_docs *db = NULL;
    stele_code code = sti_docs_open_reader(run, &db, err);

    if (code == STELE_OK) {
        code = sti_docs_done(db, stele_docs_stat(db, &stats, err), err);
    }
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

/* ---- checkpoints ---- */

static stele_code print_checkpoint(
        void *arg, const stele_docs_checkpoint *checkpoint, stele_error *err)
{
    const bool *json = arg;
    char sum[2 * sizeof checkpoint->sum + 1];
    struct sti_json j;

    for (size_t i = 0; i < sizeof checkpoint->sum; i++) {
        (void)snprintf(sum + 2 * i, 3, "%02x", checkpoint->sum[i]);
    }
    if (*json) {
        j = sti_json_begin(stdout);
        sti_json_int(&j, "epoch", checkpoint->epoch);
        sti_json_uint(&j, "count", checkpoint->count);
        sti_json_text(&j, "sum", sum);
        sti_json_end(&j);
    } else {
        (void)printf("%" PRId64 "\t%" PRIu64 "\t%s\n", checkpoint->epoch, checkpoint->count, sum);
    }
    return sti_docs_printed(err);
}

stele_code sti_docs_checkpoints_verb(const struct sti_run *run, stele_error *err)
{
    bool json = run->json;
    stele_docs *db = NULL;
    stele_code code = sti_docs_open_reader(run, &db, err);

    return code == STELE_OK ? sti_docs_done(db,
                                      stele_docs_checkpoints(db, print_checkpoint, &json, err), err)
                            : code;
}
