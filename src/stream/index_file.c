/* SPDX-License-Identifier: MIT */
#include "stream/index_file.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/names.h"
#include "stream/put_file.h"

#include <string.h>

enum {
    ITEMS_AT_FIRST = 64
};

/* ---- Items in memory. ---- */

void sti_items_free(struct sti_items *items)
{
    sti_free(items->data);
    memset(items, 0, sizeof *items);
}

static stele_code items_grow(struct sti_items *items, stele_error *err)
{
    uint64_t capacity = items->capacity == 0 ? ITEMS_AT_FIRST : items->capacity * 2;
    uint8_t *data;

    if (items->capacity > SIZE_MAX / STI_INDEX_ITEM_MAX / 2) {
        return sti_fail_memory(err, SIZE_MAX);
    }
    data = sti_realloc(items->data, (size_t)capacity, items->item_size);
    if (data == NULL) {
        return sti_fail_memory(err, (size_t)capacity * items->item_size);
    }
    items->data = data;
    items->capacity = capacity;
    return STELE_OK;
}

stele_code sti_items_add(struct sti_items *items, struct sti_index_params params,
        const struct sti_index_item *item, stele_error *err)
{
    if (items->item_size == 0) {
        items->item_size = sti_index_item_size(params);
    }
    sti_assert(items->item_size == sti_index_item_size(params));
    if (items->count == items->capacity) {
        stele_code rc = items_grow(items, err);

        if (rc != STELE_OK) {
            return rc;
        }
    }
    sti_index_item_put(items->data + items->count * items->item_size, params, item);
    items->count++;
    return STELE_OK;
}

stele_code sti_items_build(struct sti_items *out, const uint8_t *log, uint64_t len, int64_t base,
        int64_t limit, struct sti_index_params params, int64_t time_before, stele_error *err)
{
    enum sti_log_kind kind = sti_log_kind_of(log, len, base);
    struct sti_items items = {.item_size = sti_index_item_size(params), .damage = UINT64_MAX};
    struct sti_scan scan;
    stele_code rc = STELE_OK;

    sti_scan_begin(&scan, log, len, kind, base, limit);
    items.last = scan.last;
    items.end = kind == STI_LOG_V2 ? scan.at : 0;
    if (kind == STI_LOG_TORN || kind == STI_LOG_VERSION || kind == STI_LOG_FOREIGN) {
        items.damage = 0;
    }
    for (;;) {
        uint64_t position = scan.at;
        struct sti_index_item item;
        stele_message message;
        size_t size;
        enum sti_message_state state = sti_scan_next(&scan, &message, &size);

        if (state == STI_MESSAGE_WHOLE) {
            sti_index_item_of(&item, params, &message, position, time_before);
            rc = sti_items_add(&items, params, &item, err);
            if (rc != STELE_OK) {
                goto out;
            }
            time_before = params.times ? item.time : time_before;
            items.end = scan.at;
            items.last = message.offset;
            continue;
        }
        if (state == STI_MESSAGE_END) {
            break;
        }
        items.damage = position < items.damage ? position : items.damage;
        if (!sti_scan_resync(&scan)) {
            break;
        }
    }
out:
    if (rc != STELE_OK) {
        sti_items_free(&items);
        return rc;
    }
    *out = items;
    return STELE_OK;
}

/* ---- Judging. ---- */

/* A log and the items beside it. */
struct pair {
    const uint8_t *log;
    uint64_t log_len;
    stele_stream_version version;
    const uint8_t *items;
    uint64_t items_len;
};

static bool message_at(
        const struct pair *p, uint64_t position, stele_message *message, uint64_t *end)
{
    size_t size;

    if (position > p->log_len ||
            sti_message_peek(p->log + position, (size_t)(p->log_len - position), p->version,
                    message, &size) != STI_MESSAGE_WHOLE) {
        return false;
    }
    *end = position + size;
    return true;
}

