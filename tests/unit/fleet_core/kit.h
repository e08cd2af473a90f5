/* SPDX-License-Identifier: MIT
 *
 * kit.h: one core, a log in memory, and what it did last.
 */
#ifndef TESTS_UNIT_FLEET_CORE_KIT_H
#define TESTS_UNIT_FLEET_CORE_KIT_H

#include "fleet/core.h"
#include "lib/check.h"
#include "lib/fleet_memory.h"

#define KIT_WALL INT64_C(1800000000)
#define KIT_S    INT64_C(1000000000)

struct kit {
    struct sti_fleet_core_config config;
    struct sti_fleet_core *core;
    struct fleet_memory log;
    struct sti_fleet_effects done; /* of the last event */
    int64_t now_ns;
    int64_t wall; /* seconds */
    uint64_t random;
    bool forgetful;     /* of each event an allocation may fail */
    uint64_t forgotten; /* events that failed so */
};

void kit_init(struct kit *k, const char *self); /* config may be changed then */
void kit_start(struct kit *k);
void kit_free(struct kit *k);

void kit_event(struct kit *k, struct sti_fleet_event event);
void kit_up(struct kit *k, const char *peer);
void kit_tick(struct kit *k, int64_t ns); /* so much later */
void kit_message(struct kit *k, const char *peer, uint64_t token, stele_bytes bytes);
void kit_reply(struct kit *k, uint64_t token, stele_code code, stele_bytes bytes);

/* The n-th effect of a kind, from 0; NULL: there are not so many. */
const struct sti_fleet_effect *kit_effect(
        const struct kit *k, enum sti_fleet_effect_kind kind, size_t n);
/* The first packet of a kind that was sent, asked with or answered. */
const struct sti_fleet_effect *kit_packet(const struct kit *k, uint8_t packet);
bool kit_told(const struct kit *k, enum sti_fleet_told told);

/* Carry out the stores among the effects, and say so: what follows from that is done then. */
void kit_store(struct kit *k);
/* A change of one's own, from the client to what follows from its being stored. */
void kit_change(struct kit *k, stele_bytes entry);

/* Append an entry. */
void kit_entry(stele_buf *out, int64_t seconds, uint32_t server, const char *id, const char *json);

/* A peer of Stele that has the same is there; token of its own hello is answered. */
void kit_meet(struct kit *k, const char *peer, uint64_t boot);
/* A hello of a peer that has `log`. */
void kit_hello(stele_buf *out, uint8_t kind, uint32_t server, uint64_t boot, uint64_t pushed,
        struct fleet_memory *log);

#endif /* TESTS_UNIT_FLEET_CORE_KIT_H */
