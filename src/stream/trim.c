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

/* One round ends below the size if all segments have the format of new ones:
 * the finder takes each message for what it needs in that one, and deletions
 * bring what they leave into it. Where there are segments in format v1, more
 * rounds may be needed; each deletes something, or is the last. */
stele_code stele_stream_trim_by_size_multi(stele_stream *s, int64_t size, const stele_wait *wait,
        const stele_backoff *backoff, stele_deleted *deleted, stele_error *err)
{
    stele_deleted total = {.count = 0};
    bool another = true;
    stele_code rc = STELE_OK;

    if (s == NULL) {
        return sti_fail(err, STELE_EINVAL, "no stream");
    }
    deleted = deleted == NULL ? &total : deleted;
    while (rc == STELE_OK && another) {
        int64_t before = deleted->count;
        stele_stream_stats stats;

        rc = stele_stream_stat(s, &stats, err);
        if (rc == STELE_OK) {
            rc = sti_find_delete_multi(
                    s, stele_stream_find_by_size, size, wait, backoff, deleted, err);
            another = stats.segments_v1 > 0 && deleted->count > before;
        }
    }
    return rc;
}
