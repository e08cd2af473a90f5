/* SPDX-License-Identifier: MIT
 *
 * journal_files.h: the files of a journal, before and after it recorded, compared.
 */
#ifndef TESTS_CRASH_JOURNAL_FILES_H
#define TESTS_CRASH_JOURNAL_FILES_H

#include "crash/dir_files.h"
#include "crash/journal_model.h"

/* Of the names and contents of the journal's directory, the lock file left out. */
uint64_t jfiles_fingerprint(const struct sim_image *image);

/* The files, the lock file left out, are byte for byte as before. Takes the image of before. */
int jfiles_check_same(struct sim_image *before, struct sim_world *w, const char *who,
        const struct crash_why *why);

struct jfiles_counts {
    unsigned snaps;
    unsigned logs;
    uint64_t newest_log; /* number; 0: none */
};

/* There are no names but those that a journal has while it records or is stopped: a snapshot at
 * most, and logs with larger numbers. *counted may be NULL. */
int jfiles_check_names(
        struct sim_world *w, struct jfiles_counts *counted, const struct crash_why *why);

/* The name of the newest log that has more than a header, "" if there is none. */
void jfiles_newest_log(const struct sim_image *image, char name[STELE_JOURNAL_NAME_SIZE]);

/* Whether a log is older than the snapshot that was played. */
bool jfiles_is_superseded(const char *log, const stele_journal_played *played);

/* A quarantine file that is new holds bytes that were in its file; an old one is as before. */
int jfiles_check_quarantine(
        const struct sim_image *before, const struct sim_image *after, const struct crash_why *why);

/* What play() called torn is in quarantine, zeros at its end left out. */
int jfiles_check_torn(const struct sim_image *before, const struct sim_image *after,
        const stele_journal_played *played, const struct crash_why *why);

/* An operation behind `count` whose bytes were in the newest log is in a file still. */
int jfiles_check_kept(const struct sim_image *before, const struct sim_image *after,
        const struct jmodel *m, uint64_t count, const struct crash_why *why);

#endif /* TESTS_CRASH_JOURNAL_FILES_H */
