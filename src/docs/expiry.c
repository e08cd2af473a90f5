/* SPDX-License-Identifier: MIT
 *
 * expiry.c: times at which documents end, and where they are kept.
 */
#include "docs/expiry.h"

#include "base/coding.h"
#include "base/error.h"
#include "docs/apply.h"
#include "docs/instant.h"

enum {
    BY_TIME = 0,
    BY_ID = 1,
    TIME_SIZE = 8 + 4
};

/* ---- Pure. ---- */

int sti_docs_time_compare(struct sti_docs_time a, struct sti_docs_time b)
{
    if (a.seconds != b.seconds) {
        return a.seconds < b.seconds ? -1 : 1;
    }
    return (a.ns > b.ns) - (a.ns < b.ns);
}

bool sti_docs_expiry_of(
        const struct sti_docs_kind *kind, const json_t *document, struct sti_docs_time *out)
{
    struct sti_docs_instant instant;

    if (kind == NULL || kind->type->expiry == NULL || document == NULL ||
            !sti_docs_instant_of(sti_docs_path_find(&kind->expiry, document), &instant)) {
        return false;
    }
    *out = (struct sti_docs_time){.seconds = instant.seconds, .ns = instant.ns};
    return true;
}

stele_code sti_docs_expiry_version(struct sti_docs_time expiry, struct sti_docs_version document,
        struct sti_docs_version *out, stele_error *err)
{
    struct sti_docs_time set = {.seconds = document.seconds, .ns = document.ns};

    if (sti_docs_time_compare(set, expiry) < 0) {
        *out = (struct sti_docs_version){expiry.seconds, expiry.ns, document.server};
        return STELE_OK;
    }
    *out = document;
    if (++out->ns < STI_DOCS_SECOND_NS) {
        return STELE_OK;
    }
    if (out->seconds == INT64_MAX) {
        return sti_fail(err, STELE_ETOOBIG, "the end of a document is behind the end of time");
    }
    out->seconds++;
    out->ns = 0;
    return STELE_OK;
}

/* ---- What the store holds. ---- */

/* Times before 1970 sort before others. */
static void put_time(uint8_t out[TIME_SIZE], struct sti_docs_time time)
{
    sti_put_be64(out, (uint64_t)time.seconds ^ UINT64_C(1) << 63);
    sti_put_be32(out + 8, time.ns);
}

void sti_docs_expiry_value(uint8_t out[STI_DOCS_EXPIRY_VALUE_SIZE], struct sti_docs_time expiry)
{
    out[0] = STI_DOCS_FORM;
    put_time(out + 1, expiry);
}

stele_code sti_docs_expiry_key(
        stele_bytes id, const struct sti_docs_time *expiry, stele_buf *out, stele_error *err)
{
    uint8_t head[1 + TIME_SIZE] = {expiry == NULL ? BY_ID : BY_TIME};
    stele_code rc;

    if (expiry != NULL) {
        put_time(head + 1, *expiry);
    }
    stele_buf_clear(out);
    rc = stele_buf_append(out, stele_bytes_of(head, expiry == NULL ? 1 : sizeof head), err);
    return rc == STELE_OK ? stele_buf_append(out, id, err) : rc;
}

static struct sti_docs_time get_time(const uint8_t *in)
{
    return (struct sti_docs_time){
            .seconds = (int64_t)(sti_get_be64(in) ^ UINT64_C(1) << 63),
            .ns = sti_get_be32(in + 8),
    };
}

stele_code sti_docs_expiry_split(
        stele_bytes key, stele_bytes value, struct sti_docs_time *time, stele_bytes *id)
{
    size_t head = key.len > 0 && key.data[0] == BY_TIME ? 1 + TIME_SIZE : 1;
    size_t value_len = head == 1 ? (size_t)TIME_SIZE : 0;

    if (key.len <= head || key.data[0] > BY_ID ||
            sti_docs_check_form(value, value_len, "end of a document", NULL) != STELE_OK) {
        return STELE_ECORRUPT;
    }
    *time = get_time(head == 1 ? value.data + 1 : key.data + 1);
    *id = stele_bytes_of(key.data + head, key.len - head);
    return STELE_OK;
}

