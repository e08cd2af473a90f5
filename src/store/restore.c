/* SPDX-License-Identifier: MIT
 *
 * restore.c: a new store of a snapshot.
 *
 * The snapshot is read once. What it holds goes into a generation that is not current, in several
 * transactions without syncs. When the end of the snapshot was reached and verified, all of it is
 * synced, and `current` written: that is the moment. A crash before leaves what the next open, or
 * restore, removes.
 */
#include "base/env.h"
#include "base/error.h"
#include "store/apply.h"
#include "store/claim.h"
#include "store/generation.h"
#include "store/snapshot_read.h"
#include "store/state.h"
#include "store/wal_open.h"

enum {
    PAIRS_AT_ONCE = 1 << 16, /* in a transaction */
    BYTES_AT_ONCE = 8 << 20,
    ROOM_SPARE = 16 << 20, /* of the map, beyond what the bytes take */
    ROOM_FACTOR = 3        /* of pages that a value does not fill */
};

struct restoring {
    stele_store_options options;
    stele_env env;
    const char *path; /* borrowed */
    struct sti_dir dir;
    struct sti_claim claim;
    struct sti_file lock;
    struct sti_generation generation;
    struct sti_lmdb *lmdb;
    struct sti_buckets *buckets;
    struct sti_apply *apply; /* NULL: no transaction is open */
    uint32_t bucket;         /* the present one */
    uint64_t pairs;          /* in the transaction */
    uint64_t bytes;
    bool earlier; /* the transaction has pairs of a bucket that an earlier one made */
};

/* ---- Transactions. ---- */

static stele_code commit(struct restoring *r, stele_error *err)
{
    const struct sti_apply_mark mark = {
            .seq = r->buckets->commit.seq,
            .time = sti_env_now(&r->env),
            .next_bucket = r->bucket + 1,
    };
    struct sti_apply *apply = r->apply;

    r->apply = NULL;
    r->pairs = 0;
    r->bytes = 0;
    r->earlier = false;
    return apply == NULL ? STELE_OK : sti_apply_commit(apply, &mark, err);
}

/* Where only a small map could be had it has to grow, which it cannot in a transaction. */
static stele_code make_room(struct restoring *r, uint64_t bytes, stele_error *err)
{
    uint64_t more = ROOM_FACTOR * (bytes + BYTES_AT_ONCE) + ROOM_SPARE;
    struct sti_lmdb_stat stat;
    struct sti_lmdb_txn *txn;
    uint64_t used;
    stele_code code = sti_lmdb_begin(&txn, r->lmdb, false, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_lmdb_stat(txn, &stat, err);
    sti_lmdb_abort(txn);
    if (code != STELE_OK) {
        return code;
    }
    used = stat.pages * stat.page_size;
    return used + more <= stat.map_size ? STELE_OK : sti_lmdb_resize(r->lmdb, used + 2 * more, err);
}

/* A transaction with room for a pair of so many bytes. */
static stele_code ready(struct restoring *r, uint64_t bytes, stele_error *err)
{
    stele_code code = STELE_OK;

    if (r->pairs >= PAIRS_AT_ONCE || r->bytes + bytes > BYTES_AT_ONCE) {
        code = commit(r, err);
    }
    if (code == STELE_OK && r->apply == NULL) {
        code = make_room(r, bytes, err);
        code = code == STELE_OK ? sti_apply_begin(&r->apply, r->lmdb, r->buckets, err) : code;
    }
    return code;
}

static stele_code on_bucket(void *arg, stele_bytes name, stele_error *err)
{
    struct restoring *r = arg;
    stele_code code = r->earlier ? commit(r, err) : STELE_OK;

    if (code == STELE_OK && r->bucket + 1 >= STI_BUCKET_LIMIT) {
        code = sti_fail(err, STELE_ETOOBIG, "there are too many buckets");
    }
    code = code == STELE_OK ? ready(r, name.len, err) : code;
    code = code == STELE_OK ? sti_apply_create(r->apply, r->bucket + 1, name, err) : code;
    if (code == STELE_OK) {
        r->bucket++;
        r->pairs++;
    }
    return code;
}

static stele_code on_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct restoring *r = arg;
    stele_code code = ready(r, key.len + value.len, err);

    if (code == STELE_OK) {
        r->earlier = r->earlier || r->bucket < r->buckets->commit.next_bucket;
        r->pairs++;
        r->bytes += key.len + value.len;
        code = sti_apply_put(r->apply, r->bucket, key, value, err);
    }
    return code;
}

/* ---- The generation. ---- */

