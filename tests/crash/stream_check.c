/* SPDX-License-Identifier: MIT
 *
 * stream_check.c: what every crashed state has to stand.
 *
 * In order: readers look, with and without a lock, and change nothing; a
 * writer opens, and finds what the notes say; what it cut is in quarantine, and
 * what was there before still is; no second writer may open; it publishes and
 * syncs; a clean close gives the sizes that stat() said; the directory checks
 * without fault; another open finds the same and changes no byte. For some of
 * the states the writer publishes more, is crashed, and all is judged again.
 *
 * What costs much is done for a part of the states, chosen by their hash.
 */
#include "crash/stream_check.h"

#include "crash/stream_files.h"
#include "sim/crash.h"
#include "sim/seen.h"
#include "stream/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MORE = 3 /* messages before a second crash */
};

struct check {
    const struct model_config *config;
    struct sim_world *w;
    struct model model;
    struct model_scan scan;
    struct crash_why why;
    uint64_t pick;            /* by the state's hash */
    struct model_found found; /* before anybody opened */
    struct sim_image *before; /* then */
    bool lost[MODEL_OFFSETS]; /* as recovery told */
    int64_t recovered;        /* messages, as recovery told; or -1 */
    int64_t size;             /* as stat() said before close */
};

/* Compare the files with an image, which is dropped. */
static int unchanged(struct check *c, struct sim_image *before, const char *who)
{
    struct sim_image *after = sim_disk_image(c->w->disk);
    int result = model_check_same(before, after, MODEL_DIR, who, &c->why);

    sim_image_unref(before);
    sim_image_unref(after);
    return result;
}

/* Whether a failure kept something from being written that can be made again; it is said. */
static bool disturbed(const struct check *c)
{
    return sim_disk_fault_hits(c->w->disk) > 0 ||
           strstr(sim_world_log(c->w), "not written") != NULL;
}

static int names(struct check *c, bool closed)
{
    struct sim_image *image = sim_disk_image(c->w->disk);
    /* A disk that fails everything keeps its temporary files, too: the next open
     * removes them. */
    int result = disturbed(c) ? 0 : model_check_names(image, MODEL_DIR, closed, &c->why);

    sim_image_unref(image);
    return result;
}

/* Close what a check had open; the first failure counts. */
static int close_after(struct check *c, stele_stream *s, int result)
{
    stele_error err;
    stele_code rc = stele_stream_close(s, &err);

    return result != 0 || rc == STELE_OK ? result : crash_failed(&c->why, "close", rc, &err);
}

static int scan_and_judge(struct check *c, stele_stream *s, struct model_scan *scan)
{
    int result = model_read(s, &c->model, scan, &c->why);

    result = result != 0 ? result : model_check_kept(&c->model, scan, &c->why);
    return result != 0 ? result : model_check_queries(s, c->config, &c->model, scan, &c->why);
}

/* ---- Readers. ---- */

/* A stream that is not there yet is none for a reader. */
static bool not_there(const struct check *c, stele_code rc)
{
    return rc == STELE_ENOTFOUND && c->model.durable == 0;
}

static int look(struct check *c, bool live, struct model_scan *scan, bool *looked)
{
    stele_stream_options options;
    stele_stream *s;
    stele_error err;
    stele_code rc;

    *looked = false;
    model_options(c->config, &c->w->env, &options);
    options.create_dirs = false;
    options.eager_migrate = false;
    options.read_only = true;
    options.live = live;
    rc = stele_stream_open(&s, MODEL_DIR, &options, &err);
    if (rc != STELE_OK) {
        return not_there(c, rc)
                       ? 0
                       : crash_failed(&c->why, live ? "open live" : "open to read", rc, &err);
    }
    *looked = true;
    return close_after(c, s, scan_and_judge(c, s, scan));
}

static int readers(struct check *c, struct model_scan *scan, bool *looked)
{
    struct sim_image *before;
    int result;
    int same;

    *looked = false;
    if (c->config->recover || c->pick % 3 == 0) {
        return 0;
    }
    before = sim_disk_image(c->w->disk);
    result = look(c, c->pick % 3 == 1, scan, looked);
    same = unchanged(c, before, "a reader");
    return result != 0 ? result : same;
}

/* ---- The writer. ---- */

