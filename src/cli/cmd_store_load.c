/* SPDX-License-Identifier: MIT
 *
 * cmd_store_load.c: `stele store load`: JSON lines, or a bbolt file, into a store.
 *
 * Lines go into batches of some hundred (intake.h), which are committed in the end, or into a
 * single one with --atomic: then a bad line, like any other failure, leaves nothing of them.
 */
#include "cli/cmd_store.h"
#include "cli/intake.h"
#include "cli/json_in.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/word.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_COUNT = 1000,
    BATCH_SIZE = 1 << 20 /* bytes of lines */
};

struct loader {
    stele_store *s;
    bool atomic;
    stele_store_batch *batch; /* NULL: there is none open */
    struct sti_intake intake;
    size_t count; /* of lines in the batch, and */
    size_t size;  /* their bytes */
};

/* What a line says. */
struct entry {
    struct sti_data bucket;
    struct sti_data key;
    struct sti_data value;
};

/* ---- Lines. ---- */

static stele_code read_fields(const struct sti_object *o, struct entry *e, stele_error *err)
{
    static const char *const names[] = {
            "bucket", "bucket_b64", "key", "key_b64", "value", "value_b64"};
    stele_code code = sti_object_only(o, names, sizeof names / sizeof names[0], err);

    if (code == STELE_OK) {
        code = sti_object_bytes(o, "bucket", &e->bucket, err);
    }
    if (code == STELE_OK) {
        code = sti_object_bytes(o, "key", &e->key, err);
    }
    return code == STELE_OK ? sti_object_bytes(o, "value", &e->value, err) : code;
}

static stele_code check_fields(const struct entry *e, stele_error *err)
{
    if (!e->bucket.given) {
        return sti_cli_fail(err, STELE_EINVAL, "no \"bucket\"");
    }
    if (e->key.given && !e->value.given) {
        return sti_cli_fail(err, STELE_EINVAL, "a \"key\", and no \"value\"");
    }
    if (e->value.given && !e->key.given) {
        return sti_cli_fail(err, STELE_EINVAL, "a \"value\", and no \"key\"");
    }
    return STELE_OK;
}

/* A failure of the library leaves the batch as it was: nothing of the line is in it. */
static stele_code put(struct loader *l, const struct entry *e, stele_error *err)
{
    stele_code code = STELE_OK;

    /* Before the bucket is made, since both or none are. */
    if (e->key.bytes.len > STELE_STORE_KEY_MAX) {
        return sti_cli_fail(err, STELE_ETOOBIG, "a key of %zu bytes; the longest is %zu",
                e->key.bytes.len, STELE_STORE_KEY_MAX);
    }
    if (l->batch == NULL) {
        code = stele_store_batch_begin(&l->batch, l->s, NULL, err);
    }
    if (code == STELE_OK) {
        code = stele_store_batch_create_bucket(l->batch, e->bucket.bytes, err);
    }
    if (code == STELE_OK && e->key.given) {
        code = stele_store_batch_put(l->batch, e->bucket.bytes, e->key.bytes, e->value.bytes, err);
    }
    return code;
}

static stele_code add_line(void *arg, stele_bytes line, stele_error *err)
{
    struct loader *l = arg;
    struct sti_object o = {NULL};
    struct entry e;
    stele_code code = sti_object_parse(line, &o, err);

    memset(&e, 0, sizeof e);
    code = code == STELE_OK ? read_fields(&o, &e, err) : code;
    code = code == STELE_OK ? check_fields(&e, err) : code;
    code = code == STELE_OK ? put(l, &e, err) : code;
    if (code == STELE_OK) {
        l->count++;
        l->size += line.len;
    }
    free(e.bucket.owned);
    free(e.key.owned);
    free(e.value.owned);
    sti_object_free(&o);
    return code;
}

/* ---- Batches. ---- */

static bool is_full(const void *arg)
{
    const struct loader *l = arg;

    return !l->atomic && (l->count >= BATCH_COUNT || l->size >= BATCH_SIZE);
}

static stele_code end_batch(void *arg, stele_error *err)
{
    struct loader *l = arg;
    stele_store_batch *batch = l->batch;

    if (l->atomic || batch == NULL) {
        return STELE_OK;
    }
    l->batch = NULL;
    l->count = 0;
    l->size = 0;
    return stele_store_batch_end(batch, err);
}

static void print_nothing(const void *arg)
{
    (void)arg;
}

static const struct sti_intake_calls calls = {
        .add = add_line,
        .is_full = is_full,
        .write = end_batch,
        .print = print_nothing,
};

static stele_code load_lines(struct loader *l, stele_error *err)
{
    static const struct sti_number no_ack = {false, 0};
    stele_code code;

    sti_intake_init(&l->intake, &calls, l, &no_ack);
    code = sti_intake_run(&l->intake, "loaded", err);
    if (l->batch != NULL && l->atomic && code >= STELE_OK) {
        code = stele_store_batch_commit_and_stop(l->batch, err);
    } else if (l->batch != NULL) {
        stele_store_batch_abort(l->batch);
    }
    sti_intake_free(&l->intake);
    return code;
}

/* ---- The verb. ---- */

static stele_code load_bbolt(
        const struct sti_store_args *args, stele_store *s, uint64_t *keys, stele_error *err)
{
    stele_store_contents contents = {0};
    stele_store_bbolt_options opts;
    stele_code code;

    stele_store_bbolt_options_init(&opts);
    opts.atomic = args->atomic;
    code = stele_store_import_bbolt(s, args->bbolt, &opts, &contents, err);
    *keys = contents.keys;
    return code;
}

static void print_summary(const struct sti_run *run, const char *what, uint64_t count)
{
    sti_print_ok(run->json, false);
    if (!run->json) {
        sti_row_uint(what, count);
    }
}

stele_code sti_store_load_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_store_args *args = run->args;
    struct loader l = {.atomic = args->atomic};
    uint64_t keys = 0;
    stele_code code = sti_store_open_writer(run, STI_STORE_CREATE, &l.s, err);

    if (code != STELE_OK) {
        return code;
    }
    code = args->bbolt == NULL ? load_lines(&l, err) : load_bbolt(args, l.s, &keys, err);
    code = sti_store_done(l.s, code, err);
    if (code >= STELE_OK && args->bbolt != NULL) {
        print_summary(run, "keys", keys);
    } else if (code >= STELE_OK) {
        print_summary(run, "lines", (uint64_t)l.intake.written);
    }
    return code < STELE_OK ? code : STELE_OK;
}
