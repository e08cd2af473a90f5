/* SPDX-License-Identifier: MIT
 *
 * peer_test.c: what a node reads of a database for its peers, against the same added up entry by
 * entry; and entries of peers.
 */
#include "docs/peer.h"

#include "base/coding.h"
#include "kit.h"

#include <stdio.h>

#define DAY   INT64_C(86400)
#define BEGIN (19676 * DAY) /* 2023-11-15 */

enum {
    ENTRIES = 600,
    ROUNDS = 400,
    PARTS_MAX = 16
};

struct item {
    uint8_t key[STI_DOCS_VERSION_SIZE + 8];
    size_t len;
    uint8_t hash[STI_DOCS_HASH_SIZE];
};

static struct item items[ENTRIES];
static size_t item_count;
static uint64_t state;

static uint64_t below(uint64_t bound)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % bound;
}

static stele_bytes key_of(size_t i)
{
    return stele_bytes_of(items[i].key, items[i].len);
}

/* Many in one second, many seconds of a minute, and some in each of a few days. */
static int64_t draw_second(void)
{
    switch (below(4)) {
    case 0:
        return BEGIN + 7;
    case 1:
        return BEGIN + 55 + (int64_t)below(10);
    case 2:
        return BEGIN + (int64_t)below(3 * 3600);
    default:
        return BEGIN + (int64_t)below(5 * (uint64_t)DAY);
    }
}

static void encode(stele_buf *out, const char *id, const char *json, struct sti_docs_version v)
{
    struct sti_docs_entry e = {.version = v, .id = stele_str(id)};

    if (json == NULL) {
        e.is_delete = true;
    } else {
        e.json = kit_json(json);
    }
    stele_buf_init(out, SIZE_MAX);
    CHECK_OK(sti_docs_entry_encode(&e, out, NULL), NULL);
}

static struct sti_docs_taken take(
        struct kit *k, const char *id, const char *json, struct sti_docs_version v)
{
    struct sti_docs_taken taken;
    stele_bytes entry;
    stele_buf buf;
    stele_error err;

    encode(&buf, id, json, v);
    entry = stele_buf_view(&buf);
    CHECK_OK(sti_docs_peer_apply(k->db, &entry, 1, &taken, NULL, NULL, &err), &err);
    stele_buf_free(&buf);
    return taken;
}

static void fill(struct kit *k)
{
    static stele_buf bufs[ENTRIES];
    static stele_bytes entries[ENTRIES];
    struct sti_docs_taken taken;
    stele_error err;

    for (size_t i = 0; i < ENTRIES; i++) {
        char id[8];

        (void)snprintf(id, sizeof id, "%04zu", i);
        encode(&bufs[i], id, i % 7 == 0 ? NULL : "{'a':1}",
                (struct sti_docs_version){draw_second(), (uint32_t)below(3), 9});
        entries[i] = stele_buf_view(&bufs[i]);
    }
    CHECK_OK(sti_docs_peer_apply(k->db, entries, ENTRIES, &taken, NULL, NULL, &err), &err);
    assert_int_equal(taken.made, ENTRIES);
    CHECK_OK(sti_docs_peer_apply(k->db, entries, ENTRIES, &taken, NULL, NULL, &err), &err);
    assert_int_equal(taken.known, ENTRIES);
    for (size_t i = 0; i < ENTRIES; i++) {
        stele_buf_free(&bufs[i]);
    }
}

static stele_code note_item(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    struct item *item = &items[item_count++];
    struct sti_docs_entry e = {
            .version = {entry->version.seconds, entry->version.ns, entry->version.server},
            .is_delete = entry->is_delete,
            .id = entry->id,
            .json = entry->json};

    (void)arg;
    assert_true(item_count <= ENTRIES);
    assert_true(entry->log_id.len <= sizeof item->key);
    memcpy(item->key, entry->log_id.data, entry->log_id.len);
    item->len = entry->log_id.len;
    return sti_docs_entry_hash(&e, item->hash, err);
}

