/* SPDX-License-Identifier: MIT
 *
 * play.c: operating a chain.
 *
 * The newest log is read up to its first frame that is not valid. What lies there tells whether a
 * crash tore it, a recorder has not got that far yet (zeros), or something durable was damaged.
 */
#include "journal/play.h"

#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"

#include <inttypes.h>

/* ---- Behind the newest log. ---- */

stele_code sti_journal_fail_damaged(
        const struct sti_journal_file *log, const struct sti_scan *scan, stele_error *err)
{
    if (!scan->header) {
        return sti_fail_at(err, STELE_ECORRUPT, log->seg->name, 0,
                "the header is damaged, and operations follow");
    }
    return sti_fail_at(err, STELE_ECORRUPT, log->seg->name, (int64_t)scan->end,
            "operation %" PRIu64 " is damaged: a later one says that it was durable",
            scan->next_id);
}

/* Whether a valid frame is there by now. */
static stele_code look_again(
        struct sti_journal_file *log, const struct sti_scan *scan, bool *there, stele_error *err)
{
    struct sti_wal_reader reader = {0};
    struct sti_wal_frame frame;
    stele_code rc = sti_segment_frame(log->seg, &reader, scan->end, scan->file_size, scan->next_id,
            sti_wal_record_max(STELE_WAL_STELE), &frame, there, err);

    sti_wal_reader_free(&reader);
    return rc;
}

stele_code sti_journal_judge_tail(struct sti_journal_file *log, uint64_t end, uint64_t id,
        struct sti_scan *out, stele_error *err)
{
    bool there = false;
    stele_code rc = sti_segment_scan_behind(log->seg, end, id, out, err);

    if (rc != STELE_OK || (!out->torn && !out->damaged)) {
        return rc;
    }
    rc = look_again(log, out, &there, err);
    if (rc == STELE_OK && there) {
        out->torn = false;
        out->damaged = false;
    }
    return rc;
}

stele_code sti_journal_judge_headless(
        struct sti_journal_file *log, struct sti_scan *out, stele_error *err)
{
    stele_code rc = sti_journal_log_scan(log, out, err);

    if (rc == STELE_OK && !out->header && (out->damaged || out->torn)) {
        rc = sti_journal_log_scan(log, out, err);
    }
    if (rc == STELE_OK && out->header) {
        /* It was begun since, and is for the next one who looks. */
        out->torn = false;
        out->damaged = false;
    }
    return rc;
}

/* ---- Operations. ---- */

struct playing {
    struct sti_journal_chain *chain;
    const stele_journal_until *until;
    stele_journal_operate operate;
    void *arg;
    stele_journal_played played;
};

static stele_code give(struct playing *p, const stele_journal_op *op, stele_error *err)
{
    stele_code rc = p->operate(p->arg, op, err);

    p->played.ops += rc >= STELE_OK ? 1 : 0;
    return rc;
}

/* STELE_ENOTFOUND: the moment lies within the snapshot. */
static stele_code check_until(const struct playing *p, stele_error *err)
{
    const struct sti_journal_end *end = &p->chain->end;

    if (p->until->count >= end->count && p->until->time >= end->latest) {
        return STELE_OK;
    }
    return sti_fail_at(err, STELE_ENOTFOUND, p->chain->snap.seg->name, -1,
            "the moment is earlier than the newest snapshot, which has %" PRIu64
            " operations, the latest of time %" PRId64,
            end->count, end->latest);
}

static stele_code play_snap(struct playing *p, stele_error *err)
{
    struct sti_journal_chain *chain = p->chain;
    struct sti_journal_cursor c;
    struct sti_journal_end end;
    stele_journal_op op;
    stele_bytes encoded;
    stele_code rc = check_until(p, err);
    bool ended = false;

    if (rc != STELE_OK) {
        return rc;
    }
    sti_journal_cursor_init(&c, &chain->snap);
    c.trusted = true;
    while (rc == STELE_OK && !ended) {
        rc = sti_journal_cursor_next(&c, &op, &encoded, err);
        ended = rc == STELE_END;
        if (rc == STELE_OK) {
            rc = give(p, &op, err);
        }
    }
    rc = ended ? sti_journal_cursor_end(&c, &end, err) : rc;
    sti_journal_cursor_free(&c);
    p->played.snapshot_ops = p->played.ops;
    if (rc == STELE_OK) {
        p->played.count = chain->end.count;
        p->played.latest = chain->end.latest;
    }
    return rc;
}

