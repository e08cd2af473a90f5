/* SPDX-License-Identifier: MIT
 *
 * rebuild.c: making a stream again from its mirror.
 *
 * An ordered consumer of JetStream pushes the messages. Each is the one behind the last: one that
 * was seen is passed over, and after a gap, or silence, another consumer is begun at the place that
 * is known from what was published here.
 */
#include "nats/held.h"
#include "nats/memory.h"
#include "nats/mirror.h"
#include "nats/report.h"
#include "nats/state.h"

#include <inttypes.h>

enum {
    BATCH = 256,
    BATCH_SIZE = 8 << 20,
    NEXT_MS = 500,
    FLUSH_MS = 2000,
    SILENT_MAX = 4 /* such waits, then another consumer */
};

struct making {
    struct sti_nats_mirror m;
    stele_stream *s;
    struct sti_nats_held *sub;
    struct sti_nats_held *ended;
    uint64_t next; /* sequence number of the next message */
    uint64_t last; /* of the last one that there is */
    unsigned silent;
    natsMsg *msgs[BATCH];
    stele_message messages[BATCH];
    size_t count;
    size_t len;
    stele_nats_mirrored done;
};

/* ---- Where to begin. ---- */

static stele_code offset_at(struct making *w, uint64_t sequence, int64_t *out, stele_error *err)
{
    stele_message message;
    natsMsg *msg = NULL;
    stele_code rc = sti_nats_mirror_get(&w->m, sequence, &msg, err);

    rc = rc == STELE_OK ? sti_nats_mirror_decode(&message, msg, sequence, err) : rc;
    if (rc == STELE_OK) {
        *out = message.offset;
    }
    natsMsg_Destroy(msg);
    return rc;
}

