/* SPDX-License-Identifier: MIT
 *
 * record.h: what the wal of a store has: writes of whole batches.
 *
 *     0   1   version: 1
 *     1   1   zero
 *     2   n   writes, in the order in which they were made
 *
 * Numbers are little endian. A write:
 *
 *     0   1   kind: 0 put, 1 delete, 2 the bucket is dropped
 *     1   8   seq of its batch
 *     9   4   number of the bucket; 0: key and value are a name and its number
 *    13   4   length of the key
 *    17   4   length of the value; 0 but for a put
 *    21       key, value
 *
 * Seqs never fall; one that is not above that of the record before is there for the second time,
 * and is passed over. A batch is never divided between records. The wal has the checksum.
 */
#ifndef STI_STORE_RECORD_H
#define STI_STORE_RECORD_H

#include "store/table.h"

enum {
    STI_RECORD_HEAD = 2,
    STI_RECORD_WRITE_HEAD = 21
};

/* A durable end with more to log than that commits instead. */
#define STI_RECORD_MAX ((size_t)8 << 20)

void sti_record_begin(uint8_t out[STI_RECORD_HEAD]);

size_t sti_record_write_size(const struct sti_write *write);

/* Returns the size. */
size_t sti_record_write(uint8_t *out, const struct sti_write *write);

/* STELE_ECORRUPT · STELE_EVERSION. *at is where the first write is. */
stele_code sti_record_open(stele_bytes record, size_t *at, stele_error *err);

/* The write at *at, which goes on; its bytes are borrowed. STELE_END: no more · STELE_ECORRUPT. */
stele_code sti_record_next(stele_bytes record, size_t *at, struct sti_write *out, stele_error *err);

#endif /* STI_STORE_RECORD_H */
