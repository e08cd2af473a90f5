/* SPDX-License-Identifier: MIT
 *
 * snapshot_read.h: reading a snapshot to its end, compressed or not, and what it holds.
 *
 * Lengths are used after the crc behind them was compared. The bytes of a pair are verified by the
 * crc that follows them, which is that of the next record: so what was given is to be used for good
 * only after the end was reached.
 */
#ifndef STI_STORE_SNAPSHOT_READ_H
#define STI_STORE_SNAPSHOT_READ_H

#include <stele/store.h>

/* Told in the order of the stream; may be NULL. What they return other than STELE_OK ends it. The
 * bytes are valid during the call. */
struct sti_snapshot_events {
    void *arg;
    stele_code (*bucket)(void *arg, stele_bytes name, stele_error *err);
    stele_code (*pair)(void *arg, stele_bytes key, stele_bytes value, stele_error *err);
};

/* STELE_ECORRUPT · STELE_EVERSION · what read() gave. Takes as much memory as the longest value, if
 * there are events. */
stele_code sti_snapshot_read(stele_read_fn read, void *arg,
        const struct sti_snapshot_events *events, stele_store_contents *out, stele_error *err);

#endif /* STI_STORE_SNAPSHOT_READ_H */
