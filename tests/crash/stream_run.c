/* SPDX-License-Identifier: MIT */
#include "crash/stream_run.h"

#include "crash/stream_check.h"
#include "crash/stream_files.h"
#include "stream/state.h"

#include <stdlib.h>
#include <string.h>

enum {
    TRIES = 3,
    PUBLISH_MAX = 8,
    LENT = 4
};

/* ---- Notes. ---- */

static void note(
        struct stream_run *r, enum sim_note_kind kind, enum model_note what, uint64_t value)
{
    struct sim_note made = {.kind = kind, .what = what, .value = value};

    model_add(&r->model, &made);
    if (kind == SIM_INTENT) {
        sim_note_intent(r->w, what, value);
    } else {
        sim_note_ack(r->w, what, value);
    }
}

/* A directory whose sync failed has lost names for good in this simulation, and no later call
 * could know: file systems stop writing then, and so does this program. */
static bool lost_names(const stele_error *err)
{
    return strstr(err->message, "cannot sync the directory") != NULL;
}

static void failed(struct stream_run *r, stele_code rc)
{
    r->over = r->over || lost_names(&r->err);
    if (r->first == STELE_OK) {
        r->first = rc;
    }
}

/* ---- Opening. ---- */

void run_begin(struct stream_run *r, struct sim_world *w, const struct model_config *config)
{
    struct sim_notes notes = sim_world_notes(w);

    memset(r, 0, sizeof *r);
    r->w = w;
    r->config = config;
    model_of_notes(&r->model, &notes);
}

static int wrong(struct stream_run *r, const char *text)
{
    return r->wrong != 0 ? r->wrong : (r->wrong = sim_wrong(r->w, "%s", text));
}

static void take_over(struct stream_run *r, const struct model_scan *scan)
{
    bool there[MODEL_OFFSETS] = {false};

    for (size_t i = 0; i < scan->count; i++) {
        int64_t offset = (int64_t)(scan->values[i] / MODEL_ATTEMPTS);
        uint32_t bit = 1U << scan->values[i] % MODEL_ATTEMPTS;

        there[offset] = true;
        if ((r->model.offsets[offset].visible & bit) == 0) {
            note(r, SIM_ACK, MODEL_PUBLISH, scan->values[i]);
        }
    }
    /* A sync that failed may have taken back what was not durable. */
    for (int64_t i = r->model.durable; i < r->model.limit; i++) {
        if (!there[i] && r->model.offsets[i].visible != 0) {
            note(r, SIM_INTENT, MODEL_LOST, (uint64_t)i);
        }
    }
}

/* What was found after an error counts as visible from now on. */
static void adopt(struct stream_run *r)
{
    struct model_scan scan;
    char text[256] = "";
    struct crash_why why = {text, sizeof text};
    int result = model_read(r->s, &r->model, &scan, &why);

    result = result != 0 ? result : model_check_kept(&r->model, &scan, &why);
    if (result > 0) {
        r->wrong = sim_wrong(r->w, "after reopening: %s", text);
    } else if (result == 0) {
        take_over(r, &scan);
    } else {
        failed(r, result);
    }
}

/* While one writes no other may. */
static void try_second(struct stream_run *r, const stele_stream_options *options)
{
    stele_stream *other = NULL;

    if (stele_stream_open(&other, MODEL_DIR, options, NULL) == STELE_OK) {
        (void)stele_stream_close(other, NULL);
        (void)wrong(r, "a second writer could open");
    }
}

/* What was put aside so far is there from now on. */
static void note_kept(struct stream_run *r)
{
    struct sim_image *image = sim_disk_image(r->w->disk);
    uint64_t hashes[MODEL_ASIDE];
    size_t count = model_list_kept(image, MODEL_DIR, hashes);

    sim_image_unref(image);
    for (size_t i = 0; i < count; i++) {
        note(r, SIM_ACK, MODEL_KEPT, hashes[i]);
    }
}

