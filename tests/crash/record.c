/* SPDX-License-Identifier: MIT
 *
 * record.c: system calls, made and written down.
 */
#include "crash/record_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    DESCRIPTORS = 1024,
    NODES = 4096,
    EVENTS = 1 << 17,
    PIECES = 128 /* of one write */,
    KILLED = 87
};

#define ARENA_SIZE ((size_t)1 << 30)

struct node {
    dev_t dev;
    ino_t ino; /* 0: nothing has a name for it any more */
    bool is_dir;
};

struct shared {
    size_t count;
    size_t used; /* of the bytes behind */
    uint32_t node_count;
    struct record_fault fault;
    bool has_fault;
    uint64_t fault_calls;
    uint64_t fault_hits;
    struct node nodes[NODES];
    struct record_event events[EVENTS];
    uint8_t bytes[];
};

static struct {
    pthread_mutex_t lock;
    struct shared *shared;
    pid_t owner;
    bool on;
    uint32_t node_of[DESCRIPTORS]; /* plus 1; 0: not ours */
    bool synced[DESCRIPTORS];
} rec = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Where a failure is no result of a test. */
static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* ---- The record. ---- */

static void *keep(const void *bytes, size_t len)
{
    void *at = rec.shared->bytes + rec.shared->used;

    must(len <= ARENA_SIZE - sizeof *rec.shared - rec.shared->used);
    memcpy(at, bytes, len);
    rec.shared->used += len;
    return at;
}

static const char *keep_name(const char *name)
{
    return keep(name, strlen(name) + 1);
}

static struct record_event *add(enum record_kind kind)
{
    struct record_event *e = &rec.shared->events[rec.shared->count];

    must(rec.shared->count < EVENTS);
    memset(e, 0, sizeof *e);
    e->kind = kind;
    rec.shared->count++;
    return e;
}

static uint32_t add_node(const struct stat *st)
{
    uint32_t n = rec.shared->node_count;

    must(n < NODES);
    rec.shared->nodes[n] = (struct node){st->st_dev, st->st_ino, S_ISDIR(st->st_mode)};
    rec.shared->node_count++;
    return n;
}

/* Plus 1; 0: none. */
static uint32_t find_node(const struct stat *st)
{
    for (uint32_t i = 0; i < rec.shared->node_count; i++) {
        const struct node *n = &rec.shared->nodes[i];

        if (n->ino == st->st_ino && n->dev == st->st_dev) {
            return i + 1;
        }
    }
    return 0;
}

static uint32_t node_of(int fd)
{
    return rec.on && fd >= 0 && fd < DESCRIPTORS ? rec.node_of[fd] : 0;
}

/* Whether a path was given whole: its directory then is in it. */
static uint32_t dir_of(int at, const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    char parent[4096];
    struct stat st;

    *name = slash == NULL ? path : slash + 1;
    if (!rec.on) {
        return 0;
    }
    if (slash == NULL) {
        return node_of(at);
    }
    if (slash == path || (size_t)(slash - path) >= sizeof parent) {
        return 0;
    }
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = '\0';
    return fstatat(at, parent, &st, 0) == 0 ? find_node(&st) : 0;
}

void record_start(const char *root)
{
    struct stat st;

    if (rec.shared == NULL || rec.owner != getpid()) {
        void *map = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        must(map != MAP_FAILED);
        rec.shared = map;
        rec.owner = getpid();
    }
    must(stat(root, &st) == 0);
    must(record_calls_are_here());
    rec.shared->count = 0;
    rec.shared->used = 0;
    rec.shared->node_count = 0;
    rec.shared->has_fault = false;
    memset(rec.node_of, 0, sizeof rec.node_of);
    (void)add_node(&st);
    rec.on = true;
}

uint32_t record_know(const char *path, bool is_dir)
{
    struct stat st;

    must(stat(path, &st) == 0);
    must(S_ISDIR(st.st_mode) == is_dir);
    return add_node(&st);
}

void record_stop(void)
{
    rec.on = false;
}

