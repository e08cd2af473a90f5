/* SPDX-License-Identifier: MIT
 *
 * mirror.c: sending a stream to JetStream: go back N.
 *
 * Messages go out without waiting, up to a window, each with the sequence number of the one before
 * it: the server refuses one that is not the next. When anything is refused, or an acknowledgement
 * does not come, sending stops, what is on its way is awaited, and the last message that the stream
 * has tells where to go on. Nothing but that message, and the log, says what has been sent.
 */
#include "nats/mirror.h"

#include "nats/report.h"
#include "nats/state.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    READ_AT_ONCE = 256,
    LOOK_MS = 100,
    SETTLE_MS = STI_NATS_MIRROR_ACK_MS + 3000
};

struct sending {
    struct sti_nats_mirror m;
    stele_stream *s;
    stele_messages *ms;
    int64_t next;      /* offset of the next message to send */
    uint64_t sequence; /* of the last one that was sent */
    uint64_t known;    /* sequence number that was counted as sent, and the offset behind it */
    stele_nats_mirrored done;
    int64_t counted; /* messages up to this offset are in `done` */
};

/* ---- Where we are. ---- */

/* The last message of the stream must be the log's, as far as the log still has it. */
static stele_code compare(struct sending *w, const stele_message *stored, stele_error *err)
{
    int64_t next = 0;
    stele_code rc = stele_stream_next_offset(w->s, &next, err);

    if (rc == STELE_OK && stored->offset >= next) {
        return sti_nats_fail(err, STELE_ECONFLICT,
                "the mirror has offset %" PRId64 ", the next one of the log is %" PRId64
                ": it is not of this log, or the log has lost messages",
                stored->offset, next);
    }
    rc = rc == STELE_OK ? stele_stream_get(w->s, stored->offset, w->ms, err) : rc;
    if (rc == STELE_ENOTFOUND || rc == STELE_EOFFSET) {
        return STELE_OK; /* deleted since */
    }
    if (rc == STELE_OK && !sti_nats_mirror_equal(stored, stele_messages_at(w->ms, 0))) {
        rc = sti_nats_fail(err, STELE_ECONFLICT,
                "offset %" PRId64 " is another message in the mirror than in the log",
                stored->offset);
    }
    return rc;
}

static stele_code find_place(struct sending *w, stele_error *err)
{
    jsStreamState state = {0};
    stele_message stored;
    natsMsg *msg = NULL;
    stele_code rc = sti_nats_mirror_state(&w->m, true, &state, err);

    if (rc != STELE_OK) {
        return rc;
    }
    w->sequence = state.LastSeq;
    if (state.LastSeq == 0) {
        w->next = 0;
        return STELE_OK;
    }
    rc = sti_nats_mirror_get(&w->m, state.LastSeq, &msg, err);
    if (rc == STELE_ENOTFOUND) {
        return sti_nats_fail(err, STELE_ECONFLICT,
                "the last message of stream %s was deleted: where to go on is not known",
                w->m.name);
    }
    if (rc == STELE_OK) {
        rc = sti_nats_mirror_decode(&stored, msg, state.LastSeq, err);
        rc = rc == STELE_ECORRUPT ? sti_nats_fail(err, STELE_ECONFLICT,
                                            "somebody else writes to stream %s", w->m.name)
                                  : rc;
        rc = rc == STELE_OK ? compare(w, &stored, err) : rc;
    }
    if (rc == STELE_OK) {
        w->next = stored.offset + 1;
    }
    natsMsg_Destroy(msg);
    return rc;
}

/* ---- Sending. ---- */

static bool has_failed(struct sti_nats_mirror *m)
{
    bool failed;

    (void)pthread_mutex_lock(&m->lock);
    failed = m->failed;
    (void)pthread_mutex_unlock(&m->lock);
    return failed;
}

/* Room in the window; false: something failed. */
static bool enter_window(struct sti_nats_mirror *m, size_t len)
{
    bool entered;

    (void)pthread_mutex_lock(&m->lock);
    while (!m->failed && m->waiting > 0 &&
            (m->waiting >= STI_NATS_MIRROR_WINDOW ||
                    m->waiting_len + len > STI_NATS_MIRROR_WINDOW_SIZE)) {
        (void)sti_nats_cond_wait(&m->changed, &m->lock, sti_nats_now_ns() + LOOK_MS * 1000000LL);
    }
    entered = !m->failed;
    m->waiting += entered;
    m->waiting_len += entered ? len : 0;
    (void)pthread_mutex_unlock(&m->lock);
    return entered;
}

