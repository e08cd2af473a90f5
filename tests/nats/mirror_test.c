/* SPDX-License-Identifier: MIT
 *
 * mirror_test.c: a stream mirrored to JetStream and made again from there, exactly once, whoever is
 * killed meanwhile.
 *
 * `mirror_test mirror|rebuild URL DIR` is what the tests kill.
 */
#include <stele/nats.h>

#include "lib/check.h"
#include "lib/nats_server.h"
#include "nats/logs.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <nats/nats.h>

static const char stream_name[] = "LOG";

static struct nats_server server;

struct fixture {
    struct tmpdir dir;
    char log_path[TMPDIR_PATH_SIZE];
    char copy_path[TMPDIR_PATH_SIZE];
    stele_stream *log;
    unsigned warnings;
    stele_nats_mirror_options opts;
    stele_nats_mirrored done;
    stele_error err;
};

static void warn(void *arg, const char *text)
{
    unsigned *warnings = arg;

    (*warnings)++;
    assert_true(strstr(text, "synced") != NULL || strstr(text, "the mirror stopped") != NULL);
}

static void begin(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    nats_server_make(&server, NULL);
    tmpdir_make(&f->dir);
    tmpdir_path(&f->dir, "log", f->log_path);
    tmpdir_path(&f->dir, "copy", f->copy_path);
    f->log = logs_open(f->log_path);
    stele_nats_mirror_options_init(&f->opts);
    f->opts.server.url = server.url;
    f->opts.stream = stream_name;
    f->opts.warn = warn;
    f->opts.warn_arg = &f->warnings;
}

static void end(struct fixture *f)
{
    logs_close(f->log);
    tmpdir_remove(&f->dir);
    nats_server_remove(&server);
}

static void mirror(struct fixture *f, unsigned count)
{
    CHECK_OK(stele_nats_mirror(f->log, &f->opts, &f->done, &f->err), &f->err);
    assert_int_equal(f->done.count, count);
}

/* Into a copy that may be there in part, and compared. */
static unsigned rebuild(struct fixture *f, unsigned count)
{
    stele_stream *copy = logs_open(f->copy_path);
    unsigned compared;

    CHECK_OK(stele_nats_rebuild(copy, &f->opts, &f->done, &f->err), &f->err);
    assert_int_equal(f->done.count, count);
    compared = logs_check_equal(f->log, copy);
    logs_close(copy);
    return compared;
}

static void test_mirror(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    mirror(&f, 0);
    assert_int_equal(f.warnings, 1);
    assert_int_equal(f.done.first, STELE_OFFSET_INVALID);
    logs_publish(f.log, 1000);
    mirror(&f, 1000);
    assert_int_equal(f.done.first, 0);
    assert_int_equal(f.done.last, 999);
    mirror(&f, 0);
    assert_int_equal(rebuild(&f, 1000), 1000);
    logs_publish(f.log, 234);
    mirror(&f, 234);
    assert_int_equal(f.done.first, 1000);
    assert_int_equal(rebuild(&f, 234), 1234);
    assert_int_equal(rebuild(&f, 0), 1234);
    end(&f);
}

/* Deleted and trimmed before the first mirror, and between two. */
static void test_gaps(void **state)
{
    stele_offsets *set = NULL;
    struct fixture f;

    (void)state;
    begin(&f);
    logs_publish(f.log, 3000);
    CHECK_OK(stele_offsets_new(&set, &f.err), &f.err);
    for (int64_t i = 500; i < 3000; i += 1 + i % 5) {
        CHECK_OK(stele_offsets_add(set, i, &f.err), &f.err);
    }
    CHECK_OK(stele_stream_delete_multi(f.log, set, NULL, NULL, &f.err), &f.err);
    CHECK_OK(stele_stream_trim_by_offset_multi(f.log, 1501, NULL, NULL, NULL, &f.err), &f.err);
    {
        stele_stream_stats stats;

        CHECK_OK(stele_stream_stat(f.log, &stats, &f.err), &f.err);
        mirror(&f, (unsigned)stats.messages);
        assert_true(f.done.first >= 1501);
        assert_int_equal(rebuild(&f, (unsigned)stats.messages), stats.messages);
    }
    /* What is mirrored may go from the log: the mirror goes on behind it. */
    CHECK_OK(stele_stream_trim_by_offset_multi(f.log, 3000, NULL, NULL, NULL, &f.err), &f.err);
    logs_publish(f.log, 100);
    mirror(&f, 100);
    assert_int_equal(f.done.first, 3000);
    {
        stele_stream *copy = logs_open(f.copy_path);

        CHECK_OK(stele_nats_rebuild(copy, &f.opts, &f.done, &f.err), &f.err);
        assert_int_equal(f.done.count, 100);
        CHECK_OK(stele_stream_trim_by_offset_multi(copy, 3000, NULL, NULL, NULL, &f.err), &f.err);
        assert_int_equal(logs_check_equal(f.log, copy), 100);
        logs_close(copy);
    }
    stele_offsets_free(set);
    end(&f);
}

