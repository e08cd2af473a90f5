/* SPDX-License-Identifier: MIT
 *
 * bbolt_output.h: the pages of a bbolt file, one behind the other.
 *
 * Pages are numbered in the order in which they are written, from 3 on: before them is room for the
 * metas and the list of free pages. What is written goes through one buffer.
 */
#ifndef STI_STORE_BBOLT_OUTPUT_H
#define STI_STORE_BBOLT_OUTPUT_H

#include "store/bbolt_format.h"
#include "vfs/vfs.h"

enum {
    STI_BBOLT_FREE_LIST = 2, /* where the writer has it */
    STI_BBOLT_FIRST_DATA = 3
};

struct sti_bbolt_output {
    struct sti_file *file; /* borrowed */
    uint32_t page_size;
    uint64_t next_page;
    uint64_t at; /* where in the file the buffer goes */
    uint8_t *buffer;
    size_t len;
    uint32_t pages_crc; /* of all that was written from the first page of data on */
    uint32_t head_crc;  /* of what is before */
};

/* What an element of a page says besides its bytes. */
struct sti_bbolt_item {
    uint32_t key_len;
    uint32_t value_len; /* leaf */
    uint64_t child;     /* branch */
    bool bucket;        /* leaf */
};

/* The elements of one page. */
struct sti_bbolt_items {
    enum sti_bbolt_kind kind;
    const struct sti_bbolt_item *items;
    uint32_t count;
    stele_bytes bytes; /* keys and values, back to back */
    stele_bytes more;  /* the rest of them */
};

stele_code sti_bbolt_output_init(
        struct sti_bbolt_output *o, struct sti_file *file, uint32_t page_size, stele_error *err);
void sti_bbolt_output_free(struct sti_bbolt_output *o); /* accepts a zeroed one */

/* Pure: the page's head and elements, without the keys and values; returns the bytes, of which
 * `out` has that many. */
size_t sti_bbolt_items_encode(
        uint8_t *out, const struct sti_bbolt_items *items, uint64_t number, uint32_t overflow);

/* Write them as a page of their own, with as much overflow as it takes. */
stele_code sti_bbolt_output_page(struct sti_bbolt_output *o, const struct sti_bbolt_items *items,
        uint64_t *number, stele_error *err);

/* Bytes of the file when it is complete. */
uint64_t sti_bbolt_output_size(const struct sti_bbolt_output *o);

/* The same of what is before the first page of data. */
uint64_t sti_bbolt_output_head_size(const struct sti_bbolt_output *o);

/* Write what is in the buffer, and in front of the pages an empty list of free ones and the metas.
 */
stele_code sti_bbolt_output_end(struct sti_bbolt_output *o, uint64_t root, stele_error *err);

#endif /* STI_STORE_BBOLT_OUTPUT_H */
