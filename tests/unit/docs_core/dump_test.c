/* SPDX-License-Identifier: MIT
 *
 * dump_test.c: everything that a database holds as lines that can be read, also what is damaged.
 */
#include "docs/state.h"
#include "kit.h"

static stele_code add(void *arg, const void *data, size_t len, stele_error *err)
{
    return stele_buf_append(arg, stele_bytes_of(data, len), err);
}

static stele_code refuse(void *arg, const void *data, size_t len, stele_error *err)
{
    (void)data;
    (void)len;
    (void)err;
    *(int *)arg += 1;
    return STELE_ENOSPC;
}

static bool has(const stele_buf *text, const char *part)
{
    return strstr((const char *)text->data, part) != NULL;
}

static void check_line(const stele_buf *text, const char *line)
{
    if (!has(text, line)) {
        print_message("%s\nwithout: %s\n", (const char *)text->data, line);
        fail();
    }
}

static void dump(struct kit *k, stele_buf *out)
{
    stele_error err;

    stele_buf_clear(out);
    CHECK_OK(stele_docs_debug_dump(k->db, add, out, &err), &err);
    CHECK_OK(stele_buf_append(out, stele_bytes_of("", 1), &err), &err);
}

static void test_lines(void **state)
{
    struct kit *k = *state;
    struct sti_docs_write w;
    stele_buf out;
    int calls = 0;
    stele_error err;

    kit_register(k, "{'name':'t','keys':[{'name':'u','fields':['u'],'method':'binary','unique':"
                    "true}],'version':1,'expiry':'e'}");
    kit_set(k, "a\n", "{'@type':'t','u':1,'e':1800000000.5}");
    kit_set(k, "b", "{'x':1}");
    kit_delete(k, "b");
    stele_buf_init(&out, SIZE_MAX);
    dump(k, &out);
    check_line(&out, "typ t = {\"name\":\"t\"");
    check_line(&out, "tno t = 1\n");
    check_line(&out, "seq 3 = 2023-11-14T22:13:20.000000002Z/");
    check_line(&out, " a\\x0a = set {\"@type\":\"t\",\"u\":1,\"e\":1800000000.5}\n");
    check_line(&out, " b = delete\n");
    check_line(&out, "lid b 2023-11-14T22:13:20.000000002Z/");
    check_line(&out, " = logged\n");
    check_line(&out, "chk 19676 = 3 ");
    check_line(&out, "agg day 19675 = 3 ");
    check_line(&out, "nfo b = 2023-11-14T22:13:20.000000002Z/");
    check_line(&out, " deleted\n");
    check_line(&out, ", 1.1 ");
    check_line(&out, "dat a\\x0a = {\"@type\"");
    check_line(&out, "kdt a\\x0a = 1.0 ");
    check_line(&out, "idx 1.0 ");
    check_line(&out, "exp 1800000000.500000000 = a\\x0a\n");
    check_line(&out, "exp 1800000000.500000000 is the end of a\\x0a\n");
    assert_false(has(&out, "damaged"));
    CHECK_OK(sti_docs_write_begin(&w, k->db, &err), &err);
    for (int b = STI_DOCS_TNO; b < STI_DOCS_CFL; b++) {
        CHECK_OK(
                sti_docs_put(&w, (enum sti_docs_bucket)b, stele_str("zz"), stele_str("\x07"), &err),
                &err);
    }
    CHECK_OK(sti_docs_put(&w, STI_DOCS_EXP, stele_str("zz"), stele_str("\x07"), &err), &err);
    CHECK_OK(sti_docs_write_end(&w, STELE_OK, &err), &err);
    dump(k, &out);
    check_line(&out, "tno damaged: zz = \\x07\n");
    check_line(&out, "seq damaged: zz = \\x07\n");
    check_line(&out, "log damaged: zz = \\x07\n");
    check_line(&out, "lid damaged: zz = \\x07\n");
    check_line(&out, "chk damaged: zz = \\x07\n");
    check_line(&out, "agg damaged: zz = \\x07\n");
    check_line(&out, "nfo damaged: zz = \\x07\n");
    check_line(&out, "kdt damaged: zz = \\x07\n");
    check_line(&out, "idx damaged: zz = \\x07\n");
    check_line(&out, "exp damaged: zz = \\x07\n");
    CHECK_CODE(stele_docs_debug_dump(k->db, refuse, &calls, &err), STELE_ENOSPC);
    assert_int_equal(calls, 1);
    stele_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_lines, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
