/* SPDX-License-Identifier: MIT
 *
 * nats_server.h: a nats-server for a test, which ends with it.
 *
 * That there is none on this machine is a failure: tools/setup.sh installs it.
 */
#ifndef TESTS_LIB_NATS_SERVER_H
#define TESTS_LIB_NATS_SERVER_H

#include "lib/tmpdir.h"

#include <sys/types.h>

struct nats_server {
    pid_t pid; /* 0: not running */
    int port;  /* chosen at the first start, and kept */
    char url[64];
    char config[TMPDIR_PATH_SIZE]; /* "": none */
    bool has_store;                /* its configuration names $STELE_NATS_STORE for JetStream */
    const char *address;           /* NULL: 127.0.0.1 */
    struct tmpdir dir;             /* its files, also those of JetStream */
};

/* A directory, and a running server. `config` (may be NULL) is the text of its configuration. */
void nats_server_make(struct nats_server *s, const char *config);
/* The same at another address; NULL: 127.0.0.1. */
void nats_server_make_at(struct nats_server *s, const char *address, const char *config);
/* Stop it, and remove its files. */
void nats_server_remove(struct nats_server *s);

/* Again, on the same port and files. */
void nats_server_start(struct nats_server *s);
/* SIGTERM or SIGKILL; returns when it has ended. */
void nats_server_stop(struct nats_server *s, int signal);

#endif /* TESTS_LIB_NATS_SERVER_H */
