/* SPDX-License-Identifier: MIT
 *
 * bbolt_kit.h: bbolt files made by a rule, on a disk in memory, and what a reader finds in one.
 */
#ifndef STELE_TESTS_BBOLT_KIT_H
#define STELE_TESTS_BBOLT_KIT_H

#include "lib/check.h"
#include "sim/world.h"
#include "store/bbolt_read.h"
#include "store/bbolt_write.h"

#define BBOLT_FILE "b.db"

enum {
    BBOLT_ROOM = 4096
};

struct bbolt_kit {
    struct sim_world *w;
    struct sti_dir dir;
    stele_error err;
};

/* What is in a file: buckets of equal content. */
struct bbolt_shape {
    uint32_t page_size;
    unsigned buckets;
    unsigned entries;
    size_t key_len; /* 2 at least, where there are more than 256 entries */
    size_t value_len;
    bool hashed;
};

/* `file_max`: see sim/disk.h; 0 for its default. */
void bbolt_kit_begin(struct bbolt_kit *k, uint64_t file_max);
void bbolt_kit_end(struct bbolt_kit *k);

/* The same in every run and in every program that knows the rule; to be freed with free(). */
uint8_t *bbolt_value(unsigned seed, size_t len);

/* The file anew. */
stele_code bbolt_kit_try_write(struct bbolt_kit *k, const struct bbolt_shape *shape);
void bbolt_kit_write(struct bbolt_kit *k, const struct bbolt_shape *shape);
/* The same into a writer that was begun, without its end. */
stele_code bbolt_put_shape(
        struct sti_bbolt_writer *w, const struct bbolt_shape *shape, stele_error *err);

/* The file's bytes, and BBOLT_ROOM zeros behind them, to be freed with free(); and a file of such
 * bytes. */
uint8_t *bbolt_kit_bytes(struct bbolt_kit *k, size_t *len);
void bbolt_kit_set_bytes(struct bbolt_kit *k, const uint8_t *bytes, size_t len);

/* Read all; the file holds exactly this. */
void bbolt_kit_holds(struct bbolt_kit *k, const struct bbolt_shape *shape);

/* Read all, unused pages included. On success *text (to be freed with free()) has a line for each
 * bucket, "b NAME" in hex, and for each entry, "e KEY LEN HASH", where the hash is FNV-1a 64 of the
 * value. What comes before an error is checked for what holds of all: order, sizes. */
stele_code bbolt_list(struct sti_dir *dir, const char *name, char **text, stele_error *err);

#endif /* STELE_TESTS_BBOLT_KIT_H */
