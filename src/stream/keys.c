/* SPDX-License-Identifier: MIT */
#include "stream/keys.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/names.h"
#include "stream/put_file.h"

#include <inttypes.h>
#include <string.h>

static const uint8_t magic[7] = {'S', 'T', 'E', 'L', 'K', 'E', 'Y'};

enum {
    KEYS_VERSION = 1,
    FLAG_PARTS = 1,
    ITEMS_PER_FILTER_WORD = 2,
    LINE_SIZE = 64,
    LINES = 4, /* to each side: the place is there in half of the searches in 10,000 items or more
                */
    HASH_SIZE = 8,
    ORDINAL_SIZE = 4,
    WORD_SIZE = 8,
    HEADER_CRC_AT = 60,

    DIGIT_BITS = 10,
    DIGITS = 7, /* 70 bits: the whole hash */
    SHORT_DIGITS = 2,
    MOVES_PER_ITEM = 8,

    STEPS_MAX = 12
};

struct header {
    int64_t base;
    uint64_t log_size;
    uint64_t index_size;
    uint64_t count;
    uint32_t words;
    uint32_t index_crc;
    uint32_t parts_crc;
    uint32_t flags;
};

static void header_put(uint8_t out[STI_KEYS_HEADER_SIZE], const struct header *h)
{
    memset(out, 0, STI_KEYS_HEADER_SIZE);
    memcpy(out, magic, sizeof magic);
    out[7] = KEYS_VERSION;
    sti_put_le64(out + 8, (uint64_t)h->base);
    sti_put_le64(out + 16, h->log_size);
    sti_put_le64(out + 24, h->index_size);
    sti_put_le64(out + 32, h->count);
    sti_put_le32(out + 40, h->words);
    sti_put_le32(out + 44, h->index_crc);
    sti_put_le32(out + 48, h->parts_crc);
    sti_put_le32(out + 52, h->flags);
    sti_put_le32(out + HEADER_CRC_AT, sti_crc32c(0, out, HEADER_CRC_AT));
}

static void header_get(const uint8_t in[STI_KEYS_HEADER_SIZE], struct header *h)
{
    h->base = (int64_t)sti_get_le64(in + 8);
    h->log_size = sti_get_le64(in + 16);
    h->index_size = sti_get_le64(in + 24);
    h->count = sti_get_le64(in + 32);
    h->words = sti_get_le32(in + 40);
    h->index_crc = sti_get_le32(in + 44);
    h->parts_crc = sti_get_le32(in + 48);
    h->flags = sti_get_le32(in + 52);
}

/* Bytes of the whole file; neither number can make this overflow: both are
 * below 2^32. */
static uint64_t file_size(uint64_t count, uint32_t words)
{
    return STI_KEYS_HEADER_SIZE + (uint64_t)WORD_SIZE * words +
           (uint64_t)(HASH_SIZE + ORDINAL_SIZE) * count;
}

/* Let the parts point into the bytes of a file of the right size. */
static void point_into(struct sti_keys *keys, const uint8_t *bytes, const struct header *h)
{
    keys->count = h->count;
    keys->words = h->words;
    keys->index_crc = h->index_crc;
    keys->filter = bytes + STI_KEYS_HEADER_SIZE;
    keys->hashes = keys->filter + (size_t)WORD_SIZE * h->words;
    keys->ordinals = keys->hashes + (size_t)(HASH_SIZE * h->count);
}

/* ---- Sorting. ---- */

struct pair {
    uint64_t hash;
    uint32_t ordinal;
};

/* Sort by the digits from `first` up to the highest, the lowest of them
 * first, keeping the order of equal ones. Returns the array that has the
 * result. */
static struct pair *sort_digits(struct pair *from, struct pair *to, size_t n, int first)
{
    for (int digit = first; digit < DIGITS; digit++) {
        /* The digits end at bit 63, so that the upper ones are all whole. */
        int shift = digit == 0 ? 0 : 64 - (DIGITS - digit) * DIGIT_BITS;
        uint32_t places[1 << DIGIT_BITS] = {0};
        uint32_t sum = 0;
        struct pair *swap = from;

        for (size_t i = 0; i < n; i++) {
            places[from[i].hash >> shift & ((1 << DIGIT_BITS) - 1)]++;
        }
        for (size_t i = 0; i < 1 << DIGIT_BITS; i++) {
            uint32_t here = places[i];

            places[i] = sum;
            sum += here;
        }
        for (size_t i = 0; i < n; i++) {
            to[places[from[i].hash >> shift & ((1 << DIGIT_BITS) - 1)]++] = from[i];
        }
        from = to;
        to = swap;
    }
    return from;
}

