/* SPDX-License-Identifier: MIT
 *
 * suite_test.c: the fleet over NATS does what every transport does.
 */
#include <stele/nats.h>

#include "lib/check.h"
#include "lib/fleet_suite.h"
#include "lib/nats_server.h"
#include "nats/seen.h"

#include <stdlib.h>

#include <nats/nats.h>

static struct nats_server server;

static void *begin(void)
{
    struct seen_hub *hub = calloc(1, sizeof *hub);

    assert_non_null(hub);
    return hub;
}

static stele_fleet *join(void *state, const char *name)
{
    stele_nats_options opts;
    stele_fleet *f = NULL;
    stele_error err;

    stele_nats_options_init(&opts);
    opts.server.url = server.url;
    opts.heartbeat_ms = 200;
    CHECK_OK(stele_nats_open(&f, name, &opts, &err), &err);
    CHECK_OK(stele_nats_ready(f, NULL, &err), &err);
    return seen_wrap(state, f);
}

static void end(void *state)
{
    free(state);
}

int main(void)
{
    const struct fleet_suite_factory factory = {
            .name = "nats", .begin = begin, .join = join, .end = end};
    int failed;

    nats_server_make(&server, NULL);
    failed = fleet_suite_run(&factory);
    nats_server_remove(&server);
    nats_CloseAndWait(2000);
    return failed;
}
