/* SPDX-License-Identifier: MIT
 *
 * together.c: the line of those who wait with a change.
 *
 * `led` says that somebody makes changes; he hands it to the first in the line before he waits for
 * the sync, or gives it back. Those whom he took out of the line are his until he has told them.
 */
#include "docs/together.h"

#include "base/error.h"

enum {
    SIZE_AT_ONCE = 1 << 20 /* bytes of documents in a batch, of all but the last */
};

struct sti_docs_waiter {
    struct sti_docs_waiter *next; /* in the line, or among those who were taken */
    stele_code (*make)(struct sti_docs_write *w, void *arg, stele_error *err);
    void *arg;
    size_t size;
    struct sti_cond told;
    bool leads; /* he is to lead */
    bool done;
    stele_code rc;
    stele_error err;
};

stele_code sti_docs_line_init(struct sti_docs_line *line, stele_error *err)
{
    return sti_mutex_init(&line->lock, STI_RANK_DOCS_LINE, err);
}

void sti_docs_line_destroy(struct sti_docs_line *line)
{
    sti_mutex_destroy(&line->lock);
}

/* ---- The line. ---- */

static void line_up_locked(struct sti_docs_line *line, struct sti_docs_waiter *w)
        STI_REQUIRES(line->lock)
{
    *(line->first == NULL ? &line->first : &line->last->next) = w;
    line->last = w;
    line->count++;
}

/* Take from the line as many as fit into a batch. */
static struct sti_docs_waiter *take_some(struct sti_docs_line *line, size_t size)
        STI_EXCLUDES(line->lock)
{
    struct sti_docs_waiter *taken;
    struct sti_docs_waiter *last = NULL;

    sti_mutex_lock(&line->lock);
    taken = line->first;
    while (line->first != NULL && size <= SIZE_AT_ONCE) {
        size += line->first->size;
        last = line->first;
        line->first = last->next;
        line->count--;
    }
    if (last == NULL) {
        taken = NULL;
    } else {
        last->next = NULL;
    }
    sti_mutex_unlock(&line->lock);
    return taken;
}

/* Let the first in the line lead, or whoever comes next. */
static void step_down(struct sti_docs_line *line) STI_EXCLUDES(line->lock)
{
    sti_mutex_lock(&line->lock);
    if (line->first == NULL) {
        line->led = false;
    } else {
        struct sti_docs_waiter *next = line->first;

        line->first = next->next;
        line->count--;
        next->next = NULL;
        next->leads = true;
        sti_cond_signal(&next->told);
    }
    sti_mutex_unlock(&line->lock);
}

/* They may return, and their memory is gone, as soon as the lock is free. */
static void tell(struct sti_docs_line *line, struct sti_docs_waiter *taken) STI_EXCLUDES(line->lock)
{
    sti_mutex_lock(&line->lock);
    while (taken != NULL) {
        struct sti_docs_waiter *next = taken->next;

        taken->done = true;
        sti_cond_signal(&taken->told);
        taken = next;
    }
    sti_mutex_unlock(&line->lock);
}

/* ---- Making changes. ---- */

static void make_alone(stele_docs *db, struct sti_docs_waiter *c)
{
    struct sti_docs_write w = {.db = db};

    c->rc = sti_docs_write_begin(&w, db, &c->err);
    if (c->rc == STELE_OK) {
        c->rc = sti_docs_write_end(&w, c->make(&w, c->arg, &c->err), &c->err);
    }
}

/* *made: some were. False: one failed in the midst of it. */
static bool make_each(struct sti_docs_write *w, struct sti_docs_waiter *all, bool *made)
{
    for (struct sti_docs_waiter *c = all; c != NULL; c = c->next) {
        uint64_t writes = w->writes;

        c->rc = c->make(w, c->arg, &c->err);
        if (c->rc != STELE_OK && w->writes != writes) {
            return false;
        }
        *made = *made || c->rc == STELE_OK;
    }
    return true;
}

/* How the batch ended is how those ended who were part of it. */
static void end_each(struct sti_docs_waiter *all, stele_code rc, const stele_error *why)
{
    for (struct sti_docs_waiter *c = all; c != NULL && rc != STELE_OK; c = c->next) {
        if (c->rc == STELE_OK) {
            c->rc = rc;
            c->err = *why;
        }
    }
}

/* The next one's batch begins as soon as this one is in the log, and is made during its sync. */
static void make_all(struct sti_docs_write *w, struct sti_docs_waiter *all)
{
    stele_docs *db = w->db;
    stele_error why = {.code = STELE_OK, .position = -1};
    bool made = false;

    if (!make_each(w, all, &made)) {
        (void)sti_docs_write_end(w, STELE_ECANCELED, NULL);
        step_down(&db->line);
        for (struct sti_docs_waiter *c = all; c != NULL; c = c->next) {
            make_alone(db, c);
        }
        return;
    }
    step_down(&db->line);
    if (made) {
        stele_code rc = sti_docs_write_end(w, STELE_OK, &why);

        end_each(all, rc, &why);
    } else {
        (void)sti_docs_write_end(w, STELE_ECANCELED, NULL);
    }
}

static void lead(stele_docs *db, struct sti_docs_waiter *self)
{
    struct sti_docs_write w = {.db = db};

    self->rc = sti_docs_write_begin(&w, db, &self->err);
    if (self->rc != STELE_OK) {
        step_down(&db->line);
        return;
    }
    self->next = take_some(&db->line, self->size);
    if (self->next != NULL) {
        make_all(&w, self);
        tell(&db->line, self->next);
        return;
    }
    self->rc = self->make(&w, self->arg, &self->err);
    step_down(&db->line);
    self->rc = sti_docs_write_end(&w, self->rc, &self->err);
}

stele_code sti_docs_together(stele_docs *db,
        stele_code (*make)(struct sti_docs_write *w, void *arg, stele_error *err), void *arg,
        size_t size, stele_error *err)
{
    struct sti_docs_line *line = &db->line;
    struct sti_docs_waiter self = {.make = make, .arg = arg, .size = size};
    stele_code rc = sti_cond_init(&self.told, err);
    bool leads;

    if (rc != STELE_OK) {
        return rc;
    }
    sti_mutex_lock(&line->lock);
    leads = !line->led;
    line->led = true;
    if (!leads) {
        line_up_locked(line, &self);
    }
    while (!leads && !self.done) {
        sti_cond_wait(&self.told, &line->lock);
        leads = self.leads;
    }
    sti_mutex_unlock(&line->lock);
    if (leads) {
        lead(db, &self);
    }
    sti_cond_destroy(&self.told);
    if (self.rc != STELE_OK && err != NULL) {
        *err = self.err;
    }
    return self.rc;
}
