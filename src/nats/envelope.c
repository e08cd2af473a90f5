/* SPDX-License-Identifier: MIT
 *
 * envelope.c: what stands before the bytes of each message of a fleet.
 */
#include "nats/envelope.h"

#include <stele/fleet.h>

static void put(uint8_t *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        out[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    }
}

static uint64_t get(const uint8_t *in, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++) {
        value = value << 8 | in[i];
    }
    return value;
}

void sti_nats_envelope_put(
        uint8_t out[STI_NATS_ENVELOPE_SIZE], const struct sti_nats_envelope *envelope)
{
    out[0] = 'S';
    out[1] = 'N';
    out[2] = 1;
    out[3] = (uint8_t)envelope->kind;
    put(out + 4, envelope->id, 4);
    put(out + 8, envelope->index, 2);
    put(out + 10, envelope->count, 2);
    put(out + 12, envelope->total, 4);
    put(out + 16, envelope->info, 4);
}

bool sti_nats_envelope_get(
        struct sti_nats_envelope *out, stele_bytes *piece, const void *data, size_t len)
{
    const uint8_t *in = data;
    struct sti_nats_envelope e;

    if (len < STI_NATS_ENVELOPE_SIZE || in[0] != 'S' || in[1] != 'N' || in[2] != 1 ||
            in[3] < STI_NATS_REQUEST || in[3] > STI_NATS_PROBE) {
        return false;
    }
    e.kind = (enum sti_nats_kind)in[3];
    e.id = (uint32_t)get(in + 4, 4);
    e.index = (uint16_t)get(in + 8, 2);
    e.count = (uint16_t)get(in + 10, 2);
    e.total = (uint32_t)get(in + 12, 4);
    e.info = (uint32_t)get(in + 16, 4);
    len -= STI_NATS_ENVELOPE_SIZE;
    if (e.index >= e.count || e.total > STELE_FLEET_MESSAGE_MAX || len > e.total ||
            (e.count == 1 && len != e.total) || (e.count > 1 && (len == 0 || len == e.total))) {
        return false;
    }
    *out = e;
    *piece = stele_bytes_of(in + STI_NATS_ENVELOPE_SIZE, len);
    return true;
}

void sti_nats_heartbeat_put(uint8_t out[STI_NATS_HEARTBEAT_SIZE], uint64_t boot, uint8_t flags)
{
    put(out, boot, 8);
    out[8] = flags;
}

bool sti_nats_heartbeat_get(uint64_t *boot, uint8_t *flags, const void *data, size_t len)
{
    const uint8_t *in = data;

    if (len != STI_NATS_HEARTBEAT_SIZE) {
        return false;
    }
    *boot = get(in, 8);
    *flags = in[8];
    return true;
}
