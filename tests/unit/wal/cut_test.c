/* SPDX-License-Identifier: MIT
 *
 * cut_test.c: forgetting records at the end and at the front, in both formats.
 */
#include "kit.h"

#include <inttypes.h>

/* ---- At the end. ---- */

/* Every place at which a log of several segments can be cut: then it goes on, and is opened again.
 */
static void truncate_everywhere(void **state)
{
    enum {
        FIRST = 5,
        LAST = 130
    };

    (void)state;
    for (int i = 0; i < 2 * KIT_FORMATS; i++) {
        for (uint64_t keep = FIRST - 2; keep <= LAST + 1; keep++) {
            struct kit k;
            uint64_t last = keep > LAST ? LAST : keep;
            bool emptied = keep < FIRST;

            kit_begin_sim(&k, kit_formats[i % KIT_FORMATS], NULL);
            kit_open(&k);
            kit_fill(&k, FIRST, LAST);
            if (i >= KIT_FORMATS) {
                kit_reopen(&k);
            }
            CHECK_OK(stele_wal_truncate(k.wal, keep, &k.err), &k.err);
            kit_next_is(&k, emptied ? 1 : last + 1, emptied);
            kit_holds(&k, emptied ? 1 : FIRST, emptied ? 0 : last);
            if (keep % 2 == 0) {
                kit_reopen(&k);
                kit_holds(&k, emptied ? 1 : FIRST, emptied ? 0 : last);
                kit_next_is(&k, emptied ? 1 : last + 1, emptied);
            }
            if (emptied) {
                last = 999;
            }
            kit_fill(&k, last + 1, last + 40);
            kit_holds(&k, emptied ? 1000 : FIRST, last + 40);
            kit_reopen(&k);
            kit_holds(&k, emptied ? 1000 : FIRST, last + 40);
            kit_end(&k);
        }
    }
}

static void truncate_again_and_again(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        uint64_t last = 0;

        kit_begin_sim(&k, kit_formats[i], NULL);
        kit_open(&k);
        for (uint64_t n = 1; n < 200; n++) {
            uint64_t keep = n * 7 % (last + 1);

            CHECK_OK(kit_append(&k, last + 1, 1 + n % 9), &k.err);
            last += 1 + n % 9;
            if (n % 3 == 0 && keep > 0) {
                CHECK_OK(stele_wal_truncate(k.wal, keep, &k.err), &k.err);
                last = keep;
            }
            if (n % 10 == 0) {
                kit_reopen(&k);
            }
            if (n % 5 == 0) {
                kit_holds(&k, 1, last);
            }
        }
        kit_end(&k);
    }
}

/* The map of an iterator outlives what is cut away under it. */
static void what_was_lent_stays(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        uint8_t buffer[KIT_DATA_MAX];
        stele_bytes data = kit_data(99, buffer);
        stele_wal_iter *it;
        stele_wal_record r;

        kit_begin(&k, kit_formats[i]);
        kit_open(&k);
        kit_fill(&k, 1, 100);
        it = kit_iter(&k, 99);
        CHECK_OK(stele_wal_iter_next(it, &r, &k.err), &k.err);
        CHECK_OK(stele_wal_truncate(k.wal, 10, &k.err), &k.err);
        kit_fill(&k, 11, 100);
        CHECK_OK(stele_wal_truncate(k.wal, 0, &k.err), &k.err);
        kit_fill(&k, 1, 100);
        CHECK_BYTES(r.data, data);
        CHECK_CODE(stele_wal_close(k.wal, &k.err), STELE_ESTATE);
        kit_lost(it);
        kit_holds(&k, 1, 100);
        kit_end(&k);
    }
}

