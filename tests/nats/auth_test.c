/* SPDX-License-Identifier: MIT
 *
 * auth_test.c: with the example's permissions nobody is heard under another's name, or reads what
 * is for another; and a hostile peer, which may say whatever it wants in its own name.
 */
#include "lib/check.h"
#include "lib/nats_server.h"
#include "nats/dice.h"
#include "nats/logs.h"
#include "nats/node.h"
#include "nats/seen.h"

#include <stdio.h>
#include <stdlib.h>

#include <nats/nats.h>

enum {
    MUTATIONS = 20000,
    MUTATIONS_FULL = 1000000
};

/* Keys for this test alone. */
static const struct {
    const char *name;
    const char *variable;
    const char *key;
    const char *seed;
} keys[] = {{"a", "STELE_NKEY_A", "UC7CAN3FPQTZPNZN3SGG3WNRRR53ZSS3GNAED3NQ23DYDUXFDMHDH6CE",
                    "SUAGUWJIKDBUKJAI3MY4JNWK3SEGUO3ULXOYS3VRXF362NRMJPUET3G2CY"},
        {"b", "STELE_NKEY_B", "UBXMWT2FTT5E3L6OPJWLR3ZDVEOSABASDR6AB25HBO4PBNOJ4EB7R6UI",
                "SUABKH27SZ6EID32YLMPCXOUHKHPDJHCGF6VKWG2YZOAPOGBKLEI7JTSIY"},
        {"c", "STELE_NKEY_C", "UDPJHQNMSBX7PVRUZSRQKKE7NFAPXHOKGOFESDCKWOVZQRXI2RDTESCA",
                "SUAHYVWDGZX5QZLIEI4VSMVDV6ZQJLHI4I2XRC74AVA7LRU3DSQCKWXSUE"},
        {"m", "STELE_NKEY_MIRROR", "UDKWQIAG2F6USGNAL3SNH4FLXNQVZ3UJT2U6MS7ADH6RDMYL4MZIDG3F",
                "SUACDIOFJOKYTQSKG4LZZ22KCRAJ6ACR6KHELMIQJFFYC4VT6ZZWHSRDX4"}};

static struct nats_server server;
static struct tmpdir seeds;

static void seed_file(size_t who, char out[TMPDIR_PATH_SIZE])
{
    tmpdir_path(&seeds, keys[who].name, out);
}

static void start(struct node *node, size_t who)
{
    char seed[TMPDIR_PATH_SIZE];
    stele_nats_options opts;

    seed_file(who, seed);
    node_options(node, &opts, server.url);
    opts.server.nkey = keys[who].key;
    opts.server.nkey_seed_file = seed;
    node_start(node, keys[who].name, &opts);
}

/* A connection of a peer that speaks NATS by itself, and what the server refused to it. */
struct evil {
    natsConnection *nc;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned refused;
    unsigned heard;
};

static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus status, void *closure)
{
    struct evil *e = closure;
    const char *text = NULL;

    (void)sub;
    (void)status;
    (void)natsConnection_GetLastError(nc, &text);
    pthread_mutex_lock(&e->lock);
    e->refused++;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

static void on_message(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure)
{
    struct evil *e = closure;

    (void)nc;
    (void)sub;
    pthread_mutex_lock(&e->lock);
    e->heard++;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    natsMsg_Destroy(msg);
}

static void evil_start(struct evil *e, size_t who)
{
    char seed[TMPDIR_PATH_SIZE];
    natsOptions *o = NULL;

    memset(e, 0, sizeof *e);
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, NULL);
    seed_file(who, seed);
    assert_int_equal(natsOptions_Create(&o), NATS_OK);
    assert_int_equal(natsOptions_SetURL(o, server.url), NATS_OK);
    assert_int_equal(natsOptions_SetNKeyFromSeed(o, keys[who].key, seed), NATS_OK);
    assert_int_equal(natsOptions_SetErrorHandler(o, on_error, e), NATS_OK);
    assert_int_equal(natsConnection_Connect(&e->nc, o), NATS_OK);
    natsOptions_Destroy(o);
}

static void await_refused(struct evil *e, unsigned count)
{
    pthread_mutex_lock(&e->lock);
    while (e->refused < count) {
        pthread_cond_wait(&e->changed, &e->lock);
    }
    pthread_mutex_unlock(&e->lock);
}

