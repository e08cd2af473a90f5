/* SPDX-License-Identifier: MIT
 *
 * docs_model.c: entries by ID.
 */
#include "model/docs_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const docs_model_fields[MODEL_FIELDS] = {"b", "u", "n", "w", "a", "q"};
const char *const docs_model_types[MODEL_TYPES_ALL] = {"t0", "t1", "t2", "invalid"};

static void must(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "model: %s\n", what);
        abort();
    }
}

/* ---- The whole. ---- */

/* Short ones, one with a zero byte, and some that a reference cannot be told of. */
static void make_id(struct model_id *id, unsigned number)
{
    enum {
        LONG = 300,
        LONGEST = 16384
    };

    size_t len = number % 10 == 7 ? LONG : number == MODEL_IDS - 1 ? LONGEST : 4;
    uint8_t *bytes = malloc(len);
    char text[8];

    must(bytes != NULL, "no memory");
    (void)snprintf(text, sizeof text, "d%02u", number);
    memset(bytes, 'y', len);
    memcpy(bytes, text, 3);
    if (len == 4) {
        bytes[3] = number % 10 == 3 ? 0 : (uint8_t)(200 + number);
    }
    id->id = stele_bytes_of(bytes, len);
}

void docs_model_init(struct model *m)
{
    must(docs_values_are_whole(), "the table of values");
    memset(m, 0, sizeof *m);
    for (unsigned i = 0; i < MODEL_IDS; i++) {
        make_id(&m->ids[i], i);
    }
}

void docs_model_clear(struct model *m)
{
    for (unsigned i = 0; i < MODEL_IDS; i++) {
        while (m->ids[i].count > 0) {
            docs_model_undo(m, i);
        }
    }
}

void docs_model_free(struct model *m)
{
    docs_model_clear(m);
    for (unsigned i = 0; i < MODEL_IDS; i++) {
        free((void *)(uintptr_t)m->ids[i].id.data);
    }
}

size_t docs_model_json(const struct model_doc *doc, uint64_t serial, char out[MODEL_JSON_SIZE])
{
    char value[DOCS_VALUE_TEXT_SIZE];
    size_t len = 0;

    len += (size_t)snprintf(out, MODEL_JSON_SIZE, "{\"s\":%llu", (unsigned long long)serial);
    if (doc->type != MODEL_INVALID) {
        len += (size_t)snprintf(
                out + len, MODEL_JSON_SIZE - len, ",\"@type\":\"%s\"", docs_model_types[doc->type]);
    }
    for (int f = 0; f < MODEL_FIELDS; f++) {
        if (doc->fields[f] != DOCS_VALUE_NONE) {
            len += (size_t)snprintf(out + len, MODEL_JSON_SIZE - len, ",\"%s\":%s",
                    docs_model_fields[f], docs_value_json(doc->fields[f], value));
        }
    }
    len += (size_t)snprintf(
            out + len, MODEL_JSON_SIZE - len, "%s}", doc->unreadable ? ",\"z\":1e400" : "");
    must(len < MODEL_JSON_SIZE, "a long document");
    return len;
}

/* ---- Entries. ---- */

static char *copy(stele_bytes from)
{
    char *to = malloc(from.len + 1);

    must(to != NULL, "no memory");
    if (from.len > 0) {
        memcpy(to, from.data, from.len);
    }
    to[from.len] = '\0';
    return to;
}

enum model_added docs_model_add(struct model *m, unsigned id, const struct sti_docs_entry *entry,
        const struct model_doc *doc)
{
    struct model_id *at = &m->ids[id];
    struct model_entry new = {.doc = *doc};
    size_t i = at->count;

    new.rank.version = entry->version;
    new.rank.is_delete = entry->is_delete;
    must(sti_docs_entry_hash(entry, new.rank.hash, NULL) == STELE_OK, "no hash");
    while (i > 0 &&
            sti_docs_version_compare(at->entries[i - 1].rank.version, entry->version) >= 0) {
        i--;
    }
    if (i < at->count &&
            sti_docs_version_compare(at->entries[i].rank.version, entry->version) == 0) {
        if (sti_docs_rank_compare(&at->entries[i].rank, &new.rank) >= 0) {
            return MODEL_KNOWN;
        }
        free(at->entries[i].json);
    } else {
        must(at->count < MODEL_ENTRIES, "too many entries");
        memmove(&at->entries[i + 1], &at->entries[i], (at->count - i) * sizeof new);
        at->count++;
    }
    new.json = copy(entry->json);
    new.json_len = entry->json.len;
    at->entries[i] = new;
    return i + 1 == at->count ? MODEL_CURRENT : MODEL_LATE;
}

void docs_model_undo(struct model *m, unsigned id)
{
    struct model_id *at = &m->ids[id];

    at->count--;
    free(at->entries[at->count].json);
}

const struct model_entry *docs_model_now(const struct model *m, unsigned id)
{
    const struct model_id *at = &m->ids[id];

    return at->count == 0 || at->entries[at->count - 1].rank.is_delete
                   ? NULL
                   : &at->entries[at->count - 1];
}
