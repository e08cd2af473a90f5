/* SPDX-License-Identifier: MIT
 *
 * salvage.c: cut a log file into what is whole and what is not.
 */
#include "stream/salvage.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/coding.h"
#include "base/error.h"
#include "base/fnv.h"
#include "base/mutant.h"

#include <string.h>

enum {
    PIECES_AT_FIRST = 16
};

struct work {
    struct sti_salvage *out;
    struct sti_scan scan;
    const struct sti_witness *witness;
    uint64_t item; /* the first item of the witness that is not behind scan.at */
    bool current;  /* the witness ends with the log's last message */
    int64_t base;
    stele_error *err;
};

/* ---- The witness. ---- */

static void take_items(struct sti_witness *out, const uint8_t *items, uint64_t len, int64_t base,
        struct sti_index_params params)
{
    size_t item_size = sti_index_item_size(params);
    uint64_t count = len / item_size;
    int64_t last = base - 1;
    uint64_t place = 0;
    uint64_t i;

    for (i = 0; i < count; i++) {
        int64_t offset = sti_item_offset(items + i * item_size);
        uint64_t position = sti_item_position(items + i * item_size);

        if (offset <= last || (i > 0 && position <= place)) {
            break;
        }
        last = offset;
        place = position;
    }
    out->items = items;
    out->count = i;
    out->params = params;
}

void sti_witness_of(struct sti_witness *out, const uint8_t *index, uint64_t len, int64_t base,
        struct sti_index_params params)
{
    struct sti_index_params header = params;
    enum sti_index_kind kind = sti_index_kind_of(index, len, base, &header);

    memset(out, 0, sizeof *out);
    if (kind == STI_INDEX_V2) {
        take_items(out, index + STI_INDEX_HEADER_SIZE, len - STI_INDEX_HEADER_SIZE, base, header);
    } else if (kind == STI_INDEX_V1) {
        take_items(out, index, len, base, params);
    }
}

/* The item at or behind a position; NULL if there is none. Positions are
 * asked for in rising order. */
static const uint8_t *item_from(struct work *w, uint64_t position)
{
    size_t item_size = sti_index_item_size(w->witness->params);

    while (w->item < w->witness->count) {
        const uint8_t *item = w->witness->items + w->item * item_size;

        if (sti_item_position(item) >= position) {
            return item;
        }
        w->item++;
    }
    return NULL;
}

/* An index may be older than its log: a crash can come between replacing the two, when messages
 * went. Then its last item is not at the log's last message. */
static bool is_current(const struct work *w)
{
    const struct sti_witness *witness = w->witness;
    stele_message message;
    uint64_t at;
    size_t size;

    if (witness->count == 0 || STI_MUTANT(WITNESS_STALE)) {
        return STI_MUTANT(WITNESS_STALE);
    }
    at = sti_item_position(
            witness->items + (witness->count - 1) * sti_index_item_size(witness->params));
    return at < w->scan.len &&
           sti_message_peek(w->scan.data + at, w->scan.len - at, w->scan.version, &message,
                   &size) == STI_MESSAGE_WHOLE &&
           at + size >= w->out->tail;
}

static bool key_agrees(const struct work *w, const uint8_t *item, const stele_message *message)
{
    return !w->witness->params.keys ||
           sti_item_hash(item, sti_index_item_size(w->witness->params)) ==
                   sti_fnv1a64(message->key.data, message->key.len);
}

/* ---- Pieces. ---- */

