/* SPDX-License-Identifier: MIT
 *
 * typed.c: codecs between a stream and its users.
 *
 * A typed container has two sides. A read fills and decodes the side that is
 * not shown, and shows it when all went well: so a message that a codec
 * refuses leaves the caller's messages as they were.
 */
#include <stele/typed.h>

#include "base/alloc.h"
#include "base/env.h"
#include "base/error.h"
#include "stream/arena.h"

struct side {
    stele_messages *raw;
    stele_arena arena; /* the decoded keys and values */
    stele_typed_message *items;
    size_t count;
    size_t capacity;
};

struct stele_typed_messages {
    struct side sides[2];
    unsigned shown;
};

struct stele_typed_stream {
    stele_stream *raw;
    bool owned;
    stele_codec key;
    stele_codec value;
};

/* ---- Containers. ---- */

static void side_clear(struct side *side)
{
    if (side->raw != NULL) {
        stele_messages_clear(side->raw);
    }
    sti_arena_reset(&side->arena.memory);
    side->count = 0;
}

void stele_typed_messages_free(stele_typed_messages *ms)
{
    if (ms == NULL) {
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        stele_messages_free(ms->sides[i].raw);
        sti_arena_free(&ms->sides[i].arena.memory);
        sti_free(ms->sides[i].items);
    }
    sti_free(ms);
}

stele_code stele_typed_messages_new(stele_typed_messages **out, stele_error *err)
{
    stele_typed_messages *ms;
    stele_code rc = STELE_OK;

    if (out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no place for the new messages");
    }
    ms = sti_calloc(1, sizeof *ms);
    if (ms == NULL) {
        return sti_fail_memory(err, sizeof *ms);
    }
    for (size_t i = 0; i < 2 && rc == STELE_OK; i++) {
        rc = stele_messages_new(&ms->sides[i].raw, err);
    }
    if (rc != STELE_OK) {
        stele_typed_messages_free(ms);
        return rc;
    }
    *out = ms;
    return STELE_OK;
}

size_t stele_typed_messages_count(const stele_typed_messages *ms)
{
    return ms == NULL ? 0 : ms->sides[ms->shown].count;
}

const stele_typed_message *stele_typed_messages_at(const stele_typed_messages *ms, size_t index)
{
    if (index >= stele_typed_messages_count(ms)) {
        return NULL;
    }
    return &ms->sides[ms->shown].items[index];
}

void stele_typed_messages_clear(stele_typed_messages *ms)
{
    if (ms != NULL) {
        side_clear(&ms->sides[0]);
        side_clear(&ms->sides[1]);
    }
}

static struct side *hidden(stele_typed_messages *ms)
{
    return &ms->sides[1 - ms->shown];
}

/* The side that was filled becomes the one to see; the other lets go of what
 * it held. */
static void show_hidden(stele_typed_messages *ms)
{
    ms->shown = 1 - ms->shown;
    side_clear(hidden(ms));
}

/* ---- Codecs. ---- */

/* A codec that fails need not say why, and may give a code that is none. */
static stele_code codec_failed(
        stele_error *err, stele_code rc, const char *what, const stele_error *why)
{
    if (rc > STELE_OK) {
        return sti_fail(err, STELE_EINVAL, "%s: the codec returned %d", what, (int)rc);
    }
    return sti_fail(
            err, rc, "%s: %s", what, why->message[0] == '\0' ? stele_code_text(rc) : why->message);
}

static stele_code encode(const stele_codec *codec, const char *what, const void *value, bool absent,
        stele_buf *out, stele_error *err)
{
    stele_error why;
    stele_code rc;

    if (value == NULL && !absent) {
        return sti_fail(err, STELE_EINVAL, "%s: none, and not said to be absent", what);
    }
    why.message[0] = '\0';
    rc = codec->encode(codec->arg, value, absent, out, &why);
    return rc == STELE_OK ? STELE_OK : codec_failed(err, rc, what, &why);
}

