/* SPDX-License-Identifier: MIT
 *
 * search_test.c: what searches find, in which order, and what is refused; and a model that looks at
 * every document.
 */
#include "kit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define THING                                                        \
    "{'name':'thing','keys':["                                       \
    "{'name':'place','fields':['group','level'],'method':'binary'}," \
    "{'name':'name','fields':['name'],'method':'utf8'},"             \
    "{'name':'tags','fields':['tags'],'method':'binary','array':true}],'version':1}"

static void set_things(struct kit *k)
{
    kit_register(k, THING);
    kit_set(k, "a", "{'@type':'thing','group':'x','level':1,'name':'Zürich','tags':[3,1,1]}");
    kit_set(k, "b", "{'@type':'thing','group':'x','level':2.5,'name':'zurich HB','tags':[2]}");
    kit_set(k, "c", "{'@type':'thing','group':'x1','level':1,'name':'Bern','tags':[1,2,3]}");
    kit_set(k, "d", "{'@type':'thing','group':'x','level':-7,'tags':[]}");
    kit_set(k, "e", "{'@type':'thing','group':'x','name':'bern','tags':'1'}");
    kit_set(k, "f", "{'@type':'else','group':'x'}");
}

static void test_fields(void **state)
{
    struct kit *k = *state;

    set_things(k);
    kit_check_match(k, "thing", NULL, "a b c d e");
    kit_check_match(k, "thing", "{}", "a b c d e");
    kit_check_match(k, "thing", "{'level':1,'group':'x'}", "a");
    kit_check_match(k, "thing", "{'level':1e0,'group':'x1'}", "c");
    kit_check_match(k, "thing", "{'group':'x'}", "e d a b");
    kit_check_match(k, "thing", "{'name':'BERN'}", "c e");
    kit_check_match(k, "thing", "{'name':'ber'}", "");
    kit_check_match(k, "thing", "{'tags':1}", "a c");
    kit_check_match(k, "thing", "{'tags':2}", "b c");
    kit_check_match(k, "thing", "{'tags':'1'}", "e");
}

static void test_bounds(void **state)
{
    struct kit *k = *state;
    stele_docs_search s;

    set_things(k);
    stele_docs_search_init(&s);
    s.type = "thing";
    s.bound_field = "tags";
    s.low = stele_str("1");
    /* Each is given once, by the first of its tags in the direction of the search. */
    s.high = stele_str("1");
    kit_check_search(k, &s, "a c");
    s.bound_field = "level";
    s.match = stele_str("{\"group\":\"x\"}");
    s.high = stele_nil();
    kit_check_search(k, &s, "a b");
    s.low_open = true;
    kit_check_search(k, &s, "b");
    s.low = stele_nil();
    s.high = stele_str("1");
    s.low_open = false;
    kit_check_search(k, &s, "d a");
    s.high_open = true;
    kit_check_search(k, &s, "d");
    s.match = stele_nil();
    s.high = stele_nil();
    s.bound_field = "name";
    s.prefix = stele_str("ZUR");
    kit_check_search(k, &s, "a b");
}

/* The IDs that one search gives, as "a b c". */
static void check_ids(struct kit *k, const stele_docs_search *search, const char *expected)
{
    stele_docs_iter *it = NULL;
    stele_bytes id = stele_nil();
    char text[64] = "";
    stele_error err;

    CHECK_OK(stele_docs_search_begin(&it, k->db, search, &err), &err);
    while (stele_docs_iter_next(it, &id, NULL, &err) == STELE_OK) {
        assert_int_equal(id.len, 1);
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%c", id.data[0]);
    }
    stele_docs_iter_end(it);
    assert_string_equal(text, expected);
}

static void test_each_once(void **state)
{
    struct kit *k = *state;
    stele_docs_search s;

    set_things(k);
    stele_docs_search_init(&s);
    s.type = "thing";
    s.bound_field = "tags";
    s.low = stele_str("1");
    check_ids(k, &s, "acb");
    s.backward = true;
    check_ids(k, &s, "cab");
    s.limit = 2;
    check_ids(k, &s, "ca");
    s.limit = 0;
    s.high = stele_str("2");
    check_ids(k, &s, "cba");
}

