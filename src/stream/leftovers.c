/* SPDX-License-Identifier: MIT
 *
 * leftovers.c: listing a stream's directory, and what a crash left in it.
 */
#include "stream/leftovers.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "stream/index_format.h"
#include "stream/scan.h"

#include <stdlib.h>
#include <string.h>

enum {
    ITEM_MIN = 16,
    ITEM_STEP = 8,
    INDEX_HEAD = 64 /* what sti_index_kind_of() wants to see */
};

/* Offsets of neighbours in an index are further apart only where deletions
 * took more messages than that out of one segment. A larger step is taken
 * for a flipped bit: it must not push the next offset out of reach. */
#define OFFSET_STEP_MAX ((int64_t)1 << 24)

/* More than any log file has. */
#define POSITION_MAX ((uint64_t)1 << 48)

/* ---- Listing. ---- */

static stele_code listing_add(
        struct sti_listing *l, const char *name, enum sti_name_kind kind, int64_t base)
{
    struct sti_listed *e;

    if (l->count == l->capacity) {
        size_t capacity = l->capacity == 0 ? 32 : 2 * l->capacity;
        struct sti_listed *grown = sti_realloc(l->entries, capacity, sizeof *grown);

        if (grown == NULL) {
            return STELE_ENOMEM;
        }
        l->entries = grown;
        l->capacity = capacity;
    }
    e = &l->entries[l->count++];
    e->base = base;
    e->kind = kind;
    memcpy(e->name, name, strlen(name) + 1);
    return STELE_OK;
}

static stele_code each_name(void *arg, const char *name)
{
    int64_t base = -1;
    enum sti_name_kind kind;

    if (strlen(name) >= STI_NAME_SIZE) {
        return STELE_OK; /* none of ours is so long */
    }
    kind = sti_name_parse(name, &base);
    return kind == STI_NAME_OTHER ? STELE_OK : listing_add(arg, name, kind, base);
}

static int compare_key(const void *left, const void *right)
{
    const struct sti_listed *a = left;
    const struct sti_listed *b = right;

    if (a->base != b->base) {
        return a->base < b->base ? -1 : 1;
    }
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    return 0;
}

static int compare(const void *left, const void *right)
{
    const struct sti_listed *a = left;
    const struct sti_listed *b = right;
    int order = compare_key(a, b);

    return order != 0 ? order : strcmp(a->name, b->name);
}

stele_code sti_listing_read(struct sti_listing *out, struct sti_dir *dir, stele_error *err)
{
    struct sti_listing l = {0};
    stele_code rc = sti_dir_list(dir, each_name, &l, err);

    if (rc != STELE_OK) {
        sti_listing_free(&l);
        return rc == STELE_ENOMEM ? sti_fail_memory(err, l.capacity * 2 * sizeof *l.entries) : rc;
    }
    if (l.count > 1) {
        qsort(l.entries, l.count, sizeof *l.entries, compare);
    }
    *out = l;
    return STELE_OK;
}

void sti_listing_free(struct sti_listing *listing)
{
    sti_free(listing->entries);
    memset(listing, 0, sizeof *listing);
}

size_t sti_listing_next_log(const struct sti_listing *listing, size_t from)
{
    while (from < listing->count && listing->entries[from].kind != STI_NAME_LOG) {
        from++;
    }
    return from;
}

bool sti_listing_has(const struct sti_listing *listing, enum sti_name_kind kind, int64_t base)
{
    struct sti_listed key = {.base = base, .kind = kind};

    return listing->count > 0 && bsearch(&key, listing->entries, listing->count,
                                         sizeof *listing->entries, compare_key) != NULL;
}

stele_code sti_stream_read_file(
        struct sti_dir *dir, const char *name, uint8_t **out, size_t *len, stele_error *err)
{
    struct sti_file f = {0};
    stele_code rc = sti_file_open(&f, dir, name, STELE_OPEN_READ, err);

    if (rc == STELE_OK) {
        rc = sti_file_read_all(&f, SIZE_MAX / 2, out, len, err);
    }
    sti_file_close(&f);
    return rc;
}

/* ---- The highest offset of an index. ---- */

struct items {
    const uint8_t *data;
    uint64_t count;
    size_t item_size;
};

