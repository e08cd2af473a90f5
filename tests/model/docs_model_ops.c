/* SPDX-License-Identifier: MIT
 *
 * docs_model_ops.c: random operations on a database and on the map beside it.
 */
#include "docs/apply.h"
#include "docs/clock.h"
#include "model/docs_model_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PENDING = 8,
    BATCH_CHANGES = 4,
    SECOND = 1000000
};

/* An entry of another server, on its way. */
struct pending {
    bool used;
    unsigned id;
    struct sti_docs_entry entry;
    struct model_doc doc;
    char json[MODEL_JSON_SIZE];
};

static struct pending pending[PENDING];

/* ---- Changes made here. ---- */

static struct sti_docs_version inner(stele_docs_version v)
{
    return (struct sti_docs_version){v.seconds, v.ns, v.server};
}

/* A version that was given is above all others. */
static void note_version(struct run *r, stele_docs_version given)
{
    assert_true(sti_docs_version_compare(inner(given), r->last) > 0);
    assert_int_equal(given.server, stele_docs_server(r->db));
    r->last = inner(given);
}

static void model_change(struct run *r, unsigned id, stele_docs_version version, bool is_delete,
        stele_bytes json, const struct model_doc *doc)
{
    struct sti_docs_entry entry = {.version = inner(version),
            .is_delete = is_delete,
            .id = r->model.ids[id].id,
            .json = json};

    note_version(r, version);
    assert_int_equal(docs_model_add(&r->model, id, &entry, doc), MODEL_CURRENT);
}

/* The text of a document that was patched is as the library wrote it, but says what it has to. */
static void check_patched(struct run *r, unsigned id, stele_bytes json, const struct model_doc *doc)
{
    const struct model_entry *before = docs_model_now(&r->model, id);
    static char text[MODEL_JSON_SIZE];
    json_t *serial = json_loadb(before->json, before->json_len, JSON_ALLOW_NUL, NULL);
    json_t *is = json_loadb((const char *)json.data, json.len, JSON_ALLOW_NUL, NULL);
    size_t len =
            docs_model_json(doc, (uint64_t)json_integer_value(json_object_get(serial, "s")), text);
    json_t *want = json_loadb(text, len, JSON_ALLOW_NUL, NULL);

    assert_non_null(is);
    assert_non_null(want);
    if (!json_equal(is, want)) {
        print_error("%.*s\ninstead of\n%s\n", (int)json.len, (const char *)json.data, text);
        fail();
    }
    json_decref(serial);
    json_decref(is);
    json_decref(want);
}

/* One field changed or removed. */
static size_t make_patch(struct run *r, struct model_doc *doc, char *out, size_t size)
{
    int field = (int)docs_run_below(r, MODEL_FIELDS);
    int value = docs_run_below(r, 4) == 0 ? DOCS_VALUE_NULL : docs_run_value(r);
    char text[DOCS_VALUE_TEXT_SIZE];

    doc->fields[field] = value == DOCS_VALUE_NULL ? DOCS_VALUE_NONE : value;
    return (size_t)snprintf(
            out, size, "{\"%s\":%s}", docs_model_fields[field], docs_value_json(value, text));
}

enum change {
    SET,
    PATCH,
    DELETE
};

/* What a change is, and what has to come of it. */
struct wanted {
    enum change change;
    unsigned id;
    struct model_doc doc;
    char json[MODEL_JSON_SIZE]; /* or the patch */
    size_t len;
    stele_code code;
};

