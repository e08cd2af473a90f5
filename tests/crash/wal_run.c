/* SPDX-License-Identifier: MIT */
#include "crash/wal_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRIES = 3,
    APPEND_MAX = 64,
    FILL_MAX = 100,
    UNWAITED_MAX = 8
};

/* ---- Notes. ---- */

void wrun_note(struct wal_run *r, enum sim_note_kind kind, enum wmodel_note what, uint64_t value)
{
    struct sim_note made = {.kind = kind, .what = what, .value = value};

    wmodel_add(&r->model, &made);
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

void wrun_failed(struct wal_run *r, stele_code rc)
{
    r->over = r->over || lost_names(&r->err);
    if (r->first == STELE_OK) {
        r->first = rc;
    }
}

void wrun_wrong(struct wal_run *r, const char *text)
{
    if (r->wrong == 0) {
        r->wrong = sim_wrong(r->w, "%s", text);
    }
    r->over = true;
}

/* ---- Looking. ---- */

/* Read all, compare with the model, and take it for acknowledged. */
static void adopt(struct wal_run *r)
{
    struct wmodel_scan scan;
    char text[WMODEL_WHY] = "";
    struct crash_why why = {text, sizeof text};
    int result = wmodel_read(r->wal, &r->model, &scan, &why);

    result = result != 0 ? result : wmodel_check_kept(&r->model, &scan, &why);
    if (result > 0) {
        wrun_wrong(r, text);
    } else if (result < 0) {
        wrun_failed(r, result);
        r->over = true;
    } else {
        for (size_t i = 0; i < scan.count; i++) {
            wrun_note(r, SIM_ACK, WMODEL_APPEND, scan.values[i]);
        }
        if (scan.count > 0) {
            wrun_note(r, SIM_ACK, WMODEL_TRUNCATE, wmodel_last(&scan));
            r->next = wmodel_last(&scan) + 1;
        }
    }
}

/* What the log says itself is as it must be now: `last` is its last record, 0 for none. */
void wrun_expect_last(struct wal_run *r, uint64_t last)
{
    uint64_t id = 0;
    bool empty = false;
    stele_code rc = stele_wal_last_id(r->wal, &id, &empty, &r->err);

    if (rc != STELE_OK) {
        wrun_failed(r, rc);
    } else if (id != last || empty != (last == 0)) {
        r->wrong = sim_wrong(r->w, "the last record is %" PRIu64 ", and not %" PRIu64, id, last);
        r->over = true;
    }
}

uint64_t wrun_last(struct wal_run *r)
{
    uint64_t id = 0;
    bool empty = false;

    if (r->wal != NULL && stele_wal_last_id(r->wal, &id, &empty, &r->err) != STELE_OK) {
        r->over = true;
    }
    return id;
}

/* ---- Opening. ---- */

void wrun_begin(struct wal_run *r, struct sim_world *w, const struct wmodel_config *config)
{
    struct sim_notes notes = sim_world_notes(w);

    memset(r, 0, sizeof *r);
    r->w = w;
    r->config = config;
    wrun_env_init(r);
    wmodel_of_notes(&r->model, config, &notes);
    r->next = r->model.limit > 0 ? r->model.limit : 1;
}

void wrun_open(struct wal_run *r)
{
    stele_wal_options options;
    stele_code rc = STELE_EIO;

    wmodel_options(r->config, &r->env, &options);
    for (int i = 0; i < TRIES && rc != STELE_OK && !r->over; i++) {
        rc = stele_wal_open(&r->wal, WMODEL_DIR, &options, &r->err);
        if (rc != STELE_OK) {
            r->wal = NULL;
            wrun_failed(r, rc);
        }
    }
    if (rc != STELE_OK) {
        r->over = true;
    } else {
        adopt(r);
    }
}

static void reopen(struct wal_run *r)
{
    (void)stele_wal_close(r->wal, NULL);
    r->wal = NULL;
    wrun_open(r);
}

void wrun_close(struct wal_run *r)
{
    stele_code rc;

    if (r->wal == NULL) {
        return;
    }
    rc = stele_wal_close(r->wal, &r->err);
    r->wal = NULL;
    for (size_t i = 0; i < r->unwaited_count && rc == STELE_OK; i++) {
        wrun_note(r, SIM_ACK, WMODEL_APPEND, r->unwaited[i]);
    }
    r->unwaited_count = 0;
    /* A mark whose sync failed may be in the cache alone, and is not written again. */
    if (rc == STELE_OK && r->first == STELE_OK) {
        wrun_note(r, SIM_ACK, WMODEL_CLOSE, 0);
    } else if (rc != STELE_OK) {
        wrun_failed(r, rc);
    }
}

void wrun_abandon(struct wal_run *r)
{
    struct sim_fault none = {.calls = SIM_CALLS_ALL, .error = EIO, .persistent = true};

    sim_disk_set_fault(r->w->disk, &none);
    (void)stele_wal_close(r->wal, NULL);
    r->wal = NULL;
    sim_disk_set_fault(r->w->disk, NULL);
}

int wrun_end(struct wal_run *r)
{
    wrun_close(r);
    return r->wrong != 0 ? r->wrong : r->first;
}

/* Whether a step that failed is worth another try; opens again if need be. */
bool wrun_again(struct wal_run *r, stele_code rc, int tried)
{
    wrun_failed(r, rc);
    if (tried + 1 == TRIES) {
        r->over = true;
    } else if (rc == STELE_EFAILED) {
        reopen(r);
    }
    return !r->over;
}

/* ---- Appending. ---- */

/* Records with the next ids, noted as intended; free()d by the caller. */
struct batch {
    size_t count;
    uint64_t values[APPEND_MAX];
    stele_wal_record records[APPEND_MAX];
    struct wmodel_record made[APPEND_MAX];
};

static stele_code batch_make(struct wal_run *r, struct batch *b, size_t count)
{
    uint64_t next = 0;
    bool any = false;
    stele_code rc = stele_wal_next_id(r->wal, &next, &any, &r->err);

    b->count = count;
    if (rc == STELE_OK && !any && next != r->next) {
        r->wrong = sim_wrong(r->w, "the next id is %" PRIu64 ", and not %" PRIu64, next, r->next);
        r->over = true;
        rc = STELE_ESTATE;
    }
    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        uint64_t id = r->next + i;

        b->values[i] = wmodel_value(id, wmodel_next_attempt(&r->model, id));
        wrun_note(r, SIM_INTENT, WMODEL_APPEND, b->values[i]);
        wmodel_make(r->config, &b->made[i], b->values[i]);
        b->records[i] = b->made[i].record;
    }
    return rc;
}

