/* SPDX-License-Identifier: MIT
 *
 * stress_test.c: writers, readers, snapshots and defragmentations at once on one handle.
 *
 * Each batch of a writer adds one to its number, and writes it under many keys, with a value whose
 * size depends on it; some batches make and drop a bucket. Whatever the order:
 *
 *   - a read sees one number of a writer under all its keys, and never a smaller one than the read
 *     before;
 *   - it sees the same at its end as at its beginning;
 *   - a snapshot is whole;
 *   - after a reopen each writer's last number is there.
 *
 * The end comes with enough defragmentations, not with time.
 */
#include "lib/stress.h"

#include "base/coding.h"
#include "base/thread.h"
#include "content.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    WRITERS = 2,
    READERS = 2,
    KEYS = 40,
    VALUE_MAX = 3000,
    MEMBERS = WRITERS + READERS + 1
};

struct stress {
    struct kit kit;
    struct stress_common common;
    _Atomic uint64_t batches;
    _Atomic uint64_t reads;
    _Atomic uint64_t snapshots;
    uint64_t last[WRITERS];
};

struct member {
    struct stress *st;
    unsigned id;
    uint64_t seed;
    struct sti_thread thread;
};

static bool goes_on(struct stress *st)
{
    return !atomic_load(&st->common.stop);
}

/* ---- Writers. ---- */

static stele_bytes key_of(char out[32], unsigned writer, unsigned i)
{
    int n = snprintf(out, 32, "writer %u key %u", writer, i);

    return stele_bytes_of(out, (size_t)n);
}

static size_t size_of(uint64_t number, unsigned i)
{
    return 8 + (size_t)((number * 131 + i * 57) % (VALUE_MAX - 8));
}

static stele_code put_number(
        stele_store_batch *b, unsigned writer, uint64_t number, stele_error *err)
{
    uint8_t value[VALUE_MAX];
    char key[32];
    stele_code code = STELE_OK;

    memset(value, (int)number, sizeof value);
    sti_put_le64(value, number);
    for (unsigned i = 0; i < KEYS && code == STELE_OK; i++) {
        code = stele_store_batch_put(b, stele_str("all"), key_of(key, writer, i),
                stele_bytes_of(value, size_of(number, i)), err);
    }
    return code;
}

/* A bucket that comes and goes. */
static stele_code put_bucket(
        stele_store_batch *b, unsigned writer, uint64_t number, stele_error *err)
{
    char name[32];
    stele_bytes bucket = key_of(name, writer, (unsigned)(number / 8 % 3));
    stele_code code = stele_store_batch_create_bucket(b, bucket, err);

    code = code == STELE_OK
                   ? stele_store_batch_put(b, bucket, stele_str("key"), stele_str("value"), err)
                   : code;
    return code == STELE_OK && number % 2 == 0 ? stele_store_batch_delete_bucket(b, bucket, err)
                                               : code;
}

static stele_code write_once(struct stress *st, unsigned writer, uint64_t number, stele_error *err)
{
    stele_store_batch *b = NULL;
    stele_code code = stele_store_batch_begin(&b, st->kit.s, NULL, err);

    if (code != STELE_OK) {
        return code;
    }
    code = put_number(b, writer, number, err);
    if (code == STELE_OK && number % 8 == 0) {
        code = put_bucket(b, writer, number, err);
    }
    if (code != STELE_OK) {
        stele_store_batch_abort(b);
        return code;
    }
    if (number % 16 == 5) {
        return stele_store_batch_commit_and_stop(b, err);
    }
    return number % 4 == 1 ? stele_store_batch_end_durable(b, err) : stele_store_batch_end(b, err);
}

static void *run_writer(void *arg)
{
    struct member *m = arg;
    struct stress *st = m->st;
    uint64_t number = 1;
    stele_error err;

    for (; goes_on(st); number++) {
        if (!stress_fine(&st->common, write_once(st, m->id, number, &err), &err, "a write")) {
            break;
        }
        st->last[m->id] = number;
        atomic_fetch_add(&st->batches, 1);
        /* Or nothing but writes would happen on a machine with few processors. */
        if (stress_draw(&m->seed) % 4 == 0) {
            (void)sti_sleep_ms(1, NULL, NULL);
        }
    }
    return NULL;
}

/* ---- Readers. ---- */

/* The one number of a writer; 0: complained. */
static uint64_t look(struct stress *st, stele_store_read *r, unsigned writer)
{
    uint64_t number = 0;
    stele_error err;

    for (unsigned i = 0; i < KEYS; i++) {
        char key[32];
        stele_bytes value;
        uint64_t found;

        if (!stress_fine(&st->common,
                    stele_store_read_get(r, stele_str("all"), key_of(key, writer, i), &value, &err),
                    &err, "a look")) {
            return 0;
        }
        found = sti_get_le64(value.data);
        number = i == 0 ? found : number;
        if (found != number || value.len != size_of(number, i)) {
            stress_complain(&st->common, "number %llu beside %llu, or not its size",
                    (unsigned long long)found, (unsigned long long)number);
            return 0;
        }
    }
    return number;
}