struct heard {
    size_t next;
    size_t end;
    size_t parts;
    size_t from;
    size_t part;
};

static stele_code hear_key(
        void *arg, stele_bytes key, const uint8_t hash[STI_DOCS_HASH_SIZE], stele_error *err)
{
    struct heard *h = arg;

    (void)err;
    assert_true(h->next < h->end);
    CHECK_BYTES(key, key_of(h->next));
    assert_memory_equal(hash, items[h->next].hash, STI_DOCS_HASH_SIZE);
    h->next++;
    return STELE_OK;
}

static stele_code hear_cut(void *arg, stele_bytes before, stele_bytes at, stele_error *err)
{
    struct heard *h = arg;
    size_t i = h->from + (h->end - h->from) * ++h->part / h->parts;

    (void)err;
    CHECK_BYTES(at, key_of(i));
    CHECK_BYTES(before, key_of(i - 1));
    return STELE_OK;
}

static void check_range(const struct sti_docs_view *view, stele_bytes low, stele_bytes high)
{
    struct sti_docs_aggregate expected = {.count = 0};
    struct sti_docs_aggregate sum;
    struct heard h = {.part = 0};
    size_t from = 0;
    size_t to;
    stele_error err;

    while (from < item_count && stele_bytes_compare(key_of(from), low) < 0) {
        from++;
    }
    for (to = from;
            to < item_count && (stele_is_nil(high) || stele_bytes_compare(key_of(to), high) < 0);
            to++) {
        sti_docs_aggregate_add_hash(&expected, items[to].hash);
    }
    CHECK_OK(sti_docs_view_sum(view, low, high, &sum, &err), &err);
    assert_true(sti_docs_aggregate_equal(&sum, &expected));
    h = (struct heard){.next = from, .from = from, .end = to};
    CHECK_OK(sti_docs_view_keys(view, low, high, hear_key, &h, &err), &err);
    assert_int_equal(h.next, to);
    h.parts = 2 + (size_t)below(PARTS_MAX - 1);
    if (to - from < h.parts) {
        CHECK_CODE(sti_docs_view_cuts(view, low, high, h.parts, hear_cut, &h, &err), STELE_EINVAL);
        return;
    }
    CHECK_OK(sti_docs_view_cuts(view, low, high, h.parts, hear_cut, &h, &err), &err);
    assert_int_equal(h.part, h.parts - 1);
}

/* Often the key of an entry, or part of it. */
static stele_bytes draw_bound(uint8_t out[32])
{
    const struct item *item = &items[below(item_count)];

    if (below(2) == 0) {
        sti_put_be64(out, (uint64_t)draw_second());
        return stele_bytes_of(out, 8);
    }
    memcpy(out, item->key, item->len);
    return stele_bytes_of(out, 8 + (size_t)below(item->len - 7));
}

static void check_ranges(struct kit *k)
{
    struct sti_docs_view view;
    uint8_t first[8] = {0};
    stele_error err;

    item_count = 0;
    CHECK_OK(stele_docs_log(k->db, stele_nil(), note_item, NULL, &err), &err);
    CHECK_OK(sti_docs_view_begin(&view, k->db, &err), &err);
    check_range(&view, stele_bytes_of(first, sizeof first), stele_nil());
    for (int i = 0; i < ROUNDS; i++) {
        uint8_t low[32];
        uint8_t high[32];
        stele_bytes a = draw_bound(low);
        stele_bytes b = draw_bound(high);

        if (below(8) == 0) {
            check_range(&view, a, stele_nil());
        } else if (stele_bytes_compare(a, b) <= 0) {
            check_range(&view, a, b);
        } else {
            check_range(&view, b, a);
        }
    }
    sti_docs_view_end(&view);
}

