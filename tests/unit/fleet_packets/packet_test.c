/* SPDX-License-Identifier: MIT
 *
 * packet_test.c: the packets of Stele: their bytes are those in golden/fleet, what was written is
 * read, and what is shorter or longer is not.
 */
#include "fleet/packet.h"

#include "lib/check.h"

#include <stdio.h>
#include <stdlib.h>

#define GOLDEN STELE_TESTS_DIR "/golden/fleet/packets.txt"

enum {
    LINE_SIZE = 4096
};

static const struct sti_docs_version now = {.seconds = 1795680000, .ns = 123456789, .server = 7};
static const struct sti_docs_version horizon = {.seconds = 1793088000};

static void fill(uint8_t *out, size_t len, uint8_t seed)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(i * 7 + seed);
    }
}

static void add_entry(stele_buf *out, const char *id, const char *json)
{
    struct sti_docs_entry entry = {.version = now,
            .id = stele_str(id),
            .json = stele_str(json),
            .is_delete = json == NULL};
    stele_buf buf;

    stele_buf_init(&buf, SIZE_MAX);
    CHECK_OK(sti_docs_entry_encode(&entry, &buf, NULL), NULL);
    CHECK_OK(sti_fleet_entries_add(stele_buf_view(&buf), out, NULL), NULL);
    stele_buf_free(&buf);
}

/* ---- Each packet as it is made, and looked at when read. ---- */

static struct sti_fleet_hello a_hello(uint8_t kind)
{
    struct sti_fleet_hello h = {.kind = kind,
            .lowest = 2,
            .highest = 3,
            .features = 5,
            .server = 7,
            .boot = 0x1122334455667788,
            .now = now,
            .horizon = horizon,
            .pushed = 300,
            .count = 1000000,
            .collation = stele_str("icu 72.1")};

    fill(h.root, sizeof h.root, 3);
    return h;
}

static void make_hello(stele_buf *out)
{
    struct sti_fleet_hello h = a_hello(STI_FLEET_PKT_HELLO);

    CHECK_OK(sti_fleet_hello_encode(&h, out, NULL), NULL);
}

static stele_code read_hello(stele_bytes bytes, bool look)
{
    struct sti_fleet_hello expected = a_hello(STI_FLEET_PKT_HELLO);
    struct sti_fleet_hello h;
    stele_code rc = sti_fleet_hello_decode(&h, bytes, NULL);

    if (look) {
        assert_int_equal(h.lowest, 2);
        assert_int_equal(h.highest, 3);
        assert_int_equal(h.features, 5);
        assert_int_equal(h.server, 7);
        assert_true(h.boot == expected.boot);
        assert_int_equal(sti_docs_version_compare(h.now, now), 0);
        assert_int_equal(sti_docs_version_compare(h.horizon, horizon), 0);
        assert_int_equal(h.pushed, 300);
        assert_int_equal(h.count, 1000000);
        assert_memory_equal(h.root, expected.root, sizeof h.root);
        CHECK_BYTES(h.collation, expected.collation);
    }
    return rc;
}

static void make_push(stele_buf *out)
{
    CHECK_OK(sti_fleet_push_begin(0x99, 200, 2, out, NULL), NULL);
    add_entry(out, "a", "{}");
    add_entry(out, "bcd", NULL);
}

static stele_code read_push(stele_bytes bytes, bool look)
{
    struct sti_fleet_push p;
    stele_code rc = sti_fleet_push_decode(&p, bytes, NULL);

    if (look) {
        struct sti_docs_entry entry;
        stele_bytes one;

        assert_int_equal(p.boot, 0x99);
        assert_int_equal(p.first, 200);
        CHECK_OK(sti_fleet_entries_next(&p.entries, &one), NULL);
        CHECK_OK(sti_docs_entry_decode(&entry, one, NULL), NULL);
        CHECK_BYTES(entry.id, stele_str("a"));
        CHECK_OK(sti_fleet_entries_next(&p.entries, &one), NULL);
        CHECK_OK(sti_docs_entry_decode(&entry, one, NULL), NULL);
        CHECK_BYTES(entry.id, stele_str("bcd"));
        CHECK_CODE(sti_fleet_entries_next(&p.entries, &one), STELE_END);
    }
    return rc;
}

