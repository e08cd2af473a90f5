/* SPDX-License-Identifier: MIT
 *
 * docs_model_check.c: whether the database is what the model says.
 */
#include "docs/state.h"
#include "model/docs_model_run.h"

#include <stdio.h>
#include <string.h>

/* ---- Searches. ---- */

/* What a search is made of, as texts that have to stay. */
struct asked {
    stele_docs_search search;
    char match[MODEL_JSON_SIZE];
    char low[DOCS_VALUE_TEXT_SIZE];
    char high[DOCS_VALUE_TEXT_SIZE];
};

/* A value to look for: mostly one that some document has. */
static int wanted(struct run *r, const struct model_key *key, size_t field)
{
    const struct model_entry *now =
            docs_model_now(&r->model, (unsigned)docs_run_below(r, MODEL_IDS));
    int value = now == NULL ? DOCS_VALUE_NONE : now->doc.fields[key->fields[field]];
    int elements[DOCS_ELEMENTS];
    int count = key->array && value != DOCS_VALUE_NONE ? docs_value_elements(value, elements) : -1;

    if (count > 0) {
        return elements[docs_run_below(r, (uint64_t)count)];
    }
    return value == DOCS_VALUE_NONE || docs_run_below(r, 3) == 0 ? docs_run_value(r) : value;
}

/* Bounds of one kind, that fit into an index whole. */
static void make_bounds(struct run *r, struct model_search *s)
{
    enum {
        LONG = 30 /* the value that is cut */
    };

    enum sti_docs_order order = s->key->orders[s->match_count];
    int low = wanted(r, s->key, s->match_count);
    int high = wanted(r, s->key, s->match_count);

    s->bounded = low != LONG && high != LONG;
    if (s->bounded && docs_run_below(r, 4) == 0 && docs_value_text(low) != NULL) {
        s->prefix = low;
        return;
    }
    s->low = docs_run_below(r, 3) == 0 ? DOCS_VALUE_NONE : low;
    s->high = s->low != DOCS_VALUE_NONE &&
                              (docs_run_below(r, 3) == 0 || !docs_value_same_kind(order, low, high))
                      ? DOCS_VALUE_NONE
                      : high;
    s->low_open = docs_run_below(r, 2) == 0;
    s->high_open = docs_run_below(r, 2) == 0;
}

static void make_search(struct run *r, struct model_search *s)
{
    const struct model_type *type;

    *s = (struct model_search){.type = (int)docs_run_below(r, MODEL_TYPES_ALL),
            .low = DOCS_VALUE_NONE,
            .high = DOCS_VALUE_NONE,
            .prefix = DOCS_VALUE_NONE,
            .backward = docs_run_below(r, 2) == 0};
    type = &r->model.types[s->type];
    if (!type->registered || type->key_count == 0 || docs_run_below(r, 12) == 0) {
        return;
    }
    s->key = &docs_model_keys[type->keys[docs_run_below(r, type->key_count)]];
    s->match_count = (size_t)docs_run_below(r, s->key->field_count + 1);
    for (size_t i = 0; i < s->match_count; i++) {
        s->match[i] = wanted(r, s->key, i);
    }
    if (s->match_count < s->key->field_count && docs_run_below(r, 3) != 0) {
        make_bounds(r, s);
    } else if (s->match_count > 0 && docs_run_below(r, 2) == 0) {
        s->key = docs_model_best(&r->model, s);
    }
}

/* The same as the library wants it; the fields in any order. */
static void ask(struct run *r, const struct model_search *s, struct asked *out)
{
    size_t from = s->match_count > 0 ? (size_t)docs_run_below(r, s->match_count) : 0;
    char value[DOCS_VALUE_TEXT_SIZE];
    size_t len = 1;

    stele_docs_search_init(&out->search);
    out->search.type = docs_model_types[s->type];
    out->search.backward = s->backward;
    (void)snprintf(out->match, sizeof out->match, "{");
    for (size_t i = 0; i < s->match_count; i++) {
        size_t at = (from + i) % s->match_count;

        len += (size_t)snprintf(out->match + len, sizeof out->match - len, "%s\"%s\":%s",
                i == 0 ? "" : ",", docs_model_fields[s->key->fields[at]],
                docs_value_json(s->match[at], value));
    }
    (void)snprintf(out->match + len, sizeof out->match - len, "}");
    out->search.match = stele_str(out->match);
    if (s->key != NULL && (docs_model_best(&r->model, s) != s->key || docs_run_below(r, 2) == 0)) {
        out->search.key = s->key->name;
    }
    if (s->bounded) {
        out->search.bound_field = docs_model_fields[s->key->fields[s->match_count]];
        out->search.low_open = s->low_open;
        out->search.high_open = s->high_open;
    }
    if (s->prefix != DOCS_VALUE_NONE) {
        out->search.prefix = stele_str(docs_value_text(s->prefix));
    } else if (s->bounded) {
        out->search.low = s->low == DOCS_VALUE_NONE ? stele_nil()
                                                    : stele_str(docs_value_json(s->low, out->low));
        out->search.high = s->high == DOCS_VALUE_NONE
                                   ? stele_nil()
                                   : stele_str(docs_value_json(s->high, out->high));
    }
}