static void batch_acknowledged(struct wal_run *r, const struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        wrun_note(r, SIM_ACK, WMODEL_APPEND, b->values[i]);
    }
}

static struct batch *batch_new(void)
{
    struct batch *b = calloc(1, sizeof *b);

    if (b == NULL) {
        abort();
    }
    return b;
}

/* What an iterator shows that was opened before the append: all of it, or if that failed nothing.
 */
static void expect_seen(struct wal_run *r, stele_wal_iter *it, const struct batch *b, bool appended)
{
    stele_wal_record record;
    size_t i = 0;
    stele_code rc;

    while ((rc = stele_wal_iter_next(it, &record, &r->err)) == STELE_OK) {
        if (!appended || i == b->count || record.id != b->records[i].id ||
                record.data.len != b->records[i].data.len) {
            wrun_wrong(r, "an iterator shows what was not appended");
            return;
        }
        i++;
    }
    if (rc != STELE_END) {
        wrun_failed(r, rc);
    } else if (appended && i < b->count) {
        wrun_wrong(r, "an iterator does not show what was appended");
    }
}

static stele_code append_once(struct wal_run *r, size_t count)
{
    struct batch *b = batch_new();
    stele_wal_iter *it = NULL;
    stele_code rc = batch_make(r, b, count);

    rc = rc != STELE_OK ? rc : stele_wal_iter_open(&it, r->wal, r->next, &r->err);
    if (rc == STELE_OK) {
        stele_error err;

        rc = stele_wal_append(r->wal, b->records, count, &err);
        expect_seen(r, it, b, rc == STELE_OK);
        r->err = rc != STELE_OK ? err : r->err;
    }
    if (rc == STELE_OK) {
        batch_acknowledged(r, b);
        r->next += count;
        wrun_expect_last(r, r->next - 1);
    }
    (void)stele_wal_iter_close(it, NULL);
    free(b);
    return rc;
}

void wrun_append(struct wal_run *r, size_t count)
{
    for (int i = 0; !r->over; i++) {
        stele_code rc = append_once(r, count);

        if (rc == STELE_OK || !wrun_again(r, rc, i)) {
            return;
        }
    }
}

/* Appends that are not waited for. How many the log took is in *taken. */
static stele_code append_async(struct wal_run *r, size_t count, struct batch **batches,
        stele_wal_ticket *tickets, size_t *taken)
{
    stele_code rc = STELE_OK;

    *taken = 0;
    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        batches[i] = batch_new();
        rc = batch_make(r, batches[i], 1 + i % 2);
        rc = rc != STELE_OK ? rc
                            : stele_wal_append_async(r->wal, batches[i]->records, batches[i]->count,
                                      &tickets[i], &r->err);
        if (rc == STELE_OK) {
            r->next += batches[i]->count;
            *taken = i + 1;
        } else {
            free(batches[i]);
        }
    }
    return rc;
}

