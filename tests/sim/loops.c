/* SPDX-License-Identifier: MIT */
#include "sim/loops.h"

#include "base/alloc.h"
#include "sim/crash.h"
#include "sim/runner.h"
#include "sim/seen.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct fault_kind {
    const char *name; /* in STELE_SIM */
    unsigned calls;
    int error;
    bool persistent;
    bool reverts; /* sim_disk_options.sync_failure_reverts */
    bool done;    /* sim_fault.done */
};

static const struct fault_kind fault_kinds[] = {
        {"eio-once", SIM_CALLS_ALL, EIO, false, false, false},
        {"eio-from", SIM_CALLS_ALL, EIO, true, false, false},
        {"enospc-once", SIM_CALLS_SPACE, ENOSPC, false, false, false},
        {"enospc-from", SIM_CALLS_SPACE, ENOSPC, true, false, false},
        {"eio-written-once", SIM_CALL_WRITE, EIO, false, false, true},
        {"enospc-written-once", SIM_CALL_WRITE, ENOSPC, false, false, true},
        {"short-write-once", SIM_CALL_WRITE, SIM_SHORT, false, false, false},
        {"short-write-from", SIM_CALL_WRITE, SIM_SHORT, true, false, false},
        {"short-read-once", SIM_CALL_READ, SIM_SHORT, false, false, false},
        {"short-read-from", SIM_CALL_READ, SIM_SHORT, true, false, false},
        {"sync-once", SIM_CALLS_SYNC, EIO, false, false, false},
        {"sync-once-reverts", SIM_CALLS_SYNC, EIO, false, true, false},
        {"sync-from", SIM_CALLS_SYNC, EIO, true, false, false},
        {"alloc-once", 0, ENOMEM, false, false, false}, /* in recovery only */
};

enum {
    FAULT_KINDS = sizeof fault_kinds / sizeof *fault_kinds
};

/* Random subsets of what was pending, besides all and none. */
enum {
    AFTERMATH_RANDOM = 4
};

/* Places of a run whose crash states the recovery loop starts from. */
enum {
    RECOVERY_PLACES = 6
};

struct loop {
    const struct sim_workload *workload;
    const struct sim_loop_options *options;
    const char *replayed; /* the end of STELE_SIM, or NULL */
    struct sim_disk_options disk;
    struct sim_seen *seen; /* of this process */
    /* Bit and cut loop. */
    struct sim_image *image;
    struct sim_notes notes;
    uint64_t *starts; /* of each file in `silent` */
    uint8_t *silent;  /* for each byte: which bits; or 1 for a length */
    bool collects;
    /* Recovery loop. */
    struct sim_image *images[RECOVERY_PLACES * 2];
    struct sim_notes image_notes[RECOVERY_PLACES * 2];
    uint64_t image_ops[RECOVERY_PLACES * 2];
    uint32_t image_count;
};

void sim_loop_options_init(struct sim_loop_options *options)
{
    struct sim_explore_options explore;

    sim_explore_options_init(&explore);
    memset(options, 0, sizeof *options);
    options->seed = explore.seed;
    options->sector_size = explore.sector_size;
    options->workers = explore.workers;
    options->stride = 1;
    options->all_bits = explore.seconds_max <= 0;
}

static STELE_PRINTF(3, 4) void mark(
        const struct loop *l, struct sim_crumb *crumb, const char *format, ...)
{
    va_list ap;
    int len = snprintf(crumb->line, sizeof crumb->line,
            "STELE_SIM=%s:%" PRIu64 ":%u:", l->workload->name, l->options->seed,
            l->disk.sector_size);

    va_start(ap, format);
    (void)vsnprintf(crumb->line + len, sizeof crumb->line - (size_t)len, format, ap);
    va_end(ap);
    __atomic_add_fetch(&crumb->steps, 1, __ATOMIC_RELAXED);
}

/* Whether the iteration that was marked is the one to be repeated. */
static bool is_replayed(const struct loop *l, const struct sim_crumb *crumb)
{
    size_t len = strlen(crumb->line);
    size_t tail = strlen(l->replayed);

    return tail < len && crumb->line[len - tail - 1] == ':' &&
           strcmp(crumb->line + len - tail, l->replayed) == 0;
}

