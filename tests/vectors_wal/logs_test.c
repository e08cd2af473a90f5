/* SPDX-License-Identifier: MIT
 *
 * logs_test.c: directories that the reference wrote, whole and damaged, answer
 * every call here as they answered there, and hold the same files afterwards.
 *
 * Where the reference is wrong, the answer here is better, and is that of
 * another variant, which the table below names: a last record that is damaged is a
 * torn tail, zeros behind the last record are none, a name that only looks
 * like a segment's is foreign. Three more have tests of their own.
 */
#include "blb.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct variant {
    const char *name;
    const char *as;      /* whose answers it has to give */
    uint64_t quarantine; /* bytes that go there, zeros at the end not counted */
    bool bit_rot;        /* in a file that is not the last */
};

static const struct variant variants[] = {
        {"none", "none", 0, false},
        {"torn_header_5", "torn_header_5", 1, false},
        {"torn_data", "torn_data", 14, false},
        {"torn_at_boundary", "torn_at_boundary", 0, false},
        {"len_plus_one_last", "len_plus_one_last", 16, false},
        {"missing_last_file", "missing_last_file", 0, false},
        {"bitflip_nonhead", "bitflip_nonhead", 0, true},
        /* The reference does not open these. */
        {"bitflip_last_record", "torn_data", 16, false},
        {"biglen_last", "torn_data", 16, false},
        {"zero_tail_4096", "none", 0, false},
        {"stray_bak", "none", 0, false},
};

static const json_t *field(const json_t *of, const char *key)
{
    const json_t *value = json_object_get(of, key);

    if (value == NULL) {
        print_error("there is no %s\n", key);
        fail();
    }
    return value;
}

/* ---- The calls that are recorded as "state". ---- */

static void append_next(stele_wal *w, const json_t *state)
{
    uint64_t id = (uint64_t)json_integer_value(field(field(state, "append_next"), "id"));
    char expected[32];
    stele_error err;

    CHECK_OK(blb_append(w, id, &err), &err);
    CHECK_CODE(blb_append(w, id + 5, &err), STELE_ECONFLICT);
    (void)snprintf(expected, sizeof expected, "%" PRIu64, id + 1);
    CHECK_MESSAGE_HAS(&err, expected);
    assert_non_null(strstr(json_string_value(field(state, "append_wrong(+5)")), expected));
}

static void replay_state(const struct tmpdir *t, const json_t *state, bool big)
{
    stele_wal *w = blb_open(t);
    json_t *iteration;
    size_t i;

    blb_check_bounds(w, field(state, "first"), field(state, "last"));
    json_array_foreach(field(state, "iter"), i, iteration)
    {
        blb_check_iteration(w, iteration, big);
    }
    append_next(w, state);
    blb_check_bounds(w, field(state, "first2"), field(state, "last2"));
    blb_check_iteration(w, field(state, "iter_after_append"), big);
    blb_check_files(t, field(state, "files_after"));
    blb_close(w);
    blb_check_files(t, field(state, "files_after"));
}

/* ---- Those that cut. ---- */

struct cut {
    const char *name;
    stele_code (*call)(stele_wal *, uint64_t, stele_error *);
    uint64_t id;
};

static const struct cut cuts[] = {
        {"trim30", stele_wal_trim, 30},
        {"trim56", stele_wal_trim, 56},
        {"truncate0", stele_wal_truncate, 0},
        {"truncate30", stele_wal_truncate, 30},
};

enum {
    CUTS = sizeof cuts / sizeof cuts[0]
};

static void check_after(
        stele_wal *w, const json_t *result, const char *first, const char *last, const char *iter)
{
    blb_check_bounds(w, field(result, first), field(result, last));
    blb_check_iteration(w, field(result, iter), false);
}

static void replay_cut(const struct tmpdir *t, const struct cut *cut, const json_t *result)
{
    stele_wal *w = blb_open(t);
    stele_error err;

    CHECK_OK(cut->call(w, cut->id, &err), &err);
    blb_check_files(t, field(result, "files"));
    check_after(w, result, "first", "last", "iter");
    blb_close(w);
    w = blb_open(t);
    check_after(w, result, "reopen_first", "reopen_last", "reopen_iter");
    blb_close(w);
    blb_check_files(t, field(result, "files"));
}

/* ---- Variants. ---- */

static void variants_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        const struct variant *v = &variants[i];
        uint64_t bytes;
        struct tmpdir t;

        print_message("%s\n", v->name);
        tmpdir_make(&t);
        blb_copy_variant(v->name, &t);
        replay_state(&t, field(blb_result(v->as), "state"), false);
        (void)blb_quarantine(&t, &bytes);
        assert_int_equal(bytes, v->quarantine);
        tmpdir_remove(&t);
    }
}

