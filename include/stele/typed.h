/* SPDX-License-Identifier: MIT
 *
 * typed.h: a stream whose keys and values have types.
 *
 * Each call is that of the same name in stream.h, with a codec for keys and
 * one for values in between: the same effects, durability, errors, threads.
 * A key or value that its codec refuses fails the call with the codec's
 * code and the message's offset; nothing is published then.
 */
#ifndef STELE_TYPED_H
#define STELE_TYPED_H

#include <stele/codec.h>
#include <stele/stream.h>

STELE_BEGIN_DECLS

typedef struct stele_typed_stream stele_typed_stream;
typedef struct stele_typed_messages stele_typed_messages;

typedef struct stele_typed_message {
    int64_t offset;    /* set by the stream; publish ignores it */
    stele_time time;   /* microseconds since 1970; 0 in publish: now */
    const void *key;   /* points to the key codec's C type */
    const void *value; /* points to the value codec's C type */
    bool key_absent;   /* then `key` points to zeros, and may be NULL in publish */
    bool value_absent; /* likewise */
} stele_typed_message;

/* Messages that were read, as stele_messages: valid until filled again,
 * cleared or freed. */
STELE_API STELE_NODISCARD stele_code stele_typed_messages_new(
        stele_typed_messages **out, stele_error *err);
STELE_API void stele_typed_messages_free(stele_typed_messages *ms); /* accepts NULL */
STELE_API size_t stele_typed_messages_count(const stele_typed_messages *ms);
STELE_API const stele_typed_message *stele_typed_messages_at(
        const stele_typed_messages *ms, size_t index);
STELE_API void stele_typed_messages_clear(stele_typed_messages *ms);

/* Open a stream, and close it with stele_typed_close(). The codecs are
 * copied (what their `arg` points to is not). */
STELE_API STELE_NODISCARD stele_code stele_typed_open(stele_typed_stream **out, const char *dir,
        const stele_stream_options *opts, const stele_codec *key, const stele_codec *value,
        stele_error *err);

/* Put types on an open stream, which must outlive the result and stays the
 * caller's: stele_typed_close() does not close it. */
STELE_API STELE_NODISCARD stele_code stele_typed_wrap(stele_typed_stream **out, stele_stream *s,
        const stele_codec *key, const stele_codec *value, stele_error *err);

STELE_API stele_code stele_typed_close(stele_typed_stream *t, stele_error *err);

/* The stream beneath. Borrowed until close. */
STELE_API stele_stream *stele_typed_raw(stele_typed_stream *t);

STELE_API STELE_NODISCARD stele_code stele_typed_publish(stele_typed_stream *t,
        const stele_typed_message *messages, size_t count, int64_t *next_offset, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_typed_publish_at(stele_typed_stream *t, int64_t expected,
        const stele_typed_message *messages, size_t count, int64_t *next_offset, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_typed_next_offset(
        stele_typed_stream *t, int64_t *next_offset, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_typed_consume(stele_typed_stream *t, int64_t offset,
        int64_t count_max, stele_typed_messages *out, int64_t *next_offset, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_typed_consume_wait(stele_typed_stream *t, int64_t offset,
        int64_t count_max, const stele_wait *wait, stele_typed_messages *out, int64_t *next_offset,
        stele_error *err);

/* `key` points to the key codec's C type, and may be NULL if `absent`. */
STELE_API STELE_NODISCARD stele_code stele_typed_consume_by_key(stele_typed_stream *t,
        const void *key, bool absent, int64_t offset, int64_t count_max, stele_typed_messages *out,
        int64_t *next_offset, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_typed_consume_by_key_wait(stele_typed_stream *t,
        const void *key, bool absent, int64_t offset, int64_t count_max, const stele_wait *wait,
        stele_typed_messages *out, int64_t *next_offset, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_typed_get(
        stele_typed_stream *t, int64_t offset, stele_typed_messages *out, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_typed_get_by_key(stele_typed_stream *t, const void *key,
        bool absent, stele_typed_messages *out, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_typed_offset_by_key(
        stele_typed_stream *t, const void *key, bool absent, int64_t *offset, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_typed_get_by_time(
        stele_typed_stream *t, stele_time start, stele_typed_messages *out, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_typed_offset_by_time(stele_typed_stream *t,
        stele_time start, int64_t *offset, stele_time *time, stele_error *err);

/* `messages` and `offsets` may be NULL, as in stele_deleted; `size` too. */
STELE_API STELE_NODISCARD stele_code stele_typed_delete(stele_typed_stream *t,
        const stele_offsets *offsets, stele_typed_messages *messages, stele_offsets *deleted,
        int64_t *size, stele_error *err);

STELE_API STELE_NODISCARD stele_code stele_typed_size(
        stele_typed_stream *t, const stele_typed_message *message, int64_t *size, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_typed_stat(
        stele_typed_stream *t, stele_stream_stats *out, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_typed_backup(
        stele_typed_stream *t, const char *target, stele_stream_copied *out, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_typed_sync(
        stele_typed_stream *t, int64_t *durable_offset, stele_error *err);
STELE_API STELE_NODISCARD stele_code stele_typed_gc(
        stele_typed_stream *t, int64_t unused_for_ms, stele_error *err);

STELE_END_DECLS

#endif /* STELE_TYPED_H */
