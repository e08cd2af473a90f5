/* SPDX-License-Identifier: MIT */
#include "store/merge.h"

#include "base/assert.h"

enum move {
    TO_FIRST,
    TO_LAST,
    TO_KEY, /* the first one that is not below it */
    BEFORE_KEY,
    TO_NEXT,
    TO_PREV
};

void sti_merge_init(struct sti_merge *m, const struct sti_table *const *tables, uint32_t count,
        uint64_t seq, bool own, uint32_t bucket, const struct sti_base *base, void *arg)
{
    sti_assert(count <= STI_MERGE_TABLES);
    for (uint32_t i = 0; i < count; i++) {
        sti_cursor_init(&m->cursors[i], tables[i], seq);
    }
    m->table_count = count;
    m->base = base;
    m->arg = arg;
    m->bucket = bucket;
    m->own = own && count > 0;
    m->changes = 0;
    m->visible = 0;
    m->live = 0;
    m->at = 0;
    m->placed = false;
    m->backwards = false;
}

static int compare(stele_bytes a, stele_bytes b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int c = common == 0 ? 0 : memcmp(a.data, b.data, common);

    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

/* ---- One source. ---- */

static bool is_base(const struct sti_merge *m, uint32_t source)
{
    return source == m->table_count;
}

static bool move_cursor(struct sti_cursor *c, uint32_t bucket, enum move move, stele_bytes key)
{
    switch (move) {
    case TO_FIRST:
        return sti_cursor_seek(c, bucket, stele_nil());
    case TO_LAST:
        return bucket == UINT32_MAX ? sti_cursor_last(c)
                                    : sti_cursor_before(c, bucket + 1, stele_nil());
    case TO_KEY:
        return sti_cursor_seek(c, bucket, key);
    case BEFORE_KEY:
        return sti_cursor_before(c, bucket, key);
    case TO_NEXT:
        return sti_cursor_next(c);
    case TO_PREV:
        return sti_cursor_prev(c);
    }
    sti_unreachable();
}

static stele_code move_base(struct sti_merge *m, enum move move, stele_bytes key, stele_error *err)
{
    struct sti_item *item = &m->items[m->table_count];

    switch (move) {
    case TO_FIRST:
        return m->base->seek(m->arg, stele_nil(), item, err);
    case TO_LAST:
        return m->base->last(m->arg, item, err);
    case TO_KEY:
        return m->base->seek(m->arg, key, item, err);
    case BEFORE_KEY:
        return m->base->before(m->arg, key, item, err);
    case TO_NEXT:
        return m->base->next(m->arg, item, err);
    case TO_PREV:
        return m->base->prev(m->arg, item, err);
    }
    sti_unreachable();
}

/* Afterwards the source is live if there was a key to go to. */
static stele_code move_source(
        struct sti_merge *m, uint32_t source, enum move move, stele_bytes key, stele_error *err)
{
    struct sti_cursor *c = &m->cursors[source];
    uint32_t bit = (uint32_t)1 << source;

    m->live &= ~bit;
    if (is_base(m, source)) {
        stele_code rc = move_base(m, move, key, err);

        if (rc != STELE_OK) {
            return rc == STELE_END ? STELE_OK : rc;
        }
    } else if (move_cursor(c, m->bucket, move, key) && c->entry->bucket == m->bucket) {
        m->items[source].key = sti_entry_key(c->entry);
        m->items[source].value = stele_bytes_of(c->version->value, c->version->value_len);
    } else {
        return STELE_OK;
    }
    m->live |= bit;
    return STELE_OK;
}

static stele_code move_all(
        struct sti_merge *m, uint32_t sources, enum move move, stele_bytes key, stele_error *err)
{
    for (; sources != 0; sources &= sources - 1) {
        stele_code rc = move_source(m, (uint32_t)__builtin_ctz(sources), move, key, err);

        if (rc != STELE_OK) {
            return rc;
        }
    }
    return STELE_OK;
}

/* ---- All of them. ---- */

/* The sources down to the one where the bucket was dropped. */
static uint32_t visible_sources(const struct sti_merge *m)
{
    uint32_t visible = 0;

    for (uint32_t i = 0; i < m->table_count; i++) {
        visible |= (uint32_t)1 << i;
        if (sti_table_dropped(m->cursors[i].table, m->cursors[i].seq, m->bucket)) {
            return visible;
        }
    }
    return m->base == NULL ? visible : visible | (uint32_t)1 << m->table_count;
}

/* Which of the live sources are at the first key, or backwards at the last. */
static uint32_t foremost(const struct sti_merge *m)
{
    uint32_t rest = m->live & (m->live - 1);
    uint32_t best = (uint32_t)__builtin_ctz(m->live);
    uint32_t at = (uint32_t)1 << best;

    for (; rest != 0; rest &= rest - 1) {
        uint32_t source = (uint32_t)__builtin_ctz(rest);
        int c = compare(m->items[source].key, m->items[best].key);

        if (c == 0) {
            at |= (uint32_t)1 << source;
        } else if ((c < 0) != m->backwards) {
            best = source;
            at = (uint32_t)1 << source;
        }
    }
    return at;
}

/* From where the sources are, go on to a key that is not deleted. */
static stele_code settle(struct sti_merge *m, stele_error *err)
{
    m->placed = false;
    while (m->live != 0) {
        uint32_t newest;
        stele_code rc;

        m->at = foremost(m);
        newest = (uint32_t)__builtin_ctz(m->at);
        if (is_base(m, newest) || m->cursors[newest].version->kind == STI_WRITE_PUT) {
            m->item = m->items[newest];
            m->placed = true;
            return STELE_OK;
        }
        rc = move_all(m, m->at, m->backwards ? TO_PREV : TO_NEXT, stele_nil(), err);
        if (rc != STELE_OK) {
            return rc;
        }
    }
    return STELE_END;
}

static stele_code place(
        struct sti_merge *m, enum move move, stele_bytes key, bool backwards, stele_error *err)
{
    stele_code rc;

    m->placed = false;
    m->live = 0;
    m->backwards = backwards;
    m->visible = visible_sources(m);
    if (m->own) {
        m->changes = m->cursors[0].table->changes;
    }
    rc = move_all(m, m->visible, move, key, err);
    return rc != STELE_OK ? rc : settle(m, err);
}

stele_code sti_merge_seek(struct sti_merge *m, stele_bytes key, stele_error *err)
{
    return place(m, TO_KEY, key, false, err);
}

stele_code sti_merge_before(struct sti_merge *m, stele_bytes key, stele_error *err)
{
    return place(m, BEFORE_KEY, key, true, err);
}

stele_code sti_merge_last(struct sti_merge *m, stele_error *err)
{
    return place(m, TO_LAST, stele_nil(), true, err);
}

/* ---- Going on. ---- */

/* The own table may have got keys between the item and the place of its
 * cursor, other versions, or a drop: look again, for what comes behind the
 * item, or backwards before it. */
static stele_code renew_own(struct sti_merge *m, bool backwards, stele_error *err)
{
    stele_bytes key = m->item.key;
    stele_code rc;

    m->changes = m->cursors[0].table->changes;
    m->visible &= visible_sources(m);
    m->live &= m->visible;
    m->at &= m->visible & ~(uint32_t)1;
    rc = move_source(m, 0, backwards ? BEFORE_KEY : TO_KEY, key, err);
    if (rc == STELE_OK && !backwards && (m->live & 1) != 0 && compare(m->items[0].key, key) == 0) {
        rc = move_source(m, 0, TO_NEXT, key, err);
    }
    return rc;
}

/* The sources that are behind the item go before it, or the other way round.
 * One that has come to its end begins at the other end of what it passed. */
static stele_code turn(struct sti_merge *m, uint32_t sources, bool backwards, stele_error *err)
{
    uint32_t live = m->live;
    stele_code rc = move_all(m, sources & live, backwards ? TO_PREV : TO_NEXT, stele_nil(), err);

    if (rc == STELE_OK) {
        rc = move_all(m, sources & ~live, backwards ? TO_LAST : TO_FIRST, stele_nil(), err);
    }
    m->backwards = backwards;
    return rc;
}

/* The base alone has anything left: most walks are mostly this. */
static stele_code step_base(struct sti_merge *m, bool backwards, stele_error *err)
{
    struct sti_item *item = &m->items[m->table_count];
    stele_code rc = backwards ? m->base->prev(m->arg, item, err) : m->base->next(m->arg, item, err);

    m->placed = rc == STELE_OK;
    if (m->placed) {
        m->item = *item;
    } else {
        m->live = 0;
    }
    return rc;
}

static stele_code go_on(struct sti_merge *m, bool backwards, stele_error *err)
{
    bool changed = m->own && m->changes != m->cursors[0].table->changes;
    uint32_t fixed = 0;
    stele_code rc = STELE_OK;

    sti_debug_assert(m->placed);
    if (!changed && m->backwards == backwards && m->live == (uint32_t)1 << m->table_count) {
        return step_base(m, backwards, err);
    }
    m->placed = false;
    if (changed) {
        rc = renew_own(m, backwards, err);
        fixed = 1;
    }
    if (rc == STELE_OK && m->backwards != backwards) {
        rc = turn(m, m->visible & ~fixed, backwards, err);
    } else if (rc == STELE_OK) {
        rc = move_all(m, m->at & ~fixed, backwards ? TO_PREV : TO_NEXT, stele_nil(), err);
    }
    return rc != STELE_OK ? rc : settle(m, err);
}

stele_code sti_merge_next(struct sti_merge *m, stele_error *err)
{
    return go_on(m, false, err);
}

stele_code sti_merge_prev(struct sti_merge *m, stele_error *err)
{
    return go_on(m, true, err);
}

/* ---- One key. ---- */

enum sti_found sti_merge_get(const struct sti_table *const *tables, uint32_t count, uint64_t seq,
        uint32_t bucket, stele_bytes key, stele_bytes *value)
{
    enum sti_found found = STI_ABSENT;

    for (uint32_t i = 0; i < count && found == STI_ABSENT; i++) {
        found = sti_table_get(tables[i], seq, bucket, key, value);
    }
    return found;
}
