/* SPDX-License-Identifier: MIT
 *
 * generation.c: making, naming and removing generations.
 */
#include "store/generation.h"

#include "base/alloc.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "store/buckets.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    TEXT_SIZE = 160,
    CLEAN_AT_ONCE = 16
};

#define CURRENT STI_CURRENT_NAME
#define HEADING "stele-store 1\n"

void sti_generation_name(char out[STI_GENERATION_NAME_SIZE], uint64_t number, bool temporary)
{
    (void)snprintf(
            out, STI_GENERATION_NAME_SIZE, "gen-%" PRIu64 "%s", number, temporary ? ".tmp" : "");
}

bool sti_generation_parse_name(const char *name, uint64_t *number, bool *temporary)
{
    char again[STI_GENERATION_NAME_SIZE];
    size_t len = strlen(name);

    if (strncmp(name, "gen-", 4) != 0 || name[4] < '0' || name[4] > '9') {
        return false;
    }
    *number = strtoull(name + 4, NULL, 10);
    *temporary = len > 4 && strcmp(name + len - 4, ".tmp") == 0;
    sti_generation_name(again, *number, *temporary);
    return strcmp(again, name) == 0;
}

/* ---- current ---- */

static size_t encode_current(char out[TEXT_SIZE], const struct sti_generation *g)
{
    int len = snprintf(out, TEXT_SIZE, HEADING "generation %" PRIu64 "\nid %016" PRIx64 "\n",
            g->number, g->store_id);

    len += snprintf(out + len, (size_t)(TEXT_SIZE - len), "crc %08" PRIx32 "\n",
            sti_crc32c(0, out, (size_t)len));
    return (size_t)len;
}

/* The text of what was parsed must be the text that was read: nothing else needs to be checked. */
static stele_code decode_current(
        struct sti_generation *out, const char *text, size_t len, stele_error *err)
{
    static const char heading[] = HEADING;
    struct sti_generation g = {0, 0};
    char again[TEXT_SIZE];
    const char *at;

    if (strncmp(text, heading, sizeof heading - 1) != 0) {
        if (strncmp(text, "stele-store ", 12) == 0) {
            return sti_fail_at(err, STELE_EVERSION, CURRENT, 0, "a later version, or damaged");
        }
        return sti_fail_at(err, STELE_ECORRUPT, CURRENT, 0, "this is not the file of a store");
    }
    at = strstr(text, "generation ");
    g.number = at == NULL ? 0 : strtoull(at + 11, NULL, 10);
    at = strstr(text, "\nid ");
    g.store_id = at == NULL ? 0 : strtoull(at + 4, NULL, 16);
    if (g.number == 0 || encode_current(again, &g) != len || memcmp(again, text, len) != 0) {
        return sti_fail_at(err, STELE_ECORRUPT, CURRENT, -1, "damaged");
    }
    *out = g;
    return STELE_OK;
}

stele_code sti_current_open(
        struct sti_file *file, struct sti_dir *dir, struct sti_generation *out, stele_error *err)
{
    char text[TEXT_SIZE + 1];
    size_t len = 0;
    stele_code code = sti_file_open(file, dir, CURRENT, STELE_OPEN_READ, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_file_read_some(file, 0, text, TEXT_SIZE, &len, err);
    if (code == STELE_OK) {
        text[len] = '\0';
        code = decode_current(out, text, len, err);
    }
    if (code != STELE_OK) {
        sti_file_close(file);
    }
    return code;
}

stele_code sti_current_read(struct sti_dir *dir, struct sti_generation *out, stele_error *err)
{
    struct sti_file file = {.raw = NULL};
    stele_code code = sti_current_open(&file, dir, out, err);

    sti_file_close(&file);
    return code;
}

stele_code sti_current_write(
        struct sti_dir *dir, const struct sti_generation *generation, stele_error *err)
{
    char text[TEXT_SIZE];
    size_t len = encode_current(text, generation);

