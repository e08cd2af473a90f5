/* SPDX-License-Identifier: MIT
 *
 * recover.h: keeping what is whole of a stream's segments.
 *
 * The order of what it does, so that a crash anywhere leaves a directory from
 * which recovery, or opening, gets to the same result:
 *
 *   1. If offsets were seen that the newest segment does not hold (in a
 *      damaged header at its end, in its index, in a leftover), a new segment
 *      without messages is made above them. From here on nothing that is cut
 *      or removed can make an offset be given again.
 *   2. Leftovers are removed.
 *   3. For each segment: what is to be cut goes to quarantine files. Then the
 *      log is cut, if all damage is at its end; else a new file with what is
 *      kept takes its place by a rename. Then its index is made again where
 *      it is not equal to what the log gives, and its side file removed.
 *
 * In version 1 a file is known by its first message's offset. Where that
 * message is lost, what is kept gets the name of the next one's offset, and
 * the old file goes last: in between it is covered (leftovers.h).
 */
#ifndef STI_STREAM_RECOVER_H
#define STI_STREAM_RECOVER_H

#include <stele/stream.h>

#include "vfs/vfs.h"

/* Recover in an open directory whose writer's lock is held: all segments, or
 * the newest. Of `opts` env (for its log), the index options and dry_run
 * count; with `strict` the index options must be those of the files
 * (STELE_EMISMATCH), else they are for files that do not tell. A log of an
 * unknown version is left alone, and STELE_EVERSION is returned at the end.
 * `events` and `out` may be NULL. */
stele_code sti_recover_run(struct sti_dir *dir, const stele_stream_options *opts, bool strict,
        bool head_only, const stele_stream_recover_events *events, stele_stream_recovered *out,
        stele_error *err);

#endif /* STI_STREAM_RECOVER_H */
