/* SPDX-License-Identifier: MIT
 *
 * bbolt_import.c: what a bbolt file holds, put into a store.
 *
 * The file is read twice: to its end before anything is put, and then for the puts, a batch of some
 * thousand at a time. It is locked meanwhile, as bbolt locks it, and verified again as it is read.
 */
#include "base/alloc.h"
#include "base/env.h"
#include "base/error.h"
#include "store/bbolt_survey.h"
#include "store/state.h"
#include "vfs/vfs.h"

enum {
    BATCH_PAIRS = 4096,
    BATCH_BYTES = 8 << 20
};

/* ---- The first time. ---- */

static stele_code survey_bucket(struct sti_bbolt_reader *r, const struct sti_deadline *deadline,
        stele_store_contents *total, stele_error *err)
{
    stele_bytes key = stele_nil();
    stele_bytes value = stele_nil();
    stele_code code = STELE_OK;

    while (code == STELE_OK) {
        if (total->keys % STI_DEADLINE_EVERY == 0) {
            code = sti_deadline_look(deadline, err);
        }
        code = code == STELE_OK ? sti_bbolt_next_entry(r, &key, &value, err) : code;
        code = code == STELE_OK ? sti_store_check_key(key, err) : code;
        code = code == STELE_OK ? sti_store_check_value(value, err) : code;
        if (code == STELE_OK) {
            total->keys++;
            total->bytes += key.len + value.len;
        }
    }
    return code == STELE_END ? STELE_OK : code;
}

stele_code sti_bbolt_survey(struct sti_bbolt_reader *r, const struct sti_deadline *deadline,
        stele_store_contents *out, stele_error *err)
{
    stele_store_contents total = {.buckets = 0};
    stele_bytes name;
    stele_code code;

    while ((code = sti_bbolt_next_bucket(r, &name, err)) == STELE_OK) {
        total.buckets++;
        if (name.len > STELE_STORE_BUCKET_MAX) {
            return sti_fail(err, STELE_ETOOBIG, "the name of a bucket has %zu bytes, more than %d",
                    name.len, STELE_STORE_BUCKET_MAX);
        }
        code = survey_bucket(r, deadline, &total, err);
        if (code != STELE_OK) {
            return sti_store_wrap(err, code, name, stele_nil());
        }
    }
    code = code == STELE_END ? STELE_OK : code;
    if (code == STELE_OK && sti_bbolt_info(r).knows_unused) {
        code = sti_bbolt_check_unused(r, err);
    }
    if (code == STELE_OK) {
        *out = total;
    }
    return code;
}

/* ---- The second time. ---- */

struct input {
    stele_store *s;
    struct sti_bbolt_reader *reader;
    const stele_store_bbolt_options *options;
    struct sti_deadline deadline;
    stele_store_batch *batch; /* NULL: none is open */
    uint64_t pairs;           /* in it */
    uint64_t bytes;
};

static stele_code end_batch(struct input *in, stele_error *err)
{
    stele_store_batch *batch = in->batch;

    in->batch = NULL;
    in->pairs = 0;
    in->bytes = 0;
    return batch == NULL ? STELE_OK : stele_store_batch_end(batch, err);
}

/* A batch with room for more. */
static stele_code ready(struct input *in, stele_error *err)
{
    stele_code code = STELE_OK;

    if (!in->options->atomic && (in->pairs >= BATCH_PAIRS || in->bytes >= BATCH_BYTES)) {
        code = end_batch(in, err);
    }
    if (code == STELE_OK && in->batch == NULL) {
        code = sti_deadline_look(&in->deadline, err);
    }
    if (code == STELE_OK && in->batch == NULL) {
        code = stele_store_batch_begin(&in->batch, in->s, in->options->wait, err);
    }
    return code;
}

static stele_code put_bucket(struct input *in, stele_bytes name, stele_error *err)
{
    stele_bytes key = stele_nil();
    stele_bytes value = stele_nil();
    stele_code code = ready(in, err);

    code = code == STELE_OK ? stele_store_batch_create_bucket(in->batch, name, err) : code;
    while (code == STELE_OK) {
        code = sti_bbolt_next_entry(in->reader, &key, &value, err);
        code = code == STELE_OK ? ready(in, err) : code;
        if (code == STELE_OK) {
            code = stele_store_batch_put_seq(in->batch, name, key, value, err);
            in->pairs++;
            in->bytes += key.len + value.len;
        }
    }
    return code == STELE_END ? STELE_OK : sti_store_wrap(err, code, name, stele_nil());
}

static stele_code put_all(struct input *in, stele_error *err)
{
    stele_bytes name;
    stele_code code;

    while ((code = sti_bbolt_next_bucket(in->reader, &name, err)) == STELE_OK) {
        code = put_bucket(in, name, err);
        if (code != STELE_OK) {
            break;
        }
    }
    code = code == STELE_END ? end_batch(in, err) : code;
    if (code != STELE_OK) {
        stele_store_batch_abort(in->batch);
        return code;
    }
    return stele_store_commit(in->s, err);
}

/* ---- Both. ---- */

/* Before the first one is closed, and its lock gone. */
static stele_code open_again(
        struct sti_bbolt_reader **r, struct sti_dir *dir, const char *name, stele_error *err)
{
    struct sti_bbolt_reader *first = *r;
    stele_code code = sti_bbolt_open(r, dir, name, err);

    sti_bbolt_close(first);
    *r = code == STELE_OK ? *r : NULL;
    return code;
}

static stele_code import(struct input *in, struct sti_dir *dir, const char *name,
        stele_store_contents *total, stele_error *err)
{
    stele_code code = sti_bbolt_open(&in->reader, dir, name, err);

    if (code == STELE_OK && sti_bbolt_info(in->reader).one_meta) {
        sti_env_log(&in->s->env, STELE_LOG_WARN,
                "%s: one of its two meta pages is damaged: a later state may be lost", name);
    }
    code = code == STELE_OK ? sti_bbolt_survey(in->reader, &in->deadline, total, err) : code;
    code = code == STELE_OK ? open_again(&in->reader, dir, name, err) : code;
    code = code == STELE_OK ? put_all(in, err) : code;
    sti_bbolt_close(in->reader);
    return code;
}

stele_code stele_store_import_bbolt(stele_store *s, const char *path,
        const stele_store_bbolt_options *opts, stele_store_contents *out, stele_error *err)
{
    struct input in = {.s = s};
    struct sti_dir dir = {.raw = NULL};
    stele_store_bbolt_options options;
    stele_store_contents total = {.buckets = 0};
    char *name = NULL;
    stele_code code;

    if (s == NULL || path == NULL) {
        return sti_fail(err, STELE_EINVAL, "no store, or no path");
    }
    if (s->options.read_only) {
        return sti_fail(err, STELE_EREADONLY, "the store is open for reading alone");
    }
    code = sti_options_copy(&options, sizeof options, opts, "stele_store_bbolt_options", err);
    if (code != STELE_OK) {
        return code;
    }
    in.options = &options;
    in.deadline = sti_deadline_of(options.wait);
    code = sti_open_dir_of(&dir, &name, path, &s->env, err);
    code = code == STELE_OK ? import(&in, &dir, name, &total, err) : code;
    sti_dir_close(&dir);
    sti_free(name);
    if (code != STELE_OK) {
        return sti_wrap(err, code, "import the bbolt file %s", path);
    }
    if (out != NULL) {
        *out = total;
    }
    return STELE_OK;
}
