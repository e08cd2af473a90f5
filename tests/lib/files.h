/* SPDX-License-Identifier: MIT
 *
 * files.h: directories as a test sees them: as files.
 */
#ifndef TESTS_LIB_FILES_H
#define TESTS_LIB_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FILES_MAX = 64,
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

#endif /* TESTS_LIB_FILES_H */
