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
 * A copy is brought up to date from such files, or onto them, and one that is reported as good
 * has to be; the same when a write stores something else than it was given.
 *
 * Without STELE_FULL one bit in each seventh byte is flipped.
 */
#include "crash/stream_probe.h"
#include "crash/stream_workloads.h"
#include "sim/loops.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    QUICK_STRIDE = 7,
    V1_HEADER = 24 /* bytes of a message that its checksum does not cover */
};

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
    while (at <= span->from && offset < STREAM_PROBE_MESSAGES) {
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

struct totals {
    uint64_t flips;
    uint64_t cuts;
    uint64_t unprotected; /* bytes of which a flip is not noticed, nor can be */
    uint64_t unnoticed;   /* spans of other bytes */
};

static void judge(const struct model_config *config, const struct sim_spans *spans,
        const char *what, struct totals *sum)
{
    sum->unnoticed += spans->more;
    for (size_t i = 0; i < spans->count; i++) {
        const struct sim_span *span = &spans->list[i];
        bool allowed = is_unprotected(config, span);

        (void)printf("  %s: %s bytes %" PRIu64 " to %" PRIu64 ", bits %02x: %s\n", what, span->name,
                span->from, span->to - 1, span->bits,
                allowed ? "not protected by version 1" : "UNNOTICED");
        sum->unprotected += allowed ? span->to - span->from : 0;
        sum->unnoticed += allowed ? 0 : 1;
    }
}

static int damage(
        const char *name, const struct model_config *config, bool copy, struct totals *sum)
{
    struct sim_workload workload =
            copy ? stream_copy_workload(name, config) : stream_probe_workload(name, config);
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
    sum->flips += report.runs;
    judge(config, &bits, "flipped", sum);
    bad |= !sim_cut_loop(&workload, &options, &cuts, &report);
    sum->cuts += report.runs;
    judge(config, &cuts, "cut", sum);
    return bad;
}

/* Writes that store something else. */
static int lies(const char *name, const struct model_config *config)
{
    struct sim_workload workload = stream_lie_workload(name, config);
    struct sim_loop_options options;
    struct sim_report report;

    sim_loop_options_init(&options);
    return !sim_lie_loop(&workload, &options, &report);
}

int main(void)
{
    static struct {
        const char *name;
        struct model_config config;
        bool copy;
    } all[] = {
            {"damage-v2-both", {.version = STELE_STREAM_V2, .times = true, .keys = true}, false},
            {"damage-v2-none", {.version = STELE_STREAM_V2}, false},
            {"damage-v1-both", {.version = STELE_STREAM_V1, .times = true, .keys = true}, false},
            {"damage-v1-none", {.version = STELE_STREAM_V1}, false},
            {"damage-v1-lenient",
                    {.version = STELE_STREAM_V1, .times = true, .keys = true, .lenient = true},
                    false},
            {"damage-v1-bare", {.version = STELE_STREAM_V1, .lenient = true, .bare = true}, false},
            {"damage-copy-v2", {.version = STELE_STREAM_V2, .times = true, .keys = true}, true},
    };
    struct model_config written = {.version = STELE_STREAM_V2,
            .times = true,
            .keys = true,
            .no_map = true,
            .rollover = STREAM_PROBE_ROLLOVER};
    struct totals sum = {0};
    int bad = 0;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        all[i].config.rollover = STREAM_PROBE_ROLLOVER;
        bad |= damage(all[i].name, &all[i].config, all[i].copy, &sum);
    }
    bad |= lies("lies-copy-v2", &written);
    (void)printf("stream damage: bits flipped %" PRIu64 ", files cut %" PRIu64
                 ", bytes that version 1 does not protect %" PRIu64 ", unnoticed elsewhere %" PRIu64
                 "\n",
            sum.flips, sum.cuts, sum.unprotected, sum.unnoticed);
    return bad != 0 || sum.unnoticed > 0;
}
