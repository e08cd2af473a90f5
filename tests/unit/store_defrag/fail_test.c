/* SPDX-License-Identifier: MIT
 *
 * fail_test.c: defragmentations that fail at every step, and commits in the middle of one.
 *
 * The store's files are wrapped: a word is put in when the new generation's are opened, which is
 * when the read that is copied has begun.
 */
#include "base/alloc.h"
#include "base/thread.h"
#include "content.h"
#include "lib/wrap.h"
#include "store/state.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

struct fail {
    struct kit kit; /* first, so that its functions can be used */
    struct wrap_vfs wrap;
    stele_env env;
    _Atomic bool armed;
    _Atomic int ops;
    _Atomic int fail_at; /* counted while armed; -1: none */
    _Atomic bool failed; /* that was reached */
    void (*in_copy)(struct fail *f);
    stele_cancel *cancel;
    struct sti_thread thread;
};

static struct fail *fail_of(struct wrap_vfs *w)
{
    return (struct fail *)(void *)((char *)w - offsetof(struct fail, wrap));
}

static int before(struct wrap_vfs *w, const struct wrap_call *call)
{
    struct fail *f = fail_of(w);

    if (f->armed && call->op == WRAP_OPEN && strcmp(call->name, "lock.mdb") == 0 &&
            f->in_copy != NULL) {
        void (*in_copy)(struct fail * f) = f->in_copy;

        f->in_copy = NULL;
        in_copy(f);
    }
    if (f->armed && f->ops++ == f->fail_at) {
        f->failed = true;
        return -EIO;
    }
    return 0;
}

static int set_up(void **state)
{
    struct fail *f = calloc(1, sizeof *f);
    struct kit *k;

    assert_non_null(f);
    f->fail_at = -1;
    wrap_init(&f->wrap, before);
    stele_env_init(&f->env);
    f->env.vfs = &f->wrap.vfs;
    k = &f->kit;
    tmpdir_make(&k->tmp);
    stele_store_options_init(&k->options);
    k->options.env = &f->env;
    k->options.no_background = true;
    k->options.no_sync = true;
    k->options.batch_interval_ms = 1000000;
    kit_open(k);
    *state = f;
    return 0;
}

static stele_code defrag(struct fail *f, stele_error *err)
{
    const stele_wait wait = {.timeout_ms = STELE_FOREVER, .cancel = f->cancel};
    stele_code code;

    f->armed = true;
    f->ops = 0;
    f->failed = false;
    code = stele_store_defrag(f->kit.s, &wait, NULL, NULL, err);
    f->armed = false;
    return code;
}

/* ---- Commits in the middle. ---- */

/* Everything that a table can have: new, replaced and deleted keys, new, dropped and made-again
 * buckets, long keys that come and go. */
static void write_much(struct fail *f)
{
    struct kit *k = &f->kit;
    stele_store_batch *b;
    stele_error err;

    content_fill(k, 1);
    b = kit_begin(k);
    CHECK_OK(stele_store_batch_delete_bucket(b, stele_str("long"), &err), &err);
    kit_create(b, "long");
    kit_create(b, "new");
    kit_put(b, "new", "key", "value");
    kit_put(b, "long", "key", "value");
    CHECK_OK(stele_store_batch_delete_bucket(b, stele_str("old"), &err), &err);
    CHECK_OK(stele_store_batch_end_durable(b, &err), &err);
    kit_commit(k);
    content_fill(k, 2);
    kit_put_one(k, "waits", "key", "value");
}

static void test_commits_in_between(void **state)
{
    struct fail *f = *state;
    struct kit *k = &f->kit;
    uint32_t hash;
    stele_error err;

    kit_put_one(k, "old", "key", "value");
    content_fill(k, 3);
    f->in_copy = write_much;
    CHECK_OK(defrag(f, &err), &err);
    hash = content_hash(k->s);
    assert_int_equal(content_stat(k->s).generation, 2);
    assert_int_equal(content_stat(k->s).waiting_writes, 2);
    kit_check_now(k, "new", "key=value");
    kit_check_now(k, "old", NULL);
    kit_close(k);
    kit_open(k);
    assert_int_equal(content_hash(k->s), hash);
    CHECK_OK(defrag(f, &err), &err);
    assert_int_equal(content_hash(k->s), hash);
    content_check_files(k, 3);
}

/* What is there after a failure is what was there before; and it can be tried again. */
static void check_unharmed(struct fail *f, uint32_t hash, uint64_t generation)
{
    struct kit *k = &f->kit;
    stele_error err;

    assert_int_equal(content_hash(k->s), hash);
    assert_int_equal(content_stat(k->s).generation, generation);
    assert_false(content_stat(k->s).failed);
    kit_put_one(k, "after", "key", "value");
    kit_commit(k);
    hash = content_hash(k->s);
    kit_close(k);
    kit_open(k);
    assert_int_equal(content_hash(k->s), hash);
    content_check_files(k, generation);
    CHECK_OK(defrag(f, &err), &err);
    assert_int_equal(content_hash(k->s), hash);
    content_check_files(k, generation + 1);
}

