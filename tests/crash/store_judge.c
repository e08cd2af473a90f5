/* SPDX-License-Identifier: MIT
 *
 * store_judge.c: whether what a store has is the state after one of the batches.
 */
#include "base/crc32c.h"
#include "base/error.h"
#include "crash/store_run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool store_wrong(struct store_why *why, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(why->text, sizeof why->text, format, ap);
    va_end(ap);
    return false;
}

/* ---- One bucket. ---- */

struct walk {
    const struct script_state *state;
    unsigned bucket;
    unsigned key; /* the next that may come */
    uint64_t count;
    uint32_t crc;
    struct store_why *why;
    uint8_t key_bytes[SCRIPT_KEY_SIZE];
    uint8_t value_bytes[SCRIPT_VALUE_SIZE];
};

static void skip_absent(struct walk *w)
{
    while (w->key < SCRIPT_KEYS && w->state->cells[w->bucket][w->key].seed == 0) {
        w->key++;
    }
}

static stele_code on_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct walk *w = arg;
    stele_bytes want;

    skip_absent(w);
    if (w->key >= SCRIPT_KEYS) {
        (void)store_wrong(w->why, "bucket %s has a key too many, \"%.*s\"",
                script_bucket(w->bucket), (int)(key.len < 20 ? key.len : 20),
                (const char *)key.data);
        return sti_fail(err, STELE_ESTATE, "wrong");
    }
    want = script_key(w->key, w->key_bytes);
    if (stele_bytes_compare(key, want) != 0) {
        (void)store_wrong(w->why, "bucket %s has key \"%.*s\" instead of number %u",
                script_bucket(w->bucket), (int)(key.len < 20 ? key.len : 20),
                (const char *)key.data, w->key);
        return sti_fail(err, STELE_ESTATE, "wrong");
    }
    want = script_value(&w->state->cells[w->bucket][w->key], w->value_bytes);
    if (stele_bytes_compare(value, want) != 0) {
        (void)store_wrong(w->why,
                "bucket %s, key number %u: a value of %zu bytes from write %" PRIu64
                " instead of %zu from %" PRIu64,
                script_bucket(w->bucket), w->key, value.len, script_seed(value), want.len,
                script_seed(want));
        return sti_fail(err, STELE_ESTATE, "wrong");
    }
    w->crc = sti_crc32c(w->crc, key.data, key.len);
    w->crc = sti_crc32c(w->crc, value.data, value.len);
    w->key++;
    w->count++;
    return STELE_OK;
}

static bool judge_bucket(stele_store_read *r, struct walk *w)
{
    stele_bytes name = stele_str(script_bucket(w->bucket));
    bool there = w->state->buckets[w->bucket];
    uint64_t count = 0;
    stele_error err;
    stele_code code;

    w->key = 0;
    w->count = 0;
    w->why->text[0] = '\0';
    if (there) {
        w->crc = sti_crc32c(w->crc, name.data, name.len);
    }
    code = stele_store_read_for_each(r, name, on_pair, w, &err);
    if (!there && code == STELE_ENOTFOUND) {
        return true;
    }
    if (code != STELE_OK || !there) {
        return w->why->text[0] != '\0'
                       ? false
                       : store_wrong(w->why, "bucket %s: %s", script_bucket(w->bucket),
                                 code == STELE_OK ? "it should not be there" : err.message);
    }
    skip_absent(w);
    if (w->key < SCRIPT_KEYS) {
        return store_wrong(
                w->why, "bucket %s: key number %u is missing", script_bucket(w->bucket), w->key);
    }
    code = stele_store_read_count(r, name, &count, &err);
    if (code != STELE_OK || count != w->count) {
        return store_wrong(w->why, "bucket %s has %" PRIu64 " keys, and counts %" PRIu64,
                script_bucket(w->bucket), w->count, count);
    }
    return true;
}

/* ---- The whole. ---- */

static stele_code on_bucket(void *arg, stele_bytes bucket, stele_error *err)
{
    unsigned *next = arg;

    (void)err;
    while (*next < SCRIPT_BUCKETS &&
            stele_bytes_compare(bucket, stele_str(script_bucket(*next))) != 0) {
        ++*next;
    }
    if (*next >= SCRIPT_BUCKETS) {
        return sti_fail(err, STELE_ESTATE, "an unknown bucket, or one out of order");
    }
    ++*next;
    return STELE_OK;
}

static bool judge_state(
        stele_store_read *r, const struct script_state *state, struct store_why *why)
{
    static struct walk w;
    unsigned next = 0;
    uint32_t crc = 0;
    stele_error err;

    memset(&w, 0, sizeof w);
    w.state = state;
    w.why = why;
    if (stele_store_read_buckets(r, on_bucket, &next, &err) != STELE_OK) {
        return store_wrong(why, "buckets: %s", err.message);
    }
    for (w.bucket = 0; w.bucket < SCRIPT_BUCKETS; w.bucket++) {
        if (!judge_bucket(r, &w)) {
            return false;
        }
    }
    if (stele_store_read_hash(r, NULL, &crc, &err) != STELE_OK || crc != w.crc) {
        return store_wrong(why, "the hash is %08x instead of %08x", crc, w.crc);
    }
    return true;
}

static bool read_last(stele_store_read *r, uint64_t *last, struct store_why *why)
{
    uint8_t bytes[SCRIPT_KEY_SIZE];
    stele_bytes value;
    stele_error err;
    stele_code code = stele_store_read_get(r, stele_str(script_bucket(SCRIPT_LAST_BUCKET)),
            script_key(SCRIPT_LAST_KEY, bytes), &value, &err);

    if (code != STELE_OK && code != STELE_ENOTFOUND) {
        return store_wrong(why, "the last number: %s", err.message);
    }
    *last = code == STELE_OK ? script_seed(value) : 0;
    return true;
}

/* Batches without end are not kept by their letters. */
static bool find_state(const struct store_bounds *bounds, uint64_t count, struct script_state *out)
{
    if (bounds->kind_of == NULL) {
        return script_state_at(bounds->kinds, count, out);
    }
    memset(out, 0, sizeof *out);
    for (uint64_t n = 1; n <= count; n++) {
        script_add(out, bounds->kind_of(n), n);
    }
    return true;
}

bool store_judge_read(stele_store_read *r, const struct store_bounds *bounds, uint64_t *last,
        struct store_why *why)
{
    static struct script_state state;
    bool ok = read_last(r, last, why);

    if (ok && *last < bounds->acked) {
        ok = store_wrong(why, "batch %" PRIu64 " was acknowledged, and %" PRIu64 " is the last",
                bounds->acked, *last);
    }
    if (ok && (*last > bounds->issued || !find_state(bounds, *last, &state))) {
        ok = store_wrong(why, "batch %" PRIu64 " is there, and %" PRIu64 " was the last that ended",
                *last, bounds->issued);
    }
    return ok && judge_state(r, &state, why);
}

bool store_judge(
        stele_store *s, const struct store_bounds *bounds, uint64_t *last, struct store_why *why)
{
    stele_store_read *r = NULL;
    stele_error err;
    bool ok;

    if (stele_store_read_begin(&r, s, &err) != STELE_OK) {
        return store_wrong(why, "%s", err.message);
    }
    ok = store_judge_read(r, bounds, last, why);
    stele_store_read_end(r);
    return ok;
}
