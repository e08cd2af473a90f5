/* SPDX-License-Identifier: MIT
 *
 * change.c: documents set, patched and deleted here.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/mutant.h"
#include "docs/apply.h"
#include "docs/expiry.h"
#include "docs/patch.h"
#include "docs/together.h"

enum {
    PEER_ID_MAX = 239 /* with its version, what a reference can list */
};

struct stele_docs_batch {
    struct sti_docs_write w;
    stele_code failed; /* it can only be aborted; the first failure */
};

/* ---- One change within a batch. ---- */

static stele_code check_id(const stele_docs *db, stele_bytes id, stele_error *err)
{
    if (id.data == NULL || id.len == 0) {
        return sti_fail(err, STELE_EINVAL, "an ID of no bytes");
    }
    if (id.len > db->options.id_max) {
        return sti_fail(err, STELE_ETOOBIG, "an ID of %zu bytes, more than %zu", id.len,
                db->options.id_max);
    }
    return STELE_OK;
}

/* The ID can be changed; a document under it that has ended is deleted first. */
static stele_code begin_in(struct sti_docs_write *w, stele_bytes id, stele_error *err)
{
    bool expired = false;
    stele_code rc = check_id(w->db, id, err);

    return rc == STELE_OK ? sti_docs_expire_one(w, id, &expired, err) : rc;
}

