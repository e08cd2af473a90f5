/* SPDX-License-Identifier: MIT
 *
 * check.c: verify every segment of a directory, also while a writer is at work.
 *
 * No lock is taken, so what is read may be half of a change: a message that
 * is being written, a log that was replaced when its index was not yet. A
 * segment with faults is therefore read again, and its faults count once two
 * readings in a row gave the same bytes. What only a writer that lives
 * leaves for long (an index behind its log, which it writes when the segment
 * is sealed, in its own time; an old log beside the new one)
 * counts if there is none: then, and only then, its lock is tried.
 */
#include <stele/stream.h>

#include "base/alloc.h"
#include "base/coding.h"
#include "base/error.h"
#include "base/mutant.h"
#include "base/thread.h"
#include "stream/dir_tool.h"
#include "stream/index_file.h"
#include "stream/keys.h"
#include "stream/salvage.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    READINGS_MAX = 100, /* of one segment that changes each time */
    PAUSE_MS = 5,       /* between two readings */
    TEXT_SIZE = 256,
    KEYS_END = 8, /* a write that came to its end ends with other bytes than zeros, as a rule */
    SECTOR = 512, /* the least that a disk writes at once */
    KEYS_LOG_SIZE_AT = 16, /* in the side file's header, see keys.h */
    KEYS_INDEX_SIZE_AT = 24
};

struct check {
    struct sti_tool tool;
    struct sti_params_guess guess;
    void (*each)(void *arg, const stele_stream_fault *fault);
    void *arg;
    stele_stream_checked total;
    bool writer_known;
    bool writer;    /* somebody holds the writer's lock */
    bool silent;    /* count faults, but tell nobody: the reading may be wrong */
    int64_t faults; /* of this reading */
    stele_error *err;
};

/* One reading of one segment. */
struct reading {
    struct sti_loaded files;
    uint8_t *keys; /* NULL: there is none */
    size_t keys_len;
    struct sti_salvage salvage;
    int64_t limit;
};

static void reading_free(struct reading *r)
{
    sti_loaded_free(&r->files);
    sti_salvage_free(&r->salvage);
    sti_free(r->keys);
    memset(r, 0, sizeof *r);
}

STELE_PRINTF(5, 6)

static void fault(struct check *c, const char *file, int64_t position, stele_code code,
        const char *format, ...)
{
    char text[TEXT_SIZE];
    stele_stream_fault f = {.file = file, .position = position, .code = code, .text = text};
    va_list ap;

    c->faults++;
    if (c->silent || c->each == NULL) {
        return;
    }
    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    c->each(c->arg, &f);
}

/* Whether a writer holds its lock. Asked once, and only where it matters: to
 * find out, the lock is taken for a moment as readers take it. */
static bool has_writer(struct check *c)
{
    struct sti_file lock = {0};
    stele_file_stat st;

    if (!c->writer_known) {
        c->writer_known = true;
        if (sti_dir_stat(&c->tool.dir, STI_LOCK_NAME, &st, NULL) == STELE_OK) {
            c->writer = sti_lock_take(&lock, &c->tool.dir, STI_LOCK_NAME, false, 0, NULL) ==
                        STELE_EBUSY;
            sti_file_close(&lock);
        }
    }
    return c->writer;
}

/* ---- The log. ---- */

static void check_piece(
        struct check *c, const struct reading *r, const char *name, const struct sti_piece *piece)
{
    int64_t at = (int64_t)piece->at;
    uint64_t size = piece->end - piece->at;

    if (piece->kind == STI_PIECE_MENDED) {
        fault(c, name, at, STELE_ECORRUPT,
                "the offset of the message here is damaged: it says %" PRId64
                ", and must be %" PRId64,
                (int64_t)sti_get_be64(r->files.log + piece->at), piece->first);
    } else if (piece->kind == STI_PIECE_UNFINISHED) {
        fault(c, name, at, STELE_ECORRUPT, "an unfinished message of %" PRIu64 " bytes at the end",
                size);
    } else if (piece->kind == STI_PIECE_DAMAGED && piece->first < piece->last) {
        fault(c, name, at, STELE_ECORRUPT,
                "%" PRIu64 " damaged bytes; offsets %" PRId64 " to %" PRId64 " are missing", size,
                piece->first, piece->last);
    } else if (piece->kind == STI_PIECE_DAMAGED && piece->first == piece->last) {
        fault(c, name, at, STELE_ECORRUPT,
                "%" PRIu64 " damaged bytes; offset %" PRId64 " is missing", size, piece->first);
    } else if (piece->kind == STI_PIECE_DAMAGED) {
        fault(c, name, at, STELE_ECORRUPT, "%" PRIu64 " damaged bytes", size);
    }
}

