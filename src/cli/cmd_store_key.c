/* SPDX-License-Identifier: MIT
 *
 * cmd_store_key.c: `stele store put`, `get`, `del`.
 */
#include "cli/cmd_store.h"
#include "cli/output.h"
#include "cli/word.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BUCKET_AT = 1, /* among the operands */
    KEY_AT = 2,
    VALUE_AT = 3
};

/* Bucket and key. */
struct place {
    struct sti_data bucket;
    struct sti_data key;
};

static stele_code parse_place(const struct sti_run *run, struct place *place, stele_error *err)
{
    stele_code code;

    memset(place, 0, sizeof *place);
    code = sti_store_operand(run, BUCKET_AT, &place->bucket, err);
    return code == STELE_OK ? sti_store_operand(run, KEY_AT, &place->key, err) : code;
}

static void free_place(struct place *place)
{
    free(place->bucket.owned);
    free(place->key.owned);
}

/* ---- put ---- */

static stele_code put(
        const struct sti_run *run, const struct place *place, stele_bytes value, stele_error *err)
{
    stele_store_batch *batch = NULL;
    stele_store *s = NULL;
    stele_code code = sti_store_open_writer(run, STI_STORE_CREATE, &s, err);

    if (code != STELE_OK) {
        return code;
    }
    code = stele_store_batch_begin(&batch, s, NULL, err);
    if (code == STELE_OK) {
        code = stele_store_batch_create_bucket(batch, place->bucket.bytes, err);
        if (code == STELE_OK) {
            code = stele_store_batch_put(batch, place->bucket.bytes, place->key.bytes, value, err);
        }
        if (code == STELE_OK) {
            code = stele_store_batch_commit_and_stop(batch, err);
        } else {
            stele_store_batch_abort(batch);
        }
    }
    return sti_store_done(s, code, err);
}

/* What is wrong with the arguments is found before anything is made. */
stele_code sti_store_put_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_operands *operands = run->operands;
    const bool from_input =
            operands->count <= VALUE_AT || strcmp(operands->items[VALUE_AT], "-") == 0;
    struct sti_data value = {false, {NULL, 0}, NULL};
    struct place place;
    stele_buf input;
    stele_code code = parse_place(run, &place, err);

    stele_buf_init(&input, STELE_STORE_VALUE_MAX);
    if (code == STELE_OK && from_input) {
        code = sti_read_input(&input, "a value", err);
        value.bytes = stele_buf_view(&input);
    } else if (code == STELE_OK) {
        code = sti_store_operand(run, VALUE_AT, &value, err);
    }
    if (code == STELE_OK) {
        code = put(run, &place, value.bytes, err);
    }
    if (code == STELE_OK) {
        sti_print_ok(run->json, false);
    }
    stele_buf_free(&input);
    free(value.owned);
    free_place(&place);
    return code;
}

/* ---- get ---- */

static void print_pair(const struct sti_run *run, const struct place *place, stele_bytes value)
{
    struct sti_json j;

    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_bytes(&j, "bucket", place->bucket.bytes);
        sti_json_bytes(&j, "key", place->key.bytes);
        sti_json_bytes(&j, "value", value);
        sti_json_end(&j);
        return;
    }
    /* Byte for byte what was put, but on a terminal it is to end its line. */
    sti_print_bytes(value);
    if (isatty(STDOUT_FILENO) == 1) {
        (void)putchar('\n');
    }
}

stele_code sti_store_get_verb(const struct sti_run *run, stele_error *err)
{
    stele_store_read *read = NULL;
    stele_store *s = NULL;
    stele_bytes value;
    struct place place;
    stele_code code = parse_place(run, &place, err);

    if (code == STELE_OK) {
        code = sti_store_begin_reader(run, &s, &read, err);
    }
    if (code == STELE_OK) {
        code = stele_store_read_get(read, place.bucket.bytes, place.key.bytes, &value, err);
        if (code == STELE_OK) {
            print_pair(run, &place, value);
        }
        sti_store_end_reader(s, read);
    }
    free_place(&place);
    return code;
}

/* ---- del ---- */

static stele_code del(const struct sti_run *run, const struct place *place, stele_error *err)
{
    stele_store_batch *batch = NULL;
    stele_store *s = NULL;
    stele_code code = sti_store_open_writer(run, STI_STORE_MUST_EXIST, &s, err);

    if (code != STELE_OK) {
        return code;
    }
    code = stele_store_batch_begin(&batch, s, NULL, err);
    if (code == STELE_OK) {
        code = stele_store_batch_delete(batch, place->bucket.bytes, place->key.bytes, err);
        if (code == STELE_OK) {
            code = stele_store_batch_commit_and_stop(batch, err);
        } else {
            stele_store_batch_abort(batch);
        }
    }
    return sti_store_done(s, code, err);
}

/* Whether it could be deleted: a key that is not there can. */
static stele_code try_del(const struct sti_run *run, const struct place *place, stele_error *err)
{
    stele_store_read *read = NULL;
    stele_store *s = NULL;
    uint64_t keys = 0;
    stele_code code = sti_store_begin_reader(run, &s, &read, err);

    if (code == STELE_OK) {
        code = stele_store_read_count(read, place->bucket.bytes, &keys, err);
        sti_store_end_reader(s, read);
    }
    return code;
}

stele_code sti_store_del_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_store_args *args = run->args;
    struct place place;
    stele_code code = parse_place(run, &place, err);

    if (code == STELE_OK) {
        code = args->common.dry_run ? try_del(run, &place, err) : del(run, &place, err);
    }
    if (code == STELE_OK) {
        sti_print_ok(run->json, args->common.dry_run);
    }
    free_place(&place);
    return code;
}
