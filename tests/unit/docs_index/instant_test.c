/* SPDX-License-Identifier: MIT
 *
 * instant_test.c: times of RFC 3339, each day of 400 years, and seconds as doubles.
 */
#include "docs/instant.h"

#include "kit.h"

static void check_time(const char *text, int64_t seconds, uint32_t ns)
{
    struct sti_docs_instant got = {0};

    if (!sti_docs_instant_parse(stele_str(text), &got) || got.seconds != seconds || got.ns != ns) {
        fail_msg("%s is %lld and %u ns", text, (long long)got.seconds, (unsigned)got.ns);
    }
}

static void test_times(void **state)
{
    (void)state;
    check_time("1970-01-01T00:00:00Z", 0, 0);
    check_time("1985-04-12T23:20:50.52Z", 482196050, 520000000);
    check_time("1996-12-19T16:39:57-08:00", 851042397, 0);
    check_time("1990-12-31T23:59:60Z", 662688000, 0);
    check_time("1990-12-31T15:59:60-08:00", 662688000, 0);
    check_time("1937-01-01T12:00:27.87+00:20", -1041337173, 870000000);
    check_time("2026-11-26T05:00:00.123456789Z", 1795669200, 123456789);
    check_time("2026-11-26t05:00:00z", 1795669200, 0);
    check_time("2026-11-26 05:00:00+00:00", 1795669200, 0);
    check_time("0000-01-01T00:00:00Z", -62167219200, 0);
    check_time("0000-02-29T00:00:00Z", -62167219200 + INT64_C(59) * 86400, 0);
    check_time("9999-12-31T23:59:59.999999999Z", 253402300799, 999999999);
    check_time("1969-12-31T23:59:59.5Z", -1, 500000000);
    check_time("2000-02-29T00:00:00-23:59", 951782400 + 86340, 0);
}

static void test_no_times(void **state)
{
    static const char *const bad[] = {"", "2026-11-26", "2026-11-26T05:00Z", "2026-11-26T05:00:00",
            "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z",
            "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567890Z",
            "2026-01-01T00:00:00,5Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00Z ", " 2026-01-01T00:00:00Z",
            "26-01-01T00:00:00Z", "2026-1-01T00:00:00Z", "+2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00ZZ", "2026-01-01_00:00:00Z"};
    struct sti_docs_instant got;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (sti_docs_instant_parse(stele_str(bad[i]), &got)) {
            fail_msg("%s is a time", bad[i]);
        }
    }
    assert_false(sti_docs_instant_parse(stele_bytes_of("2026-01-01\0"
                                                       "00:00:00Z",
                                                20),
            &got));
}

/* Each day follows the one before: 400 years and their neighbours. */
static void test_calendar(void **state)
{
    int64_t expected = -11676096000; /* 1600-01-01 */
    size_t days = 0;

    (void)state;
    for (int year = 1600; year <= 2004; year++) {
        for (int month = 1; month <= 12; month++) {
            for (int day = 1; day <= 31; day++) {
                struct sti_docs_instant got;
                char text[64];

                (void)snprintf(text, sizeof text, "%04d-%02d-%02dT00:00:00Z", year, month, day);
                if (sti_docs_instant_parse(stele_str(text), &got)) {
                    assert_true(got.seconds == expected);
                    expected += 86400;
                    days++;
                }
            }
        }
    }
    assert_int_equal(days, 146097 + 5 * 365 + 2);
}

static void check_double(double seconds, int64_t whole, uint32_t ns)
{
    struct sti_docs_instant got = {0};

    assert_true(sti_docs_instant_of_double(seconds, &got));
    assert_true(got.seconds == whole);
    assert_int_equal(got.ns, ns);
}

static void test_doubles(void **state)
{
    struct sti_docs_instant got;

    (void)state;
    check_double(0, 0, 0);
    check_double(-0.0, 0, 0);
    check_double(1.5, 1, 500000000);
    check_double(-1.5, -2, 500000000);
    check_double(0.1, 0, 100000000);
    check_double(-1e-300, 0, 0); /* rounds up */
    check_double(0.9999999999, 1, 0);
    check_double(1e18, 1000000000000000000, 0);
    check_double(-0x1p63, INT64_MIN, 0);
    check_double(0x1.fffffffffffffp62, INT64_MAX - 1023, 0);
    assert_false(sti_docs_instant_of_double(0x1p63, &got));
    assert_false(sti_docs_instant_of_double(-0x1.0000000000001p63, &got));
    assert_false(sti_docs_instant_of_double(1e300, &got));
}

static void check_value(const char *text, bool is, int64_t seconds)
{
    json_t *value = json_of(text);
    struct sti_docs_instant got = {0};

    assert_int_equal(sti_docs_instant_of(value, &got), is);
    assert_true(got.seconds == seconds);
    json_decref(value);
}

static void test_values(void **state)
{
    (void)state;
    check_value("5", true, 5);
    check_value("-9223372036854775808", true, INT64_MIN);
    check_value("5.75", true, 5);
    check_value("1e300", false, 0);
    check_value("'1970-01-01T00:00:05Z'", true, 5);
    check_value("'1970-01-01T00:00:05Z\\u0000'", false, 0);
    check_value("'5'", false, 0);
    check_value("null", false, 0);
    check_value("[5]", false, 0);
    assert_false(sti_docs_instant_of(NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_times),
            cmocka_unit_test(test_no_times), cmocka_unit_test(test_calendar),
            cmocka_unit_test(test_doubles), cmocka_unit_test(test_values)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
