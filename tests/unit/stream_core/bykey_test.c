/* SPDX-License-Identifier: MIT
 *
 * bykey_test.c: messages by their key.
 *
 * The hash of the index is FNV-1a, for which keys that collide are known: the
 * pairs below have equal hashes, and stand in one segment, in different
 * ones, in the newest and in sealed ones.
 */
#include "base/fnv.h"
#include "core.h"

static const char *const pairs[][2] = {
        {"8yn0iYCKYHlIj4-BwPqk", "GReLUrM4wMqfg9yzV3KQ"},
        {"gMPflVXtwGDXbIhP73TX", "LtHf1prlU1bCeYZEdqWf"},
        {"7mohtcOFVz", "c1E51sSEyx"},
};

enum {
    PAIRS = 3,
    ROUNDS = 40
};

static stele_code get(struct core *c, const char *key)
{
    return stele_stream_get_by_key(c->s, stele_str(key), c->ms, &c->err);
}

static void check_get(struct core *c, const char *key, int64_t expected)
{
    int64_t offset = -1;

    CHECK_OK(get(c, key), &c->err);
    assert_int_equal(stele_messages_count(c->ms), 1);
    assert_int_equal(stele_messages_at(c->ms, 0)->offset, expected);
    CHECK_BYTES(stele_messages_at(c->ms, 0)->key, stele_str(key));
    CHECK_OK(stele_stream_offset_by_key(c->s, stele_str(key), &offset, &c->err), &c->err);
    assert_int_equal(offset, expected);
}

static stele_code consume(struct core *c, const char *key, int64_t from, int64_t max)
{
    return stele_stream_consume_by_key(c->s, stele_str(key), from, max, c->ms, NULL, &c->err);
}

/* One call gives `count` messages, the first at `first`, and goes on at `next`. */
static void check_consume(struct core *c, const char *key, int64_t from, int64_t max, size_t count,
        int64_t first, int64_t next)
{
    int64_t got = -100;

    CHECK_OK(stele_stream_consume_by_key(c->s, stele_str(key), from, max, c->ms, &got, &c->err),
            &c->err);
    assert_int_equal(stele_messages_count(c->ms), count);
    if (count > 0) {
        assert_int_equal(stele_messages_at(c->ms, 0)->offset, first);
    }
    assert_int_equal(got, next);
}

static void no_index(void **state)
{
    struct core c;
    int64_t offset;

    (void)state;
    core_begin(&c);
    c.opts.key_index = false;
    core_open(&c);
    core_fill(&c, 1);
    CHECK_CODE(get(&c, "key-0000"), STELE_ENOINDEX);
    CHECK_CODE(stele_stream_offset_by_key(c.s, stele_str("key-0000"), &offset, &c.err),
            STELE_ENOINDEX);
    CHECK_CODE(consume(&c, "key-0000", 0, 1), STELE_ENOINDEX);
    CHECK_CODE(stele_stream_consume_by_key_wait(
                       c.s, stele_str("key-0000"), 0, 1, NULL, c.ms, NULL, &c.err),
            STELE_ENOINDEX);
    core_end(&c);
}

static void empty_stream(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    core_open(&c);
    CHECK_CODE(get(&c, "key"), STELE_ENOTFOUND);
    CHECK_CODE(get(&c, NULL), STELE_ENOTFOUND);
    check_consume(&c, "key", STELE_OFFSET_OLDEST, 5, 0, 0, 0);
    check_consume(&c, "key", STELE_OFFSET_NEWEST, 5, 0, 0, 0);
    check_consume(&c, "key", 0, 5, 0, 0, 0);
    CHECK_CODE(consume(&c, "key", 1, 5), STELE_EOFFSET);
    core_end(&c);
}

static void newest_message_with_the_key(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(5);
    core_open(&c);
    core_fill(&c, 40);
    for (int i = 0; i < 2; i++) {
        for (int64_t key = 0; key < CORE_KEYS; key++) {
            char text[CORE_TEXT_SIZE];

            (void)snprintf(text, sizeof text, "key-%04d", (int)key);
            check_get(&c, text, key == 0 ? 39 : 26 + key);
        }
        CHECK_CODE(get(&c, "key-9999"), STELE_ENOTFOUND);
        CHECK_CODE(get(&c, "key-000"), STELE_ENOTFOUND);
        core_reopen(&c);
    }
    core_end(&c);
}

