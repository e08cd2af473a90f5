/* SPDX-License-Identifier: MIT
 *
 * claims_test.c: claims to unique keys and their owners, in every order in which entries come.
 */
#include "base/alloc.h"
#include "docs/entry.h"
#include "docs/info.h"
#include "docs/owner.h"
#include "unit/docs_formats/kit.h"

#include <stdlib.h>

enum {
    IDS = 2,
    KEYS = 3,
    ENTRIES = 6,
    ORDERS = 720,
    BUF_LIMIT = 1 << 20
};

static const char *const key_texts[KEYS] = {"a", "ab", "b"};

struct event {
    unsigned id;
    struct sti_docs_rank rank;
    stele_bytes keys[KEYS];
    size_t key_count;
};

/* What a node knows of one ID: its entries in order, and the info that it kept up with. */
struct document {
    const struct event *history[ENTRIES];
    size_t count;
    struct sti_docs_info info;
};

static struct sti_docs_keys keys_of(const struct event *e)
{
    return (struct sti_docs_keys){.list = e->keys, .count = e->key_count};
}

static void set_keys(struct event *e, unsigned bits)
{
    e->key_count = 0;
    for (unsigned k = 0; k < KEYS; k++) {
        if ((bits >> k & 1) != 0) {
            e->keys[e->key_count++] = stele_str(key_texts[k]);
        }
    }
}

/* The definition: all entries in order. */
static void fold(struct document *d)
{
    struct sti_docs_info info = {.claims = NULL};

    for (size_t i = 0; i < d->count; i++) {
        const struct event *e = d->history[i];
        struct sti_docs_info next;

        CHECK_OK(sti_docs_info_after(&next, i == 0 ? NULL : &info, e->rank.version,
                         e->rank.is_delete, keys_of(e), NULL),
                NULL);
        sti_docs_info_free(&info);
        info = next;
    }
    sti_docs_info_free(&d->info);
    d->info = info;
}

static bool is_tied(const struct document *d, size_t at)
{
    for (size_t i = at; i < at + 2 && i < d->count; i++) {
        struct sti_docs_version v = d->history[i]->rank.version;

        if ((i > 0 && sti_docs_version_compare(d->history[i - 1]->rank.version, v) == 0) ||
                (i + 1 < d->count &&
                        sti_docs_version_compare(d->history[i + 1]->rank.version, v) == 0)) {
            return true;
        }
    }
    return false;
}

/* What a node does with an entry. */
static void receive(struct document *d, const struct event *e)
{
    struct sti_docs_info next;
    size_t at = d->count;

    while (at > 0 && sti_docs_rank_compare(&e->rank, &d->history[at - 1]->rank) < 0) {
        d->history[at] = d->history[at - 1];
        at--;
    }
    d->history[at] = e;
    d->count++;
    if (at + 1 == d->count) {
        CHECK_OK(sti_docs_info_after(&next, at == 0 ? NULL : &d->info, e->rank.version,
                         e->rank.is_delete, keys_of(e), NULL),
                NULL);
        sti_docs_info_free(&d->info);
        d->info = next;
    } else if (is_tied(d, at)) {
        fold(d);
    } else {
        sti_docs_info_late(&d->info, e->rank.version, d->history[at + 1]->rank.version, keys_of(e));
    }
}

/* The bytes of all infos, and the owner of each key. */
static void describe(struct document docs[IDS], stele_buf *out)
{
    stele_buf_clear(out);
    for (unsigned i = 0; i < IDS; i++) {
        if (docs[i].count > 0) {
            CHECK_OK(sti_docs_info_encode(&docs[i].info, out, NULL), NULL);
        }
    }
    for (unsigned k = 0; k < KEYS; k++) {
        struct sti_docs_claimant list[IDS];
        size_t count = 0;

        for (unsigned i = 0; i < IDS; i++) {
            for (size_t c = 0; c < docs[i].info.claim_count; c++) {
                if (stele_bytes_equal(docs[i].info.claims[c].key, stele_str(key_texts[k]))) {
                    list[count++] =
                            (struct sti_docs_claimant){.version = docs[i].info.claims[c].version,
                                    .id = stele_bytes_of(i == 0 ? "p" : "q", 1)};
                }
            }
        }
        CHECK_OK(stele_buf_append(out,
                         count == 0 ? stele_str("-") : list[sti_docs_owner_of(list, count)].id,
                         NULL),
                NULL);
    }
}

