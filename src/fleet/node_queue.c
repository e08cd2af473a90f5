/* SPDX-License-Identifier: MIT
 *
 * node_queue.c: what threads of a node hand to each other, and messages as they come in.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "fleet/mutant.h"
#include "fleet/node.h"

/* ---- Parcels. ---- */

struct sti_node_parcel *sti_node_parcel_new(const char *peer, stele_bytes bytes)
{
    struct sti_node_parcel *p;
    size_t len = peer == NULL ? 0 : strlen(peer);

    if (bytes.len > SIZE_MAX - sizeof *p) {
        return NULL;
    }
    p = sti_malloc(sizeof *p + bytes.len);
    if (p == NULL) {
        return NULL;
    }
    *p = (struct sti_node_parcel){.nil = stele_is_nil(bytes), .len = bytes.len};
    if (bytes.len > 0) {
        memcpy(p->bytes, bytes.data, bytes.len);
    }
    if (len > 0 && len <= STELE_FLEET_NAME_MAX) {
        memcpy(p->peer, peer, len + 1);
    }
    return p;
}

void sti_node_parcel_free(struct sti_node_parcel *p)
{
    sti_free(p);
}

stele_bytes sti_node_parcel_bytes(const struct sti_node_parcel *p)
{
    return p->nil ? stele_nil() : stele_bytes_of(p->bytes, p->len);
}

/* ---- Queues. ---- */

void sti_node_queue_init(struct sti_node_queue *q)
{
    *q = (struct sti_node_queue){.first = NULL};
    q->last = &q->first;
}

void sti_node_queue_free(struct sti_node_queue *q)
{
    struct sti_node_parcel *p;

    while ((p = sti_node_queue_take(q)) != NULL) {
        sti_node_parcel_free(p);
    }
}

void sti_node_queue_put(struct sti_node_queue *q, struct sti_node_parcel *p)
{
    p->next = NULL;
    *q->last = p;
    q->last = &p->next;
    q->bytes += p->len + STI_NODE_PARCEL_COST;
}

struct sti_node_parcel *sti_node_queue_take(struct sti_node_queue *q)
{
    struct sti_node_parcel *p = q->first;

    if (p != NULL) {
        q->first = p->next;
        q->last = q->first == NULL ? &q->first : q->last;
        q->bytes -= p->len + STI_NODE_PARCEL_COST;
    }
    return p;
}

void sti_node_tell_owner(stele_node *n, struct sti_node_parcel *p)
{
    sti_mutex_lock(&n->lock);
    sti_node_queue_put(&n->in, p);
    sti_cond_signal(&n->owner_wakes);
    sti_mutex_unlock(&n->lock);
}

void sti_node_tell_keeper(stele_node *n, struct sti_node_parcel *p)
{
    sti_mutex_lock(&n->lock);
    sti_node_queue_put(&n->jobs, p);
    sti_cond_signal(&n->keeper_wakes);
    sti_mutex_unlock(&n->lock);
}

bool sti_node_stops(stele_node *n)
{
    bool stop;

    sti_mutex_lock(&n->lock);
    stop = n->stop;
    sti_mutex_unlock(&n->lock);
    return stop;
}

void sti_node_note_durable(stele_node *n, uint64_t seq)
{
    sti_mutex_lock(&n->lock);
    n->durable_seq = seq > n->durable_seq ? seq : n->durable_seq;
    sti_mutex_unlock(&n->lock);
}

bool sti_node_is_durable(stele_node *n, uint64_t seq)
{
    bool is;

    sti_mutex_lock(&n->lock);
    is = seq <= n->durable_seq;
    sti_mutex_unlock(&n->lock);
    return is;
}

void sti_node_event(stele_node *n, const stele_node_event *event)
{
    if (n->options.event != NULL) {
        n->options.event(n->options.arg, event);
    }
}

/* ---- Waiting for the owner. ---- */

static stele_code check_room_locked(stele_node *n, const struct sti_node_parcel *p, bool limited,
        stele_error *err) STI_REQUIRES(n->lock);

static stele_code check_room_locked(
        stele_node *n, const struct sti_node_parcel *p, bool limited, stele_error *err)
{
    if (n->stop) {
        return sti_fail(err, STELE_ECANCELED, "the node is being closed");
    }
    if (limited && !STI_FLEET_MUTANT(NODE_QUEUE_ENDLESS) &&
            (n->in.bytes > n->options.queue_max ||
                    p->len + STI_NODE_PARCEL_COST > n->options.queue_max - n->in.bytes)) {
        n->dropped++;
        return sti_fail(err, STELE_EBUSY, "the node has no room for more messages");
    }
    return STELE_OK;
}

