/* SPDX-License-Identifier: MIT
 *
 * gather.h: how long who syncs for all waits for others.
 *
 * Threads that write again and again fall into two halves, of which one adds while what the other
 * has added is synced. So a leader gathers: it waits for as many as waited when the last sync
 * ended, those whom that has woken included, but not longer than twice what the sync took. The last
 * of those that it waits for leads in its stead. Where they do not come back, gathering is left out
 * for more and more turns.
 *
 * No lock: the caller's mutex guards it.
 */
#ifndef STI_BASE_GATHER_H
#define STI_BASE_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised is new. */
struct sti_gather {
    size_t waiting;   /* threads whose writes no leader has taken */
    size_t expected;  /* so many may be waiting soon */
    int64_t ended_ns; /* the last sync */
    int64_t took_ns;
    unsigned passes; /* so many turns more are not gathered */
    unsigned misses; /* how many passes the last miss cost */
    bool *gatherer;  /* somebody gathers: true once another one leads. NULL: nobody */
};

enum sti_gather_step {
    STI_GATHER_GO,    /* lead at once */
    STI_GATHER_YIELD, /* after the others had the processor once */
    STI_GATHER_WAIT   /* until *deadline_ns, or until another one leads */
};

/* For who would lead, and nobody gathers. */
enum sti_gather_step sti_gather_begin(struct sti_gather *g, int64_t *deadline_ns);
/* The deadline has passed. */
void sti_gather_missed(struct sti_gather *g);
/* For who was added to `waiting`: whether it leads in the stead of who gathers. */
bool sti_gather_takes_over(struct sti_gather *g);

/* Around a sync: how many it is for; then when it began, and that it has ended. */
size_t sti_gather_take(struct sti_gather *g);
void sti_gather_done(struct sti_gather *g, size_t taken, int64_t began_ns);

#endif /* STI_BASE_GATHER_H */
