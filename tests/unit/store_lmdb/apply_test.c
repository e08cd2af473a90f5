/* SPDX-License-Identifier: MIT
 *
 * apply_test.c: commits: what they write, count, and leave as it was.
 */
#include "store/apply.h"

#include "base/alloc.h"
#include "kit.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sti_apply *begin(struct kit *k)
{
    struct sti_apply *a = NULL;
    stele_error err;

    CHECK_OK(sti_apply_begin(&a, k->lmdb, k->buckets, &err), &err);
    return a;
}

static stele_bytes numbered(char out[32], const char *what, unsigned n)
{
    int len = snprintf(out, 32, "%s %06u", what, n);

    return stele_bytes_of(out, (size_t)len);
}

static void put_range(
        struct sti_apply *a, uint32_t bucket, unsigned first, unsigned count, const char *value)
{
    char key[32];
    stele_error err;

    for (unsigned i = first; i < first + count; i++) {
        CHECK_OK(sti_apply_put(a, bucket, numbered(key, "key", i), stele_str(value), &err), &err);
    }
}

/* What is on disk is whole, and what is in memory is the same. */
static void check_whole(struct kit *k)
{
    struct sti_buckets *again = NULL;
    struct sti_lmdb_txn *txn;
    stele_error err;

    CHECK_OK(kit_verify_all(k, &err), &err);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
    CHECK_OK(sti_buckets_load(&again, txn, &err), &err);
    sti_lmdb_abort(txn);
    assert_int_equal(again->count, k->buckets->count);
    assert_memory_equal(&again->commit, &k->buckets->commit, sizeof again->commit);
    for (size_t i = 0; i < again->count; i++) {
        assert_memory_equal(
                &again->list[i].bucket, &k->buckets->list[i].bucket, sizeof again->list[i].bucket);
        CHECK_BYTES(again->list[i].name, k->buckets->list[i].name);
    }
    sti_buckets_free(again);
}

static uint64_t entries(struct kit *k)
{
    struct sti_lmdb_stat stat;
    struct sti_lmdb_txn *txn;
    stele_error err;

    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
    CHECK_OK(sti_lmdb_stat(txn, &stat, &err), &err);
    sti_lmdb_abort(txn);
    return stat.entries;
}

static struct sti_bucket *bucket(struct kit *k, uint32_t number)
{
    struct sti_named_bucket *b = sti_buckets_find(k->buckets, number);

    assert_non_null(b);
    return &b->bucket;
}

static void test_counts_follow_the_writes(void **state)
{
    struct kit *k = *state;
    uint32_t b = kit_bucket(k, "b");
    struct sti_apply *a = begin(k);
    stele_error err;

    put_range(a, b, 0, 100, "12345");
    kit_commit(k, a);
    assert_int_equal(bucket(k, b)->keys, 100);
    assert_int_equal(bucket(k, b)->bytes, 100 * (10 + 5));
    check_whole(k);
    a = begin(k);
    put_range(a, b, 50, 100, "1");
    CHECK_OK(sti_apply_delete(a, b, stele_str("key 000000"), &err), &err);
    CHECK_OK(sti_apply_delete(a, b, stele_str("key 000000"), &err), &err);
    CHECK_OK(sti_apply_delete(a, b, stele_str("nothing"), &err), &err);
    kit_commit(k, a);
    assert_int_equal(bucket(k, b)->keys, 149);
    assert_int_equal(bucket(k, b)->bytes, 49 * 15 + 100 * 11);
    check_whole(k);
    kit_close(k);
    kit_open(k);
    check_whole(k);
    a = begin(k);
    for (unsigned i = 0; i < 150; i++) {
        char key[32];

        CHECK_OK(sti_apply_delete(a, b, numbered(key, "key", i), &err), &err);
    }
    kit_commit(k, a);
    assert_int_equal(bucket(k, b)->keys, 0);
    assert_int_equal(bucket(k, b)->bytes, 0);
    assert_true(bucket(k, b)->hash == 0);
    assert_int_equal(entries(k), 0);
    check_whole(k);
}

