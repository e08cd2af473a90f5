/* SPDX-License-Identifier: MIT
 *
 * lock.c: one owner per directory.
 *
 * flock(2) tells nobody who has the lock, so an exclusive owner writes its
 * process id into the file. That is for messages alone: the lock is what
 * counts, it ends with the process, and a full disk that has no room for the
 * number keeps nobody from the data.
 */
#include "base/error.h"
#include "base/thread.h"
#include "vfs/vfs.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
    POLL_MS = 10,
    PID_TEXT_SIZE = 24
};

static void write_pid(struct sti_file *lock)
{
    char text[PID_TEXT_SIZE];
    int len = snprintf(text, sizeof text, "%lld\n", (long long)getpid());

    if (len > 0 && sti_file_write(lock, 0, text, (size_t)len, NULL) == STELE_OK &&
            sti_file_truncate(lock, (uint64_t)len, NULL) == STELE_OK) {
        return;
    }
    /* Better no number than that of an earlier owner. */
    (void)sti_file_truncate(lock, 0, NULL);
}

/* The number in the file, or 0. */
static long long read_pid(struct sti_file *lock)
{
    char text[PID_TEXT_SIZE];
    long long pid = 0;
    size_t len = 0;

    if (sti_file_read_some(lock, 0, text, sizeof text, &len, NULL) != STELE_OK) {
        return 0;
    }
    for (size_t i = 0; i < len && text[i] != '\n'; i++) {
        if (text[i] < '0' || text[i] > '9' || pid > INT32_MAX) {
            return 0;
        }
        pid = pid * 10 + (text[i] - '0');
    }
    return pid;
}

/* If a shared lock can be had where an exclusive one cannot, then readers are
 * in the way, and the number in the file is that of an owner who is gone. The
 * lock that this takes ends with the handle, which the caller closes. */
static stele_code fail_busy(
        struct sti_file *lock, const struct sti_dir *d, bool exclusive, stele_error *err)
{
    bool readers = exclusive && lock->raw->ops->lock(lock->raw, false) == 0;
    long long pid = readers ? 0 : read_pid(lock);

    if (readers) {
        return sti_fail_at(err, STELE_EBUSY, d->path, -1, "locked by another process that reads");
    }
    if (pid == 0) {
        return sti_fail_at(err, STELE_EBUSY, d->path, -1, "locked by another process");
    }
    return sti_fail_at(err, STELE_EBUSY, d->path, -1, "locked by process %lld", pid);
}

static stele_code wait_for_lock(struct sti_file *lock, const struct sti_dir *d, bool exclusive,
        int64_t wait_ms, stele_error *err)
{
    const stele_wait wait = {.timeout_ms = wait_ms, .cancel = NULL};
    int64_t deadline = sti_wait_deadline(&wait);
    int rc;

    for (;;) {
        int64_t left_ms;
        stele_code code;

        rc = lock->raw->ops->lock(lock->raw, exclusive);
        if (rc != -EWOULDBLOCK) {
            break;
        }
        left_ms = (deadline - sti_monotonic_now_ns()) / 1000000;
        if (wait_ms == 0 || left_ms <= 0) {
            return fail_busy(lock, d, exclusive, err);
        }
        code = sti_sleep_ms(left_ms < POLL_MS ? left_ms : POLL_MS, NULL, err);
        if (code != STELE_OK) {
            return code;
        }
    }
    if (rc < 0) {
        return sti_fail_errno_at(err, -rc, lock->name, -1, "cannot lock");
    }
    return STELE_OK;
}

/* A reader needs the file to be there, not to write it. Where it is missing
 * and cannot be made, no writer can have it either. *without says so. */
static stele_code open_shared(
        struct sti_file *lock, struct sti_dir *d, const char *name, bool *without, stele_error *err)
{
    stele_code code = sti_file_open(lock, d, name, STELE_OPEN_READ, err);

    *without = false;
    if (code == STELE_ENOTFOUND) {
        code = sti_file_open(lock, d, name, STELE_OPEN_READ | STELE_OPEN_CREATE, err);
        *without = code == STELE_EPERM;
    }
    return code;
}

stele_code sti_lock_take(struct sti_file *lock, struct sti_dir *d, const char *name, bool exclusive,
        int64_t wait_ms, stele_error *err)
{
    struct sti_file f = {.raw = NULL};
    bool without = false;
    stele_code code;

    if (exclusive) {
        code = sti_file_open(&f, d, name, STELE_OPEN_WRITE | STELE_OPEN_CREATE, err);
    } else {
        code = open_shared(&f, d, name, &without, err);
    }
    if (without) {
        *lock = f;
        return STELE_OK;
    }
    if (code == STELE_OK) {
        code = wait_for_lock(&f, d, exclusive, wait_ms, err);
    }
    if (code != STELE_OK) {
        sti_file_close(&f);
        return code;
    }
    if (exclusive) {
        write_pid(&f);
    }
    *lock = f;
    return STELE_OK;
}

int64_t sti_process_number(void)
{
    return (int64_t)getpid();
}
