/* SPDX-License-Identifier: MIT
 *
 * crash_test.c: recovery, migration and backup, crashed at every operation.
 *
 * After each crash the same is done again, crashed at every operation too. In
 * the end there must be what an undisturbed run gives; what was acknowledged
 * must be there before.
 */
#include "base/mutant.h"
#include "sim/loops.h"
#include "stream/backup.h"
#include "unit/stream_tools/kept.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    DONE = 1,
    TEXT_SIZE = 512
};

static const char data[] = "/data";

struct variant {
    const char *version;
    const char *name;  /* NULL: the undamaged one */
    const char *extra; /* a file that a crash left, with stale bytes; may be NULL */
    const char *kept;
    int64_t next;
    bool nested; /* fail each call of its repair, too */
};

/* Those whose recovery differs; the others are shorter ones of the same kind. */
static const struct variant variants[] = {
        {"v1", "trunc_both", NULL, "0-58", 60, false},
        {"v2", "trunc_in_body_no_index", NULL, "0-58", 60, false},
        {"v1", "bitflip_nonhead", NULL, "0-59", 60, false},
        {"v2", "bitflip_nonhead", "00000000000000000000.log.recover", "0-1,3-59", 60, true},
        {"v2", "bitflip_time_mid", NULL, "0-50,52-59", 60, false},
        {"v2", "garbage_tail_100", NULL, "0-59", 60, false},
        {"v1", "head_log_empty", NULL, "0-44", 60, false},
        {"v2", "head_log_4bytes", NULL, "0-41", 60, false},
        {"v2", "overlap_segment_after_rename_crash", NULL, "2-59", 60, false},
};

static void make_files(const struct variant *v, struct sim_world *w)
{
    struct tmpdir t;

    tmpdir_make(&t);
    if (v->name != NULL) {
        files_make_variant(&t, v->version, v->name);
    } else {
        files_copy(STELE_TESTS_DIR "/vectors/klevdb/corrupt/v1_base", t.path, NULL);
    }
    if (v->extra != NULL) {
        size_t len;
        uint8_t *bytes = tmpdir_read(&t, "00000000000000000000.log", &len);

        tmpdir_write(&t, v->extra, bytes, len / 3);
        free(bytes);
    }
    files_copy_env(t.path, &w->env, data);
    tmpdir_remove(&t);
}

static int setup(void *arg, struct sim_world *w)
{
    make_files(arg, w);
    return 0;
}

static stele_stream_options options_of(struct sim_world *w)
{
    stele_stream_options opts;

    stele_stream_options_init(&opts);
    opts.env = &w->env;
    opts.key_index = true;
    opts.time_index = true;
    return opts;
}

/* ---- What must hold. ---- */

static int check_text(struct sim_world *w, const char *path, const char *kept, int64_t next,
        char *why, size_t len)
{
    struct kept *k = calloc(1, sizeof *k);
    char text[TEXT_SIZE];
    int rc;

    assert_non_null(k);
    rc = kept_read_env(k, &w->env, path);
    if (rc != STELE_OK) {
        free(k);
        return rc; /* a fault of the disk */
    }
    kept_text(k, text, sizeof text);
    if (strcmp(text, kept) != 0 || k->next != next || !k->rising || !k->ends) {
        (void)snprintf(why, len, "%s holds %s, next %d%s%s; it should be %s, next %d", path, text,
                (int)k->next, k->rising ? "" : ", not rising", k->ends ? "" : ", with an end", kept,
                (int)next);
        rc = 1;
    }
    free(k);
    return rc;
}

static int check_faultless(struct sim_world *w, const char *path, char *why, size_t len)
{
    stele_stream_options opts = options_of(w);
    stele_error err;
    stele_code rc = stele_stream_check_dir(path, &opts, false, NULL, NULL, NULL, &err);

    if (rc != STELE_OK) {
        (void)snprintf(why, len, "check: %s", err.message);
    }
    return rc == STELE_ECORRUPT ? 1 : rc;
}

/* ---- Recovery. ---- */

static int run_recover(void *arg, struct sim_world *w)
{
    stele_stream_options opts = options_of(w);
    stele_error err;
    stele_code rc;

    (void)arg;
    sim_note_intent(w, DONE, 0);
    rc = stele_stream_recover_dir(data, &opts, NULL, NULL, &err);
    if (rc == STELE_OK) {
        sim_note_ack(w, DONE, 0);
    }
    return rc;
}

