/* SPDX-License-Identifier: MIT
 *
 * generation.h: the directories gen-N, and the file `current` that names the one in use.
 *
 * `current` is text of three lines, and a fourth with the CRC-32C of those:
 *
 *     stele-store 1
 *     generation 7
 *     id 0123456789abcdef
 *     crc 89abcdef
 *
 * A generation is made as gen-N.tmp, with a first commit, and synced; renamed to gen-N; the
 * directory is synced; then `current` is replaced, which is the moment. Whatever else is there by
 * the name of a generation is a leftover of a crash. A number is never used again, and the commit
 * record (buckets.h) has it as well, so that a data file that somebody put in another's place is
 * noticed.
 */
#ifndef STI_STORE_GENERATION_H
#define STI_STORE_GENERATION_H

#include "store/lmdb.h"
#include "vfs/vfs.h"

#define STI_CURRENT_NAME "current"

enum {
    STI_GENERATION_NAME_SIZE = 32 /* "gen-" and a number, ".tmp" */
};

struct sti_generation {
    uint64_t number;
    uint64_t store_id;
};

/* "gen-N", or "gen-N.tmp". */
void sti_generation_name(char out[STI_GENERATION_NAME_SIZE], uint64_t number, bool temporary);

/* Whether a name is one of these. */
bool sti_generation_parse_name(const char *name, uint64_t *number, bool *temporary);

#define STI_CURRENT_NAME "current"

/* STELE_ENOTFOUND: there is no `current` · STELE_ECORRUPT · STELE_EVERSION. The file stays open, to
 * be closed by the caller. */
stele_code sti_current_open(
        struct sti_file *file, struct sti_dir *dir, struct sti_generation *out, stele_error *err);

/* The same without the file. */
stele_code sti_current_read(struct sti_dir *dir, struct sti_generation *out, stele_error *err);

/* Replace it, atomically and durably. */
stele_code sti_current_write(
        struct sti_dir *dir, const struct sti_generation *generation, stele_error *err);

/* Make gen-N.tmp: an LMDB environment with both trees and a first commit, without buckets. `env`
 * may be NULL. The caller opens it, if there is more to be put into it. What a crash left by the
 * name is removed first. */
stele_code sti_generation_make(struct sti_dir *dir, const stele_env *env,
        const struct sti_generation *generation, stele_error *err);

/* Make the directory gen-N.tmp alone, empty. */
stele_code sti_generation_make_dir(
        struct sti_dir *dir, const stele_env *env, uint64_t number, stele_error *err);

/* Give gen-N.tmp, whose content is durable, its name, durably. The environment may be open. */
stele_code sti_generation_finish(struct sti_dir *dir, const stele_env *env,
        const struct sti_generation *generation, stele_error *err);

/* Open a generation's environment. The path and `create` of `options` are filled in. */
stele_code sti_generation_open(struct sti_lmdb **out, const struct sti_dir *dir, uint64_t number,
        bool temporary, const struct sti_lmdb_options *options, stele_error *err);

/* Whether there are others than this one, with a name that is not temporary. */
stele_code sti_generation_others(
        struct sti_dir *dir, uint64_t number, bool *others, stele_error *err);

/* Remove one with its files; one that is not there is no error. */
stele_code sti_generation_remove(struct sti_dir *dir, const stele_env *env, uint64_t number,
        bool temporary, stele_error *err);

/* Remove gen-N, which is not current any more. First of all it loses its name, so that nobody who
 * read `current` before makes a file in it meanwhile. */
stele_code sti_generation_retire(
        struct sti_dir *dir, const stele_env *env, uint64_t number, stele_error *err);

/* Remove every generation but the one with this number (0: all), and `current.tmp`; *found (may be
 * NULL) says whether there was any with its final name. */
stele_code sti_generation_clean(
        struct sti_dir *dir, const stele_env *env, uint64_t keep, bool *found, stele_error *err);

#endif /* STI_STORE_GENERATION_H */