static void note(struct check *c, enum sim_note_kind kind, enum model_note what, uint64_t value)
{
    struct sim_note made = {.kind = kind, .what = what, .value = value};

    model_add(&c->model, &made);
    if (kind == SIM_INTENT) {
        sim_note_intent(c->w, what, value);
    } else {
        sim_note_ack(c->w, what, value);
    }
}

/* What was visible and not durable, and is gone now, stays so when later messages are durable. */
static void note_lost(struct check *c)
{
    size_t at = 0;

    for (int64_t i = 0; i < c->model.limit; i++) {
        if (at < c->scan.count && (int64_t)(c->scan.values[at] / MODEL_ATTEMPTS) == i) {
            at++;
        } else if (c->model.offsets[i].visible != 0) {
            note(c, SIM_INTENT, MODEL_LOST, (uint64_t)i);
        }
    }
}

/* A publish may have been under way when the power went: its message is visible now, if it is
 * there, and durable with those behind it. */
static void note_seen(struct check *c)
{
    for (size_t i = 0; i < c->scan.count; i++) {
        const uint64_t value = c->scan.values[i];

        if ((c->model.offsets[value / MODEL_ATTEMPTS].visible >> value % MODEL_ATTEMPTS & 1) == 0) {
            note(c, SIM_ACK, MODEL_PUBLISH, value);
        }
    }
}

static int publish_more(struct check *c, stele_stream *s)
{
    int64_t offset = c->scan.next;
    uint64_t value = model_value(offset, model_next_attempt(&c->model, offset));
    struct model_message message;
    int64_t durable = -1;
    stele_error err;
    stele_code rc;

    if (offset >= MODEL_OFFSETS) {
        return crash_wrong(&c->why, "the next offset is %" PRId64, offset);
    }
    model_make(&message, value);
    note_seen(c);
    note_lost(c);
    note(c, SIM_INTENT, MODEL_PUBLISH, value);
    rc = stele_stream_publish(s, &message.message, 1, NULL, &err);
    if (rc != STELE_OK) {
        return crash_failed(&c->why, "publish after a crash", rc, &err);
    }
    note(c, SIM_ACK, MODEL_PUBLISH, value);
    rc = stele_stream_sync(s, &durable, &err);
    if (rc != STELE_OK) {
        return crash_failed(&c->why, "sync after a crash", rc, &err);
    }
    if (durable != offset + 1) {
        return crash_wrong(
                &c->why, "sync makes %" PRId64 " durable, not %" PRId64, durable, offset + 1);
    }
    note(c, SIM_ACK, MODEL_DURABLE, (uint64_t)durable);
    return 0;
}

static int take_size(struct check *c, stele_stream *s)
{
    stele_stream_stats stats;
    stele_error err;
    stele_code rc = stele_stream_stat(s, &stats, &err);

    c->size = stats.size;
    return rc == STELE_OK ? 0 : crash_failed(&c->why, "stat", rc, &err);
}

static void each_lost(void *arg, int64_t first, int64_t last)
{
    struct check *c = arg;

    for (int64_t i = first; i <= last && i >= 0 && i < MODEL_OFFSETS; i++) {
        c->lost[i] = true;
    }
}

static int open_writer(struct check *c, stele_stream **out)
{
    stele_stream_recover_events events = {.arg = c, .lost = each_lost};
    stele_stream_recovered recovered;
    stele_stream_options options;
    stele_error err;
    stele_code rc;

    c->recovered = -1;
    model_options(c->config, &c->w->env, &options);
    if (c->config->recover) {
        rc = stele_stream_recover_dir(MODEL_DIR, &options, &events, &recovered, &err);
        if (rc != STELE_OK && !not_there(c, rc)) {
            return crash_failed(&c->why, "recover", rc, &err);
        }
        c->recovered = rc == STELE_OK ? recovered.messages : -1;
    }
    rc = stele_stream_open(out, MODEL_DIR, &options, &err);
    return rc == STELE_OK ? 0 : crash_failed(&c->why, "open", rc, &err);
}

/* A message that was whole in a file and is not in the stream is in quarantine, unless it was to be
 * deleted. */
static int check_nothing_lost(struct check *c, const struct sim_image *image)
{
    struct model_found now;

    model_find(&now, image, MODEL_DIR, c->config, &c->model);
    for (int64_t i = 0; i < c->model.limit; i++) {
        bool was = c->found.whole[i] || c->model.offsets[i].seen;

        if (was && !now.whole[i] && !c->model.offsets[i].may_go) {
            return crash_wrong(&c->why, "the message of offset %" PRId64 " was thrown away", i);
        }
    }
    return 0;
}

