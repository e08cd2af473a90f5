/* SPDX-License-Identifier: MIT
 *
 * value.c: values on the command line: numbers with units, times, bytes.
 */
#include "cli/option.h"
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>

enum {
    MONTHS = 12,
    DAYS_OF_LEAP_CYCLE = 146097 /* in 400 years */
};

#define MICROSECONDS ((int64_t)1000000)

struct unit {
    const char *name;
    int64_t factor;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Read digits at *at. False if there are none, or if they overflow. */
static bool read_digits(const char **at, int64_t *out)
{
    int64_t value = 0;

    if (!is_digit(**at)) {
        return false;
    }
    for (; is_digit(**at); (*at)++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
                __builtin_add_overflow(value, **at - '0', &value)) {
            return false;
        }
    }
    *out = value;
    return true;
}

/* Negative numbers are built downwards, so that the smallest one can be. */
stele_code sti_parse_integer(const char *text, int64_t *out, stele_error *err)
{
    const bool negative = text[0] == '-';
    const char *at = text + (negative ? 1 : 0);
    int64_t value = 0;
    bool ok = is_digit(*at);

    for (; ok && is_digit(*at); at++) {
        const int digit = *at - '0';

        ok = !__builtin_mul_overflow(value, 10, &value) &&
             !__builtin_add_overflow(value, negative ? -digit : digit, &value);
    }
    if (!ok || *at != '\0') {
        return sti_cli_fail(err, STELE_EINVAL, "'%.64s' is not a number within 64 bits", text);
    }
    *out = value;
    return STELE_OK;
}

stele_code sti_parse_id(const char *text, uint64_t *out, stele_error *err)
{
    const char *at = text;
    uint64_t value = 0;
    bool ok = is_digit(*at);

    for (; ok && is_digit(*at); at++) {
        ok = !__builtin_mul_overflow(value, 10, &value) &&
             !__builtin_add_overflow(value, (uint64_t)(*at - '0'), &value);
    }
    if (!ok || *at != '\0') {
        return sti_cli_fail(
                err, STELE_EINVAL, "'%.64s' is not an id: digits, within 64 bits", text);
    }
    *out = value;
    return STELE_OK;
}

static stele_code parse_unit(const char *text, const struct unit *units, const char *what,
        int64_t *out, stele_error *err)
{
    const char *at = text;
    int64_t value;

    if (!read_digits(&at, &value)) {
        return sti_cli_fail(err, STELE_EINVAL, "'%.64s' is not %s", text, what);
    }
    for (const struct unit *u = units; u->name != NULL; u++) {
        if (strcmp(at, u->name) == 0) {
            if (__builtin_mul_overflow(value, u->factor, &value)) {
                return sti_cli_fail(err, STELE_EINVAL, "'%.64s' is too large", text);
            }
            *out = value;
            return STELE_OK;
        }
    }
    return sti_cli_fail(err, STELE_EINVAL, "'%.64s' is not %s", text, what);
}