static void test_ranges_are_what_their_entries_add_up_to(void **kit)
{
    struct kit *k = *kit;

    state = UINT64_C(0x853c49e6748fea9b);
    k->now = (BEGIN + 100 * DAY) * 1000000;
    fill(k);
    check_ranges(k);
}

/* What is left below the horizon is in no range. */
static void test_ranges_begin_at_the_horizon(void **kit)
{
    struct kit *k = *kit;
    struct sti_docs_view view;
    struct sti_docs_aggregate all;
    struct heard h = {.next = 0};
    uint8_t low[8] = {0};
    stele_error err;

    state = UINT64_C(0xda3e39cb94b95bdb);
    k->now = (BEGIN + 100 * DAY) * 1000000;
    fill(k);
    CHECK_OK(stele_docs_trim(k->db, (BEGIN + 2 * DAY) * 1000000, NULL, &err), &err);
    item_count = 0;
    CHECK_OK(stele_docs_log(k->db, stele_nil(), note_item, NULL, &err), &err);
    while (sti_get_be64(items[h.next].key) < (uint64_t)(BEGIN + 2 * DAY)) {
        h.next++;
    }
    assert_true(h.next > 0);
    h.end = item_count;
    CHECK_OK(sti_docs_view_begin(&view, k->db, &err), &err);
    assert_int_equal(view.horizon, BEGIN + 2 * DAY);
    CHECK_OK(sti_docs_view_sum(&view, stele_bytes_of(low, sizeof low), stele_nil(), &all, &err),
            &err);
    assert_int_equal(all.count, item_count - h.next);
    CHECK_OK(sti_docs_view_keys(
                     &view, stele_bytes_of(low, sizeof low), stele_nil(), hear_key, &h, &err),
            &err);
    assert_int_equal(h.next, item_count);
    sti_docs_view_end(&view);
}

static uint64_t count_above_horizon(struct kit *k)
{
    struct sti_docs_aggregate sum = {.count = 0};
    struct sti_docs_view view;
    uint8_t low[8] = {0};
    stele_error err;

    CHECK_OK(sti_docs_view_begin(&view, k->db, &err), &err);
    CHECK_OK(sti_docs_view_sum(&view, stele_bytes_of(low, sizeof low), stele_nil(), &sum, &err),
            &err);
    sti_docs_view_end(&view);
    return sum.count;
}

/* What a peer's snapshot has from below the horizon is there, and in no sum; of two with the same
 * version the same one stays as ever. */
static void test_entries_from_below_the_horizon(void **kit)
{
    struct kit *k = *kit;
    struct sti_docs_version v = {BEGIN + DAY, 0, 4};
    uint64_t count;
    stele_error err;

    state = UINT64_C(0xda3e39cb94b95bdb);
    k->now = (BEGIN + 100 * DAY) * 1000000;
    fill(k);
    CHECK_OK(stele_docs_trim(k->db, (BEGIN + 2 * DAY) * 1000000, NULL, &err), &err);
    count = count_above_horizon(k);
    assert_int_equal(take(k, "old", "{'a':1}", v).made, 1);
    assert_int_equal(take(k, "old", "{'a':1}", v).known, 1);
    kit_check(k, "old", "{'a':1}");
    assert_int_equal(take(k, "old", NULL, v).made, 1);
    kit_check(k, "old", NULL);
    assert_int_equal(take(k, "old", "{'a':1}", v).known, 1);
    v.ns = 5;
    assert_int_equal(take(k, "old", "{'a':2}", v).made, 1);
    kit_check(k, "old", "{'a':2}");
    assert_int_equal(count_above_horizon(k), count);
    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
    CHECK_OK(stele_docs_reindex(k->db, &err), &err);
    assert_int_equal(count_above_horizon(k), count);
}

