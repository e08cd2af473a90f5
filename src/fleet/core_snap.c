/* SPDX-License-Identifier: MIT
 *
 * core_snap.c: what was trimmed, and how one gets it all the same.
 */
#include "base/error.h"
#include "fleet/core_state.h"
#include "fleet/mutant.h"

enum {
    RAISE_PART = 8, /* the horizon is raised by this part of the retention at least */
    TELL_PART = 16
};

/* ---- The horizon. ---- */

/* The lowest of what is known to be the same here and with each peer; false while that cannot be
 * said of one. */
static bool same_with_all(const struct sti_fleet_core *c, int64_t *seconds)
{
    for (size_t i = 0; i < c->peer_count; i++) {
        const struct sti_fleet_peer *p = c->peers[i];

        if (p->forgotten || STI_FLEET_MUTANT(HORIZON_ALONE) ||
                (STI_FLEET_MUTANT(HORIZON_OVER_REFERENCE) && p->protocol == STI_FLEET_REFERENCE)) {
            continue;
        }
        if (p->protocol != STI_FLEET_STELE || p->good.seconds == 0) {
            return false;
        }
        *seconds = p->good.seconds < *seconds ? p->good.seconds : *seconds;
    }
    return true;
}

/* Entries that wait in quarantine are above all of this. */
stele_code sti_fleet_raise_horizon(struct sti_fleet_core *c)
{
    struct sti_fleet_effect effect = {.kind = STI_FLEET_DO_TRIM};
    int64_t seconds;
    stele_code rc = STELE_OK;

    if (c->config.retention == 0 || c->event->wall.seconds <= (int64_t)c->config.retention) {
        return STELE_OK;
    }
    seconds = c->event->wall.seconds - (int64_t)c->config.retention;
    if (!same_with_all(c, &seconds) ||
            seconds < c->horizon.seconds + 1 + (int64_t)c->config.retention / RAISE_PART) {
        return STELE_OK;
    }
    effect.version.seconds = seconds;
    rc = sti_fleet_do(c, &effect);
    c->horizon = rc == STELE_OK ? effect.version : c->horizon;
    return rc;
}

/* It is told from time to time: what is told last need not be the last, but is not far from it. */
stele_code sti_fleet_note_good(
        struct sti_fleet_core *c, struct sti_fleet_peer *p, struct sti_docs_version good)
{
    int64_t part = (int64_t)c->config.retention / TELL_PART;
    stele_code rc = STELE_OK;

    if (sti_docs_version_compare(good, p->good) > 0) {
        p->good = good;
    }
    if (c->config.retention > 0 && p->good.seconds > p->good_told + part) {
        rc = sti_fleet_do_tell(c, STI_FLEET_TOLD_SYNCED, p, p->good);
        p->good_told = rc == STELE_OK ? p->good.seconds : p->good_told;
    }
    return rc;
}

stele_code sti_fleet_forget_good(struct sti_fleet_core *c)
{
    stele_code rc = STELE_OK;

    c->snap_cut = true;
    for (size_t i = 0; i < STI_FLEET_SESSIONS; i++) {
        c->sessions[i].cut = true;
    }
    for (size_t i = 0; i < c->peer_count; i++) {
        struct sti_fleet_peer *p = c->peers[i];

        p->good = (struct sti_docs_version){.seconds = 0};
        if (rc == STELE_OK && p->good_told > 0) {
            rc = sti_fleet_do_tell(c, STI_FLEET_TOLD_SYNCED, p, p->good);
            p->good_told = rc == STELE_OK ? 0 : p->good_told;
        }
        if (p->online && p->protocol == STI_FLEET_STELE) {
            sti_fleet_want_session(
                    p, sti_fleet_later(c->event->now_ns, c->config.mismatch_ns), false);
        }
    }
    return rc;
}

/* ---- Snapshots. ---- */

