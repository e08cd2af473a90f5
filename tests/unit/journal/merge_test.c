/* SPDX-License-Identifier: MIT
 *
 * merge_test.c: what is left of operations, against a list that is searched from end to end.
 */
#include "journal/merge.h"

#include "base/alloc.h"
#include "journal/table.h"
#include "lib/check.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ROOM = 128,
    LIVE_MAX = 4096
};

static const uint64_t seed[2] = {1, 2};

/* ---- A list of what lives. ---- */

enum part {
    WHOLE,
    CONFIG,
    PLAIN,
    TREE
};

struct live {
    enum part part;
    stele_bytes key;
    stele_bytes subkey;
    uint8_t encoded[ROOM];
    size_t len;
};

struct model {
    struct live list[LIVE_MAX];
    size_t count;
};

static void remove_at(struct model *m, size_t i)
{
    m->list[i] = m->list[--m->count];
}

static void remove_like(struct model *m, enum part part, stele_bytes key, const stele_bytes *subkey)
{
    for (size_t i = m->count; i-- > 0;) {
        if (m->list[i].part == part && stele_bytes_equal(m->list[i].key, key) &&
                (subkey == NULL || stele_bytes_equal(m->list[i].subkey, *subkey))) {
            remove_at(m, i);
        }
    }
}

static void add(struct model *m, enum part part, const stele_journal_op *op, stele_bytes encoded)
{
    struct live *l = &m->list[m->count++];

    assert_true(m->count < LIVE_MAX && encoded.len <= ROOM);
    l->part = part;
    l->key = op->key;
    l->subkey = op->subkey;
    l->len = encoded.len;
    memcpy(l->encoded, encoded.data, encoded.len);
}

/* The keys have to stay; the encoding is copied. */
static void model_op(struct model *m, const stele_journal_op *op, stele_bytes encoded)
{
    enum part part = stele_is_nil(op->subkey) ? PLAIN : TREE;

    switch (op->kind) {
    case STELE_JOURNAL_PUT:
        remove_like(m, part, op->key, &op->subkey);
        add(m, part, op, encoded);
        break;
    case STELE_JOURNAL_DELETE:
        remove_like(m, part, op->key, &op->subkey);
        break;
    case STELE_JOURNAL_CONFIG:
        part = stele_is_nil(op->key) ? WHOLE : CONFIG;
        remove_like(m, part, op->key, NULL);
        add(m, part, op, encoded);
        break;
    case STELE_JOURNAL_CLEAR:
        for (size_t i = m->count; i-- > 0;) {
            if (stele_is_nil(op->key) ? m->list[i].part >= PLAIN
                                      : (m->list[i].part == TREE &&
                                                stele_bytes_equal(m->list[i].key, op->key))) {
                remove_at(m, i);
            }
        }
        break;
    default:
        fail();
    }
}

static int compare(const void *a, const void *b)
{
    const struct live *x = a;
    const struct live *y = b;
    int order = (int)x->part - (int)y->part;

    order = order != 0 ? order : stele_bytes_compare(x->key, y->key);
    return order != 0 ? order : stele_bytes_compare(x->subkey, y->subkey);
}

/* ---- Comparing. ---- */

struct checking {
    const struct model *model;
    size_t at;
};

static stele_code check_next(void *arg, stele_bytes encoded, stele_error *err)
{
    struct checking *c = arg;

    (void)err;
    assert_true(c->at < c->model->count);
    CHECK_BYTES(encoded, stele_bytes_of(c->model->list[c->at].encoded, c->model->list[c->at].len));
    c->at++;
    return STELE_OK;
}

static void check_same(struct sti_journal_merge *merge, struct model *model)
{
    struct checking c = {model, 0};
    stele_error err;

    CHECK_OK(sti_journal_merge_settle(merge, &err), &err);
    qsort(model->list, model->count, sizeof model->list[0], compare);
    assert_int_equal(sti_journal_merge_count(merge), model->count);
    CHECK_OK(sti_journal_merge_each(merge, check_next, &c, &err), &err);
    assert_int_equal(c.at, model->count);
}

/* ---- Random operations. ---- */

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* One of `count` keys: nil, empty, and some of which one begins with the other. */
static stele_bytes pick(uint32_t *state, uint32_t count)
{
    static const char letters[] = "aaaaaaaaaaaaaaaa\0bcdefghijklmnopqrstuvwxyz";
    uint32_t n = next_random(state) % count;

    switch (n) {
    case 0:
        return stele_nil();
    case 1:
        return stele_empty();
    default:
        return stele_bytes_of(letters + n % 40, 1 + n / 40 % 3);
    }
}

