/* SPDX-License-Identifier: MIT
 *
 * bbolt_write_test.c: what was written is what is read, for every size near a limit.
 *
 *     store_bbolt_write_test --write DIR     write the frozen files anew
 *
 * The frozen files were opened with bbolt itself, which found no fault in them, and changed them:
 * tests/golden/bbolt/README.md.
 */
#include "bbolt_kit.h"
#include "lib/tmpdir.h"

#include <stdio.h>
#include <stdlib.h>

static void round_trip(struct bbolt_kit *k, struct bbolt_shape shape)
{
    bbolt_kit_write(k, &shape);
    bbolt_kit_holds(k, &shape);
}

/* Values from none up to two pages: inline, alone in a leaf, with others, with overflow. */
static void test_every_value_size(void **state)
{
    struct bbolt_kit k;

    (void)state;
    bbolt_kit_begin(&k, 0);
    for (size_t len = 0; len < 1100; len++) {
        round_trip(&k, (struct bbolt_shape){512, 2, 3, 5, len, false});
        round_trip(&k, (struct bbolt_shape){512, 1, 1, 1, len, len % 2 == 0});
    }
    bbolt_kit_end(&k);
}

/* Trees from nothing up to several levels. A branch of 512 bytes has four keys of 100 bytes. */
static void test_every_count(void **state)
{
    struct bbolt_kit k;

    (void)state;
    bbolt_kit_begin(&k, 0);
    for (unsigned count = 0; count < 220; count++) {
        round_trip(&k, (struct bbolt_shape){512, 1, count, 100, 20, false});
        round_trip(&k, (struct bbolt_shape){512, 1, count, 2, 700, false});
        round_trip(&k, (struct bbolt_shape){512, count, 1, 1, count, false});
    }
    bbolt_kit_end(&k);
}

static void test_long_keys(void **state)
{
    const size_t lengths[] = {400, 479, 480, 481, 495, 511, 512, 4096, 32767, 32768};
    struct bbolt_kit k;

    (void)state;
    bbolt_kit_begin(&k, 0);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        for (unsigned count = 1; count < 12; count++) {
            round_trip(&k, (struct bbolt_shape){512, 1, count, lengths[i], 3, false});
            round_trip(&k, (struct bbolt_shape){4096, 2, count, lengths[i], 5000, false});
        }
    }
    bbolt_kit_end(&k);
}

static void test_page_sizes(void **state)
{
    struct bbolt_kit k;

    (void)state;
    bbolt_kit_begin(&k, 64 << 20);
    for (uint32_t size = 512; size <= 65536; size *= 2) {
        round_trip(&k, (struct bbolt_shape){size, 0, 0, 0, 0, true});
        round_trip(&k, (struct bbolt_shape){size, 3, 3000, 9, 40, true});
        round_trip(&k, (struct bbolt_shape){size, 1, 3, 4, (size_t)3 << 20, false});
        /* Just inline, and just not: a quarter of a page, less two heads and the key. */
        for (size_t len = size / 4 - 40; len < size / 4 - 20; len++) {
            round_trip(&k, (struct bbolt_shape){size, 2, 1, 1, len, false});
        }
    }
    bbolt_kit_end(&k);
}

static void test_many_buckets(void **state)
{
    struct bbolt_kit k;

    (void)state;
    bbolt_kit_begin(&k, 64 << 20);
    round_trip(&k, (struct bbolt_shape){4096, 10000, 0, 0, 0, false});
    round_trip(&k, (struct bbolt_shape){4096, 10000, 2, 3, 10, true});
    round_trip(&k, (struct bbolt_shape){4096, 200, 20, 3, 100, false});
    bbolt_kit_end(&k);
}

/* What is inline and what is not is as in bbolt: such a leaf has a quarter of a page at most. */
static void test_inline_limit(void **state)
{
    struct bbolt_shape shape = {4096, 1, 1, 8, 1024 - 16 - 16 - 8, false};
    struct bbolt_kit k;
    size_t len;

    (void)state;
    bbolt_kit_begin(&k, 0);
    round_trip(&k, shape);
    free(bbolt_kit_bytes(&k, &len));
    assert_int_equal(len, 4 * 4096);
    shape.value_len++;
    round_trip(&k, shape);
    free(bbolt_kit_bytes(&k, &len));
    assert_int_equal(len, 5 * 4096);
    bbolt_kit_end(&k);
}

