/* SPDX-License-Identifier: MIT */
#include "sim/explore.h"

#include "sim/crash.h"
#include "sim/runner.h"
#include "sim/seen.h"
#include "sim/subsets.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One place of the walk: an operation, and a choice there. */
struct spot {
    uint64_t op;
    const uint8_t *keep;
    size_t n;
};

struct explorer {
    const struct sim_workload *workload;
    const struct sim_explore_options *options;
    struct sim_disk_options disk;
    struct sim_world *world;
    struct sim_notes notes;
    uint64_t *note_hashes; /* of the first i notes */
    struct sim_seen seen;
    struct sim_report *report;
    struct sim_crumb *crumb;
    unsigned worker;
    unsigned workers;
    double deadline;       /* 0: none */
    uint64_t nested_start; /* the operation of a recovery to begin with */
    bool stop;
    bool verbose;
    const char *replay_nested; /* with verbose: where in the recovery, or NULL */
};

/* ---- Naming a state. ---- */

/* Four effects a digit, the first effect in the lowest bit of the first one. */
static size_t spot_text(const struct spot *spot, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, ":%" PRIu64 ":", spot->op);
    size_t digits = (spot->n + 3) / 4;

    for (size_t i = 0; i < (digits == 0 ? 1 : digits) && len + 1 < size; i++) {
        unsigned digit = 0;

        for (size_t bit = 0; bit < 4 && i * 4 + bit < spot->n; bit++) {
            digit |= spot->keep[i * 4 + bit] != 0 ? 1U << bit : 0U;
        }
        out[len++] = "0123456789abcdef"[digit];
    }
    out[len] = '\0';
    return len;
}

static void write_crumb(struct explorer *x, const struct spot *outer, const struct spot *inner)
{
    char *line = x->crumb->line;
    size_t size = sizeof x->crumb->line;
    size_t len = (size_t)snprintf(line, size, "STELE_SIM=%s:%" PRIu64 ":%u%s", x->workload->name,
            x->options->seed, x->disk.sector_size, x->disk.ordered ? "o" : "");

    len += spot_text(outer, line + len, size - len);
    if (inner != NULL) {
        (void)spot_text(inner, line + len, size - len);
    }
    __atomic_add_fetch(&x->crumb->steps, 1, __ATOMIC_RELAXED);
}

/* Reads what spot_text() wrote; false at the end of the text. */
static bool parse_spot(const char **text, uint64_t *op, const char **digits)
{
    char *rest;

    if (**text == '\0') {
        return false;
    }
    *op = strtoull(*text, &rest, 10);
    *digits = *rest == ':' ? rest + 1 : rest;
    *text = *digits + strcspn(*digits, ":");
    *text += **text == ':' ? 1 : 0;
    return true;
}

static void parse_keep(const char *digits, uint8_t *keep, size_t n)
{
    size_t len = strcspn(digits, ":");

    for (size_t i = 0; i < n; i++) {
        unsigned digit = 0;

        if (i / 4 < len) {
            char text[2] = {digits[i / 4], '\0'};

            digit = (unsigned)strtoul(text, NULL, 16);
        }
        keep[i] = (uint8_t)(digit >> (i % 4) & 1);
    }
}

static void tell_spot(const struct sim_cursor *c, struct sim_disk *d, const struct spot *spot)
{
    struct sim_trace trace;
    char text[400];

    sim_disk_trace(d, &trace);
    (void)printf("crash after operation %" PRIu64 " of %" PRIu64 ", %zu optional effects:\n",
            spot->op, trace.ops, spot->n);
    for (size_t i = 0; i < spot->n; i++) {
        sim_effect_text(&trace, sim_cursor_optional(c, i), text, sizeof text);
        (void)printf("  %s %s\n", spot->keep[i] != 0 ? "kept" : "lost", text);
    }
}

static void tell_image(const struct sim_image *image)
{
    for (uint32_t i = 0; i < image->entry_count; i++) {
        const struct sim_entry *e = &image->entries[i];

        (void)printf("  file %s/%s: %" PRIu64 " bytes\n", image->dirs[e->dir].path, e->name,
                e->content->size);
    }
}

/* ---- Opening states. ---- */

static void out_of_time(struct explorer *x)
{
    const struct sim_explore_options *o = x->options;

    if ((o->opened_max != 0 && x->report->opened >= o->opened_max) ||
            (x->deadline > 0 && sim_seconds() > x->deadline)) {
        x->report->capped = true;
        x->stop = true;
    }
}