static void forget_waiter_locked(stele_node *n, const struct sti_node_waiter *w)
        STI_REQUIRES(n->lock);

static void forget_waiter_locked(stele_node *n, const struct sti_node_waiter *w)
{
    struct sti_node_waiter **at = &n->waiters;

    while (*at != w) {
        at = &(*at)->next;
    }
    *at = w->next;
}

static stele_code wait_locked(stele_node *n, struct sti_node_parcel *p, stele_buf *reply,
        stele_error *err) STI_REQUIRES(n->lock);

static stele_code wait_locked(
        stele_node *n, struct sti_node_parcel *p, stele_buf *reply, stele_error *err)
{
    struct sti_node_waiter w = {.token = ++n->next_token, .reply = reply, .next = n->waiters};

    p->token = w.token;
    n->waiters = &w;
    sti_node_queue_put(&n->in, p);
    sti_cond_signal(&n->owner_wakes);
    while (!w.done && !n->stop) {
        sti_cond_wait(&n->changed, &n->lock);
    }
    forget_waiter_locked(n, &w);
    if (!w.done) {
        return sti_fail(err, STELE_ECANCELED, "the node is being closed");
    }
    return w.code == STELE_OK ? STELE_OK : sti_fail(err, w.code, "the node refuses it");
}

stele_code sti_node_ask_owner(
        stele_node *n, struct sti_node_parcel *p, stele_buf *reply, bool limited, stele_error *err)
{
    stele_code rc;

    sti_mutex_lock(&n->lock);
    rc = check_room_locked(n, p, limited, err);
    if (rc == STELE_OK) {
        rc = wait_locked(n, p, reply, err);
    } else {
        sti_node_parcel_free(p);
    }
    sti_mutex_unlock(&n->lock);
    return rc;
}

void sti_node_answer(stele_node *n, uint64_t token, stele_code code, stele_bytes bytes)
{
    sti_mutex_lock(&n->lock);
    for (struct sti_node_waiter *w = n->waiters; w != NULL; w = w->next) {
        if (w->token == token && !w->done) {
            w->code = code;
            if (code == STELE_OK && w->reply != NULL && !stele_is_nil(bytes)) {
                w->code = stele_buf_append(w->reply, bytes, NULL);
            }
            w->done = true;
            sti_cond_broadcast(&n->changed);
        }
    }
    sti_mutex_unlock(&n->lock);
}

/* ---- Messages. ---- */

/* Whether who sends it may wait for what the core says. Of what peers send without waiting the
 * transport cannot tell, and all other answers are nothing. */
static bool is_question(stele_bytes data)
{
    uint8_t kind = data.len == 0 ? UINT8_MAX : data.data[0];

    switch (kind) {
    case STELE_FLEET_PKT_GET_INFO:
        return data.len == 1;
    case STELE_FLEET_PKT_FETCH_LOG:
    case STI_FLEET_PKT_HELLO:
    case STI_FLEET_PKT_RECON:
    case STI_FLEET_PKT_FETCH:
    case STI_FLEET_PKT_SNAP:
        return true;
    default:
        return false;
    }
}

static stele_code take_in(stele_node *n, struct sti_node_parcel *p, stele_error *err)
{
    stele_code rc;

    sti_mutex_lock(&n->lock);
    rc = check_room_locked(n, p, true, err);
    if (rc == STELE_OK) {
        sti_node_queue_put(&n->in, p);
        sti_cond_signal(&n->owner_wakes);
    } else {
        sti_node_parcel_free(p);
    }
    sti_mutex_unlock(&n->lock);
    return rc;
}

stele_code sti_node_on_packet(
        void *arg, const char *from, stele_bytes data, stele_buf *reply, stele_error *err)
{
    stele_node *n = arg;
    struct sti_node_parcel *p = sti_node_parcel_new(from, data);

    if (p == NULL) {
        return sti_fail_memory(err, data.len);
    }
    p->kind = STI_FLEET_EV_MESSAGE;
    return is_question(data) ? sti_node_ask_owner(n, p, reply, true, err) : take_in(n, p, err);
}