/* Finish what is nearly sorted. False, with nothing but the order changed, if
 * it is not: equal upper digits are many in a large segment, or were made. */
static bool sort_insert(struct pair *pairs, size_t n)
{
    uint64_t moves = 0;

    for (size_t i = 1; i < n; i++) {
        struct pair p = pairs[i];
        size_t at = i;

        while (at > 0 && pairs[at - 1].hash > p.hash) {
            pairs[at] = pairs[at - 1];
            at--;
        }
        pairs[at] = p;
        moves += i - at;
        if (moves > (uint64_t)MOVES_PER_ITEM * n) {
            return false;
        }
    }
    return true;
}

static struct pair *sort_pairs(struct pair *pairs, struct pair *spare, size_t n)
{
    struct pair *sorted = sort_digits(pairs, spare, n, DIGITS - SHORT_DIGITS);

    if (!sort_insert(sorted, n)) {
        sorted = sort_digits(sorted, sorted == pairs ? spare : pairs, n, 0);
    }
    return sorted;
}

/* ---- Building. ---- */

static void fill_filter(uint8_t *filter, uint32_t words, const struct pair *sorted, size_t n)
{
    memset(filter, 0, (size_t)WORD_SIZE * words);
    for (size_t i = 0; i < n; i++) {
        uint8_t *word = filter + WORD_SIZE * sti_keys_word(sorted[i].hash, words);

        sti_put_le64(word, sti_get_le64(word) | sti_keys_bits(sorted[i].hash));
    }
}

static stele_code fill_parts(uint8_t *parts, uint32_t words, const uint8_t *items, size_t n,
        size_t item_size, stele_error *err)
{
    uint8_t *hashes = parts + (size_t)WORD_SIZE * words;
    uint8_t *ordinals = hashes + (size_t)HASH_SIZE * n;
    struct pair *pairs = NULL;
    struct pair *sorted;

    if (n <= SIZE_MAX / 2 / sizeof *pairs) {
        pairs = sti_malloc(2 * n * sizeof *pairs);
    }
    if (pairs == NULL) {
        return sti_fail_memory(err, n <= SIZE_MAX / 2 / sizeof *pairs ? 2 * n * sizeof *pairs : n);
    }
    for (size_t i = 0; i < n; i++) {
        pairs[i].hash = sti_keys_mix(sti_item_hash(items + i * item_size, item_size));
        pairs[i].ordinal = (uint32_t)i;
    }
    sorted = sort_pairs(pairs, pairs + n, n);
    fill_filter(parts, words, sorted, n);
    for (size_t i = 0; i < n; i++) {
        sti_put_le64(hashes + HASH_SIZE * i, sorted[i].hash);
        sti_put_le32(ordinals + ORDINAL_SIZE * i, sorted[i].ordinal);
    }
    sti_free(pairs);
    return STELE_OK;
}

static uint32_t index_crc(stele_stream_version version, struct sti_index_params params,
        const uint8_t *items, size_t items_len)
{
    uint8_t header[STI_INDEX_HEADER_SIZE];
    uint32_t crc = 0;

    if (version != STELE_STREAM_V1) {
        sti_index_header_put(header, params);
        crc = sti_crc32c(0, header, sizeof header);
    }
    return sti_crc32c(crc, items, items_len);
}