static stele_code add_piece(struct work *w, struct sti_piece piece)
{
    struct sti_salvage *out = w->out;
    struct sti_piece *before = out->count == 0 ? NULL : &out->pieces[out->count - 1];

    if (before != NULL && before->kind == STI_PIECE_KEPT && piece.kind == STI_PIECE_KEPT &&
            before->end == piece.at) {
        before->end = piece.end;
        before->last = piece.last;
        return STELE_OK;
    }
    if (out->count == out->capacity) {
        size_t capacity = out->capacity == 0 ? PIECES_AT_FIRST : 2 * out->capacity;
        struct sti_piece *grown = sti_realloc(out->pieces, capacity, sizeof *grown);

        if (grown == NULL) {
            return sti_fail_memory(w->err, capacity * sizeof *grown);
        }
        out->pieces = grown;
        out->capacity = capacity;
    }
    sti_assert(out->pieces != NULL);
    out->pieces[out->count++] = piece;
    return STELE_OK;
}

static stele_code keep(struct work *w, uint64_t at, size_t size, int64_t offset, bool mended)
{
    struct sti_salvage *out = w->out;

    if (out->messages == 0) {
        out->first = offset;
    }
    out->messages++;
    out->mended += mended ? 1 : 0;
    out->last = offset;
    out->end = at + size;
    w->scan.at = at + size;
    w->scan.last = offset;
    return add_piece(w, (struct sti_piece){at, at + size,
                                mended ? STI_PIECE_MENDED : STI_PIECE_KEPT, offset, offset});
}

static stele_code put_aside(struct work *w, uint64_t at, uint64_t end, enum sti_piece_kind kind)
{
    w->out->damaged += end - at;
    return add_piece(w, (struct sti_piece){at, end, kind, w->scan.last + 1, w->scan.last});
}

/* ---- Offsets of version 1, which nothing protects. ---- */

/* The offset of the whole message at `at`, if there is one; else `none`. */
static int64_t offset_at(const struct work *w, uint64_t at, int64_t none)
{
    stele_message message;
    size_t size;

    return sti_message_get(w->scan.data + at, w->scan.len - at, w->scan.version, &message, &size) ==
                           STI_MESSAGE_WHOLE
                   ? message.offset
                   : none;
}

static bool fits(const struct work *w, int64_t offset)
{
    return offset > w->scan.last && offset < w->scan.limit;
}

/* Further apart than this are neighbours only where deletions took millions of
 * messages out of one segment; a flipped bit is likelier. */
static bool is_far(const struct work *w, int64_t offset)
{
    return offset - w->scan.last > (int64_t)1 << 24;
}

/* The offset that a message of version 1 has in truth, or -1 if nothing
 * proves one. Its checksum holds. */
static int64_t true_offset(struct work *w, uint64_t at, size_t size, const stele_message *message)
{
    const uint8_t *item = item_from(w, at);
    int64_t own = message->offset;
    int64_t next = offset_at(w, at + size, INT64_MAX);
    int64_t other = -1;
    bool own_fits = fits(w, own);

    if (at == 0) {
        return w->base; /* the file's name says so */
    }
    if (own_fits && own == w->scan.last + 1) {
        return own;
    }
    /* A single bit can lift an offset above all that follow. */
    if (own_fits && next > w->scan.last && next <= own) {
        own_fits = false;
    }
    if (item != NULL && sti_item_position(item) == at && key_agrees(w, item, message)) {
        other = sti_item_offset(item);
    }
    if (other >= 0 && fits(w, other) && (other < next || next <= w->scan.last) &&
            (!own_fits || (w->current && other == w->scan.last + 1) ||
                    (w->current && is_far(w, own) && !is_far(w, other)))) {
        return other;
    }
    return own_fits ? own : -1;
}

/* The next message of version 1 that the index proves. */
static bool resync_by_witness(struct work *w, uint64_t from)
{
    const uint8_t *item;

    for (item = item_from(w, from); item != NULL;
            item = item_from(w, sti_item_position(item) + 1)) {
        uint64_t at = sti_item_position(item);
        stele_message message;
        size_t size;

        if (at >= w->scan.len) {
            return false;
        }
        if (sti_message_get(w->scan.data + at, w->scan.len - at, w->scan.version, &message,
                    &size) == STI_MESSAGE_WHOLE &&
                message.offset == sti_item_offset(item) && fits(w, message.offset) &&
                key_agrees(w, item, &message)) {
            w->scan.at = at;
            return true;
        }
    }
    return false;
}

