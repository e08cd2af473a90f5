/* SPDX-License-Identifier: MIT
 *
 * iter.c: iterators, and those over IDs.
 */
#include "docs/iter.h"

#include "base/alloc.h"
#include "base/error.h"
#include "docs/apply.h"

stele_code sti_docs_iter_new(
        stele_docs_iter **out, stele_docs *db, enum sti_docs_bucket bucket, stele_error *err)
{
    stele_docs_iter *it = sti_calloc(1, sizeof *it);
    stele_bytes name = sti_docs_bucket_name(bucket);
    stele_code rc;

    if (it == NULL) {
        return sti_fail_memory(err, sizeof *it);
    }
    it->db = db;
    it->left = UINT64_MAX;
    stele_buf_init(&it->start, SIZE_MAX);
    stele_buf_init(&it->end, SIZE_MAX);
    stele_buf_init(&it->from, SIZE_MAX);
    stele_buf_init(&it->token, SIZE_MAX);
    atomic_fetch_add(&db->iterators, 1);
    rc = stele_store_read_begin(&it->read, db->store, err);
    if (rc == STELE_OK) {
        rc = stele_store_cursor_open(&it->cursor, it->read, name, err);
    }
    if (rc == STELE_OK && bucket == STI_DOCS_IDX) {
        it->search = true;
        rc = stele_store_cursor_open(&it->owners, it->read, name, err);
    }
    if (rc != STELE_OK) {
        stele_docs_iter_end(it);
        return rc;
    }
    *out = it;
    return STELE_OK;
}

void stele_docs_iter_end(stele_docs_iter *it)
{
    if (it == NULL) {
        return;
    }
    stele_store_cursor_close(it->owners);
    stele_store_cursor_close(it->cursor);
    stele_store_read_end(it->read);
    stele_buf_free(&it->start);
    stele_buf_free(&it->end);
    stele_buf_free(&it->from);
    stele_buf_free(&it->token);
    atomic_fetch_sub(&it->db->iterators, 1);
    sti_free(it);
}

stele_bytes stele_docs_iter_token(const stele_docs_iter *it)
{
    return it == NULL ? stele_nil() : stele_buf_view(&it->token);
}

/* ---- Moving. ---- */

static bool is_within(const stele_docs_iter *it, stele_bytes key)
{
    return stele_bytes_compare(key, stele_buf_view(&it->start)) >= 0 &&
           (it->to_end || stele_bytes_compare(key, stele_buf_view(&it->end)) < 0);
}

static stele_code go_to_beginning(stele_docs_iter *it, stele_error *err)
{
    stele_code rc;

    if (it->backward && it->from_end) {
        return stele_store_cursor_last(it->cursor, err);
    }
    rc = stele_store_cursor_seek(it->cursor, stele_buf_view(&it->from), err);
    if (!it->backward) {
        return rc;
    }
    return rc == STELE_END  ? stele_store_cursor_last(it->cursor, err)
           : rc == STELE_OK ? stele_store_cursor_prev(it->cursor, err)
                            : rc;
}

/* The next pair within the range; STELE_END. */
static stele_code move(stele_docs_iter *it, stele_bytes *key, stele_bytes *value, stele_error *err)
{
    stele_code rc;

    if (!it->begun) {
        rc = go_to_beginning(it, err);
        it->begun = true;
    } else {
        rc = it->backward ? stele_store_cursor_prev(it->cursor, err)
                          : stele_store_cursor_next(it->cursor, err);
    }
    if (rc == STELE_OK) {
        rc = stele_store_cursor_pair(it->cursor, key, value, err);
    }
    return rc == STELE_OK && !is_within(it, *key) ? STELE_END : rc;
}

/* ---- What is given. ---- */

/* Whether a document owns a key; those that are not unique are everyone's. */
static stele_code owns(stele_docs_iter *it, stele_bytes claim, bool unique, stele_bytes id,
        bool *out, stele_error *err)
{
    stele_bytes owner = stele_nil();
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc;

    *out = true;
    if (!unique) {
        return STELE_OK;
    }
    rc = sti_docs_read(it->read, STI_DOCS_CFL, claim, &value, &found, err);
    if (rc != STELE_OK || !found) {
        return rc;
    }
    rc = sti_docs_index_owner(it->owners, claim, &owner, &found, err);
    if (rc == STELE_OK) {
        *out = found && stele_bytes_equal(owner, id);
    }
    return rc;
}

static stele_code key_of(
        stele_buf *out, const struct sti_docs_kept *kept, stele_bytes id, stele_error *err)
{
    stele_code rc;

    stele_buf_clear(out);
    rc = stele_buf_append(out, kept->claim, err);
    if (rc == STELE_OK) {
        rc = stele_buf_append(out, kept->version, err);
    }
    return rc == STELE_OK ? stele_buf_append(out, id, err) : rc;
}

/* Whether this key is the first of those within the range that the document has, and owns; in the
 * direction of the search. */
