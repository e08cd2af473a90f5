/* SPDX-License-Identifier: MIT
 *
 * golden_test.c: logs and manifests that were frozen in tests/golden/wal are read as
 * on the day when they were made, and today's calls still write the same bytes.
 *
 *     wal_golden_test --write DIR      make them anew
 */
#include "folder.h"
#include "lib/check.h"
#include "lib/tmpdir.h"
#include "scenarios.h"
#include "sim/world.h"
#include "wal/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    PATH_SIZE = 512,
    ENTRIES_MANY = 150 /* more than a slot of the smallest size takes */
};

static void path_of(char out[PATH_SIZE], const char *name)
{
    int n = snprintf(out, PATH_SIZE, "%s/golden/wal/%s", STELE_TESTS_DIR, name);

    assert_in_range(n, 1, PATH_SIZE - 1);
}

/* ---- Logs. ---- */

static void check_records(stele_wal *w, const struct scenario *s, uint64_t last)
{
    stele_wal_iter *it = NULL;
    stele_wal_record record;
    stele_buf buf;
    stele_error err;
    uint64_t id = 0;
    bool empty = false;

    stele_buf_init(&buf, GOLDEN_DATA_MAX);
    CHECK_OK(stele_wal_iter_open(&it, w, 0, &err), &err);
    for (uint64_t want = s->first; want <= last; want++) {
        uint8_t data[GOLDEN_DATA_MAX];
        stele_bytes bytes = golden_data(want, data);

        CHECK_OK(stele_wal_iter_next(it, &record, &err), &err);
        assert_int_equal(record.id, want);
        assert_int_equal(record.data.len, bytes.len);
        assert_true(bytes.len == 0 || memcmp(record.data.data, bytes.data, bytes.len) == 0);
        stele_buf_clear(&buf);
        CHECK_OK(stele_wal_read(w, want, &buf, &err), &err);
        assert_int_equal(buf.len, bytes.len);
        assert_true(bytes.len == 0 || memcmp(buf.data, bytes.data, bytes.len) == 0);
    }
    CHECK_CODE(stele_wal_iter_next(it, &record, &err), STELE_END);
    CHECK_OK(stele_wal_iter_close(it, &err), &err);
    stele_buf_free(&buf);

    CHECK_OK(stele_wal_last_id(w, &id, &empty, &err), &err);
    assert_int_equal(empty, s->first > last);
    assert_true(empty || id == last);
}

static stele_wal *open_log(struct sim_world *world, bool read_only)
{
    stele_wal_options opts;
    stele_wal *w = NULL;
    stele_error err;

    golden_options(&opts, &world->env);
    opts.must_exist = true;
    opts.create_dirs = false;
    opts.read_only = read_only;
    CHECK_OK(stele_wal_open(&w, GOLDEN_DIR, &opts, &err), &err);
    return w;
}

static void close_log(stele_wal *w)
{
    stele_error err;

    CHECK_OK(stele_wal_close(w, &err), &err);
}

static void check_dir(struct sim_world *world, uint64_t faults)
{
    stele_wal_options opts;
    stele_wal_checked checked;
    stele_error err;

    golden_options(&opts, &world->env);
    CHECK_CODE(stele_wal_check_dir(GOLDEN_DIR, &opts, NULL, NULL, &checked, &err),
            faults == 0 ? STELE_OK : STELE_ECORRUPT);
    assert_int_equal(checked.faults, faults);
}

static void write_on(struct sim_world *world, const struct scenario *s)
{
    stele_wal *w = open_log(world, false);
    uint8_t data[GOLDEN_DATA_MAX];
    stele_wal_record record;
    stele_wal_stats stats;
    struct scenario one = *s;
    uint64_t next = 0;
    bool any = false;
    stele_error err;

    check_records(w, s, s->last);
    CHECK_OK(stele_wal_next_id(w, &next, &any, &err), &err);
    assert_int_equal(any, s->next == 0);
    assert_true(any || next == s->next);
    CHECK_OK(stele_wal_stat(w, &stats, &err), &err);
    assert_int_equal(stats.format, s->format);
    record.id = next;
    record.data = golden_data(next, data);
    CHECK_OK(stele_wal_append(w, &record, 1, &err), &err);
    one.first = any ? next : s->first;
    check_records(w, &one, next);
    close_log(w);
    w = open_log(world, true);
    check_records(w, &one, next);
    close_log(w);
    check_dir(world, 0);
}

