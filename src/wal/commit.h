/* SPDX-License-Identifier: MIT
 *
 * commit.h: group commit: many callers, one write and one sync.
 *
 * Callers add encoded bytes to a buffer that is pending, and get a ticket. One of those that wait
 * becomes the leader: it waits for a moment, so that others can join (base/gather.h), takes the
 * buffer that is pending (an empty one takes its place), has it written and synced by the owner's
 * write(), and wakes those whose ticket is done. There is one leader at a time; whoever else needs
 * the file for itself (a rollover, a truncation) becomes leader, too: sti_commit_enter().
 *
 * If write() fails, everything pending fails with it, since it was to follow: their tickets get
 * the error. What happens then is the owner's matter (see sti_commit_ops.failed).
 *
 * The module knows nothing of segments: the journal uses it on its own files.
 */
#ifndef STI_WAL_COMMIT_H
#define STI_WAL_COMMIT_H

#include <stele/bytes.h>

#include "base/thread.h"

struct sti_commit;

struct sti_commit_ops {
    /* Write and sync these bytes. No lock is held; the caller is the leader. */
    stele_code (*write)(void *arg, const uint8_t *data, size_t len, stele_error *err);
    /* Publish what was written, which was so many appends. The commit mutex is held. May be NULL.
     */
    void (*done)(void *arg, size_t len, size_t appends);
    /* write() failed, and all that was pending is dropped. The commit mutex is held: put what the
     * encoding of the next bytes builds on back to what is published. May be NULL. */
    void (*failed)(void *arg, stele_code code);
};

stele_code sti_commit_new(
        struct sti_commit **out, const struct sti_commit_ops *ops, void *arg, stele_error *err);
void sti_commit_free(struct sti_commit *c); /* what is pending is lost; accepts NULL */

/* The mutex, of rank STI_RANK_WAL_COMMIT. */
void sti_commit_lock(struct sti_commit *c);
void sti_commit_unlock(struct sti_commit *c);
/* The same, to encode and add: waits as long as somebody has the file for itself. */
void sti_commit_lock_to_add(struct sti_commit *c);

/* Under the mutex: room for `len` bytes at the end of the pending buffer, to be filled at once.
 * NULL when there is no memory; nothing has changed then. */
uint8_t *sti_commit_reserve(struct sti_commit *c, size_t len, stele_error *err);
/* Under the mutex: what was reserved is one append; its ticket. Of no bytes: done with what is
 * before it. */
uint64_t sti_commit_add(struct sti_commit *c, size_t len);
size_t sti_commit_pending(const struct sti_commit *c); /* bytes, under the mutex */
uint64_t sti_commit_last(const struct sti_commit *c);  /* ticket given last, under the mutex */

/* Without the mutex. Wait, leading if nobody does, until the ticket is done; its result. Of very
 * many failures the oldest are told apart no more from the appends between them. A ticket that was
 * not given is STELE_EINVAL. */
stele_code sti_commit_wait(
        struct sti_commit *c, uint64_t ticket, const stele_wait *wait, stele_error *err);
/* Wait until all that is pending now is done, leading if nobody does; the results are for those who
 * wait for their tickets. */
void sti_commit_flush(struct sti_commit *c);
/* The highest ticket up to which all are done. */
uint64_t sti_commit_done(struct sti_commit *c);

/* Become the leader with nothing pending: what was is written first (if that fails, its waiters
 * hear of it, and this still succeeds). Until sti_commit_leave() nothing is written, and callers
 * that add wait. With the mutex not held. */
void sti_commit_enter(struct sti_commit *c);
void sti_commit_leave(struct sti_commit *c);

#endif /* STI_WAL_COMMIT_H */
