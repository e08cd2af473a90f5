/* SPDX-License-Identifier: MIT
 *
 * read.h: what reads by offset, by key and by time share.
 */
#ifndef STI_STREAM_READ_H
#define STI_STREAM_READ_H

#include "stream/state.h"

/* Run one read on the view in force. A read that meets a wrong index names
 * the segment: its index is made again from the log, and the read runs once more. */
typedef stele_code sti_read_fn(stele_stream *s, struct sti_view *view, void *arg,
        struct sti_segment **unfit, stele_error *err);

stele_code sti_read_run(stele_stream *s, sti_read_fn *read, void *arg, stele_error *err);

struct sti_consume {
    int64_t offset;
    int64_t count_max;
    stele_messages *out;
    int64_t end; /* the next to be published, by a look before the view is taken: what is
                    below it is in the view, or deleted */
    int64_t next;
};

/* STELE_EINVAL or STELE_EOFFSET for arguments that no stream has an answer to. */
stele_code sti_consume_check(const stele_stream *s, const struct sti_consume *c, stele_error *err);

/* Nothing was found up to the end: STELE_OK, or STELE_END if the offset is beyond what there is. */
stele_code sti_consume_at_end(
        const stele_stream *s, const struct sti_view *view, struct sti_consume *c);

/* Run a read of many until it is known whether its offset is one that there is. */
stele_code sti_consume_run(
        stele_stream *s, sti_read_fn *read, void *arg, struct sti_consume *c, stele_error *err);

/* A live handle looks at the files again when an offset may be newer. */
stele_code sti_read_refresh(stele_stream *s, int64_t offset, stele_error *err);

/* Fill a container with the message of an item. */
stele_code sti_read_one(stele_stream *s, struct sti_segment *seg, uint64_t ordinal,
        stele_messages *out, struct sti_segment **unfit, stele_error *err);

#endif /* STI_STREAM_READ_H */
