/* SPDX-License-Identifier: MIT
 *
 * core_test.c: what a core answers, asks for and refuses, event by event.
 */
#include "fleet/core.h"

#include "fleet/packet.h"
#include "fleet/recon.h"
#include "fleet/reference.h"
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

static int set_up(void **state)
{
    struct kit *k = calloc(1, sizeof *k);

    assert_non_null(k);
    kit_init(k, "me");
    kit_start(k);
    *state = k;
    return 0;
}

static int tear_down(void **state)
{
    kit_free(*state);
    free(*state);
    return 0;
}

static enum sti_fleet_protocol protocol_of(struct kit *k, size_t place)
{
    struct sti_fleet_peer_info info;

    sti_fleet_core_peer(k->core, place, &info);
    return info.protocol;
}

/* ---- Who is there. ---- */

static void test_lone(void **state)
{
    struct kit *k = *state;

    kit_tick(k, KIT_S);
    assert_int_equal(sti_fleet_core_status(k->core), STI_FLEET_INITIALIZING);
    kit_tick(k, KIT_S);
    assert_int_equal(sti_fleet_core_status(k->core), STI_FLEET_READY);
    assert_true(kit_told(k, STI_FLEET_TOLD_READY));
    kit_tick(k, KIT_S);
    assert_false(kit_told(k, STI_FLEET_TOLD_READY));
}

static void test_meet(void **state)
{
    struct kit *k = *state;

    kit_meet(k, "other", 5);
    assert_int_equal(protocol_of(k, 0), STI_FLEET_STELE);
    assert_int_equal(sti_fleet_core_status(k->core), STI_FLEET_READY);
    kit_tick(k, 2 * KIT_S);
    assert_non_null(kit_packet(k, STI_FLEET_PKT_STATE));
}

/* A peer that does not answer is asked again, ever more seldom; nobody is ready meanwhile. */
static void test_silent(void **state)
{
    struct kit *k = *state;
    const struct sti_fleet_effect *e;
    unsigned hellos = 0;

    kit_up(k, "other");
    for (int i = 0; i < 200; i++) {
        e = kit_packet(k, STI_FLEET_PKT_HELLO);
        if (e != NULL) {
            hellos++;
            kit_reply(k, e->token, STELE_ETIMEDOUT, stele_nil());
        }
        kit_tick(k, KIT_S / 2);
    }
    assert_true(hellos >= 4);
    assert_true(hellos <= 10);
    assert_int_equal(protocol_of(k, 0), STI_FLEET_UNKNOWN);
    assert_int_equal(sti_fleet_core_status(k->core), STI_FLEET_INITIALIZING);
}

static void test_foreign(void **state)
{
    struct kit *k = *state;
    struct sti_fleet_hello h = {
            .kind = STI_FLEET_PKT_HELLO, .lowest = 7, .highest = 9, .server = 3, .boot = 4};
    stele_buf hello;

    stele_buf_init(&hello, SIZE_MAX);
    CHECK_OK(sti_fleet_hello_encode(&h, &hello, NULL), NULL);
    kit_message(k, "other", 9, stele_buf_view(&hello));
    assert_int_equal(protocol_of(k, 0), STI_FLEET_FOREIGN);
    assert_non_null(kit_packet(k, STI_FLEET_PKT_HELLO_REPLY));
    stele_buf_free(&hello);
}

/* The one who began later draws another number. */
static void test_server_taken(void **state)
{
    struct kit *k = *state;
    stele_buf hello;

    stele_buf_init(&hello, SIZE_MAX);
    kit_hello(&hello, STI_FLEET_PKT_HELLO, 1, 999, 0, &k->log);
    kit_message(k, "older", 9, stele_buf_view(&hello));
    assert_true(kit_told(k, STI_FLEET_TOLD_SERVER_TAKEN));
    stele_buf_clear(&hello);
    kit_hello(&hello, STI_FLEET_PKT_HELLO, 1, 1001, 0, &k->log);
    kit_message(k, "younger", 9, stele_buf_view(&hello));
    assert_false(kit_told(k, STI_FLEET_TOLD_SERVER_TAKEN));
    stele_buf_free(&hello);
}

