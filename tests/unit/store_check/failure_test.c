/* SPDX-License-Identifier: MIT
 *
 * failure_test.c: check, scrub, snapshots, restore, import and export, while the n-th allocation or
 * the n-th operation on a file fails, for every n until none does.
 *
 * What failed says so, and leaves a whole result or none; what it read from is as before; and done
 * again it succeeds.
 */
#include "../store_core/kit.h"
#include "base/alloc.h"
#include "lib/faulty.h"
#include "stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct rig {
    struct kit *kit; /* the store that is read from; its files are the faulty ones */
    struct faulty faulty;
    stele_env env;
    struct stream snapshot;
    struct tmpdir out; /* for what is made */
    char bbolt[TMPDIR_PATH_SIZE];
    uint32_t hash;
};

/* ---- What is done. ---- */

static uint32_t hash_of(stele_store *s)
{
    uint32_t hash = 0;
    stele_error err;

    CHECK_OK(stele_store_hash(s, NULL, &hash, &err), &err);
    return hash;
}

static void open_store(struct rig *r)
{
    if (r->kit->s == NULL) {
        kit_open(r->kit);
    }
}

static void close_store(struct rig *r)
{
    if (r->kit->s != NULL) {
        kit_close(r->kit);
    }
}

static stele_code do_check(struct rig *r, stele_error *err)
{
    stele_store_checked out = {.keys = 0};
    stele_code code =
            stele_store_check_dir(r->kit->tmp.path, &r->kit->options, NULL, NULL, &out, err);

    assert_true(code != STELE_OK || out.keys == 52);
    return code;
}

static stele_code do_scrub_dir(struct rig *r, stele_error *err)
{
    stele_store_checked out = {.keys = 0};
    stele_code code =
            stele_store_scrub_dir(r->kit->tmp.path, &r->kit->options, NULL, NULL, &out, err);

    assert_true(code != STELE_OK || out.keys == 52);
    return code;
}

static stele_code do_scrub(struct rig *r, stele_error *err)
{
    return stele_store_scrub(r->kit->s, NULL, NULL, NULL, NULL, err);
}

static stele_code save(struct rig *r, bool zstd, stele_error *err)
{
    stele_store_snapshot_options options;
    stele_store_snapshot *snapshot = NULL;
    char path[TMPDIR_PATH_SIZE];
    stele_code code = stele_store_snapshot_open(&snapshot, r->kit->s, err);

    stele_store_snapshot_options_init(&options);
    options.zstd = zstd;
    tmpdir_path(&r->out, "saved", path);
    if (code == STELE_OK) {
        code = stele_store_snapshot_save(snapshot, path, &options, NULL, err);
    }
    stele_store_snapshot_close(snapshot);
    return code;
}

static stele_code do_save(struct rig *r, stele_error *err)
{
    return save(r, false, err);
}

static stele_code do_save_zstd(struct rig *r, stele_error *err)
{
    return save(r, true, err);
}

static stele_code do_restore(struct rig *r, stele_error *err)
{
    stele_store_options options;
    char path[TMPDIR_PATH_SIZE];

    stele_store_options_init(&options);
    options.env = &r->env;
    options.create_dirs = true;
    tmpdir_path(&r->out, "new", path);
    stream_rewind(&r->snapshot);
    return stele_store_restore(path, stream_read, &r->snapshot, &options, NULL, err);
}

static stele_code do_import(struct rig *r, stele_error *err)
{
    return stele_store_import_bbolt(r->kit->s, r->bbolt, NULL, NULL, err);
}

static stele_code do_export(struct rig *r, stele_error *err)
{
    stele_store_bbolt_options options;
    char path[TMPDIR_PATH_SIZE];

    stele_store_bbolt_options_init(&options);
    options.sha256 = true;
    options.page_size = 512;
    tmpdir_path(&r->out, "saved.db", path);
    return stele_store_export_bbolt(r->kit->s, path, &options, NULL, err);
}

/* ---- What is left. ---- */

static void check_saved(struct rig *r)
{
    if (tmpdir_exists(&r->out, "saved")) {
        struct stream s = {.len = 0};
        stele_error err;

        s.bytes = tmpdir_read(&r->out, "saved", &s.len);
        CHECK_OK(stele_store_snapshot_verify(stream_read, &s, NULL, &err), &err);
        stream_free(&s);
    }
}

static void check_restored(struct rig *r)
{
    stele_store *s = NULL;
    char path[TMPDIR_PATH_SIZE];
    stele_error err;

    tmpdir_path(&r->out, "new", path);
    if (tmpdir_exists(&r->out, "new/current")) {
        CHECK_OK(stele_store_check_dir(path, NULL, NULL, NULL, NULL, &err), &err);
        CHECK_OK(stele_store_open(&s, path, NULL, &err), &err);
        assert_int_equal(hash_of(s), r->hash);
        CHECK_OK(stele_store_close(s, &err), &err);
    }
}

