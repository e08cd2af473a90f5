/* SPDX-License-Identifier: MIT
 *
 * defrag_test.c: what a defragmentation keeps, what it changes, and when it refuses.
 */
#include "base/thread.h"
#include "content.h"

static void defrag(struct kit *k)
{
    stele_error err;

    CHECK_OK(stele_store_defrag(k->s, NULL, NULL, NULL, &err), &err);
}

static void test_content(void **state)
{
    struct kit *k = *state;
    stele_store_stats then;
    stele_store_stats now;
    uint64_t before = 0;
    uint64_t after = 0;
    uint32_t hash;
    stele_error err;

    content_fill(k, 6);
    hash = content_hash(k->s);
    then = content_stat(k->s);
    CHECK_OK(stele_store_defrag(k->s, NULL, &before, &after, &err), &err);
    now = content_stat(k->s);
    assert_int_equal(before, then.size);
    assert_int_equal(after, now.size);
    assert_true(now.size < then.size / 2);
    assert_true(now.size_in_use <= then.size_in_use);
    assert_int_equal(then.generation, 1);
    assert_int_equal(now.generation, 2);
    assert_int_equal(now.defrags, 1);
    assert_int_equal(now.buckets, then.buckets);
    assert_int_equal(now.keys, then.keys);
    assert_int_equal(now.bytes, then.bytes);
    assert_int_equal(content_hash(k->s), hash);
    content_check_files(k, 2);
    /* What comes later goes into the new one. */
    content_fill(k, 3);
    hash = content_hash(k->s);
    kit_close(k);
    content_check_files(k, 2);
    kit_open(k);
    assert_int_equal(content_hash(k->s), hash);
    assert_int_equal(content_stat(k->s).generation, 2);
    defrag(k);
    defrag(k);
    assert_int_equal(content_hash(k->s), hash);
    content_check_files(k, 4);
}

static void test_empty(void **state)
{
    struct kit *k = *state;

    defrag(k);
    kit_put_one(k, "b", "a", "1");
    defrag(k);
    kit_check_now(k, "b", "a=1");
    kit_close(k);
    kit_open(k);
    kit_check_now(k, "b", "a=1");
    content_check_files(k, 3);
}

/* What waits is committed first, so that what was deleted does not count. */
static void test_waiting(void **state)
{
    struct kit *k = *state;
    stele_store_batch *b;
    stele_error err;
    uint64_t after = 0;

    content_fill(k, 2);
    b = kit_begin(k);
    CHECK_OK(stele_store_batch_delete_bucket(b, stele_str("short"), &err), &err);
    CHECK_OK(stele_store_batch_delete_bucket(b, stele_str("long"), &err), &err);
    kit_end(b);
    CHECK_OK(stele_store_defrag(k->s, NULL, NULL, &after, &err), &err);
    assert_true(after <= 10 * 4096);
    kit_check_now(k, "short", NULL);
    kit_check_now(k, "empty", "");
}

/* Reads, a batch's view and cursors that are open stay where they are. */
static void test_readers(void **state)
{
    struct kit *k = *state;
    stele_store_cursor *c = NULL;
    stele_store_read *old;
    stele_store_read *new;
    stele_bytes value = stele_nil();
    stele_error err;
    uint32_t hash;

    kit_put_one(k, "b", "a", "1");
    kit_put_one(k, "b", "b", "2");
    content_fill(k, 2);
    old = kit_read(k);
    hash = content_hash_of(old);
    CHECK_OK(stele_store_read_get(old, stele_str("b"), stele_str("a"), &value, &err), &err);
    CHECK_OK(stele_store_cursor_open(&c, old, stele_str("b"), &err), &err);
    CHECK_OK(stele_store_cursor_first(c, &err), &err);
    defrag(k);
    assert_true(tmpdir_exists(&k->tmp, "gen-1"));
    kit_put_one(k, "b", "a", "3");
    kit_commit(k);
    defrag(k);
    /* The second one is used by nobody. */
    assert_true(tmpdir_exists(&k->tmp, "gen-1"));
    assert_false(tmpdir_exists(&k->tmp, "gen-2"));
    new = kit_read(k);
    kit_check_all(new, "b", "a=3 b=2");
    CHECK_BYTES(value, stele_str("1"));
    CHECK_OK(stele_store_cursor_next(c, &err), &err);
    CHECK_OK(stele_store_cursor_pair(c, NULL, &value, &err), &err);
    CHECK_BYTES(value, stele_str("2"));
    assert_int_equal(content_hash_of(old), hash);
    kit_check_all(old, "b", "a=1 b=2");
    stele_store_cursor_close(c);
    stele_store_read_end(old);
    content_check_files(k, 3);
    kit_check_all(new, "b", "a=3 b=2");
    stele_store_read_end(new);
}

/* Closed with an old generation whose read ended in this moment. */
static void test_close(void **state)
{
    struct kit *k = *state;
    stele_store_read *r;
    stele_error err;

    kit_put_one(k, "b", "a", "1");
    r = kit_read(k);
    defrag(k);
    CHECK_CODE(stele_store_close(k->s, &err), STELE_ESTATE);
    stele_store_read_end(r);
    kit_close(k);
    content_check_files(k, 2);
    kit_open(k);
    kit_check_now(k, "b", "a=1");
}