/* ---- What is refused. ---- */

static struct sti_bbolt_writer *begin(struct bbolt_kit *k, struct sti_file *file)
{
    struct sti_bbolt_writer *w = NULL;

    CHECK_OK(
            sti_file_open(file, &k->dir, BBOLT_FILE, STELE_OPEN_WRITE | STELE_OPEN_CREATE, &k->err),
            &k->err);
    CHECK_OK(sti_file_truncate(file, 0, &k->err), &k->err);
    CHECK_OK(sti_bbolt_begin(&w, file, STI_BBOLT_PAGE_DEFAULT, &k->err), &k->err);
    return w;
}

static void end(struct sti_bbolt_writer *w, struct sti_file *file)
{
    sti_bbolt_writer_free(w);
    sti_file_close(file);
}

/* In a bucket "m" with the key "m", such a name or key is refused, and nothing goes on. */
static void refuse(struct bbolt_kit *k, bool bucket, stele_bytes bytes, size_t value_len,
        stele_code code, const char *message)
{
    static const uint8_t value[1];
    struct sti_file file = {0};
    struct sti_bbolt_writer *w = begin(k, &file);

    CHECK_OK(sti_bbolt_put_bucket(w, stele_str("m"), &k->err), &k->err);
    CHECK_OK(sti_bbolt_put(w, stele_str("m"), stele_nil(), &k->err), &k->err);
    if (bucket) {
        CHECK_CODE(sti_bbolt_put_bucket(w, bytes, &k->err), code);
    } else {
        /* What is too long is refused unread. */
        CHECK_CODE(sti_bbolt_put(w, bytes, stele_bytes_of(value, value_len), &k->err), code);
    }
    CHECK_MESSAGE_HAS(&k->err, message);
    CHECK_CODE(sti_bbolt_put_bucket(w, stele_str("z"), &k->err), code);
    CHECK_CODE(sti_bbolt_put(w, stele_str("z"), stele_nil(), &k->err), code);
    CHECK_CODE(sti_bbolt_end(w, false, &k->err), code);
    CHECK_MESSAGE_HAS(&k->err, "an earlier call failed");
    end(w, &file);
}

static void test_refused(void **state)
{
    uint8_t *longest = bbolt_value(1, 32769);
    struct bbolt_kit k;

    (void)state;
    longest[0] = 'n';
    bbolt_kit_begin(&k, 0);
    for (int bucket = 0; bucket < 2; bucket++) {
        refuse(&k, bucket == 1, stele_str("m"), 0, STELE_EINVAL, "not larger than");
        refuse(&k, bucket == 1, stele_str("l"), 0, STELE_EINVAL, "not larger than");
        refuse(&k, bucket == 1, stele_empty(), 0, STELE_ENOTSUP, "empty");
        refuse(&k, bucket == 1, stele_nil(), 0, STELE_ENOTSUP, "empty");
        refuse(&k, bucket == 1, stele_bytes_of(longest, 32769), 0, STELE_ETOOBIG, "at most 32768");
    }
    refuse(&k, false, stele_str("n"), (size_t)1 << 31, STELE_ETOOBIG, "a value of 2147483648");
    free(longest);
    bbolt_kit_end(&k);
}

static void test_state(void **state)
{
    struct sti_bbolt_writer *w;
    struct sti_bbolt_writer *other = NULL;
    struct sti_file file = {0};
    struct bbolt_kit k;

    (void)state;
    bbolt_kit_begin(&k, 0);
    w = begin(&k, &file);
    CHECK_CODE(sti_bbolt_put(w, stele_str("k"), stele_str("v"), &k.err), STELE_ESTATE);
    CHECK_OK(sti_bbolt_end(w, false, &k.err), &k.err);
    CHECK_CODE(sti_bbolt_end(w, false, &k.err), STELE_ESTATE);
    CHECK_CODE(sti_bbolt_put_bucket(w, stele_str("b"), &k.err), STELE_ESTATE);
    CHECK_CODE(sti_bbolt_begin(&other, &file, 512, &k.err), STELE_EEXIST);
    CHECK_CODE(sti_bbolt_begin(&other, &file, 256, &k.err), STELE_EINVAL);
    CHECK_CODE(sti_bbolt_begin(&other, &file, 513, &k.err), STELE_EINVAL);
    CHECK_CODE(sti_bbolt_begin(&other, &file, 131072, &k.err), STELE_EINVAL);
    assert_null(other);
    end(w, &file);
    bbolt_kit_end(&k);
}

