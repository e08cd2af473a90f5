/* SPDX-License-Identifier: MIT
 *
 * migrate.c: bring a log into the other format.
 *
 * The manifest first says that files of the other format are leftovers. They are written beside
 * those that are there, and synced. Then one update of the manifest says that the log has the other
 * format, and that those of the old one are the leftovers now: that is the moment. A crash before
 * or after leaves it to the next open to remove them.
 */
#include "base/alloc.h"
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "wal/open.h"

#include <inttypes.h>

enum {
    BUFFER = 1 << 20 /* written at once, or one record */
};

struct migration {
    struct sti_log *log; /* the old format */
    stele_wal_format format;
    uint64_t segment_size;
    struct sti_wal_manifest manifest; /* of the new one */

    /* The file being written. */
    struct sti_segment *seg; /* or NULL */
    uint64_t at;             /* of the next byte, those in the buffer counted */
    uint8_t *buffer;
    size_t used;
    size_t capacity;
    uint64_t next_id;
};

/* ---- Writing files. ---- */

static stele_code flush(struct migration *m, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (m->used > 0) {
        rc = sti_file_write(&m->seg->file, m->at - m->used, m->buffer, m->used, err);
        m->used = 0;
    }
    return rc;
}

/* Room for `len` bytes behind what is written. */
static stele_code reserve(struct migration *m, size_t len, uint8_t **out, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (m->used > 0 && (m->used >= BUFFER || len > m->capacity - m->used)) {
        rc = flush(m, err);
    }
    if (rc == STELE_OK && len > m->capacity - m->used) {
        size_t more = len > BUFFER ? len : (size_t)BUFFER;
        uint8_t *grown = sti_malloc(more);

        if (grown == NULL) {
            return sti_fail_memory(err, more);
        }
        sti_free(m->buffer);
        m->buffer = grown;
        m->capacity = more;
    }
    if (rc == STELE_OK) {
        *out = m->buffer + m->used;
        m->used += len;
        m->at += len;
    }
    return rc;
}

static stele_code begin(struct migration *m, uint64_t first_id, stele_error *err)
{
    struct sti_segment *seg = NULL;
    uint8_t *out = NULL;
    stele_code rc = sti_wal_segment_new(&seg, m->format, m->manifest.next_number, err);

    if (rc != STELE_OK) {
        return rc;
    }
    m->seg = seg;
    m->manifest.next_number++;
    m->at = 0;
    seg->first_id = first_id;
    rc = sti_file_open(&seg->file, &m->log->dir, seg->name,
            STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, err);
    if (rc == STELE_OK && m->format == STELE_WAL_STELE) {
        struct sti_wal_header header = {.first_id = first_id, .number = seg->number};

        header.salt = sti_segment_new_salt(&m->log->env, 0);
        seg->salt = header.salt;
        rc = reserve(m, STI_WAL_HEADER_SIZE, &out, err);
        if (rc == STELE_OK) {
            sti_wal_header_encode(out, &header);
        }
    }
    return rc;
}

static stele_code list(struct migration *m, uint64_t end, stele_error *err)
{
    struct sti_wal_entry entry = {
            .number = m->seg->number, .first_id = m->seg->first_id, .end = end};

    if (m->format == STELE_WAL_BLB) {
        m->manifest.count = 0; /* the last file alone */
    } else {
        entry.state = STI_WAL_ENTRY_SEALED;
        entry.last_id = m->next_id - 1;
    }
    return sti_wal_manifest_add(&m->manifest, &entry, err);
}

static stele_code finish(struct migration *m, stele_error *err)
{
    uint64_t end = m->at;
    uint8_t *seal = NULL;
    uint8_t *out = NULL;
    size_t len = 0;
    stele_code rc = STELE_OK;

    if (m->seg == NULL) {
        return STELE_OK;
    }
    if (m->format == STELE_WAL_STELE) {
        atomic_store(&m->seg->end, end);
        atomic_store(&m->seg->next_id, m->next_id);
        rc = sti_segment_encode_seal(m->seg, end, &seal, &len, err);
        rc = rc != STELE_OK ? rc : reserve(m, len, &out, err);
        if (rc == STELE_OK) {
            memcpy(out, seal, len);
        }
        sti_free(seal);
    }
    rc = rc != STELE_OK ? rc : flush(m, err);
    if (rc == STELE_OK && !STI_MUTANT(WAL_MIGRATE_NOT_SYNCED)) {
        rc = sti_file_sync(&m->seg->file, false, err);
    }
    rc = rc != STELE_OK ? rc : list(m, end, err);
    sti_segment_drop(m->seg);
    m->seg = NULL;
    return rc;
}

