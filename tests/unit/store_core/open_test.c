/* SPDX-License-Identifier: MIT
 *
 * open_test.c: creating, opening, refusing, closing.
 */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static stele_code open_again(struct kit *k, bool read_only, int64_t wait_ms, stele_error *err)
{
    stele_store_options o = k->options;
    stele_store *s = NULL;
    stele_code code;

    o.read_only = read_only;
    o.lock_wait_ms = wait_ms;
    code = stele_store_open(&s, k->tmp.path, &o, err);
    if (code == STELE_OK) {
        CHECK_OK(stele_store_close(s, err), err);
    }
    return code;
}

static void test_reopen(void **state)
{
    struct kit *k = *state;

    assert_string_equal(stele_store_dir(k->s), k->tmp.path);
    assert_false(stele_store_is_read_only(k->s));
    kit_put_one(k, "fruit", "apple", "red");
    kit_check_now(k, "fruit", "apple=red");
    kit_close(k);
    kit_open(k);
    kit_check_now(k, "fruit", "apple=red");
    kit_put_one(k, "fruit", "plum", "blue");
    kit_close(k);
    kit_open(k);
    kit_check_now(k, "fruit", "apple=red plum=blue");
}

static void test_options(void **state)
{
    struct kit *k = *state;
    stele_store *s = NULL;
    stele_store_options o;
    stele_error err;

    CHECK_CODE(stele_store_open(NULL, k->tmp.path, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_open(&s, NULL, NULL, &err), STELE_EINVAL);
    stele_store_options_init(&o);
    o.lock_wait_ms = -2;
    CHECK_CODE(stele_store_open(&s, k->tmp.path, &o, &err), STELE_EINVAL);
    stele_store_options_init(&o);
    o.readers_max = UINT32_MAX;
    CHECK_CODE(stele_store_open(&s, k->tmp.path, &o, &err), STELE_EINVAL);
    stele_store_options_init(&o);
    o.struct_size = 0;
    CHECK_CODE(stele_store_open(&s, k->tmp.path, &o, &err), STELE_EINVAL);
    assert_null(s);
}

static void test_missing(void **state)
{
    struct kit *k = *state;
    char path[TMPDIR_PATH_SIZE];
    stele_store_options o;
    stele_store *s = NULL;
    stele_error err;

    tmpdir_path(&k->tmp, "a/b", path);
    stele_store_options_init(&o);
    CHECK_CODE(stele_store_open(&s, path, &o, &err), STELE_ENOTFOUND);
    tmpdir_mkdir(&k->tmp, "a");
    tmpdir_mkdir(&k->tmp, "a/b");
    o.must_exist = true;
    CHECK_CODE(stele_store_open(&s, path, &o, &err), STELE_ENOTFOUND);
    CHECK_MESSAGE_HAS(&err, "there is no store");
    o.must_exist = false;
    o.read_only = true;
    CHECK_CODE(stele_store_open(&s, path, &o, &err), STELE_ENOTFOUND);
    tmpdir_path(&k->tmp, "c/d", path);
    o.read_only = false;
    o.create_dirs = true;
    CHECK_OK(stele_store_open(&s, path, &o, &err), &err);
    CHECK_OK(stele_store_close(s, &err), &err);
}

static void test_lock(void **state)
{
    struct kit *k = *state;
    stele_error err;
    int status = -1;
    pid_t child;

    CHECK_CODE(open_again(k, false, 0, &err), STELE_EBUSY);
    CHECK_MESSAGE_HAS(&err, "this process has it open");
    CHECK_CODE(open_again(k, true, 0, &err), STELE_EBUSY);
    child = fork();
    if (child == 0) {
        bool busy = open_again(k, false, 30, &err) == STELE_EBUSY &&
                    strstr(err.message, "locked by process") != NULL;

        _exit(busy ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Another process sees what is committed, and may not write. */
static void test_read_only(void **state)
{
    struct kit *k = *state;
    int status = -1;
    pid_t child;

    kit_put_one(k, "b", "committed", "1");
    kit_commit(k);
    kit_put_one(k, "b", "waiting", "2");
    child = fork();
    if (child == 0) {
        struct kit other = *k;
        stele_store_batch *b = NULL;
        stele_error err;

        other.options.read_only = true;
        kit_open(&other);
        assert_true(stele_store_is_read_only(other.s));
        kit_check_now(&other, "b", "committed=1");
        CHECK_CODE(stele_store_batch_begin(&b, other.s, NULL, &err), STELE_EREADONLY);
        CHECK_CODE(stele_store_commit(other.s, &err), STELE_EREADONLY);
        kit_close(&other);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    kit_check_now(k, "b", "committed=1 waiting=2");
}

static void test_close_while_open(void **state)
{
    struct kit *k = *state;
    stele_store_batch *b = kit_begin(k);
    stele_store_read *r;
    stele_error err;

    CHECK_CODE(stele_store_close(k->s, &err), STELE_ESTATE);
    stele_store_batch_abort(b);
    /* Also while the committer waits for the batch. */
    kit_close(k);
    k->options.no_background = false;
    k->options.batch_interval_ms = 1;
    kit_open(k);
    kit_put_one(k, "b", "k", "v");
    b = kit_begin(k);
    kit_put(b, "b", "k", "w");
    usleep(20000);
    CHECK_CODE(stele_store_close(k->s, &err), STELE_ESTATE);
    kit_end(b);
    r = kit_read(k);
    CHECK_CODE(stele_store_close(k->s, &err), STELE_ESTATE);
    stele_store_read_end(r);
    CHECK_OK(stele_store_close(NULL, &err), &err);
}

/* A store that lost its `current` is not a new one. */
static void test_current_is_missing(void **state)
{
    struct kit *k = *state;
    stele_error err;
    uint8_t *bytes;
    size_t len;

    kit_put_one(k, "b", "k", "v");
    kit_close(k);
    bytes = tmpdir_read(&k->tmp, "current", &len);
    {
        char path[TMPDIR_PATH_SIZE];

        tmpdir_path(&k->tmp, "current", path);
        assert_int_equal(unlink(path), 0);
    }
    CHECK_CODE(stele_store_open(&k->s, k->tmp.path, &k->options, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "current is missing");
    tmpdir_write(&k->tmp, "current", bytes, len);
    tmpdir_flip(&k->tmp, "current", 8 * 30);
    CHECK_CODE(stele_store_open(&k->s, k->tmp.path, &k->options, &err), STELE_ECORRUPT);
    tmpdir_write(&k->tmp, "current", bytes, len);
    free(bytes);
    kit_open(k);
    kit_check_now(k, "b", "k=v");
}

/* Whatever a crash left of a creation, a new store is made. */
static void test_creation_was_interrupted(void **state)
{
    struct kit *k = *state;
    struct kit fresh = {.options = k->options};

    tmpdir_make(&fresh.tmp);
    tmpdir_mkdir(&fresh.tmp, "gen-1.tmp");
    tmpdir_write(&fresh.tmp, "gen-1.tmp/data.mdb", "half", 4);
    tmpdir_mkdir(&fresh.tmp, "gen-1");
    tmpdir_write(&fresh.tmp, "current.tmp", "half", 4);
    kit_open(&fresh);
    kit_put_one(&fresh, "b", "k", "v");
    kit_check_now(&fresh, "b", "k=v");
    kit_close(&fresh);
    tmpdir_remove(&fresh.tmp);
}

static void test_temporary(void **state)
{
    struct kit *k = *state;
    struct kit temporary = {.s = NULL};
    char path[TMPDIR_PATH_SIZE];
    stele_error err;

    CHECK_OK(stele_store_open_temporary(&temporary.s, k->tmp.path, 0, 0, &err), &err);
    assert_memory_equal(stele_store_dir(temporary.s), k->tmp.path, strlen(k->tmp.path));
    assert_true(strlen(stele_store_dir(temporary.s)) < sizeof path);
    (void)snprintf(path, sizeof path, "%s", stele_store_dir(temporary.s));
    assert_int_equal(access(path, F_OK), 0);
    kit_put_one(&temporary, "b", "k", "v");
    {
        stele_store_batch *b = kit_begin(&temporary);

        kit_put(b, "b", "l", "w");
        CHECK_OK(stele_store_batch_end_durable(b, &err), &err);
    }
    kit_check_now(&temporary, "b", "k=v l=w");
    kit_close(&temporary);
    assert_int_equal(access(path, F_OK), -1);
    CHECK_CODE(stele_store_open_temporary(&temporary.s, "/nowhere/at/all", 0, 0, &err),
            STELE_ENOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_reopen, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_options, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_missing, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_lock, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_read_only, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_close_while_open, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_current_is_missing, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_creation_was_interrupted, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_temporary, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
