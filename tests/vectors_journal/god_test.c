/* SPDX-License-Identifier: MIT
 *
 * god_test.c: the operations of tests/vectors/god, logged, played and merged here, and what the
 * reference made of them.
 *
 * Where the reference is wrong, and Stele differs:
 *
 *   - its encoding (gob) turns what is empty into nil: an empty key, subkey or value comes back as
 *     nil, and (tree3, "") becomes the plain key tree3. Here they stay apart.
 *   - of two snapshots it takes the oldest, and then logs that the newer one stands for.
 *   - a torn tail makes it panic.
 */
#include "journal/merge.h"
#include "journal/play.h"
#include "lib/check.h"
#include "lib/tmpdir.h"
#include "unit/journal/kit.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

enum {
    OPS_MAX = 32,
    SETTINGS_MAX = 4,
    LINE_MAX = 512,
    OPS_IN = 16
};

/* Operations with bytes of their own. */
struct ops {
    size_t count;
    stele_journal_op list[OPS_MAX];
    stele_journal_setting settings[OPS_MAX][SETTINGS_MAX];
    uint8_t *bytes[OPS_MAX * 8];
    size_t byte_count;
};

static void ops_free(struct ops *ops)
{
    for (size_t i = 0; i < ops->byte_count; i++) {
        free(ops->bytes[i]);
    }
    memset(ops, 0, sizeof *ops);
}

static stele_bytes keep(struct ops *ops, stele_bytes b)
{
    uint8_t *copy;

    if (stele_is_nil(b)) {
        return b;
    }
    copy = malloc(b.len + 1);
    assert_non_null(copy);
    memcpy(copy, b.data, b.len);
    ops->bytes[ops->byte_count++] = copy;
    return stele_bytes_of(copy, b.len);
}

static void keep_op(struct ops *ops, const stele_journal_op *op)
{
    stele_journal_op *to = &ops->list[ops->count];

    assert_true(ops->count < OPS_MAX && op->setting_count <= SETTINGS_MAX);
    *to = *op;
    to->key = keep(ops, op->key);
    to->subkey = keep(ops, op->subkey);
    to->value = keep(ops, op->value);
    to->settings = ops->settings[ops->count];
    for (size_t i = 0; i < op->setting_count; i++) {
        ops->settings[ops->count][i].name = keep(ops, op->settings[i].name);
        ops->settings[ops->count][i].value = keep(ops, op->settings[i].value);
    }
    ops->count++;
}

/* ---- The files. ---- */

/* Hex, or null. */
static stele_bytes parse_hex(const json_t *value, uint8_t *room)
{
    const char *hex = json_string_value(value);
    size_t len;

    if (json_is_null(value)) {
        return stele_nil();
    }
    assert_non_null(hex);
    len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        room[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return stele_bytes_of(room, len);
}

static stele_journal_kind kind_of(const json_t *line)
{
    if (json_is_true(json_object_get(line, "put"))) {
        return STELE_JOURNAL_PUT;
    }
    if (json_is_true(json_object_get(line, "clear"))) {
        return STELE_JOURNAL_CLEAR;
    }
    return json_is_object(json_object_get(line, "conf")) ? STELE_JOURNAL_CONFIG
                                                         : STELE_JOURNAL_DELETE;
}

static void parse_line(struct ops *ops, json_t *line)
{
    stele_journal_setting settings[SETTINGS_MAX];
    uint8_t room[3][LINE_MAX];
    stele_journal_op op = {.kind = kind_of(line),
            .timestamp = json_integer_value(json_object_get(line, "ts")),
            .key = parse_hex(json_object_get(line, "key"), room[0]),
            .subkey = parse_hex(json_object_get(line, "subkey"), room[1]),
            .value = parse_hex(json_object_get(line, "value"), room[2]),
            .settings = settings};
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(line, "conf"), name, value)
    {
        assert_true(op.setting_count < SETTINGS_MAX);
        settings[op.setting_count].name = stele_str(name);
        settings[op.setting_count++].value = stele_str(json_string_value(value));
    }
    keep_op(ops, &op);
}