/* Recovery says which offsets are lost: those that were there and are not now. */
static void judge_lost(struct stream_run *r)
{
    struct model_scan scan;
    char text[256] = "";
    struct crash_why why = {text, sizeof text};
    size_t at = 0;

    r->recovered = false;
    if (r->first != STELE_OK || model_read(r->s, &r->model, &scan, &why) != 0) {
        return;
    }
    for (int64_t i = 0; i < r->model.limit; i++) {
        bool there = at < scan.count && (int64_t)(scan.values[at] / MODEL_ATTEMPTS) == i;
        bool was = r->model.offsets[i].visible != 0 && !r->model.offsets[i].gone;

        at += there ? 1 : 0;
        if (was && there == r->lost[i]) {
            (void)wrong(r, there ? "recovery says that a message is lost which is there"
                                 : "recovery does not say that a message is lost");
        }
    }
}

void run_open(struct stream_run *r)
{
    stele_stream_options options;
    stele_code rc = STELE_EIO;

    model_options(r->config, &r->w->env, &options);
    for (int i = 0; i < TRIES && rc != STELE_OK && !r->over; i++) {
        rc = stele_stream_open(&r->s, MODEL_DIR, &options, &r->err);
        if (rc != STELE_OK) {
            failed(r, rc);
        } else {
            sti_work_defer(r->s);
        }
    }
    r->refused = false;
    memset(r->refusals, 0, sizeof r->refusals);
    if (rc != STELE_OK) {
        r->over = true;
        return;
    }
    note_kept(r);
    try_second(r, &options);
    if (r->first != STELE_OK) {
        adopt(r);
    } else if (r->recovered) {
        judge_lost(r);
    }
}

static void reopen(struct stream_run *r)
{
    (void)stele_stream_close(r->s, NULL);
    r->s = NULL;
    run_open(r);
}

void run_work(struct stream_run *r)
{
    if (r->s != NULL && r->config->deferred) {
        (void)sti_work_once(r->s);
    }
}

void run_close(struct stream_run *r)
{
    int64_t next = 0;
    stele_code rc;

    if (r->s == NULL) {
        return;
    }
    rc = stele_stream_next_offset(r->s, &next, &r->err);
    rc = rc != STELE_OK ? rc : stele_stream_close(r->s, &r->err);
    r->s = NULL;
    if (rc == STELE_OK) {
        note(r, SIM_ACK, MODEL_DURABLE, (uint64_t)next);
    } else {
        failed(r, rc);
    }
}

void run_gc(struct stream_run *r)
{
    if (r->s != NULL && !r->over && stele_stream_gc(r->s, 0, &r->err) != STELE_OK) {
        failed(r, STELE_EIO);
    }
}

void run_lend(struct stream_run *r)
{
    char text[256] = "";
    struct crash_why why = {text, sizeof text};
    int64_t next;

    if (r->s == NULL || r->over || r->lent != NULL ||
            model_read(r->s, &r->model, &r->lent_as, &why) != 0 ||
            stele_messages_new(&r->lent, NULL) != STELE_OK) {
        return;
    }
    if (stele_stream_consume(r->s, STELE_OFFSET_OLDEST, LENT, r->lent, &next, NULL) != STELE_OK) {
        stele_messages_clear(r->lent);
    }
}

/* What was lent is what it was, whatever became of the stream. */
static void judge_lent(struct stream_run *r)
{
    size_t count = r->lent != NULL ? stele_messages_count(r->lent) : 0;

    for (size_t i = 0; i < count && r->wrong == 0; i++) {
        if (i >= r->lent_as.count ||
                !model_same(stele_messages_at(r->lent, i), r->lent_as.values[i])) {
            (void)wrong(r, "a message that was lent is another one now");
        }
    }
    stele_messages_free(r->lent);
    r->lent = NULL;
}

/* Of a stream on which nothing but publishing was ever done. */
static void judge_times(struct stream_run *r)
{
    struct sim_image *image;
    char text[200] = "";
    struct crash_why why = {text, sizeof text};

    if (r->first != STELE_OK || r->model.rewrites || r->config->recover ||
            r->config->eager_migrate || strstr(sim_world_log(r->w), "made again") != NULL) {
        return;
    }
    image = sim_disk_image(r->w->disk);
    if (model_check_times(image, MODEL_DIR, r->config, &why) != 0) {
        (void)wrong(r, text);
    }
    sim_image_unref(image);
}

int run_end(struct stream_run *r)
{
    run_close(r);
    judge_times(r);
    judge_lent(r);
    return r->wrong != 0 ? r->wrong : r->first;
}

