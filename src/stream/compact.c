/* SPDX-License-Identifier: MIT */
#include <stele/stream.h>

#include "base/env.h"
#include "base/error.h"
#include "stream/above.h"
#include "stream/find.h"

stele_code stele_stream_compact_updates(stele_stream *s, stele_time before, const stele_wait *wait,
        stele_deleted *deleted, stele_error *err)
{
    return sti_find_delete(s, stele_stream_find_updates, before, wait, deleted, err);
}

stele_code stele_stream_compact_deletes(stele_stream *s, stele_time before, const stele_wait *wait,
        stele_deleted *deleted, stele_error *err)
{
    return sti_find_delete(s, stele_stream_find_deletes, before, wait, deleted, err);
}

stele_code stele_stream_compact_updates_multi(stele_stream *s, stele_time before,
        const stele_wait *wait, const stele_backoff *backoff, stele_deleted *deleted,
        stele_error *err)
{
    return sti_find_delete_multi(s, stele_stream_find_updates, before, wait, backoff, deleted, err);
}

stele_code stele_stream_compact_deletes_multi(stele_stream *s, stele_time before,
        const stele_wait *wait, const stele_backoff *backoff, stele_deleted *deleted,
        stele_error *err)
{
    return sti_find_delete_multi(s, stele_stream_find_deletes, before, wait, backoff, deleted, err);
}

/* now - age, the earliest time there is if that is beyond it. */
static stele_time ago(stele_time now, int64_t age_us)
{
    return now < INT64_MIN + age_us ? INT64_MIN : now - age_us;
}

stele_code stele_stream_compact(stele_stream *s, int64_t age_us, const stele_wait *wait,
        const stele_backoff *backoff, stele_deleted *deleted, stele_error *err)
{
    int64_t twice;
    stele_time now;
    stele_code rc;

    if (s == NULL || age_us < 0) {
        return sti_fail(err, STELE_EINVAL, "no stream, or an age of %lld us", (long long)age_us);
    }
    twice = age_us > INT64_MAX / 2 ? INT64_MAX : age_us * 2;
    now = sti_env_now(sti_stream_env(s));
    rc = stele_stream_compact_updates_multi(s, ago(now, age_us), wait, backoff, deleted, err);
    if (rc == STELE_OK) {
        rc = stele_stream_compact_deletes_multi(s, ago(now, twice), wait, backoff, deleted, err);
    }
    return rc == STELE_OK ? stele_stream_gc(s, 0, err) : rc;
}
