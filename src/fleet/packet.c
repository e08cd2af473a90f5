/* SPDX-License-Identifier: MIT
 *
 * packet.c: packets with a fixed form, and entries in packets.
 */
#include "fleet/packet.h"

#include "base/error.h"

/* Whether a packet was read to its end, and nothing was wrong with it. */
static stele_code finish(const struct sti_fleet_reader *r, const char *what, stele_error *err)
{
    if (r->bad || r->rest.len > 0) {
        return sti_fail(err, STELE_ECORRUPT, "a packet \"%s\" %s", what,
                r->bad ? "ends early, or has no such form" : "goes on behind its end");
    }
    return STELE_OK;
}

/* A reader behind the first byte, which has to be `kind`. */
static struct sti_fleet_reader begin(stele_bytes bytes, uint8_t kind)
{
    struct sti_fleet_reader r = sti_fleet_reader_of(bytes);

    if (sti_fleet_read_u8(&r) != kind) {
        r.bad = true;
    }
    return r;
}

static void read_root(struct sti_fleet_reader *r, uint8_t root[STI_DOCS_FINGERPRINT_SIZE])
{
    stele_bytes b = sti_fleet_read_bytes(r, STI_DOCS_FINGERPRINT_SIZE);

    memset(root, 0, STI_DOCS_FINGERPRINT_SIZE);
    if (!r->bad) {
        memcpy(root, b.data, STI_DOCS_FINGERPRINT_SIZE);
    }
}

/* ---- Hello. ---- */

stele_code sti_fleet_hello_encode(
        const struct sti_fleet_hello *hello, stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);

    sti_fleet_write_u8(&w, hello->kind);
    sti_fleet_write_u8(&w, hello->lowest);
    sti_fleet_write_u8(&w, hello->highest);
    sti_fleet_write_be32(&w, hello->features);
    sti_fleet_write_be32(&w, hello->server);
    sti_fleet_write_be64(&w, hello->boot);
    sti_fleet_write_version(&w, hello->now);
    sti_fleet_write_version(&w, hello->horizon);
    sti_fleet_write_be64(&w, hello->pushed);
    sti_fleet_write_be64(&w, hello->count);
    sti_fleet_write_bytes(&w, stele_bytes_of(hello->root, sizeof hello->root));
    sti_fleet_write_str8(&w, hello->collation);
    return w.rc;
}

stele_code sti_fleet_hello_decode(struct sti_fleet_hello *out, stele_bytes bytes, stele_error *err)
{
    struct sti_fleet_reader r = sti_fleet_reader_of(bytes);
    struct sti_fleet_hello h = {.kind = sti_fleet_read_u8(&r)};
    stele_code rc;

    r.bad = r.bad || (h.kind != STI_FLEET_PKT_HELLO && h.kind != STI_FLEET_PKT_HELLO_REPLY);
    h.lowest = sti_fleet_read_u8(&r);
    h.highest = sti_fleet_read_u8(&r);
    h.features = sti_fleet_read_be32(&r);
    h.server = sti_fleet_read_be32(&r);
    h.boot = sti_fleet_read_be64(&r);
    h.now = sti_fleet_read_version(&r);
    h.horizon = sti_fleet_read_version(&r);
    h.pushed = sti_fleet_read_be64(&r);
    h.count = sti_fleet_read_be64(&r);
    read_root(&r, h.root);
    h.collation = sti_fleet_read_str8(&r);
    r.bad = r.bad || h.lowest > h.highest || h.server == 0;
    (void)sti_fleet_read_rest(&r);
    rc = finish(&r, "hello", err);
    if (rc == STELE_OK) {
        *out = h;
    }
    return rc;
}

/* ---- Entries. ---- */

stele_code sti_fleet_entries_next(struct sti_fleet_entries *entries, stele_bytes *entry)
{
    if (entries->count == 0) {
        return STELE_END;
    }
    entries->count--;
    *entry = sti_fleet_read_sized(&entries->rest);
    return STELE_OK;
}

stele_code sti_fleet_entries_add(stele_bytes entry, stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);

    sti_fleet_write_sized(&w, entry);
    return w.rc;
}

/* All that is left: each entry is there as a whole. */
static struct sti_fleet_entries read_entries(struct sti_fleet_reader *r)
{
    struct sti_fleet_entries e = {.rest = *r};

    while (!r->bad && r->rest.len > 0) {
        (void)sti_fleet_read_sized(r);
        r->bad = r->bad || e.count++ == STI_FLEET_ENTRIES_MAX;
    }
    return e;
}

