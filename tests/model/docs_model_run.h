/* SPDX-License-Identifier: MIT
 *
 * docs_model_run.h: a database beside its model, and the comparisons of the two.
 */
#ifndef TESTS_MODEL_DOCS_MODEL_RUN_H
#define TESTS_MODEL_DOCS_MODEL_RUN_H

#include <stele/docs.h>

#include "lib/check.h"
#include "lib/tmpdir.h"
#include "model/docs_model.h"

struct run {
    struct tmpdir tmp;
    unsigned dirs; /* databases made in it */
    char dir[TMPDIR_PATH_SIZE];
    stele_env env;
    stele_time now;
    stele_docs_options options;
    stele_docs *db;
    struct model model;
    struct sti_docs_version last; /* the highest of all */
    uint64_t random;
    uint64_t serial;
    uint64_t definitions;

    /* What was done. */
    uint64_t operations;
    uint64_t refused;
    uint64_t found; /* by searches */
    uint64_t late;
    uint64_t conflicts;
    uint64_t damaged;
};

/* ---- docs_model_run.c ---- */

uint64_t docs_run_below(struct run *r, uint64_t bound);

/* A database in a new directory; the one before is closed and removed. */
void docs_run_new(struct run *r);
void docs_run_open(struct run *r);
void docs_run_close(struct run *r);

/* Make it anew of a backup of itself. */
void docs_run_restore(struct run *r);

/* A document of random values for an ID, at times with those of unique keys that it had before; and
 * a value of the table. */
void docs_run_make_doc(struct run *r, unsigned id, struct model_doc *doc);
int docs_run_value(struct run *r);

/* ' becomes ". */
stele_bytes docs_run_quoted(const char *text, char *out, size_t size);

/* ---- docs_model_ops.c ---- */

struct run *docs_run_begin(void);
void docs_run_end(struct run *r);

/* So many operations on a new database, and then everything; depends on the seed alone. */
void docs_run_phase(struct run *r, uint64_t seed, unsigned operations, unsigned damages);

/* ---- docs_model_check.c ---- */

/* One random search. */
void docs_run_check_search(struct run *r);

/* One ID: the document, its version, its history. */
void docs_run_check_id(struct run *r, unsigned id);

/* The log, from some place on. */
void docs_run_check_log(struct run *r);

/* Who has to yield a unique key to whom. */
void docs_run_check_conflicts(struct run *r);

/* Everything: all IDs, conflicts, validation; and made anew, it is as before. */
void docs_run_check_all(struct run *r);

/* Validation finds nothing, and as many documents and entries as the model has; every bucket as it
 * is. */
void docs_run_check_valid(struct run *r);
void docs_run_dump(struct run *r, stele_buf *out);

/* ---- docs_model_damage.c ---- */

/* Damage something; it is found, and made anew everything is as before. */
void docs_run_check_damage(struct run *r);

#endif /* TESTS_MODEL_DOCS_MODEL_RUN_H */
