/* SPDX-License-Identifier: MIT
 *
 * search_test.c: documents that were set at the reference, and the searches that it was asked.
 *
 * Which documents conflict with one that is there must come out the same. Of the searches the
 * answers must be the reference's own, but for what it gets wrong or does not offer: it answers
 * prefixes, takes 1 and "1" and true for the same, and knows no search by a part of a key.
 */
#include "docs/plan.h"
#include "docs/value.h"
#include "lib/check.h"

#include <stdio.h>
#include <stdlib.h>

#define VECTORS STELE_TESTS_DIR "/vectors/clouddb/search/"

enum {
    TYPES = 3,
    DOCS_MAX = 50,
    ROWS_MAX = 400
};

static const char *const definitions[TYPES] = {
        "{\"name\":\"test1\",\"keys\":["
        "{\"name\":\"foo\",\"fields\":[\"foo\"],\"method\":\"utf8\",\"unique\":true},"
        "{\"name\":\"bar\",\"fields\":[\"bar\"],\"method\":\"binary\"},"
        "{\"name\":\"hellobar\",\"fields\":[\"hello\",\"bar\"],\"method\":\"utf8\",\"unique\":true}],"
        "\"version\":0}",
        "{\"name\":\"user\",\"keys\":["
        "{\"name\":\"email\",\"fields\":[\"email\"],\"method\":\"utf8\",\"unique\":true},"
        "{\"name\":\"ref\",\"fields\":[\"ref\"],\"method\":\"binary\",\"unique\":true},"
        "{\"name\":\"grp\",\"fields\":[\"group\",\"level\"],\"method\":\"utf8\"},"
        "{\"name\":\"city\",\"fields\":[\"addr/city\"],\"method\":\"utf8\"},"
        "{\"name\":\"def\",\"fields\":[\"raw\"],\"method\":\"\"}],\"version\":3}",
        "{\"name\":\"nokeys\",\"keys\":null,\"version\":0}"};

struct row {
    stele_bytes key;
    const char *id;
};

struct index {
    struct sti_docs_collator *collator;
    struct sti_docs_type *types[TYPES];
    struct sti_docs_indexer indexers[TYPES];
    struct sti_docs_index_keys keys[DOCS_MAX];
    size_t count;
    stele_bytes claims[ROWS_MAX];
    size_t claim_count;
    struct row rows[ROWS_MAX];
    size_t row_count;
};

/* The lines of a file, in an array. */
static json_t *lines_of(const char *path)
{
    FILE *file = fopen(path, "r");
    json_t *lines = json_array();
    char line[8192];

    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        json_t *value = json_loads(line, JSON_ALLOW_NUL, NULL);

        assert_non_null(value);
        assert_int_equal(json_array_append_new(lines, value), 0);
    }
    assert_int_equal(fclose(file), 0);
    return lines;
}

static void index_open(struct index *index)
{
    stele_error err;

    CHECK_OK(sti_docs_collator_open(&index->collator, &err), &err);
    for (size_t i = 0; i < TYPES; i++) {
        CHECK_OK(sti_docs_type_parse(&index->types[i], stele_str(definitions[i]), &err), &err);
        CHECK_OK(sti_docs_indexer_init(&index->indexers[i], (uint32_t)i + 1, index->types[i],
                         index->collator, &err),
                &err);
    }
}

static void index_close(struct index *index)
{
    for (size_t i = 0; i < index->count; i++) {
        sti_docs_index_keys_free(&index->keys[i]);
    }
    for (size_t i = 0; i < TYPES; i++) {
        sti_docs_indexer_free(&index->indexers[i]);
        sti_docs_type_free(index->types[i]);
    }
    sti_docs_collator_close(index->collator);
}

/* NULL if it was not registered. */
static const struct sti_docs_indexer *indexer_of(const struct index *index, stele_bytes type)
{
    for (size_t i = 0; i < TYPES; i++) {
        if (stele_bytes_equal(type, stele_str(index->types[i]->name))) {
            return &index->indexers[i];
        }
    }
    return NULL;
}

static stele_bytes claim_of(const struct sti_docs_index_key *key)
{
    return stele_bytes_of(key->bytes.data, key->claim_len);
}

static bool conflicts(const struct index *index, const struct sti_docs_index_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        for (size_t c = 0; c < index->claim_count && keys->items[i].unique; c++) {
            if (stele_bytes_equal(index->claims[c], claim_of(&keys->items[i]))) {
                return true;
            }
        }
    }
    return false;
}

static void insert(struct index *index, const struct sti_docs_index_keys *keys, const char *id)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->items[i].unique) {
            index->claims[index->claim_count++] = claim_of(&keys->items[i]);
        }
        assert_true(index->row_count < ROWS_MAX);
        index->rows[index->row_count++] = (struct row){.key = keys->items[i].bytes, .id = id};
    }
}

