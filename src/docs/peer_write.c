/* SPDX-License-Identifier: MIT
 *
 * peer_write.c: entries of peers into a database.
 */
#include "base/alloc.h"
#include "base/arena.h"
#include "base/coding.h"
#include "base/env.h"
#include "base/error.h"
#include "docs/apply.h"
#include "docs/collate.h"
#include "docs/peer.h"

/* ---- Clashes, told when they are there for good. ---- */

struct noted {
    struct noted *next;
    struct sti_docs_clash clash;
};

struct taking {
    struct sti_docs_write w;
    struct sti_docs_taken taken;
    bool wanted;
    struct noted *first;
    struct noted **last;
    struct sti_arena memory;
};

static bool keep(struct sti_arena *memory, stele_bytes *bytes)
{
    uint8_t *copy = sti_arena_alloc(memory, bytes->len, 1);

    if (copy != NULL) {
        memcpy(copy, bytes->data, bytes->len);
        *bytes = stele_bytes_of(copy, bytes->len);
    }
    return copy != NULL;
}

static stele_code note(
        struct taking *t, stele_bytes claim, stele_bytes owner, stele_bytes loser, stele_error *err)
{
    uint16_t number = 0;
    const struct sti_docs_kind *kind = sti_docs_kind_of_claim(t->w.db, claim, &number);
    struct noted *n;

    if (kind == NULL) {
        return STELE_OK;
    }
    n = sti_arena_alloc(&t->memory, sizeof *n, sizeof(void *));
    if (n == NULL) {
        return sti_fail_memory(err, sizeof *n);
    }
    *n = (struct noted){.clash = {.type = kind->type->name,
                                .key = kind->type->keys[number - 1].name,
                                .owner = owner,
                                .id = loser}};
    if (!keep(&t->memory, &n->clash.owner) || !keep(&t->memory, &n->clash.id)) {
        return sti_fail_memory(err, owner.len + loser.len);
    }
    *t->last = n;
    t->last = &n->next;
    return STELE_OK;
}

/* The first who claims a key owns it; the other one is the document of the entry, or, if that is
 * the owner, the next. */
static stele_code note_claim(struct taking *t, stele_bytes claim, stele_bytes id, stele_error *err)
{
    stele_store_cursor *cursor = NULL;
    stele_bytes first = stele_nil();
    stele_bytes second = id;
    bool found = false;
    bool more = true;
    stele_buf owner;
    stele_code rc =
            stele_store_cursor_open(&cursor, t->w.view, sti_docs_bucket_name(STI_DOCS_IDX), err);

    if (rc != STELE_OK) {
        return rc;
    }
    stele_buf_init(&owner, SIZE_MAX);
    rc = sti_docs_index_owner(cursor, claim, &first, &found, err);
    if (rc == STELE_OK && found) {
        rc = stele_buf_append(&owner, first, err);
    }
    if (rc == STELE_OK && found && stele_bytes_equal(first, id)) {
        rc = sti_docs_index_next_claimant(cursor, claim, &second, &more, err);
    }
    if (rc == STELE_OK && found && more) {
        rc = note(t, claim, stele_buf_view(&owner), second, err);
    }
    stele_buf_free(&owner);
    stele_store_cursor_close(cursor);
    return rc;
}

static stele_code note_clashes(
        struct taking *t, const struct sti_docs_change *change, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (size_t i = 0; t->wanted && i < change->unique_count && rc == STELE_OK; i++) {
        stele_bytes value = stele_nil();
        bool several = false;

        rc = sti_docs_read(t->w.view, STI_DOCS_CFL, change->unique[i], &value, &several, err);
        if (rc == STELE_OK && several) {
            rc = note_claim(t, change->unique[i], change->entry.id, err);
        }
    }
    return rc;
}

/* ---- Entries. ---- */

static stele_code take(struct taking *t, const struct sti_docs_entry *entry, stele_error *err)
{
    struct sti_docs_change change = {.document = NULL};
    enum sti_docs_applied applied = STI_DOCS_APPLIED_KNOWN;
    stele_code rc = sti_docs_change_prepare(&change, &t->w, entry, NULL, false, err);

    if (rc == STELE_OK) {
        rc = sti_docs_apply(&t->w, &change, &applied, err);
    }
    if (rc == STELE_OK) {
        t->taken.known += applied == STI_DOCS_APPLIED_KNOWN;
        t->taken.made += applied != STI_DOCS_APPLIED_KNOWN;
        sti_docs_clock_recover(&t->w.db->clock, entry->version);
    }
    if (rc == STELE_OK && applied == STI_DOCS_APPLIED_CURRENT && atomic_load(&t->w.db->conflicts)) {
        rc = note_clashes(t, &change, err);
    }
    sti_docs_change_free(&change);
    return rc;
}

static stele_code take_bytes(struct taking *t, stele_bytes bytes, stele_error *err)
{
    struct sti_docs_entry entry;

    if (sti_docs_entry_decode(&entry, bytes, NULL) != STELE_OK) {
        t->taken.refused++;
        return STELE_OK;
    }
    return take(t, &entry, err);
}

