/* SPDX-License-Identifier: MIT */
#include "crash/journal_model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHOICES_MAX = 4096 /* of operations that a snapshot may stand for */
};

void jmodel_options(
        const struct jmodel_config *config, const stele_env *env, stele_journal_options *options)
{
    stele_journal_options_init(options);
    options->env = env;
    options->create_dirs = true;
    options->limit = config->limit;
    options->replay_target_ms = config->replay_target_ms;
    options->durability = config->durability;
    options->no_background = !config->background;
    options->no_map = config->no_map;
}

/* ---- What the notes say. ---- */

void jmodel_init(struct jmodel *m, const struct jmodel_config *config)
{
    memset(m, 0, sizeof *m);
    m->config = config;
    m->limit = 1;
}

static void next_epoch(struct jmodel *m)
{
    uint64_t epoch = m->epoch + 1;

    jmodel_init(m, m->config);
    m->epoch = epoch;
}

static void add_dump(struct jmodel *m, bool ack, uint64_t value)
{
    uint64_t count = jops_count(value);
    uint64_t bit = (uint64_t)1 << jops_attempt(value);
    struct jmodel_at *at = &m->at[count];

    if (jops_epoch(value) != m->epoch) {
        abort(); /* A workload that dumps before it knows whether the journal was cleared. */
    }
    at->tried |= bit;
    m->limit = count >= m->limit ? count + 1 : m->limit;
    if (ack) {
        at->dead = at->tried & ~bit;
        m->durable = count > m->durable ? count : m->durable;
    }
}

static void add_found(struct jmodel *m, uint64_t count)
{
    for (uint64_t i = count + 1; i < m->limit; i++) {
        m->at[i].dead = m->at[i].tried;
    }
    m->durable = count;
    m->clearing = false;
}

void jmodel_add(struct jmodel *m, const struct sim_note *note)
{
    bool ack = note->kind == SIM_ACK;

    switch (note->what) {
    case JMODEL_DUMP:
        add_dump(m, ack, note->value);
        break;
    case JMODEL_FOUND:
        add_found(m, note->value);
        break;
    default:
        if (ack) {
            next_epoch(m);
        } else {
            m->clearing = true;
        }
        break;
    }
}

void jmodel_of_notes(
        struct jmodel *m, const struct jmodel_config *config, const struct sim_notes *notes)
{
    jmodel_init(m, config);
    for (size_t i = 0; i < notes->count; i++) {
        jmodel_add(m, &notes->list[i]);
    }
}

uint64_t jmodel_next(const struct jmodel *m, uint64_t count)
{
    unsigned attempt = 0;

    if (count >= JOPS_COUNTS) {
        abort(); /* A workload that is too long. */
    }
    while (attempt + 1 < JOPS_ATTEMPTS && (m->at[count].tried >> attempt & 1) != 0) {
        attempt++;
    }
    return jops_value(m->epoch, count, attempt);
}

/* ---- Judging. ---- */

/* ---- Playing. ---- */

struct collector {
    const struct jmodel_config *config;
    struct jmodel_play *out;
};

static stele_code collect(void *arg, const stele_journal_op *op, stele_error *err)
{
    struct collector *c = arg;
    struct jmodel_play *out = c->out;
    uint64_t value = 0;

    (void)err;
    if (out->count == sizeof out->values / sizeof out->values[0]) {
        return STELE_END; /* More than was ever dumped: the count tells. */
    }
    if (!jops_match(op, c->config->large, &value)) {
        out->bad++;
        value = 0;
    }
    out->values[out->count++] = value;
    return STELE_OK;
}

stele_code jmodel_play(stele_journal *journal, const struct jmodel_config *config,
        const stele_journal_until *until, struct jmodel_play *out, stele_error *err)
{
    struct collector c = {config, out};

    memset(out, 0, sizeof *out);
    return until == NULL ? stele_journal_play(journal, collect, &c, &out->played, err)
                         : stele_journal_play_until(journal, until, collect, &c, &out->played, err);
}

