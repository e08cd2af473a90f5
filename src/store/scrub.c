/* SPDX-License-Identifier: MIT
 *
 * scrub.c: the second tree, and what it says of the first.
 *
 * Nothing may be missing, which the counts and hashes tell, and nothing may be there that no record
 * knows of: every entry of the first tree is one of a bucket that was walked, or of one that was
 * deleted and is not gone yet.
 */
#include "store/scrub.h"

#include "base/alloc.h"
#include "base/coding.h"
#include "base/error.h"
#include "store/scrub_state.h"
#include "store/state.h"

#include <inttypes.h>
#include <stdio.h>

void sti_data_name(char out[STI_DATA_NAME_SIZE], uint64_t generation)
{
    char name[STI_GENERATION_NAME_SIZE];

    sti_generation_name(name, generation, false);
    (void)snprintf(out, STI_DATA_NAME_SIZE, "%s/data.mdb", name);
}

void sti_scrub_tell(
        struct sti_scrub *s, stele_bytes bucket, stele_bytes key, stele_code code, const char *text)
{
    const struct sti_place_of_fault place = {
            .file = s->file, .position = -1, .bucket = bucket, .key = key};

    sti_faults_tell(s->faults, &place, code, text);
}

stele_code sti_scrub_take(struct sti_scrub *s, stele_bytes bucket, stele_bytes key, stele_code code,
        const stele_error *why, stele_error *err)
{
    const struct sti_place_of_fault place = {
            .file = s->file, .position = -1, .bucket = bucket, .key = key};

    return sti_faults_take(s->faults, &place, code, why, err);
}

/* ---- Numbers of buckets. ---- */

static stele_code add_number(struct sti_scrub_numbers *n, uint32_t number, stele_error *err)
{
    if (n->count == n->capacity) {
        size_t capacity = n->capacity == 0 ? 64 : 2 * n->capacity;
        uint32_t *list = sti_realloc(n->list, capacity, sizeof *list);

        if (list == NULL) {
            return sti_fail_memory(err, capacity * sizeof *list);
        }
        n->list = list;
        n->capacity = capacity;
    }
    n->list[n->count++] = number;
    return STELE_OK;
}

static int compare_numbers(const void *a, const void *b)
{
    const uint32_t *x = a;
    const uint32_t *y = b;

    return *x < *y ? -1 : *x > *y;
}

static void sort(struct sti_scrub_numbers *n)
{
    if (n->count > 0) {
        qsort(n->list, n->count, sizeof *n->list, compare_numbers);
    }
}

static bool has_number(const struct sti_scrub_numbers *n, uint32_t number)
{
    return n->count > 0 &&
           bsearch(&number, n->list, n->count, sizeof number, compare_numbers) != NULL;
}

static void find_doubles(struct sti_scrub *s)
{
    char text[80];

    for (size_t i = 0; i < s->live.count; i++) {
        uint32_t number = s->live.list[i];

        if ((i > 0 && s->live.list[i - 1] == number) || has_number(&s->garbage, number)) {
            (void)snprintf(
                    text, sizeof text, "number %lu is that of two buckets", (unsigned long)number);
            sti_scrub_tell(s, stele_nil(), stele_nil(), STELE_ECORRUPT, text);
        }
    }
}

/* ---- The second tree. ---- */

static stele_code take_bucket(
        struct sti_scrub *s, struct sti_lmdb_cursor *raw, stele_bytes name, stele_error *err)
{
    struct sti_bucket bucket;
    stele_error why;
    stele_code code;

    if (name.len == 0 || name.len > STELE_STORE_BUCKET_MAX) {
        sti_scrub_tell(s, name, stele_nil(), STELE_ECORRUPT, "the name has a wrong length");
        return STELE_OK;
    }
    code = sti_bucket_find(s->txn, name, &bucket, &why);
    if (code == STELE_ENOTFOUND) {
        code = sti_fail(&why, STELE_ECORRUPT, "its record cannot be found");
    }
    if (code != STELE_OK) {
        return sti_scrub_take(s, name, stele_nil(), code, &why, err);
    }
    s->faults->sum.buckets++;
    s->hash += sti_bucket_hash(name, &bucket);
    if (bucket.number == 0 || bucket.number >= STI_BUCKET_LIMIT ||
            (s->has_commit && bucket.number >= s->commit.next_bucket)) {
        sti_scrub_tell(s, name, stele_nil(), STELE_ECORRUPT, "it has a number that cannot be");
        return STELE_OK;
    }
    code = add_number(&s->live, bucket.number, err);
    return code == STELE_OK ? sti_scrub_bucket(s, raw, name, &bucket, err) : code;
}

