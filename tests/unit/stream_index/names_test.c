/* SPDX-License-Identifier: MIT
 *
 * names_test.c: which names are a stream's, and which only look like it.
 */
#include "stream/names.h"

#include "lib/check.h"

#include <stdio.h>

#define ZEROS "00000000000000000000"
#define LARGE "09223372036854775807"

static const struct {
    const char *name;
    enum sti_name_kind kind;
    int64_t base;
} names[] = {
        {ZEROS ".log", STI_NAME_LOG, 0},
        {LARGE ".log", STI_NAME_LOG, INT64_MAX},
        {"00000000000000000042.index", STI_NAME_INDEX, 42},
        {"00000000000000000042.keys", STI_NAME_KEYS, 42},
        {"00000000000000000042.log.quarantine.0", STI_NAME_QUARANTINE, 42},
        {"00000000000000000042.log.quarantine.9223372036854775807", STI_NAME_QUARANTINE, 42},
        {"00000000000000000042.log.rewrite.0123abuv", STI_NAME_LEFTOVER, 42},
        {"00000000000000000042.index.rewrite.vvvvvvvv", STI_NAME_LEFTOVER, 42},
        {"00000000000000000042.log.recover", STI_NAME_LEFTOVER, 42},
        {"00000000000000000042.log.migrate", STI_NAME_LEFTOVER, 42},
        {"00000000000000000042.index.tmp", STI_NAME_LEFTOVER, 42},
        {"00000000000000000042.keys.tmp", STI_NAME_LEFTOVER, 42},
        {"00000000000000000042.log.quarantine.17.tmp", STI_NAME_LEFTOVER, 42},
        {"next.0.log.prepared", STI_NAME_LEFTOVER, -1},
        {STI_TAIL_NAME ".tmp", STI_NAME_LEFTOVER, -1},
};

static const char *const others[] = {
        "",
        ".",
        STI_LOCK_NAME,
        STI_TAIL_NAME,
        "log",
        ".log",
        "notanumber.log",
        ZEROS,
        ZEROS ".",
        ZEROS ".lo",
        ZEROS ".logs",
        ZEROS ".LOG",
        ZEROS "_log",
        ZEROS ".log ",
        " " ZEROS ".log",
        "0" ZEROS ".log",
        "0000000000000000000.log",
        "000000000000000000x0.log",
        "+0000000000000000042.log",
        "-0000000000000000001.log",
        "09223372036854775808.log",
        "99999999999999999999.log",
        ZEROS ".indexes",
        ZEROS ".key",
        ZEROS ".keyss",
        ZEROS ".log.quarantine",
        ZEROS ".log.quarantine.",
        ZEROS ".log.quarantine.x",
        ZEROS ".log.quarantine.-1",
        ZEROS ".log.quarantine.1x",
        ZEROS ".log.quarantine." ZEROS,
        ZEROS ".log.quarantine.tmp",
        ZEROS ".log.quarantine.1.tmp.old",
        ZEROS ".log.quarantine.my.tmp",
        ZEROS ".index.quarantine.1",
        ZEROS ".log.rewrite.",
        ZEROS ".log.rewrite.0123abu",
        ZEROS ".log.rewrite.0123abuvv",
        ZEROS ".log.rewrite.0123abuw",
        ZEROS ".log.rewrite.0123ABUV",
        ZEROS ".keys.rewrite.0123abuv",
        ZEROS ".log.recovery",
        ZEROS ".index.recover",
        ZEROS ".log.migrate.1",
        ZEROS ".tmp",
        "next.0.log.prepared.1",
        "next.log",
};

static void test_listed_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int64_t base = -7;

        if (sti_name_parse(names[i].name, &base) != names[i].kind || base != names[i].base) {
            fail_msg("%s: kind %d, base %lld", names[i].name,
                    (int)sti_name_parse(names[i].name, &base), (long long)base);
        }
    }
}

static void test_near_misses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        int64_t base = -7;

        if (sti_name_parse(others[i], &base) != STI_NAME_OTHER) {
            fail_msg("\"%s\" is taken for one of ours", others[i]);
        }
    }
}

/* What the library makes it recognizes, with `.tmp` behind it, too. */
static void test_made_names(void **state)
{
    static const int64_t bases[] = {0, 1, 42, INT64_MAX - 1, INT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        char name[STI_NAME_SIZE];
        char temp[STI_NAME_SIZE + 4];
        int64_t base = -7;

        sti_name_log(name, bases[i]);
        assert_int_equal(sti_name_parse(name, &base), STI_NAME_LOG);
        assert_int_equal(base, bases[i]);
        sti_name_index(name, bases[i]);
        assert_int_equal(sti_name_parse(name, &base), STI_NAME_INDEX);
        sti_name_keys(name, bases[i]);
        assert_int_equal(sti_name_parse(name, &base), STI_NAME_KEYS);
        sti_name_recover(name, bases[i]);
        assert_int_equal(sti_name_parse(name, &base), STI_NAME_LEFTOVER);
        sti_name_migrate(name, bases[i]);
        assert_int_equal(sti_name_parse(name, &base), STI_NAME_LEFTOVER);
        sti_name_quarantine(name, bases[i], INT64_MAX);
        assert_int_equal(sti_name_parse(name, &base), STI_NAME_QUARANTINE);
        (void)snprintf(temp, sizeof temp, "%s.tmp", name);
        assert_true(strlen(temp) < STI_NAME_SIZE);
        assert_int_equal(sti_name_parse(temp, &base), STI_NAME_LEFTOVER);
        assert_int_equal(base, bases[i]);
    }
}

static void test_random_part(void **state)
{
    char first[STI_NAME_SIZE];
    char second[STI_NAME_SIZE];
    int64_t base;

    (void)state;
    sti_name_rewrite(first, 7, "log", 0);
    assert_string_equal(first, "00000000000000000007.log.rewrite.00000000");
    for (int bit = 0; bit < 40; bit++) {
        sti_name_rewrite(second, 7, "log", 1ULL << bit);
        assert_string_not_equal(first, second);
        assert_int_equal(sti_name_parse(second, &base), STI_NAME_LEFTOVER);
    }
    sti_name_rewrite(second, 7, "index", UINT64_MAX);
    assert_string_equal(second, "00000000000000000007.index.rewrite.vvvvvvvv");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_listed_forms),
            cmocka_unit_test(test_near_misses),
            cmocka_unit_test(test_made_names),
            cmocka_unit_test(test_random_part),
    };

    return cmocka_run_group_tests_name("stream names", tests, NULL, NULL);
}