static void check_log(struct check *c, const struct reading *r)
{
    char name[STI_NAME_SIZE];

    sti_name_log(name, r->files.base);
    if (r->salvage.kind == STI_LOG_VERSION) {
        fault(c, name, 6, STELE_EVERSION, "a log of a version that is not known");
        return;
    }
    for (size_t i = 0; i < r->salvage.count; i++) {
        check_piece(c, r, name, &r->salvage.pieces[i]);
    }
}

/* ---- The index. ---- */

/* The first item that is not as it should be; UINT64_MAX for none. */
static uint64_t first_wrong(const uint8_t *items, uint64_t count, const struct sti_items *built,
        struct sti_index_params params)
{
    uint64_t low = 0;
    uint64_t high = count < built->count ? count : built->count;
    struct sti_items prefix = *built;

    prefix.count = high;
    if (sti_index_equal(items, high, &prefix, params)) {
        return count == built->count ? UINT64_MAX : high;
    }
    /* A start of equal lists is equal, so the place can be halved towards. */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        prefix.count = middle + 1;
        if (sti_index_equal(items, middle + 1, &prefix, params)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool params_equal(struct sti_index_params a, struct sti_index_params b)
{
    return a.times == b.times && a.keys == b.keys;
}

/* A zero tail is what a writer leaves that was killed: it had not come to the
 * index, which is of the close before. */
static bool was_left_open(const struct reading *r)
{
    return r->limit == INT64_MAX && r->salvage.tail < r->files.log_len;
}

/* Compare items, made with params, with those that the log gives. */
static stele_code check_items(struct check *c, const struct reading *r, const char *name,
        const uint8_t *items, uint64_t len)
{
    struct sti_index_params params = r->files.params;
    size_t item_size = sti_index_item_size(params);
    uint64_t start = (uint64_t)(items - r->files.index);
    uint64_t count = len / item_size;
    struct sti_items built = {0};
    uint64_t wrong;
    stele_code rc = sti_items_build(&built, r->files.log, r->salvage.tail, r->files.base, r->limit,
            params, INT64_MIN, c->err);

    if (rc != STELE_OK) {
        return rc;
    }
    wrong = first_wrong(items, count, &built, params);
    if (wrong == UINT64_MAX && len % item_size != 0) {
        fault(c, name, (int64_t)(start + count * item_size), STELE_ECORRUPT,
                "%" PRIu64 " bytes behind the last item", len % item_size);
    } else if (wrong < count && wrong < built.count) {
        fault(c, name, (int64_t)(start + wrong * item_size), STELE_ECORRUPT,
                "the item here differs from the log's message of offset %" PRId64,
                sti_item_offset(built.data + wrong * item_size));
    } else if (wrong < count) {
        fault(c, name, (int64_t)(start + wrong * item_size), STELE_ECORRUPT,
                "items for offsets %" PRId64 " to %" PRId64 ", which the log does not hold",
                sti_item_offset(items + wrong * item_size),
                sti_item_offset(items + (count - 1) * item_size));
    } else if (wrong < built.count && !has_writer(c) && !was_left_open(r)) {
        fault(c, name, (int64_t)(start + wrong * item_size), STELE_ECORRUPT,
                "ends before the item of offset %" PRId64,
                sti_item_offset(built.data + wrong * item_size));
    }
    sti_items_free(&built);
    return STELE_OK;
}

/* Whether the index was made with other parameters than the stream's. An
 * index of version 1 tells them by its items, unless it is one item long. */
static bool has_other_options(struct check *c, const struct sti_loaded *f, enum sti_index_kind kind,
        struct sti_index_params header)
{
    struct sti_index_params detected;

    if (kind == STI_INDEX_V2) {
        return !params_equal(header, f->params);
    }
    return kind == STI_INDEX_V1 && c->tool.strict &&
           sti_index_detect(&c->tool.dir, f->base, &detected) &&
           sti_index_item_size(detected) != f->index_len && !params_equal(detected, f->params);
}

/* The index of a log that holds no message. */
static void check_index_of_none(
        struct check *c, const struct reading *r, const char *name, enum sti_index_kind kind)
{
    if (kind == STI_INDEX_V1 || kind == STI_INDEX_V2) {
        fault(c, name, -1, STELE_ECORRUPT,
                "items up to offset %" PRId64 ", and the log holds no messages",
                sti_index_highest(r->files.index, r->files.index_len, r->files.base));
    } else if (kind != STI_INDEX_EMPTY) {
        fault(c, name, 0, STELE_ECORRUPT, "does not begin as the index of this log");
    }
}

static stele_code check_index(struct check *c, const struct reading *r)
{
    struct sti_index_params header = r->files.params;
    const struct sti_loaded *f = &r->files;
    bool v1 = r->salvage.version == STELE_STREAM_V1;
    size_t start = v1 ? 0 : STI_INDEX_HEADER_SIZE;
    enum sti_index_kind kind;
    char name[STI_NAME_SIZE];

    sti_name_index(name, f->base);
    if (f->index == NULL || r->salvage.kind == STI_LOG_VERSION) {
        return STELE_OK;
    }
    kind = sti_index_kind_of(f->index, f->index_len, f->base, &header);
    if (has_other_options(c, f, kind, header)) {
        fault(c, name, kind == STI_INDEX_V2 ? 7 : 0, STELE_EMISMATCH,
                "made with other index options than %s",
                c->tool.strict ? "were given" : "the other segments");
    } else if (kind == STI_INDEX_V2 && f->index_len == STI_INDEX_HEADER_SIZE) {
        return STELE_OK; /* made again at open */
    } else if (kind == STI_INDEX_VERSION) {
        fault(c, name, 6, STELE_EVERSION, "an index of a version that is not known");
    } else if (r->salvage.messages == 0) {
        check_index_of_none(c, r, name, kind);
    } else if (kind == STI_INDEX_EMPTY) {
        if (!has_writer(c)) {
            fault(c, name, 0, STELE_ECORRUPT, "empty, and the log holds messages");
        }
    } else if (kind != (v1 ? STI_INDEX_V1 : STI_INDEX_V2)) {
        fault(c, name, 0, STELE_ECORRUPT, "does not begin as the index of this log");
    } else {
        return check_items(c, r, name, f->index + start, f->index_len - start);
    }
    return STELE_OK;
}

/* A side file that is not of this log and index is stale, which is harmless.
 * One that says it is, and cannot be, is damaged. */
/* A side file is not synced, and a crash leaves pages of zeros in it: that is no damage, and
 * whoever needs the file makes it again. */
static bool is_unfinished(const uint8_t *data, size_t len)
{
    if (len < STI_KEYS_HEADER_SIZE || sti_all_zero(data + len - KEYS_END, KEYS_END)) {
        return true;
    }
    for (size_t at = 0; at < len; at += SECTOR) {
        size_t left = len - at < SECTOR ? len - at : SECTOR;

        if (sti_all_zero(data + at, left)) {
            return true;
        }
    }
    return false;
}

static void check_keys(struct check *c, const struct reading *r)
{
    struct sti_keys keys = {0};
    stele_error why = {0};
    char name[STI_NAME_SIZE];

    if (r->keys == NULL || is_unfinished(r->keys, r->keys_len) ||
            sti_get_le64(r->keys + KEYS_LOG_SIZE_AT) != r->files.log_len ||
            sti_get_le64(r->keys + KEYS_INDEX_SIZE_AT) != r->files.index_len) {
        return;
    }
    if (sti_keys_decode(&keys, r->keys, r->keys_len, r->files.base, r->files.log_len,
                r->files.index, r->files.index_len, &why) == STELE_OK) {
        sti_keys_close(&keys);
        return;
    }
    sti_name_keys(name, r->files.base);
    fault(c, name, -1, why.code, "%s", why.message);
}

/* ---- Segments. ---- */

static stele_code read_segment(struct check *c, struct reading *r, int64_t base, int64_t limit)
{
    struct sti_witness witness;
    char name[STI_NAME_SIZE];
    stele_code rc = sti_loaded_read(&r->files, &c->tool.dir, base, &c->guess, c->err);

    if (rc != STELE_OK) {
        return rc;
    }
    sti_name_keys(name, base);
    rc = sti_stream_read_file(&c->tool.dir, name, &r->keys, &r->keys_len, c->err);
    if (rc != STELE_OK && rc != STELE_ENOTFOUND) {
        return rc;
    }
    r->limit = limit;
    sti_witness_of(&witness, r->files.index, r->files.index_len, base, r->files.params);
    return sti_salvage_run(
            &r->salvage, r->files.log, r->files.log_len, base, limit, &witness, c->err);
}

static bool same_bytes(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    return a_len == b_len && memcmp(a, b, a_len) == 0;
}

static bool same_reading(const struct reading *a, const struct reading *b)
{
    return same_bytes(a->files.log, a->files.log_len, b->files.log, b->files.log_len) &&
           same_bytes(a->files.index, a->files.index_len, b->files.index, b->files.index_len) &&
           same_bytes(a->keys, a->keys_len, b->keys, b->keys_len);
}

static stele_code judge(struct check *c, const struct reading *r, bool silent)
{
    stele_code rc;

    c->silent = silent;
    c->faults = 0;
    check_log(c, r);
    rc = check_index(c, r);
    if (rc == STELE_OK) {
        check_keys(c, r);
    }
    return rc;
}

/* Read until there are no faults, or two readings are the same. A segment
 * that keeps changing is being written: what was last seen of it counts
 * without its faults. */
static stele_code check_segment(struct check *c, int64_t base, int64_t limit)
{
    struct reading now = {0};
    struct reading before = {0};
    bool same = false;
    stele_code rc = STELE_OK;

    for (int i = 0; i < READINGS_MAX; i++) {
        rc = read_segment(c, &now, base, limit);
        if (rc == STELE_OK) {
            rc = judge(c, &now, true);
        }
        same = rc == STELE_OK && i > 0 && same_reading(&now, &before);
        if (rc != STELE_OK || c->faults == 0 || same) {
            break;
        }
        reading_free(&before);
        before = now;
        memset(&now, 0, sizeof now);
        rc = has_writer(c) ? sti_sleep_ms(PAUSE_MS, NULL, c->err) : STELE_OK;
        if (rc != STELE_OK) {
            break;
        }
    }
    if (rc == STELE_OK && same) {
        rc = judge(c, &now, false);
        c->total.faults += c->faults;
    }
    if (rc == STELE_OK) {
        c->total.segments++;
        c->total.messages += (int64_t)(now.files.log == NULL ? before : now).salvage.messages;
    }
    reading_free(&now);
    reading_free(&before);
    return rc;
}

/* ---- The directory. ---- */

struct plan {
    struct sti_listing listing;
    struct sti_leftovers leftovers;
    struct sti_bases bases;
};

static void plan_free(struct plan *p)
{
    sti_bases_free(&p->bases);
    sti_leftovers_free(&p->leftovers);
    sti_listing_free(&p->listing);
}

static stele_code plan_make(struct check *c, struct plan *p)
{
    stele_code rc;

    memset(p, 0, sizeof *p);
    rc = sti_listing_read(&p->listing, &c->tool.dir, c->err);
    if (rc == STELE_OK) {
        rc = sti_leftovers_find(&p->leftovers, &c->tool.dir, &p->listing, c->err);
    }
    if (rc == STELE_OK) {
        rc = sti_bases_read(&p->bases, &c->tool.dir, &p->listing, &p->leftovers, false, c->err);
    }
    return rc;
}

static bool any_log(const struct plan *p)
{
    for (size_t i = 0; i < p->leftovers.files.count; i++) {
        if (p->leftovers.files.entries[i].kind == STI_NAME_LOG) {
            return true;
        }
    }
    return false;
}

/* Old logs that a deletion was about to remove, and that are still there. */
static stele_code check_leftovers(struct check *c, const struct plan *before)
{
    struct plan p;
    stele_code rc;

    if (!any_log(before) || has_writer(c)) {
        return STELE_OK;
    }
    rc = plan_make(c, &p);
    c->silent = false;
    c->faults = 0;
    for (size_t i = 0; rc == STELE_OK && i < p.leftovers.files.count; i++) {
        const struct sti_listed *e = &p.leftovers.files.entries[i];

        if (e->kind == STI_NAME_LOG) {
            fault(c, e->name, -1, STELE_ECORRUPT,
                    "the leftover of an interrupted deletion: all that counts of it is in the next "
                    "log, and recover or open removes it");
        }
    }
    c->total.faults += c->faults;
    plan_free(&p);
    return rc;
}

/* Check the segments from *from on. STELE_ENOTFOUND if one went away: those
 * below *from are done. */
static stele_code check_from(struct check *c, int64_t *from, bool head_only)
{
    struct plan p;
    stele_code rc = plan_make(c, &p);
    size_t i;

    if (rc == STELE_OK) {
        /* What the files tell is compared one by one, so that each counts. */
        rc = sti_params_guess_of(&c->guess, &c->tool.dir, &p.bases, &c->tool.opts, false, c->err);
    }
    if (rc == STELE_OK && c->tool.strict) {
        c->guess.params.times = c->tool.opts.time_index;
        c->guess.params.keys = c->tool.opts.key_index;
    }
    i = (head_only || STI_MUTANT(CHECK_HEAD_ONLY)) && p.bases.count > 0 ? p.bases.count - 1 : 0;
    for (; rc == STELE_OK && i < p.bases.count; i++) {
        if (p.bases.bases[i] >= *from) {
            *from = p.bases.bases[i];
            rc = check_segment(c, p.bases.bases[i], sti_bases_limit(&p.bases, i));
        }
    }
    if (rc == STELE_OK && !head_only) {
        *from = INT64_MAX;
        rc = check_leftovers(c, &p);
    }
    plan_free(&p);
    return rc;
}

/* Whoever put it there may take it for a part of the stream. */
static stele_code tell_foreign(void *arg, const char *name)
{
    const struct check *c = arg;
    const stele_stream_fault note = {.file = name,
            .position = -1,
            .code = STELE_OK,
            .text = "not a file of a stream, and ignored"};
    int64_t base;

    if (sti_name_parse(name, &base) == STI_NAME_OTHER && strcmp(name, STI_LOCK_NAME) != 0 &&
            strcmp(name, STI_TAIL_NAME) != 0) {
        c->each(c->arg, &note);
    }
    return STELE_OK;
}

stele_code stele_stream_check_dir(const char *dir, const stele_stream_options *opts, bool head_only,
        void (*each)(void *arg, const stele_stream_fault *fault), void *arg,
        stele_stream_checked *out, stele_error *err)
{
    struct check c = {.each = each, .arg = arg, .err = err};
    int64_t from = INT64_MIN;
    stele_code rc = sti_tool_open(&c.tool, dir, opts, false, err);

    if (rc != STELE_OK) {
        return sti_wrap(err, rc, "check stream %s", dir == NULL ? "" : dir);
    }
    rc = STELE_ENOTFOUND;
    for (int i = 0; i < READINGS_MAX && rc == STELE_ENOTFOUND; i++) {
        rc = check_from(&c, &from, head_only);
    }
    if (rc == STELE_OK && each != NULL) {
        rc = sti_dir_list(&c.tool.dir, tell_foreign, &c, err);
    }
    sti_tool_close(&c.tool);
    if (rc != STELE_OK) {
        return sti_wrap(err, rc, "check stream %s", dir);
    }
    if (out != NULL) {
        *out = c.total;
    }
    if (c.total.faults > 0) {
        return sti_fail(
                err, STELE_ECORRUPT, "check stream %s: %" PRId64 " faults", dir, c.total.faults);
    }
    return STELE_OK;
}
