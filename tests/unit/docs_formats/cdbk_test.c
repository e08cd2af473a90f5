/* SPDX-License-Identifier: MIT
 *
 * cdbk_test.c: backups: written and read again, cut, flipped, and out of order.
 */
#include "docs/cdbk.h"

#include "base/alloc.h"
#include "base/coding.h"
#include "unit/docs_formats/kit.h"

#include <stdlib.h>

enum {
    BIG = 3 << 20
};

struct written {
    struct kit_pipe pipe;
    struct sti_docs_cdbk_summary summary;
};

static struct sti_docs_cdbk_pair pair(
        enum sti_docs_cdbk_section section, stele_bytes key, stele_bytes value)
{
    return (struct sti_docs_cdbk_pair){.section = section, .key = key, .value = value};
}

/* Each section; keys with zeros, a prefix of one another; values that are empty, and longer than
 * every buffer. */
static size_t sample(struct sti_docs_cdbk_pair *out, size_t big)
{
    static uint8_t bytes[BIG];
    struct kit_random r = {9};
    size_t n = 0;

    for (size_t i = 0; i < sizeof bytes && bytes[0] == 0; i++) {
        bytes[sizeof bytes - 1 - i] = (uint8_t)(1 + kit_draw(&r) % 7);
    }
    out[n++] = pair(STI_DOCS_CDBK_TYPE, stele_str("a"), stele_str("{}"));
    out[n++] = pair(STI_DOCS_CDBK_TYPE, stele_str("ab"), stele_bytes_of(bytes, 300));
    out[n++] = pair(STI_DOCS_CDBK_CHECKPOINT, stele_bytes_of("\0\0\0\0\0\0\0\1", 8),
            stele_bytes_of(bytes, 60));
    out[n++] = pair(STI_DOCS_CDBK_LOG, stele_bytes_of("\0", 1), stele_bytes_of(bytes, big));
    out[n++] = pair(STI_DOCS_CDBK_LOG, stele_bytes_of("\0\0", 2), stele_bytes_of("", 0));
    out[n++] = pair(STI_DOCS_CDBK_INFO, stele_bytes_of("", 0), stele_bytes_of(bytes, 16));
    out[n++] = pair(STI_DOCS_CDBK_INFO, stele_bytes_of("\xff", 1), stele_bytes_of(bytes, 16));
    out[n++] = pair(STI_DOCS_CDBK_DATA, stele_str("id"), stele_str("{}"));
    return n;
}

static void write_sample(struct written *w, size_t big, int level, bool manifest)
{
    const struct sti_docs_cdbk_write_options opts = {.zstd_level = level, .manifest = manifest};
    struct sti_docs_cdbk_pair pairs[8];
    struct sti_docs_cdbk_writer *writer = NULL;
    size_t count = sample(pairs, big);
    stele_error err;

    kit_pipe_init(&w->pipe, stele_nil());
    CHECK_OK(sti_docs_cdbk_writer_new(&writer, kit_pipe_write, &w->pipe, &opts, &err), &err);
    for (size_t i = 0; i < count; i++) {
        CHECK_OK(sti_docs_cdbk_writer_add(writer, &pairs[i], &err), &err);
    }
    CHECK_OK(sti_docs_cdbk_writer_end(writer, &w->summary, &err), &err);
    CHECK_CODE(sti_docs_cdbk_writer_end(writer, &w->summary, &err), STELE_ESTATE);
    sti_docs_cdbk_writer_free(writer);
    assert_int_equal(w->summary.pairs, count);
    assert_int_equal(w->summary.has_manifest, manifest);
    assert_int_equal(w->summary.is_compressed, level != 0);
    assert_true(level != 0 || w->summary.size == w->pipe.len);
}

/* Read to the end: STELE_END, or what failed. What was given until then is in the sample. */
static stele_code read_all(struct kit_pipe *pipe, bool demanded, size_t big,
        struct sti_docs_cdbk_summary *out, stele_error *err)
{
    struct sti_docs_cdbk_reader *reader = NULL;
    struct sti_docs_cdbk_pair pairs[8];
    struct sti_docs_cdbk_pair got;
    size_t count = sample(pairs, big);
    size_t at = 0;
    stele_code rc;

