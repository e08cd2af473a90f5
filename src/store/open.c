/* SPDX-License-Identifier: MIT
 *
 * open.c: opening and closing a store.
 */
#include "store/open.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "store/commit_apply.h"
#include "store/wal_open.h"

/* ---- The handle. ---- */

static stele_code init_locks(stele_store *s, stele_error *err)
{
    stele_code code = sti_mutex_init(&s->write, STI_RANK_STORE_WRITE, err);

    code = code == STELE_OK ? sti_mutex_init(&s->follow, STI_RANK_STORE_FOLLOW, err) : code;
    code = code == STELE_OK ? sti_mutex_init(&s->reads, STI_RANK_STORE_READS, err) : code;
    code = code == STELE_OK ? sti_cond_init(&s->writable, err) : code;
    code = code == STELE_OK ? sti_cond_init(&s->wake, err) : code;
    code = code == STELE_OK ? sti_cond_init(&s->done, err) : code;
    return code == STELE_OK ? sti_cond_init(&s->drained, err) : code;
}

static stele_store *new_handle(const char *path, const stele_store_options *opts, stele_error *err)
{
    stele_store *s = sti_calloc(1, sizeof *s);

    if (s == NULL) {
        (void)sti_fail_memory(err, sizeof *s);
        return NULL;
    }
    if (init_locks(s, err) != STELE_OK) {
        sti_free(s);
        return NULL;
    }
    s->options = *opts;
    sti_env_copy(&s->env, opts->env);
    s->options.env = &s->env;
    s->path = sti_strdup(path);
    s->slots = sti_calloc(opts->readers_max, sizeof *s->slots);
    s->attempts.code = STELE_OK;
    if (s->path == NULL || s->slots == NULL) {
        sti_store_free(s);
        (void)sti_fail_memory(err, strlen(path));
        return NULL;
    }
    return s;
}

void sti_store_free(stele_store *s)
{
    sti_store_free_views(s);
    sti_store_free_slots(s);
    sti_buckets_free(s->buckets);
    sti_store_data_close_all(s);
    sti_claim_drop(&s->claim, &s->dir);
    sti_file_close(&s->current_file);
    sti_file_close(&s->lock);
    sti_dir_close(&s->dir);
    sti_dir_close(&s->parent);
    sti_cond_destroy(&s->drained);
    sti_cond_destroy(&s->done);
    sti_cond_destroy(&s->wake);
    sti_cond_destroy(&s->writable);
    sti_mutex_destroy(&s->reads);
    sti_mutex_destroy(&s->write);
    sti_mutex_destroy(&s->follow);
    sti_free(s->told);
    sti_free(s->record);
    sti_free(s->path);
    sti_free(s);
}

/* ---- The directory. ---- */

static stele_code take_locks(stele_store *s, stele_error *err)
{
    stele_code code = sti_claim_take(&s->claim, &s->dir, s->options.read_only, err);

    if (code == STELE_OK && !s->options.read_only) {
        code = sti_lock_take(
                &s->lock, &s->dir, STI_STORE_LOCK_NAME, true, s->options.lock_wait_ms, err);
        code = code == STELE_OK ? sti_claim_remove_dead(&s->claim, &s->dir, err) : code;
    }
    return code;
}

/* `current` is written last but for the directory of the wal: where that is, it was there. */
static stele_code create(stele_store *s, stele_error *err)
{
    bool there = false;
    stele_code code = sti_store_wal_has_dir(s, &there, err);

    if (code != STELE_OK) {
        return code;
    }
    if (there) {
        return sti_fail(err, STELE_ECORRUPT, "the file current is missing");
    }
    s->current.number = 1;
    s->current.store_id = sti_env_random64(&s->env);
    code = sti_generation_clean(&s->dir, &s->env, 0, NULL, err);
    if (code == STELE_OK && STI_MUTANT(STORE_CURRENT_FIRST)) {
        code = sti_current_write(&s->dir, &s->current, err);
    }
    code = code == STELE_OK ? sti_generation_make(&s->dir, &s->env, &s->current, err) : code;
    code = code == STELE_OK ? sti_generation_finish(&s->dir, &s->env, &s->current, err) : code;
    if (code == STELE_OK) {
        code = sti_current_write(&s->dir, &s->current, err);
        if (code != STELE_OK && !STI_MUTANT(STORE_CURRENT_KEPT)) {
            /* A name whose sync failed is one that nobody may build upon. */
            (void)sti_dir_unlink(&s->dir, STI_CURRENT_NAME, NULL, NULL);
        }
    }
    return code;
}

