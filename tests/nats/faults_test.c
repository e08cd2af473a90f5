/* SPDX-License-Identifier: MIT
 *
 * faults_test.c: servers that come late, go and come again; peers that go silent; no room, no
 * memory; who is known is remembered.
 */
#include "lib/check.h"
#include "lib/nats_server.h"
#include "nats/memory.h"
#include "nats/node.h"
#include "nats/seen.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <nats/nats.h>

static struct nats_server server;

static void nap_ms(long ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&t, NULL);
}

static void start(struct node *node, const char *name)
{
    stele_nats_options opts;

    node_options(node, &opts, server.url);
    node_start(node, name, &opts);
}

static void start_pair(struct node *a, struct node *b)
{
    start(a, "a");
    start(b, "b");
    seen_await(a->fleet, "b", true);
    seen_await(b->fleet, "a", true);
}

static void *ask_and_wait(void *arg)
{
    static stele_code result;

    result = node_echo(arg, "b", "wait", -1);
    return &result;
}

/* Who waits while the connection breaks hears it at once; afterwards all is as it was. */
static void test_restart(void **state)
{
    struct node a;
    struct node b;
    pthread_t thread;
    void *result;
    stele_code rc;

    (void)state;
    start_pair(&a, &b);
    b.shut = true;
    assert_int_equal(pthread_create(&thread, NULL, ask_and_wait, &a), 0);
    node_await_waiting(&b, 1);
    nats_server_stop(&server, SIGKILL);
    pthread_join(thread, &result);
    assert_int_equal(*(stele_code *)result, STELE_ETIMEDOUT);
    node_await_event(&a, STELE_NATS_DISCONNECTED, 2);
    CHECK_CODE(node_echo(&a, "b", "echo", -1), STELE_ENOPEER);
    CHECK_CODE(a.fleet->ops->broadcast(a.fleet, stele_str("x"), NULL), STELE_ENOPEER);
    node_open_gate(&b);
    nats_server_start(&server);
    node_await_event(&a, STELE_NATS_CONNECTED, 4);
    node_await_event(&b, STELE_NATS_CONNECTED, 4);
    do {
        rc = node_echo(&a, "b", "echo", 200);
    } while (rc != STELE_OK);
    seen_await(a.fleet, "b", true);
    seen_await(b.fleet, "a", true);
    CHECK_OK(node_echo(&b, "a", "back", -1), NULL);
    node_stop(&a);
    node_stop(&b);
}

static void test_late_server(void **state)
{
    const stele_wait soon = {.timeout_ms = 10};
    struct node a;
    stele_error err;

    (void)state;
    nats_server_stop(&server, SIGTERM);
    start(&a, "a");
    CHECK_CODE(stele_nats_ready(a.fleet, &soon, &err), STELE_ETIMEDOUT);
    CHECK_CODE(node_echo(&a, "b", "echo", -1), STELE_ENOPEER);
    nats_server_start(&server);
    CHECK_OK(stele_nats_ready(a.fleet, NULL, &err), &err);
    {
        struct node b;

        start(&b, "b");
        seen_await(b.fleet, "a", true);
        CHECK_OK(node_echo(&b, "a", "echo", -1), NULL);
        node_stop(&b);
    }
    node_stop(&a);
}

/* ---- Somebody who speaks NATS but is no Stele. ---- */

static natsConnection *stranger(void)
{
    natsConnection *nc = NULL;

    assert_int_equal(natsConnection_ConnectTo(&nc, server.url), NATS_OK);
    return nc;
}

static void heartbeat(natsConnection *nc, const char *name, uint8_t boot, uint8_t flags)
{
    const uint8_t data[9] = {0, 0, 0, 0, 0, 0, 0, boot, flags};
    char subject[64];

    (void)snprintf(subject, sizeof subject, "stele.main.hb.%s", name);
    assert_int_equal(natsConnection_Publish(nc, subject, data, sizeof data), NATS_OK);
    assert_int_equal(natsConnection_Flush(nc), NATS_OK);
}

