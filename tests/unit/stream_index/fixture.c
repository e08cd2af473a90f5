/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "stream/format.h"
#include "stream/names.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Logs. ---- */

static const size_t key_lengths[] = {9, 0, 1, 10, 33, 8};
static const size_t value_lengths[] = {3, 40, 0, 120, 1, 17, 64};

void fx_log_make(struct fx_log *log, stele_stream_version version, int64_t base, int count)
{
    uint8_t bytes[256];
    uint64_t at = sti_log_start(version);

    memset(log, 0, sizeof *log);
    log->version = version;
    log->base = base;
    log->count = count;
    log->bytes = calloc(1, 8 + (size_t)count * (36 + 33 + 120) + FX_TAIL);
    log->at = calloc((size_t)count + 1, sizeof *log->at);
    log->offset = calloc((size_t)count + 1, sizeof *log->offset);
    assert_non_null(log->bytes);
    assert_non_null(log->at);
    assert_non_null(log->offset);
    if (version == STELE_STREAM_V2) {
        sti_log_header_put(log->bytes);
    }
    for (int i = 0; i < count; i++) {
        size_t key_len = key_lengths[i % 6];
        size_t value_len = value_lengths[i % 7];
        int64_t time = 1700000000000000 + 1000 * (int64_t)i - (i % 5 == 3 ? 4500 : 0);

        for (size_t j = 0; j < sizeof bytes; j++) {
            bytes[j] = (uint8_t)(j * 37 + (size_t)i * 11 + 1);
        }
        log->at[i] = at;
        log->offset[i] = base + i + (i + 1) / 3;
        sti_message_put(log->bytes + at, version, log->offset[i], time,
                key_len == 0 ? stele_nil() : stele_bytes_of(bytes, key_len),
                value_len == 0 ? stele_nil() : stele_bytes_of(bytes + 64, value_len));
        at += sti_message_size(version, key_len, value_len);
    }
    log->at[count] = at;
    log->len = (size_t)at;
}

void fx_log_free(struct fx_log *log)
{
    free(log->bytes);
    free(log->at);
    free(log->offset);
    memset(log, 0, sizeof *log);
}

static void read_path(const char *path, uint8_t **out, size_t *len)
{
    FILE *f = fopen(path, "rb");
    long size;

    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    assert_true(size >= 0);
    rewind(f);
    *len = (size_t)size;
    *out = malloc(*len + 1);
    assert_non_null(*out);
    assert_int_equal(fread(*out, 1, *len, f), *len);
    assert_int_equal(fclose(f), 0);
}

static int each_segment(const char *set, struct fx_vector v, void (*each)(const struct fx_vector *))
{
    char path[1024];
    char name[512];
    int n = 0;
    struct dirent *entry;
    DIR *dir;

    assert_true(snprintf(path, sizeof path, "%s/vectors/klevdb/logs/%s/data", STELE_TESTS_DIR,
                        set) < (int)sizeof path);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char file[1024 + 64];
        char index[STI_NAME_SIZE];

        if (sti_name_parse(entry->d_name, &v.base) != STI_NAME_LOG) {
            continue;
        }
        sti_name_index(index, v.base);
        (void)snprintf(file, sizeof file, "%s/%.32s", path, entry->d_name);
        read_path(file, &v.log, &v.log_len);
        (void)snprintf(file, sizeof file, "%s/%s", path, index);
        read_path(file, &v.index, &v.index_len);
        (void)snprintf(name, sizeof name, "%s %.32s", set, entry->d_name);
        v.name = name;
        each(&v);
        free(v.log);
        free(v.index);
        n++;
    }
    (void)closedir(dir);
    return n;
}

int fx_each_vector(void (*each)(const struct fx_vector *v))
{
    struct fx_vector v1 = {.version = STELE_STREAM_V1};
    struct fx_vector v2 = {.version = STELE_STREAM_V2};
    int n = each_segment("v1_none", v1, each) + each_segment("v2_none", v2, each);

    v1.params = (struct sti_index_params){true, true};
    v2.params = v1.params;
    return n + each_segment("v1_both", v1, each) + each_segment("v2_both", v2, each) +
           each_segment("v1_both_migrated_v2", v2, each);
}