static void make_state(stele_buf *out)
{
    struct sti_fleet_state s = {.boot = 0x99,
            .pushed = 300,
            .count = 77,
            .now = now,
            .horizon = (uint64_t)horizon.seconds};

    fill(s.root, sizeof s.root, 9);
    CHECK_OK(sti_fleet_state_encode(&s, out, NULL), NULL);
}

static stele_code read_state(stele_bytes bytes, bool look)
{
    struct sti_fleet_state s;
    stele_code rc = sti_fleet_state_decode(&s, bytes, NULL);

    if (look) {
        assert_int_equal(s.pushed, 300);
        assert_int_equal(s.count, 77);
        assert_int_equal(s.root[1], 16);
        assert_int_equal(s.horizon, horizon.seconds);
        assert_true(bytes.len <= 60);
    }
    return rc;
}

static void make_credit(stele_buf *out)
{
    struct sti_fleet_credit c = {.boot = 0x99, .bytes = 4 << 20, .seen = 300};

    CHECK_OK(sti_fleet_credit_encode(&c, out, NULL), NULL);
}

static stele_code read_credit(stele_bytes bytes, bool look)
{
    struct sti_fleet_credit c;
    stele_code rc = sti_fleet_credit_decode(&c, bytes, NULL);

    if (look) {
        assert_int_equal(c.boot, 0x99);
        assert_int_equal(c.bytes, 4 << 20);
        assert_int_equal(c.seen, 300);
    }
    return rc;
}

static void make_fetch(stele_buf *out)
{
    uint8_t ids[16];
    struct sti_fleet_fetch f = {.session = 1, .salt = 2, .bytes_max = 262144};
    struct sti_fleet_fetch_item item = {
            .low = sti_fleet_bound_first(), .high = sti_fleet_bound_of_second(1000)};
    uint64_t seconds = 0;

    fill(ids, sizeof ids, 1);
    CHECK_OK(sti_fleet_fetch_begin(&f, out, NULL), NULL);
    CHECK_OK(sti_fleet_fetch_add(&item, &seconds, out, NULL), NULL);
    item.low = sti_fleet_bound_of_key(stele_bytes_of("\0\0\0\0\0\0\4\0keys", 12));
    item.high = sti_fleet_bound_end();
    item.ids = stele_bytes_of(ids, sizeof ids);
    CHECK_OK(sti_fleet_fetch_add(&item, &seconds, out, NULL), NULL);
}

static stele_code read_fetch(stele_bytes bytes, bool look)
{
    struct sti_fleet_fetch f;
    stele_code rc = sti_fleet_fetch_decode(&f, bytes, NULL);

    if (look) {
        struct sti_fleet_fetch_item item;

        assert_int_equal(f.session, 1);
        assert_int_equal(f.salt, 2);
        assert_int_equal(f.bytes_max, 262144);
        CHECK_OK(sti_fleet_fetch_next(&f, &item), NULL);
        assert_int_equal(item.ids.len, 0);
        CHECK_BYTES(sti_fleet_bound_view(&item.high), stele_bytes_of("\0\0\0\0\0\0\3\xe8", 8));
        CHECK_OK(sti_fleet_fetch_next(&f, &item), NULL);
        assert_int_equal(item.ids.len, 16);
        CHECK_BYTES(sti_fleet_bound_view(&item.low), stele_bytes_of("\0\0\0\0\0\0\4\0keys", 12));
        assert_int_equal(item.high.len, 0);
        CHECK_CODE(sti_fleet_fetch_next(&f, &item), STELE_END);
    }
    return rc;
}

static void make_logs(stele_buf *out)
{
    CHECK_OK(sti_fleet_logs_begin(5, out, NULL), NULL);
    out->data[STI_FLEET_LOGS_MORE_AT] = 1;
    add_entry(out, "a", "{}");
}

static stele_code read_logs(stele_bytes bytes, bool look)
{
    struct sti_fleet_logs l;
    stele_code rc = sti_fleet_logs_decode(&l, bytes, NULL);

    if (look) {
        assert_int_equal(l.session, 5);
        assert_true(l.more);
        assert_int_equal(l.entries.count, 1);
    }
    return rc;
}