stele_code sti_keys_build(struct sti_keys *out, int64_t base, uint64_t log_size,
        stele_stream_version version, struct sti_index_params params, const uint8_t *items,
        uint64_t count, stele_error *err)
{
    size_t item_size = sti_index_item_size(params);
    struct header h = {.base = base, .log_size = log_size};
    struct sti_keys keys = {0};
    uint64_t size;
    stele_code rc = STELE_OK;

    if (count > UINT32_MAX || count > SIZE_MAX / 2 / STI_INDEX_ITEM_MAX) {
        return sti_fail(err, STELE_ETOOBIG,
                "%" PRIu64 " items in one segment, more than a side file holds", count);
    }
    h.index_size = sti_index_start(version) + count * item_size;
    h.index_crc = index_crc(version, params, items, (size_t)count * item_size);
    if (params.keys) {
        h.flags = FLAG_PARTS;
        h.count = count;
        h.words = (uint32_t)(count < ITEMS_PER_FILTER_WORD ? 1 : count / ITEMS_PER_FILTER_WORD);
    }
    size = file_size(h.count, h.words);
    keys.bytes = sti_malloc((size_t)size);
    if (keys.bytes == NULL) {
        return sti_fail_memory(err, (size_t)size);
    }
    keys.bytes_len = (size_t)size;
    point_into(&keys, keys.bytes, &h);
    if (params.keys) {
        rc = fill_parts(
                keys.bytes + STI_KEYS_HEADER_SIZE, h.words, items, (size_t)count, item_size, err);
        if (rc != STELE_OK) {
            sti_free(keys.bytes);
            return rc;
        }
    }
    h.parts_crc =
            sti_crc32c(0, keys.bytes + STI_KEYS_HEADER_SIZE, keys.bytes_len - STI_KEYS_HEADER_SIZE);
    header_put(keys.bytes, &h);
    *out = keys;
    return STELE_OK;
}

/* ---- Reading. ---- */

static bool numbers_fit(const struct header *h, size_t len)
{
    if (h->count > UINT32_MAX || file_size(h->count, h->words) != len) {
        return false;
    }
    if (h->flags == 0) {
        return h->count == 0 && h->words == 0;
    }
    return h->flags == FLAG_PARTS && h->words != 0;
}

/* Whether the index can have as many items as the side file says. Version 1
 * does not tell its parameters, but with keys it has one of two sizes. */
static bool count_fits(
        const struct header *h, const uint8_t *index, uint64_t index_len, int64_t base)
{
    struct sti_index_params with = {.times = true, .keys = true};
    struct sti_index_params without = {.times = false, .keys = true};
    struct sti_index_params params = {0};

    switch (sti_index_kind_of(index, index_len, base, &params)) {
    case STI_INDEX_V2:
        if (params.keys != (h->flags == FLAG_PARTS)) {
            return false;
        }
        return !params.keys ||
               h->count * sti_index_item_size(params) == index_len - STI_INDEX_HEADER_SIZE;
    case STI_INDEX_EMPTY:
    case STI_INDEX_V1:
        return h->flags == 0 || h->count * sti_index_item_size(with) == index_len ||
               h->count * sti_index_item_size(without) == index_len;
    case STI_INDEX_TORN:
    case STI_INDEX_VERSION:
    case STI_INDEX_FOREIGN:
        break;
    }
    return false;
}

/* Hashes rise, ordinals are those of items, and rise among equal hashes. The
 * checksum promises as much, but a checksum is easily made. */
static bool parts_hold(const struct sti_keys *keys)
{
    uint64_t before = 0;
    uint64_t next = 0; /* the lowest ordinal that may follow an equal hash */
    bool good = true;

    for (uint64_t i = 0; i < keys->count; i++) {
        uint64_t hash = sti_get_le64(keys->hashes + HASH_SIZE * i);
        uint64_t ordinal = sti_keys_ordinal(keys, i);

        next = hash == before ? next : 0;
        good &= (hash >= before) & (ordinal >= next) & (ordinal < keys->count);
        next = ordinal + 1;
        before = hash;
    }
    return good;
}

static stele_code check_parts(const struct sti_keys *keys, const uint8_t *bytes, size_t len,
        uint32_t crc, const char *name, stele_error *err)
{
    if (sti_crc32c(0, bytes + STI_KEYS_HEADER_SIZE, len - STI_KEYS_HEADER_SIZE) != crc) {
        return sti_fail_at(err, STELE_ECORRUPT, name, STI_KEYS_HEADER_SIZE,
                "the checksum of filter, hashes and ordinals is wrong");
    }
    if (!parts_hold(keys)) {
        return sti_fail_at(err, STELE_ECORRUPT, name, keys->hashes - bytes,
                "hashes are not sorted, or ordinals are not those of items");
    }
    return STELE_OK;
}

