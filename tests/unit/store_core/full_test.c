/* SPDX-License-Identifier: MIT
 *
 * full_test.c: a disk that is full to the last byte, and later is not; a map that is too small.
 *
 * In a child that has a file system of its own, where the machine allows that.
 */
#include "kit.h"

#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CANNOT = 77,
    LIMIT = 40,
    VALUE = 100000
};

static stele_store_stats stat_now(struct kit *k)
{
    stele_store_stats stats;
    stele_error err;

    CHECK_OK(stele_store_stat(k->s, &stats, &err), &err);
    return stats;
}

static void put_large(struct kit *k, unsigned i)
{
    static uint8_t value[VALUE];
    stele_store_batch *b = kit_begin(k);
    char key[16];
    stele_error err;

    memset(value, (int)i, sizeof value);
    (void)snprintf(key, sizeof key, "%06u", i);
    kit_create(b, "b");
    CHECK_OK(stele_store_batch_put(
                     b, stele_str("b"), stele_str(key), stele_bytes_of(value, sizeof value), &err),
            &err);
    kit_end(b);
}

static void check_large(struct kit *k, unsigned count)
{
    static uint8_t value[VALUE];
    stele_store_read *r = kit_read(k);
    uint64_t keys = 0;
    stele_error err;

    for (unsigned i = 0; i < count; i++) {
        stele_bytes found;
        char key[16];

        memset(value, (int)i, sizeof value);
        (void)snprintf(key, sizeof key, "%06u", i);
        CHECK_OK(stele_store_read_get(r, stele_str("b"), stele_str(key), &found, &err), &err);
        CHECK_BYTES(found, stele_bytes_of(value, sizeof value));
    }
    CHECK_OK(stele_store_read_count(r, stele_str("b"), &keys, &err), &err);
    assert_int_equal(keys, count);
    stele_store_read_end(r);
}

/* Take all that is left. */
static void fill_disk(struct kit *k)
{
    static const uint8_t zeros[4096];
    char path[TMPDIR_PATH_SIZE];
    FILE *f;

    tmpdir_path(&k->tmp, "ballast", path);
    f = fopen(path, "w");
    assert_non_null(f);
    setbuf(f, NULL);
    while (fwrite(zeros, 1, sizeof zeros, f) == sizeof zeros) {
    }
    (void)fclose(f);
}

static void make_room(struct kit *k)
{
    char path[TMPDIR_PATH_SIZE];

    tmpdir_path(&k->tmp, "ballast", path);
    assert_int_equal(unlink(path), 0);
}

/* Until batches are refused. Returns how many keys there are. */
static unsigned fill_tables(struct kit *k, unsigned count)
{
    stele_store_batch *b = NULL;
    stele_error err;

    for (;;) {
        stele_code code = stele_store_batch_begin(&b, k->s, NULL, &err);

        if (code != STELE_OK) {
            CHECK_CODE(code, STELE_ENOSPC);
            CHECK_MESSAGE_HAS(&err, "wait for room on the disk");
            return count;
        }
        stele_store_batch_abort(b);
        put_large(k, count++);
        assert_true(count < 20 * LIMIT);
    }
}

static void full_without_thread(struct kit *k)
{
    unsigned count = 0;
    stele_error err;

    kit_open(k);
    put_large(k, count++);
    kit_commit(k);
    fill_disk(k);
    while (!stat_now(k).no_room) {
        put_large(k, count++);
        assert_true(count < 20 * LIMIT);
    }
    CHECK_CODE(stele_store_commit(k->s, &err), STELE_ENOSPC);
    check_large(k, count);
    count = fill_tables(k, count);
    assert_true(count >= 5 * LIMIT);
    check_large(k, count);
    CHECK_CODE(stele_store_commit(k->s, &err), STELE_ENOSPC);
    assert_false(stat_now(k).failed);
    make_room(k);
    kit_commit(k);
    assert_false(stat_now(k).no_room);
    assert_int_equal(stat_now(k).waiting_writes, 0);
    put_large(k, count++);
    check_large(k, count);
    kit_close(k);
    kit_open(k);
    check_large(k, count);
    kit_close(k);
}

