/* SPDX-License-Identifier: MIT
 *
 * put.c: a message, in pieces that the server takes.
 */
#include "nats/memory.h"
#include "nats/report.h"
#include "nats/state.h"

enum {
    ON_STACK = 4096 + STI_NATS_ENVELOPE_SIZE
};

static size_t piece_size(struct sti_nats *n, enum sti_nats_way way)
{
    int64_t most = natsConnection_GetMaxPayload(n->ways[way]);
    size_t size = most > 0 && most < STI_NATS_CHUNK ? (size_t)most : STI_NATS_CHUNK;

    return size > STI_NATS_ENVELOPE_SIZE ? size - STI_NATS_ENVELOPE_SIZE : 1;
}

static bool is_up(struct sti_nats *n)
{
    bool up;

    (void)pthread_mutex_lock(&n->lock);
    up = n->up[STI_NATS_IN] && n->up[STI_NATS_OUT];
    (void)pthread_mutex_unlock(&n->lock);
    return up;
}

static natsStatus put_piece(natsConnection *nc, const char *subject, const char *reply,
        const struct sti_nats_envelope *e, stele_bytes piece, uint8_t *buffer)
{
    int len = (int)(STI_NATS_ENVELOPE_SIZE + piece.len);

    sti_nats_envelope_put(buffer, e);
    if (piece.len > 0) {
        memcpy(buffer + STI_NATS_ENVELOPE_SIZE, piece.data, piece.len);
    }
    return reply == NULL ? natsConnection_Publish(nc, subject, buffer, len)
                         : natsConnection_PublishRequest(nc, subject, reply, buffer, len);
}

stele_code sti_nats_put(struct sti_nats *n, enum sti_nats_way way, const char *subject,
        const char *reply, struct sti_nats_envelope envelope, stele_bytes data, stele_error *err)
{
    uint8_t on_stack[ON_STACK];
    uint8_t *buffer = on_stack;
    size_t size = piece_size(n, way);
    size_t count = data.len == 0 ? 1 : (data.len - 1) / size + 1;
    size_t largest = data.len < size ? data.len : size;
    natsStatus s = NATS_OK;

    if (!is_up(n)) {
        return sti_nats_fail(err, STELE_ENOPEER, "there is no connection to the server");
    }
    if (count > UINT16_MAX) {
        return sti_nats_fail(err, STELE_ETOOBIG,
                "%zu bytes would be %zu messages for this server, of at most %d", data.len, count,
                UINT16_MAX);
    }
    if (largest + STI_NATS_ENVELOPE_SIZE > sizeof on_stack) {
        buffer = sti_nats_calloc(1, largest + STI_NATS_ENVELOPE_SIZE);
        if (buffer == NULL) {
            return sti_nats_fail_memory(err, largest);
        }
    }
    envelope.count = (uint16_t)count;
    envelope.total = (uint32_t)data.len;
    for (size_t i = 0; s == NATS_OK && i < count; i++) {
        size_t at = i * size;
        size_t len = data.len - at < size ? data.len - at : size;

        envelope.index = (uint16_t)i;
        s = put_piece(n->ways[way], subject, reply, &envelope,
                len == 0 ? stele_nil() : stele_bytes_of(data.data + at, len), buffer);
    }
    if (buffer != on_stack) {
        sti_nats_free(buffer);
    }
    return sti_nats_fail_status(err, s, "sending");
}
