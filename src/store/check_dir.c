/* SPDX-License-Identifier: MIT
 *
 * check_dir.c: verifying a store that is not open here.
 */
#include "base/env.h"
#include "base/error.h"
#include "store/check.h"
#include "store/state.h"
#include "store/wal_open.h"

/* ---- Names. ---- */

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name);
    size_t end_len = strlen(end);

    return len >= end_len && strcmp(name + len - end_len, end) == 0;
}

static stele_code note_name(void *arg, const char *name)
{
    struct sti_check *c = arg;
    bool temporary = false;
    uint64_t number;

    if (sti_generation_parse_name(name, &number, &temporary)) {
        if (temporary || number != c->current.number) {
            sti_faults_note(&c->faults, name,
                    "is not in use: a crash left it, or it is being made or removed");
        }
    } else if (ends_with(name, ".tmp")) {
        sti_faults_note(&c->faults, name, "a crash left it, or it is being written");
    } else if (strcmp(name, STI_STORE_LOCK_NAME) != 0 && strcmp(name, STI_STORE_WAL_NAME) != 0 &&
               strcmp(name, "current") != 0 &&
               strncmp(name, STI_CLAIM_PREFIX, sizeof STI_CLAIM_PREFIX - 1) != 0) {
        sti_faults_note(&c->faults, name, "not a file of a store, and ignored");
    }
    return STELE_OK;
}

/* ---- The generation that counts. ---- */

/* *found: it is known which. */
static stele_code find_current(struct sti_check *c, bool *found, stele_error *err)
{
    const struct sti_place_of_fault place = {.file = "current", .position = -1};
    stele_error why;
    bool has_wal = false;
    stele_code code = sti_current_read(&c->dir, &c->current, &why);

    *found = code == STELE_OK;
    if (code != STELE_ENOTFOUND) {
        return sti_faults_take(&c->faults, &place, code, &why, err);
    }
    code = sti_wal_dir_is_there(&c->env, c->path, &has_wal, err);
    if (code != STELE_OK) {
        return code;
    }
    if (!has_wal) {
        return sti_fail(err, STELE_ENOTFOUND, "there is no store");
    }
    sti_faults_tell(&c->faults, &place, STELE_ECORRUPT, "the file is missing");
    return STELE_OK;
}

/* Another process may replace a generation at any time. */
static stele_code check_current(struct sti_check *c, stele_error *err)
{
    const struct sti_place_of_fault place = {.file = "current", .position = -1};
    stele_error why = {.code = STELE_OK, .position = -1};
    uint64_t before = 0;
    bool found = false;
    stele_code code = find_current(c, &found, err);

    for (int i = 0; i < STI_CHECK_LOOKS && code == STELE_OK && found; i++) {
        before = c->current.number;
        code = sti_check_data(c, &why);
        if (code != STELE_ENOTFOUND) {
            if (code != STELE_OK && err != NULL) {
                *err = why;
            }
            return code;
        }
        code = find_current(c, &found, err);
        if (code == STELE_OK && found && c->current.number == before) {
            sti_faults_tell(&c->faults, &place, STELE_ECORRUPT,
                    "the generation that it names, or its data, is missing");
            return STELE_OK;
        }
    }
    return code;
}

/* If the store was defragmented meanwhile, what was seen of it does not fit together. */
static stele_code check_data_and_wal(struct sti_check *c, stele_error *err)
{
    stele_code code = STELE_OK;

    for (int i = 0; i < STI_CHECK_LOOKS && code == STELE_OK; i++) {
        c->moved = false;
        code = check_current(c, err);
        code = code == STELE_OK && c->pages ? sti_check_wal(c, err) : code;
        sti_lmdb_close(c->lmdb);
        c->lmdb = NULL;
        if (!c->moved || c->faults.sum.faults > 0) {
            break;
        }
        if (i + 1 < STI_CHECK_LOOKS) {
            c->faults.sum = (stele_store_checked){.buckets = 0};
        }
    }
    return code;
}

static stele_code check_all(struct sti_check *c, stele_error *err)
{
    stele_code code = sti_dir_open(&c->dir, &c->env, c->path, STELE_OPEN_READ, err);

    code = code == STELE_OK ? sti_claim_take(&c->claim, &c->dir, true, err) : code;
    code = code == STELE_OK ? check_data_and_wal(c, err) : code;
    if (code == STELE_OK && c->moved) {
        sti_faults_note(&c->faults, STI_STORE_WAL_NAME,
                "was not compared with the data, which was defragmented again and again");
    }
    if (code == STELE_OK && c->pages) {
        code = sti_dir_list(&c->dir, note_name, c, err);
    }
    sti_claim_drop(&c->claim, &c->dir);
    sti_dir_close(&c->dir);
    return code;
}

/* ---- For all. ---- */

static stele_code check(struct sti_check *c, const char *dir, const stele_store_options *opts,
        const char *what, stele_store_checked *out, stele_error *err)
{
    stele_store_options options;
    stele_code code;

    if (dir == NULL) {
        return sti_fail(err, STELE_EINVAL, "no directory");
    }
    code = sti_store_options_resolve(&options, opts, err);
    if (code != STELE_OK) {
        return code;
    }
    sti_env_copy(&c->env, options.env);
    c->path = dir;
    code = check_all(c, err);
    if (code != STELE_OK) {
        return sti_wrap(err, code, "%s store %s", what, dir);
    }
    return sti_faults_result(&c->faults, out, err);
}

stele_code stele_store_scrub_dir(const char *dir, const stele_store_options *opts,
        stele_store_fault_fn each, void *arg, stele_store_checked *out, stele_error *err)
{
    struct sti_check c = {.faults = {.each = each, .arg = arg}};

    return check(&c, dir, opts, "scrub", out, err);
}

stele_code stele_store_check_dir(const char *dir, const stele_store_options *opts,
        stele_store_fault_fn each, void *arg, stele_store_checked *out, stele_error *err)
{
    struct sti_check c = {.faults = {.each = each, .arg = arg}, .pages = true};

    return check(&c, dir, opts, "check", out, err);
}

stele_code stele_store_scrub(stele_store *s, const stele_wait *wait, stele_store_fault_fn each,
        void *arg, stele_store_checked *out, stele_error *err)
{
    struct sti_faults faults = {.each = each, .arg = arg};
    const struct sti_deadline deadline = sti_deadline_of(wait);
    stele_store_read *read = NULL;
    stele_code code = stele_store_read_begin(&read, s, err);

    if (code == STELE_OK) {
        code = sti_scrub(&faults, read->slot->txn, NULL, &deadline, err);
    }
    stele_store_read_end(read);
    return code == STELE_OK ? sti_faults_result(&faults, out, err) : sti_wrap(err, code, "scrub");
}
