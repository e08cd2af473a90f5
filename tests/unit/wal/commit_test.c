/* SPDX-License-Identifier: MIT
 *
 * commit_test.c: group commit over a file that is none.
 */
#include "wal/commit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "lib/check.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    THREADS = 8,
    EACH = 200,
    FILE_MAX = 1 << 20
};

/* Where the bytes go: a file in memory, which can be told to wait and to fail. */
struct fake {
    struct sti_commit *c;
    uint8_t *bytes;
    size_t len;
    size_t writes;
    size_t appends;
    size_t largest;
    size_t failures;
    stele_code fail;   /* of the next write */
    atomic_bool hold;  /* a write waits as long as this is set */
    atomic_int inside; /* writes that are going on */
    int most_inside;
    size_t written; /* not published yet */
};

static stele_code fake_write(void *arg, const uint8_t *data, size_t len, stele_error *err)
{
    struct fake *f = arg;
    int inside = atomic_fetch_add(&f->inside, 1) + 1;
    stele_code rc = f->fail;

    f->most_inside = inside > f->most_inside ? inside : f->most_inside;
    while (atomic_load(&f->hold)) {
        sti_thread_yield();
    }
    f->writes++;
    f->largest = len > f->largest ? len : f->largest;
    if (rc == STELE_OK) {
        assert_true(f->len + len <= FILE_MAX);
        memcpy(f->bytes + f->len, data, len);
        f->written = len;
    } else {
        (void)sti_fail_errno(err, ENOSPC, "the fake fails");
        err->code = rc;
        f->fail = STELE_OK;
    }
    (void)atomic_fetch_sub(&f->inside, 1);
    return rc;
}

static void fake_done(void *arg, size_t len, size_t appends)
{
    struct fake *f = arg;

    assert_int_equal(len, f->written);
    f->len += len;
    f->appends += appends;
    f->written = 0;
}

static void fake_failed(void *arg, stele_code code)
{
    struct fake *f = arg;

    assert_int_not_equal(code, STELE_OK);
    f->failures++;
}

static const struct sti_commit_ops fake_ops = {fake_write, fake_done, fake_failed};

static void fake_init(struct fake *f)
{
    stele_error err;

    memset(f, 0, sizeof *f);
    f->bytes = calloc(1, FILE_MAX);
    assert_non_null(f->bytes);
    CHECK_OK(sti_commit_new(&f->c, &fake_ops, f, &err), &err);
}

static void fake_free(struct fake *f)
{
    sti_commit_free(f->c);
    free(f->bytes);
}

static uint64_t add(struct fake *f, const char *text)
{
    stele_error err;
    uint64_t ticket;
    uint8_t *room;

    sti_commit_lock_to_add(f->c);
    room = sti_commit_reserve(f->c, strlen(text), &err);
    assert_non_null(room);
    memcpy(room, text, strlen(text));
    ticket = sti_commit_add(f->c, strlen(text));
    sti_commit_unlock(f->c);
    return ticket;
}

/* ---- One thread. ---- */

static void what_is_pending_goes_in_one_write(void **state)
{
    struct fake f;
    stele_error err;
    uint64_t a;
    uint64_t b;
    uint64_t c;

    (void)state;
    fake_init(&f);
    a = add(&f, "one");
    b = add(&f, "two");
    assert_true(a > 0);
    assert_true(b > a);
    assert_int_equal(sti_commit_done(f.c), 0);
    CHECK_OK(sti_commit_wait(f.c, a, NULL, &err), &err);
    assert_int_equal(f.writes, 1);
    assert_int_equal(f.appends, 2);
    assert_int_equal(sti_commit_done(f.c), b);
    CHECK_OK(sti_commit_wait(f.c, b, NULL, &err), &err);
    CHECK_OK(sti_commit_wait(f.c, a, NULL, &err), &err);
    assert_int_equal(f.writes, 1);
    c = add(&f, "three");
    sti_commit_flush(f.c);
    assert_int_equal(sti_commit_done(f.c), c);
    sti_commit_flush(f.c);
    assert_int_equal(f.writes, 2);
    assert_memory_equal(f.bytes, "onetwothree", 11);
    fake_free(&f);
}

static void an_append_of_nothing_is_done_with_what_is_before_it(void **state)
{
    struct fake f;
    stele_error err;
    uint64_t a;
    uint64_t b;

    (void)state;
    fake_init(&f);
    a = add(&f, "");
    assert_int_equal(sti_commit_done(f.c), a);
    a = add(&f, "x");
    b = add(&f, "");
    assert_int_equal(sti_commit_done(f.c), a - 1);
    CHECK_OK(sti_commit_wait(f.c, b, NULL, &err), &err);
    assert_int_equal(f.writes, 1);
    assert_int_equal(f.appends, 1);
    assert_int_equal(sti_commit_done(f.c), b);
    fake_free(&f);
}

