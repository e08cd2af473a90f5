/* SPDX-License-Identifier: MIT
 *
 * memory_test.c: the log in memory, and what all handles refuse.
 */
#include <stele/wal.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "lib/check.h"

#include <inttypes.h>
#include <stdio.h>

static stele_wal *open_memory(void)
{
    stele_wal *wal = NULL;
    stele_error err;

    CHECK_OK(stele_wal_open_memory(&wal, NULL, &err), &err);
    return wal;
}

/* Records with these ids, and texts made of them. */
static void fill(stele_wal *wal, uint64_t first, uint64_t last)
{
    for (uint64_t id = first; id <= last; id++) {
        char text[32];
        stele_wal_record record = {.id = id};

        (void)snprintf(text, sizeof text, "record %" PRIu64, id);
        record.data = stele_str(text);
        CHECK_OK(stele_wal_append(wal, &record, 1, NULL), NULL);
    }
}

static void holds(stele_wal *wal, uint64_t first, uint64_t last)
{
    uint64_t id = 4711;
    bool empty = false;
    stele_wal_stats stats;
    stele_buf buf;

    CHECK_OK(stele_wal_first_id(wal, &id, &empty, NULL), NULL);
    assert_int_equal(empty, first > last);
    assert_int_equal(id, empty ? 4711 : first);
    id = 4711;
    CHECK_OK(stele_wal_last_id(wal, &id, &empty, NULL), NULL);
    assert_int_equal(empty, first > last);
    assert_int_equal(id, empty ? 4711 : last);
    CHECK_OK(stele_wal_stat(wal, &stats, NULL), NULL);
    assert_int_equal(stats.empty, empty);
    assert_int_equal(stats.first_id, empty ? 0 : first);
    assert_int_equal(stats.last_id, empty ? 0 : last);
    stele_buf_init(&buf, 100);
    for (id = first; id <= last; id++) {
        char text[32];

        (void)snprintf(text, sizeof text, "record %" PRIu64, id);
        stele_buf_clear(&buf);
        CHECK_OK(stele_wal_read(wal, id, &buf, NULL), NULL);
        CHECK_BYTES(stele_buf_view(&buf), stele_str(text));
    }
    CHECK_CODE(stele_wal_read(wal, last + 1, &buf, NULL), STELE_ENOTFOUND);
    if (first > 0) {
        CHECK_CODE(stele_wal_read(wal, first - 1, &buf, NULL), STELE_ENOTFOUND);
    }
    stele_buf_free(&buf);
}

static void next_is(stele_wal *wal, uint64_t expected, bool expected_any)
{
    uint64_t id = 0;
    bool any = !expected_any;

    CHECK_OK(stele_wal_next_id(wal, &id, &any, NULL), NULL);
    assert_int_equal(id, expected);
    assert_int_equal(any, expected_any);
    CHECK_OK(stele_wal_next_id(wal, &id, NULL, NULL), NULL);
}

static stele_wal_iter *iterate(stele_wal *wal, uint64_t start)
{
    stele_wal_iter *it = NULL;

    CHECK_OK(stele_wal_iter_open(&it, wal, start, NULL), NULL);
    return it;
}

/* The next records are these, and then there is no more. */
static void gives(stele_wal_iter *it, uint64_t first, uint64_t last)
{
    stele_wal_record record;

    for (uint64_t id = first; id <= last; id++) {
        char text[32];

        (void)snprintf(text, sizeof text, "record %" PRIu64, id);
        CHECK_OK(stele_wal_iter_next(it, &record, NULL), NULL);
        assert_int_equal(record.id, id);
        CHECK_BYTES(record.data, stele_str(text));
        CHECK_OK(stele_wal_iter_record(it, &record, NULL), NULL);
        assert_int_equal(record.id, id);
    }
    CHECK_CODE(stele_wal_iter_next(it, &record, NULL), STELE_END);
    CHECK_CODE(stele_wal_iter_record(it, &record, NULL), STELE_ESTATE);
    CHECK_OK(stele_wal_iter_error(it, NULL), NULL);
}

static void ends_with_state(stele_wal_iter *it)
{
    stele_error err;

    CHECK_CODE(stele_wal_iter_next(it, NULL, NULL), STELE_ESTATE);
    CHECK_CODE(stele_wal_iter_next(it, NULL, &err), STELE_ESTATE);
    CHECK_CODE(err.code, STELE_ESTATE);
    CHECK_CODE(stele_wal_iter_error(it, &err), STELE_ESTATE);
    CHECK_CODE(stele_wal_iter_close(it, &err), STELE_ESTATE);
}

/* ---- */

