/* SPDX-License-Identifier: MIT
 *
 * append_test.c: appending to a log in a directory, and reading it, in both formats.
 */
#include "base/thread.h"
#include "kit.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- One by one, and many at once. ---- */

static void an_empty_log(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;

        kit_begin(&k, kit_formats[i]);
        kit_open(&k);
        for (int again = 0; again < 3; again++) {
            kit_holds(&k, 1, 0);
            kit_next_is(&k, 1, true);
            CHECK_OK(stele_wal_append(k.wal, NULL, 0, &k.err), &k.err);
            CHECK_OK(stele_wal_trim(k.wal, 5, &k.err), &k.err);
            CHECK_OK(stele_wal_truncate(k.wal, 0, &k.err), &k.err);
            kit_reopen(&k);
        }
        kit_end(&k);
    }
}

static void records_survive_a_reopen(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;

        kit_begin(&k, kit_formats[i]);
        kit_open(&k);
        kit_fill(&k, 7, 9);
        kit_holds(&k, 7, 9);
        kit_next_is(&k, 10, false);
        kit_reopen(&k);
        kit_holds(&k, 7, 9);
        kit_next_is(&k, 10, false);
        CHECK_OK(kit_append(&k, 10, 30), &k.err);
        kit_holds(&k, 7, 39);
        kit_reopen(&k);
        kit_reopen(&k);
        kit_holds(&k, 7, 39);
        kit_fill(&k, 40, 200);
        kit_holds(&k, 7, 200);
        assert_true(kit_stats(&k).rollovers > 2);
        assert_true(kit_stats(&k).segments > 3);
        kit_reopen(&k);
        kit_holds(&k, 7, 200);
        kit_end(&k);
    }
}

static void the_first_id_is_the_callers(void **state)
{
    static const uint64_t firsts[] = {0, 1, 4711, UINT64_MAX - 60};

    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        for (size_t j = 0; j < sizeof firsts / sizeof firsts[0]; j++) {
            struct kit k;

            kit_begin(&k, kit_formats[i]);
            kit_open(&k);
            kit_fill(&k, firsts[j], firsts[j] + 49);
            kit_reopen(&k);
            kit_holds(&k, firsts[j], firsts[j] + 49);
            kit_fill(&k, firsts[j] + 50, firsts[j] + 59);
            kit_holds(&k, firsts[j], firsts[j] + 59);
            kit_end(&k);
        }
    }
}

static void ids_that_do_not_follow(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        stele_wal_record r[2] = {{.id = 5}, {.id = 7}};

        kit_begin(&k, kit_formats[i]);
        kit_open(&k);
        CHECK_CODE(stele_wal_append(k.wal, r, 2, &k.err), STELE_ECONFLICT);
        kit_next_is(&k, 1, true);
        kit_fill(&k, 3, 5);
        CHECK_CODE(kit_append(&k, 5, 1), STELE_ECONFLICT);
        CHECK_MESSAGE_HAS(&k.err, "expected 6");
        CHECK_CODE(kit_append(&k, 7, 2), STELE_ECONFLICT);
        CHECK_CODE(kit_append(&k, 0, 1), STELE_ECONFLICT);
        kit_holds(&k, 3, 5);
        kit_fill(&k, 6, 6);
        kit_reopen(&k);
        CHECK_CODE(kit_append(&k, 8, 1), STELE_ECONFLICT);
        kit_holds(&k, 3, 6);
        kit_end(&k);
    }
}

static void the_log_gives_ids(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        uint8_t buffers[3][KIT_DATA_MAX];
        stele_bytes data[3];
        uint64_t first = 0;

        for (uint64_t id = 1; id <= 3; id++) {
            data[id - 1] = kit_data(id, buffers[id - 1]);
        }
        kit_begin(&k, kit_formats[i]);
        kit_open(&k);
        CHECK_OK(stele_wal_append_next(k.wal, data, 2, &first, &k.err), &k.err);
        assert_int_equal(first, 1);
        CHECK_OK(stele_wal_append_next(k.wal, data + 2, 1, &first, &k.err), &k.err);
        assert_int_equal(first, 3);
        CHECK_OK(stele_wal_append_next(k.wal, NULL, 0, &first, &k.err), &k.err);
        assert_int_equal(first, 4);
        kit_holds(&k, 1, 3);
        kit_end(&k);
    }
}

