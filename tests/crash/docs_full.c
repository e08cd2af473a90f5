/* SPDX-License-Identifier: MIT
 *
 * docs_full.c: documents on a file system that is full to the last byte, and later is not.
 *
 * What a full disk refuses is done all the same, and found; reads, searches and backups go on. With
 * room again all goes on in the same process, and nothing is lost.
 */
#include <stele/docs.h>

#include "crash/small_disk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    PIECE = 128 << 10, /* the log of the store wants room for itself */
    DISK_MIB = 160,
    DOCUMENTS = 60,
    TRIES_MAX = 400,
    TEXT_SIZE = 8100
};

#define TYPE                                                                                        \
    "{\"name\":\"t\",\"keys\":[{\"name\":\"u\",\"fields\":[\"u\"],\"method\":\"binary\",\"unique\"" \
    ":true},{\"name\":\"n\",\"fields\":[\"n\"],\"method\":\"number\"}],\"version\":1}"

struct full {
    struct small_disk disk;
    char database[DISK_PATH_SIZE + 16];
    stele_docs *db;
    uint64_t number;           /* of the last change */
    uint64_t there[DOCUMENTS]; /* the change that made it; 0: it is not there */
    uint64_t refused;          /* acknowledgements that did not come */
    uint64_t states;           /* that were judged */
    struct store_why why;
};

/* ---- What is there. ---- */

static stele_bytes id_of(uint64_t document, char out[32])
{
    (void)snprintf(out, 32, "d%" PRIu64, document);
    return stele_str(out);
}

static stele_bytes text_of(uint64_t document, uint64_t number, char out[TEXT_SIZE])
{
    (void)snprintf(out, TEXT_SIZE,
            "{\"@type\":\"t\",\"u\":\"%" PRIu64 "/%" PRIu64 "\",\"n\":%" PRIu64
            ",\"rest\":\"%08000d\"}",
            document, number, number, 0);
    return stele_str(out);
}

static bool judge_one(struct full *f, uint64_t document)
{
    uint64_t number = f->there[document];
    char id[32];
    char text[TEXT_SIZE];
    stele_buf json;
    stele_error err = {.code = STELE_OK};
    stele_code rc;
    bool ok;

    stele_buf_init(&json, SIZE_MAX);
    rc = stele_docs_get(f->db, id_of(document, id), &json, &err);
    ok = number == 0 ? rc == STELE_ENOTFOUND
                     : rc == STELE_OK && stele_bytes_equal(stele_buf_view(&json),
                                                 text_of(document, number, text));
    stele_buf_free(&json);
    return ok || store_wrong(&f->why, "document %s is not that of change %" PRIu64 ": %.200s", id,
                         number, err.message);
}

/* A search over all numbers finds as many as there are, in their order. */
static bool judge_search(struct full *f)
{
    stele_docs_iter *it = NULL;
    stele_docs_search search;
    uint64_t live = 0;
    uint64_t found = 0;
    stele_error err;
    stele_code rc;

    for (size_t i = 0; i < DOCUMENTS; i++) {
        live += f->there[i] > 0;
    }
    stele_docs_search_init(&search);
    search.type = "t";
    search.bound_field = "n";
    search.low = stele_str("1");
    rc = stele_docs_search_begin(&it, f->db, &search, &err);
    while (rc == STELE_OK) {
        rc = stele_docs_iter_next(it, NULL, NULL, &err);
        found += rc == STELE_OK;
    }
    stele_docs_iter_end(it);
    return rc == STELE_END
                   ? found == live || store_wrong(&f->why, "a search found %" PRIu64 " of %" PRIu64,
                                              found, live)
                   : store_wrong(&f->why, "search: %s", err.message);
}

static stele_code swallow(void *arg, const void *data, size_t len, stele_error *err)
{
    uint64_t *size = arg;

    (void)data;
    (void)err;
    *size += len;
    return STELE_OK;
}

static bool judge(struct full *f)
{
    bool ok = judge_search(f);

    f->states++;
    for (uint64_t i = 0; i < DOCUMENTS && ok; i++) {
        ok = judge_one(f, i);
    }
    return ok;
}

static bool judge_backup(struct full *f)
{
    uint64_t size = 0;
    stele_error err;

    return stele_docs_backup(f->db, NULL, swallow, &size, NULL, &err) == STELE_OK ||
           store_wrong(&f->why, "backup: %s", err.message);
}

/* ---- What is done. ---- */

