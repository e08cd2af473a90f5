/* SPDX-License-Identifier: MIT */
#include "base/crc32c.h"
#include "lib/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    HEADER_SIZE = 28,
    MESSAGE_SIZE = HEADER_SIZE + BENCH_KEY_SIZE + BENCH_VALUE_SIZE,
    FILE_SIZE = 1 << 20,
    SYNC_FILE_SIZE = 64 << 20
};

struct peer_floor {
    uint8_t *data;
    size_t len;
    size_t count;
};

static int make(const char *dir, size_t size)
{
    char path[BENCH_PATH_SIZE];
    int fd;

    bench_path(path, dir, "floor");
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || posix_fallocate(fd, 0, (off_t)size) != 0) {
        bench_die("%s: %s", path, strerror(errno));
    }
    return fd;
}

static uint8_t *map(int fd, size_t size)
{
    uint8_t *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (data == MAP_FAILED) {
        bench_die("mmap: %s", strerror(errno));
    }
    return data;
}

static void put(uint8_t *out, const struct bench_data *data, size_t i)
{
    uint32_t crc;

    memset(out, 0, HEADER_SIZE);
    memcpy(out, &i, sizeof i);
    memcpy(out + HEADER_SIZE, bench_key(data, i), BENCH_KEY_SIZE);
    memcpy(out + HEADER_SIZE + BENCH_KEY_SIZE, bench_value(data, i), BENCH_VALUE_SIZE);
    crc = sti_crc32c(0, out + 4, MESSAGE_SIZE - 4);
    memcpy(out + 8, &crc, sizeof crc);
}

/* Into one file's worth of memory, again and again: a stream that rolls over
 * has to make files besides. */
double peer_floor_put(const char *dir, const struct bench_data *data)
{
    int fd = make(dir, FILE_SIZE);
    uint8_t *bytes = map(fd, FILE_SIZE);
    size_t at = 0;
    double start;
    double seconds;

    memset(bytes, 0, FILE_SIZE);
    start = bench_now();
    for (size_t i = 0; i < data->count; i++) {
        put(bytes + at, data, i);
        at = at + 2 * MESSAGE_SIZE > FILE_SIZE ? 0 : at + MESSAGE_SIZE;
    }
    seconds = bench_now() - start;
    (void)munmap(bytes, FILE_SIZE);
    (void)close(fd);
    return seconds;
}

struct peer_floor *peer_floor_open(const char *dir, const struct bench_data *data)
{
    struct peer_floor *f = malloc(sizeof *f);
    int fd;

    if (f == NULL) {
        bench_die("out of memory");
    }
    f->count = data->count;
    f->len = data->count * MESSAGE_SIZE;
    fd = make(dir, f->len);
    f->data = map(fd, f->len);
    (void)close(fd);
    for (size_t i = 0; i < data->count; i++) {
        put(f->data + i * MESSAGE_SIZE, data, i);
    }
    return f;
}

double peer_floor_scan(const struct peer_floor *f)
{
    static volatile uint64_t sink;
    double start = bench_now();
    uint64_t seen = 0;

    for (size_t i = 0; i < f->count; i++) {
        const uint8_t *message = f->data + i * MESSAGE_SIZE;

        seen += (uint64_t)message[HEADER_SIZE] + message[HEADER_SIZE + BENCH_KEY_SIZE];
    }
    sink = seen;
    (void)sink;
    return bench_now() - start;
}

/* Where a message lies, by a table; then the message. The next look-up waits for that. */
double peer_floor_look(const struct peer_floor *f, size_t lookups)
{
    static volatile uint64_t sink;
    uint64_t *places = malloc(f->count * sizeof *places);
    uint64_t state = 1;
    uint64_t seen = 0;
    double start;
    double taken;

    if (places == NULL) {
        bench_die("out of memory");
    }
    for (size_t i = 0; i < f->count; i++) {
        places[i] = i * MESSAGE_SIZE;
    }
    start = bench_now();
    for (size_t i = 0; i < lookups; i++) {
        size_t n = (size_t)((bench_random(&state) + seen % 2) % f->count);
        const uint8_t *message = f->data + places[n];

        seen = (uint64_t)message[0] + message[HEADER_SIZE] +
               message[HEADER_SIZE + BENCH_KEY_SIZE + BENCH_VALUE_SIZE - 1];
    }
    taken = bench_now() - start;
    sink = seen;
    (void)sink;
    free(places);
    return taken;
}

void peer_floor_close(struct peer_floor *f)
{
    (void)munmap(f->data, f->len);
    free(f);
}

double peer_floor_sync(const char *dir, const struct bench_data *data, double seconds)
{
    int fd = make(dir, SYNC_FILE_SIZE);
    uint8_t message[MESSAGE_SIZE];
    uint8_t zeros[4096] = {0};
    size_t count = 0;
    double start;
    double taken;

    /* Blocks that were written once: only data is left to sync. */
    for (size_t at = 0; at < SYNC_FILE_SIZE; at += sizeof zeros) {
        if (pwrite(fd, zeros, sizeof zeros, (off_t)at) != sizeof zeros) {
            bench_die("pwrite: %s", strerror(errno));
        }
    }
    (void)fsync(fd);
    start = bench_now();
    do {
        off_t at = (off_t)(count % (SYNC_FILE_SIZE / MESSAGE_SIZE) * MESSAGE_SIZE);

        put(message, data, count % data->count);
        if (pwrite(fd, message, sizeof message, at) != sizeof message || fdatasync(fd) != 0) {
            bench_die("pwrite, fdatasync: %s", strerror(errno));
        }
        count++;
        taken = bench_now() - start;
    } while (taken < seconds);
    (void)close(fd);
    return (double)count / taken;
}