static stele_code take_record(struct sti_scrub *s, struct sti_lmdb_cursor *raw, stele_bytes key,
        stele_bytes value, stele_error *err)
{
    uint32_t number;
    stele_error why;
    stele_code code;

    switch (key.len == 0 ? 0 : key.data[0]) {
    case 'b':
        return take_bucket(s, raw, stele_bytes_of(key.data + 1, key.len - 1), err);
    case 'g':
        code = sti_garbage_read(key, value, &number, &why);
        if (code == STELE_OK) {
            return add_number(&s->garbage, number, err);
        }
        return sti_scrub_take(s, stele_nil(), stele_nil(), code, &why, err);
    case 'c':
        if (key.len == 1) {
            return STELE_OK;
        }
        break;
    default:
        break;
    }
    sti_scrub_tell(s, stele_nil(), stele_nil(), STELE_ECORRUPT, "a record of no known kind");
    return STELE_OK;
}

static stele_code take_records(struct sti_scrub *s, struct sti_lmdb_cursor *raw, stele_error *err)
{
    struct sti_lmdb_cursor *names;
    stele_bytes key = stele_nil();
    stele_bytes value;
    stele_error why;
    stele_code code = sti_lmdb_cursor_open(&names, s->txn, STI_LMDB_NAMES, err);
    stele_code step = STELE_OK;

    if (code != STELE_OK) {
        return code;
    }
    while (code == STELE_OK) {
        step = sti_lmdb_cursor_move(names, STI_LMDB_NEXT, &key, &value, &why);
        if (step != STELE_OK) {
            break;
        }
        code = take_record(s, raw, key, value, err);
    }
    if (code == STELE_OK && step != STELE_END) {
        code = sti_scrub_take(s, stele_nil(), stele_nil(), step, &why, err);
    }
    sti_lmdb_cursor_close(names);
    return code;
}

static stele_code take_commit(
        struct sti_scrub *s, const struct sti_generation *expected, stele_error *err)
{
    stele_error why;
    stele_code code = sti_commit_record_read(s->txn, &s->commit, &why);

    if (code != STELE_OK) {
        return sti_scrub_take(s, stele_nil(), stele_nil(), code, &why, err);
    }
    s->has_commit = true;
    if (expected == NULL) {
        sti_data_name(s->file, s->commit.generation);
    }
    if (expected != NULL && (s->commit.store_id != expected->store_id ||
                                    s->commit.generation != expected->number)) {
        sti_scrub_tell(s, stele_nil(), stele_nil(), STELE_ECORRUPT,
                "the data is that of another store or generation");
    }
    return STELE_OK;
}

static void compare_buckets(struct sti_scrub *s)
{
    char text[120];

    if (!s->has_commit) {
        return;
    }
    if (s->live.count != s->commit.buckets) {
        (void)snprintf(text, sizeof text, "there are %zu buckets instead of %" PRIu64,
                s->live.count, s->commit.buckets);
        sti_scrub_tell(s, stele_nil(), stele_nil(), STELE_ECORRUPT, text);
    } else if (s->hash != s->commit.buckets_hash) {
        sti_scrub_tell(
                s, stele_nil(), stele_nil(), STELE_ECORRUPT, "the hash of the buckets differs");
    }
}

/* ---- Entries of no bucket. ---- */

/* How many entries those of a deleted bucket are, from the one that the cursor is at. Leaves it at
 * the next one. */
static stele_code pass_garbage(struct sti_scrub *s, struct sti_lmdb_cursor *raw, uint32_t number,
        stele_bytes *key, stele_bytes *value, stele_error *err)
{
    stele_code code = STELE_OK;

    while (code == STELE_OK && key->len >= 4 && sti_get_be32(key->data) == number) {
        s->entries++;
        code = sti_lmdb_cursor_move(raw, STI_LMDB_NEXT, key, value, err);
    }
    return code;
}

