/* SPDX-License-Identifier: MIT
 *
 * bbolt_kit.c: making and reading bbolt files.
 */
#include "bbolt_kit.h"

#include "base/fnv.h"

#include <stdio.h>
#include <stdlib.h>

void bbolt_kit_begin(struct bbolt_kit *k, uint64_t file_max)
{
    const struct sim_disk_options options = {.file_max = file_max, .no_trace = true};

    memset(k, 0, sizeof *k);
    k->w = sim_world_new(1, NULL, &options);
    CHECK_OK(sti_dir_open(&k->dir, &k->w->env, "/d", STELE_OPEN_CREATE, &k->err), &k->err);
}

void bbolt_kit_end(struct bbolt_kit *k)
{
    sti_dir_close(&k->dir);
    assert_int_equal(sim_disk_open_count(k->w->disk), 0);
    sim_world_free(k->w);
}

uint8_t *bbolt_value(unsigned seed, size_t len)
{
    uint8_t *value = malloc(len + 1);

    assert_non_null(value);
    for (size_t i = 0; i < len; i++) {
        value[i] = (uint8_t)(seed * 131 + i * 7 + (i >> 8));
    }
    return value;
}

/* The number in big endian form, and letters behind it. */
static void make_key(uint8_t *key, size_t len, unsigned number)
{
    memset(key, 'k', len);
    if (len == 1) {
        key[0] = (uint8_t)number;
    } else {
        key[0] = (uint8_t)(number >> 8);
        key[1] = (uint8_t)number;
    }
}

static size_t make_name(char name[32], unsigned number)
{
    return (size_t)snprintf(name, 32, "bucket-%05u", number);
}

/* ---- Writing. ---- */

stele_code bbolt_put_shape(
        struct sti_bbolt_writer *w, const struct bbolt_shape *shape, stele_error *err)
{
    uint8_t *key = malloc(shape->key_len + 1);
    stele_code rc = STELE_OK;

    assert_non_null(key);
    for (unsigned b = 0; rc == STELE_OK && b < shape->buckets; b++) {
        char name[32];

        rc = sti_bbolt_put_bucket(w, stele_bytes_of(name, make_name(name, b)), err);
        for (unsigned i = 0; rc == STELE_OK && i < shape->entries; i++) {
            uint8_t *value = bbolt_value(i, shape->value_len);

            make_key(key, shape->key_len, i);
            rc = sti_bbolt_put(w, stele_bytes_of(key, shape->key_len),
                    stele_bytes_of(value, shape->value_len), err);
            free(value);
        }
    }
    free(key);
    return rc;
}

stele_code bbolt_kit_try_write(struct bbolt_kit *k, const struct bbolt_shape *shape)
{
    struct sti_bbolt_writer *w = NULL;
    struct sti_file file = {0};
    stele_code rc = sti_file_open(
            &file, &k->dir, BBOLT_FILE, STELE_OPEN_WRITE | STELE_OPEN_CREATE, &k->err);

    if (rc == STELE_OK) {
        rc = sti_file_truncate(&file, 0, &k->err);
    }
    if (rc == STELE_OK) {
        rc = sti_bbolt_begin(&w, &file, shape->page_size, &k->err);
    }
    if (rc == STELE_OK) {
        rc = bbolt_put_shape(w, shape, &k->err);
    }
    if (rc == STELE_OK) {
        rc = sti_bbolt_end(w, shape->hashed, &k->err);
    }
    sti_bbolt_writer_free(w);
    sti_file_close(&file);
    return rc;
}

void bbolt_kit_write(struct bbolt_kit *k, const struct bbolt_shape *shape)
{
    CHECK_OK(bbolt_kit_try_write(k, shape), &k->err);
}

uint8_t *bbolt_kit_bytes(struct bbolt_kit *k, size_t *len)
{
    struct sti_file file = {0};
    stele_file_stat st;
    uint8_t *bytes;

    CHECK_OK(sti_file_open(&file, &k->dir, BBOLT_FILE, STELE_OPEN_READ, &k->err), &k->err);
    CHECK_OK(sti_file_stat(&file, &st, &k->err), &k->err);
    *len = (size_t)st.size;
    bytes = calloc(*len + BBOLT_ROOM, 1);
    assert_non_null(bytes);
    CHECK_OK(sti_file_read(&file, 0, bytes, *len, &k->err), &k->err);
    sti_file_close(&file);
    return bytes;
}

void bbolt_kit_set_bytes(struct bbolt_kit *k, const uint8_t *bytes, size_t len)
{
    struct sti_file file = {0};

    CHECK_OK(sti_file_open(
                     &file, &k->dir, BBOLT_FILE, STELE_OPEN_WRITE | STELE_OPEN_CREATE, &k->err),
            &k->err);
    CHECK_OK(sti_file_truncate(&file, len, &k->err), &k->err);
    if (len > 0) {
        CHECK_OK(sti_file_write(&file, 0, bytes, len, &k->err), &k->err);
    }
    sti_file_close(&file);
}

/* ---- Reading. ---- */

