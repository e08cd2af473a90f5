/* SPDX-License-Identifier: MIT
 *
 * cmd_docs_stat.c: `stele docs stat`, `checkpoints`.
 */
#include "cli/cmd_docs.h"
#include "cli/output.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- stat ---- */

static const char *state_text(const stele_docs_status *status)
{
    switch (status->state) {
    case STELE_DOCS_INITIALISING:
        return "initialising";
    case STELE_DOCS_REINDEXING:
        return "reindexing";
    default:
        return "ready";
    }
}

static void print_stats_json(const stele_docs_status *status)
{
    struct sti_json j = sti_json_begin(stdout);

    sti_json_uint(&j, "documents", status->documents);
    sti_json_uint(&j, "deleted", status->deleted);
    sti_json_uint(&j, "types", status->types);
    sti_json_uint(&j, "entries", status->entries);
    sti_json_uint(&j, "keys", status->keys);
    sti_json_uint(&j, "conflicts", status->conflicts);
    sti_json_uint(&j, "unreadable", status->unreadable);
    sti_json_uint(&j, "ending", status->ending);
    sti_json_text(&j, "state", state_text(status));
    sti_json_uint(&j, "position", status->seq);
    sti_json_uint(&j, "size", status->size);
    sti_json_uint(&j, "size_in_use", status->size_in_use);
    sti_json_uint(&j, "wal_size", status->wal_size);
    sti_json_end(&j);
}

static void print_stats_text(const stele_docs_status *status)
{
    sti_row_uint("documents", status->documents);
    sti_row_uint("deleted", status->deleted);
    sti_row_uint("types", status->types);
    sti_row_uint("entries", status->entries);
    sti_row_uint("keys", status->keys);
    sti_row_uint("conflicts", status->conflicts);
    sti_row_uint("unreadable", status->unreadable);
    sti_row_uint("ending", status->ending);
    sti_row("state", "%s", state_text(status));
    sti_row_uint("position", status->seq);
    sti_row("size", "%" PRIu64 ", %" PRIu64 " of it in use", status->size, status->size_in_use);
    sti_row_uint("wal size", status->wal_size);
}

stele_code sti_docs_stat_verb(const struct sti_run *run, stele_error *err)
{
    stele_docs_status status = {.state = STELE_DOCS_READY};
    stele_docs *db = NULL;
    stele_code code = sti_docs_open_reader(run, &db, err);

    if (code == STELE_OK) {
        code = sti_docs_done(db, stele_docs_get_status(db, &status, err), err);
    }
    if (code != STELE_OK) {
        return code;
    }
    if (run->json) {
        print_stats_json(&status);
    } else {
        print_stats_text(&status);
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
