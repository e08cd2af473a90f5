/* SPDX-License-Identifier: MIT
 *
 * golden_test.c: a store and snapshots that were frozen in tests/golden/store are read as on the
 * day when they were made, and a snapshot is still written byte for byte.
 *
 *     store_golden_test --write DIR        make them anew
 *
 * The store is as a kill left it: a part of it is in the log of durable batches alone. What LMDB
 * and zstd make of something may change with their versions, and is read only.
 */
#include <stele/store.h>

#include "lib/check.h"
#include "lib/tmpdir.h"
#include "unit/store_check/dirs.h"
#include "unit/store_check/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SHORT_KEYS = 60,
    LOGGED_KEYS = 7,
    SEGMENT = 16 << 20, /* what the log reserves */
    BUFFER = STELE_STORE_KEY_MAX
};

/* ---- What is in them. ---- */

static const size_t key_lens[] = {0, 1, 479, 480, 481, 511, 512, 960, 961, BUFFER};
static const size_t value_lens[] = {0, 1, 100, 5000};

#define LENS (sizeof key_lens / sizeof *key_lens)

static stele_bytes pattern(uint8_t out[BUFFER], unsigned seed, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(seed * 17 + i * 3 + (i >> 7));
    }
    return stele_bytes_of(out, len);
}

struct pair {
    uint8_t key_bytes[BUFFER];
    uint8_t value_bytes[BUFFER];
    stele_bytes key;
    stele_bytes value;
};

/* The i-th pair of a bucket; false: it has no more. The keys of "long" begin alike. */
static bool make_pair(struct pair *p, const char *bucket, unsigned i)
{
    unsigned count = strcmp(bucket, "short") == 0    ? SHORT_KEYS
                     : strcmp(bucket, "long") == 0   ? (unsigned)LENS
                     : strcmp(bucket, "logged") == 0 ? LOGGED_KEYS
                                                     : 0;

    if (i >= count) {
        return false;
    }
    if (strcmp(bucket, "long") == 0) {
        p->key = pattern(p->key_bytes, 1, key_lens[i]);
    } else {
        (void)snprintf((char *)p->key_bytes, 16, "key %04u", i * 37 % 10000);
        p->key = stele_bytes_of(p->key_bytes, 8);
    }
    p->value = pattern(p->value_bytes, i, value_lens[i % 4]);
    return true;
}

static void put_bucket(stele_store_batch *b, const char *bucket)
{
    static struct pair p;
    stele_error err;

    CHECK_OK(stele_store_batch_create_bucket(b, stele_str(bucket), &err), &err);
    for (unsigned i = 0; make_pair(&p, bucket, i); i++) {
        CHECK_OK(stele_store_batch_put(b, stele_str(bucket), p.key, p.value, &err), &err);
    }
}

static stele_code count_name(void *arg, stele_bytes bucket, stele_error *err)
{
    unsigned *n = arg;

    (void)bucket;
    (void)err;
    ++*n;
    return STELE_OK;
}

static void check_contents(stele_store *s)
{
    static const char *const buckets[] = {"empty", "logged", "long", "short"};
    static struct pair p;
    stele_store_read *r = NULL;
    unsigned names = 0;
    stele_error err;

    CHECK_OK(stele_store_read_begin(&r, s, &err), &err);
    CHECK_OK(stele_store_read_buckets(r, count_name, &names, &err), &err);
    assert_int_equal(names, 4);
    for (size_t n = 0; n < 4; n++) {
        uint64_t count = 0;
        unsigned i;

        for (i = 0; make_pair(&p, buckets[n], i); i++) {
            stele_bytes value;

            CHECK_OK(stele_store_read_get(r, stele_str(buckets[n]), p.key, &value, &err), &err);
            CHECK_BYTES(value, p.value);
        }
        CHECK_OK(stele_store_read_count(r, stele_str(buckets[n]), &count, &err), &err);
        assert_int_equal(count, i);
    }
    stele_store_read_end(r);
}

/* ---- Making them. ---- */

static stele_time fixed_time(void *arg)
{
    (void)arg;
    return 1700000000000000;
}

static void fixed_random(void *arg, void *out, size_t len)
{
    (void)arg;
    memset(out, 0x42, len);
}

static void open_store(stele_store **s, const char *path, const stele_env *env)
{
    stele_store_options options;
    stele_error err;

    stele_store_options_init(&options);
    options.env = env;
    options.no_background = true;
    CHECK_OK(stele_store_open(s, path, &options, &err), &err);
}

static void write_store(stele_store *s)
{
    stele_store_batch *b = NULL;
    stele_error err;

    CHECK_OK(stele_store_batch_begin(&b, s, NULL, &err), &err);
    put_bucket(b, "empty");
    put_bucket(b, "long");
    put_bucket(b, "short");
    CHECK_OK(stele_store_batch_create_bucket(b, stele_str("gone"), &err), &err);
    CHECK_OK(stele_store_batch_put(b, stele_str("gone"), stele_str("k"), stele_str("v"), &err),
            &err);
    CHECK_OK(stele_store_batch_put(b, stele_str("short"), stele_str("gone"), stele_nil(), &err),
            &err);
    CHECK_OK(stele_store_batch_end_durable(b, &err), &err);
    CHECK_OK(stele_store_commit(s, &err), &err);
    CHECK_OK(stele_store_batch_begin(&b, s, NULL, &err), &err);
    CHECK_OK(stele_store_batch_delete_bucket(b, stele_str("gone"), &err), &err);
    CHECK_OK(stele_store_batch_delete(b, stele_str("short"), stele_str("gone"), &err), &err);
    CHECK_OK(stele_store_batch_end(b, &err), &err);
    CHECK_OK(stele_store_batch_begin(&b, s, NULL, &err), &err);
    put_bucket(b, "logged");
    CHECK_OK(stele_store_batch_end_durable(b, &err), &err);
}

