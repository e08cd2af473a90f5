/* SPDX-License-Identifier: MIT
 *
 * keys.h: the side file of a sealed segment: key look-up, and a seal.
 *
 * Ours, derivable, and ignored by klevdb. Integers are little endian.
 *
 *     header, 64 bytes
 *        0   7  magic, "STELKEY"
 *        7   1  format version, 1
 *        8   8  base offset of the segment
 *       16   8  size of the log file
 *       24   8  size of the index file
 *       32   8  number of items in the parts below, n; 0 without a key index
 *       40   4  number of filter words, w: n / 2, at least 1; 0 without a key index
 *       44   4  CRC-32C of the index file
 *       48   4  CRC-32C of filter, hashes and ordinals
 *       52   4  flags: bit 0 has the parts below (the stream has a key index)
 *       56   4  reserved, 0
 *       60   4  CRC-32C of bytes 0 to 59
 *     filter      8 w bytes: each word a Bloom filter of its own
 *     hashes      8 n bytes: sti_keys_mix() of the key hashes, rising
 *     ordinals    4 n bytes: the item of the hash in the same place; rising among equal hashes
 *
 * The words hold 32 bits and more for each item, of which it sets up to five:
 * one in 1,800 filters says "maybe" to a hash that it does not have. Fewer
 * bits make look-ups in many segments slower, by the wrong maybes.
 *
 * Its checksums make flipped bits of the index detectable, too. A side file
 * that does not match log and index in size and checksum is not used.
 */
#ifndef STI_STREAM_KEYS_H
#define STI_STREAM_KEYS_H

#include "stream/index_format.h"
#include "vfs/vfs.h"

enum {
    STI_KEYS_HEADER_SIZE = 64
};

/* A side file in memory: a map of the file, or built. The arrays are read
 * with coding.h: they may be unaligned or of the other byte order. */
struct sti_keys {
    const uint8_t *filter;
    const uint8_t *hashes;
    const uint8_t *ordinals;
    uint64_t count;
    uint32_t words;
    uint32_t index_crc;
    uint8_t *bytes; /* the whole, if in memory: sti_free() */
    size_t bytes_len;
    stele_file *raw; /* the map's file, if mapped */
    void *map;
    size_t map_len;
};

/* Build the bytes of a side file from the items of an index (its file's size
 * and CRC are computed from version, params and items). params.keys decides
 * about the parts. STELE_ETOOBIG over 2^32 - 1 items. To be freed with
 * sti_keys_close(). */
stele_code sti_keys_build(struct sti_keys *out, int64_t base, uint64_t log_size,
        stele_stream_version version, struct sti_index_params params, const uint8_t *items,
        uint64_t count, stele_error *err);

/* Read bytes; checks sizes and all checksums of the side file itself, base,
 * log and index size, order and range of what is in it, and the CRC of the
 * index file, given its bytes. STELE_ECORRUPT or STELE_EVERSION. `out` borrows.
 *
 * Every ordinal is below out->count, which is the number of items of the
 * index, given that its items are of one of the sizes with keys. An index of
 * version 1 does not say which: the caller, who knows, compares out->count
 * with his own number before he uses an ordinal. */
stele_code sti_keys_decode(struct sti_keys *out, const uint8_t *bytes, size_t len, int64_t base,
        uint64_t log_size, const uint8_t *index, uint64_t index_len, stele_error *err);

/* Map and decode "%020d.keys". STELE_ENOTFOUND if there is none. */
stele_code sti_keys_open(struct sti_keys *out, struct sti_dir *dir, int64_t base, uint64_t log_size,
        const uint8_t *index, uint64_t index_len, stele_error *err);

/* Write the built bytes to "%020d.keys": to a temporary name, synced and
 * renamed, so that one that is torn is damaged, and not a crash's doing. */
stele_code sti_keys_write(
        struct sti_dir *dir, int64_t base, const struct sti_keys *keys, stele_error *err);

void sti_keys_close(struct sti_keys *keys); /* and back to zeros */

/* Spread a hash over all its bits, above all the upper ones, so that they can
 * choose a word and a place: FNV-1a leaves those of short keys that differ in
 * their last bytes much alike. No two hashes give the same. */
static inline uint64_t sti_keys_mix(uint64_t hash)
{
    return (hash ^ hash >> 32) * 0x9e3779b97f4a7c15ULL;
}

/* The word of a filter that belongs to a mixed hash. */
static inline uint64_t sti_keys_word(uint64_t mixed, uint32_t words)
{
    return (mixed >> 32) * words >> 32;
}

/* The bits that a mixed hash sets in its word: up to five, the same for all filters. */
static inline uint64_t sti_keys_bits(uint64_t mixed)
{
    uint64_t m = (mixed ^ mixed >> 29) * 0xd6e8feb86659fd93ULL;

    return 1ULL << (m >> 58) | 1ULL << (m >> 52 & 63) | 1ULL << (m >> 46 & 63) |
           1ULL << (m >> 40 & 63) | 1ULL << (m >> 34 & 63);
}

/* The bits that a hash sets: to be asked for once, before asking many filters. */
static inline uint64_t sti_keys_mask(uint64_t hash)
{
    return sti_keys_bits(sti_keys_mix(hash));
}

/* False: no item has this hash. Rarely true for one that none has. */
static inline bool sti_keys_maybe(const struct sti_keys *keys, uint64_t hash, uint64_t mask)
{
    uint64_t word = sti_keys_word(sti_keys_mix(hash), keys->words);

    return keys->words != 0 && (sti_get_le64(keys->filter + 8 * word) & mask) == mask;
}

/* The places [*first, *last) in the sorted arrays whose hash is this one. */
void sti_keys_find(const struct sti_keys *keys, uint64_t hash, uint64_t *first, uint64_t *last);

static inline uint64_t sti_keys_ordinal(const struct sti_keys *keys, uint64_t place)
{
    return sti_get_le32(keys->ordinals + 4 * place);
}

#endif /* STI_STREAM_KEYS_H */
