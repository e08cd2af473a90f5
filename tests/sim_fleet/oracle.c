/* SPDX-License-Identifier: MIT
 *
 * oracle.c: what a set of entries means, from their bytes, by the shortest way there is.
 *
 * Per ID the entry with the largest (version, delete over set, hash) counts. A document claims its
 * key since the oldest entry of the run of its entries, up to the one that counts, that have the
 * key. Of the live documents that claim a key, the one with the smallest (claim, ID) owns it.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

struct row {
    const uint8_t *v; /* version, 16 bytes */
    int del;
    const uint8_t *hash;
    const char *id;
    size_t id_len;
    const char *key;
    size_t key_len;
    const uint8_t *claim;
};

static int by_id(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;
    int d = memcmp(x->id, y->id, x->id_len < y->id_len ? x->id_len : y->id_len);

    d = d != 0 ? d : (x->id_len > y->id_len) - (x->id_len < y->id_len);
    d = d != 0 ? d : memcmp(x->v, y->v, 16);
    d = d != 0 ? d : x->del - y->del;
    return d != 0 ? d : memcmp(x->hash, y->hash, 32);
}

static int same(const char *a, size_t n, const char *b, size_t m)
{
    return n == m && memcmp(a, b, n) == 0;
}

static void line(stele_buf *out, const struct row *r, const char *what)
{
    char text[128];
    int len = snprintf(text, sizeof text, "%.*s %s %.*s", (int)r->id_len, r->id, what,
            r->del ? 0 : (int)r->key_len, r->key);

    for (int i = 0; i < 16; i++) {
        len += snprintf(text + len, sizeof text - (size_t)len, "%02x", r->v[i]);
    }
    text[len++] = '\n';
    if (stele_buf_append(out, stele_bytes_of(text, (size_t)len), NULL) != STELE_OK) {
        abort();
    }
}

void sim_oracle(struct fleet_memory *log, stele_buf *out)
{
    struct row *rows = calloc(log->count + 1, sizeof *rows);
    size_t last = 0;

    for (size_t i = 0; i < log->count; i++) {
        const uint8_t *b = log->items[i].bytes;
        size_t n = (size_t)b[24] << 8 | b[25];
        const char *json = (const char *)b + 26 + n;
        size_t len = log->items[i].len - 26 - n;
        const char *blank = len == 0 ? NULL : memchr(json, ' ', len);

        rows[i] = (struct row){b + 8, b[7], log->items[i].hash, (const char *)b + 26, n, json,
                blank == NULL ? 0 : (size_t)(blank - json), b + 8};
    }
    qsort(rows, log->count, sizeof *rows, by_id);
    for (size_t i = 0; i < log->count; i++) {
        struct row *r = &rows[i];

        if (i > 0 && same(r->id, r->id_len, r[-1].id, r[-1].id_len) && !r->del && !r[-1].del &&
                same(r->key, r->key_len, r[-1].key, r[-1].key_len)) {
            r->claim = r[-1].claim;
        }
        if (i + 1 == log->count || !same(r->id, r->id_len, r[1].id, r[1].id_len)) {
            rows[last++] = *r;
        }
    }
    for (size_t i = 0; i < last; i++) {
        int owns = !rows[i].del;

        for (size_t j = 0; owns && j < last; j++) {
            int d = memcmp(rows[j].claim, rows[i].claim, 16);

            owns = rows[j].del ||
                   !same(rows[j].key, rows[j].key_len, rows[i].key, rows[i].key_len) || d > 0 ||
                   (d == 0 && j >= i);
        }
        line(out, &rows[i], rows[i].del ? "gone" : owns ? "owns" : "wants");
    }
    free(rows);
}
