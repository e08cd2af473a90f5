/* SPDX-License-Identifier: MIT */
#include "lib/records.h"

#include <stdlib.h>

enum {
    BATCH_MAX = 256,
    BATCH_BYTES = 1 << 20
};

void bench_records_make(struct bench_records *out, size_t count, size_t size)
{
    uint64_t state = 1;

    out->count = count;
    out->size = size;
    out->bytes = malloc(BENCH_RECORDS_BYTES + size);
    if (out->bytes == NULL) {
        bench_die("out of memory");
    }
    for (size_t i = 0; i < BENCH_RECORDS_BYTES + size; i++) {
        out->bytes[i] = (uint8_t)bench_random(&state);
    }
}

void bench_records_free(struct bench_records *records)
{
    free(records->bytes);
    *records = (struct bench_records){0};
}

stele_wal *bench_wal_open(const char *dir, stele_wal_format format, uint64_t segment_size)
{
    stele_wal_options opts;
    stele_wal *w = NULL;
    stele_error err;

    stele_wal_options_init(&opts);
    opts.create_dirs = true;
    opts.format = format;
    opts.segment_size = segment_size;
    bench_check(stele_wal_open(&w, dir, &opts, &err), &err, "open");
    return w;
}

void bench_wal_close(stele_wal *w)
{
    stele_error err;

    bench_check(stele_wal_close(w, &err), &err, "close");
}

void bench_wal_make(const char *dir, stele_wal_format format, uint64_t segment_size,
        const struct bench_records *records)
{
    size_t batch = BATCH_BYTES / records->size;
    stele_bytes data[BATCH_MAX];
    stele_error err;
    stele_wal *w;

    batch = batch > BATCH_MAX ? BATCH_MAX : batch;
    bench_remove_dir(dir);
    w = bench_wal_open(dir, format, segment_size);
    for (size_t i = 0; i < records->count; i += batch) {
        size_t n = records->count - i < batch ? records->count - i : batch;

        for (size_t k = 0; k < n; k++) {
            data[k] = stele_bytes_of(bench_record(records, i + k), records->size);
        }
        bench_check(stele_wal_append_next(w, data, n, NULL, &err), &err, "append");
    }
    bench_wal_close(w);
}

/* ---- Durable appends. ---- */

struct append {
    stele_wal *w;
    const struct bench_records *records;
};

void bench_wal_append_one(stele_wal *w, const struct bench_records *records, size_t number)
{
    stele_bytes data = stele_bytes_of(bench_record(records, number), records->size);
    stele_error err;

    bench_check(stele_wal_append_next(w, &data, 1, NULL, &err), &err, "append");
}

/* From any thread. */
static void append_one(void *arg, size_t number)
{
    struct append *a = arg;

    bench_wal_append_one(a->w, a->records, number);
}

double bench_wal_append(const char *dir, stele_wal_format format,
        const struct bench_records *records, int threads, double seconds)
{
    struct append a = {.records = records};
    double rate;

    bench_remove_dir(dir);
    a.w = bench_wal_open(dir, format, 0);
    append_one(&a, 0);
    rate = bench_per_second(threads, seconds, append_one, &a);
    bench_wal_close(a.w);
    bench_remove_dir(dir);
    return rate;
}

/* ---- Reading. ---- */

double bench_wal_scan(stele_wal *w, const struct bench_records *records)
{
    static volatile uint64_t sink;
    double start = bench_now();
    stele_wal_iter *it = NULL;
    stele_wal_record record;
    uint64_t seen = 0;
    size_t count = 0;
    stele_error err;
    stele_code rc;

    bench_check(stele_wal_iter_open(&it, w, 0, &err), &err, "iterate");
    while ((rc = stele_wal_iter_next(it, &record, &err)) == STELE_OK) {
        seen += record.data.data[0];
        count++;
    }
    if (rc != STELE_END) {
        bench_check(rc, &err, "iterate");
    }
    bench_check(stele_wal_iter_close(it, &err), &err, "iterate");
    sink = seen;
    (void)sink;
    if (count != records->count) {
        bench_die("%zu records of %zu", count, records->count);
    }
    return bench_now() - start;
}

double bench_wal_get(stele_wal *w, const struct bench_records *records, size_t count)
{
    uint64_t state = 8;
    double start = bench_now();
    stele_error err;
    stele_buf buf;

    stele_buf_init(&buf, records->size);
    for (size_t i = 0; i < count; i++) {
        uint64_t id = 1 + bench_random(&state) % records->count;

        stele_buf_clear(&buf);
        bench_check(stele_wal_read(w, id, &buf, &err), &err, "read");
        if (buf.len != records->size) {
            bench_die("a record of %zu bytes", buf.len);
        }
    }
    stele_buf_free(&buf);
    return bench_now() - start;
}
