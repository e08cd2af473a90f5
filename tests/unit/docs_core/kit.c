/* SPDX-License-Identifier: MIT
 *
 * kit.c: a database in a directory of its own.
 */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>

static stele_time kit_clock(void *arg)
{
    const struct kit *k = arg;

    return k->now;
}

void kit_open(struct kit *k)
{
    stele_error err;

    CHECK_OK(stele_docs_open(&k->db, k->tmp.path, &k->options, &err), &err);
}

void kit_close(struct kit *k)
{
    stele_error err;

    CHECK_OK(stele_docs_close(k->db, &err), &err);
    k->db = NULL;
}

int kit_set_up(void **state)
{
    struct kit *k = calloc(1, sizeof *k);

    assert_non_null(k);
    tmpdir_make(&k->tmp);
    stele_env_init(&k->env);
    k->env.arg = k;
    k->env.wall_clock = kit_clock;
    k->now = KIT_NOW;
    stele_docs_options_init(&k->options);
    k->options.env = &k->env;
    k->options.not_durable = true;
    k->options.no_background = true;
    kit_open(k);
    *state = k;
    return 0;
}

int kit_tear_down(void **state)
{
    struct kit *k = *state;

    if (k->db != NULL) {
        kit_close(k);
    }
    tmpdir_remove(&k->tmp);
    free(k);
    return 0;
}

stele_bytes kit_json(const char *text)
{
    static char copy[KIT_TEXT_SIZE];
    size_t len = strlen(text);

    assert_true(len < sizeof copy);
    for (size_t i = 0; i <= len; i++) {
        copy[i] = text[i] == '\'' ? '"' : text[i];
    }
    return stele_bytes_of(copy, len);
}

void kit_register(struct kit *k, const char *definition)
{
    stele_error err;

    CHECK_OK(stele_docs_register(k->db, kit_json(definition), &err), &err);
}

stele_code kit_try_set(struct kit *k, const char *id, const char *json, stele_error *err)
{
    return stele_docs_set(k->db, stele_str(id), kit_json(json), NULL, err);
}

stele_docs_version kit_set(struct kit *k, const char *id, const char *json)
{
    stele_docs_version version = {.seconds = -1};
    stele_error err;

    CHECK_OK(stele_docs_set(k->db, stele_str(id), kit_json(json), &version, &err), &err);
    return version;
}

stele_docs_version kit_delete(struct kit *k, const char *id)
{
    stele_docs_version version = {.seconds = -1};
    stele_error err;

    CHECK_OK(stele_docs_delete(k->db, stele_str(id), &version, &err), &err);
    return version;
}

void kit_check(struct kit *k, const char *id, const char *json)
{
    stele_buf out;
    stele_error err;
    bool has = json == NULL;

    stele_buf_init(&out, SIZE_MAX);
    CHECK_OK(stele_docs_has(k->db, stele_str(id), &has, &err), &err);
    assert_int_equal(has, json != NULL);
    if (json == NULL) {
        CHECK_CODE(stele_docs_get(k->db, stele_str(id), &out, NULL), STELE_ENOTFOUND);
        assert_true(stele_is_nil(stele_buf_view(&out)));
    } else {
        CHECK_OK(stele_docs_get(k->db, stele_str(id), &out, &err), &err);
        CHECK_BYTES(stele_buf_view(&out), kit_json(json));
    }
    stele_buf_free(&out);
}

/* ---- What iterators give. ---- */

static void add_id(stele_buf *text, stele_bytes id, bool front)
{
    stele_buf other;
    stele_error err;

    stele_buf_init(&other, SIZE_MAX);
    CHECK_OK(stele_buf_append(&other, front ? id : stele_buf_view(text), &err), &err);
    if (text->len > 0) {
        CHECK_OK(stele_buf_append(&other, stele_str(" "), &err), &err);
    }
    CHECK_OK(stele_buf_append(&other, front ? stele_buf_view(text) : id, &err), &err);
    stele_buf_free(text);
    *text = other;
}

