/* SPDX-License-Identifier: MIT
 *
 * scan.c: what a segment holds, and what the bytes behind it are evidence of.
 *
 * A crash leaves behind the last durable byte any mixture of what one write was to put there and of
 * what was there before: zeros, or in a file that was used before, frames with another salt. So a
 * thing of this segment's own making behind the end is a torn tail, unless it says by itself that
 * the end was durable when it was written: then something in front of it was damaged later.
 *
 * Files are hostile: each candidate for a frame must be plausible before its checksum is
 * calculated, and the bytes of all such checksums together are limited, so that the time stays
 * linear in the size of the file.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/coding.h"
#include "base/error.h"
#include "base/mutant.h"
#include "wal/segment.h"

enum {
    WINDOW = 64 << 10,
    SALT_AT = 16, /* in a frame */
    SALT_SIZE = 4,
    BLB_ID_AND_LENGTH = 12,
    BUDGET_LEAST = 16 << 20
};

/* ---- Walking over valid frames. ---- */

struct walk {
    struct sti_segment *seg;
    struct sti_segment *index; /* whose index is filled */
    struct sti_wal_reader *reader;
    uint64_t limit;
    uint64_t at;      /* of the next frame, marks skipped */
    uint64_t end;     /* behind the last record */
    uint64_t next_id; /* behind it */
    uint64_t records;
    uint64_t durable;
    bool marked;
    bool sealed;
};

/* One frame; *more is false at the first place that has none, or a seal. */
static stele_code walk_one(struct walk *w, bool *more, stele_error *err)
{
    struct sti_wal_frame frame;
    uint64_t durable;
    bool valid;
    stele_code rc = sti_segment_frame(w->seg, w->reader, w->at, w->limit, w->next_id,
            sti_wal_record_max(w->seg->format), &frame, &valid, err);

    *more = false;
    /* Behind the largest id there is none. */
    if (rc != STELE_OK || !valid || (frame.kind == STI_WAL_RECORD && frame.id == UINT64_MAX)) {
        return rc;
    }
    durable = frame.durable < w->at ? frame.durable : w->at;
    w->durable = durable > w->durable ? durable : w->durable;
    switch (frame.kind) {
    case STI_WAL_RECORD:
        rc = sti_segment_index_add(w->index, w->next_id, w->at, err);
        if (rc != STELE_OK) {
            return rc;
        }
        w->at += frame.size;
        w->end = w->at;
        w->next_id++;
        w->records++;
        w->marked = false;
        break;
    case STI_WAL_MARK:
        w->at += frame.size;
        w->marked = true;
        break;
    case STI_WAL_SEAL:
        w->sealed = true;
        break;
    default:
        sti_unreachable();
    }
    *more = !w->sealed;
    return STELE_OK;
}

static stele_code walk_all(struct walk *w, stele_error *err)
{
    bool more = true;
    stele_code rc = STELE_OK;

    while (more && rc == STELE_OK) {
        rc = walk_one(w, &more, err);
    }
    return rc;
}

stele_code sti_segment_index(struct sti_segment *seg, struct sti_wal_reader *r, uint64_t limit,
        uint64_t *end, uint64_t *next_id, stele_error *err)
{
    struct walk w = {
            .seg = seg,
            .index = seg,
            .reader = r,
            .limit = limit,
            .at = seg->format == STELE_WAL_BLB ? 0 : STI_WAL_HEADER_SIZE,
            .next_id = seg->first_id,
    };
    stele_code rc;

    w.end = w.at;
    seg->position_count = 0;
    rc = walk_all(&w, err);
    if (rc == STELE_OK) {
        *end = w.end;
        *next_id = w.next_id;
    }
    return rc;
}

/* Positions that were found by themselves, behind those that are there. */
static stele_code append_positions(
        struct sti_segment *seg, const struct sti_segment *more, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < more->position_count && rc == STELE_OK; i++) {
        rc = sti_segment_index_add(
                seg, more->first_id + STI_WAL_STRIDE * i, more->positions[i], err);
    }
    return rc;
}

stele_code sti_segment_advance(struct sti_segment *seg, struct sti_wal_reader *r, uint64_t limit,
        struct sti_mutex *view, bool *sealed, stele_error *err)
{
    /* Has an index alone, from the next place on that seg's does not have. */
    struct sti_segment more = {
            .first_id = seg->first_id + STI_WAL_STRIDE * seg->position_count,
    };
    struct walk w = {
            .seg = seg,
            .index = &more,
            .reader = r,
            .limit = limit,
            .at = atomic_load(&seg->end),
            .end = atomic_load(&seg->end),
            .next_id = atomic_load(&seg->next_id),
    };
    stele_code rc = walk_all(&w, err);