static void cancel_it(struct fail *f)
{
    stele_cancel_trigger(f->cancel);
}

static void test_canceled(void **state)
{
    struct fail *f = *state;
    stele_error err;
    uint32_t hash;

    content_fill(&f->kit, 2);
    hash = content_hash(f->kit.s);
    CHECK_OK(stele_cancel_new(&f->cancel, &err), &err);
    f->in_copy = cancel_it;
    CHECK_CODE(defrag(f, &err), STELE_ECANCELED);
    stele_cancel_free(f->cancel);
    f->cancel = NULL;
    check_unharmed(f, hash, 1);
}

static void keep_too_much(struct fail *f)
{
    kit_put_one(&f->kit, "b", "key", "value");
    /* As if it had been more than there is room for. */
    sti_mutex_lock(&f->kit.s->write);
    f->kit.s->kept.memory = (uint64_t)1 << 40;
    sti_mutex_unlock(&f->kit.s->write);
    kit_commit(&f->kit);
    kit_put_one(&f->kit, "b", "key", "another");
    kit_commit(&f->kit);
}

static void test_too_much(void **state)
{
    struct fail *f = *state;
    stele_error err;

    content_fill(&f->kit, 2);
    f->in_copy = keep_too_much;
    CHECK_CODE(defrag(f, &err), STELE_EBUSY);
    CHECK_MESSAGE_HAS(&err, "faster");
    kit_check_now(&f->kit, "b", "key=another");
    check_unharmed(f, content_hash(f->kit.s), 1);
}

static void poison(struct fail *f)
{
    const stele_error why = {.code = STELE_EIO, .position = -1, .message = "for a test"};

    sti_store_poison(f->kit.s, STELE_EIO, &why);
}

static void test_poisoned(void **state)
{
    struct fail *f = *state;
    stele_error err;
    uint32_t hash;

    content_fill(&f->kit, 2);
    hash = content_hash(f->kit.s);
    f->in_copy = poison;
    CHECK_CODE(defrag(f, &err), STELE_EFAILED);
    CHECK_CODE(defrag(f, &err), STELE_EFAILED);
    assert_int_equal(content_hash(f->kit.s), hash);
    kit_close(&f->kit); /* nothing waits that could be lost */
    kit_open(&f->kit);
    check_unharmed(f, hash, 1);
}

