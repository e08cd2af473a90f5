/* SPDX-License-Identifier: MIT
 *
 * keys_test.c: the keys of a document: which there are, their bytes, and what they claim.
 */
#include "docs/keys.h"

#include "docs/order.h"
#include "kit.h"

/* The keys of one document, each as "NUMBER:hex of the fields" with "!" for a unique claim and "?"
 * for an incomplete key, and a blank behind each. */
static void describe(const struct sti_docs_index_keys *keys, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < keys->count; i++) {
        const struct sti_docs_index_key *key = &keys->items[i];

        len += (size_t)snprintf(out + len, size - len, "%u:", key->number);
        for (size_t b = STI_DOCS_INDEX_HEAD; b + 1 < key->claim_len; b++) {
            len += (size_t)snprintf(out + len, size - len, "%02x", key->bytes.data[b]);
        }
        len += (size_t)snprintf(
                out + len, size - len, "%s%s ", key->unique ? "!" : "", key->complete ? "" : "?");
    }
}

/* Ascending, all different, each of the right parts. */
static void check_sound(
        const struct sti_docs_index_keys *keys, uint32_t type_number, stele_bytes id)
{
    for (size_t i = 0; i < keys->count; i++) {
        const struct sti_docs_index_key *key = &keys->items[i];
        struct sti_docs_index_parts parts;
        stele_error err;

        if (i > 0) {
            assert_true(stele_bytes_compare(keys->items[i - 1].bytes, key->bytes) < 0);
        }
        CHECK_OK(sti_docs_index_split(key->bytes, &parts, &err), &err);
        assert_int_equal(parts.type_number, type_number);
        assert_int_equal(parts.number, key->number);
        assert_int_equal(parts.claim_len, key->claim_len);
        CHECK_BYTES(parts.id, id);
        if (key->number > 0) {
            assert_true(key->complete ==
                        (parts.field_count == kit_type.keys[key->number - 1].field_count));
        }
    }
}

static void check_keys(const char *document, const char *expected)
{
    static const uint8_t id[] = {'i', 0, 1, 0xff};
    struct sti_docs_index_keys keys = {.items = NULL};
    json_t *value = document == NULL ? NULL : json_of(document);
    struct kit kit;
    stele_error err;
    char text[4096];

    kit_open(&kit);
    CHECK_OK(sti_docs_index_keys_fill(
                     &keys, &kit.indexer, value, stele_bytes_of(id, sizeof id), false, &err),
            &err);
    describe(&keys, text, sizeof text);
    assert_string_equal(text, expected);
    check_sound(&keys, 7, stele_bytes_of(id, sizeof id));
    sti_docs_index_keys_free(&keys);
    json_decref(value);
    kit_close(&kit);
}

#define A   "286100"                 /* "a" */
#define B   "286200"                 /* "b" */
#define ONE "20bff00000000000000000" /* 1 */
#define TWO "20c0000000000000000000" /* 2 */

static void test_which(void **state)
{
    (void)state;
    check_keys(NULL, "0: ");
    check_keys("{}", "0: ");
    check_keys("{'other':1,'level':1,'seats':1,'b':1}", "0: ");
    check_keys("{'raw':'a'}", "0: 5:" A " ");
    check_keys("{'raw':{}}", "0: 5:40010200 ");
    check_keys("{'raw':['a','b']}", "0: 5:38286101012862010101"
                                    "0200 ");
    check_keys("{'mail':1}", "0: 1:" ONE "! ");
    check_keys("{'mail':null}", "0: 1:10 ");
    check_keys("{'group':1}", "0: 2:" ONE "? ");
    check_keys("{'group':1,'since':5}", "0: 2:" ONE "? ");
    check_keys("{'group':1,'level':null}", "0: 2:" ONE "10? ");
    check_keys("{'group':1,'level':2,'since':0}", "0: 2:" ONE TWO "30800000000000000000000000 ");
    check_keys("{'a':1}", "0: 6:" ONE "? ");
    check_keys("{'a':1,'b':'2'}", "0: 6:" ONE TWO "! ");
    check_keys("{'a':null,'b':'2'}", "0: 6:10" TWO " ");
    check_keys("{'a':1,'b':null}", "0: 6:" ONE "10 ");
    check_keys("{'addr':{'city':2}}", "0: 4:" TWO " ");
    check_keys("{'addr/city':2}", "0: ");
}

