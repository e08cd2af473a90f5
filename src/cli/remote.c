/* SPDX-License-Identifier: MIT
 *
 * remote.c: sockets, and messages over them.
 */
#include "cli/remote.h"

#include "cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    PATIENCE_S = 30, /* for the other side */
    BACKLOG = 16,
    LENGTH_SIZE = 4
};

/* ---- Sockets. ---- */

stele_code sti_remote_path(const char *db, char out[STI_REMOTE_PATH_SIZE], stele_error *err)
{
    int len = snprintf(out, STI_REMOTE_PATH_SIZE, "%s/node.sock", db);

    return len < 0 || len >= STI_REMOTE_PATH_SIZE
                   ? sti_cli_fail(err, STELE_ETOOBIG, "the path of the database is too long")
                   : STELE_OK;
}

/* A path of a socket takes no more than a hundred bytes: a longer one goes by its directory. */
static stele_code address_of(
        const char *path, struct sockaddr_un *out, int *directory, stele_error *err)
{
    char parent[STI_REMOTE_PATH_SIZE];
    const char *slash = strrchr(path, '/');
    int len;

    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    *directory = -1;
    if (strlen(path) < sizeof out->sun_path) {
        memcpy(out->sun_path, path, strlen(path) + 1);
        return STELE_OK;
    }
    if (slash == NULL || (size_t)(slash - path) >= sizeof parent) {
        return sti_cli_fail(err, STELE_ETOOBIG, "the path of a socket is too long");
    }
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = '\0';
    *directory = open(parent, O_DIRECTORY | O_CLOEXEC);
    if (*directory < 0) {
        return errno == ENOENT ? STELE_OK : sti_cli_fail_errno(err, errno, parent);
    }
    len = snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d%s", *directory, slash);
    return len < (int)sizeof out->sun_path
                   ? STELE_OK
                   : sti_cli_fail(err, STELE_ETOOBIG, "the path of a socket is too long");
}

static void close_directory(int directory)
{
    if (directory >= 0) {
        (void)close(directory);
    }
}

static stele_code be_patient(int fd, stele_error *err)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};

    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0) {
        return sti_cli_fail_errno(err, errno, "a local socket");
    }
    return STELE_OK;
}

/* Who listens has the lock of the database: a socket that is there is of a process that was killed.
 */
static stele_code bind_and_listen(
        int fd, const char *path, const struct sockaddr_un *address, stele_error *err)
{
    mode_t mask;
    int bound;

    if (unlink(path) != 0 && errno != ENOENT) {
        return sti_cli_fail_errno(err, errno, path);
    }
    mask = umask(S_IRWXG | S_IRWXO | S_IXUSR);
    bound = bind(fd, (const struct sockaddr *)address, sizeof *address);
    (void)umask(mask);
    if (bound != 0 || listen(fd, BACKLOG) != 0) {
        return sti_cli_fail_errno(err, errno, path);
    }
    return STELE_OK;
}

stele_code sti_remote_listen(const char *path, int *fd, stele_error *err)
{
    struct sockaddr_un address;
    int directory = -1;
    stele_code code;

    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0) {
        return sti_cli_fail_errno(err, errno, "a local socket");
    }
    code = address_of(path, &address, &directory, err);
    code = code == STELE_OK ? bind_and_listen(*fd, path, &address, err) : code;
    close_directory(directory);
    if (code != STELE_OK) {
        (void)close(*fd);
        *fd = -1;
    }
    return code;
}

stele_code sti_remote_connect(const char *path, int *fd, stele_error *err)
{
    struct sockaddr_un address;
    int directory = -1;
    stele_code code = address_of(path, &address, &directory, err);

    *fd = -1;
    if (code != STELE_OK || address.sun_path[0] == '\0') {
        return code;
    }
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0) {
        code = sti_cli_fail_errno(err, errno, "a local socket");
    } else if (connect(*fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        code = errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR
                       ? STELE_OK
                       : sti_cli_fail_errno(err, errno, path);
        (void)close(*fd);
        *fd = -1;
    } else {
        code = be_patient(*fd, err);
    }
    close_directory(directory);
    return code;
}

