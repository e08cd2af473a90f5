/* SPDX-License-Identifier: MIT
 *
 * stream_mutants.c: switch on each seeded bug of base/mutants.def, and see who finds it.
 *
 *     stream_mutants [--list | --table] [--run NAME] [--try NAME HOW PART-OF-A-WORKLOAD]
 *
 * For each bug the searches of `aims` come first, then all the others. Each bug has a process
 * of its own, so that it may crash, or hang: both count as caught. To hang is to check no state
 * for a while; a search that just takes too long has not caught anything. First the same
 * searches run without a bug, and must find nothing. The exit code is 0 if every bug was caught but
 * those that `explained` lists. --table prints the rows of tests/mutants.md.
 */
#include "base/mutant.h"
#include "crash/stream_probe.h"
#include "crash/stream_scenarios.h"
#include "crash/stream_workloads.h"
#include "sim/loops.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    SECONDS_MAX = 30, /* for one bug; most take less than one */
    CLEAN_SECONDS_MAX = 240,
    HANG_SECONDS = 8,
    PROCESSES_MAX = 16,
    AIMED_OPENED = 4000,
    AIMED_PER_OP = 40,
    GENERAL_OPENED = 40,
    GENERAL_PER_OP = 12
};

struct mutant {
    int id;
    const char *name;
    const char *what;
    const char *stands_for;
};

static const struct mutant mutants[] = {
#define X(name, module, what, stands_for) {STI_MUTANT_##name, #name, what, stands_for},
#include "base/mutants.def"
#undef X
};

enum {
    MUTANTS = sizeof mutants / sizeof mutants[0]
};

/* ---- Where to look first. ---- */

enum how {
    SCENARIOS,
    CRASHES,
    NESTED,
    FAULTS,
    RECOVERY_FAULTS,
    BITS,
    CUTS,
    HOWS
};

static const char *const how_names[HOWS] = {
        [SCENARIOS] = "scenario",
        [CRASHES] = "crashes",
        [NESTED] = "crashes in recovery",
        [FAULTS] = "faults",
        [RECOVERY_FAULTS] = "faults in recovery",
        [BITS] = "bits",
        [CUTS] = "cuts",
};

struct aim {
    int mutant;
    enum how how;
    const char *part; /* of the workload's name */
};

static const struct aim aims[] = {
        {STI_MUTANT_SHORT_WRITE_IGNORED, FAULTS, "publish-v2-both-write"},
        {STI_MUTANT_SHORT_READ_AS_END, RECOVERY_FAULTS, "recover-v2-both-write"},
        {STI_MUTANT_SYNC_FAILURE_RETRIED, FAULTS, "publish-v2-none-autosync"},
        {STI_MUTANT_POSITION_DRIFTS, FAULTS, "publish-v1-both-behind"},
        {STI_MUTANT_ROLL_FAILURE_RETRIED, FAULTS, "rollover-v2-both-map"},
        {STI_MUTANT_REOPEN_BELIEVES_CACHE, FAULTS, "rollover-v2-both-map"},
        {STI_MUTANT_CUT_NOT_SYNCED, FAULTS, "rollover-v2-both-map"},
        {STI_MUTANT_GARBAGE_TAIL_KEPT, FAULTS, "rollover-v2-both-map"},
        {STI_MUTANT_INDEX_BEFORE_LOG, FAULTS, "reopen-v2-both-map"},
        {STI_MUTANT_MOVE_ON_UNMARKED, NESTED, "reopen-v2-both-map"},
        {STI_MUTANT_KEYS_TORN_KEPT, CRASHES, "reopen-v2-both-map"},
        {STI_MUTANT_LIVE_BELIEVES_ALL, CRASHES, "behind-v2-both-behind"},
        {STI_MUTANT_MARKER_IGNORED, CRASHES, "behind-v2-both-behind"},
        {STI_MUTANT_NO_MARKER, CRASHES, "behind-v2-both-behind"},
        {STI_MUTANT_SEAL_NOT_SYNCED, CRASHES, "behind-v2-both-behind"},
        {STI_MUTANT_DELETE_NOT_DURABLE, CRASHES, "delete-everything-v2-both-map"},
        {STI_MUTANT_NEW_HEAD_NOT_DURABLE, CRASHES, "delete-everything-v2-both-map"},
        {STI_MUTANT_UNLINK_BEFORE_DIRSYNC, CRASHES, "delete-first-v2-both-map"},
        {STI_MUTANT_REWRITE_NOT_SYNCED, CRASHES, "delete-middle-v2-both-map"},
        {STI_MUTANT_COVERED_LOG_READ, CRASHES, "delete-first-v2-both-map"},
        {STI_MUTANT_INDEX_FIT_UNCHECKED, CRASHES, "delete-head-middle-v2-both-map"},
        {STI_MUTANT_OLD_HEAD_NOT_FINISHED, CRASHES, "delete-head-last-v2-both-map"},
};

