/* SPDX-License-Identifier: MIT */
#include "lib/peers.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PIPELINE = 1000,
    START_TRIES = 500
};

struct peer_redis {
    redisContext *c;
    pid_t pid;
    size_t count;
};

static _Noreturn void run_server(const char *dir, const char *socket)
{
    /* It ends with this program, however that ends. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || freopen("/dev/null", "w", stdout) == NULL ||
            freopen("/dev/null", "w", stderr) == NULL) {
        _exit(1);
    }
    (void)execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket, "--dir",
            dir, "--save", "", "--appendonly", "no", "--daemonize", "no", (char *)NULL);
    _exit(127);
}

struct peer_redis *peer_redis_open(const char *dir)
{
    struct peer_redis *r = calloc(1, sizeof *r);
    char socket[BENCH_PATH_SIZE];

    if (r == NULL) {
        bench_die("out of memory");
    }
    /* In /tmp: the path of a socket has to be short. */
    (void)snprintf(socket, sizeof socket, "/tmp/stele-bench-%ld.sock", (long)getpid());
    (void)fflush(stdout);
    r->pid = fork();
    if (r->pid < 0) {
        bench_die("fork: %s", strerror(errno));
    }
    if (r->pid == 0) {
        run_server(dir, socket);
    }
    for (int i = 0; i < START_TRIES; i++) {
        r->c = redisConnectUnix(socket);
        if (r->c != NULL && r->c->err == 0) {
            break;
        }
        redisFree(r->c);
        r->c = NULL;
        (void)usleep(10000);
    }
    (void)unlink(socket);
    if (r->c == NULL) {
        (void)kill(r->pid, SIGKILL);
        bench_die("redis-server does not answer");
    }
    return r;
}

static void replies(struct peer_redis *r, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        redisReply *reply = NULL;

        if (redisGetReply(r->c, (void **)&reply) != REDIS_OK || reply->type == REDIS_REPLY_ERROR) {
            bench_die("Redis: %s", reply != NULL ? reply->str : r->c->errstr);
        }
        freeReplyObject(reply);
    }
}

double peer_redis_fill(struct peer_redis *r, const struct bench_data *data)
{
    double start = bench_now();

    for (size_t i = 0; i < data->count; i++) {
        const char *argv[] = {"XADD", "log", "*", (const char *)bench_key(data, i),
                (const char *)bench_value(data, i)};
        const size_t lens[] = {4, 3, 1, BENCH_KEY_SIZE, BENCH_VALUE_SIZE};

        if (redisAppendCommandArgv(r->c, 5, argv, lens) != REDIS_OK) {
            bench_die("Redis: %s", r->c->errstr);
        }
        if (i % PIPELINE == PIPELINE - 1) {
            replies(r, PIPELINE);
        }
    }
    replies(r, data->count % PIPELINE);
    r->count += data->count;
    return bench_now() - start;
}

double peer_redis_range(struct peer_redis *r, size_t batch)
{
    double start = bench_now();
    char from[64] = "-";
    size_t count = 0;

    for (;;) {
        redisReply *reply =
                redisCommand(r->c, "XRANGE log %s + COUNT %lu", from, (unsigned long)batch);
        size_t n;

        if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
            bench_die("Redis: XRANGE: %s", reply != NULL ? reply->str : r->c->errstr);
        }
        n = reply->elements;
        if (n > 0) {
            (void)snprintf(from, sizeof from, "(%s", reply->element[n - 1]->element[0]->str);
        }
        freeReplyObject(reply);
        if (n == 0) {
            break;
        }
        count += n;
    }
    if (count != r->count) {
        bench_die("Redis: %zu of %zu read", count, r->count);
    }
    return bench_now() - start;
}

size_t peer_redis_count(const struct peer_redis *r)
{
    return r->count;
}

void peer_redis_close(struct peer_redis *r)
{
    redisFree(r->c);
    (void)kill(r->pid, SIGTERM);
    (void)waitpid(r->pid, NULL, 0);
    free(r);
}

double peer_redis_add(const char *dir, const struct bench_data *data)
{
    struct peer_redis *r = peer_redis_open(dir);
    double seconds = peer_redis_fill(r, data);

    peer_redis_close(r);
    return seconds;
}
