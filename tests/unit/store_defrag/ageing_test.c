/* SPDX-License-Identifier: MIT
 *
 * ageing_test.c: readers that stay too long, by a clock that the test sets.
 */
#include "base/thread.h"
#include "content.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS ((uint64_t)1000000)

enum {
    LIMIT_MS = 1000
};

struct ageing {
    struct kit kit; /* first, so that its functions can be used */
    stele_env env;
    _Atomic uint64_t now; /* ns */
    _Atomic unsigned told;
    stele_store_reader last;
    bool reads; /* the callback uses the store */
};

static uint64_t clock_of(void *arg)
{
    struct ageing *a = arg;

    return atomic_load(&a->now);
}

static void on_old(void *arg, const stele_store_reader *reader)
{
    struct ageing *a = arg;

    a->last = *reader;
    if (a->reads) {
        kit_put_one(&a->kit, "told", "key", "value");
        kit_check_now(&a->kit, "told", "key=value");
        kit_commit(&a->kit);
    }
    atomic_fetch_add(&a->told, 1);
}

static int set_up(void **state)
{
    struct ageing *a = calloc(1, sizeof *a);
    struct kit *k;

    assert_non_null(a);
    k = &a->kit;
    stele_env_init(&a->env);
    a->env.arg = a;
    a->env.monotonic_ns = clock_of;
    tmpdir_make(&k->tmp);
    stele_store_options_init(&k->options);
    k->options.env = &a->env;
    k->options.no_background = true;
    k->options.no_sync = true;
    k->options.batch_interval_ms = 1000000;
    k->options.reader_age_max_ms = LIMIT_MS;
    k->options.reader_old = on_old;
    k->options.reader_old_arg = a;
    kit_open(k);
    *state = a;
    return 0;
}

static unsigned look(struct ageing *a)
{
    unsigned before = atomic_load(&a->told);

    kit_commit(&a->kit);
    return atomic_load(&a->told) - before;
}

static void test_own(void **state)
{
    struct ageing *a = *state;
    struct kit *k = &a->kit;
    stele_store_read *first;
    stele_store_read *second;

    kit_put_one(k, "b", "key", "value");
    assert_int_equal(look(a), 0);
    first = kit_read(k);
    a->now += LIMIT_MS * MS;
    assert_int_equal(look(a), 0);
    second = kit_read(k);
    a->now += 2 * MS;
    assert_int_equal(look(a), 1);
    assert_true(a->last.own);
    assert_int_equal(a->last.pid, getpid());
    assert_in_range(a->last.age_ms, LIMIT_MS, LIMIT_MS + 3);
    assert_int_equal(look(a), 0);
    a->now += LIMIT_MS * MS;
    assert_int_equal(look(a), 1);
    assert_int_equal(look(a), 0);
    stele_store_read_end(first);
    stele_store_read_end(second);
    /* The same places with new reads. */
    first = kit_read(k);
    second = kit_read(k);
    assert_int_equal(look(a), 0);
    a->now += (LIMIT_MS + 2) * MS;
    assert_int_equal(look(a), 2);
    assert_int_equal(look(a), 0);
    stele_store_read_end(first);
    stele_store_read_end(second);
}

/* No lock is held: the callback may do anything but close. */
static void test_callback_writes(void **state)
{
    struct ageing *a = *state;
    stele_store_read *r;

    kit_put_one(&a->kit, "b", "key", "value");
    r = kit_read(&a->kit);
    a->reads = true;
    a->now += (LIMIT_MS + 2) * MS;
    assert_int_equal(look(a), 1);
    kit_check_now(&a->kit, "told", "key=value");
    stele_store_read_end(r);
}

/* A read that a defragmentation has left behind pins all of the old file. */
static void test_old_generation(void **state)
{
    struct ageing *a = *state;
    struct kit *k = &a->kit;
    stele_store_read *r;
    stele_error err;
    uint64_t size;

    content_fill(k, 2);
    size = content_stat(k->s).size;
    r = kit_read(k);
    CHECK_OK(stele_store_defrag(k->s, NULL, NULL, NULL, &err), &err);
    a->now += (LIMIT_MS + 2) * MS;
    assert_int_equal(look(a), 1);
    assert_int_equal(a->last.pinned_bytes, size);
    stele_store_read_end(r);
    content_check_files(k, 2);
}

