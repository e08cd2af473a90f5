/* SPDX-License-Identifier: MIT
 *
 * core.c: a step: what an event is for, and what is due.
 */
#include "fleet/core.h"

#include "base/alloc.h"
#include "base/error.h"
#include "fleet/core_state.h"
#include "fleet/mutant.h"

#define SECOND_NS INT64_C(1000000000)

enum {
    DRIFT_MAX = 60,
    WINDOW = 4 << 20,
    STORE_MAX = 16 << 20,
    QUARANTINE_MAX = 4 << 20,
    PERIODIC_S = 600,
    BACKOFF_MAX_S = 60,
    LONE_S = 2
};

/* ---- Life. ---- */

static int64_t or_else(int64_t v, int64_t otherwise)
{
    return v == 0 ? otherwise : v;
}

static size_t size_or(size_t v, size_t otherwise)
{
    return v == 0 ? otherwise : v;
}

static void fill_in(struct sti_fleet_core_config *c)
{
    c->drift_max = c->drift_max == 0 ? DRIFT_MAX : c->drift_max;
    c->window = size_or(c->window, WINDOW);
    c->store_max = size_or(c->store_max, STORE_MAX);
    c->quarantine_max = size_or(c->quarantine_max, QUARANTINE_MAX);
    c->state_ns = or_else(c->state_ns, SECOND_NS);
    c->mismatch_ns = or_else(c->mismatch_ns, 2 * SECOND_NS);
    c->periodic_ns = or_else(c->periodic_ns, PERIODIC_S * SECOND_NS);
    c->backoff_ns = or_else(c->backoff_ns, SECOND_NS);
    c->backoff_max_ns = or_else(c->backoff_max_ns, BACKOFF_MAX_S * SECOND_NS);
    c->lone_ns = or_else(c->lone_ns, LONE_S * SECOND_NS);
}

stele_code sti_fleet_core_new(
        struct sti_fleet_core **out, const struct sti_fleet_core_config *config, stele_error *err)
{
    size_t len = config->self == NULL ? 0 : strlen(config->self);
    struct sti_fleet_core *c;

    if (len == 0 || len > STELE_FLEET_NAME_MAX || config->boot == 0 || config->server == 0 ||
            config->collation.len > STI_FLEET_COLLATION_MAX) {
        return sti_fail(err, STELE_EINVAL, "a node has a name, a boot, and a number");
    }
    c = sti_calloc(1, sizeof *c);
    if (c == NULL) {
        return sti_fail_memory(err, sizeof *c);
    }
    c->config = *config;
    fill_in(&c->config);
    c->horizon = config->horizon;
    c->next_token = 1;
    stele_buf_init(&c->batch, SIZE_MAX);
    stele_buf_init(&c->snap_cursor, SIZE_MAX);
    for (size_t i = 0; i < STI_FLEET_SESSIONS; i++) {
        stele_buf_init(&c->sessions[i].ids, SIZE_MAX);
    }
    *out = c;
    return STELE_OK;
}

void sti_fleet_core_free(struct sti_fleet_core *core)
{
    if (core == NULL) {
        return;
    }
    for (size_t i = 0; i < core->peer_count; i++) {
        stele_buf_free(&core->peers[i]->keys);
        sti_free(core->peers[i]);
    }
    for (size_t i = 0; i < STI_FLEET_SESSIONS; i++) {
        sti_fleet_session_free(&core->sessions[i]);
    }
    while (core->held != NULL) {
        struct sti_fleet_held *next = core->held->next;

        sti_free(core->held);
        core->held = next;
    }
    sti_free(core->peers);
    sti_free(core->pending);
    stele_buf_free(&core->batch);
    stele_buf_free(&core->snap_cursor);
    sti_free(core);
}

/* ---- Small things. ---- */

