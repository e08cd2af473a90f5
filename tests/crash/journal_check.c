/* SPDX-License-Identifier: MIT
 *
 * journal_check.c: what every crashed state of a journal has to stand.
 *
 * In order: a reader without the lock plays, twice and up to moments in between, takes the figures,
 * and checks the directory, whose only fault may be an unfinished operation at the end of the
 * newest log; nothing changes. A recorder plays, which gives what the notes say, and records: what
 * it cut is in quarantine, and no leftover is there. It dumps, and for some of the states, chosen
 * by their hash, merges or clears; it stops; the directory checks without fault, and plays what was
 * dumped; to record and stop once more changes nothing. For some of the states what was done then
 * is crashed once more.
 */
#include "crash/journal_check.h"

#include "crash/journal_files.h"
#include "sim/crash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_MAX = 2 << 20,
    NO_LIMIT = 32 << 10, /* that is not reached: blocks are there ahead, but not too many */
    NO_LIMIT_FULL = FILE_MAX / 4
};

struct check {
    const struct jmodel_config *config;
    struct sim_world *w;
    struct jmodel model;
    struct jmodel_play seen; /* by the last play */
    struct jmodel_found found;
    struct crash_why why;
    uint64_t pick; /* by the state's hash */
    bool no_memory;
};

/* Whether a fault may have kept something from being done that the next recording makes good. */
static bool disturbed(const struct check *c)
{
    return c->no_memory || sim_disk_fault_hits(c->w->disk) > 0;
}

/* Never with a thread, so that a state that fails does so again. */
static int open_journal(struct check *c, bool may_merge, stele_journal **out)
{
    stele_journal_options options;
    stele_error err;
    stele_code rc;

    *out = NULL;
    jmodel_options(c->config, &c->w->env, &options);
    options.no_map = c->config->no_map || c->pick / 2 % 4 == 0;
    options.no_background = true;
    if (!may_merge) {
        options.limit = c->config->full ? NO_LIMIT_FULL : NO_LIMIT;
        options.replay_target_ms = 0;
    }
    rc = stele_journal_open(out, JMODEL_DIR, &options, &err);
    return rc == STELE_OK ? 0 : crash_failed(&c->why, "open", rc, &err);
}

/* Close what a check had open; the first failure counts. */
static int close_after(struct check *c, stele_journal *journal, int result)
{
    stele_error err;
    stele_code rc = stele_journal_close(journal, &err);

    return result != 0 || rc == STELE_OK ? result : crash_failed(&c->why, "close", rc, &err);
}

static int play_and_judge(struct check *c, stele_journal *journal)
{
    stele_error err;
    stele_code rc = jmodel_play(journal, c->config, NULL, &c->seen, &err);

    return rc == STELE_OK ? jmodel_judge(&c->model, &c->seen, &c->found, &c->why)
                          : crash_failed(&c->why, "play", rc, &err);
}

/* The same as before. */
static int play_again(struct check *c, stele_journal *journal)
{
    struct jmodel_play *again = sim_alloc(sizeof *again);
    stele_error err;
    stele_code rc = jmodel_play(journal, c->config, NULL, again, &err);
    int result = rc == STELE_OK ? 0 : crash_failed(&c->why, "play again", rc, &err);

    if (result == 0 && !jmodel_plays_equal(&c->seen, again)) {
        result = crash_wrong(&c->why,
                "another play gives %zu operations, count %" PRIu64 ", and not %zu, count %" PRIu64,
                again->count, again->played.count, c->seen.count, c->seen.played.count);
    }
    free(again);
    return result;
}

/* ---- Checking the directory. ---- */

struct faults {
    const struct check *c;
    const char *newest; /* the log that may be torn; "": none */
    bool superseded;    /* it is not played */
    bool bad;
    char text[JMODEL_WHY];
};

static void each_fault(void *arg, const stele_journal_fault *fault)
{
    struct faults *f = arg;
    const stele_journal_played *played = &f->c->seen.played;
    bool torn =
            strcmp(fault->file, f->newest) == 0 &&
            (f->superseded || (played->torn && fault->position == (int64_t)played->torn_position));

    if (!torn && !f->bad) {
        f->bad = true;
        (void)snprintf(f->text, sizeof f->text, "check finds in %s at %" PRId64 ": %s", fault->file,
                fault->position, fault->text);
    }
}

