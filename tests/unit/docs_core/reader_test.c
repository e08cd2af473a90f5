/* SPDX-License-Identifier: MIT
 *
 * reader_test.c: a database that is open read-only, and beside its writer.
 */
#include "docs/state.h"
#include "kit.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAMP                                                                    \
    "{'name':'lamp','keys':[{'name':'room','fields':['room'],'method':'utf8'}," \
    "{'name':'no','fields':['no'],'method':'number','unique':true}],'version':1}"
#define COLLATOR_AT 1

static void open_reader(struct kit *k)
{
    k->options.read_only = true;
    kit_open(k);
}

static void open_writer(struct kit *k)
{
    k->options.read_only = false;
    kit_open(k);
}

static void test_changes_nothing(void **state)
{
    struct kit *k = *state;
    stele_docs_batch *batch = NULL;
    stele_docs_status status;
    stele_bytes type;
    stele_error err;

    kit_register(k, LAMP);
    kit_set(k, "a", "{'@type':'lamp','room':'Küche','no':1}");
    kit_set(k, "b", "{'@type':'lamp','room':'Bad','no':2}");
    kit_delete(k, "b");
    kit_close(k);
    open_reader(k);
    kit_check(k, "a", "{'@type':'lamp','room':'Küche','no':1}");
    kit_check_all(k, "a");
    kit_check_match(k, "lamp", "{'room':'KUCHE'}", "a");
    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
    CHECK_OK(stele_docs_get_status(k->db, &status, &err), &err);
    assert_int_equal(status.documents, 1);
    assert_int_equal(status.deleted, 1);
    assert_int_equal(status.entries, 3);
    assert_int_equal(status.types, 1);
    assert_int_equal(status.keys, 3); /* one of the type as well */
    assert_int_equal(status.conflicts, 0);
    CHECK_CODE(kit_try_set(k, "c", "{}", &err), STELE_EREADONLY);
    CHECK_CODE(stele_docs_delete(k->db, stele_str("a"), NULL, &err), STELE_EREADONLY);
    type = kit_json("{'a':1}");
    CHECK_CODE(stele_docs_patch(k->db, stele_str("a"), type, NULL, &err), STELE_EREADONLY);
    CHECK_CODE(stele_docs_batch_begin(&batch, k->db, &err), STELE_EREADONLY);
    CHECK_CODE(stele_docs_reindex(k->db, &err), STELE_EREADONLY);
    type = kit_json("{'name':'x','keys':[],'version':1}");
    CHECK_CODE(stele_docs_register(k->db, type, &err), STELE_EREADONLY);
    kit_close(k);
    k->options.types = &type;
    k->options.type_count = 1;
    CHECK_CODE(stele_docs_open(&k->db, k->tmp.path, &k->options, &err), STELE_EINVAL);
    k->options.type_count = 0;
}

static void test_nothing_there(void **state)
{
    struct kit *k = *state;
    struct tmpdir other;
    stele_store *s = NULL;
    stele_docs *db = NULL;
    stele_error err;

    tmpdir_make(&other);
    k->options.read_only = true;
    k->options.create_dirs = true;
    CHECK_CODE(stele_docs_open(&db, other.path, &k->options, &err), STELE_ENOTFOUND);
    CHECK_OK(stele_store_open(&s, other.path, NULL, &err), &err);
    CHECK_OK(stele_store_close(s, &err), &err);
    CHECK_CODE(stele_docs_open(&db, other.path, &k->options, &err), STELE_ENOTFOUND);
    assert_null(db);
    tmpdir_remove(&other);
}

/* What another process does is seen, its new types as well. */
static int write_beside(const struct kit *k, int go)
{
    stele_docs_options opts = k->options;
    stele_docs *db = NULL;
    char byte;
    stele_code rc;

    if (read(go, &byte, 1) != 1) {
        return 1;
    }
    opts.read_only = false;
    opts.not_durable = false;
    rc = stele_docs_open(&db, k->tmp.path, &opts, NULL);
    if (rc == STELE_OK) {
        rc = stele_docs_register(db, kit_json(LAMP), NULL);
    }
    if (rc == STELE_OK) {
        rc = stele_docs_set(
                db, stele_str("z"), kit_json("{'@type':'lamp','room':'Bad','no':7}"), NULL, NULL);
    }
    return rc == STELE_OK && stele_docs_close(db, NULL) == STELE_OK ? 0 : 1;
}

static stele_code note_place(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    uint64_t *place = arg;

    (void)err;
    *place = entry->seq;
    return STELE_OK;
}

