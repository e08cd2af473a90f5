/* SPDX-License-Identifier: MIT
 *
 * lmdb_raw.h: what lmdb.c and lmdb_stat.c share: the one place that includes LMDB's header.
 */
#ifndef STI_STORE_LMDB_RAW_H
#define STI_STORE_LMDB_RAW_H

#include "store/lmdb.h"
#include "vfs/vfs.h"

#include <lmdb.h>

#define STI_LMDB_MAP_UNIT ((uint64_t)64 << 10) /* a multiple of every page size */

struct sti_lmdb {
    MDB_env *env;
    struct sti_dir dir; /* stays the same when it is renamed */
    MDB_dbi trees[2];
};

/* ---- lmdb_room.c ---- */

/* Reserve the blocks of the table of readers, which is made if it is not there. */
stele_code sti_lmdb_reserve_readers(struct sti_dir *dir, uint32_t readers_max, stele_error *err);

/* Whether it can be seen that the disk is full. */
bool sti_lmdb_is_full(struct sti_dir *dir);

/* ---- lmdb.c ---- */

/* The error that a result other than 0 stands for. */
stele_code sti_lmdb_fail(stele_error *err, int rc, const char *what);

static inline MDB_txn *sti_lmdb_txn_of(const struct sti_lmdb_txn *txn)
{
    return (MDB_txn *)(uintptr_t)txn;
}

static inline MDB_dbi sti_lmdb_tree_of(MDB_txn *txn, enum sti_lmdb_tree tree)
{
    const struct sti_lmdb *env = mdb_env_get_userctx(mdb_txn_env(txn));

    return env->trees[tree];
}

#endif /* STI_STORE_LMDB_RAW_H */
