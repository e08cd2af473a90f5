/* SPDX-License-Identifier: MIT */
#include "stream/marker.h"

#include "base/alloc.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/index_file.h"
#include "stream/put_file.h"
#include "stream/quarantine.h"
#include "stream/scan.h"

#include <inttypes.h>
#include <string.h>

enum {
    MARKER_SIZE = 24
};

static const uint8_t magic[8] = {'S', 'T', 'E', 'L', 'T', 'A', 'L', 1};

stele_code sti_marker_write(struct sti_dir *dir, int64_t base, stele_error *err)
{
    uint8_t bytes[MARKER_SIZE] = {0};

    memcpy(bytes, magic, sizeof magic);
    sti_put_le64(bytes + 8, (uint64_t)base);
    sti_put_le32(bytes + 20, sti_crc32c(0, bytes, 20));
    return sti_dir_replace(dir, STI_TAIL_NAME, bytes, sizeof bytes, err);
}

stele_code sti_marker_remove(struct sti_dir *dir, stele_error *err)
{
    bool removed = false;
    stele_code rc = sti_dir_unlink(dir, STI_TAIL_NAME, &removed, err);

    return rc == STELE_OK && removed ? sti_dir_sync(dir, err) : rc;
}

stele_code sti_marker_read(struct sti_dir *dir, int64_t *base, stele_error *err)
{
    uint8_t bytes[MARKER_SIZE];
    struct sti_file f = {0};
    size_t got = 0;
    stele_code rc = sti_file_open(&f, dir, STI_TAIL_NAME, STELE_OPEN_READ, err);

    *base = INT64_MAX;
    if (rc == STELE_ENOTFOUND) {
        return STELE_OK;
    }
    rc = rc != STELE_OK ? rc : sti_file_read_some(&f, 0, bytes, sizeof bytes, &got, err);
    sti_file_close(&f);
    if (rc == STELE_OK && got == sizeof bytes && memcmp(bytes, magic, sizeof magic) == 0 &&
            sti_get_le32(bytes + 20) == sti_crc32c(0, bytes, 20)) {
        *base = (int64_t)sti_get_le64(bytes + 8);
    }
    return rc;
}

/* ---- Settling. ---- */

/* One segment, as it is found. */
struct suspect {
    int64_t next; /* one past its last offset, in whole messages from the start */
    int64_t seen; /* the highest offset that it shows, or -1 */
    uint64_t end; /* where its whole messages end */
    bool torn;    /* something else follows them */
    bool empty;   /* no message at all, whole or not */
};

/* A side file is written after the log was synced: it vouches for the log. */
static bool is_sealed(stele_stream *s, int64_t base, uint64_t size, struct suspect *out)
{
    size_t item_size = sti_index_item_size(s->params);
    char name[STI_NAME_SIZE];
    struct sti_file f = {0};
    struct sti_keys keys = {0};
    uint8_t *index = NULL;
    size_t len = 0;
    bool sealed = false;

    sti_name_index(name, base);
    if (sti_file_open(&f, &s->dir, name, STELE_OPEN_READ, NULL) == STELE_OK &&
            sti_file_read_all(&f, SIZE_MAX / 2, &index, &len, NULL) == STELE_OK &&
            len >= item_size &&
            sti_keys_open(&keys, &s->dir, base, size, index, len, NULL) == STELE_OK) {
        out->next = sti_item_offset(index + len - item_size) + 1;
        out->seen = out->next - 1;
        out->end = size;
        out->torn = false;
        out->empty = false;
        sealed = true;
    }
    sti_keys_close(&keys);
    sti_file_close(&f);
    sti_free(index);
    return sealed;
}

static void scan_suspect(const uint8_t *data, size_t len, int64_t base, struct suspect *out)
{
    enum sti_log_kind kind = sti_log_kind_of(data, len, base);
    enum sti_message_state state;
    stele_message message;
    struct sti_scan scan;
    size_t size;

    sti_scan_begin(&scan, data, len, kind, base, INT64_MAX);
    do {
        state = sti_scan_next(&scan, &message, &size);
    } while (state == STI_MESSAGE_WHOLE);
    out->torn = state != STI_MESSAGE_END;
    out->empty = !out->torn && scan.last < base;
    out->next = scan.last + 1;

    out->end = scan.at;
    if (kind != STI_LOG_V1 && kind != STI_LOG_V2 && !sti_all_zero(data, len)) {
        /* No header that could be read: all of it is behind the end. */
        out->end = 0;
        out->torn = true;
        out->empty = false;
    }
    out->seen = out->torn ? sti_scan_highest(&scan) : scan.last;
    out->seen = out->seen > scan.last ? out->seen : scan.last;
}