static void random_op(stele_journal_op *op, uint32_t *state, uint32_t keys)
{
    static const stele_journal_setting setting = {
            {(const uint8_t *)"name", 4}, {(const uint8_t *)"value", 5}};
    uint32_t what = next_random(state) % 1000;

    *op = (stele_journal_op){.timestamp = next_random(state)};
    if (what < 500) {
        op->kind = STELE_JOURNAL_PUT;
        op->key = pick(state, keys);
        op->subkey = what < 200 ? stele_nil() : pick(state, keys);
        op->value = pick(state, 40);
    } else if (what < 900) {
        op->kind = STELE_JOURNAL_DELETE;
        op->key = pick(state, keys);
        op->subkey = what < 650 ? stele_nil() : pick(state, keys);
    } else if (what < 950) {
        op->kind = STELE_JOURNAL_CLEAR;
        do {
            op->key = pick(state, keys);
        } while (stele_is_nil(op->key));
    } else if (what < 995) {
        op->kind = STELE_JOURNAL_CONFIG;
        op->key = pick(state, 20);
        op->settings = &setting;
        op->setting_count = what % 2;
    } else {
        op->kind = STELE_JOURNAL_CLEAR;
    }
}

static void run(uint32_t start, uint32_t keys, size_t count, bool copies)
{
    static struct model model;
    struct sti_journal_settings settings = {0};
    struct sti_journal_merge *merge = NULL;
    uint8_t *bytes = malloc(copies ? ROOM : ROOM * count);
    uint32_t state = start;
    stele_error err;

    assert_non_null(bytes);
    model.count = 0;
    CHECK_OK(sti_journal_merge_new(&merge, seed, copies, &err), &err);
    for (size_t i = 0; i < count; i++) {
        uint8_t *at = copies ? bytes : bytes + ROOM * i;
        stele_journal_op op;
        stele_journal_op decoded;
        stele_bytes encoded;

        random_op(&op, &state, keys);
        assert_true(sti_journal_op_size(&op) <= ROOM);
        encoded = stele_bytes_of(at, sti_journal_op_encode(at, &op, NULL));
        CHECK_OK(sti_journal_op_decode(&decoded, encoded, &settings, &err), &err);
        CHECK_OK(sti_journal_merge_add(merge, &decoded, encoded, &err), &err);
        model_op(&model, &op, encoded);
        if (copies) {
            memset(bytes, 0xEE, ROOM);
        }
        if (i % 97 == 0) {
            check_same(merge, &model);
        }
    }
    check_same(merge, &model);
    sti_journal_merge_free(merge);
    sti_journal_settings_free(&settings);
    free(bytes);
}

static void random_operations(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 40; i++) {
        uint32_t keys = i % 4 == 0 ? 600 : 5 + i % 30;

        print_message("seed %u\n", i);
        run(i, keys, 2000, i % 2 == 0);
    }
}

/* ---- The rules, one by one. ---- */

struct merging {
    struct sti_journal_merge *merge;
    struct model model;
};

static void step(struct merging *m, stele_journal_kind kind, stele_bytes key, stele_bytes subkey)
{
    struct sti_journal_settings settings = {0};
    stele_journal_op op = {.kind = kind, .key = key, .subkey = subkey};
    stele_journal_op decoded;
    uint8_t bytes[ROOM];
    stele_bytes encoded = stele_bytes_of(bytes, sti_journal_op_encode(bytes, &op, NULL));
    stele_error err;

    CHECK_OK(sti_journal_op_decode(&decoded, encoded, &settings, &err), &err);
    CHECK_OK(sti_journal_merge_add(m->merge, &decoded, encoded, &err), &err);
    model_op(&m->model, &op, encoded);
    check_same(m->merge, &m->model);
}

static void rules(void **state)
{
    static struct merging m;
    const stele_bytes a = stele_str("a");
    const stele_bytes nil = stele_nil();
    const stele_bytes empty = stele_empty();
    stele_error err;

    (void)state;
    m.model.count = 0;
    CHECK_OK(sti_journal_merge_new(&m.merge, seed, true, &err), &err);
    step(&m, STELE_JOURNAL_CLEAR, nil, nil);
    step(&m, STELE_JOURNAL_DELETE, a, nil);
    step(&m, STELE_JOURNAL_DELETE, a, a);
    step(&m, STELE_JOURNAL_PUT, a, nil);
    step(&m, STELE_JOURNAL_PUT, a, empty);
    step(&m, STELE_JOURNAL_PUT, a, a);
    step(&m, STELE_JOURNAL_PUT, nil, nil);
    step(&m, STELE_JOURNAL_PUT, empty, nil);
    step(&m, STELE_JOURNAL_PUT, nil, a);
    step(&m, STELE_JOURNAL_PUT, empty, a);
    step(&m, STELE_JOURNAL_CONFIG, nil, nil);
    step(&m, STELE_JOURNAL_CONFIG, empty, nil);
    step(&m, STELE_JOURNAL_CONFIG, a, nil);
    assert_int_equal(sti_journal_merge_count(m.merge), 10);
    /* The tree goes, the plain key of the same name stays. */
    step(&m, STELE_JOURNAL_CLEAR, a, nil);
    assert_int_equal(sti_journal_merge_count(m.merge), 8);
    step(&m, STELE_JOURNAL_CLEAR, empty, nil);
    assert_int_equal(sti_journal_merge_count(m.merge), 7);
    step(&m, STELE_JOURNAL_DELETE, nil, a);
    step(&m, STELE_JOURNAL_DELETE, nil, nil);
    assert_int_equal(sti_journal_merge_count(m.merge), 5);
    step(&m, STELE_JOURNAL_PUT, a, a);
    /* Settings stay for ever. */
    step(&m, STELE_JOURNAL_CLEAR, nil, nil);
    assert_int_equal(sti_journal_merge_count(m.merge), 3);
    sti_journal_merge_free(m.merge);
}