static void test_peers(void **state)
{
    struct node a;
    struct node b;

    (void)state;
    start(&a, 0);
    start(&b, 1);
    seen_await(a.fleet, "b", true);
    seen_await(b.fleet, "a", true);
    CHECK_OK(node_echo(&a, "b", "echo", -1), NULL);
    CHECK_OK(node_echo(&b, "a", "echo", -1), NULL);
    CHECK_OK(a.fleet->ops->broadcast(a.fleet, stele_str("x"), NULL), NULL);
    node_await_received(&b, 2);
    {
        char *big = calloc(1, 3 << 20);
        stele_buf reply;

        stele_buf_init(&reply, SIZE_MAX);
        CHECK_OK(a.fleet->ops->request(
                         a.fleet, "b", stele_bytes_of(big, 3 << 20), NULL, &reply, NULL),
                NULL);
        CHECK_BYTES(stele_buf_view(&reply), stele_bytes_of(big, 3 << 20));
        stele_buf_free(&reply);
        free(big);
    }
    assert_int_equal(a.events[STELE_NATS_REFUSED], 0);
    assert_int_equal(b.events[STELE_NATS_REFUSED], 0);
    node_stop(&a);
    node_stop(&b);
}

/* Everything that a peer may not do is refused by the server, and reaches nobody. */
static void test_forge(void **state)
{
    static const char *const names[] = {"stele.main.to.b.a", "stele.main.all.a", "stele.main.hb.a",
            "stele.main.in.b.0123456789abcdef.00000001.a",
            "stele.main.in.b.0123456789abcdef.00000001", "stele.log.LOG",
            "$JS.API.STREAM.DELETE.LOG", "stele.main.to.b.=61", "stele.other.to.b.c"};

    enum {
        BOXES = 7
    };

    static const char *const boxes[BOXES] = {"stele.main.to.b.*", "stele.main.in.b.>",
            "stele.main.to.>", ">", "stele.main.*.b.c", "stele.log.LOG", "_INBOX.>"};
    natsSubscription *subs[BOXES] = {NULL};
    struct node b;
    struct node a;
    struct evil e;
    unsigned refused = 0;

    (void)state;
    start(&b, 1);
    evil_start(&e, 2);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(natsConnection_PublishString(e.nc, names[i], "forged"), NATS_OK);
        assert_int_equal(natsConnection_Flush(e.nc), NATS_OK);
        await_refused(&e, ++refused);
    }
    for (size_t i = 0; i < BOXES; i++) {
        assert_int_equal(
                natsConnection_Subscribe(&subs[i], e.nc, boxes[i], on_message, &e), NATS_OK);
        assert_int_equal(natsConnection_Flush(e.nc), NATS_OK);
        await_refused(&e, ++refused);
    }
    start(&a, 0);
    seen_await(a.fleet, "b", true);
    CHECK_OK(node_echo(&a, "b", "secret", -1), NULL);
    assert_int_equal(natsConnection_Flush(e.nc), NATS_OK);
    assert_int_equal(e.heard, 0);
    assert_int_equal(b.received, 1);
    assert_int_equal(b.events[STELE_NATS_MALFORMED], 0);
    natsConnection_Close(e.nc);
    node_stop(&a);
    node_stop(&b);
    nats_Sleep(20);
    for (size_t i = 0; i < BOXES; i++) {
        natsSubscription_Destroy(subs[i]);
    }
    natsConnection_Destroy(e.nc);
}

/* ---- A peer that is who it says, and hostile. ---- */

static size_t mutate(uint64_t *seed, uint8_t *out)
{
    static const uint8_t valid[] = {
            'S', 'N', 1, 1, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0, 'x', 'y', 'z', '!'};
    unsigned len = sizeof valid;

    memcpy(out, valid, len);
    for (unsigned i = dice(seed, 4) + 1; i > 0; i--) {
        out[dice(seed, len)] = (uint8_t)dice(seed, 256);
    }
    return dice(seed, 3) == 0 ? dice(seed, len + 1) : len;
}

/* Nothing that it sends stops b, or makes b send to anybody else. */
static void test_hostile(void **state)
{
    static const char *const subjects[] = {"stele.main.to.b.c", "stele.main.all.c",
            "stele.main.hb.c", "stele.main.in.b.0123456789abcdef.00000001.c"};
    static const char *const replies[] = {"stele.main.to.a", "stele.main.all",
            "stele.main.in.a.0123456789abcdef.00000001", "$JS.API.STREAM.DELETE.LOG",
            "stele.main.in.c.0123456789abcdef.00000001"};
    unsigned count = getenv("STELE_FULL") == NULL ? MUTATIONS : MUTATIONS_FULL;
    uint64_t seed = 77;
    uint8_t data[64];
    struct node a;
    struct node b;
    struct evil e;

    (void)state;
    start(&a, 0);
    start(&b, 1);
    seen_await(a.fleet, "b", true);
    evil_start(&e, 2);
    print_message("seed %llu\n", (unsigned long long)seed);
    for (unsigned i = 0; i < count; i++) {
        const char *subject = subjects[dice(&seed, 4)];
        const char *reply = dice(&seed, 2) == 0 ? NULL : replies[dice(&seed, 5)];
        int len = (int)mutate(&seed, data);

        assert_int_equal(reply == NULL
                                 ? natsConnection_Publish(e.nc, subject, data, len)
                                 : natsConnection_PublishRequest(e.nc, subject, reply, data, len),
                NATS_OK);
    }
    assert_int_equal(natsConnection_Flush(e.nc), NATS_OK);
    node_await_event(&b, STELE_NATS_MALFORMED, 1000);
    CHECK_OK(node_echo(&a, "b", "echo", -1), NULL);
    CHECK_OK(node_echo(&b, "a", "echo", -1), NULL);
    /* b tried to send to nobody but c: it may, and else the server would have said so. */
    assert_int_equal(b.events[STELE_NATS_REFUSED], 0);
    assert_false(seen_online(a.fleet, "anybody else"));
    assert_true(a.fleet->ops->count_all(a.fleet) <= 3);
    natsConnection_Close(e.nc);
    node_stop(&a);
    node_stop(&b);
    nats_Sleep(20);
    natsConnection_Destroy(e.nc);
}

