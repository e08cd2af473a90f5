/* SPDX-License-Identifier: MIT
 *
 * backup.c: copy segments, and prove the copy.
 */
#include "stream/backup.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/dir_tool.h"
#include "stream/index_file.h"
#include "stream/salvage.h"

#include <inttypes.h>
#include <string.h>

enum {
    READ_STEP = 1 << 20
};

/* What was written, to be compared with what is read back. */
struct proof {
    uint32_t log_crc;
    uint32_t index_crc;
    uint64_t index_len;
    uint64_t messages;
};

struct backup {
    const struct sti_backup_source *source;
    struct sti_dir dir; /* the target */
    struct sti_file lock;
    struct sti_listing listing; /* of the target, as it was found */
    struct sti_leftovers leftovers;
    struct sti_bases bases;
    struct proof *proofs; /* one a segment */
    stele_stream_copied total;
    stele_error *err;
};

/* ---- The source. ---- */

/* The bytes of a source segment: sti_free(*out). */
static stele_code read_source(struct backup *b, size_t i, uint8_t **out)
{
    const struct sti_backup_segment *seg = &b->source->segments[i];
    uint8_t *bytes = seg->len > SIZE_MAX ? NULL : sti_malloc((size_t)seg->len);
    stele_code rc = STELE_OK;

    if (bytes == NULL) {
        return sti_fail_memory(b->err, (size_t)seg->len);
    }
    for (uint64_t at = 0; rc == STELE_OK && at < seg->len; at += READ_STEP) {
        uint64_t len = seg->len - at < READ_STEP ? seg->len - at : READ_STEP;

        rc = b->source->read(b->source->arg, i, at, bytes + at, (size_t)len, b->err);
    }
    if (rc != STELE_OK) {
        sti_free(bytes);
        return rc;
    }
    *out = bytes;
    return STELE_OK;
}

static int64_t limit_of(const struct backup *b, size_t i)
{
    return i + 1 < b->source->count ? b->source->segments[i + 1].base : INT64_MAX;
}

/* ---- Is the target a copy of this stream? ---- */

/* Walks over the source's messages in their order. */
struct cursor {
    struct backup *b;
    size_t segment; /* the one whose bytes are there */
    uint8_t *bytes;
    struct sti_scan scan;
    stele_message message;
    bool has_message;
};

static stele_code cursor_load(struct cursor *c, size_t segment)
{
    const struct sti_backup_segment *seg = &c->b->source->segments[segment];
    stele_code rc;

    sti_free(c->bytes);
    c->bytes = NULL;
    c->segment = segment;
    rc = read_source(c->b, segment, &c->bytes);
    if (rc == STELE_OK) {
        sti_scan_begin(&c->scan, c->bytes, seg->len, sti_log_kind_of(c->bytes, seg->len, seg->base),
                seg->base, limit_of(c->b, segment));
    }
    return rc;
}

/* Go to the first message at or behind an offset; has_message is false if
 * there is none. */
static stele_code cursor_seek(struct cursor *c, int64_t offset)
{
    stele_code rc = STELE_OK;
    size_t size;

    while (rc == STELE_OK && !(c->has_message && c->message.offset >= offset)) {
        bool skip = limit_of(c->b, c->segment) <= offset;

        c->has_message = !skip && c->bytes != NULL &&
                         sti_scan_next(&c->scan, &c->message, &size) == STI_MESSAGE_WHOLE;
        if (c->has_message) {
            continue;
        }
        if (!skip && c->bytes == NULL) {
            rc = cursor_load(c, c->segment);
        } else if (c->segment + 1 < c->b->source->count) {
            sti_free(c->bytes);
            c->bytes = NULL;
            c->segment++;
        } else {
            break;
        }
    }
    return rc;
}

static stele_code refuse(struct backup *b, const char *name, int64_t offset)
{
    return sti_fail_at(b->err, STELE_EEXIST, name, -1,
            "the target holds another stream: its message %" PRId64 " is none of the source's",
            offset);
}

