/* SPDX-License-Identifier: MIT
 *
 * pass.c: a bucket, batch after batch.
 */
#include "docs/pass.h"

/* Where a pass is. */
struct place {
    struct sti_docs_write w;
    enum sti_docs_bucket bucket;
    stele_store_cursor *cursor; /* at the last key, unless something was written since; or NULL */
    uint64_t writes;            /* when it went there */
    stele_buf at;               /* the last key and a zero byte: where to go on */
};

/* To the next key. A cursor goes on where nothing was written; otherwise a new one looks for it. */
static stele_code go_on(struct place *p, stele_error *err)
{
    stele_code rc;

    if (p->cursor != NULL && p->writes == p->w.writes) {
        return stele_store_cursor_next(p->cursor, err);
    }
    stele_store_cursor_close(p->cursor);
    p->cursor = NULL;
    rc = stele_store_cursor_open(&p->cursor, p->w.view, sti_docs_bucket_name(p->bucket), err);
    p->writes = p->w.writes;
    return rc == STELE_OK ? stele_store_cursor_seek(p->cursor, stele_buf_view(&p->at), err) : rc;
}

/* STELE_END: at `end`. */
static stele_code next_key(struct place *p, stele_bytes end, stele_error *err)
{
    stele_bytes key = stele_nil();
    stele_code rc = go_on(p, err);

    if (rc == STELE_OK) {
        rc = stele_store_cursor_pair(p->cursor, &key, NULL, err);
    }
    if (rc == STELE_OK && !stele_is_nil(end) && stele_bytes_compare(key, end) >= 0) {
        rc = STELE_END;
    }
    return rc == STELE_OK ? sti_docs_behind(&p->at, key, err) : rc;
}

stele_code sti_docs_pass(stele_docs *db, enum sti_docs_bucket bucket, stele_bytes start,
        stele_bytes end, sti_docs_pass_fn each, void *arg, stele_error *err)
{
    struct place p = {.bucket = bucket};
    bool more = true;
    stele_code rc;

    stele_buf_init(&p.at, SIZE_MAX);
    rc = stele_buf_append(&p.at, start, err);
    while (rc == STELE_OK && more) {
        rc = sti_docs_write_begin(&p.w, db, err);
        if (rc != STELE_OK) {
            break;
        }
        p.w.lazy = true;
        for (int i = 0; i < STI_DOCS_PASS_KEYS && rc == STELE_OK; i++) {
            rc = next_key(&p, end, err);
            if (rc == STELE_OK) {
                rc = each(arg, &p.w, stele_bytes_of(p.at.data, p.at.len - 1), err);
            }
        }
        stele_store_cursor_close(p.cursor);
        p.cursor = NULL;
        more = rc == STELE_OK;
        rc = sti_docs_write_end(&p.w, rc == STELE_END ? STELE_OK : rc, err);
    }
    stele_buf_free(&p.at);
    return rc;
}
