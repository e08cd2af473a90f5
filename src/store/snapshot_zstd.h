/* SPDX-License-Identifier: MIT
 *
 * snapshot_zstd.h: a snapshot as one frame of zstd, with its size and checksum, and a window of at
 * most 8 MiB: so no more memory is needed to unpack any.
 *
 * What is unpacked has its own checksums, which are compared before a length is believed.
 */
#ifndef STI_STORE_SNAPSHOT_ZSTD_H
#define STI_STORE_SNAPSHOT_ZSTD_H

#include <stele/env.h>

enum {
    STI_ZSTD_LEVEL_DEFAULT = 3,
    STI_ZSTD_LEVEL_MAX = 19,
    STI_ZSTD_WINDOW_LOG = 23,
    STI_ZSTD_FIRST_MAX = 128 << 10
};

/* What a frame begins with, in the order of the bytes. */
#define STI_ZSTD_MAGIC "\x28\xb5\x2f\xfd"

/* ---- Packing. ---- */

struct sti_pack;

/* `size` is how many bytes are to come. To be freed with sti_pack_free(). */
stele_code sti_pack_new(struct sti_pack **out, int level, uint64_t size, stele_write_fn write,
        void *arg, stele_error *err);
void sti_pack_free(struct sti_pack *p); /* accepts NULL */

/* Pack more, or with `end` the last. */
stele_code sti_pack_put(
        struct sti_pack *p, const void *data, size_t len, bool end, stele_error *err);

/* Bytes that were given to write(). */
uint64_t sti_pack_written(const struct sti_pack *p);

/* ---- Unpacking. ---- */

struct sti_unpack;

/* `first` is what was read of the stream already, STI_ZSTD_FIRST_MAX bytes at most. To be freed
 * with sti_unpack_free(). */
stele_code sti_unpack_new(struct sti_unpack **out, const uint8_t *first, size_t len,
        stele_read_fn read, void *arg, stele_error *err);
void sti_unpack_free(struct sti_unpack *u); /* accepts NULL */

/* A stele_read_fn over a struct sti_unpack. The end is given when the frame is complete, its
 * checksum right, and nothing follows: STELE_ECORRUPT. */
stele_code sti_unpack_read(void *arg, void *data, size_t len, size_t *got, stele_error *err);

#endif /* STI_STORE_SNAPSHOT_ZSTD_H */
