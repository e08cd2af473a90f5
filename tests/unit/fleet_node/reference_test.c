/* SPDX-License-Identifier: MIT
 *
 * reference_test.c: a node with a peer that speaks the protocol of the reference alone.
 */
#include "docs/entry.h"
#include "nodes.h"

#include <pthread.h>
#include <stdio.h>

enum {
    DAY_S = 86400
};

/* A peer that has one entry, and keeps those that are pushed to it. */
struct old {
    stele_fleet *transport;
    pthread_mutex_t lock;
    struct sti_docs_entry has;
    stele_buf entry;
    stele_buf pushed; /* the last one */
    _Atomic int pushes;
    _Atomic int asked; /* for the entry */
};

static stele_code answer(
        void *arg, const char *from, stele_bytes data, stele_buf *reply, stele_error *err)
{
    struct old *o = arg;

    (void)from;
    if (data.len == 0) {
        return STELE_OK;
    }
    if (data.data[0] == STELE_FLEET_PKT_FETCH_LOG) {
        atomic_fetch_add(&o->asked, 1);
        return stele_buf_append(reply, stele_buf_view(&o->entry), err);
    }
    if (data.data[0] == STELE_FLEET_PKT_LOG_PUSH) {
        (void)pthread_mutex_lock(&o->lock);
        stele_buf_clear(&o->pushed);
        CHECK_OK(stele_buf_append(&o->pushed, stele_bytes_of(data.data + 1, data.len - 1), err),
                err);
        (void)pthread_mutex_unlock(&o->lock);
        atomic_fetch_add(&o->pushes, 1);
    }
    /* To what it does not know the reference answers with nothing. */
    return STELE_OK;
}

static void old_begin(struct old *o, struct fleet *f)
{
    stele_error err;

    *o = (struct old){.lock = PTHREAD_MUTEX_INITIALIZER};
    stele_buf_init(&o->entry, SIZE_MAX);
    stele_buf_init(&o->pushed, SIZE_MAX);
    o->has = (struct sti_docs_entry){.version = {20000 * (int64_t)DAY_S + 5, 0, 0},
            .id = stele_str("old"),
            .json = stele_str("{\"n\":1}")};
    CHECK_OK(sti_docs_entry_encode(&o->has, &o->entry, &err), &err);
    CHECK_OK(stele_fleet_hub_join(f->hub, "old", &o->transport, &err), &err);
    CHECK_OK(o->transport->ops->connect(o->transport, answer, o, &err), &err);
}

static void old_end(struct old *o)
{
    stele_fleet_close(o->transport);
    stele_buf_free(&o->entry);
    stele_buf_free(&o->pushed);
    (void)pthread_mutex_destroy(&o->lock);
}

static void send(struct old *o, const void *data, size_t len)
{
    stele_error err;

    CHECK_OK(o->transport->ops->send(o->transport, "n0", stele_bytes_of(data, len), &err), &err);
}

static void test_changes_go_as_the_reference_has_them(void **state)
{
    struct fleet *f = *state;
    struct sti_docs_entry entry;
    struct old o;
    stele_error err;

    old_begin(&o, f);
    one_open(f, 0);
    while (one_peer(&f->list[0], "old").protocol != STELE_NODE_REFERENCE) {
        nap();
    }
    one_set(&f->list[0], "a", "{'n':7}");
    while (atomic_load(&o.pushes) == 0) {
        nap();
    }
    (void)pthread_mutex_lock(&o.lock);
    CHECK_OK(sti_docs_entry_decode(&entry, stele_buf_view(&o.pushed), &err), &err);
    CHECK_BYTES(entry.id, stele_str("a"));
    CHECK_BYTES(entry.json, stele_str("{\"n\":7}"));
    (void)pthread_mutex_unlock(&o.lock);
    old_end(&o);
}

static void test_what_it_pushes_is_taken(void **state)
{
    struct fleet *f = *state;
    struct old o;
    stele_buf packet;
    uint8_t kind = STELE_FLEET_PKT_LOG_PUSH;

    old_begin(&o, f);
    one_open(f, 0);
    stele_buf_init(&packet, SIZE_MAX);
    CHECK_OK(stele_buf_append(&packet, stele_bytes_of(&kind, 1), NULL), NULL);
    CHECK_OK(stele_buf_append(&packet, stele_buf_view(&o.entry), NULL), NULL);
    send(&o, packet.data, packet.len);
    one_await(&f->list[0], "old", "{'n':1}");
    stele_buf_free(&packet);
    old_end(&o);
}

/* It lists a key; the entry is asked for. */
static void test_what_it_lists_is_fetched(void **state)
{
    struct fleet *f = *state;
    struct old o;
    stele_buf packet;
    stele_buf key;
    uint8_t head[] = {STELE_FLEET_PKT_LOG_IDS_PUSH, 0, 3, 'o', 'l', 'd', 0};

    old_begin(&o, f);
    one_open(f, 0);
    stele_buf_init(&packet, SIZE_MAX);
    stele_buf_init(&key, SIZE_MAX);
    CHECK_OK(sti_docs_log_key_encode(o.has.version, o.has.id, &key, NULL), NULL);
    head[6] = (uint8_t)key.len;
    CHECK_OK(stele_buf_append(&packet, stele_bytes_of(head, sizeof head), NULL), NULL);
    CHECK_OK(stele_buf_append(&packet, stele_buf_view(&key), NULL), NULL);
    send(&o, packet.data, packet.len);
    one_await(&f->list[0], "old", "{'n':1}");
    assert_int_equal(atomic_load(&o.asked), 1);
    stele_buf_free(&packet);
    stele_buf_free(&key);
    old_end(&o);
}

/* It asks how things are, and for an entry. */
static void test_its_questions_are_answered(void **state)
{
    const uint8_t get_info = STELE_FLEET_PKT_GET_INFO;
    struct fleet *f = *state;
    stele_wait wait = {.timeout_ms = STELE_FOREVER};
    struct old o;
    stele_buf reply;
    stele_error err;

    old_begin(&o, f);
    one_open(f, 0);
    one_set(&f->list[0], "a", "{}");
    stele_buf_init(&reply, SIZE_MAX);
    CHECK_OK(o.transport->ops->request(
                     o.transport, "n0", stele_bytes_of(&get_info, 1), &wait, &reply, &err),
            &err);
    /* Its name, and the checkpoint of one day. */
    assert_int_equal(reply.len, 1 + 2 + 2 + 60);
    assert_int_equal(reply.data[0], STELE_FLEET_PKT_GET_INFO_RESP);
    assert_memory_equal(reply.data + 3, "n0", 2);
    stele_buf_free(&reply);
    old_end(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(
                    test_changes_go_as_the_reference_has_them, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_what_it_pushes_is_taken, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_what_it_lists_is_fetched, fleet_set_up, fleet_tear_down),
            cmocka_unit_test_setup_teardown(
                    test_its_questions_are_answered, fleet_set_up, fleet_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
