/* SPDX-License-Identifier: MIT
 *
 * sim_node.c: a node: its core, its writes, its clock, and the clients it has.
 */
#include "lib/check.h"
#include "sim.h"

#include <stdlib.h>

#define CEILING_S 10

enum {
    CHANGE_BYTES = 64
};

/* ---- Entries. ---- */

static void see(struct sim_node *n, const struct sti_docs_entry *e)
{
    size_t i = (size_t)(e->id.data[0] - 'a');
    struct sti_docs_rank rank = {.version = e->version, .is_delete = e->is_delete};

    assert_true(i < SIM_IDS);
    CHECK_OK(sti_docs_entry_hash(e, rank.hash, NULL), NULL);
    if (!n->has_highest[i] || sti_docs_rank_compare(&rank, &n->highest[i]) > 0) {
        n->highest[i] = rank;
        n->has_highest[i] = true;
    }
}

void sim_node_see_anew(struct sim_node *n)
{
    memset(n->has_highest, 0, sizeof n->has_highest);
    for (size_t i = 0; i < n->log.count; i++) {
        const struct fleet_item *item = &n->log.items[i];
        struct sti_docs_entry e;

        if (sim_is_whole(item)) {
            CHECK_OK(sti_docs_entry_decode(&e, stele_bytes_of(item->bytes, item->len), NULL), NULL);
            see(n, &e);
        }
    }
}

void sim_node_add(struct sim_node *n, stele_bytes entry)
{
    struct sti_docs_entry e;

    CHECK_OK(sti_docs_entry_decode(&e, entry, NULL), NULL);
    if (fleet_memory_add(&n->log, entry) && sim_is_by_arrival(n->sim)) {
        CHECK_OK(sti_fleet_entries_add(entry, &n->arrivals, NULL), NULL);
    }
    (void)fleet_memory_add(&n->sim->made, entry);
    (void)fleet_memory_add(&n->sim->ever, entry);
    see(n, &e);
}

/* What is to be seen of an ID never goes back. */
static void check_highest(struct sim_node *n)
{
    struct sti_docs_rank now[SIM_IDS];
    bool has[SIM_IDS] = {false};

    (void)fleet_memory_place(&n->log, stele_nil());
    for (size_t i = 0; i < n->log.count; i++) {
        struct sti_docs_entry e;
        size_t at;

        if (n->flipped && !sim_is_whole(&n->log.items[i])) {
            return;
        }
        CHECK_OK(sti_docs_entry_decode(
                         &e, stele_bytes_of(n->log.items[i].bytes, n->log.items[i].len), NULL),
                NULL);
        at = (size_t)(e.id.data[0] - 'a');
        now[at] = (struct sti_docs_rank){.version = e.version, .is_delete = e.is_delete};
        memcpy(now[at].hash, n->log.items[i].hash, sizeof now[at].hash);
        has[at] = true;
    }
    for (size_t i = 0; i < SIM_IDS; i++) {
        if (n->has_highest[i] && (!has[i] || sti_docs_rank_compare(&now[i], &n->highest[i]) != 0)) {
            sim_complain(n->sim, "%s: what is seen of %c went back", n->name, (int)('a' + i));
        }
    }
}

/* ---- Writes. ---- */

static struct sim_write *new_write(struct sim_node *n, uint64_t token)
{
    struct sim_write *w;
    int64_t takes = SIM_MS + (int64_t)sim_below(n->sim, 15 * (uint64_t)SIM_MS);

    if (n->write_count == SIM_PENDING_MAX) {
        return NULL;
    }
    if (sim_chance(n->sim, 20)) {
        takes += 500 * SIM_MS;
    }
    w = &n->writes[n->write_count++];
    *w = (struct sim_write){.token = token};
    stele_buf_init(&w->bytes, SIZE_MAX);
    sim_happen(n->sim, (struct sim_happening){.at = n->sim->now + takes,
                               .kind = SIM_WRITTEN,
                               .node = n->index,
                               .boot = n->boots});
    return w;
}

