/* SPDX-License-Identifier: MIT
 *
 * parts_test.c: names, envelopes and pieces from others: bounds hold whatever comes.
 */
#include "nats/parts.h"

#include "lib/check.h"
#include "nats/dice.h"
#include "nats/memory.h"
#include "nats/subject.h"

#include <stdlib.h>

enum {
    LIMIT = 1 << 20,
    EACH = 3 << 18
};

static struct sti_nats_envelope envelope(
        uint32_t id, unsigned index, unsigned count, uint32_t total)
{
    return (struct sti_nats_envelope){.kind = STI_NATS_REQUEST,
            .id = id,
            .index = (uint16_t)index,
            .count = (uint16_t)count,
            .total = total};
}

static enum sti_nats_taken take(struct sti_nats_parts *p, const char *from,
        struct sti_nats_envelope e, const void *data, size_t len, struct sti_nats_message *out)
{
    return sti_nats_parts_take(p, from, false, &e, stele_bytes_of(data, len), 1, out);
}

/* ---- Names. ---- */

static void test_tokens(void **state)
{
    static const char *const names[] = {"a", "b.dot *>", "=41", "\xff\x01 \n", "A-Z_z"};
    static const char *const bad[] = {
            "", "=61", "a=", "a=4", "=2e", "a.b", "a b", "=00", "=g0", "*"};
    char token[STI_NATS_TOKEN_SIZE];
    char name[STELE_FLEET_NAME_MAX + 1];
    char longest[STELE_FLEET_NAME_MAX + 2];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        sti_nats_token(token, names[i]);
        assert_null(strpbrk(token, ".*> \n"));
        assert_true(sti_nats_untoken(name, token, strlen(token)));
        assert_string_equal(name, names[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(sti_nats_untoken(name, bad[i], strlen(bad[i])));
    }
    memset(longest, 'x', sizeof longest);
    assert_true(sti_nats_untoken(name, longest, STELE_FLEET_NAME_MAX));
    assert_false(sti_nats_untoken(name, longest, STELE_FLEET_NAME_MAX + 1));
    assert_true(sti_nats_sender(name, "stele.main.to.b.a"));
    assert_string_equal(name, "a");
    assert_false(sti_nats_sender(name, "stele"));
    assert_false(sti_nats_sender(name, "stele.main.to.b."));
}

/* Where answers may go: anything else would make us send to others in our name. */
static void test_replies(void **state)
{
    static const char *const bad[] = {"stele.main.to.c",
            "stele.main.in.b.0123456789abcdef.00000001",
            "stele.main.in.a.0123456789abcdef.00000001.b", "stele.main.in.a.0123456789abcdef",
            "stele.main.in.a.0123456789abcdef.0000001", "stele.main.in.a.0123456789abcde.00000001",
            "stele.other.in.a.0123456789abcdef.00000001",
            "stele.main.in.a.0123456789abcdeg.00000001", "stele.main.in.a.0123456789abcdef.*", "",
            "$JS.API.STREAM.DELETE.X", "stele.main.in.a.0123456789abcdef.00000001."};

    (void)state;
    assert_true(sti_nats_reply_is_of("stele.main.in.a.0123456789abcdef.00000001", "main", "a"));
    assert_true(sti_nats_reply_is_of("stele.main.in.a=2E.0123456789abcdef.0000000f", "main", "a."));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(sti_nats_reply_is_of(bad[i], "main", "a"));
    }
}

static void test_envelopes(void **state)
{
    uint8_t bytes[STI_NATS_ENVELOPE_SIZE + 4] = {0};
    struct sti_nats_envelope e = envelope(0x01020304, 1, 3, 100);
    struct sti_nats_envelope read = envelope(0, 0, 0, 0);
    stele_bytes piece = stele_nil();

    (void)state;
    e.info = 0xfffffff0;
    sti_nats_envelope_put(bytes, &e);
    assert_true(sti_nats_envelope_get(&read, &piece, bytes, sizeof bytes));
    assert_memory_equal(&read, &e, sizeof e);
    assert_int_equal(piece.len, 4);
    for (size_t len = 0; len <= STI_NATS_ENVELOPE_SIZE; len++) {
        assert_false(sti_nats_envelope_get(&read, &piece, bytes, len));
    }
    e.total = (uint32_t)STELE_FLEET_MESSAGE_MAX + 1;
    sti_nats_envelope_put(bytes, &e);
    assert_false(sti_nats_envelope_get(&read, &piece, bytes, sizeof bytes));
    e = envelope(1, 3, 3, 100);
    sti_nats_envelope_put(bytes, &e);
    assert_false(sti_nats_envelope_get(&read, &piece, bytes, sizeof bytes));
    e = envelope(1, 0, 1, 5);
    sti_nats_envelope_put(bytes, &e);
    assert_false(sti_nats_envelope_get(&read, &piece, bytes, sizeof bytes));
    e = envelope(1, 0, 1, 4);
    sti_nats_envelope_put(bytes, &e);
    assert_true(sti_nats_envelope_get(&read, &piece, bytes, sizeof bytes));
    bytes[2] = 2;
    assert_false(sti_nats_envelope_get(&read, &piece, bytes, sizeof bytes));
}