static void tickets_that_were_not_given(void **state)
{
    struct fake f;
    uint64_t a;

    (void)state;
    fake_init(&f);
    CHECK_CODE(sti_commit_wait(f.c, 0, NULL, NULL), STELE_EINVAL);
    CHECK_CODE(sti_commit_wait(f.c, 1, NULL, NULL), STELE_EINVAL);
    a = add(&f, "x");
    CHECK_CODE(sti_commit_wait(f.c, a + 1, NULL, NULL), STELE_EINVAL);
    CHECK_OK(sti_commit_wait(f.c, a, NULL, NULL), NULL);
    fake_free(&f);
}

static void a_failure_is_that_of_all_that_is_pending(void **state)
{
    struct fake f;
    stele_error err;
    uint64_t a;
    uint64_t b;
    uint64_t c;

    (void)state;
    fake_init(&f);
    a = add(&f, "a");
    CHECK_OK(sti_commit_wait(f.c, a, NULL, &err), &err);
    f.fail = STELE_ENOSPC;
    b = add(&f, "b");
    c = add(&f, "c");
    CHECK_CODE(sti_commit_wait(f.c, c, NULL, &err), STELE_ENOSPC);
    CHECK_MESSAGE_HAS(&err, "the fake fails");
    assert_int_equal(err.sys_errno, ENOSPC);
    assert_int_equal(f.failures, 1);
    assert_int_equal(sti_commit_done(f.c), c);
    CHECK_CODE(sti_commit_wait(f.c, b, NULL, &err), STELE_ENOSPC);
    CHECK_OK(sti_commit_wait(f.c, a, NULL, &err), &err);
    a = add(&f, "d");
    CHECK_OK(sti_commit_wait(f.c, a, NULL, &err), &err);
    CHECK_CODE(sti_commit_wait(f.c, c, NULL, &err), STELE_ENOSPC);
    assert_int_equal(f.len, 2);
    assert_memory_equal(f.bytes, "ad", 2);
    fake_free(&f);
}

/* More failures than are told apart: what failed never counts as written. */
static void very_many_failures(void **state)
{
    struct fake f;
    uint64_t bad[100];
    uint64_t good[100];

    (void)state;
    fake_init(&f);
    for (int i = 0; i < 100; i++) {
        good[i] = add(&f, "g");
        CHECK_OK(sti_commit_wait(f.c, good[i], NULL, NULL), NULL);
        f.fail = STELE_EIO;
        bad[i] = add(&f, "b");
        CHECK_CODE(sti_commit_wait(f.c, bad[i], NULL, NULL), STELE_EIO);
    }
    for (int i = 0; i < 100; i++) {
        CHECK_CODE(sti_commit_wait(f.c, bad[i], NULL, NULL), STELE_EIO);
    }
    CHECK_OK(sti_commit_wait(f.c, good[0], NULL, NULL), NULL);
    CHECK_OK(sti_commit_wait(f.c, good[99], NULL, NULL), NULL);
    fake_free(&f);
}

static void failures_in_a_row_take_no_room(void **state)
{
    struct fake f;
    uint64_t first;

    (void)state;
    fake_init(&f);
    f.fail = STELE_EIO;
    first = add(&f, "x");
    CHECK_CODE(sti_commit_wait(f.c, first, NULL, NULL), STELE_EIO);
    CHECK_OK(sti_commit_wait(f.c, add(&f, "y"), NULL, NULL), NULL);
    for (int i = 0; i < 1000; i++) {
        f.fail = STELE_ENOSPC;
        CHECK_CODE(sti_commit_wait(f.c, add(&f, "x"), NULL, NULL), STELE_ENOSPC);
    }
    CHECK_CODE(sti_commit_wait(f.c, first, NULL, NULL), STELE_EIO);
    CHECK_OK(sti_commit_wait(f.c, first + 1, NULL, NULL), NULL);
    CHECK_CODE(sti_commit_wait(f.c, first + 2, NULL, NULL), STELE_ENOSPC);
    fake_free(&f);
}

static void a_large_append(void **state)
{
    struct fake f;
    uint8_t *room;
    uint64_t ticket;
    const size_t len = 300 << 10;

    (void)state;
    fake_init(&f);
    (void)add(&f, "before");
    sti_commit_lock_to_add(f.c);
    assert_int_equal(sti_commit_pending(f.c), 6);
    room = sti_commit_reserve(f.c, len, NULL);
    assert_non_null(room);
    memset(room, 'z', len);
    ticket = sti_commit_add(f.c, len);
    assert_int_equal(sti_commit_last(f.c), ticket);
    assert_int_equal(sti_commit_pending(f.c), 6 + len);
    sti_commit_unlock(f.c);
    CHECK_OK(sti_commit_wait(f.c, ticket, NULL, NULL), NULL);
    assert_memory_equal(f.bytes, "beforezzz", 9);
    assert_int_equal(f.bytes[5 + len], 'z');
    fake_free(&f);
}

