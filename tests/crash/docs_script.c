/* SPDX-License-Identifier: MIT
 *
 * docs_script.c: changes of documents, and the states that they make.
 */
#include "crash/docs_script.h"

#include "crash/store_disk.h"
#include "docs/apply.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FAR_SECONDS = 1000, /* versions of others */
    FAR_SERVER = 9,
    FREE_KEYS = 1000,
    BACKUP_CHANGES = 7,
    BACKUP_NUMBER = 900
};

static const char backup_kinds[BACKUP_CHANGES + 1] = "tsSsdbe";

/* The stream of it, made once. */
static stele_buf backup = {.limit = SIZE_MAX};

/* ---- Texts. ---- */

stele_bytes docs_id(unsigned number, char out[8])
{
    (void)snprintf(out, 8, "%c%u", number < DOCS_LOCAL ? 'a' : 'r', number);
    return stele_str(out);
}

stele_bytes docs_text(unsigned id, const struct docs_cell *cell, char out[DOCS_TEXT_SIZE])
{
    char far[32] = "";
    int len;

    /* Others share keys among themselves; a patch takes one that is nobody's. */
    if (cell->from_far) {
        (void)snprintf(far, sizeof far, ",\"v\":%" PRIu64,
                cell->touched ? FREE_KEYS + cell->n : cell->base % 2);
    }
    len = snprintf(out, DOCS_TEXT_SIZE,
            "{\"@type\":\"t\",\"u\":\"%c%u\",\"n\":%" PRIu64
            ",\"tags\":[%u,\"%u\"]%s,\"fill\":\"%*s\"}",
            cell->from_far ? 'f' : 'u', cell->from_far ? (unsigned)cell->base : id, cell->n,
            (unsigned)(cell->base % 3), (unsigned)(cell->base % 5), far, (int)cell->fill, "");
    return stele_bytes_of(out, (size_t)len);
}

stele_bytes docs_type_text(uint64_t number, char out[DOCS_TEXT_SIZE])
{
    static const char *const more[] = {
            "{\"name\":\"n\",\"fields\":[\"n\"],\"method\":\"number\"}",
            "{\"name\":\"two\",\"fields\":[\"tags\",\"n\"],\"method\":\"binary\",\"array\":true}",
            "{\"name\":\"u2\",\"fields\":[\"u\",\"n\"],\"method\":\"utf8\"}",
    };

    int len = snprintf(out, DOCS_TEXT_SIZE,
            "{\"name\":\"t\",\"keys\":[{\"name\":\"u\",\"fields\":[\"u\"],\"method\":\"%s\","
            "\"unique\":true},{\"name\":\"v\",\"fields\":[\"v\"],\"method\":\"binary\","
            "\"unique\":true},%s],\"version\":%" PRIu64 "}",
            number % 2 == 0 ? "binary" : "utf8", more[number % 3], number);

    return stele_bytes_of(out, (size_t)len);
}

/* ---- What a change is about. ---- */

static unsigned id_of(char kind, uint64_t number)
{
    switch (kind) {
    case 'd':
        return (unsigned)(number * 3 + 1) % DOCS_LOCAL;
    case 'p':
        return (unsigned)(number * 3 + 2) % DOCS_LOCAL;
    case 'e':
        return number % 2 == 0 ? DOCS_LOCAL + (unsigned)(number / 2) % (DOCS_IDS - DOCS_LOCAL)
                               : (unsigned)number % DOCS_LOCAL;
    default:
        return (unsigned)(number * 7) % DOCS_LOCAL;
    }
}

/* The IDs that a batch sets, and the one that it deletes if it is there. */
static unsigned batch_id(uint64_t number, unsigned i)
{
    return (unsigned)(number + i * 3ULL) % DOCS_LOCAL;
}

enum {
    BATCH_SETS = 3
};

static struct docs_cell cell_of(char kind, uint64_t number)
{
    return (struct docs_cell){
            .live = true,
            .touched = kind != 'e',
            .from_far = kind == 'e',
            .base = number,
            .n = number,
            .fill = kind == 'S' ? 5000 + (unsigned)(number * 701) % 3000 : (unsigned)number % 40,
    };
}