/* ---- After a run under a fault. ---- */

/* Most failures leave what another one left already: a state is opened once. */
static bool is_new(
        const struct loop *l, uint64_t hash, uint64_t notes_hash, struct sim_report *report)
{
    report->met++;
    return sim_seen_add(l->seen, sim_mix(hash + notes_hash));
}

static bool check_crashes(const struct loop *l, struct sim_world *w, const struct sim_notes *notes,
        const char *line, struct sim_report *report)
{
    struct sim_cursor *c = sim_cursor_new(w->disk);
    uint64_t ops = sim_disk_ops(w->disk);
    size_t n = sim_cursor_seek(c, ops);
    uint8_t *keep = sim_alloc(n + 1);
    uint64_t random = sim_mix(l->options->seed);
    uint64_t notes_hash = sim_notes_hash(notes, 0);
    bool good = true;

    for (int i = 0; good && i < 2 + AFTERMATH_RANDOM; i++) {
        for (size_t j = 0; j < n; j++) {
            random = sim_mix(random + 0x9e3779b97f4a7c15ULL);
            keep[j] = i < 2 ? (uint8_t)i : random & 1;
        }
        if (is_new(l, sim_cursor_choose(c, keep), notes_hash, report)) {
            struct sim_image *image = sim_cursor_image(c);

            good = sim_check_image(
                    l->workload, l->options->seed, image, &l->disk, ops, notes, line, report);
            sim_image_unref(image);
        }
    }
    free(keep);
    sim_cursor_free(c);
    return good;
}

static bool aftermath(const struct loop *l, struct sim_world *w, const struct sim_notes *notes,
        const char *line, struct sim_report *report)
{
    struct sim_image *image;
    bool good = true;

    if (sim_disk_open_count(w->disk) != 0) {
        sim_violation(report, line, "%" PRIu64 " files, directories or maps are left open",
                sim_disk_open_count(w->disk));
        return false;
    }
    image = sim_disk_image(w->disk);
    if (is_new(l, image->hash, sim_notes_hash(notes, 0), report)) {
        good = sim_check_image(l->workload, l->options->seed, image, &l->disk,
                sim_disk_ops(w->disk), notes, line, report);
    }
    sim_image_unref(image);
    return good && check_crashes(l, w, notes, line, report);
}

/* What a run under a fault returned, or a check. False ends the loop. */
static bool take_result(int rc, const char *why, const char *line, struct sim_report *report)
{
    report->runs++;
    report->reported += rc < 0 ? 1U : 0U;
    if (rc > 0) {
        sim_violation(report, line, "under a fault, a wrong answer: %s", why);
        return false;
    }
    return true;
}

/* ---- Calls of the disk. ---- */

/* One run; false when there is nothing behind it to be tried. */
static bool fault_run(const struct loop *l, const struct fault_kind *kind, uint64_t n,
        const char *line, struct sim_report *report)
{
    struct sim_disk_options options = l->disk;
    struct sim_fault fault = {kind->calls, n, kind->error, kind->persistent, kind->done};
    struct sim_world *w;
    struct sim_notes notes;
    bool more;
    int rc;

    options.sync_failure_reverts = kind->reverts;
    w = sim_world_ready(l->workload, l->options->seed, &options, report);
    if (w == NULL) {
        return false;
    }
    sim_disk_set_fault(w->disk, &fault);
    rc = l->workload->run(l->workload->arg, w);
    more = sim_disk_fault_hits(w->disk) > 0;
    sim_disk_set_fault(w->disk, NULL);
    notes = sim_world_notes(w);
    report->hits += more ? 1U : 0U;
    /* Without a hit there may still be one further on, for short calls of
     * one byte do not count: only a run that is over tells. */
    more = more || n < sim_disk_calls(w->disk, kind->calls);
    more = take_result(rc, sim_world_why(w), line, report) &&
           aftermath(l, w, &notes, line, report) && more;
    if (l->replayed != NULL) {
        (void)printf("run returned %d; log:\n%s", rc, sim_world_log(w));
    }
    sim_world_free(w);
    return more;
}