/* Damage is not copied. */
static void test_damaged(void **state)
{
    struct fail *f = *state;
    struct kit *k = &f->kit;
    stele_error err;
    uint8_t *data;
    uint8_t *at;
    size_t len;

    kit_put_one(k, "b", "key", "a value that is easy to find");
    kit_commit(k);
    kit_close(k);
    data = tmpdir_read(&k->tmp, "gen-1/data.mdb", &len);
    at = memmem(data, len, "easy", 4);
    assert_non_null(at);
    *at = 'E';
    tmpdir_write(&k->tmp, "gen-1/data.mdb", data, len);
    free(data);
    kit_open(k);
    CHECK_CODE(defrag(f, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "checksum");
    content_check_files(k, 1);
    kit_put_one(k, "b", "key", "whole");
    CHECK_OK(defrag(f, &err), &err);
    kit_check_now(k, "b", "key=whole");
}

/* ---- Every operation, every allocation. ---- */

/* With `current` replaced, but perhaps not durably, nothing may be written any more. */
static void check_poisoned(struct fail *f, uint32_t hash)
{
    struct kit *k = &f->kit;
    stele_store_batch *b = NULL;
    stele_error err;

    assert_true(content_stat(k->s).failed);
    assert_int_equal(content_hash(k->s), hash);
    CHECK_CODE(stele_store_batch_begin(&b, k->s, NULL, &err), STELE_EFAILED);
    kit_close(k);
    /* A power cut would leave any of the two. */
    assert_true(tmpdir_exists(&k->tmp, "gen-1"));
    assert_true(tmpdir_exists(&k->tmp, "gen-2"));
    kit_open(k);
    assert_int_equal(content_stat(k->s).generation, 2);
    check_unharmed(f, hash, 2);
}

/* Whether it was reached. */
static bool one_failure(int fail_at, unsigned *poisoned, unsigned *reached)
{
    void *state = NULL;
    struct fail *f;
    stele_error err;
    stele_code code;
    uint32_t hash;
    bool failed;

    (void)set_up(&state);
    f = state;
    kit_put_one(&f->kit, "b", "key", "value");
    kit_commit(&f->kit);
    hash = content_hash(f->kit.s);
    f->fail_at = fail_at;
    code = defrag(f, &err);
    f->fail_at = -1;
    failed = f->failed;
    *reached += failed ? 1U : 0U;
    if (code == STELE_EFAILED) {
        ++*poisoned;
        check_poisoned(f, hash);
    } else if (code != STELE_OK) {
        CHECK_CODE(code, STELE_EIO);
        check_unharmed(f, hash, 1);
    } else {
        /* Leftovers are removed by an open. */
        assert_int_equal(content_hash(f->kit.s), hash);
        kit_close(&f->kit);
        kit_open(&f->kit);
        content_check_files(&f->kit, 2);
        check_unharmed(f, hash, 2);
    }
    (void)kit_tear_down(&state);
    return failed;
}

static void test_every_operation(void **state)
{
    unsigned poisoned = 0;
    unsigned reached = 0;
    int n = 0;

    (void)state;
    while (one_failure(n, &poisoned, &reached)) {
        n++;
    }
    assert_true(reached > 20);
    /* The sync of the directory behind the rename of `current`. */
    assert_int_equal(poisoned, 1);
}

struct hook {
    int left; /* allocations before the one that fails */
    bool failed;
};

static bool fails(void *arg)
{
    struct hook *h = arg;

    if (h->left-- == 0) {
        h->failed = true;
        return true;
    }
    return false;
}

static void test_every_allocation(void **state)
{
    struct fail *f = *state;
    struct kit *k = &f->kit;
    struct hook h = {.failed = true};
    stele_error err;
    uint32_t hash;
    int n = 0;

    content_fill(k, 2);
    hash = content_hash(k->s);
    for (; h.failed; n++) {
        stele_code code;

        h = (struct hook){.left = n};
        sti_alloc_set_hook(fails, &h);
        code = stele_store_defrag(k->s, NULL, NULL, NULL, &err);
        sti_alloc_set_hook(NULL, NULL);
        if (code != STELE_OK) {
            CHECK_CODE(code, STELE_ENOMEM);
            assert_true(h.failed);
        }
        assert_int_equal(content_hash(k->s), hash);
    }
    assert_true(n > 20);
    kit_close(k);
    kit_open(k);
    assert_int_equal(content_hash(k->s), hash);
    check_unharmed(f, hash, content_stat(k->s).generation);
}

/* ---- The map of the old generation. ---- */

static void *commit(void *arg)
{
    struct fail *f = arg;

    kit_commit(&f->kit);
    return NULL;
}

/* A commit for which the map is too small. */
static void fill_map(struct fail *f)
{
    static char value[500000];
    stele_store_batch *b = kit_begin(&f->kit);
    stele_error err;

    memset(value, 'v', sizeof value - 1);
    kit_create(b, "large");
    for (char i = 0; i < 10; i++) {
        char key[] = {(char)('0' + i), '\0'};

        kit_put(b, "large", key, value);
    }
    kit_end(b);
    CHECK_OK(sti_thread_start(&f->thread, commit, f, &err), &err);
    while (!atomic_load(&f->kit.s->draining)) {
        sti_thread_yield();
    }
}

/* It cannot grow while the copy's read is there, which goes. */
static void test_map_of_the_old(void **state)
{
    struct fail *f = *state;
    struct kit *k = &f->kit;
    stele_error err;

    content_fill(k, 2);
    CHECK_OK(sti_lmdb_resize(k->s->data->lmdb, (uint64_t)2 << 20, &err), &err);
    f->in_copy = fill_map;
    CHECK_CODE(defrag(f, &err), STELE_EBUSY);
    CHECK_MESSAGE_HAS(&err, "map");
    sti_thread_join(&f->thread);
    assert_int_equal(content_stat(k->s).waiting_writes, 0);
    assert_true(content_stat(k->s).map_size >= (uint64_t)4 << 20);
    check_unharmed(f, content_hash(k->s), 1);
}

/* Who has a read open and commits does not wait for itself. */
static void test_own_read(void **state)
{
    struct fail *f = *state;
    struct kit *k = &f->kit;
    stele_store_read *r;
    stele_error err;
    stele_code code = STELE_OK;

    content_fill(k, 1);
    CHECK_OK(sti_lmdb_resize(k->s->data->lmdb, (uint64_t)1 << 20, &err), &err);
    r = kit_read(k);
    for (int i = 0; i < 100 && code == STELE_OK; i++) {
        static char value[100000];
        char key[16];

        memset(value, 'v', sizeof value - 1);
        (void)snprintf(key, sizeof key, "%d", i);
        kit_put_one(k, "large", key, value);
        code = stele_store_commit(k->s, &err);
    }
    CHECK_CODE(code, STELE_ENOMEM);
    CHECK_MESSAGE_HAS(&err, "stay open");
    assert_true(content_stat(k->s).no_room);
    stele_store_read_end(r);
    kit_commit(k);
    assert_false(content_stat(k->s).no_room);
    check_unharmed(f, content_hash(k->s), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_commits_in_between, set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_canceled, set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_too_much, set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_poisoned, set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_damaged, set_up, kit_tear_down),
            cmocka_unit_test(test_every_operation),
            cmocka_unit_test_setup_teardown(test_every_allocation, set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_map_of_the_old, set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_own_read, set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
