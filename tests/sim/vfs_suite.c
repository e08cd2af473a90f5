/* SPDX-License-Identifier: MIT */
#include "sim/vfs_suite.h"

#include "lib/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    CREATE = STELE_OPEN_WRITE | STELE_OPEN_CREATE
};

static stele_dir *open_dir(const stele_vfs *v, const char *path, unsigned flags)
{
    stele_dir *d = NULL;

    assert_int_equal(v->ops->open_dir(v, path, flags, &d), 0);
    return d;
}

static stele_file *open_file(stele_dir *d, const char *name, unsigned flags)
{
    stele_file *f = NULL;

    assert_int_equal(d->ops->open(d, name, flags, &f), 0);
    return f;
}

static int try_open(stele_dir *d, const char *name, unsigned flags)
{
    stele_file *f = NULL;
    int rc = d->ops->open(d, name, flags, &f);

    if (rc == 0) {
        (void)f->ops->close(f);
    }
    return rc;
}

static int64_t put(stele_file *f, const void *data, size_t len, uint64_t at)
{
    stele_slice slice = {data, len};

    return f->ops->pwritev(f, &slice, 1, at);
}

static uint64_t size_of(stele_file *f)
{
    stele_file_stat st;

    assert_int_equal(f->ops->stat(f, &st), 0);
    assert_true(st.is_file);
    return st.size;
}

static void expect(stele_file *f, uint64_t at, const char *text)
{
    char got[64];
    size_t len = strlen(text);

    assert_true(len < sizeof got);
    assert_int_equal(f->ops->pread(f, got, len, at), len);
    assert_memory_equal(got, text, len);
}

static void directories(const stele_vfs *v, const char *path)
{
    char deep[512];
    char file[512];
    stele_file_stat st;
    stele_dir *none = NULL;
    stele_dir *d;
    stele_dir *top;

    (void)snprintf(deep, sizeof deep, "%s/one/two/", path);
    assert_int_equal(v->ops->open_dir(v, deep, 0, &none), -ENOENT);
    assert_null(none);
    d = open_dir(v, deep, STELE_OPEN_CREATE);
    assert_int_equal(
            v->ops->open_dir(v, deep, STELE_OPEN_CREATE | STELE_OPEN_EXCL, &none), -EEXIST);
    assert_int_equal(v->ops->open_dir(v, deep, STELE_OPEN_EXCL, &none), -EINVAL);
    assert_int_equal(v->ops->open_dir(v, "", 0, &none), -EINVAL);
    assert_int_equal(try_open(d, "file", CREATE), 0);
    (void)snprintf(file, sizeof file, "%s/one/two/file", path);
    assert_int_equal(v->ops->open_dir(v, file, 0, &none), -ENOTDIR);
    assert_int_equal(v->ops->open_dir(v, file, STELE_OPEN_CREATE, &none), -ENOTDIR);
    (void)snprintf(file, sizeof file, "%s/one/two/file/more", path);
    assert_int_equal(v->ops->open_dir(v, file, STELE_OPEN_CREATE, &none), -ENOTDIR);
    top = open_dir(v, path, 0);
    assert_int_equal(top->ops->stat(top, "one", &st), 0);
    assert_false(st.is_file);
    assert_int_equal(try_open(top, "one", 0), -EISDIR);
    assert_int_equal(top->ops->unlink(top, "one"), -EISDIR);
    assert_int_equal(top->ops->close(top), 0);
    assert_int_equal(d->ops->unlink(d, "file"), 0);
    assert_int_equal(d->ops->sync(d), 0);
    assert_int_equal(d->ops->close(d), 0);
}

