/* SPDX-License-Identifier: MIT
 *
 * recover.c: cut what is damaged, keep what is whole, and number on above all of it.
 */
#include "stream/recover.h"

#include "base/alloc.h"
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/dir_tool.h"
#include "stream/index_file.h"
#include "stream/keys.h"
#include "stream/quarantine.h"
#include "stream/salvage.h"

#include <inttypes.h>
#include <string.h>

struct recovery {
    struct sti_dir *dir;
    const stele_env *env; /* may be NULL */
    bool dry_run;
    bool head_only;
    const stele_stream_recover_events *events;
    struct sti_params_guess guess;
    stele_stream_recovered total;
    bool keep_leftovers;
    stele_code skipped; /* why a segment was left alone */
    stele_error skipped_error;
    stele_error *err;
};

/* One segment on its way. */
struct patient {
    struct sti_loaded files;
    struct sti_salvage salvage;
    int64_t limit;
    uint8_t *composed;  /* the new bytes of the log, if it is written again */
    const uint8_t *log; /* the bytes of the log as it will be */
    uint64_t log_len;
    int64_t new_base; /* what it will be called by */
    bool changed;     /* bytes of the log, other than zeros cut off its end */
};

static void patient_free(struct patient *p)
{
    sti_loaded_free(&p->files);
    sti_salvage_free(&p->salvage);
    sti_free(p->composed);
    memset(p, 0, sizeof *p);
}

/* Read and examine a segment. */
static stele_code examine(struct recovery *r, struct patient *p, int64_t base, int64_t limit)
{
    struct sti_witness witness;
    stele_code rc = sti_loaded_read(&p->files, r->dir, base, &r->guess, r->err);

    if (rc != STELE_OK) {
        return rc;
    }
    sti_witness_of(&witness, p->files.index, p->files.index_len, base, p->files.params);
    p->limit = limit;
    p->new_base = base;
    return sti_salvage_run(
            &p->salvage, p->files.log, p->files.log_len, base, limit, &witness, r->err);
}

/* The highest offset that the segment shows, whole or not. */
static int64_t highest_seen(const struct patient *p)
{
    int64_t highest = sti_index_highest(p->files.index, p->files.index_len, p->files.base);

    highest = p->salvage.seen > highest ? p->salvage.seen : highest;
    return p->salvage.last > highest ? p->salvage.last : highest;
}

/* ---- Telling. ---- */

static void tell_lost(const struct recovery *r, int64_t first, int64_t last)
{
    if (first > last || STI_MUTANT(LOST_NOT_REPORTED)) {
        return;
    }
    sti_env_log(r->env, STELE_LOG_WARN, "stream %s: offsets %" PRId64 " to %" PRId64 " are lost",
            r->dir->path, first, last);
    if (r->events != NULL && r->events->lost != NULL) {
        r->events->lost(r->events->arg, first, last);
    }
}

static void tell_all_lost(const struct recovery *r, const struct patient *p)
{
    int64_t last = p->files.base - 1;
    int64_t highest = highest_seen(p);

    for (size_t i = 0; i < p->salvage.count; i++) {
        const struct sti_piece *piece = &p->salvage.pieces[i];

        if (piece->kind == STI_PIECE_DAMAGED || piece->kind == STI_PIECE_UNFINISHED) {
            tell_lost(r, piece->first, piece->last);
        }
        last = piece->last > last ? piece->last : last;
    }
    /* Messages that the index shows, and the log does not any more. */
    highest = highest < p->limit ? highest : p->limit - 1;
    tell_lost(r, last + 1, highest);
}

static stele_code put_aside(struct recovery *r, const struct patient *p, uint64_t at, uint64_t end)
{
    char name[STI_NAME_SIZE];
    stele_code rc = STELE_OK;

    sti_name_quarantine(name, p->files.base, at);
    if (!r->dry_run && !STI_MUTANT(RECOVER_NO_QUARANTINE)) {
        rc = sti_quarantine_put(
                r->dir, p->files.base, at, p->files.log + at, (size_t)(end - at), name, r->err);
    }
    if (rc == STELE_OK) {
        sti_env_log(r->env, STELE_LOG_WARN, "stream %s: %" PRIu64 " bytes go to %s", r->dir->path,
                end - at, name);
    }
    if (rc == STELE_OK && r->events != NULL && r->events->quarantine != NULL) {
        r->events->quarantine(r->events->arg, name);
    }
    return rc;
}

