/* SPDX-License-Identifier: MIT
 *
 * op.h: the bytes of an operation, the data of a record of a log or snapshot.
 *
 * Version 1. Integers are little endian; a length is a varint (base/coding.h).
 *
 *        0   1  version (bits 4 to 7) and kind (bits 0 to 3)
 *        1   1  what is not nil: bit 0 key, bit 1 subkey, bit 2 value; other bits 0
 *        2   8  timestamp
 *       10   .  key, if not nil: length, bytes
 *        .   .  subkey, if not nil: length, bytes
 *        .   .  value, if not nil: all that is left
 *
 *     kinds 1 to 4 are those of stele_journal_kind. A config has instead of a value
 *        .   .  number of settings; each: length, name, length, value; by ascending names
 *     and nothing behind it. A length has no more bytes than it needs, so that there is one
 *     encoding of an operation.
 *
 *     kind 15  the end of a snapshot. The timestamp is the largest one that was merged.
 *       10   8  operations in the snapshot
 *       18   8  operations that it stands for
 *
 * A kind or version that is not known is STELE_EVERSION, anything else that does not fit
 * STELE_ECORRUPT: the checksum held, so it was written like that.
 */
#ifndef STI_JOURNAL_OP_H
#define STI_JOURNAL_OP_H

#include <stele/journal.h>

enum {
    STI_JOURNAL_VERSION = 1,
    STI_JOURNAL_END = 15,
    STI_JOURNAL_END_SIZE = 26
};

/* Whether dump() may take it. STELE_EINVAL, STELE_ETOOBIG; STELE_ENOMEM with many settings that are
 * not in the order of their names. */
stele_code sti_journal_op_check(const stele_journal_op *op, stele_error *err);

/* Size of the encoding of a checked operation. */
size_t sti_journal_op_size(const stele_journal_op *op);
/* `settings` in the order of names, which op->settings need not have: scratch of setting_count
 * entries, or NULL if there are none. Returns the size. */
size_t sti_journal_op_encode(
        uint8_t *out, const stele_journal_op *op, stele_journal_setting *settings);

/* Room for the settings of decoded operations; grows. Zero-initialised. */
struct sti_journal_settings {
    stele_journal_setting *items;
    size_t capacity;
};

void sti_journal_settings_free(struct sti_journal_settings *s);

/* Everything points into `in`, and `settings`. On failure what *out has is of no use. */
stele_code sti_journal_op_decode(stele_journal_op *out, stele_bytes in,
        struct sti_journal_settings *settings, stele_error *err);

/* ---- The end of a snapshot. ---- */

struct sti_journal_end {
    int64_t latest;
    uint64_t ops;
    uint64_t count;
};

bool sti_journal_is_end(stele_bytes in); /* looks at the kind alone */
void sti_journal_end_encode(uint8_t out[STI_JOURNAL_END_SIZE], const struct sti_journal_end *end);
stele_code sti_journal_end_decode(struct sti_journal_end *out, stele_bytes in, stele_error *err);

#endif /* STI_JOURNAL_OP_H */
