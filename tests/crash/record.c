/* SPDX-License-Identifier: MIT
 *
 * record.c: system calls, made and written down.
 */
#include "crash/record_calls.h"
#include "crash/record_state.h"

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

#define ARENA_SIZE ((size_t)1 << 30)

enum {
    PIECES = 128, /* of one write */
    KILLED = 87
};

struct recorder recorder = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Where a failure is no result of a test. */
void record_must(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* ---- The record. ---- */

static void *keep(const void *bytes, size_t len)
{
    void *at = recorder.shared->bytes + recorder.shared->used;

    record_must(len <= ARENA_SIZE - sizeof *recorder.shared - recorder.shared->used);
    memcpy(at, bytes, len);
    recorder.shared->used += len;
    return at;
}

const char *record_keep_name(const char *name)
{
    return keep(name, strlen(name) + 1);
}

struct record_event *record_add(enum record_kind kind)
{
    struct record_event *e = &recorder.shared->events[recorder.shared->count];

    record_must(recorder.shared->count < RECORD_EVENTS);
    memset(e, 0, sizeof *e);
    e->kind = kind;
    recorder.shared->count++;
    return e;
}

uint32_t record_add_node(const struct stat *st)
{
    uint32_t n = recorder.shared->node_count;

    record_must(n < RECORD_NODES);
    recorder.shared->nodes[n] = (struct record_node){st->st_dev, st->st_ino, S_ISDIR(st->st_mode)};
    recorder.shared->node_count++;
    return n;
}

/* Plus 1; 0: none. */
uint32_t record_find_node(const struct stat *st)
{
    for (uint32_t i = 0; i < recorder.shared->node_count; i++) {
        const struct record_node *n = &recorder.shared->nodes[i];

        if (n->ino == st->st_ino && n->dev == st->st_dev) {
            return i + 1;
        }
    }
    return 0;
}

uint32_t record_node_of(int fd)
{
    return recorder.on && fd >= 0 && fd < RECORD_DESCRIPTORS ? recorder.node_of[fd] : 0;
}

/* Whether a path was given whole: its directory then is in it. */
uint32_t record_dir_of(int at, const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    char parent[4096];
    struct stat st;

    *name = slash == NULL ? path : slash + 1;
    if (!recorder.on) {
        return 0;
    }
    if (slash == NULL) {
        return record_node_of(at);
    }
    if (slash == path || (size_t)(slash - path) >= sizeof parent) {
        return 0;
    }
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = '\0';
    return fstatat(at, parent, &st, 0) == 0 ? record_find_node(&st) : 0;
}

void record_start(const char *root)
{
    struct stat st;

    if (recorder.shared == NULL || recorder.owner != getpid()) {
        void *map = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        record_must(map != MAP_FAILED);
        recorder.shared = map;
        recorder.owner = getpid();
    }
    record_must(stat(root, &st) == 0);
    record_must(record_calls_are_here());
    recorder.shared->count = 0;
    recorder.shared->used = 0;
    recorder.shared->node_count = 0;
    recorder.shared->has_fault = false;
    memset(recorder.node_of, 0, sizeof recorder.node_of);
    (void)record_add_node(&st);
    recorder.on = true;
}

uint32_t record_know(const char *path, bool is_dir)
{
    struct stat st;

    record_must(stat(path, &st) == 0);
    record_must(S_ISDIR(st.st_mode) == is_dir);
    return record_add_node(&st);
}

void record_stop(void)
{
    recorder.on = false;
}

void record_note(int note, uint32_t what, uint64_t value)
{
    struct record_event *e;

    if (!recorder.on) {
        return;
    }
    (void)pthread_mutex_lock(&recorder.lock);
    e = record_add(RECORD_NOTE);
    e->note = note;
    e->what = what;
    e->value = value;
    (void)pthread_mutex_unlock(&recorder.lock);
}

size_t record_count(void)
{
    return recorder.shared == NULL ? 0 : recorder.shared->count;
}

struct record_event record_at(size_t n)
{
    record_must(n < recorder.shared->count);
    return recorder.shared->events[n];
}

/* ---- Faults. ---- */

void record_set_fault(const struct record_fault *fault)
{
    recorder.shared->has_fault = fault != NULL;
    recorder.shared->fault_calls = 0;
    recorder.shared->fault_hits = 0;
    if (fault != NULL) {
        recorder.shared->fault = *fault;
    }
}

uint64_t record_fault_hits(void)
{
    return recorder.shared->fault_hits;
}

uint64_t record_fault_calls(void)
{
    return recorder.shared->fault_calls;
}

static bool needs_room(enum record_kind kind)
{
    return kind == RECORD_CREATE || kind == RECORD_MKDIR || kind == RECORD_WRITE ||
           kind == RECORD_ALLOCATE;
}

enum record_fate record_decide(enum record_kind kind)
{
    const struct record_fault *f = &recorder.shared->fault;
    uint64_t n;

    if (!recorder.shared->has_fault || (f->only_syncs && kind != RECORD_SYNC) ||
            (f->only_writes && !needs_room(kind))) {
        return FATE_DONE;
    }
    n = recorder.shared->fault_calls++;
    if (n < f->at || (n > f->at && !f->persistent)) {
        return FATE_DONE;
    }
    recorder.shared->fault_hits++;
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

void record_end_if_last(enum record_fate fate)
{
    if (fate == FATE_LAST) {
        _exit(KILLED);
    }
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
    struct record_event *e = record_add(RECORD_WRITE);
    size_t left = len;

    e->node = record_node_of(fd) - 1;
    e->at = at;
    e->len = len;
    e->bytes = recorder.shared->bytes + recorder.shared->used;
    e->synced = recorder.synced[fd];
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
    enum record_fate fate;
    ssize_t put;

    (void)pthread_mutex_lock(&recorder.lock);
    record_must(count <= PIECES);
    for (int i = 0; i < count; i++) {
        total += pieces[i].iov_len;
    }
    fate = record_decide(RECORD_WRITE);
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
    record_end_if_last(fate);
    (void)pthread_mutex_unlock(&recorder.lock);
    return put;
}

int record_truncate(int fd, off_t size)
{
    enum record_fate fate;
    int rc;

    (void)pthread_mutex_lock(&recorder.lock);
    fate = record_decide(RECORD_TRUNCATE);
    rc = fate == FATE_ERROR ? -1 : (int)syscall(SYS_ftruncate, fd, size);
    if (rc == 0) {
        struct record_event *e = record_add(RECORD_TRUNCATE);

        e->node = record_node_of(fd) - 1;
        e->at = (uint64_t)size;
    }
    record_end_if_last(fate);
    (void)pthread_mutex_unlock(&recorder.lock);
    return rc;
}

/* Blocks are not reserved, only the length is made: that is all that shows, and a hundred times as
 * fast. */
int record_allocate(int fd, off_t at, off_t len)
{
    enum record_fate fate;
    struct stat st;
    int rc;

    (void)pthread_mutex_lock(&recorder.lock);
    fate = record_decide(RECORD_ALLOCATE);
    rc = fate == FATE_ERROR ? -1 : fstat(fd, &st);
    if (rc == 0 && st.st_size < at + len) {
        rc = (int)syscall(SYS_ftruncate, fd, at + len);
    }
    if (rc == 0) {
        struct record_event *e = record_add(RECORD_ALLOCATE);

        e->node = record_node_of(fd) - 1;
        e->at = (uint64_t)at;
        e->len = (uint64_t)len;
    }
    record_end_if_last(fate);
    (void)pthread_mutex_unlock(&recorder.lock);
    return rc;
}

/* What is recorded lies in memory: there is nothing to wait for. */
int record_sync(int fd)
{
    struct record_event *e;
    enum record_fate fate;

    (void)pthread_mutex_lock(&recorder.lock);
    fate = record_decide(RECORD_SYNC);
    e = record_add(RECORD_SYNC);
    e->node = record_node_of(fd) - 1;
    e->failed = fate == FATE_ERROR;
    record_end_if_last(fate);
    (void)pthread_mutex_unlock(&recorder.lock);
    return fate == FATE_ERROR ? -1 : 0;
}

int record_close(int fd)
{
    int rc;

    (void)pthread_mutex_lock(&recorder.lock);
    recorder.node_of[fd] = 0;
    rc = (int)syscall(SYS_close, fd);
    (void)pthread_mutex_unlock(&recorder.lock);
    return rc;
}

bool record_is_on(void)
{
    return recorder.on;
}

bool record_has(int fd)
{
    return record_node_of(fd) != 0;
}