/* Whether the document has the version that is expected: zeros for none, NULL for any. */
static stele_code check_expected(struct sti_docs_write *w, stele_bytes id,
        const stele_docs_version *expected, stele_error *err)
{
    struct sti_docs_info info = {.deleted = true};
    struct sti_docs_version wanted;
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc;

    if (expected == NULL) {
        return STELE_OK;
    }
    rc = sti_docs_read(w->view, STI_DOCS_NFO, id, &value, &found, err);
    if (rc == STELE_OK && found) {
        rc = sti_docs_info_decode(&info, value, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    if (info.deleted && !STI_MUTANT(DOCS_EXPECTED_OF_DELETED)) {
        info.version = (struct sti_docs_version){.seconds = 0};
    }
    wanted = (struct sti_docs_version){expected->seconds, expected->ns, expected->server};
    if (sti_docs_version_compare(info.version, wanted) != 0 && !STI_MUTANT(DOCS_EXPECTED_IGNORED)) {
        rc = sti_fail(err, STELE_ESTALE, "the document has another version than is expected");
    }
    sti_docs_info_free(&info);
    return rc;
}

/* Make the change; the document is taken over. */
static stele_code make(struct sti_docs_write *w, struct sti_docs_entry *entry, json_t *document,
        stele_docs_version *version, stele_error *err)
{
    struct sti_docs_change change = {.document = NULL};
    enum sti_docs_applied applied = STI_DOCS_APPLIED_KNOWN;
    stele_code rc = sti_docs_write_version(w, &entry->version, err);

    if (rc != STELE_OK) {
        json_decref(document);
        return rc;
    }
    rc = sti_docs_change_prepare(&change, w, entry, document, true, err);
    if (rc == STELE_OK) {
        rc = sti_docs_change_check_owners(w, &change, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_apply(w, &change, &applied, err);
    }
    w->unclaimed = false;
    if (rc == STELE_OK && applied != STI_DOCS_APPLIED_CURRENT) {
        rc = sti_fail(err, STELE_ECORRUPT, "the document has a version that is still to come");
    }
    if (rc == STELE_OK && version != NULL) {
        *version = sti_docs_version_public(entry->version);
    }
    sti_docs_change_free(&change);
    return rc;
}

static stele_code parse(const stele_docs *db, stele_bytes json, json_t **document, stele_error *err)
{
    if (json.data == NULL) {
        return sti_fail(err, STELE_EINVAL, "no document");
    }
    return sti_docs_value_parse(json, &db->rules, document, err);
}

/* A document that was parsed, which is taken over. */
static stele_code set_in(struct sti_docs_write *w, const struct sti_docs_entry *given,
        json_t *document, const stele_docs_version *expected, stele_docs_version *version,
        stele_error *err)
{
    struct sti_docs_entry entry = *given;
    stele_code rc = begin_in(w, entry.id, err);

    if (rc == STELE_OK && w->db->options.refuse_long_ids && entry.id.len > PEER_ID_MAX) {
        rc = sti_fail(err, STELE_ETOOBIG, "an ID of %zu bytes, more than the %d of a reference",
                entry.id.len, PEER_ID_MAX);
    }
    if (rc == STELE_OK) {
        rc = check_expected(w, entry.id, expected, err);
    }
    if (rc != STELE_OK) {
        json_decref(document);
        return rc;
    }
    return make(w, &entry, document, version, err);
}

/* The document that is there. */
static stele_code read_in(
        struct sti_docs_write *w, stele_bytes id, stele_bytes *json, stele_error *err)
{
    bool found = false;
    stele_code rc = check_id(w->db, id, err);

    if (rc == STELE_OK) {
        rc = sti_docs_read(w->view, STI_DOCS_DAT, id, json, &found, err);
    }
    return rc == STELE_OK && !found ? sti_fail(err, STELE_ENOTFOUND, "no such document") : rc;
}

static stele_code delete_in(struct sti_docs_write *w, stele_bytes id,
        const stele_docs_version *expected, stele_docs_version *version, stele_error *err)
{
    struct sti_docs_entry entry = {.id = id, .is_delete = true};
    stele_bytes json = stele_nil();
    stele_code rc = begin_in(w, id, err);

    if (rc == STELE_OK) {
        rc = check_expected(w, id, expected, err);
    }
    if (rc == STELE_OK) {
        rc = read_in(w, id, &json, err);
    }
    return rc == STELE_OK ? make(w, &entry, NULL, version, err) : rc;
}

/* The text of a document with a patch. */
static stele_code patched(struct sti_docs_write *w, stele_bytes id, stele_bytes patch,
        stele_buf *out, stele_error *err)
{
    json_t *changes = NULL;
    json_t *before = NULL;
    json_t *after = NULL;
    stele_bytes json = stele_nil();
    stele_code rc = parse(w->db, patch, &changes, err);

    if (rc == STELE_OK) {
        rc = read_in(w, id, &json, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_value_of_peer(json, &before, err);
    }
    if (rc == STELE_OK && before == NULL) {
        /* A patch of nothing would throw away what nobody here has read. */
        rc = sti_fail(err, STELE_EINVAL, "the document is not JSON here, and cannot be patched");
    }
    if (rc == STELE_OK) {
        rc = sti_docs_patch(STI_MUTANT(DOCS_PATCH_FORGETS) ? NULL : before, changes, &after, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_value_print(after, out, err);
    }
    json_decref(changes);
    json_decref(before);
    json_decref(after);
    return rc;
}

static stele_code patch_in(struct sti_docs_write *w, stele_bytes id, stele_bytes patch,
        const stele_docs_version *expected, stele_docs_version *version, stele_error *err)
{
    struct sti_docs_entry entry = {.id = id};
    json_t *document = NULL;
    stele_buf text;
    stele_code rc = begin_in(w, id, err);

    stele_buf_init(&text, SIZE_MAX);
    if (rc == STELE_OK) {
        rc = check_expected(w, id, expected, err);
    }
    if (rc == STELE_OK) {
        rc = patched(w, id, patch, &text, err);
    }
    if (rc == STELE_OK) {
        entry.json = stele_buf_view(&text);
        rc = parse(w->db, entry.json, &document, err);
    }
    if (rc == STELE_OK) {
        rc = set_in(w, &entry, document, NULL, version, err);
    }
    stele_buf_free(&text);
    return rc;
}

/* ---- Batches. ---- */

stele_code stele_docs_batch_begin(stele_docs_batch **out, stele_docs *db, stele_error *err)
{
    stele_docs_batch *batch;
    stele_code rc;

    if (out == NULL || db == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, or nowhere to put the batch");
    }
    batch = sti_calloc(1, sizeof *batch);
    if (batch == NULL) {
        return sti_fail_memory(err, sizeof *batch);
    }
    rc = sti_docs_write_begin(&batch->w, db, err);
    if (rc != STELE_OK) {
        sti_free(batch);
        return rc;
    }
    atomic_fetch_add(&db->users, 1);
    *out = batch;
    return STELE_OK;
}

static stele_code check_batch(const stele_docs_batch *batch, stele_error *err)
{
    if (batch == NULL) {
        return sti_fail(err, STELE_EINVAL, "no batch");
    }
    return batch->failed == STELE_OK
                   ? STELE_OK
                   : sti_fail(err, batch->failed, "an earlier change of the batch failed");
}

stele_code stele_docs_batch_set(stele_docs_batch *batch, stele_bytes id, stele_bytes json,
        const stele_docs_version *expected, stele_docs_version *version, stele_error *err)
{
    struct sti_docs_entry entry = {.id = id, .json = json};
    json_t *document = NULL;
    stele_code rc = check_batch(batch, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = parse(batch->w.db, json, &document, err);
    if (rc == STELE_OK) {
        rc = set_in(&batch->w, &entry, document, expected, version, err);
    }
    batch->failed = STI_MUTANT(DOCS_BATCH_GOES_ON) ? STELE_OK : rc;
    return rc;
}

stele_code stele_docs_batch_patch(stele_docs_batch *batch, stele_bytes id, stele_bytes patch,
        const stele_docs_version *expected, stele_docs_version *version, stele_error *err)
{
    stele_code rc = check_batch(batch, err);

    if (rc == STELE_OK) {
        rc = patch_in(&batch->w, id, patch, expected, version, err);
        batch->failed = rc;
    }
    return rc;
}

stele_code stele_docs_batch_delete(stele_docs_batch *batch, stele_bytes id,
        const stele_docs_version *expected, stele_docs_version *version, stele_error *err)
{
    stele_code rc = check_batch(batch, err);

    if (rc == STELE_OK) {
        rc = delete_in(&batch->w, id, expected, version, err);
        batch->failed = rc;
    }
    return rc;
}

static stele_code finish(stele_docs_batch *batch, stele_code rc, stele_error *err)
{
    stele_docs *db = batch->w.db;

    rc = sti_docs_write_end(&batch->w, rc, err);
    sti_free(batch);
    atomic_fetch_sub(&db->users, 1);
    return rc;
}

stele_code stele_docs_batch_end(stele_docs_batch *batch, stele_error *err)
{
    stele_code rc = check_batch(batch, err);

    return batch == NULL ? rc : finish(batch, rc, err);
}

void stele_docs_batch_abort(stele_docs_batch *batch)
{
    if (batch != NULL) {
        (void)finish(batch, STELE_ECANCELED, NULL);
    }
}

/* ---- Batches of one change, or those of several threads. ---- */

/* What is to be changed. */
struct single {
    stele_docs *db;
    stele_bytes id;
    stele_bytes json; /* of the document, or the patch */
    json_t *document; /* parsed */
    stele_docs_version made;
};

static stele_code make_set(struct sti_docs_write *w, void *arg, stele_error *err)
{
    struct single *s = arg;
    struct sti_docs_entry entry = {.id = s->id, .json = s->json};

    return set_in(w, &entry, json_incref(s->document), NULL, &s->made, err);
}

static stele_code make_patch(struct sti_docs_write *w, void *arg, stele_error *err)
{
    struct single *s = arg;

    return patch_in(w, s->id, s->json, NULL, &s->made, err);
}

static stele_code make_delete(struct sti_docs_write *w, void *arg, stele_error *err)
{
    struct single *s = arg;

    return delete_in(w, s->id, NULL, &s->made, err);
}

/* What was given is given only if it is there. */
static stele_code change_one(struct single *s,
        stele_code (*how)(struct sti_docs_write *w, void *arg, stele_error *err),
        stele_docs_version *version, stele_error *err)
{
    stele_code rc = sti_docs_together(s->db, how, s, s->json.len, err);

    if (rc == STELE_OK && version != NULL) {
        *version = s->made;
    }
    return rc;
}

stele_code stele_docs_set(stele_docs *db, stele_bytes id, stele_bytes json,
        stele_docs_version *version, stele_error *err)
{
    struct single s = {.db = db, .id = id, .json = json};
    stele_code rc;

    if (db == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database");
    }
    rc = parse(db, json, &s.document, err);
    if (rc != STELE_OK) {
        return rc;
    }
    rc = change_one(&s, make_set, version, err);
    json_decref(s.document);
    return rc;
}

stele_code stele_docs_patch(stele_docs *db, stele_bytes id, stele_bytes patch,
        stele_docs_version *version, stele_error *err)
{
    struct single s = {.db = db, .id = id, .json = patch};

    return db == NULL ? sti_fail(err, STELE_EINVAL, "no database")
                      : change_one(&s, make_patch, version, err);
}

stele_code stele_docs_delete(
        stele_docs *db, stele_bytes id, stele_docs_version *version, stele_error *err)
{
    struct single s = {.db = db, .id = id};

    return db == NULL ? sti_fail(err, STELE_EINVAL, "no database")
                      : change_one(&s, make_delete, version, err);
}
