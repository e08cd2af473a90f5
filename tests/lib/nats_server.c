/* SPDX-License-Identifier: MIT
 *
 * nats_server.c: a nats-server for a test.
 *
 * The server writes its ports into a file, whose last character is a brace, once it listens.
 */
#include "lib/nats_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *text, const char *more)
{
    (void)fprintf(stderr, "nats_server: %s%s\n", text, more);
    abort();
}

static void nap(void)
{
    const struct timespec ms = {.tv_nsec = 2000000};

    (void)nanosleep(&ms, NULL);
}

static void become_server(const struct nats_server *s, pid_t parent)
{
    char port[16];
    char log[TMPDIR_PATH_SIZE + 16];
    char store[TMPDIR_PATH_SIZE + 16];
    const char *argv[18] = {"nats-server", "-a", s->address == NULL ? "127.0.0.1" : s->address,
            "-p", port, "--ports_file_dir", s->dir.path, "-l", log, NULL};
    size_t count = 9;
    int null = open("/dev/null", O_RDWR);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
    (void)snprintf(port, sizeof port, "%d", s->port);
    (void)snprintf(log, sizeof log, "%s/log", s->dir.path);
    (void)snprintf(store, sizeof store, "%s/js", s->dir.path);
    (void)setenv("STELE_NATS_STORE", store, 1);
    if (s->config[0] != 0) {
        argv[count++] = "-c";
        argv[count++] = s->config;
    }
    if (!s->has_store) {
        argv[count++] = "-js";
        argv[count++] = "-sd";
        argv[count++] = store;
    }
    (void)dup2(null, 0);
    (void)dup2(null, 1);
    (void)dup2(null, 2);
    (void)execvp(argv[0], (char **)(uintptr_t)argv);
    _exit(127);
}

/* None of those that connections get: a server that comes back finds its port free. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int bound = -1;

    while (bound != 0) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        unsigned number = 0;

        if (fd < 0 || getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) {
            die("no socket, or no random number", "");
        }
        address.sin_port = htons((uint16_t)(10000 + number % 20000));
        bound = bind(fd, (const struct sockaddr *)&address, sizeof address);
        (void)close(fd);
    }
    return ntohs(address.sin_port);
}

/* Whether the file of ports is complete. */
static int read_ports(struct nats_server *s)
{
    char name[64];
    size_t len;
    char *text;
    char *at;
    int found = 0;

    (void)snprintf(name, sizeof name, "nats-server_%d.ports", (int)s->pid);
    if (!tmpdir_exists(&s->dir, name)) {
        return 0;
    }
    text = (char *)tmpdir_read(&s->dir, name, &len);
    at = strstr(text, "[\""); /* {"nats":["nats://127.0.0.1:1234"]}, or tls:// */
    if (at != NULL && strchr(text, '}') != NULL) {
        at += 2;
        *strchr(at, '"') = 0;
        (void)snprintf(s->url, sizeof s->url, "%s", at);
        s->port = (int)strtol(strrchr(at, ':') + 1, NULL, 10);
        found = 1;
    }
    free(text);
    return found;
}

void nats_server_start(struct nats_server *s)
{
    pid_t self = getpid();

    s->port = s->port == 0 ? free_port() : s->port;
    s->pid = fork();
    if (s->pid == 0) {
        become_server(s, self);
    }
    if (s->pid < 0) {
        die("no process", "");
    }
    while (!read_ports(s)) {
        if (waitpid(s->pid, NULL, WNOHANG) == s->pid) {
            die("it did not start (is nats-server installed?), see ", s->dir.path);
        }
        nap();
    }
}

void nats_server_make(struct nats_server *s, const char *config)
{
    nats_server_make_at(s, NULL, config);
}

void nats_server_make_at(struct nats_server *s, const char *address, const char *config)
{
    memset(s, 0, sizeof *s);
    s->address = address;
    tmpdir_make(&s->dir);
    if (config != NULL) {
        s->has_store = strstr(config, "store_dir") != NULL;
        tmpdir_write(&s->dir, "server.conf", config, strlen(config));
        tmpdir_path(&s->dir, "server.conf", s->config);
    }
    nats_server_start(s);
}

void nats_server_stop(struct nats_server *s, int signal)
{
    if (s->pid > 0) {
        (void)kill(s->pid, signal);
        (void)waitpid(s->pid, NULL, 0);
        s->pid = 0;
    }
}

void nats_server_remove(struct nats_server *s)
{
    nats_server_stop(s, SIGKILL);
    tmpdir_remove(&s->dir);
}
