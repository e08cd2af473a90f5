/* SPDX-License-Identifier: MIT */
#include "crash/journal_workloads.h"

#include "crash/journal_check.h"
#include "crash/journal_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    FAR_LIMIT = 30000, /* that is not reached: blocks are there ahead, but not too many */
    NEAR_LIMIT = 1800,
    FILE_MAX = 2 << 20,
    CAPACITY = 24 << 10, /* of a disk that becomes full */
    FULL_LIMIT = 256 << 10,
    RANDOM_STEPS = 24,
    RANDOM_COUNT = 400, /* a random run ends there */
    WORKLOADS_MAX = 160
};

#define HOUR ((int64_t)3600 * 1000000)

/* ---- Scripts: dumping. ---- */

static void script_dump(struct journal_run *r)
{
    jrun_record(r);
    jrun_dump(r, 3);
    jrun_dump_many(r, 4);
    jrun_refused(r);
    jrun_dump(r, 2);
    jrun_look(r);
}

static void script_sync(struct journal_run *r)
{
    jrun_record(r);
    jrun_dump(r, 3);
    jrun_sync(r);
    jrun_dump(r, 2);
    jrun_dump_durable(r);
    jrun_dump_many(r, 3);
    jrun_dump(r, 1);
    jrun_stop(r);
    jrun_record(r);
    jrun_dump(r, 1);
    jrun_sync(r);
    jrun_sync(r);
}

static void script_interval(struct journal_run *r)
{
    jrun_record(r);
    jrun_dump(r, 1);
    jrun_interval(r);
    jrun_dump(r, 1);
    jrun_interval(r);
}

/* Each kind of operation, more than once, and a state merged from them. */
static void script_kinds(struct journal_run *r)
{
    jrun_record(r);
    jrun_dump(r, 8);
    jrun_dump_many(r, 20);
    jrun_snapshot(r);
    jrun_dump_many(r, 8);
    jrun_dump(r, 2);
    jrun_snapshot(r);
    jrun_dump_many(r, 4);
    jrun_look(r);
}

/* ---- Scripts: merging. ---- */

static void script_limit(struct journal_run *r)
{
    jrun_record(r);
    jrun_dump(r, 10);
    jrun_dump_many(r, 6);
    jrun_dump(r, 3);
    jrun_stop(r);
    jrun_record(r);
    jrun_dump(r, 4);
}

static void script_limit_set(struct journal_run *r)
{
    jrun_record(r);
    jrun_dump(r, 5);
    jrun_limit(r, NEAR_LIMIT / 2);
    jrun_dump(r, 3);
    jrun_limit(r, FAR_LIMIT);
    jrun_dump(r, 3);
}

static void script_snapshot(struct journal_run *r)
{
    jrun_record(r);
    jrun_dump(r, 5);
    jrun_snapshot(r);
    jrun_dump(r, 3);
    jrun_snapshot(r);
    jrun_look(r);
    jrun_dump(r, 1);
}

static void script_snapshot_stopped(struct journal_run *r)
{
    jrun_record(r);
    jrun_dump(r, 4);
    jrun_stop(r);
    jrun_snapshot(r);
    jrun_snapshot(r);
    jrun_record(r);
    jrun_dump(r, 2);
    jrun_stop(r);
    jrun_record(r);
    jrun_dump(r, 2);
    jrun_stop(r);
    jrun_snapshot(r);
}

/* A merge of what a process that was killed has left. */
static void script_snapshot_killed(struct journal_run *r)
{
    jrun_record(r);
    jrun_dump(r, 4);
    jrun_abandon(r);
    jrun_record(r);
    jrun_dump(r, 2);
    jrun_snapshot(r);
    jrun_dump(r, 2);
    jrun_abandon(r);
    jrun_record(r);
    jrun_snapshot(r);
}

static void script_clock(struct journal_run *r)
{
    jrun_record(r);
    jrun_dump(r, 2);
    jrun_set_back(r, HOUR);
    jrun_snapshot(r);
    jrun_dump(r, 2);
    jrun_stop(r);
    jrun_set_back(r, HOUR);
    jrun_record(r);
    jrun_dump(r, 2);
    jrun_set_back(r, -3 * HOUR);
    jrun_snapshot(r);
    jrun_dump(r, 1);
}

/* ---- Scripts: clearing. ---- */

static void script_clear(struct journal_run *r)
{
    jrun_record(r);
    jrun_dump(r, 4);
    jrun_clear(r);
    jrun_dump(r, 3);
    jrun_snapshot(r);
    jrun_dump(r, 1);
    jrun_clear(r);
    jrun_clear(r);
    jrun_dump(r, 2);
}

