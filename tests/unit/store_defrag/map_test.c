/* SPDX-License-Identifier: MIT
 *
 * map_test.c: little address space and a small disk: maps that cannot grow, defragmentations that
 * find no room. Each in a child of its own.
 */
#include "base/thread.h"
#include "content.h"
#include "lib/wrap.h"
#include "store/state.h"

#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CANNOT = 77, /* this machine does not let us have one */
    VALUE = 100000,
    MB = 1 << 20
};

/* Sanitizers want most of the address space for themselves. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

static void put_large(struct kit *k, unsigned from, unsigned to)
{
    stele_store_batch *b = kit_begin(k);
    char *value = malloc(VALUE + 1);

    assert_non_null(value);
    kit_create(b, "large");
    for (unsigned i = from; i < to; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "%06u", i);
        memset(value, (int)('a' + i % 26), VALUE);
        value[VALUE] = '\0';
        kit_put(b, "large", key, value);
    }
    free(value);
    kit_end(b);
}

static void in_child(struct kit *k, void (*run)(struct kit *k))
{
    int status = -1;
    pid_t child;

    kit_close(k);
    child = fork();
    if (child == 0) {
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

#if !defined(SANITIZED)

static void set_space(rlim_t space)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = space == 0 ? limit.rlim_max : space;
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
}

/* What the process takes of the address space. */
static uint64_t space_now(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu", &pages), 1);
    (void)fclose(f);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* A map that cannot grow: the store can be read, refuses what would take too much memory, and goes
 * on when there is room. */
static void cannot_grow(struct kit *k)
{
    stele_store_batch *b = NULL;
    stele_error err;
    uint32_t hash;

    k->options.batch_limit = 10;
    kit_open(k);
    kit_put_one(k, "b", "key", "value");
    kit_commit(k);
    CHECK_OK(sti_lmdb_resize(k->s->data->lmdb, 2 * MB, &err), &err);
    put_large(k, 0, 5);
    kit_commit(k);
    set_space(space_now() + 8 * MB);
    put_large(k, 5, 30);
    CHECK_CODE(stele_store_commit(k->s, &err), STELE_ENOMEM);
    CHECK_MESSAGE_HAS(&err, "map");
    hash = content_hash(k->s);
    assert_true(content_stat(k->s).no_room);
    assert_false(content_stat(k->s).failed);
    kit_check_now(k, "b", "key=value");
    for (int i = 0; i < 40; i++) {
        kit_put_one(k, "b", "key", "another");
    }
    CHECK_CODE(stele_store_batch_begin(&b, k->s, NULL, &err), STELE_ENOSPC);
    kit_check_now(k, "b", "key=another");
    set_space(0);
    kit_commit(k);
    assert_false(content_stat(k->s).no_room);
    assert_int_not_equal(content_hash(k->s), hash);
    put_large(k, 0, 60);
    kit_commit(k);
    hash = content_hash(k->s);
    kit_close(k);
    kit_open(k);
    assert_int_equal(content_hash(k->s), hash);
    kit_close(k);
}

static void test_cannot_grow(void **state)
{
    in_child(*state, cannot_grow);
}

/* Somebody takes the address space between the look for it and its use. */
static int pass(struct wrap_vfs *w, const struct wrap_call *call)
{
    (void)w;
    (void)call;
    return 0;
}

static void take_space(struct wrap_vfs *w, const struct wrap_call *call, int64_t rc)
{
    (void)w;
    if (call->op == WRAP_MAP && rc >= 0) {
        set_space((rlim_t)MB);
    }
}

static void lose_map(struct kit *k)
{
    struct wrap_vfs wrap;
    stele_store_batch *b = NULL;
    stele_store_read *r = NULL;
    stele_env env;
    stele_error err;

    wrap_init(&wrap, pass);
    stele_env_init(&env);
    env.vfs = &wrap.vfs;
    k->options.env = &env;
    kit_open(k);
    put_large(k, 0, 5);
    kit_commit(k);
    CHECK_OK(sti_lmdb_resize(k->s->data->lmdb, 1 * MB, &err), &err);
    put_large(k, 5, 30);
    wrap.after = take_space;
    CHECK_CODE(stele_store_commit(k->s, &err), STELE_EFAILED);
    wrap.after = NULL;
    set_space(0);
    /* An error, not a signal. */
    CHECK_CODE(stele_store_read_begin(&r, k->s, &err), STELE_ENOMEM);
    CHECK_CODE(stele_store_batch_begin(&b, k->s, NULL, &err), STELE_EFAILED);
    CHECK_CODE(stele_store_commit(k->s, &err), STELE_EFAILED);
    CHECK_CODE(stele_store_defrag(k->s, NULL, NULL, NULL, &err), STELE_EFAILED);
    CHECK_CODE(stele_store_close(k->s, &err), STELE_EFAILED);
    kit_open(k);
    assert_int_equal(content_stat(k->s).keys, 5);
    kit_close(k);
}

static void test_lost(void **state)
{
    in_child(*state, lose_map);
}

/* Two maps at once in little space: the second one is small, and grows while it is filled. */
static void defrag_in_little_space(struct kit *k)
{
    stele_store_stats stats;
    stele_error err;
    uint32_t hash;

    assert_int_equal(mallopt(M_ARENA_MAX, 1), 1);
    set_space((rlim_t)300 * MB);
    kit_open(k);
    content_fill(k, 2);
    for (unsigned i = 0; i < 300; i += 50) {
        put_large(k, i, i + 50);
        kit_commit(k);
    }
    hash = content_hash(k->s);
    stats = content_stat(k->s);
    CHECK_OK(stele_store_defrag(k->s, NULL, NULL, NULL, &err), &err);
    assert_true(content_stat(k->s).size > 300 * VALUE);
    assert_true(content_stat(k->s).map_size < stats.map_size);
    assert_int_equal(content_hash(k->s), hash);
    put_large(k, 300, 350);
    kit_commit(k);
    hash = content_hash(k->s);
    kit_close(k);
    kit_open(k);
    assert_int_equal(content_hash(k->s), hash);
    kit_close(k);
}

static void test_little_space(void **state)
{
    in_child(*state, defrag_in_little_space);
}

/* With so little that the second map cannot be had at all, the store is as before. */
static void defrag_without_space(struct kit *k)
{
    stele_error err;
    uint32_t hash;

    kit_open(k);
    put_large(k, 0, 100);
    kit_commit(k);
    hash = content_hash(k->s);
    set_space(space_now() + 4 * MB);
    CHECK_CODE(stele_store_defrag(k->s, NULL, NULL, NULL, &err), STELE_ENOMEM);
    assert_int_equal(content_hash(k->s), hash);
    content_check_files(k, 1);
    kit_put_one(k, "b", "key", "value");
    kit_commit(k);
    set_space(0);
    CHECK_OK(stele_store_defrag(k->s, NULL, NULL, NULL, &err), &err);
    kit_check_now(k, "b", "key=value");
    kit_close(k);
}

static void test_without_space(void **state)
{
    in_child(*state, defrag_without_space);
}
#endif

/* ---- The disk. ---- */

static void on_a_disk(struct kit *k)
{
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        _exit(CANNOT);
    }
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("none", k->tmp.path, "tmpfs", 0, "size=40m") != 0) {
        _exit(CANNOT);
    }
}

