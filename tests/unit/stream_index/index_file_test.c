/* SPDX-License-Identifier: MIT
 *
 * index_file_test.c: indexes are built as the reference builds them, and one
 * that does not belong to its log is never taken for one that does.
 */
#include "stream/index_file.h"

#include "fixture.h"
#include "stream/names.h"

#include <stdlib.h>

static const stele_stream_version versions[] = {STELE_STREAM_V1, STELE_STREAM_V2};
static const struct sti_index_params both = {true, true};
static const struct sti_index_params none = {false, false};

static struct sti_index_params params_of(unsigned bits)
{
    return (struct sti_index_params){.times = (bits & 1) != 0, .keys = (bits & 2) != 0};
}

static bool same(struct sti_index_params a, struct sti_index_params b)
{
    return a.times == b.times && a.keys == b.keys;
}

/* An index file as bytes. */
struct file {
    uint8_t *bytes;
    size_t len;
};

static struct file file_of(
        stele_stream_version version, struct sti_index_params params, const struct sti_items *items)
{
    size_t skip = (size_t)sti_index_start(version);
    size_t size = (size_t)items->count * items->item_size;
    struct file f = {.bytes = malloc(skip + size + 1), .len = skip + size};

    assert_non_null(f.bytes);
    if (skip > 0) {
        sti_index_header_put(f.bytes, params);
    }
    if (size > 0) {
        memcpy(f.bytes + skip, items->data, size);
    }
    return f;
}

static struct file build(const struct fx_log *log, struct sti_index_params params)
{
    struct sti_items items;
    struct file f;
    stele_error err;

    CHECK_OK(sti_items_build(
                     &items, log->bytes, log->len, log->base, INT64_MAX, params, INT64_MIN, &err),
            &err);
    assert_int_equal(items.count, log->count);
    f = file_of(log->version, params, &items);
    sti_items_free(&items);
    return f;
}

/* The verdict about copies of exactly these sizes. */
static enum sti_index_verdict judge(const uint8_t *index, size_t index_len, const uint8_t *log,
        size_t log_len, int64_t base, struct sti_index_params params)
{
    uint8_t *index_copy = malloc(index_len == 0 ? 1 : index_len);
    uint8_t *log_copy = malloc(log_len == 0 ? 1 : log_len);
    const uint8_t *items = NULL;
    uint64_t count = UINT64_MAX;
    enum sti_index_verdict verdict;

    assert_non_null(index_copy);
    assert_non_null(log_copy);
    memcpy(index_copy, index, index_len);
    memcpy(log_copy, log, log_len);
    verdict =
            sti_index_judge(index_copy, index_len, log_copy, log_len, base, params, &items, &count);
    if (verdict == STI_INDEX_FITS) {
        size_t skip = (size_t)(items - index_copy);

        assert_true(skip == 0 || skip == STI_INDEX_HEADER_SIZE);
        assert_int_equal(skip + count * sti_index_item_size(params), index_len);
    } else {
        assert_null(items);
        assert_true(count == UINT64_MAX);
    }
    free(index_copy);
    free(log_copy);
    return verdict;
}

static enum sti_index_verdict judge_file(
        const struct file *f, const struct fx_log *log, struct sti_index_params params)
{
    return judge(f->bytes, f->len, log->bytes, log->len, log->base, params);
}

/* ---- What the reference wrote. ---- */

