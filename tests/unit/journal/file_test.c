/* SPDX-License-Identifier: MIT
 *
 * file_test.c: one log or snapshot: its header, its operations, its end, and each bit of it
 * flipped.
 */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

static stele_code open_one(struct sti_journal_file *f, const struct tmpdir *t,
        enum sti_journal_name_kind kind, uint64_t number, bool no_map, stele_error *err)
{
    struct sti_dir dir;
    stele_code rc;

    kit_dir(&dir, t);
    rc = sti_journal_file_open(f, &dir, kind, number, no_map, err);
    sti_dir_close(&dir);
    return rc;
}

/* How many operations a cursor gives, and how it ends. */
static stele_code walk(struct sti_journal_file *f, bool trusted, uint64_t *count, bool *sealed,
        uint64_t *at, stele_error *err)
{
    struct sti_journal_cursor c;
    stele_journal_op op;
    stele_bytes encoded;
    stele_code rc = STELE_OK;

    *count = 0;
    sti_journal_cursor_init(&c, f);
    c.trusted = trusted;
    while (rc == STELE_OK) {
        rc = sti_journal_cursor_next(&c, &op, &encoded, err);
        *count += rc == STELE_OK ? 1 : 0;
        if (rc == STELE_OK) {
            assert_int_equal(op.kind, STELE_JOURNAL_PUT);
            assert_int_equal(op.timestamp, c.id - 1);
            assert_true(op.value.data + op.value.len == encoded.data + encoded.len);
        }
    }
    *sealed = c.sealed;
    *at = c.at;
    sti_journal_cursor_free(&c);
    return rc;
}

static void logs_are_read(void **state)
{
    struct sti_journal_file f;
    struct tmpdir t;
    stele_error err;
    uint64_t count;
    uint64_t at;
    bool sealed;

    (void)state;
    tmpdir_make(&t);
    kit_whole_log(&t, 5, 11, 50);
    for (int how = 0; how < 6; how++) {
        CHECK_OK(open_one(&f, &t, STI_JOURNAL_NAME_LOG, 5, how % 2 == 0, &err), &err);
        assert_true((f.seg->map == NULL) == (how % 2 == 0));
        if (how >= 4) {
            sti_journal_file_map(&f, true);
            assert_non_null(f.seg->map);
        }
        assert_int_equal(f.first_op, 11);
        CHECK_CODE(walk(&f, how >= 2, &count, &sealed, &at, &err), STELE_END);
        assert_int_equal(count, 40);
        assert_true(sealed);
        sti_journal_file_close(&f);
        sti_journal_file_close(&f);
    }
    tmpdir_remove(&t);
}

/* Whatever bit is flipped, no operation is given that was not there. */
static void every_bit_of_a_log(void **state)
{
    struct sti_journal_file f;
    struct tmpdir t;
    stele_error err;
    uint64_t count;
    uint64_t at;
    bool sealed;

    (void)state;
    tmpdir_make(&t);
    kit_whole_log(&t, 5, 1, 3);
    for (uint64_t bit = 0; bit < 8 * tmpdir_size(&t, "5.log"); bit++) {
        stele_code rc;

        tmpdir_flip(&t, "5.log", bit);
        rc = open_one(&f, &t, STI_JOURNAL_NAME_LOG, 5, bit % 2 == 0, &err);
        CHECK_CODE(rc, STELE_OK);
        CHECK_CODE(walk(&f, false, &count, &sealed, &at, &err), STELE_END);
        assert_true(bit >= (uint64_t)8 * STI_WAL_HEADER_SIZE || f.first_op == 0);
        assert_true(count == (f.first_op == 0 ? 0 : 3) || bit >= 8 * at);
        assert_false(sealed);
        sti_journal_file_close(&f);
        tmpdir_flip(&t, "5.log", bit);
    }
    tmpdir_remove(&t);
}

