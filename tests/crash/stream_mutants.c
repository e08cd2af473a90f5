/* SPDX-License-Identifier: MIT
 *
 * stream_mutants.c: switch on each seeded bug of base/mutants.def, and see who finds it.
 *
 *     stream_mutants [--list] [--run NAME]
 *
 * Each runs in a process of its own, that may crash or hang: both count as
 * caught. First all is run without a bug, and must find nothing. The
 * exit code is 0 if every bug was caught but those that tests/mutants.md explains.
 */
#include "base/mutant.h"
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
    SECONDS_MAX = 150,
    OPENED_FIRST = 40,
    OPENED_MAX = 250,
    LOOP_STEP = 8 /* the fault loop is for a part of the workloads */
};

struct mutant {
    int id;
    const char *name;
    const char *what;
};

static const struct mutant mutants[] = {
#define X(name, module, what) {STI_MUTANT_##name, #name, what},
#include "base/mutants.def"
#undef X
};

/* Escapes that tests/mutants.md explains. */
static const char *const explained[] = {NULL};

/* Told by the child. */
struct verdict {
    bool caught;
    char by[160];
    uint64_t states;
};

/* ---- Looking for it. ---- */

static bool by_scenarios(struct verdict *v)
{
    size_t count;
    const struct stream_scenario *list = stream_scenarios(&count);

    for (size_t i = 0; i < count; i++) {
        (void)snprintf(v->by, sizeof v->by, "scenario, %s", list[i].name);
        if (!list[i].holds()) {
            return true;
        }
    }
    return false;
}

static bool by_crashes(struct verdict *v, uint64_t opened, uint64_t nested)
{
    struct sim_explore_options options;
    struct sim_report report;
    size_t count;
    const struct sim_workload *list = stream_workloads(&count);

    sim_explore_options_init(&options);
    options.workers = 1;
    options.quiet = true;
    options.random_count = 2;
    options.nested_per_state = nested;
    options.states_per_op = nested > 0 ? 24 : 12;
    options.opened_max = opened;
    options.seconds_max = 0;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(v->by, sizeof v->by, "%s, %s",
                nested > 0 ? "crashes in recovery" : "crashes", list[i].name);
        if (!sim_explore(&list[i], &options, &report)) {
            v->states += report.opened;
            return true;
        }
        v->states += report.opened;
    }
    return false;
}

static bool by_faults(struct verdict *v, bool recovery)
{
    struct sim_loop_options options;
    struct sim_report report;
    size_t count;
    const struct sim_workload *list = stream_workloads(&count);
    size_t step = recovery ? 3 * LOOP_STEP : LOOP_STEP;

    sim_loop_options_init(&options);
    options.workers = 1;
    options.quiet = true;
    options.stride = recovery ? 41 : 2;
    for (size_t i = 0; i < count; i += step) {
        if (strncmp(list[i].name, "trim", 4) == 0 || strstr(list[i].name, "behind") != NULL) {
            continue;
        }
        (void)snprintf(v->by, sizeof v->by, "%s, %s", recovery ? "faults in recovery" : "faults",
                list[i].name);
        if (recovery ? !sim_recovery_fault_loop(&list[i], &options, &report)
                     : !sim_fault_loop(&list[i], &options, &report)) {
            v->states += report.opened;
            return true;
        }
        v->states += report.opened;
    }
    return false;
}

static void hunt(struct verdict *v)
{
    v->caught = by_scenarios(v) || by_crashes(v, OPENED_FIRST, 0) ||
                by_crashes(v, OPENED_MAX, 12) || by_faults(v, false) || by_faults(v, true);
}

/* ---- A process for each. ---- */

static void run_one(const struct mutant *mutant, struct verdict *out)
{
    struct verdict *shared =
            mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    time_t began = time(NULL);
    int status = 0;
    bool hung = false;
    pid_t pid;

    if (shared == MAP_FAILED) {
        abort();
    }
    (void)fflush(NULL);
    pid = fork();
    if (pid == 0) {
        sti_mutant_on = mutant->id;
        hunt(shared);
        _exit(0);
    }
    while (waitpid(pid, &status, WNOHANG) == 0) {
        struct timespec pause = {0, 5000000};

        if (!hung && time(NULL) - began > SECONDS_MAX) {
            hung = true;
            (void)kill(pid, SIGKILL);
        }
        (void)nanosleep(&pause, NULL);
    }
    *out = *shared;
    if (hung || status != 0) {
        (void)snprintf(
                out->by, sizeof out->by, "%s in %.100s", hung ? "a hang" : "a crash", shared->by);
        out->caught = true;
    }
    (void)munmap(shared, sizeof *shared);
}

static bool is_explained(const char *name)
{
    for (size_t i = 0; i < sizeof explained / sizeof explained[0]; i++) {
        if (explained[i] != NULL && strcmp(explained[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void print_verdict(const char *name, const struct verdict *v)
{
    if (v->caught) {
        (void)printf("%-28s caught   by %s, after %" PRIu64 " states\n", name, v->by, v->states);
    } else {
        (void)printf("%-28s %s after %" PRIu64 " states\n", name,
                is_explained(name) ? "escaped, as tests/mutants.md explains," : "ESCAPED",
                v->states);
    }
    (void)fflush(stdout);
}

static int run_all(const char *only)
{
    static const struct mutant none = {STI_MUTANT_NONE, "(none)", "no bug"};
    size_t total = 0;
    size_t caught = 0;
    size_t unexplained = 0;
    struct verdict v;

    if (only == NULL) {
        run_one(&none, &v);
        if (v.caught) {
            (void)printf("without any bug: a violation by %s\n", v.by);
            return 1;
        }
        (void)printf("%-28s nothing found in %" PRIu64 " states\n", none.name, v.states);
    }
    for (size_t i = 0; i < sizeof mutants / sizeof mutants[0]; i++) {
        if (only != NULL && strcmp(only, mutants[i].name) != 0) {
            continue;
        }
        run_one(&mutants[i], &v);
        print_verdict(mutants[i].name, &v);
        total++;
        caught += v.caught ? 1 : 0;
        unexplained += v.caught || is_explained(mutants[i].name) ? 0 : 1;
    }
    (void)printf("mutants: caught %zu / total %zu\n", caught, total);
    return total > 0 && unexplained == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < sizeof mutants / sizeof mutants[0]; i++) {
            (void)printf("%-28s %s\n", mutants[i].name, mutants[i].what);
        }
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--run") == 0) {
        return run_all(argv[2]);
    }
    if (argc != 1) {
        (void)fprintf(stderr, "usage: %s [--list] [--run NAME]\n", argv[0]);
        return 2;
    }
    return run_all(NULL);
}
