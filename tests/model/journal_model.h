/* SPDX-License-Identifier: MIT
 *
 * journal_model.h: a journal on files and a plain map, under the same random operations.
 *
 * Whatever is dumped is applied to the map. At random moments the journal merges, is stopped,
 * played, cleared, closed and opened again; what a play gives, applied to an empty map, has to be
 * the map. A copy from some time ago is compared with a play up to that count.
 */
#ifndef TESTS_MODEL_JOURNAL_MODEL_H
#define TESTS_MODEL_JOURNAL_MODEL_H

#include <stele/journal.h>

struct journal_model_setup {
    const stele_env *env;
    const char *dir;
    uint64_t seed;
    uint64_t operations;
};

struct journal_model_sums {
    uint64_t operations; /* dumped */
    uint64_t played;     /* operations that were played and applied */
    uint64_t plays;
    uint64_t untils; /* plays up to a count, in logs that were still there */
    uint64_t merges;
    uint64_t reopened;
    uint64_t cleared;
};

/* Run; adds to *sums. A difference ends the test, with the seed on standard error. */
void journal_model_run(const struct journal_model_setup *setup, struct journal_model_sums *sums);

#endif /* TESTS_MODEL_JOURNAL_MODEL_H */