static void test_first(void **state)
{
    struct kit *k = *state;
    stele_docs_search s;
    stele_buf id;
    stele_buf json;
    stele_error err;

    set_things(k);
    stele_buf_init(&id, SIZE_MAX);
    stele_buf_init(&json, SIZE_MAX);
    stele_docs_search_init(&s);
    s.type = "else";
    CHECK_OK(stele_docs_search_first(k->db, &s, &id, &json, &err), &err);
    CHECK_BYTES(stele_buf_view(&id), stele_str("f"));
    CHECK_BYTES(stele_buf_view(&json), kit_json("{'@type':'else','group':'x'}"));
    kit_delete(k, "f");
    CHECK_CODE(stele_docs_search_first(k->db, &s, NULL, NULL, &err), STELE_ENOTFOUND);
    stele_buf_free(&id);
    stele_buf_free(&json);
}

static void test_refused(void **state)
{
    struct kit *k = *state;
    stele_docs_iter *it = NULL;
    stele_docs_search s;
    stele_error err;

    set_things(k);
    stele_docs_search_init(&s);
    CHECK_CODE(stele_docs_search_begin(&it, k->db, &s, &err), STELE_EINVAL);
    s.type = "";
    CHECK_CODE(stele_docs_search_begin(&it, k->db, &s, &err), STELE_ETYPE);
    s.type = "thing";
    s.match = stele_str("[]");
    CHECK_CODE(stele_docs_search_begin(&it, k->db, &s, &err), STELE_EINVAL);
    s.match = stele_str("{\"level\":1}");
    CHECK_CODE(stele_docs_search_begin(&it, k->db, &s, &err), STELE_EINVAL);
    CHECK_MESSAGE_HAS(&err, "place");
    s.match = stele_nil();
    s.low = stele_str("1");
    CHECK_CODE(stele_docs_search_begin(&it, k->db, &s, &err), STELE_EINVAL);
    s.bound_field = "tags";
    s.low = stele_str("one");
    CHECK_CODE(stele_docs_search_begin(&it, k->db, &s, &err), STELE_EINVAL);
    s.low = stele_str("1");
    s.after = stele_str("x");
    CHECK_CODE(stele_docs_search_begin(&it, k->db, &s, &err), STELE_EINVAL);
    assert_null(it);
}

/* ---- A model: all documents, looked at one by one. ---- */

enum {
    MODEL_IDS = 40,
    MODEL_VALUES = 5,
    MODEL_STEPS = 1500
};

struct model {
    int group[MODEL_IDS]; /* below 0: no document */
    int level[MODEL_IDS];
    uint64_t state;
};

static int below(struct model *m, int bound)
{
    m->state ^= m->state << 13;
    m->state ^= m->state >> 7;
    m->state ^= m->state << 17;
    return (int)((m->state >> 11) % (uint64_t)bound);
}

static void model_step(struct kit *k, struct model *m)
{
    int at = below(m, MODEL_IDS);
    char id[8];
    char json[96];

    (void)snprintf(id, sizeof id, "%02d", at);
    if (below(m, 4) == 0) {
        stele_code rc = stele_docs_delete(k->db, stele_str(id), NULL, NULL);

        CHECK_CODE(rc, m->group[at] < 0 ? STELE_ENOTFOUND : STELE_OK);
        m->group[at] = -1;
        return;
    }
    m->group[at] = below(m, MODEL_VALUES);
    m->level[at] = below(m, MODEL_VALUES);
    (void)snprintf(json, sizeof json, "{'@type':'thing','group':%d,'level':%d}", m->group[at],
            m->level[at]);
    kit_set(k, id, json);
}

static void model_check(struct kit *k, const struct model *m, int group, int level)
{
    char match[64];
    char ids[MODEL_IDS * 3 + 1] = "";

    for (int at = 0; at < MODEL_IDS; at++) {
        if (m->group[at] == group && m->level[at] == level) {
            (void)snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s%02d",
                    ids[0] == '\0' ? "" : " ", at);
        }
    }
    (void)snprintf(match, sizeof match, "{'level':%d,'group':%d.0}", level, group);
    kit_check_match(k, "thing", match, ids);
}

static void test_model(void **state)
{
    struct kit *k = *state;
    struct model m = {.state = 20231114};

    print_message("seed %" PRIu64 "\n", m.state);
    for (int at = 0; at < MODEL_IDS; at++) {
        m.group[at] = -1;
    }
    for (int i = 0; i < MODEL_STEPS; i++) {
        model_step(k, &m);
        if (i == MODEL_STEPS / 4) {
            kit_register(k, THING);
        }
        if (i % 500 == 499) {
            kit_close(k);
            kit_open(k);
        }
        if (i > MODEL_STEPS / 4 && i % 5 == 0) {
            model_check(k, &m, below(&m, MODEL_VALUES), below(&m, MODEL_VALUES));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_fields, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_bounds, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_each_once, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_first, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_refused, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_model, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
