/* SPDX-License-Identifier: MIT
 *
 * bound.c: where ranges of the log begin and end.
 */
#include "base/assert.h"
#include "base/coding.h"
#include "base/error.h"
#include "fleet/packet.h"

static struct sti_fleet_bound bound_of(const uint8_t *bytes, size_t len)
{
    struct sti_fleet_bound b;

    b.len = (uint16_t)len;
    memcpy(b.bytes, bytes, len);
    return b;
}

struct sti_fleet_bound sti_fleet_bound_of_second(int64_t seconds)
{
    uint8_t bytes[STI_FLEET_BOUND_SECONDS];

    sti_put_be64(bytes, seconds < 0 ? 0 : (uint64_t)seconds);
    return bound_of(bytes, sizeof bytes);
}

struct sti_fleet_bound sti_fleet_bound_first(void)
{
    return sti_fleet_bound_of_second(0);
}

struct sti_fleet_bound sti_fleet_bound_end(void)
{
    return (struct sti_fleet_bound){.len = 0};
}

struct sti_fleet_bound sti_fleet_bound_of_key(stele_bytes key)
{
    sti_assert(key.len >= STI_FLEET_BOUND_SECONDS);
    return bound_of(key.data, key.len < STI_FLEET_BOUND_MAX ? key.len : STI_FLEET_BOUND_MAX);
}

bool sti_fleet_bound_between(struct sti_fleet_bound *out, stele_bytes before, stele_bytes at)
{
    size_t common = 0;
    size_t len;

    while (common < before.len && common < at.len && before.data[common] == at.data[common]) {
        common++;
    }
    len = common + 1 < STI_FLEET_BOUND_SECONDS ? STI_FLEET_BOUND_SECONDS : common + 1;
    if (len > at.len || len > STI_FLEET_BOUND_MAX) {
        return false;
    }
    *out = bound_of(at.data, len);
    return true;
}

stele_bytes sti_fleet_bound_view(const struct sti_fleet_bound *bound)
{
    return bound->len == 0 ? stele_nil() : stele_bytes_of(bound->bytes, bound->len);
}

int sti_fleet_bound_compare(const struct sti_fleet_bound *a, const struct sti_fleet_bound *b)
{
    if (a->len == 0 || b->len == 0) {
        return (a->len == 0) - (b->len == 0);
    }
    return stele_bytes_compare(sti_fleet_bound_view(a), sti_fleet_bound_view(b));
}

bool sti_fleet_bound_is_above(const struct sti_fleet_bound *bound, stele_bytes key)
{
    return bound->len == 0 || stele_bytes_compare(sti_fleet_bound_view(bound), key) > 0;
}

void sti_fleet_write_bound(
        struct sti_fleet_writer *w, const struct sti_fleet_bound *bound, uint64_t *seconds)
{
    uint64_t own;

    if (bound->len == 0) {
        sti_fleet_write_varint(w, 0);
        return;
    }
    own = sti_get_be64(bound->bytes);
    if (w->rc == STELE_OK && own < *seconds) {
        w->rc = sti_fail(w->err, STELE_EINVAL, "bounds that do not ascend");
        return;
    }
    sti_fleet_write_varint(w, own - *seconds + 1);
    sti_fleet_write_str8(w, stele_bytes_of(bound->bytes + STI_FLEET_BOUND_SECONDS,
                                    bound->len - (size_t)STI_FLEET_BOUND_SECONDS));
    *seconds = own;
}

struct sti_fleet_bound sti_fleet_read_bound(struct sti_fleet_reader *r, uint64_t *seconds)
{
    uint64_t beyond = sti_fleet_read_varint(r);
    struct sti_fleet_bound b = sti_fleet_bound_end();
    stele_bytes rest;

    if (r->bad || beyond == 0) {
        return b;
    }
    rest = sti_fleet_read_str8(r);
    if (r->bad || beyond - 1 > (uint64_t)INT64_MAX - *seconds) {
        r->bad = true;
        return b;
    }
    *seconds += beyond - 1;
    b = sti_fleet_bound_of_second((int64_t)*seconds);
    if (rest.len > 0) {
        memcpy(b.bytes + b.len, rest.data, rest.len);
        b.len = (uint16_t)(b.len + rest.len);
    }
    return b;
}
