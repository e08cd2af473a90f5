/* SPDX-License-Identifier: MIT
 *
 * parts.c: messages that come in pieces, put together within bounds.
 */
#include "nats/parts.h"

#include "nats/memory.h"

#include <string.h>

struct sti_nats_part {
    struct sti_nats_part *next;
    bool answer;
    uint32_t id;
    uint16_t count;
    uint16_t taken; /* pieces */
    uint32_t total;
    size_t len;
    size_t capacity;
    int64_t born;
    uint8_t *data;
};

struct sti_nats_source {
    struct sti_nats_source *next;
    size_t held;
    unsigned open;
    struct sti_nats_part *parts; /* the newest first */
    char name[];
};

static struct sti_nats_source *find_source(struct sti_nats_parts *p, const char *from)
{
    struct sti_nats_source *s = p->sources;

    while (s != NULL && strcmp(s->name, from) != 0) {
        s = s->next;
    }
    return s;
}

static struct sti_nats_source *get_source(struct sti_nats_parts *p, const char *from)
{
    struct sti_nats_source *s = find_source(p, from);
    size_t len = strlen(from);

    if (s == NULL) {
        s = sti_nats_calloc(1, sizeof *s + len + 1);
        if (s != NULL) {
            memcpy(s->name, from, len + 1);
            s->next = p->sources;
            p->sources = s;
        }
    }
    return s;
}

/* Forget a sender of whom nothing is held. */
static void put_source(struct sti_nats_parts *p, struct sti_nats_source *s)
{
    struct sti_nats_source **at = &p->sources;

    if (s->held > 0 || s->parts != NULL) {
        return;
    }
    while (*at != s) {
        at = &(*at)->next;
    }
    *at = s->next;
    sti_nats_free(s);
}

static bool hold(struct sti_nats_parts *p, struct sti_nats_source *s, size_t size)
{
    if (size > p->limit - p->held || size > p->limit_each - s->held) {
        return false;
    }
    p->held += size;
    s->held += size;
    return true;
}

static void let_go(struct sti_nats_parts *p, struct sti_nats_source *s, size_t size)
{
    p->held -= size;
    s->held -= size;
}

static void drop_part(
        struct sti_nats_parts *p, struct sti_nats_source *s, struct sti_nats_part **at)
{
    struct sti_nats_part *part = *at;

    *at = part->next;
    s->open--;
    let_go(p, s, part->capacity + STI_NATS_MESSAGE_COST);
    sti_nats_free(part->data);
    sti_nats_free(part);
}

/* Room for `len` more bytes, doubled each time, but never beyond the whole message. */
static bool grow(
        struct sti_nats_parts *p, struct sti_nats_source *s, struct sti_nats_part *part, size_t len)
{
    size_t need = part->len + len;
    size_t capacity = part->capacity * 2 < need ? need : part->capacity * 2;
    uint8_t *data;

    if (need <= part->capacity) {
        return true;
    }
    capacity = capacity > part->total ? part->total : capacity;
    if (!hold(p, s, capacity - part->capacity)) {
        return false;
    }
    data = sti_nats_realloc(part->data, capacity == 0 ? 1 : capacity);
    if (data == NULL) {
        let_go(p, s, capacity - part->capacity);
        return false;
    }
    part->data = data;
    part->capacity = capacity;
    return true;
}

static struct sti_nats_part *begin_part(struct sti_nats_parts *p, struct sti_nats_source *s,
        bool answer, const struct sti_nats_envelope *e, int64_t now)
{
    struct sti_nats_part *part;

    if (s->open == STI_NATS_OPEN_MAX || !hold(p, s, STI_NATS_MESSAGE_COST)) {
        return NULL;
    }
    part = sti_nats_calloc(1, sizeof *part);
    if (part == NULL) {
        let_go(p, s, STI_NATS_MESSAGE_COST);
        return NULL;
    }
    part->answer = answer;
    part->id = e->id;
    part->count = e->count;
    part->total = e->total;
    part->born = now;
    part->next = s->parts;
    s->parts = part;
    s->open++;
    return part;
}

