/* SPDX-License-Identifier: MIT */
#include "stream/scan.h"

#include "base/coding.h"
#include "base/mutant.h"

void sti_scan_begin(struct sti_scan *scan, const uint8_t *data, uint64_t len,
        enum sti_log_kind kind, int64_t base, int64_t limit)
{
    scan->data = data;
    scan->len = len;
    scan->version = kind == STI_LOG_V1 ? STELE_STREAM_V1 : STELE_STREAM_V2;
    scan->limit = limit;
    scan->at = sti_log_start(scan->version);
    if (kind != STI_LOG_V1 && kind != STI_LOG_V2) {
        scan->at = len;
    }
    scan->last = base - 1;
    scan->seen = -1;
    scan->used = UINT64_MAX;
    scan->work = 0;
}

static bool fits(const struct sti_scan *scan, int64_t last, int64_t offset)
{
    return (offset > last || STI_MUTANT(ORDER_UNCHECKED)) && offset < scan->limit;
}

/* The length without the zeros at the end. */
static uint64_t used_of(const struct sti_scan *scan)
{
    uint64_t used = scan->used != UINT64_MAX ? scan->used : scan->len;

    while (used > 0 && scan->data[used - 1] == 0) {
        used--;
    }
    return used;
}

/* Remember the offset that stands in a damaged header, if it is one that
 * this place could have: offsets rise by at least one with each message, and
 * by no more than the messages that fit into the bytes that were there. */
static void note_seen(struct sti_scan *scan)
{
    size_t at = scan->version == STELE_STREAM_V1 ? 0 : 4;
    uint64_t left = scan->len - scan->at;
    int64_t offset;

    if (left < at + 8) {
        return;
    }
    /* A zero tail holds no messages: it is not room for more of them. */
    if (scan->used == UINT64_MAX) {
        scan->used = used_of(scan);
    }
    left = scan->used > scan->at ? scan->used - scan->at : 0;
    offset = (int64_t)sti_get_be64(scan->data + scan->at + at);
    if (fits(scan, scan->last, offset) &&
            (uint64_t)(offset - scan->last) <= 1 + left / STI_V1_OVERHEAD && offset > scan->seen) {
        scan->seen = offset;
    }
}

bool sti_v1_is_torn(const uint8_t *file, uint64_t len, uint64_t at, size_t size)
{
    uint64_t sector = (at / STI_SECTOR + 1) * STI_SECTOR;
    uint64_t end = at + size;
    uint64_t left = len - end;

    /* Only where a sector begins inside the header can the rest of it be missing. */
    if (size != STI_V1_OVERHEAD || left == 0 || sector >= end ||
            STI_MUTANT(V1_TORN_HEADER_COUNTED)) {
        return false;
    }
    return sti_all_zero(file + sector, (size_t)(end - sector)) &&
           sti_all_zero(file + end, left < STI_V1_OVERHEAD ? (size_t)left : STI_V1_OVERHEAD);
}

enum sti_message_state sti_scan_next(struct sti_scan *scan, stele_message *out, size_t *size)
{
    const uint8_t *data = scan->data + scan->at;
    uint64_t left = scan->len - scan->at;
    enum sti_message_state state = sti_message_get(data, left, scan->version, out, size);

    if (state == STI_MESSAGE_WHOLE && !fits(scan, scan->last, out->offset)) {
        state = STI_MESSAGE_DAMAGED;
    }
    if (state == STI_MESSAGE_WHOLE && scan->version == STELE_STREAM_V1 &&
            sti_v1_is_torn(scan->data, scan->len, scan->at, *size)) {
        state = STI_MESSAGE_DAMAGED;
    }
    if (state == STI_MESSAGE_END && !sti_all_zero(data, left)) {
        state = STI_MESSAGE_DAMAGED;
    }
    if (state == STI_MESSAGE_WHOLE) {
        scan->at += *size;
        scan->last = out->offset;
    } else if (state != STI_MESSAGE_END) {
        note_seen(scan);
    }
    return state;
}

static int64_t highest_from(const struct sti_scan *scan)
{
    uint64_t room = (scan->len - scan->at) / STI_V1_OVERHEAD + 1;
    int64_t highest = scan->seen;
    uint64_t end = used_of(scan);

    /* Not in the zeros at the end: a message begins with a checksum or an offset. */
    for (uint64_t at = scan->at; at < end; at++) {
        stele_message message;
        size_t size;

        if (sti_message_peek(scan->data + at, scan->len - at, scan->version, &message, &size) ==
                        STI_MESSAGE_WHOLE &&
                message.offset > highest && fits(scan, scan->last, message.offset) &&
                (uint64_t)(message.offset - scan->last) <= room &&
                sti_message_verify(scan->data + at, size, scan->version)) {
            highest = message.offset;
        }
    }
    return highest;
}

int64_t sti_scan_highest(const struct sti_scan *scan)
{
    struct sti_scan whole = *scan;
    int64_t v1;
    int64_t v2;

    if (scan->at < scan->len) {
        return highest_from(scan);
    }
    whole.at = 0;
    whole.version = STELE_STREAM_V1;
    v1 = highest_from(&whole);
    whole.version = STELE_STREAM_V2;
    v2 = highest_from(&whole);
    return v1 > v2 ? v1 : v2;
}

/* ---- Looking for the next whole message behind damage. ---- */

/* What a scan may read in searches, as a multiple of the file: bytes can be
 * made in which very many would-be messages each lead far. What is not found
 * by then stays part of the damage. */
enum {
    WORK_PER_BYTE = 64
};