/* Set a document as the reference did. */
static void set(struct index *index, const json_t *line)
{
    const struct sti_json_rules rules = {.size_max = 10000, .depth_max = 10};
    const char *id = json_string_value(json_object_get(line, "id"));
    const char *text = json_string_value(json_object_get(line, "doc"));
    const char *why = json_string_value(json_object_get(line, "err"));
    bool conflict = json_is_true(json_object_get(line, "conflict"));
    struct sti_docs_index_keys *keys = &index->keys[index->count];
    const struct sti_docs_indexer *indexer;
    json_t *document = NULL;
    stele_error err;
    stele_code rc = sti_docs_value_parse(stele_str(text), &rules, &document, &err);

    if (why != NULL && strncmp(why, "invalid object", 14) == 0) {
        CHECK_CODE(rc, STELE_EINVAL);
        return;
    }
    CHECK_OK(rc, &err);
    indexer = indexer_of(index, sti_docs_value_type(document));
    if (indexer == NULL) {
        assert_non_null(why); /* the reference does not take what has no definition */
        json_decref(document);
        return;
    }
    CHECK_OK(sti_docs_index_keys_fill(keys, indexer, document, stele_str(id), false, &err), &err);
    index->count++;
    if (conflicts(index, keys) != conflict) {
        fail_msg("%s: a conflict, or none", id);
    }
    if (!conflict) {
        insert(index, keys, id);
    }
    json_decref(document);
}

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;

    return stele_bytes_compare(x->key, y->key);
}

static void find(
        const struct index *index, const struct sti_docs_plan *plan, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < index->row_count; i++) {
        if (stele_bytes_compare(index->rows[i].key, stele_buf_view(&plan->start)) >= 0 &&
                stele_bytes_compare(index->rows[i].key, stele_buf_view(&plan->end)) < 0) {
            len += (size_t)snprintf(
                    out + len, size - len, "%s%s", len == 0 ? "" : " ", index->rows[i].id);
        }
    }
}

/* By the number of the line. "!": no key fits; "?": the type is not known; "=": as the reference.
 */
static const char *const answers[] = {"=", "=", "?", "s01", "s05", "=", "=", "=", "=", "=", "=",
        "s14", "s16", "=", "=", "", "=", "s02 s04 s26", "s03", "=", "=", "=", "", "s32", "", "=",
        "s23 s24 s21 s22", "!", "=", "=", "u05 u01 u02 u03", "=", "u02", ""};

static void check_line(const struct index *index, const json_t *line, const char *answer)
{
    const json_t *ids = json_object_get(line, "ids");
    const struct sti_docs_search search = {.match = json_object_get(line, "search")};
    const struct sti_docs_indexer *indexer =
            indexer_of(index, stele_str(json_string_value(json_object_get(line, "type"))));
    struct sti_docs_plan plan;
    stele_error err;
    char found[1000];
    char theirs[1000] = "";

    if (strcmp(answer, "?") == 0) {
        assert_null(indexer);
        return;
    }
    assert_non_null(indexer);
    if (strcmp(answer, "!") == 0) {
        CHECK_CODE(sti_docs_plan_make(&plan, indexer, &search, &err), STELE_EINVAL);
        assert_true(json_is_string(json_object_get(line, "err")));
        return;
    }
    CHECK_OK(sti_docs_plan_make(&plan, indexer, &search, &err), &err);
    find(index, &plan, found, sizeof found);
    for (size_t i = 0, len = 0; i < json_array_size(ids); i++) {
        len += (size_t)snprintf(theirs + len, sizeof theirs - len, "%s%s", len == 0 ? "" : " ",
                json_string_value(json_array_get(ids, i)));
    }
    assert_string_equal(found, strcmp(answer, "=") == 0 ? theirs : answer);
    sti_docs_plan_free(&plan);
}

static void test_table(void **state)
{
    static struct index index;
    json_t *docs = lines_of(VECTORS "docs_in.jsonl");
    json_t *table = lines_of(VECTORS "table.jsonl");

    (void)state;
    assert_int_equal(json_array_size(table), sizeof answers / sizeof answers[0]);
    index_open(&index);
    for (size_t i = 0; i < json_array_size(docs); i++) {
        set(&index, json_array_get(docs, i));
    }
    qsort(index.rows, index.row_count, sizeof index.rows[0], compare_rows);
    for (size_t i = 0; i < json_array_size(table); i++) {
        print_message("line %zu\n", i);
        check_line(&index, json_array_get(table, i), answers[i]);
    }
    index_close(&index);
    json_decref(docs);
    json_decref(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
