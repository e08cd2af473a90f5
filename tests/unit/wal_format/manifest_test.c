/* SPDX-License-Identifier: MIT
 *
 * manifest_test.c: what a manifest may say, and that an update never leaves none.
 */
#include "wal/manifest.h"

#include "base/coding.h"
#include "base/crc32c.h"
#include "lib/check.h"
#include "sim/crash.h"
#include "sim/world.h"

#include <errno.h>
#include <stdlib.h>

static void add(struct sti_wal_manifest *m, uint64_t number, uint64_t first, uint64_t last,
        uint64_t end, enum sti_wal_entry_state state)
{
    const struct sti_wal_entry entry = {
            .number = number, .first_id = first, .last_id = last, .end = end, .state = state};

    assert_int_equal(sti_wal_manifest_add(m, &entry, NULL), STELE_OK);
}

static void make(struct sti_wal_manifest *m)
{
    memset(m, 0, sizeof *m);
    m->format = STELE_WAL_STELE;
    m->clean = true;
    m->generation = 5;
    m->next_number = 10;
    add(m, 2, 1, 9, 4000, STI_WAL_ENTRY_SEALED);
    add(m, 3, 10, 19, 4000, STI_WAL_ENTRY_SEALED);
    add(m, 7, 20, 0, 64, STI_WAL_ENTRY_OPEN);
    m->entries[2].size = 65536;
    add(m, 9, 0, 0, 0, STI_WAL_ENTRY_REUSED);
}

static void test_round_trip(void **state)
{
    struct sti_wal_manifest m;
    struct sti_wal_manifest back;
    uint8_t bytes[512] = {0};
    size_t size;
    stele_error err;

    (void)state;
    make(&m);
    size = sti_wal_manifest_size(m.count);
    assert_int_equal(size, 28 + 4 * 40 + 4);
    sti_wal_manifest_encode(bytes, &m);
    assert_memory_equal(bytes, "STWM\1\1\2\0\5\0\0\0\0\0\0\0\n\0\0\0\0\0\0\0\4\0\0\0", 28);
    CHECK_OK(sti_wal_manifest_decode(stele_bytes_of(bytes, sizeof bytes), &back, &err), &err);
    assert_true(back.clean && !back.leftovers && back.format == STELE_WAL_STELE);
    assert_true(back.generation == 5 && back.next_number == 10 && back.count == 4);
    for (size_t i = 0; i < back.count; i++) {
        const struct sti_wal_entry *a = &m.entries[i];
        const struct sti_wal_entry *b = &back.entries[i];

        assert_true(a->number == b->number && a->first_id == b->first_id && a->end == b->end);
        assert_true(a->last_id == b->last_id && a->size == b->size && a->state == b->state);
    }
    sti_wal_manifest_free(&back);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        CHECK_CODE(sti_wal_manifest_decode(stele_bytes_of(bytes, sizeof bytes), &back, &err),
                STELE_ECORRUPT);
        assert_null(back.entries);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t len = 0; len < size; len++) {
        CHECK_CODE(
                sti_wal_manifest_decode(stele_bytes_of(bytes, len), &back, &err), STELE_ECORRUPT);
    }
    sti_wal_manifest_free(&m);
}

static stele_code recode(struct sti_wal_manifest *m)
{
    struct sti_wal_manifest back;
    uint8_t bytes[512] = {0};
    stele_code rc;

    sti_wal_manifest_encode(bytes, m);
    rc = sti_wal_manifest_decode(stele_bytes_of(bytes, sizeof bytes), &back, NULL);
    sti_wal_manifest_free(&back);
    sti_wal_manifest_free(m);
    make(m);
    return rc;
}

/* With a right checksum, too, a manifest has to make sense. */
static void test_sense(void **state)
{
    struct sti_wal_manifest m;

    (void)state;
    make(&m);
    CHECK_CODE(recode(&m), STELE_OK);
    m.entries[1].first_id = 11;
    CHECK_CODE(recode(&m), STELE_ECORRUPT);
    m.entries[1].number = 2;
    CHECK_CODE(recode(&m), STELE_ECORRUPT);
    m.next_number = 9;
    CHECK_CODE(recode(&m), STELE_ECORRUPT);
    m.entries[0].last_id = 0;
    CHECK_CODE(recode(&m), STELE_ECORRUPT);
    m.entries[1].last_id = 10 + (4000 - 32) / 24;
    CHECK_CODE(recode(&m), STELE_ECORRUPT);
    m.entries[1].end = 32;
    CHECK_CODE(recode(&m), STELE_ECORRUPT);
    m.entries[1].state = STI_WAL_ENTRY_OPEN;
    CHECK_CODE(recode(&m), STELE_ECORRUPT);
    m.entries[2].state = STI_WAL_ENTRY_SEALED;
    CHECK_CODE(recode(&m), STELE_ECORRUPT);
    m.format = STELE_WAL_BLB;
    CHECK_CODE(recode(&m), STELE_ECORRUPT);
    sti_wal_manifest_free(&m);
}

