/* SPDX-License-Identifier: MIT
 *
 * cursor.c: a place in a bucket that its owner moves.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "store/base.h"

enum where {
    BEFORE,
    AT,
    BEHIND
};

struct stele_store_cursor {
    struct sti_walk walk;
    enum where where;
    struct sti_store_name bucket; /* for messages */
};

stele_code stele_store_cursor_open(
        stele_store_cursor **out, stele_store_read *read, stele_bytes bucket, stele_error *err)
{
    stele_store_cursor *c;
    uint32_t number = 0;
    stele_code code;

    if (out == NULL || read == NULL) {
        return sti_fail(err, STELE_EINVAL, "no read, or no place for the cursor");
    }
    code = sti_read_bucket(read, bucket, &number, err);
    if (code != STELE_OK) {
        return code;
    }
    c = sti_malloc(sizeof *c);
    if (c == NULL) {
        return sti_fail_memory(err, sizeof *c);
    }
    code = sti_walk_begin(&c->walk, read, number, err);
    if (code != STELE_OK) {
        sti_free(c);
        return code;
    }
    c->where = BEFORE;
    c->bucket = read->name;
    *out = c;
    return STELE_OK;
}

void stele_store_cursor_close(stele_store_cursor *cursor)
{
    if (cursor != NULL) {
        sti_walk_end(&cursor->walk);
        sti_free(cursor);
    }
}

/* Where it is after a move. */
static stele_code arrive(stele_store_cursor *c, stele_code code, bool back, stele_error *err)
{
    if (code == STELE_OK) {
        c->where = AT;
    } else if (code == STELE_END) {
        c->where = back ? BEFORE : BEHIND;
    } else {
        c->where = BEFORE;
        return sti_store_wrap(
                err, code, stele_bytes_of(c->bucket.bytes, c->bucket.len), stele_nil());
    }
    return code;
}

static stele_code no_cursor(stele_error *err)
{
    return sti_fail(err, STELE_EINVAL, "no cursor");
}

stele_code stele_store_cursor_seek(stele_store_cursor *cursor, stele_bytes key, stele_error *err)
{
    stele_code code = cursor == NULL ? no_cursor(err) : sti_store_check_key(key, err);

    return code == STELE_OK
                   ? arrive(cursor, sti_merge_seek(&cursor->walk.merge, key, err), false, err)
                   : code;
}

stele_code stele_store_cursor_first(stele_store_cursor *cursor, stele_error *err)
{
    return stele_store_cursor_seek(cursor, stele_nil(), err);
}

stele_code stele_store_cursor_last(stele_store_cursor *cursor, stele_error *err)
{
    if (cursor == NULL) {
        return no_cursor(err);
    }
    return arrive(cursor, sti_merge_last(&cursor->walk.merge, err), true, err);
}

stele_code stele_store_cursor_next(stele_store_cursor *cursor, stele_error *err)
{
    if (cursor == NULL) {
        return no_cursor(err);
    }
    switch (cursor->where) {
    case BEFORE:
        return stele_store_cursor_first(cursor, err);
    case AT:
        return arrive(cursor, sti_merge_next(&cursor->walk.merge, err), false, err);
    case BEHIND:
        break;
    }
    return STELE_END;
}

stele_code stele_store_cursor_prev(stele_store_cursor *cursor, stele_error *err)
{
    if (cursor == NULL) {
        return no_cursor(err);
    }
    switch (cursor->where) {
    case BEFORE:
        break;
    case AT:
        return arrive(cursor, sti_merge_prev(&cursor->walk.merge, err), true, err);
    case BEHIND:
        return stele_store_cursor_last(cursor, err);
    }
    return STELE_END;
}

stele_code stele_store_cursor_pair(
        const stele_store_cursor *cursor, stele_bytes *key, stele_bytes *value, stele_error *err)
{
    if (cursor == NULL) {
        return no_cursor(err);
    }
    if (cursor->where != AT) {
        return sti_fail(err, STELE_ESTATE, "the cursor is at no pair");
    }
    if (key != NULL) {
        *key = cursor->walk.merge.item.key;
    }
    if (value != NULL) {
        *value = cursor->walk.merge.item.value;
    }
    return STELE_OK;
}
