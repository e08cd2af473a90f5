/* SPDX-License-Identifier: MIT
 *
 * vfs_test.c: whole reads and writes, messages, and atomic replacement, over
 * files that fall short and fail.
 */
#include "vfs/vfs.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "lib/check.h"
#include "lib/faulty.h"
#include "lib/tmpdir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    FLAGS_NEW = STELE_OPEN_WRITE | STELE_OPEN_CREATE
};

struct fixture {
    struct tmpdir tmp;
    struct faulty faulty;
    stele_env env;
    struct sti_dir dir;
};

static int set_up(void **state)
{
    struct fixture *fix = calloc(1, sizeof *fix);
    stele_error err;

    assert_non_null(fix);
    tmpdir_make(&fix->tmp);
    faulty_init(&fix->faulty);
    stele_env_init(&fix->env);
    fix->env.vfs = &fix->faulty.wrap.vfs;
    CHECK_OK(sti_dir_open(&fix->dir, &fix->env, fix->tmp.path, STELE_OPEN_READ, &err), &err);
    *state = fix;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fix = *state;

    sti_dir_close(&fix->dir);
    tmpdir_remove(&fix->tmp);
    free(fix);
    return 0;
}

static void open_new(struct fixture *fix, struct sti_file *f, const char *name)
{
    stele_error err;

    CHECK_OK(sti_file_open(f, &fix->dir, name, FLAGS_NEW, &err), &err);
}

static void fill(uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        p[i] = (uint8_t)(i * 7 + i / 256);
    }
}

static void test_dir_open_messages(void **state)
{
    struct fixture *fix = *state;
    struct sti_dir d = {NULL, NULL};
    char path[TMPDIR_PATH_SIZE];
    char text[2 * TMPDIR_PATH_SIZE];
    stele_error err;

    CHECK_CODE(sti_dir_open(&d, NULL, NULL, STELE_OPEN_READ, &err), STELE_EINVAL);
    CHECK_CODE(sti_dir_open(&d, NULL, "", STELE_OPEN_READ, &err), STELE_EINVAL);
    tmpdir_path(&fix->tmp, "none", path);
    CHECK_CODE(sti_dir_open(&d, NULL, path, STELE_OPEN_READ, &err), STELE_ENOTFOUND);
    (void)snprintf(text, sizeof text, "%s: no such directory", path);
    CHECK_MESSAGE(&err, text);
    assert_int_equal(err.sys_errno, ENOENT);
    tmpdir_write(&fix->tmp, "file", "", 0);
    tmpdir_path(&fix->tmp, "file", path);
    CHECK_CODE(sti_dir_open(&d, NULL, path, STELE_OPEN_CREATE, &err), STELE_EINVAL);
    (void)snprintf(text, sizeof text, "%s: is not a directory", path);
    CHECK_MESSAGE(&err, text);
    CHECK_CODE(sti_dir_open(&d, NULL, path, STELE_OPEN_CREATE, NULL), STELE_EINVAL);
    faulty_fail(&fix->faulty, 0, EACCES);
    CHECK_CODE(sti_dir_open(&d, &fix->env, path, STELE_OPEN_READ, &err), STELE_EPERM);
    (void)snprintf(text, sizeof text, "%s: cannot open the directory: Permission denied", path);
    CHECK_MESSAGE(&err, text);
    assert_null(d.raw);
    assert_null(d.path);
    sti_dir_close(&d);
}

static void test_dir_open_real_and_again(void **state)
{
    struct fixture *fix = *state;
    struct sti_dir d = {NULL, NULL};
    char path[TMPDIR_PATH_SIZE];
    stele_error err;

    tmpdir_path(&fix->tmp, "new/dir", path);
    CHECK_OK(sti_dir_open(&d, NULL, path, STELE_OPEN_CREATE, &err), &err);
    assert_string_equal(d.path, path);
    sti_dir_close(&d);
    assert_null(d.raw);
    sti_dir_close(&d);
    assert_true(tmpdir_exists(&fix->tmp, "new/dir"));
}

