/* SPDX-License-Identifier: MIT
 *
 * hostile_test.c: a peer that sends what it likes, and a machine without memory.
 */
#include "base/alloc.h"
#include "nodes.h"

#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PACKETS_MAX = 64,
    PACKET_MAX = 4096,
    ROUNDS = 20000,
    ROUNDS_FULL = 1000000,
    ROUNDS_AT_ONCE = 20000,
    SENDERS = 4,
    QUEUE = 4 << 20,
    /* Bytes in use beyond those before: the queue, entries on their way to storage and in
     * quarantine (core.h), what the database keeps in memory, and a view of each of these. */
    MEMORY_MAX = 48 << 20,
    ONE_IN = 40
};

/* ---- Packets, as nodes send them, and as they do not. ---- */

struct heard {
    pthread_mutex_t lock;
    size_t count;
    size_t lens[PACKETS_MAX];
    uint8_t packets[PACKETS_MAX][PACKET_MAX];
};

static struct heard heard = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void keep(void *arg, const stele_fleet_packet *packet)
{
    (void)arg;
    if (packet->data.len == 0 || packet->data.len > PACKET_MAX) {
        return;
    }
    (void)pthread_mutex_lock(&heard.lock);
    if (heard.count < PACKETS_MAX) {
        heard.lens[heard.count] = packet->data.len;
        memcpy(heard.packets[heard.count++], packet->data.data, packet->data.len);
    }
    (void)pthread_mutex_unlock(&heard.lock);
}

static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t below(uint64_t bound)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % bound;
}

static size_t mutate(uint8_t out[PACKET_MAX])
{
    size_t from = (size_t)below(heard.count);
    size_t len = heard.lens[from];

    memcpy(out, heard.packets[from], len);
    for (uint64_t i = below(4); i > 0; i--) {
        out[below(len)] = (uint8_t)below(256);
    }
    if (below(4) == 0) {
        len = 1 + (size_t)below(len);
    }
    if (below(4) == 0) {
        static const uint8_t kinds[] = {
                0, 1, 2, 0x40, 0x41, 0x80, 0x10, 0x11, 0x12, 0x13, 0x50, 0x51, 0x52, 0x90, 0x33};

        out[0] = kinds[below(sizeof kinds)];
    }
    return len;
}

/* All packets of a real exchange, between n0 and n1. */
static void listen_in(struct fleet *f)
{
    struct one *o = &f->list[1];
    stele_fleet *inner = NULL;
    stele_node *node = NULL;
    stele_error err;

    one_set(&f->list[0], "a", "{'@type':'t','u':1}");
    one_open_db(f, 1);
    one_set(o, "b", "{'@type':'t','u':2}");
    CHECK_OK(stele_fleet_hub_join(f->hub, o->name, &inner, &err), &err);
    CHECK_OK(stele_fleet_record(&o->transport, inner, keep, NULL, &err), &err);
    CHECK_OK(stele_node_open(&node, o->db, o->transport, NULL, &err), &err);
    o->node = node;
    fleet_await_equal(f, 2);
    one_set(&f->list[0], "c", "{'n':1}");
    one_set(o, "d", "{'n':1}");
    fleet_await_equal(f, 2);
    one_leave(o);
    stele_fleet_close(inner);
    assert_true(heard.count > 4);
}

static stele_code answer_nonsense(
        void *arg, const char *from, stele_bytes data, stele_buf *reply, stele_error *err)
{
    uint8_t packet[PACKET_MAX];
    size_t len;

    (void)arg;
    (void)from;
    (void)data;
    (void)pthread_mutex_lock(&heard.lock);
    len = mutate(packet);
    (void)pthread_mutex_unlock(&heard.lock);
    return stele_buf_append(reply, stele_bytes_of(packet, len), err);
}

struct sending {
    stele_fleet *evil;
    int rounds;
    size_t most; /* bytes in use */
};

static void *send_nonsense(void *arg)
{
    struct sending *s = arg;
    uint8_t packet[PACKET_MAX];
    stele_buf reply;
    stele_wait wait = {.timeout_ms = STELE_FOREVER};

    stele_buf_init(&reply, SIZE_MAX);
    for (int i = 0; i < s->rounds; i++) {
        size_t len;

        (void)pthread_mutex_lock(&heard.lock);
        len = mutate(packet);
        (void)pthread_mutex_unlock(&heard.lock);
        stele_buf_clear(&reply);
        if (i % 2 == 0) {
            (void)s->evil->ops->request(
                    s->evil, "n0", stele_bytes_of(packet, len), &wait, &reply, NULL);
        } else {
            (void)s->evil->ops->send(s->evil, "n0", stele_bytes_of(packet, len), NULL);
        }
        if (i % 500 == 0) {
            size_t is = mallinfo2().uordblks;

            s->most = is > s->most ? is : s->most;
        }
    }
    stele_buf_free(&reply);
    return NULL;
}

/* Several threads of one peer; the most memory that was in use. */
static size_t send_all(stele_fleet *evil, int rounds)
{
    struct sending sendings[SENDERS];
    pthread_t threads[SENDERS];
    size_t most = 0;

    for (int i = 0; i < SENDERS; i++) {
        sendings[i] = (struct sending){.evil = evil, .rounds = rounds / SENDERS};
        assert_int_equal(pthread_create(&threads[i], NULL, send_nonsense, &sendings[i]), 0);
    }
    for (int i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        most = sendings[i].most > most ? sendings[i].most : most;
    }
    return most;
}

