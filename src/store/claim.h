/* SPDX-License-Identifier: MIT
 *
 * claim.h: a directory is opened by one handle of a process at a time.
 *
 * LMDB's locks belong to the process, and closing one handle would drop those of another. So who
 * opens takes a lock on `.reader-PID` first, which other handles of the process see as well.
 */
#ifndef STI_STORE_CLAIM_H
#define STI_STORE_CLAIM_H

#include "vfs/vfs.h"

#define STI_CLAIM_PREFIX ".reader-"

/* Zero-initialised is none. */
struct sti_claim {
    struct sti_file lock;
    char name[32];
};

/* STELE_EBUSY: this process has it open. In a directory that may not be written to nothing can be
 * noted, which is no error if `read_only`. */
stele_code sti_claim_take(
        struct sti_claim *claim, struct sti_dir *dir, bool read_only, stele_error *err);
void sti_claim_drop(struct sti_claim *claim, struct sti_dir *dir);
/* The files that processes left which have died; `own` is kept. */
stele_code sti_claim_remove_dead(
        const struct sti_claim *own, struct sti_dir *dir, stele_error *err);

#endif /* STI_STORE_CLAIM_H */
