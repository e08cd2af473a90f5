/* SPDX-License-Identifier: MIT
 *
 * fuzz_docs_core.c: a database whose buckets hold something else than they should, and a search
 * with any arguments.
 *
 * A few documents are set. Then each step of the input damages a pair of a bucket: a byte of its
 * value is changed, the value is another one, the pair is gone, or there is one more; until a byte
 * above all steps, behind which are the arguments of a search, each up to a zero byte. The database
 * is opened again, and everything is called: what fails, fails with an error; what is made anew
 * without one fits together, but for the documents and entries themselves.
 */
#include "docs/state.h"
#include "fuzz.h"

#include <ftw.h>
#include <string.h>
#include <unistd.h>

enum {
    STEPS_MAX = 16,
    STEPS = 0xf0, /* bytes from here on end them */
    ARGUMENTS = 8
};

static const char *const definitions[] = {
        "{\"name\":\"t\",\"keys\":[{\"name\":\"u\",\"fields\":[\"u\"],\"method\":\"utf8\","
        "\"unique\":true},{\"name\":\"n\",\"fields\":[\"n\",\"u\"],\"method\":\"number\"},"
        "{\"name\":\"a\",\"fields\":[\"a\"],\"method\":\"binary\",\"array\":true}],\"version\":1}",
};

static const char *const documents[][2] = {
        {"a", "{\"@type\":\"t\",\"u\":\"x\",\"n\":1,\"a\":[1,2,\"3\"]}"},
        {"b", "{\"@type\":\"t\",\"u\":\"y\",\"n\":\"2\"}"},
        {"c", "{\"n\":3}"},
        {"d", "{\"@type\":\"other\"}"},
};

/* ---- The database. ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)at;
    return type == FTW_DP ? rmdir(path) : unlink(path);
}

static stele_docs *open_docs(const char *dir)
{
    stele_docs_options options;
    stele_docs *db = NULL;

    stele_docs_options_init(&options);
    options.not_durable = true;
    options.no_background = true;
    if (stele_docs_open(&db, dir, &options, NULL) != STELE_OK) {
        return NULL;
    }
    return db;
}

static void fill(stele_docs *db)
{
    fuzz_require(stele_docs_register(db, stele_str(definitions[0]), NULL) == STELE_OK);
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        fuzz_require(stele_docs_set(db, stele_str(documents[i][0]), stele_str(documents[i][1]),
                             NULL, NULL) == STELE_OK);
    }
    fuzz_require(stele_docs_delete(db, stele_str("d"), NULL, NULL) == STELE_OK);
}

/* ---- Damage. ---- */

/* The n-th pair of a bucket, copied; false: there are not so many. */
static bool nth(struct sti_docs_write *w, enum sti_docs_bucket bucket, unsigned n, stele_buf *key,
        stele_buf *value)
{
    stele_store_cursor *cursor = NULL;
    stele_bytes k = stele_nil();
    stele_bytes v = stele_nil();
    stele_code rc = stele_store_cursor_open(&cursor, w->view, sti_docs_bucket_name(bucket), NULL);

    rc = rc == STELE_OK ? stele_store_cursor_first(cursor, NULL) : rc;
    while (rc == STELE_OK && n > 0) {
        rc = stele_store_cursor_next(cursor, NULL);
        n--;
    }
    rc = rc == STELE_OK ? stele_store_cursor_pair(cursor, &k, &v, NULL) : rc;
    if (rc == STELE_OK) {
        fuzz_require(stele_buf_append(key, k, NULL) == STELE_OK);
        fuzz_require(stele_buf_append(value, v, NULL) == STELE_OK);
    }
    stele_store_cursor_close(cursor);
    return rc == STELE_OK;
}

static void append(struct fuzz_input *in, stele_buf *out)
{
    size_t len = 0;
    uint8_t *bytes = fuzz_bytes(in, fuzz_byte(in), &len);

    fuzz_require(stele_buf_append(out, stele_bytes_of(bytes, len), NULL) == STELE_OK);
    free(bytes);
}

static void damage(struct fuzz_input *in, struct sti_docs_write *w, unsigned step)
{
    enum sti_docs_bucket bucket = (enum sti_docs_bucket)(fuzz_byte(in) % STI_DOCS_BUCKET_COUNT);
    unsigned n = fuzz_byte(in);
    stele_buf key;
    stele_buf value;

    stele_buf_init(&key, SIZE_MAX);
    stele_buf_init(&value, SIZE_MAX);
    if (step % 4 == 3) {
        append(in, &key);
        append(in, &value);
    } else if (!nth(w, bucket, n, &key, &value)) {
        key.len = 0;
    }
    if (step % 4 == 0 && value.len > 0) {
        size_t at = fuzz_u16(in) % value.len;

        value.data[at] ^= (uint8_t)fuzz_byte(in);
    } else if (step % 4 == 1) {
        stele_buf_clear(&value);
        append(in, &value);
    }
    if (key.len > 0 && step % 4 == 2) {
        fuzz_require(sti_docs_remove(w, bucket, stele_buf_view(&key), NULL) == STELE_OK);
    } else if (key.len > 0) {
        fuzz_require(sti_docs_put(w, bucket, stele_buf_view(&key),
                             stele_bytes_of(value.data == NULL ? key.data : value.data, value.len),
                             NULL) == STELE_OK);
    }
    stele_buf_free(&key);
    stele_buf_free(&value);
}

static void damage_all(struct fuzz_input *in, stele_docs *db)
{
    struct sti_docs_write w;
    unsigned step;

    fuzz_require(sti_docs_write_begin(&w, db, NULL) == STELE_OK);
    for (int i = 0; i < STEPS_MAX && in->size > 0 && (step = fuzz_byte(in)) < STEPS; i++) {
        damage(in, &w, step);
    }
    fuzz_require(sti_docs_write_end(&w, STELE_OK, NULL) == STELE_OK);
}