static void test_skew(void **state)
{
    struct kit *k = *state;
    stele_buf hello;

    k->wall += 100;
    stele_buf_init(&hello, SIZE_MAX);
    kit_hello(&hello, STI_FLEET_PKT_HELLO, 2, 999, 0, &k->log);
    kit_message(k, "other", 9, stele_buf_view(&hello));
    assert_true(kit_told(k, STI_FLEET_TOLD_SKEW));
    kit_message(k, "other", 10, stele_buf_view(&hello));
    assert_false(kit_told(k, STI_FLEET_TOLD_SKEW));
    stele_buf_free(&hello);
}

/* ---- Changes of one's own. ---- */

/* Nothing is said of a change before it is stored; then the client and all peers hear of it. */
static void test_change(void **state)
{
    struct kit *k = *state;
    struct sti_fleet_push push;
    const struct sti_fleet_effect *e;
    stele_bytes got;
    stele_buf entry;

    kit_meet(k, "b", 5);
    kit_meet(k, "c", 6);
    stele_buf_init(&entry, SIZE_MAX);
    kit_entry(&entry, KIT_WALL, 1, "id", "{}");
    kit_change(k, stele_buf_view(&entry));
    e = kit_effect(k, STI_FLEET_DO_ACK, 0);
    assert_non_null(e);
    assert_int_equal(e->token, 4242);
    assert_int_equal(e->code, STELE_OK);
    e = kit_effect(k, STI_FLEET_DO_BROADCAST, 0);
    assert_non_null(e);
    CHECK_OK(sti_fleet_push_decode(&push, e->bytes, NULL), NULL);
    assert_int_equal(push.boot, 1000);
    assert_int_equal(push.first, 1);
    CHECK_OK(sti_fleet_entries_next(&push.entries, &got), NULL);
    CHECK_BYTES(got, stele_buf_view(&entry));
    stele_buf_free(&entry);
}

static void test_change_fails(void **state)
{
    struct kit *k = *state;
    const struct sti_fleet_effect *e;

    kit_meet(k, "b", 5);
    kit_event(k, (struct sti_fleet_event){.kind = STI_FLEET_EV_CLIENT,
                         .token = 7,
                         .id = stele_str("x"),
                         .json = stele_str("{}")});
    e = kit_effect(k, STI_FLEET_DO_CHANGE, 0);
    assert_non_null(e);
    kit_event(k, (struct sti_fleet_event){
                         .kind = STI_FLEET_EV_STORED, .token = e->token, .code = STELE_ECONFLICT});
    e = kit_effect(k, STI_FLEET_DO_ACK, 0);
    assert_int_equal(e->token, 7);
    assert_int_equal(e->code, STELE_ECONFLICT);
    assert_null(kit_packet(k, STI_FLEET_PKT_PUSH));
}

/* A peer out of credit is passed over; with credit it goes on. */
static void test_credit(void **state)
{
    struct kit *k = *state;
    struct sti_fleet_credit credit = {.boot = 1000, .bytes = 4 << 20};
    unsigned sent = 0;
    char *json = calloc(1, 1 << 20);
    stele_buf buf;

    assert_non_null(json);
    memset(json, 'x', (1 << 20) - 1);
    kit_meet(k, "b", 5);
    stele_buf_init(&buf, SIZE_MAX);
    for (unsigned i = 0; i < 8; i++) {
        stele_buf_clear(&buf);
        kit_entry(&buf, KIT_WALL + i, 1, "id", json);
        kit_change(k, stele_buf_view(&buf));
        sent += kit_packet(k, STI_FLEET_PKT_PUSH) != NULL;
    }
    assert_int_equal(sent, 3);
    credit.seen = 8;
    stele_buf_clear(&buf);
    CHECK_OK(sti_fleet_credit_encode(&credit, &buf, NULL), NULL);
    kit_message(k, "b", 0, stele_buf_view(&buf));
    stele_buf_clear(&buf);
    kit_entry(&buf, KIT_WALL + 9, 1, "id", json);
    kit_change(k, stele_buf_view(&buf));
    assert_non_null(kit_packet(k, STI_FLEET_PKT_PUSH));
    stele_buf_free(&buf);
    free(json);
}

/* ---- Entries of others. ---- */

