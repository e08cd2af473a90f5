/* SPDX-License-Identifier: MIT
 *
 * records.h: numbered records of one size, in a write-ahead log and at its peers.
 *
 * In a key-value store a record's key is its id (8 bytes, big endian). Rates are per
 * second; functions that are timed return seconds.
 */
#ifndef BENCH_RECORDS_H
#define BENCH_RECORDS_H

#include <stele/wal.h>

#include "lib/bench.h"

enum {
    BENCH_RECORDS_BYTES = 1 << 20 /* then they repeat: no compression sees that far */
};

struct bench_records {
    size_t count; /* ids 1 to count */
    size_t size;
    uint8_t *bytes;
};

void bench_records_make(struct bench_records *out, size_t count, size_t size);
void bench_records_free(struct bench_records *records);

static inline const uint8_t *bench_record(const struct bench_records *r, size_t i)
{
    return r->bytes + i * r->size % BENCH_RECORDS_BYTES;
}

/* ---- Stele. ---- */

/* segment_size 0: the default. */
stele_wal *bench_wal_open(const char *dir, stele_wal_format format, uint64_t segment_size);
void bench_wal_close(stele_wal *w);

/* A closed log with all records in a fresh directory. */
void bench_wal_make(const char *dir, stele_wal_format format, uint64_t segment_size,
        const struct bench_records *records);

/* Append one record, durably. */
void bench_wal_append_one(stele_wal *w, const struct bench_records *records, size_t number);
/* The same for so long, in a fresh directory. */
double bench_wal_append(const char *dir, stele_wal_format format,
        const struct bench_records *records, int threads, double seconds);

/* From the first to the last; a record's first byte is looked at. */
double bench_wal_scan(stele_wal *w, const struct bench_records *records);
double bench_wal_get(stele_wal *w, const struct bench_records *records, size_t count);

/* ---- LevelDB and RocksDB. ---- */

double records_leveldb_append(
        const char *dir, const struct bench_records *records, int threads, double seconds);
double records_rocksdb_append(
        const char *dir, const struct bench_records *records, int threads, double seconds);

/* One put of each record, write-ahead log on, nothing synced. */
double records_leveldb_put(const char *dir, const struct bench_records *records);
double records_rocksdb_put(const char *dir, const struct bench_records *records);

/* With all records, compacted. `fresh` false: open what is there. */
struct records_leveldb;
struct records_leveldb *records_leveldb_open(
        const char *dir, const struct bench_records *records, bool fresh);
double records_leveldb_scan(struct records_leveldb *db, const struct bench_records *records);
double records_leveldb_get(
        struct records_leveldb *db, const struct bench_records *records, size_t count);
void records_leveldb_close(struct records_leveldb *db);

struct records_rocksdb;
struct records_rocksdb *records_rocksdb_open(
        const char *dir, const struct bench_records *records, bool fresh);
double records_rocksdb_scan(struct records_rocksdb *db, const struct bench_records *records);
double records_rocksdb_get(
        struct records_rocksdb *db, const struct bench_records *records, size_t count);
void records_rocksdb_close(struct records_rocksdb *db);

/* ---- The floor. ---- */

enum records_file {
    RECORDS_FILE_GROWS,
    RECORDS_FILE_ALLOCATED, /* fallocate(2) */
    RECORDS_FILE_WRITTEN    /* zeros were written, and synced */
};

/* Write a record and `head` bytes more, one behind the other, and fdatasync() each. */
struct records_raw;
struct records_raw *records_raw_open(
        const char *dir, const struct bench_records *records, size_t head, enum records_file file);
void records_raw_append(struct records_raw *r);
void records_raw_close(struct records_raw *r);
/* The same for so long, in a fresh directory. */
double records_floor_append(const char *dir, const struct bench_records *records, size_t head,
        enum records_file file, double seconds);

/* All records back to back in a map; reading each once, or taking the checksum of each. */
struct records_floor;
struct records_floor *records_floor_open(const char *dir, const struct bench_records *records);
double records_floor_read(const struct records_floor *f);
double records_floor_checksum(const struct records_floor *f);
void records_floor_close(struct records_floor *f);

#endif /* BENCH_RECORDS_H */