/* There is no room for a second copy: the store is as before, and what the attempt wrote is gone.
 */
static void defrag_on_full_disk(struct kit *k)
{
    stele_error err;
    uint32_t hash;

    on_a_disk(k);
    k->options.no_background = false;
    k->options.batch_interval_ms = 10;
    kit_open(k);
    content_fill(k, 2);
    put_large(k, 0, 250);
    kit_commit(k);
    hash = content_hash(k->s);
    for (int i = 0; i < 3; i++) {
        CHECK_CODE(stele_store_defrag(k->s, NULL, NULL, NULL, &err), STELE_ENOSPC);
        content_check_files(k, 1);
        assert_int_equal(content_hash(k->s), hash);
    }
    kit_put_one(k, "b", "key", "value");
    kit_commit(k);
    assert_false(content_stat(k->s).failed);
    /* With less in it there is room. */
    for (unsigned i = 0; i < 200; i++) {
        char key[16];
        stele_store_batch *b = kit_begin(k);

        (void)snprintf(key, sizeof key, "%06u", i);
        kit_delete(b, "large", key);
        kit_end(b);
    }
    kit_commit(k);
    CHECK_OK(stele_store_defrag(k->s, NULL, NULL, NULL, &err), &err);
    hash = content_hash(k->s);
    content_check_files(k, 2);
    kit_close(k);
    kit_open(k);
    assert_int_equal(content_hash(k->s), hash);
    kit_check_now(k, "b", "key=value");
    kit_close(k);
}

static void test_full_disk(void **state)
{
    in_child(*state, defrag_on_full_disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if !defined(SANITIZED)
        cmocka_unit_test_setup_teardown(test_cannot_grow, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(test_lost, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(test_little_space, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(test_without_space, kit_set_up, kit_tear_down),
#endif
        cmocka_unit_test_setup_teardown(test_full_disk, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
