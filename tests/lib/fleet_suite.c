/* SPDX-License-Identifier: MIT
 *
 * fleet_suite.c: what holds for every transport.
 *
 * Each peer of a kit has an inbox, which its handler fills, and a gate: a handler that is told to
 * wait does so until the test opens it. So nothing here depends on how fast anything is.
 */
#include "lib/fleet_suite.h"

#include "lib/check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BIG = 3 << 20,
    THREADS = 8,
    ROUNDS = 200
};

static const struct fleet_suite_factory *the_factory;

struct kit;

struct peer {
    struct kit *kit;
    stele_fleet *fleet;
    char name[32];
    unsigned received;
    char last_from[STELE_FLEET_NAME_MAX + 1];
    size_t last_len;
    bool last_nil;
};

struct kit {
    void *state;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;        /* the gate */
    unsigned waiting; /* handlers, at the gate */
    struct peer peers[FLEET_SUITE_PEERS];
};

/* The first byte says what to do: 'e' echo, 'f' fail, 'w' wait at the gate, then echo, 'n' answer
 * nothing, 's' answer the own name and who asks, 'r' ask the next peer to echo. */
static stele_code handle(
        void *arg, const char *from, stele_bytes data, stele_buf *reply, stele_error *err)
{
    struct peer *p = arg;
    struct kit *k = p->kit;
    uint8_t what = data.len == 0 ? 'n' : data.data[0];

    pthread_mutex_lock(&k->lock);
    p->received++;
    (void)snprintf(p->last_from, sizeof p->last_from, "%s", from);
    p->last_len = data.len;
    p->last_nil = stele_is_nil(data);
    if (what == 'w') {
        k->waiting++;
        pthread_cond_broadcast(&k->changed);
        while (!k->open) {
            pthread_cond_wait(&k->changed, &k->lock);
        }
    }
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
    switch (what) {
    case 'e':
    case 'w':
        return stele_buf_append(reply, data, err);
    case 'f':
        if (err != NULL) {
            err->code = STELE_ECONFLICT;
            (void)snprintf(err->message, sizeof err->message, "the handler said so");
        }
        return STELE_ECONFLICT;
    case 's':
        return stele_buf_append(reply, stele_str(p->name), err) == STELE_OK
                       ? stele_buf_append(reply, stele_str(from), err)
                       : STELE_ENOMEM;
    case 'r':
        return p->fleet->ops->request(
                p->fleet, k->peers[2].name, stele_str("echo"), NULL, reply, err);
    default:
        return STELE_OK;
    }
}

static void open_gate(struct kit *k)
{
    pthread_mutex_lock(&k->lock);
    k->open = true;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
}

static void await_gate(struct kit *k, unsigned count)
{
    pthread_mutex_lock(&k->lock);
    while (k->waiting < count) {
        pthread_cond_wait(&k->changed, &k->lock);
    }
    pthread_mutex_unlock(&k->lock);
}

static void await_received(struct peer *p, unsigned count)
{
    pthread_mutex_lock(&p->kit->lock);
    while (p->received < count) {
        pthread_cond_wait(&p->kit->changed, &p->kit->lock);
    }
    pthread_mutex_unlock(&p->kit->lock);
}

static int set_up(void **state)
{
    struct kit *k = calloc(1, sizeof *k);
    stele_error err;

    assert_non_null(k);
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->changed, NULL);
    k->state = the_factory->begin();
    for (size_t i = 0; i < FLEET_SUITE_PEERS; i++) {
        struct peer *p = &k->peers[i];

        p->kit = k;
        (void)snprintf(p->name, sizeof p->name, "peer.%zu *>", i);
        p->fleet = the_factory->join(k->state, p->name);
        assert_int_equal(p->fleet->ops->version, STELE_FLEET_OPS_VERSION);
        CHECK_OK(p->fleet->ops->connect(p->fleet, handle, p, &err), &err);
    }
    *state = k;
    return 0;
}

static int tear_down(void **state)
{
    struct kit *k = *state;

    open_gate(k);
    for (size_t i = 0; i < FLEET_SUITE_PEERS; i++) {
        stele_fleet_close(k->peers[i].fleet);
    }
    the_factory->end(k->state);
    pthread_cond_destroy(&k->changed);
    pthread_mutex_destroy(&k->lock);
    free(k);
    return 0;
}

static stele_code ask(struct kit *k, size_t from, const char *to, const char *what,
        const stele_wait *wait, stele_buf *reply, stele_error *err)
{
    stele_fleet *f = k->peers[from].fleet;

    return f->ops->request(f, to, stele_str(what), wait, reply, err);
}

/* ---- Requests. ---- */

