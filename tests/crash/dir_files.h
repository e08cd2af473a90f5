/* SPDX-License-Identifier: MIT
 *
 * dir_files.h: the files of one directory, before and after somebody worked on it, compared.
 */
#ifndef TESTS_CRASH_DIR_FILES_H
#define TESTS_CRASH_DIR_FILES_H

#include "crash/why.h"
#include "sim/explore.h"

struct dir_files {
    const char *dir;
    const char *lock; /* the name of the lock file, which counts nowhere */
};

/* Whether entry i of the image is one of the files. */
bool dir_files_has(const struct dir_files *d, const struct sim_image *image, uint32_t i);

/* The entry with this name, or entry_count. */
uint32_t dir_files_find(const struct dir_files *d, const struct sim_image *image, const char *name);

/* Whether a file holds these bytes somewhere. */
bool dir_files_holds(
        const struct sim_image *image, uint32_t entry, const uint8_t *part, size_t len);

/* Of the names and contents. */
uint64_t dir_files_fingerprint(const struct dir_files *d, const struct sim_image *image);

/* The files are byte for byte as before. Takes the image of before. */
int dir_files_check_same(const struct dir_files *d, struct sim_image *before, struct sim_world *w,
        const char *who, const struct crash_why *why);

/* The file that a quarantine file is of, by its name quarantine-NAME-NUMBER; false if it is not
 * one. The number is the place in the file, or, if that name was taken, another one. */
bool dir_files_quarantine_of(const char *file, char name[SIM_NAME_SIZE]);

/* A quarantine file that is new holds bytes that were in its file; an old one is as before. */
int dir_files_check_quarantine(const struct dir_files *d, const struct sim_image *before,
        const struct sim_image *after, const struct crash_why *why);

#endif /* TESTS_CRASH_DIR_FILES_H */
