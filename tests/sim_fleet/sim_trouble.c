/* SPDX-License-Identifier: MIT
 *
 * sim_trouble.c: what goes wrong: links, nodes, clocks, disks; and how all of it ends.
 */
#include "lib/check.h"
#include "sim.h"

enum {
    FAULTS = 12, /* about so many in a run */
    FAULT_DRAW = 0,
    FAULT_RESTART = 1,
    FAULT_DISK_OK = 2,
    FAULT_AWAY = 3, /* for long: the others forget it */
    FAULT_FORGET = 4,
    FAULT_BACK = 5
};

#define DAY_NS (86400 * SIM_SECOND)

void sim_draw_links(struct sim *s, bool clean)
{
    for (size_t i = 0; i < s->config.nodes; i++) {
        for (size_t j = 0; j < s->config.nodes; j++) {
            struct sim_link *l = &s->links[i][j];
            bool cut = l->cut;

            *l = (struct sim_link){.delay_min = SIM_MS, .delay_max = 5 * SIM_MS, .cut = cut};
            if (!clean) {
                l->drop = (unsigned)sim_below(s, sim_chance(s, 300) ? 400 : 50);
                l->dup = (unsigned)sim_below(s, 100);
                l->delay_max += (int64_t)sim_below(s, sim_chance(s, 200) ? 3000 : 100) * SIM_MS;
            }
        }
    }
}

static void partition(struct sim *s)
{
    uint64_t side = sim_draw(s);
    bool one_way = sim_chance(s, 300);

    s->figures.cuts++;
    for (size_t i = 0; i < s->config.nodes; i++) {
        for (size_t j = 0; j < s->config.nodes; j++) {
            bool across = ((side >> i % 64) & 1) != ((side >> j % 64) & 1);

            s->links[i][j].cut = across && (!one_way || i < j);
        }
    }
    sim_look_soon(s);
}

static void mend_links(struct sim *s)
{
    for (size_t i = 0; i < s->config.nodes; i++) {
        for (size_t j = 0; j < s->config.nodes; j++) {
            s->links[i][j].cut = false;
        }
    }
    sim_look_soon(s);
}

void sim_crash(struct sim *s, struct sim_node *n)
{
    if (!n->up) {
        return;
    }
    s->figures.crashes++;
    sim_node_crash(n);
    if (s->config.wipes && !n->is_reference && sim_chance(s, 300)) {
        sim_node_wipe(n);
    }
    sim_look_soon(s);
    sim_happen(s, (struct sim_happening){.at = s->now + (int64_t)sim_below(s, 5000) * SIM_MS,
                          .kind = SIM_FAULT,
                          .node = n->index,
                          .number = FAULT_RESTART});
}

static void step_clock(struct sim *s, struct sim_node *n)
{
    int64_t range = sim_chance(s, 300) ? 2 * DAY_NS : 100 * SIM_SECOND;

    s->figures.clocks++;
    n->stepped_at = s->now;
    n->offset_ns = (int64_t)sim_below(s, 2 * (uint64_t)range) - range;
}

/* A clock that goes too fast, or too slow, from here on. */
static void drift(struct sim *s, struct sim_node *n)
{
    int64_t range = sim_chance(s, 300) ? 500000 : 1000;

    s->figures.drifts++;
    n->offset_ns += (s->now - n->drift_from) / 1000000 * n->drift_ppm;
    n->drift_from = s->now;
    n->drift_ppm = (int64_t)sim_below(s, 2 * (uint64_t)range) - range;
}

/* Nothing happens at it for a while, and then all at once. */
static void pause_node(struct sim *s, struct sim_node *n)
{
    s->figures.pauses++;
    n->paused_until = s->now + (int64_t)sim_below(s, 8000) * SIM_MS;
}

static void draw_more(struct sim *s, struct sim_node *n)
{
    if (s->config.pauses && sim_chance(s, 200)) {
        pause_node(s, n);
    }
    if (s->config.pauses && !n->is_reference && sim_chance(s, 200)) {
        drift(s, n);
    }
    if (s->config.rot && sim_chance(s, 500)) {
        sim_save(&s->nodes[0]);
    }
    if (s->config.rot && sim_chance(s, 300)) {
        sim_damage(s, &s->nodes[0]);
    }
}