/* The IDs of an iterator, which ends, as "a b c"; the last one first if `reverse`. Each has the
 * document that is there. */
static void collect(struct kit *k, stele_docs_iter *it, bool reverse, stele_buf *text)
{
    stele_error err;

    CHECK_OK(stele_buf_append(text, stele_empty(), &err), &err);
    for (;;) {
        stele_bytes id = stele_nil();
        stele_bytes json = stele_nil();
        stele_code rc = stele_docs_iter_next(it, &id, &json, &err);
        stele_buf there;

        if (rc == STELE_END) {
            break;
        }
        CHECK_OK(rc, &err);
        stele_buf_init(&there, SIZE_MAX);
        CHECK_OK(stele_docs_get(k->db, id, &there, &err), &err);
        CHECK_BYTES(json, stele_buf_view(&there));
        stele_buf_free(&there);
        add_id(text, id, reverse);
    }
    CHECK_CODE(stele_docs_iter_next(it, NULL, NULL, NULL), STELE_END);
    stele_docs_iter_end(it);
}

/* One search for each document, which goes on where the last one was. */
static void collect_one_by_one(struct kit *k, stele_docs_search search, stele_buf *text)
{
    stele_buf token;
    stele_error err;
    bool more = true;

    stele_buf_init(&token, SIZE_MAX);
    CHECK_OK(stele_buf_append(text, stele_empty(), &err), &err);
    search.limit = 1;
    while (more) {
        stele_docs_iter *it = NULL;
        stele_bytes id = stele_nil();
        stele_code rc;

        search.after = stele_buf_view(&token);
        CHECK_OK(stele_docs_search_begin(&it, k->db, &search, &err), &err);
        rc = stele_docs_iter_next(it, &id, NULL, &err);
        more = rc == STELE_OK;
        if (more) {
            add_id(text, id, search.backward);
            stele_buf_clear(&token);
            CHECK_OK(stele_buf_append(&token, stele_docs_iter_token(it), &err), &err);
        } else {
            CHECK_CODE(rc, STELE_END);
        }
        stele_docs_iter_end(it);
    }
    stele_buf_free(&token);
}

void kit_check_search(struct kit *k, const stele_docs_search *search, const char *ids)
{
    stele_docs_search again = *search;
    stele_error err;

    for (int way = 0; way < 4; way++) {
        stele_docs_iter *it = NULL;
        stele_buf text;

        stele_buf_init(&text, SIZE_MAX);
        again.backward = (way & 1) != 0;
        if ((way & 2) == 0) {
            CHECK_OK(stele_docs_search_begin(&it, k->db, &again, &err), &err);
            collect(k, it, again.backward, &text);
        } else {
            collect_one_by_one(k, again, &text);
        }
        CHECK_BYTES(stele_buf_view(&text), stele_str(ids));
        stele_buf_free(&text);
    }
}

void kit_check_match(struct kit *k, const char *type, const char *match, const char *ids)
{
    stele_docs_search search;

    stele_docs_search_init(&search);
    search.type = type;
    search.match = match == NULL ? stele_nil() : kit_json(match);
    kit_check_search(k, &search, ids);
}

void kit_check_all(struct kit *k, const char *ids)
{
    stele_error err;

    for (int backward = 0; backward < 2; backward++) {
        stele_docs_iter *it = NULL;
        stele_buf text;

        stele_buf_init(&text, SIZE_MAX);
        CHECK_OK(stele_docs_range(&it, k->db, stele_nil(), stele_nil(), backward != 0, &err), &err);
        collect(k, it, backward != 0, &text);
        CHECK_BYTES(stele_buf_view(&text), stele_str(ids));
        stele_buf_free(&text);
    }
}

int kit_compare_versions(stele_docs_version a, stele_docs_version b)
{
    if (a.seconds != b.seconds) {
        return a.seconds < b.seconds ? -1 : 1;
    }
    if (a.ns != b.ns) {
        return a.ns < b.ns ? -1 : 1;
    }
    return (a.server > b.server) - (a.server < b.server);
}
