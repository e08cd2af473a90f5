/* SPDX-License-Identifier: MIT
 *
 * golden_test.c: files of journals that were frozen in tests/golden/journal are read as on the day
 * when they were made, and are still written byte for byte.
 *
 *     journal_golden_test --write DIR      make them anew
 */
#include "journal/play.h"
#include "journal/snap.h"
#include "lib/check.h"
#include "lib/tmpdir.h"
#include "unit/journal/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    FIRST_LOG = 1000,
    SECOND_LOG = 2000,
    THIRD_LOG = 3000,
    SNAPSHOT = 2001,
    FIRST_END = 40, /* its last operation */
    SECOND_END = 45,
    THIRD_END = 60,
    TORN_END = 9,
    LONG = 200,
    OPS_MAX = 64
};

static const uint64_t seed[2] = {7, 8};

/* ---- Operations. ---- */

static const uint8_t *pattern(void)
{
    static uint8_t bytes[LONG];

    for (size_t i = 0; i < LONG; i++) {
        bytes[i] = (uint8_t)(i * 7 + 1);
    }
    return bytes;
}

static stele_bytes part(uint64_t n)
{
    static const char *const words[] = {"a", "b", "ab", "key"};

    switch (n % 7) {
    case 0:
        return stele_nil();
    case 1:
        return stele_empty();
    case 2:
        return stele_bytes_of(pattern(), n % 2 == 0 ? LONG : 70);
    default:
        return stele_str(words[n % 7 - 3]);
    }
}

static void golden_op(uint64_t n, stele_journal_op *op)
{
    static const stele_journal_setting settings[] = {
            {{(const uint8_t *)"size", 4}, {(const uint8_t *)"10", 2}},
            {{(const uint8_t *)"", 0}, {(const uint8_t *)"x", 1}},
            {{(const uint8_t *)"name", 4}, {(const uint8_t *)"", 0}},
    };

    *op = (stele_journal_op){.kind = STELE_JOURNAL_PUT,
            .timestamp = (int64_t)(n * 1000003 % 1009) * (n % 11 == 0 ? -1 : 1),
            .key = part(n)};
    switch (n % 10) {
    case 5:
        op->kind = STELE_JOURNAL_DELETE;
        op->subkey = part(n / 10);
        break;
    case 7:
        op->kind = STELE_JOURNAL_CONFIG;
        op->settings = settings;
        op->setting_count = n / 10 % 4;
        break;
    case 9:
        op->kind = n == 29 ? STELE_JOURNAL_CLEAR : STELE_JOURNAL_PUT;
        op->key = n == 29 ? stele_nil() : op->key;
        break;
    default:
        op->subkey = n % 3 == 0 ? stele_nil() : part(n / 3);
        op->value = part(n / 2);
        break;
    }
    if (n == 39) {
        *op = (stele_journal_op){.kind = STELE_JOURNAL_CLEAR, .key = stele_str("ab")};
    }
}

static void check_op(const stele_journal_op *got, uint64_t n)
{
    stele_journal_op want;

    golden_op(n, &want);
    assert_int_equal(got->kind, want.kind);
    assert_true(got->timestamp == want.timestamp);
    CHECK_BYTES(got->key, want.key);
    CHECK_BYTES(got->subkey, want.subkey);
    CHECK_BYTES(got->value, want.value);
    assert_int_equal(got->setting_count, want.setting_count);
    for (size_t i = 1; i < got->setting_count; i++) {
        assert_true(stele_bytes_compare(got->settings[i - 1].name, got->settings[i].name) < 0);
    }
}

/* ---- Making them. ---- */

static void make_log(
        const struct tmpdir *t, uint64_t number, uint64_t first, uint64_t last, bool sealed)
{
    struct kit_file f;

    kit_log(&f, number, first);
    for (uint64_t n = first; n <= last; n++) {
        stele_journal_op op;

        golden_op(n, &op);
        kit_op(&f, &op);
    }
    if (sealed) {
        kit_seal(&f);
    } else {
        kit_zeros(&f, 500);
    }
    kit_write(&f, t);
}

static void make_logs(const struct tmpdir *t)
{
    make_log(t, FIRST_LOG, 1, FIRST_END, true);
    make_log(t, SECOND_LOG, FIRST_END + 1, SECOND_END, true);
    make_log(t, THIRD_LOG, SECOND_END + 1, THIRD_END, false);
}

static void make_torn(const struct tmpdir *t)
{
    make_log(t, FIRST_LOG, 1, TORN_END + 1, false);
    tmpdir_cut(t, "1000.log", tmpdir_size(t, "1000.log") - 500 - 3);
}

/* By the merge itself. */
static void make_merged(const struct tmpdir *t)
{
    struct sti_journal_chain chain;
    struct sti_journal_end end;
    struct sti_dir dir;
    stele_error err;

    make_logs(t);
    kit_dir(&dir, t);
    CHECK_OK(sti_journal_chain_load(&chain, &dir, STI_CHAIN_VERIFIED, false, &err), &err);
    CHECK_OK(sti_journal_snap_merge(&dir, &chain, SNAPSHOT, seed, &end, &err), &err);
    sti_journal_chain_free(&chain);
    CHECK_OK(sti_dir_unlink(&dir, "1000.log", NULL, &err), &err);
    CHECK_OK(sti_dir_unlink(&dir, "2000.log", NULL, &err), &err);
    sti_dir_close(&dir);
}

static const struct golden {
    const char *name;
    void (*make)(const struct tmpdir *t);
    const char *files[4];
    uint64_t faults;
    uint64_t count; /* operations dumped */
} goldens[] = {
        {"logs", make_logs, {"1000.log", "2000.log", "3000.log"}, 0, THIRD_END},
        {"torn", make_torn, {"1000.log"}, 1, TORN_END},
        {"merged", make_merged, {"2001.snap", "3000.log"}, 0, THIRD_END},
};

