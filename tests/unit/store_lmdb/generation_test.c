/* SPDX-License-Identifier: MIT
 *
 * generation_test.c: `current`, and what a crash or a failure may leave of a generation.
 */
#include "store/generation.h"

#include "kit.h"
#include "lib/faulty.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct sti_generation third = {.number = 3, .store_id = 0xfedcba9876543210};

struct fixture {
    struct tmpdir tmp;
    struct sti_dir dir;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    stele_error err;

    assert_non_null(f);
    tmpdir_make(&f->tmp);
    CHECK_OK(sti_dir_open(&f->dir, NULL, f->tmp.path, STELE_OPEN_READ, &err), &err);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sti_dir_close(&f->dir);
    tmpdir_remove(&f->tmp);
    free(f);
    return 0;
}

static void check_is(const struct sti_generation *a, const struct sti_generation *b)
{
    assert_true(a->number == b->number);
    assert_true(a->store_id == b->store_id);
}

static void test_current_is_text(void **state)
{
    struct fixture *f = *state;
    struct sti_generation g = {0, 0};
    const struct sti_generation most = {UINT64_MAX, UINT64_MAX};
    stele_error err;
    size_t len;
    uint8_t *text;

    CHECK_CODE(sti_current_read(&f->dir, &g, &err), STELE_ENOTFOUND);
    CHECK_OK(sti_current_write(&f->dir, &third, &err), &err);
    CHECK_OK(sti_current_read(&f->dir, &g, &err), &err);
    check_is(&g, &third);
    text = tmpdir_read(&f->tmp, "current", &len);
    assert_memory_equal(text, "stele-store 1\ngeneration 3\nid fedcba9876543210\ncrc ", 51);
    assert_int_equal(len, 60);
    free(text);
    CHECK_OK(sti_current_write(&f->dir, &most, &err), &err);
    CHECK_OK(sti_current_read(&f->dir, &g, &err), &err);
    check_is(&g, &most);
}

static void test_every_bit_of_current_counts(void **state)
{
    struct fixture *f = *state;
    struct sti_generation g = {7, 7};
    stele_error err;
    uint64_t size;

    CHECK_OK(sti_current_write(&f->dir, &third, &err), &err);
    size = tmpdir_size(&f->tmp, "current");
    for (uint64_t bit = 0; bit < 8 * size; bit++) {
        stele_code code;

        tmpdir_flip(&f->tmp, "current", bit);
        code = sti_current_read(&f->dir, &g, &err);
        assert_true(code == STELE_ECORRUPT || code == STELE_EVERSION);
        tmpdir_flip(&f->tmp, "current", bit);
    }
    tmpdir_append(&f->tmp, "current", "\n", 1);
    CHECK_CODE(sti_current_read(&f->dir, &g, &err), STELE_ECORRUPT);
    for (uint64_t cut = size; cut-- > 0;) {
        stele_code code;

        tmpdir_cut(&f->tmp, "current", cut);
        code = sti_current_read(&f->dir, &g, &err);
        assert_true(code == STELE_ECORRUPT || code == STELE_EVERSION);
    }
    assert_int_equal(g.number, 7);
}

static void test_current_of_a_later_version(void **state)
{
    static const char text[] = "stele-store 2\ngeneration 3\n";
    struct fixture *f = *state;
    struct sti_generation g;
    stele_error err;

    tmpdir_write(&f->tmp, "current", text, sizeof text - 1);
    CHECK_CODE(sti_current_read(&f->dir, &g, &err), STELE_EVERSION);
    assert_string_equal(err.file, "current");
}

/* A generation opens, and its first commit says whose it is. */
static void check_opens(struct fixture *f, bool temporary)
{
    const struct sti_lmdb_options options = {.read_only = true};
    struct sti_buckets *buckets = NULL;
    struct sti_lmdb *lmdb = NULL;
    struct sti_lmdb_txn *txn;
    stele_error err;

    CHECK_OK(sti_generation_open(&lmdb, &f->dir, 3, temporary, &options, &err), &err);
    CHECK_OK(sti_lmdb_begin(&txn, lmdb, false, &err), &err);
    CHECK_OK(sti_buckets_load(&buckets, txn, &err), &err);
    assert_int_equal(buckets->count, 0);
    assert_true(buckets->commit.store_id == third.store_id);
    assert_true(buckets->commit.generation == 3);
    assert_true(buckets->commit.seq == 0);
    assert_true(buckets->commit.next_bucket == 1);
    assert_true(buckets->commit.txn_id == sti_lmdb_txn_id(txn));
    sti_buckets_free(buckets);
    sti_lmdb_abort(txn);
    sti_lmdb_close(lmdb);
}

static void test_make_and_finish(void **state)
{
    const struct sti_lmdb_options options = {.read_only = true};
    struct fixture *f = *state;
    struct sti_lmdb *lmdb = NULL;
    stele_error err;

    CHECK_CODE(sti_generation_open(&lmdb, &f->dir, 3, false, &options, &err), STELE_ENOTFOUND);
    CHECK_MESSAGE_HAS(&err, "gen-3");
    CHECK_OK(sti_generation_make(&f->dir, NULL, &third, &err), &err);
    assert_true(tmpdir_exists(&f->tmp, "gen-3.tmp/data.mdb"));
    check_opens(f, true);
    CHECK_OK(sti_generation_finish(&f->dir, NULL, &third, &err), &err);
    assert_false(tmpdir_exists(&f->tmp, "gen-3.tmp"));
    check_opens(f, false);
    CHECK_OK(sti_generation_remove(&f->dir, NULL, 3, false, &err), &err);
    assert_false(tmpdir_exists(&f->tmp, "gen-3"));
    CHECK_OK(sti_generation_remove(&f->dir, NULL, 3, false, &err), &err);
}