/* Whether a step that failed is worth another try; opens again if need be. */
static bool again(struct stream_run *r, stele_code rc, int tried)
{
    failed(r, rc);
    if (tried + 1 == TRIES) {
        r->over = true;
    } else if (rc == STELE_EFAILED) {
        reopen(r);
    }
    return !r->over;
}

/* ---- Writing. ---- */

/* What a program publishes: `gap` offsets are left out before each message, or the stream says
 * which offset it gets. */
struct batch {
    size_t count;
    bool given;
    int64_t gap;
};

/* Where another message is expected, or was, nothing may be published. */
static stele_code try_elsewhere(
        struct stream_run *r, const struct batch *b, int64_t next, const stele_message *message)
{
    stele_message used = *message;
    stele_code rc;

    if (!b->given) {
        rc = stele_stream_publish_at(r->s, next + 1, message, 1, NULL, &r->err);
        if (rc == STELE_OK) {
            (void)wrong(r, "publish where another offset was expected");
        }
        return rc == STELE_ECONFLICT ? STELE_OK : rc;
    }
    used.offset = next - 1;
    rc = stele_stream_publish_offsets(r->s, &used, 1, NULL, &r->err);
    if (rc == STELE_OK) {
        (void)wrong(r, "publish at an offset that was given before");
    }
    return rc == STELE_EOFFSET ? STELE_OK : rc;
}

static stele_code publish_batch(struct stream_run *r, const struct batch *b, int64_t next,
        const stele_message *messages, int64_t *after)
{
    return b->given ? stele_stream_publish_offsets(r->s, messages, b->count, after, &r->err)
                    : stele_stream_publish_at(r->s, next, messages, b->count, after, &r->err);
}

/* Of what was refused nothing is there, once another publish succeeded. */
static void note_refusals(struct stream_run *r)
{
    for (int64_t i = 0; i < MODEL_OFFSETS && r->refused; i++) {
        for (unsigned attempt = 0; attempt < MODEL_ATTEMPTS; attempt++) {
            if ((r->refusals[i] >> attempt & 1) != 0) {
                note(r, SIM_ACK, MODEL_REFUSED, model_value(i, attempt));
            }
        }
        r->refusals[i] = 0;
    }
}

/* What another process finds if this one dies now. */
static void judge_killed(struct stream_run *r)
{
    struct sim_image *image = sim_disk_image(r->w->disk);
    struct sim_disk_options disk = {
            .sector_size = image->sector_size, .file_max = 2 << 20, .no_trace = true};
    struct sim_world *w = sim_world_new(r->w->seed, image, &disk);
    struct sim_notes notes = sim_world_notes(r->w);
    char text[200] = "";

    if (stream_check(r->config, w, &notes, text, sizeof text) > 0) {
        r->wrong = sim_wrong(r->w, "killed after a refusal: %s", text);
    }
    sim_world_free(w);
    sim_image_unref(image);
}

/* The call is over: what it promised. */
static void note_published(struct stream_run *r, stele_code rc, const struct batch *b,
        const uint64_t *values, int64_t after)
{
    int64_t expected = (int64_t)(values[b->count - 1] / MODEL_ATTEMPTS) + 1;

    if (rc == STELE_OK && after != expected) {
        r->wrong = sim_wrong(r->w, "publish gives next offset %lld", (long long)after);
    }
    for (size_t i = 0; i < b->count && rc == STELE_OK; i++) {
        note(r, SIM_ACK, MODEL_PUBLISH, values[i]);
    }
    if (rc == STELE_OK && r->config->auto_sync) {
        note(r, SIM_ACK, MODEL_DURABLE, (uint64_t)after);
    }
    for (size_t i = 0; i < b->count && rc == STELE_ENOSPC; i++) {
        r->refusals[values[i] / MODEL_ATTEMPTS] |= 1U << values[i] % MODEL_ATTEMPTS;
    }
}

