/* SPDX-License-Identifier: MIT
 *
 * keys_bench.c: what side files cost: building and reading one, and asking
 * those of a whole stream for a key.
 *
 * The stream is a million messages of different keys in segments of a
 * megabyte each. Prints one line of JSON for each figure; medians, and the
 * clock's own cost is in them.
 */
#include "base/fnv.h"
#include "stream/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    SEGMENTS = 165,
    ITEMS = 6060,
    ROUNDS = 20001,
    ITEM_SIZE = 32,
    INDEX_SIZE = STI_INDEX_HEADER_SIZE + ITEMS * ITEM_SIZE
};

static const struct sti_index_params params = {true, true};

struct stream {
    uint8_t *index[SEGMENTS];
    struct sti_keys keys[SEGMENTS];
    uint64_t maybes;
    uint64_t hits;
};

static void die(const char *what)
{
    (void)fprintf(stderr, "%s\n", what);
    exit(1);
}

static double now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_median(const char *name, double *ns, size_t n)
{
    qsort(ns, n, sizeof *ns, compare);
    (void)printf("{\"name\":\"%s\",\"median_ns\":%.0f,\"p90_ns\":%.0f}\n", name, ns[n / 2],
            ns[n * 9 / 10]);
}

static uint64_t hash_of(int number)
{
    char key[32];
    int len = snprintf(key, sizeof key, "key-%08d", number);

    return sti_fnv1a64(key, (size_t)len);
}

static void make_index(struct stream *s, int segment)
{
    uint8_t *index = malloc(INDEX_SIZE);

    if (index == NULL) {
        die("out of memory");
    }
    sti_index_header_put(index, params);
    for (int i = 0; i < ITEMS; i++) {
        struct sti_index_item item = {.offset = segment * ITEMS + i,
                .position = 8 + 166 * (uint64_t)i,
                .time = 1700000000000000 + i,
                .hash = hash_of(segment * ITEMS + i)};

        sti_index_item_put(index + STI_INDEX_HEADER_SIZE + (size_t)i * ITEM_SIZE, params, &item);
    }
    s->index[segment] = index;
}

static void bench_build_and_decode(struct stream *s)
{
    double build[SEGMENTS];
    double decode[SEGMENTS];
    stele_error err;

    for (int i = 0; i < SEGMENTS; i++) {
        int64_t base = (int64_t)i * ITEMS;
        struct sti_keys keys;
        double start = now_ns();

        if (sti_keys_build(&s->keys[i], base, 1 << 20, STELE_STREAM_V2, params,
                    s->index[i] + STI_INDEX_HEADER_SIZE, ITEMS, &err) != STELE_OK) {
            die(err.message);
        }
        build[i] = now_ns() - start;
        start = now_ns();
        if (sti_keys_decode(&keys, s->keys[i].bytes, s->keys[i].bytes_len, base, 1 << 20,
                    s->index[i], INDEX_SIZE, &err) != STELE_OK) {
            die(err.message);
        }
        decode[i] = now_ns() - start;
    }
    (void)printf("{\"name\":\"bytes of a side file\",\"bytes\":%zu}\n", s->keys[0].bytes_len);
    print_median("build of 6060 items", build, SEGMENTS);
    print_median("decode of 6060 items", decode, SEGMENTS);
}

/* From the newest segment to the oldest, as a look-up of a key does. */
static void ask_all(struct stream *s, uint64_t hash)
{
    uint64_t mask = sti_keys_mask(hash);

    for (int i = SEGMENTS; i-- > 0;) {
        if (sti_keys_maybe(&s->keys[i], hash, mask)) {
            uint64_t first;
            uint64_t last;

            sti_keys_find(&s->keys[i], hash, &first, &last);
            s->maybes++;
            s->hits += last - first;
        }
    }
}

/* Keys number + step * round. */
static void bench_ask(struct stream *s, const char *name, int number, int step)
{
    static double ns[ROUNDS];

    s->maybes = 0;
    s->hits = 0;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t hash = hash_of(number + step * i);
        double start = now_ns();

        ask_all(s, hash);
        ns[i] = now_ns() - start;
    }
    print_median(name, ns, ROUNDS);
    (void)printf("{\"name\":\"%s, wrong maybes\",\"percent\":%.3f}\n", name,
            100.0 * (double)(s->maybes - s->hits) / ((double)ROUNDS * SEGMENTS));
}

static void bench_find(struct stream *s, const char *name, int number)
{
    static double ns[ROUNDS / 100];
    static uint64_t hashes[ITEMS];
    uint64_t found = 0;

    for (int i = 0; i < ITEMS; i++) {
        hashes[i] = hash_of(number + i * 2477 % ITEMS);
    }
    for (int round = 0; round < ROUNDS / 100; round++) {
        double start = now_ns();

        for (int i = 0; i < ITEMS; i++) {
            uint64_t first;
            uint64_t last;

            sti_keys_find(&s->keys[SEGMENTS / 2], hashes[i], &first, &last);
            found += last - first;
        }
        ns[round] = (now_ns() - start) / ITEMS;
    }
    s->hits += found;
    print_median(name, ns, ROUNDS / 100);
}

int main(void)
{
    static struct stream s;

    for (int i = 0; i < SEGMENTS; i++) {
        make_index(&s, i);
    }
    bench_build_and_decode(&s);
    bench_ask(&s, "165 filters, one absent key", 2000000, 0);
    bench_ask(&s, "165 filters, ever other absent keys", 2000000, 1);
    bench_ask(&s, "165 filters, one present key", 77 * ITEMS + 5, 0);
    bench_ask(&s, "165 filters, ever other present keys", 0, 49);
    bench_find(&s, "find in 6060, present", SEGMENTS / 2 * ITEMS);
    bench_find(&s, "find in 6060, absent", 2000000);
    for (int i = 0; i < SEGMENTS; i++) {
        sti_keys_close(&s.keys[i]);
        free(s.index[i]);
    }
    return 0;
}
