/* SPDX-License-Identifier: MIT
 *
 * undo.c: what there was before a restore, kept and put back.
 *
 * The mark is met "incomplete" -> 1, and what there was: bucket 1, length 4 of the key, length 4 of
 * the value, both of them, again and again.
 */
#include "docs/undo.h"

#include "base/coding.h"
#include "base/error.h"

enum {
    RECORD_HEAD = 1 + 4 + 4
};

/* ---- Keeping. ---- */

struct saving {
    stele_buf *saved;
    enum sti_docs_bucket bucket;
};

static stele_code save_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    const struct saving *s = arg;
    uint8_t head[RECORD_HEAD] = {(uint8_t)s->bucket};
    stele_code rc;

    sti_put_be32(head + 1, (uint32_t)key.len);
    sti_put_be32(head + 5, (uint32_t)value.len);
    rc = stele_buf_append(s->saved, stele_bytes_of(head, sizeof head), err);
    if (rc == STELE_OK) {
        rc = stele_buf_append(s->saved, key, err);
    }
    return rc == STELE_OK ? stele_buf_append(s->saved, value, err) : rc;
}

stele_code sti_docs_undo_save(struct sti_docs_write *w, stele_buf *saved, stele_error *err)
{
    static const uint8_t form = STI_DOCS_FORM;

    static const enum sti_docs_bucket buckets[] = {STI_DOCS_TYP, STI_DOCS_TNO};
    struct saving s = {.saved = saved, .bucket = STI_DOCS_MET};
    stele_bytes horizon = stele_str("horizon");
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc = stele_buf_append(saved, stele_bytes_of(&form, sizeof form), err);

    if (rc == STELE_OK) {
        rc = sti_docs_read(w->view, STI_DOCS_MET, horizon, &value, &found, err);
    }
    if (rc == STELE_OK && found) {
        rc = save_pair(&s, horizon, value, err);
    }
    for (size_t i = 0; i < sizeof buckets / sizeof buckets[0] && rc == STELE_OK; i++) {
        s.bucket = buckets[i];
        rc = stele_store_read_for_each(
                w->view, sti_docs_bucket_name(buckets[i]), save_pair, &s, err);
    }
    return rc;
}

stele_code sti_docs_undo_mark(struct sti_docs_write *w, stele_bytes saved, stele_error *err)
{
    return sti_docs_put(w, STI_DOCS_MET, stele_str("incomplete"), saved, err);
}

stele_code sti_docs_undo_unmark(struct sti_docs_write *w, stele_error *err)
{
    return sti_docs_remove(w, STI_DOCS_MET, stele_str("incomplete"), err);
}

stele_code sti_docs_undo_marked(stele_store_read *read, bool *marked, stele_error *err)
{
    stele_bytes saved = stele_nil();

    return sti_docs_read(read, STI_DOCS_MET, stele_str("incomplete"), &saved, marked, err);
}

/* ---- Putting back. ---- */

/* All buckets but met. */
static stele_code empty_all(struct sti_docs_write *w, stele_error *err)
{
    stele_code rc = STELE_OK;

    sti_docs_forget(w);

    for (int b = 0; b < STI_DOCS_BUCKET_COUNT && rc == STELE_OK; b++) {
        stele_bytes name = sti_docs_bucket_name((enum sti_docs_bucket)b);

        if (b == STI_DOCS_MET) {
            continue;
        }
        rc = stele_store_batch_delete_bucket(w->batch, name, err);
        if (rc == STELE_OK) {
            rc = stele_store_batch_create_bucket(w->batch, name, err);
        }
    }
    return rc;
}

static stele_code put_back(struct sti_docs_write *w, stele_bytes saved, stele_error *err)
{
    const uint8_t *at = saved.data + 1;
    size_t left = saved.len - 1;
    stele_code rc = STELE_OK;

    while (rc == STELE_OK && left > 0) {
        size_t key_len;
        size_t value_len;

        if (left < RECORD_HEAD || at[0] >= STI_DOCS_BUCKET_COUNT ||
                sti_get_be32(at + 1) > left - RECORD_HEAD ||
                sti_get_be32(at + 5) > left - RECORD_HEAD - sti_get_be32(at + 1)) {
            return sti_fail(err, STELE_ECORRUPT, "what was before a restore is cut off");
        }
        key_len = sti_get_be32(at + 1);
        value_len = sti_get_be32(at + 5);
        rc = sti_docs_put(w, (enum sti_docs_bucket)at[0], stele_bytes_of(at + RECORD_HEAD, key_len),
                stele_bytes_of(at + RECORD_HEAD + key_len, value_len), err);
        at += RECORD_HEAD + key_len + value_len;
        left -= RECORD_HEAD + key_len + value_len;
    }
    return rc;
}

stele_code sti_docs_undo(struct sti_docs_write *w, stele_error *err)
{
    stele_bytes saved = stele_nil();
    bool found = false;
    stele_code rc =
            sti_docs_read(w->view, STI_DOCS_MET, stele_str("incomplete"), &saved, &found, err);

    if (rc != STELE_OK || !found) {
        return rc;
    }
    rc = sti_docs_check_form(saved, saved.len == 0 ? 0 : saved.len - 1, "mark of a restore", err);
    if (rc == STELE_OK) {
        rc = empty_all(w, err);
    }
    if (rc == STELE_OK) {
        rc = put_back(w, saved, err);
    }
    return rc == STELE_OK ? sti_docs_undo_unmark(w, err) : rc;
}