static void test_arrays(void **state)
{
    (void)state;
    check_keys("{'tags':'a'}", "0: 3:" A "? ");
    check_keys("{'tags':['b','a','b',1.0,1]}", "0: 3:" ONE "? 3:" A "? 3:" B "? ");
    check_keys("{'tags':[],'seats':1}", "0: ");
    check_keys("{'tags':['a'],'seats':[]}", "0: 3:" A "? ");
    check_keys("{'tags':['b','a'],'seats':[2,1]}",
            "0: 3:" A ONE " 3:" A TWO " 3:" B ONE " 3:" B TWO " ");
    check_keys("{'tags':[[],[null]],'seats':null}", "0: 3:3801020010 3:381001020010 ");
}

static void test_bytes(void **state)
{
    static const uint8_t entry[] = {0, 0, 0, 7, 0, 0, 1, 'i', 'd'};
    static const uint8_t raw[] = {0, 0, 0, 7, 0, KIT_RAW, 0x28, 'x', 0, 1, 'i', 'd'};
    struct sti_docs_index_keys keys = {.items = NULL};
    json_t *value = json_of("{'raw':'x'}");
    struct kit kit;
    stele_error err;

    (void)state;
    kit_open(&kit);
    CHECK_OK(sti_docs_index_keys_fill(&keys, &kit.indexer, value, stele_str("id"), false, &err),
            &err);
    assert_int_equal(keys.count, 2);
    CHECK_BYTES(keys.items[0].bytes, stele_bytes_of(entry, sizeof entry));
    CHECK_BYTES(keys.items[1].bytes, stele_bytes_of(raw, sizeof raw));
    assert_int_equal(keys.items[1].claim_len, 10);
    sti_docs_index_keys_free(&keys);
    json_decref(value);
    kit_close(&kit);
}

/* {"tags":[0,1,…],"seats":[0,1,…],"raw":"x"} */
static json_t *two_arrays(size_t tags, size_t seats)
{
    json_t *document = json_object();
    json_t *list[2] = {json_array(), json_array()};

    for (size_t i = 0; i < tags; i++) {
        assert_int_equal(json_array_append_new(list[0], json_integer((json_int_t)i)), 0);
    }
    for (size_t i = 0; i < seats; i++) {
        assert_int_equal(json_array_append_new(list[1], json_integer((json_int_t)i)), 0);
    }
    assert_int_equal(json_object_set_new(document, "tags", list[0]), 0);
    assert_int_equal(json_object_set_new(document, "seats", list[1]), 0);
    assert_int_equal(json_object_set_new(document, "raw", json_string("x")), 0);
    return document;
}

static void check_excess(size_t tags, size_t seats, size_t id_len, bool excess)
{
    struct sti_docs_index_keys keys = {.items = NULL};
    json_t *value = two_arrays(tags, seats);
    uint8_t *id = calloc(id_len, 1);
    size_t expected = excess ? 0 : tags * seats;
    struct kit kit;
    stele_error err;
    stele_code rc;

    kit_open(&kit);
    rc = sti_docs_index_keys_fill(
            &keys, &kit.indexer, value, stele_bytes_of(id, id_len), false, &err);
    assert_int_equal(rc, excess ? STELE_ETOOBIG : STELE_OK);
    if (excess) {
        CHECK_MESSAGE_HAS(&err, "key tags: ");
        assert_int_equal(keys.count, 0);
    }
    CHECK_OK(sti_docs_index_keys_fill(
                     &keys, &kit.indexer, value, stele_bytes_of(id, id_len), true, &err),
            &err);
    assert_int_equal(keys.skipped, excess ? 1 : 0);
    assert_int_equal(keys.count, expected + 2);
    check_sound(&keys, 7, stele_bytes_of(id, id_len));
    sti_docs_index_keys_free(&keys);
    json_decref(value);
    free(id);
    kit_close(&kit);
}

