/* SPDX-License-Identifier: MIT
 *
 * find.c: what is in a directory: which format, which manifest, which files.
 */
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "wal/open.h"

void sti_wal_found_free(struct sti_wal_found *found)
{
    sti_wal_listing_free(&found->listing);
    sti_wal_manifest_close(&found->manifest_file);
    sti_wal_manifest_free(&found->manifest);
    sti_dir_close(&found->dir);
    sti_file_close(&found->lock);
}

static bool has_any(const struct sti_wal_listing *list, enum sti_wal_name_kind kind)
{
    size_t count;

    (void)sti_wal_listing_of(list, kind, &count);
    return count > 0;
}

stele_code sti_wal_find_again(struct sti_wal_found *found, bool writable, stele_error *err)
{
    stele_error why;
    stele_code rc;
    bool stele;
    bool blb;

    sti_wal_manifest_close(&found->manifest_file);
    sti_wal_manifest_free(&found->manifest);
    found->has_manifest = false;
    found->slots = STI_WAL_SLOTS_ALIKE;
    found->is_new = false;
    /* The manifest first: what it lists was there before. */
    rc = sti_wal_manifest_read(&found->dir, &found->manifest, &found->slots,
            writable ? &found->manifest_file : NULL, &why);
    if (rc != STELE_OK && rc != STELE_ENOTFOUND && rc != STELE_ECORRUPT) {
        if (err != NULL) {
            *err = why;
        }
        return rc;
    }
    found->has_manifest = rc == STELE_OK;
    if (sti_wal_listing_read(&found->listing, &found->dir, err) != STELE_OK) {
        return err != NULL ? err->code : STELE_EIO;
    }
    stele = has_any(&found->listing, STI_WAL_NAME_STELE);
    blb = has_any(&found->listing, STI_WAL_NAME_BLB);
    found->format = stele ? STELE_WAL_STELE : blb ? STELE_WAL_BLB : STELE_WAL_ANY;
    if (found->has_manifest) {
        found->format = found->manifest.format;
    } else if (rc == STELE_ECORRUPT) {
        if (err != NULL) {
            *err = why;
        }
        return rc;
    } else if (stele) {
        return sti_fail_at(err, STELE_ECORRUPT, STI_WAL_MANIFEST_NAME, -1,
                "is missing beside segments; `stele wal recover` makes it again");
    } else {
        found->is_new = !blb;
    }
    return STELE_OK;
}

stele_code sti_wal_find(struct sti_wal_found *found, const char *path,
        const stele_wal_options *options, stele_error *err)
{
    bool may_create = !options->read_only && !options->must_exist;
    unsigned flags = options->create_dirs && may_create ? STELE_OPEN_CREATE : 0;
    stele_code rc;

    memset(found, 0, sizeof *found);
    rc = sti_dir_open(&found->dir, options->env, path, flags, err);
    if (rc == STELE_OK && !may_create) {
        /* Not even a lock file where there is no log. */
        rc = sti_wal_find_again(found, false, err);
        if (rc == STELE_OK && found->is_new) {
            rc = sti_fail_at(err, STELE_ENOTFOUND, path, -1, "there is no log");
        }
        if (options->read_only || (rc != STELE_OK && rc != STELE_ECORRUPT)) {
            return rc;
        }
        rc = STELE_OK; /* damage is told again, and mended, under the lock */
    }
    if (rc == STELE_OK && !STI_MUTANT(WAL_LOCK_DROPPED)) {
        rc = sti_lock_take(
                &found->lock, &found->dir, STI_WAL_LOCK_NAME, true, options->lock_wait_ms, err);
    }
    return rc != STELE_OK ? rc : sti_wal_find_again(found, true, err);
}
