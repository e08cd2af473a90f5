/* SPDX-License-Identifier: MIT
 *
 * scan.h: reading the messages of a log file one after the other.
 *
 * A scan judges each message by its checksum, and by its offset: at least the
 * segment's base, above the one before, and below a limit if there is one.
 * Where a message is damaged, the scan can look for the next whole one behind
 * it. In version 2 its checksum, trailer and offset prove it; in version 1,
 * whose checksum does not cover them, also that an unbroken chain of whole
 * messages with rising offsets leads from it to the end of the file.
 *
 * A damaged message may hold the bytes of whole ones in its value. If its
 * lengths can be believed, nothing inside it is taken for a message, unless a
 * chain leads from there to its very end: then the lengths were the damage,
 * and happen to end where another message does.
 */
#ifndef STI_STREAM_SCAN_H
#define STI_STREAM_SCAN_H

#include "stream/format.h"

struct sti_scan {
    const uint8_t *data; /* the whole file */
    uint64_t len;
    stele_stream_version version;
    int64_t limit; /* offsets are below this; INT64_MAX: no limit */
    uint64_t at;   /* where the next message should start */
    int64_t last;  /* the last whole message's offset, or base - 1 */
    int64_t seen;  /* the highest offset that a damaged message may have had, or -1 */
    uint64_t used; /* length without the zeros at the end, UINT64_MAX before it was asked for */
    uint64_t work; /* bytes read in searches, of which there is a limit */
};

/* `kind` is STI_LOG_V1 or STI_LOG_V2; others scan as files without messages. */
void sti_scan_begin(struct sti_scan *scan, const uint8_t *data, uint64_t len,
        enum sti_log_kind kind, int64_t base, int64_t limit);

/* The next message; its position is scan->at before the call. WHOLE moves
 * on. END: only zeros follow, or nothing. SHORT, DAMAGED: scan->at stays. */
enum sti_message_state sti_scan_next(struct sti_scan *scan, stele_message *out, size_t *size);

/* Disks write whole sectors of so many bytes, or more. */
enum {
    STI_SECTOR = 512
};

/* Whether a message of version 1 of `size` bytes at `at`, which a checksum of
 * nothing vouches for since it has neither key nor value, is the torn header
 * of another one: a sector that never reached the disk reads as zeros, which
 * say just that. Zeros follow it then. */
bool sti_v1_is_torn(const uint8_t *file, uint64_t len, uint64_t at, size_t size);

/* Behind where a scan stopped: the highest offset that a whole message
 * anywhere shows, and that could be there; or scan->seen. Such a message need not
 * be proved. If the file's kind was none, all of it is looked at, for both versions. */
int64_t sti_scan_highest(const struct sti_scan *scan);

/* After SHORT or DAMAGED: move to the next whole message behind scan->at.
 * False, and not moved, if there is none. */
bool sti_scan_resync(struct sti_scan *scan);

#endif /* STI_STREAM_SCAN_H */
