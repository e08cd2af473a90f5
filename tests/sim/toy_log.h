/* SPDX-License-Identifier: MIT
 *
 * toy_log.h: a small log that the harness is tried on, with bugs to switch on.
 *
 * One file "log" of records: checksum, length, value, and content made from the
 * value. An append is durable when it returns. Compaction keeps the last
 * records, through "log.tmp"; recovery drops a torn tail, through
 * "log.recover". After a failure the handle refuses to write.
 */
#ifndef SIM_TOY_LOG_H
#define SIM_TOY_LOG_H

#include <stele/env.h>

#include "sim/explore.h"

enum toy_bug {
    TOY_CORRECT,
    TOY_NO_SYNC,         /* appends are not synced */
    TOY_NO_DIR_SYNC,     /* nor is the name of a new log */
    TOY_NO_CHECKSUM,     /* checksums are not looked at */
    TOY_SYNC_RETRIED,    /* a failed sync is tried again and then believed */
    TOY_TAIL_KEPT,       /* recovery leaves the torn tail and appends behind it */
    TOY_SHORT_WRITE,     /* what a write returns is not looked at */
    TOY_RENAME_UNSYNCED, /* compaction renames a file that was not synced */
    TOY_STALE_APPENDED,  /* recovery appends to what an earlier recovery left */
    TOY_LEAK,            /* a failed open leaves the file open */
    TOY_SILENT_CUT,      /* a cut tail is not logged */
    TOY_BUG_COUNT
};

const char *toy_bug_name(enum toy_bug bug);

struct toy_log;

stele_code toy_open(struct toy_log **out, const stele_env *env, enum toy_bug bug);
void toy_close(struct toy_log *t); /* accepts NULL */
stele_code toy_append(struct toy_log *t, uint64_t value);
stele_code toy_compact(struct toy_log *t, size_t keep);
size_t toy_count(const struct toy_log *t);
uint64_t toy_value(const struct toy_log *t, size_t i);
/* Whether the content of record i is that of its value. */
bool toy_content_right(const struct toy_log *t, size_t i);

/* A workload of appends and compactions; `arg` is to point at an enum toy_bug. */
struct sim_workload toy_workload(enum toy_bug *bug);

#endif /* SIM_TOY_LOG_H */
