/* SPDX-License-Identifier: MIT
 *
 * node_keeper.c: the thread that writes to the database.
 */
#include "base/alloc.h"
#include "base/env.h"
#include "base/error.h"
#include "fleet/mutant.h"
#include "fleet/node.h"
#include "fleet/wire.h"

enum {
    BATCH_MAX = 8 << 20, /* bytes of entries in one batch, if they come in several jobs */
    SECOND_US = 1000000
};

/* ---- Entries. ---- */

static size_t count_entries(const struct sti_node_parcel *p)
{
    struct sti_fleet_reader r = sti_fleet_reader_of(sti_node_parcel_bytes(p));
    size_t count = 0;

    while (!r.bad && r.rest.len > 0) {
        (void)sti_fleet_read_sized(&r);
        count += !r.bad;
    }
    return count;
}

static size_t list_entries(const struct sti_node_parcel *p, stele_bytes *out)
{
    struct sti_fleet_reader r = sti_fleet_reader_of(sti_node_parcel_bytes(p));
    size_t count = 0;

    while (!r.bad && r.rest.len > 0) {
        stele_bytes entry = sti_fleet_read_sized(&r);

        if (!r.bad) {
            out[count++] = entry;
        }
    }
    return count;
}

static void on_clash(void *arg, const struct sti_docs_clash *clash)
{
    stele_node *n = arg;
    stele_node_event event = {.kind = STELE_NODE_EV_CONFLICT,
            .type = clash->type,
            .key = clash->key,
            .owner = clash->owner,
            .id = clash->id};

    sti_mutex_lock(&n->lock);
    n->conflicts++;
    sti_mutex_unlock(&n->lock);
    if (!STI_FLEET_MUTANT(NODE_CONFLICTS_UNTOLD)) {
        sti_node_event(n, &event);
    }
}

static void add_up(stele_node *n, const struct sti_docs_taken *taken)
{
    sti_mutex_lock(&n->lock);
    n->taken.made += taken->made;
    n->taken.known += taken->known;
    n->taken.refused += taken->refused;
    sti_mutex_unlock(&n->lock);
}

static stele_code apply(stele_node *n, const struct sti_node_queue *jobs, stele_error *err)
{
    struct sti_docs_taken taken = {.made = 0};
    size_t count = 0;
    size_t at = 0;
    stele_bytes *entries;
    stele_code rc;

    for (const struct sti_node_parcel *p = jobs->first; p != NULL; p = p->next) {
        count += count_entries(p);
    }
    entries = sti_calloc(count, sizeof *entries);
    if (entries == NULL) {
        return sti_fail_memory(err, count * sizeof *entries);
    }
    for (const struct sti_node_parcel *p = jobs->first; p != NULL; p = p->next) {
        at += list_entries(p, entries + at);
    }
    rc = sti_docs_peer_apply(n->db, entries, at, &taken, on_clash, n, err);
    sti_free(entries);
    if (rc == STELE_OK) {
        sti_node_note_durable(n, taken.seq);
        add_up(n, &taken);
    }
    return rc;
}

/* The same parcels go back to the owner. */
static void store(stele_node *n, struct sti_node_queue *jobs)
{
    struct sti_node_parcel *p;
    stele_error err;
    stele_code rc = apply(n, jobs, &err);

    if (rc != STELE_OK) {
        sti_env_log(&n->env, STELE_LOG_WARN, "what came from peers is not stored: %s", err.message);
        sti_node_met_damage(n, rc);
    }
    while ((p = sti_node_queue_take(jobs)) != NULL) {
        p->kind = STI_FLEET_EV_STORED;
        p->code = rc;
        p->nil = true;
        p->len = 0;
        sti_node_tell_owner(n, p);
    }
}

/* ---- The rest. ---- */

static stele_code set_server(stele_node *n, uint32_t server, stele_error *err)
{
    stele_code rc = sti_docs_peer_set_server(n->db, server, err);

    if (rc == STELE_OK) {
        sti_mutex_lock(&n->core_lock);
        sti_fleet_core_set_server(n->core, server);
        sti_mutex_unlock(&n->core_lock);
    }
    return rc;
}

static stele_code put_note(stele_node *n, stele_bytes note, stele_error *err)
{
    bool stale;

    sti_mutex_lock(&n->lock);
    stale = n->lost_untold;
    sti_mutex_unlock(&n->lock);
    return stale ? STELE_OK : sti_docs_peer_put_note(n->db, note, err);
}

static stele_code trim(stele_node *n, int64_t horizon, stele_error *err)
{
    if (STI_FLEET_MUTANT(NODE_HORIZON_GOES_BACK)) {
        return STELE_OK;
    }
    return STI_FLEET_MUTANT(NODE_TRIM_FORGETS)
                   ? stele_docs_trim(n->db, horizon * SECOND_US, NULL, err)
                   : sti_docs_peer_trim(n->db, horizon, err);
}

static void work(stele_node *n, struct sti_node_queue *jobs)
{
    const struct sti_node_parcel *p = jobs->first;
    stele_error err;
    stele_code rc;

    switch (p->job) {
    case STI_NODE_STORE:
        store(n, jobs);
        return;
    case STI_NODE_TRIM:
        rc = trim(n, p->number, &err);
        break;
    case STI_NODE_NOTE:
        rc = put_note(n, sti_node_parcel_bytes(p), &err);
        break;
    default:
        rc = set_server(n, (uint32_t)p->number, &err);
        break;
    }
    if (rc != STELE_OK) {
        sti_env_log(&n->env, STELE_LOG_WARN, "the node's database: %s", err.message);
        sti_node_met_damage(n, rc);
    }
    sti_node_queue_free(jobs);
}

/* What can be done again is left at the end. */
static void drop_entries_locked(stele_node *n) STI_REQUIRES(n->lock);

static void drop_entries_locked(stele_node *n)
{
    while (n->jobs.first != NULL &&
            (n->jobs.first->job == STI_NODE_STORE || n->jobs.first->job == STI_NODE_TRIM)) {
        sti_node_parcel_free(sti_node_queue_take(&n->jobs));
    }
}

static bool fits(const struct sti_node_queue *jobs, const struct sti_node_parcel *next)
{
    return jobs->first == NULL ||
           (jobs->first->job == STI_NODE_STORE && next->job == STI_NODE_STORE &&
                   jobs->bytes + next->len < BATCH_MAX);
}

/* One job, or all entries that are next; false: it is time to end. */
static bool next_jobs(stele_node *n, struct sti_node_queue *jobs)
{
    sti_mutex_lock(&n->lock);
    while (!n->last_jobs && n->jobs.first == NULL) {
        sti_cond_wait(&n->keeper_wakes, &n->lock);
    }
    if (n->last_jobs) {
        drop_entries_locked(n);
    }
    while (n->jobs.first != NULL && fits(jobs, n->jobs.first)) {
        sti_node_queue_put(jobs, sti_node_queue_take(&n->jobs));
    }
    sti_mutex_unlock(&n->lock);
    return jobs->first != NULL;
}

void *sti_node_keep(void *node)
{
    stele_node *n = node;
    struct sti_node_queue jobs;

    sti_node_queue_init(&jobs);
    while (next_jobs(n, &jobs)) {
        work(n, &jobs);
    }
    return NULL;
}
