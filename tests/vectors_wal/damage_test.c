/* SPDX-License-Identifier: MIT
 *
 * damage_test.c: the reference's damaged directories read without a change,
 * checked, recovered, migrated; and what Stele's manifest beside them makes
 * of the same damage: without it the end of the last file may be a torn
 * write, with it what was acknowledged is known.
 */
#include "blb.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    STELE_SEGMENT = 4096
};

struct variant {
    const char *name;
    uint64_t last;      /* of the records before the damage; these a reader can read */
    uint64_t lost_last; /* damage to acknowledged records: last + 1 to this; 0: a torn tail or none
                         */
    uint64_t faults;    /* that check finds */
    uint64_t kept;      /* whole records that check counts */
    stele_code with_manifest; /* of an open, if Stele had opened the log before the damage */
};

static const struct variant variants[] = {
        {"none", 60, 0, 0, 60, STELE_OK},
        {"torn_header_5", 59, 0, 1, 59, STELE_ECORRUPT},
        {"torn_data", 59, 0, 1, 59, STELE_ECORRUPT},
        {"torn_at_boundary", 59, 0, 0, 59, STELE_ECORRUPT},
        {"torn_first_record_of_head", 54, 0, 1, 54, STELE_ECORRUPT},
        {"len_plus_one_last", 59, 0, 1, 59, STELE_ECORRUPT},
        {"bitflip_last_record", 59, 0, 1, 59, STELE_ECORRUPT},
        {"biglen_last", 59, 0, 1, 59, STELE_ECORRUPT},
        {"zero_tail_4096", 60, 0, 0, 60, STELE_OK},
        {"new_empty_file_after_head", 60, 0, 0, 60, STELE_OK},
        {"stray_bak", 60, 0, 0, 60, STELE_OK},
        {"missing_last_file", 54, 0, 0, 54, STELE_ECORRUPT},
        {"bitflip_nonhead", 31, 40, 1, 51, STELE_OK},
        {"empty_nonhead", 27, 40, 1, 47, STELE_ECORRUPT},
};

static void each_variant(void (*run)(const struct variant *v, const struct tmpdir *t))
{
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        struct tmpdir t;

        print_message("%s\n", variants[i].name);
        tmpdir_make(&t);
        blb_copy_variant(variants[i].name, &t);
        run(&variants[i], &t);
        tmpdir_remove(&t);
    }
}

/* ---- Reading without a change. ---- */

static stele_wal *open_read_only(const struct tmpdir *t)
{
    stele_wal_options opts;
    stele_wal *w = NULL;
    stele_error err;

    blb_options(&opts);
    opts.read_only = true;
    CHECK_OK(stele_wal_open(&w, t->path, &opts, &err), &err);
    return w;
}

/* Records 1 to `last`, and then the damage, if any. */
static void read_up_to(stele_wal *w, uint64_t last, bool damage)
{
    stele_wal_record record;
    stele_wal_iter *it = NULL;
    uint8_t data[1024];
    stele_error err;

    CHECK_OK(stele_wal_iter_open(&it, w, 0, &err), &err);
    for (uint64_t id = 1; id <= last; id++) {
        CHECK_OK(stele_wal_iter_next(it, &record, &err), &err);
        blb_data(id, blb_data_len(id), data);
        assert_int_equal(record.id, id);
        assert_int_equal(record.data.len, blb_data_len(id));
        assert_true(record.data.len == 0 || memcmp(record.data.data, data, record.data.len) == 0);
    }
    CHECK_CODE(stele_wal_iter_next(it, &record, &err), damage ? STELE_ECORRUPT : STELE_END);
    CHECK_CODE(stele_wal_iter_close(it, &err), damage ? STELE_ECORRUPT : STELE_OK);
}

static void run_read_only(const struct variant *v, const struct tmpdir *t)
{
    char *before = blb_snapshot(t);
    char *after;
    stele_error err;
    stele_wal *w = open_read_only(t);

    read_up_to(w, v->last, v->lost_last != 0);
    CHECK_CODE(blb_append(w, v->last + 1, &err), STELE_EREADONLY);
    CHECK_CODE(stele_wal_trim(w, 30, &err), STELE_EREADONLY);
    CHECK_CODE(stele_wal_truncate(w, 30, &err), STELE_EREADONLY);
    blb_close(w);
    after = blb_snapshot(t);
    assert_string_equal(before, after);
    assert_false(tmpdir_exists(t, ".lock"));
    free(before);
    free(after);
}

static void read_only_changes_nothing(void **state)
{
    (void)state;
    each_variant(run_read_only);
}

/* ---- check. ---- */

