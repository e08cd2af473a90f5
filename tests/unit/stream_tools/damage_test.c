/* SPDX-License-Identifier: MIT
 *
 * damage_test.c: every bit of a small stream flipped, and every file cut at every byte.
 *
 * Check must report it, and recover keep all but the one message that was
 * hit. What it cannot know is listed by the tests below, field by field.
 */
#include "base/mutant.h"
#include "sim/world.h"
#include "stream/index_file.h"
#include "stream/leftovers.h"
#include "unit/stream_tools/kept.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MESSAGES = 3, /* in each of the two segments */
    LOG_MAX = 512,
    HEADER = 8
};

static const char data[] = "/data";
static const struct sti_index_params both = {.times = true, .keys = true};

/* Offset 5 was deleted. */
static const int64_t offsets[2][MESSAGES] = {{0, 1, 2}, {3, 4, 6}};
static const int64_t bases[2] = {0, 3};

struct image {
    stele_stream_version version;
    uint8_t logs[2][LOG_MAX];
    size_t log_lens[2];
    uint8_t indexes[2][LOG_MAX];
    size_t index_lens[2];
};

static void image_make(struct image *image, stele_stream_version version)
{
    memset(image, 0, sizeof *image);
    image->version = version;
    for (int s = 0; s < 2; s++) {
        struct sti_items items = {0};
        size_t at = (size_t)sti_log_start(version);
        size_t start = (size_t)sti_index_start(version);
        stele_error err;

        if (at > 0) {
            sti_log_header_put(image->logs[s]);
            sti_index_header_put(image->indexes[s], both);
        }
        for (int i = 0; i < MESSAGES; i++) {
            char value[16];
            stele_bytes key = stele_str(i == 1 ? "" : "key");

            (void)snprintf(value, sizeof value, "value-%d-%d", s, i);
            sti_message_put(image->logs[s] + at, version, offsets[s][i],
                    1700000000000000 + offsets[s][i] * 1000, key, stele_str(value));
            at += sti_message_size(version, key.len, strlen(value));
        }
        image->log_lens[s] = at;
        CHECK_OK(sti_items_build(
                         &items, image->logs[s], at, bases[s], INT64_MAX, both, INT64_MIN, &err),
                &err);
        assert_int_equal(items.count, MESSAGES);
        image->index_lens[s] = start + MESSAGES * items.item_size;
        memcpy(image->indexes[s] + start, items.data, MESSAGES * items.item_size);
        sti_items_free(&items);
    }
}

static void put_file(struct sti_dir *dir, const char *name, const uint8_t *bytes, size_t len)
{
    struct sti_file f = {0};
    stele_error err;

    CHECK_OK(sti_file_open(&f, dir, name, STELE_OPEN_WRITE | STELE_OPEN_CREATE, &err), &err);
    if (len > 0) {
        CHECK_OK(sti_file_write(&f, 0, bytes, len, &err), &err);
    }
    sti_file_close(&f);
}

static struct sim_world *world_of(const struct image *image)
{
    struct sim_disk_options options = {.no_trace = true};
    struct sim_world *w = sim_world_new(1, NULL, &options);
    struct sti_dir dir = {0};
    char name[STI_NAME_SIZE];
    stele_error err;

    assert_non_null(w);
    CHECK_OK(sti_dir_open(&dir, &w->env, data, STELE_OPEN_CREATE, &err), &err);
    for (int s = 0; s < 2; s++) {
        sti_name_log(name, bases[s]);
        put_file(&dir, name, image->logs[s], image->log_lens[s]);
        sti_name_index(name, bases[s]);
        put_file(&dir, name, image->indexes[s], image->index_lens[s]);
    }
    sti_dir_close(&dir);
    return w;
}

static stele_stream_options options_of(struct sim_world *w)
{
    stele_stream_options opts;

    stele_stream_options_init(&opts);
    opts.env = &w->env;
    opts.key_index = true;
    opts.time_index = true;
    opts.index_auto = true;
    return opts;
}

static stele_code check(struct sim_world *w)
{
    stele_stream_options opts = options_of(w);

    return stele_stream_check_dir(data, &opts, false, NULL, NULL, NULL, NULL);
}

static stele_code recover(struct sim_world *w, stele_stream_recovered *out)
{
    stele_stream_options opts = options_of(w);

    return stele_stream_recover_dir(data, &opts, NULL, out, NULL);
}

/* What a damage did, found out by checking, recovering twice, and checking. */
struct outcome {
    bool found;   /* by the first check */
    bool refused; /* recover: a version that it does not know */
    size_t kept;
    int64_t next;
    char text[256];
};

