/* SPDX-License-Identifier: MIT
 *
 * wal_model.h: what must hold of a log's files after a crash, a fault or damage.
 *
 * A workload appends records whose whole content is made from one number, the value: the id
 * that the record has, and how often that id was tried before (its generation). It notes each
 * value as an intent before the call and as an acknowledgement after it (explore.h), and so
 * truncations and trims. From the notes alone the model tells which ids must be there, which
 * may, and with which bytes.
 *
 * What was read is durable as well: who opens a log and reads it notes all that is there as
 * acknowledged, and a truncation behind it. So nothing that was once gone may come back.
 */
#ifndef TESTS_CRASH_WAL_MODEL_H
#define TESTS_CRASH_WAL_MODEL_H

#include <stele/wal.h>

#include "crash/why.h"
#include "sim/explore.h"

#define WMODEL_DIR "/log"

enum {
    WMODEL_IDS = 320,       /* a workload's ids are below, from 1 on */
    WMODEL_ATTEMPTS = 64,   /* and it tries each less often */
    WMODEL_DATA_MAX = 2048, /* bytes */
    WMODEL_WHY = 256
};

/* `what` of the notes. */
enum wmodel_note {
    WMODEL_APPEND,   /* a value */
    WMODEL_TRUNCATE, /* the last id to keep */
    WMODEL_TRIM,     /* the last id to discard */
    WMODEL_MIGRATE,  /* the format; acknowledged: the files have it */
    WMODEL_RECOVER,  /* acknowledged: done; else it is to be done again before the log is opened */
    WMODEL_CLOSE     /* acknowledged: nothing is in doubt, and no open changes anything */
};

/* How a workload opens its log, and what else differs between workloads. */
struct wmodel_config {
    stele_wal_format format;
    uint64_t segment_size;
    bool no_map;
    bool no_recycle;
    bool large;    /* records of some hundred bytes, so that a few fill a segment */
    bool migrates; /* the format of the files is not known */
    bool recover;  /* the directory is recovered before it is opened */
    bool full;     /* the disk is small: STELE_ENOSPC is right */
};

void wmodel_options(
        const struct wmodel_config *config, const stele_env *env, stele_wal_options *options);

/* ---- Records. ---- */

static inline uint64_t wmodel_value(uint64_t id, unsigned attempt)
{
    return id * WMODEL_ATTEMPTS + attempt;
}

struct wmodel_record {
    stele_wal_record record; /* lies below */
    uint8_t data[WMODEL_DATA_MAX];
};

void wmodel_make(const struct wmodel_config *config, struct wmodel_record *out, uint64_t value);

/* ---- What the notes say. ---- */

struct wmodel_id {
    uint64_t tried; /* a bit for each attempt that was intended */
    uint64_t dead;  /* a bit for each that must not be there any more */
    int8_t acked;   /* the attempt that was acknowledged last, or -1 */
    bool may_go;    /* a truncation of it was intended */
};

struct wmodel {
    const struct wmodel_config *config;
    struct wmodel_id ids[WMODEL_IDS];
    uint64_t limit;   /* above all that was ever tried */
    uint64_t trim;    /* those up to here may be gone */
    int64_t migrated; /* format, or -1 */
    bool recovering;  /* a recovery was begun and not ended */
    bool closed;      /* and nothing was intended since */
};

void wmodel_init(struct wmodel *m, const struct wmodel_config *config);
void wmodel_add(struct wmodel *m, const struct sim_note *note);
void wmodel_of_notes(
        struct wmodel *m, const struct wmodel_config *config, const struct sim_notes *notes);

/* The first attempt for an id that nobody made yet. */
unsigned wmodel_next_attempt(const struct wmodel *m, uint64_t id);

/* Whether any record has to be there. */
bool wmodel_must_hold(const struct wmodel *m);

/* ---- Judging. 0, 1 for a wrong answer, or the negative code of an error. ---- */

/* All that a log holds. */
struct wmodel_scan {
    uint64_t values[WMODEL_IDS]; /* of the records, with consecutive ids */
    size_t count;
};

static inline uint64_t wmodel_first(const struct wmodel_scan *s)
{
    return s->count == 0 ? 0 : s->values[0] / WMODEL_ATTEMPTS;
}

static inline uint64_t wmodel_last(const struct wmodel_scan *s)
{
    return s->count == 0 ? 0 : s->values[s->count - 1] / WMODEL_ATTEMPTS;
}

bool wmodel_scans_equal(const struct wmodel_scan *a, const struct wmodel_scan *b);

/* Read everything with an iterator. Each record must be one that may be there. */
int wmodel_read(stele_wal *wal, const struct wmodel *m, struct wmodel_scan *out,
        const struct crash_why *why);

/* What was acknowledged is there. */
int wmodel_check_kept(
        const struct wmodel *m, const struct wmodel_scan *scan, const struct crash_why *why);

/* First and last id, reading by id and statistics agree with the scan. */
int wmodel_check_queries(stele_wal *wal, const struct wmodel *m, const struct wmodel_scan *scan,
        const struct crash_why *why);

#endif /* TESTS_CRASH_WAL_MODEL_H */
