/* SPDX-License-Identifier: MIT
 *
 * recover_plan.c: which part of a damaged log can stay.
 *
 * Records have no gaps, so that what stays is what precedes the first damage. Where there is no
 * manifest, the segments tell their order by their numbers. A segment that begins with an id which
 * an earlier one has, too, was begun after a truncation: what the earlier one holds from there on
 * was truncated.
 */
#include "base/error.h"
#include "wal/recover.h"

/* ---- Format stele. ---- */

/* What there is of a segment, by itself. An entry that is not known is open, of no length. */
static stele_code add_stele(struct sti_wal_plan *plan, struct sti_dir *dir,
        const struct sti_wal_entry *entry, stele_error *err)
{
    bool sealed = entry->state == STI_WAL_ENTRY_SEALED;
    struct sti_wal_examined x;
    struct sti_wal_piece p = {.open = !sealed};
    stele_code rc = sti_wal_examine(&x, dir, entry, false, err);

    if (rc != STELE_OK) {
        sti_wal_examined_free(&x);
        return rc;
    }
    p.seg = x.seg;
    p.exists = !x.missing;
    p.first_id = x.scan.header ? x.scan.first_id : entry->first_id;
    p.next_id = x.scan.header ? x.scan.next_id : p.first_id;
    p.end = x.scan.end;
    p.durable = x.scan.durable < x.scan.end ? x.scan.durable : x.scan.end;
    p.tail_end = !sealed && x.scan.torn ? x.scan.torn_end : p.end;
    p.damaged = !sealed && (x.missing || x.shortened || x.scan.damaged);
    p.known_next = x.scan.resumes ? x.scan.resume_next : p.next_id;
    if (sealed) {
        p.known_next = entry->last_id + 1;
        p.damaged = !x.scan.header || p.first_id != entry->first_id || p.next_id <= entry->last_id;
        if (p.damaged) {
            p.tail_end = x.scan.torn_end > entry->end ? x.scan.torn_end : entry->end;
        } else {
            p.next_id = entry->last_id + 1;
            p.end = entry->end;
            p.tail_end = p.end;
        }
    }
    p.tail_end = p.tail_end < x.scan.file_size ? p.tail_end : x.scan.file_size;
    sti_file_close(&x.seg->file);
    rc = sti_wal_plan_add(plan, &p, err);
    if (rc != STELE_OK) {
        sti_wal_examined_free(&x);
    }
    return rc;
}

static bool is_listed(const struct sti_wal_manifest *m, uint64_t number)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->entries[i].number == number) {
            return true;
        }
    }
    return false;
}

static stele_code add_all(struct sti_wal_plan *plan, struct sti_wal_found *found, stele_error *err)
{
    const struct sti_wal_manifest *m = &found->manifest;
    size_t count;
    const struct sti_wal_listed *items =
            sti_wal_listing_of(&found->listing, STI_WAL_NAME_STELE, &count);
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < m->count && rc == STELE_OK; i++) {
        rc = add_stele(plan, &found->dir, &m->entries[i], err);
    }
    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        const struct sti_wal_entry entry = {.number = items[i].number};
        bool begun = !found->has_manifest;

        if (found->has_manifest && !is_listed(m, items[i].number)) {
            rc = sti_wal_is_unlisted(&found->dir, m, &items[i], &begun, err);
        }
        if (rc == STELE_OK && begun) {
            plan->needed = true;
            rc = add_stele(plan, &found->dir, &entry, err);
        }
    }
    return rc;
}

/* Where the record with this id begins, which the piece has. */
static stele_code cut_at(
        struct sti_wal_piece *p, struct sti_dir *dir, uint64_t id, stele_error *err)
{
    struct sti_wal_reader r = {0};
    uint64_t at = STI_WAL_HEADER_SIZE;
    uint64_t next = p->first_id;
    bool valid = true;
    stele_code rc = sti_segment_open_file(p->seg, dir, false, true, 0, err);

