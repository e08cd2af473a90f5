/* SPDX-License-Identifier: MIT
 *
 * cmd_docs_serve.c: `stele docs serve`, and the way of other verbs to it.
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

static stele_code begin(
        struct server *s, const struct sti_run *run, stele_docs *db, stele_error *err)
{
    stele_node_options options;
    stele_code code = sti_remote_path(run->operands->items[0], s->path, err);

    stele_node_options_init(&options);
    options.event = on_event;
    code = code == STELE_OK ? sti_serve_begin(s->path, err) : code;
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

/* ---- The way there. ---- */

static bool is_dash(const char *word)
{
    return strcmp(word, "-") == 0;
}

/* The operand that names input, or may; -1: the verb has none. *needed: without it, too. */
static int input_operand(const char *verb, bool *needed)
{
    *needed = strcmp(verb, "load") == 0;
    if (strcmp(verb, "set") == 0 || strcmp(verb, "patch") == 0) {
        *needed = true;
        return 2;
    }
    if (strcmp(verb, "type") == 0) {
        return 2;
    }
    return strcmp(verb, "restore") == 0 ? 1 : -1;
}

/* Files are read here, where their names mean something. The word for them becomes "-". */
static stele_code take_input(const struct sti_run *run, const char *verb, int argc,
        const char **argv, stele_buf *out, stele_error *err)
{
    bool needed = false;
    int at = input_operand(verb, &needed);
    const char *word =
            at >= 0 && (size_t)at < run->operands->count ? run->operands->items[at] : NULL;
    bool is_document = at == 2 && strcmp(verb, "type") != 0;
    struct sti_input in;
    stele_code code;

    if (word == NULL || is_dash(word) || is_document) {
        needed = word == NULL ? needed : is_dash(word);
        return needed ? sti_read_input(out, "input", err) : STELE_OK;
    }
    code = sti_input_open(&in, word, err);
    if (code != STELE_OK) {
        return code;
    }
    code = sti_input_read_all(&in, out, "a file", err);
    sti_input_close(&in);
    for (int i = 0; i < argc; i++) {
        if (argv[i] == word) {
            argv[i] = "-";
        }
    }
    return code;
}

/* Before input is read, which who serves nobody needs for himself. */
static bool is_served(const char *db)
{
    char path[STI_REMOTE_PATH_SIZE];
    stele_error err;
    int fd = -1;

    if (sti_remote_path(db, path, &err) != STELE_OK ||
            sti_remote_connect(path, &fd, &err) != STELE_OK || fd < 0) {
        return false;
    }
    sti_remote_hang_up(fd);
    return true;
}

/* Verbs that change something are run there, and those whose short answer ought to have what was
 * changed just now. The others read beside it, a tenth of a second late at most: NULL. */
static const char *database_of(const struct sti_run *run, const char *area, const char *verb)
{
    const struct sti_docs_args *args = run->args;
    const struct sti_operands *operands = run->operands;

    if (strcmp(area, "docs") == 0 && strcmp(verb, "type") == 0) {
        return operands->count > 1 && strcmp(operands->items[0], "add") == 0 ? operands->items[1]
                                                                             : NULL;
    }
    if (strcmp(area, "docs") == 0 && strcmp(verb, "validate") == 0 && !args->mend) {
        return NULL;
    }
    return operands->items[0];
}

stele_code sti_docs_elsewhere(const struct sti_run *run, const char *area, const char *verb,
        int argc, char *const *argv, bool *done, int *exit_code, stele_error *err)
{
    const char *db = database_of(run, area, verb);
    const char **words;
    stele_buf input;
    stele_code code;

    *done = false;
    if (served != NULL || db == NULL || !is_served(db)) {
        return STELE_OK;
    }
    words = calloc((size_t)argc + 3, sizeof *words);
    if (words == NULL) {
        return sti_cli_fail(err, STELE_ENOMEM, "no memory for the arguments");
    }
    words[0] = area;
    words[1] = verb;
    for (int i = 0; i < argc; i++) {
        words[i + 2] = argv[i];
    }
    stele_buf_init(&input, STI_REMOTE_MAX / 2);
    code = take_input(run, verb, argc + 2, words, &input, err);
    code = code == STELE_OK ? sti_remote_run(db, argc + 2, words, stele_buf_view(&input), done,
                                      exit_code, err)
                            : code;
    stele_buf_free(&input);
    free(words);
    return code;
}