/* No room is the only failure that there may be, and the change is done all the same. */
static bool change_one(struct full *f)
{
    uint64_t number = ++f->number;
    uint64_t document = number * 7 % DOCUMENTS;
    bool live = number % 5 != 4 || f->there[document] == 0;
    char id[32];
    char text[TEXT_SIZE];
    stele_error err;
    stele_code rc = live ? stele_docs_set(f->db, id_of(document, id),
                                   text_of(document, number, text), NULL, &err)
                         : stele_docs_delete(f->db, id_of(document, id), NULL, &err);

    if (rc != STELE_OK && rc != STELE_ENOSPC) {
        return store_wrong(&f->why, "change %" PRIu64 ": %s", number, err.message);
    }
    f->refused += rc == STELE_ENOSPC;
    f->there[document] = live ? number : 0;
    return true;
}

static bool change(struct full *f, unsigned count)
{
    bool ok = true;

    for (unsigned i = 0; i < count && ok; i++) {
        ok = change_one(f) && (i % 16 != 15 || judge(f));
    }
    return ok && judge(f);
}

static stele_code open_it(struct full *f, bool background, stele_error *err)
{
    static const char text[] = TYPE;
    stele_bytes type = stele_bytes_of(text, sizeof text - 1);
    stele_docs_options options;

    stele_docs_options_init(&options);
    options.create_dirs = true;
    options.no_background = !background;
    options.types = &type;
    options.type_count = 1;
    return stele_docs_open(&f->db, f->database, &options, err);
}

static bool close_it(struct full *f)
{
    stele_error err;
    stele_code rc = stele_docs_close(f->db, &err);

    f->db = NULL;
    return rc == STELE_OK || store_wrong(&f->why, "close: %s", err.message);
}

/* Not to be had, or whole. */
static bool create_on_full(struct full *f)
{
    stele_code rc = STELE_ENOSPC;
    unsigned tries = 0;

    for (uint64_t leave = 0; rc != STELE_OK && tries < TRIES_MAX; leave += PIECE, tries++) {
        stele_error err;

        if (!small_disk_fill(&f->disk, leave, &f->why)) {
            return false;
        }
        rc = open_it(f, false, &err);
        if (rc != STELE_OK && rc != STELE_ENOSPC) {
            return store_wrong(&f->why, "creation on a full disk: %s", err.message);
        }
        f->refused += rc == STELE_ENOSPC;
    }
    if (rc != STELE_OK || tries < 2) {
        return store_wrong(&f->why, "created after %u tries", tries);
    }
    return judge(f) && small_disk_make_room(&f->disk, &f->why) && close_it(f);
}

static bool write_on_full(struct full *f, bool background)
{
    uint64_t before = f->refused;
    stele_error err;

    if (open_it(f, background, &err) != STELE_OK) {
        return store_wrong(&f->why, "open: %s", err.message);
    }
    if (!change(f, 40) || !small_disk_fill(&f->disk, 0, &f->why)) {
        return false;
    }
    /* The log has room of its own for a while. */
    for (unsigned i = 0; i < TRIES_MAX && f->refused < before + 100; i++) {
        if (!change(f, 32)) {
            return false;
        }
    }
    if (f->refused == before) {
        return store_wrong(&f->why, "a full disk refused nothing");
    }
    return judge_backup(f) && small_disk_make_room(&f->disk, &f->why) && change(f, 40) &&
           (stele_docs_validate(f->db, NULL, NULL, NULL, &err) == STELE_OK ||
                   store_wrong(&f->why, "validation: %s", err.message)) &&
           close_it(f) && store_check_files(f->database, &f->why);
}

/* Another process finds all of it. */
static bool open_again(struct full *f)
{
    stele_error err;

    if (open_it(f, true, &err) != STELE_OK) {
        return store_wrong(&f->why, "open: %s", err.message);
    }
    return judge(f) && close_it(f);
}

static bool run(void *arg)
{
    struct full *f = arg;
    bool ok;

    (void)snprintf(f->database, sizeof f->database, "%s/docs", f->disk.dir);
    ok = create_on_full(f) && write_on_full(f, false) && open_again(f) && write_on_full(f, true) &&
         open_again(f);
    if (!ok) {
        (void)printf("docs full: %s\n", f->why.text[0] == '\0' ? "a step failed" : f->why.text);
    }
    (void)printf("docs full: changes %" PRIu64 ", refused %" PRIu64 ", states judged %" PRIu64
                 ", violations %d\n",
            f->number, f->refused, f->states, ok ? 0 : 1);
    return ok;
}

int main(void)
{
    static struct full f;

    return small_disk_run(&f.disk, DISK_MIB, "docs full", run, &f);
}
