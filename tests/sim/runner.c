/* SPDX-License-Identifier: MIT */
#include "sim/runner.h"

#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_LSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_LSAN 1
#endif
#endif
#ifdef HAVE_LSAN
#include <sanitizer/lsan_interface.h>
#endif

/* A worker that makes no step for so long hangs. */
#define HANG_SECONDS 120.0

/* What the workers and their parent share. */
struct shared {
    struct sim_report report;
    struct sim_crumb crumb;
    bool done;
};

double sim_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void sim_violation(struct sim_report *report, const char *line, const char *format, ...)
{
    va_list ap;

    if (report->violations++ == 0) {
        va_start(ap, format);
        (void)vsnprintf(report->failure, sizeof report->failure, format, ap);
        va_end(ap);
        (void)snprintf(report->line, sizeof report->line, "%s", line);
    }
}

static void add_report(struct sim_report *sum, const struct sim_report *part)
{
    sum->ops += part->ops;
    sum->effects += part->effects;
    sum->generated += part->generated;
    sum->distinct += part->distinct;
    sum->opened += part->opened;
    sum->nested += part->nested;
    sum->runs += part->runs;
    sum->hits += part->hits;
    sum->reported += part->reported;
    sum->met += part->met;
    sum->silent += part->silent;
    /* Each worker takes a part of each operation. */
    sum->cut_ops = sum->cut_ops > part->cut_ops ? sum->cut_ops : part->cut_ops;
    sum->capped = sum->capped || part->capped;
    if (sum->violations == 0 && part->violations > 0) {
        memcpy(sum->failure, part->failure, sizeof sum->failure);
        memcpy(sum->line, part->line, sizeof sum->line);
    }
    sum->violations += part->violations;
}

/* A worker leaves with _exit(), past the checker that runs at a normal end. */
static bool leaked(void)
{
#ifdef HAVE_LSAN
    return __lsan_do_recoverable_leak_check() != 0;
#else
    return false;
#endif
}

/* Streams come and go by the thousand here, each with a thread: without this, the C library maps
 * memory for each and gives it back, which takes a third of the time. */
static void keep_memory(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_TOP_PAD, 16 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

static _Noreturn void run_worker(
        const struct sim_job *job, unsigned worker, unsigned workers, struct shared *shared)
{
    keep_memory();
    job->work(job->arg, worker, workers, &shared->crumb, &shared->report);
    if (leaked()) {
        sim_violation(&shared->report, "", "memory leaked");
    }
    shared->done = true;
    (void)fflush(NULL);
    _exit(0);
}

/* Wait for a worker; kill it if it stands still. */
static void await(pid_t pid, struct shared *shared)
{
    uint64_t steps = 0;
    double since = sim_seconds();
    bool killed = false;
    int status = 0;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        struct timespec pause = {0, 5000000};
        uint64_t now = __atomic_load_n(&shared->crumb.steps, __ATOMIC_RELAXED);

        if (now != steps) {
            steps = now;
            since = sim_seconds();
        }
        if (!killed && sim_seconds() - since > HANG_SECONDS) {
            (void)kill(pid, SIGKILL);
            killed = true;
        }
        (void)nanosleep(&pause, NULL);
    }
    if (!shared->done) {
        sim_violation(&shared->report, shared->crumb.line, "the process %s (status 0x%x)",
                killed ? "hung" : "died", (unsigned)status);
    }
}

void sim_run_job(const struct sim_job *job, unsigned workers, struct sim_report *sum)
{
    size_t size = sizeof(struct shared) * (workers == 0 ? 1 : workers);
    struct shared *shared =
            mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t *pids = sim_alloc(workers * sizeof *pids);

    if (shared == MAP_FAILED) {
        abort();
    }
    if (workers <= 1) {
        job->work(job->arg, 0, 1, &shared->crumb, &shared->report);
        add_report(sum, &shared->report);
    } else {
        (void)fflush(NULL);
        for (unsigned i = 0; i < workers; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                run_worker(job, i, workers, &shared[i]);
            }
            if (pids[i] < 0) {
                abort();
            }
        }
        for (unsigned i = 0; i < workers; i++) {
            await(pids[i], &shared[i]);
            add_report(sum, &shared[i].report);
        }
    }
    free(pids);
    (void)munmap(shared, size);
}

struct sim_disk_options sim_disk_options_of(
        const struct sim_workload *workload, uint32_t sector_size, bool ordered)
{
    struct sim_disk_options options = workload->disk;

    options.sector_size = sector_size;
    options.ordered = ordered;
    options.no_trace = false;
    return options;
}