static void fault_kind_work(const struct loop *l, const struct fault_kind *kind, uint64_t from,
        uint64_t step, struct sim_crumb *crumb, struct sim_report *report)
{
    bool more = true;

    for (uint64_t n = from; more; n += step) {
        mark(l, crumb, "io:%s:%" PRIu64, kind->name, n);
        more = fault_run(l, kind, n, crumb->line, report) && l->replayed == NULL;
    }
}

static void fault_work(void *arg, unsigned worker, unsigned workers, struct sim_crumb *crumb,
        struct sim_report *report)
{
    const struct loop *l = arg;
    uint64_t stride = l->options->stride;

    for (int k = 0; k < FAULT_KINDS && report->violations == 0; k++) {
        size_t len = strlen(fault_kinds[k].name);

        if (fault_kinds[k].calls == 0) {
            continue; /* the allocation loop does that */
        }
        if (l->replayed == NULL) {
            fault_kind_work(l, &fault_kinds[k], worker * stride, workers * stride, crumb, report);
        } else if (strncmp(l->replayed, fault_kinds[k].name, len) == 0 && l->replayed[len] == ':') {
            fault_kind_work(l, &fault_kinds[k], strtoull(l->replayed + len + 1, NULL, 10), 1, crumb,
                    report);
        }
    }
}

/* ---- The frame of all loops. ---- */

static bool run_loop(struct loop *l, const char *kind, const char *what,
        void (*work)(void *arg, unsigned worker, unsigned workers, struct sim_crumb *crumb,
                struct sim_report *report),
        bool (*prepare)(struct loop *l, struct sim_report *report), struct sim_report *report)
{
    const struct sim_loop_options *given = l->options;
    struct sim_loop_options o = *given;
    struct sim_seen seen = {NULL, 0, 0};
    struct sim_job job = {l, work};
    double began = sim_seconds();
    char text[96];
    bool other;

    memset(report, 0, sizeof *report);
    l->replayed = sim_replay(l->workload->name, kind, &o.seed, &o.sector_size, false, &other);
    if (other || (l->replayed != NULL && o.sector_size != l->options->sector_size)) {
        return true;
    }
    o.stride = l->replayed != NULL || o.stride == 0 ? 1 : o.stride;
    o.workers = l->replayed != NULL ? 1 : o.workers;
    l->options = &o;
    l->seen = &seen;
    l->disk = sim_disk_options_of(l->workload, o.sector_size, false);
    if (prepare == NULL || prepare(l, report)) {
        sim_run_job(&job, o.workers, report);
    }
    sim_seen_free(&seen);
    l->options = given;
    report->seconds = sim_seconds() - began;
    (void)snprintf(text, sizeof text, "%s, %u-byte sectors", what, o.sector_size);
    if (!o.quiet) {
        sim_print_report(l->workload->name, text, report);
    }
    return report->violations == 0;
}

bool sim_fault_loop(const struct sim_workload *workload, const struct sim_loop_options *options,
        struct sim_report *report)
{
    struct loop l = {.workload = workload, .options = options};

    return run_loop(&l, "io:", "every n-th call fails", fault_work, NULL, report);
}

/* ---- Allocations. ---- */

struct countdown {
    uint64_t left;
    bool hit;
};

static bool fails_once(void *arg)
{
    struct countdown *c = arg;
    /* Threads of the library may allocate too. */
    uint64_t left = __atomic_fetch_sub(&c->left, 1, __ATOMIC_SEQ_CST);

    if (left == 0) {
        __atomic_store_n(&c->hit, true, __ATOMIC_SEQ_CST);
    }
    return left == 0;
}

static bool alloc_run(const struct loop *l, uint64_t n, const char *line, struct sim_report *report)
{
    struct countdown countdown = {n, false};
    struct sim_world *w = sim_world_ready(l->workload, l->options->seed, &l->disk, report);
    struct sim_notes notes;
    bool good;
    int rc;

    if (w == NULL) {
        return false;
    }
    sti_alloc_set_hook(fails_once, &countdown);
    rc = l->workload->run(l->workload->arg, w);
    sti_alloc_set_hook(NULL, NULL);
    notes = sim_world_notes(w);
    report->hits += countdown.hit ? 1U : 0U;
    good = take_result(rc, sim_world_why(w), line, report) && aftermath(l, w, &notes, line, report);
    if (good && rc < 0 && !countdown.hit) {
        sim_violation(report, line, "without a fault the run returned %d", rc);
    }
    if (l->replayed != NULL) {
        (void)printf("run returned %d; log:\n%s", rc, sim_world_log(w));
    }
    sim_world_free(w);
    return good && countdown.hit;
}

