/* SPDX-License-Identifier: MIT
 *
 * lmdb_stat.c: figures of an environment, and its table of readers.
 */
#include "base/error.h"
#include "store/lmdb.h"
#include "store/lmdb_raw.h"

#include <stdlib.h>

enum {
    FREE_TREE = 0 /* LMDB's own list of free pages, which can be read as a tree */
};

stele_code sti_lmdb_stat(struct sti_lmdb_txn *txn, struct sti_lmdb_stat *out, stele_error *err)
{
    MDB_envinfo info;
    MDB_stat data;
    MDB_stat names;
    int rc = mdb_env_info(mdb_txn_env(sti_lmdb_txn_of(txn)), &info);

    if (rc == 0) {
        rc = mdb_stat(
                sti_lmdb_txn_of(txn), sti_lmdb_tree_of(sti_lmdb_txn_of(txn), STI_LMDB_DATA), &data);
    }
    if (rc == 0) {
        rc = mdb_stat(sti_lmdb_txn_of(txn), sti_lmdb_tree_of(sti_lmdb_txn_of(txn), STI_LMDB_NAMES),
                &names);
    }
    if (rc != 0) {
        return sti_lmdb_fail(err, rc, "cannot tell its figures");
    }
    /* The entry of the second tree is no data. */
    out->entries = data.ms_entries - (data.ms_entries == 0 ? 0 : 1);
    out->names = names.ms_entries;
    out->depth = data.ms_depth;
    out->page_size = data.ms_psize;
    out->pages = (uint64_t)info.me_last_pgno + 1;
    out->map_size = info.me_mapsize;
    out->txn_id = info.me_last_txnid;
    return STELE_OK;
}

uint64_t sti_lmdb_size(struct sti_lmdb *env)
{
    MDB_envinfo info;
    MDB_stat stat;

    if (mdb_env_info(env->env, &info) != 0 || mdb_env_stat(env->env, &stat) != 0) {
        return 0;
    }
    return ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
}

stele_code sti_lmdb_free_pages(
        struct sti_lmdb_txn *txn, uint64_t since, uint64_t *pages, stele_error *err)
{
    size_t start = (size_t)since;
    MDB_cursor *cursor = NULL;
    MDB_val k = {.mv_size = sizeof start, .mv_data = &start};
    MDB_val v;
    stele_code code = STELE_OK;
    uint64_t count = 0;
    int rc = mdb_cursor_open(sti_lmdb_txn_of(txn), FREE_TREE, &cursor);

    if (rc != 0) {
        return sti_lmdb_fail(err, rc, "cannot open a cursor");
    }
    rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    while (rc == 0) {
        size_t n = 0;

        /* The list's own length comes first. */
        if (v.mv_size >= sizeof n) {
            memcpy(&n, v.mv_data, sizeof n);
        }
        if (n >= v.mv_size / sizeof n) {
            code = sti_fail(err, STELE_ECORRUPT, "LMDB: a list of free pages is damaged");
            goto out;
        }
        count += n;
        rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    }
    if (rc != MDB_NOTFOUND) {
        code = sti_lmdb_fail(err, rc, "cannot read the list of free pages");
        goto out;
    }
    *pages = count;
out:
    mdb_cursor_close(cursor);
    return code;
}

struct listing {
    stele_code (*each)(void *arg, const struct sti_lmdb_reader *reader, stele_error *err);
    void *arg;
    stele_error *err;
    stele_code code;
};

/* LMDB gives a line of text for each: process, thread in hexadecimal, transaction or "-". Others
 * are headings. */
static int on_reader(const char *line, void *arg)
{
    struct listing *l = arg;
    struct sti_lmdb_reader reader;
    char *end = NULL;

    reader.pid = strtoll(line, &end, 10);
    if (end == line || *end != ' ') {
        return 0;
    }
    line = end;
    (void)strtoull(line, &end, 16);
    if (end == line || *end != ' ') {
        return 0;
    }
    line = end;
    reader.txn_id = strtoull(line, &end, 10);
    reader.active = end != line;
    l->code = l->each(l->arg, &reader, l->err);
    return l->code == STELE_OK ? 0 : -1;
}

stele_code sti_lmdb_readers(struct sti_lmdb *env,
        stele_code (*each)(void *arg, const struct sti_lmdb_reader *reader, stele_error *err),
        void *arg, stele_error *err)
{
    struct listing l = {.each = each, .arg = arg, .err = err, .code = STELE_OK};

    /* Its result is that of on_reader(), or a length. */
    (void)mdb_reader_list(env->env, on_reader, &l);
    return l.code;
}

stele_code sti_lmdb_clear_stale(struct sti_lmdb *env, uint64_t *cleared, stele_error *err)
{
    int dead = 0;
    int rc = mdb_reader_check(env->env, &dead);

    if (rc != 0) {
        return sti_lmdb_fail(err, rc, "cannot look for dead readers");
    }
    *cleared = (uint64_t)dead;
    return STELE_OK;
}