static void names(stele_dir *d)
{
    static const char *const bad[] = {"", ".", "..", "a/b", "/a"};
    stele_file_stat st;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(try_open(d, bad[i], CREATE), -EINVAL);
        assert_int_equal(d->ops->stat(d, bad[i], &st), -EINVAL);
        assert_int_equal(d->ops->unlink(d, bad[i]), -EINVAL);
        assert_int_equal(d->ops->rename(d, bad[i], "a"), -EINVAL);
        assert_int_equal(d->ops->rename(d, "a", bad[i]), -EINVAL);
    }
    assert_int_equal(try_open(d, "a", 0), -ENOENT);
    assert_int_equal(try_open(d, "a", STELE_OPEN_WRITE), -ENOENT);
    assert_int_equal(try_open(d, "a", STELE_OPEN_EXCL), -EINVAL);
    assert_int_equal(try_open(d, "a", 1U << 9), -EINVAL);
    assert_int_equal(try_open(d, "a", CREATE | STELE_OPEN_EXCL), 0);
    assert_int_equal(try_open(d, "a", CREATE | STELE_OPEN_EXCL), -EEXIST);
    assert_int_equal(try_open(d, "a", CREATE), 0);
    assert_int_equal(d->ops->stat(d, "a", &st), 0);
    assert_int_equal(st.size, 0);
    assert_true(st.is_file);
    assert_int_equal(d->ops->stat(d, "b", &st), -ENOENT);
    assert_int_equal(d->ops->rename(d, "b", "c"), -ENOENT);
    assert_int_equal(d->ops->unlink(d, "b"), -ENOENT);
    assert_int_equal(d->ops->unlink(d, "a"), 0);
    assert_int_equal(try_open(d, "a", 0), -ENOENT);
}

static void content(stele_dir *d)
{
    stele_slice slices[4] = {{"ab", 2}, {"", 0}, {"cde", 3}, {NULL, 0}};
    stele_file *f = open_file(d, "content", CREATE);
    char one;

    assert_int_equal(f->ops->pread(f, &one, 1, 0), 0);
    assert_int_equal(f->ops->pwritev(f, slices, 4, 0), 5);
    assert_int_equal(f->ops->pwritev(f, slices, 0, 0), 0);
    assert_int_equal(f->ops->pwritev(f, slices, -1, 0), -EINVAL);
    assert_int_equal(f->ops->pwritev(f, slices, STELE_SLICES_MAX + 1, 0), -EINVAL);
    assert_int_equal(put(f, "", 0, 100), 0);
    assert_int_equal(size_of(f), 5);
    expect(f, 0, "abcde");
    assert_int_equal(f->ops->pread(f, &one, 1, 5), 0);
    assert_int_equal(f->ops->pread(f, &one, 0, 1), 0);
    assert_int_equal(f->ops->pread(f, &one, 1, 4000000), 0);
    /* A hole reads as zeros. */
    assert_int_equal(put(f, "z", 1, 5000), 1);
    assert_int_equal(size_of(f), 5001);
    assert_int_equal(f->ops->pread(f, &one, 1, 4999), 1);
    assert_int_equal(one, 0);
    assert_int_equal(f->ops->sync(f, true), 0);
    assert_int_equal(f->ops->sync(f, false), 0);
    /* What was cut does not come back. */
    assert_int_equal(f->ops->truncate(f, 2), 0);
    assert_int_equal(f->ops->truncate(f, 6000), 0);
    assert_int_equal(size_of(f), 6000);
    expect(f, 0, "ab");
    assert_int_equal(f->ops->pread(f, &one, 1, 2), 1);
    assert_int_equal(one, 0);
    assert_int_equal(f->ops->pread(f, &one, 1, 5000), 1);
    assert_int_equal(one, 0);
    assert_int_equal(f->ops->close(f), 0);
}

static void read_only(stele_dir *d)
{
    stele_file *f = open_file(d, "content", STELE_OPEN_READ);
    void *map = NULL;

    assert_int_equal(put(f, "x", 1, 0), -EBADF);
    assert_int_equal(f->ops->truncate(f, 0), -EINVAL);
    assert_int_equal(f->ops->allocate(f, 0, 1), -EBADF);
    assert_int_equal(f->ops->map(f, 10, true, &map), -EACCES);
    assert_int_equal(f->ops->map(f, 0, false, &map), -EINVAL);
    assert_null(map);
    expect(f, 0, "ab");
    assert_int_equal(f->ops->sync(f, true), 0);
    assert_int_equal(f->ops->close(f), 0);
}