/* ---- Pieces. ---- */

static void test_whole(void **state)
{
    struct sti_nats_parts p = {.limit = LIMIT, .limit_each = EACH};
    struct sti_nats_message m = {NULL, 0, 0};

    (void)state;
    assert_int_equal(take(&p, "a", envelope(1, 0, 3, 8), "abc", 3, &m), STI_NATS_MORE);
    assert_int_equal(take(&p, "b", envelope(1, 0, 2, 4), "xx", 2, &m), STI_NATS_MORE);
    assert_int_equal(take(&p, "a", envelope(1, 1, 3, 8), "def", 3, &m), STI_NATS_MORE);
    assert_int_equal(take(&p, "a", envelope(1, 2, 3, 8), "gh", 2, &m), STI_NATS_WHOLE);
    CHECK_BYTES(stele_bytes_of(m.data, m.len), stele_str("abcdefgh"));
    sti_nats_parts_release(&p, "a", &m);
    assert_int_equal(take(&p, "c", envelope(2, 0, 1, 0), "", 0, &m), STI_NATS_WHOLE);
    assert_int_equal(m.len, 0);
    sti_nats_parts_release(&p, "c", &m);
    assert_int_equal(sti_nats_parts_expire(&p, 1), 0);
    assert_int_equal(sti_nats_parts_expire(&p, 2), 1);
    assert_int_equal(p.held, 0);
    assert_null(p.sources);
}

/* A piece that is not the next one ends the message; none is put together from two. */
static void test_lost(void **state)
{
    static const struct {
        unsigned index;
        unsigned count;
        uint32_t total;
        size_t len;
    } second[] = {
            {2, 3, 8, 2}, {1, 4, 8, 3}, {1, 3, 9, 3}, {1, 3, 8, 5}, {1, 3, 8, 6}, {2, 3, 8, 5}};
    struct sti_nats_parts p = {.limit = LIMIT, .limit_each = EACH};
    struct sti_nats_message m = {NULL, 0, 0};

    (void)state;
    for (size_t i = 0; i < sizeof second / sizeof second[0]; i++) {
        assert_int_equal(take(&p, "a", envelope(7, 0, 3, 8), "abc", 3, &m), STI_NATS_MORE);
        assert_int_equal(
                take(&p, "a", envelope(7, second[i].index, second[i].count, second[i].total),
                        "defghi", second[i].len, &m),
                STI_NATS_INVALID);
        assert_int_equal(p.held, 0);
    }
    assert_int_equal(take(&p, "a", envelope(7, 1, 3, 8), "def", 3, &m), STI_NATS_INVALID);
    assert_int_equal(take(&p, "a", envelope(7, 0, 2, 4), "ab", 2, &m), STI_NATS_MORE);
    assert_int_equal(take(&p, "a", envelope(7, 0, 2, 4), "cd", 2, &m), STI_NATS_MORE);
    assert_int_equal(take(&p, "a", envelope(7, 1, 2, 4), "ef", 2, &m), STI_NATS_WHOLE);
    CHECK_BYTES(stele_bytes_of(m.data, m.len), stele_str("cdef"));
    sti_nats_parts_release(&p, "a", &m);
    assert_null(p.sources);
}

