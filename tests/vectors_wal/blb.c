/* SPDX-License-Identifier: MIT */
#include "blb.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static void path_of(char out[TMPDIR_PATH_SIZE], const char *file)
{
    int n = snprintf(out, TMPDIR_PATH_SIZE, "%s/vectors/blb/%s", STELE_TESTS_DIR, file);

    assert_in_range(n, 1, TMPDIR_PATH_SIZE - 1);
}

/* ---- Records. ---- */

size_t blb_data_len(uint64_t id)
{
    switch (id % 12) {
    case 0:
        return 0;
    case 1:
        return 1;
    case 2:
        return 112;
    case 3:
        return 113;
    case 4:
        return 700;
    default:
        return (size_t)(id * 31 % 200 + 5);
    }
}

void blb_data(uint64_t id, size_t len, uint8_t *out)
{
    for (size_t j = 0; j < len; j++) {
        out[j] = (uint8_t)(j * 7 + id);
    }
}

static uint32_t crc_of(const uint8_t *data, size_t len)
{
    uint32_t crc = 0xFFFFFFFFU;

    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0x82F63B78U & (0U - (crc & 1U)));
        }
    }
    return ~crc;
}

static void put_le(uint8_t *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

size_t blb_record(uint64_t id, uint8_t *out)
{
    size_t len = blb_data_len(id);

    put_le(out, id, 8);
    put_le(out + 8, len, 4);
    blb_data(id, len, out + 12);
    put_le(out + 12 + len, crc_of(out, 12 + len), 4);
    return len + 16;
}

/* ---- Files. ---- */

static void copy_file(const char *folder, const char *name, const struct tmpdir *to)
{
    struct tmpdir from;
    uint8_t *data;
    size_t len;

    path_of(from.path, folder);
    data = tmpdir_read(&from, name, &len);
    tmpdir_write(to, name, data, len);
    free(data);
}

void blb_copy(const char *folder, const struct tmpdir *to)
{
    char path[TMPDIR_PATH_SIZE];
    const struct dirent *entry;
    DIR *dir;

    path_of(path, folder);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.' && strstr(entry->d_name, ".json") == NULL) {
            copy_file(folder, entry->d_name, to);
        }
    }
    (void)closedir(dir);
}

void blb_copy_variant(const char *variant, const struct tmpdir *to)
{
    char folder[64];
    char path[TMPDIR_PATH_SIZE];
    json_t *manifest;
    json_t *name;
    size_t i;

    (void)snprintf(folder, sizeof folder, "variants/%s/MANIFEST.json", variant);
    path_of(path, folder);
    manifest = json_load_file(path, 0, NULL);
    assert_non_null(manifest);
    json_array_foreach(json_object_get(manifest, "same_as_base"), i, name)
    {
        copy_file("base", json_string_value(name), to);
    }
    json_decref(manifest);
    (void)snprintf(folder, sizeof folder, "variants/%s", variant);
    blb_copy(folder, to);
}

static json_t *load_results(void)
{
    json_t *all = json_array();
    char path[TMPDIR_PATH_SIZE];
    char *line = NULL;
    size_t capacity = 0;
    FILE *f;

    path_of(path, "results.jsonl");
    f = fopen(path, "r");
    assert_non_null(f);
    while (getline(&line, &capacity, f) > 0) {
        json_t *parsed = json_loads(line, 0, NULL);

        assert_non_null(parsed);
        assert_int_equal(json_array_append_new(all, parsed), 0);
    }
    free(line);
    assert_int_equal(fclose(f), 0);
    return all;
}

static json_t *results;

static void free_results(void)
{
    json_decref(results);
}

const json_t *blb_result(const char *name)
{
    json_t *line;
    size_t i;

    if (results == NULL) {
        results = load_results();
        (void)atexit(free_results);
    }
    json_array_foreach(results, i, line)
    {
        const char *variant = json_string_value(json_object_get(line, "variant"));
        const char *op = json_string_value(json_object_get(line, "op"));

        if (strcmp(variant != NULL ? variant : op, name) == 0) {
            return line;
        }
    }
    print_error("no result for %s\n", name);
    fail();
    return NULL;
}

/* ---- Handles. ---- */

void blb_options(stele_wal_options *opts)
{
    stele_wal_options_init(opts);
    opts->must_exist = true;
    opts->segment_size = BLB_FILE_LIMIT;
    opts->no_background = true;
}

stele_wal *blb_open(const struct tmpdir *t)
{
    stele_wal_options opts;
    stele_wal *w = NULL;
    stele_error err;

    blb_options(&opts);
    CHECK_OK(stele_wal_open(&w, t->path, &opts, &err), &err);
    return w;
}

void blb_close(stele_wal *w)
{
    stele_error err;

    CHECK_OK(stele_wal_close(w, &err), &err);
}

stele_code blb_append(stele_wal *w, uint64_t id, stele_error *err)
{
    uint8_t data[1024];
    size_t len = blb_data_len(id);
    stele_wal_record record = {.id = id, .data = stele_bytes_of(data, len)};

    blb_data(id, len, data);
    return stele_wal_append(w, &record, 1, err);
}

static void check_bound(stele_wal *w, const json_t *want,
        stele_code (*ask)(stele_wal *, uint64_t *, bool *, stele_error *))
{
    uint64_t id = 0;
    bool empty = false;
    stele_error err;

    CHECK_OK(ask(w, &id, &empty, &err), &err);
    assert_int_equal(empty, json_is_true(json_object_get(want, "empty")));
    assert_int_equal(id, json_integer_value(json_object_get(want, "id")));
}

void blb_check_bounds(stele_wal *w, const json_t *first, const json_t *last)
{
    check_bound(w, first, stele_wal_first_id);
    check_bound(w, last, stele_wal_last_id);
}

