/* SPDX-License-Identifier: MIT
 *
 * pages_test.c: the walk over the pages of files that LMDB wrote finds no fault in them.
 */
#include "store/pages.h"

#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

struct told {
    unsigned count;
    char text[200];
};

static void tell(void *arg, int64_t position, const char *text)
{
    struct told *t = arg;

    if (t->count++ == 0) {
        (void)snprintf(t->text, sizeof t->text, "%lld: %s", (long long)position, text);
    }
}

static struct sti_pages_found check(struct kit *k, uint64_t txn_id)
{
    struct sti_pages_found found = {0};
    struct sti_dir dir = {.raw = NULL};
    struct told t = {0};
    char path[TMPDIR_PATH_SIZE];
    stele_error err;

    tmpdir_path(&k->tmp, "gen-1", path);
    CHECK_OK(sti_dir_open(&dir, NULL, path, STELE_OPEN_READ, &err), &err);
    CHECK_OK(sti_pages_check(&dir, txn_id, tell, &t, &found, &err), &err);
    sti_dir_close(&dir);
    assert_int_equal(t.count, found.faults);
    if (t.count > 0) {
        print_message("%s\n", t.text);
    }
    return found;
}

static uint64_t newest(struct kit *k)
{
    struct sti_dir dir = {.raw = NULL};
    char path[TMPDIR_PATH_SIZE];
    uint64_t txn_id = 0;
    stele_error err;

    tmpdir_path(&k->tmp, "gen-1", path);
    CHECK_OK(sti_dir_open(&dir, NULL, path, STELE_OPEN_READ, &err), &err);
    CHECK_OK(sti_pages_newest(&dir, &txn_id, &err), &err);
    sti_dir_close(&dir);
    return txn_id;
}

/* No fault, and the same figures as LMDB's own. */
static void check_whole(struct kit *k)
{
    struct sti_lmdb_stat stat;
    struct sti_pages_found found;
    struct sti_lmdb_txn *txn;
    uint64_t free_pages = 0;
    stele_error err;

    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
    CHECK_OK(sti_lmdb_stat(txn, &stat, &err), &err);
    CHECK_OK(sti_lmdb_free_pages(txn, 0, &free_pages, &err), &err);
    found = check(k, sti_lmdb_txn_id(txn));
    assert_true(newest(k) == sti_lmdb_txn_id(txn));
    sti_lmdb_abort(txn);
    assert_int_equal(found.faults, 0);
    assert_int_equal(found.pages, stat.pages);
    assert_int_equal(found.free, free_pages);
    assert_int_equal(found.used + found.free + 2, found.pages);
}

static void write_some(struct kit *k, struct sti_apply *a, uint32_t bucket)
{
    static uint8_t value[30000];
    static uint8_t key[2000];
    stele_error err;

    for (int i = 0; i < 400; i++) {
        size_t len = kit_random(k, 30) == 0 ? kit_random(k, sizeof key) : kit_random(k, 12);

        memset(key, (int)kit_random(k, 4), len);
        for (size_t j = 0; j < len && j < 3; j++) {
            key[j] = (uint8_t)kit_random(k, 6);
        }
        if (kit_random(k, 3) > 0) {
            size_t size = kit_random(k, 20) == 0 ? kit_random(k, sizeof value) : kit_random(k, 300);

            CHECK_OK(sti_apply_put(a, bucket, stele_bytes_of(key, len), stele_bytes_of(value, size),
                             &err),
                    &err);
        } else {
            CHECK_OK(sti_apply_delete(a, bucket, stele_bytes_of(key, len), &err), &err);
        }
    }
}

static void test_files_of_lmdb_are_whole(void **state)
{
    struct kit *k = *state;
    uint32_t dropped = 0;
    stele_error err;

    print_message("seed %llu\n", (unsigned long long)k->random);
    check_whole(k);
    for (int round = 0; round < 60; round++) {
        struct sti_apply *a = NULL;
        char name[32];
        uint32_t made;

        (void)snprintf(name, sizeof name, "bucket %d", round);
        made = kit_bucket(k, name);
        CHECK_OK(sti_apply_begin(&a, k->lmdb, k->buckets, &err), &err);
        if (round % 7 == 6) {
            CHECK_OK(sti_apply_drop(a, ++dropped, &err), &err);
        }
        write_some(k, a, made - (uint32_t)kit_random(k, made - dropped));
        kit_commit(k, a);
        check_whole(k);
    }
    kit_close(k);
    kit_open(k);
    check_whole(k);
}

/* What a reader holds can be looked at while a writer goes on, for one transaction; after the next
 * one its meta page is gone. */
static void test_beside_a_writer(void **state)
{
    struct kit *k = *state;
    struct sti_pages_found found;
    struct sti_lmdb_txn *reader;
    struct sti_dir dir = {.raw = NULL};
    struct sti_apply *a = NULL;
    char path[TMPDIR_PATH_SIZE];
    uint32_t b = kit_bucket(k, "b");
    stele_error err;

    CHECK_OK(sti_apply_begin(&a, k->lmdb, k->buckets, &err), &err);
    write_some(k, a, b);
    kit_commit(k, a);
    CHECK_OK(sti_lmdb_begin(&reader, k->lmdb, false, &err), &err);
    CHECK_OK(sti_apply_begin(&a, k->lmdb, k->buckets, &err), &err);
    write_some(k, a, b);
    kit_commit(k, a);
    found = check(k, sti_lmdb_txn_id(reader));
    assert_int_equal(found.faults, 0);
    CHECK_OK(sti_apply_begin(&a, k->lmdb, k->buckets, &err), &err);
    write_some(k, a, b);
    kit_commit(k, a);
    tmpdir_path(&k->tmp, "gen-1", path);
    CHECK_OK(sti_dir_open(&dir, NULL, path, STELE_OPEN_READ, &err), &err);
    CHECK_CODE(
            sti_pages_check(&dir, sti_lmdb_txn_id(reader), NULL, NULL, &found, &err), STELE_EBUSY);
    sti_dir_close(&dir);
    sti_lmdb_abort(reader);
}

static void test_files_that_are_none(void **state)
{
    static const size_t sizes[] = {0, 1, 151, 152, 512, 4096, 8191, 8192, 20000};
    struct kit *k = *state;
    uint8_t *bytes = malloc(20000);

    assert_non_null(bytes);
    kit_close(k);
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        memset(bytes, i % 2 == 0 ? 0 : 0xa5, sizes[i / 2]);
        tmpdir_write(&k->tmp, "gen-1/data.mdb", bytes, sizes[i / 2]);
        assert_int_equal(check(k, 2).faults, 1);
    }
    free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(test_files_of_lmdb_are_whole),
            TEST(test_beside_a_writer),
            TEST(test_files_that_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