/* Read one segment; with `sync` a whole one is made durable, for the next builds on it. */
static stele_code examine(
        stele_stream *s, int64_t base, bool sync, struct suspect *out, stele_error *err)
{
    char name[STI_NAME_SIZE];
    struct sti_file log = {0};
    uint8_t *data = NULL;
    size_t len = 0;
    stele_file_stat st;
    stele_code rc;

    sti_name_log(name, base);
    rc = sti_file_open(&log, &s->dir, name, sync ? STELE_OPEN_WRITE : STELE_OPEN_READ, err);
    rc = rc != STELE_OK ? rc : sti_file_stat(&log, &st, err);
    if (rc != STELE_OK || is_sealed(s, base, st.size, out)) {
        goto out;
    }
    rc = sti_file_read_all(&log, SIZE_MAX / 2, &data, &len, err);
    if (rc != STELE_OK) {
        goto out;
    }
    scan_suspect(data, len, base, out);
    if (sync && !out->torn) {
        rc = sti_file_renew(&log, data, out->empty ? len : out->end, err);
    }

out:
    sti_free(data);
    sti_file_close(&log);
    return rc;
}

/* Cut what is torn off a segment: quarantine first. */
static stele_code cut(stele_stream *s, int64_t base, uint64_t position, stele_error *err)
{
    char name[STI_NAME_SIZE];
    char kept[STI_NAME_SIZE];
    struct sti_file log = {0};
    uint8_t *data = NULL;
    size_t len = 0;
    stele_code rc;

    sti_name_log(name, base);
    rc = sti_file_open(&log, &s->dir, name, STELE_OPEN_WRITE, err);
    rc = rc != STELE_OK ? rc : sti_file_read_all(&log, SIZE_MAX / 2, &data, &len, err);
    if (rc == STELE_OK && position < len) {
        size_t rest = len - (size_t)position;

        while (rest > 0 && data[position + rest - 1] == 0) {
            rest--;
        }
        if (rest > 0) {
            rc = sti_quarantine_put(&s->dir, base, position, data + position, rest, kept, err);
        }
        rc = rc != STELE_OK ? rc : sti_file_truncate(&log, position, err);
        rc = rc != STELE_OK ? rc : sti_file_sync(&log, false, err);
    }
    sti_free(data);
    sti_file_close(&log);
    return rc;
}

/* A log that was never synced, or whose sync failed, may be in the cache alone. On a disk that is
 * full and writes nothing in place it stays there. */
static stele_code renew_log(stele_stream *s, const char *name, stele_error *err)
{
    struct sti_file log = {0};
    uint8_t *data = NULL;
    size_t len = 0;
    stele_code rc = sti_file_open(&log, &s->dir, name, STELE_OPEN_WRITE, err);

    rc = rc != STELE_OK ? rc : sti_file_read_all(&log, SIZE_MAX / 2, &data, &len, err);
    if (rc == STELE_OK && !STI_MUTANT(ASIDE_NOT_RENEWED)) {
        rc = sti_file_renew(&log, data, len, err);
        rc = rc == STELE_ENOSPC ? STELE_OK : rc;
    }
    sti_free(data);
    sti_file_close(&log);
    return rc;
}

/* Move a whole log out of the way, durably, and forget its index. */
static stele_code set_aside(stele_stream *s, int64_t base, stele_error *err)
{
    char from[STI_NAME_SIZE];
    char to[STI_NAME_SIZE];
    stele_file_stat st;
    uint64_t number = 0;
    stele_code rc;

    sti_name_log(from, base);
    do {
        sti_name_quarantine(to, base, number++);
        rc = sti_dir_stat(&s->dir, to, &st, err);
    } while (rc == STELE_OK);
    if (rc != STELE_ENOTFOUND) {
        return rc;
    }
    rc = renew_log(s, from, err);
    rc = rc != STELE_OK ? rc : sti_dir_rename(&s->dir, from, to, err);
    sti_name_index(to, base);
    rc = rc != STELE_OK ? rc : sti_dir_unlink(&s->dir, to, NULL, err);
    sti_name_keys(to, base);
    rc = rc != STELE_OK ? rc : sti_dir_unlink(&s->dir, to, NULL, err);
    return rc != STELE_OK ? rc : sti_dir_sync(&s->dir, err);
}

