/* SPDX-License-Identifier: MIT
 *
 * failed_test.c: what the disk refuses, on the simulated one.
 *
 * A failed sync, or a write that cannot be taken back, ends the writing of the
 * handle; reading goes on, and a reopen recovers. A full disk ends nothing.
 */
#include "core.h"
#include "sim/world.h"

#include <errno.h>

#define DIR_PATH "/stream"

struct fail {
    struct core c;
    struct sim_world *w;
};

static void fail_begin(struct fail *f, uint64_t capacity, bool auto_sync)
{
    const struct sim_disk_options options = {.capacity = capacity, .no_trace = true};

    core_begin(&f->c);
    f->w = sim_world_new(7, NULL, &options);
    f->c.opts.env = &f->w->env;
    f->c.opts.create_dirs = true;
    f->c.opts.auto_sync = auto_sync;
    f->c.opts.no_background = true; /* what fails, fails in the call */
    f->c.opts.rollover = core_rollover(20);
    tmpdir_remove(&f->c.dir);
    (void)snprintf(f->c.dir.path, sizeof f->c.dir.path, "%s", DIR_PATH);
    core_open(&f->c);
}

static void fail_end(struct fail *f)
{
    if (f->c.s != NULL) {
        (void)stele_stream_close(f->c.s, NULL);
    }
    stele_messages_free(f->c.ms);
    assert_int_equal(sim_disk_open_count(f->w->disk), 0);
    sim_world_free(f->w);
}

static void set_fault(struct fail *f, unsigned calls, int error)
{
    const struct sim_fault fault = {.calls = calls, .error = error, .persistent = true};

    sim_disk_set_fault(f->w->disk, &fault);
}

static stele_code publish(struct fail *f, int64_t offset)
{
    struct core_text text;
    stele_message m = core_message(&text, offset);

    return stele_stream_publish(f->c.s, &m, 1, NULL, &f->c.err);
}

static stele_code delete_one(struct fail *f, int64_t offset)
{
    stele_offsets *set;
    stele_code rc;

    CHECK_OK(stele_offsets_new(&set, &f->c.err), &f->c.err);
    CHECK_OK(stele_offsets_add(set, offset, &f->c.err), &f->c.err);
    rc = stele_stream_delete(f->c.s, set, NULL, &f->c.err);
    stele_offsets_free(set);
    return rc;
}

/* All writing is refused, and says why; all reading works. */
static void check_poisoned(struct fail *f, int64_t last, const char *why)
{
    struct core_text text;
    stele_message m = core_message(&text, 0);
    stele_stream_stats stats;
    int64_t durable = -5;

    for (int i = 0; i < 2; i++) {
        CHECK_CODE(publish(f, last + 1), STELE_EFAILED);
        CHECK_MESSAGE_HAS(&f->c.err, "reopen");
        CHECK_MESSAGE_HAS(&f->c.err, why);
        CHECK_CODE(stele_stream_publish(f->c.s, NULL, 0, NULL, &f->c.err), STELE_EFAILED);
        CHECK_CODE(
                stele_stream_publish_at(f->c.s, last + 1, &m, 1, NULL, &f->c.err), STELE_EFAILED);
        CHECK_CODE(stele_stream_sync(f->c.s, &durable, &f->c.err), STELE_EFAILED);
        CHECK_CODE(delete_one(f, 0), STELE_EFAILED);
        CHECK_CODE(stele_stream_trim_by_offset(f->c.s, 1, NULL, NULL, &f->c.err), STELE_EFAILED);
        assert_int_equal(durable, -5);
        core_holds(&f->c, 0, last);
        CHECK_OK(stele_stream_get(f->c.s, STELE_OFFSET_NEWEST, f->c.ms, &f->c.err), &f->c.err);
        assert_int_equal(stele_messages_at(f->c.ms, 0)->offset, last);
        CHECK_OK(stele_stream_get_by_key(f->c.s, stele_str("key-0001"), f->c.ms, &f->c.err),
                &f->c.err);
        CHECK_OK(stele_stream_stat(f->c.s, &stats, &f->c.err), &f->c.err);
        /* That the disk works again proves nothing. */
        sim_disk_set_fault(f->w->disk, NULL);
    }
}

static void reopen_after_failure(struct fail *f)
{
    stele_stream *s = f->c.s;

    f->c.s = NULL;
    CHECK_CODE(stele_stream_close(s, &f->c.err), STELE_EFAILED);
    core_open(&f->c);
}

