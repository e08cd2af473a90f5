/* SPDX-License-Identifier: MIT
 *
 * tally.c: eight bytes at a time.
 */
#include "docs/tally.h"

#include "base/coding.h"

enum {
    WORD = 8
};

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 29;
    h *= UINT64_C(0xa0761d6478bd642f);
    return h ^ h >> 32;
}

/* Bytes that come one after the other, whatever pieces they come in. */
struct hashing {
    uint64_t a; /* two hashes, each step of which can be undone: nothing is lost on the way */
    uint64_t b;
    uint64_t word;
    unsigned bytes; /* in the word */
};

static void take_word(struct hashing *s, uint64_t word)
{
    s->a = (s->a ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    s->a ^= s->a >> 32;
    s->b = (s->b + word) * UINT64_C(0xc2b2ae3d27d4eb4f);
    s->b ^= s->b >> 29;
}

static void take(struct hashing *s, stele_bytes piece)
{
    size_t at = 0;

    while (at < piece.len) {
        if (s->bytes == 0) {
            for (; piece.len - at >= WORD; at += WORD) {
                take_word(s, sti_get_be64(piece.data + at));
            }
            if (at == piece.len) {
                break;
            }
        }
        s->word = s->word << 8 | piece.data[at++];
        if (++s->bytes == WORD) {
            take_word(s, s->word);
            s->word = 0;
            s->bytes = 0;
        }
    }
}

static void finish(struct hashing *s)
{
    take_word(s, s->word);
    s->a = mix(s->a + s->bytes);
    s->b = mix(s->b ^ s->bytes);
}

void sti_docs_tally_add(
        struct sti_docs_tally *tally, stele_bytes key, stele_bytes rest, stele_bytes value)
{
    struct hashing s = {.a = mix(key.len + rest.len), .b = value.len};

    take(&s, key);
    take(&s, rest);
    take(&s, value);
    finish(&s);
    tally->count++;
    tally->sum += mix(s.a + s.b);
}

bool sti_docs_tally_equal(const struct sti_docs_tally *a, const struct sti_docs_tally *b)
{
    return a->count == b->count && a->sum == b->sum;
}
