/* SPDX-License-Identifier: MIT
 *
 * cmd_docs_nats.c: the way of `docs serve` to a server of NATS, and what it says about it.
 *
 * There are two connections: it is connected while both are there. Events come from a thread of
 * the transport.
 */
#include "cli/cmd_docs.h"
#include "cli/report.h"

#ifdef STELE_HAVE_NATS

#include "cli/serve.h"
#include "cli/signals.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

enum {
    WAYS = 2,
    TEXT_SIZE = 512
};

static struct {
    pthread_mutex_t lock;
    int up;    /* connections */
    bool told; /* that there are not both */
    bool closed;
    char why[TEXT_SIZE]; /* it is closed */
} link = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Whether there is something to say: a server that cannot be reached is told of once. */
static bool count(const stele_nats_event *event)
{
    bool news = false;

    (void)pthread_mutex_lock(&link.lock);
    if (event->kind == STELE_NATS_CONNECTED) {
        link.up += link.up < WAYS;
        news = link.up == WAYS;
        link.told = link.told && !news;
    } else if (event->kind == STELE_NATS_DISCONNECTED) {
        link.up -= link.up > 0;
        news = !link.told;
        link.told = true;
    } else if (!link.closed) {
        news = true;
        link.closed = true;
        (void)snprintf(link.why, sizeof link.why, "%s", event->text);
    }
    (void)pthread_mutex_unlock(&link.lock);
    return news;
}

static void note(const char *what, const stele_nats_event *event)
{
    char text[TEXT_SIZE];

    (void)snprintf(text, sizeof text, "NATS: %s: %s", what, event->text);
    sti_serve_log(NULL, STELE_LOG_WARN, text);
}

static void on_event(void *arg, const stele_nats_event *event)
{
    (void)arg;
    switch (event->kind) {
    case STELE_NATS_CONNECTED:
        if (count(event)) {
            sti_serve_log(NULL, STELE_LOG_WARN, "NATS: connected");
        }
        break;
    case STELE_NATS_DISCONNECTED:
        if (count(event) && !sti_signals_came()) {
            note("not connected, trying again", event);
        }
        break;
    case STELE_NATS_CLOSED:
        (void)count(event);
        break;
    case STELE_NATS_REFUSED:
        note("the server refuses something", event);
        break;
    case STELE_NATS_NAME_TAKEN:
        note("another node has our name", event);
        break;
    default:
        break;
    }
}

stele_code sti_docs_open_nats(const struct sti_docs_args *args, stele_fleet **out, stele_error *err)
{
    char password[STI_LOGIN_PASSWORD_SIZE];
    stele_nats_options options;
    stele_code code;

    stele_nats_options_init(&options);
    options.fleet = args->fleet;
    options.event = on_event;
    options.server.name = args->id;
    code = sti_login_read(&args->login, password, &options.server, err);
    return code == STELE_OK ? stele_nats_open(out, args->id, &options, err) : code;
}

stele_code sti_docs_check_nats(stele_error *err)
{
    stele_code code = STELE_OK;

    (void)pthread_mutex_lock(&link.lock);
    if (link.closed) {
        code = sti_cli_fail(err, STELE_EPERM, "the server of NATS refuses us: %s", link.why);
    }
    (void)pthread_mutex_unlock(&link.lock);
    return code;
}

#else

stele_code sti_docs_open_nats(const struct sti_docs_args *args, stele_fleet **out, stele_error *err)
{
    (void)args;
    (void)out;
    return sti_cli_fail(err, STELE_ENOTSUP, "this command was built without NATS");
}

stele_code sti_docs_check_nats(stele_error *err)
{
    (void)err;
    return STELE_OK;
}

#endif
