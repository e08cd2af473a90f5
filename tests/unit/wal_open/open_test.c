/* SPDX-License-Identifier: MIT
 *
 * open_test.c: what opens, what is refused, and what that leaves on disk.
 */
#include "../wal/kit.h"
#include "base/thread.h"
#include "vfs/vfs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHANGES (SIM_CALL_RENAME | SIM_CALL_UNLINK)

#define SEGMENT_0 "00000000000000000000.wal"
#define SEGMENT_1 "00000000000000000001.wal"
#define SEGMENT_2 "00000000000000000002.wal"

static void unlink_file(struct kit *k, const char *name)
{
    char path[TMPDIR_PATH_SIZE];

    tmpdir_path(&k->dir, name, path);
    assert_int_equal(unlink(path), 0);
}

static void refused(struct kit *k, stele_code code, const char *text)
{
    stele_wal *wal = NULL;

    CHECK_CODE(stele_wal_open(&wal, k->dir.path, &k->opts, &k->err), code);
    assert_null(wal);
    CHECK_MESSAGE_HAS(&k->err, text);
}

/* A log of three segments and more, closed. */
static void make_log(struct kit *k, stele_wal_format format)
{
    kit_begin(k, format);
    k->opts.no_background = true;
    kit_open(k);
    kit_fill(k, 1, 100);
    kit_close(k);
}

/* ---- Nothing to see. ---- */

static void test_unchanged(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_FORMATS; i++) {
        for (uint64_t upto = 0; upto <= 90; upto += 45) {
            struct kit k;
            uint64_t changes;

            kit_begin_sim(&k, kit_formats[i], NULL);
            kit_open(&k);
            kit_fill(&k, 1, upto);
            kit_reopen(&k); /* once more, for what the first open left undone */
            kit_close(&k);
            changes = sim_disk_calls(k.w->disk, SIM_CALLS_SPACE | CHANGES);
            kit_open(&k);
            kit_holds(&k, 1, upto);
            kit_close(&k);
            /* Opening writes the process number into the lock file. */
            assert_int_equal(sim_disk_calls(k.w->disk, SIM_CALLS_SPACE | CHANGES), changes + 2);
            kit_end(&k);
        }
    }
}

static void test_no_log(void **state)
{
    struct kit k;

    (void)state;
    kit_begin(&k, STELE_WAL_ANY);
    k.opts.must_exist = true;
    refused(&k, STELE_ENOTFOUND, "there is no log");
    assert_false(tmpdir_exists(&k.dir, ".lock"));
    k.opts.must_exist = false;
    k.opts.read_only = true;
    refused(&k, STELE_ENOTFOUND, "there is no log");
    assert_false(tmpdir_exists(&k.dir, ".lock"));
    kit_end(&k);
}

static void test_second_opener(void **state)
{
    struct kit k;
    char pid[32];

    (void)state;
    make_log(&k, STELE_WAL_STELE);
    kit_open(&k);
    (void)snprintf(pid, sizeof pid, "%lld", (long long)getpid());
    refused(&k, STELE_EBUSY, pid);
    kit_end(&k);
}

static void test_format(void **state)
{
    struct kit k;

    (void)state;
    make_log(&k, STELE_WAL_STELE);
    k.opts.format = STELE_WAL_BLB;
    refused(&k, STELE_EMISMATCH, "format stele");
    k.opts.format = STELE_WAL_ANY;
    kit_open(&k);
    kit_holds(&k, 1, 100);
    kit_end(&k);
}

/* ---- What is missing. ---- */

static void test_missing(void **state)
{
    static const char *const names[] = {SEGMENT_0, SEGMENT_1, SEGMENT_2};
    struct kit k;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        make_log(&k, STELE_WAL_STELE);
        unlink_file(&k, names[i]);
        refused(&k, STELE_ECORRUPT, names[i]);
        CHECK_MESSAGE_HAS(&k.err, "are lost");
        kit_end(&k);
    }
    make_log(&k, STELE_WAL_STELE);
    unlink_file(&k, "wal.manifest");
    refused(&k, STELE_ECORRUPT, "stele wal recover");
    kit_end(&k);
}

static void test_old_manifest(void **state)
{
    struct kit k;
    uint8_t *old;
    size_t len;

    (void)state;
    kit_begin(&k, STELE_WAL_STELE);
    k.opts.no_background = true;
    kit_open(&k);
    kit_fill(&k, 1, 5);
    kit_close(&k);
    old = tmpdir_read(&k.dir, "wal.manifest", &len);
    kit_open(&k);
    kit_fill(&k, 6, 200);
    kit_close(&k);
    tmpdir_write(&k.dir, "wal.manifest", old, len);
    refused(&k, STELE_ECORRUPT, "the manifest does not list the segment");
    free(old);
    kit_end(&k);
}