/* What a crash leaves of a header is a log in which nothing was recorded. */
static void torn_headers(void **state)
{
    struct sti_journal_file f;
    struct kit_file made;
    struct tmpdir t;
    stele_error err;
    uint64_t count;
    uint64_t at;
    bool sealed;

    (void)state;
    tmpdir_make(&t);
    for (uint64_t len = 0; len <= STI_WAL_HEADER_SIZE; len++) {
        kit_whole_log(&t, 5, 1, 3);
        tmpdir_cut(&t, "5.log", len);
        CHECK_OK(open_one(&f, &t, STI_JOURNAL_NAME_LOG, 5, false, &err), &err);
        assert_int_equal(f.first_op, len == STI_WAL_HEADER_SIZE ? 1 : 0);
        CHECK_CODE(walk(&f, false, &count, &sealed, &at, &err), STELE_END);
        assert_int_equal(count, 0);
        sti_journal_file_close(&f);
    }
    kit_log(&made, 5, 1);
    memset(made.bytes, 0, made.len);
    kit_zeros(&made, 5000);
    kit_write(&made, &t);
    CHECK_OK(open_one(&f, &t, STI_JOURNAL_NAME_LOG, 5, false, &err), &err);
    assert_int_equal(f.first_op, 0);
    sti_journal_file_close(&f);
    tmpdir_remove(&t);
}