static void allocation(stele_dir *d)
{
    stele_file *f = open_file(d, "allocated", CREATE);
    char bytes[3];
    int rc = f->ops->allocate(f, 0, 8192);

    assert_int_equal(f->ops->allocate(f, 100, 0), 0);
    if (rc != -EOPNOTSUPP) {
        assert_int_equal(rc, 0);
        assert_int_equal(size_of(f), 8192);
        assert_int_equal(put(f, "abc", 3, 10), 3);
        assert_int_equal(f->ops->allocate(f, 0, 4096), 0);
        assert_int_equal(size_of(f), 8192);
        expect(f, 10, "abc");
        assert_int_equal(f->ops->pread(f, bytes, 3, 8000), 3);
        assert_memory_equal(bytes, "\0\0", 3);
    }
    assert_int_equal(f->ops->close(f), 0);
}

static void renames(stele_dir *d)
{
    stele_file *old = open_file(d, "target", CREATE);
    stele_file *f = open_file(d, "source", CREATE);
    stele_file_stat before;
    stele_file_stat after;

    assert_int_equal(put(old, "old", 3, 0), 3);
    assert_int_equal(put(f, "new", 3, 0), 3);
    assert_int_equal(f->ops->stat(f, &before), 0);
    assert_int_equal(old->ops->stat(old, &after), 0);
    assert_int_not_equal(before.id, after.id);
    assert_int_equal(d->ops->rename(d, "source", "source"), 0);
    assert_int_equal(d->ops->rename(d, "source", "target"), 0);
    assert_int_equal(try_open(d, "source", 0), -ENOENT);
    assert_int_equal(d->ops->stat(d, "target", &after), 0);
    assert_int_equal(before.id, after.id);
    assert_int_equal(after.size, 3);
    /* Who had the old one open keeps it. */
    expect(old, 0, "old");
    assert_int_equal(old->ops->close(old), 0);
    expect(f, 0, "new");
    assert_int_equal(d->ops->unlink(d, "target"), 0);
    expect(f, 0, "new");
    assert_int_equal(put(f, "er", 2, 3), 2);
    expect(f, 0, "newer");
    assert_int_equal(f->ops->close(f), 0);
    assert_int_equal(d->ops->sync(d), 0);
}

static void maps(stele_dir *d)
{
    stele_file *f = open_file(d, "mapped", CREATE);
    stele_file *reader = NULL;
    void *writable = NULL;
    void *readable = NULL;
    uint8_t *w;
    const uint8_t *r;

    assert_int_equal(f->ops->truncate(f, 4096), 0);
    assert_int_equal(put(f, "abc", 3, 4000), 3);
    assert_int_equal(f->ops->map(f, 65536, true, &writable), 0);
    reader = open_file(d, "mapped", STELE_OPEN_READ);
    assert_int_equal(reader->ops->map(reader, 65536, false, &readable), 0);
    w = writable;
    r = readable;
    assert_memory_equal(w + 4000, "abc", 3);
    memcpy(w + 10, "stored", 6);
    expect(reader, 10, "stored");
    assert_memory_equal(r + 10, "stored", 6);
    assert_int_equal(put(f, "W", 1, 10), 1);
    assert_memory_equal(w + 10, "Wtored", 6);
    assert_memory_equal(r + 10, "Wtored", 6);
    /* What lies behind the end may be touched once the file has grown. */
    assert_int_equal(f->ops->truncate(f, 20000), 0);
    assert_int_equal(r[19999], 0);
    w[19999] = 'e';
    expect(reader, 19999, "e");
    (void)f->ops->prefault(f, writable, 0, 20000, true);
    assert_int_equal(f->ops->sync(f, true), 0);
    /* A map outlives the handle and the name. */
    assert_int_equal(f->ops->close(f), 0);
    assert_int_equal(d->ops->unlink(d, "mapped"), 0);
    w[0] = 'x';
    assert_int_equal(r[0], 'x');
    expect(reader, 0, "x");
    assert_int_equal(f->ops->unmap(f, writable, 65536), 0);
    assert_int_equal(reader->ops->close(reader), 0);
    assert_int_equal(r[0], 'x');
    assert_int_equal(reader->ops->unmap(reader, readable, 65536), 0);
}

