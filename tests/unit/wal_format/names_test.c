/* SPDX-License-Identifier: MIT
 *
 * names_test.c: which names are a log's, and which only look like it.
 */
#include "wal/names.h"

#include "lib/check.h"

#include <stdio.h>

#define ZEROS "00000000000000000000"
#define LARGE "18446744073709551615"

static const struct {
    const char *name;
    enum sti_wal_name_kind kind;
    uint64_t number;
} names[] = {
        {ZEROS ".wal", STI_WAL_NAME_STELE, 0},
        {LARGE ".wal", STI_WAL_NAME_STELE, UINT64_MAX},
        {"wal-0000000000.log", STI_WAL_NAME_BLB, 0},
        {"wal-0123456789.log", STI_WAL_NAME_BLB, 123456789},
        {"wal-12345678901.log", STI_WAL_NAME_BLB, 12345678901},
        {"wal-9223372036854775807.log", STI_WAL_NAME_BLB, INT64_MAX},
        {"wal.manifest", STI_WAL_NAME_MANIFEST, 7},
        {"wal.manifest.tmp", STI_WAL_NAME_LEFTOVER, 7},
        {"tmp-" ZEROS ".wal", STI_WAL_NAME_LEFTOVER, 7},
        {"tmp-wal-0000000003.log", STI_WAL_NAME_LEFTOVER, 7},
        {"quarantine-" LARGE ".wal-" LARGE, STI_WAL_NAME_QUARANTINE, 7},
        {"quarantine-wal-0000000003.log-" ZEROS, STI_WAL_NAME_QUARANTINE, 7},
        {"quarantine-wal-0000000003.log-" ZEROS ".tmp", STI_WAL_NAME_LEFTOVER, 7},
};

static const char *const others[] = {
        "",
        ".lock",
        "wal",
        ".wal",
        ZEROS,
        (ZEROS ".wa"),
        (ZEROS ".wal.bak"),
        ("0" ZEROS ".wal"),
        "0000000000000000000.wal",
        "18446744073709551616.wal",
        "-0000000000000000001.wal",
        (ZEROS ".log"),
        "wal-.log",
        "wal-000000000.log",
        "wal-00000000000.log",
        "wal-01234567890.log",
        "wal-9223372036854775808.log",
        "wal-99999999999999999999.log",
        "wal-000000000x.log",
        "wal-0000000000.log.bak",
        "wal-0000000000.wal",
        "wal-0000000000",
        "wal.manifest.bak",
        "tmp-",
        "tmp-x",
        "tmp-wal.manifest",
        ("tmp-" ZEROS ".wal.1"),
        "quarantine-",
        ("quarantine-" ZEROS ".wal"),
        ("quarantine-" ZEROS ".wal-"),
        ("quarantine-" ZEROS ".wal-1"),
        ("quarantine-" ZEROS ".wal-" ZEROS "0"),
        ("quarantine-" ZEROS ".wal-99999999999999999999"),
        ("quarantine-" ZEROS ".wal-" ZEROS ".tmp.tmp"),
        ("quarantine-foreign-" ZEROS),
};

static void test_listed_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint64_t number = 7;

        if (sti_wal_name_parse(names[i].name, &number) != names[i].kind ||
                number != names[i].number) {
            fail_msg("%s: kind %d, number %llu", names[i].name,
                    (int)sti_wal_name_parse(names[i].name, &number), (unsigned long long)number);
        }
    }
}

static void test_near_misses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        uint64_t number = 7;

        if (sti_wal_name_parse(others[i], &number) != STI_WAL_NAME_OTHER || number != 7) {
            fail_msg("\"%s\" is taken for one of ours", others[i]);
        }
    }
}

/* What the library makes it recognizes, with `.tmp` behind a quarantine, too. */
static void test_made_names(void **state)
{
    static const uint64_t numbers[] = {0, 1, 9999999999, 10000000000, INT64_MAX};
    static const stele_wal_format formats[] = {STELE_WAL_STELE, STELE_WAL_BLB};

    (void)state;
    for (size_t i = 0; i < 10; i++) {
        stele_wal_format format = formats[i % 2];
        char name[STI_WAL_NAME_SIZE];
        char made[STI_WAL_NAME_SIZE];
        char temp[STI_WAL_NAME_SIZE + 4];
        uint64_t number = 7;

        sti_wal_name_segment(name, format, numbers[i / 2]);
        assert_int_equal(sti_wal_name_parse(name, &number),
                format == STELE_WAL_STELE ? STI_WAL_NAME_STELE : STI_WAL_NAME_BLB);
        assert_true(number == numbers[i / 2]);
        sti_wal_name_tmp(made, name);
        assert_int_equal(sti_wal_name_parse(made, &number), STI_WAL_NAME_LEFTOVER);
        sti_wal_name_quarantine(made, name, UINT64_MAX);
        assert_int_equal(sti_wal_name_parse(made, &number), STI_WAL_NAME_QUARANTINE);
        (void)snprintf(temp, sizeof temp, "%s.tmp", made);
        assert_true(strlen(temp) < STI_WAL_NAME_SIZE);
        assert_int_equal(sti_wal_name_parse(temp, &number), STI_WAL_NAME_LEFTOVER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_listed_forms),
            cmocka_unit_test(test_near_misses),
            cmocka_unit_test(test_made_names),
    };

    return cmocka_run_group_tests_name("wal names", tests, NULL, NULL);
}
