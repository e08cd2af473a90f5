/* SPDX-License-Identifier: MIT */
#include "crash/wal_workloads.h"

#include "crash/wal_check.h"
#include "crash/wal_run.h"
#include "crash/wal_setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEGMENT = 4096, /* the smallest */
    BLB_SEGMENT = 1500,
    FILE_MAX = 2 << 20,
    CAPACITY = 10 * 4096, /* of a disk that becomes full */
    RANDOM_STEPS = 24,
    RANDOM_IDS = 280, /* a random run ends there */
    WORKLOADS_MAX = 160
};

/* ---- Scripts: appending. ---- */

static void script_append(struct wal_run *r)
{
    wrun_open(r);
    wrun_append(r, 1);
    wrun_append(r, 1);
    wrun_append(r, 2);
    wrun_refused(r);
    wrun_append(r, 1);
}

static void script_many(struct wal_run *r)
{
    wrun_open(r);
    wrun_append(r, 14);
    wrun_append(r, 20);
    wrun_append(r, 1);
}

/* The index of a segment is cut, and goes on. */
static void script_truncate_many(struct wal_run *r)
{
    wrun_open(r);
    wrun_append(r, 14);
    wrun_append(r, 6);
    wrun_truncate(r, 15);
    wrun_append(r, 5);
}

/* Appends of several callers, committed by one write. */
static void script_group(struct wal_run *r)
{
    wrun_open(r);
    wrun_append_async(r, 4);
    wrun_append(r, 1);
    wrun_append_late(r);
    wrun_append_async(r, 3);
    wrun_append_unwaited(r, 2);
    wrun_close(r);
    wrun_open(r);
    wrun_append(r, 1);
}

static void script_rollover(struct wal_run *r)
{
    wrun_open(r);
    for (int i = 0; i < 4; i++) {
        wrun_append(r, 3);
    }
    wrun_append_async(r, 5);
}

/* Trimmed segments come to be used again, some of them twice. */
static void script_recycle(struct wal_run *r)
{
    wrun_open(r);
    for (int i = 0; i < 5; i++) {
        wrun_append(r, 3);
        wrun_append(r, 2);
        wrun_trim(r, wrun_last(r) > 4 ? wrun_last(r) - 4 : 0);
    }
}

static void script_reopen(struct wal_run *r)
{
    for (int i = 0; i < 3; i++) {
        wrun_open(r);
        wrun_append(r, 1);
        wrun_append(r, 3);
        wrun_close(r);
    }
    wrun_open(r);
}

/* A process is killed, and what it left in the cache is built on. */
static void script_killed(struct wal_run *r)
{
    wrun_open(r);
    wrun_append(r, 2);
    wrun_abandon(r);
    wrun_open(r);
    wrun_append(r, 4);
    wrun_abandon(r);
    wrun_open(r);
    wrun_append(r, 1);
}

/* ---- Scripts: cutting. ---- */

static void script_truncate_head(struct wal_run *r)
{
    wsetup_fill(r);
    wrun_truncate(r, 11);
    wrun_append(r, 1);
    wrun_truncate(r, 11);
    wrun_append(r, 2);
}

static void script_truncate_over(struct wal_run *r)
{
    wsetup_fill(r);
    wrun_truncate(r, 3);
    wrun_append(r, 2);
    wrun_append(r, 4);
}

static void script_truncate_edges(struct wal_run *r)
{
    wsetup_fill(r);
    wrun_truncate(r, 9);
    wrun_truncate(r, 9);
    wrun_truncate(r, 5);
    wrun_close(r);
    wrun_open(r);
    wrun_append(r, 1);
    wrun_truncate(r, 100);
}

static void script_truncate_empty(struct wal_run *r)
{
    wsetup_fill(r);
    wrun_truncate(r, 0);
    wrun_append(r, 3);
    wrun_truncate(r, 0);
    wrun_close(r);
    wrun_open(r);
    wrun_append(r, 1);
}

static void script_trim_middle(struct wal_run *r)
{
    wsetup_fill(r);
    wrun_trim(r, 3);
    wrun_trim(r, 6);
    wrun_append(r, 1);
    wrun_trim(r, 11);
}

static void script_trim_empty(struct wal_run *r)
{
    wsetup_fill(r);
    wrun_trim(r, 12);
    wrun_append(r, 2);
    wrun_trim(r, 14);
    wrun_close(r);
    wrun_open(r);
    if (!r->over && wrun_last(r) == 0) {
        r->next += 7; /* an emptied log takes any id */
    }
    wrun_append(r, 2);
}