static stele_code put(struct migration *m, const stele_wal_record *record, stele_error *err)
{
    size_t size = sti_wal_frame_size(m->format, record->data.len);
    uint8_t *out = NULL;
    stele_code rc = STELE_OK;

    if (record->data.len > sti_wal_record_max(m->format)) {
        return sti_fail(err, STELE_ETOOBIG,
                "record %" PRIu64 " has %zu bytes, more than format blb can take", record->id,
                record->data.len);
    }
    if (m->seg != NULL && m->at >= m->segment_size) {
        rc = finish(m, err);
    }
    if (rc == STELE_OK && m->seg == NULL) {
        rc = begin(m, record->id, err);
    }
    if (rc == STELE_OK) {
        rc = sti_segment_index_add(m->seg, record->id, m->at, err);
    }
    rc = rc != STELE_OK ? rc : reserve(m, size, &out, err);
    if (rc == STELE_OK) {
        (void)sti_wal_frame_encode(
                out, m->format, STI_WAL_RECORD, record->id, m->seg->salt, 0, record->data);
        m->next_id = record->id + 1;
    }
    return rc;
}

/* ---- All of it. ---- */

/* Every record, to files of the other format, or, in a dry run, to see whether it would go. */
static stele_code copy(struct migration *m, bool dry, stele_error *err)
{
    stele_wal_iter *it = NULL;
    stele_wal_record record;
    stele_code rc = sti_log_iter_open(&it, &m->log->base, 0, err);

    while (rc == STELE_OK && (rc = stele_wal_iter_next(it, &record, err)) == STELE_OK) {
        if (!dry) {
            rc = put(m, &record, err);
        } else if (record.data.len > sti_wal_record_max(m->format)) {
            rc = sti_fail(err, STELE_ETOOBIG,
                    "record %" PRIu64 " has %zu bytes, more than format blb can take", record.id,
                    record.data.len);
        }
    }
    rc = rc == STELE_END ? STELE_OK : rc;
    (void)stele_wal_iter_close(it, NULL);
    return rc != STELE_OK || dry ? rc : finish(m, err);
}

static stele_code announce(struct migration *m, stele_error *err)
{
    stele_code rc;

    sti_mutex_lock(&m->log->files);
    m->log->manifest.leftovers = true;
    rc = sti_log_save_locked(m->log, false, err);
    sti_mutex_unlock(&m->log->files);
    return rc;
}

/* The moment; and then, from the new format's view, what is left over goes. */
static stele_code change_over(struct migration *m, stele_error *err)
{
    struct sti_log *log = m->log;
    struct sti_wal_listing listing = {.count = 0};
    stele_code rc =
            STI_MUTANT(WAL_MIGRATE_NAMES_NOT_SYNCED) ? STELE_OK : sti_dir_sync(&log->dir, err);

    m->manifest.generation = log->manifest.generation;
    m->manifest.leftovers = true;
    rc = rc != STELE_OK ? rc
                        : sti_wal_manifest_write(&log->dir, &log->manifest_file, &m->manifest, err);
    rc = rc != STELE_OK ? rc : sti_wal_listing_read(&listing, &log->dir, err);
    for (size_t i = 0; i < listing.count && rc == STELE_OK; i++) {
        enum sti_wal_name_kind old =
                m->format == STELE_WAL_BLB ? STI_WAL_NAME_STELE : STI_WAL_NAME_BLB;

        if (listing.items[i].kind == old || listing.items[i].kind == STI_WAL_NAME_LEFTOVER) {
            rc = sti_dir_unlink(&log->dir, listing.items[i].name, NULL, err);
        }
    }
    sti_wal_listing_free(&listing);
    rc = rc != STELE_OK ? rc : sti_dir_sync(&log->dir, err);
    m->manifest.leftovers = false;
    return rc != STELE_OK
                   ? rc
                   : sti_wal_manifest_write(&log->dir, &log->manifest_file, &m->manifest, err);
}

