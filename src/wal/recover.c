/* SPDX-License-Identifier: MIT
 *
 * recover.c: make a damaged log one that opens.
 *
 * First the cut bytes are safe in quarantine, then files go there, then the manifest is written.
 * Cut short at any place, it leaves a log that is damaged still, and nothing is lost that was
 * there.
 */
#include "wal/recover.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"

stele_code sti_wal_plan_add(
        struct sti_wal_plan *plan, const struct sti_wal_piece *piece, stele_error *err)
{
    if (plan->count == plan->capacity) {
        size_t more = plan->capacity == 0 ? 16 : 2 * plan->capacity;
        struct sti_wal_piece *grown = sti_realloc(plan->pieces, more, sizeof *grown);

        if (grown == NULL) {
            return sti_fail_memory(err, more * sizeof *grown);
        }
        plan->pieces = grown;
        plan->capacity = more;
    }
    plan->pieces[plan->count++] = *piece;
    return STELE_OK;
}

void sti_wal_plan_free(struct sti_wal_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        sti_segment_drop(plan->pieces[i].seg);
    }
    sti_free(plan->pieces);
    memset(plan, 0, sizeof *plan);
}

void sti_wal_plan_lose(struct sti_wal_plan *plan, uint64_t first)
{
    plan->first_lost = first;
    plan->next_lost = first;
    for (size_t i = 0; i < plan->count; i++) {
        const struct sti_wal_piece *p = &plan->pieces[i];

        if (p->known_next > plan->next_lost) {
            plan->next_lost = p->known_next;
        }
    }
}

/* ---- Carrying it out. ---- */

struct recovering {
    struct sti_wal_found *found;
    const stele_wal_recover_events *events;
    stele_wal_recovered sum;
    bool dry;
    bool needed; /* something is wrong with the manifest, be the segments whole */
};

static void tell_quarantine(struct recovering *r, const char *name)
{
    if (r->events != NULL && r->events->quarantine != NULL) {
        r->events->quarantine(r->events->arg, name);
    }
}

static stele_code put_aside(
        struct recovering *r, const struct sti_wal_piece *piece, stele_error *err)
{
    char name[STI_WAL_NAME_SIZE];
    stele_code rc = STELE_OK;

    if (!piece->exists) {
        return STELE_OK;
    }
    sti_wal_name_quarantine(name, piece->seg->name, 0);
    if (!r->dry) {
        rc = sti_wal_quarantine_file(&r->found->dir, piece->seg->name, name, err);
    }
    if (rc == STELE_OK) {
        r->sum.cut_bytes += piece->seg->capacity;
        tell_quarantine(r, name);
    }
    return rc;
}

static stele_code open_piece(struct recovering *r, struct sti_wal_piece *piece, stele_error *err)
{
    sti_file_close(&piece->seg->file);
    return sti_segment_open_file(piece->seg, &r->found->dir, true, true, 0, err);
}

static stele_code keep_tail(struct recovering *r, struct sti_wal_piece *piece, stele_error *err)
{
    char name[STI_WAL_NAME_SIZE];
    stele_code rc = STELE_OK;

    if (piece->tail_end <= piece->end) {
        return STELE_OK;
    }
    sti_wal_name_quarantine(name, piece->seg->name, piece->end);
    if (!r->dry) {
        rc = open_piece(r, piece, err);
        rc = rc != STELE_OK ? rc
                            : sti_wal_quarantine(&r->found->dir, &piece->seg->file,
                                      piece->seg->name, piece->end, piece->tail_end, name, err);
    }
    if (rc == STELE_OK) {
        r->sum.cut_bytes += piece->tail_end - piece->end;
        tell_quarantine(r, name);
    }
    return rc;
}

/* What stays is durable, and, in format blb, nothing is behind it. */
static stele_code make_durable(struct recovering *r, struct sti_wal_piece *piece, stele_error *err)
{
    bool blb = piece->seg->format == STELE_WAL_BLB;
    stele_code rc;

    if (!piece->open || r->dry) {
        return STELE_OK;
    }
    rc = open_piece(r, piece, err);
    if (rc == STELE_OK && blb && piece->seg->capacity > piece->end) {
        rc = sti_file_truncate(&piece->seg->file, piece->end, err);
    }
    return rc != STELE_OK ? rc : sti_wal_renew(&piece->seg->file, piece->durable, piece->end, err);
}

static stele_code list_piece(
        struct sti_wal_manifest *m, const struct sti_wal_piece *piece, bool last, stele_error *err)
{
    struct sti_wal_entry entry = {
            .number = piece->seg->number, .first_id = piece->first_id, .end = piece->end};