static bool read_once(struct stress *st, uint64_t before[WRITERS])
{
    stele_store_read *r = NULL;
    uint32_t first = 0;
    uint32_t second = 1;
    stele_error err;

    if (!stress_fine(&st->common, stele_store_read_begin(&r, st->kit.s, &err), &err, "a read")) {
        return false;
    }
    if (stele_store_read_hash(r, NULL, &first, &err) != STELE_OK) {
        stress_complain(&st->common, "a hash: %s", err.message);
    }
    for (unsigned w = 0; w < WRITERS; w++) {
        uint64_t number = look(st, r, w);

        if (number < before[w]) {
            stress_complain(&st->common, "a read went back");
        }
        before[w] = number;
    }
    if (stele_store_read_hash(r, NULL, &second, &err) != STELE_OK || first != second) {
        stress_complain(&st->common, "a read has moved");
    }
    stele_store_read_end(r);
    atomic_fetch_add(&st->reads, 1);
    return goes_on(st);
}

static void *run_reader(void *arg)
{
    struct member *m = arg;
    uint64_t before[WRITERS] = {0};

    while (read_once(m->st, before)) {
        (void)sti_sleep_ms((int64_t)(stress_draw(&m->seed) % 3), NULL, NULL);
    }
    return NULL;
}

/* ---- Snapshots. ---- */

static stele_code discard(void *arg, const void *data, size_t len, stele_error *err)
{
    uint64_t *bytes = arg;

    (void)data;
    (void)err;
    *bytes += len;
    return STELE_OK;
}

static void *run_snapshots(void *arg)
{
    struct member *m = arg;
    struct stress *st = m->st;
    stele_error err;

    while (goes_on(st)) {
        stele_store_snapshot *snapshot = NULL;
        uint64_t bytes = 0;

        if (!stress_fine(&st->common, stele_store_snapshot_open(&snapshot, st->kit.s, &err), &err,
                    "a snapshot")) {
            break;
        }
        (void)stress_fine(&st->common,
                stele_store_snapshot_write(snapshot, NULL, discard, &bytes, NULL, &err), &err,
                "writing a snapshot");
        stele_store_snapshot_close(snapshot);
        atomic_fetch_add(&st->snapshots, 1);
        (void)sti_sleep_ms(5, NULL, NULL);
    }
    return NULL;
}

/* ---- All. ---- */

static void defragment(struct stress *st, uint64_t times)
{
    stele_error err;

    for (uint64_t i = 0; goes_on(st) && (i < times || atomic_load(&st->snapshots) < 2); i++) {
        uint64_t reads = atomic_load(&st->reads);
        uint64_t batches = atomic_load(&st->batches);

        (void)stress_fine(&st->common, stele_store_defrag(st->kit.s, NULL, NULL, NULL, &err), &err,
                "a defragmentation");
        /* Something happens in each generation. */
        while (goes_on(st) && (atomic_load(&st->reads) < reads + READERS ||
                                      atomic_load(&st->batches) < batches + WRITERS)) {
            (void)sti_sleep_ms(1, NULL, NULL);
        }
    }
    atomic_store(&st->common.stop, true);
}

static void start(struct stress *st, struct member *m, void *(*run)(void *arg), unsigned id)
{
    stele_error err;

    m->st = st;
    m->id = id;
    m->seed = 1 + id;
    CHECK_OK(sti_thread_start(&m->thread, run, m, &err), &err);
}

static void check_end(struct stress *st)
{
    stele_store_read *r = kit_read(&st->kit);

    for (unsigned w = 0; w < WRITERS; w++) {
        assert_int_equal(look(st, r, w), st->last[w]);
    }
    stele_store_read_end(r);
    assert_int_equal(atomic_load(&st->common.wrong), 0);
}

static void test_together(void **state)
{
    struct stress *st = calloc(1, sizeof *st);
    struct member members[MEMBERS];
    uint64_t times = getenv("STELE_FULL") == NULL ? 12 : 300;
    stele_store_batch *b;
    stele_error err;
    unsigned n = 0;

    (void)state;
    assert_non_null(st);
    tmpdir_make(&st->kit.tmp);
    stele_store_options_init(&st->kit.options);
    st->kit.options.batch_interval_ms = 5;
    st->kit.options.batch_limit = 500;
    kit_open(&st->kit);
    b = kit_begin(&st->kit);
    kit_create(b, "all");
    for (unsigned w = 0; w < WRITERS; w++) {
        CHECK_OK(put_number(b, w, 1, &err), &err);
    }
    kit_end(b);
    for (unsigned i = 0; i < WRITERS; i++) {
        start(st, &members[n++], run_writer, i);
    }
    for (unsigned i = 0; i < READERS; i++) {
        start(st, &members[n++], run_reader, i);
    }
    start(st, &members[n++], run_snapshots, 0);
    defragment(st, times);
    for (unsigned i = 0; i < n; i++) {
        sti_thread_join(&members[i].thread);
    }
    if (atomic_load(&st->common.wrong) != 0) {
        fail_msg("%s", st->common.why);
    }
    check_end(st);
    kit_close(&st->kit);
    kit_open(&st->kit);
    check_end(st);
    assert_true(content_stat(st->kit.s).generation > times);
    kit_close(&st->kit);
    tmpdir_remove(&st->kit.tmp);
    free(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
