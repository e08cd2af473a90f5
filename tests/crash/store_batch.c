/* SPDX-License-Identifier: MIT
 *
 * store_batch.c: one batch of a workload, into a store.
 */
#include "crash/store_run.h"

#include <stdlib.h>

struct writer {
    stele_store_batch *batch;
    stele_error *err;
    uint8_t key[SCRIPT_KEY_SIZE];
    uint8_t value[SCRIPT_VALUE_SIZE];
};

static int on_create(void *arg, unsigned bucket)
{
    struct writer *w = arg;

    return stele_store_batch_create_bucket(w->batch, stele_str(script_bucket(bucket)), w->err);
}

static int on_drop(void *arg, unsigned bucket)
{
    struct writer *w = arg;

    return stele_store_batch_delete_bucket(w->batch, stele_str(script_bucket(bucket)), w->err);
}

static int on_put(void *arg, unsigned bucket, unsigned key, const struct script_cell *cell)
{
    struct writer *w = arg;

    return stele_store_batch_put(w->batch, stele_str(script_bucket(bucket)),
            script_key(key, w->key), script_value(cell, w->value), w->err);
}

static int on_remove(void *arg, unsigned bucket, unsigned key)
{
    struct writer *w = arg;

    return stele_store_batch_delete(
            w->batch, stele_str(script_bucket(bucket)), script_key(key, w->key), w->err);
}

stele_code store_batch_finish(stele_store_batch *batch, char end, stele_error *err)
{
    stele_code code;

    switch (end) {
    case '!':
        return stele_store_batch_end_durable(batch, err);
    case '+':
        return stele_store_batch_commit_and_stop(batch, err);
    case '~':
        code = stele_store_batch_commit(batch, err);
        stele_store_batch_abort(batch);
        return code;
    case '-':
        stele_store_batch_abort(batch);
        return STELE_OK;
    default:
        return stele_store_batch_end(batch, err);
    }
}

stele_code store_batch_fill(stele_store_batch *batch, char kind, uint64_t number, stele_error *err)
{
    struct writer *w = malloc(sizeof *w);
    const struct script_sink sink = {on_create, on_drop, on_put, on_remove, w};
    stele_code code;

    if (w == NULL) {
        abort();
    }
    w->batch = batch;
    w->err = err;
    code = (stele_code)script_write(kind, number, &sink);
    free(w);
    return code;
}

stele_code store_batch(stele_store *s, char kind, char end, uint64_t number, stele_error *err)
{
    stele_store_batch *batch = NULL;
    stele_code code = stele_store_batch_begin(&batch, s, NULL, err);

    if (code != STELE_OK) {
        return code;
    }
    code = store_batch_fill(batch, kind, number, err);
    if (code != STELE_OK) {
        stele_store_batch_abort(batch);
        return code;
    }
    return store_batch_finish(batch, end, err);
}
