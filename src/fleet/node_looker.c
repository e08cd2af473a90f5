/* SPDX-License-Identifier: MIT
 *
 * node_looker.c: the thread that looks over all that is stored, at the start and from time to time,
 * and when somebody has met what cannot be read.
 *
 * What is damaged is mended where the rest of the database says what it was, and goes otherwise
 * (docs/peer.h): the core hears that something was lost, and finds it at peers.
 */
#include "base/env.h"
#include "base/error.h"
#include "fleet/mutant.h"
#include "fleet/node.h"

#define MS_NS INT64_C(1000000)

enum {
    SOON_MS = 200,
    AFTER_FAILURE_MS = 1000, /* then twice as long, and so on */
    FAILURES_MAX = 8
};

void sti_node_met_damage(stele_node *n, stele_code code)
{
    if (code != STELE_ECORRUPT && code != STELE_EVERSION) {
        return;
    }
    sti_mutex_lock(&n->lock);
    n->look_over_soon = true;
    sti_cond_signal(&n->looker_wakes);
    sti_mutex_unlock(&n->lock);
}

static void report(
        stele_node *n, const struct sti_docs_mended *found, stele_code rc, const stele_error *why)
{
    stele_node_event event = {.kind = STELE_NODE_EV_DAMAGED,
            .count = found->damaged,
            .code = rc == STELE_OK && found->left > 0 ? STELE_ECORRUPT : rc};

    sti_mutex_lock(&n->lock);
    n->damaged += found->damaged;
    n->lost += found->lost;
    sti_mutex_unlock(&n->lock);
    if (rc != STELE_OK) {
        sti_env_log(&n->env, STELE_LOG_ERROR, "the database is damaged, and is not mended: %s",
                why->message);
    } else {
        sti_env_log(&n->env, STELE_LOG_WARN,
                "of the database %llu values were damaged, and are mended; %llu entries of the log "
                "were lost, and %llu faults remain",
                (unsigned long long)found->damaged, (unsigned long long)found->lost,
                (unsigned long long)found->left);
    }
    sti_node_event(n, &event);
}

/* Until the owner knows, no note is stored that does not. False: there is no memory to tell it. */
static bool tell_lost(stele_node *n)
{
    struct sti_node_parcel *p;

    if (STI_FLEET_MUTANT(NODE_LOSS_UNTOLD)) {
        return true;
    }
    sti_mutex_lock(&n->lock);
    n->lost_untold = true;
    sti_mutex_unlock(&n->lock);
    p = sti_node_parcel_new(NULL, stele_nil());
    if (p == NULL) {
        return false;
    }
    p->kind = STI_FLEET_EV_LOST;
    sti_node_tell_owner(n, p);
    return true;
}

/* Whether all is well now. *untold: the owner is to hear of what was lost. */
static bool look_over(stele_node *n, bool *untold)
{
    stele_wait wait = {.timeout_ms = STELE_FOREVER, .cancel = n->cancel};
    struct sti_docs_mended found = {.damaged = 0};
    stele_error why;
    stele_code rc = STI_FLEET_MUTANT(NODE_DAMAGE_STAYS)
                            ? STELE_OK
                            : sti_docs_peer_mend(n->db, &wait, &found, &why);

    if (rc == STELE_ECANCELED) {
        return true;
    }
    *untold = *untold || found.lost > 0;
    *untold = *untold && !tell_lost(n);
    if (rc != STELE_OK || found.damaged > 0 || found.left > 0) {
        report(n, &found, rc, &why);
    }
    return rc == STELE_OK && found.left == 0 && !*untold;
}

/* Whoever meets damage wakes us, but not before some time has passed. */
static bool await(stele_node *n, int64_t soon_ms, int64_t ms)
{
    int64_t now = sti_monotonic_now_ns();
    bool in_time = true;
    bool stop;

    sti_mutex_lock(&n->lock);
    while (!n->stop && in_time) {
        int64_t deadline = now + (n->look_over_soon ? soon_ms : ms) * MS_NS;

        in_time = sti_cond_wait_until(&n->looker_wakes, &n->lock, deadline);
    }
    n->look_over_soon = false;
    stop = n->stop;
    sti_mutex_unlock(&n->lock);
    return !stop;
}

void *sti_node_look_over(void *node)
{
    stele_node *n = node;
    unsigned failures = 0;
    bool untold = false;
    bool more = true;

    while (more) {
        int64_t soon = SOON_MS;

        if (look_over(n, &untold)) {
            failures = 0;
        } else {
            soon = AFTER_FAILURE_MS << failures;
            failures += failures < FAILURES_MAX;
        }
        more = await(
                n, soon, failures == 0 || soon > n->options.check_ms ? n->options.check_ms : soon);
    }
    return NULL;
}
