/* SPDX-License-Identifier: MIT
 *
 * examine.c: the open segments of format stele: what they are, and whether they go together.
 *
 * At most two are listed: one that takes records, and one prepared to follow it. The second is
 * begun only when the first is sealed, durably; which of the two is the newest, the manifest need
 * not know.
 */
#include "base/error.h"
#include "wal/open.h"

stele_code sti_wal_is_unlisted(struct sti_dir *dir, const struct sti_wal_manifest *m,
        const struct sti_wal_listed *item, bool *begun, stele_error *err)
{
    uint8_t bytes[STI_WAL_HEADER_SIZE];
    struct sti_wal_header header;
    struct sti_file f = {0};
    size_t got = 0;
    stele_code rc;

    *begun = false;
    /* Lower ones are leftovers. */
    if (item->number < m->next_number) {
        return STELE_OK;
    }
    rc = sti_file_open(&f, dir, item->name, STELE_OPEN_READ, err);
    rc = rc != STELE_OK ? rc : sti_file_read_some(&f, 0, bytes, sizeof bytes, &got, err);
    sti_file_close(&f);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_wal_header_decode(stele_bytes_of(bytes, got), item->name, &header, NULL);
    *begun = rc == STELE_EVERSION || (rc == STELE_OK && header.number == item->number);
    return STELE_OK;
}

stele_code sti_wal_examine(struct sti_wal_examined *x, struct sti_dir *dir,
        const struct sti_wal_entry *entry, bool writable, stele_error *err)
{
    struct sti_segment *seg = NULL;
    stele_code rc;

    memset(x, 0, sizeof *x);
    x->entry = entry;
    rc = sti_wal_segment_new(&seg, STELE_WAL_STELE, entry->number, err);
    if (rc != STELE_OK) {
        return rc;
    }
    x->seg = seg;
    seg->reused = entry->state == STI_WAL_ENTRY_REUSED;
    rc = sti_segment_open_file(seg, dir, writable, true, 0, err);
    if (rc == STELE_ENOTFOUND) {
        x->missing = true;
        return STELE_OK;
    }
    rc = rc != STELE_OK ? rc : sti_segment_scan(seg, false, 0, entry->end, &x->scan, err);
    if (rc != STELE_OK) {
        return rc;
    }
    x->shortened = x->scan.file_size < entry->size;
    x->begun = x->scan.header || x->scan.torn || x->scan.damaged;
    /* Positions in a segment have 32 bits. */
    seg->capacity = x->scan.file_size < UINT32_MAX ? x->scan.file_size : UINT32_MAX;
    seg->allocated = entry->size > 0;
    atomic_store(&seg->end, x->scan.header ? x->scan.end : 0);
    atomic_store(&seg->next_id, x->scan.next_id);
    return STELE_OK;
}

void sti_wal_examined_free(struct sti_wal_examined *x)
{
    sti_segment_drop(x->seg);
    x->seg = NULL;
}

/* ---- Judging. ---- */

/* Where a segment ought to go on. */
struct expected {
    uint64_t id;
    bool any;
};

static void bad(struct sti_wal_judgement *out, const char *text, uint64_t position, uint64_t first,
        uint64_t last)
{
    out->verdict = STI_WAL_BAD_FIRST;
    out->text = text;
    out->position = (int64_t)position;
    out->first_lost = first;
    out->last_lost = last;
}

/* The last id that is lost, if a segment behind tells. */
static uint64_t before(const struct sti_wal_examined *behind)
{
    return behind != NULL && behind->scan.header && behind->scan.first_id > 0
                   ? behind->scan.first_id - 1
                   : UINT64_MAX;
}

/* What is wrong with a segment by itself; STI_WAL_GOOD if nothing. */
static void judge_one(const struct sti_wal_examined *x, const struct sti_wal_examined *behind,
        struct expected e, struct sti_wal_judgement *out)
{
    const struct sti_scan *s = &x->scan;

    if (x->missing) {
        bad(out, "the file is missing", 0, e.id, before(behind));
        out->position = -1;
    } else if (s->header && !e.any && s->first_id != e.id) {
        bad(out, "the segment does not follow the one before it", 0, e.id,
                s->first_id > e.id ? s->first_id - 1 : UINT64_MAX);
    } else if (s->header && x->entry->first_id != 0 && s->first_id != x->entry->first_id) {
        bad(out, "the segment is another one than the manifest lists", 0, x->entry->first_id,
                UINT64_MAX);
    } else if (s->damaged && s->header) {
        bad(out, "acknowledged records are damaged", s->end, s->next_id,
                s->resumes ? s->resume_id - 1 : UINT64_MAX);
    } else if (s->damaged) {
        bad(out, "the header is damaged", 0, e.id, before(behind));
    } else if (x->shortened) {
        bad(out, "the file has become shorter", s->file_size, s->header ? s->next_id : e.id,
                before(behind));
    }
}

void sti_wal_judge(const struct sti_wal_examined *first, const struct sti_wal_examined *second,
        uint64_t next_id, bool any, struct sti_wal_judgement *out)
{
    struct expected e = {next_id, any};
    bool begun = second != NULL && !second->missing && second->begun;

    memset(out, 0, sizeof *out);
    judge_one(first, second, e, out);
    if (out->verdict != STI_WAL_GOOD || second == NULL) {
        return;
    }
    if (first->scan.header &&
            (first->scan.sealed ||
                    (second->scan.header && second->scan.first_id == first->scan.next_id))) {
        e.id = first->scan.next_id;
        e.any = false;
        judge_one(second, NULL, e, out);
        out->verdict = out->verdict == STI_WAL_GOOD ? STI_WAL_GOOD : STI_WAL_BAD_SECOND;
    } else if (begun && first->scan.header) {
        bad(out, "records at the end are missing", first->scan.end, first->scan.next_id,
                before(second));
    } else if (begun) {
        bad(out, "the segment is empty, and the one behind it is not", 0, e.id, before(second));
    }
}
