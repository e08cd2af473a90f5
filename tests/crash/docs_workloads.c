/* SPDX-License-Identifier: MIT
 *
 * docs_workloads.c: what is done to a database of documents while it is crashed.
 */
#include "crash/docs_run.h"

static struct store_work create = {.steps = "oxOx"};
static struct store_work durable = {.steps = "OtssdspxOsx"};
static struct store_work later = {.steps = "otssdcspbcsx"};
static struct store_work batches = {.steps = "OtbbdbxobsbcbkObx"};
static struct store_work types = {.steps = "OssbtstxObtsx"};
static struct store_work far = {.steps = "OteessebeteeexOex"};
static struct store_work large = {.steps = "OtSSdSpcSxOSx"};
static struct store_work anew = {.steps = "OtsbeidsixOix"};
static struct store_work restore = {.steps = "OrsdxOtpx"};
static struct store_work restore_later = {.steps = "orsckOspx"};
static struct store_work killed = {.steps = "OtssdkosbkOspckOsx"};
static struct store_work full = {.steps = "OtsEscsdcsx", .insist = true};

#define WORKLOAD(label, work)                                                                    \
    {                                                                                            \
        .name = "docs-" label, .arg = &(work), .disk = {.file_max = 64U << 20}, .run = docs_run, \
        .check = docs_check                                                                      \
    }

const struct sim_workload *docs_workloads(size_t *count)
{
    static const struct sim_workload list[] = {
            WORKLOAD("create", create),
            WORKLOAD("durable", durable),
            WORKLOAD("later", later),
            WORKLOAD("batches", batches),
            WORKLOAD("types", types),
            WORKLOAD("far", far),
            WORKLOAD("large", large),
            WORKLOAD("anew", anew),
            WORKLOAD("restore", restore),
            WORKLOAD("restore-later", restore_later),
            WORKLOAD("killed", killed),
            WORKLOAD("full", full),
    };

    docs_make_backup();
    *count = sizeof list / sizeof list[0];
    return list;
}
