/* SPDX-License-Identifier: MIT
 *
 * merge_test.c: tables above a base against one list of all their writes.
 */
#include "store/merge.h"

#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BUCKETS = 3
};

/* ---- A base: what is left of the oldest writes. ---- */

struct list {
    const struct sti_write **all; /* of one bucket, in order */
    struct sti_write *copies;     /* of these: a model moves what it has */
    size_t count;
    size_t at;
    uint8_t *key; /* the one that was given: gone when the cursor goes on */
    size_t key_len;
    int fail_in; /* calls; negative: never */
};

static stele_code list_give(struct list *l, bool ok, struct sti_item *out, stele_error *err)
{
    (void)err;
    if (l->key != NULL) {
        memset(l->key, 0xdd, l->key_len);
        free(l->key);
        l->key = NULL;
    }
    if (l->fail_in >= 0 && l->fail_in-- == 0) {
        return STELE_ECORRUPT;
    }
    if (!ok) {
        return STELE_END;
    }
    l->key_len = l->all[l->at]->key.len;
    l->key = malloc(l->key_len + 1);
    assert_non_null(l->key);
    memcpy(l->key, l->all[l->at]->key.data, l->key_len);
    out->key = stele_bytes_of(l->key, l->key_len);
    out->value = l->all[l->at]->value;
    return STELE_OK;
}

static size_t lower(const struct sti_write **all, size_t count, stele_bytes key)
{
    size_t at = 0;

    while (at < count && model_compare(0, all[at]->key, 0, key) < 0) {
        at++;
    }
    return at;
}

static stele_code list_seek(void *arg, stele_bytes key, struct sti_item *out, stele_error *err)
{
    struct list *l = arg;

    l->at = lower(l->all, l->count, key);
    return list_give(l, l->at < l->count, out, err);
}

static stele_code list_before(void *arg, stele_bytes key, struct sti_item *out, stele_error *err)
{
    struct list *l = arg;

    l->at = lower(l->all, l->count, key) - 1;
    return list_give(l, l->at < l->count, out, err);
}

static stele_code list_last(void *arg, struct sti_item *out, stele_error *err)
{
    struct list *l = arg;

    l->at = l->count - 1;
    return list_give(l, l->at < l->count, out, err);
}

/* Only from a key where it is. */
static stele_code list_next(void *arg, struct sti_item *out, stele_error *err)
{
    struct list *l = arg;

    assert_non_null(l->key);
    l->at++;
    return list_give(l, l->at < l->count, out, err);
}

static stele_code list_prev(void *arg, struct sti_item *out, stele_error *err)
{
    struct list *l = arg;

    assert_non_null(l->key);
    l->at--;
    return list_give(l, l->at < l->count, out, err);
}

static const struct sti_base list_base = {list_seek, list_before, list_last, list_next, list_prev};

/* ---- Writes in tables, and what they come to. ---- */

struct stack {
    struct model m;
    size_t base_count; /* writes that are in the base */
    struct sti_table tables[STI_MERGE_TABLES];
    const struct sti_table *newest_first[STI_MERGE_TABLES];
    uint32_t table_count;
    uint64_t base_seq;
    uint64_t seq; /* of the last write */
};

static void write_random(struct stack *s, struct sti_table *t, struct random *r)
{
    static uint8_t key_space[MODEL_KEY_MAX];
    uint8_t value_space[300];
    uint32_t bucket = (uint32_t)random_below(r, BUCKETS);
    stele_bytes key = random_key(r, key_space);
    stele_bytes value = random_value(r, value_space);
    uint64_t kind = random_below(r, 150);
    enum sti_write_kind what = kind == 0   ? STI_WRITE_DROP
                               : kind < 50 ? STI_WRITE_DELETE
                                           : STI_WRITE_PUT;

    /* The largest number of a bucket has none behind it. */
    bucket = bucket == BUCKETS - 1 ? UINT32_MAX : bucket;
    if (t != NULL && what == STI_WRITE_PUT) {
        CHECK_OK(sti_table_put(t, s->seq, bucket, key, value, NULL), NULL);
    } else if (t != NULL && what == STI_WRITE_DELETE) {
        CHECK_OK(sti_table_delete(t, s->seq, bucket, key, NULL), NULL);
    } else if (t != NULL) {
        CHECK_OK(sti_table_drop(t, s->seq, bucket, NULL), NULL);
    }
    model_add(&s->m, what, s->seq, bucket, key, value);
}

