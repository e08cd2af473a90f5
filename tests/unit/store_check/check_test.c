/* SPDX-License-Identifier: MIT
 *
 * check_test.c: what check and scrub say of directories that are whole, and of some that are not.
 */
#include "../store_core/kit.h"
#include "told.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Stores. ---- */

static void put(stele_store_batch *b, const char *bucket, stele_bytes key, stele_bytes value)
{
    stele_error err;

    CHECK_OK(stele_store_batch_put(b, stele_str(bucket), key, value, &err), &err);
}

/* Keys of all lengths, values in overflow pages, deleted ones, a bucket that was deleted. */
static void fill(struct kit *k)
{
    static uint8_t key[2000];
    static uint8_t value[20000];
    stele_store_batch *b = kit_begin(k);
    stele_error err;

    memset(key, 'k', sizeof key);
    memset(value, 'v', sizeof value);
    kit_create(b, "empty");
    kit_create(b, "some");
    kit_create(b, "gone");
    for (unsigned i = 0; i < 200; i++) {
        size_t len = i % 10 == 0 ? 400 + i * 8 : 8;

        (void)snprintf((char *)key, 9, "key %04u", i);
        key[8] = 'k';
        put(b, "some", stele_bytes_of(key, len), stele_bytes_of(value, i % 50 == 49 ? 9000 : i));
        put(b, "gone", stele_bytes_of(key, len), stele_bytes_of(value, i));
    }
    kit_end(b);
    kit_commit(k);
    b = kit_begin(k);
    for (unsigned i = 0; i < 200; i += 4) {
        char name[16];

        (void)snprintf(name, sizeof name, "key %04u", i);
        if (i % 10 != 0) {
            kit_delete(b, "some", name);
        }
    }
    CHECK_OK(stele_store_batch_delete_bucket(b, stele_str("gone"), &err), &err);
    kit_end(b);
    kit_commit(k);
}

enum {
    FILLED = 200 - 40 /* those that are there */
};

static void test_whole(void **state)
{
    struct kit *k = *state;
    stele_store_checked out;
    struct told t;
    stele_error err;

    kit_close(k);
    told_check_whole(k, 0, 0);
    kit_open(k);
    fill(k);
    memset(&t, 0, sizeof t);
    CHECK_OK(stele_store_scrub(k->s, NULL, told_fault, &t, &out, &err), &err);
    assert_int_equal(out.keys, FILLED);
    assert_int_equal(out.buckets, 2);
    CHECK_OK(stele_store_scrub(k->s, NULL, NULL, NULL, NULL, &err), &err);
    /* LMDB's files are open here. */
    CHECK_CODE(told_check(k, &t, &out, &err), STELE_EBUSY);
    CHECK_CODE(told_scrub(k, &t, &out, &err), STELE_EBUSY);
    kit_close(k);
    told_check_whole(k, 2, FILLED);
    kit_open(k);
    kit_commit(k);
    kit_close(k);
    told_check_whole(k, 2, FILLED);
}

