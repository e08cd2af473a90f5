/* SPDX-License-Identifier: MIT
 *
 * remote.h: verbs run by the process that has the database open: `stele docs serve`.
 *
 * It listens at "node.sock" in the database's directory, which is for the user alone (0600, and who
 * connects is asked for). A connection carries one request and its answer:
 *
 *     request: 4 length of what follows | 1 version: 1 | 2 n, n words: 4 length, bytes |
 *              4 length of standard input, bytes
 *     answer:  4 length of what follows | 1 version: 1 | 1 exit code |
 *              4 length of standard output, bytes | 4 length of standard error, bytes
 *
 * Integers are big endian. The words are the command line from the area on. Both are of
 * STI_REMOTE_MAX bytes at most.
 */
#ifndef STI_CLI_REMOTE_H
#define STI_CLI_REMOTE_H

#include <stele/bytes.h>

#include "cli/command.h"

#define STI_REMOTE_MAX ((size_t)64 << 20)

enum {
    STI_REMOTE_VERSION = 1,
    STI_REMOTE_WORDS_MAX = 1024,
    STI_REMOTE_PATH_SIZE = 4096
};

/* Where a process listens for a database. STELE_ETOOBIG */
stele_code sti_remote_path(const char *db, char out[STI_REMOTE_PATH_SIZE], stele_error *err);

/* A socket, for listening or connected; -1 in *fd: nobody listens. */
stele_code sti_remote_listen(const char *path, int *fd, stele_error *err);
stele_code sti_remote_connect(const char *path, int *fd, stele_error *err);

void sti_remote_hang_up(int fd);

/* A whole message. STELE_ETOOBIG, STELE_EIO, STELE_ETIMEDOUT. */
stele_code sti_remote_send(int fd, stele_bytes message, stele_error *err);
stele_code sti_remote_receive(int fd, stele_buf *out, stele_error *err);

/* Parts of a message. */
stele_code sti_remote_put(stele_buf *out, uint32_t value, int size, stele_error *err);
stele_code sti_remote_put_bytes(stele_buf *out, stele_bytes bytes, stele_error *err);
/* Behind what was taken. STELE_ECORRUPT */
stele_code sti_remote_take(stele_bytes *rest, int size, uint32_t *value, stele_error *err);
stele_code sti_remote_take_bytes(stele_bytes *rest, stele_bytes *bytes, stele_error *err);

/* Have a command line run where the database is open, if it is. *done says that it was, and
 * *exit_code how it ended; its output has been printed. `input` is its standard input. */
stele_code sti_remote_run(const char *db, int argc, const char *const *argv, stele_bytes input,
        bool *done, int *exit_code, stele_error *err);

#endif /* STI_CLI_REMOTE_H */
