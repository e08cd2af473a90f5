/* SPDX-License-Identifier: MIT
 *
 * tools_test.c: check, recover, migrate, and the figures of a directory.
 */
#include "../wal/kit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SEGMENT_0 "00000000000000000000.wal"

static void make_log(struct kit *k, stele_wal_format format)
{
    kit_begin(k, format);
    k->opts.no_background = true;
    kit_open(k);
    kit_fill(k, 1, 100);
    kit_close(k);
    k->opts.format = STELE_WAL_ANY;
}

static const char *segment(stele_wal_format format, unsigned number, char out[64])
{
    (void)snprintf(out, 64, format == STELE_WAL_BLB ? "wal-%.10u.log" : "%020u.wal", number);
    return out;
}

static void unlink_file(struct kit *k, const char *name)
{
    char path[TMPDIR_PATH_SIZE];

    tmpdir_path(&k->dir, name, path);
    assert_int_equal(unlink(path), 0);
}

/* ---- Check. ---- */

struct faults {
    size_t count;
    char file[64];
    bool ids_known;
    uint64_t first;
    uint64_t last;
};

static void note_fault(void *arg, const stele_wal_fault *fault)
{
    struct faults *f = arg;

    f->count++;
    (void)snprintf(f->file, sizeof f->file, "%s", fault->file);
    f->ids_known = fault->ids_known;
    f->first = fault->first_id;
    f->last = fault->last_id;
}

static void check_is(struct kit *k, stele_code code, struct faults *f)
{
    stele_wal_checked sum;

    memset(f, 0, sizeof *f);
    CHECK_CODE(stele_wal_check_dir(k->dir.path, &k->opts, note_fault, f, &sum, &k->err), code);
}

static void test_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        struct faults f;
        stele_wal_checked sum;
        char name[64];

        make_log(&k, kit_formats[i]);
        CHECK_OK(stele_wal_check_dir(k.dir.path, &k.opts, note_fault, &f, &sum, &k.err), &k.err);
        assert_int_equal(sum.records, 100);
        assert_int_equal(sum.faults, 0);
        assert_true(sum.segments >= 3);
        /* Beside a writer, too. */
        kit_open(&k);
        kit_fill(&k, 101, 130);
        check_is(&k, STELE_OK, &f);
        kit_close(&k);
        tmpdir_flip(&k.dir, segment(kit_formats[i], 1, name), 8 * 700);
        check_is(&k, STELE_ECORRUPT, &f);
        assert_int_equal(f.count, 1);
        assert_string_equal(f.file, name);
        assert_true(f.ids_known && f.first > 1 && f.last < 130 && f.first <= f.last);
        unlink_file(&k, name);
        check_is(&k, STELE_ECORRUPT, &f);
        assert_true(f.ids_known || kit_formats[i] == STELE_WAL_BLB);
        kit_end(&k);
    }
}

static void test_check_tail(void **state)
{
    struct kit k;
    struct faults f;
    uint8_t *data;
    size_t len;
    size_t end;

    (void)state;
    kit_begin(&k, STELE_WAL_STELE);
    CHECK_CODE(stele_wal_check_dir(k.dir.path, NULL, NULL, NULL, NULL, &k.err), STELE_ENOTFOUND);
    kit_open(&k);
    kit_fill(&k, 1, 3);
    kit_close(&k);
    data = tmpdir_read(&k.dir, SEGMENT_0, &len);
    for (end = len; data[end - 1] == 0; end--) {
    }
    data[end - 1] ^= 1;
    tmpdir_write(&k.dir, SEGMENT_0, data, len);
    check_is(&k, STELE_ECORRUPT, &f);
    assert_true(f.count == 1 && !f.ids_known);
    memset(data + end - 22, 0, 24); /* the mark, whose last two bytes are 0 */
    tmpdir_write(&k.dir, SEGMENT_0, data, len);
    check_is(&k, STELE_OK, &f);
    free(data);
    unlink_file(&k, "wal.manifest");
    check_is(&k, STELE_ECORRUPT, &f);
    assert_string_equal(f.file, "wal.manifest");
    kit_end(&k);
}

/* ---- Recover. ---- */

