/* SPDX-License-Identifier: MIT
 *
 * stress_test.c: readers verify what they see at a seq while a writer writes.
 *
 * What a batch writes follows from its seq alone, so a reader knows, for each
 * seq and key, what it has to see: batch n writes key number n * STEP mod KEYS,
 * the next one to be written after a cycle of KEYS batches, and deletes it if n
 * is a multiple of 5; it drops the second bucket if n is a multiple of DROPS,
 * and then writes the same there. Batches that are taken back come in between.
 *
 * Each round has a table of its own, so that leaves are divided all the time.
 * STELE_FULL makes it ten times as many rounds.
 */
#include "base/coding.h"
#include "lib/check.h"
#include "store/table.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    KEYS = 1009, /* a prime: every STEP is coprime to it */
    STEP = 389,
    BATCHES = 3 * KEYS,
    DROPS = 400,
    READERS = 3,
    ROUNDS = 6
};

struct shared {
    struct sti_table table;
    _Atomic uint64_t published;
    atomic_bool ended;
    atomic_int wrong;
    _Atomic uint64_t reads;
};

struct reader {
    struct shared *shared;
    uint64_t seed;
    pthread_t thread;
};

/* ---- What there is at a seq. ---- */

static unsigned rank_of_batch(uint64_t n)
{
    return (unsigned)(n * STEP % KEYS);
}

/* STEP * inverse = 1 mod KEYS. */
static uint64_t inverse_of_step(void)
{
    uint64_t inverse = 1;

    while (inverse * STEP % KEYS != 1) {
        inverse++;
    }
    return inverse;
}

/* The newest batch, up to a seq, that wrote a key; 0 for none. */
static uint64_t batch_of(unsigned rank, uint64_t seq, uint64_t inverse)
{
    uint64_t n = rank * inverse % KEYS; /* and then every KEYS */

    n = n == 0 ? KEYS : n;
    return n > seq ? 0 : n + (seq - n) / KEYS * KEYS;
}

static stele_bytes key_of(char text[16], unsigned rank)
{
    return stele_bytes_of(text, (size_t)snprintf(text, 16, "key %04u", rank));
}

static stele_bytes value_of(char text[32], uint64_t n)
{
    return stele_bytes_of(text, (size_t)snprintf(text, 32, "by batch %" PRIu64, n));
}

/* 0: absent, as if never written or dropped since. */
static uint64_t expected(uint32_t bucket, unsigned rank, uint64_t seq, uint64_t inverse)
{
    uint64_t n = batch_of(rank, seq, inverse);

    return bucket == 2 && n < seq / DROPS * DROPS ? 0 : n;
}

/* ---- The writer. ---- */

static stele_code write_one(struct sti_table *t, uint64_t seq, uint32_t bucket, unsigned rank)
{
    char key[16];
    char value[32];

    return seq % 5 == 0
                   ? sti_table_delete(t, seq, bucket, key_of(key, rank), NULL)
                   : sti_table_put(t, seq, bucket, key_of(key, rank), value_of(value, seq), NULL);
}

static void write_batches(struct shared *s)
{
    struct sti_table *t = &s->table;

    for (uint64_t n = 1; n <= BATCHES; n++) {
        if (n % 3 == 0) {
            struct sti_table_mark mark = sti_table_mark(t);

            CHECK_OK(write_one(t, n, 1, (unsigned)(n * 7 % KEYS)), NULL);
            CHECK_OK(write_one(t, n, 2, rank_of_batch(n)), NULL);
            CHECK_OK(sti_table_drop(t, n, 1, NULL), NULL);
            sti_table_rollback(t, &mark);
        }
        if (n % DROPS == 0) {
            CHECK_OK(sti_table_drop(t, n, 2, NULL), NULL);
        }
        CHECK_OK(write_one(t, n, 1, rank_of_batch(n)), NULL);
        CHECK_OK(write_one(t, n, 2, rank_of_batch(n)), NULL);
        /* Pairs with the load of the readers. */
        atomic_store_explicit(&s->published, n, memory_order_release);
    }
}

/* ---- Readers. ---- */

static void check(struct shared *s, bool holds)
{
    if (!holds) {
        atomic_fetch_add(&s->wrong, 1);
    }
}

static bool is_right(enum sti_found found, stele_bytes value, uint64_t n)
{
    char text[32];

    if (n == 0) {
        return found != STI_PRESENT;
    }
    if (n % 5 == 0) {
        return found == STI_DELETED;
    }
    return found == STI_PRESENT && stele_bytes_equal(value, value_of(text, n));
}

static bool cursor_is_at(const struct sti_cursor *c, uint32_t bucket, unsigned rank, uint64_t n)
{
    enum sti_found found;
    char text[16];

    if (c->entry == NULL || c->entry->bucket != bucket ||
            !stele_bytes_equal(sti_entry_key(c->entry), key_of(text, rank))) {
        return false;
    }
    found = c->version->kind == STI_WRITE_PUT ? STI_PRESENT : STI_DELETED;
    return is_right(found, stele_bytes_of(c->version->value, c->version->value_len), n);
}

/* All that there is, forwards and then backwards. */
static void walk(struct shared *s, uint64_t seq, uint64_t inverse)
{
    struct sti_cursor c;
    bool ok;

    sti_cursor_init(&c, &s->table, seq);
    ok = sti_cursor_seek(&c, 0, stele_nil());
    for (unsigned i = 0; i < 2 * KEYS; i++) {
        uint32_t bucket = 1 + i / KEYS;
        uint64_t n = expected(bucket, i % KEYS, seq, inverse);

        if (n != 0) {
            check(s, cursor_is_at(&c, bucket, i % KEYS, n));
            ok = ok && sti_cursor_next(&c);
        }
    }
    check(s, !ok);
    ok = sti_cursor_last(&c);
    for (unsigned i = 2 * KEYS; i-- > 0;) {
        uint32_t bucket = 1 + i / KEYS;
        uint64_t n = expected(bucket, i % KEYS, seq, inverse);

        if (n != 0) {
            check(s, cursor_is_at(&c, bucket, i % KEYS, n));
            ok = ok && sti_cursor_prev(&c);
        }
    }
    check(s, !ok);
}

