/* SPDX-License-Identifier: MIT
 *
 * docs_run.c: the steps of a workload of documents.
 */
#include "crash/docs_run.h"

#include "docs/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TRIES = 3
};

/* How far it is; shared with a process that ends in the middle. */
struct progress {
    struct docs_bounds bounds;
    uint64_t number; /* of the last change that is there */
    bool opened;     /* there is a database */
    bool wrong;
    char why[400];
};

struct player {
    struct store_work *work;
    struct sim_world *w;
    struct progress *at;
    const char *root;
    stele_docs *db;
    stele_env env;
    bool fault_set;
};

void docs_options_init(stele_docs_options *options, stele_env *env, struct sim_world *w)
{
    stele_docs_options_init(options);
    *env = w->env;
    env->vfs = stele_vfs_posix();
    options->env = env;
    options->no_background = true;
}

static bool complain(struct player *p, const char *what, const char *text)
{
    if (!p->at->wrong) {
        p->at->wrong = true;
        (void)snprintf(p->at->why, sizeof p->at->why, "%s: %.300s", what, text);
    }
    return false;
}

/* A step failed: that is wrong, unless failures are what it is about. */
static bool fails(struct player *p, const char *what, const stele_error *err)
{
    return p->work->insist ? true : complain(p, what, err->message);
}

static void acknowledge(struct player *p)
{
    p->at->bounds.acked = p->at->number;
    record_note(DISK_ACK, DOCS_CHANGE, p->at->number);
}

/* ---- Steps; false: something is wrong. ---- */

static void set_fault(struct player *p)
{
    if (!p->fault_set && p->work->fault != NULL) {
        record_set_fault(p->work->fault);
        p->fault_set = true;
    }
}

/* Which state it is in; an allocation may fail meanwhile. */
static bool judge(struct player *p, const struct docs_bounds *bounds, const char *when)
{
    struct store_why why;

    for (int i = 0; i < (p->work->insist ? TRIES : 1); i++) {
        if (docs_judge(p->db, bounds, &p->at->number, &why)) {
            return true;
        }
        if (p->work->fault != NULL && strstr(why.text, "MDB_PANIC") != NULL) {
            return true;
        }
    }
    return complain(p, when, why.text);
}

static bool step_open(struct player *p, bool durable)
{
    stele_docs_options options;
    stele_error err;
    stele_code code = STELE_ENOMEM;

    set_fault(p);
    docs_options_init(&options, &p->env, p->w);
    options.not_durable = !durable;
    options.must_exist = p->at->opened;
    for (int i = 0; i < (p->work->insist ? TRIES : 1) && code != STELE_OK; i++) {
        code = stele_docs_open(&p->db, p->root, &options, &err);
    }
    if (code != STELE_OK) {
        p->db = NULL;
        return fails(p, "open", &err);
    }
    p->at->opened = true;
    record_note(DISK_ACK, DOCS_OPENED, 0);
    /* A process may have ended before, and forgotten what was not durable. */
    if (!judge(p, &p->at->bounds, "after open")) {
        return false;
    }
    p->at->bounds.issued = p->at->number;
    return true;
}

static bool step_close(struct player *p)
{
    stele_error err;
    stele_code code = stele_docs_close(p->db, &err);

    p->db = NULL;
    if (code != STELE_OK) {
        return fails(p, "close", &err);
    }
    if (p->at->number > 0) {
        acknowledge(p);
    }
    return true;
}

static bool step_commit(struct player *p)
{
    stele_error err;

    if (stele_store_commit(p->db->store, &err) != STELE_OK) {
        return fails(p, "commit", &err);
    }
    acknowledge(p);
    return true;
}

static bool step_change(struct player *p, char kind)
{
    static struct docs_state state;
    struct docs_bounds *bounds = &p->at->bounds;
    uint64_t before = p->at->number;
    stele_error err;
    stele_code code;

    (void)docs_state_at(bounds->kinds, before, &state);
    bounds->kinds[before] = kind;
    bounds->kinds[before + 1] = '\0';
    bounds->issued = before + 1;
    record_note(
            DISK_INTENT, DOCS_CHANGE, (before + 1) | (uint64_t)(uint8_t)kind << DOCS_KIND_SHIFT);
    code = docs_change(p->db, &state, kind, before + 1, &err);
    if (code != STELE_OK) {
        struct docs_bounds seen = *bounds;

        /* It may be there all the same, and nothing but it. */
        seen.acked = before;
        return fails(p, "change", &err) && judge(p, &seen, "after a failure");
    }
    p->at->number = before + 1;
    if (!p->db->options.not_durable) {
        acknowledge(p);
    }
    return true;
}