/* Call check() on an image. The world is handed out if there is to be a look
 * inside the recovery. */
static void open_state(struct explorer *x, struct sim_image *image, const struct sim_notes *notes,
        uint64_t at_op, struct sim_world **out)
{
    struct sim_disk_options options = x->disk;
    struct sim_world *w;
    char why[256] = "";
    int rc;

    options.no_trace = out == NULL;
    w = sim_world_new(sim_mix(x->options->seed + 3), image, &options);
    x->report->opened++;
    rc = x->workload->check(x->workload->arg, w, at_op, notes, why, sizeof why);
    if (rc != 0) {
        sim_violation(x->report, x->crumb->line, "%s", why);
    } else if (sim_disk_open_count(w->disk) != 0) {
        sim_violation(x->report, x->crumb->line,
                "check leaves %" PRIu64 " files, directories or maps open",
                sim_disk_open_count(w->disk));
    }
    if (x->verbose) {
        (void)printf("check: %s\n%s", rc == 0 ? "all is well" : why, sim_world_log(w));
    }
    if (x->report->violations > 0) {
        x->stop = true;
    }
    if (out != NULL) {
        *out = w;
    } else {
        sim_world_free(w);
    }
    out_of_time(x);
}

/* The notes of the run and those of the recovery, up to a crash in it. */
static struct sim_notes join_notes(
        const struct sim_notes *outer, const struct sim_notes *inner, size_t inner_count)
{
    struct sim_note *list = sim_alloc((outer->count + inner_count) * sizeof *list);

    if (outer->count > 0) {
        memcpy(list, outer->list, outer->count * sizeof *list);
    }
    if (inner_count > 0) {
        memcpy(list + outer->count, inner->list, inner_count * sizeof *list);
    }
    return (struct sim_notes){list, outer->count + inner_count};
}

struct nested {
    struct sim_world *world;
    struct sim_cursor *cursor;
    const struct spot *outer;
    const struct sim_notes *outer_notes;
    struct sim_notes notes; /* of the recovery */
    uint64_t *note_hashes;
    uint64_t left; /* of the budget */
};

static void open_nested(struct explorer *x, struct nested *in, const struct spot *spot)
{
    size_t count = sim_notes_at(&in->notes, 0, spot->op);
    struct sim_notes joined = join_notes(in->outer_notes, &in->notes, count);
    struct sim_image *image = sim_cursor_image(in->cursor);

    if (x->verbose) {
        (void)printf("then, inside the recovery: ");
        tell_spot(in->cursor, in->world->disk, spot);
        tell_image(image);
    }
    write_crumb(x, in->outer, spot);
    open_state(x, image, &joined, in->outer->op, NULL);
    x->report->nested++;
    sim_image_unref(image);
    free((void *)(uintptr_t)joined.list);
}

static void nested_op(struct explorer *x, struct nested *in, uint64_t op, uint64_t share)
{
    size_t n = sim_cursor_seek(in->cursor, op);
    uint64_t note_hash = in->note_hashes[sim_notes_at(&in->notes, 0, op)];
    uint8_t *keep = sim_alloc(n + 1);
    struct sim_picker picker;

    sim_picker_start(&picker, in->cursor, n, x->options->exhaustive_max, x->options->random_count,
            sim_mix(x->options->seed + op));
    while (!x->stop && share > 0 && in->left > 0 && sim_picker_next(&picker, keep)) {
        uint64_t key = sim_mix(sim_cursor_choose(in->cursor, keep) + note_hash);

        x->report->generated++;
        if (sim_seen_add(&x->seen, key)) {
            struct spot spot = {op, keep, n};

            x->report->distinct++;
            share--;
            in->left--;
            open_nested(x, in, &spot);
        }
    }
    sim_picker_end(&picker);
    free(keep);
}

