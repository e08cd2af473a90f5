/* SPDX-License-Identifier: MIT
 *
 * pages.c: meta pages, and the trees that they name.
 */
#include "store/pages.h"

#include "base/alloc.h"
#include "base/error.h"
#include "store/pages_walk.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    META_SIZE = 152,
    PAGE_MIN = 512,
    PAGE_MAX = 65536,
    META = 8,
    UNUSED_TOLD = 8 /* lost pages that are told one by one */
};

#define MAGIC     UINT32_C(0xbeefc0de)
#define NO_PAGE   UINT64_MAX
#define FILE_NAME "data.mdb"

void sti_pages_fault(struct sti_pages_walk *w, uint64_t page, const char *format, ...)
{
    char text[160];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    w->result.faults++;
    if (w->each != NULL) {
        w->each(w->arg, page > INT64_MAX / PAGE_MAX ? -1 : (int64_t)(page * w->page_size), text);
    }
}

void sti_pages_decode_tree(struct sti_pages_tree *out, const uint8_t *p)
{
    out->flags = sti_pages_get16(p + 4);
    out->depth = sti_pages_get16(p + 6);
    for (size_t i = 0; i < 3; i++) {
        out->count[i] = sti_pages_get64(p + 8 + 8 * i);
    }
    out->entries = sti_pages_get64(p + 32);
    out->root = sti_pages_get64(p + 40);
}

static void find_lost(struct sti_pages_walk *w)
{
    uint64_t lost = 0;

    for (uint64_t i = 2; i <= w->last; i++) {
        if ((w->seen[i / 8] >> i % 8 & 1) == 0 && lost++ < UNUSED_TOLD) {
            sti_pages_fault(w, i, "the page is neither used nor free");
        }
    }
    if (lost > UNUSED_TOLD) {
        sti_pages_fault(
                w, NO_PAGE, "%llu pages are neither used nor free", (unsigned long long)lost);
    }
}

static stele_code walk_all(struct sti_pages_walk *w, const uint8_t *meta, stele_error *err)
{
    uint64_t from = w->txn_id % 2;
    struct sti_pages_tree tree;
    stele_code code;

    for (size_t i = 0; i < STI_PAGES_LEVELS_MAX; i++) {
        w->levels[i].page = w->pages + i * w->page_size;
    }
    sti_pages_decode_tree(&tree, meta + 40);
    w->free_list = true;
    code = sti_pages_walk_tree(w, &tree, from, err);
    if (code == STELE_OK) {
        sti_pages_decode_tree(&tree, meta + 88);
        w->free_list = false;
        code = sti_pages_walk_tree(w, &tree, from, err);
    }
    if (code == STELE_OK && w->second_known) {
        code = sti_pages_walk_tree(w, &w->second, w->levels[0].number, err);
    }
    /* Where a page could not be followed, what is below it is not lost. */
    if (code == STELE_OK && w->result.faults == 0) {
        find_lost(w);
    }
    return code;
}

/* ---- Meta pages. ---- */

struct metas {
    uint8_t bytes[2][META_SIZE];
    uint32_t page_size;
};

static uint64_t txn_of(const struct metas *m, uint64_t number)
{
    return sti_pages_get64(m->bytes[number] + 144);
}

static bool is_whole(const struct metas *m, uint64_t number)
{
    const uint8_t *meta = m->bytes[number];

    return sti_pages_get64(meta) == number && sti_pages_get16(meta + 10) == META &&
           sti_pages_get32(meta + 16) == MAGIC && sti_pages_get32(meta + 20) == 1 &&
           sti_pages_get32(meta + 40) == m->page_size && txn_of(m, number) % 2 == number;
}

/* The first tells the size of a page, for both. */
static stele_code read_metas(struct metas *m, struct sti_file *file, stele_error *err)
{
    stele_code code = sti_file_read(file, 0, m->bytes[0], META_SIZE, err);

    if (code != STELE_OK) {
        return code;
    }
    m->page_size = sti_pages_get32(m->bytes[0] + 40);
    if (m->page_size < PAGE_MIN || m->page_size > PAGE_MAX ||
            (m->page_size & (m->page_size - 1)) != 0) {
        return sti_fail_at(err, STELE_ECORRUPT, FILE_NAME, 0, "the size of a page is damaged");
    }
    return sti_file_read(file, m->page_size, m->bytes[1], META_SIZE, err);
}

static stele_code fail_meta(const struct metas *m, uint64_t number, stele_error *err)
{
    return sti_fail_at(err, STELE_ECORRUPT, FILE_NAME, (int64_t)(number * m->page_size),
            "the meta page is damaged");
}

