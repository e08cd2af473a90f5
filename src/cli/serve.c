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
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 3000, /* with who connected, and has to send what he has at once */
    LOG_SIZE = 1024,
    DELETE = 127,
    FILES = 3,
    FAILED_EXIT = 6
};

/* There is one listener in a process, and streams of one process are what requests change. */
static int listener = -1;
static int log_fd = STDERR_FILENO;
static int no_input = -1; /* /dev/null, for requests without */
static sti_serve_where_fn where;

/* Names in it are those of others, who may have put anything there. */
void sti_serve_log(void *arg, stele_log_level level, const char *message)
{
    char text[LOG_SIZE];
    size_t len = 0;

    (void)arg;
    for (; message[len] != '\0' && len < sizeof text - 1; len++) {
        const unsigned char c = (unsigned char)message[len];

        text[len] = c < ' ' || c == DELETE ? '?' : message[len];
    }
    text[len] = '\0';
    if (level <= STELE_LOG_WARN) {
        (void)dprintf(log_fd, "note: %s\n", text);
    }
}

stele_code sti_serve_begin(const char *path, sti_serve_where_fn where_is, stele_error *err)
{
    const int copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, FILES);

    where = where_is;
    no_input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (copy < 0 || no_input < 0) {
        return sti_cli_fail_errno(err, errno, "standard error, or /dev/null");
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
    int input;
    FILE *files[FILES]; /* those of output */
    int saved[FILES];
};

static int stand_in(const struct stand_ins *s, int i)
{
    const int input = s->input >= 0 ? s->input : no_input;

    return i == STDIN_FILENO ? input : fileno(s->files[i]);
}

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

/* Nobody waits for what comes through a pipe. */
static bool is_whole(int input)
{
    struct stat st;

    return fstat(input, &st) == 0 && S_ISREG(st.st_mode);
}

static stele_code open_all(struct stand_ins *s, int input, stele_error *err)
{
    *s = (struct stand_ins){.input = input, .saved = {-1, -1, -1}};
    if (input >= 0 && !is_whole(input)) {
        return sti_cli_fail(err, STELE_EINVAL, "input that is no file");
    }
    for (int i = 0; i < FILES; i++) {
        s->files[i] = i == STDIN_FILENO ? NULL : tmpfile();
        s->saved[i] = fcntl(i, F_DUPFD_CLOEXEC, FILES);
        if ((i != STDIN_FILENO && s->files[i] == NULL) || s->saved[i] < 0) {
            return sti_cli_fail_errno(err, errno, "a temporary file");
        }
    }
    return STELE_OK;
}

static stele_code put_in_place(const struct stand_ins *s, stele_error *err)
{
    (void)fflush(stdout);
    (void)fflush(stderr);
    for (int i = 0; i < FILES; i++) {
        if (dup2(stand_in(s, i), i) < 0) {
            return sti_cli_fail_errno(err, errno, "a temporary file");
        }
    }
    return STELE_OK;
}

static void put_back(const struct stand_ins *s)
{
    (void)fflush(stdout);
    (void)fflush(stderr);
    for (int i = 0; i < FILES; i++) {
        (void)dup2(s->saved[i], i);
    }
    clearerr(stdout);
}

/* ---- A request. ---- */

struct request {
    int argc;
    char *argv[STI_REMOTE_WORDS_MAX + 1];
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
    uint64_t version = 0;
    uint64_t count = 0;
    stele_code code = sti_remote_take(&message, 1, &version, err);

    code = code == STELE_OK ? sti_remote_take(&message, 2, &count, err) : code;
    if (code == STELE_OK &&
            (version != STI_REMOTE_VERSION || count > STI_REMOTE_WORDS_MAX || count == 1)) {
        code = sti_cli_fail(err, STELE_EVERSION, "a request that this version does not know");
    }
    for (uint64_t i = 0; code == STELE_OK && i < count; i++) {
        code = take_word(r, &message, err);
    }
    return code;
}