/* In version 1 the checksum of a message without key and value is that of nothing: zeros behind
 * any sixteen bytes look like one, as behind a torn message of version 2. Behind damage one is only
 * believed if its offset is not out of reach. */
#define UNPROVED_STEP_MAX ((int64_t)1 << 24)

static const uint64_t v2_trailer = 0xDEADBEEFFEEDFACEULL;

struct search {
    struct sti_scan *scan;
    uint64_t claim; /* where the damaged message says that it ends, or scan->at */
    bool followed;  /* there the next whole message begins, or nothing does */
    uint64_t on;    /* a message of the last chain that failed, and where that */
    uint64_t broke; /* broke: what begins with another message of it fails, too */
};

static bool is_worn_out(const struct sti_scan *scan)
{
    return scan->work / WORK_PER_BYTE >= scan->len;
}

static uint64_t zeros_at(const struct sti_scan *scan, uint64_t at)
{
    uint64_t end = at;

    while (end < scan->len && scan->data[end] == 0) {
        end++;
    }
    return end - at;
}

/* The next message of a chain, adding what was read to the scan's work: a
 * message, or a row of zeros up to its end. */
static enum sti_message_state follow(struct sti_scan *probe, struct sti_scan *scan)
{
    stele_message message;
    uint64_t at = probe->at;
    size_t size = 0;
    enum sti_message_state state = sti_scan_next(probe, &message, &size);

    scan->work += size != 0 ? size : STI_V2_OVERHEAD + zeros_at(scan, at);
    return state;
}

/* Find where the damaged message ends, if there is reason to believe its
 * lengths: its trailer stands there, or the next whole message, or nothing more. */
static void find_claim(struct search *s)
{
    struct sti_scan *scan = s->scan;
    const uint8_t *data = scan->data + scan->at;
    struct sti_scan probe = *scan;
    enum sti_message_state state;
    stele_message message;
    size_t size;

    s->claim = scan->at;
    if (is_worn_out(scan) || sti_message_peek(data, scan->len - scan->at, scan->version, &message,
                                     &size) != STI_MESSAGE_WHOLE) {
        return;
    }
    probe.at += size;
    state = follow(&probe, scan);
    s->followed = state == STI_MESSAGE_WHOLE || state == STI_MESSAGE_END;
    if (s->followed || (scan->version == STELE_STREAM_V2 &&
                               sti_get_be64(data + size - STI_V2_TRAILER_SIZE) == v2_trailer)) {
        s->claim = scan->at + size;
    }
}

/* Whether whole messages with rising offsets lead from `at` to `target`
 * exactly, or to the end of the file (or its zero tail) if that is 0. */
static bool leads_to(struct search *s, uint64_t at, uint64_t target)
{
    struct sti_scan probe = *s->scan;
    enum sti_message_state state;

    probe.at = at;
    do {
        state = follow(&probe, s->scan);
    } while (state == STI_MESSAGE_WHOLE && (target == 0 || probe.at < target));
    if (target == 0 ? state == STI_MESSAGE_END : probe.at == target) {
        if (target == 0 || !s->followed) {
            return true;
        }
        /* What follows the claim must go on from this chain, too. */
        state = follow(&probe, s->scan);
        if (state == STI_MESSAGE_WHOLE || state == STI_MESSAGE_END) {
            return true;
        }
    }
    s->on = at;
    s->broke = probe.at;
    return false;
}

/* Whether a message is one of the last chain that failed. */
static bool has_failed(struct search *s, uint64_t at)
{
    const struct sti_scan *scan = s->scan;
    stele_message message;
    size_t size;

    while (s->on < at && s->on < s->broke &&
            sti_message_peek(scan->data + s->on, scan->len - s->on, scan->version, &message,
                    &size) == STI_MESSAGE_WHOLE) {
        s->on += size;
    }
    return s->on == at && at < s->broke;
}

/* Whether a message begins here that is the next one. Inside what the damaged
 * message claims there can only be one if its lengths are the damage: it then
 * leads to the same end, as the bytes of a message in its value do not. */
static bool is_next(struct search *s, uint64_t at)
{
    struct sti_scan *scan = s->scan;
    const uint8_t *data = scan->data + at;
    stele_message message;
    size_t size;

    if (sti_message_peek(data, scan->len - at, scan->version, &message, &size) !=
                    STI_MESSAGE_WHOLE ||
            !fits(scan, scan->last, message.offset)) {
        return false;
    }
    if (scan->version == STELE_STREAM_V1 && size == STI_V1_OVERHEAD &&
            message.offset - scan->last > UNPROVED_STEP_MAX && !STI_MUTANT(UNPROVED_BELIEVED)) {
        return false;
    }
    if (at < s->claim) {
        return at + size <= s->claim && !has_failed(s, at) && leads_to(s, at, s->claim);
    }
    if (scan->version == STELE_STREAM_V2) {
        scan->work += size;
        return sti_message_verify(data, size, STELE_STREAM_V2);
    }
    return !has_failed(s, at) && leads_to(s, at, 0);
}

bool sti_scan_resync(struct sti_scan *scan)
{
    struct search s = {.scan = scan};

    if (scan->at >= scan->len) {
        return false;
    }
    find_claim(&s);
    for (uint64_t at = scan->at + 1; at < scan->len; at++) {
        bool worn_out = is_worn_out(scan);

        /* The likeliest place is still looked at. */
        at = worn_out && at < s.claim ? s.claim : at;
        if (is_next(&s, at)) {
            scan->at = at;
            return true;
        }
        if (worn_out) {
            return false;
        }
    }
    return false;
}
