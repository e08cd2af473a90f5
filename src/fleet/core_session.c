/* SPDX-License-Identifier: MIT
 *
 * core_session.c: reconciliation as the one who asks: what each lacks is found, ours is fetched,
 * theirs is pushed.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "fleet/core_state.h"
#include "fleet/mutant.h"

enum {
    IDS_MAX = 512 << 10,    /* bytes of short IDs kept in a session */
    FETCH_FLUSH = 32 << 10, /* bytes of one request */
    MISSES_MAX = 6
};

void sti_fleet_session_free(struct sti_fleet_session *s)
{
    sti_free(s->wants);
    s->wants = NULL;
    s->want_count = s->want_from = s->want_to = 0;
    stele_buf_free(&s->ids);
    s->peer = NULL;
    s->token = 0;
}

/* ---- The end. ---- */

int64_t sti_fleet_backoff(struct sti_fleet_core *c, unsigned misses)
{
    int64_t ns = c->config.backoff_ns << (misses < MISSES_MAX ? misses : MISSES_MAX);

    return sti_fleet_jitter(c, ns < c->config.backoff_max_ns ? ns : c->config.backoff_max_ns);
}

/* Others may have had the same: whether they differ is to be seen anew. */
static void look_anew(struct sti_fleet_core *c)
{
    for (size_t i = 0; i < c->peer_count; i++) {
        c->peers[i]->mismatch_at = STI_FLEET_NEVER;
    }
}

static stele_code note_end(struct sti_fleet_core *c, struct sti_fleet_session *s)
{
    if (!s->whole || s->cut || sti_fleet_needs_snapshot(c, s->peer)) {
        return STELE_OK;
    }
    s->peer->rate = STI_FLEET_FULL_RATE;
    return sti_fleet_note_good(c, s->peer, s->began);
}

stele_code sti_fleet_end_session(struct sti_fleet_core *c, struct sti_fleet_session *s, bool failed)
{
    struct sti_fleet_peer *p = s->peer;
    int64_t now = c->event->now_ns;
    stele_code rc = failed ? STELE_OK : note_end(c, s);

    c->counters.sessions_failed += failed;
    if (s->gained && !failed) {
        p->misses = 0;
        p->not_before = 0;
        look_anew(c);
    } else {
        p->not_before = sti_fleet_later(now, sti_fleet_backoff(c, p->misses));
        p->misses += p->misses < MISSES_MAX;
    }
    if (p->online && (failed || s->cut)) {
        sti_fleet_want_session(p, p->not_before > now ? p->not_before : now, !s->whole && !s->cut);
    }
    sti_fleet_session_free(s);
    return rc;
}

/* ---- The beginning. ---- */

static bool has_session(const struct sti_fleet_core *c, const struct sti_fleet_peer *p)
{
    bool found = false;

    for (size_t i = 0; i < STI_FLEET_SESSIONS; i++) {
        found = found || c->sessions[i].peer == p;
    }
    return found;
}

static struct sti_fleet_session *free_session(struct sti_fleet_core *c)
{
    for (size_t i = 0; i < STI_FLEET_SESSIONS; i++) {
        if (c->sessions[i].peer == NULL) {
            return &c->sessions[i];
        }
    }
    return NULL;
}

/* One snapshot is taken at a time, and with it most of what others would give. */
static bool has_to_wait(const struct sti_fleet_core *c, const struct sti_fleet_peer *p)
{
    return c->snap_peer != NULL && (c->snap_peer == p || sti_fleet_needs_snapshot(c, p));
}

static struct sti_fleet_peer *choose(struct sti_fleet_core *c)
{
    struct sti_fleet_peer *chosen = NULL;
    size_t count = 0;

    for (size_t i = 0; i < c->peer_count; i++) {
        struct sti_fleet_peer *p = c->peers[i];

        if (p->online && p->protocol == STI_FLEET_STELE && p->recon_at <= c->event->now_ns &&
                !has_session(c, p) && !has_to_wait(c, p) && sti_fleet_draw(c) % ++count == 0) {
            chosen = p;
        }
    }
    return chosen;
}