static void make_change(struct run *r, enum change change, struct wanted *w)
{
    const struct model_entry *now;

    w->change = change;
    w->id = (unsigned)docs_run_below(r, MODEL_IDS);
    w->code = STELE_OK;
    w->len = 0;
    now = docs_model_now(&r->model, w->id);
    if (change != SET && now == NULL) {
        w->code = STELE_ENOTFOUND;
        w->len = (size_t)snprintf(w->json, sizeof w->json, "{}");
        return;
    }
    if (change == SET) {
        docs_run_make_doc(r, w->id, &w->doc);
        w->len = docs_model_json(&w->doc, ++r->serial, w->json);
    } else if (change == PATCH && now->doc.unreadable) {
        w->code = STELE_EINVAL;
        w->len = (size_t)snprintf(w->json, sizeof w->json, "{}");
        return;
    } else {
        w->doc = now->doc;
        w->len = change == PATCH ? make_patch(r, &w->doc, w->json, sizeof w->json) : 0;
    }
    if (change != DELETE && docs_model_is_refused(&r->model, w->id, &w->doc)) {
        w->code = STELE_ECONFLICT;
    }
}

/* The model after a change that was done; `json` is what there is now. */
static void done(
        struct run *r, const struct wanted *w, stele_docs_version version, stele_bytes json)
{
    if (w->change == PATCH) {
        check_patched(r, w->id, json, &w->doc);
    }
    model_change(r, w->id, version, w->change == DELETE,
            w->change == DELETE ? stele_nil()
            : w->change == SET  ? stele_bytes_of(w->json, w->len)
                                : json,
            &w->doc);
}

static void do_change(struct run *r, enum change change)
{
    static struct wanted w;
    stele_docs_version version = {.seconds = -1};
    stele_bytes id;
    stele_buf json;
    stele_error err;
    stele_code rc;

    make_change(r, change, &w);
    id = r->model.ids[w.id].id;
    if (change == DELETE) {
        rc = stele_docs_delete(r->db, id, &version, &err);
    } else {
        rc = (change == SET ? stele_docs_set : stele_docs_patch)(
                r->db, id, stele_bytes_of(w.json, w.len), &version, &err);
    }
    if (w.code != STELE_OK) {
        assert_int_equal(rc, w.code);
        r->refused++;
        return;
    }
    CHECK_OK(rc, &err);
    stele_buf_init(&json, SIZE_MAX);
    if (change == PATCH) {
        CHECK_OK(stele_docs_get(r->db, id, &json, &err), &err);
    }
    done(r, &w, version, stele_buf_view(&json));
    stele_buf_free(&json);
}

/* ---- Batches. ---- */

static stele_code batch_change(struct run *r, stele_docs_batch *batch, const struct wanted *w,
        const stele_docs_version *expected, stele_docs_version *version, stele_error *err)
{
    stele_bytes id = r->model.ids[w->id].id;
    stele_bytes json = stele_bytes_of(w->json, w->len);

    switch (w->change) {
    case SET:
        return stele_docs_batch_set(batch, id, json, expected, version, err);
    case PATCH:
        return stele_docs_batch_patch(batch, id, json, expected, version, err);
    default:
        return stele_docs_batch_delete(batch, id, expected, version, err);
    }
}

/* The version that a document has, or another one; false: none is given. */
static bool make_expected(struct run *r, struct wanted *w, stele_docs_version *out)
{
    const struct model_entry *now = docs_model_now(&r->model, w->id);

    if (docs_run_below(r, 2) == 0) {
        return false;
    }
    *out = (stele_docs_version){.seconds = 0};
    if (now != NULL) {
        *out = (stele_docs_version){
                now->rank.version.seconds, now->rank.version.ns, now->rank.version.server};
    }
    if (docs_run_below(r, 10) == 0) {
        out->ns++;
        w->code = STELE_ESTALE;
    }
    return true;
}