/* What is not a mirror of this log is left as it is. */
static void test_conflicts(void **state)
{
    char other_path[TMPDIR_PATH_SIZE];
    stele_message big = {.offset = 0};
    stele_stream *other;
    natsConnection *nc = NULL;
    jsCtx *js = NULL;
    jsPubAck *ack = NULL;
    struct fixture f;
    char *data = calloc(1, 2 << 20);

    (void)state;
    begin(&f);
    assert_int_equal(stele_nats_rebuild(f.log, &f.opts, &f.done, &f.err), STELE_ENOTFOUND);
    logs_publish(f.log, 100);
    mirror(&f, 100);
    tmpdir_path(&f.dir, "other", other_path);
    other = logs_open(other_path);
    logs_publish(other, 50);
    CHECK_CODE(stele_nats_mirror(other, &f.opts, &f.done, &f.err), STELE_ECONFLICT);
    big.key = stele_str("another 100th message");
    CHECK_OK(stele_stream_publish(other, &big, 1, NULL, &f.err), &f.err);
    logs_publish(other, 60);
    CHECK_OK(stele_nats_rebuild(f.log, &f.opts, &f.done, &f.err), &f.err);
    CHECK_CODE(stele_nats_rebuild(other, &f.opts, &f.done, &f.err), STELE_ECONFLICT);
    logs_close(other);

    big.key = stele_nil();
    big.value = stele_bytes_of(data, 2 << 20);
    CHECK_OK(stele_stream_publish(f.log, &big, 1, NULL, &f.err), &f.err);
    CHECK_CODE(stele_nats_mirror(f.log, &f.opts, &f.done, &f.err), STELE_ETOOBIG);
    CHECK_MESSAGE_HAS(&f.err, "message 100 has 2097152 bytes");

    assert_int_equal(natsConnection_ConnectTo(&nc, server.url), NATS_OK);
    assert_int_equal(natsConnection_JetStream(&js, nc, NULL), NATS_OK);
    assert_int_equal(js_Publish(&ack, js, "stele.log.LOG", "x", 1, NULL, NULL), NATS_OK);
    jsPubAck_Destroy(ack);
    jsCtx_Destroy(js);
    natsConnection_Destroy(nc);
    CHECK_CODE(stele_nats_mirror(f.log, &f.opts, &f.done, &f.err), STELE_ECONFLICT);
    CHECK_CODE(stele_nats_rebuild(f.log, &f.opts, &f.done, &f.err), STELE_ECORRUPT);
    f.opts.stream = "no.name";
    CHECK_CODE(stele_nats_mirror(f.log, &f.opts, &f.done, &f.err), STELE_EINVAL);
    f.opts.stream = stream_name;
    f.opts.patience_ms = 300; /* only where it is used up: a busy server answers later than that */
    nats_server_stop(&server, SIGTERM);
    CHECK_CODE(stele_nats_mirror(f.log, &f.opts, &f.done, &f.err), STELE_ETIMEDOUT);
    end(&f);
    free(data);
}

static void test_cancel(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    logs_publish(f.log, 10);
    CHECK_OK(stele_cancel_new(&f.opts.cancel, &f.err), &f.err);
    stele_cancel_trigger(f.opts.cancel);
    CHECK_CODE(stele_nats_mirror(f.log, &f.opts, &f.done, &f.err), STELE_ECANCELED);
    f.opts.follow = true;
    mirror(&f, 0);
    stele_cancel_free(f.opts.cancel);
    end(&f);
}