static void stack_init(struct stack *s, uint32_t tables, struct random *r)
{
    memset(s, 0, sizeof *s);
    s->table_count = tables;
    for (uint64_t i = random_below(r, 300); i > 0; i--) {
        s->seq++;
        write_random(s, NULL, r);
    }
    s->base_count = s->m.count;
    s->base_seq = s->seq;
    for (uint32_t i = 0; i < tables; i++) {
        struct sti_table *t = &s->tables[i];

        sti_table_init(t);
        s->newest_first[tables - 1 - i] = t;
        for (uint64_t k = random_below(r, 3) * random_below(r, 100); k > 0; k--) {
            s->seq += random_below(r, 2);
            write_random(s, t, r);
        }
    }
}

static void stack_free(struct stack *s)
{
    for (uint32_t i = 0; i < s->table_count; i++) {
        sti_table_free(&s->tables[i]);
    }
    model_free(&s->m);
}

static const struct sti_write **list_of(
        const struct stack *s, size_t count, uint64_t seq, uint32_t bucket, size_t *left)
{
    size_t all;
    const struct sti_write **list = model_list(&s->m, 0, count, seq, false, &all);

    *left = 0;
    for (size_t i = 0; i < all; i++) {
        if (list[i]->bucket == bucket) {
            list[(*left)++] = list[i];
        }
    }
    return list;
}

static void base_init(struct list *l, const struct stack *s, uint32_t bucket)
{
    memset(l, 0, sizeof *l);
    l->all = list_of(s, s->base_count, UINT64_MAX, bucket, &l->count);
    l->copies = calloc(l->count + 1, sizeof *l->copies);
    assert_non_null(l->copies);
    for (size_t i = 0; i < l->count; i++) {
        l->copies[i] = *l->all[i];
        l->all[i] = &l->copies[i];
    }
    l->fail_in = -1;
}

static void base_free(struct list *l)
{
    free(l->key);
    free(l->copies);
    free(l->all);
}

/* ---- Walks. ---- */

static void at_item(const struct sti_merge *m, const struct sti_write *w)
{
    assert_true(m->placed);
    CHECK_BYTES(m->item.key, w->key);
    CHECK_BYTES(m->item.value, w->value);
}

/* A list as it is to be, and where we are in it. */
struct walk {
    const struct sti_write **list;
    size_t count;
    size_t at;
};

static bool arrive(struct walk *w, const struct sti_merge *m, stele_code rc, size_t at)
{
    w->at = at;
    if (at >= w->count) { /* before the first one, too */
        CHECK_CODE(rc, STELE_END);
        assert_false(m->placed);
        return false;
    }
    CHECK_OK(rc, NULL);
    at_item(m, w->list[at]);
    return true;
}

static void walk_at_random(
        struct walk *w, struct sti_merge *m, struct random *r, unsigned steps, unsigned backwards)
{
    static uint8_t space[MODEL_KEY_MAX];
    bool placed = false;

    for (unsigned i = 0; i < steps; i++) {
        uint64_t what = random_below(r, 60);
        stele_bytes key = random_key(r, space);

        if (!placed || what < 3) {
            if (what % 3 == 0) {
                placed = arrive(w, m, sti_merge_last(m, NULL), w->count - 1);
            } else if (what % 3 == 1) {
                placed = arrive(w, m, sti_merge_seek(m, key, NULL), lower(w->list, w->count, key));
            } else {
                placed = arrive(
                        w, m, sti_merge_before(m, key, NULL), lower(w->list, w->count, key) - 1);
            }
        } else if (random_below(r, 10) < backwards) {
            placed = arrive(w, m, sti_merge_prev(m, NULL), w->at - 1);
        } else {
            placed = arrive(w, m, sti_merge_next(m, NULL), w->at + 1);
        }
    }
}