static void look_up(struct reader *r, uint64_t seq, uint64_t inverse)
{
    struct shared *s = r->shared;

    for (unsigned i = 0; i < 200; i++) {
        char key[16];
        stele_bytes value = stele_nil();
        unsigned rank;
        uint32_t bucket;

        r->seed = r->seed * 6364136223846793005U + 1442695040888963407U;
        rank = (unsigned)(r->seed >> 33) % KEYS;
        bucket = 1 + (uint32_t)(r->seed >> 62 & 1);
        check(s, is_right(sti_table_get(&s->table, seq, bucket, key_of(key, rank), &value), value,
                         expected(bucket, rank, seq, inverse)));
    }
}

/* The order of writing is there as well: two writes a batch, and the drops. */
static void read_written(struct shared *s, uint64_t seq)
{
    struct sti_table_mark mark = {0};
    struct sti_write w;
    uint64_t count = 0;
    uint64_t last = 0;

    while (sti_table_written(&s->table, seq, &mark, &w)) {
        check(s, w.seq >= last);
        check(s, w.seq <= seq);
        last = w.seq;
        count++;
    }
    check(s, count == 2 * seq + seq / DROPS);
}

static void *run_reader(void *arg)
{
    struct reader *r = arg;
    struct shared *s = r->shared;
    uint64_t inverse = inverse_of_step();
    bool last;

    do {
        uint64_t seq;

        last = atomic_load(&s->ended);
        /* Pairs with the store of the writer. */
        seq = atomic_load_explicit(&s->published, memory_order_acquire);
        for (unsigned i = 0; i < 3; i++) { /* it stays as it is */
            walk(s, seq, inverse);
            look_up(r, seq, inverse);
        }
        read_written(s, seq);
        atomic_fetch_add(&s->reads, 1);
    } while (!last);
    return NULL;
}

static void round_of(uint64_t seed, uint64_t *reads)
{
    struct shared *s = calloc(1, sizeof *s);
    struct reader readers[READERS];

    assert_non_null(s);
    sti_table_init(&s->table);
    for (unsigned i = 0; i < READERS; i++) {
        readers[i].shared = s;
        readers[i].seed = seed * READERS + i;
        assert_int_equal(pthread_create(&readers[i].thread, NULL, run_reader, &readers[i]), 0);
    }
    write_batches(s);
    atomic_store(&s->ended, true);
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
    }
    assert_int_equal(s->wrong, 0);
    *reads += s->reads;
    sti_table_free(&s->table);
    free(s);
}

static void test_readers_beside_a_writer(void **state)
{
    unsigned rounds = getenv("STELE_FULL") != NULL ? 10 * ROUNDS : ROUNDS;
    uint64_t reads = 0;

    (void)state;
    for (unsigned i = 0; i < rounds; i++) {
        round_of(i + 1, &reads);
    }
    print_message("%u rounds, %" PRIu64 " snapshots verified three times\n", rounds, reads);
    assert_true(reads >= rounds * READERS);
}

/* ---- Where leaves are divided. ---- */

/* Keys descend, so the first leaf is divided all the time, and half of the
 * newest keys are in its right half: they are looked up at that moment. */
enum {
    DESCENDING = 20000
};

static stele_bytes descending(uint8_t out[8], uint64_t n)
{
    sti_put_be64(out, UINT64_MAX - n);
    return stele_bytes_of(out, 8);
}

static void *run_near_reader(void *arg)
{
    struct reader *r = arg;
    struct shared *s = r->shared;
    uint64_t seq = 0;

    while (seq < DESCENDING) {
        /* Pairs with the store of the writer. */
        seq = atomic_load_explicit(&s->published, memory_order_acquire);
        for (uint64_t n = seq > 16 ? seq - 16 : 1; n <= seq; n++) {
            uint8_t key[8];
            stele_bytes value = stele_nil();

            check(s, sti_table_get(&s->table, seq, 1, descending(key, n), &value) == STI_PRESENT);
        }
        atomic_fetch_add(&s->reads, 1);
    }
    return NULL;
}

static void test_look_up_beside_a_split(void **state)
{
    unsigned rounds = getenv("STELE_FULL") != NULL ? 10 * ROUNDS : ROUNDS;

    (void)state;
    for (unsigned round = 0; round < rounds; round++) {
        struct shared *s = calloc(1, sizeof *s);
        struct reader reader = {.shared = s};

        assert_non_null(s);
        sti_table_init(&s->table);
        assert_int_equal(pthread_create(&reader.thread, NULL, run_near_reader, &reader), 0);
        for (uint64_t n = 1; n <= DESCENDING; n++) {
            uint8_t key[8];

            CHECK_OK(sti_table_put(&s->table, n, 1, descending(key, n), stele_empty(), NULL), NULL);
            /* Pairs with the load of the reader. */
            atomic_store_explicit(&s->published, n, memory_order_release);
        }
        assert_int_equal(pthread_join(reader.thread, NULL), 0);
        assert_int_equal(s->wrong, 0);
        assert_true(s->reads > 0);
        sti_table_free(&s->table);
        free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_readers_beside_a_writer),
            cmocka_unit_test(test_look_up_beside_a_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