    if (STI_MUTANT(STORE_CURRENT_IN_PLACE)) {
        struct sti_file file = {.raw = NULL};
        stele_code code =
                sti_file_open(&file, dir, CURRENT, STELE_OPEN_WRITE | STELE_OPEN_CREATE, err);

        code = code == STELE_OK ? sti_dir_sync(dir, err) : code;
        code = code == STELE_OK ? sti_file_write(&file, 0, text, len, err) : code;
        code = code == STELE_OK ? sti_file_sync(&file, false, err) : code;
        sti_file_close(&file);
        return code;
    }
    return sti_dir_replace(dir, CURRENT, text, len, err);
}

/* ---- Generations. ---- */

/* "DIR/gen-N", to be freed. */
static stele_code make_path(
        char **out, const struct sti_dir *dir, uint64_t number, bool temporary, stele_error *err)
{
    size_t size = strlen(dir->path) + 1 + STI_GENERATION_NAME_SIZE;
    char name[STI_GENERATION_NAME_SIZE];
    char *path = sti_malloc(size);

    if (path == NULL) {
        return sti_fail_memory(err, size);
    }
    sti_generation_name(name, number, temporary);
    (void)snprintf(path, size, "%s/%s", dir->path, name);
    *out = path;
    return STELE_OK;
}

static stele_code open_dir(struct sti_dir *out, const struct sti_dir *dir, const stele_env *env,
        uint64_t number, bool temporary, unsigned flags, stele_error *err)
{
    char *path = NULL;
    stele_code code = make_path(&path, dir, number, temporary, err);

    if (code == STELE_OK) {
        code = sti_dir_open(out, env, path, flags, err);
    }
    sti_free(path);
    return code;
}

stele_code sti_generation_open(struct sti_lmdb **out, const struct sti_dir *dir, uint64_t number,
        bool temporary, const struct sti_lmdb_options *options, stele_error *err)
{
    struct sti_lmdb_options o = *options;
    char name[STI_GENERATION_NAME_SIZE];
    char *path = NULL;
    stele_code code = make_path(&path, dir, number, temporary, err);

    if (code != STELE_OK) {
        return code;
    }
    o.path = path;
    o.create = false;
    code = sti_lmdb_open(out, &o, err);
    sti_free(path);
    sti_generation_name(name, number, temporary);
    return code == STELE_OK ? code : sti_wrap(err, code, "%s", name);
}

/* The first commit. Its layers are numbered from 1, as its buckets are. */
static stele_code write_first(
        struct sti_lmdb *lmdb, const struct sti_generation *generation, stele_error *err)
{
    struct sti_commit_record record = {
            .store_id = generation->store_id,
            .generation = generation->number,
            .next_bucket = 1,
            .next_layer = 1,
    };
    struct sti_lmdb_txn *txn;
    stele_code code = sti_lmdb_begin(&txn, lmdb, true, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_commit_record_write(txn, &record, err);
    if (code != STELE_OK) {
        sti_lmdb_abort(txn);
        return code;
    }
    return sti_lmdb_commit(txn, err);
}

stele_code sti_generation_make_dir(
        struct sti_dir *dir, const stele_env *env, uint64_t number, stele_error *err)
{
    struct sti_dir inner = {.raw = NULL};
    stele_code code = sti_generation_remove(dir, env, number, true, err);

