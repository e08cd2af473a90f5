/* SPDX-License-Identifier: MIT
 *
 * batch_write.c: what a batch writes.
 */
#include "base/coding.h"
#include "base/error.h"
#include "base/fnv.h"
#include "base/mutant.h"
#include "store/state.h"

enum {
    NUMBER_SIZE = 4
};

static stele_code check(const stele_store_batch *batch, stele_bytes bucket, stele_error *err)
{
    if (batch == NULL) {
        return sti_fail(err, STELE_EINVAL, "no batch");
    }
    /* Only a look: the end of the batch says how it is. */
    return atomic_load_explicit(&batch->s->failed, memory_order_relaxed) == STELE_OK
                   ? sti_store_check_name(bucket, err)
                   : sti_store_usable(batch->s, err);
}

/* ---- Names. ---- */

static struct sti_store_name *place_of(stele_store *s, stele_bytes name)
{
    return &s->names[sti_fnv1a64(name.data, name.len) % STI_STORE_NAMES];
}

static void remember(stele_store *s, stele_bytes name, uint32_t number)
{
    struct sti_store_name *n = place_of(s, name);

    n->number = number;
    n->len = (uint32_t)name.len;
    memcpy(n->bytes, name.data, name.len);
}

static void forget(stele_store_batch *batch, stele_bytes name)
{
    place_of(batch->s, name)->number = 0;
    batch->view.name.number = 0;
}

static stele_code number_of(
        stele_store_batch *batch, stele_bytes name, uint32_t *number, stele_error *err)
{
    const struct sti_store_name *n = place_of(batch->s, name);
    stele_code code;

    if (n->number != 0 && n->len == name.len && memcmp(n->bytes, name.data, name.len) == 0) {
        *number = n->number;
        return STELE_OK;
    }
    code = sti_read_bucket(&batch->view, name, number, err);
    if (code == STELE_OK) {
        remember(batch->s, name, *number);
    }
    return code;
}

/* ---- Buckets. ---- */

stele_code stele_store_batch_create_bucket(
        stele_store_batch *batch, stele_bytes bucket, stele_error *err)
{
    stele_code code = check(batch, bucket, err);
    uint8_t value[NUMBER_SIZE];
    stele_store *s;
    uint32_t number = 0;

    if (code != STELE_OK) {
        return code;
    }
    code = number_of(batch, bucket, &number, err);
    if (code != STELE_ENOTFOUND) {
        return code;
    }
    s = batch->s;
    if (s->next_bucket >= STI_BUCKET_LIMIT) {
        return sti_fail(err, STELE_ETOOBIG, "no numbers of buckets are left");
    }
    sti_put_le32(value, s->next_bucket);
    code = sti_table_put(&s->active->table, batch->seq, STI_STORE_NAMES_BUCKET, bucket,
            stele_bytes_of(value, sizeof value), err);
    if (code == STELE_OK) {
        batch->view.name.number = 0;
        remember(s, bucket, s->next_bucket++);
    }
    return code;
}

stele_code stele_store_batch_delete_bucket(
        stele_store_batch *batch, stele_bytes bucket, stele_error *err)
{
    stele_code code = check(batch, bucket, err);
    struct sti_table_mark mark;
    struct sti_table *table;
    uint32_t number = 0;

    if (code == STELE_OK) {
        code = number_of(batch, bucket, &number, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    table = &batch->s->active->table;
    mark = sti_table_mark(table);
    code = sti_table_drop(table, batch->seq, number, err);
    if (code == STELE_OK) {
        code = sti_table_delete(table, batch->seq, STI_STORE_NAMES_BUCKET, bucket, err);
    }
    if (code != STELE_OK) {
        sti_table_rollback(table, &mark);
        return code;
    }
    if (!STI_MUTANT(STORE_DROP_KEEPS_NAME)) {
        forget(batch, bucket);
    }
    return STELE_OK;
}

/* ---- Entries. ---- */

stele_code stele_store_batch_put(stele_store_batch *batch, stele_bytes bucket, stele_bytes key,
        stele_bytes value, stele_error *err)
{
    stele_code code = check(batch, bucket, err);
    uint32_t number = 0;

    code = code == STELE_OK ? sti_store_check_key(key, err) : code;
    code = code == STELE_OK ? sti_store_check_value(value, err) : code;
    code = code == STELE_OK ? number_of(batch, bucket, &number, err) : code;
    if (code == STELE_OK) {
        code = sti_table_put(&batch->s->active->table, batch->seq, number, key, value, err);
    }
    if (code == STELE_OK) {
        sti_store_count_own(&batch->s->counts.puts, 1);
    }
    return code;
}

/* The table looks first where the last write was, so keys that ascend need nothing else. */
stele_code stele_store_batch_put_seq(stele_store_batch *batch, stele_bytes bucket, stele_bytes key,
        stele_bytes value, stele_error *err)
{
    return stele_store_batch_put(batch, bucket, key, value, err);
}

stele_code stele_store_batch_delete(
        stele_store_batch *batch, stele_bytes bucket, stele_bytes key, stele_error *err)
{
    stele_code code = check(batch, bucket, err);
    uint32_t number = 0;

    code = code == STELE_OK ? sti_store_check_key(key, err) : code;
    code = code == STELE_OK ? number_of(batch, bucket, &number, err) : code;
    if (code == STELE_OK) {
        code = sti_table_delete(&batch->s->active->table, batch->seq, number, key, err);
    }
    if (code == STELE_OK) {
        sti_store_count_own(&batch->s->counts.deletes, 1);
    }
    return code;
}