/* SplitMix64 over the event's number. */
uint64_t sti_fleet_draw(struct sti_fleet_core *c)
{
    uint64_t z = c->event->random + ++c->draws * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t sti_fleet_jitter(struct sti_fleet_core *c, int64_t ns)
{
    return ns / 2 + (int64_t)(sti_fleet_draw(c) % ((uint64_t)ns + 1));
}

int64_t sti_fleet_later(int64_t now_ns, int64_t ns)
{
    int64_t at;

    return __builtin_add_overflow(now_ns, ns, &at) ? STI_FLEET_NEVER : at;
}

struct sti_docs_version sti_fleet_wall_version(const struct sti_fleet_core *c, uint32_t less)
{
    struct sti_docs_version v = {.server = c->config.server};

    if (c->event->wall.seconds >= (int64_t)less) {
        v.seconds = c->event->wall.seconds - (int64_t)less;
        v.ns = c->event->wall.ns;
    }
    return v;
}

/* ---- Peers. ---- */

static size_t place_of(const struct sti_fleet_core *c, const char *name)
{
    size_t low = 0;
    size_t high = c->peer_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(c->peers[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct sti_fleet_peer *sti_fleet_peer_find(const struct sti_fleet_core *c, const char *name)
{
    size_t place = place_of(c, name);

    return place < c->peer_count && strcmp(c->peers[place]->name, name) == 0 ? c->peers[place]
                                                                             : NULL;
}

static stele_code make_room(struct sti_fleet_core *c)
{
    size_t capacity = c->peer_capacity == 0 ? 16 : 2 * c->peer_capacity;
    struct sti_fleet_peer **peers;

    if (c->peer_count < c->peer_capacity) {
        return STELE_OK;
    }
    peers = sti_realloc(c->peers, capacity, sizeof(struct sti_fleet_peer *));
    if (peers == NULL) {
        return sti_fail_memory(c->err, capacity * sizeof(struct sti_fleet_peer *));
    }
    c->peers = peers;
    c->peer_capacity = capacity;
    return STELE_OK;
}

/* *out is NULL for oneself, for what is no name, and where there are too many. */
static stele_code find_or_add(
        struct sti_fleet_core *c, const char *name, struct sti_fleet_peer **out)
{
    size_t len = name == NULL ? 0 : strlen(name);
    struct sti_fleet_peer *p = NULL;
    size_t place;

    *out = NULL;
    if (len == 0 || len > STELE_FLEET_NAME_MAX || strcmp(name, c->config.self) == 0) {
        return STELE_OK;
    }
    *out = sti_fleet_peer_find(c, name);
    if (*out != NULL || c->peer_count == STI_FLEET_PEERS_MAX) {
        return STELE_OK;
    }
    if (make_room(c) != STELE_OK) {
        return STELE_ENOMEM;
    }
    p = sti_calloc(1, sizeof *p);
    if (p == NULL) {
        return sti_fail_memory(c->err, sizeof *p);
    }
    memcpy(p->name, name, len);
    p->hello_at = p->mismatch_at = p->recon_at = p->info_at = STI_FLEET_NEVER;
    stele_buf_init(&p->keys, SIZE_MAX);
    place = place_of(c, name);
    memmove(&c->peers[place + 1], &c->peers[place],
            (c->peer_count - place) * sizeof(struct sti_fleet_peer *));
    c->peers[place] = p;
    c->peer_count++;
    *out = p;
    return STELE_OK;
}

static void on_up(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    p->online = true;
    p->forgotten = false;
    p->protocol = STI_FLEET_UNKNOWN;
    p->hello_at = c->event->now_ns;
    p->hello_tries = 0;
    p->misses = 0;
    p->not_before = 0;
    p->snap_misses = 0;
    p->snap_at = 0;
    c->lone_at = STI_FLEET_NEVER;
}

static void on_down(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    bool lone = true;

    p->online = false;
    p->hello_at = p->mismatch_at = p->recon_at = p->info_at = STI_FLEET_NEVER;
    for (size_t i = 0; i < c->peer_count; i++) {
        lone = lone && !c->peers[i]->online;
    }
    if (lone) {
        c->lone_at = sti_fleet_later(c->event->now_ns, c->config.lone_ns);
    }
}

/* ---- What an event is for. ---- */

static stele_code on_message(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    uint8_t kind = c->event->bytes.len == 0 ? UINT8_MAX : c->event->bytes.data[0];

    if (c->event->bytes.len > STI_FLEET_PACKET_MAX && kind != STI_FLEET_PKT_PUSH &&
            kind != STELE_FLEET_PKT_LOG_PUSH && !STI_FLEET_MUTANT(LONG_PACKETS)) {
        c->counters.bad_packets++;
        return sti_fleet_do_reply(c, STELE_ETOOBIG, stele_nil());
    }
    switch (kind) {
    case STI_FLEET_PKT_HELLO:
        return sti_fleet_on_hello(c, p);
    case STI_FLEET_PKT_RECON:
        return sti_fleet_on_recon(c, p);
    case STI_FLEET_PKT_FETCH:
        return sti_fleet_on_fetch(c, p);
    case STI_FLEET_PKT_SNAP:
        return sti_fleet_on_snap(c);
    case STI_FLEET_PKT_PUSH:
        return sti_fleet_on_push(c, p);
    case STI_FLEET_PKT_STATE:
        return sti_fleet_on_state(c, p);
    case STI_FLEET_PKT_CREDIT:
        return sti_fleet_on_credit(c, p);
    case STELE_FLEET_PKT_GET_INFO:
    case STELE_FLEET_PKT_GET_LOG_IDS:
    case STELE_FLEET_PKT_FETCH_LOG:
    case STELE_FLEET_PKT_LOG_PUSH:
    case STELE_FLEET_PKT_LOG_IDS_PUSH:
    case STELE_FLEET_PKT_GET_INFO_RESP:
        return sti_fleet_on_reference(c, p);
    default:
        c->counters.unknown_packets++;
        return sti_fleet_do_reply(c, STELE_OK, stele_nil());
    }
}

/* A request is known by its token; one of a session that has ended meanwhile is not. */
static stele_code on_reply(struct sti_fleet_core *c)
{
    uint64_t token = c->event->token;

    for (size_t i = 0; i < STI_FLEET_SESSIONS; i++) {
        if (c->sessions[i].peer != NULL && c->sessions[i].token == token) {
            return sti_fleet_on_session_reply(c, &c->sessions[i]);
        }
    }
    if (c->snap_peer != NULL && c->snap_token == token) {
        return sti_fleet_on_snap_reply(c);
    }
    for (size_t i = 0; i < c->peer_count; i++) {
        struct sti_fleet_peer *p = c->peers[i];

        if (p->hello_token == token) {
            return sti_fleet_on_hello_reply(c, p);
        }
        if (p->fetch_token == token) {
            return sti_fleet_on_ref_fetched(c, p);
        }
        if (p->info_token == token) {
            return sti_fleet_on_ref_info(c, p);
        }
    }
    return STELE_OK;
}

static stele_code on_peer(struct sti_fleet_core *c)
{
    struct sti_fleet_peer *p = NULL;
    stele_code rc = find_or_add(c, c->event->peer, &p);

    if (rc != STELE_OK) {
        return rc;
    }
    if (p == NULL) {
        c->counters.dropped++;
        return c->event->kind == STI_FLEET_EV_MESSAGE
                       ? sti_fleet_do_reply(c, STELE_EBUSY, stele_nil())
                       : STELE_OK;
    }
    switch (c->event->kind) {
    case STI_FLEET_EV_UP:
        on_up(c, p);
        return STELE_OK;
    case STI_FLEET_EV_DOWN:
        on_down(c, p);
        if (sti_docs_version_compare(c->event->version, p->good) > 0) {
            p->good = c->event->version;
            p->good_told = p->good.seconds;
        }
        return STELE_OK;
    case STI_FLEET_EV_FORGET:
        on_down(c, p);
        p->forgotten = true;
        return STELE_OK;
    default:
        return on_message(c, p);
    }
}

static stele_code on_event(struct sti_fleet_core *c)
{
    switch (c->event->kind) {
    case STI_FLEET_EV_CLIENT:
        return sti_fleet_on_client(c);
    case STI_FLEET_EV_MADE:
        return sti_fleet_push_own(c, c->event->bytes);
    case STI_FLEET_EV_REPLY:
        return c->event->token == 0 ? STELE_OK : on_reply(c);
    case STI_FLEET_EV_STORED:
        return sti_fleet_on_stored(c);
    case STI_FLEET_EV_LOST:
        return STI_FLEET_MUTANT(LOST_IGNORED) ? STELE_OK : sti_fleet_forget_good(c);
    case STI_FLEET_EV_TICK:
        return STELE_OK;
    default:
        return on_peer(c);
    }
}

/* ---- What is due. ---- */

static void begin(struct sti_fleet_core *c)
{
    int64_t now = c->event->now_ns;

    c->started = true;
    c->timer_at = STI_FLEET_NEVER;
    c->state_at = sti_fleet_later(now, sti_fleet_jitter(c, c->config.state_ns) / 2);
    c->periodic_at = sti_fleet_later(now, sti_fleet_jitter(c, c->config.periodic_ns));
    c->lone_at = sti_fleet_later(now, c->config.lone_ns);
}

/* One of the peers of Stele that are online, for no reason but the time. */
static void periodic(struct sti_fleet_core *c)
{
    size_t count = 0;
    struct sti_fleet_peer *chosen = NULL;

    for (size_t i = 0; i < c->peer_count; i++) {
        struct sti_fleet_peer *p = c->peers[i];

        if (p->online && p->protocol == STI_FLEET_STELE && sti_fleet_draw(c) % ++count == 0) {
            chosen = p;
        }
    }
    if (chosen != NULL) {
        sti_fleet_want_session(chosen, c->event->now_ns, false);
    }
    c->periodic_at = sti_fleet_later(c->event->now_ns, sti_fleet_jitter(c, c->config.periodic_ns));
}

static stele_code due_of_peer(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    stele_code rc = STELE_OK;

    if (p->hello_at <= c->event->now_ns) {
        rc = sti_fleet_send_hello(c, p);
    }
    if (rc == STELE_OK && p->info_at <= c->event->now_ns) {
        rc = sti_fleet_ref_due(c, p);
    }
    return rc;
}

static stele_code due(struct sti_fleet_core *c)
{
    stele_code rc = STELE_OK;

    for (size_t i = 0; rc == STELE_OK && i < c->peer_count; i++) {
        rc = due_of_peer(c, c->peers[i]);
    }
    if (rc == STELE_OK && c->state_at <= c->event->now_ns) {
        c->state_at = sti_fleet_later(c->event->now_ns, c->config.state_ns);
        rc = sti_fleet_send_state(c);
        rc = rc == STELE_OK ? sti_fleet_raise_horizon(c) : rc;
    }
    if (c->periodic_at <= c->event->now_ns) {
        periodic(c);
    }
    rc = rc == STELE_OK ? sti_fleet_release_held(c) : rc;
    return rc == STELE_OK ? sti_fleet_begin_sessions(c) : rc;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Sessions that have to wait for another one to end need no timer. */
static int64_t next_due(const struct sti_fleet_core *c)
{
    int64_t at = sooner(c->state_at, c->periodic_at);

    if (c->status != STI_FLEET_READY) {
        at = sooner(at, c->lone_at);
    }
    for (size_t i = 0; i < c->peer_count; i++) {
        at = sooner(at, sooner(c->peers[i]->hello_at, c->peers[i]->info_at));
        if (c->peers[i]->recon_at > c->event->now_ns) {
            at = sooner(at, c->peers[i]->recon_at);
        }
    }
    return sooner(at, sti_fleet_held_at(c));
}

static stele_code set_timer(struct sti_fleet_core *c)
{
    struct sti_fleet_effect effect = {.kind = STI_FLEET_DO_TIMER, .at_ns = next_due(c)};
    stele_code rc = STELE_OK;

    if (effect.at_ns != c->timer_at && !STI_FLEET_MUTANT(TIMER_LOST)) {
        rc = sti_fleet_do(c, &effect);
        c->timer_at = rc == STELE_OK ? effect.at_ns : c->timer_at;
    }
    return rc;
}

stele_code sti_fleet_step(struct sti_fleet_core *core, const struct sti_fleet_event *event,
        struct sti_fleet_effects *effects, stele_error *err)
{
    enum sti_fleet_status before = core->status;
    stele_code rc;

    core->event = event;
    core->effects = effects;
    core->err = err;
    core->draws = 0;
    if (!core->started) {
        begin(core);
    }
    rc = on_event(core);
    rc = rc == STELE_OK ? due(core) : rc;
    rc = rc == STELE_OK ? sti_fleet_flush(core) : rc;
    rc = rc == STELE_OK ? sti_fleet_continue_sessions(core) : rc;
    if (rc == STELE_OK) {
        sti_fleet_update_status(core);
        if (core->status == STI_FLEET_READY && before != STI_FLEET_READY) {
            rc = sti_fleet_do_tell(core, STI_FLEET_TOLD_READY, NULL, core->horizon);
        }
    }
    rc = rc == STELE_OK ? set_timer(core) : rc;
    core->event = NULL;
    core->effects = NULL;
    core->err = NULL;
    return rc;
}