static void test_unknown_table_version(void **state)
{
    static const stele_vfs_ops ops = {.version = 2, .open_dir = NULL};
    const stele_vfs vfs = {.ops = &ops};
    struct sti_dir d = {NULL, NULL};
    stele_env env;
    stele_error err;

    (void)state;
    stele_env_init(&env);
    env.vfs = &vfs;
    CHECK_CODE(sti_dir_open(&d, &env, "/", STELE_OPEN_READ, &err), STELE_ENOTSUP);
    CHECK_MESSAGE_HAS(&err, "version 2");
}

static void test_file_open_messages(void **state)
{
    struct fixture *fix = *state;
    struct sti_file f = {.raw = NULL};
    char long_name[120];
    stele_error err;

    CHECK_CODE(sti_file_open(&f, &fix->dir, "a/b", FLAGS_NEW, &err), STELE_EINVAL);
    CHECK_MESSAGE(&err, "a/b: is not the name of a file");
    CHECK_CODE(sti_file_open(&f, &fix->dir, "none", STELE_OPEN_READ, &err), STELE_ENOTFOUND);
    CHECK_MESSAGE(&err, "none: cannot open: No such file or directory");
    assert_string_equal(err.file, "none");
    assert_int_equal(err.position, -1);
    tmpdir_mkdir(&fix->tmp, "sub");
    CHECK_CODE(sti_file_open(&f, &fix->dir, "sub", STELE_OPEN_READ, &err), STELE_EINVAL);
    CHECK_MESSAGE(&err, "sub: cannot open: Is a directory");
    faulty_fail(&fix->faulty, 0, ELOOP);
    CHECK_CODE(sti_file_open(&f, &fix->dir, "link", STELE_OPEN_READ, &err), STELE_EINVAL);
    CHECK_MESSAGE(&err, "link: is a symbolic link, not a file");
    faulty_fail(&fix->faulty, 0, EINVAL);
    CHECK_CODE(sti_file_open(&f, &fix->dir, "pipe", STELE_OPEN_READ, &err), STELE_EINVAL);
    CHECK_MESSAGE(&err, "pipe: is not a regular file");
    assert_null(f.raw);
    sti_file_close(&f);

    memset(long_name, 'n', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    open_new(fix, &f, long_name);
    assert_int_equal(strlen(f.name), sizeof f.name - 1);
    sti_file_close(&f);
    assert_null(f.raw);
    sti_file_close(&f);
    assert_true(tmpdir_exists(&fix->tmp, long_name));
}

static void test_read(void **state)
{
    struct fixture *fix = *state;
    struct sti_file f = {.raw = NULL};
    stele_error err;
    char out[16] = {0};
    size_t got = 99;

    tmpdir_write(&fix->tmp, "a", "0123456789", 10);
    CHECK_OK(sti_file_open(&f, &fix->dir, "a", STELE_OPEN_READ, &err), &err);
    for (size_t piece = 1; piece <= 11; piece++) {
        faulty_limit(&fix->faulty, piece);
        memset(out, 0, sizeof out);
        CHECK_OK(sti_file_read(&f, 2, out, 8, &err), &err);
        assert_string_equal(out, "23456789");
        CHECK_OK(sti_file_read_some(&f, 7, out, sizeof out, &got, &err), &err);
        assert_int_equal(got, 3);
    }
    CHECK_OK(sti_file_read_some(&f, 10, out, 1, &got, &err), &err);
    assert_int_equal(got, 0);
    CHECK_OK(sti_file_read_some(&f, 0, out, 0, &got, &err), &err);
    CHECK_OK(sti_file_read(&f, 10, out, 0, &err), &err);
    CHECK_CODE(sti_file_read(&f, 7, out, 8, &err), STELE_ECORRUPT);
    CHECK_MESSAGE(&err, "a: at 7: the file ends after 3 of 8 bytes");
    assert_int_equal(err.position, 7);
    CHECK_CODE(sti_file_read(&f, INT64_MAX, out, 1, &err), STELE_EINVAL);
    CHECK_CODE(sti_file_read(&f, UINT64_MAX, out, 1, &err), STELE_EINVAL);
    assert_int_equal(err.position, -1);
    faulty_limit(&fix->faulty, 2);
    faulty_fail(&fix->faulty, 2, EIO);
    CHECK_CODE(sti_file_read(&f, 0, out, 8, &err), STELE_EIO);
    CHECK_MESSAGE(&err, "a: at 4: cannot read 4 bytes: Input/output error");
    assert_int_equal(err.sys_errno, EIO);
    sti_file_close(&f);
}

static void test_write(void **state)
{
    struct fixture *fix = *state;
    struct sti_file f = {.raw = NULL};
    stele_error err;
    uint8_t data[500];
    uint8_t *back;
    size_t len;

    fill(data, sizeof data);
    for (size_t piece = 1; piece < 600; piece = piece * 3 / 2 + 1) {
        faulty_limit(&fix->faulty, piece);
        open_new(fix, &f, "a");
        CHECK_OK(sti_file_write(&f, 3, data, sizeof data, &err), &err);
        sti_file_close(&f);
        back = tmpdir_read(&fix->tmp, "a", &len);
        assert_int_equal(len, sizeof data + 3);
        assert_memory_equal(back + 3, data, sizeof data);
        free(back);
        CHECK_OK(sti_dir_unlink(&fix->dir, "a", NULL, &err), &err);
    }
    faulty_limit(&fix->faulty, SIZE_MAX);
    open_new(fix, &f, "00000000000000000042.log");
    faulty_fail(&fix->faulty, 0, ENOSPC);
    CHECK_CODE(sti_file_write(&f, 1234, data, 88, &err), STELE_ENOSPC);
    CHECK_MESSAGE(&err,
            "00000000000000000042.log: at 1234: cannot write 88 bytes: No space left on device");
    faulty_limit(&fix->faulty, 10);
    faulty_fail(&fix->faulty, 1, EIO);
    CHECK_CODE(sti_file_write(&f, 1234, data, 88, &err), STELE_EIO);
    assert_int_equal(err.position, 1244);
    CHECK_MESSAGE_HAS(&err, "cannot write 78 bytes");
    fix->faulty.fail_at = -1;
    fix->faulty.wrap.write_max = 0;
    CHECK_CODE(sti_file_write(&f, 1234, data, 88, &err), STELE_EIO);
    CHECK_MESSAGE_HAS(&err, "at 1234: cannot write 88 bytes");
    CHECK_OK(sti_file_write(&f, 0, data, 0, &err), &err);
    CHECK_CODE(sti_file_write(&f, INT64_MAX, data, 1, &err), STELE_EINVAL);
    sti_file_close(&f);
}

/* Up to five times the pieces that one call takes, of all sizes, empty ones
 * between them, and calls that end in the middle of a piece. */
static void test_writev(void **state)
{
    enum {
        PIECES = 5 * STELE_SLICES_MAX,
        BYTES = PIECES * 7,
        BYTES_MORE = 4 * PIECES * 7
    };

    static const int counts[] = {0, 1, 2, 63, 64, 65, 128, 129, PIECES};
    struct fixture *fix = *state;
    static stele_slice slices[PIECES];
    static uint8_t data[BYTES];
    stele_error err;

    fill(data, sizeof data);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        for (size_t piece = 1; piece < BYTES_MORE; piece *= 3) {
            struct sti_file f = {.raw = NULL};
            size_t total = 0;
            uint8_t *back;
            size_t len;

            for (int k = 0; k < counts[i]; k++) {
                slices[k] = (stele_slice){data + total, (size_t)k % 8};
                total += slices[k].len;
            }
            faulty_limit(&fix->faulty, piece);
            open_new(fix, &f, "a");
            CHECK_OK(sti_file_writev(&f, 0, slices, (size_t)counts[i], &err), &err);
            sti_file_close(&f);
            back = tmpdir_read(&fix->tmp, "a", &len);
            CHECK_BYTES(stele_bytes_of(back, len), stele_bytes_of(data, total));
            free(back);
            CHECK_OK(sti_dir_unlink(&fix->dir, "a", NULL, &err), &err);
        }
    }
}

