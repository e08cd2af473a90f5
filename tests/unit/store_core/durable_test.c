/* SPDX-License-Identifier: MIT
 *
 * durable_test.c: durable ends of batches, and what is there after the process died.
 *
 * A child process writes, and ends without closing. What it acknowledged is noted in memory that it
 * shares with the test.
 */
#include "kit.h"
#include "lib/wrap.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void end_durable(stele_store_batch *b)
{
    stele_error err;

    CHECK_OK(stele_store_batch_end_durable(b, &err), &err);
}

/* Run it in a process that ends at once then. */
static void in_child(struct kit *k, void (*run)(struct kit *k))
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        kit_open(k);
        run(k);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void write_some(struct kit *k)
{
    stele_store_batch *b;

    kit_put_one(k, "b", "a", "1");
    b = kit_begin(k);
    kit_put(b, "b", "b", "2");
    end_durable(b);
    b = kit_begin(k);
    kit_put(b, "b", "lost", "3");
    kit_end(b);
}

static void write_more(struct kit *k)
{
    stele_store_batch *b;

    kit_check_now(k, "b", "a=1 b=2");
    kit_put_one(k, "c", "d", "4");
    b = kit_begin(k);
    kit_delete(b, "b", "a");
    stele_store_batch_abort(b);
    b = kit_begin(k);
    kit_delete(b, "b", "b");
    end_durable(b);
    kit_commit(k);
    b = kit_begin(k);
    end_durable(b);
    b = kit_begin(k);
    kit_put(b, "c", "e", "5");
    end_durable(b);
}

static void drop_and_make(struct kit *k)
{
    stele_store_batch *b = kit_begin(k);

    CHECK_OK(stele_store_batch_delete_bucket(b, stele_str("b"), NULL), NULL);
    kit_create(b, "b");
    kit_create(b, "e");
    kit_put(b, "b", "x", "6");
    if (stele_store_batch_delete_bucket(b, stele_str("c"), NULL) == STELE_OK) {
        kit_put(b, "b", "c is", "gone");
    }
    end_durable(b);
}

static void test_replay(void **state)
{
    struct kit *k = *state;

    kit_close(k);
    in_child(k, write_some);
    kit_open(k);
    kit_check_now(k, "b", "a=1 b=2");
    kit_close(k);
    in_child(k, write_more);
    /* Twice, with nothing in between. */
    for (int i = 0; i < 2; i++) {
        kit_open(k);
        kit_check_now(k, "b", "a=1");
        kit_check_now(k, "c", "d=4 e=5");
        kit_close(k);
    }
    in_child(k, drop_and_make);
    kit_open(k);
    kit_check_now(k, "b", "c is=gone x=6");
    kit_close(k);
    in_child(k, drop_and_make);
    in_child(k, drop_and_make);
    kit_open(k);
    kit_check_now(k, "b", "x=6");
    kit_check_now(k, "c", NULL);
    kit_check_now(k, "e", "");
    kit_put_one(k, "f", "y", "7");
    kit_commit(k);
    kit_check_now(k, "b", "x=6");
    kit_check_now(k, "f", "y=7");
}

static void reopen_twice(struct kit *k)
{
    kit_check_now(k, "b", "a=1 b=2");
}

/* What was replayed and not committed is replayed again. */
static void test_replay_again(void **state)
{
    struct kit *k = *state;

    kit_close(k);
    in_child(k, write_some);
    in_child(k, reopen_twice);
    in_child(k, reopen_twice);
    in_child(k, write_more);
    kit_open(k);
    kit_check_now(k, "c", "d=4 e=5");
}

/* ---- Large ones. ---- */

enum {
    LARGE = 5 << 20
};

static uint8_t *large_value(int n)
{
    uint8_t *value = malloc(LARGE);

    assert_non_null(value);
    memset(value, n, LARGE);
    return value;
}

/* The second time it is more than a record takes. */
static void write_large(struct kit *k)
{
    for (int n = 1; n <= 2; n++) {
        uint8_t *value = large_value(n);
        stele_store_batch *b = kit_begin(k);
        char key[2] = {(char)('0' + n), '\0'};

        kit_create(b, "b");
        for (int i = 0; i < n; i++) {
            key[0] = (char)('0' + n + i);
            CHECK_OK(stele_store_batch_put(
                             b, stele_str("b"), stele_str(key), stele_bytes_of(value, LARGE), NULL),
                    NULL);
        }
        end_durable(b);
        free(value);
    }
}

