/* SPDX-License-Identifier: MIT
 *
 * hostile_test.c: a peer that is who it says and sends what it likes: packets of every kind with
 * bytes changed, cut, and put together, as messages and as answers. Nothing ends the process, goes
 * to another peer, or makes the core keep more than it may; nothing but whole entries is stored.
 */
#include "fleet/packet.h"
#include "fleet/recon.h"
#include "fleet/reference.h"
#include "kit.h"
#include "lib/stress.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>

enum {
    KINDS_MAX = 24,
    ENTRIES = 200,
    MEMORY_MAX = 32 << 20
};

struct packets {
    stele_buf list[KINDS_MAX];
    size_t count;
};

static stele_buf *next(struct packets *p)
{
    assert_true(p->count < KINDS_MAX);
    stele_buf_init(&p->list[p->count], SIZE_MAX);
    return &p->list[p->count++];
}

static void add_entries(stele_buf *out, unsigned count)
{
    stele_buf entry;

    stele_buf_init(&entry, SIZE_MAX);
    for (unsigned i = 0; i < count; i++) {
        stele_buf_clear(&entry);
        kit_entry(&entry, KIT_WALL - 5 + i, 9, "an id", i % 3 == 0 ? NULL : "{\"a\":1}");
        CHECK_OK(sti_fleet_entries_add(stele_buf_view(&entry), out, NULL), NULL);
    }
    stele_buf_free(&entry);
}

static void make_ours(struct packets *p, struct kit *k)
{
    struct sti_fleet_state s = {.boot = 5, .pushed = 7, .count = 3, .now = {.seconds = KIT_WALL}};
    struct sti_fleet_credit c = {.boot = 1000, .bytes = 100, .seen = 0};
    struct sti_fleet_fetch f = {.session = 1, .salt = 2, .bytes_max = 100000};
    struct sti_fleet_fetch_item item = {
            .low = sti_fleet_bound_first(), .high = sti_fleet_bound_end()};
    struct sti_fleet_recon_head head = {.session = 1, .salt = 2};
    struct sti_fleet_snap snap = {.at = {.seconds = 1}, .cursor = stele_str("a")};
    struct sti_fleet_set set = {&fleet_memory_set, &k->log};
    uint64_t seconds = 0;
    stele_buf *out;

    kit_hello(next(p), STI_FLEET_PKT_HELLO, 2, 5, 3, &k->log);
    kit_hello(next(p), STI_FLEET_PKT_HELLO_REPLY, 2, 5, 3, &k->log);
    out = next(p);
    CHECK_OK(sti_fleet_push_begin(5, 1, 5, out, NULL), NULL);
    add_entries(out, 5);
    CHECK_OK(sti_fleet_state_encode(&s, next(p), NULL), NULL);
    CHECK_OK(sti_fleet_credit_encode(&c, next(p), NULL), NULL);
    out = next(p);
    CHECK_OK(sti_fleet_fetch_begin(&f, out, NULL), NULL);
    CHECK_OK(sti_fleet_fetch_add(&item, &seconds, out, NULL), NULL);
    out = next(p);
    CHECK_OK(sti_fleet_logs_begin(1, out, NULL), NULL);
    add_entries(out, 5);
    CHECK_OK(sti_fleet_snap_encode(&snap, next(p), NULL), NULL);
    out = next(p);
    CHECK_OK(sti_fleet_snap_reply_encode(stele_str("x"), stele_empty(), out, NULL), NULL);
    add_entries(out, 5);
    out = next(p);
    CHECK_OK(sti_fleet_recon_begin(&set, &head, &item.low, &item.high, out, NULL), NULL);
    out = next(p);
    CHECK_OK(sti_fleet_recon_answer(
                     &set, head.horizon, stele_buf_view(&p->list[p->count - 2]), out, NULL),
            NULL);
}

static void make_reference(struct packets *p)
{
    struct sti_docs_checkpoint c = {.epoch = KIT_WALL / STI_DOCS_DAY_SECONDS + 1, .count = 3};
    stele_buf key;
    stele_buf *out;

    stele_buf_init(&key, SIZE_MAX);
    CHECK_OK(sti_docs_log_key_encode((struct sti_docs_version){.seconds = KIT_WALL},
                     stele_str("an id"), &key, NULL),
            NULL);
    CHECK_OK(sti_fleet_ref_get_info(stele_str("third"), next(p), NULL), NULL);
    CHECK_OK(sti_fleet_ref_get_info(stele_empty(), next(p), NULL), NULL);
    CHECK_OK(sti_fleet_ref_get_log_ids(stele_str("third"), c.epoch, next(p), NULL), NULL);
    CHECK_OK(sti_fleet_ref_fetch_log(stele_buf_view(&key), next(p), NULL), NULL);
    out = next(p);
    CHECK_OK(sti_fleet_ref_log_ids(stele_str("third"), out, NULL), NULL);
    CHECK_OK(sti_fleet_ref_add_key(stele_buf_view(&key), out, NULL), NULL);
    out = next(p);
    CHECK_OK(sti_fleet_ref_info(stele_str("third"), out, NULL), NULL);
    CHECK_OK(sti_fleet_ref_add_checkpoint(&c, out, NULL), NULL);
    out = next(p);
    CHECK_OK(stele_buf_append(out, stele_str("@"), NULL), NULL);
    kit_entry(out, KIT_WALL, 9, "an id", "{}");
    stele_buf_free(&key);
}

