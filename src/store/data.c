/* SPDX-License-Identifier: MIT
 *
 * data.c: open generations. One is current; the others are old, and closed with the last that uses
 * them.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "store/state.h"

stele_code sti_store_data_open(struct sti_store_data **out, stele_store *s, uint64_t number,
        bool temporary, stele_error *err)
{
    const struct sti_lmdb_options options = {
            .env = &s->env,
            .read_only = s->options.read_only,
            /* What has no name yet need not survive anything. */
            .no_sync = s->options.no_sync || temporary || STI_MUTANT(STORE_COMMIT_NOT_SYNCED),
            .later = temporary,
            .map_hint = s->options.map_size,
            .readers_max = s->options.readers_max,
    };
    struct sti_store_data *d = sti_calloc(1, sizeof *d);
    stele_code code;

    if (d == NULL) {
        return sti_fail_memory(err, sizeof *d);
    }
    d->number = number;
    code = sti_generation_open(&d->lmdb, &s->dir, number, temporary, &options, err);
    if (code != STELE_OK) {
        sti_free(d);
        return code;
    }
    *out = d;
    return STELE_OK;
}

void sti_store_data_close(struct sti_store_data *d)
{
    if (d != NULL) {
        sti_lmdb_close(d->lmdb);
        sti_free(d);
    }
}

/* What cannot be removed is by the next open that writes. */
static void close_old(stele_store *s, struct sti_store_data *d)
{
    uint64_t number = d->number;

    sti_store_data_close(d);
    if (!s->options.read_only) {
        (void)sti_generation_retire(&s->dir, &s->env, number, NULL);
    }
}

struct sti_store_data *sti_store_data_use(stele_store *s)
{
    struct sti_store_data *d;

    sti_mutex_lock(&s->reads);
    d = atomic_load(&s->view)->data;
    d->users++;
    sti_mutex_unlock(&s->reads);
    return d;
}

void sti_store_data_leave(stele_store *s, struct sti_store_data *d)
{
    sti_mutex_lock(&s->reads);
    d->users--;
    sti_mutex_unlock(&s->reads);
}

void sti_store_data_retire(stele_store *s, struct sti_store_data *d)
{
    uint64_t size = sti_lmdb_size(d->lmdb);

    sti_mutex_lock(&s->reads);
    d->size = size;
    d->next = s->old;
    s->old = d;
    atomic_store(&s->has_old, true);
    sti_mutex_unlock(&s->reads);
    (void)sti_store_reclaim(s);
}

bool sti_store_data_reclaim(stele_store *s)
{
    struct sti_store_data *taken = NULL;
    struct sti_store_data **at;
    bool left;

    sti_store_leave_old(s);
    sti_mutex_lock(&s->reads);
    for (at = &s->old; *at != NULL;) {
        struct sti_store_data *d = *at;

        if (d->users > 0 && !STI_MUTANT(STORE_DEFRAG_READS_LEFT)) {
            at = &d->next;
            continue;
        }
        *at = d->next;
        d->next = taken;
        taken = d;
    }
    left = s->old != NULL;
    atomic_store(&s->has_old, left);
    sti_mutex_unlock(&s->reads);
    while (taken != NULL) {
        struct sti_store_data *next = taken->next;

        close_old(s, taken);
        taken = next;
    }
    return left;
}

void sti_store_data_close_all(stele_store *s)
{
    if (atomic_load(&s->has_old)) {
        (void)sti_store_data_reclaim(s);
    }
    sti_store_data_close(s->data);
    s->data = NULL;
}
