/* SPDX-License-Identifier: MIT
 *
 * bbolt_failure_test.c: the n-th operation of the disk fails, the n-th allocation fails, for
 * every n.
 */
#include "base/alloc.h"
#include "bbolt_kit.h"

#include <errno.h>
#include <stdlib.h>

static const struct bbolt_shape shapes[] = {
        {512, 3, 40, 30, 50, true},
        {512, 1, 2, 5, 300000, false},
        {4096, 20, 1, 3, 10, true},
};

enum {
    SHAPES = sizeof shapes / sizeof shapes[0],
    CALLS_MAX = 2000
};

struct fault {
    int error;
    stele_code code; /* STELE_OK: the library copes with it */
};

static const struct fault faults[] = {
        {EIO, STELE_EIO}, {ENOSPC, STELE_ENOSPC}, {SIM_SHORT, STELE_OK}};

static void set_fault(struct bbolt_kit *k, unsigned calls, uint64_t at, int error)
{
    const struct sim_fault fault = {.calls = calls, .at = at, .error = error};

    sim_disk_set_fault(k->w->disk, &fault);
}

/* What a call gave while the n-th operation failed. Returns whether there is an n-th. */
static bool judge(struct bbolt_kit *k, const struct fault *fault, stele_code rc)
{
    bool hit = sim_disk_fault_hits(k->w->disk) > 0;

    sim_disk_set_fault(k->w->disk, NULL);
    if (!hit) {
        CHECK_OK(rc, &k->err);
    } else {
        CHECK_CODE(rc, fault->code);
    }
    return hit;
}

static void test_writing(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES * 3; i++) {
        const struct fault *fault = &faults[i % 3];
        unsigned calls = fault->error == SIM_SHORT ? SIM_CALL_READ | SIM_CALL_WRITE : SIM_CALLS_ALL;
        struct bbolt_kit k;
        uint64_t n = 0;
        bool hit = true;

        bbolt_kit_begin(&k, 0);
        for (; hit; n++) {
            assert_true(n < CALLS_MAX);
            set_fault(&k, calls, n, fault->error);
            hit = judge(&k, fault, bbolt_kit_try_write(&k, &shapes[i / 3]));
            if (fault->code == STELE_OK) {
                bbolt_kit_holds(&k, &shapes[i / 3]);
            }
        }
        assert_true(n > 3);
        bbolt_kit_holds(&k, &shapes[i / 3]);
        bbolt_kit_end(&k);
    }
}

static stele_code read_all(struct bbolt_kit *k, char **text)
{
    return bbolt_list(&k->dir, BBOLT_FILE, text, &k->err);
}

static void test_reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES * 3; i++) {
        const struct fault *fault = &faults[i % 3];
        unsigned calls = fault->error == SIM_SHORT ? SIM_CALL_READ : SIM_CALLS_ALL;
        struct bbolt_kit k;
        char *expected = NULL;
        uint64_t n = 0;
        bool hit = true;

        bbolt_kit_begin(&k, 0);
        bbolt_kit_write(&k, &shapes[i / 3]);
        CHECK_OK(read_all(&k, &expected), &k.err);
        for (; hit; n++) {
            char *text = NULL;
            stele_code rc;

            assert_true(n < CALLS_MAX);
            set_fault(&k, calls, n, fault->error);
            rc = read_all(&k, &text);
            hit = judge(&k, fault, rc);
            if (rc == STELE_OK) {
                assert_string_equal(text, expected);
            } else {
                assert_null(text);
            }
            free(text);
        }
        assert_true(n > 3);
        free(expected);
        bbolt_kit_end(&k);
    }
}

/* A write that stores something else: a hash is not put behind it. The last write is that of the
 * hash itself, which a reader finds. */
static void test_wrong_bytes(void **state)
{
    struct bbolt_kit k;
    uint64_t n = 0;
    bool hit = true;

    (void)state;
    bbolt_kit_begin(&k, 0);
    for (; hit; n++) {
        struct sti_bbolt_reader *r = NULL;
        stele_code rc;

        set_fault(&k, SIM_CALL_WRITE, n, SIM_FLIP);
        rc = bbolt_kit_try_write(&k, &shapes[0]);
        hit = sim_disk_fault_hits(k.w->disk) > 0;
        sim_disk_set_fault(k.w->disk, NULL);
        if (hit && rc == STELE_OK) {
            CHECK_CODE(sti_bbolt_open(&r, &k.dir, BBOLT_FILE, &k.err), STELE_ECORRUPT);
            CHECK_MESSAGE_HAS(&k.err, "the SHA-256 behind the pages is not theirs");
        } else if (hit) {
            CHECK_CODE(rc, STELE_EIO);
            CHECK_MESSAGE_HAS(&k.err, "what is read is not what was written");
        }
    }
    assert_true(n >= 4);
    bbolt_kit_holds(&k, &shapes[0]);
    bbolt_kit_end(&k);
}

/* When the end has succeeded, nothing of the file is pending: only its name is the caller's. */
static void test_durable(void **state)
{
    const struct sim_disk_options options = {.file_max = 0};
    struct bbolt_kit k = {.w = sim_world_new(1, NULL, &options)};
    struct sim_trace trace;
    size_t writes = 0;

    (void)state;
    CHECK_OK(sti_dir_open(&k.dir, &k.w->env, "/d", STELE_OPEN_CREATE, &k.err), &k.err);
    bbolt_kit_write(&k, &shapes[0]);
    sim_disk_trace(k.w->disk, &trace);
    for (size_t i = 0; i < trace.effect_count; i++) {
        const struct sim_effect *e = &trace.effects[i];

        writes += e->type == SIM_WRITE;
        assert_true(e->type == SIM_LINK || e->durable != SIM_NEVER);
    }
    assert_true(writes > 0);
    bbolt_kit_end(&k);
}

/* ---- Memory. ---- */

static bool fails_at(void *arg)
{
    uint64_t *left = arg;

    if (*left == 0) {
        return false;
    }
    --*left;
    return *left == 0;
}

static void test_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES * 2; i++) {
        bool reading = i % 2 == 1;
        struct bbolt_kit k;
        stele_code rc = STELE_ENOMEM;
        uint64_t n = 0;

        bbolt_kit_begin(&k, 0);
        bbolt_kit_write(&k, &shapes[i / 2]);
        while (rc != STELE_OK) {
            char *text = NULL;
            uint64_t left = ++n;

            assert_true(n < CALLS_MAX);
            sti_alloc_set_hook(fails_at, &left);
            rc = reading ? read_all(&k, &text) : bbolt_kit_try_write(&k, &shapes[i / 2]);
            sti_alloc_set_hook(NULL, NULL);
            free(text);
            if (rc != STELE_OK) {
                CHECK_CODE(rc, STELE_ENOMEM);
            } else {
                assert_true(left > 0);
            }
        }
        assert_true(n > 4);
        bbolt_kit_holds(&k, &shapes[i / 2]);
        bbolt_kit_end(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_writing),
            cmocka_unit_test(test_reading),
            cmocka_unit_test(test_wrong_bytes),
            cmocka_unit_test(test_durable),
            cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