static void iterators_and_truncation(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        stele_wal_iter *before;
        stele_wal_iter *at;
        stele_wal_iter *behind;
        stele_wal_iter *end;
        stele_wal_iter *far;
        stele_wal_iter *fresh;

        kit_begin(&k, kit_formats[i]);
        kit_open(&k);
        kit_fill(&k, 1, 100);
        before = kit_iter(&k, 40);
        kit_gives(before, 40);
        at = kit_iter(&k, 50);
        kit_gives(at, 50);
        behind = kit_iter(&k, 52);
        end = kit_iter(&k, 90);
        kit_gives_all(end, 90, 100);
        far = kit_iter(&k, 110);
        fresh = kit_iter(&k, 0);
        CHECK_OK(stele_wal_truncate(k.wal, 50, &k.err), &k.err);
        kit_gives_all(before, 41, 50);
        kit_gives_all(at, 1, 0);
        kit_gives_all(fresh, 1, 50);
        kit_lost(behind);
        kit_lost(end);
        kit_fill(&k, 51, 120);
        kit_gives_all(before, 51, 120);
        kit_gives_all(at, 51, 120);
        kit_gives_all(far, 110, 120);
        CHECK_OK(stele_wal_truncate(k.wal, 0, &k.err), &k.err);
        kit_lost(before);
        kit_lost(at);
        kit_lost(far);
        kit_lost(fresh);
        kit_end(&k);
    }
}

/* Two truncations, and an iterator in between that was before both cuts. */
static void an_iterator_and_two_truncations(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        stele_wal_iter *it;

        kit_begin(&k, kit_formats[i]);
        kit_open(&k);
        kit_fill(&k, 1, 5);
        it = kit_iter(&k, 5);
        kit_gives_all(it, 5, 5);
        kit_fill(&k, 6, 9);
        CHECK_OK(stele_wal_truncate(k.wal, 7, &k.err), &k.err);
        CHECK_OK(stele_wal_truncate(k.wal, 5, &k.err), &k.err);
        kit_gives_all(it, 1, 0);
        kit_fill(&k, 6, 12);
        kit_gives_all(it, 6, 12);
        CHECK_OK(stele_wal_iter_close(it, &k.err), &k.err);
        kit_end(&k);
    }
}

/* ---- At the front. ---- */

/* What goes is whole segments, none that holds a later record; in format blb never the last. */
static void trim_everywhere(void **state)
{
    enum {
        FIRST = 3,
        LAST = 130
    };

    (void)state;
    for (int i = 0; i < 2 * KIT_FORMATS; i++) {
        bool blb = kit_formats[i % KIT_FORMATS] == STELE_WAL_BLB;

        for (uint64_t discard = FIRST - 1; discard <= LAST + 2; discard++) {
            struct kit k;
            uint64_t first = 0;
            uint64_t next = LAST + 1;
            bool empty = false;

            kit_begin_sim(&k, kit_formats[i % KIT_FORMATS], NULL);
            kit_open(&k);
            kit_fill(&k, FIRST, LAST);
            if (i >= KIT_FORMATS) {
                kit_reopen(&k);
            }
            CHECK_OK(stele_wal_trim(k.wal, discard, &k.err), &k.err);
            CHECK_OK(stele_wal_first_id(k.wal, &first, &empty, &k.err), &k.err);
            assert_int_equal(empty, !blb && discard >= LAST);
            if (empty) {
                kit_holds(&k, 1, 0);
                kit_next_is(&k, 1, true);
                first = next = 500;
            } else {
                assert_true(first <= discard + 1);
                kit_holds(&k, first, LAST);
            }
            if (discard % 2 == 0) {
                kit_reopen(&k);
                kit_holds(&k, empty ? 1 : first, empty ? 0 : LAST);
            }
            kit_fill(&k, next, next + 40);
            kit_holds(&k, first, next + 40);
            kit_reopen(&k);
            kit_holds(&k, first, next + 40);
            kit_end(&k);
        }
    }
}

static void trimmed_segments_are_used_again(void **state)
{
    struct kit k;
    uint64_t id = 0;

    (void)state;
    kit_begin(&k, STELE_WAL_STELE);
    k.opts.no_background = true;
    kit_open(&k);
    for (int round = 0; round < 30; round++) {
        kit_fill(&k, id + 1, id + 60);
        id += 60;
        CHECK_OK(stele_wal_trim(k.wal, id - 10, &k.err), &k.err);
    }
    assert_true(kit_stats(&k).recycled > 20);
    assert_true(kit_count_files(&k, "", ".wal") <= 5);
    kit_reopen(&k);
    assert_int_equal(kit_stats(&k).last_id, id);
    kit_end(&k);
}

