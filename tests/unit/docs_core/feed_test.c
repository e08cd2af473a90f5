/* SPDX-License-Identifier: MIT
 *
 * feed_test.c: the feed of changes, from a place on, and waiting for more; also of those that
 * come late.
 */
#include "docs/apply.h"
#include "docs/seq.h"
#include "kit.h"

#include <pthread.h>
#include <stdio.h>

enum {
    CHANGES = 200
};

static void test_no_change(void **state)
{
    struct kit *k = *state;
    stele_wait wait = {.timeout_ms = 0};
    stele_cancel *cancel = NULL;
    stele_error err;

    CHECK_CODE(stele_docs_feed_wait(k->db, 0, &wait, &err), STELE_ETIMEDOUT);
    CHECK_OK(stele_cancel_new(&cancel, &err), &err);
    stele_cancel_trigger(cancel);
    wait.timeout_ms = STELE_FOREVER;
    wait.cancel = cancel;
    CHECK_CODE(stele_docs_feed_wait(k->db, 0, &wait, &err), STELE_ECANCELED);
    stele_cancel_free(cancel);
    kit_set(k, "a", "{}");
    CHECK_OK(stele_docs_feed_wait(k->db, 0, NULL, &err), &err);
}

/* ---- One follows what another one does. ---- */

struct follower {
    struct kit *k;
    uint64_t place; /* of the last entry that was seen */
    int seen;
    bool in_order;
};

static stele_code see(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    struct follower *f = arg;
    char wanted[32];

    (void)snprintf(wanted, sizeof wanted, "{\"n\":%d}", f->seen);
    f->in_order = f->in_order && stele_bytes_equal(entry->json, stele_str(wanted));
    f->seen++;
    f->in_order = f->in_order && entry->seq > f->place;
    f->place = entry->seq;
    (void)err;
    return STELE_OK;
}

static void *follow(void *arg)
{
    struct follower *f = arg;

    while (f->seen < CHANGES) {
        if (stele_docs_feed_wait(f->k->db, f->place, NULL, NULL) != STELE_OK ||
                stele_docs_feed(f->k->db, f->place, see, f, NULL) != STELE_OK) {
            f->in_order = false;
            break;
        }
    }
    return NULL;
}

static void test_follow(void **state)
{
    struct kit *k = *state;
    struct follower f = {.k = k, .in_order = true};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, follow, &f), 0);
    for (int i = 0; i < CHANGES; i++) {
        char json[32];

        (void)snprintf(json, sizeof json, "{'n':%d}", i);
        kit_set(k, "a", json);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(f.in_order);
    assert_int_equal(f.seen, CHANGES);
}

/* ---- Entries that come late. ---- */

static void apply(struct kit *k, const char *id, int64_t seconds, stele_code end)
{
    struct sti_docs_entry entry = {
            .version = {seconds, 0, 9}, .id = stele_str(id), .json = stele_str("{}")};
    struct sti_docs_write w;
    struct sti_docs_change change;
    enum sti_docs_applied applied = STI_DOCS_APPLIED_KNOWN;
    stele_error err;

    CHECK_OK(sti_docs_write_begin(&w, k->db, &err), &err);
    CHECK_OK(sti_docs_change_prepare(&change, &w, &entry, NULL, false, &err), &err);
    CHECK_OK(sti_docs_apply(&w, &change, &applied, &err), &err);
    sti_docs_change_free(&change);
    CHECK_CODE(sti_docs_write_end(&w, end, &err), end);
}

struct heard {
    char ids[64];
    uint64_t last;
};

static stele_code hear(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    struct heard *h = arg;
    size_t len = strlen(h->ids);

    (void)err;
    assert_true(entry->seq > h->last);
    h->last = entry->seq;
    (void)snprintf(h->ids + len, sizeof h->ids - len, "%.*s", (int)entry->id.len,
            (const char *)entry->id.data);
    return STELE_OK;
}

static uint64_t check_feed(struct kit *k, uint64_t after, const char *ids)
{
    struct heard h = {.last = after};
    stele_error err;

    CHECK_OK(stele_docs_feed(k->db, after, hear, &h, &err), &err);
    assert_string_equal(h.ids, ids);
    return h.last;
}

static void test_late(void **state)
{
    struct kit *k = *state;
    uint64_t place;
    stele_wait now = {.timeout_ms = 0};
    stele_error err;

    check_feed(k, 0, "");
    kit_set(k, "a", "{}");
    kit_set(k, "b", "{}");
    place = check_feed(k, 0, "ab");
    apply(k, "c", 1000, STELE_OK);
    apply(k, "x", 1000, STELE_ECANCELED);
    apply(k, "c", 1000, STELE_OK); /* known */
    CHECK_OK(stele_docs_feed_wait(k->db, place, &now, &err), &err);
    place = check_feed(k, place, "c");
    apply(k, "d", 500, STELE_OK);
    kit_close(k);
    kit_open(k);
    place = check_feed(k, place, "d");
    kit_set(k, "e", "{}");
    check_feed(k, 0, "abcde");
    assert_int_equal(check_feed(k, place, "e"), place + 1);
    CHECK_CODE(stele_docs_feed(k->db, place + 2, hear, &now, &err), STELE_EOFFSET);
    CHECK_CODE(stele_docs_feed_wait(k->db, place + 2, NULL, &err), STELE_EOFFSET);
    CHECK_CODE(stele_docs_feed_wait(k->db, place + 1, &now, &err), STELE_ETIMEDOUT);
}

/* A database of before has neither numbers nor what ends. */
static void test_before_numbers(void **state)
{
    struct kit *k = *state;
    struct sti_docs_write w;
    uint64_t last;
    stele_error err;

    kit_set(k, "a", "{}");
    kit_set(k, "b", "{}");
    CHECK_OK(sti_docs_write_begin(&w, k->db, &err), &err);
    CHECK_OK(stele_store_batch_delete_bucket(w.batch, sti_docs_bucket_name(STI_DOCS_SEQ), &err),
            &err);
    CHECK_OK(stele_store_batch_delete_bucket(w.batch, sti_docs_bucket_name(STI_DOCS_EXP), &err),
            &err);
    CHECK_OK(sti_docs_write_end(&w, STELE_OK, &err), &err);
    kit_close(k);
    kit_open(k);
    last = check_feed(k, 0, "ab");
    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
    kit_set(k, "c", "{}");
    check_feed(k, last, "c");
}

/* Numbers that lead nowhere are found, and made anew, above all that were there. */
static void test_damaged(void **state)
{
    struct kit *k = *state;
    struct sti_docs_write w;
    uint8_t key[STI_DOCS_SEQ_SIZE] = {[STI_DOCS_SEQ_SIZE - 1] = 1};
    uint64_t last;
    stele_error err;

    kit_set(k, "a", "{}");
    kit_set(k, "b", "{}");
    last = check_feed(k, 0, "ab");
    CHECK_OK(sti_docs_write_begin(&w, k->db, &err), &err);
    CHECK_OK(sti_docs_put(&w, STI_DOCS_SEQ, stele_bytes_of(key, sizeof key), stele_str("no"), &err),
            &err);
    CHECK_OK(sti_docs_write_end(&w, STELE_OK, &err), &err);
    CHECK_CODE(stele_docs_validate(k->db, NULL, NULL, NULL, &err), STELE_ECORRUPT);
    CHECK_OK(stele_docs_reindex(k->db, &err), &err);
    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
    check_feed(k, last, "ab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_no_change, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_follow, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_late, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_before_numbers, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_damaged, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