static stele_code is_first(
        stele_docs_iter *it, stele_bytes key, stele_bytes id, bool *out, stele_error *err)
{
    struct sti_docs_kept kept;
    stele_bytes value = stele_nil();
    stele_buf full;
    bool found = false;
    bool done = false;
    stele_code rc = sti_docs_read(it->read, STI_DOCS_KDT, id, &value, &found, err);

    if (rc == STELE_OK && !found) {
        rc = sti_fail(err, STELE_ECORRUPT, "a document that is indexed has no keys");
    }
    if (rc == STELE_OK) {
        rc = sti_docs_kept_begin(&kept, value, err);
    }
    stele_buf_init(&full, SIZE_MAX);
    *out = false;
    while (rc == STELE_OK && !done) {
        bool owned = false;

        rc = sti_docs_kept_next(&kept, err);
        if (rc == STELE_OK) {
            rc = key_of(&full, &kept, id, err);
        }
        if (rc == STELE_OK && is_within(it, stele_buf_view(&full))) {
            rc = owns(it, kept.claim, kept.version.len > 0, id, &owned, err);
        }
        if (rc == STELE_OK && owned) {
            *out = stele_bytes_equal(key, stele_buf_view(&full));
            done = !it->backward;
        }
    }
    stele_buf_free(&full);
    return rc == STELE_END ? STELE_OK : rc;
}

/* The next key of the index whose document is to be given. */
static stele_code next_found(
        stele_docs_iter *it, stele_bytes *key, stele_bytes *id, stele_error *err)
{
    for (;;) {
        struct sti_docs_index_value here;
        stele_bytes value = stele_nil();
        bool given = false;
        stele_code rc = move(it, key, &value, err);

        if (rc == STELE_OK) {
            rc = sti_docs_index_value_get(&here, *key, value, err);
        }
        if (rc == STELE_OK) {
            rc = owns(it, here.claim, here.unique, here.id, &given, err);
        }
        if (rc == STELE_OK && given && it->may_repeat) {
            rc = is_first(it, *key, here.id, &given, err);
        }
        if (rc != STELE_OK) {
            return rc;
        }
        if (given) {
            *id = here.id;
            return STELE_OK;
        }
    }
}

/* The key of a cursor goes when it moves, and so the ID is given from the token, which holds
 * it until the next call. */
static stele_code give_found(
        stele_docs_iter *it, stele_bytes *id, stele_bytes *json, stele_error *err)
{
    stele_bytes key = stele_nil();
    stele_bytes found_id = stele_nil();
    bool found = false;
    size_t at;
    stele_code rc = next_found(it, &key, &found_id, err);

    if (rc != STELE_OK) {
        return rc;
    }
    at = (size_t)(found_id.data - key.data);
    stele_buf_clear(&it->token);
    rc = stele_buf_append(&it->token, key, err);
    if (rc == STELE_OK) {
        *id = stele_bytes_of(it->token.data + at, found_id.len);
        rc = sti_docs_read(it->read, STI_DOCS_DAT, *id, json, &found, err);
    }
    if (rc == STELE_OK && !found) {
        rc = sti_fail(err, STELE_ECORRUPT, "a document that is indexed is missing");
    }
    return rc;
}

stele_code stele_docs_iter_next(
        stele_docs_iter *it, stele_bytes *id, stele_bytes *json, stele_error *err)
{
    stele_bytes id_found = stele_nil();
    stele_bytes json_found = stele_nil();
    stele_code rc;

    if (it == NULL) {
        return sti_fail(err, STELE_EINVAL, "no iterator");
    }
    if (it->ended || it->left == 0) {
        return STELE_END;
    }
    rc = it->search ? give_found(it, &id_found, &json_found, err)
                    : move(it, &id_found, &json_found, err);
    if (rc != STELE_OK) {
        it->ended = true;
        return rc;
    }
    it->left--;
    if (id != NULL) {
        *id = id_found;
    }
    if (json != NULL) {
        *json = json_found;
    }
    return STELE_OK;
}

/* ---- IDs. ---- */

stele_code stele_docs_range(stele_docs_iter **out, stele_docs *db, stele_bytes start,
        stele_bytes end, bool backward, stele_error *err)
{
    stele_docs_iter *it = NULL;
    stele_code rc;

    if (out == NULL || db == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, or nowhere to put the iterator");
    }
    if (start.len > STELE_STORE_KEY_MAX || end.len > STELE_STORE_KEY_MAX) {
        return sti_fail(err, STELE_EINVAL, "a bound that is no ID");
    }
    rc = sti_docs_iter_new(&it, db, STI_DOCS_DAT, err);
    if (rc != STELE_OK) {
        return rc;
    }
    it->backward = backward;
    it->to_end = stele_is_nil(end);
    it->from_end = it->to_end;
    rc = stele_buf_append(&it->start, start, err);
    if (rc == STELE_OK) {
        rc = stele_buf_append(&it->end, end, err);
    }
    if (rc == STELE_OK) {
        rc = stele_buf_append(&it->from, backward ? end : start, err);
    }
    if (rc != STELE_OK) {
        stele_docs_iter_end(it);
        return rc;
    }
    *out = it;
    return STELE_OK;
}

stele_code stele_docs_prefix(
        stele_docs_iter **out, stele_docs *db, stele_bytes prefix, bool backward, stele_error *err)
{
    stele_bytes end = stele_nil();
    stele_buf above;
    stele_code rc;

    stele_buf_init(&above, SIZE_MAX);
    rc = stele_buf_append(&above, prefix, err);
    if (rc != STELE_OK) {
        return rc;
    }
    while (above.len > 0 && above.data[above.len - 1] == 0xff) {
        above.len--;
    }
    if (above.len > 0) {
        above.data[above.len - 1]++;
        end = stele_buf_view(&above);
    }
    rc = stele_docs_range(out, db, prefix, end, backward, err);
    stele_buf_free(&above);
    return rc;
}