/* What an iterator gives from place `at` on. */
static size_t check_given(struct run *r, stele_docs_iter *it, const unsigned *ids, size_t count,
        size_t at, size_t limit)
{
    size_t given = 0;

    for (;;) {
        stele_bytes id = stele_nil();
        stele_bytes json = stele_nil();
        stele_error err;
        stele_code rc = stele_docs_iter_next(it, &id, &json, &err);
        const struct model_entry *now;

        if (rc == STELE_END) {
            break;
        }
        CHECK_OK(rc, &err);
        assert_true(at + given < count);
        now = docs_model_now(&r->model, ids[at + given]);
        CHECK_BYTES(id, r->model.ids[ids[at + given]].id);
        CHECK_BYTES(json, stele_bytes_of(now->json, now->json_len));
        given++;
    }
    assert_true(given == limit || at + given == count);
    r->found += given;
    return given;
}

static stele_code begin(struct run *r, const struct asked *asked, stele_docs_iter **it)
{
    stele_error err;
    stele_code rc = stele_docs_search_begin(it, r->db, &asked->search, &err);

    /* Nobody has registered it, and nobody has it. */
    if (rc == STELE_ETYPE) {
        return rc;
    }
    if (rc != STELE_OK) {
        print_error("match %s key %s bound %s low %s high %s\n", asked->match,
                asked->search.key == NULL ? "" : asked->search.key,
                asked->search.bound_field == NULL ? "" : asked->search.bound_field, asked->low,
                asked->high);
    }
    CHECK_OK(rc, &err);
    return rc;
}

void docs_run_check_search(struct run *r)
{
    static struct asked asked;
    struct model_search s;
    unsigned ids[MODEL_IDS];
    stele_docs_iter *it = NULL;
    size_t count;
    size_t given;
    stele_buf token;
    stele_error err;

    memset(&asked, 0, sizeof asked);
    make_search(r, &s);
    ask(r, &s, &asked);
    count = docs_model_find(&r->model, &s, ids);
    asked.search.limit = docs_run_below(r, 2) == 0 ? 0 : 1 + docs_run_below(r, 4);
    if (begin(r, &asked, &it) != STELE_OK) {
        assert_int_equal(count, 0);
        assert_false(r->model.types[s.type].registered);
        return;
    }
    given = check_given(r, it, ids, count, 0, asked.search.limit);
    stele_buf_init(&token, SIZE_MAX);
    CHECK_OK(stele_buf_append(&token, stele_docs_iter_token(it), &err), &err);
    stele_docs_iter_end(it);
    if (given > 0) {
        asked.search.after = stele_buf_view(&token);
        asked.search.limit = 0;
        assert_int_equal(begin(r, &asked, &it), STELE_OK);
        (void)check_given(r, it, ids, count, given, 0);
        stele_docs_iter_end(it);
    }
    stele_buf_free(&token);
}

/* ---- One ID. ---- */

struct history {
    const struct model_id *at;
    size_t next;
};

static stele_code on_entry(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    struct history *h = arg;
    const struct model_entry *want = &h->at->entries[h->next];

    (void)err;
    assert_true(h->next < h->at->count);
    assert_int_equal(entry->is_delete, want->rank.is_delete);
    assert_int_equal(entry->version.seconds, want->rank.version.seconds);
    assert_int_equal(entry->version.ns, want->rank.version.ns);
    assert_int_equal(entry->version.server, want->rank.version.server);
    if (!entry->is_delete) {
        CHECK_BYTES(entry->json, stele_bytes_of(want->json, want->json_len));
    }
    h->next++;
    return STELE_OK;
}

void docs_run_check_id(struct run *r, unsigned id)
{
    const struct model_entry *now = docs_model_now(&r->model, id);
    struct history h = {.at = &r->model.ids[id]};
    stele_docs_version version = {.seconds = -1};
    bool deleted = false;
    stele_buf json;
    stele_error err;
    stele_code rc;

    stele_buf_init(&json, SIZE_MAX);
    rc = stele_docs_get(r->db, h.at->id, &json, &err);
    if (now == NULL) {
        assert_int_equal(rc, STELE_ENOTFOUND);
    } else {
        CHECK_OK(rc, &err);
        CHECK_BYTES(stele_buf_view(&json), stele_bytes_of(now->json, now->json_len));
    }
    stele_buf_free(&json);
    rc = stele_docs_version_of(r->db, h.at->id, &version, &deleted, &err);
    if (h.at->count == 0) {
        assert_int_equal(rc, STELE_ENOTFOUND);
    } else {
        struct sti_docs_version last = h.at->entries[h.at->count - 1].rank.version;

        CHECK_OK(rc, &err);
        assert_int_equal(deleted, now == NULL);
        assert_int_equal(version.seconds, last.seconds);
        assert_int_equal(version.ns, last.ns);
        assert_int_equal(version.server, last.server);
    }
    CHECK_OK(stele_docs_history(r->db, h.at->id, on_entry, &h, &err), &err);
    assert_int_equal(h.next, h.at->count);
}

/* ---- The log. ---- */

