/* SPDX-License-Identifier: MIT
 *
 * marker.h: which segments a crash may find unsynced.
 *
 * A writer that seals segments in the background starts the next one before
 * the one before is synced. First it makes durable, in the file ".tail", the
 * base offset of the oldest segment that may not be: from there on a torn
 * segment is a crash's doing, and what follows it was never durable. Without
 * the file that is so of the newest segment alone, as klevdb has it (which
 * ignores the file). A clean close removes it.
 *
 *     ".tail", 24 bytes, little endian
 *        0   7  magic, "STELTAL"
 *        7   1  format version, 1
 *        8   8  base offset of the first segment that may be unsynced
 *       16   4  reserved, 0
 *       20   4  CRC-32C of bytes 0 to 19
 */
#ifndef STI_STREAM_MARKER_H
#define STI_STREAM_MARKER_H

#include "stream/state.h"

stele_code sti_marker_write(struct sti_dir *dir, int64_t base, stele_error *err);
stele_code sti_marker_remove(struct sti_dir *dir, stele_error *err);

/* *base = INT64_MAX if there is no marker, or none that can be right: no crash
 * makes one like that. */
stele_code sti_marker_read(struct sti_dir *dir, int64_t *base, stele_error *err);

/* Look at the segments that may be unsynced, and find the first that is torn,
 * or after which one is missing: nothing behind that was ever durable.
 *
 * A reader's list then ends with it. A writer cuts it, and sets the segments
 * behind it aside (their logs become quarantine files), all durably; before
 * that comes a segment without messages, above every offset that was seen.
 * Whole segments that no side file vouches for are synced. A crash in the
 * middle is mended by doing it again. *floor is raised above the offsets that a reader's
 * list leaves out. */
stele_code sti_marker_settle(
        stele_stream *s, struct sti_bases *list, int64_t *floor, stele_error *err);

#endif /* STI_STREAM_MARKER_H */