static pid_t start_reader(const struct kit *k, unsigned reads)
{
    int fds[2];
    char byte = 0;
    pid_t child;

    assert_int_equal(pipe(fds), 0);
    child = fork();
    if (child == 0) {
        struct kit other = *k;

        other.options.read_only = true;
        kit_open(&other);
        for (unsigned i = 0; i < reads; i++) {
            (void)kit_read(&other);
        }
        (void)!write(fds[1], "x", 1);
        for (;;) {
            pause();
        }
    }
    assert_int_equal(read(fds[0], &byte, 1), 1);
    close(fds[0]);
    close(fds[1]);
    return child;
}

static void end_reader(pid_t child)
{
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_foreign(void **state)
{
    struct ageing *a = *state;
    struct kit *k = &a->kit;
    pid_t first;
    pid_t second;

    kit_put_one(k, "b", "key", "1");
    kit_commit(k);
    first = start_reader(k, 2);
    a->now += 2 * LIMIT_MS * MS;
    /* It sees all that there is. */
    assert_int_equal(look(a), 0);
    kit_put_one(k, "b", "key", "2");
    kit_commit(k);
    second = start_reader(k, 1);
    a->now += (LIMIT_MS + 1) * MS;
    /* Two reads of one process. */
    assert_int_equal(look(a), 2);
    assert_false(a->last.own);
    assert_int_equal(a->last.pid, first);
    assert_int_equal(look(a), 0);
    kit_put_one(k, "b", "key", "3");
    kit_commit(k);
    a->now += (LIMIT_MS + 1) * MS;
    assert_int_equal(look(a), 1);
    assert_int_equal(a->last.pid, second);
    end_reader(first);
    end_reader(second);
    /* The dead are cleared before, and not told about. */
    kit_close(k);
    k->options.reader_age_max_ms = 1;
    kit_open(k);
    a->now += LIMIT_MS * MS;
    assert_int_equal(look(a), 0);
}

/* One that was there before the store was opened. */
static void test_older_than_the_handle(void **state)
{
    struct ageing *a = *state;
    struct kit *k = &a->kit;
    pid_t child;

    kit_put_one(k, "b", "key", "1");
    kit_commit(k);
    kit_close(k);
    child = start_reader(k, 1);
    kit_open(k);
    kit_put_one(k, "b", "key", "2");
    kit_commit(k);
    kit_close(k);
    kit_open(k);
    assert_int_equal(look(a), 0);
    a->now += (LIMIT_MS + 1) * MS;
    assert_int_equal(look(a), 1);
    assert_int_equal(a->last.age_ms, -1);
    assert_int_equal(look(a), 0);
    end_reader(child);
}

/* By the store's own thread, which does not commit for that. */
static void test_thread(void **state)
{
    struct ageing *a = *state;
    struct kit *k = &a->kit;
    stele_store_read *r;
    uint64_t commits;

    kit_close(k);
    k->options.no_background = false;
    k->options.reader_age_max_ms = 1;
    kit_open(k);
    kit_put_one(k, "b", "key", "value");
    kit_commit(k);
    kit_put_one(k, "b", "key", "waits");
    commits = content_stat(k->s).commits;
    r = kit_read(k);
    a->now += LIMIT_MS * MS;
    while (atomic_load(&a->told) == 0) {
        (void)sti_sleep_ms(1, NULL, NULL);
    }
    assert_int_equal(content_stat(k->s).commits, commits);
    assert_true(a->last.own);
    stele_store_read_end(r);
}

static void test_options(void **state)
{
    struct ageing *a = *state;
    stele_store *s = NULL;
    stele_error err;

    a->kit.options.reader_age_max_ms = -1;
    CHECK_CODE(stele_store_open(&s, a->kit.tmp.path, &a->kit.options, &err), STELE_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_own, set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_callback_writes, set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_old_generation, set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_foreign, set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_older_than_the_handle, set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_thread, set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_options, set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
