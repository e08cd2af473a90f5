/* SPDX-License-Identifier: MIT
 *
 * cmd_fleet_node.c: `stele fleet peers`, `status`, `diff`: of a node that runs.
 *
 * They are run by the process of the node, as `stele docs serve` says.
 */
#include <stele/node.h>

#include "cli/cmd_docs.h"
#include "cli/cmd_fleet.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/word.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    NAME_WIDTH = 24
};

static stele_code node_of(const struct sti_run *run, stele_node **out, stele_error *err)
{
    *out = sti_docs_served_node();
    return *out != NULL ? STELE_OK
                        : sti_cli_fail(err, STELE_ESTATE, "%s: no node runs there",
                                  run->operands->items[0]);
}

static const char *protocol_of(const stele_node_peer *peer)
{
    switch (peer->protocol) {
    case STELE_NODE_STELE:
        return "v2";
    case STELE_NODE_REFERENCE:
        return "v1";
    case STELE_NODE_FOREIGN:
        return "foreign";
    default:
        return NULL;
    }
}

struct listing {
    bool json;
    bool different_only;
    uint64_t given;
};

static void print_peer(void *arg, const stele_node_peer *peer)
{
    struct listing *l = arg;
    const char *protocol = protocol_of(peer);
    const stele_bytes name = stele_str(peer->name); /* of any bytes */
    struct sti_json j;

    if (l->different_only && (!peer->online || peer->in_step)) {
        return;
    }
    l->given++;
    if (!l->json) {
        sti_print_word(name);
        (void)printf("%*s  %-7s  %-11s  %3u.%u %%  %s\n",
                name.len < NAME_WIDTH ? (int)(NAME_WIDTH - name.len) : 0, "",
                peer->online ? "online" : "offline", peer->in_step ? "in step" : "not in step",
                peer->rate / 10, peer->rate % 10, protocol == NULL ? "-" : protocol);
        return;
    }
    j = sti_json_begin(stdout);
    sti_json_bytes(&j, "peer", name);
    sti_json_bool(&j, "online", peer->online);
    sti_json_bool(&j, "in_step", peer->in_step);
    sti_json_uint(&j, "rate", peer->rate);
    sti_json_text(&j, "protocol", protocol);
    sti_json_end(&j);
}

stele_code sti_fleet_peers(const struct sti_run *run, stele_error *err)
{
    struct listing l = {.json = run->json};
    stele_node *node = NULL;
    stele_code code = node_of(run, &node, err);

    return code == STELE_OK ? stele_node_peers(node, print_peer, &l, err) : code;
}

stele_code sti_fleet_diff(const struct sti_run *run, stele_error *err)
{
    struct listing l = {.json = run->json, .different_only = true};
    stele_node *node = NULL;
    stele_code code = node_of(run, &node, err);

    code = code == STELE_OK ? stele_node_peers(node, print_peer, &l, err) : code;
    return code == STELE_OK && l.given > 0
                   ? sti_cli_fail(
                             err, STELE_ENOTFOUND, "%" PRIu64 " peers have something else", l.given)
                   : code;
}

/* ---- status. ---- */

static const char *state_of(const stele_node_status *s)
{
    return s->state == STELE_NODE_READY     ? "ready"
           : s->state == STELE_NODE_SYNCING ? "syncing"
                                            : "initialising";
}

static void print_status(bool json, const stele_node_status *s)
{
    const struct {
        const char *name;
        const char *label;
        uint64_t value;
    } list[] = {
            {"server", "server", s->server},
            {"peers", "peers", s->peers},
            {"online", "online", s->online},
            {"sessions", "sessions", s->sessions},
            {"sessions_failed", "failed", s->failed},
            {"fetched", "fetched", s->fetched},
            {"given", "given", s->given},
            {"stored", "stored", s->stored},
            {"known", "known", s->known},
            {"quarantined", "quarantined", s->quarantined},
            {"stale", "stale", s->stale},
            {"refused", "refused", s->refused},
            {"bad_packets", "bad packets", s->bad},
            {"dropped", "dropped", s->dropped},
            {"gaps", "gaps", s->gaps},
            {"snapshots", "snapshots", s->snapshots},
            {"conflicts", "conflicts", s->conflicts},
            {"damaged", "damaged", s->damaged},
            {"lost", "lost", s->lost},
    };
    struct sti_json j = {.to = stdout};

    if (json) {
        j = sti_json_begin(stdout);
        sti_json_text(&j, "state", state_of(s));
    } else {
        sti_row("state", "%s", state_of(s));
    }
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        if (json) {
            sti_json_uint(&j, list[i].name, list[i].value);
        } else {
            sti_row_uint(list[i].label, list[i].value);
        }
    }
    if (json) {
        sti_json_end(&j);
    }
}

stele_code sti_fleet_status(const struct sti_run *run, stele_error *err)
{
    stele_node_status status;
    stele_node *node = NULL;
    stele_code code = node_of(run, &node, err);

    code = code == STELE_OK ? stele_node_get_status(node, &status, err) : code;
    if (code == STELE_OK) {
        print_status(run->json, &status);
    }
    return code;
}
