/* SPDX-License-Identifier: MIT
 *
 * mirror_message.c: a message of a stream as one of JetStream, and back.
 */
#include "nats/memory.h"
#include "nats/mirror.h"
#include "nats/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char offset_header[] = "Stele-Offset";
static const char time_header[] = "Stele-Time";
static const char key_header[] = "Stele-Key";
static const char value_header[] = "Stele-Value";

static natsStatus set_number(natsMsg *msg, const char *header, int64_t value)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%" PRId64, value);
    return natsMsgHeader_Set(msg, header, text);
}

static natsStatus set_headers(natsMsg *msg, const stele_message *message)
{
    natsStatus s = set_number(msg, offset_header, message->offset);

    s = s != NATS_OK ? s : set_number(msg, time_header, message->time);
    if (s == NATS_OK && !stele_is_nil(message->key)) {
        s = set_number(msg, key_header, (int64_t)message->key.len);
    }
    if (s == NATS_OK && stele_is_nil(message->value)) {
        s = natsMsgHeader_Set(msg, value_header, "nil");
    }
    return s;
}

natsStatus sti_nats_mirror_encode(
        natsMsg **out, const struct sti_nats_mirror *m, const stele_message *message)
{
    size_t len = message->key.len + message->value.len;
    char *payload = sti_nats_calloc(1, len + 1);
    natsMsg *msg = NULL;
    natsStatus s;

    if (payload == NULL) {
        return NATS_NO_MEMORY;
    }
    if (message->key.len > 0) {
        memcpy(payload, message->key.data, message->key.len);
    }
    if (message->value.len > 0) {
        memcpy(payload + message->key.len, message->value.data, message->value.len);
    }
    s = natsMsg_Create(&msg, m->subject, NULL, payload, (int)len);
    sti_nats_free(payload);
    s = s != NATS_OK ? s : set_headers(msg, message);
    if (s != NATS_OK) {
        natsMsg_Destroy(msg);
        return s;
    }
    *out = msg;
    return NATS_OK;
}

/* False: it is not there. *valid: there is nothing, or a number. */
static bool get_number(natsMsg *msg, const char *header, int64_t *out, bool *valid)
{
    const char *text = NULL;
    char *end = NULL;

    if (natsMsgHeader_Get(msg, header, &text) != NATS_OK || text == NULL) {
        return false;
    }
    *out = strtoll(text, &end, 10);
    *valid = *valid && end != text && *end == 0;
    return true;
}

stele_code sti_nats_mirror_decode(
        stele_message *out, natsMsg *msg, uint64_t sequence, stele_error *err)
{
    const char *data = natsMsg_GetData(msg);
    const char *nil = NULL;
    int64_t len = natsMsg_GetDataLength(msg);
    int64_t key_len = 0;
    bool valid = true;
    bool has_key;
    stele_message m = stele_message_invalid();

    valid = get_number(msg, offset_header, &m.offset, &valid) && valid && m.offset >= 0;
    valid = get_number(msg, time_header, &m.time, &valid) && valid;
    has_key = get_number(msg, key_header, &key_len, &valid);
    if (!valid || key_len < 0 || key_len > len) {
        return sti_nats_fail(err, STELE_ECORRUPT,
                "message %" PRIu64 " of the mirror does not come from a mirror", sequence);
    }
    if (has_key) {
        m.key = stele_bytes_of(key_len == 0 ? "" : data, (size_t)key_len);
    }
    if (natsMsgHeader_Get(msg, value_header, &nil) != NATS_OK) {
        m.value = len == key_len ? stele_empty()
                                 : stele_bytes_of(data + key_len, (size_t)(len - key_len));
    }
    *out = m;
    return STELE_OK;
}

bool sti_nats_mirror_equal(const stele_message *a, const stele_message *b)
{
    return a->offset == b->offset && a->time == b->time && stele_bytes_equal(a->key, b->key) &&
           stele_bytes_equal(a->value, b->value);
}
