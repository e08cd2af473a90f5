/* SPDX-License-Identifier: MIT
 *
 * lost_test.c: what a core does when it is told that what it thought to be here is not; and peers
 * that would keep it busy.
 */
#include "fleet/packet.h"
#include "fleet/reference.h"
#include "kit.h"

enum {
    BOOT = 7,
    HORIZON = 1000, /* seconds before the wall */
    AHEAD = 5000
};

static void meet_trimmed(struct kit *k, const char *peer)
{
    struct sti_fleet_hello hello = {.kind = STI_FLEET_PKT_HELLO,
            .lowest = STI_FLEET_VERSION,
            .highest = STI_FLEET_VERSION,
            .server = 9,
            .boot = BOOT,
            .now = {.seconds = KIT_WALL},
            .horizon = {.seconds = KIT_WALL - HORIZON}};
    struct sti_docs_aggregate nothing = {.count = 0};
    stele_buf out;

    stele_buf_init(&out, SIZE_MAX);
    CHECK_OK(sti_docs_aggregate_fingerprint(&nothing, hello.root, NULL), NULL);
    CHECK_OK(sti_fleet_hello_encode(&hello, &out, NULL), NULL);
    kit_up(k, peer);
    kit_message(k, peer, 1, stele_buf_view(&out));
    stele_buf_free(&out);
}

/* The request of a snapshot among what was done last; NULL: there is none. */
static const struct sti_fleet_effect *asked_for_snapshot(const struct kit *k)
{
    return kit_packet(k, STI_FLEET_PKT_SNAP);
}

/* Sessions come to nothing here. */
static void go_on(struct kit *k)
{
    const struct sti_fleet_effect *recon = kit_packet(k, STI_FLEET_PKT_RECON);

    if (recon != NULL) {
        kit_reply(k, recon->token, STELE_ETIMEDOUT, stele_nil());
    } else {
        kit_tick(k, KIT_S / 4);
    }
}

static uint64_t await_snapshot(struct kit *k)
{
    for (int i = 0; i < 400 && asked_for_snapshot(k) == NULL; i++) {
        go_on(k);
    }
    assert_non_null(asked_for_snapshot(k));
    return asked_for_snapshot(k)->token;
}

static void answer(struct kit *k, uint64_t token, const char *cursor, const char *id)
{
    stele_buf entry;
    stele_buf entries;
    stele_buf out;

    stele_buf_init(&entry, SIZE_MAX);
    stele_buf_init(&entries, SIZE_MAX);
    stele_buf_init(&out, SIZE_MAX);
    if (id != NULL) {
        kit_entry(&entry, KIT_WALL - 2 * HORIZON, 9, id, "{}");
        CHECK_OK(sti_fleet_entries_add(stele_buf_view(&entry), &entries, NULL), NULL);
    }
    CHECK_OK(sti_fleet_snap_reply_encode(stele_str(cursor), stele_buf_view(&entries), &out, NULL),
            NULL);
    kit_reply(k, token, STELE_OK, stele_buf_view(&out));
    stele_buf_free(&entry);
    stele_buf_free(&entries);
    stele_buf_free(&out);
}

static void fail_store(struct kit *k)
{
    const struct sti_fleet_effect *store = kit_effect(k, STI_FLEET_DO_STORE, 0);

    assert_non_null(store);
    kit_event(k, (struct sti_fleet_event){
                         .kind = STI_FLEET_EV_STORED, .token = store->token, .code = STELE_ENOSPC});
}

static void begin(struct kit *k)
{
    kit_init(k, "a");
    k->config.retention = 100 * HORIZON;
    kit_start(k);
    meet_trimmed(k, "b");
}

static bool told_not_synced(const struct kit *k)
{
    for (size_t i = 0; i < k->done.count; i++) {
        const struct sti_fleet_effect *e = &k->done.list[i];

        if (e->kind == STI_FLEET_DO_TELL && e->told == STI_FLEET_TOLD_SYNCED &&
                e->version.seconds == 0) {
            return true;
        }
    }
    return false;
}

/* The first part could not be stored: whatever comes after it, the whole is asked for again. */
static void test_a_snapshot_that_is_not_stored_is_taken_again(void **state)
{
    struct kit k;
    uint64_t token;

    (void)state;
    begin(&k);
    token = await_snapshot(&k);
    answer(&k, token, "m", "m");
    assert_non_null(asked_for_snapshot(&k));
    token = asked_for_snapshot(&k)->token;
    fail_store(&k);
    answer(&k, token, "", "z");
    kit_store(&k);
    (void)await_snapshot(&k);
    kit_free(&k);
}

/* The last part could not be stored, and the peer was told to be level already. */
static void test_a_snapshot_that_was_over_is_taken_again(void **state)
{
    struct kit k;
    uint64_t session;

    (void)state;
    begin(&k);
    answer(&k, await_snapshot(&k), "", "m");
    assert_non_null(kit_packet(&k, STI_FLEET_PKT_RECON));
    session = kit_packet(&k, STI_FLEET_PKT_RECON)->token;
    assert_true(kit_told(&k, STI_FLEET_TOLD_SYNCED));
    fail_store(&k);
    assert_true(told_not_synced(&k));
    assert_true(kit_told(&k, STI_FLEET_TOLD_FAILED));
    kit_reply(&k, session, STELE_ETIMEDOUT, stele_nil());
    (void)await_snapshot(&k);
    kit_free(&k);
}

static void test_what_was_lost_is_looked_for(void **state)
{
    struct kit k;

    (void)state;
    begin(&k);
    answer(&k, await_snapshot(&k), "", "m");
    go_on(&k);
    for (int i = 0; i < 100; i++) {
        go_on(&k);
        assert_null(asked_for_snapshot(&k));
    }
    kit_event(&k, (struct sti_fleet_event){.kind = STI_FLEET_EV_LOST});
    assert_true(told_not_synced(&k));
    (void)await_snapshot(&k);
    kit_free(&k);
}

