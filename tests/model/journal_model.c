/* SPDX-License-Identifier: MIT
 *
 * journal_model.c: see journal_model.h.
 */
#include "model/journal_model.h"

#include "lib/check.h"
#include "model/journal_map.h"
#include "sim/image.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    MANY_MAX = 40,   /* operations of one call */
    VALUE_MAX = 300, /* bytes */
    SETTINGS = 3
};

struct model {
    const struct journal_model_setup *setup;
    struct journal_model_sums *sums;
    uint64_t random;
    stele_journal_options opts;
    stele_journal *journal;
    struct jmap map;
    uint64_t count; /* of the journal */
    struct jmap then;
    uint64_t then_count; /* that `then` is the map of */
    struct jmap played;
    uint64_t merges; /* of handles that are closed */
};

/* What operations point to. */
struct drawn {
    stele_journal_op op;
    stele_journal_setting settings[SETTINGS];
    char key[JMAP_NAME];
    char sub[JMAP_NAME];
    uint8_t value[VALUE_MAX];
};

/* ---- Randomness and reports. ---- */

static uint64_t draw(struct model *m)
{
    uint64_t z = m->random += 0x9e3779b97f4a7c15U;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

static uint64_t below(struct model *m, uint64_t limit)
{
    return draw(m) % limit;
}

static void expect(const struct model *m, bool right, const char *what)
{
    if (!right) {
        print_error("seed %" PRIu64 ", after %" PRIu64 " operations: %s\n", m->setup->seed,
                m->count, what);
        fail();
    }
}

static void expect_ok(const struct model *m, stele_code rc, const stele_error *err)
{
    expect(m, rc == STELE_OK, rc == STELE_OK ? "" : err->message);
}

/* ---- Operations. ---- */

static stele_bytes draw_value(struct model *m, struct drawn *d)
{
    uint64_t kind = below(m, 20);
    size_t len = (size_t)below(m, kind == 2 ? VALUE_MAX : 24);

    if (kind < 2) {
        return kind == 0 ? stele_nil() : stele_empty();
    }
    for (size_t i = 0; i < len; i++) {
        d->value[i] = (uint8_t)draw(m);
    }
    return stele_bytes_of(d->value, len);
}

static void draw_settings(struct model *m, struct drawn *d)
{
    static const char *const names[SETTINGS] = {"size", "", "compare"};
    size_t first = (size_t)below(m, SETTINGS);

    d->op.setting_count = (size_t)below(m, SETTINGS + 1);
    d->op.settings = d->settings;
    for (size_t i = 0; i < d->op.setting_count; i++) {
        d->value[i] = (uint8_t)draw(m);
        d->settings[i].name = stele_str(names[(first + i) % SETTINGS]);
        d->settings[i].value = stele_bytes_of(&d->value[i], (size_t)below(m, 2));
    }
}

static void draw_op(struct model *m, struct drawn *d)
{
    uint64_t kind = below(m, 1000);
    bool in_tree = below(m, 2) == 0;

    memset(&d->op, 0, sizeof d->op);
    d->op.timestamp = (int64_t)below(m, 1000000);
    d->op.key = jmap_key((uint32_t)below(m, JMAP_KEYS), d->key);
    if (kind < 700) {
        d->op.kind = STELE_JOURNAL_PUT;
        d->op.value = draw_value(m, d);
    } else if (kind < 930) {
        d->op.kind = STELE_JOURNAL_DELETE;
    } else if (kind < 970) {
        d->op.kind = STELE_JOURNAL_CLEAR;
        in_tree = false;
        if (kind > 931 && stele_is_nil(d->op.key)) {
            d->op.key = stele_empty(); /* Of all, not so often. */
        }
    } else {
        d->op.kind = STELE_JOURNAL_CONFIG;
        in_tree = false;
        draw_settings(m, d);
    }
    if (in_tree) {
        d->op.subkey = jmap_sub((uint32_t)below(m, JMAP_SUBS), d->sub);
    }
}

static void dump(struct model *m, size_t count)
{
    static struct drawn drawn[MANY_MAX];
    stele_journal_op ops[MANY_MAX];
    stele_error err;
    stele_code rc;

    for (size_t i = 0; i < count; i++) {
        draw_op(m, &drawn[i]);
        ops[i] = drawn[i].op;
    }
    rc = count > 1           ? stele_journal_dump_many(m->journal, ops, count, &err)
         : below(m, 10) == 0 ? stele_journal_dump_durable(m->journal, ops, &err)
                             : stele_journal_dump(m->journal, ops, &err);
    expect_ok(m, rc, &err);
    for (size_t i = 0; i < count; i++) {
        expect(m, jmap_apply(&m->map, &ops[i]), "an operation that the map does not know");
    }
    m->count += count;
    m->sums->operations += count;
}

/* ---- Playing. ---- */

static stele_code operate(void *arg, const stele_journal_op *op, stele_error *err)
{
    struct model *m = arg;

    (void)err;
    m->sums->played++;
    return jmap_apply(&m->played, op) ? STELE_OK : STELE_EINVAL;
}

static void expect_same(const struct model *m, const struct jmap *map)
{
    const char *difference = jmap_difference(map, &m->played);

    expect(m, difference == NULL, difference == NULL ? "" : difference);
}

static void play(struct model *m, stele_journal *journal)
{
    stele_journal_played played;
    stele_error err;
    stele_code rc;

    jmap_clear(&m->played, false);
    rc = stele_journal_play(journal, operate, m, &played, &err);
    expect_ok(m, rc, &err);
    expect_same(m, &m->map);
    expect(m, played.count == m->count, "another count is played");
    expect(m, !played.fell_back, "a snapshot is damaged");
    m->sums->plays++;
}

/* Up to the count of the copy, if no merge went beyond it. */
static void play_until(struct model *m, stele_journal *journal)
{
    stele_journal_until until;
    stele_journal_played played;
    stele_error err;
    stele_code rc;

    stele_journal_until_init(&until);
    until.count = m->then_count;
    jmap_clear(&m->played, false);
    rc = stele_journal_play_until(journal, &until, operate, m, &played, &err);
    if (rc != STELE_ENOTFOUND) {
        expect_ok(m, rc, &err);
        expect_same(m, &m->then);
        expect(m, played.count == m->then_count, "another count is played");
        m->sums->untils++;
    }
}

static void remember(struct model *m)
{
    jmap_copy(&m->then, &m->map);
    m->then_count = m->count;
}

/* ---- Moves. ---- */

static void open_journal(struct model *m)
{
    stele_error err;

    expect_ok(m, stele_journal_open(&m->journal, m->setup->dir, &m->opts, &err), &err);
}

static void close_journal(struct model *m)
{
    stele_journal_stats stats;
    stele_error err;

    expect_ok(m, stele_journal_stat(m->journal, &stats, &err), &err);
    expect(m, stats.count == m->count, "stat tells another count");
    expect(m, stats.merge_failures == 0, "a merge failed");
    m->sums->merges += stats.merges;
    expect_ok(m, stele_journal_close(m->journal, &err), &err);
}

static void stop(struct model *m)
{
    stele_error err;

    expect_ok(m, stele_journal_stop(m->journal, &err), &err);
}

static void record(struct model *m)
{
    stele_error err;

    expect_ok(m, stele_journal_record(m->journal, &err), &err);
}

static void snapshot(struct model *m)
{
    stele_journal_stats stats;
    stele_error err;

    expect_ok(m, stele_journal_snapshot(m->journal, &err), &err);
    expect_ok(m, stele_journal_stat(m->journal, &stats, &err), &err);
    expect(m, stats.snapshots == (m->count > 0 ? 1U : 0U), "not one snapshot after a merge");
    expect(m, stats.snapshot_ops == jmap_count(&m->map), "a snapshot of another size");
}

static void clear(struct model *m)
{
    stele_error err;

    expect_ok(m, stele_journal_clear(m->journal, &err), &err);
    jmap_clear(&m->map, false);
    m->count = 0;
    remember(m);
    m->sums->cleared++;
}

static void set_limit(struct model *m)
{
    stele_error err;

    m->opts.limit = (uint64_t)1 << (10 + below(m, 7));
    expect_ok(m, stele_journal_limit(m->journal, m->opts.limit, &err), &err);
}

/* As much of a restart as a program may do. */
static void restart(struct model *m)
{
    uint64_t how = below(m, 4);

    if (how == 0) {
        stop(m);
        snapshot(m);
        play(m, m->journal);
    } else if (how == 1) {
        stop(m);
        play_until(m, m->journal);
        play(m, m->journal);
    } else {
        close_journal(m);
        m->opts.durability = (stele_journal_durability)below(m, 3);
        m->opts.no_background = below(m, 2) == 0;
        m->opts.no_map = below(m, 2) == 0;
        open_journal(m);
        play(m, m->journal);
        m->sums->reopened++;
    }
    record(m);
}

/* Another handle plays beside the recorder. */
static void look(struct model *m)
{
    stele_journal *reader;
    stele_error err;

    expect_ok(m, stele_journal_sync(m->journal, &err), &err);
    expect_ok(m, stele_journal_open(&reader, m->setup->dir, &m->opts, &err), &err);
    play(m, reader);
    play_until(m, reader);
    expect_ok(m, stele_journal_close(reader, &err), &err);
}

static void step(struct model *m)
{
    uint64_t kind = below(m, 4000);

    if (kind < 12) {
        restart(m);
    } else if (kind < 22) {
        snapshot(m);
    } else if (kind < 24) {
        clear(m);
    } else if (kind < 30) {
        set_limit(m);
    } else if (kind < 38) {
        look(m);
    } else if (kind < 50) {
        remember(m);
    } else if (kind < 300) {
        dump(m, 1 + (size_t)below(m, MANY_MAX));
    } else {
        dump(m, 1);
    }
}

void journal_model_run(const struct journal_model_setup *setup, struct journal_model_sums *sums)
{
    struct model *m = sim_alloc(sizeof *m);
    uint64_t end = sums->operations + setup->operations;

    m->setup = setup;
    m->sums = sums;
    m->random = setup->seed;
    stele_journal_options_init(&m->opts);
    m->opts.env = setup->env;
    m->opts.create_dirs = true;
    m->opts.limit = 8192;
    m->opts.no_background = setup->seed % 2 == 0;
    m->opts.durability = (stele_journal_durability)(setup->seed % 3);
    open_journal(m);
    record(m);
    while (sums->operations < end) {
        step(m);
    }
    stop(m);
    play(m, m->journal);
    close_journal(m);
    jmap_free(&m->map);
    jmap_free(&m->then);
    jmap_free(&m->played);
    free(m);
}
