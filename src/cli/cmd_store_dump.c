/* SPDX-License-Identifier: MIT
 *
 * cmd_store_dump.c: `stele store dump`, `hash`.
 */
#include "cli/cmd_store.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/word.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- dump ---- */

struct dumping {
    stele_store_read *read;
    stele_bytes bucket;
    bool any; /* pair of it was printed */
};

static stele_code dump_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct dumping *d = arg;
    struct sti_json j = sti_json_begin(stdout);

    sti_json_bytes(&j, "bucket", d->bucket);
    sti_json_bytes(&j, "key", key);
    sti_json_bytes(&j, "value", value);
    sti_json_end(&j);
    d->any = true;
    return ferror(stdout) == 0 ? STELE_OK : sti_finish_output(err);
}

static stele_code dump_bucket(void *arg, stele_bytes bucket, stele_error *err)
{
    struct dumping *d = arg;
    struct sti_json j;
    stele_code code;

    d->bucket = bucket;
    d->any = false;
    code = stele_store_read_for_each(d->read, bucket, dump_pair, d, err);
    if (code == STELE_OK && !d->any) {
        j = sti_json_begin(stdout);
        sti_json_bytes(&j, "bucket", bucket);
        sti_json_end(&j);
    }
    return code;
}

static stele_code dump_lines(const struct sti_run *run, stele_error *err)
{
    struct dumping d = {.any = false};
    stele_store *s = NULL;
    stele_code code = sti_store_begin_reader(run, &s, &d.read, err);

    if (code == STELE_OK) {
        code = stele_store_read_buckets(d.read, dump_bucket, &d, err);
        sti_store_end_reader(s, d.read);
    }
    return code;
}

static stele_code dump_bbolt(const struct sti_run *run, stele_error *err)
{
    const struct sti_store_args *args = run->args;
    stele_store_contents contents = {0};
    stele_store_bbolt_options opts;
    stele_store *s = NULL;
    stele_code code = sti_store_open_reader(run, &s, err);

    if (code != STELE_OK) {
        return code;
    }
    stele_store_bbolt_options_init(&opts);
    opts.sha256 = args->sha256;
    code = stele_store_export_bbolt(s, args->bbolt, &opts, &contents, err);
    code = sti_store_done(s, code, err);
    if (code == STELE_OK) {
        sti_print_ok(run->json, false);
        if (!run->json) {
            sti_row_uint("buckets", contents.buckets);
            sti_row_uint("keys", contents.keys);
        }
    }
    return code;
}

stele_code sti_store_dump_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_store_args *args = run->args;

    if (args->bbolt == NULL && args->sha256) {
        return sti_cli_fail(err, STELE_EINVAL, "--sha256 belongs to --bbolt");
    }
    return args->bbolt == NULL ? dump_lines(run, err) : dump_bbolt(run, err);
}

/* ---- hash ---- */

/* What is to be left out, and the memory of what was decoded. */
struct ignored {
    stele_store_ignore_key *keys;
    uint8_t **owned; /* two for each */
    char **names;
    size_t count;
};

static void free_ignored(struct ignored *ig)
{
    for (size_t i = 0; i < ig->count; i++) {
        free(ig->owned[2 * i]);
        free(ig->owned[2 * i + 1]);
        free(ig->names[i]);
    }
    free(ig->keys);
    free((void *)ig->owned);
    free((void *)ig->names);
}

/* BUCKET/KEY: the first slash is between them. */
static stele_code add_ignored(struct ignored *ig, const char *text, stele_error *err)
{
    const char *slash = strchr(text, '/');
    struct sti_data bucket = {false, {NULL, 0}, NULL};
    struct sti_data key = {false, {NULL, 0}, NULL};
    stele_code code;
    char *name;

    if (slash == NULL) {
        return sti_cli_fail(err, STELE_EINVAL, "option --ignore: '%.64s' is not BUCKET/KEY", text);
    }
    name = strndup(text, (size_t)(slash - text));
    if (name == NULL) {
        return sti_cli_fail(err, STELE_ENOMEM, "no memory for a name");
    }
    code = sti_parse_data(name, &bucket, err);
    code = code == STELE_OK ? sti_parse_data(slash + 1, &key, err) : code;
    ig->names[ig->count] = name;
    ig->owned[2 * ig->count] = bucket.owned;
    ig->owned[2 * ig->count + 1] = key.owned;
    ig->keys[ig->count++] = (stele_store_ignore_key){bucket.bytes, key.bytes};
    return code == STELE_OK ? code : sti_cli_wrap(err, code, "option --ignore");
}

static stele_code parse_ignored(const struct sti_texts *texts, struct ignored *ig, stele_error *err)
{
    stele_code code = STELE_OK;

    memset(ig, 0, sizeof *ig);
    ig->keys = calloc(texts->count + 1, sizeof *ig->keys);
    ig->owned = calloc(2 * texts->count + 1, sizeof *ig->owned);
    ig->names = calloc(texts->count + 1, sizeof *ig->names);
    if (ig->keys == NULL || ig->owned == NULL || ig->names == NULL) {
        return sti_cli_fail(err, STELE_ENOMEM, "no memory for %zu keys", texts->count);
    }
    for (size_t i = 0; i < texts->count && code == STELE_OK; i++) {
        code = add_ignored(ig, texts->items[i], err);
    }
    return code;
}

static void print_hash(const struct sti_run *run, uint32_t hash)
{
    char text[16];
    struct sti_json j;

    (void)snprintf(text, sizeof text, "%08" PRIx32, hash);
    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_text(&j, "hash", text);
        sti_json_end(&j);
    } else {
        (void)puts(text);
    }
}

stele_code sti_store_hash_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_store_args *args = run->args;
    stele_store_ignore_list list;
    stele_store_hash_options opts;
    stele_store *s = NULL;
    struct ignored ig;
    uint32_t hash = 0;
    stele_code code = parse_ignored(&args->ignore, &ig, err);

    if (code == STELE_OK) {
        code = sti_store_open_reader(run, &s, err);
    }
    if (code == STELE_OK) {
        list = (stele_store_ignore_list){ig.keys, ig.count};
        stele_store_hash_options_init(&opts);
        opts.ignore = ig.count == 0 ? NULL : stele_store_ignore_listed;
        opts.ignore_arg = &list;
        opts.names_only = args->names_only;
        code = sti_store_done(s, stele_store_hash(s, &opts, &hash, err), err);
    }
    if (code == STELE_OK) {
        print_hash(run, hash);
    }
    free_ignored(&ig);
    return code;
}