static void find_out(const struct image *image, struct outcome *out)
{
    struct sim_world *w = world_of(image);
    struct kept *k = calloc(1, sizeof *k);
    stele_stream_recovered first = {0};
    stele_stream_recovered second = {0};
    stele_code rc = check(w);

    assert_non_null(k);
    assert_true(rc == STELE_OK || rc == STELE_ECORRUPT);
    memset(out, 0, sizeof *out);
    out->found = rc == STELE_ECORRUPT;
    rc = recover(w, &first);
    out->refused = rc == STELE_EVERSION;
    if (!out->refused) {
        CHECK_CODE(rc, STELE_OK);
        CHECK_CODE(check(w), STELE_OK);
        CHECK_CODE(recover(w, &second), STELE_OK);
        assert_int_equal(second.cut_bytes, 0);
        assert_int_equal(second.messages, first.messages);
        assert_int_equal(second.segments, first.segments);
    }
    CHECK_CODE(kept_read_env(k, &w->env, data), STELE_OK);
    assert_true(k->rising);
    assert_true(out->refused || k->ends);
    kept_text(k, out->text, sizeof out->text);
    out->kept = k->count;
    out->next = k->next;
    free(k);
    sim_world_free(w);
}

/* ---- Logs. ---- */

static void every_bit_of_a_log_v2(void **state)
{
    struct image *image = calloc(1, sizeof *image);

    (void)state;
    assert_non_null(image);
    image_make(image, STELE_STREAM_V2);
    for (int s = 0; s < 2; s++) {
        for (size_t bit = 0; bit < 8 * image->log_lens[s]; bit++) {
            struct outcome o;

            image->logs[s][bit / 8] ^= (uint8_t)(1 << bit % 8);
            find_out(image, &o);
            image->logs[s][bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_true(o.found);
            /* The version, and the reserved byte. */
            assert_int_equal(o.refused, bit / 8 == 6 || bit / 8 == 7);
            if (!o.refused) {
                assert_int_equal(o.kept, bit / 8 < HEADER ? 2 * MESSAGES : 2 * MESSAGES - 1);
                assert_int_equal(o.next, 7);
            }
        }
    }
    free(image);
}

/* In version 1 the index proves offsets, so that they are mended. Of the first
 * message's time nobody knows: an index may start from a later one. */
static void every_bit_of_a_log_v1(void **state)
{
    struct image *image = calloc(1, sizeof *image);
    size_t silent = 0;

    (void)state;
    assert_non_null(image);
    image_make(image, STELE_STREAM_V1);
    for (int s = 0; s < 2; s++) {
        for (size_t bit = 0; bit < 8 * image->log_lens[s]; bit++) {
            struct outcome o;
            bool first_time = bit / 8 >= 8 && bit / 8 < 16;

            image->logs[s][bit / 8] ^= (uint8_t)(1 << bit % 8);
            find_out(image, &o);
            image->logs[s][bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_true(o.found || first_time);
            silent += o.found ? 0 : 1;
            assert_false(o.refused);
            assert_true(o.kept >= 2 * MESSAGES - 1);
            /* Where two offsets fit, the log counts: nobody knows that 6 was right. */
            assert_true(o.next == 7 || (s == 1 && o.next > 7 && o.next <= 7 + (1 << 24)));
        }
    }
    /* The bits that are set in it: clearing one makes it earlier. */
    assert_in_range(silent, 1, 2 * 64);
    free(image);
}

/* Without its index, too: an offset that is lifted by a bit is seen by the ones behind it. */
static void every_bit_of_a_log_v1_without_index(void **state)
{
    struct image *image = calloc(1, sizeof *image);

    (void)state;
    assert_non_null(image);
    image_make(image, STELE_STREAM_V1);
    image->index_lens[0] = 0;
    image->index_lens[1] = 0;
    for (int s = 0; s < 2; s++) {
        for (size_t bit = 0; bit < 8 * image->log_lens[s]; bit++) {
            struct outcome o;

            image->logs[s][bit / 8] ^= (uint8_t)(1 << bit % 8);
            find_out(image, &o);
            image->logs[s][bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(o.refused);
            assert_true(o.kept >= 2 * MESSAGES - 1);
            assert_true(o.next >= 6);
        }
    }
    free(image);
}

static void every_cut_of_a_log(void **state)
{
    struct image *image = calloc(1, sizeof *image);

    (void)state;
    assert_non_null(image);
    for (int v = 1; v <= 2; v++) {
        image_make(image, v == 1 ? STELE_STREAM_V1 : STELE_STREAM_V2);
        for (int s = 0; s < 2; s++) {
            size_t whole = image->log_lens[s];

            for (size_t len = 0; len < whole; len++) {
                struct outcome o;
                size_t left = 0;

                for (int i = 0; i < MESSAGES; i++) {
                    const uint8_t *item = image->indexes[s] + sti_index_start(image->version) +
                                          (size_t)(i + 1) * 32;
                    size_t end = i + 1 < MESSAGES ? (size_t)sti_item_position(item) : whole;

                    left += end <= len ? 1 : 0;
                }
                image->log_lens[s] = len;
                find_out(image, &o);
                assert_true(o.found);
                assert_int_equal(o.kept, MESSAGES + left);
                assert_int_equal(o.next, 7); /* the index shows what there was */
            }
            image->log_lens[s] = whole;
        }
    }
    free(image);
}

/* ---- Indexes. ---- */

/* A later start of the times is right, too: that field of the first item tells
 * nothing. (The side file of a sealed segment covers it.) */
static void every_bit_of_an_index(void **state)
{
    struct image *image = calloc(1, sizeof *image);

    (void)state;
    assert_non_null(image);
    for (int v = 1; v <= 2; v++) {
        image_make(image, v == 1 ? STELE_STREAM_V1 : STELE_STREAM_V2);
        for (int s = 0; s < 2; s++) {
            size_t time_at = (size_t)sti_index_start(image->version) + 16;

            for (size_t bit = 0; bit < 8 * image->index_lens[s]; bit++) {
                struct outcome o;

                image->indexes[s][bit / 8] ^= (uint8_t)(1 << bit % 8);
                find_out(image, &o);
                image->indexes[s][bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_true(o.found || (bit / 8 >= time_at && bit / 8 < time_at + 8));
                assert_string_equal(o.text, "0-4,6-6");
                /* An offset that only the newest index shows is not given again. */
                assert_true(o.next >= 7);
            }
        }
    }
    free(image);
}

static void every_cut_of_an_index(void **state)
{
    struct image *image = calloc(1, sizeof *image);

    (void)state;
    assert_non_null(image);
    for (int v = 1; v <= 2; v++) {
        image_make(image, v == 1 ? STELE_STREAM_V1 : STELE_STREAM_V2);
        for (int s = 0; s < 2; s++) {
            size_t whole = image->index_lens[s];

            for (size_t len = 0; len < whole; len++) {
                struct outcome o;

                image->index_lens[s] = len;
                find_out(image, &o);
                assert_int_equal(o.found, !(v == 2 && len == HEADER));
                assert_string_equal(o.text, "0-4,6-6");
                assert_int_equal(o.next, 7);
            }
            image->index_lens[s] = whole;
        }
    }
    free(image);
}

/* ---- Zeros. ---- */

/* A preallocated tail of any length is no message, and no fault. */
static bool zeros_are_no_message(void)
{
    struct image *image = calloc(1, sizeof *image);
    bool right = true;

    assert_non_null(image);
    for (int v = 1; v <= 2; v++) {
        for (size_t zeros = 1; zeros < 100; zeros++) {
            stele_stream_recovered r = {0};
            struct sim_world *w;

            image_make(image, v == 1 ? STELE_STREAM_V1 : STELE_STREAM_V2);
            image->log_lens[1] += zeros;
            w = world_of(image);
            right = right && check(w) == STELE_OK && recover(w, &r) == STELE_OK &&
                    r.messages == 2 * MESSAGES && r.cut_bytes == (int64_t)zeros;
            sim_world_free(w);
        }
    }
    free(image);
    return right;
}

static void zero_tails(void **state)
{
    (void)state;
    assert_true(zeros_are_no_message());
}

#ifdef STI_MUTANTS
static void counted_zeros_are_caught(void **state)
{
    (void)state;
    sti_mutant_on = STI_MUTANT_ZERO_MESSAGE_COUNTED;
    assert_false(zeros_are_no_message());
    sti_mutant_on = STI_MUTANT_NONE;
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_bit_of_a_log_v2),
            cmocka_unit_test(every_bit_of_a_log_v1),
            cmocka_unit_test(every_bit_of_a_log_v1_without_index),
            cmocka_unit_test(every_cut_of_a_log),
            cmocka_unit_test(every_bit_of_an_index),
            cmocka_unit_test(every_cut_of_an_index),
            cmocka_unit_test(zero_tails),
#ifdef STI_MUTANTS
            cmocka_unit_test(counted_zeros_are_caught),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