static stele_code begin(
        struct sti_fleet_core *c, struct sti_fleet_session *s, struct sti_fleet_peer *p)
{
    struct sti_fleet_bound end = sti_fleet_bound_end();
    bool own = sti_docs_version_compare(c->horizon, p->horizon) > 0;
    int64_t from;
    stele_buf out;
    stele_bytes packet;
    struct sti_fleet_bound low;
    stele_code rc;

    s->head = (struct sti_fleet_recon_head){.session = sti_fleet_draw(c),
            .salt = sti_fleet_draw(c),
            .horizon = own ? c->horizon : p->horizon};
    s->whole = !p->gap_only || p->good.seconds <= s->head.horizon.seconds;
    s->began = sti_fleet_good_now(c, p);
    s->rounds = 0;
    s->given = 0;
    s->fetching = s->cut = s->gained = false;
    from = s->whole ? s->head.horizon.seconds : p->good.seconds;
    low = sti_fleet_bound_of_second(from);
    stele_buf_init(&out, SIZE_MAX);
    rc = sti_fleet_recon_begin(&c->config.storage.set, &s->head, &low, &end, &out, c->err);
    packet = stele_buf_view(&out);
    rc = rc == STELE_OK ? sti_fleet_do_request(c, p, packet, &s->token) : rc;
    if (rc == STELE_OK) {
        s->peer = p;
        p->recon_at = STI_FLEET_NEVER;
        c->counters.sessions++;
    }
    stele_buf_free(&out);
    return rc;
}

stele_code sti_fleet_begin_sessions(struct sti_fleet_core *c)
{
    stele_code rc = STELE_OK;

    while (rc == STELE_OK && !STI_FLEET_MUTANT(NO_SESSIONS)) {
        struct sti_fleet_session *s = free_session(c);
        struct sti_fleet_peer *p = s == NULL ? NULL : choose(c);

        if (p == NULL) {
            break;
        }
        rc = sti_fleet_needs_snapshot(c, p) ? sti_fleet_begin_snapshot(c, p) : begin(c, s, p);
    }
    return rc;
}

/* ---- What is found. ---- */

struct finding {
    struct sti_fleet_core *c;
    struct sti_fleet_session *s;
    stele_buf entries; /* to be given */
    size_t looked;     /* keys, in search of them */
    size_t count;
};

static stele_code want(struct finding *f, const struct sti_fleet_fetch_item *item, stele_error *err)
{
    struct sti_fleet_session *s = f->s;
    stele_code rc;

    if (s->want_count == STI_FLEET_WANTS_MAX || item->ids.len > IDS_MAX - s->ids.len) {
        s->cut = true;
        return STELE_OK;
    }
    if (s->wants == NULL) {
        s->wants = sti_calloc(STI_FLEET_WANTS_MAX, sizeof s->wants[0]);
        if (s->wants == NULL) {
            return sti_fail_memory(err, STI_FLEET_WANTS_MAX * sizeof s->wants[0]);
        }
    }
    s->wants[s->want_count] = (struct sti_fleet_want){
            .low = item->low, .high = item->high, .ids_at = s->ids.len, .ids_len = item->ids.len};
    rc = stele_buf_append(&s->ids, item->ids, err);
    s->want_count += rc == STELE_OK;
    return rc;
}

static stele_code send_given(struct finding *f)
{
    struct sti_fleet_core *c = f->c;
    stele_buf out;
    stele_code rc;

    if (f->count == 0) {
        return STELE_OK;
    }
    stele_buf_init(&out, SIZE_MAX);
    rc = sti_fleet_push_begin(c->config.boot, 0, f->count, &out, c->err);
    rc = rc == STELE_OK ? stele_buf_append(&out, stele_buf_view(&f->entries), c->err) : rc;
    rc = rc == STELE_OK ? sti_fleet_do_send(c, f->s->peer, stele_buf_view(&out)) : rc;
    c->counters.given += f->count;
    f->count = 0;
    stele_buf_clear(&f->entries);
    stele_buf_free(&out);
    return rc;
}

static stele_code give(void *arg, stele_bytes entry, stele_error *err)
{
    struct finding *f = arg;
    stele_code rc;

    if (f->s->given > f->c->config.window) {
        f->s->cut = true;
        return STELE_END;
    }
    f->s->given += entry.len;
    rc = sti_fleet_entries_add(entry, &f->entries, err);
    f->count += rc == STELE_OK;
    return rc == STELE_OK && f->entries.len > STI_FLEET_REPLY_FLUSH ? send_given(f) : rc;
}