static void test_writev_at_once(void **state)
{
    struct fixture *fix = *state;
    struct sti_file f = {.raw = NULL};
    stele_slice slices[STELE_SLICES_MAX + 1];
    stele_error err;

    open_new(fix, &f, "a");
    for (int i = 0; i <= STELE_SLICES_MAX; i++) {
        slices[i] = (stele_slice){"xy", 2};
    }
    CHECK_OK(sti_file_writev(&f, 0, slices, STELE_SLICES_MAX, &err), &err);
    assert_int_equal(fix->faulty.writes, 1);
    CHECK_OK(sti_file_writev(&f, 0, slices, STELE_SLICES_MAX + 1, &err), &err);
    assert_int_equal(fix->faulty.writes, 3);
    slices[0].len = SIZE_MAX;
    CHECK_CODE(sti_file_writev(&f, 0, slices, 2, &err), STELE_EINVAL);
    assert_int_equal(fix->faulty.writes, 3);
    sti_file_close(&f);
}

/* Every operation passes its failure on, with the name of the file. */
static void test_failures_have_names(void **state)
{
    struct fixture *fix = *state;
    struct sti_file f = {.raw = NULL};
    stele_file_stat st;
    stele_error err;
    void *map;
    uint8_t *all;
    size_t len;

    open_new(fix, &f, "a");
    faulty_fail(&fix->faulty, 0, EOPNOTSUPP);
    CHECK_CODE(sti_file_allocate(&f, 100, 50, &err), STELE_ENOTSUP);
    CHECK_MESSAGE_HAS(&err, "a: at 100: cannot reserve 50 bytes");
    faulty_fail(&fix->faulty, 0, EIO);
    CHECK_CODE(sti_file_truncate(&f, 50, &err), STELE_EIO);
    CHECK_MESSAGE(&err, "a: cannot set the size to 50 bytes: Input/output error");
    faulty_fail(&fix->faulty, 0, EIO);
    CHECK_CODE(sti_file_stat(&f, &st, &err), STELE_EIO);
    CHECK_MESSAGE_HAS(&err, "a: ");
    faulty_fail(&fix->faulty, 0, EIO);
    CHECK_CODE(sti_file_sync(&f, true, &err), STELE_EIO);
    CHECK_MESSAGE(&err, "a: cannot sync: Input/output error");
    faulty_fail(&fix->faulty, 0, ENOMEM);
    CHECK_CODE(sti_file_map(&f, 4096, true, &map, &err), STELE_ENOMEM);
    CHECK_MESSAGE_HAS(&err, "a: cannot map 4096 bytes");
    for (int i = 0; i < 2; i++) {
        CHECK_OK(sti_file_write(&f, 0, "x", 1, &err), &err);
        faulty_fail(&fix->faulty, i, EIO);
        CHECK_CODE(sti_file_read_all(&f, 10, &all, &len, &err), STELE_EIO);
    }
    sti_file_close(&f);
    faulty_fail(&fix->faulty, 0, EIO);
    CHECK_CODE(sti_dir_sync(&fix->dir, &err), STELE_EIO);
    CHECK_MESSAGE_HAS(&err, ": cannot sync the directory");
    faulty_fail(&fix->faulty, 0, EIO);
    CHECK_CODE(sti_dir_rename(&fix->dir, "a", "b", &err), STELE_EIO);
    CHECK_MESSAGE_HAS(&err, "a: cannot rename to b");
    faulty_fail(&fix->faulty, 0, EIO);
    CHECK_CODE(sti_dir_unlink(&fix->dir, "a", NULL, &err), STELE_EIO);
    CHECK_MESSAGE_HAS(&err, "a: cannot remove");
    faulty_fail(&fix->faulty, 0, EIO);
    CHECK_CODE(sti_dir_stat(&fix->dir, "a", &st, &err), STELE_EIO);
}

