/* SPDX-License-Identifier: MIT
 *
 * quarantine_test.c: what is cut is kept, durably, and nothing is overwritten.
 */
#include "stream/quarantine.h"

#include "fixture.h"

#include <stdlib.h>
#include <unistd.h>

static const uint8_t cut[] = "bytes that were cut";

static void expect_file(const char *name, const void *data, size_t len)
{
    size_t got;
    uint8_t *bytes = tmpdir_read(&fx_files.tmp, name, &got);

    CHECK_BYTES(stele_bytes_of(bytes, got), stele_bytes_of(data, len));
    free(bytes);
}

/* The content is synced before the name appears, and the name before it is
 * said to be done. */
static void test_order_of_steps(void **state)
{
    char name[STI_NAME_SIZE];
    stele_error err;
    const char *write;
    const char *sync;
    const char *rename;
    const char *dirsync;

    (void)state;
    CHECK_OK(sti_quarantine_put(&fx_files.dir, 42, 1000, cut, sizeof cut, name, &err), &err);
    assert_string_equal(name, "00000000000000000042.log.quarantine.1000");
    expect_file(name, cut, sizeof cut);
    write = strstr(fx_files.vfs.trace, "write ");
    assert_non_null(write);
    sync = strstr(write, " sync ");
    assert_non_null(sync);
    rename = strstr(sync, " rename 00000000000000000042.log.quarantine.1000 ");
    assert_non_null(rename);
    dirsync = strstr(rename, " dirsync ");
    assert_non_null(dirsync);
    assert_string_equal(dirsync, " dirsync ");
    assert_false(tmpdir_exists(&fx_files.tmp, "00000000000000000042.log.quarantine.1000.tmp"));
}

static void test_same_bytes_again(void **state)
{
    char name[STI_NAME_SIZE];
    stele_error err;

    (void)state;
    CHECK_OK(sti_quarantine_put(&fx_files.dir, 42, 1000, cut, sizeof cut, name, &err), &err);
    fx_trace_clear(&fx_files.vfs);
    CHECK_OK(sti_quarantine_put(&fx_files.dir, 42, 1000, cut, sizeof cut, name, NULL), &err);
    assert_string_equal(name, "00000000000000000042.log.quarantine.1000");
    assert_null(strstr(fx_files.vfs.trace, "write "));
    assert_null(strstr(fx_files.vfs.trace, "rename "));
    assert_non_null(strstr(fx_files.vfs.trace, " sync "));
    assert_non_null(strstr(fx_files.vfs.trace, " dirsync "));
}

static void test_other_bytes(void **state)
{
    static const char *const expected[] = {"00000000000000000000.log.quarantine.7",
            "00000000000000000000.log.quarantine.8", "00000000000000000000.log.quarantine.9"};
    uint8_t bytes[10000];
    char name[STI_NAME_SIZE];
    stele_error err;

    (void)state;
    memset(bytes, 3, sizeof bytes);
    /* Another last byte behind the first step of comparing, and another length. */
    CHECK_OK(sti_quarantine_put(&fx_files.dir, 0, 7, bytes, sizeof bytes, name, &err), &err);
    assert_string_equal(name, expected[0]);
    bytes[sizeof bytes - 1] = 4;
    CHECK_OK(sti_quarantine_put(&fx_files.dir, 0, 7, bytes, sizeof bytes, name, &err), &err);
    assert_string_equal(name, expected[1]);
    CHECK_OK(sti_quarantine_put(&fx_files.dir, 0, 7, bytes, sizeof bytes - 1, name, &err), &err);
    assert_string_equal(name, expected[2]);
    CHECK_OK(sti_quarantine_put(&fx_files.dir, 0, 7, bytes, sizeof bytes, name, &err), &err);
    assert_string_equal(name, expected[1]);
    expect_file(expected[1], bytes, sizeof bytes);
    expect_file(expected[2], bytes, sizeof bytes - 1);
    bytes[sizeof bytes - 1] = 3;
    expect_file(expected[0], bytes, sizeof bytes);
}

static void test_what_is_in_the_way(void **state)
{
    static const uint8_t old[] = "a temporary file that a crash left, and longer than the new one";
    char name[STI_NAME_SIZE];
    stele_error err;

    (void)state;
    tmpdir_mkdir(&fx_files.tmp, "00000000000000000001.log.quarantine.0");
    tmpdir_write(&fx_files.tmp, "00000000000000000001.log.quarantine.1.tmp", old, sizeof old);
    CHECK_OK(sti_quarantine_put(&fx_files.dir, 1, 0, cut, sizeof cut, name, &err), &err);
    assert_string_equal(name, "00000000000000000001.log.quarantine.1");
    expect_file(name, cut, sizeof cut);
}

/* Each call of the file system fails once: an error with the right code, and
 * what is there is either nothing or the very bytes; a second try succeeds
 * with one file. */
static void test_every_failure(void **state)
{
    char name[STI_NAME_SIZE];
    stele_error err;
    int calls;

    (void)state;
    CHECK_OK(sti_quarantine_put(&fx_files.dir, 0, 0, cut, sizeof cut, name, &err), &err);
    calls = fx_files.vfs.calls;
    assert_true(calls >= 6);
    for (int i = 1; i <= calls; i++) {
        char expected[STI_NAME_SIZE];

        fx_trace_clear(&fx_files.vfs);
        fx_files.vfs.fail_at = i;
        memset(name, 'x', sizeof name);
        memset(&err, 0, sizeof err);
        CHECK_CODE(sti_quarantine_put(&fx_files.dir, i, 5, cut, sizeof cut, name, &err), STELE_EIO);
        assert_int_equal(name[0], 'x');
        CHECK_MESSAGE_HAS(&err, "keep 20 bytes cut at 5");
        fx_files.vfs.fail_at = 0;
        sti_name_quarantine(expected, i, 5);
        if (tmpdir_exists(&fx_files.tmp, expected)) {
            expect_file(expected, cut, sizeof cut);
        }
        CHECK_OK(sti_quarantine_put(&fx_files.dir, i, 5, cut, sizeof cut, name, &err), &err);
        assert_string_equal(name, expected);
        expect_file(expected, cut, sizeof cut);
        sti_name_quarantine(expected, i, 6);
        assert_false(tmpdir_exists(&fx_files.tmp, expected));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_order_of_steps, fx_set_up, fx_tear_down),
            cmocka_unit_test_setup_teardown(test_same_bytes_again, fx_set_up, fx_tear_down),
            cmocka_unit_test_setup_teardown(test_other_bytes, fx_set_up, fx_tear_down),
            cmocka_unit_test_setup_teardown(test_what_is_in_the_way, fx_set_up, fx_tear_down),
            cmocka_unit_test_setup_teardown(test_every_failure, fx_set_up, fx_tear_down),
    };

    return cmocka_run_group_tests_name("stream quarantine", tests, NULL, NULL);
}
