/* SPDX-License-Identifier: MIT
 *
 * replay_test.c: the calls that made the reference's logs, made here, give
 * the same files byte for byte.
 */
#include "blb.h"

#include <stdio.h>
#include <stdlib.h>

static stele_wal *open_new(const struct tmpdir *t, uint64_t limit)
{
    stele_wal_options opts;
    stele_wal *w = NULL;
    stele_error err;

    blb_options(&opts);
    opts.must_exist = false;
    opts.format = STELE_WAL_BLB;
    opts.segment_size = limit;
    CHECK_OK(stele_wal_open(&w, t->path, &opts, &err), &err);
    return w;
}

static void append_all(stele_wal *w, uint64_t first, uint64_t last)
{
    stele_error err;

    for (uint64_t id = first; id <= last; id++) {
        CHECK_OK(blb_append(w, id, &err), &err);
    }
}

static void check_op(const struct tmpdir *t, const char *op)
{
    blb_check_files(t, json_object_get(blb_result(op), "input"));
}

/* Close, and open and close once more: neither changes a file of the log. */
static void close_and_check(const struct tmpdir *t, stele_wal *w, const char *op)
{
    check_op(t, op);
    blb_close(w);
    check_op(t, op);
    blb_close(blb_open(t));
    check_op(t, op);
}

static void base(void **state)
{
    struct tmpdir t;
    stele_wal *w;

    (void)state;
    tmpdir_make(&t);
    w = open_new(&t, BLB_FILE_LIMIT);
    append_all(w, 1, 60);
    close_and_check(&t, w, "none");
    tmpdir_remove(&t);
}

/* With the log closed between any two calls. */
static void base_reopened(void **state)
{
    struct tmpdir t;

    (void)state;
    tmpdir_make(&t);
    for (uint64_t id = 1; id <= 60; id++) {
        stele_wal *w = open_new(&t, BLB_FILE_LIMIT);

        append_all(w, id, id);
        blb_close(w);
    }
    check_op(&t, "none");
    tmpdir_remove(&t);
}

/* Async appends, waited for in the end, go into the same places. */
static void base_async(void **state)
{
    stele_wal_ticket ticket = 0;
    uint8_t data[1024];
    stele_error err;
    struct tmpdir t;
    stele_wal *w;

    (void)state;
    tmpdir_make(&t);
    w = open_new(&t, BLB_FILE_LIMIT);
    for (uint64_t id = 1; id <= 60; id++) {
        size_t len = blb_data_len(id);
        stele_wal_record record = {.id = id, .data = stele_bytes_of(data, len)};

        blb_data(id, len, data);
        CHECK_OK(stele_wal_append_async(w, &record, 1, &ticket, &err), &err);
    }
    CHECK_OK(stele_wal_wait(w, ticket, NULL, &err), &err);
    close_and_check(&t, w, "none");
    tmpdir_remove(&t);
}

/* A batch goes into one file, however large that becomes. */
static void batches(void **state)
{
    enum {
        BATCH = 40
    };

    static uint8_t data[BATCH][1024];
    stele_bytes bytes[BATCH];
    uint8_t record[1024];
    uint64_t size = 0;
    struct tmpdir t;
    stele_error err;
    stele_wal *w;

    (void)state;
    tmpdir_make(&t);
    w = open_new(&t, BLB_FILE_LIMIT);
    for (uint64_t id = 1; id <= BATCH; id++) {
        blb_data(id, blb_data_len(id), data[id - 1]);
        bytes[id - 1] = stele_bytes_of(data[id - 1], blb_data_len(id));
        size += blb_record(id, record);
    }
    CHECK_OK(stele_wal_append_next(w, bytes, BATCH, NULL, &err), &err);
    append_all(w, BATCH + 1, BATCH + 1);
    blb_check_ids(w, 1, BATCH + 1);
    blb_close(w);
    assert_true(size > 2 * BLB_FILE_LIMIT);
    assert_int_equal(tmpdir_size(&t, "wal-0000000000.log"), size);
    assert_int_equal(tmpdir_size(&t, "wal-0000000001.log"), blb_record(BATCH + 1, record));
    tmpdir_remove(&t);
}

static void trim_30(void **state)
{
    struct tmpdir t;
    stele_error err;
    stele_wal *w;

    (void)state;
    tmpdir_make(&t);
    w = open_new(&t, BLB_FILE_LIMIT);
    append_all(w, 1, 60);
    CHECK_OK(stele_wal_trim(w, 30, &err), &err);
    close_and_check(&t, w, "trim_30");
    tmpdir_remove(&t);
}

static void truncate_0(void **state)
{
    struct tmpdir t;
    stele_error err;
    stele_wal *w;

    (void)state;
    tmpdir_make(&t);
    w = open_new(&t, BLB_FILE_LIMIT);
    append_all(w, 1, 60);
    CHECK_OK(stele_wal_truncate(w, 0, &err), &err);
    close_and_check(&t, w, "truncate_0");
    tmpdir_remove(&t);
}

static void truncate_30_append(void **state)
{
    struct tmpdir t;
    stele_error err;
    stele_wal *w;

    (void)state;
    tmpdir_make(&t);
    w = open_new(&t, BLB_FILE_LIMIT);
    append_all(w, 1, 60);
    CHECK_OK(stele_wal_truncate(w, 30, &err), &err);
    append_all(w, 31, 32);
    close_and_check(&t, w, "truncate_30_append");
    tmpdir_remove(&t);
}

static void start_id_0(void **state)
{
    struct tmpdir t;
    stele_wal *w;

    (void)state;
    tmpdir_make(&t);
    w = open_new(&t, BLB_FILE_LIMIT);
    append_all(w, 0, 10);
    close_and_check(&t, w, "start_id_0");
    tmpdir_remove(&t);
}

static void big_records(void **state)
{
    uint8_t *data = malloc(BLB_DATA_MAX);
    struct tmpdir t;
    stele_error err;
    stele_wal *w;

    (void)state;
    assert_non_null(data);
    tmpdir_make(&t);
    w = open_new(&t, 100000);
    for (uint64_t id = 1; id <= 3; id++) {
        stele_wal_record record = {.id = id, .data = stele_bytes_of(data, BLB_DATA_MAX)};

        blb_data(id, BLB_DATA_MAX, data);
        CHECK_OK(stele_wal_append(w, &record, 1, &err), &err);
    }
    close_and_check(&t, w, "big_records");
    free(data);
    tmpdir_remove(&t);
}

/* A refused append writes nothing. */
static void refused(void **state)
{
    static uint8_t large[STELE_WAL_BLB_RECORD_MAX + 1];
    stele_wal_record record = {.id = 61, .data = stele_bytes_of(large, sizeof large)};
    struct tmpdir t;
    stele_error err;
    stele_wal *w;

    (void)state;
    tmpdir_make(&t);
    w = open_new(&t, BLB_FILE_LIMIT);
    append_all(w, 1, 60);
    CHECK_CODE(stele_wal_append(w, &record, 1, &err), STELE_ETOOBIG);
    CHECK_CODE(blb_append(w, 60, &err), STELE_ECONFLICT);
    CHECK_CODE(blb_append(w, 62, &err), STELE_ECONFLICT);
    close_and_check(&t, w, "none");
    tmpdir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(base),
            cmocka_unit_test(base_reopened),
            cmocka_unit_test(base_async),
            cmocka_unit_test(batches),
            cmocka_unit_test(trim_30),
            cmocka_unit_test(truncate_0),
            cmocka_unit_test(truncate_30_append),
            cmocka_unit_test(start_id_0),
            cmocka_unit_test(big_records),
            cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
