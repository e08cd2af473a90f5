/* SPDX-License-Identifier: MIT
 *
 * buckets.c: records of the second tree.
 */
#include "store/buckets.h"

#include "base/assert.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/error.h"

enum {
    VERSION = 1,
    CRC_SIZE = 4,
    BUCKET_SIZE = 33,
    COMMIT_SIZE = 81,
    GARBAGE_SIZE = 5,
    KEY_MAX = 1 + STELE_STORE_BUCKET_MAX
};

_Static_assert(KEY_MAX <= STI_LMDB_KEY_MAX, "a name with its letter fits");

static const uint8_t commit_key[] = {'c'};

struct name_key {
    size_t len;
    uint8_t bytes[KEY_MAX];
};

static stele_bytes bucket_key(struct name_key *out, stele_bytes name)
{
    sti_assert(name.len <= STELE_STORE_BUCKET_MAX);
    out->bytes[0] = 'b';
    if (name.len > 0) {
        memcpy(out->bytes + 1, name.data, name.len);
    }
    out->len = 1 + name.len;
    return stele_bytes_of(out->bytes, out->len);
}

static stele_bytes garbage_key(uint8_t out[5], uint32_t number)
{
    out[0] = 'g';
    sti_put_be32(out + 1, number);
    return stele_bytes_of(out, 5);
}

/* Version and checksum around what stands between. */
static stele_bytes seal(uint8_t *value, size_t size, stele_bytes key)
{
    value[0] = VERSION;
    sti_put_le32(value + size - CRC_SIZE,
            sti_crc32c(sti_crc32c(0, key.data, key.len), value, size - CRC_SIZE));
    return stele_bytes_of(value, size);
}

static stele_code verify(
        stele_bytes key, stele_bytes value, size_t size, const char *what, stele_error *err)
{
    if (value.len == size && value.data[0] == VERSION &&
            sti_get_le32(value.data + size - CRC_SIZE) ==
                    sti_crc32c(sti_crc32c(0, key.data, key.len), value.data, size - CRC_SIZE)) {
        return STELE_OK;
    }
    if (value.len > 0 && value.data[0] > VERSION) {
        return sti_fail(err, STELE_EVERSION, "the record of %s has version %d, or is damaged", what,
                value.data[0]);
    }
    return sti_fail(err, STELE_ECORRUPT, "the record of %s is damaged", what);
}

/* ---- Buckets. ---- */

static stele_bytes encode_bucket(
        uint8_t out[BUCKET_SIZE], stele_bytes key, const struct sti_bucket *bucket)
{
    sti_put_le32(out + 1, bucket->number);
    sti_put_le64(out + 5, bucket->keys);
    sti_put_le64(out + 13, bucket->bytes);
    sti_put_le64(out + 21, bucket->hash);
    return seal(out, BUCKET_SIZE, key);
}

static stele_code decode_bucket(
        struct sti_bucket *out, stele_bytes key, stele_bytes value, stele_error *err)
{
    stele_code code = verify(key, value, BUCKET_SIZE, "a bucket", err);

    if (code == STELE_OK) {
        out->number = sti_get_le32(value.data + 1);
        out->keys = sti_get_le64(value.data + 5);
        out->bytes = sti_get_le64(value.data + 13);
        out->hash = sti_get_le64(value.data + 21);
    }
    return code;
}

stele_code sti_bucket_find(
        struct sti_lmdb_txn *txn, stele_bytes name, struct sti_bucket *out, stele_error *err)
{
    struct name_key storage;
    stele_bytes key = bucket_key(&storage, name);
    stele_bytes value;
    stele_code code = sti_lmdb_get(txn, STI_LMDB_NAMES, key, &value, err);

    return code == STELE_OK ? decode_bucket(out, key, value, err) : code;
}

stele_code sti_bucket_write(struct sti_lmdb_txn *txn, stele_bytes name,
        const struct sti_bucket *bucket, stele_error *err)
{
    uint8_t value[BUCKET_SIZE];
    struct name_key storage;
    stele_bytes key = bucket_key(&storage, name);

    sti_assert(bucket->number != 0);
    sti_assert(bucket->number < STI_BUCKET_LIMIT);
    return sti_lmdb_put(txn, STI_LMDB_NAMES, key, encode_bucket(value, key, bucket), err);
}

stele_code sti_bucket_remove(struct sti_lmdb_txn *txn, stele_bytes name, stele_error *err)
{
    struct name_key storage;

    return sti_lmdb_delete(txn, STI_LMDB_NAMES, bucket_key(&storage, name), err);
}

uint64_t sti_bucket_hash(stele_bytes name, const struct sti_bucket *bucket)
{
    uint8_t value[BUCKET_SIZE];
    struct name_key storage;
    struct sti_value_mark mark;

    (void)encode_bucket(value, bucket_key(&storage, name), bucket);
    mark.crc = sti_get_le32(value + BUCKET_SIZE - CRC_SIZE);
    mark.len = bucket->hash ^ bucket->keys;
    return sti_value_hash(&mark);
}

