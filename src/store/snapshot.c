/* SPDX-License-Identifier: MIT
 *
 * snapshot.c: what is committed as one stream of bytes.
 *
 * A snapshot is a read that looks at LMDB alone. What it writes is compared with the counts and the
 * hash of each bucket, as they are in the commit: so it is verified before it has its end.
 */
#include "store/snapshot.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/env.h"
#include "base/error.h"
#include "store/deadline.h"
#include "store/snapshot_format.h"
#include "store/snapshot_zstd.h"
#include "store/tree.h"

enum {
    BUFFER_SIZE = 256 << 10
};

struct stele_store_snapshot {
    stele_store_read *read;
    uint64_t size;
    struct sti_lmdb_cursor *cursor; /* of the write that is under way */
};

void stele_store_snapshot_options_init_sized(stele_store_snapshot_options *opts, size_t struct_size)
{
    if (opts != NULL && struct_size >= sizeof opts->struct_size) {
        memset(opts, 0, struct_size);
        opts->struct_size = struct_size;
    }
}

/* ---- Open, close. ---- */

static stele_code add_size(
        void *arg, stele_bytes name, const struct sti_bucket *bucket, stele_error *err)
{
    uint64_t *size = arg;

    (void)err;
    *size += STI_SNAPSHOT_BUCKET + name.len + bucket->keys * STI_SNAPSHOT_PAIR + bucket->bytes;
    return STELE_OK;
}

stele_code stele_store_snapshot_open(stele_store_snapshot **out, stele_store *s, stele_error *err)
{
    stele_store_snapshot *snapshot;
    stele_code code;

    if (out == NULL || s == NULL) {
        return sti_fail(err, STELE_EINVAL, "no store, or no place for the snapshot");
    }
    code = s->options.read_only ? STELE_OK : stele_store_commit(s, err);
    if (code != STELE_OK) {
        return code;
    }
    snapshot = sti_calloc(1, sizeof *snapshot);
    if (snapshot == NULL) {
        return sti_fail_memory(err, sizeof *snapshot);
    }
    snapshot->size = STI_SNAPSHOT_HEAD + STI_SNAPSHOT_END;
    code = stele_store_read_begin(&snapshot->read, s, err);
    if (code == STELE_OK) {
        code = sti_bucket_each(snapshot->read->slot->txn, add_size, &snapshot->size, err);
    }
    if (code != STELE_OK) {
        stele_store_snapshot_close(snapshot);
        return code;
    }
    *out = snapshot;
    return STELE_OK;
}

uint64_t stele_store_snapshot_size(const stele_store_snapshot *snapshot)
{
    return snapshot == NULL ? 0 : snapshot->size;
}

void stele_store_snapshot_close(stele_store_snapshot *snapshot)
{
    if (snapshot != NULL) {
        stele_store_read_end(snapshot->read);
        sti_free(snapshot);
    }
}

stele_store *sti_snapshot_store(const stele_store_snapshot *snapshot)
{
    return snapshot->read->s;
}

/* ---- Writing. ---- */

struct output {
    stele_store_snapshot *snapshot;
    stele_write_fn write;
    void *arg;
    struct sti_deadline deadline;
    struct sti_pack *pack; /* NULL: not compressed */
    uint8_t *buffer;
    size_t used;
    uint64_t written;
    uint32_t crc;  /* of all that is written, and what is in the buffer */
    uint32_t hash; /* of names, keys and values */
    stele_store_contents total;
};

static stele_code flush(struct output *o, bool end, stele_error *err)
{
    stele_code code = STELE_OK;

    if (o->pack != NULL) {
        code = sti_pack_put(o->pack, o->buffer, o->used, end, err);
    } else if (o->used > 0) {
        code = o->write(o->arg, o->buffer, o->used, err);
    }
    o->written += o->used;
    o->used = 0;
    return code;
}

static stele_code put(struct output *o, const void *data, size_t len, stele_error *err)
{
    const uint8_t *at = data;

    o->crc = sti_crc32c(o->crc, data, len);
    while (len > 0) {
        size_t n = BUFFER_SIZE - o->used < len ? BUFFER_SIZE - o->used : len;

        memcpy(o->buffer + o->used, at, n);
        o->used += n;
        at += n;
        len -= n;
        if (o->used == BUFFER_SIZE) {
            stele_code code = flush(o, false, err);

            if (code != STELE_OK) {
                return code;
            }
        }
    }
    return STELE_OK;
}

static stele_code put_crc(struct output *o, stele_error *err)
{
    uint8_t bytes[4];

    sti_put_le32(bytes, o->crc);
    return put(o, bytes, sizeof bytes, err);
}

static stele_code put_pair(struct output *o, stele_bytes key, stele_bytes value, stele_error *err)
{
    uint8_t head[STI_SNAPSHOT_PAIR - 4] = {'p'};
    stele_code code;

    sti_put_le32(head + 1, (uint32_t)key.len);
    sti_put_le32(head + 5, (uint32_t)value.len);
    code = put(o, head, sizeof head, err);
    code = code == STELE_OK ? put_crc(o, err) : code;
    code = code == STELE_OK ? put(o, key.data, key.len, err) : code;
    code = code == STELE_OK ? put(o, value.data, value.len, err) : code;
    o->hash = sti_crc32c(o->hash, key.data, key.len);
    o->hash = sti_crc32c(o->hash, value.data, value.len);
    return code;
}

