/* SPDX-License-Identifier: MIT
 *
 * sim_net.c: links that lose, repeat and delay, requests that time out, and who sees whom.
 */
#include "lib/check.h"
#include "sim.h"

#include <stdlib.h>

#define REQUEST_NS (2 * SIM_SECOND)
#define LOOK_NS    (1 * SIM_SECOND)

int sim_index(const char *name)
{
    return (int)strtol(name + 1, NULL, 10);
}

static void post(struct sim *s, int from, int to, bool is_reply, uint64_t number, stele_code code,
        stele_bytes bytes)
{
    struct sim_link *link = &s->links[from][to];
    unsigned copies = 1;

    s->figures.bytes += bytes.len;
    if (link->cut || sim_chance(s, link->drop)) {
        s->figures.lost++;
        return;
    }
    if (sim_chance(s, link->dup)) {
        s->figures.duplicated++;
        copies++;
    }
    for (; copies > 0; copies--) {
        struct sim_message *m = calloc(1, sizeof *m + bytes.len);
        int64_t delay = link->delay_min +
                        (int64_t)sim_below(s, (uint64_t)(link->delay_max - link->delay_min) + 1);

        assert_non_null(m);
        m->from = from;
        m->to = to;
        m->is_reply = is_reply;
        m->number = number;
        m->code = code;
        m->nil = stele_is_nil(bytes);
        m->len = bytes.len;
        if (bytes.len > 0) {
            memcpy(m->bytes, bytes.data, bytes.len);
        }
        sim_happen(
                s, (struct sim_happening){.at = s->now + delay, .kind = SIM_DELIVER, .message = m});
    }
}

void sim_send(struct sim_node *n, int to, stele_bytes bytes)
{
    post(n->sim, n->index, to, false, 0, STELE_OK, bytes);
}

void sim_broadcast(struct sim_node *n, stele_bytes bytes)
{
    for (int i = 0; i < (int)n->sim->config.nodes; i++) {
        if (i != n->index && n->sees[i]) {
            sim_send(n, i, bytes);
        }
    }
}

void sim_request(struct sim_node *n, int to, stele_bytes bytes, uint64_t token)
{
    struct sim *s = n->sim;
    struct sim_request *r = calloc(1, sizeof *r);

    assert_non_null(r);
    r->token = token;
    r->number = ++s->numbers;
    r->next = n->requests;
    n->requests = r;
    post(s, n->index, to, false, r->number, STELE_OK, bytes);
    sim_happen(s, (struct sim_happening){.at = s->now + REQUEST_NS,
                          .kind = SIM_TIMEOUT,
                          .node = n->index,
                          .boot = n->boots,
                          .number = r->number});
}

/* The number says who asked: it is unique, and its asker is looked up. */
void sim_reply(struct sim_node *n, uint64_t number, stele_code code, stele_bytes bytes)
{
    struct sim *s = n->sim;

    for (int i = 0; i < (int)s->config.nodes; i++) {
        for (struct sim_request *r = s->nodes[i].requests; r != NULL; r = r->next) {
            if (r->number == number) {
                post(s, n->index, i, true, number, code, bytes);
                return;
            }
        }
    }
}

static bool close_request(struct sim_node *n, uint64_t number, uint64_t *token)
{
    for (struct sim_request **at = &n->requests; *at != NULL; at = &(*at)->next) {
        struct sim_request *r = *at;

        if (r->number == number) {
            *token = r->token;
            *at = r->next;
            free(r);
            return true;
        }
    }
    return false;
}

static void finish_request(struct sim_node *n, uint64_t number, stele_code code, stele_bytes bytes)
{
    uint64_t token;

    if (!n->up || !close_request(n, number, &token)) {
        return;
    }
    if (n->is_reference) {
        sim_reference_reply(n, token, code, bytes);
    } else {
        sim_node_event(n,
                (struct sti_fleet_event){
                        .kind = STI_FLEET_EV_REPLY, .token = token, .code = code, .bytes = bytes});
    }
}

void sim_timeout(struct sim_node *n, uint64_t number)
{
    finish_request(n, number, STELE_ETIMEDOUT, stele_nil());
}

void sim_deliver(struct sim *s, struct sim_message *m)
{
    struct sim_node *n = &s->nodes[m->to];
    stele_bytes bytes = m->nil ? stele_nil() : stele_bytes_of(m->bytes, m->len);

    sim_trace(s, m->bytes, m->len);
    if (!n->up) {
        s->figures.lost++;
    } else if (m->is_reply) {
        finish_request(n, m->number, m->code, bytes);
    } else if (n->is_reference) {
        sim_reference_message(n, m);
    } else {
        sim_node_event(n, (struct sti_fleet_event){.kind = STI_FLEET_EV_MESSAGE,
                                  .peer = s->nodes[m->from].name,
                                  .token = m->number,
                                  .bytes = bytes});
    }
}

void sim_forget_requests(struct sim_node *n)
{
    while (n->requests != NULL) {
        struct sim_request *next = n->requests->next;

        free(n->requests);
        n->requests = next;
    }
}

/* ---- Who sees whom. ---- */

void sim_look_soon(struct sim *s)
{
    for (int i = 0; i < (int)s->config.nodes; i++) {
        sim_happen(s,
                (struct sim_happening){.at = s->now + LOOK_NS + (int64_t)sim_below(s, 2 * LOOK_NS),
                        .kind = SIM_LOOK,
                        .node = i});
    }
}

void sim_look(struct sim_node *n)
{
    struct sim *s = n->sim;

    for (int i = 0; n->up && i < (int)s->config.nodes; i++) {
        bool sees = i != n->index && s->nodes[i].up && !s->links[i][n->index].cut;

        if (sees == n->sees[i]) {
            continue;
        }
        n->sees[i] = sees;
        n->knows[i] = true;
        if (!n->is_reference) {
            sim_node_event(
                    n, (struct sti_fleet_event){.kind = sees ? STI_FLEET_EV_UP : STI_FLEET_EV_DOWN,
                               .peer = s->nodes[i].name});
        }
    }
}
