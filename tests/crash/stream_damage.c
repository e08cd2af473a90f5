/* SPDX-License-Identifier: MIT
 *
 * stream_damage.c: every bit of a closed stream flipped, every file cut at every byte.
 *
 * Whatever is read then is right, or an error says that it is not: no call may give out
 * a message that was not published so, and one that is missing is missed by
 * stele_stream_check_dir() too. The exception is what the formats do not
 * protect: offset, time and lengths of a message of version 1, where nothing else in the
 * files says otherwise. Those bytes are listed, and nothing else may be.
 *
 * Without STELE_FULL one bit in each seventh byte is flipped.
 */
#include "crash/stream_model.h"
#include "crash/stream_run.h"
#include "crash/stream_workloads.h"
#include "sim/loops.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    MESSAGES = 12,
    ROLLOVER = 300,
    FILE_MAX = 2 << 20,
    QUICK_STRIDE = 7,
    V1_HEADER = 24 /* bytes of a message that its checksum does not cover */
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
    return m->offset >= 0 && m->offset < MESSAGES && model_same(m, model_value(m->offset, 0));
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
    for (int64_t o = 0; o < MESSAGES; o++) {
        int64_t next;
        stele_code rc = stele_stream_get(s, o, ms, NULL);

        take(seen, rc, ms, "get");
        seen->wrong |= rc == STELE_OK && stele_messages_at(ms, 0)->offset != o;
        rc = stele_stream_consume(s, o, MESSAGES, ms, &next, NULL);
        take(seen, rc, ms, "consume");
        if (rc == STELE_OK &&
                (stele_messages_count(ms) == 0 || stele_messages_at(ms, 0)->offset != o)) {
            seen->missing = true;
        }
    }
}

static void read_keys(stele_stream *s, stele_messages *ms, struct seen *seen)
{
    for (int64_t o = 0; o < MESSAGES; o++) {
        struct model_message made;
        int64_t at = STELE_OFFSET_OLDEST;
        int64_t newest = -1;
        stele_code rc = STELE_OK;

        model_make(&made, model_value(o, 0));
        while (rc == STELE_OK) {
            rc = stele_stream_consume_by_key(s, made.message.key, at, MESSAGES, ms, &at, NULL);
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
    for (int64_t o = 0; o < MESSAGES; o++) {
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

/* ---- What is allowed to go unnoticed. ---- */

/* Whether all of a span lies in bytes that version 1 does not protect. */
static bool is_unprotected(const struct model_config *config, const struct sim_span *span)
{
    int64_t offset;
    uint64_t at = 0;

    if (config->version != STELE_STREAM_V1 || strstr(span->name, ".log") == NULL ||
            sscanf(span->name, "%*[^0-9]%020" SCNd64, &offset) < 0 ||
            sscanf(strrchr(span->name, '/') != NULL ? strrchr(span->name, '/') + 1 : span->name,
                    "%020" SCNd64, &offset) != 1) {
        return false;
    }
    while (at <= span->from && offset < MESSAGES) {
        struct model_message made;
        uint64_t size;

        model_make(&made, model_value(offset++, 0));
        size = 28 + made.message.key.len + made.message.value.len;
        if (span->from >= at && span->to <= at + V1_HEADER) {
            return true;
        }
        at += size;
    }
    return false;
}

static int judge(const struct model_config *config, const struct sim_spans *spans, const char *what)
{
    int bad = spans->more > 0;

    for (size_t i = 0; i < spans->count; i++) {
        const struct sim_span *span = &spans->list[i];
        bool allowed = is_unprotected(config, span);

        (void)printf("  %s: %s bytes %" PRIu64 " to %" PRIu64 ", bits %02x: %s\n", what, span->name,
                span->from, span->to - 1, span->bits,
                allowed ? "not protected by version 1" : "UNNOTICED");
        bad |= !allowed;
    }
    return bad;
}

static int damage(const char *name, struct model_config *config)
{
    struct sim_workload workload = {.name = name,
            .arg = config,
            .disk = {.file_max = FILE_MAX},
            .run = fill,
            .check = check,
            .probe = probe};
    struct sim_loop_options options;
    struct sim_report report;
    static struct sim_spans bits;
    static struct sim_spans cuts;
    int bad;

    memset(&bits, 0, sizeof bits);
    memset(&cuts, 0, sizeof cuts);
    sim_loop_options_init(&options);
    options.stride = stream_full() ? 1 : QUICK_STRIDE;
    bad = !sim_bit_loop(&workload, &options, &bits, &report);
    bad |= judge(config, &bits, "flipped");
    bad |= !sim_cut_loop(&workload, &options, &cuts, &report);
    bad |= judge(config, &cuts, "cut");
    return bad;
}

int main(void)
{
    static struct {
        const char *name;
        struct model_config config;
    } all[] = {
            {"damage-v2-both", {.version = STELE_STREAM_V2, .times = true, .keys = true}},
            {"damage-v2-none", {.version = STELE_STREAM_V2}},
            {"damage-v1-both", {.version = STELE_STREAM_V1, .times = true, .keys = true}},
            {"damage-v1-none", {.version = STELE_STREAM_V1}},
    };

    int bad = 0;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        all[i].config.rollover = ROLLOVER;
        bad |= damage(all[i].name, &all[i].config);
    }
    (void)printf(
            "stream damage: %s\n", bad ? "SOMETHING WENT UNNOTICED" : "all noticed that can be");
    return bad;
}