static void test_the_hash_does_not_depend_on_the_way(void **state)
{
    struct kit *k = *state;
    uint32_t b = kit_bucket(k, "b");
    struct sti_apply *a = begin(k);
    uint64_t hash;
    stele_error err;

    put_range(a, b, 0, 50, "x");
    put_range(a, b, 50, 50, "y");
    kit_commit(k, a);
    hash = bucket(k, b)->hash;
    assert_true(hash != 0);
    a = begin(k);
    put_range(a, b, 0, 100, "something else");
    kit_commit(k, a);
    assert_true(bucket(k, b)->hash != hash);
    a = begin(k);
    put_range(a, b, 50, 60, "y");
    put_range(a, b, 0, 50, "x");
    for (unsigned i = 100; i < 110; i++) {
        char key[32];

        CHECK_OK(sti_apply_delete(a, b, numbered(key, "key", i), &err), &err);
    }
    kit_commit(k, a);
    assert_true(bucket(k, b)->hash == hash);
    check_whole(k);
}

static void test_the_commit_record(void **state)
{
    struct kit *k = *state;
    const struct sti_apply_mark mark = {
            .seq = UINT64_MAX - 1, .wal_id = 12345678901, .time = -5, .next_bucket = 77};
    struct sti_commit_record r;
    struct sti_lmdb_txn *txn;
    stele_error err;

    CHECK_OK(sti_apply_commit(begin(k), &mark, &err), &err);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
    CHECK_OK(sti_commit_record_read(txn, &r, &err), &err);
    assert_true(r.seq == UINT64_MAX - 1);
    assert_true(r.wal_id == 12345678901);
    assert_true(r.time == -5);
    assert_true(r.next_bucket == 77);
    assert_true(r.next_layer == 1);
    assert_true(r.txn_id == sti_lmdb_txn_id(txn));
    assert_true(r.generation == 1);
    assert_true(r.store_id == 0x1234567890abcdef);
    sti_lmdb_abort(txn);
    check_whole(k);
}

/* Buckets of the same name and the same content are told apart, and keys do not mix. */
static void test_drop_and_make_again(void **state)
{
    struct kit *k = *state;
    struct sti_apply_mark mark = {.seq = 50, .next_bucket = 10};
    uint32_t first = kit_bucket(k, "same");
    uint32_t other = kit_bucket(k, "other");
    struct sti_bucket found;
    struct sti_lmdb_txn *txn;
    struct sti_apply *a = begin(k);
    stele_bytes value;
    stele_error err;

    put_range(a, first, 0, 10, "old");
    put_range(a, other, 0, 10, "old");
    kit_commit(k, a);
    a = begin(k);
    CHECK_OK(sti_apply_drop(a, first, &err), &err);
    CHECK_CODE(sti_apply_drop(a, 999, &err), STELE_ENOTFOUND);
    CHECK_OK(sti_apply_create(a, 9, stele_str("same"), &err), &err);
    CHECK_CODE(sti_apply_put(a, first, stele_str("k"), stele_nil(), &err), STELE_ENOTFOUND);
    CHECK_CODE(sti_apply_put(a, 8, stele_str("k"), stele_nil(), &err), STELE_ENOTFOUND);
    put_range(a, other, 10, 1, "new");
    put_range(a, 9, 5, 1, "new");
    CHECK_OK(sti_apply_commit(a, &mark, &err), &err);
    assert_null(sti_buckets_find(k->buckets, first));
    assert_int_equal(bucket(k, 9)->keys, 1);
    assert_int_equal(bucket(k, other)->keys, 11);
    check_whole(k);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
    CHECK_OK(sti_bucket_find(txn, stele_str("same"), &found, &err), &err);
    assert_int_equal(found.number, 9);
    assert_int_equal(found.keys, 1);
    CHECK_CODE(sti_bucket_find(txn, stele_str("sam"), &found, &err), STELE_ENOTFOUND);
    CHECK_CODE(sti_tree_get(txn, 9, stele_str("key 000001"), &value, &err), STELE_ENOTFOUND);
    CHECK_OK(sti_tree_get(txn, 9, stele_str("key 000005"), &value, &err), &err);
    CHECK_BYTES(value, stele_str("new"));
    sti_lmdb_abort(txn);
    assert_int_equal(entries(k), 12);
}

