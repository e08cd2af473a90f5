/* SPDX-License-Identifier: MIT */
#include "stream/scan.h"

#include "base/coding.h"

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
}

static bool fits(const struct sti_scan *scan, int64_t last, int64_t offset)
{
    return offset > last && offset < scan->limit;
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
    offset = (int64_t)sti_get_be64(scan->data + scan->at + at);
    if (fits(scan, scan->last, offset) &&
            (uint64_t)(offset - scan->last) <= 1 + left / STI_V1_OVERHEAD && offset > scan->seen) {
        scan->seen = offset;
    }
}

enum sti_message_state sti_scan_next(struct sti_scan *scan, stele_message *out, size_t *size)
{
    const uint8_t *data = scan->data + scan->at;
    uint64_t left = scan->len - scan->at;
    enum sti_message_state state = sti_message_get(data, left, scan->version, out, size);

    if (state == STI_MESSAGE_WHOLE && !fits(scan, scan->last, out->offset)) {
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

/* Whether whole messages with rising offsets lead from `at` to the end of
 * the file (or to its zero tail). */
static bool chain_ends(const struct sti_scan *scan, uint64_t at)
{
    struct sti_scan probe = *scan;
    enum sti_message_state state;
    stele_message message;
    size_t size;

    probe.at = at;
    do {
        state = sti_scan_next(&probe, &message, &size);
    } while (state == STI_MESSAGE_WHOLE);
    return state == STI_MESSAGE_END;
}

bool sti_scan_resync(struct sti_scan *scan)
{
    for (uint64_t at = scan->at + 1; at < scan->len; at++) {
        stele_message message;
        size_t size;

        if (sti_message_peek(scan->data + at, scan->len - at, scan->version, &message, &size) !=
                        STI_MESSAGE_WHOLE ||
                !fits(scan, scan->last, message.offset) ||
                !sti_message_verify(scan->data + at, size, scan->version)) {
            continue;
        }
        if (scan->version == STELE_STREAM_V1 && !chain_ends(scan, at)) {
            continue;
        }
        scan->at = at;
        return true;
    }
    return false;
}
