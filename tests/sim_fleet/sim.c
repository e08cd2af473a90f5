/* SPDX-License-Identifier: MIT
 *
 * sim.c: what happens next: the heap, the trouble, the healing, and what must hold then.
 */
#include "sim.h"

#include "lib/check.h"

#include <stdarg.h>
#include <stdlib.h>

#define LEVEL_STEP_NS (250 * SIM_MS)

/* ---- Chance, trace, complaints. ---- */

uint64_t sim_draw(struct sim *s)
{
    uint64_t z = (s->random += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t sim_below(struct sim *s, uint64_t n)
{
    return sim_draw(s) % n;
}

bool sim_chance(struct sim *s, unsigned thousandths)
{
    return thousandths > 0 && sim_below(s, 1000) < thousandths;
}

void sim_complain(struct sim *s, const char *format, ...)
{
    va_list args;

    if (s->wrong[0] == 0) {
        va_start(args, format);
        (void)vsnprintf(s->wrong, sizeof s->wrong, format, args);
        va_end(args);
    }
}

void sim_trace(struct sim *s, const void *data, size_t len)
{
    const uint8_t *p = data;

    for (size_t i = 0; i < len; i++) {
        s->trace = (s->trace ^ p[i]) * UINT64_C(1099511628211);
    }
    s->trace ^= (uint64_t)s->now;
}

struct sti_docs_time sim_wall(const struct sim_node *n)
{
    const struct sim *s = n->sim;
    int64_t drift = (s->now - n->drift_from) / 1000000 * n->drift_ppm;
    int64_t ns = SIM_EPOCH * SIM_SECOND + s->now + s->wall_jump_ns + n->offset_ns + drift;

    return (struct sti_docs_time){.seconds = ns / SIM_SECOND, .ns = (uint32_t)(ns % SIM_SECOND)};
}

/* ---- The heap. ---- */

static bool is_before(const struct sim_happening *a, const struct sim_happening *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void swap(struct sim *s, size_t i, size_t j)
{
    struct sim_happening kept = s->heap[i];

    s->heap[i] = s->heap[j];
    s->heap[j] = kept;
}

void sim_happen(struct sim *s, struct sim_happening what)
{
    size_t i = s->heap_count++;

    if (s->heap_count > s->heap_capacity) {
        s->heap_capacity = s->heap_capacity == 0 ? 256 : 2 * s->heap_capacity;
        s->heap = realloc(s->heap, s->heap_capacity * sizeof s->heap[0]);
        assert_non_null(s->heap);
    }
    what.order = s->order++;
    s->heap[i] = what;
    while (i > 0 && is_before(&s->heap[i], &s->heap[(i - 1) / 2])) {
        swap(s, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static struct sim_happening take(struct sim *s)
{
    struct sim_happening first = s->heap[0];
    size_t i = 0;

    s->heap[0] = s->heap[--s->heap_count];
    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < s->heap_count && is_before(&s->heap[child + 1], &s->heap[child])) {
            child++;
        }
        if (child >= s->heap_count || !is_before(&s->heap[child], &s->heap[i])) {
            break;
        }
        swap(s, i, child);
        i = child;
    }
    return first;
}

/* ---- One after the other. ---- */

/* What was said of a boot is not for the next one. */
static bool is_for(const struct sim_node *n, const struct sim_happening *h)
{
    return n->up && n->boots == h->boot;
}

static void remember(struct sim *s, struct sim_message *m)
{
    size_t i = s->old_count++ % SIM_OLD_MAX;

    free(s->old[i]);
    s->old[i] = m;
}

/* What comes to a node that stands still waits for it, in its order. */
static bool has_to_wait(struct sim *s, const struct sim_happening *h)
{
    int node = h->kind == SIM_DELIVER ? h->message->to : h->node;
    struct sim_node *n = &s->nodes[node];
    struct sim_happening later = *h;

    if (h->kind == SIM_OP || h->kind == SIM_FAULT || !n->up || n->paused_until <= s->now) {
        return false;
    }
    if (h->kind == SIM_TICK && !n->is_reference) {
        if (!is_for(n, h) || n->timer_at != h->at) {
            return true;
        }
        n->timer_at = n->paused_until;
    }
    later.at = n->paused_until;
    sim_happen(s, later);
    return true;
}

static void happen(struct sim *s, struct sim_happening *h)
{
    struct sim_node *n = &s->nodes[h->node];

    if (has_to_wait(s, h)) {
        return;
    }
    s->figures.events++;
    switch (h->kind) {
    case SIM_DELIVER:
        sim_deliver(s, h->message);
        remember(s, h->message);
        break;
    case SIM_TIMEOUT:
        if (is_for(n, h)) {
            sim_timeout(n, h->number);
        }
        break;
    case SIM_TICK:
        if (is_for(n, h) && n->is_reference) {
            sim_reference_tick(n);
        } else if (is_for(n, h) && n->timer_at == h->at) {
            sim_node_event(n, (struct sti_fleet_event){.kind = STI_FLEET_EV_TICK});
        }
        break;
    case SIM_WRITTEN:
        if (is_for(n, h)) {
            sim_node_written(n);
        }
        break;
    case SIM_REFUSED:
        if (is_for(n, h)) {
            sim_node_event(n,
                    (struct sti_fleet_event){
                            .kind = STI_FLEET_EV_STORED, .token = h->number, .code = STELE_EBUSY});
        }
        break;
    case SIM_LOOK:
        sim_look(n);
        break;
    case SIM_MEND:
        if (is_for(n, h)) {
            sim_node_mend(n, h->number);
        }
        break;
    case SIM_OP:
        n = &s->nodes[sim_below(s, s->config.nodes)];
        if (n->up && n->paused_until <= s->now) {
            sim_node_op(n);
        }
        break;
    default:
        sim_fault(s, h);
        break;
    }
}

static void run_until(struct sim *s, int64_t until)
{
    while (s->wrong[0] == 0 && s->heap_count > 0 && s->heap[0].at <= until) {
        struct sim_happening h = take(s);

        s->now = h.at;
        happen(s, &h);
    }
    s->now = until;
}

/* ---- A run. ---- */

static void begin(struct sim *s)
{
    for (size_t i = 0; i < s->config.nodes; i++) {
        struct sim_node *n = &s->nodes[i];

        n->sim = s;
        n->index = (int)i;
        n->is_reference = i >= s->config.nodes - s->config.references;
        (void)snprintf(n->name, sizeof n->name, "n%d", (int)i);
        n->stepped_at = -SIM_SECOND;
        n->server = (uint32_t)i + 1;
        memset(n->knows, 1, s->config.nodes); /* as they were set up */
        stele_buf_init(&n->arrivals, SIZE_MAX);
    }
    sim_draw_links(s, false);
    for (size_t i = 0; i < s->config.nodes; i++) {
        sim_node_start(&s->nodes[i]);
    }
    sim_look_soon(s);
    for (unsigned i = 0; i < s->config.ops; i++) {
        int64_t span = s->config.ops_ns == 0 ? s->config.trouble_ns : s->config.ops_ns;

        sim_happen(s, (struct sim_happening){
                              .at = (int64_t)sim_below(s, (uint64_t)span), .kind = SIM_OP});
    }
    sim_trouble_begin(s);
}

/* What came once changes nothing when it comes again; but what was lost with a disk may be in it,
 * and is found everywhere soon. */
static void deliver_again(struct sim *s)
{
    size_t made = s->made.count;
    bool loses = s->config.wipes || s->config.rot;

    for (size_t i = 0; i < SIM_OLD_MAX; i++) {
        struct sim_message *m = s->old[i];

        if (m != NULL) {
            s->old[i] = NULL;
            if (m->is_reply) {
                free(m);
            } else {
                sim_happen(
                        s, (struct sim_happening){.at = s->now, .kind = SIM_DELIVER, .message = m});
            }
        }
    }
    run_until(s, s->now + 3 * SIM_SECOND);
    if (loses && !sim_is_level(s)) {
        run_until(s, s->now + s->config.heal_ns);
    }
    if (s->wrong[0] == 0 && (!sim_is_level(s) || (s->made.count != made && !loses))) {
        sim_complain(s, "messages that came again have changed something");
    }
}

void sim_run(struct sim *s, const struct sim_config *config)
{
    int64_t healed;

    memset(s, 0, sizeof *s);
    s->config = *config;
    s->random = config->seed;
    s->trace = UINT64_C(14695981039346656037);
    begin(s);
    run_until(s, config->trouble_ns);
    if (s->wrong[0] == 0) {
        sim_heal(s);
    }
    healed = s->now;
    while (s->wrong[0] == 0 && !sim_is_level(s)) {
        if (s->now - healed >= config->heal_ns) {
            sim_complain_of_levels(s);
        }
        run_until(s, s->now + LEVEL_STEP_NS);
    }
    s->figures.level_ns = s->now - healed;
    if (s->wrong[0] == 0) {
        sim_check_end(s);
    }
    if (s->wrong[0] == 0) {
        deliver_again(s);
    }
    sim_trace(s, &s->figures.events, sizeof s->figures.events);
}

void sim_free(struct sim *s)
{
    for (size_t i = 0; i < s->config.nodes; i++) {
        if (s->nodes[i].up) {
            sim_node_crash(&s->nodes[i]);
        }
        fleet_memory_free(&s->nodes[i].log);
        fleet_memory_free(&s->nodes[i].saved.log);
        stele_buf_free(&s->nodes[i].arrivals);
    }
    for (size_t i = 0; i < s->heap_count; i++) {
        free(s->heap[i].message);
    }
    for (size_t i = 0; i < SIM_OLD_MAX; i++) {
        free(s->old[i]);
    }
    free(s->heap);
    fleet_memory_free(&s->acked);
    fleet_memory_free(&s->made);
    fleet_memory_free(&s->ever);
}