static int check_dir(struct check *c, const char *newest)
{
    struct faults faults = {
            .c = c, .newest = newest, .superseded = jfiles_is_superseded(newest, &c->seen.played)};
    stele_journal_options options;
    stele_journal_checked checked = {0};
    stele_error err;
    stele_code rc;

    jmodel_options(c->config, &c->w->env, &options);
    rc = stele_journal_check_dir(JMODEL_DIR, &options, each_fault, NULL, &faults, &checked, &err);
    if (rc != STELE_OK && rc != STELE_ECORRUPT) {
        return crash_failed(&c->why, "check", rc, &err);
    }
    if (faults.bad || (rc == STELE_ECORRUPT) != (checked.faults > 0)) {
        return disturbed(c) ? STELE_EIO
                            : crash_wrong(&c->why, "%s",
                                      faults.bad ? faults.text : "check tells no fault");
    }
    if (newest[0] != '\0' && c->seen.played.torn != (checked.faults > 0) && !faults.superseded &&
            !disturbed(c)) {
        return crash_wrong(&c->why, "torn %d, and check finds %" PRIu64 " faults",
                c->seen.played.torn, checked.faults);
    }
    if (newest[0] == '\0' && checked.ops != c->seen.played.ops && !disturbed(c)) {
        return crash_wrong(&c->why,
                "check finds %" PRIu64 " operations, and %" PRIu64 " are played", checked.ops,
                c->seen.played.ops);
    }
    return 0;
}

/* ---- Readers. ---- */

static int look(struct check *c)
{
    char newest[STELE_JOURNAL_NAME_SIZE];
    struct sim_image *image = sim_disk_image(c->w->disk);
    stele_journal *journal = NULL;
    int result = open_journal(c, true, &journal);

    jfiles_newest_log(image, newest);
    sim_image_unref(image);
    if (result != 0) {
        return result;
    }
    result = play_and_judge(c, journal);
    result = result != 0 ? result : play_again(c, journal);
    result = result != 0 ? result
                         : jmodel_check_until(
                                   journal, &c->model, &c->seen, &c->found, c->pick / 32, &c->why);
    result = result != 0 ? result
                         : jmodel_check_stat(c->pick / 4 % 2 == 0 ? journal : NULL, &c->w->env,
                                   &c->model, &c->seen, &c->why);
    result = result != 0 ? result : check_dir(c, newest[0] != '\0' ? newest : "none");
    return close_after(c, journal, result);
}

static int reader(struct check *c)
{
    struct sim_image *before;
    int result;
    int same;

    if (c->pick % 2 == 0) {
        return 0;
    }
    before = sim_disk_image(c->w->disk);
    if (before->dir_count == 0) {
        sim_image_unref(before);
        return 0; /* open() makes the directory */
    }
    result = look(c);
    same = jfiles_check_same(before, c->w, "a reader", &c->why);
    return result != 0 ? result : same;
}

/* ---- The recorder. ---- */

static void note(struct check *c, enum sim_note_kind kind, enum jmodel_note what, uint64_t value)
{
    struct sim_note made = {.kind = kind, .what = what, .value = value};

    jmodel_add(&c->model, &made);
    if (kind == SIM_INTENT) {
        sim_note_intent(c->w, what, value);
    } else {
        sim_note_ack(c->w, what, value);
    }
}

/* What a recorder found is durable, and what it did not find is gone. */
static void note_found(struct check *c)
{
    const struct jmodel_found *found = &c->found;

    if (found->cleared) {
        note(c, SIM_ACK, JMODEL_CLEAR, 0);
    }
    for (uint64_t i = 1; i <= found->count; i++) {
        uint64_t there = c->model.at[i].tried & ~c->model.at[i].dead;

        if (i > c->model.durable || (there & (there - 1)) != 0) {
            note(c, SIM_ACK, JMODEL_DUMP, found->values[i]);
        }
    }
    note(c, SIM_ACK, JMODEL_FOUND, found->count);
}

/* What a recorder has cut is in quarantine. */
static int check_cut(struct check *c, const struct sim_image *before)
{
    struct sim_image *after = sim_disk_image(c->w->disk);
    int result = jfiles_check_quarantine(before, after, &c->why);

    result = result != 0 ? result : jfiles_check_torn(before, after, &c->seen.played, &c->why);
    if (result == 0 && !c->found.cleared) {
        result = jfiles_check_kept(before, after, &c->model, c->found.count, &c->why);
    }
    sim_image_unref(after);
    return result;
}