static void read_ops(struct ops *ops, const char *name)
{
    char path[TMPDIR_PATH_SIZE];
    char text[LINE_MAX];
    FILE *f;

    memset(ops, 0, sizeof *ops);
    (void)snprintf(path, sizeof path, "%s/vectors/god/%s", STELE_TESTS_DIR, name);
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(text, sizeof text, f) != NULL) {
        json_t *line = json_loads(text, 0, NULL);

        assert_non_null(line);
        parse_line(ops, line);
        json_decref(line);
    }
    assert_int_equal(fclose(f), 0);
}

/* ---- Comparing. ---- */

static stele_bytes as_gob(stele_bytes b)
{
    return b.len == 0 ? stele_nil() : b;
}

/* Equal, or equal after gob. */
static bool equal(const stele_journal_op *a, const stele_journal_op *b, bool gob)
{
    bool same = a->kind == b->kind && a->timestamp == b->timestamp &&
                a->setting_count == b->setting_count;

    same = same && stele_bytes_equal(gob ? as_gob(a->key) : a->key, b->key) &&
           stele_bytes_equal(gob ? as_gob(a->subkey) : a->subkey, b->subkey) &&
           stele_bytes_equal(gob ? as_gob(a->value) : a->value, b->value);
    for (size_t i = 0; same && i < a->setting_count; i++) {
        same = stele_bytes_equal(a->settings[i].name, b->settings[i].name) &&
               stele_bytes_equal(a->settings[i].value, b->settings[i].value);
    }
    return same;
}

static void check_equal(const struct ops *a, const struct ops *b, bool gob)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_true(equal(&a->list[i], &b->list[i], gob));
    }
}

/* The same operations, in whatever order. */
static void check_same_set(const struct ops *a, const struct ops *b, bool gob)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        size_t found = 0;

        for (size_t j = 0; j < b->count; j++) {
            found += equal(&a->list[i], &b->list[j], gob) ? 1 : 0;
        }
        assert_int_equal(found, 1);
    }
}

/* ---- What is done here. ---- */

static stele_code take(void *arg, const stele_journal_op *op, stele_error *err)
{
    (void)err;
    keep_op(arg, op);
    return STELE_OK;
}

static void play(const struct tmpdir *t, struct ops *out, stele_journal_played *played)
{
    struct sti_journal_chain chain;
    struct sti_dir dir;
    stele_error err;

    memset(out, 0, sizeof *out);
    kit_dir(&dir, t);
    CHECK_OK(sti_journal_chain_load(&chain, &dir, STI_CHAIN_VERIFIED, false, &err), &err);
    CHECK_OK(sti_journal_play_chain(&chain, NULL, take, out, played, &err), &err);
    sti_journal_chain_free(&chain);
    sti_dir_close(&dir);
}

static void log_ops(const struct tmpdir *t, const struct ops *ops)
{
    struct kit_file f;

    kit_log(&f, 10, 1);
    for (size_t i = 0; i < ops->count; i++) {
        stele_error err;

        CHECK_OK(sti_journal_op_check(&ops->list[i], &err), &err);
        kit_op(&f, &ops->list[i]);
    }
    kit_write(&f, t);
}

static stele_code take_encoded(void *arg, stele_bytes encoded, stele_error *err)
{
    struct sti_journal_settings settings = {0};
    stele_journal_op op;

    CHECK_OK(sti_journal_op_decode(&op, encoded, &settings, err), err);
    keep_op(arg, &op);
    sti_journal_settings_free(&settings);
    return STELE_OK;
}

static void merge(const struct ops *ops, struct ops *out)
{
    static const uint64_t seed[2] = {5, 6};
    struct sti_journal_settings settings = {0};
    struct sti_journal_merge *m = NULL;
    stele_error err;

    memset(out, 0, sizeof *out);
    CHECK_OK(sti_journal_merge_new(&m, seed, true, &err), &err);
    for (size_t i = 0; i < ops->count; i++) {
        stele_journal_setting scratch[SETTINGS_MAX];
        stele_journal_op decoded;
        uint8_t bytes[LINE_MAX];
        stele_bytes encoded =
                stele_bytes_of(bytes, sti_journal_op_encode(bytes, &ops->list[i], scratch));

        CHECK_OK(sti_journal_op_decode(&decoded, encoded, &settings, &err), &err);
        CHECK_OK(sti_journal_merge_add(m, &decoded, encoded, &err), &err);
    }
    CHECK_OK(sti_journal_merge_settle(m, &err), &err);
    CHECK_OK(sti_journal_merge_each(m, take_encoded, out, &err), &err);
    sti_journal_merge_free(m);
    sti_journal_settings_free(&settings);
}

