/* SPDX-License-Identifier: MIT
 *
 * kill_test.c: processes that are killed while they write and defragment.
 *
 * Each batch writes its number under all keys, ends durably, and is reported by a pipe. What was
 * reported is there after the kill, whole; nothing is left over; and the next process goes on.
 */
#include "base/coding.h"
#include "base/thread.h"
#include "content.h"
#include "lib/stress.h"
#include "lib/wrap.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    KEYS = 30,
    VALUE = 500
};

/* ---- Writing, in the child. ---- */

static stele_code write_number(stele_store *s, uint64_t number, bool durable)
{
    stele_store_batch *b = NULL;
    uint8_t value[VALUE];
    stele_error err;
    stele_code code = stele_store_batch_begin(&b, s, NULL, &err);

    memset(value, (int)number, sizeof value);
    sti_put_le64(value, number);
    code = code == STELE_OK ? stele_store_batch_create_bucket(b, stele_str("b"), &err) : code;
    for (int i = 0; i < KEYS && code == STELE_OK; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "key %d", i);
        code = stele_store_batch_put(b, stele_str("b"), stele_str(key),
                stele_bytes_of(value, 8 + (size_t)(number * 7 + (unsigned)i) % (VALUE - 8)), &err);
    }
    if (code != STELE_OK) {
        return code;
    }
    return durable ? stele_store_batch_end_durable(b, &err) : stele_store_batch_end(b, &err);
}

struct child {
    stele_store *s;
};

static void *defragment(void *arg)
{
    struct child *c = arg;

    while (stele_store_defrag(c->s, NULL, NULL, NULL, NULL) == STELE_OK) {
        sti_thread_yield();
    }
    return NULL;
}

/* Until it is killed. */
static void write_on(struct kit *k, uint64_t number, int fd)
{
    struct child c = {.s = NULL};
    struct sti_thread thread;

    k->options.batch_limit = 50;
    k->options.batch_interval_ms = 1;
    if (stele_store_open(&c.s, k->tmp.path, &k->options, NULL) != STELE_OK ||
            sti_thread_start(&thread, defragment, &c, NULL) != STELE_OK) {
        _exit(1);
    }
    for (;;) {
        bool durable = ++number % 3 != 0;

        if (write_number(c.s, number, durable) != STELE_OK) {
            _exit(1);
        }
        if (durable && write(fd, &number, sizeof number) != (ssize_t)sizeof number) {
            _exit(1);
        }
    }
}

/* ---- Judging. ---- */

struct judged {
    uint64_t number;
    uint64_t count;
};

static stele_code on_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct judged *j = arg;
    uint64_t number = sti_get_le64(value.data);

    (void)key;
    (void)err;
    assert_true(j->count == 0 || number == j->number);
    j->number = number;
    j->count++;
    return STELE_OK;
}

/* The number that is there, 0 for none. */
static uint64_t judge(struct kit *k)
{
    struct judged j = {.count = 0};
    stele_store_stats stats;
    stele_store_read *r;
    stele_error err;
    stele_code code;

    kit_open(k);
    r = kit_read(k);
    code = stele_store_read_for_each(r, stele_str("b"), on_pair, &j, &err);
    stele_store_read_end(r);
    if (code != STELE_ENOTFOUND) {
        CHECK_OK(code, &err);
        assert_int_equal(j.count, KEYS);
    }
    stats = content_stat(k->s);
    content_check_files(k, stats.generation);
    kit_close(k);
    return j.number;
}

/* ---- Killed from outside. ---- */

static uint64_t one_kill(struct kit *k, uint64_t number, uint64_t *seed)
{
    uint64_t wanted = stress_draw(seed) % 30;
    uint64_t seen = number;
    uint64_t found;
    int fds[2];
    pid_t child;
    ssize_t n;

    assert_int_equal(pipe(fds), 0);
    child = fork();
    if (child == 0) {
        close(fds[0]);
        write_on(k, number, fds[1]);
    }
    close(fds[1]);
    for (uint64_t i = 0; i <= wanted; i++) {
        n = read(fds[0], &seen, sizeof seen);
        assert_int_equal(n, sizeof seen);
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    while (read(fds[0], &seen, sizeof seen) == (ssize_t)sizeof seen) {
    }
    close(fds[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    found = judge(k);
    assert_true(found >= seen);
    return found;
}

static void test_killed(void **state)
{
    struct kit *k = *state;
    unsigned kills = getenv("STELE_FULL") == NULL ? 25 : 1000;
    uint64_t generation;
    uint64_t number = 0;
    uint64_t seed = 4711;

    kit_close(k);
    k->options.no_background = false;
    for (unsigned i = 0; i < kills; i++) {
        number = one_kill(k, number, &seed);
    }
    kit_open(k);
    generation = content_stat(k->s).generation;
    print_message("%u kills, seed 4711: %llu batches, %llu generations\n", kills,
            (unsigned long long)number, (unsigned long long)generation);
    assert_true(generation > kills / 10);
    k->options.no_background = true;
}

/* ---- Killed at a step. ---- */

struct step {
    struct wrap_vfs wrap;
    bool armed;
    int left;
};

static int before(struct wrap_vfs *w, const struct wrap_call *call)
{
    struct step *s = (struct step *)(void *)((char *)w - offsetof(struct step, wrap));

    (void)call;
    if (s->armed && s->left-- == 0) {
        (void)kill(getpid(), SIGKILL);
    }
    return 0;
}

/* Before the n-th operation of a defragmentation. */
static void defrag_to(struct kit *k, int n)
{
    struct step step = {.left = n};
    stele_env env;

    wrap_init(&step.wrap, before);
    stele_env_init(&env);
    env.vfs = &step.wrap.vfs;
    k->options.env = &env;
    if (stele_store_open(&k->s, k->tmp.path, &k->options, NULL) != STELE_OK ||
            write_number(k->s, (uint64_t)n + 1, true) != STELE_OK) {
        _exit(1);
    }
    step.armed = true;
    if (stele_store_defrag(k->s, NULL, NULL, NULL, NULL) != STELE_OK) {
        _exit(1);
    }
    step.armed = false;
    _exit(0);
}

static void test_every_step(void **state)
{
    struct kit *k = *state;
    int status = SIGKILL;
    int n = 0;

    kit_close(k);
    for (; WIFSIGNALED(status); n++) {
        pid_t child = fork();

        if (child == 0) {
            defrag_to(k, n);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
        assert_int_equal(judge(k), n + 1);
    }
    assert_true(n > 20);
    kit_open(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_every_step, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_killed, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
