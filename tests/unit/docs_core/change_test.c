/* SPDX-License-Identifier: MIT
 *
 * change_test.c: documents set, read and deleted, what is refused, and what the log has of it.
 */
#include <stele/store.h>

#include "docs/checkpoint.h"
#include "docs/entry.h"
#include "kit.h"

static void test_set_get_delete(void **state)
{
    struct kit *k = *state;
    stele_docs_version set;
    stele_docs_version deleted;
    stele_docs_version there;
    bool is_deleted = true;
    stele_error err;

    kit_check(k, "a", NULL);
    CHECK_CODE(stele_docs_delete(k->db, stele_str("a"), NULL, NULL), STELE_ENOTFOUND);
    CHECK_CODE(stele_docs_version_of(k->db, stele_str("a"), &there, &is_deleted, NULL),
            STELE_ENOTFOUND);
    set = kit_set(k, "a", "{ 'x' : 1.0 }");
    kit_set(k, "b", "{}");
    kit_check(k, "a", "{ 'x' : 1.0 }");
    CHECK_OK(stele_docs_version_of(k->db, stele_str("a"), &there, &is_deleted, &err), &err);
    assert_int_equal(kit_compare_versions(there, set), 0);
    assert_false(is_deleted);
    assert_int_equal(set.server, stele_docs_server(k->db));
    kit_set(k, "a", "{'x':2}");
    kit_check(k, "a", "{'x':2}");
    kit_check_all(k, "a b");
    deleted = kit_delete(k, "a");
    kit_check(k, "a", NULL);
    kit_check_all(k, "b");
    CHECK_OK(stele_docs_version_of(k->db, stele_str("a"), &there, &is_deleted, &err), &err);
    assert_int_equal(kit_compare_versions(there, deleted), 0);
    assert_true(is_deleted);
    kit_close(k);
    kit_open(k);
    kit_check(k, "a", NULL);
    kit_check_all(k, "b");
    kit_set(k, "a", "{'x':3}");
    kit_check(k, "a", "{'x':3}");
}

static void test_fields(void **state)
{
    struct kit *k = *state;
    stele_buf out;
    stele_error err;

    stele_buf_init(&out, SIZE_MAX);
    kit_set(k, "a", "{'x':{'y':[1,'z']}}");
    CHECK_OK(stele_docs_get_field(k->db, stele_str("a"), stele_str("/x/y/1"), &out, &err), &err);
    CHECK_BYTES(stele_buf_view(&out), kit_json("'z'"));
    CHECK_CODE(stele_docs_get_field(k->db, stele_str("a"), stele_str("/q"), &out, NULL),
            STELE_ENOTFOUND);
    CHECK_CODE(
            stele_docs_get_field(k->db, stele_str("a"), stele_str("q"), &out, NULL), STELE_EINVAL);
    CHECK_CODE(stele_docs_get_field(k->db, stele_str("b"), stele_str(""), &out, NULL),
            STELE_ENOTFOUND);
    stele_buf_free(&out);
}

static void test_refused(void **state)
{
    struct kit *k = *state;
    static const char *const bad[] = {"", "[1,2]", "'str'", "not json", "{'a':1,'a':2}",
            "{'a':1e999}", "{'a':123456789012345678901}", "{'a':'\xff'}", "{} x"};
    static char id[STELE_DOCS_ID_MAX + 1];
    bool has;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_CODE(kit_try_set(k, "a", bad[i], NULL), STELE_EINVAL);
    }
    memset(id, 'i', sizeof id);
    CHECK_CODE(kit_try_set(k, "", "{}", NULL), STELE_EINVAL);
    CHECK_CODE(stele_docs_set(k->db, stele_bytes_of(id, sizeof id), kit_json("{}"), NULL, NULL),
            STELE_ETOOBIG);
    CHECK_CODE(stele_docs_has(k->db, stele_bytes_of(id, sizeof id), &has, NULL), STELE_ETOOBIG);
    kit_check_all(k, "");
    CHECK_OK(stele_docs_set(k->db, stele_bytes_of(id, sizeof id - 1), kit_json("{'@type':'t'}"),
                     NULL, NULL),
            NULL);
    CHECK_OK(stele_docs_delete(k->db, stele_bytes_of(id, sizeof id - 1), NULL, NULL), NULL);
    kit_close(k);
    k->options.size_max = 10;
    k->options.depth_max = 2;
    k->options.id_max = 2;
    kit_open(k);
    kit_set(k, "ab", "{'a':1234}");
    CHECK_CODE(kit_try_set(k, "ab", "{'a':12345}", NULL), STELE_ETOOBIG);
    CHECK_CODE(kit_try_set(k, "ab", "{'a':[[]]}", NULL), STELE_ETOOBIG);
    CHECK_CODE(kit_try_set(k, "abc", "{}", NULL), STELE_ETOOBIG);
    kit_check(k, "ab", "{'a':1234}");
}