/* Compare one log of the target with the source. Counts what they share. */
static stele_code compare_log(struct backup *b, int64_t base, const struct sti_salvage *salvage,
        const uint8_t *log, uint64_t *shared, uint64_t *messages)
{
    struct cursor c = {.b = b};
    char name[STI_NAME_SIZE];
    stele_code rc = STELE_OK;

    sti_name_log(name, base);
    for (size_t i = 0; rc == STELE_OK && i < salvage->count; i++) {
        const struct sti_piece *piece = &salvage->pieces[i];
        uint64_t at = piece->at;
        stele_message m;
        size_t size;

        while (rc == STELE_OK && piece->kind == STI_PIECE_KEPT && at < piece->end &&
                sti_message_peek(log + at, (size_t)(piece->end - at), salvage->version, &m,
                        &size) == STI_MESSAGE_WHOLE) {
            rc = m.offset >= b->source->next_offset ? refuse(b, name, m.offset)
                                                    : cursor_seek(&c, m.offset);
            if (rc == STELE_OK && c.has_message && c.message.offset == m.offset) {
                bool same = c.message.time == m.time && stele_bytes_equal(c.message.key, m.key) &&
                            stele_bytes_equal(c.message.value, m.value);

                rc = same ? STELE_OK : refuse(b, name, m.offset);
                *shared += 1;
            }
            *messages += 1;
            at += size;
        }
    }
    sti_free(c.bytes);
    return rc;
}

static stele_code judge_target(struct backup *b)
{
    static const struct sti_witness none = {0};
    uint64_t shared = 0;
    uint64_t messages = 0;
    stele_code rc = STELE_OK;

    for (size_t i = 0; rc == STELE_OK && i < b->bases.count; i++) {
        int64_t base = b->bases.bases[i];
        struct sti_salvage salvage = {0};
        char name[STI_NAME_SIZE];
        uint8_t *log = NULL;
        size_t len = 0;

        sti_name_log(name, base);
        rc = sti_stream_read_file(&b->dir, name, &log, &len, b->err);
        if (rc == STELE_OK) {
            rc = sti_salvage_run(&salvage, log, len, base, INT64_MAX, &none, b->err);
        }
        if (rc == STELE_OK && (salvage.kind == STI_LOG_VERSION ||
                                      (salvage.damaged > 0 && salvage.messages == 0))) {
            rc = sti_fail_at(b->err, STELE_EEXIST, name, 0,
                    "the target holds a log that cannot be read, and so may be no copy");
        } else if (rc == STELE_OK && base > b->source->next_offset) {
            rc = refuse(b, name, base);
        }
        if (rc == STELE_OK) {
            rc = compare_log(b, base, &salvage, log, &shared, &messages);
        }
        sti_salvage_free(&salvage);
        sti_free(log);
    }
    if (rc == STELE_OK && shared == 0 && messages > 0) {
        return sti_fail(b->err, STELE_EEXIST,
                "the target holds a stream that shares no message with the source");
    }
    return rc;
}

/* ---- Copying. ---- */

static stele_code same_file(
        struct backup *b, const char *name, const uint8_t *data, size_t len, bool *same)
{
    stele_file_stat st;
    uint8_t *old = NULL;
    size_t old_len = 0;
    stele_code rc = sti_dir_stat(&b->dir, name, &st, b->err);

    *same = false;
    if (rc == STELE_OK && st.size == len) {
        rc = sti_stream_read_file(&b->dir, name, &old, &old_len, b->err);
        *same = rc == STELE_OK && old_len == len &&
                (len == 0 || (data != NULL && memcmp(old, data, len) == 0));
    }
    sti_free(old);
    return rc == STELE_ENOTFOUND ? STELE_OK : rc;
}

/* A file that is right may still be in the cache only. */
static stele_code sync_file(struct backup *b, const char *name)
{
    struct sti_file f = {0};
    stele_code rc;

    if (STI_MUTANT(BACKUP_NOT_SYNCED)) {
        return STELE_OK;
    }
    rc = sti_file_open(&f, &b->dir, name, STELE_OPEN_WRITE, b->err);
    if (rc == STELE_OK) {
        rc = sti_file_sync(&f, false, b->err);
    }
    sti_file_close(&f);
    return rc;
}

/* Make a file of the target hold these bytes, synced. */
static stele_code put(
        struct backup *b, const char *temporary, const char *name, const uint8_t *data, size_t len)
{
    bool same;
    stele_code rc = same_file(b, name, data, len, &same);

    if (rc == STELE_OK && same) {
        rc = sync_file(b, name);
        if (rc == STELE_OK || STI_MUTANT(BACKUP_BELIEVES_CACHE)) {
            return rc;
        }
        /* What it holds may now be in the cache alone, where another sync, of the next attempt,
         * would find nothing to do: it is written anew. */
        rc = STELE_OK;
    }
    return rc != STELE_OK ? rc
                          : sti_log_replace(&b->dir, temporary, name, stele_bytes_of(data, len),
                                    true, b->err);
}