struct sim_world *sim_world_ready(const struct sim_workload *workload, uint64_t seed,
        const struct sim_disk_options *options, struct sim_report *report)
{
    struct sim_world *before;
    struct sim_world *w;
    struct sim_image *image;
    struct sim_notes notes;
    int rc;

    if (workload->setup == NULL) {
        return sim_world_new(seed, NULL, options);
    }
    before = sim_world_new(seed, NULL, options);
    rc = workload->setup(workload->arg, before);
    if (rc != 0) {
        sim_violation(report, "", "setup failed with %d: %s", rc, sim_world_why(before));
        sim_world_free(before);
        return NULL;
    }
    image = sim_disk_image(before->disk);
    notes = sim_world_notes(before);
    w = sim_world_new(seed, image, options);
    sim_world_take_notes(w, &notes);
    sim_image_unref(image);
    sim_world_free(before);
    return w;
}

size_t sim_notes_at(const struct sim_notes *notes, size_t always, uint64_t op)
{
    size_t count = always;

    while (count < notes->count && notes->list[count].op <= op) {
        count++;
    }
    /* Of what was only intended after this operation nothing is there. */
    while (count > always && notes->list[count - 1].kind == SIM_INTENT &&
            notes->list[count - 1].op == op) {
        count--;
    }
    return count;
}

bool sim_check_image(const struct sim_workload *workload, uint64_t seed, struct sim_image *image,
        const struct sim_disk_options *options, uint64_t at_op, const struct sim_notes *notes,
        const char *line, struct sim_report *report)
{
    struct sim_disk_options quick = *options;
    struct sim_world *w;
    char why[256] = "";
    bool good = true;

    quick.no_trace = true;
    w = sim_world_new(sim_mix(seed + 3), image, &quick);
    report->opened++;
    if (workload->check(workload->arg, w, at_op, notes, why, sizeof why) != 0) {
        sim_violation(report, line, "%s", why);
        good = false;
    } else if (sim_disk_open_count(w->disk) != 0) {
        sim_violation(report, line, "check leaves %" PRIu64 " files, directories or maps open",
                sim_disk_open_count(w->disk));
        good = false;
    }
    sim_world_free(w);
    return good;
}

const char *sim_replay(const char *name, const char *kind, uint64_t *seed, uint32_t *sector_size,
        bool ordered, bool *other)
{
    const char *text = getenv("STELE_SIM");
    size_t name_len = strlen(name);
    size_t kind_len = strlen(kind);
    char *rest;

    *other = false;
    if (text == NULL || *text == '\0') {
        return NULL;
    }
    *other = true;
    if (strncmp(text, name, name_len) != 0 || text[name_len] != ':') {
        return NULL;
    }
    *seed = strtoull(text + name_len + 1, &rest, 10);
    if (*rest != ':') {
        return NULL;
    }
    *sector_size = (uint32_t)strtoul(rest + 1, &rest, 10);
    if (ordered != (*rest == 'o')) {
        return NULL;
    }
    rest += ordered ? 1 : 0;
    if (*rest != ':' || strncmp(rest + 1, kind, kind_len) != 0 ||
            (kind_len == 0 && (rest[1] < '0' || rest[1] > '9'))) {
        return NULL;
    }
    *other = false;
    return rest + 1 + kind_len;
}

void sim_print_report(const char *name, const char *what, const struct sim_report *report)
{
    (void)printf("sim %s, %s: ", name, what);
    if (report->generated > 0) {
        (void)printf("%" PRIu64 " operations (%" PRIu64 " not with every state), %" PRIu64
                     " effects, generated %" PRIu64 ", distinct %" PRIu64 ", opened %" PRIu64
                     " (%" PRIu64 " inside recovery), ",
                report->ops, report->cut_ops, report->effects, report->generated, report->distinct,
                report->opened, report->nested);
    } else {
        (void)printf("runs %" PRIu64 ", faults met %" PRIu64 ", reported %" PRIu64
                     ", silent %" PRIu64 ", states met %" PRIu64 ", opened %" PRIu64 ", ",
                report->runs, report->hits, report->reported, report->silent, report->met,
                report->opened);
    }
    (void)printf("violations %" PRIu64 ", %.2f s%s\n", report->violations, report->seconds,
            report->capped ? " (cut short)" : "");
    if (report->violations > 0) {
        (void)printf("  %s\n", report->failure);
        if (report->line[0] != '\0') {
            (void)printf("  %s\n", report->line);
        }
    }
    (void)fflush(stdout);
}