static void an_empty_log(void **state)
{
    stele_wal *wal = open_memory();
    stele_wal_iter *it;

    (void)state;
    holds(wal, 1, 0);
    next_is(wal, 1, true);
    CHECK_OK(stele_wal_truncate(wal, 0, NULL), NULL);
    CHECK_OK(stele_wal_trim(wal, 100, NULL), NULL);
    it = iterate(wal, 0);
    gives(it, 1, 0);
    fill(wal, 7, 9);
    gives(it, 7, 9);
    CHECK_OK(stele_wal_iter_close(it, NULL), NULL);
    next_is(wal, 10, false);
    CHECK_OK(stele_wal_close(wal, NULL), NULL);
}

static void ids_follow(void **state)
{
    stele_wal *wal = open_memory();
    stele_wal_record r[3] = {{.id = 11}, {.id = 12}, {.id = 13}};
    stele_error err;

    (void)state;
    fill(wal, 8, 10);
    r[0].id = 12;
    CHECK_CODE(stele_wal_append(wal, &r[0], 1, &err), STELE_ECONFLICT);
    CHECK_MESSAGE_HAS(&err, "expected 11");
    r[0].id = 10;
    CHECK_CODE(stele_wal_append(wal, &r[0], 1, &err), STELE_ECONFLICT);
    r[0].id = 11;
    r[2].id = 14;
    CHECK_CODE(stele_wal_append(wal, r, 3, &err), STELE_ECONFLICT);
    CHECK_MESSAGE_HAS(&err, "expected 13");
    r[2].id = 12;
    CHECK_CODE(stele_wal_append(wal, r, 3, &err), STELE_ECONFLICT);
    holds(wal, 8, 10);
    r[2].id = 13;
    for (int i = 0; i < 3; i++) {
        static const char *const texts[] = {"record 11", "record 12", "record 13"};

        r[i].data = stele_str(texts[i]);
    }
    CHECK_OK(stele_wal_append(wal, r, 3, &err), &err);
    holds(wal, 8, 13);
    CHECK_OK(stele_wal_close(wal, NULL), NULL);
}

static void the_log_gives_ids(void **state)
{
    stele_wal *wal = open_memory();
    stele_bytes data[2] = {stele_str("record 1"), stele_str("record 2")};
    uint64_t first = 0;

    (void)state;
    CHECK_OK(stele_wal_append_next(wal, data, 2, &first, NULL), NULL);
    assert_int_equal(first, 1);
    data[0] = stele_str("record 3");
    CHECK_OK(stele_wal_append_next(wal, data, 1, NULL, NULL), NULL);
    holds(wal, 1, 3);
    CHECK_OK(stele_wal_append_next(wal, NULL, 0, &first, NULL), NULL);
    assert_int_equal(first, 4);
    CHECK_OK(stele_wal_append_next(wal, NULL, 0, NULL, NULL), NULL);
    holds(wal, 1, 3);
    CHECK_OK(stele_wal_close(wal, NULL), NULL);
}

static void the_largest_id(void **state)
{
    stele_wal *wal = open_memory();
    stele_wal_record r[2] = {{.id = UINT64_MAX - 1}, {.id = UINT64_MAX}};
    stele_bytes none = stele_nil();

    (void)state;
    CHECK_CODE(stele_wal_append(wal, r, 2, NULL), STELE_ECONFLICT);
    CHECK_CODE(stele_wal_append(wal, r + 1, 1, NULL), STELE_ECONFLICT);
    CHECK_OK(stele_wal_append(wal, r, 1, NULL), NULL);
    CHECK_CODE(stele_wal_append_next(wal, &none, 1, NULL, NULL), STELE_ECONFLICT);
    CHECK_OK(stele_wal_close(wal, NULL), NULL);
}

