/* SPDX-License-Identifier: MIT
 *
 * store_check.c: what must hold of the files that a crash left.
 */
#include "crash/store_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    KIND_SHIFT = 56
};

struct checker {
    stele_store_options options;
    stele_env env;
    const char *root;
    struct store_bounds bounds;
    struct store_why *why;
};

/* A later intent takes the place of one with the same number: the process had ended. */
static void read_notes(
        const struct sim_notes *notes, struct store_bounds *bounds, bool *opened)
{
    for (size_t i = 0; i < notes->count; i++) {
        const struct sim_note *n = &notes->list[i];
        uint64_t number = n->value & (((uint64_t)1 << KIND_SHIFT) - 1);

        if (n->what == STORE_OPENED) {
            *opened = true;
        } else if (n->kind == SIM_INTENT) {
            bounds->issued = number;
            bounds->kinds[number - 1] = (char)(n->value >> KIND_SHIFT);
        } else if (number > bounds->acked) {
            bounds->acked = number;
        }
    }
}

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

int store_check(void *arg, struct sim_world *w, uint64_t at_op, const struct sim_notes *notes,
        char *why, size_t why_len)
{
    struct sim_image *image = sim_disk_image(w->disk);
    char root[DISK_PATH_SIZE];
    struct store_why text = {""};
    struct checker c = {.root = root, .why = &text};
    static struct disk_base base;
    uint64_t last = 0;
    bool opened = false;
    bool ok;

    (void)arg;
    (void)at_op;
    store_options_init(&c.options, &c.env, w);
    read_notes(notes, &c.bounds, &opened);
    c.options.must_exist = opened;
    disk_scratch(root);
    disk_make_files(&base, image, root, image->hash % 2 == 1);
    sim_image_unref(image);
    disk_record(&base);
    ok = first_time(&c, &last) && write_on(&c, last) && last_time(&c);
    record_stop();
    /* To be crashed in turn. */
    if (ok && sim_disk_traces(w->disk) && !disk_repeat(w, &base)) {
        ok = store_wrong(&text, "%s", sim_world_why(w));
    }
    disk_remove(root);
    if (!ok) {
        (void)snprintf(why, why_len, "%s", text.text);
    }
    return ok ? 0 : SIM_WRONG;
}