static void test_refused(void **state)
{
    struct kit *k = *state;
    stele_wait wait = {.timeout_ms = 0};
    stele_store_options bad = {.struct_size = 3};
    char path[TMPDIR_PATH_SIZE];
    stele_error err;

    fill(k);
    CHECK_CODE(stele_store_check_dir(NULL, NULL, NULL, NULL, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_scrub_dir(NULL, NULL, NULL, NULL, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_check_dir(k->tmp.path, &bad, NULL, NULL, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_scrub(NULL, NULL, NULL, NULL, NULL, &err), STELE_EINVAL);
    wait.timeout_ms = STELE_FOREVER;
    CHECK_OK(stele_cancel_new(&wait.cancel, &err), &err);
    CHECK_OK(stele_store_scrub(k->s, &wait, NULL, NULL, NULL, &err), &err);
    stele_cancel_free(wait.cancel);
    tmpdir_mkdir(&k->tmp, "other");
    tmpdir_path(&k->tmp, "other", path);
    CHECK_CODE(stele_store_check_dir(path, NULL, NULL, NULL, NULL, &err), STELE_ENOTFOUND);
    CHECK_CODE(stele_store_scrub_dir(path, NULL, NULL, NULL, NULL, &err), STELE_ENOTFOUND);
    tmpdir_path(&k->tmp, "none", path);
    CHECK_CODE(stele_store_check_dir(path, NULL, NULL, NULL, NULL, &err), STELE_ENOTFOUND);
}

static void test_waits(void **state)
{
    struct kit *k = *state;
    stele_wait wait = {.timeout_ms = 0};
    stele_store_batch *b = kit_begin(k);
    stele_error err;

    kit_create(b, "many");
    for (unsigned i = 0; i < 3000; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "%05u", i);
        kit_put(b, "many", key, "v");
    }
    kit_end(b);
    kit_commit(k);
    CHECK_CODE(stele_store_scrub(k->s, &wait, NULL, NULL, NULL, &err), STELE_ETIMEDOUT);
    wait.timeout_ms = STELE_FOREVER;
    CHECK_OK(stele_cancel_new(&wait.cancel, &err), &err);
    stele_cancel_trigger(wait.cancel);
    CHECK_CODE(stele_store_scrub(k->s, &wait, NULL, NULL, NULL, &err), STELE_ECANCELED);
    stele_cancel_free(wait.cancel);
}

/* ---- Names. ---- */

static void test_foreign_files(void **state)
{
    struct kit *k = *state;
    static const char *const names[] = {
            "notes.txt", "gen-7/x", "gen-3.tmp/x", "current.tmp", "gen-1/x", "wal/x", "gen-01"};
    size_t before = 0;
    struct told t;
    stele_error err;

    told_put_durable(k, "one");
    kit_close(k);
    tmpdir_mkdir(&k->tmp, "gen-7");
    tmpdir_mkdir(&k->tmp, "gen-3.tmp");
    CHECK_OK(told_check(k, &t, NULL, &err), &err);
    assert_int_equal(t.notes, 2);
    before = t.notes;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tmpdir_write(&k->tmp, names[i], "x", 1);
        CHECK_OK(told_check(k, &t, NULL, &err), &err);
        assert_int_equal(t.faults, 0);
        /* What is inside of other generations is not listed. */
        before += i == 1 || i == 2 ? 0 : 1;
        assert_int_equal(t.notes, before);
    }
    CHECK_OK(told_scrub(k, &t, NULL, &err), &err);
    assert_int_equal(t.notes, 0);
}

static void test_current(void **state)
{
    struct kit *k = *state;
    size_t len = 0;
    uint8_t *current;
    char from[TMPDIR_PATH_SIZE];
    char to[TMPDIR_PATH_SIZE];
    stele_error err;
    struct told t;

    fill(k);
    kit_close(k);
    current = tmpdir_read(&k->tmp, "current", &len);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        stele_code code;

        tmpdir_flip(&k->tmp, "current", bit);
        code = told_check(k, &t, NULL, &err);
        assert_true(code == STELE_ECORRUPT || code == STELE_EVERSION);
        assert_string_equal(err.file, "current");
        tmpdir_flip(&k->tmp, "current", bit);
    }
    for (size_t n = 0; n < len; n++) {
        tmpdir_write(&k->tmp, "current", current, n);
        assert_true(told_check(k, &t, NULL, &err) < STELE_OK);
        assert_string_equal(err.file, "current");
    }
    tmpdir_path(&k->tmp, "current", from);
    assert_int_equal(unlink(from), 0);
    told_check_fault(k, "missing");
    tmpdir_write(&k->tmp, "current", current, len);
    tmpdir_path(&k->tmp, "gen-1", from);
    tmpdir_path(&k->tmp, "gen-2", to);
    assert_int_equal(rename(from, to), 0);
    told_check_fault(k, "missing");
    assert_int_equal(rename(to, from), 0);
    tmpdir_path(&k->tmp, "gen-1/data.mdb", from);
    tmpdir_path(&k->tmp, "data.mdb", to);
    assert_int_equal(rename(from, to), 0);
    told_check_fault(k, "missing");
    assert_int_equal(rename(to, from), 0);
    told_check_whole(k, 2, FILLED);
    free(current);
}

/* ---- Damage. ---- */

/* Where a text is in a file; it is there once. */
static size_t find(const struct kit *k, const char *name, const char *text)
{
    size_t len = 0;
    uint8_t *bytes = tmpdir_read(&k->tmp, name, &len);
    size_t found = SIZE_MAX;

    for (size_t i = 0; i + strlen(text) <= len; i++) {
        if (memcmp(bytes + i, text, strlen(text)) == 0) {
            assert_int_equal(found, SIZE_MAX);
            found = i;
        }
    }
    assert_int_not_equal(found, SIZE_MAX);
    free(bytes);
    return found;
}