/* The permutation with this number, of ENTRIES things. */
static void permute(unsigned number, unsigned out[ENTRIES])
{
    unsigned left[ENTRIES];

    for (unsigned i = 0; i < ENTRIES; i++) {
        left[i] = i;
    }
    for (unsigned i = 0; i < ENTRIES; i++) {
        unsigned n = number % (ENTRIES - i);

        number /= ENTRIES - i;
        out[i] = left[n];
        for (unsigned j = n; j + 1 < ENTRIES - i; j++) {
            left[j] = left[j + 1];
        }
    }
}

static void run_order(
        const struct event *events, unsigned count, unsigned number, bool naive, stele_buf *out)
{
    struct document docs[IDS] = {{.count = 0}};
    unsigned order[ENTRIES];

    permute(number, order);
    for (unsigned i = 0; i < ENTRIES; i++) {
        if (order[i] < count) {
            receive(&docs[events[order[i]].id], &events[order[i]]);
        }
    }
    for (unsigned i = 0; i < IDS; i++) {
        if (naive) {
            fold(&docs[i]);
        }
    }
    describe(docs, out);
    for (unsigned i = 0; i < IDS; i++) {
        sti_docs_info_free(&docs[i].info);
    }
}

static void random_events(struct kit_random *r, struct event *events, unsigned count, bool ties)
{
    for (unsigned i = 0; i < count; i++) {
        struct event *e = &events[i];

        *e = (struct event){.id = (unsigned)kit_below(r, IDS)};
        e->rank.version = (struct sti_docs_version){
                .seconds = 1, .ns = ties ? (uint32_t)kit_below(r, 3) : i, .server = 1};
        e->rank.is_delete = kit_below(r, 5) == 0;
        e->rank.hash[0] = (uint8_t)i;
        set_keys(e, e->rank.is_delete ? 0 : (unsigned)kit_below(r, 1 << KEYS));
    }
}

static void all_orders(struct kit_random *r, int rounds, bool ties)
{
    stele_buf expected;
    stele_buf got;

    stele_buf_init(&expected, BUF_LIMIT);
    stele_buf_init(&got, BUF_LIMIT);
    for (int round = 0; round < rounds; round++) {
        struct event events[ENTRIES];
        unsigned count = 1 + (unsigned)kit_below(r, ENTRIES);

        random_events(r, events, count, ties);
        run_order(events, count, 0, true, &expected);
        for (unsigned number = 0; number < ORDERS; number++) {
            run_order(events, count, number, false, &got);
            CHECK_BYTES(stele_buf_view(&got), stele_buf_view(&expected));
        }
    }
    stele_buf_free(&expected);
    stele_buf_free(&got);
}

static void test_every_order(void **state)
{
    struct kit_random r = kit_random_of(6);

    (void)state;
    all_orders(&r, 300, false);
}

static void test_every_order_with_ties(void **state)
{
    struct kit_random r = kit_random_of(7);

    (void)state;
    all_orders(&r, 200, true);
}

/* All histories of one ID and one key, of up to six entries, in every order. */
static void test_every_history(void **state)
{
    stele_buf expected;
    stele_buf got;

    (void)state;
    stele_buf_init(&expected, BUF_LIMIT);
    stele_buf_init(&got, BUF_LIMIT);
    for (unsigned bits = 0; bits < 1 << ENTRIES; bits++) {
        struct event events[ENTRIES];

        for (unsigned i = 0; i < ENTRIES; i++) {
            events[i] = (struct event){.rank.version = {.seconds = i + 1}};
            set_keys(&events[i], bits >> i & 1);
        }
        run_order(events, ENTRIES, 0, true, &expected);
        for (unsigned number = 0; number < ORDERS; number++) {
            run_order(events, ENTRIES, number, false, &got);
            CHECK_BYTES(stele_buf_view(&got), stele_buf_view(&expected));
        }
    }
    stele_buf_free(&expected);
    stele_buf_free(&got);
}