/* Wait for the last one first: the others have to be there then. */
static stele_code wait_all(
        struct wal_run *r, size_t taken, struct batch **batches, const stele_wal_ticket *tickets)
{
    stele_code first = STELE_OK;

    for (size_t i = taken; i-- > 0;) {
        stele_code rc = stele_wal_wait(r->wal, tickets[i], NULL, &r->err);

        first = first != STELE_OK ? first : rc;
        if (rc == STELE_OK) {
            batch_acknowledged(r, batches[i]);
        }
    }
    return first;
}

static stele_code append_async_once(struct wal_run *r, size_t count)
{
    struct batch *batches[APPEND_MAX];
    stele_wal_ticket tickets[APPEND_MAX];
    uint64_t before = r->next;
    size_t taken;
    stele_code rc = append_async(r, count, batches, tickets, &taken);
    stele_code waited = wait_all(r, taken, batches, tickets);

    for (size_t i = 0; i < taken; i++) {
        free(batches[i]);
    }
    rc = rc != STELE_OK ? rc : waited;
    if (rc == STELE_OK) {
        wrun_expect_last(r, r->next - 1);
    } else if (!r->over) {
        /* Some may have been written, others not. */
        uint64_t last = wrun_last(r);

        r->next = last != 0 ? last + 1 : before;
    }
    return rc;
}

void wrun_append_async(struct wal_run *r, size_t count)
{
    for (int i = 0; !r->over; i++) {
        stele_code rc = append_async_once(r, count);

        if (rc == STELE_OK || !wrun_again(r, rc, i)) {
            return;
        }
    }
}

void wrun_append_unwaited(struct wal_run *r, size_t count)
{
    struct batch *batches[APPEND_MAX];
    stele_wal_ticket tickets[APPEND_MAX];
    size_t taken;
    stele_code rc;

    if (r->over) {
        return;
    }
    rc = append_async(r, count, batches, tickets, &taken);
    for (size_t i = 0; i < taken; i++) {
        for (size_t j = 0; j < batches[i]->count && r->unwaited_count < UNWAITED_MAX; j++) {
            r->unwaited[r->unwaited_count++] = batches[i]->values[j];
        }
        free(batches[i]);
    }
    if (rc != STELE_OK) {
        wrun_failed(r, rc);
        r->over = true;
    }
}

static void append_late(struct wal_run *r)
{
    struct batch *b = r->late;

    if (batch_make(r, b, 2) == STELE_OK &&
            stele_wal_append_async(r->wal, b->records, 2, &r->late_ticket, &r->err) == STELE_OK) {
        r->next += 2;
    }
}

static stele_code append_two(struct wal_run *r, struct batch *first, struct batch *late)
{
    stele_wal_ticket ticket = 0;
    stele_wal_ticket durable = 0;
    stele_code rc = batch_make(r, first, 1);

    r->late = late;
    r->late_ticket = 0;
    rc = rc != STELE_OK ? rc : stele_wal_append_async(r->wal, first->records, 1, &ticket, &r->err);
    if (rc != STELE_OK) {
        return rc;
    }
    r->next++;
    r->at_clock = append_late;
    rc = stele_wal_wait(r->wal, ticket, NULL, &r->err);
    r->at_clock = NULL;
    rc = rc != STELE_OK ? rc : stele_wal_durable(r->wal, &durable, &r->err);
    if (rc == STELE_OK) {
        batch_acknowledged(r, first);
    }
    if (rc == STELE_OK && r->late_ticket != 0) {
        if (durable < r->late_ticket) {
            rc = stele_wal_wait(r->wal, r->late_ticket, NULL, &r->err);
        }
        if (rc == STELE_OK) {
            batch_acknowledged(r, late);
        }
    }
    return rc;
}

void wrun_append_late(struct wal_run *r)
{
    struct batch *first = batch_new();
    struct batch *late = batch_new();
    stele_code rc = r->over ? STELE_OK : append_two(r, first, late);

    if (rc != STELE_OK) {
        wrun_failed(r, rc);
        r->over = true;
    } else if (!r->over) {
        wrun_expect_last(r, r->next - 1);
    }
    r->late = NULL;
    free(first);
    free(late);
}

