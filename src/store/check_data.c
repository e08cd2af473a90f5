/* SPDX-License-Identifier: MIT
 *
 * check_data.c: the pages of a generation, and what they hold.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "store/check.h"
#include "store/pages.h"

#include <stdio.h>

static stele_code take(
        struct sti_check *c, stele_code code, const stele_error *why, stele_error *err)
{
    char file[STI_DATA_NAME_SIZE];
    const struct sti_place_of_fault place = {.file = file, .position = -1};

    sti_data_name(file, c->current.number);
    return sti_faults_take(&c->faults, &place, code, why, err);
}

/* ---- Pages. ---- */

static stele_code open_dir(struct sti_check *c, struct sti_dir *dir, stele_error *err)
{
    char name[STI_GENERATION_NAME_SIZE];
    size_t size = strlen(c->path) + 1 + sizeof name;
    char *path = sti_malloc(size);
    stele_code code;

    if (path == NULL) {
        return sti_fail_memory(err, size);
    }
    sti_generation_name(name, c->current.number, false);
    (void)snprintf(path, size, "%s/%s", c->path, name);
    code = sti_dir_open(dir, &c->env, path, STELE_OPEN_READ, err);
    sti_free(path);
    return code;
}

static stele_code look_at_metas(struct sti_dir *dir, stele_error *why)
{
    stele_code code = STELE_ECORRUPT;
    uint64_t txn_id;

    for (int i = 0; i < STI_CHECK_LOOKS && sti_is_fault(code); i++) {
        code = sti_pages_newest(dir, &txn_id, why);
    }
    return code;
}

static void on_page(void *arg, int64_t position, const char *text)
{
    struct sti_check *c = arg;
    char file[STI_DATA_NAME_SIZE];
    const struct sti_place_of_fault place = {.file = file, .position = position};

    sti_data_name(file, c->current.number);
    sti_faults_tell(&c->faults, &place, STELE_ECORRUPT, text);
}

/* All pages of a snapshot, which *txn is then. *whole: no fault was told. */
static stele_code look_at_pages(struct sti_check *c, struct sti_dir *dir, struct sti_lmdb *lmdb,
        struct sti_lmdb_txn **txn, bool *whole, stele_error *err)
{
    struct sti_pages_found found = {.faults = 0};
    stele_code code = STELE_OK;

    *whole = false;
    for (int i = 1; i <= STI_CHECK_LOOKS && code == STELE_OK && !*whole; i++) {
        bool last = i == STI_CHECK_LOOKS;

        sti_lmdb_abort(*txn);
        *txn = NULL;
        code = sti_lmdb_begin(txn, lmdb, false, err);
        if (code != STELE_OK) {
            break;
        }
        code = sti_pages_check(dir, sti_lmdb_txn_id(*txn), last ? on_page : NULL, c, &found, err);
        *whole = code == STELE_OK && found.faults == 0;
        code = code == STELE_EBUSY && !last ? STELE_OK : code;
    }
    c->faults.sum.pages = found.pages;
    return code;
}

/* ---- Contents. ---- */

static stele_code look_inside(struct sti_check *c, struct sti_dir *dir, struct sti_lmdb *lmdb,
        bool *kept, stele_error *err)
{
    struct sti_lmdb_txn *txn = NULL;
    bool whole = true;
    stele_error why;
    stele_code code = c->pages ? look_at_pages(c, dir, lmdb, &txn, &whole, &why)
                               : sti_lmdb_begin(&txn, lmdb, false, &why);

    if (code == STELE_OK && whole && c->pages) {
        code = sti_lmdb_trees(lmdb, txn, &why);
    }
    if (code != STELE_OK || !whole) {
        sti_lmdb_abort(txn);
        return take(c, code, &why, err);
    }
    code = sti_scrub(&c->faults, txn, &c->current, &c->deadline, &why);
    if (code != STELE_OK) {
        sti_lmdb_abort(txn);
        return take(c, code, &why, err);
    }
    /* So that the trees stay open. */
    code = sti_lmdb_commit(txn, &why);
    *kept = code == STELE_OK;
    return take(c, code, &why, err);
}

static stele_code open_and_look(struct sti_check *c, struct sti_dir *dir, stele_error *err)
{
    const struct sti_lmdb_options options = {.env = &c->env, .read_only = true, .later = c->pages};
    struct sti_lmdb *lmdb = NULL;
    bool kept = false;
    stele_error why;
    stele_code code = sti_generation_open(&lmdb, &c->dir, c->current.number, false, &options, &why);

    if (code != STELE_OK) {
        return take(c, code, &why, err);
    }
    code = look_inside(c, dir, lmdb, &kept, err);
    if (!kept) {
        sti_lmdb_close(lmdb);
    } else {
        c->lmdb = lmdb;
    }
    return code;
}

static stele_code note_name(void *arg, const char *name)
{
    struct sti_check *c = arg;
    char generation[STI_GENERATION_NAME_SIZE];
    char file[STI_GENERATION_NAME_SIZE + 256];

    if (strcmp(name, "data.mdb") != 0 && strcmp(name, "lock.mdb") != 0) {
        sti_generation_name(generation, c->current.number, false);
        (void)snprintf(file, sizeof file, "%s/%s", generation, name);
        sti_faults_note(&c->faults, file, "not a file of a store, and ignored");
    }
    return STELE_OK;
}

stele_code sti_check_data(struct sti_check *c, stele_error *err)
{
    struct sti_dir dir = {.raw = NULL};
    uint64_t before = c->faults.sum.faults;
    stele_error why;
    stele_code code = open_dir(c, &dir, err);

    if (code != STELE_OK) {
        return code;
    }
    if (c->pages) {
        code = look_at_metas(&dir, &why);
    }
    if (code != STELE_OK) {
        sti_dir_close(&dir);
        return take(c, code, &why, err);
    }
    code = open_and_look(c, &dir, err);
    if (code == STELE_OK && c->pages) {
        code = sti_dir_list(&dir, note_name, c, err);
    }
    if (code == STELE_OK && c->lmdb == NULL && c->faults.sum.keys == 0 &&
            c->faults.sum.faults > before) {
        char file[STI_DATA_NAME_SIZE];

        sti_data_name(file, c->current.number);
        sti_faults_note(&c->faults, file, "its contents were not looked at");
    }
    sti_dir_close(&dir);
    return code;
}
