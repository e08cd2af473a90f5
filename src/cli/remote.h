/* SPDX-License-Identifier: MIT
 *
 * remote.h: verbs run by the process that has the database open: `stele docs serve`.
 *
 * It listens at "node.sock" in the database's directory, which is for the user alone (0600, and who
 * connects is asked for). A connection carries one request and its answer:
 *
 *     request: 4 length of what follows | 1 version: 2 | 2 n, n words: 4 length, bytes
 *     answer:  4 length of what follows | 1 version: 2 | 1 exit code | text, for standard error
 *
 * Integers are big endian. The words are the command line from the area on; the lengths are
 * STI_REMOTE_MAX at most. Files go along, as descriptors: with a request standard input, if it has
 * any, and with an answer standard output and standard error, which are read from their beginning.
 * So they may be of any size, and nobody waits for who reads them slowly.
 *
 * A request without words asks where the database is, and has an answer without files:
 *
 *     answer:  4 length | 1 version: 2 | 1 exit code: 0 | 8 place of the feed | 8 sum of the types
 */
#ifndef STI_CLI_REMOTE_H
#define STI_CLI_REMOTE_H

#include <stele/bytes.h>

#include "cli/command.h"

#define STI_REMOTE_MAX ((size_t)64 << 20)

enum {
    STI_REMOTE_VERSION = 2,
    STI_REMOTE_WORDS_MAX = 1024,
    STI_REMOTE_PATH_SIZE = 4096,
    STI_REMOTE_FILES_MAX = 2
};

/* What goes along with a message; -1 behind the last one. */
struct sti_remote_files {
    int fds[STI_REMOTE_FILES_MAX];
};

/* Where a process listens for a database. STELE_ETOOBIG */
stele_code sti_remote_path(const char *db, char out[STI_REMOTE_PATH_SIZE], stele_error *err);

/* A socket, for listening or connected; -1 in *fd: nobody listens, or not to us. What comes is
 * awaited for `patience_ms`, 0: for ever. */
stele_code sti_remote_listen(const char *path, int *fd, stele_error *err);
stele_code sti_remote_connect(const char *path, int patience_ms, int *fd, stele_error *err);
stele_code sti_remote_be_patient(int fd, int patience_ms, stele_error *err);

/* A whole message. STELE_ETOOBIG, STELE_EIO, STELE_ETIMEDOUT. */
stele_code sti_remote_send(
        int fd, stele_bytes message, const struct sti_remote_files *files, stele_error *err);
/* *files is set, also on failure: sti_remote_close_files(). */
stele_code sti_remote_receive(
        int fd, stele_buf *out, struct sti_remote_files *files, stele_error *err);
struct sti_remote_files sti_remote_no_files(void);
void sti_remote_close_files(struct sti_remote_files *files);

/* Parts of a message. */
stele_code sti_remote_put(stele_buf *out, uint64_t value, int size, stele_error *err);
stele_code sti_remote_put_bytes(stele_buf *out, stele_bytes bytes, stele_error *err);
/* Behind what was taken. STELE_ECORRUPT */
stele_code sti_remote_take(stele_bytes *rest, int size, uint64_t *value, stele_error *err);
stele_code sti_remote_take_bytes(stele_bytes *rest, stele_bytes *bytes, stele_error *err);

/* ---- ask.c ---- */

/* Whether somebody serves the database. */
bool sti_remote_is_served(const char *db);

/* Have a command line run where the database is open, if it is. *done says that it was, and
 * *exit_code how it ended; its output has been printed. `input` is its standard input, -1: none.
 * With `patience_ms` it is not done either if there is no answer in time: for what may be done
 * twice. */
stele_code sti_remote_run(const char *db, int argc, const char *const *argv, int input,
        int patience_ms, bool *done, int *exit_code, stele_error *err);

struct sti_remote_place {
    uint64_t seq;   /* of the feed */
    uint64_t types; /* a sum over their definitions */
};

/* Where the database that is served is; false: it is not served, or nobody answers soon. */
bool sti_remote_where(const char *db, struct sti_remote_place *out);

#endif /* STI_CLI_REMOTE_H */
