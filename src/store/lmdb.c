/* SPDX-License-Identifier: MIT
 *
 * lmdb.c: calls of LMDB, and what its results mean.
 */
#include "store/lmdb.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "store/lmdb_raw.h"

#include <errno.h>

#include <lmdb.h>

/* The second tree's entry in the first: behind every key that begins with a number of a bucket. */
#define NAMES_KEY "\xff\xff\xff\xffnames"

enum {
    READERS_DEFAULT = 4096,
    FILE_MODE = 0600,
    TRIES_MAX = 24
};

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

/* What is reserved of the address space. Sanitizers want most of it for themselves. */
#if SIZE_MAX < UINT64_MAX
#define MAP_DEFAULT ((uint64_t)512 << 20)
#elif defined(SANITIZED)
#define MAP_DEFAULT ((uint64_t)64 << 30)
#else
#define MAP_DEFAULT ((uint64_t)1 << 40)
#endif

#define MAP_UNIT STI_LMDB_MAP_UNIT

stele_code sti_lmdb_fail(stele_error *err, int rc, const char *what)
{
    stele_code code;

    if (rc > 0) {
        return sti_fail_errno(err, rc, "LMDB: %s", what);
    }
    switch (rc) {
    case MDB_MAP_FULL:
    case MDB_MAP_RESIZED:
        code = STELE_ETOOBIG;
        break;
    case MDB_TXN_FULL:
        code = STELE_ENOMEM;
        break;
    case MDB_READERS_FULL:
        code = STELE_EBUSY;
        break;
    case MDB_PANIC:
        code = STELE_EFAILED;
        break;
    case MDB_VERSION_MISMATCH:
        code = STELE_EVERSION;
        break;
    case MDB_BAD_VALSIZE:
        code = STELE_EINVAL;
        break;
    case MDB_BAD_TXN:
        code = STELE_ESTATE;
        break;
    default:
        code = STELE_ECORRUPT;
        break;
    }
    return sti_fail(err, code, "LMDB: %s: %s", what, mdb_strerror(rc));
}

static MDB_cursor *cursor_of(const struct sti_lmdb_cursor *cursor)
{
    return (MDB_cursor *)(uintptr_t)cursor;
}

/* LMDB does not write through what it is given here. */
static MDB_val val_of(stele_bytes b)
{
    MDB_val v = {.mv_size = b.len, .mv_data = (void *)(uintptr_t)b.data};

    return v;
}

static stele_bytes bytes_of(const MDB_val *v)
{
    return stele_bytes_of(v->mv_data, v->mv_size);
}

/* ---- Opening. ---- */

static uint32_t readers_of(const struct sti_lmdb_options *options)
{
    return options->readers_max == 0 ? READERS_DEFAULT : options->readers_max;
}

static int open_env(MDB_env **out, const struct sti_lmdb_options *options, uint64_t map_size)
{
    unsigned flags =
            MDB_NOTLS | (options->read_only ? MDB_RDONLY : 0) | (options->no_sync ? MDB_NOSYNC : 0);
    MDB_env *env = NULL;
    int rc = mdb_env_create(&env);

    if (rc != 0) {
        return rc;
    }
    flags |= STI_MUTANT(STORE_META_NOT_SYNCED) ? MDB_NOMETASYNC : 0;
    rc = mdb_env_set_maxdbs(env, 1);
    if (rc == 0) {
        rc = mdb_env_set_maxreaders(env, readers_of(options));
    }
    if (rc == 0) {
        rc = mdb_env_set_mapsize(env, (size_t)map_size);
    }
    if (rc == 0) {
        rc = mdb_env_open(env, options->path, flags, FILE_MODE);
    }
    if (rc != 0) {
        mdb_env_close(env);
        return rc;
    }
    *out = env;
    return 0;
}

/* Reserve what is wanted; or, where the process may not have so much, half of the largest power of
 * two that it can have, so that something is left for everything else. LMDB raises it to what the
 * file needs. */
