/* SPDX-License-Identifier: MIT
 *
 * fixture.h: logs to test with, and a file system that records and fails.
 */
#ifndef TESTS_STREAM_INDEX_FIXTURE_H
#define TESTS_STREAM_INDEX_FIXTURE_H

#include "base/alloc.h"
#include "lib/check.h"
#include "lib/tmpdir.h"
#include "lib/wrap.h"
#include "stream/index_file.h"
#include "vfs/vfs.h"

/* ---- Logs. ---- */

enum {
    FX_TAIL = 128 /* zero bytes behind the log, in its buffer */
};

/* A log made here: bytes, and what is in it. */
struct fx_log {
    stele_stream_version version;
    int64_t base;
    uint8_t *bytes;
    size_t len;
    int count;
    uint64_t *at; /* positions; the last is the end */
    int64_t *offset;
};

/* Messages of many shapes: nil and long keys and values, gaps between
 * offsets, and times that now and then go back. */
void fx_log_make(struct fx_log *log, stele_stream_version version, int64_t base, int count);
void fx_log_free(struct fx_log *log);

/* A log and its index as the reference wrote them. */
struct fx_vector {
    const char *name; /* of the set and the segment */
    stele_stream_version version;
    struct sti_index_params params;
    int64_t base;
    uint8_t *log;
    size_t log_len;
    uint8_t *index;
    size_t index_len;
};

/* Call for every segment in tests/vectors/klevdb/logs; returns how many. */
int fx_each_vector(void (*each)(const struct fx_vector *v));

/* ---- Failures. ---- */

/* Let the n-th allocation from now on fail, and all behind it if `all`; 0: none. */
void fx_alloc_fail(uint64_t n, bool all);

/* How many there were since. */
uint64_t fx_alloc_count(void);

/* The real files, with every call written down and the n-th failing. */
enum {
    FX_TRACE_SIZE = 4096
};

struct fx_vfs {
    struct wrap_vfs wrap;
    int fail_at;   /* the call that gives fail_with, counted from 1; 0: none */
    int fail_with; /* a negative errno */
    int calls;
    char trace[FX_TRACE_SIZE]; /* "open NAME", "write", "sync", ... with a space behind each */
};

/* Start a new trace and count. */
void fx_trace_clear(struct fx_vfs *v);

/* For cmocka: a directory of its own for each test, opened through such a vfs. */
struct fx_files {
    struct tmpdir tmp;
    struct fx_vfs vfs;
    struct sti_dir dir;
};

extern struct fx_files fx_files;

int fx_set_up(void **state);
int fx_tear_down(void **state);

#endif /* TESTS_STREAM_INDEX_FIXTURE_H */