/* The thread tries again by itself. */
static void full_with_thread(struct kit *k)
{
    unsigned count = 0;

    k->options.no_background = false;
    k->options.batch_interval_ms = 5;
    kit_open(k);
    put_large(k, count++);
    kit_commit(k);
    fill_disk(k);
    while (!stat_now(k).no_room) {
        /* Enough to be committed; then the thread has to find out. */
        if (count < 2 * LIMIT) {
            put_large(k, count++);
        } else {
            usleep(1000);
        }
    }
    count = fill_tables(k, count);
    make_room(k);
    while (stat_now(k).waiting_writes > 0) {
        usleep(1000);
    }
    put_large(k, count++);
    check_large(k, count);
    kit_close(k);
}

/* Closed while it is full, and lost: the error says so. */
static void full_at_close(struct kit *k)
{
    unsigned count = 0;
    stele_error err;

    kit_open(k);
    put_large(k, count++);
    kit_commit(k);
    fill_disk(k);
    put_large(k, 1);
    put_large(k, 2);
    put_large(k, 3);
    CHECK_CODE(stele_store_close(k->s, &err), STELE_ENOSPC);
    CHECK_MESSAGE_HAS(&err, "not committed");
    make_room(k);
    kit_open(k);
    check_large(k, 1);
    kit_close(k);
}

static void on_small_disk(struct kit *k, void (*run)(struct kit *k))
{
    int status = -1;
    pid_t child;

    kit_close(k);
    child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
            _exit(CANNOT);
        }
        if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
                mount("none", k->tmp.path, "tmpfs", 0, "size=48m") != 0) {
            _exit(CANNOT);
        }
        k->options.batch_limit = LIMIT;
        run(k);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    kit_open(k);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) {
        print_message("SKIPPED: no file system of its own can be had here\n");
        skip();
    }
    assert_int_equal(status, 0);
}

static void test_full_without_thread(void **state)
{
    on_small_disk(*state, full_without_thread);
}

static void test_full_with_thread(void **state)
{
    on_small_disk(*state, full_with_thread);
}

static void test_full_at_close(void **state)
{
    on_small_disk(*state, full_at_close);
}

/* ---- The map. ---- */

/* Sanitizers want most of the address space for themselves. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

#if !defined(SANITIZED)
enum {
    READERS = 2,
    SPACE = 400 << 20,
    MAPPED = 1500 /* values, which do not fit into the first map */
};

struct reader {
    struct kit *k;
    _Atomic unsigned *written;
};

static void check_one(struct kit *k, unsigned i)
{
    stele_store_read *r = kit_read(k);
    stele_bytes found;
    char key[16];
    stele_error err;

    (void)snprintf(key, sizeof key, "%06u", i);
    CHECK_OK(stele_store_read_get(r, stele_str("b"), stele_str(key), &found, &err), &err);
    assert_int_equal(found.len, VALUE);
    for (size_t at = 0; at < VALUE; at += 1000) {
        assert_int_equal(found.data[at], (uint8_t)i);
    }
    stele_store_read_end(r);
}

static void *read_on(void *arg)
{
    struct reader *r = arg;
    unsigned count;

    do {
        count = atomic_load(r->written);
        check_one(r->k, count - 1);
        check_one(r->k, count / 2);
    } while (count < MAPPED);
    return NULL;
}

static void grow_map(struct kit *k)
{
    const struct rlimit limit = {.rlim_cur = SPACE, .rlim_max = SPACE};
    struct reader reader = {.k = k};
    _Atomic unsigned written = 1;
    pthread_t threads[READERS];
    uint64_t before;

    /* Each thread would reserve address space of its own. */
    assert_int_equal(mallopt(M_ARENA_MAX, 1), 1);
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
    kit_open(k);
    before = stat_now(k).map_size;
    put_large(k, 0);
    reader.written = &written;
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &reader), 0);
    }
    for (unsigned i = 1; i < MAPPED; i++) {
        put_large(k, i);
        atomic_store(&written, i + 1);
    }
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_true(before < (uint64_t)MAPPED * VALUE);
    assert_true(stat_now(k).map_size > before);
    kit_close(k);
    kit_open(k);
    check_large(k, MAPPED);
    kit_close(k);
}

static void test_map_grows(void **state)
{
    struct kit *k = *state;
    int status = -1;
    pid_t child;

    kit_close(k);
    child = fork();
    if (child == 0) {
        k->options.batch_limit = LIMIT;
        grow_map(k);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    kit_open(k);
    check_large(k, MAPPED);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full_without_thread, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(test_full_with_thread, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(test_full_at_close, kit_set_up, kit_tear_down),
#if !defined(SANITIZED)
        cmocka_unit_test_setup_teardown(test_map_grows, kit_set_up, kit_tear_down),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