enum {
    GOLDENS = sizeof goldens / sizeof goldens[0]
};

/* ---- Reading them. ---- */

static void open_frozen(struct tmpdir *t, const char *name)
{
    int n = snprintf(t->path, sizeof t->path, "%s/golden/journal/%s", STELE_TESTS_DIR, name);

    assert_in_range(n, 1, (int)sizeof t->path - 1);
}

/* Operations in their order from `first` on, behind those of a snapshot. */
struct reading {
    uint64_t next;
    uint64_t skip;
    struct sti_journal_merge *merge;
};

static stele_code read_op(void *arg, const stele_journal_op *op, stele_error *err)
{
    struct reading *r = arg;
    struct sti_journal_settings settings = {0};
    stele_journal_setting scratch[4];
    stele_journal_op again;
    uint8_t bytes[1024];
    stele_bytes encoded = stele_bytes_of(bytes, sti_journal_op_encode(bytes, op, scratch));

    if (r->skip > 0) {
        r->skip--;
    } else {
        check_op(op, r->next++);
    }
    CHECK_OK(sti_journal_op_decode(&again, encoded, &settings, err), err);
    CHECK_OK(sti_journal_merge_add(r->merge, &again, encoded, err), err);
    sti_journal_settings_free(&settings);
    return STELE_OK;
}

/* What a state comes to, as one sequence of bytes. */
static stele_code append_op(void *arg, stele_bytes encoded, stele_error *err)
{
    return stele_buf_append(arg, encoded, err);
}

static void play(const struct golden *g, uint64_t snapshot_count, stele_buf *out)
{
    struct reading r = {.next = snapshot_count + 1};
    struct sti_journal_chain chain;
    stele_journal_played played;
    struct sti_dir dir;
    struct tmpdir t;
    stele_error err;

    open_frozen(&t, g->name);
    kit_dir(&dir, &t);
    CHECK_OK(sti_journal_merge_new(&r.merge, seed, true, &err), &err);
    CHECK_OK(sti_journal_chain_load(&chain, &dir, STI_CHAIN_VERIFIED, false, &err), &err);
    assert_int_equal(chain.end.count, snapshot_count);
    r.skip = chain.end.ops;
    CHECK_OK(sti_journal_play_chain(&chain, NULL, read_op, &r, &played, &err), &err);
    assert_int_equal(played.count, g->count);
    assert_int_equal(r.next, g->count + 1);
    assert_int_equal(played.torn, g->faults > 0);
    CHECK_OK(sti_journal_merge_settle(r.merge, &err), &err);
    CHECK_OK(sti_journal_merge_each(r.merge, append_op, out, &err), &err);
    sti_journal_merge_free(r.merge);
    sti_journal_chain_free(&chain);
    sti_dir_close(&dir);
}

static void frozen_files_are_read(void **state)
{
    stele_buf from_logs;
    stele_buf from_merged;

    (void)state;
    stele_buf_init(&from_logs, 1 << 20);
    stele_buf_init(&from_merged, 1 << 20);
    play(&goldens[0], 0, &from_logs);
    play(&goldens[2], SECOND_END, &from_merged);
    CHECK_BYTES(stele_buf_view(&from_merged), stele_buf_view(&from_logs));
    assert_true(from_logs.len > 1000);
    stele_buf_clear(&from_logs);
    play(&goldens[1], 0, &from_logs);
    stele_buf_free(&from_logs);
    stele_buf_free(&from_merged);
}

static void frozen_files_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOLDENS; i++) {
        stele_journal_checked checked;
        stele_journal_stats stats;
        struct tmpdir t;
        stele_error err;

        open_frozen(&t, goldens[i].name);
        CHECK_CODE(stele_journal_check_dir(t.path, NULL, NULL, NULL, NULL, &checked, &err),
                goldens[i].faults == 0 ? STELE_OK : STELE_ECORRUPT);
        assert_int_equal(checked.faults, goldens[i].faults);
        CHECK_OK(stele_journal_stat_dir(t.path, NULL, &stats, &err), &err);
        assert_int_equal(stats.count, goldens[i].count);
    }
}

static void files_are_written_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOLDENS; i++) {
        struct tmpdir frozen;
        struct tmpdir t;

        open_frozen(&frozen, goldens[i].name);
        tmpdir_make(&t);
        goldens[i].make(&t);
        for (size_t k = 0; goldens[i].files[k] != NULL; k++) {
            size_t want_len;
            size_t len;
            uint8_t *want = tmpdir_read(&frozen, goldens[i].files[k], &want_len);
            uint8_t *bytes = tmpdir_read(&t, goldens[i].files[k], &len);

            print_message("%s/%s\n", goldens[i].name, goldens[i].files[k]);
            CHECK_BYTES(stele_bytes_of(bytes, len), stele_bytes_of(want, want_len));
            free(want);
            free(bytes);
        }
        tmpdir_remove(&t);
    }
}

static const char *write_to;

static void write_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOLDENS; i++) {
        struct tmpdir t;
        int n = snprintf(t.path, sizeof t.path, "%s/%s", write_to, goldens[i].name);

        assert_in_range(n, 1, (int)sizeof t.path - 1);
        (void)mkdir(t.path, 0777);
        goldens[i].make(&t);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(frozen_files_are_read),
            cmocka_unit_test(frozen_files_are_sound),
            cmocka_unit_test(files_are_written_the_same),
    };
    const struct CMUnitTest writing[] = {
            cmocka_unit_test(write_all),
    };

    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        write_to = argv[2];
        return cmocka_run_group_tests(writing, NULL, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