static void vector_is_built(const struct fx_vector *v)
{
    struct sti_items built;
    struct file f;
    stele_error err;
    size_t skip = (size_t)sti_index_start(v->version);
    size_t item_size = sti_index_item_size(v->params);

    CHECK_OK(sti_items_build(
                     &built, v->log, v->log_len, v->base, INT64_MAX, v->params, INT64_MIN, &err),
            &err);
    assert_int_equal(built.end, v->log_len);
    assert_true(built.damage == UINT64_MAX);
    assert_true(
            sti_index_equal(v->index + skip, (v->index_len - skip) / item_size, &built, v->params));
    if (built.count > 0) {
        assert_true(sti_item_offset(built.data + (built.count - 1) * item_size) == built.last);
        /* With the first time that stands there, it is the same to the last byte. */
        int64_t first = v->params.times ? sti_item_time(v->index + skip) : INT64_MIN;

        sti_items_free(&built);
        CHECK_OK(sti_items_build(
                         &built, v->log, v->log_len, v->base, INT64_MAX, v->params, first, &err),
                &err);
    }
    f = file_of(v->version, v->params, &built);
    CHECK_BYTES(stele_bytes_of(f.bytes, f.len), stele_bytes_of(v->index, v->index_len));
    free(f.bytes);
    sti_items_free(&built);
}

static void vector_fits(const struct fx_vector *v)
{
    for (unsigned bits = 0; bits < 4; bits++) {
        enum sti_index_verdict expected =
                same(params_of(bits), v->params) ? STI_INDEX_FITS : STI_INDEX_OTHER;
        enum sti_index_verdict verdict =
                judge(v->index, v->index_len, v->log, v->log_len, v->base, params_of(bits));

        /* Version 1 without items cannot tell. */
        if (v->index_len == 0) {
            expected = STI_INDEX_FITS;
        }
        if (verdict != expected) {
            fail_msg("%s: verdict %d about parameters %u", v->name, (int)verdict, bits);
        }
    }
}

static void vector_cut(const struct fx_vector *v)
{
    for (size_t len = 0; len < v->index_len; len++) {
        enum sti_index_verdict verdict =
                judge(v->index, len, v->log, v->log_len, v->base, v->params);

        bool bare = sti_all_zero(v->index, len) ||
                    (v->version == STELE_STREAM_V2 && len == STI_INDEX_HEADER_SIZE);

        if (verdict != (bare ? STI_INDEX_MISSING : STI_INDEX_UNFIT)) {
            fail_msg("%s: verdict %d about the first %zu bytes", v->name, (int)verdict, len);
        }
    }
    if (v->index_len > STI_INDEX_HEADER_SIZE) {
        /* A log that lost its last message, or its last byte. */
        size_t last = v->index_len - sti_index_item_size(v->params);
        size_t end = (size_t)sti_item_position(v->index + last);

        assert_int_equal(
                judge(v->index, v->index_len, v->log, end, v->base, v->params), STI_INDEX_UNFIT);
        assert_int_equal(judge(v->index, v->index_len, v->log, v->log_len - 1, v->base, v->params),
                STI_INDEX_UNFIT);
    }
}

static void test_vectors(void **state)
{
    (void)state;
    assert_int_equal(fx_each_vector(vector_is_built), 25);
    assert_int_equal(fx_each_vector(vector_fits), 25);
}

static void test_vectors_cut(void **state)
{
    (void)state;
    assert_int_equal(fx_each_vector(vector_cut), 25);
}

/* ---- Judging. ---- */

/* Every set of parameters against every other, for logs of few and many
 * messages: never FITS with wrong ones, and never OTHER with the right ones.
 * Only a lone item of version 1 may be too short to tell, and is made again. */
static void test_parameters(void **state)
{
    static const int counts[] = {1, 2, 3, 4, 5, 6, 12, 50};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof counts / sizeof counts[0]; i++) {
        for (unsigned made = 0; made < 4; made++) {
            struct fx_log log;
            struct file f;

            fx_log_make(&log, versions[i % 2], 1 + (int64_t)(i % 3), counts[i / 2]);
            f = build(&log, params_of(made));
            for (unsigned asked = 0; asked < 4; asked++) {
                enum sti_index_verdict verdict = judge_file(&f, &log, params_of(asked));
                bool cut = i % 2 == 0 && log.count == 1 &&
                           (made == 0 ? asked != 0 : made == 1 && asked == 3);
                enum sti_index_verdict expected = asked == made ? STI_INDEX_FITS
                                                  : cut         ? STI_INDEX_UNFIT
                                                                : STI_INDEX_OTHER;

                if (verdict != expected) {
                    fail_msg("version %zu, %d messages, made with %u, asked for %u: %d", i % 2 + 1,
                            log.count, made, asked, (int)verdict);
                }
            }
            free(f.bytes);
            fx_log_free(&log);
        }
    }
}

