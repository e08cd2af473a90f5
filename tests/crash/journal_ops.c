/* SPDX-License-Identifier: MIT */
#include "crash/journal_ops.h"

#include "sim/image.h"

#include <string.h>

#define FIRST_TIME ((int64_t)1700000000 * 1000000)

/* ---- Names. ---- */

static stele_bytes key_of(uint32_t i)
{
    static const struct {
        const char *bytes;
        size_t len;
    } keys[JOPS_KEYS] = {{NULL, 0}, {"", 0}, {"\0", 1}, {"a", 1}, {"a\0b", 3}, {"\xff-key", 5}};

    return i == 0 ? stele_nil() : stele_bytes_of(keys[i].bytes, keys[i].len);
}

/* Nil is no subkey. */
static stele_bytes sub_of(uint32_t i)
{
    static const struct {
        const char *bytes;
        size_t len;
    } subs[JOPS_SUBS] = {{"", 0}, {"\0s", 2}, {"s", 1}, {"subkey", 6}};

    return stele_bytes_of(subs[i].bytes, subs[i].len);
}

/* Not in their order, as a caller may give them. */
static stele_bytes setting_name(size_t i)
{
    static const char *const names[JOPS_SETTINGS] = {"mode", "", "level"};

    return stele_str(names[i]);
}

/* ---- Making. ---- */

enum shape {
    PUT,
    TREE,
    DELETE,
    DELETE_SUB,
    CLEAR,
    CLEAR_ALL,
    CONFIG,
    CONFIG_ALL
};

static enum shape shape_of(uint64_t value)
{
    static const uint8_t shapes[] = {PUT, PUT, TREE, CONFIG, PUT, CONFIG_ALL, TREE, DELETE, TREE,
            PUT, CLEAR, TREE, PUT, DELETE_SUB, CONFIG, PUT, CLEAR_ALL, TREE, PUT, CONFIG_ALL, PUT,
            TREE, CLEAR};

    return (enum shape)shapes[(jops_count(value) + 5U * jops_attempt(value)) % sizeof shapes];
}

static void fill(uint8_t *out, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i += sizeof seed) {
        /* No byte is zero, and no part of one is that of another. */
        uint64_t bits = sim_mix(seed * JOPS_DATA_MAX + i + 1) | 0x0101010101010101U;

        memcpy(out + i, &bits, len - i < sizeof bits ? len - i : sizeof bits);
    }
}

static stele_bytes data_of(struct jops_made *out, uint64_t value, bool large)
{
    uint64_t count = jops_count(value);
    size_t len = 8 + (size_t)(sim_mix(value) % 40);

    if (count % 9 == 4) {
        return stele_nil();
    }
    if (count % 9 == 7) {
        return stele_empty();
    }
    if (large) {
        len = 200 + (size_t)(sim_mix(value) % 500);
    } else if (count % 13 == 1) {
        len = 600; /* lies in more than one sector */
    }
    fill(out->data, len, value);
    if (count % 6 == 1) {
        /* Zeros at the end must not pass for a tail. */
        memset(out->data + len - len / 3, 0, len / 3);
    }
    return stele_bytes_of(out->data, len);
}

static void make_settings(struct jops_made *out, uint64_t value)
{
    size_t first = (size_t)(sim_mix(value + 3) % JOPS_SETTINGS);
    size_t count = (size_t)(sim_mix(value + 4) % (JOPS_SETTINGS + 1));

    fill(out->data, (size_t)JOPS_SETTINGS * 8, value);
    for (size_t i = 0; i < count; i++) {
        out->settings[i].name = setting_name((first + i) % JOPS_SETTINGS);
        out->settings[i].value = stele_bytes_of(out->data + i * 8, i * 8 / 2);
    }
    out->op.settings = out->settings;
    out->op.setting_count = count;
}

/* Every second time the same one. */
static uint32_t pick(uint64_t random, uint32_t count)
{
    return random % 2 == 0 ? count / 2 : (uint32_t)(random / 2 % count);
}