static void frozen_logs_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < scenario_count; i++) {
        const struct scenario *s = &scenarios[i];
        struct sim_world *world;
        struct sim_image *image;
        char path[PATH_SIZE];
        stele_wal *w;

        print_message("%s\n", s->name);
        path_of(path, s->name);
        image = folder_load(path, GOLDEN_DIR);
        world = sim_world_new(i + 100, image, NULL);
        sim_image_unref(image);
        check_dir(world, s->faults);
        w = open_log(world, true);
        check_records(w, s, s->last);
        close_log(w);
        image = sim_disk_image(world->disk);
        folder_compare(image, path);
        sim_image_unref(image);
        write_on(world, s);
        assert_int_equal(sim_disk_open_count(world->disk), 0);
        sim_world_free(world);
    }
}

static void logs_are_written_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < scenario_count; i++) {
        struct sim_image *image;
        char path[PATH_SIZE];

        if (scenarios[i].same) {
            print_message("%s\n", scenarios[i].name);
            path_of(path, scenarios[i].name);
            image = scenarios[i].make();
            folder_compare(image, path);
            sim_image_unref(image);
        }
    }
}

/* A log that was closed cleanly is not changed by being opened and closed. */
static void open_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < scenario_count; i++) {
        const char *name = scenarios[i].name;
        struct sim_image *image;
        struct sim_world *world;
        char path[PATH_SIZE];

        if (strcmp(name, "killed") == 0 || strcmp(name, "torn") == 0 || strcmp(name, "slot") == 0) {
            continue;
        }
        print_message("%s\n", name);
        path_of(path, name);
        image = folder_load(path, GOLDEN_DIR);
        world = sim_world_new(1, image, NULL);
        sim_image_unref(image);
        close_log(open_log(world, false));
        image = sim_disk_image(world->disk);
        folder_compare(image, path);
        sim_image_unref(image);
        sim_world_free(world);
    }
}

/* ---- Manifests. ---- */

struct manifest_case {
    const char *name;
    stele_wal_format format;
    bool leftovers;
    bool clean;
    size_t entries;
};

static const struct manifest_case manifest_cases[] = {
        {"none", STELE_WAL_STELE, false, true, 0},
        {"three", STELE_WAL_STELE, false, false, 3},
        {"leftovers", STELE_WAL_STELE, true, false, 3},
        {"blb", STELE_WAL_BLB, false, true, 1},
        {"many", STELE_WAL_STELE, true, true, ENTRIES_MANY},
};

enum {
    MANIFEST_CASES = sizeof manifest_cases / sizeof manifest_cases[0]
};

static void entry_of(const struct manifest_case *c, size_t i, struct sti_wal_entry *out)
{
    *out = (struct sti_wal_entry){.number = 40 + 3 * i};
    if (i + 2 < c->entries) {
        out->state = STI_WAL_ENTRY_SEALED;
        out->first_id = 1000 * i + 1;
        out->last_id = 1000 * (i + 1);
        out->end = 4000000000 + i;
    } else if (i + 1 == c->entries && c->entries > 1) {
        out->state = STI_WAL_ENTRY_REUSED;
        out->size = 4096;
    } else {
        out->first_id = 1000 * i + 1;
        out->size = c->format == STELE_WAL_BLB ? 0 : 8192;
        out->end = c->format == STELE_WAL_BLB ? 756 : 0;
    }
}