/* What is there now may not go; if a crash comes, the next check sees to it. */
static void note_kept(struct check *c, const struct sim_image *image)
{
    uint64_t hashes[MODEL_ASIDE];
    size_t count = model_list_kept(image, MODEL_DIR, hashes);

    for (size_t i = 0; i < count; i++) {
        note(c, SIM_ACK, MODEL_KEPT, hashes[i]);
    }
}

static void note_found(struct check *c)
{
    for (int64_t i = 0; i < c->model.limit; i++) {
        if (c->found.whole[i]) {
            note(c, SIM_INTENT, MODEL_SEEN, (uint64_t)i);
        }
    }
    if (c->found.highest >= 0) {
        note(c, SIM_INTENT, MODEL_SHOWN, (uint64_t)c->found.highest);
    }
}

/* The bytes that opening took away are elsewhere. */
static int check_aside(struct check *c)
{
    struct sim_image *image = sim_disk_image(c->w->disk);
    int result = check_nothing_lost(c, image);

    result = result != 0 ? result : model_check_aside(image, MODEL_DIR, &c->model, &c->why);
    result = result != 0 ? result : model_check_damaged(image, MODEL_DIR, &c->model, &c->why);
    if (result == 0 && !c->model.rewrites && !c->config->recover && !c->config->eager_migrate) {
        result = model_check_cut(c->before, image, MODEL_DIR, &c->why);
    } else if (result == 0 && !c->model.rewrites && !c->config->eager_migrate) {
        result = model_check_pieces(c->before, image, MODEL_DIR, &c->why);
    }
    note_kept(c, image);
    sim_image_unref(image);
    return result;
}

static int check_lost(struct check *c)
{
    if (c->recovered >= 0 && c->recovered != (int64_t)c->scan.count) {
        return crash_wrong(&c->why, "recovery counts %" PRId64 " messages, and there are %zu",
                c->recovered, c->scan.count);
    }
    for (size_t i = 0; i < c->scan.count; i++) {
        int64_t offset = (int64_t)(c->scan.values[i] / MODEL_ATTEMPTS);

        if (c->lost[offset]) {
            return crash_wrong(&c->why, "recovery lost %" PRId64 ", which is there", offset);
        }
    }
    return 0;
}

/* While one writes no other may. */
static int check_second(struct check *c)
{
    stele_stream_options options;
    stele_stream *other = NULL;

    model_options(c->config, &c->w->env, &options);
    if (stele_stream_open(&other, MODEL_DIR, &options, NULL) == STELE_OK) {
        (void)stele_stream_close(other, NULL);
        return crash_wrong(&c->why, "a second writer could open");
    }
    return 0;
}

static int judge_writer(struct check *c, stele_stream *s, const struct model_scan *seen)
{
    int result = names(c, false);

    result = result != 0 ? result : scan_and_judge(c, s, &c->scan);
    if (result != 0) {
        return result;
    }
    if (c->scan.next <= c->model.shown) {
        return crash_wrong(&c->why, "the next offset is %" PRId64 ", and the files showed %" PRId64,
                c->scan.next, c->model.shown);
    }
    result = check_aside(c);
    result = result != 0 ? result : check_lost(c);
    result = result != 0 ? result : check_second(c);
    if (result != 0) {
        return result;
    }
    if (seen != NULL && !model_scans_equal(seen, &c->scan)) {
        return crash_wrong(&c->why, "a reader saw other messages than the writer finds");
    }
    result = publish_more(c, s);
    sim_note_recovered(c->w);
    return result != 0 ? result : take_size(c, s);
}

/* ---- Afterwards. ---- */

struct faults {
    struct check *check;
    int64_t count;
};

static void each_fault(void *arg, const stele_stream_fault *fault)
{
    struct faults *f = arg;
    int64_t base;

    /* A side file is not synced, and made again when it is needed. A write that came in pieces may
     * have left a part of one of its sectors, which looks like damage. */
    if (fault->code >= STELE_OK || sti_name_parse(fault->file, &base) == STI_NAME_KEYS) {
        return;
    }
    if (f->count++ == 0) {
        (void)crash_wrong(&f->check->why, "check finds in %s at %" PRId64 ": %s", fault->file,
                fault->position, fault->text);
    }
}