/* A key of one bucket may be larger than the first of the next. */
static void test_each_bucket_begins_anew(void **state)
{
    struct sti_file file = {0};
    struct bbolt_kit k;
    struct sti_bbolt_writer *w;
    char *text = NULL;

    (void)state;
    bbolt_kit_begin(&k, 0);
    w = begin(&k, &file);
    CHECK_OK(sti_bbolt_put_bucket(w, stele_str("1"), &k.err), &k.err);
    CHECK_OK(sti_bbolt_put(w, stele_str("z"), stele_str("\xff"), &k.err), &k.err);
    CHECK_OK(sti_bbolt_put_bucket(w, stele_str("2"), &k.err), &k.err);
    CHECK_OK(sti_bbolt_put(w, stele_str("a"), stele_empty(), &k.err), &k.err);
    CHECK_OK(sti_bbolt_put(w, stele_str("aa"), stele_nil(), &k.err), &k.err);
    CHECK_OK(sti_bbolt_end(w, true, &k.err), &k.err);
    end(w, &file);
    CHECK_OK(bbolt_list(&k.dir, BBOLT_FILE, &text, &k.err), &k.err);
    assert_string_equal(text, "b 31\ne 7a 1 af64724c8602eb6e\n"
                              "b 32\ne 61 0 cbf29ce484222325\ne 6161 0 cbf29ce484222325\n");
    free(text);
    bbolt_kit_end(&k);
}

/* ---- Frozen files. ---- */

static const struct {
    const char *name;
    struct bbolt_shape shape;
} frozen[] = {
        {"written-none.db", {512, 0, 0, 0, 0, false}},
        {"written-inline.db", {1024, 3, 4, 7, 20, true}},
        {"written-small.db", {512, 2, 12, 9, 40, false}},
        {"written-deep.db", {512, 2, 90, 60, 30, false}},
        {"written-long.db", {4096, 1, 3, 3000, 9000, false}},
};

static void test_frozen(void **state)
{
    struct tmpdir golden;
    struct bbolt_kit k;

    (void)state;
    (void)snprintf(golden.path, sizeof golden.path, "%s/golden/bbolt", STELE_TESTS_DIR);
    bbolt_kit_begin(&k, 0);
    for (size_t i = 0; i < sizeof frozen / sizeof frozen[0]; i++) {
        size_t len;
        size_t expected_len;
        uint8_t *bytes;
        uint8_t *expected = tmpdir_read(&golden, frozen[i].name, &expected_len);

        round_trip(&k, frozen[i].shape);
        bytes = bbolt_kit_bytes(&k, &len);
        CHECK_BYTES(stele_bytes_of(bytes, len), stele_bytes_of(expected, expected_len));
        free(bytes);
        free(expected);
    }
    bbolt_kit_end(&k);
}

static int write_frozen(const char *path)
{
    struct tmpdir out;
    struct bbolt_kit k;

    (void)snprintf(out.path, sizeof out.path, "%s", path);
    bbolt_kit_begin(&k, 0);
    for (size_t i = 0; i < sizeof frozen / sizeof frozen[0]; i++) {
        size_t len;
        uint8_t *bytes;

        bbolt_kit_write(&k, &frozen[i].shape);
        bytes = bbolt_kit_bytes(&k, &len);
        tmpdir_write(&out, frozen[i].name, bytes, len);
        free(bytes);
    }
    bbolt_kit_end(&k);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_every_value_size),
            cmocka_unit_test(test_every_count),
            cmocka_unit_test(test_long_keys),
            cmocka_unit_test(test_page_sizes),
            cmocka_unit_test(test_many_buckets),
            cmocka_unit_test(test_inline_limit),
            cmocka_unit_test(test_refused),
            cmocka_unit_test(test_state),
            cmocka_unit_test(test_each_bucket_begins_anew),
            cmocka_unit_test(test_frozen),
    };

    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        return write_frozen(argv[2]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
