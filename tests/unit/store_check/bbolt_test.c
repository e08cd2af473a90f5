/* SPDX-License-Identifier: MIT
 *
 * bbolt_test.c: bbolt files into stores, and stores into bbolt files.
 *
 * What is in a store is listed as the files in tests/golden/bbolt are listed by bbolt itself.
 */
#include "../store_core/kit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Listings. ---- */

struct text {
    char *bytes;
    size_t len;
    size_t capacity;
    stele_store_read *read;
};

static void add(struct text *t, const char *more)
{
    size_t len = strlen(more);

    if (t->len + len + 1 > t->capacity) {
        t->capacity = 2 * (t->len + len + 1);
        t->bytes = realloc(t->bytes, t->capacity);
        assert_non_null(t->bytes);
    }
    memcpy(t->bytes + t->len, more, len + 1);
    t->len += len;
}

static void add_hex(struct text *t, stele_bytes b)
{
    for (size_t i = 0; i < b.len; i++) {
        char two[3];

        (void)snprintf(two, sizeof two, "%02x", b.data[i]);
        add(t, two);
    }
}

static stele_code on_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct text *t = arg;
    uint64_t fnv = UINT64_C(0xcbf29ce484222325);
    char rest[64];

    (void)err;
    for (size_t i = 0; i < value.len; i++) {
        fnv = (fnv ^ value.data[i]) * UINT64_C(0x100000001b3);
    }
    add(t, "e ");
    add_hex(t, key);
    (void)snprintf(rest, sizeof rest, " %zu %016" PRIx64 "\n", value.len, fnv);
    add(t, rest);
    return STELE_OK;
}

static stele_code on_bucket(void *arg, stele_bytes bucket, stele_error *err)
{
    struct text *t = arg;

    add(t, "b ");
    add_hex(t, bucket);
    add(t, "\n");
    return stele_store_read_for_each(t->read, bucket, on_pair, t, err);
}

/* To be freed. */
static char *list(struct kit *k)
{
    struct text t = {.read = kit_read(k)};
    stele_error err;

    add(&t, "");
    CHECK_OK(stele_store_read_buckets(t.read, on_bucket, &t, &err), &err);
    stele_store_read_end(t.read);
    return t.bytes;
}

static void check_listed(struct kit *k, const char *name)
{
    struct tmpdir golden;
    size_t len = 0;
    char *listed = list(k);
    char *expected;

    (void)snprintf(golden.path, sizeof golden.path, "%s/golden/bbolt", STELE_TESTS_DIR);
    expected = (char *)tmpdir_read(&golden, name, &len);
    assert_string_equal(listed, expected);
    free(listed);
    free(expected);
}

static void golden_path(const char *name, char out[TMPDIR_PATH_SIZE])
{
    (void)snprintf(out, TMPDIR_PATH_SIZE, "%s/golden/bbolt/%s", STELE_TESTS_DIR, name);
}

/* Empty the store. */
static stele_code drop(void *arg, stele_bytes bucket, stele_error *err)
{
    return stele_store_batch_delete_bucket(arg, bucket, err);
}

static void empty(struct kit *k)
{
    stele_store_read *r = kit_read(k);
    stele_store_batch *b = kit_begin(k);
    stele_error err;

    CHECK_OK(stele_store_read_buckets(r, drop, b, &err), &err);
    kit_end(b);
    stele_store_read_end(r);
}

/* ---- Tests. ---- */

