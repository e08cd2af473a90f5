/* SPDX-License-Identifier: MIT
 *
 * files.h: directories of streams as a test sees them: as files.
 */
#ifndef TESTS_STREAM_TOOLS_FILES_H
#define TESTS_STREAM_TOOLS_FILES_H

#include <stele/stream.h>

#include "lib/check.h"
#include "lib/tmpdir.h"

enum {
    FILES_MAX = 64,
    KEPT_MAX = 4096,
    FILE_NAME_SIZE = 128
};

/* All files of a directory but .lock, by name. */
struct one_file {
    char name[FILE_NAME_SIZE];
    uint8_t *bytes;
    size_t len;
};

struct files {
    size_t count;
    struct one_file *list;
};

void files_read(struct files *out, const char *path);
void files_free(struct files *f);
bool files_equal(const struct files *a, const struct files *b); /* prints the first difference */
const char *files_find(
        const struct files *f, const char *part); /* a name that contains it, or NULL */

/* Copy the files of one directory into another, and over what is there. */
void files_copy(const char *from, const char *to, const char *but);

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

#endif /* TESTS_STREAM_TOOLS_FILES_H */