/* A peer that leads nowhere is left, and others are not kept waiting. */
static void test_a_snapshot_leads_on_or_ends(void **state)
{
    struct sti_fleet_counters c;
    struct kit k;
    uint64_t token;

    (void)state;
    begin(&k);
    token = await_snapshot(&k);
    answer(&k, token, "m", "m");
    token = asked_for_snapshot(&k)->token;
    answer(&k, token, "m", "m");
    assert_null(asked_for_snapshot(&k));
    sti_fleet_core_counters(k.core, &c);
    assert_int_equal(c.bad_packets, 1);
    answer(&k, await_snapshot(&k), "n", NULL);
    assert_null(asked_for_snapshot(&k));
    kit_free(&k);
}

static void test_credit_that_is_none(void **state)
{
    struct sti_fleet_credit credit = {.boot = 5, .bytes = 1, .seen = UINT64_MAX};
    struct sti_fleet_counters c;
    struct kit k;
    stele_buf out;

    (void)state;
    begin(&k);
    stele_buf_init(&out, SIZE_MAX);
    CHECK_OK(sti_fleet_credit_encode(&credit, &out, NULL), NULL);
    kit_message(&k, "b", 0, stele_buf_view(&out)); /* of another boot: nothing */
    sti_fleet_core_counters(k.core, &c);
    assert_int_equal(c.bad_packets, 0);
    kit_message(&k, "b", 0, stele_bytes_of(out.data, out.len - 1));
    sti_fleet_core_counters(k.core, &c);
    assert_int_equal(c.bad_packets, 1);
    stele_buf_free(&out);
    kit_free(&k);
}

/* What has no need to be so long is not looked at. */
static void test_long_packets(void **state)
{
    static uint8_t bytes[STI_FLEET_PACKET_MAX + 1];
    struct sti_fleet_counters c;
    struct kit k;

    (void)state;
    begin(&k);
    bytes[0] = STI_FLEET_PKT_RECON;
    kit_message(&k, "b", 3, stele_bytes_of(bytes, sizeof bytes));
    assert_int_equal(kit_effect(&k, STI_FLEET_DO_REPLY, 0)->code, STELE_ETOOBIG);
    sti_fleet_core_counters(k.core, &c);
    assert_int_equal(c.bad_packets, 1);
    kit_free(&k);
}

/* A peer whose clock is off may say much: so many are kept, and no more. */
static void test_quarantine_has_an_end(void **state)
{
    struct sti_fleet_counters c;
    struct kit k;

    (void)state;
    begin(&k);
    for (int i = 0; i < AHEAD; i++) {
        stele_buf out;
        stele_buf entry;

        stele_buf_init(&out, SIZE_MAX);
        stele_buf_init(&entry, SIZE_MAX);
        kit_entry(&entry, KIT_WALL + 100000 + i, 9, "a", "{}");
        CHECK_OK(sti_fleet_push_begin(BOOT, 0, 1, &out, NULL), NULL);
        CHECK_OK(sti_fleet_entries_add(stele_buf_view(&entry), &out, NULL), NULL);
        kit_message(&k, "b", 0, stele_buf_view(&out));
        stele_buf_free(&entry);
        stele_buf_free(&out);
    }
    sti_fleet_core_counters(k.core, &c);
    assert_true(c.quarantined < AHEAD);
    assert_int_equal(c.quarantined + c.dropped, AHEAD);
    kit_free(&k);
}

/* A peer of the reference is told the keys of a day, but not again and again. */
static void test_keys_of_a_day_are_told_now_and_then(void **state)
{
    struct sti_fleet_counters c;
    struct kit k;
    stele_buf ask;
    unsigned told = 0;

    (void)state;
    begin(&k);
    for (int i = 0; i < AHEAD; i++) {
        stele_buf entry;

        stele_buf_init(&entry, SIZE_MAX);
        kit_entry(&entry, KIT_WALL - 10 + i / 1000, 9, "a", "{}");
        (void)fleet_memory_add(&k.log, stele_buf_view(&entry));
        stele_buf_free(&entry);
    }
    stele_buf_init(&ask, SIZE_MAX);
    CHECK_OK(sti_fleet_ref_get_log_ids(
                     stele_str("b"), KIT_WALL / STI_DOCS_DAY_SECONDS + 1, &ask, NULL),
            NULL);
    for (int i = 0; i < 100 * AHEAD; i++) {
        kit_message(&k, "b", 0, stele_buf_view(&ask));
        told += kit_effect(&k, STI_FLEET_DO_SEND, 0) != NULL;
    }
    sti_fleet_core_counters(k.core, &c);
    assert_true(told > 0 && c.dropped > 0);
    kit_tick(&k, 2 * KIT_S);
    kit_message(&k, "b", 0, stele_buf_view(&ask));
    assert_non_null(kit_effect(&k, STI_FLEET_DO_SEND, 0));
    stele_buf_free(&ask);
    kit_free(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_snapshot_that_is_not_stored_is_taken_again),
            cmocka_unit_test(test_a_snapshot_that_was_over_is_taken_again),
            cmocka_unit_test(test_what_was_lost_is_looked_for),
            cmocka_unit_test(test_a_snapshot_leads_on_or_ends),
            cmocka_unit_test(test_credit_that_is_none),
            cmocka_unit_test(test_long_packets),
            cmocka_unit_test(test_quarantine_has_an_end),
            cmocka_unit_test(test_keys_of_a_day_are_told_now_and_then),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
