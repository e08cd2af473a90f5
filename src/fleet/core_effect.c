/* SPDX-License-Identifier: MIT
 *
 * core_effect.c: what a step wants done, and what a core says of itself.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "fleet/core_state.h"
#include "fleet/mutant.h"

#ifdef STI_MUTANTS
int sti_fleet_mutant_on;
#endif

void sti_fleet_effects_clear(struct sti_fleet_effects *effects)
{
    effects->count = 0;
    sti_arena_reset(&effects->memory);
}

void sti_fleet_effects_free(struct sti_fleet_effects *effects)
{
    sti_free(effects->list);
    sti_arena_free(&effects->memory);
    *effects = (struct sti_fleet_effects){.count = 0};
}

/* Nil stays nil. */
static bool keep(struct sti_fleet_effects *e, stele_bytes *bytes)
{
    uint8_t *copy;

    if (stele_is_nil(*bytes)) {
        return true;
    }
    copy = sti_arena_alloc(&e->memory, bytes->len, 1);
    if (copy == NULL) {
        return false;
    }
    if (bytes->len > 0) {
        memcpy(copy, bytes->data, bytes->len);
    }
    *bytes = stele_bytes_of(copy, bytes->len);
    return true;
}

stele_code sti_fleet_do(struct sti_fleet_core *c, const struct sti_fleet_effect *effect)
{
    struct sti_fleet_effects *e = c->effects;
    struct sti_fleet_effect own = *effect;

    if (e->count == e->capacity) {
        size_t capacity = e->capacity == 0 ? 16 : 2 * e->capacity;
        struct sti_fleet_effect *list = sti_realloc(e->list, capacity, sizeof *list);

        if (list == NULL) {
            return sti_fail_memory(c->err, capacity * sizeof *list);
        }
        e->list = list;
        e->capacity = capacity;
    }
    if (!keep(e, &own.bytes) || !keep(e, &own.id) || !keep(e, &own.json)) {
        return sti_fail_memory(c->err, own.bytes.len + own.json.len);
    }
    e->list[e->count++] = own;
    return STELE_OK;
}

stele_code sti_fleet_do_send(struct sti_fleet_core *c, struct sti_fleet_peer *p, stele_bytes bytes)
{
    struct sti_fleet_effect effect = {.kind = STI_FLEET_DO_SEND, .peer = p->name, .bytes = bytes};

    return sti_fleet_do(c, &effect);
}

stele_code sti_fleet_do_request(
        struct sti_fleet_core *c, struct sti_fleet_peer *p, stele_bytes bytes, uint64_t *token)
{
    struct sti_fleet_effect effect = {
            .kind = STI_FLEET_DO_REQUEST, .peer = p->name, .bytes = bytes, .token = c->next_token};
    stele_code rc = sti_fleet_do(c, &effect);

    if (rc == STELE_OK) {
        *token = c->next_token++;
    }
    return rc;
}

stele_code sti_fleet_do_reply(struct sti_fleet_core *c, stele_code code, stele_bytes bytes)
{
    struct sti_fleet_effect effect = {
            .kind = STI_FLEET_DO_REPLY, .token = c->event->token, .code = code, .bytes = bytes};

    return c->event->token == 0 ? STELE_OK : sti_fleet_do(c, &effect);
}

stele_code sti_fleet_do_tell(struct sti_fleet_core *c, enum sti_fleet_told told,
        struct sti_fleet_peer *p, struct sti_docs_version version)
{
    struct sti_fleet_effect effect = {.kind = STI_FLEET_DO_TELL,
            .told = told,
            .peer = p == NULL ? NULL : p->name,
            .version = version};

    return sti_fleet_do(c, &effect);
}

/* ---- Asking. ---- */

void sti_fleet_core_set_server(struct sti_fleet_core *core, uint32_t server)
{
    core->config.server = server;
}

void sti_fleet_core_raise_horizon(struct sti_fleet_core *core, int64_t seconds)
{
    if (seconds > core->horizon.seconds) {
        core->horizon = (struct sti_docs_version){.seconds = seconds};
    }
}

enum sti_fleet_status sti_fleet_core_status(const struct sti_fleet_core *core)
{
    return core->status;
}

void sti_fleet_core_counters(const struct sti_fleet_core *core, struct sti_fleet_counters *out)
{
    *out = core->counters;
}

struct sti_docs_version sti_fleet_core_horizon(const struct sti_fleet_core *core)
{
    return core->horizon;
}

size_t sti_fleet_core_peer_count(const struct sti_fleet_core *core)
{
    return core->peer_count;
}

void sti_fleet_core_peer(
        const struct sti_fleet_core *core, size_t place, struct sti_fleet_peer_info *out)
{
    const struct sti_fleet_peer *p = core->peers[place];

    *out = (struct sti_fleet_peer_info){
            .name = p->name, .online = p->online, .protocol = p->protocol, .rate = p->rate};
}