static void test_a_large_bucket_goes_bit_by_bit(void **state)
{
    struct kit *k = *state;
    uint32_t b = kit_bucket(k, "large");
    uint32_t number = 0;
    uint64_t before = 10000;
    struct sti_lmdb_txn *txn;
    struct sti_apply *a = begin(k);
    unsigned commits = 0;
    stele_error err;

    put_range(a, b, 0, 10000, "value");
    kit_commit(k, a);
    a = begin(k);
    CHECK_OK(sti_apply_drop(a, b, &err), &err);
    kit_commit(k, a);
    check_whole(k);
    while (entries(k) > 0) {
        assert_true(entries(k) < before);
        assert_true(before - entries(k) <= 4096);
        before = entries(k);
        CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
        CHECK_OK(sti_garbage_first(txn, &number, &err), &err);
        assert_int_equal(number, b);
        sti_lmdb_abort(txn);
        kit_commit(k, begin(k));
        commits++;
        check_whole(k);
    }
    assert_int_equal(commits, 2);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
    CHECK_CODE(sti_garbage_first(txn, &number, &err), STELE_ENOTFOUND);
    sti_lmdb_abort(txn);
}

static void test_ten_thousand_buckets(void **state)
{
    struct kit *k = *state;
    struct sti_apply_mark mark = {.seq = 1, .next_bucket = 10001};
    struct sti_apply *a = begin(k);
    char name[32];
    stele_error err;

    for (unsigned i = 1; i <= 10000; i++) {
        CHECK_OK(sti_apply_create(a, i, numbered(name, "bucket", 20000 - i), &err), &err);
    }
    for (unsigned i = 1; i <= 10000; i += 3) {
        put_range(a, i, i, 1, "v");
    }
    CHECK_OK(sti_apply_commit(a, &mark, &err), &err);
    k->seq = 1;
    check_whole(k);
    kit_close(k);
    kit_open(k);
    assert_int_equal(k->buckets->count, 10000);
    a = begin(k);
    for (unsigned i = 2; i <= 10000; i += 2) {
        CHECK_OK(sti_apply_drop(a, i, &err), &err);
    }
    for (unsigned i = 1; i <= 10000; i += 2) {
        put_range(a, i, i, 1, "w");
    }
    kit_commit(k, a);
    assert_int_equal(k->buckets->count, 5000);
    check_whole(k);
}

static void test_abort_leaves_all_as_it_was(void **state)
{
    struct kit *k = *state;
    uint32_t b = kit_bucket(k, "b");
    uint32_t c = kit_bucket(k, "c");
    struct sti_commit_record before;
    struct sti_apply *a = begin(k);
    stele_error err;

    put_range(a, b, 0, 10, "v");
    kit_commit(k, a);
    before = k->buckets->commit;
    a = begin(k);
    CHECK_OK(sti_apply_drop(a, c, &err), &err);
    CHECK_OK(sti_apply_create(a, c + 5, stele_str("new"), &err), &err);
    put_range(a, b, 5, 10, "w");
    put_range(a, c + 5, 0, 3, "w");
    sti_apply_abort(a);
    sti_apply_abort(NULL);
    assert_memory_equal(&before, &k->buckets->commit, sizeof before);
    assert_int_equal(k->buckets->count, 2);
    check_whole(k);
}

/* Everything that one commit can do. */
static stele_code do_all(struct kit *k, uint32_t b, uint32_t c, stele_error *err)
{
    const struct sti_apply_mark mark = {.seq = 9, .next_bucket = 100};
    uint8_t key[1500] = {1};
    struct sti_apply *a = NULL;
    stele_code code = sti_apply_begin(&a, k->lmdb, k->buckets, err);

    if (code == STELE_OK) {
        code = sti_apply_drop(a, c, err);
    }
    for (uint32_t i = 20; code == STELE_OK && i < 40; i++) {
        char name[32];

        code = sti_apply_create(a, i, numbered(name, "new", i), err);
    }
    if (code == STELE_OK) {
        code = sti_apply_put(a, b, stele_bytes_of(key, sizeof key), stele_str("v"), err);
    }
    if (code == STELE_OK) {
        code = sti_apply_delete(a, b, stele_str("key 000001"), err);
    }
    for (uint32_t i = 20; code == STELE_OK && i < 40; i++) {
        code = sti_apply_put(a, i, stele_str("k"), stele_str("v"), err);
    }
    if (code != STELE_OK) {
        sti_apply_abort(a);
        return code;
    }
    return sti_apply_commit(a, &mark, err);
}

#ifdef STI_TESTING
static bool fails_at(void *arg)
{
    int *left = arg;

    return (*left)-- == 0;
}

