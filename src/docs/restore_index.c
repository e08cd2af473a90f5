/* SPDX-License-Identifier: MIT
 *
 * restore_index.c: keys of the index that are put together, and the conflicts among them.
 */
#include "base/alloc.h"
#include "base/coding.h"
#include "base/error.h"
#include "base/mutant.h"
#include "docs/restore.h"

#include <stdlib.h>

enum {
    HEAD_SIZE = 4 + 4 + 1,
    ENOUGH = 64 << 20 /* bytes of keys */
};

/* ---- Gathering. ---- */

stele_code sti_docs_gather(
        struct sti_docs_gathered *gathered, stele_bytes id, stele_bytes kept, stele_error *err)
{
    struct sti_docs_kept at = {.rest = stele_nil()};
    stele_buf *keys = &gathered->keys;
    stele_code rc = sti_docs_kept_begin(&at, kept, err);

    while (rc == STELE_OK) {
        uint8_t head[HEAD_SIZE];

        rc = sti_docs_kept_next(&at, err);
        if (rc != STELE_OK) {
            break;
        }
        sti_put_be32(head, (uint32_t)(at.claim.len + at.version.len + id.len));
        sti_put_be32(head + 4, (uint32_t)at.claim.len);
        head[8] = at.version.len > 0;
        gathered->unique = gathered->unique || at.version.len > 0;
        rc = stele_buf_append(keys, stele_bytes_of(head, sizeof head), err);
        if (rc == STELE_OK) {
            rc = stele_buf_append(keys, at.claim, err);
        }
        if (rc == STELE_OK) {
            rc = stele_buf_append(keys, at.version, err);
        }
        if (rc == STELE_OK) {
            rc = stele_buf_append(keys, id, err);
        }
        gathered->count++;
    }
    return rc == STELE_END ? STELE_OK : rc;
}

bool sti_docs_gathered_enough(const struct sti_docs_gathered *gathered)
{
    return gathered->keys.len >= ENOUGH;
}

/* ---- Sorting. ---- */

/* A key that is to be put, and the eight bytes of it by which it is sorted. */
struct item {
    uint64_t window;
    const uint8_t *at; /* its head */
};

static stele_bytes key_of(const struct item *item)
{
    return stele_bytes_of(item->at + HEAD_SIZE, sti_get_be32(item->at));
}

static int compare_windows(const void *a, const void *b)
{
    const struct item *x = a;
    const struct item *y = b;

    return (x->window > y->window) - (x->window < y->window);
}

static int compare_items(const void *a, const void *b)
{
    int order = compare_windows(a, b);

    return order != 0 ? order : stele_bytes_compare(key_of(a), key_of(b));
}

/* How many bytes all keys begin with. */
static size_t common_len(const struct item *items, size_t count)
{
    stele_bytes first = key_of(&items[0]);
    size_t common = first.len;

    for (size_t i = 1; i < count; i++) {
        stele_bytes key = key_of(&items[i]);
        size_t len = 0;

        common = key.len < common ? key.len : common;
        while (len < common && key.data[len] == first.data[len]) {
            len++;
        }
        common = len;
    }
    return common;
}

/* Behind the end of a key there are zeros: so the order of the windows is never against that of
 * the keys. */
static void set_windows(struct item *items, size_t count)
{
    size_t skip = common_len(items, count);

    for (size_t i = 0; i < count; i++) {
        stele_bytes key = key_of(&items[i]);
        uint64_t window = 0;

        for (size_t b = 0; b < sizeof window; b++) {
            window = window << 8 | (skip + b < key.len ? key.data[skip + b] : 0U);
        }
        items[i].window = window;
    }
}

/* First apart, then within each part: most keys of one kind begin alike. */
static void sort_items(struct item *items, size_t count)
{
    size_t from = 0;

    if (count < 2) {
        return;
    }
    set_windows(items, count);
    qsort(items, count, sizeof *items, compare_windows);
    while (from < count) {
        size_t to = from + 1;

        while (to < count && items[to].window == items[from].window) {
            to++;
        }
        if (to - from > 1) {
            set_windows(items + from, to - from);
            qsort(items + from, to - from, sizeof *items, compare_items);
        }
        from = to;
    }
}

/* ---- Putting. ---- */

static stele_code put_item(struct sti_docs_write *w, const struct item *item, stele_error *err)
{
    uint8_t value[STI_DOCS_INDEX_VALUE_SIZE];
    struct sti_docs_kept kept = {.claim = stele_bytes_of(NULL, sti_get_be32(item->at + 4)),
            .version = stele_bytes_of(NULL, item->at[8])};

    sti_docs_index_value_put(value, &kept);
    return sti_docs_put(w, STI_DOCS_IDX, key_of(item), stele_bytes_of(value, sizeof value), err);
}

stele_code sti_docs_gathered_put(
        struct sti_docs_gathered *gathered, struct sti_docs_write *w, stele_error *err)
{
    const uint8_t *at = gathered->keys.data;
    struct item *items = sti_calloc(gathered->count, sizeof *items);
    stele_code rc = STELE_OK;

