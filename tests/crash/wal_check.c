/* SPDX-License-Identifier: MIT
 *
 * wal_check.c: what every crashed state of a log has to stand.
 *
 * In order: a reader without the lock looks, and changes nothing; a writer opens, and finds what
 * the notes say and what the reader saw; what it cut is in quarantine; it appends; after a clean
 * close the directory checks without fault; another open finds the same and changes no byte.
 * For some of the states, chosen by their hash, what was appended, or truncated, is crashed once
 * more, and the directory is recovered first, which has to be harmless.
 */
#include "crash/wal_check.h"

#include "crash/wal_files.h"
#include "sim/crash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_MAX = 2 << 20
};

struct check {
    const struct wmodel_config *config;
    struct sim_world *w;
    struct wmodel model;
    struct wmodel_scan scan;
    struct crash_why why;
    uint64_t pick; /* by the state's hash */
};

/* Whether a fault kept something from being done that the next open makes good. */
static bool disturbed(const struct check *c)
{
    return sim_disk_fault_hits(c->w->disk) > 0;
}

/* Whether the log may not open before it is recovered. */
static bool needs_recovery(const struct check *c)
{
    return c->config->recover || c->model.recovering;
}

/* Close what a check had open; the first failure counts. */
static int close_after(struct check *c, stele_wal *wal, int result)
{
    stele_error err;
    stele_code rc = stele_wal_close(wal, &err);

    return result != 0 || rc == STELE_OK ? result : crash_failed(&c->why, "close", rc, &err);
}

static int scan_and_judge(struct check *c, stele_wal *wal, struct wmodel_scan *scan)
{
    int result = wmodel_read(wal, &c->model, scan, &c->why);

    result = result != 0 ? result : wmodel_check_kept(&c->model, scan, &c->why);
    return result != 0 ? result : wmodel_check_queries(wal, &c->model, scan, &c->why);
}

/* ---- Readers. ---- */

static int look(struct check *c, struct wmodel_scan *scan, bool *looked)
{
    stele_wal_options options;
    stele_wal *wal;
    stele_error err;
    stele_code rc;

    *looked = false;
    wmodel_options(c->config, &c->w->env, &options);
    options.create_dirs = false;
    options.read_only = true;
    options.no_map = c->pick / 2 % 2 == 0;
    rc = stele_wal_open(&wal, WMODEL_DIR, &options, &err);
    if (rc == STELE_ENOTFOUND && !wmodel_must_hold(&c->model)) {
        return 0;
    }
    if (rc != STELE_OK) {
        return crash_failed(&c->why, "open to read", rc, &err);
    }
    *looked = true;
    if (stele_wal_trim(wal, UINT64_MAX, NULL) == STELE_OK) {
        return close_after(c, wal, crash_wrong(&c->why, "a reader may write"));
    }
    return close_after(c, wal, scan_and_judge(c, wal, scan));
}

static int reader(struct check *c, struct wmodel_scan *scan, bool *looked)
{
    struct sim_image *before;
    int result;
    int same;

    *looked = false;
    if (needs_recovery(c) || c->pick % 2 == 0) {
        return 0;
    }
    before = sim_disk_image(c->w->disk);
    result = look(c, scan, looked);
    same = wfiles_check_same(before, c->w, "a reader", &c->why);
    return result != 0 ? result : same;
}

/* ---- The writer. ---- */

static void note(struct check *c, enum sim_note_kind kind, enum wmodel_note what, uint64_t value)
{
    struct sim_note made = {.kind = kind, .what = what, .value = value};

    wmodel_add(&c->model, &made);
    if (kind == SIM_INTENT) {
        sim_note_intent(c->w, what, value);
    } else {
        sim_note_ack(c->w, what, value);
    }
}

/* What a writer reads is durable, and what it does not find is gone. */
static void note_found(struct check *c)
{
    for (size_t i = 0; i < c->scan.count; i++) {
        note(c, SIM_ACK, WMODEL_APPEND, c->scan.values[i]);
    }
    if (c->scan.count > 0) {
        note(c, SIM_ACK, WMODEL_TRUNCATE, wmodel_last(&c->scan));
    }
}

