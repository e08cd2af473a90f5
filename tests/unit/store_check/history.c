/* SPDX-License-Identifier: MIT
 *
 * history.c: remembering, and comparing.
 */
#include "history.h"

#include <stdio.h>
#include <stdlib.h>

static stele_bytes copy_of(stele_bytes b)
{
    uint8_t *p = malloc(b.len + 1);

    assert_non_null(p);
    memcpy(p, b.data, b.len);
    return stele_bytes_of(p, b.len);
}

static void put(struct history *h, stele_store_batch *b, const char *bucket, stele_bytes key,
        unsigned seed, size_t len)
{
    static uint8_t value[8000];
    stele_error err;

    for (size_t i = 0; i < len; i++) {
        value[i] = (uint8_t)(seed * 31 + i * 7 + (i >> 8));
    }
    CHECK_OK(stele_store_batch_put(b, stele_str(bucket), key, stele_bytes_of(value, len), &err),
            &err);
    for (size_t i = 0; i < h->count; i++) {
        if (strcmp(h->puts[i].bucket, bucket) == 0 && stele_bytes_equal(h->puts[i].key, key)) {
            h->puts[i].there = false;
        }
    }
    assert_true(h->count < PUT_MAX);
    h->puts[h->count++] = (struct put){.bucket = strdup(bucket),
            .key = copy_of(key),
            .value = copy_of(stele_bytes_of(value, len)),
            .there = true};
}

void history_put(struct history *h, stele_store_batch *b, const char *bucket, unsigned from,
        unsigned to, unsigned seed)
{
    static uint8_t key[1200];

    memset(key, 'k', sizeof key);
    for (unsigned i = from; i < to; i++) {
        (void)snprintf((char *)key, 9, "%08u", i % 100000000);
        key[8] = 'k';
        put(h, b, bucket, stele_bytes_of(key, i % 20 == 7 ? 500 + i : 8), seed + i,
                i == 11 ? 5000 : i % 40);
    }
}

/* All that is committed counts for who reads only. */
void history_commit(struct history *h, struct kit *k)
{
    kit_commit(k);
    for (size_t i = 0; i < h->count; i++) {
        h->puts[i].committed = h->puts[i].there;
    }
}

/* ---- What is given. ---- */

struct given {
    const struct history *history;
    const char *bucket;
    size_t count; /* that are as they should be */
    bool wrong;
    stele_store_read *read;
};

static bool counts(const struct history *h, const struct put *p)
{
    return h->logged ? p->there : p->committed;
}

static stele_code on_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct given *g = arg;

    (void)err;
    for (size_t i = 0; i < g->history->count; i++) {
        const struct put *p = &g->history->puts[i];

        if (strcmp(p->bucket, g->bucket) == 0 && stele_bytes_equal(p->key, key) &&
                stele_bytes_equal(p->value, value)) {
            g->count += counts(g->history, p) ? 1 : 0;
            return STELE_OK;
        }
    }
    g->wrong = true;
    return STELE_OK;
}

static void get_all(struct given *g)
{
    for (size_t i = 0; i < g->history->count; i++) {
        const struct put *p = &g->history->puts[i];
        stele_bytes value;

        if (counts(g->history, p) && stele_store_read_get(g->read, stele_str(p->bucket), p->key,
                                             &value, NULL) == STELE_OK) {
            g->bucket = p->bucket;
            (void)on_pair(g, p->key, value, NULL);
        }
    }
}

static bool has_bucket(const struct history *h, const char *bucket)
{
    for (size_t i = 0; i < h->count; i++) {
        if (strcmp(h->puts[i].bucket, bucket) == 0 && counts(h, &h->puts[i])) {
            return true;
        }
    }
    return strcmp(bucket, "empty") == 0;
}

/* Twice: by ranges, and by key. *whole: nothing is missing. */
bool history_is_right(const struct history *h, stele_store *s, bool *whole)
{
    static const char *const buckets[] = {"first", "second", "logged", "empty"};
    struct given g = {.history = h};
    size_t expected = 0;
    bool failed = false;

    *whole = false;
    if (stele_store_read_begin(&g.read, s, NULL) != STELE_OK) {
        return true;
    }
    for (size_t i = 0; i < sizeof buckets / sizeof *buckets; i++) {
        stele_code code;

        g.bucket = buckets[i];
        code = stele_store_read_for_each(g.read, stele_str(buckets[i]), on_pair, &g, NULL);
        failed = failed || (code != STELE_OK && has_bucket(h, buckets[i]));
    }
    for (size_t i = 0; i < h->count; i++) {
        expected += counts(h, &h->puts[i]) ? 2 : 0;
    }
    get_all(&g);
    stele_store_read_end(g.read);
    *whole = !failed && g.count == expected;
    return !g.wrong;
}

void history_free(struct history *h)
{
    for (size_t i = 0; i < h->count; i++) {
        free(h->puts[i].bucket);
        free((void *)(uintptr_t)h->puts[i].key.data);
        free((void *)(uintptr_t)h->puts[i].value.data);
    }
}