struct heard {
    const struct variant *v;
    uint64_t faults;
    uint64_t notes; /* of foreign names */
    bool lost;      /* the range of ids was named */
};

static void hear(void *arg, const stele_wal_fault *fault)
{
    struct heard *h = arg;

    assert_true(strlen(fault->text) > 0);
    if (fault->code == STELE_OK) {
        assert_string_equal(h->v->name, "stray_bak");
        assert_string_equal(fault->file, "wal-0000000004.log.bak");
        h->notes++;
        return;
    }
    h->faults++;
    assert_int_equal(fault->code, STELE_ECORRUPT);
    assert_true(strlen(fault->file) > 0);
    if (fault->ids_known && fault->first_id == h->v->last + 1 &&
            fault->last_id == h->v->lost_last) {
        assert_string_equal(fault->file, "wal-0000000002.log");
        h->lost = true;
    }
}

static void run_check(const struct variant *v, const struct tmpdir *t)
{
    struct heard h = {.v = v};
    stele_wal_checked checked;
    char *before = blb_snapshot(t);
    char *after;
    stele_error err;

    CHECK_CODE(stele_wal_check_dir(t->path, NULL, hear, &h, &checked, &err),
            v->faults == 0 ? STELE_OK : STELE_ECORRUPT);
    assert_int_equal(h.faults, v->faults);
    assert_int_equal(h.notes, strcmp(v->name, "stray_bak") == 0);
    assert_int_equal(checked.faults, v->faults);
    assert_int_equal(checked.records, v->kept);
    assert_int_equal(h.lost, v->lost_last != 0);
    after = blb_snapshot(t);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void check_finds_the_damage(void **state)
{
    (void)state;
    each_variant(run_check);
}

/* ---- recover. ---- */

struct told {
    uint64_t lost_first;
    uint64_t lost_last;
    uint64_t lost;
    uint64_t files;
};

static void told_lost(void *arg, uint64_t first, uint64_t last)
{
    struct told *told = arg;

    told->lost_first = told->lost == 0 ? first : told->lost_first;
    assert_true(told->lost == 0 || first == told->lost_last + 1);
    told->lost_last = last;
    told->lost++;
}

static void told_quarantine(void *arg, const char *file)
{
    struct told *told = arg;

    assert_int_equal(strncmp(file, "quarantine-", 11), 0);
    told->files++;
}

static void recover(
        const struct tmpdir *t, bool dry_run, struct told *told, stele_wal_recovered *recovered)
{
    const stele_wal_recover_events events = {
            .arg = told, .lost = told_lost, .quarantine = told_quarantine};
    stele_wal_options opts;
    stele_error err;

    *told = (struct told){0};
    blb_options(&opts);
    opts.dry_run = dry_run;
    CHECK_OK(stele_wal_recover_dir(t->path, &opts, &events, recovered, &err), &err);
}

static void run_recover(const struct variant *v, const struct tmpdir *t)
{
    stele_wal_recovered dry;
    stele_wal_recovered done;
    stele_wal_checked checked;
    struct told told;
    struct told again;
    char *before = blb_snapshot(t);
    char *after;
    uint64_t bytes;
    stele_error err;
    stele_wal *w;

    recover(t, true, &told, &dry);
    after = blb_snapshot(t);
    assert_string_equal(before, after);
    free(before);
    free(after);

    recover(t, false, &again, &done);
    assert_memory_equal(&told, &again, sizeof told);
    assert_int_equal(dry.records, done.records);
    assert_int_equal(dry.segments, done.segments);
    assert_int_equal(dry.cut_bytes, done.cut_bytes);
    assert_int_equal(done.records, v->last);
    assert_int_equal(told.lost_first, v->lost_last != 0 ? v->last + 1 : 0);
    assert_int_equal(told.lost_last, v->lost_last != 0 ? 60 : 0);
    assert_int_equal(blb_quarantine(t, &bytes), told.files);
    assert_int_equal(bytes, done.cut_bytes);
    CHECK_OK(stele_wal_check_dir(t->path, NULL, NULL, NULL, &checked, &err), &err);
    assert_int_equal(checked.records, v->last);

    before = blb_snapshot(t);
    recover(t, false, &again, &done);
    assert_int_equal(again.lost, 0);
    assert_int_equal(again.files, 0);
    assert_int_equal(done.cut_bytes, 0);
    assert_int_equal(done.records, v->last);
    after = blb_snapshot(t);
    assert_string_equal(before, after);
    free(before);
    free(after);

    w = blb_open(t);
    blb_check_ids(w, 1, v->last);
    CHECK_OK(blb_append(w, v->last + 1, &err), &err);
    blb_check_ids(w, 1, v->last + 1);
    blb_close(w);
}

static void recover_keeps_what_is_before(void **state)
{
    (void)state;
    each_variant(run_recover);
}

/* ---- migrate, there and back. ---- */

/* All bytes of the segment files, one file after the other. */
static uint8_t *all_records(const struct tmpdir *t, size_t *len)
{
    char command[TMPDIR_PATH_SIZE + 64];
    uint8_t *all = malloc((size_t)1 << 20);
    FILE *f;

    assert_non_null(all);
    (void)snprintf(command, sizeof command, "cd '%s' && wc -c wal-*.log && cat wal-*.log", t->path);
    f = popen(command, "r");
    assert_non_null(f);
    *len = fread(all, 1, (size_t)1 << 20, f);
    assert_int_equal(pclose(f), 0);
    return all;
}

static void migrate(const struct tmpdir *t, stele_wal_format to, stele_code want)
{
    stele_wal_options opts;
    uint64_t segments = 0;
    uint64_t migrated = 0;
    stele_error err;

    blb_options(&opts);
    opts.segment_size = to == STELE_WAL_BLB ? BLB_FILE_LIMIT : STELE_SEGMENT;
    CHECK_CODE(stele_wal_migrate_dir(t->path, &opts, to, &segments, &migrated, &err), want);
    assert_true(want != STELE_OK || segments > 0);
}

static void check_migrated(const struct tmpdir *t, uint64_t last)
{
    stele_wal_options opts;
    stele_wal *w = NULL;
    stele_error err;

    stele_wal_options_init(&opts);
    opts.must_exist = true;
    opts.format = STELE_WAL_STELE;
    opts.segment_size = STELE_SEGMENT;
    opts.no_background = true;
    CHECK_OK(stele_wal_open(&w, t->path, &opts, &err), &err);
    blb_check_ids(w, 1, last);
    blb_close(w);
}

static void run_migrate(const struct variant *v, const struct tmpdir *t)
{
    size_t len_before;
    size_t len_after;
    uint8_t *before;
    uint8_t *after;
    stele_wal *w;

    if (v->lost_last != 0) {
        migrate(t, STELE_WAL_STELE, STELE_ECORRUPT);
        blb_check_files(t, json_object_get(blb_result(v->name), "input"));
        assert_false(tmpdir_exists(t, "00000000000000000000.wal"));
        return;
    }
    blb_close(blb_open(t)); /* Cuts what is torn. */
    before = all_records(t, &len_before);
    migrate(t, STELE_WAL_STELE, STELE_OK);
    assert_false(tmpdir_exists(t, "wal-0000000000.log"));
    check_migrated(t, v->last);
    migrate(t, STELE_WAL_BLB, STELE_OK);
    w = blb_open(t);
    blb_check_ids(w, 1, v->last);
    blb_close(w);
    after = all_records(t, &len_after);
    if (strcmp(v->name, "new_empty_file_after_head") != 0 &&
            strcmp(v->name, "torn_first_record_of_head") != 0) {
        assert_int_equal(len_after, len_before);
    }
    free(before);
    free(after);
}

static void migrated_there_and_back(void **state)
{
    (void)state;
    each_variant(run_migrate);
}

/* The whole base comes back as it was, name by name. */
static void base_comes_back(void **state)
{
    struct tmpdir t;

    (void)state;
    tmpdir_make(&t);
    blb_copy("base", &t);
    migrate(&t, STELE_WAL_STELE, STELE_OK);
    migrate(&t, STELE_WAL_BLB, STELE_OK);
    blb_check_files(&t, json_object_get(blb_result("none"), "input"));
    tmpdir_remove(&t);
}

/* ---- With Stele's manifest. ---- */

/* The base as Stele leaves it, then damaged as the variant is. */
static void damage_after_manifest(const struct variant *v, const struct tmpdir *t)
{
    char path[TMPDIR_PATH_SIZE];

    blb_copy("base", t);
    blb_close(blb_open(t));
    assert_true(tmpdir_exists(t, "wal.manifest"));
    blb_check_files(t, json_object_get(blb_result("none"), "input"));
    if (strcmp(v->name, "missing_last_file") == 0) {
        tmpdir_path(t, "wal-0000000004.log", path);
        assert_int_equal(remove(path), 0);
    }
    blb_copy_variant(v->name, t);
}

static void manifest_tells(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        const struct variant *v = &variants[i];
        stele_wal_options opts;
        stele_wal *w = NULL;
        char *before;
        char *after;
        stele_error err;
        struct tmpdir t;

        print_message("%s\n", v->name);
        tmpdir_make(&t);
        damage_after_manifest(v, &t);
        before = blb_snapshot(&t);
        blb_options(&opts);
        CHECK_CODE(stele_wal_open(&w, t.path, &opts, &err), v->with_manifest);
        if (v->with_manifest == STELE_OK) {
            read_up_to(w, v->last, v->lost_last != 0);
            blb_close(w);
        } else {
            after = blb_snapshot(&t);
            assert_string_equal(before, after);
            free(after);
            assert_true(strlen(err.file) > 0);
            w = open_read_only(&t);
            read_up_to(w, v->last, true);
            blb_close(w);
            CHECK_CODE(stele_wal_check_dir(t.path, NULL, NULL, NULL, NULL, &err), STELE_ECORRUPT);
        }
        free(before);
        tmpdir_remove(&t);
    }
}

