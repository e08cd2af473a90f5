/* SPDX-License-Identifier: MIT
 *
 * join_test.c: two cores, wired to each other: an empty one joins one with many documents, and two
 * that have written apart find together. What it costs is printed.
 */
#include "fleet/packet.h"
#include "fleet/recon.h"
#include "kit.h"
#include "lib/stress.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    DOCUMENTS = 20000,
    SPREAD = 60000,
    SPREAD_STEP = 15,
    STEPS_MAX = 20000
};

/* What one has for the other: a message, a request, an answer. */
struct parcel {
    struct parcel *next;
    int to;
    enum sti_fleet_effect_kind kind;
    uint64_t token;
    stele_code code;
    size_t len;
    uint8_t bytes[];
};

struct wire {
    struct kit kits[2];
    struct parcel *first;
    struct parcel **last;
    size_t bytes;
    size_t packets;
    size_t longest;
    size_t stored_most; /* bytes of one store */
};

static const char *const names[] = {"a", "b"};

static void post(struct wire *w, int from, const struct sti_fleet_effect *e)
{
    struct parcel *p = calloc(1, sizeof *p + e->bytes.len);

    assert_non_null(p);
    p->to = 1 - from;
    p->kind = e->kind;
    p->token = e->token;
    p->code = e->code;
    p->len = e->bytes.len;
    if (p->len > 0) {
        memcpy(p->bytes, e->bytes.data, p->len);
    }
    *w->last = p;
    w->last = &p->next;
    w->bytes += p->len;
    w->packets++;
    w->longest = p->len > w->longest ? p->len : w->longest;
}

/* Sends wait for their turn; stores are done at once, and what follows from them. */
static void carry_out(struct wire *w, int i)
{
    struct kit *k = &w->kits[i];
    bool more = true;

    while (more) {
        const struct sti_fleet_effect *store = kit_effect(k, STI_FLEET_DO_STORE, 0);

        for (size_t j = 0; j < k->done.count; j++) {
            if (k->done.list[j].kind <= STI_FLEET_DO_REPLY) {
                post(w, i, &k->done.list[j]);
            }
        }
        more = store != NULL;
        if (more) {
            w->stored_most = store->bytes.len > w->stored_most ? store->bytes.len : w->stored_most;
            kit_store(k);
        }
    }
}

/* Whoever asks hears something in the end. */
static void see_to_answer(struct wire *w, const struct parcel *p)
{
    struct sti_fleet_effect silence = {
            .kind = STI_FLEET_DO_REPLY, .token = p->token, .code = STELE_ETIMEDOUT};
    const struct kit *k = &w->kits[p->to];

    if (p->kind == STI_FLEET_DO_REQUEST && kit_effect(k, STI_FLEET_DO_REPLY, 0) == NULL) {
        post(w, p->to, &silence);
    }
}

static void deliver(struct wire *w)
{
    struct parcel *p = w->first;
    stele_bytes bytes = p->len == 0 ? stele_nil() : stele_bytes_of(p->bytes, p->len);
    struct kit *k = &w->kits[p->to];

    w->first = p->next;
    w->last = w->first == NULL ? &w->first : w->last;
    if (p->kind == STI_FLEET_DO_REPLY) {
        kit_reply(k, p->token, p->code, bytes);
    } else {
        kit_message(k, names[1 - p->to], p->kind == STI_FLEET_DO_REQUEST ? p->token : 0, bytes);
    }
    see_to_answer(w, p);
    carry_out(w, p->to);
    free(p);
}

static void begin(struct wire *w)
{
    *w = (struct wire){.bytes = 0};
    w->last = &w->first;
    for (int i = 0; i < 2; i++) {
        kit_init(&w->kits[i], names[i]);
        w->kits[i].config.server = (uint32_t)i + 1;
        kit_start(&w->kits[i]);
    }
}

static void meet(struct wire *w)
{
    for (int i = 0; i < 2; i++) {
        kit_up(&w->kits[i], names[1 - i]);
        carry_out(w, i);
    }
}

static bool run_until_level(struct wire *w)
{
    for (int step = 0; step < STEPS_MAX; step++) {
        if (fleet_memory_equal(&w->kits[0].log, &w->kits[1].log)) {
            return true;
        }
        if (w->first != NULL) {
            deliver(w);
            continue;
        }
        for (int i = 0; i < 2; i++) {
            kit_tick(&w->kits[i], KIT_S / 4);
            carry_out(w, i);
        }
    }
    return false;
}

static void end(struct wire *w)
{
    while (w->first != NULL) {
        struct parcel *next = w->first->next;

        free(w->first);
        w->first = next;
    }
    kit_free(&w->kits[0]);
    kit_free(&w->kits[1]);
}

static void add(struct wire *w, int i, int64_t seconds, unsigned number, size_t size)
{
    char *json = malloc(size);
    char id[32];
    stele_buf entry;

    assert_non_null(json);
    memset(json, 'j', size);
    json[size - 1] = 0;
    (void)snprintf(id, sizeof id, "document-%u", number);
    stele_buf_init(&entry, SIZE_MAX);
    kit_entry(&entry, seconds, (uint32_t)i + 1, id, json);
    (void)fleet_memory_add(&w->kits[i].log, stele_buf_view(&entry));
    stele_buf_free(&entry);
    free(json);
}

