/* SPDX-License-Identifier: MIT
 *
 * json.h: JSON documents of 300 bytes with three indexes, in docs and at its peers.
 *
 * Document number n is the same in each run. It is found by a text that no other has, by a number,
 * and by a name whose case does not count. A database is a table of functions, so that the same
 * work is done by all; what one cannot do is NULL.
 */
#ifndef BENCH_JSON_H
#define BENCH_JSON_H

#include "lib/bench.h"

#include <stdio.h>
#include <string.h>

enum {
    JSON_SIZE = 300,
    JSON_TEXT_SIZE = 32
};

/* Of document n: its ID, and what it is found by. */
static inline void json_id(size_t n, char out[JSON_TEXT_SIZE])
{
    uint64_t state = n;

    (void)snprintf(out, JSON_TEXT_SIZE, "%016llx", (unsigned long long)bench_random(&state));
}

static inline void json_serial(size_t n, char out[JSON_TEXT_SIZE])
{
    (void)snprintf(out, JSON_TEXT_SIZE, "S-%09zu", n * 7919 % 1000000007);
}

static inline double json_level(size_t n)
{
    return (double)(n * 104729 % 1000003) / 4;
}

static inline void json_name(size_t n, bool small, char out[JSON_TEXT_SIZE])
{
    (void)snprintf(out, JSON_TEXT_SIZE, small ? "anna %zu berg" : "Anna %zu Berg",
            n * 15485863 % 1000000007);
}

/* Of JSON_SIZE bytes. */
static inline void json_text(size_t n, char out[JSON_SIZE + 1])
{
    char serial[JSON_TEXT_SIZE];
    char name[JSON_TEXT_SIZE];
    int len;

    json_serial(n, serial);
    json_name(n, false, name);
    len = snprintf(out, JSON_SIZE + 1,
            "{\"@type\":\"thing\",\"serial\":\"%s\",\"level\":%.2f,\"name\":\"%s\",\"rest\":\"",
            serial, json_level(n), name);
    memset(out + len, 'a' + (int)(n % 26), (size_t)(JSON_SIZE - len));
    memcpy(out + JSON_SIZE - 2, "\"}", 3);
}

enum json_key {
    JSON_BY_SERIAL,
    JSON_BY_LEVEL,
    JSON_BY_NAME
};

struct json_db {
    const char *who;
    /* A new one; synced: each set survives a power cut before set() returns. */
    void *(*open)(const char *dir, bool synced);
    void (*set)(void *db, size_t n);                     /* from any thread */
    void (*fill)(void *db, size_t count);                /* in one go; then all is on disk */
    void (*get)(void *db, size_t n);                     /* ends the program if it is not there */
    void (*find)(void *db, enum json_key key, size_t n); /* the same */
    void (*backup)(void *db, const char *path);          /* into a file; synced */
    void *(*restore)(const char *dir, const char *path); /* a new one, all on disk */
    void (*reindex)(void *db);
    void (*close)(void *db);
};

extern const struct json_db json_stele;
extern const struct json_db json_sqlite;
extern const struct json_db json_lmdb; /* without indexes: a floor */

/* Something is done with what was read. */
extern volatile uint64_t json_sink;

#endif /* BENCH_JSON_H */
