/* SPDX-License-Identifier: MIT
 *
 * store_files.c: whether the files of a store that is closed are whole: pages, entries, and what
 * the records of the buckets say of these.
 */
#include "crash/store_run.h"
#include "store/buckets.h"
#include "store/generation.h"
#include "store/pages.h"
#include "store/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- Pages. ---- */

static void on_fault(void *arg, int64_t position, const char *text)
{
    struct store_why *why = arg;

    (void)store_wrong(why, "page at %" PRId64 ": %s", position, text);
}

static bool check_pages(const char *root, uint64_t number, struct store_why *why)
{
    struct sti_pages_found found = {0};
    struct sti_dir dir = {.raw = NULL};
    char path[DISK_PATH_SIZE + 32];
    uint64_t txn_id = 0;
    stele_error err = {.code = STELE_OK};
    stele_code code;

    (void)snprintf(path, sizeof path, "%s/gen-%" PRIu64, root, number);
    code = sti_dir_open(&dir, NULL, path, STELE_OPEN_READ, &err);
    code = code == STELE_OK ? sti_pages_newest(&dir, &txn_id, &err) : code;
    code = code == STELE_OK ? sti_pages_check(&dir, txn_id, on_fault, why, &found, &err) : code;
    sti_dir_close(&dir);
    if (code != STELE_OK) {
        return store_wrong(why, "pages: %s", err.message);
    }
    return found.faults == 0;
}

/* ---- Entries. ---- */

struct entries {
    struct sti_lmdb_cursor *raw;
    struct store_why *why;
    bool ok;
};

static stele_code add_entries(struct sti_tree_cursor *at, struct sti_bucket *sum, stele_error *err)
{
    stele_code code;

    while ((code = sti_tree_next(at, err)) == STELE_OK) {
        struct sti_value_mark mark;
        stele_bytes value;

        code = sti_tree_value(at, &value, err);
        code = code == STELE_OK ? sti_value_mark(&mark, at->stored, err) : code;
        if (code != STELE_OK) {
            return code;
        }
        sum->keys++;
        sum->bytes += at->key.len + value.len;
        sum->hash += sti_value_hash(&mark);
    }
    return code == STELE_END ? STELE_OK : code;
}

static stele_code on_bucket(
        void *arg, stele_bytes name, const struct sti_bucket *bucket, stele_error *err)
{
    struct entries *e = arg;
    struct sti_bucket sum = {.number = bucket->number};
    struct sti_tree_cursor at;
    stele_code code;

    sti_tree_cursor_init(&at, e->raw, bucket->number);
    code = add_entries(&at, &sum, err);
    sti_tree_cursor_free(&at);
    if (code == STELE_OK &&
            (sum.keys != bucket->keys || sum.bytes != bucket->bytes || sum.hash != bucket->hash)) {
        e->ok = store_wrong(e->why,
                "the record of bucket %.*s has %" PRIu64 " keys, %" PRIu64 " bytes, hash %" PRIx64
                "; its entries %" PRIu64 ", %" PRIu64 ", %" PRIx64,
                (int)name.len, (const char *)name.data, bucket->keys, bucket->bytes, bucket->hash,
                sum.keys, sum.bytes, sum.hash);
    }
    return code;
}

static bool check_entries(struct sti_dir *dir, uint64_t number, struct store_why *why)
{
    const struct sti_lmdb_options options = {.read_only = true};
    struct entries e = {.why = why, .ok = true};
    struct sti_lmdb *lmdb = NULL;
    struct sti_lmdb_txn *txn = NULL;
    stele_error err = {.code = STELE_OK};
    stele_code code = sti_generation_open(&lmdb, dir, number, false, &options, &err);

    code = code == STELE_OK ? sti_lmdb_begin(&txn, lmdb, false, &err) : code;
    code = code == STELE_OK ? sti_lmdb_cursor_open(&e.raw, txn, STI_LMDB_DATA, &err) : code;
    code = code == STELE_OK ? sti_bucket_each(txn, on_bucket, &e, &err) : code;
    sti_lmdb_cursor_close(e.raw);
    sti_lmdb_abort(txn);
    sti_lmdb_close(lmdb);
    return e.ok && (code == STELE_OK || store_wrong(why, "entries: %s", err.message));
}

bool store_check_files(const char *root, struct store_why *why)
{
    struct sti_generation current;
    struct sti_dir dir = {.raw = NULL};
    stele_error err = {.code = STELE_OK};
    stele_code code = sti_dir_open(&dir, NULL, root, STELE_OPEN_READ, &err);
    bool ok;

    code = code == STELE_OK ? sti_current_read(&dir, &current, &err) : code;
    ok = code == STELE_OK ? check_pages(root, current.number, why) &&
                                    check_entries(&dir, current.number, why)
                          : store_wrong(why, "%s", err.message);
    sti_dir_close(&dir);
    return ok;
}
