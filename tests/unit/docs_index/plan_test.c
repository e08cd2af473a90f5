/* SPDX-License-Identifier: MIT
 *
 * plan_test.c: searches over an index in memory, beside a search that looks at each document.
 */
#include "docs/plan.h"

#include "base/alloc.h"
#include "docs/order.h"
#include "kit.h"

enum {
    DOCS_MAX = 400,
    ROWS_MAX = 16 * DOCS_MAX
};

/* One key of the index, and whose it is. */
struct row {
    stele_bytes key;
    size_t doc;
};

struct index {
    struct kit kit;
    json_t *docs[DOCS_MAX];
    struct sti_docs_index_keys keys[DOCS_MAX];
    size_t doc_count;
    struct row rows[ROWS_MAX];
    size_t row_count;
};

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;

    return stele_bytes_compare(x->key, y->key);
}

static void index_add(struct index *index, json_t *doc)
{
    struct sti_docs_index_keys *keys = &index->keys[index->doc_count];
    char id[16];
    stele_error err;

    assert_true(index->doc_count < DOCS_MAX);
    (void)snprintf(id, sizeof id, "%03zu", index->doc_count);
    CHECK_OK(sti_docs_index_keys_fill(keys, &index->kit.indexer, doc, stele_str(id), false, &err),
            &err);
    for (size_t i = 0; i < keys->count; i++) {
        assert_true(index->row_count < ROWS_MAX);
        index->rows[index->row_count++] =
                (struct row){.key = keys->items[i].bytes, .doc = index->doc_count};
    }
    index->docs[index->doc_count++] = doc;
    qsort(index->rows, index->row_count, sizeof index->rows[0], compare_rows);
}

static struct index *index_of(const char *const *docs, size_t count)
{
    struct index *index = calloc(1, sizeof *index);

    assert_non_null(index);
    kit_open(&index->kit);
    for (size_t i = 0; i < count; i++) {
        index_add(index, json_of(docs[i]));
    }
    return index;
}

static void index_free(struct index *index)
{
    for (size_t i = 0; i < index->doc_count; i++) {
        json_decref(index->docs[i]);
        sti_docs_index_keys_free(&index->keys[i]);
    }
    kit_close(&index->kit);
    free(index);
}

/* The documents that a plan finds, in its order, as "1 5 7". */
static void run(const struct index *index, const struct sti_docs_plan *plan, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < index->row_count; i++) {
        stele_bytes key = index->rows[i].key;

        if (stele_bytes_compare(key, stele_buf_view(&plan->start)) >= 0 &&
                stele_bytes_compare(key, stele_buf_view(&plan->end)) < 0) {
            len += (size_t)snprintf(
                    out + len, size - len, "%s%zu", len == 0 ? "" : " ", index->rows[i].doc);
        }
    }
}

struct query {
    const char *match;
    const char *field;
    const char *low;
    const char *high;
    const char *prefix;
    bool low_open;
    bool high_open;
};

static json_t *maybe(const char *text)
{
    return text == NULL ? NULL : json_of(text);
}

static stele_code make(const struct index *index, const struct query *query,
        struct sti_docs_plan *plan, stele_error *err)
{
    json_t *match = maybe(query->match);
    json_t *low = maybe(query->low);
    json_t *high = maybe(query->high);
    const struct sti_docs_search search = {.match = match,
            .bound_field = query->field,
            .low = low,
            .high = high,
            .low_open = query->low_open,
            .high_open = query->high_open,
            .prefix = stele_str(query->prefix)};
    stele_code rc = sti_docs_plan_make(plan, &index->kit.indexer, &search, err);

    json_decref(match);
    json_decref(low);
    json_decref(high);
    return rc;
}

static void check(const struct index *index, const struct query *query, const char *expected)
{
    struct sti_docs_plan plan;
    stele_error err;
    char found[4096];

    CHECK_OK(make(index, query, &plan, &err), &err);
    run(index, &plan, found, sizeof found);
    if (strcmp(found, expected) != 0) {
        fail_msg("%s %s: found %s instead of %s", query->match == NULL ? "" : query->match,
                query->field == NULL ? "" : query->field, found, expected);
    }
    sti_docs_plan_free(&plan);
}

