/* SPDX-License-Identifier: MIT
 *
 * stress_test.c: everything at once on one handle.
 *
 * Sixteen threads append, each its numbered records, some waiting, some not; iterators follow from
 * the front and from the end; one thread reads by id, one trims, and one truncates what it has just
 * appended itself, while the others are held off. What must hold whatever the order:
 *
 *   - a record is what its writer made of it, and the numbers of a writer rise by one;
 *   - ids rise by one;
 *   - an append that was acknowledged can be read at once, unless it was trimmed;
 *   - what is there at the end is there after a reopen.
 *
 * STELE_FULL makes it 30 seconds a variant. The threads keep what they find in a place of their
 * own, since a test's assertions are for its own thread.
 */
#include "lib/stress.h"

#include "kit.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    WRITERS = 16,
    ITERATORS = 4,
    READERS = 1,
    WINDOW = 3000,
    BATCH = 4
};

struct stress {
    stele_wal *wal;
    struct stress_common common;
    pthread_rwlock_t truncating; /* held for writing by the one who truncates */
    _Atomic uint64_t floor;      /* ids up to this may have been trimmed */
    _Atomic uint64_t read;
    _Atomic uint64_t cuts;
};

struct member {
    struct stress *st;
    uint32_t id;
    uint32_t count; /* records that it has written */
    uint64_t seed;
    pthread_t thread;
};

/* Writer and number, and as many bytes as the number tells. */
static stele_bytes make_data(uint32_t writer, uint32_t number, uint8_t *buffer)
{
    size_t len = 8 + (number * 31 + writer) % 120;

    memset(buffer, (int)(number & 0x7f), len);
    memcpy(buffer, &writer, 4);
    memcpy(buffer + 4, &number, 4);
    return stele_bytes_of(buffer, len);
}

static bool check_data(struct stress *st, uint64_t id, stele_bytes data)
{
    uint8_t buffer[160];
    uint32_t writer;
    uint32_t number;
    stele_bytes expected;

    if (data.len < 8) {
        stress_complain(&st->common, "record %" PRIu64 " has %zu bytes", id, data.len);
        return false;
    }
    memcpy(&writer, data.data, 4);
    memcpy(&number, data.data + 4, 4);
    expected = make_data(writer, number, buffer);
    if (data.len != expected.len || memcmp(data.data, expected.data, data.len) != 0) {
        stress_complain(&st->common, "record %" PRIu64 " is not what its writer made", id);
        return false;
    }
    return true;
}

static bool read_back(struct stress *st, uint64_t id, stele_buf *buf)
{
    stele_error err;
    stele_code rc;

    stele_buf_clear(buf);
    rc = stele_wal_read(st->wal, id, buf, &err);
    if (rc == STELE_ENOTFOUND) {
        if (id > atomic_load(&st->floor)) {
            stress_complain(
                    &st->common, "record %" PRIu64 " was acknowledged, and is not there", id);
        }
        return false;
    }
    return stress_fine(&st->common, rc, &err, "read") && check_data(st, id, stele_buf_view(buf));
}

static void *writer_run(void *arg)
{
    struct member *m = arg;
    struct stress *st = m->st;
    uint8_t buffers[BATCH][160];
    stele_bytes data[BATCH];
    stele_buf buf;
    stele_error err;

    stele_buf_init(&buf, 1000);
    while (!atomic_load(&st->common.stop)) {
        size_t count = 1 + stress_draw(&m->seed) % BATCH;
        uint64_t first = 0;

        for (size_t i = 0; i < count; i++) {
            data[i] = make_data(m->id, m->count + (uint32_t)i, buffers[i]);
        }
        (void)pthread_rwlock_rdlock(&st->truncating);
        if (stress_fine(&st->common, stele_wal_append_next(st->wal, data, count, &first, &err),
                    &err, "append")) {
            m->count += (uint32_t)count;
            (void)read_back(st, first + count - 1, &buf);
        }
        (void)pthread_rwlock_unlock(&st->truncating);
    }
    stele_buf_free(&buf);
    return NULL;
}