static void test_successes(void **state)
{
    struct fixture *fix = *state;
    struct sti_file f = {.raw = NULL};
    stele_file_stat st;
    stele_error err;
    void *map = NULL;
    stele_file *raw;
    stele_code allocated;
    bool removed = false;

    open_new(fix, &f, "a");
    CHECK_OK(sti_file_truncate(&f, 8192, &err), &err);
    CHECK_OK(sti_file_stat(&f, &st, &err), &err);
    assert_int_equal(st.size, 8192);
    CHECK_OK(sti_file_map(&f, 8192, true, &map, &err), &err);
    sti_file_prefault(&f, map, 0, 8192, true);
    memcpy(map, "mapped", 6);
    CHECK_OK(sti_file_sync(&f, false, &err), &err);
    assert_int_equal(fix->faulty.syncs, 1);
    sti_raw_unmap(f.raw, map, 8192);
    allocated = sti_file_allocate(&f, 4096, 4096, &err); /* inside, so the size stays */
    assert_true(allocated == STELE_OK || allocated == STELE_ENOTSUP);
    sti_file_close(&f);

    CHECK_OK(sti_dir_rename(&fix->dir, "a", "b", &err), &err);
    CHECK_CODE(sti_dir_rename(&fix->dir, "a", "b", &err), STELE_ENOTFOUND);
    CHECK_OK(sti_dir_sync(&fix->dir, &err), &err);
    CHECK_OK(sti_dir_stat(&fix->dir, "b", &st, &err), &err);
    assert_true(st.is_file && st.size == 8192);
    CHECK_CODE(sti_dir_stat(&fix->dir, "a", &st, &err), STELE_ENOTFOUND);

    /* Through the real files, whose maps outlive the handle. */
    struct sti_dir real = {NULL, NULL};

    CHECK_OK(sti_dir_open(&real, NULL, fix->tmp.path, STELE_OPEN_READ, &err), &err);
    CHECK_OK(sti_file_open(&f, &real, "b", STELE_OPEN_READ, &err), &err);
    CHECK_OK(sti_file_map(&f, 8192, false, &map, &err), &err);
    raw = f.raw;
    sti_file_close(&f);
    CHECK_OK(sti_dir_unlink(&real, "b", &removed, &err), &err);
    assert_true(removed);
    CHECK_OK(sti_dir_unlink(&real, "b", &removed, &err), &err);
    assert_false(removed);
    CHECK_OK(sti_dir_unlink(&real, "b", NULL, &err), &err);
    assert_memory_equal(map, "mapped", 6);
    sti_raw_unmap(raw, map, 8192);
    sti_dir_close(&real);
}

