/* SPDX-License-Identifier: MIT */
#include <stele/stream.h>

#include "base/error.h"
#include "stream/find.h"

stele_code stele_stream_trim_by_age(stele_stream *s, stele_time before, const stele_wait *wait,
        stele_deleted *deleted, stele_error *err)
{
    return sti_find_delete(s, stele_stream_find_by_age, before, wait, deleted, err);
}

stele_code stele_stream_trim_by_count(stele_stream *s, int64_t count_max, const stele_wait *wait,
        stele_deleted *deleted, stele_error *err)
{
    return sti_find_delete(s, stele_stream_find_by_count, count_max, wait, deleted, err);
}

stele_code stele_stream_trim_by_offset(stele_stream *s, int64_t before, const stele_wait *wait,
        stele_deleted *deleted, stele_error *err)
{
    return sti_find_delete(s, stele_stream_find_by_offset, before, wait, deleted, err);
}

stele_code stele_stream_trim_by_size(stele_stream *s, int64_t size, const stele_wait *wait,
        stele_deleted *deleted, stele_error *err)
{
    return sti_find_delete(s, stele_stream_find_by_size, size, wait, deleted, err);
}

stele_code stele_stream_trim_by_age_multi(stele_stream *s, stele_time before,
        const stele_wait *wait, const stele_backoff *backoff, stele_deleted *deleted,
        stele_error *err)
{
    return sti_find_delete_multi(s, stele_stream_find_by_age, before, wait, backoff, deleted, err);
}

stele_code stele_stream_trim_by_count_multi(stele_stream *s, int64_t count_max,
        const stele_wait *wait, const stele_backoff *backoff, stele_deleted *deleted,
        stele_error *err)
{
    return sti_find_delete_multi(
            s, stele_stream_find_by_count, count_max, wait, backoff, deleted, err);
}

stele_code stele_stream_trim_by_offset_multi(stele_stream *s, int64_t before,
        const stele_wait *wait, const stele_backoff *backoff, stele_deleted *deleted,
        stele_error *err)
{
    return sti_find_delete_multi(
            s, stele_stream_find_by_offset, before, wait, backoff, deleted, err);
}

/* One round ends below the size, as long as all segments have the format of
 * new ones: the finder takes each message for what it needs in that one, and
 * deletions bring what they leave into it. In a stream of mixed formats more
 * rounds may be needed; each deletes something, or is the last. */
stele_code stele_stream_trim_by_size_multi(stele_stream *s, int64_t size, const stele_wait *wait,
        const stele_backoff *backoff, stele_deleted *deleted, stele_error *err)
{
    for (;;) {
        stele_deleted round = {.count = 0};
        stele_code rc;

        if (deleted != NULL) {
            round.messages = deleted->messages;
            round.offsets = deleted->offsets;
        }
        rc = sti_find_delete_multi(s, stele_stream_find_by_size, size, wait, backoff, &round, err);
        if (deleted != NULL) {
            deleted->count += round.count;
            deleted->size += round.size;
        }
        if (rc != STELE_OK || round.count == 0) {
            return rc;
        }
    }
}
