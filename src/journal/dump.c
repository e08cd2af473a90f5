/* SPDX-License-Identifier: MIT
 *
 * dump.c: operations become frames, and are durable when they have to be.
 *
 * An operation is encoded straight into the buffer that is pending, under commit's mutex. The
 * newest log must have blocks for all that is pending, and for a seal behind it; who does not find
 * them becomes the leader, gets them, and tries again.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "journal/state.h"

#include <inttypes.h>

enum {
    SCRATCH = 32,            /* settings of an operation that need no memory of their own */
    PENDING_WRITE = 1 << 20, /* so many bytes are written without waiting any longer, */
    PENDING_MAX = 4 << 20    /* and so many by the one who dumps */
};

struct request {
    const stele_journal_op *ops;
    size_t count;
    uint64_t size; /* of the frames */
    bool durable;
    stele_journal_setting *scratch; /* for the settings of any of them; NULL: none has any */
    stele_time now;                 /* for those without a timestamp */

    /* Set when it is added. */
    uint64_t ticket;
    uint64_t next_op; /* behind it */
    size_t pending;   /* bytes, these counted */
    bool first;       /* nothing was pending before */
    bool late;        /* what is pending is due */
    bool merge;       /* it is time to merge */
};

enum room {
    ROOM_ENOUGH,
    ROOM_EXTEND, /* the log needs blocks */
    ROOM_SWITCH  /* another log is needed */
};

/* ---- Before any lock. ---- */

static stele_code check(
        const stele_journal *j, struct request *r, size_t *settings, stele_error *err)
{
    stele_code rc = STELE_OK;

    *settings = 0;
    for (size_t i = 0; i < r->count && rc == STELE_OK; i++) {
        const stele_journal_op *op = &r->ops[i];

        rc = sti_journal_op_check(op, err);
        if (rc == STELE_OK) {
            r->size += sti_wal_frame_size(STELE_WAL_STELE, sti_journal_op_size(op));
            *settings = op->setting_count > *settings ? op->setting_count : *settings;
        } else if (r->count > 1) {
            rc = sti_wrap(err, rc, "operation %zu of %zu", i + 1, r->count);
        }
    }
    if (rc == STELE_OK &&
            r->size > j->log_max - STI_WAL_HEADER_SIZE - sti_wal_seal_size(r->count)) {
        return sti_fail(err, STELE_ETOOBIG, "%" PRIu64 " bytes in one dump", r->size);
    }
    return rc;
}

/* ---- Adding, under commit's mutex. ---- */

static stele_code check_recording(const stele_journal *j, stele_error *err)
{
    if (atomic_load(&j->state) != STELE_JOURNAL_RECORDING) {
        return sti_fail(err, STELE_ESTATE, "the journal is not recording");
    }
    return sti_journal_check_usable(j, err);
}

/* What the log has to hold. */
static uint64_t size_with(const stele_journal *j, const struct request *r)
{
    return j->tail + r->size + sti_wal_seal_size(j->next_op + r->count - j->head->first_id);
}

static enum room room_for(const stele_journal *j, const struct request *r)
{
    uint64_t size = size_with(j, r);

    if (size > j->log_max) {
        return ROOM_SWITCH;
    }
    return size > j->head->capacity ? ROOM_EXTEND : ROOM_ENOUGH;
}

static size_t encode_frame(
        stele_journal *j, const struct request *r, const stele_journal_op *in, uint8_t *out)
{
    stele_journal_op op = *in;
    size_t len;

    if (op.timestamp == STELE_JOURNAL_NOW) {
        op.timestamp = r->now;
    }
    len = sti_journal_op_encode(out + STI_WAL_FRAME_SIZE, &op, r->scratch);
    return sti_wal_frame_finish(
            out, STI_WAL_RECORD, j->next_op, j->head->salt, (uint32_t)j->durable_end, len);
}

static stele_code encode(stele_journal *j, struct request *r, stele_error *err)
{
    uint8_t *room = sti_commit_reserve(j->commit, (size_t)r->size, err);
    stele_code rc = STELE_OK;

    if (room == NULL) {
        return STELE_ENOMEM;
    }
    for (size_t i = 0; i < r->count && rc == STELE_OK; i++) {
        rc = sti_segment_index_add(j->head, j->next_op, j->tail, err);
        if (rc == STELE_OK) {
            size_t size = encode_frame(j, r, &r->ops[i], room);

            room += size;
            j->tail += size;
            j->next_op++;
        }
    }
    return rc;
}

