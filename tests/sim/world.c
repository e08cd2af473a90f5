/* SPDX-License-Identifier: MIT */
#include "sim/world.h"

#include "sim/runner.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The clocks start here and move on by so much at each look. */
#define CLOCK_START ((stele_time)1700000000 * 1000000)
#define CLOCK_STEP  ((stele_time)1000)

#define LOG_MAX ((size_t)1 << 16)

struct sim_world_state {
    pthread_mutex_t lock;
    stele_time now;
    uint64_t env_random;
    uint64_t own_random;
    struct sim_note *notes;
    size_t note_count;
    size_t note_room;
    size_t setup_notes;
    uint64_t recovered;
    char *log;
    size_t log_len;
    char why[256];
};

static uint64_t next_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15ULL;
    return sim_mix(*state);
}

static void lock(struct sim_world_state *s)
{
    if (pthread_mutex_lock(&s->lock) != 0) {
        abort();
    }
}

static void unlock(struct sim_world_state *s)
{
    (void)pthread_mutex_unlock(&s->lock);
}

static stele_time tick(struct sim_world *w, stele_time by)
{
    stele_time now;

    lock(w->state);
    w->state->now += by;
    now = w->state->now;
    unlock(w->state);
    return now;
}

static stele_time world_clock(void *arg)
{
    return tick(arg, CLOCK_STEP);
}

static uint64_t world_monotonic_ns(void *arg)
{
    return (uint64_t)(tick(arg, CLOCK_STEP) - CLOCK_START) * 1000;
}

static void world_random(void *arg, void *out, size_t len)
{
    struct sim_world *w = arg;
    uint8_t *bytes = out;

    lock(w->state);
    for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
        uint64_t v = next_random(&w->state->env_random);

        memcpy(bytes + at, &v, len - at < sizeof v ? len - at : sizeof v);
    }
    unlock(w->state);
}

static void world_log(void *arg, stele_log_level level, const char *message)
{
    struct sim_world *w = arg;
    struct sim_world_state *s = w->state;
    size_t len = strlen(message);

    (void)level;
    lock(s);
    if (s->log_len + len + 2 <= LOG_MAX) {
        s->log = sim_realloc(s->log, s->log_len + len + 2);
        memcpy(s->log + s->log_len, message, len);
        s->log_len += len;
        s->log[s->log_len++] = '\n';
        s->log[s->log_len] = '\0';
    }
    unlock(s);
}

struct sim_world *sim_world_new(
        uint64_t seed, struct sim_image *image, const struct sim_disk_options *options)
{
    struct sim_world *w = sim_alloc(sizeof *w);
    struct sim_world_state *s = sim_alloc(sizeof *s);

    w->seed = seed;
    w->state = s;
    s->now = CLOCK_START;
    s->env_random = sim_mix(seed + 1);
    s->own_random = sim_mix(seed + 2);
    s->recovered = SIM_NEVER;
    if (pthread_mutex_init(&s->lock, NULL) != 0) {
        abort();
    }
    w->disk = image == NULL ? sim_disk_new(options) : sim_disk_of_image(image, options);
    stele_env_init(&w->env);
    w->env.arg = w;
    w->env.vfs = sim_disk_vfs(w->disk);
    w->env.wall_clock = world_clock;
    w->env.monotonic_ns = world_monotonic_ns;
    w->env.random = world_random;
    w->env.log = world_log;
    return w;
}

void sim_world_free(struct sim_world *w)
{
    if (w != NULL) {
        sim_disk_free(w->disk);
        free(w->state->notes);
        free(w->state->log);
        (void)pthread_mutex_destroy(&w->state->lock);
        free(w->state);
        free(w);
    }
}

static void note(struct sim_world *w, enum sim_note_kind kind, uint32_t what, uint64_t value)
{
    struct sim_world_state *s = w->state;

    lock(s);
    if (s->note_count == s->note_room) {
        s->note_room = s->note_room == 0 ? 64 : s->note_room * 2;
        s->notes = sim_realloc(s->notes, s->note_room * sizeof *s->notes);
    }
    /* Stores through maps belong before the note. */
    s->notes[s->note_count++] = (struct sim_note){kind, what, value, sim_disk_settle(w->disk)};
    unlock(s);
}

void sim_note_intent(struct sim_world *w, uint32_t what, uint64_t value)
{
    note(w, SIM_INTENT, what, value);
}

void sim_note_ack(struct sim_world *w, uint32_t what, uint64_t value)
{
    note(w, SIM_ACK, what, value);
}

void sim_note_recovered(struct sim_world *w)
{
    w->state->recovered = sim_disk_settle(w->disk);
}

uint64_t sim_world_recovered(struct sim_world *w)
{
    uint64_t ops = sim_disk_settle(w->disk);

    return w->state->recovered < ops ? w->state->recovered : ops;
}

struct sim_notes sim_world_notes(struct sim_world *w)
{
    return (struct sim_notes){w->state->notes, w->state->note_count};
}

size_t sim_notes_count(
        const struct sim_notes *notes, enum sim_note_kind kind, uint32_t what, uint64_t value)
{
    size_t count = 0;

    for (size_t i = 0; i < notes->count; i++) {
        const struct sim_note *n = &notes->list[i];

        count += n->kind == kind && n->what == what && n->value == value ? 1U : 0U;
    }
    return count;
}

bool sim_notes_max(
        const struct sim_notes *notes, enum sim_note_kind kind, uint32_t what, uint64_t *value)
{
    bool found = false;

    for (size_t i = 0; i < notes->count; i++) {
        const struct sim_note *n = &notes->list[i];

        if (n->kind == kind && n->what == what && (!found || n->value > *value)) {
            *value = n->value;
            found = true;
        }
    }
    return found;
}

void sim_world_take_notes(struct sim_world *w, const struct sim_notes *notes)
{
    struct sim_world_state *s = w->state;

    s->notes = sim_realloc(s->notes, (notes->count + 1) * sizeof *s->notes);
    s->note_room = notes->count + 1;
    s->note_count = notes->count;
    s->setup_notes = notes->count;
    for (size_t i = 0; i < notes->count; i++) {
        s->notes[i] = notes->list[i];
        s->notes[i].op = 0;
    }
}

size_t sim_world_setup_notes(const struct sim_world *w)
{
    return w->state->setup_notes;
}

void sim_world_advance(struct sim_world *w, int64_t us)
{
    (void)tick(w, us);
}

uint64_t sim_world_random(struct sim_world *w)
{
    uint64_t v;

    lock(w->state);
    v = next_random(&w->state->own_random);
    unlock(w->state);
    return v;
}

uint64_t sim_world_below(struct sim_world *w, uint64_t limit)
{
    return limit == 0 ? 0 : sim_world_random(w) % limit;
}

const char *sim_world_log(struct sim_world *w)
{
    return w->state->log == NULL ? "" : w->state->log;
}

int sim_wrong(struct sim_world *w, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(w->state->why, sizeof w->state->why, format, ap);
    va_end(ap);
    return SIM_WRONG;
}

const char *sim_world_why(const struct sim_world *w)
{
    return w->state->why;
}
