/* SPDX-License-Identifier: MIT
 *
 * stream_model.h: what must hold of a stream's files after a crash, a fault or damage.
 *
 * A workload publishes messages whose whole content is made from one number,
 * the value: the offset that the message should get, and how often that was
 * tried before. It notes each value as an intent before the call and as an
 * acknowledgement after it (explore.h). From the notes alone the model tells
 * which offsets must be there, which may, and with which bytes.
 *
 * Everything here compares the stream with the notes and with itself: what
 * consume returns is the plain scan, and all other calls must agree with it.
 */
#ifndef TESTS_CRASH_STREAM_MODEL_H
#define TESTS_CRASH_STREAM_MODEL_H

#include <stele/stream.h>

#include "crash/why.h"
#include "sim/explore.h"

#define MODEL_DIR    "/data"
#define MODEL_TARGET "/backup"

enum {
    MODEL_OFFSETS = 240,   /* a workload's offsets are below */
    MODEL_ATTEMPTS = 16,   /* and it tries each less often */
    MODEL_ASIDE = 24,      /* quarantine files */
    MODEL_VALUE_MAX = 1024 /* bytes */
};

/* `what` of the notes. */
enum model_note {
    MODEL_PUBLISH,  /* a value; acknowledged: visible */
    MODEL_DURABLE,  /* acknowledged: offsets below this one survive, and are not given again */
    MODEL_DELETE,   /* an offset */
    MODEL_LOST,     /* an intent: setup() damaged the message of this offset */
    MODEL_DAMAGED,  /* an intent: the same; what was not changed of its bytes stays in the files */
    MODEL_MIGRATED, /* acknowledged: all segments are in this version */
    MODEL_BACKUP,   /* acknowledged: the target holds what was visible below this offset */
    MODEL_REFUSED,  /* a value; acknowledged: it was not published and is not there */
    MODEL_SHOWN,    /* an offset that the files show; acknowledged: it is not given again */
    MODEL_SEEN,     /* an intent: a whole message of this offset is in the files */
    MODEL_KEPT      /* acknowledged: a quarantine file of this name and content is there */
};

/* How a workload opens its stream, and what else differs between workloads. */
struct model_config {
    stele_stream_version version;
    bool times;
    bool keys;
    bool auto_sync;
    bool no_map;
    bool deferred; /* segments are sealed behind the writer, step by step */
    bool keep_version;
    bool eager_migrate;
    bool recover; /* the directory is recovered before it is opened */
    bool lenient; /* damage: what version 1 cannot protect may be changed */
    bool bare;    /* damage: without indexes, as when logs alone were copied */
    int64_t rollover;
};

void model_options(
        const struct model_config *config, const stele_env *env, stele_stream_options *options);

/* ---- Messages. ---- */

static inline uint64_t model_value(int64_t offset, unsigned attempt)
{
    return (uint64_t)offset * MODEL_ATTEMPTS + attempt;
}

struct model_message {
    stele_message message; /* lies in the two below */
    char key[8];
    uint8_t value[MODEL_VALUE_MAX];
};

void model_make(struct model_message *out, uint64_t value);

/* Whether a message that was read is that of this value. */
bool model_same(const stele_message *read, uint64_t value);

/* ---- What the notes say. ---- */

struct model_offset {
    uint32_t tried;   /* a bit for each attempt that was intended */
    uint32_t visible; /* a bit for each that was acknowledged */
    uint32_t refused; /* a bit for each that must not be there */
    bool may_go;      /* its deletion was intended, or it was damaged */
    bool gone;        /* its deletion was acknowledged */
    bool damaged;
    bool seen; /* whole in a file */
};

struct model {
    struct model_offset offsets[MODEL_OFFSETS];
    int64_t limit;    /* above all that was ever tried */
    int64_t durable;  /* those below that were acknowledged must be there */
    int64_t backup;   /* -1: none was acknowledged */
    int64_t migrated; /* version, or -1 */
    int64_t shown;    /* the highest offset that must not be given again; or -1 */
    bool rewrites;    /* segments may have been rewritten */
    uint64_t aside[MODEL_ASIDE];
    size_t aside_count;
};

void model_init(struct model *m);
void model_add(struct model *m, const struct sim_note *note);
void model_of_notes(struct model *m, const struct sim_notes *notes);

/* Whether a message that was read is one that was tried, and which; its offset is below the limit.
 */
bool model_finds(const struct model *m, const stele_message *read, uint64_t *value);

/* The first attempt for an offset that nobody made yet. */
unsigned model_next_attempt(const struct model *m, int64_t offset);

/* ---- Judging. 0, 1 for a wrong answer, or the negative code of an error. ---- */

/* All that a stream holds, read by consume. */
struct model_scan {
    uint64_t values[MODEL_OFFSETS];
    size_t count;
    int64_t next;
};

/* Read everything; each message must be one that was tried. */
int model_read(stele_stream *s, const struct model *m, struct model_scan *out,
        const struct crash_why *why);

/* What was acknowledged is there, and what was deleted is not. */
int model_check_kept(
        const struct model *m, const struct model_scan *scan, const struct crash_why *why);

/* Get, look-ups and statistics agree with the scan. */
int model_check_queries(stele_stream *s, const struct model_config *config, const struct model *m,
        const struct model_scan *scan, const struct crash_why *why);

bool model_scans_equal(const struct model_scan *a, const struct model_scan *b);

#endif /* TESTS_CRASH_STREAM_MODEL_H */
