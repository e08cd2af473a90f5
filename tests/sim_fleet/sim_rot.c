/* SPDX-License-Identifier: MIT
 *
 * sim_rot.c: disks that do not keep what they were given: bits of entries flip, a disk has an older
 * state of itself, or nothing. What was nowhere else is lost then, and nobody is to miss it.
 *
 * A node takes out what it cannot read, when it meets it or in its own time, and says so to its
 * core.
 */
#include "lib/check.h"
#include "sim.h"

#include <stdlib.h>

#define LOOK_OVER_NS (3 * SIM_SECOND)

enum {
    LOOKS_AGAIN = 1,
    KIND_AT = 7 /* in an entry: a set, or a deletion */
};

/* ---- What is lost. ---- */

static bool is_anywhere(struct sim *s, stele_bytes key)
{
    for (size_t i = 0; i < s->config.nodes; i++) {
        const struct fleet_item *item = fleet_memory_find(&s->nodes[i].log, key);

        if (item != NULL && (!s->nodes[i].flipped || sim_is_whole(item))) {
            return true;
        }
    }
    return false;
}

static bool keep_anywhere(void *arg, const struct fleet_item *item)
{
    return is_anywhere(arg, item->key);
}

/* Trimmed fleets are judged by documents: those of entries that were lost are not known. */
static void forget_lost(struct sim *s)
{
    if (s->config.retention == 0) {
        fleet_memory_trim(&s->made, stele_nil(), keep_anywhere, s);
        fleet_memory_trim(&s->acked, stele_nil(), keep_anywhere, s);
    }
}

/* ---- Disks. ---- */

void sim_node_wipe(struct sim_node *n)
{
    n->sim->figures.wipes++;
    fleet_memory_free(&n->log);
    n->flipped = false;
    n->horizon = (struct sti_docs_version){.seconds = 0};
    memset(n->synced, 0, sizeof n->synced);
    memset(n->knows, 0, sizeof n->knows);
    n->ceiling = (struct sti_docs_time){.seconds = 0};
    n->boot = 0;
    n->server += 1000; /* a new database draws its number */
    sim_node_see_anew(n);
    forget_lost(n->sim);
}

static void copy(struct fleet_memory *to, const struct fleet_memory *from)
{
    fleet_memory_free(to);
    for (size_t i = 0; i < from->count; i++) {
        (void)fleet_memory_add(to, stele_bytes_of(from->items[i].bytes, from->items[i].len));
    }
}

/* What is durable at this moment. */
void sim_save(struct sim_node *n)
{
    if (sim_is_damaged(n)) {
        return;
    }
    copy(&n->saved.log, &n->log);
    n->saved.ceiling = n->ceiling;
    n->saved.horizon = n->horizon;
    n->saved.boot = n->boot;
    n->saved.server = n->server;
    memcpy(n->saved.synced, n->synced, sizeof n->synced);
    memcpy(n->saved.knows, n->knows, sizeof n->knows);
    n->saved.there = true;
}

/* What was written since is cut off. */
static void go_back(struct sim_node *n)
{
    n->sim->figures.truncated++;
    copy(&n->log, &n->saved.log);
    n->flipped = false;
    n->ceiling = n->saved.ceiling;
    n->horizon = n->saved.horizon;
    n->boot = n->saved.boot;
    n->server = n->saved.server;
    memcpy(n->synced, n->saved.synced, sizeof n->synced);
    memcpy(n->knows, n->saved.knows, sizeof n->knows);
    sim_node_see_anew(n);
    forget_lost(n->sim);
}

static void flip(struct sim_node *n)
{
    struct sim *s = n->sim;
    size_t count = n->log.count == 0 ? 0 : 1 + (size_t)sim_below(s, 1 + n->log.count / 2);

    for (size_t i = 0; i < count; i++) {
        struct fleet_item *item = &n->log.items[sim_below(s, n->log.count)];

        size_t at = (size_t)sim_below(s, item->len);

        if (s->config.rules == SIM_RULES_BELIEVES) {
            if (item->bytes[KIND_AT] != 0) {
                continue; /* a deletion */
            }
            at = item->len - 1; /* of the value, of which nothing but the hash can tell */
        }
        item->bytes[at] ^= (uint8_t)(1U << sim_below(s, 8));
        s->figures.flips++;
    }
    n->flipped = true;
    forget_lost(s);
}

/* What happens to a disk, its node being down where that is so. True: it was one of these. */
void sim_damage(struct sim *s, struct sim_node *n)
{
    uint64_t what = sim_below(s, 4);

    if (what > 0) {
        sim_crash(s, n);
    }
    if (what <= 1 || n->up) {
        flip(n);
    } else if (what == 2 && n->saved.there) {
        go_back(n);
    } else {
        sim_node_wipe(n);
    }
}

/* ---- Mending. ---- */

bool sim_is_damaged(const struct sim_node *n)
{
    for (size_t i = 0; n->flipped && i < n->log.count; i++) {
        if (!sim_is_whole(&n->log.items[i])) {
            return true;
        }
    }
    return false;
}

static void mend_at(struct sim_node *n, int64_t ns, uint64_t number)
{
    sim_happen(n->sim, (struct sim_happening){.at = n->sim->now + ns,
                               .kind = SIM_MEND,
                               .node = n->index,
                               .boot = n->boots,
                               .number = number});
}

void sim_node_noticed(struct sim_node *n)
{
    if (!n->mends) {
        n->mends = true;
        mend_at(n, SIM_MS + (int64_t)sim_below(n->sim, 200 * (uint64_t)SIM_MS), 0);
    }
}

void sim_node_looks_over(struct sim_node *n)
{
    if (n->sim->config.rot) {
        n->mends = false;
        mend_at(n, (int64_t)sim_below(n->sim, (uint64_t)LOOK_OVER_NS), LOOKS_AGAIN);
    }
}

static bool keep_whole(void *arg, const struct fleet_item *item)
{
    (void)arg;
    return sim_is_whole(item);
}

void sim_node_mend(struct sim_node *n, uint64_t number)
{
    size_t before = n->log.count;

    if (number == LOOKS_AGAIN) {
        mend_at(n, LOOK_OVER_NS, LOOKS_AGAIN);
    } else {
        n->mends = false;
    }
    if (n->is_reference || n->sim->config.rules == SIM_RULES_BELIEVES) {
        return;
    }
    if (!n->flipped) {
        return;
    }
    n->flipped = false;
    fleet_memory_trim(&n->log, stele_nil(), keep_whole, NULL);
    if (n->log.count < before) {
        n->sim->figures.mended += before - n->log.count;
        sim_node_see_anew(n);
        sim_node_event(n, (struct sti_fleet_event){.kind = STI_FLEET_EV_LOST});
    }
}