void sti_remote_hang_up(int fd)
{
    (void)close(fd);
}

/* ---- Messages. ---- */

static stele_code fail_io(stele_error *err)
{
    if (errno == EAGAIN) {
        return sti_cli_fail(err, STELE_ETIMEDOUT, "nothing came over the local socket");
    }
    return sti_cli_fail_errno(err, errno, "the local socket");
}

static stele_code send_all(int fd, const uint8_t *data, size_t len, stele_error *err)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR) {
            return fail_io(err);
        }
        data += n < 0 ? 0 : n;
        len -= n < 0 ? 0 : (size_t)n;
    }
    return STELE_OK;
}

static stele_code receive_all(int fd, uint8_t *data, size_t len, stele_error *err)
{
    while (len > 0) {
        ssize_t n = recv(fd, data, len, 0);

        if (n == 0) {
            return sti_cli_fail(err, STELE_EIO, "the local socket was closed");
        }
        if (n < 0 && errno != EINTR) {
            return fail_io(err);
        }
        data += n < 0 ? 0 : n;
        len -= n < 0 ? 0 : (size_t)n;
    }
    return STELE_OK;
}

static void encode_length(uint8_t out[LENGTH_SIZE], size_t len)
{
    for (int i = 0; i < LENGTH_SIZE; i++) {
        out[i] = (uint8_t)(len >> (8 * (LENGTH_SIZE - 1 - i)));
    }
}

stele_code sti_remote_send(int fd, stele_bytes message, stele_error *err)
{
    uint8_t length[LENGTH_SIZE];
    stele_code code;

    if (message.len > STI_REMOTE_MAX) {
        return sti_cli_fail(err, STELE_ETOOBIG,
                "%zu bytes are more than the process that has the database open takes",
                message.len);
    }
    encode_length(length, message.len);
    code = send_all(fd, length, sizeof length, err);
    return code == STELE_OK ? send_all(fd, message.data, message.len, err) : code;
}

stele_code sti_remote_receive(int fd, stele_buf *out, stele_error *err)
{
    uint8_t length[LENGTH_SIZE];
    uint8_t piece[1 << 12];
    size_t left = 0;
    stele_code code = receive_all(fd, length, sizeof length, err);

    for (int i = 0; code == STELE_OK && i < LENGTH_SIZE; i++) {
        left = left << 8 | length[i];
    }
    if (left > STI_REMOTE_MAX) {
        return sti_cli_fail(err, STELE_ETOOBIG, "a message of %zu bytes", left);
    }
    while (code == STELE_OK && left > 0) {
        size_t n = left < sizeof piece ? left : sizeof piece;

        code = receive_all(fd, piece, n, err);
        code = code == STELE_OK ? stele_buf_append(out, stele_bytes_of(piece, n), err) : code;
        left -= n;
    }
    return code;
}

stele_code sti_remote_put(stele_buf *out, uint32_t value, int size, stele_error *err)
{
    uint8_t bytes[LENGTH_SIZE];

    encode_length(bytes, value);
    return stele_buf_append(out, stele_bytes_of(bytes + LENGTH_SIZE - size, (size_t)size), err);
}

stele_code sti_remote_put_bytes(stele_buf *out, stele_bytes bytes, stele_error *err)
{
    stele_code code;

    if (bytes.len > STI_REMOTE_MAX) {
        return sti_cli_fail(err, STELE_ETOOBIG, "more than the local socket takes");
    }
    code = sti_remote_put(out, (uint32_t)bytes.len, LENGTH_SIZE, err);
    return code == STELE_OK ? stele_buf_append(out, bytes, err) : code;
}