static void iterators_and_trims(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        stele_wal_iter *begun;
        stele_wal_iter *fresh;
        stele_wal_iter *late;
        stele_wal_record r;
        uint64_t first = 0;
        bool empty;
        stele_code rc = STELE_OK;
        uint64_t id = 1;

        kit_begin(&k, kit_formats[i]);
        kit_open(&k);
        kit_fill(&k, 1, 200);
        begun = kit_iter(&k, 1);
        kit_gives(begun, 1);
        fresh = kit_iter(&k, 0);
        late = kit_iter(&k, 150);
        kit_gives(late, 150);
        CHECK_OK(stele_wal_trim(k.wal, 140, &k.err), &k.err);
        CHECK_OK(stele_wal_first_id(k.wal, &first, &empty, &k.err), &k.err);
        assert_true(first > 100);
        kit_gives_all(fresh, first, 200);
        kit_gives_all(late, 151, 200);
        /* The segment that it is in lasts as long as it needs it. */
        while (rc == STELE_OK) {
            rc = stele_wal_iter_next(begun, &r, &k.err);
            id += rc == STELE_OK ? 1 : 0;
        }
        assert_true(id > 10);
        assert_true(id < first);
        kit_lost(begun);
        kit_fill(&k, 201, 210);
        kit_gives_all(fresh, 201, 210);
        kit_gives_all(late, 201, 210);
        CHECK_OK(stele_wal_iter_close(fresh, &k.err), &k.err);
        CHECK_OK(stele_wal_iter_close(late, &k.err), &k.err);
        kit_end(&k);
    }
}

/* An emptied log goes on where the iterators are, or somewhere else. */
static void iterators_and_a_log_that_begins_anew(void **state)
{
    struct kit k;
    stele_wal_iter *a;
    stele_wal_iter *fresh;

    (void)state;
    kit_begin(&k, STELE_WAL_STELE);
    kit_open(&k);
    kit_fill(&k, 1, 100);
    a = kit_iter(&k, 90);
    kit_gives_all(a, 90, 100);
    CHECK_OK(stele_wal_trim(k.wal, 100, &k.err), &k.err);
    kit_gives_all(a, 1, 0);
    kit_fill(&k, 101, 105);
    kit_gives_all(a, 101, 105);
    CHECK_OK(stele_wal_trim(k.wal, 105, &k.err), &k.err);
    fresh = kit_iter(&k, 0);
    kit_fill(&k, 50, 120);
    kit_gives_all(fresh, 50, 120);
    kit_lost(a);
    CHECK_OK(stele_wal_iter_close(fresh, &k.err), &k.err);
    kit_holds(&k, 50, 120);
    kit_reopen(&k);
    kit_holds(&k, 50, 120);
    kit_end(&k);
}

static void truncate_and_trim_together(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        uint64_t last = 0;
        uint64_t first = 1;
        bool empty = true;

        kit_begin_sim(&k, kit_formats[i], NULL);
        kit_open(&k);
        for (uint64_t n = 0; n < 150; n++) {
            uint64_t span;

            CHECK_OK(kit_append(&k, last + 1, 10 + n % 30), &k.err);
            last += 10 + n % 30;
            CHECK_OK(stele_wal_first_id(k.wal, &first, &empty, &k.err), &k.err);
            assert_false(empty);
            span = last - first + 1;
            if (n % 4 == 1) {
                last = first + n * 13 % span;
                CHECK_OK(stele_wal_truncate(k.wal, last, &k.err), &k.err);
            }
            if (n % 4 == 3) {
                CHECK_OK(stele_wal_trim(k.wal, first + n * 11 % span, &k.err), &k.err);
            }
            if (n % 7 == 6) {
                kit_reopen(&k);
            }
            CHECK_OK(stele_wal_first_id(k.wal, &first, &empty, &k.err), &k.err);
            if (!empty) {
                kit_holds(&k, first, last);
            }
        }
        kit_end(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(truncate_everywhere),
            cmocka_unit_test(truncate_again_and_again),
            cmocka_unit_test(what_was_lent_stays),
            cmocka_unit_test(iterators_and_truncation),
            cmocka_unit_test(an_iterator_and_two_truncations),
            cmocka_unit_test(trim_everywhere),
            cmocka_unit_test(trimmed_segments_are_used_again),
            cmocka_unit_test(iterators_and_trims),
            cmocka_unit_test(iterators_and_a_log_that_begins_anew),
            cmocka_unit_test(truncate_and_trim_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