    if (rc == STELE_OK) {
        sti_mutex_lock(view);
        rc = append_positions(seg, &more, err);
        if (rc == STELE_OK) {
            atomic_store(&seg->end, w.end);
            atomic_store(&seg->next_id, w.next_id);
            *sealed = w.sealed;
        } else {
            sti_segment_index_cut(seg, atomic_load(&seg->next_id));
        }
        sti_mutex_unlock(view);
    }
    sti_free(more.positions);
    return rc;
}

/* ---- Evidence behind the end. ---- */

struct search {
    struct sti_segment *seg;
    struct sti_wal_reader windows;
    struct sti_wal_reader frames;
    struct sti_scan *out;
    bool any_id;     /* ids say nothing yet */
    uint64_t from;   /* where it may begin */
    uint64_t budget; /* bytes of checksums that may still be calculated */
};

/* What there is at a place that may be a frame of ours. Returns where to go on. */
struct candidate {
    uint64_t at;
    uint64_t id;
    uint64_t durable;
    size_t size;
    bool plausible;
};

static void judge(const struct search *s, const uint8_t *head, struct candidate *c)
{
    uint64_t left = s->out->file_size - c->at;
    uint64_t ids = s->out->file_size / STI_WAL_BLB_OVERHEAD + 1;

    if (s->seg->format == STELE_WAL_BLB) {
        c->id = sti_get_le64(head);
        c->durable = 0;
        c->size = (size_t)STI_WAL_BLB_OVERHEAD + sti_get_le32(head + 8);
        c->plausible = c->size <= left && sti_get_le32(head + 8) <= STELE_WAL_BLB_RECORD_MAX;
    } else {
        uint32_t word = sti_get_le32(head + 4);

        c->id = sti_get_le64(head + 8);
        c->durable = sti_get_le32(head + 20);
        c->size = (size_t)STI_WAL_FRAME_SIZE + (word & 0x3fffffffU);
        c->plausible =
                c->size <= left && c->durable <= s->out->file_size && word >> 30 <= STI_WAL_SEAL;
    }
    c->plausible = c->plausible && (s->any_id || c->id - s->out->next_id <= ids);
}

/* Look at the place. *next is behind what was found to be a frame, or untouched. */
static stele_code try_frame(struct search *s, struct candidate *c, uint64_t *next, stele_error *err)
{
    struct sti_scan *out = s->out;
    size_t head_size = s->seg->format == STELE_WAL_BLB ? (size_t)BLB_ID_AND_LENGTH
                                                       : (size_t)STI_WAL_FRAME_SIZE;
    struct sti_wal_frame frame;
    const uint8_t *head;
    uint64_t touched;
    size_t len;
    bool valid = false;
    stele_code rc = sti_wal_reader_get(
            &s->frames, s->seg, c->at, head_size, out->file_size, &head, &len, err);

    if (rc != STELE_OK || len < head_size) {
        return rc;
    }
    judge(s, head, c);
    if (c->plausible && c->size <= s->budget) {
        s->budget -= c->size;
        rc = sti_segment_frame(s->seg, &s->frames, c->at, out->file_size, c->id,
                sti_wal_record_max(s->seg->format), &frame, &valid, err);
    }
    if (rc != STELE_OK || (!valid && s->seg->format == STELE_WAL_BLB)) {
        return rc;
    }
    touched = c->at + (c->plausible ? c->size : head_size);
    out->torn = true;
    out->torn_end = touched > out->torn_end ? touched : out->torn_end;
    if (valid) {
        uint64_t behind = frame.kind == STI_WAL_RECORD && c->id < UINT64_MAX ? c->id + 1 : c->id;

        *next = touched;
        out->resume_next = behind > out->resume_next ? behind : out->resume_next;
        out->damaged = out->damaged || c->durable > out->end;
        if (!out->resumes) {
            out->resumes = true;
            out->resume_at = c->at;
            out->resume_id = c->id;
        }
    }
    return STELE_OK;
}

