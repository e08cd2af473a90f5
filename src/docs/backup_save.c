/* SPDX-License-Identifier: MIT
 *
 * backup_save.c: a backup in a file, read back before it has its name.
 */
#include "base/error.h"
#include "docs/backup.h"
#include "docs/state.h"
#include "vfs/vfs.h"

static stele_code write_and_verify(stele_docs *db, struct sti_saving *v,
        const stele_docs_backup_options *opts, stele_docs_backup_summary *out, stele_error *err)
{
    struct sti_file_place to = {.file = &v->file};
    struct sti_file_place from = {.file = &v->file};
    stele_code rc = stele_docs_backup(db, opts, sti_file_place_write, &to, out, err);

    if (rc == STELE_OK) {
        rc = sti_file_sync(&v->file, false, err);
    }
    return rc == STELE_OK ? stele_docs_validate_backup(sti_file_place_read, &from, false, NULL, err)
                          : rc;
}

stele_code stele_docs_backup_save(stele_docs *db, const char *path,
        const stele_docs_backup_options *opts, stele_docs_backup_summary *out, stele_error *err)
{
    stele_docs_backup_summary summary = {.pairs = 0};
    struct sti_saving v = {.name = NULL};
    stele_code rc;

    if (db == NULL || path == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, or no path");
    }
    rc = sti_saving_begin(&v, path, &db->env, err);
    if (rc == STELE_OK) {
        rc = write_and_verify(db, &v, opts, &summary, err);
    }
    if (rc == STELE_OK) {
        rc = sti_saving_keep(&v, err);
    }
    sti_saving_end(&v);
    if (rc != STELE_OK) {
        return sti_wrap(err, rc, "save a backup as %s", path);
    }
    if (out != NULL) {
        *out = summary;
    }
    return STELE_OK;
}
