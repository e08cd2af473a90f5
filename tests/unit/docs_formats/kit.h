/* SPDX-License-Identifier: MIT
 *
 * kit.h: random numbers, and pipes into memory, for the tests of formats of documents.
 */
#ifndef TESTS_DOCS_FORMATS_KIT_H
#define TESTS_DOCS_FORMATS_KIT_H

#include "docs/version.h"
#include "lib/check.h"

struct kit_random {
    uint64_t state;
};

/* Prints the seed. */
struct kit_random kit_random_of(uint64_t seed);
uint64_t kit_draw(struct kit_random *r);
size_t kit_below(struct kit_random *r, size_t limit); /* 0 .. limit - 1 */

/* One that is valid, often at the ends of its fields. */
struct sti_docs_version kit_version(struct kit_random *r);

/* Bytes that are written, or read, in pieces of at most `piece` bytes (0: any). After `fail_at`
 * bytes the pipe fails with STELE_EIO; SIZE_MAX: never. */
struct kit_pipe {
    uint8_t *data;
    size_t len;
    size_t at;
    size_t piece;
    size_t fail_at;
};

void kit_pipe_init(struct kit_pipe *pipe, stele_bytes content);
void kit_pipe_free(struct kit_pipe *pipe);
stele_code kit_pipe_write(void *arg, const void *data, size_t len, stele_error *err);
stele_code kit_pipe_read(void *arg, void *data, size_t len, size_t *got, stele_error *err);

/* For sti_alloc_set_hook(): the allocation with this number fails. */
bool kit_count_down(void *left);

#endif /* TESTS_DOCS_FORMATS_KIT_H */