static void manifest_of(const struct manifest_case *c, struct sti_wal_manifest *m)
{
    *m = (struct sti_wal_manifest){.format = c->format,
            .leftovers = c->leftovers,
            .clean = c->clean,
            .generation = 0x0102030405060708,
            .next_number = 40 + 3 * c->entries};
    for (size_t i = 0; i < c->entries; i++) {
        struct sti_wal_entry entry;
        stele_error err;

        entry_of(c, i, &entry);
        CHECK_OK(sti_wal_manifest_add(m, &entry, &err), &err);
    }
}

static uint8_t *encode(const struct manifest_case *c, size_t *len)
{
    struct sti_wal_manifest m;
    uint8_t *bytes;

    manifest_of(c, &m);
    *len = sti_wal_manifest_size(m.count);
    bytes = malloc(*len);
    assert_non_null(bytes);
    sti_wal_manifest_encode(bytes, &m);
    sti_wal_manifest_free(&m);
    return bytes;
}

static void compare_manifest(const struct sti_wal_manifest *m, const struct manifest_case *c)
{
    assert_int_equal(m->format, c->format);
    assert_int_equal(m->leftovers, c->leftovers);
    assert_int_equal(m->clean, c->clean);
    assert_int_equal(m->generation, 0x0102030405060708);
    assert_int_equal(m->next_number, 40 + 3 * c->entries);
    assert_int_equal(m->count, c->entries);
    for (size_t i = 0; i < c->entries; i++) {
        struct sti_wal_entry want;

        entry_of(c, i, &want);
        assert_int_equal(m->entries[i].number, want.number);
        assert_int_equal(m->entries[i].first_id, want.first_id);
        assert_int_equal(m->entries[i].last_id, want.last_id);
        assert_int_equal(m->entries[i].size, want.size);
        assert_int_equal(m->entries[i].end, want.end);
        assert_int_equal(m->entries[i].state, want.state);
    }
}

static void manifests(void **state)
{
    struct tmpdir t;

    (void)state;
    (void)snprintf(t.path, sizeof t.path, "%s/golden/wal/manifests", STELE_TESTS_DIR);
    for (size_t i = 0; i < MANIFEST_CASES; i++) {
        const struct manifest_case *c = &manifest_cases[i];
        struct sti_wal_manifest m = {0};
        uint8_t *frozen;
        uint8_t *today;
        stele_error err;
        size_t len;
        size_t len_today;

        print_message("%s\n", c->name);
        frozen = tmpdir_read(&t, c->name, &len);
        CHECK_OK(sti_wal_manifest_decode(stele_bytes_of(frozen, len), &m, &err), &err);
        compare_manifest(&m, c);
        sti_wal_manifest_free(&m);
        today = encode(c, &len_today);
        assert_int_equal(len_today, len);
        assert_memory_equal(today, frozen, len);
        free(frozen);
        free(today);
    }
}

/* ---- Making them. ---- */

static const char *write_to;

static void write_all(void **state)
{
    char path[PATH_SIZE];
    struct tmpdir t;

    (void)state;
    for (size_t i = 0; i < scenario_count; i++) {
        struct sim_image *image = scenarios[i].make();

        (void)snprintf(path, sizeof path, "%s/%s", write_to, scenarios[i].name);
        folder_save(image, path);
        sim_image_unref(image);
    }
    (void)snprintf(t.path, sizeof t.path, "%s/manifests", write_to);
    (void)mkdir(t.path, 0777);
    for (size_t i = 0; i < MANIFEST_CASES; i++) {
        size_t len;
        uint8_t *bytes = encode(&manifest_cases[i], &len);

        tmpdir_write(&t, manifest_cases[i].name, bytes, len);
        free(bytes);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(frozen_logs_are_read),
            cmocka_unit_test(logs_are_written_the_same),
            cmocka_unit_test(open_changes_nothing),
            cmocka_unit_test(manifests),
    };
    const struct CMUnitTest writing[] = {
            cmocka_unit_test(write_all),
    };

    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        write_to = argv[2];
        return cmocka_run_group_tests(writing, NULL, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
