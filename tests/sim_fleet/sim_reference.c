/* SPDX-License-Identifier: MIT
 *
 * sim_reference.c: a peer as the reference is, as far as others notice: it believes the names in
 * packets, pushes once, asks for days that differ, and answers what it does not know with nothing.
 */
#include "fleet/reference.h"
#include "lib/check.h"
#include "sim.h"

#include <stdlib.h>

#define ASK_NS (5 * SIM_SECOND)

static void tick_later(struct sim_node *n, int64_t ns)
{
    sim_happen(n->sim,
            (struct sim_happening){
                    .at = n->sim->now + ns, .kind = SIM_TICK, .node = n->index, .boot = n->boots});
}

void sim_reference_start(struct sim_node *n)
{
    tick_later(n, 100 * SIM_MS);
}

void sim_reference_stop(struct sim_node *n)
{
    (void)n;
}

void sim_reference_tick(struct sim_node *n)
{
    stele_buf out;

    stele_buf_init(&out, SIZE_MAX);
    CHECK_OK(sti_fleet_ref_get_info(stele_str(n->name), &out, NULL), NULL);
    sim_broadcast(n, stele_buf_view(&out));
    stele_buf_free(&out);
    tick_later(n, ASK_NS);
}

void sim_reference_push(struct sim_node *n, stele_bytes entry)
{
    stele_buf out;

    stele_buf_init(&out, SIZE_MAX);
    CHECK_OK(sti_fleet_ref_log_push(entry, &out, NULL), NULL);
    sim_broadcast(n, stele_buf_view(&out));
    stele_buf_free(&out);
}

/* It stores at once, and says nothing of it. */
static void keep(struct sim_node *n, stele_bytes entry)
{
    struct sti_docs_entry e;

    if (!n->disk_full && sti_docs_entry_decode(&e, entry, NULL) == STELE_OK) {
        sti_docs_clock_recover(&n->clock, e.version);
        sim_node_add(n, entry);
    }
}

/* ---- Days. ---- */

static struct sti_docs_checkpoint day_of(struct sim_node *n, size_t *at)
{
    struct sti_docs_checkpoint c = {.epoch = 0};
    struct sti_docs_version v;

    while (*at < n->log.count) {
        CHECK_OK(sti_docs_version_get(&v, n->log.items[*at].key.data, NULL), NULL);
        if (c.epoch == 0) {
            sti_docs_checkpoint_init(&c, v);
        }
        if (!sti_docs_checkpoint_covers(&c, v)) {
            break;
        }
        CHECK_OK(sti_docs_checkpoint_add(&c, n->log.items[*at].hash, NULL), NULL);
        ++*at;
    }
    return c;
}

static void make_info(struct sim_node *n, stele_buf *out)
{
    size_t at = 0;

    CHECK_OK(sti_fleet_ref_info(stele_str(n->name), out, NULL), NULL);
    (void)fleet_memory_place(&n->log, stele_nil());
    while (at < n->log.count) {
        struct sti_docs_checkpoint c = day_of(n, &at);

        CHECK_OK(sti_fleet_ref_add_checkpoint(&c, out, NULL), NULL);
    }
}

static void on_info(struct sim_node *n, int from, struct sti_fleet_ref_packet *p)
{
    struct sti_docs_checkpoint their;

    (void)fleet_memory_place(&n->log, stele_nil());
    while (sti_fleet_ref_next_checkpoint(p, &their, NULL) == STELE_OK) {
        struct sti_docs_checkpoint own = {.epoch = 0};
        size_t at = 0;
        stele_buf out;

        while (at < n->log.count && own.epoch != their.epoch) {
            own = day_of(n, &at);
        }
        if (own.epoch == their.epoch &&
                (own.count > their.count ||
                        (own.count == their.count &&
                                memcmp(own.sum, their.sum, sizeof own.sum) == 0))) {
            continue;
        }
        stele_buf_init(&out, SIZE_MAX);
        CHECK_OK(sti_fleet_ref_get_log_ids(stele_str(n->name), their.epoch, &out, NULL), NULL);
        sim_send(n, from, stele_buf_view(&out));
        stele_buf_free(&out);
    }
}