static int expect_count(struct check *c, stele_journal *journal, uint64_t count)
{
    stele_journal_stats stats;
    stele_error err;
    stele_code rc = stele_journal_stat(journal, &stats, &err);

    if (rc != STELE_OK) {
        return crash_failed(&c->why, "stat", rc, &err);
    }
    return stats.count == count ? 0
                                : crash_wrong(&c->why, "stat: count %" PRIu64 ", and not %" PRIu64,
                                          stats.count, count);
}

/* Play, and record. `before` is the image that was opened. */
static int begin(struct check *c, stele_journal *journal, const struct sim_image *before)
{
    stele_error err;
    stele_code rc;
    int result = play_and_judge(c, journal);

    if (result != 0) {
        return result;
    }
    rc = stele_journal_record(journal, &err);
    if (rc != STELE_OK) {
        return rc == STELE_ENOSPC && c->config->full ? rc
                                                     : crash_failed(&c->why, "record", rc, &err);
    }
    result = disturbed(c) ? 0 : jfiles_check_names(c->w, NULL, &c->why);
    result = result != 0 || before == NULL ? result : check_cut(c, before);
    note_found(c);
    return result != 0 ? result : expect_count(c, journal, c->found.count);
}

static int dump_one(struct check *c, stele_journal *journal)
{
    uint64_t value = jmodel_next(&c->model, c->found.count + 1);
    struct jops_made made;
    stele_error err;
    stele_code rc;

    note(c, SIM_INTENT, JMODEL_DUMP, value);
    jops_make(&made, value, c->config->large);
    rc = stele_journal_dump_durable(journal, &made.op, &err);
    if (rc == STELE_ENOSPC && c->config->full) {
        return 0;
    }
    if (rc != STELE_OK) {
        return crash_failed(&c->why, "dump after a crash", rc, &err);
    }
    note(c, SIM_ACK, JMODEL_DUMP, value);
    c->found.count++;
    c->found.values[c->found.count] = value;
    return 0;
}

/* Merge: one snapshot, and one log if it records. */
static int merge(struct check *c, stele_journal *journal)
{
    struct jfiles_counts counts = {0};
    bool recording = stele_journal_is_recording(journal);
    stele_error err;
    stele_code rc = stele_journal_snapshot(journal, &err);
    int result;

    if (rc == STELE_ENOSPC && c->config->full) {
        return 0;
    }
    if (rc != STELE_OK) {
        return crash_failed(&c->why, "snapshot after a crash", rc, &err);
    }
    if (disturbed(c)) {
        return 0;
    }
    result = jfiles_check_names(c->w, &counts, &c->why);
    if (result == 0 &&
            ((counts.snaps != 1 && c->found.count > 0) || counts.logs != (recording ? 1U : 0U))) {
        result = crash_wrong(
                &c->why, "a merge leaves %u snapshots and %u logs", counts.snaps, counts.logs);
    }
    return result;
}

static int clear(struct check *c, stele_journal *journal)
{
    stele_error err;
    stele_code rc;

    note(c, SIM_INTENT, JMODEL_CLEAR, 0);
    rc = stele_journal_clear(journal, &err);
    if (rc != STELE_OK) {
        return crash_failed(&c->why, "clear after a crash", rc, &err);
    }
    note(c, SIM_ACK, JMODEL_CLEAR, 0);
    memset(&c->found, 0, sizeof c->found);
    return expect_count(c, journal, 0);
}

static int stop(struct check *c, stele_journal *journal)
{
    stele_error err;
    stele_code rc = stele_journal_stop(journal, &err);

    return rc == STELE_OK ? 0 : crash_failed(&c->why, "stop after a crash", rc, &err);
}

/* Two operations, and by the state's hash something between them. */
static int go_on(struct check *c, stele_journal *journal)
{
    int result = dump_one(c, journal);

    if (result == 0 && c->pick / 16 % 4 == 1) {
        result = merge(c, journal);
    } else if (result == 0 && c->pick / 16 % 4 == 2) {
        result = clear(c, journal);
    }
    return result != 0 ? result : dump_one(c, journal);
}

/* ---- Afterwards. ---- */

/* Stopped: as it was dumped, and without fault. */
static int judge_stopped(struct check *c, stele_journal *journal)
{
    int result = play_and_judge(c, journal);

    result = result != 0 || disturbed(c) ? result : jfiles_check_names(c->w, NULL, &c->why);
    if (result == 0 && c->seen.played.torn && !disturbed(c)) {
        result = crash_wrong(&c->why, "torn after stop()");
    }
    result = result != 0 ? result : play_again(c, journal);
    result = result != 0 ? result : check_dir(c, "");
    return result != 0 ? result
                       : jmodel_check_stat(journal, &c->w->env, &c->model, &c->seen, &c->why);
}

