/* SPDX-License-Identifier: MIT
 *
 * index_write.c: the keys that a document has, replaced, mended, and taken away.
 */
#include "base/coding.h"
#include "base/error.h"
#include "base/mutant.h"
#include "docs/apply.h"

/* ---- Replacing. ---- */

/* For a seeded bug: whether somebody owns a unique key already. */
static bool is_claimed(struct sti_docs_write *w, const struct sti_docs_kept *kept)
{
    stele_store_cursor *cursor = NULL;
    stele_bytes id = stele_nil();
    bool found = false;

    if (kept->version.len > 0 && stele_store_cursor_open(&cursor, w->view,
                                         sti_docs_bucket_name(STI_DOCS_IDX), NULL) == STELE_OK) {
        (void)sti_docs_index_owner(cursor, kept->claim, &id, &found, NULL);
        stele_store_cursor_close(cursor);
    }
    return found;
}

/* For another one: whoever owns a unique key loses it. */
static void take_owner(struct sti_docs_write *w, const struct sti_docs_kept *kept)
{
    stele_store_cursor *cursor = NULL;
    stele_bytes id = stele_nil();
    stele_bytes key = stele_nil();
    bool found = false;

    if (is_claimed(w, kept) && stele_store_cursor_open(&cursor, w->view,
                                       sti_docs_bucket_name(STI_DOCS_IDX), NULL) == STELE_OK) {
        (void)sti_docs_index_owner(cursor, kept->claim, &id, &found, NULL);
        if (stele_store_cursor_pair(cursor, &key, NULL, NULL) == STELE_OK) {
            (void)sti_docs_remove(w, STI_DOCS_IDX, key, NULL);
        }
        stele_store_cursor_close(cursor);
    }
}

/* One key of the index put or taken away. */
static stele_code write_key(struct sti_docs_write *w, stele_bytes id,
        const struct sti_docs_kept *kept, bool put, stele_error *err)
{
    uint8_t value[STI_DOCS_INDEX_VALUE_SIZE];
    stele_buf key;
    stele_code rc;

    stele_buf_init(&key, SIZE_MAX);
    rc = sti_docs_kept_key(kept, id, &key, err);
    if (STI_MUTANT(DOCS_INDEX_FIRST_COMES) && put && is_claimed(w, kept)) {
        stele_buf_free(&key);
        return rc;
    }
    if (rc == STELE_OK && put) {
        sti_docs_index_value_put(value, kept);
        rc = sti_docs_put(
                w, STI_DOCS_IDX, stele_buf_view(&key), stele_bytes_of(value, sizeof value), err);
    } else if (rc == STELE_OK) {
        rc = sti_docs_remove(w, STI_DOCS_IDX, stele_buf_view(&key), err);
        if (STI_MUTANT(DOCS_LOSER_TAKES_KEY)) {
            take_owner(w, kept);
        }
    }
    stele_buf_free(&key);
    if (rc == STELE_OK && kept->version.len > 0 && !(put && w->unclaimed)) {
        rc = sti_docs_index_note_conflict(w, kept->claim, err);
    }
    return rc;
}

static int compare_kept(const struct sti_docs_kept *a, const struct sti_docs_kept *b)
{
    int order = stele_bytes_compare(a->claim, b->claim);

    return order != 0 ? order : stele_bytes_compare(a->version, b->version);
}

/* Walk both lists, which ascend, and write where they differ. */
static stele_code write_differences(struct sti_docs_write *w, stele_bytes id,
        struct sti_docs_kept *old, struct sti_docs_kept *new, stele_error *err)
{
    stele_code rc_old = sti_docs_kept_next(old, err);
    stele_code rc_new = rc_old < 0 ? rc_old : sti_docs_kept_next(new, err);

    while (rc_old >= 0 && rc_new >= 0 && (rc_old == STELE_OK || rc_new == STELE_OK)) {
        int order = rc_old == STELE_END ? 1 : rc_new == STELE_END ? -1 : compare_kept(old, new);
        stele_code rc = STELE_OK;

        if (order < 0) {
            rc = STI_MUTANT(DOCS_OLD_KEYS_KEPT) ? STELE_OK : write_key(w, id, old, false, err);
        } else if (order > 0) {
            rc = write_key(w, id, new, true, err);
        }
        if (rc != STELE_OK) {
            return rc;
        }
        rc_old = order <= 0 ? sti_docs_kept_next(old, err) : rc_old;
        rc_new = order >= 0 && rc_old >= 0 ? sti_docs_kept_next(new, err) : rc_new;
    }
    return rc_old < 0 ? rc_old : rc_new < 0 ? rc_new : STELE_OK;
}

