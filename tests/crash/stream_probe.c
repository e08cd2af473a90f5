/* SPDX-License-Identifier: MIT */
#include "crash/stream_probe.h"

#include "crash/stream_run.h"

#include <stdio.h>

enum {
    FILE_MAX = 2 << 20
};

/* What reading a damaged stream came to. */
struct seen {
    bool wrong;
    bool missing;
    bool reported;
    const char *what;
};

static int fill(void *arg, struct sim_world *w)
{
    const struct model_config *config = arg;
    struct stream_run r;

    run_begin(&r, w, config);
    run_open(&r);
    run_publish(&r, 5);
    run_publish(&r, 4);
    run_publish(&r, 3);
    return run_end(&r);
}

/* The loops need a check of the undamaged files: the model's own is in stream_explore. */
static int check(void *arg, struct sim_world *w, uint64_t at_op, const struct sim_notes *notes,
        char *why, size_t why_len)
{
    (void)arg;
    (void)w;
    (void)at_op;
    (void)notes;
    (void)why;
    (void)why_len;
    return 0;
}

static bool is_right(const stele_message *m)
{
    return m->offset >= 0 && m->offset < STREAM_PROBE_MESSAGES &&
           model_same(m, model_value(m->offset, 0));
}

static void take(struct seen *seen, stele_code rc, const stele_messages *ms, const char *what)
{
    if (rc == STELE_OK) {
        for (size_t i = 0; i < stele_messages_count(ms); i++) {
            if (!is_right(stele_messages_at(ms, i))) {
                seen->wrong = true;
                seen->what = what;
            }
        }
    } else if (rc == STELE_ENOTFOUND || rc == STELE_EOFFSET) {
        seen->missing = true;
    } else {
        seen->reported = true;
    }
}

static void read_offsets(stele_stream *s, stele_messages *ms, struct seen *seen)
{
    for (int64_t o = 0; o < STREAM_PROBE_MESSAGES; o++) {
        int64_t next;
        stele_code rc = stele_stream_get(s, o, ms, NULL);

        take(seen, rc, ms, "get");
        seen->wrong |= rc == STELE_OK && stele_messages_at(ms, 0)->offset != o;
        rc = stele_stream_consume(s, o, STREAM_PROBE_MESSAGES, ms, &next, NULL);
        take(seen, rc, ms, "consume");
        if (rc == STELE_OK &&
                (stele_messages_count(ms) == 0 || stele_messages_at(ms, 0)->offset != o)) {
            seen->missing = true;
        }
    }
}

static void read_keys(stele_stream *s, stele_messages *ms, struct seen *seen)
{
    for (int64_t o = 0; o < STREAM_PROBE_MESSAGES; o++) {
        struct model_message made;
        int64_t at = STELE_OFFSET_OLDEST;
        int64_t newest = -1;
        stele_code rc = STELE_OK;

        model_make(&made, model_value(o, 0));
        while (rc == STELE_OK) {
            rc = stele_stream_consume_by_key(
                    s, made.message.key, at, STREAM_PROBE_MESSAGES, ms, &at, NULL);
            take(seen, rc, ms, "consume by key");
            if (rc != STELE_OK || stele_messages_count(ms) == 0) {
                break;
            }
            newest = stele_messages_at(ms, stele_messages_count(ms) - 1)->offset;
        }
        if (rc == STELE_OK && newest < o) {
            seen->missing = true;
        }
        rc = stele_stream_get_by_key(s, made.message.key, ms, NULL);
        take(seen, rc, ms, "get by key");
        if (rc == STELE_OK && stele_messages_at(ms, 0)->offset < o) {
            seen->missing = true;
        }
    }
}

static void read_times(stele_stream *s, stele_messages *ms, struct seen *seen)
{
    for (int64_t o = 0; o < STREAM_PROBE_MESSAGES; o++) {
        struct model_message made;
        stele_code rc;

        model_make(&made, model_value(o, 0));
        rc = stele_stream_get_by_time(s, made.message.time, ms, NULL);
        take(seen, rc, ms, "get by time");
        if (rc == STELE_OK && stele_messages_at(ms, 0)->offset > o) {
            seen->missing = true;
        }
    }
}

static struct seen read_all(const struct model_config *config, struct sim_world *w, bool live)
{
    struct seen seen = {.what = "open"};
    stele_stream_options options;
    stele_messages *ms = NULL;
    stele_stream *s = NULL;
    stele_code rc;

    model_options(config, &w->env, &options);
    options.read_only = !live;
    options.live = live;
    rc = stele_stream_open(&s, MODEL_DIR, &options, NULL);
    rc = rc != STELE_OK ? rc : stele_messages_new(&ms, NULL);
    if (rc != STELE_OK) {
        seen.reported = true;
    } else {
        read_offsets(s, ms, &seen);
        if (config->keys) {
            read_keys(s, ms, &seen);
        }
        if (config->times) {
            read_times(s, ms, &seen);
        }
    }
    stele_messages_free(ms);
    (void)stele_stream_close(s, NULL);
    return seen;
}

static bool check_finds(const struct model_config *config, struct sim_world *w)
{
    stele_stream_options options;

    model_options(config, &w->env, &options);
    return stele_stream_check_dir(MODEL_DIR, &options, false, NULL, NULL, NULL, NULL) != STELE_OK;
}

static enum sim_probe probe(
        void *arg, struct sim_world *w, const struct sim_notes *notes, char *why, size_t why_len)
{
    const struct model_config *config = arg;
    bool found = check_finds(config, w);
    bool reported = found;

    (void)notes;
    for (int live = 0; live < 2; live++) {
        struct seen seen = read_all(config, w, live != 0);

        if (seen.wrong && !(config->version == STELE_STREAM_V1 && found)) {
            (void)snprintf(why, why_len, "%s gives a message that was not published so", seen.what);
            return SIM_PROBE_SILENT;
        }
        if (seen.missing && !seen.reported && !found) {
            (void)snprintf(why, why_len, "a message is missing, and nothing says so");
            return SIM_PROBE_SILENT;
        }
        reported |= seen.reported;
    }
    return reported ? SIM_PROBE_REPORTED : SIM_PROBE_RIGHT;
}

struct sim_workload stream_probe_workload(const char *name, struct model_config *config)
{
    return (struct sim_workload){.name = name,
            .arg = config,
            .disk = {.file_max = FILE_MAX},
            .run = fill,
            .check = check,
            .probe = probe};
}