static void alloc_work(void *arg, unsigned worker, unsigned workers, struct sim_crumb *crumb,
        struct sim_report *report)
{
    const struct loop *l = arg;
    uint64_t step = (uint64_t)workers * l->options->stride;
    uint64_t n = (uint64_t)worker * l->options->stride;

    if (l->replayed != NULL) {
        n = strtoull(l->replayed, NULL, 10);
        mark(l, crumb, "alloc:%" PRIu64, n);
        (void)alloc_run(l, n, crumb->line, report);
        return;
    }
    do {
        mark(l, crumb, "alloc:%" PRIu64, n);
        n += step;
    } while (alloc_run(l, n - step, crumb->line, report));
}

bool sim_alloc_loop(const struct sim_workload *workload, const struct sim_loop_options *options,
        struct sim_report *report)
{
    struct loop l = {.workload = workload, .options = options};

    return run_loop(&l, "alloc:", "every n-th allocation fails", alloc_work, NULL, report);
}

/* ---- Faults during recovery. ---- */

static struct sim_notes copy_notes(
        const struct sim_notes *a, size_t a_count, const struct sim_notes *b)
{
    size_t b_count = b == NULL ? 0 : b->count;
    struct sim_note *list = sim_alloc((a_count + b_count + 1) * sizeof *list);

    if (a_count > 0) {
        memcpy(list, a->list, a_count * sizeof *list);
    }
    if (b_count > 0) {
        memcpy(list + a_count, b->list, b_count * sizeof *list);
    }
    return (struct sim_notes){list, a_count + b_count};
}

static void free_notes(struct sim_notes *notes)
{
    free((void *)(uintptr_t)notes->list);
}

/* Takes the image. One that is there already is not tried twice. */
static void add_place(struct loop *l, struct sim_image *image, uint64_t op,
        const struct sim_notes *notes, size_t note_count)
{
    for (uint32_t i = 0; i < l->image_count; i++) {
        if (l->images[i]->hash == image->hash && l->image_notes[i].count == note_count) {
            sim_image_unref(image);
            return;
        }
    }
    l->images[l->image_count] = image;
    l->image_ops[l->image_count] = op;
    l->image_notes[l->image_count] = copy_notes(notes, note_count, NULL);
    l->image_count++;
}

/* Crash states of a run at a few places, with all and with nothing. */
static bool prepare_recovery(struct loop *l, struct sim_report *report)
{
    struct sim_world *w = sim_world_ready(l->workload, l->options->seed, &l->disk, report);
    struct sim_cursor *c;
    struct sim_notes notes;
    uint64_t ops;
    int rc;

    if (w == NULL) {
        return false;
    }
    rc = l->workload->run(l->workload->arg, w);
    if (rc != 0) {
        sim_violation(report, "", "without a fault the run returned %d", rc);
        sim_world_free(w);
        return false;
    }
    ops = sim_disk_settle(w->disk);
    notes = sim_world_notes(w);
    c = sim_cursor_new(w->disk);
    for (uint32_t i = 0; i < RECOVERY_PLACES * 2; i++) {
        uint64_t op = ops * (i / 2 + 1) / RECOVERY_PLACES;
        size_t n = sim_cursor_seek(c, op);
        uint8_t *keep = sim_alloc(n + 1);

        memset(keep, i % 2 == 0 ? 1 : 0, n);
        (void)sim_cursor_choose(c, keep);
        add_place(l, sim_cursor_image(c), op, &notes,
                sim_notes_at(&notes, sim_world_setup_notes(w), op));
        free(keep);
    }
    sim_cursor_free(c);
    sim_world_free(w);
    return true;
}

