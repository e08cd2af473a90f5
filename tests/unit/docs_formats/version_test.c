/* SPDX-License-Identifier: MIT
 *
 * version_test.c: versions as bytes and as text, and the clock that gives them.
 */
#include "docs/version.h"

#include "docs/clock.h"
#include "unit/docs_formats/kit.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static void is_same(struct sti_docs_version a, struct sti_docs_version b)
{
    assert_int_equal(a.seconds, b.seconds);
    assert_int_equal(a.ns, b.ns);
    assert_int_equal(a.server, b.server);
}

static int sign(int order)
{
    return order < 0 ? -1 : order > 0;
}

static void test_bytes(void **state)
{
    struct kit_random r = kit_random_of(1);
    uint8_t before[STI_DOCS_VERSION_SIZE] = {0};
    struct sti_docs_version last = {0};

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct sti_docs_version v = kit_version(&r);
        struct sti_docs_version again;
        uint8_t bytes[STI_DOCS_VERSION_SIZE];

        sti_docs_version_put(bytes, v);
        CHECK_OK(sti_docs_version_get(&again, bytes, NULL), NULL);
        is_same(again, v);
        assert_int_equal(
                sti_docs_version_compare(v, last), sign(memcmp(bytes, before, sizeof bytes)));
        assert_int_equal(sti_docs_version_compare(v, v), 0);
        last = v;
        memcpy(before, bytes, sizeof bytes);
    }
}

static void test_bytes_refused(void **state)
{
    static const uint8_t early[16] = {0x80};
    static const uint8_t long_second[16] = {[8] = 0x3B, [9] = 0x9A, [10] = 0xCA, [11] = 0x00};
    struct sti_docs_version v = {.seconds = 5};
    stele_error err;

    (void)state;
    CHECK_CODE(sti_docs_version_get(&v, early, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "before 1970");
    CHECK_CODE(sti_docs_version_get(&v, long_second, &err), STELE_ECORRUPT);
    CHECK_MESSAGE_HAS(&err, "1000000000 nanoseconds");
    assert_int_equal(v.seconds, 5);
}

static void test_epoch(void **state)
{
    (void)state;
    assert_int_equal(sti_docs_version_epoch((struct sti_docs_version){.seconds = 86399}), 0);
    assert_int_equal(sti_docs_version_epoch((struct sti_docs_version){.seconds = 86400}), 1);
    assert_int_equal(
            sti_docs_version_epoch((struct sti_docs_version){.seconds = 1710720000}), 19800);
}

/* The calendar against that of the C library. */
static void is_the_day(const char *text, struct sti_docs_version v)
{
    time_t seconds = (time_t)v.seconds;
    struct tm tm;
    char expected[STI_DOCS_VERSION_TEXT_SIZE];

    if (gmtime_r(&seconds, &tm) == NULL) {
        return; /* Its years have 32 bits. */
    }
    (void)snprintf(expected, sizeof expected,
            "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d.%09" PRIu32 "Z/%" PRIu32,
            (int64_t)tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
            v.ns, v.server);
    assert_string_equal(text, expected);
}

static void test_text(void **state)
{
    struct kit_random r = kit_random_of(2);
    char text[STI_DOCS_VERSION_TEXT_SIZE];
    struct sti_docs_version again;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct sti_docs_version v = kit_version(&r);

        sti_docs_version_print(text, v);
        is_the_day(text, v);
        CHECK_OK(sti_docs_version_parse(&again, stele_str(text), NULL), NULL);
        is_same(again, v);
    }
    /* Every day of 400 years and the first of the next. */
    for (int64_t day = 0; day <= 146097; day++) {
        struct sti_docs_version v = {.seconds = day * 86400 + day % 86400};

        sti_docs_version_print(text, v);
        is_the_day(text, v);
        CHECK_OK(sti_docs_version_parse(&again, stele_str(text), NULL), NULL);
        is_same(again, v);
    }
    sti_docs_version_print(text, (struct sti_docs_version){1795668480, 123456789, 7});
    assert_string_equal(text, "2026-11-26T04:48:00.123456789Z/7");
    sti_docs_version_print(
            text, (struct sti_docs_version){INT64_MAX, STI_DOCS_SECOND_NS - 1, UINT32_MAX});
    assert_string_equal(text, "292277026596-12-04T15:30:07.999999999Z/4294967295");
}

