/* SPDX-License-Identifier: MIT
 *
 * core_hello.c: who is there, what it speaks, and whether it has what we have.
 */
#include "base/error.h"
#include "fleet/core_state.h"
#include "fleet/mutant.h"

#define RENUMBER_NS INT64_C(10000000000) /* a peer may say at will that it has our number */

enum {
    HELLO_TRIES_MAX = 6 /* the wait doubles so often */
};

/* ---- How it is here. ---- */

stele_code sti_fleet_sum_above(
        struct sti_fleet_core *c, int64_t seconds, struct sti_docs_aggregate *out)
{
    const struct sti_fleet_set *set = &c->config.storage.set;
    struct sti_fleet_bound low = sti_fleet_bound_of_second(seconds);

    return set->ops->sum(set->arg, sti_fleet_bound_view(&low), stele_nil(), out, c->err);
}

/* Count and root at or above a horizon. */
static stele_code root_above(struct sti_fleet_core *c, int64_t seconds, uint64_t *count,
        uint8_t root[STI_DOCS_FINGERPRINT_SIZE])
{
    struct sti_docs_aggregate sum;
    stele_code rc = sti_fleet_sum_above(c, seconds, &sum);

    if (rc == STELE_OK) {
        *count = sum.count;
        rc = sti_docs_aggregate_fingerprint(&sum, root, c->err);
    }
    return rc;
}

void sti_fleet_want_session(struct sti_fleet_peer *p, int64_t at_ns, bool gap_only)
{
    if (p->recon_at == STI_FLEET_NEVER) {
        p->recon_at = at_ns;
        p->gap_only = gap_only;
        return;
    }
    p->recon_at = at_ns < p->recon_at ? at_ns : p->recon_at;
    p->gap_only = p->gap_only && gap_only;
}

struct sti_docs_version sti_fleet_good_now(
        const struct sti_fleet_core *c, const struct sti_fleet_peer *p)
{
    struct sti_docs_version wall = sti_fleet_wall_version(c, 0);
    int64_t seconds = p->now.seconds < wall.seconds ? p->now.seconds : wall.seconds;

    seconds -= (int64_t)c->config.drift_max;
    return (struct sti_docs_version){.seconds = seconds < 0 ? 0 : seconds};
}

/* What it has is what is here: nothing is to be done with this peer, if nothing was trimmed that we
 * lack, of which roots say nothing. */
static stele_code note_same(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    int64_t now = c->event->now_ns;

    p->mismatch_at = STI_FLEET_NEVER;
    p->recon_at = STI_FLEET_NEVER;
    if (sti_fleet_needs_snapshot(c, p)) {
        p->rate = 0;
        sti_fleet_want_session(p, now > p->snap_at ? now : p->snap_at, false);
        return STELE_OK;
    }
    p->rate = STI_FLEET_MUTANT(NEVER_READY) ? 0 : STI_FLEET_FULL_RATE;
    p->misses = 0;
    p->not_before = 0;
    return sti_fleet_note_good(c, p, sti_fleet_good_now(c, p));
}

static void note_different(struct sti_fleet_core *c, struct sti_fleet_peer *p, uint64_t here,
        uint64_t there, bool at_once)
{
    int64_t now = c->event->now_ns;
    uint64_t less = here < there ? here : there;
    uint64_t more = here < there ? there : here;

    p->rate = more == less ? STI_FLEET_FULL_RATE - 1
                           : (unsigned)((double)less / (double)more * (STI_FLEET_FULL_RATE - 1));
    if (p->mismatch_at == STI_FLEET_NEVER) {
        p->mismatch_at = now;
    }
    if (STI_FLEET_MUTANT(MISMATCH_IGNORED)) {
        return;
    }
    if (at_once || now - p->mismatch_at >= c->config.mismatch_ns) {
        int64_t at = sti_fleet_later(now, sti_fleet_jitter(c, c->config.state_ns) / 4);

        sti_fleet_want_session(p, at > p->not_before ? at : p->not_before, false);
    }
}

/* Roots compare only above the higher horizon. If it is ours, the peer will compare. */
static stele_code compare(struct sti_fleet_core *c, struct sti_fleet_peer *p, int64_t horizon,
        uint64_t count, const uint8_t root[STI_DOCS_FINGERPRINT_SIZE], bool at_once)
{
    uint8_t own[STI_DOCS_FINGERPRINT_SIZE];
    uint64_t here = 0;
    bool same;
    stele_code rc = STELE_OK;

    if (horizon >= c->horizon.seconds) {
        rc = root_above(c, horizon, &here, own);
        same = STI_FLEET_MUTANT(ROOT_ALWAYS_SAME) ||
               (here == count && memcmp(own, root, sizeof own) == 0);
        if (rc == STELE_OK && same) {
            rc = note_same(c, p);
        } else if (rc == STELE_OK) {
            note_different(c, p, here, count, at_once);
        }
    }
    return rc;
}

/* ---- Hello. ---- */

