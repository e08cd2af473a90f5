/* SPDX-License-Identifier: MIT
 *
 * docs_script.h: what the workloads of documents do, and what must be there then.
 *
 * A workload is a text, a letter for each step:
 *
 *     o O       open: changes are not durable at once; or they are
 *     x         close
 *     k         the process ends here, and closes nothing
 *     c         what waits in the store is committed
 *     E         the next call that needs room finds none
 *     s S d p   a document is set, a large one, deleted, patched
 *     b         several in one batch, one of them deleted
 *     e         an entry of another server comes, older than all that was made here
 *     t         a type is registered, with other keys than before
 *     i         all is made anew
 *     r         a backup is restored, which can only be the first
 *
 * Those from s on are changes, numbered from 1. What one does follows from its letter, its number
 * and what was there before; so the state after any number of them is known.
 */
#ifndef TESTS_CRASH_DOCS_SCRIPT_H
#define TESTS_CRASH_DOCS_SCRIPT_H

#include <stele/docs.h>

enum {
    DOCS_LOCAL = 10,
    DOCS_IDS = 14, /* the last ones are set by others alone */
    DOCS_TEXT_SIZE = 9000,
    DOCS_CHANGES = 96
};

struct docs_cell {
    bool live;
    bool touched;  /* changed here, and so newer than all that others send */
    bool from_far; /* set by another server */
    uint64_t base; /* number of the change that wrote the text */
    uint64_t n;    /* what it, or a patch, says */
    unsigned fill; /* bytes of it that say nothing */
};

struct docs_state {
    struct docs_cell cells[DOCS_IDS];
    uint64_t entries;
    uint64_t types; /* registered so far; the number of the last one */
};

/* Whether a letter is a change. */
bool docs_is_change(char step);

/* What a change makes of a state. */
void docs_state_add(struct docs_state *state, char kind, uint64_t number);

/* The state after the first `count` of these changes; false if there are fewer. */
bool docs_state_at(const char *kinds, uint64_t count, struct docs_state *out);

/* Make a change, on a state. */
stele_code docs_change(stele_docs *db, const struct docs_state *state, char kind, uint64_t number,
        stele_error *err);

stele_bytes docs_id(unsigned number, char out[8]);
stele_bytes docs_text(unsigned id, const struct docs_cell *cell, char out[DOCS_TEXT_SIZE]);
stele_bytes docs_type_text(uint64_t number, char out[DOCS_TEXT_SIZE]);

/* Make the backup that `r` restores; before anything is recorded. */
void docs_make_backup(void);

#endif /* TESTS_CRASH_DOCS_SCRIPT_H */
