/* SPDX-License-Identifier: MIT */
#include "wal/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    STELE_DIGITS = 20, /* also of a position */
    BLB_DIGITS = 10    /* at least */
};

/* The first `count` characters as a number; false if they are no digits, or it is too large. */
static bool parse_digits(const char *s, size_t count, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < count; i++) {
        if (s[i] < '0' || s[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
                __builtin_add_overflow(value, (uint64_t)(s[i] - '0'), &value)) {
            return false;
        }
    }
    *out = value;
    return true;
}

static bool starts(const char *s, const char *prefix, const char **rest)
{
    size_t n = strlen(prefix);

    *rest = s + n;
    return strncmp(s, prefix, n) == 0;
}

/* A segment's name of either format at the start of `s`; *rest is behind it. */
static enum sti_wal_name_kind parse_segment(const char *s, uint64_t *number, const char **rest)
{
    const char *digits;
    size_t count;

    if (starts(s, "wal-", &digits)) {
        count = strspn(digits, "0123456789");
        /* As printed with at least ten digits, and as the reference's int takes it. */
        if (count < BLB_DIGITS || (count > BLB_DIGITS && digits[0] == '0') ||
                !parse_digits(digits, count, number) || *number > INT64_MAX) {
            return STI_WAL_NAME_OTHER;
        }
        return starts(digits + count, ".log", rest) ? STI_WAL_NAME_BLB : STI_WAL_NAME_OTHER;
    }
    count = strspn(s, "0123456789");
    if (count != STELE_DIGITS || !parse_digits(s, count, number)) {
        return STI_WAL_NAME_OTHER;
    }
    return starts(s + count, ".wal", rest) ? STI_WAL_NAME_STELE : STI_WAL_NAME_OTHER;
}

static bool is_position(const char *s, const char *behind)
{
    uint64_t ignored;

    return s[0] == '-' && strspn(s + 1, "0123456789") == STELE_DIGITS &&
           parse_digits(s + 1, STELE_DIGITS, &ignored) && strcmp(s + 1 + STELE_DIGITS, behind) == 0;
}

enum sti_wal_name_kind sti_wal_name_parse(const char *name, uint64_t *number)
{
    enum sti_wal_name_kind kind;
    const char *inner;
    const char *rest;
    uint64_t parsed;

    kind = parse_segment(name, &parsed, &rest);
    if (kind != STI_WAL_NAME_OTHER && rest[0] == '\0') {
        *number = parsed;
        return kind;
    }
    if (strcmp(name, STI_WAL_MANIFEST_NAME) == 0) {
        return STI_WAL_NAME_MANIFEST;
    }
    if (strcmp(name, STI_WAL_MANIFEST_NAME ".tmp") == 0) {
        return STI_WAL_NAME_LEFTOVER;
    }
    if (starts(name, "tmp-", &inner) &&
            parse_segment(inner, &parsed, &rest) != STI_WAL_NAME_OTHER && rest[0] == '\0') {
        return STI_WAL_NAME_LEFTOVER;
    }
    if (starts(name, "quarantine-", &inner) &&
            parse_segment(inner, &parsed, &rest) != STI_WAL_NAME_OTHER) {
        if (is_position(rest, "")) {
            return STI_WAL_NAME_QUARANTINE;
        }
        return is_position(rest, ".tmp") ? STI_WAL_NAME_LEFTOVER : STI_WAL_NAME_OTHER;
    }
    return STI_WAL_NAME_OTHER;
}

void sti_wal_name_segment(char out[STI_WAL_NAME_SIZE], stele_wal_format format, uint64_t number)
{
    if (format == STELE_WAL_BLB) {
        (void)snprintf(out, STI_WAL_NAME_SIZE, "wal-%.10" PRIu64 ".log", number);
    } else {
        (void)snprintf(out, STI_WAL_NAME_SIZE, "%020" PRIu64 ".wal", number);
    }
}

void sti_wal_name_quarantine(char out[STI_WAL_NAME_SIZE], const char *name, uint64_t position)
{
    (void)snprintf(out, STI_WAL_NAME_SIZE, "quarantine-%s-%020" PRIu64, name, position);
}

void sti_wal_name_tmp(char out[STI_WAL_NAME_SIZE], const char *name)
{
    (void)snprintf(out, STI_WAL_NAME_SIZE, "tmp-%s", name);
}
