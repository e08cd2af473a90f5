/* SPDX-License-Identifier: MIT
 *
 * segment.c: the segments of a view: loading sealed ones, finding messages.
 *
 * A sealed segment's log is mapped and its index looked up in place. The
 * index is used if it fits the log at its ends (a step, not a scan), or if the side file vouches
 * for it; every message that it leads to is checked against what it says, and one that does not
 * agree makes the index be built again from the log.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/index_file.h"
#include "stream/state.h"

#include <inttypes.h>

/* ---- Maps. ---- */

static stele_code new_map(
        struct sti_map **out, uint8_t *data, size_t len, stele_file *raw, stele_error *err)
{
    struct sti_map *map = sti_calloc(1, sizeof *map);

    if (map == NULL) {
        return sti_fail_memory(err, sizeof *map);
    }
    atomic_init(&map->refs, 1);
    map->data = data;
    map->len = len;
    map->raw = raw;
    *out = map;
    return STELE_OK;
}

stele_code sti_map_memory(struct sti_map **out, uint8_t *data, size_t len, stele_error *err)
{
    return new_map(out, data, len, NULL, err);
}

stele_code sti_map_file(struct sti_map **out, struct sti_file *f, size_t len, bool writable,
        bool into_memory, stele_error *err)
{
    void *data = NULL;
    size_t got = 0;
    stele_code rc;

    if (into_memory || len == 0) {
        uint8_t *memory = sti_malloc(len);

        if (memory == NULL) {
            return sti_fail_memory(err, len);
        }
        /* The file may have been cut since its size was asked for: beside a
         * writer in another process. */
        rc = sti_file_read_some(f, 0, memory, len, &got, err);
        rc = rc != STELE_OK ? rc : sti_map_memory(out, memory, got, err);
        if (rc != STELE_OK) {
            sti_free(memory);
        }
        return rc;
    }
    rc = sti_file_map(f, len, writable, &data, err);
    if (rc == STELE_OK) {
        rc = new_map(out, data, len, f->raw, err);
        if (rc != STELE_OK) {
            sti_raw_unmap(f->raw, data, len);
        }
    }
    return rc;
}

struct sti_map *sti_map_ref(struct sti_map *map)
{
    (void)atomic_fetch_add_explicit(&map->refs, 1, memory_order_relaxed);
    return map;
}

