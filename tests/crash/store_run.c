/* SPDX-License-Identifier: MIT
 *
 * store_run.c: the steps of a workload.
 */
#include "crash/store_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    KIND_SHIFT = 56,
    TRIES = 3
};

/* How far it is; shared with a process that ends in the middle. */
struct progress {
    struct store_bounds bounds;
    uint64_t number; /* of the last batch that ended */
    bool opened;     /* there is a store */
    bool wrong;
    char why[400];
};

struct player {
    struct store_work *work;
    struct sim_world *w;
    struct progress *at;
    const char *root;
    stele_store *s;
    stele_env env;
    bool fault_set;
    unsigned snapshots;
    stele_store_read *held;
    struct store_bounds held_bounds;
};

void store_options_init(stele_store_options *options, stele_env *env, struct sim_world *w)
{
    stele_store_options_init(options);
    *env = w->env;
    env->vfs = stele_vfs_posix();
    options->env = env;
    options->no_background = true;
    options->batch_interval_ms = UINT32_MAX;
    options->batch_limit = UINT32_MAX;
    options->readers_max = 8;
}

static bool complain(struct player *p, const char *what, const char *text)
{
    if (!p->at->wrong) {
        p->at->wrong = true;
        (void)snprintf(p->at->why, sizeof p->at->why, "%s: %.300s", what, text);
    }
    return false;
}

/* Whether a disk without room has made the store refuse to write. LMDB's page that makes a commit
 * valid is another thing: it has its room, and where it cannot be written LMDB gives up. So has
 * what the log overwrites, and a disk that never lets it ends it. */
static bool is_poisoned_by_room(const struct player *p, const stele_error *err)
{
    const struct record_fault *f = p->work->fault;
    stele_store_stats stats = {.failed = false};

    return f != NULL && f->error == ENOSPC && !f->persistent && p->s != NULL &&
           strstr(err->message, "PANIC") == NULL &&
           stele_store_stat(p->s, &stats, NULL) == STELE_OK && stats.failed;
}

/* A step failed: that is wrong, unless failures are what it is about. */
static bool fails(struct player *p, const char *what, const stele_error *err)
{
    if (is_poisoned_by_room(p, err)) {
        return complain(p, "a full disk ends all writing", err->message);
    }
    return p->work->insist ? true : complain(p, what, err->message);
}

static void acknowledge(struct player *p)
{
    p->at->bounds.acked = p->at->number;
    record_note(DISK_ACK, STORE_BATCH, p->at->number);
}

/* ---- Steps; false: something is wrong. ---- */

static void set_fault(struct player *p)
{
    if (!p->fault_set && p->work->fault != NULL) {
        record_set_fault(p->work->fault);
        p->fault_set = true;
    }
}

static bool step_open(struct player *p)
{
    stele_store_options options;
    struct store_why why;
    stele_error err;
    stele_code code = STELE_ENOMEM;

    set_fault(p);
    store_options_init(&options, &p->env, p->w);
    options.batch_limit = p->work->batch_limit == 0 ? options.batch_limit : p->work->batch_limit;
    options.must_exist = p->at->opened;
    for (int i = 0; i < (p->work->insist ? TRIES : 1) && code != STELE_OK; i++) {
        code = stele_store_open(&p->s, p->root, &options, &err);
    }
    if (code != STELE_OK) {
        p->s = NULL;
        return fails(p, "open", &err);
    }
    p->at->opened = true;
    record_note(DISK_ACK, STORE_OPENED, 0);
    /* A process may have ended before, and forgotten what was not durable. */
    for (int i = 0; i < (p->work->insist ? TRIES : 1); i++) {
        if (store_judge(p->s, &p->at->bounds, &p->at->number, &why)) {
            p->at->bounds.issued = p->at->number;
            return true;
        }
    }
    return complain(p, "after open", why.text);
}

static bool step_hold(struct player *p)
{
    stele_error err;

    if (stele_store_read_begin(&p->held, p->s, &err) != STELE_OK) {
        p->held = NULL;
        return fails(p, "hold a read", &err);
    }
    p->held_bounds = p->at->bounds;
    p->held_bounds.acked = p->held_bounds.issued = p->at->number;
    return true;
}

static bool step_let_go(struct player *p)
{
    struct store_why why;
    uint64_t last;
    bool ok = p->held == NULL;

    for (int i = 0; i < TRIES && !ok; i++) {
        ok = store_judge_read(p->held, &p->held_bounds, &last, &why);
    }
    stele_store_read_end(p->held);
    p->held = NULL;
    return ok ? true : complain(p, "a read that was held", why.text);
}

static bool step_close(struct player *p)
{
    stele_error err;
    stele_code code;

    stele_store_read_end(p->held);
    p->held = NULL;
    code = stele_store_close(p->s, &err);
    p->s = NULL;
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
    stele_code code = stele_store_commit(p->s, &err);

    if (code != STELE_OK) {
        return fails(p, "commit", &err);
    }
    acknowledge(p);
    return true;
}