static int run_check_dir(struct check *c)
{
    struct faults faults = {c, 0};
    stele_stream_options options;
    stele_error err;
    stele_code rc;

    model_options(c->config, &c->w->env, &options);
    rc = stele_stream_check_dir(MODEL_DIR, &options, false, each_fault, &faults, NULL, &err);
    if (faults.count > 0) {
        return disturbed(c) ? STELE_EIO : 1;
    }
    return rc == STELE_OK || rc == STELE_ECORRUPT ? 0 : crash_failed(&c->why, "check", rc, &err);
}

static int judge_closed(struct check *c)
{
    struct sim_image *image = sim_disk_image(c->w->disk);
    int64_t size = model_files_size(image, MODEL_DIR);
    int result = disturbed(c) ? 0 : model_check_names(image, MODEL_DIR, true, &c->why);

    sim_image_unref(image);
    if (result == 0 && size != c->size && !disturbed(c)) {
        result = crash_wrong(&c->why,
                "stat said %" PRId64 " bytes, and after close there are %" PRId64, c->size, size);
    }
    return result;
}

/* Open again: the same, and no byte of any file is another one. */
static int open_again(struct check *c)
{
    struct model_scan again;
    struct sim_image *before;
    stele_stream *s;
    int same;
    int result;

    before = sim_disk_image(c->w->disk);
    result = open_writer(c, &s);
    if (result == 0) {
        result = close_after(c, s, scan_and_judge(c, s, &again));
    }
    same = unchanged(c, before, "another open");
    if (result == 0 && (again.count != c->scan.count + 1 || again.next != c->scan.next + 1)) {
        result = crash_wrong(&c->why, "another open finds %zu messages, not %zu", again.count,
                c->scan.count + 1);
    }
    return result != 0 ? result : disturbed(c) ? 0 : same;
}

/* ---- The copy. ---- */

static int judge_backup(struct check *c)
{
    struct model copy = c->model;
    struct model_scan scan;
    stele_stream_options options;
    stele_stream *s;
    stele_error err;
    stele_code rc;
    int result;

    if (c->model.backup < 0) {
        return 0;
    }
    copy.durable = c->model.backup;
    for (int64_t i = 0; i < MODEL_OFFSETS; i++) {
        uint32_t visible = copy.offsets[i].visible;

        copy.offsets[i].gone = false;
        if ((visible & (visible - 1)) != 0) {
            /* A failed sync lost it, and it came again: the copy may hold either. */
            copy.offsets[i].visible = 0;
        }
    }
    model_options(c->config, &c->w->env, &options);
    rc = stele_stream_open(&s, MODEL_TARGET, &options, &err);
    if (rc != STELE_OK) {
        return crash_failed(&c->why, "open the copy", rc, &err);
    }
    result = model_read(s, &copy, &scan, &c->why);
    result = result != 0 ? result : model_check_kept(&copy, &scan, &c->why);
    return close_after(c, s, result);
}

/* ---- The whole. ---- */

static int judge(struct check *c)
{
    struct model_scan seen;
    bool looked;
    stele_stream *s = NULL;
    int result = readers(c, &seen, &looked);

    result = result != 0 ? result : judge_backup(c);
    result = result != 0 ? result : open_writer(c, &s);
    if (result != 0) {
        return result;
    }
    result = close_after(c, s, judge_writer(c, s, looked ? &seen : NULL));
    result = result != 0 ? result : judge_closed(c);
    result = result != 0 ? result : run_check_dir(c);
    return result != 0 ? result : open_again(c);
}

/* Take an image for the state that is to be judged. */
static void begin(struct check *c, struct sim_image *image)
{
    c->before = image;
    model_find(&c->found, image, MODEL_DIR, c->config, &c->model);
    note_found(c);
}

/* ---- One crash more. ---- */

static int publish_unsynced(struct check *c, stele_stream *s)
{
    struct model_message made[MORE];
    stele_message messages[MORE];
    uint64_t values[MORE];
    int64_t next = 0;
    stele_error err;
    stele_code rc = stele_stream_next_offset(s, &next, &err);

    if (rc != STELE_OK || next + MORE >= MODEL_OFFSETS) {
        return rc == STELE_OK ? 0 : crash_failed(&c->why, "next offset", rc, &err);
    }
    for (int64_t i = 0; i < MORE; i++) {
        values[i] = model_value(next + i, model_next_attempt(&c->model, next + i));
        model_make(&made[i], values[i]);
        messages[i] = made[i].message;
        note(c, SIM_INTENT, MODEL_PUBLISH, values[i]);
    }
    rc = stele_stream_publish(s, messages, MORE, NULL, &err);
    if (rc != STELE_OK) {
        return crash_failed(&c->why, "publish more after a crash", rc, &err);
    }
    for (int64_t i = 0; i < MORE; i++) {
        note(c, SIM_ACK, MODEL_PUBLISH, values[i]);
    }
    return 0;
}

