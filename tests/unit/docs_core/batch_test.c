/* SPDX-License-Identifier: MIT
 *
 * batch_test.c: several changes at once, expected versions, merge patches, and the history of a
 * document.
 */
#include "kit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const stele_docs_version none = {.seconds = 0};

static void test_all_or_none(void **state)
{
    struct kit *k = *state;
    stele_docs_batch *b = NULL;
    stele_error err;

    kit_set(k, "a", "{'x':1}");
    CHECK_OK(stele_docs_batch_begin(&b, k->db, &err), &err);
    CHECK_OK(stele_docs_batch_set(b, stele_str("b"), kit_json("{'x':2}"), NULL, NULL, &err), &err);
    CHECK_OK(
            stele_docs_batch_patch(b, stele_str("b"), kit_json("{'y':3}"), NULL, NULL, &err), &err);
    CHECK_OK(stele_docs_batch_delete(b, stele_str("a"), NULL, NULL, &err), &err);
    kit_check(k, "b", NULL);
    kit_check(k, "a", "{'x':1}");
    CHECK_OK(stele_docs_batch_end(b, &err), &err);
    kit_check(k, "b", "{'x':2,'y':3}");
    kit_check(k, "a", NULL);
    CHECK_OK(stele_docs_batch_begin(&b, k->db, &err), &err);
    CHECK_OK(stele_docs_batch_set(b, stele_str("c"), kit_json("{}"), NULL, NULL, &err), &err);
    CHECK_CODE(stele_docs_batch_delete(b, stele_str("a"), NULL, NULL, &err), STELE_ENOTFOUND);
    CHECK_CODE(stele_docs_batch_set(b, stele_str("d"), kit_json("{}"), NULL, NULL, &err),
            STELE_ENOTFOUND);
    CHECK_CODE(stele_docs_batch_end(b, &err), STELE_ENOTFOUND);
    CHECK_OK(stele_docs_batch_begin(&b, k->db, &err), &err);
    CHECK_OK(stele_docs_batch_set(b, stele_str("c"), kit_json("{}"), NULL, NULL, &err), &err);
    CHECK_CODE(stele_docs_close(k->db, &err), STELE_ESTATE);
    stele_docs_batch_abort(b);
    stele_docs_batch_abort(NULL);
    kit_check_all(k, "b");
}

static stele_code set_expecting(
        struct kit *k, const char *id, const stele_docs_version *expected, stele_docs_version *made)
{
    stele_docs_batch *b = NULL;
    stele_error err;
    stele_code rc;

    CHECK_OK(stele_docs_batch_begin(&b, k->db, &err), &err);
    rc = stele_docs_batch_set(b, stele_str(id), kit_json("{'e':1}"), expected, made, &err);
    CHECK_CODE(stele_docs_batch_end(b, &err), rc);
    return rc;
}

static void test_expected(void **state)
{
    struct kit *k = *state;
    stele_docs_version first = kit_set(k, "a", "{}");
    stele_docs_version second = none;

    CHECK_CODE(set_expecting(k, "a", &none, &second), STELE_ESTALE);
    CHECK_CODE(set_expecting(k, "a", &first, &second), STELE_OK);
    CHECK_CODE(set_expecting(k, "a", &first, NULL), STELE_ESTALE);
    CHECK_CODE(set_expecting(k, "b", &second, NULL), STELE_ESTALE);
    CHECK_CODE(set_expecting(k, "b", &none, NULL), STELE_OK);
    kit_delete(k, "b");
    CHECK_CODE(set_expecting(k, "b", &none, NULL), STELE_OK);
    kit_check(k, "a", "{'e':1}");
}

static void test_patch(void **state)
{
    struct kit *k = *state;
    stele_docs_version version = none;
    stele_error err;

    CHECK_CODE(
            stele_docs_patch(k->db, stele_str("a"), kit_json("{}"), NULL, &err), STELE_ENOTFOUND);
    kit_set(k, "a", "{ 'x' : {'y':1,'z':2}, 'w':[1] }");
    CHECK_OK(stele_docs_patch(
                     k->db, stele_str("a"), kit_json("{'x':{'y':null},'v':true}"), &version, &err),
            &err);
    assert_int_equal(version.server, stele_docs_server(k->db));
    kit_check(k, "a", "{'x':{'z':2},'w':[1],'v':true}");
    CHECK_CODE(stele_docs_patch(k->db, stele_str("a"), kit_json("[]"), NULL, &err), STELE_EINVAL);
}

static stele_code on_entry(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    stele_buf *text = arg;

    CHECK_OK(stele_buf_append(text, entry->is_delete ? stele_str("-") : entry->json, err), err);
    return text->len > 20 ? STELE_END : STELE_OK;
}

static void check_history(struct kit *k, const char *id, const char *expected)
{
    stele_buf text;
    stele_error err;

    stele_buf_init(&text, SIZE_MAX);
    CHECK_OK(stele_buf_append(&text, stele_empty(), &err), &err);
    CHECK_OK(stele_docs_history(k->db, stele_str(id), on_entry, &text, &err), &err);
    CHECK_BYTES(stele_buf_view(&text), kit_json(expected));
    stele_buf_free(&text);
}

static void test_history(void **state)
{
    struct kit *k = *state;

    kit_set(k, "a", "{'x':1}");
    kit_set(k, "aa", "{'z':1}");
    kit_set(k, "b", "{'y':1}");
    kit_set(k, "a", "{'x':2}");
    kit_delete(k, "a");
    check_history(k, "a", "{'x':1}{'x':2}-");
    check_history(k, "b", "{'y':1}");
    check_history(k, "c", "");
    kit_set(k, "a", "{'x':4}");
    kit_set(k, "a", "{'x':5}");
    check_history(k, "a", "{'x':1}{'x':2}-{'x':4}");
}

/* ---- Threads, each of which raises a number in a document by what it expects. ---- */

enum {
    THREADS = 4,
    RAISES = 50
};

static void *raise(void *arg)
{
    struct kit *k = arg;

    for (int done = 0; done < RAISES;) {
        stele_docs_version there = none;
        stele_docs_batch *b = NULL;
        stele_buf json;
        char text[32];
        long n;
        bool deleted = false;
        stele_code rc;
        stele_error err;

        stele_buf_init(&json, SIZE_MAX);
        CHECK_OK(stele_docs_version_of(k->db, stele_str("n"), &there, &deleted, &err), &err);
        CHECK_OK(stele_docs_get_field(k->db, stele_str("n"), stele_str("/n"), &json, &err), &err);
        CHECK_OK(stele_buf_append(&json, stele_bytes_of("", 1), &err), &err);
        n = strtol((const char *)json.data, NULL, 10);
        stele_buf_free(&json);
        (void)snprintf(text, sizeof text, "{\"n\":%ld}", n + 1);
        CHECK_OK(stele_docs_batch_begin(&b, k->db, &err), &err);
        rc = stele_docs_batch_set(b, stele_str("n"), stele_str(text), &there, NULL, &err);
        CHECK_CODE(stele_docs_batch_end(b, &err), rc);
        if (rc == STELE_OK) {
            done++;
        } else {
            assert_int_equal(rc, STELE_ESTALE);
        }
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct kit *k = *state;
    pthread_t threads[THREADS];

    kit_close(k);
    k->options.not_durable = false;
    kit_open(k);
    kit_set(k, "n", "{'n':0}");
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, raise, k), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    kit_check(k, "n", "{\"n\":200}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_all_or_none, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_expected, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_patch, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_history, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_threads, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
