/* SPDX-License-Identifier: MIT
 *
 * vfs.c: whole reads and writes, and errors with names, above the tables.
 *
 * The tables give a negative errno and may read or write less than asked.
 * Here that becomes all or an error which says which file, where, and why.
 */
#include "vfs/vfs.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

bool sti_name_is_valid(const char *name)
{
    return name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strchr(name, '/') == NULL;
}

/* ---- Directories. ---- */

static stele_code fail_dir_open(stele_error *err, int sys_errno, const char *path)
{
    stele_code code;

    switch (sys_errno) {
    case ENOTDIR:
    case ELOOP:
        code = sti_fail_at(err, STELE_EINVAL, path, -1, "is not a directory");
        break;
    case ENOENT:
        code = sti_fail_at(err, STELE_ENOTFOUND, path, -1, "no such directory");
        break;
    default:
        return sti_fail_errno_at(err, sys_errno, path, -1, "cannot open the directory");
    }
    if (err != NULL) {
        err->sys_errno = sys_errno;
    }
    return code;
}

stele_code sti_dir_open(
        struct sti_dir *d, const stele_env *env, const char *path, unsigned flags, stele_error *err)
{
    const stele_vfs *vfs = env != NULL && env->vfs != NULL ? env->vfs : stele_vfs_posix();
    stele_dir *raw;
    char *copy;
    int rc;

    if (path == NULL || path[0] == '\0') {
        return sti_fail(err, STELE_EINVAL, "no path of a directory was given");
    }
    if (vfs->ops->version != 1) {
        return sti_fail(err, STELE_ENOTSUP, "version %u of the file table is not known",
                (unsigned)vfs->ops->version);
    }
    copy = sti_strdup(path);
    if (copy == NULL) {
        return sti_fail_memory(err, strlen(path) + 1);
    }
    rc = vfs->ops->open_dir(vfs, path, flags, &raw);
    if (rc < 0) {
        sti_free(copy);
        return fail_dir_open(err, -rc, path);
    }
    d->raw = raw;
    d->path = copy;
    return STELE_OK;
}

void sti_dir_close(struct sti_dir *d)
{
    if (d->raw != NULL) {
        (void)d->raw->ops->close(d->raw); /* nothing was written through it */
    }
    sti_free(d->path);
    d->raw = NULL;
    d->path = NULL;
}

stele_code sti_dir_sync(struct sti_dir *d, stele_error *err)
{
    int rc = 0;

    if (!STI_MUTANT(DIRSYNC_SKIPPED)) {
        rc = d->raw->ops->sync(d->raw);
    }
    if (rc < 0) {
        return sti_fail_errno_at(err, -rc, d->path, -1, "cannot sync the directory");
    }
    return STELE_OK;
}

stele_code sti_dir_rename(struct sti_dir *d, const char *from, const char *to, stele_error *err)
{
    int rc = d->raw->ops->rename(d->raw, from, to);

    if (rc < 0) {
        return sti_fail_errno_at(err, -rc, from, -1, "cannot rename to %s", to);
    }
    return STELE_OK;
}

stele_code sti_dir_unlink(struct sti_dir *d, const char *name, bool *removed, stele_error *err)
{
    int rc = d->raw->ops->unlink(d->raw, name);

    if (rc < 0 && rc != -ENOENT) {
        return sti_fail_errno_at(err, -rc, name, -1, "cannot remove");
    }
    if (removed != NULL) {
        *removed = rc == 0;
    }
    return STELE_OK;
}

stele_code sti_dir_remove_dir(struct sti_dir *d, const char *name, stele_error *err)
{
    int rc = d->raw->ops->remove_dir == NULL ? -EOPNOTSUPP : d->raw->ops->remove_dir(d->raw, name);

    if (rc < 0 && rc != -ENOENT) {
        return sti_fail_errno_at(err, -rc, name, -1, "cannot remove the directory");
    }
    return STELE_OK;
}

