/* SPDX-License-Identifier: MIT
 *
 * scan_test.c: reading a log from end to end, also over damage.
 */
#include "stream/scan.h"

#include "base/coding.h"
#include "fixture.h"

#include <stdlib.h>

static const stele_stream_version versions[] = {STELE_STREAM_V1, STELE_STREAM_V2};

enum {
    COUNT = 20
};

static void begin(struct sti_scan *scan, const struct fx_log *log, size_t len, int64_t limit)
{
    sti_scan_begin(
            scan, log->bytes, len, sti_log_kind_of(log->bytes, len, log->base), log->base, limit);
}

/* Expect messages first to end - 1 of the log next. */
static void expect(struct sti_scan *scan, const struct fx_log *log, int first, int end)
{
    for (int i = first; i < end; i++) {
        stele_message m;
        size_t size;

        assert_int_equal(scan->at, log->at[i]);
        assert_int_equal(sti_scan_next(scan, &m, &size), STI_MESSAGE_WHOLE);
        assert_int_equal(m.offset, log->offset[i]);
        assert_int_equal(log->at[i] + size, log->at[i + 1]);
        assert_int_equal(scan->at, log->at[i + 1]);
        assert_int_equal(scan->last, log->offset[i]);
    }
}

/* Expect the scan to stop, and to stay, for this reason. */
static void expect_stop(struct sti_scan *scan, enum sti_message_state reason)
{
    uint64_t at = scan->at;
    int64_t last = scan->last;
    stele_message m;
    size_t size;

    assert_int_equal(sti_scan_next(scan, &m, &size), reason);
    assert_int_equal(scan->at, at);
    assert_int_equal(scan->last, last);
}

static void test_whole_log(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct sti_scan scan;
        struct fx_log log;

        fx_log_make(&log, versions[v], 7, COUNT);
        for (size_t tail = 0; tail <= FX_TAIL; tail++) {
            begin(&scan, &log, log.len + tail, INT64_MAX);
            expect(&scan, &log, 0, COUNT);
            expect_stop(&scan, STI_MESSAGE_END);
        }
        fx_log_free(&log);
    }
}

static void test_cut_at_every_byte(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct sti_scan scan;
        struct fx_log log;
        int whole = 0;

        fx_log_make(&log, versions[v], 0, COUNT);
        for (size_t len = sti_log_start(versions[v]); len < log.len; len++) {
            bool zeros;

            while (log.at[whole + 1] <= len) {
                whole++;
            }
            sti_scan_begin(&scan, log.bytes, len, v == 0 ? STI_LOG_V1 : STI_LOG_V2, 0, INT64_MAX);
            expect(&scan, &log, 0, whole);
            /* The first bytes of offset 0 are zeros: nothing tells that a message begins. */
            zeros = sti_all_zero(log.bytes + log.at[whole], len - log.at[whole]);
            expect_stop(&scan, zeros ? STI_MESSAGE_END : STI_MESSAGE_SHORT);
            assert_false(sti_scan_resync(&scan));
            assert_int_equal(scan.at, log.at[whole]);
        }
        fx_log_free(&log);
    }
}

static void test_other_kinds(void **state)
{
    uint8_t bytes[100] = {0};
    struct sti_scan scan;

    (void)state;
    for (int kind = STI_LOG_EMPTY; kind <= STI_LOG_FOREIGN; kind++) {
        if (kind != STI_LOG_V1 && kind != STI_LOG_V2) {
            sti_scan_begin(&scan, bytes, sizeof bytes, (enum sti_log_kind)kind, 5, INT64_MAX);
            assert_int_equal(scan.last, 4);
            expect_stop(&scan, STI_MESSAGE_END);
            assert_false(sti_scan_resync(&scan));
        }
    }
    /* An empty log of version 2. */
    sti_log_header_put(bytes);
    sti_scan_begin(&scan, bytes, 8, STI_LOG_V2, 5, INT64_MAX);
    assert_int_equal(scan.at, 8);
    expect_stop(&scan, STI_MESSAGE_END);
}

/* Every bit of one message flipped: the scan notices it (in version 1 only
 * what is covered, and an offset out of order), and goes on at the next one. */
