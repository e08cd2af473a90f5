/* SPDX-License-Identifier: MIT
 *
 * files.c: reading, copying and comparing directories.
 */
#include "unit/stream_tools/files.h"

#include "base/alloc.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "stream/format.h"
#include "stream/leftovers.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

static uint8_t *read_path(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes;
    long size;

    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    assert_true(size >= 0);
    rewind(f);
    bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)size, f), size);
    (void)fclose(f);
    *len = (size_t)size;
    return bytes;
}

static void write_path(const char *path, const uint8_t *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct one_file *)a)->name, ((const struct one_file *)b)->name);
}

void files_read(struct files *out, const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    out->count = 0;
    out->list = calloc(FILES_MAX, sizeof *out->list);
    assert_non_null(out->list);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        int len;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                strcmp(entry->d_name, ".lock") == 0) {
            continue;
        }
        assert_true(out->count < FILES_MAX);
        len = snprintf(out->list[out->count++].name, FILE_NAME_SIZE, "%s", entry->d_name);
        assert_in_range(len, 1, FILE_NAME_SIZE - 1);
    }
    (void)closedir(dir);
    qsort(out->list, out->count, sizeof *out->list, by_name);
    for (size_t i = 0; i < out->count; i++) {
        char name[2 * TMPDIR_PATH_SIZE];

        (void)snprintf(name, sizeof name, "%s/%s", path, out->list[i].name);
        out->list[i].bytes = read_path(name, &out->list[i].len);
    }
}

void files_free(struct files *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->list[i].bytes);
    }
    free(f->list);
    f->list = NULL;
    f->count = 0;
}

bool files_equal(const struct files *a, const struct files *b)
{
    for (size_t i = 0; i < a->count || i < b->count; i++) {
        const char *left = i < a->count ? a->list[i].name : "(none)";
        const char *right = i < b->count ? b->list[i].name : "(none)";

        if (strcmp(left, right) != 0) {
            print_error("there is %s on one side, %s on the other\n", left, right);
            return false;
        }
        if (a->list[i].len != b->list[i].len ||
                memcmp(a->list[i].bytes, b->list[i].bytes, a->list[i].len) != 0) {
            print_error("%s differs (%zu and %zu bytes)\n", left, a->list[i].len, b->list[i].len);
            return false;
        }
    }
    return true;
}

const char *files_find(const struct files *f, const char *part)
{
    for (size_t i = 0; i < f->count; i++) {
        if (strstr(f->list[i].name, part) != NULL) {
            return f->list[i].name;
        }
    }
    return NULL;
}

void files_copy(const char *from, const char *to, const char *but)
{
    struct files f;

    files_read(&f, from);
    for (size_t i = 0; i < f.count; i++) {
        char name[2 * TMPDIR_PATH_SIZE];

        if (but == NULL || strcmp(f.list[i].name, but) != 0) {
            (void)snprintf(name, sizeof name, "%s/%s", to, f.list[i].name);
            write_path(name, f.list[i].bytes, f.list[i].len);
        }
    }
    files_free(&f);
}

void files_make_variant(const struct tmpdir *t, const char *version, const char *variant)
{
    static const char root[] = STELE_VECTORS "/klevdb/corrupt";
    char path[2 * TMPDIR_PATH_SIZE];
    json_t *manifest;
    json_t *absent;

    (void)snprintf(path, sizeof path, "%s/%s_base", root, version);
    files_copy(path, t->path, NULL);
    (void)snprintf(path, sizeof path, "%s/%s/%s/input", root, version, variant);
    files_copy(path, t->path, "MANIFEST.json");
    (void)snprintf(path, sizeof path, "%s/%s/%s/input/MANIFEST.json", root, version, variant);
    manifest = json_load_file(path, 0, NULL);
    assert_non_null(manifest);
    absent = json_object_get(manifest, "absent");
    for (size_t i = 0; i < json_array_size(absent); i++) {
        (void)snprintf(
                path, sizeof path, "%s/%s", t->path, json_string_value(json_array_get(absent, i)));
        assert_int_equal(remove(path), 0);
    }
    json_decref(manifest);
}

/* ---- Messages. ---- */