/* ---- The table below it. ---- */

/* Keys that all want the same few slots: whichever is removed, the others are found. */
static void removal(void **state)
{
    enum {
        KEYS = 60
    };

    struct sti_journal_table t = {0};
    uint8_t keys[KEYS];
    bool there[KEYS] = {false};
    uint32_t random = 7;

    (void)state;
    for (size_t i = 0; i < KEYS; i++) {
        keys[i] = (uint8_t)i;
    }
    for (int i = 0; i < 20000; i++) {
        size_t k = next_random(&random) % KEYS;
        uint64_t hash = k % 5 == 0 ? UINT64_MAX : k % 7;
        struct sti_journal_slot *slot =
                sti_journal_table_find(&t, hash, stele_bytes_of(&keys[k], 1));

        assert_true((slot != NULL) == there[k]);
        /* Fill and empty it in turn, so that it grows and shrinks. */
        if (!there[k] && (i / 1000 % 2 == 0 || k < 5)) {
            slot = sti_journal_table_add(&t, hash, stele_bytes_of(&keys[k], 1));
            assert_non_null(slot);
            slot->item.encoded = &keys[k];
            there[k] = true;
        } else if (there[k]) {
            assert_ptr_equal(slot->item.encoded, &keys[k]);
            if (i / 1000 % 2 == 1) {
                sti_journal_table_remove(&t, slot);
                there[k] = false;
            }
        }
    }
    assert_true(t.slot_count <= 64);
    sti_journal_table_free(&t);
}

/* A table is as large as what lives in it. */
static void shrinks(void **state)
{
    enum {
        KEYS = 10000
    };

    struct sti_journal_table t = {0};
    static uint32_t keys[KEYS];

    (void)state;
    for (uint32_t i = 0; i < KEYS; i++) {
        keys[i] = i;
        sti_journal_table_add(&t, i * UINT64_C(0x9E3779B97F4A7C15), stele_bytes_of(&keys[i], 4))
                ->item.object = &keys[i];
    }
    assert_true(t.slot_count >= KEYS);
    for (uint32_t i = 1; i < KEYS; i++) {
        sti_journal_table_remove(&t, sti_journal_table_find(&t, i * UINT64_C(0x9E3779B97F4A7C15),
                                             stele_bytes_of(&keys[i], 4)));
    }
    assert_int_equal(t.count, 1);
    assert_true(t.slot_count <= 16);
    sti_journal_table_free(&t);
}

/* ---- Without memory. ---- */

struct nth {
    int calls;
    int fail_at;
};

static bool fails(void *arg)
{
    struct nth *n = arg;

    return n->calls++ == n->fail_at;
}

static stele_code ignore_op(void *arg, stele_bytes encoded, stele_error *err)
{
    (void)arg;
    (void)encoded;
    (void)err;
    return STELE_OK;
}

static stele_code merge_some(void)
{
    struct sti_journal_settings settings = {0};
    struct sti_journal_merge *merge = NULL;
    uint32_t state = 3;
    stele_error err;
    stele_code rc = sti_journal_merge_new(&merge, seed, true, &err);

    for (int i = 0; i < 60 && rc == STELE_OK; i++) {
        stele_journal_op op;
        uint8_t bytes[ROOM];
        stele_bytes encoded;

        random_op(&op, &state, 20);
        encoded = stele_bytes_of(bytes, sti_journal_op_encode(bytes, &op, NULL));
        rc = sti_journal_op_decode(&op, encoded, &settings, &err);
        rc = rc != STELE_OK ? rc : sti_journal_merge_add(merge, &op, encoded, &err);
    }
    rc = rc != STELE_OK ? rc : sti_journal_merge_settle(merge, &err);
    rc = rc != STELE_OK ? rc : sti_journal_merge_each(merge, ignore_op, NULL, &err);
    sti_journal_merge_free(merge);
    sti_journal_settings_free(&settings);
    return rc;
}

/* Whichever allocation fails, it is told, and nothing is lost (the sanitizers' builds see that). A
 * table that cannot shrink stays as it is. */
static void without_memory(void **state)
{
    struct nth n = {0, -1};
    int total;
    int failed = 0;

    (void)state;
    sti_alloc_set_hook(fails, &n);
    CHECK_CODE(merge_some(), STELE_OK);
    total = n.calls;
    for (int i = 0; i < total; i++) {
        stele_code rc;

        n = (struct nth){0, i};
        rc = merge_some();
        assert_true(rc == STELE_OK || rc == STELE_ENOMEM);
        failed += rc == STELE_ENOMEM ? 1 : 0;
    }
    sti_alloc_set_hook(NULL, NULL);
    assert_true(failed > total / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(random_operations),
            cmocka_unit_test(rules),
            cmocka_unit_test(removal),
            cmocka_unit_test(shrinks),
            cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