static int check_recover(void *arg, struct sim_world *w, uint64_t at_op,
        const struct sim_notes *notes, char *why, size_t len)
{
    const struct variant *v = arg;
    stele_stream_options opts = options_of(w);
    stele_stream_recovered again = {0};
    stele_error err;
    stele_code rc;
    int wrong = 0;

    (void)at_op;
    if (sim_notes_count(notes, SIM_ACK, DONE, 0) > 0) {
        wrong = check_text(w, data, v->kept, v->next, why, len);
    }
    if (wrong != 0) {
        return wrong;
    }
    rc = stele_stream_recover_dir(data, &opts, NULL, &again, &err);
    if (rc != STELE_OK) {
        (void)snprintf(why, len, "recover: %s", err.message);
        return rc;
    }
    sim_note_recovered(w);
    if (sim_notes_count(notes, SIM_ACK, DONE, 0) > 0 && again.cut_bytes != 0) {
        (void)snprintf(why, len, "a second recover cut %d bytes", (int)again.cut_bytes);
        return 1;
    }
    wrong = check_text(w, data, v->kept, v->next, why, len);
    return wrong != 0 ? wrong : check_faultless(w, data, why, len);
}

/* A writer that opens what a crash of recover left gives no offset again, and
 * goes on; recover then finds what it would have found. Not for damage in the
 * middle of the newest segment, behind which opening keeps nothing. */
static int check_open(void *arg, struct sim_world *w, uint64_t at_op, const struct sim_notes *notes,
        char *why, size_t len)
{
    const struct variant *v = arg;
    stele_stream_options opts = options_of(w);
    stele_message m = {.time = 1, .key = stele_str("key"), .value = stele_str("value")};
    char kept[64];
    stele_stream *s;
    int64_t next = -1;
    stele_error err;
    stele_code rc;

    (void)at_op;
    (void)notes;
    opts.no_background = true;
    rc = stele_stream_open(&s, data, &opts, &err);
    sim_note_recovered(w);
    if (rc == STELE_OK) {
        rc = stele_stream_publish(s, &m, 1, &next, &err);
        rc = stele_stream_close(s, rc == STELE_OK ? &err : NULL) != STELE_OK ? STELE_EIO : rc;
    }
    if (rc != STELE_OK) {
        (void)snprintf(why, len, "open and publish: %s", err.message);
        return rc;
    }
    if (next != v->next + 1) {
        (void)snprintf(why, len, "the next offset is %d after a publish", (int)next);
        return 1;
    }
    rc = stele_stream_recover_dir(data, &opts, NULL, NULL, &err);
    if (rc != STELE_OK) {
        (void)snprintf(why, len, "recover: %s", err.message);
        return rc;
    }
    if (strcmp(v->kept, "0-59") == 0) {
        (void)snprintf(kept, sizeof kept, "0-60");
    } else if (strcmp(v->kept, "2-59") == 0) {
        (void)snprintf(kept, sizeof kept, "2-60");
    } else if (strcmp(v->kept, "0-1,3-59") == 0) {
        (void)snprintf(kept, sizeof kept, "0-1,3-60");
    } else {
        (void)snprintf(kept, sizeof kept, "%s,60-60", v->kept);
    }
    return check_text(w, data, kept, 61, why, len);
}

/* ---- Migration. ---- */

static int run_migrate(void *arg, struct sim_world *w)
{
    stele_stream_options opts = options_of(w);
    stele_error err;
    stele_code rc;

    (void)arg;
    sim_note_intent(w, DONE, 0);
    rc = stele_stream_migrate_dir(data, &opts, STELE_STREAM_V2, NULL, NULL, &err);
    if (rc == STELE_OK) {
        sim_note_ack(w, DONE, 0);
    }
    return rc;
}

static int check_migrate(void *arg, struct sim_world *w, uint64_t at_op,
        const struct sim_notes *notes, char *why, size_t len)
{
    stele_stream_options opts = options_of(w);
    int64_t migrated = 0;
    stele_error err;
    stele_code rc;
    int wrong = check_text(w, data, "0-59", 60, why, len);

    (void)arg;
    (void)at_op;
    if (wrong != 0) {
        return wrong;
    }
    rc = stele_stream_migrate_dir(data, &opts, STELE_STREAM_V2, NULL, &migrated, &err);
    if (rc != STELE_OK) {
        (void)snprintf(why, len, "migrate: %s", err.message);
        return rc;
    }
    sim_note_recovered(w);
    if (sim_notes_count(notes, SIM_ACK, DONE, 0) > 0 && migrated != 0) {
        (void)snprintf(why, len, "%d segments were not migrated", (int)migrated);
        return 1;
    }
    wrong = check_text(w, data, "0-59", 60, why, len);
    return wrong != 0 ? wrong : check_faultless(w, data, why, len);
}

