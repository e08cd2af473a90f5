/* SPDX-License-Identifier: MIT
 *
 * blb.c: the files of a log of format blb, and whether they go together.
 *
 * Nothing in them says what was durable. Files before the last one are whole, since the next begins
 * only when they are synced. In the last one the manifest's claim is durable. What is behind it, a
 * crash may have torn, if it was Stele that wrote it: then nothing tells torn from damaged. The
 * reference writes one record after the other; where there is no claim a whole record behind a
 * damaged one says that it was not torn.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "wal/open.h"

#include <inttypes.h>

void sti_blb_files_free(struct sti_blb_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        sti_segment_drop(files->files[i].seg);
    }
    sti_free(files->files);
    memset(files, 0, sizeof *files);
}

static const struct sti_wal_entry *claim_of(
        const struct sti_wal_manifest *manifest, uint64_t number)
{
    if (manifest == NULL || manifest->count == 0 || manifest->entries[0].number != number) {
        return NULL;
    }
    return &manifest->entries[0];
}

static stele_code scan_one(struct sti_blb_file *f, struct sti_dir *dir, uint64_t number,
        const struct sti_wal_entry *claim, bool last, bool writable, stele_error *err)
{
    stele_code rc = sti_wal_segment_new(&f->seg, STELE_WAL_BLB, number, err);

    rc = rc != STELE_OK ? rc : sti_segment_open_file(f->seg, dir, last && writable, true, 0, err);
    rc = rc != STELE_OK
                 ? rc
                 : sti_segment_scan(f->seg, true, 0, claim != NULL ? claim->end : 0, &f->scan, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (!last) {
        sti_file_close(&f->seg->file);
    }
    f->seg->indexed = true;
    f->seg->capacity = f->scan.file_size;
    atomic_store(&f->seg->sealed, !last);
    atomic_store(&f->seg->end, f->scan.end);
    atomic_store(&f->seg->next_id, f->scan.next_id);
    return STELE_OK;
}

/* ---- Judging. ---- */

static void bad(struct sti_blb_files *all, size_t i, const char *text, uint64_t position,
        uint64_t first, uint64_t last)
{
    all->text = text;
    all->bad_at = i;
    all->position = (int64_t)position;
    all->first_lost = first;
    all->last_lost = last;
}

/* The first id that a file shows, or false. */
static bool first_of(const struct sti_blb_file *f, uint64_t *id)
{
    if (f->scan.records > 0) {
        *id = f->scan.first_id;
        return true;
    }
    return false;
}

/* A file with another one behind it, whose records are to begin with `id`. */
static void judge_inner(struct sti_blb_files *all, size_t i, uint64_t id, bool any)
{
    struct sti_blb_file *f = &all->files[i];
    uint64_t next = 0;
    bool known = first_of(&all->files[i + 1], &next);

    if (f->scan.records == 0 && any) {
        bad(all, i, "the first record of all is damaged or missing", 0, id,
                known ? next - 1 : UINT64_MAX);
        return;
    }
    if (f->scan.records > 0 && !any && f->scan.first_id != id) {
        bad(all, i, "ids do not follow those of the file before", 0, id,
                f->scan.first_id > id ? f->scan.first_id - 1 : UINT64_MAX);
        return;
    }
    if (f->scan.records == 0) {
        f->seg->first_id = id;
        f->scan.next_id = id;
        atomic_store(&f->seg->next_id, id);
    }
    if (!known || f->scan.next_id == next) {
        if (f->scan.torn && !known) {
            bad(all, i, "the record is damaged", f->scan.end, f->scan.next_id, UINT64_MAX);
        }
        return;
    }
    if (next < f->scan.next_id || f->scan.end == f->scan.file_size || !f->scan.torn) {
        bad(all, i, "records are missing at the end", f->scan.end, f->scan.next_id,
                next > 0 ? next - 1 : UINT64_MAX);
        return;
    }
    sti_segment_set_damaged(f->seg, f->scan.end, f->scan.next_id, "the record is damaged");
    atomic_store(&f->seg->next_id, next);
}

static void judge_last(
        struct sti_blb_files *all, uint64_t id, bool any, const struct sti_wal_entry *claim)
{
    size_t i = all->count - 1;
    struct sti_blb_file *f = &all->files[i];

    if (f->scan.records == 0) {
        uint64_t resume = f->scan.resume_id;

        id = !any                                    ? id
             : claim != NULL && claim->first_id != 0 ? claim->first_id
             : f->scan.resumes && resume > 0         ? resume - 1
                                                     : 1;
        f->seg->first_id = id;
        f->scan.next_id = id;
        atomic_store(&f->seg->next_id, id);
    } else if (!any && f->scan.first_id != id) {
        bad(all, i, "ids do not follow those of the file before", 0, id,
                f->scan.first_id > id ? f->scan.first_id - 1 : UINT64_MAX);
        return;
    }
    if (f->scan.damaged) {
        bad(all, i, "acknowledged records are damaged or missing", f->scan.end, f->scan.next_id,
                f->scan.resumes ? f->scan.resume_id - 1 : UINT64_MAX);
    } else if (f->scan.resumes && claim == NULL) {
        bad(all, i, "the record is damaged, and others follow it", f->scan.end, f->scan.next_id,
                f->scan.resume_id - 1);
    }
}

static void judge_all(struct sti_blb_files *all, const struct sti_wal_manifest *manifest)
{
    uint64_t id = 1;
    bool any = true;
    size_t last = all->count - 1;

    for (size_t i = 0; i < last && all->text == NULL; i++) {
        uint64_t number = all->files[i].seg->number;

        judge_inner(all, i, id, any);
        id = atomic_load(&all->files[i].seg->next_id);
        any = false;
        if (all->text == NULL && all->files[i + 1].seg->number != number + 1) {
            uint64_t next = 0;
            bool known = first_of(&all->files[i + 1], &next);

            bad(all, i + 1, "the file before it is missing", 0, id,
                    known && next > id ? next - 1 : UINT64_MAX);
        }
    }
    if (all->text == NULL) {
        judge_last(all, id, any, claim_of(manifest, all->files[last].seg->number));
    }
}

static void judge(struct sti_blb_files *all, const struct sti_wal_manifest *manifest)
{
    uint64_t id = 1;

    if (all->count > 0) {
        judge_all(all, manifest);
        id = atomic_load(&all->files[all->count - 1].seg->next_id);
    }
    if (all->text == NULL && manifest != NULL && manifest->count > 0 &&
            (all->count == 0 ||
                    manifest->entries[0].number > all->files[all->count - 1].seg->number)) {
        bad(all, all->count, "the last file is missing", 0, id, UINT64_MAX);
        all->position = -1;
    }
}

stele_code sti_blb_scan(struct sti_blb_files *out, struct sti_dir *dir,
        const struct sti_wal_listing *listing, const struct sti_wal_manifest *manifest,
        bool writable, stele_error *err)
{
    size_t count;
    const struct sti_wal_listed *items = sti_wal_listing_of(listing, STI_WAL_NAME_BLB, &count);
    stele_code rc = STELE_OK;

    memset(out, 0, sizeof *out);
    out->files = sti_calloc(count, sizeof *out->files);
    if (out->files == NULL) {
        return sti_fail_memory(err, count * sizeof *out->files);
    }
    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        out->count++;
        rc = scan_one(&out->files[i], dir, items[i].number, claim_of(manifest, items[i].number),
                i + 1 == count, writable, err);
    }
    if (rc == STELE_OK) {
        judge(out, manifest);
    }
    return rc;
}