/* The offsets of the segments from `from` on were given: *floor goes above
 * them. *ready: the last has no message, and is above all others. */
static stele_code look_beyond(stele_stream *s, const struct sti_bases *list, size_t from,
        int64_t *floor, bool *ready, stele_error *err)
{
    for (size_t i = from; i < list->count; i++) {
        struct suspect other = {0};
        stele_code rc = examine(s, list->bases[i], false, &other, err);

        if (rc != STELE_OK) {
            return rc;
        }
        *floor = list->bases[i] > *floor ? list->bases[i] : *floor;
        /* Something was written there, even if it cannot be read: its first offset was given. */
        if (!other.empty && *floor == list->bases[i]) {
            *floor = list->bases[i] + 1;
        }
        *floor = other.seen >= *floor ? other.seen + 1 : *floor;
        *ready = i + 1 == list->count && other.empty && list->bases[i] == *floor;
    }
    return STELE_OK;
}

/* Nothing is left of a segment but its name, which the next one has taken over. */
static stele_code forget(stele_stream *s, int64_t base, stele_error *err)
{
    char name[STI_NAME_SIZE];
    stele_code rc;

    sti_name_log(name, base);
    rc = sti_dir_unlink(&s->dir, name, NULL, err);
    sti_name_index(name, base);
    rc = rc != STELE_OK ? rc : sti_dir_unlink(&s->dir, name, NULL, err);
    sti_name_keys(name, base);
    rc = rc != STELE_OK ? rc : sti_dir_unlink(&s->dir, name, NULL, err);
    return rc != STELE_OK ? rc : sti_dir_sync(&s->dir, err);
}

/* Segment k is the last that counts. */
static stele_code mend(stele_stream *s, struct sti_bases *list, size_t k,
        const struct suspect *last, int64_t floor, bool ready, stele_error *err)
{
    size_t behind = list->count - (ready ? 1 : 0);
    size_t kept = k + 1;
    stele_code rc = STELE_OK;

    if (!ready) {
        rc = sti_tail_files(s, floor, err);
    }
    rc = rc != STELE_OK ? rc : sti_dir_sync(&s->dir, err);
    rc = rc != STELE_OK ? rc : cut(s, list->bases[k], last->end, err);
    /* From the last on: a crash in between leaves a shorter list of the same kind. */
    for (size_t i = behind; i > k + 1 && rc == STELE_OK; i--) {
        rc = set_aside(s, list->bases[i - 1], err);
    }
    if (rc == STELE_OK && last->next == list->bases[k]) {
        rc = forget(s, list->bases[k], err);
        kept = k;
    }
    if (rc == STELE_OK) {
        list->bases[kept] = floor;
        list->count = kept + 1;
    }
    return rc;
}

static stele_code end_at(stele_stream *s, struct sti_bases *list, size_t k,
        const struct suspect *last, int64_t *floor, stele_error *err)
{
    int64_t above = last->seen + 1 > last->next ? last->seen + 1 : last->next;
    bool ready = false;
    stele_code rc = look_beyond(s, list, k + 1, &above, &ready, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (s->mode != STI_MODE_WRITER) {
        list->count = k + 1;
        *floor = above > *floor ? above : *floor;
        return STELE_OK;
    }
    if (!ready || list->count > k + 2) {
        sti_env_log(&s->env, STELE_LOG_WARN, "%s: nothing behind offset %" PRId64 " was durable",
                s->dir.path, last->next - 1);
    }
    return mend(s, list, k, last, above, ready, err);
}

stele_code sti_marker_settle(
        stele_stream *s, struct sti_bases *list, int64_t *floor, stele_error *err)
{
    bool writer = s->mode == STI_MODE_WRITER;
    int64_t marker;
    stele_code rc = sti_marker_read(&s->dir, &marker, err);

    for (size_t i = 0; i + 1 < list->count && rc == STELE_OK && !STI_MUTANT(MARKER_IGNORED); i++) {
        struct suspect last = {0};

        if (list->bases[i] < marker) {
            continue;
        }
        rc = examine(s, list->bases[i], writer, &last, err);
        if (rc == STELE_OK && (last.torn || last.next != list->bases[i + 1])) {
            return end_at(s, list, i, &last, floor, err);
        }
    }
    return rc;
}