/* How many items from the first on are such as an index of that base has. */
static uint64_t count_sane(const struct items *items, int64_t base, bool v1)
{
    int64_t last = base - 1;
    uint64_t place = 0;
    uint64_t i;

    for (i = 0; i < items->count; i++) {
        const uint8_t *item = items->data + i * items->item_size;
        int64_t offset = sti_item_offset(item);
        uint64_t position = sti_item_position(item);

        if (offset <= last || offset - last > OFFSET_STEP_MAX || position > POSITION_MAX) {
            break;
        }
        if (i == 0 ? v1 && (offset != base || position != 0) : position < place + STI_V1_OVERHEAD) {
            break;
        }
        last = offset;
        place = position;
    }
    return i;
}

/* How many items of that size are sane, and the last one's offset. */
static uint64_t sane_items(const uint8_t *data, uint64_t len, int64_t base, size_t item_size,
        bool v1, int64_t *highest)
{
    struct items items = {.data = data, .count = len / item_size, .item_size = item_size};
    uint64_t sane = count_sane(&items, base, v1);

    if (sane > 0) {
        *highest = sti_item_offset(data + (sane - 1) * item_size);
    }
    return sane;
}

int64_t sti_index_highest(const uint8_t *index, uint64_t len, int64_t base)
{
    struct sti_index_params params = {0};
    enum sti_index_kind kind = sti_index_kind_of(index, len, base, &params);
    uint64_t covered = 0;
    int64_t highest = -1;

    if (kind == STI_INDEX_V2) {
        (void)sane_items(index + STI_INDEX_HEADER_SIZE, len - STI_INDEX_HEADER_SIZE, base,
                sti_index_item_size(params), false, &highest);
        return highest;
    }
    /* Version 1 does not tell its parameters. With the wrong ones the chain of
     * items breaks sooner, since times and hashes are no places: the size
     * counts whose items go furthest. */
    for (size_t size = ITEM_MIN; kind == STI_INDEX_V1 && size <= STI_INDEX_ITEM_MAX;
            size += ITEM_STEP) {
        int64_t found = -1;
        uint64_t sane = sane_items(index, len, base, size, true, &found);

        if (sane * size > covered) {
            covered = sane * size;
            highest = found;
        }
    }
    return highest;
}

/* ---- Covered logs. ---- */

/* Reads the whole messages of a log, over damage. */
struct reader {
    struct sti_scan scan;
    stele_message message;
    enum sti_message_state state;
};

static void reader_next(struct reader *r)
{
    size_t size;

    r->state = sti_scan_next(&r->scan, &r->message, &size);
    while ((r->state == STI_MESSAGE_DAMAGED || r->state == STI_MESSAGE_SHORT) &&
            sti_scan_resync(&r->scan)) {
        r->state = sti_scan_next(&r->scan, &r->message, &size);
    }
}

static void reader_begin(struct reader *r, const uint8_t *data, uint64_t len, int64_t base)
{
    enum sti_log_kind kind = sti_log_kind_of(data, len, base);

    /* A version 1 log whose first message is damaged looks foreign. */
    if (kind == STI_LOG_FOREIGN) {
        kind = STI_LOG_V1;
    }
    sti_scan_begin(&r->scan, data, len, kind, base, INT64_MAX);
    reader_next(r);
}

static bool same(const stele_message *a, const stele_message *b)
{
    return a->offset == b->offset && a->time == b->time && stele_bytes_equal(a->key, b->key) &&
           stele_bytes_equal(a->value, b->value);
}

bool sti_log_is_covered(const uint8_t *older, uint64_t older_len, int64_t older_base,
        const uint8_t *next, uint64_t next_len, int64_t next_base)
{
    struct reader o;
    struct reader n;
    uint64_t matched = 0;

    reader_begin(&o, older, older_len, older_base);
    reader_begin(&n, next, next_len, next_base);
    while (n.state == STI_MESSAGE_WHOLE) {
        while (o.state == STI_MESSAGE_WHOLE && o.message.offset < n.message.offset) {
            reader_next(&o);
        }
        if (o.state != STI_MESSAGE_WHOLE) {
            break; /* published after the deletion */
        }
        if (!same(&o.message, &n.message)) {
            return false;
        }
        matched++;
        reader_next(&n);
    }
    return matched > 0 && (n.state == STI_MESSAGE_WHOLE || n.state == STI_MESSAGE_END);
}

/* The offset in the last item of an index, given the size of its items; -1 if
 * what stands there can be none. */
