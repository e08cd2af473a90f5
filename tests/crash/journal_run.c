/* SPDX-License-Identifier: MIT */
#include "crash/journal_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRIES = 3,
    MANY_MAX = 32,
    FILL_MAX = 200
};

/* ---- Notes. ---- */

void jrun_note(
        struct journal_run *r, enum sim_note_kind kind, enum jmodel_note what, uint64_t value)
{
    struct sim_note made = {.kind = kind, .what = what, .value = value};

    jmodel_add(&r->model, &made);
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

void jrun_failed(struct journal_run *r, stele_code rc)
{
    r->over = r->over || lost_names(&r->err);
    if (r->first == STELE_OK) {
        r->first = rc;
    }
}

void jrun_wrong(struct journal_run *r, const char *text)
{
    if (r->wrong == 0) {
        r->wrong = sim_wrong(r->w, "%s", text);
    }
    r->over = true;
}

/* What was dumped, and is durable now. */
void jrun_all_durable(struct journal_run *r)
{
    for (size_t i = 0; i < r->taken_count; i++) {
        jrun_note(r, SIM_ACK, JMODEL_DUMP, r->taken[i]);
    }
    r->taken_count = 0;
}

/* ---- Looking. ---- */

/* Play with a handle that is stopped; false if that failed. */
bool jrun_play(struct journal_run *r, stele_journal *journal, struct jmodel_found *found)
{
    struct jmodel_play *p = sim_alloc(sizeof *p);
    char text[JMODEL_WHY] = "";
    struct crash_why why = {text, sizeof text};
    stele_code rc = jmodel_play(journal, r->config, NULL, p, &r->err);
    int result = 0;

    if (rc == STELE_OK) {
        result = jmodel_judge(&r->model, p, found, &why);
    } else if (crash_failed(&why, "play", rc, &r->err) > 0) {
        result = 1;
    }
    free(p);
    if (result > 0) {
        jrun_wrong(r, text);
    } else if (rc != STELE_OK) {
        jrun_failed(r, rc);
    }
    return rc == STELE_OK && result == 0;
}

/* What was played is what the journal records behind now. */
static void adopt(struct journal_run *r, const struct jmodel_found *found)
{
    if (found->cleared) {
        jrun_note(r, SIM_ACK, JMODEL_CLEAR, 0);
    }
    for (uint64_t i = 1; i <= found->count; i++) {
        uint64_t others = r->model.at[i].tried & ~r->model.at[i].dead;

        if (i > r->model.durable || (others & (others - 1)) != 0) {
            jrun_note(r, SIM_ACK, JMODEL_DUMP, found->values[i]);
        }
    }
    jrun_note(r, SIM_ACK, JMODEL_FOUND, found->count);
    r->next = found->count + 1;
    r->taken_count = 0;
}

/* What the journal says itself is as it must be now. */
void jrun_expect_count(struct journal_run *r)
{
    stele_journal_stats stats;
    stele_code rc = stele_journal_stat(r->journal, &stats, &r->err);

    if (rc != STELE_OK) {
        jrun_failed(r, rc);
    } else if (stats.failed && stats.count < r->next) {
        /* What was dumped, and not flushed, is lost: the next call says so. */
        jrun_failed(r, STELE_EFAILED);
    } else if (stats.count != r->next - 1) {
        r->wrong = sim_wrong(r->w, "stat: %" PRIu64 " operations were dumped, and not %" PRIu64,
                stats.count, r->next - 1);
        r->over = true;
    }
}

bool jrun_is_recording(const struct journal_run *r)
{
    return stele_journal_is_recording(r->journal);
}

/* ---- Opening. ---- */

static stele_time wall_clock(void *arg)
{
    const struct journal_run *r = arg;

    return r->w->env.wall_clock(r->w->env.arg) - r->back;
}

static uint64_t monotonic_ns(void *arg)
{
    const struct journal_run *r = arg;

    return r->w->env.monotonic_ns(r->w->env.arg);
}

static void fill_random(void *arg, void *out, size_t len)
{
    const struct journal_run *r = arg;

    r->w->env.random(r->w->env.arg, out, len);
}

static void log_line(void *arg, stele_log_level level, const char *message)
{
    const struct journal_run *r = arg;

    r->w->env.log(r->w->env.arg, level, message);
}

void jrun_begin(struct journal_run *r, struct sim_world *w, const struct jmodel_config *config)
{
    struct sim_notes notes = sim_world_notes(w);

    memset(r, 0, sizeof *r);
    r->w = w;
    r->config = config;
    r->env = w->env;
    r->env.arg = r;
    r->env.wall_clock = wall_clock;
    r->env.monotonic_ns = monotonic_ns;
    r->env.random = fill_random;
    r->env.log = log_line;
    jmodel_of_notes(&r->model, config, &notes);
    r->next = r->model.durable + 1;
}

void jrun_set_back(struct journal_run *r, int64_t us)
{
    r->back += us;
}

static void open_handle(struct journal_run *r)
{
    stele_journal_options options;
    stele_code rc = STELE_EIO;

    jmodel_options(r->config, &r->env, &options);
    for (int i = 0; i < TRIES && rc != STELE_OK && r->journal == NULL && !r->over; i++) {
        rc = stele_journal_open(&r->journal, JMODEL_DIR, &options, &r->err);
        if (rc != STELE_OK) {
            r->journal = NULL;
            jrun_failed(r, rc);
        }
    }
    r->over = r->over || r->journal == NULL;
}

static void drop(struct journal_run *r)
{
    (void)stele_journal_close(r->journal, NULL);
    r->journal = NULL;
    r->taken_count = 0;
}

void jrun_record(struct journal_run *r)
{
    struct jmodel_found *found = sim_alloc(sizeof *found);

    for (int i = 0; i < TRIES && !r->over; i++) {
        stele_code rc;

        open_handle(r);
        if (r->over || !jrun_play(r, r->journal, found)) {
            continue;
        }
        rc = stele_journal_record(r->journal, &r->err);
        if (rc == STELE_OK) {
            adopt(r, found);
            break;
        }
        jrun_failed(r, rc);
        if (rc == STELE_EFAILED) {
            drop(r);
        }
    }
    free(found);
    if (!r->over && !jrun_is_recording(r)) {
        r->over = true; /* It could not be done in three times. */
    } else if (!r->over) {
        jrun_expect_count(r);
    }
}

void jrun_reopen(struct journal_run *r)
{
    drop(r);
    jrun_record(r);
}

void jrun_stop(struct journal_run *r)
{
    stele_code rc;

    if (r->over) {
        return;
    }
    rc = stele_journal_stop(r->journal, &r->err);
    if (stele_journal_get_state(r->journal) != STELE_JOURNAL_STOPPED) {
        jrun_wrong(r, "it is not stopped after stop()");
    }
    if (rc == STELE_OK) {
        jrun_all_durable(r);
        return;
    }
    jrun_failed(r, rc);
    drop(r);
    open_handle(r);
}

void jrun_close(struct journal_run *r)
{
    stele_code rc;

    if (r->journal == NULL) {
        return;
    }
    rc = stele_journal_close(r->journal, &r->err);
    r->journal = NULL;
    if (rc == STELE_OK) {
        jrun_all_durable(r);
    } else {
        jrun_failed(r, rc);
    }
    r->taken_count = 0;
}

void jrun_abandon(struct journal_run *r)
{
    struct sim_fault none = {.calls = SIM_CALLS_ALL, .error = EIO, .persistent = true};

    sim_disk_set_fault(r->w->disk, &none);
    drop(r);
    sim_disk_set_fault(r->w->disk, NULL);
}

int jrun_end(struct journal_run *r)
{
    jrun_close(r);
    return r->wrong != 0 ? r->wrong : r->first;
}

/* Whether a step that failed is worth another try; opens again if need be. */
bool jrun_again(struct journal_run *r, stele_code rc, int tried)
{
    jrun_failed(r, rc);
    if (tried + 1 == TRIES) {
        r->over = true;
    } else if (rc == STELE_EFAILED) {
        jrun_reopen(r);
    }
    return !r->over;
}

/* ---- Dumping. ---- */

enum how {
    ONE,
    MANY,
    DURABLE
};

static stele_code call_dump(
        struct journal_run *r, enum how how, const stele_journal_op *ops, size_t count)
{
    if (how == DURABLE) {
        return stele_journal_dump_durable(r->journal, ops, &r->err);
    }
    return how == ONE ? stele_journal_dump(r->journal, ops, &r->err)
                      : stele_journal_dump_many(r->journal, ops, count, &r->err);
}

static stele_code dump_once(struct journal_run *r, enum how how, size_t count)
{
    struct jops_made *made = sim_alloc(count * sizeof *made);
    stele_journal_op ops[MANY_MAX];
    uint64_t values[MANY_MAX];
    stele_code rc;

    for (size_t i = 0; i < count; i++) {
        values[i] = jmodel_next(&r->model, r->next + i);
        jops_make(&made[i], values[i], r->config->large);
        ops[i] = made[i].op;
        jrun_note(r, SIM_INTENT, JMODEL_DUMP, values[i]);
    }
    rc = call_dump(r, how, ops, count);
    free(made);
    if (rc == STELE_ENOSPC && r->config->durability == STELE_JOURNAL_EACH) {
        jrun_note(r, SIM_ACK, JMODEL_FOUND, r->next - 1); /* as before the call */
    }
    if (rc != STELE_OK) {
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        r->taken[r->taken_count++] = values[i];
    }
    if (how == DURABLE || r->config->durability == STELE_JOURNAL_EACH) {
        jrun_all_durable(r);
    }
    r->next += count;
    return rc;
}

static void dump(struct journal_run *r, enum how how, size_t count)
{
    for (int i = 0; !r->over; i++) {
        stele_code rc = dump_once(r, how, count);

        if (rc == STELE_OK) {
            jrun_expect_count(r);
            return;
        }
        if (!jrun_again(r, rc, i)) {
            return;
        }
    }
}

void jrun_dump(struct journal_run *r, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        dump(r, ONE, 1);
    }
}

