/* SPDX-License-Identifier: MIT
 *
 * store_model_test.c: random writes, and readers beside them who know what they have to see.
 *
 * A batch writes the number of its last write under a key of a bucket of its own: so a reader knows
 * which moment it sees, and what everything else has to be then.
 */
#include "model/store_model.h"

#include <stele/store.h>

#include "lib/check.h"
#include "lib/tmpdir.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    READERS = 3,
    ROUND_WRITES = 2000 /* then it is closed and opened again */
};

static const char *const names[STORE_BUCKETS] = {"first", "second", "third"};

struct run {
    struct tmpdir tmp;
    stele_store_options options;
    stele_store *s;
    struct store_model model;
    uint64_t number; /* of the last write */
    uint64_t random;
    _Atomic bool ended;
    _Atomic uint64_t wrong;
    _Atomic uint64_t reads;
};

static uint64_t next_random(uint64_t *state, uint64_t below)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (x ^ (x >> 31)) % below;
}

/* ---- What a read has to see. ---- */

static void expect(struct run *r, bool holds, const char *what)
{
    if (!holds && atomic_fetch_add(&r->wrong, 1) < 10) {
        print_error("wrong: %s\n", what);
    }
}

struct walk {
    struct run *run;
    unsigned bucket;
    uint64_t at;
    unsigned next;
    bool ok;
};

static stele_code on_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct walk *w = arg;
    struct store_model *m = &w->run->model;
    uint8_t text[STORE_VALUE_SIZE];
    uint64_t number = 0;

    (void)err;
    while (w->next < STORE_KEYS && number == 0) {
        number = store_model_at(m, w->bucket, w->next++, w->at);
    }
    w->ok = w->ok && number != 0 && stele_bytes_equal(key, m->keys[w->next - 1]) &&
            stele_bytes_equal(value, store_model_value(text, number));
    return w->ok ? STELE_OK : STELE_END;
}

static uint64_t verify_all(struct run *r, stele_store_read *read, unsigned bucket, uint64_t at)
{
    struct walk w = {.run = r, .bucket = bucket, .at = at, .ok = true};
    uint64_t keys = 0;
    stele_code code = stele_store_read_for_each(read, stele_str(names[bucket]), on_pair, &w, NULL);

    expect(r, code == STELE_OK, "a walk succeeds");
    expect(r, w.ok, "a walk has what was written");
    for (unsigned i = 0; i < STORE_KEYS; i++) {
        bool there = store_model_at(&r->model, bucket, i, at) != 0;

        keys += there ? 1U : 0U;
        expect(r, !there || i < w.next, "a walk has everything");
    }
    return keys;
}

static void verify_backwards(struct run *r, stele_store_read *read, unsigned bucket, uint64_t at)
{
    stele_store_cursor *c = NULL;
    unsigned i = STORE_KEYS;

    if (stele_store_cursor_open(&c, read, stele_str(names[bucket]), NULL) != STELE_OK) {
        expect(r, false, "a cursor is opened");
        return;
    }
    for (stele_code code = stele_store_cursor_last(c, NULL); code == STELE_OK;
            code = stele_store_cursor_prev(c, NULL)) {
        stele_bytes key = stele_nil();

        while (i > 0 && store_model_at(&r->model, bucket, i - 1, at) == 0) {
            i--;
        }
        expect(r, stele_store_cursor_pair(c, &key, NULL, NULL) == STELE_OK, "it is at a pair");
        expect(r, i > 0 && stele_bytes_equal(key, r->model.keys[i - 1]), "the way back");
        i -= i > 0 ? 1U : 0U;
    }
    while (i > 0 && store_model_at(&r->model, bucket, i - 1, at) == 0) {
        i--;
    }
    expect(r, i == 0, "the way back has everything");
    stele_store_cursor_close(c);
}

static void verify_one(
        struct run *r, stele_store_read *read, unsigned bucket, unsigned key, uint64_t at)
{
    uint64_t number = store_model_at(&r->model, bucket, key, at);
    uint8_t text[STORE_VALUE_SIZE];
    stele_bytes value = stele_nil();
    stele_code code =
            stele_store_read_get(read, stele_str(names[bucket]), r->model.keys[key], &value, NULL);

    if (number == 0) {
        expect(r, code == STELE_ENOTFOUND, "a key is absent");
        return;
    }
    expect(r, code == STELE_OK, "a key is there");
    expect(r, stele_bytes_equal(value, store_model_value(text, number)), "a key has its value");
}

static uint64_t moment_of(struct run *r, stele_store_read *read)
{
    stele_bytes value = stele_nil();
    uint64_t at = 0;
    stele_code code =
            stele_store_read_get(read, stele_str("moment"), stele_str("at"), &value, NULL);

    expect(r, code == STELE_OK && value.len == sizeof at, "the moment is there");
    if (code == STELE_OK && value.len == sizeof at) {
        memcpy(&at, value.data, sizeof at);
    }
    return at;
}

static void verify(struct run *r, stele_store_read *read, uint64_t at, uint64_t *random)
{
    for (unsigned b = 0; b < STORE_BUCKETS; b++) {
        uint64_t keys = verify_all(r, read, b, at);
        uint64_t count = UINT64_MAX;

        verify_backwards(r, read, b, at);
        expect(r,
                stele_store_read_count(read, stele_str(names[b]), &count, NULL) == STELE_OK &&
                        count == keys,
                "the count");
        for (unsigned i = 0; i < 20; i++) {
            verify_one(r, read, b, (unsigned)next_random(random, STORE_KEYS), at);
        }
    }
}

/* ---- Readers. ---- */