static stele_code last_offset(struct sti_file *f, uint64_t start, uint64_t size, size_t item_size,
        int64_t base, int64_t *out, stele_error *err)
{
    uint64_t count = (size - start) / item_size;
    uint8_t item[ITEM_MIN];
    int64_t offset;
    stele_code rc;

    *out = -1;
    if (count == 0 || (size - start) % item_size != 0) {
        return STELE_OK;
    }
    rc = sti_file_read(f, start + (count - 1) * item_size, item, sizeof item, err);
    if (rc != STELE_OK) {
        return rc;
    }
    offset = sti_item_offset(item);
    if (offset >= base && (uint64_t)(offset - base) >= count - 1 &&
            sti_item_position(item) <= POSITION_MAX &&
            sti_item_position(item) >= (count - 1) * STI_V1_OVERHEAD) {
        *out = offset;
    }
    return STELE_OK;
}

static stele_code last_offset_of_index(
        struct sti_file *f, int64_t base, int64_t *out, stele_error *err)
{
    struct sti_index_params params = {0};
    enum sti_index_kind kind;
    stele_file_stat st;
    uint8_t head[INDEX_HEAD];
    size_t got = 0;
    stele_code rc = sti_file_stat(f, &st, err);

    *out = -1;
    if (rc == STELE_OK) {
        rc = sti_file_read_some(f, 0, head, sizeof head, &got, err);
    }
    if (rc != STELE_OK || got < STI_INDEX_HEADER_SIZE || st.size < got || st.size > POSITION_MAX) {
        return rc;
    }
    kind = sti_index_kind_of(head, got, base, &params);
    if (kind == STI_INDEX_V2) {
        return last_offset(
                f, STI_INDEX_HEADER_SIZE, st.size, sti_index_item_size(params), base, out, err);
    }
    for (size_t size = ITEM_MIN; kind == STI_INDEX_V1 && size <= STI_INDEX_ITEM_MAX;
            size += ITEM_STEP) {
        int64_t offset;

        rc = last_offset(f, 0, st.size, size, base, &offset, err);
        if (rc != STELE_OK) {
            return rc;
        }
        *out = offset > *out ? offset : *out;
    }
    return STELE_OK;
}

/* Whether the older segment's index shows that it ends before `next_base`:
 * a few short reads instead of both logs. *clear is false where it does not tell. */
static stele_code ends_before(
        struct sti_dir *dir, int64_t base, int64_t next_base, bool *clear, stele_error *err)
{
    char name[STI_NAME_SIZE];
    struct sti_file f = {0};
    int64_t last = -1;
    stele_code rc;

    *clear = false;
    sti_name_index(name, base);
    rc = sti_file_open(&f, dir, name, STELE_OPEN_READ, err);
    if (rc == STELE_ENOTFOUND) {
        return STELE_OK;
    }
    if (rc == STELE_OK) {
        rc = last_offset_of_index(&f, base, &last, err);
    }
    sti_file_close(&f);
    *clear = last >= 0 && last < next_base;
    return rc == STELE_ECORRUPT ? STELE_OK : rc; /* cut while it was read */
}

/* Whether the log of `base` is covered by that of `next_base`. Notes the
 * highest offset of a covered one. */
static stele_code judge_pair(struct sti_leftovers *out, struct sti_dir *dir, int64_t base,
        int64_t next_base, bool *covered, stele_error *err)
{
    char name[STI_NAME_SIZE];
    uint8_t *older = NULL;
    uint8_t *next = NULL;
    size_t older_len = 0;
    size_t next_len = 0;
    bool clear;
    stele_code rc = ends_before(dir, base, next_base, &clear, err);

    *covered = false;
    if (rc != STELE_OK || clear) {
        return rc;
    }
    sti_name_log(name, base);
    rc = sti_stream_read_file(dir, name, &older, &older_len, err);
    if (rc == STELE_OK) {
        sti_name_log(name, next_base);
        rc = sti_stream_read_file(dir, name, &next, &next_len, err);
    }
    if (rc == STELE_OK) {
        *covered = !STI_MUTANT(COVERED_LOG_READ) &&
                   sti_log_is_covered(older, older_len, base, next, next_len, next_base);
    }
    if (*covered) {
        struct reader r;

        for (reader_begin(&r, older, older_len, base); r.state == STI_MESSAGE_WHOLE;
                reader_next(&r)) {
            out->highest = r.message.offset > out->highest ? r.message.offset : out->highest;
        }
    }
    sti_free(older);
    sti_free(next);
    return rc;
}

