/* SPDX-License-Identifier: MIT
 *
 * head_load.c: the newest segment at open: every message read and verified,
 * and what a crash tore off cut away.
 *
 * The log ends before the first message that is not whole. Zeros behind it
 * are a tail that was allocated and not used; anything else was never made
 * durable, or is damage that nothing tells from that (stele_stream_check_dir()
 * and stele_stream_recover_dir() can look closer): a writer moves it to a quarantine
 * file and cuts it off, and makes that durable before it writes. A reader
 * stops there.
 *
 * Offsets that were given once are not given again, even if their messages
 * are gone: the highest that stands in a damaged header or in the index file
 * counts. Then a new segment, which has the next offset in its name, comes
 * first, durably, and the cut after it; the marker (marker.h) tells of a crash between.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/index_file.h"
#include "stream/marker.h"
#include "stream/put_file.h"
#include "stream/quarantine.h"
#include "stream/state.h"

#include <inttypes.h>
#include <string.h>

enum {
    OFFSET_STEP_MAX = 1 << 20
}; /* a larger step between items is not believed */

struct head_load {
    stele_stream *s;
    struct sti_segment *seg;
    struct sti_file log;
    struct sti_map *map;
    uint64_t size; /* of the file */
    uint64_t end;  /* of the messages */
    int64_t next;  /* of the messages: the last offset and one */
    int64_t floor; /* the next offset is not below this */
    int64_t time;
    bool has_header;
    bool index_right; /* the index file is what a clean close would write */
    uint64_t rest;    /* bytes behind the end that are not zeros at the very end */
};

static stele_code open_log(struct head_load *h, stele_error *err)
{
    char name[STI_NAME_SIZE];
    stele_file_stat st;
    stele_code rc;

    sti_name_log(name, h->seg->base);
    rc = sti_file_open(&h->log, &h->s->dir, name, STELE_OPEN_READ, err);
    rc = rc != STELE_OK ? rc : sti_file_stat(&h->log, &st, err);
    if (rc == STELE_OK && st.size > SIZE_MAX / 2) {
        rc = sti_fail_at(err, STELE_ETOOBIG, name, -1, "too large for this machine");
    }
    if (rc != STELE_OK) {
        return rc;
    }
    h->size = st.size;
    h->seg->file_id = st.id;
    rc = sti_map_file(&h->map, &h->log, (size_t)h->size, false, h->s->mode == STI_MODE_LIVE, err);
    if (rc == STELE_OK) {
        h->size = h->map->len;
    }
    return rc;
}

static stele_code judge_kind(struct head_load *h, enum sti_log_kind *kind, stele_error *err)
{
    char name[STI_NAME_SIZE];

    sti_name_log(name, h->seg->base);
    *kind = sti_log_kind_of(h->map->data, h->size, h->seg->base);
    h->seg->version = *kind == STI_LOG_V1   ? STELE_STREAM_V1
                      : *kind == STI_LOG_V2 ? STELE_STREAM_V2
                                            : h->s->opts.new_segments;
    h->has_header = *kind == STI_LOG_V1 || *kind == STI_LOG_V2;
    if (*kind == STI_LOG_VERSION) {
        return sti_fail_at(err, STELE_EVERSION, name, 6, "unknown format version %u",
                (unsigned)h->map->data[6]);
    }
    if (*kind == STI_LOG_FOREIGN) {
        return sti_fail_at(err, STELE_ECORRUPT, name, 0, "does not begin as a log");
    }
    return STELE_OK;
}

/* Add the messages to the head's index; leaves the scan where they end. */
static stele_code read_messages(struct head_load *h, struct sti_scan *scan, stele_error *err)
{
    struct sti_head *head = h->seg->head;

    for (;;) {
        struct sti_index_item item;
        stele_message message;
        uint64_t position = scan->at;
        size_t size;
        stele_code rc;

        if (sti_scan_next(scan, &message, &size) != STI_MESSAGE_WHOLE) {
            break;
        }
        rc = sti_head_reserve(head, 1, err);
        if (rc != STELE_OK) {
            return rc;
        }
        sti_index_item_of(&item, head->params, &message, position, h->time);
        sti_head_add(head, &item);
        h->time = head->params.times ? item.time : INT64_MIN;
    }
    h->end = scan->at;
    h->next = scan->last + 1;
    return STELE_OK;
}