static void *run_reader(void *arg)
{
    struct run *r = arg;
    uint64_t random = (uint64_t)(uintptr_t)&random;
    bool last;

    do {
        stele_store_read *read = NULL;
        uint64_t at;

        last = atomic_load(&r->ended);
        if (stele_store_read_begin(&read, r->s, NULL) != STELE_OK) {
            expect(r, false, "a read begins");
            return NULL;
        }
        at = moment_of(r, read);
        for (int i = 0; i < 3; i++) {
            verify(r, read, at, &random);
            expect(r, moment_of(r, read) == at, "it stays");
        }
        stele_store_read_end(read);
        atomic_fetch_add(&r->reads, 1);
    } while (!last);
    return NULL;
}

/* ---- The writer. ---- */

static void write_one(struct run *r, stele_store_batch *batch)
{
    unsigned bucket = (unsigned)next_random(&r->random, STORE_BUCKETS);
    unsigned key = (unsigned)next_random(&r->random, STORE_KEYS);
    stele_bytes name = stele_str(names[bucket]);
    uint64_t kind = next_random(&r->random, 1000);
    uint8_t text[STORE_VALUE_SIZE];
    stele_error err;

    r->number++;
    if (kind < 3) {
        CHECK_OK(stele_store_batch_delete_bucket(batch, name, &err), &err);
        CHECK_OK(stele_store_batch_create_bucket(batch, name, &err), &err);
        store_model_drop(&r->model, bucket, r->number);
    } else if (kind < 350) {
        CHECK_OK(stele_store_batch_delete(batch, name, r->model.keys[key], &err), &err);
        store_model_write(&r->model, bucket, key, r->number, true);
    } else {
        CHECK_OK(stele_store_batch_put(
                         batch, name, r->model.keys[key], store_model_value(text, r->number), &err),
                &err);
        store_model_write(&r->model, bucket, key, r->number, false);
    }
}

static void end_batch(struct run *r, stele_store_batch *batch)
{
    uint64_t how = next_random(&r->random, 100);
    stele_error err;

    if (how < 3) {
        CHECK_OK(stele_store_batch_commit_and_stop(batch, &err), &err);
    } else if (how < 8) {
        CHECK_OK(stele_store_batch_end_durable(batch, &err), &err);
    } else {
        CHECK_OK(stele_store_batch_end(batch, &err), &err);
    }
}

static void write_batch(struct run *r)
{
    uint64_t writes = 1 + next_random(&r->random, 20);
    bool aborted = next_random(&r->random, 20) == 0;
    uint64_t before = r->number;
    stele_store_batch *batch = NULL;
    stele_error err;

    CHECK_OK(stele_store_batch_begin(&batch, r->s, NULL, &err), &err);
    for (uint64_t i = 0; i < writes; i++) {
        write_one(r, batch);
    }
    if (next_random(&r->random, 30) == 0) {
        verify(r, stele_store_batch_view(batch), r->number, &r->random);
    }
    if (aborted) {
        stele_store_batch_abort(batch);
        store_model_abort(&r->model, before);
        return;
    }
    CHECK_OK(stele_store_batch_put(batch, stele_str("moment"), stele_str("at"),
                     stele_bytes_of(&r->number, sizeof r->number), &err),
            &err);
    end_batch(r, batch);
}

static void make_buckets(struct run *r)
{
    stele_store_batch *batch = NULL;
    stele_error err;

    CHECK_OK(stele_store_batch_begin(&batch, r->s, NULL, &err), &err);
    for (unsigned b = 0; b < STORE_BUCKETS; b++) {
        CHECK_OK(stele_store_batch_create_bucket(batch, stele_str(names[b]), &err), &err);
    }
    CHECK_OK(stele_store_batch_create_bucket(batch, stele_str("moment"), &err), &err);
    CHECK_OK(stele_store_batch_put(batch, stele_str("moment"), stele_str("at"),
                     stele_bytes_of(&r->number, sizeof r->number), &err),
            &err);
    CHECK_OK(stele_store_batch_end(batch, &err), &err);
}

static void round_of(struct run *r, uint64_t until, bool first)
{
    pthread_t readers[READERS];
    stele_store_read *read = NULL;
    stele_error err;

    CHECK_OK(stele_store_open(&r->s, r->tmp.path, &r->options, &err), &err);
    if (first) {
        make_buckets(r);
    }
    CHECK_OK(stele_store_read_begin(&read, r->s, &err), &err);
    verify(r, read, moment_of(r, read), &r->random);
    stele_store_read_end(read);
    atomic_store(&r->ended, false);
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, run_reader, r), 0);
    }
    while (r->number < until) {
        write_batch(r);
    }
    atomic_store(&r->ended, true);
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    }
    CHECK_OK(stele_store_close(r->s, &err), &err);
    assert_int_equal(r->wrong, 0);
}

static void test_model(void **state)
{
    uint64_t writes = getenv("STELE_FULL") != NULL ? 1000000 : 20000;
    struct run *r = calloc(1, sizeof *r);

    (void)state;
    assert_non_null(r);
    r->random = 4711;
    tmpdir_make(&r->tmp);
    store_model_init(&r->model);
    stele_store_options_init(&r->options);
    r->options.no_sync = true;
    r->options.batch_interval_ms = 2;
    r->options.batch_limit = 300;
    for (uint64_t until = ROUND_WRITES; until <= writes; until += ROUND_WRITES) {
        round_of(r, until, until == ROUND_WRITES);
    }
    print_message("%llu writes, %llu snapshots verified three times\n",
            (unsigned long long)r->number, (unsigned long long)r->reads);
    assert_true(r->reads >= READERS);
    store_model_free(&r->model);
    tmpdir_remove(&r->tmp);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
