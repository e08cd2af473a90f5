/* SPDX-License-Identifier: MIT
 *
 * blb.h: reading tests/vectors/blb.
 */
#ifndef TESTS_VECTORS_WAL_BLB_H
#define TESTS_VECTORS_WAL_BLB_H

#include <stele/wal.h>

#include "lib/check.h"
#include "lib/tmpdir.h"

#include <jansson.h>

enum {
    BLB_FILE_LIMIT = 2000, /* that the logs were made with */
    BLB_DATA_MAX = 60000,  /* longest record there */
    BLB_RECORD_MAX = BLB_DATA_MAX + 16
};

/* The data of a record: its length and bytes follow from the id. */
size_t blb_data_len(uint64_t id);
void blb_data(uint64_t id, size_t len, uint8_t *out);

/* A whole record as the format has it, made without the library; its size. */
size_t blb_record(uint64_t id, uint8_t *out);

/* Copy a folder of files, relative to the vectors; or the base with a variant's files in it. */
void blb_copy(const char *folder, const struct tmpdir *to);
void blb_copy_variant(const char *variant, const struct tmpdir *to);

/* What the reference answered: the line of results.jsonl for a variant or an op. Borrowed. */
const json_t *blb_result(const char *name);

/* Format as found, files of the size that the reference's had, no thread. */
void blb_options(stele_wal_options *opts);
stele_wal *blb_open(const struct tmpdir *t);
void blb_close(stele_wal *w);

/* Append the record with this id; with its own data. */
stele_code blb_append(stele_wal *w, uint64_t id, stele_error *err);

/* {"empty": …, "id": …} */
void blb_check_bounds(stele_wal *w, const json_t *first, const json_t *last);
/* Just these ids, contiguous, with the right data, and then the end. */
void blb_check_ids(stele_wal *w, uint64_t first, uint64_t last);
void blb_check_empty(stele_wal *w);
/* {"start": …, "ids": [[…]], "err": …}; `big`: data of that length up to id 3. */
void blb_check_iteration(stele_wal *w, const json_t *iteration, bool big);

/* The segment files are these, [{"file": …, "sha256": …, "size": …}], and no others. */
void blb_check_files(const struct tmpdir *t, const json_t *files);

/* Names and SHA-256 of all files but the lock, to see that nothing has changed. To be freed. */
char *blb_snapshot(const struct tmpdir *t);

/* How many quarantine files there are, and their bytes in all. */
size_t blb_quarantine(const struct tmpdir *t, uint64_t *bytes);

#endif /* TESTS_VECTORS_WAL_BLB_H */
