/* SPDX-License-Identifier: MIT */
#include "sim/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *sim_alloc(size_t size)
{
    void *p = calloc(1, size == 0 ? 1 : size);

    if (p == NULL) {
        (void)fprintf(stderr, "sim: out of memory\n");
        abort();
    }
    return p;
}

void *sim_realloc(void *p, size_t size)
{
    void *grown = realloc(p, size == 0 ? 1 : size);

    if (grown == NULL) {
        (void)fprintf(stderr, "sim: out of memory\n");
        abort();
    }
    return grown;
}

uint64_t sim_hash_name(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325ULL;

    for (; *name != '\0'; name++) {
        hash = (hash ^ (uint8_t)*name) * 0x100000001b3ULL;
    }
    return sim_mix(hash);
}

/* Four independent lanes, so that the multiplications overlap. Sectors are a
 * multiple of 32 bytes long. */
static uint64_t hash_sector(const uint8_t *bytes, uint32_t size)
{
    uint64_t lanes[4] = {1, 2, 3, 4};
    uint64_t words[4];

    for (uint32_t i = 0; i < size; i += (uint32_t)sizeof words) {
        memcpy(words, bytes + i, sizeof words);
        for (int lane = 0; lane < 4; lane++) {
            lanes[lane] = (lanes[lane] ^ words[lane]) * 0x9e3779b97f4a7c15ULL;
            lanes[lane] ^= lanes[lane] >> 29;
        }
    }
    return sim_mix(lanes[0] + sim_mix(lanes[1] + sim_mix(lanes[2] + sim_mix(lanes[3]))));
}

static uint32_t used_bytes(const uint8_t *bytes, uint32_t size)
{
    uint64_t word = 0;

    while (size >= sizeof word && word == 0) {
        memcpy(&word, bytes + size - sizeof word, sizeof word);
        size -= word == 0 ? (uint32_t)sizeof word : 0U;
    }
    while (size > 0 && bytes[size - 1] == 0) {
        size--;
    }
    return size;
}

struct sim_sector *sim_sector_new(const uint8_t *bytes, uint32_t sector_size)
{
    uint32_t used = used_bytes(bytes, sector_size);
    struct sim_sector *s;

    if (used == 0) {
        return NULL;
    }
    s = sim_realloc(NULL, sizeof *s + sector_size);
    s->refs = 1;
    s->used = used;
    s->hash = hash_sector(bytes, sector_size);
    memcpy(s->bytes, bytes, sector_size);
    return s;
}

struct sim_sector *sim_sector_ref(struct sim_sector *s)
{
    if (s != NULL) {
        s->refs++;
    }
    return s;
}

void sim_sector_unref(struct sim_sector *s)
{
    if (s != NULL && --s->refs == 0) {
        free(s);
    }
}

uint64_t sim_content_hash(struct sim_sector *const *sectors, uint32_t count, uint64_t size)
{
    uint64_t hash = sim_mix(size + 1);

    for (uint32_t i = 0; i < count; i++) {
        if (sectors[i] != NULL) {
            hash += sim_mix(sectors[i]->hash + i * 0x9e3779b97f4a7c15ULL);
        }
    }
    return hash;
}

struct sim_content *sim_content_new(
        struct sim_sector *const *sectors, uint32_t count, uint64_t size, uint64_t hash)
{
    struct sim_content *c = sim_realloc(NULL, sizeof *c + count * sizeof(struct sim_sector *));

    c->refs = 1;
    c->count = count;
    c->size = size;
    c->hash = hash;
    for (uint32_t i = 0; i < count; i++) {
        c->sectors[i] = sim_sector_ref(sectors[i]);
    }
    return c;
}

/* The sector of a file with these bytes, which is that of `before` if it is the same. */
static struct sim_sector *sector_after(
        const struct sim_content *before, uint32_t i, const uint8_t *bytes, uint32_t sector_size)
{
    struct sim_sector *was = before != NULL && i < before->count ? before->sectors[i] : NULL;

    if (was != NULL && memcmp(was->bytes, bytes, sector_size) == 0) {
        return sim_sector_ref(was);
    }
    return sim_sector_new(bytes, sector_size);
}

static bool same_sectors(
        const struct sim_content *c, struct sim_sector *const *sectors, uint32_t count)
{
    return c->count == count &&
           (count == 0 || memcmp(c->sectors, sectors, count * sizeof(struct sim_sector *)) == 0);
}