static void make_snap(stele_buf *out)
{
    struct sti_fleet_snap s = {.at = now, .cursor = stele_str("from here")};

    CHECK_OK(sti_fleet_snap_encode(&s, out, NULL), NULL);
}

static stele_code read_snap(stele_bytes bytes, bool look)
{
    struct sti_fleet_snap s;
    stele_code rc = sti_fleet_snap_decode(&s, bytes, NULL);

    if (look) {
        assert_int_equal(sti_docs_version_compare(s.at, now), 0);
        CHECK_BYTES(s.cursor, stele_str("from here"));
    }
    return rc;
}

static void make_snap_reply(stele_buf *out)
{
    stele_buf entries;

    stele_buf_init(&entries, SIZE_MAX);
    add_entry(&entries, "a", "{}");
    CHECK_OK(
            sti_fleet_snap_reply_encode(stele_str("a"), stele_buf_view(&entries), out, NULL), NULL);
    stele_buf_free(&entries);
}

static stele_code read_snap_reply(stele_bytes bytes, bool look)
{
    struct sti_fleet_snap s;
    stele_code rc = sti_fleet_snap_reply_decode(&s, bytes, NULL);

    if (look) {
        CHECK_BYTES(s.cursor, stele_str("a"));
        assert_int_equal(s.entries.count, 1);
    }
    return rc;
}

static const struct kind {
    const char *name;
    void (*make)(stele_buf *out);
    stele_code (*read)(stele_bytes bytes, bool look);
    bool may_end_early; /* behind one of the things it lists */
    bool may_go_on;
} kinds[] = {
        {"hello", make_hello, read_hello, false, true},
        {"push", make_push, read_push, false, false},
        {"state", make_state, read_state, false, false},
        {"credit", make_credit, read_credit, false, false},
        {"fetch", make_fetch, read_fetch, true, false},
        {"logs", make_logs, read_logs, true, false},
        {"snap", make_snap, read_snap, false, false},
        {"snap_reply", make_snap_reply, read_snap_reply, true, false},
};

static void check_golden(const char *name, stele_bytes made)
{
    static char line[LINE_SIZE];
    FILE *f = fopen(GOLDEN, "r");
    size_t len = strlen(name);
    bool found = false;

    assert_non_null(f);
    while (!found && fgets(line, sizeof line, f) != NULL) {
        found = strncmp(line, name, len) == 0 && line[len] == ' ';
    }
    (void)fclose(f);
    for (size_t i = 0; i < made.len; i++) {
        char hex[3];

        (void)snprintf(hex, sizeof hex, "%02x", made.data[i]);
        if (!found || strncmp(line + len + 1 + 2 * i, hex, 2) != 0) {
            print_error("%s ", name);
            for (i = 0; i < made.len; i++) {
                print_error("%02x", made.data[i]);
            }
            print_error("\n");
            fail_msg("%s: not as in %s", name, GOLDEN);
        }
    }
    assert_int_equal(line[len + 1 + 2 * made.len], '\n');
}

static void check_kind(const struct kind *kind)
{
    stele_buf buf;
    unsigned whole = 0;

    stele_buf_init(&buf, SIZE_MAX);
    kind->make(&buf);
    check_golden(kind->name, stele_buf_view(&buf));
    CHECK_OK(kind->read(stele_buf_view(&buf), true), NULL);
    for (size_t len = 0; len < buf.len; len++) {
        uint8_t *copy = malloc(len == 0 ? 1 : len);
        stele_code rc;

        assert_non_null(copy);
        memcpy(copy, buf.data, len);
        rc = kind->read(stele_bytes_of(copy, len), false);
        assert_true(rc == STELE_OK || rc == STELE_ECORRUPT);
        whole += rc == STELE_OK;
        free(copy);
    }
    assert_true(kind->may_end_early ? whole >= 1 && whole <= 2 : whole == 0);
    CHECK_OK(stele_buf_append(&buf, stele_bytes_of("\xff", 1), NULL), NULL);
    CHECK_CODE(
            kind->read(stele_buf_view(&buf), false), kind->may_go_on ? STELE_OK : STELE_ECORRUPT);
    buf.data[0] = 0x7f;
    CHECK_CODE(kind->read(stele_buf_view(&buf), false), STELE_ECORRUPT);
    stele_buf_free(&buf);
}