/* Promises take no memory, and one sender leaves room for others. */
static void test_bounds(void **state)
{
    struct sti_nats_parts p = {.limit = LIMIT, .limit_each = EACH};
    struct sti_nats_message m = {NULL, 0, 0};
    uint8_t *data = calloc(1, EACH);
    uint32_t huge = (uint32_t)STELE_FLEET_MESSAGE_MAX;

    (void)state;
    assert_non_null(data);
    for (uint32_t id = 0; id < STI_NATS_OPEN_MAX; id++) {
        assert_int_equal(take(&p, "evil", envelope(id, 0, 65535, huge), "x", 1, &m), STI_NATS_MORE);
    }
    assert_true(p.held <= STI_NATS_OPEN_MAX * (STI_NATS_MESSAGE_COST + 8));
    assert_int_equal(take(&p, "evil", envelope(999, 0, 65535, huge), "x", 1, &m), STI_NATS_NO_ROOM);
    sti_nats_parts_clear(&p);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(take(&p, "evil", envelope(5, i, 9, huge), data, EACH / 4, &m),
                i < 2 ? STI_NATS_MORE : STI_NATS_NO_ROOM);
    }
    assert_int_equal(
            take(&p, "evil", envelope(6, 0, 1, EACH - 600), data, EACH - 600, &m), STI_NATS_WHOLE);
    assert_int_equal(take(&p, "evil", envelope(7, 0, 1, 1000), data, 1000, &m), STI_NATS_NO_ROOM);
    {
        struct sti_nats_message good = {NULL, 0, 0};

        assert_int_equal(
                take(&p, "good", envelope(1, 0, 1, 200000), data, 200000, &good), STI_NATS_WHOLE);
        assert_true(p.held <= LIMIT);
        sti_nats_parts_release(&p, "good", &good);
    }
    sti_nats_parts_release(&p, "evil", &m);
    assert_int_equal(p.held, 0);
    assert_null(p.sources);
    free(data);
}

/* Anything, for long: what is held is within the limits, and all of it is given back. */
static void test_anything(void **state)
{
    static const char *const names[] = {"a", "b", "c"};
    struct sti_nats_parts p = {.limit = 20000, .limit_each = 15000};
    uint8_t data[600] = {0};
    uint64_t seed = 20240517;
    unsigned whole = 0;

    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (unsigned i = 0; i < 200000; i++) {
        uint32_t total = dice(&seed, 1500);
        unsigned count = 1 + dice(&seed, 4);
        size_t len = dice(&seed, 600);
        struct sti_nats_envelope e = envelope(dice(&seed, 8), dice(&seed, count), count, total);
        const char *from = names[dice(&seed, 3)];
        uint8_t bytes[STI_NATS_ENVELOPE_SIZE + 600];
        struct sti_nats_message m = {NULL, 0, 0};
        stele_bytes piece;

        if (dice(&seed, 2) == 0) { /* half of them as a peer would */
            total = 1000;
            len = 500;
            e = envelope(e.id, e.index % 2, 2, total);
        }
        sti_nats_envelope_put(bytes, &e);
        memcpy(bytes + STI_NATS_ENVELOPE_SIZE, data, len);
        if (!sti_nats_envelope_get(&e, &piece, bytes, STI_NATS_ENVELOPE_SIZE + len)) {
            continue;
        }
        if (sti_nats_parts_take(&p, from, dice(&seed, 2) == 0, &e, piece, (int64_t)i, &m) ==
                STI_NATS_WHOLE) {
            assert_int_equal(m.len, e.total);
            whole++;
            sti_nats_parts_release(&p, from, &m);
        }
        assert_true(p.held <= p.limit);
    }
    assert_true(whole > 1000);
    sti_nats_parts_clear(&p);
    assert_int_equal(p.held, 0);
    assert_null(p.sources);
}

static bool fails(void *arg)
{
    int *left = arg;

    return (*left)-- == 0;
}

static void test_memory(void **state)
{
    int failed = 0;

    (void)state;
    for (int n = 0; n < 8; n++) {
        struct sti_nats_parts p = {.limit = LIMIT, .limit_each = EACH};
        struct sti_nats_message m = {NULL, 0, 0};
        enum sti_nats_taken first;
        enum sti_nats_taken second;
        int left = n;

        sti_nats_alloc_set_hook(fails, &left);
        first = take(&p, "a", envelope(1, 0, 2, 6), "abc", 3, &m);
        second = take(&p, "a", envelope(1, 1, 2, 6), "def", 3, &m);
        sti_nats_alloc_set_hook(NULL, NULL);
        failed += first == STI_NATS_NO_ROOM || second == STI_NATS_NO_ROOM;
        if (second == STI_NATS_WHOLE) {
            sti_nats_parts_release(&p, "a", &m);
        }
        sti_nats_parts_clear(&p);
        assert_int_equal(p.held, 0);
        assert_null(p.sources);
    }
    assert_int_equal(failed, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tokens),
            cmocka_unit_test(test_replies), cmocka_unit_test(test_envelopes),
            cmocka_unit_test(test_whole), cmocka_unit_test(test_lost),
            cmocka_unit_test(test_bounds), cmocka_unit_test(test_anything),
            cmocka_unit_test(test_memory)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
