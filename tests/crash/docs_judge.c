/* SPDX-License-Identifier: MIT
 *
 * docs_judge.c: which of the states a database is in, if any.
 */
#include "crash/docs_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A document that is there. */
struct found {
    bool live;
    char text[DOCS_TEXT_SIZE];
    size_t len;
};

struct picture {
    struct found docs[DOCS_IDS];
    char type[DOCS_TEXT_SIZE]; /* its definition; empty: none */
    stele_docs_validated sums;
};

/* ---- What is there. ---- */

static bool note_document(
        struct picture *p, stele_bytes id, stele_bytes json, struct store_why *why)
{
    for (unsigned i = 0; i < DOCS_IDS; i++) {
        char name[8];

        if (stele_bytes_equal(id, docs_id(i, name)) && json.len < DOCS_TEXT_SIZE) {
            p->docs[i].live = true;
            p->docs[i].len = json.len;
            memcpy(p->docs[i].text, json.data, json.len);
            return true;
        }
    }
    return store_wrong(why, "an unknown document %.*s, %zu bytes", (int)(id.len < 20 ? id.len : 20),
            (const char *)id.data, json.len);
}

static bool take_documents(stele_docs *db, struct picture *p, struct store_why *why)
{
    stele_docs_iter *it = NULL;
    stele_error err;
    stele_code rc = stele_docs_range(&it, db, stele_nil(), stele_nil(), false, &err);
    bool ok = true;

    while (rc == STELE_OK && ok) {
        stele_bytes id = stele_nil();
        stele_bytes json = stele_nil();

        rc = stele_docs_iter_next(it, &id, &json, &err);
        ok = rc != STELE_OK || note_document(p, id, json, why);
    }
    stele_docs_iter_end(it);
    if (ok && rc != STELE_END) {
        ok = store_wrong(why, "documents: %s", err.message);
    }
    return ok;
}

static bool take_type(stele_docs *db, struct picture *p, struct store_why *why)
{
    stele_buf text;
    stele_error err;
    stele_code rc;

    stele_buf_init(&text, DOCS_TEXT_SIZE - 1);
    rc = stele_docs_type(db, "t", &text, &err);
    if (rc == STELE_OK) {
        memcpy(p->type, text.data, text.len);
    }
    stele_buf_free(&text);
    return rc == STELE_OK || rc == STELE_ETYPE || store_wrong(why, "type: %s", err.message);
}

static void on_fault(void *arg, const stele_docs_fault *fault)
{
    struct store_why *why = arg;

    if (why->text[0] == '\0') {
        (void)store_wrong(why, "validation: %.*s: %s",
                (int)(fault->id.len < 20 ? fault->id.len : 20), (const char *)fault->id.data,
                fault->text);
    }
}

/* Indexes, sums and claims are those of the documents and the log. */
static bool take_sums(stele_docs *db, struct picture *p, struct store_why *why)
{
    stele_error err;

    why->text[0] = '\0';
    if (stele_docs_validate(db, on_fault, why, &p->sums, &err) != STELE_OK) {
        return why->text[0] != '\0' ? false : store_wrong(why, "validation: %s", err.message);
    }
    return true;
}

/* ---- Compared. ---- */

static bool is_state(const struct picture *p, const struct docs_state *state, struct store_why *why)
{
    static char text[DOCS_TEXT_SIZE];

    for (unsigned i = 0; i < DOCS_IDS; i++) {
        const struct docs_cell *cell = &state->cells[i];
        stele_bytes want = cell->live ? docs_text(i, cell, text) : stele_nil();

        if (p->docs[i].live != cell->live ||
                (cell->live && !stele_bytes_equal(
                                       want, stele_bytes_of(p->docs[i].text, p->docs[i].len)))) {
            return store_wrong(why, "document %u: %.*s instead of %.*s", i,
                    (int)(p->docs[i].live ? p->docs[i].len < 80 ? p->docs[i].len : 80 : 0),
                    p->docs[i].text, (int)(want.len < 80 ? want.len : 80),
                    cell->live ? (const char *)want.data : "");
        }
    }
    if (p->sums.entries != state->entries) {
        return store_wrong(why, "%" PRIu64 " entries in the log instead of %" PRIu64,
                p->sums.entries, state->entries);
    }
    if (state->types == 0
                    ? p->type[0] != '\0'
                    : !stele_bytes_equal(docs_type_text(state->types, text), stele_str(p->type))) {
        return store_wrong(why, "the type is %.100s", p->type);
    }
    return true;
}

bool docs_judge(
        stele_docs *db, const struct docs_bounds *bounds, uint64_t *last, struct store_why *why)
{
    static struct picture p;
    static struct docs_state state;
    struct store_why first = {""};

    memset(&p, 0, sizeof p);
    if (!take_documents(db, &p, why) || !take_type(db, &p, why) || !take_sums(db, &p, why)) {
        return false;
    }
    /* Some changes change nothing: the latest that fits. */
    for (uint64_t n = bounds->issued + 1; n-- > bounds->acked;) {
        if (!docs_state_at(bounds->kinds, n, &state)) {
            return store_wrong(why, "change %" PRIu64 " is not known", n);
        }
        if (is_state(&p, &state, n == bounds->issued ? &first : why)) {
            *last = n;
            return true;
        }
    }
    return store_wrong(why,
            "no state after changes %" PRIu64 " to %" PRIu64 "; that after the last: %.200s",
            bounds->acked, bounds->issued, first.text);
}

bool docs_write_on(stele_docs *db, struct docs_bounds *bounds, char kind, uint64_t *last,
        struct store_why *why)
{
    static struct docs_state state;
    stele_error err;

    (void)docs_state_at(bounds->kinds, *last, &state);
    bounds->kinds[*last] = kind;
    bounds->kinds[*last + 1] = '\0';
    bounds->issued = *last + 1;
    if (docs_change(db, &state, kind, *last + 1, &err) != STELE_OK) {
        return store_wrong(why, "writing on, %c: %s", kind, err.message);
    }
    bounds->acked = ++*last;
    return true;
}