void wrun_append_failing(struct wal_run *r, size_t count, unsigned calls, int error)
{
    struct sim_fault fault = {.calls = calls, .error = error};
    stele_code rc;

    if (r->over) {
        return;
    }
    sim_disk_set_fault(r->w->disk, &fault);
    rc = append_once(r, count);
    sim_disk_set_fault(r->w->disk, NULL);
    if (rc == STELE_OK) {
        wrun_wrong(r, "an append whose write or sync failed succeeds");
    } else if (rc == STELE_ENOMEM) {
        wrun_failed(r, rc);
    } else if (rc != STELE_ENOSPC) {
        if (append_once(r, 1) == STELE_OK) {
            wrun_wrong(r, "a handle writes on after a failure");
        }
        reopen(r);
    }
}

void wrun_fill(struct wal_run *r)
{
    for (int i = 0; i < FILL_MAX && !r->over; i++) {
        uint64_t last = wrun_last(r);
        stele_code rc = append_once(r, 1);

        if (rc == STELE_ENOSPC) {
            wrun_expect_last(r, last);
            return;
        }
        if (rc != STELE_OK && !wrun_again(r, rc, 0)) {
            return;
        }
    }
    if (!r->over && r->first == STELE_OK) {
        wrun_wrong(r, "the disk does not become full");
    }
}

/* ---- Cutting. ---- */

/* An iterator at the last record must not go on to what comes in the place of those that are
 * gone. */
static stele_code truncate_under_iterator(struct wal_run *r, uint64_t keep)
{
    uint64_t last = wrun_last(r);
    stele_wal_iter *it;
    stele_code rc = stele_wal_iter_open(&it, r->wal, last, &r->err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_wal_iter_next(it, NULL, &r->err);
    if (rc == STELE_OK || rc == STELE_END) {
        rc = stele_wal_truncate(r->wal, keep, &r->err);
        if (rc == STELE_OK && keep < last && stele_wal_iter_next(it, NULL, NULL) != STELE_ESTATE) {
            wrun_wrong(r, "an iterator does not notice a truncation");
        }
    }
    (void)stele_wal_iter_close(it, NULL);
    return rc;
}

static stele_code truncate_once(struct wal_run *r, uint64_t keep)
{
    uint64_t first = 0;
    bool empty = false;
    stele_code rc = stele_wal_first_id(r->wal, &first, &empty, &r->err);

    if (rc == STELE_OK) {
        wrun_note(r, SIM_INTENT, WMODEL_TRUNCATE, keep);
        rc = r->config->no_map ? truncate_under_iterator(r, keep)
                               : stele_wal_truncate(r->wal, keep, &r->err);
    }
    if (rc == STELE_OK) {
        wrun_note(r, SIM_ACK, WMODEL_TRUNCATE, keep);
        if (keep < r->next) {
            r->next = keep + 1;
        }
        if (!empty) {
            wrun_expect_last(r, keep < first ? 0 : r->next - 1);
        }
    }
    return rc;
}

void wrun_truncate(struct wal_run *r, uint64_t keep)
{
    for (int i = 0; !r->over; i++) {
        stele_code rc = truncate_once(r, keep);

        if (rc == STELE_OK || !wrun_again(r, rc, i)) {
            return;
        }
    }
}

/* In format `stele` a trim of everything empties the log. */
static void expect_trimmed(struct wal_run *r, uint64_t discard, uint64_t before)
{
    uint64_t first = 0;
    bool empty = false;
    stele_code rc = stele_wal_first_id(r->wal, &first, &empty, &r->err);

    if (rc != STELE_OK) {
        wrun_failed(r, rc);
    } else if (!empty && first > discard + 1 && first != before) {
        wrun_wrong(r, "a trim drops more than it may");
    } else if (!empty && r->next == discard + 1 && r->config->format == STELE_WAL_STELE &&
               !r->config->migrates) {
        wrun_wrong(r, "a trim of everything leaves records");
    }
}

static stele_code trim_once(struct wal_run *r, uint64_t discard)
{
    uint64_t first = 0;
    bool empty = false;
    stele_code rc = stele_wal_first_id(r->wal, &first, &empty, &r->err);

    if (rc == STELE_OK) {
        wrun_note(r, SIM_INTENT, WMODEL_TRIM, discard);
        rc = stele_wal_trim(r->wal, discard, &r->err);
    }
    if (rc == STELE_OK) {
        wrun_note(r, SIM_ACK, WMODEL_TRIM, discard);
        expect_trimmed(r, discard, first);
    }
    return rc;
}

void wrun_trim(struct wal_run *r, uint64_t discard)
{
    for (int i = 0; !r->over; i++) {
        stele_code rc = trim_once(r, discard);

        if (rc == STELE_OK || !wrun_again(r, rc, i)) {
            return;
        }
    }
}
