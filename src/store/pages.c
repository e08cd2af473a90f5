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

static bool meta_is_whole(const uint8_t *meta, uint64_t number)
{
    return sti_pages_get64(meta) == number && sti_pages_get16(meta + 10) == META &&
           sti_pages_get32(meta + 16) == MAGIC && sti_pages_get32(meta + 20) == 1 &&
           sti_pages_get64(meta + 144) % 2 == number;
}

static stele_code read_metas(struct sti_pages_walk *w, uint8_t meta[META_SIZE], stele_error *err)
{
    uint8_t other[META_SIZE];
    uint64_t mine = w->txn_id % 2;
    stele_code code = sti_file_read(&w->file, 0, meta, META_SIZE, err);

    /* The first tells the size of a page, for both. */
    w->page_size = code == STELE_OK ? sti_pages_get32(meta + 40) : 0;
    if (code == STELE_OK && (w->page_size < PAGE_MIN || w->page_size > PAGE_MAX ||
                                    (w->page_size & (w->page_size - 1)) != 0)) {
        return sti_fail_at(err, STELE_ECORRUPT, FILE_NAME, 0, "the size of a page is damaged");
    }
    if (code == STELE_OK) {
        code = sti_file_read(&w->file, mine * w->page_size, meta, META_SIZE, err);
    }
    if (code == STELE_OK) {
        code = sti_file_read(&w->file, (1 - mine) * w->page_size, other, META_SIZE, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    if (meta_is_whole(meta, mine) && sti_pages_get64(meta + 144) > w->txn_id) {
        return sti_fail(err, STELE_EBUSY, "transaction %llu is no longer the last but one",
                (unsigned long long)w->txn_id);
    }
    if (!meta_is_whole(meta, mine) || sti_pages_get64(meta + 144) != w->txn_id ||
            sti_pages_get32(meta + 40) != w->page_size) {
        return sti_fail_at(err, STELE_ECORRUPT, FILE_NAME, (int64_t)(mine * w->page_size),
                "the meta page is damaged");
    }
    /* The older one, or that of a writer who has gone on. */
    if (!meta_is_whole(other, 1 - mine) || sti_pages_get32(other + 40) != w->page_size ||
            (sti_pages_get64(other + 144) + 1 != w->txn_id &&
                    sti_pages_get64(other + 144) != w->txn_id + 1)) {
        sti_pages_fault(w, 1 - mine, "the meta page is damaged");
    }
    w->last = sti_pages_get64(meta + 136);
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
    uint8_t meta[META_SIZE];
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
        code = read_metas(w, meta, &why);
    }
    if (code == STELE_OK) {
        code = make_room(w, &why);
    }
    if (code == STELE_OK) {
        code = walk_all(w, meta, &why);
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