/* Both ends, and the ids that come again. */
static void script_both_ends(struct wal_run *r)
{
    wsetup_fill(r);
    wrun_trim(r, 6);
    wrun_truncate(r, 10);
    wrun_append(r, 3);
    wrun_truncate(r, 8);
    wrun_append(r, 3);
    wrun_trim(r, 9);
    wrun_append(r, 1);
}

/* ---- Scripts: trouble. ---- */

static void script_failed_sync(struct wal_run *r)
{
    wrun_open(r);
    wrun_append(r, 2);
    wrun_append_failing(r, 2, SIM_CALL_SYNC, EIO);
    wrun_append(r, 1);
    wrun_append_failing(r, 3, SIM_CALL_WRITE, EIO);
    wrun_append(r, 1);
}

static void script_failed_write(struct wal_run *r)
{
    wrun_open(r);
    wrun_append(r, 2);
    wrun_append_failing(r, 4, SIM_CALL_WRITE, ENOSPC);
    wrun_append(r, 2);
    wrun_append_failing(r, 1, SIM_CALL_WRITE, ENOSPC);
    wrun_append(r, 1);
}

static void script_full(struct wal_run *r)
{
    wrun_open(r);
    wrun_fill(r);
    wrun_trim(r, wrun_last(r) / 2);
    wrun_append(r, 1);
    wrun_fill(r);
    wrun_close(r);
    wrun_open(r);
    wrun_trim(r, wrun_last(r));
    wrun_append(r, 2);
}

static void script_migrate(struct wal_run *r)
{
    stele_wal_format other = r->config->format == STELE_WAL_STELE ? STELE_WAL_BLB : STELE_WAL_STELE;

    wrun_migrate(r, other);
    wrun_open(r);
    wrun_append(r, 1);
    wrun_close(r);
    wrun_migrate(r, r->config->format);
}

static void recover_and_go_on(struct wal_run *r, uint64_t lost)
{
    wrun_expect_damage(r);
    wrun_recover(r, lost);
    wrun_open(r);
    wrun_append(r, 2);
}

static void script_recover(struct wal_run *r)
{
    recover_and_go_on(r, WSETUP_DAMAGED);
}

/* What stands behind the end is not taken for more than it is. */
static void script_foreign(struct wal_run *r)
{
    wrun_open(r);
    wrun_append(r, 2);
}

static void script_recover_missing(struct wal_run *r)
{
    recover_and_go_on(r, 0);
}

/* ---- Random scripts. ---- */

static void random_cut(struct wal_run *r)
{
    uint64_t last = wrun_last(r);
    uint64_t back = sim_world_below(r->w, 12);

    if (last <= back) {
        return;
    }
    if (sim_world_below(r->w, 2) == 0) {
        wrun_truncate(r, last - back);
    } else {
        wrun_trim(r, last - back);
    }
}

static void random_failure(struct wal_run *r)
{
    static const struct {
        unsigned calls;
        int error;
    } all[] = {{SIM_CALL_WRITE, ENOSPC}, {SIM_CALL_WRITE, EIO}, {SIM_CALL_SYNC, EIO}};

    uint64_t i = sim_world_below(r->w, sizeof all / sizeof all[0]);

    wrun_append_failing(r, 1 + sim_world_below(r->w, 4), all[i].calls, all[i].error);
}

static void random_step(struct wal_run *r)
{
    switch (sim_world_below(r->w, 10)) {
    case 0:
        wrun_close(r);
        wrun_open(r);
        break;
    case 1:
        wrun_abandon(r);
        wrun_open(r);
        break;
    case 2:
    case 3:
    case 4:
        random_cut(r);
        break;
    case 5:
    case 6:
        wrun_append_async(r, 1 + sim_world_below(r->w, 6));
        break;
    case 7:
        random_failure(r);
        break;
    default:
        wrun_append(r, 1 + sim_world_below(r->w, 8));
        break;
    }
}

static void script_random(struct wal_run *r)
{
    wrun_open(r);
    for (int i = 0; i < RANDOM_STEPS && !r->over && r->next < RANDOM_IDS; i++) {
        random_step(r);
    }
}

/* ---- The table. ---- */

struct script {
    const char *name;
    void (*run)(struct wal_run *r);
    int (*setup)(const struct wmodel_config *config, struct sim_world *w);
    bool small; /* records of some bytes */
    bool recover;
    bool migrates;
    bool full;
};

