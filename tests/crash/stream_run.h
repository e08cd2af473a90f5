/* SPDX-License-Identifier: MIT
 *
 * stream_run.h: a program that uses a stream as programs do, and writes down what it was promised.
 *
 * Each step notes what it is about to do, does it, and notes what was
 * acknowledged. When a call fails it tries once more; when the handle refuses
 * to write it opens the stream again. The first error is kept and returned at
 * the end: under a fault that is right, without one it is a violation. Steps
 * after one that could not be done in the end do nothing.
 *
 * On the way it tries what must be refused (a second writer, a publish at
 * another offset), keeps messages that were lent to it, and compares what a call
 * says that it did with what the notes say.
 */
#ifndef TESTS_CRASH_STREAM_RUN_H
#define TESTS_CRASH_STREAM_RUN_H

#include "crash/stream_model.h"

struct stream_run {
    struct sim_world *w;
    const struct model_config *config;
    stele_stream *s;
    struct model model;               /* of the notes that were made */
    stele_code first;                 /* the first error */
    stele_error err;                  /* of the last call */
    bool over;                        /* nothing more can be done */
    int wrong;                        /* SIM_WRONG if an answer was */
    bool refused;                     /* the handle refused a publish for want of room */
    uint32_t refusals[MODEL_OFFSETS]; /* attempts of which nothing may be there */
    bool recovered;                   /* nothing was opened since */
    bool lost[MODEL_OFFSETS];         /* as recovery told */
    stele_messages *lent;
    struct model_scan lent_as;
};

void run_begin(struct stream_run *r, struct sim_world *w, const struct model_config *config);
/* Closes what is open; what the workload returns. */
int run_end(struct stream_run *r);

void run_open(struct stream_run *r);
void run_close(struct stream_run *r);
void run_publish(struct stream_run *r, size_t count);
/* At offsets of its own: `gap` behind the next one, and that far from each other. */
void run_publish_given(struct stream_run *r, size_t count, int64_t gap);
void run_sync(struct stream_run *r);
/* Borrow messages from the start of the stream, until the end. */
void run_lend(struct stream_run *r);
/* Let go of maps and indexes. */
void run_gc(struct stream_run *r);
/* With `deferred`: what the thread beside the writer would do next. */
void run_work(struct stream_run *r);

/* Delete the offsets from..to, those that are multiples of `step` from `from` on. */
void run_delete(struct stream_run *r, int64_t from, int64_t to, int64_t step);

/* Delete what a finder finds, in all segments. */
typedef stele_code (*run_finder)(stele_stream *s, int64_t limit, const stele_wait *wait,
        stele_offsets *out, stele_error *err);
typedef stele_code (*run_trimmer)(stele_stream *s, int64_t limit, const stele_wait *wait,
        const stele_backoff *backoff, stele_deleted *deleted, stele_error *err);
void run_trim(struct stream_run *r, run_finder find, run_trimmer trim, int64_t limit);

void run_backup(struct stream_run *r);
void run_recover(struct stream_run *r);
void run_migrate(struct stream_run *r, stele_stream_version version);

#endif /* TESTS_CRASH_STREAM_RUN_H */
