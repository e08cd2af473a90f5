/* SPDX-License-Identifier: MIT
 *
 * wait_test.c: consumers that wait.
 *
 * A waiter is a thread; that it waits is known when the handle counts it.
 */
#include "core.h"
#include "stream/state.h"

#include <pthread.h>

struct waiter {
    stele_stream *s;
    const char *key; /* NULL: any message */
    int64_t offset;
    int64_t timeout_ms;
    stele_cancel *cancel;
    stele_messages *ms;
    stele_error err;
    stele_code rc;
    int64_t next;
    pthread_t thread;
};

static void *run(void *arg)
{
    struct waiter *w = arg;
    const stele_wait wait = {.timeout_ms = w->timeout_ms, .cancel = w->cancel};
    const stele_wait *how = w->timeout_ms == STELE_FOREVER && w->cancel == NULL ? NULL : &wait;

    w->rc = w->key == NULL
                    ? stele_stream_consume_wait(w->s, w->offset, 10, how, w->ms, &w->next, &w->err)
                    : stele_stream_consume_by_key_wait(w->s, stele_str(w->key), w->offset, 10, how,
                              w->ms, &w->next, &w->err);
    return NULL;
}

static void start(struct waiter *w, struct core *c, const char *key, int64_t offset)
{
    if (w->timeout_ms == 0) {
        w->timeout_ms = STELE_FOREVER;
    }
    w->s = c->s;
    w->key = key;
    w->offset = offset;
    w->next = -100;
    CHECK_OK(stele_messages_new(&w->ms, &w->err), &w->err);
    assert_int_equal(pthread_create(&w->thread, NULL, run, w), 0);
}

static void await_waiters(struct core *c, unsigned count)
{
    while (atomic_load(&c->s->waiters) < count) {
        sti_thread_yield();
    }
}

static void join(struct waiter *w, stele_code code)
{
    assert_int_equal(pthread_join(w->thread, NULL), 0);
    CHECK_CODE(w->rc, code);
}

static void end(struct waiter *w)
{
    stele_messages_free(w->ms);
}

static void what_is_there_is_given_at_once(void **state)
{
    const stele_wait none = {.timeout_ms = 0};
    struct core c;
    int64_t next = -1;

    (void)state;
    core_begin(&c);
    core_open(&c);
    core_fill(&c, 4);
    CHECK_OK(stele_stream_consume_wait(c.s, 1, 2, &none, c.ms, &next, &c.err), &c.err);
    assert_int_equal(stele_messages_count(c.ms), 2);
    assert_int_equal(next, 3);
    CHECK_OK(stele_stream_consume_by_key_wait(
                     c.s, stele_str("key-0002"), 0, 2, NULL, c.ms, &next, &c.err),
            &c.err);
    assert_int_equal(stele_messages_at(c.ms, 0)->offset, 2);
    assert_int_equal(next, 3);
    CHECK_OK(stele_stream_consume_wait(c.s, STELE_OFFSET_OLDEST, 10, NULL, c.ms, NULL, &c.err),
            &c.err);
    assert_int_equal(stele_messages_count(c.ms), 4);
    core_end(&c);
}

static void time_is_up(void **state)
{
    const int64_t times[] = {0, 1, 30};

    (void)state;
    for (int live = 0; live < 2; live++) {
        struct core c;

        core_begin(&c);
        core_open(&c);
        core_fill(&c, 2);
        if (live == 1) {
            core_close(&c);
            c.opts.live = true;
            core_open(&c);
        }
        for (int i = 0; i < 3; i++) {
            const stele_wait wait = {.timeout_ms = times[i]};
            int64_t next = -7;

            CHECK_CODE(stele_stream_consume_wait(
                               c.s, STELE_OFFSET_NEWEST, 1, &wait, c.ms, &next, &c.err),
                    STELE_ETIMEDOUT);
            CHECK_CODE(stele_stream_consume_wait(c.s, 2, 1, &wait, c.ms, &next, &c.err),
                    STELE_ETIMEDOUT);
            CHECK_CODE(stele_stream_consume_by_key_wait(
                               c.s, stele_str("none"), 0, 1, &wait, c.ms, &next, &c.err),
                    STELE_ETIMEDOUT);
            assert_int_equal(next, -7);
        }
        assert_int_equal(atomic_load(&c.s->waiters), 0);
        core_end(&c);
    }
}

