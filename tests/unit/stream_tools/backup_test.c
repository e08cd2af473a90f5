/* SPDX-License-Identifier: MIT
 *
 * backup_test.c: copies of open streams and of directories, brought up to date and refused.
 */
#include <stele/vfs.h>

#include "base/mutant.h"
#include "unit/stream_tools/kept.h"

#include <stdio.h>
#include <stdlib.h>

static stele_stream_options options(void)
{
    stele_stream_options opts;

    stele_stream_options_init(&opts);
    opts.create_dirs = true;
    opts.key_index = true;
    opts.time_index = true;
    opts.rollover = 400;
    return opts;
}

static stele_stream *open_at(const char *path)
{
    stele_stream_options opts = options();
    stele_stream *s;
    stele_error err;

    CHECK_OK(stele_stream_open(&s, path, &opts, &err), &err);
    return s;
}

static void publish(stele_stream *s, int from, int to)
{
    for (int i = from; i < to; i++) {
        char key[32];
        char value[32];
        stele_message m = stele_message_invalid();
        stele_error err;

        (void)snprintf(key, sizeof key, "key-%d", i % 7);
        (void)snprintf(value, sizeof value, "value-%d", i);
        m.time = 1700000000000000 + i;
        m.key = stele_str(key);
        m.value = stele_str(value);
        CHECK_OK(stele_stream_publish(s, &m, 1, NULL, &err), &err);
    }
}

static void close_it(stele_stream *s)
{
    stele_error err;

    CHECK_OK(stele_stream_close(s, &err), &err);
}

struct pair {
    struct tmpdir t;
    char source[TMPDIR_PATH_SIZE];
    char target[TMPDIR_PATH_SIZE];
};

static void pair_make(struct pair *p)
{
    tmpdir_make(&p->t);
    tmpdir_path(&p->t, "source", p->source);
    tmpdir_path(&p->t, "a/deep/target", p->target);
}

/* Logs and indexes are the same; side files are the source's own. */
static void check_same(const struct pair *p)
{
    stele_stream_options opts = options();
    struct files source;
    struct files target;
    size_t at = 0;
    stele_error err;

    files_read(&source, p->source);
    files_read(&target, p->target);
    for (size_t i = 0; i < source.count; i++) {
        if (strstr(source.list[i].name, ".log") == NULL &&
                strstr(source.list[i].name, ".index") == NULL) {
            continue;
        }
        assert_true(at < target.count);
        assert_string_equal(source.list[i].name, target.list[at].name);
        assert_int_equal(source.list[i].len, target.list[at].len);
        assert_memory_equal(source.list[i].bytes, target.list[at].bytes, source.list[i].len);
        at++;
    }
    assert_int_equal(at, target.count);
    files_free(&source);
    files_free(&target);
    CHECK_OK(stele_stream_check_dir(p->target, &opts, false, NULL, NULL, NULL, &err), &err);
}

/* What a copy is, is what the stream becomes by a clean close. */
static void a_copy_equals_the_closed_stream(void **state)
{
    struct pair p;
    stele_stream *s;
    stele_stream_copied copied;
    stele_stream_stats stats;
    stele_error err;

    (void)state;
    pair_make(&p);
    s = open_at(p.source);
    publish(s, 0, 50);
    CHECK_OK(stele_stream_backup(s, p.target, &copied, &err), &err);
    CHECK_OK(stele_stream_stat(s, &stats, &err), &err);
    assert_true(copied.segments > 2);
    assert_int_equal(copied.messages, 50);
    assert_int_equal(copied.segments, stats.segments);
    assert_int_equal(copied.bytes, stats.size);
    close_it(s);
    check_same(&p);
    tmpdir_remove(&p.t);
}

static void an_empty_stream(void **state)
{
    struct pair p;
    stele_stream *s;
    stele_stream_copied copied;
    stele_error err;

    (void)state;
    pair_make(&p);
    s = open_at(p.source);
    CHECK_OK(stele_stream_backup(s, p.target, &copied, &err), &err);
    assert_int_equal(copied.messages, 0);
    publish(s, 0, 3);
    CHECK_OK(stele_stream_backup(s, p.target, &copied, &err), &err);
    assert_int_equal(copied.messages, 3);
    close_it(s);
    check_same(&p);
    tmpdir_remove(&p.t);
}

