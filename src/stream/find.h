/* SPDX-License-Identifier: MIT
 *
 * find.h: deleting what a finder finds.
 */
#ifndef STI_STREAM_FIND_H
#define STI_STREAM_FIND_H

#include <stele/stream.h>

/* Any of the stele_stream_find_ functions; `bound` is its time, count,
 * offset or size. */
typedef stele_code (*sti_finder)(stele_stream *s, int64_t bound, const stele_wait *wait,
        stele_offsets *out, stele_error *err);

/* Find, then delete within the segment of the lowest that was found. */
stele_code sti_find_delete(stele_stream *s, sti_finder find, int64_t bound, const stele_wait *wait,
        stele_deleted *deleted, stele_error *err);

/* Find, then delete in all segments. */
stele_code sti_find_delete_multi(stele_stream *s, sti_finder find, int64_t bound,
        const stele_wait *wait, const stele_backoff *backoff, stele_deleted *deleted,
        stele_error *err);

#endif /* STI_STREAM_FIND_H */
