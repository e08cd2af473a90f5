/* SPDX-License-Identifier: MIT
 *
 * wal_files.h: the files of a log, before and after it was opened, compared.
 */
#ifndef TESTS_CRASH_WAL_FILES_H
#define TESTS_CRASH_WAL_FILES_H

#include "crash/dir_files.h"
#include "crash/wal_model.h"

/* Of the names and contents of the log's directory, the lock file left out. */
uint64_t wfiles_fingerprint(const struct sim_image *image);

/* The files, the lock file left out, are byte for byte as before. Takes the image of before. */
int wfiles_check_same(struct sim_image *before, struct sim_world *w, const char *who,
        const struct crash_why *why);

/* Whether all names of before are there still. */
bool wfiles_all_there(const struct sim_image *before, struct sim_world *w);

/* Whether both halves of the manifest are the same. */
bool wfiles_manifest_is_whole(const struct sim_image *image);

/* There are no names but those that an open log may have, in the format that it has. */
int wfiles_check_names(struct sim_world *w, const struct crash_why *why);

/* A quarantine file that is new holds bytes that were in its file; an old one is as before. */
int wfiles_check_quarantine(
        const struct sim_image *before, const struct sim_image *after, const struct crash_why *why);

/* A record that was whole in a segment, and that is not in the log now, is in a file all the
 * same, if nobody truncated it (or `all`). */
int wfiles_check_kept(const struct sim_image *before, const struct sim_image *after,
        const struct wmodel *m, const struct wmodel_scan *scan, bool all,
        const struct crash_why *why);

#endif /* TESTS_CRASH_WAL_FILES_H */