/* Sets and deletions; the text that a patch makes is not to be seen before the end. */
static void do_batch(struct run *r, bool abort)
{
    static struct wanted w;
    unsigned ids[BATCH_CHANGES];
    size_t count = 1 + (size_t)docs_run_below(r, BATCH_CHANGES);
    size_t made = 0;
    stele_docs_batch *batch = NULL;
    stele_code code = STELE_OK;
    stele_error err;

    CHECK_OK(stele_docs_batch_begin(&batch, r->db, &err), &err);
    while (made < count && code == STELE_OK) {
        stele_docs_version version = {.seconds = -1};
        stele_docs_version expected;
        bool expects;

        make_change(r, docs_run_below(r, 4) == 0 ? DELETE : SET, &w);
        expects = make_expected(r, &w, &expected);
        code = batch_change(r, batch, &w, expects ? &expected : NULL, &version, &err);
        assert_int_equal(code, w.code);
        if (code == STELE_OK) {
            done(r, &w, version, stele_nil());
            ids[made++] = w.id;
        }
    }
    if (abort) {
        stele_docs_batch_abort(batch);
    } else {
        assert_int_equal(stele_docs_batch_end(batch, &err), code);
    }
    if (abort || code != STELE_OK) {
        r->refused++;
        while (made > 0) {
            docs_model_undo(&r->model, ids[--made]);
        }
    }
}

/* ---- Entries of others. ---- */

static void make_pending(struct run *r, struct pending *p)
{
    const struct model_id *at;
    size_t len;

    p->used = true;
    p->id = (unsigned)docs_run_below(r, MODEL_IDS);
    at = &r->model.ids[p->id];
    p->entry = (struct sti_docs_entry){.id = at->id, .is_delete = docs_run_below(r, 4) == 0};
    p->entry.version = (struct sti_docs_version){
            .seconds = r->now / SECOND - 30 + (int64_t)docs_run_below(r, 60),
            .ns = (uint32_t)docs_run_below(r, 3) * 499999999,
            .server = 5 + (uint32_t)docs_run_below(r, 3)};
    /* Two entries with one version. */
    if (at->count > 0 && docs_run_below(r, 6) == 0) {
        p->entry.version = at->entries[docs_run_below(r, at->count)].rank.version;
    }
    docs_run_make_doc(r, p->id, &p->doc);
    if (docs_run_below(r, 30) == 0) {
        p->doc.unreadable = true;
    }
    len = docs_model_json(&p->doc, ++r->serial, p->json);
    p->entry.json = p->entry.is_delete ? stele_nil() : stele_bytes_of(p->json, len);
    /* Nobody can know of what type it was meant to be. */
    p->doc.type = p->doc.unreadable ? MODEL_INVALID : p->doc.type;
}

static enum sti_docs_applied apply(struct run *r, const struct sti_docs_entry *entry)
{
    struct sti_docs_change change = {.document = NULL};
    enum sti_docs_applied applied = STI_DOCS_APPLIED_KNOWN;
    struct sti_docs_write w;
    stele_error err;

    CHECK_OK(sti_docs_write_begin(&w, r->db, &err), &err);
    CHECK_OK(sti_docs_change_prepare(&change, &w, entry, NULL, false, &err), &err);
    CHECK_OK(sti_docs_apply(&w, &change, &applied, &err), &err);
    sti_docs_clock_recover(&r->db->clock, entry->version);
    sti_docs_change_free(&change);
    CHECK_OK(sti_docs_write_end(&w, STELE_OK, &err), &err);
    return applied;
}

static void do_remote(struct run *r)
{
    struct pending *p = &pending[docs_run_below(r, PENDING)];
    enum model_added added;

    if (!p->used || docs_run_below(r, 2) == 0) {
        make_pending(r, p);
        return;
    }
    added = docs_model_add(&r->model, p->id, &p->entry, &p->doc);
    assert_int_equal(apply(r, &p->entry), added == MODEL_CURRENT ? STI_DOCS_APPLIED_CURRENT
                                          : added == MODEL_LATE  ? STI_DOCS_APPLIED_LATE
                                                                 : STI_DOCS_APPLIED_KNOWN);
    r->late += added == MODEL_LATE ? 1 : 0;
    if (sti_docs_version_compare(p->entry.version, r->last) > 0) {
        r->last = p->entry.version;
    }
    /* It may come again. */
    p->used = docs_run_below(r, 3) == 0;
}

/* ---- Types. ---- */

