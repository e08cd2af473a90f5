/* SPDX-License-Identifier: MIT
 *
 * etcd_test.c: the content of a backend of etcd has the hash that was computed of it by hand, be it
 * in memory, committed, or some of each.
 *
 * A long value is given by its length and CRC-32C: byte j is (7 * j + seed) mod 256, with the seed
 * that fits.
 */
#include "base/crc32c.h"
#include "unit/store_core/kit.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

enum {
    VALUE_MAX = 1 << 20
};

struct loading {
    struct kit *k;
    stele_store_batch *batch;
    uint8_t *value;
    unsigned lines;
    uint32_t all;
    uint32_t names;
};

static size_t from_hex(uint8_t *out, const char *hex)
{
    size_t len = strlen(hex) / 2;

    for (size_t i = 0; i < len; i++) {
        unsigned byte;

        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        out[i] = (uint8_t)byte;
    }
    return len;
}

static void make_value(uint8_t *out, size_t len, uint32_t crc)
{
    assert_true(len <= VALUE_MAX);
    for (unsigned seed = 0; seed < 256; seed++) {
        for (size_t j = 0; j < len; j++) {
            out[j] = (uint8_t)(7 * j + seed);
        }
        if (sti_crc32c(0, out, len) == crc) {
            return;
        }
    }
    fail_msg("no seed fits");
}

static void load_line(struct loading *l, const json_t *line)
{
    const char *bucket = json_string_value(json_object_get(line, "bucket"));
    const char *key = json_string_value(json_object_get(line, "k"));
    const char *value = json_string_value(json_object_get(line, "v"));
    uint8_t key_bytes[256];
    size_t key_len;
    size_t len;
    stele_error err;

    if (bucket == NULL) {
        l->all = (uint32_t)strtoul(
                json_string_value(json_object_get(line, "manual_hash_all")), NULL, 16);
        l->names = (uint32_t)strtoul(
                json_string_value(json_object_get(line, "manual_hash_names_only")), NULL, 16);
        return;
    }
    kit_create(l->batch, bucket);
    if (key == NULL) {
        return;
    }
    key_len = from_hex(key_bytes, key);
    len = (size_t)json_integer_value(json_object_get(line, "vlen"));
    if (value != NULL) {
        assert_int_equal(from_hex(l->value, value), len);
    } else {
        make_value(l->value, len, (uint32_t)json_integer_value(json_object_get(line, "vcrc32c")));
    }
    CHECK_OK(stele_store_batch_put(l->batch, stele_str(bucket), stele_bytes_of(key_bytes, key_len),
                     stele_bytes_of(l->value, len), &err),
            &err);
}

static void load(struct loading *l, unsigned commit_at)
{
    static char line[1 << 16];
    FILE *f = fopen(STELE_TESTS_DIR "/vectors/etcd_backend/content.jsonl", "r");

    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        json_t *json = json_loads(line, 0, NULL);

        assert_non_null(json);
        load_line(l, json);
        json_decref(json);
        if (++l->lines == commit_at) {
            stele_error err;

            CHECK_OK(stele_store_batch_commit(l->batch, &err), &err);
        }
    }
    (void)fclose(f);
}

static uint32_t hash(stele_store_read *r, const stele_store_hash_options *opts)
{
    uint32_t out = 0;
    stele_error err;

    CHECK_OK(stele_store_read_hash(r, opts, &out, &err), &err);
    return out;
}

static bool ignore_all(void *arg, stele_bytes bucket, stele_bytes key)
{
    (void)arg;
    (void)bucket;
    (void)key;
    return true;
}

static void check_hashes(struct loading *l, stele_store_read *r)
{
    stele_store_hash_options opts;

    assert_int_equal(hash(r, NULL), l->all);
    stele_store_hash_options_init(&opts);
    assert_int_equal(hash(r, &opts), l->all);
    opts.names_only = true;
    assert_int_equal(hash(r, &opts), l->names);
    opts.names_only = false;
    opts.ignore = ignore_all;
    assert_int_equal(hash(r, &opts), l->names);
}

static void test_hashes(void **state)
{
    static const unsigned commit_at[] = {0, 100, 367};

    for (size_t i = 0; i < 3; i++) {
        struct loading l = {.k = *state, .value = malloc(VALUE_MAX)};
        stele_store_read *r;
        uint32_t now = 0;
        stele_error err;

        assert_non_null(l.value);
        l.batch = kit_begin(l.k);
        load(&l, commit_at[i]);
        assert_int_equal(l.lines, 368);
        check_hashes(&l, stele_store_batch_view(l.batch));
        kit_end(l.batch);
        r = kit_read(l.k);
        check_hashes(&l, r);
        CHECK_OK(stele_store_hash(l.k->s, NULL, &now, &err), &err);
        assert_int_equal(now, l.all);
        stele_store_read_end(r);
        kit_close(l.k);
        kit_open(l.k);
        r = kit_read(l.k);
        check_hashes(&l, r);
        stele_store_read_end(r);
        kit_tear_down(state);
        kit_set_up(state);
        free(l.value);
    }
}

/* Two pairs are left out: the hash is that of a store without them. */
static void test_ignored(void **state)
{
    struct kit *k = *state;
    const stele_store_ignore_key keys[] = {
            {stele_str("b"), stele_str("x")},
            {stele_str("c"), stele_nil()},
    };
    stele_store_ignore_list list = {keys, 2};
    stele_store_hash_options opts;
    uint32_t without;
    uint32_t with;
    stele_error err;

    kit_put_one(k, "a", "x", "1");
    kit_put_one(k, "b", "y", "2");
    kit_put_one(k, "c", "z", "3");
    CHECK_OK(stele_store_hash(k->s, NULL, &without, &err), &err);
    kit_put_one(k, "b", "x", "4");
    kit_put_one(k, "c", "", "5");
    stele_store_hash_options_init(&opts);
    opts.ignore = stele_store_ignore_listed;
    opts.ignore_arg = &list;
    CHECK_OK(stele_store_hash(k->s, &opts, &with, &err), &err);
    assert_int_equal(with, without);
    CHECK_OK(stele_store_hash(k->s, NULL, &with, &err), &err);
    assert_int_not_equal(with, without);
    CHECK_CODE(stele_store_hash(k->s, NULL, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_read_hash(NULL, NULL, &with, &err), STELE_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_hashes, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_ignored, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
