/* SPDX-License-Identifier: MIT
 *
 * above.h: what finding, trimming and compacting need of a stream besides
 * its public functions.
 */
#ifndef STI_STREAM_ABOVE_H
#define STI_STREAM_ABOVE_H

#include <stele/stream.h>

/* The world that the stream was opened in. Borrowed until close. */
const stele_env *sti_stream_env(const stele_stream *s);

/* The last offset that belongs to the segment which holds `offset`: that
 * before the next segment, or INT64_MAX for the newest one. Offsets before
 * the first segment belong to none: the result is the one before that. */
int64_t sti_stream_segment_last(stele_stream *s, int64_t offset);

#endif /* STI_STREAM_ABOVE_H */
