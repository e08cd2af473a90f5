/* SPDX-License-Identifier: MIT
 *
 * open_stele.c: a writer opens a log of format stele.
 *
 * Everything is looked at before anything is changed: a log that is refused stays as it is. Then
 * what is torn goes to quarantine; what may be in the cache alone is written again and synced; the
 * manifest says what holds now; and what it does not list is removed.
 */
#include "base/assert.h"
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "wal/open.h"

#include <inttypes.h>

struct opening {
    struct sti_log *log;
    struct sti_wal_examined open[2]; /* as the manifest lists them */
    size_t open_count;
    uint64_t next_id;              /* behind all that is listed so far */
    bool any;                      /* nothing is */
    bool save;                     /* the manifest is to be written */
    char aside[STI_WAL_NAME_SIZE]; /* a file that is renamed into quarantine after that, or "" */
};

/* ---- Looking. ---- */

static stele_code check_all_unlisted(
        struct sti_log *log, const struct sti_wal_listing *listing, stele_error *err)
{
    size_t count;
    const struct sti_wal_listed *items = sti_wal_listing_of(listing, STI_WAL_NAME_STELE, &count);
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        bool begun = false;

        rc = sti_wal_is_unlisted(&log->dir, &log->manifest, &items[i], &begun, err);
        if (rc == STELE_OK && begun && !STI_MUTANT(WAL_MISSING_UNNOTICED)) {
            rc = sti_fail_at(err, STELE_ECORRUPT, items[i].name, -1,
                    "the manifest does not list the segment: it is an old one");
        }
    }
    return rc;
}

static stele_code push(struct sti_log *log, struct sti_segment *seg, stele_error *err)
{
    stele_code rc;

    sti_mutex_lock(&log->view);
    rc = sti_log_list_push_locked(log, seg, err);
    sti_mutex_unlock(&log->view);
    return rc;
}

static stele_code push_sealed(
        struct opening *o, const struct sti_wal_entry *entry, stele_error *err)
{
    struct sti_log *log = o->log;
    struct sti_segment *seg = NULL;
    stele_file_stat stat;
    stele_error why;
    stele_code rc = sti_wal_segment_new(&seg, STELE_WAL_STELE, entry->number, err);

    if (rc != STELE_OK) {
        return rc;
    }
    seg->first_id = entry->first_id;
    atomic_store(&seg->next_id, entry->last_id + 1);
    atomic_store(&seg->end, entry->end);
    atomic_store(&seg->sealed, true);
    rc = sti_dir_stat(&log->dir, seg->name, &stat, &why);
    if (rc == STELE_ENOTFOUND) {
        rc = STI_MUTANT(WAL_MISSING_UNNOTICED)
                     ? STELE_OK
                     : sti_segment_fail_lost(seg, entry->first_id, entry->last_id, -1, err,
                               "the file is missing");
    } else if (rc != STELE_OK) {
        rc = sti_fail_at(err, rc, seg->name, -1, "%s", why.message);
    } else if (stat.size < entry->end) {
        rc = sti_segment_fail_lost(seg, entry->first_id, entry->last_id, (int64_t)stat.size, err,
                "the file is too short");
    } else {
        seg->capacity = stat.size;
    }
    rc = rc != STELE_OK ? rc : push(log, seg, err);
    if (rc != STELE_OK) {
        sti_segment_drop(seg);
        return rc;
    }
    o->next_id = entry->last_id + 1;
    o->any = false;
    return STELE_OK;
}

static stele_code look(struct opening *o, stele_error *err)
{
    const struct sti_wal_manifest *m = &o->log->manifest;
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < m->count && rc == STELE_OK; i++) {
        if (m->entries[i].state == STI_WAL_ENTRY_SEALED) {
            rc = push_sealed(o, &m->entries[i], err);
        } else {
            sti_assert(o->open_count < 2);
            rc = sti_wal_examine(
                    &o->open[o->open_count++], &o->log->dir, &m->entries[i], true, err);
        }
    }
    return rc;
}

static stele_code judge(const struct opening *o, stele_error *err)
{
    struct sti_wal_judgement j;
    const struct sti_segment *seg;

    if (o->open_count == 0) {
        return STELE_OK;
    }
    sti_wal_judge(&o->open[0], o->open_count > 1 ? &o->open[1] : NULL, o->next_id, o->any, &j);
    if (j.verdict == STI_WAL_GOOD || STI_MUTANT(WAL_MISSING_UNNOTICED)) {
        return STELE_OK;
    }
    seg = o->open[j.verdict == STI_WAL_BAD_FIRST ? 0 : 1].seg;
    return sti_segment_fail_lost(seg, j.first_lost, j.last_lost, j.position, err, j.text);
}

