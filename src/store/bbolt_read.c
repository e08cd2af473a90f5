/* SPDX-License-Identifier: MIT
 *
 * bbolt_read.c: walking the trees of a bbolt file.
 */
#include "store/bbolt_read.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/coding.h"
#include "base/error.h"
#include "store/bbolt_state.h"

/* ---- Pages. ---- */

static stele_code use_run(struct sti_bbolt_reader *r, const struct sti_bbolt_head *head,
        uint64_t number, stele_error *err)
{
    uint64_t position = number * r->meta.page_size;

    if (head->number != number) {
        return sti_bbolt_fail(r, number, position, "it has the number of another page", err);
    }
    if (head->overflow >= r->meta.end - number) {
        return sti_bbolt_fail(r, number, position, "it goes on behind the last page", err);
    }
    for (uint64_t i = 0; i <= head->overflow; i++) {
        if (!sti_bbolt_use(r, number + i)) {
            return sti_bbolt_fail(r, number, position, "it is free, or used twice", err);
        }
    }
    return STELE_OK;
}

static stele_code reserve(struct sti_bbolt_level *level, size_t size, stele_error *err)
{
    if (size > level->capacity) {
        uint8_t *memory = sti_realloc(level->memory, size, 1);

        if (memory == NULL) {
            return sti_fail_memory(err, size);
        }
        level->memory = memory;
        level->capacity = size;
    }
    return STELE_OK;
}

