/* SPDX-License-Identifier: MIT
 *
 * migrate_test.c: segments in the other version, byte for byte as the reference makes them.
 */
#include "unit/stream_tools/kept.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#define LOGS STELE_TESTS_DIR "/vectors/klevdb/logs"

static stele_stream_options options(void)
{
    stele_stream_options opts;

    stele_stream_options_init(&opts);
    opts.key_index = true;
    opts.time_index = true;
    return opts;
}

static void equals_the_reference(void **state)
{
    FILE *f = fopen(LOGS "/v1_both_migrated_v2/files.jsonl", "r");
    stele_stream_options opts = options();
    struct tmpdir t;
    struct files before;
    struct files after;
    char *line = NULL;
    size_t size = 0;
    int64_t segments = 0;
    int64_t migrated = 0;
    size_t seen = 0;
    stele_error err;

    (void)state;
    assert_non_null(f);
    tmpdir_make(&t);
    files_copy(LOGS "/v1_both/data", t.path, NULL);
    files_read(&before, t.path);
    CHECK_OK(stele_stream_migrate_dir(
                     t.path, &opts, STELE_STREAM_VERSION_DEFAULT, &segments, &migrated, &err),
            &err);
    assert_int_equal(segments, 5);
    assert_int_equal(migrated, 5);
    while (getline(&line, &size, f) > 0) {
        json_t *r = json_loads(line, 0, NULL);
        const char *name = json_string_value(json_object_get(r, "file"));
        char sum[17];

        if (name != NULL) {
            assert_int_equal(tmpdir_size(&t, name), json_integer_value(json_object_get(r, "size")));
            tmpdir_sha256(&t, name, sum);
            assert_string_equal(sum, json_string_value(json_object_get(r, "sha256")));
            seen++;
        }
        json_decref(r);
    }
    files_read(&after, t.path);
    assert_int_equal(seen, after.count);
    files_free(&after);
    CHECK_OK(stele_stream_check_dir(t.path, &opts, false, NULL, NULL, NULL, &err), &err);

    /* Again: nothing to do. And back: the files that there were. */
    CHECK_OK(stele_stream_migrate_dir(t.path, &opts, STELE_STREAM_V2, &segments, &migrated, &err),
            &err);
    assert_int_equal(segments, 5);
    assert_int_equal(migrated, 0);
    CHECK_OK(stele_stream_migrate_dir(t.path, &opts, STELE_STREAM_V1, &segments, &migrated, &err),
            &err);
    assert_int_equal(migrated, 5);
    files_read(&after, t.path);
    assert_true(files_equal(&before, &after));
    files_free(&after);
    files_free(&before);
    free(line);
    (void)fclose(f);
    tmpdir_remove(&t);
}

static void damage_is_left_alone(void **state)
{
    static const char *const variants[] = {
            "trunc_both", "bitflip_nonhead", "garbage_tail_100", "stale_recover_file"};
    stele_stream_options opts = options();

    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        struct tmpdir t;
        uint8_t *before;
        uint8_t *after;
        size_t before_len;
        size_t after_len;
        const char *name = i == 1 ? "00000000000000000000.log" : "00000000000000000045.log";
        stele_error err;

        tmpdir_make(&t);
        files_make_variant(&t, "v1", variants[i]);
        before = tmpdir_read(&t, name, &before_len);
        CHECK_CODE(stele_stream_migrate_dir(t.path, &opts, STELE_STREAM_V2, NULL, NULL, &err),
                STELE_ECORRUPT);
        CHECK_MESSAGE_HAS(&err, name);
        after = tmpdir_read(&t, name, &after_len);
        assert_int_equal(before_len, after_len);
        assert_memory_equal(before, after, after_len);
        free(before);
        free(after);
        CHECK_OK(stele_stream_recover_dir(t.path, &opts, NULL, NULL, &err), &err);
        CHECK_OK(stele_stream_migrate_dir(t.path, &opts, STELE_STREAM_V2, NULL, NULL, &err), &err);
        CHECK_OK(stele_stream_check_dir(t.path, &opts, false, NULL, NULL, NULL, &err), &err);
        tmpdir_remove(&t);
    }
}