static void test_large(void **state)
{
    struct kit *k = *state;
    stele_store_read *r;

    kit_close(k);
    in_child(k, write_large);
    kit_open(k);
    r = kit_read(k);
    for (int n = 1; n <= 3; n++) {
        uint8_t *value = large_value(n == 1 ? 1 : 2);
        char key[2] = {(char)('0' + n), '\0'};
        stele_bytes found;
        stele_error err;

        CHECK_OK(stele_store_read_get(r, stele_str("b"), stele_str(key), &found, &err), &err);
        CHECK_BYTES(found, stele_bytes_of(value, LARGE));
        free(value);
    }
    stele_store_read_end(r);
}

/* More than the log keeps before it is trimmed. */
static void test_trim(void **state)
{
    struct kit *k = *state;
    uint8_t *value = large_value(7);
    stele_store_stats stats;
    stele_error err;

    for (int i = 0; i < 20; i++) {
        stele_store_batch *b = kit_begin(k);
        char key[16];

        (void)snprintf(key, sizeof key, "%02d", i % 4);
        kit_create(b, "b");
        CHECK_OK(stele_store_batch_put(
                         b, stele_str("b"), stele_str(key), stele_bytes_of(value, LARGE / 2), &err),
                &err);
        end_durable(b);
        kit_commit(k);
    }
    CHECK_OK(stele_store_stat(k->s, &stats, &err), &err);
    assert_int_equal(stats.durable_batches, 20);
    assert_true(stats.wal_size < (uint64_t)48 << 20);
    free(value);
}

static void test_wal_is_missing(void **state)
{
    struct kit *k = *state;
    stele_store_batch *b;
    stele_error err;
    char from[TMPDIR_PATH_SIZE];
    char to[TMPDIR_PATH_SIZE];

    kit_put_one(k, "b", "a", "1");
    b = kit_begin(k);
    kit_put(b, "b", "b", "2");
    end_durable(b);
    kit_close(k);
    tmpdir_path(&k->tmp, "wal", from);
    tmpdir_path(&k->tmp, "elsewhere", to);
    assert_int_equal(rename(from, to), 0);
    CHECK_CODE(stele_store_open(&k->s, k->tmp.path, &k->options, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "log of durable batches is missing");
    assert_int_equal(rename(to, from), 0);
    kit_open(k);
    kit_check_now(k, "b", "a=1 b=2");
}

/* ---- Killed. ---- */

enum {
    THREADS = 4
};

/* Batch n has the key n, and the key "last" with the value n. */
struct shared {
    _Atomic uint64_t acked; /* the last one that was acknowledged as durable */
    _Atomic uint64_t full;  /* how many found no room */
    _Atomic uint64_t ends;  /* how many durable ends came back, one way or the other */
};

struct writer {
    struct kit *k;
    struct shared *shared;
    unsigned kind; /* 0: durable; others now and then */
    bool may_be_full;
};

/* A disk that has no room for one write in four. What follows puts the log back, and succeeds. */
struct full_disk {
    struct wrap_vfs wrap;
    _Atomic unsigned writes;
};

static int before(struct wrap_vfs *wrap, const struct wrap_call *call)
{
    struct full_disk *d = (struct full_disk *)(void *)wrap;

    if (call->op != WRAP_WRITE) {
        return 0;
    }
    return atomic_fetch_add(&d->writes, 1) % 4 == 3 ? -ENOSPC : 0;
}

static uint64_t read_last(stele_store_read *r)
{
    stele_bytes value;
    uint64_t n = 0;

    if (stele_store_read_get(r, stele_str("b"), stele_str("last"), &value, NULL) == STELE_OK) {
        assert_int_equal(value.len, sizeof n);
        memcpy(&n, value.data, sizeof n);
    }
    return n;
}

static void acknowledge(struct shared *shared, uint64_t n)
{
    uint64_t before = atomic_load(&shared->acked);

    while (before < n && !atomic_compare_exchange_weak(&shared->acked, &before, n)) {
    }
}

static void *run_writer(void *arg)
{
    struct writer *w = arg;

    for (unsigned turn = 1;; turn++) {
        stele_store_batch *b = kit_begin(w->k);
        stele_error err;
        char key[24];
        uint64_t n;

        kit_create(b, "b");
        n = read_last(stele_store_batch_view(b)) + 1;
        (void)snprintf(key, sizeof key, "%020llu", (unsigned long long)n);
        CHECK_OK(stele_store_batch_put(
                         b, stele_str("b"), stele_str(key), stele_bytes_of(&n, sizeof n), &err),
                &err);
        CHECK_OK(stele_store_batch_put(
                         b, stele_str("b"), stele_str("last"), stele_bytes_of(&n, sizeof n), &err),
                &err);
        if (turn % 11 == 0) {
            stele_store_batch_abort(b);
            b = kit_begin(w->k);
            kit_end(b);
        } else if (w->kind == 0 || n % 5 == w->kind) {
            stele_code code = stele_store_batch_end_durable(b, &err);

            if (code == STELE_OK) {
                acknowledge(w->shared, n);
            } else if (code != STELE_ENOSPC || !w->may_be_full) {
                CHECK_OK(code, &err);
            } else {
                atomic_fetch_add(&w->shared->full, 1);
            }
            atomic_fetch_add(&w->shared->ends, 1);
        } else if (n % 97 == 0) {
            CHECK_OK(stele_store_batch_commit_and_stop(b, &err), &err);
            acknowledge(w->shared, n);
        } else {
            kit_end(b);
        }
    }
    return NULL;
}

static void write_until_killed(struct kit *k, struct shared *shared, bool may_be_full)
{
    struct writer writers[THREADS];
    struct full_disk disk = {.writes = 0};
    pthread_t threads[THREADS];
    stele_env env;

    k->options.no_background = false;
    k->options.batch_interval_ms = 3;
    k->options.batch_limit = 50;
    if (may_be_full) {
        wrap_init(&disk.wrap, before);
        stele_env_init(&env);
        env.vfs = &disk.wrap.vfs;
        k->options.env = &env;
    }
    /* Opening may be refused as well; the one after the next is not. */
    while (stele_store_open(&k->s, k->tmp.path, &k->options, NULL) != STELE_OK) {
        assert_true(may_be_full);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){
                .k = k, .shared = shared, .kind = i / 2, .may_be_full = may_be_full};
        assert_int_equal(pthread_create(&threads[i], NULL, run_writer, &writers[i]), 0);
    }
    (void)pthread_join(threads[0], NULL);
}