static void test_flipped_bits(void **state)
{
    const int damaged = 8;

    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct sti_scan scan;
        struct fx_log log;

        fx_log_make(&log, versions[v], 100, COUNT);
        for (uint64_t bit = 8 * log.at[damaged]; bit < 8 * log.at[damaged + 1]; bit++) {
            bool covered = v == 1 || bit / 8 >= log.at[damaged] + 16;
            enum sti_message_state result;
            stele_message m;
            size_t size;

            log.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
            begin(&scan, &log, log.len, INT64_MAX);
            expect(&scan, &log, 0, damaged);
            result = sti_scan_next(&scan, &m, &size);
            if (covered) {
                assert_true(result == STI_MESSAGE_DAMAGED || result == STI_MESSAGE_SHORT);
                assert_true(sti_scan_resync(&scan));
                expect(&scan, &log, damaged + 1, COUNT);
                expect_stop(&scan, STI_MESSAGE_END);
            }
            log.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        fx_log_free(&log);
    }
}

/* A span of zeros in the middle, of any length from one message on, is damage
 * and not the end, and never a message. */
static void test_zeros_inside(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        for (int first = 0; first < COUNT - 1; first++) {
            for (int end = first + 1; end < COUNT; end++) {
                struct sti_scan scan;
                struct fx_log log;

                fx_log_make(&log, versions[v], 100, COUNT);
                memset(log.bytes + log.at[first], 0, log.at[end] - log.at[first]);
                sti_scan_begin(&scan, log.bytes, log.len, v == 0 ? STI_LOG_V1 : STI_LOG_V2, 100,
                        INT64_MAX);
                expect(&scan, &log, 0, first);
                expect_stop(&scan, STI_MESSAGE_DAMAGED);
                assert_true(sti_scan_resync(&scan));
                expect(&scan, &log, end, COUNT);
                expect_stop(&scan, STI_MESSAGE_END);
                fx_log_free(&log);
            }
        }
    }
}

static void test_offsets(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct sti_scan scan;
        struct fx_log log;

        /* A limit: what is at or above it belongs to no segment here. */
        fx_log_make(&log, versions[v], 100, COUNT);
        begin(&scan, &log, log.len, log.offset[12]);
        expect(&scan, &log, 0, 12);
        expect_stop(&scan, STI_MESSAGE_DAMAGED);
        assert_false(sti_scan_resync(&scan));

        /* The same message twice: the second is passed over. */
        memmove(log.bytes + log.at[6], log.bytes + log.at[5], log.at[6] - log.at[5]);
        memset(log.bytes + log.at[6] + (log.at[6] - log.at[5]), 0x5A,
                log.at[8] - log.at[6] - (log.at[6] - log.at[5]));
        begin(&scan, &log, log.len, INT64_MAX);
        expect(&scan, &log, 0, 6);
        expect_stop(&scan, STI_MESSAGE_DAMAGED);
        assert_true(sti_scan_resync(&scan));
        expect(&scan, &log, 8, COUNT);
        fx_log_free(&log);

        /* A first offset below the base. */
        fx_log_make(&log, versions[v], 100, COUNT);
        sti_scan_begin(&scan, log.bytes, log.len, v == 0 ? STI_LOG_V1 : STI_LOG_V2, 101, INT64_MAX);
        expect_stop(&scan, STI_MESSAGE_DAMAGED);
        assert_true(sti_scan_resync(&scan));
        assert_int_equal(scan.at, log.at[1]);
        fx_log_free(&log);
    }
}

/* In version 1 a message behind damage counts only if an unbroken chain leads
 * from it to the end; in version 2 each proves itself. */
static void test_chain_rule(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct sti_scan scan;
        struct fx_log log;

        fx_log_make(&log, versions[v], 100, COUNT);
        log.bytes[log.at[3] + 30] ^= 1;
        log.bytes[log.at[10] + 30] ^= 1;
        begin(&scan, &log, log.len, INT64_MAX);
        expect(&scan, &log, 0, 3);
        expect_stop(&scan, STI_MESSAGE_DAMAGED);
        assert_true(sti_scan_resync(&scan));
        if (v == 0) {
            expect(&scan, &log, 11, COUNT);
        } else {
            expect(&scan, &log, 4, 10);
            expect_stop(&scan, STI_MESSAGE_DAMAGED);
            assert_true(sti_scan_resync(&scan));
            expect(&scan, &log, 11, COUNT);
        }
        expect_stop(&scan, STI_MESSAGE_END);

        /* A torn end takes the proof of version 1 away. */
        begin(&scan, &log, log.len - 1, INT64_MAX);
        scan.at = log.at[10];
        scan.last = log.offset[9];
        expect_stop(&scan, STI_MESSAGE_DAMAGED);
        assert_int_equal(sti_scan_resync(&scan), v == 1);
        assert_int_equal(scan.at, log.at[v == 0 ? 10 : 11]);
        fx_log_free(&log);
    }
}

/* A damaged message whose value holds whole messages with offsets that fit:
 * none of them is taken for one of the log, wherever the damage is. */
