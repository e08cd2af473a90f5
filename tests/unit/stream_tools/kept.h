/* SPDX-License-Identifier: MIT
 *
 * kept.h: what is in the logs of a directory, and damaged directories to look at.
 */
#ifndef TESTS_STREAM_TOOLS_KEPT_H
#define TESTS_STREAM_TOOLS_KEPT_H

#include <stele/stream.h>

#include "lib/check.h"
#include "lib/files.h"
#include "lib/tmpdir.h"

enum {
    KEPT_MAX = 4096
};

/* One of the damaged directories of the vectors. */
void files_make_variant(const struct tmpdir *t, const char *version, const char *variant);

/* The messages of all logs, whole ones, in the order of the logs: read with
 * nothing of the library but the format. */
struct kept {
    size_t count;
    int64_t offsets[KEPT_MAX];
    uint32_t sums[KEPT_MAX];   /* of time, key and value */
    uint32_t bodies[KEPT_MAX]; /* of key and value */
    int64_t next;
    bool ends; /* each log ends where its last message does, or is empty */
    bool rising;
};

void kept_read(struct kept *out, const char *path);

/* The same of a directory that an env has. */
stele_code kept_read_env(struct kept *out, const stele_env *env, const char *path);

/* Copy the files of a real directory into one of an env, durably. */
void files_copy_env(const char *from, const stele_env *env, const char *to);

/* Offsets as "0-58,60". */
void kept_text(const struct kept *k, char *out, size_t size);

#endif /* TESTS_STREAM_TOOLS_KEPT_H */