static stele_code decode(const stele_codec *codec, const char *what, stele_bytes in,
        stele_arena *arena, const void **out, bool *absent, stele_error *err)
{
    void *value = stele_arena_alloc(arena, codec->value_size);
    stele_error why;
    stele_code rc;

    if (value == NULL) {
        return sti_fail_memory(err, codec->value_size);
    }
    memset(value, 0, codec->value_size);
    *absent = false;
    why.message[0] = '\0';
    rc = codec->decode(codec->arg, in, arena, value, absent, &why);
    if (rc != STELE_OK) {
        return codec_failed(err, rc, what, &why);
    }
    if (*absent) {
        memset(value, 0, codec->value_size);
    }
    *out = value;
    return STELE_OK;
}

static stele_code reserve_items(struct side *side, size_t more, stele_error *err)
{
    stele_typed_message *items;
    size_t capacity = side->count + more;

    if (more <= side->capacity - side->count) {
        return STELE_OK;
    }
    if (capacity < side->count) {
        return sti_fail_memory(err, SIZE_MAX);
    }
    items = sti_realloc(side->items, capacity, sizeof *items);
    if (items == NULL) {
        return sti_fail_memory(err, capacity);
    }
    side->items = items;
    side->capacity = capacity;
    return STELE_OK;
}

/* Decode the raw messages from index `first` on, and add them to the items;
 * on failure none is added. */
static stele_code decode_from(
        const stele_typed_stream *t, struct side *side, size_t first, stele_error *err)
{
    size_t count = stele_messages_count(side->raw);
    stele_code rc = reserve_items(side, count - first, err);

    for (size_t i = first; i < count && rc == STELE_OK; i++) {
        const stele_message *m = stele_messages_at(side->raw, i);
        stele_typed_message *item = &side->items[side->count + (i - first)];

        item->offset = m->offset;
        item->time = m->time;
        rc = decode(&t->key, "key", m->key, &side->arena, &item->key, &item->key_absent, err);
        if (rc == STELE_OK) {
            rc = decode(&t->value, "value", m->value, &side->arena, &item->value,
                    &item->value_absent, err);
        }
        if (rc != STELE_OK) {
            return sti_wrap(err, rc, "message at offset %lld", (long long)m->offset);
        }
    }
    if (rc == STELE_OK) {
        side->count += count - first;
    }
    return rc;
}

/* ---- Opening. ---- */