static bool recovery_run(const struct loop *l, const struct fault_kind *kind, uint32_t place,
        uint64_t n, const char *line, struct sim_report *report)
{
    struct sim_disk_options options = l->disk;
    struct sim_fault fault = {kind->calls, n, kind->error, kind->persistent, kind->done};
    const struct sim_notes *before = &l->image_notes[place];
    struct sim_world *w;
    struct sim_notes notes;
    struct countdown countdown = {n, false};
    char why[256] = "";
    bool more;
    int rc;

    options.sync_failure_reverts = kind->reverts;
    /* Other random numbers than those of the run: what draws one must not get the same again. */
    w = sim_world_new(sim_mix(l->options->seed + 3), l->images[place], &options);
    sim_disk_set_fault(w->disk, &fault);
    if (kind->calls == 0) {
        w->no_memory = true;
        sti_alloc_set_hook(fails_once, &countdown);
    }
    rc = l->workload->check(l->workload->arg, w, l->image_ops[place], before, why, sizeof why);
    sti_alloc_set_hook(NULL, NULL);
    more = sim_disk_fault_hits(w->disk) > 0 || countdown.hit;
    sim_disk_set_fault(w->disk, NULL);
    report->hits += more ? 1U : 0U;
    more = more || n < sim_disk_calls(w->disk, kind->calls);
    notes = sim_world_notes(w);
    notes = copy_notes(before, before->count, &notes);
    more = take_result(rc, why, line, report) && aftermath(l, w, &notes, line, report) && more;
    if (l->replayed != NULL) {
        (void)printf("check returned %d (%s); log:\n%s", rc, why, sim_world_log(w));
    }
    free_notes(&notes);
    sim_world_free(w);
    return more;
}

static void recovery_work(void *arg, unsigned worker, unsigned workers, struct sim_crumb *crumb,
        struct sim_report *report)
{
    const struct loop *l = arg;

    for (uint32_t i = 0; i < FAULT_KINDS * l->image_count; i++) {
        const struct fault_kind *kind = &fault_kinds[i % FAULT_KINDS];
        uint32_t place = i / FAULT_KINDS;
        /* All kinds of a place in one process, since they leave much the same. */
        bool more = (place + place / 2) % workers == worker;

        for (uint64_t n = 0; more && report->violations == 0; n += l->options->stride) {
            mark(l, crumb, "recovery:%u:%s:%" PRIu64, place, kind->name, n);
            if (l->replayed != NULL && !is_replayed(l, crumb)) {
                more = n < 10000;
                continue;
            }
            more = recovery_run(l, kind, place, n, crumb->line, report) && l->replayed == NULL;
        }
    }
}

bool sim_recovery_fault_loop(const struct sim_workload *workload,
        const struct sim_loop_options *options, struct sim_report *report)
{
    struct loop l = {.workload = workload, .options = options};
    bool good = run_loop(&l, "recovery:", "every n-th call and allocation of recovery fails",
            recovery_work, prepare_recovery, report);

    for (uint32_t i = 0; i < l.image_count; i++) {
        sim_image_unref(l.images[i]);
        free_notes(&l.image_notes[i]);
    }
    return good;
}

/* ---- Damage. ---- */

