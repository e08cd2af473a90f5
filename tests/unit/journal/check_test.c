/* SPDX-License-Identifier: MIT
 *
 * check_test.c: what a check tells of a directory, and its figures.
 */
#include "base/alloc.h"
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    HEARD_MAX = 16
};

struct heard {
    size_t faults;
    char files[HEARD_MAX][STELE_JOURNAL_NAME_SIZE];
    int64_t positions[HEARD_MAX];
    stele_code codes[HEARD_MAX];
    char texts[HEARD_MAX][256];
    size_t notes;
    char noted[HEARD_MAX][STELE_JOURNAL_NAME_SIZE + 256];
};

struct bench {
    struct tmpdir t;
    struct heard heard;
    stele_journal_checked checked;
    stele_error err;
};

static void set_up(struct bench *b)
{
    memset(b, 0, sizeof *b);
    tmpdir_make(&b->t);
}

static void hear_fault(void *arg, const stele_journal_fault *fault)
{
    struct heard *h = arg;

    assert_true(h->faults < HEARD_MAX);
    (void)snprintf(h->files[h->faults], sizeof h->files[0], "%s", fault->file);
    (void)snprintf(h->texts[h->faults], sizeof h->texts[0], "%s", fault->text);
    h->codes[h->faults] = fault->code;
    h->positions[h->faults++] = fault->position;
}

static void hear_note(void *arg, const char *file, const char *text)
{
    struct heard *h = arg;

    assert_true(h->notes < HEARD_MAX);
    (void)snprintf(h->noted[h->notes++], sizeof h->noted[0], "%s %s", file, text);
}

static stele_code check(struct bench *b)
{
    stele_journal_options opts;
    stele_journal_checked other;
    stele_error err;
    stele_code rc;

    memset(&b->heard, 0, sizeof b->heard);
    memset(&opts, 0, sizeof opts);
    opts.struct_size = sizeof opts;
    opts.no_map = true;
    rc = stele_journal_check_dir(
            b->t.path, NULL, hear_fault, hear_note, &b->heard, &b->checked, &b->err);
    /* Nobody has to listen, and files need not be mapped. */
    CHECK_CODE(stele_journal_check_dir(b->t.path, &opts, NULL, NULL, NULL, &other, &err), rc);
    assert_memory_equal(&other, &b->checked, sizeof other);
    assert_int_equal(b->checked.faults, b->heard.faults);
    return rc;
}

static void check_sound(struct bench *b, uint64_t snapshots, uint64_t logs, uint64_t ops)
{
    CHECK_OK(check(b), &b->err);
    assert_int_equal(b->checked.snapshots, snapshots);
    assert_int_equal(b->checked.logs, logs);
    assert_int_equal(b->checked.ops, ops);
    assert_int_equal(b->checked.faults, 0);
}

/* Just one fault. */
static void check_fault(struct bench *b, const char *file, int64_t position, const char *text)
{
    CHECK_CODE(check(b), STELE_ECORRUPT);
    assert_int_equal(b->heard.faults, 1);
    assert_string_equal(b->heard.files[0], file);
    assert_int_equal(b->heard.positions[0], position);
    assert_int_equal(b->heard.codes[0], STELE_ECORRUPT);
    if (strstr(b->heard.texts[0], text) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", text, b->heard.texts[0]);
    }
    assert_string_equal(b->err.file, file);
    assert_int_equal(b->err.position, position);
}

static bool is_noted(const struct bench *b, const char *note)
{
    for (size_t i = 0; i < b->heard.notes; i++) {
        if (strcmp(b->heard.noted[i], note) == 0) {
            return true;
        }
    }
    return false;
}