static void script_clear_stopped(struct journal_run *r)
{
    jrun_record(r);
    jrun_dump(r, 3);
    jrun_stop(r);
    jrun_clear(r);
    jrun_record(r);
    jrun_dump(r, 2);
    jrun_snapshot(r);
    jrun_dump(r, 2);
    jrun_stop(r);
    jrun_record(r);
    jrun_dump(r, 2);
    jrun_stop(r);
    jrun_clear(r);
    jrun_clear(r);
    jrun_record(r);
    jrun_dump(r, 1);
}

/* ---- Scripts: beginning again. ---- */

static void script_stop(struct journal_run *r)
{
    for (int i = 0; i < 3; i++) {
        jrun_record(r);
        jrun_dump(r, 2);
        jrun_stop(r);
        jrun_stop(r);
    }
    jrun_record(r);
    jrun_stop(r);
    jrun_record(r);
}

static void script_reopen(struct journal_run *r)
{
    for (int i = 0; i < 4; i++) {
        jrun_record(r);
        jrun_dump(r, 1);
        jrun_dump_many(r, 2);
        jrun_close(r);
    }
    jrun_record(r);
}

/* A process is killed, and what it left in the cache is built on. */
static void script_killed(struct journal_run *r)
{
    jrun_record(r);
    jrun_abandon(r);
    jrun_record(r);
    jrun_dump(r, 3);
    jrun_abandon(r);
    jrun_record(r);
    jrun_dump_many(r, 3);
    jrun_abandon(r);
    jrun_record(r);
    jrun_dump(r, 1);
}

/* ---- Scripts: trouble. ---- */

static void script_failed_sync(struct journal_run *r)
{
    jrun_record(r);
    jrun_dump(r, 2);
    jrun_failing(r, SIM_CALL_SYNC, EIO);
    jrun_dump(r, 1);
    jrun_failing(r, SIM_CALL_WRITE, EIO);
    jrun_dump(r, 2);
    jrun_snapshot(r);
    jrun_dump(r, 1);
}

static void script_failed_write(struct journal_run *r)
{
    jrun_record(r);
    jrun_dump(r, 2);
    jrun_failing(r, SIM_CALL_WRITE, ENOSPC);
    jrun_dump(r, 2);
    jrun_failing(r, SIM_CALL_WRITE, ENOSPC);
    jrun_failing(r, SIM_CALL_WRITE, ENOSPC);
    jrun_dump(r, 1);
    jrun_stop(r);
    jrun_record(r);
    jrun_dump(r, 1);
}

static void script_full(struct journal_run *r)
{
    jrun_record(r);
    jrun_fill(r);
    jrun_clear(r);
    jrun_dump(r, 2);
    jrun_fill(r);
    jrun_stop(r);
    jrun_clear(r);
    jrun_record(r);
    jrun_dump(r, 2);
}

/* ---- Random scripts. ---- */

static void random_failure(struct journal_run *r)
{
    static const struct {
        unsigned calls;
        int error;
    } all[] = {{SIM_CALL_WRITE, ENOSPC}, {SIM_CALL_WRITE, EIO}, {SIM_CALL_SYNC, EIO}};

    uint64_t i = sim_world_below(r->w, sizeof all / sizeof all[0]);

    jrun_failing(r, all[i].calls, all[i].error);
}

static void random_restart(struct journal_run *r)
{
    switch (sim_world_below(r->w, 4)) {
    case 0:
        jrun_abandon(r);
        break;
    case 1:
        jrun_stop(r);
        break;
    case 2:
        jrun_stop(r);
        jrun_snapshot(r);
        break;
    default:
        jrun_close(r);
        break;
    }
    jrun_record(r);
}

static void random_step(struct journal_run *r)
{
    switch (sim_world_below(r->w, 12)) {
    case 0:
    case 1:
        random_restart(r);
        break;
    case 2:
        jrun_snapshot(r);
        break;
    case 3:
        if (sim_world_below(r->w, 3) == 0) {
            jrun_clear(r);
        }
        break;
    case 4:
        jrun_sync(r);
        break;
    case 5:
        random_failure(r);
        break;
    case 6:
        jrun_set_back(r, (int64_t)sim_world_below(r->w, (uint64_t)HOUR) - HOUR / 2);
        break;
    case 7:
        jrun_look(r);
        break;
    case 8:
    case 9:
        jrun_dump_many(r, 1 + sim_world_below(r->w, 12));
        break;
    default:
        jrun_dump(r, 1 + sim_world_below(r->w, 6));
        break;
    }
}

static void script_random(struct journal_run *r)
{
    jrun_record(r);
    for (int i = 0; i < RANDOM_STEPS && !r->over && r->next < RANDOM_COUNT; i++) {
        random_step(r);
    }
}

/* ---- The table. ---- */

struct script {
    const char *name;
    void (*run)(struct journal_run *r);
    uint64_t limit; /* 0: that of the way */
    int64_t replay_target_ms;
    bool large; /* operations of some hundred bytes */
    bool full;
};