/* All pairs of a bucket, counted into `found`. */
static stele_code put_pairs(
        struct output *o, uint32_t number, struct sti_bucket *found, stele_error *err)
{
    struct sti_tree_cursor c;
    stele_code code;

    sti_tree_cursor_init(&c, o->snapshot->cursor, number);
    code = sti_tree_next(&c, err);
    while (code == STELE_OK) {
        struct sti_value_mark mark;
        stele_bytes value = stele_nil();

        code = found->keys % STI_DEADLINE_EVERY == 0 ? sti_deadline_look(&o->deadline, err)
                                                     : STELE_OK;
        code = code == STELE_OK ? sti_tree_value(&c, &value, err) : code;
        code = code == STELE_OK ? sti_value_mark(&mark, c.stored, err) : code;
        code = code == STELE_OK ? put_pair(o, c.key, value, err) : code;
        if (code == STELE_OK) {
            found->keys++;
            found->bytes += c.key.len + value.len;
            found->hash += sti_value_hash(&mark);
            code = sti_tree_next(&c, err);
        }
    }
    sti_tree_cursor_free(&c);
    return code == STELE_END ? STELE_OK : code;
}

static stele_code put_bucket(
        void *arg, stele_bytes name, const struct sti_bucket *bucket, stele_error *err)
{
    struct output *o = arg;
    struct sti_bucket found = {.number = bucket->number};
    uint8_t head[2] = {'b', (uint8_t)name.len};
    uint8_t counts[16];
    stele_code code;

    sti_put_le64(counts, bucket->keys);
    sti_put_le64(counts + 8, bucket->bytes);
    o->hash = sti_crc32c(o->hash, name.data, name.len);
    code = put(o, head, sizeof head, err);
    code = code == STELE_OK ? put(o, name.data, name.len, err) : code;
    code = code == STELE_OK ? put(o, counts, sizeof counts, err) : code;
    code = code == STELE_OK ? put_crc(o, err) : code;
    code = code == STELE_OK ? put_pairs(o, bucket->number, &found, err) : code;
    if (code == STELE_OK && (found.keys != bucket->keys || found.bytes != bucket->bytes ||
                                    found.hash != bucket->hash)) {
        code = sti_fail(err, STELE_ECORRUPT, "it does not have what its counts and hash say");
    }
    o->total.buckets++;
    o->total.keys += found.keys;
    o->total.bytes += found.bytes;
    return code == STELE_OK ? code : sti_store_wrap(err, code, name, stele_nil());
}

static stele_code put_head(struct output *o, stele_error *err)
{
    uint8_t head[STI_SNAPSHOT_HEAD];

    memcpy(head, STI_SNAPSHOT_MAGIC, 8);
    sti_put_le32(head + 8, STI_SNAPSHOT_VERSION);
    return put(o, head, sizeof head, err);
}

static stele_code put_end(struct output *o, stele_error *err)
{
    uint8_t end[STI_SNAPSHOT_END - 4] = {'e'};
    stele_code code;

    sti_put_le64(end + 1, o->total.buckets);
    sti_put_le64(end + 9, o->total.keys);
    sti_put_le64(end + 17, o->total.bytes);
    sti_put_le32(end + 25, o->hash);
    code = put(o, end, sizeof end, err);
    code = code == STELE_OK ? put_crc(o, err) : code;
    return code == STELE_OK ? flush(o, true, err) : code;
}

static stele_code put_all(struct output *o, stele_error *err)
{
    struct sti_lmdb_txn *txn = o->snapshot->read->slot->txn;
    stele_code code = sti_lmdb_cursor_open(&o->snapshot->cursor, txn, STI_LMDB_DATA, err);

    if (code != STELE_OK) {
        return code;
    }
    code = put_head(o, err);
    code = code == STELE_OK ? sti_bucket_each(txn, put_bucket, o, err) : code;
    code = code == STELE_OK ? put_end(o, err) : code;
    sti_lmdb_cursor_close(o->snapshot->cursor);
    o->snapshot->cursor = NULL;
    return code;
}

stele_code stele_store_snapshot_write(stele_store_snapshot *snapshot,
        const stele_store_snapshot_options *opts, stele_write_fn write, void *arg,
        uint64_t *written, stele_error *err)
{
    struct output o = {.snapshot = snapshot, .write = write, .arg = arg};
    stele_store_snapshot_options options;
    uint64_t bytes;
    stele_code code;

    if (snapshot == NULL || write == NULL) {
        return sti_fail(err, STELE_EINVAL, "no snapshot, or nobody to give it to");
    }
    code = sti_options_copy(&options, sizeof options, opts, "stele_store_snapshot_options", err);
    if (code != STELE_OK) {
        return code;
    }
    o.deadline = sti_deadline_of(options.wait);
    o.buffer = sti_malloc(BUFFER_SIZE);
    code = o.buffer == NULL ? sti_fail_memory(err, BUFFER_SIZE) : STELE_OK;
    if (code == STELE_OK && options.zstd) {
        code = sti_pack_new(&o.pack, options.zstd_level, snapshot->size, write, arg, err);
    }
    code = code == STELE_OK ? put_all(&o, err) : code;
    bytes = o.pack == NULL ? o.written : sti_pack_written(o.pack);
    sti_pack_free(o.pack);
    sti_free(o.buffer);
    if (code != STELE_OK) {
        return sti_wrap(err, code, "write a snapshot");
    }
    sti_assert(o.written == snapshot->size);
    if (written != NULL) {
        *written = bytes;
    }
    return STELE_OK;
}