/* Crash the recovery at each of its operations. */
static void explore_nested(struct explorer *x, struct sim_world *w, const struct spot *outer,
        const struct sim_notes *outer_notes, uint64_t outer_hash)
{
    uint64_t ops = sim_world_recovered(w);
    uint64_t per_op = x->options->nested_per_state / (ops == 0 ? 1 : ops);
    struct nested in = {.world = w,
            .outer = outer,
            .outer_notes = outer_notes,
            .notes = sim_world_notes(w),
            .left = x->options->nested_per_state};

    if (ops == 0) {
        return;
    }
    in.cursor = sim_cursor_new(w->disk);
    in.note_hashes = sim_notes_hashes(&in.notes, outer_hash);
    if (x->replay_nested != NULL) {
        const char *digits = "";
        struct spot spot = {0, NULL, 0};
        uint8_t *keep;

        (void)parse_spot(&x->replay_nested, &spot.op, &digits);
        spot.n = sim_cursor_seek(in.cursor, spot.op);
        keep = sim_alloc(spot.n + 1);
        parse_keep(digits, keep, spot.n);
        spot.keep = keep;
        (void)sim_cursor_choose(in.cursor, keep);
        open_nested(x, &in, &spot);
        free(keep);
    } else {
        /* A small budget ends soon: the next recovery begins elsewhere. */
        uint64_t start = per_op >= 1 ? 0 : x->nested_start++ % ops;

        for (uint64_t i = 0; i < ops && !x->stop && in.left > 0; i++) {
            nested_op(x, &in, 1 + (start + i) % ops, per_op < 4 ? 4 : per_op);
        }
    }
    free(in.note_hashes);
    sim_cursor_free(in.cursor);
}

static void open_spot(struct explorer *x, struct sim_cursor *c, const struct spot *spot)
{
    bool nested = x->verbose ? x->replay_nested != NULL : x->options->nested_per_state > 0;
    size_t count = sim_notes_at(&x->notes, sim_world_setup_notes(x->world), spot->op);
    struct sim_notes notes = {x->notes.list, count};
    struct sim_image *image = sim_cursor_image(c);
    struct sim_world *w = NULL;

    if (x->verbose) {
        tell_spot(c, x->world->disk, spot);
        tell_image(image);
    }
    write_crumb(x, spot, NULL);
    open_state(x, image, &notes, spot->op, nested ? &w : NULL);
    if (w != NULL) {
        if (!x->stop) {
            explore_nested(x, w, spot, &notes, x->note_hashes[count]);
        }
        sim_world_free(w);
    }
    sim_image_unref(image);
}

/* A state is its files and what was noted by then. */
static uint64_t state_key(const struct explorer *x, uint64_t image_hash, uint64_t op)
{
    size_t count = sim_notes_at(&x->notes, sim_world_setup_notes(x->world), op);

    return sim_mix(image_hash + x->note_hashes[count]);
}

/* Of states_max, for one operation and this worker: what earlier ones did not need is for the later
 * ones. */
static uint64_t share_of_op(const struct explorer *x, uint64_t ops_left)
{
    uint64_t max = x->options->states_max / x->workers;
    uint64_t left = x->report->distinct < max ? max - x->report->distinct : 0;

    return x->options->states_max == 0 ? UINT64_MAX : left / ops_left + 1;
}

static void explore_op(struct explorer *x, struct sim_cursor *c, uint64_t op, uint64_t share)
{
    const struct sim_explore_options *o = x->options;
    size_t n = sim_cursor_seek(c, op);
    uint64_t left = o->states_per_op == 0 ? UINT64_MAX : o->states_per_op / x->workers + 1;
    uint64_t before = x->report->distinct;
    uint8_t *keep = sim_alloc(n + 1);
    struct sim_picker picker;

    sim_picker_start(&picker, c, n, o->exhaustive_max, o->random_count, sim_mix(o->seed + op));
    while (!x->stop && left > 0 && x->report->distinct - before < share &&
            sim_picker_next(&picker, keep)) {
        uint64_t key = state_key(x, sim_cursor_choose(c, keep), op);

        if (key % x->workers != x->worker) {
            continue;
        }
        x->report->generated++;
        if (sim_seen_add(&x->seen, key)) {
            struct spot spot = {op, keep, n};

            x->report->distinct++;
            left--;
            open_spot(x, c, &spot);
        }
    }
    if (!x->stop && sim_picker_next(&picker, keep)) {
        x->report->capped = true;
        x->report->cut_ops++;
    }
    sim_picker_end(&picker);
    free(keep);
}

/* ---- One run. ---- */

