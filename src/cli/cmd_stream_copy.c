/* SPDX-License-Identifier: MIT
 *
 * cmd_stream_copy.c: `stele stream check`, `recover`, `migrate`, `backup`.
 */
#include "cli/cmd_stream.h"
#include "cli/output.h"
#include "cli/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- check ---- */

struct checking {
    bool json;
    int64_t faults;
};

/* What is not a fault, such as a foreign file, is told, but not as data. */
static void print_fault(void *arg, const stele_stream_fault *fault)
{
    struct checking *c = arg;
    struct sti_json j;

    if (fault->code >= STELE_OK) {
        (void)fprintf(stderr, "note: %s: %s\n", fault->file, fault->text);
        return;
    }
    c->faults++;
    if (c->json) {
        j = sti_json_begin(stdout);
        sti_json_text(&j, "segment", fault->file);
        if (fault->position >= 0) {
            sti_json_int(&j, "position", fault->position);
        } else {
            sti_json_null(&j, "position");
        }
        sti_json_text(&j, "error", fault->text);
        sti_json_end(&j);
    } else if (fault->position >= 0) {
        (void)printf("%s  position %" PRId64 "  %s\n", fault->file, fault->position, fault->text);
    } else {
        (void)printf("%s  whole file  %s\n", fault->file, fault->text);
    }
}

stele_code sti_stream_check(const struct sti_run *run, stele_error *err)
{
    const struct sti_stream_args *args = run->args;
    const char *dir = run->operands->items[0];
    struct checking c = {run->json, 0};
    stele_stream_checked checked;
    stele_stream_options opts;
    struct sti_json j;
    stele_code code = sti_stream_options(args, &opts, err);

    memset(&checked, 0, sizeof checked);
    if (code == STELE_OK) {
        code = stele_stream_check_dir(dir, &opts, args->head, print_fault, &c, &checked, err);
    }
    if (code != STELE_OK && c.faults == 0) {
        return code;
    }
    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_bool(&j, "ok", c.faults == 0);
        sti_json_int(&j, "segments", checked.segments);
        sti_json_int(&j, "messages", checked.messages);
        sti_json_end(&j);
    } else {
        sti_row_bool("ok", c.faults == 0);
        sti_row_int("segments", checked.segments);
        sti_row_int("messages", checked.messages);
    }
    if (c.faults > 0 && (code == STELE_OK || code == STELE_ECORRUPT || code == STELE_EVERSION ||
                                code == STELE_EMISMATCH)) {
        return sti_cli_fail(err, STELE_ECORRUPT, "%s: %" PRId64 " fault%s found", dir, c.faults,
                c.faults == 1 ? "" : "s");
    }
    return code;
}

/* ---- recover ---- */

struct range {
    int64_t first;
    int64_t last;
};

/* What recovery told. It goes on when there is no memory to note that, and
 * the command then says so instead of printing half of it. */
struct recovering {
    struct range *lost;
    size_t lost_count;
    char **files;
    size_t file_count;
    bool no_memory;
};

/* Grow by doubling: at powers of two, and at the start. */
static bool reserve(void **items, size_t count, size_t size)
{
    const size_t capacity = count == 0 ? 1 : count * 2;
    void *grown;

    if (count != 0 && (count & (count - 1)) != 0) {
        return true;
    }
    if (capacity > SIZE_MAX / size) {
        return false;
    }
    grown = realloc(*items, capacity * size);
    if (grown == NULL) {
        return false;
    }
    *items = grown;
    return true;
}

static void note_lost(void *arg, int64_t first, int64_t last)
{
    struct recovering *r = arg;
    void *items = r->lost;

    if (!reserve(&items, r->lost_count, sizeof *r->lost)) {
        r->no_memory = true;
        return;
    }
    r->lost = items;
    r->lost[r->lost_count].first = first;
    r->lost[r->lost_count].last = last;
    r->lost_count++;
}

static void note_quarantine(void *arg, const char *file)
{
    struct recovering *r = arg;
    void *items = r->files;
    char *copy = strdup(file);

    if (copy == NULL || !reserve(&items, r->file_count, sizeof *r->files)) {
        free(copy);
        r->no_memory = true;
        return;
    }
    r->files = items;
    r->files[r->file_count++] = copy;
}

static void free_notes(struct recovering *r)
{
    for (size_t i = 0; i < r->file_count; i++) {
        free(r->files[i]);
    }
    free(r->files);
    free(r->lost);
}