/* What comes from a peer was made by somebody, as it is. */
static void check_came(struct sim_node *n, const struct sti_docs_entry *e)
{
    const struct fleet_item *item;
    uint8_t hash[STI_DOCS_HASH_SIZE];
    stele_buf key;

    stele_buf_init(&key, SIZE_MAX);
    CHECK_OK(sti_docs_log_key_encode(e->version, e->id, &key, NULL), NULL);
    CHECK_OK(sti_docs_entry_hash(e, hash, NULL), NULL);
    item = fleet_memory_find(&n->sim->ever, stele_buf_view(&key));
    if (item == NULL || memcmp(item->hash, hash, sizeof hash) != 0) {
        sim_complain(n->sim, "%s: an entry comes that nobody made", n->name);
    }
    stele_buf_free(&key);
}

static void store_all(struct sim_node *n, stele_bytes sized)
{
    struct sti_fleet_reader r = sti_fleet_reader_of(sized);

    while (r.rest.len > 0) {
        struct sti_docs_entry e;
        stele_bytes entry = sti_fleet_read_sized(&r);

        assert_false(r.bad);
        CHECK_OK(sti_docs_entry_decode(&e, entry, NULL), NULL);
        if (e.version.seconds > sim_wall(n).seconds + 61 && !n->is_reference &&
                n->sim->now - n->stepped_at > SIM_SECOND) {
            sim_complain(n->sim, "%s: an entry far ahead is merged", n->name);
        }
        if (!n->is_reference && sti_docs_clock_observe(&n->clock, e.version, sim_wall(n), 60) ==
                                        STI_DOCS_OBSERVED_QUARANTINE) {
            sti_docs_clock_recover(&n->clock, e.version);
        }
        if (n->sim->config.rot) {
            check_came(n, &e);
            if (n->sim->wrong[0] != 0) {
                return;
            }
        }
        sim_node_add(n, entry);
    }
}

/* The ceiling is stored with the write, before a version above it is given. */
static void next_version(struct sim_node *n, struct sti_docs_version *out)
{
    if (sti_docs_clock_next(&n->clock, sim_wall(n), out, NULL) != STELE_OK) {
        n->ceiling = sti_docs_clock_ceiling(&n->clock, sim_wall(n), CEILING_S);
        CHECK_OK(sti_docs_clock_raise(&n->clock, n->ceiling, NULL), NULL);
        CHECK_OK(sti_docs_clock_next(&n->clock, sim_wall(n), out, NULL), NULL);
    }
}

/* No version is given twice, whatever became of the disk. */
static void check_new(struct sim_node *n, struct sti_docs_version version)
{
    uint8_t bytes[STI_DOCS_VERSION_SIZE];
    size_t place;

    sti_docs_version_put(bytes, version);
    place = fleet_memory_place(&n->sim->ever, stele_bytes_of(bytes, sizeof bytes));
    if (place < n->sim->ever.count &&
            memcmp(n->sim->ever.items[place].key.data, bytes, sizeof bytes) == 0) {
        sim_complain(n->sim, "%s: a version is given twice", n->name);
    }
}

/* A change by the rules of a database: conflicts, deletions of nothing. */
static stele_code change(struct sim_node *n, const struct sim_write *w, stele_buf *out)
{
    struct sti_docs_entry e = {.id = stele_str(w->id), .is_delete = w->is_delete};
    char owner[8];

    if (w->is_delete) {
        if (!sim_is_live(&n->log, e.id)) {
            return STELE_ENOTFOUND;
        }
    } else {
        e.json = stele_buf_view(&w->bytes);
        sim_owner(&n->log, sim_key_of(e.json), owner);
        if (owner[0] != 0 && strcmp(owner, w->id) != 0) {
            return STELE_ECONFLICT;
        }
    }
    next_version(n, &e.version);
    CHECK_OK(sti_docs_entry_encode(&e, out, NULL), NULL);
    check_new(n, e.version);
    sim_node_add(n, stele_buf_view(out));
    return STELE_OK;
}

static void drop_write(struct sim_node *n)
{
    stele_buf_free(&n->writes[0].bytes);
    n->write_count--;
    memmove(&n->writes[0], &n->writes[1], n->write_count * sizeof n->writes[0]);
}

