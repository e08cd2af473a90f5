/* SPDX-License-Identifier: MIT
 *
 * check_wal.c: the log of durable batches: as a wal, and as what follows the commit.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "store/check.h"
#include "store/state.h"
#include "store/wal_walk.h"

#include <stdio.h>

enum {
    WAIT_MOST_MS = 64,
    FOLLOW_MOST = 256 /* commits of a writer that is never slower than we are */
};

static char *wal_path(const struct sti_check *c)
{
    size_t size = strlen(c->path) + 1 + sizeof STI_STORE_WAL_NAME;
    char *path = sti_malloc(size);

    if (path != NULL) {
        (void)snprintf(path, size, "%s/%s", c->path, STI_STORE_WAL_NAME);
    }
    return path;
}

/* ---- As a wal. ---- */

struct listening {
    struct sti_check *check;
    bool faults; /* tell them, beside the notes */
};

static void on_fault(void *arg, const stele_wal_fault *fault)
{
    const struct listening *l = arg;
    char file[sizeof STI_STORE_WAL_NAME + 256];
    const struct sti_place_of_fault place = {.file = file, .position = fault->position};

    (void)snprintf(file, sizeof file, STI_STORE_WAL_NAME "/%s", fault->file);
    if (fault->code == STELE_OK) {
        sti_faults_note(&l->check->faults, file, fault->text);
    } else if (l->faults) {
        sti_faults_tell(&l->check->faults, &place, fault->code, fault->text);
    }
}

/* A sync may lie between the parts of a change that is under way. */
static stele_code look(const char *path, const stele_wal_options *options, stele_error *why)
{
    stele_code code = stele_wal_check_dir(path, options, NULL, NULL, NULL, why);

    for (int64_t ms = 1; sti_is_fault(code) && ms <= WAIT_MOST_MS; ms *= 4) {
        (void)sti_sleep_ms(ms, NULL, NULL);
        code = stele_wal_check_dir(path, options, NULL, NULL, NULL, why);
    }
    return code;
}

static stele_code check_log(struct sti_check *c, const char *path, stele_error *err)
{
    const struct sti_place_of_fault place = {.file = STI_STORE_WAL_NAME, .position = -1};
    struct listening l = {.check = c};
    uint64_t before = c->faults.sum.faults;
    stele_wal_options options;
    stele_error why;
    stele_code code;

    stele_wal_options_init(&options);
    options.env = &c->env;
    code = look(path, &options, &why);
    if (code == STELE_ENOTFOUND) {
        /* Nothing was logged yet. */
        return STELE_OK;
    }
    if (code == STELE_OK || sti_is_fault(code)) {
        l.faults = code != STELE_OK;
        code = stele_wal_check_dir(path, &options, on_fault, &l, NULL, &why);
    }
    if (c->faults.sum.faults > before || (sti_is_fault(code) && !l.faults)) {
        return STELE_OK;
    }
    return sti_faults_take(&c->faults, &place, code, &why, err);
}

/* ---- What follows the commit. ---- */

static stele_code walk(struct sti_check *c, const char *path,
        const struct sti_commit_record *commit, stele_error *err)
{
    stele_wal_options options;
    stele_wal *wal = NULL;
    stele_error why;
    uint64_t n;
    stele_code code;

    stele_wal_options_init(&options);
    options.env = &c->env;
    options.format = STELE_WAL_STELE;
    options.read_only = true;
    options.must_exist = true;
    code = stele_wal_open(&wal, path, &options, &why);
    if (code == STELE_ENOTFOUND) {
        return commit->wal_id == 0
                       ? STELE_OK
                       : sti_fail(err, STELE_ECORRUPT, "the log of durable batches is missing");
    }
    if (code != STELE_OK) {
        if (err != NULL) {
            *err = why;
        }
        return code;
    }
    code = sti_wal_walk_end(wal, commit, &n, err);
    code = code == STELE_OK ? sti_wal_walk(wal, commit, NULL, NULL, &n, err) : code;
    (void)stele_wal_close(wal, NULL);
    return code;
}

static stele_code read_commit(
        struct sti_check *c, struct sti_commit_record *commit, stele_error *err)
{
    struct sti_lmdb_txn *txn;
    stele_code code = sti_lmdb_begin(&txn, c->lmdb, false, err);

    if (code == STELE_OK) {
        code = sti_commit_record_read(txn, commit, err);
        sti_lmdb_abort(txn);
    }
    return code;
}

static bool is_current(struct sti_check *c)
{
    struct sti_generation now;

    return sti_current_read(&c->dir, &now, NULL) != STELE_OK || now.number == c->current.number;
}

/* What follows a commit is told by that alone: the process that writes may commit meanwhile, and
 * log, or trim, what follows the new one. So a fault is one if the commit is still the last, and
 * its generation the one that counts. */
static stele_code follow_commit(struct sti_check *c, const char *path, stele_error *err)
{
    const struct sti_place_of_fault place = {.file = STI_STORE_WAL_NAME, .position = -1};
    struct sti_commit_record commit;
    struct sti_commit_record later;
    stele_error why;
    stele_code code = read_commit(c, &later, &why);

    for (int i = 0; i < FOLLOW_MOST && code == STELE_OK; i++) {
        stele_error damage;
        stele_code found;

        commit = later;
        found = walk(c, path, &commit, &damage);
        if (!sti_is_fault(found) && found != STELE_ESTATE) {
            return sti_faults_take(&c->faults, &place, found, &damage, err);
        }
        code = read_commit(c, &later, &why);
        if (code == STELE_OK && later.txn_id == commit.txn_id) {
            c->moved = !is_current(c);
            if (c->moved) {
                return STELE_OK;
            }
            found = found == STELE_ESTATE ? STELE_ECORRUPT : found;
            return sti_faults_take(&c->faults, &place, found, &damage, err);
        }
    }
    return sti_faults_take(&c->faults, &place, code, &why, err);
}

stele_code sti_check_wal(struct sti_check *c, stele_error *err)
{
    uint64_t before = c->faults.sum.faults;
    char *path = wal_path(c);
    stele_code code;

    if (path == NULL) {
        return sti_fail_memory(err, strlen(c->path));
    }
    code = check_log(c, path, err);
    if (code == STELE_OK && c->lmdb != NULL && c->faults.sum.faults == before) {
        code = follow_commit(c, path, err);
    }
    sti_free(path);
    return code;
}