/* All or none. Each frame is an append of its own, so that appends count operations. */
static stele_code add_frames(stele_journal *j, struct request *r, stele_error *err)
{
    uint64_t tail = j->tail;
    uint64_t next_op = j->next_op;
    stele_code rc = encode(j, r, err);
    const uint8_t *frame;

    if (rc != STELE_OK) {
        j->tail = tail;
        j->next_op = next_op;
        sti_segment_index_cut(j->head, next_op);
        return rc;
    }
    sti_assert(j->tail - tail == r->size);
    frame = sti_commit_reserve(j->commit, (size_t)r->size, NULL);
    sti_assert(frame != NULL); /* the room is there already */
    for (size_t i = 0; i < r->count; i++) {
        size_t size =
                sti_wal_frame_size(STELE_WAL_STELE, sti_wal_frame_peek(frame, STELE_WAL_STELE));

        r->ticket = sti_commit_add(j->commit, size);
        frame += size;
    }
    return STELE_OK;
}

/* Without a thread an interval ends at the next dump behind it. */
static bool is_late(stele_journal *j, const struct request *r)
{
    uint64_t now;

    if (j->options.durability != STELE_JOURNAL_INTERVAL || atomic_load(&j->work_running)) {
        return false;
    }
    now = sti_env_monotonic_ns(&j->env);
    if (r->first) {
        j->pending_since = now;
    }
    return now - j->pending_since >= (uint64_t)j->options.interval_ms * 1000000 &&
           !STI_MUTANT(JOURNAL_INTERVAL_NEVER);
}

static void added(stele_journal *j, struct request *r)
{
    r->next_op = j->next_op;
    r->pending = sti_commit_pending(j->commit);
    r->late = is_late(j, r);
    r->merge = sti_journal_wants_merge_locked(j);
    if (r->durable && atomic_load(&j->sync_upto) < r->next_op) {
        atomic_store(&j->sync_upto, r->next_op);
    }
}

/* *room says what is to be done first. */
static stele_code add(stele_journal *j, struct request *r, enum room *room, stele_error *err)
{
    stele_code rc;

    *room = ROOM_ENOUGH;
    sti_commit_lock_to_add(j->commit);
    rc = check_recording(j, err);
    if (rc == STELE_OK) {
        *room = room_for(j, r);
    }
    if (rc == STELE_OK && *room == ROOM_ENOUGH) {
        r->first = sti_commit_pending(j->commit) == 0;
        rc = add_frames(j, r, err);
        if (rc == STELE_OK) {
            added(j, r);
        }
    }
    sti_commit_unlock(j->commit);
    return rc;
}

/* ---- Room. ---- */

static stele_code extend(stele_journal *j, const struct request *r, stele_error *err)
{
    stele_code rc;
    uint64_t size;

    sti_commit_enter(j->commit);
    sti_commit_lock(j->commit);
    rc = check_recording(j, err);
    size = rc == STELE_OK ? size_with(j, r) : 0;
    sti_commit_unlock(j->commit);
    if (rc == STELE_OK && size <= j->log_max) {
        rc = sti_journal_log_extend(j, j->head, size, err);
    }
    sti_commit_leave(j->commit);
    return rc;
}

static stele_code switch_log(stele_journal *j, const struct request *r, stele_error *err)
{
    stele_code rc;
    bool wanted;

    sti_mutex_lock(&j->merge_mutex);
    sti_commit_lock(j->commit);
    rc = check_recording(j, err);
    /* Somebody else may have done it. */
    wanted = rc == STELE_OK && room_for(j, r) == ROOM_SWITCH;
    sti_commit_unlock(j->commit);
    if (wanted) {
        rc = sti_journal_switch_locked(j, err);
    }
    sti_mutex_unlock(&j->merge_mutex);
    sti_journal_tell(j);
    return rc;
}

static stele_code make_room(
        stele_journal *j, const struct request *r, enum room room, stele_error *err)
{
    switch (room) {
    case ROOM_ENOUGH:
        return STELE_OK;
    case ROOM_EXTEND:
        return extend(j, r, err);
    case ROOM_SWITCH:
        return switch_log(j, r, err);
    default:
        sti_unreachable();
    }
}

/* ---- Afterwards. ---- */

/* What was written before somebody asked for more is synced by whoever waits for that. */
static stele_code wait_durable(stele_journal *j, uint64_t next_op, stele_error *err)
{
    stele_code rc = STELE_OK;
    bool durable;

    sti_commit_lock(j->commit);
    durable = j->durable_op >= next_op;
    sti_commit_unlock(j->commit);
    if (durable) {
        return STELE_OK;
    }
    sti_commit_enter(j->commit);
    if (j->durable_op < next_op) {
        rc = sti_journal_check_usable(j, err);
        if (rc == STELE_OK && j->head != NULL) {
            rc = sti_journal_sync_head(j, err);
        }
    }
    sti_commit_leave(j->commit);
    return rc;
}