static void bucket_holds(
        struct bbolt_kit *k, struct sti_bbolt_reader *r, const struct bbolt_shape *shape)
{
    uint8_t *expected = malloc(shape->key_len + 1);
    stele_bytes key;
    stele_bytes value;

    assert_non_null(expected);
    for (unsigned i = 0; i < shape->entries; i++) {
        uint8_t *v = bbolt_value(i, shape->value_len);

        make_key(expected, shape->key_len, i);
        CHECK_OK(sti_bbolt_next_entry(r, &key, &value, &k->err), &k->err);
        CHECK_BYTES(key, stele_bytes_of(expected, shape->key_len));
        CHECK_BYTES(value, stele_bytes_of(v, shape->value_len));
        free(v);
    }
    CHECK_CODE(sti_bbolt_next_entry(r, &key, &value, &k->err), STELE_END);
    free(expected);
}

void bbolt_kit_holds(struct bbolt_kit *k, const struct bbolt_shape *shape)
{
    struct sti_bbolt_reader *r = NULL;
    stele_bytes name;
    char expected[32];

    CHECK_OK(sti_bbolt_open(&r, &k->dir, BBOLT_FILE, &k->err), &k->err);
    assert_int_equal(sti_bbolt_info(r).page_size, shape->page_size);
    assert_int_equal(sti_bbolt_info(r).hashed, shape->hashed);
    assert_false(sti_bbolt_info(r).one_meta);
    for (unsigned b = 0; b < shape->buckets; b++) {
        CHECK_OK(sti_bbolt_next_bucket(r, &name, &k->err), &k->err);
        CHECK_BYTES(name, stele_bytes_of(expected, make_name(expected, b)));
        bucket_holds(k, r, shape);
    }
    CHECK_CODE(sti_bbolt_next_bucket(r, &name, &k->err), STELE_END);
    CHECK_CODE(sti_bbolt_next_bucket(r, &name, &k->err), STELE_END);
    CHECK_OK(sti_bbolt_check_unused(r, &k->err), &k->err);
    sti_bbolt_close(r);
}

/* A name or key that was seen last, and whether the one that comes is larger. */
struct seen {
    uint8_t *bytes;
    size_t len;
    bool any;
};

static void see(struct seen *last, stele_bytes key)
{
    uint8_t *bytes = realloc(last->bytes, key.len);

    assert_true(key.len > 0 && key.len <= 32768);
    assert_non_null(bytes);
    last->bytes = bytes;
    memcpy(last->bytes, key.data, key.len);
    last->len = key.len;
    last->any = true;
}

static bool ascends(const struct seen *last, stele_bytes key)
{
    return !last->any || stele_bytes_compare(stele_bytes_of(last->bytes, last->len), key) < 0;
}

static void print_hex(FILE *out, stele_bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        (void)fprintf(out, "%02x", bytes.data[i]);
    }
}

static stele_code list_entries(
        struct sti_bbolt_reader *r, FILE *out, struct seen *last, stele_error *err)
{
    stele_bytes key;
    stele_bytes value;
    stele_code rc;

    last->any = false;
    for (;;) {
        rc = sti_bbolt_next_entry(r, &key, &value, err);
        if (rc != STELE_OK) {
            return rc == STELE_END ? STELE_OK : rc;
        }
        assert_true(ascends(last, key));
        see(last, key);
        (void)fprintf(out, "e ");
        print_hex(out, key);
        (void)fprintf(out, " %zu %016llx\n", value.len,
                (unsigned long long)sti_fnv1a64(value.data, value.len));
    }
}

static stele_code list_buckets(struct sti_bbolt_reader *r, FILE *out, stele_error *err)
{
    struct seen name = {0};
    struct seen key = {0};
    stele_bytes bytes;
    stele_code rc;

    for (;;) {
        rc = sti_bbolt_next_bucket(r, &bytes, err);
        if (rc != STELE_OK) {
            break;
        }
        assert_true(ascends(&name, bytes));
        see(&name, bytes);
        (void)fprintf(out, "b ");
        print_hex(out, bytes);
        (void)fprintf(out, "\n");
        rc = list_entries(r, out, &key, err);
        if (rc != STELE_OK) {
            break;
        }
    }
    free(name.bytes);
    free(key.bytes);
    return rc == STELE_END ? sti_bbolt_check_unused(r, err) : rc;
}

stele_code bbolt_list(struct sti_dir *dir, const char *name, char **text, stele_error *err)
{
    struct sti_bbolt_reader *r = NULL;
    char *bytes = NULL;
    size_t len = 0;
    FILE *out;
    stele_code rc = sti_bbolt_open(&r, dir, name, err);

    if (rc != STELE_OK) {
        return rc;
    }
    out = open_memstream(&bytes, &len);
    assert_non_null(out);
    rc = list_buckets(r, out, err);
    assert_int_equal(fclose(out), 0);
    if (rc != STELE_OK) {
        stele_bytes again;

        /* It stays failed. */
        assert_int_equal(sti_bbolt_next_bucket(r, &again, NULL) == STELE_OK, 0);
        free(bytes);
    } else {
        *text = bytes;
    }
    sti_bbolt_close(r);
    return rc;
}
