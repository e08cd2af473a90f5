/* SPDX-License-Identifier: MIT
 *
 * apply_test.c: a set of entries makes the same of a database in whatever order they come.
 */
#include "docs/apply.h"

#include "kit.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    ENTRIES = 5,
    ROUNDS = 20,
    TEXTS = 6
};

static const char *const types[] = {
        "{'name':'t','keys':[{'name':'u','fields':['u'],'method':'binary','unique':true},"
        "{'name':'n','fields':['n'],'method':'binary'}],'version':1}",
        "{'name':'s','keys':[{'name':'u','fields':['u'],'method':'utf8','unique':true}],"
        "'version':1}",
};

/* The last is no JSON that our parser takes. */
static const char *const texts[TEXTS] = {"{'@type':'t','u':1,'n':1}", "{'@type':'t','u':1,'n':2}",
        "{'@type':'t','u':2}", "{'@type':'s','u':'x'}", "{'n':1}", "{'a':1e400}"};

struct made {
    struct sti_docs_entry entries[ENTRIES];
    uint64_t state;
};

static uint64_t below(struct made *m, uint64_t bound)
{
    m->state ^= m->state << 13;
    m->state ^= m->state >> 7;
    m->state ^= m->state << 17;
    return (m->state >> 11) % bound;
}

/* Two documents, few versions, and so entries that share both. */
static void make_entries(struct made *m)
{
    static char json[ENTRIES][64];

    for (size_t i = 0; i < ENTRIES; i++) {
        bool is_delete = below(m, 4) == 0;
        const char *text = texts[below(m, TEXTS)];
        stele_bytes from = kit_json(text);

        memcpy(json[i], from.data, from.len);
        m->entries[i] = (struct sti_docs_entry){
                .version = {(int64_t)(86398 + below(m, 4)), 0, (uint32_t)(1 + below(m, 2))},
                .is_delete = is_delete,
                .id = stele_str(below(m, 2) == 0 ? "a" : "b"),
                .json = is_delete ? stele_nil() : stele_bytes_of(json[i], from.len),
        };
    }
}

static void apply(struct kit *k, const struct sti_docs_entry *entry)
{
    struct sti_docs_write w;
    struct sti_docs_change change;
    enum sti_docs_applied applied = STI_DOCS_APPLIED_KNOWN;
    stele_error err;

    CHECK_OK(sti_docs_write_begin(&w, k->db, &err), &err);
    CHECK_OK(sti_docs_change_prepare(&change, &w, entry, NULL, false, &err), &err);
    CHECK_OK(sti_docs_apply(&w, &change, &applied, &err), &err);
    sti_docs_change_free(&change);
    CHECK_OK(sti_docs_write_end(&w, STELE_OK, &err), &err);
}

static stele_code add_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    stele_buf *out = arg;

    CHECK_OK(stele_buf_append(out, key, err), err);
    CHECK_OK(stele_buf_append(out, stele_str("="), err), err);
    CHECK_OK(stele_buf_append(out, value, err), err);
    return stele_buf_append(out, stele_str("\n"), err);
}

/* All but what has the time and the numbers of types in it. */
static void dump(struct kit *k, stele_buf *out)
{
    stele_store_read *read = NULL;
    stele_error err;

    CHECK_OK(stele_store_read_begin(&read, k->db->store, &err), &err);
    for (int b = STI_DOCS_LOG; b < STI_DOCS_BUCKET_COUNT; b++) {
        CHECK_OK(stele_store_read_for_each(
                         read, sti_docs_bucket_name((enum sti_docs_bucket)b), add_pair, out, &err),
                &err);
    }
    stele_store_read_end(read);
}

/* Take all entries away again, with what they made. */
static void clear(struct kit *k)
{
    struct sti_docs_write w;
    stele_error err;

    CHECK_OK(sti_docs_write_begin(&w, k->db, &err), &err);
    sti_docs_forget(&w);
    for (int b = STI_DOCS_LOG; b < STI_DOCS_BUCKET_COUNT; b++) {
        stele_bytes name = sti_docs_bucket_name((enum sti_docs_bucket)b);

        CHECK_OK(stele_store_batch_delete_bucket(w.batch, name, &err), &err);
        CHECK_OK(stele_store_batch_create_bucket(w.batch, name, &err), &err);
    }
    CHECK_OK(sti_docs_write_end(&w, STELE_OK, &err), &err);
}

static void swap(size_t order[ENTRIES], size_t i, size_t j)
{
    size_t kept = order[i];

    order[i] = order[j];
    order[j] = kept;
}

static bool next_order(size_t order[ENTRIES])
{
    size_t i = ENTRIES - 1;
    size_t j = ENTRIES - 1;

    while (i > 0 && order[i - 1] >= order[i]) {
        i--;
    }
    if (i == 0) {
        return false;
    }
    while (order[j] <= order[i - 1]) {
        j--;
    }
    swap(order, i - 1, j);
    for (j = ENTRIES - 1; i < j; i++, j--) {
        swap(order, i, j);
    }
    return true;
}

static void test_every_order(void **state)
{
    struct kit *k = *state;
    struct made m = {.state = 777};

    print_message("seed %" PRIu64 "\n", m.state);
    /* An unregistered type gets its number when it is met first: here all have theirs before. */
    kit_register(k, types[0]);
    kit_register(k, types[1]);
    kit_set(k, "a", "{}");
    for (int round = 0; round < ROUNDS; round++) {
        size_t order[ENTRIES] = {0, 1, 2, 3, 4};
        stele_buf first;
        stele_buf now;
        size_t orders = 0;

        make_entries(&m);
        stele_buf_init(&first, SIZE_MAX);
        stele_buf_init(&now, SIZE_MAX);
        do {
            clear(k);
            for (size_t i = 0; i < ENTRIES; i++) {
                apply(k, &m.entries[order[i]]);
                apply(k, &m.entries[order[i / 2]]);
            }
            stele_buf_clear(&now);
            dump(k, orders++ == 0 ? &first : &now);
            if (orders > 1) {
                CHECK_BYTES(stele_buf_view(&now), stele_buf_view(&first));
            }
        } while (next_order(order));
        assert_int_equal(orders, 120);
        assert_true(first.len > 0);
        stele_buf_free(&first);
        stele_buf_free(&now);
    }
}

/* What nobody here can read is not thrown away by a patch. */
static void test_unreadable(void **state)
{
    struct kit *k = *state;
    struct sti_docs_entry entry = {.version = {1700000000, 0, 9},
            .id = stele_str("x"),
            .json = stele_str("{\"a\":1e400}")};
    stele_error err;

    apply(k, &entry);
    CHECK_CODE(stele_docs_patch(k->db, entry.id, stele_str("{\"b\":1}"), NULL, &err), STELE_EINVAL);
    kit_check(k, "x", "{'a':1e400}");
    kit_set(k, "x", "{'b':1}");
    CHECK_OK(stele_docs_patch(k->db, entry.id, stele_str("{\"b\":2}"), NULL, &err), &err);
    kit_check(k, "x", "{'b':2}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_every_order, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_unreadable, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