/* An append is in one segment, be it larger than others. */
static void appends_larger_than_a_segment(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        uint64_t segments;

        kit_begin(&k, kit_formats[i]);
        kit_open(&k);
        CHECK_OK(kit_append(&k, 1, 500), &k.err);
        assert_int_equal(kit_stats(&k).segments, 1);
        kit_holds(&k, 1, 500);
        kit_fill(&k, 501, 510);
        segments = kit_stats(&k).segments;
        assert_int_equal(segments, 2);
        CHECK_OK(kit_append(&k, 511, 500), &k.err);
        assert_true(kit_stats(&k).segments <= 3);
        kit_holds(&k, 1, 1010);
        kit_reopen(&k);
        kit_holds(&k, 1, 1010);
        kit_fill(&k, 1011, 1030);
        kit_holds(&k, 1, 1030);
        kit_end(&k);
    }
}

static void large_records(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        uint8_t *data = test_malloc(STELE_WAL_BLB_RECORD_MAX + 1);
        stele_wal_record r = {.id = 1};
        stele_wal_iter *it;
        stele_buf buf;

        for (size_t j = 0; j < STELE_WAL_BLB_RECORD_MAX; j++) {
            data[j] = (uint8_t)(j * 7 + (j >> 9));
        }
        kit_begin(&k, kit_formats[i]);
        k.opts.record_size_max = STELE_WAL_BLB_RECORD_MAX;
        kit_open(&k);
        r.data = stele_bytes_of(data, STELE_WAL_BLB_RECORD_MAX + 1);
        CHECK_CODE(stele_wal_append(k.wal, &r, 1, &k.err), STELE_ETOOBIG);
        kit_holds(&k, 1, 0);
        r.data.len--;
        CHECK_OK(stele_wal_append(k.wal, &r, 1, &k.err), &k.err);
        kit_fill(&k, 2, 4);
        r.id = 5;
        CHECK_OK(stele_wal_append(k.wal, &r, 1, &k.err), &k.err);
        kit_reopen(&k);
        stele_buf_init(&buf, STELE_WAL_BLB_RECORD_MAX);
        CHECK_OK(stele_wal_read(k.wal, 5, &buf, &k.err), &k.err);
        CHECK_BYTES(stele_buf_view(&buf), r.data);
        it = kit_iter(&k, 1);
        CHECK_OK(stele_wal_iter_next(it, &r, &k.err), &k.err);
        CHECK_BYTES(r.data, stele_buf_view(&buf));
        kit_gives(it, 2);
        CHECK_OK(stele_wal_iter_close(it, &k.err), &k.err);
        stele_buf_free(&buf);
        kit_end(&k);
        test_free(data);
    }
}

/* ---- Other ways to read and write. ---- */

static void without_map_thread_and_recycling(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * KIT_FORMATS; i++) {
        struct kit k;

        kit_begin(&k, kit_formats[i % KIT_FORMATS]);
        k.opts.no_map = i < KIT_FORMATS;
        k.opts.no_background = true;
        k.opts.no_recycle = true;
        kit_open(&k);
        kit_fill(&k, 1, 100);
        CHECK_OK(kit_append(&k, 101, 300), &k.err);
        kit_holds(&k, 1, 400);
        CHECK_OK(stele_wal_trim(k.wal, 90, &k.err), &k.err);
        CHECK_OK(stele_wal_truncate(k.wal, 395, &k.err), &k.err);
        kit_fill(&k, 396, 500);
        kit_reopen(&k);
        kit_fill(&k, 501, 600);
        assert_int_equal(kit_stats(&k).last_id, 600);
        assert_int_equal(kit_stats(&k).recycled, 0);
        kit_end(&k);
    }
}