static int open_reserved(MDB_env **out, const struct sti_lmdb_options *options)
{
    uint64_t size = options->map_hint > MAP_DEFAULT ? options->map_hint : MAP_DEFAULT;
    MDB_env *env = NULL;
    int rc;

    size = size > SIZE_MAX - MAP_UNIT ? SIZE_MAX - MAP_UNIT : size;
    size = (size + MAP_UNIT - 1) / MAP_UNIT * MAP_UNIT;
    rc = open_env(&env, options, size);
    if (rc != ENOMEM) {
        *out = env;
        return rc;
    }
    for (int i = 0; rc == ENOMEM && i < TRIES_MAX && size > MAP_UNIT; i++) {
        size = size / 2 / MAP_UNIT * MAP_UNIT;
        rc = open_env(&env, options, size);
    }
    if (rc == 0 && size > MAP_UNIT) {
        mdb_env_close(env);
        env = NULL;
        rc = open_env(&env, options, size / 2 / MAP_UNIT * MAP_UNIT);
    }
    *out = env;
    return rc;
}

static stele_code find_trees(struct sti_lmdb *env, MDB_txn *txn, unsigned flags, stele_error *err)
{
    int rc = mdb_dbi_open(txn, NULL, 0, &env->trees[STI_LMDB_DATA]);

    if (rc == 0) {
        rc = mdb_dbi_open(txn, NAMES_KEY, flags, &env->trees[STI_LMDB_NAMES]);
    }
    if (rc != 0) {
        return rc == MDB_NOTFOUND ? sti_fail(err, STELE_ECORRUPT, "LMDB: a tree is missing")
                                  : sti_lmdb_fail(err, rc, "cannot open its trees");
    }
    return STELE_OK;
}

stele_code sti_lmdb_trees(struct sti_lmdb *env, struct sti_lmdb_txn *txn, stele_error *err)
{
    return find_trees(env, sti_lmdb_txn_of(txn), 0, err);
}

stele_code sti_lmdb_make_tree(
        struct sti_lmdb *env, struct sti_lmdb_txn *txn, enum sti_lmdb_tree tree, stele_error *err)
{
    const char *name = tree == STI_LMDB_DATA ? NULL : NAMES_KEY;
    int rc = mdb_dbi_open(
            sti_lmdb_txn_of(txn), name, name == NULL ? 0 : MDB_CREATE, &env->trees[tree]);

    return rc == 0 ? STELE_OK : sti_lmdb_fail(err, rc, "cannot make a tree");
}

static stele_code open_trees(struct sti_lmdb *env, bool create, stele_error *err)
{
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(env->env, NULL, create ? 0 : MDB_RDONLY, &txn);
    stele_code code;

    if (rc != 0) {
        return sti_lmdb_fail(err, rc, "cannot begin");
    }
    code = find_trees(env, txn, create ? MDB_CREATE : 0, err);
    if (code != STELE_OK) {
        mdb_txn_abort(txn);
        return code;
    }
    rc = mdb_txn_commit(txn);
    return rc == 0 ? STELE_OK : sti_lmdb_fail(err, rc, "cannot commit");
}

stele_code sti_lmdb_open(
        struct sti_lmdb **out, const struct sti_lmdb_options *options, stele_error *err)
{
    struct sti_lmdb *env = sti_calloc(1, sizeof *env);
    stele_code code;
    int rc;

    if (env == NULL) {
        return sti_fail_memory(err, sizeof *env);
    }
    code = sti_dir_open(&env->dir, options->env, options->path, STELE_OPEN_READ, err);
    if (code == STELE_OK && !options->read_only) {
        code = sti_lmdb_reserve_readers(&env->dir, readers_of(options), err);
    }
    if (code != STELE_OK) {
        goto out;
    }
    rc = open_reserved(&env->env, options);
    if (rc != 0) {
        code = sti_lmdb_fail(err, rc, "cannot open its files");
        goto out;
    }
    rc = mdb_env_set_userctx(env->env, env);
    if (rc != 0) {
        code = sti_lmdb_fail(err, rc, "cannot keep a pointer");
        goto out;
    }
    if (!options->later) {
        code = open_trees(env, options->create, err);
    }
out:
    if (code != STELE_OK) {
        sti_lmdb_close(env);
        return code;
    }
    *out = env;
    return STELE_OK;
}

