/* SPDX-License-Identifier: MIT
 *
 * kit.h: a log to be tested, in a real directory or on the simulated disk, and records that can be
 * told from their id alone.
 */
#ifndef STELE_TESTS_WAL_KIT_H
#define STELE_TESTS_WAL_KIT_H

#include <stele/wal.h>

#include "lib/check.h"
#include "lib/tmpdir.h"
#include "sim/world.h"

enum {
    KIT_DATA_MAX = 400,
    KIT_FORMATS = 2
};

extern const stele_wal_format kit_formats[KIT_FORMATS];

struct kit {
    struct tmpdir dir;   /* its path is that of the log */
    struct sim_world *w; /* NULL: a real directory */
    stele_wal_options opts;
    stele_wal *wal; /* NULL: closed */
    stele_error err;
};

/* A new directory, and options with small segments. Nothing is opened. */
void kit_begin(struct kit *k, stele_wal_format format);
/* The same on a simulated disk; `disk` may be NULL. The thread is off: what fails, fails in the
 * call. */
void kit_begin_sim(struct kit *k, stele_wal_format format, const struct sim_disk_options *disk);
/* Close and remove. A close that fails, fails the test, but for STELE_EFAILED. */
void kit_end(struct kit *k);

void kit_open(struct kit *k);
void kit_close(struct kit *k);
void kit_reopen(struct kit *k);

/* The data of a record; `buffer` has KIT_DATA_MAX bytes. */
stele_bytes kit_data(uint64_t id, uint8_t *buffer);
/* Append them, one by one. */
void kit_fill(struct kit *k, uint64_t first, uint64_t last);
/* In one call; its result. */
stele_code kit_append(struct kit *k, uint64_t first, uint64_t count);

/* The log holds exactly these (first > last: none), whichever way it is asked. */
void kit_holds(struct kit *k, uint64_t first, uint64_t last);
void kit_next_is(struct kit *k, uint64_t id, bool any);

stele_wal_iter *kit_iter(struct kit *k, uint64_t start);
/* The next record is this one. */
void kit_gives(stele_wal_iter *it, uint64_t id);
/* The next ones are these, then there is no more. */
void kit_gives_all(stele_wal_iter *it, uint64_t first, uint64_t last);
/* It ends with STELE_ESTATE, and is closed. */
void kit_lost(stele_wal_iter *it);

stele_wal_stats kit_stats(struct kit *k);
/* Names in the directory that begin and end so. */
size_t kit_count_files(struct kit *k, const char *prefix, const char *suffix);

/* All such calls of the simulated disk fail from the at-th on, or only that one; 0: none fails. */
void kit_fault(struct kit *k, unsigned calls, uint64_t at, int error, bool persistent);
void kit_no_fault(struct kit *k);

#endif /* STELE_TESTS_WAL_KIT_H */