static void write_some(stele_journal *j, const struct request *r)
{
    bool with_thread = atomic_load(&j->work_running);

    if (r->pending > PENDING_MAX || r->late || (!with_thread && r->pending > PENDING_WRITE)) {
        sti_commit_flush(j->commit);
    } else if (r->pending > PENDING_WRITE) {
        sti_journal_work_flush(j);
    } else if (r->first && j->options.durability == STELE_JOURNAL_INTERVAL) {
        sti_journal_work_pending(j);
    }
}

static void merge_if_wanted(stele_journal *j, const struct request *r)
{
    if (!r->merge) {
        return;
    }
    if (atomic_load(&j->work_running)) {
        sti_journal_work_merge(j);
    } else {
        sti_journal_merge_if_wanted(j);
    }
}

static stele_code dump(stele_journal *j, struct request *r, stele_error *err)
{
    enum room room = ROOM_SWITCH;
    stele_code rc = STELE_OK;

    while (rc == STELE_OK && room != ROOM_ENOUGH) {
        rc = add(j, r, &room, err);
        rc = rc != STELE_OK ? rc : make_room(j, r, room, err);
    }
    if (rc != STELE_OK || r->count == 0) {
        return rc;
    }
    if (r->durable || j->options.durability == STELE_JOURNAL_EACH) {
        rc = sti_commit_wait(j->commit, r->ticket, NULL, err);
        if (rc == STELE_OK && r->durable) {
            rc = wait_durable(j, r->next_op, err);
        }
    } else {
        write_some(j, r);
    }
    merge_if_wanted(j, r);
    return rc;
}

static stele_code dump_request(stele_journal *j, struct request *r, stele_error *err)
{
    stele_journal_setting few[SCRATCH];
    stele_journal_setting *many = NULL;
    size_t settings = 0;
    stele_code rc;

    if (j == NULL || (r->ops == NULL && r->count > 0)) {
        return sti_fail(err, STELE_EINVAL, "no journal, or no operation");
    }
    rc = check(j, r, &settings, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (settings > SCRATCH) {
        many = sti_malloc(settings * sizeof *many);
        if (many == NULL) {
            return sti_fail_memory(err, settings * sizeof *many);
        }
    }
    r->scratch = settings == 0 ? NULL : many != NULL ? many : few;
    for (size_t i = 0; i < r->count && r->now == 0; i++) {
        r->now = r->ops[i].timestamp == STELE_JOURNAL_NOW ? sti_env_now(&j->env) : 0;
    }
    rc = dump(j, r, err);
    r->scratch = NULL;
    sti_free(many);
    return rc;
}

stele_code stele_journal_dump(stele_journal *journal, const stele_journal_op *op, stele_error *err)
{
    struct request r = {.ops = op, .count = 1};

    return dump_request(journal, &r, err);
}

stele_code stele_journal_dump_many(
        stele_journal *journal, const stele_journal_op *ops, size_t count, stele_error *err)
{
    struct request r = {.ops = ops, .count = count};

    return dump_request(journal, &r, err);
}

stele_code stele_journal_dump_durable(
        stele_journal *journal, const stele_journal_op *op, stele_error *err)
{
    struct request r = {.ops = op, .count = 1, .durable = !STI_MUTANT(JOURNAL_DURABLE_IGNORED)};

    return dump_request(journal, &r, err);
}

/* ---- Syncing. ---- */

stele_code stele_journal_sync(stele_journal *journal, stele_error *err)
{
    uint64_t next_op = 0;
    uint64_t ticket = 0;
    uint64_t done;
    stele_code rc;

    if (journal == NULL) {
        return sti_fail(err, STELE_EINVAL, "no journal");
    }
    if (STI_MUTANT(JOURNAL_SYNC_DOES_NOTHING)) {
        return STELE_OK;
    }
    done = sti_commit_done(journal->commit);
    sti_commit_lock(journal->commit);
    rc = check_recording(journal, err);
    if (rc == STELE_OK) {
        ticket = sti_commit_last(journal->commit);
        next_op = journal->next_op;
        if (atomic_load(&journal->sync_upto) < next_op) {
            atomic_store(&journal->sync_upto, next_op);
        }
    }
    sti_commit_unlock(journal->commit);
    /* Failures that were there before are none of this call's. */
    if (rc == STELE_OK && ticket > done) {
        rc = sti_commit_wait(journal->commit, ticket, NULL, err);
    }
    return rc != STELE_OK ? rc : wait_durable(journal, next_op, err);
}