/* ---- The end of the file. ---- */

static void note_offset(struct work *w, uint64_t at)
{
    uint64_t field = w->scan.version == STELE_STREAM_V1 ? at : at + 4;
    uint64_t room = (w->scan.len - w->out->end) / STI_V1_OVERHEAD + 1;
    int64_t offset;

    if (w->scan.len < 8 || field > w->scan.len - 8) {
        return;
    }
    offset = (int64_t)sti_get_be64(w->scan.data + field);
    if (fits(w, offset) && (uint64_t)(offset - w->scan.last) <= room && offset > w->out->seen) {
        w->out->seen = offset;
    }
}

/* Nothing in [at, end) is kept, but whole messages may be there which nothing
 * proves, as behind two damaged places in version 1. Their offsets and that of
 * a torn one behind them were given. */
static void note_tail(struct work *w, uint64_t at, uint64_t end)
{
    stele_message first;
    size_t first_size;

    note_offset(w, at);
    /* What has the form of a message up to the end was one, whatever its
     * offset: at least the next one was given. */
    if (sti_message_peek(w->scan.data + at, w->scan.len - at, w->scan.version, &first,
                &first_size) == STI_MESSAGE_WHOLE &&
            at + first_size == end && w->out->seen <= w->scan.last && fits(w, w->scan.last + 1)) {
        w->out->seen = w->scan.last + 1;
    }
    while (at < end) {
        stele_message message;
        size_t size;

        if (sti_message_get(w->scan.data + at, w->scan.len - at, w->scan.version, &message,
                    &size) == STI_MESSAGE_WHOLE &&
                message.offset != 0) {
            note_offset(w, at);
            note_offset(w, at + size);
        }
        at++;
    }
}

static uint64_t zeros_from(const uint8_t *data, uint64_t len)
{
    while (len >= 8 && sti_get_be64(data + len - 8) == 0) {
        len -= 8;
    }
    while (len > 0 && data[len - 1] == 0) {
        len--;
    }
    return len;
}

/* ---- The walk. ---- */

static bool is_proved_v1(struct work *w, uint64_t at, int64_t *offset, size_t *size)
{
    stele_message message;

    if (w->scan.version != STELE_STREAM_V1 ||
            sti_message_get(w->scan.data + at, w->scan.len - at, STELE_STREAM_V1, &message, size) !=
                    STI_MESSAGE_WHOLE) {
        return false;
    }
    /* Without key and value the checksum is that of nothing, and proves
     * nothing: such a message must at least have an offset that fits. */
    if (message.key.len + message.value.len == 0 &&
            ((!fits(w, message.offset) && at != 0) ||
                    sti_v1_is_torn(w->scan.data, w->scan.len, at, *size))) {
        return false;
    }
    *offset = true_offset(w, at, *size, &message);
    /* Mended to zeros only it would not be read as a message. */
    return *offset > 0 ||
           (*offset == 0 && message.key.len + message.value.len + (uint64_t)message.time > 0);
}

