/* SPDX-License-Identifier: MIT
 *
 * bbolt_read_test.c: files that bbolt wrote, and how a reader is used.
 */
#include "bbolt_kit.h"
#include "lib/tmpdir.h"

#include <stdio.h>
#include <stdlib.h>

static void open_golden(struct sti_dir *dir, struct tmpdir *path)
{
    stele_error err;

    (void)snprintf(path->path, sizeof path->path, "%s/golden/bbolt", STELE_TESTS_DIR);
    CHECK_OK(sti_dir_open(dir, NULL, path->path, 0, &err), &err);
}

/* The listing beside each file is bbolt's own. */
static void test_written_by_bbolt(void **state)
{
    const char *const names[] = {"deep", "empty", "etcd", "etcd-saved", "snapshot"};
    struct tmpdir path;
    struct sti_dir dir;
    stele_error err;

    (void)state;
    open_golden(&dir, &path);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char name[32];
        char *text = NULL;
        char *expected;
        size_t len;

        (void)snprintf(name, sizeof name, "%s.txt", names[i]);
        expected = (char *)tmpdir_read(&path, name, &len);
        (void)snprintf(name, sizeof name, "%s.db", names[i]);
        CHECK_OK(bbolt_list(&dir, name, &text, &err), &err);
        assert_string_equal(text, expected);
        free(text);
        free(expected);
    }
    sti_dir_close(&dir);
}

static void test_info(void **state)
{
    struct sti_bbolt_reader *r = NULL;
    struct sti_bbolt_info info;
    struct tmpdir path;
    struct sti_dir dir;
    stele_error err;

    (void)state;
    open_golden(&dir, &path);
    CHECK_OK(sti_bbolt_open(&r, &dir, "snapshot.db", &err), &err);
    info = sti_bbolt_info(r);
    assert_true(info.hashed && !info.one_meta && !info.knows_unused);
    assert_int_equal(info.page_size, 4096);
    assert_int_equal(info.pages, 13);
    sti_bbolt_close(r);
    CHECK_OK(sti_bbolt_open(&r, &dir, "etcd-saved.db", &err), &err);
    assert_true(sti_bbolt_info(r).hashed);
    sti_bbolt_close(r);
    CHECK_OK(sti_bbolt_open(&r, &dir, "deep.db", &err), &err);
    info = sti_bbolt_info(r);
    assert_true(!info.hashed && !info.one_meta && info.knows_unused);
    assert_int_equal(info.page_size, 512);
    sti_bbolt_close(r);
    sti_dir_close(&dir);
}

static void test_nested(void **state)
{
    struct tmpdir path;
    struct sti_dir dir;
    stele_error err;
    char *text = NULL;

    (void)state;
    open_golden(&dir, &path);
    CHECK_CODE(bbolt_list(&dir, "nested.db", &text, &err), STELE_ENOTSUP);
    CHECK_MESSAGE_HAS(&err, "bucket \"inner\" is in bucket \"outer\"");
    assert_string_equal(err.file, "nested.db");
    assert_true(err.position > 0);
    assert_null(text);
    sti_dir_close(&dir);
}

static void test_missing_and_locked(void **state)
{
    const struct bbolt_shape shape = {512, 1, 1, 1, 1, false};
    struct sti_bbolt_reader *r = NULL;
    struct sti_bbolt_reader *other = NULL;
    struct sti_file file = {0};
    struct bbolt_kit k;

    (void)state;
    bbolt_kit_begin(&k, 0);
    CHECK_CODE(sti_bbolt_open(&r, &k.dir, BBOLT_FILE, &k.err), STELE_ENOTFOUND);
    bbolt_kit_write(&k, &shape);
    CHECK_OK(sti_file_open(&file, &k.dir, BBOLT_FILE, STELE_OPEN_WRITE, &k.err), &k.err);
    CHECK_OK(sti_file_lock(&file, true, &k.err), &k.err);
    CHECK_CODE(sti_bbolt_open(&r, &k.dir, BBOLT_FILE, &k.err), STELE_EBUSY);
    CHECK_MESSAGE(&k.err, "b.db: in use by another process");
    sti_file_close(&file);
    CHECK_OK(sti_bbolt_open(&r, &k.dir, BBOLT_FILE, &k.err), &k.err);
    CHECK_OK(sti_bbolt_open(&other, &k.dir, BBOLT_FILE, &k.err), &k.err);
    sti_bbolt_close(other);
    sti_bbolt_close(r);
    sti_bbolt_close(NULL);
    bbolt_kit_end(&k);
}

/* A bucket may be left before its end, but then nothing is known of unused pages. */
static void test_passed_over(void **state)
{
    const struct bbolt_shape shape = {512, 4, 30, 10, 60, false};
    struct sti_bbolt_reader *r = NULL;
    struct bbolt_kit k;
    stele_bytes name;
    stele_bytes key;
    stele_bytes value;

    (void)state;
    bbolt_kit_begin(&k, 0);
    bbolt_kit_write(&k, &shape);
    CHECK_OK(sti_bbolt_open(&r, &k.dir, BBOLT_FILE, &k.err), &k.err);
    CHECK_CODE(sti_bbolt_next_entry(r, &key, &value, &k.err), STELE_END);
    CHECK_CODE(sti_bbolt_check_unused(r, &k.err), STELE_ESTATE);
    for (unsigned b = 0; b < shape.buckets; b++) {
        CHECK_OK(sti_bbolt_next_bucket(r, &name, &k.err), &k.err);
        assert_int_equal(name.data[name.len - 1], '0' + b);
        for (unsigned i = 0; i < 10 * b; i++) {
            CHECK_OK(sti_bbolt_next_entry(r, &key, &value, &k.err), &k.err);
            assert_int_equal(key.data[1], i);
        }
    }
    CHECK_CODE(sti_bbolt_next_bucket(r, &name, &k.err), STELE_END);
    CHECK_CODE(sti_bbolt_next_entry(r, &key, &value, &k.err), STELE_END);
    CHECK_CODE(sti_bbolt_check_unused(r, &k.err), STELE_ESTATE);
    CHECK_MESSAGE(&k.err, "b.db: not everything was read");
    sti_bbolt_close(r);
    bbolt_kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_written_by_bbolt),
            cmocka_unit_test(test_info),
            cmocka_unit_test(test_nested),
            cmocka_unit_test(test_missing_and_locked),
            cmocka_unit_test(test_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
