/* SPDX-License-Identifier: MIT
 *
 * snapshot_save.c: a snapshot in a file, read back and verified before it has its name.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "store/snapshot.h"
#include "vfs/vfs.h"

static stele_code write_and_verify(stele_store_snapshot *snapshot, struct sti_saving *v,
        const stele_store_snapshot_options *opts, uint64_t *written, stele_error *err)
{
    struct sti_file_place to = {.file = &v->file};
    struct sti_file_place from = {.file = &v->file};
    stele_code code =
            stele_store_snapshot_write(snapshot, opts, sti_file_place_write, &to, written, err);

    if (code == STELE_OK && !STI_MUTANT(STORE_SNAPSHOT_NOT_SYNCED)) {
        code = sti_file_sync(&v->file, false, err);
    }
    return code == STELE_OK ? stele_store_snapshot_verify(sti_file_place_read, &from, NULL, err)
                            : code;
}

stele_code stele_store_snapshot_save(stele_store_snapshot *snapshot, const char *path,
        const stele_store_snapshot_options *opts, uint64_t *written, stele_error *err)
{
    struct sti_saving v = {.name = NULL};
    uint64_t bytes = 0;
    stele_code code;

    if (snapshot == NULL || path == NULL) {
        return sti_fail(err, STELE_EINVAL, "no snapshot, or no path");
    }
    code = sti_saving_begin(&v, path, &sti_snapshot_store(snapshot)->env, err);
    code = code == STELE_OK ? write_and_verify(snapshot, &v, opts, &bytes, err) : code;
    code = code == STELE_OK ? sti_saving_keep(&v, err) : code;
    sti_saving_end(&v);
    if (code != STELE_OK) {
        return sti_wrap(err, code, "save a snapshot as %s", path);
    }
    if (written != NULL) {
        *written = bytes;
    }
    return STELE_OK;
}