void record_note(int note, uint32_t what, uint64_t value)
{
    struct record_event *e;

    if (!rec.on) {
        return;
    }
    (void)pthread_mutex_lock(&rec.lock);
    e = add(RECORD_NOTE);
    e->note = note;
    e->what = what;
    e->value = value;
    (void)pthread_mutex_unlock(&rec.lock);
}

size_t record_count(void)
{
    return rec.shared == NULL ? 0 : rec.shared->count;
}

struct record_event record_at(size_t n)
{
    must(n < rec.shared->count);
    return rec.shared->events[n];
}

/* ---- Faults. ---- */

void record_set_fault(const struct record_fault *fault)
{
    rec.shared->has_fault = fault != NULL;
    rec.shared->fault_calls = 0;
    rec.shared->fault_hits = 0;
    if (fault != NULL) {
        rec.shared->fault = *fault;
    }
}

uint64_t record_fault_hits(void)
{
    return rec.shared->fault_hits;
}

uint64_t record_fault_calls(void)
{
    return rec.shared->fault_calls;
}

static bool needs_room(enum record_kind kind)
{
    return kind == RECORD_CREATE || kind == RECORD_MKDIR || kind == RECORD_WRITE ||
           kind == RECORD_ALLOCATE;
}

/* What becomes of a call. */
enum fate {
    FATE_DONE,
    FATE_ERROR,
    FATE_SHORT,
    FATE_LAST /* it is done, and the process ends */
};

static enum fate decide(enum record_kind kind)
{
    const struct record_fault *f = &rec.shared->fault;
    uint64_t n;

    if (!rec.shared->has_fault || (f->only_syncs && kind != RECORD_SYNC) ||
            (f->only_writes && !needs_room(kind))) {
        return FATE_DONE;
    }
    n = rec.shared->fault_calls++;
    if (n < f->at || (n > f->at && !f->persistent)) {
        return FATE_DONE;
    }
    rec.shared->fault_hits++;
    switch (f->kind) {
    case RECORD_FAULT_KILL:
        _exit(KILLED);
    case RECORD_FAULT_KILL_AFTER:
        return FATE_LAST;
    case RECORD_FAULT_SHORT:
        return kind == RECORD_WRITE ? FATE_SHORT : FATE_DONE;
    default:
        errno = f->error;
        return FATE_ERROR;
    }
}

static void end_if_last(enum fate fate)
{
    if (fate == FATE_LAST) {
        _exit(KILLED);
    }
}

/* ---- Names. ---- */