bool docs_is_change(char step)
{
    return step != '\0' && strchr("sSdpbetir", step) != NULL;
}

/* ---- States. ---- */

static void add_delete(struct docs_state *s, unsigned id)
{
    if (s->cells[id].live) {
        s->cells[id] = (struct docs_cell){.touched = true};
        s->entries++;
    }
}

static void add_batch(struct docs_state *s, uint64_t number)
{
    for (unsigned i = 0; i < BATCH_SETS; i++) {
        s->cells[batch_id(number, i)] = cell_of('b', number);
        s->entries++;
    }
    add_delete(s, batch_id(number, BATCH_SETS));
}

static void add_change(struct docs_state *s, char kind, uint64_t number)
{
    struct docs_cell *cell = &s->cells[id_of(kind, number)];

    switch (kind) {
    case 's':
    case 'S':
        *cell = cell_of(kind, number);
        s->entries++;
        break;
    case 'd':
        add_delete(s, id_of(kind, number));
        break;
    case 'p':
        if (cell->live) {
            cell->n = number;
            cell->touched = true;
            s->entries++;
        }
        break;
    case 'b':
        add_batch(s, number);
        break;
    case 'e':
        /* The later version counts, and those of a backup are later than any. */
        if (!cell->touched && (!cell->from_far || cell->base < number)) {
            *cell = cell_of(kind, number);
        }
        s->entries++;
        break;
    case 't':
        s->types = number;
        break;
    default:
        break;
    }
}

void docs_state_add(struct docs_state *state, char kind, uint64_t number)
{
    if (kind != 'r') {
        add_change(state, kind, number);
        return;
    }
    for (unsigned i = 0; i < BACKUP_CHANGES; i++) {
        add_change(state, backup_kinds[i], BACKUP_NUMBER + i);
    }
}

bool docs_state_at(const char *kinds, uint64_t count, struct docs_state *out)
{
    memset(out, 0, sizeof *out);
    for (uint64_t n = 1; n <= count; n++, kinds++) {
        if (*kinds == '\0') {
            return false;
        }
        docs_state_add(out, *kinds, n);
    }
    return true;
}

/* ---- Changes. ---- */

static stele_code set(stele_docs *db, char kind, uint64_t number, stele_error *err)
{
    static char text[DOCS_TEXT_SIZE];
    unsigned id = id_of(kind, number);
    struct docs_cell cell = cell_of(kind, number);
    char name[8];

    return stele_docs_set(db, docs_id(id, name), docs_text(id, &cell, text), NULL, err);
}

static stele_code delete_one(stele_docs *db, uint64_t number, stele_error *err)
{
    char name[8];
    stele_code rc = stele_docs_delete(db, docs_id(id_of('d', number), name), NULL, err);

    return rc == STELE_ENOTFOUND ? STELE_OK : rc;
}

static stele_code patch(
        stele_docs *db, const struct docs_state *state, uint64_t number, stele_error *err)
{
    unsigned id = id_of('p', number);
    char name[8];
    char text[80];
    stele_code rc;

    if (state->cells[id].from_far) {
        (void)snprintf(text, sizeof text, "{\"n\":%" PRIu64 ",\"v\":%" PRIu64 "}", number,
                FREE_KEYS + number);
    } else {
        (void)snprintf(text, sizeof text, "{\"n\":%" PRIu64 "}", number);
    }
    rc = stele_docs_patch(db, docs_id(id, name), stele_str(text), NULL, err);
    return rc == STELE_ENOTFOUND ? STELE_OK : rc;
}