/* Publishing, deleting inside segments, and trimming whole ones. */
static void a_copy_is_brought_up_to_date(void **state)
{
    struct pair p;
    stele_stream *s;
    stele_offsets *some;
    stele_error err;

    (void)state;
    pair_make(&p);
    s = open_at(p.source);
    publish(s, 0, 40);
    CHECK_OK(stele_stream_backup(s, p.target, NULL, &err), &err);
    publish(s, 40, 60);
    CHECK_OK(stele_stream_backup(s, p.target, NULL, &err), &err);
    CHECK_OK(stele_offsets_new(&some, &err), &err);
    for (int64_t i = 10; i < 60; i += 3) {
        CHECK_OK(stele_offsets_add(some, i, &err), &err);
    }
    CHECK_OK(stele_stream_delete_multi(s, some, NULL, NULL, &err), &err);
    stele_offsets_free(some);
    CHECK_OK(stele_stream_trim_by_offset_multi(s, 14, NULL, NULL, NULL, &err), &err);
    CHECK_OK(stele_stream_backup(s, p.target, NULL, &err), &err);
    close_it(s);
    check_same(&p);
    /* Nothing to do. */
    s = open_at(p.source);
    CHECK_OK(stele_stream_backup(s, p.target, NULL, &err), &err);
    close_it(s);
    check_same(&p);
    tmpdir_remove(&p.t);
}

static void without_opening_and_beside_a_writer(void **state)
{
    struct pair p;
    stele_stream *s;
    stele_stream_copied copied;
    stele_error err;

    (void)state;
    pair_make(&p);
    CHECK_CODE(stele_stream_backup_dir(p.source, p.target, NULL, &copied, &err), STELE_ENOTFOUND);
    s = open_at(p.source);
    publish(s, 0, 25);
    CHECK_OK(stele_stream_backup_dir(p.source, p.target, NULL, &copied, &err), &err);
    assert_int_equal(copied.messages, 25);
    publish(s, 25, 30);
    close_it(s);
    CHECK_OK(stele_stream_backup_dir(p.source, p.target, NULL, &copied, &err), &err);
    assert_int_equal(copied.messages, 30);
    check_same(&p);
    tmpdir_remove(&p.t);
}

static void other_streams_are_refused(void **state)
{
    struct pair p;
    struct files before;
    struct files after;
    stele_stream *s;
    stele_stream *other;
    stele_error err;

    (void)state;
    pair_make(&p);
    s = open_at(p.source);
    publish(s, 0, 20);
    /* Another content. */
    other = open_at(p.target);
    publish(other, 100, 110);
    CHECK_CODE(stele_stream_backup(s, p.target, NULL, &err), STELE_EBUSY);
    close_it(other);
    files_read(&before, p.target);
    CHECK_CODE(stele_stream_backup(s, p.target, NULL, &err), STELE_EEXIST);
    files_read(&after, p.target);
    assert_true(files_equal(&before, &after));
    files_free(&before);
    files_free(&after);
    /* The same start, and more than the source has. */
    tmpdir_path(&p.t, "longer", p.target);
    other = open_at(p.target);
    publish(other, 0, 30);
    close_it(other);
    files_read(&before, p.target);
    CHECK_CODE(stele_stream_backup(s, p.target, NULL, &err), STELE_EEXIST);
    files_read(&after, p.target);
    assert_true(files_equal(&before, &after));
    files_free(&before);
    files_free(&after);
    close_it(s);
    /* No directory at all. */
    tmpdir_write(&p.t, "file", "x", 1);
    tmpdir_path(&p.t, "file", p.target);
    assert_true(stele_stream_backup_dir(p.source, p.target, NULL, NULL, &err) != STELE_OK);
    CHECK_CODE(stele_stream_backup_dir(NULL, p.target, NULL, NULL, &err), STELE_EINVAL);
    tmpdir_remove(&p.t);
}

static void a_damaged_source_is_no_backup(void **state)
{
    struct pair p;
    stele_stream *s;
    stele_error err;

    (void)state;
    pair_make(&p);
    s = open_at(p.source);
    publish(s, 0, 50);
    close_it(s);
    tmpdir_flip(&p.t, "source/00000000000000000000.log", 8 * 60);
    CHECK_CODE(stele_stream_backup_dir(p.source, p.target, NULL, NULL, &err), STELE_ECORRUPT);
    tmpdir_remove(&p.t);
}