static void walk_through(struct walk *w, struct sti_merge *m)
{
    bool placed = arrive(w, m, sti_merge_seek(m, stele_nil(), NULL), 0);

    while (placed) {
        placed = arrive(w, m, sti_merge_next(m, NULL), w->at + 1);
    }
    assert_true(w->at == w->count);
    placed = arrive(w, m, sti_merge_last(m, NULL), w->count - 1);
    while (placed) {
        placed = arrive(w, m, sti_merge_prev(m, NULL), w->at - 1);
    }
    assert_true(w->at == (size_t)-1);
}

static void check_gets(const struct stack *s, uint64_t seq, uint32_t bucket, struct random *r)
{
    static uint8_t space[MODEL_KEY_MAX];

    for (unsigned i = 0; i < 100; i++) {
        stele_bytes key = random_key(r, space);
        stele_bytes value = stele_nil();
        const struct sti_write *w = model_see(&s->m, s->base_count, s->m.count, seq, bucket, key);
        enum sti_found found =
                sti_merge_get(s->newest_first, s->table_count, seq, bucket, key, &value);

        assert_int_equal(found, w == NULL                  ? STI_ABSENT
                                : w->kind == STI_WRITE_PUT ? STI_PRESENT
                                                           : STI_DELETED);
        CHECK_BYTES(value, found == STI_PRESENT ? w->value : stele_nil());
    }
}

static void test_against_a_list(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 27; seed++) {
        struct random r = random_of(seed);
        struct stack s;

        print_message("seed %" PRIu64 "\n", seed);
        stack_init(&s, (uint32_t)(seed % (STI_MERGE_TABLES + 1)), &r);
        for (unsigned i = 0; i < 9; i++) {
            uint32_t bucket = i % BUCKETS == BUCKETS - 1 ? UINT32_MAX : i % BUCKETS;
            uint64_t seq = s.base_seq + random_below(&r, s.seq - s.base_seq + 2);
            struct list base;
            struct sti_merge m;
            struct walk w = {0};

            base_init(&base, &s, bucket);
            sti_merge_init(
                    &m, s.newest_first, s.table_count, seq, false, bucket, &list_base, &base);
            w.list = list_of(&s, s.m.count, seq, bucket, &w.count);
            walk_through(&w, &m);
            walk_at_random(&w, &m, &r, 200, 2);
            walk_at_random(&w, &m, &r, 200, 5);
            walk_at_random(&w, &m, &r, 200, 8);
            check_gets(&s, seq, bucket, &r);
            base_free(&base);
            free(w.list);
        }
        stack_free(&s);
    }
}

/* Write into the newest table while the merge is at an item, often to the
 * item itself; then go on. */
static stele_code own_step(
        struct stack *s, struct sti_merge *m, uint32_t bucket, bool back, struct random *r)
{
    static uint8_t space[MODEL_KEY_MAX];
    struct sti_table *own = &s->tables[s->table_count - 1];
    stele_bytes key = stele_bytes_of(space, m->item.key.len);
    const struct sti_write **list;
    size_t count;
    size_t at;
    stele_code rc;

    memcpy(space, m->item.key.data, m->item.key.len);
    if (random_below(r, 3) == 0) {
        CHECK_OK(sti_table_delete(own, s->seq, bucket, key, NULL), NULL);
        model_add(&s->m, STI_WRITE_DELETE, s->seq, bucket, key, stele_nil());
    }
    for (uint64_t k = random_below(r, 4); k > 0; k--) {
        write_random(s, own, r);
    }
    list = list_of(s, s->m.count, s->seq, bucket, &count);
    at = lower(list, count, key);
    if (back) {
        at--;
    } else if (at < count && model_compare(0, list[at]->key, 0, key) == 0) {
        at++;
    }
    rc = back ? sti_merge_prev(m, NULL) : sti_merge_next(m, NULL);
    CHECK_CODE(rc, at < count ? STELE_OK : STELE_END);
    if (rc == STELE_OK) {
        at_item(m, list[at]);
    }
    free(list);
    return rc;
}

