/* SPDX-License-Identifier: MIT
 *
 * kept.c: what is in logs, read with nothing of the library but the format.
 */
#include "unit/stream_tools/kept.h"

#include "base/alloc.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "stream/format.h"
#include "stream/leftovers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

void files_make_variant(const struct tmpdir *t, const char *version, const char *variant)
{
    static const char root[] = STELE_TESTS_DIR "/vectors/klevdb/corrupt";
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