static int recover(struct check *c)
{
    stele_wal_options options;
    stele_wal_recovered done;
    stele_error err;
    stele_code rc;

    wmodel_options(c->config, &c->w->env, &options);
    rc = stele_wal_recover_dir(WMODEL_DIR, &options, NULL, &done, &err);
    if (rc == STELE_ENOTFOUND && !wmodel_must_hold(&c->model)) {
        return 0;
    }
    return rc == STELE_OK ? 0 : crash_failed(&c->why, "recover", rc, &err);
}

/* Recover twice: the second time changes nothing. */
static int recover_twice(struct check *c)
{
    struct sim_image *before;
    int result = recover(c);
    int same;

    if (result != 0) {
        return result;
    }
    before = sim_disk_image(c->w->disk);
    result = recover(c);
    same = wfiles_check_same(before, c->w, "a second recovery", &c->why);
    return result != 0 ? result : same;
}

static int open_writer(struct check *c, stele_wal **out)
{
    stele_wal_options options;
    stele_error err;
    stele_code rc;

    wmodel_options(c->config, &c->w->env, &options);
    rc = stele_wal_open(out, WMODEL_DIR, &options, &err);
    return rc == STELE_OK ? 0 : crash_failed(&c->why, "open", rc, &err);
}

static int check_format(struct check *c, stele_wal *wal)
{
    stele_wal_stats stats;
    stele_error err;
    stele_code rc = stele_wal_stat(wal, &stats, &err);

    if (rc != STELE_OK) {
        return crash_failed(&c->why, "stat", rc, &err);
    }
    if ((!c->config->migrates && stats.format != c->config->format) ||
            (c->model.migrated >= 0 && c->model.migrated != (int64_t)stats.format)) {
        return crash_wrong(&c->why, "the format is %d", (int)stats.format);
    }
    return 0;
}

static int append_more(struct check *c, stele_wal *wal)
{
    uint64_t next = 0;
    bool any = false;
    uint64_t value;
    struct wmodel_record made;
    stele_error err;
    stele_code rc = stele_wal_next_id(wal, &next, &any, &err);

    if (rc != STELE_OK) {
        return crash_failed(&c->why, "next id", rc, &err);
    }
    if (any != (c->scan.count == 0) || (!any && next != wmodel_last(&c->scan) + 1)) {
        return crash_wrong(
                &c->why, "the next id is %" PRIu64 " after %" PRIu64, next, wmodel_last(&c->scan));
    }
    next = !any ? next : c->model.limit > 0 ? c->model.limit : 1;
    value = wmodel_value(next, wmodel_next_attempt(&c->model, next));
    note(c, SIM_INTENT, WMODEL_APPEND, value);
    wmodel_make(c->config, &made, value);
    rc = stele_wal_append(wal, &made.record, 1, &err);
    if (rc == STELE_ENOSPC && c->config->full) {
        return 0;
    }
    if (rc != STELE_OK) {
        return crash_failed(&c->why, "append after a crash", rc, &err);
    }
    note(c, SIM_ACK, WMODEL_APPEND, value);
    c->scan.values[c->scan.count++] = value;
    return wmodel_check_queries(wal, &c->model, &c->scan, &c->why);
}

/* What a writer that opened has cut is in quarantine. */
static int check_cut(struct check *c, const struct sim_image *before)
{
    struct sim_image *after = sim_disk_image(c->w->disk);
    int result = wfiles_check_quarantine(before, after, &c->why);

    /* On a full disk there may be no room for it. */
    if (result == 0 && !c->config->full) {
        result = wfiles_check_kept(before, after, &c->model, &c->scan, c->config->recover, &c->why);
    }
    sim_image_unref(after);
    return result;
}

/* The log as a writer finds it; then one record more is in c->scan, too. */
static int judge_writer(struct check *c, stele_wal *wal, const struct sim_image *before,
        const struct wmodel_scan *seen)
{
    int result = disturbed(c) ? 0 : wfiles_check_names(c->w, &c->why);

    result = result != 0 ? result : scan_and_judge(c, wal, &c->scan);
    result = result != 0 ? result : check_format(c, wal);
    result = result != 0 ? result : check_cut(c, before);
    if (result == 0 && seen != NULL && !wmodel_scans_equal(seen, &c->scan)) {
        result = crash_wrong(&c->why, "a reader saw other records than the writer finds");
    }
    if (result == 0) {
        note_found(c);
        result = append_more(c, wal);
    }
    sim_note_recovered(c->w);
    return result;
}