/* Offsets behind the log's end that the index knows: they were given. */
static int64_t seen_in_index(
        const struct head_load *h, const uint8_t *items, uint64_t count, size_t item_size)
{
    int64_t last = h->next - 1;

    for (uint64_t i = 0; i < count; i++) {
        int64_t offset = sti_item_offset(items + i * item_size);

        if (offset <= last) {
            continue;
        }
        if (offset - last > OFFSET_STEP_MAX) {
            break;
        }
        last = offset;
    }
    return last;
}

/* Times of a segment may start above its first message's own: where the
 * segment before had ended. */
static bool item_agrees(const struct sti_head *head, const uint8_t *item, uint64_t i, int64_t floor)
{
    struct sti_index_item there;
    struct sti_index_item own;

    sti_index_item_get(item, head->params, &there);
    sti_index_item_get(sti_head_item(head, i), head->params, &own);
    return there.offset == own.offset && there.position == own.position && there.hash == own.hash &&
           there.time == (own.time > floor ? own.time : floor);
}

/* Whether the index file agrees with the messages; if so, the head takes over its times. */
static void compare_index(struct head_load *h, const uint8_t *items, uint64_t count)
{
    struct sti_head *head = h->seg->head;
    size_t item_size = head->item_size;
    int64_t floor = head->params.times && count > 0 ? sti_item_time(items) : 0;

    h->index_right = count == head->written;
    for (uint64_t i = 0; i < count && h->index_right; i++) {
        h->index_right = item_agrees(head, items + i * item_size, i, floor);
    }
    if (h->index_right && head->params.times) {
        for (uint64_t i = 0; i < count; i++) {
            sti_head_set(head, i, items + i * item_size);
        }
        h->time = count > 0 ? sti_item_time(items + (count - 1) * item_size) : h->time;
    }
}

/* A side file that does not vouch for the index would make readers distrust it. */
static bool keys_agree(const struct head_load *h, const uint8_t *index, size_t len)
{
    struct sti_keys keys = {0};
    stele_code rc = sti_keys_open(&keys, &h->s->dir, h->seg->base, h->end, index, len, NULL);

    sti_keys_close(&keys);
    return rc == STELE_OK || rc == STELE_ENOTFOUND || STI_MUTANT(KEYS_TORN_KEPT);
}

/* The index file says which options the stream was made with, which offsets
 * were given, and whether it can stay as it is. */
static stele_code look_at_index(struct head_load *h, stele_error *err)
{
    struct sti_index_params params = h->s->params;
    size_t item_size = sti_index_item_size(h->s->params);
    char name[STI_NAME_SIZE];
    struct sti_file index = {0};
    uint8_t *data = NULL;
    size_t len = 0;
    const uint8_t *items;
    uint64_t count;
    uint64_t start;
    enum sti_index_kind kind;
    enum sti_index_verdict verdict;
    stele_code rc;

    sti_name_index(name, h->seg->base);
    rc = sti_file_open(&index, &h->s->dir, name, STELE_OPEN_READ, err);
    if (rc == STELE_ENOTFOUND) {
        return STELE_OK;
    }
    rc = rc != STELE_OK ? rc : sti_file_read_all(&index, SIZE_MAX / 2, &data, &len, err);
    sti_file_close(&index);
    if (rc != STELE_OK) {
        return rc;
    }
    verdict = sti_index_judge(
            data, len, h->map->data, h->end, h->seg->base, h->s->params, &items, &count);
    kind = sti_index_kind_of(data, len, h->seg->base, &params);
    start = kind == STI_INDEX_V2 ? STI_INDEX_HEADER_SIZE : 0;
    if (STI_MUTANT(INDEX_TORN_FATAL) && verdict == STI_INDEX_UNFIT) {
        rc = sti_fail_at(err, STELE_ECORRUPT, name, -1, "torn");
    } else if (verdict == STI_INDEX_OTHER) {
        rc = sti_fail_at(err, STELE_EMISMATCH, name, -1, "made with other index options");
    } else if (verdict == STI_INDEX_FITS) {
        compare_index(h, items, count);
        h->index_right = h->index_right &&
                         (kind == STI_INDEX_V1) == (h->seg->version == STELE_STREAM_V1) &&
                         keys_agree(h, data, len);
    } else if ((kind == STI_INDEX_V1 || kind == STI_INDEX_V2) && len > start) {
        int64_t seen = seen_in_index(h, data + start, (len - start) / item_size, item_size);

        h->floor = seen + 1 > h->floor ? seen + 1 : h->floor;
    }
    sti_free(data);
    return rc;
}