void jrun_dump_many(struct journal_run *r, size_t count)
{
    dump(r, MANY, count);
}

void jrun_dump_durable(struct journal_run *r)
{
    dump(r, DURABLE, 1);
}

static stele_code sync_once(struct journal_run *r)
{
    stele_code rc = stele_journal_sync(r->journal, &r->err);

    if (rc == STELE_OK) {
        jrun_all_durable(r);
    }
    return rc;
}

void jrun_sync(struct journal_run *r)
{
    for (int i = 0; !r->over; i++) {
        stele_code rc = sync_once(r);

        if (rc == STELE_OK) {
            jrun_expect_count(r);
            return;
        }
        if (!jrun_again(r, rc, i)) {
            return;
        }
    }
}

void jrun_failing(struct journal_run *r, unsigned calls, int error)
{
    /* A disk that becomes full has taken some of it. */
    struct sim_fault fault = {.calls = calls, .error = error, .done = error == ENOSPC};
    stele_code rc;

    if (r->over) {
        return;
    }
    sim_disk_set_fault(r->w->disk, &fault);
    rc = dump_once(r, DURABLE, 1);
    sim_disk_set_fault(r->w->disk, NULL);
    if (rc == STELE_OK) {
        /* The call that failed may have been one of the thread's. */
        if (!r->config->background) {
            jrun_wrong(r, "a durable dump whose write or sync failed succeeds");
        }
    } else if (rc == STELE_ENOMEM) {
        jrun_failed(r, rc);
    } else if (rc == STELE_ENOSPC) {
        jrun_expect_count(r);
    } else if (error == ENOSPC && r->config->durability == STELE_JOURNAL_EACH) {
        jrun_wrong(r, "a full disk ends the recording");
    } else {
        if (dump_once(r, ONE, 1) == STELE_OK) {
            jrun_wrong(r, "a handle records on after a failure");
        }
        jrun_reopen(r);
    }
}

void jrun_fill(struct journal_run *r)
{
    for (int i = 0; i < FILL_MAX && !r->over; i++) {
        stele_code rc = dump_once(r, DURABLE, 1);

        if (rc == STELE_ENOSPC) {
            jrun_expect_count(r);
            return;
        }
        if (rc != STELE_OK && !jrun_again(r, rc, 0)) {
            return;
        }
    }
    if (!r->over && r->first == STELE_OK) {
        jrun_wrong(r, "the disk does not become full");
    }
}