static void not_sent(struct sti_nats_mirror *m, natsStatus status, size_t len)
{
    (void)pthread_mutex_lock(&m->lock);
    m->waiting--;
    m->waiting_len -= len;
    m->failed = true;
    m->why = status;
    (void)snprintf(m->why_text, sizeof m->why_text, "%s", natsStatus_GetText(status));
    (void)pthread_mutex_unlock(&m->lock);
}

static natsStatus publish(struct sending *w, const stele_message *message)
{
    struct sti_nats_mirror *m = &w->m;
    char id[STI_NATS_MIRROR_NAME_MAX + 32];
    jsPubOptions o;
    natsMsg *msg = NULL;
    natsStatus s = sti_nats_mirror_encode(&msg, m, message);

    s = s != NATS_OK ? s : jsPubOptions_Init(&o);
    if (s == NATS_OK) {
        (void)snprintf(id, sizeof id, "%s:%" PRId64, m->name, message->offset);
        o.MsgId = id;
        o.MaxWait = STI_NATS_MIRROR_ACK_MS;
        o.ExpectStream = m->name;
        o.ExpectLastSeq = w->sequence;
        o.ExpectNoMessage = w->sequence == 0;
        s = js_PublishMsgAsync(m->js, &msg, &o);
    }
    natsMsg_Destroy(msg); /* NULL if the context has taken it */
    return s;
}

static stele_code send_one(struct sending *w, const stele_message *message, stele_error *err)
{
    struct sti_nats_mirror *m = &w->m;
    size_t len = message->key.len + message->value.len;
    natsStatus s;

    if (!enter_window(m, len)) {
        return STELE_OK;
    }
    s = publish(w, message);
    if (s == NATS_OK) {
        w->sequence++;
        w->next = message->offset + 1;
        return STELE_OK;
    }
    not_sent(m, s, len);
    if (s == NATS_MAX_PAYLOAD) {
        return sti_nats_fail(err, STELE_ETOOBIG,
                "message %" PRId64 " has %zu bytes: the server takes %" PRId64 " with the headers",
                message->offset, len, natsConnection_GetMaxPayload(m->nc));
    }
    return s == NATS_NO_MEMORY ? sti_nats_fail_memory(err, len) : STELE_OK;
}

/* Wait until all that is on its way has an answer, or will have none. */
static void settle(struct sending *w)
{
    struct sti_nats_mirror *m = &w->m;
    int64_t deadline = sti_nats_now_ns() + SETTLE_MS * 1000000LL;
    natsMsgList pending = {NULL, 0};
    bool late = false;

    (void)pthread_mutex_lock(&m->lock);
    while (m->waiting > 0 && !late) {
        late = !sti_nats_cond_wait(&m->changed, &m->lock, deadline);
    }
    (void)pthread_mutex_unlock(&m->lock);
    /* What comes for these now is dropped by the context. It cannot be asked before anything was
     * sent: version 3.4 of libnats follows a null pointer then. */
    if (late && js_PublishAsyncGetPendingList(&pending, m->js) == NATS_OK) {
        natsMsgList_Destroy(&pending);
    }
    (void)pthread_mutex_lock(&m->lock);
    m->waiting = 0;
    m->waiting_len = 0;
    m->failed = false;
    (void)pthread_mutex_unlock(&m->lock);
}

/* Why sending stops, and begins again at the place that is found next. */
static void warn_failed(struct sending *w)
{
    char text[256];

    if (w->m.opts.warn == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&w->m.lock);
    (void)snprintf(text, sizeof text, "the mirror stopped, and finds out where to go on: %s",
            w->m.why_text);
    (void)pthread_mutex_unlock(&w->m.lock);
    w->m.opts.warn(w->m.opts.warn_arg, text);
}

/* Messages up to w->next are in the stream: the place that was found, or all was acknowledged. */
static void count_done(struct sending *w, uint64_t sequence)
{
    if (sequence > w->known) {
        w->done.count += sequence - w->known;
        w->done.last = w->next - 1;
        sti_nats_mirror_progress(&w->m);
    }
    w->known = sequence > w->known ? sequence : w->known;
}