static const struct script scripts[] = {
        {.name = "dump", .run = script_dump},
        {.name = "sync", .run = script_sync},
        {.name = "interval", .run = script_interval},
        {.name = "kinds", .run = script_kinds},
        {.name = "limit", .run = script_limit, .limit = NEAR_LIMIT, .large = true},
        {.name = "target", .run = script_limit, .replay_target_ms = 1},
        {.name = "limit-set", .run = script_limit_set, .large = true},
        {.name = "snapshot", .run = script_snapshot},
        {.name = "snapshot-large", .run = script_snapshot, .large = true},
        {.name = "snapshot-stopped", .run = script_snapshot_stopped},
        {.name = "snapshot-killed", .run = script_snapshot_killed},
        {.name = "clock", .run = script_clock},
        {.name = "clear", .run = script_clear},
        {.name = "clear-stopped", .run = script_clear_stopped},
        {.name = "stop", .run = script_stop},
        {.name = "reopen", .run = script_reopen, .large = true},
        {.name = "killed", .run = script_killed, .large = true},
        {.name = "failed-sync", .run = script_failed_sync},
        {.name = "failed-write", .run = script_failed_write},
        {.name = "full", .run = script_full, .limit = FULL_LIMIT, .large = true, .full = true},
};

static const struct script random_script = {.name = "random", .run = script_random, .large = true};

struct way {
    const char *name;
    struct jmodel_config config;
    bool no_allocate; /* files grow */
};

static const struct way ways[] = {
        {.name = "each", .config = {.durability = STELE_JOURNAL_EACH, .limit = FAR_LIMIT}},
        {.name = "each-thread",
                .config = {.durability = STELE_JOURNAL_EACH,
                        .limit = FAR_LIMIT,
                        .background = true,
                        .no_map = true}},
        {.name = "interval", .config = {.durability = STELE_JOURNAL_INTERVAL, .limit = FAR_LIMIT}},
        {.name = "interval-thread",
                .config = {.durability = STELE_JOURNAL_INTERVAL,
                        .limit = FAR_LIMIT,
                        .background = true}},
        {.name = "stop",
                .config = {.durability = STELE_JOURNAL_STOP, .limit = FAR_LIMIT, .no_map = true},
                .no_allocate = true},
};

enum {
    SCRIPTS = sizeof scripts / sizeof scripts[0],
    WAYS = sizeof ways / sizeof ways[0]
};

_Static_assert(SCRIPTS *WAYS <= WORKLOADS_MAX, "the lists below");

/* What a workload's functions get. */
struct one {
    char name[64];
    const struct script *script;
    struct jmodel_config config;
};

static int do_run(void *arg, struct sim_world *w)
{
    const struct one *one = arg;
    struct journal_run *r = sim_alloc(sizeof *r);
    int result;

    jrun_begin(r, w, &one->config);
    one->script->run(r);
    result = jrun_end(r);
    free(r);
    return result;
}

static int do_check(void *arg, struct sim_world *w, uint64_t at_op, const struct sim_notes *notes,
        char *why, size_t why_len)
{
    const struct one *one = arg;

    (void)at_op;
    return journal_check(&one->config, w, notes, why, why_len);
}

static void make(struct one *one, struct sim_workload *workload, const struct script *script,
        const struct way *way)
{
    one->script = script;
    one->config = way->config;
    one->config.large = script->large;
    one->config.full = script->full;
    one->config.limit = script->limit != 0 ? script->limit : way->config.limit;
    one->config.replay_target_ms = script->replay_target_ms;
    (void)snprintf(one->name, sizeof one->name, "journal-%s-%s", script->name, way->name);
    *workload = (struct sim_workload){.name = one->name,
            .arg = one,
            .disk = {.file_max = FILE_MAX,
                    /* A file that grows has no room ahead: a full disk is found when it is written,
                     * and that ends a recording whose dumps do not wait. */
                    .no_allocate = way->no_allocate && !script->full,
                    .capacity = script->full ? CAPACITY : 0},
            .run = do_run,
            .check = do_check};
}

const struct sim_workload *journal_workloads(size_t *count)
{
    static struct one all[WORKLOADS_MAX];
    static struct sim_workload list[WORKLOADS_MAX];

    for (size_t i = 0; i < SCRIPTS * WAYS; i++) {
        make(&all[i], &list[i], &scripts[i / WAYS], &ways[i % WAYS]);
    }
    *count = SCRIPTS * WAYS;
    return list;
}

const struct sim_workload *journal_random_workloads(size_t *count)
{
    static struct one all[WAYS];
    static struct sim_workload list[WAYS];

    for (size_t i = 0; i < WAYS; i++) {
        make(&all[i], &list[i], &random_script, &ways[i]);
    }
    *count = WAYS;
    return list;
}
