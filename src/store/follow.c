/* SPDX-License-Identifier: MIT
 *
 * follow.c: a handle that only reads goes to another generation when the writer does.
 *
 * Each read that begins looks at which file `current` is. The one that was read last stays open, so
 * that its id is given to no other file: while the id is the same, so is the content.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "store/open.h"

/* Read `current`, and keep it. */
static stele_code read_current(stele_store *s, stele_error *err)
{
    struct sti_file file = {.raw = NULL};
    struct sti_generation now;
    stele_file_stat stat;
    stele_code code = sti_current_open(&file, &s->dir, &now, err);

    code = code == STELE_OK ? sti_file_stat(&file, &stat, err) : code;
    if (code != STELE_OK) {
        sti_file_close(&file);
        return code;
    }
    sti_file_close(&s->current_file);
    s->current_file = file;
    s->current = now;
    atomic_store(&s->current_id, stat.id);
    return STELE_OK;
}

/* Between the look at `current` and the opening of its generation the writer may have gone on. */
static bool has_moved(stele_store *s)
{
    struct sti_generation now;

    return sti_current_read(&s->dir, &now, NULL) == STELE_OK && now.number != s->current.number;
}

stele_code sti_store_open_current(stele_store *s, stele_error *err)
{
    stele_error why = {.code = STELE_OK, .position = -1};
    stele_code code;

    do {
        code = read_current(s, &why);
        code = code == STELE_OK ? sti_store_open_data(s, &why) : code;
    } while (code != STELE_OK && has_moved(s));
    if (code != STELE_OK && err != NULL) {
        *err = why;
    }
    return code;
}

/* The same generation may not be opened twice. */
static stele_code is_another(
        stele_store *s, const struct sti_generation *now, bool *another, stele_error *err)
{
    if (now->store_id != s->current.store_id) {
        return sti_fail(err, STELE_ECORRUPT, "another store has taken its place");
    }
    *another = now->number != s->current.number;
    return STELE_OK;
}

static stele_code move(stele_store *s, stele_error *err)
{
    struct sti_store_data *old = s->data;
    struct sti_store_view *view;
    struct sti_generation now;
    bool another = false;
    stele_code code = sti_current_read(&s->dir, &now, err);

    code = code == STELE_OK ? is_another(s, &now, &another, err) : code;
    if (code != STELE_OK) {
        return code;
    }
    if (!another) {
        return read_current(s, err);
    }
    view = sti_store_view_new(err);
    code = view == NULL ? STELE_ENOMEM : sti_store_open_current(s, err);
    if (code != STELE_OK) {
        /* The next read tries again. */
        s->current.number = old->number;
        atomic_store(&s->current_id, 0);
        sti_free(view);
        return code;
    }
    sti_store_publish(s, view, NULL, NULL, s->buckets->commit.txn_id);
    sti_store_data_retire(s, old);
    return STELE_OK;
}

stele_code sti_store_follow(stele_store *s, stele_error *err)
{
    stele_file_stat stat;
    stele_code code = sti_dir_stat(&s->dir, STI_CURRENT_NAME, &stat, err);

    if (code != STELE_OK || stat.id == atomic_load(&s->current_id)) {
        return code;
    }
    sti_mutex_lock(&s->follow);
    /* Others wait, and find that it was done. */
    code = sti_dir_stat(&s->dir, STI_CURRENT_NAME, &stat, err);
    if (code == STELE_OK && stat.id != atomic_load(&s->current_id)) {
        code = move(s, err);
    }
    sti_mutex_unlock(&s->follow);
    return code;
}