/* Keys that the server does not know. */
static void test_stranger(void **state)
{
    const stele_wait wait = {.timeout_ms = 100};
    stele_nats_options opts;
    stele_fleet *f = NULL;
    stele_error err;
    stele_code rc;

    (void)state;
    stele_nats_options_init(&opts);
    opts.server.url = server.url;
    rc = stele_nats_open(&f, "a", &opts, &err);
    if (rc == STELE_OK) {
        rc = stele_nats_ready(f, &wait, &err);
        stele_fleet_close(f);
    }
    print_message("a stranger gets %s: %s\n", stele_code_name(rc), err.message);
    assert_true(rc == STELE_EPERM || rc == STELE_ECLOSED || rc == STELE_ETIMEDOUT);
}

/* The mirror's own key is enough to mirror and to make again, and for nothing else. */
static void test_mirror(void **state)
{
    char seed[TMPDIR_PATH_SIZE];
    char path[TMPDIR_PATH_SIZE];
    stele_nats_mirror_options opts;
    stele_nats_mirrored done;
    stele_stream *log;
    stele_stream *copy;
    struct tmpdir dir;
    struct evil e;
    stele_error err;

    (void)state;
    tmpdir_make(&dir);
    tmpdir_path(&dir, "log", path);
    log = logs_open(path);
    tmpdir_path(&dir, "copy", path);
    copy = logs_open(path);
    seed_file(3, seed);
    stele_nats_mirror_options_init(&opts);
    opts.server.url = server.url;
    opts.server.nkey = keys[3].key;
    opts.server.nkey_seed_file = seed;
    opts.stream = "LOG";
    logs_publish(log, 2000);
    CHECK_OK(stele_nats_mirror(log, &opts, &done, &err), &err);
    CHECK_OK(stele_nats_rebuild(copy, &opts, &done, &err), &err);
    assert_int_equal(logs_check_equal(log, copy), 2000);
    evil_start(&e, 3);
    assert_int_equal(natsConnection_PublishString(e.nc, "$JS.API.STREAM.DELETE.LOG", ""), NATS_OK);
    assert_int_equal(natsConnection_Flush(e.nc), NATS_OK);
    await_refused(&e, 1);
    assert_int_equal(natsConnection_PublishString(e.nc, "$JS.API.STREAM.PURGE.LOG", ""), NATS_OK);
    assert_int_equal(natsConnection_Flush(e.nc), NATS_OK);
    await_refused(&e, 2);
    natsConnection_Close(e.nc);
    logs_close(log);
    logs_close(copy);
    tmpdir_remove(&dir);
    nats_Sleep(20);
    natsConnection_Destroy(e.nc);
}

static char *read_example(void)
{
    FILE *f = fopen(STELE_TESTS_DIR "/../examples/nats-server.conf", "r");
    char *text = calloc(1, 16384);

    assert_non_null(f);
    assert_non_null(text);
    assert_true(fread(text, 1, 16383, f) > 1000);
    (void)fclose(f);
    return text;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_peers), cmocka_unit_test(test_forge),
            cmocka_unit_test(test_hostile), cmocka_unit_test(test_stranger),
            cmocka_unit_test(test_mirror)};
    char *example = read_example();
    int failed;

    tmpdir_make(&seeds);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        tmpdir_write(&seeds, keys[i].name, keys[i].seed, strlen(keys[i].seed));
        (void)setenv(keys[i].variable, keys[i].key, 1);
    }
    nats_server_make(&server, example);
    free(example);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    nats_server_remove(&server);
    tmpdir_remove(&seeds);
    nats_CloseAndWait(2000);
    return failed;
}
