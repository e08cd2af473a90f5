/* SPDX-License-Identifier: MIT */
#include "journal/file.h"

#include "base/coding.h"
#include "base/error.h"

#include <inttypes.h>

enum {
    END_FRAME = STI_WAL_FRAME_SIZE + STI_JOURNAL_END_SIZE
};

/* ---- Opening. ---- */

static stele_code adopt_header(
        struct sti_journal_file *f, const struct sti_wal_header *h, stele_error *err)
{
    struct sti_segment *seg = f->seg;

    if (h->number != f->number) {
        return sti_fail_at(err, STELE_ECORRUPT, seg->name, 16,
                "is number %" PRIu64 " under another name", h->number);
    }
    if (h->first_id == 0) {
        return sti_fail_at(err, STELE_ECORRUPT, seg->name, 8, "begins with operation 0");
    }
    if (f->kind == STI_JOURNAL_NAME_SNAP && h->salt != STI_JOURNAL_SNAP_SALT) {
        return sti_fail_at(err, STELE_ECORRUPT, seg->name, 24, "is not a snapshot");
    }
    seg->salt = h->salt;
    seg->first_id = h->first_id;
    f->first_op = h->first_id;
    return STELE_OK;
}

static stele_code read_header(struct sti_journal_file *f, stele_error *err)
{
    uint8_t bytes[STI_WAL_HEADER_SIZE];
    struct sti_wal_header header;
    size_t got = 0;
    stele_code rc = sti_file_read_some(&f->seg->file, 0, bytes, sizeof bytes, &got, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_wal_header_decode(stele_bytes_of(bytes, got), f->seg->name, &header, err);
    if (rc == STELE_ECORRUPT && f->kind == STI_JOURNAL_NAME_LOG) {
        return STELE_OK;
    }
    return rc != STELE_OK ? rc : adopt_header(f, &header, err);
}

static stele_code open_file(
        struct sti_journal_file *f, struct sti_dir *dir, bool no_map, stele_error *err)
{
    stele_file_stat stat;
    stele_code rc = sti_segment_open_file(f->seg, dir, false, true, 0, err);

    rc = rc != STELE_OK ? rc : sti_file_stat(&f->seg->file, &stat, err);
    if (rc != STELE_OK) {
        return rc;
    }
    f->size = stat.size;
    if (!no_map && stat.size <= SIZE_MAX) {
        rc = sti_segment_open_file(f->seg, dir, false, false, (size_t)stat.size, err);
    }
    return rc != STELE_OK ? rc : read_header(f, err);
}

stele_code sti_journal_file_open(struct sti_journal_file *f, struct sti_dir *dir,
        enum sti_journal_name_kind kind, uint64_t number, bool no_map, stele_error *err)
{
    char name[STELE_JOURNAL_NAME_SIZE];
    stele_code rc;

    memset(f, 0, sizeof *f);
    f->kind = kind;
    f->number = number;
    rc = sti_wal_segment_new(&f->seg, STELE_WAL_STELE, number, err);
    if (rc != STELE_OK) {
        return rc;
    }
    sti_journal_name(name, kind, number);
    _Static_assert(sizeof name <= sizeof f->seg->name, "a name of a journal fits into a segment");
    memcpy(f->seg->name, name, sizeof name);
    rc = open_file(f, dir, no_map, err);
    if (rc != STELE_OK) {
        sti_journal_file_close(f);
    }
    return rc;
}

void sti_journal_file_close(struct sti_journal_file *f)
{
    sti_segment_drop(f->seg);
    memset(f, 0, sizeof *f);
}

void sti_journal_file_map(struct sti_journal_file *f, bool close)
{
    if (f->seg->file.raw == NULL) {
        return;
    }
    /* The file is open: that a map cannot be made is no failure. */
    if (f->size <= SIZE_MAX) {
        (void)sti_segment_open_file(f->seg, NULL, false, false, (size_t)f->size, NULL);
    }
    if (close && f->seg->map != NULL && f->seg->map_len == f->size) {
        sti_file_close(&f->seg->file);
    }
}

/* ---- Reading in order. ---- */

void sti_journal_cursor_init(struct sti_journal_cursor *c, struct sti_journal_file *f)
{
    bool log = f->kind == STI_JOURNAL_NAME_LOG;

    memset(c, 0, sizeof *c);
    c->file = f;
    c->at = STI_WAL_HEADER_SIZE;
    c->id = log ? f->first_op : 1;
    c->end = log && f->first_op == 0 ? 0 : f->size;
}

void sti_journal_cursor_free(struct sti_journal_cursor *c)
{
    sti_wal_reader_free(&c->reader);
    sti_journal_settings_free(&c->settings);
    memset(c, 0, sizeof *c);
}

/* The frame at the cursor; *valid is false if there is none. */
static stele_code get_frame(
        struct sti_journal_cursor *c, struct sti_wal_frame *frame, bool *valid, stele_error *err)
{
    struct sti_segment *seg = c->file->seg;
    uint32_t record_max = sti_wal_record_max(STELE_WAL_STELE);
    size_t need;

    if (c->trusted && seg->map != NULL && c->end <= seg->map_len) {
        *valid = sti_wal_frame_decode_trusted((const uint8_t *)seg->map + c->at,
                         (size_t)(c->end - c->at), c->id, seg->salt, record_max, frame,
                         &need) == STI_WAL_VALID;
        return STELE_OK;
    }
    return sti_segment_frame(seg, &c->reader, c->at, c->end, c->id, record_max, frame, valid, err);
}

/* Whether a valid frame is no operation, and nothing can follow it. */
static bool is_last(struct sti_journal_cursor *c, const struct sti_wal_frame *frame)
{
    if (frame->kind == STI_WAL_RECORD) {
        return c->file->kind == STI_JOURNAL_NAME_SNAP ? sti_journal_is_end(frame->data)
                                                      : c->id == UINT64_MAX;
    }
    c->sealed = frame->kind == STI_WAL_SEAL && c->file->kind == STI_JOURNAL_NAME_LOG;
    return true;
}

stele_code sti_journal_cursor_next(
        struct sti_journal_cursor *c, stele_journal_op *op, stele_bytes *encoded, stele_error *err)
{
    struct sti_segment *seg = c->file->seg;
    struct sti_wal_frame frame;
    bool valid = false;
    stele_code rc;

    if (c->at >= c->end) {
        return STELE_END;
    }
    if (c->at >= c->awake) {
        c->awake = sti_segment_prefault(seg, c->at, c->end);
    }
    sti_segment_prefetch(seg, c->at, c->end);
    rc = get_frame(c, &frame, &valid, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (!valid || is_last(c, &frame)) {
        return STELE_END;
    }
    rc = sti_journal_op_decode(op, frame.data, &c->settings, err);
    if (rc != STELE_OK) {
        return err == NULL || rc == STELE_ENOMEM
                       ? rc
                       : sti_fail_at(err, rc, seg->name, (int64_t)c->at, "%s", err->message);
    }
    *encoded = frame.data;
    c->at += frame.size;
    c->id++;
    return STELE_OK;
}

stele_code sti_journal_cursor_missing(
        const struct sti_journal_cursor *c, uint64_t next_op, stele_error *err)
{
    return sti_fail_at(err, STELE_ECORRUPT, c->file->seg->name, (int64_t)c->at,
            "operations %" PRIu64 " to %" PRIu64 " are %s", c->id, next_op - 1,
            c->sealed ? "missing behind the end of the log" : "damaged, or missing");
}

/* ---- Snapshots. ---- */

/* A frame that is the end, at its place, is that of this very file. */
static stele_code check_end(const struct sti_journal_file *f, uint64_t at, uint64_t id,
        stele_bytes data, struct sti_journal_end *out, stele_error *err)
{
    struct sti_journal_end end;
    const char *name = f->seg->name;
    stele_code rc = sti_journal_end_decode(&end, data, err);

    if (rc != STELE_OK) {
        return err == NULL ? rc : sti_fail_at(err, rc, name, (int64_t)at, "%s", err->message);
    }
    if (at + END_FRAME != f->size) {
        return sti_fail_at(err, STELE_ECORRUPT, name, (int64_t)at,
                "the snapshot ends, but the file has %" PRIu64 " bytes", f->size);
    }
    if (end.ops != id - 1 || end.count != f->first_op - 1) {
        return sti_fail_at(err, STELE_ECORRUPT, name, (int64_t)at,
                "the snapshot has %" PRIu64 " operations for %" PRIu64 ", and its end says %" PRIu64
                " for %" PRIu64,
                id - 1, f->first_op - 1, end.ops, end.count);
    }
    *out = end;
    return STELE_OK;
}

stele_code sti_journal_cursor_end(
        struct sti_journal_cursor *c, struct sti_journal_end *end, stele_error *err)
{
    struct sti_wal_frame frame;
    bool valid = false;
    stele_code rc = c->at < c->end ? get_frame(c, &frame, &valid, err) : STELE_OK;

    if (rc != STELE_OK) {
        return rc;
    }
    if (!valid || frame.kind != STI_WAL_RECORD) {
        return sti_fail_at(err, STELE_ECORRUPT, c->file->seg->name, (int64_t)c->at,
                "operation %" PRIu64 " of the snapshot is damaged, or the file ends there", c->id);
    }
    return check_end(c->file, c->at, c->id, frame.data, end, err);
}

stele_code sti_journal_snap_verify(
        struct sti_journal_file *f, struct sti_journal_end *end, stele_error *err)
{
    struct sti_journal_cursor c;
    stele_journal_op op;
    stele_bytes encoded;
    stele_code rc = STELE_OK;

    sti_journal_cursor_init(&c, f);
    while (rc == STELE_OK) {
        rc = sti_journal_cursor_next(&c, &op, &encoded, err);
    }
    rc = rc == STELE_END ? sti_journal_cursor_end(&c, end, err) : rc;
    sti_journal_cursor_free(&c);
    return rc;
}

stele_code sti_journal_snap_end(
        struct sti_journal_file *f, struct sti_journal_end *end, stele_error *err)
{
    uint8_t bytes[END_FRAME];
    struct sti_wal_frame frame;
    uint64_t at;
    uint64_t id;
    size_t need;
    stele_code rc;

    if (f->size < STI_WAL_HEADER_SIZE + END_FRAME) {
        return sti_fail_at(err, STELE_ECORRUPT, f->seg->name, -1,
                "ends after %" PRIu64 " bytes, without the end of a snapshot", f->size);
    }
    at = f->size - END_FRAME;
    rc = sti_file_read(&f->seg->file, at, bytes, sizeof bytes, err);
    if (rc != STELE_OK) {
        return rc;
    }
    id = sti_get_le64(bytes + 8);
    if (sti_wal_frame_decode(bytes, sizeof bytes, STELE_WAL_STELE, id, f->seg->salt, END_FRAME,
                &frame, &need) != STI_WAL_VALID ||
            frame.kind != STI_WAL_RECORD || id == 0) {
        return sti_fail_at(err, STELE_ECORRUPT, f->seg->name, (int64_t)at,
                "the end of the snapshot is damaged, or missing");
    }
    return check_end(f, at, id, frame.data, end, err);
}
