/* SPDX-License-Identifier: MIT
 *
 * core_push.c: one's own entries to the peers, theirs to storage, and how much of it may be on its
 * way.
 */
#include "base/error.h"
#include "fleet/core_state.h"
#include "fleet/mutant.h"
#include "fleet/reference.h"

#define GAP_NS INT64_C(300000000) /* what overtook another one may still come */

/* ---- Going out. ---- */

/* Bytes pushed up to a number, which is not more than STI_FLEET_RING ago. */
static uint64_t bytes_up_to(const struct sti_fleet_core *c, uint64_t number)
{
    return number == 0 ? 0 : c->ring[number % STI_FLEET_RING];
}

/* Whether the last push may go to a peer: what it has not seen yet is within its window. */
static bool may_push(const struct sti_fleet_core *c, const struct sti_fleet_peer *p)
{
    return c->pushed - p->acked < STI_FLEET_RING &&
           c->pushed_bytes - bytes_up_to(c, p->acked) <= p->window;
}

static bool all_at_once(const struct sti_fleet_core *c)
{
    size_t online = 0;

    for (size_t i = 0; i < c->peer_count; i++) {
        const struct sti_fleet_peer *p = c->peers[i];

        if (p->online && (p->protocol != STI_FLEET_STELE || !may_push(c, p))) {
            return false;
        }
        online += p->online;
    }
    return online > 1;
}

static stele_code push_each(struct sti_fleet_core *c, stele_bytes push, stele_bytes ref_push)
{
    stele_code rc = STELE_OK;

    for (size_t i = 0; rc == STELE_OK && i < c->peer_count; i++) {
        struct sti_fleet_peer *p = c->peers[i];

        if (p->online && p->protocol == STI_FLEET_STELE && may_push(c, p)) {
            rc = sti_fleet_do_send(c, p, push);
        } else if (p->online && p->protocol == STI_FLEET_REFERENCE) {
            rc = sti_fleet_do_send(c, p, ref_push);
        }
    }
    return rc;
}

stele_code sti_fleet_push_own(struct sti_fleet_core *c, stele_bytes entry)
{
    struct sti_fleet_effect effect = {.kind = STI_FLEET_DO_BROADCAST};
    stele_buf push;
    stele_buf ref_push;
    stele_code rc;

    c->pushed++;
    c->pushed_bytes += entry.len;
    c->ring[c->pushed % STI_FLEET_RING] = c->pushed_bytes;
    stele_buf_init(&push, SIZE_MAX);
    stele_buf_init(&ref_push, SIZE_MAX);
    rc = sti_fleet_push_begin(c->config.boot, c->pushed, 1, &push, c->err);
    rc = rc == STELE_OK ? sti_fleet_entries_add(entry, &push, c->err) : rc;
    rc = rc == STELE_OK ? sti_fleet_ref_log_push(entry, &ref_push, c->err) : rc;
    if (rc == STELE_OK && all_at_once(c)) {
        effect.bytes = stele_buf_view(&push);
        rc = sti_fleet_do(c, &effect);
    } else if (rc == STELE_OK) {
        rc = push_each(c, stele_buf_view(&push), stele_buf_view(&ref_push));
    }
    stele_buf_free(&push);
    stele_buf_free(&ref_push);
    return rc;
}

stele_code sti_fleet_on_credit(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    struct sti_fleet_credit credit;

    if (sti_fleet_credit_decode(&credit, c->event->bytes, NULL) != STELE_OK) {
        c->counters.bad_packets += !STI_FLEET_MUTANT(CREDIT_BELIEVED);
        return STELE_OK;
    }
    /* Of a boot of before there may be any number. */
    if (credit.boot == c->config.boot && credit.seen > c->pushed) {
        c->counters.bad_packets++;
    } else if (credit.boot == c->config.boot && credit.seen >= p->acked) {
        p->acked = credit.seen;
        p->window = credit.bytes;
    }
    return STELE_OK;
}

/* ---- Coming in. ---- */

stele_code sti_fleet_grant(struct sti_fleet_core *c, struct sti_fleet_peer *p, bool always)
{
    struct sti_fleet_credit credit = {.boot = p->boot, .bytes = c->config.window, .seen = p->seen};
    stele_buf out;
    stele_code rc;

    if (p->boot == 0 || p->seen == p->seen_granted || !sti_fleet_has_room(c) ||
            (!always && p->since_credit < c->config.window / 4 &&
                    p->seen - p->seen_granted < STI_FLEET_RING / 4)) {
        return STELE_OK;
    }
    stele_buf_init(&out, SIZE_MAX);
    rc = sti_fleet_credit_encode(&credit, &out, c->err);
    rc = rc == STELE_OK ? sti_fleet_do_send(c, p, stele_buf_view(&out)) : rc;
    if (rc == STELE_OK) {
        p->seen_granted = p->seen;
        p->since_credit = 0;
    }
    stele_buf_free(&out);
    return rc;
}

/* Numbers up to `last` are accounted for. */
static void note_numbers(
        struct sti_fleet_core *c, struct sti_fleet_peer *p, uint64_t first, uint64_t last)
{
    if (first > p->seen + 1) {
        c->counters.gaps++;
        sti_fleet_want_session(
                p, sti_fleet_later(c->event->now_ns, sti_fleet_jitter(c, GAP_NS)), true);
    }
    p->seen = last > p->seen ? last : p->seen;
}

stele_code sti_fleet_on_push(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    struct sti_fleet_push push;
    bool had_room = sti_fleet_has_room(c);
    uint64_t dropped = c->counters.dropped;
    stele_bytes entry;
    stele_code rc = STELE_OK;

    if (sti_fleet_push_decode(&push, c->event->bytes, NULL) != STELE_OK) {
        c->counters.bad_packets++;
        return STELE_OK;
    }
    if (push.first > 0 && push.boot == p->boot && push.entries.count > 0) {
        note_numbers(c, p, push.first, push.first + push.entries.count - 1);
        p->since_credit += c->event->bytes.len;
    } else if (push.boot != p->boot) {
        sti_fleet_want_hello(c, p);
    }
    while (rc == STELE_OK && sti_fleet_entries_next(&push.entries, &entry) == STELE_OK) {
        rc = sti_fleet_accept(c, p, entry, false, NULL);
    }
    if (rc == STELE_OK && (!had_room || c->counters.dropped > dropped)) {
        sti_fleet_want_session(
                p, sti_fleet_later(c->event->now_ns, sti_fleet_jitter(c, GAP_NS)), true);
    }
    return rc == STELE_OK ? sti_fleet_grant(c, p, false) : rc;
}