static void failed_sync(void **state)
{
    struct fail f;
    int64_t durable = -1;

    (void)state;
    fail_begin(&f, 0, false);
    core_fill(&f.c, 5);
    CHECK_OK(stele_stream_sync(f.c.s, &durable, &f.c.err), &f.c.err);
    assert_int_equal(durable, 5);
    core_fill(&f.c, 3);
    set_fault(&f, SIM_CALL_SYNC, EIO);
    CHECK_CODE(stele_stream_sync(f.c.s, &durable, &f.c.err), STELE_EIO);
    assert_int_equal(durable, 5);
    check_poisoned(&f, 7, "00000000000000000000.log");
    reopen_after_failure(&f);
    core_holds(&f.c, 0, 7); /* the cache has them still, here */
    core_fill(&f.c, 2);
    CHECK_OK(stele_stream_sync(f.c.s, &durable, &f.c.err), &f.c.err);
    assert_int_equal(durable, 10);
    core_reopen(&f.c);
    core_holds(&f.c, 0, 9);
    fail_end(&f);
}

/* With auto_sync the publish says so, and its message is never seen. */
static void failed_sync_of_a_publish(void **state)
{
    struct fail f;

    (void)state;
    fail_begin(&f, 0, true);
    core_fill(&f.c, 5);
    set_fault(&f, SIM_CALL_SYNC, EIO);
    CHECK_CODE(publish(&f, 5), STELE_EIO);
    assert_int_equal(core_next(&f.c), 5);
    check_poisoned(&f, 4, "00000000000000000000.log");
    reopen_after_failure(&f);
    assert_true(core_next(&f.c) >= 5);
    core_fill(&f.c, 1);
    fail_end(&f);
}

static void failed_sync_of_the_directory(void **state)
{
    struct fail f;

    (void)state;
    fail_begin(&f, 0, false);
    core_fill(&f.c, 22); /* a new segment, whose name is not synced */
    set_fault(&f, SIM_CALL_DIR_SYNC, EIO);
    CHECK_CODE(stele_stream_sync(f.c.s, NULL, &f.c.err), STELE_EIO);
    check_poisoned(&f, 21, "");
    reopen_after_failure(&f);
    core_holds(&f.c, 0, 21);
    core_fill(&f.c, 1);
    fail_end(&f);
}

/* At a rollover: what was published stays, the one that asked is refused. */
static void failed_sync_at_a_rollover(void **state)
{
    struct fail f;

    (void)state;
    fail_begin(&f, 0, false);
    core_fill(&f.c, 20);
    set_fault(&f, SIM_CALL_SYNC, EIO);
    CHECK_CODE(publish(&f, 20), STELE_EIO);
    assert_int_equal(core_next(&f.c), 20);
    check_poisoned(&f, 19, "");
    reopen_after_failure(&f);
    core_holds(&f.c, 0, 19);
    core_fill(&f.c, 3);
    core_reopen(&f.c);
    core_holds(&f.c, 0, 22);
    fail_end(&f);
}

static void failed_sync_at_close(void **state)
{
    struct fail f;
    stele_stream *s;

    (void)state;
    fail_begin(&f, 0, false);
    core_fill(&f.c, 5);
    set_fault(&f, SIM_CALL_SYNC, EIO);
    s = f.c.s;
    f.c.s = NULL;
    CHECK_CODE(stele_stream_close(s, &f.c.err), STELE_EIO);
    CHECK_MESSAGE_HAS(&f.c.err, DIR_PATH);
    assert_int_equal(sim_disk_open_count(f.w->disk), 0);
    sim_disk_set_fault(f.w->disk, NULL);
    core_open(&f.c);
    core_holds(&f.c, 0, 4);
    fail_end(&f);
}

/* A write that failed is taken back, and writing goes on. */
static void failed_write(void **state)
{
    const int errors[] = {EIO, SIM_SHORT, ENOSPC};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct fail f;
        stele_code rc;

        fail_begin(&f, 0, true); /* pwrite */
        core_fill(&f.c, 5);
        {
            const struct sim_fault fault = {.calls = SIM_CALL_WRITE, .error = errors[i]};

            sim_disk_set_fault(f.w->disk, &fault);
        }
        rc = publish(&f, 5);
        assert_int_equal(sim_disk_fault_hits(f.w->disk), 1);
        if (errors[i] == SIM_SHORT) {
            CHECK_OK(rc, &f.c.err); /* the rest was written in a second call */
        } else {
            CHECK_CODE(rc, errors[i] == EIO ? STELE_EIO : STELE_ENOSPC);
            assert_int_equal(core_next(&f.c), 5);
            core_holds(&f.c, 0, 4);
            core_fill(&f.c, 1);
        }
        core_holds(&f.c, 0, 5);
        core_reopen(&f.c);
        core_holds(&f.c, 0, 5);
        fail_end(&f);
    }
}

