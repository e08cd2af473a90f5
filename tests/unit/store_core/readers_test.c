/* SPDX-License-Identifier: MIT
 *
 * readers_test.c: the list of readers, sizes and figures.
 */
#include "kit.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct seen {
    uint64_t count;
    uint64_t own;
    stele_store_reader list[8];
};

static stele_code on_reader(void *arg, const stele_store_reader *reader, stele_error *err)
{
    struct seen *s = arg;

    (void)err;
    assert_true(s->count < 8);
    s->list[s->count++] = *reader;
    s->own += reader->own ? 1U : 0U;
    return STELE_OK;
}

static struct seen look(struct kit *k)
{
    struct seen s = {.count = 0};
    stele_error err;

    CHECK_OK(stele_store_readers(k->s, on_reader, &s, &err), &err);
    return s;
}

static void rewrite(struct kit *k, const char *value)
{
    stele_store_batch *b = kit_begin(k);

    kit_create(b, "b");
    for (int i = 0; i < 2000; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "%06d", i);
        kit_put(b, "b", key, value);
    }
    kit_end(b);
}

static void test_own_readers(void **state)
{
    struct kit *k = *state;
    stele_store_read *early;
    stele_store_read *late;
    struct seen s;
    stele_error err;

    assert_int_equal(look(k).count, 0);
    assert_int_equal(stele_store_open_reads(k->s), 0);
    rewrite(k, "first");
    early = kit_read(k);
    kit_commit(k);
    rewrite(k, "second");
    kit_commit(k);
    late = kit_read(k);
    assert_int_equal(stele_store_open_reads(k->s), 2);
    s = look(k);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.own, 2);
    assert_true(s.list[0].age_ms >= s.list[1].age_ms);
    assert_int_equal(s.list[0].pid, getpid());
    /* The early one, whichever it is, keeps the first table; the late one nothing. */
    assert_true((s.list[0].pinned_memory > 100000) != (s.list[1].pinned_memory > 100000));
    assert_true(s.list[0].pinned_bytes > 0 || s.list[1].pinned_bytes > 0);
    stele_store_read_end(early);
    stele_store_read_end(late);
    assert_int_equal(look(k).count, 0);
    CHECK_CODE(stele_store_readers(k->s, NULL, NULL, &err), STELE_EINVAL);
}

/* A reader of another process, alive and dead. */
static void test_foreign_reader(void **state)
{
    struct kit *k = *state;
    int fds[2];
    char byte = 0;
    int status;
    pid_t child;
    struct seen s;
    uint64_t cleared = 0;
    stele_error err;

    rewrite(k, "first");
    kit_commit(k);
    assert_int_equal(pipe(fds), 0);
    child = fork();
    if (child == 0) {
        struct kit other = *k;

        other.options.read_only = true;
        kit_open(&other);
        (void)kit_read(&other);
        (void)!write(fds[1], "x", 1);
        for (;;) {
            pause();
        }
    }
    assert_int_equal(read(fds[0], &byte, 1), 1);
    s = look(k);
    assert_int_equal(s.count, 1);
    assert_int_equal(s.own, 0);
    assert_int_equal(s.list[0].pid, child);
    rewrite(k, "second");
    kit_commit(k);
    rewrite(k, "third");
    kit_commit(k);
    s = look(k);
    assert_int_equal(s.count, 1);
    assert_true(s.list[0].age_ms >= 0);
    assert_true(s.list[0].pinned_bytes > 10000);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    CHECK_OK(stele_store_clear_stale(k->s, &cleared, &err), &err);
    assert_true(cleared >= 1);
    assert_int_equal(look(k).count, 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_figures(void **state)
{
    struct kit *k = *state;
    stele_store_stats s;
    uint64_t size = 0;
    uint64_t used = 0;
    stele_store_read *r;
    stele_error err;

    rewrite(k, "12345");
    CHECK_OK(stele_store_stat(k->s, &s, &err), &err);
    assert_int_equal(s.waiting_writes, 2001);
    assert_int_equal(s.keys, 0);
    assert_int_equal(s.tables, 1);
    assert_true(s.table_bytes > 2000 * 11);
    assert_int_equal(s.puts, 2000);
    kit_commit(k);
    r = kit_read(k);
    CHECK_OK(stele_store_stat(k->s, &s, &err), &err);
    stele_store_read_end(r);
    assert_int_equal(s.waiting_writes, 0);
    assert_int_equal(s.buckets, 1);
    assert_int_equal(s.keys, 2000);
    assert_int_equal(s.bytes, 2000 * 11);
    assert_int_equal(s.generation, 1);
    assert_int_equal(s.commits, 1);
    assert_int_equal(s.batches, 1);
    assert_int_equal(s.open_reads, 1);
    assert_false(s.failed);
    assert_false(s.no_room);
    CHECK_OK(stele_store_size(k->s, &size, &err), &err);
    CHECK_OK(stele_store_size_in_use(k->s, &used, &err), &err);
    assert_int_equal(size, s.size);
    assert_int_equal(used, s.size_in_use);
    assert_true(used > s.bytes);
    assert_true(used <= size);
    CHECK_CODE(stele_store_stat(k->s, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_size(k->s, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_size_in_use(NULL, &used, &err), STELE_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_own_readers, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_foreign_reader, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_figures, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