static stele_code publish_once(struct stream_run *r, const struct batch *b)
{
    struct model_message *made = calloc(PUBLISH_MAX, sizeof *made);
    stele_message messages[PUBLISH_MAX];
    uint64_t values[PUBLISH_MAX];
    int64_t offset;
    int64_t next;
    int64_t after = -1;
    stele_code rc;

    if (made == NULL) {
        abort();
    }
    rc = stele_stream_next_offset(r->s, &next, &r->err);
    offset = next;
    for (size_t i = 0; i < b->count && rc == STELE_OK; i++, offset++) {
        offset += b->gap;
        values[i] = model_value(offset, model_next_attempt(&r->model, offset));
        note(r, SIM_INTENT, MODEL_PUBLISH, values[i]);
        model_make(&made[i], values[i]);
        messages[i] = made[i].message;
        messages[i].offset = offset;
    }
    if (rc == STELE_OK) {
        rc = try_elsewhere(r, b, next, &messages[0]);
        rc = rc != STELE_OK ? rc : publish_batch(r, b, next, messages, &after);
        note_published(r, rc, b, values, after);
    }
    free(made);
    return rc;
}

/* A full disk ends nothing: when there is room again, the same handle goes on. */
static void judge_room(struct stream_run *r, stele_code rc)
{
    if (r->refused && rc == STELE_EFAILED && sim_disk_fault_hits(r->w->disk) == 1) {
        (void)wrong(r, "a full disk has ended writing");
    }
    if (r->refused && rc == STELE_OK) {
        note_refusals(r);
        judge_killed(r);
    }
    /* One that would not be made shorter is in an unknown state. */
    r->refused = rc == STELE_ENOSPC && strstr(r->err.message, "cannot set the size") == NULL;
}

static void publish_tried(struct stream_run *r, const struct batch *b)
{
    for (int i = 0; !r->over; i++) {
        /* Where there was no room for all, there may be for one. */
        struct batch one = {r->refused ? 1 : b->count, b->given, b->gap};
        stele_code rc = publish_once(r, &one);

        judge_room(r, rc);
        if (rc == STELE_OK || !again(r, rc, i)) {
            return;
        }
    }
}

void run_publish(struct stream_run *r, size_t count)
{
    publish_tried(r, &(struct batch){count, false, 0});
}

void run_publish_given(struct stream_run *r, size_t count, int64_t gap)
{
    publish_tried(r, &(struct batch){count, true, gap});
}

void run_sync(struct stream_run *r)
{
    for (int i = 0; !r->over; i++) {
        int64_t durable = 0;
        stele_code rc = stele_stream_sync(r->s, &durable, &r->err);

        if (rc == STELE_OK) {
            note(r, SIM_ACK, MODEL_DURABLE, (uint64_t)durable);
            return;
        }
        if (!again(r, rc, i)) {
            return;
        }
    }
}

/* ---- Deleting. ---- */

static void note_offsets(struct stream_run *r, enum sim_note_kind kind, const stele_offsets *set)
{
    int64_t offset = stele_offsets_next(set, 0);

    while (offset >= 0) {
        note(r, kind, MODEL_DELETE, (uint64_t)offset);
        offset = stele_offsets_next(set, offset + 1);
    }
}

struct deleting {
    stele_offsets *asked;
    stele_deleted done;
};

static stele_code deleting_new(struct deleting *d)
{
    stele_code rc = stele_offsets_new(&d->asked, NULL);

    memset(&d->done, 0, sizeof d->done);
    if (rc == STELE_OK) {
        rc = stele_offsets_new(&d->done.offsets, NULL);
        if (rc != STELE_OK) {
            stele_offsets_free(d->asked);
        }
    }
    return rc;
}

/* Of those asked for, how many there are by the notes. */
static int64_t count_there(const struct stream_run *r, const stele_offsets *asked)
{
    int64_t offset = stele_offsets_next(asked, 0);
    int64_t count = 0;

    while (offset >= 0) {
        count += r->model.offsets[offset].visible != 0 && !r->model.offsets[offset].gone ? 1 : 0;
        offset = stele_offsets_next(asked, offset + 1);
    }
    return count;
}

/* What a call says that it deleted; `there`: how many it had to, without an error before. */
static void judge_deleted(struct stream_run *r, const struct deleting *d, int64_t there)
{
    int64_t count = (int64_t)stele_offsets_count(d->done.offsets);

    if (d->done.count != count || (d->done.size > 0) != (count > 0)) {
        (void)wrong(r, "a deletion counts other messages than it deleted");
    }
    if (r->first == STELE_OK && count != there) {
        (void)wrong(r, "a deletion deletes other messages than were asked for");
    }
}

