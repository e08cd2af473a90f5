/* SPDX-License-Identifier: MIT
 *
 * ways.c: the two connections: made, and what libnats says of them.
 */
#include "nats/report.h"
#include "nats/state.h"

#include <stdio.h>

/* ---- What the connections say. ---- */

static void up_locked(struct sti_nats *n, enum sti_nats_way way)
{
    n->up[way] = true;
    n->greet = true;
    sti_nats_tell_locked(
            n, STELE_NATS_CONNECTED, 1, way == STI_NATS_IN ? "for receiving" : "for sending");
    sti_nats_kick_locked(n);
    (void)pthread_cond_broadcast(&n->changed);
}

/* A handler for each of the two: while they are made, nc tells not which it is. */
static void on_connected(struct sti_nats *n, enum sti_nats_way way)
{
    (void)pthread_mutex_lock(&n->lock);
    up_locked(n, way);
    (void)pthread_mutex_unlock(&n->lock);
}

static void in_connected(natsConnection *nc, void *closure)
{
    (void)nc;
    on_connected(closure, STI_NATS_IN);
}

static void out_connected(natsConnection *nc, void *closure)
{
    (void)nc;
    on_connected(closure, STI_NATS_OUT);
}

/* Which connection it is, and the last thing that was wrong with it. */
static void describe(char out[STI_NATS_EVENT_TEXT], natsConnection *nc, enum sti_nats_way way)
{
    const char *text = NULL;
    bool known = nc != NULL && natsConnection_GetLastError(nc, &text) != NATS_OK && text != NULL &&
                 text[0] != 0;

    (void)snprintf(out, STI_NATS_EVENT_TEXT, "for %s%s%s",
            way == STI_NATS_IN ? "receiving" : "sending", known ? ": " : "", known ? text : "");
}

/* What was sent by a connection that broke, or would be answered by it, may be lost. */
static void on_down(struct sti_nats *n, natsConnection *nc, enum sti_nats_way way, bool closed)
{
    char text[STI_NATS_EVENT_TEXT];

    describe(text, nc, way);
    (void)pthread_mutex_lock(&n->lock);
    if (n->up[way]) {
        sti_nats_tell_locked(n, STELE_NATS_DISCONNECTED, 1, text);
    }
    n->up[way] = false;
    n->was_down[way] = true;
    if (closed) {
        n->closed[way] = true;
        sti_nats_tell_locked(n, STELE_NATS_CLOSED, 1, text);
    }
    for (struct sti_nats_call *call = n->calls; call != NULL; call = call->next) {
        if (way == STI_NATS_IN || call->bulk) {
            sti_nats_call_finish_locked(call, STELE_ETIMEDOUT);
        }
    }
    (void)pthread_cond_broadcast(&n->changed);
    (void)pthread_mutex_unlock(&n->lock);
}

static void in_disconnected(natsConnection *nc, void *closure)
{
    on_down(closure, nc, STI_NATS_IN, false);
}

static void out_disconnected(natsConnection *nc, void *closure)
{
    on_down(closure, nc, STI_NATS_OUT, false);
}

static void in_closed(natsConnection *nc, void *closure)
{
    on_down(closure, nc, STI_NATS_IN, true);
}

static void out_closed(natsConnection *nc, void *closure)
{
    on_down(closure, nc, STI_NATS_OUT, true);
}

static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus status, void *closure)
{
    struct sti_nats *n = closure;
    const char *text = NULL;

    (void)sub;
    if (natsConnection_GetLastError(nc, &text) == NATS_OK || text == NULL || text[0] == 0) {
        text = natsStatus_GetText(status);
    }
    (void)pthread_mutex_lock(&n->lock);
    if (status == NATS_SLOW_CONSUMER) {
        sti_nats_kick_locked(n); /* it counts them, and tells */
    } else {
        sti_nats_tell_locked(n, STELE_NATS_REFUSED, 1, text);
    }
    (void)pthread_mutex_unlock(&n->lock);
}

/* ---- Making them. ---- */

