/* SPDX-License-Identifier: MIT
 *
 * store_check.c: what must hold of the files that a crash left.
 */
#include "crash/lives.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    KIND_SHIFT = 56,
    SNAPSHOTS = 4
};

struct checker {
    uint64_t snapshots; /* a bit for each that was acknowledged */
    stele_store_options options;
    stele_env env;
    const char *root;
    struct store_bounds bounds;
    struct store_why *why;
};

/* A later intent takes the place of one with the same number: the process had ended. */
static void read_notes(const struct sim_notes *notes, struct checker *c)
{
    struct store_bounds *bounds = &c->bounds;

    for (size_t i = 0; i < notes->count; i++) {
        const struct sim_note *n = &notes->list[i];
        uint64_t number = n->value & (((uint64_t)1 << KIND_SHIFT) - 1);

        if (n->what == STORE_OPENED) {
            c->options.must_exist = true;
        } else if (n->what == STORE_SNAPSHOT) {
            c->snapshots |= (uint64_t)1 << number;
        } else if (n->kind == SIM_INTENT) {
            bounds->issued = number;
            bounds->kinds[number - 1] = (char)(n->value >> KIND_SHIFT);
        } else if (number > bounds->acked) {
            bounds->acked = number;
        }
    }
}

/* ---- Snapshots. ---- */

static stele_code read_file(void *arg, void *data, size_t len, size_t *got, stele_error *err)
{
    (void)err;
    *got = fread(data, 1, len, arg);
    return STELE_OK;
}

/* One that has its name is whole; one that was acknowledged is there. */
static bool check_snapshots(struct checker *c)
{
    for (unsigned i = 0; i < SNAPSHOTS; i++) {
        char path[DISK_PATH_SIZE + 32];
        stele_error err;
        stele_code code = STELE_OK;
        FILE *f;

        (void)snprintf(path, sizeof path, "%s/snapshot-%u", c->root, i);
        f = fopen(path, "r");
        if (f == NULL && (c->snapshots >> i & 1) != 0) {
            return store_wrong(c->why, "snapshot %u is missing", i);
        }
        if (f != NULL) {
            code = stele_store_snapshot_verify(read_file, f, NULL, &err);
            (void)fclose(f);
        }
        if (code != STELE_OK) {
            return store_wrong(c->why, "snapshot %u: %s", i, err.message);
        }
    }
    return true;
}

/* ---- Stores. ---- */

static bool open_store(struct checker *c, stele_store **out)
{
    stele_error err;

    return stele_store_open(out, c->root, &c->options, &err) == STELE_OK ||
           store_wrong(c->why, "it cannot be opened: %s", err.message);
}

static bool close_store(struct checker *c, stele_store *s)
{
    stele_error err;

    return stele_store_close(s, &err) == STELE_OK || store_wrong(c->why, "close: %s", err.message);
}

static bool write_one(struct checker *c, stele_store *s, char kind, char end, uint64_t number)
{
    stele_error err;

    c->bounds.kinds[number - 1] = kind;
    c->bounds.issued = number;
    if (store_batch(s, kind, end, number, &err) != STELE_OK) {
        return store_wrong(c->why, "writing on: %s", err.message);
    }
    c->bounds.acked = number;
    return true;
}

/* Open, judge, and close: twice, the second time it must be as it was. Then it is written to. */
static bool first_time(struct checker *c, uint64_t *last)
{
    stele_store *s = NULL;
    bool ok;

    if (!open_store(c, &s)) {
        return false;
    }
    ok = store_judge(s, &c->bounds, last, c->why);
    if (ok) {
        record_note(DISK_ACK, STORE_OPENED, 0);
        if (*last > 0) {
            record_note(DISK_ACK, STORE_BATCH, *last);
        }
        record_note(DISK_RECOVERED, 0, 0);
        c->bounds.acked = c->bounds.issued = *last;
    }
    return close_store(c, s) && ok && store_check_files(c->root, c->why);
}

static bool write_on(struct checker *c, uint64_t last)
{
    stele_store *s = NULL;
    uint64_t again = 0;
    bool ok;

    c->options.must_exist = true;
    if (!open_store(c, &s)) {
        return false;
    }
    ok = store_judge(s, &c->bounds, &again, c->why);
    ok = ok && write_one(c, s, 's', '!', last + 1) && write_one(c, s, 'm', '+', last + 2) &&
         write_one(c, s, 'R', '.', last + 3) && store_judge(s, &c->bounds, &again, c->why);
    return close_store(c, s) && ok;
}

static bool last_time(struct checker *c)
{
    stele_store *s = NULL;
    uint64_t last = 0;
    bool ok;

    if (!open_store(c, &s)) {
        return false;
    }
    ok = store_judge(s, &c->bounds, &last, c->why);
    return close_store(c, s) && ok && store_check_files(c->root, c->why);
}

static bool judge(void *arg, const char *root, struct store_why *why)
{
    struct checker *c = arg;
    uint64_t last = 0;

    c->root = root;
    c->why = why;
    return check_snapshots(c) && first_time(c, &last) && write_on(c, last) && last_time(c);
}

int store_check(void *arg, struct sim_world *w, uint64_t at_op, const struct sim_notes *notes,
        char *why, size_t why_len)
{
    struct checker c = {.root = NULL};

    (void)arg;
    (void)at_op;
    store_options_init(&c.options, &c.env, w);
    read_notes(notes, &c);
    return lives_judge(w, judge, &c, why, why_len);
}
