/* SPDX-License-Identifier: MIT
 *
 * link.h: how connections to a server are made, for fleets and mirrors alike.
 *
 * What libnats does by default fails badly for us; link.c says of each setting what it is against.
 */
#ifndef STI_NATS_LINK_H
#define STI_NATS_LINK_H

#include <stele/nats.h>

#include <nats/nats.h>

enum {
    STI_NATS_URL_SIZE = 256 /* as it is shown */
};

/* A copy of what the caller gave, with defaults filled in. */
struct sti_nats_server {
    stele_nats_server given;
    char *strings[11]; /* what it points at */
};

stele_code sti_nats_server_copy(
        struct sti_nats_server *out, const stele_nats_server *server, stele_error *err);
void sti_nats_server_free(struct sti_nats_server *server);

/* The URLs as they can be shown: without users and passwords. */
void sti_nats_server_show(const struct sti_nats_server *server, char out[STI_NATS_URL_SIZE]);

/* Options for a connection, without callbacks: natsOptions_Destroy(). */
stele_code sti_nats_link_options(
        natsOptions **out, const struct sti_nats_server *server, stele_error *err);

/* Connect. */
natsStatus sti_nats_link_connect(
        natsConnection **out, natsOptions *o, const struct sti_nats_server *server);

#endif /* STI_NATS_LINK_H */