static void test_any_allocation_fails(void **state)
{
    struct kit *k = *state;
    uint32_t b = kit_bucket(k, "b");
    uint32_t c = kit_bucket(k, "c");
    struct sti_apply *a = begin(k);
    struct sti_commit_record before;
    stele_code code = STELE_ENOMEM;
    int failed = 0;
    stele_error err;

    put_range(a, b, 0, 10, "v");
    put_range(a, c, 0, 10, "v");
    kit_commit(k, a);
    before = k->buckets->commit;
    for (int at = 0; code != STELE_OK; at++) {
        int left = at;

        sti_alloc_set_hook(fails_at, &left);
        code = do_all(k, b, c, &err);
        sti_alloc_set_hook(NULL, NULL);
        if (code != STELE_OK) {
            CHECK_CODE(code, STELE_ENOMEM);
            failed++;
            assert_memory_equal(&before, &k->buckets->commit, sizeof before);
            check_whole(k);
        }
    }
    assert_true(failed > 20);
    assert_int_equal(k->buckets->count, 21);
    check_whole(k);
    for (int at = 0;; at++) {
        struct sti_buckets *again = NULL;
        struct sti_lmdb_txn *txn;
        int left = at;

        CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
        sti_alloc_set_hook(fails_at, &left);
        code = sti_buckets_load(&again, txn, &err);
        sti_alloc_set_hook(NULL, NULL);
        sti_lmdb_abort(txn);
        sti_buckets_free(again);
        if (code == STELE_OK) {
            assert_true(at > 20);
            break;
        }
        CHECK_CODE(code, STELE_ENOMEM);
    }
}

/* A cursor that comes to a long key wants memory; without it it is where it was before all. */
static void test_a_cursor_without_memory(void **state)
{
    struct kit *k = *state;
    uint32_t b = kit_bucket(k, "b");
    struct sti_apply *a = begin(k);
    struct sti_tree_cursor c;
    struct sti_lmdb_cursor *raw;
    struct sti_lmdb_txn *txn;
    uint8_t key[1500] = {1};
    stele_error err;

    CHECK_OK(sti_apply_put(a, b, stele_str(""), stele_str("v"), &err), &err);
    CHECK_OK(sti_apply_put(a, b, stele_bytes_of(key, sizeof key), stele_str("v"), &err), &err);
    kit_commit(k, a);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, &err), &err);
    CHECK_OK(sti_lmdb_cursor_open(&raw, txn, STI_LMDB_DATA, &err), &err);
    sti_tree_cursor_init(&c, raw, b);
    for (int at = 0; at < 2; at++) {
        int left = at;

        sti_alloc_set_hook(fails_at, &left);
        CHECK_OK(sti_tree_next(&c, &err), &err);
        CHECK_CODE(sti_tree_next(&c, &err), STELE_ENOMEM);
        sti_alloc_set_hook(NULL, NULL);
    }
    CHECK_OK(sti_tree_next(&c, &err), &err);
    CHECK_OK(sti_tree_next(&c, &err), &err);
    CHECK_BYTES(c.key, stele_bytes_of(key, sizeof key));
    sti_tree_cursor_free(&c);
    sti_lmdb_cursor_close(raw);
    sti_lmdb_abort(txn);
}
#endif

/* The map is full: the commit is as if it had not been, and succeeds in a larger map. */
static void test_a_full_map(void **state)
{
    struct kit *k = *state;
    uint32_t b = kit_bucket(k, "b");
    struct sti_apply *a;
    struct sti_commit_record before = k->buckets->commit;
    static const uint8_t value[50000];
    stele_code code = STELE_OK;
    stele_error err;

    CHECK_OK(sti_lmdb_resize(k->lmdb, 256 << 10, &err), &err);
    a = begin(k);
    for (uint8_t i = 0; i < 20 && code == STELE_OK; i++) {
        code = sti_apply_put(
                a, b, stele_bytes_of(&i, 1), stele_bytes_of(value, sizeof value), &err);
    }
    CHECK_CODE(code, STELE_ETOOBIG);
    sti_apply_abort(a);
    assert_memory_equal(&before, &k->buckets->commit, sizeof before);
    CHECK_OK(sti_lmdb_resize(k->lmdb, 64 << 20, &err), &err);
    a = begin(k);
    for (uint8_t i = 0; i < 20; i++) {
        CHECK_OK(sti_apply_put(
                         a, b, stele_bytes_of(&i, 1), stele_bytes_of(value, sizeof value), &err),
                &err);
    }
    kit_commit(k, a);
    assert_int_equal(bucket(k, b)->keys, 20);
    check_whole(k);
}