/* The one that is not whole, or 0 if they do not fit together; 2: none. */
static uint64_t find_damage(const struct metas *m)
{
    uint64_t newer = txn_of(m, 1) > txn_of(m, 0) ? 1 : 0;

    for (uint64_t i = 0; i < 2; i++) {
        if (!is_whole(m, i)) {
            return i;
        }
    }
    return txn_of(m, newer) == txn_of(m, 1 - newer) + 1 ? 2 : 0;
}

stele_code sti_pages_newest(struct sti_dir *dir, uint64_t *txn_id, stele_error *err)
{
    struct sti_file file = {.raw = NULL};
    struct metas m;
    stele_code code = sti_file_open(&file, dir, FILE_NAME, STELE_OPEN_READ, err);

    if (code != STELE_OK) {
        return code;
    }
    code = read_metas(&m, &file, err);
    sti_file_close(&file);
    if (code != STELE_OK) {
        return code;
    }
    if (find_damage(&m) != 2) {
        return fail_meta(&m, find_damage(&m), err);
    }
    *txn_id = txn_of(&m, 0) > txn_of(&m, 1) ? txn_of(&m, 0) : txn_of(&m, 1);
    return STELE_OK;
}

/* The meta page of the transaction, and whether the other one fits to it: it is older, or that of a
 * writer who has gone on. */
static stele_code take_meta(struct sti_pages_walk *w, struct metas *m, stele_error *err)
{
    uint64_t mine = w->txn_id % 2;
    stele_code code = read_metas(m, &w->file, err);

    if (code != STELE_OK) {
        return code;
    }
    w->page_size = m->page_size;
    if (is_whole(m, mine) && txn_of(m, mine) > w->txn_id) {
        return sti_fail(err, STELE_EBUSY, "transaction %llu is no longer the last but one",
                (unsigned long long)w->txn_id);
    }
    if (!is_whole(m, mine) || txn_of(m, mine) != w->txn_id) {
        return fail_meta(m, mine, err);
    }
    if (!is_whole(m, 1 - mine) ||
            (txn_of(m, 1 - mine) + 1 != w->txn_id && txn_of(m, 1 - mine) != w->txn_id + 1)) {
        sti_pages_fault(w, 1 - mine, "the meta page is damaged");
    }
    w->last = sti_pages_get64(m->bytes[mine] + 136);
    return STELE_OK;
}

/* Pages behind the end of the file are free ones that were never written, each of which has 8 bytes
 * in the file: so the number of the last page is bounded by its size. */
static stele_code make_room(struct sti_pages_walk *w, stele_error *err)
{
    uint64_t bound = w->file_size / w->page_size + w->file_size / 8;

    if (w->last < 1 || w->last > bound) {
        return sti_fail_at(err, STELE_ECORRUPT, FILE_NAME, (int64_t)(w->txn_id % 2 * w->page_size),
                "the number of the last page is damaged");
    }
    w->seen = sti_calloc((size_t)(w->last / 8) + 1, 1);
    w->pages = sti_malloc((size_t)STI_PAGES_LEVELS_MAX * w->page_size);
    return w->seen == NULL || w->pages == NULL ? sti_fail_memory(err, (size_t)w->last / 8)
                                               : STELE_OK;
}

stele_code sti_pages_check(struct sti_dir *dir, uint64_t txn_id, sti_pages_fault_fn each, void *arg,
        struct sti_pages_found *out, stele_error *err)
{
    struct sti_pages_walk *w = sti_calloc(1, sizeof *w);
    struct metas metas;
    stele_file_stat stat;
    stele_error why;
    stele_code code;

    if (w == NULL) {
        return sti_fail_memory(err, sizeof *w);
    }
    w->txn_id = txn_id;
    w->each = each;
    w->arg = arg;
    code = sti_file_open(&w->file, dir, FILE_NAME, STELE_OPEN_READ, &why);
    if (code == STELE_OK) {
        code = sti_file_stat(&w->file, &stat, &why);
    }
    if (code == STELE_OK) {
        w->file_size = stat.size;
        code = take_meta(w, &metas, &why);
    }
    if (code == STELE_OK) {
        code = make_room(w, &why);
    }
    if (code == STELE_OK) {
        code = walk_all(w, metas.bytes[txn_id % 2], &why);
    }
    if (code == STELE_ECORRUPT) {
        /* Nothing can be followed from there. */
        w->page_size = 1;
        sti_pages_fault(w, why.position < 0 ? 0 : (uint64_t)why.position, "%.150s", why.message);
        code = STELE_OK;
    }
    if (code == STELE_OK) {
        w->result.pages = w->last + 1;
        *out = w->result;
    } else if (err != NULL) {
        *err = why;
    }
    sti_file_close(&w->file);
    sti_free(w->seen);
    sti_free(w->pages);
    sti_free(w);
    return code;
}
