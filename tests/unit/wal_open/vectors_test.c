/* SPDX-License-Identifier: MIT
 *
 * vectors_test.c: the reference's directories, whole and damaged: what opens, what is refused, and
 * what is there.
 */
#include <stele/wal.h>

#include "lib/check.h"
#include "lib/tmpdir.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    FILE_COUNT = 5,
    DATA_MAX = 1024
};

static const struct {
    const char *name;
    uint64_t last;       /* records 1 to that one are there */
    uint64_t lost_first; /* 0: it opens; else ids that the error names, when it opens or later */
    uint64_t lost_last;
    bool opens;
    bool quarantine;
} variants[] = {
        {"none", 60, 0, 0, true, false},
        {"stray_bak", 60, 0, 0, true, false},
        {"new_empty_file_after_head", 60, 0, 0, true, false},
        {"zero_tail_4096", 60, 0, 0, true, false},
        {"missing_last_file", 54, 0, 0, true, false},
        {"torn_header_5", 59, 0, 0, true, true},
        {"torn_data", 59, 0, 0, true, true},
        {"torn_at_boundary", 59, 0, 0, true, false},
        {"len_plus_one_last", 59, 0, 0, true, true},
        {"bitflip_last_record", 59, 0, 0, true, true},
        {"biglen_last", 59, 0, 0, true, true},
        {"torn_first_record_of_head", 54, 0, 0, true, true},
        {"bitflip_nonhead", 31, 32, 40, true, false},
        {"empty_nonhead", 27, 28, 40, false, false},
};

/* ---- Making a directory. ---- */

static bool copy_file(const struct tmpdir *t, const char *from, const char *name)
{
    char path[1024];
    uint8_t *data;
    size_t len;
    long size;
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%s/%s", STELE_VECTORS, from, name);
    f = fopen(path, "rb");
    if (f == NULL) {
        return false;
    }
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    assert_true(size >= 0);
    rewind(f);
    data = malloc((size_t)size + 1);
    assert_non_null(data);
    len = fread(data, 1, (size_t)size, f);
    assert_int_equal(len, size);
    (void)fclose(f);
    tmpdir_write(t, name, data, len);
    free(data);
    return true;
}

static void copy_all(const struct tmpdir *t, const char *from)
{
    char path[1024];
    struct dirent *entry;
    DIR *d;

    (void)snprintf(path, sizeof path, "%s/%s", STELE_VECTORS, from);
    d = opendir(path);
    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        if (strncmp(entry->d_name, "wal-", 4) == 0) {
            assert_true(copy_file(t, from, entry->d_name));
        }
    }
    (void)closedir(d);
}

/* The files of the base that a variant has, too, and its own. */
static void make_variant(const struct tmpdir *t, const char *variant)
{
    char from[256];
    char list[1024] = "";
    char path[1024];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/blb/variants/%s/MANIFEST.json", STELE_VECTORS, variant);
    f = fopen(path, "rb");
    assert_non_null(f);
    assert_true(fread(list, 1, sizeof list - 1, f) > 0);
    (void)fclose(f);
    for (unsigned i = 0; i < FILE_COUNT; i++) {
        char name[64];

        (void)snprintf(name, sizeof name, "wal-%.10u.log", i);
        if (strstr(list, name) != NULL) {
            assert_true(copy_file(t, "blb/base", name));
        }
    }
    (void)snprintf(from, sizeof from, "blb/variants/%s", variant);
    copy_all(t, from);
}

/* ---- What is in it. ---- */

static void check_data(const stele_wal_record *record)
{
    uint64_t id = record->id;
    size_t len = (size_t)(id * 31 % 200 + 5);

    switch (id % 12) {
    case 0:
    case 1:
        len = (size_t)(id % 12);
        break;
    case 2:
    case 3:
        len = (size_t)(110 + id % 12);
        break;
    case 4:
        len = 700;
        break;
    default:
        break;
    }
    assert_int_equal(record->data.len, len);
    for (size_t j = 0; j < len; j++) {
        assert_int_equal(record->data.data[j], (uint8_t)(j * 7 + id));
    }
}

/* Records first to last; then the end, or an error. */
static void check_iter(
        stele_wal *wal, uint64_t first, uint64_t last, stele_code end, stele_error *err)
{
    stele_wal_iter *it = NULL;
    stele_wal_record record;
    stele_code rc;

    CHECK_OK(stele_wal_iter_open(&it, wal, first, err), err);
    for (uint64_t id = first; id <= last; id++) {
        CHECK_OK(stele_wal_iter_next(it, &record, err), err);
        assert_true(record.id == id);
        check_data(&record);
    }
    rc = stele_wal_iter_next(it, &record, err);
    assert_int_equal(rc, end);
    rc = stele_wal_iter_close(it, NULL);
    assert_int_equal(rc, end == STELE_END ? STELE_OK : end);
}

static bool has_quarantine(const struct tmpdir *t)
{
    struct dirent *entry;
    bool found = false;
    DIR *d = opendir(t->path);

    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        found = found || strncmp(entry->d_name, "quarantine-", 11) == 0;
    }
    (void)closedir(d);
    return found;
}

static void check_lost(const stele_error *err, size_t i)
{
    char text[64];

    (void)snprintf(text, sizeof text, "records %" PRIu64 " to %" PRIu64, variants[i].lost_first,
            variants[i].lost_last);
    CHECK_MESSAGE_HAS(err, text);
    assert_true(strncmp(err->file, "wal-0000000002.log", 18) == 0);
}