/* One of them, mostly with something else in it. */
static stele_bytes mutate(const struct packets *p, uint64_t *seed, uint8_t out[65536])
{
    const stele_buf *from = &p->list[stress_draw(seed) % p->count];
    size_t len = from->len < 60000 ? from->len : 60000;
    uint64_t changes = stress_draw(seed) % 4;

    memcpy(out, from->data, len);
    for (; changes > 0 && len > 0; changes--) {
        out[stress_draw(seed) % len] = (uint8_t)stress_draw(seed);
    }
    if (stress_draw(seed) % 8 == 0) {
        len = stress_draw(seed) % (len + 1);
    } else if (stress_draw(seed) % 8 == 0) {
        const stele_buf *other = &p->list[stress_draw(seed) % p->count];
        size_t more = stress_draw(seed) % ((other->len < 4000 ? other->len : 4000) + 1);

        memcpy(out + len, other->data, more);
        len += more;
    }
    return len == 0 ? stele_nil() : stele_bytes_of(out, len);
}

/* Requests are kept, to be answered by and by with anything. */
struct asked {
    uint64_t tokens[64];
    size_t count;
};

static void check_effects(struct kit *k, struct asked *asked)
{
    for (size_t i = 0; i < k->done.count; i++) {
        const struct sti_fleet_effect *e = &k->done.list[i];

        if (e->kind == STI_FLEET_DO_SEND || e->kind == STI_FLEET_DO_REQUEST) {
            assert_string_equal(e->peer, "mallory");
            assert_true(e->bytes.len <= STI_FLEET_REPLY_FLUSH + 65536);
        }
        if (e->kind == STI_FLEET_DO_REQUEST) {
            asked->tokens[asked->count++ % 64] = e->token;
        }
        assert_true(e->kind != STI_FLEET_DO_TRIM);
        assert_true(e->kind != STI_FLEET_DO_ACK);
        assert_true(e->kind != STI_FLEET_DO_CHANGE);
    }
}

/* What is to be stored are entries, of which the disk is full. */
static void check_stores(struct kit *k, struct asked *asked)
{
    const struct sti_fleet_effect *e;

    while ((e = kit_effect(k, STI_FLEET_DO_STORE, 0)) != NULL) {
        struct sti_fleet_reader r = sti_fleet_reader_of(e->bytes);
        uint64_t token = e->token;

        while (r.rest.len > 0) {
            struct sti_docs_entry entry;

            CHECK_OK(sti_docs_entry_decode(&entry, sti_fleet_read_sized(&r), NULL), NULL);
            assert_true(entry.version.seconds <= KIT_WALL + k->now_ns / KIT_S + 60);
        }
        kit_event(k, (struct sti_fleet_event){
                             .kind = STI_FLEET_EV_STORED, .token = token, .code = STELE_ENOSPC});
        check_effects(k, asked);
    }
}

static void one(struct kit *k, const struct packets *p, uint64_t *seed, struct asked *asked)
{
    static uint8_t bytes[65536];
    stele_bytes packet = mutate(p, seed, bytes);
    uint64_t what = stress_draw(seed) % 16;

    if (what == 0) {
        kit_tick(k, (int64_t)(stress_draw(seed) % (uint64_t)KIT_S));
    } else if (what < 5 && asked->count > 0) {
        kit_reply(k, asked->tokens[stress_draw(seed) % 64 % asked->count], STELE_OK, packet);
    } else {
        kit_message(k, "mallory", what % 2, packet);
    }
    check_effects(k, asked);
    check_stores(k, asked);
}

static void test_hostile(void **state)
{
    const char *full = getenv("STELE_FULL");
    unsigned count = full != NULL && full[0] != 0 ? 1000000 : 30000;
    struct packets p = {.count = 0};
    struct asked asked = {.count = 0};
    struct sti_fleet_counters counters;
    uint64_t seed = 12345;
    size_t before;
    struct kit k;

    (void)state;
    print_message("seed %" PRIu64 "\n", seed);
    kit_init(&k, "me");
    k.config.quarantine_max = 1 << 20;
    kit_start(&k);
    for (unsigned i = 0; i < ENTRIES; i++) {
        stele_buf entry;

        stele_buf_init(&entry, SIZE_MAX);
        kit_entry(&entry, KIT_WALL - 1000 + i, 1, "some id", "{}");
        (void)fleet_memory_add(&k.log, stele_buf_view(&entry));
        stele_buf_free(&entry);
    }
    make_ours(&p, &k);
    make_reference(&p);
    kit_up(&k, "mallory");
    check_effects(&k, &asked);
    before = mallinfo2().uordblks;
    for (unsigned i = 0; i < count; i++) {
        one(&k, &p, &seed, &asked);
        if (i % 5000 == 0) {
            kit_event(&k, (struct sti_fleet_event){.kind = STI_FLEET_EV_DOWN, .peer = "mallory"});
            kit_up(&k, "mallory");
            check_effects(&k, &asked);
        }
    }
    sti_fleet_core_counters(k.core, &counters);
    print_message("%u packets: %" PRIu64 " bad, %" PRIu64 " unknown, %" PRIu64
                  " bad entries, %" PRIu64 " in quarantine, %" PRIu64
                  " sessions; %zu bytes more in use\n",
            count, counters.bad_packets, counters.unknown_packets, counters.bad_entries,
            counters.quarantined, counters.sessions, mallinfo2().uordblks - before);
    assert_true(counters.bad_packets > count / 20);
    assert_true(counters.sessions > 0);
    assert_true(mallinfo2().uordblks <= before + MEMORY_MAX);
    assert_int_equal(k.log.count, ENTRIES);
    for (size_t i = 0; i < p.count; i++) {
        stele_buf_free(&p.list[i]);
    }
    kit_free(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hostile)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
