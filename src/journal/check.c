/* SPDX-License-Identifier: MIT
 *
 * check.c: verify all of a journal, and tell every fault.
 */
#include "journal/check.h"

#include "base/env.h"
#include "base/error.h"

#include <stdio.h>

enum {
    LOOKS = 4
};

struct telling {
    struct sti_dir dir;
    struct sti_journal_look look;
    void (*each)(void *arg, const stele_journal_fault *fault);
    void (*note)(void *arg, const char *file, const char *text);
    void *arg;
};

/* ---- Looking. ---- */

/* Whether two looks found the same. */
static bool is_same(const struct sti_journal_look *a, const struct sti_journal_look *b)
{
    if (a->vanished || b->vanished || a->ops != b->ops || a->fault_count != b->fault_count ||
            !sti_journal_listing_equal(&a->listing, &b->listing)) {
        return false;
    }
    for (size_t i = 0; i < a->fault_count; i++) {
        const stele_error *x = &a->faults[i];
        const stele_error *y = &b->faults[i];

        if (x->code != y->code || x->position != y->position || strcmp(x->file, y->file) != 0) {
            return false;
        }
    }
    return true;
}

static stele_code look(struct telling *t, bool no_map, stele_error *err)
{
    stele_code rc = sti_journal_look_at(&t->look, &t->dir, no_map, err);
    bool again = rc == STELE_OK && (t->look.fault_count > 0 || t->look.vanished);

    for (int i = 1; i < LOOKS && again; i++) {
        struct sti_journal_look next = {0};

        rc = sti_journal_look_at(&next, &t->dir, no_map, err);
        again = rc == STELE_OK && (next.fault_count > 0 || next.vanished) &&
                !is_same(&t->look, &next);
        sti_journal_look_free(&t->look);
        t->look = next;
    }
    return rc;
}

/* ---- Telling. ---- */

static void tell_faults(const struct telling *t)
{
    for (size_t i = 0; i < t->look.fault_count && t->each != NULL; i++) {
        const stele_error *f = &t->look.faults[i];
        const stele_journal_fault fault = {
                .file = f->file, .position = f->position, .code = f->code, .text = f->message};

        t->each(t->arg, &fault);
    }
}

static stele_code note_name(void *arg, const char *name)
{
    const struct telling *t = arg;
    uint64_t number;

    switch (sti_journal_name_parse(name, &number)) {
    case STI_JOURNAL_NAME_OTHER:
        t->note(t->arg, name, "is no file of a journal");
        break;
    case STI_JOURNAL_NAME_UNFINISHED:
        t->note(t->arg, name, "a snapshot that was not finished, or is being written");
        break;
    case STI_JOURNAL_NAME_QUARANTINE:
        t->note(t->arg, name, "keeps bytes that were cut from a file");
        break;
    case STI_JOURNAL_NAME_LEFTOVER:
        t->note(t->arg, name, "was to keep bytes that were cut, and was not finished");
        break;
    case STI_JOURNAL_NAME_LOG:
    case STI_JOURNAL_NAME_SNAP:
    case STI_JOURNAL_NAME_LOCK:
    default:
        break;
    }
    return STELE_OK;
}

static void note_superseded(const struct telling *t)
{
    const struct sti_journal_chain *chain = &t->look.chain;
    char text[STELE_JOURNAL_NAME_SIZE + 32];

    if (chain->snap.seg == NULL) {
        return;
    }
    (void)snprintf(text, sizeof text, "is superseded by %.*s", STELE_JOURNAL_NAME_SIZE - 1,
            chain->snap.seg->name);
    for (size_t i = 0; i < chain->old_count; i++) {
        char name[STELE_JOURNAL_NAME_SIZE];

        if (chain->old[i].kind != STI_JOURNAL_NAME_UNFINISHED) {
            sti_journal_name(name, chain->old[i].kind, chain->old[i].number);
            t->note(t->arg, name, text);
        }
    }
}

static stele_code tell_all(struct telling *t, stele_journal_checked *out, stele_error *err)
{
    const struct sti_journal_look *found = &t->look;
    stele_code rc = STELE_OK;

    tell_faults(t);
    if (t->note != NULL) {
        note_superseded(t);
        rc = sti_dir_list(&t->dir, note_name, t, err);
    }
    if (rc == STELE_OK && out != NULL) {
        *out = (stele_journal_checked){.snapshots = found->snapshots,
                .logs = found->logs,
                .ops = found->ops,
                .faults = found->fault_count};
    }
    return rc;
}

stele_code stele_journal_check_dir(const char *dir, const stele_journal_options *opts,
        void (*each)(void *arg, const stele_journal_fault *fault),
        void (*note)(void *arg, const char *file, const char *text), void *arg,
        stele_journal_checked *out, stele_error *err)
{
    struct telling t = {.each = each, .note = note, .arg = arg};
    stele_journal_options options;
    stele_code rc;

    if (dir == NULL) {
        return sti_fail(err, STELE_EINVAL, "no directory");
    }
    rc = sti_options_copy(&options, sizeof options, opts, "stele_journal_options", err);
    rc = rc != STELE_OK ? rc : sti_dir_open(&t.dir, options.env, dir, STELE_OPEN_READ, err);
    rc = rc != STELE_OK ? rc : look(&t, options.no_map, err);
    rc = rc != STELE_OK ? rc : tell_all(&t, out, err);
    if (rc != STELE_OK) {
        rc = sti_wrap(err, rc, "check journal %s", dir);
    } else if (t.look.fault_count > 0) {
        rc = t.look.faults[0].code;
        if (err != NULL) {
            *err = t.look.faults[0];
        }
    }
    sti_journal_look_free(&t.look);
    sti_dir_close(&t.dir);
    return rc;
}