/* ---- Backup. ---- */

/* A source in memory: three logs of the vectors. */
struct source {
    struct files files;
    struct sti_backup_segment segments[3];
    uint8_t *logs[3];
    struct sti_backup_source source;
};

static stele_code read_memory(
        void *arg, size_t segment, uint64_t at, uint8_t *out, size_t len, stele_error *err)
{
    const struct source *s = arg;

    (void)err;
    memcpy(out, s->logs[segment] + at, len);
    return STELE_OK;
}

static void source_make(struct source *s)
{
    size_t count = 0;

    memset(s, 0, sizeof *s);
    files_read(&s->files, STELE_TESTS_DIR "/vectors/klevdb/corrupt/v2_base");
    for (size_t i = 0; i < s->files.count; i++) {
        if (strstr(s->files.list[i].name, ".log") != NULL) {
            assert_true(count < 3);
            s->logs[count] = s->files.list[i].bytes;
            s->segments[count].base = strtoll(s->files.list[i].name, NULL, 10);
            s->segments[count++].len = s->files.list[i].len;
        }
    }
    assert_int_equal(count, 3);
    s->source = (struct sti_backup_source){.segments = s->segments,
            .count = 3,
            .next_offset = 60,
            .params = {.times = true, .keys = true},
            .read = read_memory,
            .arg = s};
}

static const char target[] = "/target";

/* An earlier copy: the start of a log, one segment that the source has no more in this form
 * (it starts with messages that were deleted since), and a leftover. */
static int setup_backup(void *arg, struct sim_world *w)
{
    struct tmpdir t;
    struct source *s = arg;
    size_t len;
    uint8_t *bytes;

    tmpdir_make(&t);
    files_copy(STELE_TESTS_DIR "/vectors/klevdb/corrupt/v2_base", t.path, NULL);
    tmpdir_cut(&t, "00000000000000000021.log", 8 + 36 + 4 + 53);
    tmpdir_write(&t, "00000000000000000021.log.recover", "left", 4);
    bytes = tmpdir_read(&t, "00000000000000000000.log", &len);
    tmpdir_write(&t, "00000000000000000002.log", bytes, 8);
    tmpdir_append(&t, "00000000000000000002.log", bytes + 141, len - 141);
    free(bytes);
    bytes = tmpdir_read(&t, "00000000000000000042.log", &len);
    assert_int_equal(len, s->files.list[s->files.count - 1].len);
    free(bytes);
    tmpdir_cut(&t, "00000000000000000042.log", 8);
    files_copy_env(t.path, &w->env, target);
    tmpdir_remove(&t);
    return 0;
}

static int run_backup(void *arg, struct sim_world *w)
{
    struct source *s = arg;
    stele_stream_copied copied;
    stele_error err;
    stele_code rc;

    sim_note_intent(w, DONE, 0);
    rc = sti_backup_run(&w->env, &s->source, target, &copied, &err);
    if (rc == STELE_OK) {
        sim_note_ack(w, DONE, 0);
    }
    return rc;
}

static int check_backup(void *arg, struct sim_world *w, uint64_t at_op,
        const struct sim_notes *notes, char *why, size_t len)
{
    struct source *s = arg;
    stele_error err;
    stele_code rc;
    int wrong = 0;

    (void)at_op;
    if (sim_notes_count(notes, SIM_ACK, DONE, 0) > 0) {
        wrong = check_text(w, target, "0-59", 60, why, len);
    }
    if (wrong != 0) {
        return wrong;
    }
    rc = sti_backup_run(&w->env, &s->source, target, NULL, &err);
    if (rc != STELE_OK) {
        (void)snprintf(why, len, "backup: %s", err.message);
        return rc;
    }
    sim_note_recovered(w);
    wrong = check_text(w, target, "0-59", 60, why, len);
    return wrong != 0 ? wrong : check_faultless(w, target, why, len);
}

/* ---- Tests. ---- */