static void set(struct document *d, struct event *e, int64_t seconds, unsigned bits)
{
    *e = (struct event){.rank.version = {.seconds = seconds}};
    set_keys(e, bits);
    receive(d, e);
}

static void test_a_run(void **state)
{
    struct document d = {.count = 0};
    struct event e[6];

    (void)state;
    set(&d, &e[0], 10, 1);
    set(&d, &e[1], 20, 1);
    set(&d, &e[2], 30, 3);
    assert_int_equal(d.info.claim_count, 2);
    assert_int_equal(d.info.claims[0].version.seconds, 10); /* edits keep the claim */
    assert_int_equal(d.info.claims[1].version.seconds, 30);
    set(&d, &e[3], 25, 2);
    assert_int_equal(d.info.claims[0].version.seconds, 30); /* not held at 25 */
    assert_int_equal(d.info.claims[1].version.seconds, 25);
    set(&d, &e[4], 5, 3);
    assert_int_equal(d.info.claims[0].version.seconds, 30);
    assert_int_equal(d.info.claims[1].version.seconds, 25); /* not held at 10 */
    e[5] = (struct event){.rank = {.version = {.seconds = 40}, .is_delete = true}};
    receive(&d, &e[5]);
    assert_true(d.info.deleted);
    assert_int_equal(d.info.claim_count, 0);
    assert_int_equal(d.info.version.seconds, 40);
    sti_docs_info_free(&d.info);
}

static void encodes(const struct sti_docs_info *info, const void *bytes, size_t len)
{
    struct sti_docs_info again;
    stele_buf buf;

    stele_buf_init(&buf, BUF_LIMIT);
    CHECK_OK(sti_docs_info_encode(info, &buf, NULL), NULL);
    CHECK_BYTES(stele_buf_view(&buf), stele_bytes_of(bytes, len));
    CHECK_OK(sti_docs_info_decode(&again, stele_buf_view(&buf), NULL), NULL);
    assert_int_equal(sti_docs_version_compare(again.version, info->version), 0);
    assert_int_equal(again.deleted, info->deleted);
    assert_int_equal(again.claim_count, info->claim_count);
    for (size_t i = 0; i < info->claim_count; i++) {
        CHECK_BYTES(again.claims[i].key, info->claims[i].key);
        assert_int_equal(
                sti_docs_version_compare(again.claims[i].version, info->claims[i].version), 0);
    }
    sti_docs_info_free(&again);
    stele_buf_free(&buf);
}

#define VERSION_5  "\0\0\0\0\0\0\0\5\0\0\0\1\0\0\0\2"
#define VERSION_4  "\0\0\0\0\0\0\0\4\0\0\0\1\0\0\0\2"
#define WITH_CLAIM VERSION_5 "\2\0\1k" VERSION_4 "\0\2kk" VERSION_5

static void test_info_bytes(void **state)
{
    struct sti_docs_claim claims[] = {{stele_str("k"), {4, 1, 2}}, {stele_str("kk"), {5, 1, 2}}};
    struct sti_docs_info info = {.version = {5, 1, 2}};

    (void)state;
    encodes(&info, VERSION_5, 16); /* what the reference writes */
    info.deleted = true;
    encodes(&info, VERSION_5 "\1", 17);
    info.deleted = false;
    info.claims = claims;
    info.claim_count = 2;
    encodes(&info, WITH_CLAIM, sizeof WITH_CLAIM - 1);
}

static void refuses(const void *bytes, size_t len)
{
    uint8_t *exact = malloc(len + 1);
    struct sti_docs_info info;

    assert_non_null(exact);
    memcpy(exact, bytes, len);
    CHECK_CODE(sti_docs_info_decode(&info, stele_bytes_of(exact, len), NULL), STELE_ECORRUPT);
    free(exact);
}

