/* SPDX-License-Identifier: MIT
 *
 * iter.c: iterators, and those over IDs.
 */
#include "docs/iter.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "docs/apply.h"
#include "docs/expiry.h"

stele_code sti_docs_iter_start(
        stele_docs_iter *it, stele_docs *db, enum sti_docs_bucket bucket, stele_error *err)
{
    stele_code rc;

    *it = (stele_docs_iter){
            .db = db,
            .now = sti_docs_wall(db),
            .search = bucket == STI_DOCS_IDX,
            .left = UINT64_MAX,
    };
    stele_buf_init(&it->start, SIZE_MAX);
    stele_buf_init(&it->end, SIZE_MAX);
    stele_buf_init(&it->moved, SIZE_MAX);
    stele_buf_init(&it->sought, SIZE_MAX);
    stele_buf_init(&it->token, SIZE_MAX);
    atomic_fetch_add(&db->users, 1);
    rc = sti_docs_read_begin(&it->read, db, err);
    if (rc == STELE_OK) {
        rc = stele_store_cursor_open(&it->cursor, it->read, sti_docs_bucket_name(bucket), err);
    }
    if (rc != STELE_OK) {
        sti_docs_iter_stop(it);
    }
    return rc;
}

void sti_docs_iter_stop(stele_docs_iter *it)
{
    stele_store_cursor_close(it->owners);
    stele_store_cursor_close(it->cursor);
    stele_store_read_end(it->read);
    stele_buf_free(&it->start);
    stele_buf_free(&it->end);
    stele_buf_free(&it->moved);
    stele_buf_free(&it->sought);
    stele_buf_free(&it->token);
    atomic_fetch_sub(&it->db->users, 1);
}

stele_code sti_docs_iter_new(
        stele_docs_iter **out, stele_docs *db, enum sti_docs_bucket bucket, stele_error *err)
{
    stele_docs_iter *it = sti_malloc(sizeof *it);
    stele_code rc;

    if (it == NULL) {
        (void)sti_fail_memory(err, sizeof *it);
        return STELE_ENOMEM;
    }
    rc = sti_docs_iter_start(it, db, bucket, err);
    if (rc != STELE_OK) {
        sti_free(it);
        return rc;
    }
    *out = it;
    return STELE_OK;
}

void stele_docs_iter_end(stele_docs_iter *it)
{
    if (it != NULL) {
        sti_docs_iter_stop(it);
        sti_free(it);
    }
}

stele_bytes stele_docs_iter_token(const stele_docs_iter *it)
{
    return it == NULL ? stele_nil() : stele_buf_view(&it->token);
}

/* ---- Moving. ---- */

static bool is_between(stele_bytes key, stele_bytes start, stele_bytes end, bool to_end)
{
    return stele_bytes_compare(key, start) >= 0 && (to_end || stele_bytes_compare(key, end) < 0);
}

/* To the first key of the part, or to the last, or to what is beyond it where it is empty. */
static stele_code go_to_edge(stele_docs_iter *it, bool last, stele_error *err)
{
    stele_code rc;

    if (!last) {
        return stele_store_cursor_seek(it->cursor, it->low, err);
    }
    if (it->to_end) {
        return stele_store_cursor_last(it->cursor, err);
    }
    rc = stele_store_cursor_seek(it->cursor, it->high, err);
    if (rc == STELE_OK) {
        return stele_store_cursor_prev(it->cursor, err);
    }
    return rc == STELE_END ? stele_store_cursor_last(it->cursor, err) : rc;
}

/* From a key that was sought: to the next one upwards, or downwards; itself counts, if `inclusive`.
 * A key outside of the part is as good as the edge beyond which it lies. */