static stele_code found(void *arg, enum sti_fleet_side lacks,
        const struct sti_fleet_fetch_item *item, stele_error *err)
{
    struct finding *f = arg;
    bool whole = true;
    stele_code rc;

    if (STI_FLEET_MUTANT(NOTHING_FETCHED_OR_GIVEN)) {
        return STELE_OK;
    }
    if (lacks == STI_FLEET_HERE) {
        return want(f, item, err);
    }
    rc = sti_fleet_select(f->c, &f->s->head, item, &f->looked, give, f, &whole);
    f->s->cut = f->s->cut || !whole;
    return rc;
}

/* ---- Fetching. ---- */

static int compare_wants(const void *a, const void *b)
{
    const struct sti_fleet_want *x = a;
    const struct sti_fleet_want *y = b;

    return sti_fleet_bound_compare(&x->low, &y->low);
}

/* What was found in one round lies between what was found in another: a fetch goes upwards. Ranges
 * that overlap are no honest peer's, and go. */
static void begin_fetching(struct sti_fleet_session *s)
{
    size_t to = 0;

    s->fetching = true;
    if (s->want_count == 0) {
        return;
    }
    qsort(s->wants, s->want_count, sizeof s->wants[0], compare_wants);
    for (size_t i = 0; i < s->want_count; i++) {
        if (to > 0 && sti_fleet_bound_compare(&s->wants[to - 1].high, &s->wants[i].low) > 0) {
            s->cut = true;
        } else {
            s->wants[to++] = s->wants[i];
        }
    }
    s->want_count = to;
}

static stele_code fetch(struct sti_fleet_core *c, struct sti_fleet_session *s)
{
    struct sti_fleet_fetch head = {
            .session = s->head.session, .salt = s->head.salt, .bytes_max = STI_FLEET_REPLY_FLUSH};
    uint64_t seconds = 0;
    stele_buf out;
    stele_code rc;

    stele_buf_init(&out, SIZE_MAX);
    rc = sti_fleet_fetch_begin(&head, &out, c->err);
    for (s->want_to = s->want_from;
            rc == STELE_OK && s->want_to < s->want_count && out.len < FETCH_FLUSH; s->want_to++) {
        const struct sti_fleet_want *w = &s->wants[s->want_to];
        struct sti_fleet_fetch_item item = {.low = w->low,
                .high = w->high,
                .ids = stele_bytes_of(s->ids.data + w->ids_at, w->ids_len)};

        rc = sti_fleet_fetch_add(&item, &seconds, &out, c->err);
    }
    rc = rc == STELE_OK ? sti_fleet_do_request(c, s->peer, stele_buf_view(&out), &s->token) : rc;
    stele_buf_free(&out);
    return rc;
}

/* While a request is on its way the token is set. */
stele_code sti_fleet_continue_sessions(struct sti_fleet_core *c)
{
    stele_code rc = STELE_OK;

    for (size_t i = 0; rc == STELE_OK && i < STI_FLEET_SESSIONS; i++) {
        struct sti_fleet_session *s = &c->sessions[i];

        if (s->peer != NULL && s->fetching && s->token == 0 && sti_fleet_has_room(c)) {
            if (s->want_from == s->want_count) {
                rc = sti_fleet_end_session(c, s, false);
            } else {
                rc = fetch(c, s);
            }
        }
    }
    return rc;
}

/* Behind the last entry that came. False: that is no way further. */
static bool skip_to(struct sti_fleet_session *s, stele_bytes key)
{
    struct sti_fleet_bound next;

    while (s->want_from < s->want_to &&
            !sti_fleet_bound_is_above(&s->wants[s->want_from].high, key)) {
        s->want_from++;
    }
    if (s->want_from == s->want_to) {
        return false;
    }
    next = sti_fleet_bound_of_key(key);
    if (next.len < STI_FLEET_BOUND_MAX) {
        next.bytes[next.len++] = 0;
    }
    if (sti_fleet_bound_compare(&next, &s->wants[s->want_from].low) <= 0) {
        return false;
    }
    if (sti_fleet_bound_compare(&next, &s->wants[s->want_from].high) >= 0) {
        s->want_from++;
    } else {
        s->wants[s->want_from].low = next;
    }
    return true;
}