static void explore_all(void *arg, unsigned worker, unsigned workers, struct sim_crumb *crumb,
        struct sim_report *report)
{
    struct explorer x = *(const struct explorer *)arg;
    struct sim_cursor *c = sim_cursor_new(x.world->disk);
    uint64_t ops = sim_disk_ops(x.world->disk);

    x.worker = worker;
    x.workers = workers;
    x.crumb = crumb;
    x.report = report;
    for (uint64_t op = 0; op <= ops && !x.stop; op++) {
        explore_op(&x, c, op, share_of_op(&x, ops - op + 1));
    }
    sim_seen_free(&x.seen);
    sim_cursor_free(c);
}

static void replay(void *arg, unsigned worker, unsigned workers, struct sim_crumb *crumb,
        struct sim_report *report)
{
    struct explorer x = *(const struct explorer *)arg;
    struct sim_cursor *c = sim_cursor_new(x.world->disk);
    const char *text = x.replay_nested;
    const char *digits = "";
    struct spot spot = {0, NULL, 0};
    uint8_t *keep;

    x.worker = worker;
    x.workers = workers;
    x.crumb = crumb;
    x.report = report;
    (void)parse_spot(&text, &spot.op, &digits);
    x.replay_nested = *text == '\0' ? NULL : text;
    spot.n = sim_cursor_seek(c, spot.op);
    keep = sim_alloc(spot.n + 1);
    parse_keep(digits, keep, spot.n);
    spot.keep = keep;
    report->generated = 1;
    report->distinct = 1;
    (void)sim_cursor_choose(c, keep);
    open_spot(&x, c, &spot);
    free(keep);
    sim_seen_free(&x.seen);
    sim_cursor_free(c);
}

/* ---- Many seeds. ---- */

struct seeds {
    const struct sim_workload *workload;
    const struct sim_explore_options *options;
    uint64_t count;
    uint32_t samples;
    double deadline;
};

/* Crash a run at a few random places, with random subsets. */
static void sample_run(struct explorer *x, uint32_t samples)
{
    struct sim_cursor *c = sim_cursor_new(x->world->disk);
    uint64_t ops = sim_disk_ops(x->world->disk);
    uint64_t random = sim_mix(x->options->seed);

    /* Going up, since a cursor does that best. */
    for (uint64_t op = 0; op <= ops && !x->stop; op++) {
        size_t n = sim_cursor_seek(c, op);
        uint8_t *keep;
        struct spot spot;

        random = sim_mix(random + op + 1);
        if (random % (ops + 1) >= samples) {
            continue;
        }
        keep = sim_alloc(n + 1);
        sim_random_subset(keep, n, random);
        spot = (struct spot){op, keep, n};
        x->report->generated++;
        if (sim_seen_add(&x->seen, state_key(x, sim_cursor_choose(c, keep), op))) {
            x->report->distinct++;
            open_spot(x, c, &spot);
        }
        free(keep);
    }
    sim_cursor_free(c);
}

static void sample_seed(
        const struct seeds *s, uint64_t seed, struct sim_crumb *crumb, struct sim_report *report)
{
    struct sim_explore_options o = *s->options;
    struct explorer x = {.workload = s->workload,
            .options = &o,
            .report = report,
            .crumb = crumb,
            .workers = 1,
            .deadline = s->deadline};
    const struct spot first = {0, NULL, 0};
    int rc;

    o.seed = seed;
    x.disk = sim_disk_options_of(s->workload, o.sector_size, o.ordered);
    write_crumb(&x, &first, NULL);
    x.world = sim_world_ready(s->workload, seed, &x.disk, report);
    if (x.world == NULL) {
        return;
    }
    report->runs++;
    rc = s->workload->run(s->workload->arg, x.world);
    if (rc != 0 || sim_disk_open_count(x.world->disk) != 0) {
        sim_violation(report, crumb->line, "without a crash: run returned %d (%s)", rc,
                sim_world_why(x.world));
    } else {
        (void)sim_disk_settle(x.world->disk);
        x.notes = sim_world_notes(x.world);
        x.note_hashes = sim_notes_hashes(&x.notes, 0);
        sample_run(&x, s->samples);
        report->ops += sim_disk_ops(x.world->disk);
        free(x.note_hashes);
    }
    sim_seen_free(&x.seen);
    sim_world_free(x.world);
}

static void sample_seeds(void *arg, unsigned worker, unsigned workers, struct sim_crumb *crumb,
        struct sim_report *report)
{
    const struct seeds *s = arg;