/* ---- Everything. ---- */

static void search(struct fuzz_input *in, stele_docs *db)
{
    char *texts[ARGUMENTS];
    stele_bytes parts[ARGUMENTS];
    stele_docs_iter *it = NULL;
    stele_docs_search s;
    unsigned flags = fuzz_byte(in);
    stele_code rc;

    for (size_t i = 0; i < ARGUMENTS; i++) {
        const uint8_t *end = in->size == 0 ? NULL : memchr(in->data, 0, in->size);
        size_t len = 0;

        texts[i] =
                (char *)fuzz_bytes(in, end == NULL ? in->size : (size_t)(end - in->data) + 1, &len);
        texts[i] = realloc(texts[i], len + 1);
        fuzz_require(texts[i] != NULL);
        texts[i][len] = '\0';
        parts[i] = texts[i][0] == '\0' ? stele_nil() : stele_str(texts[i]);
    }
    stele_docs_search_init(&s);
    s.type = stele_is_nil(parts[0]) ? "t" : texts[0];
    s.match = parts[1];
    s.key = stele_is_nil(parts[2]) ? NULL : texts[2];
    s.bound_field = stele_is_nil(parts[3]) ? NULL : texts[3];
    s.low = parts[4];
    s.high = parts[5];
    s.prefix = parts[6];
    s.after = parts[7];
    s.low_open = flags & 1;
    s.high_open = flags >> 1 & 1;
    s.backward = flags >> 2 & 1;
    s.limit = flags >> 3 & 3;
    rc = stele_docs_search_begin(&it, db, &s, NULL);
    while (rc == STELE_OK) {
        rc = stele_docs_iter_next(it, NULL, NULL, NULL);
    }
    stele_docs_iter_end(it);
    for (size_t i = 0; i < ARGUMENTS; i++) {
        free(texts[i]);
    }
}

static void walk(stele_docs *db, bool backward)
{
    stele_docs_iter *it = NULL;
    stele_code rc = stele_docs_range(&it, db, stele_nil(), stele_nil(), backward, NULL);

    while (rc == STELE_OK) {
        rc = stele_docs_iter_next(it, NULL, NULL, NULL);
    }
    stele_docs_iter_end(it);
}

static stele_code on_entry(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    (void)arg;
    (void)err;
    fuzz_require(entry->id.len > 0);
    return STELE_OK;
}

static stele_code on_conflict(void *arg, const stele_docs_conflict *conflict, stele_error *err)
{
    (void)arg;
    (void)err;
    fuzz_require(conflict->type != NULL);
    fuzz_require(conflict->key != NULL);
    return STELE_OK;
}

static stele_code on_checkpoint(void *arg, const stele_docs_checkpoint *c, stele_error *err)
{
    (void)arg;
    (void)err;
    fuzz_require(c->epoch > 0);
    return STELE_OK;
}

static stele_code on_bytes(void *arg, const void *data, size_t len, stele_error *err)
{
    (void)arg;
    (void)data;
    (void)err;
    fuzz_require(len < SIZE_MAX);
    return STELE_OK;
}

/* No call is without a result that is looked at; but any is right. */
static void look(stele_code rc)
{
    fuzz_require(rc <= STELE_OK || rc == STELE_END);
}

static void read_all(struct fuzz_input *in, stele_docs *db)
{
    stele_buf out;

    stele_buf_init(&out, SIZE_MAX);
    search(in, db);
    walk(db, false);
    walk(db, true);
    look(stele_docs_get(db, stele_str("a"), &out, NULL));
    look(stele_docs_get_field(db, stele_str("a"), stele_str("/a/0"), &out, NULL));
    look(stele_docs_version_of(db, stele_str("d"), NULL, NULL, NULL));
    look(stele_docs_log(db, stele_nil(), on_entry, NULL, NULL));
    look(stele_docs_history(db, stele_str("b"), on_entry, NULL, NULL));
    look(stele_docs_conflicts(db, on_conflict, NULL, NULL));
    look(stele_docs_checkpoints(db, on_checkpoint, NULL, NULL));
    look(stele_docs_type(db, "t", &out, NULL));
    look(stele_docs_backup(db, NULL, on_bytes, NULL, NULL, NULL));
    look(stele_docs_validate(db, NULL, NULL, NULL, NULL));
    stele_buf_free(&out);
}

static void change_all(stele_docs *db)
{
    look(stele_docs_set(db, stele_str("a"), stele_str(documents[1][1]), NULL, NULL));
    look(stele_docs_patch(db, stele_str("b"), stele_str("{\"a\":[4]}"), NULL, NULL));
    look(stele_docs_delete(db, stele_str("c"), NULL, NULL));
    look(stele_docs_register(db,
            stele_str("{\"name\":\"t\",\"keys\":[{\"name\":\"u\",\"fields\":[\"u\"],\"method\":"
                      "\"binary\",\"unique\":true}],\"version\":2}"),
            NULL));
    look(stele_docs_reindex(db, NULL));
    look(stele_docs_validate(db, NULL, NULL, NULL, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    char dir[] = "/tmp/stele-fuzz-XXXXXX";
    stele_docs *db;

    fuzz_require(mkdtemp(dir) != NULL);
    db = open_docs(dir);
    fuzz_require(db != NULL);
    fill(db);
    damage_all(&in, db);
    look(stele_docs_close(db, NULL));
    db = open_docs(dir);
    if (db != NULL) {
        read_all(&in, db);
        change_all(db);
        look(stele_docs_close(db, NULL));
    }
    fuzz_require(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
    return 0;
}
