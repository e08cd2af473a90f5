/* SPDX-License-Identifier: MIT
 *
 * crc32c.h: the Castagnoli checksum (iSCSI polynomial, reflected).
 *
 * Short inputs use the processor's instruction, long ones ISA-L; without
 * either, a table. The path is chosen once.
 */
#ifndef STI_BASE_CRC32C_H
#define STI_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continue from `crc`, the result for the bytes before; 0 at the start. */
uint32_t sti_crc32c(uint32_t crc, const void *data, size_t len);

/* The same for the first `len` of `available` bytes that are read from the first to the last: a
 * long input has the processor fetch what comes next while it calculates. By itself it stops
 * fetching at the end of each page. */
uint32_t sti_crc32c_ahead(const void *data, size_t len, size_t available);

/* The table version, for any machine; the others must agree with it. */
uint32_t sti_crc32c_table(uint32_t crc, const void *data, size_t len);

#endif /* STI_BASE_CRC32C_H */
