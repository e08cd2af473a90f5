/* SPDX-License-Identifier: MIT
 *
 * failure_test.c: what the disk refuses, on the simulated one.
 *
 * A failed sync, or a write that cannot be taken back, ends the writing of the handle; reading goes
 * on, and a reopen recovers. A full disk ends nothing.
 */
#include "kit.h"

#include <errno.h>

static void reopen_after_failure(struct kit *k)
{
    stele_wal *wal = k->wal;

    k->wal = NULL;
    CHECK_CODE(stele_wal_close(wal, &k->err), STELE_EFAILED);
    kit_open(k);
}

/* All writing is refused, and says why; all reading works. */
static void check_poisoned(struct kit *k, uint64_t last)
{
    for (int i = 0; i < 2; i++) {
        stele_wal_ticket ticket;
        stele_bytes data = stele_str("text");
        stele_wal_record r = {.id = last + 1};

        CHECK_CODE(kit_append(k, last + 1, 1), STELE_EFAILED);
        CHECK_MESSAGE_HAS(&k->err, "reopen");
        CHECK_CODE(stele_wal_append_next(k->wal, &data, 1, NULL, &k->err), STELE_EFAILED);
        CHECK_CODE(stele_wal_append_async(k->wal, &r, 1, &ticket, &k->err), STELE_EFAILED);
        CHECK_CODE(stele_wal_truncate(k->wal, 1, &k->err), STELE_EFAILED);
        CHECK_CODE(stele_wal_trim(k->wal, last, &k->err), STELE_EFAILED);
        kit_holds(k, 1, last);
        assert_true(kit_stats(k).failed);
        /* That the disk works again proves nothing. */
        kit_no_fault(k);
    }
}

static void failed_writes_and_syncs(void **state)
{
    static const struct {
        unsigned calls;
        int error;
    } faults[] = {
            {SIM_CALL_WRITE, EIO},
            {SIM_CALL_SYNC, EIO},
            {SIM_CALL_SYNC, ENOSPC},
    };

    (void)state;
    for (int i = 0; i < 3 * KIT_FORMATS; i++) {
        struct kit k;

        kit_begin_sim(&k, kit_formats[i % KIT_FORMATS], NULL);
        kit_open(&k);
        kit_fill(&k, 1, 50);
        kit_fault(&k, faults[i / KIT_FORMATS].calls, 0, faults[i / KIT_FORMATS].error, true);
        CHECK_CODE(kit_append(&k, 51, 3), STELE_EIO);
        check_poisoned(&k, 50);
        reopen_after_failure(&k);
        /* The cache may have them, here. */
        assert_true(kit_stats(&k).last_id >= 50);
        kit_holds(&k, 1, kit_stats(&k).last_id);
        CHECK_OK(kit_append(&k, kit_stats(&k).last_id + 1, 100), &k.err);
        kit_holds(&k, 1, kit_stats(&k).last_id);
        kit_end(&k);
    }
}

/* What fails with the first record of an empty log. */
static void the_first_append_fails(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;

        kit_begin_sim(&k, kit_formats[i], NULL);
        kit_open(&k);
        kit_fault(&k, SIM_CALL_SYNC, 0, EIO, true);
        CHECK_CODE(kit_append(&k, 9, 3), STELE_EIO);
        kit_no_fault(&k);
        CHECK_CODE(kit_append(&k, 9, 3), STELE_EFAILED);
        kit_holds(&k, 1, 0);
        reopen_after_failure(&k);
        if (kit_stats(&k).empty) {
            kit_fill(&k, 9, 11);
        }
        kit_fill(&k, 12, 20);
        kit_holds(&k, 9, 20);
        kit_end(&k);
    }
}

/* From the n-th call on that asks for new space, all fail, for every n of an append that also rolls
 * over: the log is as before, and goes on. */