/* A hash that would pass for a time: keys are told from times all the same. */
static void test_hash_like_time(void **state)
{
    struct sti_index_params times = params_of(1);
    struct sti_index_params keys = params_of(2);
    uint8_t log[2 * (28 + 8)];
    int found = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        uint8_t key[8] = {(uint8_t)i, 1, 2, 3, 4, 5, 6, 7};
        struct fx_log fx = {
                .version = STELE_STREAM_V1, .bytes = log, .len = sizeof log, .count = 2};
        struct file f;

        for (size_t m = 0; m < 2; m++) {
            key[7] = (uint8_t)(m + 9);
            sti_message_put(log + m * 36, STELE_STREAM_V1, (int64_t)m, 1, stele_bytes_of(key, 8),
                    stele_nil());
        }
        f = build(&fx, keys);
        found += sti_item_time(f.bytes) > 1 && sti_item_time(f.bytes + 24) > sti_item_time(f.bytes);
        assert_int_equal(judge_file(&f, &fx, keys), STI_INDEX_FITS);
        assert_int_equal(judge_file(&f, &fx, times), STI_INDEX_OTHER);
        free(f.bytes);
    }
    assert_true(found > 0);
}

static void test_bare_and_empty(void **state)
{
    static const uint8_t zeros[256];
    struct sti_index_params keys = params_of(2);
    struct fx_log log;
    uint8_t header[8];
    uint8_t log_header[8];
    struct file f;

    (void)state;
    sti_index_header_put(header, both);
    sti_log_header_put(log_header);
    /* Beside a log without messages: no bytes, zeros, or a header. */
    assert_int_equal(judge(zeros, 0, zeros, 0, 0, both), STI_INDEX_FITS);
    assert_int_equal(judge(zeros, 0, zeros, 100, 7, both), STI_INDEX_FITS);
    assert_int_equal(judge(zeros, 0, log_header, 8, 7, none), STI_INDEX_FITS);
    assert_int_equal(judge(header, 8, zeros, 0, 7, both), STI_INDEX_FITS);
    assert_int_equal(judge(header, 8, log_header, 8, 7, both), STI_INDEX_FITS);
    assert_int_equal(judge(header, 8, log_header, 8, 7, keys), STI_INDEX_OTHER);
    assert_int_equal(judge(header, 7, log_header, 8, 7, both), STI_INDEX_UNFIT);
    assert_int_equal(judge(zeros, 64, log_header, 8, 7, both), STI_INDEX_MISSING);
    for (size_t v = 0; v < 2; v++) {
        fx_log_make(&log, versions[v], 0, 3);
        f = build(&log, both);
        /* Items beside no messages; nothing, zeros or a header beside messages. */
        assert_int_equal(judge(f.bytes, f.len, zeros, 0, 0, both), STI_INDEX_UNFIT);
        assert_int_equal(judge(f.bytes, f.len, log_header, 8, 0, both), STI_INDEX_UNFIT);
        assert_int_equal(judge(zeros, 0, log.bytes, log.len, 0, both), STI_INDEX_MISSING);
        assert_int_equal(judge(zeros, 100, log.bytes, log.len, 0, both), STI_INDEX_MISSING);
        assert_int_equal(judge(zeros, f.len, log.bytes, log.len, 0, none), STI_INDEX_MISSING);
        assert_int_equal(judge(header, 8, log.bytes, log.len, 0, both),
                v == 0 ? STI_INDEX_UNFIT : STI_INDEX_MISSING);
        free(f.bytes);
        fx_log_free(&log);
    }
}

