/* SPDX-License-Identifier: MIT
 *
 * tree_test.c: logical keys of every length in LMDB's tree, against a sorted list.
 */
#include "store/tree.h"

#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MODEL_MAX = 4096,
    VALUE_MAX = 12000
};

struct pair {
    uint8_t *key;
    size_t key_len;
    uint8_t value; /* each byte of it */
    size_t value_len;
};

/* What is in the bucket, in order. */
struct model {
    struct pair *pairs;
    size_t count;
};

struct rig {
    struct kit *kit;
    struct sti_lmdb_txn *txn;
    struct sti_tree_writer writer;
    struct model model;
    uint8_t buffer[VALUE_MAX];
};

static stele_bytes key_of(const struct pair *p)
{
    return stele_bytes_of(p->key, p->key_len);
}

/* The index of the first pair whose key is not less. */
static size_t find(const struct model *m, stele_bytes key)
{
    size_t low = 0;
    size_t high = m->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (stele_bytes_compare(key_of(&m->pairs[middle]), key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at(const struct model *m, size_t i, stele_bytes key)
{
    return i < m->count && stele_bytes_compare(key_of(&m->pairs[i]), key) == 0;
}

static void put(struct rig *r, stele_bytes key, uint8_t value, size_t len)
{
    size_t i = find(&r->model, key);
    bool there = is_at(&r->model, i, key);
    struct sti_value_mark mark;
    struct sti_tree_old old;
    stele_error err;

    memset(r->buffer, value, len);
    CHECK_OK(sti_tree_put(&r->writer, 5, key, stele_bytes_of(r->buffer, len), &mark, &old, &err),
            &err);
    assert_int_equal(mark.len, len);
    assert_int_equal(old.there, there);
    if (there) {
        assert_int_equal(old.mark.len, r->model.pairs[i].value_len);
    } else {
        assert_true(r->model.count < MODEL_MAX);
        memmove(&r->model.pairs[i + 1], &r->model.pairs[i],
                (r->model.count - i) * sizeof *r->model.pairs);
        r->model.count++;
        r->model.pairs[i].key = malloc(key.len + 1);
        assert_non_null(r->model.pairs[i].key);
        memcpy(r->model.pairs[i].key, key.data, key.len);
        r->model.pairs[i].key_len = key.len;
    }
    r->model.pairs[i].value = value;
    r->model.pairs[i].value_len = len;
}

static void delete_key(struct rig *r, stele_bytes key)
{
    size_t i = find(&r->model, key);
    bool there = is_at(&r->model, i, key);
    struct sti_tree_old old;
    stele_error err;

    CHECK_OK(sti_tree_delete(&r->writer, 5, key, &old, &err), &err);
    assert_int_equal(old.there, there);
    if (there) {
        assert_int_equal(old.mark.len, r->model.pairs[i].value_len);
        free(r->model.pairs[i].key);
        memmove(&r->model.pairs[i], &r->model.pairs[i + 1],
                (r->model.count - i - 1) * sizeof *r->model.pairs);
        r->model.count--;
    }
}

static void check_value(struct rig *r, const struct pair *p, stele_bytes value)
{
    memset(r->buffer, p->value, p->value_len);
    CHECK_BYTES(value, stele_bytes_of(r->buffer, p->value_len));
}

static void check_at(struct rig *r, const struct sti_tree_cursor *c, size_t i)
{
    stele_bytes value;
    stele_error err;

    assert_int_equal(c->where, STI_TREE_AT);
    assert_true(i < r->model.count);
    assert_int_equal(stele_bytes_compare(c->key, key_of(&r->model.pairs[i])), 0);
    CHECK_OK(sti_tree_value(c, &value, &err), &err);
    check_value(r, &r->model.pairs[i], value);
}

static void open_cursor(struct rig *r, struct sti_tree_cursor *c)
{
    struct sti_lmdb_cursor *raw;
    stele_error err;

    CHECK_OK(sti_lmdb_cursor_open(&raw, r->txn, STI_LMDB_DATA, &err), &err);
    sti_tree_cursor_init(c, raw, 5);
}

static void close_cursor(struct sti_tree_cursor *c)
{
    sti_lmdb_cursor_close(c->raw);
    sti_tree_cursor_free(c);
}

/* Forwards, backwards, and back and forth at both ends. */
static void check_walks(struct rig *r)
{
    struct sti_tree_cursor c;
    stele_error err;

    open_cursor(r, &c);
    CHECK_CODE(sti_tree_prev(&c, &err), STELE_END);
    for (size_t i = 0; i < r->model.count; i++) {
        CHECK_OK(sti_tree_next(&c, &err), &err);
        check_at(r, &c, i);
    }
    CHECK_CODE(sti_tree_next(&c, &err), STELE_END);
    CHECK_CODE(sti_tree_next(&c, &err), STELE_END);
    assert_int_equal(c.where, STI_TREE_BEHIND);
    for (size_t i = r->model.count; i > 0; i--) {
        CHECK_OK(sti_tree_prev(&c, &err), &err);
        check_at(r, &c, i - 1);
    }
    CHECK_CODE(sti_tree_prev(&c, &err), STELE_END);
    assert_int_equal(c.where, STI_TREE_BEFORE);
    close_cursor(&c);
}

/* From the place of a key, whether it is there or not, one step on or back. */
static void check_seek(struct rig *r, struct sti_tree_cursor *c, stele_bytes key)
{
    size_t i = find(&r->model, key);
    stele_bytes value;
    stele_error err;

    if (is_at(&r->model, i, key)) {
        CHECK_OK(sti_tree_get(r->txn, 5, key, &value, &err), &err);
        check_value(r, &r->model.pairs[i], value);
    } else {
        CHECK_CODE(sti_tree_get(r->txn, 5, key, &value, &err), STELE_ENOTFOUND);
    }
    for (int back = 0; back < 2; back++) {
        if (i == r->model.count) {
            CHECK_CODE(sti_tree_seek(c, key, &err), STELE_END);
            assert_int_equal(c->where, STI_TREE_BEHIND);
        } else {
            CHECK_OK(sti_tree_seek(c, key, &err), &err);
            check_at(r, c, i);
        }
        if (back == 1) {
            if (i == 0) {
                CHECK_CODE(sti_tree_prev(c, &err), STELE_END);
            } else {
                CHECK_OK(sti_tree_prev(c, &err), &err);
                check_at(r, c, i - 1);
            }
        } else if (i + 1 < r->model.count) {
            CHECK_OK(sti_tree_next(c, &err), &err);
            check_at(r, c, i + 1);
        } else {
            CHECK_CODE(sti_tree_next(c, &err), STELE_END);
        }
    }
}

static void seek(struct rig *r, stele_bytes key)
{
    struct sti_tree_cursor c;

    open_cursor(r, &c);
    check_seek(r, &c, key);
    close_cursor(&c);
}

static uint64_t entries(struct rig *r)
{
    struct sti_lmdb_stat stat;
    stele_error err;

    CHECK_OK(sti_lmdb_stat(r->txn, &stat, &err), &err);
    return stat.entries;
}

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    void *kit = NULL;
    stele_error err;

    assert_non_null(r);
    (void)kit_set_up(&kit);
    r->kit = kit;
    r->model.pairs = calloc(MODEL_MAX + 1, sizeof *r->model.pairs);
    assert_non_null(r->model.pairs);
    CHECK_OK(sti_lmdb_begin(&r->txn, r->kit->lmdb, true, &err), &err);
    CHECK_OK(sti_lmdb_cursor_open(&r->writer.raw, r->txn, STI_LMDB_DATA, &err), &err);
    r->writer.next_layer = 1;
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    void *kit = r->kit;

    sti_lmdb_abort(r->txn);
    (void)kit_tear_down(&kit);
    for (size_t i = 0; i < r->model.count; i++) {
        free(r->model.pairs[i].key);
    }
    free(r->model.pairs);
    free(r);
    return 0;
}

/* Neighbours that must stay out of every walk. */
static void put_neighbours(struct rig *r)
{
    static uint8_t high[STI_KEY_CHUNK + 20];
    struct sti_value_mark mark;
    struct sti_tree_old old;
    stele_error err;

    memset(high, 0xff, sizeof high);
    for (uint32_t bucket = 4; bucket <= 6; bucket += 2) {
        CHECK_OK(sti_tree_put(&r->writer, bucket, stele_nil(), stele_str("no"), &mark, &old, &err),
                &err);
        CHECK_OK(sti_tree_put(&r->writer, bucket, stele_bytes_of(high, sizeof high),
                         stele_str("no"), &mark, &old, &err),
                &err);
    }
}

static const size_t lengths[] = {0, 1, 2, 478, 479, 480, 481, 482, 509, 510, 511, 512, 513, 959,
        960, 961, 1439, 1440, 1441, 32639, 32640, 32641, 32767, 32768};

enum {
    LENGTHS = sizeof lengths / sizeof lengths[0]
};

/* A key of each length and of each of a few fillings, in an order that is none. */
static void put_lengths(struct rig *r)
{
    static uint8_t key[STELE_STORE_KEY_MAX];
    static const uint8_t fill[] = {0x00, 0x61, 0xff};

    for (size_t n = 0; n < LENGTHS * sizeof fill; n++) {
        size_t i = n * 31 % (LENGTHS * sizeof fill);

        memset(key, fill[i % sizeof fill], sizeof key);
        put(r, stele_bytes_of(key, lengths[i / sizeof fill]), (uint8_t)i, i * 100);
    }
    /* Equal up to the last byte, and up to the last of a chunk. */
    for (size_t i = 0; i < LENGTHS; i++) {
        if (lengths[i] > 0) {
            memset(key, 0x61, sizeof key);
            key[lengths[i] - 1] = 0x60;
            put(r, stele_bytes_of(key, lengths[i]), (uint8_t)i, 3);
            key[lengths[i] - 1] = 0x62;
            put(r, stele_bytes_of(key, lengths[i]), (uint8_t)i, 4);
        }
    }
}

static void test_keys_of_every_length(void **state)
{
    struct rig *r = *state;
    uint64_t before;

    put_neighbours(r);
    before = entries(r);
    assert_int_equal(before, 6); /* the long one of each bucket has a link */
    check_walks(r);
    put_lengths(r);
    assert_true(r->model.count >= 2 * LENGTHS + 40);
    check_walks(r);
    for (size_t i = 0; i < r->model.count; i++) {
        seek(r, key_of(&r->model.pairs[i]));
    }
    while (r->model.count > 0) {
        stele_bytes key = key_of(&r->model.pairs[r->model.count * 7 / 11]);
        uint8_t *copy = malloc(key.len + 1);

        assert_non_null(copy);
        memcpy(copy, key.data, key.len);
        delete_key(r, stele_bytes_of(copy, key.len));
        delete_key(r, stele_bytes_of(copy, key.len));
        free(copy);
        if (r->model.count % 10 == 0) {
            check_walks(r);
        }
    }
    assert_int_equal(entries(r), before);
}

/* Seeks at, before and behind the place of every key that is there. */
static void test_seeks_between_keys(void **state)
{
    struct rig *r = *state;
    static uint8_t key[STELE_STORE_KEY_MAX];

    put_neighbours(r);
    put_lengths(r);
    for (size_t i = 0; i < r->model.count; i++) {
        size_t len = r->model.pairs[i].key_len;

        memcpy(key, r->model.pairs[i].key, len);
        if (len < sizeof key) {
            key[len] = 0x00;
            seek(r, stele_bytes_of(key, len + 1));
            key[len] = 0xff;
            seek(r, stele_bytes_of(key, len + 1));
        }
        if (len > 0) {
            seek(r, stele_bytes_of(key, len - 1));
            key[len - 1]++;
            seek(r, stele_bytes_of(key, len));
            key[len / 2]--;
            seek(r, stele_bytes_of(key, len));
        }
    }
}

/* A key made of few different bytes and lengths, so that many begin alike. */
static stele_bytes random_key(struct kit *k, uint8_t out[STELE_STORE_KEY_MAX])
{
    size_t len = lengths[kit_random(k, LENGTHS)];
    size_t differs = kit_random(k, 4);

    len = kit_random(k, 3) == 0 ? kit_random(k, 1500) : len;
    memset(out, 'k', len);
    for (size_t i = 0; i < differs && len > 0; i++) {
        size_t at = kit_random(k, 2) == 0 ? len - 1 - kit_random(k, len < 3 ? len : 3)
                                          : kit_random(k, (len + 479) / 480) * 480;

        out[at] = (uint8_t)('j' + kit_random(k, 3));
    }
    return stele_bytes_of(out, len);
}

static void test_random_writes(void **state)
{
    static uint8_t key[STELE_STORE_KEY_MAX];
    struct rig *r = *state;
    struct kit *k = r->kit;

    print_message("seed %llu\n", (unsigned long long)k->random);
    put_neighbours(r);
    for (size_t i = 0; i < 6000; i++) {
        stele_bytes any = random_key(k, key);

        if (kit_random(k, 5) < 3 || r->model.count == 0) {
            put(r, any, (uint8_t)i, kit_random(k, 20) == 0 ? kit_random(k, VALUE_MAX) : i % 9);
        } else if (kit_random(k, 2) == 0) {
            delete_key(r, any);
        } else {
            const struct pair *p = &r->model.pairs[kit_random(k, r->model.count)];

            memcpy(key, p->key, p->key_len);
            delete_key(r, stele_bytes_of(key, p->key_len));
        }
        if (i % 20 == 0) {
            seek(r, random_key(k, key));
        }
        if (i % 1000 == 999) {
            check_walks(r);
        }
    }
}

static void test_clear_takes_a_part_each_time(void **state)
{
    struct rig *r = *state;
    uint64_t before;
    uint64_t budget = 10;
    bool done = true;
    stele_error err;

    put_neighbours(r);
    before = entries(r);
    put_lengths(r);
    assert_true(entries(r) > before + 100);
    CHECK_OK(sti_tree_clear(&r->writer, 5, &budget, &done, &err), &err);
    assert_int_equal(budget, 0);
    assert_false(done);
    budget = 100000;
    CHECK_OK(sti_tree_clear(&r->writer, 5, &budget, &done, &err), &err);
    assert_true(done);
    assert_true(budget > 0);
    assert_int_equal(entries(r), before);
    CHECK_OK(sti_tree_clear(&r->writer, 5, &budget, &done, &err), &err);
    assert_true(done);
}

/* Make the link behind 480 times 'x' of a layer lead to another one. */
static void lead(struct rig *r, uint64_t from, uint64_t to)
{
    uint8_t chunk[STI_KEY_CHUNK];
    uint8_t link[STI_LINK_SIZE];
    struct sti_key raw;
    stele_error err;

    memset(chunk, 'x', sizeof chunk);
    sti_key_link(&raw, 5, from, stele_bytes_of(chunk, sizeof chunk));
    sti_link_encode(link, sti_key_view(&raw), to);
    CHECK_OK(sti_lmdb_put(r->txn, STI_LMDB_DATA, sti_key_view(&raw),
                     stele_bytes_of(link, sizeof link), &err),
            &err);
}

/* Structure that no write makes: each is an error, and none a crash or a key that was not put. */
static void test_damaged_layers_are_told(void **state)
{
    static uint8_t key[STELE_STORE_KEY_MAX];
    struct rig *r = *state;
    struct sti_tree_cursor c;
    stele_bytes value;
    stele_error err;
    stele_code code;
    int given = 0;

    memset(key, 'x', sizeof key);
    put(r, stele_bytes_of(key, 700), 1, 1);
    open_cursor(r, &c);
    /* To a layer that has nothing. */
    lead(r, 0, 999);
    CHECK_CODE(sti_tree_get(r->txn, 5, stele_bytes_of(key, 700), &value, &err), STELE_ENOTFOUND);
    CHECK_CODE(sti_tree_next(&c, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "empty layer");
    assert_int_equal(c.where, STI_TREE_BEFORE);
    CHECK_CODE(sti_tree_seek(&c, stele_bytes_of(key, 3), &err), STELE_ECORRUPT);
    CHECK_CODE(sti_tree_prev(&c, &err), STELE_END);
    /* A layer that leads into itself, with a value in it, which is right at one level. */
    lead(r, 0, 1);
    lead(r, 1, 1);
    CHECK_CODE(sti_tree_seek(&c, stele_bytes_of(key, STELE_STORE_KEY_MAX), &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "longer than may be");
    while ((code = sti_tree_next(&c, &err)) == STELE_OK) {
        given += sti_tree_value(&c, &value, &err) == STELE_OK ? 1 : 0;
    }
    assert_int_equal(code, STELE_ECORRUPT);
    assert_int_equal(given, 1);
    /* The same without a value. */
    lead(r, 0, 2);
    lead(r, 2, 2);
    CHECK_CODE(sti_tree_next(&c, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "too many");
    close_cursor(&c);
}

static void test_an_entry_of_no_known_form(void **state)
{
    struct rig *r = *state;
    struct sti_tree_cursor c;
    struct sti_key raw;
    stele_error err;

    sti_key_link(&raw, 5, 0, stele_bytes_of(r->buffer, STI_KEY_CHUNK));
    raw.bytes[raw.len - 1] = 1;
    CHECK_OK(sti_lmdb_put(r->txn, STI_LMDB_DATA, sti_key_view(&raw), stele_str("x"), &err), &err);
    open_cursor(r, &c);
    CHECK_CODE(sti_tree_next(&c, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "no known form");
    close_cursor(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(test_keys_of_every_length),
            TEST(test_seeks_between_keys),
            TEST(test_random_writes),
            TEST(test_clear_takes_a_part_each_time),
            TEST(test_damaged_layers_are_told),
            TEST(test_an_entry_of_no_known_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
