/* SPDX-License-Identifier: MIT
 *
 * serve.c: running the verbs of others.
 */
#include "cli/serve.h"

#include "cli/command.h"
#include "cli/remote.h"
#include "cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    PATIENCE_S = 10, /* with who connected */
    FILES = 3,
    FAILED_EXIT = 6
};

/* There is one listener in a process, and streams of one process are what requests change. */
static int listener = -1;
static int log_fd = STDERR_FILENO;

void sti_serve_log(void *arg, stele_log_level level, const char *message)
{
    (void)arg;
    if (level <= STELE_LOG_WARN) {
        (void)dprintf(log_fd, "note: %s\n", message);
    }
}

stele_code sti_serve_begin(const char *path, stele_error *err)
{
    int copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, FILES);

    if (copy < 0) {
        return sti_cli_fail_errno(err, errno, "standard error");
    }
    log_fd = copy;
    return sti_remote_listen(path, &listener, err);
}

void sti_serve_end(const char *path)
{
    if (listener >= 0) {
        (void)unlink(path);
        (void)close(listener);
        listener = -1;
    }
}

/* ---- Files in place of the three streams. ---- */

struct stand_ins {
    FILE *files[FILES];
    int saved[FILES];
};

static void close_all(struct stand_ins *s)
{
    for (int i = 0; i < FILES; i++) {
        if (s->files[i] != NULL) {
            (void)fclose(s->files[i]);
        }
        if (s->saved[i] >= 0) {
            (void)close(s->saved[i]);
        }
    }
}

static stele_code open_all(struct stand_ins *s, stele_bytes input, stele_error *err)
{
    *s = (struct stand_ins){.saved = {-1, -1, -1}};
    for (int i = 0; i < FILES; i++) {
        s->files[i] = tmpfile();
        s->saved[i] = fcntl(i, F_DUPFD_CLOEXEC, FILES);
        if (s->files[i] == NULL || s->saved[i] < 0) {
            return sti_cli_fail_errno(err, errno, "a temporary file");
        }
    }
    if (fwrite(input.data, 1, input.len, s->files[0]) != input.len || fflush(s->files[0]) != 0 ||
            lseek(fileno(s->files[0]), 0, SEEK_SET) != 0) {
        return sti_cli_fail_errno(err, errno, "a temporary file");
    }
    return STELE_OK;
}

static void put_in_place(const struct stand_ins *s, bool back)
{
    (void)fflush(stdout);
    (void)fflush(stderr);
    for (int i = 0; i < FILES; i++) {
        (void)dup2(back ? s->saved[i] : fileno(s->files[i]), i);
    }
    clearerr(stdout);
}

static stele_code read_back(FILE *file, stele_buf *out, stele_error *err)
{
    uint8_t piece[1 << 12];
    size_t n;
    stele_code code = STELE_OK;

    rewind(file);
    while (code == STELE_OK && (n = fread(piece, 1, sizeof piece, file)) > 0) {
        code = out->len + n > STI_REMOTE_MAX / 2
                       ? sti_cli_fail(err, STELE_ETOOBIG, "more output than a request may have")
                       : stele_buf_append(out, stele_bytes_of(piece, n), err);
    }
    return code;
}

/* ---- A request. ---- */

struct request {
    int argc;
    char *argv[STI_REMOTE_WORDS_MAX + 1];
    stele_bytes input;
};

static void free_words(struct request *r)
{
    for (int i = 0; i < r->argc; i++) {
        free(r->argv[i]);
    }
}

static stele_code take_word(struct request *r, stele_bytes *rest, stele_error *err)
{
    stele_bytes word = stele_nil();
    stele_code code = sti_remote_take_bytes(rest, &word, err);

    if (code == STELE_OK) {
        r->argv[r->argc] = strndup((const char *)word.data, word.len);
        if (r->argv[r->argc] == NULL) {
            return sti_cli_fail(err, STELE_ENOMEM, "no memory for a request");
        }
        r->argc++;
    }
    return code;
}