static struct sti_nats_part **find_part(
        struct sti_nats_source *s, bool answer, const struct sti_nats_envelope *e)
{
    struct sti_nats_part **at = &s->parts;

    while (*at != NULL && ((*at)->id != e->id || (*at)->answer != answer)) {
        at = &(*at)->next;
    }
    return at;
}

static bool fits(const struct sti_nats_part *part, const struct sti_nats_envelope *e, size_t len)
{
    bool last = e->index + 1 == e->count;

    return part->count == e->count && part->total == e->total && part->taken == e->index &&
           len <= part->total - part->len && last == (len == part->total - part->len);
}

static enum sti_nats_taken take(struct sti_nats_parts *p, struct sti_nats_source *s, bool answer,
        const struct sti_nats_envelope *e, stele_bytes piece, int64_t now,
        struct sti_nats_message *out)
{
    struct sti_nats_part **at = find_part(s, answer, e);
    struct sti_nats_part *part;

    if (*at != NULL && e->index == 0) {
        drop_part(p, s, at);
        at = find_part(s, answer, e);
    }
    if (*at == NULL && e->index > 0) {
        return STI_NATS_INVALID;
    }
    if (*at == NULL) {
        if (begin_part(p, s, answer, e, now) == NULL) {
            return STI_NATS_NO_ROOM;
        }
        at = find_part(s, answer, e);
    }
    part = *at;
    if (!fits(part, e, piece.len)) {
        drop_part(p, s, at);
        return STI_NATS_INVALID;
    }
    if (!grow(p, s, part, piece.len)) {
        drop_part(p, s, at);
        return STI_NATS_NO_ROOM;
    }
    if (piece.len > 0) {
        memcpy(part->data + part->len, piece.data, piece.len);
    }
    part->len += piece.len;
    part->taken++;
    if (part->taken < part->count) {
        return STI_NATS_MORE;
    }
    out->data = part->data;
    out->len = part->len;
    out->held = part->capacity + STI_NATS_MESSAGE_COST;
    *at = part->next;
    s->open--;
    sti_nats_free(part);
    return STI_NATS_WHOLE;
}

enum sti_nats_taken sti_nats_parts_take(struct sti_nats_parts *p, const char *from, bool answer,
        const struct sti_nats_envelope *envelope, stele_bytes piece, int64_t now,
        struct sti_nats_message *out)
{
    struct sti_nats_source *s = get_source(p, from);
    enum sti_nats_taken taken;

    if (s == NULL) {
        return STI_NATS_NO_ROOM;
    }
    taken = take(p, s, answer, envelope, piece, now, out);
    put_source(p, s);
    return taken;
}

void sti_nats_parts_release(
        struct sti_nats_parts *p, const char *from, struct sti_nats_message *message)
{
    struct sti_nats_source *s = find_source(p, from);

    if (s != NULL) {
        let_go(p, s, message->held);
        put_source(p, s);
    }
    sti_nats_free(message->data);
    message->data = NULL;
}

/* Of each sender what was begun before a moment. */
uint64_t sti_nats_parts_expire(struct sti_nats_parts *p, int64_t before)
{
    struct sti_nats_source *next;
    uint64_t count = 0;

    for (struct sti_nats_source *s = p->sources; s != NULL; s = next) {
        struct sti_nats_part **at = &s->parts;

        next = s->next;
        while (*at != NULL) {
            if ((*at)->born < before) {
                drop_part(p, s, at);
                count++;
            } else {
                at = &(*at)->next;
            }
        }
        put_source(p, s);
    }
    return count;
}

void sti_nats_parts_clear(struct sti_nats_parts *p)
{
    (void)sti_nats_parts_expire(p, INT64_MAX);
}
