/* SPDX-License-Identifier: MIT
 *
 * restore_test.c: snapshots, plain and compressed, and the stores that are made of them.
 */
#include "../store_core/kit.h"
#include "dirs.h"
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

/* ---- A store with all kinds of things. ---- */

static void put(stele_store_batch *b, const char *bucket, stele_bytes key, stele_bytes value)
{
    stele_error err;

    CHECK_OK(stele_store_batch_put(b, stele_str(bucket), key, value, &err), &err);
}

static void fill(struct kit *k, unsigned count)
{
    static uint8_t key[STELE_STORE_KEY_MAX];
    static uint8_t value[300000];
    stele_store_batch *b = kit_begin(k);
    uint64_t x = 1;

    for (size_t i = 0; i < sizeof value; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407U;
        value[i] = (uint8_t)(x >> 60); /* half of it can be saved */
    }
    memset(key, 'k', sizeof key);
    kit_create(b, "a");
    kit_create(b, "empty");
    kit_create(b, "middle");
    kit_create(b, "z");
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf((char *)key, 9, "%08u", i * 7919 % 100000);
        key[8] = 'k';
        put(b, i % 3 == 0 ? "a" : "middle", stele_bytes_of(key, 8),
                stele_bytes_of(value + i % 1000, i % 200));
    }
    put(b, "z", stele_empty(), stele_empty());
    put(b, "z", stele_bytes_of(key, sizeof key), stele_bytes_of(value, sizeof value));
    put(b, "z", stele_bytes_of(key, 480), stele_bytes_of(value, 4096));
    put(b, "z", stele_bytes_of(key, 481), stele_bytes_of(value, 1));
    kit_end(b);
    kit_commit(k);
}

static uint32_t hash_of(stele_store *s)
{
    uint32_t hash = 0;
    stele_error err;

    CHECK_OK(stele_store_hash(s, NULL, &hash, &err), &err);
    return hash;
}

static void take(struct kit *k, struct stream *s, bool zstd, int level)
{
    stele_store_snapshot *snapshot = NULL;
    stele_store_snapshot_options options;
    uint64_t written = 0;
    stele_error err;

    stele_store_snapshot_options_init(&options);
    options.zstd = zstd;
    options.zstd_level = level;
    CHECK_OK(stele_store_snapshot_open(&snapshot, k->s, &err), &err);
    CHECK_OK(stele_store_snapshot_write(snapshot, &options, stream_write, s, &written, &err), &err);
    assert_int_equal(written, s->len);
    if (!zstd) {
        assert_int_equal(written, stele_store_snapshot_size(snapshot));
    }
    stele_store_snapshot_close(snapshot);
}

static stele_code restore(
        const char *dir, struct stream *s, stele_store_contents *out, stele_error *err)
{
    stele_store_options options;

    stele_store_options_init(&options);
    options.create_dirs = true;
    stream_rewind(s);
    return stele_store_restore(dir, stream_read, s, &options, out, err);
}

/* The store in `dir` is whole and has this hash. */
static void check_store(const char *dir, uint32_t hash)
{
    stele_store_options options;
    stele_store *s = NULL;
    stele_error err;

    CHECK_OK(stele_store_check_dir(dir, NULL, NULL, NULL, NULL, &err), &err);
    stele_store_options_init(&options);
    options.must_exist = true;
    CHECK_OK(stele_store_open(&s, dir, &options, &err), &err);
    assert_int_equal(hash_of(s), hash);
    CHECK_OK(stele_store_close(s, &err), &err);
    CHECK_OK(stele_store_check_dir(dir, NULL, NULL, NULL, NULL, &err), &err);
}

/* ---- Tests. ---- */