static stele_code decode(struct request *r, stele_bytes message, stele_error *err)
{
    uint32_t version = 0;
    uint32_t count = 0;
    stele_code code = sti_remote_take(&message, 1, &version, err);

    code = code == STELE_OK ? sti_remote_take(&message, 2, &count, err) : code;
    if (code == STELE_OK &&
            (version != STI_REMOTE_VERSION || count > STI_REMOTE_WORDS_MAX || count < 2)) {
        code = sti_cli_fail(err, STELE_EVERSION, "a request that this version does not know");
    }
    for (uint32_t i = 0; code == STELE_OK && i < count; i++) {
        code = take_word(r, &message, err);
    }
    return code == STELE_OK ? sti_remote_take_bytes(&message, &r->input, err) : code;
}

static stele_code encode(
        stele_buf *out, int exit_code, stele_bytes printed, stele_bytes errors, stele_error *err)
{
    stele_code code = sti_remote_put(out, STI_REMOTE_VERSION, 1, err);

    code = code == STELE_OK ? sti_remote_put(out, (uint32_t)exit_code, 1, err) : code;
    code = code == STELE_OK ? sti_remote_put_bytes(out, printed, err) : code;
    return code == STELE_OK ? sti_remote_put_bytes(out, errors, err) : code;
}

static stele_code run(const struct request *r, stele_buf *answer, stele_error *err)
{
    struct stand_ins s;
    stele_buf printed;
    stele_buf errors;
    int exit_code = 0;
    stele_code code = open_all(&s, r->input, err);

    stele_buf_init(&printed, SIZE_MAX);
    stele_buf_init(&errors, SIZE_MAX);
    if (code == STELE_OK) {
        put_in_place(&s, false);
        exit_code = sti_command_run(r->argc, r->argv);
        put_in_place(&s, true);
        code = read_back(s.files[1], &printed, err);
    }
    code = code == STELE_OK ? read_back(s.files[2], &errors, err) : code;
    code = code == STELE_OK ? encode(answer, exit_code, stele_buf_view(&printed),
                                      stele_buf_view(&errors), err)
                            : code;
    close_all(&s);
    stele_buf_free(&printed);
    stele_buf_free(&errors);
    return code;
}

/* ---- A connection. ---- */

/* The socket's mode keeps others away; this does so where a directory was opened to them. */
static stele_code check_who(int fd, stele_error *err)
{
    struct ucred who = {.uid = (uid_t)-1};
    socklen_t len = sizeof who;
    const struct timeval patience = {.tv_sec = PATIENCE_S};

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0 ||
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0) {
        return sti_cli_fail_errno(err, errno, "a connection");
    }
    return who.uid == geteuid() || who.uid == 0
                   ? STELE_OK
                   : sti_cli_fail(err, STELE_EPERM, "a connection of another user");
}

static void answer(int fd)
{
    static struct request r; /* large, and one at a time */
    stele_buf message;
    stele_buf reply;
    stele_error err;
    stele_code code = check_who(fd, &err);

    r = (struct request){.argc = 0};
    stele_buf_init(&message, SIZE_MAX);
    stele_buf_init(&reply, SIZE_MAX);
    code = code == STELE_OK ? sti_remote_receive(fd, &message, &err) : code;
    code = code == STELE_OK ? decode(&r, stele_buf_view(&message), &err) : code;
    code = code == STELE_OK ? run(&r, &reply, &err) : code;
    if (code != STELE_OK) {
        char text[STELE_ERROR_MESSAGE_SIZE + 16];

        (void)snprintf(text, sizeof text, "stele: %s\n", err.message);
        stele_buf_clear(&reply);
        code = encode(&reply, FAILED_EXIT, stele_empty(), stele_str(text), &err);
    }
    if (code == STELE_OK) {
        (void)sti_remote_send(fd, stele_buf_view(&reply), &err);
    }
    free_words(&r);
    stele_buf_free(&message);
    stele_buf_free(&reply);
}

stele_code sti_serve_one(int timeout_ms, stele_error *err)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};
    int ready = poll(&p, 1, timeout_ms);
    int fd;

    if (ready < 0 && errno != EINTR) {
        return sti_cli_fail_errno(err, errno, "waiting for requests");
    }
    if (ready <= 0) {
        return STELE_OK;
    }
    fd = accept(listener, NULL, NULL);
    if (fd >= 0) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        answer(fd);
        (void)close(fd);
    }
    return STELE_OK;
}
