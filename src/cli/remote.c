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
    BACKLOG = 128,
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

/* Who may not connect may still read beside the process that serves. */
static bool is_nobody(int failure)
{
    return failure == ENOENT || failure == ECONNREFUSED || failure == ENOTDIR || failure == EACCES;
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
        return is_nobody(errno) ? STELE_OK : sti_cli_fail_errno(err, errno, parent);
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

stele_code sti_remote_be_patient(int fd, int patience_ms, stele_error *err)
{
    const struct timeval here = {
            .tv_sec = patience_ms / 1000, .tv_usec = patience_ms % 1000 * INT64_C(1000)};
    const struct timeval there = {.tv_sec = PATIENCE_S};

    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &here, sizeof here) != 0 ||
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &there, sizeof there) != 0) {
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

stele_code sti_remote_connect(const char *path, int patience_ms, int *fd, stele_error *err)
{
    struct sockaddr_un address;
    int directory = -1;
    stele_code code = address_of(path, &address, &directory, err);

    *fd = -1;
    if (code != STELE_OK || address.sun_path[0] == '\0') {
        return code;
    }
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    code = *fd < 0 ? sti_cli_fail_errno(err, errno, "a local socket")
                   : sti_remote_be_patient(*fd, patience_ms, err);
    if (code == STELE_OK && connect(*fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        code = is_nobody(errno) ? STELE_OK : sti_cli_fail_errno(err, errno, path);
        (void)close(*fd);
        *fd = -1;
    }
    close_directory(directory);
    return code;
}

/* ---- Files. ---- */

struct sti_remote_files sti_remote_no_files(void)
{
    return (struct sti_remote_files){{-1, -1}};
}

void sti_remote_close_files(struct sti_remote_files *files)
{
    for (int i = 0; i < STI_REMOTE_FILES_MAX; i++) {
        if (files->fds[i] >= 0) {
            (void)close(files->fds[i]);
            files->fds[i] = -1;
        }
    }
}

/* Room for what goes along, aligned. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(STI_REMOTE_FILES_MAX * sizeof(int))];
};

static void attach(struct msghdr *m, union control *control, const struct sti_remote_files *files)
{
    size_t count = 0;
    struct cmsghdr *header;

    while (count < STI_REMOTE_FILES_MAX && files->fds[count] >= 0) {
        count++;
    }
    if (count == 0) {
        return;
    }
    memset(control, 0, sizeof *control);
    m->msg_control = control->bytes;
    m->msg_controllen = CMSG_SPACE(count * sizeof(int));
    header = CMSG_FIRSTHDR(m);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), files->fds, count * sizeof(int));
}

/* The kernel closes what there is no room for. */
static void detach(struct msghdr *m, struct sti_remote_files *files)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(m);
    size_t size;

    if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
        return;
    }
    size = header->cmsg_len - CMSG_LEN(0);
    memcpy(files->fds, CMSG_DATA(header), size < sizeof files->fds ? size : sizeof files->fds);
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

static void encode(uint8_t *out, uint64_t value, int size)
{
    for (int i = 0; i < size; i++) {
        out[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
}

/* The length, with which files go along. */
static stele_code send_length(
        int fd, uint8_t *length, const struct sti_remote_files *files, stele_error *err)
{
    struct iovec piece = {length, LENGTH_SIZE};
    struct msghdr m = {.msg_iov = &piece, .msg_iovlen = 1};
    union control control;
    ssize_t n;

    attach(&m, &control, files);
    do {
        n = sendmsg(fd, &m, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? fail_io(err) : send_all(fd, length + n, LENGTH_SIZE - (size_t)n, err);
}

static stele_code receive_length(
        int fd, uint8_t *length, struct sti_remote_files *files, stele_error *err)
{
    struct iovec piece = {length, LENGTH_SIZE};
    union control control;
    struct msghdr m = {.msg_iov = &piece,
            .msg_iovlen = 1,
            .msg_control = control.bytes,
            .msg_controllen = sizeof control.bytes};
    ssize_t n;

    memset(&control, 0, sizeof control);
    do {
        n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return fail_io(err);
    }
    detach(&m, files);
    return n == 0 ? sti_cli_fail(err, STELE_EIO, "the local socket was closed")
                  : receive_all(fd, length + n, LENGTH_SIZE - (size_t)n, err);
}

stele_code sti_remote_send(
        int fd, stele_bytes message, const struct sti_remote_files *files, stele_error *err)
{
    uint8_t length[LENGTH_SIZE];
    stele_code code;

    if (message.len > STI_REMOTE_MAX) {
        return sti_cli_fail(err, STELE_ETOOBIG,
                "%zu bytes are more than the process that has the database open takes",
                message.len);
    }
    encode(length, message.len, LENGTH_SIZE);
    code = send_length(fd, length, files, err);
    return code == STELE_OK ? send_all(fd, message.data, message.len, err) : code;
}

stele_code sti_remote_receive(
        int fd, stele_buf *out, struct sti_remote_files *files, stele_error *err)
{
    uint8_t length[LENGTH_SIZE];
    uint8_t piece[1 << 12];
    size_t left = 0;
    stele_code code;

    *files = sti_remote_no_files();
    code = receive_length(fd, length, files, err);
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

/* ---- Parts. ---- */

stele_code sti_remote_put(stele_buf *out, uint64_t value, int size, stele_error *err)
{
    uint8_t bytes[sizeof value];

    encode(bytes, value, size);
    return stele_buf_append(out, stele_bytes_of(bytes, (size_t)size), err);
}

stele_code sti_remote_put_bytes(stele_buf *out, stele_bytes bytes, stele_error *err)
{
    stele_code code;

    if (bytes.len > STI_REMOTE_MAX) {
        return sti_cli_fail(err, STELE_ETOOBIG, "more than the local socket takes");
    }
    code = sti_remote_put(out, bytes.len, LENGTH_SIZE, err);
    return code == STELE_OK ? stele_buf_append(out, bytes, err) : code;
}

stele_code sti_remote_take(stele_bytes *rest, int size, uint64_t *value, stele_error *err)
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
    uint64_t len = 0;
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
