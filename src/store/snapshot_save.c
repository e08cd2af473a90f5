/* SPDX-License-Identifier: MIT
 *
 * snapshot_save.c: a snapshot in a file: written under another name, synced, read back and
 * verified, and only then given its name.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "store/snapshot.h"

struct saving {
    struct sti_dir dir;
    struct sti_file file;
    char *name; /* in the directory */
    char *temporary;
    uint64_t at;
};

/* "a/b" is "b" in "a"; "b" is "b" in ".". */
static stele_code open_dir(
        struct saving *v, const char *path, const stele_env *env, stele_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    size_t size = strlen(base) + sizeof ".tmp";
    char *above = sti_strdup(slash == path ? "/" : slash == NULL ? "." : path);
    stele_code code = STELE_OK;

    v->name = sti_strdup(base);
    v->temporary = sti_malloc(size);
    if (above == NULL || v->name == NULL || v->temporary == NULL) {
        sti_free(above);
        return sti_fail_memory(err, strlen(path));
    }
    if (slash != NULL && slash != path) {
        above[slash - path] = '\0';
    }
    memcpy(v->temporary, base, strlen(base));
    memcpy(v->temporary + strlen(base), ".tmp", sizeof ".tmp");
    if (!sti_name_is_valid(base)) {
        code = sti_fail(err, STELE_EINVAL, "\"%s\" is no name of a file", base);
    }
    code = code == STELE_OK ? sti_dir_open(&v->dir, env, above, STELE_OPEN_READ, err) : code;
    sti_free(above);
    return code;
}

static stele_code is_free(struct saving *v, stele_error *err)
{
    stele_file_stat stat;
    stele_error why;
    stele_code code = sti_dir_stat(&v->dir, v->name, &stat, &why);

    if (code == STELE_OK) {
        return sti_fail(err, STELE_EEXIST, "%s is there already", v->name);
    }
    if (code != STELE_ENOTFOUND && err != NULL) {
        *err = why;
    }
    return code == STELE_ENOTFOUND ? STELE_OK : code;
}

static stele_code write_piece(void *arg, const void *data, size_t len, stele_error *err)
{
    struct saving *v = arg;
    stele_code code = sti_file_write(&v->file, v->at, data, len, err);

    v->at += len;
    return code;
}

static stele_code read_piece(void *arg, void *data, size_t len, size_t *got, stele_error *err)
{
    struct saving *v = arg;
    stele_code code = sti_file_read_some(&v->file, v->at, data, len, got, err);

    v->at += code == STELE_OK ? *got : 0;
    return code;
}

static stele_code write_and_verify(stele_store_snapshot *snapshot, struct saving *v,
        const stele_store_snapshot_options *opts, uint64_t *written, stele_error *err)
{
    stele_code code = sti_dir_unlink(&v->dir, v->temporary, NULL, err);

    code = code == STELE_OK ? sti_file_open(&v->file, &v->dir, v->temporary,
                                      STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, err)
                            : code;
    if (code == STELE_OK) {
        code = stele_store_snapshot_write(snapshot, opts, write_piece, v, written, err);
    }
    if (code == STELE_OK && !STI_MUTANT(STORE_SNAPSHOT_NOT_SYNCED)) {
        code = sti_file_sync(&v->file, false, err);
    }
    if (code == STELE_OK) {
        v->at = 0;
        code = stele_store_snapshot_verify(read_piece, v, NULL, err);
    }
    sti_file_close(&v->file);
    return code;
}

stele_code stele_store_snapshot_save(stele_store_snapshot *snapshot, const char *path,
        const stele_store_snapshot_options *opts, uint64_t *written, stele_error *err)
{
    struct saving v = {.at = 0};
    uint64_t bytes = 0;
    stele_code code;

    if (snapshot == NULL || path == NULL) {
        return sti_fail(err, STELE_EINVAL, "no snapshot, or no path");
    }
    code = open_dir(&v, path, &sti_snapshot_store(snapshot)->env, err);
    code = code == STELE_OK ? is_free(&v, err) : code;
    if (code == STELE_OK) {
        code = write_and_verify(snapshot, &v, opts, &bytes, err);
        code = code == STELE_OK ? sti_dir_rename(&v.dir, v.temporary, v.name, err) : code;
        if (code != STELE_OK) {
            (void)sti_dir_unlink(&v.dir, v.temporary, NULL, NULL);
        }
        if (code == STELE_OK && !STI_MUTANT(STORE_SNAPSHOT_NAME_NOT_SYNCED)) {
            code = sti_dir_sync(&v.dir, err);
        }
    }
    sti_dir_close(&v.dir);
    sti_free(v.name);
    sti_free(v.temporary);
    if (code != STELE_OK) {
        return sti_wrap(err, code, "save a snapshot as %s", path);
    }
    if (written != NULL) {
        *written = bytes;
    }
    return STELE_OK;
}
