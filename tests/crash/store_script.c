/* SPDX-License-Identifier: MIT
 *
 * store_script.c: the writes of batches, and the states that they make.
 */
#include "crash/store_script.h"

#include "base/coding.h"
#include "sim/image.h"

#include <stdio.h>
#include <string.h>

enum {
    MANY = 130,
    SEED_SIZE = 8,
    LONG_KEY = 1500
};

/* ---- Names, keys, values. ---- */

const char *script_bucket(unsigned bucket)
{
    static const char *const names[SCRIPT_BUCKETS] = {"a last", "b", "c large", "d"};

    return names[bucket];
}

stele_bytes script_key(unsigned key, uint8_t out[SCRIPT_KEY_SIZE])
{
    char text[16];
    int len;

    if (key < SCRIPT_SHORT) {
        len = snprintf(text, sizeof text, "k%05u", key);
        memcpy(out, text, (size_t)len);
        return stele_bytes_of(out, (size_t)len);
    }
    /* Two of them begin alike. */
    memset(out, (int)('l' + (key - SCRIPT_SHORT) / 2), LONG_KEY);
    len = snprintf(text, sizeof text, "%05u", key);
    memcpy(out + LONG_KEY, text, (size_t)len);
    return stele_bytes_of(out, LONG_KEY + (size_t)len);
}

/* No byte but those of the seed is zero, so that a sector that is missing shows. */
stele_bytes script_value(const struct script_cell *cell, uint8_t out[SCRIPT_VALUE_SIZE])
{
    uint64_t word = 0;

    sti_put_le64(out, cell->seed);
    for (uint32_t i = SEED_SIZE; i < cell->len; i++) {
        word = i % SEED_SIZE == 0 ? sim_mix(cell->seed * 0x10001U + i) : word >> 8;
        out[i] = (uint8_t)(word | 1);
    }
    return stele_bytes_of(out, cell->len);
}

uint64_t script_seed(stele_bytes value)
{
    return value.len < SEED_SIZE ? 0 : sti_get_le64(value.data);
}

/* ---- Batches. ---- */

static struct script_cell cell_of(uint64_t number, unsigned i, unsigned len)
{
    return (struct script_cell){number * 1000 + i, SEED_SIZE + len};
}

static int put_small(uint64_t n, const struct script_sink *sink)
{
    int rc = sink->create(sink->arg, 1);

    for (unsigned i = 0; i < 3 && rc == 0; i++) {
        struct script_cell cell = cell_of(n, i, (unsigned)(n * 53 + i * 97) % 480);

        rc = sink->put(sink->arg, 1, (unsigned)(n * 7 + i * 13) % 40, &cell);
    }
    if (rc == 0 && n % 3 == 0) {
        rc = sink->remove(sink->arg, 1, (unsigned)(n * 5) % 40);
    }
    return rc;
}

static int put_many(uint64_t n, const struct script_sink *sink)
{
    int rc = sink->create(sink->arg, 3);

    for (unsigned i = 0; i < MANY && rc == 0; i++) {
        struct script_cell cell = cell_of(n, i, 40 + i % 90);

        rc = sink->put(sink->arg, 3, (unsigned)(n * 60 + i) % SCRIPT_SHORT, &cell);
    }
    return rc;
}

static int put_large(uint64_t n, const struct script_sink *sink)
{
    struct script_cell cell = cell_of(n, 0, 5000 + (unsigned)(n * 3001) % 9000);
    int rc = sink->create(sink->arg, 2);

    return rc == 0 ? sink->put(sink->arg, 2, (unsigned)n % 4, &cell) : rc;
}

static int put_long(uint64_t n, const struct script_sink *sink)
{
    int rc = sink->create(sink->arg, 1);

    for (unsigned i = 0; i < 2 && rc == 0; i++) {
        struct script_cell cell = cell_of(n, i, 100);

        rc = sink->put(sink->arg, 1, SCRIPT_SHORT + (unsigned)(n * 2 + i) % SCRIPT_LONG, &cell);
    }
    if (rc == 0 && n % 2 == 0) {
        rc = sink->remove(sink->arg, 1, SCRIPT_SHORT + (unsigned)(n * 3) % SCRIPT_LONG);
    }
    return rc;
}

/* A bucket that is not there cannot be dropped. */
static int drop(uint64_t n, bool again, const struct script_sink *sink)
{
    struct script_cell cell = cell_of(n, 0, 30);
    int rc = sink->create(sink->arg, 3);

    rc = rc == 0 ? sink->put(sink->arg, 3, 1, &cell) : rc;
    rc = rc == 0 ? sink->drop(sink->arg, 3) : rc;
    if (again) {
        rc = rc == 0 ? sink->create(sink->arg, 3) : rc;
        rc = rc == 0 ? sink->put(sink->arg, 3, (unsigned)n % 5, &cell) : rc;
    }
    return rc;
}

int script_write(char kind, uint64_t number, const struct script_sink *sink)
{
    const struct script_cell last = {number, SEED_SIZE};
    int rc = sink->create(sink->arg, SCRIPT_LAST_BUCKET);

    if (rc == 0) {
        rc = sink->put(sink->arg, SCRIPT_LAST_BUCKET, SCRIPT_LAST_KEY, &last);
    }
    if (rc != 0) {
        return rc;
    }
    switch (kind) {
    case 'm':
        return put_many(number, sink);
    case 'b':
        return put_large(number, sink);
    case 'l':
        return put_long(number, sink);
    case 'r':
    case 'R':
        return drop(number, kind == 'R', sink);
    default:
        return put_small(number, sink);
    }
}

/* ---- States. ---- */

static int state_create(void *arg, unsigned bucket)
{
    struct script_state *s = arg;

    s->buckets[bucket] = true;
    return 0;
}

static int state_drop(void *arg, unsigned bucket)
{
    struct script_state *s = arg;

    s->buckets[bucket] = false;
    memset(s->cells[bucket], 0, sizeof s->cells[bucket]);
    return 0;
}

static int state_put(void *arg, unsigned bucket, unsigned key, const struct script_cell *cell)
{
    struct script_state *s = arg;

    s->cells[bucket][key] = *cell;
    return 0;
}

static int state_remove(void *arg, unsigned bucket, unsigned key)
{
    struct script_state *s = arg;

    s->cells[bucket][key] = (struct script_cell){0, 0};
    return 0;
}

void script_add(struct script_state *state, char kind, uint64_t number)
{
    const struct script_sink sink = {state_create, state_drop, state_put, state_remove, state};

    (void)script_write(kind, number, &sink);
}

bool script_state_at(const char *kinds, uint64_t count, struct script_state *out)
{
    memset(out, 0, sizeof *out);
    for (uint64_t n = 1; n <= count; n++, kinds++) {
        if (*kinds == '\0') {
            return false;
        }
        script_add(out, *kinds, n);
    }
    return true;
}