stele_code sti_parse_bytes(const char *text, int64_t *out, stele_error *err)
{
    static const struct unit units[] = {{"", 1}, {"k", 1000}, {"M", 1000000}, {"G", 1000000000},
            {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

    return parse_unit(text, units, "a size, such as 4096, 64k or 16MiB", out, err);
}

stele_code sti_parse_duration(const char *text, int64_t *out_us, stele_error *err)
{
    static const struct unit units[] = {{"", MICROSECONDS}, {"ms", 1000}, {"s", MICROSECONDS},
            {"m", 60 * MICROSECONDS}, {"h", 3600 * MICROSECONDS}, {"d", 86400 * MICROSECONDS},
            {NULL, 0}};

    return parse_unit(text, units, "a duration, such as 90, 500ms, 2s, 5m, 1h or 7d", out_us, err);
}

int64_t sti_ms_of_us(int64_t us)
{
    return us / 1000 + (us % 1000 > 0 ? 1 : 0);
}

/* Exactly `count` digits, and the separator behind them unless it is 0. */
static bool read_part(const char **at, int count, char separator, int64_t *out)
{
    int64_t value = 0;

    for (int i = 0; i < count; i++, (*at)++) {
        if (!is_digit(**at)) {
            return false;
        }
        value = value * 10 + (**at - '0');
    }
    if (separator != '\0') {
        if (**at != separator) {
            return false;
        }
        (*at)++;
    }
    *out = value;
    return true;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_of_month(int64_t year, int64_t month)
{
    static const int8_t days[MONTHS] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01 to a date. The year is counted from March, so that
 * the leap day comes last, and in whole cycles of 400 years. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    const int64_t y = (month <= 2 ? year - 1 : year) + 400; /* never negative */
    const int64_t m = month <= 2 ? month + 9 : month - 3;
    const int64_t cycle = y / 400;
    const int64_t year_of_cycle = y % 400;
    const int64_t day_of_year = (153 * m + 2) / 5 + day - 1;
    const int64_t day_of_cycle =
            year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;

    /* 719468 days lie between 0000-03-01 and 1970-01-01. */
    return (cycle - 1) * DAYS_OF_LEAP_CYCLE + day_of_cycle - 719468;
}

/* "Z" or an offset from UTC, and the end of the text. */
static bool read_zone(const char *at, int64_t *out_s)
{
    int64_t hours;
    int64_t minutes;
    int64_t sign;

    if (*at == 'Z' || *at == 'z') {
        *out_s = 0;
        return at[1] == '\0';
    }
    if (*at != '+' && *at != '-') {
        return false;
    }
    sign = *at == '-' ? -1 : 1;
    at++;
    if (!read_part(&at, 2, ':', &hours) || !read_part(&at, 2, '\0', &minutes) || *at != '\0' ||
            hours > 23 || minutes > 59) {
        return false;
    }
    *out_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

/* Digits behind the seconds; those after the sixth are cut off. */
static bool read_fraction(const char **at, int64_t *out_us)
{
    int64_t scale = MICROSECONDS / 10;

    *out_us = 0;
    if (**at != '.') {
        return true;
    }
    (*at)++;
    if (!is_digit(**at)) {
        return false;
    }
    for (; is_digit(**at); (*at)++) {
        *out_us += (**at - '0') * scale;
        scale /= 10;
    }
    return true;
}

static bool read_rfc3339(const char *at, stele_time *out)
{
    int64_t year;
    int64_t month;
    int64_t day;
    int64_t hour;
    int64_t minute;
    int64_t second;
    int64_t fraction_us;
    int64_t zone_s;

    if (!read_part(&at, 4, '-', &year) || !read_part(&at, 2, '-', &month) ||
            !read_part(&at, 2, '\0', &day) || (*at != 'T' && *at != 't' && *at != ' ')) {
        return false;
    }
    at++;
    if (!read_part(&at, 2, ':', &hour) || !read_part(&at, 2, ':', &minute) ||
            !read_part(&at, 2, '\0', &second) || !read_fraction(&at, &fraction_us) ||
            !read_zone(at, &zone_s)) {
        return false;
    }
    /* A leap second counts as the first of the next minute. */
    if (month < 1 || month > MONTHS || day < 1 || day > days_of_month(year, month) || hour > 23 ||
            minute > 59 || second > 60) {
        return false;
    }
    *out = (days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second -
                   zone_s) *
                   MICROSECONDS +
           fraction_us;
    return true;
}

stele_code sti_parse_time(const char *text, stele_time *out, stele_error *err)
{
    if (read_rfc3339(text, out) || sti_parse_integer(text, out, err) == STELE_OK) {
        return STELE_OK;
    }
    return sti_cli_fail(err, STELE_EINVAL,
            "'%.64s' is not a time, such as 2026-11-20T13:26:01Z or microseconds since 1970", text);
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (is_digit(c)) {
        return c - '0' + 52;
    }
    if (c == '+') {
        return 62;
    }
    return c == '/' ? 63 : -1;
}

/* Four characters into three bytes; characters that are padding count as 0. */
static bool decode_group(const char *in, int padding, uint8_t out[3])
{
    uint32_t bits = 0;

    for (int i = 0; i < 4; i++) {
        const int value = i < 4 - padding ? base64_value(in[i]) : 0;

        if (value < 0 || (i >= 4 - padding && in[i] != '=')) {
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
    }
    out[0] = (uint8_t)(bits >> 16);
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
    /* Bits that stand for nothing must be 0: one text for each content. */
    return (padding < 1 || out[2] == 0) && (padding < 2 || out[1] == 0);
}

stele_code sti_decode_base64(
        const char *text, size_t len, uint8_t **out, size_t *out_len, stele_error *err)
{
    uint8_t *bytes;
    size_t done = 0;
    int padding = 0;

    if (len % 4 != 0) {
        return sti_cli_fail(
                err, STELE_EINVAL, "base64 of %zu characters, not a multiple of 4", len);
    }
    if (len > 0 && text[len - 1] == '=') {
        padding = text[len - 2] == '=' ? 2 : 1;
    }
    bytes = malloc(len / 4 * 3 + 1);
    if (bytes == NULL) {
        return sti_cli_fail(err, STELE_ENOMEM, "no memory for %zu bytes", len / 4 * 3);
    }
    for (size_t i = 0; i < len; i += 4, done += 3) {
        if (!decode_group(text + i, i + 4 == len ? padding : 0, bytes + done)) {
            free(bytes);
            return sti_cli_fail(err, STELE_EINVAL, "not base64 at character %zu", i);
        }
    }
    *out = bytes;
    *out_len = done - (size_t)padding;
    return STELE_OK;
}

static int hex_value(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static stele_code decode_hex(const char *text, struct sti_data *out, stele_error *err)
{
    const size_t len = strlen(text);
    uint8_t *bytes;

    if (len % 2 != 0) {
        return sti_cli_fail(err, STELE_EINVAL, "odd number of hexadecimal digits");
    }
    bytes = malloc(len / 2 + 1);
    if (bytes == NULL) {
        return sti_cli_fail(err, STELE_ENOMEM, "no memory for %zu bytes", len / 2);
    }
    for (size_t i = 0; i < len; i += 2) {
        const int high = hex_value(text[i]);
        const int low = hex_value(text[i + 1]);

        if (high < 0 || low < 0) {
            free(bytes);
            return sti_cli_fail(err, STELE_EINVAL, "not a hexadecimal digit at character %zu", i);
        }
        bytes[i / 2] = (uint8_t)(high << 4 | low);
    }
    out->owned = bytes;
    out->bytes = stele_bytes_of(bytes, len / 2);
    return STELE_OK;
}

stele_code sti_parse_data(const char *text, struct sti_data *out, stele_error *err)
{
    stele_code code = STELE_OK;
    size_t len = 0;

    if (strncmp(text, "hex:", 4) == 0) {
        code = decode_hex(text + 4, out, err);
    } else if (strncmp(text, "b64:", 4) == 0) {
        code = sti_decode_base64(text + 4, strlen(text + 4), &out->owned, &len, err);
        if (code == STELE_OK) {
            out->bytes = stele_bytes_of(out->owned, len);
        }
    } else {
        out->bytes = stele_str(strncmp(text, "str:", 4) == 0 ? text + 4 : text);
    }
    out->given = code == STELE_OK;
    return code;
}