static void test_variants(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        struct tmpdir t;
        stele_wal *wal = NULL;
        stele_error err;
        stele_code rc;

        tmpdir_make(&t);
        make_variant(&t, variants[i].name);
        rc = stele_wal_open(&wal, t.path, NULL, &err);
        if (!variants[i].opens) {
            CHECK_CODE(rc, STELE_ECORRUPT);
            check_lost(&err, i);
            assert_false(tmpdir_exists(&t, "wal.manifest"));
        } else {
            CHECK_OK(rc, &err);
            check_iter(wal, 1, variants[i].last,
                    variants[i].lost_first == 0 ? STELE_END : STELE_ECORRUPT, &err);
            if (variants[i].lost_first != 0) {
                check_lost(&err, i);
                check_iter(wal, variants[i].lost_last + 1, 60, STELE_END, &err);
            }
            CHECK_OK(stele_wal_close(wal, &err), &err);
        }
        if (has_quarantine(&t) != variants[i].quarantine) {
            fail_msg("%s: quarantine %d", variants[i].name, !variants[i].quarantine);
        }
        tmpdir_remove(&t);
    }
}

/* Beside the manifest and the lock, opening and closing leaves the reference's files alone. */
static void test_files_stay(void **state)
{
    struct tmpdir t;
    struct tmpdir same;
    stele_wal *wal = NULL;
    stele_error err;

    (void)state;
    tmpdir_make(&t);
    tmpdir_make(&same);
    copy_all(&t, "blb/base");
    copy_all(&same, "blb/base");
    for (int round = 0; round < 2; round++) {
        CHECK_OK(stele_wal_open(&wal, t.path, NULL, &err), &err);
        CHECK_OK(stele_wal_close(wal, &err), &err);
        for (unsigned i = 0; i < FILE_COUNT; i++) {
            char name[64];
            uint8_t *a;
            uint8_t *b;
            size_t a_len;
            size_t b_len;

            (void)snprintf(name, sizeof name, "wal-%.10u.log", i);
            a = tmpdir_read(&t, name, &a_len);
            b = tmpdir_read(&same, name, &b_len);
            assert_int_equal(a_len, b_len);
            assert_memory_equal(a, b, a_len);
            free(a);
            free(b);
        }
    }
    tmpdir_remove(&same);
    tmpdir_remove(&t);
}

/* With a manifest, the loss of the last file is noticed, and what the reference appended is fine.
 */
static void test_manifest(void **state)
{
    struct tmpdir t;
    stele_wal *wal = NULL;
    stele_error err;
    uint8_t *tail;
    size_t len;

    (void)state;
    tmpdir_make(&t);
    copy_all(&t, "blb/base");
    tail = tmpdir_read(&t, "wal-0000000004.log", &len);
    tmpdir_write(&t, "wal-0000000004.log", tail, 0);
    CHECK_OK(stele_wal_open(&wal, t.path, NULL, &err), &err);
    CHECK_OK(stele_wal_close(wal, &err), &err);
    tmpdir_append(&t, "wal-0000000004.log", tail, len);
    CHECK_OK(stele_wal_open(&wal, t.path, NULL, &err), &err);
    check_iter(wal, 1, 60, STELE_END, &err);
    CHECK_OK(stele_wal_close(wal, &err), &err);
    tmpdir_cut(&t, "wal-0000000004.log", len - 1);
    CHECK_CODE(stele_wal_open(&wal, t.path, NULL, &err), STELE_ECORRUPT);
    assert_string_equal(err.file, "wal-0000000004.log");
    {
        char path[TMPDIR_PATH_SIZE];

        tmpdir_path(&t, "wal-0000000004.log", path);
        assert_int_equal(remove(path), 0);
    }
    CHECK_CODE(stele_wal_open(&wal, t.path, NULL, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "wal-0000000004.log");
    CHECK_MESSAGE_HAS(&err, "record 55");
    tmpdir_remove(&t);
    free(tail);
}

static void check_op(const char *name, uint64_t first, uint64_t last, bool empty)
{
    struct tmpdir t;
    stele_wal *wal = NULL;
    stele_error err;
    uint64_t id = 4711;
    bool is_empty = !empty;
    char from[64];

    tmpdir_make(&t);
    (void)snprintf(from, sizeof from, "blb/ops/%s", name);
    copy_all(&t, from);
    CHECK_OK(stele_wal_open(&wal, t.path, NULL, &err), &err);
    CHECK_OK(stele_wal_first_id(wal, &id, &is_empty, &err), &err);
    assert_int_equal(is_empty, empty);
    assert_true(empty || id == first);
    CHECK_OK(stele_wal_last_id(wal, &id, &is_empty, &err), &err);
    assert_true(empty || id == last);
    CHECK_OK(stele_wal_close(wal, &err), &err);
    tmpdir_remove(&t);
}

static void test_ops(void **state)
{
    (void)state;
    check_op("trim_30", 28, 60, false);
    check_op("truncate_0", 0, 0, true);
    check_op("truncate_30_append", 1, 32, false);
    check_op("start_id_0", 0, 10, false);
    check_op("big_records", 1, 3, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_variants),
            cmocka_unit_test(test_files_stay),
            cmocka_unit_test(test_manifest),
            cmocka_unit_test(test_ops),
    };

    return cmocka_run_group_tests_name("wal vectors", tests, NULL, NULL);
}
