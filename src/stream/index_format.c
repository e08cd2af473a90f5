/* SPDX-License-Identifier: MIT */
#include "stream/index_format.h"

#include "base/fnv.h"
#include "stream/format.h"

#include <string.h>

static const uint8_t index_magic[6] = {0xFF, 'k', 'l', 'e', 'v', 'i'};

enum {
    INDEX_VERSION = 1,
    PARAM_TIMES = 1,
    PARAM_KEYS = 2,
    KIND_LOOK = 64
};

void sti_index_item_put(
        uint8_t *out, struct sti_index_params params, const struct sti_index_item *item)
{
    sti_put_be64(out, (uint64_t)item->offset);
    sti_put_be64(out + 8, item->position);
    out += 16;
    if (params.times) {
        sti_put_be64(out, (uint64_t)item->time);
        out += 8;
    }
    if (params.keys) {
        sti_put_be64(out, item->hash);
    }
}

void sti_index_item_get(
        const uint8_t *in, struct sti_index_params params, struct sti_index_item *item)
{
    item->offset = sti_item_offset(in);
    item->position = sti_item_position(in);
    item->time = params.times ? sti_item_time(in) : 0;
    item->hash = params.keys ? sti_item_hash(in, sti_index_item_size(params)) : 0;
}

void sti_index_item_of(struct sti_index_item *item, struct sti_index_params params,
        const stele_message *message, uint64_t position, int64_t time_before)
{
    item->offset = message->offset;
    item->position = position;
    item->time = 0;
    item->hash = 0;
    if (params.times) {
        item->time = message->time > time_before ? message->time : time_before;
    }
    if (params.keys) {
        item->hash = sti_fnv1a64(message->key.data, message->key.len);
    }
}

void sti_index_header_put(uint8_t out[STI_INDEX_HEADER_SIZE], struct sti_index_params params)
{
    memcpy(out, index_magic, sizeof index_magic);
    out[6] = INDEX_VERSION;
    out[7] = (uint8_t)((params.times ? PARAM_TIMES : 0) | (params.keys ? PARAM_KEYS : 0));
}

enum sti_index_kind sti_index_kind_of(
        const uint8_t *data, uint64_t len, int64_t base, struct sti_index_params *params)
{
    size_t look = len < KIND_LOOK ? (size_t)len : KIND_LOOK;

    if (len >= STI_INDEX_HEADER_SIZE && memcmp(data, index_magic, sizeof index_magic) == 0) {
        if (data[6] != INDEX_VERSION || (data[7] & ~(PARAM_TIMES | PARAM_KEYS)) != 0) {
            return STI_INDEX_VERSION;
        }
        params->times = (data[7] & PARAM_TIMES) != 0;
        params->keys = (data[7] & PARAM_KEYS) != 0;
        return STI_INDEX_V2;
    }
    if (look <= 8 && sti_all_zero(data, look)) {
        return STI_INDEX_EMPTY;
    }
    if (len >= STI_INDEX_HEADER_SIZE && sti_get_be64(data) == (uint64_t)base) {
        /* Two items at least make the first of them differ from zeros; a lone
         * all-zero one (offset 0, position 0, no time, no key) is right, too. */
        return STI_INDEX_V1;
    }
    if (sti_all_zero(data, look)) {
        return STI_INDEX_EMPTY;
    }
    return len < STI_INDEX_HEADER_SIZE ? STI_INDEX_TORN : STI_INDEX_FOREIGN;
}