static const char *const users[] = {
        "{'mail':'Joe@Example.COM','group':'Admins','level':1,'addr':{'city':'Zürich'},'raw':'x'}",
        "{'mail':'jane@example.com','group':'admins','level':1.0,'addr':{'city':'zurich'},'raw':12}",
        "{'mail':'x@example.com','group':'ADMINS','level':2,'addr':{'city':'ZURICH HB'},'raw':12.25}",
        "{'group':'admins','raw':'x1'}", "{'raw':'x\\u0000s02'}", "{'raw':'x\\u0001'}",
        "{'raw':'x\\u00ff'}", "{'raw':true,'group':'admins','level':1,'since':5}",
        "{'raw':false,'group':'admin','level':1}", "{'raw':null}", "{'raw':['x','y']}",
        "{'raw':'X'}", "{'raw':''}", "{'raw':1e21}", "{'raw':-3}"};

static void test_exact(void **state)
{
    struct index *index = index_of(users, sizeof users / sizeof users[0]);

    (void)state;
    check(index, &(struct query){.match = "{'raw':'x'}"}, "0");
    check(index, &(struct query){.match = "{'raw':'x1'}"}, "3");
    check(index, &(struct query){.match = "{'raw':'x\\u0000s02'}"}, "4");
    check(index, &(struct query){.match = "{'raw':''}"}, "12");
    check(index, &(struct query){.match = "{'raw':'x\\u0000'}"}, "");
    check(index, &(struct query){.match = "{'raw':12.0}"}, "1");
    check(index, &(struct query){.match = "{'raw':'12'}"}, "");
    check(index, &(struct query){.match = "{'raw':1000000000000000000000.0}"}, "13");
    check(index, &(struct query){.match = "{'raw':true}"}, "7");
    check(index, &(struct query){.match = "{'raw':null}"}, "9");
    check(index, &(struct query){.match = "{'raw':['x','y']}"}, "10");
    check(index, &(struct query){.match = "{'raw':['x']}"}, "");
    check(index, &(struct query){.match = "{'mail':'JOE@example.com'}"}, "0");
    check(index, &(struct query){.match = "{'mail':'joe@example.co'}"}, "");
    check(index, &(struct query){.match = "{'addr/city':'zürich'}"}, "0 1");
    check(index, &(struct query){.match = "{'addr/city':'Zürich HB'}"}, "2");
    check(index, &(struct query){.match = "{}"}, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14");
    check(index, &(struct query){.match = NULL}, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14");
    index_free(index);
}

/* A leading part also finds those that lack the rest; fields stand in any order. */
static void test_leading(void **state)
{
    struct index *index = index_of(users, sizeof users / sizeof users[0]);

    (void)state;
    check(index, &(struct query){.match = "{'group':'admins'}"}, "3 0 1 7 2");
    check(index, &(struct query){.match = "{'group':'admins','level':1}"}, "0 1 7");
    check(index, &(struct query){.match = "{'level':1,'group':'admins'}"}, "0 1 7");
    check(index,
            &(struct query){.match = "{'since':'1970-01-01T00:00:05Z','level':1,"
                                     "'group':'admins'}"},
            "7");
    check(index, &(struct query){.match = "{'group':'admin'}"}, "8");
    index_free(index);
}

static void test_bounds(void **state)
{
    struct index *index = index_of(users, sizeof users / sizeof users[0]);

    (void)state;
    check(index, &(struct query){.field = "raw", .low = "12"}, "1 2 13");
    check(index, &(struct query){.field = "raw", .low = "12", .low_open = true}, "2 13");
    check(index, &(struct query){.field = "raw", .high = "12.25"}, "14 1 2");
    check(index, &(struct query){.field = "raw", .high = "12.25", .high_open = true}, "14 1");
    check(index, &(struct query){.field = "raw", .low = "12", .high = "12"}, "1");
    check(index, &(struct query){.field = "raw", .low = "13", .high = "12"}, "");
    check(index, &(struct query){.field = "raw", .low = "12", .high = "12", .low_open = true}, "");
    check(index, &(struct query){.field = "raw", .low = "12", .high = "12", .high_open = true}, "");
    check(index, &(struct query){.field = "raw", .low = "'x'", .low_open = true}, "4 5 3 6");
    check(index, &(struct query){.field = "raw", .high = "'x'"}, "12 11 0");
    check(index, &(struct query){.field = "raw", .low = "false"}, "8 7");
    check(index, &(struct query){.field = "raw", .high = "true", .high_open = true}, "8");
    check(index, &(struct query){.field = "raw", .low = "null"}, "9");
    check(index, &(struct query){.field = "raw", .low = "[]"}, "10");
    check(index,
            &(struct query){.match = "{'group':'admins'}",
                    .field = "level",
                    .low = "1",
                    .high = "2",
                    .low_open = true},
            "2");
    index_free(index);
}

static void test_prefixes(void **state)
{
    struct index *index = index_of(users, sizeof users / sizeof users[0]);

    (void)state;
    check(index, &(struct query){.field = "raw", .prefix = "x"}, "0 4 5 3 6");
    check(index, &(struct query){.field = "raw", .prefix = "x1"}, "3");
    check(index, &(struct query){.field = "raw", .prefix = ""}, "12 11 0 4 5 3 6");
    check(index, &(struct query){.field = "addr/city", .prefix = "ZÜR"}, "0 1 2");
    check(index, &(struct query){.field = "addr/city", .prefix = "zürich "}, "2");
    check(index, &(struct query){.field = "group", .prefix = "ADMIN"}, "8 3 0 1 7 2");
    check(index, &(struct query){.field = "mail", .prefix = "j"}, "1 0");
    index_free(index);
}

static void check_refused(
        const struct index *index, const struct query *query, stele_code code, const char *message)
{
    struct sti_docs_plan plan;
    stele_error err;

    CHECK_CODE(make(index, query, &plan, &err), code);
    CHECK_MESSAGE_HAS(&err, message);
}

static void test_refused(void **state)
{
    struct index *index = index_of(NULL, 0);
    char text[600];
    static const char keys[] =
            "search: no key fits these fields; user has mail (mail), group (group, "
            "level, since), tags (tags, seats), city (addr/city), raw (raw), "
            "pair (a, b)";

    (void)state;
    check_refused(index, &(struct query){.match = "{'level':1}"}, STELE_EINVAL, keys);
    check_refused(index, &(struct query){.match = "{'mail':'x','raw':1}"}, STELE_EINVAL, keys);
    check_refused(index, &(struct query){.match = "{'group':1,'since':1}"}, STELE_EINVAL, keys);
    check_refused(
            index, &(struct query){.field = "level", .low = "1"}, STELE_EINVAL, "no key fits");
    check_refused(index, &(struct query){.match = "{'mail':'x'}", .field = "mail", .low = "1"},
            STELE_EINVAL, "no key fits");
    check_refused(index, &(struct query){.match = "[1]"}, STELE_EINVAL, "not a JSON object");
    check_refused(index, &(struct query){.low = "1"}, STELE_EINVAL, "no field for them");
    check_refused(index, &(struct query){.field = "raw"}, STELE_EINVAL, "neither bounds");
    check_refused(index, &(struct query){.field = "raw", .low = "1", .prefix = "x"}, STELE_EINVAL,
            "bounds as well as a prefix");
    check_refused(index, &(struct query){.field = "raw", .low = "1", .high = "'x'"}, STELE_EINVAL,
            "different kinds");
    memset(text, 'q', sizeof text);
    text[0] = '\'';
    text[500] = '\'';
    text[501] = '\0';
    check_refused(index, &(struct query){.field = "raw", .low = text}, STELE_ETOOBIG, "a bound");
    check_refused(
            index, &(struct query){.field = "raw", .prefix = text}, STELE_ETOOBIG, "a prefix");
    index_free(index);
}

static void test_unknown_type(void **state)
{
    struct sti_docs_indexer indexer;
    json_t *match = json_of("{'a':1}");
    const struct sti_docs_search all = {.match = NULL};
    const struct sti_docs_search some = {.match = match};
    struct sti_docs_plan plan;
    stele_error err;

    (void)state;
    CHECK_OK(sti_docs_indexer_init(&indexer, 3, NULL, NULL, &err), &err);
    CHECK_CODE(sti_docs_plan_make(&plan, &indexer, &some, &err), STELE_EINVAL);
    CHECK_OK(sti_docs_plan_make(&plan, &indexer, &all, &err), &err);
    CHECK_BYTES(stele_buf_view(&plan.start), stele_bytes_of("\0\0\0\3\0\0\1", 7));
    CHECK_BYTES(stele_buf_view(&plan.end), stele_bytes_of("\0\0\0\3\0\0\2", 7));
    assert_null(plan.key);
    sti_docs_plan_free(&plan);
    sti_docs_indexer_free(&indexer);
    json_decref(match);
}

static void check_choice(
        const struct sti_docs_indexer *indexer, const char *match, const char *key, size_t number)
{
    json_t *value = json_of(match);
    const struct sti_docs_search search = {.match = value, .key = key};
    struct sti_docs_plan plan;
    stele_error err;

    if (number == 0) {
        CHECK_CODE(sti_docs_plan_make(&plan, indexer, &search, &err), STELE_EINVAL);
        CHECK_MESSAGE_HAS(&err, "search: key ");
    } else {
        CHECK_OK(sti_docs_plan_make(&plan, indexer, &search, &err), &err);
        assert_int_equal(plan.number, number);
        sti_docs_plan_free(&plan);
    }
    json_decref(value);
}

/* Which of several keys is taken. */
static void test_choice(void **state)
{
    static const struct sti_docs_field abc[] = {
            FIELD("a", BINARY), FIELD("b", BINARY), FIELD("c", BINARY)};
    static const struct sti_docs_field twice[] = {FIELD("a", BINARY), FIELD("a", NUMBER)};
    static const struct sti_docs_key keys[] = {{"abc", abc, 3, 0, false, false},
            {"twice", twice, 2, 0, false, false}, {"ab", abc, 2, 0, false, false},
            {"ab2", abc, 2, 0, true, false}, {"b", abc + 1, 1, 0, false, false}};
    static const struct sti_docs_type type = {"t", 1, keys, 5, NULL};
    struct sti_docs_indexer indexer;
    stele_error err;

    (void)state;
    CHECK_OK(sti_docs_indexer_init(&indexer, 1, &type, NULL, &err), &err);
    check_choice(&indexer, "{'a':1,'b':1}", NULL, 3);
    check_choice(&indexer, "{'a':1}", NULL, 2);
    check_choice(&indexer, "{'b':1}", NULL, 5);
    check_choice(&indexer, "{'c':1,'a':1,'b':1}", NULL, 1);
    check_choice(&indexer, "{'a':1,'b':1}", "abc", 1);
    check_choice(&indexer, "{'a':1,'b':1}", "ab2", 4);
    check_choice(&indexer, "{'a':1,'b':1}", "b", 0);
    check_choice(&indexer, "{'a':1,'b':1}", "twice", 0);
    check_choice(&indexer, "{'a':1}", "none", 0);
    check_choice(&indexer, "{}", "ab", 3);
    sti_docs_indexer_free(&indexer);
}

static void check_flags(
        const struct index *index, const struct query *query, bool single, bool may_repeat)
{
    struct sti_docs_plan plan;
    stele_error err;

    CHECK_OK(make(index, query, &plan, &err), &err);
    assert_int_equal(plan.single, single);
    assert_int_equal(plan.may_repeat, may_repeat);
    sti_docs_plan_free(&plan);
}

static void test_flags(void **state)
{
    struct index *index = index_of(NULL, 0);

    (void)state;
    check_flags(index, &(struct query){.match = "{'mail':'x'}"}, true, false);
    check_flags(index, &(struct query){.match = "{'mail':null}"}, false, false);
    check_flags(index, &(struct query){.field = "mail", .prefix = "x"}, false, false);
    check_flags(index, &(struct query){.match = "{'a':1}"}, false, false);
    check_flags(index, &(struct query){.match = "{'a':1,'b':1}"}, true, false);
    check_flags(index, &(struct query){.match = "{'tags':1}"}, false, true);
    check_flags(index, &(struct query){.match = "{'tags':1,'seats':1}"}, false, false);
    check_flags(index, &(struct query){.field = "tags", .low = "1"}, false, true);
    check_flags(index, &(struct query){.match = "{'raw':1}"}, false, false);
    check_flags(index, &(struct query){.match = "{}"}, false, false);
    index_free(index);
}

/* Any place of what is found divides it, in both directions. */
static void test_resume(void **state)
{
    struct index *index = index_of(users, sizeof users / sizeof users[0]);
    const struct query query = {.field = "raw", .prefix = "x"};
    static const char *const behind[] = {"4 5 3 6", "5 3 6", "3 6", "6", ""};
    static const char *const before[] = {"", "0", "0 4", "0 4 5", "0 4 5 3"};
    struct sti_docs_plan plan;
    stele_error err;
    char found[4096];
    size_t at = 0;

    (void)state;
    CHECK_OK(make(index, &query, &plan, &err), &err);
    for (size_t i = 0; i < index->row_count; i++) {
        stele_bytes key = index->rows[i].key;
        bool inside = stele_bytes_compare(key, stele_buf_view(&plan.start)) >= 0 &&
                      stele_bytes_compare(key, stele_buf_view(&plan.end)) < 0;

        for (int backward = 0; backward < 2; backward++) {
            struct sti_docs_plan part;

            CHECK_OK(make(index, &query, &part, &err), &err);
            CHECK_CODE(sti_docs_plan_resume(&part, key, backward == 1, &err),
                    inside ? STELE_OK : STELE_EINVAL);
            if (inside) {
                run(index, &part, found, sizeof found);
                assert_string_equal(found, backward == 1 ? before[at] : behind[at]);
            }
            sti_docs_plan_free(&part);
        }
        at += inside ? 1 : 0;
    }
    assert_int_equal(at, 5);
    sti_docs_plan_free(&plan);
    index_free(index);
}

/* The model: values that are equal, as the key with "binary" order has it. */

static const char *const choices[] = {"'x'", "'x1'", "'x\\u0000'", "'x\\u0001'", "'\\u0000'", "''",
        "0", "-0.0", "1", "1.0", "1.5", "9007199254740993", "9007199254740992.0", "true", "false",
        "null", "[]", "['x']", "{'a':1}"};

enum {
    CHOICES = sizeof choices / sizeof choices[0]
};

static bool equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) {
        /* Of the numbers above only two are equal as doubles and not as numbers. */
        return json_is_integer(a) && json_is_integer(b)
                       ? json_integer_value(a) == json_integer_value(b)
                       : !(json_number_value(a) < json_number_value(b)) &&
                                 !(json_number_value(a) > json_number_value(b)) &&
                                 json_integer_value(a) != 9007199254740993 &&
                                 json_integer_value(b) != 9007199254740993;
    }
    return json_equal(a, b);
}

