/* SPDX-License-Identifier: MIT
 *
 * snapshot_test.c: snapshots to callbacks and files, and what is not taken for one.
 */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

struct sink {
    uint8_t *bytes;
    size_t len;
    size_t at; /* of reading */
    size_t fail_at;
};

static stele_code on_write(void *arg, const void *data, size_t len, stele_error *err)
{
    struct sink *s = arg;

    (void)err;
    if (s->fail_at != 0 && s->len + len > s->fail_at) {
        return STELE_EPEER;
    }
    s->bytes = realloc(s->bytes, s->len + len + 1);
    assert_non_null(s->bytes);
    memcpy(s->bytes + s->len, data, len);
    s->len += len;
    return STELE_OK;
}

/* In pieces that are not those of the writing. */
static stele_code on_read(void *arg, void *data, size_t len, size_t *got, stele_error *err)
{
    struct sink *s = arg;
    size_t n = len < 1000 ? len : 1000;

    (void)err;
    n = n < s->len - s->at ? n : s->len - s->at;
    if (n > 0) {
        memcpy(data, s->bytes + s->at, n);
    }
    s->at += n;
    *got = n;
    return STELE_OK;
}

static stele_code verify(struct sink *s, stele_store_contents *out, stele_error *err)
{
    s->at = 0;
    return stele_store_snapshot_verify(on_read, s, out, err);
}

static void fill(struct kit *k, unsigned count)
{
    stele_store_batch *b = kit_begin(k);

    kit_create(b, "empty");
    kit_create(b, "many");
    kit_create(b, "zz");
    for (unsigned i = 0; i < count; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "%05u", i * 7919 % 100000);
        kit_put(b, "many", key, "some value");
    }
    kit_put(b, "zz", "", "");
    kit_end(b);
}

static void write_all(stele_store_snapshot *snapshot, struct sink *s)
{
    uint64_t written = 0;
    stele_error err;

    CHECK_OK(stele_store_snapshot_write(snapshot, NULL, on_write, s, &written, &err), &err);
    assert_int_equal(written, s->len);
    assert_int_equal(written, stele_store_snapshot_size(snapshot));
}

static void test_write(void **state)
{
    struct kit *k = *state;
    stele_store_snapshot *snapshot = NULL;
    struct sink first = {.len = 0};
    struct sink second = {.len = 0};
    stele_store_contents contents;
    stele_error err;

    fill(k, 30000);
    CHECK_OK(stele_store_snapshot_open(&snapshot, k->s, &err), &err);
    write_all(snapshot, &first);
    CHECK_OK(verify(&first, &contents, &err), &err);
    assert_int_equal(contents.buckets, 3);
    assert_int_equal(contents.keys, 30001);
    assert_int_equal(contents.bytes, 30000 * 15);
    kit_put_one(k, "later", "k", "v");
    kit_commit(k);
    write_all(snapshot, &second);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.bytes, second.bytes, first.len);
    CHECK_CODE(stele_store_close(k->s, &err), STELE_ESTATE);
    stele_store_snapshot_close(snapshot);
    stele_store_snapshot_close(NULL);
    assert_int_equal(stele_store_open_reads(k->s), 0);
    free(first.bytes);
    free(second.bytes);
}

static void test_empty(void **state)
{
    struct kit *k = *state;
    stele_store_snapshot *snapshot = NULL;
    struct sink s = {.len = 0};
    stele_store_contents contents;
    stele_error err;

    CHECK_OK(stele_store_snapshot_open(&snapshot, k->s, &err), &err);
    write_all(snapshot, &s);
    CHECK_OK(verify(&s, &contents, &err), &err);
    assert_int_equal(contents.buckets, 0);
    stele_store_snapshot_close(snapshot);
    free(s.bytes);
}

