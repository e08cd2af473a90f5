/* SPDX-License-Identifier: MIT
 *
 * vectors.h: reading tests/vectors/klevdb.
 */
#ifndef TESTS_VECTORS_STREAM_VECTORS_H
#define TESTS_VECTORS_STREAM_VECTORS_H

#include <stele/stream.h>

#include "lib/check.h"
#include "lib/tmpdir.h"

#include <jansson.h>

/* One of the four logs, and what it was made with. */
struct vector_log {
    const char *name;
    stele_stream_version version;
    bool indexes; /* both, or none */
};

extern const struct vector_log vector_logs[];
extern const size_t vector_log_count;

/* Call each() for every line of a file of JSON lines, relative to the vectors. */
void vectors_each(const char *file, void (*each)(void *arg, json_t *line), void *arg);

/* Copy a folder of files, relative to the vectors. */
void vectors_copy(const char *folder, const struct tmpdir *to);

/* An integer, string (NULL for null) or list of a line. */
int64_t vectors_int(const json_t *line, const char *key);
const char *vectors_string(const json_t *line, const char *key);

/* Bytes of a hex string; nil for NULL. sti: free() .data. */
stele_bytes vectors_hex(const char *hex);

/* Whether an offset is in a list of [first,last] pairs; and how many are. */
bool vectors_in_runs(const json_t *runs, int64_t offset);
int64_t vectors_run_count(const json_t *runs);

/* Options of one of the logs. */
void vectors_options(const struct vector_log *log, stele_stream_options *opts);

#endif /* TESTS_VECTORS_STREAM_VECTORS_H */