/* ---- Tests. ---- */

static void a_log_is_played(void **state)
{
    static struct ops in;
    static struct ops theirs;
    static struct ops ours;
    stele_journal_played played;
    struct tmpdir t;

    (void)state;
    tmpdir_make(&t);
    read_ops(&in, "ops_in.jsonl");
    assert_int_equal(in.count, OPS_IN);
    log_ops(&t, &in);
    play(&t, &ours, &played);
    check_equal(&ours, &in, false);
    read_ops(&theirs, "play_log.jsonl");
    check_equal(&ours, &theirs, true);
    assert_false(played.torn);
    ops_free(&ours);
    ops_free(&theirs);
    ops_free(&in);
    tmpdir_remove(&t);
}

/* The reference merged what its log gave it, and one more operation that made it do so. */
static void a_log_is_merged(void **state)
{
    static struct ops in;
    static struct ops theirs;
    static struct ops ours;
    stele_journal_op trigger = {.kind = STELE_JOURNAL_PUT,
            .timestamp = 17,
            .key = stele_str("trigger"),
            .value = stele_str("t")};

    (void)state;
    read_ops(&theirs, "play_snapshot.jsonl");
    read_ops(&in, "ops_in.jsonl");
    keep_op(&in, &trigger);
    merge(&in, &ours);
    check_same_set(&ours, &theirs, true);
    ops_free(&ours);
    ops_free(&in);
    /* From its own log, in which what was empty is nil, nothing differs. */
    read_ops(&in, "play_log.jsonl");
    keep_op(&in, &trigger);
    merge(&in, &ours);
    check_same_set(&ours, &theirs, false);
    ops_free(&ours);
    ops_free(&in);
    /* A snapshot that is merged once more is the same, in the same order. */
    merge(&theirs, &in);
    merge(&in, &ours);
    check_equal(&ours, &in, false);
    ops_free(&ours);
    ops_free(&in);
    ops_free(&theirs);
}

static void name_one(
        const struct tmpdir *t, bool snap, uint64_t number, uint64_t op, const char *key)
{
    struct kit_file f;

    if (snap) {
        kit_snap(&f, number, op);
    } else {
        kit_log(&f, number, op);
    }
    kit_put(&f, key, "");
    if (snap) {
        kit_end(&f);
    } else {
        kit_seal(&f);
    }
    kit_write(&f, t);
}

/* "two_snapshots": there the oldest one is played. */
static void the_newest_snapshot(void **state)
{
    static struct ops ours;
    stele_journal_played played;
    struct tmpdir t;

    (void)state;
    tmpdir_make(&t);
    name_one(&t, true, 100, 1, "old");
    name_one(&t, false, 150, 2, "mid");
    name_one(&t, true, 200, 2, "new");
    name_one(&t, false, 250, 3, "x");
    play(&t, &ours, &played);
    assert_int_equal(ours.count, 2);
    CHECK_BYTES(ours.list[0].key, stele_str("new"));
    CHECK_BYTES(ours.list[1].key, stele_str("x"));
    assert_string_equal(played.snapshot, "200.snap");
    ops_free(&ours);
    tmpdir_remove(&t);
}

/* "torn_tail": there it panics. Here the operations before the cut are played. */
static void torn_tails(void **state)
{
    static const uint64_t cuts[] = {1, 5, 20};
    static struct ops in;
    static struct ops ours;
    stele_journal_played played;
    struct tmpdir t;

    (void)state;
    tmpdir_make(&t);
    read_ops(&in, "ops_in.jsonl");
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        log_ops(&t, &in);
        tmpdir_cut(&t, "10.log", tmpdir_size(&t, "10.log") - cuts[i]);
        play(&t, &ours, &played);
        in.count = OPS_IN - 1;
        check_equal(&ours, &in, false);
        in.count = OPS_IN;
        assert_true(played.torn);
        assert_string_equal(played.torn_file, "10.log");
        ops_free(&ours);
    }
    ops_free(&in);
    tmpdir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_log_is_played),
            cmocka_unit_test(a_log_is_merged),
            cmocka_unit_test(the_newest_snapshot),
            cmocka_unit_test(torn_tails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
