/* SPDX-License-Identifier: MIT
 *
 * child.c: work in a process of its own.
 */
#include "cli/child.h"

#include "cli/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- The child. ---- */

static void send_result(int fd, const void *result, size_t size)
{
    const char *data = result;
    size_t sent = 0;

    while (sent < size) {
        const ssize_t n = write(fd, data + sent, size - sent);

        if (n < 0 && errno != EINTR) {
            return;
        }
        sent += n < 0 ? 0 : (size_t)n;
    }
}

static _Noreturn void run(void (*work)(const void *arg, void *result), const void *arg,
        void *result, size_t size, int fd)
{
    static const struct rlimit no_core = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &no_core);
    work(arg, result);
    (void)fflush(stdout);
    send_result(fd, result, size);
    _exit(0);
}

/* ---- The parent. ---- */

/* False: the child ended without a result. */
static bool receive(int fd, void *result, size_t size)
{
    char *data = result;
    size_t got = 0;

    while (got < size) {
        const ssize_t n = read(fd, data + got, size - got);

        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false;
        }
        got += n < 0 ? 0 : (size_t)n;
    }
    return true;
}

static void describe(int status, char how[STI_CHILD_TEXT_SIZE])
{
    if (WIFSIGNALED(status)) {
        (void)snprintf(how, STI_CHILD_TEXT_SIZE, "a damaged page ended the check (signal %d)",
                WTERMSIG(status));
    } else {
        (void)snprintf(how, STI_CHILD_TEXT_SIZE, "a damaged page ended the check (exit code %d)",
                WEXITSTATUS(status));
    }
}

stele_code sti_child_run(void (*work)(const void *arg, void *result), const void *arg, void *result,
        size_t size, bool *died, char how[STI_CHILD_TEXT_SIZE], stele_error *err)
{
    int ends[2];
    int status = 0;
    pid_t pid;

    (void)fflush(stdout);
    if (pipe(ends) != 0) {
        return sti_cli_fail_errno(err, errno, "a pipe");
    }
    pid = fork();
    if (pid == 0) {
        (void)close(ends[0]);
        run(work, arg, result, size, ends[1]);
    }
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        return sti_cli_fail_errno(err, errno, "a process");
    }
    *died = !receive(ends[0], result, size);
    (void)close(ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (*died) {
        describe(status, how);
    }
    return STELE_OK;
}