static void deleting_free(struct stream_run *r, struct deleting *d)
{
    note_offsets(r, SIM_ACK, d->done.offsets);
    stele_offsets_free(d->asked);
    stele_offsets_free(d->done.offsets);
}

static stele_code delete_once(struct stream_run *r, int64_t from, int64_t to, int64_t step)
{
    struct deleting d;
    int64_t next = 0;
    int64_t there;
    stele_code rc = deleting_new(&d);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_stream_next_offset(r->s, &next, &r->err);
    for (int64_t i = from; i <= to && i < next && rc == STELE_OK; i += step) {
        rc = stele_offsets_add(d.asked, i, NULL);
    }
    note_offsets(r, SIM_INTENT, d.asked);
    there = count_there(r, d.asked);
    rc = rc != STELE_OK ? rc : stele_stream_delete_multi(r->s, d.asked, NULL, &d.done, &r->err);
    if (rc == STELE_OK) {
        judge_deleted(r, &d, there);
        /* Those that were not there any more are gone as well. */
        note_offsets(r, SIM_ACK, d.asked);
    }
    deleting_free(r, &d);
    return rc;
}

void run_delete(struct stream_run *r, int64_t from, int64_t to, int64_t step)
{
    for (int i = 0; !r->over; i++) {
        stele_code rc = delete_once(r, from, to, step);

        if (rc == STELE_OK || !again(r, rc, i)) {
            return;
        }
    }
}

static stele_code trim_once(struct stream_run *r, run_finder find, run_trimmer trim, int64_t limit)
{
    struct deleting d;
    stele_code rc = deleting_new(&d);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = find(r->s, limit, NULL, d.asked, &r->err);
    if (rc == STELE_OK) {
        note_offsets(r, SIM_INTENT, d.asked);
        rc = trim(r->s, limit, NULL, NULL, &d.done, &r->err);
    }
    if (rc == STELE_OK) {
        judge_deleted(r, &d, (int64_t)stele_offsets_count(d.asked));
    }
    deleting_free(r, &d);
    return rc;
}

void run_trim(struct stream_run *r, run_finder find, run_trimmer trim, int64_t limit)
{
    for (int i = 0; !r->over; i++) {
        stele_code rc = trim_once(r, find, trim, limit);

        if (rc == STELE_OK || !again(r, rc, i)) {
            return;
        }
    }
}

/* ---- Copies and repair. ---- */

void run_backup(struct stream_run *r)
{
    for (int i = 0; !r->over; i++) {
        int64_t next = 0;
        stele_code rc = stele_stream_next_offset(r->s, &next, &r->err);

        rc = rc != STELE_OK ? rc : stele_stream_backup(r->s, MODEL_TARGET, NULL, &r->err);
        if (rc == STELE_OK) {
            note(r, SIM_ACK, MODEL_BACKUP, (uint64_t)next);
            return;
        }
        if (!again(r, rc, i)) {
            return;
        }
    }
}

static void each_lost(void *arg, int64_t first, int64_t last)
{
    struct stream_run *r = arg;

    for (int64_t i = first; i <= last && i >= 0 && i < MODEL_OFFSETS; i++) {
        r->lost[i] = true;
    }
}

void run_recover(struct stream_run *r)
{
    stele_stream_recover_events events = {.arg = r, .lost = each_lost};
    stele_stream_options options;

    model_options(r->config, &r->w->env, &options);
    for (int i = 0; !r->over; i++) {
        stele_code rc = stele_stream_recover_dir(MODEL_DIR, &options, &events, NULL, &r->err);

        if (rc == STELE_OK) {
            r->recovered = true;
            note_kept(r);
        }
        if (rc == STELE_OK || !again(r, rc, i)) {
            return;
        }
    }
}

void run_migrate(struct stream_run *r, stele_stream_version version)
{
    stele_stream_options options;

    model_options(r->config, &r->w->env, &options);
    for (int i = 0; !r->over; i++) {
        stele_code rc = stele_stream_migrate_dir(MODEL_DIR, &options, version, NULL, NULL, &r->err);

        if (rc == STELE_OK) {
            note(r, SIM_ACK, MODEL_MIGRATED, (uint64_t)version);
            return;
        }
        if (!again(r, rc, i)) {
            return;
        }
    }
}