/* ---- The log. ---- */

/* Put aside whatever the new log will not hold as it was. */
static stele_code quarantine(struct recovery *r, const struct patient *p)
{
    for (size_t i = 0; i < p->salvage.count; i++) {
        const struct sti_piece *piece = &p->salvage.pieces[i];
        stele_code rc;

        if (piece->kind == STI_PIECE_KEPT) {
            continue;
        }
        rc = put_aside(r, p, piece->at, piece->end);
        if (rc != STELE_OK) {
            return rc;
        }
    }
    return STELE_OK;
}

/* Cut the end off, and make durable what stays. */
static stele_code cut(struct recovery *r, const struct patient *p, bool newest)
{
    struct sti_file f = {0};
    char name[STI_NAME_SIZE];
    bool shorter = p->log_len < p->files.log_len;
    stele_code rc;

    if (!shorter && !newest) {
        return STELE_OK;
    }
    sti_name_log(name, p->files.base);
    rc = sti_file_open(&f, r->dir, name, STELE_OPEN_WRITE, r->err);
    if (rc == STELE_OK && shorter) {
        rc = sti_file_truncate(&f, p->log_len, r->err);
    }
    if (rc == STELE_OK && !STI_MUTANT(RECOVER_NOT_SYNCED)) {
        rc = sti_file_sync(&f, false, r->err);
    }
    sti_file_close(&f);
    return rc;
}

/* The reference's fault: what a crash left in the temporary file stays. */
static stele_code append_to_stale(
        struct recovery *r, const char *temporary, const char *name, stele_bytes bytes)
{
    struct sti_file f = {0};
    stele_file_stat st = {0};
    stele_code rc =
            sti_file_open(&f, r->dir, temporary, STELE_OPEN_WRITE | STELE_OPEN_CREATE, r->err);

    if (rc == STELE_OK) {
        rc = sti_file_stat(&f, &st, r->err);
    }
    if (rc == STELE_OK && bytes.len > 0) {
        rc = sti_file_write(&f, st.size, bytes.data, bytes.len, r->err);
    }
    if (rc == STELE_OK) {
        rc = sti_file_sync(&f, false, r->err);
    }
    sti_file_close(&f);
    return rc == STELE_OK ? sti_dir_rename(r->dir, temporary, name, r->err) : rc;
}

static stele_code write_again(struct recovery *r, const struct patient *p)
{
    stele_bytes bytes = stele_bytes_of(p->log, (size_t)p->log_len);
    char temporary[STI_NAME_SIZE];
    char name[STI_NAME_SIZE];
    stele_code rc;

    sti_name_recover(temporary, p->files.base);
    sti_name_log(name, p->new_base);
    if (STI_MUTANT(RECOVER_APPENDS_STALE)) {
        rc = append_to_stale(r, temporary, name, bytes);
    } else {
        rc = sti_log_replace(
                r->dir, temporary, name, bytes, !STI_MUTANT(RECOVER_NOT_SYNCED), r->err);
    }
    return rc == STELE_OK ? sti_dir_sync(r->dir, r->err) : rc;
}

/* What the log will be: its start, or new bytes. */
static stele_code plan(struct recovery *r, struct patient *p)
{
    stele_code rc;

    p->log = p->files.log;
    p->log_len = p->salvage.end;
    p->changed = !sti_salvage_is_whole(&p->salvage);
    if (sti_salvage_is_prefix(&p->salvage)) {
        return STELE_OK;
    }
    if (p->salvage.version == STELE_STREAM_VERSION_DEFAULT) {
        p->salvage.version = STELE_STREAM_V2;
    }
    rc = sti_salvage_compose(&p->salvage, p->files.log, &p->composed, &p->log_len, r->err);
    p->log = p->composed;
    if (p->salvage.version == STELE_STREAM_V1 && p->salvage.messages > 0) {
        p->new_base = p->salvage.first;
    }
    return rc;
}

/* ---- Index and side file. ---- */