/* ---- A full disk, in a child with a file system of its own. ---- */

enum {
    CANNOT = 77, /* this machine does not let us have one */
    BALLAST = 1 << 20
};

static stele_code fill(struct kit *k, uint32_t b, unsigned i, stele_error *err)
{
    const struct sti_apply_mark mark = {.seq = k->seq + 1, .next_bucket = 2};
    static const uint8_t value[30000];
    struct sti_apply *a = begin(k);
    char key[32];
    stele_code code =
            sti_apply_put(a, b, numbered(key, "key", i), stele_bytes_of(value, sizeof value), err);

    if (code != STELE_OK) {
        sti_apply_abort(a);
        return code;
    }
    code = sti_apply_commit(a, &mark, err);
    k->seq += code == STELE_OK ? 1 : 0;
    return code;
}

/* More readers than one page of their table holds. */
static void read_from_a_full_disk(struct kit *k)
{
    struct sti_lmdb_txn *txns[300];
    stele_error err;

    for (size_t i = 0; i < 300; i++) {
        CHECK_OK(sti_lmdb_begin(&txns[i], k->lmdb, false, &err), &err);
    }
    for (size_t i = 0; i < 300; i++) {
        sti_lmdb_abort(txns[i]);
    }
    kit_close(k);
    kit_open(k);
}

static void fill_a_disk(struct kit *k)
{
    static uint8_t ballast[BALLAST];
    uint32_t b = kit_bucket(k, "b");
    char path[TMPDIR_PATH_SIZE];
    struct sti_commit_record before;
    stele_code code = STELE_OK;
    unsigned i = 0;
    stele_error err;

    tmpdir_write(&k->tmp, "ballast", ballast, sizeof ballast);
    while (code == STELE_OK && i < 1000) {
        before = k->buckets->commit;
        code = fill(k, b, i++, &err);
    }
    CHECK_CODE(code, STELE_ENOSPC);
    assert_true(i > 10);
    for (int again = 0; again < 3; again++) {
        assert_memory_equal(&before, &k->buckets->commit, sizeof before);
        check_whole(k);
        CHECK_CODE(fill(k, b, i - 1, &err), STELE_ENOSPC);
        read_from_a_full_disk(k);
    }
    tmpdir_path(&k->tmp, "ballast", path);
    assert_int_equal(remove(path), 0);
    CHECK_OK(fill(k, b, i - 1, &err), &err);
    assert_int_equal(bucket(k, b)->keys, i);
    check_whole(k);
    kit_close(k);
    kit_open(k);
    check_whole(k);
}

static int child_with_a_disk(void)
{
    struct tmpdir place;
    void *state = NULL;

    tmpdir_make(&place);
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        tmpdir_remove(&place);
        return CANNOT;
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("none", place.path, "tmpfs", 0, "size=3m") != 0 ||
            setenv("TMPDIR", place.path, 1) != 0) {
        tmpdir_remove(&place);
        return CANNOT;
    }
    (void)kit_set_up(&state);
    fill_a_disk(state);
    (void)kit_tear_down(&state);
    (void)umount(place.path);
    tmpdir_remove(&place);
    return 0;
}

static void test_a_full_disk(void **state)
{
    int status = 0;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(child_with_a_disk());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT) {
        print_message("SKIPPED: no file system of its own can be mounted here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- Records that do not fit together. ---- */

static stele_code load(struct kit *k, stele_error *err)
{
    struct sti_buckets *buckets = NULL;
    struct sti_lmdb_txn *txn;
    stele_code code;

    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, false, err), err);
    code = sti_buckets_load(&buckets, txn, err);
    sti_buckets_free(buckets);
    sti_lmdb_abort(txn);
    return code;
}