/* ---- Killed. ---- */

static pid_t run_child(const char *what, const char *dir)
{
    char *const argv[] = {(char *)(uintptr_t) "mirror_test", (char *)(uintptr_t)what, server.url,
            (char *)(uintptr_t)dir, NULL};
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent) {
            (void)execv("/proc/self/exe", argv);
        }
        _exit(127);
    }
    return pid;
}

static void kill_child(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int be_child(char **argv)
{
    stele_nats_mirror_options opts;
    stele_stream_options stream_opts;
    stele_nats_mirrored done;
    stele_stream *s = NULL;
    stele_error err = {.code = STELE_OK};
    stele_code rc;
    bool mirrors = strcmp(argv[1], "mirror") == 0;

    stele_nats_mirror_options_init(&opts);
    opts.server.url = argv[2];
    opts.stream = stream_name;
    opts.follow = mirrors;
    stele_stream_options_init(&stream_opts);
    stream_opts.read_only = mirrors;
    stream_opts.live = mirrors;
    stream_opts.create_dirs = !mirrors;
    rc = stele_stream_open(&s, argv[3], &stream_opts, &err);
    rc = rc != STELE_OK ? rc
         : mirrors      ? stele_nats_mirror(s, &opts, &done, &err)
                        : stele_nats_rebuild(s, &opts, &done, &err);
    if (rc != STELE_OK) {
        (void)fprintf(stderr, "%s: %s\n", argv[1], err.message);
    }
    return rc == STELE_OK ? 0 : 1;
}

static uint64_t mirrored_so_far(void)
{
    natsConnection *nc = NULL;
    jsStreamInfo *info = NULL;
    jsCtx *js = NULL;
    uint64_t last = 0;

    if (natsConnection_ConnectTo(&nc, server.url) == NATS_OK &&
            natsConnection_JetStream(&js, nc, NULL) == NATS_OK &&
            js_GetStreamInfo(&info, js, stream_name, NULL, NULL) == NATS_OK) {
        last = info->State.LastSeq;
    }
    jsStreamInfo_Destroy(info);
    jsCtx_Destroy(js);
    natsConnection_Destroy(nc);
    return last;
}

static void await_mirrored(uint64_t count)
{
    while (mirrored_so_far() < count) {
        nats_Sleep(5);
    }
}

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void test_kill(void **state)
{
    unsigned count = getenv("STELE_FULL") == NULL ? 20000 : 200000;
    int64_t began = now_ms();
    int64_t mirrored;
    int status = -1;
    struct fixture f;
    pid_t child;

    (void)state;
    begin(&f);
    logs_publish(f.log, count / 2);
    child = run_child("mirror", f.log_path);
    await_mirrored(count / 8);
    nats_server_stop(&server, SIGKILL);
    nats_server_start(&server);
    await_mirrored(count / 4);
    kill_child(child);
    child = run_child("mirror", f.log_path);
    logs_publish(f.log, count - count / 2);
    await_mirrored(count / 2);
    nats_server_stop(&server, SIGTERM);
    nats_server_start(&server);
    await_mirrored(count / 2 + count / 4);
    kill_child(child);
    f.opts.server.url = server.url;
    CHECK_OK(stele_nats_mirror(f.log, &f.opts, &f.done, &f.err), &f.err);
    mirrored = now_ms();
    assert_int_equal(mirrored_so_far(), count);

    /* The other way, killed as well. */
    child = run_child("rebuild", f.copy_path);
    nats_Sleep(100);
    nats_server_stop(&server, SIGKILL);
    nats_server_start(&server);
    nats_Sleep(100);
    (void)kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    child = run_child("rebuild", f.copy_path);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(rebuild(&f, 0), count);
    print_message(
            "%u messages, the server killed twice and stopped once, the processes killed three "
            "times: mirrored after %lld ms, made again and equal after %lld ms more\n",
            count, (long long)(mirrored - began), (long long)(now_ms() - mirrored));
    end(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mirror), cmocka_unit_test(test_gaps),
            cmocka_unit_test(test_conflicts), cmocka_unit_test(test_cancel),
            cmocka_unit_test(test_kill)};
    int failed;

    if (argc == 4) {
        return be_child(argv);
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    nats_CloseAndWait(2000);
    return failed;
}