static void set_torn(
        struct playing *p, const struct sti_journal_file *log, const struct sti_scan *scan)
{
    if (!p->played.torn && scan->torn) {
        p->played.torn = true;
        sti_journal_name(p->played.torn_file, log->kind, log->number);
        p->played.torn_position = scan->torn_at;
        p->played.torn_bytes = scan->torn_end - scan->torn_at;
    }
}

/* The newest log gave its last operation. */
static stele_code end_newest(
        struct playing *p, const struct sti_journal_cursor *c, stele_error *err)
{
    struct sti_scan scan;
    stele_code rc;

    if (c->sealed) {
        return STELE_OK;
    }
    rc = sti_journal_judge_tail(c->file, c->at, c->id, &scan, err);
    if (rc == STELE_OK && scan.damaged) {
        return sti_journal_fail_damaged(c->file, &scan, err);
    }
    if (rc == STELE_OK) {
        set_torn(p, c->file, &scan);
    }
    return rc;
}

/* Operations up to `limit`. STELE_END: that is the moment, or the caller wants no more. */
static stele_code play_cursor(
        struct playing *p, struct sti_journal_cursor *c, uint64_t limit, stele_error *err)
{
    stele_journal_op op;
    stele_bytes encoded;
    stele_code rc = STELE_OK;

    while (rc == STELE_OK && c->id < limit) {
        if (c->id > p->until->count &&
                !(STI_MUTANT(JOURNAL_UNTIL_OFF_BY_ONE) && c->id == p->until->count + 1)) {
            return STELE_END;
        }
        rc = sti_journal_cursor_next(c, &op, &encoded, err);
        if (rc == STELE_END) {
            return limit == UINT64_MAX ? end_newest(p, c, err)
                                       : sti_journal_cursor_missing(c, limit, err);
        }
        if (rc != STELE_OK) {
            break;
        }
        if (op.timestamp > p->until->time) {
            return STELE_END;
        }
        rc = give(p, &op, err);
        if (rc >= STELE_OK) {
            p->played.count = c->id - 1;
            p->played.latest = op.timestamp > p->played.latest ? op.timestamp : p->played.latest;
        }
    }
    return rc;
}

static stele_code play_log(struct playing *p, size_t i, stele_error *err)
{
    struct sti_journal_cursor c;
    stele_code rc;

    sti_journal_cursor_init(&c, &p->chain->logs[i]);
    rc = play_cursor(p, &c, sti_journal_chain_limit(p->chain, i), err);
    sti_journal_cursor_free(&c);
    return rc;
}

/* Logs that were never begun hold nothing, unless their header was there once. */
static stele_code end_headless(struct playing *p, struct sti_journal_file *log, stele_error *err)
{
    struct sti_scan scan;
    stele_code rc = sti_journal_judge_headless(log, &scan, err);

    if (rc == STELE_OK && scan.damaged) {
        return sti_journal_fail_damaged(log, &scan, err);
    }
    if (rc == STELE_OK) {
        set_torn(p, log, &scan);
    }
    return rc;
}

static stele_code play_all(struct playing *p, stele_error *err)
{
    struct sti_journal_chain *chain = p->chain;
    stele_code rc = chain->snap.seg != NULL ? play_snap(p, err) : STELE_OK;

    for (size_t i = 0; i < chain->log_count && rc == STELE_OK; i++) {
        if (chain->logs[i].first_op != 0) {
            rc = play_log(p, i, err);
        } else if (i >= chain->begun_count) {
            rc = end_headless(p, &chain->logs[i], err);
        }
    }
    if (rc == STELE_OK && chain->gap.code != STELE_OK) {
        rc = chain->gap.code;
        if (err != NULL) {
            *err = chain->gap;
        }
    }
    return rc == STELE_END ? STELE_OK : rc;
}

stele_code sti_journal_play_chain(struct sti_journal_chain *chain, const stele_journal_until *until,
        stele_journal_operate operate, void *arg, stele_journal_played *played, stele_error *err)
{
    static const stele_journal_until no_limit = {.count = UINT64_MAX, .time = INT64_MAX};
    struct playing p = {.chain = chain,
            .until = until != NULL ? until : &no_limit,
            .operate = operate,
            .arg = arg};
    stele_code rc;

    sti_assert(chain->verified || chain->snap.seg == NULL);
    p.played.latest = INT64_MIN;
    p.played.fell_back = chain->bad_count > 0;
    if (chain->snap.seg != NULL) {
        sti_journal_name(p.played.snapshot, chain->snap.kind, chain->snap.number);
    }
    rc = play_all(&p, err);
    if (played != NULL) {
        *played = p.played;
    }
    return rc;
}