static void ignore(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure)
{
    (void)nc;
    (void)sub;
    (void)closure;
    natsMsg_Destroy(msg);
}

/* It has a mailbox, never answers, and then is heard no more: who waits for ever hears that. */
static void test_silent_peer(void **state)
{
    natsConnection *nc = stranger();
    natsSubscription *sub = NULL;
    stele_nats_options opts;
    struct node a;

    (void)state;
    node_options(&a, &opts, server.url);
    opts.silent_ms = 300;
    node_start(&a, "a", &opts);
    assert_int_equal(
            natsConnection_Subscribe(&sub, nc, "stele.main.to.ghost.*", ignore, NULL), NATS_OK);
    heartbeat(nc, "ghost", 1, 0);
    seen_await(a.fleet, "ghost", true);
    CHECK_CODE(node_echo(&a, "ghost", "echo", 20), STELE_ETIMEDOUT);
    CHECK_CODE(node_echo(&a, "ghost", "echo", -1), STELE_ENOPEER);
    node_await_event(&a, STELE_NATS_PEER_DOWN, 1);
    CHECK_CODE(node_echo(&a, "ghost", "echo", -1), STELE_ENOPEER); /* not heard of while it lasts */
    heartbeat(nc, "ghost", 2, 0);
    node_await_event(&a, STELE_NATS_PEER_UP, 2);
    heartbeat(nc, "ghost", 1, 1); /* a bye of the process before */
    heartbeat(nc, "ghost", 2, 1);
    node_await_event(&a, STELE_NATS_PEER_DOWN, 2);
    heartbeat(nc, "a", 7, 0);
    node_await_event(&a, STELE_NATS_NAME_TAKEN, 1);
    natsSubscription_Unsubscribe(sub);
    natsConnection_Close(nc);
    node_stop(&a);
    natsSubscription_Destroy(sub);
    natsConnection_Destroy(nc);
}

/* ---- No room. ---- */

/* More than fits waits for the handler: the rest is dropped, told, and what fits is handled. */
static void test_full_queue(void **state)
{
    enum {
        SIZE = 100000,
        COUNT = 40
    };

    char *data = calloc(1, SIZE);
    stele_nats_options opts;
    struct node a;
    struct node b;

    (void)state;
    assert_non_null(data);
    data[0] = 'w';
    start(&a, "a");
    node_options(&b, &opts, server.url);
    opts.memory_max = 2 << 20;
    b.shut = true;
    node_start(&b, "b", &opts);
    seen_await(a.fleet, "b", true);
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK_OK(a.fleet->ops->send(a.fleet, "b", stele_bytes_of(data, SIZE), NULL), NULL);
    }
    node_await_event(&b, STELE_NATS_DROPPED, COUNT - 15);
    assert_true(b.events[STELE_NATS_DROPPED] <= COUNT - 15);
    node_open_gate(&b);
    node_await_received(&b, 15);
    CHECK_OK(node_echo(&a, "b", "echo", -1), NULL);
    node_stop(&a);
    node_stop(&b);
    free(data);
}

/* A server that takes small messages alone. */
static void test_small_payload(void **state)
{
    enum {
        SIZE = 3 << 20,
        HUGE_SIZE = 70 << 20
    };
    struct nats_server small;
    uint8_t *data = calloc(1, HUGE_SIZE);
    stele_nats_options opts;
    struct node a;
    struct node b;
    stele_buf reply;
    stele_error err;

    (void)state;
    assert_non_null(data);
    for (size_t i = 0; i < SIZE; i++) {
        data[i] = (uint8_t)(i * 31 + (i >> 10));
    }
    nats_server_make(&small, "max_payload: 1024\n");
    node_options(&a, &opts, small.url);
    node_start(&a, "a", &opts);
    node_options(&b, &opts, small.url);
    node_start(&b, "b", &opts);
    seen_await(a.fleet, "b", true);
    stele_buf_init(&reply, SIZE_MAX);
    CHECK_OK(a.fleet->ops->request(a.fleet, "b", stele_bytes_of(data, SIZE), NULL, &reply, &err),
            &err);
    CHECK_BYTES(stele_buf_view(&reply), stele_bytes_of(data, SIZE));
    stele_buf_free(&reply);
    CHECK_CODE(a.fleet->ops->request(
                       a.fleet, "b", stele_bytes_of(data, HUGE_SIZE), NULL, &reply, &err),
            STELE_ETOOBIG);
    CHECK_CODE(a.fleet->ops->request(
                       a.fleet, "nobody", stele_bytes_of(data, SIZE), NULL, &reply, &err),
            STELE_ENOPEER);
    node_stop(&a);
    node_stop(&b);
    nats_server_remove(&small);
    free(data);
}

