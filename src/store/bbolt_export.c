/* SPDX-License-Identifier: MIT
 *
 * bbolt_export.c: what a read sees, as a bbolt file.
 */
#include "base/env.h"
#include "base/error.h"
#include "store/bbolt_survey.h"
#include "store/bbolt_write.h"
#include "store/deadline.h"
#include "store/state.h"
#include "vfs/vfs.h"

void stele_store_bbolt_options_init_sized(stele_store_bbolt_options *opts, size_t struct_size)
{
    if (opts != NULL && struct_size >= sizeof opts->struct_size) {
        memset(opts, 0, struct_size);
        opts->struct_size = struct_size;
    }
}

struct output {
    stele_store_read *read;
    struct sti_bbolt_writer *writer;
    struct sti_deadline deadline;
    stele_store_contents total;
};

static stele_code on_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct output *o = arg;
    stele_code code = STELE_OK;

    if (o->total.keys % STI_DEADLINE_EVERY == 0) {
        code = sti_deadline_look(&o->deadline, err);
    }
    o->total.keys++;
    o->total.bytes += key.len + value.len;
    return code == STELE_OK ? sti_bbolt_put(o->writer, key, value, err) : code;
}

static stele_code on_bucket(void *arg, stele_bytes bucket, stele_error *err)
{
    struct output *o = arg;
    stele_code code = sti_bbolt_put_bucket(o->writer, bucket, err);

    o->total.buckets++;
    if (code == STELE_OK) {
        code = stele_store_read_for_each(o->read, bucket, on_pair, o, err);
    }
    return code == STELE_OK ? code : sti_store_wrap(err, code, bucket, stele_nil());
}

/* What is in the file is what was put, as far as counts say. */
static stele_code verify(struct sti_saving *v, const struct sti_deadline *deadline,
        const stele_store_contents *expected, stele_error *err)
{
    struct sti_bbolt_reader *r = NULL;
    stele_store_contents found;
    stele_code code = sti_bbolt_open(&r, &v->dir, v->temporary, err);

    code = code == STELE_OK ? sti_bbolt_survey(r, deadline, &found, err) : code;
    sti_bbolt_close(r);
    if (code == STELE_OK && (found.buckets != expected->buckets || found.keys != expected->keys ||
                                    found.bytes != expected->bytes)) {
        code = sti_fail(err, STELE_EIO, "what is read is not what was written");
    }
    return code;
}

static stele_code write_all(struct output *o, struct sti_saving *v,
        const stele_store_bbolt_options *options, stele_error *err)
{
    uint32_t page_size = options->page_size == 0 ? STI_BBOLT_PAGE_DEFAULT : options->page_size;
    stele_code code = sti_bbolt_begin(&o->writer, &v->file, page_size, err);

    code = code == STELE_OK ? stele_store_read_buckets(o->read, on_bucket, o, err) : code;
    code = code == STELE_OK ? sti_bbolt_end(o->writer, options->sha256, err) : code;
    sti_bbolt_writer_free(o->writer);
    return code == STELE_OK ? verify(v, &o->deadline, &o->total, err) : code;
}

stele_code stele_store_export_bbolt(stele_store *s, const char *path,
        const stele_store_bbolt_options *opts, stele_store_contents *out, stele_error *err)
{
    struct sti_saving v = {.name = NULL};
    struct output o = {.read = NULL};
    stele_store_bbolt_options options;
    stele_code code;

    if (s == NULL || path == NULL) {
        return sti_fail(err, STELE_EINVAL, "no store, or no path");
    }
    code = sti_options_copy(&options, sizeof options, opts, "stele_store_bbolt_options", err);
    if (code != STELE_OK) {
        return code;
    }
    o.deadline = sti_deadline_of(options.wait);
    code = sti_saving_begin(&v, path, &s->env, err);
    code = code == STELE_OK ? stele_store_read_begin(&o.read, s, err) : code;
    code = code == STELE_OK ? write_all(&o, &v, &options, err) : code;
    stele_store_read_end(o.read);
    code = code == STELE_OK ? sti_saving_keep(&v, err) : code;
    sti_saving_end(&v);
    if (code != STELE_OK) {
        return sti_wrap(err, code, "export to the bbolt file %s", path);
    }
    if (out != NULL) {
        *out = o.total;
    }
    return STELE_OK;
}