static bool index_is_right(const struct patient *p, const struct sti_items *built)
{
    struct sti_index_params header = p->files.params;
    enum sti_index_kind kind =
            sti_index_kind_of(p->files.index, p->files.index_len, p->new_base, &header);
    bool v1 = p->salvage.version == STELE_STREAM_V1;
    size_t start = kind == STI_INDEX_V2 ? STI_INDEX_HEADER_SIZE : 0;
    size_t item_size = sti_index_item_size(p->files.params);

    if (p->new_base != p->files.base || kind != (v1 ? STI_INDEX_V1 : STI_INDEX_V2) ||
            (p->files.index_len - start) % item_size != 0 ||
            header.times != p->files.params.times || header.keys != p->files.params.keys) {
        return false;
    }
    return sti_index_equal(p->files.index + start, (p->files.index_len - start) / item_size, built,
            p->files.params);
}

/* A segment without messages needs no index; one with items in it lies. */
static bool bare_index_is_right(const struct patient *p)
{
    struct sti_index_params header = {0};

    return p->files.index_len == 0 || (p->files.index_len == STI_INDEX_HEADER_SIZE &&
                                              sti_index_kind_of(p->files.index, p->files.index_len,
                                                      p->files.base, &header) == STI_INDEX_V2);
}

static stele_code drop(struct recovery *r, void (*name_of)(char *out, int64_t base), int64_t base)
{
    char name[STI_NAME_SIZE];

    name_of(name, base);
    return sti_dir_unlink(r->dir, name, NULL, r->err);
}

static stele_code mend_index(struct recovery *r, struct patient *p, bool *written)
{
    struct sti_items built = {0};
    stele_code rc;

    *written = false;
    if (p->salvage.messages == 0) {
        *written = !bare_index_is_right(p);
        return *written ? drop(r, sti_name_index, p->files.base) : STELE_OK;
    }
    if (!p->files.params_known) {
        /* Made with a guess it could be taken for a choice. Opening makes it. */
        *written = p->files.index != NULL;
        return *written ? drop(r, sti_name_index, p->files.base) : STELE_OK;
    }
    rc = sti_items_build(
            &built, p->log, p->log_len, p->new_base, p->limit, p->files.params, INT64_MIN, r->err);
    if (rc == STELE_OK && !index_is_right(p, &built)) {
        *written = true;
        rc = sti_index_write(r->dir, p->new_base, p->salvage.version, p->files.params, built.data,
                built.count, r->err);
    }
    sti_items_free(&built);
    return rc;
}

/* Whether the side file is that of this log and index. */
static stele_code judge_keys(struct recovery *r, const struct patient *p, bool *right)
{
    char name[STI_NAME_SIZE];
    struct sti_keys keys = {0};
    uint8_t *bytes = NULL;
    size_t len = 0;
    stele_code rc;

    sti_name_keys(name, p->files.base);
    rc = sti_stream_read_file(r->dir, name, &bytes, &len, r->err);
    *right = true;
    if (rc == STELE_ENOTFOUND) {
        return STELE_OK;
    }
    if (rc == STELE_OK) {
        *right = sti_keys_decode(&keys, bytes, len, p->files.base, p->log_len, p->files.index,
                         p->files.index_len, NULL) == STELE_OK;
        sti_keys_close(&keys);
    }
    sti_free(bytes);
    return rc;
}

static stele_code mend_keys(struct recovery *r, const struct patient *p, bool stale)
{
    bool right = !stale;
    stele_code rc = STELE_OK;

    if (right) {
        rc = judge_keys(r, p, &right);
    }
    return rc == STELE_OK && !right ? drop(r, sti_name_keys, p->files.base) : rc;
}

/* ---- A segment. ---- */

static stele_code remove_segment(struct recovery *r, int64_t base)
{
    stele_code rc = drop(r, sti_name_log, base);

    if (rc == STELE_OK) {
        rc = drop(r, sti_name_index, base);
    }
    if (rc == STELE_OK) {
        rc = drop(r, sti_name_keys, base);
    }
    return rc == STELE_OK ? sti_dir_sync(r->dir, r->err) : rc;
}