stele_code sti_docs_peer_apply(stele_docs *db, const stele_bytes *entries, size_t count,
        struct sti_docs_taken *out, void (*clashes)(void *arg, const struct sti_docs_clash *clash),
        void *arg, stele_error *err)
{
    struct taking t = {.wanted = clashes != NULL};
    stele_code rc = sti_docs_write_begin(&t.w, db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    t.w.below = true;
    t.last = &t.first;
    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        rc = take_bytes(&t, entries[i], err);
    }
    t.taken.seq = db->last_seq;
    rc = sti_docs_write_end(&t.w, rc, err);
    if (rc == STELE_OK) {
        *out = t.taken;
        for (const struct noted *n = clashes == NULL ? NULL : t.first; n != NULL; n = n->next) {
            clashes(arg, &n->clash);
        }
    }
    sti_arena_free(&t.memory);
    return rc;
}

/* ---- The rest. ---- */

/* An empty batch is durable when all before it is. */
stele_code sti_docs_peer_durable(stele_docs *db, stele_error *err)
{
    stele_store_batch *batch = NULL;
    stele_code rc;

    if (db->options.not_durable) {
        return STELE_OK;
    }
    rc = stele_store_batch_begin(&batch, db->store, NULL, err);
    return rc == STELE_OK ? stele_store_batch_end_durable(batch, err) : rc;
}

static stele_code put_met(
        stele_docs *db, const char *name, stele_bytes value, uint32_t server, stele_error *err)
{
    struct sti_docs_write w = {.db = db};
    stele_code rc = sti_docs_write_begin(&w, db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_docs_put(&w, STI_DOCS_MET, stele_str(name), value, err);
    if (rc == STELE_OK && server != 0) {
        /* One who asks for the number meanwhile has no batch. */
        __atomic_store_n(&db->clock.server, server, __ATOMIC_RELAXED);
    }
    return sti_docs_write_end(&w, rc, err);
}

stele_code sti_docs_peer_set_server(stele_docs *db, uint32_t server, stele_error *err)
{
    uint8_t value[1 + 4] = {STI_DOCS_FORM};

    if (server == 0) {
        return sti_fail(err, STELE_EINVAL, "0 is no number of a server");
    }
    sti_put_be32(value + 1, server);
    return put_met(db, "server", stele_bytes_of(value, sizeof value), server, err);
}

stele_code sti_docs_peer_scatter(stele_docs *db, uint32_t ns, stele_error *err)
{
    struct sti_docs_write w = {.db = db};
    struct sti_docs_version v;
    stele_code rc = sti_docs_write_begin(&w, db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    v = (struct sti_docs_version){
            .seconds = db->clock.last.seconds, .ns = db->clock.last.ns + ns % STI_DOCS_SECOND_NS};
    if (v.ns >= STI_DOCS_SECOND_NS) {
        v.seconds += v.seconds < INT64_MAX; /* at the end of time it stays below the last one */
        v.ns -= STI_DOCS_SECOND_NS;
    }
    sti_docs_clock_recover(&db->clock, v);
    return sti_docs_write_end(&w, STELE_OK, err);
}

stele_code sti_docs_peer_put_note(stele_docs *db, stele_bytes note, stele_error *err)
{
    static const uint8_t form = STI_DOCS_FORM;
    stele_buf value;
    stele_code rc;

    stele_buf_init(&value, SIZE_MAX);
    rc = stele_buf_append(&value, stele_bytes_of(&form, sizeof form), err);
    rc = rc == STELE_OK ? stele_buf_append(&value, note, err) : rc;
    rc = rc == STELE_OK ? put_met(db, STI_DOCS_NOTE, stele_buf_view(&value), 0, err) : rc;
    stele_buf_free(&value);
    return rc;
}

stele_code sti_docs_peer_get_note(stele_docs *db, stele_buf *out, stele_error *err)
{
    stele_store_read *read = NULL;
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_read_begin(&read, db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_docs_read(read, STI_DOCS_MET, stele_str(STI_DOCS_NOTE), &value, &found, err);
    if (rc == STELE_OK && found) {
        rc = value.len == 0 ? sti_fail(err, STELE_ECORRUPT, "the note of the node has no bytes")
                            : sti_docs_check_form(value, value.len - 1, "note of the node", err);
    }
    if (rc == STELE_OK && found) {
        rc = stele_buf_append(out, stele_bytes_of(value.data + 1, value.len - 1), err);
    }
    stele_store_read_end(read);
    return rc;
}

stele_code sti_docs_peer_collation(const stele_docs *db, stele_buf *out, stele_error *err)
{
    uint8_t version[STI_DOCS_COLLATOR_VERSION_SIZE];

    sti_docs_collator_version(db->collator, version);
    return stele_buf_append(out, stele_bytes_of(version, sizeof version), err);
}

const stele_env *sti_docs_peer_env(const stele_docs *db)
{
    return &db->env;
}
