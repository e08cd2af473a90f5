/* SPDX-License-Identifier: MIT */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- The list. ---- */

static stele_bytes copy_of(stele_bytes b)
{
    uint8_t *p = malloc(b.len + 1);

    assert_non_null(p);
    if (b.len > 0) {
        memcpy(p, b.data, b.len);
    }
    return stele_bytes_of(p, b.len);
}

static void bytes_free(stele_bytes b)
{
    free((void *)(uintptr_t)b.data);
}

void model_cut(struct model *m, size_t count)
{
    while (m->count > count) {
        m->count--;
        bytes_free(m->writes[m->count].key);
        bytes_free(m->writes[m->count].value);
    }
}

void model_free(struct model *m)
{
    model_cut(m, 0);
    free(m->writes);
    memset(m, 0, sizeof *m);
}

void model_add(struct model *m, enum sti_write_kind kind, uint64_t seq, uint32_t bucket,
        stele_bytes key, stele_bytes value)
{
    struct sti_write *w;

    if (m->count == m->capacity) {
        m->capacity = m->capacity * 2 + 64;
        m->writes = realloc(m->writes, m->capacity * sizeof m->writes[0]);
        assert_non_null(m->writes);
    }
    w = &m->writes[m->count++];
    w->kind = kind;
    w->seq = seq;
    w->bucket = bucket;
    w->key = copy_of(key);
    w->value = kind == STI_WRITE_PUT ? copy_of(value) : stele_nil();
}

int model_compare(uint32_t bucket_a, stele_bytes a, uint32_t bucket_b, stele_bytes b)
{
    if (bucket_a != bucket_b) {
        return bucket_a < bucket_b ? -1 : 1;
    }
    return stele_bytes_compare(a.len == 0 ? stele_empty() : a, b.len == 0 ? stele_empty() : b);
}

static bool decides(const struct sti_write *w, uint64_t seq, uint32_t bucket, stele_bytes key)
{
    return w->seq <= seq && w->bucket == bucket &&
           (w->kind == STI_WRITE_DROP || model_compare(bucket, w->key, bucket, key) == 0);
}

const struct sti_write *model_see(const struct model *m, size_t from, size_t to, uint64_t seq,
        uint32_t bucket, stele_bytes key)
{
    while (to > from) {
        to--;
        if (decides(&m->writes[to], seq, bucket, key)) {
            return &m->writes[to];
        }
    }
    return NULL;
}

static int by_key(const void *a, const void *b)
{
    const struct sti_write *const *x = a;
    const struct sti_write *const *y = b;
    int c = model_compare((*x)->bucket, (*x)->key, (*y)->bucket, (*y)->key);

    return c != 0 ? c : (*x > *y) - (*x < *y);
}

const struct sti_write **model_list(
        const struct model *m, size_t from, size_t to, uint64_t seq, bool deletions, size_t *count)
{
    const struct sti_write **list = calloc(to - from + 1, sizeof(const struct sti_write *));
    size_t all = 0;
    size_t kept = 0;

    assert_non_null(list);
    for (size_t i = from; i < to; i++) {
        if (m->writes[i].kind != STI_WRITE_DROP && m->writes[i].seq <= seq) {
            list[all++] = &m->writes[i];
        }
    }
    qsort(list, all, sizeof(const struct sti_write *), by_key);
    for (size_t i = 0; i < all; i++) {
        const struct sti_write *w = list[i];

        /* Of equal keys the last one is the newest: is it the one to be seen? */
        if ((deletions || w->kind == STI_WRITE_PUT) &&
                (i + 1 == all || model_compare(w->bucket, w->key, list[i + 1]->bucket,
                                         list[i + 1]->key) != 0) &&
                model_see(m, (size_t)(w - m->writes), to, seq, w->bucket, w->key) == w) {
            list[kept++] = w;
        }
    }
    *count = kept;
    return list;
}

/* ---- Random writes. ---- */

struct random random_of(uint64_t seed)
{
    struct random r = {seed * 0x9E3779B97F4A7C15ULL + 1};

    return r;
}

uint64_t random_below(struct random *r, uint64_t limit)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return (r->state * 0x2545F4914F6CDD1DULL >> 16) % limit;
}

static size_t random_len(struct random *r)
{
    static const size_t edges[] = {0, 1, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 480, 510, 511,
            512, MODEL_KEY_MAX - 1, MODEL_KEY_MAX};

    /* The longest ones are rare, since each costs 32 KiB. */
    return edges[random_below(r, random_below(r, 50) == 0 ? 20 : 18)];
}

stele_bytes random_key(struct random *r, uint8_t *space)
{
    static const uint8_t letters[4] = {0, 1, 'a', 0xff};
    size_t len;

    switch (random_below(r, 4)) {
    case 0:
        len = random_below(r, 7);
        for (size_t i = 0; i < len; i++) {
            space[i] = letters[random_below(r, 4)];
        }
        break;
    case 1:
        len = (size_t)snprintf(
                (char *)space, 64, "a rather long beginning/%u", (unsigned)random_below(r, 500));
        break;
    case 2:
        len = random_len(r);
        memset(space, 'a', len);
        if (len > 0) {
            space[len - 1] = letters[random_below(r, 4)];
        }
        break;
    default:
        len = 8;
        for (size_t i = 0; i < len; i++) {
            space[i] = (uint8_t)(i < 4 ? random_below(r, 256) : 0);
        }
        break;
    }
    return stele_bytes_of(space, len);
}

stele_bytes random_value(struct random *r, uint8_t *space)
{
    size_t len = random_below(r, random_below(r, 4) == 0 ? 300 : 20);

    for (size_t i = 0; i < len; i++) {
        space[i] = (uint8_t)random_below(r, 256);
    }
    return stele_bytes_of(space, len);
}