stele_code sti_bbolt_load_run(struct sti_bbolt_reader *r, struct sti_bbolt_level *level,
        uint64_t number, struct sti_bbolt_head *head, stele_bytes *run, stele_error *err)
{
    size_t size = r->meta.page_size;
    uint64_t position = number * size;
    stele_code rc;

    sti_assert(number < r->meta.end);
    rc = reserve(level, size, err);
    if (rc == STELE_OK) {
        rc = sti_file_read(&r->file, position, level->memory, size, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    sti_bbolt_head_decode(level->memory, head);
    rc = use_run(r, head, number, err);
    if (rc == STELE_OK && head->overflow > 0) {
        /* Within the file, so it fits into 64 bits. */
        uint64_t whole = ((uint64_t)head->overflow + 1) * size;

        if (whole > SIZE_MAX) {
            return sti_fail_memory(err, SIZE_MAX);
        }
        rc = reserve(level, (size_t)whole, err);
        if (rc == STELE_OK) {
            rc = sti_file_read(
                    &r->file, position + size, level->memory + size, (size_t)whole - size, err);
        }
        size = (size_t)whole;
    }
    if (rc == STELE_OK) {
        *run = stele_bytes_of(level->memory, size);
    }
    return rc;
}

/* ---- Cursors. ---- */

/* Whether the keys of a page that is about to be put below the cursor's levels are in the range
 * that those give: not below the key that leads to it, and below the one behind that. */
static bool is_in_range(const struct sti_bbolt_cursor *c, const struct sti_bbolt_page *page)
{
    const struct sti_bbolt_level *above = &c->levels[c->depth - 1];
    stele_bytes last = sti_bbolt_page_element(page, page->count - 1).key;

    if (stele_bytes_compare(sti_bbolt_page_element(page, 0).key,
                sti_bbolt_page_element(&above->page, above->next - 1).key) < 0) {
        return false;
    }
    for (unsigned i = c->depth; i > 0; i--) {
        above = &c->levels[i - 1];
        if (above->next < above->page.count) {
            return stele_bytes_compare(
                           last, sti_bbolt_page_element(&above->page, above->next).key) < 0;
        }
    }
    return true;
}

/* Read a page, and stand before its first element. */
static stele_code descend(
        struct sti_bbolt_reader *r, struct sti_bbolt_cursor *c, uint64_t number, stele_error *err)
{
    struct sti_bbolt_level *level = &c->levels[c->depth];
    uint64_t position = number * r->meta.page_size;
    struct sti_bbolt_head head;
    stele_bytes run;
    const char *fault;
    size_t at;
    stele_code rc = sti_bbolt_load_run(r, level, number, &head, &run, err);

    if (rc != STELE_OK) {
        return rc;
    }
    fault = sti_bbolt_page_decode(run, r->meta.page_size, &level->page, &at);
    if (fault != NULL) {
        return sti_bbolt_fail(r, number, position + at, fault, err);
    }
    if (level->page.count == 0 && (c->depth > 0 || !level->page.leaf)) {
        return sti_bbolt_fail(r, number, position, "it is empty", err);
    }
    if (c->depth > 0 && !is_in_range(c, &level->page)) {
        return sti_bbolt_fail(
                r, number, position, "its keys do not belong below the page above it", err);
    }
    level->number = number;
    level->position = position;
    level->next = 0;
    c->depth++;
    return STELE_OK;
}

static stele_code start(
        struct sti_bbolt_reader *r, struct sti_bbolt_cursor *c, uint64_t root, stele_error *err)
{
    c->depth = 0;
    return descend(r, c, root, err);
}

/* The next element of a leaf; the cursor's last level is then that leaf. */
static stele_code next(struct sti_bbolt_reader *r, struct sti_bbolt_cursor *c,
        struct sti_bbolt_element *out, stele_error *err)
{
    while (c->depth > 0) {
        struct sti_bbolt_level *level = &c->levels[c->depth - 1];
        struct sti_bbolt_element element;
        stele_code rc;

        if (level->next == level->page.count) {
            c->depth--;
            continue;
        }
        element = sti_bbolt_page_element(&level->page, level->next);
        level->next++;
        if (level->page.leaf) {
            *out = element;
            return STELE_OK;
        }
        if (c->depth == STI_BBOLT_DEPTH_MAX) {
            return sti_bbolt_fail(r, level->number, level->position, "too far from its root", err);
        }
        if (element.child < STI_BBOLT_FIRST_PAGE || element.child >= r->meta.end) {
            return sti_bbolt_fail(
                    r, level->number, level->position, "it leads to a page that is not there", err);
        }
        rc = descend(r, c, element.child, err);
        if (rc != STELE_OK) {
            return rc;
        }
    }
    return STELE_END;
}

/* ---- Buckets and entries. ---- */

/* Where in the file an element's bytes are, which the cursor stands behind. */
static uint64_t position_of(const struct sti_bbolt_level *level, const uint8_t *bytes)
{
    return level->position + (uint64_t)(bytes - level->page.data);
}

static stele_code start_inline(struct sti_bbolt_reader *r, stele_bytes value, stele_error *err)
{
    const struct sti_bbolt_level *around = &r->buckets.levels[r->buckets.depth - 1];
    struct sti_bbolt_level *level = &r->entries.levels[0];
    stele_bytes bytes = stele_bytes_of(value.data + STI_BBOLT_BUCKET, value.len - STI_BBOLT_BUCKET);
    struct sti_bbolt_head head;
    size_t at;
    const char *fault = sti_bbolt_page_decode(bytes, 0, &level->page, &at);

    level->number = around->number;
    level->position = position_of(around, bytes.data);
    if (fault == NULL) {
        sti_bbolt_head_decode(bytes.data, &head);
        fault = head.kind != STI_BBOLT_KIND_LEAF || head.number != 0 || head.overflow != 0
                        ? "an inline bucket that is no leaf"
                        : NULL;
    }
    if (fault != NULL) {
        return sti_bbolt_fail(r, level->number, level->position + at, fault, err);
    }
    level->next = 0;
    r->entries.depth = 1;
    return STELE_OK;
}

static stele_code start_bucket(
        struct sti_bbolt_reader *r, const struct sti_bbolt_element *element, stele_error *err)
{
    const struct sti_bbolt_level *around = &r->buckets.levels[r->buckets.depth - 1];
    uint64_t position = position_of(around, element->key.data);
    uint64_t root;

    if (!element->bucket || element->value.len < STI_BBOLT_BUCKET) {
        return sti_bbolt_fail(r, around->number, position, "an entry that is in no bucket", err);
    }
    root = sti_get_le64(element->value.data);
    if (root == 0) {
        return start_inline(r, element->value, err);
    }
    if (element->value.len != STI_BBOLT_BUCKET || root < STI_BBOLT_FIRST_PAGE ||
            root >= r->meta.end) {
        return sti_bbolt_fail(r, around->number, position, "a bucket whose root is not there", err);
    }
    return start(r, &r->entries, root, err);
}

static stele_code next_bucket(struct sti_bbolt_reader *r, stele_bytes *name, stele_error *err)
{
    struct sti_bbolt_element element;
    stele_code rc = STELE_OK;

    r->skipped = r->skipped || r->entries.depth > 0;
    if (!r->in_bucket) {
        rc = start(r, &r->buckets, r->meta.root, err);
    }
    if (rc == STELE_OK) {
        rc = next(r, &r->buckets, &element, err);
    }
    if (rc == STELE_END) {
        r->at_end = true;
        r->entries.depth = 0;
    }
    if (rc == STELE_OK) {
        rc = start_bucket(r, &element, err);
    }
    if (rc == STELE_OK) {
        r->in_bucket = true;
        *name = element.key;
    }
    return rc;
}

stele_code sti_bbolt_next_bucket(struct sti_bbolt_reader *r, stele_bytes *name, stele_error *err)
{
    stele_code rc;

    if (r->failed != STELE_OK) {
        return sti_fail_at(err, r->failed, r->file.name, -1, "an earlier call failed");
    }
    if (r->at_end) {
        return STELE_END;
    }
    rc = next_bucket(r, name, err);
    if (rc < 0) {
        r->failed = rc;
    }
    return rc;
}

/* A name as text, for messages: what is not printable is a dot, what is long is cut. */
static void printable(stele_bytes name, char out[64])
{
    size_t len = name.len < 63 ? name.len : 63;

    for (size_t i = 0; i < len; i++) {
        out[i] = (char)(name.data[i] >= ' ' && name.data[i] <= '~' ? name.data[i] : '.');
    }
    out[len] = '\0';
}

static stele_code refuse_nested(
        struct sti_bbolt_reader *r, const struct sti_bbolt_element *element, stele_error *err)
{
    const struct sti_bbolt_level *outside = &r->buckets.levels[r->buckets.depth - 1];
    const struct sti_bbolt_level *level = &r->entries.levels[r->entries.depth - 1];
    char inner[64];
    char outer[64];

    printable(element->key, inner);
    printable(sti_bbolt_page_element(&outside->page, outside->next - 1).key, outer);
    return sti_fail_at(err, STELE_ENOTSUP, r->file.name,
            (int64_t)position_of(level, element->key.data),
            "page %llu: bucket \"%s\" is in bucket \"%s\", and nested buckets are not supported",
            (unsigned long long)level->number, inner, outer);
}

stele_code sti_bbolt_next_entry(
        struct sti_bbolt_reader *r, stele_bytes *key, stele_bytes *value, stele_error *err)
{
    struct sti_bbolt_element element;
    stele_code rc;

    if (r->failed != STELE_OK) {
        return sti_fail_at(err, r->failed, r->file.name, -1, "an earlier call failed");
    }
    rc = next(r, &r->entries, &element, err);
    if (rc == STELE_OK && element.bucket) {
        rc = refuse_nested(r, &element, err);
    }
    if (rc == STELE_OK) {
        *key = element.key;
        *value = element.value;
    } else if (rc < 0) {
        r->failed = rc;
    }
    return rc;
}

stele_code sti_bbolt_check_unused(struct sti_bbolt_reader *r, stele_error *err)
{
    if (!r->at_end || r->skipped || r->failed != STELE_OK) {
        return sti_fail_at(err, STELE_ESTATE, r->file.name, -1, "not everything was read");
    }
    if (!r->info.knows_unused) {
        return STELE_OK;
    }
    for (uint64_t i = STI_BBOLT_FIRST_PAGE; i < r->meta.end; i++) {
        if ((r->used[i / 8] & 1U << i % 8) == 0) {
            return sti_bbolt_fail(r, i, i * r->meta.page_size, "it is neither used nor free", err);
        }
    }
    return STELE_OK;
}
