/* SPDX-License-Identifier: MIT
 *
 * backup_dir.c: a copy of a stream that is not open here, also while a writer is at work.
 */
#include <stele/stream.h>

#include "base/env.h"
#include "base/error.h"

stele_code stele_stream_backup_dir(const char *dir, const char *target,
        const stele_stream_options *opts, stele_stream_copied *out, stele_error *err)
{
    stele_stream_options view;
    stele_stream_options given;
    stele_stream *s;
    stele_code rc = sti_options_copy(&given, sizeof given, opts, "stele_stream_options", err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (dir == NULL || target == NULL) {
        return sti_fail(err, STELE_EINVAL, "back up stream: no directory given");
    }
    stele_stream_options_init(&view);
    view.env = given.env;
    view.key_index = given.key_index;
    view.time_index = given.time_index;
    view.index_auto = true;
    view.live = true;
    rc = stele_stream_open(&s, dir, &view, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_stream_backup(s, target, out, err);
    (void)stele_stream_close(s, NULL); /* it was read only: nothing can be lost */
    return rc;
}