/* Bugs that no search can see, and why. */
static const struct {
    int mutant;
    const char *why;
} explained[] = {
        {STI_MUTANT_NONE, ""},
};

/* Told by the child, while it looks. */
struct verdict {
    uint64_t steps; /* runs and checks that began */
    bool caught;
    bool late; /* the time was over */
    char by[160];
    double seconds;
};

/* ---- Workloads that count. ---- */

struct counted {
    const struct sim_workload *inner;
    struct verdict *verdict;
};

static void step(const struct counted *c)
{
    __atomic_add_fetch(&c->verdict->steps, 1, __ATOMIC_RELAXED);
}

static int counted_setup(void *arg, struct sim_world *w)
{
    const struct counted *c = arg;

    return c->inner->setup(c->inner->arg, w);
}

static int counted_run(void *arg, struct sim_world *w)
{
    const struct counted *c = arg;

    step(c);
    return c->inner->run(c->inner->arg, w);
}

static int counted_check(void *arg, struct sim_world *w, uint64_t at_op,
        const struct sim_notes *notes, char *why, size_t why_len)
{
    const struct counted *c = arg;

    step(c);
    return c->inner->check(c->inner->arg, w, at_op, notes, why, why_len);
}

static enum sim_probe counted_probe(
        void *arg, struct sim_world *w, const struct sim_notes *notes, char *why, size_t why_len)
{
    const struct counted *c = arg;

    step(c);
    return c->inner->probe(c->inner->arg, w, notes, why, why_len);
}

static struct sim_workload counting(struct counted *c)
{
    struct sim_workload w = *c->inner;

    w.arg = c;
    w.setup = w.setup != NULL ? counted_setup : NULL;
    w.run = counted_run;
    w.check = counted_check;
    w.probe = w.probe != NULL ? counted_probe : NULL;
    return w;
}

/* ---- One search. True: something was found. ---- */

static bool explore(const struct sim_workload *w, bool nested, bool aimed)
{
    struct sim_explore_options options;
    struct sim_report report;

    sim_explore_options_init(&options);
    options.workers = 1;
    options.quiet = getenv("STELE_MUTANTS_VERBOSE") == NULL;
    options.random_count = aimed ? 8 : 2;
    options.nested_per_state = nested ? 12 : 0;
    options.states_per_op = aimed ? AIMED_PER_OP : GENERAL_PER_OP;
    options.opened_max = aimed ? AIMED_OPENED : GENERAL_OPENED;
    options.seconds_max = 0;
    return !sim_explore(w, &options, &report);
}

static bool loop(const struct sim_workload *w, enum how how, bool aimed)
{
    struct sim_loop_options options;
    struct sim_report report;

    sim_loop_options_init(&options);
    options.workers = 1;
    options.quiet = getenv("STELE_MUTANTS_VERBOSE") == NULL;
    options.all_bits = false;
    switch (how) {
    case FAULTS:
        options.stride = aimed ? 1 : 5;
        return !sim_fault_loop(w, &options, &report);
    case RECOVERY_FAULTS:
        options.stride = aimed ? 7 : 41;
        return !sim_recovery_fault_loop(w, &options, &report);
    case BITS:
        options.stride = aimed ? 1 : 7;
        return !sim_bit_loop(w, &options, NULL, &report);
    default:
        options.stride = aimed ? 1 : 7;
        return !sim_cut_loop(w, &options, NULL, &report);
    }
}

static bool try_scenarios(struct verdict *v, const char *part)
{
    size_t count;
    const struct stream_scenario *list = stream_scenarios(&count);

    for (size_t i = 0; i < count; i++) {
        if (strstr(list[i].name, part) != NULL) {
            (void)snprintf(v->by, sizeof v->by, "scenario, %s", list[i].name);
            v->steps++;
            if (!list[i].holds()) {
                return true;
            }
        }
    }
    return false;
}

static bool search(const struct sim_workload *w, enum how how, bool aimed)
{
    return how == CRASHES || how == NESTED ? explore(w, how == NESTED, aimed) : loop(w, how, aimed);
}

/* What is found without the bug as well is not the bug. */
static bool try_one(
        struct verdict *v, enum how how, const struct sim_workload *workload, bool aimed)
{
    struct counted counted = {workload, v};
    struct sim_workload w = counting(&counted);
    int mutant = sti_mutant_on;
    bool found;