/* ---- Afterwards. ---- */

static void each_fault(void *arg, const stele_wal_fault *fault)
{
    struct check *c = arg;

    (void)crash_wrong(&c->why, "check finds in %s at %" PRId64 ": %s", fault->file, fault->position,
            fault->text);
}

static int run_check_dir(struct check *c)
{
    stele_wal_options options;
    stele_wal_checked checked;
    stele_error err;
    stele_code rc;

    wmodel_options(c->config, &c->w->env, &options);
    rc = stele_wal_check_dir(WMODEL_DIR, &options, each_fault, c, &checked, &err);
    if (rc == STELE_ECORRUPT) {
        return disturbed(c) ? STELE_EIO : 1;
    }
    if (rc != STELE_OK) {
        return crash_failed(&c->why, "check", rc, &err);
    }
    if (checked.records != c->scan.count) {
        return crash_wrong(&c->why, "check finds %" PRIu64 " records, not %zu", checked.records,
                c->scan.count);
    }
    return 0;
}

/* After a clean close nothing is to be done, whatever happened then; but a file may have come back
 * that was removed before, and goes now; and a full disk may have kept half of the manifest from
 * being written. */
static int open_closed(struct check *c)
{
    struct sim_image *before;
    stele_wal *wal;
    bool expected;
    int result;
    int same;

    if (!c->model.closed || needs_recovery(c)) {
        return 0;
    }
    before = sim_disk_image(c->w->disk);
    note(c, SIM_INTENT, WMODEL_CLOSE, 0);
    result = open_writer(c, &wal);
    result = result != 0 ? result : close_after(c, wal, 0);
    expected = wfiles_manifest_is_whole(before) && wfiles_all_there(before, c->w);
    same = wfiles_check_same(before, c->w, "opening what was closed", &c->why);
    return result != 0 ? result : disturbed(c) || !expected ? 0 : same;
}

/* Open again: the same, and no byte of any file is another one. */
static int open_again(struct check *c)
{
    struct wmodel_scan again;
    struct sim_image *before = sim_disk_image(c->w->disk);
    stele_wal *wal;
    int result = open_writer(c, &wal);
    int same;

    again.count = 0;
    if (result == 0) {
        result = close_after(c, wal, scan_and_judge(c, wal, &again));
    }
    same = wfiles_check_same(before, c->w, "another open", &c->why);
    if (result == 0 && !wmodel_scans_equal(&again, &c->scan)) {
        result = crash_wrong(
                &c->why, "another open finds %zu records, not %zu", again.count, c->scan.count);
    }
    return result != 0 ? result : disturbed(c) ? 0 : same;
}

/* ---- One crash more. ---- */

static int truncate_some(struct check *c, stele_wal *wal)
{
    uint64_t keep = wmodel_last(&c->scan) - (c->pick / 64 % (c->scan.count + 1));
    stele_error err;
    stele_code rc;

    note(c, SIM_INTENT, WMODEL_TRUNCATE, keep);
    rc = stele_wal_truncate(wal, keep, &err);
    if (rc != STELE_OK) {
        return crash_failed(&c->why, "truncate after a crash", rc, &err);
    }
    note(c, SIM_ACK, WMODEL_TRUNCATE, keep);
    return scan_and_judge(c, wal, &c->scan);
}

static int trim_some(struct check *c, stele_wal *wal)
{
    uint64_t discard = wmodel_last(&c->scan) - (c->pick / 64 % (c->scan.count + 1));
    stele_error err;
    stele_code rc;

    note(c, SIM_INTENT, WMODEL_TRIM, discard);
    rc = stele_wal_trim(wal, discard, &err);
    if (rc != STELE_OK) {
        return crash_failed(&c->why, "trim after a crash", rc, &err);
    }
    return scan_and_judge(c, wal, &c->scan);
}

/* Of the ways to go on. */
static bool only_appends(const struct check *c)
{
    return c->pick / 16 % 4 == 0;
}

