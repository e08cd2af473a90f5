/* SPDX-License-Identifier: MIT
 *
 * offsets.c: sets of offsets, as bitmaps.
 *
 * The offsets are cut into spans of 4096. Each span that has any has a chunk,
 * a bitmap of 512 bytes; the chunks lie in an array, sorted. Offsets are
 * mostly added in ascending order, which finds its chunk at the end of the
 * array, and removed in the same order, which only moves the array's start.
 */
#include "stream/offsets.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"

enum {
    SPAN_BITS = 12,
    SPAN_SIZE = 1 << SPAN_BITS,
    SPAN_WORDS = SPAN_SIZE / 64,
    REFS_MIN = 8
};

struct chunk {
    uint32_t count; /* bits that are set */
    uint64_t words[SPAN_WORDS];
};

struct chunk_ref {
    int64_t span; /* offset >> SPAN_BITS */
    struct chunk *chunk;
};

struct stele_offsets {
    struct chunk_ref *refs;
    size_t capacity; /* of refs */
    size_t start;    /* refs[start..end - 1] are in use */
    size_t end;
    uint64_t count;
};

stele_code stele_offsets_new(stele_offsets **out, stele_error *err)
{
    stele_offsets *set;

    if (out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no place for the new set of offsets");
    }
    set = sti_calloc(1, sizeof *set);
    if (set == NULL) {
        return sti_fail_memory(err, sizeof *set);
    }
    *out = set;
    return STELE_OK;
}

void stele_offsets_clear(stele_offsets *set)
{
    if (set == NULL) {
        return;
    }
    for (size_t i = set->start; i < set->end; i++) {
        sti_free(set->refs[i].chunk);
    }
    set->start = 0;
    set->end = 0;
    set->count = 0;
}

void stele_offsets_free(stele_offsets *set)
{
    if (set == NULL) {
        return;
    }
    stele_offsets_clear(set);
    sti_free(set->refs);
    sti_free(set);
}

uint64_t stele_offsets_count(const stele_offsets *set)
{
    return set == NULL ? 0 : set->count;
}