struct sim_content *sim_content_after(
        struct sim_content *before, const uint8_t *bytes, uint64_t size, uint32_t sector_size)
{
    uint32_t count = (uint32_t)((size + sector_size - 1) / sector_size);
    struct sim_sector **sectors = sim_alloc(count * sizeof(struct sim_sector *));
    uint8_t *padded = sim_alloc(sector_size);
    struct sim_content *c;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = (uint64_t)i * sector_size;

        if (size - at >= sector_size) {
            sectors[i] = sector_after(before, i, bytes + at, sector_size);
        } else {
            memcpy(padded, bytes + at, (size_t)(size - at));
            sectors[i] = sector_after(before, i, padded, sector_size);
        }
    }
    if (before != NULL && before->size == size && same_sectors(before, sectors, count)) {
        c = sim_content_ref(before);
    } else {
        c = sim_content_new(sectors, count, size, sim_content_hash(sectors, count, size));
    }
    for (uint32_t i = 0; i < count; i++) {
        sim_sector_unref(sectors[i]);
    }
    free(sectors);
    free(padded);
    return c;
}

struct sim_content *sim_content_of_bytes(const uint8_t *bytes, uint64_t size, uint32_t sector_size)
{
    return sim_content_after(NULL, bytes, size, sector_size);
}

struct sim_content *sim_content_ref(struct sim_content *c)
{
    c->refs++;
    return c;
}

void sim_content_unref(struct sim_content *c)
{
    if (c != NULL && --c->refs == 0) {
        for (uint32_t i = 0; i < c->count; i++) {
            sim_sector_unref(c->sectors[i]);
        }
        free(c);
    }
}

uint64_t sim_entry_hash(uint64_t dir_hash, uint64_t name_hash, uint64_t content_hash)
{
    return sim_mix(dir_hash + sim_mix(name_hash + sim_mix(content_hash)));
}

struct sim_image *sim_image_new(uint32_t sector_size, uint32_t dir_count, uint32_t entry_count)
{
    struct sim_image *image = sim_alloc(sizeof *image);

    image->refs = 1;
    image->sector_size = sector_size;
    image->dir_count = dir_count;
    image->entry_count = entry_count;
    image->dirs = sim_alloc(dir_count * sizeof *image->dirs);
    image->entries = sim_alloc(entry_count * sizeof *image->entries);
    return image;
}

struct sim_image *sim_image_ref(struct sim_image *image)
{
    image->refs++;
    return image;
}

void sim_image_unref(struct sim_image *image)
{
    if (image == NULL || --image->refs > 0) {
        return;
    }
    for (uint32_t i = 0; i < image->entry_count; i++) {
        sim_content_unref(image->entries[i].content);
    }
    free(image->dirs);
    free(image->entries);
    free(image);
}

void sim_image_seal(struct sim_image *image)
{
    image->hash = 0;
    for (uint32_t i = 0; i < image->dir_count; i++) {
        image->hash += sim_mix(sim_hash_name(image->dirs[i].path));
    }
    for (uint32_t i = 0; i < image->entry_count; i++) {
        const struct sim_entry *e = &image->entries[i];

        image->hash += sim_entry_hash(
                sim_hash_name(image->dirs[e->dir].path), sim_hash_name(e->name), e->content->hash);
    }
}

uint8_t *sim_image_read(const struct sim_image *image, uint32_t entry, uint64_t *size)
{
    const struct sim_content *c = image->entries[entry].content;
    uint8_t *bytes = sim_alloc((size_t)c->count * image->sector_size);

    for (uint32_t i = 0; i < c->count; i++) {
        if (c->sectors[i] != NULL) {
            memcpy(bytes + (size_t)i * image->sector_size, c->sectors[i]->bytes,
                    image->sector_size);
        }
    }
    *size = c->size;
    return bytes;
}

struct sim_image *sim_image_with(
        const struct sim_image *image, uint32_t entry, const uint8_t *bytes, uint64_t size)
{
    struct sim_image *copy =
            sim_image_new(image->sector_size, image->dir_count, image->entry_count);

    memcpy(copy->dirs, image->dirs, image->dir_count * sizeof *copy->dirs);
    for (uint32_t i = 0; i < image->entry_count; i++) {
        copy->entries[i] = image->entries[i];
        copy->entries[i].content = i == entry
                                           ? sim_content_of_bytes(bytes, size, image->sector_size)
                                           : sim_content_ref(image->entries[i].content);
    }
    sim_image_seal(copy);
    return copy;
}
