/* SPDX-License-Identifier: MIT */
#include "journal/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    POSITION_DIGITS = 20
};

static const struct {
    enum sti_journal_name_kind kind;
    const char *suffix;
} numbered[] = {
        {STI_JOURNAL_NAME_LOG, ".log"},
        {STI_JOURNAL_NAME_SNAP, ".snap"},
        {STI_JOURNAL_NAME_UNFINISHED, ".unfinished"},
};

enum {
    NUMBERED = sizeof numbered / sizeof numbered[0]
};

/* The first `count` characters, all digits, as a number; false if it is too large. */
static bool parse_digits(const char *s, size_t count, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < count; i++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
                __builtin_add_overflow(value, (uint64_t)(s[i] - '0'), &value)) {
            return false;
        }
    }
    *out = value;
    return true;
}

/* One of the first three kinds at the start of `s`; *rest is behind it. */
static enum sti_journal_name_kind parse_numbered(const char *s, uint64_t *number, const char **rest)
{
    size_t count = strspn(s, "0123456789");

    if (count == 0 || s[0] == '0' || !parse_digits(s, count, number) ||
            *number > STI_JOURNAL_NUMBER_MAX) {
        return STI_JOURNAL_NAME_OTHER;
    }
    for (size_t i = 0; i < NUMBERED; i++) {
        size_t len = strlen(numbered[i].suffix);

        if (strncmp(s + count, numbered[i].suffix, len) == 0) {
            *rest = s + count + len;
            return numbered[i].kind;
        }
    }
    return STI_JOURNAL_NAME_OTHER;
}

/* What stands behind "quarantine-". */
static enum sti_journal_name_kind parse_quarantine(const char *s)
{
    const char *rest = NULL;
    uint64_t ignored;

    if (parse_numbered(s, &ignored, &rest) == STI_JOURNAL_NAME_OTHER || rest[0] != '-' ||
            strspn(rest + 1, "0123456789") != POSITION_DIGITS ||
            !parse_digits(rest + 1, POSITION_DIGITS, &ignored)) {
        return STI_JOURNAL_NAME_OTHER;
    }
    rest += 1 + POSITION_DIGITS;
    if (rest[0] == '\0') {
        return STI_JOURNAL_NAME_QUARANTINE;
    }
    return strcmp(rest, ".tmp") == 0 ? STI_JOURNAL_NAME_LEFTOVER : STI_JOURNAL_NAME_OTHER;
}

enum sti_journal_name_kind sti_journal_name_parse(const char *name, uint64_t *number)
{
    static const char quarantine[] = "quarantine-";
    enum sti_journal_name_kind kind;
    const char *rest = NULL;
    uint64_t parsed = 0;

    if (strcmp(name, STI_JOURNAL_LOCK_NAME) == 0) {
        return STI_JOURNAL_NAME_LOCK;
    }
    if (strncmp(name, quarantine, sizeof quarantine - 1) == 0) {
        return parse_quarantine(name + sizeof quarantine - 1);
    }
    kind = parse_numbered(name, &parsed, &rest);
    if (kind == STI_JOURNAL_NAME_OTHER || rest[0] != '\0') {
        return STI_JOURNAL_NAME_OTHER;
    }
    *number = parsed;
    return kind;
}

void sti_journal_name(
        char out[STELE_JOURNAL_NAME_SIZE], enum sti_journal_name_kind kind, uint64_t number)
{
    const char *suffix = "";

    for (size_t i = 0; i < NUMBERED; i++) {
        suffix = numbered[i].kind == kind ? numbered[i].suffix : suffix;
    }
    (void)snprintf(out, STELE_JOURNAL_NAME_SIZE, "%" PRIu64 "%s", number, suffix);
}

void sti_journal_name_quarantine(
        char out[STELE_JOURNAL_NAME_SIZE], const char *name, uint64_t position)
{
    (void)snprintf(out, STELE_JOURNAL_NAME_SIZE, "quarantine-%s-%020" PRIu64, name, position);
}