static const struct record_fault full_once = {
        .kind = RECORD_FAULT_ERROR, .error = ENOSPC, .only_writes = true};

static bool play_step(struct player *p, char step)
{
    switch (step) {
    case 'x':
        return step_close(p);
    case 'c':
        return step_commit(p);
    case 'E':
        record_set_fault(&full_once);
        return true;
    default:
        return docs_is_change(step) ? step_change(p, step) : true;
    }
}

/* ---- Lives of processes. ---- */

/* From open to the end of it. */
static bool play_life(struct player *p, const char *step, const char *end)
{
    bool ok = step_open(p, *step == 'O');

    for (step++; ok && step <= end && p->db != NULL; step++) {
        ok = play_step(p, *step);
    }
    return ok;
}

static const char *end_of_life(const char *step)
{
    while (step[1] != '\0' && *step != 'x' && *step != 'k') {
        step++;
    }
    return step;
}

static void play_in_child(struct player *p, const char *step, const char *end)
{
    int status = 0;
    pid_t child;

    (void)fflush(NULL);
    child = fork();
    if (child == 0) {
        (void)play_life(p, step, end);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || WIFSIGNALED(status)) {
        (void)complain(p, "a life", "the process died");
    }
}

static bool is_killed(const struct store_work *work)
{
    return work->fault != NULL &&
           (work->fault->kind == RECORD_FAULT_KILL || work->fault->kind == RECORD_FAULT_KILL_AFTER);
}

static void play(struct player *p)
{
    const char *step = p->work->steps;

    while (*step != '\0' && !p->at->wrong) {
        const char *end = end_of_life(step);

        if (*end == 'k' || is_killed(p->work)) {
            play_in_child(p, step, end);
            if (is_killed(p->work) && record_fault_hits() > 0) {
                break;
            }
            p->fault_set = p->fault_set || p->work->fault != NULL;
        } else {
            (void)play_life(p, step, end);
        }
        if (p->db != NULL) {
            (void)step_close(p);
        }
        step = *end == '\0' ? end : end + 1;
    }
}

/* What is there is opened without a fault, and written on. */
static void play_again(struct player *p)
{
    struct store_work work = *p->work;

    if (work.fault == NULL) {
        record_set_fault(NULL);
    } else {
        p->work->calls = record_fault_calls();
        p->work->hits = record_fault_hits();
        record_set_fault(NULL);
    }
    /* Without such a fault it may be an allocation that fails, once. */
    work.insist = work.fault == NULL;
    work.fault = NULL;
    p->work = &work;
    if (!p->at->wrong && step_open(p, true) && p->db == NULL) {
        (void)complain(p, "at the end", "it cannot be opened");
    }
    if (!p->at->wrong && step_close(p) && step_open(p, true) && p->db != NULL &&
            step_change(p, 's') && step_change(p, 't')) {
        (void)step_close(p);
    }
}

int docs_run(void *arg, struct sim_world *w)
{
    struct store_work *work = arg;
    char root[DISK_PATH_SIZE];
    static struct disk_base base;
    struct player p = {.work = work, .w = w, .root = root};
    int rc = 0;

    p.at = mmap(NULL, sizeof *p.at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p.at == MAP_FAILED) {
        return sim_wrong(w, "no memory");
    }
    store_step();
    disk_scratch(root);
    disk_base_init(&base, root);
    disk_record(&base);
    play(&p);
    if (work->insist) {
        play_again(&p);
    }
    if (p.db != NULL) {
        (void)stele_docs_close(p.db, NULL);
    }
    record_stop();
    if (p.at->wrong) {
        rc = sim_wrong(w, "%s", p.at->why);
    } else if (!disk_repeat(w, &base)) {
        rc = SIM_WRONG;
    }
    disk_remove(root);
    (void)munmap(p.at, sizeof *p.at);
    return rc;
}