static stele_code open_generation(struct restoring *r, stele_error *err)
{
    const struct sti_lmdb_options options = {.env = &r->env, .no_sync = true};
    struct sti_lmdb_txn *txn = NULL;
    stele_code code =
            sti_generation_open(&r->lmdb, &r->dir, r->generation.number, true, &options, err);

    code = code == STELE_OK ? sti_lmdb_begin(&txn, r->lmdb, false, err) : code;
    if (code == STELE_OK) {
        code = sti_buckets_load(&r->buckets, txn, err);
        sti_lmdb_abort(txn);
    }
    return code;
}

static stele_code fill(struct restoring *r, stele_read_fn read, void *arg,
        stele_store_contents *out, stele_error *err)
{
    const struct sti_snapshot_events events = {r, on_bucket, on_pair};
    stele_code code = sti_generation_make(&r->dir, &r->env, &r->generation, err);

    code = code == STELE_OK ? open_generation(r, err) : code;
    code = code == STELE_OK ? sti_snapshot_read(read, arg, &events, out, err) : code;
    code = code == STELE_OK ? commit(r, err) : code;
    code = code == STELE_OK ? sti_lmdb_sync(r->lmdb, err) : code;
    sti_apply_abort(r->apply);
    sti_buckets_free(r->buckets);
    sti_lmdb_close(r->lmdb);
    r->lmdb = NULL;
    return code;
}

/* Nothing of it may be found again. If it is not sure that `current` is gone, all of it stays: then
 * a whole store is there. */
static void take_back(struct restoring *r, bool named)
{
    if (named && (sti_dir_unlink(&r->dir, "current", NULL, NULL) != STELE_OK ||
                         sti_dir_sync(&r->dir, NULL) != STELE_OK)) {
        return;
    }
    (void)sti_generation_clean(&r->dir, &r->env, 0, NULL, NULL);
}

static stele_code make(struct restoring *r, stele_read_fn read, void *arg,
        stele_store_contents *out, stele_error *err)
{
    bool named = false;
    stele_code code;

    r->generation.number = 1;
    r->generation.store_id = sti_env_random64(&r->env);
    code = sti_generation_clean(&r->dir, &r->env, 0, NULL, err);
    if (code != STELE_OK) {
        return code;
    }
    code = fill(r, read, arg, out, err);
    code = code == STELE_OK ? sti_generation_finish(&r->dir, &r->env, &r->generation, err) : code;
    if (code == STELE_OK) {
        named = true;
        code = sti_current_write(&r->dir, &r->generation, err);
    }
    if (code != STELE_OK) {
        take_back(r, named);
    }
    return code;
}

/* ---- The directory. ---- */

static stele_code is_free(struct restoring *r, stele_error *err)
{
    stele_file_stat stat;
    stele_error why;
    bool there = false;
    stele_code code = sti_dir_stat(&r->dir, "current", &stat, &why);

    if (code == STELE_ENOTFOUND) {
        code = sti_wal_dir_is_there(&r->env, r->path, &there, &why);
    } else if (code == STELE_OK) {
        there = true;
    }
    if (code != STELE_OK && err != NULL) {
        *err = why;
    }
    return there ? sti_fail(err, STELE_EEXIST, "a store is there") : code;
}

static stele_code restore(struct restoring *r, stele_read_fn read, void *arg,
        stele_store_contents *out, stele_error *err)
{
    unsigned flags = r->options.create_dirs ? STELE_OPEN_CREATE : STELE_OPEN_READ;
    stele_code code = sti_dir_open(&r->dir, &r->env, r->path, flags, err);

    code = code == STELE_OK ? sti_claim_take(&r->claim, &r->dir, false, err) : code;
    if (code == STELE_OK) {
        code = sti_lock_take(
                &r->lock, &r->dir, STI_STORE_LOCK_NAME, true, r->options.lock_wait_ms, err);
    }
    code = code == STELE_OK ? is_free(r, err) : code;
    code = code == STELE_OK ? make(r, read, arg, out, err) : code;
    sti_claim_drop(&r->claim, &r->dir);
    sti_file_close(&r->lock);
    sti_dir_close(&r->dir);
    return code;
}

stele_code stele_store_restore(const char *dir, stele_read_fn read, void *arg,
        const stele_store_options *opts, stele_store_contents *out, stele_error *err)
{
    struct restoring r = {.path = dir};
    stele_store_contents total = {.buckets = 0};
    stele_code code;

    if (dir == NULL || read == NULL) {
        return sti_fail(err, STELE_EINVAL, "no directory, or nobody to read from");
    }
    code = sti_store_options_resolve(&r.options, opts, err);
    if (code != STELE_OK) {
        return code;
    }
    sti_env_copy(&r.env, r.options.env);
    code = restore(&r, read, arg, &total, err);
    if (code != STELE_OK) {
        return sti_wrap(err, code, "restore store %s", dir);
    }
    if (out != NULL) {
        *out = total;
    }
    return STELE_OK;
}
