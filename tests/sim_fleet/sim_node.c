/* SPDX-License-Identifier: MIT
 *
 * sim_node.c: a node: its core, its storage, its clock, and the clients it has.
 */
#include "lib/check.h"
#include "sim.h"

#include <stdlib.h>

#define CEILING_S 10

enum {
    CHANGE_BYTES = 64
};

/* ---- Storage as the core sees it. ---- */

static stele_code find(
        void *arg, stele_bytes key, uint8_t hash[STI_DOCS_HASH_SIZE], bool *found, stele_error *err)
{
    const struct fleet_item *item = fleet_memory_find(arg, key);

    (void)err;
    *found = item != NULL;
    if (item != NULL) {
        memcpy(hash, item->hash, STI_DOCS_HASH_SIZE);
    }
    return STELE_OK;
}

static stele_code read_entry(void *arg, stele_bytes key, stele_buf *out, stele_error *err)
{
    const struct fleet_item *item = fleet_memory_find(arg, key);

    return item == NULL ? STELE_ENOTFOUND
                        : stele_buf_append(out, stele_bytes_of(item->bytes, item->len), err);
}

static stele_code checkpoints(
        void *arg, sti_fleet_checkpoint_fn each, void *each_arg, stele_error *err)
{
    struct fleet_memory *log = arg;
    struct sti_docs_checkpoint c = {.epoch = 0};
    stele_code rc = STELE_OK;

    (void)fleet_memory_place(log, stele_nil());
    for (size_t i = 0; rc == STELE_OK && i < log->count; i++) {
        struct sti_docs_version v;

        CHECK_OK(sti_docs_version_get(&v, log->items[i].key.data, NULL), NULL);
        if (i == 0 || !sti_docs_checkpoint_covers(&c, v)) {
            rc = i == 0 ? STELE_OK : each(each_arg, &c, err);
            sti_docs_checkpoint_init(&c, v);
        }
        CHECK_OK(sti_docs_checkpoint_add(&c, log->items[i].hash, NULL), NULL);
    }
    return rc == STELE_OK && log->count > 0 ? each(each_arg, &c, err) : rc;
}

static stele_bytes id_of(const struct fleet_item *item)
{
    struct sti_docs_entry e;

    CHECK_OK(sti_docs_entry_decode(&e, stele_bytes_of(item->bytes, item->len), NULL), NULL);
    return e.id;
}

/* All of the smallest ID above the last one, again and again. */
static stele_code kept(
        void *arg, stele_bytes after, sti_fleet_kept_fn each, void *each_arg, stele_error *err)
{
    struct fleet_memory *log = arg;
    stele_bytes last = after;
    stele_code rc = STELE_OK;

    (void)fleet_memory_place(log, stele_nil());
    while (rc == STELE_OK) {
        stele_bytes next = stele_nil();

        for (size_t i = 0; i < log->count; i++) {
            stele_bytes id = id_of(&log->items[i]);

            if (stele_bytes_compare(id, last) > 0 &&
                    (stele_is_nil(next) || stele_bytes_compare(id, next) < 0)) {
                next = id;
            }
        }
        if (stele_is_nil(next)) {
            break;
        }
        for (size_t i = 0; rc == STELE_OK && i < log->count; i++) {
            const struct fleet_item *item = &log->items[i];

            if (stele_bytes_equal(id_of(item), next) && sim_is_kept(log, item)) {
                rc = each(each_arg, next, stele_bytes_of(item->bytes, item->len), err);
            }
        }
        last = next;
    }
    return rc == STELE_END ? STELE_OK : rc;
}

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

void sim_node_add(struct sim_node *n, stele_bytes entry)
{
    struct sti_docs_entry e;

    CHECK_OK(sti_docs_entry_decode(&e, entry, NULL), NULL);
    if (fleet_memory_add(&n->log, entry) && n->sim->config.rules != SIM_RULES_DOCS) {
        CHECK_OK(sti_fleet_entries_add(entry, &n->arrivals, NULL), NULL);
    }
    (void)fleet_memory_add(&n->sim->made, entry);
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

/* Effects may make events at once: they are taken over first. */
void sim_node_event(struct sim_node *n, struct sti_fleet_event event)
{
    struct sti_fleet_effects effects = {.count = 0};
    stele_error err;

    event.now_ns = n->sim->now;
    event.wall = sim_wall(n);
    event.random = sim_draw(n->sim);
    sim_trace(n->sim, &event.kind, sizeof event.kind);
    CHECK_OK(sti_fleet_step(n->core, &event, &effects, &err), &err);
    for (size_t i = 0; i < effects.count && n->sim->wrong[0] == 0; i++) {
        carry_out(n, &effects.list[i]);
    }
    sti_fleet_effects_free(&effects);
}

/* ---- Life. ---- */

void sim_node_start(struct sim_node *n)
{
    struct sti_fleet_core_config config = {.self = n->name,
            .boot = ++n->boots,
            .server = (uint32_t)n->index + 1,
            .retention = n->sim->config.retention,
            .horizon = n->horizon,
            .storage = {.set = {&fleet_memory_set, &n->log},
                    .find = find,
                    .read = read_entry,
                    .checkpoints = checkpoints,
                    .kept = kept}};
    stele_error err;

    n->up = true;
    n->ready = false;
    memset(n->sees, 0, sizeof n->sees);
    sti_docs_clock_init(&n->clock, (uint32_t)n->index + 1, n->ceiling);
    for (size_t i = 0; i < n->log.count; i++) {
        struct sti_docs_version v;

        CHECK_OK(sti_docs_version_get(&v, n->log.items[i].key.data, NULL), NULL);
        sti_docs_clock_recover(&n->clock, v);
    }
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
}

/* Of what was on its way to the disk the first may have come there, in part. */
void sim_node_crash(struct sim_node *n)
{
    struct sti_fleet_counters counters;

    while (n->write_count > 0 && !n->disk_full && sim_chance(n->sim, 300)) {
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

static bool is_elsewhere(const struct sim_node *n, stele_bytes key)
{
    for (size_t i = 0; i < n->sim->config.nodes; i++) {
        if ((int)i != n->index && fleet_memory_find(&n->sim->nodes[i].log, key) != NULL) {
            return true;
        }
    }
    return false;
}

/* A list of some of the items of another one. */
static void keep_elsewhere(struct sim_node *n, struct fleet_memory *m)
{
    struct fleet_memory kept_items = {.count = 0};

    for (size_t i = 0; i < m->count; i++) {
        if (is_elsewhere(n, m->items[i].key)) {
            (void)fleet_memory_add(&kept_items, stele_bytes_of(m->items[i].bytes, m->items[i].len));
        }
    }
    fleet_memory_free(m);
    *m = kept_items;
}

/* Trimmed fleets are judged by documents: those of entries that were lost are not known. */
void sim_node_wipe(struct sim_node *n)
{
    n->sim->figures.wipes++;
    if (n->sim->config.retention == 0) {
        keep_elsewhere(n, &n->sim->made);
        keep_elsewhere(n, &n->sim->acked);
    }
    fleet_memory_free(&n->log);
    n->horizon = (struct sti_docs_version){.seconds = 0};
    memset(n->synced, 0, sizeof n->synced);
    memset(n->knows, 0, sizeof n->knows);
    n->ceiling = (struct sti_docs_time){.seconds = 0};
    memset(n->has_highest, 0, sizeof n->has_highest);
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