static void snapshot(stele_store *s, struct stream *out, bool zstd)
{
    stele_store_snapshot_options options;
    stele_store_snapshot *snapshot = NULL;
    stele_error err;

    stele_store_snapshot_options_init(&options);
    options.zstd = zstd;
    CHECK_OK(stele_store_snapshot_open(&snapshot, s, &err), &err);
    CHECK_OK(stele_store_snapshot_write(snapshot, &options, stream_write, out, NULL, &err), &err);
    stele_store_snapshot_close(snapshot);
}

/* What nobody needs, and the room behind the log. */
static void strip(const struct tmpdir *t)
{
    struct dirs d;

    dirs_list(&d, t);
    for (size_t i = 0; i < d.count; i++) {
        char path[TMPDIR_PATH_SIZE];

        tmpdir_path(t, d.names[i], path);
        if (strstr(d.names[i], "lock") != NULL || d.names[i][0] == '.') {
            assert_int_equal(unlink(path), 0);
        } else if (strstr(d.names[i], ".wal") != NULL) {
            size_t len = 0;
            uint8_t *bytes = tmpdir_read(t, d.names[i], &len);

            while (len > 0 && bytes[len - 1] == 0) {
                len--;
            }
            tmpdir_write(t, d.names[i], bytes, len);
            free(bytes);
        }
    }
    dirs_free(&d);
}

static void write_all(const char *path)
{
    struct tmpdir live;
    struct tmpdir to;
    struct tmpdir golden;
    struct stream plain = {.len = 0};
    struct stream packed = {.len = 0};
    stele_store *s = NULL;
    stele_env env;

    stele_env_init(&env);
    env.wall_clock = fixed_time;
    env.random = fixed_random;
    (void)snprintf(golden.path, sizeof golden.path, "%s", path);
    tmpdir_mkdir(&golden, "killed");
    tmpdir_path(&golden, "killed", to.path);
    tmpdir_make(&live);
    open_store(&s, live.path, &env);
    write_store(s);
    dirs_copy(&live, &to);
    strip(&to);
    check_contents(s);
    snapshot(s, &plain, false);
    snapshot(s, &packed, true);
    tmpdir_write(&golden, "snapshot", plain.bytes, plain.len);
    tmpdir_write(&golden, "snapshot.zst", packed.bytes, packed.len);
    stream_free(&plain);
    stream_free(&packed);
    assert_int_equal(stele_store_close(s, NULL), STELE_OK);
    tmpdir_remove(&live);
}

/* ---- Reading them. ---- */

static void golden(struct tmpdir *t, const char *name)
{
    (void)snprintf(t->path, sizeof t->path, "%s/golden/store%s%s", STELE_TESTS_DIR,
            name[0] == '\0' ? "" : "/", name);
}

/* Put back what strip() took from the log. */
static void unstrip(const struct tmpdir *t)
{
    struct dirs d;

    dirs_list(&d, t);
    for (size_t i = 0; i < d.count; i++) {
        char path[TMPDIR_PATH_SIZE];

        tmpdir_path(t, d.names[i], path);
        if (strstr(d.names[i], ".wal") != NULL) {
            assert_int_equal(truncate(path, SEGMENT), 0);
        }
    }
    dirs_free(&d);
}

static void check_whole(const char *path)
{
    stele_error err;

    CHECK_OK(stele_store_check_dir(path, NULL, NULL, NULL, NULL, &err), &err);
}

static void test_killed(void **state)
{
    struct tmpdir from;
    struct tmpdir t;
    stele_store *s = NULL;
    stele_error err;

    (void)state;
    golden(&from, "killed");
    tmpdir_make(&t);
    dirs_copy(&from, &t);
    unstrip(&t);
    check_whole(t.path);
    for (int i = 0; i < 2; i++) {
        open_store(&s, t.path, NULL);
        check_contents(s);
        CHECK_OK(stele_store_close(s, &err), &err);
        check_whole(t.path);
    }
    tmpdir_remove(&t);
}

static void test_snapshots(void **state)
{
    static const char *const names[] = {"snapshot", "snapshot.zst"};
    struct stream plain = {.len = 0};
    struct tmpdir from;

    (void)state;
    golden(&from, "");
    plain.bytes = tmpdir_read(&from, "snapshot", &plain.len);
    for (size_t i = 0; i < 2; i++) {
        struct stream in = {.len = 0};
        struct stream again = {.len = 0};
        stele_store_contents contents;
        struct tmpdir t;
        stele_store *s = NULL;
        stele_error err;

        in.bytes = tmpdir_read(&from, names[i], &in.len);
        CHECK_OK(stele_store_snapshot_verify(stream_read, &in, &contents, &err), &err);
        assert_int_equal(contents.buckets, 4);
        assert_int_equal(contents.keys, SHORT_KEYS + LENS + LOGGED_KEYS);
        stream_rewind(&in);
        tmpdir_make(&t);
        CHECK_OK(stele_store_restore(t.path, stream_read, &in, NULL, NULL, &err), &err);
        check_whole(t.path);
        open_store(&s, t.path, NULL);
        check_contents(s);
        snapshot(s, &again, false);
        assert_int_equal(again.len, plain.len);
        assert_memory_equal(again.bytes, plain.bytes, plain.len);
        CHECK_OK(stele_store_close(s, &err), &err);
        tmpdir_remove(&t);
        stream_free(&in);
        stream_free(&again);
    }
    stream_free(&plain);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_killed),
            cmocka_unit_test(test_snapshots),
    };

    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        write_all(argv[2]);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
