/* SPDX-License-Identifier: MIT
 *
 * fuzz_codecs.c: decode anything, encode it again, and decode that.
 *
 * The first byte chooses the codec, the second whether the rest is nil if it
 * is empty. What decodes must encode, and to bytes that decode to the same;
 * those bytes must encode to themselves.
 */
#include <stele/codec.h>
#include <stele/stream.h>

#include "base/assert.h"
#include "stream/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Large enough for the value of any of the codecs. */
union value {
    stele_bytes bytes;
    int64_t number;
};

static const stele_codec *codec_of(uint8_t choice)
{
    switch (choice % 5) {
    case 0:
        return stele_codec_bytes();
    case 1:
        return stele_codec_string();
    case 2:
        return stele_codec_string_opt();
    case 3:
        return stele_codec_varint();
    default:
        return stele_codec_json();
    }
}

static bool same_value(const stele_codec *codec, const union value *a, const union value *b)
{
    if (codec == stele_codec_varint()) {
        return a->number == b->number;
    }
    return stele_bytes_equal(a->bytes, b->bytes);
}

static void encode(const stele_codec *codec, const union value *value, bool absent, stele_buf *out)
{
    stele_buf_init(out, STELE_MESSAGE_SIZE_MAX);
    sti_assert(codec->encode(codec->arg, value, absent, out, NULL) == STELE_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    stele_arena arena = {.memory = {.chunks = NULL}};
    union value first = {.bytes = {NULL, 0}};
    union value second = {.bytes = {NULL, 0}};
    bool absent = false;
    bool absent_again = false;
    const stele_codec *codec;
    stele_bytes in;
    stele_buf once;
    stele_buf twice;

    if (size < 2) {
        return 0;
    }
    codec = codec_of(data[0]);
    in = size == 2 && data[1] % 2 == 0 ? stele_nil() : stele_bytes_of(data + 2, size - 2);
    if (codec->decode(codec->arg, in, &arena, &first, &absent, NULL) == STELE_OK) {
        encode(codec, &first, absent, &once);
        sti_assert(codec->decode(codec->arg, stele_buf_view(&once), &arena, &second, &absent_again,
                           NULL) == STELE_OK);
        sti_assert(absent == absent_again);
        sti_assert(absent || same_value(codec, &first, &second));
        encode(codec, &second, absent, &twice);
        sti_assert(stele_bytes_equal(stele_buf_view(&once), stele_buf_view(&twice)));
        stele_buf_free(&once);
        stele_buf_free(&twice);
    }
    sti_arena_free(&arena.memory);
    return 0;
}
