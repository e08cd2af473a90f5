/* SPDX-License-Identifier: MIT
 *
 * peers.h: what others that Debian ships do with the same messages.
 *
 * A log in a key-value store has the offset as key (8 bytes, big endian) and
 * the message's key and value, one after the other, as value. Every function
 * that is timed returns seconds.
 */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include "lib/stream.h"

/* ---- LevelDB and RocksDB: write-ahead log on, one put a call. ---- */

double peer_leveldb_put(const char *dir, const struct bench_data *data);
double peer_rocksdb_put(const char *dir, const struct bench_data *data);

/* Synced puts for so many seconds with so many threads: puts a second. */
double peer_leveldb_sync(
        const char *dir, const struct bench_data *data, int threads, double seconds);
double peer_rocksdb_sync(
        const char *dir, const struct bench_data *data, int threads, double seconds);

/* A store of message key -> value, to look up in; compacted and read once. */
struct peer_leveldb;
struct peer_leveldb *peer_leveldb_open(const char *dir, const struct bench_data *data);
double peer_leveldb_get(struct peer_leveldb *db, const struct bench_data *data, size_t count);
void peer_leveldb_close(struct peer_leveldb *db);

/* ---- LMDB: offset -> message, or (by_key) message key -> value. ---- */

struct peer_lmdb;
struct peer_lmdb *peer_lmdb_open(const char *dir, const struct bench_data *data, bool by_key);
double peer_lmdb_scan(struct peer_lmdb *db);
/* `count` look-ups at random, a transaction each; missing: of keys that are not there. */
double peer_lmdb_get(
        struct peer_lmdb *db, const struct bench_data *data, size_t count, bool missing);
void peer_lmdb_close(struct peer_lmdb *db);

/* ---- Redis Streams: a private server on a socket, nothing on disk. ---- */

struct peer_redis;
struct peer_redis *peer_redis_open(const char *dir);
double peer_redis_fill(struct peer_redis *r, const struct bench_data *data);
double peer_redis_range(struct peer_redis *r, size_t batch);
size_t peer_redis_count(const struct peer_redis *r);
void peer_redis_close(struct peer_redis *r);
double peer_redis_add(const char *dir, const struct bench_data *data); /* all of these at once */

/* ---- SQLite: a table with indexes on time and on key. ---- */

struct peer_sqlite;
struct peer_sqlite *peer_sqlite_open(const char *dir, const struct bench_data *data);
double peer_sqlite_by_time(struct peer_sqlite *db, const struct bench_data *data, size_t count);
double peer_sqlite_by_key(struct peer_sqlite *db, const struct bench_data *data, size_t count);
void peer_sqlite_close(struct peer_sqlite *db);

/* One insert a commit, write-ahead log, synchronous=FULL: commits a second. */
double peer_sqlite_sync(const char *dir, const struct bench_data *data, double seconds);

/* ---- The floor: what the hardware and the kernel ask for, and nothing else. ---- */

/* Copy each message into a map of a file that has its size, and take its CRC. */
double peer_floor_put(const char *dir, const struct bench_data *data);
/* Walk over such a map. */
struct peer_floor;
struct peer_floor *peer_floor_open(const char *dir, const struct bench_data *data);
double peer_floor_scan(const struct peer_floor *f);
double peer_floor_look(const struct peer_floor *f, size_t lookups);
void peer_floor_close(struct peer_floor *f);
/* Write a message into a file that has its size, and fdatasync() it: a second. */
double peer_floor_sync(const char *dir, const struct bench_data *data, double seconds);

#endif /* BENCH_PEERS_H */
