/* SPDX-License-Identifier: MIT
 *
 * mirror_link.c: a connection with JetStream, whose calls are tried again until they work.
 *
 * While a server starts, or a cluster chooses a leader, its interface does not answer, or says that
 * it cannot now.
 */
#include "nats/mirror.h"
#include "nats/report.h"
#include "nats/state.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    CALL_MS = 2000, /* for one call of JetStream's interface */
    AGAIN_MS = 50
};

#define DUPLICATES_NS (120 * INT64_C(1000000000))

/* ---- Trying again. ---- */

void sti_nats_mirror_progress(struct sti_nats_mirror *m)
{
    m->progress_ns = sti_nats_now_ns();
}

bool sti_nats_mirror_canceled(const struct sti_nats_mirror *m)
{
    return stele_cancel_triggered(m->opts.cancel);
}

stele_code sti_nats_mirror_again(struct sti_nats_mirror *m, const char *doing, stele_error *err)
{
    int64_t waited_ms = (sti_nats_now_ns() - m->progress_ns) / 1000000;

    if (sti_nats_mirror_canceled(m)) {
        return sti_nats_fail(err, STELE_ECANCELED, "canceled");
    }
    if (m->opts.patience_ms >= 0 && waited_ms > m->opts.patience_ms) {
        return sti_nats_fail(err, STELE_ETIMEDOUT, "%s: no progress for %" PRId64 " ms (%s%s%s)",
                doing, waited_ms, natsStatus_GetText(m->last), m->why_text[0] == 0 ? "" : "; ",
                m->why_text);
    }
    nats_Sleep(AGAIN_MS);
    return STELE_OK;
}

/* ---- Calls. ---- */

static natsStatus make_stream(struct sti_nats_mirror *m)
{
    const char *subjects[] = {m->subject};
    jsStreamConfig config;
    jsStreamInfo *info = NULL;
    natsStatus s = jsStreamConfig_Init(&config);

    config.Name = m->name;
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Storage = js_FileStorage;
    config.Replicas = m->opts.replicas == 0 ? 1 : m->opts.replicas;
    config.Duplicates = DUPLICATES_NS;
    s = s != NATS_OK ? s : js_AddStream(&info, m->js, &config, NULL, &m->last_code);
    jsStreamInfo_Destroy(info);
    return s;
}

stele_code sti_nats_mirror_state(
        struct sti_nats_mirror *m, bool make, jsStreamState *out, stele_error *err)
{
    stele_code rc = STELE_OK;

    while (rc == STELE_OK) {
        jsStreamInfo *info = NULL;

        sti_nats_mirror_forget(m);
        m->last = js_GetStreamInfo(&info, m->js, m->name, NULL, &m->last_code);
        if (m->last == NATS_OK) {
            *out = info->State;
            out->Subjects = NULL; /* goes with the rest */
            jsStreamInfo_Destroy(info);
            return STELE_OK;
        }
        if ((m->last == NATS_NOT_FOUND || m->last_code == JSStreamNotFoundErr) && !make) {
            return sti_nats_fail(err, STELE_ENOTFOUND, "there is no stream %s", m->name);
        }
        if (m->last == NATS_NOT_FOUND || m->last_code == JSStreamNotFoundErr) {
            m->last = make_stream(m);
            if (m->last == NATS_OK) {
                continue;
            }
        }
        rc = sti_nats_mirror_again(m, "asking what the mirror has", err);
    }
    return rc;
}

stele_code sti_nats_mirror_get(
        struct sti_nats_mirror *m, uint64_t sequence, natsMsg **out, stele_error *err)
{
    stele_code rc = STELE_OK;

    while (rc == STELE_OK) {
        sti_nats_mirror_forget(m);
        m->last = js_GetMsg(out, m->js, m->name, sequence, NULL, &m->last_code);
        if (m->last == NATS_OK) {
            return STELE_OK;
        }
        if (m->last == NATS_NOT_FOUND || m->last_code == JSNoMessageFoundErr) {
            return sti_nats_fail(err, STELE_ENOTFOUND,
                    "message %" PRIu64 " of the mirror was deleted", sequence);
        }
        rc = sti_nats_mirror_again(m, "getting a message of the mirror", err);
    }
    return rc;
}

/* ---- Opening. ---- */

static void on_closed(natsConnection *nc, void *closure)
{
    struct sti_nats_mirror *m = closure;

    (void)nc;
    (void)pthread_mutex_lock(&m->lock);
    m->closed = true;
    (void)pthread_cond_broadcast(&m->changed);
    (void)pthread_mutex_unlock(&m->lock);
}

static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus status, void *closure)
{
    struct sti_nats_mirror *m = closure;
    const char *text = NULL;

    (void)sub;
    (void)natsConnection_GetLastError(nc, &text);
    (void)pthread_mutex_lock(&m->lock);
    (void)snprintf(m->why_text, sizeof m->why_text, "%s",
            text == NULL || text[0] == 0 ? natsStatus_GetText(status) : text);
    (void)pthread_mutex_unlock(&m->lock);
}