/* ---- The log. ---- */

struct logged {
    stele_buf text; /* "+a -a" */
    stele_buf last;
    stele_docs_version version;
    uint8_t sum[STI_DOCS_HASH_SIZE];
    uint64_t count;
    uint64_t limit;
};

static stele_code on_entry(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    struct logged *l = arg;
    struct sti_docs_entry same = {
            .version = {entry->version.seconds, entry->version.ns, entry->version.server},
            .is_delete = entry->is_delete,
            .id = entry->id,
            .json = entry->json,
    };
    uint8_t hash[STI_DOCS_HASH_SIZE];

    assert_true(l->count == 0 || kit_compare_versions(l->version, entry->version) < 0);
    l->version = entry->version;
    CHECK_OK(stele_buf_append(&l->text, stele_str(entry->is_delete ? " -" : " +"), err), err);
    CHECK_OK(stele_buf_append(&l->text, entry->id, err), err);
    stele_buf_clear(&l->last);
    CHECK_OK(stele_buf_append(&l->last, entry->log_id, err), err);
    CHECK_OK(sti_docs_entry_hash(&same, hash, err), err);
    for (size_t i = 0; i < sizeof hash; i++) {
        l->sum[i] ^= hash[i];
    }
    l->count++;
    return l->count == l->limit ? STELE_END : STELE_OK;
}

static stele_code on_checkpoint(
        void *arg, const stele_docs_checkpoint *checkpoint, stele_error *err)
{
    struct logged *l = arg;
    struct sti_docs_checkpoint same;

    CHECK_OK(sti_docs_checkpoint_get(
                     &same, stele_bytes_of(checkpoint->encoded, sizeof checkpoint->encoded), err),
            err);
    assert_int_equal(same.epoch, checkpoint->epoch);
    assert_int_equal(same.count, checkpoint->count);
    for (size_t i = 0; i < sizeof l->sum; i++) {
        l->sum[i] ^= checkpoint->sum[i];
    }
    l->count += checkpoint->count;
    return STELE_OK;
}

static void logged_init(struct logged *l, uint64_t limit)
{
    *l = (struct logged){.limit = limit};
    stele_buf_init(&l->text, SIZE_MAX);
    stele_buf_init(&l->last, SIZE_MAX);
}

static void logged_free(struct logged *l)
{
    stele_buf_free(&l->text);
    stele_buf_free(&l->last);
}

/* The exclusive or of the checkpoints is that of the log, and so are the counts. */
static void check_sums(struct kit *k, uint64_t days)
{
    static const uint8_t zeros[STI_DOCS_HASH_SIZE];
    struct logged l;
    struct logged checkpoints;
    stele_error err;

    logged_init(&l, 0);
    logged_init(&checkpoints, 0);
    CHECK_OK(stele_docs_log(k->db, stele_nil(), on_entry, &l, &err), &err);
    memcpy(checkpoints.sum, l.sum, sizeof l.sum);
    CHECK_OK(stele_docs_checkpoints(k->db, on_checkpoint, &checkpoints, &err), &err);
    assert_memory_equal(checkpoints.sum, zeros, sizeof zeros);
    assert_int_equal(checkpoints.count, l.count);
    assert_true(days > 0);
    logged_free(&l);
    logged_free(&checkpoints);
}