/* Where there is another generation, a swap was not finished: if a sync of the directory failed,
 * what current says may be gone after a power cut, and then the other one must be there. So it is
 * said once more before that one goes. */
static stele_code say_current_again(stele_store *s, stele_error *err)
{
    bool others = false;
    stele_code code = sti_generation_others(&s->dir, s->current.number, &others, err);

    return code == STELE_OK && others && !STI_MUTANT(STORE_CURRENT_NOT_SAID_AGAIN)
                   ? sti_current_write(&s->dir, &s->current, err)
                   : code;
}

static stele_code find_current(stele_store *s, stele_error *err)
{
    stele_error why;
    stele_code code = sti_current_read(&s->dir, &s->current, &why);

    if (code == STELE_ENOTFOUND && (s->options.read_only || s->options.must_exist)) {
        bool there = false;

        if (sti_store_wal_has_dir(s, &there, NULL) == STELE_OK && there) {
            return sti_fail(err, STELE_ECORRUPT, "the file current is missing");
        }
        return sti_fail(err, code, "there is no store");
    }
    if (code == STELE_ENOTFOUND) {
        return create(s, err);
    }
    if (code != STELE_OK && err != NULL) {
        *err = why;
    }
    if (code == STELE_OK && !s->options.read_only) {
        code = say_current_again(s, err);
    }
    if (code == STELE_OK && !s->options.read_only) {
        code = sti_generation_clean(&s->dir, &s->env, s->current.number, NULL, err);
    }
    if (code == STELE_OK && !s->options.read_only && !s->options.no_sync &&
            !STI_MUTANT(STORE_NAMES_NOT_SYNCED)) {
        /* A process that died may have made its names, and that of the wal, and not synced them. */
        code = sti_dir_sync(&s->dir, err);
    }
    return code;
}

/* ---- The data. ---- */

static stele_code check_record(
        const stele_store *s, const struct sti_buckets *buckets, stele_error *err)
{
    const struct sti_commit_record *r = &buckets->commit;

    if (r->store_id != s->current.store_id || r->generation != s->current.number) {
        return sti_fail(err, STELE_ECORRUPT, "the data is that of another store or generation");
    }
    return STELE_OK;
}

static stele_code load_buckets(
        stele_store *s, struct sti_lmdb *lmdb, struct sti_buckets **out, stele_error *err)
{
    struct sti_lmdb_txn *txn = NULL;
    stele_code code = STELE_OK;

    if (!s->options.read_only && !s->options.no_sync && !STI_MUTANT(STORE_OPEN_NOT_SYNCED)) {
        /* What a process that died was about to sync is taken for committed from here on. */
        code = sti_lmdb_sync(lmdb, err);
    }
    code = code == STELE_OK ? sti_lmdb_begin(&txn, lmdb, false, err) : code;
    if (code != STELE_OK) {
        return code;
    }
    code = sti_buckets_load(out, txn, err);
    sti_lmdb_abort(txn);
    return code == STELE_OK ? check_record(s, *out, err) : code;
}

stele_code sti_store_open_data(stele_store *s, stele_error *err)
{
    struct sti_store_data *data = NULL;
    struct sti_buckets *buckets = NULL;
    stele_code code = sti_store_data_open(&data, s, s->current.number, false, err);

    code = code == STELE_OK ? load_buckets(s, data->lmdb, &buckets, err) : code;
    if (code != STELE_OK) {
        sti_buckets_free(buckets);
        sti_store_data_close(data);
        return code;
    }
    sti_buckets_free(s->buckets);
    s->buckets = buckets;
    s->data = data;
    return STELE_OK;
}

/* The first view: the commit, and what the wal has beyond it. */
static stele_code begin_state(stele_store *s, stele_error *err)
{
    struct sti_store_view *view;
    stele_code code = STELE_OK;

    s->committed = s->buckets->commit.seq;
    s->opened_txn_id = s->buckets->commit.txn_id;
    s->opened_ns = sti_env_monotonic_ns(&s->env);
    s->next_bucket = s->buckets->commit.next_bucket;
    atomic_store(&s->visible, s->committed);
    if (!s->options.read_only) {
        s->active = sti_store_table_new(err);
        code = s->active == NULL ? STELE_ENOMEM : STELE_OK;
    }
    if (code != STELE_OK) {
        return code;
    }
    view = sti_store_view_new(err);
    if (view == NULL) {
        sti_free(s->active);
        return STELE_ENOMEM;
    }
    sti_store_publish(s, view, s->active, NULL, s->buckets->commit.txn_id);
    if (!s->options.read_only) {
        code = sti_store_replay(s, err);
        code = code == STELE_OK ? sti_commit_look_for_garbage(s, err) : code;
    }
    return code == STELE_OK ? sti_store_work_start(s, err) : code;
}