/* An acknowledgement, or why there is none. Ours is the message. */
static void on_ack(jsCtx *js, natsMsg *msg, jsPubAck *ack, jsPubAckErr *error, void *closure)
{
    struct sti_nats_mirror *m = closure;
    size_t len = (size_t)natsMsg_GetDataLength(msg);

    (void)js;
    (void)pthread_mutex_lock(&m->lock);
    m->waiting -= m->waiting > 0;
    m->waiting_len -= m->waiting_len < len ? m->waiting_len : len;
    if (ack != NULL && ack->Sequence > m->acked) {
        m->acked = ack->Sequence;
    }
    if (ack == NULL && !m->failed) {
        m->failed = true;
        m->why = error->Err;
        (void)snprintf(m->why_text, sizeof m->why_text, "%s",
                error->ErrText == NULL ? natsStatus_GetText(error->Err) : error->ErrText);
    }
    (void)pthread_cond_broadcast(&m->changed);
    (void)pthread_mutex_unlock(&m->lock);
    natsMsg_Destroy(msg);
}

static bool is_stream_name(const char *name)
{
    size_t len = name == NULL ? 0 : strlen(name);

    return len > 0 && len <= STI_NATS_MIRROR_NAME_MAX &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

static natsStatus connect_now(struct sti_nats_mirror *m, natsOptions *o)
{
    char prefix[STI_NATS_MIRROR_NAME_MAX + 32];
    natsStatus s;

    (void)snprintf(prefix, sizeof prefix, "stele.stream.%s", m->name);
    s = natsOptions_SetCustomInboxPrefix(o, prefix);
    s = s != NATS_OK ? s : natsOptions_SetClosedCB(o, on_closed, m);
    s = s != NATS_OK ? s : natsOptions_SetErrorHandler(o, on_error, m);
    return s != NATS_OK ? s : sti_nats_link_connect(&m->nc, o, &m->server);
}

/* Until the first connection is there it is tried here: then who asks hears why it fails. */
static stele_code connect_at_last(struct sti_nats_mirror *m, stele_error *err)
{
    natsOptions *o = NULL;
    stele_code rc = sti_nats_link_options(&o, &m->server, err);

    while (rc == STELE_OK) {
        m->last = connect_now(m, o);
        if (m->last == NATS_OK) {
            break;
        }
        rc = sti_nats_is_final(m->last) ? sti_nats_fail_status(err, m->last, "connecting")
                                        : sti_nats_mirror_again(m, "connecting", err);
    }
    natsOptions_Destroy(o);
    return rc;
}

static stele_code make_context(struct sti_nats_mirror *m, stele_error *err)
{
    jsOptions o;
    natsStatus s = jsOptions_Init(&o);

    o.Wait = CALL_MS;
    o.PublishAsync.MaxPending = STI_NATS_MIRROR_WINDOW;
    o.PublishAsync.AckHandler = on_ack;
    o.PublishAsync.AckHandlerClosure = m;
    s = s != NATS_OK ? s : natsConnection_JetStream(&m->js, m->nc, &o);
    return sti_nats_fail_status(err, s, "JetStream");
}

stele_code sti_nats_mirror_open(
        struct sti_nats_mirror *m, const stele_nats_mirror_options *opts, stele_error *err)
{
    stele_code rc;

    memset(m, 0, sizeof *m);
    m->closed = true;
    if (pthread_mutex_init(&m->lock, NULL) != 0 || !sti_nats_cond_init(&m->changed)) {
        return sti_nats_fail(err, STELE_ENOMEM, "no lock could be made");
    }
    memcpy(&m->opts, opts, opts->struct_size < sizeof m->opts ? opts->struct_size : sizeof m->opts);
    if (!is_stream_name(m->opts.stream)) {
        return sti_nats_fail(err, STELE_EINVAL,
                "the name of a stream of JetStream has 1 to %d of A-Z, a-z, 0-9, '_' and '-'",
                STI_NATS_MIRROR_NAME_MAX);
    }
    memcpy(m->name, m->opts.stream, strlen(m->opts.stream) + 1);
    (void)snprintf(m->subject, sizeof m->subject, "stele.log.%s", m->name);
    m->opts.patience_ms = m->opts.follow             ? STELE_FOREVER
                          : m->opts.patience_ms == 0 ? 30000
                                                     : m->opts.patience_ms;
    sti_nats_mirror_progress(m);
    rc = sti_nats_server_copy(&m->server, &m->opts.server, err);
    rc = rc == STELE_OK ? connect_at_last(m, err) : rc;
    m->closed = rc != STELE_OK;
    return rc == STELE_OK ? make_context(m, err) : rc;
}

void sti_nats_mirror_close(struct sti_nats_mirror *m)
{
    if (m->nc != NULL) {
        natsConnection_Close(m->nc);
        (void)pthread_mutex_lock(&m->lock);
        while (!m->closed) {
            (void)pthread_cond_wait(&m->changed, &m->lock);
        }
        (void)pthread_mutex_unlock(&m->lock);
        jsCtx_Destroy(m->js); /* it has a subscription: see held.h */
        natsConnection_Destroy(m->nc);
    }
    sti_nats_server_free(&m->server);
    (void)pthread_cond_destroy(&m->changed);
    (void)pthread_mutex_destroy(&m->lock);
}