static stele_code on_numbered(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    uint64_t *next = arg;
    char text[24];
    uint64_t n = 0;

    (void)err;
    if (key.len == 4) {
        return STELE_END; /* "last", the last one */
    }
    /* Where an abort was, the next batch takes the number. */
    (void)snprintf(text, sizeof text, "%020llu", (unsigned long long)*next);
    CHECK_BYTES(key, stele_str(text));
    memcpy(&n, value.data, sizeof n);
    assert_int_equal(n, *next);
    ++*next;
    return STELE_OK;
}

static void verify(struct kit *k, uint64_t acked, uint64_t *last)
{
    stele_store_read *r;
    uint64_t next = 1;
    stele_error err;

    kit_open(k);
    r = kit_read(k);
    *last = read_last(r);
    if (*last > 0) {
        CHECK_OK(stele_store_read_for_each(r, stele_str("b"), on_numbered, &next, &err), &err);
    }
    assert_int_equal(next, *last + 1);
    assert_true(*last >= acked);
    stele_store_read_end(r);
    kit_close(k);
}

/* Until so many durable ends came back, however long that takes. */
static void wait_for_ends(struct shared *shared, pid_t child, uint64_t count)
{
    uint64_t until = atomic_load(&shared->ends) + count;

    while (atomic_load(&shared->ends) < until) {
        int status;

        usleep(200);
        assert_int_equal(waitpid(child, &status, WNOHANG), 0);
    }
}

static void test_killed(void **state)
{
    struct kit *k = *state;
    unsigned rounds = getenv("STELE_FULL") != NULL ? 1000 : 200;
    struct shared *shared =
            mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t last = 0;
    uint64_t total = 0;
    unsigned random = 1;

    assert_true(shared != MAP_FAILED);
    kit_close(k);
    for (unsigned i = 0; i < rounds; i++) {
        int status = 0;
        pid_t child;

        if (i % 40 == 0) {
            tmpdir_remove(&k->tmp);
            tmpdir_make(&k->tmp);
            total += last;
            atomic_store(&shared->acked, 0);
        }
        child = fork();
        if (child == 0) {
            write_until_killed(k, shared, i % 2 == 1);
            _exit(1);
        }
        random = random * 1103515245U + 12345U;
        wait_for_ends(shared, child, 10 + random / 65536 % 40);
        usleep(random / 65536 % 1000);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGKILL);
        verify(k, atomic_load(&shared->acked), &last);
        atomic_store(&shared->acked, last);
    }
    total += last;
    print_message("killed %u times in %llu batches, %llu of which found no room\n", rounds,
            (unsigned long long)total, (unsigned long long)atomic_load(&shared->full));
    assert_true(total > rounds);
    assert_true(atomic_load(&shared->full) > 0);
    assert_int_equal(munmap(shared, sizeof *shared), 0);
    kit_open(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_replay, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_replay_again, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_large, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_trim, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_wal_is_missing, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_killed, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