/* A node's trim: what is deleted stays deleted, whatever comes later. */
static void test_a_trim_that_keeps_deletions(void **kit)
{
    struct kit *k = *kit;
    stele_docs_status status;
    stele_error err;

    k->now = BEGIN * 1000000;
    kit_set(k, "a", "{'n':1}");
    kit_set(k, "a", "{'n':2}");
    kit_set(k, "b", "{'n':1}");
    kit_delete(k, "b");
    k->now = (BEGIN + 3 * DAY) * 1000000;
    CHECK_OK(sti_docs_peer_trim(k->db, BEGIN + 2 * DAY, &err), &err);
    CHECK_OK(stele_docs_get_status(k->db, &status, &err), &err);
    assert_int_equal(status.entries, 2);
    assert_int_equal(status.deleted, 1);
    assert_int_equal(take(k, "b", "{'n':0}", (struct sti_docs_version){BEGIN - DAY, 0, 4}).made, 1);
    kit_check(k, "b", NULL);
    kit_check(k, "a", "{'n':2}");
    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
}

struct clash {
    int count;
    char text[128];
};

static void hear_clash(void *arg, const struct sti_docs_clash *clash)
{
    struct clash *c = arg;

    c->count++;
    (void)snprintf(c->text, sizeof c->text, "%s %s %.*s %.*s", clash->type, clash->key,
            (int)clash->owner.len, (const char *)clash->owner.data, (int)clash->id.len,
            (const char *)clash->id.data);
}

static void take_and_hear(struct kit *k, const char *id, const char *json,
        struct sti_docs_version v, const char *clash)
{
    struct clash c = {.count = 0};
    struct sti_docs_taken taken;
    stele_bytes entry;
    stele_buf buf;
    stele_error err;

    encode(&buf, id, json, v);
    entry = stele_buf_view(&buf);
    CHECK_OK(sti_docs_peer_apply(k->db, &entry, 1, &taken, hear_clash, &c, &err), &err);
    stele_buf_free(&buf);
    assert_int_equal(c.count, clash == NULL ? 0 : 1);
    if (clash != NULL) {
        assert_string_equal(c.text, clash);
    }
}

static void test_clashes_are_told_whoever_wins(void **kit)
{
    struct kit *k = *kit;

    kit_register(k, "{'name':'t','keys':[{'name':'u','fields':['u'],'method':'binary',"
                    "'unique':true}],'version':1}");
    take_and_hear(k, "b", "{'@type':'t','u':1}", (struct sti_docs_version){BEGIN, 5, 2}, NULL);
    take_and_hear(k, "c", "{'@type':'t','u':1}", (struct sti_docs_version){BEGIN, 6, 2}, "t u b c");
    take_and_hear(k, "x", "{'@type':'t','u':2}", (struct sti_docs_version){BEGIN, 6, 2}, NULL);
    take_and_hear(k, "a", "{'@type':'t','u':1}", (struct sti_docs_version){BEGIN, 4, 2}, "t u a b");
}

static void test_what_an_entry_says_fails_nothing(void **kit)
{
    struct kit *k = *kit;
    struct sti_docs_taken taken;
    stele_bytes entries[3];
    stele_buf good;
    stele_buf odd;
    stele_error err;

    encode(&good, "good", "{'a':1}", (struct sti_docs_version){BEGIN, 0, 2});
    encode(&odd, "odd", "no json at all", (struct sti_docs_version){BEGIN, 0, 2});
    entries[0] = stele_str("CDBL and nothing else");
    entries[1] = stele_buf_view(&odd);
    entries[2] = stele_buf_view(&good);
    CHECK_OK(sti_docs_peer_apply(k->db, entries, 3, &taken, NULL, NULL, &err), &err);
    assert_int_equal(taken.refused, 1);
    assert_int_equal(taken.made, 2);
    kit_check(k, "good", "{'a':1}");
    kit_check(k, "odd", "no json at all");
    stele_buf_free(&good);
    stele_buf_free(&odd);
}