static void variants_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        const struct variant *v = &variants[i];

        for (size_t k = 0; k < CUTS; k++) {
            const json_t *result = field(blb_result(v->as), cuts[k].name);
            struct tmpdir t;

            if (v->bit_rot && strcmp(cuts[k].name, "truncate30") == 0) {
                /* The reference panics. What is kept is whole: it is cut as it would be
                 * without the damage behind it. */
                result = field(blb_result("none"), cuts[k].name);
            }
            print_message("%s %s\n", v->name, cuts[k].name);
            tmpdir_make(&t);
            blb_copy_variant(v->name, &t);
            replay_cut(&t, &cuts[k], result);
            tmpdir_remove(&t);
        }
    }
}

static void foreign_name_stays(void **state)
{
    struct tmpdir t;
    uint64_t size;

    (void)state;
    tmpdir_make(&t);
    blb_copy_variant("stray_bak", &t);
    size = tmpdir_size(&t, "wal-0000000004.log.bak");
    blb_close(blb_open(&t));
    assert_int_equal(tmpdir_size(&t, "wal-0000000004.log.bak"), size);
    tmpdir_remove(&t);
}

/* A record in a damaged file can be read up to the damage, and says what is lost. */
static void rot_names_the_ids(void **state)
{
    stele_wal *w;
    stele_buf buf;
    stele_error err;
    struct tmpdir t;

    (void)state;
    tmpdir_make(&t);
    blb_copy_variant("bitflip_nonhead", &t);
    w = blb_open(&t);
    stele_buf_init(&buf, BLB_DATA_MAX);
    for (uint64_t id = 1; id <= 60; id++) {
        stele_code rc = stele_wal_read(w, id, &buf, &err);

        if (id == 32) {
            assert_int_equal(rc, STELE_ECORRUPT);
            assert_string_equal(err.file, "wal-0000000002.log");
            CHECK_MESSAGE_HAS(&err, "32 to 40");
            assert_true(err.position >= 1000 && err.position < 2613);
        } else if (id < 32 || id > 40) {
            CHECK_OK(rc, &err);
        }
    }
    stele_buf_free(&buf);
    blb_close(w);
    tmpdir_remove(&t);
}

/* ---- Variants that the reference reads wrongly. ---- */

/* It forgets all that was there, and begins with record 1 again. */
static void empty_newest_file(void **state)
{
    uint8_t record[1024];
    uint8_t *file;
    stele_error err;
    struct tmpdir t;
    stele_wal *w;
    size_t len;

    (void)state;
    tmpdir_make(&t);
    blb_copy_variant("new_empty_file_after_head", &t);
    w = blb_open(&t);
    blb_check_ids(w, 1, 60);
    CHECK_CODE(blb_append(w, 1, &err), STELE_ECONFLICT);
    CHECK_OK(blb_append(w, 61, &err), &err);
    blb_check_ids(w, 1, 61);
    blb_close(w);
    file = tmpdir_read(&t, "wal-0000000005.log", &len);
    assert_int_equal(len, blb_record(61, record));
    assert_memory_equal(file, record, len);
    free(file);
    tmpdir_remove(&t);
}

static void cut_with_empty_newest_file(void **state)
{
    static const uint64_t first[CUTS] = {28, 55, 1, 1};
    static const uint64_t last[CUTS] = {60, 60, 0, 30};

    (void)state;
    for (size_t k = 0; k < CUTS; k++) {
        stele_error err;
        struct tmpdir t;
        stele_wal *w;

        tmpdir_make(&t);
        blb_copy_variant("new_empty_file_after_head", &t);
        w = blb_open(&t);
        CHECK_OK(cuts[k].call(w, cuts[k].id, &err), &err);
        for (int opened = 0; opened < 2; opened++) {
            if (last[k] == 0) {
                blb_check_empty(w);
            } else {
                blb_check_ids(w, first[k], last[k]);
            }
            blb_close(w);
            w = blb_open(&t);
        }
        blb_close(w);
        if (cuts[k].call == stele_wal_truncate) {
            blb_check_files(&t, field(field(blb_result("none"), cuts[k].name), "files"));
        } else {
            assert_int_equal(tmpdir_size(&t, "wal-0000000005.log"), 0);
            assert_true(tmpdir_exists(&t, "wal-0000000004.log"));
            assert_int_equal(tmpdir_exists(&t, "wal-0000000003.log"), first[k] < 55);
        }
        tmpdir_remove(&t);
    }
}

