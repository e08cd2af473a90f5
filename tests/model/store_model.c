/* SPDX-License-Identifier: MIT
 *
 * store_model.c: histories of keys.
 */
#include "model/store_model.h"

#include "lib/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const size_t lens[] = {0, 1, 479, 480, 481, 510, 511, 512, 959, 960, 961, 32767, 32768};

enum {
    LENS = sizeof lens / sizeof lens[0]
};

static int compare_keys(const void *a, const void *b)
{
    return stele_bytes_compare(*(const stele_bytes *)a, *(const stele_bytes *)b);
}

/* Long ones begin alike; some of them differ in the first byte, or in the last. */
static stele_bytes make_key(unsigned i)
{
    size_t len = i < 3 * LENS ? lens[i % LENS] : 8;
    uint8_t *bytes = malloc(len + 1);

    assert_non_null(bytes);
    memset(bytes, 'k', len + 1);
    if (i >= 3 * LENS) {
        char text[16];

        (void)snprintf(text, sizeof text, "m%07u", i * 7919 % 10000000);
        memcpy(bytes, text, 8);
    } else if (i >= 2 * LENS && len > 1) {
        bytes[0] = 'q';
    } else if (i >= LENS && len > 1) {
        bytes[len - 1] = 'a';
    } else if (i >= LENS) {
        /* Short ones are few: another byte each. */
        bytes[0] = (uint8_t)i;
        len = 1;
    }
    return stele_bytes_of(bytes, len);
}

void store_model_init(struct store_model *m)
{
    memset(m, 0, sizeof *m);
    for (unsigned i = 0; i < STORE_KEYS; i++) {
        m->keys[i] = make_key(i);
    }
    qsort(m->keys, STORE_KEYS, sizeof m->keys[0], compare_keys);
    for (unsigned i = 1; i < STORE_KEYS; i++) {
        assert_true(compare_keys(&m->keys[i - 1], &m->keys[i]) < 0);
    }
}

void store_model_free(struct store_model *m)
{
    while (m->allocated != NULL) {
        struct store_change *next = m->allocated->allocated;

        free(m->allocated);
        m->allocated = next;
    }
    for (unsigned i = 0; i < STORE_KEYS; i++) {
        free((void *)(uintptr_t)m->keys[i].data);
    }
}

static void push(
        struct store_model *m, struct store_change *_Atomic *list, uint64_t number, bool deleted)
{
    struct store_change *c = calloc(1, sizeof *c);

    assert_non_null(c);
    c->number = number;
    c->deleted = deleted;
    c->older = atomic_load(list);
    c->allocated = m->allocated;
    m->allocated = c;
    atomic_store(list, c);
}

void store_model_write(
        struct store_model *m, unsigned bucket, unsigned key, uint64_t number, bool deleted)
{
    push(m, &m->changes[bucket][key], number, deleted);
}

void store_model_drop(struct store_model *m, unsigned bucket, uint64_t number)
{
    push(m, &m->drops[bucket], number, true);
}

static void pop(struct store_change *_Atomic *list, uint64_t number)
{
    struct store_change *c = atomic_load(list);

    while (c != NULL && c->number > number) {
        c = c->older;
    }
    atomic_store(list, c);
}

void store_model_abort(struct store_model *m, uint64_t number)
{
    for (unsigned b = 0; b < STORE_BUCKETS; b++) {
        for (unsigned i = 0; i < STORE_KEYS; i++) {
            pop(&m->changes[b][i], number);
        }
        pop(&m->drops[b], number);
    }
}

static const struct store_change *find(struct store_change *const _Atomic *list, uint64_t at)
{
    const struct store_change *c = atomic_load(list);

    while (c != NULL && c->number > at) {
        c = c->older;
    }
    return c;
}

uint64_t store_model_at(const struct store_model *m, unsigned bucket, unsigned key, uint64_t at)
{
    const struct store_change *c = find(&m->changes[bucket][key], at);
    const struct store_change *drop = find(&m->drops[bucket], at);

    if (c == NULL || c->deleted || (drop != NULL && drop->number > c->number)) {
        return 0;
    }
    return c->number;
}

stele_bytes store_model_value(uint8_t out[STORE_VALUE_SIZE], uint64_t number)
{
    int len = snprintf((char *)out, STORE_VALUE_SIZE, "value %" PRIu64 " ", number);
    size_t padded = (size_t)len + number % 40;

    memset(out + len, (int)('a' + number % 26), padded - (size_t)len);
    return stele_bytes_of(out, padded);
}