static void test_golden(void **state)
{
    struct kit *k = *state;
    static const char *const names[] = {"empty", "deep", "etcd", "snapshot", "etcd-saved"};
    stele_store_bbolt_options options;

    stele_store_bbolt_options_init(&options);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (unsigned way = 0; way < 4; way++) {
            stele_store_contents in = {.keys = 0};
            stele_store_contents out = {.keys = 0};
            char path[TMPDIR_PATH_SIZE];
            char name[64];
            char text[64];
            stele_error err;

            (void)snprintf(name, sizeof name, "%s.db", names[i]);
            (void)snprintf(text, sizeof text, "%s.txt", names[i]);
            golden_path(name, path);
            options.atomic = way % 2 == 1;
            options.sha256 = way >= 2;
            options.page_size = way == 0 ? 0 : 512U << (2 * way);
            CHECK_OK(stele_store_import_bbolt(k->s, path, &options, &in, &err), &err);
            check_listed(k, text);
            (void)snprintf(name, sizeof name, "%zu-%u", i, way);
            tmpdir_path(&k->tmp, name, path);
            CHECK_OK(stele_store_export_bbolt(k->s, path, &options, &out, &err), &err);
            assert_memory_equal(&in, &out, sizeof in);
            assert_int_equal(tmpdir_size(&k->tmp, name) % 512, way >= 2 ? 32 : 0);
            empty(k);
            CHECK_OK(stele_store_import_bbolt(k->s, path, NULL, NULL, &err), &err);
            check_listed(k, text);
            CHECK_CODE(stele_store_export_bbolt(k->s, path, &options, NULL, &err), STELE_EEXIST);
            empty(k);
        }
    }
    kit_close(k);
    kit_open(k);
}

/* Durable, and beside what is there. */
static void test_merged(void **state)
{
    struct kit *k = *state;
    struct kit other = {.s = NULL};
    char path[TMPDIR_PATH_SIZE];
    char *before;
    char *after;
    stele_error err;

    golden_path("etcd.db", path);
    kit_put_one(k, "mine", "k", "v");
    kit_put_one(k, "alarm", "k", "v");
    CHECK_OK(stele_store_import_bbolt(k->s, path, NULL, NULL, &err), &err);
    kit_check_now(k, "mine", "k=v");
    kit_check_now(k, "alarm", "k=v");
    before = list(k);
    /* Another process would see it. */
    tmpdir_make(&other.tmp);
    {
        size_t len = 0;
        uint8_t *bytes = tmpdir_read(&k->tmp, "gen-1/data.mdb", &len);

        tmpdir_mkdir(&other.tmp, "gen-1");
        tmpdir_write(&other.tmp, "gen-1/data.mdb", bytes, len);
        free(bytes);
        bytes = tmpdir_read(&k->tmp, "current", &len);
        tmpdir_write(&other.tmp, "current", bytes, len);
        free(bytes);
    }
    other.options = k->options;
    kit_open(&other);
    after = list(&other);
    assert_string_equal(before, after);
    kit_close(&other);
    tmpdir_remove(&other.tmp);
    free(before);
    free(after);
}