/* Whether an item is one of this message: its time may be higher. */
static bool agrees(const uint8_t *bytes, struct sti_index_params params,
        const stele_message *message, uint64_t position)
{
    struct sti_index_item item;
    struct sti_index_item right;

    sti_index_item_get(bytes, params, &item);
    sti_index_item_of(&right, params, message, position, INT64_MIN);
    return item.offset == right.offset && item.position == right.position &&
           item.time >= right.time && item.hash == right.hash;
}

/* Whether the last item could be the count-th of a log, from what it says
 * itself: each message takes an offset and some bytes, and times rise. */
static bool room_between(const uint8_t *first, const uint8_t *last, uint64_t count,
        struct sti_index_params params, const struct pair *p)
{
    uint64_t overhead = p->version == STELE_STREAM_V1 ? STI_V1_OVERHEAD : STI_V2_OVERHEAD;
    uint64_t from = sti_item_position(first);
    uint64_t to = sti_item_position(last);

    /* Both offsets are those of messages of the log by now; a difference of
     * unsigned numbers is right for any pair of rising ones. */
    if (sti_item_offset(last) < sti_item_offset(first) ||
            (uint64_t)sti_item_offset(last) - (uint64_t)sti_item_offset(first) < count - 1) {
        return false;
    }
    return to >= from && (to - from) / overhead >= count - 1 &&
           (!params.times || sti_item_time(last) >= sti_item_time(first));
}

/* Whether whole items lead from the first message of the log to its last. */
static bool pair_fits(const struct pair *p, struct sti_index_params params)
{
    size_t item_size = sti_index_item_size(params);
    uint64_t start = sti_log_start(p->version);
    uint64_t count = p->items_len / item_size;
    const uint8_t *last;
    stele_message message;
    uint64_t end;

    if (count == 0 || p->items_len % item_size != 0) {
        return false;
    }
    if (STI_MUTANT(INDEX_FIT_UNCHECKED)) {
        return true;
    }
    if (!message_at(p, start, &message, &end) || !agrees(p->items, params, &message, start)) {
        return false;
    }
    last = p->items + (count - 1) * item_size;
    return message_at(p, sti_item_position(last), &message, &end) && end == p->log_len &&
           agrees(last, params, &message, sti_item_position(last)) &&
           room_between(p->items, last, count, params, p);
}

/* An item of times is as long as one of keys, and a hash may well pass for a
 * time that is too high, but no time passes for a hash by chance. So what
 * fits as keys is keys; unless the time is the first message's own, too, when
 * somebody made both the same and nobody can tell. */
static bool is_keys_rather_than_times(const struct pair *p)
{
    struct sti_index_params keys = {.times = false, .keys = true};
    uint64_t start = sti_log_start(p->version);
    stele_message message;
    uint64_t end;

    return pair_fits(p, keys) && message_at(p, start, &message, &end) &&
           sti_item_time(p->items) != message.time;
}

static bool same_params(struct sti_index_params a, struct sti_index_params b)
{
    return a.times == b.times && a.keys == b.keys;
}

/* Whether one item made with `other` could be an item made with `params`
 * whose end was cut. */
static bool could_be_cut(
        const struct pair *p, struct sti_index_params params, struct sti_index_params other)
{
    return p->items_len == sti_index_item_size(other) &&
           sti_index_item_size(other) < sti_index_item_size(params) &&
           (!other.keys && (params.times || !other.times));
}

/* For version 1, which does not say with what parameters it was made. */
static enum sti_index_verdict judge_v1(const struct pair *p, struct sti_index_params params)
{
    if (pair_fits(p, params)) {
        bool times_alone = params.times && !params.keys;

        return times_alone && is_keys_rather_than_times(p) ? STI_INDEX_OTHER : STI_INDEX_FITS;
    }
    for (unsigned bits = 0; bits < 4; bits++) {
        struct sti_index_params other = {.times = (bits & 1) != 0, .keys = (bits & 2) != 0};

        if (!same_params(other, params) && pair_fits(p, other) && !could_be_cut(p, params, other)) {
            return STI_INDEX_OTHER;
        }
    }
    return STI_INDEX_UNFIT;
}