bool jmodel_plays_equal(const struct jmodel_play *a, const struct jmodel_play *b)
{
    const stele_journal_played *p = &a->played;
    const stele_journal_played *q = &b->played;

    return a->count == b->count &&
           memcmp(a->values, b->values, a->count * sizeof a->values[0]) == 0 &&
           p->snapshot_ops == q->snapshot_ops && p->count == q->count && p->latest == q->latest &&
           p->fell_back == q->fell_back;
}

/* ---- What was played. ---- */

static uint64_t allowed(const struct jmodel *m, uint64_t count)
{
    return m->at[count].tried & ~m->at[count].dead;
}

static bool may_be(const struct jmodel *m, uint64_t value)
{
    return jops_epoch(value) == m->epoch && jops_count(value) < m->limit &&
           (allowed(m, jops_count(value)) >> jops_attempt(value) & 1) != 0;
}

static int wrong_op(const struct jmodel *m, uint64_t value, const struct crash_why *why)
{
    const char *text = "was never dumped";

    if (jops_epoch(value) < m->epoch) {
        text = "has come back after the journal was cleared";
    } else if (jops_epoch(value) == m->epoch && jops_count(value) < m->limit &&
               (m->at[jops_count(value)].tried >> jops_attempt(value) & 1) != 0) {
        text = "has come back";
    }
    return crash_wrong(why, "operation %" PRIu64 " (epoch %" PRIu64 ", attempt %u) %s",
            jops_count(value), jops_epoch(value), jops_attempt(value), text);
}

/* Each operation is one that may be there; those of logs follow each other. */
static int judge_ops(const struct jmodel *m, const struct jmodel_play *play,
        struct jmodel_found *found, const struct crash_why *why)
{
    uint64_t behind = play->count - play->played.snapshot_ops;
    uint64_t snap_count = play->played.count - behind;

    for (size_t i = 0; i < play->count; i++) {
        uint64_t value = play->values[i];
        uint64_t count = jops_count(value);
        bool in_log = i >= play->played.snapshot_ops;

        if (!may_be(m, value)) {
            return wrong_op(m, value, why);
        }
        if (in_log && count != snap_count + (i - play->played.snapshot_ops) + 1) {
            return crash_wrong(why, "operation %" PRIu64 " of the logs is that of count %" PRIu64,
                    snap_count + (i - play->played.snapshot_ops) + 1, count);
        }
        if (!in_log && count > snap_count) {
            return crash_wrong(why,
                    "a snapshot for %" PRIu64 " operations has one of count %" PRIu64, snap_count,
                    count);
        }
        found->values[count] = value;
    }
    return 0;
}

/* Whether the operations chosen for the counts of the snapshot give what it has. */
static bool snapshot_fits(const struct jmodel *m, const struct jmodel_play *play,
        const struct jmodel_found *found, uint64_t snap_count, int64_t *latest)
{
    struct jops_state state;
    uint64_t list[JOPS_SLOTS];
    size_t count;

    jops_state_init(&state);
    for (uint64_t i = 1; i <= snap_count; i++) {
        jops_apply(&state, found->values[i], m->config->large);
    }
    for (size_t i = (size_t)play->played.snapshot_ops; i < play->count; i++) {
        int64_t timestamp = jops_timestamp(play->values[i]);

        state.latest = timestamp > state.latest ? timestamp : state.latest;
    }
    *latest = state.latest;
    count = jops_list(&state, list);
    return count == play->played.snapshot_ops &&
           memcmp(list, play->values, count * sizeof list[0]) == 0;
}

/* Of the operations that a snapshot stands for and no longer has, choose the next possible ones.
 * False when all were. */
static bool choose_next(const struct jmodel *m, struct jmodel_found *found, uint64_t snap_count,
        const bool *is_seen)
{
    for (uint64_t i = 1; i <= snap_count; i++) {
        unsigned attempt = jops_attempt(found->values[i]);
        uint64_t all = allowed(m, i);

        if (is_seen[i]) {
            continue;
        }
        for (unsigned next = attempt + 1; next < JOPS_ATTEMPTS; next++) {
            if ((all >> next & 1) != 0) {
                found->values[i] = jops_value(m->epoch, i, next);
                return true;
            }
        }
        found->values[i] = jops_value(m->epoch, i, (unsigned)__builtin_ctzll(all));
    }
    return false;
}