static void locks(stele_dir *d)
{
    stele_file *a = open_file(d, "lock", CREATE);
    stele_file *b = open_file(d, "lock", STELE_OPEN_READ);
    stele_file *c = open_file(d, "lock", STELE_OPEN_READ);

    assert_int_equal(a->ops->lock(a, false), 0);
    assert_int_equal(b->ops->lock(b, false), 0);
    assert_int_equal(c->ops->lock(c, true), -EWOULDBLOCK);
    assert_int_equal(a->ops->close(a), 0);
    assert_int_equal(c->ops->lock(c, true), -EWOULDBLOCK);
    /* The holder of a shared one can make it exclusive once it is alone. */
    assert_int_equal(b->ops->lock(b, true), 0);
    assert_int_equal(c->ops->lock(c, false), -EWOULDBLOCK);
    assert_int_equal(b->ops->lock(b, false), 0);
    assert_int_equal(c->ops->lock(c, false), 0);
    assert_int_equal(b->ops->close(b), 0);
    assert_int_equal(c->ops->lock(c, true), 0);
    assert_int_equal(c->ops->close(c), 0);
    a = open_file(d, "lock", STELE_OPEN_READ);
    assert_int_equal(a->ops->lock(a, true), 0);
    assert_int_equal(a->ops->close(a), 0);
}

struct listing {
    unsigned found;
    unsigned count;
    unsigned stop_after;
};

static int note_name(void *arg, const char *name)
{
    struct listing *l = arg;

    assert_true(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    l->count++;
    if (name[0] == 'l' && name[1] >= '0' && name[1] <= '9' && name[2] == '\0') {
        l->found |= 1U << (name[1] - '0');
    }
    return l->count == l->stop_after ? 77 : 0;
}

static void lists(const stele_vfs *v, const char *path)
{
    char sub[512];
    struct listing l = {0, 0, 0};
    stele_dir *d;
    stele_dir *inner;

    (void)snprintf(sub, sizeof sub, "%s/list", path);
    d = open_dir(v, sub, STELE_OPEN_CREATE);
    assert_int_equal(d->ops->list(d, note_name, &l), 0);
    assert_int_equal(l.count, 0);
    for (int i = 0; i < 4; i++) {
        char name[3] = {'l', (char)('0' + i), '\0'};

        assert_int_equal(try_open(d, name, CREATE), 0);
    }
    (void)snprintf(sub, sizeof sub, "%s/list/l5", path);
    inner = open_dir(v, sub, STELE_OPEN_CREATE);
    assert_int_equal(d->ops->list(d, note_name, &l), 0);
    assert_int_equal(l.count, 5);
    assert_int_equal(l.found, 0x2f);
    assert_int_equal(d->ops->list(d, note_name, &l), 0);
    assert_int_equal(l.count, 10);
    l = (struct listing){0, 0, 2};
    assert_int_equal(d->ops->list(d, note_name, &l), 77);
    assert_int_equal(l.count, 2);
    assert_int_equal(inner->ops->close(inner), 0);
    assert_int_equal(d->ops->close(d), 0);
}

void vfs_suite_run(const stele_vfs *v, const char *path)
{
    stele_dir *d = open_dir(v, path, 0);

    assert_int_equal(v->ops->version, 1);
    assert_int_equal(d->ops->version, 1);
    directories(v, path);
    names(d);
    content(d);
    read_only(d);
    allocation(d);
    renames(d);
    maps(d);
    locks(d);
    lists(v, path);
    assert_int_equal(d->ops->close(d), 0);
}
