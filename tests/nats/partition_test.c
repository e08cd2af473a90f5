/* SPDX-License-Identifier: MIT
 *
 * partition_test.c: a network that swallows everything without a word, and heals.
 *
 * The server and the peer a are in one network namespace, the peer b is in another one, with a wire
 * between them of which one end is taken down: no packet comes through, and nobody is told. Where
 * no namespaces can be had the test is skipped, and it says so.
 */
#include "lib/check.h"
#include "lib/nats_server.h"
#include "nats/node.h"
#include "nats/seen.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <nats/nats.h>

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void nap_ms(int64_t ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&t, NULL);
}

static bool run(const char *command)
{
    return system(command) == 0;
}

static void start(struct node *node, const char *name, const char *url)
{
    stele_nats_options opts;

    node_options(node, &opts, url);
    opts.server.ping_ms = 300;
    opts.server.connect_ms = 500;
    opts.silent_ms = 1000;
    node_start(node, name, &opts);
}

/* The other namespace, with the peer b until the pipe is closed. Each side writes a byte when the
 * other may go on. */
static void be_far(int from_near, int to_near)
{
    struct node b;
    char url[64] = "";
    char c = 'x';

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (unshare(CLONE_NEWNET) != 0) {
        c = 'n';
    }
    if (write(to_near, &c, 1) != 1 || read(from_near, url, sizeof url - 1) <= 0) {
        _exit(1);
    }
    if (!run("ip link set lo up && ip addr add 10.77.0.2/24 dev stele1 && ip link set stele1 up")) {
        _exit(1);
    }
    start(&b, "b", url);
    if (write(to_near, &c, 1) != 1) {
        _exit(1);
    }
    (void)!read(from_near, &c, 1);
    node_stop(&b);
    _exit(0);
}

struct far_side {
    pid_t pid;
    int to;
    int from;
};

/* Two namespaces and a wire. False: not here. */
static bool make_far(struct far_side *far)
{
    char command[128];
    char c = 'n';
    int down[2];
    int up[2];

    if (unshare(CLONE_NEWNET) != 0 || !run("ip link set lo up 2>/dev/null") ||
            pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0) {
        return false;
    }
    far->pid = fork();
    if (far->pid == 0) {
        close(down[1]);
        close(up[0]);
        be_far(down[0], up[1]);
    }
    close(down[0]);
    close(up[1]);
    far->to = down[1];
    far->from = up[0];
    if (far->pid < 0 || read(far->from, &c, 1) != 1 || c != 'x') {
        return false;
    }
    (void)snprintf(command, sizeof command,
            "ip link add stele0 type veth peer name stele1 netns %d 2>/dev/null", (int)far->pid);
    return run(command) && run("ip addr add 10.77.0.1/24 dev stele0 && ip link set stele0 up");
}

static void partition(struct far_side *far, const char *url)
{
    int64_t duration_ms = getenv("STELE_FULL") == NULL ? 2500 : 20000;
    stele_code during;
    int64_t began;
    int64_t noticed;
    int64_t healed;
    struct node a;
    char c;

    assert_true(write(far->to, url, strlen(url)) == (ssize_t)strlen(url));
    start(&a, "a", url);
    assert_int_equal(read(far->from, &c, 1), 1);
    seen_await(a.fleet, "b", true);
    CHECK_OK(node_echo(&a, "b", "echo", -1), NULL);
    assert_true(run("ip link set stele0 down"));
    began = now_ms();
    during = node_echo(&a, "b", "echo", -1);
    assert_true(during == STELE_ENOPEER || during == STELE_ETIMEDOUT);
    node_await_event(&a, STELE_NATS_PEER_DOWN, 1);
    noticed = now_ms() - began;
    assert_false(seen_online(a.fleet, "b"));
    nap_ms(duration_ms - noticed > 0 ? duration_ms - noticed : 0);
    assert_true(run("ip link set stele0 up"));
    began = now_ms();
    seen_await(a.fleet, "b", true);
    while (node_echo(&a, "b", "again", 500) != STELE_OK) {
    }
    healed = now_ms() - began;
    print_message("a partition of %lld ms: noticed after %lld ms, answers again %lld ms after it\n",
            (long long)duration_ms, (long long)noticed, (long long)healed);
    node_stop(&a);
}

static void test_partition(void **state)
{
    struct far_side far = {.pid = 0};
    struct nats_server server;
    char url[64];
    int status = -1;

    (void)state;
    if (!make_far(&far)) {
        print_message("SKIPPED, 1 partition: no network namespaces can be had here\n");
        if (far.pid > 0) {
            (void)kill(far.pid, SIGKILL);
            (void)waitpid(far.pid, NULL, 0);
        }
        skip();
        return;
    }
    nats_server_make_at(&server, "10.77.0.1", "ping_interval: \"300ms\"\nping_max: 2\n");
    (void)snprintf(url, sizeof url, "nats://10.77.0.1:%d", server.port);
    partition(&far, url);
    close(far.to);
    assert_int_equal(waitpid(far.pid, &status, 0), far.pid);
    assert_int_equal(status, 0);
    close(far.from);
    nats_server_remove(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_partition)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    nats_CloseAndWait(2000);
    return failed;
}
