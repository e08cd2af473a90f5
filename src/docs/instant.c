/* SPDX-License-Identifier: MIT
 *
 * instant.c: RFC 3339 to seconds and nanoseconds. The calendar is the one of today at all times.
 */
#include "docs/instant.h"

#include "base/mutant.h"

enum {
    NS_PER_SECOND = 1000000000,
    SECONDS_PER_DAY = 86400
};

/* A number of exactly `digits` digits at `at`, which moves behind it; -1 if there is none. */
static int digits_at(stele_bytes text, size_t *at, int digits)
{
    int value = 0;

    for (int i = 0; i < digits; i++) {
        uint8_t c = *at < text.len ? text.data[*at] : 0;

        if (c < '0' || c > '9') {
            return -1;
        }
        value = value * 10 + (c - '0');
        ++*at;
    }
    return value;
}

static bool one_of(stele_bytes text, size_t *at, const char *letters)
{
    if (*at >= text.len || text.data[*at] == 0 || strchr(letters, text.data[*at]) == NULL) {
        return false;
    }
    ++*at;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* Days from 1970-01-01. Counted in years that begin in March, so that the odd day is the last. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = (int64_t)year - (month <= 2 ? 1 : 0) + 400; /* not below 0 */
    int64_t m = (month + 9) % 12;
    int64_t before = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1;

    return before - 719468 - 146097;
}

static bool parse_date(stele_bytes text, size_t *at, int64_t *days)
{
    int year = digits_at(text, at, 4);
    int month;
    int day;

    if (year < 0 || !one_of(text, at, "-")) {
        return false;
    }
    month = digits_at(text, at, 2);
    if (month < 1 || month > 12 || !one_of(text, at, "-")) {
        return false;
    }
    day = digits_at(text, at, 2);
    if (day < 1 || day > days_in_month(year, month)) {
        return false;
    }
    *days = days_of(year, month, day);
    return true;
}

/* Seconds within the day, 0 to 86,400, and whether that is a leap second. */
static bool parse_clock(stele_bytes text, size_t *at, int *seconds, bool *leap)
{
    int hour = digits_at(text, at, 2);
    int minute;
    int second;

    if (hour < 0 || hour > 23 || !one_of(text, at, ":")) {
        return false;
    }
    minute = digits_at(text, at, 2);
    if (minute < 0 || minute > 59 || !one_of(text, at, ":")) {
        return false;
    }
    second = digits_at(text, at, 2);
    if (second < 0 || second > 60) {
        return false;
    }
    *leap = second == 60;
    *seconds = hour * 3600 + minute * 60 + second;
    return true;
}

static bool parse_fraction(stele_bytes text, size_t *at, uint32_t *ns)
{
    size_t start = *at;
    uint32_t unit = NS_PER_SECOND;

    *ns = 0;
    if (!one_of(text, at, ".")) {
        return true;
    }
    while (*at < text.len && text.data[*at] >= '0' && text.data[*at] <= '9') {
        unit /= 10;
        if (unit == 0) {
            return false;
        }
        *ns += unit * (uint32_t)(text.data[*at] - '0');
        ++*at;
    }
    return *at > start + 1;
}

/* What is to be subtracted, in seconds. */
static bool parse_zone(stele_bytes text, size_t *at, int *offset)
{
    bool west;
    int hours;
    int minutes;

    *offset = 0;
    if (one_of(text, at, "Zz")) {
        return true;
    }
    west = *at < text.len && text.data[*at] == '-';
    if (!one_of(text, at, "+-")) {
        return false;
    }
    hours = digits_at(text, at, 2);
    if (hours < 0 || hours > 23 || !one_of(text, at, ":")) {
        return false;
    }
    minutes = digits_at(text, at, 2);
    if (minutes < 0 || minutes > 59) {
        return false;
    }
    *offset = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

bool sti_docs_instant_parse(stele_bytes text, struct sti_docs_instant *out)
{
    struct sti_docs_instant instant;
    size_t at = 0;
    int64_t days;
    int seconds;
    int offset;
    bool leap;

    if (!parse_date(text, &at, &days) || !one_of(text, &at, "Tt ") ||
            !parse_clock(text, &at, &seconds, &leap) || !parse_fraction(text, &at, &instant.ns) ||
            !parse_zone(text, &at, &offset) || at != text.len) {
        return false;
    }
    offset = STI_MUTANT(DOCS_ZONE_IGNORED) ? 0 : offset;
    instant.seconds = days * SECONDS_PER_DAY + seconds - offset;
    if (leap && instant.seconds % SECONDS_PER_DAY != 0) {
        return false;
    }
    *out = instant;
    return true;
}

bool sti_docs_instant_of_double(double seconds, struct sti_docs_instant *out)
{
    int64_t whole;
    uint32_t ns;

    if (!(seconds >= -0x1p63 && seconds < 0x1p63)) {
        return false;
    }
    /* Cut towards zero, then down. What has a fraction is far from the ends of int64_t. */
    whole = (int64_t)seconds;
    if ((double)whole > seconds) {
        whole--;
    }
    ns = (uint32_t)((seconds - (double)whole) * NS_PER_SECOND + 0.5);
    if (ns == NS_PER_SECOND) {
        whole++;
        ns = 0;
    }
    *out = (struct sti_docs_instant){.seconds = whole, .ns = ns};
    return true;
}

bool sti_docs_instant_of(const json_t *value, struct sti_docs_instant *out)
{
    if (json_is_integer(value)) {
        *out = (struct sti_docs_instant){.seconds = json_integer_value(value)};
        return true;
    }
    if (json_is_real(value)) {
        return sti_docs_instant_of_double(json_real_value(value), out);
    }
    return json_is_string(value) &&
           sti_docs_instant_parse(
                   stele_bytes_of(json_string_value(value), json_string_length(value)), out);
}