/* Index of the first chunk whose span is not below `span`. */
static size_t lower_bound(const stele_offsets *set, int64_t span)
{
    size_t low = set->start;
    size_t high = set->end;

    if (low < high && set->refs[high - 1].span <= span) {
        return set->refs[high - 1].span == span ? high - 1 : high;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (set->refs[middle].span < span) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct chunk *find_chunk(const stele_offsets *set, int64_t span)
{
    size_t at = lower_bound(set, span);

    return at < set->end && set->refs[at].span == span ? set->refs[at].chunk : NULL;
}

/* Make room for one more at the end: by moving the chunks to the front if at
 * least half of the array is free there, else by doubling the array. */
static stele_code reserve_ref(stele_offsets *set, stele_error *err)
{
    size_t used = set->end - set->start;
    struct chunk_ref *refs;
    size_t capacity;

    if (set->end < set->capacity) {
        return STELE_OK;
    }
    if (set->start != 0 && set->start >= set->capacity / 2) {
        memmove(set->refs, set->refs + set->start, used * sizeof *set->refs);
        set->start = 0;
        set->end = used;
        return STELE_OK;
    }
    if (set->capacity > SIZE_MAX / 2 / sizeof *refs) {
        return sti_fail_memory(err, SIZE_MAX);
    }
    capacity = set->capacity == 0 ? REFS_MIN : set->capacity * 2;
    refs = sti_realloc(set->refs, capacity, sizeof *refs);
    if (refs == NULL) {
        return sti_fail_memory(err, capacity * sizeof *refs);
    }
    set->refs = refs;
    set->capacity = capacity;
    return STELE_OK;
}

/* The chunk of a span, which is made if it is missing; NULL, with *err set,
 * when there is no memory. */
static struct chunk *need_chunk(stele_offsets *set, int64_t span, stele_error *err)
{
    struct chunk *chunk = find_chunk(set, span);
    size_t at;

    if (chunk != NULL) {
        return chunk;
    }
    if (reserve_ref(set, err) != STELE_OK) {
        return NULL;
    }
    chunk = sti_calloc(1, sizeof *chunk);
    if (chunk == NULL) {
        (void)sti_fail_memory(err, sizeof *chunk);
        return NULL;
    }
    at = lower_bound(set, span);
    memmove(set->refs + at + 1, set->refs + at, (set->end - at) * sizeof *set->refs);
    set->refs[at] = (struct chunk_ref){.span = span, .chunk = chunk};
    set->end++;
    return chunk;
}

static size_t word_of(int64_t offset)
{
    return (size_t)(offset & (SPAN_SIZE - 1)) / 64;
}

static uint64_t bit_of(int64_t offset)
{
    return (uint64_t)1 << (offset & 63);
}

stele_code stele_offsets_add(stele_offsets *set, int64_t offset, stele_error *err)
{
    struct chunk *chunk;

    if (set == NULL) {
        return sti_fail(err, STELE_EINVAL, "no set of offsets to add to");
    }
    if (offset < 0) {
        return sti_fail(err, STELE_EOFFSET, "offset %lld cannot be in a set", (long long)offset);
    }
    chunk = need_chunk(set, offset >> SPAN_BITS, err);
    if (chunk == NULL) {
        return STELE_ENOMEM;
    }
    if ((chunk->words[word_of(offset)] & bit_of(offset)) == 0) {
        chunk->words[word_of(offset)] |= bit_of(offset);
        chunk->count++;
        set->count++;
    }
    return STELE_OK;
}

void stele_offsets_remove(stele_offsets *set, int64_t offset)
{
    if (set != NULL) {
        sti_offsets_remove_range(set, offset, offset);
    }
}

bool stele_offsets_has(const stele_offsets *set, int64_t offset)
{
    const struct chunk *chunk;

    if (set == NULL || offset < 0) {
        return false;
    }
    chunk = find_chunk(set, offset >> SPAN_BITS);
    return chunk != NULL && (chunk->words[word_of(offset)] & bit_of(offset)) != 0;
}

/* The bits of word `word` that stand for first..last, offsets of one span. */
static uint64_t mask_of(size_t word, int64_t first, int64_t last)
{
    uint64_t mask = UINT64_MAX;

    if (word == word_of(first)) {
        mask &= UINT64_MAX << (first & 63);
    }
    if (word == word_of(last)) {
        mask &= UINT64_MAX >> (63 - (last & 63));
    }
    return mask;
}

/* Clear first..last of one span; how many were set. */
static uint32_t clear_in_chunk(struct chunk *chunk, int64_t first, int64_t last)
{
    uint32_t cleared = 0;

    for (size_t i = word_of(first); i <= word_of(last); i++) {
        uint64_t gone = chunk->words[i] & mask_of(i, first, last);

        cleared += (uint32_t)__builtin_popcountll(gone);
        chunk->words[i] &= ~gone;
    }
    chunk->count -= cleared;
    return cleared;
}

static int64_t span_first(int64_t span)
{
    return span * SPAN_SIZE;
}

static int64_t span_last(int64_t span)
{
    return span * SPAN_SIZE + (SPAN_SIZE - 1);
}

void sti_offsets_remove_range(stele_offsets *set, int64_t first, int64_t last)
{
    size_t at;
    size_t kept;

    first = first < 0 ? 0 : first;
    if (last < first) {
        return;
    }
    at = lower_bound(set, first >> SPAN_BITS);
    kept = at;
    for (; at < set->end && span_first(set->refs[at].span) <= last; at++) {
        struct chunk_ref ref = set->refs[at];
        int64_t from = first > span_first(ref.span) ? first : span_first(ref.span);
        int64_t to = last < span_last(ref.span) ? last : span_last(ref.span);

        set->count -= clear_in_chunk(ref.chunk, from, to);
        if (ref.chunk->count == 0) {
            sti_free(ref.chunk);
        } else {
            set->refs[kept++] = ref;
        }
    }
    if (kept == set->start) {
        set->start = at;
    } else if (kept != at) {
        memmove(set->refs + kept, set->refs + at, (set->end - at) * sizeof *set->refs);
        set->end -= at - kept;
    }
}

int64_t stele_offsets_next(const stele_offsets *set, int64_t from)
{
    if (set == NULL) {
        return STELE_OFFSET_INVALID;
    }
    from = from < 0 ? 0 : from;
    for (size_t at = lower_bound(set, from >> SPAN_BITS); at < set->end; at++) {
        const struct chunk *chunk = set->refs[at].chunk;
        int64_t first = span_first(set->refs[at].span);

        first = from > first ? from : first;
        for (size_t i = word_of(first); i < SPAN_WORDS; i++) {
            uint64_t bits = chunk->words[i] &
                            (i == word_of(first) ? UINT64_MAX << (first & 63) : UINT64_MAX);

            if (bits != 0) {
                return span_first(set->refs[at].span) + (int64_t)(i * 64) + __builtin_ctzll(bits);
            }
        }
    }
    return STELE_OFFSET_INVALID;
}

int64_t sti_offsets_min(const stele_offsets *set)
{
    return stele_offsets_next(set, 0);
}

/* The chunks of `of` for first..last. */
static stele_code reserve_range(
        stele_offsets *set, const stele_offsets *of, int64_t first, int64_t last, stele_error *err)
{
    for (size_t at = lower_bound(of, first >> SPAN_BITS); at < of->end; at++) {
        if (of->refs[at].span > last >> SPAN_BITS) {
            break;
        }
        if (need_chunk(set, of->refs[at].span, err) == NULL) {
            return STELE_ENOMEM;
        }
    }
    return STELE_OK;
}

stele_code sti_offsets_reserve(stele_offsets *set, const stele_offsets *of, stele_error *err)
{
    return reserve_range(set, of, 0, INT64_MAX, err);
}

/* Add what `from` has of first..last, offsets of one span. */
static void merge_chunk(stele_offsets *set, struct chunk *chunk, const struct chunk *from,
        int64_t first, int64_t last)
{
    for (size_t i = word_of(first); i <= word_of(last); i++) {
        uint64_t added = from->words[i] & ~chunk->words[i] & mask_of(i, first, last);
        uint32_t count = (uint32_t)__builtin_popcountll(added);

        chunk->words[i] |= added;
        chunk->count += count;
        set->count += count;
    }
}

stele_code sti_offsets_merge_range(stele_offsets *set, const stele_offsets *from, int64_t first,
        int64_t last, stele_error *err)
{
    stele_code rc;

    first = first < 0 ? 0 : first;
    if (last < first) {
        return STELE_OK;
    }
    rc = reserve_range(set, from, first, last, err);
    if (rc != STELE_OK) {
        sti_offsets_shrink(set);
        return rc;
    }
    for (size_t at = lower_bound(from, first >> SPAN_BITS); at < from->end; at++) {
        struct chunk_ref ref = from->refs[at];
        struct chunk *chunk = find_chunk(set, ref.span);

        if (span_first(ref.span) > last) {
            break;
        }
        sti_assert(chunk != NULL);
        merge_chunk(set, chunk, ref.chunk,
                first > span_first(ref.span) ? first : span_first(ref.span),
                last < span_last(ref.span) ? last : span_last(ref.span));
    }
    return STELE_OK;
}

stele_code sti_offsets_merge(stele_offsets *set, const stele_offsets *from, stele_error *err)
{
    return sti_offsets_merge_range(set, from, 0, INT64_MAX, err);
}

void sti_offsets_shrink(stele_offsets *set)
{
    size_t kept = set->start;

    for (size_t at = set->start; at < set->end; at++) {
        if (set->refs[at].chunk->count == 0) {
            sti_free(set->refs[at].chunk);
        } else {
            set->refs[kept++] = set->refs[at];
        }
    }
    set->end = kept;
}