static void do_register(struct run *r)
{
    static char text[1 << 13];
    static char quoted[1 << 13];
    int number = (int)docs_run_below(r, MODEL_TYPES);
    struct model_type *type = &r->model.types[number];
    int order[MODEL_KEYS];
    size_t len = 0;
    stele_error err;

    type->registered = true;
    type->key_count = (size_t)docs_run_below(r, 10);
    for (int i = 0; i < MODEL_KEYS; i++) {
        int other = (int)docs_run_below(r, (uint64_t)i + 1);

        order[i] = order[other];
        order[other] = i;
    }
    len = (size_t)snprintf(text, sizeof text, "{'name':'%s','keys':[", docs_model_types[number]);
    for (size_t k = 0; k < type->key_count; k++) {
        const struct model_key *key = &docs_model_keys[order[k]];

        type->keys[k] = order[k];
        len += (size_t)snprintf(text + len, sizeof text - len, "%s{'name':'%s',%s}",
                k == 0 ? "" : ",", key->name, key->text);
    }
    (void)snprintf(text + len, sizeof text - len, "],'version':%" PRIu64 "}", ++r->definitions);
    CHECK_OK(stele_docs_register(r->db, docs_run_quoted(text, quoted, sizeof quoted), &err), &err);
    /* Until then the definition of before holds, too. */
    CHECK_OK(stele_docs_wait_ready(r->db, NULL, &err), &err);
}

/* ---- Phases. ---- */

static void reopen(struct run *r)
{
    /* Versions that were given count, also where nothing has them. */
    do_batch(r, true);
    /* The clock of the wall may have gone back meanwhile. */
    if (docs_run_below(r, 2) == 0) {
        r->now -= (stele_time)docs_run_below(r, 86400) * SECOND;
    }
    docs_run_close(r);
    docs_run_open(r);
}

static void operate(struct run *r)
{
    uint64_t kind = docs_run_below(r, 1000);

    r->now += (stele_time)docs_run_below(r, 3) * SECOND / 2;
    if (kind < 300) {
        do_change(r, SET);
    } else if (kind < 380) {
        do_change(r, PATCH);
    } else if (kind < 450) {
        do_change(r, DELETE);
    } else if (kind < 520) {
        do_batch(r, docs_run_below(r, 8) == 0);
    } else if (kind < 700) {
        do_remote(r);
    } else if (kind < 900) {
        docs_run_check_search(r);
    } else if (kind < 905) {
        docs_run_check_log(r);
    } else if (kind < 970) {
        docs_run_check_id(r, (unsigned)docs_run_below(r, MODEL_IDS));
    } else if (kind < 991) {
        docs_run_check_conflicts(r);
        docs_run_check_valid(r);
    } else if (kind < 997 || (kind < 999 && r->definitions < MODEL_TYPES)) {
        do_register(r);
    } else if (kind < 999) {
        reopen(r);
    } else {
        docs_run_restore(r);
    }
    r->operations++;
}

void docs_run_phase(struct run *r, uint64_t seed, unsigned operations, unsigned damages)
{
    r->random = seed;
    r->now = (stele_time)1700000000 * SECOND;
    r->serial = 0;
    r->definitions = 0;
    docs_run_new(r);
    docs_model_clear(&r->model);
    memset(r->model.types, 0, sizeof r->model.types);
    memset(pending, 0, sizeof pending);
    r->last = (struct sti_docs_version){.seconds = 0};
    for (unsigned i = 0; i < operations; i++) {
        operate(r);
    }
    docs_run_check_all(r);
    docs_run_restore(r);
    docs_run_check_all(r);
    for (unsigned i = 0; i < damages; i++) {
        docs_run_check_damage(r);
    }
}

struct run *docs_run_begin(void)
{
    struct run *r = calloc(1, sizeof *r);

    assert_non_null(r);
    docs_model_init(&r->model);
    return r;
}

void docs_run_end(struct run *r)
{
    docs_run_close(r);
    tmpdir_remove(&r->tmp);
    docs_model_free(&r->model);
    free(r);
}