static void test_request(void **state)
{
    struct kit *k = *state;
    stele_error err;
    stele_buf reply;

    stele_buf_init(&reply, SIZE_MAX);
    CHECK_OK(ask(k, 0, k->peers[1].name, "echo this", NULL, &reply, &err), &err);
    CHECK_BYTES(stele_buf_view(&reply), stele_str("echo this"));
    CHECK_OK(ask(k, 1, k->peers[2].name, "ech", NULL, &reply, &err), &err);
    CHECK_BYTES(stele_buf_view(&reply), stele_str("echo thisech"));
    stele_buf_free(&reply);
    CHECK_OK(ask(k, 3, k->peers[0].name, "say", NULL, &reply, &err), &err);
    CHECK_BYTES(stele_buf_view(&reply), stele_str("peer.0 *>peer.3 *>"));
    stele_buf_free(&reply);
    CHECK_OK(ask(k, 0, k->peers[1].name, "nothing", NULL, &reply, &err), &err);
    assert_true(stele_is_nil(stele_buf_view(&reply)));
    stele_buf_free(&reply);
}

static void test_request_empty(void **state)
{
    struct kit *k = *state;
    stele_fleet *f = k->peers[0].fleet;
    stele_error err;
    stele_buf reply;

    stele_buf_init(&reply, SIZE_MAX);
    CHECK_OK(f->ops->request(f, k->peers[1].name, stele_empty(), NULL, &reply, &err), &err);
    await_received(&k->peers[1], 1);
    assert_int_equal(k->peers[1].last_len, 0);
    stele_buf_free(&reply);
}

static void test_request_big(void **state)
{
    struct kit *k = *state;
    stele_fleet *f = k->peers[0].fleet;
    uint8_t *data = malloc(BIG);
    stele_error err;
    stele_buf reply;

    assert_non_null(data);
    for (size_t i = 0; i < BIG; i++) {
        data[i] = (uint8_t)(i * 7 + (i >> 12));
    }
    data[0] = 'e';
    stele_buf_init(&reply, SIZE_MAX);
    CHECK_OK(f->ops->request(f, k->peers[1].name, stele_bytes_of(data, BIG), NULL, &reply, &err),
            &err);
    CHECK_BYTES(stele_buf_view(&reply), stele_bytes_of(data, BIG));
    stele_buf_free(&reply);
    free(data);
}

static void test_request_fails(void **state)
{
    struct kit *k = *state;
    stele_fleet *f = k->peers[0].fleet;
    stele_error err;
    stele_buf reply;

    stele_buf_init(&reply, SIZE_MAX);
    CHECK_CODE(ask(k, 0, k->peers[1].name, "fail", NULL, &reply, &err), STELE_EPEER);
    CHECK_MESSAGE_HAS(&err, "the handler said so");
    CHECK_CODE(ask(k, 0, "nobody", "echo", NULL, &reply, &err), STELE_ENOPEER);
    CHECK_CODE(ask(k, 0, k->peers[0].name, "echo", NULL, &reply, &err), STELE_ENOPEER);
    CHECK_CODE(ask(k, 0, "nobody", "echo", NULL, &reply, NULL), STELE_ENOPEER);
    CHECK_CODE(f->ops->request(f, k->peers[1].name, stele_bytes_of("", STELE_FLEET_MESSAGE_MAX + 1),
                       NULL, &reply, &err),
            STELE_ETOOBIG);
    CHECK_CODE(f->ops->request(f, k->peers[1].name, (stele_bytes){NULL, 1}, NULL, &reply, &err),
            STELE_EINVAL);
    assert_true(stele_is_nil(stele_buf_view(&reply)));
}

static void test_deadline(void **state)
{
    struct kit *k = *state;
    stele_wait short_wait = {.timeout_ms = 20};
    stele_wait none = {.timeout_ms = 0};
    stele_error err;
    stele_buf reply;

    stele_buf_init(&reply, SIZE_MAX);
    CHECK_CODE(ask(k, 0, k->peers[1].name, "wait", &short_wait, &reply, &err), STELE_ETIMEDOUT);
    CHECK_CODE(ask(k, 0, k->peers[1].name, "wait", &none, &reply, &err), STELE_ETIMEDOUT);
    open_gate(k);
    CHECK_OK(ask(k, 0, k->peers[1].name, "wait", NULL, &reply, &err), &err);
    CHECK_BYTES(stele_buf_view(&reply), stele_str("wait"));
    stele_buf_free(&reply);
}

static void *cancel_at_gate(void *arg)
{
    void **args = arg;

    await_gate(args[0], 1);
    stele_cancel_trigger(args[1]);
    return NULL;
}