static enum sti_index_verdict judge_v2(
        const struct pair *p, struct sti_index_params params, struct sti_index_params header)
{
    if (same_params(params, header)) {
        if (p->items_len == 0) {
            return STI_INDEX_MISSING;
        }
        return pair_fits(p, params) ? STI_INDEX_FITS : STI_INDEX_UNFIT;
    }
    /* A flipped bit in the header should not pass for a choice that somebody
     * made: if the items are what they should be, the header is damaged. */
    if (pair_fits(p, params) && !pair_fits(p, header)) {
        return STI_INDEX_UNFIT;
    }
    return STI_INDEX_OTHER;
}

/* Of a log without messages: an empty index fits, and a bare header. */
static enum sti_index_verdict judge_none(uint64_t index_len, enum sti_index_kind kind,
        struct sti_index_params params, struct sti_index_params header)
{
    if (kind == STI_INDEX_V2 && !same_params(params, header)) {
        return STI_INDEX_OTHER;
    }
    if (index_len == 0 || (kind == STI_INDEX_V2 && index_len == STI_INDEX_HEADER_SIZE)) {
        return STI_INDEX_FITS;
    }
    return STI_INDEX_UNFIT;
}

enum sti_index_verdict sti_index_judge(const uint8_t *index, uint64_t index_len, const uint8_t *log,
        uint64_t log_len, int64_t base, struct sti_index_params params, const uint8_t **items,
        uint64_t *count)
{
    struct sti_index_params header = {0};
    enum sti_index_kind kind = sti_index_kind_of(index, index_len, base, &header);
    enum sti_log_kind log_kind = sti_log_kind_of(log, log_len, base);
    enum sti_index_verdict verdict = STI_INDEX_UNFIT;
    uint64_t skip = kind == STI_INDEX_V2 ? STI_INDEX_HEADER_SIZE : 0;
    struct pair p = {.log = log,
            .log_len = log_len,
            .version = log_kind == STI_LOG_V1 ? STELE_STREAM_V1 : STELE_STREAM_V2,
            .items = index_len == 0 ? index : index + skip,
            .items_len = index_len - skip};

    if ((log_kind != STI_LOG_V1 && log_kind != STI_LOG_V2) || log_len <= sti_log_start(p.version)) {
        verdict = judge_none(index_len, kind, params, header);
    } else if (kind == STI_INDEX_V2 && log_kind == STI_LOG_V2) {
        verdict = judge_v2(&p, params, header);
    } else if (kind == STI_INDEX_V1 && log_kind == STI_LOG_V1) {
        verdict = judge_v1(&p, params);
    }
    if (verdict == STI_INDEX_FITS) {
        *items = p.items;
        *count = p.items_len / sti_index_item_size(params);
    } else if (verdict == STI_INDEX_UNFIT && sti_all_zero(index, (size_t)index_len)) {
        verdict = STI_INDEX_MISSING;
    }
    return verdict;
}

bool sti_index_equal(const uint8_t *items, uint64_t count, const struct sti_items *built,
        struct sti_index_params params)
{
    size_t item_size = sti_index_item_size(params);
    int64_t floor = INT64_MIN;

    if (count != built->count) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        struct sti_index_item item;
        struct sti_index_item right;

        sti_index_item_get(items + i * item_size, params, &item);
        sti_index_item_get(built->data + i * item_size, params, &right);
        floor = i == 0 ? item.time : floor;
        right.time = right.time < floor ? floor : right.time;
        if (item.offset != right.offset || item.position != right.position ||
                item.time != right.time || item.hash != right.hash) {
            return false;
        }
    }
    return true;
}

/* ---- Files. ---- */

