/* SPDX-License-Identifier: MIT
 *
 * docs_model_damage.c: pairs of the database taken away, changed and moved.
 */
#include "docs/state.h"
#include "model/docs_model_run.h"

/* A pair of a bucket; false: it has none. */
static bool choose(struct run *r, struct sti_docs_write *w, enum sti_docs_bucket bucket,
        stele_buf *key, stele_buf *value)
{
    stele_store_cursor *cursor = NULL;
    stele_bytes name = sti_docs_bucket_name(bucket);
    stele_bytes k = stele_nil();
    stele_bytes v = stele_nil();
    uint64_t count = 0;
    stele_error err;

    CHECK_OK(stele_store_read_count(w->view, name, &count, &err), &err);
    if (count == 0) {
        return false;
    }
    CHECK_OK(stele_store_cursor_open(&cursor, w->view, name, &err), &err);
    CHECK_OK(stele_store_cursor_first(cursor, &err), &err);
    for (uint64_t i = docs_run_below(r, count); i > 0; i--) {
        CHECK_OK(stele_store_cursor_next(cursor, &err), &err);
    }
    CHECK_OK(stele_store_cursor_pair(cursor, &k, &v, &err), &err);
    CHECK_OK(stele_buf_append(key, k, &err), &err);
    CHECK_OK(stele_buf_append(value, v, &err), &err);
    stele_store_cursor_close(cursor);
    return true;
}

/* Take a pair away, change a bit of its value, or move it to another key. */
static bool damage(struct run *r)
{
    static const enum sti_docs_bucket buckets[] = {
            STI_DOCS_LID, STI_DOCS_CHK, STI_DOCS_AGG, STI_DOCS_KDT, STI_DOCS_IDX, STI_DOCS_CFL};
    enum sti_docs_bucket bucket = buckets[docs_run_below(r, sizeof buckets / sizeof buckets[0])];
    uint64_t how = docs_run_below(r, 3); /* removed, changed, moved */
    struct sti_docs_write w;
    stele_buf key;
    stele_buf value;
    stele_error err;
    bool done;

    stele_buf_init(&key, SIZE_MAX);
    stele_buf_init(&value, SIZE_MAX);
    CHECK_OK(sti_docs_write_begin(&w, r->db, &err), &err);
    done = choose(r, &w, bucket, &key, &value);
    if (!done && bucket == STI_DOCS_CFL) {
        CHECK_OK(stele_buf_append(&key, stele_str("nothing"), &err), &err);
        CHECK_OK(stele_buf_append(&value, stele_bytes_of("\1", 1), &err), &err);
        how = 2;
        done = true;
    }
    if (done && how != 1) {
        CHECK_OK(sti_docs_remove(&w, bucket, stele_buf_view(&key), &err), &err);
    }
    if (done && how == 1) {
        value.data[docs_run_below(r, value.len)] ^= (uint8_t)(1U << docs_run_below(r, 8));
    } else if (done && how == 2) {
        key.data[docs_run_below(r, key.len)] ^= (uint8_t)(1U << docs_run_below(r, 8));
    }
    if (done && how != 0) {
        CHECK_OK(
                sti_docs_put(&w, bucket, stele_buf_view(&key), stele_buf_view(&value), &err), &err);
    }
    CHECK_OK(sti_docs_write_end(&w, STELE_OK, &err), &err);
    stele_buf_free(&key);
    stele_buf_free(&value);
    return done;
}

void docs_run_check_damage(struct run *r)
{
    stele_docs_validated found = {.faults = 0};
    stele_buf before;
    stele_buf after;
    stele_error err;

    docs_run_dump(r, &before);
    if (damage(r)) {
        r->damaged++;
        CHECK_CODE(stele_docs_validate(r->db, NULL, NULL, &found, &err), STELE_ECORRUPT);
        assert_true(found.faults > 0);
        CHECK_OK(stele_docs_reindex(r->db, &err), &err);
        docs_run_check_valid(r);
        docs_run_dump(r, &after);
        CHECK_BYTES(stele_buf_view(&after), stele_buf_view(&before));
        stele_buf_free(&after);
    }
    stele_buf_free(&before);
}
