/* SPDX-License-Identifier: MIT
 *
 * content.c: a store with something of everything.
 */
#include "content.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LONG_KEY = 2000,
    KEYS = 400
};

static void put(
        stele_store_batch *b, const char *bucket, const void *key, size_t len, size_t value_len)
{
    uint8_t *value = malloc(value_len + 1);
    stele_error err;

    assert_non_null(value);
    memset(value, (int)(len * 7 + value_len), value_len + 1);
    CHECK_OK(stele_store_batch_put(b, stele_str(bucket), stele_bytes_of(key, len),
                     stele_bytes_of(value, value_len), &err),
            &err);
    free(value);
}

static void fill_once(struct kit *k, unsigned round)
{
    stele_store_batch *b = kit_begin(k);
    char key[LONG_KEY + 1];
    stele_error err;

    kit_create(b, "empty");
    kit_create(b, "long");
    kit_create(b, "short");
    kit_create(b, "dropped");
    put(b, "short", "", 0, round);
    for (unsigned i = 0; i < KEYS; i++) {
        int n = snprintf(key, sizeof key, "key %04u", (i * 37 + round * 11) % (2 * KEYS));

        put(b, "short", key, (size_t)n, 10 + (i + round) % 300);
        put(b, "dropped", key, (size_t)n, 100);
        if (i % 3 == 0) {
            memset(key, 'k', sizeof key);
            put(b, "long", key, 470 + (i * 5 + round) % (LONG_KEY - 470), i % 50);
            key[479] = 'm';
            put(b, "long", key, 470 + (i * 5 + round) % (LONG_KEY - 470), i % 50);
        }
        if (i % 100 == 0) {
            put(b, "long", key, i, 20000 + round * 1000);
        }
    }
    CHECK_OK(stele_store_batch_delete_bucket(b, stele_str("dropped"), &err), &err);
    kit_end(b);
    kit_commit(k);
}

/* Every second key goes again. */
static void thin(struct kit *k)
{
    stele_store_batch *b = kit_begin(k);
    char key[32];

    for (unsigned i = 0; i < 2 * KEYS; i += 2) {
        (void)snprintf(key, sizeof key, "key %04u", i);
        kit_delete(b, "short", key);
    }
    kit_end(b);
    kit_commit(k);
}

void content_fill(struct kit *k, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        fill_once(k, i);
        thin(k);
    }
}

uint32_t content_hash(stele_store *s)
{
    uint32_t hash = 0;
    stele_error err;

    CHECK_OK(stele_store_hash(s, NULL, &hash, &err), &err);
    return hash;
}

uint32_t content_hash_of(stele_store_read *r)
{
    uint32_t hash = 0;
    stele_error err;

    CHECK_OK(stele_store_read_hash(r, NULL, &hash, &err), &err);
    return hash;
}

stele_store_stats content_stat(stele_store *s)
{
    stele_store_stats stats;
    stele_error err;

    CHECK_OK(stele_store_stat(s, &stats, &err), &err);
    return stats;
}

void content_check_files(struct kit *k, uint64_t generation)
{
    DIR *dir = opendir(k->tmp.path);
    char name[32];
    bool found = false;

    assert_non_null(dir);
    (void)snprintf(name, sizeof name, "gen-%llu", (unsigned long long)generation);
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        found = found || strcmp(e->d_name, name) == 0;
        if (strncmp(e->d_name, "gen-", 4) == 0) {
            assert_string_equal(e->d_name, name);
        }
        assert_null(strstr(e->d_name, ".tmp"));
    }
    assert_true(found);
    closedir(dir);
}
