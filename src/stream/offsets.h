/* SPDX-License-Identifier: MIT
 *
 * offsets.h: sets of offsets, as the rest of the stream needs them.
 */
#ifndef STI_STREAM_OFFSETS_H
#define STI_STREAM_OFFSETS_H

#include <stele/stream.h>

/* The smallest offset of the set, STELE_OFFSET_INVALID if it is empty. */
int64_t sti_offsets_min(const stele_offsets *set);

/* Remove all of first..last, both included. */
void sti_offsets_remove_range(stele_offsets *set, int64_t first, int64_t last);

/* Take all memory that adding the offsets of `of` (now, or of any subset
 * later) to `set` will need, so that this cannot fail. */
stele_code sti_offsets_reserve(stele_offsets *set, const stele_offsets *of, stele_error *err);

/* Add all offsets of `from`, or those of first..last; on failure `set` is as
 * before. */
stele_code sti_offsets_merge(stele_offsets *set, const stele_offsets *from, stele_error *err);
stele_code sti_offsets_merge_range(stele_offsets *set, const stele_offsets *from, int64_t first,
        int64_t last, stele_error *err);

/* Give back what sti_offsets_reserve() took and nothing uses. */
void sti_offsets_shrink(stele_offsets *set);

#endif /* STI_STREAM_OFFSETS_H */