/* Append, then truncate or trim, and append again. */
static int go_on(struct check *c, stele_wal *wal, const struct sim_image *image)
{
    int result = judge_writer(c, wal, image, NULL);

    if (result != 0 || only_appends(c)) {
        return result;
    }
    result = c->pick / 16 % 4 == 1 ? truncate_some(c, wal) : trim_some(c, wal);
    return result != 0 ? result : append_more(c, wal);
}

/* Open what a crash left; it is dropped. */
static int open_crashed(struct check *c, struct sim_image *crashed)
{
    struct sim_disk_options disk = {.sector_size = crashed->sector_size, .file_max = FILE_MAX};
    stele_wal *wal;
    int result;

    c->w = sim_world_new(c->pick, crashed, &disk);
    result = open_writer(c, &wal);
    if (result == 0) {
        result = close_after(c, wal, scan_and_judge(c, wal, &c->scan));
    }
    sim_world_free(c->w);
    sim_image_unref(crashed);
    return result;
}

/* On a disk of its own; then what a crash leaves. */
static int crash_again(struct check *c, struct sim_image *image, bool keep_all)
{
    struct sim_disk_options disk = {.sector_size = image->sector_size, .file_max = FILE_MAX};
    stele_wal *wal = NULL;
    struct sim_image *crashed;
    static const struct wmodel_scan nothing = {.count = 0};
    struct wmodel *first = sim_alloc(sizeof *first);
    int result;

    *first = c->model;
    c->w = sim_world_new(c->pick, image, &disk);
    result = needs_recovery(c) ? recover(c) : 0;
    result = result != 0 ? result : open_writer(c, &wal);
    result = result != 0 ? result : go_on(c, wal, image);
    (void)sim_disk_settle(c->w->disk);
    crashed = sim_crash_now(c->w->disk, keep_all);
    sim_disk_power_off(c->w->disk);
    (void)stele_wal_close(wal, NULL);
    sim_world_free(c->w);
    if (result == 0 && only_appends(c) && !c->config->full) {
        /* What was put aside is durable. */
        result = wfiles_check_kept(image, crashed, first, &nothing, false, &c->why);
    }
    free(first);
    if (result != 0) {
        sim_image_unref(crashed);
        return result;
    }
    return open_crashed(c, crashed);
}

/* ---- The whole. ---- */

static int judge(struct check *c, const struct sim_image *before)
{
    struct wmodel_scan seen;
    bool looked;
    stele_wal *wal = NULL;
    int result = reader(c, &seen, &looked);

    result = result != 0 ? result : open_closed(c);
    if (result == 0 && (needs_recovery(c) || (c->pick % 16 == 5 && !c->config->full))) {
        note(c, SIM_INTENT, WMODEL_RECOVER, 0);
        result = recover_twice(c);
        if (result == 0) {
            note(c, SIM_ACK, WMODEL_RECOVER, 0);
        }
    }
    result = result != 0 ? result : open_writer(c, &wal);
    if (result != 0) {
        return result;
    }
    result = close_after(c, wal, judge_writer(c, wal, before, looked ? &seen : NULL));
    result = result != 0 || disturbed(c) ? result : wfiles_check_names(c->w, &c->why);
    result = result != 0 ? result : run_check_dir(c);
    return result != 0 ? result : open_again(c);
}

int wal_check(const struct wmodel_config *config, struct sim_world *w,
        const struct sim_notes *notes, char *why, size_t why_len)
{
    struct check *c = sim_alloc(sizeof *c);
    struct sim_image *image = sim_disk_image(w->disk);
    int result = 0;

    c->config = config;
    c->w = w;
    c->why = (struct crash_why){why, why_len};
    wmodel_of_notes(&c->model, config, notes);
    /* The lock file holds the number of the process, which is another one each time. */
    c->pick = sim_mix(wfiles_fingerprint(image) + notes->count);
    if (c->pick % 8 == 0) {
        result = crash_again(c, image, c->pick % 16 == 0);
        c->w = w;
        wmodel_of_notes(&c->model, config, notes);
    }
    result = result != 0 ? result : judge(c, image);
    sim_image_unref(image);
    free(c);
    return result;
}