/* The oldest one is done. */
void sim_node_written(struct sim_node *n)
{
    struct sti_fleet_event event = {.kind = STI_FLEET_EV_STORED};
    struct sim_write w;
    stele_buf entry;

    if (n->write_count == 0) {
        return;
    }
    w = n->writes[0];
    event.token = w.token;
    stele_buf_init(&entry, SIZE_MAX);
    if (n->disk_full) {
        event.code = STELE_ENOSPC;
    } else if (n->sim->config.rules != SIM_RULES_BELIEVES && sim_is_damaged(n)) {
        event.code = STELE_ECORRUPT;
        sim_node_noticed(n);
    } else if (w.is_change) {
        event.code = change(n, &w, &entry);
        event.bytes = n->changed = stele_buf_view(&entry);
    } else {
        store_all(n, stele_buf_view(&w.bytes));
    }
    check_highest(n);
    drop_write(n);
    if (n->is_reference) {
        if (event.code == STELE_OK && w.is_change) {
            sim_reference_push(n, event.bytes);
        }
    } else {
        sim_node_event(n, event);
    }
    n->changed = stele_nil();
    stele_buf_free(&entry);
}

/* ---- What the core wants. ---- */

/* Who hears of an entry can rely on it. */
static void check_push(struct sim_node *n, stele_bytes bytes)
{
    struct sti_fleet_push push;
    stele_bytes entry;

    if (sti_fleet_push_decode(&push, bytes, NULL) != STELE_OK) {
        return;
    }
    while (sti_fleet_entries_next(&push.entries, &entry) == STELE_OK) {
        struct sti_docs_entry e;
        stele_buf key;

        stele_buf_init(&key, SIZE_MAX);
        CHECK_OK(sti_docs_entry_decode(&e, entry, NULL), NULL);
        CHECK_OK(sti_docs_log_key_encode(e.version, e.id, &key, NULL), NULL);
        if (fleet_memory_find(&n->log, stele_buf_view(&key)) == NULL) {
            sim_complain(n->sim, "%s: an entry is sent that is not durable", n->name);
        }
        stele_buf_free(&key);
    }
}

static void store(struct sim_node *n, const struct sti_fleet_effect *e)
{
    struct sim_write *w = new_write(n, e->token);

    if (w == NULL) {
        sim_happen(n->sim, (struct sim_happening){.at = n->sim->now,
                                   .kind = SIM_REFUSED,
                                   .node = n->index,
                                   .boot = n->boots,
                                   .number = e->token});
        return;
    }
    w->is_change = e->kind == STI_FLEET_DO_CHANGE;
    w->is_delete = e->is_delete;
    if (w->is_change) {
        (void)snprintf(w->id, sizeof w->id, "%.*s", (int)e->id.len, (const char *)e->id.data);
    }
    CHECK_OK(stele_buf_append(&w->bytes, w->is_change ? e->json : e->bytes, NULL), NULL);
}

static bool keep_marked(void *arg, const struct fleet_item *item)
{
    const struct fleet_memory *marked = arg;

    for (size_t i = 0; i < marked->count; i++) {
        if (stele_bytes_equal(marked->items[i].key, item->key)) {
            return true;
        }
    }
    return false;
}

static void trim(struct sim_node *n, struct sti_docs_version horizon)
{
    struct sti_fleet_bound bound = sti_fleet_bound_of_second(horizon.seconds);
    struct fleet_memory marked = {.count = 0};

    n->horizon = horizon;
    n->sim->figures.trims++;
    if (sim_is_damaged(n)) {
        return; /* the next one does it */
    }
    for (size_t i = 0; i < n->log.count; i++) {
        if (sim_is_kept(&n->log, &n->log.items[i])) {
            fleet_memory_add_raw(&marked, n->log.items[i].key, n->log.items[i].hash);
        }
    }
    fleet_memory_trim(&n->log, sti_fleet_bound_view(&bound), keep_marked, &marked);
    fleet_memory_free(&marked);
}

/* A change is acknowledged when it is done, and not before. */
static void acked(struct sim_node *n, const struct sti_fleet_effect *e)
{
    if (e->code != STELE_OK) {
        return;
    }
    n->sim->figures.acked++;
    if (n->changed.len == 0) {
        sim_complain(n->sim, "%s: acknowledged before it is durable", n->name);
        return;
    }
    (void)fleet_memory_add(&n->sim->acked, n->changed);
}

