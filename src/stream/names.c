/* SPDX-License-Identifier: MIT */
#include "stream/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    DIGITS = 20
};

/* The 20 digits at the start of a name; false if they are none, or too large. */
static bool parse_base(const char *name, int64_t *base)
{
    int64_t value = 0;

    for (int i = 0; i < DIGITS; i++) {
        if (name[i] < '0' || name[i] > '9') {
            return false;
        }
        if (__builtin_mul_overflow(value, 10, &value) ||
                __builtin_add_overflow(value, name[i] - '0', &value)) {
            return false;
        }
    }
    *base = value;
    return true;
}

static bool is_random_part(const char *s)
{
    size_t n = strspn(s, "0123456789abcdefghijklmnopqrstuv");

    return n == 8 && s[n] == '\0';
}

/* Up to 19 digits, and then exactly `rest`. */
static bool is_number_then(const char *s, const char *rest)
{
    size_t n = strspn(s, "0123456789");

    return n > 0 && n < DIGITS && strcmp(s + n, rest) == 0;
}

static bool starts(const char *s, const char *prefix, const char **rest)
{
    size_t n = strlen(prefix);

    *rest = s + n;
    return strncmp(s, prefix, n) == 0;
}

static enum sti_name_kind parse_suffix(const char *s)
{
    const char *rest;

    if (strcmp(s, ".log") == 0) {
        return STI_NAME_LOG;
    }
    if (strcmp(s, ".index") == 0) {
        return STI_NAME_INDEX;
    }
    if (strcmp(s, ".keys") == 0) {
        return STI_NAME_KEYS;
    }
    if (starts(s, ".log.quarantine.", &rest) && is_number_then(rest, "")) {
        return STI_NAME_QUARANTINE;
    }
    if (starts(s, ".log.quarantine.", &rest) && is_number_then(rest, ".tmp")) {
        return STI_NAME_LEFTOVER;
    }
    if ((starts(s, ".log.rewrite.", &rest) || starts(s, ".index.rewrite.", &rest)) &&
            is_random_part(rest)) {
        return STI_NAME_LEFTOVER;
    }
    if (strcmp(s, ".log.recover") == 0 || strcmp(s, ".log.migrate") == 0 ||
            strcmp(s, ".index.tmp") == 0 || strcmp(s, ".keys.tmp") == 0) {
        return STI_NAME_LEFTOVER;
    }
    return STI_NAME_OTHER;
}

static bool is_prepared(const char *name)
{
    const char *rest;

    return starts(name, "next.", &rest) && rest[0] >= '0' && rest[0] <= '9' &&
           strcmp(rest + 1, ".log.prepared") == 0;
}

enum sti_name_kind sti_name_parse(const char *name, int64_t *base)
{
    if (strlen(name) > DIGITS && parse_base(name, base)) {
        return parse_suffix(name + DIGITS);
    }
    if (is_prepared(name) || strcmp(name, STI_TAIL_NAME ".tmp") == 0) {
        *base = -1;
        return STI_NAME_LEFTOVER;
    }
    return STI_NAME_OTHER;
}

/* The digits of `base` and `rest`. Names are made for each look at a directory: printf() would take
 * most of that time. */
static void put_name(char out[STI_NAME_SIZE], int64_t base, const char *rest)
{
    uint64_t left = base < 0 ? 0 - (uint64_t)base : (uint64_t)base;

    for (int i = DIGITS; i-- > 0; left /= 10) {
        out[i] = (char)('0' + left % 10);
    }
    out[0] = base < 0 ? '-' : out[0];
    memcpy(out + DIGITS, rest, strlen(rest) + 1);
}

void sti_name_log(char out[STI_NAME_SIZE], int64_t base)
{
    put_name(out, base, ".log");
}

void sti_name_index(char out[STI_NAME_SIZE], int64_t base)
{
    put_name(out, base, ".index");
}

void sti_name_keys(char out[STI_NAME_SIZE], int64_t base)
{
    put_name(out, base, ".keys");
}

void sti_name_rewrite(char out[STI_NAME_SIZE], int64_t base, const char *kind, uint64_t random)
{
    char tail[9];

    for (int i = 0; i < 8; i++) {
        tail[i] = "0123456789abcdefghijklmnopqrstuv"[random >> (5 * i) & 31U];
    }
    tail[8] = '\0';
    (void)snprintf(out, STI_NAME_SIZE, "%020" PRId64 ".%s.rewrite.%s", base, kind, tail);
}

void sti_name_prepared(char out[STI_NAME_SIZE], unsigned number)
{
    (void)snprintf(out, STI_NAME_SIZE, "next.%u.log.prepared", number % STI_PREPARED_NAMES);
}

void sti_name_recover(char out[STI_NAME_SIZE], int64_t base)
{
    put_name(out, base, ".log.recover");
}

void sti_name_migrate(char out[STI_NAME_SIZE], int64_t base)
{
    put_name(out, base, ".log.migrate");
}

void sti_name_quarantine(char out[STI_NAME_SIZE], int64_t base, uint64_t position)
{
    (void)snprintf(out, STI_NAME_SIZE, "%020" PRId64 ".log.quarantine.%" PRIu64, base, position);
}