/* What is made here afterwards is newer. */
static void test_the_clock_follows_entries(void **kit)
{
    struct kit *k = *kit;
    int64_t ahead = KIT_NOW / 1000000 + 50;
    stele_docs_version made;

    assert_int_equal(take(k, "a", "{'n':1}", (struct sti_docs_version){ahead, 0, 2}).made, 1);
    made = kit_set(k, "a", "{'n':2}");
    assert_true(made.seconds >= ahead);
    kit_check(k, "a", "{'n':2}");
}

static stele_code add_kept(void *arg, stele_bytes id, stele_bytes entry, stele_error *err)
{
    stele_buf *out = arg;
    struct sti_docs_entry e;
    char text[64];

    CHECK_OK(sti_docs_entry_decode(&e, entry, err), err);
    CHECK_BYTES(e.id, id);
    (void)snprintf(text, sizeof text, "%.*s%u%s ", (int)id.len, (const char *)id.data,
            (unsigned)e.version.ns, e.is_delete ? "-" : "");
    return stele_buf_append(out, stele_str(text), err);
}

static void check_kept(struct kit *k, stele_bytes after, const char *expected)
{
    struct sti_docs_view view;
    stele_buf out;
    stele_error err;

    stele_buf_init(&out, SIZE_MAX);
    CHECK_OK(sti_docs_view_begin(&view, k->db, &err), &err);
    CHECK_OK(sti_docs_view_kept(&view, after, add_kept, &out, &err), &err);
    CHECK_BYTES(stele_buf_view(&out), stele_str(expected));
    sti_docs_view_end(&view);
    stele_buf_free(&out);
}

/* The newest entry of each, deletions too, and where a claim began. */
static void test_kept_is_what_documents_rest_on(void **kit)
{
    static const struct {
        const char *id;
        const char *json;
        uint32_t ns;
    } list[] = {
            {"a", "{'@type':'t','u':1}", 1},
            {"a", "{'@type':'t','u':2}", 2},
            {"a", "{'@type':'t','u':2,'n':1}", 3},
            {"a", "{'@type':'t','u':2,'n':2}", 4},
            {"b", "{'n':1}", 1},
            {"b", "{'n':2}", 2},
            {"c", "{'n':1}", 1},
            {"c", NULL, 2},
    };
    struct kit *k = *kit;

    kit_register(k, "{'name':'t','keys':[{'name':'u','fields':['u'],'method':'binary',"
                    "'unique':true}],'version':1}");
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        (void)take(k, list[i].id, list[i].json, (struct sti_docs_version){BEGIN, list[i].ns, 2});
    }
    check_kept(k, stele_empty(), "a2 a4 b2 c2- ");
    check_kept(k, stele_str("a"), "b2 c2- ");
}

static void test_number_and_note_stay(void **kit)
{
    struct kit *k = *kit;
    stele_buf note;
    stele_error err;

    stele_buf_init(&note, SIZE_MAX);
    CHECK_OK(sti_docs_peer_get_note(k->db, &note, &err), &err);
    assert_int_equal(note.len, 0);
    CHECK_CODE(sti_docs_peer_set_server(k->db, 0, &err), STELE_EINVAL);
    CHECK_OK(sti_docs_peer_set_server(k->db, 77, &err), &err);
    CHECK_OK(sti_docs_peer_put_note(k->db, stele_str("what was"), &err), &err);
    assert_int_equal(kit_set(k, "a", "{}").server, 77);
    kit_close(k);
    kit_open(k);
    assert_int_equal(stele_docs_server(k->db), 77);
    CHECK_OK(sti_docs_peer_get_note(k->db, &note, &err), &err);
    CHECK_BYTES(stele_buf_view(&note), stele_str("what was"));
    stele_buf_free(&note);
    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(
                    test_ranges_are_what_their_entries_add_up_to, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_ranges_begin_at_the_horizon, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_entries_from_below_the_horizon, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_a_trim_that_keeps_deletions, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_clashes_are_told_whoever_wins, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_what_an_entry_says_fails_nothing, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_the_clock_follows_entries, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_kept_is_what_documents_rest_on, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_number_and_note_stay, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
