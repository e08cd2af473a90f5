/* SPDX-License-Identifier: MIT
 *
 * pass.c: a bucket, batch after batch.
 */
#include "docs/pass.h"

/* The key at or behind `at`, which it takes the place of, with a zero byte added; STELE_END: at
 * `end`. */
static stele_code next_key(struct sti_docs_write *w, enum sti_docs_bucket bucket, stele_buf *at,
        stele_bytes end, stele_error *err)
{
    stele_store_cursor *cursor = NULL;
    stele_bytes key = stele_nil();
    stele_code rc = stele_store_cursor_open(&cursor, w->view, sti_docs_bucket_name(bucket), err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_store_cursor_seek(cursor, stele_buf_view(at), err);
    if (rc == STELE_OK) {
        rc = stele_store_cursor_pair(cursor, &key, NULL, err);
    }
    if (rc == STELE_OK && !stele_is_nil(end) && stele_bytes_compare(key, end) >= 0) {
        rc = STELE_END;
    }
    if (rc == STELE_OK) {
        stele_buf_clear(at);
        rc = stele_buf_append(at, key, err);
    }
    if (rc == STELE_OK) {
        rc = stele_buf_append(at, stele_bytes_of("", 1), err);
    }
    stele_store_cursor_close(cursor);
    return rc;
}

stele_code sti_docs_pass(stele_docs *db, enum sti_docs_bucket bucket, stele_bytes start,
        stele_bytes end, sti_docs_pass_fn each, void *arg, stele_error *err)
{
    bool more = true;
    stele_buf at;
    stele_code rc;

    stele_buf_init(&at, SIZE_MAX);
    rc = stele_buf_append(&at, start, err);
    while (rc == STELE_OK && more) {
        struct sti_docs_write w = {.db = db};

        rc = sti_docs_write_begin(&w, db, err);
        if (rc != STELE_OK) {
            break;
        }
        w.lazy = true;
        for (int i = 0; i < STI_DOCS_PASS_KEYS && rc == STELE_OK; i++) {
            rc = next_key(&w, bucket, &at, end, err);
            if (rc == STELE_OK) {
                rc = each(arg, &w, stele_bytes_of(at.data, at.len - 1), err);
            }
        }
        more = rc == STELE_OK;
        rc = sti_docs_write_end(&w, rc == STELE_END ? STELE_OK : rc, err);
    }
    stele_buf_free(&at);
    return rc;
}