/* Whether a batch that failed is seen all the same. */
static bool is_seen(struct player *p, uint64_t number)
{
    struct store_bounds bounds = p->at->bounds;
    struct store_why why;
    uint64_t last = 0;

    bounds.acked = 0;
    for (int i = 0; i < TRIES; i++) {
        if (store_judge(p->s, &bounds, &last, &why)) {
            return last == number;
        }
        if (strstr(why.text, "MDB_PANIC") != NULL) {
            return false;
        }
    }
    return complain(p, "after a failure", why.text);
}

static bool step_batch(struct player *p, char kind, char end)
{
    uint64_t number = p->at->number + 1;
    stele_error err;
    stele_code code;

    if (end != '-') {
        p->at->bounds.kinds[number - 1] = kind;
        p->at->bounds.issued = number;
        record_note(DISK_INTENT, STORE_BATCH, number | (uint64_t)(uint8_t)kind << KIND_SHIFT);
    }
    code = store_batch(p->s, kind, end, number, &err);
    if (code != STELE_OK) {
        if (p->work->insist && end != '-' && is_seen(p, number)) {
            p->at->number = number;
        }
        return !p->at->wrong && fails(p, "batch", &err);
    }
    if (end == '-') {
        return true;
    }
    p->at->number = number;
    if (end != '.') {
        acknowledge(p);
    }
    return true;
}

static bool step_snapshot(struct player *p)
{
    stele_store_snapshot *snapshot = NULL;
    char path[DISK_PATH_SIZE + 32];
    stele_error err;
    stele_code code = stele_store_snapshot_open(&snapshot, p->s, &err);

    if (code != STELE_OK) {
        return fails(p, "snapshot", &err);
    }
    acknowledge(p);
    (void)snprintf(path, sizeof path, "%s/snapshot-%u", p->root, p->snapshots);
    code = stele_store_snapshot_save(snapshot, path, NULL, NULL, &err);
    stele_store_snapshot_close(snapshot);
    if (code == STELE_OK) {
        record_note(DISK_ACK, STORE_SNAPSHOT, p->snapshots);
    }
    p->snapshots++;
    return code == STELE_OK ? true : fails(p, "snapshot", &err);
}

static bool step_defrag(struct player *p)
{
    stele_error err;
    stele_code code = stele_store_defrag(p->s, NULL, NULL, NULL, &err);

    if (code != STELE_OK) {
        return fails(p, "defrag", &err);
    }
    (void)p;
    return true;
}

static const struct record_fault full_once = {
        .kind = RECORD_FAULT_ERROR, .error = ENOSPC, .only_writes = true};

static bool is_batch(char step)
{
    return step != '\0' && strchr("sbmlrR", step) != NULL;
}

static bool play_step(struct player *p, const char *step)
{
    if (is_batch(*step)) {
        return step_batch(p, step[0], step[1]);
    }
    switch (*step) {
    case 'x':
        return step_close(p);
    case 'c':
        return step_commit(p);
    case 'n':
        return step_snapshot(p);
    case 'E':
        record_set_fault(&full_once);
        return true;
    case 'h':
        return step_hold(p);
    case 'H':
        return step_let_go(p);
    case 'D':
        return step_defrag(p);
    default:
        return true;
    }
}

/* ---- Lives of processes. ---- */

/* From open to the end of it. */
static bool play_life(struct player *p, const char *step, const char *end)
{
    bool ok = step_open(p);

    for (step++; ok && step <= end && p->s != NULL; step += is_batch(*step) ? 2 : 1) {
        ok = play_step(p, step);
    }
    return ok;
}

static const char *end_of_life(const char *step)
{
    while (step[1] != '\0' && *step != 'x' && *step != 'k') {
        step += is_batch(*step) ? 2 : 1;
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
        if (p->s != NULL) {
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
    if (!p->at->wrong && step_open(p) && p->s == NULL) {
        (void)complain(p, "at the end", "it cannot be opened");
    }
    /* To be closed as it was found; and to be written on. */
    if (!p->at->wrong && step_close(p) && step_open(p) && p->s != NULL && step_batch(p, 's', '!') &&
            step_batch(p, 'm', '.')) {
        (void)step_close(p);
    }
}

static uint64_t *counted_steps;

void store_count_steps(uint64_t *steps)
{
    counted_steps = steps;
}

void store_step(void)
{
    if (counted_steps != NULL) {
        __atomic_add_fetch(counted_steps, 1, __ATOMIC_RELAXED);
    }
}

int store_run(void *arg, struct sim_world *w)
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
    if (p.s != NULL) {
        (void)stele_store_close(p.s, NULL);
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