/* One message, or one damaged span. *done at the end of the file. */
static stele_code step(struct work *w, bool *done)
{
    uint64_t at = w->scan.at;
    int64_t before = w->scan.last;
    enum sti_message_state state;
    stele_message message;
    int64_t offset;
    size_t size;
    bool found;

    if (is_proved_v1(w, at, &offset, &size)) {
        int64_t own = (int64_t)sti_get_be64(w->scan.data + at);

        return keep(w, at, size, offset, own != offset);
    }
    state = sti_scan_next(&w->scan, &message, &size);
    if (state == STI_MESSAGE_WHOLE && w->scan.version != STELE_STREAM_V1) {
        return keep(w, at, size, message.offset, false);
    }
    if (state == STI_MESSAGE_END) {
        if (STI_MUTANT(ZERO_MESSAGE_COUNTED) && w->scan.version == STELE_STREAM_V1 &&
                w->scan.len - at >= STI_V1_OVERHEAD) {
            return keep(w, at, STI_V1_OVERHEAD, before + 1, false);
        }
        *done = true;
        return STELE_OK;
    }
    w->scan.at = at;
    w->scan.last = before;
    found = w->scan.version == STELE_STREAM_V1 && resync_by_witness(w, at + 1);
    if (!STI_MUTANT(RECOVER_PREFIX_ONLY) && (found || sti_scan_resync(&w->scan))) {
        return put_aside(w, at, w->scan.at, STI_PIECE_DAMAGED);
    }
    *done = true;
    note_tail(w, at, w->out->tail);
    if (w->scan.seen > w->out->seen) {
        w->out->seen = w->scan.seen;
    }
    return put_aside(w, at, w->out->tail > at ? w->out->tail : w->scan.len,
            state == STI_MESSAGE_SHORT ? STI_PIECE_UNFINISHED : STI_PIECE_DAMAGED);
}

/* Whether the file starts with a message of version 1 whose checksum proves it. */
static bool starts_v1(const struct work *w)
{
    stele_message message;
    size_t size;

    return sti_message_get(w->scan.data, w->scan.len, STELE_STREAM_V1, &message, &size) ==
                   STI_MESSAGE_WHOLE &&
           message.key.len + message.value.len > 0;
}

/* Whether a scan for that version finds a whole message anywhere. */
static bool holds(struct work *w, enum sti_log_kind kind)
{
    struct sti_scan *scan = &w->scan;
    stele_message message;
    size_t size;

    sti_scan_begin(scan, w->scan.data, w->out->len, kind, w->base, w->scan.limit);
    scan->at = scan->at < scan->len ? scan->at : scan->len;
    if (sti_message_get(scan->data + scan->at, scan->len - scan->at, scan->version, &message,
                &size) == STI_MESSAGE_WHOLE &&
            message.key.len + message.value.len > 0) {
        return true;
    }
    return sti_scan_resync(scan);
}

/* The start of the file is no header, and no first message with the name's
 * offset: find out from what follows what it was. */
static stele_code begin_damaged(struct work *w)
{
    struct sti_salvage *out = w->out;

    /* In this order, since a value can hold the bytes of another log. */
    if (starts_v1(w)) {
        out->version = STELE_STREAM_V1;
        sti_scan_begin(&w->scan, w->scan.data, out->len, STI_LOG_V1, w->base, w->scan.limit);
        return STELE_OK;
    }
    if (holds(w, STI_LOG_V2)) {
        out->version = STELE_STREAM_V2;
        sti_scan_begin(&w->scan, w->scan.data, out->len, STI_LOG_V2, w->base, w->scan.limit);
        return put_aside(w, 0, STI_LOG_HEADER_SIZE, STI_PIECE_DAMAGED);
    }
    if (holds(w, STI_LOG_V1)) {
        out->version = STELE_STREAM_V1;
        sti_scan_begin(&w->scan, w->scan.data, out->len, STI_LOG_V1, w->base, w->scan.limit);
        return STELE_OK;
    }
    w->scan.at = out->len;
    return put_aside(w, 0, out->tail,
            out->tail < STI_LOG_HEADER_SIZE ? STI_PIECE_UNFINISHED : STI_PIECE_DAMAGED);
}

static stele_code begin(struct work *w)
{
    struct sti_salvage *out = w->out;

    switch (out->kind) {
    case STI_LOG_V1:
        out->version = STELE_STREAM_V1;
        break;
    case STI_LOG_V2:
        out->version = STELE_STREAM_V2;
        out->has_header = true;
        out->end = STI_LOG_HEADER_SIZE;
        break;
    case STI_LOG_VERSION:
        w->scan.at = out->len;
        out->tail = out->len;
        break;
    case STI_LOG_EMPTY:
    case STI_LOG_TORN:
    case STI_LOG_FOREIGN:
        if (out->tail > 0) {
            return begin_damaged(w);
        }
        w->scan.at = out->len;
        break;
    }
    return STELE_OK;
}

