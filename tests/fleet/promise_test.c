/* SPDX-License-Identifier: MIT
 *
 * promise_test.c: what a node promises whatever happens: nothing is sent that is not durable, its
 * queue has an end, what happens is told, and what it noted is there when it begins again.
 */
#include "docs/state.h"
#include "fleet/node.h"
#include "unit/fleet_node/nodes.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    LARGE = 64 << 10,
    QUEUE = 1 << 20,
    WHILE = 150 /* naps */
};

/* ---- A disk that takes its time: syncs below a directory wait. ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static const char *slow; /* NULL: none */
static int waiting;

static bool is_slow(int fd)
{
    char entry[64];
    char target[TMPDIR_PATH_SIZE];
    ssize_t len;

    (void)snprintf(entry, sizeof entry, "/proc/self/fd/%d", fd);
    len = readlink(entry, target, sizeof target - 1);
    target[len < 0 ? 0 : len] = 0;
    return slow != NULL && strncmp(target, slow, strlen(slow)) == 0;
}

/* In place of the C library's. */
int instead_fdatasync(int fd) __asm__("fdatasync") __attribute__((visibility("default"), used));

int instead_fdatasync(int fd)
{
    (void)pthread_mutex_lock(&lock);
    waiting++;
    while (is_slow(fd)) {
        (void)pthread_cond_wait(&wake, &lock);
    }
    waiting--;
    (void)pthread_mutex_unlock(&lock);
    return (int)syscall(SYS_fdatasync, fd);
}

static void make_slow(const char *path)
{
    (void)pthread_mutex_lock(&lock);
    slow = path;
    (void)pthread_cond_broadcast(&wake);
    (void)pthread_mutex_unlock(&lock);
}

static bool waits(void)
{
    bool is;

    (void)pthread_mutex_lock(&lock);
    is = waiting > 0;
    (void)pthread_mutex_unlock(&lock);
    return is;
}

static void *set(void *arg)
{
    one_set(arg, "x", "{'n':1}");
    return NULL;
}

static void test_nothing_is_sent_before_it_is_durable(void **state)
{
    struct fleet *f = *state;
    pthread_t thread;

    f->list[0].durable = true;
    one_open(f, 0);
    one_open(f, 1);
    one_set(&f->list[0], "a", "{}");
    fleet_await_equal(f, 2);
    make_slow(f->list[0].tmp.path);
    assert_int_equal(pthread_create(&thread, NULL, set, &f->list[0]), 0);
    while (!waits()) {
        nap();
    }
    one_await(&f->list[0], "x", "{'n':1}");
    /* It is to be seen here; neither a push nor a session tells of it. */
    one_leave(&f->list[1]);
    one_join(f, 1);
    one_await_event(&f->list[1], STELE_NODE_EV_ONLINE);
    /* As a batch that need not be durable does when it ends: who follows the feed looks again. */
    sti_docs_feed_tell(f->list[0].db);
    for (int i = 0; i < WHILE; i++) {
        one_await(&f->list[1], "x", NULL);
        nap();
    }
    make_slow(NULL);
    assert_int_equal(pthread_join(thread, NULL), 0);
    one_await(&f->list[1], "x", "{'n':1}");
    fleet_await_equal(f, 2);
}

/* ---- A node that does not come to it. ---- */

static _Atomic bool held;

static void hold(void *arg, const stele_node_event *event)
{
    (void)arg;
    while (event->kind == STELE_NODE_EV_ONLINE && atomic_load(&held)) {
        nap();
    }
}

static size_t in_queue(stele_node *n)
{
    size_t bytes;

    sti_mutex_lock(&n->lock);
    bytes = n->in.bytes;
    sti_mutex_unlock(&n->lock);
    return bytes;
}

static size_t parcels_in_queue(stele_node *n)
{
    size_t count = 0;

    sti_mutex_lock(&n->lock);
    for (const struct sti_node_parcel *p = n->in.first; p != NULL; p = p->next) {
        count++;
    }
    sti_mutex_unlock(&n->lock);
    return count;
}