static stele_code copy_codec(
        stele_codec *out, const stele_codec *codec, const char *what, stele_error *err)
{
    stele_code rc;

    if (codec == NULL) {
        return sti_fail(err, STELE_EINVAL, "%s: none", what);
    }
    rc = sti_options_copy(out, sizeof *out, codec, what, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (out->encode == NULL || out->decode == NULL) {
        return sti_fail(err, STELE_EINVAL, "%s: lacks a function", what);
    }
    return STELE_OK;
}

static stele_code copy_codecs(
        stele_codec out[2], const stele_codec *key, const stele_codec *value, stele_error *err)
{
    stele_code rc = copy_codec(&out[0], key, "key codec", err);

    return rc == STELE_OK ? copy_codec(&out[1], value, "value codec", err) : rc;
}

/* NULL when there is no memory. */
static stele_typed_stream *typed_new(const stele_codec codecs[2])
{
    stele_typed_stream *t = sti_calloc(1, sizeof *t);

    if (t != NULL) {
        t->key = codecs[0];
        t->value = codecs[1];
    }
    return t;
}

stele_code stele_typed_wrap(stele_typed_stream **out, stele_stream *s, const stele_codec *key,
        const stele_codec *value, stele_error *err)
{
    stele_typed_stream *t;
    stele_codec codecs[2];
    stele_code rc;

    if (out == NULL || s == NULL) {
        return sti_fail(err, STELE_EINVAL, "no stream to wrap, or no place for the result");
    }
    rc = copy_codecs(codecs, key, value, err);
    if (rc != STELE_OK) {
        return rc;
    }
    t = typed_new(codecs);
    if (t == NULL) {
        return sti_fail_memory(err, sizeof *t);
    }
    t->raw = s;
    *out = t;
    return STELE_OK;
}

stele_code stele_typed_open(stele_typed_stream **out, const char *dir,
        const stele_stream_options *opts, const stele_codec *key, const stele_codec *value,
        stele_error *err)
{
    stele_typed_stream *t;
    stele_codec codecs[2];
    stele_code rc;

    if (out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no place for the stream");
    }
    rc = copy_codecs(codecs, key, value, err);
    if (rc != STELE_OK) {
        return rc;
    }
    t = typed_new(codecs);
    if (t == NULL) {
        return sti_fail_memory(err, sizeof *t);
    }
    rc = stele_stream_open(&t->raw, dir, opts, err);
    if (rc != STELE_OK) {
        sti_free(t);
        return rc;
    }
    t->owned = true;
    *out = t;
    return STELE_OK;
}

stele_code stele_typed_close(stele_typed_stream *t, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (t == NULL) {
        return STELE_OK;
    }
    if (t->owned) {
        rc = stele_stream_close(t->raw, err);
    }
    sti_free(t);
    return rc;
}

stele_stream *stele_typed_raw(stele_typed_stream *t)
{
    return t == NULL ? NULL : t->raw;
}

static stele_code need_stream(const stele_typed_stream *t, stele_error *err)
{
    return t != NULL ? STELE_OK : sti_fail(err, STELE_EINVAL, "no stream");
}

/* ---- Writing. ---- */

/* Messages on their way into the stream, with the buffers that they lie in:
 * two for each, key and value. */
struct encoded {
    stele_message *messages;
    stele_buf *bufs;
    size_t count;
};

static void encoded_free(struct encoded *e)
{
    if (e->bufs != NULL) {
        for (size_t i = 0; i < e->count * 2; i++) {
            stele_buf_free(&e->bufs[i]);
        }
    }
    sti_free(e->bufs);
    sti_free(e->messages);
}

static stele_code encode_message(const stele_typed_stream *t, const stele_typed_message *in,
        stele_buf bufs[2], stele_message *out, stele_error *err)
{
    stele_code rc = encode(&t->key, "key", in->key, in->key_absent, &bufs[0], err);

    if (rc == STELE_OK) {
        rc = encode(&t->value, "value", in->value, in->value_absent, &bufs[1], err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    out->offset = in->offset;
    out->time = in->time;
    out->key = stele_buf_view(&bufs[0]);
    out->value = stele_buf_view(&bufs[1]);
    return STELE_OK;
}

static stele_code encode_all(const stele_typed_stream *t, const stele_typed_message *messages,
        size_t count, struct encoded *e, stele_error *err)
{
    if (count > SIZE_MAX / 2) {
        return sti_fail_memory(err, SIZE_MAX);
    }
    if (count != 0 && messages == NULL) {
        return sti_fail(err, STELE_EINVAL, "%zu messages at no address", count);
    }
    e->messages = sti_calloc(count, sizeof *e->messages);
    e->bufs = sti_calloc(count * 2, sizeof *e->bufs);
    if (e->messages == NULL || e->bufs == NULL) {
        return sti_fail_memory(err, count);
    }
    e->count = count;
    for (size_t i = 0; i < count * 2; i++) {
        stele_buf_init(&e->bufs[i], STELE_MESSAGE_SIZE_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        stele_code rc = encode_message(t, &messages[i], &e->bufs[i * 2], &e->messages[i], err);

        if (rc != STELE_OK) {
            return sti_wrap(err, rc, "message %zu of %zu", i + 1, count);
        }
    }
    return STELE_OK;
}

stele_code stele_typed_publish(stele_typed_stream *t, const stele_typed_message *messages,
        size_t count, int64_t *next_offset, stele_error *err)
{
    struct encoded e = {.messages = NULL};
    stele_code rc = need_stream(t, err);

    if (rc == STELE_OK) {
        rc = encode_all(t, messages, count, &e, err);
    }
    if (rc == STELE_OK) {
        rc = stele_stream_publish(t->raw, e.messages, count, next_offset, err);
    }
    encoded_free(&e);
    return rc;
}

stele_code stele_typed_publish_at(stele_typed_stream *t, int64_t expected,
        const stele_typed_message *messages, size_t count, int64_t *next_offset, stele_error *err)
{
    struct encoded e = {.messages = NULL};
    stele_code rc = need_stream(t, err);

    if (rc == STELE_OK) {
        rc = encode_all(t, messages, count, &e, err);
    }
    if (rc == STELE_OK) {
        rc = stele_stream_publish_at(t->raw, expected, e.messages, count, next_offset, err);
    }
    encoded_free(&e);
    return rc;
}

stele_code stele_typed_next_offset(stele_typed_stream *t, int64_t *next_offset, stele_error *err)
{
    stele_code rc = need_stream(t, err);

    return rc == STELE_OK ? stele_stream_next_offset(t->raw, next_offset, err) : rc;
}

/* ---- Reading. ---- */

static stele_code need_out(
        const stele_typed_stream *t, const stele_typed_messages *out, stele_error *err)
{
    stele_code rc = need_stream(t, err);

    if (rc == STELE_OK && out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no container for the messages");
    }
    return rc;
}

/* What a read of the stream gave lies on the hidden side: decode it, and show
 * it. *next_offset (may be NULL) is set when all went well. */
static stele_code finish_read(const stele_typed_stream *t, stele_code rc, stele_typed_messages *out,
        int64_t next, int64_t *next_offset, stele_error *err)
{
    if (rc == STELE_OK) {
        rc = decode_from(t, hidden(out), 0, err);
    }
    if (rc != STELE_OK) {
        side_clear(hidden(out));
        return rc;
    }
    show_hidden(out);
    if (next_offset != NULL) {
        *next_offset = next;
    }
    return STELE_OK;
}

stele_code stele_typed_consume(stele_typed_stream *t, int64_t offset, int64_t count_max,
        stele_typed_messages *out, int64_t *next_offset, stele_error *err)
{
    int64_t next = 0;
    stele_code rc = need_out(t, out, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_stream_consume(t->raw, offset, count_max, hidden(out)->raw, &next, err);
    return finish_read(t, rc, out, next, next_offset, err);
}

stele_code stele_typed_consume_wait(stele_typed_stream *t, int64_t offset, int64_t count_max,
        const stele_wait *wait, stele_typed_messages *out, int64_t *next_offset, stele_error *err)
{
    int64_t next = 0;
    stele_code rc = need_out(t, out, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_stream_consume_wait(t->raw, offset, count_max, wait, hidden(out)->raw, &next, err);
    return finish_read(t, rc, out, next, next_offset, err);
}

/* The bytes of a key to look for, which lie in `buf`. */
static stele_code encode_key(
        const stele_typed_stream *t, const void *key, bool absent, stele_buf *buf, stele_error *err)
{
    stele_buf_init(buf, STELE_MESSAGE_SIZE_MAX);
    return encode(&t->key, "key", key, absent, buf, err);
}

stele_code stele_typed_consume_by_key(stele_typed_stream *t, const void *key, bool absent,
        int64_t offset, int64_t count_max, stele_typed_messages *out, int64_t *next_offset,
        stele_error *err)
{
    int64_t next = 0;
    stele_buf buf;
    stele_code rc = need_out(t, out, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = encode_key(t, key, absent, &buf, err);
    if (rc == STELE_OK) {
        rc = stele_stream_consume_by_key(
                t->raw, stele_buf_view(&buf), offset, count_max, hidden(out)->raw, &next, err);
    }
    stele_buf_free(&buf);
    return finish_read(t, rc, out, next, next_offset, err);
}

stele_code stele_typed_consume_by_key_wait(stele_typed_stream *t, const void *key, bool absent,
        int64_t offset, int64_t count_max, const stele_wait *wait, stele_typed_messages *out,
        int64_t *next_offset, stele_error *err)
{
    int64_t next = 0;
    stele_buf buf;
    stele_code rc = need_out(t, out, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = encode_key(t, key, absent, &buf, err);
    if (rc == STELE_OK) {
        rc = stele_stream_consume_by_key_wait(t->raw, stele_buf_view(&buf), offset, count_max, wait,
                hidden(out)->raw, &next, err);
    }
    stele_buf_free(&buf);
    return finish_read(t, rc, out, next, next_offset, err);
}

stele_code stele_typed_get(
        stele_typed_stream *t, int64_t offset, stele_typed_messages *out, stele_error *err)
{
    stele_code rc = need_out(t, out, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_stream_get(t->raw, offset, hidden(out)->raw, err);
    return finish_read(t, rc, out, 0, NULL, err);
}

stele_code stele_typed_get_by_key(stele_typed_stream *t, const void *key, bool absent,
        stele_typed_messages *out, stele_error *err)
{
    stele_buf buf;
    stele_code rc = need_out(t, out, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = encode_key(t, key, absent, &buf, err);
    if (rc == STELE_OK) {
        rc = stele_stream_get_by_key(t->raw, stele_buf_view(&buf), hidden(out)->raw, err);
    }
    stele_buf_free(&buf);
    return finish_read(t, rc, out, 0, NULL, err);
}

stele_code stele_typed_offset_by_key(
        stele_typed_stream *t, const void *key, bool absent, int64_t *offset, stele_error *err)
{
    stele_buf buf;
    stele_code rc = need_stream(t, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = encode_key(t, key, absent, &buf, err);
    if (rc == STELE_OK) {
        rc = stele_stream_offset_by_key(t->raw, stele_buf_view(&buf), offset, err);
    }
    stele_buf_free(&buf);
    return rc;
}

stele_code stele_typed_get_by_time(
        stele_typed_stream *t, stele_time start, stele_typed_messages *out, stele_error *err)
{
    stele_code rc = need_out(t, out, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_stream_get_by_time(t->raw, start, hidden(out)->raw, err);
    return finish_read(t, rc, out, 0, NULL, err);
}

stele_code stele_typed_offset_by_time(stele_typed_stream *t, stele_time start, int64_t *offset,
        stele_time *time, stele_error *err)
{
    stele_code rc = need_stream(t, err);

    return rc == STELE_OK ? stele_stream_offset_by_time(t->raw, start, offset, time, err) : rc;
}

/* ---- The rest. ---- */

/* What was deleted is added to what `messages` shows. The deletion stands also
 * if a codec refuses one of the messages; the error then names it. */
stele_code stele_typed_delete(stele_typed_stream *t, const stele_offsets *offsets,
        stele_typed_messages *messages, stele_offsets *deleted, int64_t *size, stele_error *err)
{
    stele_deleted result = {.offsets = deleted};
    struct side *side = messages == NULL ? NULL : &messages->sides[messages->shown];
    size_t first = 0;
    stele_code rc = need_stream(t, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (side != NULL) {
        result.messages = side->raw;
        first = stele_messages_count(side->raw);
    }
    rc = stele_stream_delete(t->raw, offsets, &result, err);
    if (rc != STELE_OK) {
        return rc;
    }
    if (size != NULL) {
        *size = result.size;
    }
    if (side == NULL) {
        return STELE_OK;
    }
    rc = decode_from(t, side, first, err);
    return rc == STELE_OK ? rc : sti_wrap(err, rc, "deleted, but not decoded");
}

stele_code stele_typed_size(
        stele_typed_stream *t, const stele_typed_message *message, int64_t *size, stele_error *err)
{
    struct encoded e = {.messages = NULL};
    stele_code rc = need_stream(t, err);

    if (rc == STELE_OK) {
        rc = encode_all(t, message, 1, &e, err);
    }
    if (rc == STELE_OK) {
        rc = stele_stream_size(t->raw, e.messages, size, err);
    }
    encoded_free(&e);
    return rc;
}

stele_code stele_typed_stat(stele_typed_stream *t, stele_stream_stats *out, stele_error *err)
{
    stele_code rc = need_stream(t, err);

    return rc == STELE_OK ? stele_stream_stat(t->raw, out, err) : rc;
}

stele_code stele_typed_backup(
        stele_typed_stream *t, const char *target, stele_stream_copied *out, stele_error *err)
{
    stele_code rc = need_stream(t, err);

    return rc == STELE_OK ? stele_stream_backup(t->raw, target, out, err) : rc;
}

stele_code stele_typed_sync(stele_typed_stream *t, int64_t *durable_offset, stele_error *err)
{
    stele_code rc = need_stream(t, err);

    return rc == STELE_OK ? stele_stream_sync(t->raw, durable_offset, err) : rc;
}

stele_code stele_typed_gc(stele_typed_stream *t, int64_t unused_for_ms, stele_error *err)
{
    stele_code rc = need_stream(t, err);

    return rc == STELE_OK ? stele_stream_gc(t->raw, unused_for_ms, err) : rc;
}
