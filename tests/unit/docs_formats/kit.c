/* SPDX-License-Identifier: MIT
 *
 * kit.c: random numbers, and pipes into memory.
 */
#include "unit/docs_formats/kit.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdlib.h>

struct kit_random kit_random_of(uint64_t seed)
{
    print_message("seed %" PRIu64 "\n", seed);
    return (struct kit_random){seed * 0x9E3779B97F4A7C15ULL + 1};
}

uint64_t kit_draw(struct kit_random *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * 0x2545F4914F6CDD1DULL;
}

size_t kit_below(struct kit_random *r, size_t limit)
{
    return (size_t)(kit_draw(r) >> 11) % limit;
}

struct sti_docs_version kit_version(struct kit_random *r)
{
    static const int64_t seconds[] = {0, 1, 86399, 86400, 951782400, 951868799, 4107542400,
            253402300799, 253402300800, INT64_MAX - 1, INT64_MAX};
    static const uint32_t ns[] = {0, 1, 999999999};
    static const uint32_t server[] = {0, 1, UINT32_MAX};
    struct sti_docs_version v;

    v.seconds = kit_below(r, 2) == 0 ? seconds[kit_below(r, sizeof seconds / sizeof seconds[0])]
                                     : (int64_t)(kit_draw(r) >> (1 + kit_below(r, 40)));
    v.ns = kit_below(r, 2) == 0 ? ns[kit_below(r, 3)] : (uint32_t)kit_below(r, STI_DOCS_SECOND_NS);
    v.server = kit_below(r, 2) == 0 ? server[kit_below(r, 3)] : (uint32_t)kit_draw(r);
    return v;
}

void kit_pipe_init(struct kit_pipe *pipe, stele_bytes content)
{
    *pipe = (struct kit_pipe){.len = content.len, .fail_at = SIZE_MAX};
    pipe->data = malloc(content.len + 1);
    assert_non_null(pipe->data);
    if (content.len > 0) {
        memcpy(pipe->data, content.data, content.len);
    }
}

void kit_pipe_free(struct kit_pipe *pipe)
{
    free(pipe->data);
    pipe->data = NULL;
}

stele_code kit_pipe_write(void *arg, const void *data, size_t len, stele_error *err)
{
    struct kit_pipe *pipe = arg;

    assert_true(len > 0);
    if (pipe->len + len > pipe->fail_at) {
        return sti_fail(err, STELE_EIO, "the pipe fails");
    }
    pipe->data = realloc(pipe->data, pipe->len + len);
    assert_non_null(pipe->data);
    memcpy(pipe->data + pipe->len, data, len);
    pipe->len += len;
    return STELE_OK;
}

stele_code kit_pipe_read(void *arg, void *data, size_t len, size_t *got, stele_error *err)
{
    struct kit_pipe *pipe = arg;

    if (pipe->at >= pipe->fail_at) {
        return sti_fail(err, STELE_EIO, "the pipe fails");
    }
    if (pipe->piece != 0 && len > pipe->piece) {
        len = pipe->piece;
    }
    *got = len < pipe->len - pipe->at ? len : pipe->len - pipe->at;
    memcpy(data, pipe->data + pipe->at, *got);
    pipe->at += *got;
    return STELE_OK;
}

bool kit_count_down(void *left)
{
    int *count = left;

    return (*count)-- == 0;
}