static bool is_there(int at, const char *name)
{
    struct stat st;

    return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void remember(int fd, int flags)
{
    struct stat st;

    if (fd < DESCRIPTORS && fstat(fd, &st) == 0) {
        rec.node_of[fd] = find_node(&st);
        rec.synced[fd] = (flags & O_DSYNC) != 0;
    }
}

int record_open(int at, const char *path, int flags, unsigned mode)
{
    const char *name;
    uint32_t dir;
    bool made;
    enum fate fate = FATE_DONE;
    int fd;

    (void)pthread_mutex_lock(&rec.lock);
    dir = dir_of(at, path, &name);
    made = dir != 0 && (flags & O_CREAT) != 0 && !is_there(at, path);
    if (made) {
        fate = decide(RECORD_CREATE);
    }
    fd = fate == FATE_ERROR ? -1 : (int)syscall(SYS_openat, at, path, flags, mode);
    if (fd >= 0 && rec.on) {
        if (made) {
            struct record_event *e = add(RECORD_CREATE);
            struct stat st;

            must(fstat(fd, &st) == 0);
            e->dir = dir - 1;
            e->name = keep_name(name);
            e->node = add_node(&st);
        }
        remember(fd, flags);
    }
    end_if_last(fate);
    (void)pthread_mutex_unlock(&rec.lock);
    return fd;
}

int record_mkdir(int at, const char *path, unsigned mode)
{
    const char *name;
    uint32_t dir;
    enum fate fate = FATE_DONE;
    int rc;

    (void)pthread_mutex_lock(&rec.lock);
    dir = dir_of(at, path, &name);
    if (dir != 0 && !is_there(at, path)) {
        fate = decide(RECORD_MKDIR);
    }
    rc = fate == FATE_ERROR ? -1 : (int)syscall(SYS_mkdirat, at, path, mode);
    if (rc == 0 && dir != 0) {
        struct record_event *e = add(RECORD_MKDIR);
        struct stat st;

        must(fstatat(at, path, &st, 0) == 0);
        e->dir = dir - 1;
        e->name = keep_name(name);
        e->node = add_node(&st);
    }
    end_if_last(fate);
    (void)pthread_mutex_unlock(&rec.lock);
    return rc;
}

/* The node that a name leads to, plus 1. */
static uint32_t node_at(int at, const char *path)
{
    struct stat st;

    return fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? find_node(&st) : 0;
}

/* Its number may be given to another file once no name leads to it. */
static void forget(uint32_t node)
{
    if (node != 0) {
        rec.shared->nodes[node - 1].ino = 0;
    }
}

int record_unlink(int at, const char *path, int flags)
{
    const char *name;
    uint32_t dir;
    uint32_t node;
    enum fate fate = FATE_DONE;
    int rc;

    (void)pthread_mutex_lock(&rec.lock);
    dir = dir_of(at, path, &name);
    node = dir == 0 ? 0 : node_at(at, path);
    if (node != 0) {
        fate = decide(RECORD_UNLINK);
    }
    rc = fate == FATE_ERROR ? -1 : (int)syscall(SYS_unlinkat, at, path, flags);
    if (rc == 0 && node != 0) {
        struct record_event *e = add(RECORD_UNLINK);

        e->dir = dir - 1;
        e->name = keep_name(name);
        e->is_dir = (flags & AT_REMOVEDIR) != 0;
        forget(node);
    }
    end_if_last(fate);
    (void)pthread_mutex_unlock(&rec.lock);
    return rc;
}

int record_rename(int from_at, const char *from, int to_at, const char *to)
{
    const char *name;
    const char *to_name;
    uint32_t dir;
    uint32_t to_dir;
    uint32_t replaced;
    enum fate fate = FATE_DONE;
    int rc;

    (void)pthread_mutex_lock(&rec.lock);
    dir = dir_of(from_at, from, &name);
    to_dir = dir_of(to_at, to, &to_name);
    replaced = to_dir == 0 ? 0 : node_at(to_at, to);
    must((dir == 0) == (to_dir == 0));
    if (dir != 0) {
        fate = decide(RECORD_RENAME);
    }
    rc = fate == FATE_ERROR ? -1 : (int)syscall(SYS_renameat2, from_at, from, to_at, to, 0);
    if (rc == 0 && dir != 0) {
        struct record_event *e = add(RECORD_RENAME);
        uint32_t node = node_at(to_at, to);

        e->dir = dir - 1;
        e->name = keep_name(name);
        e->to_dir = to_dir - 1;
        e->to = keep_name(to_name);
        e->is_dir = node != 0 && rec.shared->nodes[node - 1].is_dir;
        forget(replaced);
    }
    end_if_last(fate);
    (void)pthread_mutex_unlock(&rec.lock);
    return rc;
}

/* ---- Contents. ---- */

/* So much of the pieces, from the front. */
static size_t cut(struct iovec *some, const struct iovec *pieces, int count, size_t len, int *n)
{
    size_t taken = 0;

    for (*n = 0; *n < count && taken < len; ++*n) {
        some[*n] = pieces[*n];
        if (some[*n].iov_len > len - taken) {
            some[*n].iov_len = len - taken;
        }
        taken += some[*n].iov_len;
    }
    return taken;
}

static struct record_event *note_write(
        int fd, const struct iovec *pieces, int count, uint64_t at, size_t len)
{
    struct record_event *e = add(RECORD_WRITE);
    size_t left = len;

    e->node = node_of(fd) - 1;
    e->at = at;
    e->len = len;
    e->bytes = rec.shared->bytes + rec.shared->used;
    e->synced = rec.synced[fd];
    for (int i = 0; i < count && left > 0; i++) {
        size_t part = pieces[i].iov_len < left ? pieces[i].iov_len : left;

        (void)keep(pieces[i].iov_base, part);
        left -= part;
    }
    return e;
}

/* Write the pieces at `at`, or where the descriptor is. */
ssize_t record_write(int fd, const struct iovec *pieces, int count, off_t at, bool here)
{
    struct iovec some[PIECES];
    size_t total = 0;
    int n = count;
    enum fate fate;
    ssize_t put;

    (void)pthread_mutex_lock(&rec.lock);
    must(count <= PIECES);
    for (int i = 0; i < count; i++) {
        total += pieces[i].iov_len;
    }
    fate = decide(RECORD_WRITE);
    if (here) {
        at = lseek(fd, 0, SEEK_CUR);
    }
    (void)cut(some, pieces, count, fate == FATE_SHORT ? total / 2 : total, &n);
    put = fate == FATE_ERROR ? -1 : syscall(SYS_pwritev, fd, some, n, at, 0);
    if (put > 0) {
        struct record_event *e = note_write(fd, some, n, (uint64_t)at, (size_t)put);

        /* It dies between the write and the sync. */
        e->synced = e->synced && fate != FATE_LAST;
        if (here) {
            (void)lseek(fd, at + put, SEEK_SET);
        }
    }
    end_if_last(fate);
    (void)pthread_mutex_unlock(&rec.lock);
    return put;
}

int record_truncate(int fd, off_t size)
{
    enum fate fate;
    int rc;

    (void)pthread_mutex_lock(&rec.lock);
    fate = decide(RECORD_TRUNCATE);
    rc = fate == FATE_ERROR ? -1 : (int)syscall(SYS_ftruncate, fd, size);
    if (rc == 0) {
        struct record_event *e = add(RECORD_TRUNCATE);

        e->node = node_of(fd) - 1;
        e->at = (uint64_t)size;
    }
    end_if_last(fate);
    (void)pthread_mutex_unlock(&rec.lock);
    return rc;
}

/* Blocks are not reserved, only the length is made: that is all that shows, and a hundred times as
 * fast. */
int record_allocate(int fd, off_t at, off_t len)
{
    enum fate fate;
    struct stat st;
    int rc;

    (void)pthread_mutex_lock(&rec.lock);
    fate = decide(RECORD_ALLOCATE);
    rc = fate == FATE_ERROR ? -1 : fstat(fd, &st);
    if (rc == 0 && st.st_size < at + len) {
        rc = (int)syscall(SYS_ftruncate, fd, at + len);
    }
    if (rc == 0) {
        struct record_event *e = add(RECORD_ALLOCATE);

        e->node = node_of(fd) - 1;
        e->at = (uint64_t)at;
        e->len = (uint64_t)len;
    }
    end_if_last(fate);
    (void)pthread_mutex_unlock(&rec.lock);
    return rc;
}

/* What is recorded lies in memory: there is nothing to wait for. */
int record_sync(int fd)
{
    struct record_event *e;
    enum fate fate;

    (void)pthread_mutex_lock(&rec.lock);
    fate = decide(RECORD_SYNC);
    e = add(RECORD_SYNC);
    e->node = node_of(fd) - 1;
    e->failed = fate == FATE_ERROR;
    end_if_last(fate);
    (void)pthread_mutex_unlock(&rec.lock);
    return fate == FATE_ERROR ? -1 : 0;
}

int record_close(int fd)
{
    int rc;

    (void)pthread_mutex_lock(&rec.lock);
    rec.node_of[fd] = 0;
    rc = (int)syscall(SYS_close, fd);
    (void)pthread_mutex_unlock(&rec.lock);
    return rc;
}

bool record_is_on(void)
{
    return rec.on;
}

bool record_has(int fd)
{
    return node_of(fd) != 0;
}