/* ---- Push, state, credit. ---- */

stele_code sti_fleet_push_begin(
        uint64_t boot, uint64_t first, size_t count, stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);

    sti_fleet_write_u8(&w, STI_FLEET_PKT_PUSH);
    sti_fleet_write_be64(&w, boot);
    sti_fleet_write_varint(&w, first);
    sti_fleet_write_varint(&w, count);
    return w.rc;
}

stele_code sti_fleet_push_decode(struct sti_fleet_push *out, stele_bytes bytes, stele_error *err)
{
    struct sti_fleet_reader r = begin(bytes, STI_FLEET_PKT_PUSH);
    struct sti_fleet_push p = {.boot = sti_fleet_read_be64(&r)};
    uint64_t count;
    stele_code rc;

    p.first = sti_fleet_read_varint(&r);
    count = sti_fleet_read_varint(&r);
    p.entries = read_entries(&r);
    r.bad = r.bad || p.entries.count != count || p.first > UINT64_MAX - count;
    rc = finish(&r, "push", err);
    if (rc == STELE_OK) {
        *out = p;
    }
    return rc;
}

stele_code sti_fleet_state_encode(
        const struct sti_fleet_state *state, stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);

    sti_fleet_write_u8(&w, STI_FLEET_PKT_STATE);
    sti_fleet_write_be64(&w, state->boot);
    sti_fleet_write_varint(&w, state->pushed);
    sti_fleet_write_be64(&w, state->count);
    sti_fleet_write_bytes(&w, stele_bytes_of(state->root, sizeof state->root));
    sti_fleet_write_version(&w, state->now);
    sti_fleet_write_varint(&w, state->horizon);
    return w.rc;
}

stele_code sti_fleet_state_decode(struct sti_fleet_state *out, stele_bytes bytes, stele_error *err)
{
    struct sti_fleet_reader r = begin(bytes, STI_FLEET_PKT_STATE);
    struct sti_fleet_state s = {.boot = sti_fleet_read_be64(&r)};
    stele_code rc;

    s.pushed = sti_fleet_read_varint(&r);
    s.count = sti_fleet_read_be64(&r);
    read_root(&r, s.root);
    s.now = sti_fleet_read_version(&r);
    s.horizon = sti_fleet_read_varint(&r);
    r.bad = r.bad || s.horizon > INT64_MAX;
    rc = finish(&r, "state", err);
    if (rc == STELE_OK) {
        *out = s;
    }
    return rc;
}

stele_code sti_fleet_credit_encode(
        const struct sti_fleet_credit *credit, stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);

    sti_fleet_write_u8(&w, STI_FLEET_PKT_CREDIT);
    sti_fleet_write_be64(&w, credit->boot);
    sti_fleet_write_varint(&w, credit->bytes);
    sti_fleet_write_varint(&w, credit->seen);
    return w.rc;
}

stele_code sti_fleet_credit_decode(
        struct sti_fleet_credit *out, stele_bytes bytes, stele_error *err)
{
    struct sti_fleet_reader r = begin(bytes, STI_FLEET_PKT_CREDIT);
    struct sti_fleet_credit c = {.boot = sti_fleet_read_be64(&r)};
    stele_code rc;

    c.bytes = sti_fleet_read_varint(&r);
    c.seen = sti_fleet_read_varint(&r);
    rc = finish(&r, "credit", err);
    if (rc == STELE_OK) {
        *out = c;
    }
    return rc;
}

/* ---- Fetch and its answer. ---- */

stele_code sti_fleet_fetch_begin(
        const struct sti_fleet_fetch *fetch, stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);

    sti_fleet_write_u8(&w, STI_FLEET_PKT_FETCH);
    sti_fleet_write_be64(&w, fetch->session);
    sti_fleet_write_be64(&w, fetch->salt);
    sti_fleet_write_varint(&w, fetch->bytes_max);
    return w.rc;
}

stele_code sti_fleet_fetch_add(const struct sti_fleet_fetch_item *item, uint64_t *seconds,
        stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);

    sti_fleet_write_bound(&w, &item->low, seconds);
    sti_fleet_write_bound(&w, &item->high, seconds);
    sti_fleet_write_varint(&w, item->ids.len / STI_FLEET_SHORT_SIZE);
    sti_fleet_write_bytes(&w, item->ids);
    return w.rc;
}

static void read_item(
        struct sti_fleet_reader *r, uint64_t *seconds, struct sti_fleet_fetch_item *out)
{
    uint64_t count;

