/* SPDX-License-Identifier: MIT
 *
 * leave_test.c: a peer that comes and goes while others send as fast as they can.
 *
 * What libnats receives for a subscription that ends meanwhile must find it alive (nats/held.h).
 */
#include "lib/check.h"
#include "lib/nats_server.h"
#include "nats/node.h"
#include "nats/seen.h"

#include <stdatomic.h>
#include <stdlib.h>

#include <nats/nats.h>

enum {
    ROUNDS = 40,
    SENDERS = 2
};

static struct nats_server server;

struct sender {
    struct node node;
    atomic_bool stop;
    pthread_t thread;
};

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

static void *flood(void *arg)
{
    struct sender *s = arg;
    stele_fleet *f = s->node.fleet;

    while (!atomic_load(&s->stop)) {
        (void)f->ops->broadcast(f, stele_str("hello"), NULL);
    }
    return NULL;
}

static void begin(struct sender *s, const char *name)
{
    stele_nats_options opts;

    node_options(&s->node, &opts, server.url);
    node_start(&s->node, name, &opts);
    atomic_init(&s->stop, false);
    assert_int_equal(pthread_create(&s->thread, NULL, flood, s), 0);
}

static void end(struct sender *s)
{
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    node_stop(&s->node);
}

static void come_and_go(stele_fleet *f)
{
    stele_error err;

    for (unsigned i = 0; i < ROUNDS; i++) {
        CHECK_OK(f->ops->connect(f, ignore, NULL, &err), &err);
        CHECK_OK(f->ops->connect(f, NULL, NULL, &err), &err);
    }
}

static void test_leave(void **state)
{
    struct sender *senders = calloc(SENDERS, sizeof *senders);
    stele_fleet *f = NULL;
    stele_nats_options opts;
    stele_error err;

    (void)state;
    assert_non_null(senders);
    begin(&senders[0], "a");
    begin(&senders[1], "b");
    stele_nats_options_init(&opts);
    opts.server.url = server.url;
    for (unsigned i = 0; i < 3; i++) {
        CHECK_OK(stele_nats_open(&f, "c", &opts, &err), &err);
        come_and_go(f);
        stele_fleet_close(f);
    }
    end(&senders[0]);
    end(&senders[1]);
    free(senders);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_leave)};
    int failed;

    nats_server_make(&server, NULL);
    failed = cmocka_run_group_tests_name("leave", tests, NULL, NULL);
    nats_server_remove(&server);
    nats_CloseAndWait(2000);
    return failed;
}
