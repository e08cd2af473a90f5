/* SPDX-License-Identifier: MIT
 *
 * docs_check.c: what must hold of the files that a crash left of a database.
 */
#include "crash/docs_run.h"
#include "crash/lives.h"

struct checker {
    stele_docs_options options;
    stele_env env;
    const char *root;
    struct docs_bounds bounds;
    struct store_why *why;
};

/* A later intent takes the place of one with the same number: that change was not there. */
static void read_notes(const struct sim_notes *notes, struct checker *c)
{
    struct docs_bounds *bounds = &c->bounds;

    for (size_t i = 0; i < notes->count; i++) {
        const struct sim_note *n = &notes->list[i];
        uint64_t number = n->value & (((uint64_t)1 << DOCS_KIND_SHIFT) - 1);

        if (n->what == DOCS_OPENED) {
            c->options.must_exist = true;
        } else if (n->kind == SIM_INTENT) {
            bounds->issued = number;
            bounds->kinds[number - 1] = (char)(n->value >> DOCS_KIND_SHIFT);
            bounds->kinds[number] = '\0';
        } else if (number > bounds->acked) {
            bounds->acked = number;
        }
    }
}

static bool open_docs(struct checker *c, stele_docs **out)
{
    stele_error err;

    return stele_docs_open(out, c->root, &c->options, &err) == STELE_OK ||
           store_wrong(c->why, "it cannot be opened: %s", err.message);
}

static bool close_docs(struct checker *c, stele_docs *db)
{
    stele_error err;

    return stele_docs_close(db, &err) == STELE_OK || store_wrong(c->why, "close: %s", err.message);
}

/* Open, judge, and close: twice, the second time it must be as it was. Then it is written to. */
static bool first_time(struct checker *c, uint64_t *last)
{
    stele_docs *db = NULL;
    bool ok;

    if (!open_docs(c, &db)) {
        return false;
    }
    ok = docs_judge(db, &c->bounds, last, c->why);
    if (ok) {
        record_note(DISK_ACK, DOCS_OPENED, 0);
        if (*last > 0) {
            record_note(DISK_ACK, DOCS_CHANGE, *last);
        }
        record_note(DISK_RECOVERED, 0, 0);
        c->bounds.acked = c->bounds.issued = *last;
    }
    return close_docs(c, db) && ok && store_check_files(c->root, c->why);
}

static bool write_on(struct checker *c, uint64_t *last)
{
    stele_docs *db = NULL;
    bool ok;

    c->options.must_exist = true;
    if (!open_docs(c, &db)) {
        return false;
    }
    ok = docs_judge(db, &c->bounds, last, c->why);
    for (const char *kind = "sbteip"; ok && *kind != '\0'; kind++) {
        ok = docs_write_on(db, &c->bounds, *kind, last, c->why);
    }
    ok = ok && docs_judge(db, &c->bounds, last, c->why);
    return close_docs(c, db) && ok;
}

static bool last_time(struct checker *c)
{
    stele_docs *db = NULL;
    uint64_t last = 0;
    bool ok;

    if (!open_docs(c, &db)) {
        return false;
    }
    ok = docs_judge(db, &c->bounds, &last, c->why);
    return close_docs(c, db) && ok && store_check_files(c->root, c->why);
}

static bool judge(void *arg, const char *root, struct store_why *why)
{
    struct checker *c = arg;
    uint64_t last = 0;

    c->root = root;
    c->why = why;
    return first_time(c, &last) && write_on(c, &last) && last_time(c);
}

int docs_check(void *arg, struct sim_world *w, uint64_t at_op, const struct sim_notes *notes,
        char *why, size_t why_len)
{
    struct checker c = {.root = NULL};

    (void)arg;
    (void)at_op;
    docs_options_init(&c.options, &c.env, w);
    read_notes(notes, &c);
    return lives_judge(w, judge, &c, why, why_len);
}