static stele_code treat(struct recovery *r, struct patient *p, bool newest)
{
    bool written = false;
    stele_code rc;

    if (p->salvage.messages == 0 && !newest) {
        return remove_segment(r, p->files.base);
    }
    rc = p->composed != NULL ? write_again(r, p) : cut(r, p, newest);
    if (rc == STELE_OK) {
        rc = mend_index(r, p, &written);
    }
    if (rc == STELE_OK) {
        rc = mend_keys(r, p, p->changed || written);
    }
    if (rc == STELE_OK && p->new_base != p->files.base) {
        rc = sti_dir_sync(r->dir, r->err);
        return rc == STELE_OK ? remove_segment(r, p->files.base) : rc;
    }
    return rc == STELE_OK && (p->changed || written || newest) ? sti_dir_sync(r->dir, r->err) : rc;
}

/* Remember the first segment that could not be recovered, and go on. */
static void skip(struct recovery *r, int64_t base)
{
    char name[STI_NAME_SIZE];

    if (r->skipped == STELE_OK) {
        sti_name_log(name, base);
        r->skipped = sti_fail_at(&r->skipped_error, STELE_EVERSION, name, 6,
                "a log of a version that is not known; it was left as it is");
    }
    r->total.segments++;
}

static stele_code recover_segment(struct recovery *r, int64_t base, int64_t limit)
{
    bool newest = limit == INT64_MAX;
    struct patient p = {0};
    stele_code rc = examine(r, &p, base, limit);

    if (rc == STELE_OK && p.salvage.kind == STI_LOG_VERSION) {
        skip(r, base);
        goto out;
    }
    if (rc == STELE_OK) {
        rc = plan(r, &p);
    }
    if (rc != STELE_OK) {
        goto out;
    }
    tell_all_lost(r, &p);
    rc = quarantine(r, &p);
    if (rc == STELE_OK && !r->dry_run) {
        rc = treat(r, &p, newest);
    }
    r->total.segments += p.salvage.messages > 0 || newest ? 1 : 0;
    r->total.messages += (int64_t)p.salvage.messages;
    r->total.cut_bytes += (int64_t)(p.salvage.damaged + (p.files.log_len - p.salvage.tail));
out:
    patient_free(&p);
    return rc;
}

/* ---- All of them. ---- */

/* The base of the segment to be made so that no offset is given twice, or -1
 * if the newest one numbers on above all that was seen. */
static stele_code find_next_base(struct recovery *r, const struct sti_bases *bases,
        int64_t leftover, int64_t *next_base, stele_stream_version *version)
{
    struct patient p = {0};
    int64_t highest = leftover;
    int64_t next = 0;
    stele_code rc = STELE_OK;

    *next_base = -1;
    *version = STELE_STREAM_VLAST;
    if (bases->count > 0) {
        rc = examine(r, &p, bases->bases[bases->count - 1], INT64_MAX);
        if (rc != STELE_OK || p.salvage.kind == STI_LOG_VERSION) {
            /* Its offsets are unknown, so nothing that shows any may go. */
            r->keep_leftovers = true;
            goto out;
        }
        next = p.salvage.last + 1;
        highest = highest_seen(&p) > highest ? highest_seen(&p) : highest;
        *version = p.salvage.version;
    }
    if (highest >= next && highest < INT64_MAX - 1 && !STI_MUTANT(RECOVER_REUSES_OFFSETS)) {
        *next_base = highest + 1;
    }
out:
    patient_free(&p);
    return rc;
}

/* A newest segment without messages does not tell its version: a stream that
 * is all version 1 goes on with it. */
static stele_code settle_version(
        struct recovery *r, const struct sti_bases *bases, stele_stream_version *version)
{
    char name[STI_NAME_SIZE];
    uint8_t *log = NULL;
    size_t len = 0;
    stele_code rc;

    if (*version != STELE_STREAM_VERSION_DEFAULT) {
        return STELE_OK;
    }
    *version = STELE_STREAM_VLAST;
    if (bases->count < 2) {
        return STELE_OK;
    }
    sti_name_log(name, bases->bases[bases->count - 2]);
    rc = sti_stream_read_file(r->dir, name, &log, &len, r->err);
    if (rc == STELE_OK && sti_log_kind_of(log, len, bases->bases[bases->count - 2]) == STI_LOG_V1) {
        *version = STELE_STREAM_V1;
    }
    sti_free(log);
    return rc;
}

