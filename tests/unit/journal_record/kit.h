/* SPDX-License-Identifier: MIT
 *
 * kit.h: a journal to be tested, in a real directory or on the simulated disk, and a model of what
 * it should play: numbered keys with numbered values.
 */
#ifndef STELE_TESTS_JOURNAL_KIT_H
#define STELE_TESTS_JOURNAL_KIT_H

#include <stele/journal.h>

#include "lib/check.h"
#include "lib/tmpdir.h"
#include "sim/crash.h"
#include "sim/world.h"

enum {
    KIT_KEYS = 1200
};

/* The value of each key; 0: it is not there. */
struct kit_model {
    uint32_t values[KIT_KEYS];
};

struct kit {
    struct tmpdir dir;   /* its path is that of the journal */
    struct sim_world *w; /* NULL: a real directory */
    stele_journal_options opts;
    stele_journal *journal; /* NULL: closed */
    struct kit_model model; /* of all that was dumped well */
    uint64_t dumped;        /* operations since the journal was new or cleared */
    stele_journal_played played;
    stele_error err;
};

/* A new directory and default options. Nothing is opened. */
void kit_begin(struct kit *k);
/* The same on a simulated disk; `disk` may be NULL. No thread: what fails, fails in the call. */
void kit_begin_sim(struct kit *k, const struct sim_disk_options *disk);
/* Go on with what a power cut leaves of a simulated disk now: all that is not durable, or none. The
 * handle is gone. */
void kit_power_cut(struct kit *k, bool keep_all);
/* Close and remove. A close that fails, fails the test, but for STELE_EFAILED. */
void kit_end(struct kit *k);

void kit_open(struct kit *k);
void kit_close(struct kit *k);
void kit_record(struct kit *k); /* opened, if it is not */
void kit_stop(struct kit *k);

/* An operation on numbered keys. `text` has room for 64 bytes. */
stele_journal_op kit_op(bool put, unsigned key, uint32_t value, char *text);
/* Dump one; the model follows if that succeeds. */
stele_code kit_put(struct kit *k, unsigned key, uint32_t value);
stele_code kit_delete(struct kit *k, unsigned key);
/* Puts that succeed, key i with a value made of i. */
void kit_fill(struct kit *k, unsigned first, unsigned last);

/* Play through a handle of its own. Into a model; the code of the play. */
stele_code kit_play(struct kit *k, struct kit_model *out);
/* What is played is the model, and the counts are right. */
void kit_holds(struct kit *k);

stele_journal_stats kit_stats(struct kit *k);
/* Names in the directory that begin and end so. */
size_t kit_count_files(struct kit *k, const char *prefix, const char *suffix);
/* The last of those by their order; out has 128 bytes. */
void kit_find_file(struct kit *k, const char *prefix, const char *suffix, char *out);

/* Make a file, on whichever disk it is, and durably. */
void kit_write_file(struct kit *k, const char *name, const uint8_t *bytes, size_t len);

/* All such calls of the simulated disk fail from the at-th on, or only that one. */
void kit_fault(struct kit *k, unsigned calls, uint64_t at, int error, bool persistent);
void kit_no_fault(struct kit *k);

#endif /* STELE_TESTS_JOURNAL_KIT_H */