/* From the front on, each time that it is told that its place is gone. */
static void *iterator_run(void *arg)
{
    struct member *m = arg;
    struct stress *st = m->st;
    uint64_t last = 0;
    stele_wal_iter *it = NULL;
    stele_wal_record record;
    stele_error err;

    if (!stress_fine(&st->common, stele_wal_iter_open(&it, st->wal, 0, &err), &err, "iterate")) {
        return NULL;
    }
    while (!atomic_load(&st->common.stop)) {
        stele_code rc = stele_wal_iter_next(it, &record, &err);

        if (rc == STELE_OK) {
            if (last != 0 && record.id != last + 1) {
                stress_complain(
                        &st->common, "record %" PRIu64 " comes behind %" PRIu64, record.id, last);
            }
            (void)check_data(st, record.id, record.data);
            last = record.id;
            (void)atomic_fetch_add(&st->read, 1);
        } else if (rc == STELE_ESTATE) {
            bool empty = true;
            uint64_t start = 0;

            (void)stele_wal_iter_close(it, NULL);
            it = NULL;
            last = 0;
            if (stress_draw(&m->seed) % 2 == 0) {
                (void)stress_fine(&st->common, stele_wal_last_id(st->wal, &start, &empty, &err),
                        &err, "last");
            }
            if (!stress_fine(&st->common, stele_wal_iter_open(&it, st->wal, start, &err), &err,
                        "iterate")) {
                return NULL;
            }
        } else if (rc == STELE_END) {
            const struct timespec little = {.tv_nsec = 100000};

            (void)nanosleep(&little, NULL);
        } else {
            (void)stress_fine(&st->common, rc, &err, "next");
        }
    }
    (void)stele_wal_iter_close(it, NULL);
    return NULL;
}

static void *reader_run(void *arg)
{
    struct member *m = arg;
    struct stress *st = m->st;
    stele_buf buf;
    stele_error err;

    stele_buf_init(&buf, 1000);
    while (!atomic_load(&st->common.stop)) {
        uint64_t first = 0;
        uint64_t last = 0;
        bool empty = true;

        (void)pthread_rwlock_rdlock(&st->truncating);
        if (stress_fine(&st->common, stele_wal_first_id(st->wal, &first, &empty, &err), &err,
                    "first") &&
                !empty &&
                stress_fine(&st->common, stele_wal_last_id(st->wal, &last, &empty, &err), &err,
                        "last") &&
                !empty && last >= first) {
            (void)read_back(st, first + stress_draw(&m->seed) % (last - first + 1), &buf);
        }
        (void)pthread_rwlock_unlock(&st->truncating);
    }
    stele_buf_free(&buf);
    return NULL;
}

static void *trimmer_run(void *arg)
{
    struct member *m = arg;
    struct stress *st = m->st;
    stele_error err;

    while (!atomic_load(&st->common.stop)) {
        const struct timespec little = {.tv_nsec = 2000000};
        uint64_t last = 0;
        bool empty = true;

        (void)nanosleep(&little, NULL);
        if (!stress_fine(
                    &st->common, stele_wal_last_id(st->wal, &last, &empty, &err), &err, "last") ||
                empty || last < WINDOW) {
            continue;
        }
        atomic_store(&st->floor, last - WINDOW);
        (void)stress_fine(&st->common, stele_wal_trim(st->wal, last - WINDOW, &err), &err, "trim");
    }
    return NULL;
}

/* Appends without waiting, and takes all of it back. */
static void *truncater_run(void *arg)
{
    struct member *m = arg;
    struct stress *st = m->st;
    stele_error err;

    while (!atomic_load(&st->common.stop)) {
        const struct timespec little = {.tv_nsec = 30000000};
        uint64_t next = 0;
        bool any = false;

        (void)nanosleep(&little, NULL);
        (void)pthread_rwlock_wrlock(&st->truncating);
        if (stress_fine(
                    &st->common, stele_wal_next_id(st->wal, &next, &any, &err), &err, "next id") &&
                !any) {
            uint64_t count = 1 + stress_draw(&m->seed) % 60;

            for (uint64_t i = 0; i < count; i++) {
                uint8_t buffer[160];
                stele_wal_ticket ticket;
                stele_wal_record r = {
                        .id = next + i, .data = make_data(m->id, (uint32_t)i, buffer)};

                (void)stress_fine(&st->common,
                        stele_wal_append_async(st->wal, &r, 1, &ticket, &err), &err,
                        "append without waiting");
            }
            (void)stress_fine(
                    &st->common, stele_wal_truncate(st->wal, next - 1, &err), &err, "truncate");
            (void)atomic_fetch_add(&st->cuts, 1);
        }
        (void)pthread_rwlock_unlock(&st->truncating);
    }
    return NULL;
}

