/* SPDX-License-Identifier: MIT
 *
 * collate.h: the loose comparison of strings: case, width and accents do not count.
 *
 * It is that of ICU's root collation at primary strength. For a string it makes a key; strings
 * whose keys are equal are held equal, and keys sort by their bytes. The order of keys is that of
 * a dictionary, and a string with nothing that counts, such as a lone accent, equals "".
 *
 * Keys may differ between versions of ICU, and so do indexes that hold them: what they were made
 * with stands in sti_docs_collator_version(), and an index of another version is to be made anew.
 *
 * A collator is not changed once it is open. ICU allows keys to be made of one by several threads
 * at once then. ICU has its memory from malloc(), which the loops that fail each allocation do not
 * reach; it reports a lack of it.
 */
#ifndef STI_DOCS_COLLATE_H
#define STI_DOCS_COLLATE_H

#include <stele/bytes.h>

struct sti_docs_collator;

enum {
    STI_DOCS_COLLATOR_VERSION_SIZE = 12
};

stele_code sti_docs_collator_open(struct sti_docs_collator **out, stele_error *err);
void sti_docs_collator_close(struct sti_docs_collator *collator);

/*
 * | at | size | what                                          |
 * | --- | --- | --------------------------------------------- |
 * | 0  | 4 BE | 1: how Stele asks for keys                    |
 * | 4  | 4    | version of the collation's data and algorithm |
 * | 8  | 4    | version of the Unicode collation algorithm    |
 *
 * Equal versions make equal keys.
 */
void sti_docs_collator_version(
        const struct sti_docs_collator *collator, uint8_t out[STI_DOCS_COLLATOR_VERSION_SIZE]);

/* The key of a string, which is UTF-8, in place of what the buffer holds. It has no zero byte.
 * STELE_ETOOBIG beyond the buffer's limit or for a string over 512 MiB, STELE_ENOMEM. */
stele_code sti_docs_collator_key(const struct sti_docs_collator *collator, stele_bytes text,
        stele_buf *out, stele_error *err);

#endif /* STI_DOCS_COLLATE_H */