    while (rc == STELE_OK && valid && next < id) {
        struct sti_wal_frame frame;

        rc = sti_segment_frame(p->seg, &r, at, p->end, next, sti_wal_record_max(p->seg->format),
                &frame, &valid, err);
        if (rc == STELE_OK && valid) {
            at += frame.size;
            next += frame.kind == STI_WAL_RECORD;
        }
    }
    sti_wal_reader_free(&r);
    sti_file_close(&p->seg->file);
    if (rc == STELE_OK) {
        p->end = at;
        p->next_id = next;
        p->known_next = next;
        p->tail_end = at;
        p->damaged = false;
        p->durable = p->durable < at ? p->durable : at;
    }
    return rc;
}

/* Without a manifest: a later segment that begins inside earlier ones says that they were cut. */
static stele_code apply_truncations(
        struct sti_wal_plan *plan, struct sti_dir *dir, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (size_t i = 1; i < plan->count && rc == STELE_OK; i++) {
        const struct sti_wal_piece *later = &plan->pieces[i];

        for (size_t k = 0; k < i && later->next_id > later->first_id && rc == STELE_OK; k++) {
            struct sti_wal_piece *p = &plan->pieces[k];

            if (p->first_id >= later->first_id) {
                p->next_id = p->first_id;
                p->known_next = 0;
                p->damaged = false;
            } else if (p->next_id > later->first_id) {
                rc = cut_at(p, dir, later->first_id, err);
            }
        }
    }
    return rc;
}

/* A piece in which there is nothing, and nothing is missing: left to the next open. */
static bool is_empty(const struct sti_wal_piece *p)
{
    return p->next_id == p->first_id && !p->damaged;
}

/* Put a piece behind those that stay, in front of the others. */
static void keep(struct sti_wal_plan *plan, size_t i)
{
    struct sti_wal_piece p = plan->pieces[i];

    for (size_t k = i; k > plan->keep; k--) {
        plan->pieces[k] = plan->pieces[k - 1];
    }
    plan->pieces[plan->keep++] = p;
}

/* The first piece that does not follow, or is damaged: whether its records stay. */
static bool stop_at(
        struct sti_wal_plan *plan, const struct sti_wal_piece *p, uint64_t next, bool any)
{
    bool follows = any || p->first_id == next;
    bool stays = follows && p->next_id > p->first_id;

    plan->needed = true;
    if (stays) {
        sti_wal_plan_lose(plan, p->next_id);
    } else {
        sti_wal_plan_lose(plan, any ? p->first_id : next);
    }
    return stays;
}

/* Move the pieces that stay to the front, in their order, the rest behind. */
static void decide(struct sti_wal_plan *plan)
{
    uint64_t next = 1;
    bool any = true;
    bool stopped = false;

    for (size_t i = 0; i < plan->count; i++) {
        struct sti_wal_piece *p = &plan->pieces[i];
        bool stays = !stopped;

        if (!stopped && is_empty(p)) {
            p->aside = p->tail_end > p->end;
            plan->needed = plan->needed || p->aside;
            continue;
        }
        if (!stopped && (p->damaged || (!any && p->first_id != next))) {
            stopped = true;
            stays = stop_at(plan, p, next, any);
        }
        p->aside = !stays;
        if (stays) {
            plan->needed = plan->needed || p->tail_end > p->end;
            next = p->next_id;
            any = false;
            keep(plan, i);
        }
    }
}

/* Whether the segments that the manifest lists as open are what it says: no plan for the records
 * alone would tell that. */
static stele_code open_ones_fit(struct sti_wal_found *found, bool *fit, stele_error *err)
{
    const struct sti_wal_manifest *m = &found->manifest;
    struct sti_wal_examined x[2] = {{.seg = NULL}};
    struct sti_wal_judgement j;
    size_t count = 0;
    uint64_t next = 1;
    bool any = true;
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < m->count && rc == STELE_OK; i++) {
        if (m->entries[i].state == STI_WAL_ENTRY_SEALED) {
            next = m->entries[i].last_id + 1;
            any = false;
        } else {
            rc = sti_wal_examine(&x[count++], &found->dir, &m->entries[i], false, err);
        }
    }
    *fit = true;
    if (rc == STELE_OK && count > 0) {
        sti_wal_judge(&x[0], count > 1 ? &x[1] : NULL, next, any, &j);
        *fit = j.verdict == STI_WAL_GOOD;
    }
    sti_wal_examined_free(&x[0]);
    sti_wal_examined_free(&x[1]);
    return rc;
}