static void push_from(struct kit *k, const char *peer, uint64_t boot, uint64_t number,
        int64_t seconds, const char *id)
{
    stele_buf entry;
    stele_buf push;

    stele_buf_init(&entry, SIZE_MAX);
    stele_buf_init(&push, SIZE_MAX);
    kit_entry(&entry, seconds, 9, id, "{}");
    CHECK_OK(sti_fleet_push_begin(boot, number, 1, &push, NULL), NULL);
    CHECK_OK(sti_fleet_entries_add(stele_buf_view(&entry), &push, NULL), NULL);
    kit_message(k, peer, 0, stele_buf_view(&push));
    stele_buf_free(&entry);
    stele_buf_free(&push);
}

static void test_push(void **state)
{
    struct kit *k = *state;
    struct sti_fleet_counters counters;

    kit_meet(k, "b", 5);
    push_from(k, "b", 5, 1, KIT_WALL, "x");
    kit_store(k);
    assert_int_equal(k->log.count, 1);
    push_from(k, "b", 5, 1, KIT_WALL, "x");
    assert_null(kit_effect(k, STI_FLEET_DO_STORE, 0));
    push_from(k, "b", 5, 2, KIT_WALL, "y");
    kit_store(k);
    sti_fleet_core_counters(k->core, &counters);
    assert_int_equal(counters.gaps, 0);
    /* A number that is missing is looked for. */
    push_from(k, "b", 5, 4, KIT_WALL, "z");
    sti_fleet_core_counters(k->core, &counters);
    assert_int_equal(counters.gaps, 1);
    kit_store(k);
    assert_null(kit_packet(k, STI_FLEET_PKT_RECON));
    kit_tick(k, KIT_S);
    assert_non_null(kit_packet(k, STI_FLEET_PKT_RECON));
}

/* Another boot than the one that is known: hello again. */
static void test_new_boot(void **state)
{
    struct kit *k = *state;

    kit_meet(k, "b", 5);
    push_from(k, "b", 6, 1, KIT_WALL, "x");
    assert_non_null(kit_packet(k, STI_FLEET_PKT_HELLO));
    assert_non_null(kit_effect(k, STI_FLEET_DO_STORE, 0));
}

static void test_quarantine(void **state)
{
    struct kit *k = *state;
    const struct sti_fleet_effect *timer;
    struct sti_fleet_counters counters;

    kit_meet(k, "b", 5);
    push_from(k, "b", 5, 1, KIT_WALL + 60, "x");
    assert_non_null(kit_effect(k, STI_FLEET_DO_STORE, 0));
    kit_store(k);
    push_from(k, "b", 5, 2, KIT_WALL + 161, "y");
    assert_null(kit_effect(k, STI_FLEET_DO_STORE, 0));
    assert_true(kit_told(k, STI_FLEET_TOLD_QUARANTINED));
    push_from(k, "b", 5, 3, KIT_WALL + 161, "y");
    assert_false(kit_told(k, STI_FLEET_TOLD_QUARANTINED));
    push_from(k, "b", 5, 4, KIT_WALL + 140, "z");
    sti_fleet_core_counters(k->core, &counters);
    assert_int_equal(counters.quarantined, 2);
    timer = kit_effect(k, STI_FLEET_DO_TIMER, 0);
    assert_true(timer == NULL || timer->at_ns <= 200 * KIT_S);
    kit_tick(k, 85 * KIT_S);
    kit_store(k);
    sti_fleet_core_counters(k->core, &counters);
    assert_int_equal(counters.quarantined, 1);
    kit_tick(k, 20 * KIT_S);
    kit_store(k);
    sti_fleet_core_counters(k->core, &counters);
    assert_int_equal(counters.quarantined, 0);
    assert_int_equal(k->log.count, 3);
}

static void test_quarantine_bound(void **state)
{
    struct kit k;
    struct sti_fleet_counters counters;

    (void)state;
    kit_init(&k, "me");
    k.config.quarantine_max = 1000;
    kit_start(&k);
    kit_meet(&k, "b", 5);
    for (unsigned i = 0; i < 100; i++) {
        push_from(&k, "b", 5, i + 1, KIT_WALL + 10000 + i, "x");
    }
    sti_fleet_core_counters(k.core, &counters);
    assert_true(counters.quarantined > 3);
    assert_true(counters.quarantined < 20);
    assert_int_equal(counters.quarantined + counters.dropped, 100);
    kit_free(&k);
}