static void no_directory(void **state)
{
    stele_journal_stats stats;
    stele_error err;

    (void)state;
    CHECK_CODE(stele_journal_check_dir("/nowhere/at/all", NULL, NULL, NULL, NULL, NULL, &err),
            STELE_ENOTFOUND);
    CHECK_CODE(stele_journal_check_dir(NULL, NULL, NULL, NULL, NULL, NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_journal_stat_dir("/nowhere/at/all", NULL, &stats, &err), STELE_ENOTFOUND);
    CHECK_MESSAGE_HAS(&err, "/nowhere/at/all");
    CHECK_CODE(stele_journal_stat_dir("/", NULL, NULL, &err), STELE_EINVAL);
}

static void sound(void **state)
{
    struct kit_file f;
    struct bench b;

    (void)state;
    set_up(&b);
    check_sound(&b, 0, 0, 0);
    kit_whole_log(&b.t, 5, 1, 4);
    kit_whole_log(&b.t, 10, 5, 7);
    check_sound(&b, 0, 2, 7);
    kit_whole_snap(&b.t, 15, 7);
    kit_log(&f, 20, 8);
    kit_put(&f, "k8", "value");
    kit_zeros(&f, 4096); /* as a live recorder has it */
    kit_write(&f, &b.t);
    tmpdir_write(&b.t, "30.log", (const uint8_t[100]){0}, 100);
    check_sound(&b, 1, 4, 15);
    assert_int_equal(b.heard.notes, 2);
    assert_true(is_noted(&b, "5.log is superseded by 15.snap"));
    assert_true(is_noted(&b, "10.log is superseded by 15.snap"));
    tmpdir_write(&b.t, ".lock", "", 0);
    tmpdir_write(&b.t, "notes", "", 0);
    tmpdir_write(&b.t, "31.unfinished", "x", 1);
    tmpdir_write(&b.t, "quarantine-5.log-00000000000000000100", "x", 1);
    tmpdir_write(&b.t, "quarantine-5.log-00000000000000000100.tmp", "x", 1);
    check_sound(&b, 1, 4, 15);
    assert_int_equal(b.heard.notes, 6);
    assert_true(is_noted(&b, "notes is no file of a journal"));
    tmpdir_remove(&b.t);
}

static void faults_of_logs(void **state)
{
    struct kit_file f;
    struct bench b;

    (void)state;
    set_up(&b);
    kit_whole_log(&b.t, 10, 1, 3);
    kit_log(&f, 20, 4);
    kit_put(&f, "k4", "value");
    kit_put(&f, "k5", "value");
    kit_put(&f, "k6", "value");
    tmpdir_write(&b.t, "20.log", f.bytes, f.len - 1);
    check_fault(&b, "20.log", f.positions[2], "unfinished");
    assert_int_equal(b.checked.ops, 5);
    tmpdir_write(&b.t, "20.log", f.bytes, f.len);
    tmpdir_flip(&b.t, "20.log", 8 * (f.positions[1] + 30));
    check_fault(&b, "20.log", f.positions[1], "operation 5 is damaged");
    tmpdir_write(&b.t, "20.log", f.bytes, f.len);
    tmpdir_flip(&b.t, "20.log", 8);
    check_fault(&b, "20.log", 0, "the header is damaged");
    tmpdir_write(&b.t, "20.log", f.bytes, 20);
    check_fault(&b, "20.log", 0, "unfinished");
    tmpdir_write(&b.t, "20.log", f.bytes, f.len);
    free(f.bytes);
    /* What is missing between files. */
    kit_whole_log(&b.t, 10, 1, 2);
    check_fault(&b, "10.log", (int64_t)tmpdir_size(&b.t, "10.log") - 32,
            "operations 3 to 3 are missing behind it");
    kit_whole_log(&b.t, 10, 2, 3);
    check_fault(&b, "10.log", -1, "operations 1 to 1 are missing before it");
    tmpdir_remove(&b.t);
}

static void unknown_operations(void **state)
{
    static const uint8_t future[12] = {0x21};
    struct kit_file f;
    struct bench b;

    (void)state;
    set_up(&b);
    kit_log(&f, 20, 1);
    kit_put(&f, "k1", "value");
    kit_raw(&f, future, sizeof future);
    kit_write(&f, &b.t);
    CHECK_CODE(check(&b), STELE_EVERSION);
    assert_int_equal(b.heard.faults, 1);
    assert_int_equal(b.heard.codes[0], STELE_EVERSION);
    assert_int_equal(b.heard.positions[0], f.positions[1]);
    assert_int_equal(b.checked.ops, 1);
    tmpdir_remove(&b.t);
}

/* Superseded files are looked at, too, and a fault in each is told. */
static void faults_everywhere(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b);
    kit_whole_log(&b.t, 5, 1, 4);
    kit_whole_snap(&b.t, 6, 4);
    kit_whole_log(&b.t, 10, 5, 7);
    kit_whole_snap(&b.t, 15, 7);
    check_sound(&b, 2, 2, 18);
    tmpdir_flip(&b.t, "5.log", 8 * 40);
    check_fault(&b, "5.log", 32, "operation 1 is damaged");
    tmpdir_flip(&b.t, "6.snap", 8 * 40);
    CHECK_CODE(check(&b), STELE_ECORRUPT);
    assert_int_equal(b.heard.faults, 2);
    /* The newest one: it was to replace the logs. */
    tmpdir_flip(&b.t, "15.snap", 8 * 40);
    CHECK_CODE(check(&b), STELE_ECORRUPT);
    assert_int_equal(b.heard.faults, 3);
    assert_string_equal(b.heard.files[2], "15.snap");
    assert_int_equal(b.heard.positions[2], 32);
    tmpdir_remove(&b.t);
}