/* *next is one past the last that is given, or the end when no more are there. */
static void consume_by_key(void **state)
{
    struct core c;
    const char *key = "key-0003";

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(5);
    core_open(&c);
    core_fill(&c, 40); /* the key is at 3, 16 and 29 */
    for (int i = 0; i < 2; i++) {
        int64_t seen[3];
        size_t count = 0;

        check_consume(&c, key, STELE_OFFSET_OLDEST, 1, 1, 3, 4);
        check_consume(&c, key, 3, 1, 1, 3, 4);
        check_consume(&c, key, 4, 1, 1, 16, 17);
        check_consume(&c, key, 17, 1, 1, 29, 30);
        check_consume(&c, key, 30, 1, 0, 0, 40);
        check_consume(&c, key, 40, 1, 0, 0, 40);
        check_consume(&c, key, STELE_OFFSET_NEWEST, 1, 0, 0, 40);
        check_consume(&c, "none", STELE_OFFSET_OLDEST, 10, 0, 0, 40);
        CHECK_CODE(consume(&c, key, 41, 1), STELE_EOFFSET);
        CHECK_CODE(consume(&c, key, -5, 1), STELE_EOFFSET);
        CHECK_CODE(consume(&c, key, 0, 0), STELE_EINVAL);
        CHECK_CODE(consume(&c, key, 0, -7), STELE_EINVAL);
        for (int64_t at = 0; at < 40;) {
            CHECK_OK(stele_stream_consume_by_key(c.s, stele_str(key), at, 100, c.ms, &at, &c.err),
                    &c.err);
            for (size_t k = 0; k < stele_messages_count(c.ms); k++) {
                assert_true(count < 3);
                seen[count++] = stele_messages_at(c.ms, k)->offset;
            }
        }
        assert_int_equal(count, 3);
        assert_int_equal(seen[0], 3);
        assert_int_equal(seen[1], 16);
        assert_int_equal(seen[2], 29);
        core_reopen(&c);
    }
    core_end(&c);
}

/* Nil and empty are one key, and it is found like any other. */
static void no_key_is_a_key(void **state)
{
    struct core c;
    stele_message m = stele_message_invalid();

    (void)state;
    core_begin(&c);
    core_open(&c);
    assert_int_equal(core_put(&c, NULL, "a", 1), 0);
    assert_int_equal(core_put(&c, "k", "b", 1), 1);
    m.key = stele_empty();
    m.value = stele_str("c");
    m.time = 1;
    CHECK_OK(stele_stream_publish(c.s, &m, 1, NULL, &c.err), &c.err);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(stele_stream_get_by_key(c.s, stele_nil(), c.ms, &c.err), &c.err);
        assert_int_equal(stele_messages_at(c.ms, 0)->offset, 2);
        assert_true(stele_is_nil(stele_messages_at(c.ms, 0)->key));
        CHECK_OK(stele_stream_get_by_key(c.s, stele_empty(), c.ms, &c.err), &c.err);
        assert_int_equal(stele_messages_at(c.ms, 0)->offset, 2);
        CHECK_OK(
                stele_stream_consume_by_key(c.s, stele_empty(), 0, 10, c.ms, NULL, &c.err), &c.err);
        assert_int_equal(stele_messages_count(c.ms), 2);
        core_reopen(&c);
    }
    core_end(&c);
}

/* A message without value is the newest of its key like one with a value. */
static void without_value(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    core_open(&c);
    (void)core_put(&c, "k", "v", 1);
    (void)core_put(&c, "k", NULL, 2);
    check_get(&c, "k", 1);
    assert_true(stele_is_nil(stele_messages_at(c.ms, 0)->value));
    core_end(&c);
}

static void deleted_keys(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(5);
    core_open(&c);
    core_fill(&c, 20); /* key 3 at 3 and 16, key 4 at 4 and 17 */
    assert_int_equal(core_delete(&c, 16, 16), 1);
    assert_int_equal(core_delete(&c, 4, 4), 1);
    for (int i = 0; i < 2; i++) {
        check_get(&c, "key-0003", 3);
        check_get(&c, "key-0004", 17);
        check_consume(&c, "key-0003", 4, 5, 0, 0, 20);
        check_consume(&c, "key-0004", 0, 5, 1, 17, 18);
        core_reopen(&c);
    }
    assert_int_equal(core_delete(&c, 3, 3), 1);
    CHECK_CODE(get(&c, "key-0003"), STELE_ENOTFOUND);
    core_end(&c);
}