static stele_code secure_offsets(
        struct recovery *r, const struct sti_bases *bases, int64_t leftover, int64_t *next_base)
{
    stele_stream_version version;
    stele_code rc = find_next_base(r, bases, leftover, next_base, &version);

    if (rc == STELE_OK && *next_base >= 0) {
        rc = settle_version(r, bases, &version);
    }
    if (rc == STELE_OK && *next_base >= 0 && !r->dry_run) {
        rc = sti_segment_make_empty(r->dir, *next_base, version, &r->guess, r->err);
    }
    return rc;
}

static stele_code recover_all(struct recovery *r, const struct sti_bases *bases, int64_t next_base)
{
    size_t i = (r->head_only || STI_MUTANT(RECOVER_HEAD_ONLY)) && bases->count > 0
                       ? bases->count - 1
                       : 0;
    stele_code rc = STELE_OK;

    for (; rc == STELE_OK && i < bases->count; i++) {
        int64_t limit = sti_bases_limit(bases, i);

        if (limit == INT64_MAX && next_base >= 0) {
            limit = next_base;
        }
        rc = recover_segment(r, bases->bases[i], limit);
    }
    if (next_base >= 0) {
        r->total.segments++;
    }
    return rc;
}

/* What is there, from which everything follows. */
struct found {
    struct sti_listing listing;
    struct sti_leftovers leftovers;
    struct sti_bases bases;
};

static void found_free(struct found *f)
{
    sti_bases_free(&f->bases);
    sti_leftovers_free(&f->leftovers);
    sti_listing_free(&f->listing);
}

static stele_code look(struct recovery *r, struct found *f)
{
    stele_code rc = sti_listing_read(&f->listing, r->dir, r->err);

    if (rc == STELE_OK) {
        rc = sti_leftovers_find(&f->leftovers, r->dir, &f->listing, r->err);
    }
    if (rc == STELE_OK) {
        rc = sti_bases_read(&f->bases, r->dir, &f->listing, &f->leftovers, false, r->err);
    }
    return rc;
}

static stele_code run(struct recovery *r, const struct found *f)
{
    int64_t next_base = -1;
    stele_code rc = secure_offsets(r, &f->bases, f->leftovers.highest, &next_base);

    if (rc == STELE_OK && !r->dry_run && !r->keep_leftovers) {
        rc = sti_leftovers_remove(&f->leftovers, r->dir, r->err);
    }
    if (rc == STELE_OK) {
        rc = recover_all(r, &f->bases, next_base);
    }
    if (rc == STELE_OK && !r->dry_run) {
        rc = sti_dir_sync(r->dir, r->err);
    }
    if (rc == STELE_OK && r->skipped != STELE_OK) {
        if (r->err != NULL) {
            *r->err = r->skipped_error;
        }
        return r->skipped;
    }
    return rc;
}

stele_code sti_recover_run(struct sti_dir *dir, const stele_stream_options *opts, bool strict,
        bool head_only, const stele_stream_recover_events *events, stele_stream_recovered *out,
        stele_error *err)
{
    struct recovery r = {.dir = dir,
            .env = opts->env,
            .dry_run = opts->dry_run,
            .head_only = head_only,
            .events = events,
            .err = err};
    struct found f = {.leftovers = {.highest = -1}};
    stele_code rc = look(&r, &f);

    if (rc == STELE_OK) {
        rc = sti_params_guess_of(&r.guess, dir, &f.bases, opts, strict, err);
    }
    if (rc == STELE_OK) {
        rc = run(&r, &f);
    }
    found_free(&f);
    if (rc == STELE_OK && out != NULL) {
        *out = r.total;
    }
    return rc;
}

stele_code stele_stream_recover_dir(const char *dir, const stele_stream_options *opts,
        const stele_stream_recover_events *events, stele_stream_recovered *out, stele_error *err)
{
    struct sti_tool tool;
    stele_code rc = sti_tool_open(&tool, dir, opts, true, err);

    if (rc == STELE_OK) {
        rc = sti_recover_run(&tool.dir, &tool.opts, tool.strict, false, events, out, err);
        sti_tool_close(&tool);
    }
    return rc == STELE_OK ? rc : sti_wrap(err, rc, "recover stream %s", dir == NULL ? "" : dir);
}
