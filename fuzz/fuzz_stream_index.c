/* SPDX-License-Identifier: MIT
 *
 * The bytes of an index and of a side file, beside those of their log.
 *
 *     byte 0: index parameters; lengths of log and index, 2 bytes each; log,
 *     index, side file
 *
 * An index that is said to fit can be read to its end. A side file that is
 * taken never leads beyond the index. One that was built is taken, and finds
 * every item.
 */
#include "base/alloc.h"
#include "fuzz.h"
#include "stream/index_file.h"
#include "stream/keys.h"
#include "stream/salvage.h"

#include <string.h>

struct files {
    uint8_t *log;
    size_t log_len;
    uint8_t *index;
    size_t index_len;
    uint8_t *keys;
    size_t keys_len;
    int64_t base;
    struct sti_index_params params;
};

static void judge(const struct files *f, const struct sti_items *built)
{
    const uint8_t *items = NULL;
    uint64_t count = 0;
    uint64_t sum = 0;

    if (sti_index_judge(f->index, f->index_len, f->log, f->log_len, f->base, f->params, &items,
                &count) == STI_INDEX_FITS) {
        size_t item_size = sti_index_item_size(f->params);

        for (uint64_t i = 0; i < count; i++) {
            struct sti_index_item item;

            sti_index_item_get(items + i * item_size, f->params, &item);
            sum += item.position;
        }
        fuzz_require(count != 0 || sum == 0);
        (void)sti_index_equal(items, count, built, f->params);
    }
}

static void salvage(const struct files *f)
{
    struct sti_witness witness;
    struct sti_salvage s;

    sti_witness_of(&witness, f->index, f->index_len, f->base, f->params);
    fuzz_require(sti_salvage_run(&s, f->log, f->log_len, f->base, INT64_MAX, &witness, NULL) ==
                 STELE_OK);
    fuzz_require(s.messages == 0 || (s.first >= f->base && s.last >= s.first));
    sti_salvage_free(&s);
}

static void look_up(const struct sti_keys *keys, uint64_t hash)
{
    uint64_t first;
    uint64_t last;

    (void)sti_keys_maybe(keys, hash, sti_keys_mask(hash));
    sti_keys_find(keys, hash, &first, &last);
    fuzz_require(first <= last && last <= keys->count);
    for (; first < last; first++) {
        fuzz_require(sti_keys_ordinal(keys, first) < keys->count);
    }
}

static void read_keys(const struct files *f)
{
    struct sti_keys keys;

    if (sti_keys_decode(&keys, f->keys, f->keys_len, f->base, f->log_len, f->index, f->index_len,
                NULL) == STELE_OK) {
        look_up(&keys, 0);
        look_up(&keys, UINT64_MAX);
        for (uint64_t i = 0; i < keys.count; i++) {
            look_up(&keys, sti_get_le64(keys.hashes + 8 * i));
        }
    }
}

/* The side file of a built index is taken, and has every item. */
static void build_keys(const struct files *f, const struct sti_items *built)
{
    struct sti_index_params params = {.times = f->params.times, .keys = true};
    size_t item_size = sti_index_item_size(params);
    size_t len = STI_INDEX_HEADER_SIZE + (size_t)built->count * item_size;
    uint8_t *index = malloc(len);
    struct sti_keys keys;
    struct sti_keys read;

    fuzz_require(index != NULL && f->params.keys);
    sti_index_header_put(index, params);
    if (built->count != 0) {
        memcpy(index + STI_INDEX_HEADER_SIZE, built->data, len - STI_INDEX_HEADER_SIZE);
    }
    fuzz_require(sti_keys_build(&keys, f->base, f->log_len, STELE_STREAM_V2, params,
                         index + STI_INDEX_HEADER_SIZE, built->count, NULL) == STELE_OK);
    fuzz_require(sti_keys_decode(&read, keys.bytes, keys.bytes_len, f->base, f->log_len, index, len,
                         NULL) == STELE_OK);
    for (uint64_t i = 0; i < built->count; i++) {
        uint64_t hash = sti_item_hash(built->data + i * item_size, item_size);
        uint64_t first;
        uint64_t last;
        bool found = false;

        fuzz_require(sti_keys_maybe(&read, hash, sti_keys_mask(hash)));
        sti_keys_find(&read, hash, &first, &last);
        for (; first < last; first++) {
            found = found || sti_keys_ordinal(&read, first) == i;
        }
        fuzz_require(found);
    }
    sti_keys_close(&keys);
    free(index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned flags = fuzz_byte(&in);
    size_t log_len = fuzz_u16(&in);
    size_t index_len = fuzz_u16(&in);
    struct files f = {.params = {.times = (flags & 1) != 0, .keys = (flags & 2) != 0}};
    struct sti_items built = {0};

    f.log = fuzz_bytes(&in, log_len, &f.log_len);
    f.index = fuzz_bytes(&in, index_len, &f.index_len);
    f.keys = fuzz_bytes(&in, in.size, &f.keys_len);
    f.base = f.log_len < 8 || f.log[0] == 0xFF ? 0 : (int64_t)(sti_get_be64(f.log) & 0xFFFF);
    fuzz_require(sti_items_build(&built, f.log, f.log_len, f.base, INT64_MAX, f.params, INT64_MIN,
                         NULL) == STELE_OK);
    judge(&f, &built);
    salvage(&f);
    read_keys(&f);
    if (f.params.keys) {
        build_keys(&f, &built);
    }
    sti_items_free(&built);
    free(f.log);
    free(f.index);
    free(f.keys);
    return 0;
}