/* ---- What is remembered, and what is refused. ---- */

static void test_remembers(void **state)
{
    struct tmpdir dir;
    stele_nats_options opts;
    stele_fleet *f = NULL;
    struct node a;
    struct node b;
    stele_error err;

    (void)state;
    tmpdir_make(&dir);
    node_options(&a, &opts, server.url);
    opts.peers_dir = dir.path;
    node_start(&a, "a", &opts);
    assert_int_equal(a.fleet->ops->count_all(a.fleet), 1);
    start(&b, "b");
    seen_await(a.fleet, "b", true);
    node_stop(&b);
    node_stop(&a);
    node_options(&a, &opts, server.url);
    opts.peers_dir = dir.path;
    node_start(&a, "a", &opts);
    assert_int_equal(a.fleet->ops->count_all(a.fleet), 2);
    assert_false(seen_online(a.fleet, "b"));
    node_stop(&a);
    tmpdir_flip(&dir, "peers", 150);
    CHECK_CODE(stele_nats_open(&f, "a", &opts, &err), STELE_ECORRUPT);
    tmpdir_remove(&dir);
}

static void test_refused(void **state)
{
    char name[STELE_FLEET_NAME_MAX + 2];
    stele_nats_options opts;
    stele_fleet *f = NULL;
    stele_error err;

    (void)state;
    memset(name, 'x', sizeof name);
    name[STELE_FLEET_NAME_MAX + 1] = 0;
    stele_nats_options_init(&opts);
    opts.server.url = server.url;
    CHECK_CODE(stele_nats_open(&f, "", &opts, &err), STELE_EINVAL);
    CHECK_CODE(stele_nats_open(&f, NULL, &opts, &err), STELE_EINVAL);
    CHECK_CODE(stele_nats_open(&f, name, &opts, &err), STELE_EINVAL);
    CHECK_CODE(stele_nats_open(NULL, "a", &opts, &err), STELE_EINVAL);
    opts.fleet = name;
    CHECK_CODE(stele_nats_open(&f, "a", &opts, &err), STELE_EINVAL);
    opts.fleet = NULL;
    opts.server.nkey = "U";
    CHECK_CODE(stele_nats_open(&f, "a", &opts, &err), STELE_EINVAL);
    opts.server.nkey = NULL;
    if (nats_GetVersionNumber() < 0x030B00) {
        opts.server.tls = true;
        CHECK_CODE(stele_nats_open(&f, "a", &opts, &err), STELE_ENOTSUP);
        opts.server.tls = false;
    }
    CHECK_CODE(stele_nats_ready(NULL, NULL, &err), STELE_EINVAL);
    name[STELE_FLEET_NAME_MAX] = 0;
    memset(name, '*', STELE_FLEET_NAME_MAX); /* the longest subjects that there are */
    {
        struct node a;
        struct node b;

        start(&a, name);
        start(&b, "b");
        seen_await(b.fleet, name, true);
        CHECK_OK(node_echo(&b, name, "echo", -1), NULL);
        CHECK_OK(node_echo(&a, "b", "echo", -1), NULL);
        node_stop(&a);
        node_stop(&b);
    }
}

static bool fails(void *arg)
{
    int *left = arg;

    return __atomic_fetch_sub(left, 1, __ATOMIC_RELAXED) == 0;
}