struct events {
    size_t lost;
    uint64_t first;
    uint64_t last;
    size_t quarantined;
};

static void note_lost(void *arg, uint64_t first, uint64_t last)
{
    struct events *e = arg;

    e->lost++;
    e->first = first;
    e->last = last;
}

static void note_quarantine(void *arg, const char *file)
{
    struct events *e = arg;

    assert_true(strncmp(file, "quarantine-", 11) == 0);
    e->quarantined++;
}

static stele_wal_recovered recover(struct kit *k, struct events *e)
{
    const stele_wal_recover_events events = {e, note_lost, note_quarantine};
    stele_wal_recovered sum;

    memset(e, 0, sizeof *e);
    memset(&sum, 0, sizeof sum);
    CHECK_OK(stele_wal_recover_dir(k->dir.path, &k->opts, &events, &sum, &k->err), &k->err);
    return sum;
}

static void recovers(struct kit *k, uint64_t last, uint64_t lost_first, uint64_t lost_last)
{
    struct events e;
    stele_wal_recovered dry;
    stele_wal_recovered sum;

    k->opts.dry_run = true;
    dry = recover(k, &e);
    assert_int_equal(kit_count_files(k, "quarantine-", ""), 0);
    k->opts.dry_run = false;
    sum = recover(k, &e);
    assert_true(memcmp(&dry, &sum, sizeof sum) == 0);
    assert_int_equal(sum.records, last);
    assert_int_equal(e.quarantined, kit_count_files(k, "quarantine-", ""));
    if (lost_first <= lost_last) {
        assert_int_equal(e.lost, 1);
        assert_int_equal(e.first, lost_first);
        assert_int_equal(e.last, lost_last);
        assert_true(sum.cut_bytes > 0);
    } else {
        assert_int_equal(e.lost, 0);
    }
    sum = recover(k, &e);
    assert_int_equal(sum.records, last);
    assert_true(sum.cut_bytes == 0 && e.lost == 0 && e.quarantined == 0);
    kit_open(k);
    kit_holds(k, 1, last);
    kit_fill(k, last + 1, last + 20);
    kit_reopen(k);
    kit_holds(k, 1, last + 20);
    kit_close(k);
    CHECK_OK(stele_wal_check_dir(k->dir.path, &k->opts, NULL, NULL, NULL, &k->err), &k->err);
}

static void test_recover_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_FORMATS; i++) {
        struct kit k;

        make_log(&k, kit_formats[i]);
        recovers(&k, 100, 1, 0);
        kit_end(&k);
    }
}

static void test_recover_damage(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        struct faults f;
        char name[64];

        make_log(&k, kit_formats[i]);
        tmpdir_flip(&k.dir, segment(kit_formats[i], 1, name), 8 * 700);
        check_is(&k, STELE_ECORRUPT, &f);
        recovers(&k, f.first - 1, f.first, 100);
        kit_end(&k);
    }
}

static void test_recover_missing(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        struct faults f;
        char name[64];

        make_log(&k, kit_formats[i]);
        unlink_file(&k, segment(kit_formats[i], 1, name));
        check_is(&k, STELE_ECORRUPT, &f);
        recovers(&k, f.first - 1, f.first, 100);
        kit_end(&k);
    }
}

/* The manifest is made again, with what a truncation left and what followed it. */
static void test_recover_manifest(void **state)
{
    struct kit k;
    stele_wal_iter *it;

    (void)state;
    for (int held = 0; held < 2; held++) {
        make_log(&k, STELE_WAL_STELE);
        unlink_file(&k, "wal.manifest");
        recovers(&k, 100, 1, 0);
        kit_open(&k);
        it = held ? kit_iter(&k, 40) : NULL;
        if (it != NULL) {
            kit_gives(it, 40); /* so that the file is not tidied up */
        }
        CHECK_OK(stele_wal_truncate(k.wal, 45, &k.err), &k.err);
        kit_fill(&k, 46, 60);
        (void)stele_wal_iter_close(it, NULL);
        kit_close(&k);
        unlink_file(&k, "wal.manifest");
        recovers(&k, 60, 1, 0);
        kit_end(&k);
    }
}

