/* SPDX-License-Identifier: MIT
 *
 * saving.c: files that are there whole or not at all: names, and renaming.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "vfs/vfs.h"

/* "a/b" is "b" in "a"; "b" is "b" in ".". */
stele_code sti_open_dir_of(
        struct sti_dir *dir, char **name, const char *path, const stele_env *env, stele_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    char *above = sti_strdup(slash == path ? "/" : slash == NULL ? "." : path);
    char *copy = sti_strdup(base);
    stele_code code = STELE_OK;

    if (above == NULL || copy == NULL) {
        code = sti_fail_memory(err, strlen(path));
    } else if (!sti_name_is_valid(base)) {
        code = sti_fail(err, STELE_EINVAL, "\"%s\" is no name of a file", base);
    } else {
        if (slash != NULL && slash != path) {
            above[slash - path] = '\0';
        }
        code = sti_dir_open(dir, env, above, STELE_OPEN_READ, err);
    }
    sti_free(above);
    if (code != STELE_OK) {
        sti_free(copy);
        return code;
    }
    *name = copy;
    return STELE_OK;
}

static stele_code is_free(struct sti_saving *v, stele_error *err)
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

stele_code sti_saving_begin(
        struct sti_saving *v, const char *path, const stele_env *env, stele_error *err)
{
    stele_code code = sti_open_dir_of(&v->dir, &v->name, path, env, err);
    size_t len;

    code = code == STELE_OK ? is_free(v, err) : code;
    if (code != STELE_OK) {
        return code;
    }
    len = strlen(v->name);
    v->temporary = sti_malloc(len + sizeof ".tmp");
    if (v->temporary == NULL) {
        return sti_fail_memory(err, len);
    }
    memcpy(v->temporary, v->name, len);
    memcpy(v->temporary + len, ".tmp", sizeof ".tmp");
    code = sti_dir_unlink(&v->dir, v->temporary, NULL, err);
    if (code == STELE_OK) {
        code = sti_file_open(&v->file, &v->dir, v->temporary,
                STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, err);
    }
    return code;
}

stele_code sti_saving_keep(struct sti_saving *v, stele_error *err)
{
    stele_code code;

    sti_file_close(&v->file);
    code = sti_dir_rename(&v->dir, v->temporary, v->name, err);
    if (code == STELE_OK) {
        sti_free(v->temporary);
        v->temporary = NULL;
        code = STI_MUTANT(STORE_SNAPSHOT_NAME_NOT_SYNCED) ? code : sti_dir_sync(&v->dir, err);
    }
    return code;
}

void sti_saving_end(struct sti_saving *v)
{
    sti_file_close(&v->file);
    if (v->temporary != NULL) {
        (void)sti_dir_unlink(&v->dir, v->temporary, NULL, NULL);
    }
    sti_free(v->temporary);
    sti_free(v->name);
    sti_dir_close(&v->dir);
}

/* ---- Places. ---- */

stele_code sti_file_place_write(void *place, const void *data, size_t len, stele_error *err)
{
    struct sti_file_place *p = place;
    stele_code code = sti_file_write(p->file, p->at, data, len, err);

    p->at += len;
    return code;
}

stele_code sti_file_place_read(void *place, void *data, size_t len, size_t *got, stele_error *err)
{
    struct sti_file_place *p = place;
    stele_code code = sti_file_read_some(p->file, p->at, data, len, got, err);

    p->at += code == STELE_OK ? *got : 0;
    return code;
}