/* ---- Failing allocations. ---- */

static struct {
    uint64_t count;
    uint64_t n;
    bool all;
} allocs;

static bool alloc_fails(void *arg)
{
    (void)arg;
    allocs.count++;
    return allocs.n != 0 && (allocs.count == allocs.n || (allocs.all && allocs.count > allocs.n));
}

void fx_alloc_fail(uint64_t n, bool all)
{
    allocs.count = 0;
    allocs.n = n;
    allocs.all = all;
    sti_alloc_set_hook(n == 0 ? NULL : alloc_fails, NULL);
}

uint64_t fx_alloc_count(void)
{
    return allocs.count;
}

/* ---- Files that are recorded and fail. ---- */

struct rec_file {
    stele_file file;
    stele_file *inner;
    struct fx_vfs *v;
    int users; /* the open handle, and maps */
};

struct rec_dir {
    stele_dir dir;
    stele_dir *inner;
    struct fx_vfs *v;
};

static int note(struct fx_vfs *v, const char *what, const char *name)
{
    size_t used = strlen(v->trace);

    (void)snprintf(v->trace + used, sizeof v->trace - used, "%s%s%s ", what,
            name == NULL ? "" : " ", name == NULL ? "" : name);
    v->calls++;
    return v->calls == v->fail_at ? v->fail_with : 0;
}

static void file_release(struct rec_file *f)
{
    if (--f->users == 0) {
        free(f);
    }
}

static int file_close(stele_file *file)
{
    struct rec_file *f = (struct rec_file *)file;
    int rc = f->inner->ops->close(f->inner);

    file_release(f);
    return rc;
}

static int64_t file_pread(stele_file *file, void *out, size_t len, uint64_t at)
{
    struct rec_file *f = (struct rec_file *)file;
    int rc = note(f->v, "read", NULL);

    return rc != 0 ? rc : f->inner->ops->pread(f->inner, out, len, at);
}

static int64_t file_pwritev(stele_file *file, const stele_slice *slices, int count, uint64_t at)
{
    struct rec_file *f = (struct rec_file *)file;
    int rc = note(f->v, "write", NULL);

    return rc != 0 ? rc : f->inner->ops->pwritev(f->inner, slices, count, at);
}

static int file_allocate(stele_file *file, uint64_t at, uint64_t len)
{
    struct rec_file *f = (struct rec_file *)file;

    return f->inner->ops->allocate(f->inner, at, len);
}

static int file_truncate(stele_file *file, uint64_t size)
{
    struct rec_file *f = (struct rec_file *)file;

    return f->inner->ops->truncate(f->inner, size);
}

static int file_stat(stele_file *file, stele_file_stat *out)
{
    struct rec_file *f = (struct rec_file *)file;
    int rc = note(f->v, "stat", NULL);

    return rc != 0 ? rc : f->inner->ops->stat(f->inner, out);
}

static int file_sync(stele_file *file, bool data_only)
{
    struct rec_file *f = (struct rec_file *)file;
    int rc = note(f->v, "sync", NULL);

    return rc != 0 ? rc : f->inner->ops->sync(f->inner, data_only);
}

static int file_map(stele_file *file, size_t len, bool writable, void **out)
{
    struct rec_file *f = (struct rec_file *)file;
    int rc = note(f->v, "map", NULL);

    if (rc == 0) {
        rc = f->inner->ops->map(f->inner, len, writable, out);
    }
    f->users += rc == 0;
    return rc;
}

static int file_prefault(stele_file *file, void *map, size_t at, size_t len, bool writable)
{
    struct rec_file *f = (struct rec_file *)file;

    return f->inner->ops->prefault(f->inner, map, at, len, writable);
}

static int file_unmap(stele_file *file, void *map, size_t len)
{
    struct rec_file *f = (struct rec_file *)file;
    int rc = f->inner->ops->unmap(f->inner, map, len);

    file_release(f);
    return rc;
}

static int file_lock(stele_file *file, bool exclusive)
{
    struct rec_file *f = (struct rec_file *)file;

    return f->inner->ops->lock(f->inner, exclusive);
}