static void check_value(stele_stream_version version, size_t messages, size_t behind)
{
    size_t inner_size = sti_message_size(version, 0, 5);
    uint8_t value[200];
    uint8_t log[400];
    size_t value_len = messages * inner_size + behind;
    size_t start = (size_t)sti_log_start(version);
    size_t outer = sti_message_size(version, 0, value_len);
    struct sti_scan scan;
    stele_message m;
    size_t size;
    size_t len;

    memset(value, 'x', sizeof value);
    for (size_t i = 0; i < messages; i++) {
        sti_message_put(value + i * inner_size, version, 50 + (int64_t)i, 9, stele_nil(),
                stele_str("inner"));
    }
    sti_log_header_put(log);
    sti_message_put(log + start, version, 50, 1, stele_nil(), stele_bytes_of(value, value_len));
    len = start + outer;
    sti_message_put(log + len, version, 51, 2, stele_nil(), stele_str("a"));
    len += sti_message_size(version, 0, 1);
    /* The header but for the lengths, and the trailer; in the value it would
     * be another value. */
    for (size_t at = version == STELE_STREAM_V1 ? 24 : 0; at < outer; at++) {
        size_t lengths = version == STELE_STREAM_V1 ? 16 : 20;

        if ((at >= lengths && at < lengths + 8) || (at >= 28 && at < 28 + value_len)) {
            continue;
        }
        log[start + at] ^= 0x40;
        sti_scan_begin(&scan, log, len, version == STELE_STREAM_V1 ? STI_LOG_V1 : STI_LOG_V2, 50,
                INT64_MAX);
        expect_stop(&scan, STI_MESSAGE_DAMAGED);
        assert_true(sti_scan_resync(&scan));
        assert_int_equal(scan.at, start + outer);
        assert_int_equal(sti_scan_next(&scan, &m, &size), STI_MESSAGE_WHOLE);
        assert_int_equal(m.offset, 51);
        expect_stop(&scan, STI_MESSAGE_END);
        log[start + at] ^= 0x40;
    }
    /* The same as the last message of the log: nothing follows it. */
    log[start + (version == STELE_STREAM_V1 ? 24 : 0)] ^= 1;
    memset(log + start + outer, 0, sizeof log - start - outer);
    sti_scan_begin(&scan, log, sizeof log, version == STELE_STREAM_V1 ? STI_LOG_V1 : STI_LOG_V2, 50,
            INT64_MAX);
    expect_stop(&scan, STI_MESSAGE_DAMAGED);
    assert_false(sti_scan_resync(&scan));
}

static void test_messages_in_a_value(void **state)
{
    (void)state;
    for (size_t messages = 1; messages <= 4; messages++) {
        for (size_t behind = 1; behind < 20; behind++) {
            check_value(STELE_STREAM_V1, messages, behind);
        }
        for (size_t behind = 0; behind < 20; behind++) {
            check_value(STELE_STREAM_V2, messages, behind);
        }
    }
}

/* Messages of one size, a power of two: a flipped bit in a length makes one
 * end where another does. No whole message behind it is lost. */