/* Without its end a sealed log is whole, but it is not all of it. */
static void a_damaged_end_of_a_segment_is_no_backup(void **state)
{
    struct pair p;
    struct files files;
    struct files before;
    struct files after;
    stele_stream *s;
    stele_error err;

    (void)state;
    pair_make(&p);
    s = open_at(p.source);
    publish(s, 0, 50);
    close_it(s);
    CHECK_OK(stele_stream_backup_dir(p.source, p.target, NULL, NULL, &err), &err);
    files_read(&before, p.target);
    files_read(&files, p.source);
    for (size_t i = 0; i < files.count; i++) {
        if (strcmp(files.list[i].name, "00000000000000000000.log") == 0) {
            tmpdir_flip(&p.t, "source/00000000000000000000.log", 8 * (files.list[i].len - 1));
        }
    }
    CHECK_CODE(stele_stream_backup_dir(p.source, p.target, NULL, NULL, &err), STELE_ECORRUPT);
    assert_non_null(strstr(err.message, "recover"));
    files_read(&after, p.target);
    assert_true(files_equal(&before, &after));
    files_free(&files);
    files_free(&before);
    files_free(&after);
    tmpdir_remove(&p.t);
}

/* ---- A disk that writes something else than it was given. ---- */

static stele_dir_ops dir_ops;
static stele_file_ops file_ops;
static const stele_dir_ops *real_dir_ops;
static const stele_file_ops *real_file_ops;

static int64_t lying_pwritev(stele_file *f, const stele_slice *slices, int count, uint64_t at)
{
    uint8_t copy[4096];
    stele_slice slice = {copy, 0};

    for (int i = 0; i < count; i++) {
        if (slices[i].len > sizeof copy - slice.len) {
            return real_file_ops->pwritev(f, slices, count, at);
        }
        memcpy(copy + slice.len, slices[i].data, slices[i].len);
        slice.len += slices[i].len;
    }
    if (slice.len > 100) {
        copy[90] ^= 1;
    }
    return real_file_ops->pwritev(f, &slice, 1, at);
}

static int lying_open(stele_dir *d, const char *name, unsigned flags, stele_file **out)
{
    int rc = real_dir_ops->open(d, name, flags, out);

    if (rc == 0) {
        real_file_ops = (*out)->ops;
        file_ops = *real_file_ops;
        file_ops.pwritev = lying_pwritev;
        (*out)->ops = &file_ops;
    }
    return rc;
}

static int lying_open_dir(const stele_vfs *v, const char *path, unsigned flags, stele_dir **out)
{
    const stele_vfs *real = stele_vfs_posix();
    int rc = real->ops->open_dir(real, path, flags, out);

    (void)v;
    if (rc == 0 && strstr(path, "target") != NULL) {
        real_dir_ops = (*out)->ops;
        dir_ops = *real_dir_ops;
        dir_ops.open = lying_open;
        (*out)->ops = &dir_ops;
    }
    return rc;
}

static stele_code back_up_on_a_lying_disk(void)
{
    static const stele_vfs_ops ops = {.version = 1, .open_dir = lying_open_dir};
    static const stele_vfs vfs = {.ops = &ops};
    struct pair p;
    stele_stream_options opts = options();
    stele_stream *s;
    stele_env env;
    stele_error err;
    stele_code rc;

    pair_make(&p);
    s = open_at(p.source);
    publish(s, 0, 30);
    close_it(s);
    stele_env_init(&env);
    env.vfs = &vfs;
    opts.env = &env;
    rc = stele_stream_backup_dir(p.source, p.target, &opts, NULL, &err);
    tmpdir_remove(&p.t);
    return rc;
}

static void what_the_disk_changed_is_found(void **state)
{
    (void)state;
    CHECK_CODE(back_up_on_a_lying_disk(), STELE_ECORRUPT);
}

#ifdef STI_MUTANTS
static void an_unverified_backup_is_caught(void **state)
{
    (void)state;
    sti_mutant_on = STI_MUTANT_BACKUP_UNVERIFIED;
    CHECK_CODE(back_up_on_a_lying_disk(), STELE_OK);
    sti_mutant_on = STI_MUTANT_NONE;
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_copy_equals_the_closed_stream),
            cmocka_unit_test(an_empty_stream),
            cmocka_unit_test(a_copy_is_brought_up_to_date),
            cmocka_unit_test(without_opening_and_beside_a_writer),
            cmocka_unit_test(other_streams_are_refused),
            cmocka_unit_test(a_damaged_source_is_no_backup),
            cmocka_unit_test(a_damaged_end_of_a_segment_is_no_backup),
            cmocka_unit_test(what_the_disk_changed_is_found),
#ifdef STI_MUTANTS
            cmocka_unit_test(an_unverified_backup_is_caught),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