static void test_restore(void **state)
{
    struct kit *k = *state;
    struct stream plain = {.len = 0};
    struct stream packed = {.len = 0};
    char dir[TMPDIR_PATH_SIZE];
    stele_store_contents contents;
    uint32_t hash;
    stele_error err;

    fill(k, 5000);
    hash = hash_of(k->s);
    take(k, &plain, false, 0);
    take(k, &packed, true, 0);
    assert_true(packed.len < plain.len * 3 / 4);
    tmpdir_path(&k->tmp, "deep/plain", dir);
    CHECK_OK(restore(dir, &plain, &contents, &err), &err);
    assert_int_equal(contents.buckets, 4);
    assert_int_equal(contents.keys, 5004);
    check_store(dir, hash);
    tmpdir_path(&k->tmp, "packed", dir);
    CHECK_OK(restore(dir, &packed, &contents, &err), &err);
    assert_int_equal(contents.keys, 5004);
    check_store(dir, hash);
    CHECK_CODE(restore(dir, &packed, &contents, &err), STELE_EEXIST);
    CHECK_CODE(restore(k->tmp.path, &packed, &contents, &err), STELE_EBUSY);
    check_store(dir, hash);
    stream_free(&plain);
    stream_free(&packed);
}

/* More than a transaction takes, and as many buckets. */
static void test_many(void **state)
{
    struct kit *k = *state;
    stele_store_batch *b = kit_begin(k);
    struct stream s = {.len = 0};
    char dir[TMPDIR_PATH_SIZE];
    stele_store_contents contents;
    stele_error err;

    kit_create(b, "zz");
    for (unsigned i = 0; i < 150000; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "%08u", i);
        kit_put(b, "zz", key, "v");
    }
    for (unsigned i = 0; i < 3000; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "bucket %u", i);
        kit_create(b, name);
        kit_put(b, name, "k", name);
    }
    kit_end(b);
    take(k, &s, true, 1);
    tmpdir_path(&k->tmp, "new", dir);
    CHECK_OK(restore(dir, &s, &contents, &err), &err);
    assert_int_equal(contents.buckets, 3001);
    assert_int_equal(contents.keys, 153000);
    check_store(dir, hash_of(k->s));
    stream_free(&s);
}

static void test_levels(void **state)
{
    struct kit *k = *state;
    stele_store_snapshot_options options;
    stele_store_snapshot *snapshot = NULL;
    struct stream s = {.len = 0};
    stele_store_contents contents;
    char path[TMPDIR_PATH_SIZE];
    uint64_t written = 0;
    stele_error err;

    fill(k, 500);
    for (int level = 1; level <= 19; level += 6) {
        struct stream packed = {.len = 0};

        take(k, &packed, true, level);
        CHECK_OK(stele_store_snapshot_verify(stream_read, &packed, &contents, &err), &err);
        assert_int_equal(contents.keys, 504);
        stream_free(&packed);
    }
    CHECK_OK(stele_store_snapshot_open(&snapshot, k->s, &err), &err);
    stele_store_snapshot_options_init(&options);
    options.zstd = true;
    for (int level = -1; level <= 20; level += 21) {
        options.zstd_level = level;
        CHECK_CODE(stele_store_snapshot_write(snapshot, &options, stream_write, &s, NULL, &err),
                STELE_EINVAL);
    }
    assert_int_equal(s.len, 0);
    options.zstd_level = 0;
    tmpdir_path(&k->tmp, "saved", path);
    CHECK_OK(stele_store_snapshot_save(snapshot, path, &options, &written, &err), &err);
    assert_int_equal(tmpdir_size(&k->tmp, "saved"), written);
    assert_true(written < stele_store_snapshot_size(snapshot));
    stele_store_snapshot_close(snapshot);
}

/* Nothing is left of what was begun, and a store can be made. */
static void check_nothing(const struct tmpdir *t)
{
    struct dirs d;

    dirs_list(&d, t);
    for (size_t i = 0; i < d.count; i++) {
        assert_string_equal(d.names[i], ".lock");
    }
    dirs_free(&d);
    assert_false(tmpdir_exists(t, "gen-1"));
    assert_false(tmpdir_exists(t, "gen-1.tmp"));
}

/* Every bit changed. Of a frame some say nothing that matters: what is unpacked is the same then.
 * Whatever else is refused. */