/* The index of the first message at offset 0 in version 1, without times and
 * keys, is 16 zero bytes, and right. */
static void test_zero_item(void **state)
{
    static const uint8_t zeros[64];
    uint8_t log[2 * 28];

    (void)state;
    sti_message_put(log, STELE_STREAM_V1, 0, 1, stele_nil(), stele_nil());
    sti_message_put(log + 28, STELE_STREAM_V1, 1, 1, stele_nil(), stele_nil());
    assert_int_equal(judge(zeros, 16, log, 28, 0, none), STI_INDEX_FITS);
    assert_int_equal(judge(zeros, 16, log, 56, 0, none), STI_INDEX_MISSING);
    assert_int_equal(judge(zeros, 8, log, 28, 0, none), STI_INDEX_MISSING);
    assert_int_equal(judge(zeros, 28, log, 28, 0, none), STI_INDEX_MISSING);
    assert_int_equal(judge(zeros, 32, log, 28, 0, none), STI_INDEX_MISSING);
    assert_int_equal(judge(zeros, 64, log, 28, 0, none), STI_INDEX_MISSING);
    /* 28 zero bytes are no message, and have no item. */
    assert_int_equal(judge(zeros, 16, zeros, 28, 0, none), STI_INDEX_MISSING);
}

/* A flipped bit in the header that only changes the parameters is damage if
 * the items are right for those that were asked for. */
static void test_flipped_header(void **state)
{
    struct fx_log log;
    struct file f;

    (void)state;
    fx_log_make(&log, STELE_STREAM_V2, 5, 12);
    f = build(&log, both);
    for (size_t bit = 0; bit < 64; bit++) {
        f.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(judge_file(&f, &log, both), STI_INDEX_UNFIT);
        f.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_int_equal(judge_file(&f, &log, both), STI_INDEX_FITS);
    free(f.bytes);
    fx_log_free(&log);
}

/* What the judge looks at, every bit: offset and position of the first and
 * last item, their hashes, and that times do not fall below the messages'. */
static void test_flipped_items(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct fx_log log;
        struct file f;
        size_t skip = (size_t)sti_index_start(versions[v]);

        /* The last message has the highest time, which its item has, too. */
        fx_log_make(&log, versions[v], 5, 8);
        f = build(&log, both);
        for (size_t end = 0; end < 2; end++) {
            size_t item = end == 0 ? skip : f.len - 32;

            for (size_t bit = 8 * item; bit < 8 * (item + 32); bit++) {
                bool time = bit / 8 - item >= 16 && bit / 8 - item < 24;
                bool lower = ((unsigned)f.bytes[bit / 8] >> bit % 8 & 1U) != 0;

                f.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
                if (!time || lower) {
                    assert_int_not_equal(judge_file(&f, &log, both), STI_INDEX_FITS);
                    assert_int_not_equal(judge_file(&f, &log, both), STI_INDEX_OTHER);
                }
                f.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
            }
        }
        free(f.bytes);
        fx_log_free(&log);
    }
}

/* Indexes of a log as it was: with a message fewer or more, of another log,
 * with items missing in the middle or one too many. */
static void test_stale(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct fx_log log;
        struct file f;
        size_t skip = (size_t)sti_index_start(versions[v]);

        fx_log_make(&log, versions[v], 5, 9);
        f = build(&log, both);
        for (int count = 1; count < 9; count++) {
            struct fx_log shorter = log;

            shorter.len = (size_t)log.at[count];
            shorter.count = count;
            assert_int_equal(judge_file(&f, &shorter, both), STI_INDEX_UNFIT);
            assert_int_equal(judge(f.bytes, skip + 32 * (size_t)count, log.bytes, log.len, 5, both),
                    STI_INDEX_UNFIT);
        }
        /* More items than offsets, or bytes, leave room for. */
        memmove(f.bytes + skip + 32, f.bytes + skip, 32);
        assert_int_equal(judge_file(&f, &log, both), STI_INDEX_FITS); /* a step, not a scan */
        uint8_t *many = malloc(skip + 32 * (size_t)20);
        assert_non_null(many);
        memcpy(many, f.bytes, skip + 32);
        for (size_t i = 1; i < 20; i++) {
            memcpy(many + skip + 32 * i, f.bytes + f.len - 32, 32);
        }
        assert_int_equal(
                judge(many, skip + (size_t)32 * 20, log.bytes, log.len, 5, both), STI_INDEX_UNFIT);
        free(many);
        assert_int_equal(judge(f.bytes, f.len, log.bytes, log.len, 6, both),
                v == 0 ? STI_INDEX_UNFIT : STI_INDEX_FITS);
        free(f.bytes);
        fx_log_free(&log);
    }
}

