/* SPDX-License-Identifier: MIT
 *
 * stream.h: the messages of the benchmarks, and streams that are full of them.
 *
 * Message i has the key of i (10 digits, no two alike, in no order), 128 bytes
 * of value, and a time 1 ms after the one before. Times are given, so that no
 * clock is asked.
 */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <stele/stele.h>

#include "lib/bench.h"

enum {
    BENCH_KEY_SIZE = 10,
    BENCH_VALUE_SIZE = 128,
    BENCH_STEP_US = 1000
};

#define BENCH_TIME_0 ((stele_time)1700000000000000)

struct bench_data {
    size_t count;
    uint8_t *keys; /* BENCH_KEY_SIZE each */
    uint8_t *values;
};

/* With `keys` not 0: only so many different ones, again and again. */
void bench_data_make(struct bench_data *out, size_t count, size_t keys);
void bench_data_free(struct bench_data *data);

/* The key that no message has. */
void bench_key_missing(uint8_t out[BENCH_KEY_SIZE], size_t i);

static inline const uint8_t *bench_key(const struct bench_data *data, size_t i)
{
    return data->keys + i * BENCH_KEY_SIZE;
}

static inline const uint8_t *bench_value(const struct bench_data *data, size_t i)
{
    return data->values + i % 4096;
}

static inline stele_message bench_message(const struct bench_data *data, size_t i)
{
    stele_message m;

    m.offset = 0;
    m.time = BENCH_TIME_0 + (stele_time)i * BENCH_STEP_US;
    m.key = stele_bytes_of(bench_key(data, i), BENCH_KEY_SIZE);
    m.value = stele_bytes_of(bench_value(data, i), BENCH_VALUE_SIZE);
    return m;
}

/* Open a stream; indexes: none, or both. */
stele_stream *bench_stream_open(const char *dir, bool indexes, bool auto_sync);
void bench_stream_close(stele_stream *s);

/* Publish all messages, `batch` a call; the seconds that took. */
double bench_stream_fill(stele_stream *s, const struct bench_data *data, size_t batch);

/* A closed stream with both indexes in a fresh directory. */
void bench_stream_make(const char *dir, const struct bench_data *data);

#endif /* BENCH_STREAM_H */