static void test_value(void **state)
{
    struct kit *k = *state;
    stele_store_read *r;
    stele_bytes value;
    stele_store_checked out;
    struct told t;
    stele_error err;

    kit_put_one(k, "b", "first", "a value to be damaged");
    kit_put_one(k, "b", "second", "another");
    kit_commit(k);
    kit_close(k);
    tmpdir_flip(&k->tmp, "gen-1/data.mdb", 8 * find(k, "gen-1/data.mdb", "a value to be damaged"));
    CHECK_CODE(told_check(k, &t, &out, &err), STELE_ECORRUPT);
    assert_int_equal(t.faults, 1);
    assert_int_equal(out.faults, 1);
    assert_int_equal(out.keys, 1);
    assert_string_equal(t.last, "gen-1/data.mdb||b|first|the checksum of a stored value differs");
    CHECK_MESSAGE_HAS(&err, "gen-1/data.mdb: bucket \"b\", key \"first\": the checksum");
    CHECK_CODE(told_scrub(k, &t, &out, &err), STELE_ECORRUPT);
    assert_int_equal(t.faults, 1);
    kit_open(k);
    memset(&t, 0, sizeof t);
    CHECK_CODE(stele_store_scrub(k->s, NULL, told_fault, &t, &out, &err), STELE_ECORRUPT);
    assert_string_equal(t.last, "gen-1/data.mdb||b|first|the checksum of a stored value differs");
    r = kit_read(k);
    CHECK_CODE(stele_store_read_get(r, stele_str("b"), stele_str("first"), &value, &err),
            STELE_ECORRUPT);
    kit_check(r, "b", "second", "another");
    stele_store_read_end(r);
}

static void test_pages(void **state)
{
    struct kit *k = *state;
    stele_store_checked out;
    struct told t;
    stele_error err;

    fill(k);
    kit_close(k);
    tmpdir_cut(&k->tmp, "gen-1/data.mdb", tmpdir_size(&k->tmp, "gen-1/data.mdb") - 4096);
    CHECK_CODE(told_check(k, &t, &out, &err), STELE_ECORRUPT);
    assert_true(t.faults > 0);
    assert_int_equal(t.notes, 1);
    assert_int_equal(out.keys, 0);
    assert_true(err.position >= 0);
    assert_string_equal(err.file, "gen-1/data.mdb");
    tmpdir_cut(&k->tmp, "gen-1/data.mdb", 100);
    CHECK_CODE(told_check(k, &t, &out, &err), STELE_ECORRUPT);
    tmpdir_cut(&k->tmp, "gen-1/data.mdb", 0);
    CHECK_CODE(told_check(k, &t, &out, &err), STELE_ECORRUPT);
}

/* Another store's data in the place of this one's. */
static void test_exchanged(void **state)
{
    struct kit *k = *state;
    struct kit *other = NULL;
    void *p = NULL;
    size_t len = 0;
    uint8_t *bytes;

    fill(k);
    kit_close(k);
    (void)kit_set_up(&p);
    other = p;
    fill(other);
    kit_close(other);
    bytes = tmpdir_read(&other->tmp, "gen-1/data.mdb", &len);
    tmpdir_write(&k->tmp, "gen-1/data.mdb", bytes, len);
    told_check_fault(k, "another store");
    free(bytes);
    (void)kit_tear_down(&p);
}

/* ---- Beside a writer. ---- */

static void write_for_ever(struct kit *k)
{
    uint64_t n = 0;

    k->options.no_background = false;
    k->options.no_sync = true;
    k->options.batch_interval_ms = 1;
    k->options.batch_limit = 50;
    kit_open(k);
    for (;;) {
        stele_store_batch *b = kit_begin(k);

        kit_create(b, "busy");
        for (unsigned i = 0; i < 7; i++, n = n * UINT64_C(6364136223846793005) + 1) {
            char key[32];

            (void)snprintf(key, sizeof key, "%llu", (unsigned long long)(n >> 33) % 4000);
            if (i % 3 == 2) {
                kit_delete(b, "busy", key);
            } else {
                kit_put(b, "busy", key, "some value that is not too short");
            }
        }
        if ((n >> 40) % 4 == 0) {
            if (stele_store_batch_end_durable(b, NULL) != STELE_OK) {
                _exit(3);
            }
        } else {
            kit_end(b);
        }
    }
}

static void test_beside_a_writer(void **state)
{
    struct kit *k = *state;
    unsigned looks = getenv("STELE_FULL") == NULL ? 100 : 3000;
    stele_store_checked out = {.keys = 0};
    uint64_t most = 0;
    int status = 0;
    struct told t;
    stele_error err;
    pid_t pid;

    fill(k);
    kit_close(k);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)alarm(600);
        write_for_ever(k);
        _exit(0);
    }
    for (unsigned i = 0; i < looks || most <= FILLED; i++) {
        stele_code code =
                i % 4 == 3 ? told_scrub(k, &t, &out, &err) : told_check(k, &t, &out, &err);

        if (code != STELE_OK) {
            (void)kill(pid, SIGKILL);
        }
        CHECK_OK(code, &err);
        assert_int_equal(t.faults, 0);
        assert_true(out.keys >= FILLED);
        most = out.keys > most ? out.keys : most;
    }
    assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    kit_open(k);
    kit_close(k);
    CHECK_OK(told_check(k, &t, &out, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_whole, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_refused, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_waits, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_foreign_files, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_current, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_value, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_pages, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_exchanged, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_beside_a_writer, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
