/* SPDX-License-Identifier: MIT
 *
 * image.h: what a disk holds when nobody is using it.
 *
 * An image is immutable and counted: directories, names, and for each name
 * the content of its file as references to sectors. Images that differ in one
 * sector share all others, so that many thousands of crash states of the same
 * run cost little more than their differences. A sector of zeros is NULL.
 *
 * The hash of an image depends on nothing but what a program could read from
 * it. Two states with one hash are taken for the same.
 */
#ifndef SIM_IMAGE_H
#define SIM_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest name and path, with the terminator. */
#define SIM_NAME_SIZE 100
#define SIM_PATH_SIZE 256

struct sim_sector {
    unsigned refs;
    uint32_t used; /* bytes up to the last one that is not zero */
    uint64_t hash; /* of the content */
    uint8_t bytes[];
};

struct sim_content {
    unsigned refs;
    uint32_t count; /* sectors */
    uint64_t size;  /* bytes */
    uint64_t hash;
    struct sim_sector *sectors[];
};

struct sim_entry {
    uint32_t dir;
    char name[SIM_NAME_SIZE];
    struct sim_content *content;
};

struct sim_image_dir {
    char path[SIM_PATH_SIZE];
};

struct sim_image {
    unsigned refs;
    uint32_t sector_size;
    uint32_t dir_count;
    uint32_t entry_count;
    struct sim_image_dir *dirs;
    struct sim_entry *entries;
    uint64_t hash;
};

/* Memory for the simulation itself: never from sti_malloc(), whose failures
 * are what is being tested. These end the process when there is none. */
void *sim_alloc(size_t size);
void *sim_realloc(void *p, size_t size);

/* Scrambles all bits of its argument. */
static inline uint64_t sim_mix(uint64_t v)
{
    v ^= v >> 30;
    v *= 0xbf58476d1ce4e5b9ULL;
    v ^= v >> 27;
    v *= 0x94d049bb133111ebULL;
    return v ^ (v >> 31);
}

uint64_t sim_hash_name(const char *name);

/* A sector with these bytes; NULL if all of them are zero. */
struct sim_sector *sim_sector_new(const uint8_t *bytes, uint32_t sector_size);
struct sim_sector *sim_sector_ref(struct sim_sector *s); /* accepts NULL */
void sim_sector_unref(struct sim_sector *s);             /* accepts NULL */

/* The hash of a content of `size` bytes, sectors behind which are ignored. */
uint64_t sim_content_hash(struct sim_sector *const *sectors, uint32_t count, uint64_t size);

/* Takes new references to the sectors. */
struct sim_content *sim_content_new(
        struct sim_sector *const *sectors, uint32_t count, uint64_t size, uint64_t hash);
struct sim_content *sim_content_of_bytes(const uint8_t *bytes, uint64_t size, uint32_t sector_size);
/* The same; what is as it was in `before`, which may be NULL, is shared with it. */
struct sim_content *sim_content_after(
        struct sim_content *before, const uint8_t *bytes, uint64_t size, uint32_t sector_size);
struct sim_content *sim_content_ref(struct sim_content *c);
void sim_content_unref(struct sim_content *c);

/* The part of an image's hash that one name brings. */
uint64_t sim_entry_hash(uint64_t dir_hash, uint64_t name_hash, uint64_t content_hash);

/* An image with room for so many directories and entries, to be filled in by
 * the caller before anybody else sees it. */
struct sim_image *sim_image_new(uint32_t sector_size, uint32_t dir_count, uint32_t entry_count);
struct sim_image *sim_image_ref(struct sim_image *image);
void sim_image_unref(struct sim_image *image); /* accepts NULL */
/* Compute the hash of a filled image. */
void sim_image_seal(struct sim_image *image);

/* The bytes of an entry, for free(); *size may be 0. */
uint8_t *sim_image_read(const struct sim_image *image, uint32_t entry, uint64_t *size);

/* A copy in which one entry has these bytes instead. */
struct sim_image *sim_image_with(
        const struct sim_image *image, uint32_t entry, const uint8_t *bytes, uint64_t size);

#endif /* SIM_IMAGE_H */
