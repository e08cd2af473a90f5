/* SPDX-License-Identifier: MIT
 *
 * cmd_docs_serve.c: `stele docs serve`.
 */
#include <stele/node.h>

#include "cli/cmd_docs.h"
#include "cli/output.h"
#include "cli/remote.h"
#include "cli/report.h"
#include "cli/serve.h"
#include "cli/signals.h"
#include "cli/word.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOK_MS = 100
};

/* What this process serves, for the verbs that it runs. */
static stele_docs *served;
static stele_node *served_node;

stele_docs *sti_docs_served(void)
{
    return served;
}

stele_node *sti_docs_served_node(void)
{
    return served_node;
}

/* ---- The transport. ---- */

struct server {
    stele_fleet_hub *hub; /* of a node by itself */
    stele_fleet *transport;
    char path[STI_REMOTE_PATH_SIZE];
};

static stele_code open_transport(
        struct server *s, const struct sti_docs_args *args, stele_error *err)
{
    stele_code code;

    if (args->login.url != NULL) {
        return sti_docs_open_nats(args, &s->transport, err);
    }
    code = stele_fleet_hub_new(&s->hub, err);
    return code == STELE_OK ? stele_fleet_hub_join(s->hub, args->id, &s->transport, err) : code;
}

/* ---- The node. ---- */

static void note(const char *what, const stele_node_event *event)
{
    char text[512];

    (void)snprintf(text, sizeof text, "peer %s: %s", event->peer == NULL ? "?" : event->peer, what);
    sti_serve_log(NULL, STELE_LOG_WARN, text);
}

/* What is tried again and again is told once. */
static void note_failed(stele_code code)
{
    static _Atomic(stele_code) told = STELE_OK;
    char text[256];

    if (atomic_exchange(&told, code) != code && code != STELE_OK) {
        (void)snprintf(text, sizeof text,
                "what came from peers cannot be stored, and is tried again: %s",
                stele_code_text(code));
        sti_serve_log(NULL, STELE_LOG_WARN, text);
    }
}

static void on_event(void *arg, const stele_node_event *event)
{
    char text[512];

    (void)arg;
    switch (event->kind) {
    case STELE_NODE_EV_ONLINE:
        note("online", event);
        break;
    case STELE_NODE_EV_OFFLINE:
        note("offline", event);
        break;
    case STELE_NODE_EV_SKEW:
        note("its clock is not ours", event);
        break;
    case STELE_NODE_EV_QUARANTINED:
        note("a change waits, as it was made in the future", event);
        break;
    case STELE_NODE_EV_RENUMBERED:
        note("it has our number of a server: another one is drawn", event);
        break;
    case STELE_NODE_EV_COLLATION:
        note("it compares text in another way: unique keys may differ", event);
        break;
    case STELE_NODE_EV_FAILED:
        note_failed(event->code);
        break;
    case STELE_NODE_EV_PROGRESS:
        note_failed(STELE_OK);
        break;
    case STELE_NODE_EV_CONFLICT:
        (void)snprintf(text, sizeof text, "key %s of type %s is that of document %.*s, not of %.*s",
                event->key, event->type, (int)event->owner.len, (const char *)event->owner.data,
                (int)event->id.len, (const char *)event->id.data);
        sti_serve_log(NULL, STELE_LOG_WARN, text);
        break;
    default:
        break;
    }
}

/* ---- Where the database is. ---- */

static stele_code add_type(void *arg, stele_bytes definition, stele_error *err)
{
    uint64_t *sum = arg;

    (void)err;
    for (size_t i = 0; i < definition.len; i++) {
        *sum = (*sum ^ definition.data[i]) * 1099511628211ULL; /* FNV-1a */
    }
    return STELE_OK;
}

stele_code sti_docs_place(stele_docs *db, struct sti_remote_place *out, stele_error *err)
{
    stele_docs_status status;
    stele_code code = stele_docs_get_status(db, &status, err);

    *out = (struct sti_remote_place){.types = 14695981039346656037ULL};
    out->seq = code == STELE_OK ? status.seq : 0;
    return code == STELE_OK ? stele_docs_types(db, add_type, &out->types, err) : code;
}

static stele_code place_of_served(struct sti_remote_place *out, stele_error *err)
{
    return sti_docs_place(served, out, err);
}

/* ---- Serving. ---- */

static stele_code begin(
        struct server *s, const struct sti_run *run, stele_docs *db, stele_error *err)
{
    stele_node_options options;
    stele_code code = sti_remote_path(run->operands->items[0], s->path, err);

    stele_node_options_init(&options);
    options.event = on_event;
    code = code == STELE_OK ? sti_serve_begin(s->path, place_of_served, err) : code;
    code = code == STELE_OK ? open_transport(s, run->args, err) : code;
    code = code == STELE_OK ? stele_node_open(&served_node, db, s->transport, &options, err) : code;
    return code;
}

static void end(struct server *s)
{
    sti_serve_end(s->path);
    stele_node_close(served_node);
    served_node = NULL;
    stele_fleet_close(s->transport);
    stele_fleet_hub_free(s->hub);
}

static void print_ready(const struct server *s)
{
    struct sti_json j = sti_json_begin(stdout);

    sti_json_bool(&j, "ready", true);
    sti_json_text(&j, "socket", s->path);
    sti_json_end(&j);
    (void)fflush(stdout);
}

static stele_code serve(struct server *s, stele_error *err)
{
    bool told = false;
    stele_code code = STELE_OK;

    while (code == STELE_OK && !sti_signals_came()) {
        stele_node_status status = {.state = STELE_NODE_INITIALISING};

        if (!told) {
            code = stele_node_get_status(served_node, &status, err);
            told = code == STELE_OK && status.state == STELE_NODE_READY;
            if (told) {
                print_ready(s);
            }
        }
        code = code == STELE_OK ? sti_serve_one(LOOK_MS, err) : code;
        code = code == STELE_OK ? sti_docs_check_nats(err) : code;
    }
    return code;
}

stele_code sti_docs_serve_verb(const struct sti_run *run, stele_error *err)
{
    static struct server s;
    const struct sti_docs_args *args = run->args;
    stele_docs *db = NULL;
    stele_code code;

    if (served != NULL) {
        return sti_cli_fail(err, STELE_ESTATE, "it is served already");
    }
    if (args->id == NULL || args->fleet == NULL) {
        return sti_cli_fail(err, STELE_EINVAL, "give --id NAME and --fleet NAME");
    }
    code = sti_signals_catch(err);
    code = code == STELE_OK ? sti_docs_open_writer(run, STI_DOCS_CREATE, &db, err) : code;
    if (code != STELE_OK) {
        return code;
    }
    code = begin(&s, run, db, err);
    if (code == STELE_OK) {
        served = db;
        code = serve(&s, err);
        served = NULL;
    }
    end(&s);
    return sti_docs_done(db, code, err);
}