/* ---- What a crash leaves. ---- */

static void test_leftovers(void **state)
{
    struct kit k;

    (void)state;
    make_log(&k, STELE_WAL_STELE);
    tmpdir_write(&k.dir, "tmp-" SEGMENT_0, "x", 1);
    tmpdir_write(&k.dir, "wal.manifest.tmp", "x", 1);
    tmpdir_write(&k.dir, "foreign", "x", 1);
    tmpdir_write(&k.dir, "wal-0000000000.log", "x", 1); /* of no account */
    tmpdir_write(&k.dir, "00000000000000000099.wal", "", 0);
    kit_open(&k);
    kit_holds(&k, 1, 100);
    assert_false(tmpdir_exists(&k.dir, "tmp-" SEGMENT_0));
    assert_false(tmpdir_exists(&k.dir, "wal.manifest.tmp"));
    assert_false(tmpdir_exists(&k.dir, "00000000000000000099.wal"));
    assert_true(tmpdir_exists(&k.dir, "foreign"));
    assert_true(tmpdir_exists(&k.dir, "wal-0000000000.log"));
    kit_end(&k);
}

/* Garbage where the mark was: cut, kept, and nothing is lost. */
static void test_torn(void **state)
{
    struct kit k;
    uint8_t *data;
    size_t len;
    size_t end;

    (void)state;
    kit_begin(&k, STELE_WAL_STELE);
    k.opts.no_background = true;
    kit_open(&k);
    kit_fill(&k, 1, 3);
    kit_close(&k);
    data = tmpdir_read(&k.dir, SEGMENT_0, &len);
    for (end = len; data[end - 1] == 0; end--) {
    }
    data[end - 1] ^= 0x40;
    tmpdir_write(&k.dir, SEGMENT_0, data, len);
    free(data);
    kit_open(&k);
    kit_holds(&k, 1, 3);
    assert_int_equal(kit_count_files(&k, "quarantine-" SEGMENT_0, ""), 1);
    kit_fill(&k, 4, 6);
    kit_reopen(&k);
    kit_holds(&k, 1, 6);
    assert_int_equal(kit_count_files(&k, "quarantine-", ""), 1);
    kit_end(&k);
}

/* On a full disk a log opens, also one that a crash tore. */
static void test_full_disk(void **state)
{
    (void)state;
    for (int torn = 0; torn < 2; torn++) {
        struct kit k;
        struct sim_image *image;
        const struct sim_disk_options options = {.no_trace = true};

        kit_begin_sim(&k, STELE_WAL_STELE, NULL);
        kit_open(&k);
        kit_fill(&k, 1, 40);
        /* As after a kill: no mark. */
        image = sim_disk_image(k.w->disk);
        kit_end(&k);
        memset(&k, 0, sizeof k);
        kit_begin_sim(&k, STELE_WAL_STELE, NULL);
        sim_world_free(k.w);
        k.w = sim_world_new(9, image, &options);
        sim_image_unref(image);
        k.opts.env = &k.w->env;
        if (torn) {
            struct sti_dir dir = {0};
            struct sti_file f = {0};
            stele_wal_stats stats;

            CHECK_OK(stele_wal_stat_dir(k.dir.path, &k.opts, &stats, &k.err), &k.err);
            CHECK_OK(sti_dir_open(&dir, &k.w->env, k.dir.path, 0, &k.err), &k.err);
            CHECK_OK(sti_file_open(&f, &dir, SEGMENT_1, STELE_OPEN_WRITE, &k.err), &k.err);
            CHECK_OK(sti_file_write(&f, 4000, "garbage", 7, &k.err), &k.err);
            sti_file_close(&f);
            sti_dir_close(&dir);
        }
        kit_fault(&k, SIM_CALL_CREATE | SIM_CALL_ALLOCATE | SIM_CALL_TRUNCATE, 1, 28, true);
        kit_open(&k);
        kit_no_fault(&k);
        kit_holds(&k, 1, 40);
        kit_fill(&k, 41, 60);
        kit_holds(&k, 1, 60);
        kit_end(&k);
    }
}

/* ---- Reading only. ---- */

