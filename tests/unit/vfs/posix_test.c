/* SPDX-License-Identifier: MIT
 *
 * posix_test.c: the table over the real file system.
 */
#include <stele/vfs.h>

#include "base/alloc.h"
#include "lib/check.h"
#include "lib/tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    NOBODY = 65534
};

#define PAGE ((size_t)4096)

struct fixture {
    struct tmpdir tmp;
    stele_dir *dir;
};

static int open_dir(const struct tmpdir *t, const char *name, unsigned flags, stele_dir **out)
{
    char path[TMPDIR_PATH_SIZE];

    tmpdir_path(t, name, path);
    return stele_vfs_posix()->ops->open_dir(stele_vfs_posix(), path, flags, out);
}

static int set_up(void **state)
{
    struct fixture *fix = calloc(1, sizeof *fix);

    assert_non_null(fix);
    tmpdir_make(&fix->tmp);
    assert_int_equal(open_dir(&fix->tmp, "", STELE_OPEN_READ, &fix->dir), 0);
    *state = fix;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fix = *state;

    assert_int_equal(fix->dir->ops->close(fix->dir), 0);
    tmpdir_remove(&fix->tmp);
    free(fix);
    return 0;
}

static int open_in(struct fixture *fix, const char *name, unsigned flags, stele_file **out)
{
    return fix->dir->ops->open(fix->dir, name, flags, out);
}

static stele_file *make(struct fixture *fix, const char *name)
{
    stele_file *f = NULL;

    assert_int_equal(open_in(fix, name, STELE_OPEN_WRITE | STELE_OPEN_CREATE, &f), 0);
    return f;
}

static void close_file(stele_file *f)
{
    assert_int_equal(f->ops->close(f), 0);
}

static int64_t write_at(stele_file *f, const char *text, uint64_t at)
{
    const stele_slice slice = {text, strlen(text)};

    return f->ops->pwritev(f, &slice, 1, at);
}

static mode_t mode_of(const struct tmpdir *t, const char *name)
{
    char path[TMPDIR_PATH_SIZE];
    struct stat st;

    tmpdir_path(t, name, path);
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static void test_open_and_flags(void **state)
{
    struct fixture *fix = *state;
    stele_file *f = NULL;

    assert_int_equal(open_in(fix, "a", STELE_OPEN_READ, &f), -ENOENT);
    assert_int_equal(open_in(fix, "a", STELE_OPEN_WRITE, &f), -ENOENT);
    assert_int_equal(open_in(fix, "a", STELE_OPEN_WRITE | STELE_OPEN_EXCL, &f), -EINVAL);
    assert_int_equal(open_in(fix, "a", 1U << 7, &f), -EINVAL);
    assert_null(f);
    assert_false(tmpdir_exists(&fix->tmp, "a"));
    assert_int_equal(
            open_in(fix, "a", STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, &f), 0);
    assert_int_equal(mode_of(&fix->tmp, "a"), 0600);
    assert_int_equal(write_at(f, "text", 0), 4);
    close_file(f);
    assert_int_equal(
            open_in(fix, "a", STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, &f), -EEXIST);
    assert_int_equal(open_in(fix, "a", STELE_OPEN_CREATE, &f), 0); /* and not emptied */
    assert_true(write_at(f, "x", 0) < 0);
    close_file(f);
    assert_int_equal(tmpdir_size(&fix->tmp, "a"), 4);
}

/* How many descriptors there are, and how many of them exec() would keep. */
static int count_descriptors(int *kept)
{
    int all = 0;

    *kept = 0;
    for (int fd = 0; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);

        all += flags >= 0;
        *kept += flags >= 0 && (flags & FD_CLOEXEC) == 0;
    }
    return all;
}