/* ---- On disk. ---- */

struct fixture {
    struct sim_world *w;
    struct sti_dir dir;
    struct sti_wal_manifest_file file;
};

static void open_dir(struct fixture *f, struct sim_image *image)
{
    memset(f, 0, sizeof *f);
    f->w = sim_world_new(1, image, NULL);
    assert_non_null(f->w);
    assert_int_equal(sti_dir_open(&f->dir, &f->w->env, "/log", STELE_OPEN_CREATE, NULL), STELE_OK);
}

static void close_dir(struct fixture *f)
{
    sti_wal_manifest_close(&f->file);
    sti_dir_close(&f->dir);
    sim_world_free(f->w);
}

static uint64_t generation_at(struct fixture *f, enum sti_wal_slots *slots)
{
    struct sti_wal_manifest m;
    uint64_t generation;
    stele_error err;

    CHECK_OK(sti_wal_manifest_read(&f->dir, &m, slots, NULL, &err), &err);
    generation = m.generation;
    sti_wal_manifest_free(&m);
    return generation;
}

static void test_updates(void **state)
{
    struct fixture f;
    struct sti_wal_manifest m;
    stele_error err;
    enum sti_wal_slots slots;

    (void)state;
    open_dir(&f, NULL);
    make(&m);
    CHECK_CODE(sti_wal_manifest_read(&f.dir, &m, NULL, NULL, &err), STELE_ENOTFOUND);
    for (uint64_t i = 1; i <= 3; i++) {
        CHECK_OK(sti_wal_manifest_write(&f.dir, &f.file, &m, &err), &err);
        assert_true(m.generation == 5 + i);
        assert_true(generation_at(&f, &slots) == 5 + i);
        assert_int_equal(slots, STI_WAL_SLOTS_ALIKE);
    }
    /* Larger slots, when there are many entries. */
    m.entries[3].number = 1000;
    m.next_number = 1001;
    m.count = 2;
    for (uint64_t i = 0; i < 200; i++) {
        add(&m, 10 + i, 20 + i, 20 + i, 100, STI_WAL_ENTRY_SEALED);
    }
    CHECK_OK(sti_wal_manifest_write(&f.dir, &f.file, &m, &err), &err);
    assert_int_equal(f.file.slot_size, 8192);
    assert_true(generation_at(&f, &slots) == 9);
    sti_wal_manifest_close(&f.file);
    sti_wal_manifest_free(&m);
    CHECK_OK(sti_wal_manifest_read(&f.dir, &m, NULL, &f.file, &err), &err);
    CHECK_OK(sti_wal_manifest_write(&f.dir, &f.file, &m, &err), &err);
    assert_true(generation_at(&f, &slots) == 10);
    sti_wal_manifest_free(&m);
    close_dir(&f);
}

/* An update that came to the first of its two slots. */
static void test_half_an_update(void **state)
{
    struct fixture f;
    struct sti_wal_manifest m;
    struct sti_file file = {0};
    enum sti_wal_slots slots;
    uint8_t older[4096];
    unsigned first;

    (void)state;
    open_dir(&f, NULL);
    make(&m);
    assert_int_equal(sti_wal_manifest_write(&f.dir, &f.file, &m, NULL), STELE_OK);
    assert_int_equal(
            sti_file_open(&file, &f.dir, "wal.manifest", STELE_OPEN_WRITE, NULL), STELE_OK);
    assert_int_equal(sti_file_read(&file, 0, older, sizeof older, NULL), STELE_OK);
    assert_int_equal(sti_wal_manifest_write(&f.dir, &f.file, &m, NULL), STELE_OK);
    for (first = 0; first < 2; first++) {
        assert_int_equal(
                sti_file_write(&file, (1 - first) * sizeof older, older, sizeof older, NULL),
                STELE_OK);
        assert_true(generation_at(&f, &slots) == (first == 0 ? 7 : 6));
        assert_int_equal(slots, first == 0 ? STI_WAL_SLOTS_APART : STI_WAL_SLOTS_ALIKE);
    }
    sti_file_close(&file);
    sti_wal_manifest_free(&m);
    close_dir(&f);
}

