/* SPDX-License-Identifier: MIT */
#include "crash/hunt.h"

#include "base/mutant.h"
#include "sim/loops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SEARCH_SECONDS = 20, /* of the processor; then come the scenarios */
    AIMED_OPENED = 4000,
    AIMED_PER_OP = 40,
    NESTED_PER_STATE = 48,
    GENERAL_OPENED = 40,
    GENERAL_PER_OP = 3
};

const char *const hunt_names[MUTANTS_HOWS] = {
        [MUTANTS_CRASHES] = "crashes",
        [MUTANTS_NESTED] = "crashes in recovery",
        [MUTANTS_FAULTS] = "faults",
        [MUTANTS_DEATHS] = "deaths",
        [MUTANTS_RECOVERY_FAULTS] = "faults in recovery",
        [MUTANTS_ALLOCATIONS] = "allocations",
        [MUTANTS_BITS] = "bits",
        [MUTANTS_CUTS] = "cuts",
        [MUTANTS_LIES] = "lies",
        [MUTANTS_SCENARIOS] = "scenario",
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

static bool is_quiet(void)
{
    return getenv("STELE_MUTANTS_VERBOSE") == NULL;
}

static bool explore(const struct sim_workload *w, bool nested, bool aimed)
{
    struct sim_explore_options options;
    struct sim_report report;

    sim_explore_options_init(&options);
    options.workers = 1;
    options.quiet = is_quiet();
    options.random_count = aimed ? 8 : 2;
    options.nested_per_state = nested ? NESTED_PER_STATE : 0;
    options.states_per_op = aimed ? AIMED_PER_OP : GENERAL_PER_OP;
    options.opened_max = aimed ? AIMED_OPENED : GENERAL_OPENED;
    options.seconds_max = 0;
    return !sim_explore(w, &options, &report);
}

static bool loop(const struct sim_workload *w, enum mutants_how how, bool aimed)
{
    struct sim_loop_options options;
    struct sim_report report;

    sim_loop_options_init(&options);
    options.workers = 1;
    options.quiet = is_quiet();
    options.all_bits = false;
    switch (how) {
    case MUTANTS_FAULTS:
        options.stride = aimed ? 1 : 5;
        return !sim_fault_loop(w, &options, &report);
    case MUTANTS_RECOVERY_FAULTS:
        options.stride = aimed ? 7 : 41;
        return !sim_recovery_fault_loop(w, &options, &report);
    case MUTANTS_ALLOCATIONS:
        options.stride = aimed ? 1 : 11;
        return !sim_alloc_loop(w, &options, &report);
    case MUTANTS_BITS:
        options.stride = aimed ? 1 : 7;
        return !sim_bit_loop(w, &options, NULL, &report);
    case MUTANTS_LIES:
        options.stride = 1;
        return !sim_lie_loop(w, &options, &report);
    default:
        options.stride = aimed ? 1 : 7;
        return !sim_cut_loop(w, &options, NULL, &report);
    }
}

static bool search(const struct mutants_module *module, const struct sim_workload *workload,
        enum mutants_how how, bool aimed, struct verdict *verdict)
{
    struct counted counted = {workload, verdict};
    struct sim_workload w = counting(&counted);

    if (module->search != NULL) {
        return module->search(workload, how, aimed, &verdict->steps);
    }
    return how == MUTANTS_CRASHES || how == MUTANTS_NESTED
                   ? explore(&w, how == MUTANTS_NESTED, aimed)
                   : loop(&w, how, aimed);
}

/* What is found without the bug as well is not the bug. */
static bool try_one(const struct hunt *h, const struct mutants_module *module, enum mutants_how how,
        const struct sim_workload *workload, bool aimed)
{
    int mutant = sti_mutant_on;
    bool found;

    h->verdict->how = how;
    (void)snprintf(
            h->verdict->by, sizeof h->verdict->by, "%s, %s", hunt_names[how], workload->name);
    found = search(module, workload, how, aimed, h->verdict);
    if (found && mutant != STI_MUTANT_NONE && !(aimed && h->trusted)) {
        sti_mutant_on = STI_MUTANT_NONE;
        found = !search(module, workload, how, aimed, h->verdict);
        sti_mutant_on = mutant;
    }
    return found;
}

static bool try_scenarios(
        const struct hunt *h, const struct mutants_module *module, const char *part)
{
    size_t count = 0;
    const struct scenario *list = module->scenarios != NULL ? module->scenarios(&count) : NULL;

    for (size_t i = 0; i < count; i++) {
        if (strstr(list[i].name, part) != NULL) {
            h->verdict->how = MUTANTS_SCENARIOS;
            (void)snprintf(h->verdict->by, sizeof h->verdict->by, "%s, %s",
                    hunt_names[MUTANTS_SCENARIOS], list[i].name);
            h->verdict->steps++;
            if (!list[i].holds()) {
                return true;
            }
        }
    }
    return false;
}

static bool is_over(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec >= SEARCH_SECONDS;
}

static const struct sim_workload *workloads_for(
        const struct mutants_module *module, enum mutants_how how, size_t *count)
{
    const struct sim_workload *(*source)(size_t * count);

    switch (how) {
    case MUTANTS_DEATHS:
        source = module->search != NULL ? module->workloads : NULL;
        break;
    case MUTANTS_BITS:
    case MUTANTS_CUTS:
        source = module->damage;
        break;
    case MUTANTS_LIES:
        source = module->lies;
        break;
    default:
        source = module->workloads;
        break;
    }
    *count = 0;
    return source != NULL ? source(count) : NULL;
}

static bool try_all(const struct hunt *h, const struct mutants_module *module, enum mutants_how how,
        const char *part, bool aimed)
{
    const struct sim_workload *list;
    size_t count;

    if (how == MUTANTS_SCENARIOS) {
        return try_scenarios(h, module, part);
    }
    list = workloads_for(module, how, &count);
    for (size_t i = 0; i < count; i++) {
        if (!aimed && is_over()) {
            return false;
        }
        if (strstr(list[i].name, part) != NULL && try_one(h, module, how, &list[i], aimed)) {
            return true;
        }
    }
    return false;
}

/* ---- Which modules search for a bug. ---- */

static bool has_tables(const struct hunt *h, const char *module)
{
    for (size_t i = 0; i < h->module_count; i++) {
        if (strcmp(h->modules[i]->name, module) == 0) {
            return true;
        }
    }
    return false;
}

static bool searches(const struct hunt *h, const struct mutants_module *m, const char *module)
{
    return !has_tables(h, module) || strcmp(m->name, module) == 0;
}

/* ---- All searches. ---- */

void hunt_mutant(const struct hunt *h, int mutant, const char *module)
{
    struct verdict *v = h->verdict;

    for (size_t i = 0; i < h->module_count; i++) {
        const struct mutants_module *m = h->modules[i];

        for (size_t j = 0; j < m->aim_count && !v->caught; j++) {
            if (m->aims[j].mutant == mutant) {
                v->caught = try_all(h, m, m->aims[j].how, m->aims[j].part, true);
            }
        }
    }
    for (int how = 0; how < MUTANTS_HOWS; how++) {
        for (size_t i = 0; i < h->module_count && !v->caught; i++) {
            if (searches(h, h->modules[i], module)) {
                v->caught = try_all(h, h->modules[i], (enum mutants_how)how, "", false);
            }
        }
    }
}

static bool is_repeated(const struct mutants_module *m, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (m->aims[i].how == m->aims[at].how && strcmp(m->aims[i].part, m->aims[at].part) == 0) {
            return true;
        }
    }
    return false;
}

void hunt_nothing(const struct hunt *h, size_t share, size_t shares)
{
    struct verdict *v = h->verdict;
    size_t n = 0;

    for (size_t i = 0; i < h->module_count; i++) {
        const struct mutants_module *m = h->modules[i];

        for (size_t j = 0; j < m->aim_count && !v->caught; j++) {
            if (!is_repeated(m, j) && n++ % shares == share) {
                v->caught = try_all(h, m, m->aims[j].how, m->aims[j].part, true);
            }
        }
        if (!v->caught && n++ % shares == share) {
            v->caught = try_scenarios(h, m, "");
        }
    }
}

void hunt_there(const struct hunt *h, const char *module, enum mutants_how how, const char *part)
{
    for (size_t i = 0; i < h->module_count && !h->verdict->caught; i++) {
        if (searches(h, h->modules[i], module)) {
            h->verdict->caught = try_all(h, h->modules[i], how, part, true);
        }
    }
}
