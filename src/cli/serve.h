/* SPDX-License-Identifier: MIT
 *
 * serve.h: running the verbs of others, in the process that has the database open.
 *
 * Requests are run one after the other, by the thread that listens, with files in place of standard
 * input, output and error. What other threads have to say meanwhile goes to sti_serve_log().
 */
#ifndef STI_CLI_SERVE_H
#define STI_CLI_SERVE_H

#include <stele/env.h>

#include "cli/remote.h"

/* Where the database is, for who reads beside. */
typedef stele_code (*sti_serve_where_fn)(struct sti_remote_place *out, stele_error *err);

/* Listen at a path. */
stele_code sti_serve_begin(const char *path, sti_serve_where_fn where_is, stele_error *err);

/* Wait for a request, so long at most or until a signal comes, and run it. What is wrong with one
 * is told to who sent it, and is no failure. */
stele_code sti_serve_one(int timeout_ms, stele_error *err);

/* Remove the socket. */
void sti_serve_end(const char *path);

/* A stele_env.log: to standard error as it was at the beginning. */
void sti_serve_log(void *arg, stele_log_level level, const char *message);

#endif /* STI_CLI_SERVE_H */
