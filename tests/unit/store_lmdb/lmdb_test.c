/* SPDX-License-Identifier: MIT
 *
 * lmdb_test.c: the environment: maps, transactions, readers, errors.
 */
#include "store/lmdb.h"

#include "kit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

static char path_buffer[TMPDIR_PATH_SIZE];

static const char *path_of(const struct kit *k)
{
    tmpdir_path(&k->tmp, "gen-1", path_buffer);
    return path_buffer;
}

static struct sti_lmdb_stat stat_of(struct sti_lmdb *lmdb)
{
    struct sti_lmdb_stat stat;
    struct sti_lmdb_txn *txn;
    stele_error err;

    CHECK_OK(sti_lmdb_begin(&txn, lmdb, false, &err), &err);
    CHECK_OK(sti_lmdb_stat(txn, &stat, &err), &err);
    sti_lmdb_abort(txn);
    return stat;
}

static void put_many(struct sti_lmdb_txn *txn, uint32_t first, uint32_t count)
{
    uint8_t value[1000] = {0};
    char key[32];
    stele_error err;

    for (uint32_t i = first; i < first + count; i++) {
        int len = snprintf(key, sizeof key, "key %u", i);

        CHECK_OK(sti_lmdb_put(txn, STI_LMDB_DATA, stele_bytes_of(key, (size_t)len),
                         stele_bytes_of(value, sizeof value), &err),
                &err);
    }
}

static void delete_many(struct sti_lmdb_txn *txn, uint32_t first, uint32_t count)
{
    char key[32];
    stele_error err;

    for (uint32_t i = first; i < first + count; i++) {
        int len = snprintf(key, sizeof key, "key %u", i);

        CHECK_OK(sti_lmdb_delete(txn, STI_LMDB_DATA, stele_bytes_of(key, (size_t)len), &err), &err);
    }
}

static void test_the_map_is_large_and_the_file_small(void **state)
{
    struct kit *k = *state;
    struct sti_lmdb_stat stat = stat_of(k->lmdb);

#if !defined(SANITIZED) && UINTPTR_MAX > UINT32_MAX
    assert_true(stat.map_size == (uint64_t)1 << 40);
#else
    assert_true(stat.map_size >= (uint64_t)1 << 29);
#endif
    assert_true(stat.pages * stat.page_size < 100000);
    assert_int_equal(stat.entries, 0);
    assert_int_equal(stat.names, 1);
    assert_true(tmpdir_size(&k->tmp, "gen-1/data.mdb") <= stat.pages * stat.page_size);
}

static void test_a_hint_can_only_raise_the_map(void **state)
{
    struct kit *k = *state;
    struct sti_lmdb_options options = {.path = path_of(k), .map_hint = 1000};
    struct sti_lmdb *lmdb;
    stele_error err;

    kit_close(k);
    CHECK_OK(sti_lmdb_open(&lmdb, &options, &err), &err);
    assert_true(stat_of(lmdb).map_size >= (uint64_t)1 << 29);
    sti_lmdb_close(lmdb);
#if !defined(SANITIZED) && UINTPTR_MAX > UINT32_MAX
    options.map_hint = ((uint64_t)2 << 40) + 1;
    CHECK_OK(sti_lmdb_open(&lmdb, &options, &err), &err);
    assert_true(stat_of(lmdb).map_size > (uint64_t)2 << 40);
    sti_lmdb_close(lmdb);
#endif
}

#if !defined(SANITIZED) && UINTPTR_MAX > UINT32_MAX
/* In a process that may have 4 GiB of address space. */
static int child_with_a_limit(const char *path)
{
    const struct rlimit limit = {.rlim_cur = (rlim_t)4 << 30, .rlim_max = (rlim_t)4 << 30};
    const struct sti_lmdb_options options = {.path = path};
    struct sti_lmdb *lmdb;
    struct sti_lmdb_stat stat;
    void *more;

    if (setrlimit(RLIMIT_AS, &limit) != 0 || sti_lmdb_open(&lmdb, &options, NULL) != STELE_OK) {
        return 1;
    }
    stat = stat_of(lmdb);
    if (stat.map_size < (uint64_t)512 << 20 || stat.map_size > (uint64_t)2 << 30) {
        return 2;
    }
    more = malloc((size_t)1 << 30);
    if (more == NULL) {
        return 3;
    }
    free(more);
    sti_lmdb_close(lmdb);
    return 0;
}