/* Look at what was recovered, and publish nothing that is durable. */
static int look_only(struct check *c, stele_stream *s)
{
    int result = scan_and_judge(c, s, &c->scan);

    result = result != 0 ? result : check_aside(c);
    note_lost(c);
    return result;
}

/* All, nothing, or some of what is not durable. */
static struct sim_image *crash_now(struct check *c, uint64_t pick)
{
    struct sim_cursor *cursor;
    struct sim_image *image;
    uint8_t *keep;
    size_t n;

    cursor = sim_cursor_new(c->w->disk);
    n = sim_cursor_seek(cursor, sim_disk_settle(c->w->disk));
    keep = sim_alloc(n + 1);
    for (size_t i = 0; i < n; i++) {
        keep[i] = pick % 4 == 0 ? 1 : pick % 4 == 1 ? 0 : (uint8_t)(sim_mix(pick + i) & 1);
    }
    (void)sim_cursor_choose(cursor, keep);
    image = sim_cursor_image(cursor);
    free(keep);
    sim_cursor_free(cursor);
    return image;
}

/* Open, for half of the states publish and sync, and publish more, on a disk of its own; then judge
 * what a crash leaves. */
static int crash_again(const struct check *c, struct sim_image *image)
{
    struct sim_disk_options disk = {.sector_size = image->sector_size, .file_max = 2 << 20};
    struct check *inner = sim_alloc(sizeof *inner);
    struct sim_world *w = sim_world_new(c->pick, image, &disk);
    stele_stream *s = NULL;
    struct sim_image *crashed;
    int result;

    *inner = *c;
    inner->w = w;
    begin(inner, image);
    result = open_writer(inner, &s);
    if (result == 0) {
        result = c->pick % 16 == 0 ? look_only(inner, s) : judge_writer(inner, s, NULL);
    }
    result = result != 0 ? result : publish_unsynced(inner, s);
    /* The stream's thread may be at work: first nothing changes any more. */
    sim_disk_power_off(w->disk);
    crashed = result != 0 ? NULL : crash_now(inner, sim_mix(c->pick));
    (void)stele_stream_close(s, NULL);
    if (crashed != NULL) {
        inner->w = sim_world_new(c->pick, crashed, &disk);
        memset(inner->lost, 0, sizeof inner->lost);
        begin(inner, crashed);
        result = judge(inner);
        sim_world_free(inner->w);
        sim_image_unref(crashed);
    }
    sim_world_free(w);
    free(inner);
    return result;
}

/* States that stood this, in this process: loops come back to one state with each of their faults,
 * which the disk here does not have. */
static struct sim_seen stood;

static int crash_again_once(
        const struct check *c, struct sim_image *image, const struct sim_notes *notes)
{
    uint64_t key = sim_mix(sim_notes_hash(notes, c->pick) + (uintptr_t)c->config);
    int result;

    if (sim_seen_has(&stood, key)) {
        return 0;
    }
    result = crash_again(c, image);
    if (result == 0) {
        (void)sim_seen_add(&stood, key);
    }
    return result;
}

int stream_check(const struct model_config *config, struct sim_world *w,
        const struct sim_notes *notes, char *why, size_t why_len)
{
    struct check *c = sim_alloc(sizeof *c);
    struct sim_image *image = sim_disk_image(w->disk);
    int result = 0;

    *c = (struct check){.config = config, .w = w, .why = {why, why_len}};
    model_of_notes(&c->model, notes);
    /* The lock file holds the number of the process, which is another one each time. */
    c->pick = sim_mix(model_fingerprint(image, MODEL_DIR) + notes->count);
    if (c->pick % 8 == 0) {
        result = crash_again_once(c, image, notes);
    }
    if (result == 0) {
        begin(c, image);
        result = judge(c);
    }
    sim_image_unref(image);
    free(c);
    return result;
}