static void test_wrong_length_fits(void **state)
{
    enum {
        SIZE = 64,
        MESSAGES = 40
    };

    (void)state;
    for (size_t v = 0; v < 2; v++) {
        size_t start = (size_t)sti_log_start(versions[v]);
        uint8_t log[8 + SIZE * MESSAGES];
        uint8_t value[SIZE];
        size_t overhead = sti_message_size(versions[v], 0, 0);
        size_t lengths = versions[v] == STELE_STREAM_V1 ? 16 : 20;

        memset(value, 'v', sizeof value);
        sti_log_header_put(log);
        for (size_t i = 0; i < MESSAGES; i++) {
            sti_message_put(log + start + i * SIZE, versions[v], 7 + (int64_t)i, 1, stele_nil(),
                    stele_bytes_of(value, SIZE - overhead));
        }
        for (size_t bit = 0; bit < 64; bit++) {
            struct sti_scan scan;

            log[start + lengths + bit / 8] ^= (uint8_t)(1U << bit % 8);
            sti_scan_begin(&scan, log, start + (size_t)SIZE * MESSAGES,
                    v == 0 ? STI_LOG_V1 : STI_LOG_V2, 7, INT64_MAX);
            assert_true(sti_scan_resync(&scan));
            assert_int_equal(scan.at, start + SIZE);
            log[start + lengths + bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
    }
}

/* Bytes made so that each of very many would-be messages leads far: what a
 * scan reads stays within a multiple of the file, and what the damaged
 * message's own lengths lead to is still found. */
static void test_bounded_work(void **state)
{
    enum {
        FAKES = 3000
    };

    (void)state;
    for (size_t v = 0; v < 2; v++) {
        size_t start = (size_t)sti_log_start(versions[v]);
        size_t fake = sti_message_size(versions[v], 0, 0);
        size_t value_len = FAKES * fake + 3;
        size_t outer = sti_message_size(versions[v], 0, value_len);
        size_t body = start + 28;
        size_t len = start + outer + sti_message_size(versions[v], 0, 4);
        uint8_t *log = calloc(1, len);
        struct sti_scan scan;

        assert_non_null(log);
        sti_log_header_put(log);
        for (int shape = 0; shape < 2; shape++) {
            uint8_t *value = calloc(1, value_len);

            assert_non_null(value);
            sti_message_put(
                    log + start, versions[v], 0, 1, stele_nil(), stele_bytes_of(value, value_len));
            for (size_t i = 0; i < FAKES; i++) {
                size_t rest = (FAKES - 1 - i) * fake;

                /* A chain that breaks at its end; or each one as long as all
                 * that follow, to the same end, with a wrong checksum. */
                sti_message_put(log + body + i * fake, versions[v], 1 + (int64_t)i, 1, stele_nil(),
                        stele_nil());
                if (shape == 1) {
                    sti_put_be32(log + body + i * fake + (v == 0 ? 20 : 24), (uint32_t)rest);
                }
            }
            sti_message_put(
                    log + start + outer, versions[v], 5000, 1, stele_nil(), stele_str("real"));
            log[start + (v == 0 ? 24 : 0)] ^= 1;
            sti_scan_begin(&scan, log, len, v == 0 ? STI_LOG_V1 : STI_LOG_V2, 0, INT64_MAX);
            expect_stop(&scan, STI_MESSAGE_DAMAGED);
            assert_true(sti_scan_resync(&scan));
            assert_int_equal(scan.at, start + outer);
            assert_true(scan.work < 70 * len);
            free(value);
        }
        free(log);
    }
}

/* The highest offset that a damaged message shows is kept, so that it is not
 * given again; one that could not stand there is not. */
static void test_seen(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        size_t field = versions[v] == STELE_STREAM_V1 ? 0 : 4;
        struct sti_scan scan;
        struct fx_log log;

        fx_log_make(&log, versions[v], 100, COUNT);
        begin(&scan, &log, log.len - 1, INT64_MAX);
        expect(&scan, &log, 0, COUNT - 1);
        assert_int_equal(scan.seen, -1);
        expect_stop(&scan, STI_MESSAGE_SHORT);
        assert_int_equal(scan.seen, log.offset[COUNT - 1]);

        sti_put_be64(log.bytes + log.at[COUNT - 1] + field, 1ULL << 40);
        begin(&scan, &log, log.len - 1, INT64_MAX);
        expect(&scan, &log, 0, COUNT - 1);
        expect_stop(&scan, STI_MESSAGE_SHORT);
        assert_int_equal(scan.seen, -1);
        fx_log_free(&log);
    }
}

/* Bytes that are no log at all: whatever is found lies inside, and moves on. */
static void test_noise(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        size_t len = 1 + (size_t)round % 300;
        uint8_t *bytes = malloc(len);
        struct sti_scan scan;
        stele_message m;
        size_t size;

        assert_non_null(bytes);
        for (size_t i = 0; i < len; i++) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            bytes[i] = (uint8_t)((seed >> 60) == 0 ? seed >> 40 : 0);
        }
        sti_scan_begin(&scan, bytes, len, round % 2 == 0 || len < 8 ? STI_LOG_V1 : STI_LOG_V2, 0,
                INT64_MAX);
        for (;;) {
            uint64_t at = scan.at;
            enum sti_message_state result = sti_scan_next(&scan, &m, &size);

            if (result == STI_MESSAGE_END ||
                    (result != STI_MESSAGE_WHOLE && !sti_scan_resync(&scan))) {
                break;
            }
            assert_true(scan.at > at);
            assert_true(scan.at <= len);
        }
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_whole_log),
            cmocka_unit_test(test_cut_at_every_byte),
            cmocka_unit_test(test_other_kinds),
            cmocka_unit_test(test_flipped_bits),
            cmocka_unit_test(test_zeros_inside),
            cmocka_unit_test(test_offsets),
            cmocka_unit_test(test_chain_rule),
            cmocka_unit_test(test_messages_in_a_value),
            cmocka_unit_test(test_wrong_length_fits),
            cmocka_unit_test(test_bounded_work),
            cmocka_unit_test(test_seen),
            cmocka_unit_test(test_noise),
    };

    return cmocka_run_group_tests_name("stream scan", tests, NULL, NULL);
}
