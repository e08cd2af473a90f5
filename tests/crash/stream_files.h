/* SPDX-License-Identifier: MIT
 *
 * stream_files.h: what must hold of the files themselves: which there are, what they
 * hold, and that what is cut from one goes to another.
 */
#ifndef TESTS_CRASH_STREAM_FILES_H
#define TESTS_CRASH_STREAM_FILES_H

#include "crash/stream_model.h"

/* What a directory's files hold, whole or torn. */
struct model_found {
    bool whole[MODEL_OFFSETS]; /* a whole message of this offset is in a log or quarantine file */
    int64_t highest;           /* offset of these, of indexes, and below a file's name; -1: none */
};

void model_find(struct model_found *out, const struct sim_image *image, const char *dir,
        const struct model_config *config, const struct model *m);

/* Of the names and contents of a directory, the lock file left out. */
uint64_t model_fingerprint(const struct sim_image *image, const char *dir);

/* The files of a directory, the lock file left out, are byte for byte as before. */
int model_check_same(const struct sim_image *before, const struct sim_image *after, const char *dir,
        const char *who, const struct crash_why *why);

/* Names that a stream may have. `closed`: after a clean close. */
int model_check_names(
        const struct sim_image *image, const char *dir, bool closed, const struct crash_why *why);

/* Bytes of all logs and indexes. */
int64_t model_files_size(const struct sim_image *image, const char *dir);

/* Index times never fall, from the first segment to the last. Not so where an index had to be made
 * again. */
int model_check_times(const struct sim_image *image, const char *dir,
        const struct model_config *config, const struct crash_why *why);

/* ---- Quarantine. ---- */

/* The hashes of all quarantine files, for MODEL_KEPT; the number of them. */
size_t model_list_kept(
        const struct sim_image *image, const char *dir, uint64_t hashes[MODEL_ASIDE]);

/* All that the notes say are there, unchanged. */
int model_check_aside(const struct sim_image *image, const char *dir, const struct model *m,
        const struct crash_why *why);

/* What an open cut from the end of a log is in a quarantine file. */
int model_check_cut(const struct sim_image *before, const struct sim_image *after, const char *dir,
        const struct crash_why *why);

/* Every piece of the logs is in a log or a quarantine file. */
int model_check_pieces(const struct sim_image *before, const struct sim_image *after,
        const char *dir, const struct crash_why *why);

/* Of each message that was damaged, what comes behind the damage. */
int model_check_damaged(const struct sim_image *image, const char *dir, const struct model *m,
        const struct crash_why *why);

#endif /* TESTS_CRASH_STREAM_FILES_H */
