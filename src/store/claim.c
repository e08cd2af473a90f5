/* SPDX-License-Identifier: MIT
 *
 * claim.c: taking and dropping claims.
 */
#include "store/claim.h"

#include "base/error.h"

#include <stdio.h>

enum {
    WAIT_MS = 20 /* for one who looks whether the owner of a claim is dead */
};

/* Whether the file under the name is still the one that is locked, and was not taken for one that a
 * dead process left, and removed. */
static bool is_ours(struct sti_claim *claim, struct sti_dir *dir)
{
    stele_file_stat locked;
    stele_file_stat there;

    return sti_file_stat(&claim->lock, &locked, NULL) != STELE_OK ||
           (sti_dir_stat(dir, claim->name, &there, NULL) == STELE_OK && there.id == locked.id);
}

stele_code sti_claim_take(
        struct sti_claim *claim, struct sti_dir *dir, bool read_only, stele_error *err)
{
    stele_error why;
    stele_code code;

    (void)snprintf(claim->name, sizeof claim->name, STI_CLAIM_PREFIX "%lld",
            (long long)sti_process_number());
    code = sti_lock_take(&claim->lock, dir, claim->name, true, WAIT_MS, &why);
    while (code == STELE_OK && !is_ours(claim, dir)) {
        sti_file_close(&claim->lock);
        code = sti_lock_take(&claim->lock, dir, claim->name, true, WAIT_MS, &why);
    }
    if (code == STELE_EBUSY) {
        return sti_fail(err, code, "this process has it open");
    }
    if (code == STELE_EPERM && read_only) {
        return STELE_OK;
    }
    if (code != STELE_OK && err != NULL) {
        *err = why;
    }
    return code;
}

void sti_claim_drop(struct sti_claim *claim, struct sti_dir *dir)
{
    if (claim->lock.raw != NULL) {
        (void)sti_dir_unlink(dir, claim->name, NULL, NULL);
        sti_file_close(&claim->lock);
    }
}