static stele_code check_header(
        const uint8_t *bytes, size_t len, struct header *h, const char *name, stele_error *err)
{
    if (len < STI_KEYS_HEADER_SIZE) {
        return sti_fail_at(err, STELE_ECORRUPT, name, 0, "short header, %zu of %d bytes", len,
                STI_KEYS_HEADER_SIZE);
    }
    if (memcmp(bytes, magic, sizeof magic) != 0) {
        return sti_fail_at(err, STELE_ECORRUPT, name, 0, "not a side file");
    }
    if (bytes[sizeof magic] != KEYS_VERSION) {
        return sti_fail_at(err, STELE_EVERSION, name, sizeof magic, "version %d, not %d",
                bytes[sizeof magic], KEYS_VERSION);
    }
    header_get(bytes, h);
    if (sti_crc32c(0, bytes, HEADER_CRC_AT) != sti_get_le32(bytes + HEADER_CRC_AT)) {
        return sti_fail_at(
                err, STELE_ECORRUPT, name, HEADER_CRC_AT, "the checksum of the header is wrong");
    }
    if (!numbers_fit(h, len) || sti_get_le32(bytes + 56) != 0) {
        return sti_fail_at(err, STELE_ECORRUPT, name, 32,
                "%" PRIu64 " items, %" PRIu32 " words and flags 0x%" PRIx32
                " do not fit a file of %zu bytes",
                h->count, h->words, h->flags, len);
    }
    return STELE_OK;
}

