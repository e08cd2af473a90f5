#include <stele/nats.h>
#include <stele/node.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    stele_nats_options at;
    stele_docs_options opts;
    stele_docs *db = NULL;
    stele_fleet *fleet = NULL;
    stele_node *node = NULL;
    stele_buf lamp;
    stele_error err;

    stele_docs_options_init(&opts);
    opts.create_dirs = true;
    stele_nats_options_init(&at);
    at.fleet = "home";
    at.server.url = argc > 1 ? argv[1] : NULL; /* nats://127.0.0.1:4222 */
    stele_buf_init(&lamp, SIZE_MAX);
    if (stele_docs_open(&db, "hall.db", &opts, &err) != STELE_OK ||
            stele_nats_open(&fleet, "hall", &at, &err) != STELE_OK ||
            stele_node_open(&node, db, fleet, NULL, &err) != STELE_OK ||
            stele_node_wait_ready(node, NULL, &err) != STELE_OK || /* it has what its peers have */
            stele_docs_get(db, stele_str("lamp1"), &lamp, &err) != STELE_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%.*s\n", (int)lamp.len, (const char *)lamp.data);
    stele_buf_free(&lamp);
    stele_node_close(node);
    stele_fleet_close(fleet);
    return stele_docs_close(db, NULL) != STELE_OK;
}