static stele_code begin_answer(stele_buf *out, int exit_code, stele_error *err)
{
    stele_code code = sti_remote_put(out, STI_REMOTE_VERSION, 1, err);

    return code == STELE_OK ? sti_remote_put(out, (uint64_t)exit_code, 1, err) : code;
}

/* He may be gone. */
static void send_reply(int fd, const stele_buf *reply, struct sti_remote_files files)
{
    stele_error ignored;

    (void)sti_remote_send(fd, stele_buf_view(reply), &files, &ignored);
}

/* Run it, and send what came of it. */
static stele_code run(
        int fd, const struct request *r, int input, stele_buf *reply, stele_error *err)
{
    struct stand_ins s;
    int exit_code = 0;
    stele_code code = open_all(&s, input, err);

    if (code == STELE_OK) {
        code = put_in_place(&s, err);
        exit_code = code == STELE_OK ? sti_command_run(r->argc, r->argv) : 0;
        put_back(&s);
    }
    code = code == STELE_OK ? begin_answer(reply, exit_code, err) : code;
    if (code == STELE_OK) {
        send_reply(fd, reply,
                (struct sti_remote_files){
                        {fileno(s.files[STDOUT_FILENO]), fileno(s.files[STDERR_FILENO])}});
    }
    close_all(&s);
    return code;
}

static stele_code tell_where(int fd, stele_buf *reply, stele_error *err)
{
    struct sti_remote_place place = {.seq = 0};
    stele_code code = where(&place, err);

    code = code == STELE_OK ? begin_answer(reply, 0, err) : code;
    code = code == STELE_OK ? sti_remote_put(reply, place.seq, 8, err) : code;
    code = code == STELE_OK ? sti_remote_put(reply, place.types, 8, err) : code;
    if (code == STELE_OK) {
        send_reply(fd, reply, sti_remote_no_files());
    }
    return code;
}

/* ---- A connection. ---- */

/* The socket's mode keeps others away; this does so where a directory was opened to them. */
static stele_code check_who(int fd, stele_error *err)
{
    struct ucred who = {.uid = (uid_t)-1};
    socklen_t len = sizeof who;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0) {
        return sti_cli_fail_errno(err, errno, "a connection");
    }
    return who.uid == geteuid() || who.uid == 0
                   ? sti_remote_be_patient(fd, PATIENCE_MS, err)
                   : sti_cli_fail(err, STELE_EPERM, "a connection of another user");
}

static void send_failure(int fd, stele_buf *reply, const stele_error *why)
{
    stele_error ignored;
    char text[STELE_ERROR_MESSAGE_SIZE + 16];
    stele_code code;

    (void)snprintf(text, sizeof text, "stele: %s\n", why->message);
    stele_buf_clear(reply);
    code = begin_answer(reply, FAILED_EXIT, &ignored);
    code = code == STELE_OK ? stele_buf_append(reply, stele_str(text), &ignored) : code;
    if (code == STELE_OK) {
        send_reply(fd, reply, sti_remote_no_files());
    }
}

static void answer(int fd)
{
    static struct request r; /* large, and one at a time */
    struct sti_remote_files files = sti_remote_no_files();
    stele_buf message;
    stele_buf reply;
    stele_error err;
    stele_code code = check_who(fd, &err);

    r = (struct request){.argc = 0};
    stele_buf_init(&message, SIZE_MAX);
    stele_buf_init(&reply, SIZE_MAX);
    code = code == STELE_OK ? sti_remote_receive(fd, &message, &files, &err) : code;
    code = code == STELE_OK ? decode(&r, stele_buf_view(&message), &err) : code;
    if (code == STELE_OK) {
        code = r.argc == 0 ? tell_where(fd, &reply, &err) : run(fd, &r, files.fds[0], &reply, &err);
    }
    if (code != STELE_OK) {
        send_failure(fd, &reply, &err);
    }
    sti_remote_close_files(&files);
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