static void asynchronous(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * KIT_FORMATS; i++) {
        struct kit k;
        stele_wal_ticket tickets[101];
        stele_wal_ticket durable = 0;

        kit_begin(&k, kit_formats[i % KIT_FORMATS]);
        k.opts.no_background = i >= KIT_FORMATS;
        kit_open(&k);
        for (uint64_t id = 1; id <= 100; id++) {
            uint8_t buffer[KIT_DATA_MAX];
            stele_wal_record r = {.id = id, .data = kit_data(id, buffer)};

            CHECK_OK(stele_wal_append_async(k.wal, &r, 1, &tickets[id], &k.err), &k.err);
            assert_true(tickets[id] > (id > 1 ? tickets[id - 1] : 0));
            memset(buffer, 0, sizeof buffer);
        }
        kit_next_is(&k, 101, false);
        CHECK_OK(stele_wal_wait(k.wal, tickets[100], NULL, &k.err), &k.err);
        CHECK_OK(stele_wal_wait(k.wal, tickets[1], NULL, &k.err), &k.err);
        CHECK_OK(stele_wal_durable(k.wal, &durable, &k.err), &k.err);
        assert_true(durable >= tickets[100]);
        CHECK_CODE(stele_wal_wait(k.wal, tickets[100] + 1, NULL, &k.err), STELE_EINVAL);
        kit_holds(&k, 1, 100);
        for (uint64_t id = 101; id <= 200; id++) {
            uint8_t buffer[KIT_DATA_MAX];
            stele_wal_record r = {.id = id, .data = kit_data(id, buffer)};

            CHECK_OK(stele_wal_append_async(k.wal, &r, 1, &tickets[0], &k.err), &k.err);
        }
        /* Closing waits for them. */
        kit_reopen(&k);
        kit_holds(&k, 1, 200);
        kit_end(&k);
    }
}

/* The thread makes durable what nobody waits for. */
static void asynchronous_without_waiting(void **state)
{
    struct kit k;
    uint8_t buffer[KIT_DATA_MAX];
    stele_wal_record r = {.id = 1, .data = kit_data(1, buffer)};
    stele_wal_ticket ticket = 0;
    stele_wal_ticket durable = 0;

    (void)state;
    kit_begin(&k, STELE_WAL_STELE);
    kit_open(&k);
    CHECK_OK(stele_wal_append_async(k.wal, &r, 1, &ticket, &k.err), &k.err);
    while (durable < ticket) {
        CHECK_OK(stele_wal_durable(k.wal, &durable, &k.err), &k.err);
        sti_thread_yield();
    }
    kit_holds(&k, 1, 1);
    kit_end(&k);
}

static void figures(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        stele_wal_stats s;
        stele_wal_stats of_dir;
        uint64_t groups = 0;

        kit_begin(&k, kit_formats[i]);
        kit_open(&k);
        kit_fill(&k, 1, 4);
        CHECK_OK(kit_append(&k, 5, 6), &k.err);
        s = kit_stats(&k);
        assert_int_equal(s.format, kit_formats[i]);
        assert_int_equal(s.appends, 5);
        assert_int_equal(s.records, 10);
        assert_int_equal(s.syncs, 5);
        assert_int_equal(s.records_max, 6);
        assert_true(s.bytes_max > 0);
        assert_true(s.bytes >= s.bytes_max);
        assert_false(s.failed);
        for (int j = 0; j < STELE_WAL_LATENCIES; j++) {
            groups += s.latency[j];
        }
        assert_int_equal(groups, 5);
        kit_close(&k);
        CHECK_OK(stele_wal_stat_dir(k.dir.path, &k.opts, &of_dir, &k.err), &k.err);
        assert_int_equal(of_dir.first_id, 1);
        assert_int_equal(of_dir.last_id, 10);
        assert_int_equal(of_dir.size, s.size);
        assert_int_equal(of_dir.segments, s.segments);
        kit_end(&k);
    }
}

/* ---- Others. ---- */