static stele_code put_index(struct backup *b, size_t i, stele_stream_version version,
        const uint8_t *items, uint64_t count)
{
    size_t start = (size_t)sti_index_start(version);
    size_t items_len = (size_t)count * sti_index_item_size(b->source->params);
    char temporary[STI_NAME_SIZE];
    char name[STI_NAME_SIZE];
    uint8_t *bytes = sti_malloc(start + items_len);
    stele_code rc;

    if (bytes == NULL) {
        return sti_fail_memory(b->err, start + items_len);
    }
    if (start > 0) {
        sti_index_header_put(bytes, b->source->params);
    }
    if (items != NULL && items_len > 0) {
        memcpy(bytes + start, items, items_len);
    }
    sti_name_recover(temporary, b->source->segments[i].base);
    sti_name_index(name, b->source->segments[i].base);
    rc = put(b, temporary, name, bytes, start + items_len);
    b->proofs[i].index_len = start + items_len;
    b->proofs[i].index_crc = sti_crc32c(0, bytes, start + items_len);
    sti_free(bytes);
    return rc;
}

/* Whether the source's own bytes are whole, to the last. */
static stele_code check_source(
        struct backup *b, size_t i, const uint8_t *log, stele_stream_version *version)
{
    static const struct sti_witness none = {0};
    const struct sti_backup_segment *seg = &b->source->segments[i];
    struct sti_salvage s = {0};
    char name[STI_NAME_SIZE];
    stele_code rc = sti_salvage_run(&s, log, seg->len, seg->base, limit_of(b, i), &none, b->err);

    sti_name_log(name, seg->base);
    if (rc == STELE_OK && s.kind == STI_LOG_VERSION) {
        rc = sti_fail_at(b->err, STELE_EVERSION, name, 6, "a log of a version that is not known");
    } else if (rc == STELE_OK && (!sti_salvage_is_whole(&s) || s.end != seg->len)) {
        rc = sti_fail_at(b->err, STELE_ECORRUPT, name, (int64_t)s.end,
                "damaged in the source, recover it first");
    }
    *version = s.version == STELE_STREAM_VERSION_DEFAULT ? STELE_STREAM_V1 : s.version;
    b->proofs[i].messages = s.messages;
    sti_salvage_free(&s);
    return rc;
}

static stele_code copy_segment(struct backup *b, size_t i)
{
    const struct sti_backup_segment *seg = &b->source->segments[i];
    stele_stream_version version = STELE_STREAM_V1;
    struct sti_items built = {0};
    char temporary[STI_NAME_SIZE];
    char name[STI_NAME_SIZE];
    uint8_t *log = NULL;
    stele_code rc = read_source(b, i, &log);

    if (rc == STELE_OK) {
        rc = check_source(b, i, log, &version);
    }
    if (rc == STELE_OK) {
        rc = sti_items_build(&built, log, seg->len, seg->base, limit_of(b, i), b->source->params,
                INT64_MIN, b->err);
    }
    if (rc == STELE_OK) {
        sti_name_recover(temporary, seg->base);
        sti_name_log(name, seg->base);
        b->proofs[i].log_crc = sti_crc32c(0, log, (size_t)seg->len);
        rc = put(b, temporary, name, log, (size_t)seg->len);
    }
    if (rc == STELE_OK) {
        /* The source's own items are as right, and maybe start from a higher time. */
        bool own = seg->items != NULL &&
                   sti_index_equal(seg->items, seg->count, &built, b->source->params);

        rc = put_index(b, i, version, own ? seg->items : built.data, built.count);
    }
    sti_items_free(&built);
    sti_free(log);
    return rc;
}

/* ---- What the source has no more. ---- */

static bool in_source(const struct backup *b, int64_t base)
{
    for (size_t i = 0; i < b->source->count; i++) {
        if (b->source->segments[i].base == base) {
            return true;
        }
    }
    return false;
}

/* Everything but the files just written: segments that are gone, side files,
 * leftovers. Quarantine files stay. */
static stele_code remove_rest(struct backup *b)
{
    for (size_t i = 0; i < b->listing.count; i++) {
        const struct sti_listed *e = &b->listing.entries[i];
        bool written =
                (e->kind == STI_NAME_LOG || e->kind == STI_NAME_INDEX) && in_source(b, e->base);
        stele_code rc;

        if (written || e->kind == STI_NAME_QUARANTINE) {
            continue;
        }
        rc = sti_dir_unlink(&b->dir, e->name, NULL, b->err);
        if (rc != STELE_OK) {
            return rc;
        }
    }
    return sti_dir_sync(&b->dir, b->err);
}

/* ---- Reading back. ---- */

static stele_code verify_index(struct backup *b, size_t i, const struct sti_items *built)
{
    const struct proof *proof = &b->proofs[i];
    char name[STI_NAME_SIZE];
    uint8_t *index = NULL;
    size_t len = 0;
    stele_code rc;

    sti_name_index(name, b->source->segments[i].base);
    rc = sti_stream_read_file(&b->dir, name, &index, &len, b->err);
    if (rc == STELE_OK &&
            (len != proof->index_len || sti_crc32c(0, index, len) != proof->index_crc ||
                    built->count != proof->messages)) {
        rc = sti_fail_at(b->err, STELE_ECORRUPT, name, -1, "the copy is not what was written");
    }
    b->total.bytes += (int64_t)len;
    sti_free(index);
    return rc;
}