static bool all_zero(const uint8_t *data, size_t len)
{
    return len == 0 || (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}

/* Every place of a window at which this segment's salt stands where a frame has it. */
static stele_code search_salt(
        struct search *s, const uint8_t *data, size_t len, uint64_t at, stele_error *err)
{
    uint8_t salt[SALT_SIZE];
    uint64_t next = s->from;
    stele_code rc = STELE_OK;

    sti_put_le32(salt, s->seg->salt);
    for (size_t i = 0; i + SALT_SIZE <= len && rc == STELE_OK; i++) {
        const uint8_t *hit = memchr(data + i, salt[0], len - i - (SALT_SIZE - 1));
        struct candidate c = {0};

        if (hit == NULL) {
            break;
        }
        i = (size_t)(hit - data);
        if (memcmp(hit, salt, SALT_SIZE) != 0 || at + i < next + SALT_AT) {
            continue;
        }
        c.at = at + i - SALT_AT;
        rc = try_frame(s, &c, &next, err);
    }
    /* Nothing inside a valid frame is another one. */
    s->from = next;
    return rc;
}

/* Every place of a window at which a record with a later id may begin. */
static stele_code search_records(
        struct search *s, const uint8_t *data, size_t len, uint64_t at, stele_error *err)
{
    uint64_t ids = s->out->file_size / STI_WAL_BLB_OVERHEAD + 1;
    uint64_t next = s->from;
    stele_code rc = STELE_OK;

    for (size_t i = 0; i + BLB_ID_AND_LENGTH <= len && rc == STELE_OK; i++) {
        struct candidate c = {.at = at + i};

        if (at + i >= next && (s->any_id || sti_get_le64(data + i) - s->out->next_id <= ids)) {
            rc = try_frame(s, &c, &next, err);
        }
    }
    s->from = next;
    return rc;
}

/* One window, which is not all zeros. */
static stele_code search_window(struct search *s, bool was_zero, const uint8_t *data, size_t len,
        uint64_t at, stele_error *err)
{
    size_t used = len;

    while (data[used - 1] == 0) {
        used--;
    }
    if (was_zero) {
        s->out->torn = true;
        s->out->torn_end = at + used > s->out->torn_end ? at + used : s->out->torn_end;
    }
    return s->seg->format == STELE_WAL_BLB ? search_records(s, data, len, at, err)
                                           : search_salt(s, data, len, at, err);
}

/* Look through [from, file_size), window by window; these overlap, so that each place lies in one.
 * was_zero: what is not zero now is of the segment's own making. */
static stele_code search_all(struct search *s, bool was_zero, stele_error *err)
{
    size_t overlap =
            s->seg->format == STELE_WAL_BLB ? (size_t)BLB_ID_AND_LENGTH - 1 : (size_t)SALT_SIZE - 1;
    uint64_t at = s->from;
    stele_code rc = STELE_OK;

    while (at < s->out->file_size && rc == STELE_OK) {
        const uint8_t *data;
        size_t len;

        rc = sti_wal_reader_get(
                &s->windows, s->seg, at, WINDOW, s->out->file_size, &data, &len, err);
        if (rc != STELE_OK || len == 0) {
            break;
        }
        len = len < WINDOW ? len : WINDOW;
        if (!all_zero(data, len)) {
            rc = search_window(s, was_zero, data, len, at, err);
        }
        at += len > overlap && at + len < s->out->file_size ? len - overlap : len;
    }
    return rc;
}

static void search_begin(
        struct search *s, struct sti_segment *seg, struct sti_scan *out, uint64_t from)
{
    memset(s, 0, sizeof *s);
    s->seg = seg;
    s->out = out;
    s->from = from;
    s->budget = BUDGET_LEAST + 2 * (out->file_size < UINT32_MAX ? out->file_size : UINT32_MAX);
}

static void search_end(struct search *s)
{
    sti_wal_reader_free(&s->windows);
    sti_wal_reader_free(&s->frames);
}

/* ---- A segment whose header is not valid. ---- */

/* It was never begun, or its first write was torn, or it was damaged later: only frames which say
 * that the header was durable tell. Their salt stands in the first of them, or in what is left of
 * the header. */
static stele_code examine_headless(struct sti_segment *seg, const uint8_t *head, size_t len,
        struct sti_scan *out, stele_error *err)
{
    uint32_t salts[2] = {0};
    stele_code rc = STELE_OK;

    /* Used before and not begun: the header was zeroed, and old frames follow. */
    if (seg->reused && all_zero(head, len < STI_WAL_HEADER_SIZE ? len : STI_WAL_HEADER_SIZE)) {
        return STELE_OK;
    }
    if (len >= STI_WAL_HEADER_SIZE) {
        salts[0] = sti_get_le32(head + 24);
    }
    if (len >= STI_WAL_HEADER_SIZE + SALT_AT + SALT_SIZE) {
        salts[1] = sti_get_le32(head + STI_WAL_HEADER_SIZE + SALT_AT);
    }
    if (seg->reused) {
        out->torn = true;
        out->torn_end = STI_WAL_HEADER_SIZE;
    }
    for (size_t i = 0; i < 2 && rc == STELE_OK; i++) {
        struct search s;

        if (i == 1 && salts[1] == salts[0]) {
            continue;
        }
        search_begin(&s, seg, out, 0);
        s.any_id = true;
        seg->salt = salts[i] == 0 ? 1 : salts[i]; /* 0 is none: then only bytes count */
        rc = search_all(&s, !seg->reused, err);
        search_end(&s);
    }
    seg->salt = 0;
    return rc;
}

/* ---- All of it. ---- */

/* Format stele: the header. *found is false if there is no valid one of this segment. */
static stele_code read_header(struct sti_segment *seg, struct sti_wal_reader *r,
        struct sti_scan *out, bool *found, stele_error *err)
{
    size_t want = STI_WAL_HEADER_SIZE + STI_WAL_FRAME_SIZE;
    const uint8_t *head;
    stele_error why;
    size_t len;
    stele_code rc = sti_wal_reader_get(r, seg, 0, want, out->file_size, &head, &len, err);

    *found = false;
    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_wal_header_decode(
            stele_bytes_of(head, len < want ? len : want), seg->name, &out->head, &why);
    if (rc == STELE_EVERSION) {
        return sti_fail_at(err, rc, seg->name, why.position, "%s", why.message);
    }
    /* In a file that was used before, another number is that of the segment before it. */
    if (rc != STELE_OK || (out->head.number != seg->number && !STI_MUTANT(WAL_HEADER_NOT_ZEROED) &&
                                  !STI_MUTANT(WAL_REUSE_NOT_SYNCED))) {
        return rc == STELE_OK && seg->reused
                       ? STELE_OK
                       : examine_headless(seg, head, len < want ? len : want, out, err);
    }
    *found = true;
    return STELE_OK;
}

static stele_code scan_begin(struct sti_segment *seg, struct walk *w, bool any_first,
        uint64_t first_id, struct sti_scan *out, stele_error *err)
{
    const uint8_t *head;
    size_t len;
    stele_code rc;

    if (seg->format == STELE_WAL_STELE) {
        rc = read_header(seg, w->reader, out, &out->header, err);
        if (rc != STELE_OK || !out->header) {
            return rc;
        }
        seg->salt = out->head.salt;
        seg->reused = out->head.used_before;
        w->at = STI_WAL_HEADER_SIZE;
        first_id = out->head.first_id;
    } else if (any_first) {
        rc = sti_wal_reader_get(
                w->reader, seg, 0, sizeof first_id, out->file_size, &head, &len, err);
        if (rc != STELE_OK) {
            return rc;
        }
        first_id = len < sizeof first_id ? 0 : sti_get_le64(head);
    }
    seg->first_id = first_id;
    w->next_id = first_id;
    w->end = w->at;
    return STELE_OK;
}

static stele_code scan_behind(
        struct sti_segment *seg, uint64_t at, bool any_id, struct sti_scan *out, stele_error *err)
{
    struct search s;
    stele_code rc;

    search_begin(&s, seg, out, at);
    s.any_id = any_id;
    rc = search_all(&s, !seg->reused, err);
    search_end(&s);
    return rc;
}

stele_code sti_segment_scan_behind(struct sti_segment *seg, uint64_t end, uint64_t next_id,
        struct sti_scan *out, stele_error *err)
{
    stele_file_stat stat;
    stele_code rc = sti_file_stat(&seg->file, &stat, err);

    memset(out, 0, sizeof *out);
    if (rc != STELE_OK) {
        return rc;
    }
    out->header = true;
    out->end = end;
    out->first_id = seg->first_id;
    out->next_id = next_id;
    out->torn_at = end;
    out->file_size = stat.size;
    return scan_behind(seg, end, false, out, err);
}

stele_code sti_segment_scan(struct sti_segment *seg, bool any_first, uint64_t first_id,
        uint64_t known_durable, struct sti_scan *out, stele_error *err)
{
    struct sti_wal_reader reader = {0};
    struct walk w = {.seg = seg, .index = seg, .reader = &reader};
    stele_file_stat stat;
    stele_code rc = sti_file_stat(&seg->file, &stat, err);

    memset(out, 0, sizeof *out);
    seg->position_count = 0;
    if (rc != STELE_OK) {
        return rc;
    }
    out->file_size = stat.size;
    w.limit = stat.size;
    rc = scan_begin(seg, &w, any_first, first_id, out, err);
    if (rc == STELE_OK && (out->header || seg->format == STELE_WAL_BLB)) {
        rc = walk_all(&w, err);
        out->end = w.end;
        out->first_id = seg->first_id;
        out->next_id = w.next_id;
        out->records = w.records;
        out->durable = w.durable;
        out->marked = w.marked;
        out->sealed = w.sealed;
        out->torn_at = w.at;
        if (rc == STELE_OK && !w.sealed) {
            rc = scan_behind(seg, w.at, any_first && w.records == 0, out, err);
        }
    }
    sti_wal_reader_free(&reader);
    if (rc != STELE_OK) {
        return rc;
    }
    out->durable = known_durable > out->durable ? known_durable : out->durable;
    /* A frame within what is left may say more than that is there, too. */
    out->damaged = out->damaged || out->durable > out->end;
    if (STI_MUTANT(WAL_DAMAGE_AS_TORN)) {
        out->damaged = false;
    }
    return STELE_OK;
}
