/* SPDX-License-Identifier: MIT */
#include "scenarios.h"

#include "lib/check.h"
#include "sim/world.h"

#include <stdlib.h>

enum {
    SEED = 3,
    SEGMENT_SIZE = 4096
};

stele_bytes golden_data(uint64_t id, uint8_t out[GOLDEN_DATA_MAX])
{
    size_t len = id % 7 == 0 ? 0 : (size_t)(id * 37 % 300 + 1);

    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(id + i * 5);
    }
    return stele_bytes_of(out, len);
}

void golden_options(stele_wal_options *opts, const stele_env *env)
{
    stele_wal_options_init(opts);
    opts->env = env;
    opts->create_dirs = true;
    opts->segment_size = SEGMENT_SIZE;
    opts->no_background = true;
}

/* ---- Calls that the scenarios are made of. ---- */

struct maker {
    struct sim_world *world;
    stele_wal *w;
};

static void begin(struct maker *m, stele_wal_format format)
{
    stele_wal_options opts;
    stele_error err;

    m->world = sim_world_new(SEED, NULL, NULL);
    golden_options(&opts, &m->world->env);
    opts.format = format;
    CHECK_OK(stele_wal_open(&m->w, GOLDEN_DIR, &opts, &err), &err);
}

static void append(struct maker *m, uint64_t first, uint64_t last)
{
    for (uint64_t id = first; id <= last; id++) {
        uint8_t data[GOLDEN_DATA_MAX];
        stele_wal_record record = {.id = id, .data = golden_data(id, data)};
        stele_error err;

        CHECK_OK(stele_wal_append(m->w, &record, 1, &err), &err);
    }
}

static void append_batch(struct maker *m, uint64_t first)
{
    stele_wal_record records[4];
    uint8_t data[4][GOLDEN_DATA_MAX];
    stele_error err;

    for (size_t i = 0; i < 4; i++) {
        records[i].id = first + i;
        records[i].data = golden_data(first + i, data[i]);
    }
    CHECK_OK(stele_wal_append(m->w, records, 4, &err), &err);
}

static void trim(struct maker *m, uint64_t id)
{
    stele_error err;

    CHECK_OK(stele_wal_trim(m->w, id, &err), &err);
}

static void cut(struct maker *m, uint64_t id)
{
    stele_error err;

    CHECK_OK(stele_wal_truncate(m->w, id, &err), &err);
}

static struct sim_image *end_closed(struct maker *m)
{
    struct sim_image *image;
    stele_error err;

    CHECK_OK(stele_wal_close(m->w, &err), &err);
    image = sim_disk_image(m->world->disk);
    sim_world_free(m->world);
    return image;
}

/* As a process that was killed leaves it. */
static struct sim_image *end_killed(struct maker *m)
{
    struct sim_image *image = sim_disk_image(m->world->disk);
    stele_error err;

    CHECK_OK(stele_wal_close(m->w, &err), &err);
    sim_world_free(m->world);
    return image;
}

/* The image with other bytes in a file. */
static struct sim_image *changed(
        struct sim_image *image, const char *name, void (*change)(uint8_t *bytes, uint64_t size))
{
    struct sim_image *after = NULL;

    for (uint32_t i = 0; i < image->entry_count && after == NULL; i++) {
        if (strcmp(image->entries[i].name, name) == 0) {
            uint64_t size;
            uint8_t *bytes = sim_image_read(image, i, &size);

            change(bytes, size);
            after = sim_image_with(image, i, bytes, size);
            free(bytes);
        }
    }
    assert_non_null(after);
    sim_image_unref(image);
    return after;
}

/* The last bytes did not reach the disk: the last record is torn. */
static void tear(uint8_t *bytes, uint64_t size)
{
    while (size > 0 && bytes[size - 1] == 0) {
        size--;
    }
    assert_true(size > 16);
    memset(bytes + size - 16, 0, 16);
}

static void damage_slot(uint8_t *bytes, uint64_t size)
{
    assert_true(size > 100);
    bytes[40] ^= 4;
}

/* ---- The scenarios. ---- */

static struct sim_image *make_new(void)
{
    struct maker m;

    begin(&m, STELE_WAL_STELE);
    return end_closed(&m);
}

static struct sim_image *make_fresh(void)
{
    struct maker m;

    begin(&m, STELE_WAL_STELE);
    append(&m, 1, 3);
    append_batch(&m, 4);
    return end_closed(&m);
}

static struct sim_image *make_slot(void)
{
    return changed(make_fresh(), "wal.manifest", damage_slot);
}

static struct sim_image *make_killed(void)
{
    struct maker m;

    begin(&m, STELE_WAL_STELE);
    append(&m, 1000000000000, 1000000000009);
    return end_killed(&m);
}

static struct sim_image *make_torn(void)
{
    struct maker m;

    begin(&m, STELE_WAL_STELE);
    append(&m, 1, 10);
    return changed(end_killed(&m), "00000000000000000000.wal", tear);
}

static struct sim_image *make_rolled(void)
{
    struct maker m;

    begin(&m, STELE_WAL_STELE);
    append(&m, 1, 80);
    append_batch(&m, 81);
    return end_closed(&m);
}

static struct sim_image *make_recycled(void)
{
    struct maker m;

    begin(&m, STELE_WAL_STELE);
    append(&m, 1, 60);
    trim(&m, 50);
    append(&m, 61, 120);
    trim(&m, 100);
    append(&m, 121, 130);
    return end_closed(&m);
}

static struct sim_image *make_truncated(void)
{
    struct maker m;

    begin(&m, STELE_WAL_STELE);
    append(&m, 1, 60);
    cut(&m, 33);
    append(&m, 34, 40);
    return end_closed(&m);
}

static struct sim_image *make_emptied(void)
{
    struct maker m;

    begin(&m, STELE_WAL_STELE);
    append(&m, 1, 30);
    trim(&m, 30);
    return end_closed(&m);
}

static struct sim_image *make_blb(void)
{
    struct maker m;

    begin(&m, STELE_WAL_BLB);
    append(&m, 1, 80);
    trim(&m, 50);
    return end_closed(&m);
}

const struct scenario scenarios[] = {
        {"new", make_new, STELE_WAL_STELE, 1, 0, 0, 0, true},
        {"fresh", make_fresh, STELE_WAL_STELE, 1, 7, 8, 0, true},
        {"slot", make_slot, STELE_WAL_STELE, 1, 7, 8, 1, true},
        {"killed", make_killed, STELE_WAL_STELE, 1000000000000, 1000000000009, 1000000000010, 0,
                true},
        {"torn", make_torn, STELE_WAL_STELE, 1, 9, 10, 1, true},
        {"rolled", make_rolled, STELE_WAL_STELE, 1, 84, 85, 0, true},
        {"recycled", make_recycled, STELE_WAL_STELE, 80, 130, 131, 0, true},
        {"truncated", make_truncated, STELE_WAL_STELE, 1, 40, 41, 0, true},
        {"emptied", make_emptied, STELE_WAL_STELE, 1, 0, 0, 0, true},
        {"blb", make_blb, STELE_WAL_BLB, 31, 80, 81, 0, true},
};
const size_t scenario_count = sizeof scenarios / sizeof scenarios[0];
