/* SPDX-License-Identifier: MIT
 *
 * cmd_store_range.c: `stele store range`, `buckets`.
 */
#include "cli/cmd_store.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/word.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUCKET_AT = 1, /* among the operands */
    START_AT = 2,
    END_AT = 3,
    COUNT_WIDTH = 12
};

static stele_code told(stele_error *err)
{
    return ferror(stdout) == 0 ? STELE_OK : sti_finish_output(err);
}

/* ---- range ---- */

struct printing {
    bool json;
    bool keys_only;
};

static stele_code print_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    const struct printing *p = arg;
    struct sti_json j;

    if (p->json) {
        j = sti_json_begin(stdout);
        sti_json_bytes(&j, "key", key);
        sti_json_bytes(&j, "value", p->keys_only ? stele_nil() : value);
        sti_json_end(&j);
    } else {
        sti_print_word(key);
        if (!p->keys_only) {
            (void)putchar('\t');
            sti_print_word(value);
        }
        (void)putchar('\n');
    }
    return told(err);
}

/* The first key behind all that begin so, in memory of its own; *to_end: there is none. */
static stele_code end_of_prefix(
        stele_bytes prefix, struct sti_data *out, bool *to_end, stele_error *err)
{
    size_t len = prefix.len;

    while (len > 0 && prefix.data[len - 1] == 0xff) {
        len--;
    }
    *to_end = len == 0;
    if (len == 0) {
        return STELE_OK;
    }
    out->owned = malloc(len);
    if (out->owned == NULL) {
        return sti_cli_fail(err, STELE_ENOMEM, "no memory for %zu bytes", len);
    }
    memcpy(out->owned, prefix.data, len);
    out->owned[len - 1]++;
    out->bytes = stele_bytes_of(out->owned, len);
    return STELE_OK;
}

struct bounds {
    struct sti_data bucket;
    struct sti_data start;
    struct sti_data end;
    bool to_end;
    bool nothing; /* no key is below an empty end */
};

static stele_code parse_end(const struct sti_run *run, struct bounds *b, stele_error *err)
{
    const struct sti_store_args *args = run->args;
    stele_code code;

    if (args->prefix) {
        if (run->operands->count != END_AT) {
            return sti_cli_fail(err, STELE_EINVAL, "--prefix needs START, and takes no END");
        }
        return end_of_prefix(b->start.bytes, &b->end, &b->to_end, err);
    }
    b->to_end = run->operands->count <= END_AT;
    if (b->to_end) {
        return STELE_OK;
    }
    code = sti_parse_data(run->operands->items[END_AT], &b->end, err);
    b->nothing = code == STELE_OK && b->end.bytes.len == 0;
    return code == STELE_OK ? code : sti_cli_wrap(err, code, "END");
}

static stele_code parse_bounds(const struct sti_run *run, struct bounds *b, stele_error *err)
{
    stele_code code;

    memset(b, 0, sizeof *b);
    code = sti_store_operand(run, BUCKET_AT, &b->bucket, err);
    if (code == STELE_OK && run->operands->count > START_AT) {
        code = sti_parse_data(run->operands->items[START_AT], &b->start, err);
        code = code == STELE_OK ? code : sti_cli_wrap(err, code, "START");
    }
    return code == STELE_OK ? parse_end(run, b, err) : code;
}

static stele_code print_range(const struct sti_run *run, const struct bounds *b, stele_error *err)
{
    const struct sti_store_args *args = run->args;
    const stele_store_range range = {
            .start = b->start.bytes,
            .end = b->end.bytes,
            .to_end = b->to_end,
            .reverse = args->reverse,
            .limit = (uint64_t)args->limit.value,
    };
    struct printing p = {run->json, args->keys_only};
    stele_store_read *read = NULL;
    stele_store *s = NULL;
    uint64_t keys = 0;
    stele_code code = sti_store_begin_reader(run, &s, &read, err);

    if (code != STELE_OK) {
        return code;
    }
    code = b->nothing ? stele_store_read_count(read, b->bucket.bytes, &keys, err)
                      : stele_store_read_range(
                                read, b->bucket.bytes, &range, print_pair, &p, NULL, err);
    sti_store_end_reader(s, read);
    return code;
}

stele_code sti_store_range_verb(const struct sti_run *run, stele_error *err)
{
    struct bounds b;
    stele_code code = parse_bounds(run, &b, err);

    code = code == STELE_OK ? print_range(run, &b, err) : code;
    free(b.bucket.owned);
    free(b.start.owned);
    free(b.end.owned);
    return code;
}

/* ---- buckets ---- */

struct listing {
    stele_store_read *read;
    bool json;
};

static stele_code print_bucket(void *arg, stele_bytes bucket, stele_error *err)
{
    const struct listing *l = arg;
    struct sti_json j;
    uint64_t keys = 0;
    stele_code code = stele_store_read_count(l->read, bucket, &keys, err);

    if (code != STELE_OK) {
        return code;
    }
    if (l->json) {
        j = sti_json_begin(stdout);
        sti_json_bytes(&j, "bucket", bucket);
        sti_json_uint(&j, "keys", keys);
        sti_json_end(&j);
    } else {
        (void)printf("%*" PRIu64 "  ", COUNT_WIDTH, keys);
        sti_print_word(bucket);
        (void)putchar('\n');
    }
    return told(err);
}

stele_code sti_store_buckets_verb(const struct sti_run *run, stele_error *err)
{
    struct listing l = {NULL, run->json};
    stele_store *s = NULL;
    stele_code code = sti_store_begin_reader(run, &s, &l.read, err);

    if (code == STELE_OK) {
        code = stele_store_read_buckets(l.read, print_bucket, &l, err);
        sti_store_end_reader(s, l.read);
    }
    return code;
}
