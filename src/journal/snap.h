/* SPDX-License-Identifier: MIT
 *
 * snap.h: writing a snapshot: streamed, synced, renamed, read back.
 */
#ifndef STI_JOURNAL_SNAP_H
#define STI_JOURNAL_SNAP_H

#include "journal/chain.h"
#include "journal/merge.h"

/* Merge the snapshot of a chain and those of its logs that have a smaller number than `number` into
 * `number`.snap: written as .unfinished, synced, renamed, directory synced, and read back whole. On
 * failure the .unfinished is removed, and nothing else has changed; after the rename, a snapshot
 * that cannot be read back is removed as well, if it can be (the old ones are still there). `seed`
 * for the hash. *end: what the new snapshot has.
 *
 * The caller is the recorder: nobody else makes these files shorter. The last of the logs ends
 * where the next one in the chain begins, or, if there is none, with a seal; otherwise it is
 * STELE_ECORRUPT. */
stele_code sti_journal_snap_merge(struct sti_dir *dir, struct sti_journal_chain *chain,
        uint64_t number, const uint64_t seed[2], struct sti_journal_end *end, stele_error *err);

/* One without operations, which stands for none: what clear puts in front of a new beginning. */
stele_code sti_journal_snap_empty(struct sti_dir *dir, uint64_t number, stele_error *err);

#endif /* STI_JOURNAL_SNAP_H */
