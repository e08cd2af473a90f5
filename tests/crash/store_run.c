/* SPDX-License-Identifier: MIT
 *
 * store_run.c: the steps of a workload.
 */
#include "crash/lives.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    KIND_SHIFT = 56,
    TRIES = 3
};

struct progress {
    struct lives_progress lives;
    struct store_bounds bounds;
};

struct player {
    struct lives lives;
    stele_store *s;
    stele_env env;
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

static struct player *player_of(struct lives *l)
{
    return (struct player *)l;
}

static struct store_bounds *bounds_of(const struct player *p)
{
    return &((struct progress *)p->lives.at)->bounds;
}

static bool complain(struct player *p, const char *what, const char *text)
{
    return lives_complain(&p->lives, what, text);
}

/* Whether a disk without room has made the store refuse to write. LMDB's page that makes a commit
 * valid is another thing: it has its room, and where it cannot be written LMDB gives up. So has
 * what the log overwrites, and a disk that never lets it ends it. */
static bool is_poisoned_by_room(const struct player *p, const stele_error *err)
{
    const struct record_fault *f = p->lives.work->fault;
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
    return p->lives.work->insist ? true : complain(p, what, err->message);
}

static void acknowledge(struct player *p)
{
    bounds_of(p)->acked = p->lives.at->number;
    record_note(DISK_ACK, STORE_BATCH, p->lives.at->number);
}

/* ---- Steps; false: something is wrong. ---- */

static bool step_open(struct lives *l, char step)
{
    struct player *p = player_of(l);
    stele_store_options options;
    struct store_why why;
    stele_error err;
    stele_code code = STELE_ENOMEM;

    (void)step;
    lives_set_fault(l);
    store_options_init(&options, &p->env, p->lives.w);
    options.batch_limit =
            p->lives.work->batch_limit == 0 ? options.batch_limit : p->lives.work->batch_limit;
    options.must_exist = p->lives.at->opened;
    for (int i = 0; i < lives_tries(&p->lives) && code != STELE_OK; i++) {
        code = stele_store_open(&p->s, p->lives.root, &options, &err);
    }
    if (code != STELE_OK) {
        p->s = NULL;
        return fails(p, "open", &err);
    }
    p->lives.at->opened = true;
    record_note(DISK_ACK, STORE_OPENED, 0);
    /* A process may have ended before, and forgotten what was not durable. */
    for (int i = 0; i < lives_tries(&p->lives); i++) {
        if (store_judge(p->s, bounds_of(p), &p->lives.at->number, &why)) {
            bounds_of(p)->issued = p->lives.at->number;
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
    p->held_bounds = *bounds_of(p);
    p->held_bounds.acked = p->held_bounds.issued = p->lives.at->number;
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

static bool step_close(struct lives *l)
{
    struct player *p = player_of(l);
    stele_error err;
    stele_code code;

    stele_store_read_end(p->held);
    p->held = NULL;
    code = stele_store_close(p->s, &err);
    p->s = NULL;
    if (code != STELE_OK) {
        return fails(p, "close", &err);
    }
    if (p->lives.at->number > 0) {
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
    struct store_bounds bounds = *bounds_of(p);
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

/* What a batch that failed may be. */
static bool may_be_seen(char end, stele_code code)
{
    return code == STELE_ENOSPC || code == STELE_EFAILED || (end != '!' && end != '.');
}

static bool step_batch(struct player *p, char kind, char end)
{
    uint64_t number = p->lives.at->number + 1;
    stele_error err;
    stele_code code;

    if (end != '-') {
        bounds_of(p)->kinds[number - 1] = kind;
        bounds_of(p)->issued = number;
        record_note(DISK_INTENT, STORE_BATCH, number | (uint64_t)(uint8_t)kind << KIND_SHIFT);
    }
    code = store_batch(p->s, kind, end, number, &err);
    if (code != STELE_OK) {
        if (p->lives.work->insist && end != '-' && is_seen(p, number)) {
            p->lives.at->number = number;
            if (!may_be_seen(end, code)) {
                return complain(p, "a batch that failed is seen", err.message);
            }
        }
        return !p->lives.at->wrong && fails(p, "batch", &err);
    }
    if (end == '-') {
        return true;
    }
    p->lives.at->number = number;
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
    (void)snprintf(path, sizeof path, "%s/snapshot-%u", p->lives.root, p->snapshots);
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
    return true;
}

static bool is_batch(char step)
{
    return step != '\0' && strchr("sbmlrR", step) != NULL;
}

static bool play_step(struct lives *l, const char *step)
{
    struct player *p = player_of(l);

    if (is_batch(*step)) {
        return step_batch(p, step[0], step[1]);
    }
    switch (*step) {
    case 'c':
        return step_commit(p);
    case 'n':
        return step_snapshot(p);
    case 'E':
        lives_fill_disk_once();
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

/* ---- All of it. ---- */

static bool is_open(const struct lives *l)
{
    return ((const struct player *)l)->s != NULL;
}

static size_t len_of(char step)
{
    return is_batch(step) ? 2 : 1;
}

static void drop(struct lives *l)
{
    if (is_open(l)) {
        (void)stele_store_close(player_of(l)->s, NULL);
    }
}

static bool write_on(struct lives *l)
{
    return step_batch(player_of(l), 's', '!') && step_batch(player_of(l), 'm', '.');
}

int store_run(void *arg, struct sim_world *w)
{
    static const struct lives_ops ops = {
            .shared_size = sizeof(struct progress),
            .open = step_open,
            .is_open = is_open,
            .len = len_of,
            .play = play_step,
            .close = step_close,
            .drop = drop,
            .write_on = write_on,
    };
    struct player p = {.lives = {.ops = &ops}};

    return lives_run(&p.lives, arg, w);
}
