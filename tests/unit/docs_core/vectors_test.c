/* SPDX-License-Identifier: MIT
 *
 * vectors_test.c: documents and searches of the reference. Where it answers whatever begins like
 * what was searched for, ours answers what is equal: of its answers just those, which a look at
 * every document finds as well.
 */
#include "docs/collate.h"
#include "docs/path.h"
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#define SEARCHES STELE_TESTS_DIR "/vectors/clouddb/search/"

enum {
    DOCS_MAX = 64,
    LINES_MAX = 128
};

static const char *const types[] = {
        "{'name':'nokeys','keys':null,'version':0}",
        "{'name':'test1','keys':[{'name':'foo','fields':['foo'],'method':'utf8','unique':true},"
        "{'name':'bar','fields':['bar'],'method':'binary'},"
        "{'name':'hellobar','fields':['hello','bar'],'method':'utf8','unique':true}],'version':0}",
        "{'name':'user','keys':[{'name':'email','fields':['email'],'method':'utf8','unique':true},"
        "{'name':'ref','fields':['ref'],'method':'binary','unique':true},"
        "{'name':'grp','fields':['group','level'],'method':'utf8'},"
        "{'name':'city','fields':['addr/city'],'method':'utf8'},"
        "{'name':'def','fields':['raw'],'method':''}],'version':3}",
};

/* What the reference took, in the order of the IDs. */
struct taken {
    json_t *lines[DOCS_MAX];
    json_t *documents[DOCS_MAX];
    size_t count;
    struct sti_docs_collator *collator;
};

/* The lines of a file as JSON values. */
static size_t load_lines(const char *path, json_t *lines[LINES_MAX])
{
    static char line[8192];
    size_t count = 0;
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        assert_true(count < LINES_MAX);
        lines[count] = json_loads(line, JSON_ALLOW_NUL, NULL);
        assert_non_null(lines[count]);
        count++;
    }
    assert_int_equal(fclose(file), 0);
    return count;
}

static const char *text_at(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name));
}

/* Set a document; what the reference refuses for its type is kept here. */
static void set_line(struct kit *k, struct taken *taken, json_t *line)
{
    const char *err = text_at(line, "err");
    const char *id = text_at(line, "id");
    stele_bytes doc = stele_str(text_at(line, "doc"));
    stele_error why;
    stele_code rc = stele_docs_set(k->db, stele_str(id), doc, NULL, &why);

    if (json_is_true(json_object_get(line, "conflict"))) {
        assert_int_equal(rc, STELE_ECONFLICT);
    } else if (err != NULL && strstr(err, "file does not exist") == NULL) {
        assert_int_equal(rc, STELE_EINVAL);
    } else {
        CHECK_OK(rc, &why);
        assert_true(taken->count < DOCS_MAX);
        taken->lines[taken->count] = line;
        taken->documents[taken->count] = json_loads((const char *)doc.data, JSON_ALLOW_NUL, NULL);
        assert_non_null(taken->documents[taken->count]);
        taken->count++;
        return;
    }
    json_decref(line);
}

static bool loosely_equal(const struct taken *taken, const json_t *a, const json_t *b)
{
    stele_buf keys[2];
    bool equal;

    for (int i = 0; i < 2; i++) {
        const json_t *value = i == 0 ? a : b;

        stele_buf_init(&keys[i], SIZE_MAX);
        CHECK_OK(sti_docs_collator_key(taken->collator,
                         stele_bytes_of(json_string_value(value), json_string_length(value)),
                         &keys[i], NULL),
                NULL);
    }
    equal = keys[0].len == keys[1].len && memcmp(keys[0].data, keys[1].data, keys[0].len) == 0;
    stele_buf_free(&keys[0]);
    stele_buf_free(&keys[1]);
    return equal;
}

/* `raw`, `ref`, and `bar` by itself are compared by their bytes. */
static bool is_exact(const char *path, const json_t *search)
{
    return strcmp(path, "raw") == 0 || strcmp(path, "ref") == 0 ||
           (strcmp(path, "bar") == 0 && json_object_size(search) == 1);
}