static void test_log(void **state)
{
    struct kit *k = *state;
    struct logged l;
    struct logged rest;
    stele_error err;

    kit_set(k, "a", "{}");
    kit_set(k, "b", "{'x':1}");
    k->now += (stele_time)86400 * 1000000;
    kit_delete(k, "a");
    kit_set(k, "c", "{}");
    CHECK_CODE(kit_try_set(k, "d", "[]", NULL), STELE_EINVAL);
    logged_init(&l, 2);
    CHECK_OK(stele_docs_log(k->db, stele_nil(), on_entry, &l, &err), &err);
    CHECK_BYTES(stele_buf_view(&l.text), stele_str(" +a +b"));
    logged_init(&rest, 0);
    CHECK_OK(stele_docs_log(k->db, stele_buf_view(&l.last), on_entry, &rest, &err), &err);
    CHECK_BYTES(stele_buf_view(&rest.text), stele_str(" -a +c"));
    logged_free(&l);
    logged_free(&rest);
    check_sums(k, 2);
    kit_close(k);
    kit_open(k);
    check_sums(k, 2);
}

/* ---- Open. ---- */

static void test_foreign_store(void **state)
{
    struct kit *k = *state;
    stele_store *s = NULL;
    stele_store_batch *b = NULL;
    stele_error err;
    struct tmpdir other;

    tmpdir_make(&other);
    CHECK_OK(stele_store_open(&s, other.path, NULL, &err), &err);
    CHECK_OK(stele_store_batch_begin(&b, s, NULL, &err), &err);
    CHECK_OK(stele_store_batch_create_bucket(b, stele_str("met"), &err), &err);
    CHECK_OK(stele_store_batch_end(b, &err), &err);
    CHECK_OK(stele_store_close(s, &err), &err);
    kit_close(k);
    CHECK_CODE(stele_docs_open(&k->db, other.path, &k->options, &err), STELE_EMISMATCH);
    tmpdir_remove(&other);
    tmpdir_make(&other);
    k->options.must_exist = true;
    CHECK_CODE(stele_docs_open(&k->db, other.path, &k->options, &err), STELE_ENOTFOUND);
    tmpdir_remove(&other);
    kit_open(k);
}

static void test_open_iterators(void **state)
{
    struct kit *k = *state;
    stele_docs_iter *it = NULL;
    stele_bytes id = stele_nil();
    stele_error err;

    kit_set(k, "a", "{}");
    kit_set(k, "ab", "{}");
    kit_set(k, "b", "{}");
    CHECK_OK(stele_docs_prefix(&it, k->db, stele_str("a"), true, &err), &err);
    CHECK_CODE(stele_docs_close(k->db, NULL), STELE_ESTATE);
    kit_delete(k, "ab");
    CHECK_OK(stele_docs_iter_next(it, &id, NULL, &err), &err);
    CHECK_BYTES(id, stele_str("ab"));
    CHECK_OK(stele_docs_iter_next(it, &id, NULL, &err), &err);
    CHECK_BYTES(id, stele_str("a"));
    CHECK_CODE(stele_docs_iter_next(it, &id, NULL, NULL), STELE_END);
    stele_docs_iter_end(it);
    kit_check_all(k, "a b");
}

/* Those that a reference could not list; what is there already can still be deleted. */
static void test_long_ids(void **state)
{
    struct kit *k = *state;
    char id[241];
    stele_error err;

    memset(id, 'x', sizeof id);
    id[240] = 0;
    kit_set(k, id, "{}");
    kit_close(k);
    k->options.refuse_long_ids = true;
    kit_open(k);
    CHECK_CODE(kit_try_set(k, id, "{'a':1}", &err), STELE_ETOOBIG);
    CHECK_CODE(stele_docs_patch(k->db, stele_str(id), stele_str("{\"a\":1}"), NULL, &err),
            STELE_ETOOBIG);
    kit_check(k, id, "{}");
    kit_delete(k, id);
    id[239] = 0;
    kit_set(k, id, "{}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_set_get_delete, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_fields, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_refused, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_log, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_foreign_store, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_open_iterators, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_long_ids, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
