/* SPDX-License-Identifier: MIT
 *
 * What peers send: the packets of the reference, and those of Stele.
 *
 *     the whole input is a packet
 *
 * What decodes is inside the input. What has one form only encodes to the same bytes.
 */
#include "fleet/packet.h"
#include "fleet/reference.h"
#include "fuzz.h"

enum {
    BUF_LIMIT = 1 << 24
};

static bool is_within(stele_bytes part, stele_bytes whole)
{
    return part.len == 0 ||
           (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

static void require_same(stele_buf *buf, stele_bytes bytes)
{
    fuzz_require(buf->len == bytes.len && memcmp(buf->data, bytes.data, bytes.len) == 0);
    stele_buf_clear(buf);
}

/* ---- The reference's. ---- */

static void ref_keys(struct sti_fleet_ref_packet p, stele_bytes bytes, stele_buf *buf)
{
    stele_bytes key;

    fuzz_require(sti_fleet_ref_log_ids(p.name, buf, NULL) == STELE_OK);
    while (sti_fleet_ref_next_key(&p, &key) == STELE_OK) {
        fuzz_require(is_within(key, bytes));
        fuzz_require(sti_fleet_ref_add_key(key, buf, NULL) == STELE_OK);
    }
    require_same(buf, bytes);
}

static void ref_info(struct sti_fleet_ref_packet p, stele_bytes bytes, stele_buf *buf)
{
    struct sti_docs_checkpoint checkpoint;
    bool all = true;
    stele_code rc;

    fuzz_require(sti_fleet_ref_info(p.name, buf, NULL) == STELE_OK);
    while ((rc = sti_fleet_ref_next_checkpoint(&p, &checkpoint, NULL)) != STELE_END) {
        all = all && rc == STELE_OK;
        if (rc == STELE_OK) {
            fuzz_require(sti_fleet_ref_add_checkpoint(&checkpoint, buf, NULL) == STELE_OK);
        }
    }
    if (all) {
        require_same(buf, bytes);
    }
    stele_buf_clear(buf);
}

static void reference(stele_bytes bytes, stele_buf *buf)
{
    struct sti_fleet_ref_packet p;
    struct sti_docs_entry entry;

    if (sti_fleet_ref_decode(&p, bytes, NULL) != STELE_OK) {
        return;
    }
    fuzz_require(is_within(p.name, bytes) && is_within(p.id, bytes) && is_within(p.entry, bytes));
    switch (p.kind) {
    case STELE_FLEET_PKT_GET_INFO:
        fuzz_require(sti_fleet_ref_get_info(p.name, buf, NULL) == STELE_OK);
        require_same(buf, bytes);
        break;
    case STELE_FLEET_PKT_GET_LOG_IDS:
        fuzz_require(sti_fleet_ref_get_log_ids(p.name, p.epoch, buf, NULL) == STELE_OK);
        require_same(buf, bytes);
        break;
    case STELE_FLEET_PKT_LOG_PUSH:
        (void)sti_docs_entry_decode(&entry, p.entry, NULL);
        break;
    case STELE_FLEET_PKT_LOG_IDS_PUSH:
        ref_keys(p, bytes, buf);
        break;
    case STELE_FLEET_PKT_GET_INFO_RESP:
        ref_info(p, bytes, buf);
        break;
    default:
        break;
    }
}

/* ---- Ours. ---- */

static void add_entries(struct sti_fleet_entries entries, stele_bytes bytes, stele_buf *buf)
{
    stele_bytes entry;

    while (sti_fleet_entries_next(&entries, &entry) == STELE_OK) {
        fuzz_require(is_within(entry, bytes));
        fuzz_require(sti_fleet_entries_add(entry, buf, NULL) == STELE_OK);
    }
}

static void hello(stele_bytes bytes, stele_buf *buf)
{
    struct sti_fleet_hello h;

    if (sti_fleet_hello_decode(&h, bytes, NULL) == STELE_OK) {
        fuzz_require(is_within(h.collation, bytes));
        fuzz_require(sti_fleet_hello_encode(&h, buf, NULL) == STELE_OK);
        fuzz_require(buf->len <= bytes.len && memcmp(buf->data, bytes.data, buf->len) == 0);
        stele_buf_clear(buf);
    }
}

static void push(stele_bytes bytes, stele_buf *buf)
{
    struct sti_fleet_push p;

    if (sti_fleet_push_decode(&p, bytes, NULL) == STELE_OK) {
        fuzz_require(sti_fleet_push_begin(p.boot, p.first, p.entries.count, buf, NULL) == STELE_OK);
        add_entries(p.entries, bytes, buf);
        require_same(buf, bytes);
    }
}

static void state_and_credit(stele_bytes bytes, stele_buf *buf)
{
    struct sti_fleet_state s;
    struct sti_fleet_credit c;

    if (sti_fleet_state_decode(&s, bytes, NULL) == STELE_OK) {
        fuzz_require(sti_fleet_state_encode(&s, buf, NULL) == STELE_OK);
        require_same(buf, bytes);
    }
    if (sti_fleet_credit_decode(&c, bytes, NULL) == STELE_OK) {
        fuzz_require(sti_fleet_credit_encode(&c, buf, NULL) == STELE_OK);
        require_same(buf, bytes);
    }
}

static void fetch(stele_bytes bytes)
{
    struct sti_fleet_fetch f;
    struct sti_fleet_fetch_item item;

    if (sti_fleet_fetch_decode(&f, bytes, NULL) == STELE_OK) {
        while (sti_fleet_fetch_next(&f, &item) == STELE_OK) {
            fuzz_require(!f.items.bad && is_within(item.ids, bytes));
            fuzz_require(item.ids.len % STI_FLEET_SHORT_SIZE == 0);
            fuzz_require(sti_fleet_bound_compare(&item.low, &item.high) < 0);
        }
    }
}

static void logs(stele_bytes bytes, stele_buf *buf)
{
    struct sti_fleet_logs l;

    if (sti_fleet_logs_decode(&l, bytes, NULL) == STELE_OK) {
        fuzz_require(sti_fleet_logs_begin(l.session, buf, NULL) == STELE_OK);
        buf->data[STI_FLEET_LOGS_MORE_AT] = l.more;
        add_entries(l.entries, bytes, buf);
        require_same(buf, bytes);
    }
}

static void snap(stele_bytes bytes, stele_buf *buf)
{
    struct sti_fleet_snap s;
    stele_buf entries;

    if (sti_fleet_snap_decode(&s, bytes, NULL) == STELE_OK) {
        fuzz_require(sti_fleet_snap_encode(&s, buf, NULL) == STELE_OK);
        require_same(buf, bytes);
    }
    if (sti_fleet_snap_reply_decode(&s, bytes, NULL) == STELE_OK) {
        stele_buf_init(&entries, BUF_LIMIT);
        add_entries(s.entries, bytes, &entries);
        fuzz_require(sti_fleet_snap_reply_encode(s.cursor, stele_buf_view(&entries), buf, NULL) ==
                     STELE_OK);
        require_same(buf, bytes);
        stele_buf_free(&entries);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    size_t len;
    uint8_t *copy = fuzz_bytes(&in, in.size, &len);
    stele_bytes bytes = stele_bytes_of(copy, len);
    stele_buf buf;

    stele_buf_init(&buf, BUF_LIMIT);
    reference(bytes, &buf);
    hello(bytes, &buf);
    push(bytes, &buf);
    state_and_credit(bytes, &buf);
    fetch(bytes);
    logs(bytes, &buf);
    snap(bytes, &buf);
    stele_buf_free(&buf);
    free(copy);
    return 0;
}