/* And if it cannot be taken back, the handle does not write any more. */
static void failed_write_that_stays(void **state)
{
    struct fail f;

    (void)state;
    fail_begin(&f, 0, true);
    core_fill(&f.c, 5);
    set_fault(&f, SIM_CALL_WRITE | SIM_CALL_TRUNCATE, EIO);
    CHECK_CODE(publish(&f, 5), STELE_EIO);
    check_poisoned(&f, 4, "");
    reopen_after_failure(&f);
    core_holds(&f.c, 0, 4);
    core_fill(&f.c, 1);
    fail_end(&f);
}

/* A read that fails is an error of the call that met it, and of no other. */
static void failed_read(void **state)
{
    struct fail f;
    int64_t next;

    (void)state;
    fail_begin(&f, 0, false);
    core_fill(&f.c, 50);
    core_reopen(&f.c);
    set_fault(&f, SIM_CALL_OPEN | SIM_CALL_MAP | SIM_CALL_READ, EIO);
    CHECK_CODE(stele_stream_consume(f.c.s, 0, 5, f.c.ms, &next, &f.c.err), STELE_EIO);
    core_consume(&f.c, 45, 10, 45, 49, 50); /* the head is there already */
    sim_disk_set_fault(f.w->disk, NULL);
    core_holds(&f.c, 0, 49);
    core_fill(&f.c, 1);
    fail_end(&f);
}

/* Publish until the disk is full; nothing of the refused call is there. */
static int64_t fill_up(struct fail *f, size_t batch)
{
    static stele_message m[64];
    static struct core_text text[64];
    int64_t next = core_next(&f->c);
    stele_code rc;

    do {
        int64_t first = next;

        for (size_t i = 0; i < batch; i++) {
            m[i] = core_message(&text[i], first + (int64_t)i);
        }
        rc = stele_stream_publish(f->c.s, m, batch, &next, &f->c.err);
        assert_int_equal(core_next(&f->c), rc == STELE_OK ? first + (int64_t)batch : first);
        assert_true(next < 100000);
    } while (rc == STELE_OK);
    CHECK_CODE(rc, STELE_ENOSPC);
    return next;
}

static void full_disk(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        for (size_t batch = 1; batch < 64; batch += 31) {
            struct fail f;
            int64_t last;
            int64_t again;
            int64_t oldest;
            stele_code rc;

            fail_begin(&f, 96 << 10, way == 1);
            if (way >= 2) {
                core_close(&f.c);
                f.c.opts.no_map = way == 2;
                f.c.opts.no_background = way != 3;
                core_open(&f.c);
            }
            last = fill_up(&f, batch) - 1;
            assert_true(last > 100);
            core_holds(&f.c, 0, last);
            again = fill_up(&f, batch) - 1; /* not EFAILED */
            /* The thread may have cut the zeros behind a full segment meanwhile. */
            assert_true(way == 3 ? again >= last : again == last);
            last = again;
            core_holds(&f.c, 0, last);
            /* Whole segments can be trimmed, and there is room again. */
            rc = stele_stream_trim_by_offset_multi(f.c.s, 100, NULL, NULL, NULL, &f.c.err);
            if (rc != STELE_OK) { /* the rest of one segment: there was no room to rewrite it */
                CHECK_CODE(rc, STELE_ENOSPC);
                CHECK_MESSAGE_HAS(&f.c.err, "offsets are left");
            }
            oldest = core_stats(&f.c).oldest;
            assert_true(oldest > 20 && oldest <= 100);
            core_holds(&f.c, oldest, last);
            core_fill(&f.c, 10);
            core_holds(&f.c, oldest, last + 10);
            core_reopen(&f.c);
            core_holds(&f.c, oldest, last + 10);
            fail_end(&f);
        }
    }
}

static void full_disk_and_close(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct fail f;
        int64_t last;

        fail_begin(&f, 96 << 10, way == 1);
        if (way == 2) {
            core_close(&f.c);
            f.c.opts.no_background = false;
            core_open(&f.c);
        }
        last = fill_up(&f, 1) - 1;
        core_close(&f.c);
        core_open(&f.c);
        core_holds(&f.c, 0, last);
        assert_int_equal(core_next(&f.c), last + 1);
        core_close(&f.c);
        f.c.opts.read_only = true;
        core_open(&f.c);
        core_holds(&f.c, 0, last);
        core_close(&f.c);
        fail_end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(failed_sync),
            cmocka_unit_test(failed_sync_of_a_publish),
            cmocka_unit_test(failed_sync_of_the_directory),
            cmocka_unit_test(failed_sync_at_a_rollover),
            cmocka_unit_test(failed_sync_at_close),
            cmocka_unit_test(failed_write),
            cmocka_unit_test(failed_write_that_stays),
            cmocka_unit_test(failed_read),
            cmocka_unit_test(full_disk),
            cmocka_unit_test(full_disk_and_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