static void test_close_on_exec(void **state)
{
    struct fixture *fix = *state;
    int kept_before;
    int kept;
    int before = count_descriptors(&kept_before);
    stele_file *f = make(fix, "a");
    stele_dir *d = NULL;

    assert_int_equal(open_dir(&fix->tmp, "d/e", STELE_OPEN_CREATE, &d), 0);
    assert_int_equal(count_descriptors(&kept), before + 2);
    assert_int_equal(kept, kept_before);
    close_file(f);
    assert_int_equal(d->ops->close(d), 0);
    assert_int_equal(count_descriptors(&kept), before);
}

struct names {
    int count;
    int stop_at;
    char seen[200];
};

static int each_name(void *arg, const char *name)
{
    struct names *n = arg;
    int number = atoi(name + 1);

    assert_int_equal(name[0], 'n');
    assert_true(number >= 0 && number < (int)sizeof n->seen);
    assert_int_equal(n->seen[number], 0);
    n->seen[number] = 1;
    n->count++;
    return n->count == n->stop_at ? 4711 : 0;
}

/* Without descriptors everything says so, and keeps none. */
static void test_few_descriptors(void **state)
{
    struct fixture *fix = *state;
    struct names names = {.stop_at = -1};
    struct rlimit before;
    int lowest = dup(0);
    int kept;
    int count;
    int rc = -EMFILE;

    assert_true(lowest >= 0);
    (void)close(lowest);
    count = count_descriptors(&kept);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (int spare = 0; rc != 0; spare++) {
        const struct rlimit few = {(rlim_t)(lowest + spare), before.rlim_max};
        stele_dir *d = NULL;
        stele_file *f = NULL;
        int of_open = 0;
        int of_list = 0;

        assert_true(spare < 10);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        rc = open_dir(&fix->tmp, "m/n", STELE_OPEN_CREATE, &d);
        if (spare == 0) {
            of_open = open_in(fix, "a", STELE_OPEN_WRITE | STELE_OPEN_CREATE, &f);
            of_list = fix->dir->ops->list(fix->dir, each_name, &names);
        }
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (rc == 0) {
            assert_int_equal(d->ops->close(d), 0);
        } else {
            assert_int_equal(rc, -EMFILE);
            assert_null(d);
        }
        if (spare == 0) {
            assert_int_not_equal(rc, 0);
            assert_int_equal(of_open, -EMFILE);
            assert_int_equal(of_list, -EMFILE);
            assert_null(f);
        }
        assert_int_equal(count_descriptors(&kept), count);
    }
    assert_true(tmpdir_exists(&fix->tmp, "m/n"));
}