static stele_code take_entries(struct sti_fleet_core *c, struct sti_fleet_session *s,
        struct sti_fleet_logs *logs, stele_buf *last)
{
    uint64_t dropped = c->counters.dropped + c->counters.below_horizon + c->counters.bad_entries;
    uint64_t held = c->counters.quarantined;
    stele_bytes entry;
    stele_code rc = STELE_OK;

    while (rc == STELE_OK && sti_fleet_entries_next(&logs->entries, &entry) == STELE_OK) {
        struct sti_docs_entry e;

        rc = sti_fleet_accept(c, s->peer, entry, false, &s->gained);
        if (rc == STELE_OK && sti_docs_entry_decode(&e, entry, NULL) == STELE_OK) {
            stele_buf_clear(last);
            rc = sti_docs_log_key_encode(e.version, e.id, last, c->err);
            c->counters.fetched++;
        }
    }
    s->cut = s->cut || held != c->counters.quarantined ||
             dropped != c->counters.dropped + c->counters.below_horizon + c->counters.bad_entries;
    return rc;
}

static stele_code on_logs(struct sti_fleet_core *c, struct sti_fleet_session *s)
{
    struct sti_fleet_logs logs;
    stele_buf last;
    stele_code rc;

    if (sti_fleet_logs_decode(&logs, c->event->bytes, NULL) != STELE_OK ||
            logs.session != s->head.session) {
        c->counters.bad_packets++;
        return sti_fleet_end_session(c, s, true);
    }
    stele_buf_init(&last, SIZE_MAX);
    rc = take_entries(c, s, &logs, &last);
    if (rc == STELE_OK && !logs.more) {
        s->want_from = s->want_to;
    } else if (rc == STELE_OK && (last.len == 0 || !skip_to(s, stele_buf_view(&last)))) {
        rc = sti_fleet_end_session(c, s, true);
    }
    stele_buf_free(&last);
    return rc;
}

/* ---- Answers. ---- */

static stele_code on_ranges(struct sti_fleet_core *c, struct sti_fleet_session *s)
{
    struct finding f = {.c = c, .s = s};
    struct sti_fleet_recon_head theirs;
    stele_buf out;
    stele_code rc = c->event->bytes.len > STI_FLEET_PACKET_MAX
                            ? STELE_ECORRUPT
                            : sti_fleet_recon_head_decode(&theirs, c->event->bytes, NULL);

    if (rc == STELE_OK && (theirs.flags & STI_FLEET_RECON_HORIZON) != 0) {
        s->peer->horizon = theirs.horizon;
        return sti_fleet_end_session(c, s, true);
    }
    s->cut = s->cut || (rc == STELE_OK && (theirs.flags & STI_FLEET_RECON_CUT) != 0);
    stele_buf_init(&out, SIZE_MAX);
    stele_buf_init(&f.entries, SIZE_MAX);
    if (rc == STELE_OK) {
        rc = sti_fleet_recon_go_on(
                &c->config.storage.set, &s->head, c->event->bytes, found, &f, &out, c->err);
    }
    if (rc == STELE_ECORRUPT || rc == STELE_EVERSION || s->rounds++ > STI_FLEET_ROUNDS_MAX) {
        c->counters.bad_packets++;
        rc = sti_fleet_end_session(c, s, true);
    } else if (rc == STELE_OK) {
        rc = send_given(&f);
        if (rc == STELE_OK && out.len == 0) {
            begin_fetching(s);
        } else if (rc == STELE_OK) {
            rc = sti_fleet_do_request(c, s->peer, stele_buf_view(&out), &s->token);
        }
    }
    stele_buf_free(&f.entries);
    stele_buf_free(&out);
    return rc;
}

stele_code sti_fleet_on_session_reply(struct sti_fleet_core *c, struct sti_fleet_session *s)
{
    stele_code rc;

    s->token = 0;
    if (c->event->code != STELE_OK) {
        return sti_fleet_end_session(c, s, true);
    }
    rc = s->fetching ? on_logs(c, s) : on_ranges(c, s);
    if (rc != STELE_OK && s->peer != NULL) {
        (void)sti_fleet_end_session(c, s, true);
    }
    return rc;
}
