/* SPDX-License-Identifier: MIT
 *
 * arrival.c: documents by rules of the reference, for which it matters what came first.
 *
 * A deletion takes the version of its document away: an older document that comes later is there
 * again. Who comes first owns a unique key, and whoever changes or deletes a document takes the
 * owner of its key away, be it another one.
 */
#include "lib/check.h"
#include "sim.h"

struct shown {
    bool has_version;
    bool is_live;
    struct sti_docs_version version;
    char key[16];
};

struct table {
    enum sim_rules rules;
    struct shown ids[SIM_IDS];
    int owners[SIM_KEYS]; /* -1: nobody */
};

static int key_number(const char *key)
{
    return key[3] - '0';
}

static void release(struct table *t, struct shown *d)
{
    if (d->is_live) {
        t->owners[key_number(d->key)] = -1;
    }
}

static void set(struct table *t, int i, const struct sti_docs_entry *e)
{
    struct shown *d = &t->ids[i];
    stele_bytes key = sim_key_of(e->json);

    if (!d->is_live || !stele_bytes_equal(stele_str(d->key), key)) {
        release(t, d);
        (void)snprintf(d->key, sizeof d->key, "%.*s", (int)key.len, (const char *)key.data);
        if (t->owners[key_number(d->key)] < 0) {
            t->owners[key_number(d->key)] = i;
        }
    }
    d->is_live = true;
}

static void apply(struct table *t, const struct sti_docs_entry *e)
{
    int i = e->id.data[0] - 'a';
    struct shown *d = &t->ids[i];

    if (d->has_version && sti_docs_version_compare(e->version, d->version) < 0) {
        return;
    }
    d->has_version = true;
    d->version = e->version;
    if (!e->is_delete) {
        set(t, i, e);
        return;
    }
    release(t, d);
    d->is_live = false;
    d->has_version = t->rules != SIM_RULES_DELETE_FORGETS;
}

static void print(const struct table *t, stele_buf *out)
{
    for (int i = 0; i < SIM_IDS && t->rules == SIM_RULES_DELETE_FORGETS; i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "%c %s %lld.%u\n", 'a' + i,
                t->ids[i].is_live ? t->ids[i].key : "-", (long long)t->ids[i].version.seconds,
                t->ids[i].version.ns);

        if (t->ids[i].is_live) {
            CHECK_OK(stele_buf_append(out, stele_bytes_of(text, (size_t)len), NULL), NULL);
        }
    }
    for (int i = 0; i < SIM_KEYS && t->rules == SIM_RULES_FIRST_OWNS; i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "key%d %d\n", i, t->owners[i]);

        CHECK_OK(stele_buf_append(out, stele_bytes_of(text, (size_t)len), NULL), NULL);
    }
}

void sim_arrival_view(stele_bytes arrivals, enum sim_rules rules, stele_buf *out)
{
    struct sti_fleet_reader r = sti_fleet_reader_of(arrivals);
    struct table t = {.rules = rules};

    for (int i = 0; i < SIM_KEYS; i++) {
        t.owners[i] = -1;
    }
    while (r.rest.len > 0) {
        struct sti_docs_entry e;

        CHECK_OK(sti_docs_entry_decode(&e, sti_fleet_read_sized(&r), NULL), NULL);
        apply(&t, &e);
    }
    print(&t, out);
}