/* What the damaged pieces cost, from the messages on both sides of them. */
static void note_lost(struct sti_salvage *out, int64_t base, int64_t limit)
{
    int64_t last = base - 1;

    for (size_t i = 0; i < out->count; i++) {
        struct sti_piece *p = &out->pieces[i];

        if (p->kind == STI_PIECE_KEPT || p->kind == STI_PIECE_MENDED) {
            last = p->last;
            continue;
        }
        p->first = last + 1;
        p->last = last;
        if (i + 1 < out->count) {
            const struct sti_piece *next = &out->pieces[i + 1];
            bool kept = next->kind == STI_PIECE_KEPT || next->kind == STI_PIECE_MENDED;

            p->last = kept ? next->first - 1 : last;
        } else if (limit != INT64_MAX) {
            p->last = limit - 1;
        } else if (out->seen > last) {
            p->last = out->seen;
        }
    }
}

stele_code sti_salvage_run(struct sti_salvage *out, const uint8_t *log, uint64_t len, int64_t base,
        int64_t limit, const struct sti_witness *witness, stele_error *err)
{
    struct sti_salvage found = {.len = len, .last = base - 1, .first = base, .seen = -1};
    struct work w = {.out = &found, .witness = witness, .base = base, .err = err};
    bool done = false;
    stele_code rc;

    found.kind = sti_log_kind_of(log, len, base);
    found.tail = zeros_from(log, len);
    sti_scan_begin(&w.scan, log, len, found.kind, base, limit);
    rc = begin(&w);
    w.current = is_current(&w);
    /* Zeros at the end of a value belong to its message, not to the tail. */
    while (rc == STELE_OK && !done && w.scan.at < len) {
        rc = step(&w, &done);
    }
    if (rc != STELE_OK) {
        sti_salvage_free(&found);
        return rc;
    }
    if (found.count > 0 && found.pieces[found.count - 1].end > found.tail) {
        found.tail = found.pieces[found.count - 1].end;
    }
    if (found.has_header && found.tail < STI_LOG_HEADER_SIZE) {
        found.tail = STI_LOG_HEADER_SIZE;
    }
    note_lost(&found, base, limit);
    *out = found;
    return STELE_OK;
}

void sti_salvage_free(struct sti_salvage *s)
{
    sti_free(s->pieces);
    memset(s, 0, sizeof *s);
}

/* ---- Composing. ---- */

stele_code sti_salvage_compose(const struct sti_salvage *s, const uint8_t *log, uint8_t **out,
        uint64_t *out_len, stele_error *err)
{
    uint64_t at = 0;
    uint8_t *bytes;

    sti_assert(s->len <= SIZE_MAX - STI_LOG_HEADER_SIZE);
    bytes = sti_malloc((size_t)s->len + STI_LOG_HEADER_SIZE);
    if (bytes == NULL) {
        return sti_fail_memory(err, (size_t)s->len + STI_LOG_HEADER_SIZE);
    }
    if (s->version == STELE_STREAM_V2) {
        sti_log_header_put(bytes);
        at = STI_LOG_HEADER_SIZE;
    }
    for (size_t i = 0; i < s->count; i++) {
        const struct sti_piece *p = &s->pieces[i];

        if (p->kind == STI_PIECE_DAMAGED || p->kind == STI_PIECE_UNFINISHED) {
            continue;
        }
        memcpy(bytes + at, log + p->at, (size_t)(p->end - p->at));
        if (p->kind == STI_PIECE_MENDED) {
            sti_put_be64(bytes + at, (uint64_t)p->first);
        }
        at += p->end - p->at;
    }
    *out = bytes;
    *out_len = at;
    return STELE_OK;
}