stele_code sti_dir_stat(struct sti_dir *d, const char *name, stele_file_stat *out, stele_error *err)
{
    int rc = d->raw->ops->stat(d->raw, name, out);

    if (rc < 0) {
        return sti_fail_errno_at(err, -rc, name, -1, "cannot look up");
    }
    return STELE_OK;
}

/* Carries the code of a callback around the table, whose own results are
 * errnos and would be mistaken for it. */
struct listing {
    stele_code (*each)(void *arg, const char *name);
    void *arg;
    stele_code code;
};

static int list_one(void *arg, const char *name)
{
    struct listing *l = arg;

    l->code = l->each(l->arg, name);
    return l->code == STELE_OK ? 0 : 1;
}

stele_code sti_dir_list(struct sti_dir *d, stele_code (*each)(void *arg, const char *name),
        void *arg, stele_error *err)
{
    struct listing l = {.each = each, .arg = arg, .code = STELE_OK};
    int rc = d->raw->ops->list(d->raw, list_one, &l);

    if (rc < 0) {
        return sti_fail_errno_at(err, -rc, d->path, -1, "cannot list the directory");
    }
    return l.code;
}

/* ---- Files. ---- */

stele_code sti_file_open(
        struct sti_file *f, struct sti_dir *d, const char *name, unsigned flags, stele_error *err)
{
    stele_file *raw;
    size_t len;
    int rc;

    if (!sti_name_is_valid(name)) {
        return sti_fail_at(err, STELE_EINVAL, name, -1, "is not the name of a file");
    }
    rc = d->raw->ops->open(d->raw, name, flags, &raw);
    if (rc == -ELOOP) {
        return sti_fail_at(err, STELE_EINVAL, name, -1, "is a symbolic link, not a file");
    }
    if (rc == -EINVAL) {
        return sti_fail_at(err, STELE_EINVAL, name, -1, "is not a regular file");
    }
    if (rc < 0) {
        return sti_fail_errno_at(err, -rc, name, -1, "cannot open");
    }
    f->raw = raw;
    len = strnlen(name, sizeof f->name - 1);
    memcpy(f->name, name, len);
    f->name[len] = '\0';
    return STELE_OK;
}

void sti_file_close(struct sti_file *f)
{
    if (f->raw != NULL) {
        (void)f->raw->ops->close(f->raw);
        f->raw = NULL;
    }
}

/* A position for an error; there is none behind INT64_MAX. */
static int64_t position_of(uint64_t at)
{
    return at > INT64_MAX ? -1 : (int64_t)at;
}

static stele_code check_range(const struct sti_file *f, uint64_t at, size_t len, stele_error *err)
{
    if (at > INT64_MAX || len > INT64_MAX - at) {
        return sti_fail_at(err, STELE_EINVAL, f->name, position_of(at),
                "%zu bytes reach behind the largest position in a file", len);
    }
    return STELE_OK;
}

stele_code sti_file_read_some(
        struct sti_file *f, uint64_t at, void *out, size_t len, size_t *got, stele_error *err)
{
    stele_code code = check_range(f, at, len, err);
    size_t done = 0;

    if (code != STELE_OK) {
        return code;
    }
    while (done < len) {
        int64_t n = f->raw->ops->pread(f->raw, (uint8_t *)out + done, len - done, at + done);

        if (n < 0) {
            return sti_fail_errno_at(err, (int)-n, f->name, position_of(at + done),
                    "cannot read %zu bytes", len - done);
        }
        sti_assert((uint64_t)n <= len - done);
        done += (size_t)n;
        if (n == 0 || STI_MUTANT(SHORT_READ_AS_END)) {
            break;
        }
    }
    *got = done;
    return STELE_OK;
}

stele_code sti_file_read(struct sti_file *f, uint64_t at, void *out, size_t len, stele_error *err)
{
    size_t got;
    stele_code code = sti_file_read_some(f, at, out, len, &got, err);

    if (code != STELE_OK) {
        return code;
    }
    if (got < len) {
        return sti_fail_at(err, STELE_ECORRUPT, f->name, position_of(at),
                "the file ends after %zu of %zu bytes", got, len);
    }
    return STELE_OK;
}