static size_t size_of(const struct fleet_memory *m)
{
    size_t size = 0;

    for (size_t i = 0; i < m->count; i++) {
        size += m->items[i].len;
    }
    return size;
}

static void test_join(void **state)
{
    struct wire w;
    struct sti_fleet_counters counters;
    size_t size;

    (void)state;
    begin(&w);
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        add(&w, 0, KIT_WALL - DOCUMENTS + i, i, 300);
    }
    size = size_of(&w.kits[0].log);
    meet(&w);
    assert_true(run_until_level(&w));
    assert_int_equal(w.kits[1].log.count, DOCUMENTS);
    sti_fleet_core_counters(w.kits[1].core, &counters);
    print_message("%d documents of %zu bytes in all: %zu bytes in %zu packets, the longest of %zu; "
                  "stores of %zu bytes at most\n",
            DOCUMENTS, size, w.bytes, w.packets, w.longest, w.stored_most);
    assert_true(w.bytes < size + size / 10);
    assert_true(w.longest <= STI_FLEET_REPLY_FLUSH + 2000);
    assert_true(w.stored_most <= STI_FLEET_REPLY_FLUSH + 2000);
    end(&w);
}

/* The one who has all is the one who asks. */
static void test_join_other(void **state)
{
    struct wire w;

    (void)state;
    begin(&w);
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        add(&w, 1, KIT_WALL - DOCUMENTS + i, i, 300);
    }
    meet(&w);
    assert_true(run_until_level(&w));
    assert_int_equal(w.kits[0].log.count, DOCUMENTS);
    end(&w);
}

/* After a partition: each has some that the other has not, of all sizes. */
static void test_apart(void **state)
{
    uint64_t seed = 31;

    (void)state;
    for (int round = 0; round < 30; round++) {
        size_t large = round % 3 == 0 ? 300000 : 500;
        struct wire w;

        begin(&w);
        for (unsigned i = 0; i < 300 + stress_draw(&seed) % 700; i++) {
            uint64_t where = stress_draw(&seed) % 20;
            int64_t seconds = KIT_WALL - (int64_t)(stress_draw(&seed) % 100000);
            size_t size = 2 + stress_draw(&seed) % (stress_draw(&seed) % 50 == 0 ? large : 200);

            add(&w, (int)(where % 2), seconds, i, size);
            if (where > 3) {
                const struct fleet_memory *from = &w.kits[where % 2].log;
                const struct fleet_item *item =
                        &from->items[fleet_memory_place(&w.kits[where % 2].log, stele_nil()) - 1];

                (void)fleet_memory_add(
                        &w.kits[1 - where % 2].log, stele_bytes_of(item->bytes, item->len));
            }
        }
        meet(&w);
        assert_true(run_until_level(&w));
        end(&w);
    }
}

/* So many that lie so far apart that no packet says all: the next session follows at once. */
static void test_many_differences(void **state)
{
    struct sti_fleet_counters counters;
    struct wire w;

    (void)state;
    begin(&w);
    for (unsigned i = 0; i < SPREAD; i++) {
        int64_t seconds = KIT_WALL - 10 * (SPREAD - (int64_t)i);

        if (i % SPREAD_STEP == 0) {
            add(&w, (int)(i / SPREAD_STEP % 2), seconds, i, 20);
            continue;
        }
        add(&w, 0, seconds, i, 20);
        (void)fleet_memory_add(
                &w.kits[1].log, stele_bytes_of(w.kits[0].log.items[w.kits[0].log.count - 1].bytes,
                                        w.kits[0].log.items[w.kits[0].log.count - 1].len));
    }
    meet(&w);
    assert_true(run_until_level(&w));
    sti_fleet_core_counters(w.kits[0].core, &counters);
    print_message("%d of %d entries differ: level after %.2f s, %u sessions, %zu bytes in %zu "
                  "packets, the longest of %zu\n",
            SPREAD / SPREAD_STEP, SPREAD, (double)w.kits[0].now_ns / 1e9,
            (unsigned)counters.sessions, w.bytes, w.packets, w.longest);
    assert_true(counters.sessions > 1);
    assert_true(w.kits[0].now_ns <= 5 * KIT_S);
    assert_true(w.longest <= STI_FLEET_RECON_FLUSH + 32 * 1024);
    end(&w);
}

/* With memory that fails again and again, in each of the two. */
static void test_no_memory(void **state)
{
    uint64_t forgotten = 0;

    (void)state;
    for (unsigned round = 0; round < 40; round++) {
        struct wire w;

        begin(&w);
        w.kits[0].random = w.kits[1].random = round * 1000003;
        for (unsigned i = 0; i < 120; i++) {
            add(&w, (int)(i % 2), KIT_WALL - (int64_t)i * 7, i, 50);
        }
        w.kits[0].forgetful = w.kits[1].forgetful = true;
        meet(&w);
        for (int i = 0; i < 300 && w.first != NULL; i++) {
            deliver(&w);
        }
        (void)run_until_level(&w);
        forgotten += w.kits[0].forgotten + w.kits[1].forgotten;
        w.kits[0].forgetful = w.kits[1].forgetful = false;
        meet(&w);
        assert_true(run_until_level(&w));
        end(&w);
    }
    print_message("%llu events failed\n", (unsigned long long)forgotten);
    assert_true(forgotten > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_join),
            cmocka_unit_test(test_join_other),
            cmocka_unit_test(test_apart),
            cmocka_unit_test(test_many_differences),
            cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