/* Positions that would overflow, or lead out of the log. */
static void test_hostile_positions(void **state)
{
    static const uint64_t positions[] = {
            UINT64_MAX, UINT64_MAX - 7, UINT64_MAX - 35, 1ULL << 63, 1ULL << 32, INT64_MAX, 1, 0};

    (void)state;
    for (size_t v = 0; v < 2; v++) {
        for (unsigned bits = 0; bits < 4; bits++) {
            struct fx_log log;
            struct file f;
            size_t size = sti_index_item_size(params_of(bits));

            fx_log_make(&log, versions[v], 5, 9);
            f = build(&log, params_of(bits));
            for (size_t i = 0; i < sizeof positions / sizeof positions[0]; i++) {
                sti_put_be64(f.bytes + f.len - size + 8, positions[i]);
                for (unsigned asked = 0; asked < 4; asked++) {
                    assert_int_not_equal(judge_file(&f, &log, params_of(asked)), STI_INDEX_FITS);
                }
                sti_put_be64(f.bytes + f.len - size + 8, log.len + positions[i]);
                assert_int_not_equal(judge_file(&f, &log, params_of(bits)), STI_INDEX_FITS);
            }
            free(f.bytes);
            fx_log_free(&log);
        }
    }
}

/* ---- Building and comparing. ---- */

static void test_times(void **state)
{
    struct sti_items early;
    struct sti_items late;
    struct fx_log log;
    stele_error err;
    int64_t before = 1700000000000000 + 3500;

    (void)state;
    fx_log_make(&log, STELE_STREAM_V2, 0, 40);
    CHECK_OK(
            sti_items_build(&early, log.bytes, log.len, 0, INT64_MAX, both, INT64_MIN, &err), &err);
    CHECK_OK(sti_items_build(&late, log.bytes, log.len, 0, INT64_MAX, both, before, &err), &err);
    for (uint64_t i = 0; i < early.count; i++) {
        int64_t time = sti_item_time(early.data + 32 * i);

        assert_true(i == 0 || time >= sti_item_time(early.data + 32 * (i - 1)));
        assert_true(sti_item_time(late.data + 32 * i) == (time < before ? before : time));
    }
    assert_true(sti_index_equal(early.data, early.count, &early, both));
    assert_true(sti_index_equal(late.data, late.count, &early, both));
    assert_false(sti_index_equal(late.data, late.count - 1, &early, both));
    /* A first time below the message's own, or one in the middle that is too high. */
    sti_put_be64(late.data + 16, 1);
    assert_false(sti_index_equal(late.data, late.count, &early, both));
    sti_put_be64(late.data + 16, (uint64_t)before);
    assert_true(sti_index_equal(late.data, late.count, &early, both));
    sti_put_be64(late.data + (size_t)32 * 20 + 16, 1700000000000000 + 1000000);
    assert_false(sti_index_equal(late.data, late.count, &early, both));
    sti_items_free(&early);
    sti_items_free(&late);
    fx_log_free(&log);
}

/* Every bit of an index is noticed by comparing all, but for those of a first
 * time that make it higher and swallow no later one's difference. */