struct listing {
    int count;
    stele_code code;
};

static stele_code each(void *arg, const char *name)
{
    struct listing *l = arg;

    (void)name;
    l->count++;
    return l->code;
}

static void test_file_lock(void **state)
{
    struct fixture *fix = *state;
    struct sti_file a = {0};
    struct sti_file b = {0};
    stele_error err;

    open_new(fix, &a, "file");
    open_new(fix, &b, "file");
    CHECK_OK(sti_file_lock(&a, false, &err), &err);
    CHECK_OK(sti_file_lock(&b, false, &err), &err);
    CHECK_CODE(sti_file_lock(&a, true, &err), STELE_EBUSY);
    CHECK_MESSAGE(&err, "file: in use by another process");
    sti_file_close(&b);
    CHECK_OK(sti_file_lock(&a, true, &err), &err);
    open_new(fix, &b, "file");
    CHECK_CODE(sti_file_lock(&b, false, &err), STELE_EBUSY);
    faulty_fail(&fix->faulty, 0, EIO);
    CHECK_CODE(sti_file_lock(&b, false, &err), STELE_EIO);
    CHECK_MESSAGE(&err, "file: cannot lock: Input/output error");
    sti_file_close(&a);
    CHECK_OK(sti_file_lock(&b, true, &err), &err);
    sti_file_close(&b);
}