/* Record and stop: no byte of any file is another one. */
static int record_again(struct check *c)
{
    struct sim_image *before = sim_disk_image(c->w->disk);
    stele_journal *journal = NULL;
    int result = open_journal(c, false, &journal);
    int same;

    result = result != 0 ? result : begin(c, journal, before);
    result = result != 0 ? result : stop(c, journal);
    result = close_after(c, journal, result);
    same = jfiles_check_same(before, c->w, "record() and stop()", &c->why);
    if (result == STELE_ENOSPC && c->config->full) {
        return 0;
    }
    return result != 0 ? result : disturbed(c) ? 0 : same;
}

/* Merge while it is stopped, for some. */
static int merge_stopped(struct check *c, stele_journal *journal)
{
    int result;

    if (c->pick / 16 % 4 != 3) {
        return 0;
    }
    result = merge(c, journal);
    return result != 0 ? result : judge_stopped(c, journal);
}

/* ---- One crash more. ---- */

/* Play what a crash left; it is dropped. */
static int open_crashed(struct check *c, struct sim_image *crashed)
{
    struct sim_disk_options disk = {.sector_size = crashed->sector_size, .file_max = FILE_MAX};
    stele_journal *journal = NULL;
    int result;

    c->w = sim_world_new(c->pick, crashed, &disk);
    result = open_journal(c, true, &journal);
    result = result != 0 ? result : begin(c, journal, crashed);
    result = result != 0 ? result : dump_one(c, journal);
    result = close_after(c, journal, result);
    sim_world_free(c->w);
    sim_image_unref(crashed);
    return result;
}

/* On a disk of its own; then what a crash leaves. */
static int crash_again(struct check *c, struct sim_image *image, bool keep_all)
{
    struct sim_disk_options disk = {.sector_size = image->sector_size, .file_max = FILE_MAX};
    struct sim_image *crashed;
    stele_journal *journal = NULL;
    int result;

    c->w = sim_world_new(c->pick, image, &disk);
    result = open_journal(c, true, &journal);
    result = result != 0 ? result : begin(c, journal, image);
    result = result != 0 ? result : go_on(c, journal);
    (void)sim_disk_settle(c->w->disk);
    crashed = sim_crash_now(c->w->disk, keep_all);
    sim_disk_power_off(c->w->disk);
    (void)stele_journal_close(journal, NULL);
    sim_world_free(c->w);
    if (result != 0) {
        sim_image_unref(crashed);
        return result;
    }
    return open_crashed(c, crashed);
}

/* ---- The whole. ---- */

static int judge(struct check *c, const struct sim_image *before)
{
    stele_journal *journal = NULL;
    int result = reader(c);

    result = result != 0 ? result : open_journal(c, true, &journal);
    if (result != 0) {
        return result;
    }
    result = begin(c, journal, before);
    sim_note_recovered(c->w);
    if (result == STELE_ENOSPC && c->config->full) {
        return close_after(c, journal, 0);
    }
    result = result != 0 ? result : go_on(c, journal);
    result = result != 0 ? result : stop(c, journal);
    result = result != 0 ? result : judge_stopped(c, journal);
    result = result != 0 ? result : merge_stopped(c, journal);
    result = close_after(c, journal, result);
    return result != 0 ? result : record_again(c);
}

int journal_check(const struct jmodel_config *config, struct sim_world *w,
        const struct sim_notes *notes, char *why, size_t why_len)
{
    struct check *c = sim_alloc(sizeof *c);
    struct sim_image *image = sim_disk_image(w->disk);
    int result = 0;

    c->config = config;
    c->w = w;
    c->no_memory = w->no_memory;
    c->why = (struct crash_why){why, why_len};
    jmodel_of_notes(&c->model, config, notes);
    /* The lock file holds the number of the process, which is another one each time. */
    c->pick = sim_mix(jfiles_fingerprint(image) + notes->count);
    if (c->pick % 8 == 0) {
        result = crash_again(c, image, c->pick % 16 == 0);
        c->w = w;
        jmodel_of_notes(&c->model, config, notes);
    }
    result = result != 0 ? result : judge(c, image);
    sim_image_unref(image);
    free(c);
    return result;
}