/* A new database: what is stored of the packets makes each one take longer. */
static void begin_anew(struct fleet *f)
{
    one_close(&f->list[0]);
    tmpdir_remove(&f->list[0].tmp);
    tmpdir_make(&f->list[0].tmp);
    one_open(f, 0);
}

static void add_up(stele_node_status *sum, const stele_node_status *s)
{
    sum->bad += s->bad;
    sum->stored += s->stored;
    sum->refused += s->refused;
    sum->quarantined += s->quarantined;
    sum->dropped += s->dropped;
}

static void test_nonsense_harms_nobody(void **arg)
{
    struct fleet *f = *arg;
    const char *full = getenv("STELE_FULL");
    int rounds = full != NULL && full[0] != 0 ? ROUNDS_FULL : ROUNDS;
    stele_node_status sum = {.bad = 0};
    stele_fleet *evil = NULL;
    stele_error err;
    size_t more = 0;

    f->list[0].queue_max = QUEUE;
    one_open(f, 0);
    listen_in(f);
    CHECK_OK(stele_fleet_hub_join(f->hub, "evil", &evil, &err), &err);
    CHECK_OK(evil->ops->connect(evil, answer_nonsense, NULL, &err), &err);
    for (int done = 0; done < rounds; done += ROUNDS_AT_ONCE) {
        size_t before;
        size_t most;
        stele_node_status status;

        if (done > 0) {
            begin_anew(f);
        }
        before = mallinfo2().uordblks;
        most = send_all(evil, rounds < ROUNDS_AT_ONCE ? rounds : ROUNDS_AT_ONCE);
        status = one_status(&f->list[0]);
        add_up(&sum, &status);
        more = most > before + more ? most - before : more;
    }
    print_message("fleet packets: %d mutated packets to a node over a database: %" PRIu64
                  " bad, %" PRIu64 " entries stored, %" PRIu64 " refused, %" PRIu64
                  " in quarantine, %" PRIu64 " dropped; %.1f MiB more in use at most, of %d\n",
            rounds, sum.bad, sum.stored, sum.refused, sum.quarantined, sum.dropped,
            (double)more / 1048576, MEMORY_MAX >> 20);
    assert_true(sum.bad > (uint64_t)rounds / 100);
    assert_true(more <= MEMORY_MAX);
    one_join(f, 1);
    one_set(&f->list[0], "e", "{'n':1}");
    one_set(&f->list[1], "g", "{'n':1}");
    one_await(&f->list[1], "e", "{'n':1}");
    one_await(&f->list[0], "g", "{'n':1}");
    stele_fleet_close(evil);
    fleet_await_equal(f, 2);
}

/* ---- No memory, every now and then. ---- */

struct failing {
    _Atomic bool on;
    _Atomic unsigned count;
};

static struct failing failing; /* threads may look at it when the hook has gone */

static bool now_and_then(void *arg)
{
    struct failing *f = arg;

    return atomic_load(&f->on) &&
           (atomic_fetch_add(&f->count, 1) * UINT32_C(2654435761) >> 16) % ONE_IN == 0;
}

static void change_somehow(struct fleet *f)
{
    for (int i = 0; i < 2000; i++) {
        char id[16];
        stele_code rc;

        (void)snprintf(id, sizeof id, "%d", i % 300);
        rc = i % 7 == 6 ? stele_docs_delete(f->list[i % 2].db, stele_str(id), NULL, NULL)
                        : one_try_set(&f->list[i % 2], id, "{'n':1}");

        if (rc != STELE_OK && rc != STELE_ENOMEM && rc != STELE_ENOTFOUND) {
            fail_msg("a change without memory gave %s", stele_code_name(rc));
        }
    }
}

static void test_without_memory_nothing_is_lost(void **arg)
{
    struct fleet *f = *arg;

    sti_alloc_set_hook(now_and_then, &failing);
    one_open(f, 0);
    one_open(f, 1);
    atomic_store(&failing.on, true);
    change_somehow(f);
    assert_true(atomic_load(&failing.count) > ONE_IN);
    atomic_store(&failing.on, false);
    one_set(&f->list[0], "last", "{}");
    fleet_await_equal(f, 2);
    one_close(&f->list[0]);
    one_close(&f->list[1]);
    sti_alloc_set_hook(NULL, NULL);
}

/* Opening fails as a whole, wherever memory ends, and then does not. */

static _Atomic int left;

static bool is_over(void *arg)
{
    (void)arg;
    return atomic_fetch_sub(&left, 1) == 0;
}

static void test_opening_without_memory(void **arg)
{
    struct fleet *f = *arg;
    struct one *o = &f->list[0];
    stele_code rc = STELE_ENOMEM;
    stele_error err;
    int failed = 0;

    one_open_db(f, 0);
    CHECK_OK(stele_fleet_hub_join(f->hub, o->name, &o->transport, &err), &err);
    for (int i = 0; rc != STELE_OK; i++) {
        atomic_store(&left, i);
        sti_alloc_set_hook(is_over, NULL);
        rc = stele_node_open(&o->node, o->db, o->transport, NULL, &err);
        atomic_store(&left, -1);
        if (rc != STELE_OK) {
            assert_int_equal(rc, STELE_ENOMEM);
            assert_null(o->node);
            failed++;
        }
    }
    assert_true(failed > 3);
    stele_node_close(o->node);
    o->node = NULL;
    sti_alloc_set_hook(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(
                    test_nonsense_harms_nobody, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_without_memory_nothing_is_lost, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_opening_without_memory, fleet_set_up, fleet_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
