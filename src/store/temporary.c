/* SPDX-License-Identifier: MIT
 *
 * temporary.c: a store for tests, which removes itself.
 */
#include "base/env.h"
#include "base/error.h"
#include "store/open.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    PATH_SIZE = 4096
};

stele_code stele_store_open_temporary(stele_store **out, const char *parent,
        uint32_t batch_interval_ms, uint32_t batch_limit, stele_error *err)
{
    const char *above = parent == NULL ? "/tmp" : parent;
    struct sti_dir dir = {.raw = NULL};
    stele_store_options options;
    stele_store *s = NULL;
    char name[sizeof s->temporary_name];
    char path[PATH_SIZE];
    stele_env env;
    stele_code code;
    int len;

    if (out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no place for the store");
    }
    stele_env_init(&env);
    (void)snprintf(name, sizeof name, "stele-%016" PRIx64, sti_env_random64(&env));
    len = snprintf(path, sizeof path, "%s/%s", above, name);
    if (len < 0 || (size_t)len >= sizeof path) {
        return sti_fail(err, STELE_EINVAL, "the path is too long");
    }
    code = sti_dir_open(&dir, NULL, above, STELE_OPEN_READ, err);
    if (code != STELE_OK) {
        return sti_wrap(err, code, "open store %s", path);
    }
    stele_store_options_init(&options);
    options.create_dirs = true;
    options.batch_interval_ms = batch_interval_ms;
    options.batch_limit = batch_limit;
    code = stele_store_open(&s, path, &options, err);
    if (code != STELE_OK) {
        sti_dir_close(&dir);
        return code;
    }
    memcpy(s->temporary_name, name, sizeof name);
    s->parent = dir;
    *out = s;
    return STELE_OK;
}

static stele_code remove_file(void *arg, const char *name)
{
    /* What is left keeps the directory, which cannot be removed then: that is the error. */
    (void)sti_dir_unlink(arg, name, NULL, NULL);
    return STELE_OK;
}

static stele_code remove_wal(stele_store *s, stele_error *err)
{
    struct sti_dir dir = {.raw = NULL};
    char path[PATH_SIZE];
    int len = snprintf(path, sizeof path, "%s/%s", s->path, STI_STORE_WAL_NAME);
    stele_code code = len < 0 || (size_t)len >= sizeof path
                              ? STELE_EINVAL
                              : sti_dir_open(&dir, &s->env, path, STELE_OPEN_READ, err);

    if (code == STELE_OK) {
        code = sti_dir_list(&dir, remove_file, &dir, err);
    }
    sti_dir_close(&dir);
    return code == STELE_OK ? sti_dir_remove_dir(&s->dir, STI_STORE_WAL_NAME, err) : code;
}

stele_code sti_store_remove_temporary(stele_store *s, stele_error *err)
{
    stele_code code;

    sti_store_free_views(s);
    sti_store_free_slots(s);
    sti_store_data_close_all(s);
    code = sti_generation_clean(&s->dir, &s->env, 0, NULL, err);
    code = code == STELE_OK ? remove_wal(s, err) : code;
    code = code == STELE_OK ? sti_dir_list(&s->dir, remove_file, &s->dir, err) : code;
    code = code == STELE_OK ? sti_dir_remove_dir(&s->parent, s->temporary_name, err) : code;
    if (code != STELE_OK) {
        return sti_wrap(err, code, "remove store %s", s->path);
    }
    sti_file_close(&s->claim.lock);
    return STELE_OK;
}
