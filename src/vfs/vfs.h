/* SPDX-License-Identifier: MIT
 *
 * vfs.h: the facade over the tables of <stele/vfs.h>.
 *
 * Whole reads and writes, names in errors, and the recipes that several
 * modules need (atomic replacement, locks with the owner's pid). Every error
 * names the file (and the directory, where it is not known to the caller) and the position.
 */
#ifndef STI_VFS_VFS_H
#define STI_VFS_VFS_H

#include <stele/vfs.h>

/* Whether a name is one component: no '/', not "." or "..", not empty. */
bool sti_name_is_valid(const char *name);

/* An open file with its name, for errors. Zero-initialised is closed. */
struct sti_file {
    stele_file *raw;
    char name[64]; /* cut if longer */
};

struct sti_dir {
    stele_dir *raw;
    char *path; /* owned */
};

/* env may be NULL: the real world. STELE_EINVAL if path is no directory. */
stele_code sti_dir_open(struct sti_dir *d, const stele_env *env, const char *path, unsigned flags,
        stele_error *err);
void sti_dir_close(struct sti_dir *d); /* accepts a closed one */
stele_code sti_dir_sync(struct sti_dir *d, stele_error *err);
stele_code sti_dir_rename(struct sti_dir *d, const char *from, const char *to, stele_error *err);
/* A missing name is no error, and *removed (may be NULL) says so. */
stele_code sti_dir_unlink(struct sti_dir *d, const char *name, bool *removed, stele_error *err);
/* Of an empty directory. A missing name is no error. STELE_ENOTSUP where the vfs cannot. */
stele_code sti_dir_remove_dir(struct sti_dir *d, const char *name, stele_error *err);
/* STELE_ENOTFOUND if it is not there. */
stele_code sti_dir_stat(
        struct sti_dir *d, const char *name, stele_file_stat *out, stele_error *err);
/* each() returns 0 to go on; a STELE_ code below 0 ends the listing. */
stele_code sti_dir_list(struct sti_dir *d, stele_code (*each)(void *arg, const char *name),
        void *arg, stele_error *err);

stele_code sti_file_open(
        struct sti_file *f, struct sti_dir *d, const char *name, unsigned flags, stele_error *err);
/* Close; accepts a closed one. What was not synced is not checked here. */
void sti_file_close(struct sti_file *f);

/* Read exactly len bytes, or STELE_ECORRUPT ("ends after …") if the file ends before. */
stele_code sti_file_read(struct sti_file *f, uint64_t at, void *out, size_t len, stele_error *err);
/* Read up to len bytes; fewer only at the end of the file. */
stele_code sti_file_read_some(
        struct sti_file *f, uint64_t at, void *out, size_t len, size_t *got, stele_error *err);
/* Write all of it; on failure any part may have been written. */
stele_code sti_file_write(
        struct sti_file *f, uint64_t at, const void *data, size_t len, stele_error *err);
stele_code sti_file_writev(
        struct sti_file *f, uint64_t at, const stele_slice *slices, size_t count, stele_error *err);
/* STELE_ENOTSUP where the file system cannot. */
stele_code sti_file_allocate(struct sti_file *f, uint64_t at, uint64_t len, stele_error *err);
stele_code sti_file_truncate(struct sti_file *f, uint64_t size, stele_error *err);
stele_code sti_file_stat(struct sti_file *f, stele_file_stat *out, stele_error *err);
stele_code sti_file_sync(struct sti_file *f, bool data_only, stele_error *err);
stele_code sti_file_map(
        struct sti_file *f, size_t len, bool writable, void **out, stele_error *err);
void sti_file_prefault(struct sti_file *f, void *map, size_t at, size_t len, bool writable);
void sti_file_release(struct sti_file *f, void *map, size_t len);

/* Lock the file as other programs do that know flock(2), without waiting: STELE_EBUSY. Until it is
 * closed. */
stele_code sti_file_lock(struct sti_file *f, bool exclusive, stele_error *err);

/* Unmap through the raw file, which may be closed by now. */
void sti_raw_unmap(stele_file *raw, void *map, size_t len);

/* Read a whole file, up to `limit` bytes (STELE_ETOOBIG beyond), into memory to
 * be freed with sti_free(). */
stele_code sti_file_read_all(
        struct sti_file *f, size_t limit, uint8_t **out, size_t *len, stele_error *err);

/* Make `name` hold exactly these bytes, atomically and durably: written to
 * "<name>.tmp", synced, renamed, directory synced. */
stele_code sti_dir_replace(
        struct sti_dir *d, const char *name, const void *data, size_t len, stele_error *err);

/* Take the lock file `name` (created if missing unless the lock is shared and
 * the directory read-only), waiting up to wait_ms (STELE_FOREVER) by polling.
 * An exclusive owner writes its pid into it. STELE_EBUSY names the pid. */
stele_code sti_lock_take(struct sti_file *lock, struct sti_dir *d, const char *name, bool exclusive,
        int64_t wait_ms, stele_error *err);

/* The number of this process, for names of lock files. */
int64_t sti_process_number(void);

/* ---- A file that is there whole and durable, or not at all: written under another name, synced,
 * verified, and only then given its own. ---- */

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

/* A place in a file, which moves on with what is written there, or read: a stele_write_fn and a
 * stele_read_fn with it as their argument. */
struct sti_file_place {
    struct sti_file *file;
    uint64_t at;
};

stele_code sti_file_place_write(void *place, const void *data, size_t len, stele_error *err);
stele_code sti_file_place_read(void *place, void *data, size_t len, size_t *got, stele_error *err);

/* Open the directory of a path; *name is the last component, in memory of its own. */
stele_code sti_open_dir_of(
        struct sti_dir *dir, char **name, const char *path, const stele_env *env, stele_error *err);

#endif /* STI_VFS_VFS_H */