static void start(struct stress *st, struct member *m, uint32_t id, void *(*run)(void *arg))
{
    m->st = st;
    m->id = id;
    m->count = 0;
    m->seed = 88172645463325252ULL + id * 7919;
    assert_int_equal(pthread_create(&m->thread, NULL, run, m), 0);
}

/* After the end: ids rise by one, and so do the numbers of each writer, up to its last. */
static void check_all(struct kit *k, const struct member *writers)
{
    uint32_t next[WRITERS];
    bool seen[WRITERS] = {false};
    stele_wal_iter *it = kit_iter(k, 0);
    stele_wal_record r;
    uint64_t last = 0;
    stele_code rc;

    while ((rc = stele_wal_iter_next(it, &r, &k->err)) == STELE_OK) {
        uint32_t writer;
        uint32_t number;

        assert_true(last == 0 || r.id == last + 1);
        last = r.id;
        assert_true(r.data.len >= 8);
        memcpy(&writer, r.data.data, 4);
        memcpy(&number, r.data.data + 4, 4);
        assert_true(writer < WRITERS);
        assert_true(!seen[writer] || number == next[writer]);
        seen[writer] = true;
        next[writer] = number + 1;
    }
    CHECK_CODE(rc, STELE_END);
    CHECK_OK(stele_wal_iter_close(it, &k->err), &k->err);
    for (int i = 0; i < WRITERS; i++) {
        assert_true(!seen[i] || next[i] == writers[i].count);
    }
}

static void run_stress(stele_wal_format format, bool background, bool map)
{
    const char *full = getenv("STELE_FULL");
    const struct timespec span = {full != NULL && full[0] == '1' ? 30 : 0, 700000000};
    pthread_rwlockattr_t attr;
    struct kit k;
    struct stress st;
    struct member members[WRITERS + ITERATORS + READERS + 2];
    size_t n = 0;

    memset(&st, 0, sizeof st);
    memset(members, 0, sizeof members);
    /* The one who truncates must get its turn. */
    assert_int_equal(pthread_rwlockattr_init(&attr), 0);
    assert_int_equal(
            pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP), 0);
    assert_int_equal(pthread_rwlock_init(&st.truncating, &attr), 0);
    (void)pthread_rwlockattr_destroy(&attr);
    kit_begin(&k, format);
    k.opts.segment_size = 32 << 10;
    k.opts.no_background = !background;
    k.opts.no_map = !map;
    kit_open(&k);
    st.wal = k.wal;
    for (uint32_t i = 0; i < WRITERS; i++, n++) {
        start(&st, &members[n], i, writer_run);
    }
    for (uint32_t i = 0; i < ITERATORS; i++, n++) {
        start(&st, &members[n], 100 + i, iterator_run);
    }
    for (uint32_t i = 0; i < READERS; i++, n++) {
        start(&st, &members[n], 200 + i, reader_run);
    }
    start(&st, &members[n++], 300, trimmer_run);
    start(&st, &members[n++], 301, truncater_run);
    (void)nanosleep(&span, NULL);
    atomic_store(&st.common.stop, true);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(pthread_join(members[i].thread, NULL), 0);
    }
    if (atomic_load(&st.common.wrong) > 0) {
        fail_msg("%s", st.common.why);
    }
    print_message("%s: %" PRIu64 " records, %" PRIu64 " syncs, %" PRIu64 " rollovers, %" PRIu64
                  " recycled, %" PRIu64 " iterated, %" PRIu64 " truncations\n",
            format == STELE_WAL_BLB ? "blb" : "stele", kit_stats(&k).records, kit_stats(&k).syncs,
            kit_stats(&k).rollovers, kit_stats(&k).recycled, atomic_load(&st.read),
            atomic_load(&st.cuts));
    check_all(&k, members);
    kit_reopen(&k);
    check_all(&k, members);
    kit_end(&k);
    (void)pthread_rwlock_destroy(&st.truncating);
}

static void stele_with_a_thread(void **state)
{
    (void)state;
    run_stress(STELE_WAL_STELE, true, true);
}

static void stele_without_a_thread(void **state)
{
    (void)state;
    run_stress(STELE_WAL_STELE, false, true);
}

static void stele_without_maps(void **state)
{
    (void)state;
    run_stress(STELE_WAL_STELE, true, false);
}

static void blb(void **state)
{
    (void)state;
    run_stress(STELE_WAL_BLB, true, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(stele_with_a_thread),
            cmocka_unit_test(stele_without_a_thread),
            cmocka_unit_test(stele_without_maps),
            cmocka_unit_test(blb),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