stele_code sti_docs_expiry_read(stele_store_read *read, stele_bytes id, struct sti_docs_time *out,
        bool *found, stele_error *err)
{
    stele_bytes value = stele_nil();
    stele_buf key;
    stele_code rc;

    stele_buf_init(&key, SIZE_MAX);
    rc = sti_docs_expiry_key(id, NULL, &key, err);
    if (rc == STELE_OK) {
        rc = sti_docs_read(read, STI_DOCS_EXP, stele_buf_view(&key), &value, found, err);
    }
    stele_buf_free(&key);
    if (rc != STELE_OK || !*found) {
        return rc;
    }
    rc = sti_docs_check_form(value, TIME_SIZE, "end of a document", err);
    if (rc == STELE_OK) {
        *out = get_time(value.data + 1);
    }
    return rc;
}

stele_code sti_docs_is_expired(stele_docs *db, stele_store_read *read, stele_bytes id,
        struct sti_docs_time now, bool *expired, stele_error *err)
{
    struct sti_docs_time expiry = {.seconds = 0};
    bool found = false;
    stele_code rc = STELE_OK;

    if (atomic_load(&db->expires)) {
        rc = sti_docs_expiry_read(read, id, &expiry, &found, err);
    }
    if (rc == STELE_OK) {
        *expired = found && sti_docs_time_compare(expiry, now) <= 0;
    }
    return rc;
}

/* Both keys of an ID, put or taken away. */
static stele_code write_both(struct sti_docs_write *w, stele_bytes id, struct sti_docs_time expiry,
        bool put, stele_error *err)
{
    static const uint8_t form = STI_DOCS_FORM;
    uint8_t value[STI_DOCS_EXPIRY_VALUE_SIZE];
    stele_buf key;
    stele_code rc;

    stele_buf_init(&key, SIZE_MAX);
    sti_docs_expiry_value(value, expiry);
    rc = sti_docs_expiry_key(id, &expiry, &key, err);
    if (rc == STELE_OK) {
        rc = put ? sti_docs_put(w, STI_DOCS_EXP, stele_buf_view(&key),
                           stele_bytes_of(&form, sizeof form), err)
                 : sti_docs_remove(w, STI_DOCS_EXP, stele_buf_view(&key), err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_expiry_key(id, NULL, &key, err);
    }
    if (rc == STELE_OK) {
        rc = put ? sti_docs_put(w, STI_DOCS_EXP, stele_buf_view(&key),
                           stele_bytes_of(value, sizeof value), err)
                 : sti_docs_remove(w, STI_DOCS_EXP, stele_buf_view(&key), err);
    }
    stele_buf_free(&key);
    return rc;
}

stele_code sti_docs_expiry_replace(struct sti_docs_write *w, stele_bytes id,
        const struct sti_docs_time *expiry, stele_error *err)
{
    struct sti_docs_time old = {.seconds = 0};
    bool found = false;
    stele_code rc;

    if (!atomic_load(&w->db->expires)) {
        return STELE_OK;
    }
    rc = sti_docs_expiry_read(w->view, id, &old, &found, err);
    if (rc == STELE_OK && found) {
        rc = write_both(w, id, old, false, err);
    }
    return rc == STELE_OK && expiry != NULL ? write_both(w, id, *expiry, true, err) : rc;
}

stele_code sti_docs_live_owner(stele_docs *db, stele_store_read *read, struct sti_docs_time now,
        stele_store_cursor *cursor, stele_bytes claim, stele_bytes *id, bool *found,
        stele_error *err)
{
    stele_code rc = sti_docs_index_owner(cursor, claim, id, found, err);
    bool expired = true;

    while (rc == STELE_OK && *found) {
        rc = sti_docs_is_expired(db, read, *id, now, &expired, err);
        if (rc != STELE_OK || !expired) {
            break;
        }
        rc = sti_docs_index_next_claimant(cursor, claim, id, found, err);
    }
    return rc;
}