stele_code sti_file_write(
        struct sti_file *f, uint64_t at, const void *data, size_t len, stele_error *err)
{
    const stele_slice slice = {.data = data, .len = len};

    return sti_file_writev(f, at, &slice, 1, err);
}

/* Where a vectored write has come to. */
struct write_cursor {
    const stele_slice *slices;
    size_t count;
    size_t skip; /* bytes of slices[0] that are written */
};

/* The next pieces that one pwritev() takes, without empty ones. */
static int cursor_batch(
        const struct write_cursor *c, stele_slice batch[STELE_SLICES_MAX], size_t *bytes)
{
    size_t skip = c->skip;
    int n = 0;

    *bytes = 0;
    for (size_t i = 0; i < c->count && n < STELE_SLICES_MAX; i++) {
        size_t len = c->slices[i].len - skip;

        if (len > 0) {
            batch[n].data = (const uint8_t *)c->slices[i].data + skip;
            batch[n].len = len;
            *bytes += len;
            n++;
        }
        skip = 0;
    }
    return n;
}

static void cursor_advance(struct write_cursor *c, size_t bytes)
{
    c->skip += bytes;
    while (c->count > 0 && c->skip >= c->slices[0].len) {
        c->skip -= c->slices[0].len;
        c->slices++;
        c->count--;
    }
    sti_assert(c->count > 0 || c->skip == 0);
}

stele_code sti_file_writev(
        struct sti_file *f, uint64_t at, const stele_slice *slices, size_t count, stele_error *err)
{
    struct write_cursor cursor = {.slices = slices, .count = count, .skip = 0};
    stele_slice batch[STELE_SLICES_MAX];
    size_t left = 0;
    stele_code code;

    sti_assert(f->raw != NULL);
    for (size_t i = 0; i < count; i++) {
        if (__builtin_add_overflow(left, slices[i].len, &left)) {
            return sti_fail_at(
                    err, STELE_EINVAL, f->name, position_of(at), "the pieces to write have no sum");
        }
    }
    code = check_range(f, at, left, err);
    while (code == STELE_OK && left > 0) {
        size_t asked;
        int n = cursor_batch(&cursor, batch, &asked);
        int64_t put = f->raw->ops->pwritev(f->raw, batch, n, at);

        if (put < 0) {
            return sti_fail_errno_at(
                    err, (int)-put, f->name, position_of(at), "cannot write %zu bytes", left);
        }
        if (put == 0) {
            return sti_fail_at(err, STELE_EIO, f->name, position_of(at),
                    "cannot write %zu bytes: nothing was taken", left);
        }
        sti_assert((uint64_t)put <= asked);
        if (STI_MUTANT(SHORT_WRITE_IGNORED)) {
            put = (int64_t)asked;
        }
        cursor_advance(&cursor, (size_t)put);
        at += (uint64_t)put;
        left -= (size_t)put;
    }
    return code;
}

stele_code sti_file_allocate(struct sti_file *f, uint64_t at, uint64_t len, stele_error *err)
{
    int rc = f->raw->ops->allocate(f->raw, at, len);

    if (rc < 0) {
        return sti_fail_errno_at(err, -rc, f->name, position_of(at), "cannot reserve %llu bytes",
                (unsigned long long)len);
    }
    return STELE_OK;
}

stele_code sti_file_truncate(struct sti_file *f, uint64_t size, stele_error *err)
{
    int rc = f->raw->ops->truncate(f->raw, size);

    if (rc < 0) {
        return sti_fail_errno_at(err, -rc, f->name, -1, "cannot set the size to %llu bytes",
                (unsigned long long)size);
    }
    return STELE_OK;
}

stele_code sti_file_stat(struct sti_file *f, stele_file_stat *out, stele_error *err)
{
    int rc = f->raw->ops->stat(f->raw, out);

    if (rc < 0) {
        return sti_fail_errno_at(err, -rc, f->name, -1, "cannot ask for the size");
    }
    return STELE_OK;
}