/* ---- Mending. ---- */

/* List a segment whose records are all there, but not what is behind them. */
static stele_code keep_sealed(struct opening *o, struct sti_wal_examined *x, stele_error *err)
{
    struct sti_segment *seg = x->seg;
    stele_code rc;

    o->save = true;
    if (x->scan.records == 0) {
        return STELE_OK; /* no longer listed, and removed with other leftovers */
    }
    atomic_store(&seg->sealed, true);
    seg->indexed = true;
    rc = push(o->log, seg, err);
    if (rc == STELE_OK) {
        x->seg = NULL;
        o->next_id = x->scan.next_id;
        o->any = false;
    }
    return rc;
}

/* The bytes that a crash tore, before they are given up. Without room for a copy they stay where
 * they are: behind the end of a segment, or, where there is none, in a file that is put aside. */
static stele_code set_aside(struct opening *o, struct sti_wal_examined *x, stele_error *err)
{
    struct sti_log *log = o->log;
    char name[STI_WAL_NAME_SIZE];
    uint64_t to = x->scan.torn_end < x->scan.file_size ? x->scan.torn_end : x->scan.file_size;
    stele_code rc;

    if (STI_MUTANT(WAL_TORN_TAIL_FATAL) ||
            (x->scan.records == 0 && STI_MUTANT(WAL_TORN_FIRST_FATAL))) {
        return sti_segment_fail_lost(
                x->seg, x->scan.next_id, 0, (int64_t)x->scan.end, err, "the tail is torn");
    }
    rc = sti_wal_quarantine(&log->dir, &x->seg->file, x->seg->name, x->scan.torn_at, to, name, err);
    if (rc == STELE_ENOSPC) {
        if (x->scan.records == 0) {
            memcpy(o->aside, x->seg->name, sizeof o->aside);
        }
        memcpy(name, x->seg->name, sizeof name);
        rc = STELE_OK;
    }
    if (rc == STELE_OK) {
        sti_log_tell_cut(log, x->seg->name, x->scan.torn_at, to, name);
    }
    return rc;
}

static uint64_t seal_size(const struct sti_wal_examined *x)
{
    return x->scan.sealed ? sti_wal_seal_size(x->scan.records) : 0;
}

/* Whatever of it no frame calls durable, written again. */
static stele_code renew(struct opening *o, struct sti_wal_examined *x, stele_error *err)
{
    uint64_t from = x->scan.durable < x->scan.end ? x->scan.durable : x->scan.end;
    uint64_t to = x->scan.end + seal_size(x);

    o->save = true;
    return sti_wal_renew(&x->seg->file, from, to < x->scan.file_size ? to : x->scan.file_size, err);
}

/* Go on with a segment that was not sealed, or never begun. */
static stele_code keep_head(struct opening *o, struct sti_wal_examined *x, stele_error *err)
{
    struct sti_log *log = o->log;
    struct sti_segment *seg = x->seg;
    stele_code rc = STELE_OK;

    if (x->scan.header && x->scan.marked) {
        seg->marked_at = x->scan.end;
    } else if (x->scan.header) {
        rc = renew(o, x, err);
    } else {
        seg->first_id = o->next_id;
        seg->salt = sti_segment_new_salt(&log->env, 0);
        atomic_store(&seg->next_id, o->next_id);
    }
    if (!seg->allocated && seg->capacity < log->options.segment_size) {
        seg->capacity = log->options.segment_size;
    }
    rc = rc != STELE_OK ? rc
                        : sti_segment_open_file(seg, &log->dir, true, log->options.no_map,
                                  (size_t)seg->capacity, err);
    rc = rc != STELE_OK ? rc : push(log, seg, err);
    if (rc == STELE_OK) {
        seg->indexed = true;
        atomic_store(&seg->loaded, true);
        log->head = seg;
        x->seg = NULL;
        o->next_id = atomic_load(&seg->next_id);
        o->any = o->any && !x->scan.header;
    }
    return rc;
}

/* The one behind the newest: listed, and not begun. */
static stele_code keep_prepared(struct opening *o, struct sti_wal_examined *x, stele_error *err)
{
    struct sti_log *log = o->log;
    stele_code rc;

    if (x->missing || x->shortened || x->begun) {
        sti_env_log(&log->env, STELE_LOG_WARN,
                "log %s: %s, which was prepared and never used, is missing or damaged: it is made "
                "again when it is needed",
                log->path, x->seg->name);
        o->save = true;
        return STELE_OK;
    }
    rc = sti_segment_open_file(
            x->seg, &log->dir, true, log->options.no_map, (size_t)x->seg->capacity, err);
    if (rc == STELE_OK) {
        x->seg->indexed = true;
        atomic_store(&x->seg->loaded, true);
        log->prepared.segment = x->seg;
        x->seg = NULL;
    }
    return rc;
}