    (void)snprintf(v->by, sizeof v->by, "%s, %s", how_names[how], workload->name);
    found = search(&w, how, aimed);
    if (found && mutant != STI_MUTANT_NONE) {
        sti_mutant_on = STI_MUTANT_NONE;
        found = !search(&w, how, aimed);
        sti_mutant_on = mutant;
    }
    return found;
}

/* The files of version 2 alone: version 1 does not protect all of its bytes. */
static bool try_damage(struct verdict *v, enum how how, bool aimed)
{
    struct model_config config = {.version = STELE_STREAM_V2,
            .times = true,
            .keys = true,
            .rollover = STREAM_PROBE_ROLLOVER};
    struct sim_workload w = stream_probe_workload("damage-v2-both", &config);

    return try_one(v, how, &w, aimed);
}

static bool try_all(struct verdict *v, enum how how, const char *part, bool aimed)
{
    size_t count;
    const struct sim_workload *list = stream_workloads(&count);

    if (how == SCENARIOS) {
        return try_scenarios(v, part);
    }
    if (how == BITS || how == CUTS) {
        return try_damage(v, how, aimed);
    }
    for (size_t i = 0; i < count; i++) {
        if (strstr(list[i].name, part) != NULL && try_one(v, how, &list[i], aimed)) {
            return true;
        }
    }
    return false;
}

/* ---- All searches for one bug. ---- */

static void hunt(struct verdict *v, int mutant)
{
    for (size_t i = 0; i < sizeof aims / sizeof aims[0] && !v->caught; i++) {
        if (aims[i].mutant == mutant) {
            v->caught = try_all(v, aims[i].how, aims[i].part, true);
        }
    }
    for (int how = 0; how < HOWS && !v->caught; how++) {
        v->caught = try_all(v, (enum how)how, "", false);
    }
}

/* Every search that some bug is found by, once. */
static void hunt_nothing(struct verdict *v)
{
    for (size_t i = 0; i < sizeof aims / sizeof aims[0] && !v->caught; i++) {
        bool before = false;

        for (size_t j = 0; j < i; j++) {
            before = before ||
                     (aims[j].how == aims[i].how && strcmp(aims[j].part, aims[i].part) == 0);
        }
        v->caught = !before && try_all(v, aims[i].how, aims[i].part, true);
    }
    for (int how = 0; how <= CRASHES && !v->caught; how++) {
        v->caught = try_all(v, (enum how)how, "", false);
    }
}

/* ---- A process for each. ---- */

struct hunter {
    pid_t pid;
    const struct mutant *mutant; /* NULL: without a bug */
    struct verdict *shared;
    struct verdict final;
    double began;
    double moved; /* when `steps` was another one */
    uint64_t steps;
    bool done;
};

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void start(struct hunter *h)
{
    h->shared = mmap(
            NULL, sizeof *h->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (h->shared == MAP_FAILED) {
        abort();
    }
    h->began = h->moved = now();
    (void)fflush(NULL);
    h->pid = fork();
    if (h->pid < 0) {
        abort();
    }
    if (h->pid == 0) {
        if (h->mutant == NULL) {
            hunt_nothing(h->shared);
        } else {
            sti_mutant_on = h->mutant->id;
            hunt(h->shared, h->mutant->id);
        }
        _exit(0);
    }
}

static void finish(struct hunter *h, const char *how)
{
    h->final = *h->shared;
    h->final.seconds = now() - h->began;
    if (how != NULL) {
        (void)snprintf(h->final.by, sizeof h->final.by, "%s in %.120s", how, h->shared->by);
        h->final.caught = true;
    }
    (void)munmap(h->shared, sizeof *h->shared);
    h->done = true;
}

/* Whether it is over; kills what takes too long. */
static bool poll_one(struct hunter *h)
{
    double limit = h->mutant == NULL ? CLEAN_SECONDS_MAX : SECONDS_MAX;
    uint64_t steps = __atomic_load_n(&h->shared->steps, __ATOMIC_RELAXED);
    double t = now();
    int status = 0;

    if (waitpid(h->pid, &status, WNOHANG) == h->pid) {
        finish(h, status != 0 ? "a crash" : NULL);
        return true;
    }
    if (steps != h->steps) {
        h->steps = steps;
        h->moved = t;
    }
    if (t - h->moved < HANG_SECONDS && t - h->began < limit) {
        return false;
    }
    (void)kill(h->pid, SIGKILL);
    (void)waitpid(h->pid, &status, 0);
    h->shared->late = t - h->moved < HANG_SECONDS;
    finish(h, h->shared->late ? NULL : "a hang");
    return true;
}

/* ---- What came of it. ---- */

static const char *explanation(int mutant)
{
    for (size_t i = 0; i < sizeof explained / sizeof explained[0]; i++) {
        if (explained[i].mutant == mutant && mutant != STI_MUTANT_NONE) {
            return explained[i].why;
        }
    }
    return NULL;
}

static void print_verdict(const struct hunter *h, bool table)
{
    const struct verdict *v = &h->final;
    const char *why = explanation(h->mutant->id);

    if (table) {
        (void)printf("| `%s` | %s | %s | %s%s |\n", h->mutant->name, h->mutant->what,
                h->mutant->stands_for,
                v->caught     ? v->by
                : why != NULL ? "explained: "
                              : "ESCAPED",
                v->caught || why == NULL ? "" : why);
    } else if (v->caught) {
        (void)printf("%-28s caught    by %s (%" PRIu64 " steps, %.1f s)\n", h->mutant->name, v->by,
                v->steps, v->seconds);
    } else {
        (void)printf("%-28s %s %s%s (%" PRIu64 " steps, %.1f s)\n", h->mutant->name,
                why != NULL ? "explained" : "ESCAPED  ", why != NULL ? why : "",
                v->late ? "; out of time" : "", v->steps, v->seconds);
    }
    (void)fflush(stdout);
}

/* Run them all, so many at a time, and print each in order as soon as it can be. */
static void run_hunters(struct hunter *list, size_t count, bool table)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t most = cores < 1 ? 1 : cores > PROCESSES_MAX ? PROCESSES_MAX : (size_t)cores;
    size_t printed = 0;
    size_t started = 0;
    size_t running = 0;

    while (printed < count) {
        struct timespec pause = {0, 5000000};

        for (; started < count && running < most; started++, running++) {
            start(&list[started]);
        }
        for (size_t i = printed; i < started; i++) {
            running -= !list[i].done && poll_one(&list[i]) ? 1 : 0;
        }
        for (; printed < started && list[printed].done; printed++) {
            if (list[printed].mutant != NULL) {
                print_verdict(&list[printed], table);
            }
        }
        (void)nanosleep(&pause, NULL);
    }
}