static uint32_t sum(uint32_t crc, stele_bytes bytes)
{
    return bytes.len == 0 ? crc : sti_crc32c(crc, bytes.data, bytes.len);
}

static void add_message(struct kept *k, const stele_message *m)
{
    uint8_t head[16];

    assert_true(k->count < KEPT_MAX);
    sti_put_be64(head, (uint64_t)m->time);
    sti_put_be32(head + 8, (uint32_t)m->key.len);
    sti_put_be32(head + 12, (uint32_t)m->value.len);
    k->bodies[k->count] = sum(sum(0, m->key), m->value);
    k->sums[k->count] = sti_crc32c(k->bodies[k->count], head, sizeof head);
    k->rising = k->rising && m->offset >= k->next;
    k->offsets[k->count++] = m->offset;
    k->next = m->offset + 1;
}

static void read_log(struct kept *k, const uint8_t *log, size_t len, int64_t base)
{
    bool v2 = len >= 8 && log[0] == 0xFF;
    size_t at = v2 ? 8 : 0;

    k->rising = k->rising && base >= k->next;
    k->next = base;
    while (at < len) {
        stele_message m;
        size_t size;

        if (sti_message_get(log + at, len - at, v2 ? STELE_STREAM_V2 : STELE_STREAM_V1, &m,
                    &size) != STI_MESSAGE_WHOLE) {
            break;
        }
        add_message(k, &m);
        at += size;
    }
    k->ends = k->ends && at == len;
}

void kept_read(struct kept *out, const char *path)
{
    struct files f;

    memset(out, 0, sizeof *out);
    out->ends = true;
    out->rising = true;
    files_read(&f, path);
    for (size_t i = 0; i < f.count; i++) {
        char *end;
        int64_t base = strtoll(f.list[i].name, &end, 10);

        if (end == f.list[i].name + 20 && strcmp(end, ".log") == 0) {
            read_log(out, f.list[i].bytes, f.list[i].len, base);
        }
    }
    files_free(&f);
}

stele_code kept_read_env(struct kept *out, const stele_env *env, const char *path)
{
    struct sti_listing listing = {0};
    struct sti_dir dir = {0};
    stele_code rc = sti_dir_open(&dir, env, path, 0, NULL);

    memset(out, 0, sizeof *out);
    out->ends = true;
    out->rising = true;
    if (rc == STELE_OK) {
        rc = sti_listing_read(&listing, &dir, NULL);
    }
    for (size_t i = 0; rc == STELE_OK && i < listing.count; i++) {
        uint8_t *log;
        size_t len;

        if (listing.entries[i].kind != STI_NAME_LOG) {
            continue;
        }
        rc = sti_stream_read_file(&dir, listing.entries[i].name, &log, &len, NULL);
        if (rc == STELE_OK) {
            read_log(out, log, len, listing.entries[i].base);
            sti_free(log);
        }
    }
    sti_listing_free(&listing);
    sti_dir_close(&dir);
    return rc;
}

void files_copy_env(const char *from, const stele_env *env, const char *to)
{
    struct sti_dir dir = {0};
    struct files f;
    stele_error err;

    files_read(&f, from);
    CHECK_OK(sti_dir_open(&dir, env, to, STELE_OPEN_CREATE, &err), &err);
    for (size_t i = 0; i < f.count; i++) {
        struct sti_file file = {0};

        CHECK_OK(sti_file_open(
                         &file, &dir, f.list[i].name, STELE_OPEN_WRITE | STELE_OPEN_CREATE, &err),
                &err);
        CHECK_OK(sti_file_write(&file, 0, f.list[i].bytes, f.list[i].len, &err), &err);
        CHECK_OK(sti_file_sync(&file, false, &err), &err);
        sti_file_close(&file);
    }
    CHECK_OK(sti_dir_sync(&dir, &err), &err);
    sti_dir_close(&dir);
    files_free(&f);
}

void kept_text(const struct kept *k, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < k->count;) {
        size_t end = i + 1;

        while (end < k->count && k->offsets[end] == k->offsets[end - 1] + 1) {
            end++;
        }
        used += (size_t)snprintf(out + used, size - used, "%s%" PRId64 "-%" PRId64,
                i == 0 ? "" : ",", k->offsets[i], k->offsets[end - 1]);
        assert_true(used < size);
        i = end;
    }
}
