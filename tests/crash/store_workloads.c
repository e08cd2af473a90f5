/* SPDX-License-Identifier: MIT
 *
 * store_workloads.c: what is done to the store while it is crashed.
 */
#include "crash/store_workloads.h"

#include "crash/store_run.h"

static struct store_work create = {.steps = "oxox"};
static struct store_work durable = {.steps = "os!s!s.s!s.xos!x"};
static struct store_work commits = {.steps = "os.s.cs+hs.s~Hm-s-m.hr.cHx"};
static struct store_work mixed = {.steps = "os!s.cs!s!b+l!s.x"};
static struct store_work limit = {.steps = "os.s.s.s.s.s.s.x", .batch_limit = 8};
static struct store_work large = {.steps = "ob+b!b.b+b+cx"};
static struct store_work keys = {.steps = "ol+l!xol+l.kol+l!x"};
static struct store_work growth = {.steps = "om+m+m+m!m+m.x"};
static struct store_work buckets = {.steps = "om+r+R!s+R.cr!m+R+x"};
static struct store_work replay = {.steps = "os!s!s.kos!s.cs!kos!x"};
static struct store_work again = {.steps = "os!koxos.xos!kokos.x"};
static struct store_work retry = {.steps = "os.s.Ecs!s.cs!x", .insist = true};
static struct store_work hole = {.steps = "os!Es!s.s!s!x", .insist = true};
static struct store_work snapshot = {.steps = "os!m.ns.nx"};

static struct store_work defrag = {.steps = "om+l+r+s!s.hDHs!s.Ds.l!s.xoDs!kos.x"};

#define WORKLOAD(label, work)                                                                      \
    {                                                                                              \
        .name = "store-" label, .arg = &(work), .disk = {.file_max = 64U << 20}, .run = store_run, \
        .check = store_check                                                                       \
    }

const struct sim_workload *store_workloads(size_t *count)
{
    static const struct sim_workload list[] = {
            WORKLOAD("create", create),
            WORKLOAD("durable", durable),
            WORKLOAD("commits", commits),
            WORKLOAD("mixed", mixed),
            WORKLOAD("limit", limit),
            WORKLOAD("large", large),
            WORKLOAD("keys", keys),
            WORKLOAD("growth", growth),
            WORKLOAD("buckets", buckets),
            WORKLOAD("replay", replay),
            WORKLOAD("again", again),
            WORKLOAD("retry", retry),
            WORKLOAD("hole", hole),
            WORKLOAD("snapshot", snapshot),
            WORKLOAD("defrag", defrag),
    };

    *count = sizeof list / sizeof list[0];
    return list;
}