stele_code sti_wal_plan_stele(
        struct sti_wal_plan *plan, struct sti_wal_found *found, stele_error *err)
{
    bool fit = true;
    stele_code rc = open_ones_fit(found, &fit, err);

    plan->needed = !found->has_manifest || found->slots != STI_WAL_SLOTS_ALIKE || !fit;
    rc = rc != STELE_OK ? rc : add_all(plan, found, err);
    if (rc == STELE_OK && !found->has_manifest) {
        rc = apply_truncations(plan, &found->dir, err);
    }
    if (rc == STELE_OK) {
        decide(plan);
    }
    return rc;
}

/* ---- Format blb. ---- */

/* Index of the first file that is damaged or does not follow; *keep: its records stay. */
static size_t first_bad(const struct sti_blb_files *all, bool *keep)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct sti_blb_file *f = &all->files[i];

        *keep = f->scan.records > 0;
        if (f->seg->damaged) {
            return i;
        }
        if (all->text != NULL && i == all->bad_at) {
            *keep = *keep && all->first_lost == f->scan.next_id;
            return i;
        }
    }
    *keep = false;
    return all->count;
}

/* `stays`: its records do; `last`: it is the last one that does. */
static struct sti_wal_piece blb_piece(const struct sti_blb_file *f, bool stays, bool last)
{
    struct sti_wal_piece p = {.seg = f->seg,
            .first_id = f->scan.first_id,
            .next_id = f->scan.next_id,
            .end = f->scan.end,
            .tail_end = last && f->scan.torn ? f->scan.torn_end : f->scan.end,
            .known_next = f->scan.next_id,
            .exists = true,
            .open = last,
            .aside = !stays};

    if (f->scan.records == 0) {
        p.first_id = f->seg->first_id;
        p.next_id = p.first_id;
    }
    if (f->scan.resumes) {
        p.known_next = f->scan.resume_next;
    }
    if (f->seg->damaged && p.known_next < atomic_load(&f->seg->next_id)) {
        p.known_next = atomic_load(&f->seg->next_id);
    }
    return p;
}

/* The first record that is lost, where the files up to `keep` stay. */
static uint64_t blb_lost(const struct sti_wal_plan *plan, const struct sti_blb_files *all)
{
    if (plan->keep > 0) {
        return plan->pieces[plan->keep - 1].next_id;
    }
    return plan->count > 0 ? plan->pieces[0].first_id : all->first_lost;
}

stele_code sti_wal_plan_blb(
        struct sti_wal_plan *plan, struct sti_wal_found *found, stele_error *err)
{
    struct sti_blb_files all = {.count = 0};
    bool with_bad = false;
    size_t bad = 0;
    size_t stay = 0;
    stele_code rc = sti_blb_scan(&all, &found->dir, &found->listing,
            found->has_manifest ? &found->manifest : NULL, false, err);

    if (rc == STELE_OK) {
        bad = first_bad(&all, &with_bad);
        stay = with_bad ? bad + 1 : bad;
    }
    for (size_t i = 0; i < all.count && rc == STELE_OK; i++) {
        struct sti_blb_file *f = &all.files[i];
        bool last = i + 1 == stay;
        struct sti_wal_piece p = blb_piece(f, i < stay, last);

        plan->needed = plan->needed || (last && p.end < f->scan.file_size);
        sti_file_close(&f->seg->file);
        rc = sti_wal_plan_add(plan, &p, err);
        if (rc == STELE_OK) {
            f->seg = NULL;
            plan->keep = stay < i + 1 ? stay : i + 1;
        }
    }
    if (rc == STELE_OK && (all.text != NULL || bad < all.count)) {
        plan->needed = true;
        sti_wal_plan_lose(plan, blb_lost(plan, &all));
    }
    plan->needed = plan->needed || (found->has_manifest && found->slots != STI_WAL_SLOTS_ALIKE);
    sti_blb_files_free(&all);
    return rc;
}