/* Begin with the first possible operation for each count that the snapshot does not show. */
static int choose_first(const struct jmodel *m, struct jmodel_found *found, uint64_t snap_count,
        bool *is_seen, const struct crash_why *why)
{
    for (uint64_t i = 1; i <= snap_count; i++) {
        is_seen[i] = found->values[i] != 0;
        if (!is_seen[i] && allowed(m, i) == 0) {
            return crash_wrong(why, "the snapshot stands for %" PRIu64 " operations", snap_count);
        }
        if (!is_seen[i]) {
            found->values[i] = jops_value(m->epoch, i, (unsigned)__builtin_ctzll(allowed(m, i)));
        }
    }
    return 0;
}

static int judge_snapshot(const struct jmodel *m, const struct jmodel_play *play,
        struct jmodel_found *found, const struct crash_why *why)
{
    uint64_t snap_count = play->played.count - (play->count - play->played.snapshot_ops);
    bool is_seen[JOPS_COUNTS] = {false};
    bool fitted = false;
    int64_t latest = INT64_MIN;
    int result = choose_first(m, found, snap_count, is_seen, why);

    for (int tries = 0; tries < CHOICES_MAX && result == 0; tries++) {
        if (snapshot_fits(m, play, found, snap_count, &latest)) {
            fitted = true;
            if (latest == play->played.latest) {
                return 0;
            }
        }
        if (!choose_next(m, found, snap_count, is_seen)) {
            break;
        }
    }
    if (result != 0) {
        return result;
    }
    return fitted ? crash_wrong(why, "the latest timestamp is %" PRId64 ", and not %" PRId64,
                            play->played.latest, latest)
                  : crash_wrong(why, "the snapshot is not the state after %" PRIu64 " operations",
                            snap_count);
}

static int judge_figures(
        const struct jmodel *m, const struct jmodel_play *play, const struct crash_why *why)
{
    const stele_journal_played *p = &play->played;
    uint64_t behind = p->ops - p->snapshot_ops;

    if (play->bad > 0) {
        return crash_wrong(why, "%zu operations are none that was made", play->bad);
    }
    if (p->ops != play->count || p->snapshot_ops > p->ops || p->count < behind) {
        return crash_wrong(why,
                "played %zu, and said %" PRIu64 ", %" PRIu64 " of a snapshot, count %" PRIu64,
                play->count, p->ops, p->snapshot_ops, p->count);
    }
    if (p->snapshot[0] == '\0' && p->count != p->ops) {
        return crash_wrong(why, "count %" PRIu64 " of %" PRIu64 " operations without a snapshot",
                p->count, p->ops);
    }
    if (p->fell_back) {
        return crash_wrong(why, "a snapshot is damaged");
    }
    if (p->count >= m->limit) {
        return crash_wrong(
                why, "count %" PRIu64 ", and %" PRIu64 " were dumped", p->count, m->limit - 1);
    }
    return 0;
}

int jmodel_judge(const struct jmodel *m, const struct jmodel_play *play, struct jmodel_found *found,
        const struct crash_why *why)
{
    const stele_journal_played *p = &play->played;
    int result = judge_figures(m, play, why);

    memset(found, 0, sizeof *found);
    found->count = p->count;
    result = result != 0 ? result : judge_ops(m, play, found, why);
    result = result != 0 ? result : judge_snapshot(m, play, found, why);
    found->cleared = m->clearing && p->count == 0;
    if (result == 0 && p->count < m->durable && !found->cleared &&
            !(m->clearing && m->config->full)) {
        return crash_wrong(why,
                "%" PRIu64 " operations were acknowledged, and %" PRIu64 " are there", m->durable,
                p->count);
    }
    return result;
}