static void test_less_where_the_process_may_not(void **state)
{
    struct kit *k = *state;
    int status = 0;
    pid_t pid;

    kit_close(k);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(child_with_a_limit(path_of(k)));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}
#endif

static void test_a_full_map_grows(void **state)
{
    struct kit *k = *state;
    static const uint8_t value[100000];
    struct sti_lmdb_txn *reader;
    struct sti_lmdb_txn *txn;
    stele_code code = STELE_OK;
    stele_error err;

    CHECK_OK(sti_lmdb_begin(&reader, k->lmdb, false, &err), &err);
    sti_lmdb_reset(reader);
    CHECK_OK(sti_lmdb_resize(k->lmdb, 1 << 20, &err), &err);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    for (uint8_t i = 0; i < 100 && code == STELE_OK; i++) {
        code = sti_lmdb_put(txn, STI_LMDB_DATA, stele_bytes_of(&i, 1),
                stele_bytes_of(value, sizeof value), &err);
    }
    CHECK_CODE(code, STELE_ETOOBIG);
    sti_lmdb_abort(txn);
    CHECK_OK(sti_lmdb_resize(k->lmdb, 64 << 20, &err), &err);
    CHECK_OK(sti_lmdb_renew(reader, &err), &err);
    sti_lmdb_abort(reader);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    for (uint8_t i = 0; i < 100; i++) {
        CHECK_OK(sti_lmdb_put(txn, STI_LMDB_DATA, stele_bytes_of(&i, 1),
                         stele_bytes_of(value, sizeof value), &err),
                &err);
    }
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
    CHECK_CODE(sti_lmdb_resize(k->lmdb, UINT64_MAX, &err), STELE_ETOOBIG);
}

static void test_a_snapshot_stays(void **state)
{
    struct kit *k = *state;
    struct sti_lmdb_txn *reader;
    struct sti_lmdb_txn *txn;
    stele_bytes value;
    uint64_t id;
    stele_error err;

    CHECK_OK(sti_lmdb_begin(&reader, k->lmdb, false, &err), &err);
    id = sti_lmdb_txn_id(reader);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    assert_int_equal(sti_lmdb_txn_id(txn), id + 1);
    put_many(txn, 0, 10);
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
    CHECK_CODE(
            sti_lmdb_get(reader, STI_LMDB_DATA, stele_str("key 3"), &value, &err), STELE_ENOTFOUND);
    sti_lmdb_reset(reader);
    CHECK_OK(sti_lmdb_renew(reader, &err), &err);
    assert_int_equal(sti_lmdb_txn_id(reader), id + 1);
    CHECK_OK(sti_lmdb_get(reader, STI_LMDB_DATA, stele_str("key 3"), &value, &err), &err);
    assert_int_equal(value.len, 1000);
    sti_lmdb_abort(reader);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    assert_int_equal(sti_lmdb_txn_id(txn), id + 2);
    sti_lmdb_abort(txn);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    assert_int_equal(sti_lmdb_txn_id(txn), id + 2);
    sti_lmdb_abort(txn);
    sti_lmdb_abort(NULL);
}

struct passed_on {
    struct sti_lmdb_txn *txn;
    stele_code code;
};

static void *read_elsewhere(void *arg)
{
    struct passed_on *p = arg;
    stele_bytes value;

    p->code = sti_lmdb_get(p->txn, STI_LMDB_DATA, stele_str("key 3"), &value, NULL);
    sti_lmdb_reset(p->txn);
    return NULL;
}