/* The last record cut off, and the last file gone: the message names file and ids. */
static void manifest_names_the_loss(void **state)
{
    stele_wal_options opts;
    stele_wal *w = NULL;
    stele_error err;
    struct tmpdir t;
    char path[TMPDIR_PATH_SIZE];

    (void)state;
    tmpdir_make(&t);
    blb_copy("base", &t);
    blb_close(blb_open(&t));
    tmpdir_cut(&t, "wal-0000000004.log", 740);
    blb_options(&opts);
    CHECK_CODE(stele_wal_open(&w, t.path, &opts, &err), STELE_ECORRUPT);
    assert_string_equal(err.file, "wal-0000000004.log");
    assert_int_equal(err.position, 740);
    tmpdir_path(&t, "wal-0000000004.log", path);
    assert_int_equal(remove(path), 0);
    CHECK_CODE(stele_wal_open(&w, t.path, &opts, &err), STELE_ECORRUPT);
    assert_string_equal(err.file, "wal-0000000004.log");
    tmpdir_remove(&t);
}

/* The reference appends behind what the manifest knows: to the last file, and to further ones. */
static void reference_goes_on(void **state)
{
    uint8_t record[1024];
    struct tmpdir t;
    stele_wal *w;
    size_t len;

    (void)state;
    tmpdir_make(&t);
    blb_copy("base", &t);
    blb_close(blb_open(&t));
    len = blb_record(61, record);
    tmpdir_append(&t, "wal-0000000004.log", record, len);
    w = blb_open(&t);
    blb_check_ids(w, 1, 61);
    blb_close(w);

    len = blb_record(62, record);
    tmpdir_append(&t, "wal-0000000005.log", record, len);
    len = blb_record(63, record);
    tmpdir_append(&t, "wal-0000000006.log", record, len);
    tmpdir_append(&t, "wal-0000000006.log", record, 7); /* torn */
    w = blb_open(&t);
    blb_check_ids(w, 1, 63);
    blb_close(w);
    assert_int_equal(tmpdir_size(&t, "wal-0000000006.log"), len);
    tmpdir_remove(&t);
}