/* ---- Finding and removing. ---- */

static stele_code add(struct sti_leftovers *out, const struct sti_listed *e, stele_error *err)
{
    if (listing_add(&out->files, e->name, e->kind, e->base) != STELE_OK) {
        return sti_fail_memory(err, out->files.capacity * 2 * sizeof *e);
    }
    return STELE_OK;
}

static stele_code find_covered(struct sti_leftovers *out, struct sti_dir *dir,
        const struct sti_listing *listing, stele_error *err)
{
    size_t i = sti_listing_next_log(listing, 0);
    size_t next;

    for (; i < listing->count; i = next) {
        const struct sti_listed *e = &listing->entries[i];
        bool covered;
        stele_code rc;

        next = sti_listing_next_log(listing, i + 1);
        if (next == listing->count) {
            break;
        }
        rc = judge_pair(out, dir, e->base, listing->entries[next].base, &covered, err);
        if (rc == STELE_OK && covered) {
            rc = add(out, e, err);
        }
        if (rc != STELE_OK) {
            return rc;
        }
    }
    return STELE_OK;
}

/* An index or side file whose log is not there, or goes. */
static stele_code find_orphan(struct sti_leftovers *out, struct sti_dir *dir,
        const struct sti_listing *listing, const struct sti_listed *e, stele_error *err)
{
    uint8_t *index = NULL;
    size_t len = 0;
    stele_code rc;

    if (sti_listing_has(listing, STI_NAME_LOG, e->base) && !sti_leftovers_has_log(out, e->base)) {
        return STELE_OK;
    }
    if (e->kind == STI_NAME_INDEX) {
        int64_t highest;

        rc = sti_stream_read_file(dir, e->name, &index, &len, err);
        if (rc != STELE_OK) {
            return rc;
        }
        highest = sti_index_highest(index, len, e->base);
        sti_free(index);
        /* Even without items: its name says that those below were given. */
        highest = highest < e->base - 1 ? e->base - 1 : highest;
        out->highest = highest > out->highest && !STI_MUTANT(LEFTOVER_OFFSETS_FORGOTTEN)
                               ? highest
                               : out->highest;
    }
    return add(out, e, err);
}

stele_code sti_leftovers_find(struct sti_leftovers *out, struct sti_dir *dir,
        const struct sti_listing *listing, stele_error *err)
{
    struct sti_leftovers found = {.highest = -1};
    stele_code rc = find_covered(&found, dir, listing, err);

    for (size_t i = 0; rc == STELE_OK && i < listing->count; i++) {
        const struct sti_listed *e = &listing->entries[i];

        if (e->kind == STI_NAME_LEFTOVER) {
            if (STI_MUTANT(RECOVER_APPENDS_STALE) && strstr(e->name, ".recover") != NULL) {
                continue;
            }
            rc = add(&found, e, err);
        } else if (e->kind == STI_NAME_INDEX || e->kind == STI_NAME_KEYS) {
            rc = find_orphan(&found, dir, listing, e, err);
        }
    }
    if (rc != STELE_OK) {
        sti_leftovers_free(&found);
        return rc;
    }
    *out = found;
    return STELE_OK;
}

stele_code sti_leftovers_remove(
        const struct sti_leftovers *leftovers, struct sti_dir *dir, stele_error *err)
{
    if (STI_MUTANT(LEFTOVERS_KEPT)) {
        return STELE_OK;
    }
    for (size_t i = 0; i < leftovers->files.count; i++) {
        stele_code rc = sti_dir_unlink(dir, leftovers->files.entries[i].name, NULL, err);

        if (rc != STELE_OK) {
            return rc;
        }
    }
    return leftovers->files.count == 0 ? STELE_OK : sti_dir_sync(dir, err);
}

void sti_leftovers_free(struct sti_leftovers *leftovers)
{
    sti_listing_free(&leftovers->files);
    leftovers->highest = -1;
}

bool sti_leftovers_has_log(const struct sti_leftovers *leftovers, int64_t base)
{
    for (size_t i = 0; i < leftovers->files.count; i++) {
        if (leftovers->files.entries[i].kind == STI_NAME_LOG &&
                leftovers->files.entries[i].base == base) {
            return true;
        }
    }
    return false;
}
