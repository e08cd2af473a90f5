/* SPDX-License-Identifier: MIT */
#include "crash/stream_scenarios.h"

#include "crash/stream_model.h"
#include "stream/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MESSAGES = 12,
    SMALL_DISK = 24 << 10
};

struct scene {
    struct model_config config;
    struct sim_world *w;
    stele_stream *s;
    stele_stream_options options;
    stele_messages *ms;
};

static bool begin(struct scene *sc, stele_stream_version version, uint64_t capacity)
{
    struct sim_disk_options disk = {.file_max = 2 << 20, .capacity = capacity};

    memset(sc, 0, sizeof *sc);
    sc->config = (struct model_config){
            .version = version, .times = true, .keys = true, .no_map = true, .rollover = 300};
    sc->w = sim_world_new(1, NULL, &disk);
    model_options(&sc->config, &sc->w->env, &sc->options);
    return stele_messages_new(&sc->ms, NULL) == STELE_OK &&
           stele_stream_open(&sc->s, MODEL_DIR, &sc->options, NULL) == STELE_OK;
}

static bool end(struct scene *sc, bool held)
{
    stele_messages_free(sc->ms);
    held = stele_stream_close(sc->s, NULL) == STELE_OK && held;
    sim_world_free(sc->w);
    return held;
}

static stele_code publish(struct scene *sc)
{
    struct model_message made;
    int64_t next;
    stele_code rc = stele_stream_next_offset(sc->s, &next, NULL);

    model_make(&made, model_value(next, 0));
    return rc != STELE_OK ? rc : stele_stream_publish(sc->s, &made.message, 1, NULL, NULL);
}

static bool fill(struct scene *sc)
{
    bool held = true;

    for (int i = 0; i < MESSAGES && held; i++) {
        held = publish(sc) == STELE_OK;
    }
    return held;
}

/* ---- Promises. ---- */

static bool one_writer(void)
{
    struct scene sc;
    stele_stream *other = NULL;
    bool held = begin(&sc, STELE_STREAM_V2, 0) &&
                stele_stream_open(&other, MODEL_DIR, &sc.options, NULL) == STELE_EBUSY;

    if (other != NULL) {
        (void)stele_stream_close(other, NULL);
    }
    return end(&sc, held);
}

static bool publishes_where_expected(void)
{
    struct scene sc;
    bool held = begin(&sc, STELE_STREAM_V2, 0) && publish(&sc) == STELE_OK;
    struct model_message made;
    int64_t next = -1;

    model_make(&made, model_value(1, 0));
    held = held &&
           stele_stream_publish_at(sc.s, 0, &made.message, 1, NULL, NULL) == STELE_ECONFLICT &&
           stele_stream_publish_at(sc.s, 1, &made.message, 1, &next, NULL) == STELE_OK && next == 2;
    return end(&sc, held);
}

static bool works_on_a_full_disk(void)
{
    struct scene sc;
    bool held = begin(&sc, STELE_STREAM_V1, SMALL_DISK);
    stele_code rc = STELE_OK;
    int64_t full = 0;

    for (int i = 0; i < MODEL_OFFSETS && rc == STELE_OK && held; i++) {
        rc = publish(&sc);
    }
    held = held && rc == STELE_ENOSPC && stele_stream_next_offset(sc.s, &full, NULL) == STELE_OK;
    for (int64_t i = 0; i < full && held; i++) {
        held = stele_stream_get(sc.s, i, sc.ms, NULL) == STELE_OK &&
               model_same(stele_messages_at(sc.ms, 0), model_value(i, 0));
    }
    stele_messages_clear(sc.ms);
    held = held &&
           stele_stream_trim_by_offset_multi(sc.s, full / 2, NULL, NULL, NULL, NULL) <= STELE_OK &&
           publish(&sc) == STELE_OK;
    return end(&sc, held);
}

static bool lent_messages_stay(void)
{
    struct scene sc;
    bool held = begin(&sc, STELE_STREAM_V2, 0) && fill(&sc);
    stele_deleted deleted = {0};
    int64_t next;

    held = held && stele_stream_consume(sc.s, 0, 3, sc.ms, &next, NULL) == STELE_OK &&
           stele_messages_count(sc.ms) == 3 &&
           stele_stream_trim_by_count_multi(sc.s, 1, NULL, NULL, &deleted, NULL) == STELE_OK &&
           deleted.count == MESSAGES - 1 && stele_stream_gc(sc.s, 0, NULL) == STELE_OK;
    held = stele_stream_close(sc.s, NULL) == STELE_OK && held;
    sc.s = NULL;
    for (int64_t i = 0; i < 3 && held; i++) {
        held = model_same(stele_messages_at(sc.ms, (size_t)i), model_value(i, 0));
    }
    return end(&sc, held);
}