/* A batch that is open is no hindrance once nothing has to be committed before. */
static void test_open_batch(void **state)
{
    struct kit *k = *state;
    stele_store_batch *b;

    kit_put_one(k, "b", "a", "1");
    kit_commit(k);
    b = kit_begin(k);
    kit_put(b, "b", "b", "2");
    kit_check_all(stele_store_batch_view(b), "b", "a=1 b=2");
    defrag(k);
    kit_put(b, "b", "c", "3");
    kit_check_all(stele_store_batch_view(b), "b", "a=1 b=2 c=3");
    kit_check_now(k, "b", "a=1");
    kit_end(b);
    kit_check_now(k, "b", "a=1 b=2 c=3");
    kit_commit(k);
    kit_close(k);
    kit_open(k);
    kit_check_now(k, "b", "a=1 b=2 c=3");
}

/* The log of durable batches goes on, whichever generation they are committed to. */
static void test_durable(void **state)
{
    struct kit *k = *state;
    stele_store_batch *b;
    stele_error err;

    kit_put_one(k, "b", "a", "1");
    b = kit_begin(k);
    kit_put(b, "b", "b", "2");
    CHECK_OK(stele_store_batch_end_durable(b, &err), &err);
    defrag(k);
    b = kit_begin(k);
    kit_put(b, "b", "c", "3");
    CHECK_OK(stele_store_batch_end_durable(b, &err), &err);
    kit_check_now(k, "b", "a=1 b=2 c=3");
    kit_close(k);
    kit_open(k);
    kit_check_now(k, "b", "a=1 b=2 c=3");
}

/* ---- Refusals. ---- */

static void test_misuse(void **state)
{
    struct kit *k = *state;
    const stele_wait now = {.timeout_ms = 0};
    stele_wait canceled = {.timeout_ms = STELE_FOREVER};
    uint64_t before = 7;
    uint64_t after = 7;
    stele_error err;

    content_fill(k, 1);
    CHECK_CODE(stele_store_defrag(NULL, NULL, NULL, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_defrag(k->s, &now, &before, &after, &err), STELE_ETIMEDOUT);
    CHECK_OK(stele_cancel_new(&canceled.cancel, &err), &err);
    stele_cancel_trigger(canceled.cancel);
    CHECK_CODE(stele_store_defrag(k->s, &canceled, &before, &after, &err), STELE_ECANCELED);
    stele_cancel_free(canceled.cancel);
    assert_int_equal(before, 7);
    assert_int_equal(after, 7);
    content_check_files(k, 1);
    kit_close(k);
    k->options.read_only = true;
    kit_open(k);
    CHECK_CODE(stele_store_defrag(k->s, NULL, NULL, NULL, &err), STELE_EREADONLY);
}

/* Another one, or close, while one is under way: it waits for the batch that is open. */
struct other {
    struct kit *k;
    stele_cancel *cancel;
    stele_code code;
};

static void *run_other(void *arg)
{
    struct other *o = arg;
    const stele_wait wait = {.timeout_ms = STELE_FOREVER, .cancel = o->cancel};

    do { /* the attempts of who waits for us take turns with ours */
        o->code = stele_store_defrag(o->k->s, &wait, NULL, NULL, NULL);
    } while (o->code == STELE_EBUSY);
    return NULL;
}

static void test_busy(void **state)
{
    struct kit *k = *state;
    struct other o = {.k = k};
    stele_store_batch *b;
    struct sti_thread thread;
    stele_error err;
    stele_code code;

    kit_close(k);
    k->options.no_background = false;
    kit_open(k);
    kit_put_one(k, "b", "a", "1");
    b = kit_begin(k);
    kit_put(b, "b", "b", "2");
    CHECK_OK(stele_cancel_new(&o.cancel, &err), &err);
    CHECK_OK(sti_thread_start(&thread, run_other, &o, &err), &err);
    do {
        const stele_wait now = {.timeout_ms = 0};

        /* Who comes first is busy with that. */
        code = stele_store_defrag(k->s, &now, NULL, NULL, &err);
        assert_true(code == STELE_EBUSY || code == STELE_ETIMEDOUT);
        sti_thread_yield();
    } while (code != STELE_EBUSY);
    stele_cancel_trigger(o.cancel);
    sti_thread_join(&thread);
    assert_int_equal(o.code, STELE_ECANCELED);
    stele_cancel_free(o.cancel);
    kit_end(b);
    defrag(k);
    kit_check_now(k, "b", "a=1 b=2");
}

static stele_code refuse(void *arg, stele_store_batch *batch, stele_error *err)
{
    int *calls = arg;

    (void)batch;
    (void)err;
    ++*calls;
    return STELE_ECANCELED;
}

/* A commit that cannot be made ends it before it began. */
static void test_hook(void **state)
{
    struct kit *k = *state;
    int calls = 0;
    stele_error err;

    content_fill(k, 1);
    kit_close(k);
    k->options.before_commit = refuse;
    k->options.before_commit_arg = &calls;
    kit_open(k);
    defrag(k);
    assert_int_equal(calls, 0);
    kit_put_one(k, "b", "a", "1");
    CHECK_CODE(stele_store_defrag(k->s, NULL, NULL, NULL, &err), STELE_ECANCELED);
    assert_int_equal(calls, 1);
    content_check_files(k, 2);
    kit_check_now(k, "b", "a=1");
    (void)stele_store_close(k->s, NULL);
    k->options.before_commit = NULL;
    kit_open(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_content, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_empty, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_waiting, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_readers, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_close, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_open_batch, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_durable, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_misuse, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_busy, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_hook, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