static void test_equal_flipped(void **state)
{
    struct sti_items items;
    struct fx_log log;
    stele_error err;

    (void)state;
    fx_log_make(&log, STELE_STREAM_V2, 0, 12);
    for (unsigned bits = 0; bits < 4; bits++) {
        struct sti_index_params params = params_of(bits);
        struct sti_items built;

        CHECK_OK(sti_items_build(&items, log.bytes, log.len, 0, INT64_MAX, params, INT64_MIN, &err),
                &err);
        CHECK_OK(sti_items_build(&built, log.bytes, log.len, 0, INT64_MAX, params, INT64_MIN, &err),
                &err);
        for (size_t bit = 0; bit < 8 * items.count * items.item_size; bit++) {
            items.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
            if (sti_index_equal(items.data, items.count, &built, params)) {
                /* Higher, but not above the second message's time. */
                assert_true(params.times && bit / 8 >= 16 && bit / 8 < 24);
                assert_true(sti_item_time(items.data) > sti_item_time(built.data));
                assert_true(
                        sti_item_time(items.data) <= sti_item_time(built.data + built.item_size));
            }
            items.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        sti_items_free(&items);
        sti_items_free(&built);
    }
    fx_log_free(&log);
}

static void test_build_over_damage(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct sti_items items;
        struct fx_log log;
        stele_error err;

        fx_log_make(&log, versions[v], 10, 30);
        log.bytes[log.at[4] + 29] ^= 1;
        CHECK_OK(sti_items_build(
                         &items, log.bytes, log.len + 50, 10, INT64_MAX, both, INT64_MIN, &err),
                &err);
        assert_int_equal(items.count, 29);
        assert_int_equal(items.damage, log.at[4]);
        assert_int_equal(items.end, log.len);
        assert_int_equal(items.last, log.offset[29]);
        assert_int_equal(sti_item_position(items.data + (size_t)32 * 3), log.at[3]);
        assert_int_equal(sti_item_position(items.data + (size_t)32 * 4), log.at[5]);
        sti_items_free(&items);

        /* A torn end. */
        log.bytes[log.at[4] + 29] ^= 1;
        CHECK_OK(sti_items_build(
                         &items, log.bytes, log.len - 1, 10, INT64_MAX, both, INT64_MIN, &err),
                &err);
        assert_int_equal(items.count, 29);
        assert_int_equal(items.damage, log.at[29]);
        assert_int_equal(items.end, log.at[29]);
        assert_int_equal(items.last, log.offset[28]);
        sti_items_free(&items);
        fx_log_free(&log);
    }
}

static void test_build_of_nothing(void **state)
{
    static const uint8_t zeros[100];
    uint8_t bytes[16] = "no log at all";
    struct sti_items items;
    stele_error err;

    (void)state;
    CHECK_OK(sti_items_build(&items, zeros, 100, 5, INT64_MAX, both, 0, &err), &err);
    assert_true(items.count == 0 && items.end == 0 && items.last == 4);
    assert_true(items.damage == UINT64_MAX);
    sti_items_free(&items);
    CHECK_OK(sti_items_build(&items, bytes, 16, 5, INT64_MAX, both, 0, &err), &err);
    assert_true(items.count == 0 && items.damage == 0);
    sti_items_free(&items);
    sti_log_header_put(bytes);
    CHECK_OK(sti_items_build(&items, bytes, 8, 5, INT64_MAX, both, 0, &err), &err);
    assert_true(items.count == 0 && items.end == 8 && items.damage == UINT64_MAX);
    sti_items_free(&items);
    assert_null(items.data);
}