static void entering_writes_what_is_pending(void **state)
{
    struct fake f;
    uint64_t a;

    (void)state;
    fake_init(&f);
    a = add(&f, "abc");
    sti_commit_enter(f.c);
    assert_int_equal(f.len, 3);
    assert_int_equal(sti_commit_done(f.c), a);
    sti_commit_leave(f.c);
    f.fail = STELE_EIO;
    a = add(&f, "d");
    sti_commit_enter(f.c);
    sti_commit_leave(f.c);
    CHECK_CODE(sti_commit_wait(f.c, a, NULL, NULL), STELE_EIO);
    fake_free(&f);
}

/* ---- Several. ---- */

struct waiter {
    struct fake *f;
    struct sti_thread thread;
    uint64_t ticket;
    stele_wait wait;
    stele_code rc;
};

static void *wait_run(void *arg)
{
    struct waiter *w = arg;

    w->rc = sti_commit_wait(w->f->c, w->ticket, &w->wait, NULL);
    return NULL;
}

static void wait_until_writing(struct fake *f)
{
    while (atomic_load(&f->inside) == 0) {
        sti_thread_yield();
    }
}

static void waiting_ends_in_time_and_when_canceled(void **state)
{
    struct fake f;
    struct waiter leader = {.f = &f, .wait = {STELE_FOREVER, NULL}};
    struct waiter canceled = {.f = &f, .wait = {STELE_FOREVER, NULL}};
    stele_wait now = {0, NULL};
    stele_wait soon = {20, NULL};
    stele_cancel *cancel;

    (void)state;
    fake_init(&f);
    CHECK_OK(stele_cancel_new(&cancel, NULL), NULL);
    atomic_store(&f.hold, true);
    leader.ticket = add(&f, "a");
    CHECK_CODE(sti_commit_wait(f.c, leader.ticket, &now, NULL), STELE_ETIMEDOUT);
    CHECK_OK(sti_thread_start(&leader.thread, wait_run, &leader, NULL), NULL);
    wait_until_writing(&f);
    canceled.ticket = add(&f, "b");
    canceled.wait.cancel = cancel;
    CHECK_OK(sti_thread_start(&canceled.thread, wait_run, &canceled, NULL), NULL);
    CHECK_CODE(sti_commit_wait(f.c, leader.ticket, &soon, NULL), STELE_ETIMEDOUT);
    CHECK_CODE(sti_commit_wait(f.c, canceled.ticket, &soon, NULL), STELE_ETIMEDOUT);
    stele_cancel_trigger(cancel);
    sti_thread_join(&canceled.thread);
    CHECK_CODE(canceled.rc, STELE_ECANCELED);
    assert_int_equal(sti_commit_done(f.c), 0);
    atomic_store(&f.hold, false);
    sti_thread_join(&leader.thread);
    CHECK_OK(leader.rc, NULL);
    /* Neither said anything about the append. */
    canceled.wait.cancel = NULL;
    CHECK_OK(sti_commit_wait(f.c, canceled.ticket, &canceled.wait, NULL), NULL);
    assert_memory_equal(f.bytes, "ab", 2);
    stele_cancel_free(cancel);
    fake_free(&f);
}

/* What came while a write failed was to follow it. */
static void a_failure_reaches_those_who_came_meanwhile(void **state)
{
    struct fake f;
    struct waiter a = {.f = &f, .wait = {STELE_FOREVER, NULL}};
    struct waiter b = {.f = &f, .wait = {STELE_FOREVER, NULL}};

    (void)state;
    fake_init(&f);
    atomic_store(&f.hold, true);
    f.fail = STELE_EIO;
    a.ticket = add(&f, "a");
    CHECK_OK(sti_thread_start(&a.thread, wait_run, &a, NULL), NULL);
    wait_until_writing(&f);
    b.ticket = add(&f, "b");
    CHECK_OK(sti_thread_start(&b.thread, wait_run, &b, NULL), NULL);
    atomic_store(&f.hold, false);
    sti_thread_join(&a.thread);
    sti_thread_join(&b.thread);
    CHECK_CODE(a.rc, STELE_EIO);
    CHECK_CODE(b.rc, STELE_EIO);
    assert_int_equal(f.writes, 1);
    assert_int_equal(f.len, 0);
    fake_free(&f);
}