static bool clean(bool table)
{
    struct hunter none = {.mutant = NULL};

    run_hunters(&none, 1, table);
    if (none.final.caught || none.final.late) {
        (void)printf("without any bug: %s by %s\n", none.final.late ? "out of time" : "a violation",
                none.final.by);
        return false;
    }
    if (!table) {
        (void)printf("%-28s nothing found (%" PRIu64 " steps, %.1f s)\n", "(no bug)",
                none.final.steps, none.final.seconds);
    }
    return true;
}

static int run_all(const char *only, bool table)
{
    static struct hunter list[MUTANTS];
    size_t total = 0;
    size_t caught = 0;
    size_t reasons = 0;

    if (only == NULL && !clean(table)) {
        return 1;
    }
    for (size_t i = 0; i < MUTANTS; i++) {
        if (only == NULL || strcmp(only, mutants[i].name) == 0) {
            list[total++].mutant = &mutants[i];
        }
    }
    run_hunters(list, total, table);
    for (size_t i = 0; i < total; i++) {
        caught += list[i].final.caught ? 1 : 0;
        reasons += !list[i].final.caught && explanation(list[i].mutant->id) != NULL ? 1 : 0;
    }
    (void)printf("%smutants: caught %zu of %zu, explained %zu, escaped %zu\n", table ? "\n" : "",
            caught, total, reasons, total - caught - reasons);
    return total > 0 && caught + reasons == total ? 0 : 1;
}

/* One search for one bug, with what it says: to find out what to aim at. */
static int run_try(const char *name, const char *how, const char *part)
{
    struct verdict v = {.caught = false};
    double began = now();

    for (size_t i = 0; i < MUTANTS; i++) {
        if (strcmp(mutants[i].name, name) == 0) {
            sti_mutant_on = mutants[i].id;
        }
    }
    for (int i = 0; i < HOWS; i++) {
        if (strcmp(how_names[i], how) == 0) {
            v.caught = try_all(&v, (enum how)i, part, true);
        }
    }
    (void)printf("%s: %s by %s (%" PRIu64 " steps, %.1f s)\n", name,
            v.caught ? "caught" : "not caught", v.by, v.steps, now() - began);
    return v.caught ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < MUTANTS; i++) {
            (void)printf("%-28s %s\n", mutants[i].name, mutants[i].what);
        }
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--run") == 0) {
        return run_all(argv[2], false);
    }
    if (argc == 5 && strcmp(argv[1], "--try") == 0) {
        return run_try(argv[2], argv[3], argv[4]);
    }
    if (argc == 1 || (argc == 2 && strcmp(argv[1], "--table") == 0)) {
        return run_all(NULL, argc == 2);
    }
    (void)fprintf(
            stderr, "usage: %s [--list | --table | --run NAME | --try NAME HOW PART]\n", argv[0]);
    return 2;
}
