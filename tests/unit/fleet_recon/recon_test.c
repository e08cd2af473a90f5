/* SPDX-License-Identifier: MIT
 *
 * recon_test.c: two logs in memory, which differ at random, find out what each lacks, and nothing
 * else; what it costs; packets that are none.
 */
#include "fleet/recon.h"

#include "base/coding.h"
#include "lib/check.h"
#include "lib/fleet_memory.h"
#include "lib/stress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    YEAR = 365 * 86400,
    START = 1700000000
};

struct pair {
    struct fleet_memory logs[2]; /* who asks, who answers */
    struct fleet_memory lacks[2];
    size_t bytes;
    unsigned packets;
    bool cut;
};

static void pair_free(struct pair *p)
{
    for (size_t i = 0; i < 2; i++) {
        fleet_memory_free(&p->logs[i]);
        fleet_memory_free(&p->lacks[i]);
    }
}

/* An element with an ID of `id_len` bytes. */
static void make(uint64_t *seed, int64_t seconds, size_t id_len, bool same_time, stele_buf *key,
        uint8_t hash[STI_DOCS_HASH_SIZE])
{
    struct sti_docs_version v = {.seconds = seconds, .server = 1};
    uint8_t id[600];

    memset(id, 'i', sizeof id);
    v.ns = same_time ? 0 : (uint32_t)(stress_draw(seed) % STI_DOCS_SECOND_NS);
    v.server = same_time ? 0 : 1 + (uint32_t)(stress_draw(seed) % 5);
    for (size_t i = 0; i < STI_DOCS_HASH_SIZE; i += 8) {
        sti_put_be64(hash + i, stress_draw(seed));
    }
    sti_put_be64(id + id_len - 8, stress_draw(seed));
    stele_buf_clear(key);
    CHECK_OK(sti_docs_log_key_encode(v, stele_bytes_of(id, id_len), key, NULL), NULL);
}

struct shape {
    size_t common;
    size_t differences;
    int64_t span;            /* seconds over which the common ones are spread */
    int64_t difference_span; /* and those that differ */
    size_t id_len;
    bool one_sided;
    bool same_time;
};

static void fill(struct pair *p, const struct shape *s, uint64_t *seed)
{
    stele_buf key;
    uint8_t hash[STI_DOCS_HASH_SIZE];

    stele_buf_init(&key, SIZE_MAX);
    for (size_t i = 0; i < s->common; i++) {
        make(seed, START + (int64_t)(stress_draw(seed) % (uint64_t)s->span), s->id_len,
                s->same_time, &key, hash);
        fleet_memory_add_raw(&p->logs[0], stele_buf_view(&key), hash);
        fleet_memory_add_raw(&p->logs[1], stele_buf_view(&key), hash);
    }
    for (size_t i = 0; i < s->differences; i++) {
        size_t side = s->one_sided ? 1 : i % 2;

        make(seed,
                START + s->span / 2 + (int64_t)(stress_draw(seed) % (uint64_t)s->difference_span) -
                        s->difference_span / 2,
                s->id_len, s->same_time, &key, hash);
        fleet_memory_add_raw(&p->logs[side], stele_buf_view(&key), hash);
        fleet_memory_add_raw(&p->lacks[1 - side], stele_buf_view(&key), hash);
    }
    stele_buf_free(&key);
}

/* ---- A session. ---- */

struct session {
    struct pair *pair;
    struct sti_fleet_recon_head head;
    struct fleet_memory found[2];
    struct sti_fleet_fetch_item item;
    enum sti_fleet_side side;
};

static stele_code note_if_asked(
        void *arg, stele_bytes key, const uint8_t hash[STI_DOCS_HASH_SIZE], stele_error *err)
{
    struct session *s = arg;
    uint64_t short_id = sti_fleet_short_id(&s->head, hash);
    bool asked = s->item.ids.len == 0;

    (void)err;
    for (size_t i = 0; i < s->item.ids.len; i += STI_FLEET_SHORT_SIZE) {
        asked = asked || sti_get_be64(s->item.ids.data + i) == short_id;
    }
    if (asked) {
        fleet_memory_add_raw(&s->found[s->side], key, hash);
    }
    return STELE_OK;
}

/* What one lacks is read from the other. */
static stele_code found(void *arg, enum sti_fleet_side lacks,
        const struct sti_fleet_fetch_item *item, stele_error *err)
{
    struct session *s = arg;

    s->item = *item;
    s->side = lacks;
    return fleet_memory_set.keys(&s->pair->logs[1 - (size_t)lacks],
            sti_fleet_bound_view(&s->item.low), sti_fleet_bound_view(&s->item.high), note_if_asked,
            s, err);
}

