/* SPDX-License-Identifier: MIT
 *
 * names.h: the names of a stream's files.
 *
 *     %020d.log                        messages of the segment with that base offset
 *     %020d.index                      its index
 *     %020d.keys                       its side file (ours; klevdb does not look at it)
 *     %020d.log.quarantine.%d          bytes that were cut from it at that position
 *     .lock                            flock(2); holds the writer's pid
 *     .tail                            which segments may be unsynced (ours, see tail.h)
 *     next.%d.log.prepared             a segment file made ahead of need (ours)
 *
 * and what a crash can leave behind, to be removed at open:
 *
 *     %020d.log.rewrite.xxxxxxxx, %020d.index.rewrite.xxxxxxxx    (x: 0-9, a-v)
 *     %020d.log.recover, %020d.log.migrate, and any of the above with .tmp
 *
 * A name that is not exactly one of these is none of ours.
 */
#ifndef STI_STREAM_NAMES_H
#define STI_STREAM_NAMES_H

#include <stele/error.h>

#define STI_NAME_SIZE      64
#define STI_LOCK_NAME      ".lock"
#define STI_TAIL_NAME      ".tail"
#define STI_PREPARED_MAX   4  /* files ahead */
#define STI_PREPARED_NAMES 10 /* digits */

enum sti_name_kind {
    STI_NAME_OTHER,
    STI_NAME_LOG,
    STI_NAME_INDEX,
    STI_NAME_KEYS,
    STI_NAME_QUARANTINE,
    STI_NAME_LEFTOVER
};

/* Which kind it is, and for all but OTHER (and leftovers without one) the base offset. */
enum sti_name_kind sti_name_parse(const char *name, int64_t *base);

void sti_name_log(char out[STI_NAME_SIZE], int64_t base);
void sti_name_index(char out[STI_NAME_SIZE], int64_t base);
void sti_name_keys(char out[STI_NAME_SIZE], int64_t base);
/* kind: "log" or "index"; `random` makes the last eight characters. */
void sti_name_rewrite(char out[STI_NAME_SIZE], int64_t base, const char *kind, uint64_t random);
/* Numbers are used in turn: a file that was taken may still have its name. */
void sti_name_prepared(char out[STI_NAME_SIZE], unsigned number);
void sti_name_recover(char out[STI_NAME_SIZE], int64_t base);
void sti_name_migrate(char out[STI_NAME_SIZE], int64_t base);
void sti_name_quarantine(char out[STI_NAME_SIZE], int64_t base, uint64_t position);

#endif /* STI_STREAM_NAMES_H */
