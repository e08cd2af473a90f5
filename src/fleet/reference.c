/* SPDX-License-Identifier: MIT
 *
 * reference.c: the packets of the reference.
 */
#include "fleet/reference.h"

#include "base/error.h"

static stele_code check_key(struct sti_fleet_ref_packet *p, stele_bytes key, stele_error *err)
{
    stele_code rc = sti_docs_log_key_decode(&p->version, &p->id, key, err);

    return rc == STELE_ETOOBIG || rc == STELE_OK ? rc : STELE_ECORRUPT;
}

/* Each key has its bytes, so that going over them later cannot fail. */
static void check_keys(struct sti_fleet_reader r, bool *bad)
{
    while (!r.bad && r.rest.len > 0) {
        (void)sti_fleet_read_str8(&r);
    }
    *bad = *bad || r.bad;
}

static stele_code decode_body(
        struct sti_fleet_ref_packet *p, struct sti_fleet_reader *r, stele_error *err)
{
    switch (p->kind) {
    case STELE_FLEET_PKT_GET_INFO:
        p->name = sti_fleet_read_rest(r);
        return STELE_OK;
    case STELE_FLEET_PKT_GET_LOG_IDS:
        p->name = sti_fleet_read_str16(r);
        p->epoch = (int64_t)sti_fleet_read_be64(r);
        return STELE_OK;
    case STELE_FLEET_PKT_FETCH_LOG:
        return check_key(p, sti_fleet_read_rest(r), err);
    case STELE_FLEET_PKT_LOG_PUSH:
        p->entry = sti_fleet_read_rest(r);
        return STELE_OK;
    case STELE_FLEET_PKT_LOG_IDS_PUSH:
        p->name = sti_fleet_read_str16(r);
        check_keys(*r, &r->bad);
        break;
    case STELE_FLEET_PKT_GET_INFO_RESP:
        p->name = sti_fleet_read_str16(r);
        r->bad = r->bad || r->rest.len % STI_DOCS_CHECKPOINT_SIZE != 0;
        break;
    default:
        return sti_fail(err, STELE_ENOTSUP, "a packet of kind 0x%02x", p->kind);
    }
    p->items.rest = sti_fleet_read_rest(r);
    return STELE_OK;
}

stele_code sti_fleet_ref_decode(
        struct sti_fleet_ref_packet *out, stele_bytes bytes, stele_error *err)
{
    struct sti_fleet_reader r = sti_fleet_reader_of(bytes);
    struct sti_fleet_ref_packet p = {.kind = sti_fleet_read_u8(&r)};
    stele_code rc = STELE_OK;

    if (!r.bad) {
        rc = decode_body(&p, &r, err);
    }
    if (rc == STELE_OK && (r.bad || r.rest.len > 0)) {
        rc = sti_fail(
                err, STELE_ECORRUPT, "a packet 0x%02x of %zu bytes is none", p.kind, bytes.len);
    }
    if (rc == STELE_OK) {
        *out = p;
    }
    return rc;
}

stele_code sti_fleet_ref_next_key(struct sti_fleet_ref_packet *packet, stele_bytes *key)
{
    if (packet->items.rest.len == 0) {
        return STELE_END;
    }
    *key = sti_fleet_read_str8(&packet->items);
    return STELE_OK;
}

stele_code sti_fleet_ref_next_checkpoint(
        struct sti_fleet_ref_packet *packet, struct sti_docs_checkpoint *out, stele_error *err)
{
    if (packet->items.rest.len == 0) {
        return STELE_END;
    }
    return sti_docs_checkpoint_get(
            out, sti_fleet_read_bytes(&packet->items, STI_DOCS_CHECKPOINT_SIZE), err);
}

/* ---- Writing. ---- */

stele_code sti_fleet_ref_get_info(stele_bytes name, stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);

    sti_fleet_write_u8(&w, STELE_FLEET_PKT_GET_INFO);
    sti_fleet_write_bytes(&w, name);
    return w.rc;
}

stele_code sti_fleet_ref_get_log_ids(
        stele_bytes name, int64_t epoch, stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);

    sti_fleet_write_u8(&w, STELE_FLEET_PKT_GET_LOG_IDS);
    sti_fleet_write_str16(&w, name);
    sti_fleet_write_be64(&w, (uint64_t)epoch);
    return w.rc;
}

stele_code sti_fleet_ref_fetch_log(stele_bytes key, stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);

    sti_fleet_write_u8(&w, STELE_FLEET_PKT_FETCH_LOG);
    sti_fleet_write_bytes(&w, key);
    return w.rc;
}

stele_code sti_fleet_ref_log_push(stele_bytes entry, stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);

    sti_fleet_write_u8(&w, STELE_FLEET_PKT_LOG_PUSH);
    sti_fleet_write_bytes(&w, entry);
    return w.rc;
}

stele_code sti_fleet_ref_log_ids(stele_bytes name, stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);

    sti_fleet_write_u8(&w, STELE_FLEET_PKT_LOG_IDS_PUSH);
    sti_fleet_write_str16(&w, name);
    return w.rc;
}

stele_code sti_fleet_ref_add_key(stele_bytes key, stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);

    sti_fleet_write_str8(&w, key);
    return w.rc;
}

stele_code sti_fleet_ref_info(stele_bytes name, stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);

    sti_fleet_write_u8(&w, STELE_FLEET_PKT_GET_INFO_RESP);
    sti_fleet_write_str16(&w, name);
    return w.rc;
}

stele_code sti_fleet_ref_add_checkpoint(
        const struct sti_docs_checkpoint *checkpoint, stele_buf *out, stele_error *err)
{
    struct sti_fleet_writer w = sti_fleet_writer_of(out, err);
    uint8_t bytes[STI_DOCS_CHECKPOINT_SIZE];

    sti_docs_checkpoint_put(bytes, checkpoint);
    sti_fleet_write_bytes(&w, stele_bytes_of(bytes, sizeof bytes));
    return w.rc;
}
