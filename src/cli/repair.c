/* SPDX-License-Identifier: MIT
 *
 * repair.c: what check and recover print, alike in every area.
 */
#include "cli/repair.h"

#include "cli/output.h"
#include "cli/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- check ---- */

void sti_faults_note(const char *file, const char *text)
{
    (void)fprintf(stderr, "note: %s: %s\n", file, text);
}

void sti_faults_print(
        struct sti_faults *faults, const char *file, int64_t position, const char *text)
{
    struct sti_json j;

    faults->count++;
    if (faults->json) {
        j = sti_json_begin(stdout);
        sti_json_text(&j, "segment", file);
        sti_json_int_or_null(&j, "position", position);
        sti_json_text(&j, "error", text);
        sti_json_end(&j);
    } else if (position >= 0) {
        (void)printf("%s  position %" PRId64 "  %s\n", file, position, text);
    } else {
        (void)printf("%s  whole file  %s\n", file, text);
    }
}

stele_code sti_faults_end(const struct sti_faults *faults, stele_code code,
        const struct sti_contents *contents, const char *dir, int64_t segments, int64_t count,
        stele_error *err)
{
    struct sti_json j;

    if (code != STELE_OK && faults->count == 0) {
        return code;
    }
    if (faults->json) {
        j = sti_json_begin(stdout);
        sti_json_bool(&j, "ok", faults->count == 0);
        sti_json_int(&j, "segments", segments);
        sti_json_int(&j, contents->things, count);
        sti_json_end(&j);
    } else {
        sti_row_bool("ok", faults->count == 0);
        sti_row_int("segments", segments);
        sti_row_int(contents->things, count);
    }
    if (faults->count > 0 && (code == STELE_OK || code == STELE_ECORRUPT ||
                                     code == STELE_EVERSION || code == STELE_EMISMATCH)) {
        return sti_cli_fail(err, STELE_ECORRUPT, "%s: %" PRId64 " fault%s found", dir,
                faults->count, faults->count == 1 ? "" : "s");
    }
    return code;
}

/* ---- recover ---- */

struct sti_lost {
    uint64_t first;
    uint64_t last;
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

void sti_recovered_lost(void *arg, int64_t first, int64_t last)
{
    sti_recovered_lost_ids(arg, (uint64_t)first, (uint64_t)last);
}

void sti_recovered_lost_ids(void *arg, uint64_t first, uint64_t last)
{
    struct sti_recovered *r = arg;
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

void sti_recovered_quarantine(void *arg, const char *file)
{
    struct sti_recovered *r = arg;
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

void sti_recovered_free(struct sti_recovered *r)
{
    for (size_t i = 0; i < r->file_count; i++) {
        free(r->files[i]);
    }
    free(r->files);
    free(r->lost);
    memset(r, 0, sizeof *r);
}

static void print_json(const struct sti_recovered *r, const struct sti_contents *contents,
        const struct sti_recovered_sums *sums)
{
    struct sti_json j = sti_json_begin(stdout);

    sti_json_int(&j, "segments", sums->segments);
    sti_json_int(&j, contents->things, sums->count);
    sti_json_int(&j, "cut_bytes", sums->cut_bytes);
    sti_json_name(&j, "lost");
    (void)putchar('[');
    for (size_t i = 0; i < r->lost_count; i++) {
        (void)printf("%s[%" PRIu64 ",%" PRIu64 "]", i == 0 ? "" : ",", r->lost[i].first,
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
    sti_json_dry_run(&j, sums->dry_run);
    sti_json_end(&j);
}

static void print_text(const struct sti_recovered *r, const struct sti_contents *contents,
        const struct sti_recovered_sums *sums)
{
    sti_row_int("segments", sums->segments);
    sti_row_int(contents->things, sums->count);
    sti_row("cut", "%" PRId64 " bytes", sums->cut_bytes);
    for (size_t i = 0; i < r->lost_count; i++) {
        if (r->lost[i].first == r->lost[i].last) {
            sti_row("lost", "%s %" PRIu64, contents->number, r->lost[i].first);
        } else {
            sti_row("lost", "%s %" PRIu64 " to %" PRIu64, contents->numbers, r->lost[i].first,
                    r->lost[i].last);
        }
    }
    for (size_t i = 0; i < r->file_count; i++) {
        sti_row("quarantine", "%s", r->files[i]);
    }
    sti_row_dry_run(sums->dry_run);
}

stele_code sti_recovered_print(const struct sti_recovered *r, const struct sti_contents *contents,
        const char *dir, const struct sti_recovered_sums *sums, stele_error *err)
{
    if (r->no_memory) {
        return sti_cli_fail(
                err, STELE_ENOMEM, "%s: recovered, but no memory to list what was cut", dir);
    }
    if (sums->json) {
        print_json(r, contents, sums);
    } else {
        print_text(r, contents, sums);
    }
    return STELE_OK;
}