static stele_code ignore(
        void *arg, const char *from, stele_bytes data, stele_buf *reply, stele_error *err)
{
    (void)arg;
    (void)from;
    (void)data;
    (void)reply;
    (void)err;
    return STELE_OK;
}

static void test_the_queue_has_an_end(void **state)
{
    struct fleet *f = *state;
    struct one *o = &f->list[0];
    static uint8_t packet[LARGE] = {STELE_FLEET_PKT_LOG_PUSH};
    stele_node_options options;
    stele_fleet *evil = NULL;
    stele_error err;

    one_open_db(f, 0);
    CHECK_OK(stele_fleet_hub_join(f->hub, "n0", &o->transport, &err), &err);
    CHECK_OK(stele_fleet_hub_join(f->hub, "evil", &evil, &err), &err);
    CHECK_OK(evil->ops->connect(evil, ignore, NULL, &err), &err);
    stele_node_options_init(&options);
    options.event = hold;
    options.queue_max = QUEUE;
    options.look_ms = 10;
    atomic_store(&held, true);
    CHECK_OK(stele_node_open(&o->node, o->db, o->transport, &options, &err), &err);
    while (one_status(o).dropped < 20) {
        CHECK_OK(evil->ops->send(evil, "n0", stele_bytes_of(packet, sizeof packet), &err), &err);
        assert_true(in_queue(o->node) <= QUEUE);
        nap();
    }
    assert_true(in_queue(o->node) > QUEUE / 2);
    /* Small ones count for what they take, too. */
    for (uint64_t before = one_status(o).dropped; one_status(o).dropped < before + 200;) {
        CHECK_OK(evil->ops->send(evil, "n0", stele_bytes_of(packet, 1), &err), &err);
        assert_true(in_queue(o->node) <= QUEUE);
    }
    assert_true(parcels_in_queue(o->node) * sizeof(struct sti_node_parcel) <= QUEUE);
    atomic_store(&held, false);
    while (in_queue(o->node) > 0) {
        nap();
    }
    one_set(o, "a", "{}");
    stele_fleet_close(evil);
}

/* ---- What is told, and remembered. ---- */

static void test_what_happens_is_told(void **state)
{
    struct fleet *f = *state;

    one_open(f, 0);
    one_open(f, 1);
    for (int i = 0; i < 2; i++) {
        one_await_event(&f->list[i], STELE_NODE_EV_ONLINE);
        one_await_event(&f->list[i], STELE_NODE_EV_READY);
    }
    one_leave(&f->list[1]);
    one_await_event(&f->list[0], STELE_NODE_EV_OFFLINE);
    one_set(&f->list[0], "a", "{'@type':'t','u':1}");
    one_set(&f->list[1], "b", "{'@type':'t','u':1}");
    one_join(f, 1);
    fleet_await_equal(f, 2);
    one_await_event(&f->list[0], STELE_NODE_EV_CONFLICT);
    one_await_event(&f->list[1], STELE_NODE_EV_CONFLICT);
    one_await_event(&f->list[0], STELE_NODE_EV_PROGRESS);
    assert_true(one_status(&f->list[0]).conflicts > 0);
}

static void test_a_boot_is_above_the_last(void **state)
{
    struct fleet *f = *state;
    struct one *o = &f->list[0];
    uint64_t last = 0;

    for (int i = 0; i < 3; i++) {
        atomic_fetch_sub(&o->ahead_us, INT64_C(86400000000));
        if (i == 0) {
            one_open(f, 0);
        } else {
            one_join(f, 0);
        }
        assert_true(o->node->boot > last);
        last = o->node->boot;
        one_leave(o);
    }
}

static void test_peers_are_noted(void **state)
{
    struct fleet *f = *state;

    one_open(f, 0);
    one_open(f, 1);
    one_await_event(&f->list[0], STELE_NODE_EV_ONLINE);
    one_close(&f->list[1]);
    one_close(&f->list[0]);
    one_open(f, 0);
    while (one_status(&f->list[0]).peers == 0) {
        nap();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(
                    test_nothing_is_sent_before_it_is_durable, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_the_queue_has_an_end, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_what_happens_is_told, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_a_boot_is_above_the_last, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(test_peers_are_noted, fleet_set_up, fleet_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