static void check_exported(struct rig *r)
{
    if (tmpdir_exists(&r->out, "saved.db")) {
        stele_store *s = NULL;
        char path[TMPDIR_PATH_SIZE];
        stele_error err;

        tmpdir_path(&r->out, "saved.db", path);
        CHECK_OK(stele_store_open_temporary(&s, NULL, 0, 0, &err), &err);
        CHECK_OK(stele_store_import_bbolt(s, path, NULL, NULL, &err), &err);
        assert_int_equal(hash_of(s), r->hash);
        CHECK_OK(stele_store_close(s, &err), &err);
    }
}

/* What is there is as it was, but for what an import put. */
static void check_store(struct rig *r)
{
    assert_int_equal(hash_of(r->kit->s), r->hash);
}

static const struct {
    const char *name;
    stele_code (*run)(struct rig *r, stele_error *err);
    void (*after)(struct rig *r);
    bool open; /* the store */
} actions[] = {
        {"check", do_check, NULL, false},
        {"scrub_dir", do_scrub_dir, NULL, false},
        {"scrub", do_scrub, check_store, true},
        {"save", do_save, check_saved, true},
        {"save with zstd", do_save_zstd, check_saved, true},
        {"restore", do_restore, check_restored, false},
        {"export", do_export, check_exported, true},
        {"import", do_import, check_store, true},
};

/* ---- Failing. ---- */

static unsigned left;

static bool fails(void *arg)
{
    (void)arg;
    return left > 0 && --left == 0;
}

static void begin(struct rig *r, size_t i)
{
    tmpdir_make(&r->out);
    if (actions[i].open) {
        open_store(r);
    } else {
        close_store(r);
    }
}

static void end(struct rig *r, size_t i)
{
    if (actions[i].after != NULL) {
        actions[i].after(r);
    }
    tmpdir_remove(&r->out);
}

static void test_allocations(void **state)
{
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        bool failed = true;
        unsigned n = 0;
        unsigned refused = 0;
        stele_error err;

        for (n = 1; failed; n++) {
            stele_code code;

            begin(r, i);
            left = n;
            sti_alloc_set_hook(fails, NULL);
            code = actions[i].run(r, &err);
            sti_alloc_set_hook(NULL, NULL);
            failed = left == 0;
            refused += code == STELE_ENOMEM;
            if (code != STELE_OK && (code != STELE_ENOMEM || !failed)) {
                print_error("%s, allocation %u: %s\n", actions[i].name, n, err.message);
                fail();
            }
            end(r, i);
        }
        print_message("%s: %u allocations failed, of %u\n", actions[i].name, refused, n - 2);
        assert_true(refused + 3 >= n - 2);
    }
}

static void test_files(void **state)
{
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        bool failed = true;
        unsigned refused = 0;
        int n = 0;
        stele_error err;

        for (n = 0; failed; n++) {
            stele_code code;

            begin(r, i);
            faulty_fail(&r->faulty, n, n % 2 == 0 ? EIO : ENOSPC);
            code = actions[i].run(r, &err);
            failed = r->faulty.ops > n;
            faulty_fail(&r->faulty, -1, 0);
            refused += code != STELE_OK;
            if (code != STELE_OK && !failed) {
                print_error("%s, operation %d: %s\n", actions[i].name, n, err.message);
                fail();
            }
            end(r, i);
        }
        print_message("%s: %u operations failed, of %d\n", actions[i].name, refused, n - 1);
        assert_true(strcmp(actions[i].name, "scrub") == 0 || refused > 2);
    }
}

/* ---- The store. ---- */

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    static char long_key[700];
    stele_store_batch *b;
    stele_store_snapshot *snapshot = NULL;
    void *p = NULL;
    stele_error err;

    assert_non_null(r);
    (void)kit_set_up(&p);
    r->kit = p;
    kit_close(r->kit);
    faulty_init(&r->faulty);
    stele_env_init(&r->env);
    r->env.vfs = &r->faulty.wrap.vfs;
    r->kit->options.env = &r->env;
    kit_open(r->kit);
    b = kit_begin(r->kit);
    kit_create(b, "one");
    kit_create(b, "two");
    memset(long_key, 'k', sizeof long_key - 1);
    for (unsigned i = 0; i < 50; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "%04u", i);
        kit_put(b, "one", key, "a value");
    }
    kit_put(b, "two", long_key, "long");
    long_key[600] = '\0';
    kit_put(b, "two", long_key, "less so");
    kit_end(b);
    kit_commit(r->kit);
    r->hash = hash_of(r->kit->s);
    CHECK_OK(stele_store_snapshot_open(&snapshot, r->kit->s, &err), &err);
    CHECK_OK(stele_store_snapshot_write(snapshot, NULL, stream_write, &r->snapshot, NULL, &err),
            &err);
    stele_store_snapshot_close(snapshot);
    tmpdir_path(&r->kit->tmp, "copy.db", r->bbolt);
    CHECK_OK(stele_store_export_bbolt(r->kit->s, r->bbolt, NULL, NULL, &err), &err);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    void *p = r->kit;

    (void)kit_tear_down(&p);
    stream_free(&r->snapshot);
    free(r);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_allocations, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