/* Every bit flipped, every length, and something behind. */
static void test_damage(void **state)
{
    struct kit *k = *state;
    stele_store_snapshot *snapshot = NULL;
    struct sink s = {.len = 0};
    size_t len;
    stele_error err;

    fill(k, 20);
    CHECK_OK(stele_store_snapshot_open(&snapshot, k->s, &err), &err);
    write_all(snapshot, &s);
    stele_store_snapshot_close(snapshot);
    for (size_t bit = 0; bit < 8 * s.len; bit++) {
        stele_code code;

        s.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        code = verify(&s, NULL, &err);
        assert_true(code == STELE_ECORRUPT || code == STELE_EVERSION);
        s.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    len = s.len;
    for (s.len = 0; s.len < len; s.len++) {
        CHECK_CODE(verify(&s, NULL, &err), STELE_ECORRUPT);
    }
    CHECK_OK(verify(&s, NULL, &err), &err);
    s.bytes = realloc(s.bytes, len + 1);
    assert_non_null(s.bytes);
    s.bytes[s.len++] = 0;
    CHECK_CODE(verify(&s, NULL, &err), STELE_ECORRUPT);
    free(s.bytes);
}

static void test_refused(void **state)
{
    struct kit *k = *state;
    stele_store_snapshot *snapshot = NULL;
    struct sink s = {.fail_at = 1000};
    stele_wait wait = {.timeout_ms = 0};
    stele_store_snapshot_options options;
    stele_error err;

    fill(k, 5000);
    CHECK_CODE(stele_store_snapshot_open(NULL, k->s, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_snapshot_write(NULL, NULL, on_write, &s, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_snapshot_verify(NULL, NULL, NULL, &err), STELE_EINVAL);
    CHECK_OK(stele_store_snapshot_open(&snapshot, k->s, &err), &err);
    CHECK_CODE(stele_store_snapshot_write(snapshot, NULL, on_write, &s, NULL, &err), STELE_EPEER);
    stele_store_snapshot_options_init(&options);
    options.wait = &wait;
    CHECK_CODE(stele_store_snapshot_write(snapshot, &options, on_write, &s, NULL, &err),
            STELE_ETIMEDOUT);
    wait.timeout_ms = STELE_FOREVER;
    CHECK_OK(stele_cancel_new(&wait.cancel, &err), &err);
    stele_cancel_trigger(wait.cancel);
    CHECK_CODE(stele_store_snapshot_write(snapshot, &options, on_write, &s, NULL, &err),
            STELE_ECANCELED);
    stele_cancel_free(wait.cancel);
    stele_store_snapshot_close(snapshot);
    free(s.bytes);
}

static void test_save(void **state)
{
    struct kit *k = *state;
    stele_store_snapshot *snapshot = NULL;
    char path[TMPDIR_PATH_SIZE];
    struct sink s = {.len = 0};
    uint64_t written = 0;
    stele_error err;

    fill(k, 1000);
    tmpdir_path(&k->tmp, "saved", path);
    CHECK_OK(stele_store_snapshot_open(&snapshot, k->s, &err), &err);
    /* What a crash left is no obstacle. */
    tmpdir_write(&k->tmp, "saved.tmp", "half", 4);
    CHECK_OK(stele_store_snapshot_save(snapshot, path, NULL, &written, &err), &err);
    assert_int_equal(written, stele_store_snapshot_size(snapshot));
    assert_false(tmpdir_exists(&k->tmp, "saved.tmp"));
    s.bytes = tmpdir_read(&k->tmp, "saved", &s.len);
    assert_int_equal(s.len, written);
    CHECK_OK(verify(&s, NULL, &err), &err);
    CHECK_CODE(stele_store_snapshot_save(snapshot, path, NULL, &written, &err), STELE_EEXIST);
    tmpdir_path(&k->tmp, "no/such", path);
    CHECK_CODE(stele_store_snapshot_save(snapshot, path, NULL, &written, &err), STELE_ENOTFOUND);
    tmpdir_path(&k->tmp, "", path);
    CHECK_CODE(stele_store_snapshot_save(snapshot, "/", NULL, &written, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_snapshot_save(snapshot, NULL, NULL, &written, &err), STELE_EINVAL);
    stele_store_snapshot_close(snapshot);
    free(s.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_write, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_empty, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_damage, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_refused, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_save, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
