/* SPDX-License-Identifier: MIT
 *
 * journal_ops.h: operations that are made from one number, and the state that they lead to.
 *
 * The number, a value, is the epoch (how often the journal was cleared before), the count that the
 * journal has with the operation, and how often that count was tried before in this epoch (the
 * attempt). The whole operation is made from it, and its timestamp tells it again: so whatever a
 * play gives can be compared byte for byte with what was dumped.
 *
 * There are few keys, so that operations meet: each of a handful of keys, nil and empty among
 * them, is a plain key, the key of a tree, and one with settings.
 */
#ifndef TESTS_CRASH_JOURNAL_OPS_H
#define TESTS_CRASH_JOURNAL_OPS_H

#include <stele/journal.h>

enum {
    JOPS_COUNTS = 512,   /* counts of a workload are below, from 1 on */
    JOPS_ATTEMPTS = 64,  /* and it tries each less often */
    JOPS_DATA_MAX = 768, /* bytes of a value */
    JOPS_SETTINGS = 3,   /* of one operation at most */
    JOPS_KEYS = 6,       /* the first is nil, the second empty */
    JOPS_SUBS = 4,
    JOPS_SLOTS = JOPS_KEYS + JOPS_KEYS + JOPS_KEYS * JOPS_SUBS
};

static inline uint64_t jops_value(uint64_t epoch, uint64_t count, unsigned attempt)
{
    return (epoch * JOPS_COUNTS + count) * JOPS_ATTEMPTS + attempt;
}

static inline uint64_t jops_epoch(uint64_t value)
{
    return value / JOPS_ATTEMPTS / JOPS_COUNTS;
}

static inline uint64_t jops_count(uint64_t value)
{
    return value / JOPS_ATTEMPTS % JOPS_COUNTS;
}

static inline unsigned jops_attempt(uint64_t value)
{
    return (unsigned)(value % JOPS_ATTEMPTS);
}

struct jops_made {
    stele_journal_op op; /* points below */
    stele_journal_setting settings[JOPS_SETTINGS];
    uint8_t data[JOPS_DATA_MAX];
    uint32_t key; /* numbers of key and subkey */
    uint32_t sub;
};

/* With `large`, values of some hundred bytes, so that a few fill a log. */
void jops_make(struct jops_made *out, uint64_t value, bool large);

/* Later operations have earlier timestamps here and there. */
int64_t jops_timestamp(uint64_t value);

/* Which one an operation that was played is; false if it is none that jops_make() makes. */
bool jops_match(const stele_journal_op *op, bool large, uint64_t *value);

/* ---- The state after some operations: which of them each key has its value from. ---- */

/* In the order in which a snapshot has them: settings of the whole, those of keys, plain keys,
 * then each tree. 0: nothing. */
struct jops_state {
    uint64_t slots[JOPS_SLOTS];
    int64_t latest; /* the largest timestamp; INT64_MIN */
};

void jops_state_init(struct jops_state *s);
void jops_apply(struct jops_state *s, uint64_t value, bool large);

/* The operations of a snapshot of it; how many. */
size_t jops_list(const struct jops_state *s, uint64_t out[JOPS_SLOTS]);

bool jops_states_equal(const struct jops_state *a, const struct jops_state *b);

#endif /* TESTS_CRASH_JOURNAL_OPS_H */