static void note_cut_flag(struct pair *p, stele_bytes packet)
{
    struct sti_fleet_recon_head head;

    CHECK_OK(sti_fleet_recon_head_decode(&head, packet, NULL), NULL);
    p->cut = p->cut || (head.flags & STI_FLEET_RECON_CUT) != 0;
    p->bytes += packet.len;
    p->packets++;
}

static void run(struct pair *p, uint64_t *seed, struct session *s)
{
    struct sti_fleet_set sets[2] = {
            {&fleet_memory_set, &p->logs[0]}, {&fleet_memory_set, &p->logs[1]}};
    struct sti_fleet_bound low = sti_fleet_bound_first();
    struct sti_fleet_bound high = sti_fleet_bound_end();
    stele_buf ask;
    stele_buf answer;
    stele_error err;
    unsigned rounds = 0;

    *s = (struct session){
            .pair = p, .head = {.session = stress_draw(seed), .salt = stress_draw(seed)}};
    stele_buf_init(&ask, SIZE_MAX);
    stele_buf_init(&answer, SIZE_MAX);
    CHECK_OK(sti_fleet_recon_begin(&sets[0], &s->head, &low, &high, &ask, &err), &err);
    while (ask.len > 0) {
        assert_true(rounds++ < STI_FLEET_ROUNDS_MAX);
        note_cut_flag(p, stele_buf_view(&ask));
        stele_buf_clear(&answer);
        CHECK_OK(sti_fleet_recon_answer(
                         &sets[1], s->head.horizon, stele_buf_view(&ask), &answer, &err),
                &err);
        note_cut_flag(p, stele_buf_view(&answer));
        stele_buf_clear(&ask);
        CHECK_OK(sti_fleet_recon_go_on(
                         &sets[0], &s->head, stele_buf_view(&answer), found, s, &ask, &err),
                &err);
    }
    stele_buf_free(&ask);
    stele_buf_free(&answer);
}

static void session_free(struct session *s)
{
    fleet_memory_free(&s->found[0]);
    fleet_memory_free(&s->found[1]);
}

/* What was found is what differs, no less and no more. */
static void check_shape(const struct shape *shape, uint64_t *seed, struct pair *p)
{
    struct session s;

    *p = (struct pair){.bytes = 0};
    fill(p, shape, seed);
    run(p, seed, &s);
    assert_false(p->cut);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(s.found[i].count, p->lacks[i].count);
        assert_true(fleet_memory_equal(&s.found[i], &p->lacks[i]));
    }
    session_free(&s);
}

static void test_random(void **state)
{
    uint64_t seed = 4711;

    (void)state;
    print_message("seed %" PRIu64 "\n", seed);
    for (int round = 0; round < 300; round++) {
        struct shape shape = {.common = stress_draw(&seed) % 3000,
                .differences = stress_draw(&seed) % 60,
                .span = 1 + (int64_t)(stress_draw(&seed) % 100000),
                .id_len = 8 + stress_draw(&seed) % 20,
                .one_sided = stress_draw(&seed) % 3 == 0};
        struct pair p;

        shape.difference_span = 1 + shape.span / (1 + (int64_t)(stress_draw(&seed) % 100));
        if (round % 10 == 0) {
            shape.common = 0;
            shape.differences *= 50;
        }
        check_shape(&shape, &seed, &p);
        pair_free(&p);
    }
}

/* Versions of the reference have no server, and its clocks are coarse: keys that differ late. IDs
 * longer than a bound cannot be told apart there, and are listed. */
static void test_same_time(void **state)
{
    const size_t lens[] = {8, 100, 247, 248, 300, 600};
    uint64_t seed = 99;

    (void)state;
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        struct shape shape = {.common = 900,
                .differences = 20,
                .span = 1,
                .difference_span = 1,
                .id_len = lens[i],
                .same_time = true};
        struct pair p;

        check_shape(&shape, &seed, &p);
        pair_free(&p);
    }
}

static void test_nothing(void **state)
{
    struct shape shape = {.common = 100000, .span = YEAR, .difference_span = 1, .id_len = 16};
    uint64_t seed = 5;
    struct pair p;

    (void)state;
    check_shape(&shape, &seed, &p);
    assert_int_equal(p.packets, 2);
    assert_true(p.bytes < 1000);
    pair_free(&p);
}

/* All or nothing is found in two packets, and costs less than one list. */
static void test_empty_peer(void **state)
{
    uint64_t seed = 6;

    (void)state;
    for (size_t side = 0; side < 2; side++) {
        struct pair p = {.bytes = 0};
        struct shape shape = {.differences = 20000,
                .span = YEAR,
                .difference_span = YEAR,
                .id_len = 16,
                .one_sided = true};
        struct session s;

        fill(&p, &shape, &seed);
        if (side == 1) {
            struct fleet_memory other = p.logs[0];

            p.logs[0] = p.logs[1];
            p.logs[1] = other;
        }
        run(&p, &seed, &s);
        assert_int_equal(s.found[side].count, 20000);
        assert_int_equal(s.found[1 - side].count, 0);
        assert_true(p.bytes < 1500);
        assert_true(p.packets <= 4);
        session_free(&s);
        pair_free(&p);
    }
}