static void send_keys(struct sim_node *n, int to, int64_t epoch)
{
    stele_buf out;

    stele_buf_init(&out, SIZE_MAX);
    CHECK_OK(sti_fleet_ref_log_ids(stele_str(n->name), &out, NULL), NULL);
    for (size_t i = 0; i < n->log.count; i++) {
        struct sti_docs_version v;

        CHECK_OK(sti_docs_version_get(&v, n->log.items[i].key.data, NULL), NULL);
        if (sti_docs_version_epoch(v) + 1 == epoch) {
            CHECK_OK(sti_fleet_ref_add_key(n->log.items[i].key, &out, NULL), NULL);
        }
    }
    sim_send(n, to, stele_buf_view(&out));
    stele_buf_free(&out);
}

static void on_keys(struct sim_node *n, int from, struct sti_fleet_ref_packet *p)
{
    stele_bytes key;

    while (sti_fleet_ref_next_key(p, &key) == STELE_OK) {
        stele_buf out;

        if (fleet_memory_find(&n->log, key) != NULL) {
            continue;
        }
        stele_buf_init(&out, SIZE_MAX);
        CHECK_OK(sti_fleet_ref_fetch_log(key, &out, NULL), NULL);
        sim_request(n, from, stele_buf_view(&out), STELE_FLEET_PKT_FETCH_LOG);
        stele_buf_free(&out);
    }
}

/* ---- What comes. ---- */

/* The name in a packet is where the answer goes. */
static int named(const struct sti_fleet_ref_packet *p, int from)
{
    char name[8];

    (void)snprintf(name, sizeof name, "%.*s", (int)p->name.len, (const char *)p->name.data);
    return p->name.len < 2 ? from : sim_index(name);
}

static void on_packet(
        struct sim_node *n, const struct sim_message *m, struct sti_fleet_ref_packet *p)
{
    const struct fleet_item *item;
    stele_buf out;

    stele_buf_init(&out, SIZE_MAX);
    switch (p->kind) {
    case STELE_FLEET_PKT_GET_INFO:
        make_info(n, &out);
        if (p->name.len == 0) {
            sim_reply(n, m->number, STELE_OK, stele_buf_view(&out));
        } else {
            sim_send(n, named(p, m->from), stele_buf_view(&out));
        }
        break;
    case STELE_FLEET_PKT_GET_LOG_IDS:
        send_keys(n, named(p, m->from), p->epoch);
        break;
    case STELE_FLEET_PKT_FETCH_LOG:
        item = fleet_memory_find(&n->log, stele_bytes_of(m->bytes + 1, m->len - 1));
        sim_reply(n, m->number, item == NULL ? STELE_EPEER : STELE_OK,
                item == NULL ? stele_nil() : stele_bytes_of(item->bytes, item->len));
        break;
    case STELE_FLEET_PKT_LOG_PUSH:
        keep(n, p->entry);
        break;
    case STELE_FLEET_PKT_LOG_IDS_PUSH:
        on_keys(n, m->from, p);
        break;
    default:
        on_info(n, m->from, p);
        break;
    }
    stele_buf_free(&out);
}

void sim_reference_message(struct sim_node *n, const struct sim_message *m)
{
    struct sti_fleet_ref_packet p;

    if (sti_fleet_ref_decode(&p, stele_bytes_of(m->bytes, m->len), NULL) == STELE_OK) {
        on_packet(n, m, &p);
    } else if (m->number != 0) {
        sim_reply(n, m->number, STELE_OK, stele_nil());
    }
}

void sim_reference_reply(struct sim_node *n, uint64_t token, stele_code code, stele_bytes bytes)
{
    if (token == STELE_FLEET_PKT_FETCH_LOG && code == STELE_OK && bytes.len > 0) {
        keep(n, bytes);
    }
}