bool sti_fleet_needs_snapshot(const struct sti_fleet_core *c, const struct sti_fleet_peer *p)
{
    return !STI_FLEET_MUTANT(SNAPSHOT_SKIPPED) &&
           (p->good.seconds < p->horizon.seconds || p->good.seconds < c->horizon.seconds);
}

static stele_code ask(struct sti_fleet_core *c)
{
    struct sti_fleet_snap snap = {.at = c->snap_good, .cursor = stele_buf_view(&c->snap_cursor)};
    stele_buf out;
    stele_code rc;

    stele_buf_init(&out, SIZE_MAX);
    rc = sti_fleet_snap_encode(&snap, &out, c->err);
    rc = rc == STELE_OK
                 ? sti_fleet_do_request(c, c->snap_peer, stele_buf_view(&out), &c->snap_token)
                 : rc;
    stele_buf_free(&out);
    return rc;
}

stele_code sti_fleet_begin_snapshot(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    stele_code rc;

    c->snap_peer = p;
    c->snap_cut = false;
    stele_buf_clear(&c->snap_cursor);
    c->snap_good = sti_docs_version_compare(p->horizon, c->horizon) > 0 ? p->horizon : c->horizon;
    rc = ask(c);
    if (rc == STELE_OK) {
        c->counters.snapshots++;
    } else {
        c->snap_peer = NULL;
    }
    return rc;
}

static stele_code end_snapshot(struct sti_fleet_core *c, bool failed)
{
    struct sti_fleet_peer *p = c->snap_peer;

    c->snap_peer = NULL;
    p->gap_only = false;
    p->recon_at = c->event->now_ns;
    if (failed) {
        p->snap_at = sti_fleet_later(p->recon_at, sti_fleet_backoff(c, p->snap_misses++));
        p->recon_at = p->snap_at;
        return STELE_OK;
    }
    p->snap_misses = 0;
    p->snap_at = 0;
    return sti_fleet_note_good(c, p, c->snap_good);
}

/* Each answer leads further than the one before: else a peer could keep us at it. */
static stele_code go_on(struct sti_fleet_core *c, const struct sti_fleet_snap *snap, bool *more)
{
    stele_code rc;

    *more = STI_FLEET_MUTANT(SNAPSHOT_ANYWHERE) ||
            (snap->entries.count > 0 &&
                    stele_bytes_compare(snap->cursor, stele_buf_view(&c->snap_cursor)) > 0);
    if (!*more) {
        c->counters.bad_packets++;
        c->snap_cut = true;
        return STELE_OK;
    }
    stele_buf_clear(&c->snap_cursor);
    rc = stele_buf_append(&c->snap_cursor, snap->cursor, c->err);
    return rc == STELE_OK ? ask(c) : rc;
}

stele_code sti_fleet_on_snap_reply(struct sti_fleet_core *c)
{
    uint64_t dropped = c->counters.dropped;
    struct sti_fleet_snap snap;
    struct sti_fleet_entries entries;
    stele_bytes entry;
    bool more = false;
    stele_code rc = STELE_OK;

    if (c->event->code != STELE_OK ||
            sti_fleet_snap_reply_decode(&snap, c->event->bytes, NULL) != STELE_OK) {
        c->counters.bad_packets += c->event->code == STELE_OK;
        return end_snapshot(c, true);
    }
    entries = snap.entries;
    while (rc == STELE_OK && sti_fleet_entries_next(&entries, &entry) == STELE_OK) {
        rc = sti_fleet_accept(c, c->snap_peer, entry, true, NULL);
    }
    c->snap_cut = c->snap_cut || c->counters.dropped != dropped;
    if (rc == STELE_OK && !c->snap_cut && snap.cursor.len > 0) {
        rc = go_on(c, &snap, &more);
    }
    if (rc != STELE_OK) {
        (void)end_snapshot(c, true);
        return rc;
    }
    return more ? STELE_OK : end_snapshot(c, c->snap_cut);
}
