/* SPDX-License-Identifier: MIT
 *
 * mutants.c: switch on each seeded bug of base/mutants.def, and see who finds it.
 *
 *     mutants [--list | --table | --module MODULE] [--run NAME]
 *             [--try NAME HOW PART-OF-A-WORKLOAD]
 *
 * The modules in the list below say where to look (mutants.h): for each bug first where it is
 * aimed at, then everywhere, and at last in the scenarios. Each bug has a process of its own, so
 * that it may crash, or hang: both count as caught. To hang is to check no state for a while; a
 * search that just takes too long has not caught anything. First the aimed searches run without
 * a bug, and must find nothing.
 *
 * The exit code is 0 if every bug was caught but those that a module explains, and so many of
 * all as SEARCHED_MIN says by searches. --table prints the rows of tests/mutants.md.
 */
#include "base/mutant.h"
#include "crash/hunt.h"

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
    SECONDS_MAX = 240, /* for one bug; most take less than one */
    CLEAN_SECONDS_MAX = 600,
    CLEAN_SHARES = 4,
    HANG_SECONDS = 60, /* without a step: others may need the machine as well */
    PROCESSES_MAX = 16,
    SEARCHED_MIN = 95 /* percent */
};

static const struct mutants_module *const modules[] = {
        &mutants_stream,
        &mutants_wal,
        &mutants_journal,
        &mutants_store,
        &mutants_docs,
};

struct mutant {
    int id;
    const char *name;
    const char *module;
    const char *what;
    const char *stands_for;
};

static const struct mutant mutants[] = {
#define X(name, module, what, stands_for) {STI_MUTANT_##name, #name, module, what, stands_for},
#include "base/mutants.def"
#undef X
};

enum {
    MODULES = sizeof modules / sizeof modules[0],
    MUTANTS = sizeof mutants / sizeof mutants[0]
};

/* ---- A process for each. ---- */

