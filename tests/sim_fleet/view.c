/* SPDX-License-Identifier: MIT
 *
 * view.c: what a log means by the rules of docs: ranks, infos, owners.
 */
#include "lib/check.h"
#include "sim.h"

#include <stdlib.h>

enum {
    ENTRIES_MAX = 512 /* of one ID */
};

struct document {
    stele_bytes id;
    bool deleted;
    struct sti_docs_version version;
    stele_bytes key;
    struct sti_docs_version claim;
    size_t place; /* of the entry that counts */
};

stele_bytes sim_key_of(stele_bytes json)
{
    const uint8_t *blank = json.len == 0 ? NULL : memchr(json.data, ' ', json.len);

    return blank == NULL ? stele_empty() : stele_bytes_of(json.data, (size_t)(blank - json.data));
}

static struct sti_docs_entry entry_of(const struct fleet_item *item)
{
    struct sti_docs_entry e;

    CHECK_OK(sti_docs_entry_decode(&e, stele_bytes_of(item->bytes, item->len), NULL), NULL);
    return e;
}

/* The log is in the order of versions, and of one version and ID has one entry: so are those of an
 * ID in the order of their ranks. */
static void go_through(struct fleet_memory *log, stele_bytes id, struct document *out)
{
    struct sti_docs_info info = {.claim_count = 0};
    bool first = true;

    *out = (struct document){.id = id};
    for (size_t i = 0; i < log->count; i++) {
        struct sti_docs_entry e = entry_of(&log->items[i]);
        struct sti_docs_info next;
        stele_bytes key = sim_key_of(e.json);
        struct sti_docs_keys keys = {.list = &key, .count = e.is_delete ? 0 : 1};

        if (!stele_bytes_equal(e.id, id)) {
            continue;
        }
        CHECK_OK(sti_docs_info_after(
                         &next, first ? NULL : &info, e.version, e.is_delete, keys, NULL),
                NULL);
        sti_docs_info_free(&info);
        info = next;
        first = false;
        out->deleted = e.is_delete;
        out->version = e.version;
        out->key = key;
        out->place = i;
    }
    if (info.claim_count > 0) {
        out->claim = info.claims[0].version;
    }
    sti_docs_info_free(&info);
}

static int by_id(const void *a, const void *b)
{
    const struct document *x = a;
    const struct document *y = b;

    return stele_bytes_compare(x->id, y->id);
}

static size_t documents(struct fleet_memory *log, struct document **out)
{
    struct document *list = calloc(log->count + 1, sizeof *list);
    size_t count = 0;

    assert_non_null(list);
    (void)fleet_memory_place(log, stele_nil());
    for (size_t i = 0; i < log->count; i++) {
        stele_bytes id = entry_of(&log->items[i]).id;
        size_t j = 0;

        while (j < count && !stele_bytes_equal(list[j].id, id)) {
            j++;
        }
        if (j == count) {
            go_through(log, id, &list[count++]);
        }
    }
    qsort(list, count, sizeof *list, by_id);
    *out = list;
    return count;
}

static bool owns(const struct document *list, size_t count, size_t i)
{
    struct sti_docs_claimant claimants[SIM_IDS * 2];
    size_t n = 0;

    for (size_t j = 0; j < count; j++) {
        if (!list[j].deleted && stele_bytes_equal(list[j].key, list[i].key)) {
            assert_true(n < sizeof claimants / sizeof claimants[0]);
            claimants[n++] = (struct sti_docs_claimant){.version = list[j].claim, .id = list[j].id};
        }
    }
    return stele_bytes_equal(claimants[sti_docs_owner_of(claimants, n)].id, list[i].id);
}

void sim_view(struct fleet_memory *log, stele_buf *out)
{
    struct document *list;
    size_t count = documents(log, &list);

    for (size_t i = 0; i < count; i++) {
        const struct document *d = &list[i];
        const char *what = d->deleted ? "gone" : owns(list, count, i) ? "owns" : "wants";
        uint8_t version[STI_DOCS_VERSION_SIZE];
        char text[128];
        int len = snprintf(text, sizeof text, "%.*s %s %.*s", (int)d->id.len,
                (const char *)d->id.data, what, d->deleted ? 0 : (int)d->key.len,
                (const char *)d->key.data);

        sti_docs_version_put(version, d->version);
        for (size_t j = 0; j < sizeof version; j++) {
            len += snprintf(text + len, sizeof text - (size_t)len, "%02x", version[j]);
        }
        text[len++] = '\n';
        CHECK_OK(stele_buf_append(out, stele_bytes_of(text, (size_t)len), NULL), NULL);
    }
    free(list);
}

void sim_owner(struct fleet_memory *log, stele_bytes key, char owner[8])
{
    struct document *list;
    size_t count = documents(log, &list);

    owner[0] = 0;
    for (size_t i = 0; i < count; i++) {
        if (!list[i].deleted && stele_bytes_equal(list[i].key, key) && owns(list, count, i)) {
            (void)snprintf(owner, 8, "%.*s", (int)list[i].id.len, (const char *)list[i].id.data);
        }
    }
    free(list);
}

bool sim_is_live(struct fleet_memory *log, stele_bytes id)
{
    struct document d;

    (void)fleet_memory_place(log, stele_nil());
    go_through(log, id, &d);
    return d.version.seconds != 0 && !d.deleted;
}

bool sim_is_kept(struct fleet_memory *log, const struct fleet_item *item)
{
    struct sti_docs_entry e = entry_of(item);
    struct document d;

    go_through(log, e.id, &d);
    return sti_docs_version_compare(d.version, e.version) == 0 ||
           (!d.deleted && sti_docs_version_compare(d.claim, e.version) == 0);
}
