/* SPDX-License-Identifier: MIT
 *
 * check.h: the verification of a directory, part by part.
 *
 * LMDB trusts its pages. So a check goes over them first, without LMDB: the meta pages before it
 * opens the file; then, while a read transaction pins them, all that the transaction sees. Only
 * when that has no fault does LMDB follow them. Beside a writer a fault may be a change that is
 * under way: it is told only if it is still there when the place is looked at again.
 */
#ifndef STI_STORE_CHECK_H
#define STI_STORE_CHECK_H

#include "store/claim.h"
#include "store/scrub.h"

enum {
    STI_CHECK_LOOKS = 4
};

struct sti_check {
    struct sti_faults faults;
    struct sti_deadline deadline; /* none */
    stele_env env;
    const char *path; /* borrowed */
    struct sti_dir dir;
    struct sti_claim claim;
    bool pages; /* go over the pages first, and over the wal */
    struct sti_generation current;
    struct sti_lmdb *lmdb; /* once its pages and trees are known to be whole; else NULL */
    bool moved;            /* another generation is current now: what follows is beyond that one */
};

/* ---- check_data.c ---- */

/* The generation that is current. STELE_ENOTFOUND: it is not there (any more). */
stele_code sti_check_data(struct sti_check *c, stele_error *err);

/* ---- check_wal.c ---- */

stele_code sti_check_wal(struct sti_check *c, stele_error *err);

#endif /* STI_STORE_CHECK_H */