static const char *collider(int n)
{
    return pairs[n / 2 % PAIRS][n % 2];
}

static void check_colliders(struct core *c, int count)
{
    for (int k = 0; k < 2 * PAIRS; k++) {
        int64_t at = STELE_OFFSET_OLDEST;
        int64_t last = -1;
        int found = 0;

        for (;;) {
            CHECK_OK(stele_stream_consume_by_key(
                             c->s, stele_str(collider(k)), at, 3, c->ms, &at, &c->err),
                    &c->err);
            if (stele_messages_count(c->ms) == 0) {
                break;
            }
            for (size_t i = 0; i < stele_messages_count(c->ms); i++) {
                const stele_message *m = stele_messages_at(c->ms, i);

                CHECK_BYTES(m->key, stele_str(collider(k)));
                assert_true(m->offset > last);
                last = m->offset;
                found++;
            }
        }
        assert_int_equal(at, count);
        assert_int_equal(found, count / (2 * PAIRS));
        check_get(c, collider(k), last);
    }
}

static void keys_with_one_hash(void **state)
{
    struct core c;
    int count = 2 * PAIRS * ROUNDS;

    (void)state;
    for (int p = 0; p < PAIRS; p++) {
        assert_true(sti_fnv1a64(pairs[p][0], strlen(pairs[p][0])) ==
                    sti_fnv1a64(pairs[p][1], strlen(pairs[p][1])));
    }
    for (int sealed = 0; sealed < 2; sealed++) {
        core_begin(&c);
        c.opts.rollover = sealed ? 1000 : 1 << 20;
        core_open(&c);
        for (int i = 0; i < count; i++) {
            assert_int_equal(core_put(&c, collider(i), "v", 1), i);
        }
        check_colliders(&c, count);
        core_reopen(&c);
        check_colliders(&c, count);
        core_end(&c);
    }
}

/* The other key of the pair is not there: its hash alone does not do. */
static void only_one_of_the_pair(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = 200;
    core_open(&c);
    for (int i = 0; i < 20; i++) {
        (void)core_put(&c, pairs[i % PAIRS][0], "v", 1);
    }
    for (int i = 0; i < 2; i++) {
        for (int p = 0; p < PAIRS; p++) {
            CHECK_CODE(get(&c, pairs[p][1]), STELE_ENOTFOUND);
            check_consume(&c, pairs[p][1], STELE_OFFSET_OLDEST, 10, 0, 0, 20);
            check_get(&c, pairs[p][0], 20 - 1 - (20 - 1 - p) % PAIRS);
        }
        core_reopen(&c);
    }
    core_end(&c);
}

/* More keys than the first table has slots: it grows, and forgets nothing. */
static void many_keys_in_the_newest_segment(void **state)
{
    enum {
        MANY = 20000
    };

    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = 64 << 20;
    core_open(&c);
    for (int i = 0; i < MANY; i++) {
        char key[CORE_TEXT_SIZE];

        (void)snprintf(key, sizeof key, "many-%d", i % (MANY / 2));
        assert_int_equal(core_put(&c, key, "v", 1), i);
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY / 2; i += 7) {
            char key[CORE_TEXT_SIZE];

            (void)snprintf(key, sizeof key, "many-%d", i);
            check_get(&c, key, MANY / 2 + i);
            check_consume(&c, key, 0, 5, 2, i, MANY / 2 + i + 1);
        }
        CHECK_CODE(get(&c, "many-x"), STELE_ENOTFOUND);
        core_reopen(&c);
    }
    core_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(no_index),
            cmocka_unit_test(empty_stream),
            cmocka_unit_test(newest_message_with_the_key),
            cmocka_unit_test(consume_by_key),
            cmocka_unit_test(no_key_is_a_key),
            cmocka_unit_test(without_value),
            cmocka_unit_test(deleted_keys),
            cmocka_unit_test(keys_with_one_hash),
            cmocka_unit_test(only_one_of_the_pair),
            cmocka_unit_test(many_keys_in_the_newest_segment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