struct hunter {
    pid_t pid;
    const struct mutant *mutant; /* NULL: without a bug */
    size_t share;                /* then */
    const char *only;            /* and the module; NULL: all */
    bool trusted;
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

static _Noreturn void work(const struct hunter *h)
{
    struct hunt hunt = {modules, MODULES, h->shared, h->trusted};

    for (size_t i = 0; i < MODULES && h->only != NULL; i++) {
        if (strcmp(modules[i]->name, h->only) == 0) {
            hunt.modules = &modules[i];
            hunt.module_count = 1;
        }
    }
    if (h->mutant == NULL) {
        hunt_nothing(&hunt, h->share, CLEAN_SHARES);
    } else {
        sti_mutant_on = h->mutant->id;
        hunt_mutant(&hunt, h->mutant->id, h->mutant->module);
    }
    (void)fflush(NULL);
    _exit(0);
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
        work(h);
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
    for (size_t i = 0; i < MODULES; i++) {
        for (size_t j = 0; j < modules[i]->explained_count; j++) {
            if (modules[i]->explained[j].mutant == mutant) {
                return modules[i]->explained[j].why;
            }
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

static bool clean(bool table, const char *only)
{
    struct hunter none[CLEAN_SHARES] = {{.mutant = NULL}};
    uint64_t steps = 0;
    double began = now();

    for (size_t i = 0; i < CLEAN_SHARES; i++) {
        none[i].share = i;
        none[i].only = only;
    }
    run_hunters(none, CLEAN_SHARES, table);
    for (size_t i = 0; i < CLEAN_SHARES; i++) {
        const struct verdict *v = &none[i].final;

        if (v->caught || v->late) {
            (void)printf(
                    "without any bug: %s by %s\n", v->late ? "out of time" : "a violation", v->by);
            return false;
        }
        steps += v->steps;
    }
    if (!table) {
        (void)printf("%-28s nothing found (%" PRIu64 " steps, %.1f s)\n", "(no bug)", steps,
                now() - began);
    }
    return true;
}

/* ---- All. ---- */

struct sums {
    size_t total;
    size_t searched; /* caught by a search */
    size_t scenarios;
    size_t reasons;
};

static double percent(size_t part, size_t total)
{
    return total == 0 ? 0 : 100.0 * (double)part / (double)total;
}

/* What it all came to, and the exit code. */
static int sum_up(const struct hunter *list, size_t total, bool table, double seconds)
{
    struct sums s = {.total = total};
    bool enough;

    for (size_t i = 0; i < total; i++) {
        const struct verdict *v = &list[i].final;

        s.searched += v->caught && v->how != MUTANTS_SCENARIOS ? 1 : 0;
        s.scenarios += v->caught && v->how == MUTANTS_SCENARIOS ? 1 : 0;
        s.reasons += !v->caught && explanation(list[i].mutant->id) != NULL ? 1 : 0;
    }
    enough = s.searched * 100 >= total * SEARCHED_MIN;
    (void)printf("%smutants: caught %zu of %zu (%.1f %%): %zu by exploration and loops (%.1f %%), "
                 "%zu by scenarios (%.1f %%); explained %zu, escaped %zu",
            table ? "\n" : "", s.searched + s.scenarios, total,
            percent(s.searched + s.scenarios, total), s.searched, percent(s.searched, total),
            s.scenarios, percent(s.scenarios, total), s.reasons,
            total - s.searched - s.scenarios - s.reasons);
    if (table) {
        (void)printf("\n");
    } else {
        (void)printf("; %.0f s\n", seconds);
    }
    if (!enough) {
        (void)printf("mutants: fewer than %d %% by exploration and loops\n", SEARCHED_MIN);
    }
    return enough && s.searched + s.scenarios + s.reasons == total ? 0 : 1;
}

/* `only`: the bugs of one module; NULL: all. */
static int run_all(bool table, const char *only)
{
    static struct hunter list[MUTANTS];
    double began = now();
    size_t count = 0;

    if (!clean(table, only)) {
        return 1;
    }
    for (size_t i = 0; i < MUTANTS; i++) {
        if (only == NULL || strcmp(mutants[i].module, only) == 0) {
            list[count].mutant = &mutants[i];
            list[count].trusted = true;
            count++;
        }
    }
    run_hunters(list, count, table);
    return sum_up(list, count, table, now() - began);
}

static const struct mutant *find(const char *name)
{
    for (size_t i = 0; i < MUTANTS; i++) {
        if (strcmp(mutants[i].name, name) == 0) {
            return &mutants[i];
        }
    }
    return NULL;
}

static int run_one(const struct mutant *mutant)
{
    struct hunter h = {.mutant = mutant};

    run_hunters(&h, 1, false);
    return h.final.caught || explanation(mutant->id) != NULL ? 0 : 1;
}

/* One search for one bug, with what it says: to find out what to aim at. */
static int run_try(const struct mutant *mutant, const char *how, const char *part)
{
    struct verdict v = {.caught = false};
    struct hunt hunt = {modules, MODULES, &v, false};
    double began = now();

    sti_mutant_on = mutant->id;
    for (int i = 0; i < MUTANTS_HOWS; i++) {
        if (strcmp(hunt_names[i], how) == 0) {
            hunt_there(&hunt, mutant->module, (enum mutants_how)i, part);
        }
    }
    (void)printf("%s: %s by %s (%" PRIu64 " steps, %.1f s)\n", mutant->name,
            v.caught ? "caught" : "not caught", v.by, v.steps, now() - began);
    return v.caught ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct mutant *named = argc >= 3 ? find(argv[2]) : NULL;

    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < MUTANTS; i++) {
            (void)printf("%-28s %-8s %s\n", mutants[i].name, mutants[i].module, mutants[i].what);
        }
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--run") == 0 && named != NULL) {
        return run_one(named);
    }
    if (argc == 5 && strcmp(argv[1], "--try") == 0 && named != NULL) {
        return run_try(named, argv[3], argv[4]);
    }
    if (argc == 1 || (argc == 2 && strcmp(argv[1], "--table") == 0)) {
        return run_all(argc == 2, NULL);
    }
    if (argc == 3 && strcmp(argv[1], "--module") == 0) {
        return run_all(false, argv[2]);
    }
    (void)fprintf(stderr,
            "usage: %s [--list | --table | --module MODULE | --run NAME | --try NAME HOW PART]\n",
            argv[0]);
    return 2;
}