/* The name of an empty newest segment holds the next offset. */
static void the_next_offset_survives(void **state)
{
    stele_stream_options opts = options();
    struct kept *k = calloc(1, sizeof *k);
    struct tmpdir t;
    int64_t migrated;
    stele_error err;

    (void)state;
    assert_non_null(k);
    for (int v = 1; v <= 2; v++) {
        stele_stream_version to = v == 1 ? STELE_STREAM_V2 : STELE_STREAM_V1;

        tmpdir_make(&t);
        files_make_variant(&t, v == 1 ? "v1" : "v2", "head_log_empty");
        CHECK_OK(stele_stream_recover_dir(t.path, &opts, NULL, NULL, &err), &err);
        CHECK_OK(stele_stream_migrate_dir(t.path, &opts, to, NULL, &migrated, &err), &err);
        assert_true(migrated >= 2);
        kept_read(k, t.path);
        assert_int_equal(k->next, 60);
        assert_int_equal(k->count, v == 1 ? 45 : 42);
        CHECK_OK(stele_stream_check_dir(t.path, &opts, false, NULL, NULL, NULL, &err), &err);
        tmpdir_remove(&t);
    }
    free(k);
}

/* Version 1 knows a file by its first message: where that of version 2 is gone, the name changes.
 */
static void a_lost_first_message_changes_the_name(void **state)
{
    stele_stream_options opts = options();
    struct kept *k = calloc(1, sizeof *k);
    struct tmpdir t;
    stele_error err;

    (void)state;
    assert_non_null(k);
    tmpdir_make(&t);
    files_copy(STELE_TESTS_DIR "/vectors/klevdb/corrupt/v2_base", t.path, NULL);
    tmpdir_flip(&t, "00000000000000000021.log", 8 * 40);
    CHECK_OK(stele_stream_recover_dir(t.path, &opts, NULL, NULL, &err), &err);
    assert_true(tmpdir_exists(&t, "00000000000000000021.log"));
    CHECK_OK(stele_stream_migrate_dir(t.path, &opts, STELE_STREAM_V1, NULL, NULL, &err), &err);
    assert_false(tmpdir_exists(&t, "00000000000000000021.log"));
    assert_true(tmpdir_exists(&t, "00000000000000000022.log"));
    kept_read(k, t.path);
    assert_int_equal(k->count, 59);
    assert_true(k->rising);
    CHECK_OK(stele_stream_check_dir(t.path, &opts, false, NULL, NULL, NULL, &err), &err);
    tmpdir_remove(&t);
    free(k);
}

static void a_dry_run_changes_nothing(void **state)
{
    stele_stream_options opts = options();
    struct files before;
    struct files after;
    struct tmpdir t;
    int64_t segments;
    int64_t migrated;
    stele_error err;

    (void)state;
    tmpdir_make(&t);
    files_make_variant(&t, "v1", "stale_rewrite_files");
    files_read(&before, t.path);
    opts.dry_run = true;
    CHECK_OK(stele_stream_migrate_dir(t.path, &opts, STELE_STREAM_V2, &segments, &migrated, &err),
            &err);
    assert_int_equal(segments, 3);
    assert_int_equal(migrated, 3);
    files_read(&after, t.path);
    assert_true(files_equal(&before, &after));
    assert_false(tmpdir_exists(&t, ".lock"));
    files_free(&before);
    files_free(&after);
    tmpdir_remove(&t);
}

static void bad_arguments(void **state)
{
    stele_stream_options opts = options();
    struct tmpdir t;
    stele_error err;

    (void)state;
    tmpdir_make(&t);
    CHECK_CODE(stele_stream_migrate_dir(t.path, &opts, (stele_stream_version)3, NULL, NULL, &err),
            STELE_EINVAL);
    CHECK_CODE(stele_stream_migrate_dir("/nonexistent/x", &opts, STELE_STREAM_V2, NULL, NULL, &err),
            STELE_ENOTFOUND);
    CHECK_OK(stele_stream_migrate_dir(t.path, &opts, STELE_STREAM_V2, NULL, NULL, &err), &err);
    files_copy(LOGS "/v1_both/data", t.path, NULL);
    opts.time_index = false;
    CHECK_CODE(stele_stream_migrate_dir(t.path, &opts, STELE_STREAM_V2, NULL, NULL, &err),
            STELE_EMISMATCH);
    CHECK_OK(stele_stream_migrate_dir(t.path, NULL, STELE_STREAM_V2, NULL, NULL, &err), &err);
    tmpdir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(equals_the_reference),
            cmocka_unit_test(damage_is_left_alone),
            cmocka_unit_test(the_next_offset_survives),
            cmocka_unit_test(a_lost_first_message_changes_the_name),
            cmocka_unit_test(a_dry_run_changes_nothing),
            cmocka_unit_test(bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