static stele_code batch(
        stele_docs *db, const struct docs_state *state, uint64_t number, stele_error *err)
{
    static char text[DOCS_TEXT_SIZE];
    struct docs_cell cell = cell_of('b', number);
    unsigned gone = batch_id(number, BATCH_SETS);
    stele_docs_batch *b = NULL;
    char name[8];
    stele_code rc = stele_docs_batch_begin(&b, db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    for (unsigned i = 0; i < BATCH_SETS && rc == STELE_OK; i++) {
        unsigned id = batch_id(number, i);

        rc = stele_docs_batch_set(
                b, docs_id(id, name), docs_text(id, &cell, text), NULL, NULL, err);
    }
    if (rc == STELE_OK && state->cells[gone].live) {
        rc = stele_docs_batch_delete(b, docs_id(gone, name), NULL, NULL, err);
    }
    if (rc != STELE_OK) {
        stele_docs_batch_abort(b);
        return rc;
    }
    return stele_docs_batch_end(b, err);
}

static stele_code come(stele_docs *db, uint64_t number, stele_error *err)
{
    static char text[DOCS_TEXT_SIZE];
    unsigned id = id_of('e', number);
    struct docs_cell cell = cell_of('e', number);
    struct sti_docs_entry entry = {
            .version = {.seconds = FAR_SECONDS + (int64_t)number, .server = FAR_SERVER}};
    struct sti_docs_change change = {.document = NULL};
    enum sti_docs_applied applied = STI_DOCS_APPLIED_KNOWN;
    struct sti_docs_write w;
    char name[8];
    stele_code rc = sti_docs_write_begin(&w, db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    entry.id = docs_id(id, name);
    entry.json = docs_text(id, &cell, text);
    rc = sti_docs_change_prepare(&change, &w, &entry, NULL, false, err);
    if (rc == STELE_OK) {
        rc = sti_docs_apply(&w, &change, &applied, err);
    }
    sti_docs_change_free(&change);
    return sti_docs_write_end(&w, rc, err);
}

static stele_code read_backup(void *arg, void *data, size_t len, size_t *got, stele_error *err)
{
    size_t *at = arg;
    size_t rest = backup.len - *at;

    (void)err;
    *got = len < rest ? len : rest;
    memcpy(data, backup.data + *at, *got);
    *at += *got;
    return STELE_OK;
}

stele_code docs_change(stele_docs *db, const struct docs_state *state, char kind, uint64_t number,
        stele_error *err)
{
    static char text[DOCS_TEXT_SIZE];
    size_t at = 0;

    switch (kind) {
    case 'd':
        return delete_one(db, number, err);
    case 'p':
        return patch(db, state, number, err);
    case 'b':
        return batch(db, state, number, err);
    case 'e':
        return come(db, number, err);
    case 't':
        return stele_docs_register(db, docs_type_text(number, text), err);
    case 'i':
        return stele_docs_reindex(db, err);
    case 'r':
        return stele_docs_restore(db, read_backup, &at, true, NULL, err);
    default:
        return set(db, kind, number, err);
    }
}

/* ---- The backup. ---- */

static stele_time long_ago(void *arg)
{
    (void)arg;
    return (stele_time)600000000 * 1000000;
}

static stele_code write_backup(void *arg, const void *data, size_t len, stele_error *err)
{
    return stele_buf_append(arg, stele_bytes_of(data, len), err);
}

static void must(stele_code rc, const stele_error *err)
{
    if (rc != STELE_OK) {
        (void)fprintf(stderr, "the backup: %s\n", err->message);
        abort();
    }
}

void docs_make_backup(void)
{
    struct docs_state state = {.types = 0};
    stele_docs_options options;
    stele_docs *db = NULL;
    char dir[DISK_PATH_SIZE];
    stele_env env;
    stele_error err;

    if (backup.len > 0) {
        return;
    }
    disk_scratch(dir);
    stele_env_init(&env);
    env.wall_clock = long_ago;
    stele_docs_options_init(&options);
    options.env = &env;
    options.not_durable = true;
    must(stele_docs_open(&db, dir, &options, &err), &err);
    for (unsigned i = 0; i < BACKUP_CHANGES; i++) {
        must(docs_change(db, &state, backup_kinds[i], BACKUP_NUMBER + i, &err), &err);
        docs_state_add(&state, backup_kinds[i], BACKUP_NUMBER + i);
    }
    must(stele_docs_backup(db, NULL, write_backup, &backup, NULL, &err), &err);
    must(stele_docs_close(db, &err), &err);
    disk_remove(dir);
}
