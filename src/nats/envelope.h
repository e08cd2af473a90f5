/* SPDX-License-Identifier: MIT
 *
 * envelope.h: what stands before the bytes of each message of a fleet.
 *
 *     bytes  what
 *     0      'S' 'N'
 *     2      version, 1
 *     3      kind
 *     4      number of the message, of its sender; in answers: of the request
 *     8      which piece of the message this is
 *     10     how many there are, at least one
 *     12     length of the whole message
 *     16     failures: the stele_code; else 1 for a message that is nil
 *     20     the piece
 *
 * Numbers are big-endian. A heartbeat has no envelope: number of the process's start (8), flags
 * (1).
 */
#ifndef STI_NATS_ENVELOPE_H
#define STI_NATS_ENVELOPE_H

#include <stele/bytes.h>

enum {
    STI_NATS_ENVELOPE_SIZE = 20,
    STI_NATS_HEARTBEAT_SIZE = 9,
    STI_NATS_BYE = 1 /* in a heartbeat: it goes */
};

enum sti_nats_kind {
    STI_NATS_REQUEST = 1, /* also what wants no answer: then nobody says where to */
    STI_NATS_REPLY = 2,
    STI_NATS_FAILURE = 3, /* of a handler; the bytes are the text */
    /* Tells the server alone, by its answer, whether anybody listens: a large request goes by the
     * other connection, where that answer does not come. Receivers drop it. */
    STI_NATS_PROBE = 4
};

struct sti_nats_envelope {
    enum sti_nats_kind kind;
    uint32_t id;
    uint16_t index;
    uint16_t count;
    uint32_t total;
    uint32_t info;
};

void sti_nats_envelope_put(
        uint8_t out[STI_NATS_ENVELOPE_SIZE], const struct sti_nats_envelope *envelope);

/* False: no such envelope, or one that contradicts itself. *piece is what stands behind it. */
bool sti_nats_envelope_get(
        struct sti_nats_envelope *out, stele_bytes *piece, const void *data, size_t len);

void sti_nats_heartbeat_put(uint8_t out[STI_NATS_HEARTBEAT_SIZE], uint64_t boot, uint8_t flags);
bool sti_nats_heartbeat_get(uint64_t *boot, uint8_t *flags, const void *data, size_t len);

#endif /* STI_NATS_ENVELOPE_H */