    out->low = sti_fleet_read_bound(r, seconds);
    out->high = sti_fleet_read_bound(r, seconds);
    count = sti_fleet_read_varint(r);
    r->bad = r->bad || count > r->rest.len / STI_FLEET_SHORT_SIZE ||
             sti_fleet_bound_compare(&out->low, &out->high) >= 0;
    out->ids = sti_fleet_read_bytes(r, r->bad ? 0 : count * STI_FLEET_SHORT_SIZE);
}

stele_code sti_fleet_fetch_next(struct sti_fleet_fetch *fetch, struct sti_fleet_fetch_item *item)
{
    if (fetch->items.rest.len == 0) {
        return STELE_END;
    }
    read_item(&fetch->items, &fetch->seconds, item);
    return STELE_OK;
}

stele_code sti_fleet_fetch_decode(struct sti_fleet_fetch *out, stele_bytes bytes, stele_error *err)
{
    struct sti_fleet_reader r = begin(bytes, STI_FLEET_PKT_FETCH);
    struct sti_fleet_fetch f = {.session = sti_fleet_read_be64(&r)};
    struct sti_fleet_fetch_item item;
    uint64_t seconds = 0;
    stele_code rc;

    f.salt = sti_fleet_read_be64(&r);
    f.bytes_max = sti_fleet_read_varint(&r);
    f.items = r;
    while (!r.bad && r.rest.len > 0) {
        read_item(&r, &seconds, &item);
    }
    rc = finish(&r, "fetch", err);
    if (rc == STELE_OK) {
        *out = f;
    }
    return rc;
}

stele_code sti_fleet_logs_begin(uint64_t session, stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);

    sti_fleet_write_u8(&w, STI_FLEET_PKT_LOGS);
    sti_fleet_write_be64(&w, session);
    sti_fleet_write_u8(&w, 0);
    return w.rc;
}

stele_code sti_fleet_logs_decode(struct sti_fleet_logs *out, stele_bytes bytes, stele_error *err)
{
    struct sti_fleet_reader r = begin(bytes, STI_FLEET_PKT_LOGS);
    struct sti_fleet_logs l = {.session = sti_fleet_read_be64(&r)};
    uint8_t more = sti_fleet_read_u8(&r);
    stele_code rc;

    l.more = more != 0;
    l.entries = read_entries(&r);
    r.bad = r.bad || more > 1;
    rc = finish(&r, "logs", err);
    if (rc == STELE_OK) {
        *out = l;
    }
    return rc;
}

/* ---- Snapshot and its answer. ---- */

stele_code sti_fleet_snap_encode(
        const struct sti_fleet_snap *snap, stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);

    sti_fleet_write_u8(&w, STI_FLEET_PKT_SNAP);
    sti_fleet_write_version(&w, snap->at);
    sti_fleet_write_sized(&w, snap->cursor);
    return w.rc;
}

stele_code sti_fleet_snap_decode(struct sti_fleet_snap *out, stele_bytes bytes, stele_error *err)
{
    struct sti_fleet_reader r = begin(bytes, STI_FLEET_PKT_SNAP);
    struct sti_fleet_snap s = {.at = sti_fleet_read_version(&r)};
    stele_code rc;

    s.cursor = sti_fleet_read_sized(&r);
    r.bad = r.bad || s.cursor.len > STI_DOCS_ID_MAX;
    rc = finish(&r, "snap", err);
    if (rc == STELE_OK) {
        *out = s;
    }
    return rc;
}

stele_code sti_fleet_snap_reply_encode(
        stele_bytes cursor, stele_bytes entries, stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);

    sti_fleet_write_u8(&w, STI_FLEET_PKT_SNAP_REPLY);
    sti_fleet_write_sized(&w, cursor);
    sti_fleet_write_bytes(&w, entries);
    return w.rc;
}

stele_code sti_fleet_snap_reply_decode(
        struct sti_fleet_snap *out, stele_bytes bytes, stele_error *err)
{
    struct sti_fleet_reader r = begin(bytes, STI_FLEET_PKT_SNAP_REPLY);
    struct sti_fleet_snap s = {.cursor = sti_fleet_read_sized(&r)};
    stele_code rc;

    s.entries = read_entries(&r);
    r.bad = r.bad || s.cursor.len > STI_DOCS_ID_MAX;
    rc = finish(&r, "snap reply", err);
    if (rc == STELE_OK) {
        *out = s;
    }
    return rc;
}
