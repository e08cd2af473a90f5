/* SPDX-License-Identifier: MIT
 *
 * codec.h: typed keys and values over the bytes of a stream.
 *
 * A codec turns a value of one C type into bytes and back. A value can be
 * absent; how that is written is the codec's choice (nil for all of the
 * built-in ones but string, which has no absent value: an absent one is
 * written as its bytes, and nil reads as the empty string, present).
 *
 * Behaviour and bytes are those of klevdb's codecs.
 */
#ifndef STELE_CODEC_H
#define STELE_CODEC_H

#include <stele/bytes.h>

STELE_BEGIN_DECLS

/* Where decoded values live: memory that is freed all at once, with the
 * stele_typed_messages that the values came in. */
typedef struct stele_arena stele_arena;

/* Memory for any type, freed with the arena; NULL when there is none. */
STELE_API void *stele_arena_alloc(stele_arena *arena, size_t size);

/* Threads: the functions may be called from several threads at once. */
typedef struct stele_codec {
    size_t struct_size; /* sizeof(stele_codec) */
    const char *name;
    void *arg;         /* passed to the functions below */
    size_t value_size; /* sizeof the C type */
    /* Append the bytes of *value to `out`, which is nil (not empty) when
     * called; leaving it so writes nil. `value` may be NULL if `absent`. */
    stele_code (*encode)(
            void *arg, const void *value, bool absent, stele_buf *out, stele_error *err);
    /* Set *value (value_size bytes, zeroed before) and *absent. The value may
     * point into `in`, which lives as long as the arena. */
    stele_code (*decode)(void *arg, stele_bytes in, stele_arena *arena, void *value, bool *absent,
            stele_error *err);
} stele_codec;

/* Each is static and never freed. The C type is in the comment. */
STELE_API const stele_codec *stele_codec_bytes(void);  /* stele_bytes, as it is; nil is absent */
STELE_API const stele_codec *stele_codec_string(void); /* stele_bytes; never absent */
STELE_API const stele_codec *stele_codec_string_opt(void); /* stele_bytes; a JSON string on disk */
STELE_API const stele_codec *stele_codec_varint(void);     /* int64_t; zig-zag LEB128 */
STELE_API const stele_codec *stele_codec_json(void);       /* stele_bytes: any JSON text, checked */

STELE_END_DECLS

#endif /* STELE_CODEC_H */
