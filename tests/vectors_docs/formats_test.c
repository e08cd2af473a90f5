/* SPDX-License-Identifier: MIT
 *
 * formats_test.c: entries, checkpoints, types and backups that the reference wrote are read, and
 * written again byte for byte.
 */
#include "base/sha256.h"
#include "docs/cdbk_check.h"
#include "docs/checkpoint.h"
#include "docs/entry.h"
#include "docs/info.h"
#include "docs/type.h"
#include "unit/docs_formats/kit.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#define VECTORS STELE_TESTS_DIR "/vectors/clouddb/"

enum {
    LINE_SIZE = 1 << 16,
    BYTES_SIZE = LINE_SIZE / 2
};

static size_t from_hex(uint8_t *out, const char *hex)
{
    size_t len = strlen(hex) / 2;

    for (size_t i = 0; i < len; i++) {
        unsigned byte;

        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        out[i] = (uint8_t)byte;
    }
    return len;
}

static stele_bytes hex_member(const json_t *line, const char *name, uint8_t out[BYTES_SIZE])
{
    const char *hex = json_string_value(json_object_get(line, name));

    assert_non_null(hex);
    return stele_bytes_of(out, from_hex(out, hex));
}

static int64_t number_member(const json_t *line, const char *name)
{
    const json_t *value = json_object_get(line, name);

    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

/* Calls `check` with each line of a file of the vectors. */
static unsigned each_line(const char *name, void (*check)(const json_t *line))
{
    static char line[LINE_SIZE];
    FILE *f = fopen(name, "r");
    unsigned lines = 0;

    assert_non_null(f);
    for (; fgets(line, sizeof line, f) != NULL; lines++) {
        json_t *json = json_loads(line, 0, NULL);

        assert_non_null(json);
        check(json);
        json_decref(json);
    }
    (void)fclose(f);
    return lines;
}

/* What of an entry of the reference is none here: no ID, before 1970, a set without a document, a
 * kind that is not known. */
static stele_code expected_code(const json_t *line)
{
    const char *id = json_string_value(json_object_get(line, "id"));
    const char *data = json_string_value(json_object_get(line, "data"));
    int64_t type = number_member(line, "type");

    if (type > 1) {
        return STELE_EVERSION;
    }
    return id[0] == 0 || number_member(line, "unix") < 0 || (type == 0 && data[0] == 0)
                   ? STELE_ECORRUPT
                   : STELE_OK;
}

static void check_written(const struct sti_docs_entry *e, stele_bytes bytes, stele_bytes sha256,
        stele_bytes storage_key)
{
    uint8_t hash[STI_DOCS_HASH_SIZE];
    stele_buf buf;

    stele_buf_init(&buf, BYTES_SIZE);
    CHECK_OK(sti_docs_entry_encode(e, &buf, NULL), NULL);
    CHECK_BYTES(stele_buf_view(&buf), bytes);
    CHECK_OK(sti_docs_entry_hash(e, hash, NULL), NULL);
    CHECK_BYTES(stele_bytes_of(hash, sizeof hash), sha256);
    stele_buf_clear(&buf);
    CHECK_OK(stele_buf_append(&buf, stele_str("log"), NULL), NULL);
    CHECK_OK(sti_docs_log_key_encode(e->version, e->id, &buf, NULL), NULL);
    CHECK_BYTES(stele_buf_view(&buf), storage_key);
    stele_buf_free(&buf);
}

static void check_entry(const json_t *line)
{
    static uint8_t memory[4][BYTES_SIZE];
    stele_bytes bytes = hex_member(line, "bytes", memory[0]);
    stele_bytes sha256 = hex_member(line, "sha256", memory[1]);
    stele_bytes storage_key = hex_member(line, "storage_key", memory[2]);
    const char *data = json_string_value(json_object_get(line, "data"));
    stele_code expected = expected_code(line);
    struct sti_docs_entry e;
    uint8_t hash[STI_SHA256_SIZE];

    CHECK_OK(sti_sha256(&bytes, 1, hash, NULL), NULL);
    CHECK_BYTES(stele_bytes_of(hash, sizeof hash), sha256);
    CHECK_CODE(sti_docs_entry_decode(&e, bytes, NULL), expected);
    if (expected != STELE_OK) {
        return;
    }
    assert_int_equal(e.version.seconds, number_member(line, "unix"));
    assert_int_equal(e.version.ns, number_member(line, "nano"));
    assert_int_equal(e.version.server, number_member(line, "srvid"));
    assert_int_equal(e.is_delete, number_member(line, "type"));
    CHECK_BYTES(e.id, hex_member(line, "id", memory[3]));
    assert_int_equal(e.json.len, strlen(data));
    assert_memory_equal(e.json.data, data, strlen(data));
    check_written(&e, bytes, sha256, storage_key);
}

static void test_entries(void **state)
{
    (void)state;
    assert_int_equal(each_line(VECTORS "log_entries.jsonl", check_entry), 10);
}

static void check_checkpoint(const json_t *line)
{
    static uint8_t memory[2][BYTES_SIZE];
    stele_bytes bytes = hex_member(line, "bytes", memory[0]);
    uint8_t again[STI_DOCS_CHECKPOINT_SIZE];
    struct sti_docs_checkpoint c;

    CHECK_OK(sti_docs_checkpoint_get(&c, bytes, NULL), NULL);
    assert_int_equal(c.epoch, number_member(line, "epoch"));
    assert_int_equal(c.count, number_member(line, "logcnt"));
    assert_int_equal(c.total, number_member(line, "totlogcnt"));
    CHECK_BYTES(stele_bytes_of(c.sum, sizeof c.sum), hex_member(line, "logsum", memory[1]));
    sti_docs_checkpoint_put(again, &c);
    CHECK_BYTES(stele_bytes_of(again, sizeof again), bytes);
}

static void test_checkpoints(void **state)
{
    (void)state;
    assert_int_equal(each_line(VECTORS "checkpoints.jsonl", check_checkpoint), 7);
}

static void load(const char *name, struct kit_pipe *out)
{
    static uint8_t bytes[BYTES_SIZE];
    FILE *f = fopen(name, "rb");

    assert_non_null(f);
    kit_pipe_init(out, stele_bytes_of(bytes, fread(bytes, 1, sizeof bytes, f)));
    (void)fclose(f);
}

/* Documents in the order of the pairs. */
struct docs {
    FILE *lines;
    unsigned count;
};

static void check_document(struct docs *docs, const struct sti_docs_cdbk_pair *p)
{
    static char line[LINE_SIZE];
    static uint8_t id[BYTES_SIZE];
    json_t *json;

    assert_non_null(fgets(line, sizeof line, docs->lines));
    json = json_loads(line, 0, NULL);
    assert_non_null(json);
    CHECK_BYTES(p->key, hex_member(json, "id", id));
    CHECK_BYTES(p->value, stele_str(json_string_value(json_object_get(json, "json"))));
    json_decref(json);
    docs->count++;
}

/* The types of the reference are written as it wrote them, and so hash alike. */
static void check_type(const struct sti_docs_cdbk_pair *p)
{
    struct sti_docs_type *type = NULL;
    stele_buf buf;
    stele_error err;

    stele_buf_init(&buf, STI_DOCS_TYPE_SIZE_MAX);
    CHECK_OK(sti_docs_type_parse(&type, p->value, &err), &err);
    CHECK_OK(sti_docs_type_write(type, &buf, &err), &err);
    CHECK_BYTES(stele_buf_view(&buf), p->value);
    stele_buf_free(&buf);
    sti_docs_type_free(type);
}

static void check_info(const struct sti_docs_cdbk_pair *p)
{
    struct sti_docs_info info;
    stele_buf buf;

    stele_buf_init(&buf, BYTES_SIZE);
    CHECK_OK(sti_docs_info_decode(&info, p->value, NULL), NULL);
    CHECK_OK(sti_docs_info_encode(&info, &buf, NULL), NULL);
    CHECK_BYTES(stele_buf_view(&buf), p->value);
    sti_docs_info_free(&info);
    stele_buf_free(&buf);
}

static void check_pair(struct docs *docs, const struct sti_docs_cdbk_pair *p)
{
    if (p->section == STI_DOCS_CDBK_TYPE) {
        check_type(p);
    } else if (p->section == STI_DOCS_CDBK_INFO) {
        check_info(p);
    } else if (p->section == STI_DOCS_CDBK_DATA) {
        check_document(docs, p);
    }
}

/* Read, check and write a backup; what was written is in `out`. */
static struct sti_docs_cdbk_summary copy(struct kit_pipe *in, struct kit_pipe *out,
        const struct sti_docs_cdbk_write_options *opts, struct docs *docs)
{
    struct sti_docs_cdbk_reader *reader = NULL;
    struct sti_docs_cdbk_writer *writer = NULL;
    struct sti_docs_cdbk_check *check = NULL;
    struct sti_docs_cdbk_summary summary;
    struct sti_docs_cdbk_pair p;
    stele_error err;
    stele_code rc = STELE_OK;

    in->at = 0;
    kit_pipe_init(out, stele_nil());
    CHECK_OK(sti_docs_cdbk_reader_new(&reader, kit_pipe_read, in, false, &err), &err);
    CHECK_OK(sti_docs_cdbk_writer_new(&writer, kit_pipe_write, out, opts, &err), &err);
    CHECK_OK(sti_docs_cdbk_check_new(&check, &err), &err);
    while ((rc = sti_docs_cdbk_reader_next(reader, &p, &err)) == STELE_OK) {
        CHECK_OK(sti_docs_cdbk_check_add(check, &p, &err), &err);
        CHECK_OK(sti_docs_cdbk_writer_add(writer, &p, &err), &err);
        if (docs != NULL) {
            check_pair(docs, &p);
        }
    }
    CHECK_CODE(rc, STELE_END);
    CHECK_OK(sti_docs_cdbk_check_end(check, &err), &err);
    CHECK_OK(sti_docs_cdbk_writer_end(writer, &summary, &err), &err);
    summary = sti_docs_cdbk_reader_summary(reader);
    sti_docs_cdbk_check_free(check);
    sti_docs_cdbk_reader_free(reader);
    sti_docs_cdbk_writer_free(writer);
    return summary;
}

static void test_backup(void **state)
{
    const struct sti_docs_cdbk_write_options plain = {.zstd_level = 0};
    const struct sti_docs_cdbk_write_options ours = {.zstd_level = 3, .manifest = true};
    struct docs docs = {.lines = fopen(VECTORS "backup/docs.jsonl", "r")};
    struct sti_docs_cdbk_summary summary;
    struct kit_pipe full;
    struct kit_pipe again;
    struct kit_pipe packed;

    (void)state;
    assert_non_null(docs.lines);
    load(VECTORS "backup/full.cdbk", &full);
    summary = copy(&full, &again, &plain, &docs);
    CHECK_BYTES(stele_bytes_of(again.data, again.len), stele_bytes_of(full.data, full.len));
    assert_int_equal(summary.pairs, 262);
    assert_int_equal(summary.size, full.len);
    assert_false(summary.has_manifest);
    assert_int_equal(docs.count, 80);
    assert_int_equal(fgetc(docs.lines), EOF);
    (void)fclose(docs.lines);
    kit_pipe_free(&again);
    /* Into our own form and back. */
    (void)copy(&full, &packed, &ours, NULL);
    assert_true(packed.len < full.len / 4);
    summary = copy(&packed, &again, &plain, NULL);
    assert_true(summary.has_manifest);
    assert_true(summary.is_compressed);
    CHECK_BYTES(stele_bytes_of(again.data, again.len), stele_bytes_of(full.data, full.len));
    kit_pipe_free(&full);
    kit_pipe_free(&again);
    kit_pipe_free(&packed);
}

static void test_empty_backup(void **state)
{
    const struct sti_docs_cdbk_write_options plain = {.zstd_level = 0};
    struct kit_pipe empty;
    struct kit_pipe again;

    (void)state;
    load(VECTORS "backup/empty.cdbk", &empty);
    assert_int_equal(copy(&empty, &again, &plain, NULL).pairs, 0);
    CHECK_BYTES(stele_bytes_of(again.data, again.len), stele_bytes_of(empty.data, empty.len));
    kit_pipe_free(&empty);
    kit_pipe_free(&again);
}

/* Whether a backup is refused when one thing of its pairs is otherwise. */
struct damage {
    unsigned pair;     /* which one */
    bool drop;         /* it is not there */
    size_t key_flip;   /* byte of the key, from 1 */
    size_t value_flip; /* byte of the value, from 1 */
    const char *message;
};

static void is_seen(struct kit_pipe *full, const struct damage *d)
{
    static uint8_t memory[2][BYTES_SIZE];
    struct sti_docs_cdbk_reader *reader = NULL;
    struct sti_docs_cdbk_check *check = NULL;
    struct sti_docs_cdbk_pair p;
    stele_error err = {.message = ""};
    stele_code rc = STELE_OK;

    full->at = 0;
    CHECK_OK(sti_docs_cdbk_reader_new(&reader, kit_pipe_read, full, false, &err), &err);
    CHECK_OK(sti_docs_cdbk_check_new(&check, &err), &err);
    for (unsigned i = 0; rc == STELE_OK; i++) {
        rc = sti_docs_cdbk_reader_next(reader, &p, NULL);
        if (rc != STELE_OK || (i == d->pair && d->drop)) {
            continue;
        }
        memcpy(memory[0], p.key.data, p.key.len);
        memcpy(memory[1], p.value.data, p.value.len);
        if (i == d->pair && d->key_flip != 0) {
            memory[0][d->key_flip - 1] ^= 1;
        }
        if (i == d->pair && d->value_flip != 0) {
            memory[1][d->value_flip - 1] ^= 1;
        }
        p.key.data = memory[0];
        p.value.data = memory[1];
        rc = sti_docs_cdbk_check_add(check, &p, &err);
    }
    if (rc == STELE_END) {
        rc = sti_docs_cdbk_check_end(check, &err);
    }
    if (rc == STELE_OK) {
        fail_msg("not seen: %s", d->message);
    }
    CHECK_MESSAGE_HAS(&err, d->message);
    sti_docs_cdbk_reader_free(reader);
    sti_docs_cdbk_check_free(check);
}

static void test_damaged_backup(void **state)
{
    /* 3 types, 7 checkpoints, 92 entries, 80 versions, 80 documents. */
    static const struct damage damages[] = {
            {0, false, 1, 0, "the type \"nokeys\" is under another name"},
            {1, false, 0, 1, "the definition of a type is not JSON"},
            {3, false, 8, 0, "the checkpoint of epoch 19801 is under another one"},
            {3, false, 0, 20, "counts 20 entries, and there are 21"},
            {3, false, 0, 60, "the checkpoint of epoch 19801 is that of other entries"},
            {3, true, 0, 0, "an entry of epoch 19801, which has no checkpoint"},
            {10, true, 0, 0, "counts 21 entries, and there are 20"},
            {10, false, 17, 0, "an entry is under the key of another"},
            {10, false, 0, 24, "an entry is under the key of another"},
            {10, false, 0, 40, "the checkpoint of epoch 19801 is that of other entries"},
            {102, true, 0, 0, "the IDs that have a version"},
            {102, false, 0, 10, "nanoseconds"},
            {182, true, 0, 0, "the IDs that have a version"},
            {182, false, 1, 0, "the IDs that have a version"},
    };
    struct kit_pipe full;

    (void)state;
    load(VECTORS "backup/full.cdbk", &full);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        is_seen(&full, &damages[i]);
    }
    kit_pipe_free(&full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_entries),
            cmocka_unit_test(test_checkpoints),
            cmocka_unit_test(test_backup),
            cmocka_unit_test(test_empty_backup),
            cmocka_unit_test(test_damaged_backup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
