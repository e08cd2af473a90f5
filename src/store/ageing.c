/* SPDX-License-Identifier: MIT
 *
 * ageing.c: telling about readers that stay too long, about each once.
 *
 * A read of this process is known by the moment when it began in its slot. One of another process
 * by the process and the transaction that it sees. There may be several such, but none is added
 * once they are old, since new reads see the newest transaction: so it is enough to count them.
 */
#include "base/alloc.h"
#include "base/env.h"
#include "store/readers.h"

enum {
    LOOKS = 4, /* while a reader becomes as old as it may be */
    INTERVAL_MIN_MS = 5,
    INTERVAL_MAX_MS = 1000
};

int64_t sti_store_tell_interval(const stele_store *s)
{
    int64_t ms = s->options.reader_age_max_ms / LOOKS;

    if (s->options.reader_age_max_ms == 0 || s->options.reader_old == NULL) {
        return 0;
    }
    ms = ms < INTERVAL_MIN_MS ? INTERVAL_MIN_MS : ms > INTERVAL_MAX_MS ? INTERVAL_MAX_MS : ms;
    return ms * 1000000;
}

static bool is_old(const stele_store *s, const stele_store_reader *r, uint64_t now)
{
    int64_t age = r->age_ms;

    if (age < 0) {
        /* At least as old as our handle. */
        age = (int64_t)((now - s->opened_ns) / 1000000);
    }
    return age > s->options.reader_age_max_ms;
}

static int compare_told(const void *a, const void *b)
{
    const struct sti_store_told *x = a;
    const struct sti_store_told *y = b;

    if (x->pid != y->pid) {
        return x->pid < y->pid ? -1 : 1;
    }
    return x->txn_id < y->txn_id ? -1 : x->txn_id > y->txn_id;
}

static int compare_reader(const void *a, const void *b)
{
    const struct sti_reader *x = a;
    const struct sti_reader *y = b;
    const struct sti_store_told p = {x->reader.pid, x->txn_id};
    const struct sti_store_told q = {y->reader.pid, y->txn_id};

    return compare_told(&p, &q);
}

/* Keep the old ones of the list, sorted. */
static void keep_old(struct sti_readers *r)
{
    uint64_t now = sti_env_monotonic_ns(&r->s->env);
    size_t n = 0;

    for (size_t i = 0; i < r->count; i++) {
        if (is_old(r->s, &r->list[i].reader, now)) {
            r->list[n++] = r->list[i];
        }
    }
    r->count = n;
    if (n > 0) {
        qsort(r->list, n, sizeof *r->list, compare_reader);
    }
}

/* Of those that were told about, what is still there; and *next goes on behind it. */
static bool was_told(const stele_store *s, const struct sti_reader *reader, size_t *next)
{
    const struct sti_store_told key = {reader->reader.pid, reader->txn_id};

    while (*next < s->told_count && compare_told(&s->told[*next], &key) < 0) {
        ++*next;
    }
    return *next < s->told_count && compare_told(&s->told[*next], &key) == 0 && ++*next > 0;
}

/* Leave those in the list that are news, and remember all of other processes. */
static void keep_news(struct sti_readers *r, struct sti_store_told *told)
{
    stele_store *s = r->s;
    size_t told_count = 0;
    size_t next = 0;
    size_t n = 0;

    for (size_t i = 0; i < r->count; i++) {
        struct sti_reader *reader = &r->list[i];
        bool news;

        if (reader->slot != NULL) {
            news = reader->slot->told_ns != reader->began_ns;
            reader->slot->told_ns = reader->began_ns;
        } else {
            news = !was_told(s, reader, &next);
            told[told_count++] = (struct sti_store_told){reader->reader.pid, reader->txn_id};
        }
        if (news) {
            r->list[n++] = *reader;
        }
    }
    r->count = n;
    sti_free(s->told);
    s->told = told;
    s->told_count = told_count;
}

static void tell(struct sti_readers *r)
{
    stele_store *s = r->s;

    if (r->count > 0) {
        (void)sti_readers_measure(r, NULL);
    }
    for (size_t i = 0; i < r->count; i++) {
        s->options.reader_old(s->options.reader_old_arg, &r->list[i].reader);
    }
}

/* What cannot be found out now is the next time. */
static void look(stele_store *s)
{
    struct sti_store_told *told;
    struct sti_readers r;
    uint64_t cleared;

    if (stele_store_clear_stale(s, &cleared, NULL) != STELE_OK) {
        return;
    }
    if (sti_readers_list(&r, s, NULL) == STELE_OK) {
        keep_old(&r);
        told = sti_calloc(r.count + 1, sizeof *told);
        if (told != NULL) {
            keep_news(&r, told);
            tell(&r);
        }
    }
    sti_readers_free(&r);
}

void sti_store_tell_readers(stele_store *s)
{
    bool free;

    if (sti_store_tell_interval(s) == 0) {
        return;
    }
    sti_mutex_lock(&s->write);
    free = !s->telling;
    s->telling = true;
    sti_mutex_unlock(&s->write);
    if (free) {
        look(s);
        sti_mutex_lock(&s->write);
        s->telling = false;
        sti_mutex_unlock(&s->write);
    }
}