/* What comes faster than it is stored is dropped, and looked for. */
static void test_store_bound(void **state)
{
    struct kit k;
    struct sti_fleet_counters counters;
    unsigned stores = 0;

    (void)state;
    kit_init(&k, "me");
    k.config.store_max = 300;
    kit_start(&k);
    kit_meet(&k, "b", 5);
    for (unsigned i = 0; i < 50; i++) {
        push_from(&k, "b", 5, i + 1, KIT_WALL - i, "x");
        stores += kit_effect(&k, STI_FLEET_DO_STORE, 0) != NULL;
    }
    sti_fleet_core_counters(k.core, &counters);
    assert_true(stores < 15);
    assert_int_equal(stores + counters.dropped, 50);
    kit_tick(&k, KIT_S);
    assert_non_null(kit_packet(&k, STI_FLEET_PKT_RECON));
    kit_free(&k);
}

static void test_store_fails(void **state)
{
    struct kit *k = *state;
    const struct sti_fleet_effect *e;

    kit_meet(k, "b", 5);
    push_from(k, "b", 5, 1, KIT_WALL, "x");
    e = kit_effect(k, STI_FLEET_DO_STORE, 0);
    kit_event(k, (struct sti_fleet_event){
                         .kind = STI_FLEET_EV_STORED, .token = e->token, .code = STELE_ENOSPC});
    assert_true(kit_told(k, STI_FLEET_TOLD_FAILED));
}

/* ---- What is asked. ---- */

static void test_fetch(void **state)
{
    struct kit *k = *state;
    struct sti_fleet_fetch fetch = {.session = 1, .salt = 2, .bytes_max = 100};
    struct sti_fleet_fetch_item item = {
            .low = sti_fleet_bound_first(), .high = sti_fleet_bound_end()};
    struct sti_fleet_logs logs;
    uint64_t seconds = 0;
    stele_buf buf;

    stele_buf_init(&buf, SIZE_MAX);
    for (unsigned i = 0; i < 10; i++) {
        stele_buf_clear(&buf);
        kit_entry(&buf, KIT_WALL + i, 1, "some id", "{\"some\":\"json\"}");
        (void)fleet_memory_add(&k->log, stele_buf_view(&buf));
    }
    stele_buf_clear(&buf);
    CHECK_OK(sti_fleet_fetch_begin(&fetch, &buf, NULL), NULL);
    CHECK_OK(sti_fleet_fetch_add(&item, &seconds, &buf, NULL), NULL);
    kit_message(k, "b", 3, stele_buf_view(&buf));
    CHECK_OK(sti_fleet_logs_decode(&logs, kit_packet(k, STI_FLEET_PKT_LOGS)->bytes, NULL), NULL);
    assert_true(logs.more);
    assert_true(logs.entries.count >= 1 && logs.entries.count < 4);
    stele_buf_free(&buf);
}

/* The name in a packet of the reference is not believed: the answer goes to who sent it. */
static void test_no_reflection(void **state)
{
    static const uint8_t get_info[] = {STELE_FLEET_PKT_GET_INFO, 'v', 'i', 'c', 't', 'i', 'm'};
    static const uint8_t get_ids[] = {STELE_FLEET_PKT_GET_LOG_IDS, 0, 6, 'v', 'i', 'c', 't', 'i',
            'm', 0, 0, 0, 0, 0, 0, 0x51, 0x63};
    struct kit *k = *state;
    stele_buf entry;

    kit_meet(k, "victim", 5);
    stele_buf_init(&entry, SIZE_MAX);
    kit_entry(&entry, INT64_C(0x5162) * STI_DOCS_DAY_SECONDS, 1, "x", "{}");
    (void)fleet_memory_add(&k->log, stele_buf_view(&entry));
    kit_message(k, "mallory", 0, stele_bytes_of(get_info, sizeof get_info));
    assert_string_equal(kit_packet(k, STELE_FLEET_PKT_GET_INFO_RESP)->peer, "mallory");
    kit_message(k, "mallory", 0, stele_bytes_of(get_ids, sizeof get_ids));
    assert_string_equal(kit_packet(k, STELE_FLEET_PKT_LOG_IDS_PUSH)->peer, "mallory");
    stele_buf_free(&entry);
}