static void check_record(const stele_wal_record *record, uint64_t id, size_t len)
{
    uint8_t *data = malloc(len + 1);

    assert_non_null(data);
    blb_data(id, len, data);
    assert_int_equal(record->id, id);
    assert_int_equal(record->data.len, len);
    assert_true(len == 0 || memcmp(record->data.data, data, len) == 0);
    free(data);
}

static void check_read(stele_wal *w, uint64_t id, size_t len)
{
    stele_wal_record record = {.id = id};
    stele_error err;
    stele_buf buf;

    stele_buf_init(&buf, BLB_DATA_MAX);
    CHECK_OK(stele_wal_read(w, id, &buf, &err), &err);
    record.data = stele_buf_view(&buf);
    check_record(&record, id, len);
    stele_buf_free(&buf);
}

/* From `start`: these ids; what comes then is returned. */
static stele_code iterate(stele_wal *w, uint64_t start, uint64_t first, uint64_t last, bool big)
{
    stele_wal_record record;
    stele_wal_iter *it = NULL;
    stele_error err;
    stele_code rc;

    CHECK_OK(stele_wal_iter_open(&it, w, start, &err), &err);
    for (uint64_t id = first; id <= last; id++) {
        size_t len = big && id <= 3 ? BLB_DATA_MAX : blb_data_len(id);

        CHECK_OK(stele_wal_iter_next(it, &record, &err), &err);
        check_record(&record, id, len);
        check_read(w, id, len);
    }
    rc = stele_wal_iter_next(it, &record, &err);
    assert_int_equal(stele_wal_iter_error(it, &err), rc == STELE_END ? STELE_OK : rc);
    CHECK_CODE(stele_wal_iter_close(it, &err), rc == STELE_END ? STELE_OK : rc);
    return rc;
}

void blb_check_ids(stele_wal *w, uint64_t first, uint64_t last)
{
    uint64_t id = 0;
    bool empty = true;
    stele_error err;

    CHECK_OK(stele_wal_first_id(w, &id, &empty, &err), &err);
    assert_false(empty);
    assert_int_equal(id, first);
    CHECK_OK(stele_wal_last_id(w, &id, &empty, &err), &err);
    assert_false(empty);
    assert_int_equal(id, last);
    CHECK_CODE(iterate(w, 0, first, last, false), STELE_END);
}

void blb_check_empty(stele_wal *w)
{
    uint64_t id = 0;
    bool empty = false;
    stele_error err;

    CHECK_OK(stele_wal_first_id(w, &id, &empty, &err), &err);
    assert_true(empty);
    CHECK_CODE(iterate(w, 0, 1, 0, false), STELE_END);
}

void blb_check_iteration(stele_wal *w, const json_t *iteration, bool big)
{
    const json_t *ids = json_array_get(json_object_get(iteration, "ids"), 0);
    uint64_t start = (uint64_t)json_integer_value(json_object_get(iteration, "start"));
    uint64_t first = 1;
    uint64_t last = 0;

    if (ids != NULL) {
        first = (uint64_t)json_integer_value(json_array_get(ids, 0));
        last = (uint64_t)json_integer_value(json_array_get(ids, 1));
    }
    assert_in_range(json_array_size(json_object_get(iteration, "ids")), 0, 1);
    CHECK_CODE(iterate(w, start, first, last, big),
            json_is_null(json_object_get(iteration, "err")) ? STELE_END : STELE_ECORRUPT);
}

/* ---- Directories. ---- */

static FILE *run(const struct tmpdir *t, const char *what)
{
    char command[TMPDIR_PATH_SIZE + 128];
    FILE *f;

    (void)snprintf(command, sizeof command, "cd '%s' && LC_ALL=C %s", t->path, what);
    f = popen(command, "r");
    assert_non_null(f);
    return f;
}

/* wal-, ten digits, .log */
static bool is_segment(const char *name)
{
    return strlen(name) == 18 && strncmp(name, "wal-", 4) == 0 && strcmp(name + 14, ".log") == 0;
}

void blb_check_files(const struct tmpdir *t, const json_t *files)
{
    FILE *f = run(t, "sha256sum wal-*.log");
    const json_t *want;
    char sha256[65];
    char name[64];
    size_t i = 0;

    while (fscanf(f, "%64s %63s", sha256, name) == 2) {
        want = json_array_get(files, i);
        assert_true(is_segment(name));
        if (want == NULL) {
            print_error("%s should not be there\n", name);
            fail();
        }
        i++;
        sha256[16] = '\0';
        assert_string_equal(name, json_string_value(json_object_get(want, "file")));
        assert_int_equal(tmpdir_size(t, name), json_integer_value(json_object_get(want, "size")));
        assert_string_equal(sha256, json_string_value(json_object_get(want, "sha256")));
    }
    assert_int_equal(pclose(f), 0);
    want = json_array_get(files, i);
    assert_true(want == NULL || !is_segment(json_string_value(json_object_get(want, "file"))));
}

char *blb_snapshot(const struct tmpdir *t)
{
    FILE *f = run(t, "sha256sum -- *");
    char *text = NULL;
    size_t capacity = 0;

    assert_true(getdelim(&text, &capacity, '\0', f) > 0);
    assert_int_equal(pclose(f), 0);
    return text;
}

size_t blb_quarantine(const struct tmpdir *t, uint64_t *bytes)
{
    const struct dirent *entry;
    DIR *dir = opendir(t->path);
    size_t count = 0;

    assert_non_null(dir);
    *bytes = 0;
    while ((entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, "quarantine-", 11) == 0) {
            *bytes += tmpdir_size(t, entry->d_name);
            count++;
        }
    }
    (void)closedir(dir);
    return count;
}