/* A group is done with its own sync, not with the one before. */
static void the_next_group_waits_for_its_own_write(void **state)
{
    struct fake f;
    struct waiter a = {.f = &f, .wait = {STELE_FOREVER, NULL}};
    uint64_t b;

    (void)state;
    fake_init(&f);
    atomic_store(&f.hold, true);
    a.ticket = add(&f, "a");
    CHECK_OK(sti_thread_start(&a.thread, wait_run, &a, NULL), NULL);
    wait_until_writing(&f);
    b = add(&f, "b");
    atomic_store(&f.hold, false);
    sti_thread_join(&a.thread);
    CHECK_OK(a.rc, NULL);
    assert_int_equal(f.len, 1);
    assert_int_equal(sti_commit_done(f.c), a.ticket);
    CHECK_OK(sti_commit_wait(f.c, b, NULL, NULL), NULL);
    assert_int_equal(f.len, 2);
    fake_free(&f);
}

struct many {
    struct fake *f;
    struct sti_thread thread;
    int number;
};

static void *many_run(void *arg)
{
    struct many *m = arg;
    char text[16];

    for (int i = 0; i < EACH; i++) {
        uint64_t ticket;
        stele_wait little = {1, NULL};

        (void)snprintf(text, sizeof text, "%02d:%05d;", m->number, i);
        if (i % 50 == 49) {
            sti_commit_enter(m->f->c);
            assert_int_equal(atomic_load(&m->f->inside), 0);
            sti_commit_leave(m->f->c);
        }
        ticket = add(m->f, text);
        if (i % 7 == 0) {
            stele_code rc = sti_commit_wait(m->f->c, ticket, &little, NULL);

            assert_true(rc == STELE_OK || rc == STELE_ETIMEDOUT);
        }
        if (i % 3 != 0) {
            CHECK_OK(sti_commit_wait(m->f->c, ticket, NULL, NULL), NULL);
            assert_true(sti_commit_done(m->f->c) >= ticket);
        }
    }
    sti_commit_flush(m->f->c);
    return NULL;
}

static void many_threads(void **state)
{
    struct fake f;
    struct many m[THREADS];
    int next[THREADS] = {0};

    (void)state;
    fake_init(&f);
    for (int i = 0; i < THREADS; i++) {
        m[i].f = &f;
        m[i].number = i;
        CHECK_OK(sti_thread_start(&m[i].thread, many_run, &m[i], NULL), NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        sti_thread_join(&m[i].thread);
    }
    assert_int_equal(f.len, (size_t)THREADS * EACH * 9);
    assert_int_equal(f.appends, THREADS * EACH);
    assert_int_equal(f.most_inside, 1);
    for (size_t at = 0; at < f.len; at += 9) {
        int number = atoi((const char *)f.bytes + at);

        assert_int_equal(atoi((const char *)f.bytes + at + 3), next[number]);
        next[number]++;
    }
    fake_free(&f);
}

/* ---- Memory. ---- */

static bool fails_at(void *arg)
{
    int *left = arg;

    return (*left)-- == 0;
}

static void no_memory(void **state)
{
    struct sti_commit *c = NULL;
    stele_error err;
    struct fake f;
    int left = 0;

    (void)state;
    sti_alloc_set_hook(fails_at, &left);
    CHECK_CODE(sti_commit_new(&c, &fake_ops, &f, &err), STELE_ENOMEM);
    sti_alloc_set_hook(NULL, NULL);
    assert_null(c);
    fake_init(&f);
    left = 0;
    sti_alloc_set_hook(fails_at, &left);
    sti_commit_lock_to_add(f.c);
    assert_null(sti_commit_reserve(f.c, 10, &err));
    sti_commit_unlock(f.c);
    sti_alloc_set_hook(NULL, NULL);
    CHECK_CODE(err.code, STELE_ENOMEM);
    sti_commit_lock(f.c);
    assert_null(sti_commit_reserve(f.c, SIZE_MAX - 1, &err));
    sti_commit_unlock(f.c);
    CHECK_OK(sti_commit_wait(f.c, add(&f, "later"), NULL, &err), &err);
    assert_int_equal(f.len, 5);
    fake_free(&f);
    sti_commit_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(what_is_pending_goes_in_one_write),
            cmocka_unit_test(an_append_of_nothing_is_done_with_what_is_before_it),
            cmocka_unit_test(tickets_that_were_not_given),
            cmocka_unit_test(a_failure_is_that_of_all_that_is_pending),
            cmocka_unit_test(very_many_failures),
            cmocka_unit_test(failures_in_a_row_take_no_room),
            cmocka_unit_test(a_large_append),
            cmocka_unit_test(entering_writes_what_is_pending),
            cmocka_unit_test(waiting_ends_in_time_and_when_canceled),
            cmocka_unit_test(a_failure_reaches_those_who_came_meanwhile),
            cmocka_unit_test(the_next_group_waits_for_its_own_write),
            cmocka_unit_test(many_threads),
            cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