/* Each bit of a small journal: what is told is in the file that has it. */
static void every_bit(void **state)
{
    static const char *const names[] = {"6.snap", "10.log"};
    struct bench b;

    (void)state;
    set_up(&b);
    kit_whole_snap(&b.t, 6, 2);
    kit_whole_log(&b.t, 10, 3, 4);
    check_sound(&b, 1, 1, 4);
    for (size_t i = 0; i < 2; i++) {
        uint64_t bits = 8 * tmpdir_size(&b.t, names[i]);

        for (uint64_t bit = 0; bit < bits; bit++) {
            tmpdir_flip(&b.t, names[i], bit);
            CHECK_CODE(check(&b), STELE_ECORRUPT);
            assert_int_equal(b.heard.faults, 1);
            assert_string_equal(b.heard.files[0], names[i]);
            tmpdir_flip(&b.t, names[i], bit);
        }
    }
    tmpdir_remove(&b.t);
}

/* ---- Figures. ---- */

static void figures(void **state)
{
    struct kit_file f;
    stele_journal_stats s;
    struct bench b;
    uint64_t end;

    (void)state;
    set_up(&b);
    CHECK_OK(stele_journal_stat_dir(b.t.path, NULL, &s, &b.err), &b.err);
    assert_true(s.count == 0 && s.snapshots == 0 && s.logs == 0 && s.snapshot_time == 0);
    assert_true(s.snapshot_latest == INT64_MIN && s.replay_ms == -1);
    kit_whole_log(&b.t, 5, 1, 4);
    kit_whole_snap(&b.t, 15000000, 9);
    kit_whole_snap(&b.t, 6, 4);
    kit_whole_log(&b.t, 20000000, 10, 12);
    kit_log(&f, 30000000, 13);
    kit_put(&f, "k13", "value");
    kit_put(&f, "k14", "value");
    end = f.len;
    kit_junk(&f, 10);
    kit_write(&f, &b.t);
    tmpdir_write(&b.t, "30000001.log", "", 0);
    CHECK_OK(stele_journal_stat_dir(b.t.path, NULL, &s, &b.err), &b.err);
    assert_int_equal(s.count, 14);
    assert_int_equal(s.snapshots, 2);
    assert_int_equal(s.logs, 4);
    assert_int_equal(s.snapshot_ops, 9);
    assert_int_equal(s.snapshot_count, 9);
    assert_int_equal(s.snapshot_latest, 9);
    assert_int_equal(s.snapshot_size, tmpdir_size(&b.t, "15000000.snap"));
    assert_int_equal(s.snapshot_time, 15000);
    assert_int_equal(s.log_ops, 5);
    assert_int_equal(s.log_size, tmpdir_size(&b.t, "20000000.log") + end);
    tmpdir_flip(&b.t, "20000000.log", 8 * 9); /* its first operation */
    CHECK_CODE(stele_journal_stat_dir(b.t.path, NULL, &s, &b.err), STELE_ECORRUPT);
    tmpdir_remove(&b.t);
}

/* ---- Without memory. ---- */

struct nth {
    int calls;
    int fail_at;
};

static bool fails(void *arg)
{
    struct nth *n = arg;

    return n->calls++ == n->fail_at;
}

static void without_memory(void **state)
{
    struct nth n = {0, -1};
    struct bench b;
    int total;

    (void)state;
    set_up(&b);
    kit_whole_snap(&b.t, 6, 2);
    kit_whole_log(&b.t, 10, 3, 4);
    kit_whole_log(&b.t, 20, 6, 7);
    sti_alloc_set_hook(fails, &n);
    CHECK_CODE(stele_journal_check_dir(b.t.path, NULL, NULL, NULL, NULL, NULL, &b.err),
            STELE_ECORRUPT);
    total = n.calls;
    for (int i = 0; i < total; i++) {
        stele_code rc;

        n = (struct nth){0, i};
        rc = stele_journal_check_dir(b.t.path, NULL, NULL, NULL, NULL, NULL, &b.err);
        assert_true(rc == STELE_ENOMEM || rc == STELE_ECORRUPT);
        assert_true(rc == STELE_ENOMEM || i > total / 2);
    }
    sti_alloc_set_hook(NULL, NULL);
    tmpdir_remove(&b.t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(no_directory),
            cmocka_unit_test(sound),
            cmocka_unit_test(faults_of_logs),
            cmocka_unit_test(unknown_operations),
            cmocka_unit_test(faults_everywhere),
            cmocka_unit_test(every_bit),
            cmocka_unit_test(figures),
            cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
