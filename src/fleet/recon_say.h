/* SPDX-License-Identifier: MIT
 *
 * recon_say.h: what a packet of reconciliation says, while it is written.
 */
#ifndef STI_FLEET_RECON_SAY_H
#define STI_FLEET_RECON_SAY_H

#include "fleet/recon.h"

enum sti_fleet_mode {
    STI_FLEET_MODE_SAME,
    STI_FLEET_MODE_SUM,
    STI_FLEET_MODE_LIST,
    STI_FLEET_MODE_DIFFERENT
};

struct sti_fleet_range {
    struct sti_fleet_bound low;
    struct sti_fleet_bound high;
    uint8_t mode;
    uint64_t count;
    stele_bytes fingerprint;
    stele_bytes ids;  /* of a list; or what the sender lacks */
    stele_bytes more; /* what the sender has and the other lacks */
};

/* What is being said. */
struct sti_fleet_speech {
    const struct sti_fleet_set *set;
    struct sti_fleet_recon_head head;
    struct sti_fleet_writer w;
    struct sti_fleet_bound said; /* up to here */
    uint64_t seconds;
    size_t flags_at;
    sti_fleet_found_fn found; /* NULL: we answer */
    void *arg;
    bool any; /* range but those that are the same */
};

/* Write the head. */
struct sti_fleet_speech sti_fleet_speech_begin(const struct sti_fleet_set *set, uint8_t kind,
        const struct sti_fleet_recon_head *head, stele_buf *out, stele_error *err);

/* Whether there is no room for more. */
bool sti_fleet_speech_is_full(const struct sti_fleet_speech *s);
void sti_fleet_speech_flag(struct sti_fleet_speech *s, uint8_t flag);

/* The beginning of a range, whose body follows; false if there is no room for it. */
bool sti_fleet_say_range(struct sti_fleet_speech *s, const struct sti_fleet_bound *low,
        const struct sti_fleet_bound *high, enum sti_fleet_mode mode);
void sti_fleet_say_sum(struct sti_fleet_speech *s, const struct sti_fleet_bound *low,
        const struct sti_fleet_bound *high, const struct sti_docs_aggregate *sum);

/* What is here in a range: nothing, a list, or sums of its parts. `sum` is that of the range. */
void sti_fleet_say_own(struct sti_fleet_speech *s, const struct sti_fleet_bound *low,
        const struct sti_fleet_bound *high, const struct sti_docs_aggregate *sum);

stele_code sti_fleet_range_sum(const struct sti_fleet_set *set, const struct sti_fleet_bound *low,
        const struct sti_fleet_bound *high, struct sti_docs_aggregate *out, stele_error *err);

#endif /* STI_FLEET_RECON_SAY_H */