/* It does not open it. */
static void torn_first_record(void **state)
{
    uint64_t bytes;
    stele_error err;
    struct tmpdir t;
    stele_wal *w;

    (void)state;
    tmpdir_make(&t);
    blb_copy_variant("torn_first_record_of_head", &t);
    w = blb_open(&t);
    blb_check_ids(w, 1, 54);
    assert_int_equal(blb_quarantine(&t, &bytes), 1);
    assert_int_equal(bytes, 20);
    assert_int_equal(tmpdir_size(&t, "wal-0000000004.log"), 0);
    append_next(w, field(blb_result("missing_last_file"), "state"));
    blb_close(w);
    blb_check_files(&t, field(field(blb_result("missing_last_file"), "state"), "files_after"));
    tmpdir_remove(&t);

    tmpdir_make(&t);
    blb_copy_variant("torn_first_record_of_head", &t);
    w = blb_open(&t);
    CHECK_OK(stele_wal_trim(w, 30, &err), &err);
    blb_check_ids(w, 28, 54);
    blb_close(w);
    w = blb_open(&t);
    blb_check_ids(w, 28, 54);
    CHECK_OK(stele_wal_truncate(w, 30, &err), &err);
    blb_check_ids(w, 28, 30);
    blb_close(w);
    tmpdir_remove(&t);
}

/* With the last record gone, an empty newest file does not keep the ids from beginning anew. */
static void trimmed_to_empty(void **state)
{
    uint64_t id = 0;
    bool any = false;
    stele_error err;
    struct tmpdir t;
    stele_wal *w;

    (void)state;
    tmpdir_make(&t);
    blb_copy_variant("torn_first_record_of_head", &t);
    w = blb_open(&t);
    CHECK_OK(stele_wal_trim(w, 56, &err), &err);
    blb_check_empty(w);
    CHECK_OK(stele_wal_next_id(w, &id, &any, &err), &err);
    assert_true(any);
    CHECK_OK(blb_append(w, 100, &err), &err);
    blb_check_ids(w, 100, 100);
    blb_close(w);
    w = blb_open(&t);
    blb_check_ids(w, 100, 100);
    blb_close(w);
    tmpdir_remove(&t);
}

/* It reads on behind the gap as if there were none. */
static void empty_file_in_the_middle(void **state)
{
    stele_wal_options opts;
    stele_wal *w = NULL;
    char *before;
    char *after;
    stele_error err;
    struct tmpdir t;

    (void)state;
    tmpdir_make(&t);
    blb_copy_variant("empty_nonhead", &t);
    before = blb_snapshot(&t);
    blb_options(&opts);
    CHECK_CODE(stele_wal_open(&w, t.path, &opts, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "28 to 40");
    assert_string_equal(err.file, "wal-0000000002.log");
    after = blb_snapshot(&t);
    assert_string_equal(before, after);
    free(before);
    free(after);
    tmpdir_remove(&t);
}

/* A file that is not there is a gap in the numbers. */
static void missing_middle_file(void **state)
{
    stele_wal_options opts;
    stele_wal *w = NULL;
    stele_error err;
    struct tmpdir t;
    char path[TMPDIR_PATH_SIZE];

    (void)state;
    tmpdir_make(&t);
    blb_copy("base", &t);
    tmpdir_path(&t, "wal-0000000002.log", path);
    assert_int_equal(remove(path), 0);
    blb_options(&opts);
    CHECK_CODE(stele_wal_open(&w, t.path, &opts, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "28 to 40");
    tmpdir_remove(&t);
}

/* ---- Directories after trim, truncate and so on. ---- */

static void ops_answer(void **state)
{
    static const char *const ops[] = {
            "trim_30", "truncate_0", "truncate_30_append", "start_id_0", "big_records"};

    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        char folder[64];
        struct tmpdir t;

        print_message("%s\n", ops[i]);
        tmpdir_make(&t);
        (void)snprintf(folder, sizeof folder, "ops/%s", ops[i]);
        blb_copy(folder, &t);
        blb_check_files(&t, field(blb_result(ops[i]), "input"));
        replay_state(&t, field(blb_result(ops[i]), "state"), strcmp(ops[i], "big_records") == 0);
        tmpdir_remove(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(variants_answer),
            cmocka_unit_test(variants_are_cut),
            cmocka_unit_test(foreign_name_stays),
            cmocka_unit_test(rot_names_the_ids),
            cmocka_unit_test(empty_newest_file),
            cmocka_unit_test(cut_with_empty_newest_file),
            cmocka_unit_test(torn_first_record),
            cmocka_unit_test(trimmed_to_empty),
            cmocka_unit_test(empty_file_in_the_middle),
            cmocka_unit_test(missing_middle_file),
            cmocka_unit_test(ops_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
