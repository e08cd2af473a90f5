/* SPDX-License-Identifier: MIT
 *
 * bbolt_output.c: writing the pages of a bbolt file.
 */
#include "store/bbolt_output.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/error.h"

enum {
    BUFFER_SIZE = 256 << 10,
    METAS = 2,
    /* bbolt reads so much to find out the size of a page, and refuses a file that has less. */
    FILE_MIN = 4096
};

/* A page of elements of a few bytes each is the largest that is encoded in place. */
_Static_assert(BUFFER_SIZE >= 2 * STI_BBOLT_PAGE_MAX, "elements of a page fit into the buffer");

stele_code sti_bbolt_output_init(
        struct sti_bbolt_output *o, struct sti_file *file, uint32_t page_size, stele_error *err)
{
    o->file = file;
    o->page_size = page_size;
    o->next_page = STI_BBOLT_FIRST_DATA;
    o->at = (uint64_t)STI_BBOLT_FIRST_DATA * page_size;
    o->len = 0;
    o->pages_crc = 0;
    o->head_crc = 0;
    o->buffer = sti_malloc(BUFFER_SIZE);
    return o->buffer == NULL ? sti_fail_memory(err, BUFFER_SIZE) : STELE_OK;
}

void sti_bbolt_output_free(struct sti_bbolt_output *o)
{
    sti_free(o->buffer);
    o->buffer = NULL;
}

/* ---- The buffer. ---- */

static stele_code write_behind(
        struct sti_bbolt_output *o, const uint8_t *bytes, size_t len, stele_error *err)
{
    stele_code rc = sti_file_write(o->file, o->at, bytes, len, err);

    if (rc == STELE_OK) {
        o->pages_crc = sti_crc32c(o->pages_crc, bytes, len);
        o->at += len;
    }
    return rc;
}

static stele_code flush(struct sti_bbolt_output *o, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (o->len > 0) {
        rc = write_behind(o, o->buffer, o->len, err);
    }
    if (rc == STELE_OK) {
        o->len = 0;
    }
    return rc;
}

/* Have at least so many bytes free behind what is there. */
static stele_code make_room(struct sti_bbolt_output *o, size_t size, stele_error *err)
{
    sti_assert(size <= BUFFER_SIZE);
    return size > BUFFER_SIZE - o->len ? flush(o, err) : STELE_OK;
}

static stele_code add(struct sti_bbolt_output *o, stele_bytes bytes, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (bytes.len > BUFFER_SIZE / 2) {
        /* A large value goes past the buffer. */
        rc = flush(o, err);
        if (rc == STELE_OK) {
            rc = write_behind(o, bytes.data, bytes.len, err);
        }
    } else if (bytes.len > 0) {
        rc = make_room(o, bytes.len, err);
        if (rc == STELE_OK) {
            memcpy(o->buffer + o->len, bytes.data, bytes.len);
            o->len += bytes.len;
        }
    }
    return rc;
}

static stele_code add_zeros(struct sti_bbolt_output *o, size_t len, stele_error *err)
{
    stele_code rc = make_room(o, len, err);

    if (rc == STELE_OK) {
        memset(o->buffer + o->len, 0, len);
        o->len += len;
    }
    return rc;
}

/* ---- Pages. ---- */

static size_t elements_size(uint32_t count)
{
    return STI_BBOLT_HEAD + (size_t)STI_BBOLT_ELEMENT * count;
}

size_t sti_bbolt_items_encode(
        uint8_t *out, const struct sti_bbolt_items *items, uint64_t number, uint32_t overflow)
{
    size_t size = elements_size(items->count);
    uint64_t bytes_at = size;
    const struct sti_bbolt_head head = {
            .number = number,
            .kind = (uint16_t)items->kind,
            .count = (uint16_t)items->count,
            .overflow = overflow,
    };

    sti_bbolt_head_encode(out, &head);
    for (uint32_t i = 0; i < items->count; i++) {
        const struct sti_bbolt_item *item = &items->items[i];
        uint8_t *element = out + elements_size(i);
        uint32_t position = (uint32_t)(bytes_at - elements_size(i));

        if (items->kind == STI_BBOLT_KIND_LEAF) {
            sti_put_le32(element, item->bucket ? 1 : 0);
            sti_put_le32(element + 4, position);
            sti_put_le32(element + 8, item->key_len);
            sti_put_le32(element + 12, item->value_len);
        } else {
            sti_put_le32(element, position);
            sti_put_le32(element + 4, item->key_len);
            sti_put_le64(element + 8, item->child);
        }
        bytes_at += (uint64_t)item->key_len + item->value_len;
    }
    return size;
}

stele_code sti_bbolt_output_page(struct sti_bbolt_output *o, const struct sti_bbolt_items *items,
        uint64_t *number, stele_error *err)
{
    size_t elements = elements_size(items->count);
    /* Lengths in memory: their sum cannot overflow 64 bits. */
    uint64_t size = (uint64_t)elements + items->bytes.len + items->more.len;
    uint64_t pages = (size + o->page_size - 1) / o->page_size;
    stele_code rc;

    sti_assert(items->count <= STI_BBOLT_COUNT_MAX);
    sti_assert(pages <= UINT32_MAX);
    rc = make_room(o, elements, err);
    if (rc == STELE_OK) {
        o->len += sti_bbolt_items_encode(
                o->buffer + o->len, items, o->next_page, (uint32_t)(pages - 1));
        rc = add(o, items->bytes, err);
    }
    if (rc == STELE_OK) {
        rc = add(o, items->more, err);
    }
    if (rc == STELE_OK) {
        rc = add_zeros(o, (size_t)(pages * o->page_size - size), err);
    }
    if (rc == STELE_OK) {
        *number = o->next_page;
        o->next_page += pages;
    }
    return rc;
}

uint64_t sti_bbolt_output_size(const struct sti_bbolt_output *o)
{
    uint64_t size = o->next_page * o->page_size;

    return size < FILE_MIN ? FILE_MIN : size;
}

uint64_t sti_bbolt_output_head_size(const struct sti_bbolt_output *o)
{
    return (uint64_t)STI_BBOLT_FIRST_DATA * o->page_size;
}

stele_code sti_bbolt_output_end(struct sti_bbolt_output *o, uint64_t root, stele_error *err)
{
    size_t size = (size_t)sti_bbolt_output_head_size(o);
    stele_code rc = flush(o, err);

    if (rc == STELE_OK && o->at < FILE_MIN) {
        rc = add_zeros(o, (size_t)(FILE_MIN - o->at), err);
        rc = rc == STELE_OK ? flush(o, err) : rc;
    }
    if (rc != STELE_OK) {
        return rc;
    }
    memset(o->buffer, 0, size);
    for (uint32_t i = 0; i < STI_BBOLT_FIRST_DATA; i++) {
        const struct sti_bbolt_head head = {
                .number = i,
                .kind = i < METAS ? STI_BBOLT_KIND_META : STI_BBOLT_KIND_FREE,
        };
        const struct sti_bbolt_meta meta = {
                .page_size = o->page_size,
                .root = root,
                .free_list = STI_BBOLT_FREE_LIST,
                .end = o->next_page,
                .transaction = i,
        };
        uint8_t *page = o->buffer + (size_t)o->page_size * i;

        sti_bbolt_head_encode(page, &head);
        if (i < METAS) {
            sti_bbolt_meta_encode(page + STI_BBOLT_HEAD, &meta);
        }
    }
    o->head_crc = sti_crc32c(0, o->buffer, size);
    return sti_file_write(o->file, 0, o->buffer, size, err);
}
