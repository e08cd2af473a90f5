/* SPDX-License-Identifier: MIT
 *
 * tmpdir.h: a fresh directory for a test, and damage to the files in it.
 *
 * These use the C library directly, not the library's own files: what a test
 * finds on disk is what another program would find. A failure of theirs ends
 * the program with a message, since it says nothing about what is tested.
 * Names may have slashes and are relative to the directory.
 */
#ifndef TESTS_LIB_TMPDIR_H
#define TESTS_LIB_TMPDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TMPDIR_PATH_SIZE = 1024
};

struct tmpdir {
    char path[TMPDIR_PATH_SIZE];
};

/* Make it under $TMPDIR, or /tmp. */
void tmpdir_make(struct tmpdir *t);

/* Remove it with all that is in it. */
void tmpdir_remove(struct tmpdir *t);

/* The path of a name in it; "" gives that of the directory. */
void tmpdir_path(const struct tmpdir *t, const char *name, char out[TMPDIR_PATH_SIZE]);

/* The whole file and a zero byte behind it, to be freed with free(). */
uint8_t *tmpdir_read(const struct tmpdir *t, const char *name, size_t *len);

/* Replace, or make, a file. */
void tmpdir_write(const struct tmpdir *t, const char *name, const void *data, size_t len);

void tmpdir_append(const struct tmpdir *t, const char *name, const void *data, size_t len);

/* Invert one bit, counted from the lowest of the first byte. */
void tmpdir_flip(const struct tmpdir *t, const char *name, uint64_t bit);

/* Keep the first `size` bytes. */
void tmpdir_cut(const struct tmpdir *t, const char *name, uint64_t size);

/* Make a directory. */
void tmpdir_mkdir(const struct tmpdir *t, const char *name);

/* Whether there is anything under the name, a dangling link included. */
bool tmpdir_exists(const struct tmpdir *t, const char *name);

uint64_t tmpdir_size(const struct tmpdir *t, const char *name);

/* The first eight bytes of a file's SHA-256, as hex. */
void tmpdir_sha256(const struct tmpdir *t, const char *name, char out[17]);

#endif /* TESTS_LIB_TMPDIR_H */