static void told(struct sim_node *n, const struct sti_fleet_effect *e)
{
    if (e->told == STI_FLEET_TOLD_READY) {
        n->ready = true;
    } else if (e->told == STI_FLEET_TOLD_SYNCED) {
        n->synced[sim_index(e->peer)] = e->version;
    }
}

static void carry_out(struct sim_node *n, const struct sti_fleet_effect *e)
{
    struct sim *s = n->sim;

    sim_trace(s, &e->kind, sizeof e->kind);
    switch (e->kind) {
    case STI_FLEET_DO_SEND:
        check_push(n, e->bytes);
        sim_send(n, sim_index(e->peer), e->bytes);
        break;
    case STI_FLEET_DO_BROADCAST:
        check_push(n, e->bytes);
        sim_broadcast(n, e->bytes);
        break;
    case STI_FLEET_DO_REQUEST:
        sim_request(n, sim_index(e->peer), e->bytes, e->token);
        break;
    case STI_FLEET_DO_REPLY:
        sim_reply(n, e->token, e->code, e->bytes);
        break;
    case STI_FLEET_DO_STORE:
    case STI_FLEET_DO_CHANGE:
        store(n, e);
        break;
    case STI_FLEET_DO_ACK:
        acked(n, e);
        break;
    case STI_FLEET_DO_TIMER:
        n->timer_at = e->at_ns;
        if (e->at_ns != INT64_MAX) {
            sim_happen(s,
                    (struct sim_happening){
                            .at = e->at_ns, .kind = SIM_TICK, .node = n->index, .boot = n->boots});
        }
        break;
    case STI_FLEET_DO_TRIM:
        trim(n, e->version);
        break;
    default:
        told(n, e);
        break;
    }
}

/* As the owner of a core does where it failed: a tick comes soon, who waits is told, and what must
 * not be lost comes again. */
static void try_again(struct sim_node *n, const struct sti_fleet_event *event)
{
    n->timer_at = n->sim->now + 20 * SIM_MS;
    sim_happen(n->sim,
            (struct sim_happening){
                    .at = n->timer_at, .kind = SIM_TICK, .node = n->index, .boot = n->boots});
    if (event->kind == STI_FLEET_EV_MESSAGE && event->token != 0) {
        sim_reply(n, event->token, STELE_EPEER, stele_nil());
    } else if (event->kind == STI_FLEET_EV_STORED) {
        sim_happen(n->sim, (struct sim_happening){.at = n->sim->now + SIM_MS,
                                   .kind = SIM_REFUSED,
                                   .node = n->index,
                                   .boot = n->boots,
                                   .number = event->token});
    }
}

/* Effects may make events at once: they are taken over first. */
void sim_node_event(struct sim_node *n, struct sti_fleet_event event)
{
    struct sti_fleet_effects effects = {.count = 0};
    stele_error err;
    stele_code code;

    event.now_ns = n->sim->now;
    event.wall = sim_wall(n);
    event.random = sim_draw(n->sim);
    sim_trace(n->sim, &event.kind, sizeof event.kind);
    err.code = STELE_OK;
    code = sti_fleet_step(n->core, &event, &effects, &err);
    if (code != STELE_OK && !n->mends) {
        CHECK_OK(code, &err);
    }
    for (size_t i = 0; i < effects.count && n->sim->wrong[0] == 0; i++) {
        carry_out(n, &effects.list[i]);
    }
    sti_fleet_effects_free(&effects);
    if (code != STELE_OK) {
        try_again(n, &event);
    }
}

/* ---- Life. ---- */

/* As a node does: the time, or one more than the last. */
static uint64_t next_boot(struct sim_node *n)
{
    struct sti_docs_time wall = sim_wall(n);
    uint64_t us = (uint64_t)wall.seconds * 1000000 + wall.ns / 1000;

    n->boot = n->boot < us ? us : n->boot + 1;
    return n->boot;
}