/* The first message at or above an offset: offsets ascend as sequence numbers do. */
static stele_code find_sequence(struct making *w, int64_t offset, stele_error *err)
{
    uint64_t low = w->next;
    uint64_t high = w->last + 1;
    stele_code rc = STELE_OK;

    while (rc == STELE_OK && low < high && offset > 0) {
        uint64_t middle = low + (high - low) / 2;
        int64_t at = 0;

        rc = offset_at(w, middle, &at, err);
        if (at < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    w->next = low;
    return rc;
}

/* The newest message here must be the one before the first that is to come. */
static stele_code compare(struct making *w, uint64_t first, stele_error *err)
{
    stele_messages *ms = NULL;
    stele_message message;
    natsMsg *msg = NULL;
    stele_code rc = stele_messages_new(&ms, err);

    rc = rc == STELE_OK ? stele_stream_get(w->s, STELE_OFFSET_NEWEST, ms, err) : rc;
    if (rc == STELE_EOFFSET || rc == STELE_ENOTFOUND) {
        stele_messages_free(ms);
        return STELE_OK; /* nothing is here */
    }
    if (rc == STELE_OK && w->next == first) {
        rc = STELE_ECONFLICT;
    }
    rc = rc == STELE_OK ? sti_nats_mirror_get(&w->m, w->next - 1, &msg, err) : rc;
    rc = rc == STELE_OK ? sti_nats_mirror_decode(&message, msg, w->next - 1, err) : rc;
    if (rc == STELE_ECONFLICT ||
            (rc == STELE_OK && !sti_nats_mirror_equal(&message, stele_messages_at(ms, 0)))) {
        rc = sti_nats_fail(err, STELE_ECONFLICT,
                "the newest message here, offset %" PRId64 ", is not one of the mirror",
                stele_messages_at(ms, 0)->offset);
    }
    natsMsg_Destroy(msg);
    stele_messages_free(ms);
    return rc;
}

static stele_code find_place(struct making *w, stele_error *err)
{
    jsStreamState state = {0};
    int64_t next = 0;
    stele_code rc = sti_nats_mirror_state(&w->m, false, &state, err);

    rc = rc == STELE_OK ? stele_stream_next_offset(w->s, &next, err) : rc;
    if (rc != STELE_OK) {
        return rc;
    }
    if (state.LastSeq > 0 && (state.FirstSeq > 1 || state.Msgs != state.LastSeq)) {
        return sti_nats_fail(err, STELE_ECORRUPT,
                "the mirror has %" PRIu64 " of %" PRIu64 " messages: others were deleted",
                state.Msgs, state.LastSeq);
    }
    w->next = 1;
    w->last = state.LastSeq;
    rc = find_sequence(w, next, err);
    return rc == STELE_OK ? compare(w, 1, err) : rc;
}

/* ---- Receiving. ---- */

static void unsubscribe(struct making *w)
{
    if (w->sub != NULL) {
        (void)natsSubscription_Unsubscribe(w->sub->sub);
        sti_nats_held_add(&w->ended, w->sub);
        w->sub = NULL;
        if (natsConnection_FlushTimeout(w->m.nc, FLUSH_MS) == NATS_OK) {
            sti_nats_held_destroy(&w->ended);
        }
    }
}

static stele_code subscribe(struct making *w, stele_error *err)
{
    struct sti_nats_held *held = sti_nats_held_new(err);
    stele_code rc = held == NULL ? STELE_ENOMEM : STELE_OK;

    unsubscribe(w);
    w->silent = 0;
    while (rc == STELE_OK && w->sub == NULL) {
        jsSubOptions o;

        sti_nats_mirror_forget(&w->m);
        w->m.last = jsSubOptions_Init(&o);
        o.Stream = w->m.name;
        o.Ordered = true;
        o.Config.DeliverPolicy = js_DeliverByStartSequence;
        o.Config.OptStartSeq = w->next;
        if (w->m.last == NATS_OK) {
            w->m.last =
                    js_SubscribeSync(&held->sub, w->m.js, w->m.subject, NULL, &o, &w->m.last_code);
        }
        if (w->m.last == NATS_OK) {
            w->sub = held;
        } else {
            rc = sti_nats_mirror_again(&w->m, "asking for the messages of the mirror", err);
        }
    }
    if (rc != STELE_OK) {
        sti_nats_free(held);
    }
    return rc;
}

static uint64_t sequence_of(natsMsg *msg)
{
    jsMsgMetaData *data = NULL;
    uint64_t sequence = 0;

    if (natsMsg_GetMetaData(&data, msg) == NATS_OK) {
        sequence = data->Sequence.Stream;
    }
    jsMsgMetaData_Destroy(data);
    return sequence;
}

static stele_code publish_batch(struct making *w, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (w->count > 0) {
        rc = stele_stream_publish_offsets(w->s, w->messages, w->count, NULL, err);
    }
    if (rc == STELE_OK && w->count > 0) {
        if (w->done.first == STELE_OFFSET_INVALID) {
            w->done.first = w->messages[0].offset;
        }
        w->done.last = w->messages[w->count - 1].offset;
        w->done.count += w->count;
        sti_nats_mirror_progress(&w->m);
    }
    for (size_t i = 0; i < w->count; i++) {
        natsMsg_Destroy(w->msgs[i]);
    }
    w->count = 0;
    w->len = 0;
    return rc;
}

/* Takes over `msg`. */
static stele_code take(struct making *w, natsMsg *msg, stele_error *err)
{
    uint64_t sequence = sequence_of(msg);
    stele_code rc;

    if (sequence != w->next) {
        natsMsg_Destroy(msg);
        w->done.resumed += sequence > w->next;
        return sequence > w->next ? subscribe(w, err) : STELE_OK;
    }
    rc = sti_nats_mirror_decode(&w->messages[w->count], msg, sequence, err);
    if (rc != STELE_OK) {
        natsMsg_Destroy(msg);
        return rc;
    }
    w->msgs[w->count++] = msg;
    w->len += (size_t)natsMsg_GetDataLength(msg);
    w->next++;
    return w->count == BATCH || w->len >= BATCH_SIZE || w->next > w->last ? publish_batch(w, err)
                                                                          : STELE_OK;
}

static stele_code receive(struct making *w, stele_error *err)
{
    natsMsg *msg = NULL;
    stele_code rc;

    w->m.last = natsSubscription_NextMsg(&msg, w->sub->sub, NEXT_MS);
    if (w->m.last == NATS_OK) {
        w->silent = 0;
        return take(w, msg, err);
    }
    rc = sti_nats_mirror_again(&w->m, "waiting for the messages of the mirror", err);
    if (rc == STELE_OK && (w->m.last != NATS_TIMEOUT || ++w->silent == SILENT_MAX)) {
        w->done.resumed++;
        rc = subscribe(w, err);
    }
    return rc;
}

static stele_code work(struct making *w, stele_error *err)
{
    stele_code rc = find_place(w, err);

    if (rc == STELE_OK && w->next <= w->last) {
        rc = subscribe(w, err);
    }
    while (rc == STELE_OK && w->next <= w->last) {
        rc = sti_nats_mirror_canceled(&w->m) ? sti_nats_fail(err, STELE_ECANCELED, "canceled")
                                             : receive(w, err);
        if (rc == STELE_OK && w->next > w->last) {
            jsStreamState state = {0};

            rc = sti_nats_mirror_state(&w->m, false, &state, err); /* it may have grown */
            w->last = rc == STELE_OK ? state.LastSeq : w->last;
        }
    }
    if (rc == STELE_ECANCELED || rc == STELE_ETIMEDOUT) {
        stele_error other;

        rc = publish_batch(w, &other) == STELE_OK ? rc : STELE_EFAILED;
    }
    return rc;
}

stele_code stele_nats_rebuild(stele_stream *s, const stele_nats_mirror_options *opts,
        stele_nats_mirrored *out, stele_error *err)
{
    struct making *w;
    stele_code rc;

    if (s == NULL || opts == NULL) {
        return sti_nats_fail(err, STELE_EINVAL, "nothing to make again, or nowhere");
    }
    w = sti_nats_calloc(1, sizeof *w);
    if (w == NULL) {
        return sti_nats_fail_memory(err, sizeof *w);
    }
    w->s = s;
    w->done.first = STELE_OFFSET_INVALID;
    w->done.last = STELE_OFFSET_INVALID;
    rc = sti_nats_mirror_open(&w->m, opts, err);
    rc = rc == STELE_OK ? work(w, err) : rc;
    for (size_t i = 0; i < w->count; i++) {
        natsMsg_Destroy(w->msgs[i]);
    }
    rc = rc == STELE_OK ? stele_stream_sync(s, NULL, err) : rc;
    unsubscribe(w);
    sti_nats_mirror_close(&w->m);
    sti_nats_held_destroy(&w->ended);
    if (out != NULL) {
        *out = w->done;
    }
    sti_nats_free(w);
    return rc;
}