/* To the first entry of the next number. */
static stele_code pass_live(struct sti_lmdb_cursor *raw, uint32_t number, stele_bytes *key,
        stele_bytes *value, stele_error *err)
{
    uint8_t next[4];
    stele_bytes at;
    stele_code code;

    sti_put_be32(next, number + 1);
    at = stele_bytes_of(next, sizeof next);
    code = sti_lmdb_cursor_move(raw, STI_LMDB_FROM, &at, value, err);
    if (code == STELE_OK) {
        *key = at;
    }
    return code;
}

/* The second tree's own entry ends it. */
static stele_code find_strangers(struct sti_scrub *s, struct sti_lmdb_cursor *raw, stele_error *err)
{
    stele_bytes key = stele_nil();
    stele_bytes value;
    char text[80];
    stele_code code = sti_lmdb_cursor_move(raw, STI_LMDB_FIRST, &key, &value, err);

    while (code == STELE_OK) {
        uint32_t number;

        if (key.len < sizeof number) {
            sti_scrub_tell(s, stele_nil(), stele_nil(), STELE_ECORRUPT,
                    "there is an entry with a key of no known form");
            code = sti_lmdb_cursor_move(raw, STI_LMDB_NEXT, &key, &value, err);
            continue;
        }
        number = sti_get_be32(key.data);
        if (number == STI_BUCKET_LIMIT) {
            break;
        }
        if (has_number(&s->garbage, number)) {
            code = pass_garbage(s, raw, number, &key, &value, err);
            continue;
        }
        if (!has_number(&s->live, number)) {
            (void)snprintf(text, sizeof text,
                    "there are entries of bucket number %lu, which is none", (unsigned long)number);
            sti_scrub_tell(s, stele_nil(), stele_nil(), STELE_ECORRUPT, text);
        }
        code = pass_live(raw, number, &key, &value, err);
    }
    return code == STELE_END ? STELE_OK : code;
}

static stele_code count_entries(struct sti_scrub *s, stele_error *err)
{
    struct sti_lmdb_stat stat;
    char text[120];
    stele_code code = sti_lmdb_stat(s->txn, &stat, err);

    if (code == STELE_OK && stat.entries != s->entries) {
        (void)snprintf(text, sizeof text,
                "the tree has %" PRIu64 " entries, of which %" PRIu64 " belong to keys",
                stat.entries, s->entries);
        sti_scrub_tell(s, stele_nil(), stele_nil(), STELE_ECORRUPT, text);
    }
    return code;
}

/* ---- All. ---- */

static stele_code scrub_all(
        struct sti_scrub *s, const struct sti_generation *expected, stele_error *err)
{
    struct sti_lmdb_cursor *raw = NULL;
    uint64_t before = s->faults->sum.faults;
    stele_error why;
    stele_code code = take_commit(s, expected, err);

    code = code == STELE_OK ? sti_lmdb_cursor_open(&raw, s->txn, STI_LMDB_DATA, err) : code;
    code = code == STELE_OK ? take_records(s, raw, err) : code;
    if (code == STELE_OK) {
        sort(&s->live);
        sort(&s->garbage);
        find_doubles(s);
        compare_buckets(s);
    }
    /* What was not read for a fault would look like a stranger. */
    if (code == STELE_OK && s->faults->sum.faults == before) {
        code = find_strangers(s, raw, &why);
        code = code == STELE_OK && s->faults->sum.faults == before ? count_entries(s, &why) : code;
        code = sti_scrub_take(s, stele_nil(), stele_nil(), code, &why, err);
    }
    sti_lmdb_cursor_close(raw);
    return code;
}

stele_code sti_scrub(struct sti_faults *faults, struct sti_lmdb_txn *txn,
        const struct sti_generation *expected, const struct sti_deadline *deadline,
        stele_error *err)
{
    struct sti_scrub s = {.faults = faults, .txn = txn, .deadline = deadline};
    uint64_t before = faults->sum.faults;
    stele_error why;
    stele_code code;

    sti_data_name(s.file, expected == NULL ? 0 : expected->number);
    code = scrub_all(&s, expected, &why);
    sti_free(s.live.list);
    sti_free(s.garbage.list);
    if (code == STELE_ESTATE && faults->sum.faults > before) {
        /* LMDB gives no more of a transaction in which it met damage. */
        code = STELE_OK;
    }
    if (code != STELE_OK && err != NULL) {
        *err = why;
    }
    return code;
}