static stele_code open_all(stele_store *s, stele_error *err)
{
    bool create_dirs = s->options.create_dirs && !s->options.read_only && !s->options.must_exist;
    stele_code code = sti_dir_open(
            &s->dir, &s->env, s->path, create_dirs ? STELE_OPEN_CREATE : STELE_OPEN_READ, err);

    code = code == STELE_OK ? take_locks(s, err) : code;
    code = code == STELE_OK ? find_current(s, err) : code;
    if (code == STELE_OK) {
        code = s->options.read_only ? sti_store_open_current(s, err) : sti_store_open_data(s, err);
    }
    return code == STELE_OK ? begin_state(s, err) : code;
}

stele_code stele_store_open(
        stele_store **out, const char *dir, const stele_store_options *opts, stele_error *err)
{
    stele_store_options options;
    stele_store *s = NULL;
    stele_code code;

    if (out == NULL || dir == NULL) {
        return sti_fail(err, STELE_EINVAL, "no directory, or no place for the store");
    }
    code = sti_store_options_resolve(&options, opts, err);
    if (code != STELE_OK) {
        return code;
    }
    s = new_handle(dir, &options, err);
    if (s == NULL) {
        return STELE_ENOMEM; /* of memory, or of what a lock takes */
    }
    code = open_all(s, err);
    if (code != STELE_OK) {
        (void)stele_wal_close(atomic_load(&s->wal), NULL);
        sti_store_free(s);
        return sti_wrap(err, code, "open store %s", dir);
    }
    *out = s;
    return STELE_OK;
}

/* ---- Close. ---- */

/* What waits is committed, or lost. */
static stele_code commit_last(stele_store *s, stele_error *err)
{
    uint64_t visible = atomic_load(&s->visible);
    stele_code code;

    if (s->options.read_only || STI_MUTANT(STORE_CLOSE_DROPS) ||
            (s->committed >= visible && atomic_load(&s->failed) == STELE_OK)) {
        return STELE_OK;
    }
    code = sti_store_commit_upto(s, visible, false, err);
    if (code != STELE_OK && code != STELE_EFAILED) {
        code = sti_wrap(err, code, "batches after number %llu, up to %llu, are not committed",
                (unsigned long long)s->committed, (unsigned long long)visible);
    }
    return code;
}

static stele_code close_wal(stele_store *s, stele_error *err)
{
    stele_wal *wal = atomic_load(&s->wal);
    stele_code code = STELE_OK;

    if (wal == NULL) {
        return STELE_OK;
    }
    if (atomic_load(&s->failed) == STELE_OK && s->committed >= atomic_load(&s->visible)) {
        code = stele_wal_trim(wal, s->buckets->commit.wal_id, err);
    }
    if (code == STELE_OK) {
        return stele_wal_close(wal, err);
    }
    (void)stele_wal_close(wal, NULL);
    return code;
}

/* A commit that is under way may read, too: it is let through first. */
static bool is_used(stele_store *s)
{
    bool used;

    sti_mutex_lock(&s->write);
    while (s->committing && !s->batch_open) {
        sti_cond_wait(&s->done, &s->write);
    }
    used = s->batch_open || s->defragging;
    sti_mutex_unlock(&s->write);
    return used || sti_store_reads_open(s) > 0;
}

stele_code stele_store_close(stele_store *s, stele_error *err)
{
    stele_code code;
    stele_code wal_code;

    if (s == NULL) {
        return STELE_OK;
    }
    if (is_used(s)) {
        return sti_fail(err, STELE_ESTATE,
                "close store %s: a batch or a read is open, or it is defragmented", s->path);
    }
    sti_store_work_stop(s);
    code = commit_last(s, err);
    wal_code = close_wal(s, code == STELE_OK ? err : NULL);
    code = code == STELE_OK ? wal_code : code;
    if (code != STELE_OK) {
        code = sti_wrap(err, code, "close store %s", s->path);
    }
    if (s->temporary_name[0] != '\0') {
        stele_code removed = sti_store_remove_temporary(s, code == STELE_OK ? err : NULL);

        code = code == STELE_OK ? removed : code;
    }
    sti_store_free(s);
    return code;
}

const char *stele_store_dir(const stele_store *s)
{
    return s == NULL ? "" : s->path;
}

bool stele_store_is_read_only(const stele_store *s)
{
    return s != NULL && s->options.read_only;
}