static void no_space_at_every_call(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        for (uint64_t at = 0;; at++) {
            struct kit k;
            uint64_t hits;
            stele_code rc;

            kit_begin_sim(&k, kit_formats[i], NULL);
            kit_open(&k);
            kit_fill(&k, 1, 30);
            kit_fault(&k, SIM_CALL_CREATE | SIM_CALL_ALLOCATE, at, ENOSPC, true);
            rc = kit_append(&k, 31, 100);
            hits = sim_disk_fault_hits(k.w->disk);
            if (hits == 0) {
                CHECK_OK(rc, &k.err);
                kit_end(&k);
                break;
            }
            CHECK_CODE(rc, STELE_ENOSPC);
            kit_holds(&k, 1, 30);
            kit_next_is(&k, 31, false);
            CHECK_CODE(kit_append(&k, 31, 100), STELE_ENOSPC);
            kit_no_fault(&k);
            CHECK_OK(kit_append(&k, 31, 3), &k.err);
            CHECK_OK(kit_append(&k, 34, 100), &k.err);
            kit_holds(&k, 1, 133);
            kit_reopen(&k);
            kit_holds(&k, 1, 133);
            kit_end(&k);
            assert_true(at < 100);
        }
    }
}

/* One such failure alone, or a short write, which is none. */
static void no_space_once(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * KIT_FORMATS; i++) {
        for (uint64_t at = 0;; at++) {
            struct kit k;
            uint64_t hits;
            stele_code rc;

            kit_begin_sim(&k, kit_formats[i % KIT_FORMATS], NULL);
            kit_open(&k);
            kit_fill(&k, 1, 30);
            kit_fault(&k, i < KIT_FORMATS ? SIM_CALLS_SPACE : SIM_CALL_WRITE, at,
                    i < KIT_FORMATS ? ENOSPC : SIM_SHORT, false);
            rc = kit_append(&k, 31, 100);
            hits = sim_disk_fault_hits(k.w->disk);
            kit_no_fault(&k);
            if (rc != STELE_OK) {
                CHECK_CODE(rc, STELE_ENOSPC);
                kit_holds(&k, 1, 30);
                CHECK_OK(kit_append(&k, 31, 100), &k.err);
            }
            kit_holds(&k, 1, 130);
            kit_reopen(&k);
            kit_holds(&k, 1, 130);
            kit_end(&k);
            if (hits == 0) {
                break;
            }
        }
    }
}

/* A disk that is really full: it opens, reads, trims, also to empty, and then takes appends. */
static void a_full_disk(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * KIT_FORMATS; i++) {
        const struct sim_disk_options disk = {.no_trace = true, .capacity = 64 << 10};
        struct kit k;
        uint64_t last = 0;
        stele_code rc = STELE_OK;
        uint64_t first = 0;
        bool empty = true;

        kit_begin_sim(&k, kit_formats[i % KIT_FORMATS], &disk);
        kit_open(&k);
        while (rc == STELE_OK) {
            rc = kit_append(&k, last + 1, 3);
            last += rc == STELE_OK ? 3 : 0;
            assert_true(last < 2000);
        }
        CHECK_CODE(rc, STELE_ENOSPC);
        kit_holds(&k, 1, last);
        if (i >= KIT_FORMATS) {
            kit_reopen(&k);
            kit_holds(&k, 1, last);
            CHECK_CODE(kit_append(&k, last + 1, 60), STELE_ENOSPC);
        }
        CHECK_OK(stele_wal_trim(k.wal, last / 2, &k.err), &k.err);
        CHECK_OK(stele_wal_first_id(k.wal, &first, &empty, &k.err), &k.err);
        assert_true(first > 1);
        kit_holds(&k, first, last);
        CHECK_OK(kit_append(&k, last + 1, 3), &k.err);
        last += 3;
        while (rc == STELE_ENOSPC || rc == STELE_OK) {
            rc = kit_append(&k, last + 1, 3);
            last += rc == STELE_OK ? 3 : 0;
            if (rc == STELE_ENOSPC) {
                break;
            }
        }
        kit_holds(&k, first, last);
        CHECK_OK(stele_wal_trim(k.wal, last, &k.err), &k.err);
        CHECK_OK(kit_append(&k, last + 1, 3), &k.err);
        kit_reopen(&k);
        assert_int_equal(kit_stats(&k).last_id, last + 3);
        kit_end(&k);
    }
}