static void a_second_opener(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        stele_wal *other = NULL;

        kit_begin(&k, kit_formats[i]);
        kit_open(&k);
        kit_fill(&k, 1, 3);
        CHECK_CODE(stele_wal_open(&other, k.dir.path, &k.opts, &k.err), STELE_EBUSY);
        assert_null(other);
        kit_fill(&k, 4, 5);
        kit_holds(&k, 1, 5);
        kit_end(&k);
    }
}

static void a_reader_beside_the_writer(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        struct kit reader;
        stele_wal_iter *it;

        kit_begin(&k, kit_formats[i]);
        kit_open(&k);
        kit_fill(&k, 1, 3);
        reader = k;
        reader.wal = NULL;
        reader.opts.read_only = true;
        kit_open(&reader);
        kit_holds(&reader, 1, 3);
        CHECK_CODE(kit_append(&reader, 4, 1), STELE_EREADONLY);
        CHECK_CODE(stele_wal_trim(reader.wal, 4, &k.err), STELE_EREADONLY);
        CHECK_CODE(stele_wal_truncate(reader.wal, 1, &k.err), STELE_EREADONLY);
        it = kit_iter(&reader, 2);
        kit_gives_all(it, 2, 3);
        kit_fill(&k, 4, 150);
        kit_gives_all(it, 4, 150);
        kit_holds(&reader, 1, 150);
        CHECK_OK(stele_wal_iter_close(it, &k.err), &k.err);
        kit_close(&reader);
        kit_end(&k);
    }
}

static void the_format_is_that_of_the_files(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;

        kit_begin(&k, kit_formats[i]);
        kit_open(&k);
        kit_fill(&k, 1, 3);
        kit_close(&k);
        k.opts.format = STELE_WAL_ANY;
        kit_open(&k);
        assert_int_equal(kit_stats(&k).format, kit_formats[i]);
        kit_holds(&k, 1, 3);
        kit_close(&k);
        k.opts.format = kit_formats[1 - i];
        CHECK_CODE(stele_wal_open(&k.wal, k.dir.path, &k.opts, &k.err), STELE_EMISMATCH);
        assert_null(k.wal);
        kit_end(&k);
    }
}

/* Where blocks cannot be had ahead, segments grow. */
static void without_allocation(void **state)
{
    const struct sim_disk_options disk = {.no_trace = true, .no_allocate = true};
    struct kit k;

    (void)state;
    kit_begin_sim(&k, STELE_WAL_STELE, &disk);
    kit_open(&k);
    kit_fill(&k, 1, 150);
    kit_holds(&k, 1, 150);
    kit_reopen(&k);
    kit_holds(&k, 1, 150);
    CHECK_OK(stele_wal_trim(k.wal, 100, &k.err), &k.err);
    kit_fill(&k, 151, 300);
    kit_reopen(&k);
    assert_int_equal(kit_stats(&k).last_id, 300);
    kit_end(&k);
}

/* Every kind of end: after each number of records the log is opened again. */
static void every_length(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;

        kit_begin_sim(&k, kit_formats[i], NULL);
        kit_open(&k);
        for (uint64_t id = 1; id <= 120; id++) {
            kit_fill(&k, id, id);
            kit_reopen(&k);
            kit_next_is(&k, id + 1, false);
        }
        kit_holds(&k, 1, 120);
        kit_end(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(an_empty_log),
            cmocka_unit_test(records_survive_a_reopen),
            cmocka_unit_test(the_first_id_is_the_callers),
            cmocka_unit_test(ids_that_do_not_follow),
            cmocka_unit_test(the_log_gives_ids),
            cmocka_unit_test(appends_larger_than_a_segment),
            cmocka_unit_test(large_records),
            cmocka_unit_test(without_map_thread_and_recycling),
            cmocka_unit_test(asynchronous),
            cmocka_unit_test(asynchronous_without_waiting),
            cmocka_unit_test(figures),
            cmocka_unit_test(a_second_opener),
            cmocka_unit_test(a_reader_beside_the_writer),
            cmocka_unit_test(the_format_is_that_of_the_files),
            cmocka_unit_test(without_allocation),
            cmocka_unit_test(every_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
