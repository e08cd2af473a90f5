/* SPDX-License-Identifier: MIT
 *
 * recon_say.c: what a packet of reconciliation says of the own log.
 */
#include "fleet/recon_say.h"

#include "base/map.h"

uint64_t sti_fleet_short_id(
        const struct sti_fleet_recon_head *head, const uint8_t hash[STI_DOCS_HASH_SIZE])
{
    const uint64_t seed[2] = {head->salt, head->session};

    return sti_siphash13(seed, stele_bytes_of(hash, STI_DOCS_HASH_SIZE));
}

enum {
    FLAGS_AT = 2 /* in a packet */
};

struct sti_fleet_speech sti_fleet_speech_begin(const struct sti_fleet_set *set, uint8_t kind,
        const struct sti_fleet_recon_head *head, stele_buf *out, stele_error *err)
{
    struct sti_fleet_speech s = {.set = set,
            .head = *head,
            .w = sti_fleet_writer_of(out, err),
            .said = sti_fleet_bound_first(),
            .flags_at = out->len + FLAGS_AT};

    sti_fleet_write_u8(&s.w, kind);
    sti_fleet_write_u8(&s.w, STI_FLEET_VERSION);
    sti_fleet_write_u8(&s.w, head->flags);
    sti_fleet_write_be64(&s.w, head->session);
    sti_fleet_write_be64(&s.w, head->salt);
    sti_fleet_write_version(&s.w, head->horizon);
    return s;
}

bool sti_fleet_speech_is_full(const struct sti_fleet_speech *s)
{
    return s->w.buf->len > STI_FLEET_RECON_FLUSH;
}

void sti_fleet_speech_flag(struct sti_fleet_speech *s, uint8_t flag)
{
    if (s->w.rc == STELE_OK) {
        s->w.buf->data[s->flags_at] |= flag;
    }
}

/* The beginning of a range; false if there is no room for more. */
bool sti_fleet_say_range(struct sti_fleet_speech *s, const struct sti_fleet_bound *low,
        const struct sti_fleet_bound *high, enum sti_fleet_mode mode)
{
    if (sti_fleet_speech_is_full(s)) {
        sti_fleet_speech_flag(s, STI_FLEET_RECON_CUT);
        return false;
    }
    if (sti_fleet_bound_compare(&s->said, low) < 0) {
        sti_fleet_write_bound(&s->w, low, &s->seconds);
        sti_fleet_write_u8(&s->w, STI_FLEET_MODE_SAME);
    }
    sti_fleet_write_bound(&s->w, high, &s->seconds);
    sti_fleet_write_u8(&s->w, (uint8_t)mode);
    s->said = *high;
    s->any = true;
    return true;
}

void sti_fleet_say_sum(struct sti_fleet_speech *s, const struct sti_fleet_bound *low,
        const struct sti_fleet_bound *high, const struct sti_docs_aggregate *sum)
{
    uint8_t fingerprint[STI_DOCS_FINGERPRINT_SIZE];

    if (s->w.rc == STELE_OK) {
        s->w.rc = sti_docs_aggregate_fingerprint(sum, fingerprint, s->w.err);
    }
    if (s->w.rc == STELE_OK && sti_fleet_say_range(s, low, high, STI_FLEET_MODE_SUM)) {
        sti_fleet_write_varint(&s->w, sum->count);
        sti_fleet_write_bytes(&s->w, stele_bytes_of(fingerprint, sizeof fingerprint));
    }
}

static stele_code say_short_id(
        void *arg, stele_bytes key, const uint8_t hash[STI_DOCS_HASH_SIZE], stele_error *err)
{
    struct sti_fleet_speech *s = arg;

    (void)key;
    (void)err;
    sti_fleet_write_be64(&s->w, sti_fleet_short_id(&s->head, hash));
    return s->w.rc;
}

static void say_list(struct sti_fleet_speech *s, const struct sti_fleet_bound *low,
        const struct sti_fleet_bound *high, uint64_t count)
{
    if (sti_fleet_say_range(s, low, high, STI_FLEET_MODE_LIST)) {
        sti_fleet_write_varint(&s->w, count);
        if (s->w.rc == STELE_OK) {
            s->w.rc = s->set->ops->keys(s->set->arg, sti_fleet_bound_view(low),
                    sti_fleet_bound_view(high), say_short_id, s, s->w.err);
        }
    }
}

stele_code sti_fleet_range_sum(const struct sti_fleet_set *set, const struct sti_fleet_bound *low,
        const struct sti_fleet_bound *high, struct sti_docs_aggregate *out, stele_error *err)
{
    return set->ops->sum(set->arg, sti_fleet_bound_view(low), sti_fleet_bound_view(high), out, err);
}

struct cuts {
    struct sti_fleet_bound bounds[STI_FLEET_WAYS];
    size_t count;
};

static stele_code note_cut(void *arg, stele_bytes before, stele_bytes at, stele_error *err)
{
    struct cuts *c = arg;

    (void)err;
    if (c->count < STI_FLEET_WAYS - 1 &&
            sti_fleet_bound_between(&c->bounds[c->count], before, at)) {
        c->count++;
    }
    return STELE_OK;
}

/* Sums of the parts of a range. It may be that it cannot be cut: IDs are longer than bounds. */
static void say_parts(struct sti_fleet_speech *s, const struct sti_fleet_bound *low,
        const struct sti_fleet_bound *high, uint64_t count)
{
    struct cuts cuts = {.count = 0};
    const struct sti_fleet_bound *from = low;

    if (s->w.rc == STELE_OK) {
        s->w.rc = s->set->ops->cuts(s->set->arg, sti_fleet_bound_view(low),
                sti_fleet_bound_view(high), STI_FLEET_WAYS, note_cut, &cuts, s->w.err);
    }
    if (s->w.rc == STELE_OK && cuts.count == 0) {
        say_list(s, low, high, count);
        return;
    }
    cuts.bounds[cuts.count] = *high;
    for (size_t i = 0; s->w.rc == STELE_OK && i <= cuts.count; i++) {
        struct sti_docs_aggregate sum;

        s->w.rc = sti_fleet_range_sum(s->set, from, &cuts.bounds[i], &sum, s->w.err);
        if (s->w.rc == STELE_OK) {
            sti_fleet_say_sum(s, from, &cuts.bounds[i], &sum);
        }
        from = &cuts.bounds[i];
    }
}

void sti_fleet_say_own(struct sti_fleet_speech *s, const struct sti_fleet_bound *low,
        const struct sti_fleet_bound *high, const struct sti_docs_aggregate *sum)
{
    if (sum->count == 0) {
        sti_fleet_say_sum(s, low, high, sum);
    } else if (sum->count <= STI_FLEET_LIST_MAX) {
        say_list(s, low, high, sum->count);
    } else {
        say_parts(s, low, high, sum->count);
    }
}