/* More than fits into an answer: it says so, and another session finds the rest. */
static void test_cut(void **state)
{
    struct shape shape = {.common = 100000,
            .differences = 100000,
            .span = YEAR,
            .difference_span = YEAR,
            .id_len = 16};
    uint64_t seed = 7;
    struct pair p = {.bytes = 0};
    unsigned sessions = 0;
    size_t left = 1;

    (void)state;
    fill(&p, &shape, &seed);
    while (left > 0) {
        struct session s;

        p.cut = false;
        run(&p, &seed, &s);
        left = s.found[0].count + s.found[1].count;
        assert_true(left > 0 || !p.cut);
        for (size_t side = 0; side < 2; side++) {
            for (size_t i = 0; i < s.found[side].count; i++) {
                assert_null(fleet_memory_find(&p.logs[side], s.found[side].items[i].key));
            }
            for (size_t i = 0; i < s.found[side].count; i++) {
                const struct fleet_item *item = &s.found[side].items[i];

                fleet_memory_add_raw(&p.logs[side], item->key, item->hash);
            }
        }
        session_free(&s);
        assert_true(sessions++ < 100);
    }
    print_message("%u sessions\n", sessions);
    assert_true(sessions > 2);
    assert_true(fleet_memory_equal(&p.logs[0], &p.logs[1]));
    pair_free(&p);
}

/* ---- What it costs. ---- */

struct cost {
    const char *what;
    size_t differences;
    int64_t difference_span;
    size_t bytes_max;
    unsigned packets_max;
};

/* With an ID of 16 bytes: what was found by simulation before, and a third more. */
static void test_cost(void **state)
{
    static const struct cost costs[] = {
            {"10 spread over a year", 10, YEAR, 20000, 8},
            {"10 in one minute", 10, 60, 4000, 8},
            {"1000 spread over a year", 1000, YEAR, 1100000, 8},
    };
    const char *full = getenv("STELE_FULL");
    size_t common = full != NULL && full[0] != 0 ? 1000000 : 200000;

    (void)state;
    for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++) {
        struct shape shape = {.common = common,
                .differences = costs[i].differences,
                .span = YEAR,
                .difference_span = costs[i].difference_span,
                .id_len = 16};
        uint64_t seed = 42;
        struct pair p = {.bytes = 0};
        struct session s;

        fill(&p, &shape, &seed);
        run(&p, &seed, &s);
        print_message("%zu entries, %s: %zu bytes, %u round trips, %u sums, %zu found\n", common,
                costs[i].what, p.bytes, p.packets / 2, p.logs[0].sums + p.logs[1].sums,
                s.found[0].count + s.found[1].count);
        assert_false(p.cut);
        assert_int_equal(s.found[0].count + s.found[1].count, costs[i].differences);
        assert_true(p.bytes <= costs[i].bytes_max);
        assert_true(p.packets <= costs[i].packets_max);
        session_free(&s);
        pair_free(&p);
    }
}

/* ---- Packets that are none. ---- */

static void check_refused(struct sti_fleet_set *set, const uint8_t *bytes, size_t len)
{
    struct sti_docs_version horizon = {.seconds = 0};
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    stele_buf answer;
    stele_code rc;

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    stele_buf_init(&answer, SIZE_MAX);
    rc = sti_fleet_recon_answer(set, horizon, stele_bytes_of(copy, len), &answer, NULL);
    assert_true(rc == STELE_OK || rc == STELE_ECORRUPT || rc == STELE_EVERSION);
    assert_true(answer.len <= STI_FLEET_RECON_FLUSH + 32 * 1024);
    stele_buf_free(&answer);
    free(copy);
}

static stele_code ignore(void *arg, enum sti_fleet_side lacks,
        const struct sti_fleet_fetch_item *item, stele_error *err)
{
    unsigned *count = arg;

    (void)lacks;
    (void)err;
    assert_true(sti_fleet_bound_compare(&item->low, &item->high) < 0);
    ++*count;
    return STELE_OK;
}

