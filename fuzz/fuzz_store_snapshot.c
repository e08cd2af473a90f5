/* SPDX-License-Identifier: MIT
 *
 * A snapshot that comes from anywhere.
 *
 *     byte 0: which; byte 1: in pieces of how many bytes it is read
 *     0: the stream as it is
 *     1: the stream, with every checksum made right that stands where a record has one
 *     2: the same, compressed
 *     3: what follows the first four bytes of a frame of zstd
 *
 * It is read the same with and without somebody who hears of its buckets and pairs. What these are
 * told ascends, has sizes that a store takes, and is as much as is said at the end. A stream that
 * is compressed gives what it gives uncompressed.
 */
#include "base/coding.h"
#include "base/crc32c.h"
#include "fuzz.h"
#include "store/snapshot_format.h"
#include "store/snapshot_read.h"
#include "store/snapshot_zstd.h"

#include <string.h>

struct stream {
    uint8_t *bytes;
    size_t len;
    size_t at;
    size_t piece;
};

struct heard {
    stele_store_contents total;
    uint8_t name[STELE_STORE_BUCKET_MAX];
    size_t name_len;
    uint8_t key[STELE_STORE_KEY_MAX];
    size_t key_len;
    bool has_key;
};

static stele_code read_piece(void *arg, void *data, size_t len, size_t *got, stele_error *err)
{
    struct stream *s = arg;
    size_t n = len < s->piece ? len : s->piece;

    (void)err;
    n = n < s->len - s->at ? n : s->len - s->at;
    memcpy(data, s->bytes + s->at, n);
    s->at += n;
    *got = n;
    return STELE_OK;
}

static stele_code write_piece(void *arg, const void *data, size_t len, stele_error *err)
{
    struct stream *s = arg;

    (void)err;
    s->bytes = realloc(s->bytes, s->len + len + 1);
    fuzz_require(s->bytes != NULL);
    memcpy(s->bytes + s->len, data, len);
    s->len += len;
    return STELE_OK;
}

static stele_code on_bucket(void *arg, stele_bytes name, stele_error *err)
{
    struct heard *h = arg;

    (void)err;
    fuzz_require(name.len >= 1 && name.len <= STELE_STORE_BUCKET_MAX);
    fuzz_require(stele_bytes_compare(stele_bytes_of(h->name, h->name_len), name) < 0);
    memcpy(h->name, name.data, name.len);
    h->name_len = name.len;
    h->has_key = false;
    h->total.buckets++;
    return STELE_OK;
}

static stele_code on_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct heard *h = arg;

    (void)err;
    fuzz_require(h->total.buckets > 0);
    fuzz_require(key.len <= STELE_STORE_KEY_MAX && value.len <= STELE_STORE_VALUE_MAX);
    fuzz_require(!h->has_key || stele_bytes_compare(stele_bytes_of(h->key, h->key_len), key) < 0);
    memcpy(h->key, key.data, key.len);
    h->key_len = key.len;
    h->has_key = true;
    h->total.keys++;
    h->total.bytes += key.len + value.len;
    return STELE_OK;
}

static bool same(const stele_store_contents *a, const stele_store_contents *b)
{
    return a->buckets == b->buckets && a->keys == b->keys && a->bytes == b->bytes;
}

/* The code, and *total if it is STELE_OK. */
static stele_code read_all(struct stream *s, stele_store_contents *total)
{
    struct heard *h = calloc(1, sizeof *h);
    const struct sti_snapshot_events events = {h, on_bucket, on_pair};
    stele_store_contents told;
    stele_code code;
    stele_code again;

    fuzz_require(h != NULL);
    s->at = 0;
    code = sti_snapshot_read(read_piece, s, &events, total, NULL);
    s->at = 0;
    again = stele_store_snapshot_verify(read_piece, s, &told, NULL);
    fuzz_require(code == again);
    fuzz_require(code == STELE_OK || code == STELE_ECORRUPT || code == STELE_EVERSION);
    fuzz_require(code != STELE_OK || (same(total, &told) && same(total, &h->total)));
    free(h);
    return code;
}

/* ---- Right checksums. ---- */

/* The bytes of a record before its checksum, and those behind it. */
static size_t record_size(const uint8_t *p, size_t left, uint64_t *behind)
{
    *behind = 0;
    switch (left == 0 ? 0 : p[0]) {
    case 'b':
        return left < 2 ? 0 : (size_t)STI_SNAPSHOT_BUCKET - 4 + p[1];
    case 'p':
        if (left >= STI_SNAPSHOT_PAIR) {
            *behind = (uint64_t)sti_get_le32(p + 1) + sti_get_le32(p + 5);
        }
        return STI_SNAPSHOT_PAIR - 4;
    case 'e':
        return STI_SNAPSHOT_END - 4;
    default:
        return 0;
    }
}

static void make_right(struct stream *s)
{
    size_t at = STI_SNAPSHOT_HEAD;
    uint64_t behind;
    size_t size;

    if (s->len < STI_SNAPSHOT_HEAD) {
        return;
    }
    memcpy(s->bytes, STI_SNAPSHOT_MAGIC, 8);
    sti_put_le32(s->bytes + 8, STI_SNAPSHOT_VERSION);
    while (at < s->len && (size = record_size(s->bytes + at, s->len - at, &behind)) > 0 &&
            s->len - at >= size + 4) {
        sti_put_le32(s->bytes + at + size, sti_crc32c(0, s->bytes, at + size));
        at += size + 4;
        if (behind > s->len - at) {
            break;
        }
        at += (size_t)behind;
    }
}

static void pack(struct stream *out, const struct stream *in)
{
    struct sti_pack *p = NULL;

    fuzz_require(sti_pack_new(&p, 1, in->len, write_piece, out, NULL) == STELE_OK);
    fuzz_require(sti_pack_put(p, in->bytes, in->len, true, NULL) == STELE_OK);
    fuzz_require(sti_pack_written(p) == out->len);
    sti_pack_free(p);
}

static void read_packed(struct stream *s)
{
    struct stream packed = {.piece = s->piece};
    stele_store_contents plain = {.keys = 0};
    stele_store_contents total = {.keys = 0};
    stele_code code = read_all(s, &plain);

    pack(&packed, s);
    fuzz_require(read_all(&packed, &total) == code);
    fuzz_require(code != STELE_OK || same(&plain, &total));
    free(packed.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned which = fuzz_byte(&in) % 4;
    struct stream s = {.piece = fuzz_byte(&in) + 1};
    stele_store_contents total;

    s.bytes = fuzz_bytes(&in, in.size, &s.len);
    switch (which) {
    case 1:
        make_right(&s);
        break;
    case 2:
        make_right(&s);
        read_packed(&s);
        break;
    case 3:
        if (s.len >= 4) {
            memcpy(s.bytes, STI_ZSTD_MAGIC, 4);
        }
        break;
    default:
        break;
    }
    (void)read_all(&s, &total);
    free(s.bytes);
    return 0;
}