static struct sim_workload recover_of(const struct variant *v, char name[64])
{
    (void)snprintf(name, 64, "recover-%s-%s", v->version, v->name);
    return (struct sim_workload){.name = name,
            .arg = (void *)(uintptr_t)v,
            .setup = setup,
            .run = run_recover,
            .check = check_recover};
}

static const struct variant whole_v1 = {.version = "v1"};

static struct sim_workload migrate_workload(void)
{
    return (struct sim_workload){.name = "migrate",
            .arg = (void *)(uintptr_t)&whole_v1,
            .setup = setup,
            .run = run_migrate,
            .check = check_migrate};
}

static struct sim_workload backup_workload(struct source *s)
{
    return (struct sim_workload){.name = "backup",
            .arg = s,
            .setup = setup_backup,
            .run = run_backup,
            .check = check_backup};
}

static void explore(const struct sim_workload *workload)
{
    struct sim_explore_options options;
    struct sim_report report;

    sim_explore_options_init(&options);
    for (unsigned i = 0; i < 2; i++) {
        options.sector_size = i == 0 ? 512 : 4096;
        assert_true(sim_explore(workload, &options, &report));
    }
}

/* `nested`: also each call of the repair; that takes seconds, so only some
 * workloads do it unless all is asked for. */
static void fail_each(const struct sim_workload *workload, bool nested)
{
    struct sim_loop_options options;
    struct sim_report report;

    sim_loop_options_init(&options);
    assert_true(sim_fault_loop(workload, &options, &report));
    if (nested || getenv("STELE_FULL") != NULL) {
        assert_true(sim_recovery_fault_loop(workload, &options, &report));
    }
    assert_true(sim_alloc_loop(workload, &options, &report));
}

static void recovery_survives_crashes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        char name[64];
        struct sim_workload workload = recover_of(&variants[i], name);

        explore(&workload);
    }
}

static void opening_after_a_crash_of_recovery(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        char name[64];
        struct sim_workload workload = recover_of(&variants[i], name);

        if (strcmp(variants[i].name, "bitflip_time_mid") == 0) {
            continue;
        }
        (void)snprintf(name, sizeof name, "open-%s-%s", variants[i].version, variants[i].name);
        workload.check = check_open;
        explore(&workload);
    }
}

static void recovery_survives_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        char name[64];
        struct sim_workload workload = recover_of(&variants[i], name);

        fail_each(&workload, variants[i].nested);
    }
}

static void migration_survives(void **state)
{
    struct sim_workload workload = migrate_workload();

    (void)state;
    explore(&workload);
    fail_each(&workload, true);
}

static void backup_survives(void **state)
{
    struct source s;
    struct sim_workload workload = backup_workload(&s);

    (void)state;
    source_make(&s);
    explore(&workload);
    fail_each(&workload, true);
    files_free(&s.files);
}

#ifdef STI_MUTANTS
static bool violated(const struct sim_workload *workload)
{
    struct sim_explore_options options;
    struct sim_report report;

    sim_explore_options_init(&options);
    options.quiet = true;
    options.workers = 1;
    return !sim_explore(workload, &options, &report);
}

static void mutants_are_caught(void **state)
{
    struct sim_workload migrate = migrate_workload();
    char name[64];
    struct sim_workload rewrite = recover_of(&variants[3], name);
    char other[64];
    struct sim_workload cut = recover_of(&variants[0], other);

    (void)state;
    if (getenv("STELE_SIM") != NULL) {
        skip();
    }
    sti_mutant_on = STI_MUTANT_RECOVER_APPENDS_STALE;
    assert_true(violated(&rewrite));
    sti_mutant_on = STI_MUTANT_RECOVER_NOT_SYNCED;
    assert_true(violated(&rewrite));
    sti_mutant_on = STI_MUTANT_RECOVER_REUSES_OFFSETS;
    assert_true(violated(&cut));
    sti_mutant_on = STI_MUTANT_MIGRATE_NOT_SYNCED;
    assert_true(violated(&migrate));
    sti_mutant_on = STI_MUTANT_NONE;
    assert_false(violated(&rewrite));
    assert_false(violated(&migrate));
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(recovery_survives_crashes),
            cmocka_unit_test(opening_after_a_crash_of_recovery),
            cmocka_unit_test(recovery_survives_faults),
            cmocka_unit_test(migration_survives),
            cmocka_unit_test(backup_survives),
#ifdef STI_MUTANTS
            cmocka_unit_test(mutants_are_caught),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