static void test_memory(void **state)
{
    stele_code rc = STELE_ENOMEM;
    struct tmpdir dir;
    int failed = 0;

    (void)state;
    tmpdir_make(&dir);
    for (int n = 0; n < 40 && rc != STELE_OK; n++) {
        stele_nats_options opts;
        stele_fleet *f = NULL;
        int left = n;

        stele_nats_options_init(&opts);
        opts.server.url = server.url;
        opts.server.user = "u";
        opts.server.password = "p";
        opts.peers_dir = dir.path;
        sti_nats_alloc_set_hook(fails, &left);
        rc = stele_nats_open(&f, "a", &opts, NULL);
        sti_nats_alloc_set_hook(NULL, NULL);
        assert_true(rc == STELE_OK || rc == STELE_ENOMEM);
        failed += rc != STELE_OK;
        stele_fleet_close(f);
    }
    assert_int_equal(rc, STELE_OK);
    assert_true(failed >= 6);
    tmpdir_remove(&dir);
}

/* ---- Twenty restarts under load. ---- */

struct load {
    struct node *node;
    char peers[2][8];
    bool stop;
    uint64_t done;
    uint64_t failed;
};

static void *press(void *arg)
{
    struct load *l = arg;

    for (unsigned i = 0; !__atomic_load_n(&l->stop, __ATOMIC_RELAXED); i++) {
        if (node_echo(l->node, l->peers[i % 2], "load", 500) == STELE_OK) {
            l->done++;
        } else {
            l->failed++;
        }
        if (i % 16 == 0) {
            (void)l->node->fleet->ops->broadcast(l->node->fleet, stele_str("b"), NULL);
        }
    }
    return NULL;
}

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void test_restarts(void **state)
{
    enum {
        NODES = 3
    };

    unsigned rounds = getenv("STELE_FULL") == NULL ? 2 : 20;
    struct node nodes[NODES];
    struct load loads[NODES];
    pthread_t threads[NODES];
    int64_t longest = 0;
    uint64_t done = 0;

    (void)state;
    for (size_t i = 0; i < NODES; i++) {
        char name[2] = {(char)('a' + i), 0};

        start(&nodes[i], name);
        loads[i] = (struct load){.node = &nodes[i]};
        loads[i].peers[0][0] = (char)('a' + (i + 1) % NODES);
        loads[i].peers[1][0] = (char)('a' + (i + 2) % NODES);
    }
    for (size_t i = 0; i < NODES; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, press, &loads[i]), 0);
    }
    for (unsigned round = 0; round < rounds; round++) {
        int64_t began;

        nap_ms(100);
        nats_server_stop(&server, round % 2 == 0 ? SIGKILL : SIGTERM);
        nap_ms(round % 4 * 100);
        nats_server_start(&server);
        began = now_ms();
        for (size_t i = 0; i < NODES; i++) {
            for (size_t k = 0; k < 2; k++) {
                while (node_echo(&nodes[i], loads[i].peers[k], "all well?", 500) != STELE_OK) {
                }
                seen_await(nodes[i].fleet, loads[i].peers[k], true);
            }
        }
        longest = now_ms() - began > longest ? now_ms() - began : longest;
    }
    for (size_t i = 0; i < NODES; i++) {
        __atomic_store_n(&loads[i].stop, true, __ATOMIC_RELAXED);
        pthread_join(threads[i], NULL);
        done += loads[i].done;
        assert_true(loads[i].done > 0);
    }
    for (size_t i = 0; i < NODES; i++) {
        node_stop(&nodes[i]);
    }
    print_message("%u restarts under load: %llu requests answered, all answer again after %lld ms "
                  "at most\n",
            rounds, (unsigned long long)done, (long long)longest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_restart),
            cmocka_unit_test(test_late_server), cmocka_unit_test(test_silent_peer),
            cmocka_unit_test(test_full_queue), cmocka_unit_test(test_small_payload),
            cmocka_unit_test(test_remembers), cmocka_unit_test(test_refused),
            cmocka_unit_test(test_memory), cmocka_unit_test(test_restarts)};
    int failed;

    nats_server_make(&server, NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    nats_server_remove(&server);
    nats_CloseAndWait(2000);
    return failed;
}