static void draw_fault(struct sim *s)
{
    struct sim_node *n = &s->nodes[sim_below(s, s->config.nodes)];

    draw_more(s, n);
    switch (sim_below(s, 7)) {
    case 0:
    case 1:
        sim_crash(s, n);
        break;
    case 2:
    case 3:
        partition(s);
        break;
    case 4:
        mend_links(s);
        break;
    case 5:
        if (s->config.clocks && !n->is_reference) {
            step_clock(s, n);
        } else {
            sim_draw_links(s, false);
        }
        break;
    default:
        n->disk_full = true;
        s->figures.fulls++;
        sim_happen(s, (struct sim_happening){.at = s->now + (int64_t)sim_below(s, 4000) * SIM_MS,
                              .kind = SIM_FAULT,
                              .node = n->index,
                              .number = FAULT_DISK_OK});
        break;
    }
}

static void forget(struct sim *s, const struct sim_node *gone)
{
    for (size_t i = 0; i < s->config.nodes; i++) {
        struct sim_node *n = &s->nodes[i];

        n->knows[gone->index] = false;
        n->synced[gone->index] = (struct sti_docs_version){.seconds = 0};
        if (n->up && !n->is_reference && n != gone) {
            sim_node_event(
                    n, (struct sti_fleet_event){.kind = STI_FLEET_EV_FORGET, .peer = gone->name});
        }
    }
}

void sim_fault(struct sim *s, const struct sim_happening *h)
{
    struct sim_node *n = &s->nodes[h->node];

    if (h->number == FAULT_AWAY) {
        s->figures.away++;
        sim_crash(s, n);
        n->is_away = true;
        return;
    }
    if (h->number == FAULT_FORGET) {
        forget(s, n);
        return;
    }
    if (h->number == FAULT_BACK) {
        n->is_away = false;
    }
    if (n->is_away && h->number == FAULT_RESTART) {
        return;
    }
    if (h->number == FAULT_DRAW) {
        draw_fault(s);
    } else if (h->number == FAULT_DISK_OK) {
        n->disk_full = false;
    } else if (!n->up) {
        sim_node_start(n);
        sim_look_soon(s);
    }
}

void sim_trouble_begin(struct sim *s)
{
    if (s->config.away_ns != 0) {
        static const int64_t parts[] = {FAULT_AWAY, FAULT_FORGET, FAULT_BACK};

        for (int i = 0; i < 3; i++) {
            sim_happen(s, (struct sim_happening){
                                  .at = s->config.trouble_ns / 5 + s->config.away_ns * i / 2,
                                  .kind = SIM_FAULT,
                                  .node = 0,
                                  .number = (uint64_t)parts[i]});
        }
    }
    for (unsigned i = 0; i < FAULTS; i++) {
        sim_happen(s,
                (struct sim_happening){.at = (int64_t)sim_below(s, (uint64_t)s->config.trouble_ns),
                        .kind = SIM_FAULT,
                        .number = FAULT_DRAW});
    }
}

/* ---- Healing. ---- */

/* All clocks are right, and time has passed the highest version. */
static void set_clocks_right(struct sim *s)
{
    int64_t highest = 0;

    for (size_t i = 0; i < s->made.count; i++) {
        struct sti_docs_version v;

        CHECK_OK(sti_docs_version_get(&v, s->made.items[i].key.data, NULL), NULL);
        highest = v.seconds > highest ? v.seconds : highest;
    }
    for (size_t i = 0; i < s->config.nodes; i++) {
        s->nodes[i].offset_ns = 0;
        s->nodes[i].drift_ppm = 0;
        s->nodes[i].stepped_at = s->now;
    }
    if (highest + 1 > sim_wall(&s->nodes[0]).seconds) {
        s->wall_jump_ns += (highest + 1 - sim_wall(&s->nodes[0]).seconds) * SIM_SECOND;
    }
}

void sim_heal(struct sim *s)
{
    for (size_t i = 0; i < s->heap_count;) {
        if (s->heap[i].kind == SIM_FAULT) {
            s->heap[i].kind = SIM_LOOK;
        }
        i++;
    }
    if (s->config.rot && s->figures.flips + s->figures.truncated + s->figures.wipes == 0) {
        sim_damage(s, &s->nodes[0]);
    }
    sim_draw_links(s, true);
    mend_links(s);
    set_clocks_right(s);
    for (size_t i = 0; i < s->config.nodes; i++) {
        s->nodes[i].disk_full = false;
        s->nodes[i].paused_until = 0;
        s->nodes[i].is_away = false;
        if (!s->nodes[i].up) {
            sim_node_start(&s->nodes[i]);
        }
    }
    sim_look_soon(s);
}