void sti_lmdb_close(struct sti_lmdb *env)
{
    if (env != NULL) {
        if (env->env != NULL) {
            mdb_env_close(env->env);
        }
        sti_dir_close(&env->dir);
        sti_free(env);
    }
}

stele_code sti_lmdb_sync(struct sti_lmdb *env, stele_error *err)
{
    int rc = mdb_env_sync(env->env, 1);

    return rc == 0 ? STELE_OK : sti_lmdb_fail(err, rc, "cannot sync");
}

stele_code sti_lmdb_set_sync(struct sti_lmdb *env, bool on, stele_error *err)
{
    int rc = mdb_env_set_flags(env->env, MDB_NOSYNC, on ? 0 : 1);

    return rc == 0 ? STELE_OK : sti_lmdb_fail(err, rc, "cannot change how it syncs");
}

/* ---- Transactions. ---- */

stele_code sti_lmdb_begin(
        struct sti_lmdb_txn **out, struct sti_lmdb *env, bool write, stele_error *err)
{
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(env->env, NULL, write ? 0 : MDB_RDONLY, &txn);

    if (rc != 0) {
        return sti_lmdb_fail(err, rc, "cannot begin");
    }
    *out = (struct sti_lmdb_txn *)txn;
    return STELE_OK;
}

stele_code sti_lmdb_commit(struct sti_lmdb_txn *txn, stele_error *err)
{
    struct sti_lmdb *env = mdb_env_get_userctx(mdb_txn_env(sti_lmdb_txn_of(txn)));
    int rc = mdb_txn_commit(sti_lmdb_txn_of(txn));

    if (rc == EIO && sti_lmdb_is_full(&env->dir)) {
        rc = ENOSPC;
    }
    return rc == 0 ? STELE_OK : sti_lmdb_fail(err, rc, "cannot commit");
}

void sti_lmdb_abort(struct sti_lmdb_txn *txn)
{
    if (txn != NULL) {
        mdb_txn_abort(sti_lmdb_txn_of(txn));
    }
}

void sti_lmdb_reset(struct sti_lmdb_txn *txn)
{
    mdb_txn_reset(sti_lmdb_txn_of(txn));
}

stele_code sti_lmdb_renew(struct sti_lmdb_txn *txn, stele_error *err)
{
    int rc = mdb_txn_renew(sti_lmdb_txn_of(txn));

    return rc == 0 ? STELE_OK : sti_lmdb_fail(err, rc, "cannot begin again");
}

uint64_t sti_lmdb_txn_id(const struct sti_lmdb_txn *txn)
{
    return mdb_txn_id(sti_lmdb_txn_of(txn));
}

/* ---- Entries. ---- */

stele_code sti_lmdb_get(struct sti_lmdb_txn *txn, enum sti_lmdb_tree tree, stele_bytes key,
        stele_bytes *value, stele_error *err)
{
    MDB_val k = val_of(key);
    MDB_val v;
    int rc = mdb_get(sti_lmdb_txn_of(txn), sti_lmdb_tree_of(sti_lmdb_txn_of(txn), tree), &k, &v);

    if (rc != 0) {
        return rc == MDB_NOTFOUND ? STELE_ENOTFOUND
                                  : sti_lmdb_fail(err, rc, "cannot read an entry");
    }
    *value = bytes_of(&v);
    return STELE_OK;
}

stele_code sti_lmdb_put(struct sti_lmdb_txn *txn, enum sti_lmdb_tree tree, stele_bytes key,
        stele_bytes value, stele_error *err)
{
    MDB_val k = val_of(key);
    MDB_val v = val_of(value);
    int rc = mdb_put(sti_lmdb_txn_of(txn), sti_lmdb_tree_of(sti_lmdb_txn_of(txn), tree), &k, &v, 0);

    return rc == 0 ? STELE_OK : sti_lmdb_fail(err, rc, "cannot write an entry");
}

stele_code sti_lmdb_delete(
        struct sti_lmdb_txn *txn, enum sti_lmdb_tree tree, stele_bytes key, stele_error *err)
{
    MDB_val k = val_of(key);
    int rc = mdb_del(sti_lmdb_txn_of(txn), sti_lmdb_tree_of(sti_lmdb_txn_of(txn), tree), &k, NULL);

