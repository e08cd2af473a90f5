/* SPDX-License-Identifier: MIT
 *
 * docs_run.c: the steps of a workload of documents.
 */
#include "crash/docs_run.h"

#include "crash/lives.h"
#include "docs/state.h"

#include <string.h>

struct progress {
    struct lives_progress lives;
    struct docs_bounds bounds;
};

struct player {
    struct lives lives;
    stele_docs *db;
    stele_env env;
};

void docs_options_init(stele_docs_options *options, stele_env *env, struct sim_world *w)
{
    stele_docs_options_init(options);
    *env = w->env;
    env->vfs = stele_vfs_posix();
    options->env = env;
    options->no_background = true;
}

static struct player *player_of(struct lives *l)
{
    return (struct player *)l;
}

static struct docs_bounds *bounds_of(const struct player *p)
{
    return &((struct progress *)p->lives.at)->bounds;
}

/* A step failed: that is wrong, unless failures are what it is about. */
static bool fails(struct player *p, const char *what, const stele_error *err)
{
    return p->lives.work->insist ? true : lives_complain(&p->lives, what, err->message);
}

static void acknowledge(struct player *p)
{
    bounds_of(p)->acked = p->lives.at->number;
    record_note(DISK_ACK, DOCS_CHANGE, p->lives.at->number);
}

/* ---- Steps; false: something is wrong. ---- */

/* Which state it is in; an allocation may fail meanwhile. */
static bool judge(struct player *p, const struct docs_bounds *bounds, const char *when)
{
    struct store_why why;

    for (int i = 0; i < lives_tries(&p->lives); i++) {
        if (docs_judge(p->db, bounds, &p->lives.at->number, &why)) {
            return true;
        }
        if (p->lives.work->fault != NULL && strstr(why.text, "MDB_PANIC") != NULL) {
            return true;
        }
    }
    return lives_complain(&p->lives, when, why.text);
}

/* 'O': changes are durable. */
static bool step_open(struct lives *l, char step)
{
    struct player *p = player_of(l);
    stele_docs_options options;
    stele_error err;
    stele_code code = STELE_ENOMEM;

    lives_set_fault(l);
    docs_options_init(&options, &p->env, p->lives.w);
    options.not_durable = step != 'O';
    options.must_exist = p->lives.at->opened;
    for (int i = 0; i < lives_tries(&p->lives) && code != STELE_OK; i++) {
        code = stele_docs_open(&p->db, p->lives.root, &options, &err);
    }
    if (code != STELE_OK) {
        p->db = NULL;
        return fails(p, "open", &err);
    }
    p->lives.at->opened = true;
    record_note(DISK_ACK, DOCS_OPENED, 0);
    /* A process may have ended before, and forgotten what was not durable. */
    if (!judge(p, bounds_of(p), "after open")) {
        return false;
    }
    bounds_of(p)->issued = p->lives.at->number;
    return true;
}

static bool step_close(struct lives *l)
{
    struct player *p = player_of(l);
    stele_error err;
    stele_code code = stele_docs_close(p->db, &err);

    p->db = NULL;
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

    if (stele_store_commit(p->db->store, &err) != STELE_OK) {
        return fails(p, "commit", &err);
    }
    acknowledge(p);
    return true;
}

/* Nothing is written then, and nothing said of changes before it that wait for room. */
static bool changes_nothing(const struct docs_state *state, char kind, uint64_t number)
{
    static struct docs_state after;

    after = *state;
    docs_state_add(&after, kind, number);
    return after.entries == state->entries && after.types == state->types;
}

static bool step_change(struct player *p, char kind)
{
    static struct docs_state state;
    struct docs_bounds *bounds = bounds_of(p);
    uint64_t before = p->lives.at->number;
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
    p->lives.at->number = before + 1;
    if (!p->db->options.not_durable && !changes_nothing(&state, kind, before + 1)) {
        acknowledge(p);
    }
    return true;
}

static bool play_step(struct lives *l, const char *step)
{
    struct player *p = player_of(l);

    switch (*step) {
    case 'c':
        return step_commit(p);
    case 'E':
        lives_fill_disk_once();
        return true;
    default:
        return docs_is_change(*step) ? step_change(p, *step) : true;
    }
}

/* ---- All of it. ---- */

static bool is_open(const struct lives *l)
{
    return ((const struct player *)l)->db != NULL;
}

static size_t len_of(char step)
{
    (void)step;
    return 1;
}

static void drop(struct lives *l)
{
    if (is_open(l)) {
        (void)stele_docs_close(player_of(l)->db, NULL);
    }
}

static bool write_on(struct lives *l)
{
    return step_change(player_of(l), 's') && step_change(player_of(l), 't');
}

int docs_run(void *arg, struct sim_world *w)
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