static void test_text_refused(void **state)
{
    static const char *const texts[] = {"", "2026", "2026-11-26T04:58:00.123456789Z",
            "2026-11-26T04:58:00.123456789Z/", "2026-11-26T04:58:00.123456789Z/07",
            "2026-11-26T04:58:00.123456789Z/7 ", " 2026-11-26T04:58:00.123456789Z/7",
            "2026-11-26T04:58:00.12345678Z/7", "2026-11-26T04:58:00.1234567890Z/7",
            "2026-11-26 04:58:00.123456789Z/7", "2026-11-26T04:58:00.123456789z/7",
            "2026-11-26T04:58:00,123456789Z/7", "2026-11-26T24:00:00.123456789Z/7",
            "2026-11-26T04:60:00.123456789Z/7", "2026-11-26T04:58:60.123456789Z/7",
            "2026-02-29T04:58:00.123456789Z/7", "2026-00-01T04:58:00.123456789Z/7",
            "2026-13-01T04:58:00.123456789Z/7", "2026-11-00T04:58:00.123456789Z/7",
            "2026-11-31T04:58:00.123456789Z/7", "1969-12-31T23:59:59.999999999Z/7",
            "02026-11-26T04:58:00.123456789Z/7", "+2026-11-26T04:58:00.123456789Z/7",
            "2026-11-26T04:58:00.123456789Z/4294967296", "2026-11-26T04:58:00.123456789Z/-1",
            "292277026596-12-04T15:30:08.000000000Z/0", "999999999999-12-31T23:59:59.999999999Z/0",
            "0000-01-01T00:00:00.000000000Z/0"};
    struct sti_docs_version v;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        CHECK_CODE(sti_docs_version_parse(&v, stele_str(texts[i]), NULL), STELE_EINVAL);
    }
    CHECK_CODE(sti_docs_version_parse(
                       &v, stele_bytes_of("2026-11-26T04:58:00.123456789Z/7\0", 33), NULL),
            STELE_EINVAL);
}

static struct sti_docs_time at(int64_t seconds, uint32_t ns)
{
    return (struct sti_docs_time){.seconds = seconds, .ns = ns};
}

static void gives(struct sti_docs_clock *c, struct sti_docs_time wall, int64_t seconds, uint32_t ns)
{
    struct sti_docs_version v;

    CHECK_OK(sti_docs_clock_next(c, wall, &v, NULL), NULL);
    is_same(v, (struct sti_docs_version){seconds, ns, c->server});
}

static void test_clock(void **state)
{
    struct sti_docs_clock c;
    struct sti_docs_version v;
    stele_error err;

    (void)state;
    sti_docs_clock_init(&c, 7, at(0, 0));
    CHECK_CODE(sti_docs_clock_next(&c, at(100, 5), &v, &err), STELE_ESTATE);
    CHECK_OK(sti_docs_clock_raise(&c, sti_docs_clock_ceiling(&c, at(100, 5), 10), NULL), NULL);
    gives(&c, at(100, 5), 100, 5);
    gives(&c, at(100, 5), 100, 6);
    gives(&c, at(100, 3), 100, 7); /* a day back is no different */
    gives(&c, at(-1, 3), 100, 8);
    gives(&c, at(101, 999999999), 101, 999999999);
    gives(&c, at(101, 999999999), 102, 0); /* carried */
    gives(&c, at(110, 5), 110, 5);
    CHECK_CODE(sti_docs_clock_next(&c, at(0, 0), &v, &err), STELE_ESTATE);
    CHECK_CODE(sti_docs_clock_raise(&c, at(110, 4), &err), STELE_EINVAL);
    assert_int_equal(c.ceiling.seconds, 110);
    CHECK_OK(sti_docs_clock_raise(&c, sti_docs_clock_ceiling(&c, at(0, 0), 10), NULL), NULL);
    gives(&c, at(0, 0), 110, 6);
    /* After a restart, with the clock of the wall set back, it goes on above the ceiling. */
    sti_docs_clock_init(&c, 7, c.ceiling);
    CHECK_OK(sti_docs_clock_raise(&c, sti_docs_clock_ceiling(&c, at(50, 0), 10), NULL), NULL);
    gives(&c, at(50, 0), 120, 6);
    /* After one that was clean it loses nothing. */
    sti_docs_clock_init(&c, 7, sti_docs_clock_ceiling(&c, at(50, 0), 0));
    CHECK_OK(sti_docs_clock_raise(&c, sti_docs_clock_ceiling(&c, at(50, 0), 10), NULL), NULL);
    gives(&c, at(50, 0), 120, 7);
}