    if (rc != 0) {
        return rc == MDB_NOTFOUND ? STELE_ENOTFOUND
                                  : sti_lmdb_fail(err, rc, "cannot delete an entry");
    }
    return STELE_OK;
}

stele_code sti_lmdb_cursor_open(struct sti_lmdb_cursor **out, struct sti_lmdb_txn *txn,
        enum sti_lmdb_tree tree, stele_error *err)
{
    MDB_cursor *cursor = NULL;
    int rc = mdb_cursor_open(
            sti_lmdb_txn_of(txn), sti_lmdb_tree_of(sti_lmdb_txn_of(txn), tree), &cursor);

    if (rc != 0) {
        return sti_lmdb_fail(err, rc, "cannot open a cursor");
    }
    *out = (struct sti_lmdb_cursor *)cursor;
    return STELE_OK;
}

stele_code sti_lmdb_cursor_renew(
        struct sti_lmdb_cursor *cursor, struct sti_lmdb_txn *txn, stele_error *err)
{
    int rc = mdb_cursor_renew(sti_lmdb_txn_of(txn), cursor_of(cursor));

    return rc == 0 ? STELE_OK : sti_lmdb_fail(err, rc, "cannot use a cursor again");
}

void sti_lmdb_cursor_close(struct sti_lmdb_cursor *cursor)
{
    if (cursor != NULL) {
        mdb_cursor_close(cursor_of(cursor));
    }
}

stele_code sti_lmdb_cursor_move(struct sti_lmdb_cursor *cursor, enum sti_lmdb_move move,
        stele_bytes *key, stele_bytes *value, stele_error *err)
{
    static const MDB_cursor_op ops[] = {
            [STI_LMDB_FIRST] = MDB_FIRST,
            [STI_LMDB_LAST] = MDB_LAST,
            [STI_LMDB_NEXT] = MDB_NEXT,
            [STI_LMDB_PREV] = MDB_PREV,
            [STI_LMDB_AT] = MDB_SET_KEY,
            [STI_LMDB_FROM] = MDB_SET_RANGE,
    };
    MDB_val k = val_of(*key);
    MDB_val v;
    int rc = mdb_cursor_get(cursor_of(cursor), &k, &v, ops[move]);

    if (rc != 0) {
        return rc == MDB_NOTFOUND ? STELE_END : sti_lmdb_fail(err, rc, "cannot move a cursor");
    }
    *key = bytes_of(&k);
    *value = bytes_of(&v);
    return STELE_OK;
}

stele_code sti_lmdb_cursor_reserve(struct sti_lmdb_cursor *cursor, enum sti_lmdb_put how,
        stele_bytes key, size_t len, uint8_t **room, stele_bytes *old, stele_error *err)
{
    static const unsigned flags[] = {
            [STI_LMDB_NEW] = MDB_RESERVE | MDB_NOOVERWRITE,
            [STI_LMDB_REPLACE] = MDB_RESERVE | MDB_CURRENT,
            [STI_LMDB_APPEND] = MDB_RESERVE | MDB_APPEND,
    };
    MDB_val k = val_of(key);
    MDB_val v = {.mv_size = len, .mv_data = NULL};
    int rc = mdb_cursor_put(cursor_of(cursor), &k, &v, flags[how]);

    if (rc == MDB_KEYEXIST && how == STI_LMDB_NEW) {
        *old = bytes_of(&v);
        return STELE_EEXIST;
    }
    if (rc == MDB_KEYEXIST) {
        return sti_fail(err, STELE_ECORRUPT, "LMDB: a key is not greater than the last one");
    }
    if (rc != 0) {
        return sti_lmdb_fail(err, rc, "cannot write an entry");
    }
    *room = v.mv_data;
    return STELE_OK;
}

stele_code sti_lmdb_cursor_delete(struct sti_lmdb_cursor *cursor, stele_error *err)
{
    int rc = mdb_cursor_del(cursor_of(cursor), 0);

    return rc == 0 ? STELE_OK : sti_lmdb_fail(err, rc, "cannot delete an entry");
}
