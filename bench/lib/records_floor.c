/* SPDX-License-Identifier: MIT */
#include "base/crc32c.h"
#include "lib/records.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    SYNC_FILE_SIZE = 64 << 20
};

struct records_floor {
    uint8_t *data;
    size_t len;
    size_t size;
    size_t count;
};

static int make(const char *dir)
{
    char path[BENCH_PATH_SIZE];
    int fd;

    bench_path(path, dir, "floor");
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        bench_die("%s: %s", path, strerror(errno));
    }
    return fd;
}

static void prepare(int fd, size_t size, enum records_file file)
{
    static uint8_t zeros[1 << 16];

    if (file == RECORDS_FILE_GROWS) {
        return;
    }
    if (posix_fallocate(fd, 0, (off_t)size) != 0) {
        bench_die("no space for %zu bytes", size);
    }
    for (size_t at = 0; file == RECORDS_FILE_WRITTEN && at < size; at += sizeof zeros) {
        if (pwrite(fd, zeros, sizeof zeros, (off_t)at) != sizeof zeros) {
            bench_die("pwrite: %s", strerror(errno));
        }
    }
    (void)fsync(fd);
}

struct records_raw {
    const struct bench_records *records;
    uint8_t *record;
    size_t head;
    size_t count;
    size_t wrap; /* records of a file that does not grow */
    int fd;
};

struct records_raw *records_raw_open(
        const char *dir, const struct bench_records *records, size_t head, enum records_file file)
{
    struct records_raw *r = calloc(1, sizeof *r);
    size_t size = records->size + head;

    if (r == NULL || (r->record = malloc(size)) == NULL) {
        bench_die("out of memory");
    }
    memset(r->record, 1, size);
    r->records = records;
    r->head = head;
    r->wrap = file == RECORDS_FILE_GROWS ? SIZE_MAX : SYNC_FILE_SIZE / size;
    r->fd = make(dir);
    prepare(r->fd, SYNC_FILE_SIZE, file);
    return r;
}

void records_raw_append(struct records_raw *r)
{
    size_t size = r->records->size + r->head;
    size_t at = r->count % r->wrap * size;

    memcpy(r->record + r->head, bench_record(r->records, r->count), r->records->size);
    if (pwrite(r->fd, r->record, size, (off_t)at) != (ssize_t)size || fdatasync(r->fd) != 0) {
        bench_die("pwrite, fdatasync: %s", strerror(errno));
    }
    r->count++;
}

void records_raw_close(struct records_raw *r)
{
    (void)close(r->fd);
    free(r->record);
    free(r);
}

double records_floor_append(const char *dir, const struct bench_records *records, size_t head,
        enum records_file file, double seconds)
{
    struct records_raw *r;
    size_t count = 0;
    double start;
    double taken;

    bench_fresh_dir(dir);
    r = records_raw_open(dir, records, head, file);
    start = bench_now();
    do {
        records_raw_append(r);
        count++;
        taken = bench_now() - start;
    } while (taken < seconds);
    records_raw_close(r);
    bench_remove_dir(dir);
    return (double)count / taken;
}

struct records_floor *records_floor_open(const char *dir, const struct bench_records *records)
{
    struct records_floor *f = malloc(sizeof *f);
    int fd;

    if (f == NULL) {
        bench_die("out of memory");
    }
    f->count = records->count;
    f->size = records->size;
    f->len = f->count * f->size;
    fd = make(dir);
    if (posix_fallocate(fd, 0, (off_t)f->len) != 0) {
        bench_die("%s: no space for %zu bytes", dir, f->len);
    }
    f->data = mmap(NULL, f->len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (f->data == MAP_FAILED) {
        bench_die("mmap: %s", strerror(errno));
    }
    (void)close(fd);
    for (size_t i = 0; i < f->count; i++) {
        memcpy(f->data + i * f->size, bench_record(records, i), f->size);
    }
    return f;
}

double records_floor_read(const struct records_floor *f)
{
    static volatile uint64_t sink;
    double start = bench_now();
    uint64_t seen = 0;

    for (size_t i = 0; i + sizeof seen <= f->len; i += sizeof seen) {
        uint64_t word;

        memcpy(&word, f->data + i, sizeof word);
        seen += word;
    }
    sink = seen;
    (void)sink;
    return bench_now() - start;
}

double records_floor_checksum(const struct records_floor *f)
{
    static volatile uint64_t sink;
    double start = bench_now();
    uint64_t seen = 0;

    for (size_t i = 0; i < f->count; i++) {
        seen += sti_crc32c(0, f->data + i * f->size, f->size);
    }
    sink = seen;
    (void)sink;
    return bench_now() - start;
}

void records_floor_close(struct records_floor *f)
{
    (void)munmap(f->data, f->len);
    free(f);
}
