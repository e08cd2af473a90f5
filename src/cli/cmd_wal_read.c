/* SPDX-License-Identifier: MIT
 *
 * cmd_wal_read.c: `stele wal cat`, `stat`.
 */
#include "cli/cmd_wal.h"
#include "cli/output.h"
#include "cli/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- cat ---- */

struct printer {
    bool json;
    bool empty; /* at the start */
    uint64_t start;
    uint64_t last; /* at the start: cat comes to an end beside a writer that does not */
    int64_t left;
};

/* A record without bytes is empty, not absent. */
static void print_record(const stele_wal_record *record, bool json)
{
    struct sti_json j;

    if (json) {
        j = sti_json_begin(stdout);
        sti_json_uint(&j, "id", record->id);
        sti_json_bytes(&j, "data", record->data.len == 0 ? stele_empty() : record->data);
        sti_json_end(&j);
    } else {
        sti_print_line(record->data);
    }
}

/* It asks for one more than there was, since damage behind the last record
 * that can be read has to be told. */
static stele_code print_all(struct printer *p, stele_wal_iter *it, stele_error *err)
{
    while (p->left > 0) {
        stele_wal_record record;
        stele_code code = stele_wal_iter_next(it, &record, err);

        if (code != STELE_OK) {
            return code == STELE_END ? STELE_OK : code;
        }
        if (p->empty || record.id > p->last) {
            return STELE_OK;
        }
        print_record(&record, p->json);
        p->left--;
        if (ferror(stdout) != 0) {
            return sti_finish_output(err);
        }
    }
    return STELE_OK;
}

static stele_code cat(struct printer *p, stele_wal *w, stele_error *err)
{
    stele_wal_iter *it = NULL;
    stele_code code = stele_wal_last_id(w, &p->last, &p->empty, err);

    if (code == STELE_OK) {
        code = stele_wal_iter_open(&it, w, p->start, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    code = print_all(p, it, err);
    (void)stele_wal_iter_close(it, NULL); /* it returns again what next() said */
    return code;
}

stele_code sti_wal_cat(const struct sti_run *run, stele_error *err)
{
    const struct sti_wal_args *args = run->args;
    struct printer p = {.json = run->json};
    stele_wal *w = NULL;
    stele_code code = STELE_OK;

    p.left = args->count.given ? args->count.value : INT64_MAX;
    if (args->from != NULL) {
        code = sti_parse_id(args->from, &p.start, err);
        if (code != STELE_OK) {
            return sti_cli_wrap(err, code, "option --from");
        }
    }
    code = sti_wal_open_reader(run, &w, err);
    return code == STELE_OK ? sti_wal_done(w, cat(&p, w, err), err) : code;
}

/* ---- stat ---- */

static void print_stats_json(const stele_wal_stats *stats)
{
    struct sti_json j = sti_json_begin(stdout);

    sti_json_bool(&j, "empty", stats->empty);
    if (stats->empty) {
        sti_json_null(&j, "first_id");
        sti_json_null(&j, "last_id");
    } else {
        sti_json_uint(&j, "first_id", stats->first_id);
        sti_json_uint(&j, "last_id", stats->last_id);
    }
    sti_json_uint(&j, "segments", stats->segments);
    sti_json_uint(&j, "size", stats->size);
    sti_json_text(&j, "format", sti_wal_format_name(stats->format));
    sti_json_end(&j);
}

static void print_stats_text(const stele_wal_stats *stats)
{
    sti_row_bool("empty", stats->empty);
    if (!stats->empty) {
        sti_row_uint("first id", stats->first_id);
        sti_row_uint("last id", stats->last_id);
    }
    sti_row_uint("segments", stats->segments);
    sti_row("size", "%" PRIu64 " bytes", stats->size);
    sti_row("format", "%s", sti_wal_format_name(stats->format));
}

stele_code sti_wal_stat(const struct sti_run *run, stele_error *err)
{
    stele_wal_options opts;
    stele_wal_stats stats;
    stele_code code = sti_wal_options(run->args, &opts, err);

    if (code == STELE_OK) {
        code = stele_wal_stat_dir(run->operands->items[0], &opts, &stats, err);
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
