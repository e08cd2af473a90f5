/* SPDX-License-Identifier: MIT
 *
 * backup_test.c: backups of the reference restored, and written again; damage to them.
 */
#include "docs/cdbk.h"
#include "docs/version.h"
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#define BACKUPS STELE_TESTS_DIR "/vectors/clouddb/backup/"

/* ---- Streams in memory. ---- */

struct stream {
    stele_buf bytes;
    size_t at;
};

static void stream_init(struct stream *s)
{
    s->at = 0;
    stele_buf_init(&s->bytes, SIZE_MAX);
}

static stele_code stream_write(void *arg, const void *data, size_t len, stele_error *err)
{
    struct stream *s = arg;

    return stele_buf_append(&s->bytes, stele_bytes_of(data, len), err);
}

static stele_code stream_read(void *arg, void *data, size_t len, size_t *got, stele_error *err)
{
    struct stream *s = arg;
    size_t left = s->bytes.len - s->at;

    (void)err;
    *got = len < left ? len : left;
    if (*got > 0) {
        memcpy(data, s->bytes.data + s->at, *got);
        s->at += *got;
    }
    return STELE_OK;
}

static void stream_load(struct stream *s, const char *path)
{
    char part[4096];
    size_t got;
    FILE *file = fopen(path, "rb");

    assert_non_null(file);
    stream_init(s);
    while ((got = fread(part, 1, sizeof part, file)) > 0) {
        CHECK_OK(stele_buf_append(&s->bytes, stele_bytes_of(part, got), NULL), NULL);
    }
    assert_int_equal(fclose(file), 0);
}

/* ---- The reference's. ---- */

static void reopen_empty(struct kit *k)
{
    kit_close(k);
    tmpdir_remove(&k->tmp);
    tmpdir_make(&k->tmp);
    kit_open(k);
}