static void test_model(void **state)
{
    struct index *index = index_of(NULL, 0);
    struct random r = random_of(3);

    (void)state;
    print_message("seed 3\n");
    for (size_t i = 0; i < 300; i++) {
        json_t *doc = json_object();

        if (random_below(&r, 10) > 0) {
            assert_int_equal(
                    json_object_set_new(doc, "a", json_of(choices[random_below(&r, CHOICES)])), 0);
        }
        if (random_below(&r, 10) > 2) {
            assert_int_equal(
                    json_object_set_new(doc, "b", json_of(choices[random_below(&r, CHOICES)])), 0);
        }
        index_add(index, doc);
    }
    for (size_t a = 0; a < CHOICES; a++) {
        for (size_t b = 0; b <= CHOICES; b++) {
            json_t *match = json_object();
            const struct sti_docs_search search = {.match = match};
            struct sti_docs_plan plan;
            bool found[DOCS_MAX] = {false};
            stele_error err;

            if (b < CHOICES) {
                assert_int_equal(json_object_set_new(match, "b", json_of(choices[b])), 0);
            }
            assert_int_equal(json_object_set_new(match, "a", json_of(choices[a])), 0);
            CHECK_OK(sti_docs_plan_make(&plan, &index->kit.indexer, &search, &err), &err);
            for (size_t i = 0; i < index->row_count; i++) {
                if (stele_bytes_compare(index->rows[i].key, stele_buf_view(&plan.start)) >= 0 &&
                        stele_bytes_compare(index->rows[i].key, stele_buf_view(&plan.end)) < 0) {
                    assert_false(found[index->rows[i].doc]);
                    found[index->rows[i].doc] = true;
                }
            }
            for (size_t i = 0; i < index->doc_count; i++) {
                const json_t *va = json_object_get(index->docs[i], "a");
                const json_t *vb = json_object_get(index->docs[i], "b");
                bool expected =
                        va != NULL && equal(va, json_object_get(match, "a")) &&
                        (b == CHOICES || (vb != NULL && equal(vb, json_object_get(match, "b"))));

                assert_int_equal(found[i], expected);
            }
            sti_docs_plan_free(&plan);
            json_decref(match);
        }
    }
    index_free(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_exact), cmocka_unit_test(test_leading),
            cmocka_unit_test(test_bounds), cmocka_unit_test(test_prefixes),
            cmocka_unit_test(test_refused), cmocka_unit_test(test_unknown_type),
            cmocka_unit_test(test_choice), cmocka_unit_test(test_flags),
            cmocka_unit_test(test_resume), cmocka_unit_test(test_model)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