static void test_cancel(void **state)
{
    struct kit *k = *state;
    stele_wait wait = {.timeout_ms = STELE_FOREVER};
    void *args[2] = {k, NULL};
    pthread_t thread;
    stele_error err;
    stele_buf reply;

    stele_buf_init(&reply, SIZE_MAX);
    CHECK_OK(stele_cancel_new(&wait.cancel, &err), &err);
    args[1] = wait.cancel;
    assert_int_equal(pthread_create(&thread, NULL, cancel_at_gate, args), 0);
    CHECK_CODE(ask(k, 0, k->peers[1].name, "wait", &wait, &reply, &err), STELE_ECANCELED);
    pthread_join(thread, NULL);
    CHECK_CODE(ask(k, 0, k->peers[1].name, "wait", &wait, &reply, &err), STELE_ECANCELED);
    stele_cancel_free(wait.cancel);
}

static void test_nested(void **state)
{
    struct kit *k = *state;
    stele_error err;
    stele_buf reply;

    stele_buf_init(&reply, SIZE_MAX);
    CHECK_OK(ask(k, 0, k->peers[1].name, "relay", NULL, &reply, &err), &err);
    CHECK_BYTES(stele_buf_view(&reply), stele_str("echo"));
    stele_buf_free(&reply);
}

/* ---- Without an answer. ---- */

static void test_send(void **state)
{
    struct kit *k = *state;
    stele_fleet *f = k->peers[0].fleet;
    stele_error err;

    CHECK_OK(f->ops->send(f, k->peers[1].name, stele_str("echo"), &err), &err);
    await_received(&k->peers[1], 1);
    assert_string_equal(k->peers[1].last_from, k->peers[0].name);
    assert_int_equal(k->peers[1].last_len, 4);
    CHECK_OK(f->ops->send(f, k->peers[1].name, stele_str("fail"), &err), &err);
    await_received(&k->peers[1], 2);
    CHECK_CODE(f->ops->send(f, "nobody", stele_str("x"), &err), STELE_ENOPEER);
    CHECK_CODE(f->ops->send(f, k->peers[0].name, stele_str("x"), &err), STELE_ENOPEER);
}

static void test_broadcast(void **state)
{
    struct kit *k = *state;
    stele_fleet *f = k->peers[1].fleet;
    stele_error err;
    stele_buf reply;

    CHECK_OK(f->ops->broadcast(f, stele_str("hello, all"), &err), &err);
    for (size_t i = 0; i < FLEET_SUITE_PEERS; i++) {
        if (i != 1) {
            await_received(&k->peers[i], 1);
            assert_string_equal(k->peers[i].last_from, k->peers[1].name);
            assert_int_equal(k->peers[i].last_len, 10);
        }
    }
    /* What it would have sent to itself is there by the time that another message is. */
    stele_buf_init(&reply, SIZE_MAX);
    CHECK_OK(ask(k, 0, k->peers[1].name, "echo", NULL, &reply, &err), &err);
    stele_buf_free(&reply);
    assert_int_equal(k->peers[1].received, 1);
}

struct heard {
    unsigned count[FLEET_SUITE_PEERS];
    stele_code codes[FLEET_SUITE_PEERS];
    char text[FLEET_SUITE_PEERS][32];
};

static void hear(void *arg, const char *peer, stele_code code, stele_bytes reply)
{
    struct heard *h = arg;
    size_t i = (size_t)(peer[5] - '0');

    assert_true(i < FLEET_SUITE_PEERS);
    assert_true(reply.len < sizeof h->text[i]);
    h->count[i]++;
    h->codes[i] = code;
    if (reply.len > 0) {
        memcpy(h->text[i], reply.data, reply.len);
    }
}

static void test_all(void **state)
{
    struct kit *k = *state;
    stele_fleet *f = k->peers[2].fleet;
    struct heard h = {.count = {0}};
    stele_error err;

    CHECK_OK(f->ops->all(f, stele_str("say"), NULL, hear, &h, &err), &err);
    for (size_t i = 0; i < FLEET_SUITE_PEERS; i++) {
        assert_int_equal(h.count[i], i != 2);
        if (i != 2) {
            assert_int_equal(h.codes[i], STELE_OK);
            assert_memory_equal(h.text[i], k->peers[i].name, strlen(k->peers[i].name));
        }
    }
}

static void test_all_silent(void **state)
{
    struct kit *k = *state;
    stele_fleet *f = k->peers[2].fleet;
    stele_wait wait = {.timeout_ms = 20};
    struct heard h = {.count = {0}};
    struct heard failed = {.count = {0}};
    stele_error err;

    CHECK_OK(f->ops->all(f, stele_str("wait"), &wait, hear, &h, &err), &err);
    CHECK_OK(f->ops->all(f, stele_str("fail"), NULL, hear, &failed, &err), &err);
    for (size_t i = 0; i < FLEET_SUITE_PEERS; i++) {
        if (i != 2) {
            assert_int_equal(h.count[i], 1);
            assert_int_equal(h.codes[i], STELE_ETIMEDOUT);
            assert_int_equal(failed.codes[i], STELE_EPEER);
        }
    }
}

