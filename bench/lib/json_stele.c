/* SPDX-License-Identifier: MIT
 *
 * json_stele.c: documents in docs, with the default options.
 */
#include <stele/docs.h>

#include "lib/json.h"

#include <stdlib.h>

#define TYPE                                                                                 \
    "{\"name\":\"thing\",\"keys\":[{\"name\":\"serial\",\"fields\":[\"serial\"],\"method\":" \
    "\"binary\",\"unique\":true},{\"name\":\"level\",\"fields\":[\"level\"],\"method\":"     \
    "\"number\"},{\"name\":\"name\",\"fields\":[\"name\"],\"method\":\"utf8\"}],\"version\":1}"

volatile uint64_t json_sink;

static void *open_db(const char *dir, bool synced)
{
    stele_bytes type = stele_str(TYPE);
    stele_docs *db = NULL;
    stele_docs_options opts;
    stele_error err;

    bench_fresh_dir(dir);
    stele_docs_options_init(&opts);
    opts.not_durable = !synced;
    opts.types = &type;
    opts.type_count = 1;
    bench_check(stele_docs_open(&db, dir, &opts, &err), &err, "open");
    return db;
}

static void set(void *db, size_t n)
{
    char id[JSON_TEXT_SIZE];
    char text[JSON_SIZE + 1];
    stele_error err;

    json_id(n, id);
    json_text(n, text);
    bench_check(stele_docs_set(db, stele_str(id), stele_str(text), NULL, &err), &err, "set");
}

/* Durable with the last one, which waits for all before it. */
static void fill(void *db, size_t count)
{
    enum {
        BATCH = 1000
    };

    for (size_t at = 0; at < count; at += BATCH) {
        stele_docs_batch *batch = NULL;
        stele_error err;

        bench_check(stele_docs_batch_begin(&batch, db, &err), &err, "begin");
        for (size_t n = at; n < count && n < at + BATCH; n++) {
            char id[JSON_TEXT_SIZE];
            char text[JSON_SIZE + 1];

            json_id(n, id);
            json_text(n, text);
            bench_check(
                    stele_docs_batch_set(batch, stele_str(id), stele_str(text), NULL, NULL, &err),
                    &err, "set");
        }
        bench_check(stele_docs_batch_end(batch, &err), &err, "end");
    }
}

static void get(void *db, size_t n)
{
    char id[JSON_TEXT_SIZE];
    stele_buf out;
    stele_error err;

    json_id(n, id);
    stele_buf_init(&out, SIZE_MAX);
    bench_check(stele_docs_get(db, stele_str(id), &out, &err), &err, "get");
    json_sink = out.data[out.len / 2];
    stele_buf_free(&out);
}

static void find(void *db, enum json_key key, size_t n)
{
    stele_docs_search search;
    char value[JSON_TEXT_SIZE];
    char match[2 * JSON_TEXT_SIZE];
    stele_buf out;
    stele_error err;

    stele_docs_search_init(&search);
    search.type = "thing";
    if (key == JSON_BY_SERIAL) {
        json_serial(n, value);
        (void)snprintf(match, sizeof match, "{\"serial\":\"%s\"}", value);
    } else if (key == JSON_BY_LEVEL) {
        (void)snprintf(match, sizeof match, "{\"level\":%.2f}", json_level(n));
    } else {
        json_name(n, true, value);
        (void)snprintf(match, sizeof match, "{\"name\":\"%s\"}", value);
    }
    search.match = stele_str(match);
    stele_buf_init(&out, SIZE_MAX);
    bench_check(stele_docs_search_first(db, &search, NULL, &out, &err), &err, "search");
    json_sink = out.data[out.len / 2];
    stele_buf_free(&out);
}

/* ---- Backups. ---- */

static stele_code write_file(void *arg, const void *data, size_t len, stele_error *err)
{
    (void)err;
    return fwrite(data, 1, len, arg) == len ? STELE_OK : STELE_EIO;
}

static stele_code read_file(void *arg, void *data, size_t len, size_t *got, stele_error *err)
{
    (void)err;
    *got = fread(data, 1, len, arg);
    return STELE_OK;
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *f = fopen(path, mode);

    if (f == NULL) {
        bench_die("%s cannot be opened", path);
    }
    return f;
}

static void backup(void *db, const char *path)
{
    FILE *f = open_file(path, "w");
    stele_error err;

    bench_check(stele_docs_backup(db, NULL, write_file, f, NULL, &err), &err, "backup");
    bench_sync_file(f);
    (void)fclose(f);
}

static void *restore(const char *dir, const char *path)
{
    FILE *f = open_file(path, "r");
    stele_docs_options opts;
    stele_docs *db = NULL;
    stele_error err;

    bench_fresh_dir(dir);
    stele_docs_options_init(&opts);
    bench_check(stele_docs_open(&db, dir, &opts, &err), &err, "open");
    bench_check(stele_docs_restore(db, read_file, f, true, NULL, &err), &err, "restore");
    (void)fclose(f);
    return db;
}

static void reindex(void *db)
{
    stele_error err;

    bench_check(stele_docs_reindex(db, &err), &err, "reindex");
}

static void close_db(void *db)
{
    stele_error err;

    bench_check(stele_docs_close(db, &err), &err, "close");
}

const struct json_db json_stele = {
        "stele", open_db, set, fill, get, find, backup, restore, reindex, close_db};