    if (code == STELE_OK) {
        code = open_dir(&inner, dir, env, number, true, STELE_OPEN_CREATE | STELE_OPEN_EXCL, err);
    }
    sti_dir_close(&inner);
    return code;
}

stele_code sti_generation_make(struct sti_dir *dir, const stele_env *env,
        const struct sti_generation *generation, stele_error *err)
{
    struct sti_lmdb_options options = {.env = env, .create = true};
    struct sti_lmdb *lmdb = NULL;
    char *path = NULL;
    stele_code code = sti_generation_make_dir(dir, env, generation->number, err);

    if (code == STELE_OK) {
        code = make_path(&path, dir, generation->number, true, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    options.path = path;
    code = sti_lmdb_open(&lmdb, &options, err);
    if (code == STELE_OK && !STI_MUTANT(STORE_FIRST_NOT_COMMITTED)) {
        code = write_first(lmdb, generation, err);
    }
    sti_lmdb_close(lmdb);
    sti_free(path);
    return code;
}

stele_code sti_generation_finish(struct sti_dir *dir, const stele_env *env,
        const struct sti_generation *generation, stele_error *err)
{
    char temporary[STI_GENERATION_NAME_SIZE];
    char name[STI_GENERATION_NAME_SIZE];
    struct sti_dir inner = {.raw = NULL};
    stele_code code = open_dir(&inner, dir, env, generation->number, true, 0, err);

    if (code != STELE_OK) {
        return code;
    }
    code = STI_MUTANT(STORE_GENERATION_NOT_SYNCED) ? STELE_OK : sti_dir_sync(&inner, err);
    sti_dir_close(&inner);
    if (code != STELE_OK) {
        return code;
    }
    sti_generation_name(temporary, generation->number, true);
    sti_generation_name(name, generation->number, false);
    code = sti_dir_rename(dir, temporary, name, err);
    return code == STELE_OK && !STI_MUTANT(STORE_GENERATION_NAME_NOT_SYNCED)
                   ? sti_dir_sync(dir, err)
                   : code;
}

/* ---- Removing. ---- */

struct removal {
    struct sti_dir *dir;
    stele_error *err;
};

static stele_code remove_file(void *arg, const char *name)
{
    const struct removal *r = arg;

    return sti_dir_unlink(r->dir, name, NULL, r->err);
}

stele_code sti_generation_remove(struct sti_dir *dir, const stele_env *env, uint64_t number,
        bool temporary, stele_error *err)
{
    char name[STI_GENERATION_NAME_SIZE];
    struct sti_dir inner = {.raw = NULL};
    const struct removal removal = {&inner, err};
    stele_error why;
    stele_code code = open_dir(&inner, dir, env, number, temporary, 0, &why);

    if (code == STELE_ENOTFOUND) {
        return STELE_OK;
    }
    if (code != STELE_OK) {
        if (err != NULL) {
            *err = why;
        }
        return code;
    }
    sti_generation_name(name, number, temporary);
    code = sti_dir_list(&inner, remove_file, (void *)(uintptr_t)&removal, err);
    sti_dir_close(&inner);
    if (code != STELE_OK) {
        return sti_wrap(err, code, "cannot empty %s", name);
    }
    return sti_dir_remove_dir(dir, name, err);
}

stele_code sti_generation_retire(
        struct sti_dir *dir, const stele_env *env, uint64_t number, stele_error *err)
{
    char temporary[STI_GENERATION_NAME_SIZE];
    char name[STI_GENERATION_NAME_SIZE];
    stele_code code = sti_generation_remove(dir, env, number, true, err);

    sti_generation_name(temporary, number, true);
    sti_generation_name(name, number, false);
    code = code == STELE_OK ? sti_dir_rename(dir, name, temporary, err) : code;
    return code == STELE_OK ? sti_generation_remove(dir, env, number, true, err) : code;
}

struct listing {
    uint64_t keep;
    bool found;
    size_t count; /* of those that are to be removed; the rest is for another round */
    uint64_t number[CLEAN_AT_ONCE];
    bool temporary[CLEAN_AT_ONCE];
};

static stele_code on_name(void *arg, const char *name)
{
    struct listing *l = arg;
    uint64_t number;
    bool temporary;

    if (!sti_generation_parse_name(name, &number, &temporary)) {
        return STELE_OK;
    }
    l->found = l->found || !temporary;
    if ((temporary || number != l->keep) && l->count < CLEAN_AT_ONCE) {
        l->number[l->count] = number;
        l->temporary[l->count++] = temporary;
    }
    return STELE_OK;
}

stele_code sti_generation_others(
        struct sti_dir *dir, uint64_t number, bool *others, stele_error *err)
{
    struct listing l = {.keep = number};
    stele_code code = sti_dir_list(dir, on_name, &l, err);

    for (size_t i = 0; code == STELE_OK && i < l.count; i++) {
        *others = *others || !l.temporary[i];
    }
    return code;
}

stele_code sti_generation_clean(
        struct sti_dir *dir, const stele_env *env, uint64_t keep, bool *found, stele_error *err)
{
    bool any = false;
    stele_code code = sti_dir_unlink(dir, CURRENT ".tmp", NULL, err);

    while (code == STELE_OK && !STI_MUTANT(STORE_LEFTOVERS_KEPT)) {
        struct listing l = {.keep = keep};

        code = sti_dir_list(dir, on_name, &l, err);
        any = any || l.found;
        for (size_t i = 0; code == STELE_OK && i < l.count; i++) {
            code = sti_generation_remove(dir, env, l.number[i], l.temporary[i], err);
        }
        if (code == STELE_OK && l.count < CLEAN_AT_ONCE) {
            break;
        }
    }
    if (code == STELE_OK && found != NULL) {
        *found = any;
    }
    return code;
}
