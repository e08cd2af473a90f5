/* SPDX-License-Identifier: MIT
 *
 * table_model_test.c: the table against a list, at many seqs.
 */
#include "model.h"
#include "store/table.h"

#include <inttypes.h>
#include <stdlib.h>

static void same(const struct sti_cursor *c, bool ok, const struct sti_write *w)
{
    assert_int_equal(ok, w != NULL);
    if (w == NULL) {
        assert_null(c->entry);
        return;
    }
    assert_int_equal(c->entry->bucket, w->bucket);
    CHECK_BYTES(sti_entry_key(c->entry), w->key);
    assert_int_equal(c->version->kind, w->kind);
    assert_int_equal(c->version->seq, w->seq);
    if (w->kind == STI_WRITE_PUT) {
        CHECK_BYTES(stele_bytes_of(c->version->value, c->version->value_len), w->value);
    }
}

static void check_walks(const struct sti_table *t, uint64_t seq, const struct sti_write **list,
        size_t count, struct random *r)
{
    struct sti_cursor c;
    size_t at = 0;
    bool ok;

    sti_cursor_init(&c, t, seq);
    for (ok = sti_cursor_seek(&c, 0, stele_nil()); ok; ok = sti_cursor_next(&c)) {
        same(&c, ok, at < count ? list[at] : NULL);
        at++;
    }
    assert_int_equal(at, count);
    for (ok = sti_cursor_last(&c); ok; ok = sti_cursor_prev(&c)) {
        same(&c, ok, at > 0 ? list[at - 1] : NULL);
        at--;
    }
    assert_int_equal(at, 0);
    /* To and fro. */
    ok = sti_cursor_seek(&c, 0, stele_nil());
    for (unsigned i = 0; i < 200 && ok; i++) {
        bool back = random_below(r, 5) < 2;

        same(&c, ok, list[at]);
        ok = back ? sti_cursor_prev(&c) : sti_cursor_next(&c);
        if (!ok) {
            assert_true(back ? at == 0 : at + 1 == count);
        }
        at += back ? (size_t)-1 : 1;
    }
}

static void check_seeks(const struct sti_table *t, uint64_t seq, const struct sti_write **list,
        size_t count, struct random *r)
{
    static uint8_t space[MODEL_KEY_MAX];
    struct sti_cursor c;

    sti_cursor_init(&c, t, seq);
    for (unsigned i = 0; i < 300; i++) {
        uint32_t bucket = (uint32_t)random_below(r, 6);
        stele_bytes key = random_key(r, space);
        size_t at = 0;

        while (at < count && model_compare(list[at]->bucket, list[at]->key, bucket, key) < 0) {
            at++;
        }
        same(&c, sti_cursor_seek(&c, bucket, key), at < count ? list[at] : NULL);
        same(&c, sti_cursor_before(&c, bucket, key), at > 0 ? list[at - 1] : NULL);
    }
}

static void check_gets(
        const struct sti_table *t, uint64_t seq, const struct model *m, struct random *r)
{
    static const enum sti_found found[] = {STI_PRESENT, STI_DELETED, STI_DELETED};

    static uint8_t space[MODEL_KEY_MAX];

    for (unsigned i = 0; i < 300; i++) {
        uint32_t bucket = (uint32_t)random_below(r, 6);
        stele_bytes key = random_key(r, space);
        stele_bytes value = stele_nil();
        const struct sti_write *w = model_see(m, 0, m->count, seq, bucket, key);
        enum sti_found got = sti_table_get(t, seq, bucket, key, &value);

        assert_int_equal(got, w == NULL ? STI_ABSENT : found[w->kind]);
        CHECK_BYTES(value, got == STI_PRESENT ? w->value : stele_nil());
    }
}

static void check_written(const struct sti_table *t, const struct model *m)
{
    struct sti_table_mark mark = {0};
    struct sti_write w;

    for (size_t i = 0; i < m->count; i++) {
        assert_true(sti_table_written(t, UINT64_MAX, &mark, &w));
        assert_int_equal(w.kind, m->writes[i].kind);
        assert_int_equal(w.seq, m->writes[i].seq);
        assert_int_equal(w.bucket, m->writes[i].bucket);
        assert_true(w.key.len == m->writes[i].key.len);
        CHECK_BYTES(w.value, m->writes[i].value);
    }
    assert_false(sti_table_written(t, UINT64_MAX, &mark, &w));
}

static void check_all(const struct sti_table *t, const struct model *m, struct random *r)
{
    uint64_t newest = m->count == 0 ? 0 : m->writes[m->count - 1].seq;

    for (unsigned i = 0; i < 8; i++) {
        uint64_t seq = i == 0 ? UINT64_MAX : random_below(r, newest + 2);
        size_t count;
        const struct sti_write **list = model_list(m, 0, m->count, seq, true, &count);

        check_walks(t, seq, list, count, r);
        check_seeks(t, seq, list, count, r);
        check_gets(t, seq, m, r);
        free(list);
    }
    check_written(t, m);
}

/* A batch of up to 40 writes, one in eight of which is taken back. */
static void write_batch(struct sti_table *t, struct model *m, uint64_t seq, struct random *r)
{
    static uint8_t key_space[MODEL_KEY_MAX];
    uint8_t value_space[300];
    struct sti_table_mark mark = sti_table_mark(t);
    size_t before = m->count;
    uint64_t count = random_below(r, 40);

    while (count-- > 0) {
        uint32_t bucket = (uint32_t)random_below(r, 6);
        stele_bytes key = random_key(r, key_space);
        stele_bytes value = random_value(r, value_space);
        uint64_t kind = random_below(r, 200);

        if (kind == 0) {
            CHECK_OK(sti_table_drop(t, seq, bucket, NULL), NULL);
            model_add(m, STI_WRITE_DROP, seq, bucket, stele_nil(), stele_nil());
        } else if (kind < 60) {
            CHECK_OK(sti_table_delete(t, seq, bucket, key, NULL), NULL);
            model_add(m, STI_WRITE_DELETE, seq, bucket, key, stele_nil());
        } else {
            CHECK_OK(sti_table_put(t, seq, bucket, key, value, NULL), NULL);
            model_add(m, STI_WRITE_PUT, seq, bucket, key, value);
        }
    }
    if (random_below(r, 8) == 0) {
        sti_table_rollback(t, &mark);
        model_cut(m, before);
    }
}

static void test_against_a_list(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct random r = random_of(seed);
        struct sti_table t;
        struct model m = {0};

        print_message("seed %" PRIu64 "\n", seed);
        sti_table_init(&t);
        for (uint64_t seq = 1; seq <= 120; seq++) {
            write_batch(&t, &m, seq, &r);
            if (seq % 40 == 0) {
                check_all(&t, &m, &r);
            }
        }
        assert_int_equal(sti_table_size(&t).writes, m.count);
        model_free(&m);
        sti_table_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_against_a_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