void jops_make(struct jops_made *out, uint64_t value, bool large)
{
    enum shape shape = shape_of(value);
    stele_journal_op *op = &out->op;

    memset(out, 0, sizeof *out);
    out->key = pick(sim_mix(value + 1), JOPS_KEYS);
    out->sub = pick(sim_mix(value + 2), JOPS_SUBS);
    op->timestamp = jops_timestamp(value);
    if (shape == CLEAR_ALL || shape == CONFIG_ALL) {
        out->key = 0;
    } else if (shape == CLEAR || shape == CONFIG) {
        out->key = out->key == 0 ? JOPS_KEYS - 1 : out->key; /* nil means all */
    }
    op->key = key_of(out->key);
    if (shape == PUT || shape == TREE) {
        op->kind = STELE_JOURNAL_PUT;
        op->value = data_of(out, value, large);
    } else if (shape == DELETE || shape == DELETE_SUB) {
        op->kind = STELE_JOURNAL_DELETE;
    } else if (shape == CLEAR || shape == CLEAR_ALL) {
        op->kind = STELE_JOURNAL_CLEAR;
    } else {
        op->kind = STELE_JOURNAL_CONFIG;
        make_settings(out, value);
    }
    if (shape == TREE || shape == DELETE_SUB) {
        op->subkey = sub_of(out->sub);
    }
}

/* Two neighbours change places; the rest of the division is the attempt. */
int64_t jops_timestamp(uint64_t value)
{
    return FIRST_TIME + (int64_t)(value ^ JOPS_ATTEMPTS);
}

/* ---- Matching. ---- */

static bool same(stele_bytes a, stele_bytes b)
{
    return stele_is_nil(a) == stele_is_nil(b) && a.len == b.len &&
           (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Played settings come in the order of their names. */
static bool same_settings(const stele_journal_op *played, const stele_journal_op *made)
{
    if (played->setting_count != made->setting_count) {
        return false;
    }
    for (size_t i = 0; i < played->setting_count; i++) {
        const stele_journal_setting *s = &played->settings[i];
        size_t j = 0;

        while (j < made->setting_count && !same(made->settings[j].name, s->name)) {
            j++;
        }
        if (j == made->setting_count || !same(made->settings[j].value, s->value) ||
                (i > 0 && stele_bytes_compare(played->settings[i - 1].name, s->name) >= 0)) {
            return false;
        }
    }
    return true;
}

bool jops_match(const stele_journal_op *op, bool large, uint64_t *value)
{
    struct jops_made made;
    int64_t number = op->timestamp - FIRST_TIME;

    if (number < 0) {
        return false;
    }
    *value = (uint64_t)number ^ JOPS_ATTEMPTS;
    jops_make(&made, *value, large);
    return made.op.kind == op->kind && same(made.op.key, op->key) &&
           same(made.op.subkey, op->subkey) && same(made.op.value, op->value) &&
           same_settings(op, &made.op);
}

/* ---- States. ---- */

void jops_state_init(struct jops_state *s)
{
    memset(s, 0, sizeof *s);
    s->latest = INT64_MIN;
}

static uint64_t *config_slot(struct jops_state *s, uint32_t key)
{
    return &s->slots[key];
}

static uint64_t *plain_slot(struct jops_state *s, uint32_t key)
{
    return &s->slots[JOPS_KEYS + key];
}

static uint64_t *tree_slots(struct jops_state *s, uint32_t key)
{
    return &s->slots[2 * JOPS_KEYS + key * JOPS_SUBS];
}

void jops_apply(struct jops_state *s, uint64_t value, bool large)
{
    struct jops_made made;
    const stele_journal_op *op = &made.op;
    bool whole;
    bool in_tree;
    uint64_t *slot;

    jops_make(&made, value, large);
    whole = stele_is_nil(op->key);
    in_tree = !stele_is_nil(op->subkey);
    slot = in_tree ? &tree_slots(s, made.key)[made.sub] : plain_slot(s, made.key);
    s->latest = op->timestamp > s->latest ? op->timestamp : s->latest;
    switch (op->kind) {
    case STELE_JOURNAL_PUT:
        *slot = value;
        break;
    case STELE_JOURNAL_DELETE:
        *slot = 0;
        break;
    case STELE_JOURNAL_CLEAR:
        slot = whole ? plain_slot(s, 0) : tree_slots(s, made.key);
        memset(slot, 0, (whole ? JOPS_SLOTS - JOPS_KEYS : JOPS_SUBS) * sizeof *slot);
        break;
    default:
        *config_slot(s, made.key) = value;
        break;
    }
}

size_t jops_list(const struct jops_state *s, uint64_t out[JOPS_SLOTS])
{
    size_t count = 0;

    for (size_t i = 0; i < JOPS_SLOTS; i++) {
        if (s->slots[i] != 0) {
            out[count++] = s->slots[i];
        }
    }
    return count;
}

bool jops_states_equal(const struct jops_state *a, const struct jops_state *b)
{
    return memcmp(a->slots, b->slots, sizeof a->slots) == 0;
}