    if (items == NULL) {
        return sti_fail_memory(err, gathered->count * sizeof *items);
    }
    for (size_t i = 0; i < gathered->count; i++) {
        items[i].at = at;
        at += HEAD_SIZE + sti_get_be32(at);
    }
    sort_items(items, gathered->count);
    for (size_t i = 0; i < gathered->count && rc == STELE_OK; i++) {
        rc = put_item(w, &items[i], err);
    }
    sti_free(items);
    stele_buf_clear(&gathered->keys);
    gathered->count = 0;
    return rc;
}

/* ---- Conflicts. ---- */

struct seeking {
    stele_docs *db;
    stele_store_cursor *cursor;
    stele_buf last;  /* the claim of the key before, if that was unique */
    bool noted;      /* it is among the next */
    stele_buf found; /* claims that several documents make: length 4, the claim */
    stele_buf head;
};

/* The key is of a definition by which none of its kind is unique: those behind it are looked at. */
static stele_code skip_kind(struct seeking *s, stele_bytes key, bool *skipped, stele_error *err)
{
    uint16_t number = 0;
    const struct sti_docs_kind *kind;
    stele_code rc;

    *skipped = false;
    if (key.len < STI_DOCS_INDEX_HEAD) {
        return STELE_OK;
    }
    kind = sti_docs_kind_of_claim(s->db, key, &number);
    if (number == UINT16_MAX ||
            (number > 0 && (kind == NULL || kind->type->keys[number - 1].unique))) {
        return STELE_OK;
    }
    *skipped = true;
    stele_buf_clear(&s->head);
    rc = sti_docs_index_head(sti_get_be32(key.data), (uint16_t)(number + 1), &s->head, err);
    return rc == STELE_OK ? stele_store_cursor_seek(s->cursor, stele_buf_view(&s->head), err) : rc;
}

static stele_code see_claim(struct seeking *s, stele_bytes claim, stele_error *err)
{
    uint8_t len[4];
    stele_code rc;

    if (!stele_bytes_equal(claim, stele_buf_view(&s->last))) {
        s->noted = false;
        stele_buf_clear(&s->last);
        return stele_buf_append(&s->last, claim, err);
    }
    if (s->noted) {
        return STELE_OK;
    }
    s->noted = true;
    sti_put_be32(len, (uint32_t)claim.len);
    rc = stele_buf_append(&s->found, stele_bytes_of(len, sizeof len), err);
    return rc == STELE_OK ? stele_buf_append(&s->found, claim, err) : rc;
}

static stele_code seek_all(struct seeking *s, stele_error *err)
{
    stele_code rc = stele_store_cursor_first(s->cursor, err);

    while (rc == STELE_OK) {
        struct sti_docs_index_value here = {.unique = false};
        stele_bytes key = stele_nil();
        stele_bytes value = stele_nil();
        bool skipped = false;

        rc = stele_store_cursor_pair(s->cursor, &key, &value, err);
        if (rc == STELE_OK) {
            rc = sti_docs_index_value_get(&here, key, value, err);
        }
        if (rc == STELE_OK && here.unique) {
            rc = see_claim(s, here.claim, err);
        } else if (rc == STELE_OK) {
            rc = skip_kind(s, key, &skipped, err);
        }
        if (rc == STELE_OK && !skipped) {
            rc = stele_store_cursor_next(s->cursor, err);
        }
    }
    return rc == STELE_END ? STELE_OK : rc;
}

static stele_code put_found(struct seeking *s, struct sti_docs_write *w, stele_error *err)
{
    static const uint8_t form = STI_DOCS_FORM;
    size_t at = 0;
    stele_code rc = STELE_OK;

    while (rc == STELE_OK && at < s->found.len && !STI_MUTANT(DOCS_RESTORE_NO_CONFLICTS)) {
        size_t len = sti_get_be32(s->found.data + at);

        rc = sti_docs_put(w, STI_DOCS_CFL, stele_bytes_of(s->found.data + at + 4, len),
                stele_bytes_of(&form, sizeof form), err);
        at += 4 + len;
    }
    return rc;
}

stele_code sti_docs_gathered_end(
        struct sti_docs_gathered *gathered, struct sti_docs_write *w, stele_error *err)
{
    struct seeking s = {.db = w->db};
    stele_code rc = sti_docs_gathered_put(gathered, w, err);

    if (rc != STELE_OK || !gathered->unique) {
        return rc;
    }
    stele_buf_init(&s.last, SIZE_MAX);
    stele_buf_init(&s.found, SIZE_MAX);
    stele_buf_init(&s.head, SIZE_MAX);
    rc = stele_store_cursor_open(&s.cursor, w->view, sti_docs_bucket_name(STI_DOCS_IDX), err);
    if (rc == STELE_OK) {
        rc = seek_all(&s, err);
    }
    stele_store_cursor_close(s.cursor);
    if (rc == STELE_OK) {
        rc = put_found(&s, w, err);
    }
    stele_buf_free(&s.last);
    stele_buf_free(&s.found);
    stele_buf_free(&s.head);
    return rc;
}
