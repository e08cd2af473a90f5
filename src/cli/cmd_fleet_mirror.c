/* SPDX-License-Identifier: MIT
 *
 * cmd_fleet_mirror.c: `stele fleet mirror`, `stele fleet rebuild`.
 *
 * A signal leaves a word, and a thread that looks for it cancels what waits.
 */
#include "cli/cmd_fleet.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/signals.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum {
    LOOK_MS = 20
};

struct watch {
    stele_cancel *cancel;
    atomic_bool stop;
    pthread_t thread;
    bool started;
};

static void *look_for_signals(void *arg)
{
    const struct timespec nap = {.tv_nsec = LOOK_MS * 1000000L};
    struct watch *w = arg;

    while (!atomic_load(&w->stop) && !sti_signals_came()) {
        (void)nanosleep(&nap, NULL);
    }
    if (sti_signals_came()) {
        stele_cancel_trigger(w->cancel);
    }
    return NULL;
}

static stele_code watch_begin(struct watch *w, stele_error *err)
{
    stele_code code = sti_signals_catch(err);

    w->cancel = NULL;
    w->started = false;
    atomic_init(&w->stop, false);
    if (code == STELE_OK) {
        code = stele_cancel_new(&w->cancel, err);
    }
    if (code == STELE_OK && pthread_create(&w->thread, NULL, look_for_signals, w) != 0) {
        code = sti_cli_fail(err, STELE_ENOMEM, "no thread could be started");
    }
    w->started = code == STELE_OK;
    return code;
}

static void watch_end(struct watch *w)
{
    if (w->started) {
        atomic_store(&w->stop, true);
        (void)pthread_join(w->thread, NULL);
    }
    stele_cancel_free(w->cancel);
}

static void warn(void *arg, const char *text)
{
    (void)arg;
    (void)fprintf(stderr, "stele: %s\n", text);
}

static stele_code mirror_options(const struct sti_fleet_args *args, stele_cancel *cancel,
        char password[STI_LOGIN_PASSWORD_SIZE], stele_nats_mirror_options *out, stele_error *err)
{
    stele_nats_mirror_options_init(out);
    if (args->stream == NULL) {
        return sti_cli_fail(err, STELE_EINVAL, "give --stream NAME");
    }
    out->stream = args->stream;
    out->server.name = "stele";
    out->replicas = args->replicas.given ? (unsigned)args->replicas.value : 0;
    out->follow = args->follow;
    out->patience_ms = args->timeout.given ? sti_ms_of_us(args->timeout.value) : 0;
    out->cancel = cancel;
    out->warn = warn;
    return sti_login_read(&args->login, password, &out->server, err);
}

static stele_code open_stream(
        const struct sti_run *run, bool write, stele_stream **out, stele_error *err)
{
    const struct sti_fleet_args *args = run->args;
    stele_stream_options opts;

    stele_stream_options_init(&opts);
    opts.key_index = args->key_index;
    opts.time_index = args->time_index;
    opts.index_auto = true;
    opts.read_only = !write;
    opts.live = !write;
    opts.create_dirs = write;
    opts.lock_wait_ms = sti_ms_of_us(args->common.lock_wait.value);
    return stele_stream_open(out, run->operands->items[0], &opts, err);
}

static void print_done(const stele_nats_mirrored *done, const char *count_name, bool json)
{
    if (json) {
        struct sti_json j = sti_json_begin(stdout);

        sti_json_int_or_null(&j, "first", done->first);
        sti_json_int_or_null(&j, "last", done->last);
        sti_json_uint(&j, count_name, done->count);
        sti_json_end(&j);
        return;
    }
    sti_row_uint(count_name, done->count);
    if (done->count > 0) {
        sti_row_int("first", done->first);
        sti_row_int("last", done->last);
    }
}

/* A mirror has no end. A stream that is made again is not whole before it has come to its end. */
static stele_code ended_by_signal(bool write, stele_error *err)
{
    return !write ? STELE_OK
                  : sti_cli_fail(err, STELE_ECANCELED,
                            "a signal came before all of the mirror was here: call it again");
}

/* What both verbs do: between opening the stream and closing it, `work` is called. */
static stele_code run_with(const struct sti_run *run, bool write, const char *count_name,
        stele_code (*work)(stele_stream *s, const stele_nats_mirror_options *opts,
                stele_nats_mirrored *out, stele_error *err),
        stele_error *err)
{
    char password[STI_LOGIN_PASSWORD_SIZE];
    stele_nats_mirror_options opts;
    stele_nats_mirrored done = {.count = 0};
    stele_stream *s = NULL;
    struct watch watch;
    stele_code code = watch_begin(&watch, err);

    if (code == STELE_OK) {
        code = mirror_options(run->args, watch.cancel, password, &opts, err);
    }
    if (code == STELE_OK) {
        code = open_stream(run, write, &s, err);
    }
    if (code == STELE_OK) {
        code = work(s, &opts, &done, err);
        if (code == STELE_ECANCELED && sti_signals_came()) {
            code = ended_by_signal(write, err);
        }
        if (code == STELE_OK) {
            code = stele_stream_close(s, err);
        } else {
            (void)stele_stream_close(s, NULL); /* the first failure counts */
        }
    }
    watch_end(&watch);
    if (code == STELE_OK) {
        print_done(&done, count_name, run->json);
    }
    return code;
}

stele_code sti_fleet_mirror(const struct sti_run *run, stele_error *err)
{
    return run_with(run, false, "sent", stele_nats_mirror, err);
}

stele_code sti_fleet_rebuild(const struct sti_run *run, stele_error *err)
{
    return run_with(run, true, "received", stele_nats_rebuild, err);
}