/* The writer's own table changes in the middle of a walk. */
static void test_own_writes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct random r = random_of(seed + 1000);
        struct stack s;
        uint32_t bucket = seed % 2 == 0 ? 1 : UINT32_MAX;
        struct list base;
        struct sti_merge m;
        stele_code rc = STELE_END;

        print_message("seed %" PRIu64 "\n", seed);
        stack_init(&s, 1 + (uint32_t)(seed % 3), &r);
        base_init(&base, &s, bucket);
        sti_merge_init(&m, s.newest_first, s.table_count, s.seq, true, bucket, &list_base, &base);
        for (unsigned i = 0; i < 150; i++) {
            if (rc == STELE_END) {
                write_random(&s, &s.tables[s.table_count - 1], &r);
                rc = i % 2 == 0 ? sti_merge_seek(&m, stele_nil(), NULL) : sti_merge_last(&m, NULL);
            }
            if (rc != STELE_END) {
                CHECK_OK(rc, NULL);
                rc = own_step(&s, &m, bucket, random_below(&r, 5) < 2, &r);
            }
        }
        base_free(&base);
        stack_free(&s);
    }
}

/* A walk through all, while call n of the base fails. */
static stele_code walk_failing(const struct stack *s, int n, bool back)
{
    struct list base;
    struct sti_merge m;
    struct walk w = {0};
    stele_code rc;

    base_init(&base, s, 1);
    base.fail_in = n;
    sti_merge_init(&m, s->newest_first, s->table_count, s->seq, false, 1, &list_base, &base);
    rc = back ? sti_merge_last(&m, NULL) : sti_merge_seek(&m, stele_nil(), NULL);
    while (rc == STELE_OK) {
        rc = back ? sti_merge_prev(&m, NULL) : sti_merge_next(&m, NULL);
    }
    assert_false(m.placed);
    base.fail_in = -1;
    w.list = list_of(s, s->m.count, s->seq, 1, &w.count);
    walk_through(&w, &m);
    base_free(&base);
    free(w.list);
    return rc;
}

/* Whatever call of the base fails, its code comes out, and the merge can be
 * placed again. */
static void test_base_fails(void **state)
{
    struct random r = random_of(7);
    struct stack s;

    (void)state;
    stack_init(&s, 2, &r);
    for (unsigned back = 0; back < 2; back++) {
        stele_code rc = STELE_ECORRUPT;
        int n = 0;

        for (; rc == STELE_ECORRUPT; n++) {
            rc = walk_failing(&s, n, back == 1);
        }
        CHECK_CODE(rc, STELE_END);
        assert_true(n > 10);
    }
    stack_free(&s);
}

static void test_without_a_base(void **state)
{
    struct sti_table t;
    const struct sti_table *tables[1] = {&t};
    struct sti_merge m;

    (void)state;
    sti_table_init(&t);
    sti_merge_init(&m, tables, 1, 5, false, 1, NULL, NULL);
    CHECK_CODE(sti_merge_seek(&m, stele_nil(), NULL), STELE_END);
    CHECK_CODE(sti_merge_last(&m, NULL), STELE_END);
    sti_merge_init(&m, NULL, 0, 5, true, 1, NULL, NULL);
    CHECK_CODE(sti_merge_seek(&m, stele_nil(), NULL), STELE_END);
    CHECK_OK(sti_table_put(&t, 5, 1, stele_str("k"), stele_str("v"), NULL), NULL);
    CHECK_OK(sti_table_put(&t, 5, 2, stele_str("other"), stele_str("v"), NULL), NULL);
    sti_merge_init(&m, tables, 1, 5, false, 1, NULL, NULL);
    CHECK_OK(sti_merge_before(&m, stele_str("x"), NULL), NULL);
    CHECK_BYTES(m.item.key, stele_str("k"));
    CHECK_CODE(sti_merge_next(&m, NULL), STELE_END);
    sti_table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_against_a_list),
            cmocka_unit_test(test_own_writes),
            cmocka_unit_test(test_base_fails),
            cmocka_unit_test(test_without_a_base),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