/* So that a disk that has gone back does not give again what it gave then. */
static void scatter(struct sim_node *n)
{
    struct sti_docs_version v = {.seconds = n->clock.last.seconds,
            .ns = n->clock.last.ns + (uint32_t)sim_below(n->sim, STI_DOCS_SECOND_NS)};

    if (v.ns >= STI_DOCS_SECOND_NS) {
        v.seconds++;
        v.ns -= STI_DOCS_SECOND_NS;
    }
    sti_docs_clock_recover(&n->clock, v);
}

void sim_node_start(struct sim_node *n)
{
    struct sti_fleet_core_config config = {.self = n->name,
            .boot = next_boot(n),
            .server = n->server,
            .retention = n->sim->config.retention,
            .drift_max = n->sim->config.drift_max,
            .horizon = n->horizon,
            .storage = sim_storage(n)};
    stele_error err;

    n->boots++;
    n->paused_until = 0;
    n->up = true;
    n->ready = false;
    memset(n->sees, 0, sizeof n->sees);
    sti_docs_clock_init(&n->clock, n->server, n->ceiling);
    for (size_t i = 0; i < n->log.count; i++) {
        struct sti_docs_version v;

        CHECK_OK(sti_docs_version_get(&v, n->log.items[i].key.data, NULL), NULL);
        sti_docs_clock_recover(&n->clock, v);
    }
    scatter(n);
    if (n->is_reference) {
        sim_reference_start(n);
        return;
    }
    CHECK_OK(sti_fleet_core_new(&n->core, &config, &err), &err);
    for (int i = 0; i < (int)n->sim->config.nodes; i++) {
        if (n->knows[i] && i != n->index) {
            sim_node_event(n, (struct sti_fleet_event){.kind = STI_FLEET_EV_DOWN,
                                      .peer = n->sim->nodes[i].name,
                                      .version = n->synced[i]});
        }
    }
    sim_node_event(n, (struct sti_fleet_event){.kind = STI_FLEET_EV_TICK});
    sim_node_looks_over(n);
}

/* Of what was on its way to the disk the first may have come there, in part. */
void sim_node_crash(struct sim_node *n)
{
    struct sti_fleet_counters counters;

    while (n->write_count > 0 && !n->disk_full && !sim_is_damaged(n) && sim_chance(n->sim, 300)) {
        stele_buf entry;

        stele_buf_init(&entry, SIZE_MAX);
        if (n->writes[0].is_change) {
            (void)change(n, &n->writes[0], &entry);
        } else {
            store_all(n, stele_buf_view(&n->writes[0].bytes));
        }
        stele_buf_free(&entry);
        drop_write(n);
    }
    while (n->write_count > 0) {
        drop_write(n);
    }
    if (n->core != NULL) {
        sti_fleet_core_counters(n->core, &counters);
        n->sim->figures.sessions += counters.sessions;
        n->sim->figures.snapshots += counters.snapshots;
        sti_fleet_core_free(n->core);
        n->core = NULL;
    }
    sim_reference_stop(n);
    sim_forget_requests(n);
    n->up = false;
}

/* ---- Clients. ---- */

void sim_node_op(struct sim_node *n)
{
    struct sim *s = n->sim;
    char id[2] = {(char)('a' + (int)sim_below(s, SIM_IDS)), 0};
    char json[CHANGE_BYTES];
    bool is_delete = sim_chance(s, 250);

    (void)snprintf(json, sizeof json, "key%u value %llu", (unsigned)sim_below(s, SIM_KEYS),
            (unsigned long long)s->figures.ops);
    s->figures.ops++;
    if (n->is_reference) {
        struct sim_write *w = new_write(n, 0);

        if (w != NULL) {
            w->is_change = true;
            w->is_delete = is_delete;
            (void)snprintf(w->id, sizeof w->id, "%s", id);
            CHECK_OK(stele_buf_append(&w->bytes, stele_str(json), NULL), NULL);
        }
        return;
    }
    sim_node_event(n, (struct sti_fleet_event){.kind = STI_FLEET_EV_CLIENT,
                              .token = s->figures.ops,
                              .id = stele_str(id),
                              .json = is_delete ? stele_nil() : stele_str(json),
                              .is_delete = is_delete});
}