/* Send what the log has from w->next on; returns when there is no more for now, or something
 * failed. */
static stele_code send_all(struct sending *w, stele_error *err)
{
    stele_code rc = STELE_OK;

    while (rc == STELE_OK && !has_failed(&w->m) && !sti_nats_mirror_canceled(&w->m)) {
        int64_t next = w->next;
        size_t count;

        rc = stele_stream_consume(w->s, w->next == 0 ? STELE_OFFSET_OLDEST : w->next, READ_AT_ONCE,
                w->ms, &next, err);
        count = rc == STELE_OK ? stele_messages_count(w->ms) : 0;
        if (count == 0) {
            break;
        }
        for (size_t i = 0; rc == STELE_OK && i < count && !has_failed(&w->m); i++) {
            const stele_message *message = stele_messages_at(w->ms, i);

            if (w->done.first == STELE_OFFSET_INVALID) {
                w->done.first = message->offset;
            }
            rc = send_one(w, message, err);
        }
    }
    return rc;
}

/* Wait for acknowledgements; whether all have come. */
static bool await_acks(struct sending *w)
{
    struct sti_nats_mirror *m = &w->m;
    bool level;

    (void)pthread_mutex_lock(&m->lock);
    while (m->waiting > 0 && !m->failed) {
        (void)sti_nats_cond_wait(&m->changed, &m->lock, INT64_MAX);
    }
    level = !m->failed;
    (void)pthread_mutex_unlock(&m->lock);
    return level;
}

/* Wait for the log to grow. */
static stele_code await_more(struct sending *w, stele_error *err)
{
    const stele_wait wait = {.timeout_ms = LOOK_MS, .cancel = w->m.opts.cancel};
    int64_t next;
    stele_code rc = stele_stream_consume_wait(
            w->s, w->next == 0 ? STELE_OFFSET_OLDEST : w->next, 1, &wait, w->ms, &next, err);

    return rc == STELE_ETIMEDOUT || rc == STELE_ECANCELED ? STELE_OK : rc;
}

static stele_code work(struct sending *w, stele_error *err)
{
    stele_code rc = find_place(w, err);

    w->known = w->sequence;
    while (rc == STELE_OK && !sti_nats_mirror_canceled(&w->m)) {
        rc = send_all(w, err);
        if (rc == STELE_OK && await_acks(w)) {
            count_done(w, w->sequence);
            if (!w->m.opts.follow) {
                return STELE_OK;
            }
            rc = await_more(w, err);
            continue;
        }
        settle(w);
        if (rc == STELE_OK) {
            w->done.resumed++;
            warn_failed(w);
            rc = find_place(w, err);
            count_done(w, w->sequence);
            rc = rc == STELE_OK ? sti_nats_mirror_again(&w->m, "sending", err) : rc;
        }
    }
    settle(w);
    if (rc == STELE_OK || rc == STELE_ECANCELED) {
        rc = w->m.opts.follow ? STELE_OK : sti_nats_fail(err, STELE_ECANCELED, "canceled");
    }
    return rc;
}

/* ---- The call. ---- */

void stele_nats_mirror_options_init_sized(stele_nats_mirror_options *opts, size_t struct_size)
{
    memset(opts, 0, struct_size);
    opts->struct_size = struct_size;
}

stele_code stele_nats_mirror(stele_stream *s, const stele_nats_mirror_options *opts,
        stele_nats_mirrored *out, stele_error *err)
{
    struct sending w = {.s = s};
    stele_code rc;

    w.done.first = STELE_OFFSET_INVALID;
    w.done.last = STELE_OFFSET_INVALID;
    if (s == NULL || opts == NULL) {
        return sti_nats_fail(err, STELE_EINVAL, "nothing to mirror, or nowhere");
    }
    rc = stele_messages_new(&w.ms, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_nats_mirror_open(&w.m, opts, err);
    if (rc == STELE_OK && opts->warn != NULL) {
        opts->warn(opts->warn_arg,
                "the server acknowledges messages before it has synced them: the mirror is no "
                "reason to trim the log");
    }
    rc = rc == STELE_OK ? work(&w, err) : rc;
    sti_nats_mirror_close(&w.m);
    stele_messages_free(w.ms);
    if (w.done.count == 0) {
        w.done.first = STELE_OFFSET_INVALID;
    }
    if (out != NULL) {
        *out = w.done;
    }
    return rc;
}
