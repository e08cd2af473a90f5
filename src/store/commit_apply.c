/* SPDX-License-Identifier: MIT
 *
 * commit_apply.c: drops, new buckets, and writes of a table, in the order that apply.h wants.
 *
 * The names of buckets are entries of bucket 0: one that is a put has the number of a bucket which
 * was made in this table and is still there.
 */
#include "store/commit_apply.h"

#include "base/alloc.h"
#include "base/coding.h"
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "store/apply.h"

enum {
    CAPACITY_MIN = 16
};

struct created {
    uint32_t number;
    stele_bytes name; /* borrowed from the table */
};

struct created_list {
    struct created *list;
    size_t count;
    size_t capacity;
};

/* Drops are kept in a tree of their own. Of a bucket that was made and dropped since the last
 * commit, LMDB knows nothing. */
static stele_code apply_drops(struct sti_apply *apply, const struct sti_buckets *buckets,
        const struct sti_table *t, stele_error *err)
{
    struct sti_place at = sti_nodes_first(&t->drops);
    stele_code code = STELE_OK;

    while (code == STELE_OK && at.leaf != NULL) {
        struct sti_entry *e;
        struct sti_probe after;

        if (at.position >= sti_order_count(at.order)) {
            if (at.leaf->high == NULL) {
                break;
            }
            after = sti_probe_entry(at.leaf->high);
            at = sti_nodes_lower(&t->drops, &after);
            continue;
        }
        e = sti_place_entry(&at);
        /* One that was taken back has no version. */
        if (sti_visible(e, UINT64_MAX) != NULL && sti_buckets_find(buckets, e->bucket) != NULL) {
            code = sti_apply_drop(apply, e->bucket, err);
        }
        at.position++;
    }
    return code;
}

static stele_code add_created(
        struct created_list *l, uint32_t number, stele_bytes name, stele_error *err)
{
    if (l->count == l->capacity) {
        size_t capacity = l->capacity < CAPACITY_MIN ? CAPACITY_MIN : l->capacity * 2;
        struct created *list = sti_realloc(l->list, capacity, sizeof *list);

        if (list == NULL) {
            return sti_fail_memory(err, capacity * sizeof *list);
        }
        l->list = list;
        l->capacity = capacity;
    }
    l->list[l->count++] = (struct created){number, name};
    return STELE_OK;
}

static int compare_created(const void *a, const void *b)
{
    const struct created *x = a;
    const struct created *y = b;

    return x->number < y->number ? -1 : x->number > y->number;
}

static stele_code apply_creates(
        struct sti_apply *apply, const struct sti_table *t, stele_error *err)
{
    struct created_list l = {.list = NULL};
    struct sti_cursor c;
    stele_code code = STELE_OK;
    bool more;

    sti_cursor_init(&c, t, UINT64_MAX);
    more = sti_cursor_seek(&c, STI_STORE_NAMES_BUCKET, stele_nil());
    for (; code == STELE_OK && more && c.entry->bucket == STI_STORE_NAMES_BUCKET;
            more = sti_cursor_next(&c)) {
        if (c.version->kind == STI_WRITE_PUT && !STI_MUTANT(STORE_CREATES_NOT_APPLIED)) {
            code = add_created(&l, sti_get_le32(c.version->value), sti_entry_key(c.entry), err);
        }
    }
    if (l.count > 0) {
        qsort(l.list, l.count, sizeof *l.list, compare_created);
    }
    for (size_t i = 0; i < l.count && code == STELE_OK; i++) {
        code = sti_apply_create(apply, l.list[i].number, l.list[i].name, err);
    }
    sti_free(l.list);
    return code;
}

static stele_code apply_writes(struct sti_apply *apply, const struct sti_table *t, stele_error *err)
{
    struct sti_cursor c;
    stele_code code = STELE_OK;
    bool more;

    sti_cursor_init(&c, t, UINT64_MAX);
    more = sti_cursor_seek(&c, STI_STORE_NAMES_BUCKET + 1, stele_nil());
    for (; code == STELE_OK && more; more = sti_cursor_next(&c)) {
        uint32_t bucket = c.entry->bucket;
        stele_bytes key = sti_entry_key(c.entry);
        stele_bytes value = stele_bytes_of(c.version->value, c.version->value_len);

        if (STI_MUTANT(STORE_DELETES_NOT_APPLIED) && c.version->kind == STI_WRITE_DELETE) {
            continue;
        }
        code = c.version->kind == STI_WRITE_PUT ? sti_apply_put(apply, bucket, key, value, err)
                                                : sti_apply_delete(apply, bucket, key, err);
    }
    return code;
}

stele_code sti_commit_put_table(struct sti_apply *apply, const struct sti_buckets *buckets,
        const struct sti_table *t, stele_error *err)
{
    stele_code code =
            STI_MUTANT(STORE_DROPS_NOT_APPLIED) ? STELE_OK : apply_drops(apply, buckets, t, err);

    code = code == STELE_OK ? apply_creates(apply, t, err) : code;
    return code == STELE_OK ? apply_writes(apply, t, err) : code;
}

static bool has_drops(const struct sti_table *t)
{
    return atomic_load_explicit(&t->drops.root, memory_order_relaxed) != NULL;
}

stele_code sti_commit_look_for_garbage(stele_store *s, stele_error *err)
{
    struct sti_lmdb_txn *txn;
    uint32_t number = 0;
    stele_code code = sti_lmdb_begin(&txn, s->data->lmdb, false, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_garbage_first(txn, &number, err);
    sti_lmdb_abort(txn);
    if (code == STELE_OK || code == STELE_ENOTFOUND) {
        sti_mutex_lock(&s->write);
        s->garbage = code == STELE_OK;
        sti_mutex_unlock(&s->write);
        return STELE_OK;
    }
    return code;
}

static struct sti_apply_mark make_mark(stele_store *s, const struct sti_store_table *t)
{
    struct sti_apply_mark mark = {
            .seq = s->buckets->commit.seq,
            .wal_id = s->buckets->commit.wal_id,
            .time = sti_env_now(&s->env),
            .next_bucket = s->buckets->commit.next_bucket,
    };

    if (t != NULL) {
        mark.seq = t->seq + (STI_MUTANT(STORE_SEQ_AHEAD) ? 1U : 0U) -
                   (STI_MUTANT(STORE_SEQ_BEHIND) ? 1U : 0U);
        mark.wal_id = sti_store_log_mark(s, t);
        mark.next_bucket = t->next_bucket;
    }
    return mark;
}

stele_code sti_commit_apply(stele_store *s, bool *in_doubt, stele_error *err)
{
    struct sti_store_table *t = s->frozen;
    bool garbage = s->garbage || (t != NULL && has_drops(&t->table));
    struct sti_apply_mark mark;
    struct sti_apply *apply;
    stele_code code = sti_apply_begin(&apply, s->data->lmdb, s->buckets, err);

    if (code != STELE_OK) {
        return code;
    }
    if (t != NULL) {
        code = sti_commit_put_table(apply, s->buckets, &t->table, err);
    }
    if (code != STELE_OK) {
        sti_apply_abort(apply);
        return code;
    }
    mark = make_mark(s, t);
    if (t != NULL) {
        t->mark = mark;
    }
    code = sti_apply_commit(apply, &mark, err);
    *in_doubt = code != STELE_OK;
    if (code == STELE_OK && garbage) {
        /* It is looked for again if this fails. */
        sti_mutex_lock(&s->write);
        s->garbage = true;
        sti_mutex_unlock(&s->write);
        (void)sti_commit_look_for_garbage(s, NULL);
    }
    return code;
}
