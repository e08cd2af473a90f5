/* SPDX-License-Identifier: MIT
 *
 * names_test.c: which names are a journal's, and which only look like it.
 */
#include "journal/names.h"

#include "lib/check.h"

#define ZEROS   "00000000000000000000"
#define LARGEST "9223372036854775807"

static const struct {
    const char *name;
    enum sti_journal_name_kind kind;
    uint64_t number; /* 7: it has none */
} names[] = {
        {"1.log", STI_JOURNAL_NAME_LOG, 1},
        {"1795174913309532177.log", STI_JOURNAL_NAME_LOG, 1795174913309532177},
        {LARGEST ".log", STI_JOURNAL_NAME_LOG, INT64_MAX},
        {"10.snap", STI_JOURNAL_NAME_SNAP, 10},
        {LARGEST ".snap", STI_JOURNAL_NAME_SNAP, INT64_MAX},
        {"23.unfinished", STI_JOURNAL_NAME_UNFINISHED, 23},
        {".lock", STI_JOURNAL_NAME_LOCK, 7},
        {"quarantine-1.log-" ZEROS, STI_JOURNAL_NAME_QUARANTINE, 7},
        {"quarantine-" LARGEST ".snap-18446744073709551615", STI_JOURNAL_NAME_QUARANTINE, 7},
        {"quarantine-" LARGEST ".unfinished-" ZEROS, STI_JOURNAL_NAME_QUARANTINE, 7},
        {"quarantine-1.log-" ZEROS ".tmp", STI_JOURNAL_NAME_LEFTOVER, 7},
};

static const char *const others[] = {
        "",
        "log",
        ".log",
        "0.log",
        "01.log",
        "-1.log",
        "+1.log",
        " 1.log",
        "1.LOG",
        "1.logs",
        "1.log.",
        "1.log.tmp",
        "1log",
        "1.lo",
        "1",
        "9223372036854775808.log",
        "99999999999999999999.snap",
        "1x.log",
        ".locks",
        "quarantine-",
        "quarantine-1.log",
        "quarantine-1.log-",
        "quarantine-1.log-0",
        ("quarantine-1.log-" ZEROS "0"),
        ("quarantine-0.log-" ZEROS),
        ("quarantine-x-" ZEROS),
        "quarantine-1.log-99999999999999999999",
        ("quarantine-1.log-" ZEROS ".tmp.tmp"),
        ("quarantine-1.log" ZEROS),
};

static void test_listed_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint64_t number = 7;

        if (sti_journal_name_parse(names[i].name, &number) != names[i].kind ||
                number != names[i].number) {
            fail_msg("%s: kind %d, number %llu", names[i].name,
                    (int)sti_journal_name_parse(names[i].name, &number),
                    (unsigned long long)number);
        }
    }
}

static void test_near_misses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        uint64_t number = 7;

        if (sti_journal_name_parse(others[i], &number) != STI_JOURNAL_NAME_OTHER || number != 7) {
            fail_msg("\"%s\" is taken for one of ours", others[i]);
        }
    }
}

/* What the library makes it recognizes; nothing is cut. */
static void test_made_names(void **state)
{
    static const uint64_t numbers[] = {1, 9, 10, 1795174913309532177, STI_JOURNAL_NUMBER_MAX};

    static const enum sti_journal_name_kind kinds[] = {
            STI_JOURNAL_NAME_LOG, STI_JOURNAL_NAME_SNAP, STI_JOURNAL_NAME_UNFINISHED};

    (void)state;
    for (size_t i = 0; i < 15; i++) {
        char name[STELE_JOURNAL_NAME_SIZE];
        char made[STELE_JOURNAL_NAME_SIZE];
        uint64_t number = 7;

        sti_journal_name(name, kinds[i % 3], numbers[i / 3]);
        assert_int_equal(sti_journal_name_parse(name, &number), kinds[i % 3]);
        assert_true(number == numbers[i / 3]);
        sti_journal_name_quarantine(made, name, UINT64_MAX);
        assert_int_equal(sti_journal_name_parse(made, &number), STI_JOURNAL_NAME_QUARANTINE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_listed_forms),
            cmocka_unit_test(test_near_misses),
            cmocka_unit_test(test_made_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