static void flip_all(struct stream *s, uint32_t hash, bool packed)
{
    size_t step = getenv("STELE_FULL") == NULL ? 61 : 1;
    size_t harmless = 0;
    stele_error err;

    for (size_t bit = 0; bit < 8 * s->len; bit++) {
        struct tmpdir t;
        stele_code code;

        s->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        stream_rewind(s);
        code = stele_store_snapshot_verify(stream_read, s, NULL, &err);
        harmless += code == STELE_OK ? 1 : 0;
        assert_true(code == STELE_OK || code == STELE_ECORRUPT || code == STELE_EVERSION);
        if (code == STELE_OK || bit % step == 0) {
            tmpdir_make(&t);
            CHECK_CODE(restore(t.path, s, NULL, &err), code);
            if (code == STELE_OK) {
                check_store(t.path, hash);
            } else {
                check_nothing(&t);
            }
            tmpdir_remove(&t);
        }
        s->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    print_message("%zu of %zu bits without effect\n", harmless, 8 * s->len);
    assert_true(harmless <= (packed ? 16 : 0));
}

static void cut_all(struct stream *s)
{
    size_t step = getenv("STELE_FULL") == NULL ? 7 : 1;
    size_t len = s->len;
    stele_error err;

    for (s->len = 0; s->len < len; s->len++) {
        struct tmpdir t;

        stream_rewind(s);
        CHECK_CODE(stele_store_snapshot_verify(stream_read, s, NULL, &err), STELE_ECORRUPT);
        if (s->len % step == 0) {
            tmpdir_make(&t);
            CHECK_CODE(restore(t.path, s, NULL, &err), STELE_ECORRUPT);
            check_nothing(&t);
            tmpdir_remove(&t);
        }
    }
    CHECK_OK(stream_write(s, "", 1, &err), &err);
    stream_rewind(s);
    CHECK_CODE(stele_store_snapshot_verify(stream_read, s, NULL, &err), STELE_ECORRUPT);
}

static void test_damage(void **state)
{
    struct kit *k = *state;
    struct stream plain = {.len = 0};
    struct stream packed = {.len = 0};

    kit_put_one(k, "first", "one", "of the values");
    kit_put_one(k, "second", "two", "of the values, and of the values, and of the values");
    take(k, &plain, false, 0);
    take(k, &packed, true, 0);
    flip_all(&plain, hash_of(k->s), false);
    flip_all(&packed, hash_of(k->s), true);
    cut_all(&plain);
    cut_all(&packed);
    stream_free(&plain);
    stream_free(&packed);
}

/* Frames as others may make them. */
static void pack(struct stream *out, const void *data, size_t len, int window_log)
{
    size_t size = ZSTD_compressBound(len);
    uint8_t *bytes = malloc(size);
    ZSTD_CCtx *z = ZSTD_createCCtx();
    ZSTD_outBuffer to = {bytes, size, 0};
    ZSTD_inBuffer from = {data, len, 0};
    size_t left;
    stele_error err;

    assert_non_null(bytes);
    assert_non_null(z);
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, window_log)));
    do {
        /* Not in one call, which would tell the size. */
        left = ZSTD_compressStream2(z, &to, &from, ZSTD_e_continue);
        assert_false(ZSTD_isError(left));
    } while (from.pos < from.size);
    assert_int_equal(ZSTD_compressStream2(z, &to, &from, ZSTD_e_end), 0);
    CHECK_OK(stream_write(out, bytes, to.pos, &err), &err);
    (void)ZSTD_freeCCtx(z);
    free(bytes);
}