static void tickets(void **state)
{
    stele_wal *wal = open_memory();
    stele_wal_record r = {.id = 1, .data = stele_str("record 1")};
    stele_wal_ticket a = 0;
    stele_wal_ticket b = 0;
    stele_wal_ticket durable = 4711;

    (void)state;
    CHECK_OK(stele_wal_durable(wal, &durable, NULL), NULL);
    assert_int_equal(durable, 0);
    CHECK_OK(stele_wal_append_async(wal, NULL, 0, &a, NULL), NULL);
    assert_true(a > 0);
    CHECK_OK(stele_wal_append_async(wal, &r, 1, &b, NULL), NULL);
    assert_true(b > a);
    CHECK_OK(stele_wal_wait(wal, b, NULL, NULL), NULL);
    CHECK_OK(stele_wal_durable(wal, &durable, NULL), NULL);
    assert_true(durable >= b);
    CHECK_CODE(stele_wal_wait(wal, 0, NULL, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_wait(wal, b + 1, NULL, NULL), STELE_EINVAL);
    r.id = 3;
    CHECK_CODE(stele_wal_append_async(wal, &r, 1, &b, NULL), STELE_ECONFLICT);
    holds(wal, 1, 1);
    CHECK_OK(stele_wal_close(wal, NULL), NULL);
}

static void truncating(void **state)
{
    stele_wal *wal = open_memory();
    stele_wal_iter *before;
    stele_wal_iter *at;
    stele_wal_iter *behind;
    stele_wal_iter *far;

    (void)state;
    fill(wal, 5, 20);
    CHECK_OK(stele_wal_truncate(wal, 20, NULL), NULL);
    CHECK_OK(stele_wal_truncate(wal, UINT64_MAX, NULL), NULL);
    holds(wal, 5, 20);
    before = iterate(wal, 10);
    at = iterate(wal, 13);
    behind = iterate(wal, 14);
    far = iterate(wal, 22);
    CHECK_OK(stele_wal_truncate(wal, 12, NULL), NULL);
    holds(wal, 5, 12);
    next_is(wal, 13, false);
    gives(before, 10, 12);
    gives(at, 1, 0);
    ends_with_state(behind);
    fill(wal, 13, 23);
    gives(before, 13, 23);
    gives(at, 13, 23);
    gives(far, 22, 23);
    CHECK_OK(stele_wal_truncate(wal, 3, NULL), NULL);
    holds(wal, 1, 0);
    next_is(wal, 1, true);
    ends_with_state(before);
    ends_with_state(at);
    ends_with_state(far);
    CHECK_OK(stele_wal_close(wal, NULL), NULL);
}

static void trimming(void **state)
{
    stele_wal *wal = open_memory();
    stele_wal_iter *fresh;
    stele_wal_iter *begun;
    stele_wal_iter *other;

    (void)state;
    fill(wal, 5, 20);
    CHECK_OK(stele_wal_trim(wal, 4, NULL), NULL);
    holds(wal, 5, 20);
    fresh = iterate(wal, 0);
    begun = iterate(wal, 0);
    other = iterate(wal, 17);
    CHECK_OK(stele_wal_iter_next(begun, NULL, NULL), NULL);
    CHECK_OK(stele_wal_iter_next(other, NULL, NULL), NULL);
    CHECK_OK(stele_wal_trim(wal, 16, NULL), NULL);
    holds(wal, 17, 20);
    gives(fresh, 17, 20);
    ends_with_state(begun);
    gives(other, 18, 20);
    CHECK_OK(stele_wal_trim(wal, UINT64_MAX, NULL), NULL);
    holds(wal, 1, 0);
    gives(fresh, 1, 0);
    /* It goes on where they are, and then somewhere else. */
    fill(wal, 21, 22);
    gives(fresh, 21, 22);
    gives(other, 21, 22);
    CHECK_OK(stele_wal_trim(wal, 22, NULL), NULL);
    fill(wal, 3, 30);
    ends_with_state(fresh);
    ends_with_state(other);
    holds(wal, 3, 30);
    CHECK_OK(stele_wal_close(wal, NULL), NULL);
}

static void a_lent_record_outlives_a_truncation(void **state)
{
    stele_wal *wal = open_memory();
    stele_wal_iter *it;
    stele_wal_record record;

    (void)state;
    fill(wal, 1, 3);
    it = iterate(wal, 2);
    CHECK_OK(stele_wal_iter_next(it, &record, NULL), NULL);
    CHECK_OK(stele_wal_truncate(wal, 0, NULL), NULL);
    CHECK_BYTES(record.data, stele_str("record 2"));
    CHECK_CODE(stele_wal_close(wal, NULL), STELE_ESTATE);
    ends_with_state(it);
    CHECK_OK(stele_wal_close(wal, NULL), NULL);
}

static void sizes(void **state)
{
    stele_wal_options opts;
    stele_wal *wal;
    stele_wal_record r[2] = {{.id = 1}, {.id = 2}};
    stele_wal_iter *it;
    stele_buf buf;
    stele_error err;

    (void)state;
    stele_wal_options_init(&opts);
    opts.record_size_max = 4;
    CHECK_OK(stele_wal_open_memory(&wal, &opts, &err), &err);
    r[0].data = stele_str("four");
    r[1].data = stele_str("fives");
    CHECK_CODE(stele_wal_append(wal, r, 2, &err), STELE_ETOOBIG);
    CHECK_MESSAGE_HAS(&err, "record 1");
    next_is(wal, 1, true);
    r[1].data = stele_nil();
    CHECK_OK(stele_wal_append(wal, r, 2, &err), &err);
    stele_buf_init(&buf, 10);
    CHECK_OK(stele_wal_read(wal, 2, &buf, &err), &err);
    CHECK_BYTES(stele_buf_view(&buf), stele_empty());
    stele_buf_free(&buf);
    it = iterate(wal, 2);
    CHECK_OK(stele_wal_iter_next(it, &r[0], &err), &err);
    CHECK_BYTES(r[0].data, stele_empty());
    CHECK_OK(stele_wal_iter_close(it, &err), &err);
    CHECK_OK(stele_wal_close(wal, &err), &err);

    /* A batch has a limit of its own, which one record does not have. */
    opts.record_size_max = STELE_WAL_RECORD_MAX;
    CHECK_OK(stele_wal_open_memory(&wal, &opts, &err), &err);
    r[0].data.len = STELE_WAL_BATCH_MAX;
    r[1].id = 2;
    r[1].data = stele_str("x");
    r[0].id = 1;
    CHECK_CODE(stele_wal_append(wal, r, 2, &err), STELE_ETOOBIG);
    CHECK_OK(stele_wal_close(wal, &err), &err);
}

static void options(void **state)
{
    stele_wal_options opts;
    stele_wal *wal = NULL;
    stele_error err;

    (void)state;
    stele_wal_options_init(&opts);
    opts.format = (stele_wal_format)3;
    CHECK_CODE(stele_wal_open_memory(&wal, &opts, &err), STELE_EINVAL);
    stele_wal_options_init(&opts);
    opts.lock_wait_ms = -2;
    CHECK_CODE(stele_wal_open_memory(&wal, &opts, &err), STELE_EINVAL);
    stele_wal_options_init(&opts);
    opts.record_size_max = STELE_WAL_RECORD_MAX + 1;
    CHECK_CODE(stele_wal_open_memory(&wal, &opts, &err), STELE_EINVAL);
    stele_wal_options_init(&opts);
    opts.record_size_max = STELE_WAL_BLB_RECORD_MAX + 1;
    opts.format = STELE_WAL_BLB;
    CHECK_CODE(stele_wal_open_memory(&wal, &opts, &err), STELE_EINVAL);
    stele_wal_options_init(&opts);
    opts.segment_size = ((uint64_t)1 << 30) + 1;
    CHECK_CODE(stele_wal_open_memory(&wal, &opts, &err), STELE_EINVAL);
    memset(&opts, 0, sizeof opts);
    CHECK_CODE(stele_wal_open_memory(&wal, &opts, &err), STELE_EINVAL);
    CHECK_CODE(stele_wal_open_memory(NULL, NULL, &err), STELE_EINVAL);
    assert_null(wal);
}

static void arguments(void **state)
{
    stele_wal *wal = open_memory();
    stele_wal_record r = {.id = 1, .data = {NULL, 1}};
    stele_wal_iter *it = NULL;
    stele_wal_stats stats;
    stele_buf buf;
    uint64_t id;
    bool empty;

    (void)state;
    stele_buf_init(&buf, 10);
    CHECK_CODE(stele_wal_append(wal, &r, 1, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_append(wal, NULL, 1, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_append(NULL, &r, 1, NULL), STELE_EINVAL);
    CHECK_OK(stele_wal_append(wal, NULL, 0, NULL), NULL);
    CHECK_CODE(stele_wal_append_next(wal, &r.data, 1, &id, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_append_next(wal, NULL, 1, &id, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_append_async(wal, &r, 0, NULL, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_wait(NULL, 1, NULL, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_durable(NULL, &id, NULL), STELE_EINVAL);
    CHECK_OK(stele_wal_durable(wal, NULL, NULL), NULL);
    CHECK_CODE(stele_wal_truncate(NULL, 1, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_trim(NULL, 1, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_first_id(wal, NULL, &empty, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_last_id(wal, &id, NULL, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_next_id(NULL, &id, NULL, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_read(wal, 1, NULL, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_iter_open(NULL, wal, 1, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_iter_open(&it, NULL, 1, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_iter_next(NULL, NULL, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_iter_record(NULL, &r, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_iter_error(NULL, NULL), STELE_EINVAL);
    CHECK_OK(stele_wal_iter_close(NULL, NULL), NULL);
    CHECK_CODE(stele_wal_stat(wal, NULL, NULL), STELE_EINVAL);
    CHECK_CODE(stele_wal_stat(NULL, &stats, NULL), STELE_EINVAL);
    CHECK_OK(stele_wal_close(wal, NULL), NULL);
    CHECK_OK(stele_wal_close(NULL, NULL), NULL);
}

static void figures(void **state)
{
    stele_wal *wal = open_memory();
    stele_wal_stats stats;

    (void)state;
    fill(wal, 1, 9);
    CHECK_OK(stele_wal_trim(wal, 5, NULL), NULL);
    CHECK_OK(stele_wal_stat(wal, &stats, NULL), NULL);
    assert_int_equal(stats.appends, 9);
    assert_int_equal(stats.records, 9);
    assert_int_equal(stats.bytes, 72);
    assert_int_equal(stats.size, 32);
    assert_int_equal(stats.segments, 1);
    assert_int_equal(stats.format, STELE_WAL_ANY);
    assert_false(stats.failed);
    CHECK_OK(stele_wal_close(wal, NULL), NULL);
}

/* ---- Memory that fails. ---- */

static bool fails_at(void *arg)
{
    int *left = arg;

    return (*left)-- == 0;
}

static void no_memory(void **state)
{
    stele_wal_record r[40];
    stele_code rc = STELE_ENOMEM;

    (void)state;
    for (int i = 0; i < 40; i++) {
        r[i].id = 2 + (uint64_t)i;
        r[i].data = stele_str("text");
    }
    for (int n = 0; rc == STELE_ENOMEM; n++) {
        stele_wal *wal = open_memory();
        stele_wal_iter *it = NULL;
        int left = n;

        fill(wal, 1, 1);
        sti_alloc_set_hook(fails_at, &left);
        rc = stele_wal_append(wal, r, 40, NULL);
        if (rc != STELE_OK) {
            sti_alloc_set_hook(NULL, NULL);
            holds(wal, 1, 1);
        }
        rc = rc != STELE_OK ? rc : stele_wal_iter_open(&it, wal, 0, NULL);
        rc = rc != STELE_OK ? rc : stele_wal_iter_next(it, NULL, NULL);
        sti_alloc_set_hook(NULL, NULL);
        assert_true(rc == STELE_OK || rc == STELE_ENOMEM);
        if (it != NULL) {
            CHECK_OK(stele_wal_iter_next(it, NULL, NULL), NULL);
            CHECK_OK(stele_wal_iter_close(it, NULL), NULL);
        }
        CHECK_OK(stele_wal_close(wal, NULL), NULL);
    }
    CHECK_OK(rc, NULL);
}

/* ---- Threads. ---- */

enum {
    THREADS = 4,
    EACH = 500
};

static void *append_run(void *arg)
{
    stele_wal *wal = arg;

    for (int i = 0; i < EACH; i++) {
        stele_bytes data = stele_str("record");
        uint64_t id = 0;

        CHECK_OK(stele_wal_append_next(wal, &data, 1, &id, NULL), NULL);
        if (i % 10 == 0) {
            CHECK_OK(stele_wal_trim(wal, id / 2, NULL), NULL);
        }
    }
    return NULL;
}

static void threads(void **state)
{
    stele_wal *wal = open_memory();
    stele_wal_iter *it = iterate(wal, 1);
    struct sti_thread t[THREADS];
    stele_wal_record record;
    uint64_t last = 0;

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        CHECK_OK(sti_thread_start(&t[i], append_run, wal, NULL), NULL);
    }
    while (last < 300) {
        stele_code rc = stele_wal_iter_next(it, &record, NULL);

        if (rc == STELE_ESTATE) {
            CHECK_CODE(stele_wal_iter_close(it, NULL), STELE_ESTATE);
            it = iterate(wal, last + 1);
        } else if (rc == STELE_OK) {
            assert_true(record.id > last);
            last = record.id;
        }
    }
    for (int i = 0; i < THREADS; i++) {
        sti_thread_join(&t[i]);
    }
    CHECK_OK(stele_wal_iter_close(it, NULL), NULL);
    next_is(wal, THREADS * EACH + 1, false);
    CHECK_OK(stele_wal_close(wal, NULL), NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(an_empty_log),
            cmocka_unit_test(ids_follow),
            cmocka_unit_test(the_log_gives_ids),
            cmocka_unit_test(the_largest_id),
            cmocka_unit_test(tickets),
            cmocka_unit_test(truncating),
            cmocka_unit_test(trimming),
            cmocka_unit_test(a_lent_record_outlives_a_truncation),
            cmocka_unit_test(sizes),
            cmocka_unit_test(options),
            cmocka_unit_test(arguments),
            cmocka_unit_test(figures),
            cmocka_unit_test(no_memory),
            cmocka_unit_test(threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
