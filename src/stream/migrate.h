/* SPDX-License-Identifier: MIT
 *
 * migrate.h: rewriting segments in another version of the format.
 *
 * The new log is written beside the old one, synced, and takes its place by a
 * rename; before that the old index and side file go, so that a crash leaves
 * one log or the other, and an index of that log or none. A segment with
 * damage is left alone. One without messages keeps its name, which holds the
 * next offset.
 */
#ifndef STI_STREAM_MIGRATE_H
#define STI_STREAM_MIGRATE_H

#include "stream/index_format.h"
#include "vfs/vfs.h"

/* Bring one segment to `version`; *done says whether it was in another one.
 * The writer's lock is held. Durable when it returns. STELE_ECORRUPT,
 * STELE_EVERSION: it is as it was. */
stele_code sti_migrate_segment(struct sti_dir *dir, int64_t base, stele_stream_version version,
        struct sti_index_params params, bool *done, stele_error *err);

#endif /* STI_STREAM_MIGRATE_H */