static natsStatus set_callbacks(
        struct sti_nats *n, natsOptions *o, enum sti_nats_way way, bool retry)
{
    static const natsConnectionHandler handlers[STI_NATS_WAYS][3] = {
            {in_connected, in_disconnected, in_closed},
            {out_connected, out_disconnected, out_closed}};
    natsStatus s = natsOptions_SetRetryOnFailedConnect(o, retry, handlers[way][0], n);

    s = s != NATS_OK ? s : natsOptions_SetReconnectedCB(o, handlers[way][0], n);
    s = s != NATS_OK ? s : natsOptions_SetDisconnectedCB(o, handlers[way][1], n);
    s = s != NATS_OK ? s : natsOptions_SetClosedCB(o, handlers[way][2], n);
    s = s != NATS_OK ? s : natsOptions_SetErrorHandler(o, on_error, n);
    return s != NATS_OK ? s : natsOptions_SetCustomInboxPrefix(o, n->inbox);
}

static stele_code fail_connect(
        const struct sti_nats *n, natsStatus s, const char *text, stele_error *err)
{
    char url[STI_NATS_URL_SIZE];
    stele_code rc = sti_nats_code(s);

    sti_nats_server_show(&n->server, url);
    return sti_nats_fail(err, rc == STELE_ENOPEER || rc == STELE_ECLOSED ? STELE_EIO : rc,
            "connecting to %s: %s", url, text);
}

stele_code sti_nats_explain_closed(struct sti_nats *n, stele_code rc, stele_error *err)
{
    return rc == STELE_ECLOSED && n->first_failure != NATS_OK
                   ? fail_connect(n, n->first_failure, n->first_text, err)
                   : rc;
}

/* libnats says where in its own files it was first: "(conn.c:123): text". */
static void note_failure(struct sti_nats *n, natsStatus s)
{
    const char *text = nats_GetLastError(NULL);
    const char *behind = text == NULL || text[0] != '(' ? NULL : strstr(text, "): ");

    text = behind == NULL ? text : behind + 3;
    n->first_failure = s;
    (void)snprintf(n->first_text, sizeof n->first_text, "%s",
            text == NULL || text[0] == 0 ? natsStatus_GetText(s) : text);
}

/* It goes on trying; whoever waits in vain should know why. */
static void tell_not_yet(struct sti_nats *n, enum sti_nats_way way)
{
    char text[STI_NATS_EVENT_TEXT];

    (void)snprintf(text, sizeof text, "for %s: no server can be reached",
            way == STI_NATS_IN ? "receiving" : "sending");
    (void)pthread_mutex_lock(&n->lock);
    if (!n->up[way] && !n->was_down[way]) {
        sti_nats_tell_locked(n, STELE_NATS_DISCONNECTED, 1, text);
    }
    (void)pthread_mutex_unlock(&n->lock);
}

/* One attempt, whose failure says why; a connection that goes on trying does not. */
static natsStatus connect_once(
        struct sti_nats *n, natsOptions *o, enum sti_nats_way way, bool retry)
{
    natsStatus s = set_callbacks(n, o, way, retry);

    return s != NATS_OK ? s : sti_nats_link_connect(&n->ways[way], o, &n->server);
}

stele_code sti_nats_make_way(struct sti_nats *n, enum sti_nats_way way, stele_error *err)
{
    natsOptions *o = NULL;
    natsStatus s;
    stele_code rc = sti_nats_link_options(&o, &n->server, err);

    if (rc != STELE_OK) {
        return rc;
    }
    s = connect_once(n, o, way, false);
    if (s != NATS_OK) {
        note_failure(n, s);
    }
    if (s != NATS_OK && !sti_nats_is_final(s)) {
        s = connect_once(n, o, way, true);
    }
    natsOptions_Destroy(o);
    if (s == NATS_NOT_YET_CONNECTED) {
        tell_not_yet(n, way);
        return STELE_OK;
    }
    if (s != NATS_OK) {
        return fail_connect(n, s, n->first_text, err);
    }
    (void)pthread_mutex_lock(&n->lock);
    if (!n->was_down[way]) {
        up_locked(n, way);
    }
    (void)pthread_mutex_unlock(&n->lock);
    return STELE_OK;
}
