/* SPDX-License-Identifier: MIT
 *
 * claim.c: taking and dropping claims, and removing those of the dead.
 *
 * The lock ends with the process, and the file stays: who finds one that is not locked removes it.
 */
#include "store/claim.h"

#include "base/error.h"

#include <stdio.h>

enum {
    WAIT_MS = 20 /* for one who looks whether the owner of a claim is dead */
};

/* It was removed before it was locked: by one who thought that its owner is dead. */
static bool is_removed(struct sti_claim *claim, struct sti_dir *dir)
{
    stele_file_stat ours;
    stele_file_stat there;
    stele_code code;

    if (sti_file_stat(&claim->lock, &ours, NULL) != STELE_OK) {
        return false;
    }
    code = sti_dir_stat(dir, claim->name, &there, NULL);
    return code == STELE_ENOTFOUND || (code == STELE_OK && there.id != ours.id);
}

stele_code sti_claim_take(
        struct sti_claim *claim, struct sti_dir *dir, bool read_only, stele_error *err)
{
    stele_error why;
    stele_code code;

    (void)snprintf(claim->name, sizeof claim->name, STI_CLAIM_PREFIX "%lld",
            (long long)sti_process_number());
    code = sti_lock_take(&claim->lock, dir, claim->name, true, WAIT_MS, &why);
    while (code == STELE_OK && is_removed(claim, dir)) {
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

struct search {
    struct sti_dir *dir;
    const struct sti_claim *own;
};

static stele_code on_name(void *arg, const char *name)
{
    const struct search *search = arg;
    struct sti_file file = {.raw = NULL};

    if (strncmp(name, STI_CLAIM_PREFIX, sizeof STI_CLAIM_PREFIX - 1) != 0 ||
            strcmp(name, search->own->name) == 0 ||
            sti_file_open(&file, search->dir, name, STELE_OPEN_READ, NULL) != STELE_OK) {
        return STELE_OK;
    }
    if (sti_file_lock(&file, true, NULL) == STELE_OK) {
        (void)sti_dir_unlink(search->dir, name, NULL, NULL);
    }
    sti_file_close(&file);
    return STELE_OK;
}

stele_code sti_claim_remove_dead(const struct sti_claim *own, struct sti_dir *dir, stele_error *err)
{
    struct search search = {dir, own};

    return sti_dir_list(dir, on_name, &search, err);
}