/* Files of the new format that are there already are none of ours, and would be removed. */
static stele_code check_names(struct migration *m, stele_error *err)
{
    struct sti_wal_listing listing = {.count = 0};
    const struct sti_wal_listed *items;
    size_t count = 0;
    stele_code rc = sti_wal_listing_read(&listing, &m->log->dir, err);

    items = sti_wal_listing_of(
            &listing, m->format == STELE_WAL_BLB ? STI_WAL_NAME_BLB : STI_WAL_NAME_STELE, &count);
    if (rc == STELE_OK && count > 0) {
        rc = sti_fail_at(err, STELE_EEXIST, items[0].name, -1,
                "is in the directory, and none of the log's files");
    }
    sti_wal_listing_free(&listing);
    return rc;
}

/* After a failure before the moment: the log stays as it is. */
static void undo(struct migration *m)
{
    struct sti_wal_listing listing = {.count = 0};

    if (sti_wal_listing_read(&listing, &m->log->dir, NULL) == STELE_OK) {
        (void)sti_log_remove_leftovers(m->log, &listing, NULL); /* or the next open does */
    }
    sti_wal_listing_free(&listing);
}

static stele_code migrate(struct migration *m, bool dry, stele_error *err)
{
    stele_code rc = check_names(m, err);

    /* Whatever cannot be brought over is found before anything is changed. */
    rc = rc != STELE_OK ? rc : copy(m, true, err);
    if (rc != STELE_OK || dry) {
        return rc;
    }
    rc = announce(m, err);
    rc = rc != STELE_OK ? rc : copy(m, false, err);
    sti_segment_drop(m->seg);
    m->seg = NULL;
    if (rc != STELE_OK) {
        undo(m);
        return rc;
    }
    return change_over(m, err);
}

static stele_code check_arguments(const char *dir, stele_wal_format format,
        const stele_wal_options *opts, stele_wal_options *to, stele_error *err)
{
    stele_code rc;

    if (dir == NULL || (format != STELE_WAL_STELE && format != STELE_WAL_BLB)) {
        return sti_fail(err, STELE_EINVAL, "no directory, or no format to bring the log into");
    }
    rc = sti_wal_options_copy(to, opts, err);
    return rc != STELE_OK ? rc : sti_wal_options_resolve(to, format, err);
}

stele_code stele_wal_migrate_dir(const char *dir, const stele_wal_options *opts,
        stele_wal_format format, uint64_t *segments, uint64_t *migrated, stele_error *err)
{
    struct migration m = {.format = format};
    stele_wal_options to = {.struct_size = 0};
    stele_wal_options from;
    size_t count = 0;
    bool other = false;
    stele_code rc = check_arguments(dir, format, opts, &to, err);

    if (rc != STELE_OK) {
        return rc;
    }
    from = to;
    from.format = STELE_WAL_ANY;
    from.segment_size = 0;
    from.record_size_max = 0;
    from.must_exist = true;
    from.no_background = true;
    from.read_only = to.dry_run;
    m.segment_size = to.segment_size;
    m.manifest.format = format;
    m.manifest.clean = true;
    rc = sti_log_open(&m.log, dir, &from, err);
    if (rc == STELE_OK) {
        count = m.log->segment_count;
        other = m.log->format != format;
    }
    rc = rc != STELE_OK || !other ? rc : migrate(&m, to.dry_run, err);
    sti_free(m.buffer);
    sti_wal_manifest_free(&m.manifest);
    sti_log_free(m.log);
    if (rc != STELE_OK) {
        return sti_wrap(err, rc, "migrate log %s", dir);
    }
    if (segments != NULL) {
        *segments = count;
    }
    if (migrated != NULL) {
        *migrated = other ? count : 0;
    }
    return STELE_OK;
}
