/* SPDX-License-Identifier: MIT
 *
 * names.h: the names of a journal's files.
 *
 *     N.log                    operations, in the order in which they were dumped
 *     N.snap                   the state after all logs with a smaller N
 *     N.unfinished             a snapshot that is being written
 *     quarantine-NAME-%020u    bytes that were cut from NAME at that position, or, at 0, all of it
 *     ….tmp                    of a quarantine: being written
 *     .lock                    flock(2); holds the recorder's pid
 *
 * N is in decimal, without leading zeros, from 1 to STI_JOURNAL_NUMBER_MAX: the nanoseconds since
 * 1970 when the file was begun, or one more than the largest N there is, whichever is larger; so a
 * clock that was set back does not matter. A name that is not exactly one of these is none of ours.
 */
#ifndef STI_JOURNAL_NAMES_H
#define STI_JOURNAL_NAMES_H

#include <stele/journal.h>

#define STI_JOURNAL_LOCK_NAME  ".lock"
#define STI_JOURNAL_NUMBER_MAX ((uint64_t)INT64_MAX)

enum sti_journal_name_kind {
    STI_JOURNAL_NAME_OTHER,
    STI_JOURNAL_NAME_LOG,
    STI_JOURNAL_NAME_SNAP,
    STI_JOURNAL_NAME_UNFINISHED,
    STI_JOURNAL_NAME_QUARANTINE,
    STI_JOURNAL_NAME_LEFTOVER, /* of a quarantine: to be removed by the recorder */
    STI_JOURNAL_NAME_LOCK
};

/* *number is set for the first three. */
enum sti_journal_name_kind sti_journal_name_parse(const char *name, uint64_t *number);

/* Of the first three kinds. */
void sti_journal_name(
        char out[STELE_JOURNAL_NAME_SIZE], enum sti_journal_name_kind kind, uint64_t number);
void sti_journal_name_quarantine(
        char out[STELE_JOURNAL_NAME_SIZE], const char *name, uint64_t position);

#endif /* STI_JOURNAL_NAMES_H */