static void test_clean_keeps_one_and_what_is_not_ours(void **state)
{
    static const char *const gone[] = {"gen-1", "gen-2", "gen-4", "gen-3.tmp", "gen-40.tmp"};
    static const char *const kept[] = {"gen-3", "gen-", "gen-03", "gen-3x", "gen-3.tmp.tmp",
            "gen-x", "gen-99999999999999999999", "wal", "other"};
    struct fixture *f = *state;
    char name[64];
    bool found = true;
    stele_error err;

    CHECK_OK(sti_generation_clean(&f->dir, NULL, 0, &found, &err), &err);
    assert_false(found);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        tmpdir_mkdir(&f->tmp, kept[i]);
    }
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
        tmpdir_mkdir(&f->tmp, gone[i]);
        (void)snprintf(name, sizeof name, "%s/data.mdb", gone[i]);
        tmpdir_write(&f->tmp, name, "x", 1);
    }
    for (int i = 100; i < 140; i++) {
        (void)snprintf(name, sizeof name, "gen-%d.tmp", i);
        tmpdir_mkdir(&f->tmp, name);
    }
    tmpdir_write(&f->tmp, "current.tmp", "x", 1);
    tmpdir_write(&f->tmp, "current", "x", 1);
    CHECK_OK(sti_generation_clean(&f->dir, NULL, 3, &found, &err), &err);
    assert_true(found);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        assert_true(tmpdir_exists(&f->tmp, kept[i]));
    }
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
        assert_false(tmpdir_exists(&f->tmp, gone[i]));
    }
    assert_false(tmpdir_exists(&f->tmp, "gen-139.tmp"));
    assert_false(tmpdir_exists(&f->tmp, "current.tmp"));
    assert_true(tmpdir_exists(&f->tmp, "current"));
}

/* Everything that creation does, from an empty directory to `current`. */
static stele_code create(struct fixture *f, const stele_env *env, stele_error *err)
{
    struct sti_dir dir = {.raw = NULL};
    stele_code code = sti_dir_open(&dir, env, f->tmp.path, STELE_OPEN_READ, err);

    if (code == STELE_OK) {
        code = sti_generation_clean(&dir, env, 0, NULL, err);
    }
    if (code == STELE_OK) {
        code = sti_generation_make(&dir, env, &third, err);
    }
    if (code == STELE_OK) {
        code = sti_generation_finish(&dir, env, &third, err);
    }
    if (code == STELE_OK) {
        code = sti_current_write(&dir, &third, err);
    }
    sti_dir_close(&dir);
    return code;
}

/* Any operation on files fails, LMDB's own aside: either there is no `current`, and creating again
 * works; or there is, and the generation opens. */
static void test_creation_that_fails_anywhere(void **state)
{
    struct fixture *f = *state;
    struct sti_generation g;
    struct faulty faulty;
    stele_env env;
    stele_error err;
    int failures = 0;

    stele_env_init(&env);
    faulty_init(&faulty);
    env.vfs = &faulty.wrap.vfs;
    for (int at = 0;; at++) {
        stele_code code;

        faulty_fail(&faulty, at, EIO);
        code = create(f, &env, &err);
        faulty_fail(&faulty, -1, 0);
        if (code == STELE_OK) {
            break;
        }
        failures++;
        CHECK_CODE(code, STELE_EIO);
        if (sti_current_read(&f->dir, &g, &err) != STELE_OK) {
            CHECK_OK(create(f, NULL, &err), &err);
        }
        CHECK_OK(sti_current_read(&f->dir, &g, &err), &err);
        check_is(&g, &third);
        check_opens(f, false);
        tmpdir_remove(&f->tmp);
        sti_dir_close(&f->dir);
        tmpdir_make(&f->tmp);
        CHECK_OK(sti_dir_open(&f->dir, NULL, f->tmp.path, STELE_OPEN_READ, &err), &err);
    }
    print_message("%d operations failed\n", failures);
    assert_true(failures > 10);
    check_opens(f, false);
}

/* Files that are no LMDB's are errors, not crashes. */
static void test_files_that_are_none(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 4096, 8192, 20000};
    const struct sti_lmdb_options options = {.read_only = true};
    struct fixture *f = *state;
    struct sti_lmdb *lmdb = NULL;
    uint8_t *bytes = malloc(20000);
    stele_error err;

    assert_non_null(bytes);
    CHECK_OK(sti_generation_make(&f->dir, NULL, &third, &err), &err);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memset(bytes, i % 2 == 0 ? 0 : 0xa5, sizes[i]);
        tmpdir_write(&f->tmp, "gen-3.tmp/data.mdb", bytes, sizes[i]);
        assert_true(sti_generation_open(&lmdb, &f->dir, 3, true, &options, &err) != STELE_OK);
        assert_null(lmdb);
    }
    free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(test_current_is_text),
            TEST(test_every_bit_of_current_counts),
            TEST(test_current_of_a_later_version),
            TEST(test_make_and_finish),
            TEST(test_clean_keeps_one_and_what_is_not_ours),
            TEST(test_creation_that_fails_anywhere),
            TEST(test_files_that_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