static void test_names(void **state)
{
    static const char *const bad[] = {"", ".", "..", "a/b", "/a", "a/", "../a"};
    struct fixture *fix = *state;
    char longest[300];
    stele_file *f = NULL;
    stele_file_stat st;

    close_file(make(fix, "good"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(open_in(fix, bad[i], STELE_OPEN_WRITE | STELE_OPEN_CREATE, &f), -EINVAL);
        assert_int_equal(fix->dir->ops->stat(fix->dir, bad[i], &st), -EINVAL);
        assert_int_equal(fix->dir->ops->rename(fix->dir, "good", bad[i]), -EINVAL);
        assert_int_equal(fix->dir->ops->rename(fix->dir, bad[i], "good"), -EINVAL);
        assert_int_equal(fix->dir->ops->unlink(fix->dir, bad[i]), -EINVAL);
    }
    memset(longest, 'n', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(
            open_in(fix, longest, STELE_OPEN_WRITE | STELE_OPEN_CREATE, &f), -ENAMETOOLONG);
    longest[255] = '\0';
    close_file(make(fix, longest));
    close_file(make(fix, "..."));
    close_file(make(fix, ".lock"));
}

static void test_read_and_write(void **state)
{
    struct fixture *fix = *state;
    stele_file *f = make(fix, "a");
    const stele_slice pieces[3] = {{"one ", 4}, {"", 0}, {"two", 3}};
    stele_slice many[STELE_SLICES_MAX + 1];
    char out[16];

    assert_int_equal(f->ops->pwritev(f, pieces, 3, 2), 7);
    assert_int_equal(f->ops->pread(f, out, sizeof out, 0), 9);
    assert_memory_equal(out, "\0\0one two", 9);
    assert_int_equal(f->ops->pread(f, out, 3, 6), 3);
    assert_memory_equal(out, "two", 3);
    assert_int_equal(f->ops->pread(f, out, sizeof out, 8), 1);
    assert_int_equal(f->ops->pread(f, out, sizeof out, 9), 0);
    assert_int_equal(f->ops->pread(f, out, sizeof out, 1U << 30), 0);
    assert_int_equal(f->ops->pread(f, out, 1, (uint64_t)INT64_MAX + 1), -EINVAL);
    assert_int_equal(f->ops->pwritev(f, pieces, 1, (uint64_t)INT64_MAX + 1), -EINVAL);
    assert_int_equal(f->ops->pwritev(f, pieces, -1, 0), -EINVAL);
    assert_int_equal(f->ops->pwritev(f, pieces, 0, 0), 0);
    for (int i = 0; i <= STELE_SLICES_MAX; i++) {
        many[i] = (stele_slice){"z", 1};
    }
    assert_int_equal(f->ops->pwritev(f, many, STELE_SLICES_MAX + 1, 0), -EINVAL);
    assert_int_equal(f->ops->pwritev(f, many, STELE_SLICES_MAX, 0), STELE_SLICES_MAX);
    close_file(f);
}

static void test_size(void **state)
{
    struct fixture *fix = *state;
    stele_file *f = make(fix, "a");
    stele_file_stat st;
    char out[8];
    int rc;

    assert_int_equal(write_at(f, "abcdef", 0), 6);
    assert_int_equal(f->ops->truncate(f, 3), 0);
    assert_int_equal(f->ops->truncate(f, 5), 0);
    assert_int_equal(f->ops->pread(f, out, sizeof out, 0), 5);
    assert_memory_equal(out, "abc\0\0", 5);
    assert_int_equal(f->ops->truncate(f, (uint64_t)INT64_MAX + 1), -EFBIG);
    assert_int_equal(f->ops->allocate(f, 0, 0), 0);
    assert_int_equal(f->ops->allocate(f, UINT64_MAX, 1), -EFBIG);
    assert_int_equal(f->ops->allocate(f, 0, UINT64_MAX), -EFBIG);
    /* Either the file system reserves, or says that it cannot. */
    rc = f->ops->allocate(f, 0, 100000);
    assert_true(rc == 0 || rc == -EOPNOTSUPP);
    assert_int_equal(f->ops->stat(f, &st), 0);
    assert_int_equal(st.size, rc == 0 ? 100000 : 5);
    assert_int_equal(f->ops->pread(f, out, 5, 0), 5);
    assert_memory_equal(out, "abc\0\0", 5);
    assert_int_equal(f->ops->sync(f, true), 0);
    assert_int_equal(f->ops->sync(f, false), 0);
    close_file(f);
}

static void test_stat(void **state)
{
    struct fixture *fix = *state;
    stele_file *a = make(fix, "a");
    stele_file *b = make(fix, "b");
    stele_file_stat of_a;
    stele_file_stat of_b;
    stele_file_stat named;

    assert_int_equal(write_at(a, "abc", 0), 3);
    assert_int_equal(a->ops->stat(a, &of_a), 0);
    assert_int_equal(b->ops->stat(b, &of_b), 0);
    assert_int_equal(fix->dir->ops->stat(fix->dir, "a", &named), 0);
    assert_true(named.id == of_a.id && named.size == 3 && named.is_file);
    assert_true(of_a.id != of_b.id);
    tmpdir_mkdir(&fix->tmp, "d");
    assert_int_equal(fix->dir->ops->stat(fix->dir, "d", &named), 0);
    assert_false(named.is_file);
    assert_int_equal(fix->dir->ops->stat(fix->dir, "none", &named), -ENOENT);
    /* After a rename the name shows another file: readers watch for it. */
    assert_int_equal(fix->dir->ops->rename(fix->dir, "b", "a"), 0);
    assert_int_equal(fix->dir->ops->stat(fix->dir, "a", &named), 0);
    assert_true(named.id == of_b.id);
    close_file(a);
    close_file(b);
}

static void test_rename_unlink_sync(void **state)
{
    struct fixture *fix = *state;

    tmpdir_write(&fix->tmp, "a", "A", 1);
    tmpdir_write(&fix->tmp, "b", "BB", 2);
    assert_int_equal(fix->dir->ops->rename(fix->dir, "none", "b"), -ENOENT);
    assert_int_equal(fix->dir->ops->rename(fix->dir, "a", "b"), 0);
    assert_false(tmpdir_exists(&fix->tmp, "a"));
    assert_int_equal(tmpdir_size(&fix->tmp, "b"), 1);
    assert_int_equal(fix->dir->ops->sync(fix->dir), 0);
    assert_int_equal(fix->dir->ops->unlink(fix->dir, "b"), 0);
    assert_int_equal(fix->dir->ops->unlink(fix->dir, "b"), -ENOENT);
    assert_false(tmpdir_exists(&fix->tmp, "b"));
    tmpdir_mkdir(&fix->tmp, "d");
    assert_int_equal(fix->dir->ops->unlink(fix->dir, "d"), -EISDIR);
    assert_true(tmpdir_exists(&fix->tmp, "d"));
}

static void test_symlinks_are_refused(void **state)
{
    struct fixture *fix = *state;
    char target[TMPDIR_PATH_SIZE];
    char link_path[TMPDIR_PATH_SIZE];
    stele_file *f = NULL;
    stele_dir *d = NULL;
    stele_file_stat st;

    tmpdir_write(&fix->tmp, "target", "precious", 8);
    tmpdir_path(&fix->tmp, "target", target);
    tmpdir_path(&fix->tmp, "link", link_path);
    assert_int_equal(symlink(target, link_path), 0);
    assert_int_equal(open_in(fix, "link", STELE_OPEN_READ, &f), -ELOOP);
    assert_int_equal(open_in(fix, "link", STELE_OPEN_WRITE | STELE_OPEN_CREATE, &f), -ELOOP);
    assert_int_equal(fix->dir->ops->stat(fix->dir, "link", &st), 0);
    assert_false(st.is_file);
    /* One that dangles is not made to exist either. */
    tmpdir_path(&fix->tmp, "dangling", link_path);
    assert_int_equal(symlink("nothing", link_path), 0);
    assert_int_equal(open_in(fix, "dangling", STELE_OPEN_WRITE | STELE_OPEN_CREATE, &f), -ELOOP);
    assert_false(tmpdir_exists(&fix->tmp, "nothing"));

    /* A directory: not as the last component, with or without slashes. */
    tmpdir_mkdir(&fix->tmp, "dir");
    tmpdir_path(&fix->tmp, "dir", target);
    tmpdir_path(&fix->tmp, "dirlink", link_path);
    assert_int_equal(symlink(target, link_path), 0);
    assert_int_equal(open_dir(&fix->tmp, "dirlink", 0, &d), -ENOTDIR);
    assert_int_equal(open_dir(&fix->tmp, "dirlink//", 0, &d), -ENOTDIR);
    assert_int_equal(open_dir(&fix->tmp, "dirlink", STELE_OPEN_CREATE, &d), -ENOTDIR);
    /* But before it. */
    assert_int_equal(open_dir(&fix->tmp, "dirlink/below", STELE_OPEN_CREATE, &d), 0);
    assert_int_equal(d->ops->close(d), 0);
    assert_true(tmpdir_exists(&fix->tmp, "dir/below"));
}

static void test_only_regular_files(void **state)
{
    struct fixture *fix = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[TMPDIR_PATH_SIZE];
    stele_file *f = NULL;
    int fd;

    tmpdir_mkdir(&fix->tmp, "d");
    assert_int_equal(open_in(fix, "d", STELE_OPEN_READ, &f), -EISDIR);
    assert_int_equal(open_in(fix, "d", STELE_OPEN_WRITE, &f), -EISDIR);
    assert_int_equal(open_in(fix, "d", STELE_OPEN_WRITE | STELE_OPEN_CREATE, &f), -EISDIR);
    /* A pipe that nobody writes would hold up a plain open() for ever. */
    tmpdir_path(&fix->tmp, "pipe", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(open_in(fix, "pipe", STELE_OPEN_READ, &f), -EINVAL);
    assert_int_equal(open_in(fix, "pipe", STELE_OPEN_WRITE, &f), -EINVAL);
    tmpdir_path(&fix->tmp, "s", path);
    assert_true(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(open_in(fix, "s", STELE_OPEN_READ, &f), -EINVAL);
    (void)close(fd);
    assert_null(f);
}

/* More names than one buffer takes. */
static void test_list(void **state)
{
    struct fixture *fix = *state;
    struct names names = {.stop_at = -1};

    assert_int_equal(fix->dir->ops->list(fix->dir, each_name, &names), 0);
    assert_int_equal(names.count, 0);
    for (int i = 0; i < (int)sizeof names.seen; i++) {
        char name[64];

        (void)snprintf(name, sizeof name, "n%d_with_a_tail_that_makes_it_longer", i);
        tmpdir_write(&fix->tmp, name, "", 0);
    }
    /* Twice: a second listing starts at the front again. */
    for (int round = 0; round < 2; round++) {
        memset(&names, 0, sizeof names);
        assert_int_equal(fix->dir->ops->list(fix->dir, each_name, &names), 0);
        assert_int_equal(names.count, sizeof names.seen);
    }
    memset(&names, 0, sizeof names);
    names.stop_at = 5;
    assert_int_equal(fix->dir->ops->list(fix->dir, each_name, &names), 4711);
    assert_int_equal(names.count, 5);
}

static void test_open_dir(void **state)
{
    struct fixture *fix = *state;
    const stele_vfs *vfs = stele_vfs_posix();
    stele_dir *d = NULL;
    char name[300];

    assert_int_equal(open_dir(&fix->tmp, "x/y/z", STELE_OPEN_READ, &d), -ENOENT);
    assert_false(tmpdir_exists(&fix->tmp, "x"));
    assert_int_equal(open_dir(&fix->tmp, "x//y/z/", STELE_OPEN_CREATE, &d), 0);
    assert_int_equal(d->ops->close(d), 0);
    assert_int_equal(mode_of(&fix->tmp, "x"), 0700);
    assert_int_equal(mode_of(&fix->tmp, "x/y"), 0700);
    assert_int_equal(mode_of(&fix->tmp, "x/y/z"), 0700);
    assert_int_equal(open_dir(&fix->tmp, "x/y/z", STELE_OPEN_CREATE, &d), 0);
    assert_int_equal(d->ops->close(d), 0);
    assert_int_equal(
            open_dir(&fix->tmp, "x/y/z", STELE_OPEN_CREATE | STELE_OPEN_EXCL, &d), -EEXIST);
    assert_int_equal(open_dir(&fix->tmp, "x/y/e", STELE_OPEN_CREATE | STELE_OPEN_EXCL, &d), 0);
    assert_int_equal(d->ops->close(d), 0);
    assert_int_equal(open_dir(&fix->tmp, "x", STELE_OPEN_EXCL, &d), -EINVAL);
    assert_int_equal(open_dir(&fix->tmp, "x", 1U << 9, &d), -EINVAL);

    tmpdir_write(&fix->tmp, "file", "", 0);
    assert_int_equal(open_dir(&fix->tmp, "file", STELE_OPEN_READ, &d), -ENOTDIR);
    assert_int_equal(open_dir(&fix->tmp, "file", STELE_OPEN_CREATE, &d), -ENOTDIR);
    assert_int_equal(open_dir(&fix->tmp, "file/below", STELE_OPEN_CREATE, &d), -ENOTDIR);
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(open_dir(&fix->tmp, name, STELE_OPEN_CREATE, &d), -ENAMETOOLONG);

    assert_int_equal(vfs->ops->open_dir(vfs, "", STELE_OPEN_READ, &d), -EINVAL);
    assert_int_equal(vfs->ops->open_dir(vfs, "/", STELE_OPEN_READ, &d), 0);
    assert_int_equal(d->ops->close(d), 0);
    assert_int_equal(vfs->ops->open_dir(vfs, ".", STELE_OPEN_READ, &d), 0);
    assert_int_equal(d->ops->close(d), 0);
}

static void test_relative_path(void **state)
{
    struct fixture *fix = *state;
    const stele_vfs *vfs = stele_vfs_posix();
    stele_dir *d = NULL;
    int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(here >= 0);
    assert_int_equal(chdir(fix->tmp.path), 0);
    assert_int_equal(vfs->ops->open_dir(vfs, "p/q", STELE_OPEN_CREATE, &d), 0);
    assert_int_equal(d->ops->close(d), 0);
    assert_int_equal(vfs->ops->open_dir(vfs, "./p/../p/q", STELE_OPEN_READ, &d), 0);
    assert_int_equal(d->ops->close(d), 0);
    assert_int_equal(fchdir(here), 0);
    (void)close(here);
    assert_true(tmpdir_exists(&fix->tmp, "p/q"));
}

/* Run in a child that is not root, since root may do everything. It stands in
 * the directory, since it may not be allowed to come from above. */
static int as_nobody(int (*body)(struct fixture *fix), struct fixture *fix)
{
    int status = 0;
    pid_t child;

    assert_int_equal(chmod(fix->tmp.path, 0755), 0);
    child = fork();
    if (child == 0) {
        if (chdir(fix->tmp.path) != 0 ||
                (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))) {
            _exit(100);
        }
        _exit(body(fix));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int try_without_permission(struct fixture *fix)
{
    const stele_vfs *vfs = stele_vfs_posix();
    stele_file *f = NULL;
    stele_dir *d = NULL;

    if (vfs->ops->open_dir(vfs, "closed", STELE_OPEN_READ, &d) != -EACCES) {
        return 1;
    }
    if (vfs->ops->open_dir(vfs, "fixed/new", STELE_OPEN_CREATE, &d) != -EACCES) {
        return 2;
    }
    if (open_in(fix, "secret", STELE_OPEN_READ, &f) != -EACCES) {
        return 3;
    }
    /* Passing through what cannot be listed is fine. */
    if (vfs->ops->open_dir(vfs, "passage/open", STELE_OPEN_CREATE, &d) != 0) {
        return 4;
    }
    return d->ops->close(d);
}

static void set_mode(const struct tmpdir *t, const char *name, mode_t mode)
{
    char path[TMPDIR_PATH_SIZE];

    tmpdir_path(t, name, path);
    assert_int_equal(chmod(path, mode), 0);
}

static void test_no_permission(void **state)
{
    struct fixture *fix = *state;

    tmpdir_mkdir(&fix->tmp, "closed");
    tmpdir_mkdir(&fix->tmp, "fixed");
    tmpdir_mkdir(&fix->tmp, "passage");
    tmpdir_mkdir(&fix->tmp, "passage/open");
    tmpdir_write(&fix->tmp, "secret", "s", 1);
    set_mode(&fix->tmp, "closed", 0);
    set_mode(&fix->tmp, "fixed", 0555);
    set_mode(&fix->tmp, "passage/open", 0755);
    set_mode(&fix->tmp, "passage", 0111);
    set_mode(&fix->tmp, "secret", 0);
    assert_int_equal(as_nobody(try_without_permission, fix), 0);
    set_mode(&fix->tmp, "closed", 0700);
    set_mode(&fix->tmp, "fixed", 0700);
    set_mode(&fix->tmp, "passage", 0700);
}

static void test_map_grows_with_the_file(void **state)
{
    struct fixture *fix = *state;
    stele_file *f = make(fix, "a");
    uint8_t *map = NULL;
    void *out = NULL;
    char back[4];

    assert_int_equal(f->ops->map(f, 0, true, &out), -EINVAL);
    assert_int_equal(f->ops->truncate(f, PAGE), 0);
    assert_int_equal(f->ops->map(f, 16 * PAGE, true, &out), 0);
    map = out;
    memcpy(map, "head", 4);
    /* Behind the end: a failed hint, not a signal. */
    assert_true(f->ops->prefault(f, map, 8 * PAGE, PAGE, true) <= 0);
    assert_int_equal(f->ops->truncate(f, 16 * PAGE), 0);
    assert_int_equal(f->ops->prefault(f, map, 8 * PAGE + 5, 2 * PAGE, true), 0);
    assert_int_equal(f->ops->prefault(f, map, 0, 16 * PAGE, false), 0);
    assert_int_equal(f->ops->prefault(f, map, 5, SIZE_MAX, false), -EINVAL);
    memcpy(map + 15 * PAGE, "tail", 4);
    assert_int_equal(f->ops->pread(f, back, 4, 15 * PAGE), 4);
    assert_memory_equal(back, "tail", 4);
    assert_int_equal(write_at(f, "HEAD", 0), 4);
    assert_memory_equal(map, "HEAD", 4);
    assert_int_equal(f->ops->sync(f, true), 0);
    assert_int_equal(f->ops->unmap(f, map, 16 * PAGE), 0);
    close_file(f);
}

/* What was written stays, through a map or not, and so does the size. */
static void test_prefault_keeps_the_content(void **state)
{
    struct fixture *fix = *state;
    stele_file *f = make(fix, "a");
    const size_t len = 200 * PAGE + 5;
    uint8_t *expected = calloc(1, len);
    uint8_t *back = calloc(1, len);
    stele_file_stat st;
    void *out = NULL;

    assert_non_null(expected);
    assert_non_null(back);
    assert_int_equal(f->ops->truncate(f, len), 0);
    assert_int_equal(write_at(f, "begin", 3), 5);
    assert_int_equal(write_at(f, "middle", 70 * PAGE - 3), 6);
    assert_int_equal(f->ops->map(f, len, true, &out), 0);
    memcpy((uint8_t *)out + 150 * PAGE, "stored", 6);
    for (size_t at = 0; at < len; at += 64 * PAGE) {
        (void)f->ops->prefault(f, out, at, len - at < 64 * PAGE ? len - at : 64 * PAGE, true);
    }
    memcpy(expected + 3, "begin", 5);
    memcpy(expected + 70 * PAGE - 3, "middle", 6);
    memcpy(expected + 150 * PAGE, "stored", 6);
    assert_int_equal(f->ops->pread(f, back, len, 0), len);
    assert_memory_equal(back, expected, len);
    assert_memory_equal(out, expected, len);
    assert_int_equal(f->ops->stat(f, &st), 0);
    assert_int_equal(st.size, len);
    assert_int_equal(f->ops->unmap(f, out, len), 0);
    close_file(f);
    free(back);
    free(expected);
}

static void test_map_outlives_close_and_unlink(void **state)
{
    struct fixture *fix = *state;
    stele_file *f;
    void *first = NULL;
    void *second = NULL;

    tmpdir_write(&fix->tmp, "a", "content", 7);
    assert_int_equal(open_in(fix, "a", STELE_OPEN_READ, &f), 0);
    assert_int_equal(f->ops->map(f, 7, true, &first), -EACCES);
    assert_int_equal(f->ops->map(f, 7, false, &first), 0);
    assert_int_equal(f->ops->map(f, 7, false, &second), 0);
    close_file(f);
    assert_int_equal(fix->dir->ops->unlink(fix->dir, "a"), 0);
    assert_memory_equal(first, "content", 7);
    assert_int_equal(f->ops->prefault(f, second, 0, 7, false), 0);
    assert_int_equal(f->ops->unmap(f, first, 7), 0);
    assert_memory_equal(second, "content", 7);
    assert_int_equal(f->ops->unmap(f, second, 7), 0);
}

static void test_locks(void **state)
{
    struct fixture *fix = *state;
    stele_file *a = make(fix, "lock");
    stele_file *b = make(fix, "lock");
    stele_file *c = make(fix, "lock");

    assert_int_equal(a->ops->lock(a, true), 0);
    assert_int_equal(b->ops->lock(b, true), -EWOULDBLOCK);
    assert_int_equal(b->ops->lock(b, false), -EWOULDBLOCK);
    close_file(a);
    assert_int_equal(b->ops->lock(b, false), 0);
    assert_int_equal(c->ops->lock(c, false), 0);
    assert_int_equal(c->ops->lock(c, true), -EWOULDBLOCK);
    close_file(b);
    assert_int_equal(c->ops->lock(c, true), 0);
    close_file(c);
}

#ifdef STI_TESTING

static bool always(void *arg)
{
    (void)arg;
    return true;
}

/* Nothing is left behind when there is no memory for the handle. */
static void test_no_memory(void **state)
{
    struct fixture *fix = *state;
    stele_file *f = NULL;
    stele_dir *d = NULL;
    int of_file;
    int of_dir;

    sti_alloc_set_hook(always, NULL);
    of_file = open_in(fix, "a", STELE_OPEN_WRITE | STELE_OPEN_CREATE, &f);
    of_dir = open_dir(&fix->tmp, "d", STELE_OPEN_CREATE, &d);
    sti_alloc_set_hook(NULL, NULL);
    assert_int_equal(of_file, -ENOMEM);
    assert_int_equal(of_dir, -ENOMEM);
    assert_false(tmpdir_exists(&fix->tmp, "a"));
    assert_false(tmpdir_exists(&fix->tmp, "d"));
}
#endif

static void test_remove_dir(void **state)
{
    const struct fixture *fix = *state;
    const stele_dir_ops *ops = fix->dir->ops;

    tmpdir_mkdir(&fix->tmp, "sub");
    tmpdir_write(&fix->tmp, "sub/file", "x", 1);
    assert_int_equal(ops->remove_dir(fix->dir, "sub"), -ENOTEMPTY);
    assert_int_equal(ops->remove_dir(fix->dir, "sub/file"), -EINVAL);
    tmpdir_write(&fix->tmp, "file", "x", 1);
    assert_int_equal(ops->remove_dir(fix->dir, "file"), -ENOTDIR);
    assert_int_equal(ops->remove_dir(fix->dir, "none"), -ENOENT);
    tmpdir_mkdir(&fix->tmp, "empty");
    assert_int_equal(ops->remove_dir(fix->dir, "empty"), 0);
    assert_false(tmpdir_exists(&fix->tmp, "empty"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(test_open_and_flags),
            TEST(test_close_on_exec),
            TEST(test_few_descriptors),
            TEST(test_names),
            TEST(test_read_and_write),
            TEST(test_size),
            TEST(test_stat),
            TEST(test_rename_unlink_sync),
            TEST(test_symlinks_are_refused),
            TEST(test_only_regular_files),
            TEST(test_list),
            TEST(test_open_dir),
            TEST(test_remove_dir),
            TEST(test_relative_path),
            TEST(test_no_permission),
            TEST(test_map_grows_with_the_file),
            TEST(test_prefault_keeps_the_content),
            TEST(test_map_outlives_close_and_unlink),
            TEST(test_locks),
#ifdef STI_TESTING
            TEST(test_no_memory),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