static stele_code go_from_sought(
        stele_docs_iter *it, bool upwards, bool inclusive, stele_error *err)
{
    stele_bytes sought = stele_buf_view(&it->sought);
    stele_bytes key = stele_nil();
    stele_code rc;
    bool same;

    if (upwards && stele_bytes_compare(sought, it->low) < 0) {
        return go_to_edge(it, false, err);
    }
    if (!upwards && !it->to_end && stele_bytes_compare(sought, it->high) >= 0) {
        return go_to_edge(it, true, err);
    }
    rc = stele_store_cursor_seek(it->cursor, sought, err);
    if (rc == STELE_END) {
        return upwards ? rc : stele_store_cursor_last(it->cursor, err);
    }
    if (rc == STELE_OK) {
        rc = stele_store_cursor_pair(it->cursor, &key, NULL, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    same = stele_bytes_equal(key, sought);
    if (upwards) {
        return same && !inclusive ? stele_store_cursor_next(it->cursor, err) : STELE_OK;
    }
    return same && inclusive ? STELE_OK : stele_store_cursor_prev(it->cursor, err);
}

/* One step, forth or back in the direction of the iterator; STELE_END. */
static stele_code move(
        stele_docs_iter *it, bool back, stele_bytes *key, stele_bytes *value, stele_error *err)
{
    bool upwards = it->backward == back;
    stele_code rc = STELE_END;

    switch (it->place) {
    case STI_DOCS_ITER_AT:
        rc = upwards ? stele_store_cursor_next(it->cursor, err)
                     : stele_store_cursor_prev(it->cursor, err);
        break;
    case STI_DOCS_ITER_BEFORE:
    case STI_DOCS_ITER_BEHIND:
        if (back == (it->place == STI_DOCS_ITER_BEHIND)) {
            rc = go_to_edge(it, !upwards, err);
        }
        break;
    case STI_DOCS_ITER_SOUGHT:
        rc = go_from_sought(it, upwards, !back, err);
        break;
    default:
        sti_assert(false);
    }
    if (rc == STELE_OK) {
        rc = stele_store_cursor_pair(it->cursor, key, value, err);
    }
    if (rc == STELE_OK && !is_between(*key, it->low, it->high, it->to_end)) {
        rc = STELE_END;
    }
    it->place = rc == STELE_OK ? STI_DOCS_ITER_AT
                : back         ? STI_DOCS_ITER_BEFORE
                               : STI_DOCS_ITER_BEHIND;
    return rc;
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
    if (!unique || !atomic_load(&it->db->conflicts) || STI_MUTANT(DOCS_LOSERS_FOUND)) {
        return STELE_OK;
    }
    rc = sti_docs_read(it->read, STI_DOCS_CFL, claim, &value, &found, err);
    if (rc != STELE_OK || !found) {
        return rc;
    }
    if (it->owners == NULL) {
        rc = stele_store_cursor_open(
                &it->owners, it->read, sti_docs_bucket_name(STI_DOCS_IDX), err);
        if (rc != STELE_OK) {
            return rc;
        }
    }
    rc = sti_docs_live_owner(it->db, it->read, it->now, it->owners, claim, &owner, &found, err);
    if (rc == STELE_OK) {
        *out = found && stele_bytes_equal(owner, id);
    }
    return rc;
}

/* Whether this key is the first of those within the range that the document has, and owns; in the
 * direction of the search. */
static stele_code is_first(
        stele_docs_iter *it, stele_bytes key, stele_bytes id, bool *out, stele_error *err)
{
    struct sti_docs_kept kept = {.rest = stele_nil()};
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
            rc = sti_docs_kept_key(&kept, id, &full, err);
        }
        if (rc == STELE_OK && is_between(stele_buf_view(&full), stele_buf_view(&it->start),
                                      stele_buf_view(&it->end), false)) {
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
        stele_docs_iter *it, bool back, stele_bytes *key, stele_bytes *id, stele_error *err)
{
    for (;;) {
        struct sti_docs_index_value here = {.unique = false};
        stele_bytes value = stele_nil();
        bool given = false;
        bool expired = false;
        stele_code rc = move(it, back, key, &value, err);

        if (rc == STELE_OK) {
            rc = sti_docs_index_value_get(&here, *key, value, err);
        }
        if (rc == STELE_OK) {
            rc = owns(it, here.claim, here.unique, here.id, &given, err);
        }
        if (rc == STELE_OK && given && it->may_repeat && !STI_MUTANT(DOCS_FOUND_AGAIN)) {
            rc = is_first(it, *key, here.id, &given, err);
        }
        if (rc == STELE_OK && given) {
            rc = sti_docs_is_expired(it->db, it->read, here.id, it->now, &expired, err);
            given = !expired;
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

/* The key of a cursor goes when it moves, and so the ID is given from the token, which holds it
 * until the next call. */
static stele_code give_found(
        stele_docs_iter *it, bool back, stele_bytes *id, stele_bytes *json, stele_error *err)
{
    stele_bytes key = stele_nil();
    stele_bytes found_id = stele_nil();
    bool found = false;
    size_t at;
    stele_code rc = next_found(it, back, &key, &found_id, err);

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

/* The next document that has not ended. */
static stele_code give_next(
        stele_docs_iter *it, bool back, stele_bytes *id, stele_bytes *json, stele_error *err)
{
    bool expired = true;
    stele_code rc = STELE_OK;

    while (rc == STELE_OK && expired) {
        rc = move(it, back, id, json, err);
        if (rc == STELE_OK) {
            rc = sti_docs_is_expired(it->db, it->read, *id, it->now, &expired, err);
        }
    }
    return rc;
}

static stele_code give(
        stele_docs_iter *it, bool back, stele_bytes *id, stele_bytes *json, stele_error *err)
{
    stele_bytes id_found = stele_nil();
    stele_bytes json_found = stele_nil();
    stele_code rc;

    if (it == NULL) {
        return sti_fail(err, STELE_EINVAL, "no iterator");
    }
    if (it->failed != STELE_OK) {
        return sti_fail(err, it->failed, "the iterator has failed before");
    }
    it->given = stele_nil();
    if (it->left == 0) {
        return STELE_END;
    }
    rc = it->search ? give_found(it, back, &id_found, &json_found, err)
                    : give_next(it, back, &id_found, &json_found, err);
    if (rc != STELE_OK) {
        it->failed = rc == STELE_END ? STELE_OK : rc;
        return rc;
    }
    it->left--;
    it->given = json_found;
    if (id != NULL) {
        *id = id_found;
    }
    if (json != NULL) {
        *json = json_found;
    }
    return STELE_OK;
}

stele_code stele_docs_iter_next(
        stele_docs_iter *it, stele_bytes *id, stele_bytes *json, stele_error *err)
{
    return give(it, false, id, json, err);
}

stele_code stele_docs_iter_prev(
        stele_docs_iter *it, stele_bytes *id, stele_bytes *json, stele_error *err)
{
    return give(it, true, id, json, err);
}

stele_code stele_docs_iter_fill(stele_docs_iter *it, const stele_docs_field *fields, size_t count,
        void *out, stele_error *err)
{
    if (it == NULL) {
        return sti_fail(err, STELE_EINVAL, "no iterator");
    }
    if (stele_is_nil(it->given)) {
        return sti_fail(err, STELE_ESTATE, "the iterator stands at no document");
    }
    return stele_docs_fill(it->given, fields, count, out, err);
}

stele_code stele_docs_iter_seek(stele_docs_iter *it, stele_bytes id, stele_error *err)
{
    stele_buf sought;
    stele_code rc;

    if (it == NULL || it->search) {
        return sti_fail(err, STELE_EINVAL, "no iterator over IDs");
    }
    if (id.len > STELE_STORE_KEY_MAX) {
        return sti_fail(err, STELE_EINVAL, "to be sought: no ID");
    }
    stele_buf_init(&sought, SIZE_MAX);
    rc = stele_buf_append(&sought, id, err);
    if (rc != STELE_OK) {
        return rc;
    }
    stele_buf_free(&it->sought);
    it->sought = sought;
    it->given = stele_nil();
    it->place = STI_DOCS_ITER_SOUGHT;
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
    rc = stele_buf_append(&it->start, start, err);
    if (rc == STELE_OK) {
        rc = stele_buf_append(&it->end, end, err);
    }
    it->low = stele_buf_view(&it->start);
    it->high = stele_buf_view(&it->end);
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
