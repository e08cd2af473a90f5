/* SPDX-License-Identifier: MIT
 *
 * feed_test.c: waiting for changes, from a place in the log, and going on from there.
 */
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

    CHECK_CODE(stele_docs_log_wait(k->db, stele_nil(), &wait, &err), STELE_ETIMEDOUT);
    CHECK_OK(stele_cancel_new(&cancel, &err), &err);
    stele_cancel_trigger(cancel);
    wait.timeout_ms = STELE_FOREVER;
    wait.cancel = cancel;
    CHECK_CODE(stele_docs_log_wait(k->db, stele_nil(), &wait, &err), STELE_ECANCELED);
    stele_cancel_free(cancel);
    kit_set(k, "a", "{}");
    CHECK_OK(stele_docs_log_wait(k->db, stele_nil(), NULL, &err), &err);
}

/* ---- One follows what another one does. ---- */

struct follower {
    struct kit *k;
    stele_buf place; /* of the last entry that was seen */
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
    stele_buf_clear(&f->place);
    return stele_buf_append(&f->place, entry->log_id, err);
}

static void *follow(void *arg)
{
    struct follower *f = arg;

    while (f->seen < CHANGES) {
        if (stele_docs_log_wait(f->k->db, stele_buf_view(&f->place), NULL, NULL) != STELE_OK ||
                stele_docs_log(f->k->db, stele_buf_view(&f->place), see, f, NULL) != STELE_OK) {
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

    stele_buf_init(&f.place, SIZE_MAX);
    assert_int_equal(pthread_create(&thread, NULL, follow, &f), 0);
    for (int i = 0; i < CHANGES; i++) {
        char json[32];

        (void)snprintf(json, sizeof json, "{'n':%d}", i);
        kit_set(k, "a", json);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(f.in_order);
    assert_int_equal(f.seen, CHANGES);
    stele_buf_free(&f.place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_no_change, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_follow, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