stele_code sti_file_sync(struct sti_file *f, bool data_only, stele_error *err)
{
    int rc = 0;

    if (!STI_MUTANT(SYNC_SKIPPED)) {
        rc = f->raw->ops->sync(f->raw, data_only);
    }
    if (rc < 0) {
        return sti_fail_errno_at(err, -rc, f->name, -1, "cannot sync");
    }
    return STELE_OK;
}

stele_code sti_file_map(struct sti_file *f, size_t len, bool writable, void **out, stele_error *err)
{
    int rc = f->raw->ops->map(f->raw, len, writable, out);

    if (rc < 0) {
        return sti_fail_errno_at(err, -rc, f->name, -1, "cannot map %zu bytes", len);
    }
    return STELE_OK;
}

stele_code sti_file_lock(struct sti_file *f, bool exclusive, stele_error *err)
{
    int rc = f->raw->ops->lock(f->raw, exclusive);

    if (rc == -EWOULDBLOCK) {
        return sti_fail_at(err, STELE_EBUSY, f->name, -1, "in use by another process");
    }
    if (rc < 0) {
        return sti_fail_errno_at(err, -rc, f->name, -1, "cannot lock");
    }
    return STELE_OK;
}

void sti_file_release(struct sti_file *f, void *map, size_t len)
{
    if (f->raw->ops->release != NULL) {
        (void)f->raw->ops->release(f->raw, map, len);
    }
}

void sti_file_prefault(struct sti_file *f, void *map, size_t at, size_t len, bool writable)
{
    (void)f->raw->ops->prefault(f->raw, map, at, len, writable);
}

void sti_raw_unmap(stele_file *raw, void *map, size_t len)
{
    int rc = raw->ops->unmap(raw, map, len);

    sti_assert(rc == 0);
}

stele_code sti_file_read_all(
        struct sti_file *f, size_t limit, uint8_t **out, size_t *len, stele_error *err)
{
    stele_file_stat st;
    uint8_t *data;
    size_t got = 0;
    stele_code code = sti_file_stat(f, &st, err);

    if (code != STELE_OK) {
        return code;
    }
    if (st.size > limit) {
        return sti_fail_at(err, STELE_ETOOBIG, f->name, -1, "has %llu bytes, more than %zu",
                (unsigned long long)st.size, limit);
    }
    data = sti_malloc((size_t)st.size);
    if (data == NULL) {
        return sti_fail_memory(err, (size_t)st.size);
    }
    /* It may have become shorter by now. */
    code = sti_file_read_some(f, 0, data, (size_t)st.size, &got, err);
    if (code != STELE_OK) {
        sti_free(data);
        return code;
    }
    *out = data;
    *len = got;
    return STELE_OK;
}

/* ---- Atomic replacement. ---- */

/* Write, sync and close a new file. */
static stele_code write_new(
        struct sti_dir *d, const char *name, const void *data, size_t len, stele_error *err)
{
    struct sti_file f = {.raw = NULL};
    stele_code code =
            sti_file_open(&f, d, name, STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, err);

    if (code == STELE_OK) {
        code = sti_file_write(&f, 0, data, len, err);
    }
    if (code == STELE_OK) {
        code = sti_file_sync(&f, false, err);
    }
    sti_file_close(&f);
    return code;
}

stele_code sti_dir_replace(
        struct sti_dir *d, const char *name, const void *data, size_t len, stele_error *err)
{
    char temporary[NAME_MAX + 1];
    int n = snprintf(temporary, sizeof temporary, "%s.tmp", name);
    stele_code code;

    if (n < 0 || (size_t)n >= sizeof temporary || !sti_name_is_valid(name)) {
        return sti_fail_at(err, STELE_EINVAL, name, -1, "is not the name of a file");
    }
    /* What a crash has left behind. */
    code = sti_dir_unlink(d, temporary, NULL, err);
    if (code != STELE_OK) {
        return code;
    }
    code = write_new(d, temporary, data, len, err);
    if (code == STELE_OK) {
        code = sti_dir_rename(d, temporary, name, err);
    }
    if (code != STELE_OK) {
        (void)sti_dir_unlink(d, temporary, NULL, NULL);
        return code;
    }
    return sti_dir_sync(d, err);
}