    pipe->at = 0;
    rc = sti_docs_cdbk_reader_new(&reader, kit_pipe_read, pipe, demanded, err);
    while (rc == STELE_OK) {
        rc = sti_docs_cdbk_reader_next(reader, &got, err);
        if (rc == STELE_OK) {
            assert_true(at < count);
            assert_int_equal(got.section, pairs[at].section);
            CHECK_BYTES(got.key, pairs[at].key);
            CHECK_BYTES(got.value, pairs[at].value);
            at++;
        }
    }
    if (reader != NULL) {
        assert_int_equal(sti_docs_cdbk_reader_next(reader, &got, NULL), rc); /* it stays */
        *out = sti_docs_cdbk_reader_summary(reader);
    }
    assert_true(rc != STELE_END || at == count);
    sti_docs_cdbk_reader_free(reader);
    return rc;
}

static void is_same(const struct sti_docs_cdbk_summary *a, const struct sti_docs_cdbk_summary *b)
{
    assert_int_equal(a->pairs, b->pairs);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->has_manifest, b->has_manifest);
    assert_int_equal(a->is_compressed, b->is_compressed);
}

static void test_round_trip(void **state)
{
    static const size_t sizes[] = {0, 1, 63, 64, 8191, 65536, 70000, BIG};
    static const size_t pieces[] = {0, 1, 3, 65535};
    stele_error err;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int how = 0; how < 4; how++) {
            struct sti_docs_cdbk_summary summary = {.pairs = 0};
            struct written w;

            write_sample(&w, sizes[i], how >= 2 ? 3 : 0, how % 2 == 1);
            for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
                w.pipe.piece = pieces[p];
                CHECK_CODE(read_all(&w.pipe, how % 2 == 1, sizes[i], &summary, &err), STELE_END);
                is_same(&summary, &w.summary);
                if (sizes[i] == BIG && p == 0) {
                    break;
                }
            }
            kit_pipe_free(&w.pipe);
        }
    }
}