/* ---- Migrate. ---- */

static void test_migrate(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_FORMATS; i++) {
        stele_wal_format to = kit_formats[1 - i];
        struct kit k;
        uint64_t segments = 0;
        uint64_t migrated = 0;
        stele_wal_stats stats;

        make_log(&k, kit_formats[i]);
        k.opts.dry_run = true;
        CHECK_OK(stele_wal_migrate_dir(k.dir.path, &k.opts, to, &segments, &migrated, &k.err),
                &k.err);
        assert_true(segments >= 3 && migrated == segments);
        k.opts.dry_run = false;
        CHECK_OK(stele_wal_stat_dir(k.dir.path, &k.opts, &stats, &k.err), &k.err);
        assert_int_equal(stats.format, kit_formats[i]);
        CHECK_OK(stele_wal_migrate_dir(k.dir.path, &k.opts, to, &segments, &migrated, &k.err),
                &k.err);
        assert_true(segments >= 3 && migrated == segments);
        CHECK_OK(stele_wal_stat_dir(k.dir.path, &k.opts, &stats, &k.err), &k.err);
        assert_int_equal(stats.format, to);
        assert_int_equal(
                kit_count_files(&k, "", kit_formats[i] == STELE_WAL_BLB ? ".log" : ".wal"), 0);
        CHECK_OK(stele_wal_migrate_dir(k.dir.path, &k.opts, to, &segments, &migrated, &k.err),
                &k.err);
        assert_int_equal(migrated, 0);
        kit_open(&k);
        kit_holds(&k, 1, 100);
        kit_fill(&k, 101, 150);
        kit_reopen(&k);
        kit_holds(&k, 1, 150);
        kit_end(&k);
    }
}

static void test_migrate_refuses(void **state)
{
    struct kit k;
    stele_wal_record record = {.id = 101};
    uint8_t *large = calloc(1, STELE_WAL_BLB_RECORD_MAX + 1);

    (void)state;
    assert_non_null(large);
    make_log(&k, STELE_WAL_STELE);
    tmpdir_write(&k.dir, "wal-0000000007.log", "mine", 4);
    CHECK_CODE(stele_wal_migrate_dir(k.dir.path, &k.opts, STELE_WAL_BLB, NULL, NULL, &k.err),
            STELE_EEXIST);
    assert_true(tmpdir_exists(&k.dir, "wal-0000000007.log"));
    unlink_file(&k, "wal-0000000007.log");
    kit_open(&k);
    record.data = stele_bytes_of(large, STELE_WAL_BLB_RECORD_MAX + 1);
    CHECK_OK(stele_wal_append(k.wal, &record, 1, &k.err), &k.err);
    kit_close(&k);
    CHECK_CODE(stele_wal_migrate_dir(k.dir.path, &k.opts, STELE_WAL_BLB, NULL, NULL, &k.err),
            STELE_ETOOBIG);
    CHECK_MESSAGE_HAS(&k.err, "record 101");
    assert_int_equal(kit_count_files(&k, "wal-", ".log"), 0);
    kit_end(&k);
    free(large);
}

static void test_migrate_empty(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_FORMATS; i++) {
        struct kit k;

        kit_begin(&k, kit_formats[i]);
        kit_open(&k);
        kit_close(&k);
        k.opts.format = STELE_WAL_ANY;
        CHECK_OK(stele_wal_migrate_dir(k.dir.path, &k.opts, kit_formats[1 - i], NULL, NULL, &k.err),
                &k.err);
        kit_open(&k);
        kit_fill(&k, 7, 9);
        kit_holds(&k, 7, 9);
        kit_end(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_check),
            cmocka_unit_test(test_check_tail),
            cmocka_unit_test(test_recover_whole),
            cmocka_unit_test(test_recover_damage),
            cmocka_unit_test(test_recover_missing),
            cmocka_unit_test(test_recover_manifest),
            cmocka_unit_test(test_migrate),
            cmocka_unit_test(test_migrate_refuses),
            cmocka_unit_test(test_migrate_empty),
    };

    return cmocka_run_group_tests_name("wal tools", tests, NULL, NULL);
}