static const stele_file_ops file_ops = {.version = 1,
        .close = file_close,
        .pread = file_pread,
        .pwritev = file_pwritev,
        .allocate = file_allocate,
        .truncate = file_truncate,
        .stat = file_stat,
        .sync = file_sync,
        .map = file_map,
        .prefault = file_prefault,
        .unmap = file_unmap,
        .lock = file_lock};

static int dir_close(stele_dir *dir)
{
    struct rec_dir *d = (struct rec_dir *)dir;
    int rc = d->inner->ops->close(d->inner);

    free(d);
    return rc;
}

static int dir_open(stele_dir *dir, const char *name, unsigned flags, stele_file **out)
{
    struct rec_dir *d = (struct rec_dir *)dir;
    struct rec_file *f;
    int rc = note(d->v, "open", name);

    if (rc != 0) {
        return rc;
    }
    f = calloc(1, sizeof *f);
    assert_non_null(f);
    rc = d->inner->ops->open(d->inner, name, flags, &f->inner);
    if (rc != 0) {
        free(f);
        return rc;
    }
    f->file.ops = &file_ops;
    f->v = d->v;
    f->users = 1;
    *out = &f->file;
    return 0;
}

static int dir_stat(stele_dir *dir, const char *name, stele_file_stat *out)
{
    struct rec_dir *d = (struct rec_dir *)dir;
    int rc = note(d->v, "look", name);

    return rc != 0 ? rc : d->inner->ops->stat(d->inner, name, out);
}

static int dir_rename(stele_dir *dir, const char *from, const char *to)
{
    struct rec_dir *d = (struct rec_dir *)dir;
    int rc = note(d->v, "rename", to);

    return rc != 0 ? rc : d->inner->ops->rename(d->inner, from, to);
}

static int dir_unlink(stele_dir *dir, const char *name)
{
    struct rec_dir *d = (struct rec_dir *)dir;
    int rc = note(d->v, "unlink", name);

    return rc != 0 ? rc : d->inner->ops->unlink(d->inner, name);
}

static int dir_sync(stele_dir *dir)
{
    struct rec_dir *d = (struct rec_dir *)dir;
    int rc = note(d->v, "dirsync", NULL);

    return rc != 0 ? rc : d->inner->ops->sync(d->inner);
}

static int dir_list(stele_dir *dir, int (*each)(void *arg, const char *name), void *arg)
{
    struct rec_dir *d = (struct rec_dir *)dir;

    return d->inner->ops->list(d->inner, each, arg);
}

static const stele_dir_ops dir_ops = {.version = 1,
        .close = dir_close,
        .open = dir_open,
        .stat = dir_stat,
        .rename = dir_rename,
        .unlink = dir_unlink,
        .sync = dir_sync,
        .list = dir_list};

static int vfs_open_dir(const stele_vfs *vfs, const char *path, unsigned flags, stele_dir **out)
{
    struct rec_dir *d = calloc(1, sizeof *d);

    /* The table takes the object as const, and this one has a trace in it:
     * the tests own it and never make it const. */
    union {
        const stele_vfs *given;
        struct fx_vfs *own;
    } u = {.given = vfs};

    int rc;

    assert_non_null(d);
    rc = stele_vfs_posix()->ops->open_dir(stele_vfs_posix(), path, flags, &d->inner);
    if (rc != 0) {
        free(d);
        return rc;
    }
    d->dir.ops = &dir_ops;
    d->v = u.own;
    *out = &d->dir;
    return 0;
}

static const stele_vfs_ops vfs_ops = {.version = 1, .open_dir = vfs_open_dir};

void fx_vfs_make(struct fx_vfs *v)
{
    memset(v, 0, sizeof *v);
    v->vfs.ops = &vfs_ops;
    v->fail_with = -EIO;
}

void fx_trace_clear(struct fx_vfs *v)
{
    v->trace[0] = '\0';
    v->calls = 0;
}

void fx_dir_open(struct sti_dir *dir, struct fx_vfs *v, const struct tmpdir *t)
{
    stele_env env = {.vfs = &v->vfs};
    stele_error err;

    env.struct_size = sizeof env;
    CHECK_OK(sti_dir_open(dir, &env, t->path, 0, &err), &err);
    fx_trace_clear(v);
}