void sti_map_unref(struct sti_map *map)
{
    if (map == NULL || atomic_fetch_sub_explicit(&map->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (map->raw != NULL) {
        sti_raw_unmap(map->raw, map->data, map->len);
    } else {
        sti_free(map->data);
    }
    sti_free(map);
}

/* ---- Life of a segment. ---- */

stele_code sti_segment_new(struct sti_segment **out, int64_t base, stele_error *err)
{
    struct sti_segment *seg = sti_calloc(1, sizeof *seg);

    if (seg == NULL) {
        return sti_fail_memory(err, sizeof *seg);
    }
    atomic_init(&seg->refs, 1);
    seg->base = base;
    *out = seg;
    return STELE_OK;
}

struct sti_segment *sti_segment_ref(struct sti_segment *seg)
{
    (void)atomic_fetch_add_explicit(&seg->refs, 1, memory_order_relaxed);
    return seg;
}

void sti_segment_unref(struct sti_segment *seg)
{
    if (seg == NULL || atomic_fetch_sub_explicit(&seg->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < seg->map_count; i++) {
        sti_map_unref(seg->maps[i]);
    }
    sti_free(seg->maps);
    sti_map_unref(seg->index_map);
    sti_keys_close(&seg->keys);
    sti_free(seg->verified);
    sti_head_free(seg->head);
    sti_free(seg);
}

stele_code sti_segment_add_map(struct sti_segment *seg, struct sti_map *map, stele_error *err)
{
    struct sti_map **maps = sti_realloc(seg->maps, seg->map_count + 1, sizeof(struct sti_map *));

    if (maps == NULL) {
        return sti_fail_memory(err, (seg->map_count + 1) * sizeof(struct sti_map *));
    }
    seg->maps = maps;
    maps[seg->map_count++] = map;
    /* Pairs with the reader's load: it has seen a count that was published
     * after this, and so finds a map that reaches that far. */
    atomic_store_explicit(&seg->map, map, memory_order_release);
    return STELE_OK;
}

/* ---- Loading a sealed segment. ---- */

/* What loading works on; taken over by the segment when all is well. */
struct loading {
    stele_stream *s;
    struct sti_segment *seg;
    struct sti_file log;
    struct sti_file index;
    uint64_t log_size;
    uint64_t index_size;
    struct sti_map *log_map;
    struct sti_map *index_map;
    struct sti_keys keys;
    bool has_keys;
    bool distrust; /* there is a side file, and it does not vouch for the index */
};

static stele_code open_log(struct loading *l, stele_error *err)
{
    char name[STI_NAME_SIZE];
    stele_file_stat st;
    stele_code rc;

    sti_name_log(name, l->seg->base);
    rc = sti_file_open(&l->log, &l->s->dir, name, STELE_OPEN_READ, err);
    if (rc == STELE_OK) {
        rc = sti_file_stat(&l->log, &st, err);
    }
    if (rc == STELE_OK && st.size > SIZE_MAX) {
        rc = sti_fail_at(err, STELE_ETOOBIG, name, -1, "too large for this machine");
    }
    if (rc == STELE_OK) {
        l->log_size = st.size;
    }
    return rc;
}

/* A missing index, or one that cannot be read, is made from the log. */
static stele_code open_index(struct loading *l, stele_error *err)
{
    char name[STI_NAME_SIZE];
    stele_file_stat st;
    stele_code rc;

    sti_name_index(name, l->seg->base);
    rc = sti_file_open(&l->index, &l->s->dir, name, STELE_OPEN_READ, err);
    if (rc == STELE_ENOTFOUND) {
        return STELE_OK;
    }
    if (rc == STELE_OK) {
        rc = sti_file_stat(&l->index, &st, err);
    }
    if (rc == STELE_OK && st.size > SIZE_MAX) {
        rc = sti_fail_at(err, STELE_ETOOBIG, name, -1, "too large for this machine");
    }
    if (rc == STELE_OK) {
        l->index_size = st.size;
        rc = sti_map_file(&l->index_map, &l->index, (size_t)st.size, false, false, err);
    }
    return rc;
}

static void open_keys(struct loading *l)
{
    stele_code rc;

    if (l->index_map == NULL) {
        return;
    }
    rc = sti_keys_open(&l->keys, &l->s->dir, l->seg->base, l->log_size, l->index_map->data,
            l->index_map->len, NULL);
    l->has_keys = rc == STELE_OK;
    l->distrust = rc != STELE_OK && rc != STELE_ENOTFOUND;
}

static stele_code judge_kind(struct loading *l, bool *empty, stele_error *err)
{
    char name[STI_NAME_SIZE];
    enum sti_log_kind kind = sti_log_kind_of(l->log_map->data, l->log_map->len, l->seg->base);

    sti_name_log(name, l->seg->base);
    *empty = false;
    switch (kind) {
    case STI_LOG_EMPTY:
        *empty = true;
        l->seg->version = l->s->opts.new_segments;
        return STELE_OK;
    case STI_LOG_V1:
        l->seg->version = STELE_STREAM_V1;
        return STELE_OK;
    case STI_LOG_V2:
        l->seg->version = STELE_STREAM_V2;
        return STELE_OK;
    case STI_LOG_VERSION:
        return sti_fail_at(err, STELE_EVERSION, name, 6, "unknown format version %u",
                (unsigned)l->log_map->data[6]);
    case STI_LOG_TORN:
    case STI_LOG_FOREIGN:
        break;
    }
    return sti_fail_at(err, STELE_ECORRUPT, name, 0, "does not begin as a log");
}

/* A crash may leave a sealed segment with the zero tail of a head: klevdb
 * cannot read that. Nobody looks behind the end, so it can go. */
static void cut_zero_tail(struct loading *l, uint64_t end)
{
    char name[STI_NAME_SIZE];
    struct sti_file log = {0};

    if (end >= l->log_map->len ||
            !sti_all_zero(l->log_map->data + end, (size_t)(l->log_map->len - end))) {
        return;
    }
    sti_name_log(name, l->seg->base);
    if (sti_file_open(&log, &l->s->dir, name, STELE_OPEN_WRITE, NULL) == STELE_OK &&
            sti_file_truncate(&log, end, NULL) == STELE_OK) {
        (void)sti_file_sync(&log, false, NULL);
    }
    sti_file_close(&log);
}

/* The index that was built goes to disk, too, so that the next open finds it.
 * It can be built at any time: a failure is no failure of the reader's call. */
static void save_index(struct loading *l, const struct sti_items *built)
{
    struct sti_segment *seg = l->seg;

    bool written = true;

    /* One that was made over damage would hide it from the next open. */
    if (l->s->mode == STI_MODE_WRITER && atomic_load(&l->s->failed) == STELE_OK &&
            built->damage == UINT64_MAX) {
        cut_zero_tail(l, built->end);
        written = sti_index_write(&l->s->dir, seg->base, seg->version, l->s->params, built->data,
                          built->count, NULL) == STELE_OK;
    }
    sti_env_log(&l->s->env, STELE_LOG_WARN,
            "%s: segment %" PRId64 ": index made again from the log%s", l->s->dir.path, seg->base,
            written ? "" : ", and not written");
}

static stele_code build_index(struct loading *l, stele_error *err)
{
    struct sti_segment *seg = l->seg;
    struct sti_items built = {0};
    stele_code rc;

    rc = sti_items_build(&built, l->log_map->data, l->log_map->len, seg->base,
            seg->limit != 0 ? seg->limit : INT64_MAX, l->s->params, INT64_MIN, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (STI_MUTANT(INDEX_NOT_REBUILT)) {
        built.count = 0;
    }
    save_index(l, &built);
    seg->rebuilt = true;
    seg->damaged = built.damage != UINT64_MAX;
    seg->end = built.end;
    seg->count = built.count;
    seg->items = built.data;
    sti_map_unref(l->index_map);
    l->index_map = NULL;
    rc = sti_map_memory(&l->index_map, built.data, built.count * built.item_size, err);
    if (rc != STELE_OK) {
        sti_items_free(&built);
    }
    return rc;
}

/* Whether the last offset belongs to the segment behind: nothing protects it in
 * version 1, and a file may have been given another's name. */
static bool is_beyond(const struct loading *l)
{
    const struct sti_segment *seg = l->seg;
    size_t item_size = sti_index_item_size(l->s->params);

    return seg->limit != 0 && seg->count > 0 &&
           sti_item_offset(seg->items + (seg->count - 1) * item_size) >= seg->limit;
}

static stele_code take_index(struct loading *l, stele_error *err)
{
    struct sti_segment *seg = l->seg;
    char name[STI_NAME_SIZE];
    enum sti_index_verdict verdict = STI_INDEX_MISSING;

    if (l->index_map != NULL) {
        verdict = sti_index_judge(l->index_map->data, l->index_map->len, l->log_map->data,
                l->log_map->len, seg->base, l->s->params, &seg->items, &seg->count);
    }
    if (verdict == STI_INDEX_OTHER) {
        sti_name_index(name, seg->base);
        return sti_fail_at(err, STELE_EMISMATCH, name, -1, "made with other index options");
    }
    if (verdict == STI_INDEX_FITS && is_beyond(l)) {
        verdict = STI_INDEX_UNFIT;
    }
    if (verdict == STI_INDEX_FITS && !l->distrust && !seg->rebuilt) {
        seg->end = l->log_map->len;
        return STELE_OK;
    }
    return build_index(l, err);
}

static stele_code make_verified(struct sti_segment *seg, stele_error *err)
{
    size_t words = (size_t)(seg->count / 64 + 1);
    _Atomic uint64_t *verified;

    if (seg->rebuilt) {
        atomic_store_explicit(&seg->all_verified, true, memory_order_relaxed);
        return STELE_OK;
    }
    verified = sti_calloc(words, sizeof *verified);
    if (verified == NULL) {
        return sti_fail_memory(err, words * sizeof *verified);
    }
    seg->verified = verified;
    return STELE_OK;
}

static stele_code load_parts(struct loading *l, stele_error *err)
{
    struct sti_segment *seg = l->seg;
    bool into_memory;
    bool empty = false;
    stele_code rc;

    rc = open_log(l, err);
    rc = rc != STELE_OK ? rc : open_index(l, err);
    if (rc != STELE_OK) {
        return rc;
    }
    open_keys(l);
    /* Beside a writer in another process, a segment may still have a zero
     * tail that is about to be cut: touching it then is a bus error. The side
     * file comes after that. */
    into_memory = l->s->mode == STI_MODE_LIVE && !l->has_keys;
    rc = sti_map_file(&l->log_map, &l->log, (size_t)l->log_size, false, into_memory, err);
    rc = rc != STELE_OK ? rc : judge_kind(l, &empty, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (empty) {
        seg->count = 0;
        seg->end = 0;
    } else {
        rc = take_index(l, err);
    }
    rc = rc != STELE_OK ? rc : make_verified(seg, err);
    return rc != STELE_OK ? rc : sti_segment_add_map(seg, l->log_map, err);
}

static stele_code load(stele_stream *s, struct sti_segment *seg, stele_error *err)
{
    struct loading l = {.s = s, .seg = seg};
    stele_code rc = load_parts(&l, err);

    sti_file_close(&l.log);
    sti_file_close(&l.index);
    if (rc != STELE_OK) {
        sti_map_unref(l.log_map);
        sti_map_unref(l.index_map);
        sti_keys_close(&l.keys);
        sti_free(seg->verified);
        seg->verified = NULL;
        seg->items = NULL;
        seg->count = 0;
        return rc;
    }
    seg->index_map = l.index_map;
    if (l.has_keys && !seg->rebuilt) {
        seg->keys = l.keys;
        atomic_store_explicit(&seg->keys_loaded, true, memory_order_release);
    } else {
        sti_keys_close(&l.keys);
    }
    /* Pairs with the load in sti_segment_load(). */
    atomic_store_explicit(&seg->loaded, true, memory_order_release);
    return STELE_OK;
}

stele_code sti_segment_load(stele_stream *s, struct sti_segment *seg, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (!atomic_load_explicit(&seg->used, memory_order_relaxed)) {
        atomic_store_explicit(&seg->used, true, memory_order_relaxed);
    }
    if (seg->head != NULL || atomic_load_explicit(&seg->loaded, memory_order_acquire)) {
        return STELE_OK;
    }
    sti_mutex_lock(&s->load_lock);
    if (!atomic_load_explicit(&seg->loaded, memory_order_relaxed)) {
        rc = load(s, seg, err);
    }
    sti_mutex_unlock(&s->load_lock);
    return rc;
}

static stele_code build_keys(stele_stream *s, struct sti_segment *seg, stele_error *err)
{
    struct sti_keys keys = {0};
    stele_code rc = sti_keys_build(
            &keys, seg->base, seg->end, seg->version, s->params, seg->items, seg->count, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (s->mode == STI_MODE_WRITER && atomic_load(&s->failed) == STELE_OK && !seg->damaged) {
        /* Derivable, so a failure to keep it is none. */
        (void)sti_keys_write(&s->dir, seg->base, &keys, NULL);
    }
    seg->keys = keys;
    atomic_store_explicit(&seg->keys_loaded, true, memory_order_release);
    return STELE_OK;
}

stele_code sti_segment_load_keys(stele_stream *s, struct sti_segment *seg, stele_error *err)
{
    stele_code rc = sti_segment_load(s, seg, err);

    if (rc != STELE_OK || seg->head != NULL ||
            atomic_load_explicit(&seg->keys_loaded, memory_order_acquire)) {
        return rc;
    }
    sti_mutex_lock(&s->load_lock);
    if (!atomic_load_explicit(&seg->keys_loaded, memory_order_relaxed)) {
        rc = build_keys(s, seg, err);
    }
    sti_mutex_unlock(&s->load_lock);
    return rc;
}

/* ---- Finding messages. ---- */

uint64_t sti_segment_lower(
        const struct sti_segment *seg, size_t item_size, uint64_t count, int64_t offset)
{
    uint64_t low = 0;
    uint64_t high = count;
    uint64_t ahead = (uint64_t)offset - (uint64_t)seg->base;

    /* As a rule nothing was deleted, and then the item is here. */
    if (ahead < count) {
        sti_segment_expect(seg, ahead);
        if (sti_item_offset(sti_segment_item(seg, item_size, ahead)) == offset) {
            return ahead;
        }
    }
    if (count == 0 || offset <= sti_item_offset(sti_segment_item(seg, item_size, 0))) {
        return 0;
    }
    /* Offsets rise by one or more with each item: the item is at this place
     * if nothing was deleted, else before it. */
    ahead = (uint64_t)(offset - sti_item_offset(sti_segment_item(seg, item_size, 0)));
    if (ahead < count) {
        if (sti_item_offset(sti_segment_item(seg, item_size, ahead)) == offset) {
            return ahead;
        }
        high = ahead;
    }
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (sti_item_offset(sti_segment_item(seg, item_size, middle)) < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_verified(struct sti_segment *seg, uint64_t ordinal)
{
    if (seg->head != NULL || atomic_load_explicit(&seg->all_verified, memory_order_relaxed)) {
        return true;
    }
    return (atomic_load_explicit(&seg->verified[ordinal / 64], memory_order_relaxed) >>
                           ordinal % 64 &
                   1) != 0;
}

static void set_verified(struct sti_segment *seg, uint64_t ordinal)
{
    (void)atomic_fetch_or_explicit(
            &seg->verified[ordinal / 64], 1ULL << ordinal % 64, memory_order_relaxed);
}

/* Whether the place that an item names is the end of the message before. */
static bool follows(const struct sti_segment *seg, size_t item_size, uint64_t ordinal,
        const uint8_t *data, uint64_t end)
{
    uint64_t position = sti_item_position(sti_segment_item(seg, item_size, ordinal));
    uint64_t before;
    stele_message message;
    size_t size;

    if (ordinal == 0) {
        return position == sti_log_start(seg->version);
    }
    before = sti_item_position(sti_segment_item(seg, item_size, ordinal - 1));
    return before < end &&
           sti_message_peek(data + before, end - before, seg->version, &message, &size) ==
                   STI_MESSAGE_WHOLE &&
           before + size == position;
}

stele_code sti_segment_message(stele_stream *s, struct sti_segment *seg, struct sti_map *map,
        uint64_t ordinal, stele_message *out, bool *unfit, stele_error *err)
{
    size_t item_size = sti_index_item_size(s->params);
    const uint8_t *item = sti_segment_item(seg, item_size, ordinal);
    uint64_t end = seg->head != NULL ? map->len : seg->end;
    uint64_t position = sti_item_position(item);
    enum sti_message_state state = STI_MESSAGE_SHORT;
    char name[STI_NAME_SIZE];
    size_t size = 0;

    if (position < end) {
        state = sti_message_quick(map->data + position, end - position, seg->version, out, &size)
                        ? STI_MESSAGE_WHOLE
                        : sti_message_peek(
                                  map->data + position, end - position, seg->version, out, &size);
    }
    if (state == STI_MESSAGE_WHOLE && out->offset == sti_item_offset(item)) {
        if (is_verified(seg, ordinal)) {
            return STELE_OK;
        }
        if (sti_message_verify(map->data + position, size, seg->version)) {
            set_verified(seg, ordinal);
            return STELE_OK;
        }
    }
    /* Either the message is damaged, or the item. If the item names the place where the one before
     * ends, it is right. */
    if (!seg->rebuilt && seg->head == NULL &&
            (position >= end || !follows(seg, item_size, ordinal, map->data, end) ||
                    (state == STI_MESSAGE_WHOLE &&
                            sti_message_verify(map->data + position, size, seg->version)))) {
        *unfit = true;
    }
    sti_name_log(name, seg->base);
    return sti_fail_at(err, STELE_ECORRUPT, name, (int64_t)position,
            "message %" PRId64 " is damaged", sti_item_offset(item));
}

/* Where the message of an item ends. */
static uint64_t end_of_item(const struct sti_segment *seg, const struct sti_map *map,
        size_t item_size, uint64_t ordinal)
{
    uint64_t position = sti_item_position(seg->items + ordinal * item_size);
    stele_message message;
    size_t size;

    if (position < map->len && sti_message_peek(map->data + position, map->len - position,
                                       seg->version, &message, &size) == STI_MESSAGE_WHOLE) {
        return position + size;
    }
    return position;
}

bool sti_segment_gap(
        struct sti_segment *seg, size_t item_size, uint64_t ordinal, uint64_t *position)
{
    const struct sti_map *map = sti_segment_map(seg);
    uint64_t next;

    if (!seg->damaged || map == NULL) {
        return false;
    }
    *position = ordinal == 0 ? sti_log_start(seg->version)
                             : end_of_item(seg, map, item_size, ordinal - 1);
    if (ordinal < seg->count) {
        next = sti_item_position(seg->items + ordinal * item_size);
        return next != *position;
    }
    return *position < map->len &&
           !sti_all_zero(map->data + *position, (size_t)(map->len - *position));
}

uint64_t sti_segment_messages(struct sti_segment *seg, size_t item_size, uint64_t ordinal,
        uint64_t count, stele_message *out)
{
    const struct sti_map *map = atomic_load_explicit(&seg->map, memory_order_acquire);
    stele_stream_version version = seg->version;
    uint64_t end = seg->end;
    const uint8_t *item;
    const uint8_t *data;

    if (seg->head != NULL || map == NULL) {
        return 0;
    }
    item = seg->items + ordinal * item_size;
    data = map->data;
    for (uint64_t i = 0; i < count; i++, item += item_size) {
        uint64_t position = sti_item_position(item);
        size_t size;

        if (position >= end ||
                !sti_message_quick(data + position, end - position, version, &out[i], &size) ||
                out[i].offset != sti_item_offset(item)) {
            return i;
        }
        if (!is_verified(seg, ordinal + i)) {
            if (!sti_message_verify(data + position, size, version)) {
                return i;
            }
            set_verified(seg, ordinal + i);
        }
    }
    return count;
}

stele_code sti_stream_reindex(stele_stream *s, struct sti_segment *seg, stele_error *err)
{
    struct sti_segment *fresh = NULL;
    struct sti_view *view;
    struct sti_view *made = NULL;
    stele_code rc = sti_segment_new(&fresh, seg->base, err);

    if (rc != STELE_OK) {
        return rc;
    }
    sti_assert(fresh != NULL);
    fresh->rebuilt = true;
    fresh->file_id = seg->file_id;
    fresh->limit = seg->limit;
    sti_mutex_lock(&s->write_lock);
    view = sti_stream_view(s);
    for (size_t i = 0; i < view->count && rc == STELE_OK; i++) {
        if (view->segments[i] == seg) {
            rc = sti_view_new(&made, view->segments, view->count, err);
            if (rc == STELE_OK) {
                made->segments[i] = sti_segment_ref(fresh);
                sti_segment_unref(seg);
                sti_stream_swap_view(s, made);
            }
        }
    }
    sti_mutex_unlock(&s->write_lock);
    sti_view_unref(view);
    sti_segment_unref(fresh);
    return rc;
}