/* ---- Who there is. ---- */

static void note_name(void *arg, const char *peer)
{
    stele_buf *names = arg;

    CHECK_OK(stele_buf_append(names, stele_str(peer), NULL), NULL);
    CHECK_OK(stele_buf_append(names, stele_str(","), NULL), NULL);
}

static void check_online(stele_fleet *f, const char *expected)
{
    stele_buf names;
    stele_error err;

    stele_buf_init(&names, SIZE_MAX);
    CHECK_OK(f->ops->online(f, note_name, &names, &err), &err);
    CHECK_BYTES(stele_buf_view(&names), stele_str(expected));
    stele_buf_free(&names);
}

static void test_peers(void **state)
{
    struct kit *k = *state;
    stele_fleet *f = k->peers[0].fleet;
    stele_fleet *other = k->peers[3].fleet;
    stele_error err;
    stele_buf reply;

    stele_buf_init(&reply, SIZE_MAX);
    assert_string_equal(f->ops->self(f), k->peers[0].name);
    check_online(f, "peer.0 *>,peer.1 *>,peer.2 *>,peer.3 *>,");
    assert_int_equal(f->ops->count_all(f), FLEET_SUITE_PEERS);
    CHECK_CODE(other->ops->connect(other, handle, &k->peers[3], &err), STELE_ESTATE);
    CHECK_OK(other->ops->connect(other, NULL, NULL, &err), &err);
    CHECK_CODE(other->ops->connect(other, NULL, NULL, &err), STELE_ESTATE);
    check_online(f, "peer.0 *>,peer.1 *>,peer.2 *>,");
    assert_int_equal(f->ops->count_all(f), FLEET_SUITE_PEERS);
    CHECK_CODE(ask(k, 0, k->peers[3].name, "echo", NULL, &reply, &err), STELE_ENOPEER);
    CHECK_OK(f->ops->broadcast(f, stele_str("hello"), &err), &err);
    await_received(&k->peers[1], 1);
    assert_int_equal(k->peers[3].received, 0);
    CHECK_OK(other->ops->connect(other, handle, &k->peers[3], &err), &err);
    CHECK_OK(ask(k, 0, k->peers[3].name, "echo", NULL, &reply, &err), &err);
    stele_buf_free(&reply);
}

static void *open_when_waiting(void *arg)
{
    struct kit *k = arg;

    await_gate(k, 1);
    open_gate(k);
    return NULL;
}

/* Disconnecting waits for the handler that is at work. */
static void test_disconnect_waits(void **state)
{
    struct kit *k = *state;
    stele_fleet *f = k->peers[0].fleet;
    stele_fleet *other = k->peers[1].fleet;
    pthread_t thread;
    stele_error err;

    CHECK_OK(f->ops->send(f, k->peers[1].name, stele_str("wait"), &err), &err);
    assert_int_equal(pthread_create(&thread, NULL, open_when_waiting, k), 0);
    await_gate(k, 1);
    CHECK_OK(other->ops->connect(other, NULL, NULL, &err), &err);
    assert_true(k->open);
    pthread_join(thread, NULL);
    CHECK_OK(other->ops->connect(other, handle, &k->peers[1], &err), &err);
}

/* ---- Many threads. ---- */

struct busy {
    struct kit *kit;
    size_t number;
    unsigned wrong;
};

static void *be_busy(void *arg)
{
    struct busy *b = arg;
    size_t from = b->number % FLEET_SUITE_PEERS;
    size_t to = (b->number + 1 + b->number / FLEET_SUITE_PEERS) % FLEET_SUITE_PEERS;
    stele_buf reply;

    stele_buf_init(&reply, SIZE_MAX);
    for (unsigned i = 0; i < ROUNDS; i++) {
        char text[32];

        (void)snprintf(text, sizeof text, "echo %zu %u", b->number, i);
        if (ask(b->kit, from, b->kit->peers[to].name, text, NULL, &reply, NULL) != STELE_OK ||
                !stele_bytes_equal(stele_buf_view(&reply), stele_str(text))) {
            b->wrong++;
        }
        stele_buf_free(&reply);
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct kit *k = *state;
    struct busy busy[THREADS];
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        busy[i] = (struct busy){.kit = k, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, be_busy, &busy[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(busy[i].wrong, 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int fleet_suite_run(const struct fleet_suite_factory *factory)
{
    const struct CMUnitTest tests[] = {TEST(request), TEST(request_empty), TEST(request_big),
            TEST(request_fails), TEST(deadline), TEST(cancel), TEST(nested), TEST(send),
            TEST(broadcast), TEST(all), TEST(all_silent), TEST(peers), TEST(disconnect_waits),
            TEST(threads)};

    the_factory = factory;
    return cmocka_run_group_tests_name(factory->name, tests, NULL, NULL);
}