/* A torn record behind what the manifest knows was never acknowledged by Stele. */
static void torn_behind_manifest(void **state)
{
    uint8_t record[1024];
    uint64_t bytes;
    struct tmpdir t;
    stele_wal *w;
    size_t len;

    (void)state;
    tmpdir_make(&t);
    blb_copy("base", &t);
    blb_close(blb_open(&t));
    len = blb_record(61, record) - 1;
    tmpdir_append(&t, "wal-0000000004.log", record, len);
    w = blb_open(&t);
    blb_check_ids(w, 1, 60);
    assert_int_equal(blb_quarantine(&t, &bytes), 1);
    assert_int_equal(bytes, len);
    blb_close(w);
    blb_check_files(&t, json_object_get(blb_result("none"), "input"));
    tmpdir_remove(&t);
}

/* The reference trims whole files from the front. */
static void reference_trims(void **state)
{
    char path[TMPDIR_PATH_SIZE];
    struct tmpdir t;
    stele_wal *w;

    (void)state;
    tmpdir_make(&t);
    blb_copy("base", &t);
    blb_close(blb_open(&t));
    tmpdir_path(&t, "wal-0000000000.log", path);
    assert_int_equal(remove(path), 0);
    tmpdir_path(&t, "wal-0000000001.log", path);
    assert_int_equal(remove(path), 0);
    w = blb_open(&t);
    blb_check_ids(w, 28, 60);
    blb_close(w);
    tmpdir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(read_only_changes_nothing),
            cmocka_unit_test(check_finds_the_damage),
            cmocka_unit_test(recover_keeps_what_is_before),
            cmocka_unit_test(migrated_there_and_back),
            cmocka_unit_test(base_comes_back),
            cmocka_unit_test(manifest_tells),
            cmocka_unit_test(manifest_names_the_loss),
            cmocka_unit_test(reference_goes_on),
            cmocka_unit_test(torn_behind_manifest),
            cmocka_unit_test(reference_trims),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