static void test_list(void **state)
{
    struct fixture *fix = *state;
    struct listing l = {0, STELE_OK};
    stele_error err;

    tmpdir_write(&fix->tmp, "a", "", 0);
    tmpdir_write(&fix->tmp, "b", "", 0);
    CHECK_OK(sti_dir_list(&fix->dir, each, &l, &err), &err);
    assert_int_equal(l.count, 2);
    /* -20 as a code is not -20 as an errno. */
    l = (struct listing){0, STELE_ECORRUPT};
    CHECK_CODE(sti_dir_list(&fix->dir, each, &l, &err), STELE_ECORRUPT);
    assert_int_equal(l.count, 1);
    faulty_fail(&fix->faulty, 0, EIO);
    CHECK_CODE(sti_dir_list(&fix->dir, each, &l, &err), STELE_EIO);
    CHECK_MESSAGE_HAS(&err, "cannot list the directory: Input/output error");
}

static void test_read_all(void **state)
{
    struct fixture *fix = *state;
    struct sti_file f = {.raw = NULL};
    uint8_t *all = NULL;
    size_t len = 7;
    stele_error err;

    tmpdir_write(&fix->tmp, "a", "0123456789", 10);
    faulty_limit(&fix->faulty, 3);
    CHECK_OK(sti_file_open(&f, &fix->dir, "a", STELE_OPEN_READ, &err), &err);
    CHECK_OK(sti_file_read_all(&f, 10, &all, &len, &err), &err);
    CHECK_BYTES(stele_bytes_of(all, len), stele_str("0123456789"));
    sti_free(all);
    CHECK_CODE(sti_file_read_all(&f, 9, &all, &len, &err), STELE_ETOOBIG);
    CHECK_MESSAGE(&err, "a: has 10 bytes, more than 9");
    sti_file_close(&f);
    open_new(fix, &f, "empty");
    CHECK_OK(sti_file_read_all(&f, 0, &all, &len, &err), &err);
    CHECK_BYTES(stele_bytes_of(all, len), stele_empty());
    sti_free(all);
    sti_file_close(&f);
}

static void check_content(struct fixture *fix, const char *name, const char *expected)
{
    size_t len;
    uint8_t *data = tmpdir_read(&fix->tmp, name, &len);

    CHECK_BYTES(stele_bytes_of(data, len), stele_str(expected));
    free(data);
}

static void test_replace(void **state)
{
    struct fixture *fix = *state;
    char long_name[260];
    stele_error err;

    CHECK_OK(sti_dir_replace(&fix->dir, "a", "first", 5, &err), &err);
    check_content(fix, "a", "first");
    assert_int_equal(fix->faulty.syncs, 1);
    tmpdir_write(&fix->tmp, "a.tmp", "left over, and longer", 21);
    CHECK_OK(sti_dir_replace(&fix->dir, "a", "2nd", 3, &err), &err);
    check_content(fix, "a", "2nd");
    assert_false(tmpdir_exists(&fix->tmp, "a.tmp"));
    CHECK_OK(sti_dir_replace(&fix->dir, "a", "", 0, &err), &err);
    check_content(fix, "a", "");
    CHECK_CODE(sti_dir_replace(&fix->dir, "x/y", "", 0, &err), STELE_EINVAL);
    CHECK_CODE(sti_dir_replace(&fix->dir, "", "", 0, &err), STELE_EINVAL);
    memset(long_name, 'n', sizeof long_name);
    long_name[252] = '\0';
    CHECK_CODE(sti_dir_replace(&fix->dir, long_name, "", 0, &err), STELE_EINVAL);
    long_name[251] = '\0';
    CHECK_OK(sti_dir_replace(&fix->dir, long_name, "", 0, &err), &err);
}

/* Each operation fails once: the old content stays until the rename, the new
 * one is there after it, and no temporary file remains. */