stele_code sti_index_write(struct sti_dir *dir, int64_t base, stele_stream_version version,
        struct sti_index_params params, const uint8_t *items, uint64_t count, stele_error *err)
{
    uint8_t header[STI_INDEX_HEADER_SIZE];
    stele_slice slices[2];
    size_t n = 0;
    char name[STI_NAME_SIZE];

    sti_assert(count <= SIZE_MAX / STI_INDEX_ITEM_MAX);

    sti_name_index(name, base);
    if (version != STELE_STREAM_V1) {
        sti_index_header_put(header, params);
        slices[n++] = (stele_slice){header, sizeof header};
    }
    if (count > 0) {
        slices[n++] = (stele_slice){items, (size_t)count * sti_index_item_size(params)};
    }
    return sti_put_file(dir, name, slices, n, true, err);
}

/* Whether the first two items tell that they were made with these
 * parameters: the first is that of the first message, and the second, if
 * there is one, begins where that message ends. Neither a log that lost its
 * end nor an index that did changes that. */
static bool start_fits(const struct pair *p, struct sti_index_params params)
{
    size_t item_size = sti_index_item_size(params);
    uint64_t start = sti_log_start(p->version);
    const uint8_t *second = p->items + item_size;
    stele_message message;
    uint64_t end;
    uint64_t after;

    if (p->items_len < item_size || !message_at(p, start, &message, &end) ||
            !agrees(p->items, params, &message, start)) {
        return false;
    }
    if (p->items_len < 2 * item_size) {
        return p->items_len == item_size;
    }
    if (sti_item_position(second) != end || sti_item_offset(second) <= message.offset ||
            (params.times && sti_item_time(second) < sti_item_time(p->items))) {
        return false;
    }
    return !message_at(p, end, &message, &after) || agrees(second, params, &message, end);
}

static bool detect_v1(const struct pair *p, struct sti_index_params *params)
{
    /* Keys before times: see is_keys_rather_than_times(). */
    static const struct sti_index_params all[] = {
            {true, true}, {false, true}, {true, false}, {false, false}};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (start_fits(p, all[i])) {
            *params = all[i];
            return true;
        }
    }
    return false;
}

struct mapping {
    stele_file *raw;
    void *bytes;
    size_t len;
};

/* A file of no bytes, or one that cannot be mapped, is false. */
static bool map_file(struct mapping *m, struct sti_dir *dir, const char *name)
{
    struct sti_file file = {0};
    stele_file_stat stat;
    bool done = false;

    if (sti_file_open(&file, dir, name, STELE_OPEN_READ, NULL) != STELE_OK) {
        return false;
    }
    if (sti_file_stat(&file, &stat, NULL) == STELE_OK && stat.size > 0 && stat.size <= SIZE_MAX &&
            sti_file_map(&file, (size_t)stat.size, false, &m->bytes, NULL) == STELE_OK) {
        m->raw = file.raw;
        m->len = (size_t)stat.size;
        done = true;
    }
    sti_file_close(&file);
    return done;
}

static void unmap_file(struct mapping *m)
{
    if (m->raw != NULL) {
        sti_raw_unmap(m->raw, m->bytes, m->len);
    }
}

bool sti_index_detect(struct sti_dir *dir, int64_t base, struct sti_index_params *params)
{
    struct mapping index = {0};
    struct mapping log = {0};
    char name[STI_NAME_SIZE];
    bool told = false;

    sti_name_index(name, base);
    if (map_file(&index, dir, name)) {
        struct pair p = {.version = STELE_STREAM_V1, .items = index.bytes, .items_len = index.len};
        enum sti_index_kind kind = sti_index_kind_of(index.bytes, index.len, base, params);

        told = kind == STI_INDEX_V2;
        sti_name_log(name, base);
        if (kind == STI_INDEX_V1 && map_file(&log, dir, name)) {
            p.log = log.bytes;
            p.log_len = log.len;
            told = sti_log_kind_of(log.bytes, log.len, base) == STI_LOG_V1 && detect_v1(&p, params);
        }
    }
    unmap_file(&log);
    unmap_file(&index);
    return told;
}
