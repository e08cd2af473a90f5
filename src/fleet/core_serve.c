/* SPDX-License-Identifier: MIT
 *
 * core_serve.c: what is asked of us. Nothing is kept of who asks.
 */
#include "base/alloc.h"
#include "base/coding.h"
#include "base/error.h"
#include "fleet/core_state.h"

enum {
    LOOK_MAX = 65536 /* keys that are looked at for a packet */
};

/* ---- Entries of a range. ---- */

struct selection {
    struct sti_fleet_core *c;
    const struct sti_fleet_recon_head *head;
    uint64_t *ids; /* ascending; NULL: all */
    size_t count;
    size_t looked;
    sti_fleet_entry_fn each;
    void *arg;
    bool ended;
};

static int compare_ids(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return (*x > *y) - (*x < *y);
}

static stele_code look(
        void *arg, stele_bytes key, const uint8_t hash[STI_DOCS_HASH_SIZE], stele_error *err)
{
    struct selection *s = arg;
    const struct sti_fleet_storage *storage = &s->c->config.storage;
    uint64_t id;
    stele_buf entry;
    stele_code rc;

    if (s->looked++ >= LOOK_MAX) {
        s->ended = true;
        return STELE_END;
    }
    if (s->ids != NULL) {
        id = sti_fleet_short_id(s->head, hash);
        if (bsearch(&id, s->ids, s->count, sizeof id, compare_ids) == NULL) {
            return STELE_OK;
        }
    }
    stele_buf_init(&entry, SIZE_MAX);
    rc = storage->read(storage->set.arg, key, &entry, err);
    rc = rc == STELE_OK ? s->each(s->arg, stele_buf_view(&entry), err) : rc;
    s->ended = s->ended || rc == STELE_END;
    stele_buf_free(&entry);
    return rc;
}

stele_code sti_fleet_select(struct sti_fleet_core *c, const struct sti_fleet_recon_head *head,
        const struct sti_fleet_fetch_item *item, size_t *looked, sti_fleet_entry_fn each, void *arg,
        bool *whole)
{
    const struct sti_fleet_set *set = &c->config.storage.set;
    struct selection s = {.c = c, .head = head, .looked = *looked, .each = each, .arg = arg};
    stele_code rc;

    s.count = item->ids.len / STI_FLEET_SHORT_SIZE;
    if (s.count > 0) {
        s.ids = sti_calloc(s.count, sizeof s.ids[0]);
        if (s.ids == NULL) {
            return sti_fail_memory(c->err, item->ids.len);
        }
        for (size_t i = 0; i < s.count; i++) {
            s.ids[i] = sti_get_be64(item->ids.data + i * STI_FLEET_SHORT_SIZE);
        }
        qsort(s.ids, s.count, sizeof s.ids[0], compare_ids);
    }
    rc = set->ops->keys(set->arg, sti_fleet_bound_view(&item->low),
            sti_fleet_bound_view(&item->high), look, &s, c->err);
    sti_free(s.ids);
    *looked = s.looked;
    *whole = !s.ended;
    return rc;
}

/* ---- Reconciliation, fetch. ---- */

static stele_code refuse(struct sti_fleet_core *c)
{
    c->counters.bad_packets++;
    return sti_fleet_do_reply(c, STELE_ECORRUPT, stele_nil());
}

/* Its session does the work of ours, which waits until it must have ended. Of two that were begun
 * at once, that of the lower name goes on. */
static void leave_to(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    int64_t at = sti_fleet_later(c->event->now_ns, 2 * c->config.state_ns);

    for (size_t i = 0; i < STI_FLEET_SESSIONS; i++) {
        struct sti_fleet_session *s = &c->sessions[i];

        if (s->peer == p && s->rounds == 0 && !s->fetching && strcmp(c->config.self, p->name) > 0) {
            sti_fleet_want_session(p, at, !s->whole);
            sti_fleet_session_free(s);
        }
    }
    if (p->recon_at != STI_FLEET_NEVER && p->recon_at < at) {
        p->recon_at = at;
    }
}