static void test_replace_that_fails(void **state)
{
    struct fixture *fix = *state;
    stele_error err;
    int count;

    faulty_fail(&fix->faulty, -1, 0);
    CHECK_OK(sti_dir_replace(&fix->dir, "a", "old", 3, &err), &err);
    count = fix->faulty.ops;
    assert_int_equal(count, 6); /* unlink, open, write, sync, rename, directory sync */
    for (int i = 0; i < count; i++) {
        CHECK_OK(sti_dir_replace(&fix->dir, "a", "old", 3, &err), &err);
        faulty_fail(&fix->faulty, i, EIO);
        CHECK_CODE(sti_dir_replace(&fix->dir, "a", "new", 3, &err), STELE_EIO);
        CHECK_MESSAGE_HAS(&err, "Input/output error");
        fix->faulty.fail_at = -1;
        check_content(fix, "a", i < count - 1 ? "old" : "new");
        assert_false(tmpdir_exists(&fix->tmp, "a.tmp"));
    }
}

#ifdef STI_TESTING

static bool always(void *arg)
{
    (void)arg;
    return true;
}

static void test_no_memory(void **state)
{
    struct fixture *fix = *state;
    struct sti_dir d = {NULL, NULL};
    struct sti_file f = {.raw = NULL};
    uint8_t *all = NULL;
    size_t len;
    stele_error err;
    stele_code of_dir;
    stele_code of_read;

    open_new(fix, &f, "a");
    sti_alloc_set_hook(always, NULL);
    of_dir = sti_dir_open(&d, NULL, fix->tmp.path, STELE_OPEN_READ, &err);
    of_read = sti_file_read_all(&f, 10, &all, &len, &err);
    sti_alloc_set_hook(NULL, NULL);
    CHECK_CODE(of_dir, STELE_ENOMEM);
    CHECK_CODE(of_read, STELE_ENOMEM);
    assert_null(d.raw);
    assert_null(all);
    sti_file_close(&f);
}
#endif

#ifdef STI_MUTANTS

/* Each seeded bug of this module is seen by what the tests above look at. */
static void test_mutants_are_visible(void **state)
{
    struct fixture *fix = *state;
    struct sti_file f = {.raw = NULL};
    stele_error err;
    char out[8] = {0};
    size_t got = 0;

    open_new(fix, &f, "a");
    sti_mutant_on = STI_MUTANT_SYNC_SKIPPED;
    CHECK_OK(sti_file_sync(&f, true, &err), &err);
    assert_int_equal(fix->faulty.syncs, 0);
    sti_mutant_on = STI_MUTANT_DIRSYNC_SKIPPED;
    faulty_fail(&fix->faulty, 0, EIO);
    CHECK_OK(sti_dir_sync(&fix->dir, &err), &err);
    assert_int_equal(fix->faulty.ops, 0);
    fix->faulty.fail_at = -1;
    faulty_limit(&fix->faulty, 3);
    sti_mutant_on = STI_MUTANT_SHORT_WRITE_IGNORED;
    CHECK_OK(sti_file_write(&f, 0, "abcdef", 6, &err), &err);
    assert_int_equal(tmpdir_size(&fix->tmp, "a"), 3);
    sti_mutant_on = STI_MUTANT_NONE;
    CHECK_OK(sti_file_write(&f, 0, "abcdef", 6, &err), &err);
    sti_mutant_on = STI_MUTANT_SHORT_READ_AS_END;
    CHECK_OK(sti_file_read_some(&f, 0, out, 6, &got, &err), &err);
    assert_int_equal(got, 3);
    sti_mutant_on = STI_MUTANT_NONE;
    sti_file_close(&f);
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(test_dir_open_messages),
            TEST(test_dir_open_real_and_again),
            TEST(test_unknown_table_version),
            TEST(test_file_open_messages),
            TEST(test_read),
            TEST(test_write),
            TEST(test_writev),
            TEST(test_writev_at_once),
            TEST(test_failures_have_names),
            TEST(test_successes),
            TEST(test_file_lock),
            TEST(test_list),
            TEST(test_read_all),
            TEST(test_replace),
            TEST(test_replace_that_fails),
#ifdef STI_TESTING
            TEST(test_no_memory),
#endif
#ifdef STI_MUTANTS
            TEST(test_mutants_are_visible),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
