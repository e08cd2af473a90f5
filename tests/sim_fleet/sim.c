/* SPDX-License-Identifier: MIT
 *
 * sim.c: what happens next: the heap, the trouble, the healing, and what must hold then.
 */
#include "sim.h"

#include "lib/check.h"

#include <stdarg.h>
#include <stdlib.h>

enum {
    FAULTS = 12, /* about so many in a run */
    FAULT_DRAW = 0,
    FAULT_RESTART = 1,
    FAULT_DISK_OK = 2,
    FAULT_AWAY = 3, /* for long: the others forget it */
    FAULT_FORGET = 4,
    FAULT_BACK = 5
};

#define LEVEL_STEP_NS (250 * SIM_MS)
#define DAY_NS        (86400 * SIM_SECOND)

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

/* ---- Trouble. ---- */

static void draw_links(struct sim *s, bool clean)
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
            draw_links(s, false);
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

static void on_fault(struct sim *s, const struct sim_happening *h)
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
        on_fault(s, h);
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
    draw_links(s, false);
    for (size_t i = 0; i < s->config.nodes; i++) {
        sim_node_start(&s->nodes[i]);
    }
    sim_look_soon(s);
    for (unsigned i = 0; i < s->config.ops; i++) {
        int64_t span = s->config.ops_ns == 0 ? s->config.trouble_ns : s->config.ops_ns;

        sim_happen(s, (struct sim_happening){
                              .at = (int64_t)sim_below(s, (uint64_t)span), .kind = SIM_OP});
    }
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

static void heal(struct sim *s)
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
    draw_links(s, true);
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

static void view_of(struct sim *s, size_t i, stele_buf *out)
{
    struct sim_node *n = &s->nodes[i];

    stele_buf_clear(out);
    if (sim_is_by_arrival(s)) {
        sim_arrival_view(stele_buf_view(&n->arrivals), s->config.rules, out);
    } else {
        sim_view(&n->log, out);
    }
}

/* All have the documents that the oracle finds; of wiped disks that were trimmed elsewhere, and by
 * the rules of the reference, the same as each other. */
static bool same_views(struct sim *s)
{
    stele_buf first;
    stele_buf other;
    bool same = true;

    stele_buf_init(&first, SIZE_MAX);
    stele_buf_init(&other, SIZE_MAX);
    if (sim_is_by_arrival(s) || ((s->config.wipes || s->config.rot || s->config.away_ns != 0) &&
                                        s->config.retention != 0)) {
        view_of(s, 0, &first);
    } else {
        sim_oracle(&s->made, &first);
    }
    for (size_t i = 0; same && i < s->config.nodes; i++) {
        view_of(s, i, &other);
        same = stele_bytes_compare(stele_buf_view(&first), stele_buf_view(&other)) == 0;
    }
    stele_buf_free(&first);
    stele_buf_free(&other);
    return same;
}

/* All that was ever durable anywhere is everywhere; what was trimmed does not count. Nothing is on
 * its way to a disk. */
static bool is_level(struct sim *s)
{
    for (size_t i = 0; i < s->config.nodes; i++) {
        if (s->config.retention == 0 && !fleet_memory_equal(&s->nodes[i].log, &s->made)) {
            return false;
        }
        if ((!s->nodes[i].is_reference && !s->nodes[i].ready) || s->nodes[i].write_count > 0) {
            return false;
        }
        if (sim_is_damaged(&s->nodes[i])) {
            return false;
        }
    }
    return s->config.retention == 0 || same_views(s);
}

static void complain_of_levels(struct sim *s)
{
    char text[256] = "";
    size_t len = 0;

    for (size_t i = 0; i < s->config.nodes; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, " %zu%s", s->nodes[i].log.count,
                s->nodes[i].ready ? "" : "(not ready)");
    }
    sim_complain(s, "not level %lld s after healing: %zu entries,%s",
            (long long)(s->config.heal_ns / SIM_SECOND), s->made.count, text);
}

static void check_acked(struct sim *s)
{
    for (size_t i = 0; i < s->acked.count; i++) {
        for (size_t j = 0; s->config.retention == 0 && j < s->config.nodes; j++) {
            if (fleet_memory_find(&s->nodes[j].log, s->acked.items[i].key) == NULL) {
                sim_complain(s, "%s has lost what was acknowledged", s->nodes[j].name);
            }
        }
    }
    if (!same_views(s)) {
        sim_complain(s, "the documents are not those that the entries make");
    }
}

/* Of each ID the entry that counts of all that were ever made is the one that counts here, though
 * who owns keys is told from what was kept. A line ends in the version. */
static void check_versions(struct sim *s)
{
    stele_buf wanted;
    stele_buf view;
    size_t i = 0;
    size_t j = 0;

    stele_buf_init(&wanted, SIZE_MAX);
    stele_buf_init(&view, SIZE_MAX);
    sim_oracle(&s->made, &wanted);
    sim_view(&s->nodes[0].log, &view);
    while (i < wanted.len && j < view.len && s->wrong[0] == 0) {
        const uint8_t *a = memchr(wanted.data + i, '\n', wanted.len - i);
        const uint8_t *b = memchr(view.data + j, '\n', view.len - j);

        if (a == NULL || b == NULL || wanted.data[i] != view.data[j] ||
                memcmp(a - 32, b - 32, 32) != 0) {
            sim_complain(s, "%c is not what was made last", wanted.data[i]);
        } else {
            i = (size_t)(a - wanted.data) + 1;
            j = (size_t)(b - view.data) + 1;
        }
    }
    if (s->wrong[0] == 0 && (i < wanted.len || j < view.len)) {
        sim_complain(s, "what was made is not there, or more is");
    }
    stele_buf_free(&wanted);
    stele_buf_free(&view);
}

/* What is changed from now on is above all that others have seen, of whoever it was. */
static void check_clocks(struct sim *s)
{
    for (size_t i = 0; i < s->made.count; i++) {
        struct sti_docs_version v;

        CHECK_OK(sti_docs_version_get(&v, s->made.items[i].key.data, NULL), NULL);
        for (size_t j = 0; s->config.retention == 0 && j < s->config.nodes; j++) {
            const struct sti_docs_time *last = &s->nodes[j].clock.last;

            if (v.seconds > last->seconds || (v.seconds == last->seconds && v.ns > last->ns)) {
                sim_complain(s, "the clock of %s is behind what is known", s->nodes[j].name);
            }
        }
    }
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
    if (loses && !is_level(s)) {
        run_until(s, s->now + s->config.heal_ns);
    }
    if (s->wrong[0] == 0 && (!is_level(s) || (s->made.count != made && !loses))) {
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
        heal(s);
    }
    healed = s->now;
    while (s->wrong[0] == 0 && !is_level(s)) {
        if (s->now - healed >= config->heal_ns) {
            complain_of_levels(s);
        }
        run_until(s, s->now + LEVEL_STEP_NS);
    }
    s->figures.level_ns = s->now - healed;
    if (s->wrong[0] == 0) {
        check_acked(s);
        check_clocks(s);
        if (s->config.away_ns != 0 && s->wrong[0] == 0) {
            check_versions(s);
        }
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