static const struct script scripts[] = {
        {.name = "append", .run = script_append, .small = true},
        {.name = "many", .run = script_many, .small = true},
        {.name = "truncate-many", .run = script_truncate_many, .small = true},
        {.name = "group", .run = script_group, .small = true},
        {.name = "rollover", .run = script_rollover},
        {.name = "recycle", .run = script_recycle},
        {.name = "reopen", .run = script_reopen},
        {.name = "killed", .run = script_killed},
        {.name = "truncate-head", .run = script_truncate_head},
        {.name = "truncate-over", .run = script_truncate_over},
        {.name = "truncate-edges", .run = script_truncate_edges},
        {.name = "truncate-empty", .run = script_truncate_empty},
        {.name = "trim-middle", .run = script_trim_middle},
        {.name = "trim-empty", .run = script_trim_empty},
        {.name = "both-ends", .run = script_both_ends},
        {.name = "failed-sync", .run = script_failed_sync},
        {.name = "failed-write", .run = script_failed_write},
        {.name = "full", .run = script_full, .full = true},
        {.name = "migrate", .run = script_migrate, .setup = wsetup_filled, .migrates = true},
        {.name = "recover", .run = script_recover, .setup = wsetup_damaged, .recover = true},
        {.name = "recover-head",
                .run = script_recover_missing,
                .setup = wsetup_damaged_head,
                .recover = true},
        {.name = "foreign-id", .run = script_foreign, .setup = wsetup_wrong_id},
        {.name = "foreign-salt", .run = script_foreign, .setup = wsetup_wrong_salt},
        {.name = "recover-last",
                .run = script_recover_missing,
                .setup = wsetup_missing_last,
                .recover = true},
        {.name = "recover-gap",
                .run = script_recover_missing,
                .setup = wsetup_gap,
                .recover = true},
};

static const struct script random_script = {.name = "random", .run = script_random};

struct way {
    const char *name;
    struct wmodel_config config;
    bool no_allocate; /* files grow */
};

static const struct way ways[] = {
        {.name = "stele-map", .config = {.format = STELE_WAL_STELE, .segment_size = SEGMENT}},
        {.name = "stele-grow",
                .config = {.format = STELE_WAL_STELE,
                        .segment_size = SEGMENT,
                        .no_map = true,
                        .no_recycle = true},
                .no_allocate = true},
        {.name = "blb-map", .config = {.format = STELE_WAL_BLB, .segment_size = BLB_SEGMENT}},
        {.name = "blb-read",
                .config = {.format = STELE_WAL_BLB, .segment_size = BLB_SEGMENT, .no_map = true}},
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
    struct wmodel_config config;
};

static int do_setup(void *arg, struct sim_world *w)
{
    const struct one *one = arg;

    return one->script->setup(&one->config, w);
}

static int do_run(void *arg, struct sim_world *w)
{
    const struct one *one = arg;
    struct wal_run r;

    wrun_begin(&r, w, &one->config);
    one->script->run(&r);
    return wrun_end(&r);
}

static int do_check(void *arg, struct sim_world *w, uint64_t at_op, const struct sim_notes *notes,
        char *why, size_t why_len)
{
    const struct one *one = arg;

    (void)at_op;
    return wal_check(&one->config, w, notes, why, why_len);
}

static void make(struct one *one, struct sim_workload *workload, const struct script *script,
        const struct way *way)
{
    one->script = script;
    one->config = way->config;
    one->config.large = !script->small;
    one->config.recover = script->recover;
    one->config.migrates = script->migrates;
    one->config.full = script->full;
    if (script->migrates) {
        one->config.segment_size = SEGMENT; /* one that both formats take */
    }
    (void)snprintf(one->name, sizeof one->name, "wal-%s-%s", script->name, way->name);
    *workload = (struct sim_workload){.name = one->name,
            .arg = one,
            .disk = {.file_max = FILE_MAX,
                    .no_allocate = way->no_allocate,
                    .capacity = script->full ? CAPACITY : 0},
            .setup = script->setup != NULL ? do_setup : NULL,
            .run = do_run,
            .check = do_check};
}

const struct sim_workload *wal_workloads(size_t *count)
{
    static struct one all[WORKLOADS_MAX];
    static struct sim_workload list[WORKLOADS_MAX];

    for (size_t i = 0; i < SCRIPTS * WAYS; i++) {
        make(&all[i], &list[i], &scripts[i / WAYS], &ways[i % WAYS]);
    }
    *count = SCRIPTS * WAYS;
    return list;
}

const struct sim_workload *wal_random_workloads(size_t *count)
{
    static struct one all[WAYS];
    static struct sim_workload list[WAYS];

    for (size_t i = 0; i < WAYS; i++) {
        make(&all[i], &list[i], &random_script, &ways[i]);
    }
    *count = WAYS;
    return list;
}
