/* SPDX-License-Identifier: MIT
 *
 * delete_multi.c: deleting in all segments.
 *
 * That is deleting in one, again and again. What makes it end: after each
 * pass all offsets up to the end of the segment that the pass worked on are
 * done with, whether they were there or not.
 *
 * On a full disk a segment of which something stays cannot be rewritten, but
 * one of which nothing stays can be dropped. So a segment that did not work
 * is left out of the round, and when the others have made room it is tried
 * again, in a new round. A round that frees nothing is the last one.
 */
#include <stele/stream.h>

#include "base/error.h"
#include "base/mutant.h"
#include "base/thread.h"
#include "stream/above.h"
#include "stream/offsets.h"

struct work {
    stele_stream *s;
    const stele_backoff *backoff;
    stele_deleted *deleted; /* never NULL */
    stele_offsets *left;    /* what is not done yet */
    stele_offsets *round;   /* of these, what this round has not tried yet */
    stele_offsets *asked;   /* of these, what lies in the segment of this pass */
    stele_offsets *pass;    /* what the last pass deleted */
    bool full;              /* this round met the full disk */
    stele_error why;        /* what that one said */
};

static stele_code pause_between(struct work *w, stele_error *err)
{
    stele_code rc;

    if (w->backoff == NULL || w->backoff->pause == NULL || stele_offsets_count(w->round) == 0) {
        return STELE_OK;
    }
    rc = w->backoff->pause(w->backoff->arg, err);
    return rc > STELE_OK ? sti_fail(err, STELE_ECANCELED, "the back-off returned %d", (int)rc) : rc;
}

/* Add what a pass deleted to what the caller gets. There is memory for it,
 * see prepare(). */
static stele_code account(struct work *w, const stele_deleted *pass, stele_error *err)
{
    w->deleted->count += pass->count;
    w->deleted->size += pass->size;
    if (w->deleted->offsets == NULL) {
        return STELE_OK;
    }
    return sti_offsets_merge(w->deleted->offsets, w->pass, err);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* One segment. Another thread may delete at the same time, and make a segment
 * begin later: so the pass is taken to have worked up to where the segment
 * ended before as well as after it. */
static stele_code delete_pass(struct work *w, stele_error *err)
{
    int64_t lowest = sti_offsets_min(w->round);
    int64_t last = sti_stream_segment_last(w->s, lowest);
    stele_deleted pass = {.messages = w->deleted->messages, .offsets = w->pass};
    stele_error why;
    stele_code rc;

    stele_offsets_clear(w->pass);
    stele_offsets_clear(w->asked);
    rc = sti_offsets_merge_range(w->asked, w->round, lowest, last, &why);
    if (rc == STELE_OK) {
        rc = stele_stream_delete(w->s, w->asked, &pass, &why);
    }
    last = earlier(last, sti_stream_segment_last(w->s, lowest));
    switch (rc) {
    case STELE_OK:
    case STELE_ENOTFOUND: /* before the first segment: nothing is there to delete */
        /* What earlier passes could not do is below the lowest, and stays. */
        sti_offsets_remove_range(w->left, lowest, last);
        break;
    case STELE_ENOSPC:
        w->full = true;
        w->why = why;
        break;
    default:
        if (err != NULL) {
            *err = why;
        }
        return rc;
    }
    sti_offsets_remove_range(w->round, 0, last);
    if (pass.count == 0) {
        if (STI_MUTANT(DELETE_STOPS_AT_NOTHING)) {
            stele_offsets_clear(w->round);
        }
        return STELE_OK;
    }
    rc = account(w, &pass, err);
    return rc == STELE_OK ? pause_between(w, err) : rc;
}

/* Try each segment once. */
static stele_code delete_round(struct work *w, stele_error *err)
{
    stele_code rc = sti_offsets_merge(w->round, w->left, err);

    w->full = false;
    while (rc == STELE_OK && stele_offsets_count(w->round) != 0) {
        rc = delete_pass(w, err);
    }
    return rc;
}

static stele_code delete_rounds(struct work *w, stele_error *err)
{
    for (;;) {
        int64_t before = w->deleted->count;
        stele_code rc = delete_round(w, err);

        if (rc != STELE_OK || !w->full) {
            return rc;
        }
        if (w->deleted->count == before) {
            if (err != NULL) {
                *err = w->why;
            }
            return sti_wrap(err, STELE_ENOSPC, "%llu offsets are left",
                    (unsigned long long)stele_offsets_count(w->left));
        }
    }
}

/* Take all memory that the accounts will need: what is deleted has to be
 * reported. */
static stele_code prepare(struct work *w, const stele_offsets *offsets, stele_error *err)
{
    stele_code rc = stele_offsets_new(&w->left, err);

    if (rc == STELE_OK) {
        rc = stele_offsets_new(&w->round, err);
    }
    if (rc == STELE_OK) {
        rc = stele_offsets_new(&w->asked, err);
    }
    if (rc == STELE_OK) {
        rc = stele_offsets_new(&w->pass, err);
    }
    if (rc == STELE_OK) {
        rc = sti_offsets_merge(w->left, offsets, err);
    }
    if (rc == STELE_OK && w->deleted->offsets != NULL) {
        rc = sti_offsets_reserve(w->deleted->offsets, offsets, err);
    }
    return rc;
}

stele_code stele_stream_delete_multi(stele_stream *s, const stele_offsets *offsets,
        const stele_backoff *backoff, stele_deleted *deleted, stele_error *err)
{
    stele_deleted nobody = {.count = 0};
    struct work w = {
            .s = s,
            .backoff = backoff,
            .deleted = deleted == NULL ? &nobody : deleted,
    };
    stele_code rc;

    if (s == NULL || offsets == NULL) {
        return sti_fail(err, STELE_EINVAL, "no stream, or no set of offsets");
    }
    if (stele_stream_is_read_only(s)) {
        return sti_fail(err, STELE_EREADONLY, "%s: opened read-only", stele_stream_dir(s));
    }
    rc = prepare(&w, offsets, err);
    if (rc == STELE_OK) {
        rc = delete_rounds(&w, err);
    }
    if (w.deleted->offsets != NULL) {
        sti_offsets_shrink(w.deleted->offsets);
    }
    stele_offsets_free(w.left);
    stele_offsets_free(w.round);
    stele_offsets_free(w.asked);
    stele_offsets_free(w.pass);
    return rc;
}

stele_code stele_backoff_wait(void *arg, stele_error *err)
{
    const stele_backoff_wait_arg *wait = arg;

    if (wait == NULL || wait->wait_ms < 0) {
        return sti_fail(err, STELE_EINVAL, "a back-off without a time to wait");
    }
    return sti_sleep_ms(wait->wait_ms, wait->cancel, err);
}
