/* SPDX-License-Identifier: MIT
 *
 * saving.h: a file that is there whole and durable, or not at all: written under another name,
 * synced, verified, and only then given its own.
 */
#ifndef STI_STORE_SAVING_H
#define STI_STORE_SAVING_H

#include "vfs/vfs.h"

/* Zero-initialised is none. */
struct sti_saving {
    struct sti_dir dir;
    struct sti_file file; /* open for writing, and empty at first */
    char *name;           /* in the directory */
    char *temporary;
};

/* Begin with `path`. What a crash left under the temporary name is removed. STELE_EEXIST. To be
 * ended with sti_saving_end(), also if it failed. */
stele_code sti_saving_begin(
        struct sti_saving *v, const char *path, const stele_env *env, stele_error *err);

/* Give the file, which is synced, its name, durably. */
stele_code sti_saving_keep(struct sti_saving *v, stele_error *err);

/* Free all; what was not kept is removed. */
void sti_saving_end(struct sti_saving *v);

/* Open the directory of a path; *name is the last component, in memory of its own. */
stele_code sti_open_dir_of(
        struct sti_dir *dir, char **name, const char *path, const stele_env *env, stele_error *err);

#endif /* STI_STORE_SAVING_H */
