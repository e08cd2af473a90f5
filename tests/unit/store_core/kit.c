/* SPDX-License-Identifier: MIT
 *
 * kit.c: a store in a directory of its own.
 */
#include "kit.h"

#include <stdlib.h>

enum {
    TEXT_SIZE = 4096
};

void kit_open(struct kit *k)
{
    stele_error err;

    CHECK_OK(stele_store_open(&k->s, k->tmp.path, &k->options, &err), &err);
}

void kit_close(struct kit *k)
{
    stele_error err;

    CHECK_OK(stele_store_close(k->s, &err), &err);
    k->s = NULL;
}

int kit_set_up(void **state)
{
    struct kit *k = calloc(1, sizeof *k);

    assert_non_null(k);
    tmpdir_make(&k->tmp);
    stele_store_options_init(&k->options);
    k->options.no_background = true;
    k->options.no_sync = true;
    k->options.batch_interval_ms = 1000000;
    kit_open(k);
    *state = k;
    return 0;
}

int kit_tear_down(void **state)
{
    struct kit *k = *state;

    if (k->s != NULL) {
        kit_close(k);
    }
    tmpdir_remove(&k->tmp);
    free(k);
    return 0;
}

/* ---- Writing. ---- */

stele_store_batch *kit_begin(struct kit *k)
{
    stele_store_batch *b = NULL;
    stele_error err;

    CHECK_OK(stele_store_batch_begin(&b, k->s, NULL, &err), &err);
    return b;
}

void kit_end(stele_store_batch *b)
{
    stele_error err;

    CHECK_OK(stele_store_batch_end(b, &err), &err);
}

void kit_create(stele_store_batch *b, const char *bucket)
{
    stele_error err;

    CHECK_OK(stele_store_batch_create_bucket(b, stele_str(bucket), &err), &err);
}

void kit_put(stele_store_batch *b, const char *bucket, const char *key, const char *value)
{
    stele_error err;

    CHECK_OK(stele_store_batch_put(b, stele_str(bucket), stele_str(key), stele_str(value), &err),
            &err);
}

void kit_delete(stele_store_batch *b, const char *bucket, const char *key)
{
    stele_error err;

    CHECK_OK(stele_store_batch_delete(b, stele_str(bucket), stele_str(key), &err), &err);
}

void kit_put_one(struct kit *k, const char *bucket, const char *key, const char *value)
{
    stele_store_batch *b = kit_begin(k);

    kit_create(b, bucket);
    kit_put(b, bucket, key, value);
    kit_end(b);
}

void kit_commit(struct kit *k)
{
    stele_error err;

    CHECK_OK(stele_store_commit(k->s, &err), &err);
}

/* ---- Reading. ---- */

stele_store_read *kit_read(struct kit *k)
{
    stele_store_read *r = NULL;
    stele_error err;

    CHECK_OK(stele_store_read_begin(&r, k->s, &err), &err);
    return r;
}

void kit_check(stele_store_read *r, const char *bucket, const char *key, const char *value)
{
    stele_bytes found = stele_nil();
    stele_error err;

    if (value == NULL) {
        CHECK_CODE(stele_store_read_get(r, stele_str(bucket), stele_str(key), &found, &err),
                STELE_ENOTFOUND);
        return;
    }
    CHECK_OK(stele_store_read_get(r, stele_str(bucket), stele_str(key), &found, &err), &err);
    CHECK_BYTES(found, stele_str(value));
}

struct text {
    char bytes[TEXT_SIZE];
    size_t len;
    uint64_t count;
};

static void add(struct text *t, stele_bytes key, stele_bytes value)
{
    assert_true(t->len + key.len + value.len + 3 < sizeof t->bytes);
    if (t->len > 0) {
        t->bytes[t->len++] = ' ';
    }
    memcpy(t->bytes + t->len, key.data, key.len);
    t->len += key.len;
    t->bytes[t->len++] = '=';
    memcpy(t->bytes + t->len, value.data, value.len);
    t->len += value.len;
    t->bytes[t->len] = '\0';
    t->count++;
}

static stele_code on_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    (void)err;
    add(arg, key, value);
    return STELE_OK;
}

/* By a cursor to the end, and back to the beginning, both in the order of the keys. */
static void walk(stele_store_read *r, const char *bucket, struct text *there, struct text *back)
{
    stele_store_cursor *c = NULL;
    stele_bytes keys[64];
    stele_bytes values[64];
    uint64_t count = 0;
    stele_error err;
    stele_code code;

    CHECK_OK(stele_store_cursor_open(&c, r, stele_str(bucket), &err), &err);
    CHECK_CODE(stele_store_cursor_pair(c, NULL, NULL, &err), STELE_ESTATE);
    while ((code = stele_store_cursor_next(c, &err)) == STELE_OK) {
        stele_bytes key;
        stele_bytes value;

        CHECK_OK(stele_store_cursor_pair(c, &key, &value, &err), &err);
        add(there, key, value);
    }
    CHECK_CODE(code, STELE_END);
    CHECK_CODE(stele_store_cursor_next(c, &err), STELE_END);
    while ((code = stele_store_cursor_prev(c, &err)) == STELE_OK) {
        assert_true(count < 64);
        CHECK_OK(stele_store_cursor_pair(c, &keys[count], &values[count], &err), &err);
        count++;
    }
    CHECK_CODE(code, STELE_END);
    CHECK_CODE(stele_store_cursor_prev(c, &err), STELE_END);
    while (count-- > 0) {
        add(back, keys[count], values[count]);
    }
    stele_store_cursor_close(c);
}

void kit_check_all(stele_store_read *r, const char *bucket, const char *all)
{
    struct text each = {.len = 0};
    struct text there = {.len = 0};
    struct text back = {.len = 0};
    uint64_t count = 0;
    stele_error err;

    if (all == NULL) {
        CHECK_CODE(stele_store_read_for_each(r, stele_str(bucket), on_pair, &each, &err),
                STELE_ENOTFOUND);
        CHECK_CODE(stele_store_read_count(r, stele_str(bucket), &count, &err), STELE_ENOTFOUND);
        return;
    }
    CHECK_OK(stele_store_read_for_each(r, stele_str(bucket), on_pair, &each, &err), &err);
    assert_string_equal(each.bytes, all);
    walk(r, bucket, &there, &back);
    assert_string_equal(there.bytes, all);
    assert_string_equal(back.bytes, all);
    CHECK_OK(stele_store_read_count(r, stele_str(bucket), &count, &err), &err);
    assert_int_equal(count, each.count);
}

void kit_check_now(struct kit *k, const char *bucket, const char *all)
{
    stele_store_read *r = kit_read(k);

    kit_check_all(r, bucket, all);
    stele_store_read_end(r);
}
