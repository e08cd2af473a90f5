/* SPDX-License-Identifier: MIT
 *
 * docs_model_run.c: the database, and random documents.
 */
#include "model/docs_model_run.h"

#include <stdio.h>
#include <string.h>

uint64_t docs_run_below(struct run *r, uint64_t bound)
{
    uint64_t x = r->random += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (x ^ (x >> 31)) % bound;
}

stele_bytes docs_run_quoted(const char *text, char *out, size_t size)
{
    size_t len = strlen(text);

    assert_true(len < size);
    for (size_t i = 0; i <= len; i++) {
        out[i] = text[i] == '\'' ? '"' : text[i];
    }
    return stele_bytes_of(out, len);
}

/* ---- Opened and closed. ---- */

static stele_time docs_run_clock(void *arg)
{
    const struct run *r = arg;

    return r->now;
}

/* The number of the server: below and above those of others. */
static void docs_run_numbers(void *arg, void *data, size_t len)
{
    uint8_t *out = data;

    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(i == 0 ? docs_run_below(arg, 12) : 0);
    }
}

void docs_run_open(struct run *r)
{
    stele_error err;

    stele_docs_options_init(&r->options);
    stele_env_init(&r->env);
    r->env.arg = r;
    r->env.wall_clock = docs_run_clock;
    r->env.random = docs_run_numbers;
    r->options.env = &r->env;
    r->options.not_durable = true;
    r->options.create_dirs = true;
    CHECK_OK(stele_docs_open(&r->db, r->dir, &r->options, &err), &err);
}

void docs_run_close(struct run *r)
{
    stele_error err;

    CHECK_OK(stele_docs_close(r->db, &err), &err);
    r->db = NULL;
}

void docs_run_new(struct run *r)
{
    if (r->db != NULL) {
        docs_run_close(r);
        tmpdir_remove(&r->tmp);
    }
    tmpdir_make(&r->tmp);
    r->dirs = 0;
    tmpdir_path(&r->tmp, "db-0", r->dir);
    docs_run_open(r);
}

/* ---- Backups. ---- */

static stele_code write_all(void *arg, const void *data, size_t len, stele_error *err)
{
    return stele_buf_append(arg, stele_bytes_of(data, len), err);
}

struct reading {
    stele_bytes rest;
    struct run *run;
};

/* As much as there is, or less. */
static stele_code read_some(void *arg, void *data, size_t len, size_t *got, stele_error *err)
{
    struct reading *from = arg;
    size_t most = 1 + (size_t)docs_run_below(from->run, 70000);

    (void)err;
    *got = len < most ? len : most;
    *got = *got < from->rest.len ? *got : from->rest.len;
    memcpy(data, from->rest.data, *got);
    from->rest = stele_bytes_of(from->rest.data + *got, from->rest.len - *got);
    return STELE_OK;
}

/* The new database knows of what the log has, and of no version besides. */
static void forget_versions(struct run *r)
{
    r->last = (struct sti_docs_version){.seconds = 0};
    for (unsigned i = 0; i < MODEL_IDS; i++) {
        const struct model_id *at = &r->model.ids[i];

        if (at->count > 0 &&
                sti_docs_version_compare(at->entries[at->count - 1].rank.version, r->last) > 0) {
            r->last = at->entries[at->count - 1].rank.version;
        }
    }
}

static bool is_empty(const struct run *r)
{
    for (unsigned i = 0; i < MODEL_IDS; i++) {
        if (r->model.ids[i].count > 0) {
            return false;
        }
    }
    return true;
}

/* The version of a type is another one: only the manifest can tell. */
static void refuse_other_type(struct run *r, stele_buf *stream)
{
    static const char text[] = "\"version\":";
    uint8_t *at = memmem(stream->data, stream->len, text, sizeof text - 1);
    struct reading from = {.rest = stele_buf_view(stream), .run = r};
    uint8_t digit;
    stele_error err;

    if (at != NULL) {
        at += sizeof text - 1;
        digit = *at;
        *at = (uint8_t)(digit == '9' ? '8' : digit + 1);
        CHECK_CODE(stele_docs_restore(r->db, read_some, &from, true, NULL, &err), STELE_ECORRUPT);
        *at = digit;
    }
}

/* A stream with a bit that is wrong, or without its end, leaves nothing behind. True: it was
 * restored, since the bit says nothing in a frame of zstd; what is there has to be the same. */