static void print_recovered_json(
        const struct recovering *r, const stele_stream_recovered *done, bool dry_run)
{
    struct sti_json j = sti_json_begin(stdout);

    sti_json_int(&j, "segments", done->segments);
    sti_json_int(&j, "messages", done->messages);
    sti_json_int(&j, "cut_bytes", done->cut_bytes);
    sti_json_name(&j, "lost");
    (void)putchar('[');
    for (size_t i = 0; i < r->lost_count; i++) {
        (void)printf("%s[%" PRId64 ",%" PRId64 "]", i == 0 ? "" : ",", r->lost[i].first,
                r->lost[i].last);
    }
    (void)putchar(']');
    sti_json_name(&j, "quarantine");
    (void)putchar('[');
    for (size_t i = 0; i < r->file_count; i++) {
        (void)fputs(i == 0 ? "" : ",", stdout);
        sti_json_string(stdout, stele_str(r->files[i]));
    }
    (void)putchar(']');
    if (dry_run) {
        sti_json_bool(&j, "dry_run", true);
    }
    sti_json_end(&j);
}

static void print_recovered_text(
        const struct recovering *r, const stele_stream_recovered *done, bool dry_run)
{
    sti_row_int("segments", done->segments);
    sti_row_int("messages", done->messages);
    sti_row("cut", "%" PRId64 " bytes", done->cut_bytes);
    for (size_t i = 0; i < r->lost_count; i++) {
        if (r->lost[i].first == r->lost[i].last) {
            sti_row("lost", "offset %" PRId64, r->lost[i].first);
        } else {
            sti_row("lost", "offsets %" PRId64 " to %" PRId64, r->lost[i].first, r->lost[i].last);
        }
    }
    for (size_t i = 0; i < r->file_count; i++) {
        sti_row("quarantine", "%s", r->files[i]);
    }
    if (dry_run) {
        sti_row("dry run", "nothing was changed");
    }
}

stele_code sti_stream_recover(const struct sti_run *run, stele_error *err)
{
    const struct sti_stream_args *args = run->args;
    struct recovering r = {NULL, 0, NULL, 0, false};
    const stele_stream_recover_events events = {&r, note_lost, note_quarantine};
    stele_stream_recovered done;
    stele_stream_options opts;
    stele_code code = sti_stream_options(args, &opts, err);

    if (code == STELE_OK) {
        opts.dry_run = args->dry_run;
        code = stele_stream_recover_dir(run->operands->items[0], &opts, &events, &done, err);
    }
    if (code == STELE_OK && r.no_memory) {
        code = sti_cli_fail(err, STELE_ENOMEM, "%s: recovered, but no memory to list what was cut",
                run->operands->items[0]);
    }
    if (code == STELE_OK && run->json) {
        print_recovered_json(&r, &done, args->dry_run);
    } else if (code == STELE_OK) {
        print_recovered_text(&r, &done, args->dry_run);
    }
    free_notes(&r);
    return code;
}

/* ---- migrate ---- */

stele_code sti_stream_migrate(const struct sti_run *run, stele_error *err)
{
    const struct sti_stream_args *args = run->args;
    stele_stream_version version = STELE_STREAM_VERSION_DEFAULT;
    stele_stream_options opts;
    int64_t segments = 0;
    int64_t migrated = 0;
    struct sti_json j;
    stele_code code;

    if (args->to == NULL) {
        return sti_cli_fail(err, STELE_EINVAL, "give --to v1 or --to v2");
    }
    code = sti_stream_version(args->to, &version, err);
    if (code == STELE_OK) {
        code = sti_stream_options(args, &opts, err);
    }
    if (code == STELE_OK) {
        opts.dry_run = args->dry_run;
        code = stele_stream_migrate_dir(
                run->operands->items[0], &opts, version, &segments, &migrated, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_int(&j, "segments", segments);
        sti_json_int(&j, "migrated", migrated);
        if (args->dry_run) {
            sti_json_bool(&j, "dry_run", true);
        }
        sti_json_end(&j);
    } else {
        sti_row_int("segments", segments);
        sti_row_int("migrated", migrated);
        if (args->dry_run) {
            sti_row("dry run", "nothing was changed");
        }
    }
    return STELE_OK;
}

/* ---- backup ---- */

stele_code sti_stream_backup(const struct sti_run *run, stele_error *err)
{
    stele_stream_copied copied;
    stele_stream_options opts;
    struct sti_json j;
    stele_code code = sti_stream_options(run->args, &opts, err);

    if (code == STELE_OK) {
        code = stele_stream_backup_dir(
                run->operands->items[0], run->operands->items[1], &opts, &copied, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_int(&j, "segments", copied.segments);
        sti_json_int(&j, "messages", copied.messages);
        sti_json_int(&j, "bytes", copied.bytes);
        sti_json_bool(&j, "verified", true);
        sti_json_end(&j);
    } else {
        sti_row_int("segments", copied.segments);
        sti_row_int("messages", copied.messages);
        sti_row("copied", "%" PRId64 " bytes", copied.bytes);
        sti_row_bool("verified", true);
    }
    return STELE_OK;
}