static void test_no_manifest(void **state)
{
    struct sti_docs_cdbk_summary summary;
    struct written w;
    stele_error err;

    (void)state;
    write_sample(&w, 10, 0, false);
    CHECK_CODE(read_all(&w.pipe, true, 10, &summary, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "there is no manifest");
    assert_int_equal(err.position, w.pipe.len);
    kit_pipe_free(&w.pipe);
}

/* A backup cut anywhere is refused, but for where only the manifest is missing. */
static void test_cut(void **state)
{
    stele_error err;

    (void)state;
    for (int level = 0; level <= 1; level++) {
        struct sti_docs_cdbk_summary summary;
        struct written w;
        size_t len;

        write_sample(&w, 1000, level, true);
        len = w.pipe.len;
        for (size_t cut = 0; cut < len; cut++) {
            bool whole = level == 0 && cut == len - STI_DOCS_CDBK_MANIFEST_SIZE;

            w.pipe.len = cut;
            CHECK_CODE(read_all(&w.pipe, false, 1000, &summary, &err),
                    whole ? STELE_END : STELE_ECORRUPT);
            CHECK_CODE(read_all(&w.pipe, true, 1000, &summary, &err), STELE_ECORRUPT);
        }
        kit_pipe_free(&w.pipe);
    }
}

/* A manifest sees every bit; what the pairs are until then is another matter. */
static void test_flipped(void **state)
{
    (void)state;
    for (int level = 0; level <= 1; level++) {
        struct written w;

        write_sample(&w, 100, level, true);
        for (size_t bit = 0; bit < 8 * w.pipe.len; bit++) {
            struct sti_docs_cdbk_reader *reader = NULL;
            struct sti_docs_cdbk_pair got;
            stele_code rc;

            w.pipe.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
            w.pipe.at = 0;
            rc = sti_docs_cdbk_reader_new(&reader, kit_pipe_read, &w.pipe, true, NULL);
            while (rc == STELE_OK) {
                rc = sti_docs_cdbk_reader_next(reader, &got, NULL);
            }
            sti_docs_cdbk_reader_free(reader);
            w.pipe.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
            if (rc == STELE_END) {
                /* Only what zstd does not need to say could be otherwise. */
                assert_int_equal(level, 1);
            } else {
                assert_true(rc == STELE_ECORRUPT || rc == STELE_EVERSION || rc == STELE_ENOMEM);
            }
        }
        kit_pipe_free(&w.pipe);
    }
}

/* A stream put together by hand is refused with a message and a position. */
static void refuses(const void *bytes, size_t len, int64_t position, const char *message)
{
    struct sti_docs_cdbk_reader *reader = NULL;
    struct sti_docs_cdbk_pair got;
    struct kit_pipe pipe;
    stele_error err;
    stele_code rc;

    kit_pipe_init(&pipe, stele_bytes_of(bytes, len));
    rc = sti_docs_cdbk_reader_new(&reader, kit_pipe_read, &pipe, false, &err);
    while (rc == STELE_OK) {
        rc = sti_docs_cdbk_reader_next(reader, &got, &err);
    }
    sti_docs_cdbk_reader_free(reader);
    kit_pipe_free(&pipe);
    if (rc != STELE_ECORRUPT && rc != STELE_EVERSION) {
        fail_msg("%s instead of: %s", stele_code_name(rc), message);
    }
    assert_int_equal(err.code, rc);
    CHECK_MESSAGE_HAS(&err, message);
    assert_string_equal(err.file, "backup");
    assert_int_equal(err.position, position);
}

#define HEAD                          "CDBK\0\0\0\0"
#define REFUSES(s, position, message) refuses(s, sizeof(s) - 1, position, message)

static void test_refused(void **state)
{
    (void)state;
    REFUSES("CDBL\0\0\0\0\1", 0, "not a backup");
    REFUSES("CDB", 3, "ends in the middle");
    REFUSES("CDBK\0\0\0\1\1", 4, "flags");
    REFUSES("CDBK\x80\0\0\0\1", 4, "flags");
    REFUSES(HEAD, 8, "ends in the middle");
    REFUSES(HEAD "\3", 8, "a length of -2");
    REFUSES(HEAD "\x81\0", 8, "longer than it need be"); /* -1 in two bytes */
    REFUSES(HEAD "\xff\xff\xff\xff\xff\xff\xff\xff\xff\2", 8, "no number");
    REFUSES(HEAD "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 8,
            "of at most"); /* the least there is */
    REFUSES(HEAD "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\1", 8, "of at most");
    REFUSES(HEAD "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\1", 8, "no number");
    REFUSES(HEAD "\x80\x80\x8", 8, "a length of 65536 bytes, of at most 65535");
    REFUSES(HEAD "\0\0\1", 8, "shorter than the name of a section");
    REFUSES(HEAD "\4ty\0\1", 8, "shorter than the name of a section");
    REFUSES(HEAD "\6idx\0\1", 8, "a key of no section");
    REFUSES(HEAD "\6kdt\0\1", 8, "a key of no section");
    REFUSES(HEAD "\6Typ\0\1", 8, "a key of no section");
    REFUSES(HEAD "\6typ\1\1", 8, "a pair without a value");
    REFUSES(HEAD "\6typ\x82\x80\x80\x80\1", 12, "a length of 134217729 bytes");
    REFUSES(HEAD "\6typ\x80\x80\x80\x80\1", 17, "ends in the middle");
    REFUSES(HEAD "\6typ\2x\6typ\2x\1", 14, "do not ascend");
    REFUSES(HEAD "\10typa\2x\6typ\2x\1", 15, "do not ascend");
    REFUSES(HEAD "\6dat\2x\6nfo\2x\1", 14, "nfo comes after dat");
    REFUSES(HEAD "\6chk\2x\6typ\2x\1", 14, "typ comes after chk");
    REFUSES(HEAD "\1\1", 10, "ends in the middle");
    REFUSES(HEAD "\1STBK\0\0\0\0", 17, "ends in the middle");
    REFUSES(HEAD "\1CDBK\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 9, "no manifest");
    REFUSES(HEAD "\1STBK\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0", 13, "flags of the manifest");
}

static void test_behind_the_end(void **state)
{
    struct sti_docs_cdbk_summary summary;
    struct written w;
    stele_error err;

    (void)state;
    for (int level = 0; level <= 1; level++) {
        write_sample(&w, 100, level, true);
        CHECK_OK(kit_pipe_write(&w.pipe, "\0", 1, NULL), NULL);
        CHECK_CODE(read_all(&w.pipe, false, 100, &summary, &err), STELE_ECORRUPT);
        CHECK_MESSAGE_HAS(&err, level == 0 ? "behind the manifest" : "what is compressed");
        kit_pipe_free(&w.pipe);
    }
}

/* The manifest of another backup of the same size. */
static void test_foreign_manifest(void **state)
{
    static const size_t at[] = {15, 23, 24, 55}; /* in it: count, size, hash */
    struct sti_docs_cdbk_summary summary;
    stele_error err;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct written w;

        write_sample(&w, 100, 0, true);
        w.pipe.data[w.pipe.len - STI_DOCS_CDBK_MANIFEST_SIZE + at[i]] ^= 1;
        CHECK_CODE(read_all(&w.pipe, false, 100, &summary, &err), STELE_ECORRUPT);
        CHECK_MESSAGE_HAS(&err, "not that of this backup");
        kit_pipe_free(&w.pipe);
    }
}

static void test_writer_refuses(void **state)
{
    static uint8_t long_key[STI_DOCS_CDBK_KEY_MAX - 2];
    const struct sti_docs_cdbk_write_options opts = {.zstd_level = 0};
    const struct sti_docs_cdbk_write_options no_level = {.zstd_level = 99};
    struct sti_docs_cdbk_pair p =
            pair(STI_DOCS_CDBK_LOG, stele_bytes_of(long_key, sizeof long_key), stele_str("x"));
    struct sti_docs_cdbk_summary summary;
    struct sti_docs_cdbk_writer *w = NULL;
    struct kit_pipe pipe;

    (void)state;
    kit_pipe_init(&pipe, stele_nil());
    CHECK_CODE(sti_docs_cdbk_writer_new(&w, kit_pipe_write, &pipe, &no_level, NULL), STELE_EINVAL);
    CHECK_OK(sti_docs_cdbk_writer_new(&w, kit_pipe_write, &pipe, &opts, NULL), NULL);
    CHECK_CODE(sti_docs_cdbk_writer_add(w, &p, NULL), STELE_ETOOBIG);
    p.value.len = STI_DOCS_CDBK_VALUE_MAX + 1;
    p.key = stele_str("b");
    CHECK_CODE(sti_docs_cdbk_writer_add(w, &p, NULL), STELE_ETOOBIG);
    p.value.len = 1;
    CHECK_OK(sti_docs_cdbk_writer_add(w, &p, NULL), NULL);
    CHECK_CODE(sti_docs_cdbk_writer_add(w, &p, NULL), STELE_EINVAL); /* the same again */
    p.key = stele_str("a");
    CHECK_CODE(sti_docs_cdbk_writer_add(w, &p, NULL), STELE_EINVAL);
    p.section = STI_DOCS_CDBK_TYPE;
    CHECK_CODE(sti_docs_cdbk_writer_add(w, &p, NULL), STELE_EINVAL);
    p.section = STI_DOCS_CDBK_DATA;
    p.key = stele_nil();
    p.value = stele_nil();
    CHECK_OK(sti_docs_cdbk_writer_add(w, &p, NULL), NULL);
    CHECK_CODE(sti_docs_cdbk_writer_add(w, &p, NULL), STELE_EINVAL);
    CHECK_OK(sti_docs_cdbk_writer_end(w, &summary, NULL), NULL);
    CHECK_CODE(sti_docs_cdbk_writer_add(w, &p, NULL), STELE_ESTATE);
    CHECK_BYTES(stele_bytes_of(pipe.data, pipe.len),
            stele_bytes_of("CDBK\0\0\0\0\10logb\2x\6dat\0\1", 21));
    sti_docs_cdbk_writer_free(w);
    kit_pipe_free(&pipe);
}

/* The pipe fails at each of its bytes, reading and writing. */
static void test_pipe_fails(void **state)
{
    const struct sti_docs_cdbk_write_options opts = {.zstd_level = 1, .manifest = true};
    struct sti_docs_cdbk_summary summary;
    struct written w;
    stele_error err;

    (void)state;
    write_sample(&w, 200, 0, true);
    w.pipe.piece = 1;
    for (size_t at = 0; at < w.pipe.len; at++) {
        w.pipe.fail_at = at;
        CHECK_CODE(read_all(&w.pipe, false, 200, &summary, &err), STELE_EIO);
        CHECK_MESSAGE_HAS(&err, "the pipe fails");
    }
    for (size_t at = 0; at < w.pipe.len; at += 53) {
        struct sti_docs_cdbk_writer *writer = NULL;
        struct sti_docs_cdbk_pair pairs[8];
        struct kit_pipe pipe;
        size_t count = sample(pairs, BIG);
        stele_code rc = STELE_OK;

        kit_pipe_init(&pipe, stele_nil());
        pipe.fail_at = at;
        CHECK_OK(sti_docs_cdbk_writer_new(&writer, kit_pipe_write, &pipe, &opts, NULL), NULL);
        for (size_t i = 0; i < count && rc == STELE_OK; i++) {
            rc = sti_docs_cdbk_writer_add(writer, &pairs[i], &err);
        }
        if (rc == STELE_OK) {
            rc = sti_docs_cdbk_writer_end(writer, &summary, &err);
        }
        CHECK_CODE(rc, STELE_EIO);
        CHECK_CODE(sti_docs_cdbk_writer_end(writer, &summary, &err), STELE_EIO);
        sti_docs_cdbk_writer_free(writer);
        kit_pipe_free(&pipe);
    }
    kit_pipe_free(&w.pipe);
}

#ifdef STI_TESTING
static void test_memory(void **state)
{
    struct sti_docs_cdbk_summary summary;
    struct written w;
    int n = 0;
    stele_code rc = STELE_ENOMEM;

    (void)state;
    write_sample(&w, BIG, 0, true);
    for (; rc != STELE_END; n++) {
        int left = n;

        sti_alloc_set_hook(kit_count_down, &left);
        rc = read_all(&w.pipe, true, BIG, &summary, NULL);
        sti_alloc_set_hook(NULL, NULL);
        assert_true(rc == STELE_END || rc == STELE_ENOMEM);
    }
    assert_true(n > 6);
    kit_pipe_free(&w.pipe);
}

static void test_memory_of_writer(void **state)
{
    const struct sti_docs_cdbk_write_options opts = {.zstd_level = 1, .manifest = true};
    stele_code rc = STELE_ENOMEM;

    (void)state;
    for (int n = 0; rc != STELE_OK; n++) {
        struct sti_docs_cdbk_writer *writer = NULL;
        struct sti_docs_cdbk_summary summary;
        struct sti_docs_cdbk_pair pairs[8];
        struct kit_pipe pipe;
        size_t count = sample(pairs, 100);
        int left = n;

        kit_pipe_init(&pipe, stele_nil());
        sti_alloc_set_hook(kit_count_down, &left);
        rc = sti_docs_cdbk_writer_new(&writer, kit_pipe_write, &pipe, &opts, NULL);
        for (size_t i = 0; i < count && rc == STELE_OK; i++) {
            rc = sti_docs_cdbk_writer_add(writer, &pairs[i], NULL);
            if (rc == STELE_ENOMEM) { /* The pair was not written; it can be once more. */
                CHECK_OK(sti_docs_cdbk_writer_add(writer, &pairs[i], NULL), NULL);
            }
        }
        if (rc == STELE_OK) {
            rc = sti_docs_cdbk_writer_end(writer, &summary, NULL);
        }
        sti_alloc_set_hook(NULL, NULL);
        sti_docs_cdbk_writer_free(writer);
        kit_pipe_free(&pipe);
        assert_true(rc == STELE_OK || rc == STELE_ENOMEM);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_round_trip),
            cmocka_unit_test(test_no_manifest),
            cmocka_unit_test(test_cut),
            cmocka_unit_test(test_flipped),
            cmocka_unit_test(test_refused),
            cmocka_unit_test(test_behind_the_end),
            cmocka_unit_test(test_foreign_manifest),
            cmocka_unit_test(test_writer_refuses),
            cmocka_unit_test(test_pipe_fails),
#ifdef STI_TESTING
            cmocka_unit_test(test_memory),
            cmocka_unit_test(test_memory_of_writer),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