/* An ID in hex; valid until the next call. */
static stele_bytes id_of(const char *hex)
{
    static uint8_t id[256];
    size_t len = strlen(hex) / 2;

    assert_true(len <= sizeof id);
    for (size_t i = 0; i < len; i++) {
        const char pair[] = {hex[2 * i], hex[2 * i + 1], 0};

        id[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return stele_bytes_of(id, len);
}

/* Lines of an ID and its JSON are all that there is. */
static void check_documents(struct kit *k, const char *path)
{
    struct stream s;
    size_t count = 0;
    size_t there = 0;
    stele_docs_iter *it = NULL;
    stele_error err;

    stream_load(&s, path);
    CHECK_OK(stele_buf_append(&s.bytes, stele_bytes_of("", 1), &err), &err);
    for (char *line = (char *)s.bytes.data, *end; (end = strchr(line, '\n')) != NULL;
            line = end + 1) {
        json_t *value = json_loadb(line, (size_t)(end - line), JSON_ALLOW_NUL, NULL);
        const json_t *id = json_object_get(value, "id");
        const json_t *doc = json_object_get(value, "json");
        stele_buf got;

        assert_non_null(id);
        assert_non_null(doc);
        stele_buf_init(&got, SIZE_MAX);
        CHECK_OK(stele_docs_get(k->db, id_of(json_string_value(id)), &got, &err), &err);
        CHECK_BYTES(stele_buf_view(&got),
                stele_bytes_of(json_string_value(doc), json_string_length(doc)));
        stele_buf_free(&got);
        json_decref(value);
        count++;
    }
    CHECK_OK(stele_docs_range(&it, k->db, stele_nil(), stele_nil(), false, &err), &err);
    while (stele_docs_iter_next(it, NULL, NULL, &err) == STELE_OK) {
        there++;
    }
    stele_docs_iter_end(it);
    assert_int_equal(there, count);
    stele_buf_free(&s.bytes);
}

static void restore(struct kit *k, struct stream *s, bool manifest)
{
    stele_docs_backup_summary summary;
    stele_error err;

    s->at = 0;
    CHECK_OK(stele_docs_validate_backup(stream_read, s, manifest, &summary, &err), &err);
    s->at = 0;
    CHECK_OK(stele_docs_restore(k->db, stream_read, s, manifest, &summary, &err), &err);
    assert_int_equal(summary.has_manifest, manifest);
}

static void backup(struct kit *k, struct stream *s, int level, bool manifest)
{
    stele_docs_backup_options opts;
    stele_error err;

    stele_docs_backup_options_init(&opts);
    opts.zstd_level = level;
    opts.no_manifest = !manifest;
    stream_init(s);
    CHECK_OK(stele_docs_backup(k->db, &opts, stream_write, s, NULL, &err), &err);
}

static void test_reference(void **state)
{
    static const char *const names[] = {"full.cdbk", "empty.cdbk"};
    struct kit *k = *state;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[1024];
        struct stream s;
        struct stream again;

        (void)snprintf(path, sizeof path, "%s%s", BACKUPS, names[i]);
        stream_load(&s, path);
        reopen_empty(k);
        restore(k, &s, false);
        if (i == 0) {
            check_documents(k, BACKUPS "docs.jsonl");
        }
        backup(k, &again, 0, false);
        CHECK_BYTES(stele_buf_view(&again.bytes), stele_buf_view(&s.bytes));
        stele_buf_free(&s.bytes);
        stele_buf_free(&again.bytes);
    }
}

/* ---- Ours. ---- */

#define TYPE \
    "{'name':'t','keys':[{'name':'u','fields':['u'],'method':'utf8','unique':true}],'version':1}"

static void fill(struct kit *k)
{
    kit_register(k, TYPE);
    kit_set(k, "a", "{'@type':'t','u':'x'}");
    kit_set(k, "b", "{'@type':'t','u':'y'}");
    k->now += (stele_time)86400 * 1000000;
    kit_delete(k, "a");
    kit_set(k, "c", "{'@type':'t','u':'X'}");
    kit_set(k, "c", "{'@type':'t','u':'X','n':1}");
}

static void test_round(void **state)
{
    struct kit *k = *state;
    struct stream plain;
    struct stream packed;
    struct stream again;
    stele_docs_version version;
    stele_docs_version before;
    bool deleted = false;
    stele_error err;

    fill(k);
    CHECK_OK(stele_docs_version_of(k->db, stele_str("c"), &before, &deleted, &err), &err);
    backup(k, &plain, 0, true);
    backup(k, &packed, 3, true);
    CHECK_CODE(stele_docs_restore(k->db, stream_read, &plain, true, NULL, &err), STELE_ESTATE);
    for (int i = 0; i < 2; i++) {
        reopen_empty(k);
        restore(k, i == 0 ? &plain : &packed, true);
        kit_check_all(k, "b c");
        kit_check_match(k, "t", "{'u':'x'}", "c");
        CHECK_CODE(kit_try_set(k, "a", "{'@type':'t','u':'x'}", &err), STELE_ECONFLICT);
        CHECK_OK(stele_docs_version_of(k->db, stele_str("a"), &version, &deleted, &err), &err);
        assert_true(deleted);
        backup(k, &again, 0, true);
        CHECK_BYTES(stele_buf_view(&again.bytes), stele_buf_view(&plain.bytes));
        stele_buf_free(&again.bytes);
        k->now = KIT_NOW;
        assert_true(kit_compare_versions(before, kit_set(k, "c", "{}")) < 0);
    }
    stele_buf_free(&plain.bytes);
    stele_buf_free(&packed.bytes);
}

static void add_pair(struct sti_docs_cdbk_writer *writer, enum sti_docs_cdbk_section section,
        const char *key, stele_bytes value)
{
    struct sti_docs_cdbk_pair pair = {.section = section, .key = stele_str(key), .value = value};
    stele_error err;

    CHECK_OK(sti_docs_cdbk_writer_add(writer, &pair, &err), &err);
}

/* Documents without their entries, as a log that was cut off leaves them. */
static void write_unlogged(struct stream *s)
{
    const struct sti_docs_cdbk_write_options opts = {.manifest = true};
    struct sti_docs_cdbk_writer *writer = NULL;
    struct sti_docs_cdbk_summary summary;
    uint8_t versions[2][STI_DOCS_VERSION_SIZE];
    stele_error err;

    stream_init(s);
    sti_docs_version_put(versions[0], (struct sti_docs_version){2000, 5, 7});
    sti_docs_version_put(versions[1], (struct sti_docs_version){1000, 5, 7});
    CHECK_OK(sti_docs_cdbk_writer_new(&writer, stream_write, s, &opts, &err), &err);
    add_pair(writer, STI_DOCS_CDBK_INFO, "a", stele_bytes_of(versions[0], sizeof versions[0]));
    add_pair(writer, STI_DOCS_CDBK_INFO, "b", stele_bytes_of(versions[1], sizeof versions[1]));
    add_pair(writer, STI_DOCS_CDBK_DATA, "a", kit_json("{'@type':'t','u':'x'}"));
    add_pair(writer, STI_DOCS_CDBK_DATA, "b", kit_json("{'@type':'t','u':'X'}"));
    CHECK_OK(sti_docs_cdbk_writer_end(writer, &summary, &err), &err);
    sti_docs_cdbk_writer_free(writer);
}

static stele_code count_entries(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    int *count = arg;

    (void)err;
    assert_false(entry->is_delete);
    ++*count;
    return STELE_OK;
}

static void test_unlogged(void **state)
{
    struct kit *k = *state;
    struct stream s;
    struct stream again;
    int count = 0;
    stele_error err;

    write_unlogged(&s);
    restore(k, &s, true);
    kit_check_all(k, "a b");
    backup(k, &again, 0, true);
    CHECK_BYTES(stele_buf_view(&again.bytes), stele_buf_view(&s.bytes));
    kit_register(k, TYPE);
    kit_check_match(k, "t", "{'u':'x'}", "b");
    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
    kit_set(k, "b", "{'@type':'t','u':'x','n':2}");
    kit_check_match(k, "t", "{'u':'x'}", "b");
    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
    CHECK_OK(stele_docs_reindex(k->db, &err), &err);
    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
    kit_check_match(k, "t", "{'u':'x'}", "b");
    CHECK_OK(stele_docs_history(k->db, stele_str("b"), count_entries, &count, &err), &err);
    assert_int_equal(count, 2);
    stele_buf_free(&s.bytes);
    stele_buf_free(&again.bytes);
}

/* Whatever byte is another one, or where the stream ends: nothing is restored. */
static void test_damage(void **state)
{
    struct kit *k = *state;
    struct stream s;
    stele_error err;

    fill(k);
    backup(k, &s, 0, true);
    reopen_empty(k);
    for (size_t at = 0; at < s.bytes.len; at++) {
        size_t len = s.bytes.len;

        s.bytes.data[at] ^= 0x10;
        s.at = 0;
        assert_true(stele_docs_restore(k->db, stream_read, &s, true, NULL, &err) < 0);
        s.bytes.data[at] ^= 0x10;
        s.bytes.len = at;
        s.at = 0;
        assert_true(stele_docs_restore(k->db, stream_read, &s, true, NULL, &err) < 0);
        s.bytes.len = len;
    }
    kit_check_all(k, "");
    CHECK_CODE(stele_docs_type(k->db, "t", &s.bytes, &err), STELE_ETYPE);
    restore(k, &s, true);
    kit_check_all(k, "b c");
    kit_check_match(k, "t", "{'u':'x'}", "c");
    stele_buf_free(&s.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_reference, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_round, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_unlogged, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_damage, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