static bool try_damaged(struct run *r, stele_buf *stream, bool is_compressed)
{
    /* Types, which nothing else vouches for, are at the beginning. */
    size_t most = docs_run_below(r, 2) == 0 && stream->len > 400 ? 400 : stream->len;
    size_t at = (size_t)docs_run_below(r, most);
    uint8_t bit = (uint8_t)(1U << docs_run_below(r, 8));
    struct reading from = {.run = r};
    stele_error err;
    stele_code rc;

    from.rest = stele_bytes_of(stream->data, at);
    assert_int_not_equal(stele_docs_restore(r->db, read_some, &from, true, NULL, &err), STELE_OK);
    stream->data[at] ^= bit;
    from.rest = stele_buf_view(stream);
    rc = stele_docs_restore(r->db, read_some, &from, true, NULL, &err);
    stream->data[at] ^= bit;
    assert_true(rc != STELE_OK || is_compressed);
    return rc == STELE_OK;
}

void docs_run_restore(struct run *r)
{
    stele_docs_backup_options options;
    stele_docs_backup_summary summary = {.pairs = 0};
    struct reading from = {.run = r};
    char name[24];
    stele_buf stream;
    stele_error err;

    stele_docs_backup_options_init(&options);
    options.zstd_level = docs_run_below(r, 2) == 0 ? 0 : 1;
    options.no_manifest = options.zstd_level == 0 && docs_run_below(r, 3) == 0;
    stele_buf_init(&stream, SIZE_MAX);
    CHECK_OK(stele_docs_backup(r->db, &options, write_all, &stream, NULL, &err), &err);
    from.rest = stele_buf_view(&stream);
    CHECK_OK(stele_docs_validate_backup(read_some, &from, !options.no_manifest, &summary, &err),
            &err);
    /* Not into one that has documents. */
    from.rest = stele_buf_view(&stream);
    if (!is_empty(r)) {
        CHECK_CODE(stele_docs_restore(r->db, read_some, &from, !options.no_manifest, NULL, &err),
                STELE_ESTATE);
    }
    docs_run_close(r);
    (void)snprintf(name, sizeof name, "db-%u", ++r->dirs);
    tmpdir_path(&r->tmp, name, r->dir);
    docs_run_open(r);
    if (!options.no_manifest && options.zstd_level == 0) {
        refuse_other_type(r, &stream);
    }
    if (options.no_manifest || !try_damaged(r, &stream, options.zstd_level != 0)) {
        from.rest = stele_buf_view(&stream);
        CHECK_OK(stele_docs_restore(r->db, read_some, &from, !options.no_manifest, NULL, &err),
                &err);
    }
    stele_buf_free(&stream);
    forget_versions(r);
}

/* ---- Documents. ---- */

int docs_run_value(struct run *r)
{
    /* null, false, 0, -0.0, 1, 1.0, "1", "a", "A", "\u00e4", "ab", [1,1.0,2] */
    static const int hot[] = {0, 1, 5, 6, 7, 8, 15, 19, 20, 21, 25, 36};

    if (docs_run_below(r, 2) == 0) {
        return hot[docs_run_below(r, sizeof hot / sizeof hot[0])];
    }
    return (int)docs_run_below(r, docs_run_below(r, 3) == 0 ? DOCS_VALUES : DOCS_VALUES_SPECIAL);
}

/* Of a unique key: mostly one that nobody else has, or that takes more than an index holds. */
static int unique_value(struct run *r)
{
    enum {
        LONG = 30,
        FEW = 24
    };

    if (docs_run_below(r, 12) == 0) {
        return LONG;
    }
    return docs_run_below(r, 5) == 0 ? docs_run_value(r)
                                     : DOCS_VALUES_SPECIAL + (int)docs_run_below(r, FEW);
}

static void keep_claims(struct run *r, const struct model_id *at, struct model_doc *doc)
{
    size_t which = docs_run_below(r, 2) == 0 ? at->count - 1 : (size_t)docs_run_below(r, at->count);
    const struct model_entry *entry = &at->entries[which];

    if (!entry->rank.is_delete && !entry->doc.unreadable) {
        doc->type = entry->doc.type;
        doc->fields[MODEL_FIELDS - 2] = entry->doc.fields[MODEL_FIELDS - 2];
        doc->fields[MODEL_FIELDS - 1] = entry->doc.fields[MODEL_FIELDS - 1];
    }
}

void docs_run_make_doc(struct run *r, unsigned id, struct model_doc *doc)
{
    doc->type = (int)docs_run_below(r, docs_run_below(r, 8) == 0 ? MODEL_TYPES_ALL : MODEL_TYPES);
    doc->unreadable = false;
    for (int f = 0; f < MODEL_FIELDS; f++) {
        doc->fields[f] = docs_run_below(r, 5) == 0 ? DOCS_VALUE_NONE : docs_run_value(r);
    }
    if (docs_run_below(r, 8) != 0) {
        doc->fields[MODEL_FIELDS - 1] = unique_value(r);
    }
    /* The number, which is the second field of a unique key. */
    if (docs_run_below(r, 4) == 0) {
        doc->fields[2] = DOCS_VALUE_NONE;
    }
    if (r->model.ids[id].count > 0 && docs_run_below(r, 2) == 0) {
        keep_claims(r, &r->model.ids[id], doc);
    }
}
