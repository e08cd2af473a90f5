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

/* A value that holds the bytes of a message, in a message that is damaged, is
 * not taken for one in version 1, since no chain leads from it to the end. */
static void test_message_in_a_value(void **state)
{
    uint8_t inner[28 + 5];
    uint8_t value[16 + sizeof inner + 16];
    uint8_t log[3 * 28 + sizeof value + 2];
    size_t at = 0;
    size_t second;
    struct sti_scan scan;
    stele_message m;
    size_t size;

    (void)state;
    sti_message_put(inner, STELE_STREAM_V1, 51, 9, stele_nil(), stele_str("inner"));
    memset(value, 'x', sizeof value);
    memcpy(value + 16, inner, sizeof inner);
    sti_message_put(log, STELE_STREAM_V1, 50, 1, stele_nil(), stele_bytes_of(value, sizeof value));
    at = sti_message_size(STELE_STREAM_V1, 0, sizeof value);
    second = at;
    sti_message_put(log + at, STELE_STREAM_V1, 52, 2, stele_nil(), stele_str("a"));
    at += 29;
    sti_message_put(log + at, STELE_STREAM_V1, 53, 3, stele_nil(), stele_str("b"));
    at += 29;
    assert_int_equal(at, sizeof log);
    log[30] ^= 1;
    sti_scan_begin(&scan, log, sizeof log, STI_LOG_V1, 50, INT64_MAX);
    expect_stop(&scan, STI_MESSAGE_DAMAGED);
    assert_true(sti_scan_resync(&scan));
    assert_int_equal(scan.at, second);
    assert_int_equal(sti_scan_next(&scan, &m, &size), STI_MESSAGE_WHOLE);
    assert_int_equal(m.offset, 52);
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
            cmocka_unit_test(test_message_in_a_value),
            cmocka_unit_test(test_seen),
            cmocka_unit_test(test_noise),
    };

    return cmocka_run_group_tests_name("stream scan", tests, NULL, NULL);
}