static void test_frames(void **state)
{
    struct kit *k = *state;
    static uint8_t zeros[64 << 20];
    struct stream plain = {.len = 0};
    struct stream packed = {.len = 0};
    stele_error err;

    fill(k, 100);
    take(k, &plain, false, 0);
    pack(&packed, plain.bytes, plain.len, 23);
    CHECK_OK(stele_store_snapshot_verify(stream_read, &packed, NULL, &err), &err);
    /* Two of them. */
    pack(&packed, plain.bytes, plain.len, 20);
    stream_rewind(&packed);
    CHECK_CODE(stele_store_snapshot_verify(stream_read, &packed, NULL, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "something follows");
    stream_free(&packed);
    /* It would take more memory to unpack it than is taken. */
    pack(&packed, plain.bytes, plain.len, 24);
    CHECK_CODE(stele_store_snapshot_verify(stream_read, &packed, NULL, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "memory");
    stream_free(&packed);
    /* Much of nothing, in little. */
    pack(&packed, zeros, sizeof zeros, 23);
    assert_true(packed.len < 10000);
    CHECK_CODE(stele_store_snapshot_verify(stream_read, &packed, NULL, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "no snapshot");
    assert_true(packed.at < packed.len || packed.len <= 128 << 10);
    stream_free(&packed);
    stream_free(&plain);
}

/* ---- Restore in places that are not empty. ---- */

static void test_places(void **state)
{
    struct kit *k = *state;
    struct stream s = {.len = 0};
    stele_store_options options;
    struct tmpdir t;
    char path[TMPDIR_PATH_SIZE];
    stele_error err;

    fill(k, 100);
    take(k, &s, false, 0);
    stele_store_options_init(&options);
    tmpdir_make(&t);
    tmpdir_path(&t, "none", path);
    CHECK_CODE(stele_store_restore(path, stream_read, &s, &options, NULL, &err), STELE_ENOTFOUND);
    CHECK_CODE(stele_store_restore(NULL, stream_read, &s, &options, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_store_restore(path, NULL, &s, &options, NULL, &err), STELE_EINVAL);
    /* What a crash left goes, what is foreign stays. */
    tmpdir_mkdir(&t, "gen-1");
    tmpdir_mkdir(&t, "gen-1.tmp");
    tmpdir_write(&t, "gen-1/data.mdb", "x", 1);
    tmpdir_write(&t, "foreign", "x", 1);
    CHECK_OK(restore(t.path, &s, NULL, &err), &err);
    check_store(t.path, hash_of(k->s));
    assert_true(tmpdir_exists(&t, "foreign"));
    /* A store without its most important file is one, too. */
    tmpdir_path(&t, "current", path);
    assert_int_equal(unlink(path), 0);
    CHECK_CODE(restore(t.path, &s, NULL, &err), STELE_EEXIST);
    tmpdir_write(&t, "current", "rubbish", 7);
    CHECK_CODE(restore(t.path, &s, NULL, &err), STELE_EEXIST);
    assert_true(tmpdir_exists(&t, "gen-1/data.mdb"));
    tmpdir_remove(&t);
    stream_free(&s);
}

/* With room for a map of a part of it alone. */
static int restore_in_little(const char *dir, struct stream *s)
{
    unsigned long pages = 0;
    struct rlimit limit;
    FILE *f = fopen("/proc/self/statm", "r");
    stele_error err;

    if (f == NULL || fscanf(f, "%lu", &pages) != 1) {
        return 1;
    }
    (void)fclose(f);
    limit.rlim_cur = (rlim_t)pages * 4096 + ((rlim_t)220 << 20);
    limit.rlim_max = limit.rlim_cur;
    if (setrlimit(RLIMIT_AS, &limit) != 0) {
        return 2;
    }
    return restore(dir, s, NULL, &err) == STELE_OK ? 0 : 3;
}

/* Where little address space can be had, the map grows with what is restored. */
static void test_little_room(void **state)
{
    struct kit *k = *state;
    static uint8_t value[4 << 20];
    struct stream s = {.len = 0};
    char dir[TMPDIR_PATH_SIZE];
    int status = 0;
    pid_t pid;

    for (unsigned i = 0; i < 24; i++) {
        stele_store_batch *b = kit_begin(k);
        char key[16];

        memset(value, (int)i, sizeof value);
        (void)snprintf(key, sizeof key, "%02u", i);
        kit_create(b, "large");
        put(b, "large", stele_str(key), stele_bytes_of(value, sizeof value));
        kit_end(b);
        kit_commit(k);
    }
    take(k, &s, true, 1);
    tmpdir_path(&k->tmp, "new", dir);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(restore_in_little(dir, &s));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    check_store(dir, hash_of(k->s));
    stream_free(&s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(test_restore),
            TEST(test_many),
            TEST(test_levels),
            TEST(test_damage),
            TEST(test_frames),
            TEST(test_places),
            TEST(test_little_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
