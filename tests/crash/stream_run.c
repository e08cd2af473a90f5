/* SPDX-License-Identifier: MIT */
#include "crash/stream_run.h"

#include "stream/state.h"

#include <stdlib.h>
#include <string.h>

enum {
    TRIES = 3,
    PUBLISH_MAX = 8
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
    struct model_why why = {text, sizeof text};
    int result = model_read(r->s, &r->model, &scan, &why);

    if (result > 0) {
        r->wrong = sim_wrong(r->w, "after reopening: %s", text);
    } else if (result == 0) {
        take_over(r, &scan);
    } else {
        failed(r, result);
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
    if (rc != STELE_OK) {
        r->over = true;
    } else if (r->first != STELE_OK) {
        adopt(r);
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

int run_end(struct stream_run *r)
{
    run_close(r);
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

static stele_code publish_once(struct stream_run *r, size_t count)
{
    struct model_message *made = calloc(PUBLISH_MAX, sizeof *made);
    stele_message messages[PUBLISH_MAX];
    uint64_t values[PUBLISH_MAX];
    int64_t next;
    int64_t after = -1;
    stele_code rc;

    if (made == NULL) {
        abort();
    }
    rc = stele_stream_next_offset(r->s, &next, &r->err);
    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        int64_t offset = next + (int64_t)i;

        values[i] = model_value(offset, model_next_attempt(&r->model, offset));
        note(r, SIM_INTENT, MODEL_PUBLISH, values[i]);
        model_make(&made[i], values[i]);
        messages[i] = made[i].message;
    }
    rc = rc != STELE_OK ? rc : stele_stream_publish(r->s, messages, count, &after, &r->err);
    if (rc == STELE_OK && after != next + (int64_t)count) {
        r->wrong = sim_wrong(r->w, "publish gives next offset %lld", (long long)after);
    }
    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        note(r, SIM_ACK, MODEL_PUBLISH, values[i]);
    }
    if (rc == STELE_OK && r->config->auto_sync) {
        note(r, SIM_ACK, MODEL_DURABLE, (uint64_t)after);
    }
    free(made);
    return rc;
}

void run_publish(struct stream_run *r, size_t count)
{
    for (int i = 0; !r->over; i++) {
        stele_code rc = publish_once(r, count);

        if (rc == STELE_OK || !again(r, rc, i)) {
            return;
        }
    }
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
    stele_code rc = deleting_new(&d);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_stream_next_offset(r->s, &next, &r->err);
    for (int64_t i = from; i <= to && i < next && rc == STELE_OK; i += step) {
        rc = stele_offsets_add(d.asked, i, NULL);
    }
    note_offsets(r, SIM_INTENT, d.asked);
    rc = rc != STELE_OK ? rc : stele_stream_delete_multi(r->s, d.asked, NULL, &d.done, &r->err);
    if (rc == STELE_OK) {
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
    if (rc == STELE_OK && stele_offsets_count(d.asked) != stele_offsets_count(d.done.offsets)) {
        r->wrong = sim_wrong(r->w, "trim deletes other messages than were found");
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

void run_recover(struct stream_run *r)
{
    stele_stream_options options;

    model_options(r->config, &r->w->env, &options);
    for (int i = 0; !r->over; i++) {
        stele_code rc = stele_stream_recover_dir(MODEL_DIR, &options, NULL, NULL, &r->err);

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