/* The newest segment, which is not sealed. */
static stele_code settle_newest(struct opening *o, struct sti_wal_examined *x, stele_error *err)
{
    const struct sti_scan *s = &x->scan;
    stele_code rc = STELE_OK;

    if (!s->torn && (s->header ? s->records > 0 : !x->shortened)) {
        return keep_head(o, x, err);
    }
    if (STI_MUTANT(WAL_TORN_TAIL_KEPT) && s->header && s->records > 0) {
        return keep_head(o, x, err);
    }
    if (s->torn) {
        rc = set_aside(o, x, err);
    }
    if (rc == STELE_OK && s->header && s->records > 0) {
        rc = renew(o, x, err);
    }
    return rc != STELE_OK ? rc : keep_sealed(o, x, err);
}

static stele_code settle(struct opening *o, stele_error *err)
{
    struct sti_wal_examined *first = &o->open[0];
    struct sti_wal_examined *second = o->open_count > 1 ? &o->open[1] : NULL;
    bool followed = second != NULL && !second->missing && second->begun;
    stele_code rc = STELE_OK;

    if (o->open_count == 0) {
        return STELE_OK;
    }
    if (!first->scan.header || (!first->scan.sealed && !followed)) {
        rc = settle_newest(o, first, err);
        return rc != STELE_OK || second == NULL ? rc : keep_prepared(o, second, err);
    }
    /* That the second was begun says that the seal of the first is durable. */
    if (!followed) {
        rc = renew(o, first, err);
    }
    if (rc == STELE_OK) {
        bool save = o->save;

        rc = keep_sealed(o, first, err);
        o->save = save || !followed;
    }
    return rc != STELE_OK || second == NULL ? rc : settle_newest(o, second, err);
}

/* ---- All of it. ---- */

/* Where nothing is in doubt, a mark says so, or the manifest, if there is nothing to mark. */
static bool was_clean(const struct opening *o)
{
    const struct sti_segment *head = o->log->head;

    return head != NULL && atomic_load(&head->end) > 0 ? head->marked_at != 0
                                                       : o->log->manifest.clean;
}

static stele_code write_manifest(struct sti_log *log, stele_error *err)
{
    stele_code rc;

    if (STI_MUTANT(WAL_CACHE_BELIEVED)) {
        return STELE_OK;
    }
    sti_mutex_lock(&log->files);
    /* In a new file, since the name of this one may be in the cache alone, too; but on a full
     * disk in its place. */
    sti_wal_manifest_close(&log->manifest_file);
    rc = sti_log_save_locked(log, false, err);
    if (rc == STELE_ENOSPC) {
        struct sti_wal_manifest again;

        rc = sti_wal_manifest_read(&log->dir, &again, NULL, &log->manifest_file, err);
        if (rc == STELE_OK) {
            sti_wal_manifest_free(&again);
            rc = sti_log_save_locked(log, false, err);
        }
    }
    sti_mutex_unlock(&log->files);
    return rc;
}

static stele_code finish(struct opening *o, const struct sti_wal_listing *listing, stele_error *err)
{
    struct sti_log *log = o->log;
    char name[STI_WAL_NAME_SIZE];
    stele_code rc = STELE_OK;

    if (o->save || !was_clean(o) || sti_log_has_leftovers(log, listing)) {
        rc = write_manifest(log, err);
    } else if (log->manifest_differs) {
        /* A full disk kept the second slot from being written. */
        rc = write_manifest(log, err);
        rc = rc == STELE_ENOSPC ? STELE_OK : rc;
    }
    if (rc == STELE_OK && o->aside[0] != '\0') {
        rc = sti_wal_quarantine_file(&log->dir, o->aside, name, err);
    }
    return rc != STELE_OK ? rc : sti_log_remove_leftovers(log, listing, err);
}

stele_code sti_log_open_stele(
        struct sti_log *log, const struct sti_wal_listing *listing, stele_error *err)
{
    struct opening o = {.log = log, .next_id = 1, .any = true};
    stele_code rc = check_all_unlisted(log, listing, err);

    rc = rc != STELE_OK ? rc : look(&o, err);
    rc = rc != STELE_OK ? rc : judge(&o, err);
    rc = rc != STELE_OK ? rc : settle(&o, err);
    for (size_t i = 0; i < o.open_count; i++) {
        sti_wal_examined_free(&o.open[i]);
    }
    rc = rc != STELE_OK ? rc : finish(&o, listing, err);
    if (rc == STELE_OK) {
        sti_log_rebase(log, o.next_id);
    }
    return rc;
}