static stele_code make_hello(struct sti_fleet_core *c, uint8_t kind, stele_buf *out)
{
    struct sti_fleet_hello hello = {.kind = kind,
            .lowest = STI_FLEET_VERSION,
            .highest = STI_FLEET_VERSION,
            .server = c->config.server,
            .boot = c->config.boot,
            .now = sti_fleet_wall_version(c, 0),
            .horizon = c->horizon,
            .pushed = c->pushed,
            .collation = c->config.collation};
    stele_code rc = root_above(c, c->horizon.seconds, &hello.count, hello.root);

    return rc == STELE_OK ? sti_fleet_hello_encode(&hello, out, c->err) : rc;
}

stele_code sti_fleet_send_hello(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    stele_buf out;
    stele_code rc;

    p->hello_at = STI_FLEET_NEVER;
    stele_buf_init(&out, SIZE_MAX);
    rc = make_hello(c, STI_FLEET_PKT_HELLO, &out);
    rc = rc == STELE_OK ? sti_fleet_do_request(c, p, stele_buf_view(&out), &p->hello_token) : rc;
    if (rc != STELE_OK) {
        p->hello_at = sti_fleet_later(c->event->now_ns, c->config.backoff_ns);
    }
    stele_buf_free(&out);
    return rc;
}

static bool is_skewed(const struct sti_fleet_core *c, struct sti_docs_version now)
{
    int64_t seconds;

    return __builtin_sub_overflow(now.seconds, c->event->wall.seconds, &seconds) ||
           seconds > (int64_t)c->config.drift_max || seconds < -(int64_t)c->config.drift_max;
}

static stele_code note_oddities(
        struct sti_fleet_core *c, struct sti_fleet_peer *p, const struct sti_fleet_hello *h)
{
    stele_code rc = STELE_OK;

    if (is_skewed(c, h->now) && !p->told_skew) {
        p->told_skew = true;
        rc = sti_fleet_do_tell(c, STI_FLEET_TOLD_SKEW, p, h->now);
    }
    if (rc == STELE_OK && h->server == c->config.server && c->renumber_at <= c->event->now_ns &&
            (c->config.boot > h->boot ||
                    (c->config.boot == h->boot && strcmp(c->config.self, p->name) > 0))) {
        rc = sti_fleet_do_tell(c, STI_FLEET_TOLD_SERVER_TAKEN, p, h->now);
        c->renumber_at = sti_fleet_later(c->event->now_ns, RENUMBER_NS);
    }
    if (rc == STELE_OK && !stele_bytes_equal(h->collation, c->config.collation) &&
            h->collation.len + c->config.collation.len > 0) {
        rc = sti_fleet_do_tell(c, STI_FLEET_TOLD_COLLATION, p, h->now);
    }
    return rc;
}

/* What it pushed before is not asked for by number: its root tells whether anything lacks. */
static stele_code note_hello(
        struct sti_fleet_core *c, struct sti_fleet_peer *p, const struct sti_fleet_hello *h)
{
    stele_code rc = STELE_OK;

    if (h->lowest > STI_FLEET_VERSION || h->highest < STI_FLEET_VERSION) {
        p->protocol = STI_FLEET_FOREIGN;
        return STELE_OK;
    }
    p->horizon = h->horizon;
    p->now = h->now;
    if (p->boot != h->boot || p->protocol != STI_FLEET_STELE) {
        p->protocol = STI_FLEET_STELE;
        p->boot = h->boot;
        p->seen = p->seen_granted = h->pushed;
        p->since_credit = 0;
        p->acked = c->pushed;
        p->window = c->config.window;
        p->told_skew = false;
        p->info_at = STI_FLEET_NEVER;
        rc = note_oddities(c, p, h);
    }
    return rc == STELE_OK ? compare(c, p, h->horizon.seconds, h->count, h->root, p->online) : rc;
}

/* What it says is of another boot than the one that is known. */
void sti_fleet_want_hello(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    if (p->online && p->hello_token == 0 && p->hello_at == STI_FLEET_NEVER &&
            p->protocol != STI_FLEET_FOREIGN) {
        p->hello_at = c->event->now_ns;
    }
}

stele_code sti_fleet_on_hello(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    struct sti_fleet_hello hello;
    stele_buf out;
    stele_code rc;

    if (sti_fleet_hello_decode(&hello, c->event->bytes, NULL) != STELE_OK ||
            hello.kind != STI_FLEET_PKT_HELLO) {
        c->counters.bad_packets++;
        return sti_fleet_do_reply(c, STELE_ECORRUPT, stele_nil());
    }
    /* One that was on its way while the peer began anew says nothing any more. */
    rc = hello.boot < p->boot ? STELE_OK : note_hello(c, p, &hello);
    stele_buf_init(&out, SIZE_MAX);
    rc = rc == STELE_OK ? make_hello(c, STI_FLEET_PKT_HELLO_REPLY, &out) : rc;
    rc = rc == STELE_OK ? sti_fleet_do_reply(c, STELE_OK, stele_buf_view(&out)) : rc;
    stele_buf_free(&out);
    return rc;
}