static void test_hostile(void **state)
{
    struct shape shape = {
            .common = 5000, .differences = 100, .span = 50, .difference_span = 50, .id_len = 9};
    struct sti_fleet_recon_head head = {.session = 1, .salt = 2};
    struct sti_fleet_bound low = sti_fleet_bound_first();
    struct sti_fleet_bound high = sti_fleet_bound_end();
    uint64_t seed = 8;
    struct pair p = {.bytes = 0};
    struct sti_fleet_set sets[2];
    stele_buf ask;
    stele_buf answer;
    stele_buf more;
    unsigned count = 0;

    (void)state;
    fill(&p, &shape, &seed);
    sets[0] = (struct sti_fleet_set){&fleet_memory_set, &p.logs[0]};
    sets[1] = (struct sti_fleet_set){&fleet_memory_set, &p.logs[1]};
    stele_buf_init(&ask, SIZE_MAX);
    stele_buf_init(&answer, SIZE_MAX);
    stele_buf_init(&more, SIZE_MAX);
    CHECK_OK(sti_fleet_recon_begin(&sets[0], &head, &low, &high, &ask, NULL), NULL);
    CHECK_OK(sti_fleet_recon_answer(&sets[1], head.horizon, stele_buf_view(&ask), &answer, NULL),
            NULL);
    for (size_t len = 0; len < ask.len; len++) {
        check_refused(&sets[1], ask.data, len);
    }
    for (int i = 0; i < 4000; i++) {
        size_t at = stress_draw(&seed) % ask.len;
        uint8_t kept = ask.data[at];

        ask.data[at] = (uint8_t)stress_draw(&seed);
        check_refused(&sets[1], ask.data, ask.len);
        ask.data[at] = kept;
        at = stress_draw(&seed) % answer.len;
        kept = answer.data[at];
        answer.data[at] = (uint8_t)stress_draw(&seed);
        stele_buf_clear(&more);
        (void)sti_fleet_recon_go_on(
                &sets[0], &head, stele_buf_view(&answer), ignore, &count, &more, NULL);
        answer.data[at] = kept;
    }
    head.salt++;
    CHECK_CODE(sti_fleet_recon_go_on(
                       &sets[0], &head, stele_buf_view(&answer), ignore, &count, &more, NULL),
            STELE_ECORRUPT);
    CHECK_CODE(sti_fleet_recon_answer(&sets[1], head.horizon, stele_buf_view(&answer), &more, NULL),
            STELE_ECORRUPT);
    stele_buf_free(&ask);
    stele_buf_free(&answer);
    stele_buf_free(&more);
    pair_free(&p);
}

/* Who has a higher horizon says that, and nothing else. */
static void test_horizon(void **state)
{
    struct sti_docs_version horizon = {.seconds = 1000};
    struct sti_fleet_recon_head head = {.session = 1, .salt = 2, .horizon = {.seconds = 999}};
    struct sti_fleet_bound low = sti_fleet_bound_first();
    struct sti_fleet_bound high = sti_fleet_bound_end();
    struct pair p = {.bytes = 0};
    struct sti_fleet_set set = {&fleet_memory_set, &p.logs[0]};
    struct sti_fleet_recon_head got;
    unsigned count = 0;
    stele_buf ask;
    stele_buf answer;
    stele_buf more;

    (void)state;
    stele_buf_init(&ask, SIZE_MAX);
    stele_buf_init(&answer, SIZE_MAX);
    stele_buf_init(&more, SIZE_MAX);
    CHECK_OK(sti_fleet_recon_begin(&set, &head, &low, &high, &ask, NULL), NULL);
    CHECK_OK(sti_fleet_recon_answer(&set, horizon, stele_buf_view(&ask), &answer, NULL), NULL);
    CHECK_OK(sti_fleet_recon_head_decode(&got, stele_buf_view(&answer), NULL), NULL);
    assert_int_equal(got.flags, STI_FLEET_RECON_HORIZON);
    assert_int_equal(got.horizon.seconds, 1000);
    CHECK_OK(sti_fleet_recon_go_on(
                     &set, &head, stele_buf_view(&answer), ignore, &count, &more, NULL),
            NULL);
    assert_int_equal(more.len, 0);
    assert_int_equal(count, 0);
    stele_buf_clear(&answer);
    horizon.seconds = 999;
    CHECK_OK(sti_fleet_recon_answer(&set, horizon, stele_buf_view(&ask), &answer, NULL), NULL);
    CHECK_OK(sti_fleet_recon_head_decode(&got, stele_buf_view(&answer), NULL), NULL);
    assert_int_equal(got.flags, 0);
    stele_buf_free(&ask);
    stele_buf_free(&answer);
    stele_buf_free(&more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_random),
            cmocka_unit_test(test_same_time),
            cmocka_unit_test(test_nothing),
            cmocka_unit_test(test_empty_peer),
            cmocka_unit_test(test_cut),
            cmocka_unit_test(test_cost),
            cmocka_unit_test(test_hostile),
            cmocka_unit_test(test_horizon),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
