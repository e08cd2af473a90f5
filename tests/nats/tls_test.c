/* SPDX-License-Identifier: MIT
 *
 * tls_test.c: TLS both ways to a server, and refused to who has no business there.
 *
 * The keys in tls/ are for this test alone.
 */
#include "lib/check.h"
#include "lib/nats_server.h"
#include "nats/node.h"
#include "nats/seen.h"

#include <nats/nats.h>

#define TLS STELE_TESTS_DIR "/nats/tls/"

static struct nats_server server;

static void options(struct node *node, stele_nats_options *opts)
{
    node_options(node, opts, server.url);
    opts->server.tls = true;
    opts->server.tls_with_old_libnats = true;
    opts->server.tls_ca_file = TLS "ca.pem";
    opts->server.tls_cert_file = TLS "client.pem";
    opts->server.tls_key_file = TLS "client.key";
}

static void test_both_ways(void **state)
{
    stele_nats_options opts;
    struct node a;
    struct node b;

    (void)state;
    options(&a, &opts);
    node_start(&a, "a", &opts);
    options(&b, &opts);
    opts.server.tls_hostname = "localhost"; /* another name of the server */
    node_start(&b, "b", &opts);
    seen_await(a.fleet, "b", true);
    CHECK_OK(node_echo(&a, "b", "echo", -1), NULL);
    node_stop(&a);
    node_stop(&b);
}

/* Never connected: it is refused at once, or tried in vain. */
static void refused(const stele_nats_options *opts)
{
    const stele_wait wait = {.timeout_ms = 300};
    stele_fleet *f = NULL;
    stele_error err;
    stele_code rc = stele_nats_open(&f, "c", opts, &err);

    if (rc == STELE_OK) {
        rc = stele_nats_ready(f, &wait, &err);
        stele_fleet_close(f);
    }
    assert_true(rc != STELE_OK);
}

static void test_refused(void **state)
{
    stele_nats_options opts;
    struct node c;

    (void)state;
    options(&c, &opts);
    opts.event = NULL;
    opts.server.tls_ca_file = TLS "other.pem";
    refused(&opts);
    opts.server.tls_ca_file = TLS "ca.pem";
    opts.server.tls_hostname = "elsewhere.example";
    refused(&opts);
    opts.server.tls_hostname = NULL;
    opts.server.tls_cert_file = NULL;
    opts.server.tls_key_file = NULL;
    refused(&opts);
    opts.server.tls_ca_file = TLS "nothing.pem";
    refused(&opts);
    opts.server.tls_ca_file = NULL;
    opts.server.tls = false;
    refused(&opts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_both_ways), cmocka_unit_test(test_refused)};
    int failed;

    nats_server_make(&server, "tls {\n  cert_file: \"" TLS "server.pem\"\n  key_file: \"" TLS
                              "server.key\"\n  ca_file: \"" TLS "ca.pem\"\n  verify: true\n}\n");
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    nats_server_remove(&server);
    nats_CloseAndWait(2000);
    return failed;
}