/* The value of kdt that a document with such keys has. */
static stele_code encode(const struct sti_docs_index_keys *keys, const struct sti_docs_info *info,
        stele_buf *out, stele_error *err)
{
    return sti_docs_claims_fit(keys, info)
                   ? sti_docs_kept_encode(keys, info, out, err)
                   : sti_fail(err, STELE_ECORRUPT, "the log of a document does not fit it");
}

/* A document has from now on the keys in a value of kdt; nil: none. */
static stele_code replace_kept(
        struct sti_docs_write *w, stele_bytes id, stele_bytes kept, stele_error *err)
{
    struct sti_docs_kept old = {.rest = stele_nil()};
    struct sti_docs_kept new = {.rest = stele_nil()};
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_read(w->view, STI_DOCS_KDT, id, &value, &found, err);

    if (rc == STELE_OK && found) {
        rc = sti_docs_kept_begin(&old, value, err);
    }
    if (rc == STELE_OK && !stele_is_nil(kept)) {
        rc = sti_docs_kept_begin(&new, kept, err);
    }
    if (rc == STELE_OK) {
        rc = write_differences(w, id, &old, &new, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    if (STI_MUTANT(DOCS_KEPT_NOT_RENEWED) && found) {
        return STELE_OK;
    }
    return stele_is_nil(kept) ? sti_docs_remove(w, STI_DOCS_KDT, id, err)
                              : sti_docs_put(w, STI_DOCS_KDT, id, kept, err);
}

stele_code sti_docs_index_replace(struct sti_docs_write *w, stele_bytes id,
        const struct sti_docs_index_keys *keys, const struct sti_docs_info *info, stele_error *err)
{
    stele_buf kept;
    stele_code rc = STELE_OK;

    stele_buf_init(&kept, SIZE_MAX);
    if (keys != NULL) {
        rc = encode(keys, info, &kept, err);
    }
    if (rc == STELE_OK) {
        rc = replace_kept(w, id, stele_buf_view(&kept), err);
    }
    stele_buf_free(&kept);
    return rc;
}

stele_code sti_docs_index_first(struct sti_docs_write *w, stele_bytes id,
        const struct sti_docs_index_keys *keys, const struct sti_docs_info *info, stele_error *err)
{
    struct sti_docs_kept none = {.rest = stele_nil()};
    struct sti_docs_kept kept = {.rest = stele_nil()};
    stele_buf bytes;
    stele_code rc;

    stele_buf_init(&bytes, SIZE_MAX);
    rc = encode(keys, info, &bytes, err);
    if (rc == STELE_OK) {
        rc = sti_docs_kept_begin(&kept, stele_buf_view(&bytes), err);
    }
    if (rc == STELE_OK) {
        rc = write_differences(w, id, &none, &kept, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_put(w, STI_DOCS_KDT, id, stele_buf_view(&bytes), err);
    }
    stele_buf_free(&bytes);
    return rc;
}

/* Those of the keys that the index does not have, or has otherwise. */
static stele_code put_missing(
        struct sti_docs_write *w, stele_bytes id, stele_bytes kept_bytes, stele_error *err)
{
    struct sti_docs_kept kept = {.rest = stele_nil()};
    stele_buf key;
    stele_code rc = sti_docs_kept_begin(&kept, kept_bytes, err);

    stele_buf_init(&key, SIZE_MAX);
    while (rc == STELE_OK) {
        uint8_t wanted[STI_DOCS_INDEX_VALUE_SIZE];
        stele_bytes value = stele_nil();
        bool found = false;

        rc = sti_docs_kept_next(&kept, err);
        if (rc == STELE_OK) {
            rc = sti_docs_kept_key(&kept, id, &key, err);
        }
        if (rc == STELE_OK) {
            rc = sti_docs_read(w->view, STI_DOCS_IDX, stele_buf_view(&key), &value, &found, err);
        }
        if (rc == STELE_OK) {
            sti_docs_index_value_put(wanted, &kept);
            if (!found || !stele_bytes_equal(value, stele_bytes_of(wanted, sizeof wanted))) {
                rc = write_key(w, id, &kept, true, err);
            }
        }
    }
    stele_buf_free(&key);
    return rc == STELE_END ? STELE_OK : rc;
}

/* Whether a value of kdt can be read to its end. */
static bool is_readable(stele_bytes value)
{
    struct sti_docs_kept kept = {.rest = stele_nil()};
    stele_code rc = sti_docs_kept_begin(&kept, value, NULL);

    while (rc == STELE_OK) {
        rc = sti_docs_kept_next(&kept, NULL);
    }
    return rc == STELE_END;
}

stele_code sti_docs_index_mend(struct sti_docs_write *w, stele_bytes id,
        const struct sti_docs_index_keys *keys, const struct sti_docs_info *info, stele_error *err)
{
    stele_bytes value = stele_nil();
    bool found = false;
    stele_buf kept;
    stele_code rc;

    stele_buf_init(&kept, SIZE_MAX);
    rc = encode(keys, info, &kept, err);
    if (rc == STELE_OK) {
        rc = sti_docs_read(w->view, STI_DOCS_KDT, id, &value, &found, err);
    }
    if (rc == STELE_OK && !(found && stele_bytes_equal(value, stele_buf_view(&kept)))) {
        if (found && !is_readable(value)) {
            rc = sti_docs_remove(w, STI_DOCS_KDT, id, err);
        }
        if (rc == STELE_OK) {
            rc = replace_kept(w, id, stele_buf_view(&kept), err);
        }
    }
    if (rc == STELE_OK) {
        rc = put_missing(w, id, stele_buf_view(&kept), err);
    }
    stele_buf_free(&kept);
    return rc;
}

/* ---- Keys of numbers. ---- */

stele_code sti_docs_kept_numbers(
        stele_bytes value, uint32_t number, bool *has, bool *others, stele_error *err)
{
    struct sti_docs_kept kept = {.rest = stele_nil()};
    stele_code rc = sti_docs_kept_begin(&kept, value, err);

    *has = false;
    *others = false;
    while (rc == STELE_OK) {
        rc = sti_docs_kept_next(&kept, err);
        if (rc == STELE_OK && kept.claim.len >= sizeof number) {
            bool same = sti_get_be32(kept.claim.data) == number;

            *has = *has || same;
            *others = *others || !same;
        }
    }
    return rc == STELE_END ? STELE_OK : rc;
}

/* Claims to keys of the number alone. */
static stele_code strip_claims(
        struct sti_docs_write *w, stele_bytes id, uint32_t number, stele_error *err)
{
    struct sti_docs_info info = {.claims = NULL};
    stele_bytes value = stele_nil();
    bool found = false;
    size_t left = 0;
    stele_buf out;
    stele_code rc = sti_docs_read(w->view, STI_DOCS_NFO, id, &value, &found, err);

    if (rc == STELE_OK && found) {
        rc = sti_docs_info_decode(&info, value, err);
    }
    if (rc != STELE_OK || info.claim_count == 0) {
        return rc;
    }
    for (size_t i = 0; i < info.claim_count; i++) {
        if (info.claims[i].key.len >= sizeof number &&
                sti_get_be32(info.claims[i].key.data) == number) {
            info.claims[left++] = info.claims[i];
        }
    }
    info.claim_count = left;
    stele_buf_init(&out, SIZE_MAX);
    rc = sti_docs_info_encode(&info, &out, err);
    if (rc == STELE_OK) {
        rc = sti_docs_put(w, STI_DOCS_NFO, id, stele_buf_view(&out), err);
    }
    stele_buf_free(&out);
    sti_docs_info_free(&info);
    return rc;
}

stele_code sti_docs_index_strip(
        struct sti_docs_write *w, stele_bytes id, uint32_t number, stele_error *err)
{
    static const uint8_t form = STI_DOCS_FORM;
    struct sti_docs_kept kept = {.rest = stele_nil()};
    stele_bytes value = stele_nil();
    bool found = false;
    stele_buf left;
    stele_code rc = sti_docs_read(w->view, STI_DOCS_KDT, id, &value, &found, err);

    if (rc == STELE_OK && !found) {
        rc = sti_fail(err, STELE_ECORRUPT, "a document that is indexed has no keys");
    }
    stele_buf_init(&left, SIZE_MAX);
    if (rc == STELE_OK) {
        rc = sti_docs_kept_begin(&kept, value, err);
    }
    if (rc == STELE_OK) {
        rc = stele_buf_append(&left, stele_bytes_of(&form, sizeof form), err);
    }
    while (rc == STELE_OK) {
        rc = sti_docs_kept_next(&kept, err);
        if (rc == STELE_OK && kept.claim.len >= sizeof number &&
                sti_get_be32(kept.claim.data) == number) {
            rc = sti_docs_kept_add(kept.claim, kept.version, &left, err);
        }
    }
    if (rc == STELE_END) {
        rc = replace_kept(w, id, stele_buf_view(&left), err);
    }
    stele_buf_free(&left);
    return rc == STELE_OK ? strip_claims(w, id, number, err) : rc;
}
