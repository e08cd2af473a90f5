/* SPDX-License-Identifier: MIT
 *
 * node_feeder.c: the thread that tells of entries that were made here.
 *
 * The feed has the entries of peers, too: those have other servers' numbers. One of here that comes
 * from a peer, since this database was restored, is pushed once more, which does no harm.
 */
#include "base/env.h"
#include "base/error.h"
#include "fleet/mutant.h"
#include "fleet/node.h"

enum {
    PASS_MAX = 1 << 20, /* bytes at once */
    AGAIN_MS = 100      /* after a failure */
};

struct passing {
    stele_node *n;
    uint32_t server;
    uint64_t after;
    struct sti_node_queue made;
    stele_buf buf;
};

static stele_code pass_on(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    struct passing *p = arg;
    struct sti_docs_entry e = {
            .version = {entry->version.seconds, entry->version.ns, entry->version.server},
            .is_delete = entry->is_delete,
            .id = entry->id,
            .json = entry->json};
    struct sti_node_parcel *parcel;
    stele_code rc;

    if (entry->version.server == p->server) {
        stele_buf_clear(&p->buf);
        rc = sti_docs_entry_encode(&e, &p->buf, err);
        parcel = rc == STELE_OK ? sti_node_parcel_new(NULL, stele_buf_view(&p->buf)) : NULL;
        if (parcel == NULL) {
            return rc == STELE_OK ? sti_fail(err, STELE_ENOMEM, "no memory for an entry") : rc;
        }
        parcel->kind = STI_FLEET_EV_MADE;
        sti_node_queue_put(&p->made, parcel);
    }
    p->after = entry->seq;
    return p->made.bytes > PASS_MAX ? STELE_END : STELE_OK;
}

/* False: it is time to end. */
static bool hand_over(stele_node *n, struct sti_node_queue *made)
{
    struct sti_node_parcel *p;
    bool stop;

    sti_mutex_lock(&n->lock);
    while (!n->stop && n->in.bytes > n->options.queue_max / 2) {
        sti_cond_wait(&n->changed, &n->lock);
    }
    stop = n->stop;
    while (!stop && (p = sti_node_queue_take(made)) != NULL) {
        sti_node_queue_put(&n->in, p);
    }
    sti_cond_signal(&n->owner_wakes);
    sti_mutex_unlock(&n->lock);
    return !stop;
}

/* What follows a place. What cannot be read, or is not durable, is tried again. */
static stele_code feed_on(stele_node *n, uint64_t *after, stele_error *err)
{
    struct passing p = {.n = n, .server = stele_docs_server(n->db), .after = *after};
    stele_code rc;

    sti_node_queue_init(&p.made);
    stele_buf_init(&p.buf, SIZE_MAX);
    rc = stele_docs_feed(n->db, *after, pass_on, &p, err);
    rc = rc == STELE_OK && p.made.first != NULL && !STI_FLEET_MUTANT(NODE_FEEDS_UNDURABLE)
                 ? sti_docs_peer_durable(n->db, err)
                 : rc;
    if (rc == STELE_OK && p.made.first != NULL) {
        sti_node_note_durable(n, p.after);
    }
    if (rc == STELE_OK && hand_over(n, &p.made)) {
        *after = p.after;
    }
    sti_node_queue_free(&p.made);
    stele_buf_free(&p.buf);
    return rc;
}

/* The feed was trimmed beyond us: peers find what we did not push. */
static void begin_anew(stele_node *n, uint64_t *after)
{
    stele_docs_status status;

    if (stele_docs_get_status(n->db, &status, NULL) == STELE_OK) {
        *after = status.seq;
    }
}

void *sti_node_feed(void *node)
{
    stele_node *n = node;
    stele_wait wait = {.timeout_ms = STELE_FOREVER, .cancel = n->cancel};
    uint64_t after = n->feed_from;

    while (!sti_node_stops(n)) {
        stele_error err;
        stele_code rc = stele_docs_feed_wait(n->db, after, &wait, &err);

        rc = rc == STELE_OK ? feed_on(n, &after, &err) : rc;
        if (rc == STELE_EOFFSET) {
            begin_anew(n, &after);
        } else if (rc != STELE_OK && rc != STELE_ECANCELED) {
            sti_env_log(&n->env, STELE_LOG_WARN, "changes are not told to peers: %s", err.message);
            sti_node_met_damage(n, rc);
            (void)sti_sleep_ms(AGAIN_MS, n->cancel, NULL);
        }
    }
    return NULL;
}