static stele_code verify_segment(struct backup *b, size_t i)
{
    const struct sti_backup_segment *seg = &b->source->segments[i];
    struct sti_items built = {0};
    char name[STI_NAME_SIZE];
    uint8_t *log = NULL;
    size_t len = 0;
    stele_code rc;

    sti_name_log(name, seg->base);
    rc = sti_stream_read_file(&b->dir, name, &log, &len, b->err);
    if (rc == STELE_OK && (len != seg->len || sti_crc32c(0, log, len) != b->proofs[i].log_crc)) {
        rc = sti_fail_at(b->err, STELE_ECORRUPT, name, -1, "the copy is not what was written");
    }
    if (rc == STELE_OK) {
        rc = sti_items_build(
                &built, log, len, seg->base, limit_of(b, i), b->source->params, INT64_MIN, b->err);
    }
    if (rc == STELE_OK && built.damage != UINT64_MAX) {
        rc = sti_fail_at(
                b->err, STELE_ECORRUPT, name, (int64_t)built.damage, "the copy is damaged");
    }
    if (rc == STELE_OK) {
        rc = verify_index(b, i, &built);
    }
    b->total.segments++;
    b->total.messages += (int64_t)built.count;
    b->total.bytes += (int64_t)len;
    sti_items_free(&built);
    sti_free(log);
    return rc;
}

static stele_code verify(struct backup *b)
{
    stele_code rc = STELE_OK;

    for (size_t i = 0; rc == STELE_OK && i < b->source->count; i++) {
        rc = verify_segment(b, i);
    }
    return rc;
}

/* What would be verified, without looking. */
static stele_code believe(struct backup *b)
{
    b->total.segments = (int64_t)b->source->count;
    for (size_t i = 0; i < b->source->count; i++) {
        b->total.messages += (int64_t)b->proofs[i].messages;
        b->total.bytes += (int64_t)(b->source->segments[i].len + b->proofs[i].index_len);
    }
    return STELE_OK;
}

/* ---- All of it. ---- */

static stele_code look(struct backup *b)
{
    stele_code rc = sti_listing_read(&b->listing, &b->dir, b->err);

    if (rc == STELE_OK) {
        rc = sti_leftovers_find(&b->leftovers, &b->dir, &b->listing, b->err);
    }
    if (rc == STELE_OK) {
        rc = sti_bases_read(&b->bases, &b->dir, &b->listing, &b->leftovers, false, b->err);
    }
    return rc;
}

static stele_code run(struct backup *b)
{
    stele_code rc = look(b);

    if (rc == STELE_OK) {
        rc = judge_target(b);
    }
    for (size_t i = 0; rc == STELE_OK && i < b->source->count; i++) {
        rc = copy_segment(b, i);
    }
    if (rc == STELE_OK) {
        rc = sti_dir_sync(&b->dir, b->err);
    }
    if (rc == STELE_OK) {
        rc = remove_rest(b);
    }
    if (rc == STELE_OK) {
        rc = STI_MUTANT(BACKUP_UNVERIFIED) ? believe(b) : verify(b);
    }
    return rc;
}

stele_code sti_backup_run(const stele_env *env, const struct sti_backup_source *source,
        const char *target, stele_stream_copied *out, stele_error *err)
{
    struct backup b = {.source = source, .leftovers = {.highest = -1}, .err = err};
    stele_code rc;

    sti_assert(source->count > 0);
    b.proofs = sti_calloc(source->count, sizeof *b.proofs);
    if (b.proofs == NULL) {
        return sti_fail_memory(err, source->count * sizeof *b.proofs);
    }
    rc = sti_dir_open(&b.dir, env, target, STELE_OPEN_CREATE, err);
    if (rc == STELE_OK) {
        rc = sti_lock_take(&b.lock, &b.dir, STI_LOCK_NAME, true, 0, err);
    }
    if (rc == STELE_OK) {
        rc = run(&b);
    }
    sti_bases_free(&b.bases);
    sti_leftovers_free(&b.leftovers);
    sti_listing_free(&b.listing);
    sti_file_close(&b.lock);
    sti_dir_close(&b.dir);
    sti_free(b.proofs);
    if (rc == STELE_OK && out != NULL) {
        *out = b.total;
    }
    return rc == STELE_OK ? rc : sti_wrap(err, rc, "copy into %s", target);
}