static void test_clock_observes(void **state)
{
    struct sti_docs_clock c;

    (void)state;
    sti_docs_clock_init(&c, 1, at(10, 0));
    CHECK_OK(sti_docs_clock_raise(&c, at(1000, 0), NULL), NULL);
    assert_int_equal(
            sti_docs_clock_observe(&c, (struct sti_docs_version){160, 5, 9}, at(100, 5), 60),
            STI_DOCS_OBSERVED_MERGED);
    gives(&c, at(100, 5), 160, 6);
    assert_int_equal(
            sti_docs_clock_observe(&c, (struct sti_docs_version){160, 6, 9}, at(100, 5), 60),
            STI_DOCS_OBSERVED_QUARANTINE);
    assert_int_equal(
            sti_docs_clock_observe(&c, (struct sti_docs_version){20, 0, 9}, at(100, 5), 60),
            STI_DOCS_OBSERVED_MERGED);
    gives(&c, at(100, 5), 160, 7); /* neither moved it */
    assert_int_equal(sti_docs_clock_observe(&c, (struct sti_docs_version){INT64_MAX, 0, 9},
                             at(INT64_MAX - 5, 0), 60),
            STI_DOCS_OBSERVED_MERGED); /* the sum does not wrap */
    sti_docs_clock_init(&c, 1, at(10, 0));
    sti_docs_clock_recover(&c, (struct sti_docs_version){500, 0, 9});
    CHECK_OK(sti_docs_clock_raise(&c, at(1000, 0), NULL), NULL);
    gives(&c, at(100, 5), 500, 1);
}

static void test_clock_ends(void **state)
{
    struct sti_docs_clock c;
    struct sti_docs_version v;
    stele_error err;

    (void)state;
    sti_docs_clock_init(&c, 1, at(INT64_MAX, STI_DOCS_SECOND_NS - 2));
    CHECK_OK(
            sti_docs_clock_raise(&c, sti_docs_clock_ceiling(&c, at(5, 0), UINT32_MAX), NULL), NULL);
    gives(&c, at(0, 0), INT64_MAX, STI_DOCS_SECOND_NS - 1);
    CHECK_CODE(sti_docs_clock_next(&c, at(0, 0), &v, &err), STELE_ETOOBIG);
    CHECK_CODE(sti_docs_clock_next(&c, at(INT64_MAX, 999999999), &v, &err), STELE_ETOOBIG);
}

/* Whatever the wall does, versions ascend, across restarts too, and the ceiling that was stored
 * is never below one that was given. */
static void test_clock_never_back(void **state)
{
    struct kit_random r = kit_random_of(3);
    struct sti_docs_time stored = at(0, 0);
    struct sti_docs_version last = {0};
    struct sti_docs_clock c;

    (void)state;
    sti_docs_clock_init(&c, 3, stored);
    for (int i = 0; i < 50000; i++) {
        struct sti_docs_time wall =
                at((int64_t)kit_below(&r, 2000) - 100, (uint32_t)kit_below(&r, STI_DOCS_SECOND_NS));
        struct sti_docs_version v;

        if (kit_below(&r, 20) == 0) {
            sti_docs_clock_init(&c, 3, stored);
        }
        if (sti_docs_clock_next(&c, wall, &v, NULL) == STELE_ESTATE) {
            stored = sti_docs_clock_ceiling(&c, wall, 1 + (uint32_t)kit_below(&r, 5));
            CHECK_OK(sti_docs_clock_raise(&c, stored, NULL), NULL);
            CHECK_OK(sti_docs_clock_next(&c, wall, &v, NULL), NULL);
        }
        assert_true(sti_docs_version_compare(last, v) < 0);
        assert_true(
                v.seconds < stored.seconds || (v.seconds == stored.seconds && v.ns <= stored.ns));
        last = v;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_bytes),
            cmocka_unit_test(test_bytes_refused),
            cmocka_unit_test(test_epoch),
            cmocka_unit_test(test_text),
            cmocka_unit_test(test_text_refused),
            cmocka_unit_test(test_clock),
            cmocka_unit_test(test_clock_observes),
            cmocka_unit_test(test_clock_ends),
            cmocka_unit_test(test_clock_never_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