static void test_excess(void **state)
{
    (void)state;
    check_excess(64, 64, 10, false);
    check_excess(64, 65, 10, true);
    check_excess(4097, 1, 10, true);
    check_excess(4096, 1, 10, false);
    check_excess(4000, 1, STI_DOCS_ID_MAX, false);
    check_excess(4096, 1, STI_DOCS_ID_MAX, true); /* 64 MiB and more */
}

/* Equal elements count once, so that many of them are no excess. */
static void test_many_equal(void **state)
{
    struct sti_docs_index_keys keys = {.items = NULL};
    json_t *document = json_object();
    json_t *list = json_array();
    struct kit kit;
    stele_error err;

    (void)state;
    for (size_t i = 0; i < 5000; i++) {
        assert_int_equal(json_array_append_new(list, json_integer((json_int_t)(i % 3))), 0);
    }
    assert_int_equal(json_object_set_new(document, "tags", list), 0);
    kit_open(&kit);
    CHECK_OK(sti_docs_index_keys_fill(&keys, &kit.indexer, document, stele_str("x"), false, &err),
            &err);
    assert_int_equal(keys.count, 4);
    sti_docs_index_keys_free(&keys);
    json_decref(document);
    kit_close(&kit);
}

static void test_unknown_type(void **state)
{
    struct sti_docs_index_keys keys = {.items = NULL};
    struct sti_docs_indexer indexer;
    json_t *value = json_of("{'mail':'x'}");
    stele_error err;

    (void)state;
    CHECK_OK(sti_docs_indexer_init(&indexer, UINT32_MAX, NULL, NULL, &err), &err);
    CHECK_OK(sti_docs_index_keys_fill(&keys, &indexer, value, stele_str("x"), false, &err), &err);
    assert_int_equal(keys.count, 1);
    CHECK_BYTES(keys.items[0].bytes, stele_bytes_of("\xff\xff\xff\xff\0\0\1x", 8));
    assert_false(keys.items[0].unique);
    sti_docs_index_keys_free(&keys);
    sti_docs_indexer_free(&indexer);
    json_decref(value);
}

/* Bytes that are no key of an index. */
static void test_split(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        stele_code code;
    } cases[] = {{"\0\0\0\1\0\1\1x", 8, STELE_OK}, {"\0\0\0\1\0\1\1", 7, STELE_ECORRUPT},
            {"\0\0\0\1\0", 5, STELE_ECORRUPT}, {"\0\0\0\1\0\1", 6, STELE_ECORRUPT},
            {"\0\0\0\1\0\1\x10\1x", 9, STELE_OK}, {"\0\0\0\1\0\1\x11\1x", 9, STELE_ECORRUPT},
            {"\0\0\0\1\0\1\x28\0\1x", 10, STELE_OK}, {"\0\0\0\1\0\1\x28\1\1\0\1x", 12, STELE_OK},
            {"\0\0\0\1\0\1\x28\1\4\0\1x", 12, STELE_ECORRUPT},
            {"\0\0\0\1\0\1\x28\1x", 9, STELE_ECORRUPT},
            {"\0\0\0\1\0\1\x28q\1\3aaaaaaaaaaaaaaaa\1x", 28, STELE_OK},
            {"\0\0\0\1\0\1\x28q\1\3aaaaaaaaaaaaaaa", 25, STELE_ECORRUPT},
            {"\0\0\0\1\0\1\x20\0\0\0\0\0\0\0\0\0", 16, STELE_ECORRUPT},
            {"\0\0\0\1\0\1\x30\0\0\0\0\0\0\0\0\0\0\0", 18, STELE_ECORRUPT},
            {"\0\0\0\1\0\1\0x", 8, STELE_ECORRUPT}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sti_docs_index_parts parts;
        stele_error err;

        if (sti_docs_index_split(stele_bytes_of(cases[i].bytes, cases[i].len), &parts, &err) !=
                cases[i].code) {
            fail_msg("case %zu", i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_which), cmocka_unit_test(test_arrays),
            cmocka_unit_test(test_bytes), cmocka_unit_test(test_excess),
            cmocka_unit_test(test_many_equal), cmocka_unit_test(test_unknown_type),
            cmocka_unit_test(test_split)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