static void test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        check_kind(&kinds[i]);
    }
}

/* ---- Numbers. ---- */

static void test_varint(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {{"", 0}, {"\x80", 1}, {"\x80\x00", 2},
            {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10},
            {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x01", 11}};

    const uint64_t values[] = {
            0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX};
    struct sti_fleet_reader r;

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct sti_fleet_writer w;
        stele_buf buf;

        stele_buf_init(&buf, SIZE_MAX);
        w = sti_fleet_writer_of(&buf, NULL);
        sti_fleet_write_varint(&w, values[i]);
        assert_int_equal(buf.len, sti_fleet_varint_size(values[i]));
        r = sti_fleet_reader_of(stele_buf_view(&buf));
        assert_true(sti_fleet_read_varint(&r) == values[i]);
        assert_false(r.bad);
        assert_int_equal(r.rest.len, 0);
        stele_buf_free(&buf);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        r = sti_fleet_reader_of(stele_bytes_of(bad[i].bytes, bad[i].len));
        assert_int_equal(sti_fleet_read_varint(&r), 0);
        assert_true(r.bad);
    }
}

/* A count that is not there is refused before anything is made for it. */
static void test_counts(void **state)
{
    static const uint8_t push[] = {STI_FLEET_PKT_PUSH, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0xff, 0xff, 0xff,
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1};
    static const uint8_t fetch[] = {STI_FLEET_PKT_FETCH, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
            0, 1, 1, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1};
    static const uint8_t empty_range[] = {
            STI_FLEET_PKT_FETCH, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 3, 0, 1, 0, 0};
    struct sti_fleet_push p;
    struct sti_fleet_fetch f;

    (void)state;
    CHECK_CODE(sti_fleet_push_decode(&p, stele_bytes_of(push, sizeof push), NULL), STELE_ECORRUPT);
    CHECK_CODE(
            sti_fleet_fetch_decode(&f, stele_bytes_of(fetch, sizeof fetch), NULL), STELE_ECORRUPT);
    CHECK_CODE(sti_fleet_fetch_decode(&f, stele_bytes_of(empty_range, sizeof empty_range), NULL),
            STELE_ECORRUPT);
}

/* ---- Bounds. ---- */

static void test_bounds(void **state)
{
    uint8_t key[STI_DOCS_VERSION_SIZE + 400] = {0};
    uint8_t above[sizeof key];
    struct sti_fleet_bound b;
    struct sti_fleet_bound first = sti_fleet_bound_first();
    struct sti_fleet_bound end = sti_fleet_bound_end();

    (void)state;
    memset(key + STI_DOCS_VERSION_SIZE, 'x', 400);
    for (size_t at = 7; at < sizeof key; at++) {
        stele_bytes before = stele_bytes_of(key, sizeof key);
        stele_bytes next = stele_bytes_of(above, sizeof above);
        bool there;

        memcpy(above, key, sizeof key);
        above[at]++;
        there = sti_fleet_bound_between(&b, before, next);
        assert_int_equal(there, at < STI_FLEET_BOUND_MAX);
        if (there) {
            assert_int_equal(b.len, at == 7 ? 8 : at + 1);
            assert_true(sti_fleet_bound_is_above(&b, before));
            assert_false(sti_fleet_bound_is_above(&b, next));
            assert_true(sti_fleet_bound_compare(&b, &first) > 0);
            assert_true(sti_fleet_bound_compare(&b, &end) < 0);
        }
        b = sti_fleet_bound_of_key(next);
        assert_false(sti_fleet_bound_is_above(&b, next));
    }
    assert_true(sti_fleet_bound_is_above(&end, stele_bytes_of(key, sizeof key)));
    assert_int_equal(sti_fleet_bound_compare(&end, &end), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_kinds),
            cmocka_unit_test(test_varint),
            cmocka_unit_test(test_counts),
            cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