/* Asynchronous appends that fail say so to each that waits, and the ids are free again. */
static void asynchronous_failures(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        stele_wal_ticket tickets[4];
        stele_wal_ticket durable = 0;

        kit_begin_sim(&k, kit_formats[i], NULL);
        kit_open(&k);
        kit_fill(&k, 1, 3);
        for (uint64_t id = 4; id < 8; id++) {
            stele_wal_record r = {.id = id, .data = stele_str("lost")};

            CHECK_OK(stele_wal_append_async(k.wal, &r, 1, &tickets[id - 4], &k.err), &k.err);
        }
        kit_next_is(&k, 8, false);
        kit_holds(&k, 1, 3);
        kit_fault(&k, SIM_CALL_WRITE, 0, ENOSPC, false);
        CHECK_CODE(stele_wal_wait(k.wal, tickets[2], NULL, &k.err), STELE_ENOSPC);
        kit_no_fault(&k);
        CHECK_CODE(stele_wal_wait(k.wal, tickets[0], NULL, &k.err), STELE_ENOSPC);
        CHECK_CODE(stele_wal_wait(k.wal, tickets[3], NULL, &k.err), STELE_ENOSPC);
        CHECK_OK(stele_wal_durable(k.wal, &durable, &k.err), &k.err);
        assert_int_equal(durable, tickets[3]);
        kit_next_is(&k, 4, false);
        kit_fill(&k, 4, 20);
        kit_holds(&k, 1, 20);
        kit_reopen(&k);
        kit_holds(&k, 1, 20);
        kit_end(&k);
    }
}

/* Every call of a truncation, and of a trim, fails once: then the log has a prefix of what was to
 * go, or the handle refuses to write; and opening again finds no less than is kept. */
static void cutting_fails_at_every_call(void **state)
{
    static const int errors[] = {EIO, ENOSPC};

    (void)state;
    for (int i = 0; i < 4 * KIT_FORMATS; i++) {
        bool trim = i / KIT_FORMATS % 2 == 1;
        int error = errors[i / (2 * KIT_FORMATS)];

        for (uint64_t at = 0;; at++) {
            struct kit k;
            uint64_t hits;
            uint64_t first = 0;
            stele_code rc;
            stele_wal_stats s;

            kit_begin_sim(&k, kit_formats[i % KIT_FORMATS], NULL);
            kit_open(&k);
            kit_fill(&k, 1, 150);
            kit_fault(&k, SIM_CALLS_SPACE | SIM_CALLS_SYNC | SIM_CALL_RENAME | SIM_CALL_UNLINK, at,
                    error, false);
            rc = trim ? stele_wal_trim(k.wal, 70, &k.err) : stele_wal_truncate(k.wal, 70, &k.err);
            hits = sim_disk_fault_hits(k.w->disk);
            kit_no_fault(&k);
            s = kit_stats(&k);
            kit_holds(&k, s.first_id, s.last_id);
            if (rc == STELE_ENOSPC) {
                kit_holds(&k, 1, 150);
                assert_false(s.failed);
            }
            if (s.failed) {
                reopen_after_failure(&k);
            } else {
                kit_reopen(&k);
            }
            s = kit_stats(&k);
            first = s.first_id;
            assert_true(trim ? s.last_id == 150 && first <= 71 : first == 1 && s.last_id >= 70);
            if (rc == STELE_OK) {
                assert_true(trim ? first > 1 : s.last_id == 70);
            }
            kit_holds(&k, first, s.last_id);
            CHECK_OK(kit_append(&k, s.last_id + 1, 40), &k.err);
            kit_holds(&k, first, s.last_id + 40);
            kit_end(&k);
            if (hits == 0) {
                break;
            }
            assert_true(at < 200);
        }
    }
}

/* The same for close: it says that it failed, and what was acknowledged is there. */
static void closing_fails_at_every_call(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        for (uint64_t at = 0;; at++) {
            struct kit k;
            uint64_t hits;
            stele_wal *wal;
            stele_code rc;

            kit_begin_sim(&k, kit_formats[i], NULL);
            kit_open(&k);
            kit_fill(&k, 1, 30);
            kit_fault(&k, SIM_CALLS_SPACE | SIM_CALLS_SYNC, at, EIO, false);
            wal = k.wal;
            k.wal = NULL;
            rc = stele_wal_close(wal, &k.err);
            hits = sim_disk_fault_hits(k.w->disk);
            CHECK_CODE(rc, hits > 0 ? STELE_EIO : STELE_OK);
            kit_no_fault(&k);
            kit_open(&k);
            kit_holds(&k, 1, 30);
            kit_end(&k);
            if (hits == 0) {
                break;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(failed_writes_and_syncs),
            cmocka_unit_test(the_first_append_fails),
            cmocka_unit_test(no_space_at_every_call),
            cmocka_unit_test(no_space_once),
            cmocka_unit_test(a_full_disk),
            cmocka_unit_test(asynchronous_failures),
            cmocka_unit_test(cutting_fails_at_every_call),
            cmocka_unit_test(closing_fails_at_every_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