static void test_refused(void **state)
{
    struct kit *k = *state;
    stele_store_bbolt_options options;
    stele_wait wait = {.timeout_ms = 0};
    struct tmpdir golden;
    char path[TMPDIR_PATH_SIZE];
    size_t len = 0;
    uint8_t *bytes;
    char *listed;
    stele_error err;

    stele_store_bbolt_options_init(&options);
    golden_path("nested.db", path);
    CHECK_CODE(stele_store_import_bbolt(k->s, path, NULL, NULL, &err), STELE_ENOTSUP);
    golden_path("none.db", path);
    CHECK_CODE(stele_store_import_bbolt(k->s, path, NULL, NULL, &err), STELE_ENOTFOUND);
    CHECK_CODE(stele_store_import_bbolt(k->s, NULL, NULL, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_import_bbolt(NULL, path, NULL, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_export_bbolt(k->s, NULL, NULL, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_export_bbolt(NULL, path, NULL, NULL, &err), STELE_EINVAL);
    options.page_size = 1000;
    tmpdir_path(&k->tmp, "out", path);
    CHECK_CODE(stele_store_export_bbolt(k->s, path, &options, NULL, &err), STELE_EINVAL);
    assert_false(tmpdir_exists(&k->tmp, "out"));
    assert_false(tmpdir_exists(&k->tmp, "out.tmp"));
    /* Nothing is put of a file that is damaged near its end. */
    (void)snprintf(golden.path, sizeof golden.path, "%s/golden/bbolt", STELE_TESTS_DIR);
    bytes = tmpdir_read(&golden, "deep.db", &len);
    for (size_t at = 512 * 2; at < len; at += 512) {
        bytes[at] ^= 0xff; /* the number of the page itself */
    }
    tmpdir_write(&k->tmp, "damaged.db", bytes, len);
    free(bytes);
    tmpdir_path(&k->tmp, "damaged.db", path);
    CHECK_CODE(stele_store_import_bbolt(k->s, path, NULL, NULL, &err), STELE_ECORRUPT);
    golden_path("snapshot.db", path);
    options.page_size = 0;
    options.wait = &wait;
    CHECK_CODE(stele_store_import_bbolt(k->s, path, &options, NULL, &err), STELE_ETIMEDOUT);
    wait.timeout_ms = STELE_FOREVER;
    CHECK_OK(stele_cancel_new(&wait.cancel, &err), &err);
    stele_cancel_trigger(wait.cancel);
    CHECK_CODE(stele_store_import_bbolt(k->s, path, &options, NULL, &err), STELE_ECANCELED);
    listed = list(k);
    assert_string_equal(listed, "");
    free(listed);
    kit_put_one(k, "b", "k", "v");
    tmpdir_path(&k->tmp, "out", path);
    CHECK_CODE(stele_store_export_bbolt(k->s, path, &options, NULL, &err), STELE_ECANCELED);
    stele_cancel_free(wait.cancel);
    /* bbolt has no empty keys. */
    kit_put_one(k, "b", "", "v");
    CHECK_CODE(stele_store_export_bbolt(k->s, path, NULL, NULL, &err), STELE_ENOTSUP);
    CHECK_MESSAGE_HAS(&err, "bucket \"b\"");
    assert_false(tmpdir_exists(&k->tmp, "out"));
    assert_false(tmpdir_exists(&k->tmp, "out.tmp"));
    kit_close(k);
    k->options.read_only = true;
    kit_open(k);
    golden_path("snapshot.db", path);
    CHECK_CODE(stele_store_import_bbolt(k->s, path, NULL, NULL, &err), STELE_EREADONLY);
}

/* More than a batch takes, while reads are open; and what a read-only handle writes. */
static void test_many(void **state)
{
    struct kit *k = *state;
    stele_store_batch *b = kit_begin(k);
    stele_store_bbolt_options options;
    stele_store_contents contents;
    char path[TMPDIR_PATH_SIZE];
    char *before;
    char *after;
    stele_error err;

    kit_create(b, "many");
    kit_create(b, "none");
    for (unsigned i = 0; i < 20000; i++) {
        char key[32];

        (void)snprintf(key, sizeof key, "%08u", i * 7919 % 20000);
        kit_put(b, "many", key, key);
    }
    kit_end(b);
    kit_commit(k);
    before = list(k);
    tmpdir_path(&k->tmp, "out", path);
    kit_close(k);
    k->options.read_only = true;
    kit_open(k);
    stele_store_bbolt_options_init(&options);
    options.sha256 = true;
    CHECK_OK(stele_store_export_bbolt(k->s, path, &options, &contents, &err), &err);
    assert_int_equal(contents.keys, 20000);
    assert_int_equal(contents.buckets, 2);
    kit_close(k);
    k->options.read_only = false;
    kit_open(k);
    empty(k);
    CHECK_OK(stele_store_import_bbolt(k->s, path, NULL, &contents, &err), &err);
    assert_int_equal(contents.bytes, 20000 * 16);
    after = list(k);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(test_golden),
            TEST(test_merged),
            TEST(test_refused),
            TEST(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
