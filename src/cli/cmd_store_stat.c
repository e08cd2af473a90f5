/* SPDX-License-Identifier: MIT
 *
 * cmd_store_stat.c: `stele store stat`, `readers`.
 */
#include "cli/cmd_store.h"
#include "cli/output.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- stat ---- */

static void print_stats_json(const stele_store_stats *stats)
{
    struct sti_json j = sti_json_begin(stdout);

    sti_json_uint(&j, "buckets", stats->buckets);
    sti_json_uint(&j, "keys", stats->keys);
    sti_json_uint(&j, "bytes", stats->bytes);
    sti_json_uint(&j, "size", stats->size);
    sti_json_uint(&j, "size_in_use", stats->size_in_use);
    sti_json_uint(&j, "generation", stats->generation);
    sti_json_uint(&j, "wal_size", stats->wal_size);
    sti_json_end(&j);
}

static void print_stats_text(const stele_store_stats *stats)
{
    sti_row_uint("buckets", stats->buckets);
    sti_row_uint("keys", stats->keys);
    sti_row_uint("bytes", stats->bytes);
    sti_row("size", "%" PRIu64 ", %" PRIu64 " of it in use", stats->size, stats->size_in_use);
    sti_row_uint("generation", stats->generation);
    sti_row_uint("wal size", stats->wal_size);
}

stele_code sti_store_stat_verb(const struct sti_run *run, stele_error *err)
{
    stele_store_stats stats;
    stele_store *s = NULL;
    stele_code code = sti_store_open_reader(run, &s, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_store_done(s, stele_store_stat(s, &stats, err), err);
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

/* ---- readers ---- */

static stele_code print_reader(void *arg, const stele_store_reader *reader, stele_error *err)
{
    const struct sti_run *run = arg;
    struct sti_json j;

    (void)err;
    /* This one looks only. */
    if (reader->own) {
        return STELE_OK;
    }
    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_int(&j, "pid", reader->pid);
        sti_json_int_or_null(&j, "age_ms", reader->age_ms);
        sti_json_uint(&j, "pinned_bytes", reader->pinned_bytes);
        sti_json_end(&j);
    } else if (reader->age_ms >= 0) {
        (void)printf("process %" PRId64 "  %" PRId64 " ms  pins %" PRIu64 " bytes\n", reader->pid,
                reader->age_ms, reader->pinned_bytes);
    } else {
        (void)printf("process %" PRId64 "  age not known  pins %" PRIu64 " bytes\n", reader->pid,
                reader->pinned_bytes);
    }
    return STELE_OK;
}

static void print_cleared(const struct sti_run *run, uint64_t cleared)
{
    struct sti_json j;

    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_uint(&j, "cleared", cleared);
        sti_json_end(&j);
    } else {
        sti_row_uint("cleared", cleared);
    }
}

stele_code sti_store_readers_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_store_args *args = run->args;
    struct sti_run copy = *run;
    stele_store *s = NULL;
    uint64_t cleared = 0;
    stele_code code = sti_store_open_reader(run, &s, err);

    if (code != STELE_OK) {
        return code;
    }
    if (args->clear_stale) {
        code = stele_store_clear_stale(s, &cleared, err);
    }
    if (code == STELE_OK) {
        code = stele_store_readers(s, print_reader, &copy, err);
    }
    code = sti_store_done(s, code, err);
    if (code == STELE_OK && args->clear_stale) {
        print_cleared(run, cleared);
    }
    return code;
}
