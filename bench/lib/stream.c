/* SPDX-License-Identifier: MIT */
#include "lib/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_MAX = 256,
    FILL_BATCH = 100,
    VALUES_SIZE = 4096 + BENCH_VALUE_SIZE
};

static void put_key(uint8_t out[BENCH_KEY_SIZE], uint32_t number)
{
    for (int i = BENCH_KEY_SIZE - 1; i >= 0; i--) {
        out[i] = (uint8_t)('0' + number % 10);
        number /= 10;
    }
}

/* Odd: different numbers give different keys. */
static uint32_t scatter(size_t i)
{
    return (uint32_t)i * 2654435761U;
}

void bench_key_missing(uint8_t out[BENCH_KEY_SIZE], size_t i)
{
    put_key(out, scatter(i));
    out[BENCH_KEY_SIZE - 1] = 'x'; /* Between keys that are there. */
}

void bench_data_make(struct bench_data *out, size_t count, size_t keys)
{
    uint64_t state = 1;

    out->count = count;
    out->keys = malloc(count * BENCH_KEY_SIZE);
    out->values = malloc(VALUES_SIZE);
    if (out->keys == NULL || out->values == NULL) {
        bench_die("out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        size_t n = keys == 0 ? i : (size_t)(bench_random(&state) % keys);

        put_key(out->keys + i * BENCH_KEY_SIZE, scatter(n));
    }
    for (size_t i = 0; i < VALUES_SIZE; i++) {
        out->values[i] = (uint8_t)bench_random(&state);
    }
}

void bench_data_free(struct bench_data *data)
{
    free(data->keys);
    free(data->values);
    *data = (struct bench_data){0};
}

stele_stream *bench_stream_open(const char *dir, bool indexes, bool auto_sync)
{
    stele_stream_options opts;
    stele_stream *s = NULL;
    stele_error err;

    stele_stream_options_init(&opts);
    opts.create_dirs = true;
    opts.key_index = opts.time_index = indexes;
    opts.auto_sync = auto_sync;
    bench_check(stele_stream_open(&s, dir, &opts, &err), &err, "open");
    return s;
}

void bench_stream_close(stele_stream *s)
{
    stele_error err;

    bench_check(stele_stream_close(s, &err), &err, "close");
}

double bench_stream_fill(stele_stream *s, const struct bench_data *data, size_t batch)
{
    stele_message messages[BATCH_MAX];
    stele_error err;
    double start = bench_now();

    if (batch > BATCH_MAX) {
        bench_die("batches of %zu are too large", batch);
    }
    for (size_t i = 0; i < data->count; i += batch) {
        size_t n = data->count - i < batch ? data->count - i : batch;

        for (size_t k = 0; k < n; k++) {
            messages[k] = bench_message(data, i + k);
        }
        bench_check(stele_stream_publish(s, messages, n, NULL, &err), &err, "publish");
    }
    return bench_now() - start;
}

void bench_stream_make(const char *dir, const struct bench_data *data)
{
    stele_stream *s;

    bench_remove_dir(dir);
    s = bench_stream_open(dir, true, false);
    (void)bench_stream_fill(s, data, FILL_BATCH);
    bench_stream_close(s);
}