static bool prepare_damage(struct loop *l, struct sim_report *report)
{
    struct sim_world *w = sim_world_ready(l->workload, l->options->seed, &l->disk, report);
    struct sim_notes notes;
    uint64_t total = 0;
    int rc;

    if (w == NULL) {
        return false;
    }
    rc = l->workload->run(l->workload->arg, w);
    if (rc != 0) {
        sim_violation(report, "", "without a fault the run returned %d", rc);
        sim_world_free(w);
        return false;
    }
    l->image = sim_disk_image(w->disk);
    notes = sim_world_notes(w);
    l->notes = copy_notes(&notes, notes.count, NULL);
    sim_world_free(w);
    l->starts = sim_alloc((l->image->entry_count + 1) * sizeof *l->starts);
    for (uint32_t i = 0; i < l->image->entry_count; i++) {
        l->starts[i] = total;
        total += l->image->entries[i].content->size;
    }
    l->starts[l->image->entry_count] = total;
    l->silent = mmap(
            NULL, (size_t)total + 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (l->silent == MAP_FAILED) {
        abort();
    }
    return true;
}

static void probe(const struct loop *l, struct sim_image *image, uint64_t at, uint8_t bits,
        const char *line, struct sim_report *report)
{
    struct sim_disk_options options = l->disk;
    struct sim_world *w;
    char why[256] = "";
    enum sim_probe answer;

    options.no_trace = true;
    w = sim_world_new(l->options->seed, image, &options);
    answer = l->workload->probe(l->workload->arg, w, &l->notes, why, sizeof why);
    report->runs++;
    report->hits++;
    report->reported += answer == SIM_PROBE_REPORTED ? 1U : 0U;
    if (answer == SIM_PROBE_SILENT) {
        report->silent++;
        (void)__atomic_or_fetch(&l->silent[at], bits, __ATOMIC_RELAXED);
        if (!l->collects) {
            sim_violation(report, line, "unnoticed: %s", why);
        }
    }
    if (sim_disk_open_count(w->disk) != 0) {
        sim_violation(report, line, "probe leaves files open");
    }
    if (l->replayed != NULL) {
        (void)printf("probe: %s %s\n%s",
                answer == SIM_PROBE_RIGHT      ? "right"
                : answer == SIM_PROBE_REPORTED ? "reported"
                                               : "SILENT",
                why, sim_world_log(w));
    }
    sim_world_free(w);
}

/* All damage of one byte: bits flipped, or the file cut there. */
static void damage_byte(const struct loop *l, uint32_t entry, uint64_t at, bool cut, uint8_t *bytes,
        uint64_t size, struct sim_crumb *crumb, struct sim_report *report)
{
    const char *name = l->image->entries[entry].name;
    uint64_t place = l->starts[entry] + at;
    struct sim_image *image;

    for (unsigned bit = 0; bit < (cut ? 1U : 8U); bit++) {
        bool wanted = cut || l->options->all_bits || bit == at % 8;

        if (cut) {
            mark(l, crumb, "cut:%s:%" PRIu64, name, at);
        } else {
            mark(l, crumb, "bit:%s:%" PRIu64 ":%u", name, at, bit);
        }
        if (l->replayed != NULL) {
            wanted = is_replayed(l, crumb);
        }
        if (!wanted) {
            continue;
        }
        bytes[at] ^= cut ? 0 : (uint8_t)(1U << bit);
        image = sim_image_with(l->image, entry, bytes, cut ? at : size);
        bytes[at] ^= cut ? 0 : (uint8_t)(1U << bit);
        probe(l, image, place, cut ? 1 : (uint8_t)(1U << bit), crumb->line, report);
        sim_image_unref(image);
    }
}

static void damage_work(const struct loop *l, bool cut, unsigned worker, unsigned workers,
        struct sim_crumb *crumb, struct sim_report *report)
{
    for (uint32_t entry = 0; entry < l->image->entry_count; entry++) {
        uint64_t step = (uint64_t)workers * l->options->stride;
        uint64_t size;
        uint8_t *bytes = sim_image_read(l->image, entry, &size);

        for (uint64_t at = (uint64_t)worker * l->options->stride; at < size; at += step) {
            if (report->violations == 0) {
                damage_byte(l, entry, at, cut, bytes, size, crumb, report);
            }
        }
        free(bytes);
    }
}

static void bit_work(void *arg, unsigned worker, unsigned workers, struct sim_crumb *crumb,
        struct sim_report *report)
{
    damage_work(arg, false, worker, workers, crumb, report);
}

static void cut_work(void *arg, unsigned worker, unsigned workers, struct sim_crumb *crumb,
        struct sim_report *report)
{
    damage_work(arg, true, worker, workers, crumb, report);
}

static void collect_spans(const struct loop *l, struct sim_spans *out)
{
    for (uint32_t entry = 0; entry < l->image->entry_count; entry++) {
        struct sim_span *open = NULL;
        uint64_t size = l->image->entries[entry].content->size;

        for (uint64_t at = 0; at < size; at++) {
            uint8_t bits = l->silent[l->starts[entry] + at];

            if (bits == 0) {
                open = NULL;
                continue;
            }
            if (open == NULL && out->count == SIM_SPANS_MAX) {
                out->more++;
                continue;
            }
            if (open == NULL) {
                open = &out->list[out->count++];
                memcpy(open->name, l->image->entries[entry].name, SIM_NAME_SIZE);
                open->from = at;
                open->bits = 0;
            }
            open->to = at + 1;
            open->bits |= bits;
        }
    }
}

static void free_damage(struct loop *l)
{
    if (l->image != NULL) {
        (void)munmap(l->silent, (size_t)l->starts[l->image->entry_count] + 1);
        sim_image_unref(l->image);
        free(l->starts);
        free_notes(&l->notes);
    }
}

static bool damage_loop(struct loop *l, const char *kind, const char *what,
        void (*work)(void *arg, unsigned worker, unsigned workers, struct sim_crumb *crumb,
                struct sim_report *report),
        struct sim_spans *silent, struct sim_report *report)
{
    bool good;

    l->collects = silent != NULL;
    good = run_loop(l, kind, what, work, prepare_damage, report);
    if (silent != NULL) {
        memset(silent, 0, sizeof *silent);
        if (l->image != NULL) {
            collect_spans(l, silent);
        }
    }
    free_damage(l);
    return good;
}

bool sim_bit_loop(const struct sim_workload *workload, const struct sim_loop_options *options,
        struct sim_spans *silent, struct sim_report *report)
{
    struct loop l = {.workload = workload, .options = options};

    return damage_loop(&l, "bit:", "bits flipped", bit_work, silent, report);
}

bool sim_cut_loop(const struct sim_workload *workload, const struct sim_loop_options *options,
        struct sim_spans *silent, struct sim_report *report)
{
    struct loop l = {.workload = workload, .options = options};

    return damage_loop(&l, "cut:", "files cut", cut_work, silent, report);
}

/* ---- Writes that store something else. ---- */

static bool lie_run(const struct loop *l, uint64_t n, const char *line, struct sim_report *report)
{
    const struct sim_fault fault = {SIM_CALL_WRITE, n, SIM_FLIP, false, false};
    struct sim_world *w = sim_world_ready(l->workload, l->options->seed, &l->disk, report);
    struct sim_disk_options options = l->disk;
    struct sim_world *after;
    struct sim_image *image;
    struct sim_notes notes;
    char why[256] = "";
    bool more;
    int rc;

    if (w == NULL) {
        return false;
    }
    sim_disk_set_fault(w->disk, &fault);
    rc = l->workload->run(l->workload->arg, w);
    more = sim_disk_fault_hits(w->disk) > 0;
    report->hits += more ? 1U : 0U;
    notes = sim_world_notes(w);
    image = sim_disk_image(w->disk);
    options.no_trace = true;
    after = sim_world_new(l->options->seed, image, &options);
    if (!take_result(rc, sim_world_why(w), line, report)) {
        more = false;
    } else if (l->workload->probe(l->workload->arg, after, &notes, why, sizeof why) ==
               SIM_PROBE_SILENT) {
        report->silent++;
        sim_violation(report, line, "unnoticed: %s", why);
        more = false;
    }
    sim_world_free(after);
    sim_image_unref(image);
    sim_world_free(w);
    return more;
}

static void lie_work(void *arg, unsigned worker, unsigned workers, struct sim_crumb *crumb,
        struct sim_report *report)
{
    const struct loop *l = arg;
    uint64_t step = l->replayed != NULL ? 1 : (uint64_t)workers * l->options->stride;
    uint64_t n = l->replayed != NULL ? strtoull(l->replayed, NULL, 10)
                                     : (uint64_t)worker * l->options->stride;
    bool more = true;

    for (; more; n += step) {
        mark(l, crumb, "lie:%" PRIu64, n);
        more = lie_run(l, n, crumb->line, report) && l->replayed == NULL;
    }
}

bool sim_lie_loop(const struct sim_workload *workload, const struct sim_loop_options *options,
        struct sim_report *report)
{
    struct loop l = {.workload = workload, .options = options};

    return run_loop(&l, "lie:", "every n-th write stores something else", lie_work, NULL, report);
}