static void bad_arguments(void **state)
{
    const stele_wait none = {.timeout_ms = 0};
    struct core c;

    (void)state;
    core_begin(&c);
    core_open(&c);
    CHECK_CODE(stele_stream_consume_wait(NULL, 0, 1, &none, c.ms, NULL, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_consume_wait(c.s, 0, 1, &none, NULL, NULL, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_consume_wait(c.s, 0, 0, &none, c.ms, NULL, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_consume_wait(c.s, 1, 1, &none, c.ms, NULL, &c.err), STELE_EOFFSET);
    CHECK_CODE(stele_stream_consume_wait(c.s, -9, 1, &none, c.ms, NULL, &c.err), STELE_EOFFSET);
    assert_int_equal(atomic_load(&c.s->waiters), 0);
    core_end(&c);
}

static void woken_by_a_publish(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct core c;

        core_begin(&c);
        c.opts.auto_sync = way == 1;
        c.opts.no_map = way == 2;
        c.opts.rollover = core_rollover(1);
        core_open(&c);
        for (int64_t i = 0; i < 6; i++) {
            struct waiter newest = {0};
            struct waiter by_offset = {0};

            start(&newest, &c, NULL, STELE_OFFSET_NEWEST);
            start(&by_offset, &c, NULL, i);
            await_waiters(&c, 2);
            /* The one from NEWEST on may look only now: publish until it has come back. */
            core_fill(&c, 1);
            join(&by_offset, STELE_OK);
            assert_int_equal(stele_messages_at(by_offset.ms, 0)->offset, i);
            while (atomic_load(&c.s->waiters) > 0) {
                core_fill(&c, 1);
                i++;
            }
            join(&newest, STELE_OK);
            assert_true(stele_messages_count(newest.ms) >= 1);
            core_check_numbered(stele_messages_at(newest.ms, 0));
            end(&newest);
            end(&by_offset);
        }
        core_end(&c);
    }
}

/* Others' messages do not wake by key; the right one does, wherever it is. */
static void woken_by_its_key(void **state)
{
    struct core c;
    struct waiter w = {0};

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(2);
    core_open(&c);
    core_fill(&c, 3);
    start(&w, &c, "key-0009", STELE_OFFSET_OLDEST);
    await_waiters(&c, 1);
    core_fill(&c, 6); /* keys 3 to 8 */
    assert_int_equal(atomic_load(&c.s->waiters), 1);
    core_fill(&c, 1);
    join(&w, STELE_OK);
    assert_int_equal(stele_messages_count(w.ms), 1);
    assert_int_equal(stele_messages_at(w.ms, 0)->offset, 9);
    assert_int_equal(w.next, 10);
    end(&w);
    core_end(&c);
}

static void woken_by_close(void **state)
{
    struct waiter w[6];
    struct core c;

    (void)state;
    core_begin(&c);
    core_open(&c);
    core_fill(&c, 1);
    memset(w, 0, sizeof w);
    for (int i = 0; i < 6; i++) {
        start(&w[i], &c, i % 2 == 0 ? NULL : "none", i % 2 == 0 ? STELE_OFFSET_NEWEST : 0);
    }
    await_waiters(&c, 6);
    core_close(&c);
    for (int i = 0; i < 6; i++) {
        join(&w[i], STELE_ECLOSED);
        end(&w[i]);
    }
    core_end(&c);
}

static void canceled(void **state)
{
    (void)state;
    for (int live = 0; live < 2; live++) {
        struct core c;
        struct waiter w[3];
        stele_cancel *cancel;
        stele_wait wait;

        core_begin(&c);
        core_open(&c);
        core_fill(&c, 1);
        if (live == 1) {
            core_close(&c);
            c.opts.live = true;
            core_open(&c);
        }
        CHECK_OK(stele_cancel_new(&cancel, &c.err), &c.err);
        memset(w, 0, sizeof w);
        for (int i = 0; i < 3; i++) {
            w[i].cancel = cancel;
            w[i].timeout_ms = i == 0 ? STELE_FOREVER : 3600000;
            start(&w[i], &c, i == 2 ? "none" : NULL, 1);
        }
        await_waiters(&c, 3);
        stele_cancel_trigger(cancel);
        for (int i = 0; i < 3; i++) {
            join(&w[i], STELE_ECANCELED);
            end(&w[i]);
        }
        /* Triggered before: what is there is given, but nothing is waited for. */
        wait = (stele_wait){.timeout_ms = STELE_FOREVER, .cancel = cancel};
        CHECK_CODE(
                stele_stream_consume_wait(c.s, 1, 1, &wait, c.ms, NULL, &c.err), STELE_ECANCELED);
        CHECK_CODE(stele_stream_consume_wait(c.s, 0, 1, &wait, c.ms, NULL, &c.err), STELE_OK);
        stele_cancel_free(cancel);
        core_end(&c);
    }
}

static void many_waiters(void **state)
{
    enum {
        MANY = 40
    };

    static struct waiter w[MANY];
    struct core c;

    (void)state;
    core_begin(&c);
    core_open(&c);
    memset(w, 0, sizeof w);
    for (int i = 0; i < MANY; i++) {
        start(&w[i], &c, i % 4 == 3 ? "key-0002" : NULL, i % 4 == 3 ? 0 : i % 4);
        /* From offset 1 or 2 of an empty stream is beyond the next. */
        if (i % 4 == 1 || i % 4 == 2) {
            join(&w[i], STELE_EOFFSET);
        }
    }
    await_waiters(&c, MANY / 2);
    core_fill(&c, 3);
    for (int i = 0; i < MANY; i++) {
        if (i % 4 == 0 || i % 4 == 3) {
            join(&w[i], STELE_OK);
            assert_int_equal(stele_messages_at(w[i].ms, 0)->offset, i % 4 == 0 ? 0 : 2);
        }
        end(&w[i]);
    }
    core_end(&c);
}

/* On a live handle the messages of another handle's writer end the wait. */
static void live_sees_the_writers(void **state)
{
    struct core c;
    struct core reader;
    struct waiter w = {0};

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(2);
    core_open(&c);
    core_fill(&c, 5);
    core_begin(&reader);
    tmpdir_remove(&reader.dir);
    reader.dir = c.dir;
    reader.opts.live = true;
    core_open(&reader);
    start(&w, &reader, NULL, 5);
    await_waiters(&reader, 1);
    core_fill(&c, 1);
    join(&w, STELE_OK);
    assert_int_equal(stele_messages_at(w.ms, 0)->offset, 5);
    core_check_numbered(stele_messages_at(w.ms, 0));
    end(&w);
    core_close(&reader);
    stele_messages_free(reader.ms);
    core_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(what_is_there_is_given_at_once),
            cmocka_unit_test(time_is_up),
            cmocka_unit_test(bad_arguments),
            cmocka_unit_test(woken_by_a_publish),
            cmocka_unit_test(woken_by_its_key),
            cmocka_unit_test(woken_by_close),
            cmocka_unit_test(canceled),
            cmocka_unit_test(many_waiters),
            cmocka_unit_test(live_sees_the_writers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