static void hello_again(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    unsigned tries = p->hello_tries < HELLO_TRIES_MAX ? p->hello_tries++ : HELLO_TRIES_MAX;

    if (p->online) {
        p->hello_at = sti_fleet_later(
                c->event->now_ns, sti_fleet_jitter(c, c->config.backoff_ns << tries));
    }
}

stele_code sti_fleet_on_hello_reply(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    struct sti_fleet_hello hello;

    p->hello_token = 0;
    if (c->event->code != STELE_OK) {
        hello_again(c, p);
        return STELE_OK;
    }
    p->hello_tries = 0;
    if (c->event->bytes.len == 0) {
        if (p->protocol == STI_FLEET_UNKNOWN && p->online) {
            p->protocol = STI_FLEET_REFERENCE;
            p->info_at = c->event->now_ns;
            p->info_tries = 0;
        }
        return STELE_OK;
    }
    if (sti_fleet_hello_decode(&hello, c->event->bytes, NULL) != STELE_OK ||
            hello.kind != STI_FLEET_PKT_HELLO_REPLY) {
        c->counters.bad_packets++;
        hello_again(c, p);
        return STELE_OK;
    }
    return note_hello(c, p, &hello);
}

/* ---- State. ---- */

static stele_code to_each(struct sti_fleet_core *c, stele_bytes bytes)
{
    struct sti_fleet_effect effect = {.kind = STI_FLEET_DO_BROADCAST, .bytes = bytes};
    size_t stele = 0;
    size_t online = 0;
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < c->peer_count; i++) {
        online += c->peers[i]->online;
        stele += c->peers[i]->online && c->peers[i]->protocol == STI_FLEET_STELE;
    }
    if (stele == online && online > 1) {
        return sti_fleet_do(c, &effect);
    }
    for (size_t i = 0; rc == STELE_OK && i < c->peer_count; i++) {
        if (c->peers[i]->online && c->peers[i]->protocol == STI_FLEET_STELE) {
            rc = sti_fleet_do_send(c, c->peers[i], bytes);
        }
    }
    return rc;
}

stele_code sti_fleet_send_state(struct sti_fleet_core *c)
{
    struct sti_fleet_state state = {.boot = c->config.boot,
            .pushed = c->pushed,
            .now = sti_fleet_wall_version(c, 0),
            .horizon = (uint64_t)c->horizon.seconds};
    stele_buf out;
    stele_code rc = root_above(c, c->horizon.seconds, &state.count, state.root);

    stele_buf_init(&out, SIZE_MAX);
    rc = rc == STELE_OK ? sti_fleet_state_encode(&state, &out, c->err) : rc;
    rc = rc == STELE_OK ? to_each(c, stele_buf_view(&out)) : rc;
    stele_buf_free(&out);
    return rc;
}

stele_code sti_fleet_on_state(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    struct sti_fleet_state state;
    stele_code rc;

    if (sti_fleet_state_decode(&state, c->event->bytes, NULL) != STELE_OK) {
        c->counters.bad_packets++;
        return STELE_OK;
    }
    if (state.boot != p->boot || p->protocol != STI_FLEET_STELE) {
        sti_fleet_want_hello(c, p);
        return STELE_OK;
    }
    p->horizon = (struct sti_docs_version){.seconds = (int64_t)state.horizon};
    p->now = state.now;
    rc = compare(c, p, p->horizon.seconds, state.count, state.root, false);
    if (rc == STELE_OK && state.pushed > p->seen) {
        c->counters.gaps++;
        p->seen = state.pushed;
        if (p->mismatch_at != STI_FLEET_NEVER) {
            sti_fleet_want_session(p,
                    sti_fleet_later(c->event->now_ns, sti_fleet_jitter(c, c->config.state_ns) / 4),
                    true);
        }
    }
    return rc == STELE_OK ? sti_fleet_grant(c, p, true) : rc;
}

/* ---- Status. ---- */

void sti_fleet_update_status(struct sti_fleet_core *c)
{
    size_t online = 0;
    size_t known = 0;
    size_t counted = 0;
    uint64_t rate = 0;

    if (c->status == STI_FLEET_READY) {
        return;
    }
    for (size_t i = 0; i < c->peer_count; i++) {
        const struct sti_fleet_peer *p = c->peers[i];
        bool counts = p->protocol == STI_FLEET_STELE || p->protocol == STI_FLEET_REFERENCE;

        online += p->online;
        known += p->online && p->protocol != STI_FLEET_UNKNOWN;
        counted += p->online && counts;
        rate += p->online && counts ? p->rate : 0;
    }
    if (online == 0) {
        c->status = c->lone_at <= c->event->now_ns ? STI_FLEET_READY : c->status;
        return;
    }
    if (known > 0) {
        c->status = STI_FLEET_SYNCING;
    }
    if (known == online && (counted == 0 || rate / counted > STI_FLEET_READY_RATE)) {
        c->status = STI_FLEET_READY;
    }
}
