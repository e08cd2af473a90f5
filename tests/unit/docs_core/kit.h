/* SPDX-License-Identifier: MIT
 *
 * kit.h: a database in a directory of its own, with a clock that the test sets.
 *
 * JSON may have ' for " here, and IDs are C strings; what fails ends the test.
 */
#ifndef TESTS_UNIT_DOCS_CORE_KIT_H
#define TESTS_UNIT_DOCS_CORE_KIT_H

#include <stele/docs.h>

#include "lib/check.h"
#include "lib/tmpdir.h"

enum {
    KIT_TEXT_SIZE = 1 << 16
};

/* 2023-11-14 22:13:20 UTC */
#define KIT_NOW ((stele_time)1700000000 * 1000000)

struct kit {
    struct tmpdir tmp;
    stele_env env;
    stele_docs_options options; /* of open; not durable at first */
    stele_time now;             /* what the wall's clock says */
    stele_docs *db;             /* NULL while closed */
};

int kit_set_up(void **state);
int kit_tear_down(void **state);
void kit_open(struct kit *k);
void kit_close(struct kit *k);

/* ' becomes "; valid until the next call. */
stele_bytes kit_json(const char *text);

void kit_register(struct kit *k, const char *definition);
stele_docs_version kit_set(struct kit *k, const char *id, const char *json);
stele_code kit_try_set(struct kit *k, const char *id, const char *json, stele_error *err);
stele_docs_version kit_delete(struct kit *k, const char *id);

/* What is there under an ID; NULL: nothing. */
void kit_check(struct kit *k, const char *id, const char *json);

/* A search finds just these IDs, "a b c", in this order; forward, and backward in the other one,
 * and one by one with its token. */
void kit_check_search(struct kit *k, const stele_docs_search *search, const char *ids);

/* The same for fields alone. */
void kit_check_match(struct kit *k, const char *type, const char *match, const char *ids);

/* All IDs in order, by a range. */
void kit_check_all(struct kit *k, const char *ids);

int kit_compare_versions(stele_docs_version a, stele_docs_version b);

#endif /* TESTS_UNIT_DOCS_CORE_KIT_H */