stele_code sti_keys_decode(struct sti_keys *out, const uint8_t *bytes, size_t len, int64_t base,
        uint64_t log_size, const uint8_t *index, uint64_t index_len, stele_error *err)
{
    struct sti_keys keys = {0};
    struct header h = {0};
    char name[STI_NAME_SIZE];
    stele_code rc;

    sti_name_keys(name, base);
    rc = check_header(bytes, len, &h, name, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (h.base != base || h.log_size != log_size || h.index_size != index_len) {
        return sti_fail_at(err, STELE_ECORRUPT, name, 8,
                "made for a log of %" PRIu64 " bytes and an index of %" PRIu64 " at %" PRId64
                ", not %" PRIu64 " and %" PRIu64,
                h.log_size, h.index_size, h.base, log_size, index_len);
    }
    if (!count_fits(&h, index, index_len, base)) {
        return sti_fail_at(err, STELE_ECORRUPT, name, 32,
                "%" PRIu64 " items do not fit an index of %" PRIu64 " bytes", h.count, index_len);
    }
    point_into(&keys, bytes, &h);
    rc = check_parts(&keys, bytes, len, h.parts_crc, name, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (!STI_MUTANT(KEYS_NO_INDEX_CRC) && sti_crc32c(0, index, (size_t)index_len) != h.index_crc) {
        return sti_fail_at(err, STELE_ECORRUPT, name, 44,
                "the checksum of the index is not the one it had when this was made");
    }
    *out = keys;
    return STELE_OK;
}

stele_code sti_keys_open(struct sti_keys *out, struct sti_dir *dir, int64_t base, uint64_t log_size,
        const uint8_t *index, uint64_t index_len, stele_error *err)
{
    struct sti_file file = {0};
    struct sti_keys keys = {0};
    char name[STI_NAME_SIZE];
    stele_file_stat stat;
    stele_file *raw;
    void *map = NULL;
    size_t len = 0;
    stele_code rc;

    sti_name_keys(name, base);
    rc = sti_file_open(&file, dir, name, STELE_OPEN_READ, err);
    if (rc != STELE_OK) {
        return rc;
    }
    raw = file.raw;
    rc = sti_file_stat(&file, &stat, err);
    if (rc == STELE_OK && (stat.size < STI_KEYS_HEADER_SIZE || stat.size > SIZE_MAX)) {
        rc = sti_fail_at(err, STELE_ECORRUPT, name, 0, "%" PRIu64 " bytes, which no side file has",
                stat.size);
    }
    if (rc == STELE_OK) {
        len = (size_t)stat.size;
        rc = sti_file_map(&file, len, false, &map, err);
    }
    sti_file_close(&file);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_keys_decode(&keys, map, len, base, log_size, index, index_len, err);
    if (rc != STELE_OK) {
        sti_raw_unmap(raw, map, len);
        return rc;
    }
    keys.raw = raw;
    keys.map = map;
    keys.map_len = len;
    *out = keys;
    return STELE_OK;
}

stele_code sti_keys_write(
        struct sti_dir *dir, int64_t base, const struct sti_keys *keys, stele_error *err)
{
    stele_slice slice = {keys->bytes, keys->bytes_len};
    char name[STI_NAME_SIZE];

    sti_assert(keys->bytes != NULL);

    sti_name_keys(name, base);
    return sti_put_file(dir, name, &slice, 1, true, err);
}

void sti_keys_close(struct sti_keys *keys)
{
    if (keys->map != NULL) {
        sti_raw_unmap(keys->raw, keys->map, keys->map_len);
    }
    sti_free(keys->bytes);
    memset(keys, 0, sizeof *keys);
}

/* ---- Looking up. ---- */

static uint64_t hash_at(const struct sti_keys *keys, uint64_t place)
{
    return sti_get_le64(keys->hashes + HASH_SIZE * place);
}

/* How many places lie within this distance of hashes, if they are spread
 * evenly; count is below 2^32. */
static uint64_t places_within(uint64_t distance, uint64_t count)
{
    return (distance >> 32) * count >> 32;
}

/* The first place in [low, high) whose hash is not below this one, or high. */
static uint64_t lower_bound(const struct sti_keys *keys, uint64_t hash, uint64_t low, uint64_t high)
{
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (hash_at(keys, middle) < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The same over all, by asking where the hash should be. Hashes can be made
 * that are spread unevenly: after some steps the rest is halved. */
static uint64_t interpolate(const struct sti_keys *keys, uint64_t hash)
{
    uint64_t low = 0;
    uint64_t high = keys->count;
    uint64_t at = places_within(hash, high);

    for (int step = 0; step < STEPS_MAX && low < high; step++) {
        uint64_t here = hash_at(keys, at);

        if (here < hash) {
            low = at + 1;
            at = low + places_within(hash - here, keys->count);
            at = at < high ? at : high - 1;
        } else {
            uint64_t back = places_within(here - hash, keys->count) + 1;

            high = at;
            at = back < high - low ? high - back : low;
        }
    }
    return lower_bound(keys, hash, low, high);
}

/* Where the run of equal hashes that begins at `first` ends: ever longer steps
 * while they stay in it, then halving. */
static uint64_t run_end(const struct sti_keys *keys, uint64_t hash, uint64_t first)
{
    uint64_t low = first; /* all before it are in the run */
    uint64_t step = 1;

    while (low < keys->count && hash_at(keys, low) == hash) {
        uint64_t left = keys->count - low;

        step = step < left ? step : left;
        if (hash_at(keys, low + step - 1) != hash) {
            /* Something is above it, so that adding one does not overflow. */
            return lower_bound(keys, hash + 1, low + 1, low + step - 1);
        }
        low += step;
        step *= 2;
    }
    return low;
}

/* What the steps of a search around this place will look at, and the ordinal behind it, all at once
 * instead of one after the other. */
static void expect(const struct sti_keys *keys, uint64_t place)
{
    const uint8_t *at = keys->hashes + HASH_SIZE * place;

    __builtin_prefetch(keys->ordinals + ORDINAL_SIZE * place);
    for (ptrdiff_t line = -LINES; line <= LINES; line++) {
        __builtin_prefetch(at + line * LINE_SIZE);
    }
}

void sti_keys_find(const struct sti_keys *keys, uint64_t hash, uint64_t *first, uint64_t *last)
{
    uint64_t mixed = sti_keys_mix(hash);

    expect(keys, places_within(mixed, keys->count));
    *first = interpolate(keys, mixed);
    *last = run_end(keys, mixed, *first);
}
