/* SPDX-License-Identifier: MIT
 *
 * salvage.h: what of a log file is whole, and what is not.
 *
 * Cuts a file into pieces: messages to keep, and damage between them. A
 * message is kept if its checksum holds and its offset fits between its
 * neighbours'; one behind damage only if it is proved to be one (scan.h). In
 * version 1, whose checksum does not cover the offset, the index proves, too:
 *
 *   - a message that stands where an item says, with the item's offset and key;
 *   - the offset of a message whose own does not fit, but whose checksum, place
 *     and key are an item's. So does the file's name for the first message.
 *     Such a message is mended: kept, with that offset.
 *
 * Pure: no files. Zeros behind the last piece belong to none.
 */
#ifndef STI_STREAM_SALVAGE_H
#define STI_STREAM_SALVAGE_H

#include "stream/index_format.h"
#include "stream/scan.h"

enum sti_piece_kind {
    STI_PIECE_KEPT,      /* messages, one after the other */
    STI_PIECE_MENDED,    /* one message, kept with the offset `first` instead of its own */
    STI_PIECE_DAMAGED,   /* not a message, or one out of order */
    STI_PIECE_UNFINISHED /* the start of a message that the file's end cuts */
};

struct sti_piece {
    uint64_t at;
    uint64_t end;
    enum sti_piece_kind kind;
    int64_t first; /* offsets of the messages kept, or those that are missing between */
    int64_t last;  /* the neighbours; below `first` if none are missing, or nobody knows */
};

struct sti_salvage {
    enum sti_log_kind kind;       /* as the file begins */
    stele_stream_version version; /* as its messages are; DEFAULT if nothing tells */
    bool has_header;              /* version 2 with its header in order */
    struct sti_piece *pieces;     /* in the order of the file; sti_salvage_free() */
    size_t count;
    size_t capacity;
    uint64_t messages; /* kept and mended ones */
    uint64_t damaged;  /* bytes in damaged and unfinished pieces */
    uint64_t mended;   /* messages */
    int64_t first;     /* offset of the first message kept */
    int64_t last;      /* of the last one; base - 1 without any */
    int64_t seen;      /* the highest that damage behind the last may have had, or -1 */
    uint64_t end;      /* where the last message that is kept ends, or the header */
    uint64_t tail;     /* where the zeros at the end begin */
    uint64_t len;
};

/* The index that goes with the log, as far as it makes sense; count 0: none. */
struct sti_witness {
    const uint8_t *items;
    uint64_t count;
    struct sti_index_params params;
};

/* Take the items of an index file as a witness, as far as they rise. */
void sti_witness_of(struct sti_witness *out, const uint8_t *index, uint64_t len, int64_t base,
        struct sti_index_params params);

/* `limit`: offsets are below it; INT64_MAX for the newest segment. */
stele_code sti_salvage_run(struct sti_salvage *out, const uint8_t *log, uint64_t len, int64_t base,
        int64_t limit, const struct sti_witness *witness, stele_error *err);

void sti_salvage_free(struct sti_salvage *s); /* and back to zeros */

/* Whether the file is as a clean close leaves it, its zero tail apart. */
static inline bool sti_salvage_is_whole(const struct sti_salvage *s)
{
    return s->damaged == 0 && s->mended == 0;
}

/* Whether cutting the end off leaves just what is to be kept: no damage
 * before the last message, and a start that needs no writing. */
static inline bool sti_salvage_is_prefix(const struct sti_salvage *s)
{
    bool has_start = s->version == STELE_STREAM_V1 || s->has_header;

    return s->mended == 0 && (s->damaged == 0 || (has_start && s->damaged == s->tail - s->end));
}

/* The bytes of a log file with just what is kept: sti_free(*out). */
stele_code sti_salvage_compose(const struct sti_salvage *s, const uint8_t *log, uint8_t **out,
        uint64_t *out_len, stele_error *err);

#endif /* STI_STREAM_SALVAGE_H */