static bool fits(const struct taken *taken, const json_t *document, json_t *search)
{
    const char *name;
    json_t *wanted;

    json_object_foreach(search, name, wanted)
    {
        struct sti_docs_path path;
        const json_t *there;
        bool equal;

        CHECK_OK(sti_docs_path_compile(&path, name, NULL), NULL);
        there = sti_docs_path_find(&path, document);
        sti_docs_path_free(&path);
        if (there == NULL) {
            return false;
        }
        if (json_is_number(there) && json_is_number(wanted)) {
            equal = !(json_number_value(there) < json_number_value(wanted)) &&
                    !(json_number_value(there) > json_number_value(wanted));
        } else if (json_is_string(there) && json_is_string(wanted) && !is_exact(name, search)) {
            equal = loosely_equal(taken, there, wanted);
        } else {
            equal = json_equal(there, wanted) != 0;
        }
        if (!equal) {
            return false;
        }
    }
    return true;
}

static bool has_id(const json_t *ids, const char *id)
{
    for (size_t i = 0; i < json_array_size(ids); i++) {
        if (strcmp(json_string_value(json_array_get(ids, i)), id) == 0) {
            return true;
        }
    }
    return false;
}

/* What a row should find, "a b c"; the reference found all of it, too. */
static void expect(const struct taken *taken, const json_t *row, char *out, size_t size)
{
    json_t *search = json_object_get(row, "search");

    out[0] = '\0';
    for (size_t i = 0; i < taken->count; i++) {
        const char *id = text_at(taken->lines[i], "id");
        const char *type = text_at(taken->documents[i], "@type");

        if (type != NULL && strcmp(type, text_at(row, "type")) == 0 &&
                fits(taken, taken->documents[i], search)) {
            assert_true(has_id(json_object_get(row, "ids"), id));
            (void)snprintf(
                    out + strlen(out), size - strlen(out), "%s%s", out[0] == '\0' ? "" : " ", id);
        }
    }
}

static void check_row(struct kit *k, const struct taken *taken, const json_t *row)
{
    char *text = json_dumps(json_object_get(row, "search"), 0);
    char ids[1024];
    stele_docs_search search;

    assert_non_null(text);
    stele_docs_search_init(&search);
    search.type = text_at(row, "type");
    search.match = stele_str(text);
    if (text_at(row, "err") == NULL) {
        expect(taken, row, ids, sizeof ids);
        kit_check_search(k, &search, ids);
    } else {
        stele_docs_iter *it = NULL;
        stele_code rc = stele_docs_search_begin(&it, k->db, &search, NULL);

        /* A leading part of a key's fields is enough here. */
        assert_int_equal(rc, search.type[0] == '\0' ? STELE_ETYPE
                             : json_object_size(json_object_get(row, "search")) == 1
                                     ? STELE_OK
                                     : STELE_EINVAL);
        stele_docs_iter_end(it);
    }
    free(text);
}

static void test_searches(void **state)
{
    struct kit *k = *state;
    static json_t *lines[LINES_MAX];
    struct taken taken = {.count = 0};
    size_t count;

    CHECK_OK(sti_docs_collator_open(&taken.collator, NULL), NULL);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        kit_register(k, types[i]);
    }
    count = load_lines(SEARCHES "docs_in.jsonl", lines);
    assert_int_equal(count, 45);
    for (size_t i = 0; i < count; i++) {
        set_line(k, &taken, lines[i]);
    }
    count = load_lines(SEARCHES "table.jsonl", lines);
    assert_true(count > 30);
    for (size_t i = 0; i < count; i++) {
        check_row(k, &taken, lines[i]);
        json_decref(lines[i]);
    }
    for (size_t i = 0; i < taken.count; i++) {
        json_decref(taken.lines[i]);
        json_decref(taken.documents[i]);
    }
    sti_docs_collator_close(taken.collator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_searches, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