static bool deletes_past_what_is_not_there(void)
{
    struct scene sc;
    bool held = begin(&sc, STELE_STREAM_V2, 0) && fill(&sc);
    stele_offsets *set = NULL;
    stele_deleted deleted = {0};

    held = held && stele_offsets_new(&set, NULL) == STELE_OK &&
           stele_offsets_add(set, 1, NULL) == STELE_OK &&
           stele_stream_delete_multi(sc.s, set, NULL, &deleted, NULL) == STELE_OK &&
           stele_offsets_add(set, MESSAGES - 2, NULL) == STELE_OK &&
           stele_stream_delete_multi(sc.s, set, NULL, &deleted, NULL) == STELE_OK &&
           deleted.count == 2;
    stele_offsets_free(set);
    return end(&sc, held);
}

/* ---- Damage in a segment that is not the newest. ---- */

static void each_fault(void *arg, const stele_stream_fault *fault)
{
    (void)fault;
    ++*(int *)arg;
}

static void each_lost(void *arg, int64_t first, int64_t last)
{
    *(int *)arg += first == 1 && last == 1 ? 1 : 0;
}

/* Flip a byte in the value of message 1. */
static bool damage(struct scene *sc)
{
    const stele_vfs *vfs = sc->w->env.vfs;
    struct model_message made;
    char name[STI_NAME_SIZE];
    uint8_t bytes[4096];
    stele_slice slice = {"\xff", 1};
    stele_dir *d = NULL;
    stele_file *f = NULL;
    bool done = false;

    model_make(&made, model_value(1, 0));
    sti_name_log(name, 0);
    if (vfs->ops->open_dir(vfs, MODEL_DIR, 0, &d) == 0 &&
            d->ops->open(d, name, STELE_OPEN_WRITE, &f) == 0) {
        int64_t got = f->ops->pread(f, bytes, sizeof bytes, 0);
        const uint8_t *found = got <= 0 ? NULL
                                        : memmem(bytes, (size_t)got, made.message.value.data,
                                                  made.message.value.len);

        done = found != NULL && f->ops->pwritev(f, &slice, 1, (uint64_t)(found - bytes)) == 1;
    }
    if (f != NULL) {
        (void)f->ops->close(f);
    }
    if (d != NULL) {
        (void)d->ops->close(d);
    }
    return done;
}

static bool damage_is_found_and_told(void)
{
    struct scene sc;
    bool held = begin(&sc, STELE_STREAM_V2, 0) && fill(&sc);
    stele_stream_recover_events events = {.lost = each_lost};
    int faults = 0;
    int lost = 0;

    held = stele_stream_close(sc.s, NULL) == STELE_OK && held;
    sc.s = NULL;
    events.arg = &lost;
    held = held && damage(&sc) &&
           stele_stream_check_dir(MODEL_DIR, &sc.options, false, each_fault, &faults, NULL, NULL) ==
                   STELE_ECORRUPT &&
           faults > 0 && stele_stream_open(&sc.s, MODEL_DIR, &sc.options, NULL) == STELE_OK &&
           stele_stream_get(sc.s, 1, sc.ms, NULL) == STELE_ECORRUPT &&
           stele_stream_get(sc.s, 2, sc.ms, NULL) == STELE_OK &&
           stele_stream_close(sc.s, NULL) == STELE_OK;
    sc.s = NULL;
    stele_messages_clear(sc.ms);
    held = held &&
           stele_stream_recover_dir(MODEL_DIR, &sc.options, &events, NULL, NULL) == STELE_OK &&
           lost == 1;
    return end(&sc, held);
}

static const struct stream_scenario scenarios[] = {
        {"one writer", one_writer},
        {"publish where expected", publishes_where_expected},
        {"a full disk", works_on_a_full_disk},
        {"lent messages", lent_messages_stay},
        {"delete past nothing", deletes_past_what_is_not_there},
        {"damage told", damage_is_found_and_told},
};

const struct stream_scenario *stream_scenarios(size_t *count)
{
    *count = sizeof scenarios / sizeof scenarios[0];
    return scenarios;
}