    if (m->next_number <= piece->seg->number) {
        m->next_number = piece->seg->number + 1;
    }
    if (m->format == STELE_WAL_STELE) {
        entry.state = STI_WAL_ENTRY_SEALED;
        entry.last_id = piece->next_id - 1;
        return sti_wal_manifest_add(m, &entry, err);
    }
    entry.first_id = piece->next_id > piece->first_id ? piece->first_id : 0;
    return last ? sti_wal_manifest_add(m, &entry, err) : STELE_OK;
}

static stele_code write_manifest(
        struct recovering *r, const struct sti_wal_plan *plan, stele_error *err)
{
    struct sti_wal_found *f = r->found;
    struct sti_wal_manifest m = {.format = f->format,
            .clean = true,
            .leftovers = f->manifest.leftovers,
            .generation = f->manifest.generation,
            .next_number = f->format == STELE_WAL_STELE ? f->manifest.next_number : 0};
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < plan->count && rc == STELE_OK; i++) {
        /* No number is given again, not even of what is in quarantine. */
        if (f->format == STELE_WAL_STELE && m.next_number <= plan->pieces[i].seg->number) {
            m.next_number = plan->pieces[i].seg->number + 1;
        }
    }
    for (size_t i = 0; i < plan->keep && rc == STELE_OK; i++) {
        rc = list_piece(&m, &plan->pieces[i], i + 1 == plan->keep, err);
    }
    if (rc == STELE_OK && !r->dry) {
        sti_wal_manifest_close(&f->manifest_file);
        rc = sti_wal_manifest_write(&f->dir, &f->manifest_file, &m, err);
    }
    sti_wal_manifest_free(&m);
    return rc;
}

static stele_code carry_out(struct recovering *r, struct sti_wal_plan *plan, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < plan->keep && rc == STELE_OK; i++) {
        rc = keep_tail(r, &plan->pieces[i], err);
    }
    for (size_t i = plan->count; i > plan->keep && rc == STELE_OK; i--) {
        if (plan->pieces[i - 1].aside) {
            rc = put_aside(r, &plan->pieces[i - 1], err);
        }
    }
    for (size_t i = 0; i < plan->keep && rc == STELE_OK; i++) {
        rc = make_durable(r, &plan->pieces[i], err);
    }
    rc = rc != STELE_OK ? rc : write_manifest(r, plan, err);
    if (rc == STELE_OK && plan->next_lost > plan->first_lost && r->events != NULL &&
            r->events->lost != NULL && !STI_MUTANT(WAL_LOST_NOT_TOLD)) {
        r->events->lost(r->events->arg, plan->first_lost, plan->next_lost - 1);
    }
    return rc;
}

static stele_code recover(struct recovering *r, stele_error *err)
{
    struct sti_wal_plan plan = {.count = 0};
    stele_code rc = r->found->format == STELE_WAL_BLB ? sti_wal_plan_blb(&plan, r->found, err)
                                                      : sti_wal_plan_stele(&plan, r->found, err);

    if (rc == STELE_OK && (plan.needed || r->needed)) {
        rc = carry_out(r, &plan, err);
    }
    for (size_t i = 0; i < plan.keep && rc == STELE_OK; i++) {
        r->sum.segments++;
        r->sum.records += plan.pieces[i].next_id - plan.pieces[i].first_id;
    }
    sti_wal_plan_free(&plan);
    return rc;
}

stele_code stele_wal_recover_dir(const char *dir, const stele_wal_options *opts,
        const stele_wal_recover_events *events, stele_wal_recovered *out, stele_error *err)
{
    struct sti_wal_found found;
    struct recovering r = {.found = &found, .events = events};
    stele_wal_options options;
    stele_error why;
    stele_code rc;

    if (dir == NULL) {
        return sti_fail(err, STELE_EINVAL, "no directory");
    }
    rc = sti_wal_options_copy(&options, opts, err);
    if (rc != STELE_OK) {
        return rc;
    }
    r.dry = options.dry_run && !STI_MUTANT(WAL_DRY_RUN_WRITES);
    options.read_only = r.dry;
    options.must_exist = true;
    rc = sti_wal_find(&found, dir, &options, &why);
    /* It is just this that is to be mended. */
    if (rc == STELE_OK || (rc == STELE_ECORRUPT && found.dir.raw != NULL)) {
        r.needed = rc != STELE_OK;
        if (found.format == STELE_WAL_ANY) {
            /* A damaged manifest is all that is left. */
            found.format = options.format != STELE_WAL_ANY ? options.format : STELE_WAL_STELE;
        }
        rc = recover(&r, &why);
    }
    sti_wal_found_free(&found);
    if (rc != STELE_OK) {
        if (err != NULL) {
            *err = why;
        }
        return sti_wrap(err, rc, "recover log %s", dir);
    }
    if (out != NULL) {
        *out = r.sum;
    }
    return STELE_OK;
}