static void refused(void **state)
{
    struct sti_journal_file f;
    struct kit_file made;
    struct tmpdir t;
    stele_error err;

    (void)state;
    tmpdir_make(&t);
    CHECK_CODE(open_one(&f, &t, STI_JOURNAL_NAME_LOG, 5, false, &err), STELE_ENOTFOUND);
    /* Under another name. */
    kit_log(&made, 5, 1);
    made.number = 6;
    kit_write(&made, &t);
    CHECK_CODE(open_one(&f, &t, STI_JOURNAL_NAME_LOG, 6, false, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "6.log");
    kit_snap(&made, 5, 0);
    made.number = 6;
    kit_end(&made);
    kit_write(&made, &t);
    CHECK_CODE(open_one(&f, &t, STI_JOURNAL_NAME_SNAP, 6, false, &err), STELE_ECORRUPT);
    /* A log for a snapshot, and the other way round. */
    kit_log(&made, 7, 1);
    made.kind = STI_JOURNAL_NAME_SNAP;
    kit_write(&made, &t);
    CHECK_CODE(open_one(&f, &t, STI_JOURNAL_NAME_SNAP, 7, false, &err), STELE_ECORRUPT);
    /* Nothing of it. */
    tmpdir_write(&t, "8.snap", "", 0);
    CHECK_CODE(open_one(&f, &t, STI_JOURNAL_NAME_SNAP, 8, false, &err), STELE_ECORRUPT);
    /* Operation 0. */
    kit_log(&made, 9, 0);
    kit_write(&made, &t);
    CHECK_CODE(open_one(&f, &t, STI_JOURNAL_NAME_LOG, 9, false, &err), STELE_ECORRUPT);
    tmpdir_remove(&t);
}

/* A frame that holds, with data that is no operation. */
static void no_operations(void **state)
{
    static const struct {
        stele_code code;
        uint8_t bytes[12];
    } bad[] = {
            {STELE_EVERSION, {0x21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
            {STELE_EVERSION, {0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
            {STELE_ECORRUPT, {0x11, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
            {STELE_ECORRUPT, {0x1F, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    };
    struct sti_journal_file f;
    struct kit_file made;
    struct tmpdir t;
    stele_error err;
    uint64_t count;
    uint64_t at;
    bool sealed;

    (void)state;
    tmpdir_make(&t);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        kit_log(&made, 5, 1);
        kit_put(&made, "k", "v");
        kit_raw(&made, bad[i].bytes, sizeof bad[i].bytes);
        kit_write(&made, &t);
        CHECK_OK(open_one(&f, &t, STI_JOURNAL_NAME_LOG, 5, false, &err), &err);
        CHECK_CODE(walk(&f, false, &count, &sealed, &at, &err), bad[i].code);
        assert_int_equal(count, 1);
        assert_int_equal(err.position, made.positions[1]);
        assert_string_equal(err.file, "5.log");
        sti_journal_file_close(&f);
    }
    tmpdir_remove(&t);
}

static stele_code verify(
        const struct tmpdir *t, uint64_t number, struct sti_journal_end *end, stele_error *err)
{
    struct sti_journal_file f;
    stele_code rc = open_one(&f, t, STI_JOURNAL_NAME_SNAP, number, number % 2 == 0, err);

    if (rc == STELE_OK) {
        rc = sti_journal_snap_verify(&f, end, err);
        sti_journal_file_close(&f);
    }
    return rc;
}

static void snapshots_are_verified(void **state)
{
    struct sti_journal_end end;
    struct sti_journal_file f;
    struct tmpdir t;
    stele_error err;

    (void)state;
    tmpdir_make(&t);
    for (uint64_t count = 0; count < 20; count += 9) {
        for (uint64_t number = 8; number < 10; number++) {
            kit_whole_snap(&t, number, count);
            CHECK_OK(verify(&t, number, &end, &err), &err);
            assert_true(end.count == count && end.ops == count);
            assert_true(end.latest == (count == 0 ? INT64_MIN : (int64_t)count));
            CHECK_OK(open_one(&f, &t, STI_JOURNAL_NAME_SNAP, number, false, &err), &err);
            memset(&end, 0, sizeof end);
            CHECK_OK(sti_journal_snap_end(&f, &end, &err), &err);
            assert_true(end.count == count && end.ops == count);
            sti_journal_file_close(&f);
        }
    }
    tmpdir_remove(&t);
}

/* Each bit flipped, cut at each place, and with something behind. */
static void snapshots_are_whole(void **state)
{
    struct sti_journal_end end;
    struct tmpdir t;
    stele_error err;
    uint64_t size;

    (void)state;
    tmpdir_make(&t);
    kit_whole_snap(&t, 9, 3);
    size = tmpdir_size(&t, "9.snap");
    for (uint64_t bit = 0; bit < 8 * size; bit++) {
        tmpdir_flip(&t, "9.snap", bit);
        CHECK_CODE(verify(&t, 9, &end, &err), STELE_ECORRUPT);
        assert_string_equal(err.file, "9.snap");
        tmpdir_flip(&t, "9.snap", bit);
    }
    CHECK_OK(verify(&t, 9, &end, &err), &err);
    tmpdir_append(&t, "9.snap", "", 1);
    CHECK_CODE(verify(&t, 9, &end, &err), STELE_ECORRUPT);
    for (uint64_t len = size; len-- > 0;) {
        tmpdir_cut(&t, "9.snap", len);
        CHECK_CODE(verify(&t, 9, &end, &err), STELE_ECORRUPT);
    }
    tmpdir_remove(&t);
}

/* Its end alone tells what it has to, and no more. */
static void ends_are_checked(void **state)
{
    struct sti_journal_end end;
    struct sti_journal_file f;
    struct kit_file made;
    struct tmpdir t;
    stele_error err;

    (void)state;
    tmpdir_make(&t);
    for (int what = 0; what < 3; what++) {
        kit_snap(&made, 9, 7);
        kit_put(&made, "a", "1");
        made.first += what == 1 ? 1 : 0; /* another count than the header has */
        kit_end(&made);
        made.bytes[made.len - 1] ^= what == 2 ? 1 : 0;
        kit_write(&made, &t);
        CHECK_OK(open_one(&f, &t, STI_JOURNAL_NAME_SNAP, 9, false, &err), &err);
        CHECK_CODE(sti_journal_snap_end(&f, &end, &err), what == 0 ? STELE_OK : STELE_ECORRUPT);
        sti_journal_file_close(&f);
        CHECK_CODE(verify(&t, 9, &end, &err), what == 0 ? STELE_OK : STELE_ECORRUPT);
    }
    tmpdir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(logs_are_read),
            cmocka_unit_test(every_bit_of_a_log),
            cmocka_unit_test(torn_headers),
            cmocka_unit_test(refused),
            cmocka_unit_test(no_operations),
            cmocka_unit_test(snapshots_are_verified),
            cmocka_unit_test(snapshots_are_whole),
            cmocka_unit_test(ends_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