static void test_info_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof WITH_CLAIM - 1; len++) {
        if (len != 16 && len != 36) { /* a whole info ends there */
            refuses(WITH_CLAIM, len);
        }
    }
    refuses(VERSION_5 "\0", 17);
    refuses(VERSION_5 "\3", 17);
    refuses(VERSION_5 "\2", 17);
    refuses(VERSION_5 "\4", 17);
    refuses(VERSION_5 "\1\0", 18);
    refuses(VERSION_5 "\1\0\1k" VERSION_4, 36);
    refuses(VERSION_4 "\2\0\1k" VERSION_5, 36);                   /* claimed later than set */
    refuses(VERSION_5 "\2\0\1k" VERSION_5 "\0\1k" VERSION_5, 55); /* twice */
    refuses(VERSION_5 "\2\0\1l" VERSION_5 "\0\1k" VERSION_5, 55); /* descending */
    refuses(VERSION_5 "\2\0\1k\x80" VERSION_5, 36);               /* before 1970 */
    refuses(VERSION_5 "\2\377\377k" VERSION_5, 36);
}

static void test_limits(void **state)
{
    static const uint8_t long_key[STI_DOCS_CLAIM_KEY_MAX + 1];
    stele_bytes key = stele_bytes_of(long_key, sizeof long_key);
    struct sti_docs_keys keys = {.list = &key, .count = 1};
    struct sti_docs_info info;
    stele_buf buf;

    (void)state;
    CHECK_CODE(
            sti_docs_info_after(&info, NULL, (struct sti_docs_version){5, 1, 2}, false, keys, NULL),
            STELE_ETOOBIG);
    key.len--;
    CHECK_OK(
            sti_docs_info_after(&info, NULL, (struct sti_docs_version){5, 1, 2}, false, keys, NULL),
            NULL);
    stele_buf_init(&buf, 1000); /* not enough: it is left as it was */
    CHECK_CODE(sti_docs_info_encode(&info, &buf, NULL), STELE_ETOOBIG);
    assert_int_equal(buf.len, 0);
    stele_buf_free(&buf);
    sti_docs_info_free(&info);
}

static void test_owner(void **state)
{
    const struct sti_docs_claimant a = {{5, 0, 1}, stele_str("a")};
    const struct sti_docs_claimant b = {{5, 0, 1}, stele_str("b")};
    const struct sti_docs_claimant c = {{4, 0, 1}, stele_str("c")};
    const struct sti_docs_claimant all[] = {a, b, c};
    const struct sti_docs_claimant two[] = {b, a};

    (void)state;
    assert_int_equal(sti_docs_owner_of(all, 3), 2);
    assert_int_equal(sti_docs_owner_of(two, 2), 1);
    assert_int_equal(sti_docs_owner_of(two, 1), 0);
    assert_true(sti_docs_owner_yields(NULL, &a));
    assert_false(sti_docs_owner_yields(&a, &a));
    assert_false(sti_docs_owner_yields(&a, &b));
    assert_true(sti_docs_owner_yields(&b, &a));
    assert_true(sti_docs_owner_yields(&a, &c));
}

#ifdef STI_TESTING
static void test_memory(void **state)
{
    const stele_bytes key = stele_str("k");
    struct sti_docs_info info;
    int left = 0;

    (void)state;
    sti_alloc_set_hook(kit_count_down, &left);
    CHECK_CODE(sti_docs_info_after(&info, NULL, (struct sti_docs_version){5, 1, 2}, false,
                       (struct sti_docs_keys){&key, 1}, NULL),
            STELE_ENOMEM);
    left = 0;
    CHECK_CODE(sti_docs_info_decode(&info, stele_bytes_of(WITH_CLAIM, sizeof WITH_CLAIM - 1), NULL),
            STELE_ENOMEM);
    sti_alloc_set_hook(NULL, NULL);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_every_order),
            cmocka_unit_test(test_every_order_with_ties),
            cmocka_unit_test(test_every_history),
            cmocka_unit_test(test_a_run),
            cmocka_unit_test(test_info_bytes),
            cmocka_unit_test(test_info_refused),
            cmocka_unit_test(test_limits),
            cmocka_unit_test(test_owner),
#ifdef STI_TESTING
            cmocka_unit_test(test_memory),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
