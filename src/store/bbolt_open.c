/* SPDX-License-Identifier: MIT
 *
 * bbolt_open.c: opening a bbolt file: its hash, the metas, the list of free pages.
 */
#include "base/alloc.h"
#include "base/coding.h"
#include "base/error.h"
#include "store/bbolt_state.h"
#include "store/sha256.h"

stele_code sti_bbolt_fail(const struct sti_bbolt_reader *r, uint64_t number, uint64_t position,
        const char *fault, stele_error *err)
{
    return sti_fail_at(err, STELE_ECORRUPT, r->file.name, (int64_t)position, "page %llu: %s",
            (unsigned long long)number, fault);
}

bool sti_bbolt_use(struct sti_bbolt_reader *r, uint64_t number)
{
    uint8_t *byte = &r->used[number / 8];
    uint8_t bit = (uint8_t)(1U << number % 8);
    bool first = (*byte & bit) == 0;

    *byte |= bit;
    return first;
}

/* ---- The hash. ---- */

/* Where the pages end. A hash behind them has to be right. */
static stele_code check_size(struct sti_bbolt_reader *r, stele_error *err)
{
    stele_file_stat st;
    uint8_t stored[STI_SHA256_SIZE];
    struct sti_file_sums sums;
    stele_code rc = sti_file_stat(&r->file, &st, err);

    if (rc != STELE_OK) {
        return rc;
    }
    r->size = st.size;
    if (st.size % STI_BBOLT_PAGE_MIN == 0) {
        return STELE_OK;
    }
    if (st.size % STI_BBOLT_PAGE_MIN != STI_SHA256_SIZE) {
        return sti_fail_at(err, STELE_ECORRUPT, r->file.name, (int64_t)st.size,
                "ends neither with a page nor with a hash: it was cut, or is no bbolt file");
    }
    r->size -= STI_SHA256_SIZE;
    rc = sti_file_read(&r->file, r->size, stored, sizeof stored, err);
    if (rc == STELE_OK) {
        rc = sti_sha256_file(&r->file, r->size, 0, &sums, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    if (memcmp(stored, sums.sha256, sizeof stored) != 0) {
        return sti_fail_at(err, STELE_ECORRUPT, r->file.name, (int64_t)r->size,
                "the SHA-256 behind the pages is not theirs");
    }
    r->info.hashed = true;
    return STELE_OK;
}

/* ---- Metas. ---- */

/* The meta whose page begins at `at`. *damaged: there is none, and *err says why. */
static stele_code read_meta(struct sti_bbolt_reader *r, uint64_t at, struct sti_bbolt_meta *meta,
        bool *damaged, stele_error *err)
{
    uint8_t bytes[STI_BBOLT_META];
    size_t got;
    stele_code rc =
            sti_file_read_some(&r->file, at + STI_BBOLT_HEAD, bytes, sizeof bytes, &got, err);

    *damaged = false;
    if (rc != STELE_OK) {
        return rc;
    }
    *damaged = true;
    if (got < sizeof bytes) {
        return sti_fail_at(
                err, STELE_ECORRUPT, r->file.name, (int64_t)at, "too short for a bbolt file");
    }
    rc = sti_bbolt_meta_decode(bytes, meta, err);
    if (rc != STELE_OK) {
        return sti_fail_at(
                err, rc, r->file.name, (int64_t)at, "%s", err == NULL ? "" : err->message);
    }
    *damaged = false;
    return STELE_OK;
}

/* The second meta. Without the first, the size of a page is not known: each is tried. */
static stele_code read_second(struct sti_bbolt_reader *r, uint32_t page_size,
        struct sti_bbolt_meta *meta, bool *damaged, stele_error *err)
{
    uint32_t from = page_size != 0 ? page_size : STI_BBOLT_PAGE_MIN;
    uint32_t to = page_size != 0 ? page_size : STI_BBOLT_PAGE_MAX;

    for (uint32_t size = from; size <= to; size *= 2) {
        stele_code rc = read_meta(r, size, meta, damaged, err);

        if (rc != STELE_OK && !*damaged) {
            return rc;
        }
        *damaged = *damaged || meta->page_size != size;
        if (!*damaged) {
            return STELE_OK;
        }
    }
    return STELE_OK;
}

static stele_code choose_meta(struct sti_bbolt_reader *r, stele_error *err)
{
    struct sti_bbolt_meta metas[2] = {{0}, {0}};
    bool damaged[2];
    stele_code second;
    stele_code first = read_meta(r, 0, &metas[0], &damaged[0], err);

    if (first != STELE_OK && !damaged[0]) {
        return first;
    }
    /* If both are damaged, the error is that of the first. */
    second = read_second(r, metas[0].page_size, &metas[1], &damaged[1], NULL);
    if (second != STELE_OK) {
        return sti_fail_at(err, second, r->file.name, -1, "the second meta page cannot be read");
    }
    if (damaged[0] && damaged[1]) {
        return first;
    }
    r->meta = damaged[0] || (!damaged[1] && metas[1].transaction > metas[0].transaction) ? metas[1]
                                                                                         : metas[0];
    /* A commit that was torn leaves a wrong checksum. This one was not, so the file was cut later.
     */
    if (r->meta.end > r->size / r->meta.page_size) {
        return sti_fail_at(err, STELE_ECORRUPT, r->file.name, (int64_t)r->size,
                "the file ends before its %llu pages of %u bytes", (unsigned long long)r->meta.end,
                (unsigned)r->meta.page_size);
    }
    r->info.one_meta = damaged[0] || damaged[1];
    r->info.page_size = r->meta.page_size;
    r->info.pages = r->meta.end;
    r->info.transaction = r->meta.transaction;
    r->info.knows_unused = r->meta.free_list != STI_BBOLT_NOT_WRITTEN;
    return STELE_OK;
}

/* ---- Free pages. ---- */

static stele_code mark_free(
        struct sti_bbolt_reader *r, stele_bytes run, uint64_t count, size_t at, stele_error *err)
{
    uint64_t page = r->meta.free_list;
    uint64_t position = page * r->meta.page_size;
    uint64_t last = STI_BBOLT_FIRST_PAGE - 1;

    if (count > (run.len - at) / 8) {
        return sti_bbolt_fail(r, page, position, "more free pages than there is room for", err);
    }
    for (uint64_t i = 0; i < count; i++, at += 8) {
        uint64_t number = sti_get_le64(run.data + at);

        if (number <= last || number >= r->meta.end) {
            return sti_bbolt_fail(
                    r, page, position + at, "a free page that is not there, or not in order", err);
        }
        if (!sti_bbolt_use(r, number)) {
            return sti_bbolt_fail(
                    r, page, position + at, "it is itself one of the free pages", err);
        }
        last = number;
    }
    return STELE_OK;
}

/* They must not be met in a tree. */
static stele_code read_free_list(struct sti_bbolt_reader *r, stele_error *err)
{
    struct sti_bbolt_head head;
    stele_bytes run;
    uint64_t count;
    size_t at = STI_BBOLT_HEAD;
    stele_code rc;

    if (!r->info.knows_unused) {
        return STELE_OK;
    }
    rc = sti_bbolt_load_run(r, &r->entries.levels[0], r->meta.free_list, &head, &run, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (head.kind != STI_BBOLT_KIND_FREE) {
        return sti_bbolt_fail(r, r->meta.free_list, r->meta.free_list * r->meta.page_size,
                "not the list of free pages", err);
    }
    count = head.count;
    if (count > STI_BBOLT_COUNT_MAX) {
        /* A page has at least 512 bytes. */
        count = sti_get_le64(run.data + at);
        at += 8;
    }
    return mark_free(r, run, count, at, err);
}

/* ---- The reader. ---- */

static stele_code open_file(
        struct sti_bbolt_reader *r, struct sti_dir *dir, const char *name, stele_error *err)
{
    stele_code rc = sti_file_open(&r->file, dir, name, STELE_OPEN_READ, err);

    return rc == STELE_OK ? sti_file_lock(&r->file, false, err) : rc;
}

stele_code sti_bbolt_open(
        struct sti_bbolt_reader **out, struct sti_dir *dir, const char *name, stele_error *err)
{
    struct sti_bbolt_reader *r = sti_calloc(1, sizeof *r);
    stele_code rc;

    if (r == NULL) {
        return sti_fail_memory(err, sizeof *r);
    }
    rc = open_file(r, dir, name, err);
    if (rc == STELE_OK) {
        rc = check_size(r, err);
    }
    if (rc == STELE_OK) {
        rc = choose_meta(r, err);
    }
    if (rc == STELE_OK) {
        /* No more than the size of the file over 4,096. */
        r->used = sti_calloc((size_t)(r->meta.end / 8 + 1), 1);
        rc = r->used == NULL ? sti_fail_memory(err, (size_t)(r->meta.end / 8 + 1))
                             : read_free_list(r, err);
    }
    if (rc != STELE_OK) {
        sti_bbolt_close(r);
        return rc;
    }
    *out = r;
    return STELE_OK;
}

static void free_cursor(struct sti_bbolt_cursor *c)
{
    for (unsigned i = 0; i < STI_BBOLT_DEPTH_MAX; i++) {
        sti_free(c->levels[i].memory);
    }
}

void sti_bbolt_close(struct sti_bbolt_reader *r)
{
    if (r == NULL) {
        return;
    }
    free_cursor(&r->buckets);
    free_cursor(&r->entries);
    sti_free(r->used);
    sti_file_close(&r->file);
    sti_free(r);
}

struct sti_bbolt_info sti_bbolt_info(const struct sti_bbolt_reader *r)
{
    return r->info;
}