stele_code sti_fleet_on_recon(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    stele_buf out;
    stele_code rc;

    leave_to(c, p);
    stele_buf_init(&out, SIZE_MAX);
    rc = sti_fleet_recon_answer(&c->config.storage.set, c->horizon, c->event->bytes, &out, c->err);
    if (rc == STELE_ECORRUPT || rc == STELE_EVERSION) {
        rc = refuse(c);
    } else if (rc == STELE_OK) {
        rc = sti_fleet_do_reply(c, STELE_OK, stele_buf_view(&out));
    }
    stele_buf_free(&out);
    return rc;
}

struct answer {
    stele_buf buf;
    size_t max;
};

/* At least one, however large. */
static stele_code add_entry(void *arg, stele_bytes entry, stele_error *err)
{
    struct answer *a = arg;

    if (a->buf.len > a->max) {
        return STELE_END;
    }
    return sti_fleet_entries_add(entry, &a->buf, err);
}

stele_code sti_fleet_on_fetch(struct sti_fleet_core *c, struct sti_fleet_peer *p)
{
    struct sti_fleet_fetch fetch;
    struct sti_fleet_fetch_item item;
    struct sti_fleet_recon_head head = {.session = 0};
    struct answer a;
    size_t looked = 0;
    bool whole = true;
    stele_code rc;

    if (sti_fleet_fetch_decode(&fetch, c->event->bytes, NULL) != STELE_OK) {
        return refuse(c);
    }
    leave_to(c, p);
    head.session = fetch.session;
    head.salt = fetch.salt;
    stele_buf_init(&a.buf, SIZE_MAX);
    a.max = fetch.bytes_max < STI_FLEET_REPLY_FLUSH ? (size_t)fetch.bytes_max
                                                    : STI_FLEET_REPLY_FLUSH;
    rc = sti_fleet_logs_begin(fetch.session, &a.buf, c->err);
    while (rc == STELE_OK && whole && sti_fleet_fetch_next(&fetch, &item) == STELE_OK) {
        rc = sti_fleet_select(c, &head, &item, &looked, add_entry, &a, &whole);
    }
    if (rc == STELE_OK) {
        a.buf.data[STI_FLEET_LOGS_MORE_AT] = !whole;
        rc = sti_fleet_do_reply(c, STELE_OK, stele_buf_view(&a.buf));
    }
    stele_buf_free(&a.buf);
    return rc;
}

/* ---- Snapshots. ---- */

struct snapshot {
    stele_buf entries;
    stele_buf cursor; /* the last ID */
    bool more;
};

/* All entries of an ID go into one answer. */
static stele_code add_kept(void *arg, stele_bytes id, stele_bytes entry, stele_error *err)
{
    struct snapshot *s = arg;
    stele_code rc = STELE_OK;

    if (!stele_bytes_equal(stele_buf_view(&s->cursor), id)) {
        if (s->entries.len > STI_FLEET_REPLY_FLUSH) {
            s->more = true;
            return STELE_END;
        }
        stele_buf_clear(&s->cursor);
        rc = stele_buf_append(&s->cursor, id, err);
    }
    return rc == STELE_OK ? sti_fleet_entries_add(entry, &s->entries, err) : rc;
}

stele_code sti_fleet_on_snap(struct sti_fleet_core *c)
{
    const struct sti_fleet_storage *storage = &c->config.storage;
    struct sti_fleet_snap snap;
    struct snapshot s = {.more = false};
    stele_buf out;
    stele_code rc;

    if (sti_fleet_snap_decode(&snap, c->event->bytes, NULL) != STELE_OK) {
        return refuse(c);
    }
    stele_buf_init(&s.entries, SIZE_MAX);
    stele_buf_init(&s.cursor, SIZE_MAX);
    stele_buf_init(&out, SIZE_MAX);
    rc = storage->kept(storage->set.arg, snap.cursor, add_kept, &s, c->err);
    rc = rc == STELE_OK
                 ? sti_fleet_snap_reply_encode(s.more ? stele_buf_view(&s.cursor) : stele_empty(),
                           stele_buf_view(&s.entries), &out, c->err)
                 : rc;
    rc = rc == STELE_OK ? sti_fleet_do_reply(c, STELE_OK, stele_buf_view(&out)) : rc;
    stele_buf_free(&s.entries);
    stele_buf_free(&s.cursor);
    stele_buf_free(&out);
    return rc;
}