static void test_reader_beside_writer(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        struct kit r;
        stele_wal_iter *it;

        kit_begin(&k, kit_formats[i]);
        k.opts.no_background = true;
        kit_open(&k);
        r = k;
        r.wal = NULL;
        r.opts.read_only = true;
        kit_open(&r);
        it = kit_iter(&r, 0);
        for (uint64_t id = 1; id <= 300; id += 7) {
            kit_fill(&k, id, id + 6);
            kit_gives_all(it, id, id + 6);
            if (id == 148) {
                CHECK_OK(stele_wal_trim(k.wal, 100, &k.err), &k.err);
            }
        }
        CHECK_OK(stele_wal_truncate(k.wal, 290, &k.err), &k.err);
        kit_fill(&k, 291, 310);
        CHECK_OK(stele_wal_iter_close(it, &k.err), &k.err);
        it = kit_iter(&r, 280);
        kit_gives_all(it, 280, 310);
        CHECK_OK(stele_wal_iter_close(it, &k.err), &k.err);
        CHECK_CODE(kit_append(&r, 311, 1), STELE_EREADONLY);
        kit_close(&r);
        kit_end(&k);
    }
}

/* A damaged log is read up to the damage, and behind it where that is known. */
static void test_reader_of_damage(void **state)
{
    struct kit k;
    stele_wal_iter *it;
    stele_wal_record record;
    stele_code rc;
    uint64_t last = 0;

    (void)state;
    make_log(&k, STELE_WAL_STELE);
    unlink_file(&k, SEGMENT_1);
    k.opts.read_only = true;
    kit_open(&k);
    it = kit_iter(&k, 0);
    while ((rc = stele_wal_iter_next(it, &record, &k.err)) == STELE_OK) {
        last = record.id;
    }
    CHECK_CODE(rc, STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&k.err, SEGMENT_1);
    assert_true(last > 10 && last < 90);
    CHECK_CODE(stele_wal_iter_close(it, &k.err), STELE_ECORRUPT);
    it = kit_iter(&k, 100);
    kit_gives_all(it, 100, 100);
    CHECK_OK(stele_wal_iter_close(it, &k.err), &k.err);
    kit_end(&k);
}

/* A writer that appends, rolls over and trims as fast as it can, and a reader that never sees
 * anything but records. */
enum {
    RACE_LAST = 800
};

static void *write_on(void *arg)
{
    struct kit *k = arg;
    uint8_t data[KIT_DATA_MAX];

    for (uint64_t id = 1; id <= RACE_LAST; id++) {
        const stele_wal_record record = {.id = id, .data = kit_data(id, data)};

        if (stele_wal_append(k->wal, &record, 1, &k->err) != STELE_OK ||
                (id % 500 == 0 && stele_wal_trim(k->wal, id - 300, &k->err) != STELE_OK)) {
            return k;
        }
    }
    return NULL;
}

static void read_on(struct kit *r)
{
    uint64_t next = 1;

    while (next <= RACE_LAST) {
        stele_wal_iter *it = kit_iter(r, next);
        stele_wal_record record;
        stele_code rc;

        while ((rc = stele_wal_iter_next(it, &record, &r->err)) == STELE_OK) {
            uint8_t data[KIT_DATA_MAX];

            CHECK_BYTES(record.data, kit_data(record.id, data));
            assert_true(record.id >= next);
            next = record.id + 1;
        }
        if (rc != STELE_END && rc != STELE_ESTATE) {
            CHECK_OK(rc, &r->err);
        }
        (void)stele_wal_iter_close(it, NULL);
    }
}

static void test_race(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_FORMATS; i++) {
        struct kit k;
        struct kit r;
        struct sti_thread writer;

        kit_begin(&k, kit_formats[i]);
        kit_open(&k);
        r = k;
        r.wal = NULL;
        r.opts.read_only = true;
        kit_open(&r);
        assert_int_equal(sti_thread_start(&writer, write_on, &k, &k.err), STELE_OK);
        read_on(&r);
        sti_thread_join(&writer);
        kit_close(&r);
        kit_holds(&k, kit_stats(&k).first_id, RACE_LAST);
        kit_end(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_unchanged),
            cmocka_unit_test(test_no_log),
            cmocka_unit_test(test_second_opener),
            cmocka_unit_test(test_format),
            cmocka_unit_test(test_missing),
            cmocka_unit_test(test_old_manifest),
            cmocka_unit_test(test_leftovers),
            cmocka_unit_test(test_torn),
            cmocka_unit_test(test_full_disk),
            cmocka_unit_test(test_reader_beside_writer),
            cmocka_unit_test(test_reader_of_damage),
            cmocka_unit_test(test_race),
    };

    return cmocka_run_group_tests_name("wal open", tests, NULL, NULL);
}
