/* SPDX-License-Identifier: MIT
 *
 * version.c: versions as bytes and as text.
 *
 * Dates are those of the Gregorian calendar, also before it was made. Days are counted from the
 * first of March of the year 0, so that a leap day is the last one of its year; 400 years are one
 * period of 146,097 days.
 */
#include "docs/version.h"

#include "base/assert.h"
#include "base/coding.h"
#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    DAYS_TO_1970 = 719468, /* from 0000-03-01 */
    DAYS_OF_PERIOD = 146097,
    YEARS_OF_PERIOD = 400,
    DAYS_OF_MARCH_TO_JULY = 153, /* and of August to December: 31, 30, 31, 30, 31 */
    MONTHS_OF_YEAR = 12,
    YEAR_DIGITS_MAX = 12
};

struct date {
    int64_t year;
    unsigned month; /* from 1 */
    unsigned day;
};

int sti_docs_version_compare(struct sti_docs_version a, struct sti_docs_version b)
{
    if (a.seconds != b.seconds) {
        return a.seconds < b.seconds ? -1 : 1;
    }
    if (a.ns != b.ns) {
        return a.ns < b.ns ? -1 : 1;
    }
    return a.server < b.server ? -1 : a.server > b.server;
}

void sti_docs_version_put(uint8_t out[STI_DOCS_VERSION_SIZE], struct sti_docs_version v)
{
    sti_assert(sti_docs_version_is_valid(v));
    sti_put_be64(out, (uint64_t)v.seconds);
    sti_put_be32(out + 8, v.ns);
    sti_put_be32(out + 12, v.server);
}

stele_code sti_docs_version_get(
        struct sti_docs_version *out, const uint8_t in[STI_DOCS_VERSION_SIZE], stele_error *err)
{
    uint64_t seconds = sti_get_be64(in);
    uint32_t ns = sti_get_be32(in + 8);

    if (seconds > INT64_MAX) {
        return sti_fail(err, STELE_ECORRUPT, "the version is from before 1970");
    }
    if (ns >= STI_DOCS_SECOND_NS) {
        return sti_fail(err, STELE_ECORRUPT, "the version has %" PRIu32 " nanoseconds", ns);
    }
    *out = (struct sti_docs_version){
            .seconds = (int64_t)seconds, .ns = ns, .server = sti_get_be32(in + 12)};
    return STELE_OK;
}

static struct date date_of(int64_t day_of_1970)
{
    int64_t days = day_of_1970 + DAYS_TO_1970;
    int64_t period = days / DAYS_OF_PERIOD;
    int64_t rest = days % DAYS_OF_PERIOD;
    int64_t year = (rest - rest / 1460 + rest / 36524 - rest / (DAYS_OF_PERIOD - 1)) / 365;
    int64_t day = rest - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * day + 2) / DAYS_OF_MARCH_TO_JULY; /* from March, 0 */
    struct date d;

    d.day = (unsigned)(day - (DAYS_OF_MARCH_TO_JULY * month + 2) / 5) + 1;
    d.month = (unsigned)(month < 10 ? month + 3 : month - 9);
    d.year = period * YEARS_OF_PERIOD + year + (d.month <= 2);
    return d;
}

static int64_t day_of(struct date d)
{
    int64_t year = d.year - (d.month <= 2);
    int64_t period = year / YEARS_OF_PERIOD;
    int64_t rest = year % YEARS_OF_PERIOD;
    int64_t month = (d.month + 9) % MONTHS_OF_YEAR;
    int64_t day = (DAYS_OF_MARCH_TO_JULY * month + 2) / 5 + d.day - 1;

    return period * DAYS_OF_PERIOD + 365 * rest + rest / 4 - rest / 100 + day - DAYS_TO_1970;
}

void sti_docs_version_print(char out[STI_DOCS_VERSION_TEXT_SIZE], struct sti_docs_version v)
{
    struct date d = date_of(sti_docs_version_epoch(v));
    unsigned second = (unsigned)(v.seconds % STI_DOCS_DAY_SECONDS);
    int len;

    sti_assert(sti_docs_version_is_valid(v));
    len = snprintf(out, STI_DOCS_VERSION_TEXT_SIZE,
            "%04" PRId64 "-%02u-%02uT%02u:%02u:%02u.%09" PRIu32 "Z/%" PRIu32, d.year, d.month,
            d.day, second / 3600, second / 60 % 60, second % 60, v.ns, v.server);
    sti_assert(len > 0);
    sti_assert(len < STI_DOCS_VERSION_TEXT_SIZE);
}

/* Takes `min` to `max` digits and, unless it is 0, the character behind them. */
static bool take_number(stele_bytes *text, size_t min, size_t max, char then, int64_t *out)
{
    size_t len = 0;
    int64_t number = 0;

    while (len < text->len && len < max && text->data[len] >= '0' && text->data[len] <= '9') {
        number = number * 10 + (text->data[len] - '0');
        len++;
    }
    if (len < min) {
        return false;
    }
    *text = stele_bytes_of(text->data + len, text->len - len);
    if (then != 0) {
        if (text->len == 0 || text->data[0] != (uint8_t)then) {
            return false;
        }
        *text = stele_bytes_of(text->data + 1, text->len - 1);
    }
    *out = number;
    return true;
}

/* The grammar alone: whether there is such a day is seen when it is printed again. */
static bool parse_numbers(stele_bytes text, struct sti_docs_version *out)
{
    static const struct {
        size_t min;
        size_t max;
        char then;
    } forms[] = {{4, YEAR_DIGITS_MAX, '-'}, {2, 2, '-'}, {2, 2, 'T'}, {2, 2, ':'}, {2, 2, ':'},
            {2, 2, '.'}, {9, 9, 'Z'}, {0, 0, '/'}, {1, 10, 0}};

    enum {
        COUNT = sizeof forms / sizeof forms[0]
    };

    int64_t n[COUNT];
    struct date d;
    int64_t seconds;

    for (size_t i = 0; i < COUNT; i++) {
        if (!take_number(&text, forms[i].min, forms[i].max, forms[i].then, &n[i])) {
            return false;
        }
    }
    if (text.len != 0 || n[1] == 0 || n[1] > MONTHS_OF_YEAR || n[8] > UINT32_MAX) {
        return false;
    }
    d = (struct date){.year = n[0], .month = (unsigned)n[1], .day = (unsigned)n[2]};
    if (__builtin_mul_overflow(day_of(d), (int64_t)STI_DOCS_DAY_SECONDS, &seconds) ||
            __builtin_add_overflow(seconds, n[3] * 3600 + n[4] * 60 + n[5], &seconds) ||
            seconds < 0) {
        return false;
    }
    *out = (struct sti_docs_version){
            .seconds = seconds, .ns = (uint32_t)n[6], .server = (uint32_t)n[8]};
    return true;
}

stele_code sti_docs_version_parse(struct sti_docs_version *out, stele_bytes text, stele_error *err)
{
    char again[STI_DOCS_VERSION_TEXT_SIZE];
    struct sti_docs_version v;

    if (parse_numbers(text, &v)) {
        sti_docs_version_print(again, v);
        if (stele_bytes_equal(stele_str(again), text)) {
            *out = v;
            return STELE_OK;
        }
    }
    return sti_fail(err, STELE_EINVAL,
            "not a version: it is written 2026-11-26T04:58:00.123456789Z/7, from 1970 on");
}
