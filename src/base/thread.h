/* SPDX-License-Identifier: MIT
 *
 * thread.h: mutexes with ranks, conditions, threads.
 *
 * Clang checks the rules of locks (-Wthread-safety): a function that needs one
 * says so after its parameters, and the build fails if a caller does not hold
 * it. In C, clang cannot name a member in the declaration of another member,
 * so STI_GUARDED_BY() on fields is checked by readers only.
 *
 * A mutex has a rank; a thread takes mutexes in rising order. Debug builds
 * (no NDEBUG) keep the ranks a thread holds and assert it.
 * docs/architecture.md has the table of ranks.
 */
#ifndef STI_BASE_THREAD_H
#define STI_BASE_THREAD_H

#include <stele/env.h>

#include <pthread.h>

#if defined(__clang__)
#define STI_TSA(attribute) __attribute__((attribute))
#else
#define STI_TSA(attribute)
#endif

#define STI_CAPABILITY    STI_TSA(capability("mutex"))
#define STI_ACQUIRES(m)   STI_TSA(acquire_capability(m))
#define STI_RELEASES(m)   STI_TSA(release_capability(m))
#define STI_REQUIRES(m)   STI_TSA(requires_capability(m))
#define STI_EXCLUDES(m)   STI_TSA(locks_excluded(m))
#define STI_NO_TSA        STI_TSA(no_thread_safety_analysis)
#define STI_GUARDED_BY(m) /* documentation */

enum sti_rank {
    STI_RANK_NODE_CORE = 1,      /* the core of a node, during a step */
    STI_RANK_NODE = 2,           /* what the threads of a node hand to each other */
    STI_RANK_FLEET = 3,          /* the peers of a fleet in one process, and their messages */
    STI_RANK_DOCS_LINE = 4,      /* who waits to change documents */
    STI_RANK_DOCS_KINDS = 5,     /* which definitions of types a database knows */
    STI_RANK_DOCS_WORK = 6,      /* what a database's thread is asked for */
    STI_RANK_DOCS_FEED = 7,      /* who waits for changes of a database; its memo */
    STI_RANK_STREAM_DELETE = 10, /* one deletion at a time */
    STI_RANK_STREAM_WRITE = 20,  /* the tail of a stream, and its file */
    STI_RANK_STREAM_SYNC = 30,   /* group commit */
    STI_RANK_STREAM_VIEW = 40,   /* the list of segments */
    STI_RANK_STREAM_LOAD = 50,   /* opening one segment's files */
    STI_RANK_STREAM_WAIT = 60,   /* consumers that wait */
    STI_RANK_STORE_FOLLOW = 61,  /* going to another generation of a store that is only read */
    STI_RANK_STORE_WRITE = 63,   /* who has the right to write, and who commits */
    STI_RANK_STORE_READS = 65,   /* slots of reads, retired views */
    STI_RANK_JOURNAL_STATE = 66, /* moves of a journal's state, one at a time */
    STI_RANK_JOURNAL_MERGE = 68, /* which files a journal has; one merge at a time */
    STI_RANK_STREAM_WORK = 70,   /* the queue of background work */
    STI_RANK_WAL_FILES = 72,     /* which files a log has, and its manifest */
    STI_RANK_WAL_LOAD = 73,      /* opening one segment of a log */
    STI_RANK_WAL_COMMIT = 74,    /* what is pending for the next sync */
    STI_RANK_WAL_VIEW = 76,      /* the list of a log's segments */
    STI_RANK_WAL_WORK = 78,      /* what a log's thread is asked for */
    STI_RANK_JOURNAL_WORK = 79,  /* what a journal's thread is asked for */
    STI_RANK_CANCEL = 80,        /* who listens to a cancel token */
    STI_RANK_LEAF = 100          /* nothing is taken under it */
};

struct STI_CAPABILITY sti_mutex {
    pthread_mutex_t raw;
    int rank;
};

struct sti_cond {
    pthread_cond_t raw; /* on CLOCK_MONOTONIC */
};

stele_code sti_mutex_init(struct sti_mutex *m, int rank, stele_error *err);
void sti_mutex_destroy(struct sti_mutex *m);
void sti_mutex_lock(struct sti_mutex *m) STI_ACQUIRES(*m);
void sti_mutex_unlock(struct sti_mutex *m) STI_RELEASES(*m);

stele_code sti_cond_init(struct sti_cond *c, stele_error *err);
void sti_cond_destroy(struct sti_cond *c);
void sti_cond_signal(struct sti_cond *c);
void sti_cond_broadcast(struct sti_cond *c);
void sti_cond_wait(struct sti_cond *c, struct sti_mutex *m) STI_REQUIRES(*m);

/* False when the time is up: a moment of the system's CLOCK_MONOTONIC, in
 * nanoseconds. INT64_MAX waits for ever. */
bool sti_cond_wait_until(struct sti_cond *c, struct sti_mutex *m, int64_t deadline_ns)
        STI_REQUIRES(*m);

struct sti_thread {
    pthread_t raw;
};

stele_code sti_thread_start(
        struct sti_thread *t, void *(*run)(void *arg), void *arg, stele_error *err);
void sti_thread_join(struct sti_thread *t);
void sti_thread_yield(void);

/* ---- Waiting that can be cancelled. ---- */

/* The moment at which `wait` (may be NULL) is over, for sti_cond_wait_until(). */
int64_t sti_wait_deadline(const stele_wait *wait);

/* Let a cancel token wake `c` until sti_cancel_ignore(), after which it uses
 * neither the listener nor `m` nor `c`. `m`, of a rank below STI_RANK_CANCEL,
 * must not be held by the caller of either: the token takes it to wake `c`.
 * `cancel` may be NULL. */
struct sti_cancel_listener {
    struct sti_cancel_listener *next;
    struct sti_cancel_listener *prev;
    struct sti_mutex *m;
    struct sti_cond *c;
};

void sti_cancel_listen(stele_cancel *cancel, struct sti_cancel_listener *l, struct sti_mutex *m,
        struct sti_cond *c);
void sti_cancel_ignore(stele_cancel *cancel, struct sti_cancel_listener *l);
bool sti_cancel_triggered(const stele_cancel *cancel); /* false for NULL */

/* Sleep; STELE_ECANCELED when the token is triggered, also beforehand. */
stele_code sti_sleep_ms(int64_t ms, stele_cancel *cancel, stele_error *err);

/* CLOCK_MONOTONIC in nanoseconds: for deadlines alone, results never depend on it. */
int64_t sti_monotonic_now_ns(void);

/* The same clock some milliseconds ago at most: as it was at its last tick, for a fraction of the
 * cost. Never ahead of the other. */
int64_t sti_monotonic_tick_ns(void);

#endif /* STI_BASE_THREAD_H */