struct tail {
    struct run *run;
    stele_buf place; /* of the entry before */
    uint64_t count;
    uint64_t stop_at;
};

static stele_code on_logged(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    struct tail *t = arg;

    assert_true(
            t->place.len == 0 || stele_bytes_compare(stele_buf_view(&t->place), entry->log_id) < 0);
    stele_buf_clear(&t->place);
    CHECK_OK(stele_buf_append(&t->place, entry->log_id, err), err);
    return ++t->count == t->stop_at ? STELE_END : STELE_OK;
}

/* As far as some entry, and then from there: together that is all of it. */
void docs_run_check_log(struct run *r)
{
    struct tail t = {.run = r};
    uint64_t all = 0;
    stele_buf place;
    stele_error err;

    for (unsigned i = 0; i < MODEL_IDS; i++) {
        all += r->model.ids[i].count;
    }
    stele_buf_init(&t.place, SIZE_MAX);
    stele_buf_init(&place, SIZE_MAX);
    t.stop_at = 1 + docs_run_below(r, all + 1);
    CHECK_OK(stele_docs_log(r->db, stele_nil(), on_logged, &t, &err), &err);
    assert_int_equal(t.count, t.stop_at < all ? t.stop_at : all);
    t.stop_at = 0;
    if (t.count > 0) {
        CHECK_OK(stele_buf_append(&place, stele_buf_view(&t.place), &err), &err);
        CHECK_OK(stele_docs_log(r->db, stele_buf_view(&place), on_logged, &t, &err), &err);
    }
    assert_int_equal(t.count, all);
    stele_buf_free(&place);
    stele_buf_free(&t.place);
}

/* ---- Everything. ---- */

struct conflicts {
    struct run *run;
    size_t count;
};

static stele_code on_conflict(void *arg, const stele_docs_conflict *c, stele_error *err)
{
    struct conflicts *all = arg;

    (void)err;
    if (!docs_model_is_conflict(&all->run->model, c->type, c->key, c->owner, c->id)) {
        print_error("type %s, key %s: %.3s yields to %.3s\n", c->type, c->key,
                (const char *)c->id.data, (const char *)c->owner.data);
        fail();
    }
    all->count++;
    return STELE_OK;
}

void docs_run_check_conflicts(struct run *r)
{
    struct conflicts conflicts = {.run = r};
    stele_error err;

    /* Long keys are put together from the file. */
    CHECK_OK(stele_store_commit(r->db->store, &err), &err);
    CHECK_OK(stele_docs_conflicts(r->db, on_conflict, &conflicts, &err), &err);
    assert_int_equal(conflicts.count, docs_model_conflicts(&r->model));
    r->conflicts += conflicts.count;
}

static void on_fault(void *arg, const stele_docs_fault *fault)
{
    (void)arg;
    print_error("%.*s: %s\n", (int)(fault->id.len < 20 ? fault->id.len : 20),
            (const char *)fault->id.data, fault->text);
}

static stele_code add_pair(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    stele_buf *out = arg;

    CHECK_OK(stele_buf_append(out, key, err), err);
    CHECK_OK(stele_buf_append(out, stele_str("="), err), err);
    return stele_buf_append(out, value, err);
}

/* Every bucket as it is. */
void docs_run_dump(struct run *r, stele_buf *out)
{
    stele_store_read *read = NULL;
    stele_error err;

    stele_buf_init(out, SIZE_MAX);
    CHECK_OK(stele_store_read_begin(&read, r->db->store, &err), &err);
    for (int b = 0; b < STI_DOCS_BUCKET_COUNT; b++) {
        stele_bytes name = sti_docs_bucket_name((enum sti_docs_bucket)b);

        CHECK_OK(stele_buf_append(out, name, &err), &err);
        CHECK_OK(stele_store_read_for_each(read, name, add_pair, out, &err), &err);
    }
    stele_store_read_end(read);
}

void docs_run_check_valid(struct run *r)
{
    stele_docs_validated found = {.faults = 1};
    uint64_t documents = 0;
    uint64_t entries = 0;
    stele_error err;

    CHECK_OK(stele_docs_validate(r->db, on_fault, NULL, &found, &err), &err);
    for (unsigned i = 0; i < MODEL_IDS; i++) {
        documents += docs_model_now(&r->model, i) != NULL ? 1 : 0;
        entries += r->model.ids[i].count;
    }
    assert_int_equal(found.documents, documents);
    assert_int_equal(found.entries, entries);
    assert_int_equal(found.faults, 0);
}

void docs_run_check_all(struct run *r)
{
    stele_buf before;
    stele_buf after;
    stele_error err;

    for (unsigned i = 0; i < MODEL_IDS; i++) {
        docs_run_check_id(r, i);
    }
    docs_run_check_conflicts(r);
    docs_run_check_log(r);
    docs_run_check_valid(r);
    docs_run_dump(r, &before);
    CHECK_OK(stele_docs_reindex(r->db, &err), &err);
    docs_run_dump(r, &after);
    CHECK_BYTES(stele_buf_view(&after), stele_buf_view(&before));
    stele_buf_free(&before);
    stele_buf_free(&after);
}