/* Bytes behind the end, without the zeros that they end with. */
static uint64_t measure_rest(const struct head_load *h)
{
    uint64_t rest = h->size - h->end;

    while (rest > 0 && h->map->data[h->end + rest - 1] == 0) {
        rest--;
    }
    return rest;
}

static stele_code scan_log(struct head_load *h, stele_error *err)
{
    enum sti_log_kind kind = STI_LOG_EMPTY;
    struct sti_scan scan;
    stele_code rc = open_log(h, err);

    rc = rc != STELE_OK ? rc : judge_kind(h, &kind, err);
    if (rc != STELE_OK) {
        return rc;
    }
    sti_scan_begin(&scan, h->map->data, h->size, kind, h->seg->base, INT64_MAX);
    if (!h->has_header) {
        h->end = 0;
        h->next = h->seg->base;
    } else {
        rc = read_messages(h, &scan, err);
    }
    if (rc == STELE_OK) {
        int64_t seen;

        h->rest = measure_rest(h);
        if (STI_MUTANT(TORN_TAIL_FATAL) && h->rest > 0 && !h->s->opts.recover) {
            return sti_fail(err, STELE_ECORRUPT, "torn");
        }
        seen = h->rest > 0 && !STI_MUTANT(SEEN_FIRST_ONLY) ? sti_scan_highest(&scan) : scan.seen;
        h->floor = seen >= h->floor ? seen + 1 : h->floor;
        rc = look_at_index(h, err);
    }
    if (rc == STELE_OK && h->next > h->floor) {
        h->floor = h->next;
    }
    return rc;
}

/* ---- The writer's part: cut, durably. ---- */

static stele_code quarantine(struct head_load *h, stele_error *err)
{
    char name[STI_NAME_SIZE];
    stele_code rc;

    if (h->rest == 0 || STI_MUTANT(CUT_WITHOUT_QUARANTINE)) {
        return STELE_OK;
    }
    rc = sti_quarantine_put(
            &h->s->dir, h->seg->base, h->end, h->map->data + h->end, (size_t)h->rest, name, err);
    if (rc == STELE_OK) {
        sti_env_log(&h->s->env, STELE_LOG_WARN,
                "%s: %s: an unfinished end of %" PRIu64 " bytes moved to %s", h->s->dir.path,
                h->log.name, h->rest, name);
    }
    return rc;
}

/* Cut the file, give it a header if it lacks one, and sync: only then may
 * anything be written behind. */
static stele_code cut(struct head_load *h, stele_error *err)
{
    struct sti_tail *t = &h->s->tail;
    uint8_t header[STI_LOG_HEADER_SIZE];
    stele_code rc = STELE_OK;

    if (h->size > h->end && !STI_MUTANT(GARBAGE_TAIL_KEPT)) {
        rc = sti_file_truncate(&t->log, h->end, err);
        t->allocated = h->end;
    }
    if (rc == STELE_OK && !h->has_header && h->seg->version != STELE_STREAM_V1 &&
            !STI_MUTANT(HEADER_NOT_RESTORED)) {
        sti_log_header_put(header);
        rc = sti_file_write(&t->log, 0, header, sizeof header, err);
        t->end = sizeof header;
        t->allocated = t->allocated > t->end ? t->allocated : t->end;
    }
    if (rc != STELE_OK || STI_MUTANT(CUT_NOT_SYNCED)) {
        return rc;
    }
    if (!h->has_header) {
        return sti_file_sync(&t->log, false, err);
    }
    /* A clean close wrote an index, after a sync that did not fail. */
    if (!h->index_right && !STI_MUTANT(GARBAGE_TAIL_KEPT)) {
        return sti_file_renew(&t->log, h->map->data, h->end, err);
    }
    return h->size > h->end ? sti_file_sync(&t->log, false, err) : STELE_OK;
}