stele_code sti_bucket_each(struct sti_lmdb_txn *txn,
        stele_code (*each)(
                void *arg, stele_bytes name, const struct sti_bucket *bucket, stele_error *err),
        void *arg, stele_error *err)
{
    struct sti_lmdb_cursor *cursor;
    stele_bytes key = stele_str("b");
    stele_bytes value;
    stele_code code = sti_lmdb_cursor_open(&cursor, txn, STI_LMDB_NAMES, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_lmdb_cursor_move(cursor, STI_LMDB_FROM, &key, &value, err);
    while (code == STELE_OK && key.len > 0 && key.data[0] == 'b') {
        struct sti_bucket bucket;

        code = decode_bucket(&bucket, key, value, err);
        if (code == STELE_OK) {
            code = each(arg, stele_bytes_of(key.data + 1, key.len - 1), &bucket, err);
        }
        if (code == STELE_OK) {
            code = sti_lmdb_cursor_move(cursor, STI_LMDB_NEXT, &key, &value, err);
        }
    }
    sti_lmdb_cursor_close(cursor);
    return code == STELE_END ? STELE_OK : code;
}

/* ---- The commit record. ---- */

stele_code sti_commit_record_read(
        struct sti_lmdb_txn *txn, struct sti_commit_record *out, stele_error *err)
{
    const stele_bytes key = stele_bytes_of(commit_key, sizeof commit_key);
    struct sti_commit_record r;
    stele_bytes value;
    stele_code code = sti_lmdb_get(txn, STI_LMDB_NAMES, key, &value, err);

    if (code == STELE_ENOTFOUND) {
        return sti_fail(err, STELE_ECORRUPT, "the record of the last commit is missing");
    }
    if (code == STELE_OK) {
        code = verify(key, value, COMMIT_SIZE, "the last commit", err);
    }
    if (code != STELE_OK) {
        return code;
    }
    r.store_id = sti_get_le64(value.data + 1);
    r.generation = sti_get_le64(value.data + 9);
    r.txn_id = sti_get_le64(value.data + 17);
    r.seq = sti_get_le64(value.data + 25);
    r.wal_id = sti_get_le64(value.data + 33);
    r.time = (int64_t)sti_get_le64(value.data + 41);
    r.next_bucket = sti_get_le32(value.data + 49);
    r.next_layer = sti_get_le64(value.data + 53);
    r.buckets = sti_get_le64(value.data + 61);
    r.buckets_hash = sti_get_le64(value.data + 69);
    if (r.txn_id != sti_lmdb_txn_id(txn)) {
        return sti_fail(err, STELE_ECORRUPT,
                "the newest page 0 or 1 is of transaction %llu, the data of %llu",
                (unsigned long long)sti_lmdb_txn_id(txn), (unsigned long long)r.txn_id);
    }
    *out = r;
    return STELE_OK;
}

stele_code sti_commit_record_write(
        struct sti_lmdb_txn *txn, struct sti_commit_record *record, stele_error *err)
{
    const stele_bytes key = stele_bytes_of(commit_key, sizeof commit_key);
    uint8_t value[COMMIT_SIZE];

    record->txn_id = sti_lmdb_txn_id(txn);
    sti_put_le64(value + 1, record->store_id);
    sti_put_le64(value + 9, record->generation);
    sti_put_le64(value + 17, record->txn_id);
    sti_put_le64(value + 25, record->seq);
    sti_put_le64(value + 33, record->wal_id);
    sti_put_le64(value + 41, (uint64_t)record->time);
    sti_put_le32(value + 49, record->next_bucket);
    sti_put_le64(value + 53, record->next_layer);
    sti_put_le64(value + 61, record->buckets);
    sti_put_le64(value + 69, record->buckets_hash);
    return sti_lmdb_put(txn, STI_LMDB_NAMES, key, seal(value, COMMIT_SIZE, key), err);
}

/* ---- Garbage. ---- */

stele_code sti_garbage_add(struct sti_lmdb_txn *txn, uint32_t number, stele_error *err)
{
    uint8_t value[GARBAGE_SIZE];
    uint8_t storage[5];
    stele_bytes key = garbage_key(storage, number);

    return sti_lmdb_put(txn, STI_LMDB_NAMES, key, seal(value, GARBAGE_SIZE, key), err);
}

stele_code sti_garbage_remove(struct sti_lmdb_txn *txn, uint32_t number, stele_error *err)
{
    uint8_t storage[5];

    return sti_lmdb_delete(txn, STI_LMDB_NAMES, garbage_key(storage, number), err);
}

stele_code sti_garbage_read(stele_bytes key, stele_bytes value, uint32_t *number, stele_error *err)
{
    stele_code code;

    if (key.len != 5) {
        return sti_fail(err, STELE_ECORRUPT, "the record of a deleted bucket is damaged");
    }
    code = verify(key, value, GARBAGE_SIZE, "a deleted bucket", err);
    if (code == STELE_OK) {
        *number = sti_get_be32(key.data + 1);
    }
    return code;
}

stele_code sti_garbage_first(struct sti_lmdb_txn *txn, uint32_t *number, stele_error *err)
{
    struct sti_lmdb_cursor *cursor;
    stele_bytes key = stele_str("g");
    stele_bytes value;
    stele_code code = sti_lmdb_cursor_open(&cursor, txn, STI_LMDB_NAMES, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_lmdb_cursor_move(cursor, STI_LMDB_FROM, &key, &value, err);
    if (code == STELE_OK && key.data[0] != 'g') {
        code = STELE_END;
    }
    if (code == STELE_OK) {
        code = sti_garbage_read(key, value, number, err);
    }
    sti_lmdb_cursor_close(cursor);
    return code == STELE_END ? STELE_ENOTFOUND : code;
}
