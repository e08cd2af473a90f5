/* SPDX-License-Identifier: MIT
 *
 * journal_model.h: what must hold of a journal's files after a crash, a fault or damage.
 *
 * A workload dumps operations that are made from a number (journal_ops.h). It notes each as an
 * intent before the call, and as an acknowledgement when it is promised to be durable (explore.h);
 * and so it does with clearing. From the notes alone the model tells how many operations there must
 * be, how many there may be, and which.
 *
 * What a recorder found is durable as well: who plays and then records notes all that was played as
 * acknowledged, and that nothing else is there any more. So nothing that was once gone may come
 * back.
 */
#ifndef TESTS_CRASH_JOURNAL_MODEL_H
#define TESTS_CRASH_JOURNAL_MODEL_H

#include <stele/journal.h>

#include "crash/journal_ops.h"
#include "crash/why.h"
#include "sim/explore.h"

#define JMODEL_DIR "/journal"

enum {
    JMODEL_WHY = 256
};

/* `what` of the notes. */
enum jmodel_note {
    JMODEL_DUMP, /* a value */
    JMODEL_CLEAR,
    JMODEL_FOUND /* acknowledged: the count that the journal has, before anything else is dumped */
};

/* How a workload opens its journal, and what else differs between workloads. */
struct jmodel_config {
    stele_journal_durability durability;
    uint64_t limit;
    int64_t replay_target_ms;
    bool background; /* with the library's thread */
    bool no_map;
    bool large; /* operations of some hundred bytes */
    bool full;  /* the disk is small: STELE_ENOSPC is right */
};

void jmodel_options(
        const struct jmodel_config *config, const stele_env *env, stele_journal_options *options);

/* ---- What the notes say. ---- */

/* The operation with which the journal has a count. */
struct jmodel_at {
    uint64_t tried; /* a bit for each attempt that was intended */
    uint64_t dead;  /* a bit for each that must not be there any more */
};

struct jmodel {
    const struct jmodel_config *config;
    uint64_t epoch;
    struct jmodel_at at[JOPS_COUNTS]; /* of this epoch */
    uint64_t limit;                   /* above all that was ever tried in it */
    uint64_t durable;                 /* the count has to be this at least */
    bool clearing;                    /* the journal may have been cleared instead */
};

void jmodel_init(struct jmodel *m, const struct jmodel_config *config);
void jmodel_add(struct jmodel *m, const struct sim_note *note);
void jmodel_of_notes(
        struct jmodel *m, const struct jmodel_config *config, const struct sim_notes *notes);

/* The next value to try for a count. */
uint64_t jmodel_next(const struct jmodel *m, uint64_t count);

/* Whether any operation has to be there. */
static inline bool jmodel_must_hold(const struct jmodel *m)
{
    return m->durable > 0 && !m->clearing;
}

/* ---- Judging. 0, 1 for a wrong answer, or the negative code of an error. ---- */

/* What a play gave. */
struct jmodel_play {
    uint64_t values[2 * JOPS_COUNTS]; /* in their order */
    size_t count;
    size_t bad; /* operations that are none that was ever made */
    stele_journal_played played;
};

bool jmodel_plays_equal(const struct jmodel_play *a, const struct jmodel_play *b);

/* Play; `until` may be NULL. */
stele_code jmodel_play(stele_journal *journal, const struct jmodel_config *config,
        const stele_journal_until *until, struct jmodel_play *out, stele_error *err);

/* What was played, in terms of the model. */
struct jmodel_found {
    bool cleared; /* the journal was, by a call that is in doubt */
    uint64_t count;
    uint64_t values[JOPS_COUNTS]; /* the operation for each count up to it */
};

/* A play that came to its end gave a state that may be there. */
int jmodel_judge(const struct jmodel *m, const struct jmodel_play *play, struct jmodel_found *found,
        const struct crash_why *why);

/* Playing up to counts and times in between gives what was there then. */
int jmodel_check_until(stele_journal *journal, const struct jmodel *m,
        const struct jmodel_play *whole, const struct jmodel_found *found, uint64_t pick,
        const struct crash_why *why);

/* The figures of stat(), or of stat_dir() if `journal` is NULL, fit. */
int jmodel_check_stat(stele_journal *journal, const stele_env *env, const struct jmodel *m,
        const struct jmodel_play *play, const struct crash_why *why);

#endif /* TESTS_CRASH_JOURNAL_MODEL_H */