/* The next offset is above what the messages tell: a segment with that name
 * comes first, then the cut, then the end of the old one. */
static stele_code move_on(struct head_load *h, struct sti_segment **newest, stele_error *err)
{
    stele_stream *s = h->s;
    struct sti_segment *seg = NULL;
    char name[STI_NAME_SIZE];
    stele_code rc = sti_tail_segment(s, h->floor, &seg, err);

    /* Until the cut is done, the old segment is one before the newest, and torn: this says
     * whose doing that is. */
    if (!STI_MUTANT(MOVE_ON_UNMARKED)) {
        rc = rc != STELE_OK ? rc : sti_marker_write(&s->dir, h->seg->base, err);
    }
    rc = rc != STELE_OK ? rc : sti_tail_create(s, seg, true, err);
    rc = rc != STELE_OK ? rc : sti_tail_sync(s, err);
    if (rc != STELE_OK) {
        sti_segment_unref(seg);
        return rc;
    }
    *newest = seg;
    if (h->seg->head->written == 0) {
        sti_name_log(name, h->seg->base);
        rc = sti_dir_unlink(&s->dir, name, NULL, err);
        sti_name_index(name, h->seg->base);
        rc = rc != STELE_OK ? rc : sti_dir_unlink(&s->dir, name, NULL, err);
        sti_name_keys(name, h->seg->base);
        rc = rc != STELE_OK ? rc : sti_dir_unlink(&s->dir, name, NULL, err);
        return rc != STELE_OK ? rc : sti_dir_sync(&s->dir, err);
    }
    /* As a writer would have left it: the old file is finished through a tail of its own. */
    rc = sti_tail_open(s, h->seg, h->end, h->next, h->time, err);
    rc = rc != STELE_OK ? rc : cut(h, err);
    if (rc == STELE_OK) {
        s->tail.changed = true;
        s->tail.dirty = true;
        rc = sti_tail_finish(s, err);
    }
    return rc != STELE_OK
                   ? rc
                   : sti_tail_open(s, seg, sti_log_start(seg->version), seg->base, h->time, err);
}

static stele_code take_over(struct head_load *h, struct sti_segment **newest, stele_error *err)
{
    stele_stream *s = h->s;
    stele_code rc = quarantine(h, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (h->floor > h->next && !STI_MUTANT(OFFSETS_REUSED)) {
        return move_on(h, newest, err);
    }
    rc = sti_tail_open(s, h->seg, h->end, h->next, h->time, err);
    rc = rc != STELE_OK ? rc : cut(h, err);
    if (rc == STELE_OK) {
        s->tail.changed = !h->index_right || h->size != h->end || !h->has_header;
    }
    return rc;
}

stele_code sti_stream_load_head(stele_stream *s, int64_t base, int64_t floor,
        struct sti_segment **seg, int64_t *sealed, int64_t *next, stele_error *err)
{
    struct head_load h = {.s = s, .floor = floor, .time = INT64_MIN};
    struct sti_segment *newest = NULL;
    stele_code rc = sti_segment_new(&h.seg, base, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_head_new(&h.seg->head, s->params, err);
    rc = rc != STELE_OK ? rc : scan_log(&h, err);
    if (rc == STELE_OK) {
        rc = sti_segment_add_map(h.seg, h.map, err);
        h.map = rc == STELE_OK ? NULL : h.map;
    }
    if (rc == STELE_OK) {
        sti_head_publish(h.seg->head, h.seg->head->written);
        h.map = atomic_load_explicit(&h.seg->map, memory_order_relaxed);
        rc = s->mode == STI_MODE_WRITER ? take_over(&h, &newest, err) : STELE_OK;
        h.map = NULL;
    }
    sti_map_unref(h.map);
    sti_file_close(&h.log);
    if (rc != STELE_OK) {
        sti_segment_unref(newest);
        sti_segment_unref(h.seg);
        return rc;
    }
    *sealed = newest != NULL && h.seg->head->written > 0 ? h.seg->base : -1;
    if (newest != NULL) {
        sti_segment_unref(h.seg);
        h.seg = newest;
    }
    *seg = h.seg;
    *next = s->mode == STI_MODE_WRITER ? s->tail.next : h.floor;
    return STELE_OK;
}