static void test_no_memory(void **state)
{
    struct sti_items items;
    struct fx_log log;
    stele_error err;
    uint64_t allocations;

    (void)state;
    fx_log_make(&log, STELE_STREAM_V2, 0, 400);
    fx_alloc_fail(UINT64_MAX, false);
    CHECK_OK(sti_items_build(&items, log.bytes, log.len, 0, INT64_MAX, both, 0, &err), &err);
    allocations = fx_alloc_count();
    assert_true(allocations >= 3);
    fx_alloc_fail(0, false);
    sti_items_free(&items);
    for (uint64_t n = 1; n <= allocations; n++) {
        memset(&items, 0x5A, sizeof items);
        fx_alloc_fail(n, false);
        CHECK_CODE(sti_items_build(&items, log.bytes, log.len, 0, INT64_MAX, both, 0, &err),
                STELE_ENOMEM);
        fx_alloc_fail(0, false);
        assert_int_equal(((uint8_t *)&items)[0], 0x5A);
    }
    fx_log_free(&log);
}

/* ---- Files. ---- */

static void expect_file(const char *name, const struct file *f)
{
    size_t len;
    uint8_t *bytes = tmpdir_read(&fx_files.tmp, name, &len);

    CHECK_BYTES(stele_bytes_of(bytes, len), stele_bytes_of(f->bytes, f->len));
    free(bytes);
}

static void test_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        stele_stream_version version = versions[i % 2];
        struct sti_index_params params = params_of((unsigned)i / 2);
        size_t skip = (size_t)sti_index_start(version);
        struct fx_log log;
        struct file f;
        stele_error err;
        const char *sync;

        fx_log_make(&log, version, 7, 20);
        f = build(&log, params);
        tmpdir_write(&fx_files.tmp, "00000000000000000007.index.tmp", "left over", 9);
        fx_trace_clear(&fx_files.vfs);
        CHECK_OK(
                sti_index_write(&fx_files.dir, 7, version, params, f.bytes + skip, 20, &err), &err);
        expect_file("00000000000000000007.index", &f);
        assert_false(tmpdir_exists(&fx_files.tmp, "00000000000000000007.index.tmp"));
        sync = strstr(fx_files.vfs.trace, "write sync ");
        assert_non_null(sync);
        assert_string_equal(sync + strlen("write sync "), "rename 00000000000000000007.index ");
        /* Without items: a header, or nothing. */
        CHECK_OK(sti_index_write(&fx_files.dir, 7, version, params, NULL, 0, NULL), &err);
        assert_int_equal(tmpdir_size(&fx_files.tmp, "00000000000000000007.index"), skip);
        free(f.bytes);
        fx_log_free(&log);
    }
}

static void test_write_failures(void **state)
{
    struct fx_log log;
    struct file f;
    struct file old;
    stele_error err;
    int calls;

    (void)state;
    fx_log_make(&log, STELE_STREAM_V2, 7, 20);
    f = build(&log, both);
    old = build(&log, none);
    CHECK_OK(sti_index_write(&fx_files.dir, 7, STELE_STREAM_V2, none, old.bytes + 8, 20, &err),
            &err);
    fx_trace_clear(&fx_files.vfs);
    CHECK_OK(sti_index_write(&fx_files.dir, 7, STELE_STREAM_V2, none, old.bytes + 8, 20, &err),
            &err);
    calls = fx_files.vfs.calls;
    assert_true(calls >= 5);
    for (int i = 1; i <= calls; i++) {
        fx_trace_clear(&fx_files.vfs);
        fx_files.vfs.fail_at = i;
        CHECK_CODE(sti_index_write(&fx_files.dir, 7, STELE_STREAM_V2, both, f.bytes + 8, 20, &err),
                STELE_EIO);
        fx_files.vfs.fail_at = 0;
        CHECK_MESSAGE_HAS(&err, "00000000000000000007.index");
        expect_file("00000000000000000007.index", &old);
        assert_false(tmpdir_exists(&fx_files.tmp, "00000000000000000007.index.tmp"));
    }
    free(f.bytes);
    free(old.bytes);
    fx_log_free(&log);
}

