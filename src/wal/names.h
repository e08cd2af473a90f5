/* SPDX-License-Identifier: MIT
 *
 * names.h: the names of a log's files.
 *
 *     %020u.wal                      segment with that number, format stele
 *     wal-%.10u.log                  file with that number, format blb (the reference's name)
 *     wal.manifest                   which segments there have to be, see manifest.h
 *     wal.manifest.tmp               one being made
 *     quarantine-NAME-%020u          bytes that were cut from NAME at that position
 *     tmp-NAME                       a file being rewritten
 *     .lock                          flock(2); holds the writer's pid
 *
 * The reference takes every name that begins with "wal-", digits and ".log" for its own, whatever
 * follows; so no other name begins like that. A name that is not exactly one of these is none of
 * ours.
 */
#ifndef STI_WAL_NAMES_H
#define STI_WAL_NAMES_H

#include <stele/wal.h>

#define STI_WAL_NAME_SIZE     96
#define STI_WAL_LOCK_NAME     ".lock"
#define STI_WAL_MANIFEST_NAME "wal.manifest"

enum sti_wal_name_kind {
    STI_WAL_NAME_OTHER,
    STI_WAL_NAME_STELE,
    STI_WAL_NAME_BLB,
    STI_WAL_NAME_MANIFEST,
    STI_WAL_NAME_QUARANTINE,
    STI_WAL_NAME_LEFTOVER /* tmp-…, ….tmp: to be removed at open */
};

/* *number is set for segments of the two formats. */
enum sti_wal_name_kind sti_wal_name_parse(const char *name, uint64_t *number);

void sti_wal_name_segment(char out[STI_WAL_NAME_SIZE], stele_wal_format format, uint64_t number);
void sti_wal_name_quarantine(char out[STI_WAL_NAME_SIZE], const char *name, uint64_t position);
void sti_wal_name_tmp(char out[STI_WAL_NAME_SIZE], const char *name);

#endif /* STI_WAL_NAMES_H */
