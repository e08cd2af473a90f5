/* SPDX-License-Identifier: MIT
 *
 * wal_open.c: the directory of the wal, and opening what is in it.
 *
 * The directory is made with the store, and says, empty or not, that there was one.
 */
#include "store/wal_open.h"

#include "base/alloc.h"
#include "base/error.h"

#include <stdio.h>

#define SEGMENT_SIZE ((uint64_t)16 << 20)

static char *wal_path(const char *store)
{
    size_t size = strlen(store) + 1 + sizeof STI_STORE_WAL_NAME;
    char *path = sti_malloc(size);

    if (path != NULL) {
        (void)snprintf(path, size, "%s/%s", store, STI_STORE_WAL_NAME);
    }
    return path;
}

stele_code sti_store_wal_open(stele_store *s, bool must_exist, stele_error *err)
{
    char *path = wal_path(s->path);
    stele_wal_options options;
    stele_wal *wal = NULL;
    stele_code code;

    if (path == NULL) {
        return sti_fail_memory(err, strlen(s->path));
    }
    stele_wal_options_init(&options);
    options.env = &s->env;
    options.format = STELE_WAL_STELE;
    options.must_exist = must_exist;
    options.segment_size = SEGMENT_SIZE;
    /* The wal's thread would be woken by each append, to write what nobody may wait for; but who
     * ends a batch durably waits at once, and the two would only be in each other's way. What else
     * it does is to prepare segments ahead: two syncs, once in some thousand batches. */
    options.no_background = true;
    code = stele_wal_open(&wal, path, &options, err);
    sti_free(path);
    if (code == STELE_OK) {
        atomic_store(&s->wal, wal);
    }
    return code;
}

stele_code sti_store_wal_get(stele_store *s, stele_wal **out, stele_error *err)
{
    stele_code code = STELE_OK;

    if (atomic_load(&s->wal) == NULL) {
        code = sti_store_wal_open(s, false, err);
    }
    if (code == STELE_OK) {
        *out = atomic_load(&s->wal);
    }
    return code;
}

stele_code sti_store_wal_make_dir(stele_store *s, stele_error *err)
{
    char *path = wal_path(s->path);
    struct sti_dir dir = {.raw = NULL};
    stele_code code;

    if (path == NULL) {
        return sti_fail_memory(err, strlen(s->path));
    }
    code = sti_dir_open(&dir, &s->env, path, STELE_OPEN_CREATE, err);
    sti_dir_close(&dir);
    sti_free(path);
    return code;
}

stele_code sti_wal_dir_is_there(
        const stele_env *env, const char *store, bool *there, stele_error *err)
{
    char *path = wal_path(store);
    struct sti_dir dir = {.raw = NULL};
    stele_error why;
    stele_code code;

    if (path == NULL) {
        return sti_fail_memory(err, strlen(store));
    }
    code = sti_dir_open(&dir, env, path, STELE_OPEN_READ, &why);
    sti_dir_close(&dir);
    sti_free(path);
    if (code != STELE_OK && code != STELE_ENOTFOUND) {
        if (err != NULL) {
            *err = why;
        }
        return code;
    }
    *there = code == STELE_OK;
    return STELE_OK;
}

stele_code sti_store_wal_has_dir(stele_store *s, bool *there, stele_error *err)
{
    return sti_wal_dir_is_there(&s->env, s->path, there, err);
}