    for (uint64_t i = worker; i < s->count && report->violations == 0 && !report->capped;
            i += workers) {
        sample_seed(s, s->options->seed + i, crumb, report);
    }
}

bool sim_explore_seeds(const struct sim_workload *workload,
        const struct sim_explore_options *options, uint64_t count, uint32_t samples,
        struct sim_report *report)
{
    struct sim_explore_options o = *options;
    struct seeds s = {workload, &o, count, samples, 0};
    struct sim_job job = {&s, sample_seeds};
    double began = sim_seconds();
    char what[80];
    bool other;

    if (sim_replay(workload->name, "", &o.seed, &o.sector_size, o.ordered, &other) != NULL ||
            other) {
        return sim_explore(workload, options, report);
    }
    memset(report, 0, sizeof *report);
    s.deadline = o.seconds_max > 0 ? began + o.seconds_max : 0;
    sim_run_job(&job, o.workers, report);
    report->seconds = sim_seconds() - began;
    (void)snprintf(what, sizeof what, "%" PRIu64 " seeds from %" PRIu64 ", %u-byte sectors, %s",
            report->runs, o.seed, o.sector_size, o.ordered ? "ordered" : "strict");
    if (!o.quiet) {
        sim_print_report(workload->name, what, report);
    }
    return report->violations == 0;
}

/* ---- The whole. ---- */

void sim_explore_options_init(struct sim_explore_options *options)
{
    const char *full = getenv("STELE_FULL");
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    memset(options, 0, sizeof *options);
    options->seed = 1;
    options->sector_size = 512;
    options->exhaustive_max = 10;
    options->workers = processors >= 2 ? 2 : 1;
    if (full != NULL && full[0] != '\0' && strcmp(full, "0") != 0) {
        options->random_count = 24;
        options->nested_per_state = 64;
    } else {
        options->random_count = 4;
        options->nested_per_state = 8;
        options->states_per_op = 40;
        options->seconds_max = 10;
    }
}

static void run_and_explore(struct explorer *x, const char *replayed, struct sim_report *report)
{
    struct sim_trace trace;
    int rc = x->workload->run(x->workload->arg, x->world);
    unsigned workers = x->options->workers == 0 ? 1 : x->options->workers;
    struct sim_job job = {x, explore_all};

    if (rc != 0 || sim_disk_open_count(x->world->disk) != 0) {
        sim_violation(report, "", "without a crash: run returned %d (%s), %" PRIu64 " handles open",
                rc, sim_world_why(x->world), sim_disk_open_count(x->world->disk));
        return;
    }
    (void)sim_disk_settle(x->world->disk);
    sim_disk_trace(x->world->disk, &trace);
    report->ops = trace.ops;
    report->effects = trace.effect_count;
    x->notes = sim_world_notes(x->world);
    x->note_hashes = sim_notes_hashes(&x->notes, 0);
    if (replayed != NULL) {
        x->verbose = true;
        x->replay_nested = replayed;
        job.work = replay;
        workers = 1;
    }
    sim_run_job(&job, workers, report);
    free(x->note_hashes);
}

bool sim_explore(const struct sim_workload *workload, const struct sim_explore_options *options,
        struct sim_report *report)
{
    struct sim_explore_options o = *options;
    struct explorer x = {.workload = workload, .options = &o};
    double began = sim_seconds();
    char what[64];
    bool other;
    const char *replayed =
            sim_replay(workload->name, "", &o.seed, &o.sector_size, o.ordered, &other);

    memset(report, 0, sizeof *report);
    if (other || (replayed != NULL && (options->sector_size != o.sector_size))) {
        return true;
    }
    x.disk = sim_disk_options_of(workload, o.sector_size, o.ordered);
    x.deadline = o.seconds_max > 0 ? began + o.seconds_max : 0;
    x.world = sim_world_ready(workload, o.seed, &x.disk, report);
    if (x.world != NULL) {
        run_and_explore(&x, replayed, report);
        sim_world_free(x.world);
    }
    report->seconds = sim_seconds() - began;
    (void)snprintf(what, sizeof what, "crashes, %u-byte sectors, %s, seed %" PRIu64, o.sector_size,
            o.ordered ? "ordered" : "strict", o.seed);
    if (!o.quiet) {
        sim_print_report(workload->name, what, report);
    }
    return report->violations == 0;
}