static void test_unknown(void **state)
{
    static const uint8_t unknown[] = {0x77, 1, 2, 3};
    struct kit *k = *state;
    struct sti_fleet_counters counters;
    const struct sti_fleet_effect *e;

    kit_message(k, "b", 9, stele_bytes_of(unknown, sizeof unknown));
    e = kit_effect(k, STI_FLEET_DO_REPLY, 0);
    assert_non_null(e);
    assert_int_equal(e->code, STELE_OK);
    assert_true(stele_is_nil(e->bytes));
    kit_message(k, "b", 0, stele_nil());
    sti_fleet_core_counters(k->core, &counters);
    assert_int_equal(counters.unknown_packets, 2);
}

/* Neither oneself nor what is no name is a peer; there is an end to how many there are. */
static void test_names(void **state)
{
    static const uint8_t packet[] = {STELE_FLEET_PKT_GET_INFO};
    struct kit *k = *state;
    char name[300];

    kit_message(k, "me", 0, stele_bytes_of(packet, 1));
    kit_message(k, "", 0, stele_bytes_of(packet, 1));
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = 0;
    kit_message(k, name, 0, stele_bytes_of(packet, 1));
    assert_int_equal(sti_fleet_core_peer_count(k->core), 0);
    for (int i = 0; i < 1100; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        kit_message(k, name, 0, stele_bytes_of(packet, 1));
    }
    assert_int_equal(sti_fleet_core_peer_count(k->core), 1024);
}

/* ---- The horizon. ---- */

static void test_below_horizon(void **state)
{
    struct kit k;
    struct sti_fleet_counters counters;

    (void)state;
    kit_init(&k, "me");
    k.config.horizon.seconds = KIT_WALL - 100;
    kit_start(&k);
    kit_meet(&k, "b", 5);
    push_from(&k, "b", 5, 1, KIT_WALL - 101, "x");
    assert_null(kit_effect(&k, STI_FLEET_DO_STORE, 0));
    sti_fleet_core_counters(k.core, &counters);
    assert_int_equal(counters.below_horizon, 1);
    push_from(&k, "b", 5, 2, KIT_WALL - 100, "x");
    assert_non_null(kit_effect(&k, STI_FLEET_DO_STORE, 0));
    kit_free(&k);
}

/* It waits for a peer that is known and not heard of, until that is forgotten, and for one of the
 * reference. */
static void test_horizon_waits(void **state)
{
    struct kit k;

    (void)state;
    kit_init(&k, "me");
    k.config.retention = 100;
    kit_start(&k);
    kit_event(&k, (struct sti_fleet_event){.kind = STI_FLEET_EV_DOWN, .peer = "lost"});
    kit_tick(&k, 5 * KIT_S);
    assert_null(kit_effect(&k, STI_FLEET_DO_TRIM, 0));
    kit_event(&k, (struct sti_fleet_event){.kind = STI_FLEET_EV_FORGET, .peer = "lost"});
    kit_tick(&k, 5 * KIT_S);
    assert_non_null(kit_effect(&k, STI_FLEET_DO_TRIM, 0));
    assert_int_equal(sti_fleet_core_horizon(k.core).seconds, KIT_WALL + 10 - 100);
    kit_up(&k, "reference");
    kit_reply(&k, kit_packet(&k, STI_FLEET_PKT_HELLO)->token, STELE_OK, stele_nil());
    kit_tick(&k, 60 * KIT_S);
    assert_null(kit_effect(&k, STI_FLEET_DO_TRIM, 0));
    kit_free(&k);
}

/* ---- Misuse, memory. ---- */

static void test_misuse(void **state)
{
    struct sti_fleet_core *core = NULL;
    struct kit k;

    (void)state;
    kit_init(&k, "");
    CHECK_CODE(sti_fleet_core_new(&core, &k.config, NULL), STELE_EINVAL);
    kit_init(&k, "me");
    k.config.server = 0;
    CHECK_CODE(sti_fleet_core_new(&core, &k.config, NULL), STELE_EINVAL);
    k.config.server = 1;
    k.config.boot = 0;
    CHECK_CODE(sti_fleet_core_new(&core, &k.config, NULL), STELE_EINVAL);
    sti_fleet_core_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(lone), TEST(meet), TEST(silent), TEST(foreign),
            TEST(server_taken), TEST(skew), TEST(change), TEST(change_fails), TEST(credit),
            TEST(push), TEST(new_boot), TEST(quarantine), TEST(quarantine_bound), TEST(store_bound),
            TEST(store_fails), TEST(fetch), TEST(no_reflection), TEST(unknown), TEST(names),
            TEST(below_horizon), TEST(horizon_waits), TEST(misuse)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