static void test_records_that_do_not_fit(void **state)
{
    struct kit *k = *state;
    struct sti_commit_record record;
    struct sti_bucket changed;
    struct sti_lmdb_txn *txn;
    stele_error err;

    (void)kit_bucket(k, "one");
    (void)kit_bucket(k, "two");
    record = k->buckets->commit;
    changed = *bucket(k, 1);
    /* A transaction without a commit record of its own. */
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    CHECK_OK(sti_lmdb_put(txn, STI_LMDB_NAMES, stele_str("x"), stele_nil(), &err), &err);
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
    CHECK_CODE(load(k, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "transaction");
    /* A bucket that is gone, one with another count, one too many. */
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    CHECK_OK(sti_bucket_remove(txn, stele_str("one"), &err), &err);
    CHECK_OK(sti_commit_record_write(txn, &record, &err), &err);
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
    CHECK_CODE(load(k, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "there are 1 buckets instead of 2");
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    changed.keys++;
    CHECK_OK(sti_bucket_write(txn, stele_str("one"), &changed, &err), &err);
    CHECK_OK(sti_commit_record_write(txn, &record, &err), &err);
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
    CHECK_CODE(load(k, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "the hash of the buckets differs");
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    changed.keys--;
    CHECK_OK(sti_bucket_write(txn, stele_str("one"), &changed, &err), &err);
    CHECK_OK(sti_commit_record_write(txn, &record, &err), &err);
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
    CHECK_OK(load(k, &err), &err);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    CHECK_OK(sti_lmdb_delete(txn, STI_LMDB_NAMES, stele_str("c"), &err), &err);
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
    CHECK_CODE(load(k, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "missing");
}

/* Another writer in between: what is known in memory no longer holds. */
static void test_a_foreign_transaction_is_noticed(void **state)
{
    struct kit *k = *state;
    struct sti_apply *a = NULL;
    struct sti_lmdb_txn *txn;
    stele_error err;

    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    CHECK_OK(sti_lmdb_put(txn, STI_LMDB_NAMES, stele_str("x"), stele_nil(), &err), &err);
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
    CHECK_CODE(sti_apply_begin(&a, k->lmdb, k->buckets, &err), STELE_ECORRUPT);
    assert_null(a);
}

static void test_every_bit_of_the_records_counts(void **state)
{
    static const char *const keys[] = {"c", "bname", "g"};
    struct kit *k = *state;
    uint32_t number = kit_bucket(k, "name");
    struct sti_lmdb_txn *txn;
    struct sti_bucket found;
    struct sti_commit_record record;
    uint8_t garbage_key[5] = {'g', 0, 0, 0, 9};
    stele_error err;

    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    record = k->buckets->commit;
    CHECK_OK(sti_commit_record_write(txn, &record, &err), &err);
    CHECK_OK(sti_garbage_add(txn, 9, &err), &err);
    for (size_t i = 0; i < 3; i++) {
        stele_bytes key = i == 2 ? stele_bytes_of(garbage_key, 5) : stele_str(keys[i]);
        uint8_t bytes[100];
        stele_bytes value;
        size_t len;

        CHECK_OK(sti_lmdb_get(txn, STI_LMDB_NAMES, key, &value, &err), &err);
        len = value.len;
        assert_true(len < sizeof bytes);
        memcpy(bytes, value.data, len);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            stele_code code;

            bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
            CHECK_OK(
                    sti_lmdb_put(txn, STI_LMDB_NAMES, key, stele_bytes_of(bytes, len), &err), &err);
            code = i == 0   ? sti_commit_record_read(txn, &record, &err)
                   : i == 1 ? sti_bucket_find(txn, stele_str("name"), &found, &err)
                            : sti_garbage_first(txn, &number, &err);
            assert_true(code == STELE_ECORRUPT || code == STELE_EVERSION);
            bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        CHECK_OK(sti_lmdb_put(txn, STI_LMDB_NAMES, key, stele_bytes_of(bytes, len), &err), &err);
    }
    CHECK_OK(sti_commit_record_read(txn, &record, &err), &err);
    CHECK_OK(sti_garbage_first(txn, &number, &err), &err);
    assert_int_equal(number, 9);
    sti_lmdb_abort(txn);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(test_counts_follow_the_writes),
            TEST(test_the_hash_does_not_depend_on_the_way),
            TEST(test_the_commit_record),
            TEST(test_drop_and_make_again),
            TEST(test_a_large_bucket_goes_bit_by_bit),
            TEST(test_ten_thousand_buckets),
            TEST(test_abort_leaves_all_as_it_was),
#ifdef STI_TESTING
            TEST(test_any_allocation_fails),
            TEST(test_a_cursor_without_memory),
#endif
            TEST(test_a_full_map),
            cmocka_unit_test(test_a_full_disk),
            TEST(test_records_that_do_not_fit),
            TEST(test_a_foreign_transaction_is_noticed),
            TEST(test_every_bit_of_the_records_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