static void test_beside_a_writer(void **state)
{
    struct kit *k = *state;
    stele_wait wait = {.timeout_ms = 0};
    uint64_t place = 0;
    stele_error err;
    int status = 0;
    int go[2];
    pid_t child;

    kit_set(k, "a", "{'@type':'lamp','room':'Bad'}");
    kit_close(k);
    assert_int_equal(pipe(go), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(write_beside(k, go[0]));
    }
    open_reader(k);
    CHECK_OK(stele_docs_feed(k->db, 0, note_place, &place, &err), &err);
    CHECK_CODE(stele_docs_feed_wait(k->db, place, &wait, &err), STELE_ETIMEDOUT);
    assert_int_equal(write(go[1], "", 1), 1);
    CHECK_OK(stele_docs_feed_wait(k->db, place, NULL, &err), &err);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    kit_check_match(k, "lamp", "{'no':7}", "z");
    kit_check_match(k, "lamp", "{'room':'BAD'}", "a z");
    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
    assert_int_equal(close(go[0]), 0);
    assert_int_equal(close(go[1]), 0);
}

/* Keys of another collation are not searched, and mended by a writer alone. */
static void test_collation(void **state)
{
    struct kit *k = *state;
    struct sti_docs_write w = {.db = k->db};
    uint8_t other[1 + STI_DOCS_COLLATOR_VERSION_SIZE] = {STI_DOCS_FORM};
    stele_docs_iter *it = NULL;
    stele_docs_search search;
    stele_error err;

    kit_register(k, LAMP);
    kit_register(k, "{'name':'plain','keys':[{'name':'a','fields':['a'],'method':'binary'}],"
                    "'version':1}");
    kit_set(k, "a", "{'@type':'lamp','room':'Bad'}");
    kit_set(k, "b", "{'@type':'plain','a':1}");
    other[COLLATOR_AT] = 0xff;
    CHECK_OK(sti_docs_write_begin(&w, k->db, &err), &err);
    CHECK_OK(sti_docs_put(&w, STI_DOCS_MET, stele_str("collator"),
                     stele_bytes_of(other, sizeof other), &err),
            &err);
    CHECK_OK(sti_docs_write_end(&w, STELE_OK, &err), &err);
    kit_close(k);
    open_reader(k);
    stele_docs_search_init(&search);
    search.type = "lamp";
    search.match = kit_json("{'room':'Bad'}");
    CHECK_CODE(stele_docs_search_begin(&it, k->db, &search, &err), STELE_EMISMATCH);
    kit_check_match(k, "plain", "{'a':1}", "b");
    CHECK_CODE(stele_docs_validate(k->db, NULL, NULL, NULL, &err), STELE_EMISMATCH);
    kit_check_all(k, "a b");
    kit_close(k);
    open_writer(k);
    kit_close(k);
    open_reader(k);
    kit_check_match(k, "lamp", "{'room':'BAD'}", "a");
}

static stele_code list_type(void *arg, stele_bytes definition, stele_error *err)
{
    return stele_buf_append(arg, definition, err);
}

static stele_code stop(void *arg, stele_bytes definition, stele_error *err)
{
    stele_code rc = list_type(arg, definition, err);

    return rc == STELE_OK ? STELE_END : rc;
}

static void test_types(void **state)
{
    struct kit *k = *state;
    stele_buf seen;
    stele_error err;

    stele_buf_init(&seen, SIZE_MAX);
    kit_register(k, LAMP);
    kit_register(k, "{'name':'a','keys':[],'version':1}");
    CHECK_OK(stele_docs_types(k->db, list_type, &seen, &err), &err);
    CHECK_BYTES(stele_buf_view(&seen), kit_json("{'name':'a','keys':null,'version':1}" LAMP));
    stele_buf_clear(&seen);
    CHECK_OK(stele_docs_types(k->db, stop, &seen, &err), &err);
    CHECK_BYTES(stele_buf_view(&seen), kit_json("{'name':'a','keys':null,'version':1}"));
    stele_buf_free(&seen);
}

/* A backup is in its file whole, and replaces nothing. */
static void test_save(void **state)
{
    struct kit *k = *state;
    stele_docs_backup_summary summary;
    char path[sizeof k->tmp.path + 16];
    char bad[sizeof k->tmp.path + 32];
    stele_error err;

    kit_set(k, "a", "{}");
    kit_set(k, "a", "{'b':1}");
    kit_set(k, "b", "{}");
    (void)snprintf(path, sizeof path, "%s/out", k->tmp.path);
    CHECK_OK(stele_docs_backup_save(k->db, path, NULL, &summary, &err), &err);
    assert_int_equal(summary.documents, 2);
    assert_int_equal(summary.entries, 3);
    assert_int_equal(access(path, R_OK), 0);
    CHECK_CODE(stele_docs_backup_save(k->db, path, NULL, &summary, &err), STELE_EEXIST);
    (void)snprintf(bad, sizeof bad, "%s/none/out", k->tmp.path);
    CHECK_CODE(stele_docs_backup_save(k->db, bad, NULL, &summary, &err), STELE_ENOTFOUND);
    (void)snprintf(bad, sizeof bad, "%s.tmp", path);
    assert_int_not_equal(access(bad, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_changes_nothing, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_nothing_there, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_beside_a_writer, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_collation, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_types, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_save, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