/* A read transaction that began here, goes on there, and again here; and one thread has several. */
static void test_reads_move_between_threads(void **state)
{
    struct kit *k = *state;
    struct sti_lmdb_txn *other;
    struct sti_lmdb_txn *txn;
    struct passed_on p;
    pthread_t thread;
    stele_error err;

    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    put_many(txn, 0, 10);
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
    CHECK_OK(sti_lmdb_begin(&p.txn, k->lmdb, false, &err), &err);
    CHECK_OK(sti_lmdb_begin(&other, k->lmdb, false, &err), &err);
    assert_int_equal(pthread_create(&thread, NULL, read_elsewhere, &p), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    CHECK_CODE(p.code, STELE_OK);
    CHECK_OK(sti_lmdb_renew(p.txn, &err), &err);
    sti_lmdb_abort(p.txn);
    sti_lmdb_abort(other);
}

static void test_cursors(void **state)
{
    struct kit *k = *state;
    struct sti_lmdb_cursor *c;
    struct sti_lmdb_txn *txn;
    stele_bytes key = stele_nil();
    stele_bytes value;
    uint8_t *room;
    stele_error err;

    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    CHECK_OK(sti_lmdb_cursor_open(&c, txn, STI_LMDB_DATA, &err), &err);
    CHECK_OK(
            sti_lmdb_cursor_reserve(c, STI_LMDB_NEW, stele_str("b"), 3, &room, &value, &err), &err);
    memcpy(room, "one", 3);
    CHECK_CODE(sti_lmdb_cursor_reserve(c, STI_LMDB_NEW, stele_str("b"), 9, &room, &value, &err),
            STELE_EEXIST);
    CHECK_BYTES(value, stele_str("one"));
    CHECK_OK(sti_lmdb_cursor_reserve(c, STI_LMDB_REPLACE, stele_str("b"), 5, &room, NULL, &err),
            &err);
    memcpy(room, "three", 5);
    CHECK_OK(
            sti_lmdb_cursor_reserve(c, STI_LMDB_NEW, stele_str("a"), 0, &room, &value, &err), &err);
    CHECK_OK(
            sti_lmdb_cursor_reserve(c, STI_LMDB_NEW, stele_str("c"), 0, &room, &value, &err), &err);
    CHECK_CODE(sti_lmdb_cursor_reserve(c, STI_LMDB_APPEND, stele_str("b"), 0, &room, NULL, &err),
            STELE_ECORRUPT);
    CHECK_CODE(sti_lmdb_cursor_move(c, STI_LMDB_AT, &key, &value, &err), STELE_EINVAL);
    key = stele_str("b");
    CHECK_OK(sti_lmdb_cursor_move(c, STI_LMDB_AT, &key, &value, &err), &err);
    CHECK_BYTES(value, stele_str("three"));
    CHECK_OK(sti_lmdb_cursor_delete(c, &err), &err);
    key = stele_str("aa");
    CHECK_OK(sti_lmdb_cursor_move(c, STI_LMDB_FROM, &key, &value, &err), &err);
    CHECK_BYTES(key, stele_str("c"));
    CHECK_OK(sti_lmdb_cursor_move(c, STI_LMDB_FIRST, &key, &value, &err), &err);
    CHECK_BYTES(key, stele_str("a"));
    CHECK_OK(sti_lmdb_cursor_move(c, STI_LMDB_NEXT, &key, &value, &err), &err);
    CHECK_BYTES(key, stele_str("c"));
    CHECK_OK(sti_lmdb_cursor_move(c, STI_LMDB_PREV, &key, &value, &err), &err);
    CHECK_BYTES(key, stele_str("a"));
    CHECK_CODE(sti_lmdb_cursor_move(c, STI_LMDB_PREV, &key, &value, &err), STELE_END);
    sti_lmdb_abort(txn);
}

/* A cursor of a read transaction that is used again after the transaction was renewed. */
static void test_a_cursor_is_renewed(void **state)
{
    struct kit *k = *state;
    struct sti_lmdb_cursor *c;
    struct sti_lmdb_txn *reader;
    struct sti_lmdb_txn *txn;
    stele_bytes key = stele_nil();
    stele_bytes value;
    stele_error err;

    CHECK_OK(sti_lmdb_begin(&reader, k->lmdb, false, &err), &err);
    CHECK_OK(sti_lmdb_cursor_open(&c, reader, STI_LMDB_DATA, &err), &err);
    sti_lmdb_reset(reader);
    for (uint32_t i = 0; i < 5; i++) {
        CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
        put_many(txn, i, 1);
        CHECK_OK(sti_lmdb_commit(txn, &err), &err);
        CHECK_OK(sti_lmdb_renew(reader, &err), &err);
        CHECK_OK(sti_lmdb_cursor_renew(c, reader, &err), &err);
        CHECK_OK(sti_lmdb_cursor_move(c, STI_LMDB_FIRST, &key, &value, &err), &err);
        for (uint32_t j = 0; j < i; j++) {
            CHECK_OK(sti_lmdb_cursor_move(c, STI_LMDB_NEXT, &key, &value, &err), &err);
        }
        assert_int_equal(key.data[4], '0' + i);
        sti_lmdb_reset(reader);
    }
    sti_lmdb_cursor_close(c);
    sti_lmdb_cursor_close(NULL);
    sti_lmdb_abort(reader);
}

static void test_free_pages_are_counted(void **state)
{
    struct kit *k = *state;
    struct sti_lmdb_txn *reader;
    struct sti_lmdb_txn *txn;
    uint64_t none = 1;
    uint64_t all = 0;
    uint64_t since = 0;
    uint64_t id;
    stele_error err;

    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    put_many(txn, 0, 4000);
    id = sti_lmdb_txn_id(txn);
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
    CHECK_OK(sti_lmdb_begin(&txn, k->lmdb, true, &err), &err);
    delete_many(txn, 0, 4000);
    CHECK_OK(sti_lmdb_commit(txn, &err), &err);
    CHECK_OK(sti_lmdb_begin(&reader, k->lmdb, false, &err), &err);
    CHECK_OK(sti_lmdb_free_pages(reader, 0, &all, &err), &err);
    CHECK_OK(sti_lmdb_free_pages(reader, id + 1, &since, &err), &err);
    CHECK_OK(sti_lmdb_free_pages(reader, id + 2, &none, &err), &err);
    assert_true(all >= since);
    assert_true(since > 4000 * 1000 / 4096);
    assert_int_equal(none, 0);
    sti_lmdb_abort(reader);
}

struct seen {
    size_t count;
    struct sti_lmdb_reader readers[8];
};

static stele_code on_reader(void *arg, const struct sti_lmdb_reader *reader, stele_error *err)
{
    struct seen *s = arg;

    (void)err;
    assert_true(s->count < 8);
    s->readers[s->count++] = *reader;
    return STELE_OK;
}

static stele_code refuse(void *arg, const struct sti_lmdb_reader *reader, stele_error *err)
{
    (void)arg;
    (void)reader;
    (void)err;
    return STELE_ECANCELED;
}

static struct seen readers_of(struct sti_lmdb *lmdb)
{
    struct seen s = {0};
    stele_error err;

    CHECK_OK(sti_lmdb_readers(lmdb, on_reader, &s, &err), &err);
    return s;
}

static void test_readers_are_listed(void **state)
{
    struct kit *k = *state;
    struct sti_lmdb_txn *a;
    struct sti_lmdb_txn *b;
    struct seen s;
    size_t before = readers_of(k->lmdb).count;
    size_t active = 0;
    stele_error err;

    CHECK_OK(sti_lmdb_begin(&a, k->lmdb, false, &err), &err);
    CHECK_OK(sti_lmdb_begin(&b, k->lmdb, false, &err), &err);
    sti_lmdb_reset(b);
    s = readers_of(k->lmdb);
    assert_in_range(s.count, 2, before + 2);
    for (size_t i = 0; i < s.count; i++) {
        assert_int_equal(s.readers[i].pid, getpid());
        if (s.readers[i].active) {
            active++;
            assert_true(s.readers[i].txn_id == sti_lmdb_txn_id(a));
        }
    }
    assert_int_equal(active, 1);
    CHECK_CODE(sti_lmdb_readers(k->lmdb, refuse, NULL, &err), STELE_ECANCELED);
    sti_lmdb_abort(a);
    sti_lmdb_abort(b);
    assert_int_equal(readers_of(k->lmdb).count, before);
}

static bool is_listed(struct sti_lmdb *lmdb, pid_t pid)
{
    const struct seen s = readers_of(lmdb);
    bool there = false;

    for (size_t i = 0; i < s.count; i++) {
        there = there || (s.readers[i].pid == pid && s.readers[i].active);
    }
    return there;
}

/* Another process begins to read, and dies. */
static void test_dead_readers_are_cleared(void **state)
{
    struct kit *k = *state;
    const struct sti_lmdb_options options = {.path = path_of(k), .read_only = true};
    struct sti_lmdb_txn *txn;
    struct sti_lmdb *lmdb;
    uint64_t cleared = 9;
    int status = 0;
    stele_error err;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(sti_lmdb_open(&lmdb, &options, NULL) == STELE_OK &&
                                sti_lmdb_begin(&txn, lmdb, false, NULL) == STELE_OK
                        ? 0
                        : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(is_listed(k->lmdb, pid));
    CHECK_OK(sti_lmdb_clear_stale(k->lmdb, &cleared, &err), &err);
    assert_int_equal(cleared, 1);
    assert_false(is_listed(k->lmdb, pid));
    CHECK_OK(sti_lmdb_clear_stale(k->lmdb, &cleared, &err), &err);
    assert_int_equal(cleared, 0);
}

static void test_more_readers_than_may_be(void **state)
{
    struct kit *k = *state;
    const struct sti_lmdb_options options = {.path = path_of(k), .readers_max = 2};
    char lock[TMPDIR_PATH_SIZE];
    struct sti_lmdb_txn *txns[16];
    struct sti_lmdb *lmdb;
    stele_code code = STELE_OK;
    size_t count = 0;
    stele_error err;

    kit_close(k);
    /* The table of readers keeps its size as long as its file is there. */
    tmpdir_path(&k->tmp, "gen-1/lock.mdb", lock);
    assert_int_equal(remove(lock), 0);
    CHECK_OK(sti_lmdb_open(&lmdb, &options, &err), &err);
    while (code == STELE_OK && count < 16) {
        code = sti_lmdb_begin(&txns[count], lmdb, false, &err);
        count += code == STELE_OK ? 1 : 0;
    }
    CHECK_CODE(code, STELE_EBUSY);
    assert_in_range(count, 2, 8);
    while (count > 0) {
        sti_lmdb_abort(txns[--count]);
    }
    sti_lmdb_close(lmdb);
}

static void test_open_refuses(void **state)
{
    struct kit *k = *state;
    char path[TMPDIR_PATH_SIZE];
    struct sti_lmdb_options options = {.path = path, .read_only = true};
    struct sti_lmdb *lmdb = NULL;
    stele_error err;

    tmpdir_path(&k->tmp, "nowhere", path);
    CHECK_CODE(sti_lmdb_open(&lmdb, &options, &err), STELE_ENOTFOUND);
    tmpdir_mkdir(&k->tmp, "empty");
    tmpdir_path(&k->tmp, "empty", path);
    CHECK_CODE(sti_lmdb_open(&lmdb, &options, &err), STELE_ENOTFOUND);
    options.read_only = false;
    CHECK_CODE(sti_lmdb_open(&lmdb, &options, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "a tree is missing");
    assert_null(lmdb);
    sti_lmdb_close(NULL);
}

static void test_read_only_does_not_write(void **state)
{
    struct kit *k = *state;
    const struct sti_lmdb_options options = {.path = path_of(k), .read_only = true};
    struct sti_lmdb_txn *txn;
    struct sti_lmdb *lmdb;
    stele_error err;

    kit_close(k);
    CHECK_OK(sti_lmdb_open(&lmdb, &options, &err), &err);
    CHECK_CODE(sti_lmdb_begin(&txn, lmdb, true, &err), STELE_EPERM);
    sti_lmdb_close(lmdb);
    kit_open(k);
    CHECK_OK(sti_lmdb_sync(k->lmdb, &err), &err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_map_is_large_and_the_file_small),
        TEST(test_a_hint_can_only_raise_the_map),
#if !defined(SANITIZED) && UINTPTR_MAX > UINT32_MAX
        TEST(test_less_where_the_process_may_not),
#endif
        TEST(test_a_full_map_grows),
        TEST(test_a_snapshot_stays),
        TEST(test_reads_move_between_threads),
        TEST(test_cursors),
        TEST(test_a_cursor_is_renewed),
        TEST(test_free_pages_are_counted),
        TEST(test_readers_are_listed),
        TEST(test_dead_readers_are_cleared),
        TEST(test_more_readers_than_may_be),
        TEST(test_open_refuses),
        TEST(test_read_only_does_not_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