static void detect_vector(const struct fx_vector *v)
{
    struct sti_index_params params = {!v->params.times, !v->params.keys};
    struct sti_index_params other = params;
    char index[STI_NAME_SIZE];
    char log[STI_NAME_SIZE];

    sti_name_index(index, v->base);
    sti_name_log(log, v->base);
    tmpdir_write(&fx_files.tmp, index, v->index, v->index_len);
    tmpdir_write(&fx_files.tmp, log, v->log, v->log_len);
    assert_int_equal(sti_index_detect(&fx_files.dir, v->base, &params), v->index_len != 0);
    if (v->index_len != 0) {
        assert_true(same(params, v->params));
    }
    if (v->index_len > 100) {
        /* A zero tail, a torn end of either: the start tells. */
        static const uint8_t zeros[777];

        tmpdir_append(&fx_files.tmp, log, zeros, sizeof zeros);
        tmpdir_cut(&fx_files.tmp, index, v->index_len - 5);
        assert_true(sti_index_detect(&fx_files.dir, v->base, &params) && same(params, v->params));
        tmpdir_cut(&fx_files.tmp, log, v->log_len / 2);
        params = other;
        assert_true(sti_index_detect(&fx_files.dir, v->base, &params) && same(params, v->params));
    }
}

static void test_detect(void **state)
{
    struct sti_index_params params = none;

    (void)state;
    assert_int_equal(fx_each_vector(detect_vector), 25);
    assert_false(sti_index_detect(&fx_files.dir, 999, &params));
    tmpdir_write(&fx_files.tmp, "00000000000000000999.index", "", 0);
    assert_false(sti_index_detect(&fx_files.dir, 999, &params));
    tmpdir_write(&fx_files.tmp, "00000000000000000999.index", "\0\0\0\0\0\0\x03\xe7", 8);
    assert_false(sti_index_detect(&fx_files.dir, 999, &params));
    tmpdir_write(&fx_files.tmp, "00000000000000000999.index", "some text that is no index", 26);
    assert_false(sti_index_detect(&fx_files.dir, 999, &params));
}

/* All parameters, told by as few messages as there are. */
static void test_detect_few(void **state)
{
    (void)state;
    for (int count = 1; count <= 4; count++) {
        for (unsigned bits = 0; bits < 4; bits++) {
            struct sti_index_params params = params_of(3 - bits);
            struct fx_log log;
            struct file f;

            fx_log_make(&log, STELE_STREAM_V1, 0, count);
            f = build(&log, params_of(bits));
            tmpdir_write(&fx_files.tmp, "00000000000000000000.index", f.bytes, f.len);
            tmpdir_write(&fx_files.tmp, "00000000000000000000.log", log.bytes, log.len);
            assert_true(sti_index_detect(&fx_files.dir, 0, &params));
            assert_true(same(params, params_of(bits)));
            free(f.bytes);
            fx_log_free(&log);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_vectors),
            cmocka_unit_test(test_vectors_cut),
            cmocka_unit_test(test_parameters),
            cmocka_unit_test(test_hash_like_time),
            cmocka_unit_test(test_bare_and_empty),
            cmocka_unit_test(test_zero_item),
            cmocka_unit_test(test_flipped_header),
            cmocka_unit_test(test_flipped_items),
            cmocka_unit_test(test_stale),
            cmocka_unit_test(test_hostile_positions),
            cmocka_unit_test(test_times),
            cmocka_unit_test(test_equal_flipped),
            cmocka_unit_test(test_build_over_damage),
            cmocka_unit_test(test_build_of_nothing),
            cmocka_unit_test(test_no_memory),
            cmocka_unit_test_setup_teardown(test_write, fx_set_up, fx_tear_down),
            cmocka_unit_test_setup_teardown(test_write_failures, fx_set_up, fx_tear_down),
            cmocka_unit_test_setup_teardown(test_detect, fx_set_up, fx_tear_down),
            cmocka_unit_test_setup_teardown(test_detect_few, fx_set_up, fx_tear_down),
    };

    return cmocka_run_group_tests_name("stream index file", tests, NULL, NULL);
}