/* One damaged slot of two changes nothing. */
static void test_damaged_slot(void **state)
{
    (void)state;
    for (unsigned slot = 0; slot < 2; slot++) {
        struct fixture f;
        struct sti_wal_manifest m;
        struct sti_file file = {0};
        enum sti_wal_slots slots;

        open_dir(&f, NULL);
        make(&m);
        assert_int_equal(sti_wal_manifest_write(&f.dir, &f.file, &m, NULL), STELE_OK);
        assert_int_equal(sti_wal_manifest_write(&f.dir, &f.file, &m, NULL), STELE_OK);
        assert_int_equal(
                sti_file_open(&file, &f.dir, "wal.manifest", STELE_OPEN_WRITE, NULL), STELE_OK);
        assert_int_equal(sti_file_write(&file, slot * 4096 + 30, "x", 1, NULL), STELE_OK);
        assert_true(generation_at(&f, &slots) == 7);
        assert_int_equal(slots, STI_WAL_SLOTS_DAMAGED);
        assert_int_equal(sti_file_write(&file, (1 - slot) * 4096 + 30, "x", 1, NULL), STELE_OK);
        sti_wal_manifest_free(&m);
        CHECK_CODE(sti_wal_manifest_read(&f.dir, &m, NULL, NULL, NULL), STELE_ECORRUPT);
        assert_int_equal(sti_file_truncate(&file, 8191, NULL), STELE_OK);
        CHECK_CODE(sti_wal_manifest_read(&f.dir, &m, NULL, NULL, NULL), STELE_ECORRUPT);
        sti_file_close(&file);
        close_dir(&f);
    }
}

/* At each operation of two updates, whatever of it reaches the disk: the manifest that was durable
 * before is there, or the new one. */
static void test_crashes(void **state)
{
    struct fixture f;
    struct sti_wal_manifest m;
    struct sim_cursor *cursor;
    uint64_t ops[4];

    (void)state;
    open_dir(&f, NULL);
    make(&m);
    for (unsigned i = 1; i < 4; i++) {
        assert_int_equal(sti_wal_manifest_write(&f.dir, &f.file, &m, NULL), STELE_OK);
        ops[i] = sim_disk_ops(f.w->disk);
    }
    sti_wal_manifest_free(&m);
    cursor = sim_cursor_new(f.w->disk);
    for (uint64_t op = ops[1]; op <= ops[3]; op++) {
        size_t n = sim_cursor_seek(cursor, op);

        assert_true(n <= 10);
        for (size_t subset = 0; subset < (size_t)1 << n; subset++) {
            uint64_t done = op >= ops[3] ? 8 : op >= ops[2] ? 7 : 6;
            struct fixture g;
            struct sim_image *image;
            uint8_t keep[10];
            uint64_t generation;
            enum sti_wal_slots slots;

            for (size_t i = 0; i < n; i++) {
                keep[i] = subset >> i & 1;
            }
            (void)sim_cursor_choose(cursor, keep);
            image = sim_cursor_image(cursor);
            open_dir(&g, image);
            sim_image_unref(image);
            generation = generation_at(&g, &slots);
            assert_true(generation == done || generation == done + 1);
            close_dir(&g);
        }
    }
    sim_cursor_free(cursor);
    close_dir(&f);
}

/* A full disk takes updates in place, and a failure leaves the old state. */
static void test_failures(void **state)
{
    const struct sim_fault faults[] = {
            {.calls = SIM_CALL_WRITE, .error = ENOSPC},
            {.calls = SIM_CALL_WRITE, .error = EIO},
            {.calls = SIM_CALL_SYNC, .error = EIO},
            {.calls = SIM_CALL_SYNC, .error = ENOSPC},
    };
    struct sti_wal_manifest m;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct fixture f;
        enum sti_wal_slots slots;

        open_dir(&f, NULL);
        make(&m);
        assert_int_equal(sti_wal_manifest_write(&f.dir, &f.file, &m, NULL), STELE_OK);
        sim_disk_set_fault(f.w->disk, &faults[i]);
        CHECK_CODE(sti_wal_manifest_write(&f.dir, &f.file, &m, NULL),
                i == 0 ? STELE_ENOSPC : STELE_EIO);
        assert_true(m.generation == 6);
        sim_disk_set_fault(f.w->disk, NULL);
        if (i < 2) {
            assert_true(generation_at(&f, &slots) == 6);
            assert_int_equal(sti_wal_manifest_write(&f.dir, &f.file, &m, NULL), STELE_OK);
            assert_true(generation_at(&f, &slots) == 7);
            assert_int_equal(slots, STI_WAL_SLOTS_ALIKE);
        }
        sti_wal_manifest_free(&m);
        close_dir(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_round_trip),
            cmocka_unit_test(test_sense),
            cmocka_unit_test(test_updates),
            cmocka_unit_test(test_half_an_update),
            cmocka_unit_test(test_damaged_slot),
            cmocka_unit_test(test_crashes),
            cmocka_unit_test(test_failures),
    };

    return cmocka_run_group_tests_name("wal manifest", tests, NULL, NULL);
}