stele_code sti_remote_take(stele_bytes *rest, int size, uint32_t *value, stele_error *err)
{
    if (rest->len < (size_t)size) {
        return sti_cli_fail(err, STELE_ECORRUPT, "a message that ends too early");
    }
    *value = 0;
    for (int i = 0; i < size; i++) {
        *value = *value << 8 | rest->data[i];
    }
    *rest = stele_bytes_of(rest->data + size, rest->len - (size_t)size);
    return STELE_OK;
}

stele_code sti_remote_take_bytes(stele_bytes *rest, stele_bytes *bytes, stele_error *err)
{
    uint32_t len = 0;
    stele_code code = sti_remote_take(rest, LENGTH_SIZE, &len, err);

    if (code == STELE_OK && len > rest->len) {
        code = sti_cli_fail(err, STELE_ECORRUPT, "a message that ends too early");
    }
    if (code == STELE_OK) {
        *bytes = stele_bytes_of(rest->data, len);
        *rest = stele_bytes_of(rest->data + len, rest->len - len);
    }
    return code;
}

/* ---- Asking. ---- */

static stele_code encode_request(
        int argc, const char *const *argv, stele_bytes input, stele_buf *out, stele_error *err)
{
    stele_code code = sti_remote_put(out, STI_REMOTE_VERSION, 1, err);

    if (argc > STI_REMOTE_WORDS_MAX) {
        return sti_cli_fail(err, STELE_ETOOBIG, "too many arguments");
    }
    code = code == STELE_OK ? sti_remote_put(out, (uint32_t)argc, 2, err) : code;
    for (int i = 0; code == STELE_OK && i < argc; i++) {
        code = sti_remote_put_bytes(out, stele_str(argv[i]), err);
    }
    return code == STELE_OK ? sti_remote_put_bytes(out, input, err) : code;
}

static stele_code print_answer(stele_bytes answer, int *exit_code, stele_error *err)
{
    stele_bytes out = stele_nil();
    stele_bytes errors = stele_nil();
    uint32_t version = 0;
    uint32_t result = 0;
    stele_code code = sti_remote_take(&answer, 1, &version, err);

    if (code == STELE_OK && version != STI_REMOTE_VERSION) {
        code = sti_cli_fail(err, STELE_EVERSION, "another version of the command serves");
    }
    code = code == STELE_OK ? sti_remote_take(&answer, 1, &result, err) : code;
    code = code == STELE_OK ? sti_remote_take_bytes(&answer, &out, err) : code;
    code = code == STELE_OK ? sti_remote_take_bytes(&answer, &errors, err) : code;
    if (code == STELE_OK) {
        (void)fwrite(out.data, 1, out.len, stdout);
        (void)fwrite(errors.data, 1, errors.len, stderr);
        *exit_code = (int)result;
    }
    return code;
}

stele_code sti_remote_run(const char *db, int argc, const char *const *argv, stele_bytes input,
        bool *done, int *exit_code, stele_error *err)
{
    char path[STI_REMOTE_PATH_SIZE];
    stele_buf buf;
    int fd = -1;
    stele_code code = sti_remote_path(db, path, err);

    *done = false;
    code = code == STELE_OK ? sti_remote_connect(path, &fd, err) : code;
    if (code != STELE_OK || fd < 0) {
        return code;
    }
    *done = true;
    stele_buf_init(&buf, SIZE_MAX);
    code = encode_request(argc, argv, input, &buf, err);
    code = code == STELE_OK ? sti_remote_send(fd, stele_buf_view(&buf), err) : code;
    stele_buf_clear(&buf);
    code = code == STELE_OK ? sti_remote_receive(fd, &buf, err) : code;
    code = code == STELE_OK ? print_answer(stele_buf_view(&buf), exit_code, err) : code;
    stele_buf_free(&buf);
    (void)close(fd);
    return code == STELE_OK ? STELE_OK : sti_cli_wrap(err, code, "%s", path);
}
